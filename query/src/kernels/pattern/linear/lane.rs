//! The way into a step: what could be followed, and the best of it in reach.
//!
//! Calls come with ascending places (rows, or rows counted backwards), and
//! bounds move one way only; so everything enters and leaves once.

use std::collections::{BTreeMap, VecDeque};

use super::super::rule::Edge;

/// No value.
pub(super) const NONE: i32 = i32::MIN;

/// A row as a sweep sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// The row, or its negative where rows are swept backwards.
    pub place: i64,
    /// Its time, likewise.
    pub time: i64,
    /// Its code in the edge's key.
    pub code: u32,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    place: i64,
    time: i64,
    value: i32,
}

/// What lies within bounds, the greatest value in front.
#[derive(Clone, Debug, Default)]
struct Window {
    /// Not far enough back yet.
    waiting: VecDeque<Source>,
    /// Values fall from front to back.
    within: VecDeque<Source>,
}

impl Window {
    fn clear(&mut self) {
        self.waiting.clear();
        self.within.clear();
    }

    fn admit(&mut self, source: Source) {
        while self.within.back().is_some_and(|back| back.value <= source.value) {
            self.within.pop_back();
        }
        self.within.push_back(source);
    }

    fn best(&mut self, edge: &Edge, time: i64, floor: i64) -> i32 {
        if let Some(low) = edge.low {
            let newest = time.saturating_sub(low);
            while let Some(source) = self.waiting.front().copied().filter(|front| front.time <= newest) {
                self.waiting.pop_front();
                self.admit(source);
            }
        }
        let oldest = edge.high.map_or(i64::MIN, |high| time.saturating_sub(high));
        while self.within.front().is_some_and(|front| front.place < floor || front.time < oldest) {
            self.within.pop_front();
        }
        self.within.front().map_or(NONE, |front| front.value)
    }
}

/// What an edge asks for decides how it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sort {
    /// Anything before: one value is enough.
    #[default]
    Free,
    /// The row directly before.
    Next,
    /// A window.
    Bounded,
    /// A window for each code.
    Keyed,
}

/// The way into one step.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    sort: Sort,
    best: i32,
    last: Source,
    last_code: u32,
    window: Window,
    by_code: BTreeMap<u32, usize>,
    windows: Vec<Window>,
    /// Sources must not lie before it.
    pub floor: i64,
}

impl Lane {
    /// For an edge.
    pub(super) fn new(edge: &Edge) -> Self {
        let sort = match edge {
            Edge { next: true, .. } => Sort::Next,
            Edge { same: Some(_), .. } => Sort::Keyed,
            Edge { low: None, high: None, no: 0, .. } => Sort::Free,
            _ => Sort::Bounded,
        };
        Self {
            sort,
            best: NONE,
            last: Source { place: i64::MIN, time: 0, value: NONE },
            last_code: 0,
            window: Window::default(),
            by_code: BTreeMap::new(),
            windows: Vec::new(),
            floor: i64::MIN,
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.best = NONE;
        self.last.value = NONE;
        self.floor = i64::MIN;
        match self.sort {
            Sort::Free | Sort::Next => {}
            Sort::Bounded => self.window.clear(),
            Sort::Keyed => {
                self.by_code.clear();
                self.windows.iter_mut().for_each(Window::clear);
            }
        }
    }

    /// A row that can be followed.
    pub(super) fn publish(&mut self, edge: &Edge, spot: Spot, value: i32) {
        let source = Source { place: spot.place, time: spot.time, value };
        match self.sort {
            Sort::Free => self.best = self.best.max(value),
            Sort::Next => {
                let known = if self.last.place == spot.place { self.last.value } else { NONE };
                self.last = Source { value: value.max(known), ..source };
                self.last_code = spot.code;
            }
            Sort::Bounded => enqueue(&mut self.window, edge, source),
            Sort::Keyed if spot.code == 0 => {}
            Sort::Keyed => {
                let next = self.by_code.len();
                let place = *self.by_code.entry(spot.code).or_insert(next);
                if place == self.windows.len() {
                    self.windows.push(Window::default());
                }
                if let Some(window) = self.windows.get_mut(place) {
                    enqueue(window, edge, source);
                }
            }
        }
    }

    /// The greatest value of what a row may follow, or [`NONE`].
    pub(super) fn best(&mut self, edge: &Edge, spot: Spot) -> i32 {
        match self.sort {
            Sort::Free => self.best,
            Sort::Next => {
                let same = edge.same.is_none() || (spot.code != 0 && spot.code == self.last_code);
                let near = self.last.place == spot.place - 1;
                let gap = spot.time.saturating_sub(self.last.time);
                if near && same && edge.allows(gap) { self.last.value } else { NONE }
            }
            Sort::Bounded => self.window.best(edge, spot.time, self.floor),
            Sort::Keyed => {
                let place = self.by_code.get(&spot.code).filter(|_| spot.code != 0);
                let window = place.and_then(|&place| self.windows.get_mut(place));
                window.map_or(NONE, |window| window.best(edge, spot.time, self.floor))
            }
        }
    }
}

fn enqueue(window: &mut Window, edge: &Edge, source: Source) {
    if edge.low.is_some() {
        window.waiting.push_back(source);
    } else {
        window.admit(source);
    }
}
