//! Sealing: blocks into segments of the graph, and folding runs into new bases.
//!
//! A range takes at most [`RUNS_MAX`] seals before they are merged into one,
//! and is folded into a new base once its runs pass an eighth of it or
//! [`MERGED_RUNS_MAX`] merges have gathered.

use std::ops::RangeInclusive;

use crate::block::Block;
use crate::chunks::{ChunkWriter, Chunks};
use crate::error::Result;
use crate::index::IndexBuilder;
use crate::limits::{RANGE_CUSTOMERS, SEGMENT_INTERACTIONS};
use crate::manifest::{Range, Run, SegmentMeta};
use crate::merge::select_customers;
use crate::model::CustomerOrdinal;
use crate::names::Names;
use crate::order::merge_blocks;
use crate::segment;
use crate::span::{Wanted, read_range, read_run};

const RUNS_MAX: usize = 8;
const MERGED_RUNS_MAX: usize = 3;
/// The base's share that runs may reach.
const OVERLAY_SHARE: u64 = 8;
/// Interactions merged at once while folding.
const FOLD_ROWS: u64 = 1 << 19;

/// Gives the new interactions of some customers, or none.
pub(crate) type NewRows<'a> = &'a mut dyn FnMut(RangeInclusive<CustomerOrdinal>) -> Result<Option<Block>>;

/// Writes segments of one range in ascending order of customers.
struct RunWriter<'a, 'c> {
    out: &'a mut ChunkWriter<'c>,
    index: IndexBuilder,
    segments: Vec<SegmentMeta>,
}

impl<'a, 'c> RunWriter<'a, 'c> {
    fn new(out: &'a mut ChunkWriter<'c>, range: u32) -> Self {
        Self { out, index: IndexBuilder::new(range), segments: Vec::new() }
    }

    fn push(&mut self, block: &Block) -> Result<()> {
        if block.customers.is_empty() {
            return Ok(());
        }
        self.index.add(block)?;
        // Whole customers, in pieces of nearly equal size.
        let pieces = block.rows().div_ceil(SEGMENT_INTERACTIONS).max(1);
        let piece_rows = block.rows().div_ceil(pieces);
        let mut first = 0;
        while first < block.customers.len() {
            let start = block.journey(first).start;
            let mut last = first;
            while last + 1 < block.customers.len() && block.journey(last + 1).end - start <= piece_rows {
                last += 1;
            }
            if first == 0 && last + 1 == block.customers.len() {
                self.segment(block)?;
            } else {
                let span = match (block.customers.get(first), block.customers.get(last)) {
                    (Some(&first), Some(&last)) => first..=last,
                    _ => break,
                };
                self.segment(&select_customers(block, span))?;
            }
            first = last + 1;
        }
        Ok(())
    }

    fn segment(&mut self, block: &Block) -> Result<()> {
        let meta = write_segment(self.out, block)?;
        self.segments.push(meta);
        Ok(())
    }

    fn finish(self, level: u8) -> Result<Run> {
        let index = self.out.blob(&self.index.finish()?)?;
        Ok(Run { level, segments: self.segments, index })
    }
}

/// Writes one segment.
pub(crate) fn write_segment(out: &mut ChunkWriter<'_>, block: &Block) -> Result<SegmentMeta> {
    let encoded = segment::encode(block)?;
    let header = out.chunk(encoded.header)?;
    let body = out.blob(&encoded.body)?;
    Ok(SegmentMeta {
        header,
        body,
        rows: block.rows() as u64,
        customers: block.customers.len() as u32,
        first: block.customers.first().copied().unwrap_or_default(),
        last: block.customers.last().copied().unwrap_or_default(),
        time_min: block.times.iter().copied().min().unwrap_or_default(),
        time_max: block.times.iter().copied().max().unwrap_or_default(),
    })
}

/// Adds new interactions to a range: as its base where it has none, folded into
/// a new base where they are many, else as a run.
pub(crate) fn install(
    chunks: &Chunks,
    names: &Names,
    out: &mut ChunkWriter<'_>,
    number: u32,
    range: &mut Range,
    new_rows: u64,
    new: NewRows<'_>,
) -> Result<()> {
    let overlay: u64 = range.runs.iter().map(Run::rows).sum();
    let base = range.base.rows();
    if base == 0 || (overlay + new_rows) * OVERLAY_SHARE > base {
        return fold(chunks, names, out, number, range, new_rows, new);
    }
    let mut writer = RunWriter::new(out, number);
    for span in spans(number, new_rows) {
        if let Some(block) = new(span)? {
            writer.push(&block)?;
        }
    }
    let run = writer.finish(0)?;
    range.runs.push(run);
    let seals = range.runs.iter().filter(|run| run.level == 0).count();
    if seals < RUNS_MAX {
        return Ok(());
    }
    let merges = range.runs.len() - seals;
    if merges + 1 >= MERGED_RUNS_MAX {
        return fold(chunks, names, out, number, range, 0, &mut |_| Ok(None));
    }
    // Merges come before seals: they are older.
    let seals = range.runs.split_off(merges);
    let rows = seals.iter().map(Run::rows).sum();
    let mut writer = RunWriter::new(out, number);
    for span in spans(number, rows) {
        let mut parts = Vec::new();
        for run in &seals {
            parts.extend(read_run(chunks, names, run, span.clone(), Wanted::All)?);
        }
        writer.push(&merged(names, parts)?)?;
    }
    range.runs.push(writer.finish(1)?);
    Ok(())
}

fn fold(
    chunks: &Chunks,
    names: &Names,
    out: &mut ChunkWriter<'_>,
    number: u32,
    range: &mut Range,
    new_rows: u64,
    new: NewRows<'_>,
) -> Result<()> {
    let rows = new_rows + range.all().map(Run::rows).sum::<u64>();
    let mut writer = RunWriter::new(out, number);
    for span in spans(number, rows) {
        let mut parts = read_range(chunks, names, range, span.clone(), Wanted::All)?;
        parts.extend(new(span)?);
        writer.push(&merged(names, parts)?)?;
    }
    let base = writer.finish(u8::MAX)?;
    *range = Range { base, runs: Vec::new() };
    Ok(())
}

fn merged(names: &Names, mut parts: Vec<Block>) -> Result<Block> {
    if parts.len() <= 1 {
        return Ok(parts.pop().unwrap_or_default());
    }
    merge_blocks(names, &parts, &mut || Ok(parts.clone()))
}

/// A range's customers in spans of about [`FOLD_ROWS`] interactions.
pub(crate) fn spans(number: u32, rows: u64) -> impl Iterator<Item = RangeInclusive<CustomerOrdinal>> {
    let pieces = rows.div_ceil(FOLD_ROWS).next_power_of_two().min(u64::from(RANGE_CUSTOMERS)) as u32;
    let width = RANGE_CUSTOMERS / pieces;
    let start = number * RANGE_CUSTOMERS;
    (0..pieces).map(move |piece| start + piece * width..=start + (piece * width + (width - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_cover_a_range() {
        for rows in [0, 1, FOLD_ROWS, 3 * FOLD_ROWS, u64::MAX >> 8] {
            let all: Vec<_> = spans(2, rows).collect();
            assert_eq!(all.first().map(|span| *span.start()), Some(2 * RANGE_CUSTOMERS));
            assert_eq!(all.last().map(|span| *span.end()), Some(3 * RANGE_CUSTOMERS - 1));
            assert!(all.windows(2).all(|pair| *pair[0].end() + 1 == *pair[1].start()));
        }
    }
}
