//! FUNNEL, REACHED and DROPPED AT: the deepest attempt of each customer, and
//! what became of it (language rules 4, 5, 10 and 11).

use std::any::Any;

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Millis, Role, Snapshot};

use super::cells::attr_cell;
use super::flow::Flow;
use super::inflow::Inflow;
use super::interaction::{named, symbols_of};
use super::operator::{Operator, Passed, Total, Wanted, Work, Worker};
use super::spans::span_of;
use super::steps::{StepFilter, classes, compile_step, step_attributes};
use super::unsupported;
use crate::diagnostics::{Diagnostic, Severity};
use crate::kernels::funnel::{Bounds, Matcher, Rule};
use crate::limits::PATTERN_STEPS_MAX;
use crate::rows::{
    Cell, Env, Members, QueryLimit, RowBatch, RowColumn, RowSchema, RowType, Sets, duration_of, row_type,
};
use crate::syntax::ast::{self, Condition, ElementKind, Outcome, Span};

/// FUNNEL, resolved.
#[derive(Clone, Debug)]
pub(crate) struct FunnelOperator {
    rule: Rule,
    steps: Vec<StepFilter>,
    started: Option<(Millis, Millis)>,
    right_edge: Millis,
    schema: RowSchema,
    attrs: Vec<Option<AttrId>>,
    /// REACHED and DROPPED AT: one row an attempt instead of one a step.
    attempts: Option<Listed>,
    next_kind: Option<AttrId>,
    next_channel: Option<AttrId>,
}

/// The attempts that REACHED and DROPPED AT list.
#[derive(Clone, Copy, Debug)]
struct Listed {
    /// The step reached, from 1.
    step: usize,
    /// Only those that went no further, and what became of them; all where it is `None`.
    dropped: Option<Option<Outcome>>,
}

/// An attempt of a customer who may have others, in other journeys.
struct Best {
    journey: usize,
    /// The first row of the journey.
    start: usize,
    /// The rows of the attempt, from there.
    rows: Vec<u32>,
}

impl Best {
    /// Whether it counts rather than another of the same customer, by language rule 4.
    fn beats(&self, other: &Self, steps: usize, flow: &Flow) -> bool {
        let place =
            |best: &Self, row: Option<&u32>| row.map(|&row| flow.whole_row(best.start + row as usize));
        let last = |best: &Self| place(best, best.rows.last());
        let first = |best: &Self| place(best, best.rows.first());
        let ends = match self.rows.len() == steps {
            true => last(other).cmp(&last(self)),
            false => last(self).cmp(&last(other)),
        };
        let between = self
            .rows
            .iter()
            .zip(&other.rows)
            .map(|(mine, others)| place(other, Some(others)).cmp(&place(self, Some(mine))));
        let order = self.rows.len().cmp(&other.rows.len()).then(ends).then(first(self).cmp(&first(other)));
        between.fold(order, std::cmp::Ordering::then).is_gt()
    }
}

/// What one unit adds to a funnel.
#[derive(Clone, Debug, Default)]
struct FunnelCounts {
    /// One for each step.
    steps: Vec<StepCounts>,
}

#[derive(Clone, Debug, Default)]
struct StepCounts {
    reached: u64,
    silent: u64,
    elsewhere: u64,
    open: u64,
    /// The gap from the step before, of each who reached it.
    gaps: Vec<i64>,
    customers: RoaringBitmap,
}

const COLUMNS: [(&str, RowType); 11] = [
    ("step", RowType::Int),
    ("label", RowType::Text),
    ("reached", RowType::Int),
    ("moved_on", RowType::Int),
    ("silent", RowType::Int),
    ("elsewhere", RowType::Int),
    ("open", RowType::Int),
    ("from_first", RowType::Float),
    ("from_previous", RowType::Float),
    ("median", RowType::Duration),
    ("p90", RowType::Duration),
];
const MEDIAN: usize = 9;
const P90: usize = 10;

impl FunnelOperator {
    /// Resolves labels, names and options.
    pub(crate) fn compile(
        funnel: &ast::Funnel,
        keyword: Span,
        inflow: Inflow,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let schema = env.snapshot.schema();
        let before = sink.len();
        unsupported::funnel(funnel, keyword, sink);
        let labels = match &funnel.on {
            Some(name) => Some(named(schema, name, sink)?),
            None => schema.role(Role::Kind).cloned(),
        };
        let elements = &funnel.pattern.elements;
        if elements.is_empty() || elements.len() > PATTERN_STEPS_MAX {
            let message =
                format!("FUNNEL takes 1 to {PATTERN_STEPS_MAX} steps, and these are {}", elements.len());
            sink.push(Diagnostic::error("E404", keyword, message).label("too many or too few steps"));
            return None;
        }
        let steps: Vec<&ast::Step> = elements
            .iter()
            .filter_map(|element| match &element.kind {
                ElementKind::Step(step) => Some(step),
                _ => None,
            })
            .collect();
        let names: Vec<&str> =
            steps.iter().filter_map(|step| Some(step.name.as_ref()?.text.as_str())).collect();
        let compiled: Vec<Option<StepFilter>> =
            steps.iter().map(|step| compile_step(step, labels.as_ref(), &names, env, sink)).collect();
        let edges: Vec<Bounds> =
            funnel.pattern.edges.iter().map(|edge| bounds_of(edge, env, sink)).collect::<Option<_>>()?;
        let within = match &funnel.within {
            Some(within) => Some(duration_of(within, env, sink)?),
            None => None,
        };
        let started = match &funnel.started {
            Some(started) => Some(span_of(started, inflow.right_edge, env, sink)?),
            None => None,
        };
        if sink.iter().skip(before).any(|found| found.severity == Severity::Error) {
            return None;
        }
        let steps: Vec<StepFilter> = compiled.into_iter().collect::<Option<_>>()?;
        let columns = COLUMNS.iter().map(|(name, ty)| RowColumn { name: (*name).to_owned(), ty: ty.clone() });
        Some(Self {
            rule: Rule { steps: steps.len(), within, edges },
            steps,
            started,
            right_edge: inflow.right_edge.unwrap_or(Millis::MIN),
            schema: RowSchema { columns: columns.collect() },
            attrs: vec![None; COLUMNS.len()],
            attempts: None,
            next_kind: schema.role(Role::Kind).map(|attribute| attribute.id),
            next_channel: schema.role(Role::Channel).map(|attribute| attribute.id),
        })
    }

    /// REACHED n, or DROPPED AT n where `dropped` is given.
    pub(crate) fn attempts(
        mut self,
        step: &ast::Lit,
        dropped: Option<Option<Outcome>>,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let number = crate::rows::count_of(step, env, sink)?;
        let last = self.steps.len() - usize::from(dropped.is_some());
        if number < 1 || number > last {
            let message = match dropped {
                None => format!("this funnel has steps 1 to {last}"),
                Some(_) if last == 0 => "a funnel of one step drops nobody".to_owned(),
                Some(_) => format!("one can drop at steps 1 to {last} of this funnel"),
            };
            sink.push(Diagnostic::error("E408", step.span, message).label("no such step"));
            return None;
        }
        self.attempts = Some(Listed { step: number, dropped });
        let schema = env.snapshot.schema();
        let of_role = |role: Role| schema.role(role);
        let (kind, channel) = (of_role(Role::Kind), of_role(Role::Channel));
        let columns = [
            ("customer", RowType::Customer, None),
            ("depth", RowType::Int, None),
            ("started", RowType::Time, None),
            ("ended", RowType::Time, None),
            ("outcome", RowType::Text, None),
            ("next_kind", kind.map_or(RowType::Text, |kind| row_type(kind.ty)), kind.and_then(symbols_of)),
            (
                "next_channel",
                channel.map_or(RowType::Text, |channel| row_type(channel.ty)),
                channel.and_then(symbols_of),
            ),
        ];
        self.attrs = columns.iter().map(|column| column.2).collect();
        let columns = columns.into_iter().map(|(name, ty, _)| RowColumn { name: name.to_owned(), ty });
        self.schema = RowSchema { columns: columns.collect() };
        Some(self)
    }

    fn classes(&self, flow: &Flow, env: &Env) -> Vec<u64> {
        let mut classes = classes(&self.steps, flow, env);
        if let Some((from, to)) = self.started {
            for (class, &at) in classes.iter_mut().zip(&flow.block().times) {
                if at < from || at >= to {
                    *class &= !1;
                }
            }
        }
        classes
    }

    /// Runs the matcher over every journey and hands on the attempt of each
    /// customer that reached a step: journey, first row of it, depth, and the
    /// rows from there. Of several journeys of a customer the deepest attempt counts.
    fn each(
        &self,
        matcher: &mut Matcher,
        flow: &Flow,
        env: &Env,
        mut take: impl FnMut(usize, usize, usize, &[u32]),
    ) {
        let classes = self.classes(flow, env);
        let block = flow.block();
        let mut best: Option<Best> = None;
        for journey in 0..block.customers.len() {
            if !flow.lives(journey) {
                continue;
            }
            let rows = block.journey(journey);
            let start = rows.start;
            let (Some(times), Some(classes)) = (block.times.get(rows.clone()), classes.get(rows)) else {
                continue;
            };
            let depth = matcher.deepest(times, classes);
            if depth == 0 {
                continue;
            }
            if !flow.is_cut() {
                take(journey, start, depth, &matcher.rows);
                continue;
            }
            let found = Best { journey, start, rows: matcher.rows.clone() };
            match &mut best {
                Some(known) if flow.customer(known.journey) == flow.customer(journey) => {
                    if found.beats(known, self.rule.steps, flow) {
                        *known = found;
                    }
                }
                _ => {
                    if let Some(known) = best.replace(found) {
                        take(known.journey, known.start, known.rows.len(), &known.rows);
                    }
                }
            }
        }
        if let Some(known) = best {
            take(known.journey, known.start, known.rows.len(), &known.rows);
        }
    }

    /// What became of an attempt that got no further than `depth` steps;
    /// `None` where that is all. Times are those of its first and last step,
    /// `row` the last step's row of the whole block.
    fn outcome(
        &self,
        flow: &Flow,
        journey: usize,
        depth: usize,
        started: Millis,
        ended: Millis,
        row: usize,
    ) -> Option<Outcome> {
        if depth == self.rule.steps {
            return None;
        }
        let by_window = self.rule.within.map(|within| started.saturating_add(within));
        let next = depth.checked_sub(1).and_then(|edge| self.rule.edges.get(edge));
        let by_edge = next.and_then(|bounds| bounds.high).map(|high| ended.saturating_add(high));
        let deadline = match (by_window, by_edge) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let over = flow.closes(journey).is_some_and(|closes| self.right_edge > closes);
        if !over && deadline.is_some_and(|deadline| self.right_edge <= deadline) {
            return Some(Outcome::Open);
        }
        let until = deadline.map_or(self.right_edge, |deadline| deadline.min(self.right_edge));
        let rest = row + 1..flow.whole_journey(journey).end;
        let next = flow.whole().times.get(rest).and_then(|times| times.first());
        Some(match next {
            Some(&at) if at <= until => Outcome::Elsewhere,
            _ => Outcome::Silent,
        })
    }

    /// Counts a unit.
    fn counts(&self, matcher: &mut Matcher, flow: &Flow, wanted: Wanted<'_>, env: &Env) -> FunnelCounts {
        let (with_gaps, with_sets) = (wanted.column(MEDIAN) || wanted.column(P90), wanted.sets);
        let mut steps = vec![StepCounts::default(); self.rule.steps];
        let mut customers: Vec<Vec<u32>> = vec![Vec::new(); self.rule.steps];
        self.each(matcher, flow, env, |journey, start, depth, rows| {
            let at = |place: usize| {
                let row = rows.get(place).map(|&row| start + row as usize);
                row.and_then(|row| flow.block().times.get(row)).copied().unwrap_or_default()
            };
            for (place, step) in steps.iter_mut().enumerate().take(depth) {
                step.reached += 1;
                if with_gaps && place > 0 {
                    step.gaps.push(at(place).saturating_sub(at(place - 1)));
                }
            }
            if with_sets {
                let customer = flow.customer(journey);
                customers.iter_mut().take(depth).for_each(|step| step.push(customer));
            }
            let last = rows.last().map_or(usize::MAX - 1, |&row| flow.whole_row(start + row as usize));
            let outcome = self.outcome(flow, journey, depth, at(0), at(depth - 1), last);
            if let Some(step) = steps.get_mut(depth - 1) {
                match outcome {
                    None => {}
                    Some(Outcome::Open) => step.open += 1,
                    Some(Outcome::Silent) => step.silent += 1,
                    Some(Outcome::Elsewhere) => step.elsewhere += 1,
                }
            }
        });
        for (step, customers) in steps.iter_mut().zip(customers) {
            step.customers.extend(customers);
        }
        FunnelCounts { steps }
    }

    /// The rows of all units' counts.
    fn rows(&self, counts: FunnelCounts) -> RowBatch {
        let mut counts = counts.steps;
        counts.resize(self.rule.steps, StepCounts::default());
        let reached: Vec<u64> = counts.iter().map(|step| step.reached).collect();
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); COLUMNS.len()];
        let mut sets = Vec::with_capacity(counts.len());
        let first = reached.first().copied().unwrap_or(0);
        let rate =
            |part: u64, of: u64| if of == 0 { Cell::Null } else { Cell::Float(part as f64 / of as f64) };
        let count = |number: u64| Cell::Int(number as i64);
        for (place, (step, mine)) in self.steps.iter().zip(&mut counts).enumerate() {
            let previous = place.checked_sub(1).and_then(|before| reached.get(before)).copied();
            let moved_on = if place + 1 == self.rule.steps {
                mine.reached
            } else {
                reached.get(place + 1).copied().unwrap_or(0)
            };
            debug_assert_eq!(mine.reached, moved_on + mine.silent + mine.elsewhere + mine.open);
            let quantile = |gaps: &mut [i64], q| match place {
                0 => Cell::Null,
                _ => quantile(gaps, q).map_or(Cell::Null, Cell::Duration),
            };
            let row = [
                count(place as u64 + 1),
                Cell::text(&step.label),
                count(mine.reached),
                count(moved_on),
                count(mine.silent),
                count(mine.elsewhere),
                count(mine.open),
                rate(mine.reached, first),
                rate(mine.reached, previous.unwrap_or(mine.reached)),
                quantile(&mut mine.gaps, 0.5),
                quantile(&mut mine.gaps, 0.9),
            ];
            columns.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
            sets.push(std::mem::take(&mut mine.customers));
        }
        RowBatch { len: self.rule.steps, columns, sets: Sets::Many(sets), members: None }
    }

    /// The attempts of a unit that REACHED or DROPPED AT lists.
    fn attempt_rows(&self, matcher: &mut Matcher, flow: &Flow, look: Wanted<'_>, env: &Env) -> RowBatch {
        let with_members = look.members;
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); self.schema.columns.len()];
        let (mut customers, mut members) = (Vec::new(), Vec::new());
        let Some(wanted) = self.attempts else { return RowBatch::empty(columns.len()) };
        self.each(matcher, flow, env, |journey, start, depth, rows| {
            if depth < wanted.step || (wanted.dropped.is_some() && depth != wanted.step) {
                return;
            }
            let whole = |row: u32| flow.whole_row(start + row as usize);
            let at = |row: Option<&u32>| {
                row.and_then(|&row| flow.whole().times.get(whole(row))).copied().unwrap_or_default()
            };
            let (started, ended) = (at(rows.first()), at(rows.last()));
            let last = rows.last().map_or(usize::MAX - 1, |&row| whole(row));
            let outcome = self.outcome(flow, journey, depth, started, ended, last);
            let counts = match wanted.dropped {
                None => true,
                Some(None) => matches!(outcome, Some(Outcome::Silent | Outcome::Elsewhere)),
                Some(asked) => outcome == asked,
            };
            if !counts {
                return;
            }
            let own = flow.whole_journey(journey);
            let next = |attr: Option<AttrId>| match attr {
                Some(attr) if last + 1 < own.end => self.next_cell(flow, attr, last + 1, env),
                _ => Cell::Null,
            };
            let row: [&dyn Fn() -> Cell; 7] = [
                &|| Cell::Customer(flow.customer(journey)),
                &|| Cell::Int(depth as i64),
                &|| Cell::Time(started),
                &|| Cell::Time(ended),
                &|| {
                    Cell::text(match outcome {
                        None => "converted",
                        Some(Outcome::Silent) => "silent",
                        Some(Outcome::Elsewhere) => "elsewhere",
                        Some(Outcome::Open) => "open",
                    })
                },
                &|| next(self.next_kind),
                &|| next(self.next_channel),
            ];
            for (place, (column, cell)) in columns.iter_mut().zip(row).enumerate() {
                if look.column(place) {
                    column.push(cell());
                }
            }
            customers.push(flow.customer(journey));
            if with_members {
                let places = rows.iter().map(|&row| (whole(row) - own.start) as u32).collect();
                members.push(Members { customer: flow.customer(journey), places });
            }
        });
        RowBatch {
            len: customers.len(),
            columns,
            sets: Sets::One(customers),
            members: with_members.then_some(members),
        }
    }

    fn next_cell(&self, flow: &Flow, attr: AttrId, row: usize, env: &Env) -> Cell {
        attr_cell(flow.whole(), attr, row, env)
    }
}

impl Operator for FunnelOperator {
    fn schema(&self) -> &RowSchema {
        &self.schema
    }

    fn attrs(&self) -> &[Option<AttrId>] {
        &self.attrs
    }

    /// Steps have none, attempts have.
    fn has_members(&self) -> bool {
        self.attempts.is_some()
    }

    fn reads(&self, needed: &[bool]) -> Vec<AttrId> {
        let mut reads: Vec<AttrId> = step_attributes(&self.steps).collect();
        if self.attempts.is_some() {
            let wants = |place: usize| needed.get(place).copied().unwrap_or(false);
            reads.extend(self.next_kind.filter(|_| wants(5)));
            reads.extend(self.next_channel.filter(|_| wants(6)));
        }
        reads
    }

    fn candidates(&self, snapshot: &Snapshot) -> throughline_engine::Result<Option<RoaringBitmap>> {
        match self.steps.first().and_then(|step| step.predicate.as_ref()) {
            Some(first) => super::index::candidates_of(first, 1, snapshot),
            None => Ok(None),
        }
    }

    fn worker<'a>(&'a self, wanted: Wanted<'a>) -> Box<dyn Worker + 'a> {
        Box::new(FunnelWorker { operator: self, wanted, matcher: Matcher::new(self.rule.clone()) })
    }

    fn total(&self) -> Option<Box<dyn Total + '_>> {
        let total = FunnelTotal { operator: self, counts: FunnelCounts::default() };
        self.attempts.is_none().then(|| Box::new(total) as Box<dyn Total>)
    }

    fn explain(&self) -> (&'static str, String) {
        let bounded = self.rule.edges.iter().any(|edge| edge.low.is_some() || edge.high.is_some());
        let labels: Vec<&str> = self.steps.iter().map(|step| step.label.as_str()).collect();
        let way = if bounded { "a window of latest starts a step" } else { "the latest start a step" };
        let name = if self.attempts.is_some() { "FUNNEL, attempts" } else { "FUNNEL" };
        (name, format!("{}; one pass with {way}", labels.join(" -> ")))
    }
}

struct FunnelWorker<'a> {
    operator: &'a FunnelOperator,
    wanted: Wanted<'a>,
    matcher: Matcher,
}

impl Worker for FunnelWorker<'_> {
    fn work(&mut self, flow: &Flow, env: &Env, _passed: &mut Passed) -> Result<Work, QueryLimit> {
        Ok(match self.operator.attempts {
            Some(_) => Work::Rows(self.operator.attempt_rows(&mut self.matcher, flow, self.wanted, env)),
            None => Work::Part(Box::new(self.operator.counts(&mut self.matcher, flow, self.wanted, env))),
        })
    }
}

struct FunnelTotal<'a> {
    operator: &'a FunnelOperator,
    counts: FunnelCounts,
}

impl Total for FunnelTotal<'_> {
    fn add(&mut self, part: Box<dyn Any + Send>) {
        let Ok(more) = part.downcast::<FunnelCounts>() else { return };
        if self.counts.steps.is_empty() {
            self.counts = *more;
            return;
        }
        for (mine, other) in self.counts.steps.iter_mut().zip(more.steps) {
            mine.reached += other.reached;
            mine.silent += other.silent;
            mine.elsewhere += other.elsewhere;
            mine.open += other.open;
            mine.gaps.extend(other.gaps);
            mine.customers |= other.customers;
        }
    }

    fn rows(self: Box<Self>, _wanted: Wanted<'_>, _env: &Env) -> Result<RowBatch, QueryLimit> {
        Ok(self.operator.rows(self.counts))
    }
}

fn bounds_of(edge: &ast::Edge, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<Bounds> {
    let mut bounds = Bounds::default();
    let mut written = None;
    for condition in &edge.conditions {
        match condition {
            Condition::AtMost(lit) => {
                let high = duration_of(lit, env, sink)?;
                bounds.high = Some(bounds.high.map_or(high, |known: i64| known.min(high)));
                written = Some(lit.span);
            }
            Condition::AtLeast(lit) => {
                let low = duration_of(lit, env, sink)?;
                bounds.low = Some(bounds.low.map_or(low, |known: i64| known.max(low)));
                written = Some(lit.span);
            }
            // Refused before.
            Condition::Next(_) | Condition::Same(..) | Condition::No(..) => {}
        }
    }
    if let (Some(low), Some(high), Some(span)) = (bounds.low, bounds.high, written)
        && low > high
    {
        sink.push(
            Diagnostic::error("E409", span, "no gap is within these bounds")
                .label("the least is over the most"),
        );
        return None;
    }
    Some(bounds)
}

/// The `q`-quantile by linear interpolation, to the nearest millisecond.
fn quantile(gaps: &mut [i64], q: f64) -> Option<i64> {
    let (low, high, part) = crate::rows::around(gaps, q, i64::cmp)?;
    Some(low.saturating_add((part * (high.saturating_sub(low)) as f64).round() as i64))
}
