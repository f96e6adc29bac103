//! What a reader sees: one commit, whole, for as long as it holds the snapshot.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::block::Block;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::model::{CustomerOrdinal, Identity, Millis};
use crate::schema::{AttrId, Schema};
use crate::strings::StringTable;

/// The dictionary of a symbol attribute: numbers to values and back.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    table: StringTable,
}

impl Symbols {
    /// The value of that number.
    pub fn get(&self, symbol: u32) -> &str {
        self.table.get(symbol)
    }

    /// The number of `value`, where the store has seen it.
    pub fn find(&self, value: &str) -> Option<u32> {
        self.table.find(value)
    }

    /// How many values there are; their numbers are `0..len`.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

/// A span of customers that is read at once. Units are disjoint, ascending,
/// and together hold every interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Lowest customer ordinal that may be in it.
    pub first: CustomerOrdinal,
    /// Highest customer ordinal that may be in it.
    pub last: CustomerOrdinal,
    /// Interactions in it; an upper bound where parts overlap.
    pub interactions: u64,
    /// Earliest time in it.
    pub time_min: Millis,
    /// Latest time in it.
    pub time_max: Millis,
}

/// The store as one commit left it. Cheap to clone and to share between threads.
#[derive(Clone, Debug)]
pub struct Snapshot {
    schema: Arc<Schema>,
}

impl Snapshot {
    /// The attributes.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The last commit it sees.
    pub fn commit(&self) -> u64 {
        0
    }

    /// Interactions in all.
    pub fn interactions(&self) -> u64 {
        0
    }

    /// Customers with at least one interaction.
    pub fn customers(&self) -> u64 {
        0
    }

    /// One past the highest customer ordinal.
    pub fn ordinals(&self) -> CustomerOrdinal {
        0
    }

    /// Time of the first and the last interaction.
    pub fn time_span(&self) -> Option<(Millis, Millis)> {
        None
    }

    /// The dictionary of a symbol attribute; empty for any other.
    pub fn symbols(&self, _attr: AttrId) -> Arc<Symbols> {
        Arc::default()
    }

    /// The spans of customers to read, ascending.
    pub fn units(&self) -> &[Unit] {
        &[]
    }

    /// Decodes a unit with the wanted columns (reserved ones included). Symbol
    /// attributes come as [`Column::Symbol`], id and text as [`Column::Str`],
    /// int, time and bool as [`Column::Int`], float as [`Column::Float`],
    /// whatever type they had when they were written.
    ///
    /// # Errors
    /// [`Error::Damaged`] where stored bytes are not what was written and could
    /// not be repaired.
    pub fn read(&self, _unit: usize, _wanted: &[AttrId]) -> Result<Block> {
        Err(Error::invalid("to be built"))
    }

    /// Exactly the customers with at least `n` (1, 2 or 3) interactions whose
    /// `attr` (a symbol attribute) is `symbol`.
    pub fn at_least(&self, _attr: AttrId, _symbol: u32, _n: u8) -> Result<RoaringBitmap> {
        Err(Error::invalid("to be built"))
    }

    /// At least the customers with an interaction at `from <= time < to`, by
    /// whole months in UTC.
    pub fn active(&self, _from: Millis, _to: Millis) -> Result<RoaringBitmap> {
        Err(Error::invalid("to be built"))
    }

    /// The customer that goes by `identity`.
    pub fn resolve(&self, _identity: &Identity) -> Result<Option<CustomerOrdinal>> {
        Err(Error::invalid("to be built"))
    }

    /// The identity a customer is shown by.
    pub fn customer_name(&self, _customer: CustomerOrdinal) -> Result<String> {
        Err(Error::invalid("to be built"))
    }

    /// A customer attribute, row `i` for customer ordinal `i`; it may be
    /// shorter than [`Snapshot::ordinals`], the rest is NULL.
    pub fn customer_column(&self, _attr: AttrId) -> Result<Arc<Column>> {
        Err(Error::invalid("to be built"))
    }

    /// Names of the saved cohorts, sorted.
    pub fn cohorts(&self) -> Vec<String> {
        Vec::new()
    }

    /// The customers of a saved cohort.
    pub fn cohort(&self, _name: &str) -> Result<Option<RoaringBitmap>> {
        Ok(None)
    }
}
