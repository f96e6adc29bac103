//! Steps unrolled into their repetitions.

use std::ops::Range;

use super::super::rule::Rule;

/// Quantifiers up to here are unrolled once; larger ones for each journey
/// anew, since no step repeats more often than the journey is long.
const STATIC_REPETITIONS_MAX: u32 = 8;

/// One repetition of a step; of a step without a bound the last one stands for
/// all beyond the fewest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub step: usize,
    /// It is the first of its step.
    pub enters: bool,
    /// It is the one that reaches a required step: the last of the fewest.
    pub reaches: bool,
    /// The step may end with it.
    pub leaves: bool,
    /// The next repetition: the position after it, or itself.
    pub more: Option<usize>,
}

/// The positions of a rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Positions {
    pub all: Vec<Position>,
    /// Those of each step.
    of: Vec<Range<usize>>,
    /// The last step that can directly follow each: the next required one, or the last.
    follows: Vec<usize>,
    /// The first required step.
    pub first_required: usize,
    /// The journey's length it holds for; `None` for every length.
    rows: Option<u32>,
}

impl Positions {
    /// Those of a rule for journeys of `rows` rows.
    pub(super) fn new(rule: &Rule, rows: u32) -> Self {
        let large = |step: &super::Step| step.fewest().max(step.max.unwrap_or(0)) > STATIC_REPETITIONS_MAX;
        let is_static = !rule.steps.iter().any(large);
        let mut positions = Self {
            first_required: rule.required_from(0).unwrap_or(0),
            rows: (!is_static).then_some(rows),
            ..Self::default()
        };
        let last_step = rule.steps.len().saturating_sub(1);
        for (place, step) in rule.steps.iter().enumerate() {
            let first = positions.all.len();
            let (fewest, most) = match is_static {
                true => (step.fewest(), step.max),
                false => (step.fewest().min(rows + 1), step.max.filter(|&most| most == 1 || most < rows)),
            };
            let count = most.map_or(fewest + 1, |most| most.max(fewest));
            for rep in 1..=count {
                let here = positions.all.len();
                let more = match most {
                    _ if rep < count => Some(here + 1),
                    None => Some(here),
                    Some(_) => None,
                };
                positions.all.push(Position {
                    step: place,
                    enters: rep == 1,
                    reaches: rep == fewest && step.min > 0,
                    leaves: rep >= fewest,
                    more,
                });
            }
            positions.of.push(first..positions.all.len());
            positions.follows.push(rule.required_from(place + 1).unwrap_or(last_step));
        }
        positions
    }

    /// Whether they hold for journeys of `rows` rows.
    pub(super) fn fit(&self, rows: u32) -> bool {
        self.rows.is_none_or(|fitting| fitting == rows)
    }

    /// One of them.
    pub(super) fn get(&self, place: usize) -> Option<Position> {
        self.all.get(place).copied()
    }

    /// Those of a step.
    pub(super) fn of(&self, step: usize) -> Range<usize> {
        self.of.get(step).cloned().unwrap_or_default()
    }

    /// The steps that can directly follow a step.
    pub(super) fn following(&self, step: usize) -> Range<usize> {
        step + 1..self.follows.get(step).copied().unwrap_or(0) + 1
    }

    /// The position at which a step is reached.
    pub(super) fn reaching(&self, step: usize) -> usize {
        let of = self.of(step);
        of.clone().find(|&place| self.get(place).is_some_and(|place| place.reaches)).unwrap_or(of.start)
    }

    /// One past the last position of the steps before `step`.
    pub(super) fn before(&self, step: usize) -> usize {
        step.checked_sub(1).map_or(0, |before| self.of(before).end)
    }
}
