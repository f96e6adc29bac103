//! Which ranges are merged and which are folded at a seal.
//!
//! A seal writes its own rows. So many runs of one level are merged into one of the next, so that
//! a row is written once a level; and once what lies over a base is a third of it, all is folded, so
//! that a row of a base is written again three times while as many come. That is what is
//! written for a row in the long run. Levels keep the runs few that a reader meets: without them only
//! folding would, and where seals are small beside bases it would write the bases over and over.
//!
//! Where interactions come to all ranges alike, all are due at the same seal, and that one would
//! write the whole graph while everybody who commits waits. So a seal takes its share of those
//! that are due, the worst first, and the others wait for the next ones: at most until they are
//! twice as far beyond, which costs readers less than one seal of everything costs writers. Some of many
//! ranges are merged before they are due, so that they come round one after another.

use std::cmp::Reverse;

/// So many runs of one level are merged into one of the next.
pub(super) const FAN_IN: usize = 10;
/// A range is folded once what lies over its base is more than one in so many.
const OVERLAY_SHARE: u64 = 3;
/// How much further those may get that wait.
const WAITING: usize = 2;
/// A seal folds so many interactions of bases for each new one. Folding at a share of one in three takes
/// three, so that those who wait become fewer.
const FOLDED_FOR_NEW: u64 = 4;
/// Of many ranges, those are merged early that have one in so many of the runs that are merged.
const EARLY: usize = 2;
/// The highest level that runs are merged into.
const LEVEL_MAX: u8 = 7;

/// A range that gets new interactions.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    /// Interactions of its base.
    pub base: u64,
    /// Interactions over its base, the new ones among them.
    pub overlay: u64,
    /// Runs of each level, from that of single seals on; without the new one.
    pub runs: Vec<usize>,
}

/// What becomes of what is new in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// It is a run of its own.
    Run,
    /// It is one run of this level with all that are below.
    Merge(u8),
    /// It is one base with everything before.
    Fold,
}

impl Load {
    /// Runs of a level, with the one that is about to come.
    fn gathered(&self, level: u8) -> usize {
        self.runs.get(usize::from(level)).map_or(1, |runs| runs + 1)
    }

    fn is_full(&self, level: u8, times: usize) -> bool {
        self.gathered(level) >= FAN_IN * times
    }

    /// Whether it is so many times as far as a range may get that need not wait.
    fn wants_fold(&self, times: usize) -> bool {
        self.base == 0 || self.overlay.saturating_mul(OVERLAY_SHARE) > self.base.saturating_mul(times as u64)
    }

    /// Thousandths of its base that lie over it.
    fn share(&self) -> u64 {
        self.overlay.saturating_mul(1_000) / self.base.max(1)
    }

    /// The level that its runs are merged into: past the first one only where there is `room`, and
    /// where they are not soon to be folded, or where it cannot wait.
    fn merged_into(&self, room: bool) -> u8 {
        let goes_on = |level: u8| {
            self.is_full(level, WAITING) || (room && self.is_full(level, 1) && !self.wants_fold(1))
        };
        (1..LEVEL_MAX).find(|&level| !goes_on(level)).unwrap_or(LEVEL_MAX)
    }
}

/// What becomes of each range that gets some of `new` interactions.
pub(super) fn due(loads: &[Load], new: u64) -> Vec<Work> {
    let mut works = vec![Work::Run; loads.len()];
    let places = |wants: &dyn Fn(&Load) -> bool| -> Vec<usize> {
        let each = loads.iter().enumerate();
        each.filter(|(_, load)| wants(load)).map(|(place, _)| place).collect()
    };

    let mut folded = new.saturating_mul(FOLDED_FOR_NEW);
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

    let mut merged = loads.len().div_ceil(FAN_IN);
    let mut early = loads.len() / FAN_IN;
    let mut deeper = loads.len().div_ceil(FAN_IN * FAN_IN);
    let mut merges = places(&|load| load.gathered(0) * EARLY >= FAN_IN);
    merges.sort_by_key(|&place| loads.get(place).map(|load| Reverse(load.gathered(0))));
    for place in merges {
        let (Some(load), Some(work)) = (loads.get(place), works.get_mut(place)) else { continue };
        let has_room = if load.is_full(0, 1) { merged > 0 } else { early > 0 };
        if *work == Work::Run && (has_room || load.is_full(0, WAITING)) {
            let level = load.merged_into(deeper > 0);
            *work = Work::Merge(level);
            merged = merged.saturating_sub(1);
            early = early.saturating_sub(1);
            deeper = deeper.saturating_sub(usize::from(level > 1));
        }
    }
    works
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a seal wrote for each new interaction, and what readers meet then.
    #[derive(Clone, Copy, Debug, Default)]
    struct Seal {
        /// Interactions in runs of its own.
        own: f64,
        merged: f64,
        folded: f64,
        /// Runs of a range, on average and at most.
        runs: f64,
        runs_max: usize,
        /// What lies over a base, as a share of it, at most.
        overlay_max: f64,
    }

    impl Seal {
        fn rows(&self) -> f64 {
            self.own + self.merged + self.folded
        }
    }

    /// A range, and the interactions of its runs by level.
    #[derive(Clone, Default)]
    struct Simulated {
        load: Load,
        rows: [u64; LEVEL_MAX as usize + 1],
    }

    fn of_bases(base: u64, ranges: usize) -> Vec<Simulated> {
        let load = Load { base, ..Load::default() };
        vec![Simulated { load, ..Simulated::default() }; ranges]
    }

    /// Seals `new` interactions a range.
    fn seal(ranges: &mut [Simulated], new: u64) -> Seal {
        ranges.iter_mut().for_each(|range| range.load.overlay += new);
        let loads: Vec<Load> = ranges.iter().map(|range| range.load.clone()).collect();
        let all = (new * ranges.len() as u64) as f64;
        let mut seal = Seal::default();
        for (range, work) in ranges.iter_mut().zip(due(&loads, new * loads.len() as u64)) {
            let Simulated { load, rows } = range;
            load.runs.resize(rows.len(), 0);
            match work {
                Work::Run => {
                    seal.own += new as f64 / all;
                    rows[0] += new;
                    load.runs[0] += 1;
                }
                Work::Merge(level) => {
                    let level = usize::from(level);
                    let merged = rows[..level].iter().sum::<u64>() + new;
                    seal.merged += merged as f64 / all;
                    rows[..level].fill(0);
                    load.runs[..level].fill(0);
                    rows[level] += merged;
                    load.runs[level] += 1;
                }
                Work::Fold => {
                    seal.folded += (load.base + load.overlay) as f64 / all;
                    rows.fill(0);
                    *load = Load { base: load.base + load.overlay, ..Load::default() };
                }
            }
        }
        let runs = |range: &Simulated| range.load.runs.iter().sum::<usize>();
        seal.runs = ranges.iter().map(runs).sum::<usize>() as f64 / ranges.len() as f64;
        seal.runs_max = ranges.iter().map(runs).max().unwrap_or(0);
        let shares = ranges.iter().map(|range| range.load.overlay as f64 / range.load.base.max(1) as f64);
        seal.overlay_max = shares.fold(0.0, f64::max);
        seal
    }

    #[test]
    fn a_range_alone_does_not_wait() {
        let mut ranges = of_bases(1_000_000, 1);
        let written: Vec<f64> = (0..30).map(|_| seal(&mut ranges, 1_000).rows()).collect();
        let big: Vec<usize> =
            (1..).zip(&written).filter(|(_, rows)| **rows > 1.5).map(|(seal, _)| seal).collect();
        assert_eq!(big, [10, 20, 30]);
        assert_eq!(ranges[0].load.runs[..2], [0, 3]);
        // A base where there is none, and where more than a third has come.
        let mut ranges = of_bases(0, 1);
        let bases: Vec<u64> = (0..5)
            .map(|_| {
                seal(&mut ranges, 8_000);
                ranges[0].load.base
            })
            .collect();
        assert_eq!(bases, [8_000, 16_000, 24_000, 24_000, 40_000]);
    }

    /// Bytes for each byte of history, by what an interaction takes in a run, in a merged one and in a base,
    /// in the history in batches of a hundred, and in what every seal writes anew: as measured.
    fn bytes(seals: &[Seal]) -> f64 {
        let bytes = |seal: &Seal| seal.own * 13.5 + seal.merged * 16.0 + seal.folded * 15.5 + 53.0 + 6.0;
        seals.iter().map(bytes).sum::<f64>() / seals.len() as f64 / 12.4
    }

    #[test]
    fn writing_is_cheap_at_first_and_in_the_long_run() {
        // 150 ranges of 1.4 million as they were imported, 780,000 interactions a seal: ten minutes of
        // ten thousand a second are eight seals. 600 seals are 13 hours, and three times the store.
        let mut ranges = of_bases(1_400_000, 150);
        let seals: Vec<Seal> = (0..600).map(|_| seal(&mut ranges, 5_200)).collect();
        let mean = bytes(&seals);
        let tens: Vec<f64> = seals.windows(8).map(bytes).collect();
        assert!(tens[0] < 7.5, "{}", tens[0]);
        assert!(mean < 12.5, "{mean}");
        let worst = tens.iter().copied().fold(0.0, f64::max);
        assert!(worst < 15.0, "{worst}");
        // No commit waits for much more than others do.
        let longest = seals.iter().map(Seal::rows).fold(0.0, f64::max);
        assert!(longest < 12.0, "{longest}");
        // And readers are not made to pay for it.
        let runs = seals.iter().map(|seal| seal.runs).sum::<f64>() / seals.len() as f64;
        assert!(runs < 11.0, "{runs}");
        let runs = seals.iter().map(|seal| seal.runs_max).max().unwrap_or(0);
        assert!(runs < 25, "{runs}");
        let overlay = seals.iter().map(|seal| seal.overlay_max).fold(0.0, f64::max);
        assert!(overlay <= 2.0 / OVERLAY_SHARE as f64, "{overlay}");
    }

    #[test]
    fn small_seals_do_not_write_large_bases_over_and_over() {
        // A hundred interactions a range and seal, beside half a million: folded after 1,667 seals, where
        // folding after so many runs would write twenty thousand rows for each new one.
        let mut ranges = of_bases(500_000, 40);
        let seals: Vec<Seal> = (0..1_500).map(|_| seal(&mut ranges, 100)).collect();
        let written = seals.iter().map(Seal::rows).sum::<f64>() / seals.len() as f64;
        assert!(written < 4.0, "{written}");
        assert!(
            seals.iter().all(|seal| seal.runs_max < 45),
            "{:?}",
            seals.iter().map(|seal| seal.runs_max).max()
        );
    }

    #[test]
    fn nobody_waits_for_ever() {
        // Few new interactions beside large bases, and a small store that doubles.
        for (base, new, count) in [(50_000_000, 100, 300), (10_000, 2_000, 40), (0, 500, 5)] {
            let mut ranges = of_bases(base, count);
            for _ in 0..300 {
                seal(&mut ranges, new);
                for Simulated { load, .. } in &ranges {
                    assert!(load.runs.iter().all(|&runs| runs < FAN_IN * WAITING), "{load:?}");
                    assert!(load.overlay * OVERLAY_SHARE <= load.base * WAITING as u64, "{load:?}");
                }
            }
        }
    }
}
