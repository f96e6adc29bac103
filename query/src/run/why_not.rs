//! WHY NOT: at which step of a query a customer falls out, and how nearly not.
//!
//! The customer's journeys go through the stages one at a time, and then
//! through the operator. Where rows are joined over customers (AGGREGATE,
//! LIMIT, WHERE on the rows of FUNNEL), the query runs whole, once for each row
//! operator, and the customers behind the rows are looked at after each.

use std::collections::BTreeMap;

use throughline_engine::{AttrId, CustomerOrdinal, Millis, Role, Snapshot};

use super::Run;
use super::journeys::{Base, behind, flow_on, next_base};
use crate::answer::Answer;
use crate::error::QueryError;
use crate::explain::{recorded, stage_in_words, written};
use crate::plan::cells::{attr_cell, in_words};
use crate::plan::compile::{Ends, Phase, Plan, Planner, Stage, Then};
use crate::plan::flow::Flow;
use crate::plan::identity::{identity_of, unknown};
use crate::plan::missing::{lost_at, sight_of};
use crate::plan::operator::{Asked, Passed, Reason, Wanted, Work};
use crate::rows::{Cell, Env, Meter, RowBatch, RowColumn, RowSchema, RowType, Tail};
use crate::syntax::ast::{Lit, Part, Query};
use crate::value::{Value, counted, grouped};

/// Rows of a customer that one WHERE over rows shows in full.
const ROWS_SHOWN: usize = 3;

/// One step of the query, as it concerns the customer.
struct Line {
    step: String,
    holds: bool,
    detail: String,
    closest: Option<Closest>,
}

/// The interaction that came closest.
struct Closest {
    at: Millis,
    kind: Cell,
    channel: Cell,
}

/// One customer on the way through a query.
struct Trace<'a> {
    run: &'a Run<'a>,
    snapshot: &'a Snapshot,
    customer: CustomerOrdinal,
    kind: Option<AttrId>,
    channel: Option<AttrId>,
    lines: Vec<Line>,
    /// What stands before the names of steps: the query inside a predicate they are of.
    within: String,
}

impl Run<'_> {
    /// Why a customer is not in the answer of a query.
    pub(super) fn why_not(
        &self,
        snapshot: &Snapshot,
        customer: &Lit,
        query: &Query,
        mut planner: Planner<'_>,
    ) -> Result<Answer, QueryError> {
        let env = self.env(snapshot);
        let plan = planner.subquery(query, Ends::Customers);
        let identity = identity_of(customer, &env, &mut planner.sink);
        let (mut plan, mut warnings) = self.sound(plan, planner)?;
        let Some((name, identity)) = identity else { return Ok(Answer::default()) };
        let Some(ordinal) = snapshot.resolve(&identity)? else {
            warnings.push(unknown(customer, &name));
            let unknown = Line {
                step: "customer".to_owned(),
                holds: false,
                detail: format!("no customer goes by {name}"),
                closest: None,
            };
            return Ok(shown(vec![unknown], &env).with_warnings(warnings));
        };
        let of_role = |role: Role| snapshot.schema().role(role).map(|attribute| attribute.id);
        let mut trace = Trace {
            run: self,
            snapshot,
            customer: ordinal,
            kind: of_role(Role::Kind),
            channel: of_role(Role::Channel),
            lines: Vec::new(),
            within: String::new(),
        };
        if trace.plan(&mut plan)? {
            trace.line("answer", true, "the customer is in the answer".to_owned(), None);
        }
        Ok(shown(trace.lines, &env).with_warnings(warnings))
    }
}

impl Trace<'_> {
    fn line(&mut self, step: &str, holds: bool, detail: String, closest: Option<Closest>) {
        let step = format!("{}{step}", self.within);
        self.lines.push(Line { step, holds, detail, closest });
    }

    /// Whether the customer is behind the rows of a plan; lines say how far it came.
    fn plan(&mut self, plan: &mut Plan) -> Result<bool, QueryError> {
        let Some(as_of) = plan.as_of.clone() else { return self.phases(plan) };
        self.line("AS OF", true, recorded(&as_of), None);
        let mut then = Trace {
            lines: std::mem::take(&mut self.lines),
            within: std::mem::take(&mut self.within),
            snapshot: &as_of.snapshot,
            run: self.run,
            customer: self.customer,
            kind: self.kind,
            channel: self.channel,
        };
        let found = then.phases(plan);
        (self.lines, self.within) = (then.lines, then.within);
        found
    }

    fn phases(&mut self, plan: &mut Plan) -> Result<bool, QueryError> {
        // Once rows depend on other customers, so do the journeys made of them.
        let joins = |phase: &Phase| {
            phase.operator.joins_customers()
                || phase.tail.joins_customers()
                || (phase.operator.total().is_some() && phase.tail.has_stages())
        };
        let last = plan.phases.iter().rposition(joins);
        let (mut base, mut came) = (Base::All, None);
        for (place, phase) in plan.phases.iter_mut().enumerate() {
            let others = last.is_some_and(|last| place <= last);
            let Some(batch) = self.phase(phase, &base, others, came.as_ref())? else { return Ok(false) };
            if matches!(phase.then, Then::Answer | Then::Save(_) | Then::Customers) {
                return Ok(true);
            }
            base = next_base(&phase.then, &batch);
            came = Some(phase.then.clone());
        }
        Ok(true)
    }

    /// The rows of a phase, where the customer is behind any. `others`: whether other customers
    /// have to be looked at as well.
    fn phase(
        &mut self,
        phase: &mut Phase,
        base: &Base,
        others: bool,
        came: Option<&Then>,
    ) -> Result<Option<RowBatch>, QueryError> {
        let own = base.only(self.customer);
        let mut inside = Vec::new();
        // Not by the index: what it knows exactly would hide what was looked for.
        phase.prepare(self.snapshot, false, &mut |plan| {
            let mut trace = Trace {
                lines: Vec::new(),
                within: format!("{}IN: ", self.within),
                run: self.run,
                snapshot: self.snapshot,
                customer: self.customer,
                kind: self.kind,
                channel: self.channel,
            };
            trace.plan(plan)?;
            inside.append(&mut trace.lines);
            self.run.customers(self.snapshot, plan, None).map(Some)
        })?;
        let env = self.run.env(self.snapshot);
        let missing = self.journeys(phase, &own, came, inside, &env)?;
        let batch =
            self.run.phase(self.snapshot, phase, if others { base } else { &own }, &mut Vec::new(), None)?;
        let found = behind(&batch).contains(self.customer);
        if let (false, Some(flow)) = (found, missing) {
            self.rows(phase, &flow, base, others, &env)?;
        }
        Ok(found.then_some(batch))
    }

    /// Goes through the stages; answers what flows into the operator, where anything does.
    fn journeys(
        &mut self,
        phase: &Phase,
        own: &Base,
        came: Option<&Then>,
        inside: Vec<Line>,
        env: &Env,
    ) -> Result<Option<Flow>, QueryError> {
        let mut reads = phase.operator.reads(&vec![true; phase.operator.schema().columns.len()]);
        phase.stages.iter().for_each(|stage| stage.reads(&mut reads));
        reads.extend(self.kind.into_iter().chain(self.channel));
        reads.sort_unstable();
        reads.dedup();
        let block = self.snapshot.read_span(self.customer..=self.customer, &reads)?;
        let all = block.rows() as u64;
        let mut flow = flow_on(block, None, own);
        let (_, begins) = flow.shown();
        if let Some(then) = came {
            let (name, place) = match then {
                Then::Journeys(Part::Before) => ("JOURNEYS", "lie before its rows"),
                Then::Journeys(Part::After) => ("JOURNEYS", "lie after its rows"),
                Then::Members => ("INTERACTIONS", "are members of its rows"),
                _ => ("JOURNEYS", "flow on"),
            };
            let detail = format!("{} of its {} {place}", grouped(begins), counted(all, "interaction"));
            self.line(name, begins > 0, detail, None);
        } else if begins == 0 {
            self.line("journey", false, "the customer has no interactions".to_owned(), None);
        }
        if begins == 0 {
            return Ok(None);
        }
        let mut inside = Some(inside);
        for (place, stage) in phase.stages.iter().enumerate() {
            let before = flow.clone();
            stage.apply(place, &mut flow, env, &mut Passed::default());
            let (had, has) = (before.shown().1, flow.shown().1);
            let (name, words) = stage_in_words(stage, self.run.text);
            if has > 0 {
                self.line(name, true, kept(stage, &words, &before, &flow), None);
                continue;
            }
            let lost = lost_at(stage, &before, env, self.run.text);
            let closest = lost.closest.map(|row| self.closest(&before, row, env));
            let detail = match stage {
                Stage::For(_) => lost.detail,
                _ => format!("leaves nothing of {}: {}", counted(had, "interaction"), lost.detail),
            };
            self.line(name, false, detail, closest);
            if lost.behind_a_query {
                self.lines.extend(inside.take().into_iter().flatten());
            }
            return Ok(None);
        }
        Ok(Some(flow))
    }

    /// Goes through the operator and the row operators.
    fn rows(
        &mut self,
        phase: &mut Phase,
        flow: &Flow,
        base: &Base,
        others: bool,
        env: &Env,
    ) -> Result<(), QueryError> {
        let all = vec![true; phase.operator.schema().columns.len()];
        let wanted = Wanted { columns: &all, members: false, sets: true };
        let limit = |limit| self.run.limit(limit);
        let mut worker = phase.operator.worker(wanted);
        let part = match worker.work(flow, env, &mut Passed::default()).map_err(limit)? {
            Work::Rows(batch) => Err(batch),
            Work::Part(part) => Ok(Some(part)),
            Work::Kept => Ok(worker.finish()),
        };
        let alone = match (part, phase.operator.total()) {
            (Err(batch), _) => batch,
            (Ok(part), Some(mut total)) => {
                part.into_iter().for_each(|part| total.add(part));
                total.rows(wanted, env).map_err(limit)?
            }
            (Ok(_), None) => RowBatch::empty(0),
        };
        drop(worker);
        let (name, _) = phase.operator.explain();
        let whole = phase.tail.clone();
        let first = match phase.operator.joins_customers() {
            true => self.after(phase, &whole.first(0, false), &alone, base, true, env)?,
            false => alone.clone(),
        };
        let mine = self.own_rows(&first);
        let asked = Asked { flow, rows: &first, env, text: self.run.text };
        let reasons = phase.operator.why_not(&asked);
        let told = !reasons.is_empty();
        if mine.is_empty() && reasons.iter().all(|reason| reason.holds) {
            let seen = counted(flow.shown().1, "interaction");
            self.reasons(reasons, flow, env);
            self.line(name, false, format!("no row comes of the {seen} in sight"), None);
            return Ok(());
        }
        if mine.is_empty() {
            self.reasons(reasons, flow, env);
            return Ok(());
        }
        self.line(name, true, with_customer(&mine), None);
        if told {
            self.reasons(reasons, flow, env);
        }
        let mut before = self.after(phase, &whole.first(0, false), &alone, base, others, env)?;
        for place in 0..whole.written().len() {
            let after = self.after(phase, &whole.first(place + 1, false), &alone, base, others, env)?;
            let (name, _) = whole.written().get(place).copied().unwrap_or_default();
            let left = self.own_rows(&after);
            if !left.is_empty() {
                self.line(name, true, with_customer(&left), None);
                before = after;
                continue;
            }
            let detail = match (whole.predicate(place), whole.limit(place)) {
                (Some(_), _) => self.filtered(&whole, place, &before, env),
                (None, Some(limit)) => {
                    let sorted = whole.first(place + 1, true);
                    let all = self.after(phase, &sorted, &alone, base, others, env)?;
                    let first = self.own_rows(&all).first().map_or(0, |row| row + 1);
                    let (first, all) = (grouped(first as u64), grouped(all.len as u64));
                    format!(
                        "its first row is number {first} of {all}, and LIMIT is {}",
                        grouped(limit as u64)
                    )
                }
                _ => "the customer is behind none of the rows".to_owned(),
            };
            let closest = self.own_rows(&before).first().and_then(|&row| when(&whole, place, &before, row));
            self.line(name, false, detail, closest);
            return Ok(());
        }
        self.line("rows", false, "the customer is behind none of the rows".to_owned(), None);
        Ok(())
    }

    /// The rows after some of the row operators: of all customers, or of this one `alone`.
    fn after(
        &self,
        phase: &mut Phase,
        tail: &Tail,
        alone: &RowBatch,
        base: &Base,
        others: bool,
        env: &Env,
    ) -> Result<RowBatch, QueryError> {
        if others {
            let (whole, then) = (
                std::mem::replace(&mut phase.tail, tail.clone()),
                std::mem::replace(&mut phase.then, Then::Answer),
            );
            let batch = self.run.phase(self.snapshot, phase, base, &mut Vec::new(), None);
            (phase.tail, phase.then) = (whole, then);
            return batch;
        }
        let limit = |limit| self.run.limit(limit);
        let mut partial = tail.start();
        tail.push(&mut partial, alone.clone(), env, &mut Meter::default()).map_err(limit)?;
        tail.finish(vec![partial], env, &mut Meter::default()).map_err(limit)
    }

    /// The rows that the customer is behind.
    fn own_rows(&self, batch: &RowBatch) -> Vec<usize> {
        (0..batch.len).filter(|&row| batch.sets.has(row, self.customer)).collect()
    }

    /// What a WHERE over rows found in the rows of the customer.
    fn filtered(&self, tail: &Tail, place: usize, before: &RowBatch, env: &Env) -> String {
        let Some(predicate) = tail.predicate(place) else { return String::new() };
        let input = tail.first(place, false);
        let mine = self.own_rows(before);
        let mut told: Vec<String> = Vec::new();
        for &row in mine.iter().take(ROWS_SHOWN) {
            let values = predicate.slots().into_iter().filter_map(|slot| {
                let name = &input.output().columns.get(slot)?.name;
                let cell = before.columns.get(slot)?.get(row)?;
                Some(format!("{name} is {}", in_words(cell, env)))
            });
            let values: Vec<String> = values.collect();
            let truth = if before.truth(predicate, row, env).is_none() { "NULL" } else { "false" };
            let telling = format!("{truth} where {}", values.join(" and "));
            if !told.contains(&telling) {
                told.push(telling);
            }
        }
        let more = match mine.len().saturating_sub(ROWS_SHOWN) {
            0 => String::new(),
            more => format!("; and so for {} more", counted(more as u64, "row")),
        };
        format!("`{}` is {}{more}", written(predicate.span, self.run.text), told.join("; "))
    }

    fn reasons(&mut self, reasons: Vec<Reason>, flow: &Flow, env: &Env) {
        for reason in reasons {
            let closest = reason.closest.map(|row| self.closest(flow, row, env));
            self.line(&reason.step, reason.holds, reason.detail, closest);
        }
    }

    /// The interaction at a row of the customer's whole journeys.
    fn closest(&self, flow: &Flow, row: usize, env: &Env) -> Closest {
        let cell =
            |attr: Option<AttrId>| attr.map_or(Cell::Null, |attr| attr_cell(flow.whole(), attr, row, env));
        Closest {
            at: flow.whole().times.get(row).copied().unwrap_or_default(),
            kind: cell(self.kind),
            channel: cell(self.channel),
        }
    }
}

/// What a stage has left, where it left something.
fn kept(stage: &Stage, words: &str, before: &Flow, after: &Flow) -> String {
    let (had, has) = (before.shown().1, after.shown().1);
    let count = |flow: &Flow| counted(sight_of(flow).len() as u64, "journey");
    match stage {
        Stage::For(_) => "the customer qualifies".to_owned(),
        Stage::Split(_) | Stage::Sessions(_) => {
            format!("{} of {} of {}", count(after), grouped(has), counted(had, "interaction"))
        }
        _ => format!("{words}: leaves {} of {}", grouped(has), counted(had, "interaction")),
    }
}

/// The time of a row of rows, where it has one.
fn when(tail: &Tail, place: usize, batch: &RowBatch, row: usize) -> Option<Closest> {
    let input = tail.first(place, false);
    let slot = ["at", "ended", "started"].into_iter().find_map(|name| input.output().find(name))?;
    match batch.columns.get(slot)?.get(row)? {
        Cell::Time(at) => Some(Closest { at: *at, kind: Cell::Null, channel: Cell::Null }),
        _ => None,
    }
}

fn with_customer(rows: &[usize]) -> String {
    format!("{} with the customer", counted(rows.len() as u64, "row"))
}

fn shown(lines: Vec<Line>, env: &Env) -> Answer {
    let columns = [
        ("step", RowType::Text),
        ("holds", RowType::Bool),
        ("detail", RowType::Text),
        ("at", RowType::Time),
        ("kind", RowType::Text),
        ("channel", RowType::Text),
    ];
    let columns = columns.map(|(name, ty)| RowColumn { name: name.to_owned(), ty }).to_vec();
    let text = |cell: &Cell| match cell {
        Cell::Null => Value::Null,
        cell => cell.as_text(env).map_or_else(|| in_words(cell, env).into(), Value::Str),
    };
    let row = |line: Line| {
        let closest = line.closest;
        vec![
            line.step.into(),
            Value::Bool(line.holds),
            line.detail.into(),
            closest.as_ref().map_or(Value::Null, |closest| Value::Time(closest.at)),
            closest.as_ref().map_or(Value::Null, |closest| text(&closest.kind)),
            closest.as_ref().map_or(Value::Null, |closest| text(&closest.channel)),
        ]
    };
    Answer::new(RowSchema { columns }, lines.into_iter().map(row).collect())
}

impl Base {
    /// What of it is one customer's.
    fn only(&self, customer: CustomerOrdinal) -> Self {
        match self {
            Self::All => Self::Customers(std::iter::once(customer).collect()),
            Self::Customers(all) => {
                Self::Customers(all.contains(customer).then_some(customer).into_iter().collect())
            }
            Self::Parts(parts) => {
                let own = parts.get(&customer).map(|pieces| (customer, pieces.clone()));
                Self::Parts(own.into_iter().collect::<BTreeMap<_, _>>())
            }
        }
    }
}
