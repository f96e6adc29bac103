//! Interactions that are not sealed yet: sorted blocks, larger ones first.

use std::borrow::Cow;
use std::sync::Arc;

use crate::block::Block;
use crate::dead::Marks;
use crate::error::Result;
use crate::merge::{live_places, select_places, without_customers};
use crate::model::CustomerOrdinal;
use crate::names::Names;
use crate::order::merge_blocks;
use crate::segment::Chosen;
use crate::span::Wanted;

/// A sorted block, of which some customers may be dead.
#[derive(Clone, Debug)]
pub(crate) struct TailPiece {
    block: Arc<Block>,
    dead: Marks,
    /// Interactions of the dead.
    dead_rows: usize,
}

impl TailPiece {
    fn new(block: Block) -> Self {
        Self { block: Arc::new(block), dead: Marks::default(), dead_rows: 0 }
    }

    /// The block with the dead in it.
    pub(crate) fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// Whether the interactions in here of one who has some are dead.
    pub(crate) fn is_dead(&self, customer: CustomerOrdinal) -> bool {
        self.dead.contains(customer)
    }

    /// Interactions that are alive.
    pub(crate) fn rows(&self) -> usize {
        self.block.rows() - self.dead_rows
    }

    /// Whose interactions in here are dead.
    pub(crate) fn dead(&self) -> &Marks {
        &self.dead
    }

    /// The living; all columns, or where somebody is dead, only those wanted.
    pub(crate) fn living(&self, wanted: Wanted<'_>) -> Cow<'_, Block> {
        match self.dead.is_empty() {
            true => Cow::Borrowed(&*self.block),
            false => Cow::Owned(self.cut(&Chosen::Span(0..=CustomerOrdinal::MAX), wanted)),
        }
    }

    /// The living among the chosen, with the wanted columns.
    pub(crate) fn cut(&self, chosen: &Chosen<'_>, wanted: Wanted<'_>) -> Block {
        let mut places = chosen.places(&self.block.customers);
        if let Some(dead) = self.dead.get() {
            places = live_places(&self.block.customers, &places, dead);
        }
        let columns = self.block.columns.iter().filter(|(attr, _)| wanted.takes(*attr));
        select_places(&self.block, &places, columns)
    }

    /// Its block where nobody else holds it, else a copy; without the dead.
    pub(crate) fn into_living(self) -> Block {
        let Self { block, dead, .. } = self;
        match dead.get() {
            None => Arc::unwrap_or_clone(block),
            Some(dead) => without_customers(Arc::unwrap_or_clone(block), dead),
        }
    }
}

/// All of them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    pieces: Vec<TailPiece>,
}

impl Tail {
    pub(crate) fn pieces(&self) -> &[TailPiece] {
        &self.pieces
    }

    /// All of it, and leaves nothing.
    pub(crate) fn take(&mut self) -> Vec<TailPiece> {
        std::mem::take(&mut self.pieces)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Interactions that are alive.
    pub(crate) fn rows(&self) -> usize {
        self.pieces.iter().map(TailPiece::rows).sum()
    }

    /// Bytes of text in memory, that of the dead included.
    pub(crate) fn text_bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.block.text_bytes()).sum()
    }

    /// Adds a sorted block.
    pub(crate) fn add(&mut self, names: &Names, block: Block) -> Result<()> {
        let mut piece = TailPiece::new(block);
        // As in a binary counter: a block is merged with the one before it until
        // that is twice as large, so a row is merged a logarithmic number of times.
        while let Some(last) = self.pieces.pop_if(|last| last.rows() < piece.rows() * 2) {
            let parts = [last.into_living(), piece.into_living()];
            piece = TailPiece::new(merge_blocks(names, &parts, None)?);
        }
        self.pieces.push(piece);
        Ok(())
    }

    /// All that is alive, as one block.
    pub(crate) fn merged(&self, names: &Names) -> Result<Block> {
        let mut parts: Vec<Block> = self.pieces.iter().map(|piece| piece.clone().into_living()).collect();
        match parts.len() {
            0 | 1 => Ok(parts.pop().unwrap_or_default()),
            _ => merge_blocks(names, &parts, None),
        }
    }

    /// Makes each block another one of the same customers.
    pub(crate) fn change(&mut self, change: impl Fn(&Arc<Block>) -> Arc<Block>) {
        for piece in &mut self.pieces {
            piece.block = change(&piece.block);
        }
    }

    /// Marks all that these customers, ascending, have in here as dead.
    pub(crate) fn kill(&mut self, customers: &[CustomerOrdinal]) {
        for piece in &mut self.pieces {
            let places = Chosen::These(customers).places(&piece.block.customers);
            for place in places.into_iter().flatten() {
                let Some(&customer) = piece.block.customers.get(place) else { continue };
                if !piece.dead.contains(customer) {
                    piece.dead.extend([customer]);
                    piece.dead_rows += piece.block.journey(place).len();
                }
            }
        }
        // Nothing of it would ever be read.
        self.pieces.retain(|piece| piece.rows() > 0);
    }
}
