//! The search over states, which every pattern can be matched by: needed where
//! predicates name several steps, or steps may come out of order.
//!
//! A state is all that the rest of a match depends on: the step and repetition
//! reached, the row, the start, the rows that later predicates name, and those
//! that could be chosen a second time. Of the ways that lead to one state the
//! best is kept, so that the work grows with the states and not with the
//! matches. Wherever two ways meet in one state, what follows is the same for
//! both; the better of them is therefore part of the best match, if any is.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use super::ground::{Claim, Ground};
use super::rule::{Found, TooMany};
use crate::limits::MATCH_STATES_MAX;

/// What is looked for among all attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The match that completes first.
    First,
    /// The match that completes last.
    Last,
    /// As the first, else the attempt that gets deepest.
    Deepest,
}

/// All that the rest of a match depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    /// The last step taken.
    pub step: usize,
    /// Its rows so far; without a bound counted up to one more than its fewest.
    pub reps: u32,
    /// The last of them.
    pub row: u32,
    /// The first row of the first step taken.
    pub start: u32,
    /// Where the required steps so far were reached: the latest row.
    reached: u32,
    /// Where the last of them was; another row only where steps may come out of order.
    arrived: u32,
    /// The rows that predicates yet to come name, by step.
    chosen: Vec<(usize, u32)>,
    /// The rows that a later step could choose again.
    used: Vec<u32>,
}

/// A way on from a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// One more row for the step.
    Repeat,
    /// On to a later step.
    Enter(usize),
    /// Nothing more is needed.
    End,
}

/// A row of a way, and the way before it.
#[derive(Clone, Copy, Debug)]
struct Link {
    row: u32,
    step: u32,
    before: Option<usize>,
}

/// The best way to a state: how many rows, and the last of them.
#[derive(Clone, Copy, Debug)]
struct Way {
    rows: u32,
    last: usize,
}

/// An attempt that could be chosen.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    complete: bool,
    pending: bool,
    depth: usize,
    absences: usize,
    reached: u32,
    start: u32,
    way: Way,
}

/// A search in one journey.
pub(super) struct Search<'a> {
    ground: Ground<'a>,
    goal: Goal,
    links: Vec<Link>,
    best: Option<Candidate>,
    /// The steps that predicates name which come after each row of a step.
    needed: Vec<u64>,
    /// One place a step, for what predicates are given.
    chosen: Vec<Option<u32>>,
    /// What may still be looked at.
    budget: usize,
}

impl<'a> Search<'a> {
    /// Ready to look.
    pub(super) fn new(ground: Ground<'a>, goal: Goal) -> Self {
        let steps = &ground.rule.steps;
        let mut needed = vec![0; steps.len()];
        let mut later = 0;
        for (step, needed) in steps.iter().zip(&mut needed).rev() {
            later |= step.after.iter().fold(0, |names, absence| names | absence.names);
            let again = if step.max == Some(1) { 0 } else { step.names };
            *needed = later | again;
            later |= step.names | step.edge.names;
        }
        Self {
            ground,
            goal,
            links: Vec::new(),
            best: None,
            needed,
            chosen: vec![None; steps.len()],
            budget: MATCH_STATES_MAX,
        }
    }

    /// Looks through all attempts and writes the one that counts; false where there is none.
    pub(super) fn run(mut self, found: &mut Found) -> Result<bool, TooMany> {
        let simultaneous = self.ground.rule.simultaneous.is_some();
        // A move leads to a later step, or to a later row of the same step;
        // in order also always to a later row.
        let place = |state: &State| match simultaneous {
            true => (state.step as u32, state.row),
            false => (state.row, state.step as u32),
        };
        let mut waiting: BTreeMap<(u32, u32), BTreeMap<State, Way>> = BTreeMap::new();
        for row in self.ground.from..self.ground.until {
            for state in self.starts(row) {
                let way = self.link(&state, None);
                waiting.entry(place(&state)).or_default().insert(state, way);
            }
        }
        while let Some((_, states)) = waiting.pop_first() {
            for (state, way) in states {
                if self.is_beaten(&state, simultaneous) {
                    continue;
                }
                self.judge(&state, way);
                for step in self.moves(&state) {
                    let first = match step {
                        Move::End => continue,
                        Move::Enter(_) if simultaneous => self.ground.from,
                        _ => state.row + 1,
                    };
                    let filled = if let Move::Enter(to) = step { to } else { state.step };
                    for row in first..self.ground.until {
                        if self.is_late(&state, row) {
                            break;
                        }
                        if self.ground.rows.class(row) >> filled & 1 == 0 {
                            continue;
                        }
                        self.spend()?;
                        let Some(next) = self.moved(&state, step, row) else { continue };
                        let way = self.link(&next, Some(way));
                        let states = waiting.entry(place(&next)).or_default();
                        match states.get(&next) {
                            Some(&known) if self.compare_ways(known, way).is_le() => {
                                self.links.pop();
                            }
                            _ => {
                                states.insert(next, way);
                            }
                        }
                    }
                }
            }
        }
        Ok(self.write(found))
    }

    fn spend(&mut self) -> Result<(), TooMany> {
        self.budget = self.budget.checked_sub(1).ok_or(TooMany)?;
        Ok(())
    }

    /// The states of a match that starts at `row`.
    pub(super) fn starts(&self, row: u32) -> Vec<State> {
        let rule = self.ground.rule;
        if self.ground.start.is_some_and(|start| start != row) || !self.ground.can_start(row) {
            return Vec::new();
        }
        let last = rule.required_from(0).unwrap_or(0);
        (0..=last)
            .filter(|&step| self.ground.fills(step, row, &vec![None; rule.steps.len()]))
            .map(|step| self.entered(step, row, row, (0, 0), &[], &[]))
            .collect()
    }

    fn entered(
        &self,
        step: usize,
        row: u32,
        start: u32,
        (reached, arrived): (u32, u32),
        chosen: &[(usize, u32)],
        used: &[u32],
    ) -> State {
        let needed = self.needed.get(step).copied().unwrap_or(0);
        let mut chosen: Vec<(usize, u32)> = chosen.to_vec();
        chosen.push((step, row));
        chosen.retain(|&(step, _)| needed >> step & 1 == 1);
        let mut state = State { step, reps: 1, row, start, reached, arrived, chosen, used: used.to_vec() };
        self.settle(&mut state);
        state
    }

    /// What follows from the last row: where the step was reached, and what
    /// could be chosen again.
    fn settle(&self, state: &mut State) {
        let rule = self.ground.rule;
        let Some(step) = rule.steps.get(state.step) else { return };
        if step.min > 0 {
            if state.reps == step.min {
                state.arrived = state.row;
                state.reached = match rule.simultaneous {
                    Some(_) => state.reached.max(state.row),
                    None => state.row,
                };
            } else if state.reps < step.min {
                // They will be others before they are looked at.
                state.arrived = 0;
                if rule.simultaneous.is_none() {
                    state.reached = 0;
                }
            }
        }
        if let Some(most) = rule.simultaneous {
            state.used.push(state.row);
            state.used.sort_unstable();
            let steps_left = (rule.steps.len() - 1 - state.step) as i64;
            let reach = self.ground.rows.at(state.row).saturating_sub(most.saturating_mul(steps_left));
            state.used.retain(|&row| self.ground.rows.at(row) >= reach);
        }
    }

    /// The ways on from a state, absences aside.
    pub(super) fn moves(&self, state: &State) -> Vec<Move> {
        let rule = self.ground.rule;
        let Some(step) = rule.steps.get(state.step) else { return Vec::new() };
        let mut moves = Vec::new();
        if step.max.is_none_or(|max| state.reps < max) {
            moves.push(Move::Repeat);
        }
        if state.reps >= step.min {
            let required = rule.required_from(state.step + 1);
            let last = required.unwrap_or(rule.steps.len() - 1);
            moves.extend((state.step + 1..=last).map(Move::Enter));
            if required.is_none() {
                moves.push(Move::End);
            }
        }
        moves
    }

    /// The places for predicates, with what a state remembers.
    fn recall(&mut self, state: &State) -> &[Option<u32>] {
        self.chosen.iter_mut().for_each(|place| *place = None);
        for &(step, row) in &state.chosen {
            if let Some(place) = self.chosen.get_mut(step) {
                *place = Some(row);
            }
        }
        &self.chosen
    }

    /// What can be said of the absences that a move passes: the first row that
    /// violates one, or the worst of the rest.
    pub(super) fn passing(&mut self, state: &State, step: Move) -> Claim {
        let to = match step {
            Move::Repeat => return Claim::Holds,
            Move::Enter(step) => step,
            Move::End => self.ground.rule.steps.len(),
        };
        let ground = self.ground;
        let chosen = self.recall(state);
        let claims = ground
            .rule
            .absences_between(state.step, to)
            .map(|absence| ground.absent_after(absence, state.row, chosen));
        claims.fold(Claim::Holds, |all, claim| match (all, claim) {
            (Claim::Violated(a), Claim::Violated(b)) => Claim::Violated(a.min(b)),
            (Claim::Violated(row), _) | (_, Claim::Violated(row)) => Claim::Violated(row),
            (Claim::Open, _) | (_, Claim::Open) => Claim::Open,
            (Claim::Holds, Claim::Holds) => Claim::Holds,
        })
    }

    /// Whether `row` lies beyond what WITHIN allows.
    pub(super) fn is_late(&self, state: &State, row: u32) -> bool {
        let rows = self.ground.rows;
        let within = self.ground.rule.within;
        within.is_some_and(|within| rows.at(row).saturating_sub(rows.at(state.start)) > within)
    }

    /// The state that a move leads to by way of `row`, where it may.
    pub(super) fn moved(&mut self, state: &State, step: Move, row: u32) -> Option<State> {
        let ground = self.ground;
        let rule = ground.rule;
        if row == state.row || state.used.contains(&row) || self.is_late(state, row) {
            return None;
        }
        match step {
            Move::End => None,
            Move::Repeat => {
                let place = rule.steps.get(state.step)?;
                let joined = row > state.row && (!place.adjacent || row == state.row + 1);
                if !joined || !ground.fills(state.step, row, self.recall(state)) {
                    return None;
                }
                let most = if place.max.is_some() { u32::MAX } else { place.fewest() + 1 };
                let mut next = State { reps: (state.reps + 1).min(most), row, ..state.clone() };
                self.settle(&mut next);
                Some(next)
            }
            Move::Enter(to) => {
                let granted = ground.joins(to, state.row, row)
                    && ground.fills(to, row, self.recall(state))
                    && !ground.barred(to, state.row, row, &self.chosen)
                    && ground.grants(self.passing(state, step));
                granted.then(|| {
                    self.entered(
                        to,
                        row,
                        state.start,
                        (state.reached, state.arrived),
                        &state.chosen,
                        &state.used,
                    )
                })
            }
        }
    }

    fn link(&mut self, state: &State, before: Option<Way>) -> Way {
        self.links.push(Link { row: state.row, step: state.step as u32, before: before.map(|way| way.last) });
        Way { rows: before.map_or(0, |way| way.rows) + 1, last: self.links.len() - 1 }
    }

    /// The rows of a way and their steps, backwards.
    fn rows_of(&self, way: Way) -> Vec<(u32, u32)> {
        let mut next = Some(way.last);
        let links = std::iter::from_fn(|| {
            let link = self.links.get(next?)?;
            next = link.before;
            Some((link.row, link.step))
        });
        links.collect()
    }

    /// Most rows first, then the earliest, then earlier steps.
    fn compare_ways(&self, a: Way, b: Way) -> Ordering {
        b.rows.cmp(&a.rows).then_with(|| {
            let sorted = |way: Way| {
                let mut rows = self.rows_of(way);
                rows.sort_unstable();
                rows
            };
            let (a, b) = (sorted(a), sorted(b));
            let rows = |list: &[(u32, u32)]| list.iter().map(|place| place.0).collect::<Vec<u32>>();
            rows(&a).cmp(&rows(&b)).then_with(|| a.cmp(&b))
        })
    }

    fn compare(&self, a: &Candidate, b: &Candidate) -> Ordering {
        let order = b.complete.cmp(&a.complete);
        let order = order.then_with(|| match (a.complete, self.goal) {
            (true, Goal::First | Goal::Deepest) => {
                a.reached.cmp(&b.reached).then(b.way.rows.cmp(&a.way.rows)).then(b.start.cmp(&a.start))
            }
            (true, Goal::Last) => b.reached.cmp(&a.reached).then(b.start.cmp(&a.start)),
            (false, _) => {
                let deep = |of: &Candidate| Reverse((of.depth, of.absences, of.reached, of.start));
                deep(a).cmp(&deep(b))
            }
        });
        order.then_with(|| self.compare_ways(a.way, b.way))
    }

    /// Whether nothing that goes through a state can be chosen any more.
    fn is_beaten(&self, state: &State, simultaneous: bool) -> bool {
        let rule = self.ground.rule;
        !simultaneous
            && self.goal != Goal::Last
            && self.best.is_some_and(|best| {
                let settled = rule.required_from(state.step + 1).is_none()
                    && rule.steps.get(state.step).is_some_and(|step| state.reps >= step.min);
                best.complete && state.row > best.reached && !(settled && state.reached <= best.reached)
            })
    }

    /// Whether a way on from a state leads nowhere from `row` on, whatever comes.
    pub(super) fn is_lost(&self, state: &State, step: Move, row: u32) -> bool {
        let (rule, rows) = (self.ground.rule, self.ground.rows);
        let edge = match step {
            Move::Enter(to) => rule.steps.get(to).map(|step| &step.edge),
            Move::Repeat | Move::End => None,
        };
        let gap = rows.at(row).saturating_sub(rows.at(state.row));
        self.is_late(state, row)
            || edge.is_some_and(|edge| {
                edge.high.is_some_and(|high| gap > high)
                    || edge.same.is_some_and(|key| rows.key(key, state.row) == 0)
            })
    }

    /// Whether a way on from a state is lost once `row` has come without being taken.
    pub(super) fn breaks(&mut self, state: &State, step: Move, row: u32) -> bool {
        let ground = self.ground;
        match step {
            Move::Repeat => ground.rule.steps.get(state.step).is_some_and(|step| step.adjacent),
            Move::Enter(to) => {
                ground.rule.steps.get(to).is_some_and(|step| step.edge.next)
                    || ground.bars(to, row, self.recall(state))
            }
            Move::End => false,
        }
    }

    /// Keeps the attempt that ends in a state if it is the best so far.
    fn judge(&mut self, state: &State, way: Way) {
        let ground = self.ground;
        let steps = &ground.rule.steps;
        if steps.get(state.step).is_none_or(|step| state.reps < step.min) {
            return;
        }
        let Some(required) =
            (0..=state.step).rev().find(|&step| steps.get(step).is_some_and(|step| step.min > 0))
        else {
            return;
        };
        let next = ground.rule.required_from(state.step + 1);
        let to = next.unwrap_or(steps.len());
        let passed = ground.rule.absences_between(required, state.step).count();
        let chosen = self.recall(state);
        let failing = ground
            .rule
            .absences_between(state.step, to)
            .map(|absence| ground.absent_after(absence, state.row, chosen))
            .enumerate()
            .find(|&(_, claim)| !ground.grants(claim));
        let complete = next.is_none() && failing.is_none();
        if !complete && self.goal != Goal::Deepest {
            return;
        }
        let held = match failing {
            Some((place, _)) => place,
            None => ground.rule.absences_between(state.step, to).count(),
        };
        let candidate = Candidate {
            complete,
            pending: failing.is_some_and(|(_, claim)| claim == Claim::Open),
            depth: if complete { steps.len() } else { required + 1 },
            absences: passed + held,
            // Of attempts that are not complete the last step reached counts.
            reached: if complete { state.reached } else { state.arrived },
            start: state.start,
            way,
        };
        if self.best.is_none_or(|best| self.compare(&candidate, &best).is_lt()) {
            self.best = Some(candidate);
        }
    }

    fn write(&self, found: &mut Found) -> bool {
        found.rows.clear();
        let Some(best) = self.best else { return false };
        found.rows.extend(self.rows_of(best.way).into_iter().rev());
        found.depth = best.depth;
        found.absences = best.absences;
        found.complete = best.complete;
        found.pending = best.pending;
        found.reached = best.reached;
        true
    }
}
