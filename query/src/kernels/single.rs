//! Journeys in which each row fills at most one step: how deep they get, and
//! whether they complete. Nothing is chosen but the deepest attempt's ends.

use std::hint::select_unpredictable;

use super::marks::{Marks, WORD, never_empty};

/// Places for what is known of steps, by their numbers from 1.
const PLACES: usize = 16;
/// The place of no step.
const LAST_PLACE: usize = PLACES - 1;

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
    /// The step of a row, as the table has it.
    fn step(&self, row: u32) -> usize {
        let code = self.codes.get(row as usize).copied().unwrap_or(u32::MAX);
        usize::from(self.table.get(code as usize).copied().unwrap_or(0))
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
/// [`funnel::Matcher`](super::funnel::Matcher) chooses, by the same recurrence,
/// run by run of rows with one code rather than row by row. In a run the
/// attempts to go on from are the same for every row but for the first step,
/// where the last row is the latest start; and once a row comes too late, so do
/// the rest.
#[derive(Clone, Debug)]
pub(crate) struct Depths {
    steps: usize,
    within: u64,
    /// Of each step: the attempt of latest start that reaches it.
    reached: Vec<Reached>,
    marks: Marks,
    /// Where journeys begin.
    starts: Marks,
    /// Where runs begin, and the end.
    runs: Vec<u32>,
}

/// A step that an attempt got to, in a run of rows.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    started: i64,
    first: u32,
    end: u32,
}

impl Depths {
    /// For so many steps and a longest attempt in milliseconds.
    pub(crate) fn new(steps: usize, within: Option<i64>) -> Self {
        let within = within.map_or(u64::MAX, |within| u64::try_from(within).unwrap_or(0));
        Self {
            steps,
            within,
            reached: vec![Reached::default(); steps + 1],
            marks: Marks::default(),
            starts: Marks::default(),
            runs: Vec::new(),
        }
    }

    /// How many journeys got to each depth, those that did not begin first; `None` where there
    /// are too many steps, or a journey has no rows. Every journey is gone through to its end, so
    /// that nothing but the next run has to be foretold.
    pub(crate) fn count(&mut self, rows: StepRows<'_>, offsets: &[u32]) -> Option<[u64; PLACES]> {
        let Self { steps, within, marks, starts, runs, .. } = self;
        let journeys = offsets.len().saturating_sub(1);
        if *steps >= LAST_PLACE || !never_empty(offsets) {
            return None;
        }
        let all = rows.codes.len().min(rows.times.len());
        starts.clear(all);
        starts.set_starts(offsets, all);
        list_runs(rows, offsets, marks, runs);
        // The latest start of an attempt that reaches each step; the last place is for none.
        let mut reached = [0_i64; PLACES];
        let mut counts = [0_u64; PLACES];
        let mut depth = 0_usize;
        let time_at = |row: u32| rows.times.get(row as usize).copied().unwrap_or_default();
        for (&first, &end) in runs.iter().zip(runs.iter().skip(1)) {
            let word = starts.words().get(first as usize / WORD).copied().unwrap_or(0);
            let begins = (word >> (first as usize % WORD)) & 1;
            // The journey before ends. The first has none before it, which is taken back below.
            counts[depth % PLACES] += begins;
            depth *= 1 - begins as usize;
            let step = match rows.step(first) {
                0 => LAST_PLACE,
                step => step,
            };
            let begun = step == 1;
            let before = reached[(step - 1) % PLACES];
            let started = select_unpredictable(begun, time_at(end.wrapping_sub(1)), before);
            let in_time = begun | (time_at(first).wrapping_sub(started) as u64 <= *within);
            // No step beyond the next one can be filled.
            let fills = in_time & (step <= depth + 1);
            reached[select_unpredictable(fills, step, LAST_PLACE) % PLACES] = started;
            depth = depth.max(select_unpredictable(fills, step, 0));
        }
        counts[depth % PLACES] += 1;
        counts[0] -= 1;
        debug_assert_eq!(counts.iter().sum::<u64>(), journeys as u64);
        Some(counts)
    }

    /// Hands on each journey and the attempt of it that counts, where a row fills
    /// the first step. `offsets` are where journeys begin, and the end.
    pub(crate) fn each(&mut self, rows: StepRows<'_>, offsets: &[u32], mut found: impl FnMut(usize, Depth)) {
        let Self { steps, within, reached, marks, runs, .. } = self;
        let (within, reached) = (*within, &mut reached[..]);
        list_runs(rows, offsets, marks, runs);
        let mut runs = &runs[..];
        let time_at = |row: u32| rows.times.get(row as usize).copied().unwrap_or_default();
        for (journey, &journey_end) in offsets.iter().skip(1).enumerate() {
            let mut depth = 0;
            while let &[first, end, ..] = runs
                && first < journey_end
            {
                runs = runs.split_first().map_or(&[][..], |(_, rest)| rest);
                let step = rows.step(first);
                // No step beyond the next one can be filled.
                if step == 0 || step > depth + 1 {
                    continue;
                }
                let started = match step {
                    1 => time_at(end.wrapping_sub(1)),
                    _ => reached.get(step - 1).map_or(0, |before| before.started),
                };
                // Times of one journey ascend, so their difference is no negative number.
                if step > 1 && time_at(first).wrapping_sub(started) as u64 > within {
                    continue;
                }
                if let Some(place) = reached.get_mut(step) {
                    *place = Reached { started, first, end };
                }
                depth = depth.max(step);
                if depth == *steps {
                    break;
                }
            }
            while runs.first().is_some_and(|&first| first < journey_end) {
                runs = runs.split_first().map_or(&[][..], |(_, rest)| rest);
            }
            let Some(&Reached { started, first, end }) = reached.get(depth).filter(|_| depth > 0) else {
                continue;
            };
            if depth == *steps {
                // Complete with the first row that completes it.
                let started = if depth == 1 { time_at(first) } else { started };
                found(journey, Depth { depth, started, last: first as usize });
                continue;
            }
            let in_time = |at: i64| depth == 1 || at.wrapping_sub(started) as u64 <= within;
            let last = match end.wrapping_sub(1) {
                last if in_time(time_at(last)) => last as usize,
                _ => {
                    let run = rows.times.get(first as usize..end as usize).unwrap_or_default();
                    (first as usize + run.partition_point(|&at| in_time(at))).saturating_sub(1)
                }
            };
            found(journey, Depth { depth, started, last });
        }
    }
}

/// Writes where runs of one code begin, and the end, to `runs`.
fn list_runs(rows: StepRows<'_>, offsets: &[u32], marks: &mut Marks, runs: &mut Vec<u32>) {
    marks.differences(rows.codes);
    marks.set_starts(offsets, rows.codes.len());
    marks.list(runs);
    runs.push(rows.codes.len() as u32);
}

/// Tells which journeys complete where only upper bounds on gaps limit them.
/// They are gone through backwards from the rows that fill the last step, which
/// are few: the earliest row from which the rest can be reached is then the best
/// to come from, and where nothing is early enough, all up to the next last step
/// is passed over.
#[derive(Clone, Debug)]
pub(crate) struct Completions {
    /// Longest gap before each step; that before the first is free.
    highs: Vec<i64>,
    /// The earliest row of each step from which the rest can be reached.
    reached: Vec<i64>,
    marks: Marks,
    /// Rows that fill the last step.
    lasts: Vec<u32>,
}

impl Completions {
    /// For the longest gaps before each step but the first, in milliseconds.
    pub(crate) fn new(highs: impl Iterator<Item = Option<i64>>) -> Self {
        let highs: Vec<i64> =
            std::iter::once(i64::MAX).chain(highs.map(|high| high.unwrap_or(i64::MAX))).collect();
        Self { reached: vec![0; highs.len()], highs, marks: Marks::default(), lasts: Vec::new() }
    }

    /// Hands on each journey of which some rows fill all steps in order.
    /// `offsets` are where journeys begin, and the end.
    pub(crate) fn each(&mut self, rows: StepRows<'_>, offsets: &[u32], mut found: impl FnMut(usize)) {
        let Self { highs, reached, marks, lasts } = self;
        let last_step = u8::try_from(highs.len()).unwrap_or(u8::MAX);
        marks.rows_of(rows.codes, rows.table, last_step);
        marks.list(lasts);
        let mut lasts = &lasts[..];
        for (journey, bounds) in offsets.windows(2).enumerate() {
            let &[start, end] = bounds else { continue };
            let own = lasts.iter().take_while(|&&last| last < end).count();
            if own == 0 {
                continue;
            }
            let (own, rest) = lasts.split_at(own);
            lasts = rest;
            if complete(highs, reached, rows, start, own) {
                found(journey);
            }
        }
    }
}

/// Whether some rows of the journey that begins at `start` fill all steps in
/// order, by the longest gaps before each. `lasts` are its rows that fill the last.
fn complete(highs: &[i64], reached: &mut [i64], rows: StepRows<'_>, start: u32, mut lasts: &[u32]) -> bool {
    let steps = highs.len();
    // Steps reached from the last one on, and how early a row can be to go on from any of them.
    let (mut depth, mut earliest) = (0, i64::MAX);
    let mut next = lasts.last().copied();
    while let Some(row) = next {
        let at = rows.times.get(row as usize).copied().unwrap_or_default();
        if at < earliest && depth > 0 {
            lasts = lasts.get(..lasts.partition_point(|&last| last <= row)).unwrap_or_default();
            (next, depth, earliest) = (lasts.last().copied(), 0, i64::MAX);
            continue;
        }
        next = row.checked_sub(1).filter(|&row| row >= start);
        let step = rows.step(row);
        if step == 0 || step + depth < steps {
            continue;
        }
        if step < steps {
            let after = reached.get(step).copied().unwrap_or(i64::MAX);
            let high = highs.get(step).copied().unwrap_or(i64::MAX);
            if after.saturating_sub(at) > high {
                continue;
            }
        }
        if step == 1 {
            return true;
        }
        if let (Some(place), Some(high)) = (reached.get_mut(step - 1), highs.get(step - 1)) {
            *place = at;
            let free = *high == i64::MAX;
            earliest = if free { i64::MIN } else { earliest.min(at.saturating_sub(*high)) };
        }
        depth = depth.max(steps + 1 - step);
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::funnel::{Bounds, Matcher, Rule};
    use super::*;

    /// Times, codes and classes of some journeys, and where they begin.
    #[derive(Default)]
    struct Journeys {
        offsets: Vec<u32>,
        times: Vec<i64>,
        codes: Vec<u32>,
        classes: Vec<u64>,
    }

    impl Journeys {
        fn new(journeys: &[Vec<(i64, u32)>]) -> Self {
            let mut all = Self { offsets: vec![0], ..Self::default() };
            for journey in journeys {
                let mut at = 0;
                for &(gap, code) in journey {
                    at += gap;
                    all.times.push(at);
                    all.codes.push(code);
                    // Codes 1 and 4 fill the first step, 2 the second, 3 the third.
                    all.classes.push([0, 1, 2, 4, 1][code as usize]);
                }
                all.offsets.push(all.times.len() as u32);
            }
            all
        }

        fn each(&self) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
            self.offsets.windows(2).map(|bounds| bounds[0] as usize..bounds[1] as usize).enumerate()
        }
    }

    fn journeys() -> impl Strategy<Value = Vec<Vec<(i64, u32)>>> {
        let journey =
            |fewest| prop::collection::vec(prop::collection::vec((0_i64..4, 0_u32..5), fewest..14), 0..6);
        prop_oneof![journey(0), journey(1)]
    }

    const TABLE: [u8; 5] = [0, 1, 2, 3, 1];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn as_the_matcher_finds_them(
            journeys in journeys(), steps in 1_usize..4, within in prop::option::of(0_i64..12),
        ) {
            let Journeys { times, codes, offsets, classes } = &Journeys::new(&journeys);
            let table: Vec<u8> = TABLE.iter().map(|&step| if usize::from(step) > steps { 0 } else { step }).collect();
            let mut matcher = Matcher::new(Rule { steps, within, edges: Vec::new() });
            let mut expected = Vec::new();
            for (journey, range) in Journeys::new(&journeys).each() {
                let classes: Vec<u64> =
                    classes[range.clone()].iter().map(|class| class & ((1 << steps) - 1)).collect();
                let depth = matcher.deepest(&times[range.clone()], &classes);
                expected.extend(matcher.rows.first().zip(matcher.rows.last()).map(|(&first, &last)| {
                    let (first, last) = (range.start + first as usize, range.start + last as usize);
                    (journey, Depth { depth, started: times[first], last })
                }));
            }
            let mut depths = Depths::new(steps, within);
            // Nothing is left over from the block before.
            for _ in 0..2 {
                let mut found = Vec::new();
                let rows = StepRows { times, codes, table: &table };
                depths.each(rows, offsets, |journey, depth| found.push((journey, depth)));
                prop_assert_eq!(&found, &expected);
                let counts = depths.count(rows, offsets);
                prop_assert_eq!(counts.is_some(), journeys.iter().all(|journey| !journey.is_empty()));
                if let Some(counts) = counts {
                    let mut by_depth = [0; PLACES];
                    by_depth[0] = (journeys.len() - expected.len()) as u64;
                    expected.iter().for_each(|(_, found)| by_depth[found.depth] += 1);
                    prop_assert_eq!(counts, by_depth);
                }
            }
        }

        #[test]
        fn completions_are_those_of_the_matcher(
            journeys in journeys(), highs in prop::collection::vec(prop::option::of(0_i64..6), 2),
        ) {
            let all = Journeys::new(&journeys);
            let edges = highs.iter().map(|&high| Bounds { low: None, high }).collect();
            let mut matcher = Matcher::new(Rule { steps: 3, within: None, edges });
            let completes = |(_, range): &(usize, std::ops::Range<usize>)| {
                matcher.deepest(&all.times[range.clone()], &all.classes[range.clone()]) == 3
            };
            let expected: Vec<usize> = all.each().filter(completes).map(|(journey, _)| journey).collect();
            let mut completions = Completions::new(highs.into_iter());
            for _ in 0..2 {
                let mut found = Vec::new();
                let rows = StepRows { times: &all.times, codes: &all.codes, table: &TABLE };
                completions.each(rows, &all.offsets, |journey| found.push(journey));
                prop_assert_eq!(&found, &expected);
            }
        }
    }
}
