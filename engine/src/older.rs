//! Interactions that took place too long ago, left out of what a seal writes.

use std::collections::{BTreeMap, BTreeSet};

use crate::block::Block;
use crate::column::Column;
use crate::erased::TakenOut;
use crate::merge::select_rows;
use crate::model::{CustomerOrdinal, Millis};
use crate::recorded::Log;
use crate::retained::kept;
use crate::schema::AttrId;

/// What is to be left out, and where there is some.
#[derive(Debug)]
pub(crate) struct Older {
    /// All before this.
    pub cutoff: Millis,
    /// How many interactions that is.
    pub interactions: u64,
    /// The ranges of customers that have some of them, in the graph or in memory.
    pub ranges: BTreeSet<u32>,
    /// The last commit that was recorded before the cutoff. What earlier ones recorded is told
    /// of as if this one had: nobody asks what was known then.
    pub known_from: u64,
    /// What the store knows of recording times.
    pub recorded: Log,
}

/// What was left out, as far as it is counted somewhere.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    /// Customers of whom nothing is left.
    pub gone: Vec<CustomerOrdinal>,
    /// By commits.
    pub taken_out: TakenOut,
    /// How many had recording times of their own, by where the span begins that these are told of in.
    pub own: BTreeMap<Millis, u64>,
}

impl Dropped {
    pub(crate) fn add(&mut self, other: Self) {
        self.gone.extend(other.gone);
        self.taken_out.add(&other.taken_out);
        other.own.iter().for_each(|(&span, count)| *self.own.entry(span).or_default() += count);
    }
}

impl Older {
    /// A block of a range without what is older, and what that was. The block has all columns.
    pub(crate) fn leave_out(&self, range: u32, block: Block) -> (Block, Dropped) {
        let mut dropped = Dropped::default();
        if !self.ranges.contains(&range) {
            return (block, dropped);
        }
        let Some(stays) = kept(self.cutoff, &block.times) else { return (block, dropped) };
        let (commits, own) = (block.column(AttrId::COMMIT), block.column(AttrId::RECORDED));
        let number = |column: Option<&Column>, row: usize| match column {
            Some(column @ Column::Int { values, .. }) if !column.is_null(row) => values.get(row).copied(),
            _ => None,
        };
        for (row, &time) in block.times.iter().enumerate().filter(|(row, _)| stays.get(*row) == Some(&false))
        {
            match number(own, row) {
                Some(recorded) => {
                    let span = self.recorded.own().around(recorded).map(|(span, _)| *span.start());
                    *dropped.own.entry(span.unwrap_or(recorded)).or_default() += 1;
                }
                None => {
                    let commit = number(commits, row).unwrap_or_default() as u64;
                    dropped.taken_out.note(commit.max(self.known_from), &[time]);
                }
            }
        }
        let before = block.customers.clone();
        let block = select_rows(block, &stays);
        let mut left = block.customers.iter().peekable();
        dropped.gone = before;
        dropped.gone.retain(|customer| left.next_if_eq(&customer).is_none());
        (block, dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_keeps_what_is_later_and_tells_what_was_dropped() {
        let ints = |values: Vec<i64>, valid| Column::Int { values, valid };
        let block = Block {
            customers: vec![3, 5, 8],
            offsets: vec![0, 2, 4, 5],
            times: vec![10, 40, 5, 20, 30],
            columns: vec![
                (AttrId::RECORDED, ints(vec![0, 0, 7, 0, 0], Some(vec![false, false, true, false, false]))),
                (AttrId::COMMIT, ints(vec![1, 9, 4, 6, 9], None)),
            ],
        };
        let mut recorded = Log::default();
        recorded.note_own(vec![(7, 5)]);
        let older = Older { cutoff: 30, interactions: 3, ranges: [0].into(), known_from: 4, recorded };
        let (same, nothing) = older.leave_out(1, block.clone());
        assert_eq!((same, nothing.gone.len()), (block.clone(), 0));
        let (left, dropped) = older.leave_out(0, block);
        assert_eq!((left.customers, left.times), (vec![3, 8], vec![40, 30]));
        assert_eq!((&dropped.gone, &dropped.own), (&vec![5], &BTreeMap::from([(7, 1)])));
        let until = |commit| dropped.taken_out.until(commit, i64::MIN).interactions;
        assert_eq!((until(3), until(4), until(5), until(6)), (0, 1, 1, 2));
        let mut sum = Dropped::default();
        sum.add(dropped);
        assert_eq!((sum.gone, sum.own.len(), sum.taken_out.until(6, 0).interactions), (vec![5], 1, 2));
    }
}
