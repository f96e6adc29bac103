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
    fn of(names: &Names, times: &[i64], columns: &[(AttrId, Column)]) -> Self {
        let event_id = names.schema.role(Role::EventId).map(|attribute| attribute.id);
        Self {
            event_ids: columns
                .iter()
                .find(|(attr, _)| Some(*attr) == event_id)
                .map(|(_, column)| column.clone()),
            digests: names.digests(times, columns),
        }
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
    // The keys need the rows, which the sort takes; most sorts never ask.
    let (times, columns) =
        if may_tie(&rows) { (rows.times.clone(), rows.columns.clone()) } else { Default::default() };
    let mut keys = None;
    sort_rows(rows, &mut |a, b| {
        let keys = keys.get_or_insert_with(|| Keys::of(names, &times, &columns));
        Ok(keys.compare(a, keys, b))
    })
}

/// Whether two rows of a customer share time and sequence.
fn may_tie(rows: &Rows) -> bool {
    let sequences = rows.columns.iter().find(|(attr, _)| *attr == AttrId::SEQUENCE);
    let sequence = |row: usize| match sequences {
        Some((_, Column::Int { values, .. })) => values.get(row).copied().unwrap_or(0),
        _ => 0,
    };
    let mut keys: Vec<(u32, i64, i64)> = rows
        .customers
        .iter()
        .zip(&rows.times)
        .enumerate()
        .map(|(row, (&customer, &time))| (customer, time, sequence(row)))
        .collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair.first() == pair.last())
}

/// Merges blocks. `whole` gives the parts with all their columns, where the
/// blocks in hand have only some and a tie needs the rest.
pub(crate) fn merge_blocks(
    names: &Names,
    parts: &[Block],
    whole: &mut dyn FnMut() -> Result<Vec<Block>>,
) -> Result<Block> {
    let mut keys: Option<Vec<Keys>> = None;
    merge(parts, &mut |(part_a, row_a), (part_b, row_b)| {
        if keys.is_none() {
            keys = Some(whole()?.iter().map(|block| Keys::of(names, &block.times, &block.columns)).collect());
        }
        let keys = keys.as_deref().unwrap_or_default();
        Ok(match (keys.get(part_a), keys.get(part_b)) {
            (Some(a), Some(b)) => a.compare(row_a, b, row_b),
            _ => Ordering::Equal,
        })
    })
}
