//! One pass over rows, forwards or backwards, that carries the best value to
//! every position at every row: rows times positions.

use std::ops::{ControlFlow, Range};

use super::super::ground::Ground;
use super::super::rule::{Edge, Rule};
use super::claims::Claims;
use super::lane::{Lane, NONE, Spot};
use super::positions::Positions;

/// What a pass reads.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub ground: Ground<'a>,
    pub positions: &'a Positions,
    pub claims: &'a Claims,
}

impl View<'_> {
    pub(super) fn edge(&self, step: usize) -> Option<&Edge> {
        self.ground.rule.steps.get(step).map(|step| &step.edge)
    }

    fn adjacent(&self, step: usize) -> bool {
        self.ground.rule.steps.get(step).is_some_and(|step| step.adjacent)
    }

    fn forward_spot(&self, edge: &Edge, row: u32) -> Spot {
        let code = edge.same.map_or(0, |key| self.ground.rows.key(key, row));
        Spot { place: i64::from(row), time: self.ground.rows.at(row), code }
    }

    fn backward_spot(&self, edge: &Edge, row: u32) -> Spot {
        let spot = self.forward_spot(edge, row);
        Spot { place: -spot.place, time: spot.time.saturating_neg(), ..spot }
    }

    /// Whether no row lies later than WITHIN allows after `start`.
    pub(super) fn is_within(&self, start: u32, row: u32) -> bool {
        let rows = self.ground.rows;
        self.ground.rule.within.is_none_or(|within| rows.at(row).saturating_sub(rows.at(start)) <= within)
    }

    /// Whether a match may start with `row` in `step`, by what `step` it is.
    pub(super) fn starts(&self, step: usize, row: u32) -> bool {
        step <= self.positions.first_required
            && self.ground.start.is_none_or(|start| start == row)
            && self.claims.may_start(row)
    }
}

/// What a pass goes over.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub rows: Range<u32>,
    /// The positions in use.
    pub places: Range<usize>,
    /// What every row adds to the value it comes to.
    pub weight: i32,
}

/// The best value of one position over the rows swept, and that of the last.
#[derive(Clone, Copy, Debug)]
struct Carried {
    best: i32,
    last: i32,
    row: u32,
}

const NOTHING: Carried = Carried { best: NONE, last: NONE, row: u32::MAX };

impl Carried {
    fn reach(self, adjacent: bool, row: u32) -> i32 {
        match adjacent {
            false => self.best,
            true if self.row == row => self.last,
            true => NONE,
        }
    }

    fn put(&mut self, row: u32, value: i32) {
        *self = Self { best: self.best.max(value), last: value, row };
    }
}

/// Memory of a pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Sweep {
    lanes: Vec<Lane>,
    carried: Vec<Carried>,
    /// The marks that some edge excludes.
    excluded: u64,
}

impl Sweep {
    /// For a rule.
    pub(super) fn new(rule: &Rule) -> Self {
        Self {
            lanes: rule.steps.iter().map(|step| Lane::new(&step.edge)).collect(),
            carried: Vec::new(),
            excluded: rule.steps.iter().fold(0, |all, step| all | step.edge.no),
        }
    }

    /// Forgets the pass before.
    pub(super) fn clear(&mut self, positions: &Positions) {
        self.lanes.iter_mut().for_each(Lane::clear);
        self.carried.clear();
        self.carried.resize(positions.all.len(), NOTHING);
    }

    /// What a row bars: rows at `place` or further are all that can be followed.
    pub(super) fn bar(&mut self, rule: &Rule, marks: u64, place: i64) {
        if marks & self.excluded != 0 {
            for (lane, step) in self.lanes.iter_mut().zip(&rule.steps) {
                if marks & step.edge.no != 0 {
                    lane.floor = place;
                }
            }
        }
    }

    /// The value that a row brings to a position from the rows before it.
    pub(super) fn arrive(&mut self, view: &View<'_>, place: usize, row: u32) -> i32 {
        let Some(position) = view.positions.get(place) else { return NONE };
        let mut value = NONE;
        if position.enters
            && let (Some(lane), Some(edge)) = (self.lanes.get_mut(position.step), view.edge(position.step))
        {
            value = lane.best(edge, view.forward_spot(edge, row));
        }
        if !position.enters || position.more == Some(place) {
            let adjacent = view.adjacent(position.step);
            let carried = |place: usize| {
                self.carried.get(place).map_or(NONE, |carried| carried.reach(adjacent, row.wrapping_sub(1)))
            };
            if !position.enters {
                value = value.max(carried(place - 1));
            }
            if position.more == Some(place) {
                value = value.max(carried(place));
            }
        }
        value
    }

    /// Hands a value at a position on to the rows that come.
    pub(super) fn depart(&mut self, view: &View<'_>, place: usize, row: u32, value: i32) {
        let Some(position) = view.positions.get(place) else { return };
        if position.more.is_some()
            && let Some(carried) = self.carried.get_mut(place)
        {
            carried.put(row, value);
        }
        if position.leaves {
            for step in view.positions.following(position.step) {
                if !view.claims.are_clear(&view.ground, position.step..step, row) {
                    // Nor are the absences up to a later step.
                    break;
                }
                if let (Some(lane), Some(edge)) = (self.lanes.get_mut(step), view.edge(step)) {
                    lane.publish(edge, view.forward_spot(edge, row), value);
                }
            }
        }
    }

    /// Sweeps forwards. `begin` gives the value of what starts at a row and
    /// position, `keep` says whether a value may stand at a row, and `take` sees each.
    pub(super) fn forwards(
        &mut self,
        view: &View<'_>,
        Stretch { rows, places, weight }: Stretch,
        begin: impl Fn(u32, usize) -> i32,
        keep: impl Fn(u32, i32) -> bool,
        mut take: impl FnMut(u32, usize, i32) -> ControlFlow<()>,
    ) {
        self.clear(view.positions);
        for row in rows {
            let mut class = view.ground.rows.class(row);
            // Later steps first, so that no row is used twice.
            while class != 0 {
                let step = 63 - class.leading_zeros() as usize;
                class &= !(1 << step);
                let of = view.positions.of(step);
                for place in (of.start.max(places.start)..of.end.min(places.end)).rev() {
                    let before = self.arrive(view, place, row);
                    let before = if before == NONE { NONE } else { before + weight };
                    let value = begin(row, place).max(before);
                    if value == NONE || !keep(row, value) {
                        continue;
                    }
                    self.depart(view, place, row, value);
                    if take(row, place, value).is_break() {
                        return;
                    }
                }
            }
            self.bar(view.ground.rule, view.ground.rows.marks_of(row), i64::from(row));
        }
    }

    /// Sweeps backwards. `end` gives the value of what ends at a row and
    /// position, the weight of that row aside, and `take` sees each value.
    pub(super) fn backwards(
        &mut self,
        view: &View<'_>,
        Stretch { rows, places, weight }: Stretch,
        end: impl Fn(u32, usize) -> i32,
        mut take: impl FnMut(u32, usize, i32),
    ) {
        self.clear(view.positions);
        for row in rows.rev() {
            let mut class = view.ground.rows.class(row);
            // Earlier steps first, so that no row is used twice.
            while class != 0 {
                let step = class.trailing_zeros() as usize;
                class &= class - 1;
                let of = view.positions.of(step);
                for place in of.start.max(places.start)..of.end.min(places.end) {
                    let value = self.beyond(view, place, row).max(end(row, place));
                    if value == NONE {
                        continue;
                    }
                    let value = value + weight;
                    if let Some(carried) = self.carried.get_mut(place) {
                        carried.put(row, value);
                    }
                    if let (true, Some(lane), Some(edge)) =
                        (place == of.start, self.lanes.get_mut(step), view.edge(step))
                    {
                        lane.publish(edge, view.backward_spot(edge, row), value);
                    }
                    take(row, place, value);
                }
            }
            self.bar(view.ground.rule, view.ground.rows.marks_of(row), -i64::from(row));
        }
    }

    /// The best value of what can follow a position at a row.
    fn beyond(&mut self, view: &View<'_>, place: usize, row: u32) -> i32 {
        let Some(position) = view.positions.get(place) else { return NONE };
        let carried = position.more.and_then(|more| self.carried.get(more));
        let mut value = carried.map_or(NONE, |carried| carried.reach(view.adjacent(position.step), row + 1));
        if position.leaves {
            for step in view.positions.following(position.step) {
                if !view.claims.are_clear(&view.ground, position.step..step, row) {
                    break;
                }
                if let (Some(lane), Some(edge)) = (self.lanes.get_mut(step), view.edge(step)) {
                    value = value.max(lane.best(edge, view.backward_spot(edge, row)));
                }
            }
        }
        value
    }
}
