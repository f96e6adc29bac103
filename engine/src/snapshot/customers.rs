//! Who the customers of a snapshot are: their names, attributes and cohorts.

use std::sync::Arc;

use roaring::RoaringBitmap;

use super::Snapshot;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::model::{CustomerOrdinal, Identity, IdentityOrdinal};
use crate::schema::{AttrId, Subject};

impl Snapshot {
    /// The customer that goes by `identity`.
    ///
    /// # Errors
    /// [`Error::Damaged`] as [`Snapshot::read`].
    pub fn resolve(&self, identity: &Identity) -> Result<Option<CustomerOrdinal>> {
        self.find_identity(identity)?.map(|identity| self.names.customers.of(identity)).transpose()
    }

    /// The number of an identity, whoever goes by it.
    ///
    /// # Errors
    /// [`Error::Damaged`] as [`Snapshot::read`].
    pub fn find_identity(&self, identity: &Identity) -> Result<Option<IdentityOrdinal>> {
        self.names.find_identity(identity.as_str())
    }

    /// The identity a customer is shown by.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an ordinal the snapshot does not have; [`Error::Damaged`] as
    /// [`Snapshot::read`].
    pub fn customer_name(&self, customer: CustomerOrdinal) -> Result<String> {
        if customer >= self.names.ordinals {
            return Err(Error::invalid("there is no such customer in this snapshot"));
        }
        self.identity_name(self.names.customers.shown(customer)?)
    }

    /// An identity, written `namespace:key`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a number the snapshot does not have; [`Error::Damaged`] as
    /// [`Snapshot::read`].
    pub fn identity_name(&self, identity: IdentityOrdinal) -> Result<String> {
        self.names.identity(identity)
    }

    /// A customer attribute, row `i` for customer ordinal `i`; it may be
    /// shorter than [`Snapshot::ordinals`], the rest is NULL. A value is that
    /// of the latest row, by total order, that has one; of a customer's
    /// identities each of which has one, the latest by time, sequence and text
    /// of the identity.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an attribute that is not the customers'; [`Error::Damaged`] as
    /// [`Snapshot::read`].
    pub fn customer_column(&self, attr: AttrId) -> Result<Arc<Column>> {
        if self.names.schema.get(attr).is_none_or(|attribute| attribute.subject != Subject::Customer) {
            return Err(Error::invalid("that is not an attribute of customers"));
        }
        let empty = || Arc::new(Column::Int { values: Vec::new(), valid: None });
        let Some(block) = &self.customers else { return Ok(empty()) };
        let Some(column) = block.column(attr) else { return Ok(empty()) };
        // No customer has a higher number than any of its identities.
        let len = block.customers.last().map_or(0, |&last| last as usize + 1);
        // For each ordinal the row that decides, if any, and the identity it was given of.
        let mut rows: Vec<Option<(usize, u32)>> = vec![None; len];
        let recorded = self.as_of.map(|as_of| as_of.rows(block));
        let known =
            |row: usize| recorded.as_ref().is_none_or(|rows| rows.get(row).is_some_and(|known| *known));
        let latest = |row: usize| {
            let sequence = match block.column(AttrId::SEQUENCE) {
                Some(Column::Int { values, .. }) => values.get(row).copied(),
                _ => None,
            };
            (block.times.get(row).copied(), sequence)
        };
        // Rows of attributes are kept by the identity that they were given of.
        for (place, &identity) in block.customers.iter().enumerate() {
            let found = block.journey(place).rev().find(|&row| !column.is_null(row) && known(row));
            let Some(row) = found else { continue };
            let customer = self.names.customers.of(IdentityOrdinal(identity))?;
            let Some(decides) = rows.get_mut(customer as usize) else { continue };
            if let Some((other, of)) = *decides {
                let name = |identity| self.identity_name(IdentityOrdinal(identity));
                let later = latest(row).cmp(&latest(other));
                if later.is_lt() || (later.is_eq() && name(identity)? < name(of)?) {
                    continue;
                }
            }
            *decides = Some((row, identity));
        }
        fn pick<T: Copy + Default>(rows: &[Option<(usize, u32)>], values: &[T]) -> Vec<T> {
            let value = |row: &Option<(usize, u32)>| row.and_then(|(row, _)| values.get(row).copied());
            rows.iter().map(|row| value(row).unwrap_or_default()).collect()
        }
        let valid = || Some(rows.iter().map(Option::is_some).collect::<Vec<bool>>());
        Ok(Arc::new(match column {
            Column::Symbol { codes, dictionary } => {
                Column::Symbol { codes: pick(&rows, codes), dictionary: dictionary.clone() }
            }
            Column::Str { codes, dictionary } => {
                Column::Str { codes: pick(&rows, codes), dictionary: dictionary.clone() }
            }
            Column::Int { values, .. } => Column::Int { values: pick(&rows, values), valid: valid() },
            Column::Float { values, .. } => Column::Float { values: pick(&rows, values), valid: valid() },
        }))
    }

    /// Names of the saved cohorts, sorted.
    pub fn cohorts(&self) -> Vec<String> {
        self.cohorts.keys().cloned().collect()
    }

    /// The customers of a saved cohort: who goes by the identities that were saved.
    ///
    /// # Errors
    /// [`Error::Damaged`] as [`Snapshot::read`].
    pub fn cohort(&self, name: &str) -> Result<Option<RoaringBitmap>> {
        let saved = self.cohorts.get(name);
        saved.map(|identities| self.names.customers.map_set(identities)).transpose()
    }

    /// All identities of some customers: what is saved of a cohort.
    pub(crate) fn identities_of(&self, customers: &RoaringBitmap) -> Result<RoaringBitmap> {
        self.names.customers.expand(customers)
    }
}
