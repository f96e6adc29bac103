//! Some rows of a column, without decoding the others.

use std::ops::Range;

use super::presence::Presence;
use super::seek::{Bytes, Seeker, Stream};
use super::text::Texts;
use super::{FLOAT, INT, STRING, STRING_WHOLE, SYMBOL, codes, floats, ints};
use crate::column::Column;
use crate::error::{Error, Result};

/// As [`decode`](super::decode), of the rows in `ranges` alone, which ascend. Dictionaries
/// hold only what occurs in those, in their order.
///
/// # Errors
/// As [`decode`](super::decode), for what is looked at; [`Error::Invalid`] for ranges that do not
/// ascend or reach past the rows.
pub fn decode_rows(bytes: &dyn Bytes, rows: usize, ranges: &[Range<usize>], what: &str) -> Result<Column> {
    let ascend = ranges.is_sorted_by(|before, after| before.end <= after.start)
        && ranges.iter().all(|range| range.start <= range.end && range.end <= rows);
    if !ascend {
        return Err(Error::invalid("rows to be read are out of order"));
    }
    let mut seeker = Seeker::new(bytes, what);
    let column = match seeker.u8()? {
        SYMBOL => {
            let entries = seeker.count(rows, "symbols")?;
            let mut number = None;
            let mut gaps = None;
            if let Some(rest) = entries.checked_sub(1) {
                number = u32::try_from(seeker.varint()?).ok();
                gaps = Some(Stream::place(&mut seeker, rest)?);
            }
            let mut codes = codes::decode_rows(&mut seeker, rows, entries, ranges)?;
            let places = compact(&mut codes);
            let mut dictionary = Vec::with_capacity(places.len());
            if let (Some(&last), Some(gaps)) = (places.last(), gaps) {
                let mut wanted = places.iter().peekable();
                let mut take = |place: usize, number: Option<u32>| {
                    if wanted.next_if_eq(&&place).is_some() {
                        dictionary.extend(number);
                    }
                };
                take(0, number);
                let mut place = 0;
                gaps.blocks(0..last, |block| {
                    for &gap in block {
                        number = number.and_then(|last| last.checked_add(gap)?.checked_add(1));
                        place += 1;
                        take(place, number);
                    }
                })?;
            }
            if dictionary.len() < places.len() {
                return Err(seeker.damaged("a symbol's number of more than 32 bits"));
            }
            Column::Symbol { codes, dictionary }
        }
        kind @ (STRING | STRING_WHOLE) => {
            let entries = seeker.count(rows, "strings")?;
            let texts = Texts::place(&mut seeker, entries, kind == STRING)?;
            let mut codes = codes::decode_rows(&mut seeker, rows, entries, ranges)?;
            let places = compact(&mut codes);
            Column::Str { codes, dictionary: texts.pick(&seeker, &places)? }
        }
        INT => {
            let of = Presence::of_rows(&mut seeker, rows, ranges)?;
            let values = of.own.spread(ints::decode_rows(&mut seeker, of.all, &of.values)?, 0);
            Column::Int { values, valid: of.own.valid }
        }
        FLOAT => {
            let of = Presence::of_rows(&mut seeker, rows, ranges)?;
            let values = of.own.spread(floats::decode_rows(&mut seeker, of.all, &of.values)?, 0.0);
            Column::Float { values, valid: of.own.valid }
        }
        other => return Err(seeker.damaged(format!("unknown kind {other} of column"))),
    };
    match seeker.remaining() {
        0 => Ok(column),
        left => Err(seeker.damaged(format!("{left} bytes left over"))),
    }
}

/// The entries that codes name, ascending, and the codes renumbered for those.
pub(crate) fn compact(codes: &mut [u32]) -> Vec<usize> {
    let mut kept: Vec<u32> = codes.iter().copied().filter(|&code| code > 0).collect();
    kept.sort_unstable();
    kept.dedup();
    for code in codes.iter_mut().filter(|code| **code > 0) {
        *code = kept.binary_search(code).map_or(0, |place| place as u32 + 1);
    }
    kept.into_iter().map(|code| code as usize - 1).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{any_column, cut_column, ranges};
    use super::super::{decode, encode};
    use super::*;

    fn check(column: &Column, ranges: &[Range<usize>]) {
        let mut bytes = Vec::new();
        encode(column, &mut bytes).expect("encodes");
        let whole = decode(&bytes, column.len(), "test").expect("decodes");
        let bytes: &[u8] = &bytes;
        let part = decode_rows(&bytes, column.len(), ranges, "test").expect("decodes");
        assert_eq!(part, cut_column(&whole, ranges), "rows {ranges:?} of {column:?}");
    }

    /// Columns long enough for every kind of count.
    fn long(kind: usize, rows: usize, seed: u64) -> Column {
        let mut noise = seed | 1;
        let mut next = move || {
            noise ^= noise >> 12;
            noise ^= noise << 25;
            noise ^= noise >> 27;
            noise.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
        };
        let valid: Vec<bool> = (0..rows).map(|_| next() % 5 > 1).collect();
        let mut values: Vec<i64> = match seed % 4 {
            0 => (0..rows as i64).map(|row| row * 7).collect(),
            1 => (0..rows as i64).map(|row| row / 9 * 977 % 5_003).collect(),
            2 => (0..rows).map(|_| (next() as i64).wrapping_mul(next() as i64)).collect(),
            _ => (0..rows).map(|_| (next() % 1_000) as i64 + ((next() % 90 / 89) << 40) as i64).collect(),
        };
        let mut codes: Vec<u32> =
            (0..rows as u32).map(|row| row + 1 - (next() % 9).min(u64::from(row)) as u32).collect();
        let marks = (!seed.is_multiple_of(3)).then(|| valid.clone());
        if marks.is_some() {
            for (row, _) in valid.iter().enumerate().filter(|(_, valid)| !**valid) {
                codes.iter_mut().skip(row).take(1).for_each(|code| *code = 0);
                values.iter_mut().skip(row).take(1).for_each(|value| *value = 0);
            }
        }
        let floats = |scale: f64| values.iter().map(|&value| value as f64 / scale).collect();
        match kind {
            0 => Column::Symbol {
                codes: codes.iter().map(|code| code % 400).collect(),
                dictionary: (0..400).map(|entry| entry * 3).collect(),
            },
            1 | 2 => {
                let mut dictionary = crate::strings::Strings::default();
                (0..rows).for_each(|entry| match kind {
                    1 => dictionary.push(&format!("C{}-{}", entry / 6 * 7_919 % 1_000_003, entry % 6)),
                    _ => dictionary.push(&format!("{} words about é {entry}", "some ".repeat(entry % 13))),
                });
                Column::Str { codes, dictionary }
            }
            3 => Column::Float { values: floats(100.0), valid: marks },
            4 => Column::Float { values: floats(3.0), valid: marks },
            _ => Column::Int { values, valid: marks },
        }
    }

    proptest! {
        #[test]
        fn any_rows_are_as_if_all_were_decoded(
            column in any_column(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            check(&column, &ranges(column.len(), &cuts));
        }

        #[test]
        fn damage_is_an_error_or_a_sound_column(
            column in any_column(),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 0..4),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut bytes = Vec::new();
            encode(&column, &mut bytes).expect("encodes");
            for (place, bit) in flips {
                let place = place.index(bytes.len());
                bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << bit);
            }
            let bytes: &[u8] = &bytes;
            let ranges = ranges(column.len(), &cuts);
            if let Ok(back) = decode_rows(&bytes, column.len(), &ranges, "test") {
                prop_assert_eq!(back.len(), super::super::seek::total(&ranges));
            }
        }

        #[test]
        fn any_bytes_are_safe(
            bytes in proptest::collection::vec(prop_oneof![0..7_u8, any::<u8>()], 0..200),
            rows in 0..10_000_usize,
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes: &[u8] = &bytes;
            let ranges = ranges(rows, &cuts);
            if let Ok(back) = decode_rows(&bytes, rows, &ranges, "test") {
                prop_assert_eq!(back.len(), super::super::seek::total(&ranges));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn long_columns_too(
            kind in 0..6_usize,
            rows in 4_000..20_000_usize,
            seed in any::<u64>(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            check(&long(kind, rows, seed), &ranges(rows, &cuts));
        }
    }
}
