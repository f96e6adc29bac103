//! Dictionary codes: 0 is NULL, `c` stands for entry `c - 1`.
//!
//! ```text
//! 0  code                   all equal
//! 1  packed                 the codes as they are
//! 2  presence  packed       code - 1 of those that are not NULL
//! 3  presence  packed       for a dictionary in order of first appearance: how far
//!                           back the entry is, 0 for one not met before
//! ```
//! In 3 a column of distinct values takes no space at all. The plain form reads
//! fastest, so another must save an eighth of it to be chosen.

use super::packed::{pack, packed_bytes, unpack};
use super::presence::{self, Presence};
use super::reader::{Reader, put_varint};
use crate::error::Result;

const EQUAL: u8 = 0;
const PLAIN: u8 = 1;
const PRESENT: u8 = 2;
const DISTANCES: u8 = 3;

/// Appends `codes` to `out`; their number is not stored. `by_first_appearance`
/// tells that entries were numbered from 0 as they were met.
pub(super) fn encode(codes: &[u32], by_first_appearance: bool, out: &mut Vec<u8>) {
    let first = codes.first().copied().unwrap_or(0);
    if codes.iter().all(|&code| code == first) {
        out.push(EQUAL);
        put_varint(u64::from(first), out);
        return;
    }
    let plain = packed_bytes(codes);
    let mut entries: Vec<u32> = codes.iter().filter_map(|code| code.checked_sub(1)).collect();
    let mut marks = Vec::new();
    presence::encode(codes.len(), entries.len(), codes.iter().map(|&code| code > 0), &mut marks);
    let mut mode = PRESENT;
    if by_first_appearance {
        let mut next = 0;
        let distances: Vec<u32> = entries
            .iter()
            .map(|&entry| {
                let distance = next - entry;
                next += u32::from(distance == 0);
                distance
            })
            .collect();
        if packed_bytes(&distances) < packed_bytes(&entries) {
            (mode, entries) = (DISTANCES, distances);
        }
    }
    if marks.len() + packed_bytes(&entries) < plain - plain / 8 {
        out.push(mode);
        out.extend(marks);
        pack(&entries, out);
    } else {
        out.push(PLAIN);
        pack(codes, out);
    }
}

/// Reads the `n` codes that [`encode`] wrote, for a dictionary of `entries`.
///
/// # Errors
/// [`Error::Damaged`](crate::Error::Damaged) where the bytes cannot be that, or
/// a code has no entry.
pub(super) fn decode(reader: &mut Reader<'_>, n: usize, entries: usize) -> Result<Vec<u32>> {
    let codes = match reader.u8()? {
        EQUAL => vec![reader.count(entries, "as a code")? as u32; n],
        PLAIN => unpack(reader, n)?,
        PRESENT => {
            let presence = Presence::decode(reader, n)?;
            let mut codes = unpack(reader, presence.count)?;
            codes.iter_mut().for_each(|entry| *entry = entry.saturating_add(1));
            presence.spread(codes, 0)
        }
        DISTANCES => {
            let presence = Presence::decode(reader, n)?;
            let mut codes = unpack(reader, presence.count)?;
            let (mut next, mut sound) = (1_u32, true);
            for code in &mut codes {
                let distance = *code;
                sound &= distance < next;
                *code = next.wrapping_sub(distance);
                next += u32::from(distance == 0);
            }
            if !sound {
                return Err(reader.damaged("a code refers back past the first"));
            }
            presence.spread(codes, 0)
        }
        other => return Err(reader.damaged(format!("unknown way {other} to hold codes"))),
    };
    let largest = codes.iter().fold(0, |largest, &code| code.max(largest));
    if largest as usize > entries {
        return Err(reader.damaged(format!("code {largest} in a dictionary of {entries}")));
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Renumbers by first appearance.
    fn renumbered(codes: &[u32]) -> Vec<u32> {
        let mut met = Vec::new();
        let mut number = |code: u32| match met.iter().position(|&other| other == code) {
            Some(place) => place as u32 + 1,
            None => {
                met.push(code);
                met.len() as u32
            }
        };
        codes.iter().map(|&code| if code == 0 { 0 } else { number(code) }).collect()
    }

    fn check(codes: &[u32], bytes_max: usize) {
        for (codes, by_first_appearance) in [(codes.to_vec(), false), (renumbered(codes), true)] {
            let entries = codes.iter().copied().max().unwrap_or(0) as usize;
            let mut bytes = Vec::new();
            encode(&codes, by_first_appearance, &mut bytes);
            assert!(bytes.len() <= bytes_max, "{} bytes for {} codes", bytes.len(), codes.len());
            let mut reader = Reader::new(&bytes, "test");
            assert_eq!(decode(&mut reader, codes.len(), entries).expect("reads"), codes);
            reader.finish().expect("is all");
            if entries > 0 {
                assert!(decode(&mut Reader::new(&bytes, "test"), codes.len(), entries - 1).is_err());
            }
        }
    }

    #[test]
    fn codes_come_back() {
        check(&[], 2);
        check(&[0; 1_000], 2);
        check(&[3; 1_000], 2);
        check(&(0..1_280).map(|i| i % 5).collect::<Vec<_>>(), 1_280 * 3 / 8 + 11);
        // Nine of ten NULL: a flag a row, and the entries of the tenth.
        check(&(0..12_800).map(|i| if i % 10 == 3 { i } else { 0 }).collect::<Vec<_>>(), 4_200);
    }

    #[test]
    fn distinct_values_take_no_space() {
        let mut bytes = Vec::new();
        encode(&(1..=12_800).collect::<Vec<_>>(), true, &mut bytes);
        assert_eq!(bytes.len(), 102);
    }

    proptest! {
        #[test]
        fn any_codes_come_back(codes in proptest::collection::vec(
            prop_oneof![3 => Just(0), 3 => 1..300_u32], 0..400)) {
            check(&codes, usize::MAX);
        }

        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..300), n in 0..1_000_usize) {
            if let Ok(codes) = decode(&mut Reader::new(&bytes, "test"), n, 100) {
                assert!(codes.iter().all(|&code| code <= 100));
            }
        }
    }
}
