//! Running a statement: names resolved, units read side by side, rows joined
//! in the order of units, whatever the threads did.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, CustomerOrdinal, Db, Error, Snapshot};

use crate::answer::Answer;
use crate::diagnostics::{Diagnostic, Severity};
use crate::error::QueryError;
use crate::explain;
use crate::limits::THREADS_MAX;
use crate::plan::compile::{Ends, Phase, Plan, Planner, Then};
use crate::plan::flow::{Flow, Pieces};
use crate::plan::index::{scans, units_with};
use crate::plan::operator::{Passed, Wanted, Work, Worker};
use crate::plan::params::superfluous;
use crate::plan::units::in_order;
use crate::plan::unsupported::not_yet;
use crate::rows::{Env, Partial, QueryLimit, RowBatch, RowColumn, RowSchema, RowType};
use crate::syntax::ast::{Part, Query, Span, Statement};
use crate::value::{Params, Value};

/// How a query is run.
#[derive(Clone, Debug, Default)]
pub struct QueryOptions {
    /// Threads; as many as the machine runs at once where it is `None`. The
    /// answer is the same for any number.
    pub threads: Option<usize>,
    /// Longest time it may take.
    pub timeout: Option<Duration>,
    /// Bytes that the rows it holds may take; 1 GiB where it is `None`.
    pub memory_bytes: Option<u64>,
    /// Set it from another thread to stop the query.
    pub cancel: Option<Arc<AtomicBool>>,
}

/// Runs a statement.
///
/// # Errors
/// [`QueryError::Query`] where the statement is wrong, [`QueryError::Engine`]
/// where the store fails.
pub fn execute(db: &Db, statement: &Statement, params: &Params) -> Result<Answer, QueryError> {
    execute_with(db, statement, params, "", &QueryOptions::default())
}

/// Runs a statement that was read from `text`, which messages quote.
///
/// # Errors
/// As [`execute`]; [`Error::Cancelled`] and [`Error::TimedOut`] as the options ask.
pub fn execute_with(
    db: &Db,
    statement: &Statement,
    params: &Params,
    text: &str,
    options: &QueryOptions,
) -> Result<Answer, QueryError> {
    let run = Run { params, text, options, began: Instant::now() };
    match run.statement(db, statement) {
        // A damaged chunk of the graph is made anew from the history, once.
        Err(QueryError::Engine(error)) if db.repair(&error).unwrap_or(false) => run.statement(db, statement),
        other => other,
    }
}

struct Run<'a> {
    params: &'a Params,
    text: &'a str,
    options: &'a QueryOptions,
    began: Instant,
}

/// Said of counts of customers that are not of different customers.
const OVERLAP: &str =
    "some customers are in several groups: their counts add up to more than CUSTOMERS lists";

/// What a phase begins with.
#[derive(Clone, Debug)]
enum Base {
    /// All journeys.
    All,
    /// The whole journeys of these.
    Customers(RoaringBitmap),
    /// Parts of journeys, by customer.
    Parts(BTreeMap<CustomerOrdinal, Vec<Piece>>),
}

/// A part of a customer's whole journey, by places in it.
#[derive(Clone, Debug)]
enum Piece {
    Before(u32),
    After(u32),
    These(Vec<u32>),
}

/// What one unit has come to.
enum Done {
    /// Rows, and whether more of them would change nothing.
    Rows(Partial, bool),
    /// A part of what all units make together.
    Part(Box<dyn Any + Send>),
}

impl Run<'_> {
    fn statement(&self, db: &Db, statement: &Statement) -> Result<Answer, QueryError> {
        let snapshot = db.snapshot();
        let (query, explained) = match statement {
            Statement::Query(query) => (query, false),
            Statement::Explain(query) => (query, true),
            Statement::Profile(query) => {
                return Err(self.refused(not_yet("PROFILE", first_word(query, self.text))));
            }
            Statement::WhyNot { query, .. } => {
                return Err(self.refused(not_yet("WHY NOT", first_word(query, self.text))));
            }
        };
        let mut planner = Planner::new(&snapshot, self.params);
        planner.sink.extend(superfluous(query, self.params));
        let plan = planner.plan(query, Ends::Rows);
        let Planner { mut sink, failure, .. } = planner;
        if let Some(error) = failure {
            return Err(error.into());
        }
        let wrong = sink.iter().any(|found| found.severity == Severity::Error);
        let Some(mut plan) = plan.filter(|_| !wrong) else {
            if !wrong {
                sink.push(Diagnostic::error("E499", Span::default(), "this query cannot be planned"));
            }
            return Err(QueryError::Query { text: self.text.to_owned(), diagnostics: sink });
        };
        let answer = if explained {
            explain::rows(&mut plan, &snapshot, self.text)?
        } else {
            self.plan(db, &snapshot, &mut plan)?
        };
        Ok(answer.with_warnings(sink))
    }

    fn refused(&self, found: Diagnostic) -> QueryError {
        QueryError::Query { text: self.text.to_owned(), diagnostics: vec![found] }
    }

    fn limit(&self, limit: QueryLimit) -> QueryError {
        QueryError::of_limit(limit, self.text)
    }

    fn env<'e>(&'e self, snapshot: &'e Snapshot) -> Env<'e> {
        let mut env = Env::new(snapshot, self.params);
        if let Some(bytes) = self.options.memory_bytes {
            env.rows_bytes_max = bytes;
        }
        env
    }

    /// Runs a plan to its answer.
    fn plan(&self, db: &Db, snapshot: &Snapshot, plan: &mut Plan) -> Result<Answer, QueryError> {
        let mut base = Base::All;
        let mut notes = Vec::new();
        for phase in &mut plan.phases {
            let batch = self.phase(snapshot, phase, &base, &mut notes)?;
            match &phase.then {
                Then::Answer => {
                    let env = self.env(snapshot);
                    let answer = Answer::from_batch(phase.tail.output(), &batch, &env);
                    let answer = answer.map_err(|limit| self.limit(limit))?;
                    return Ok(notes.into_iter().fold(answer, Answer::with_note));
                }
                Then::Save(name) => {
                    let customers = behind(&batch);
                    db.save_cohort(&name.text, &customers)?;
                    let row = vec![Value::from(name.text.as_str()), Value::Int(customers.len() as i64)];
                    let answer = Answer::new(saved_schema(), vec![row]);
                    return Ok(notes.into_iter().fold(answer, Answer::with_note));
                }
                then => base = next_base(then, &batch),
            }
        }
        Ok(Answer::default())
    }

    /// Runs a plan inside another to the customers behind its rows.
    fn customers(&self, snapshot: &Snapshot, plan: &mut Plan) -> Result<RoaringBitmap, QueryError> {
        let mut base = Base::All;
        for phase in &mut plan.phases {
            let batch = self.phase(snapshot, phase, &base, &mut Vec::new())?;
            if phase.then == Then::Customers {
                return Ok(behind(&batch));
            }
            base = next_base(&phase.then, &batch);
        }
        Ok(RoaringBitmap::new())
    }

    fn check(&self) -> Result<(), QueryError> {
        if self.options.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return Err(Error::Cancelled.into());
        }
        match self.options.timeout {
            Some(timeout) if self.began.elapsed() >= timeout => {
                Err(Error::TimedOut(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)).into())
            }
            _ => Ok(()),
        }
    }

    /// Runs a phase to its rows.
    fn phase(
        &self,
        snapshot: &Snapshot,
        phase: &mut Phase,
        base: &Base,
        notes: &mut Vec<String>,
    ) -> Result<RowBatch, QueryError> {
        let whole = !matches!(base, Base::Parts(_));
        phase.prepare(snapshot, whole, &mut |plan| self.customers(snapshot, plan).map(Some))?;
        let phase = &*phase;
        let env = self.env(snapshot);
        let wanted = base.restrict(phase.candidates(snapshot)?, snapshot);
        let units = units_with(snapshot, wanted.as_ref());
        let reads = phase.reads();
        let needed = phase.needed();
        let look = Wanted {
            columns: &needed,
            members: matches!(phase.then, Then::Members | Then::Journeys(Part::Before | Part::After)),
            sets: phase.tail.needs_sets(),
        };
        let threads = self
            .options
            .threads
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get));
        let unit_work = |worker: &mut Box<dyn Worker + '_>, unit: usize| {
            self.check()?;
            let mut passed = Passed::default();
            let flow = flow_of(snapshot, unit, &reads, wanted.as_ref(), base)?;
            let done = self.unit(phase, flow, worker.as_mut(), &env, &mut passed)?;
            env.check().map_err(|limit| self.limit(limit))?;
            Ok::<_, QueryError>((done, passed))
        };
        let state = || phase.operator.worker(look);
        let mut partials = Vec::new();
        let mut total = phase.operator.total();
        let (mut failure, mut passed, mut read) = (None, Passed::default(), 0);
        in_order(&units, threads.clamp(1, THREADS_MAX), state, unit_work, |result| match result {
            Err(error) => {
                failure = Some(error);
                false
            }
            Ok((done, more)) => {
                passed.add(&more);
                read += 1;
                match done {
                    Done::Rows(partial, full) => {
                        partials.push(partial);
                        return !full;
                    }
                    Done::Part(part) => {
                        if let Some(total) = &mut total {
                            total.add(part);
                        }
                    }
                }
                true
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        self.check()?;
        // LIMIT may have ended the reading early.
        let so_far = if read < units.len() { " as far as was read" } else { "" };
        notes.extend(phase.notes(&passed).into_iter().map(|note| note + so_far));
        if let Some(total) = total {
            let batch = total.rows(look, &env).map_err(|limit| self.limit(limit))?;
            let mut partial = phase.tail.start();
            phase.tail.push(&mut partial, batch, &env).map_err(|limit| self.limit(limit))?;
            partials.push(partial);
        }
        let batch = phase.tail.finish(partials, &env).map_err(|limit| self.limit(limit))?;
        env.check().map_err(|limit| self.limit(limit))?;
        if env.overlaps() && phase.then == Then::Answer {
            notes.push(OVERLAP.to_owned());
        }
        Ok(batch)
    }

    /// What one unit's journeys come to.
    fn unit(
        &self,
        phase: &Phase,
        mut flow: Flow,
        worker: &mut (dyn Worker + '_),
        env: &Env,
        passed: &mut Passed,
    ) -> Result<Done, QueryError> {
        for (place, stage) in phase.stages.iter().enumerate() {
            stage.apply(place, &mut flow, env, passed);
        }
        match worker.work(&flow, env, passed).map_err(|limit| self.limit(limit))? {
            Work::Part(part) => Ok(Done::Part(part)),
            Work::Rows(batch) => {
                let mut partial = phase.tail.start();
                phase.tail.push(&mut partial, batch, env).map_err(|limit| self.limit(limit))?;
                let full = phase.tail.full(&partial);
                Ok(Done::Rows(partial, full))
            }
        }
    }
}

impl Base {
    /// The customers to look at: those of the base who are candidates, unless
    /// so many are candidates that all are read. `None` for all.
    fn restrict(&self, candidates: Option<RoaringBitmap>, snapshot: &Snapshot) -> Option<RoaringBitmap> {
        let candidates = candidates.filter(|candidates| !scans(candidates, snapshot));
        let own = match self {
            Self::All => None,
            Self::Customers(customers) => Some(customers.clone()),
            Self::Parts(parts) => Some(parts.keys().copied().collect()),
        };
        match (own, candidates) {
            (Some(own), Some(candidates)) => Some(own & candidates),
            (own, candidates) => own.or(candidates),
        }
    }
}

fn flow_of(
    snapshot: &Snapshot,
    unit: usize,
    reads: &[AttrId],
    wanted: Option<&RoaringBitmap>,
    base: &Base,
) -> Result<Flow, QueryError> {
    let block = snapshot.read(unit, reads)?;
    let mut flow = Flow::new(block);
    if let Base::Parts(parts) = base {
        let mut pieces = Pieces::default();
        for (place, customer) in flow.block().customers.iter().enumerate() {
            if wanted.is_some_and(|wanted| !wanted.contains(*customer)) {
                continue;
            }
            let rows = flow.block().journey(place);
            let (start, end) = (rows.start as u32, rows.end as u32);
            for piece in parts.get(customer).into_iter().flatten() {
                match piece {
                    Piece::Before(first) => pieces.push(place, start..end.min(start.saturating_add(*first))),
                    Piece::After(last) => {
                        pieces.push(place, start.saturating_add(*last).saturating_add(1)..end);
                    }
                    Piece::These(places) => {
                        let rows = places.iter().map(|place| start + place);
                        pieces.push(place, rows.filter(|&row| row < end));
                    }
                }
            }
        }
        flow.cut(pieces);
    } else if let Some(wanted) = wanted {
        let mask = flow.block().customers.iter().map(|&customer| wanted.contains(customer)).collect();
        flow.keep(mask);
    }
    Ok(flow)
}

/// The customers behind rows.
fn behind(batch: &RowBatch) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    for row in 0..batch.len {
        batch.sets.add_to(row, &mut all);
    }
    all
}

fn next_base(then: &Then, batch: &RowBatch) -> Base {
    let mut parts: BTreeMap<CustomerOrdinal, Vec<Piece>> = BTreeMap::new();
    let members = batch.members.iter().flatten();
    match then {
        Then::Journeys(Part::Before) => {
            for row in members {
                let piece = row.places.first().map(|&first| Piece::Before(first));
                parts.entry(row.customer).or_default().extend(piece);
            }
        }
        Then::Journeys(Part::After) => {
            for row in members {
                let piece = row.places.last().map(|&last| Piece::After(last));
                parts.entry(row.customer).or_default().extend(piece);
            }
        }
        Then::Members => {
            let mut places: BTreeMap<CustomerOrdinal, Vec<u32>> = BTreeMap::new();
            for row in members {
                places.entry(row.customer).or_default().extend(row.places.iter());
            }
            for (customer, mut places) in places {
                places.sort_unstable();
                places.dedup();
                parts.insert(customer, vec![Piece::These(places)]);
            }
        }
        _ => return Base::Customers(behind(batch)),
    }
    Base::Parts(parts)
}

fn saved_schema() -> RowSchema {
    let column = |name: &str, ty| RowColumn { name: name.to_owned(), ty };
    RowSchema { columns: vec![column("cohort", RowType::Text), column("customers", RowType::Int)] }
}

fn first_word(query: &Query, text: &str) -> Span {
    if query.span.start > 0 && !text.is_empty() {
        let before = text.get(..query.span.start as usize).unwrap_or_default();
        let start = before.len() - before.trim_start().len();
        return Span::new(start, before.trim_end().len().max(start));
    }
    query.span
}

#[cfg(test)]
mod tests;
