//! Matching in time linear in rows times steps, for patterns whose predicates
//! each speak of one interaction and whose steps come in order.
//!
//! A first pass carries, to every step at every row, the latest start of a
//! partial match that reaches it there. Nothing else about the rows before
//! matters for what can follow, so that pass finds how deep the journey gets
//! and where. Passes over the rows around that place then count backwards how
//! many rows can follow each choice; with these numbers the earliest rows are
//! chosen from left to right without ever going back.
//!
//! Rows up to the one that completes a match and rows after it meet only in
//! the start: the former must not lie too far after it, the latter may go up
//! to WITHIN of it. So both are counted apart, and the start is the one that
//! gains most in sum.

mod claims;
mod entries;
mod lane;
mod positions;
mod recover;
mod sweep;

use std::ops::{ControlFlow, Range};

use super::ground::{Claim, Ground};
use super::rule::{Edge, Found, Rule, Step, TooMany};
use super::search::Goal;
use crate::limits::MATCH_STATES_MAX;
use claims::Claims;
use lane::NONE;
use positions::Positions;
use recover::Table;
use sweep::{Stretch, Sweep, View};

/// Matches one rule, journey after journey.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    positions: Positions,
    claims: Claims,
    sweep: Sweep,
    /// Where each required step was reached, with the latest start.
    reached: Vec<Vec<(u32, i32)>>,
    /// How many absences after each required step held at best.
    held: Vec<usize>,
    groups: Vec<Group>,
    /// Steps up to here stand once each, after anything and with nothing to be
    /// absent: the earliest rows can be chosen without looking ahead.
    free: usize,
    table: Table,
    live: entries::Liveness,
}

/// The required step that a step belongs to: itself, or the last one before.
#[derive(Clone, Copy, Debug)]
struct Group {
    required: Option<usize>,
    /// The next required step, or one past the last.
    next: usize,
    /// How many absences stand in between.
    absences: usize,
}

impl Group {
    fn of(rule: &Rule, step: usize) -> Self {
        let is_required = |step: &usize| rule.steps.get(*step).is_some_and(|step| step.min > 0);
        let required = (0..=step).rev().find(is_required);
        let next = rule.required_from(step + 1).unwrap_or(rule.steps.len());
        Self { required, next, absences: rule.absences_between(required.unwrap_or(0), next).count() }
    }
}

/// What is wanted of the last step reached and what follows it up to the next
/// required one.
#[derive(Clone, Copy, Debug)]
struct Target {
    step: usize,
    /// The next required step, or one past the last.
    next: usize,
    /// How many absences in between must hold.
    absences: usize,
    complete: bool,
}

impl Linear {
    /// For a rule that neither names steps in predicates nor leaves their order open.
    pub(super) fn new(rule: &Rule) -> Self {
        let steps = rule.steps.len();
        Self {
            positions: Positions::new(rule, 0),
            claims: Claims::default(),
            sweep: Sweep::new(rule),
            reached: vec![Vec::new(); steps],
            held: vec![0; steps],
            groups: (0..steps).map(|step| Group::of(rule, step)).collect(),
            free: rule.steps.iter().enumerate().take_while(|(place, step)| is_free(*place, step)).count(),
            table: Table::default(),
            live: entries::Liveness::new(rule),
        }
    }

    /// Reads a journey. What is asked about it next must be asked with the same ground,
    /// but for the rows in use and the start.
    pub(super) fn read(&mut self, ground: &Ground<'_>) -> Result<(), TooMany> {
        let rows = ground.rows.len();
        if !self.positions.fit(rows) {
            self.positions = Positions::new(ground.rule, rows);
        }
        let (places, steps) = (self.positions.all.len(), ground.rule.steps.len());
        if places > 8 * steps && places.saturating_mul(rows as usize) > MATCH_STATES_MAX {
            return Err(TooMany);
        }
        self.claims.read(ground);
        Ok(())
    }

    /// The only row at which an anchored rule may start in these rows.
    pub(super) fn anchor(&self, ground: &Ground<'_>) -> u32 {
        let first = u64::MAX >> (63 - self.positions.first_required.min(63));
        (ground.from..ground.until)
            .find(|&row| ground.rows.class(row) & first != 0 && self.claims.may_start(row))
            .unwrap_or(u32::MAX)
    }

    /// Finds what is asked for; false where there is none.
    pub(super) fn find(&mut self, ground: Ground<'_>, goal: Goal, found: &mut Found) -> bool {
        let Self { positions, claims, sweep, reached, held, groups, free, table, .. } = self;
        let view = View { ground, positions, claims };
        found.rows.clear();
        let Some(target) = deepest(&view, goal, sweep, groups, reached, held) else { return false };
        if goal != Goal::Deepest && !target.complete {
            return false;
        }
        let completes = reached.get(target.step).map(Vec::as_slice).unwrap_or_default();
        let first = target.complete && goal != Goal::Last;
        let Some((row, start)) = place(&view, target, first, completes, sweep) else { return false };
        if target.step < *free && !goes_on(&view, target) {
            recover::recover_free(&ground, target.step, (start, row), &mut found.rows);
        } else {
            let choice = recover::Choice { row, start, weigh: first && varies(&view, target.step) };
            if !table.recover(&view, target, choice, sweep, &mut found.rows) {
                return false;
            }
        }
        found.depth = if target.complete { ground.rule.steps.len() } else { target.step + 1 };
        found.absences = target.absences;
        found.complete = target.complete;
        found.reached = row;
        found.pending = found.rows.last().is_some_and(|&(row, step)| {
            let claims = view.claims.between(&view.ground, step as usize..target.next, row);
            let mut failing = claims.filter(|&claim| !view.claims.grants(claim));
            failing.next() == Some(Claim::Open)
        });
        true
    }

    /// For every row the earliest row at which a match that starts there can
    /// complete, WITHIN and absences after repetitions aside; `u32::MAX` for none.
    pub(super) fn completions(&mut self, ground: Ground<'_>) -> Vec<u32> {
        let Self { positions, claims, sweep, .. } = self;
        let view = View { ground, positions, claims };
        let steps = ground.rule.steps.len();
        let mut rows = vec![u32::MAX; ground.rows.len() as usize];
        let is_required = |step: &usize| ground.rule.steps.get(*step).is_some_and(|step| step.min > 0);
        let Some(step) = (0..steps).rev().find(is_required) else { return rows };
        let absences = ground.rule.absences_between(step, steps).count();
        let target = Target { step, next: steps, absences, complete: true };
        let (reaching, open) = (view.positions.reaching(step), goes_on(&view, target));
        let end = |row: u32, place: usize| match place == reaching
            && (open || ends_at(&view, target, place, row))
        {
            true => -(row as i32),
            false => NONE,
        };
        let all = Stretch { rows: ground.from..ground.until, places: 0..reaching + 1, weight: 0 };
        sweep.backwards(&view, all, end, |row, place, value| {
            if let (Some(position), Some(earliest)) = (view.positions.get(place), rows.get_mut(row as usize))
                && position.enters
                && view.starts(position.step, row)
            {
                *earliest = (*earliest).min(value.unsigned_abs());
            }
        });
        rows
    }

    /// Hands on the rows of every entry, from left to right.
    pub(super) fn entries(&mut self, ground: Ground<'_>, take: impl FnMut(Range<u32>)) {
        let Self { positions, claims, sweep, live, .. } = self;
        entries::entries(&View { ground, positions, claims }, sweep, live, take);
    }
}

/// Whether a step stands once, after anything.
fn is_free(place: usize, step: &Step) -> bool {
    let free = step.edge == Edge { names: step.edge.names, ..Edge::default() };
    step.min == 1 && step.max == Some(1) && step.after.is_empty() && (place == 0 || free)
}

/// Whether matches that reach `step` at one row can differ in how many rows
/// they have up to there.
fn varies(view: &View<'_>, step: usize) -> bool {
    let before = view.ground.rule.steps.get(..step).unwrap_or_default();
    before.iter().any(|step| step.max != Some(step.min))
}

/// Whether anything can be taken after `target`'s step is reached and before the next.
fn goes_on(view: &View<'_>, target: Target) -> bool {
    view.positions.reaching(target.step) + 1 < view.positions.before(target.next)
}

/// How many of the absences after a required step hold where `row` is the last
/// row and fills `step`, which is that one or an optional one after it.
fn held_at(view: &View<'_>, required: usize, step: usize, next: usize, row: u32) -> usize {
    let passed = view.ground.rule.absences_between(required, step).count();
    passed + view.claims.held(&view.ground, step..next, row)
}

/// The first pass: how deep the journey gets. Fills `reached` and `held`.
fn deepest(
    view: &View<'_>,
    goal: Goal,
    sweep: &mut Sweep,
    groups: &[Group],
    reached: &mut [Vec<(u32, i32)>],
    held: &mut [usize],
) -> Option<Target> {
    let (rule, positions) = (view.ground.rule, view.positions);
    reached.iter_mut().for_each(Vec::clear);
    held.iter_mut().for_each(|held| *held = 0);
    let begin = |row: u32, place: usize| match positions.get(place) {
        Some(position) if position.enters && view.starts(position.step, row) => row as i32,
        _ => NONE,
    };
    let take = |row: u32, place: usize, start: i32| {
        let Some(position) = positions.get(place) else { return ControlFlow::Continue(()) };
        let step = position.step;
        let Some(&Group { required, next, absences }) = groups.get(step) else {
            return ControlFlow::Continue(());
        };
        let reaches = position.reaches;
        if reaches && let Some(reached) = reached.get_mut(step) {
            if absences == 0 {
                reached.clear();
            }
            reached.push((row, start));
        }
        let mut all = absences == 0;
        if absences > 0
            && position.leaves
            && let Some(required) = required
            && let Some(most) = held.get_mut(required)
        {
            let holding = held_at(view, required, step, next, row);
            *most = (*most).max(holding);
            all = holding == absences;
        }
        // Where nothing can follow, the first row that completes is known at once.
        let last = next == rule.steps.len() && reaches && place + 1 == positions.all.len();
        let done = all && reaches && next == rule.steps.len() && (absences == 0 || last);
        if done && goal != Goal::Last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let keep = |row: u32, start: i32| view.is_within(start as u32, row);
    let rows = view.ground.from..view.ground.until;
    let stretch = Stretch { rows, places: 0..positions.all.len(), weight: 0 };
    sweep.forwards(view, stretch, begin, keep, take);
    let step =
        (0..reached.len()).rev().find(|&step| reached.get(step).is_some_and(|rows| !rows.is_empty()))?;
    let &Group { next, absences, .. } = groups.get(step)?;
    let holding = held.get(step).copied().unwrap_or(0);
    let complete = next == rule.steps.len() && holding == absences;
    Some(Target { step, next, absences: holding, complete })
}

/// The row at which the target is reached, the first or the last of those that
/// let the absences hold, with the latest start.
fn place(
    view: &View<'_>,
    target: Target,
    first: bool,
    reached: &[(u32, i32)],
    sweep: &mut Sweep,
) -> Option<(u32, u32)> {
    let mut ends: Vec<u32> = Vec::new();
    if target.absences > 0 && goes_on(view, target) {
        // The earliest row that a match which reaches the step here can end with.
        let reaching = view.positions.reaching(target.step);
        ends.resize(view.ground.until as usize, u32::MAX);
        let end = |row: u32, place: usize| match ends_at(view, target, place, row) {
            true => -(row as i32),
            false => NONE,
        };
        let rows = view.ground.from..view.ground.until;
        let places = reaching..view.positions.before(target.next);
        sweep.backwards(view, Stretch { rows, places, weight: 0 }, end, |row, place, value| {
            if place == reaching
                && let Some(end) = ends.get_mut(row as usize)
            {
                *end = value.unsigned_abs();
            }
        });
    }
    let possible = |&&(row, start): &&(u32, i32)| {
        if target.absences == 0 {
            return true;
        }
        match ends.get(row as usize) {
            Some(&end) => end != u32::MAX && view.is_within(start as u32, end),
            None => held_at(view, target.step, target.step, target.next, row) >= target.absences,
        }
    };
    let chosen = if first { reached.iter().find(possible) } else { reached.iter().rev().find(possible) };
    chosen.map(|&(row, start)| (row, start as u32))
}

/// Whether an attempt may end with `row` at a position.
fn ends_at(view: &View<'_>, target: Target, place: usize, row: u32) -> bool {
    view.positions.get(place).is_some_and(|position| {
        position.leaves && held_at(view, target.step, position.step, target.next, row) >= target.absences
    })
}
