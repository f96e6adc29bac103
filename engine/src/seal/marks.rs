//! What is dead without a mark, marked in the runs that stay.

use std::collections::{BTreeMap, BTreeSet};

use super::Sources;
use crate::chunks::ChunkWriter;
use crate::dead::{Marks, Unmarked};
use crate::error::Result;
use crate::limits::RANGE_CUSTOMERS;
use crate::manifest::{Range, Run};
use crate::model::CustomerOrdinal;
use crate::schema::{AttrId, AttrType};
use crate::segment::Chosen;
use crate::span::{Wanted, read_chosen};
use crate::tallies::{self, Tally};

/// The base's share that may be dead; beyond it the range is folded.
const DEAD_SHARE: u64 = 8;
/// Ranges that one seal folds for what is dead in them, so that it stays short.
const WORN_MAX: usize = 4;
/// Customers whose dead interactions are counted at once.
const COUNTED_AT_ONCE: usize = 1 << 12;

/// The ranges of which the greatest shares are dead, where that is too much.
pub(super) fn worn(unmarked: &Unmarked, ranges: &[Range]) -> BTreeSet<u32> {
    let mut worn = Vec::new();
    for (number, range) in (0..).zip(ranges) {
        let dead = range.all().map(|run| run.dead.rows).sum::<u64>() + unmarked.rows_of(number);
        let stored = range.base.rows();
        if dead.saturating_mul(DEAD_SHARE) > stored {
            // The worst come first.
            worn.push((std::cmp::Reverse(dead.saturating_mul(1_000) / stored.max(1)), number));
        }
    }
    worn.sort_unstable();
    worn.into_iter().take(WORN_MAX).map(|(_, number)| number).collect()
}

/// Marks in every run of `ranges` what is dead in it, and counts it.
pub(super) fn mark(sources: &Sources<'_>, out: &mut ChunkWriter<'_>, ranges: &mut [Range]) -> Result<()> {
    if sources.unmarked.customers().is_empty() {
        return Ok(());
    }
    for (number, range) in (0_u32..).zip(ranges) {
        let start = number * RANGE_CUSTOMERS;
        let customers = sources.unmarked.customers().within(start..=start + (RANGE_CUSTOMERS - 1));
        if !customers.is_empty() {
            for run in std::iter::once(&mut range.base).chain(&mut range.runs).chain(&mut range.past) {
                mark_run(sources, out, run, &customers)?;
            }
        }
    }
    Ok(())
}

fn mark_run(
    sources: &Sources<'_>,
    out: &mut ChunkWriter<'_>,
    run: &mut Run,
    customers: &[CustomerOrdinal],
) -> Result<()> {
    let Sources { chunks, names, .. } = *sources;
    let touched = |&customer: &CustomerOrdinal| {
        run.segments.iter().any(|segment| (segment.first..=segment.last).contains(&customer))
    };
    let customers: Vec<CustomerOrdinal> = customers.iter().copied().filter(touched).collect();
    if customers.is_empty() {
        return Ok(());
    }
    let mut counted: BTreeMap<_, Tally> = match run.dead.rows {
        0 => tallies::all(&chunks.blob(&run.tallies)?, chunks.folder())?
            .into_keys()
            .map(|pair| (pair, Tally::new()))
            .collect(),
        _ => tallies::all(&chunks.blob(&run.dead.tallies)?, chunks.folder())?,
    };
    // What is no symbol any more cannot be counted, and nobody asks.
    let is_symbol = |attr| names.schema.get(attr).is_some_and(|known| known.ty == AttrType::Symbol);
    counted.retain(|pair, _| is_symbol(pair.0) && is_symbol(pair.1));
    let attrs: BTreeSet<AttrId> = counted.keys().flat_map(|pair| [pair.0, pair.1]).collect();
    let attrs: Vec<AttrId> = attrs.into_iter().collect();
    let mut rows = 0;
    let mut found = Vec::new();
    for part in customers.chunks(COUNTED_AT_ONCE) {
        let chosen = Chosen::These(part);
        let Some(read) = read_chosen(chunks, names, run, &Marks::default(), &chosen, Wanted::These(&attrs))?
        else {
            continue;
        };
        rows += read.block.rows() as u64;
        counted.iter_mut().for_each(|(&pair, tally)| tallies::count(&read.block, pair, tally));
        found.extend(read.block.customers);
    }
    if rows > 0 {
        run.dead.customers.extend(found);
        run.dead.rows += rows;
        run.dead.tallies = out.blob(&tallies::encode(&counted)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::{Blob, ChunkRef};
    use crate::dead::Dead;
    use crate::manifest::SegmentMeta;

    fn run(rows: u64, dead: u64) -> Run {
        let header = ChunkRef { id: 0, len: 0, checksum: 0 };
        let meta = SegmentMeta {
            header,
            body: Blob::default(),
            rows,
            customers: 1,
            first: 0,
            last: 0,
            time_min: 0,
            time_max: 0,
        };
        Run { segments: vec![meta], dead: Dead { rows: dead, ..Dead::default() }, ..Run::default() }
    }

    #[test]
    fn the_ranges_of_which_most_is_dead_are_folded_and_few_at_once() {
        let range = |base, dead, of_run| Range {
            base: run(base, dead),
            runs: vec![run(100, of_run)],
            ..Range::default()
        };
        let none = Unmarked::default();
        // An eighth is borne, and what is dead in runs counts.
        let ranges = [range(800, 100, 0), range(800, 51, 50), range(8, 2, 0), Range::default()];
        assert_eq!(worn(&none, &ranges), [1, 2].into());
        let mut unmarked = Unmarked::default();
        unmarked.add(0, [5], 1);
        assert_eq!(worn(&unmarked, &ranges), [0, 1, 2].into());
        let ranges: Vec<Range> = (0..7).map(|n| range(1_000, 200 + n % 5, 0)).collect();
        // Shares of 0.200 to 0.204, and again 0.200 and 0.201: the four greatest.
        assert_eq!(worn(&none, &ranges), [2, 3, 4, 1].into());
    }
}
