//! What history frames hold: the kinds of records and their bodies.
//!
//! A commit is one or more frames of one commit number; the last one has
//! [`FINAL`] set in its kind. Kinds up to 31 that stand for nothing yet are kept for
//! the catalogue.
//!
//! A body of rows, little-endian:
//!
//! ```text
//! version u8 = 1 | rows u32 | columns u16
//! columns x { attribute u16, bytes u32 }
//! the columns' bytes, end to end, each as `columns::encode` writes it
//! ```
//!
//! Text columns carry their own dictionary, so that a frame can be read alone.
//! Attributes from [`TIMES`] up are the row's own parts: identity (text), time,
//! sequence, how often the same content came before in its source, and, where a row of the frame
//! says so itself, when it was recorded.

pub(crate) mod amend;
pub(crate) mod links;

mod erase;
mod retain;

use serde::{Deserialize, Serialize};

pub(crate) use erase::EraseRecord;
pub(crate) use retain::{RetainRecord, Said as RetainedSaid};

use crate::batch::{Batch, BatchColumn};
use crate::column::Column;
use crate::columns;
use crate::error::{Error, Result};
use crate::model::Millis;
use crate::schema::{AttrId, Schema};
use crate::strings::Strings;

/// Set in the kind of a commit's last frame.
pub(crate) const FINAL: u8 = 0x80;
/// The whole schema from here on (bincode of [`Schema`]).
pub(crate) const SCHEMA: u8 = 1;
/// Where the rows that follow come from (bincode of [`Source`]).
pub(crate) const SOURCE: u8 = 2;
/// Interactions.
pub(crate) const INTERACTIONS: u8 = 3;
/// Customers' attributes.
pub(crate) const CUSTOMERS: u8 = 4;
/// Nothing: it only ends a commit.
pub(crate) const COMMIT: u8 = 5;
/// A saved cohort (bincode of [`CohortRecord`]).
pub(crate) const COHORT: u8 = 6;
/// What was said about identities; see [`links`].
pub(crate) const LINKS: u8 = 16;
/// The rules for joining identities from here on; see [`links`].
pub(crate) const GUARDS: u8 = 17;
/// Values of interactions that are others from here on; see [`amend`].
pub(crate) const AMEND: u8 = 18;
/// Values of interactions that are not known any more, and never were; see [`amend`].
pub(crate) const REDACT: u8 = 19;
/// Whom the store forgets, and whom it may know again ([`EraseRecord`]).
pub(crate) const ERASE: u8 = 20;
/// How far back interactions are kept ([`RetainRecord`]).
pub(crate) const RETAIN: u8 = 21;

/// The time of each row.
pub(crate) const TIMES: AttrId = AttrId(u16::MAX - 8);
/// How often the row's content came before in its source; NULL where the row
/// was not checked by its content.
pub(crate) const OCCURRENCE: AttrId = AttrId(u16::MAX - 7);

const VERSION: u8 = 1;

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub name: String,
}

/// A saved set of customers, by the ordinals of their identities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CohortRecord {
    pub name: String,
    /// A roaring bitmap in its portable format.
    pub customers: Vec<u8>,
}

/// bincode 1.3 with its fixed-width defaults and a cap on what it allocates.
/// Everything small and versioned goes through here, and nothing else does.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    bincode::serialize(value).map_err(|error| Error::invalid(format!("cannot encode a record: {error}")))
}

/// Reads what [`to_bytes`] wrote.
pub(crate) fn from_bytes<T: for<'a> Deserialize<'a>>(bytes: &[u8], what: &str) -> Result<T> {
    use bincode::Options;
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_limit(bytes.len() as u64)
        .deserialize(bytes)
        .map_err(|error| Error::damaged(what, 0, format!("a record does not decode: {error}")))
}

/// Rows as a frame holds them: in the order of their source.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FrameRows {
    /// Distinct identities.
    pub identities: Strings,
    /// For each row the place of its identity.
    pub identity_codes: Vec<u32>,
    pub times: Vec<i64>,
    pub sequences: Vec<i64>,
    /// Which rows have no sequence yet; not stored, and empty once all have one.
    pub unnumbered: Vec<bool>,
    /// `None` where no row is checked by its content.
    pub occurrences: Option<Vec<i64>>,
    /// Ascending by attribute, [`AttrId::RECORDED`] among them; never [`Column::Symbol`].
    pub columns: Vec<(AttrId, Column)>,
}

/// How many rows a body has, and the bytes of each column.
type Parts<'a> = (usize, Vec<(AttrId, &'a [u8])>);

impl FrameRows {
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    /// The rows of a batch. A row without a sequence has 0, and is numbered by
    /// [`FrameRows::number_from`] where it has no event id either.
    pub(crate) fn from_batch(batch: Batch) -> Self {
        let rows = batch.len();
        let unnumbered = (batch.sequences.iter().enumerate())
            .map(|(row, given)| given.is_none() && !batch.has_event_id(row))
            .collect();
        let sequences = batch.sequences.iter().map(|given| given.unwrap_or(0) as i64).collect();
        let mut columns: Vec<(AttrId, Column)> = batch
            .columns
            .into_iter()
            .enumerate()
            .filter_map(|(place, column)| Some((AttrId(place as u16), frame_column(column?, rows))))
            .collect();
        if batch.recorded.iter().any(Option::is_some) {
            let values = batch.recorded.iter().map(|recorded| recorded.unwrap_or_default()).collect();
            let valid = batch.recorded.iter().map(Option::is_some).collect();
            columns.push((AttrId::RECORDED, frame_column(BatchColumn::Int { values, valid }, rows)));
        }
        Self {
            identities: batch.identities.into_strings(),
            identity_codes: batch.identity_codes,
            times: batch.times,
            sequences,
            unnumbered,
            occurrences: None,
            columns,
        }
    }

    /// When each row was recorded, where it says so itself; `None` where no row does.
    pub(crate) fn recorded(&self) -> Option<impl Iterator<Item = Option<Millis>>> {
        let (_, column) = self.columns.iter().rfind(|(attr, _)| *attr == AttrId::RECORDED)?;
        let Column::Int { values, .. } = column else { return None };
        Some((0..self.len()).map(|row| values.get(row).copied().filter(|_| !column.is_null(row))))
    }

    /// Gives sequences to the rows that are to be told by the order of recording:
    /// `first` + the row's place. `first` counts the rows recorded before.
    pub(crate) fn number_from(&mut self, first: u64) {
        let unnumbered = std::mem::take(&mut self.unnumbered);
        for (place, (sequence, unnumbered)) in (first..).zip(self.sequences.iter_mut().zip(unnumbered)) {
            if unnumbered {
                *sequence = place as i64;
            }
        }
    }

    /// The rows for which `keep` holds, with dictionaries of only what they use.
    pub(crate) fn filtered(&self, keep: &[bool]) -> Self {
        let (codes, identities) = compact(
            &pick(&self.identity_codes, keep).into_iter().map(|code| code + 1).collect::<Vec<_>>(),
            &self.identities,
        );
        Self {
            identities,
            identity_codes: codes.into_iter().map(|code| code.saturating_sub(1)).collect(),
            times: pick(&self.times, keep),
            sequences: pick(&self.sequences, keep),
            unnumbered: pick(&self.unnumbered, keep),
            occurrences: self.occurrences.as_ref().map(|values| pick(values, keep)),
            columns: self
                .columns
                .iter()
                .map(|(attr, column)| {
                    let column = match column {
                        Column::Symbol { codes, dictionary } => {
                            Column::Symbol { codes: pick(codes, keep), dictionary: dictionary.clone() }
                        }
                        Column::Str { codes, dictionary } => {
                            let (codes, dictionary) = compact(&pick(codes, keep), dictionary);
                            Column::Str { codes, dictionary }
                        }
                        Column::Int { values, valid } => Column::Int {
                            values: pick(values, keep),
                            valid: valid.as_ref().map(|valid| pick(valid, keep)),
                        },
                        Column::Float { values, valid } => Column::Float {
                            values: pick(values, keep),
                            valid: valid.as_ref().map(|valid| pick(valid, keep)),
                        },
                    };
                    (*attr, column)
                })
                .collect(),
        }
    }

    /// Without the rows of the identities that are `gone`, and which rows stay; `None` where all do.
    pub(crate) fn without_identities(&self, gone: &[bool]) -> Option<(Self, Vec<bool>)> {
        if !gone.contains(&true) {
            return None;
        }
        let stays = |&code: &u32| !gone.get(code as usize).copied().unwrap_or_default();
        let keep: Vec<bool> = self.identity_codes.iter().map(stays).collect();
        Some((self.filtered(&keep), keep))
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let rows = self.len();
        let identity = Column::Str {
            codes: self.identity_codes.iter().map(|code| code + 1).collect(),
            dictionary: self.identities.clone(),
        };
        let mut parts: Vec<(AttrId, Vec<u8>)> = Vec::with_capacity(self.columns.len() + 4);
        let mut add = |attr: AttrId, column: &Column| -> Result<()> {
            let mut bytes = Vec::new();
            columns::encode(column, &mut bytes)?;
            parts.push((attr, bytes));
            Ok(())
        };
        add(AttrId::IDENTITY, &identity)?;
        add(TIMES, &Column::Int { values: self.times.clone(), valid: None })?;
        add(AttrId::SEQUENCE, &Column::Int { values: self.sequences.clone(), valid: None })?;
        if let Some(occurrences) = &self.occurrences {
            let valid = occurrences.iter().map(|&occurrence| occurrence >= 0).collect();
            let values = occurrences.iter().map(|&occurrence| occurrence.max(0)).collect();
            add(OCCURRENCE, &Column::Int { values, valid: Some(valid) })?;
        }
        for (attr, column) in &self.columns {
            add(*attr, column)?;
        }
        let mut out = vec![VERSION];
        out.extend((rows as u32).to_le_bytes());
        out.extend((parts.len() as u16).to_le_bytes());
        for (attr, bytes) in &parts {
            out.extend(attr.0.to_le_bytes());
            out.extend((bytes.len() as u32).to_le_bytes());
        }
        for (_, bytes) in &parts {
            out.extend_from_slice(bytes);
        }
        Ok(out)
    }

    /// The identities in an encoded frame.
    pub(crate) fn identities_in(bytes: &[u8], what: &str) -> Result<Strings> {
        let (rows, parts) = Self::parts(bytes, what)?;
        let column = parts.iter().find(|(attr, _)| *attr == AttrId::IDENTITY);
        match column.map(|(_, bytes)| columns::decode(bytes, rows, what)).transpose()? {
            Some(Column::Str { dictionary, .. }) => Ok(dictionary),
            _ => Err(Error::damaged(what, 0, "a frame lacks identities")),
        }
    }

    /// How many rows an encoded frame has, and its columns, encoded.
    fn parts<'a>(bytes: &'a [u8], what: &str) -> Result<Parts<'a>> {
        let damaged = |message: &str| Error::damaged(what, 0, message);
        let mut at = 0_usize;
        let mut take = |n: usize| -> Result<&'a [u8]> {
            let part =
                bytes.get(at..at.saturating_add(n)).ok_or_else(|| damaged("a frame's body is cut short"))?;
            at += n;
            Ok(part)
        };
        let number = |part: &[u8]| part.iter().rev().fold(0_usize, |sum, &byte| sum << 8 | usize::from(byte));
        let version = number(take(1)?);
        if version != usize::from(VERSION) {
            let rows = format!("the body of {what}");
            return Err(Error::other_format(&rows, version as u64, u64::from(VERSION)));
        }
        let rows = number(take(4)?);
        let count = number(take(2)?);
        let mut directory = Vec::with_capacity(count);
        for _ in 0..count {
            directory.push((AttrId(number(take(2)?) as u16), number(take(4)?)));
        }
        let mut parts = Vec::with_capacity(directory.len());
        for (attr, len) in directory {
            parts.push((attr, take(len)?));
        }
        Ok((rows, parts))
    }

    pub(crate) fn decode(bytes: &[u8], what: &str) -> Result<Self> {
        let damaged = |message: &str| Error::damaged(what, 0, message);
        let (rows, parts) = Self::parts(bytes, what)?;
        let mut out = Self::default();
        let (mut has_identity, mut has_times, mut has_sequences) = (false, false, false);
        for (attr, bytes) in parts {
            let column = columns::decode(bytes, rows, what)?;
            match (attr, column) {
                (AttrId::IDENTITY, Column::Str { codes, dictionary }) => {
                    has_identity = true;
                    out.identity_codes = codes
                        .into_iter()
                        .map(|code| code.checked_sub(1).ok_or_else(|| damaged("a row without an identity")))
                        .collect::<Result<_>>()?;
                    out.identities = dictionary;
                }
                (TIMES, Column::Int { values, .. }) => {
                    has_times = true;
                    out.times = values;
                }
                (AttrId::SEQUENCE, Column::Int { values, .. }) => {
                    has_sequences = true;
                    out.sequences = values;
                }
                (OCCURRENCE, Column::Int { values, valid }) => {
                    let mut values = values;
                    if let Some(valid) = valid {
                        for (value, valid) in values.iter_mut().zip(valid) {
                            if !valid {
                                *value = -1;
                            }
                        }
                    }
                    out.occurrences = Some(values);
                }
                (attr, column) if attr < TIMES => out.columns.push((attr, column)),
                (AttrId::RECORDED, column @ Column::Int { .. }) => out.columns.push((attr, column)),
                _ => return Err(damaged("a frame has a column that it should not have")),
            }
        }
        if !(has_identity && has_times && has_sequences) {
            return Err(damaged("a frame lacks identities, times or sequences"));
        }
        Ok(out)
    }
}

/// What is said of a record that this program does not know.
pub(crate) fn unknown_kind(kind: u8, what: &str) -> Error {
    Error::NotAStore(format!(
        "{what} holds a record of kind {kind}, which this program does not know: use a newer one"
    ))
}

/// A schema record.
pub(crate) fn schema_from(bytes: &[u8], what: &str) -> Result<Schema> {
    from_bytes(bytes, what)
}

fn frame_column(column: BatchColumn, rows: usize) -> Column {
    match column {
        BatchColumn::Str { mut codes, table } => {
            codes.resize(rows, 0);
            Column::Str { codes, dictionary: table.into_strings() }
        }
        BatchColumn::Int { mut values, mut valid } => {
            values.resize(rows, 0);
            Column::Int { values, valid: validity(&mut valid, rows) }
        }
        BatchColumn::Float { mut values, mut valid } => {
            values.resize(rows, 0.0);
            Column::Float { values, valid: validity(&mut valid, rows) }
        }
    }
}

fn validity(valid: &mut Vec<bool>, rows: usize) -> Option<Vec<bool>> {
    valid.resize(rows, false);
    valid.contains(&false).then(|| std::mem::take(valid))
}

fn pick<T: Copy>(values: &[T], keep: &[bool]) -> Vec<T> {
    values.iter().zip(keep).filter(|(_, keep)| **keep).map(|(value, _)| *value).collect()
}

/// Renumbers codes (0 is NULL) to a dictionary of only those that occur.
fn compact(codes: &[u32], dictionary: &Strings) -> (Vec<u32>, Strings) {
    let mut renumbered = vec![0_u32; dictionary.len() + 1];
    let mut kept = Strings::default();
    let codes = codes
        .iter()
        .map(|&code| {
            let Some(number) = renumbered.get_mut(code as usize).filter(|_| code != 0) else { return 0 };
            if *number == 0 {
                kept.push(dictionary.get(code as usize - 1));
                *number = kept.len() as u32;
            }
            *number
        })
        .collect();
    (codes, kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::ValueRef;
    use crate::model::Identity;
    use crate::schema::{Role, Schema};

    /// The second of three says when it was recorded.
    fn batch() -> Batch {
        let schema = Schema::new();
        let id = |role| schema.role(role).map(|attribute| attribute.id).expect("a core role");
        let mut batch = Batch::new(&schema);
        for (row, name) in ["crm:1", "crm:2", "crm:1"].into_iter().enumerate() {
            batch.begin(&Identity::parse(name).expect("parses"), 1_000 + row as i64);
            batch.set(id(Role::Kind), ValueRef::Str(["a", "b", "c"][row])).expect("sets");
            if row != 1 {
                batch.set(id(Role::Score), ValueRef::Int(row as i64)).expect("sets");
            } else {
                batch.recorded(500);
            }
        }
        batch.set(id(Role::EventId), ValueRef::Str("e1")).expect("sets");
        batch
    }

    #[test]
    fn a_frame_reads_back() {
        let mut rows = FrameRows { occurrences: Some(vec![0, 1, -1]), ..FrameRows::from_batch(batch()) };
        rows.number_from(100);
        assert_eq!(rows.sequences, [100, 101, 0]);
        assert_eq!(rows.recorded().map(Iterator::collect), Some(vec![None, Some(500), None]));
        let bytes = rows.encode().expect("encodes");
        assert_eq!(FrameRows::decode(&bytes, "frame").expect("decodes"), rows);
        for cut in 0..bytes.len() {
            assert!(FrameRows::decode(&bytes[..cut], "frame").is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn rows_without_recording_times_are_written_as_ever() {
        let plain = FrameRows::from_batch(batch());
        let mut without = batch();
        without.recorded = vec![None; 3];
        let without = FrameRows::from_batch(without);
        assert!(without.recorded().is_none());
        let columns = |rows: &FrameRows| rows.columns.iter().map(|(attr, _)| *attr).collect::<Vec<_>>();
        assert_eq!(columns(&plain), [columns(&without), vec![AttrId::RECORDED]].concat());
    }

    #[test]
    fn filtering_drops_unused_entries() {
        let rows = FrameRows::from_batch(batch()).filtered(&[false, true, true]);
        assert_eq!(rows.identities.iter().collect::<Vec<_>>(), ["crm:2", "crm:1"]);
        assert_eq!(rows.identity_codes, [0, 1]);
        let Some((_, Column::Str { codes, dictionary })) = rows.columns.first() else {
            panic!("a text column")
        };
        assert_eq!((codes.as_slice(), dictionary.len()), ([1, 2].as_slice(), 2));
    }
}
