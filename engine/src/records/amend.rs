//! What is changed of interactions that were recorded before, as history frames hold it.
//!
//! A row an interaction: whose it is, its time, sequence and event id, by which it is found again,
//! and the values that it gets. A value that is not there is NULL, so which ones are given is told
//! beside them.
//!
//! ```text
//! version u8 = 1 | rows u32 | the attribute of event ids u16 | bytes u32 of what is given | what is given
//! rows, as a frame of interactions has them
//! given: string, the numbers of the attributes that are set, ascending, in decimal with commas between
//! ```
//!
//! Of a redaction the attributes are given, and no values.

use super::FrameRows;
use crate::column::Column;
use crate::columns;
use crate::error::{Error, Result};
use crate::limits::BATCH_INTERACTIONS_MAX;
use crate::schema::AttrId;
use crate::strings::Strings;

const VERSION: u8 = 1;

/// Changes of interactions in the order they were told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FrameEdits {
    /// Of each row 1 + the place in `sets`.
    pub given: Vec<u32>,
    /// Distinct sets of attributes, as [`attributes_text`] writes them.
    pub sets: Strings,
    /// The attribute by which interactions are found, which another may be one day.
    pub key: AttrId,
    pub rows: FrameRows,
}

/// Attributes as a text.
pub(crate) fn attributes_text(attrs: impl IntoIterator<Item = AttrId>) -> String {
    let numbers: Vec<String> = attrs.into_iter().map(|attr| attr.0.to_string()).collect();
    numbers.join(",")
}

/// The attributes of such a text; `None` where it is none.
pub(crate) fn attributes_of(text: &str) -> Option<Vec<AttrId>> {
    text.split(',').map(|number| number.parse().ok().map(AttrId)).collect()
}

impl FrameEdits {
    /// The rows for which `keep` holds.
    pub(crate) fn filtered(&self, keep: &[bool]) -> Self {
        let given = self.given.iter().zip(keep).filter(|(_, keep)| **keep).map(|(code, _)| *code);
        let (sets, key) = (self.sets.clone(), self.key);
        Self { given: given.collect(), sets, key, rows: self.rows.filtered(keep) }
    }

    /// How many values they give.
    pub(crate) fn values(&self) -> u64 {
        let of_set = |set: &str| attributes_of(set).map_or(0, |attrs| attrs.len() as u64);
        let sizes: Vec<u64> = self.sets.iter().map(of_set).collect();
        let size = |&code: &u32| (code as usize).checked_sub(1).and_then(|place| sizes.get(place)).copied();
        self.given.iter().filter_map(size).sum()
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut given = Vec::new();
        let column = Column::Str { codes: self.given.clone(), dictionary: self.sets.clone() };
        columns::encode(&column, &mut given)?;
        let mut out = vec![VERSION];
        out.extend((self.rows.len() as u32).to_le_bytes());
        out.extend(self.key.0.to_le_bytes());
        out.extend((given.len() as u32).to_le_bytes());
        out.extend(given);
        out.extend(self.rows.encode()?);
        Ok(out)
    }

    pub(crate) fn decode(bytes: &[u8], what: &str) -> Result<Self> {
        let damaged = |message: &str| Error::damaged(what, 0, message);
        let short = || damaged("a frame of amendments is cut short");
        let (&version, rest) = bytes.split_first().ok_or_else(short)?;
        if version != VERSION {
            let amendments = format!("the body of {what}");
            return Err(Error::other_format(&amendments, u64::from(version), u64::from(VERSION)));
        }
        let (rows, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let rows = u32::from_le_bytes(*rows) as usize;
        // Columns of one value take no bytes a row.
        if rows > BATCH_INTERACTIONS_MAX {
            return Err(damaged("a frame has more amendments than one may have"));
        }
        let (key, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (len, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (given, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or_else(short)?;
        let Column::Str { codes: given, dictionary: sets } = columns::decode(given, rows, what)? else {
            return Err(damaged("what amendments give is not told in text"));
        };
        let key = AttrId(u16::from_le_bytes(*key));
        let frame = Self { given, sets, key, rows: FrameRows::decode(rest, what)? };
        let sound = frame.given.iter().all(|&code| (1..=frame.sets.len()).contains(&(code as usize)));
        if frame.rows.len() != rows || !sound || !frame.sets.iter().all(|set| attributes_of(set).is_some()) {
            return Err(damaged("amendments do not say what they give"));
        }
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Batch, ValueRef};
    use crate::model::Identity;
    use crate::schema::{Role, Schema};

    fn frame() -> FrameEdits {
        let schema = Schema::new();
        let id = |role| schema.role(role).map(|attribute| attribute.id).expect("a core role");
        let mut batch = Batch::new(&schema);
        let mut sets = Strings::default();
        for (row, name) in ["crm:1", "crm:2", "crm:1"].into_iter().enumerate() {
            batch.begin(&Identity::parse(name).expect("parses"), 1_000 + row as i64);
            batch.sequence(row as u64);
            batch.set(id(Role::EventId), ValueRef::Str(&format!("e{row}"))).expect("sets");
            if row != 1 {
                batch.set(id(Role::Topic), ValueRef::Str("billing")).expect("sets");
            }
        }
        sets.push(&attributes_text([id(Role::Topic)]));
        sets.push(&attributes_text([id(Role::Topic), id(Role::Score)]));
        FrameEdits { given: vec![1, 2, 1], sets, key: id(Role::EventId), rows: FrameRows::from_batch(batch) }
    }

    #[test]
    fn amendments_read_back() {
        let mut edits = frame();
        edits.rows.number_from(0);
        let bytes = edits.encode().expect("encodes");
        assert_eq!(FrameEdits::decode(&bytes, "frame").expect("decodes"), edits);
        for cut in 0..bytes.len() {
            assert!(FrameEdits::decode(&bytes[..cut], "frame").is_err(), "cut at {cut}");
        }
        let kept = edits.filtered(&[false, true, true]);
        assert_eq!((kept.given, kept.rows.len()), (vec![2, 1], 2));
    }

    #[test]
    fn what_says_not_what_it_gives_is_refused() {
        let broken: [fn(&mut FrameEdits); 3] = [
            |edits| edits.given[1] = 0,
            |edits| edits.given[1] = 3,
            |edits| {
                edits.sets = Strings::default();
                ["4", "4,x"].into_iter().for_each(|set| edits.sets.push(set));
            },
        ];
        for (place, change) in broken.into_iter().enumerate() {
            let mut edits = frame();
            edits.rows.number_from(0);
            change(&mut edits);
            let read = edits.encode().and_then(|bytes| FrameEdits::decode(&bytes, "frame"));
            assert!(read.is_err(), "change {place}");
        }
        let mut bytes = frame().encode().expect("encodes");
        bytes[1] += 1;
        assert!(FrameEdits::decode(&bytes, "frame").is_err(), "more rows than there are");
        bytes[0] = 2;
        let error = FrameEdits::decode(&bytes, "a frame").expect_err("is newer").to_string();
        assert!(error.contains("a frame"), "{error}");
        assert_eq!(attributes_of("3,17"), Some(vec![AttrId(3), AttrId(17)]));
        assert!(attributes_of("").is_none() && attributes_of("70000").is_none());
    }
}
