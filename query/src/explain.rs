//! EXPLAIN and PROFILE: the steps of a plan, what they read, what the index
//! saves, and what each came to.

use std::time::Duration;

use throughline_engine::{AttrId, Snapshot};

use crate::answer::Answer;
use crate::error::QueryError;
use crate::plan::as_of::AsOf;
use crate::plan::compile::{Phase, Plan, Stage, Then};
use crate::plan::index::{Choice, choose};
use crate::rows::{Cost, RowColumn, RowSchema, RowType};
use crate::syntax::ast::{Part, Span};
use crate::value::{Value, grouped};

/// The plan as rows: step, detail, customers (an estimate from above, where the index has one).
pub(crate) fn rows(plan: &mut Plan, snapshot: &Snapshot, text: &str) -> Result<Answer, QueryError> {
    let mut lines = Vec::new();
    let Plan { phases, as_of } = plan;
    let as_of = as_of.as_ref();
    let snapshot = as_of.map_or(snapshot, |as_of| &as_of.snapshot);
    lines.extend(as_of.map(|as_of| vec!["AS OF".into(), recorded(as_of).into(), Value::Null]));
    let (mut whole, mut first) = (true, true);
    for phase in phases {
        // What the index knows exactly; queries inside predicates are not run.
        phase.prepare(snapshot, whole, &mut |_| Ok(None))?;
        let whole_before = whole;
        whole = !matches!(phase.then, Then::Members | Then::Journeys(Part::Before | Part::After));
        let unread = if whole_before { phase.unread(snapshot, None)? } else { None };
        let mut choice = match unread {
            Some(unread) => Choice::of_index(&unread, false),
            None => choose(phase.candidates(snapshot)?, None, snapshot),
        };
        choice.given = !std::mem::take(&mut first);
        for (line, _) in steps(phase, &choice, snapshot, text) {
            lines.push(vec![line.step.into(), line.detail.into(), number(line.estimated)]);
        }
    }
    let columns = vec![
        column("step", RowType::Text),
        column("detail", RowType::Text),
        column("customers", RowType::Int),
    ];
    Ok(Answer::new(RowSchema { columns }, lines))
}

/// What the steps of one phase came to.
#[derive(Clone, Debug)]
pub(crate) struct PhaseCost {
    pub read: Cost,
    /// One for each stage.
    pub stages: Vec<Cost>,
    pub operator: Cost,
    /// One for each row operator.
    pub rows: Vec<Cost>,
}

impl PhaseCost {
    /// Nothing yet.
    pub(crate) fn new(phase: &Phase) -> Self {
        let nothing = Cost { rows: Some(0), ..Cost::default() };
        Self {
            read: Cost::default(),
            stages: vec![Cost::default(); phase.stages.len()],
            operator: nothing,
            rows: vec![nothing; phase.tail.written().len()],
        }
    }

    /// Adds what another unit came to.
    pub(crate) fn add(&mut self, more: &Self) {
        self.read.add(&more.read);
        self.operator.add(&more.operator);
        self.stages.iter_mut().zip(&more.stages).for_each(|(mine, more)| mine.add(more));
        self.rows.iter_mut().zip(&more.rows).for_each(|(mine, more)| mine.add(more));
    }
}

/// Columns of the rows of PROFILE.
const COLUMNS: usize = 10;

/// What PROFILE gathers while a query runs.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    lines: Vec<Vec<Value>>,
    /// How many queries inside predicates stand around what runs now.
    level: usize,
}

impl Profile {
    /// A query inside a predicate begins.
    pub(crate) fn enter(&mut self) {
        self.level += 1;
    }

    /// It is over.
    pub(crate) fn leave(&mut self) {
        self.level = self.level.saturating_sub(1);
    }

    /// Notes what the phases that follow see.
    pub(crate) fn as_of(&mut self, as_of: &AsOf) {
        let step = format!("{}AS OF", "FOR IN: ".repeat(self.level));
        let mut line = vec![step.into(), recorded(as_of).into()];
        line.resize(COLUMNS - 1, Value::Null);
        line.push(whole_millis(as_of.found_in));
        self.lines.push(line);
    }

    /// Notes a phase that has run, of whose units so many were read.
    pub(crate) fn note(
        &mut self,
        phase: &Phase,
        (choice, read): (&Choice, usize),
        cost: &PhaseCost,
        snapshot: &Snapshot,
        text: &str,
    ) {
        for (line, place) in steps(phase, choice, snapshot, text) {
            let cost = match place {
                Place::Read => Some(&cost.read),
                Place::Stage(place) => cost.stages.get(place),
                Place::Operator => Some(&cost.operator),
                Place::Row(place) => cost.rows.get(place),
                Place::Aside => None,
            };
            let units = match place {
                Place::Read => (Some(read as u64), Some((snapshot.units().len() - read) as u64)),
                _ => (None, None),
            };
            let time = cost.map_or(Value::Null, |cost| whole_millis(cost.time));
            let count = |what: fn(&Cost) -> Option<u64>| number(cost.and_then(what));
            self.lines.push(vec![
                format!("{}{}", "FOR IN: ".repeat(self.level), line.step).into(),
                line.detail.into(),
                number(line.estimated),
                count(|cost| cost.customers),
                count(|cost| cost.rows),
                number(units.0),
                number(units.1),
                count(|cost| cost.interactions),
                count(|cost| cost.bytes),
                time,
            ]);
        }
    }

    /// All that was noted.
    pub(crate) fn answer(self) -> Answer {
        let whole = |name| column(name, RowType::Int);
        let columns = vec![
            column("step", RowType::Text),
            column("detail", RowType::Text),
            whole("estimated"),
            whole("customers"),
            whole("rows"),
            whole("units_read"),
            whole("units_skipped"),
            whole("interactions"),
            whole("bytes"),
            column("time", RowType::Duration),
        ];
        Answer::new(RowSchema { columns }, self.lines)
    }
}

/// A time taken. Whole milliseconds are what durations have.
fn whole_millis(time: Duration) -> Value {
    Value::Duration(((time.as_micros() + 500) / 1000).try_into().unwrap_or(i64::MAX))
}

/// What AS OF leaves to be seen.
pub(crate) fn recorded(as_of: &AsOf) -> String {
    let interactions = grouped(as_of.snapshot.interactions());
    format!("{}: {interactions} interactions had been recorded", crate::time::format_instant(as_of.at))
}

/// A step of a plan, in words.
struct Line {
    step: String,
    detail: String,
    /// Customers, from above.
    estimated: Option<u64>,
}

/// What of a phase a line is about.
#[derive(Clone, Copy)]
enum Place {
    Read,
    Stage(usize),
    Operator,
    Row(usize),
    Aside,
}

/// The steps of a phase in order.
fn steps(phase: &Phase, choice: &Choice, snapshot: &Snapshot, text: &str) -> Vec<(Line, Place)> {
    let mut lines = Vec::new();
    let mut line = |step: &str, detail: String, estimated: Option<u64>, place: Place| {
        lines.push((Line { step: step.to_owned(), detail, estimated }, place));
    };
    line("read", reading(choice, snapshot), choice.estimated, Place::Read);
    let timed = choice.wanted.is_some() || choice.given || phase.reads_times(phase.wanted(&phase.needed()));
    let columns = if choice.unread { "none".to_owned() } else { columns(&phase.reads(), timed, snapshot) };
    line("columns", columns, None, Place::Aside);
    for (place, stage) in phase.stages.iter().enumerate() {
        let (step, detail) = stage_in_words(stage, text);
        line(step, detail, None, Place::Stage(place));
    }
    let (step, detail) = phase.operator.explain();
    line(step, detail, None, Place::Operator);
    for (place, (step, span)) in phase.tail.written().iter().enumerate() {
        line(step, after(step, written(*span, text)), None, Place::Row(place));
    }
    let columns: Vec<&str> = phase.tail.output().columns.iter().map(|column| column.name.as_str()).collect();
    line("rows", columns.join(", "), None, Place::Aside);
    match &phase.then {
        Then::Answer | Then::Customers => {}
        Then::Save(name) => {
            line("SAVE COHORT", format!("{name}: EXPLAIN saves nothing, PROFILE does"), None, Place::Aside);
        }
        Then::Journeys(part) => {
            let which = match part {
                Part::Whole => "of the customers behind the rows",
                Part::Before => "before each row's first interaction",
                Part::After => "after each row's last interaction",
            };
            line("JOURNEYS", which.to_owned(), None, Place::Aside);
        }
        Then::Members => line("INTERACTIONS", "the rows' members".to_owned(), None, Place::Aside),
    }
    let size = format!("{} interactions", grouped(snapshot.interactions()));
    line("store", size, Some(snapshot.customers()), Place::Aside);
    lines
}

fn reading(choice: &Choice, snapshot: &Snapshot) -> String {
    let units = format!("{} of {} units", choice.units.len(), snapshot.units().len());
    if choice.unread {
        return format!("index: it alone answers; {units}");
    }
    if choice.given {
        return format!("index: only customers behind the rows before; at most {units}");
    }
    let way = match (choice.costs, &choice.wanted) {
        (None, _) => "scan: the index says nothing about this query".to_owned(),
        (Some(costs), wanted) => {
            let way = match wanted {
                Some(_) => "index: only customers who can qualify",
                None => "scan: reading by the index would cost no less",
            };
            let (index, scan) = (grouped(costs.index), grouped(costs.scan));
            format!("{way} (cost by index {index}, by scan {scan}, in interactions read)")
        }
    };
    format!("{way}; {units}")
}

fn columns(reads: &[AttrId], timed: bool, snapshot: &Snapshot) -> String {
    let attributes = reads.iter().filter_map(|&attr| snapshot.schema().get(attr));
    let names: Vec<&str> = attributes.map(|attribute| attribute.name.as_str()).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let time = if timed { "time; " } else { "" };
    format!("{time}attributes: {names}")
}

/// A stage: its name, and what it does.
pub(crate) fn stage_in_words(stage: &Stage, text: &str) -> (&'static str, String) {
    match stage {
        Stage::During(from, to) => {
            let at = crate::time::format_instant;
            ("DURING", format!("{} TO {}", at(*from), at(*to)))
        }
        Stage::Where(predicate) => ("WHERE", written(predicate.span, text).to_owned()),
        Stage::For(customers) => ("FOR", customers.explain()),
        Stage::Split(split) => {
            ("SPLIT BY", format!("one journey for each {} of a customer", split.names.join(", ")))
        }
        Stage::Sessions(gap) => {
            let gap = crate::time::format_duration_literal(*gap);
            ("SESSIONS", format!("journeys end where they pause longer than {gap}"))
        }
    }
}

/// What stands at a place of the query.
pub(crate) fn written(span: Span, text: &str) -> &str {
    text.get(span.start as usize..span.end as usize).unwrap_or_default()
}

/// What of an operator's text follows its name.
fn after(name: &str, text: &str) -> String {
    let words = name.split(' ').count();
    let mut rest = text.trim();
    for _ in 0..words {
        rest = rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
    }
    rest.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn column(name: &str, ty: RowType) -> RowColumn {
    RowColumn { name: name.to_owned(), ty }
}

fn number(number: Option<u64>) -> Value {
    number.map_or(Value::Null, |number| Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
}
