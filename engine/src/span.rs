//! Reading some customers of a range: its base, its runs, and what merges them.

use std::ops::RangeInclusive;

use crate::block::Block;
use crate::chunks::{BytesPart, Chunks};
use crate::columns::Bytes;
use crate::dead::Marks;
use crate::error::Result;
use crate::limits::PAGE_BYTES;
use crate::manifest::{Range, Run, SegmentMeta};
use crate::merge::{concat, select_places, without_customers};
use crate::model::CustomerOrdinal;
use crate::names::Names;
use crate::schema::AttrId;
use crate::segment::{Chosen, Part, SegmentHeader};

/// Which columns to decode.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// All that are stored.
    All,
    /// These, ascending.
    These(&'a [AttrId]),
    /// These, ascending, and of whole segments no times.
    Untimed(&'a [AttrId]),
}

impl Wanted<'_> {
    pub(crate) fn takes(&self, attr: AttrId) -> bool {
        match self {
            Self::All => true,
            Self::These(attrs) | Self::Untimed(attrs) => attrs.binary_search(&attr).is_ok(),
        }
    }
}

/// A segment is read by its wanted rows alone where the customers in a span are one in so many, or
/// fewer.
const SPAN_SHARE: usize = 2;
/// So for single customers, each of whom costs a microsecond and more in every column: measured on
/// segments of 4,000 customers and 88,000 interactions.
const SINGLE_SHARE: usize = 12;

/// A block, and how many stored bytes were decoded for it.
pub(crate) struct ReadBlock {
    pub block: Block,
    pub bytes: u64,
}

/// Decodes a segment, its columns as their types are now.
pub(crate) fn read_segment(
    chunks: &Chunks,
    names: &Names,
    meta: &SegmentMeta,
    wanted: Wanted<'_>,
) -> Result<Block> {
    read_whole(chunks, names, meta, wanted).map(|read| read.block)
}

fn read_whole(chunks: &Chunks, names: &Names, meta: &SegmentMeta, wanted: Wanted<'_>) -> Result<ReadBlock> {
    let header = SegmentHeader::decode(&chunks.get(meta.header)?)?;
    let view = chunks.view(&meta.body);
    view.fetch(&places(&header, wanted))?;
    let part = |part: Part| view.get(place(&header, part).unwrap_or_default());
    let (customers, offsets) = header.decode_journeys(&part(Part::Customers)?, &part(Part::Offsets)?)?;
    let times = match wanted {
        Wanted::Untimed(_) => Vec::new(),
        _ => header.decode_times(&part(Part::Times)?, &offsets)?,
    };
    let mut columns = Vec::new();
    for entry in header.columns().iter().filter(|entry| wanted.takes(entry.attr)) {
        let column = header.decode_column(entry.attr, &part(Part::Attr(entry.attr))?)?;
        columns.push((entry.attr, names.conform(entry.attr, column)));
    }
    let block = Block { customers, offsets, times, columns };
    Ok(ReadBlock { block, bytes: view.handed_out() })
}

/// As [`read_segment`], of chosen customers alone.
fn read_excerpt(
    chunks: &Chunks,
    names: &Names,
    meta: &SegmentMeta,
    chosen: &Chosen<'_>,
    wanted: Wanted<'_>,
) -> Result<ReadBlock> {
    let header = SegmentHeader::decode(&chunks.get(meta.header)?)?;
    let view = chunks.view(&meta.body);
    // Of a long column only the pages that hold the rows are read, when it is asked for them.
    let mut short = places(&header, wanted);
    short.retain(|place| place.len() <= PAGE_BYTES);
    view.fetch(&short)?;
    let part = |part: Part| BytesPart { bytes: &view, range: place(&header, part).unwrap_or_default() };
    let excerpt = header.find(&part(Part::Customers), &part(Part::Offsets), chosen)?;
    let mut block = header.decode_excerpt(&part(Part::Times), &excerpt)?;
    for entry in header.columns().iter().filter(|entry| wanted.takes(entry.attr)) {
        let column = header.decode_column_excerpt(entry.attr, &part(Part::Attr(entry.attr)), &excerpt)?;
        block.columns.push((entry.attr, names.conform(entry.attr, column)));
    }
    Ok(ReadBlock { block, bytes: view.handed_out() })
}

/// Where what is wanted of a segment lies in its body.
fn places(header: &SegmentHeader, wanted: Wanted<'_>) -> Vec<std::ops::Range<usize>> {
    let columns = header.columns().iter().filter(|entry| wanted.takes(entry.attr));
    let own = [Part::Customers, Part::Offsets, Part::Times];
    let own = own.into_iter().filter(|part| !matches!((part, wanted), (Part::Times, Wanted::Untimed(_))));
    own.chain(columns.map(|entry| Part::Attr(entry.attr))).filter_map(|part| place(header, part)).collect()
}

fn place(header: &SegmentHeader, part: Part) -> Option<std::ops::Range<usize>> {
    let range = header.range(part)?;
    Some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

/// Stored bytes that decoding what a range holds of `span` takes: whole segments, the parts wanted.
pub(crate) fn stored_bytes(
    chunks: &Chunks,
    range: &Range,
    span: &RangeInclusive<CustomerOrdinal>,
    wanted: &[AttrId],
    timed: bool,
) -> Result<u64> {
    let mut bytes = 0;
    for meta in range.all().flat_map(|run| &run.segments) {
        if meta.last < *span.start() || meta.first > *span.end() {
            continue;
        }
        let header = SegmentHeader::decode(&chunks.get(meta.header)?)?;
        let columns = wanted.iter().map(|&attr| Part::Attr(attr));
        let times = timed.then_some(Part::Times);
        for part in [Part::Customers, Part::Offsets].into_iter().chain(times).chain(columns) {
            bytes += header.range(part).map_or(0, |range| range.end - range.start);
        }
    }
    Ok(bytes)
}

/// The chosen customers of a run, without those who are dead in it, and without those of `dead`.
pub(crate) fn read_chosen(
    chunks: &Chunks,
    names: &Names,
    run: &Run,
    dead: &Marks,
    chosen: &Chosen<'_>,
    wanted: Wanted<'_>,
) -> Result<Option<ReadBlock>> {
    let dead = [&run.dead.customers, dead].map(Marks::get);
    let living: Vec<CustomerOrdinal>;
    let living = match chosen {
        // Of the dead not a byte is read where they are chosen one by one.
        Chosen::These(these) if dead.iter().any(Option::is_some) => {
            let is_dead = |customer| dead.iter().flatten().any(|dead| dead.contains(customer));
            living = these.iter().copied().filter(|&customer| !is_dead(customer)).collect();
            &Chosen::These(&living)
        }
        _ => chosen,
    };
    let mut read = read_all_of(chunks, names, run, living, wanted)?;
    if let (Some(read), Chosen::Span(_)) = (&mut read, chosen) {
        for dead in dead.into_iter().flatten() {
            read.block = without_customers(std::mem::take(&mut read.block), dead);
        }
    }
    Ok(read.filter(|read| !read.block.customers.is_empty()))
}

/// As [`read_chosen`], with the dead.
fn read_all_of(
    chunks: &Chunks,
    names: &Names,
    run: &Run,
    chosen: &Chosen<'_>,
    wanted: Wanted<'_>,
) -> Result<Option<ReadBlock>> {
    let share = match chosen {
        Chosen::Span(_) => SPAN_SHARE,
        Chosen::These(_) => SINGLE_SHARE,
    };
    let mut parts = Vec::new();
    let mut bytes = 0;
    for meta in &run.segments {
        let own = chosen.within(meta.first, meta.last);
        if own.is_empty() {
            continue;
        }
        let read = if chosen.covers(meta.first, meta.last) {
            read_whole(chunks, names, meta, wanted)?
        } else if own.len().saturating_mul(share) <= meta.customers as usize {
            read_excerpt(chunks, names, meta, &own, wanted)?
        } else {
            let ReadBlock { block, bytes } = read_whole(chunks, names, meta, wanted)?;
            ReadBlock { block: select_places(&block, &own.places(&block.customers), &block.columns), bytes }
        };
        bytes += read.bytes;
        parts.push(read.block);
    }
    let block = match parts.len() {
        0 => return Ok(None),
        1 => parts.pop().unwrap_or_default(),
        _ => concat(parts)?,
    };
    Ok(Some(ReadBlock { block, bytes }))
}

/// The segments of a run that touch `span`, put together and cut to it, without the dead.
pub(crate) fn read_run(
    chunks: &Chunks,
    names: &Names,
    run: &Run,
    dead: &Marks,
    span: RangeInclusive<CustomerOrdinal>,
    wanted: Wanted<'_>,
) -> Result<Option<Block>> {
    Ok(read_chosen(chunks, names, run, dead, &Chosen::Span(span), wanted)?.map(|read| read.block))
}

/// What runs of a range hold of chosen customers, oldest first; blocks may share customers. `dead` is
/// dead in every run.
pub(crate) fn read_runs_of<'a>(
    chunks: &Chunks,
    names: &Names,
    runs: impl IntoIterator<Item = &'a Run>,
    dead: &Marks,
    chosen: &Chosen<'_>,
    wanted: Wanted<'_>,
) -> Result<Vec<ReadBlock>> {
    let mut parts = Vec::new();
    for run in runs {
        parts.extend(read_chosen(chunks, names, run, dead, chosen, wanted)?);
    }
    Ok(parts)
}
