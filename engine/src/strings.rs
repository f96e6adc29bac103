//! Strings laid end to end, and a table that numbers distinct ones.

use std::hint::black_box;

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

    /// Whether the one at `place` is `text`: of bytes alone, which needs no look at where
    /// characters begin.
    pub(crate) fn is(&self, place: u32, text: &str) -> bool {
        let place = place as usize;
        let start = match place {
            0 => 0,
            _ => self.ends.get(place - 1).copied().unwrap_or(0) as usize,
        };
        let end = self.ends.get(place).copied().unwrap_or(0) as usize;
        end.wrapping_sub(start) == text.len() && self.text.as_bytes().get(start..end) == Some(text.as_bytes())
    }

    /// Brings the strings at these places near: what lies far apart in memory is waited for together
    /// where one load does not depend on the one before.
    pub(crate) fn touch(&self, places: impl Iterator<Item = u32>) {
        let end = |place: u32| self.ends.get((place as usize).wrapping_sub(1)).copied().unwrap_or(0);
        let starts: Vec<u32> = places.map(end).collect();
        let bytes = starts.iter().filter_map(|&start| self.text.as_bytes().get(start as usize));
        black_box(bytes.fold(0, |all, byte| all ^ byte));
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|place| self.get(place))
    }

    /// Adds others at the end. Where there is no room for them, it is made for so many `times` as much and a
    /// little more: growing by doubling would copy all, and touch memory that is never used.
    pub(crate) fn append(&mut self, others: &Self, times: usize) {
        let room =
            |len: usize| len.saturating_mul(times.max(1)).saturating_add(len.saturating_mul(times) / 16);
        if self.text.capacity() - self.text.len() < others.text.len() {
            self.text.reserve_exact(room(others.text.len()));
        }
        if self.ends.capacity() - self.ends.len() < others.ends.len() {
            self.ends.reserve_exact(room(others.ends.len()));
        }
        let before = self.text.len() as u32;
        self.text.push_str(&others.text);
        self.ends.extend(others.ends.iter().map(|end| end.wrapping_add(before)));
    }

    /// Removes all from that place on.
    pub fn truncate(&mut self, len: usize) {
        let end = len.checked_sub(1).and_then(|last| self.ends.get(last)).copied();
        if len < self.ends.len() {
            self.text.truncate(end.unwrap_or(0) as usize);
            self.ends.truncate(len);
        }
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
    /// Hash and place, so that few strings are looked at and none when it grows.
    table: HashTable<(u32, u32)>,
}

/// The upper half of a string's hash: what a table keeps of it. It lies in graphs, too.
pub(crate) fn hash_of(text: &str) -> u32 {
    (xxh3_64(text.as_bytes()) >> 32) as u32
}

/// A hash spread over the 64 bits that a table's places and tags are taken from.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// From so many strings on a table is larger than what a processor keeps at hand.
const DEALT_STRINGS_MIN: usize = 1 << 16;

/// What a table is made of, in parts that fall into one part of it each: who inserts them in this
/// order meets a place in memory many times while it is at hand.
fn dealt(held: impl ExactSizeIterator<Item = (u32, u32)> + Clone) -> Vec<(u32, u32)> {
    const PARTS: usize = 1 << 8;
    // A table takes its places from the lower bits, as many as it has for eight sevenths of its room.
    let places = (held.len() * 8 / 7).next_power_of_two().max(PARTS);
    let part = |hash: u32| (spread(hash) as usize & (places - 1)) / (places / PARTS);
    let mut ends = [0; PARTS];
    for (hash, _) in held.clone() {
        ends[part(hash)] += 1;
    }
    let mut start = 0;
    for end in &mut ends {
        start += std::mem::replace(end, start);
    }
    let mut dealt = vec![(0, 0); held.len()];
    for held in held {
        let end = &mut ends[part(held.0)];
        dealt[*end] = held;
        *end += 1;
    }
    dealt
}

impl StringTable {
    /// The table of these strings, which must be distinct.
    pub fn from_strings(strings: Strings) -> Self {
        Self::of_later(strings, 0)
    }

    /// A table of strings that finds those from number `first` on; who asks for one has looked for it
    /// among the others.
    pub(crate) fn of_later(strings: Strings, first: usize) -> Self {
        let mut table = HashTable::with_capacity(strings.len().saturating_sub(first));
        let held = (first..strings.len()).map(|place| (hash_of(strings.get(place)), place as u32));
        let mut insert = |held: (u32, u32)| {
            table.insert_unique(spread(held.0), held, |held| spread(held.0));
        };
        match held.len() {
            0..DEALT_STRINGS_MIN => held.for_each(insert),
            _ => dealt(held).into_iter().for_each(&mut insert),
        }
        Self { strings, table }
    }

    /// The number of `text`, given out now if it is new.
    pub fn intern(&mut self, text: &str) -> u32 {
        let strings = &mut self.strings;
        let hash = hash_of(text);
        let is = |held: &(u32, u32)| held.0 == hash && strings.is(held.1, text);
        if let Some(held) = self.table.find(spread(hash), is) {
            return held.1;
        }
        let place = strings.len() as u32;
        strings.push(text);
        self.table.insert_unique(spread(hash), (hash, place), |held| spread(held.0));
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
        let hash = hash_of(text);
        let is = |held: &(u32, u32)| held.0 == hash && self.strings.is(held.1, text);
        self.table.find(spread(hash), is).map(|held| held.1)
    }

    /// The strings, in the order of their numbers.
    pub fn strings(&self) -> &Strings {
        &self.strings
    }

    /// The strings alone.
    pub fn into_strings(self) -> Strings {
        self.strings
    }

    /// Forgets all from that number on.
    pub fn truncate(&mut self, len: usize) {
        self.strings.truncate(len);
        self.table.retain(|held| (held.1 as usize) < len);
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
        self.strings.text.capacity() + self.strings.ends.capacity() * 4 + self.table.capacity() * 9
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
        table.truncate(2);
        assert_eq!((table.len(), table.find(""), table.intern("c"), table.get(1)), (2, None, 2, "a"));
        table.truncate(0);
        assert_eq!((table.find("b"), table.intern("a")), (None, 0));
        let again = StringTable::from_strings(table.strings().clone());
        assert_eq!(again.find("a"), Some(0));
    }

    #[test]
    fn large_tables_are_made_as_small_ones() {
        let mut table = StringTable::default();
        for number in 0..2 * DEALT_STRINGS_MIN as u32 {
            assert_eq!(table.intern(&format!("crm:{}", u64::from(number) * 7919)), number);
        }
        let again = StringTable::from_strings(table.strings().clone());
        for number in 0..table.len() as u32 {
            assert_eq!(again.find(table.get(number)), Some(number));
        }
        assert_eq!((again.table.len(), again.find("crm:1")), (table.len(), None));
    }

    #[test]
    fn parts_are_checked() {
        assert!(Strings::from_parts("ab".into(), vec![1, 2]).is_some());
        assert!(Strings::from_parts("ab".into(), vec![2, 1]).is_none());
        assert!(Strings::from_parts("ab".into(), vec![1]).is_none());
        assert!(Strings::from_parts("é".into(), vec![1, 2]).is_none());
    }
}
