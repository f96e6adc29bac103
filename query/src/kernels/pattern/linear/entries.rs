//! Entries of COUNT ATTEMPTS in one pass, by the latest start of whatever is
//! still alive.

use std::ops::Range;

use super::super::ground::Claim;
use super::super::rule::{Edge, Rule};
use super::lane::{Lane, NONE, Spot};
use super::sweep::{Sweep, View};

/// What could still go on, whatever the next rows are: as the ways into steps,
/// but without lower bounds and keys, which only time and chance can meet.
#[derive(Clone, Debug)]
pub(super) struct Liveness {
    edges: Vec<Edge>,
    lanes: Vec<Lane>,
    /// The latest start of what only a repetition or the end of an absence can
    /// go on with.
    waiting: i32,
    /// Of each step, and of the end: what an absence will break.
    doomed: Vec<Vec<Doomed>>,
}

/// Alive only up to the row that violates an absence.
#[derive(Clone, Copy, Debug)]
struct Doomed {
    row: u32,
    start: i32,
    until: u32,
}

impl Liveness {
    /// For a rule.
    pub(super) fn new(rule: &Rule) -> Self {
        let edges: Vec<Edge> =
            rule.steps.iter().map(|step| Edge { next: false, low: None, same: None, ..step.edge }).collect();
        Self {
            lanes: edges.iter().map(Lane::new).collect(),
            doomed: vec![Vec::new(); edges.len() + 1],
            waiting: NONE,
            edges,
        }
    }

    fn clear(&mut self) {
        self.lanes.iter_mut().for_each(Lane::clear);
        self.doomed.iter_mut().for_each(Vec::clear);
        self.waiting = NONE;
    }

    /// Takes in an attempt that has come to a position.
    fn admit(&mut self, view: &View<'_>, place: usize, row: u32, start: i32) {
        let (rule, rows) = (view.ground.rule, view.ground.rows);
        let Some(position) = view.positions.get(place) else { return };
        let Some(step) = rule.steps.get(position.step) else { return };
        if position.more.is_some() && !step.adjacent {
            self.waiting = self.waiting.max(start);
        }
        if !position.leaves {
            return;
        }
        let broken = |to: usize| {
            let violated =
                view.claims.between(&view.ground, position.step..to, row).filter_map(|claim| match claim {
                    Claim::Violated(row) => Some(row),
                    Claim::Holds | Claim::Open => None,
                });
            violated.min()
        };
        for to in view.positions.following(position.step) {
            let Some(edge) = view.edge(to) else { continue };
            if edge.next || edge.same.is_some_and(|key| rows.key(key, row) == 0) {
                continue;
            }
            match (broken(to), self.lanes.get_mut(to), self.edges.get(to)) {
                (Some(until), ..) => self.doom(to, Doomed { row, start, until }),
                (None, Some(lane), Some(edge)) => {
                    let spot = Spot { place: i64::from(row), time: rows.at(row), code: 0 };
                    lane.publish(edge, spot, start);
                }
                (None, ..) => {}
            }
        }
        let end = rule.steps.len();
        if rule.required_from(position.step + 1).is_none()
            && rule.absences_between(position.step, end).next().is_some()
        {
            match broken(end) {
                Some(until) => self.doom(end, Doomed { row, start, until }),
                None => self.waiting = self.waiting.max(start),
            }
        }
    }

    fn doom(&mut self, to: usize, new: Doomed) {
        let Some(list) = self.doomed.get_mut(to) else { return };
        while list.last().is_some_and(|last| last.until <= new.until && last.start <= new.start) {
            list.pop();
        }
        list.push(new);
    }

    /// Whether anything from before `row` is alive once it has come.
    fn survives(&mut self, view: &View<'_>, row: u32) -> bool {
        let (rule, rows) = (view.ground.rule, view.ground.rows);
        let marks = rows.marks_of(row);
        let in_time = |start: i32| start != NONE && view.is_within(start as u32, row);
        let spot = Spot { place: i64::from(row), time: rows.at(row), code: 0 };
        let mut alive = in_time(self.waiting);
        for ((lane, edge), doomed) in self.lanes.iter_mut().zip(&self.edges).zip(&mut self.doomed) {
            if marks & edge.no != 0 {
                lane.floor = i64::from(row);
            }
            alive |= in_time(lane.best(edge, spot));
            let holds = |last: &Doomed| {
                let gap = rows.at(row).saturating_sub(rows.at(last.row));
                last.until > row
                    && in_time(last.start)
                    && i64::from(last.row) >= lane.floor
                    && edge.allows(gap)
            };
            while doomed.last().is_some_and(|last| !holds(last)) {
                doomed.pop();
            }
            alive |= !doomed.is_empty();
        }
        if let Some(doomed) = self.doomed.get_mut(rule.steps.len()) {
            while doomed.last().is_some_and(|last| last.until <= row || !in_time(last.start)) {
                doomed.pop();
            }
            alive |= !doomed.is_empty();
        }
        alive
    }
}

/// Whether an attempt that has come to a position is a match.
fn completes(view: &View<'_>, place: usize, row: u32) -> bool {
    let rule = view.ground.rule;
    view.positions.get(place).is_some_and(|position| {
        position.leaves
            && rule.required_from(position.step + 1).is_none()
            && view.claims.are_clear(&view.ground, position.step..rule.steps.len(), row)
    })
}

/// Hands on the rows of every entry, from left to right.
pub(super) fn entries(
    view: &View<'_>,
    sweep: &mut Sweep,
    live: &mut Liveness,
    mut take: impl FnMut(Range<u32>),
) {
    let rule = view.ground.rule;
    let mut opened: Option<u32> = None;
    // The positions that a row comes to, with the latest start of each.
    let mut arrived: Vec<(usize, i32)> = Vec::new();
    for row in view.ground.from..view.ground.until {
        arrived.clear();
        let class = view.ground.rows.class(row);
        if let Some(first) = opened {
            for step in (0..rule.steps.len()).filter(|&step| class >> step & 1 == 1) {
                for place in view.positions.of(step) {
                    let start = sweep.arrive(view, place, row);
                    if start != NONE && view.is_within(start as u32, row) {
                        arrived.push((place, start));
                    }
                }
            }
            if !live.survives(view, row) && arrived.is_empty() {
                take(first..row);
                opened = None;
            }
        }
        if opened.is_none() || !rule.anchor_first {
            let first = arrived.len();
            let steps = (0..=view.positions.first_required).filter(|&step| class >> step & 1 == 1);
            let steps = steps.filter(|&step| view.starts(step, row));
            arrived.extend(steps.map(|step| (view.positions.of(step).start, row as i32)));
            if opened.is_none() && arrived.len() > first {
                opened = Some(row);
                sweep.clear(view.positions);
                live.clear();
            }
        }
        let Some(first) = opened else { continue };
        if arrived.iter().any(|&(place, _)| completes(view, place, row)) {
            take(first..row + 1);
            opened = None;
            continue;
        }
        for &(place, start) in &arrived {
            sweep.depart(view, place, row, start);
            live.admit(view, place, row, start);
        }
        sweep.bar(rule, view.ground.rows.marks_of(row), i64::from(row));
    }
    if let Some(first) = opened {
        take(first..view.ground.until);
    }
}
