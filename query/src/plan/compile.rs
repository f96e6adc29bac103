//! From the tree of a query to phases: journeys in, an operator, rows out.

use std::any::Any;

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Millis, Snapshot};

use super::as_of::AsOf;
use super::chains::ChainsOperator;
use super::customers::Customers;
use super::flow::Flow;
use super::funnel::FunnelOperator;
use super::graph::GraphOperator;
use super::inflow::Inflow;
use super::interaction::{InteractionScope, attribute};
use super::interactions::InteractionsOperator;
use super::map::MapOperator;
use super::matching::MatchOperator;
use super::operator::{Operator, Passed, Wanted};
use super::paths::PathsOperator;
use super::predicate::{attributes, holds};
use super::spans::span_of;
use super::split::{Split, sessions, split_by};
use crate::diagnostics::{Diagnostic, Severity};
use crate::error::QueryError;
use crate::rows::{Env, Tail, Typed, compile_predicate, duration_of, is_row_operator};
use crate::syntax::ast::{Expr, ExprKind, Name, Op, OpKind, Part, Query, SelectItem, Span};
use crate::value::Params;

/// A query, resolved.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Each turns journeys into rows; the next begins with what the one
    /// before left.
    pub phases: Vec<Phase>,
    /// AS OF: what it sees instead of the store as it is now.
    pub as_of: Option<AsOf>,
}

/// Journeys in, rows out.
#[derive(Debug)]
pub(crate) struct Phase {
    pub stages: Vec<Stage>,
    pub operator: Box<dyn Operator>,
    pub tail: Tail,
    pub then: Then,
}

impl Phase {
    /// Asks the index for what it knows, where `whole` journeys begin the
    /// phase, and `run` for the customers behind queries inside predicates.
    pub(crate) fn prepare(
        &mut self,
        snapshot: &Snapshot,
        mut whole: bool,
        run: &mut dyn FnMut(&mut Plan) -> Result<Option<RoaringBitmap>, QueryError>,
    ) -> Result<(), QueryError> {
        // The index counts what AS OF hides, too.
        whole &= !snapshot.hides_later();
        for stage in &mut self.stages {
            match stage {
                Stage::During(..) | Stage::Where(_) | Stage::Split(_) | Stage::Sessions(_) => whole = false,
                Stage::For(customers) => customers.prepare(snapshot, whole, run)?,
            }
        }
        Ok(())
    }
}

/// Whether all that is asked of rows is how many customers are behind them.
fn counts_customers(items: &[SelectItem]) -> bool {
    let customer = |arg: &Expr| matches!(&arg.kind, ExprKind::Column { qualifier: None, name } if name.text.eq_ignore_ascii_case("customer"));
    items.iter().all(|item| match &item.expr.kind {
        ExprKind::Call { name, distinct: true, star: false, args } => {
            name.text.eq_ignore_ascii_case("count") && args.len() == 1 && args.iter().all(customer)
        }
        _ => false,
    })
}

/// What rows come of where the index alone answers.
pub(crate) enum Unread {
    /// Who they are about: [`Operator::rows_unread`].
    Customers(RoaringBitmap),
    /// What all units come to: [`Operator::part_unread`].
    Part(Box<dyn Any + Send>),
}

/// What becomes of the rows of a phase.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Then {
    /// They are the answer.
    Answer,
    /// The customers behind them are saved.
    Save(Name),
    /// The customers behind them are what was asked for.
    Customers,
    /// They become journeys again.
    Journeys(Part),
    /// Their members flow on.
    Members,
}

/// From journeys to journeys.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Interactions in a span of time stay in sight.
    During(Millis, Millis),
    /// Interactions that satisfy it stay in sight.
    Where(Typed),
    /// Customers who satisfy it are kept.
    For(Customers),
    /// A journey becomes one a combination of values.
    Split(Split),
    /// A journey becomes its sessions: it is cut where it pauses longer.
    Sessions(Millis),
}

/// What may stand at the end of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Rows, for the person who asked.
    Rows,
    /// Anything with customers behind it.
    Customers,
}

/// Resolves queries against one snapshot; collects what it finds.
pub(crate) struct Planner<'a> {
    pub snapshot: &'a Snapshot,
    pub params: &'a Params,
    pub sink: Vec<Diagnostic>,
    /// The instant of AS OF, the least where queries stand inside one another.
    pub as_of: Option<Millis>,
    /// The store failed while names were looked up.
    pub failure: Option<throughline_engine::Error>,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, params: &'a Params) -> Self {
        Self { snapshot, params, sink: Vec::new(), as_of: None, failure: None }
    }

    /// The value, or `None` with the error kept.
    pub(crate) fn engine<T>(&mut self, result: throughline_engine::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.failure.get_or_insert(error);
                None
            }
        }
    }

    /// Whether anything found makes an answer impossible.
    pub(crate) fn failed(&self) -> bool {
        self.failure.is_some() || self.sink.iter().any(|found| found.severity == Severity::Error)
    }

    /// A query inside another.
    pub(crate) fn subquery(&mut self, query: &Query, ends: Ends) -> Option<Plan> {
        if let Some(op) = query.ops.iter().find(|op| matches!(op.kind, OpKind::SaveCohort(_))) {
            let wrong = Diagnostic::error("E414", op.keyword, "a query inside another writes nothing");
            self.sink.push(wrong.label("SAVE COHORT belongs at the end of the whole query"));
            return None;
        }
        self.plan(query, ends)
    }

    /// Resolves a query.
    pub(crate) fn plan(&mut self, query: &Query, ends: Ends) -> Option<Plan> {
        let Some((Op { kind: OpKind::AsOf(lit), .. }, rest)) = query.ops.split_first() else {
            return self.phases(&query.ops, ends, query.span);
        };
        let as_of = AsOf::compile(lit, self)?;
        let at = self.as_of.map_or(as_of.at, |outer| outer.min(as_of.at));
        let (sink, failure) = (std::mem::take(&mut self.sink), self.failure.take());
        let mut then =
            Planner { snapshot: &as_of.snapshot, params: self.params, sink, as_of: Some(at), failure };
        let plan = then.phases(rest, ends, query.span);
        (self.sink, self.failure) = (then.sink, then.failure);
        plan.map(|plan| Plan { as_of: Some(as_of), ..plan })
    }

    fn phases(&mut self, mut ops: &[Op], ends: Ends, whole: Span) -> Option<Plan> {
        let mut phases = Vec::new();
        let mut members = false;
        loop {
            let (phase, rest) = self.phase(ops, ends, members, whole)?;
            members = phase.then == Then::Members;
            let over = !matches!(phase.then, Then::Journeys(_) | Then::Members);
            phases.push(phase);
            if over {
                if let Some(op) = rest.first() {
                    // Only SAVE COHORT leaves anything.
                    let wrong = Diagnostic::error("E414", op.keyword, "nothing can follow SAVE COHORT");
                    self.sink.push(
                        wrong.label("out of place").help("SAVE COHORT ends a query: write it last, once"),
                    );
                    return None;
                }
                return (!self.failed()).then_some(Plan { phases, as_of: None });
            }
            ops = rest;
        }
    }

    fn phase<'q>(
        &mut self,
        mut ops: &'q [Op],
        ends: Ends,
        members: bool,
        whole: Span,
    ) -> Option<(Phase, &'q [Op])> {
        let mut inflow = self.engine(Inflow::of(self.snapshot, self.as_of))?;
        let params = self.params;
        let snapshot = self.snapshot;
        let mut stages = Vec::new();
        let mut sound = true;
        while let Some((op, rest)) = ops.split_first().filter(|_| !members) {
            let env = Env::new(snapshot, params);
            match &op.kind {
                OpKind::During(during) => match span_of(during, inflow.right_edge, &env, &mut self.sink) {
                    Some((from, to)) => {
                        inflow = inflow.during(from, to);
                        stages.push(Stage::During(from, to));
                    }
                    None => sound = false,
                },
                OpKind::Where(predicate) => {
                    let scope = InteractionScope::new(snapshot.schema());
                    match compile_predicate(predicate, &scope, &env, &mut self.sink) {
                        Some(predicate) => stages.push(Stage::Where(predicate)),
                        None => sound = false,
                    }
                }
                OpKind::For(predicate) => match Customers::compile(predicate, self, &env) {
                    Some(customers) => stages.push(Stage::For(customers)),
                    None => sound = false,
                },
                OpKind::Split(names) => {
                    match Split::compile("SPLIT BY", names, op.keyword, &env, &mut self.sink) {
                        Some(split) => stages.push(Stage::Split(split)),
                        None => sound = false,
                    }
                }
                OpKind::Sessions { gap } => match duration_of(gap, &env, &mut self.sink) {
                    Some(gap) => {
                        inflow = inflow.cut_by(gap);
                        stages.push(Stage::Sessions(gap));
                    }
                    None => sound = false,
                },
                _ => break,
            }
            ops = rest;
        }
        let env = Env::new(snapshot, params);
        if members || Self::lists_interactions(ops, ends) {
            if let (false, Some((Op { kind: OpKind::Interactions, .. }, rest))) = (members, ops.split_first())
            {
                ops = rest;
            }
            let mut interactions = InteractionsOperator::new(&env);
            // Interactions are filtered column by column rather than as rows.
            while let Some((Op { kind: OpKind::Where(predicate), .. }, rest)) = ops.split_first() {
                let scope = InteractionScope::new(snapshot.schema());
                match compile_predicate(predicate, &scope, &env, &mut self.sink) {
                    Some(predicate) => stages.push(Stage::Where(predicate)),
                    None => sound = false,
                }
                ops = rest;
            }
            interactions.one_each = match ops.first() {
                Some(first) => match &first.kind {
                    OpKind::Customers | OpKind::SaveCohort(_) => true,
                    OpKind::Aggregate { items, group_by } => group_by.is_empty() && counts_customers(items),
                    _ => false,
                },
                None => ends == Ends::Customers,
            };
            return self.rows(stages, Box::new(interactions), ops, ends, &env).filter(|_| sound);
        }
        // What follows is looked at in any case, so that all errors are told at once.
        let operator = self.operator(&mut ops, &mut stages, inflow, whole, &env)?;
        self.rows(stages, operator, ops, ends, &env).filter(|_| sound)
    }

    /// The tail of a phase, and what its rows become.
    fn rows<'q>(
        &mut self,
        stages: Vec<Stage>,
        operator: Box<dyn Operator>,
        ops: &'q [Op],
        ends: Ends,
        env: &Env,
    ) -> Option<(Phase, &'q [Op])> {
        let leaves = ops.iter().any(|op| matches!(op.kind, OpKind::SaveCohort(_) | OpKind::Journeys(_)));
        let want_sets = leaves || ends == Ends::Customers;
        let (schema, attrs) = (operator.schema(), operator.attrs());
        let (tail, taken) = Tail::compile(ops, schema, attrs, want_sets, env, &mut self.sink)?;
        let tail = tail.of_journeys();
        let rest = ops.get(taken..).unwrap_or_default();
        let Some((op, after)) = rest.split_first() else {
            let then = if ends == Ends::Customers { Then::Customers } else { Then::Answer };
            return Some((Phase { stages, operator, tail, then }, rest));
        };
        let then = match &op.kind {
            OpKind::SaveCohort(name) => Then::Save(name.clone()),
            OpKind::Journeys(part) => Then::Journeys(*part),
            OpKind::Interactions => Then::Members,
            _ => {
                self.sink.push(misplaced(op));
                return None;
            }
        };
        let needs_members = matches!(then, Then::Members | Then::Journeys(Part::Before | Part::After));
        if needs_members && !(operator.has_members() && tail.keeps_members()) {
            self.sink.push(
                Diagnostic::error("E410", op.keyword, "these rows are not made of interactions")
                    .label("needs the interactions behind each row")
                    .help("write it after CHAINS, MATCH, REACHED or DROPPED AT, before AGGREGATE, DISTINCT and CUSTOMERS"),
            );
            return None;
        }
        Some((Phase { stages, operator, tail, then }, after))
    }

    /// Whether interactions are the rows of what follows, named or implied.
    fn lists_interactions(ops: &[Op], ends: Ends) -> bool {
        match ops.first().map(|op| &op.kind) {
            None => ends == Ends::Customers,
            Some(kind) => {
                matches!(kind, OpKind::Interactions | OpKind::SaveCohort(_)) || is_row_operator(kind)
            }
        }
    }

    /// Any other operator that makes rows.
    fn operator(
        &mut self,
        ops: &mut &[Op],
        stages: &mut Vec<Stage>,
        inflow: Inflow,
        whole: Span,
        env: &Env,
    ) -> Option<Box<dyn Operator>> {
        let Some((op, rest)) = ops.split_first() else {
            self.sink.push(
                Diagnostic::error("E411", whole, "this query ends in journeys, which are no rows yet")
                    .label("an operator is missing")
                    .help("add `|> INTERACTIONS`, `|> CHAINS …`, `|> FUNNEL …`, `|> MATCH …`, `|> MAP BY …` or `|> CUSTOMERS`"),
            );
            return None;
        };
        match &op.kind {
            OpKind::Chains(chains) | OpKind::Fcr(chains) => {
                *ops = rest;
                let is_fcr = matches!(op.kind, OpKind::Fcr(_));
                let chains = ChainsOperator::compile(chains, is_fcr, op.keyword, inflow, env, &mut self.sink);
                Some(Box::new(chains?))
            }
            OpKind::Map(names) => {
                *ops = rest;
                Some(Box::new(MapOperator::compile(names, op.keyword, env, &mut self.sink)?))
            }
            OpKind::Match(found) => {
                *ops = rest;
                let mut found = MatchOperator::compile(found, op, inflow, env, &mut self.sink)?;
                self.engine(found.look_up_arrivals(self.snapshot))?;
                Some(Box::new(found))
            }
            OpKind::Paths(paths) => {
                *ops = rest;
                Some(Box::new(PathsOperator::compile(paths, op.keyword, inflow, env, &mut self.sink)?))
            }
            OpKind::Graph(graph) => {
                *ops = rest;
                Some(Box::new(GraphOperator::compile(graph, env, &mut self.sink)?))
            }
            OpKind::Funnel(funnel) => {
                *ops = rest;
                let held = FunnelOperator::split_names(funnel);
                let split = match held.is_empty() {
                    true => None,
                    false => Some(Split::compile("HOLD", &held, op.keyword, env, &mut self.sink)?),
                };
                stages.extend(split.map(Stage::Split));
                let funnel = &**funnel;
                let mut steps = FunnelOperator::compile(funnel, op.keyword, inflow, env, &mut self.sink)?;
                self.engine(steps.look_up_arrivals(self.snapshot))?;
                let Some((next, after)) = ops.split_first() else { return Some(Box::new(steps)) };
                let rows = match &next.kind {
                    OpKind::Reached(step) => steps.attempts(step, None, env, &mut self.sink)?,
                    OpKind::DroppedAt { step, outcome } => {
                        steps.attempts(step, Some(*outcome), env, &mut self.sink)?
                    }
                    OpKind::Correlates => steps.correlates(funnel, next.keyword, env, &mut self.sink)?,
                    _ => return Some(Box::new(steps)),
                };
                *ops = after;
                Some(Box::new(rows))
            }
            _ => {
                self.sink.push(misplaced(op));
                None
            }
        }
    }
}

fn misplaced(op: &Op) -> Diagnostic {
    let (message, help) = match &op.kind {
        OpKind::Reached(_) | OpKind::DroppedAt { .. } | OpKind::Correlates => {
            ("this stands directly after FUNNEL", "write `FUNNEL … |> DROPPED AT 2`")
        }
        OpKind::SaveCohort(_) => ("SAVE COHORT ends a query", "write it last, once"),
        OpKind::Journeys(_) => (
            "JOURNEYS turns rows into journeys, and these are journeys",
            "leave it out, or write it after rows",
        ),
        OpKind::AsOf(_) => ("AS OF must come first", "write it before every other operator"),
        OpKind::During(_) | OpKind::For(_) | OpKind::Split(_) | OpKind::Sessions { .. } => (
            "this works on journeys, and these are rows",
            "write it before the operator that makes rows, or after `|> JOURNEYS`",
        ),
        OpKind::Chains(_)
        | OpKind::Fcr(_)
        | OpKind::Funnel(_)
        | OpKind::Map(_)
        | OpKind::Match(_)
        | OpKind::Paths(_)
        | OpKind::Graph(_) => ("this works on journeys, and these are rows", "write `|> JOURNEYS` before it"),
        _ => ("this cannot stand here", "leave it out, or write it after the operator whose rows it takes"),
    };
    Diagnostic::error("E414", op.keyword, message).label("out of place").help(help)
}

impl Stage {
    /// The attributes it reads.
    pub(crate) fn reads(&self, reads: &mut Vec<AttrId>) {
        match self {
            Self::During(..) | Self::Sessions(_) => {}
            Self::Where(predicate) => reads.extend(attributes(predicate)),
            Self::For(customers) => customers.reads(reads),
            Self::Split(split) => reads.extend(&split.attrs),
        }
    }

    /// Narrows or cuts what flows. `place` is the stage's own among those of its phase.
    pub(crate) fn apply(&self, place: usize, flow: &mut Flow, env: &Env, passed: &mut Passed) {
        match self {
            Self::During(from, to) => {
                let mask = flow.block().times.iter().map(|at| from <= at && at < to).collect();
                flow.show(mask);
            }
            Self::Where(predicate) => {
                let mask = holds(predicate, flow, env).mask();
                flow.show(mask);
            }
            Self::For(customers) => {
                let mask = customers.holds(flow, env).mask();
                flow.keep(mask);
            }
            Self::Split(split) => {
                let (pieces, left) = split_by(flow, &split.attrs);
                passed.leave_out(place, left);
                flow.cut(pieces);
            }
            Self::Sessions(gap) => {
                let pieces = sessions(flow, *gap);
                flow.cut(pieces);
            }
        }
    }
}

impl Phase {
    /// What answers say of what was passed over on the way to its rows.
    pub(crate) fn notes(&self, passed: &Passed) -> Vec<String> {
        let stages = self.stages.iter().enumerate();
        let left = stages.filter_map(|(place, stage)| match stage {
            Stage::Split(split) => passed.left_out(place).note(&split.names),
            _ => None,
        });
        left.chain(self.operator.notes(passed)).collect()
    }

    /// The columns of the operator's rows that somebody reads.
    pub(crate) fn needed(&self) -> Vec<bool> {
        let needed = self.tail.needed();
        // Nobody sees the values of rows that only stand for customers or members.
        let unseen = self.then != Then::Answer && !self.tail.has_stages();
        if unseen { vec![false; needed.len()] } else { needed }
    }

    /// What of the operator's rows somebody looks at; `needed` as [`Phase::needed`] answers.
    pub(crate) fn wanted<'a>(&self, needed: &'a [bool]) -> Wanted<'a> {
        Wanted {
            columns: needed,
            members: matches!(self.then, Then::Members | Then::Journeys(Part::Before | Part::After)),
            sets: self.tail.needs_sets(),
        }
    }

    /// Whether it needs the times of interactions, where they flow whole.
    pub(crate) fn reads_times(&self, wanted: Wanted<'_>) -> bool {
        !self.stages.is_empty() || self.operator.reads_times(wanted)
    }

    /// What its rows come of, where the index alone answers it: journeys flow
    /// whole, and nothing is asked of them but what is known without reading.
    /// `own` are the customers that the phase begins with, where they are not
    /// all. Asked once it is prepared.
    ///
    /// # Errors
    /// As [`Snapshot::tally`].
    pub(crate) fn unread(
        &self,
        snapshot: &Snapshot,
        own: Option<&RoaringBitmap>,
    ) -> throughline_engine::Result<Option<Unread>> {
        if snapshot.hides_later() {
            return Ok(None);
        }
        let needed = self.needed();
        let wanted = self.wanted(&needed);
        if self.operator.rows_unread(&[], wanted).is_some() {
            return Ok(self.customers_unread(snapshot, own).map(Unread::Customers));
        }
        if own.is_some() || !self.stages.is_empty() {
            return Ok(None);
        }
        Ok(self.operator.part_unread(snapshot, wanted)?.map(Unread::Part))
    }

    fn customers_unread(&self, snapshot: &Snapshot, own: Option<&RoaringBitmap>) -> Option<RoaringBitmap> {
        let mut customers = match own {
            None => snapshot.present().clone(),
            Some(own) => snapshot.present() & own,
        };
        for stage in &self.stages {
            match stage {
                Stage::For(predicate) => customers = predicate.decides(&customers)?,
                _ => return None,
            }
        }
        Some(customers)
    }

    /// Everything that is read for it, ascending.
    pub(crate) fn reads(&self) -> Vec<AttrId> {
        let mut reads = self.operator.reads(&self.needed());
        self.stages.iter().for_each(|stage| stage.reads(&mut reads));
        reads.retain(|attr| attribute(usize::from(attr.0)).is_some());
        reads.sort_unstable();
        reads.dedup();
        reads
    }

    /// At least the customers who can have a row; `None` for all.
    pub(crate) fn candidates(
        &self,
        snapshot: &Snapshot,
    ) -> throughline_engine::Result<Option<RoaringBitmap>> {
        let mut all: Option<RoaringBitmap> = None;
        let mut narrow = |by: Option<RoaringBitmap>| {
            all = match (all.take(), by) {
                (Some(all), Some(by)) => Some(all & by),
                (all, by) => all.or(by),
            };
        };
        for stage in &self.stages {
            narrow(match stage {
                Stage::During(from, to) => Some(snapshot.active(*from, *to)?),
                Stage::Where(predicate) => super::index::candidates_of(predicate, 1, snapshot)?,
                Stage::For(customers) => customers.candidates(snapshot)?,
                Stage::Split(_) | Stage::Sessions(_) => None,
            });
        }
        narrow(self.operator.candidates(snapshot)?);
        Ok(all)
    }
}
