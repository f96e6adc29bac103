//! Which ranges are merged and which are folded at a seal.
//!
//! Where interactions come to all ranges alike, all are due at the same seal, and that one would
//! write the whole graph while everybody who commits waits. So a seal takes its share of those
//! that are due, the worst first, and the others wait for the next ones: at most until they are
//! twice as far beyond, which costs readers less than one seal of everything costs writers.

use std::cmp::Reverse;

/// A range takes so many seals before they are merged.
pub(super) const RUNS_MAX: usize = 8;
/// And so many merges before it is folded.
pub(super) const MERGED_RUNS_MAX: usize = 3;
/// It is folded, too, once what lies over its base is more than one in so many.
const OVERLAY_SHARE: u64 = 8;
/// How much further those may get that wait.
const WAITING: usize = 2;
/// A seal folds so many interactions for each new one. Folding at a share of one in eight takes
/// nine, so that those who wait become fewer.
const FOLDED_FOR_NEW: u64 = 10;

/// A range that gets new interactions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    /// Interactions of its base.
    pub base: u64,
    /// Interactions over its base, the new ones among them.
    pub overlay: u64,
    /// Runs of one seal, without the new one.
    pub seals: usize,
    /// Runs of merged seals.
    pub merges: usize,
}

/// What becomes of what is new in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// It is a run of its own.
    Run,
    /// It is one run with the seals before.
    Merge,
    /// It is one base with everything before.
    Fold,
}

impl Load {
    fn is_full(&self, times: usize) -> bool {
        self.seals + 1 >= RUNS_MAX * times
    }

    /// Whether it is so many times as far as a range may get that need not wait.
    fn wants_fold(&self, times: usize) -> bool {
        let merges = self.merges + usize::from(self.is_full(1));
        self.base == 0
            || self.overlay.saturating_mul(OVERLAY_SHARE) > self.base.saturating_mul(times as u64)
            || merges >= MERGED_RUNS_MAX * times
    }

    /// Thousandths of its base that lie over it.
    fn share(&self) -> u64 {
        self.overlay.saturating_mul(1_000) / self.base.max(1)
    }
}

/// What becomes of each range that gets some of `new` interactions.
pub(super) fn due(loads: &[Load], new: u64) -> Vec<Work> {
    let mut works = vec![Work::Run; loads.len()];
    let all: u64 = loads.iter().map(|load| load.base).sum();
    // Those that are due by their number of merges come round in as many seals.
    let mut folded = new.saturating_mul(FOLDED_FOR_NEW).max(all / (RUNS_MAX * (MERGED_RUNS_MAX - 1)) as u64);
    let mut merged = loads.len().div_ceil(RUNS_MAX);
    let places = |wants: &dyn Fn(&Load) -> bool| -> Vec<usize> {
        let each = loads.iter().enumerate();
        each.filter(|(_, load)| wants(load)).map(|(place, _)| place).collect()
    };

    let mut folds = places(&|load| load.wants_fold(1));
    folds.sort_by_key(|&place| loads.get(place).map(|load| Reverse(load.share())));
    let mut is_first = true;
    for place in folds {
        let (Some(load), Some(work)) = (loads.get(place), works.get_mut(place)) else { continue };
        if is_first || load.wants_fold(WAITING) || load.base <= folded {
            *work = Work::Fold;
            folded = folded.saturating_sub(load.base);
            is_first = false;
        }
    }

    let mut merges = places(&|load| load.is_full(1));
    merges.sort_by_key(|&place| loads.get(place).map(|load| Reverse(load.seals)));
    for place in merges {
        let (Some(load), Some(work)) = (loads.get(place), works.get_mut(place)) else { continue };
        if *work == Work::Run && (merged > 0 || load.is_full(WAITING)) {
            *work = Work::Merge;
            merged = merged.saturating_sub(1);
        }
    }
    works
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seals `new` interactions a range, `seals` times; answers the interactions written at each.
    fn seal(loads: &mut [Load], new: u64, seals: usize) -> Vec<u64> {
        let mut written = Vec::new();
        for _ in 0..seals {
            loads.iter_mut().for_each(|load| load.overlay += new);
            let works = due(loads, new * loads.len() as u64);
            let mut rows = 0;
            for (load, work) in loads.iter_mut().zip(works) {
                match work {
                    Work::Run => {
                        rows += new;
                        load.seals += 1;
                    }
                    Work::Merge => {
                        rows += new * (load.seals as u64 + 1);
                        load.seals = 0;
                        load.merges += 1;
                    }
                    Work::Fold => {
                        rows += load.base + load.overlay;
                        *load = Load { base: load.base + load.overlay, ..Load::default() };
                    }
                }
            }
            written.push(rows);
        }
        written
    }

    #[test]
    fn a_range_alone_does_not_wait() {
        let mut load = [Load { base: 1_000_000, ..Load::default() }];
        let written = seal(&mut load, 1_000, 24);
        let big: Vec<usize> =
            (1..).zip(&written).filter(|(_, rows)| **rows > 1_000).map(|(seal, _)| seal).collect();
        assert_eq!(big, [8, 16, 24]);
        assert_eq!(written.last(), Some(&1_024_000));
        // A base where there is none, and where an eighth has come.
        let mut load = [Load::default()];
        assert_eq!(seal(&mut load, 8_000, 3), [8_000, 2 * 8_000, 3 * 8_000]);
    }

    #[test]
    fn seals_share_the_work_of_many_ranges() {
        // 150 ranges of 1.4 million, a million interactions a seal. All folded at once would be 200.
        let mut loads = vec![Load { base: 1_400_000, ..Load::default() }; 150];
        let written = seal(&mut loads, 7_000, 120);
        let new = 7_000 * 150;
        assert!(
            written.iter().all(|rows| *rows < 25 * new),
            "{:?} new ones",
            written.iter().max().map(|max| max / new)
        );
        // Any ten seals write about what they would alone, in the long run.
        let long = &written[40..];
        let mean = long.iter().sum::<u64>() / long.len() as u64;
        assert!(mean < 14 * new, "{}", mean / new);
        let tens = long.windows(10).map(|ten| ten.iter().sum::<u64>() / 10);
        assert!(tens.clone().all(|ten| ten < 2 * mean), "{:?}", tens.max().map(|max| max / mean));
        let runs = loads.iter().map(|load| load.seals + load.merges).max();
        assert!(runs <= Some(WAITING * (RUNS_MAX + MERGED_RUNS_MAX)), "{runs:?}");
    }

    #[test]
    fn nobody_waits_for_ever() {
        // Few new interactions beside large bases, and a small store that doubles.
        for (base, new, ranges) in [(50_000_000, 100, 300), (10_000, 2_000, 40), (0, 500, 5)] {
            let mut loads = vec![Load { base, ..Load::default() }; ranges];
            for _ in 0..200 {
                seal(&mut loads, new, 1);
                for load in &loads {
                    assert!(
                        load.seals < RUNS_MAX * WAITING && load.merges < MERGED_RUNS_MAX * WAITING,
                        "{load:?}"
                    );
                    assert!(load.overlay * OVERLAY_SHARE <= load.base * WAITING as u64, "{load:?}");
                }
            }
        }
    }
}
