//! Reading some customers of a range: its base, its runs, and what merges them.

use std::ops::RangeInclusive;

use crate::block::Block;
use crate::chunks::Chunks;
use crate::error::Result;
use crate::manifest::{Range, Run, SegmentMeta};
use crate::merge::{concat, select_customers};
use crate::model::CustomerOrdinal;
use crate::names::Names;
use crate::schema::AttrId;
use crate::segment::{Part, SegmentHeader};

/// Which columns to decode.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// All that are stored.
    All,
    /// These, ascending.
    These(&'a [AttrId]),
}

/// Decodes a segment, its columns as their types are now.
pub(crate) fn read_segment(
    chunks: &Chunks,
    names: &Names,
    meta: &SegmentMeta,
    wanted: Wanted<'_>,
) -> Result<Block> {
    let header = SegmentHeader::decode(&chunks.get(meta.header)?)?;
    let part = |part: Part| chunks.blob_range(&meta.body, header.range(part).unwrap_or(0..0));
    let (customers, offsets) = header.decode_journeys(&part(Part::Customers)?, &part(Part::Offsets)?)?;
    let times = header.decode_times(&part(Part::Times)?, &offsets)?;
    let mut columns = Vec::new();
    for entry in header.columns() {
        let take = match wanted {
            Wanted::All => true,
            Wanted::These(attrs) => attrs.binary_search(&entry.attr).is_ok(),
        };
        if take {
            let column = header.decode_column(entry.attr, &part(Part::Attr(entry.attr))?)?;
            columns.push((entry.attr, names.conform(entry.attr, column)));
        }
    }
    Ok(Block { customers, offsets, times, columns })
}

/// Stored bytes that decoding what a range holds of `span` takes: whole segments, the parts wanted.
pub(crate) fn stored_bytes(
    chunks: &Chunks,
    range: &Range,
    span: &RangeInclusive<CustomerOrdinal>,
    wanted: &[AttrId],
) -> Result<u64> {
    let mut bytes = 0;
    for meta in range.all().flat_map(|run| &run.segments) {
        if meta.last < *span.start() || meta.first > *span.end() {
            continue;
        }
        let header = SegmentHeader::decode(&chunks.get(meta.header)?)?;
        let columns = wanted.iter().map(|&attr| Part::Attr(attr));
        for part in [Part::Customers, Part::Offsets, Part::Times].into_iter().chain(columns) {
            bytes += header.range(part).map_or(0, |range| range.end - range.start);
        }
    }
    Ok(bytes)
}

/// The segments of a run that touch `span`, put together and cut to it.
pub(crate) fn read_run(
    chunks: &Chunks,
    names: &Names,
    run: &Run,
    span: RangeInclusive<CustomerOrdinal>,
    wanted: Wanted<'_>,
) -> Result<Option<Block>> {
    let mut parts = Vec::new();
    for meta in &run.segments {
        if meta.last >= *span.start() && meta.first <= *span.end() {
            let block = read_segment(chunks, names, meta, wanted)?;
            let whole = meta.first >= *span.start() && meta.last <= *span.end();
            parts.push(if whole { block } else { select_customers(&block, span.clone()) });
        }
    }
    match parts.len() {
        0 => Ok(None),
        1 => Ok(parts.pop().filter(|block| !block.customers.is_empty())),
        _ => Ok(Some(concat(parts)?).filter(|block| !block.customers.is_empty())),
    }
}

/// What a range holds of `span`, oldest first; blocks may share customers.
pub(crate) fn read_range(
    chunks: &Chunks,
    names: &Names,
    range: &Range,
    span: RangeInclusive<CustomerOrdinal>,
    wanted: Wanted<'_>,
) -> Result<Vec<Block>> {
    let mut parts = Vec::new();
    for run in range.all() {
        parts.extend(read_run(chunks, names, run, span.clone(), wanted)?);
    }
    Ok(parts)
}
