//! Sealing: blocks into segments of the graph, and folding runs into new bases.
//!
//! A range takes ten seals before they are merged into one, and is folded into
//! a new base once its runs pass a third of it, or much of it is dead. Where many ranges
//! are due at once some wait ([`due`]). What is dead is marked in the runs that stay, and
//! left out of what is written. Small runs have no index: it would be as large as they are.

mod due;
mod marks;
mod past;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use due::{Load, Work, due};

use crate::block::Block;
use crate::chunks::{Blob, ChunkRef, ChunkWriter, Chunks};
use crate::column::Column;
use crate::dead::Unmarked;
use crate::error::Result;
use crate::index::IndexBuilder;
use crate::limits::{INDEXED_INTERACTIONS_MIN, RANGE_CUSTOMERS, SEGMENT_INTERACTIONS};
use crate::manifest::{Range, Run, SegmentMeta};
use crate::merge::select_customers;
use crate::model::CustomerOrdinal;
use crate::names::Names;
use crate::order::merge_blocks;
use crate::segment::{self, EncodedSegment};
use crate::side_by_side::side_by_side;
use crate::span::{Wanted, read_run};
use crate::tallies::Tallies;
use crate::versions::Versions;

/// Interactions merged at once while folding.
const FOLD_ROWS: u64 = 1 << 19;
/// Bytes of text merged at once while folding, or in one segment, unless a single customer has more.
const FOLD_TEXT_BYTES: u64 = 64 << 20;
/// How much larger text is in memory than in a segment, roughly.
const TEXT_SHRINKS_BY: u64 = 4;

/// How much there is to write.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Amount {
    /// Interactions.
    pub rows: u64,
    /// Bytes of text, roughly.
    pub text: u64,
}

impl Amount {
    fn of(runs: &[&Run]) -> Self {
        let bytes = |run: &&Run| run.segments.iter().map(|segment| segment.body.len()).sum::<u64>();
        Self {
            rows: runs.iter().map(|run| run.rows()).sum(),
            text: runs.iter().map(bytes).sum::<u64>().saturating_mul(TEXT_SHRINKS_BY),
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, text: self.text.saturating_add(other.text) }
    }
}

/// Gives the new interactions of some customers, and new earlier versions, if any.
pub(crate) type NewRows<'a> = &'a (dyn Fn(RangeInclusive<CustomerOrdinal>) -> Result<Versions> + Sync);

/// What a seal reads.
pub(crate) struct Sources<'a> {
    pub chunks: &'a Chunks,
    pub names: &'a Names,
    /// What is dead in all the runs that there were, whether they say so or not.
    pub unmarked: &'a Unmarked,
    pub new: NewRows<'a>,
}

/// Segments of some customers, ascending, who of them has what, and how often it occurs.
struct Made {
    segments: Vec<MadeSegment>,
    index: IndexBuilder,
    tallies: Tallies,
}

/// A segment that is not in the graph yet.
struct MadeSegment {
    bytes: EncodedSegment,
    /// Without the places in the graph.
    meta: SegmentMeta,
}

impl MadeSegment {
    fn new(block: &Block) -> Result<Self> {
        let meta = SegmentMeta {
            header: ChunkRef { id: 0, len: 0, checksum: 0 },
            body: Blob::default(),
            rows: block.rows() as u64,
            customers: block.customers.len() as u32,
            first: block.customers.first().copied().unwrap_or_default(),
            last: block.customers.last().copied().unwrap_or_default(),
            time_min: block.times.iter().copied().min().unwrap_or_default(),
            time_max: block.times.iter().copied().max().unwrap_or_default(),
        };
        Ok(Self { bytes: segment::encode(block)?, meta })
    }

    fn write(self, out: &mut ChunkWriter<'_>) -> Result<SegmentMeta> {
        let header = out.chunk(self.bytes.header)?;
        Ok(SegmentMeta { header, body: out.parts(&self.bytes.body, &self.bytes.ends)?, ..self.meta })
    }
}

/// Makes the segments of a block of one range.
fn make(range: u32, block: &Block, is_indexed: bool) -> Result<Made> {
    let index = IndexBuilder::new(range);
    let mut made = Made { segments: Vec::new(), index, tallies: Tallies::default() };
    if block.customers.is_empty() {
        return Ok(made);
    }
    if is_indexed {
        made.index.add(block)?;
    }
    made.tallies = Tallies::of(block);
    // Whole customers, in pieces of nearly equal size.
    let pieces = block.rows().div_ceil(SEGMENT_INTERACTIONS).max(1);
    let piece_rows = block.rows().div_ceil(pieces);
    let text = text_before(block);
    let fits = |first: usize, last: usize| match (text.get(first), text.get(last + 1)) {
        (Some(&from), Some(&to)) => to - from <= FOLD_TEXT_BYTES,
        _ => true,
    };
    let mut first = 0;
    while first < block.customers.len() {
        let start = block.journey(first).start;
        let mut last = first;
        while last + 1 < block.customers.len()
            && block.journey(last + 1).end - start <= piece_rows
            && fits(first, last + 1)
        {
            last += 1;
        }
        if first == 0 && last + 1 == block.customers.len() {
            made.segments.push(MadeSegment::new(block)?);
        } else {
            let span = match (block.customers.get(first), block.customers.get(last)) {
                (Some(&first), Some(&last)) => first..=last,
                _ => break,
            };
            made.segments.push(MadeSegment::new(&select_customers(block, span))?);
        }
        first = last + 1;
    }
    Ok(made)
}

/// Bytes of text before each customer and after the last; empty where all of it fits a segment.
fn text_before(block: &Block) -> Vec<u64> {
    if block.text_bytes() as u64 <= FOLD_TEXT_BYTES {
        return Vec::new();
    }
    let mut sums = vec![0; block.customers.len() + 1];
    for (_, column) in &block.columns {
        let Column::Str { codes, dictionary } = column else { continue };
        for (place, sum) in sums.iter_mut().skip(1).enumerate() {
            let codes = codes.get(block.journey(place)).unwrap_or_default();
            let text = |&code: &u32| dictionary.get((code as usize).wrapping_sub(1)).len() as u64;
            *sum += codes.iter().filter(|code| **code > 0).map(text).sum::<u64>();
        }
    }
    let mut before = 0;
    for sum in &mut sums {
        before += *sum;
        *sum = before;
    }
    sums
}

/// Writes one segment.
pub(crate) fn write_segment(out: &mut ChunkWriter<'_>, block: &Block) -> Result<SegmentMeta> {
    MadeSegment::new(block)?.write(out)
}

impl Load {
    fn of(range: &Range, new: u64) -> Self {
        let overlay: u64 = range.runs.iter().map(Run::rows).sum();
        let mut runs = Vec::new();
        for level in range.runs.iter().map(|run| usize::from(run.level)) {
            runs.resize(runs.len().max(level + 1), 0);
            runs.get_mut(level).into_iter().for_each(|runs| *runs += 1);
        }
        Self { base: range.base.rows(), overlay: overlay + new, runs }
    }
}

/// What becomes of a range that gets new interactions, or has many dead ones.
struct Change {
    range: u32,
    /// Runs that are merged with what is new, oldest first; they end with it.
    merged: Vec<Run>,
    /// Of the run that comes of it; [`BASE`] for a base.
    level: u8,
    is_indexed: bool,
    spans: Vec<RangeInclusive<CustomerOrdinal>>,
    /// Runs of earlier versions that are merged with those that are new.
    past: Vec<Run>,
}

/// The level of a base.
const BASE: u8 = u8::MAX;

impl Change {
    fn of(number: u32, range: &mut Range, amount: Amount, work: Work) -> Self {
        let past = past::merged(range, work == Work::Fold);
        let (merged, level) = match work {
            Work::Fold => {
                let (base, runs) = (std::mem::take(&mut range.base), std::mem::take(&mut range.runs));
                (std::iter::once(base).chain(runs).collect(), BASE)
            }
            // Higher levels come first: they are older. What is new goes into the merge at once: it
            // could not be read back before it is sent, and would be written twice.
            Work::Merge(level) => {
                let above = range.runs.iter().take_while(|run| run.level >= level).count();
                (range.runs.split_off(above), level)
            }
            Work::Run => (Vec::new(), 0),
        };
        let all = Amount::of(&merged.iter().chain(&past).collect::<Vec<_>>()).and(amount);
        let is_indexed = level == BASE || all.rows >= INDEXED_INTERACTIONS_MIN;
        Self { range: number, spans: spans(number, all).collect(), merged, level, is_indexed, past }
    }

    /// The segments of some customers, and of earlier versions of theirs.
    fn make(&self, sources: &Sources<'_>, span: &RangeInclusive<CustomerOrdinal>) -> Result<(Made, Made)> {
        let Sources { chunks, names, unmarked, new } = *sources;
        let made = |runs: &[Run], new: Block, is_indexed: bool| {
            let mut parts = Vec::new();
            for run in runs {
                let dead = unmarked.customers();
                parts.extend(read_run(chunks, names, run, dead, span.clone(), Wanted::All)?);
            }
            parts.extend((new.rows() > 0).then_some(new));
            make(self.range, &merged(names, parts)?, is_indexed)
        };
        let Versions { current, past } = new(span.clone())?;
        Ok((made(&self.merged, current, self.is_indexed)?, made(&self.past, past, true)?))
    }
}

/// Adds new interactions to ranges: as their base where they have none, folded into
/// a new base where they are many, else as a run. Runs that stay are marked with what is dead in
/// them; a few ranges of which much is dead are folded, too. Spans of customers are made side by side
/// on `threads`, and written in order.
pub(crate) fn install(
    sources: &Sources<'_>,
    out: &mut ChunkWriter<'_>,
    ranges: &mut Vec<Range>,
    amounts: &BTreeMap<u32, Amount>,
    threads: usize,
) -> Result<()> {
    let worn = marks::worn(sources.unmarked, ranges);
    let mut amounts = amounts.clone();
    for &number in &worn {
        amounts.entry(number).or_default();
    }
    if let Some((&last, _)) = amounts.last_key_value()
        && ranges.len() <= last as usize
    {
        ranges.resize_with(last as usize + 1, Range::default);
    }
    let load = |(&number, amount): (&u32, &Amount)| {
        ranges.get(number as usize).map(|range| Load::of(range, amount.rows)).unwrap_or_default()
    };
    let loads: Vec<Load> = amounts.iter().map(load).collect();
    let new_rows = amounts.values().map(|amount| amount.rows).sum();
    let mut changes = Vec::with_capacity(amounts.len());
    for ((&number, &amount), work) in amounts.iter().zip(due(&loads, new_rows)) {
        let work = if worn.contains(&number) { Work::Fold } else { work };
        if let Some(range) = ranges.get_mut(number as usize) {
            changes.push(Change::of(number, range, amount, work));
        }
    }
    // What is merged is read without the dead, and needs no marks.
    marks::mark(sources, out, ranges)?;
    let steps: Vec<(&Change, &RangeInclusive<CustomerOrdinal>)> =
        changes.iter().flat_map(|change| change.spans.iter().map(move |span| (change, span))).collect();
    let mut written: Option<(Growing, Growing)> = None;
    side_by_side(
        threads,
        &steps,
        |(change, span)| change.make(sources, span),
        |(change, span), (made, made_past)| {
            let (mut run, mut past) =
                written.take().unwrap_or_else(|| (Growing::new(change.range), Growing::new(change.range)));
            run.add(made, out)?;
            past.add(made_past, out)?;
            if change.spans.last() != Some(*span) {
                written = Some((run, past));
                return Ok(());
            }
            let Some(range) = ranges.get_mut(change.range as usize) else { return Ok(()) };
            // Where everything was dead the range has been left without a base.
            if let Some(run) = run.finish(change.level, change.is_indexed, true, out)? {
                match change.level {
                    BASE => range.base = run,
                    _ => range.runs.push(run),
                }
            }
            range.past.extend(past.finish(past::LEVEL, true, false, out)?);
            Ok(())
        },
    )
}

/// A run that is being written.
struct Growing {
    segments: Vec<SegmentMeta>,
    index: IndexBuilder,
    tallies: Tallies,
}

impl Growing {
    fn new(range: u32) -> Self {
        Self { segments: Vec::new(), index: IndexBuilder::new(range), tallies: Tallies::default() }
    }

    fn add(&mut self, made: Made, out: &mut ChunkWriter<'_>) -> Result<()> {
        for segment in made.segments {
            self.segments.push(segment.write(out)?);
        }
        self.index.append(made.index)?;
        self.tallies.append(made.tallies);
        Ok(())
    }

    /// The run, if there is anything in it.
    fn finish(
        self,
        level: u8,
        is_indexed: bool,
        is_tallied: bool,
        out: &mut ChunkWriter<'_>,
    ) -> Result<Option<Run>> {
        if self.segments.is_empty() {
            return Ok(None);
        }
        let index = if is_indexed { out.blob(&self.index.finish()?)? } else { Blob::default() };
        let tallies = if is_tallied { out.blob(&self.tallies.encode()?)? } else { Blob::default() };
        Ok(Some(Run { level, segments: self.segments, index, tallies, ..Run::default() }))
    }
}

fn merged(names: &Names, mut parts: Vec<Block>) -> Result<Block> {
    if parts.len() <= 1 {
        return Ok(parts.pop().unwrap_or_default());
    }
    merge_blocks(names, &parts, None)
}

/// A range's customers in spans of about [`FOLD_ROWS`] interactions and at most about
/// [`FOLD_TEXT_BYTES`] of text.
pub(crate) fn spans(number: u32, amount: Amount) -> impl Iterator<Item = RangeInclusive<CustomerOrdinal>> {
    let pieces = amount.rows.div_ceil(FOLD_ROWS).max(amount.text.div_ceil(FOLD_TEXT_BYTES));
    let pieces = pieces.next_power_of_two().min(u64::from(RANGE_CUSTOMERS)) as u32;
    let width = RANGE_CUSTOMERS / pieces;
    let start = number * RANGE_CUSTOMERS;
    (0..pieces).map(move |piece| start + piece * width..=start + (piece * width + (width - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::AttrId;
    use crate::strings::Strings;

    #[test]
    fn spans_cover_a_range() {
        for rows in [0, 1, FOLD_ROWS, 3 * FOLD_ROWS, u64::MAX >> 8] {
            let all: Vec<_> = spans(2, Amount { rows, text: rows }).collect();
            assert_eq!(all.first().map(|span| *span.start()), Some(2 * RANGE_CUSTOMERS));
            assert_eq!(all.last().map(|span| *span.end()), Some(3 * RANGE_CUSTOMERS - 1));
            assert!(all.windows(2).all(|pair| *pair[0].end() + 1 == *pair[1].start()));
        }
    }

    #[test]
    fn text_is_summed_customer_by_customer_where_it_is_much() {
        let mut dictionary = Strings::default();
        dictionary.push(&"x".repeat(1 << 20));
        dictionary.push(&"y".repeat(FOLD_TEXT_BYTES as usize));
        let mut block = Block {
            customers: vec![3, 9],
            offsets: vec![0, 3, 4],
            times: vec![0; 4],
            columns: vec![(AttrId(0), Column::Str { codes: vec![1, 0, 1, 2], dictionary })],
        };
        assert_eq!(text_before(&block), [0, 2 << 20, (2 << 20) + FOLD_TEXT_BYTES]);
        block.columns.clear();
        assert_eq!(text_before(&block), Vec::<u64>::new());
    }
}
