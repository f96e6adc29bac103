//! The tree of a query: what was written, with the place of every part.
//!
//! Names are not resolved and types not checked here; `plan` does both. The
//! typed builder makes the same tree, with empty spans.

mod expr;
mod statement;

use std::fmt;

pub use expr::{BinaryOp, Expr, ExprKind, UnaryOp};
pub use statement::{Correction, CorrectionKind, Links, LinksKind, RetainUnit, Statement};

/// A place in the query text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// From the start of `self` to the end of `other`.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A name as written (quotes removed), with its place. Attribute names ignore case.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Its place.
    pub span: Span,
}

impl Name {
    /// A name without a place.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), span: Span::default() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A literal, or a parameter that stands for one.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `NULL`
    Null,
    /// `TRUE`, `FALSE`
    Bool(bool),
    /// `42`
    Int(i64),
    /// `0.5`
    Float(f64),
    /// `'text'`; also an instant or a span where one is wanted
    Str(String),
    /// `7d`, `90s`, `7 DAYS`: milliseconds
    Duration(i64),
    /// `$name`
    Param(String),
}

/// A literal with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Lit {
    /// The literal.
    pub value: Literal,
    /// Its place.
    pub span: Span,
}

impl Lit {
    /// A literal without a place.
    pub fn new(value: Literal) -> Self {
        Self { value, span: Span::default() }
    }
}

/// A pipe of operators. `FROM journeys |>` is implied and leaves no operator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The operators in order.
    pub ops: Vec<Op>,
    /// The whole text of the query.
    pub span: Span,
}

/// An operator with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    /// What it does.
    pub kind: OpKind,
    /// Its whole text, from keyword to last option.
    pub span: Span,
    /// The keyword alone (`CHAINS`, `DROPPED AT`), for messages.
    pub keyword: Span,
}

/// The operators.
#[derive(Clone, Debug, PartialEq)]
pub enum OpKind {
    /// `AS OF t`
    AsOf(Lit),
    /// `DURING …`
    During(During),
    /// `WHERE predicate`, over interactions or over rows
    Where(Expr),
    /// `FOR predicate`
    For(ForExpr),
    /// `SPLIT BY attr, …`
    Split(Vec<Name>),
    /// `SESSIONS GAP d`
    Sessions {
        /// A pause longer than this ends a session.
        gap: Lit,
    },
    /// `INTERACTIONS`, over journeys or over rows (their members)
    Interactions,
    /// `CHAINS …`
    Chains(Chains),
    /// `FCR …`
    Fcr(Chains),
    /// `FUNNEL …`
    Funnel(Box<Funnel>),
    /// `REACHED n`
    Reached(Lit),
    /// `DROPPED AT n [SILENT | ELSEWHERE | OPEN]`
    DroppedAt {
        /// The step reached.
        step: Lit,
        /// The outcome asked for; silent and elsewhere where none is.
        outcome: Option<Outcome>,
    },
    /// `CORRELATES`
    Correlates,
    /// `MATCH …`
    Match(Box<Match>),
    /// `PATHS …`
    Paths(Box<Paths>),
    /// `GRAPH …`
    Graph(Graph),
    /// `MAP BY attr, …`
    Map(Vec<Name>),
    /// `EXTEND expr AS name, …`
    Extend(Vec<(Expr, Name)>),
    /// `SELECT expr [AS name], …`
    Select(Vec<SelectItem>),
    /// `AGGREGATE … [GROUP BY …]`
    Aggregate {
        /// The aggregates, with their names.
        items: Vec<SelectItem>,
        /// The groups.
        group_by: Vec<SelectItem>,
    },
    /// `ORDER BY expr [ASC | DESC], …`
    OrderBy(Vec<OrderItem>),
    /// `LIMIT n`
    Limit(Lit),
    /// `DISTINCT`
    Distinct,
    /// `CUSTOMERS`
    Customers,
    /// `SAVE COHORT name`
    SaveCohort(Name),
    /// `JOURNEYS [BEFORE | AFTER]`
    Journeys(Part),
}

/// A span of time: `DURING …` and `STARTED DURING …`.
#[derive(Clone, Debug, PartialEq)]
pub enum During {
    /// `a TO b`: a <= at < b
    Between(Lit, Lit),
    /// `'2026-Q1'`
    Span(Lit),
    /// `LAST 30d`, counted back from the right edge
    Last(Lit),
}

/// Which part of a row's journeys flows on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Whole journeys.
    Whole,
    /// What lies before each row's first member.
    Before,
    /// What lies after each row's last member.
    After,
}

/// What became of somebody who went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing more came of the customer.
    Silent,
    /// The customer went on, elsewhere.
    Elsewhere,
    /// It is too early to tell.
    Open,
}

/// A predicate over customers.
#[derive(Clone, Debug, PartialEq)]
pub enum ForExpr {
    /// Both hold.
    And(Box<ForExpr>, Box<ForExpr>),
    /// One holds.
    Or(Box<ForExpr>, Box<ForExpr>),
    /// It does not hold.
    Not(Box<ForExpr>, Span),
    /// `HAS (…)`, `HAS AT LEAST n (…)`; `HAS NO (…)` is written with `no` set.
    Has {
        /// `HAS NO`
        no: bool,
        /// `AT LEAST n`, 1 where it is not written.
        at_least: Option<Lit>,
        /// What is looked for.
        what: HasWhat,
        /// The whole.
        span: Span,
    },
    /// `CUSTOMER 'crm:42'`
    Customer(Lit),
    /// `COHORT name`
    Cohort(Name),
    /// `IN (query)`
    In(Box<Query>, Span),
    /// Anything else: an expression over the customer's attributes.
    Attributes(Expr),
}

/// What `HAS` looks for: a step, or a predicate over interactions.
#[derive(Clone, Debug, PartialEq)]
pub enum HasWhat {
    /// `(:complaint {channel: 'twitter'})` without the outer brackets doubled
    Step(Box<Step>),
    /// `(sentiment < 0)`
    Predicate(Expr),
}

/// `CHAINS` and `FCR`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chains {
    /// `SAME key, …`
    pub same: Vec<Name>,
    /// `GAP d`
    pub gap: Option<Lit>,
    /// `MIN n`
    pub min: Option<Lit>,
    /// `WITHIN d`
    pub within: Option<Lit>,
    /// `CLOCK …`, of FCR alone
    pub clock: Option<(Clock, Span)>,
    /// `STARTED DURING …`
    pub started: Option<During>,
}

/// What the gap to the next contact is counted from, in FCR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The contact before.
    Contact,
    /// The last contact marked resolved; while none is, the contact before.
    Resolution,
}

/// `FUNNEL`. Options that are absent are `None` or false.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Funnel {
    /// `STRICT`
    pub strict: Option<Span>,
    /// `ANY ORDER`
    pub any_order: Option<Span>,
    /// `ON attr:`; the steps are then labels of that attribute instead of kinds
    pub on: Option<Name>,
    /// The steps and the edges between them.
    pub pattern: Pattern,
    /// `WITHIN d`
    pub within: Option<Lit>,
    /// `COUNT …`
    pub count: Option<(Count, Span)>,
    /// `HOLD attr`
    pub hold: Option<Name>,
    /// `ANCHOR FIRST`
    pub anchor_first: Option<Span>,
    /// `BY attr, … AT …`
    pub by: Option<Breakdown>,
    /// `TREND BY day | week | month`
    pub trend: Option<(Period, Span)>,
    /// `SIMULTANEOUS d`
    pub simultaneous: Option<(Lit, Span)>,
    /// `STARTED DURING …`
    pub started: Option<During>,
}

/// What a funnel counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the language")]
pub enum Count {
    Customers,
    Attempts,
    Sessions,
}

/// `BY attr, … AT …` of a funnel.
#[derive(Clone, Debug, PartialEq)]
pub struct Breakdown {
    /// The attributes.
    pub attrs: Vec<Name>,
    /// Where the value is read; first where it is not written.
    pub at: At,
    /// The whole.
    pub span: Span,
}

/// Where a breakdown reads its value.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the words of the language")]
pub enum At {
    First,
    Last,
    Step(Lit),
    All,
}

/// `TREND BY`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the language")]
pub enum Period {
    Day,
    Week,
    Month,
}

/// Elements joined by edges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pattern {
    /// The elements in order.
    pub elements: Vec<Element>,
    /// `edges[i]` joins element `i` to element `i + 1`. In a step list
    /// (`ANY ORDER`) the edges are plain.
    pub edges: Vec<Edge>,
    /// The whole.
    pub span: Span,
}

/// One element of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// What it is.
    pub kind: ElementKind,
    /// `?`, `+`, `*`, `{n,m}`
    pub quantifier: Option<Quantifier>,
    /// The whole.
    pub span: Span,
}

/// What an element of a pattern is.
#[derive(Clone, Debug, PartialEq)]
pub enum ElementKind {
    /// `(…)`
    Step(Step),
    /// `((…) | (…))`
    Alternatives(Vec<Step>),
    /// `NOT (…) WITHIN d`
    Absent {
        /// What must not come.
        step: Step,
        /// The deadline.
        within: Lit,
    },
}

/// How often an element repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantifier {
    /// At least.
    pub min: u32,
    /// At most; `None` for no bound.
    pub max: Option<u32>,
    /// Its place.
    pub span: Span,
}

/// `(name:label|label {attr: literal} WHERE predicate)`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// The variable.
    pub name: Option<Name>,
    /// Values of `kind` (or of the attribute of `ON`); any where there is none.
    pub labels: Vec<Name>,
    /// The property map.
    pub properties: Vec<(Name, Lit)>,
    /// The predicate.
    pub predicate: Option<Expr>,
    /// The whole.
    pub span: Span,
}

/// An arrow, with the conditions on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edge {
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// Its place.
    pub span: Span,
}

/// A condition on an edge.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// `NEXT`
    Next(Span),
    /// `<= d`
    AtMost(Lit),
    /// `>= d`
    AtLeast(Lit),
    /// `SAME attr`, `SAME (a, b)`
    Same(Vec<Name>, Span),
    /// `NO (step)`
    No(Box<Step>, Span),
}

/// `MATCH`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    /// The pattern.
    pub pattern: Pattern,
    /// `WITHIN d`
    pub within: Option<Lit>,
    /// `FIRST | LAST | ALL | EACH`
    pub which: Option<(Which, Span)>,
    /// `SIMULTANEOUS d`
    pub simultaneous: Option<Lit>,
    /// `STARTED DURING …`
    pub started: Option<During>,
}

/// Which matches of a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the language")]
pub enum Which {
    First,
    Last,
    All,
    Each,
}

/// `PATHS`
#[derive(Clone, Debug, PartialEq)]
pub struct Paths {
    /// Where the paths run.
    pub between: PathEnds,
    /// `DEPTH n`
    pub depth: Option<Lit>,
    /// `BY attr`
    pub by: Option<Name>,
    /// `COLLAPSE`
    pub collapse: bool,
    /// `TOP n`
    pub top: Option<Lit>,
}

/// Where paths begin or end.
#[derive(Clone, Debug, PartialEq)]
pub enum PathEnds {
    /// `FROM (step)`
    From(Step),
    /// `TO (step)`
    To(Step),
    /// `BETWEEN (step) AND (step)`
    Between(Step, Step),
}

/// `GRAPH BY attr …`
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The attribute whose values are the nodes.
    pub by: Name,
    /// What is computed on it; the edges where nothing is asked.
    pub compute: GraphCompute,
}

/// What `GRAPH` computes.
#[derive(Clone, Debug, PartialEq)]
pub enum GraphCompute {
    /// The edges themselves.
    Edges,
    /// `LOOPS`
    Loops,
    /// `CHEAPEST 'a' TO 'b'`
    Cheapest(Lit, Lit),
    /// `DOMINATORS OF 'x'`
    Dominators(Lit),
}

/// `expr [AS name]`
#[derive(Clone, Debug, PartialEq)]
pub struct SelectItem {
    /// The expression.
    pub expr: Expr,
    /// Its name; derived from the text where it is not written.
    pub alias: Option<Name>,
}

/// `expr [ASC | DESC]`
#[derive(Clone, Debug, PartialEq)]
pub struct OrderItem {
    /// The expression.
    pub expr: Expr,
    /// `DESC`
    pub descending: bool,
}
