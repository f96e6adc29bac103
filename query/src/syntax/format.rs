//! The canonical text of a tree: one operator a line, keywords in capitals.
//!
//! Reading the text again gives the tree it was made from, apart from places.

mod expr;
mod pattern;

use std::fmt::{self, Display, Formatter};

use self::expr::{customers, expression};
use self::pattern::{funnel, pattern, step};
use super::ast::{
    Chains, Clock, Correction, CorrectionKind, During, Graph, GraphCompute, LinksKind, Lit, Literal, Match,
    Name, Op, OpKind, OrderItem, Outcome, Part, PathEnds, Paths, Query, SelectItem, Statement, Which,
};
use super::words;
use crate::time::format_duration_literal;

/// The canonical text of a statement, without a `;`.
pub fn format(statement: &Statement) -> String {
    match statement {
        Statement::Query(query) => lines(query),
        Statement::Explain(query) => format!("EXPLAIN {}", lines(query)),
        Statement::Profile(query) => format!("PROFILE {}", lines(query)),
        Statement::WhyNot { customer, query } => {
            format!("WHY NOT CUSTOMER {} IN {}", literal(&customer.value), bracketed(query))
        }
        Statement::Links(statement) => links(&statement.kind),
        Statement::Erase { customer } => format!("ERASE CUSTOMER {}", literal(&customer.value)),
        Statement::Retain { last: None } => "RETAIN FOREVER".to_owned(),
        Statement::Retain { last: Some((amount, unit)) } => {
            format!("RETAIN {} {}", literal(&amount.value), unit.word())
        }
        Statement::Correction(statement) => correction(statement),
    }
}

fn correction(statement: &Correction) -> String {
    let mut text = Words::new(match &statement.kind {
        CorrectionKind::Amend(_) => "AMEND",
        CorrectionKind::Redact(_) => "REDACT",
    });
    text.literal("EVENT", Some(&statement.event));
    text.literal("OF CUSTOMER", statement.customer.as_ref());
    match &statement.kind {
        CorrectionKind::Amend(values) => {
            let set =
                |(name, value): &(Name, Lit)| format!("{} = {}", self::name(name), literal(&value.value));
            text.option("SET", Some(join(values, ", ", set)));
        }
        CorrectionKind::Redact(attrs) => text.word(&names(attrs)),
    }
    text.text
}

fn links(kind: &LinksKind) -> String {
    match kind {
        LinksKind::Link { one, other, confidence, source } => {
            let mut text = Words::new("LINK");
            text.word(&literal(&one.value));
            text.literal("TO", Some(other));
            text.literal("CONFIDENCE", confidence.as_ref());
            text.literal("SOURCE", source.as_ref());
            text.text
        }
        LinksKind::Unlink { one, other } => {
            format!("UNLINK {} FROM {}", literal(&one.value), literal(&other.value))
        }
        LinksKind::Of { customer, query } => {
            let mut text = Words::new("LINKS OF");
            text.literal("CUSTOMER", Some(customer));
            text.option("IN", query.as_ref().map(bracketed));
            text.text
        }
        LinksKind::Refused { customer } => {
            let mut text = Words::new("LINKS REFUSED");
            text.literal("FOR CUSTOMER", customer.as_ref());
            text.text
        }
    }
}

/// A query in brackets, its operators on lines of their own.
fn bracketed(query: &Query) -> String {
    // Only line ends between operators may be indented, none inside a text.
    if query_has_line_ends(query) {
        format!("({})", inline(query))
    } else {
        format!("(\n  {}\n)", lines(query).replace('\n', "\n  "))
    }
}

/// The canonical text of one operator, without `|>`.
pub fn format_operator(op: &Op) -> String {
    operator(&op.kind)
}

/// The canonical text of an expression.
pub fn format_expression(expr: &super::ast::Expr) -> String {
    expression(expr)
}

fn lines(query: &Query) -> String {
    let mut text = String::from("FROM journeys");
    for op in &query.ops {
        text.push_str("\n|> ");
        text.push_str(&operator(&op.kind));
    }
    text
}

/// On one line, inside brackets.
fn inline(query: &Query) -> String {
    if query.ops.is_empty() {
        return "FROM journeys".into();
    }
    join(&query.ops, " |> ", |op| operator(&op.kind))
}

fn query_has_line_ends(query: &Query) -> bool {
    query.ops.iter().any(|op| operator(&op.kind).contains('\n'))
}

fn join<T>(items: &[T], between: &str, text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(between)
}

fn operator(op: &OpKind) -> String {
    match op {
        OpKind::AsOf(at) => format!("AS OF {}", literal(&at.value)),
        OpKind::During(span) => format!("DURING {}", during(span)),
        OpKind::Where(predicate) => format!("WHERE {}", expression(predicate)),
        OpKind::For(predicate) => format!("FOR {}", customers(predicate)),
        OpKind::Split(attrs) => format!("SPLIT BY {}", names(attrs)),
        OpKind::Sessions { gap } => format!("SESSIONS GAP {}", literal(&gap.value)),
        OpKind::Interactions => "INTERACTIONS".into(),
        OpKind::Chains(options) => chains("CHAINS", options),
        OpKind::Fcr(options) => chains("FCR", options),
        OpKind::Funnel(parts) => funnel(parts),
        OpKind::Reached(step) => format!("REACHED {}", literal(&step.value)),
        OpKind::DroppedAt { step, outcome } => {
            let outcome = match outcome {
                None => "",
                Some(Outcome::Silent) => " SILENT",
                Some(Outcome::Elsewhere) => " ELSEWHERE",
                Some(Outcome::Open) => " OPEN",
            };
            format!("DROPPED AT {}{outcome}", literal(&step.value))
        }
        OpKind::Correlates => "CORRELATES".into(),
        OpKind::Match(parts) => matching(parts),
        OpKind::Paths(parts) => paths(parts),
        OpKind::Graph(parts) => graph(parts),
        OpKind::Map(attrs) => format!("MAP BY {}", names(attrs)),
        OpKind::Extend(items) => {
            format!(
                "EXTEND {}",
                join(items, ", ", |(expr, alias)| format!("{} AS {}", expression(expr), name(alias)))
            )
        }
        OpKind::Select(items) => format!("SELECT {}", select_items(items)),
        OpKind::Aggregate { items, group_by } => {
            let mut text = Words::new("AGGREGATE");
            text.option("", (!items.is_empty()).then(|| select_items(items)));
            text.option("GROUP BY", (!group_by.is_empty()).then(|| select_items(group_by)));
            text.text
        }
        OpKind::OrderBy(items) => format!("ORDER BY {}", join(items, ", ", order_item)),
        OpKind::Limit(n) => format!("LIMIT {}", literal(&n.value)),
        OpKind::Distinct => "DISTINCT".into(),
        OpKind::Customers => "CUSTOMERS".into(),
        OpKind::SaveCohort(cohort) => format!("SAVE COHORT {}", name(cohort)),
        OpKind::Journeys(Part::Whole) => "JOURNEYS".into(),
        OpKind::Journeys(Part::Before) => "JOURNEYS BEFORE".into(),
        OpKind::Journeys(Part::After) => "JOURNEYS AFTER".into(),
    }
}

/// An operator's text, word by word.
struct Words {
    text: String,
}

impl Words {
    fn new(keyword: &str) -> Self {
        Self { text: keyword.into() }
    }

    /// A word and what stands after it, if it is there.
    fn option(&mut self, word: &str, value: Option<impl Display>) {
        let Some(value) = value else { return };
        if !word.is_empty() {
            self.word(word);
        }
        self.word(&value.to_string());
    }

    fn word(&mut self, word: &str) {
        self.text.push(' ');
        self.text.push_str(word);
    }

    fn literal(&mut self, word: &str, value: Option<&Lit>) {
        self.option(word, value.map(|lit| literal(&lit.value)));
    }
}

fn chains(keyword: &str, options: &Chains) -> String {
    let mut text = Words::new(keyword);
    text.option("SAME", (!options.same.is_empty()).then(|| names(&options.same)));
    text.literal("GAP", options.gap.as_ref());
    text.literal("MIN", options.min.as_ref());
    text.literal("WITHIN", options.within.as_ref());
    let clock = options.clock.map(|(clock, _)| match clock {
        Clock::Contact => "CONTACT",
        Clock::Resolution => "RESOLUTION",
    });
    text.option("CLOCK", clock);
    text.option("STARTED DURING", options.started.as_ref().map(during));
    text.text
}

fn matching(parts: &Match) -> String {
    let mut text = Words::new("MATCH");
    text.word(&pattern(&parts.pattern, " -> "));
    text.literal("WITHIN", parts.within.as_ref());
    let which = parts.which.map(|(which, _)| match which {
        Which::First => "FIRST",
        Which::Last => "LAST",
        Which::All => "ALL",
        Which::Each => "EACH",
    });
    text.option("", which);
    text.literal("SIMULTANEOUS", parts.simultaneous.as_ref());
    text.option("STARTED DURING", parts.started.as_ref().map(during));
    text.text
}

fn paths(parts: &Paths) -> String {
    let mut text = Words::new("PATHS");
    text.word(&match &parts.between {
        PathEnds::From(from) => format!("FROM {}", step(from)),
        PathEnds::To(to) => format!("TO {}", step(to)),
        PathEnds::Between(from, to) => format!("BETWEEN {} AND {}", step(from), step(to)),
    });
    text.literal("DEPTH", parts.depth.as_ref());
    text.option("BY", parts.by.as_ref().map(name));
    text.option("", parts.collapse.then_some("COLLAPSE"));
    text.literal("TOP", parts.top.as_ref());
    text.text
}

fn graph(parts: &Graph) -> String {
    let compute = match &parts.compute {
        GraphCompute::Edges => String::new(),
        GraphCompute::Loops => " LOOPS".into(),
        GraphCompute::Cheapest(from, to) => {
            format!(" CHEAPEST {} TO {}", literal(&from.value), literal(&to.value))
        }
        GraphCompute::Dominators(of) => format!(" DOMINATORS OF {}", literal(&of.value)),
    };
    format!("GRAPH BY {}{compute}", name(&parts.by))
}

fn during(span: &During) -> String {
    match span {
        During::Between(from, to) => format!("{} TO {}", literal(&from.value), literal(&to.value)),
        During::Span(span) => literal(&span.value),
        During::Last(length) => format!("LAST {}", literal(&length.value)),
    }
}

fn select_items(items: &[SelectItem]) -> String {
    join(items, ", ", |item| match &item.alias {
        Some(alias) => format!("{} AS {}", expression(&item.expr), name(alias)),
        None => expression(&item.expr),
    })
}

fn order_item(item: &OrderItem) -> String {
    format!("{}{}", expression(&item.expr), if item.descending { " DESC" } else { "" })
}

fn names(names: &[Name]) -> String {
    join(names, ", ", name)
}

/// A name, quoted where it must be.
fn name(name: &Name) -> String {
    if words::is_plain_name(&name.text) { name.text.clone() } else { Quoted(&name.text, '"').to_string() }
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::Null => "NULL".into(),
        Literal::Bool(true) => "TRUE".into(),
        Literal::Bool(false) => "FALSE".into(),
        Literal::Int(n) => n.to_string(),
        Literal::Float(n) => format!("{n:?}"),
        Literal::Str(text) => Quoted(text, '\'').to_string(),
        Literal::Duration(millis) => format_duration_literal(*millis),
        Literal::Param(name) => format!("${name}"),
    }
}

/// A text between quotes; the quote inside it is doubled.
struct Quoted<'t>(&'t str, char);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let quote = self.1;
        let doubled: String = [quote, quote].iter().collect();
        write!(f, "{quote}{}{quote}", self.0.replace(quote, &doubled))
    }
}
