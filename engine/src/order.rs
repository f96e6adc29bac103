//! The end of the total order: where time and sequence tie, event id and then
//! content digest decide. That is rare, so the keys are made on demand.

use std::cmp::Ordering;

use crate::block::Block;
use crate::column::Column;
use crate::error::Result;
use crate::merge::{Rows, merge, sort_rows};
use crate::names::Names;
use crate::schema::{AttrId, Role};

/// Event ids and digests of some rows.
struct Keys {
    event_ids: Option<Column>,
    digests: Vec<u128>,
}

impl Keys {
    fn of(names: &Names, times: &[i64], columns: &[(AttrId, Column)]) -> Result<Self> {
        let event_id = names.schema.role(Role::EventId).map(|attribute| attribute.id);
        let event_ids = columns.iter().find(|(attr, _)| Some(*attr) == event_id);
        Ok(Self {
            event_ids: event_ids.map(|(_, column)| column.clone()),
            digests: names.digests(times, columns)?,
        })
    }

    /// No event id comes before every event id.
    fn event_id(&self, row: usize) -> Option<&str> {
        match &self.event_ids {
            Some(Column::Str { codes, dictionary }) => {
                let place = (*codes.get(row)? as usize).checked_sub(1)?;
                Some(dictionary.get(place))
            }
            _ => None,
        }
    }

    fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        self.event_id(row)
            .cmp(&other.event_id(other_row))
            .then_with(|| self.digests.get(row).cmp(&other.digests.get(other_row)))
    }
}

/// Sorts rows that carry all their columns into a block.
pub(crate) fn sort(names: &Names, rows: Rows) -> Result<Block> {
    let mut keys = None;
    sort_rows(rows, &mut |rows, a, b| {
        let keys = match &keys {
            Some(keys) => keys,
            None => keys.insert(Keys::of(names, &rows.times, &rows.columns)?),
        };
        Ok(keys.compare(a, keys, b))
    })
}

/// Sorts rows that may lack columns; `None` where these would be needed to tell two apart.
pub(crate) fn sort_untied(rows: Rows) -> Result<Option<Block>> {
    let mut tied = false;
    let block = sort_rows(rows, &mut |_, _, _| {
        tied = true;
        Ok(Ordering::Equal)
    })?;
    Ok((!tied).then_some(block))
}

/// Merges blocks. `whole` gives the parts with all their columns, for a tie; where it is `None`,
/// the blocks in hand have them.
pub(crate) fn merge_blocks(
    names: &Names,
    parts: &[Block],
    mut whole: Option<&mut dyn FnMut() -> Result<Vec<Block>>>,
) -> Result<Block> {
    let mut keys: Option<Vec<Keys>> = None;
    merge(parts, &mut |(part_a, row_a), (part_b, row_b)| {
        if keys.is_none() {
            let of = |blocks: &[Block]| -> Result<Vec<Keys>> {
                blocks.iter().map(|block| Keys::of(names, &block.times, &block.columns)).collect()
            };
            keys = Some(match &mut whole {
                Some(whole) => of(&whole()?)?,
                None => of(parts)?,
            });
        }
        let keys = keys.as_deref().unwrap_or_default();
        Ok(match (keys.get(part_a), keys.get(part_b)) {
            (Some(a), Some(b)) => a.compare(row_a, b, row_b),
            _ => Ordering::Equal,
        })
    })
}
