//! Running a statement: names resolved, units read side by side, rows joined
//! in the order of units, whatever the threads did.

mod corrections;
mod erase;
mod journeys;
mod links;
mod retain;
mod why_not;

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use roaring::RoaringBitmap;
use throughline_engine::{CustomerOrdinal, Db, Error, Snapshot};

use crate::answer::Answer;
use crate::diagnostics::{Diagnostic, Severity};
use crate::error::QueryError;
use crate::explain::{self, PhaseCost, Profile};
use crate::limits::THREADS_MAX;
use crate::plan::compile::{Ends, Phase, Plan, Planner, Then, Unread};
use crate::plan::flow::Flow;
use crate::plan::index::{Choice, choose};
use crate::plan::operator::{Passed, Work, Worker};
use crate::plan::params::superfluous;
use crate::plan::units::in_order;
use crate::rows::{Cost, Env, Meter, Partial, QueryLimit, RowBatch, RowColumn, RowSchema, RowType};
use crate::syntax::ast::{Span, Statement};
use crate::value::{Params, Value};
use journeys::{Base, behind, flow_of, next_base};
use links::is_told;

/// How many threads the machine runs at once. Asking it reads files and takes as long as a small query.
static AT_ONCE: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get));

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
        Err(QueryError::Engine(error)) if !is_told(statement) && db.repair(&error).unwrap_or(false) => {
            run.statement(db, statement)
        }
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

/// Rows made at once where nothing is read for them.
const UNREAD_ROWS: usize = 1 << 16;

/// What one unit has come to.
enum Done {
    /// Rows, and whether more of them would change nothing.
    Rows(Partial, bool),
    /// A part of what all units make together.
    Part(Box<dyn Any + Send>),
    /// Nothing yet; see [`Work::Kept`].
    Kept,
}

impl Run<'_> {
    fn statement(&self, db: &Db, statement: &Statement) -> Result<Answer, QueryError> {
        let snapshot = db.snapshot();
        let query = match statement {
            Statement::Query(query) | Statement::Explain(query) | Statement::Profile(query) => query,
            Statement::WhyNot { query, .. } => query,
            Statement::Links(links) => return self.links(db, statement, links),
            Statement::Erase { customer } => return self.erase(db, statement, customer),
            Statement::Retain { last } => return self.retain(db, statement, last.as_ref()),
            Statement::Correction(correction) => return self.correct(db, statement, correction),
        };
        let mut planner = Planner::new(&snapshot, self.params);
        planner.sink.extend(superfluous(statement, self.params));
        if let Statement::WhyNot { customer, query } = statement {
            return self.why_not(&snapshot, customer, query, planner);
        }
        let plan = planner.plan(query, Ends::Rows);
        let (mut plan, sink) = self.sound(plan, planner)?;
        let answer = match statement {
            Statement::Explain(_) => explain::rows(&mut plan, &snapshot, self.text)?,
            Statement::Profile(_) => {
                let mut profile = Profile::default();
                let answer = self.plan(db, &snapshot, &mut plan, Some(&mut profile))?;
                answer.notes().iter().fold(profile.answer(), |all, note| all.with_note(note.as_str()))
            }
            _ => self.plan(db, &snapshot, &mut plan, None)?,
        };
        Ok(answer.with_warnings(sink))
    }

    /// A plan, and warnings about the query; or what is wrong with it.
    fn sound<T>(&self, plan: Option<T>, planner: Planner<'_>) -> Result<(T, Vec<Diagnostic>), QueryError> {
        let Planner { mut sink, failure, .. } = planner;
        if let Some(error) = failure {
            return Err(error.into());
        }
        let wrong = sink.iter().any(|found| found.severity == Severity::Error);
        match plan.filter(|_| !wrong) {
            Some(plan) => Ok((plan, sink)),
            None => {
                if !wrong {
                    sink.push(Diagnostic::error("E499", Span::default(), "this query cannot be planned"));
                }
                Err(QueryError::Query { text: self.text.to_owned(), diagnostics: sink })
            }
        }
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
    fn plan(
        &self,
        db: &Db,
        snapshot: &Snapshot,
        plan: &mut Plan,
        mut profile: Option<&mut Profile>,
    ) -> Result<Answer, QueryError> {
        let (snapshot, phases) = seen(snapshot, plan, profile.as_deref_mut());
        let mut base = Base::All;
        let mut notes = Vec::new();
        for phase in phases {
            let batch = self.phase(snapshot, phase, &base, &mut notes, profile.as_deref_mut())?;
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
    fn customers(
        &self,
        snapshot: &Snapshot,
        plan: &mut Plan,
        mut profile: Option<&mut Profile>,
    ) -> Result<RoaringBitmap, QueryError> {
        let (snapshot, phases) = seen(snapshot, plan, profile.as_deref_mut());
        let mut base = Base::All;
        for phase in phases {
            let batch = self.phase(snapshot, phase, &base, &mut Vec::new(), profile.as_deref_mut())?;
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
        mut profile: Option<&mut Profile>,
    ) -> Result<RowBatch, QueryError> {
        let whole = !matches!(base, Base::Parts(_));
        phase.prepare(snapshot, whole, &mut |plan| {
            profile.iter_mut().for_each(|profile| profile.enter());
            let customers = self.customers(snapshot, plan, profile.as_deref_mut());
            profile.iter_mut().for_each(|profile| profile.leave());
            customers.map(Some)
        })?;
        let phase = &*phase;
        let env = self.env(snapshot);
        let own = base.customers();
        let unread = if whole { phase.unread(snapshot, own.as_ref())? } else { None };
        let choice = match &unread {
            Some(unread) => Choice::of_index(unread, own.is_some()),
            None => choose(phase.candidates(snapshot)?, own, snapshot),
        };
        let (wanted, units) = (choice.wanted.as_ref(), &choice.units);
        let measured = profile.is_some();
        let reads = phase.reads();
        let needed = phase.needed();
        let look = phase.wanted(&needed);
        let timed = !matches!(base, Base::All) || wanted.is_some() || phase.reads_times(look);
        let light = phase.stages.is_empty() && phase.operator.is_light(look);
        let threads = self.options.threads.unwrap_or_else(|| *AT_ONCE);
        let unit_work = |worker: &mut Box<dyn Worker + '_>, unit: usize| {
            self.check()?;
            let mut passed = Passed::default();
            let mut cost = measured.then(|| PhaseCost::new(phase));
            let began = measured.then(Instant::now);
            let (flow, read, bytes) = match timed {
                true => flow_of(snapshot, unit, &reads, wanted, base, light)?,
                false => {
                    let block = snapshot.read_untimed(unit, &reads)?;
                    let read = block.rows();
                    (Flow::new(block), read, None)
                }
            };
            if let (Some(cost), Some(began)) = (&mut cost, began) {
                let bytes = match bytes {
                    None => snapshot.stored_bytes(unit, &reads, timed)?,
                    Some(bytes) => bytes,
                };
                let bytes = Some(bytes);
                let (customers, interactions) = (Some(flow.shown().0), Some(read as u64));
                cost.read = Cost { customers, rows: None, interactions, bytes, time: began.elapsed() };
            }
            let done = self.unit(phase, flow, worker.as_mut(), &env, &mut passed, cost.as_mut())?;
            env.check().map_err(|limit| self.limit(limit))?;
            Ok::<_, QueryError>((done, passed, cost))
        };
        let state = || phase.operator.worker(look);
        let mut partials = Vec::new();
        let mut total = phase.operator.total();
        let (mut failure, mut passed, mut read) = (None, Passed::default(), 0);
        let mut cost = measured.then(|| PhaseCost::new(phase));
        let finish = |mut worker: Box<dyn Worker + '_>| worker.finish();
        let threads = threads.clamp(1, THREADS_MAX);
        let kept = in_order(units, threads, state, unit_work, finish, |result| match result {
            Err(error) => {
                failure = Some(error);
                false
            }
            Ok((done, more, unit_cost)) => {
                passed.add(&more);
                read += 1;
                if let (Some(cost), Some(more)) = (&mut cost, unit_cost) {
                    cost.add(&more);
                }
                match done {
                    Done::Kept => {}
                    Done::Rows(partial, full) => {
                        partials.push(partial);
                        return !full;
                    }
                    Done::Part(part) => {
                        if let Some(total) = &mut total {
                            total.add(part);
                            if let Err(limit) = total.hold(&env) {
                                failure = Some(self.limit(limit));
                                return false;
                            }
                        }
                    }
                }
                true
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        let (customers, part) = match unread {
            Some(Unread::Customers(customers)) => (Some(customers), None),
            Some(Unread::Part(part)) => (None, Some(part)),
            None => (None, None),
        };
        if let Some(total) = &mut total {
            for part in kept.into_iter().chain([part]).flatten() {
                total.add(part);
                total.hold(&env).map_err(|limit| self.limit(limit))?;
            }
        }
        if let Some(customers) = customers {
            let customers: Vec<CustomerOrdinal> = customers.iter().collect();
            for customers in customers.chunks(UNREAD_ROWS) {
                let began = measured.then(Instant::now);
                let Some(batch) = phase.operator.rows_unread(customers, look) else { break };
                if let (Some(cost), Some(began)) = (&mut cost, began) {
                    cost.operator.add(&cost_of(&batch, began));
                }
                let mut partial = phase.tail.start();
                let mut meter = Meter::new(cost.as_mut().map(|cost| &mut cost.rows));
                phase.tail.push(&mut partial, batch, &env, &mut meter).map_err(|limit| self.limit(limit))?;
                partials.push(partial);
            }
        }
        self.check()?;
        // LIMIT may have ended the reading early.
        let so_far = if read < units.len() { " as far as was read" } else { "" };
        notes.extend(phase.notes(&passed).into_iter().map(|note| note + so_far));
        if let Some(total) = total {
            notes.extend(total.notes());
            let began = measured.then(Instant::now);
            let batch = total.rows(look, &env).map_err(|limit| self.limit(limit))?;
            if let (Some(cost), Some(began)) = (&mut cost, began) {
                cost.operator.add(&cost_of(&batch, began));
            }
            notes.extend(env.take_notes());
            let mut partial = phase.tail.start();
            let mut meter = Meter::new(cost.as_mut().map(|cost| &mut cost.rows));
            phase.tail.push(&mut partial, batch, &env, &mut meter).map_err(|limit| self.limit(limit))?;
            partials.push(partial);
        }
        let mut meter = Meter::new(cost.as_mut().map(|cost| &mut cost.rows));
        let batch = phase.tail.finish(partials, &env, &mut meter).map_err(|limit| self.limit(limit))?;
        env.check().map_err(|limit| self.limit(limit))?;
        if let (Some(profile), Some(cost)) = (profile, &cost) {
            profile.note(phase, (&choice, read), cost, snapshot, self.text);
        }
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
        mut cost: Option<&mut PhaseCost>,
    ) -> Result<Done, QueryError> {
        for (place, stage) in phase.stages.iter().enumerate() {
            let began = cost.as_ref().map(|_| Instant::now());
            stage.apply(place, &mut flow, env, passed);
            let of_stage = cost.as_mut().and_then(|cost| cost.stages.get_mut(place));
            if let (Some(cost), Some(began)) = (of_stage, began) {
                let time = began.elapsed();
                let (customers, interactions) = flow.shown();
                let (customers, interactions) = (Some(customers), Some(interactions));
                *cost = Cost { customers, interactions, time, ..Cost::default() };
            }
        }
        let began = cost.as_ref().map(|_| Instant::now());
        let work = worker.work(&flow, env, passed).map_err(|limit| self.limit(limit))?;
        flow.retire();
        match work {
            Work::Part(part) => {
                if let (Some(cost), Some(began)) = (cost, began) {
                    cost.operator.time = began.elapsed();
                }
                Ok(Done::Part(part))
            }
            Work::Kept => {
                if let (Some(cost), Some(began)) = (cost, began) {
                    cost.operator.time = began.elapsed();
                }
                Ok(Done::Kept)
            }
            Work::Rows(batch) => {
                if let (Some(cost), Some(began)) = (&mut cost, began) {
                    cost.operator = cost_of(&batch, began);
                }
                let mut partial = phase.tail.start();
                let mut meter = Meter::new(cost.map(|cost| &mut cost.rows));
                phase.tail.push(&mut partial, batch, env, &mut meter).map_err(|limit| self.limit(limit))?;
                let full = phase.tail.full(&partial);
                Ok(Done::Rows(partial, full))
            }
        }
    }
}

/// What an operator came to, which has just made these rows.
fn cost_of(batch: &RowBatch, began: Instant) -> Cost {
    let time = began.elapsed();
    let customers = batch.has_sets().then(|| behind(batch).len());
    Cost { customers, rows: Some(batch.len as u64), time, ..Cost::default() }
}

/// What a plan sees of the store, and its phases.
fn seen<'a>(
    snapshot: &'a Snapshot,
    plan: &'a mut Plan,
    profile: Option<&mut Profile>,
) -> (&'a Snapshot, &'a mut [Phase]) {
    match &plan.as_of {
        None => (snapshot, &mut plan.phases),
        Some(as_of) => {
            if let Some(profile) = profile {
                profile.as_of(as_of);
            }
            (&as_of.snapshot, &mut plan.phases)
        }
    }
}

fn saved_schema() -> RowSchema {
    let column = |name: &str, ty| RowColumn { name: name.to_owned(), ty };
    RowSchema { columns: vec![column("cohort", RowType::Text), column("customers", RowType::Int)] }
}

#[cfg(test)]
mod code_tests;
#[cfg(test)]
mod corrections_tests;
#[cfg(test)]
mod links_tests;
#[cfg(test)]
mod tests;
