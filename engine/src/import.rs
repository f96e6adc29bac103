//! Bulk import: many batches that become visible by one commit.

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::schema::{AttrId, AttrType, Role, Schema, Subject};

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// The commit that made it visible; the last one there was where nothing was new.
    pub commit: u64,
    /// Interactions (or customer rows) added.
    pub added: u64,
    /// Rows that the store already had.
    pub duplicates: u64,
    /// Interactions in the store now.
    pub interactions: u64,
    /// Customers in the store now.
    pub customers: u64,
}

/// A running import. Nothing of it is visible before [`Import::commit`], and
/// nothing remains of it when it is dropped before. No other write to the
/// store runs beside it.
#[derive(Debug)]
pub struct Import<'db> {
    db: std::marker::PhantomData<&'db ()>,
}

impl Import<'_> {
    /// The attributes as declared so far. A [`Batch`] is made for one schema;
    /// make a new one after declaring.
    pub fn schema(&self) -> &Schema {
        unreachable!("to be built")
    }

    /// Adds an attribute or widens its type; see [`Schema::declare`].
    pub fn declare(
        &mut self,
        _subject: Subject,
        _name: &str,
        _ty: AttrType,
        _role: Option<Role>,
    ) -> Result<AttrId> {
        Err(Error::invalid("to be built"))
    }

    /// Takes a batch of interactions. A row whose event id the store has, or
    /// without one whose content it has as often as the source has shown it so
    /// far, is left out. Answers how many were left out.
    pub fn push(&mut self, _batch: Batch) -> Result<u64> {
        Err(Error::invalid("to be built"))
    }

    /// Takes rows of customer attributes: for each customer the latest row by
    /// (time, sequence) wins, attribute by attribute. Attributes are those
    /// declared with [`Subject::Customer`].
    pub fn push_customers(&mut self, _batch: Batch) -> Result<u64> {
        Err(Error::invalid("to be built"))
    }

    /// Makes all of it durable and visible.
    pub fn commit(self) -> Result<ImportReport> {
        Err(Error::invalid("to be built"))
    }
}
