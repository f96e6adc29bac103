//! Strings laid end to end, and a table that numbers distinct ones.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};

/// Strings laid end to end, read by place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    /// Adds one at the end.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len() as u32);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The one at `place`, or the empty string past the end.
    pub fn get(&self, place: usize) -> &str {
        let start = match place {
            0 => 0,
            _ => self.ends.get(place - 1).copied().unwrap_or(0),
        };
        let end = self.ends.get(place).copied().unwrap_or(start);
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|place| self.get(place))
    }

    /// Bytes of the text alone.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// All text, end to end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where each string ends in [`Strings::text`], in bytes.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Puts text and ends together again. `None` where an end is out of order,
    /// past the text or inside a character, or text is left over.
    pub fn from_parts(text: String, ends: Vec<u32>) -> Option<Self> {
        let mut last = 0;
        for &end in &ends {
            if end < last || !text.is_char_boundary(end as usize) {
                return None;
            }
            last = end;
        }
        (last as usize == text.len()).then_some(Self { text, ends })
    }
}

/// Numbers distinct strings from 0 in order of first appearance.
#[derive(Clone, Debug, Default)]
pub struct StringTable {
    strings: Strings,
    table: HashTable<u32>,
}

impl StringTable {
    /// The table of these strings, which must be distinct.
    pub fn from_strings(strings: Strings) -> Self {
        let mut table = HashTable::with_capacity(strings.len());
        for place in 0..strings.len() {
            let hash = xxh3_64(strings.get(place).as_bytes());
            table.insert_unique(hash, place as u32, |&p| xxh3_64(strings.get(p as usize).as_bytes()));
        }
        Self { strings, table }
    }

    /// The number of `text`, given out now if it is new.
    pub fn intern(&mut self, text: &str) -> u32 {
        let strings = &mut self.strings;
        let hash = xxh3_64(text.as_bytes());
        if let Some(&place) = self.table.find(hash, |&p| strings.get(p as usize) == text) {
            return place;
        }
        let place = strings.len() as u32;
        strings.push(text);
        self.table.insert_unique(hash, place, |&p| xxh3_64(strings.get(p as usize).as_bytes()));
        place
    }

    /// As [`StringTable::intern`], within what places of 32 bits can name.
    ///
    /// # Errors
    /// [`Error::Limit`] past 4 GB of text, or 2^32 - 2 strings.
    pub fn try_intern(&mut self, text: &str) -> Result<u32> {
        let limit = u64::from(u32::MAX);
        let bytes = self.strings.text.len() as u64 + text.len() as u64;
        if (bytes > limit || self.strings.len() as u64 >= limit - 1) && self.find(text).is_none() {
            let (what, value) = match bytes > limit {
                true => ("bytes of text in one table of strings", bytes),
                false => ("strings in one table", limit),
            };
            return Err(Error::Limit { what, value, limit });
        }
        Ok(self.intern(text))
    }

    /// The number of `text`, if it has one.
    pub fn find(&self, text: &str) -> Option<u32> {
        let hash = xxh3_64(text.as_bytes());
        self.table.find(hash, |&p| self.strings.get(p as usize) == text).copied()
    }

    /// The strings, in the order of their numbers.
    pub fn strings(&self) -> &Strings {
        &self.strings
    }

    /// The string of that number, or the empty string.
    pub fn get(&self, number: u32) -> &str {
        self.strings.get(number as usize)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.strings.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.strings.is_empty()
    }

    /// Bytes held, roughly.
    pub fn memory_bytes(&self) -> usize {
        self.strings.text.capacity() + self.strings.ends.capacity() * 4 + self.table.capacity() * 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interns_in_order() {
        let mut table = StringTable::default();
        assert_eq!(["b", "a", "b", "", "a"].map(|text| table.intern(text)), [0, 1, 0, 2, 1]);
        assert_eq!((table.get(1), table.find("b"), table.find("x")), ("a", Some(0), None));
        let again = StringTable::from_strings(table.strings().clone());
        assert_eq!(again.find("a"), Some(1));
    }

    #[test]
    fn parts_are_checked() {
        assert!(Strings::from_parts("ab".into(), vec![1, 2]).is_some());
        assert!(Strings::from_parts("ab".into(), vec![2, 1]).is_none());
        assert!(Strings::from_parts("ab".into(), vec![1]).is_none());
        assert!(Strings::from_parts("é".into(), vec![1, 2]).is_none());
    }
}
