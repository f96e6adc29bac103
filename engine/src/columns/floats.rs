//! Floats, exact to the bit.
//!
//! ```text
//! 0 … 4  ints        each is an integer divided by 10^mode (money, scores)
//! 5      8 bytes a value
//! 6      length  the same, through zstd
//! ```

use super::ints;
use super::reader::{Reader, put_varint};
use super::text;
use crate::error::Result;

const DECIMALS_MAX: u8 = 4;
const BITS: u8 = 5;
const BITS_ZSTD: u8 = 6;
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
    match text::compress(&bits, ZSTD_LEVEL) {
        Some(small) => {
            out.push(BITS_ZSTD);
            put_varint(small.len() as u64, out);
            out.extend(small);
        }
        None => {
            out.push(BITS);
            out.extend(bits);
        }
    }
}

/// Reads the `n` values that [`encode`] wrote.
///
/// # Errors
/// [`Error::Damaged`](crate::Error::Damaged) where the bytes cannot be that.
pub(super) fn decode(reader: &mut Reader<'_>, n: usize) -> Result<Vec<f64>> {
    let from_bits =
        |bits: &[u8]| bits.as_chunks::<8>().0.iter().map(|bits| f64::from_le_bytes(*bits)).collect();
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
        other => Err(reader.damaged(format!("unknown way {other} to hold floats"))),
    }
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
