//! What becomes of interactions that are amended: versions, each known from one commit to another.
//!
//! On their way rows of three kinds lie side by side, each kind told by a reserved column: versions
//! that are current; earlier ones, which have [`AttrId::UNTIL`]; and edits, which have
//! [`AttrId::EDIT`]: the key of an interaction and the values that it gets. Where they lie for good
//! current versions are by themselves, so that whoever asks of now never meets the others.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::block::Block;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::merge::{Rows, pick_rows, select_rows};
use crate::records::amend::attributes_of;
use crate::records::{AMEND, REDACT};
use crate::schema::AttrId;
use crate::strings::Strings;

/// The column of edits: what is done to the interaction that has the row's value of `key`, and in
/// which attributes.
pub(crate) fn edit_column(kind: u8, key: AttrId, given: Vec<u32>, sets: &Strings) -> Column {
    let mut dictionary = Strings::default();
    sets.iter().for_each(|set| dictionary.push(&format!("{kind}:{}:{set}", key.0)));
    Column::Str { codes: given, dictionary }
}

/// What one edit does.
#[derive(Debug)]
struct Edit {
    kind: u8,
    key: AttrId,
    attrs: Vec<AttrId>,
}

impl Edit {
    fn of(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (key, attrs) = rest.split_once(':')?;
        let kind = kind.parse().ok().filter(|kind| [AMEND, REDACT].contains(kind))?;
        Some(Self { kind, key: AttrId(key.parse().ok()?), attrs: attributes_of(attrs)? })
    }
}

fn find(columns: &[(AttrId, Column)], wanted: AttrId) -> Option<&Column> {
    columns.iter().find(|(attr, _)| *attr == wanted).map(|(_, column)| column)
}

/// Whether rows are edits; they never come with others in one batch.
pub(crate) fn are_edits(rows: &Rows) -> bool {
    find(&rows.columns, AttrId::EDIT).is_some()
}

/// The customers of rows that are interactions.
pub(crate) fn customers_of(rows: &Rows) -> Cow<'_, [u32]> {
    match find(&rows.columns, AttrId::EDIT) {
        None => Cow::Borrowed(&rows.customers),
        Some(edits) => {
            let rows = rows.customers.iter().enumerate().filter(|(row, _)| edits.is_null(*row));
            Cow::Owned(rows.map(|(_, &customer)| customer).collect())
        }
    }
}

/// Current versions and earlier ones, apart; either may have no rows.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    pub current: Block,
    pub past: Block,
}

/// A version that comes of a row.
#[derive(Clone)]
struct Version {
    row: u32,
    since: Option<i64>,
    until: Option<i64>,
    /// The rows that attributes are taken of instead; `None` for NULL.
    set: BTreeMap<AttrId, Option<u32>>,
}

/// Versions of whole customers, in order.
#[derive(Default)]
struct Made {
    customers: Vec<u32>,
    offsets: Vec<u32>,
    versions: Vec<Version>,
}

/// Numbers of a column; `None` where it is NULL.
fn numbers(column: Option<&Column>) -> impl Fn(usize) -> Option<i64> {
    move |row| match column {
        Some(column @ Column::Int { values, .. }) if !column.is_null(row) => values.get(row).copied(),
        _ => None,
    }
}

/// The code of a row's text; 0 for NULL.
fn code(column: Option<&Column>, row: usize) -> u32 {
    match column {
        Some(Column::Str { codes, .. } | Column::Symbol { codes, .. }) => {
            codes.get(row).copied().unwrap_or_default()
        }
        _ => 0,
    }
}

/// What sorted rows of whole customers come to: edits are done to the interactions that they name,
/// by commits, and versions are put apart. An edit of an interaction that is not there does nothing.
///
/// # Errors
/// [`Error::Damaged`] for an edit that is none.
pub(crate) fn settled(block: Block) -> Result<Versions> {
    let (edits, until) = (block.column(AttrId::EDIT), block.column(AttrId::UNTIL));
    if edits.is_none() && until.is_none() {
        return Ok(Versions { current: block, past: Block::default() });
    }
    let known: Vec<Edit> = match edits {
        Some(Column::Str { dictionary, .. }) => dictionary.iter().map(Edit::of).collect(),
        _ => Some(Vec::new()),
    }
    .ok_or_else(|| Error::damaged("an amendment", 0, "it does not say what it does"))?;
    let sequences = numbers(block.column(AttrId::SEQUENCE));
    let commits = numbers(block.column(AttrId::COMMIT));
    let (since, until) = (numbers(block.column(AttrId::SINCE)), numbers(until));
    let place_of = |row: usize| (block.times.get(row).copied(), sequences(row));
    let edit_of = |row: usize| known.get((code(edits, row) as usize).wrapping_sub(1));
    let (mut current, mut past) = (Made::default(), Made::default());
    let mut journey: Vec<usize> = Vec::new();
    // Commit, row, and what is done.
    let mut done: Vec<(i64, usize, &Edit)> = Vec::new();
    for (place, &customer) in block.customers.iter().enumerate() {
        journey.clear();
        journey.extend(block.journey(place));
        for same in journey.chunk_by(|&a, &b| place_of(a) == place_of(b)) {
            done.clear();
            let edits = same.iter().filter_map(|&row| Some((row, edit_of(row)?)));
            done.extend(edits.map(|(row, edit)| (commits(row).unwrap_or_default(), row, edit)));
            done.sort_by_key(|&(commit, row, _)| (commit, row));
            for &row in same.iter().filter(|row| edit_of(**row).is_none()) {
                let (since, until) = (since(row), until(row));
                let mut versions = vec![Version { row: row as u32, since, until, set: BTreeMap::new() }];
                for &(commit, from, edit) in &done {
                    let key = block.column(edit.key);
                    // One that was erased may have come again.
                    let was_there = commits(row).unwrap_or_default() < commit;
                    if was_there && code(key, from) > 0 && code(key, from) == code(key, row) {
                        do_edit(edit, commit, from as u32, &mut versions);
                    }
                }
                let (later, earlier) = versions.into_iter().partition(|version| version.until.is_none());
                current.push(customer, later);
                past.push(customer, earlier);
            }
        }
    }
    Ok(Versions { current: current.block(&block), past: past.block(&block) })
}

/// Does one edit to the versions of an interaction.
fn do_edit(edit: &Edit, commit: i64, row: u32, versions: &mut Vec<Version>) {
    if edit.kind == REDACT {
        for version in versions {
            version.set.extend(edit.attrs.iter().map(|&attr| (attr, None)));
        }
        return;
    }
    let mut replaced = Vec::new();
    for version in versions.iter_mut().filter(|version| version.until.is_none()) {
        replaced.push(Version { until: Some(commit), ..version.clone() });
        version.since = Some(commit);
        version.set.extend(edit.attrs.iter().map(|&attr| (attr, Some(row))));
    }
    versions.extend(replaced);
}

impl Made {
    fn push(&mut self, customer: u32, versions: Vec<Version>) {
        if versions.is_empty() {
            return;
        }
        if self.customers.last() != Some(&customer) {
            self.customers.push(customer);
            self.offsets.push(self.versions.len() as u32);
        }
        self.versions.extend(versions);
    }

    fn block(mut self, of: &Block) -> Block {
        if self.versions.is_empty() {
            return Block::default();
        }
        self.offsets.push(self.versions.len() as u32);
        let own: Vec<Option<u32>> = self.versions.iter().map(|version| Some(version.row)).collect();
        let mut set: BTreeMap<AttrId, Vec<(usize, Option<u32>)>> = BTreeMap::new();
        for (place, version) in self.versions.iter().enumerate() {
            version.set.iter().for_each(|(&attr, &from)| set.entry(attr).or_default().push((place, from)));
        }
        let times = self.versions.iter().map(|version| of.times.get(version.row as usize).copied());
        let times = times.map(Option::unwrap_or_default).collect();
        let mut columns = Vec::with_capacity(of.columns.len() + 2);
        for (attr, column) in &of.columns {
            if [AttrId::EDIT, AttrId::SINCE, AttrId::UNTIL].contains(attr) {
                continue;
            }
            let column = match set.get(attr) {
                None => pick_rows(column, &own),
                Some(others) => {
                    let mut rows = own.clone();
                    for &(place, from) in others {
                        if let Some(row) = rows.get_mut(place) {
                            *row = from;
                        }
                    }
                    pick_rows(column, &rows)
                }
            };
            columns.push((*attr, column));
        }
        let commits = |of: fn(&Version) -> Option<i64>| {
            let valid: Vec<bool> = self.versions.iter().map(|version| of(version).is_some()).collect();
            let values = self.versions.iter().map(|version| of(version).unwrap_or_default()).collect();
            let all = !valid.contains(&false);
            valid.contains(&true).then(|| Column::Int { values, valid: (!all).then_some(valid) })
        };
        let (since, until) = (commits(|version| version.since), commits(|version| version.until));
        columns.extend(since.map(|column| (AttrId::SINCE, column)));
        columns.extend(until.map(|column| (AttrId::UNTIL, column)));
        columns.sort_by_key(|(attr, _)| *attr);
        Block { customers: self.customers, offsets: self.offsets, times, columns }
    }
}

/// The rows of a block that are current: one of each interaction.
pub(crate) fn current_rows(block: &Block) -> impl Iterator<Item = usize> + '_ {
    let until = block.column(AttrId::UNTIL);
    (0..block.rows()).filter(move |&row| until.is_none_or(|until| until.is_null(row)))
}

/// Which versions of interactions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that are current; they lie by themselves.
    Current,
    /// Those that were once that commit was made, of interactions whenever they were recorded: one of
    /// each.
    KnownBy(u64),
    All,
}

impl Which {
    /// What of a block is read; customers of whom that is nothing are left out. Dictionaries stay whole.
    pub(crate) fn of(self, block: Block) -> Block {
        let Self::KnownBy(commit) = self else { return block };
        let (since, until) = (block.column(AttrId::SINCE), block.column(AttrId::UNTIL));
        if since.is_none() && until.is_none() {
            return block;
        }
        let known: Vec<bool> = {
            let (since, until) = (numbers(since), numbers(until));
            let known = |row: usize| {
                since(row).is_none_or(|since| since as u64 <= commit)
                    && until(row).is_none_or(|until| until as u64 > commit)
            };
            (0..block.rows()).map(known).collect()
        };
        if known.contains(&false) { select_rows(block, &known) } else { block }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Role, Schema};

    fn ints(values: &[Option<i64>]) -> Column {
        let valid: Vec<bool> = values.iter().map(Option::is_some).collect();
        Column::Int {
            values: values.iter().map(|value| value.unwrap_or_default()).collect(),
            valid: Some(valid),
        }
    }

    fn strings(values: &[&str]) -> Column {
        let mut table = crate::strings::StringTable::default();
        let codes = values.iter().map(|text| if text.is_empty() { 0 } else { table.intern(text) + 1 });
        let codes = codes.collect();
        Column::Str { codes, dictionary: table.into_strings() }
    }

    /// What a block has in a column of text, and who since and until when.
    fn told(block: &Block, attr: AttrId) -> Vec<(String, Option<i64>, Option<i64>)> {
        let (since, until) = (numbers(block.column(AttrId::SINCE)), numbers(block.column(AttrId::UNTIL)));
        let text = |row| match block.column(attr) {
            Some(Column::Str { codes, dictionary }) if codes[row] > 0 => {
                dictionary.get(codes[row] as usize - 1).to_owned()
            }
            _ => String::new(),
        };
        (0..block.rows()).map(|row| (text(row), since(row), until(row))).collect()
    }

    #[test]
    fn versions_follow_one_another_and_a_redaction_is_of_all() {
        let schema = Schema::new();
        let id = |role| schema.role(role).map(|attribute| attribute.id).expect("core");
        let (event, text) = (id(Role::EventId), id(Role::Text));
        // An interaction, three edits of it that come in any order, one of another event id.
        let edit = |kind: u8| format!("{kind}:{}:{}", event.0, text.0);
        let (amend, redact) = (edit(AMEND), edit(REDACT));
        let block = Block {
            customers: vec![4, 9],
            offsets: vec![0, 6, 7],
            times: vec![10, 10, 10, 10, 10, 20, 10],
            columns: vec![
                (text, strings(&["third", "", "first", "second", "no", "other", "whole"])),
                (event, strings(&["e", "e", "e", "e", "f", "g", "e"])),
                (AttrId::EDIT, strings(&[&amend, &redact, "", &amend, &amend, "", ""])),
                (AttrId::COMMIT, ints(&[Some(7), Some(6), Some(1), Some(5), Some(5), Some(2), Some(3)])),
                (AttrId::SEQUENCE, ints(&[Some(0); 7])),
            ],
        };
        let mut block = block;
        block.columns.sort_by_key(|(attr, _)| *attr);
        let Versions { current, past } = settled(block).expect("is sound");
        let owned = |told: &[(&str, Option<i64>, Option<i64>)]| -> Vec<(String, Option<i64>, Option<i64>)> {
            told.iter().map(|&(text, since, until)| (text.to_owned(), since, until)).collect()
        };
        assert_eq!(
            told(&current, text),
            owned(&[("third", Some(7), None), ("other", None, None), ("whole", None, None)])
        );
        assert_eq!((current.customers, current.offsets), (vec![4, 9], vec![0, 2, 3]));
        assert_eq!(told(&past, text), owned(&[("", None, Some(5)), ("", Some(5), Some(7))]));
        assert_eq!((&past.customers, &past.offsets), (&vec![4], &vec![0, 2]));
        // What was redacted is in no dictionary.
        let Some(Column::Str { dictionary, .. }) = past.column(text) else { panic!("a text") };
        assert!(dictionary.is_empty());
        for (commit, versions) in [(4, 1), (5, 1), (6, 1), (7, 0)] {
            assert_eq!(Which::KnownBy(commit).of(past.clone()).rows(), versions, "as of {commit}");
        }
    }
}
