//! Blocks cut by customers, and put end to end again.

use std::ops::RangeInclusive;

use super::check;
use super::gather::chain_columns;
use crate::block::Block;
use crate::column::Column;
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
    let offsets = block.offsets.get(first..=end).unwrap_or(&[0]);
    let (start, stop) = match (offsets.first(), offsets.last()) {
        (Some(&start), Some(&stop)) => (start as usize, stop as usize),
        _ => (0, 0),
    };
    Block {
        customers: block.customers.get(first..end).unwrap_or_default().to_vec(),
        offsets: offsets.iter().map(|&offset| offset - start as u32).collect(),
        times: block.times.get(start..stop).unwrap_or_default().to_vec(),
        columns: block.columns.iter().map(|(attr, column)| (*attr, slice(column, start, stop))).collect(),
    }
}

fn slice(column: &Column, start: usize, stop: usize) -> Column {
    fn part<T: Copy>(values: &[T], start: usize, stop: usize) -> Vec<T> {
        values.get(start..stop).unwrap_or_default().to_vec()
    }
    let valid = |valid: &Option<Vec<bool>>| {
        let valid = part(valid.as_deref()?, start, stop);
        valid.contains(&false).then_some(valid)
    };
    match column {
        Column::Symbol { codes, dictionary } => {
            let mut codes = part(codes, start, stop);
            let dictionary = occurring(&mut codes, dictionary.len())
                .into_iter()
                .filter_map(|entry| dictionary.get(entry).copied())
                .collect();
            Column::Symbol { codes, dictionary }
        }
        Column::Str { codes, dictionary } => {
            let mut codes = part(codes, start, stop);
            let mut strings = Strings::default();
            occurring(&mut codes, dictionary.len())
                .into_iter()
                .for_each(|entry| strings.push(dictionary.get(entry)));
            Column::Str { codes, dictionary: strings }
        }
        Column::Int { values, valid: marks } => {
            Column::Int { values: part(values, start, stop), valid: valid(marks) }
        }
        Column::Float { values, valid: marks } => {
            Column::Float { values: part(values, start, stop), valid: valid(marks) }
        }
    }
}

/// The entries that occur, in ascending order, and the codes renumbered for them.
fn occurring(codes: &mut [u32], entries: usize) -> Vec<usize> {
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
