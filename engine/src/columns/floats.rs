//! Floats, exact to the bit.
//!
//! ```text
//! 0 … 4  ints        each is an integer divided by 10^mode (money, scores)
//! 5      8 bytes a value
//! 6      length  the same, through zstd
//! 7      packed lengths   the same, each 1,024 values through zstd
//! ```

use std::ops::Range;

use super::ints;
use super::packed::{pack, unpack};
use super::reader::Reader;
use super::seek::{Seeker, Stream, total};
use super::text;
use crate::error::Result;

const DECIMALS_MAX: u8 = 4;
const BITS: u8 = 5;
const BITS_ZSTD: u8 = 6;
const BITS_PIECES: u8 = 7;
/// Values that are compressed together: a few of them then cost no more than that.
const PIECE: usize = 1_024;
/// Integers below this are exact as floats.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
const ZSTD_LEVEL: i32 = 1;

/// `values` as integers once multiplied by 10^`decimals`, if that loses no bit of any.
fn scaled(values: &[f64], decimals: u8) -> Option<Vec<i64>> {
    let scale = 10_f64.powi(i32::from(decimals));
    let mut integers = Vec::with_capacity(values.len());
    for &value in values {
        let integer = (value * scale).round();
        // False for NaN and the infinities too; -0.0 fails the comparison of bits.
        let exact = integer.abs() < EXACT_MAX && (integer as i64 as f64 / scale).to_bits() == value.to_bits();
        if !exact {
            return None;
        }
        integers.push(integer as i64);
    }
    Some(integers)
}

/// Appends `values` to `out`; their number is not stored.
pub(super) fn encode(values: &[f64], out: &mut Vec<u8>) {
    for decimals in 0..=DECIMALS_MAX {
        if let Some(integers) = scaled(values, decimals) {
            out.push(decimals);
            ints::encode(&integers, out);
            return;
        }
    }
    let bits: Vec<u8> = values.iter().flat_map(|value| value.to_bits().to_le_bytes()).collect();
    let mut pieces = Vec::new();
    let mut lengths = Vec::new();
    for piece in bits.chunks(PIECE * 8) {
        let before = pieces.len();
        // One that does not get shorter is as long as it was.
        match text::compress(piece, ZSTD_LEVEL) {
            Some(small) => pieces.extend(small),
            None => pieces.extend_from_slice(piece),
        }
        lengths.push((pieces.len() - before) as u32);
    }
    let mut packed = vec![BITS_PIECES];
    pack(&lengths, &mut packed);
    if packed.len() + pieces.len() <= bits.len() {
        out.extend(packed);
        out.extend(pieces);
    } else {
        out.push(BITS);
        out.extend(bits);
    }
}

/// The values of a piece of `n`.
fn piece(bytes: &[u8], n: usize) -> Option<Vec<f64>> {
    match bytes.len() == n * 8 {
        true => Some(from_bits(bytes)),
        false => text::decompress(bytes, n * 8).map(|bits| from_bits(&bits)),
    }
}

fn from_bits(bits: &[u8]) -> Vec<f64> {
    bits.as_chunks::<8>().0.iter().map(|bits| f64::from_le_bytes(*bits)).collect()
}

/// Reads the `n` values that [`encode`] wrote.
///
/// # Errors
/// [`Error::Damaged`](crate::Error::Damaged) where the bytes cannot be that.
pub(super) fn decode(reader: &mut Reader<'_>, n: usize) -> Result<Vec<f64>> {
    match reader.u8()? {
        decimals @ 0..=DECIMALS_MAX => {
            let scale = 10_f64.powi(i32::from(decimals));
            Ok(ints::decode(reader, n)?.into_iter().map(|integer| integer as f64 / scale).collect())
        }
        BITS => Ok(from_bits(reader.take(n * 8)?)),
        BITS_ZSTD => {
            let len = reader.count(reader.remaining(), "compressed bytes")?;
            let small = reader.take(len)?;
            match text::decompress(small, n * 8) {
                Some(bits) => Ok(from_bits(&bits)),
                None => Err(reader.damaged("compressed floats do not come back")),
            }
        }
        BITS_PIECES => {
            let lengths = unpack(reader, n.div_ceil(PIECE))?;
            let mut values = Vec::new();
            for (start, length) in (0..n).step_by(PIECE).zip(lengths) {
                let own = piece(reader.take(length as usize)?, PIECE.min(n - start));
                values.extend(own.ok_or_else(|| reader.damaged("compressed floats do not come back"))?);
            }
            Ok(values)
        }
        other => Err(reader.damaged(format!("unknown way {other} to hold floats"))),
    }
}

/// As [`decode`], of the values in `ranges` alone.
///
/// # Errors
/// As [`decode`], for what is looked at.
pub(super) fn decode_rows(seeker: &mut Seeker<'_>, n: usize, ranges: &[Range<usize>]) -> Result<Vec<f64>> {
    let part = |values: &[f64], range: &Range<usize>, out: &mut Vec<f64>| {
        out.extend_from_slice(values.get(range.clone()).unwrap_or_default());
    };
    let mut values = Vec::with_capacity(total(ranges));
    match seeker.u8()? {
        decimals @ 0..=DECIMALS_MAX => {
            let scale = 10_f64.powi(i32::from(decimals));
            let integers = ints::decode_rows(seeker, n, ranges)?;
            values.extend(integers.into_iter().map(|integer| integer as f64 / scale));
        }
        BITS => {
            let start = seeker.skip(n * 8)?;
            for range in ranges {
                let bits = seeker.back(start + range.start * 8..start + range.end * 8)?;
                values.extend(from_bits(&bits));
            }
        }
        BITS_ZSTD => {
            let len = seeker.count(seeker.remaining(), "compressed bytes")?;
            let bits = text::decompress(&seeker.take(len)?, n * 8);
            let all = from_bits(&bits.ok_or_else(|| seeker.damaged("compressed floats do not come back"))?);
            ranges.iter().for_each(|range| part(&all, range, &mut values));
        }
        BITS_PIECES => {
            let lengths = Stream::place(seeker, n.div_ceil(PIECE))?.all()?;
            let mut starts = Vec::with_capacity(lengths.len());
            for length in lengths {
                starts.push(seeker.skip(length as usize)?..seeker.at());
            }
            let mut held: Option<(usize, Vec<f64>)> = None;
            for range in ranges {
                let mut row = range.start;
                while row < range.end {
                    let number = row / PIECE;
                    let first = number * PIECE;
                    let own = match held.take().filter(|(held, _)| *held == number) {
                        Some((_, own)) => own,
                        None => {
                            let bytes = seeker.back(starts.get(number).cloned().unwrap_or_default())?;
                            piece(&bytes, PIECE.min(n - first))
                                .ok_or_else(|| seeker.damaged("compressed floats do not come back"))?
                        }
                    };
                    let end = range.end.min(first + PIECE);
                    part(&own, &(row - first..end - first), &mut values);
                    held = Some((number, own));
                    row = end;
                }
            }
        }
        other => return Err(seeker.damaged(format!("unknown way {other} to hold floats"))),
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(values: &[f64], bytes_max: usize) {
        let mut bytes = Vec::new();
        encode(values, &mut bytes);
        assert!(bytes.len() <= bytes_max, "{} bytes for {} values", bytes.len(), values.len());
        let mut reader = Reader::new(&bytes, "test");
        let back = decode(&mut reader, values.len()).expect("reads");
        reader.finish().expect("is all");
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(values));
    }

    #[test]
    fn money_is_small_and_the_rest_exact() {
        check(&[], 3);
        check(&[4.0; 1_000], 4);
        check(&(0..1_280).map(|i| f64::from(i * 7 % 1_000) / 100.0).collect::<Vec<_>>(), 1_700);
        check(&[0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY], 40);
        check(&[f64::MIN_POSITIVE, f64::MAX, 0.1 + 0.2, 1e300, 9_007_199_254_740_993.0], 50);
        check(&(0..1_000).map(|i| f64::from(i % 10).sqrt()).collect::<Vec<_>>(), 500);
    }

    proptest! {
        #[test]
        fn any_floats_come_back(bits in proptest::collection::vec(
            prop_oneof![any::<f64>(), (-1_000_i32..1_000).prop_map(|i| f64::from(i) / 1_000.0)], 0..200)) {
            check(&bits, usize::MAX);
        }

        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(prop_oneof![0..8_u8, any::<u8>()], 0..300), n in 0..1_000_usize) {
            let _ = decode(&mut Reader::new(&bytes, "test"), n);
        }
    }
}
