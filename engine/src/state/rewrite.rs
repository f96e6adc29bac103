//! Journeys taken out of where they lie.

use roaring::RoaringBitmap;

use super::State;
use crate::block::Block;
use crate::error::Result;
use crate::limits::RANGE_CUSTOMERS;
use crate::manifest::Range;
use crate::model::CustomerOrdinal;
use crate::order::merge_blocks;
use crate::segment::Chosen;
use crate::span::{Wanted, read_runs_of};

impl State {
    /// Writes the journeys of some customers anew, as they are. Nobody sees a difference.
    #[cfg(test)]
    pub(crate) fn rewrite(&mut self, customers: &RoaringBitmap) -> Result<()> {
        for block in self.take_out(customers)? {
            self.add_versions(block)?;
        }
        Ok(())
    }

    /// Takes journeys out: what lies of them in runs and in memory is dead from now on. Answers them
    /// with all columns, a block a range, earlier versions of interactions beside those that are
    /// current. The customers are listed as ones with interactions still.
    pub(crate) fn take_out(&mut self, customers: &RoaringBitmap) -> Result<Vec<Block>> {
        let (blocks, taken) = self.found(customers)?;
        // Only now, when nothing can fail any more.
        for Lying { range, customers, sealed, rows } in taken {
            self.tail.kill(&customers);
            self.past.kill(&customers);
            self.unmarked.add(range, sealed, rows);
        }
        Ok(blocks)
    }

    /// The journeys of some customers, with all columns and earlier versions, a block a range.
    pub(crate) fn journeys(&self, customers: &RoaringBitmap) -> Result<Vec<Block>> {
        self.found(customers).map(|(blocks, _)| blocks)
    }

    fn found(&self, customers: &RoaringBitmap) -> Result<(Vec<Block>, Vec<Lying>)> {
        let mut blocks = Vec::new();
        let mut taken = Vec::new();
        let nothing = Range::default();
        let mut from = customers.min();
        while let Some(customer) = from {
            let number = customer / RANGE_CUSTOMERS;
            let last = number * RANGE_CUSTOMERS + (RANGE_CUSTOMERS - 1);
            let these: Vec<u32> = customers.range(customer..=last).collect();
            let chosen = Chosen::These(&these);
            let range = self.version.manifest.ranges.get(number as usize).unwrap_or(&nothing);
            let dead = self.unmarked.customers();
            let read = read_runs_of(self.chunks(), &self.names, range.all(), dead, &chosen, Wanted::All)?;
            let mut parts: Vec<Block> = read.into_iter().map(|read| read.block).collect();
            // Earlier versions are not counted among a store's interactions.
            let rows = parts.iter().map(|part| part.rows() as u64).sum();
            let read = read_runs_of(self.chunks(), &self.names, &range.past, dead, &chosen, Wanted::All)?;
            parts.extend(read.into_iter().map(|read| read.block));
            let sealed: RoaringBitmap = parts.iter().flat_map(|part| &part.customers).copied().collect();
            let pieces = self.tail.pieces().iter().chain(self.past.pieces());
            parts.extend(pieces.map(|piece| piece.cut(&chosen, Wanted::All)));
            parts.retain(|part| part.rows() > 0);
            blocks.extend((!parts.is_empty()).then(|| merge_blocks(&self.names, &parts, None)).transpose()?);
            taken.push(Lying { range: number, customers: these, sealed, rows });
            from = customers.range(last..).find(|&customer| customer > last);
        }
        Ok((blocks, taken))
    }
}

/// Where the journeys of some customers of a range lie.
struct Lying {
    range: u32,
    customers: Vec<CustomerOrdinal>,
    /// Who of them is in runs, and how many interactions that is, each counted once.
    sealed: RoaringBitmap,
    rows: u64,
}
