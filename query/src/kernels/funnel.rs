//! The deepest attempt of a customer at an ordered sequence of steps.

use std::collections::VecDeque;

/// What an attempt is: steps in order, with bounds on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// How many steps; 1 to 64.
    pub steps: usize,
    /// Longest attempt from its first step, in milliseconds.
    pub within: Option<i64>,
    /// Bounds on the gap before each step but the first; all free where it is empty.
    pub edges: Vec<Bounds>,
}

/// Bounds on the gap along an edge, in milliseconds, inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// At least.
    pub low: Option<i64>,
    /// At most.
    pub high: Option<i64>,
}

impl Bounds {
    fn allows(&self, gap: i64) -> bool {
        self.low.is_none_or(|low| gap >= low) && self.high.is_none_or(|high| gap <= high)
    }

    /// Whether it bounds nothing.
    pub(crate) fn is_free(&self) -> bool {
        self.low.is_none() && self.high.is_none()
    }
}

/// Finds attempts, customer after customer; holds the memory it works in.
#[derive(Debug)]
pub(crate) struct Matcher {
    rule: Rule,
    within: i64,
    free: bool,
    /// Of each step: the row it was last reached at and the latest start of
    /// an attempt that reaches it there.
    reached: Vec<(u32, u32)>,
    levels: Vec<Level>,
    feasible: Vec<Vec<u32>>,
    /// The rows chosen, one for each step of the last attempt found.
    pub rows: Vec<u32>,
}

/// What a step has reached so far, waiting to be followed.
#[derive(Debug, Default)]
struct Level {
    /// (time, latest start) of every row that reached it, in order.
    seen: Vec<(i64, u32)>,
    /// How many of those are far enough back to be followed.
    admitted: usize,
    /// Those that no later one beats: starts fall from front to back.
    window: VecDeque<(i64, u32)>,
}

impl Level {
    fn clear(&mut self) {
        self.seen.clear();
        self.admitted = 0;
        self.window.clear();
    }

    /// The latest start over what lies `bounds` before `at`. Calls come with
    /// rising times, so everything enters and leaves the window once.
    fn latest_start(&mut self, at: i64, bounds: Bounds) -> Option<u32> {
        let newest = bounds.low.map_or(at, |low| at.saturating_sub(low));
        while let Some(&(time, start)) = self.seen.get(self.admitted).filter(|seen| seen.0 <= newest) {
            while self.window.back().is_some_and(|back| back.1 <= start) {
                self.window.pop_back();
            }
            self.window.push_back((time, start));
            self.admitted += 1;
        }
        if let Some(high) = bounds.high {
            let oldest = at.saturating_sub(high);
            while self.window.front().is_some_and(|front| front.0 < oldest) {
                self.window.pop_front();
            }
        }
        self.window.front().map(|front| front.1)
    }
}

impl Matcher {
    /// A matcher for one rule.
    pub(crate) fn new(rule: Rule) -> Self {
        let steps = rule.steps;
        Self {
            within: rule.within.unwrap_or(i64::MAX),
            free: rule.edges.iter().all(Bounds::is_free),
            reached: vec![(0, 0); steps],
            levels: std::iter::repeat_with(Level::default).take(steps).collect(),
            feasible: vec![Vec::new(); steps],
            rows: Vec::with_capacity(steps),
            rule,
        }
    }

    /// How deep the customer gets (0 to the number of steps), by language rule
    /// 4; `rows` then holds the rows chosen. `classes` has bit k set where the
    /// row can fill step k.
    ///
    /// For every row and step it can fill, the latest start over the attempts
    /// that reach it there; rows fill later steps first, so that none is used
    /// twice. The first row that completes wins, else the last row of the
    /// deepest step; the start belongs to it.
    pub(crate) fn deepest(&mut self, times: &[i64], classes: &[u64]) -> usize {
        self.rows.clear();
        let depth = if self.free { self.walk_free(times, classes) } else { self.walk(times, classes) };
        let Some(&(last, start)) = depth.checked_sub(1).and_then(|step| self.reached.get(step)) else {
            return 0;
        };
        if self.free {
            self.recover_free(classes, depth, start, last);
        } else {
            self.recover(times, classes, depth, start, last);
        }
        depth
    }

    fn bounds(&self, step: usize) -> Bounds {
        step.checked_sub(1).and_then(|edge| self.rule.edges.get(edge)).copied().unwrap_or_default()
    }

    fn walk_free(&mut self, times: &[i64], classes: &[u64]) -> usize {
        let mut depth = 0;
        let (reached, steps) = (&mut self.reached[..], self.rule.steps);
        for (row, (&at, &class)) in times.iter().zip(classes).enumerate() {
            // No step beyond the next one can be filled.
            let mut open = class & (u64::MAX >> (63 - depth.min(63)));
            while open != 0 {
                let step = 63 - open.leading_zeros() as usize;
                open &= !(1 << step);
                let start = match step.checked_sub(1).map(|before| reached.get(before)) {
                    None => row as u32,
                    Some(Some(&(_, start)))
                        if times
                            .get(start as usize)
                            .is_some_and(|&begin| at.saturating_sub(begin) <= self.within) =>
                    {
                        start
                    }
                    Some(_) => continue,
                };
                if let Some(place) = reached.get_mut(step) {
                    *place = (row as u32, start);
                    depth = depth.max(step + 1);
                }
            }
            if depth == steps {
                break;
            }
        }
        depth
    }

    fn walk(&mut self, times: &[i64], classes: &[u64]) -> usize {
        let mut depth = 0;
        self.levels.iter_mut().for_each(Level::clear);
        for (row, (&at, &class)) in times.iter().zip(classes).enumerate() {
            let mut open = class & (u64::MAX >> (63 - depth.min(63)));
            while open != 0 {
                let step = 63 - open.leading_zeros() as usize;
                open &= !(1 << step);
                let start = match step.checked_sub(1) {
                    None => Some(row as u32),
                    Some(before) => {
                        let bounds = self.bounds(step);
                        self.levels.get_mut(before).and_then(|level| level.latest_start(at, bounds)).filter(
                            |&start| {
                                times
                                    .get(start as usize)
                                    .is_some_and(|&begin| at.saturating_sub(begin) <= self.within)
                            },
                        )
                    }
                };
                if let (Some(start), Some(level), Some(place)) =
                    (start, self.levels.get_mut(step), self.reached.get_mut(step))
                {
                    level.seen.push((at, start));
                    *place = (row as u32, start);
                    depth = depth.max(step + 1);
                }
            }
            if depth == self.rule.steps {
                break;
            }
        }
        depth
    }

    /// Each step in turn at the first row after the one before; the last is given.
    fn recover_free(&mut self, classes: &[u64], depth: usize, start: u32, last: u32) {
        self.rows.push(start);
        let mut row = start as usize;
        for step in 1..depth.saturating_sub(1) {
            let after = classes.get(row + 1..=last as usize).unwrap_or_default();
            let Some(ahead) = after.iter().position(|class| class >> step & 1 == 1) else { break };
            row += 1 + ahead;
            self.rows.push(row as u32);
        }
        if depth > 1 {
            self.rows.push(last);
        }
    }

    /// Backwards, which rows can be each step of an attempt that ends at
    /// `last`; then forwards from `start`, the first of those that the bounds allow.
    fn recover(&mut self, times: &[i64], classes: &[u64], depth: usize, start: u32, last: u32) {
        let at = |row: u32| times.get(row as usize).copied().unwrap_or_default();
        for step in (1..depth).rev() {
            let (here, beyond) = self.feasible.split_at_mut(step + 1);
            let Some(here) = here.last_mut() else { continue };
            here.clear();
            if step + 1 == depth {
                here.push(last);
                continue;
            }
            // Descending, as they are found; `next` is the earliest row of the
            // step after that is far enough ahead.
            let Some(ahead) = beyond.first() else { continue };
            let bounds = self.rule.edges.get(step).copied().unwrap_or_default();
            let mut next = 0;
            for row in (start + 1..last).rev() {
                if classes.get(row as usize).is_none_or(|class| class >> step & 1 == 0) {
                    continue;
                }
                let far = |&other: &u32| {
                    other > row && bounds.low.is_none_or(|low| at(other).saturating_sub(at(row)) >= low)
                };
                while ahead.get(next).is_some_and(far) {
                    next += 1;
                }
                let nearest = next.checked_sub(1).and_then(|place| ahead.get(place));
                if nearest.is_some_and(|&other| bounds.allows(at(other).saturating_sub(at(row)))) {
                    here.push(row);
                }
            }
        }
        self.rows.push(start);
        let mut row = start;
        for step in 1..depth {
            let bounds = self.rule.edges.get(step - 1).copied().unwrap_or_default();
            let earliest = self.feasible.get(step).and_then(|rows| {
                rows.iter()
                    .rev()
                    .copied()
                    .find(|&next| next > row && bounds.allows(at(next).saturating_sub(at(row))))
            });
            let Some(next) = earliest else { break };
            self.rows.push(next);
            row = next;
        }
        debug_assert_eq!(self.rows.len(), depth);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Reverse;

    /// Tries every attempt.
    fn slow(rule: &Rule, times: &[i64], classes: &[u64]) -> Vec<u32> {
        fn extend(rule: &Rule, times: &[i64], classes: &[u64], rows: &mut Vec<u32>, all: &mut Vec<Vec<u32>>) {
            if !rows.is_empty() {
                all.push(rows.clone());
            }
            if rows.len() == rule.steps {
                return;
            }
            let from = rows.last().map_or(0, |&row| row + 1);
            for row in from..times.len() as u32 {
                let at = times[row as usize];
                let fits = classes[row as usize] >> rows.len() & 1 == 1
                    && rows.first().is_none_or(|&first| {
                        rule.within.is_none_or(|within| at - times[first as usize] <= within)
                    })
                    && rows.last().is_none_or(|&last| {
                        rule.edges
                            .get(rows.len() - 1)
                            .is_none_or(|edge| edge.allows(at - times[last as usize]))
                    });
                if fits {
                    rows.push(row);
                    extend(rule, times, classes, rows, all);
                    rows.pop();
                }
            }
        }
        let mut all = Vec::new();
        extend(rule, times, classes, &mut Vec::new(), &mut all);
        let complete = |rows: &Vec<u32>| rows.len() == rule.steps;
        if all.iter().any(complete) {
            all.retain(complete);
            all.into_iter().min_by_key(|rows| (*rows.last().expect("has"), Reverse(rows[0]), rows.clone()))
        } else {
            all.into_iter().min_by_key(|rows| {
                (Reverse(rows.len()), Reverse(*rows.last().expect("has")), Reverse(rows[0]), rows.clone())
            })
        }
        .unwrap_or_default()
    }

    /// `A` fills step 0, `B` step 1 and so on; anything else none.
    fn check(letters: &str, times: &[i64], rule: &Rule, expected: &[u32]) {
        let classes: Vec<u64> =
            letters.bytes().map(|b| if b < b'A' + rule.steps as u8 { 1 << (b - b'A') } else { 0 }).collect();
        let mut matcher = Matcher::new(rule.clone());
        assert_eq!(matcher.deepest(times, &classes), expected.len(), "{letters}");
        assert_eq!(matcher.rows, expected, "{letters}");
        assert_eq!(slow(rule, times, &classes), expected, "{letters}");
    }

    fn plain(steps: usize) -> Rule {
        Rule { steps, within: None, edges: Vec::new() }
    }

    #[test]
    fn the_conformance_cases() {
        let minute = 60_000;
        let hour = Rule { within: Some(60 * minute), ..plain(3) };
        check("AABC", &[0, 30 * minute, 45 * minute, 75 * minute], &hour, &[1, 2, 3]);
        let ordered = |letters: &str, expected: &[u32]| {
            let times: Vec<i64> = (0..letters.len() as i64).collect();
            check(letters, &times, &plain(3), expected);
        };
        ordered("ABC", &[0, 1, 2]);
        ordered("ADBC", &[0, 2, 3]);
        ordered("AABBCC", &[1, 2, 4]);
        ordered("AAAABBCC", &[3, 4, 6]);
        ordered("AABBDCC", &[1, 2, 5]);
        ordered("BBCCAA", &[5]);
        ordered("ABAC", &[0, 1, 3]);
        ordered("ABAB", &[2, 3]);
        ordered("DD", &[]);
        check("AB", &[9, 9], &plain(2), &[0, 1]);
        check("BA", &[9, 9], &plain(2), &[1]);
    }

    #[test]
    fn bounds_are_inclusive() {
        let near = Rule { edges: vec![Bounds { low: Some(2), high: Some(5) }], ..plain(2) };
        check("AB", &[0, 5], &near, &[0, 1]);
        check("AB", &[0, 6], &near, &[0]);
        check("AB", &[0, 2], &near, &[0, 1]);
        check("AB", &[0, 1], &near, &[0]);
        // The first completion wins, though its start is not the latest.
        check("AAB", &[0, 2, 3], &near, &[0, 2]);
    }

    #[test]
    fn all_64_steps_may_be_used() {
        let rule = plain(64);
        let classes: Vec<u64> = (0..64).map(|step| 1 << step).collect();
        let times: Vec<i64> = (0..64).collect();
        let mut matcher = Matcher::new(rule);
        assert_eq!(matcher.deepest(&times, &classes), 64);
        assert_eq!(matcher.rows, (0..64).collect::<Vec<u32>>());
        // One interaction fills one step.
        assert_eq!(matcher.deepest(&[0], &[u64::MAX]), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn as_the_slow_way(
            journey in prop::collection::vec((0i64..4, 0u64..16), 0..10),
            steps in 1usize..5,
            within in prop::option::of(0i64..12),
            edges in prop::option::of(prop::collection::vec((prop::option::of(0i64..5), prop::option::of(0i64..7)), 3)),
        ) {
            let mut at = 0;
            let times: Vec<i64> = journey.iter().map(|row| { at += row.0; at }).collect();
            let classes: Vec<u64> = journey.iter().map(|row| row.1 & ((1 << steps) - 1)).collect();
            let edges = edges
                .map(|edges| edges.into_iter().take(steps - 1).map(|(low, high)| Bounds { low, high }).collect())
                .unwrap_or_default();
            let rule = Rule { steps, within, edges };
            let mut matcher = Matcher::new(rule.clone());
            // What one customer leaves behind must not reach the next.
            matcher.deepest(&[0, 1, 2], &[15, 15, 15]);
            let depth = matcher.deepest(&times, &classes);
            prop_assert_eq!(depth, matcher.rows.len());
            prop_assert_eq!(&matcher.rows, &slow(&rule, &times, &classes));
        }
    }
}
