//! Queries made by typed calls instead of text.
//!
//! The calls make the same tree that [`crate::syntax::parse`] makes of the
//! text, so both mean the same and are checked by the same planner. Operators
//! over rows exist only after an operator that makes rows.
//!
//! ```
//! use throughline::builder::{Chains, Journeys, count, count_distinct, days, median};
//!
//! let query = Journeys::detached()
//!     .filter("kind IN ('complaint', 'call')")
//!     .chains(Chains::same("topic").gap(days(7)).at_least(3).started_during("2026-Q1"))
//!     .aggregate([count().named("chains"), count_distinct("customer").named("customers"), median("span")])
//!     .group_by(["topic"])
//!     .order_by_desc("customers")
//!     .limit(10);
//! assert!(throughline::syntax::format(&query.statement().unwrap()).contains("CHAINS SAME topic GAP 7d MIN 3"));
//! ```

mod customers;
mod options;
mod steps;
mod values;

use throughline_engine::Db;

pub use self::customers::{
    CustomerPredicate, IntoCustomerPredicate, behind, customer, has, has_at_least, has_no, in_cohort,
};
pub use self::options::{At, Chains, Funnel, Graph, Match, Paths};
pub use self::steps::{Step, Steps, absent, any_step, either, step};
pub use self::values::{
    IntoColumn, IntoOperand, IntoPredicate, Length, Value, attr, avg, call, count, count_distinct, count_of,
    days, hours, max, median, millis, min, minutes, not, param, quantile, seconds, share, sum, value, weeks,
};
use crate::answer::Answer;
use crate::diagnostics::Diagnostic;
use crate::error::QueryError;
use crate::run::{QueryOptions, execute_with};
pub use crate::syntax::ast::{Clock, Outcome, Part};
use crate::syntax::ast::{
    During, Lit, Literal, Name, Op, OpKind, OrderItem, Query, SelectItem, Span, Statement,
};
use crate::syntax::parse;
use crate::value::Params;

/// The operators so far, and what was wrong with texts among them.
#[derive(Clone)]
struct Pipe<'db> {
    db: Option<&'db Db>,
    ops: Vec<Op>,
    errors: Vec<Diagnostic>,
}

impl Pipe<'_> {
    fn push(&mut self, kind: OpKind) {
        self.ops.push(Op { kind, span: Span::default(), keyword: Span::default() });
    }

    fn push_or_note(&mut self, kind: Result<OpKind, Vec<Diagnostic>>) {
        match kind {
            Ok(kind) => self.push(kind),
            Err(errors) => self.errors.extend(errors),
        }
    }

    fn query(&self) -> Result<Query, Vec<Diagnostic>> {
        if self.errors.is_empty() {
            Ok(Query { ops: self.ops.clone(), span: Span::default() })
        } else {
            Err(self.errors.clone())
        }
    }

    fn statement(&self) -> Result<Statement, Vec<Diagnostic>> {
        self.query().map(Statement::Query)
    }

    /// The tree goes through its text, so that messages have places to point at.
    fn run(&self, params: &Params) -> Result<Answer, QueryError> {
        let wrong = |text: String| move |diagnostics| QueryError::Query { text, diagnostics };
        let text = crate::syntax::format(&self.statement().map_err(wrong(String::new()))?);
        let Some(db) = self.db else {
            let detached =
                Diagnostic::error("E416", Span::default(), "this query was made without a database")
                    .help("begin it with `db.journeys()`");
            return Err(wrong(text)(vec![detached]));
        };
        let statement = parse(&text).map_err(wrong(text.clone()))?;
        execute_with(db, &statement, params, &text, &QueryOptions::default())
    }
}

fn text(text: impl Into<String>) -> Lit {
    Lit::new(Literal::Str(text.into()))
}

fn whole(n: u32) -> Lit {
    Lit::new(Literal::Int(i64::from(n)))
}

fn names<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<Name> {
    names.into_iter().map(Name::new).collect()
}

/// Journeys that flow: every customer's interactions in order.
#[derive(Clone)]
#[must_use = "a query does nothing until it runs"]
pub struct Journeys<'db> {
    pipe: Pipe<'db>,
}

impl<'db> Journeys<'db> {
    /// All journeys of a database.
    pub fn new(db: &'db Db) -> Self {
        Self { pipe: Pipe { db: Some(db), ops: Vec::new(), errors: Vec::new() } }
    }

    /// Journeys of no database: for a subquery (see [`behind`]), or to be shown as text.
    pub fn detached() -> Self {
        Self { pipe: Pipe { db: None, ops: Vec::new(), errors: Vec::new() } }
    }

    fn then(mut self, kind: OpKind) -> Self {
        self.pipe.push(kind);
        self
    }

    fn rows(mut self, kind: OpKind) -> RowsQuery<'db> {
        self.pipe.push(kind);
        RowsQuery { pipe: self.pipe }
    }

    /// `AS OF t`: only what had been recorded by then; must come first.
    pub fn as_of(self, instant: impl Into<String>) -> Self {
        self.then(OpKind::AsOf(text(instant)))
    }

    /// `DURING 'span'`: `"2026"`, `"2026-Q1"`, `"2026-03"`.
    pub fn during(self, span: impl Into<String>) -> Self {
        self.then(OpKind::During(During::Span(text(span))))
    }

    /// `DURING from TO until`: `from` is in, `until` is not.
    pub fn during_between(self, from: impl Into<String>, until: impl Into<String>) -> Self {
        self.then(OpKind::During(During::Between(text(from), text(until))))
    }

    /// `DURING LAST d`
    pub fn during_last(self, length: Length) -> Self {
        self.then(OpKind::During(During::Last(length.lit())))
    }

    /// `WHERE predicate`: keeps the interactions that satisfy it.
    pub fn filter(mut self, predicate: impl IntoPredicate) -> Self {
        self.pipe.push_or_note(predicate.predicate().map(OpKind::Where));
        self
    }

    /// `FOR predicate`: keeps whole customers.
    pub fn only(mut self, predicate: impl IntoCustomerPredicate) -> Self {
        self.pipe.push_or_note(predicate.customers().map(OpKind::For));
        self
    }

    /// `SPLIT BY attr, …`
    pub fn split_by<N: Into<String>>(self, attrs: impl IntoIterator<Item = N>) -> Self {
        self.then(OpKind::Split(names(attrs)))
    }

    /// `SESSIONS GAP d`
    pub fn sessions(self, gap: Length) -> Self {
        self.then(OpKind::Sessions { gap: gap.lit() })
    }

    /// `INTERACTIONS`: a row for each.
    pub fn interactions(self) -> RowsQuery<'db> {
        self.rows(OpKind::Interactions)
    }

    /// `CHAINS`: a row for each chain of repeat contacts; CLOCK is dropped.
    pub fn chains(self, chains: Chains) -> RowsQuery<'db> {
        self.rows(OpKind::Chains(crate::syntax::ast::Chains { clock: None, ..chains.0 }))
    }

    /// `FCR`: the same rows, of any length, with `fcr`; MIN and WITHIN are dropped.
    pub fn fcr(self, chains: Chains) -> RowsQuery<'db> {
        let chains = crate::syntax::ast::Chains { min: None, within: None, ..chains.0 };
        self.rows(OpKind::Fcr(chains))
    }

    /// `FUNNEL`: a row for each step.
    pub fn funnel(mut self, funnel: Funnel) -> FunnelQuery<'db> {
        self.pipe.push_or_note(funnel.done().map(|f| OpKind::Funnel(Box::new(f))));
        FunnelQuery { pipe: self.pipe }
    }

    /// `MATCH`: a row for each match.
    pub fn matching(mut self, found: Match) -> RowsQuery<'db> {
        self.pipe.push_or_note(found.done().map(|m| OpKind::Match(Box::new(m))));
        RowsQuery { pipe: self.pipe }
    }

    /// `PATHS`: a row for each path.
    pub fn paths(mut self, paths: Paths) -> RowsQuery<'db> {
        self.pipe.push_or_note(paths.done().map(|paths| OpKind::Paths(Box::new(paths))));
        RowsQuery { pipe: self.pipe }
    }

    /// `GRAPH`: a row for each edge, or for what is computed on them.
    pub fn graph(self, graph: Graph) -> RowsQuery<'db> {
        self.rows(OpKind::Graph(graph.0))
    }

    /// `MAP BY attr, …`: a row for each cell.
    pub fn map_by<N: Into<String>>(self, attrs: impl IntoIterator<Item = N>) -> RowsQuery<'db> {
        self.rows(OpKind::Map(names(attrs)))
    }

    /// `CUSTOMERS`: a row for each customer that still flows.
    pub fn customers(self) -> RowsQuery<'db> {
        self.rows(OpKind::Customers)
    }
}

/// The steps of a funnel; what may stand only directly after FUNNEL is here.
#[derive(Clone)]
#[must_use = "a query does nothing until it runs"]
pub struct FunnelQuery<'db> {
    pipe: Pipe<'db>,
}

impl<'db> FunnelQuery<'db> {
    fn then(self, kind: OpKind) -> RowsQuery<'db> {
        self.rows().then(kind)
    }

    /// The step rows themselves, for operators over rows.
    pub fn rows(self) -> RowsQuery<'db> {
        RowsQuery { pipe: self.pipe }
    }

    /// `REACHED n`: who reached step `n`, counted from 1.
    pub fn reached(self, n: u32) -> RowsQuery<'db> {
        self.then(OpKind::Reached(whole(n)))
    }

    /// `DROPPED AT n`: who reached step `n` and went no further, silent or elsewhere.
    pub fn dropped_at(self, n: u32) -> RowsQuery<'db> {
        self.then(OpKind::DroppedAt { step: whole(n), outcome: None })
    }

    /// `DROPPED AT n outcome`
    pub fn dropped_at_with(self, n: u32, outcome: Outcome) -> RowsQuery<'db> {
        self.then(OpKind::DroppedAt { step: whole(n), outcome: Some(outcome) })
    }

    /// `CORRELATES`
    pub fn correlates(self) -> RowsQuery<'db> {
        self.then(OpKind::Correlates)
    }

    /// Runs it. Messages speak of the query's text as the formatter writes it.
    ///
    /// # Errors
    /// [`QueryError::Query`] where the query is wrong, or was made by
    /// [`Journeys::detached`]; [`QueryError::Engine`] where the store fails.
    pub fn run(&self) -> Result<Answer, QueryError> {
        self.pipe.run(&Params::new())
    }

    /// Runs it with values for its parameters.
    ///
    /// # Errors
    /// As `run`, and for parameters without a value.
    pub fn run_with(&self, params: &Params) -> Result<Answer, QueryError> {
        self.pipe.run(params)
    }

    /// The tree of the query.
    ///
    /// # Errors
    /// What is wrong with a text that was given for a predicate.
    pub fn statement(&self) -> Result<Statement, Vec<Diagnostic>> {
        self.pipe.statement()
    }

    /// The database that the query is for.
    pub fn db(&self) -> Option<&'db Db> {
        self.pipe.db
    }
}

/// Rows that flow.
#[derive(Clone)]
#[must_use = "a query does nothing until it runs"]
pub struct RowsQuery<'db> {
    pipe: Pipe<'db>,
}

impl<'db> RowsQuery<'db> {
    fn then(mut self, kind: OpKind) -> Self {
        self.pipe.push(kind);
        self
    }

    fn order(self, column: impl IntoColumn, descending: bool) -> Self {
        let item = OrderItem { expr: column.column().expr, descending };
        self.extend_last(item)
    }

    /// One ORDER BY for calls in a row: the first call sorts first.
    fn extend_last(mut self, item: OrderItem) -> Self {
        if let Some(Op { kind: OpKind::OrderBy(items), .. }) = self.pipe.ops.last_mut() {
            items.push(item);
            return self;
        }
        self.then(OpKind::OrderBy(vec![item]))
    }

    /// `WHERE predicate` over the rows.
    pub fn filter(mut self, predicate: impl IntoPredicate) -> Self {
        self.pipe.push_or_note(predicate.predicate().map(OpKind::Where));
        self
    }

    /// `EXTEND expr AS name`
    pub fn extend(self, name: impl Into<String>, column: impl IntoColumn) -> Self {
        self.then(OpKind::Extend(vec![(column.column().expr, Name::new(name))]))
    }

    /// `SELECT …`
    pub fn select<C: IntoColumn>(self, columns: impl IntoIterator<Item = C>) -> Self {
        self.then(OpKind::Select(select_items(columns)))
    }

    /// `AGGREGATE …`; [`RowsQuery::group_by`] right after it gives the groups.
    pub fn aggregate<C: IntoColumn>(self, items: impl IntoIterator<Item = C>) -> Self {
        self.then(OpKind::Aggregate { items: select_items(items), group_by: Vec::new() })
    }

    /// `GROUP BY …` of the AGGREGATE right before it; without one, a row for each group.
    pub fn group_by<C: IntoColumn>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        let columns = select_items(columns);
        if let Some(Op { kind: OpKind::Aggregate { group_by, .. }, .. }) = self.pipe.ops.last_mut() {
            group_by.extend(columns);
            return self;
        }
        self.then(OpKind::Aggregate { items: Vec::new(), group_by: columns })
    }

    /// `ORDER BY column`; a further call sorts ties of this one.
    pub fn order_by(self, column: impl IntoColumn) -> Self {
        self.order(column, false)
    }

    /// `ORDER BY column DESC`; a further call sorts ties of this one.
    pub fn order_by_desc(self, column: impl IntoColumn) -> Self {
        self.order(column, true)
    }

    /// `LIMIT n`
    pub fn limit(self, n: u32) -> Self {
        self.then(OpKind::Limit(whole(n)))
    }

    /// `DISTINCT`
    pub fn distinct(self) -> Self {
        self.then(OpKind::Distinct)
    }

    /// `CUSTOMERS`: a row for each customer behind the rows.
    pub fn customers(self) -> Self {
        self.then(OpKind::Customers)
    }

    /// `INTERACTIONS`: the members of the rows.
    pub fn interactions(self) -> Self {
        self.then(OpKind::Interactions)
    }

    /// `SAVE COHORT name`: a write.
    pub fn save_cohort(self, name: impl Into<String>) -> Self {
        self.then(OpKind::SaveCohort(Name::new(name)))
    }

    /// `JOURNEYS [BEFORE | AFTER]`: back to journeys.
    pub fn journeys(mut self, part: Part) -> Journeys<'db> {
        self.pipe.push(OpKind::Journeys(part));
        Journeys { pipe: self.pipe }
    }

    /// Runs it. Messages speak of the query's text as the formatter writes it.
    ///
    /// # Errors
    /// [`QueryError::Query`] where the query is wrong, or was made by
    /// [`Journeys::detached`]; [`QueryError::Engine`] where the store fails.
    pub fn run(&self) -> Result<Answer, QueryError> {
        self.pipe.run(&Params::new())
    }

    /// Runs it with values for its parameters.
    ///
    /// # Errors
    /// As `run`, and for parameters without a value.
    pub fn run_with(&self, params: &Params) -> Result<Answer, QueryError> {
        self.pipe.run(params)
    }

    /// The tree of the query.
    ///
    /// # Errors
    /// What is wrong with a text that was given for a predicate.
    pub fn statement(&self) -> Result<Statement, Vec<Diagnostic>> {
        self.pipe.statement()
    }

    /// The database that the query is for.
    pub fn db(&self) -> Option<&'db Db> {
        self.pipe.db
    }
}

fn select_items<C: IntoColumn>(columns: impl IntoIterator<Item = C>) -> Vec<SelectItem> {
    let item = |column: C| {
        let Value { expr, alias } = column.column();
        SelectItem { expr, alias }
    };
    columns.into_iter().map(item).collect()
}

#[cfg(test)]
mod tests;
