//! Whole customers, decoded: what queries run over.

use crate::column::Column;
use crate::columns::spare;
use crate::model::{CustomerOrdinal, Millis};
use crate::schema::AttrId;

/// Whole customers in ascending ordinal order, each one's interactions in
/// total order (time, sequence, event id, content digest), column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Ordinals, ascending, each with at least one interaction.
    pub customers: Vec<CustomerOrdinal>,
    /// `customers.len() + 1` places: customer `i`'s interactions are rows
    /// `offsets[i]..offsets[i + 1]`.
    pub offsets: Vec<u32>,
    /// The time of each interaction; empty where it was not asked for.
    pub times: Vec<Millis>,
    /// The columns asked for, in ascending order of attribute. One that is
    /// missing is NULL throughout.
    pub columns: Vec<(AttrId, Column)>,
}

impl Block {
    /// How many interactions.
    pub fn rows(&self) -> usize {
        self.offsets.last().map_or(0, |&end| end as usize)
    }

    /// Leaves its memory to the next block that this thread reads. Who reads one after the other is
    /// spared that the system clears pages for each; dropping a block does no harm.
    pub fn retire(self) {
        spare::keep(self.times);
    }

    /// Bytes of text in its dictionaries.
    pub(crate) fn text_bytes(&self) -> usize {
        text_bytes(&self.columns)
    }

    /// The column of `attr`; `None` where it is NULL throughout.
    pub fn column(&self, attr: AttrId) -> Option<&Column> {
        let place = self.columns.binary_search_by_key(&attr, |(id, _)| *id).ok()?;
        self.columns.get(place).map(|(_, column)| column)
    }

    /// The rows of the customer at `place` of [`Block::customers`].
    pub fn journey(&self, place: usize) -> std::ops::Range<usize> {
        match (self.offsets.get(place), self.offsets.get(place + 1)) {
            (Some(&start), Some(&end)) => start as usize..end as usize,
            _ => 0..0,
        }
    }
}

/// Bytes of text in the dictionaries of columns.
pub(crate) fn text_bytes(columns: &[(AttrId, Column)]) -> usize {
    let text = |(_, column): &(AttrId, Column)| match column {
        Column::Str { dictionary, .. } => dictionary.text_bytes(),
        _ => 0,
    };
    columns.iter().map(text).sum()
}
