//! Interactions found by their event ids.
//!
//! The store remembers which event ids it has, and not where. So the column of event ids is searched,
//! of the customers that are named or of all; more is read of those alone who have what is looked for.

use std::collections::HashSet;

use roaring::RoaringBitmap;

use super::Snapshot;
use crate::block::Block;
use crate::column::Column;
use crate::error::Result;
use crate::merge::{Rows, concat_rows, pick_rows};
use crate::schema::{AttrId, Role};

impl Snapshot {
    /// The interactions with one of these event ids, of some customers or of all, with these columns,
    /// the event ids, and what orders them and whose they are.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) as [`Snapshot::read`].
    pub(crate) fn find_events(
        &self,
        wanted: &HashSet<&str>,
        customers: Option<&RoaringBitmap>,
        attrs: &[AttrId],
    ) -> Result<Rows> {
        let Some(event_id) = self.schema().role(Role::EventId).map(|attribute| attribute.id) else {
            return Ok(Rows::default());
        };
        let mut columns = attrs.to_vec();
        columns.extend([event_id, AttrId::IDENTITY, AttrId::SEQUENCE]);
        let mut left = wanted.len();
        let mut parts = Vec::new();
        for (place, unit) in self.units().iter().enumerate() {
            if left == 0 {
                break;
            }
            let ids = match customers {
                None => self.read_untimed(place, &[event_id])?,
                Some(some) if some.range_cardinality(unit.first..=unit.last) == 0 => continue,
                Some(some) => self.read_some(place, some, &[event_id])?.0,
            };
            let hits = self.hits(&ids, event_id, wanted);
            let having =
                (0..ids.customers.len()).filter(|&place| ids.journey(place).any(|row| hits.contains(&row)));
            let having: RoaringBitmap =
                having.filter_map(|place| ids.customers.get(place)).copied().collect();
            if having.is_empty() {
                continue;
            }
            let (block, _) = self.read_some(place, &having, &columns)?;
            let mut rows: Vec<usize> = self.hits(&block, event_id, wanted).into_iter().collect();
            rows.sort_unstable();
            left = left.saturating_sub(rows.len());
            parts.push(picked(&block, &rows));
        }
        concat_rows(parts)
    }

    /// Rows of a block with an event id that is wanted.
    fn hits(&self, block: &Block, event_id: AttrId, wanted: &HashSet<&str>) -> HashSet<usize> {
        let (codes, is_wanted): (_, Vec<bool>) = match block.column(event_id) {
            Some(Column::Str { codes, dictionary }) => {
                (codes, dictionary.iter().map(|id| wanted.contains(id)).collect())
            }
            Some(Column::Symbol { codes, dictionary }) => {
                let text = |&symbol: &u32| self.names.symbol(event_id, symbol);
                (codes, dictionary.iter().map(|symbol| wanted.contains(&*text(symbol))).collect())
            }
            _ => return HashSet::new(),
        };
        if !is_wanted.contains(&true) {
            return HashSet::new();
        }
        let is_hit = |code: &u32| is_wanted.get((*code as usize).wrapping_sub(1)) == Some(&true);
        codes.iter().enumerate().filter(|(_, code)| is_hit(code)).map(|(row, _)| row).collect()
    }
}

/// Some rows of a block, ascending.
fn picked(block: &Block, rows: &[usize]) -> Rows {
    let from: Vec<Option<u32>> = rows.iter().map(|&row| Some(row as u32)).collect();
    let customer = |&row: &usize| {
        let place = block.offsets.partition_point(|&offset| offset as usize <= row);
        block.customers.get(place.wrapping_sub(1)).copied().unwrap_or_default()
    };
    Rows {
        customers: rows.iter().map(customer).collect(),
        times: rows.iter().map(|&row| block.times.get(row).copied().unwrap_or_default()).collect(),
        columns: block.columns.iter().map(|(attr, column)| (*attr, pick_rows(column, &from))).collect(),
    }
}
