//! Every way to fill the steps of a pattern, by trying every interaction for
//! every step.

use std::cmp::Reverse;

use super::flow::Journey;
use super::pattern::{Absence, Bound, Pattern, Step};

/// One interaction taken by a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taken {
    /// The row of the journey in hand.
    pub row: usize,
    /// The element of the pattern.
    pub element: usize,
    /// Which of its alternatives.
    pub alternative: usize,
}

/// What the steps took, in the order of the steps.
pub type Assignment = Vec<Taken>;

/// Whether what must not come did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It did not, and the data reaches far enough to say so (13).
    Holds,
    /// It came.
    Violated,
    /// It is too early to tell.
    Open,
}

/// The choices for one journey.
#[derive(Clone, Copy, Debug)]
pub struct Search<'s, 'e> {
    /// The pattern.
    pub pattern: &'s Pattern,
    /// The journey in hand.
    pub journey: &'s Journey<'e>,
    /// The right edge of what the query sees.
    pub right: i64,
    /// The left edge.
    pub left: i64,
    /// Whether what is too early to tell passes as absent.
    pub open_passes: bool,
    /// The only row that may be the start.
    pub start: Option<usize>,
    /// The rows that may be taken: from, and up to but not including.
    pub rows: (usize, usize),
}

impl<'s, 'e> Search<'s, 'e> {
    /// All rows of the journey, any start.
    pub fn new(pattern: &'s Pattern, journey: &'s Journey<'e>, edges: (i64, i64)) -> Self {
        let (left, right) = edges;
        Self { pattern, journey, right, left, open_passes: false, start: None, rows: (0, journey.rows.len()) }
    }

    /// The time of a row.
    pub fn time(&self, row: usize) -> i64 {
        self.journey.event(row).time
    }

    /// Every assignment that may still grow, those with too few repetitions of
    /// the last step included.
    pub fn all(&self) -> Vec<Assignment> {
        let mut found = Vec::new();
        self.grow(&mut Vec::new(), &mut found);
        found
    }

    fn grow(&self, so_far: &mut Assignment, found: &mut Vec<Assignment>) {
        for longer in self.longer(so_far, self.rows) {
            so_far.push(longer);
            found.push(so_far.clone());
            self.grow(so_far, found);
            so_far.pop();
        }
    }

    /// What may be taken next, out of the given rows.
    pub fn longer(&self, so_far: &[Taken], rows: (usize, usize)) -> Vec<Taken> {
        let mut found = Vec::new();
        let first = so_far.last().map_or(0, |taken| taken.element);
        for element in first..self.pattern.elements.len() {
            for row in rows.0..rows.1 {
                if let Some(alternative) = self.may_take(so_far, element, row) {
                    found.push(Taken { row, element, alternative });
                }
            }
            let again = so_far.last().is_some_and(|taken| taken.element == element);
            if !again && self.pattern.elements[element].required() {
                break;
            }
        }
        found
    }

    /// The interactions behind the names of steps.
    pub fn bound(&self, so_far: &[Taken]) -> Bound<'s> {
        let mut bound = Bound::new();
        for taken in so_far {
            let step = &self.pattern.elements[taken.element].alternatives[taken.alternative];
            if let Some(name) = &step.name {
                bound.insert(name, self.journey.event(taken.row));
            }
        }
        bound
    }

    /// Whether the row satisfies a step, with what came before.
    pub fn satisfies(&self, step: &Step, row: usize, bound: &Bound) -> bool {
        step.takes(&self.pattern.on, self.journey.event(row), bound)
    }

    /// Whether `element` may take `row` after `so_far`, and by which alternative:
    /// the first one in the text that the row satisfies.
    fn may_take(&self, so_far: &[Taken], element: usize, row: usize) -> Option<usize> {
        let allowed = match so_far.last() {
            None => self.may_start(row),
            Some(last) => {
                let fresh = so_far.iter().all(|taken| taken.row != row);
                let in_time = self
                    .pattern
                    .within
                    .is_none_or(|within| self.time(row) - self.time(so_far[0].row) <= within);
                fresh
                    && in_time
                    && match last.element == element {
                        true => self.may_repeat(so_far, *last, row),
                        false => self.may_follow(so_far, *last, element, row),
                    }
            }
        };
        if !allowed {
            return None;
        }
        let bound = self.bound(so_far);
        let alternatives = &self.pattern.elements[element].alternatives;
        alternatives.iter().position(|step| self.satisfies(step, row, &bound))
    }

    fn may_start(&self, row: usize) -> bool {
        self.pattern.started.is_none_or(|(from, to)| from <= self.time(row) && self.time(row) < to)
            && self.start.is_none_or(|only| only == row)
            && self.pattern.leading.iter().all(|absence| self.passes(self.before(absence, row)))
    }

    fn may_repeat(&self, so_far: &[Taken], last: Taken, row: usize) -> bool {
        let element = &self.pattern.elements[last.element];
        let adjacent = row == last.row + 1;
        element.max.is_none_or(|max| repetitions(so_far) < max)
            && row > last.row
            && (adjacent || !self.pattern.strict)
    }

    /// "The edge of step k holds between the last row of the previous taken
    /// step and the first row of step k."
    fn may_follow(&self, so_far: &[Taken], last: Taken, element: usize, row: usize) -> bool {
        let before = &self.pattern.elements[last.element];
        if repetitions(so_far) < before.min {
            return false;
        }
        let bound = self.bound(so_far);
        let mut absences = self.pattern.absences(last.element, element);
        if !absences.all(|absence| self.passes(self.after(absence, last.row, &bound))) {
            return false;
        }
        let edge = &self.pattern.elements[element].edge;
        let gap = self.time(row) - self.time(last.row);
        let placed = if edge.next || self.pattern.strict {
            row == last.row + 1
        } else {
            row > last.row || self.pattern.simultaneous.is_some_and(|tolerance| gap >= -tolerance)
        };
        let (a, b) = (self.journey.event(last.row), self.journey.event(row));
        placed
            && edge.at_least.is_none_or(|least| gap >= least)
            && edge.at_most.is_none_or(|most| gap <= most)
            && edge
                .same
                .iter()
                .all(|attr| a.attrs.contains_key(attr) && a.attrs.get(attr) == b.attrs.get(attr))
            && edge
                .no
                .iter()
                .all(|step| !(last.row + 1..row).any(|between| self.satisfies(step, between, &bound)))
    }

    fn passes(&self, absent: Absent) -> bool {
        absent == Absent::Holds || (self.open_passes && absent == Absent::Open)
    }

    /// The absence after the step whose last row is `row`.
    pub fn after(&self, absence: &Absence, row: usize, bound: &Bound) -> Absent {
        let deadline = self.time(row) + absence.within;
        let came = (row + 1..self.journey.rows.len())
            .any(|later| self.time(later) <= deadline && self.satisfies(&absence.step, later, bound));
        match (came, self.right > deadline) {
            (true, _) => Absent::Violated,
            (false, true) => Absent::Holds,
            (false, false) => Absent::Open,
        }
    }

    /// The absence before the start `row`.
    fn before(&self, absence: &Absence, row: usize) -> Absent {
        let since = self.time(row) - absence.within;
        let came = (0..row).any(|earlier| {
            self.time(earlier) >= since && self.satisfies(&absence.step, earlier, &Bound::new())
        });
        match (came, self.left < since) {
            (true, _) => Absent::Violated,
            (false, true) => Absent::Holds,
            (false, false) => Absent::Open,
        }
    }

    /// Whether nothing is missing: every required step has its least
    /// repetitions, and the absences after the last one hold.
    pub fn is_match(&self, chosen: &[Taken]) -> bool {
        let Some(last) = chosen.last() else { return false };
        let elements = &self.pattern.elements;
        repetitions(chosen) >= elements[last.element].min
            && elements[last.element + 1..].iter().all(|later| !later.required())
            && self
                .pattern
                .absences(last.element, elements.len())
                .all(|absence| self.passes(self.after(absence, last.row, &self.bound(chosen))))
    }

    /// The row at which a match completes: the greatest of those at which the
    /// required steps have their least repetitions.
    pub fn completion(&self, chosen: &[Taken]) -> usize {
        let needed = |element: usize| {
            let min = self.pattern.elements[element].min;
            let rows: Vec<usize> =
                chosen.iter().filter(|taken| taken.element == element).map(|taken| taken.row).collect();
            min.checked_sub(1).and_then(|place| rows.get(place).copied())
        };
        (0..self.pattern.elements.len()).filter_map(needed).max().unwrap_or(0)
    }

    /// Rule 4 for what is complete: completes first; then most repetitions;
    /// then latest start; then each row as early as possible; then earlier
    /// steps take most.
    pub fn first_key(&self, chosen: &[Taken]) -> impl Ord + use<> {
        (self.completion(chosen), Reverse(chosen.len()), Reverse(chosen[0].row), by_row(chosen))
    }
}

/// How many interactions the last step has taken.
pub fn repetitions(chosen: &[Taken]) -> usize {
    let last = chosen.last().map(|taken| taken.element);
    chosen.iter().rev().take_while(|taken| Some(taken.element) == last).count()
}

/// The rows in ascending order, then the steps that took them.
pub fn by_row(chosen: &[Taken]) -> (Vec<usize>, Vec<usize>) {
    let mut sorted = chosen.to_vec();
    sorted.sort_unstable();
    (sorted.iter().map(|taken| taken.row).collect(), sorted.iter().map(|taken| taken.element).collect())
}
