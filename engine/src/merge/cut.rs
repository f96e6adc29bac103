//! Blocks cut by customers, and put end to end again.

use std::ops::{Range, RangeInclusive};

use roaring::RoaringBitmap;

use super::check;
use super::gather::chain_columns;
use crate::block::Block;
use crate::column::Column;
use crate::columns::compact;
use crate::error::{Error, Result};
use crate::model::CustomerOrdinal;
use crate::schema::AttrId;
use crate::strings::Strings;

/// The customers of `block` whose ordinals lie in `range`. Dictionaries keep
/// only the entries that still occur, in their order.
pub fn select_customers(block: &Block, range: RangeInclusive<CustomerOrdinal>) -> Block {
    let first = block.customers.partition_point(|customer| customer < range.start());
    let end = block.customers.partition_point(|customer| customer <= range.end()).max(first);
    if first == 0 && end == block.customers.len() {
        return block.clone();
    }
    select_places(block, std::slice::from_ref(&(first..end)), &block.columns)
}

/// The customers of `block` at `places`, which ascend, with some of its columns. Dictionaries keep
/// only the entries that still occur, in their order.
pub fn select_places<'a>(
    block: &'a Block,
    places: &[Range<usize>],
    columns: impl IntoIterator<Item = &'a (AttrId, Column)>,
) -> Block {
    let mut selected = Block { offsets: vec![0], ..Block::default() };
    let mut rows = Vec::with_capacity(places.len());
    for range in places.iter().filter(|range| !range.is_empty()) {
        let Some(offsets) = block.offsets.get(range.start..=range.end) else { continue };
        let (Some(&start), Some(&stop)) = (offsets.first(), offsets.last()) else { continue };
        let base = selected.offsets.last().copied().unwrap_or_default();
        selected.offsets.extend(offsets.iter().skip(1).map(|&offset| offset - start + base));
        selected.customers.extend_from_slice(block.customers.get(range.clone()).unwrap_or_default());
        let own = start as usize..stop as usize;
        selected.times.extend_from_slice(block.times.get(own.clone()).unwrap_or_default());
        rows.push(own);
    }
    selected.columns = columns.into_iter().map(|(attr, column)| (*attr, slice(column, &rows))).collect();
    selected
}

/// The block without some customers; itself where it has none of them. Dictionaries keep only the
/// entries that still occur, in their order.
pub fn without_customers(block: Block, dead: &RoaringBitmap) -> Block {
    let (Some(&first), Some(&last)) = (block.customers.first(), block.customers.last()) else { return block };
    if dead.range_cardinality(first..=last) == 0 {
        return block;
    }
    let all = 0..block.customers.len();
    let living = live_places(&block.customers, std::slice::from_ref(&all), dead);
    if living.first() == Some(&all) { block } else { select_places(&block, &living, &block.columns) }
}

/// The rows of a block for which `mask` holds; customers without one are left out. Dictionaries stay
/// whole.
pub fn select_rows(mut block: Block, mask: &[bool]) -> Block {
    let left_out: Vec<usize> = (0..).zip(mask).filter(|(_, taken)| !**taken).map(|(row, _)| row).collect();
    let (mut customers, mut offsets) = (Vec::new(), vec![0]);
    let mut rows = 0;
    let mut rest = &left_out[..];
    for (place, &customer) in block.customers.iter().enumerate() {
        let journey = block.journey(place);
        let (own, after) = rest.split_at(rest.partition_point(|&row| row < journey.end));
        rest = after;
        let taken = journey.len() - own.len();
        if taken > 0 {
            rows += taken as u32;
            customers.push(customer);
            offsets.push(rows);
        }
    }
    (block.customers, block.offsets) = (customers, offsets);
    let stretches = between(&left_out, mask.len());
    keep(&mut block.times, &stretches);
    for (_, column) in &mut block.columns {
        match column {
            Column::Symbol { codes, .. } | Column::Str { codes, .. } => keep(codes, &stretches),
            Column::Int { values, valid } => {
                keep(values, &stretches);
                valid.iter_mut().for_each(|valid| keep(valid, &stretches));
            }
            Column::Float { values, valid } => {
                keep(values, &stretches);
                valid.iter_mut().for_each(|valid| keep(valid, &stretches));
            }
        }
    }
    block
}

/// The places below `rows` between these, ascending ones, in stretches.
fn between(places: &[usize], rows: usize) -> Vec<Range<usize>> {
    let mut start = 0;
    let ends = places.iter().copied().chain([rows]);
    ends.map(|end| std::mem::replace(&mut start, end + 1)..end)
        .filter(|stretch| !stretch.is_empty())
        .collect()
}

/// Keeps the values of some stretches; none where there are no values, as of times that nobody wanted.
fn keep<T: Copy>(values: &mut Vec<T>, stretches: &[Range<usize>]) {
    if values.is_empty() {
        return;
    }
    let mut kept = 0;
    for stretch in stretches {
        values.copy_within(stretch.clone(), kept);
        kept += stretch.len();
    }
    values.truncate(kept);
}

/// What is left of `places` among ascending `customers` without those who are dead; ascending too.
pub fn live_places(
    customers: &[CustomerOrdinal],
    places: &[Range<usize>],
    dead: &RoaringBitmap,
) -> Vec<Range<usize>> {
    let mut living: Vec<Range<usize>> = Vec::with_capacity(places.len());
    for range in places {
        // Those before it are in a range of their own.
        let mut start = range.start;
        for (place, &customer) in range.clone().zip(customers.get(range.clone()).unwrap_or_default()) {
            if dead.contains(customer) {
                living.extend((start < place).then_some(start..place));
                start = place + 1;
            }
        }
        living.extend((start < range.end).then_some(start..range.end));
    }
    living
}

/// The rows of a column in `ranges`, with the entries that still occur.
fn slice(column: &Column, ranges: &[Range<usize>]) -> Column {
    fn part<T: Copy>(values: &[T], ranges: &[Range<usize>]) -> Vec<T> {
        let mut out = Vec::with_capacity(ranges.iter().map(Range::len).sum());
        for range in ranges {
            out.extend_from_slice(values.get(range.clone()).unwrap_or_default());
        }
        out
    }
    let valid = |valid: &Option<Vec<bool>>| {
        let valid = part(valid.as_deref()?, ranges);
        valid.contains(&false).then_some(valid)
    };
    match column {
        Column::Symbol { codes, dictionary } => {
            let mut codes = part(codes, ranges);
            let dictionary = occurring(&mut codes, dictionary.len())
                .into_iter()
                .filter_map(|entry| dictionary.get(entry).copied())
                .collect();
            Column::Symbol { codes, dictionary }
        }
        Column::Str { codes, dictionary } => {
            let mut codes = part(codes, ranges);
            let mut strings = Strings::default();
            occurring(&mut codes, dictionary.len())
                .into_iter()
                .for_each(|entry| strings.push(dictionary.get(entry)));
            Column::Str { codes, dictionary: strings }
        }
        Column::Int { values, valid: marks } => {
            Column::Int { values: part(values, ranges), valid: valid(marks) }
        }
        Column::Float { values, valid: marks } => {
            Column::Float { values: part(values, ranges), valid: valid(marks) }
        }
    }
}

/// A dictionary of so many times as many entries as there are rows is not gone over.
const MANY_ENTRIES: usize = 16;

/// The entries that occur, in ascending order, and the codes renumbered for them.
pub(super) fn occurring(codes: &mut [u32], entries: usize) -> Vec<usize> {
    if entries > codes.len().saturating_mul(MANY_ENTRIES) {
        return compact(codes);
    }
    let mut renumbered = vec![0_u32; entries + 1];
    for &code in codes.iter() {
        if let Some(mark) = renumbered.get_mut(code as usize) {
            *mark = 1;
        }
    }
    let mut kept = Vec::new();
    for (entry, mark) in renumbered.iter_mut().skip(1).enumerate() {
        if *mark > 0 {
            kept.push(entry);
            *mark = kept.len() as u32;
        }
    }
    if let Some(null) = renumbered.first_mut() {
        *null = 0;
    }
    codes.iter_mut().for_each(|code| *code = renumbered.get(*code as usize).copied().unwrap_or(0));
    kept
}

/// Blocks of customers that follow one another, as one block.
///
/// # Errors
/// [`Error::Invalid`] where the customers of one do not all come after those of
/// the one before, or as for [`merge`](super::merge()); [`Error::Limit`] for more than
/// 2^32 - 1 interactions.
pub fn concat(mut parts: Vec<Block>) -> Result<Block> {
    parts.retain(|part| part.rows() > 0);
    parts.iter().try_for_each(check)?;
    if parts.len() <= 1 {
        return Ok(parts.pop().unwrap_or_else(|| Block { offsets: vec![0], ..Block::default() }));
    }
    let ends = |block: &Block| (block.customers.first().copied(), block.customers.last().copied());
    if !parts.is_sorted_by(|before, after| ends(before).1 < ends(after).0) {
        return Err(Error::invalid("the blocks to be put end to end share customers"));
    }
    let columns: Vec<&[(AttrId, Column)]> = parts.iter().map(|part| part.columns.as_slice()).collect();
    let rows: Vec<usize> = parts.iter().map(Block::rows).collect();
    let columns = chain_columns(&columns, &rows)?;
    let mut block = Block { offsets: vec![0], columns, ..Block::default() };
    for part in parts {
        let base = block.times.len() as u32;
        block.offsets.extend(part.offsets.iter().skip(1).map(|offset| offset + base));
        block.customers.extend(part.customers);
        block.times.extend(part.times);
    }
    Ok(block)
}
