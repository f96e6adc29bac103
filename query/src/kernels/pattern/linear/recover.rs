//! From the row at which an attempt reaches its last required step to all of
//! its rows: counts backwards, then choices forwards.

use super::super::ground::Ground;
use super::super::rule::Rows;
use super::lane::NONE;
use super::sweep::{Stretch, Sweep, View};
use super::{Target, ends_at, goes_on};

/// What is known of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// Where the last required step is reached.
    pub row: u32,
    /// The latest start.
    pub start: u32,
    /// An earlier start counts instead where it allows more rows.
    pub weigh: bool,
}

/// How many rows an attempt can have from each row and position on; memory for
/// the choices.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    counts: Vec<i32>,
    /// The first row of it, and how many positions a row has.
    first: u32,
    width: usize,
    /// Positions that the rows chosen so far may stand at, and the place of
    /// the one before; those of one row are in the order of their steps' lists.
    ways: Vec<(usize, usize)>,
    /// Where those of each row begin.
    layers: Vec<usize>,
    chosen: Vec<u32>,
}

impl Table {
    fn put(&mut self, row: u32, place: usize, count: i32) {
        let at = (row - self.first) as usize * self.width + place;
        if let Some(slot) = self.counts.get_mut(at) {
            *slot = count;
        }
    }

    fn count(&self, row: u32, place: usize) -> i32 {
        let at = (row - self.first) as usize * self.width + place;
        self.counts.get(at).copied().unwrap_or(NONE)
    }

    /// Writes the rows of the attempt that counts; false where there is none,
    /// which a sound `choice` rules out.
    pub(super) fn recover(
        &mut self,
        view: &View<'_>,
        target: Target,
        choice: Choice,
        sweep: &mut Sweep,
        rows: &mut Vec<(u32, u32)>,
    ) -> bool {
        let Choice { row: last, mut start, weigh } = choice;
        let reaching = view.positions.reaching(target.step);
        self.width = view.positions.before(target.next);
        self.first = match weigh {
            true => earliest(view, last),
            false => start,
        };
        self.counts.clear();
        self.counts.resize((last - self.first + 1) as usize * self.width, NONE);
        let end = |row: u32, place: usize| if row == last && place == reaching { 0 } else { NONE };
        let up_to = Stretch { rows: self.first..last + 1, places: 0..reaching + 1, weight: 1 };
        sweep.backwards(view, up_to, end, |row, place, count| self.put(row, place, count));
        if weigh {
            match self.weigh(view, target, last, sweep) {
                Some(best) => start = best,
                None => return false,
            }
        }
        // Rows after the one at which the step is reached.
        let mut rest = 0;
        let mut until = last + 1;
        if goes_on(view, target) {
            until = first_beyond(view, start, last);
            self.counts.resize((until - self.first) as usize * self.width, NONE);
            let end = |row: u32, place: usize| match ends_at(view, target, place, row) {
                true => 0,
                false => NONE,
            };
            rest = NONE;
            let beyond = Stretch { rows: last..until, places: reaching..self.width, weight: 1 };
            sweep.backwards(view, beyond, end, |row, place, count| {
                if row > last {
                    self.put(row, place, count);
                } else if place == reaching {
                    rest = count - 1;
                }
            });
        }
        let mut count = NONE;
        for place in starts(view, start, self.width) {
            count = count.max(self.count(start, place));
        }
        if count == NONE || rest == NONE {
            return false;
        }
        self.walk(view, start, last, until, (count, rest)) && self.write(view, rows)
    }

    /// The start that allows most rows, the latest of these.
    fn weigh(&self, view: &View<'_>, target: Target, last: u32, sweep: &mut Sweep) -> Option<u32> {
        let reaching = view.positions.reaching(target.step);
        // (row, most rows after `last` up to there), where an attempt may end.
        let mut ends: Vec<(u32, i32)> = Vec::new();
        if goes_on(view, target) {
            let until = first_beyond(view, last, last);
            let begin = |row: u32, place: usize| if row == last && place == reaching { 0 } else { NONE };
            let places = reaching..view.positions.before(target.next);
            let beyond = Stretch { rows: last..until, places, weight: 1 };
            sweep.forwards(
                view,
                beyond,
                begin,
                |_, _| true,
                |row, place, count| {
                    let most = ends.last().map_or(NONE, |end| end.1);
                    if count > most && (row > last || place == reaching) && ends_at(view, target, place, row)
                    {
                        ends.push((row, count));
                    }
                    std::ops::ControlFlow::Continue(())
                },
            );
        } else {
            ends.push((last, 0));
        }
        let mut best: Option<(i32, u32)> = None;
        let mut reached = 0;
        for row in self.first..=last {
            let Some(count) = starts(view, row, self.width).map(|place| self.count(row, place)).max() else {
                continue;
            };
            while ends.get(reached).is_some_and(|&(end, _)| view.is_within(row, end)) {
                reached += 1;
            }
            let after = reached.checked_sub(1).and_then(|place| ends.get(place));
            if let (true, Some(&(_, after))) = (count != NONE, after)
                && best.is_none_or(|best| count + after >= best.0)
            {
                best = Some((count + after, row));
            }
        }
        best.map(|best| best.1)
    }

    /// Chooses row after row, each the earliest that leaves as many as there can be.
    fn walk(
        &mut self,
        view: &View<'_>,
        start: u32,
        last: u32,
        until: u32,
        (count, rest): (i32, i32),
    ) -> bool {
        self.ways.clear();
        self.layers.clear();
        self.chosen.clear();
        for place in starts(view, start, self.width) {
            if self.count(start, place) == count {
                self.ways.push((place, 0));
            }
        }
        self.layers.push(0);
        self.chosen.push(start);
        let (mut row, mut left) = (start, count - 1);
        loop {
            if row == last {
                left = rest;
            }
            if left == 0 {
                return true;
            }
            let end = if row < last { last + 1 } else { until };
            let Some(next) = self.step(view, row, end, left) else { return false };
            row = next;
            left -= 1;
        }
    }

    /// The next row after `row` and before `end`, from which `left` rows follow, itself included.
    fn step(&mut self, view: &View<'_>, row: u32, end: u32, left: i32) -> Option<u32> {
        let rows = view.ground.rows;
        let from = self.layers.last().copied()?;
        let to = self.ways.len();
        let mut marks = 0;
        for next in row + 1..end {
            let class = rows.class(next);
            if class != 0 {
                for way in from..to {
                    self.follow(view, (row, way), (next, class), marks, left);
                }
                if self.ways.len() > to {
                    let step = |place: usize| view.positions.get(place).map(|position| position.step);
                    let added = self.ways.get_mut(to..)?;
                    added.sort_unstable_by_key(|&(place, before)| (before, step(place)));
                    self.distinct(to);
                    self.layers.push(to);
                    self.chosen.push(next);
                    return Some(next);
                }
            }
            marks |= rows.marks_of(next);
        }
        None
    }

    /// Of ways to one position only the first is kept.
    fn distinct(&mut self, from: usize) {
        let mut kept = from;
        for at in from..self.ways.len() {
            let Some(&way) = self.ways.get(at) else { return };
            let known = self.ways.get(from..kept).unwrap_or_default().iter().any(|other| other.0 == way.0);
            if !known && let Some(slot) = self.ways.get_mut(kept) {
                *slot = way;
                kept += 1;
            }
        }
        self.ways.truncate(kept);
    }

    /// Adds the positions that `next` can stand at after a way.
    fn follow(
        &mut self,
        view: &View<'_>,
        (row, way): (u32, usize),
        (next, class): (u32, u64),
        marks: u64,
        left: i32,
    ) {
        let Some(position) = self.ways.get(way).and_then(|way| view.positions.get(way.0)) else { return };
        let step = position.step;
        if let Some(more) = position.more {
            let adjacent = view.ground.rule.steps.get(step).is_some_and(|step| step.adjacent);
            if class >> step & 1 == 1 && (!adjacent || next == row + 1) && self.count(next, more) == left {
                self.ways.push((more, way));
            }
        }
        if !position.leaves {
            return;
        }
        for to in view.positions.following(step) {
            let place = view.positions.of(to).start;
            if class >> to & 1 == 1
                && place < self.width
                && self.count(next, place) == left
                && view.edge(to).is_some_and(|edge| marks & edge.no == 0)
                && view.ground.joins(to, row, next)
                && view.claims.are_clear(&view.ground, step..to, row)
            {
                self.ways.push((place, way));
            }
        }
    }

    /// The rows with their steps: of several ways the one whose steps come first.
    fn write(&self, view: &View<'_>, rows: &mut Vec<(u32, u32)>) -> bool {
        let Some(&layer) = self.layers.last() else { return false };
        let mut way = layer;
        for &row in self.chosen.iter().rev() {
            let Some(&(place, before)) = self.ways.get(way) else { return false };
            let Some(position) = view.positions.get(place) else { return false };
            rows.push((row, position.step as u32));
            way = before;
        }
        rows.reverse();
        true
    }
}

/// The rows of an attempt at steps that each follow anything: every step in
/// turn at the first row after the one before; the last row is given.
pub(super) fn recover_free(
    ground: &Ground<'_>,
    last_step: usize,
    (start, last): (u32, u32),
    rows: &mut Vec<(u32, u32)>,
) {
    rows.push((start, 0));
    let mut row = start;
    for step in 1..last_step {
        let Some(next) = (row + 1..last).find(|&row| ground.rows.class(row) >> step & 1 == 1) else { return };
        rows.push((next, step as u32));
        row = next;
    }
    if last_step > 0 {
        rows.push((last, last_step as u32));
    }
}

/// The positions below `width` at which a match may begin with a row.
fn starts<'a>(view: &'a View<'_>, row: u32, width: usize) -> impl Iterator<Item = usize> + 'a {
    let class = view.ground.rows.class(row);
    let steps = (0..=view.positions.first_required).filter(move |&step| class >> step & 1 == 1);
    let places = steps.filter(move |&step| view.starts(step, row)).map(|step| view.positions.of(step).start);
    places.filter(move |&place| place < width)
}

/// The first row in use that is not too early for a match that goes up to `last`.
fn earliest(view: &View<'_>, last: u32) -> u32 {
    let ground = &view.ground;
    let Some(within) = ground.rule.within else { return ground.from };
    let reach = ground.rows.at(last).saturating_sub(within);
    ground.from.max(partition(ground.rows, |at| at < reach)).min(last)
}

/// One past the last row in use that is not too late for a match from `start`, `last` at least.
fn first_beyond(view: &View<'_>, start: u32, last: u32) -> u32 {
    let ground = &view.ground;
    let Some(within) = ground.rule.within else { return ground.until };
    let deadline = ground.rows.at(start).saturating_add(within);
    partition(ground.rows, |at| at <= deadline).min(ground.until).max(last + 1)
}

fn partition(rows: &Rows<'_>, before: impl Fn(i64) -> bool) -> u32 {
    rows.times.partition_point(|&at| before(at)) as u32
}
