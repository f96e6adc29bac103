//! Blocks put together and taken apart: the merge of runs, the cut into
//! ranges of customers, and the sort of rows as they arrived.
//!
//! A merge first settles which rows follow one another (a list of runs of rows,
//! each of one part), then builds one column after another from it.

mod cut;
mod gather;
mod pick;
mod sort;
#[cfg(test)]
mod tests;
mod widen;

pub use cut::{concat, live_places, select_customers, select_places, select_rows, without_customers};
pub use pick::pick_rows;
pub use sort::{Rows, concat_rows, sort_rows};
pub use widen::widen;

use std::cmp::Ordering;

use crate::block::Block;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::schema::AttrId;
use gather::{Run, gather_columns};

/// Decides between rows of equal time and sequence, each named by part and row.
pub type Tie<'a> = &'a mut dyn FnMut((usize, usize), (usize, usize)) -> Result<Ordering>;

/// Merges blocks that may share customers into one.
///
/// A customer's interactions are ordered by time, then sequence (as unsigned),
/// then as `tie` says, then by part. An attribute that a part lacks is NULL in
/// its rows. Where parts hold an attribute in different forms, the result has
/// the wider: int, then float, then string; symbols beside anything else must be
/// turned to strings by [`widen`] first, as must booleans that are to read `true` and
/// `false`. Dictionaries are united by value: symbols in ascending order of number,
/// strings as they first occur in the parts' dictionaries.
///
/// # Errors
/// [`Error::Invalid`] where a part breaks the rules of a [`Block`], lacks the
/// sequence and shares a customer, or holds symbols where another holds something else;
/// [`Error::Limit`] for more than 2^32 - 1 interactions, or bytes of text in one attribute;
/// what `tie` answers.
pub fn merge(parts: &[Block], tie: Tie<'_>) -> Result<Block> {
    let sources = parts.iter().map(Source::new).collect::<Result<Vec<_>>>()?;
    let rows: usize = parts.iter().map(Block::rows).sum();
    if u32::try_from(rows).is_err() {
        return Err(Error::Limit {
            what: "interactions in one block",
            value: rows as u64,
            limit: u64::from(u32::MAX),
        });
    }
    let mut plan = Plan { runs: Vec::new(), customers: Vec::new(), offsets: vec![0], rows: 0 };
    let mut places = vec![0; parts.len()];
    let mut sharing = Vec::new();
    loop {
        // The lowest customer, who has it, and the lowest of the others.
        let (mut lowest, mut next) = (None, None);
        sharing.clear();
        for (part, (source, &place)) in sources.iter().zip(&places).enumerate() {
            let Some(&customer) = source.block.customers.get(place) else { continue };
            match lowest {
                Some(low) if customer > low => next = Some(next.map_or(customer, |n: u32| n.min(customer))),
                Some(low) if customer == low => sharing.push(part),
                _ => {
                    next = lowest;
                    lowest = Some(customer);
                    sharing.clear();
                    sharing.push(part);
                }
            }
        }
        let Some(customer) = lowest else { break };
        if let [part] = sharing[..] {
            // Everyone up to the next customer of another part is copied as one run.
            let (block, place) = (sources[part].block, places[part]);
            let alone = match next {
                Some(next) => block.customers[place..].partition_point(|&customer| customer < next),
                None => block.customers.len() - place,
            };
            plan.copy(part, block, place..place + alone);
            places[part] += alone;
        } else {
            plan.interleave(&sources, &places, &sharing, tie)?;
            plan.customers.push(customer);
            plan.offsets.push(plan.rows);
            sharing.iter().for_each(|&part| places[part] += 1);
        }
    }
    let times = gather::gather_values(
        &parts.iter().map(|part| Some(part.times.as_slice())).collect::<Vec<_>>(),
        &plan.runs,
        0,
    );
    let columns =
        gather_columns(&parts.iter().map(|part| part.columns.as_slice()).collect::<Vec<_>>(), &plan.runs)?;
    Ok(Block { customers: plan.customers, offsets: plan.offsets, times, columns })
}

/// A part and what its rows are ordered by.
struct Source<'a> {
    block: &'a Block,
    sequences: &'a [i64],
}

impl<'a> Source<'a> {
    /// Checks what the merge relies on.
    fn new(block: &'a Block) -> Result<Self> {
        check(block)?;
        match block.column(AttrId::SEQUENCE) {
            Some(Column::Int { values, .. }) => Ok(Self { block, sequences: values }),
            _ => Ok(Self { block, sequences: &[] }),
        }
    }

    /// Where it shares a customer with another, it must have the sequence.
    fn check_sequence(&self) -> Result<()> {
        if self.sequences.len() == self.block.rows() {
            return Ok(());
        }
        Err(Error::invalid("a block to be merged has no sequence"))
    }

    /// Time and sequence of `row`.
    fn key(&self, row: usize) -> (i64, u64) {
        (self.block.times[row], self.sequences[row] as u64)
    }
}

/// Checks that `block` keeps the rules that places in it are trusted by.
fn check(block: &Block) -> Result<()> {
    let rows = block.rows();
    let offsets_fit = match (block.offsets.first(), block.offsets.last()) {
        (Some(0), Some(&end)) => end as usize == rows && block.offsets.is_sorted_by(|a, b| a < b),
        (None, None) => rows == 0,
        _ => false,
    };
    if !offsets_fit
        || block.times.len() != rows
        || block.customers.len() != block.offsets.len().saturating_sub(1)
    {
        return Err(Error::invalid("a block's offsets do not fit its customers and interactions"));
    }
    if !block.customers.is_sorted_by(|a, b| a < b) {
        return Err(Error::invalid("a block's customers are not in ascending order"));
    }
    check_columns(&block.columns, rows)
}

/// Checks that columns are in order and each has `rows` values.
fn check_columns(columns: &[(AttrId, Column)], rows: usize) -> Result<()> {
    if !columns.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(Error::invalid("columns are not in ascending order of attribute"));
    }
    for (attr, column) in columns {
        let marks = match column {
            Column::Int { valid: Some(valid), .. } | Column::Float { valid: Some(valid), .. } => valid.len(),
            _ => rows,
        };
        if column.len() != rows || marks != rows {
            return Err(Error::invalid(format!("the column of attribute {} has not {rows} values", attr.0)));
        }
    }
    Ok(())
}

/// The rows of the result in order, as runs of rows of the parts.
struct Plan {
    runs: Vec<Run>,
    customers: Vec<u32>,
    offsets: Vec<u32>,
    rows: u32,
}

impl Plan {
    fn push(&mut self, part: usize, start: usize, len: usize) {
        self.rows += len as u32;
        match self.runs.last_mut() {
            Some(last) if last.part == part as u32 && (last.start + last.len) as usize == start => {
                last.len += len as u32;
            }
            _ => self.runs.push(Run { part: part as u32, start: start as u32, len: len as u32 }),
        }
    }

    /// Whole customers that no other part has.
    fn copy(&mut self, part: usize, block: &Block, places: std::ops::Range<usize>) {
        let (start, end) = (block.offsets[places.start], block.offsets[places.end]);
        let base = self.rows;
        self.customers.extend(&block.customers[places.clone()]);
        self.offsets
            .extend(block.offsets[places.start + 1..=places.end].iter().map(|&offset| offset - start + base));
        self.push(part, start as usize, (end - start) as usize);
    }

    /// One customer's rows of several parts.
    fn interleave(
        &mut self,
        sources: &[Source<'_>],
        places: &[usize],
        sharing: &[usize],
        tie: Tie<'_>,
    ) -> Result<()> {
        sharing.iter().try_for_each(|&part| sources[part].check_sequence())?;
        // Part, next row, end.
        let mut heads: Vec<(usize, usize, usize)> = sharing
            .iter()
            .map(|&part| {
                let rows = sources[part].block.journey(places[part]);
                (part, rows.start, rows.end)
            })
            .collect();
        while heads.len() > 1 {
            let mut first = 0;
            let mut other = None;
            for candidate in 1..heads.len() {
                let key = |head: usize| {
                    let (part, row, _) = heads[head];
                    sources[part].key(row)
                };
                let name = |head: usize| (heads[head].0, heads[head].1);
                let mut order = key(candidate).cmp(&key(first));
                if order.is_eq() {
                    order = tie(name(candidate), name(first))?;
                }
                let later = if order.is_lt() { std::mem::replace(&mut first, candidate) } else { candidate };
                other = Some(other.map_or(key(later), |other: (i64, u64)| other.min(key(later))));
            }
            let (part, start, end) = heads[first];
            // What lies strictly before every other part's next row needs no comparison of heads.
            let mut row = start + 1;
            while row < end && other.is_some_and(|other| sources[part].key(row) < other) {
                row += 1;
            }
            self.push(part, start, row - start);
            if row < end {
                heads[first].1 = row;
            } else {
                heads.remove(first);
            }
        }
        for (part, row, end) in heads {
            self.push(part, row, end - row);
        }
        Ok(())
    }
}
