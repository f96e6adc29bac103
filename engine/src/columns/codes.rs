//! Dictionary codes: 0 is NULL, `c` stands for entry `c - 1`.
//!
//! ```text
//! 0  code                   all equal
//! 1  packed                 the codes as they are
//! 2  presence  packed       code - 1 of those that are not NULL
//! 3  presence  packed       for a dictionary in order of first appearance: how far
//!                           back the entry is, 0 for one not met before
//! 4  presence  packed  packed counts      the same, and how many are not 0 of each whole 1,024
//! ```
//! In 3 and 4 a column of distinct values takes no space at all. The plain form reads
//! fastest, so another must save an eighth of it to be chosen.

use std::ops::Range;

use super::packed::{pack, packed_bytes, unpack};
use super::presence::{self, Presence};
use super::reader::{Reader, put_varint};
use super::seek::{Seeker, Stream, total};
use crate::error::Result;

const EQUAL: u8 = 0;
const PLAIN: u8 = 1;
const PRESENT: u8 = 2;
const DISTANCES: u8 = 3;
const DISTANCES_COUNTED: u8 = 4;
/// Distances that are counted together.
const COUNTED: usize = 1_024;

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
            mode = if entries.len() < COUNTED { DISTANCES } else { DISTANCES_COUNTED };
            entries = distances;
        }
    }
    if marks.len() + packed_bytes(&entries) < plain - plain / 8 {
        out.push(mode);
        out.extend(marks);
        pack(&entries, out);
        if mode == DISTANCES_COUNTED {
            pack(&repeats(&entries), out);
        }
    } else {
        out.push(PLAIN);
        pack(codes, out);
    }
}

/// How many are not 0 of each whole [`COUNTED`].
fn repeats(distances: &[u32]) -> Vec<u32> {
    let repeats = |part: &[u32; COUNTED]| part.iter().map(|&distance| u32::from(distance != 0)).sum();
    distances.as_chunks::<COUNTED>().0.iter().map(repeats).collect()
}

/// Reads the `n` codes that [`encode`] wrote, for a dictionary of `entries`.
///
/// # Errors
/// [`Error::Damaged`](crate::Error::Damaged) where the bytes cannot be that, or
/// a code has no entry.
pub(super) fn decode(reader: &mut Reader<'_>, n: usize, entries: usize) -> Result<Vec<u32>> {
    let mode = reader.u8()?;
    let codes = match mode {
        EQUAL => vec![reader.count(entries, "as a code")? as u32; n],
        PLAIN => unpack(reader, n)?,
        PRESENT => {
            let presence = Presence::decode(reader, n)?;
            let mut codes = unpack(reader, presence.count)?;
            codes.iter_mut().for_each(|entry| *entry = entry.saturating_add(1));
            presence.spread(codes, 0)
        }
        DISTANCES | DISTANCES_COUNTED => {
            let presence = Presence::decode(reader, n)?;
            let mut codes = unpack(reader, presence.count)?;
            if mode == DISTANCES_COUNTED && unpack(reader, codes.len() / COUNTED)? != repeats(&codes) {
                return Err(reader.damaged("codes met before are not as many as is said"));
            }
            let mut next = 1;
            if !resolve(&mut codes, &mut next) {
                return Err(reader.damaged("a code refers back past the first"));
            }
            presence.spread(codes, 0)
        }
        other => return Err(reader.damaged(format!("unknown way {other} to hold codes"))),
    };
    // Comparisons of signed numbers are what every processor does several of at once.
    let bound = i32::try_from(entries).unwrap_or(i32::MAX);
    let beyond = |code: u32| u32::from(code as i32 > bound) | code >> 31;
    if codes.iter().fold(0, |all, &code| all | beyond(code)) != 0 {
        let largest = codes.iter().copied().max().unwrap_or(0);
        return Err(reader.damaged(format!("code {largest} in a dictionary of {entries}")));
    }
    Ok(codes)
}

/// Distances as codes, where `next` is the next new one. Answers whether all refer to a code.
fn resolve(codes: &mut [u32], next: &mut u32) -> bool {
    let mut sound = true;
    for code in codes {
        let distance = *code;
        sound &= distance < *next;
        *code = next.wrapping_sub(distance);
        *next += u32::from(distance == 0);
    }
    sound
}

/// As [`decode`], of the rows in `ranges` alone.
///
/// # Errors
/// As [`decode`], for what is looked at.
pub(super) fn decode_rows(
    seeker: &mut Seeker<'_>,
    n: usize,
    entries: usize,
    ranges: &[Range<usize>],
) -> Result<Vec<u32>> {
    let mode = seeker.u8()?;
    let codes = match mode {
        EQUAL => vec![seeker.count(entries, "as a code")? as u32; total(ranges)],
        PLAIN => Stream::place(seeker, n)?.read(ranges)?,
        PRESENT => {
            let rows = Presence::of_rows(seeker, n, ranges)?;
            let mut codes = Stream::place(seeker, rows.all)?.read(&rows.values)?;
            codes.iter_mut().for_each(|entry| *entry = entry.saturating_add(1));
            rows.own.spread(codes, 0)
        }
        DISTANCES | DISTANCES_COUNTED => {
            let rows = Presence::of_rows(seeker, n, ranges)?;
            let distances = Stream::place(seeker, rows.all)?;
            let counts = match mode {
                DISTANCES_COUNTED => Some(Stream::place(seeker, rows.all / COUNTED)?),
                _ => None,
            };
            let mut codes = distances.read(&rows.values)?;
            let mut rest = codes.as_mut_slice();
            // Those before `passed` that were met before.
            let (mut repeats, mut passed, mut sound) = (0_u64, 0, true);
            for range in &rows.values {
                let counted = range.start / COUNTED;
                if let Some(counts) = counts.as_ref().filter(|_| passed < counted * COUNTED) {
                    repeats = counts.sum(0..counted)?;
                    passed = counted * COUNTED;
                }
                distances.blocks(passed..range.start, |block| {
                    repeats += block.iter().filter(|&&distance| distance != 0).count() as u64;
                })?;
                let Some((own, others)) = rest.split_at_mut_checked(range.len()) else { break };
                rest = others;
                let Some(new) = (range.start as u64).checked_sub(repeats) else {
                    sound = false;
                    break;
                };
                let mut next = new as u32 + 1;
                sound &= resolve(own, &mut next);
                repeats = range.end as u64 - (u64::from(next) - 1);
                passed = range.end;
            }
            if !sound {
                return Err(seeker.damaged("a code refers back past the first"));
            }
            rows.own.spread(codes, 0)
        }
        other => return Err(seeker.damaged(format!("unknown way {other} to hold codes"))),
    };
    // Comparisons of signed numbers are what every processor does several of at once.
    let bound = i32::try_from(entries).unwrap_or(i32::MAX);
    let beyond = |code: u32| u32::from(code as i32 > bound) | code >> 31;
    if codes.iter().fold(0, |all, &code| all | beyond(code)) != 0 {
        let largest = codes.iter().copied().max().unwrap_or(0);
        return Err(seeker.damaged(format!("code {largest} in a dictionary of {entries}")));
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
        assert_eq!(bytes.len(), 103);
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
