//! Kill marks: customers whose interactions are not read any more where they lie, since they were
//! taken out or written anew. Segments, indexes and tallies stay as they are, and readers subtract.
//!
//! A run keeps its own marks. Those that came since the last seal are of whole customers: nothing
//! that is sealed of them is alive, in whatever run it lies.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use roaring::RoaringBitmap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::chunks::Blob;
use crate::model::CustomerOrdinal;

/// Some customers, mostly none. Cheap to clone; stored as a roaring bitmap in its portable format,
/// and as no bytes where there is nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(Option<Arc<RoaringBitmap>>);

impl Marks {
    pub(crate) fn get(&self) -> Option<&RoaringBitmap> {
        self.0.as_deref()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn contains(&self, customer: CustomerOrdinal) -> bool {
        self.get().is_some_and(|marks| marks.contains(customer))
    }

    /// Those of a span, ascending.
    pub(crate) fn within(&self, span: RangeInclusive<CustomerOrdinal>) -> Vec<CustomerOrdinal> {
        self.get().map_or_else(Vec::new, |marks| marks.range(span).collect())
    }

    pub(crate) fn extend(&mut self, customers: impl IntoIterator<Item = CustomerOrdinal>) {
        let mut customers = customers.into_iter().peekable();
        if customers.peek().is_some() {
            Arc::make_mut(self.0.get_or_insert_default()).extend(customers);
        }
    }

    pub(crate) fn remove(&mut self, customer: CustomerOrdinal) {
        if self.contains(customer)
            && let Some(mut marks) = self.0.take()
        {
            Arc::make_mut(&mut marks).remove(customer);
            self.0 = (!marks.is_empty()).then_some(marks);
        }
    }

    /// Whether one of a span is among them.
    pub(crate) fn any_within(&self, span: RangeInclusive<CustomerOrdinal>) -> bool {
        self.get().is_some_and(|marks| marks.range_cardinality(span) > 0)
    }

    /// Takes them out of a set.
    pub(crate) fn remove_from(&self, customers: &mut RoaringBitmap) {
        if let Some(marks) = self.get() {
            *customers -= marks;
        }
    }
}

impl Serialize for Marks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        if let Some(marks) = self.get() {
            marks.serialize_into(&mut bytes).map_err(serde::ser::Error::custom)?;
        }
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Marks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        let mut rest = bytes.as_slice();
        if rest.is_empty() {
            return Ok(Self::default());
        }
        let marks = RoaringBitmap::deserialize_from(&mut rest).map_err(serde::de::Error::custom)?;
        if !rest.is_empty() || marks.is_empty() {
            return Err(serde::de::Error::custom("kill marks are not what was written"));
        }
        Ok(Self(Some(Arc::new(marks))))
    }
}

/// What is dead in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dead {
    /// Whose interactions in this run are dead. The run has some of each.
    pub customers: Marks,
    /// How many interactions that is.
    pub rows: u64,
    /// The dead interactions' share of each pair that the run has tallied; no bytes where there are none.
    pub tallies: Blob,
}

/// Customers of whom nothing that is sealed is alive, until the next seal marks their runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unmarked {
    customers: Marks,
    /// Their sealed interactions that the runs do not mark yet, by range.
    rows: BTreeMap<u32, u64>,
}

impl Unmarked {
    pub(crate) fn customers(&self) -> &Marks {
        &self.customers
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows.values().sum()
    }

    /// Of one range.
    pub(crate) fn rows_of(&self, range: u32) -> u64 {
        self.rows.get(&range).copied().unwrap_or_default()
    }

    /// Adds customers of a range, whose sealed interactions that were alive are so many.
    pub(crate) fn add(
        &mut self,
        range: u32,
        customers: impl IntoIterator<Item = CustomerOrdinal>,
        rows: u64,
    ) {
        self.customers.extend(customers);
        *self.rows.entry(range).or_default() += rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{from_bytes, to_bytes};

    #[test]
    fn marks_are_stored_as_they_were() {
        let mut marks = Marks::default();
        assert_eq!(to_bytes(&marks).expect("encodes"), [0; 8]);
        marks.extend([]);
        assert!(marks.is_empty());
        for customers in [vec![], vec![0, 70_000], (3..200).collect(), vec![u32::MAX]] {
            marks.extend(customers);
            let bytes = to_bytes(&marks).expect("encodes");
            let read: Marks = from_bytes(&bytes, "test").expect("decodes");
            assert_eq!(read, marks);
            for cut in 0..bytes.len() {
                assert!(from_bytes::<Marks>(&bytes[..cut], "test").is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_mark_of_nobody_and_bytes_after_the_marks_are_refused() {
        let mut empty = Vec::new();
        RoaringBitmap::new().serialize_into(&mut empty).expect("encodes");
        let mut long = Vec::new();
        RoaringBitmap::from_iter([5]).serialize_into(&mut long).expect("encodes");
        long.push(0);
        for bytes in [empty, long] {
            let bytes = to_bytes(&bytes).expect("encodes");
            assert!(from_bytes::<Marks>(&bytes, "test").is_err());
        }
    }
}
