//! Redactions done to the history itself: what they name is left out of the frames before them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::column::Column;
use crate::digest;
use crate::error::Result;
use crate::merge::pick_rows;
use crate::model::Millis;
use crate::records::FrameRows;
use crate::records::amend::{FrameEdits, attributes_of, attributes_text};
use crate::schema::AttrId;
use crate::strings::{StringTable, Strings};

/// What an interaction is found by: the attribute of event ids, and digests of event id and identity;
/// time and sequence.
type Key = (AttrId, u128, u128, Millis, i64);

/// The redactions of a history. So few that they are kept in memory.
pub(super) struct Redactions {
    store_key: u64,
    /// Of each interaction which commits redacted it, ascending, and which attributes.
    of: HashMap<Key, Vec<(u64, Vec<AttrId>)>>,
    /// Attributes of event ids, and the identities under which such interactions came.
    keys: BTreeSet<AttrId>,
    identities: HashSet<u128>,
}

impl Redactions {
    pub(super) fn new(store_key: u64) -> Self {
        Self { store_key, of: HashMap::new(), keys: BTreeSet::new(), identities: HashSet::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Takes in what a commit redacted; commits come in order.
    pub(super) fn add(&mut self, frame: &FrameEdits, commit: u64) {
        let identities: Vec<u128> = self.keys_of(&frame.rows.identities).collect();
        self.keys.insert(frame.key);
        for (row, &code) in frame.given.iter().enumerate() {
            let Some(key) = self.key(&frame.rows, &identities, frame.key, row) else { continue };
            self.identities.insert(key.2);
            self.of.entry(key).or_default().push((commit, attributes(frame, code)));
        }
    }

    /// Whether something of one of these identities was redacted.
    pub(super) fn concern(&self, identities: &Strings) -> bool {
        !self.is_empty() && self.keys_of(identities).any(|key| self.identities.contains(&key))
    }

    /// Leaves out of rows what was redacted after `commit`, which recorded them. Answers how many values
    /// that is.
    pub(super) fn leave_out(&self, rows: &mut FrameRows, commit: u64) -> u64 {
        let mut left_out: BTreeMap<AttrId, Vec<usize>> = BTreeMap::new();
        for (row, attrs) in self.found(rows, commit) {
            attrs.into_iter().for_each(|attr| left_out.entry(attr).or_default().push(row));
        }
        empty(rows, &left_out)
    }

    /// Leaves out of amendments what was redacted after `commit`, which made them; one of which nothing
    /// is left goes. Answers how many values that is.
    ///
    /// # Errors
    /// None that can be foreseen: there is less text than there was.
    pub(super) fn leave_out_of_edits(&self, frame: &mut FrameEdits, commit: u64) -> Result<u64> {
        let found: BTreeMap<usize, BTreeSet<AttrId>> = self.found(&frame.rows, commit).collect();
        if found.is_empty() {
            return Ok(0);
        }
        let mut left_out: BTreeMap<AttrId, Vec<usize>> = BTreeMap::new();
        let mut sets = StringTable::default();
        let (mut given, mut keep) = (Vec::with_capacity(frame.given.len()), Vec::new());
        for (row, &code) in frame.given.iter().enumerate() {
            let mut attrs = attributes(frame, code);
            if let Some(redacted) = found.get(&row) {
                let gone = attrs.extract_if(.., |attr| redacted.contains(attr));
                gone.for_each(|attr| left_out.entry(attr).or_default().push(row));
            }
            keep.push(!attrs.is_empty());
            given.push(if attrs.is_empty() { 0 } else { sets.try_intern(&attributes_text(attrs))? + 1 });
        }
        let values = left_out.values().map(|rows| rows.len() as u64).sum();
        empty(&mut frame.rows, &left_out);
        (frame.given, frame.sets) = (given, sets.into_strings());
        if keep.contains(&false) {
            *frame = frame.filtered(&keep);
        }
        Ok(values)
    }

    /// The rows of which something was redacted after `commit`, and what.
    fn found<'a>(
        &'a self,
        rows: &'a FrameRows,
        commit: u64,
    ) -> impl Iterator<Item = (usize, BTreeSet<AttrId>)> + 'a {
        let identities: Vec<u128> = self.keys_of(&rows.identities).collect();
        let known: Vec<bool> = identities.iter().map(|key| self.identities.contains(key)).collect();
        let of_known = move |row: &usize| {
            let code = rows.identity_codes.get(*row).copied().unwrap_or_default();
            known.get(code as usize) == Some(&true)
        };
        (0..rows.len()).filter(of_known).filter_map(move |row| {
            let keys = self.keys.iter().filter_map(|&attr| self.key(rows, &identities, attr, row));
            let redacted = keys.filter_map(|key| self.of.get(&key)).flatten();
            let later = redacted.filter(|(redaction, _)| *redaction > commit);
            let attrs: BTreeSet<AttrId> = later.flat_map(|(_, attrs)| attrs).copied().collect();
            (!attrs.is_empty()).then_some((row, attrs))
        })
    }

    fn keys_of<'a>(&'a self, identities: &'a Strings) -> impl Iterator<Item = u128> + 'a {
        identities.iter().map(|text| digest::identity_key(self.store_key, text))
    }

    /// What a row is found by; `None` where it has no event id.
    fn key(&self, rows: &FrameRows, identities: &[u128], attr: AttrId, row: usize) -> Option<Key> {
        let (_, column) = rows.columns.iter().find(|(known, _)| *known == attr)?;
        let Column::Str { codes, dictionary } = column else { return None };
        let event = (*codes.get(row)? as usize).checked_sub(1)?;
        let event = digest::event_key(self.store_key, dictionary.get(event));
        let identity = *identities.get(*rows.identity_codes.get(row)? as usize)?;
        Some((attr, event, identity, *rows.times.get(row)?, *rows.sequences.get(row)?))
    }
}

/// The attributes that a row of edits gives.
fn attributes(frame: &FrameEdits, code: u32) -> Vec<AttrId> {
    let set = (code as usize).checked_sub(1);
    set.and_then(|place| attributes_of(frame.sets.get(place))).unwrap_or_default()
}

/// Leaves rows without a value of some attributes, whose dictionaries lose what nobody has then. Answers
/// how many values went.
fn empty(rows: &mut FrameRows, left_out: &BTreeMap<AttrId, Vec<usize>>) -> u64 {
    let mut values = 0;
    for (attr, column) in &mut rows.columns {
        let Some(gone) = left_out.get(attr) else { continue };
        let had = gone.iter().filter(|&&row| !column.is_null(row)).count();
        if had > 0 {
            let mut from: Vec<Option<u32>> = (0..rows.times.len() as u32).map(Some).collect();
            for &row in gone {
                if let Some(row) = from.get_mut(row) {
                    *row = None;
                }
            }
            *column = pick_rows(column, &from);
            values += had as u64;
        }
    }
    values
}
