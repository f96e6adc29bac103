//! What numbers stand for at one commit: attributes, symbols and identities.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::column::Column;
use crate::customers::Customers;
use crate::dead::Marks;
use crate::digest;
use crate::error::{Error, Result};
use crate::identities::{Identities, NameTable};
use crate::merge::{Rows, widen};
use crate::model::IdentityOrdinal;
use crate::records::FrameRows;
use crate::schema::{AttrId, AttrType, Schema, Subject};
use crate::strings::{StringTable, Strings};

/// The dictionary of a symbol attribute: numbers to values and back.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    pub(crate) table: StringTable,
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

/// Schema, dictionaries and identities as of one commit. Identities and
/// symbols only ever grow, and their numbers follow from the order of the
/// history, so the table of identities is shared with later commits and
/// bounded by `ordinals`. Customers have numbers of identities, so that bounds
/// theirs, too.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub schema: Arc<Schema>,
    pub symbols: BTreeMap<AttrId, Arc<Symbols>>,
    pub identities: Arc<Identities>,
    pub ordinals: u32,
    pub customers: Customers,
    /// Identities that were erased: they are not found, and their names are not shown.
    pub erased: Marks,
}

impl Names {
    pub(crate) fn new(schema: Schema) -> Self {
        Self {
            schema: Arc::new(schema),
            symbols: BTreeMap::new(),
            identities: Arc::default(),
            ordinals: 0,
            customers: Customers::default(),
            erased: Marks::default(),
        }
    }

    /// The identity of that number, where this commit knows it.
    pub(crate) fn identity(&self, identity: IdentityOrdinal) -> Result<String> {
        if identity.0 >= self.ordinals || self.erased.contains(identity.0) {
            return Err(Error::invalid("there is no such identity in this snapshot"));
        }
        self.identities.name(identity)
    }

    /// The number of an identity, where this commit knows it.
    pub(crate) fn find_identity(&self, identity: &str) -> Result<Option<IdentityOrdinal>> {
        let known =
            |identity: &IdentityOrdinal| identity.0 < self.ordinals && !self.erased.contains(identity.0);
        Ok(self.identities.find(identity)?.filter(known))
    }

    /// The number of an identity, given out now if it is new.
    ///
    /// # Errors
    /// [`Error::Limit`] past 2^32 - 2 identities.
    pub(crate) fn number_identity(&mut self, identity: &str) -> Result<IdentityOrdinal> {
        let mut identities = self.identities.write()?;
        let number = identities.try_intern(identity)?;
        self.ordinals = count_of(&identities)?;
        Ok(IdentityOrdinal(number))
    }

    pub(crate) fn symbol(&self, attr: AttrId, symbol: u32) -> String {
        self.symbols.get(&attr).map(|symbols| symbols.get(symbol).to_owned()).unwrap_or_default()
    }

    /// A stored column as the attribute's type is now.
    pub(crate) fn conform(&self, attr: AttrId, column: Column) -> Column {
        match self.schema.get(attr) {
            Some(attribute) => {
                // Between the first type and this one lie ints and floats only, and
                // those read alike; a bool or a time was that from the start.
                widen(column, attribute.first_ty, attribute.ty, &|symbol| self.symbol(attr, symbol))
            }
            None => column,
        }
    }

    /// Whether there is room for these identities, were all of them new.
    ///
    /// # Errors
    /// [`Error::Limit`] past 4 GB of identities or 2^32 - 2 of them.
    pub(crate) fn check_room(&self, more: &Strings) -> Result<()> {
        let identities = self.identities.read()?;
        let limit = u64::from(u32::MAX) - 1;
        let bytes = (identities.strings().text_bytes() + more.text_bytes()) as u64;
        let count = (identities.len() + more.len()) as u64;
        if bytes > limit {
            return Err(Error::Limit { what: "bytes of identities in a store", value: bytes, limit });
        }
        if count > limit {
            return Err(Error::Limit { what: "identities in a store", value: count, limit });
        }
        Ok(())
    }

    /// Gives numbers to some identities, in their order.
    ///
    /// # Errors
    /// [`Error::Limit`] past 2^32 - 2 identities.
    pub(crate) fn number_identities(&mut self, texts: &Strings) -> Result<Vec<u32>> {
        let mut identities = self.identities.write()?;
        let numbers = identities.try_intern_all(texts)?;
        self.ordinals = count_of(&identities)?;
        Ok(numbers)
    }

    /// Gives numbers to a frame's identities and symbols. An interaction is of
    /// the customer whom its identity belongs to; attributes stay with the
    /// identity that they were given of.
    ///
    /// # Errors
    /// [`Error::Limit`] past 2^32 - 2 identities, [`Error::Damaged`] for a
    /// code outside its dictionary.
    pub(crate) fn number_rows(
        &mut self,
        frame: FrameRows,
        subject: Subject,
        commit: u64,
        what: &str,
    ) -> Result<Rows> {
        let rows = frame.len();
        let ordinals = self.number_identities(&frame.identities)?;
        let of_rows = |numbers: &[u32]| {
            let codes = frame.identity_codes.iter();
            codes.map(|&code| numbers.get(code as usize).copied()).collect::<Option<Vec<u32>>>().ok_or_else(
                || Error::damaged(what, 0, "a row names an identity that its frame does not have"),
            )
        };
        let identities = of_rows(&ordinals)?;
        let identity_column = Column::Int {
            values: identities.iter().map(|&ordinal| i64::from(ordinal)).collect(),
            valid: None,
        };
        let customers = match subject {
            Subject::Interaction if !self.customers.is_empty() => of_rows(&self.customers.map(ordinals)?)?,
            _ => identities,
        };
        let mut columns = Vec::with_capacity(frame.columns.len() + 3);
        for (attr, column) in frame.columns {
            if attr == AttrId::RECORDED {
                columns.push((attr, column));
                continue;
            }
            let Some(attribute) = self.schema.get(attr) else {
                return Err(Error::damaged(what, 0, format!("attribute {} is not in the schema", attr.0)));
            };
            let column = match column {
                Column::Str { codes, dictionary } if attribute.ty == AttrType::Symbol => {
                    let symbols = self.symbols.entry(attr).or_default();
                    // Readers share the table: it is copied only for a value that is new.
                    let known = dictionary.iter().map(|text| symbols.find(text)).collect::<Option<_>>();
                    let dictionary = match known {
                        Some(numbers) => numbers,
                        None => {
                            let table = &mut Arc::make_mut(symbols).table;
                            dictionary.iter().map(|text| table.try_intern(text)).collect::<Result<_>>()?
                        }
                    };
                    Column::Symbol { codes, dictionary }
                }
                other => self.conform(attr, other),
            };
            columns.push((attr, column));
        }
        columns.push((AttrId::IDENTITY, identity_column));
        columns.push((AttrId::COMMIT, Column::Int { values: vec![commit as i64; rows], valid: None }));
        columns.push((AttrId::SEQUENCE, Column::Int { values: frame.sequences, valid: None }));
        Ok(Rows { customers, times: frame.times, columns })
    }

    /// The content digests of stored rows.
    ///
    /// # Errors
    /// [`Error::Damaged`] where the identities cannot be read.
    pub(crate) fn digests(&self, times: &[i64], columns: &[(AttrId, Column)]) -> Result<Vec<u128>> {
        let mut sums = vec![0_u128; times.len()];
        let mut identities = vec![0_u128; times.len()];
        for (attr, column) in columns {
            if let Some(attribute) = self.schema.get(*attr) {
                digest::add_column(&mut sums, attribute, column, &|symbol| self.symbol(*attr, symbol));
            } else if let (&AttrId::IDENTITY, Column::Int { values, .. }) = (attr, column) {
                let table = self.identities.read()?;
                for (hash, &ordinal) in identities.iter_mut().zip(values) {
                    *hash = digest::identity_hash(table.get(ordinal as u32));
                }
            }
        }
        let rows = sums.iter().zip(&identities).zip(times);
        Ok(rows.map(|((&sum, &identity), &time)| digest::row_digest(identity, time, sum)).collect())
    }
}

/// How many identities there are.
fn count_of(identities: &NameTable) -> Result<u32> {
    u32::try_from(identities.len()).ok().filter(|&n| n < u32::MAX).ok_or(Error::Limit {
        what: "identities in a store",
        value: identities.len() as u64,
        limit: u64::from(u32::MAX) - 1,
    })
}
