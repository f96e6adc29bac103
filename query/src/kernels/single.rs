//! Journeys in which each row fills at most one step: how deep they get, and
//! whether they complete. Nothing is chosen but the deepest attempt's ends, so
//! that a row costs a table look-up and a comparison.

/// The step of each row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepRows<'a> {
    /// The time of each row.
    pub times: &'a [i64],
    /// A code a row.
    pub codes: &'a [u32],
    /// 1 + the step that rows of a code fill; 0 for none.
    pub table: &'a [u8],
}

impl StepRows<'_> {
    fn iter(&self) -> impl Iterator<Item = (i64, usize)> {
        let step = |&code: &u32| usize::from(self.table.get(code as usize).copied().unwrap_or(0));
        self.times.iter().copied().zip(self.codes.iter().map(step))
    }
}

/// The attempt of a journey that counts, by its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Depth {
    /// How many steps it reached.
    pub depth: usize,
    /// The time of its first row.
    pub started: i64,
    /// Its last row.
    pub last: usize,
}

/// Finds the deepest attempt where only WITHIN bounds it: what
/// [`funnel::Matcher`](super::funnel::Matcher) chooses, by the same recurrence.
#[derive(Clone, Debug)]
pub(crate) struct Depths {
    steps: usize,
    within: i64,
    /// Of each step: the latest start of an attempt that reaches it, and the row where.
    reached: Vec<(i64, usize)>,
}

impl Depths {
    /// For so many steps and a longest attempt in milliseconds.
    pub(crate) fn new(steps: usize, within: Option<i64>) -> Self {
        Self { steps, within: within.unwrap_or(i64::MAX), reached: vec![(0, 0); steps + 1] }
    }

    /// The attempt that counts; `None` where no row fills the first step.
    pub(crate) fn deepest(&mut self, rows: StepRows<'_>) -> Option<Depth> {
        let mut depth = 0;
        let reached = &mut self.reached[..];
        for (row, (at, step)) in rows.iter().enumerate() {
            // No step beyond the next one can be filled.
            if step == 0 || step > depth + 1 {
                continue;
            }
            // Place 0 stands before the first step: an attempt that starts here.
            let started = if step == 1 { at } else { reached.get(step - 1).map_or(at, |before| before.0) };
            if at.saturating_sub(started) > self.within {
                continue;
            }
            if let Some(place) = reached.get_mut(step) {
                *place = (started, row);
            }
            if step > depth {
                depth = step;
                if depth == self.steps {
                    break;
                }
            }
        }
        let &(started, last) = reached.get(depth).filter(|_| depth > 0)?;
        Some(Depth { depth, started, last })
    }
}

/// Tells whether a journey completes where only upper bounds on gaps limit it:
/// the latest row that reaches a step is then the best to go on from.
#[derive(Clone, Debug)]
pub(crate) struct Completions {
    /// Longest gap before each step; that before the first is free.
    highs: Vec<i64>,
    /// When each step was last reached.
    reached: Vec<i64>,
}

impl Completions {
    /// For the longest gaps before each step but the first, in milliseconds.
    pub(crate) fn new(highs: impl Iterator<Item = Option<i64>>) -> Self {
        let highs: Vec<i64> =
            std::iter::once(i64::MAX).chain(highs.map(|high| high.unwrap_or(i64::MAX))).collect();
        Self { reached: vec![0; highs.len()], highs }
    }

    /// Whether some rows fill all steps in order.
    pub(crate) fn complete(&mut self, rows: StepRows<'_>) -> bool {
        let mut depth = 0;
        for (at, step) in rows.iter() {
            if step == 0 || step > depth + 1 {
                continue;
            }
            if step > 1 {
                let before = self.reached.get(step - 2).copied().unwrap_or(i64::MIN);
                let high = self.highs.get(step - 1).copied().unwrap_or(i64::MAX);
                if at.saturating_sub(before) > high {
                    continue;
                }
            }
            if let Some(place) = self.reached.get_mut(step - 1) {
                *place = at;
            }
            depth = depth.max(step);
            if depth == self.highs.len() {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::funnel::{Bounds, Matcher, Rule};
    use super::*;

    fn rows(journey: &[(i64, u32)]) -> (Vec<i64>, Vec<u32>, Vec<u64>) {
        let mut at = 0;
        let times = journey.iter().map(|(gap, _)| {
            at += gap;
            at
        });
        let times = times.collect();
        let codes: Vec<u32> = journey.iter().map(|row| row.1).collect();
        // Codes 1 and 4 fill the first step, 2 the second, 3 the third.
        let classes = codes.iter().map(|code| [0, 1, 2, 4, 1][*code as usize]).collect();
        (times, codes, classes)
    }

    const TABLE: [u8; 5] = [0, 1, 2, 3, 1];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn as_the_matcher_finds_them(
            journey in prop::collection::vec((0_i64..4, 0_u32..5), 0..14),
            steps in 1_usize..4, within in prop::option::of(0_i64..12),
        ) {
            let (times, codes, mut classes) = rows(&journey);
            classes.iter_mut().for_each(|class| *class &= (1 << steps) - 1);
            let table: Vec<u8> = TABLE.iter().map(|&step| if usize::from(step) > steps { 0 } else { step }).collect();
            let mut matcher = Matcher::new(Rule { steps, within, edges: Vec::new() });
            let depth = matcher.deepest(&times, &classes);
            let found = Depths::new(steps, within).deepest(StepRows { times: &times, codes: &codes, table: &table });
            let expected = matcher.rows.first().zip(matcher.rows.last()).map(|(&first, &last)| Depth {
                depth,
                started: times[first as usize],
                last: last as usize,
            });
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn completions_are_those_of_the_matcher(
            journey in prop::collection::vec((0_i64..4, 0_u32..5), 0..14),
            highs in prop::collection::vec(prop::option::of(0_i64..6), 2),
        ) {
            let (times, codes, classes) = rows(&journey);
            let edges = highs.iter().map(|&high| Bounds { low: None, high }).collect();
            let mut matcher = Matcher::new(Rule { steps: 3, within: None, edges });
            let complete = matcher.deepest(&times, &classes) == 3;
            let mut completions = Completions::new(highs.into_iter());
            let rows = StepRows { times: &times, codes: &codes, table: &TABLE };
            prop_assert_eq!(completions.complete(rows), complete);
            // Nothing is left over from the journey before.
            prop_assert_eq!(completions.complete(rows), complete);
        }
    }
}
