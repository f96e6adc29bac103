//! Cutting and joining batches of rows.

use roaring::RoaringBitmap;
use throughline_engine::CustomerOrdinal;

use super::accumulate::BatchRow;
use super::cell_table::cell_bytes;
use super::{Cell, Env, RowBatch, Sets, Typed};

impl RowBatch {
    /// No rows of `columns` columns.
    pub(crate) fn empty(columns: usize) -> Self {
        Self { len: 0, columns: vec![Vec::new(); columns], sets: Sets::Many(Vec::new()), members: None }
    }

    /// A row each for `customers`, of `width` columns of which only that at
    /// `place`, where somebody reads it, has values: the customers.
    pub(crate) fn of_customers(width: usize, place: Option<usize>, customers: Vec<CustomerOrdinal>) -> Self {
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); width];
        if let Some(column) = place.and_then(|place| columns.get_mut(place)) {
            column.extend(customers.iter().map(|&customer| Cell::Customer(customer)));
        }
        Self { len: customers.len(), columns, sets: Sets::One(customers), members: None }
    }

    /// Whether the customers behind the rows are known.
    pub(crate) fn has_sets(&self) -> bool {
        self.sets.len() == self.len
    }

    /// Whether a predicate over the columns holds for a row.
    pub(crate) fn truth(&self, predicate: &Typed, row: usize, env: &Env) -> Option<bool> {
        predicate.truth(&BatchRow { columns: &self.columns, row }, env)
    }

    /// Keeps the rows that `keep` has true.
    pub(super) fn retain(&mut self, keep: &[bool]) {
        fn cut<T>(items: &mut Vec<T>, keep: &[bool]) {
            let mut row = 0;
            items.retain(|_| {
                row += 1;
                keep.get(row - 1).copied().unwrap_or(false)
            });
        }
        self.len = keep.iter().filter(|keep| **keep).count();
        self.columns.iter_mut().for_each(|column| cut(column, keep));
        match &mut self.sets {
            Sets::One(sets) => cut(sets, keep),
            Sets::Many(sets) => cut(sets, keep),
        }
        if let Some(members) = &mut self.members {
            cut(members, keep);
        }
    }

    /// Keeps the first `len` rows.
    pub(super) fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.len = len;
        self.columns.iter_mut().for_each(|column| column.truncate(len));
        match &mut self.sets {
            Sets::One(sets) => sets.truncate(len),
            Sets::Many(sets) => sets.truncate(len),
        }
        if let Some(members) = &mut self.members {
            members.truncate(len);
        }
    }

    /// The rows at `places`, in that order.
    pub(super) fn gather(&self, places: &[u32]) -> Self {
        fn pick<T: Clone>(items: &[T], places: &[u32]) -> Vec<T> {
            if items.is_empty() {
                return Vec::new();
            }
            places.iter().filter_map(|&place| items.get(place as usize).cloned()).collect()
        }
        Self {
            len: places.len(),
            columns: self.columns.iter().map(|column| pick(column, places)).collect(),
            sets: match &self.sets {
                Sets::One(sets) => Sets::One(pick(sets, places)),
                Sets::Many(sets) => Sets::Many(pick(sets, places)),
            },
            members: self.members.as_ref().map(|members| pick(members, places)),
        }
    }

    /// Adds the rows of `other` at the end. What only one side has (sets,
    /// members, a column) is had by none, save where that side has all rows.
    pub(super) fn append(&mut self, other: Self) {
        if other.len == 0 {
            return;
        }
        if self.len == 0 {
            *self = other;
            return;
        }
        let has_sets = self.has_sets() && other.has_sets();
        for (column, more) in self.columns.iter_mut().zip(other.columns) {
            if column.is_empty() && more.is_empty() {
                continue;
            }
            column.resize(self.len, Cell::Null);
            column.extend(more);
            column.resize(self.len + other.len, Cell::Null);
        }
        let sets = std::mem::replace(&mut self.sets, Sets::Many(Vec::new()));
        if has_sets {
            self.sets = match (sets, other.sets) {
                (Sets::One(mut sets), Sets::One(more)) => {
                    sets.extend(more);
                    Sets::One(sets)
                }
                (sets, more) => {
                    let mut sets = sets.into_bitmaps();
                    sets.extend(more.into_bitmaps());
                    Sets::Many(sets)
                }
            };
        }
        self.members = match (self.members.take(), other.members) {
            (Some(mut members), Some(more)) => {
                members.extend(more);
                Some(members)
            }
            _ => None,
        };
        self.len += other.len;
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> u64 {
        let cells: u64 = self.columns.iter().flatten().map(cell_bytes).sum();
        let sets = match &self.sets {
            Sets::One(sets) => 4 * sets.len() as u64,
            Sets::Many(sets) => sets.iter().map(|set| 48 + set.serialized_size() as u64).sum(),
        };
        let members: u64 =
            self.members.iter().flatten().map(|members| 40 + 4 * members.places.len() as u64).sum();
        cells + sets + members
    }
}

impl Sets {
    /// Of how many rows.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(sets) => sets.len(),
            Self::Many(sets) => sets.len(),
        }
    }

    /// Whether a customer is behind a row.
    pub(crate) fn has(&self, row: usize, customer: CustomerOrdinal) -> bool {
        match self {
            Self::One(sets) => sets.get(row) == Some(&customer),
            Self::Many(sets) => sets.get(row).is_some_and(|set| set.contains(customer)),
        }
    }

    /// Adds the customers behind a row to `set`.
    pub(crate) fn add_to(&self, row: usize, set: &mut RoaringBitmap) {
        match self {
            Self::One(sets) => {
                if let Some(&customer) = sets.get(row) {
                    set.insert(customer);
                }
            }
            Self::Many(sets) => {
                if let Some(more) = sets.get(row) {
                    *set |= more;
                }
            }
        }
    }

    fn into_bitmaps(self) -> Vec<RoaringBitmap> {
        match self {
            Self::One(sets) => {
                sets.into_iter().map(|customer| RoaringBitmap::from_iter([customer])).collect()
            }
            Self::Many(sets) => sets,
        }
    }
}
