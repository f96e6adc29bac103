//! Whoever is found to be one customer, or not to be one any more, gets the journey that follows.
//!
//! What was said is taken in as it comes; this is done once for many sayings: at the end of a round
//! of commits, of a replay, of an import. A journey that moves is taken out of where it lies and
//! written anew; nobody's query has to ask who somebody was.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::block::Block;
use crate::column::Column;
use crate::error::Result;
use crate::merge::Rows;
use crate::model::{CustomerOrdinal, IdentityOrdinal};
use crate::names::Names;
use crate::schema::AttrId;
use crate::state::State;

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

    /// Makes customers what all that was said makes them, in memory.
    pub(crate) fn settle(&mut self) -> Result<()> {
        let moves = self.moves()?;
        self.settle_into(&moves, &mut |state, rows| state.add_to_tail(rows))
    }

    /// Moves who moves; `take` gets their interactions, some at a time.
    pub(crate) fn settle_into(
        &mut self,
        moves: &Moves,
        take: &mut dyn FnMut(&mut Self, Rows) -> Result<()>,
    ) -> Result<()> {
        self.names.customers = self.names.customers.with(&moves.moved, &moves.shown)?;
        let blocks = self.take_out(&moves.left)?;
        if !moves.left.is_empty() {
            *std::sync::Arc::make_mut(&mut self.present) -= &moves.left;
        }
        for block in blocks {
            let rows = numbered_anew(&self.names, block)?;
            take(self, rows)?;
        }
        Ok(())
    }
}

/// Rows of whole journeys, each of the customer that its identity is of now.
pub(crate) fn numbered_anew(names: &Names, block: Block) -> Result<Rows> {
    let mut customers = Vec::with_capacity(block.rows());
    for (place, &customer) in block.customers.iter().enumerate() {
        customers.resize(block.journey(place).end, customer);
    }
    let mut rows = Rows { customers, times: block.times, columns: block.columns };
    number_anew(names, &mut rows)?;
    Ok(rows)
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
