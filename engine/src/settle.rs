//! Whoever is found to be one customer, or not to be one any more, gets the journey that follows.
//!
//! What was said is taken in as it comes; this is done once for many sayings: at the end of a round
//! of commits, of a replay, of an import. A journey that moves is taken out of where it lies and
//! written anew; nobody's query has to ask who somebody was.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::block::Block;
use crate::column::Column;
use crate::error::Result;
use crate::merge::{Rows, concat_rows};
use crate::model::{CustomerOrdinal, IdentityOrdinal};
use crate::names::Names;
use crate::order::sort;
use crate::schema::AttrId;
use crate::state::State;

/// Customers whose journeys are read at once.
pub(crate) const MOVED_AT_ONCE: usize = if cfg!(test) { 3 } else { 1 << 12 };

/// Who is of another customer than before.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// Identity and customer, ascending, of those who moved.
    pub moved: Vec<(u32, CustomerOrdinal)>,
    /// Customers that lost an identity.
    pub left: RoaringBitmap,
    /// What customers are shown by, of those for whom that is new.
    shown: Vec<(CustomerOrdinal, u32)>,
}

impl State {
    /// Who moves, by all that was said since customers were settled last.
    pub(crate) fn moves(&mut self) -> Result<Moves> {
        let mut moves = Moves::default();
        if self.concerned.is_empty() {
            return Ok(moves);
        }
        self.load_ties()?;
        let concerned = std::mem::take(&mut self.concerned);
        let Some(ties) = &self.ties else { return Ok(moves) };
        let guards = self.links.guards(u64::MAX);
        let identities = self.names.identities.read()?;
        let (region, resolved) = ties.resolve(&concerned, identities.strings(), &guards);
        let shown: BTreeMap<u32, u32> = resolved.shown.iter().copied().collect();
        let known = &self.names.customers;
        for identity in region {
            let (was, is) = (known.of(IdentityOrdinal(identity))?, resolved.customer(identity));
            if was != is {
                moves.moved.push((identity, is));
                moves.left.insert(was);
            }
            // Each customer has a founder, and is looked at with it.
            if identity == is {
                let by = shown.get(&is).copied().unwrap_or(is);
                if known.shown_of(is)? != by {
                    moves.shown.push((is, by));
                }
            }
        }
        Ok(moves)
    }

    /// Moves who moves; `take` gets their interactions, some at a time.
    pub(crate) fn settle_into(
        &mut self,
        moves: &Moves,
        take: &mut dyn FnMut(&mut Self, Rows) -> Result<()>,
    ) -> Result<()> {
        self.names.customers = self.names.customers.with(&moves.moved, &moves.shown)?;
        if moves.left.is_empty() {
            return Ok(());
        }
        *Arc::make_mut(&mut self.present) -= &moves.left;
        let mut left = moves.left.iter();
        loop {
            let some: RoaringBitmap = left.by_ref().take(MOVED_AT_ONCE).collect();
            if some.is_empty() {
                return Ok(());
            }
            for block in self.take_out(&some)? {
                let mut rows = rows_of(block);
                number_anew(&self.names, &mut rows)?;
                take(self, rows)?;
            }
        }
    }
}

impl State {
    /// Does the edits that wait, in memory. Customers must have been settled.
    pub(crate) fn settle_edits(&mut self) -> Result<()> {
        let mut parts = self.edits.take();
        let edited = self.take_edited()?;
        if parts.is_empty() {
            return Ok(());
        }
        for rows in &mut parts {
            number_anew(&self.names, rows)?;
            // Types may have widened since they came.
            let columns = std::mem::take(&mut rows.columns).into_iter();
            rows.columns = columns.map(|(attr, column)| (attr, self.names.conform(attr, column))).collect();
        }
        parts.extend(self.take_out(&edited)?.into_iter().map(rows_of));
        let block = sort(&self.names, concat_rows(parts)?)?;
        self.add_versions(block)
    }
}

/// The rows of whole journeys.
pub(crate) fn rows_of(block: Block) -> Rows {
    let mut customers = Vec::with_capacity(block.rows());
    for (place, &customer) in block.customers.iter().enumerate() {
        customers.resize(block.journey(place).end, customer);
    }
    Rows { customers, times: block.times, columns: block.columns }
}

/// Gives every row the customer that its identity is of now.
pub(crate) fn number_anew(names: &Names, rows: &mut Rows) -> Result<()> {
    let of_identities = rows.columns.iter().find(|(attr, _)| *attr == AttrId::IDENTITY);
    if let Some((_, Column::Int { values, .. })) = of_identities {
        // Journeys have few identities, each many times.
        let mut last = None;
        for (customer, &identity) in rows.customers.iter_mut().zip(values) {
            *customer = match last {
                Some((before, of)) if before == identity => of,
                _ => names.customers.of(IdentityOrdinal(identity as u32))?,
            };
            last = Some((identity, *customer));
        }
    }
    Ok(())
}
