//! Signed 64-bit integers.
//!
//! ```text
//! 0  value                    all equal
//! 1  smallest  step  wide     smallest + step * packed (frame of reference)
//! 2  first  wide              packed zigzag differences from the one before
//! ```
//! `wide` is a stream of `packed::pack_wide`. The shorter of 1 and 2 is kept.

use super::packed::{pack_wide, unpack_wide};
use super::reader::{Reader, put_signed, put_varint, unzigzag, zigzag};
use crate::error::Result;

const EQUAL: u8 = 0;
const FRAME: u8 = 1;
const DIFFERENCES: u8 = 2;

/// The largest number that divides all of `values`; 0 where all are 0.
pub(super) fn greatest_common_divisor(values: impl Iterator<Item = u64>) -> u64 {
    let mut divisor = 0_u64;
    for value in values {
        if divisor == 1 {
            break;
        }
        if divisor == 0 || value % divisor != 0 {
            let mut rest = value;
            while rest != 0 {
                (divisor, rest) = (rest, divisor % rest);
            }
        }
    }
    divisor
}

/// Appends `values` to `out`; their number is not stored.
pub(super) fn encode(values: &[i64], out: &mut Vec<u8>) {
    let first = values.first().copied().unwrap_or(0);
    if values.iter().all(|&value| value == first) {
        out.push(EQUAL);
        put_signed(first, out);
        return;
    }
    let smallest = values.iter().copied().min().unwrap_or(0);
    let mut above: Vec<u64> = values.iter().map(|&value| value.wrapping_sub(smallest) as u64).collect();
    let step = greatest_common_divisor(above.iter().copied()).max(1);
    if step > 1 {
        above.iter_mut().for_each(|value| *value /= step);
    }
    let mut frame = vec![FRAME];
    put_signed(smallest, &mut frame);
    put_varint(step, &mut frame);
    pack_wide(&above, &mut frame);

    let steps: Vec<u64> =
        values.iter().zip(values.iter().skip(1)).map(|(a, b)| zigzag(b.wrapping_sub(*a))).collect();
    let mut differences = vec![DIFFERENCES];
    put_signed(first, &mut differences);
    pack_wide(&steps, &mut differences);

    let shorter = if differences.len() < frame.len() { differences } else { frame };
    out.extend(shorter);
}

/// Reads the `n` values that [`encode`] wrote.
///
/// # Errors
/// [`Error::Damaged`](crate::Error::Damaged) where the bytes cannot be that.
pub(super) fn decode(reader: &mut Reader<'_>, n: usize) -> Result<Vec<i64>> {
    match reader.u8()? {
        EQUAL => Ok(vec![reader.signed()?; n]),
        FRAME => {
            let smallest = reader.signed()?;
            let step = reader.varint()? as i64;
            let wide = unpack_wide(reader, n)?;
            let value = |above: u64| smallest.wrapping_add((above as i64).wrapping_mul(step));
            if wide.high.is_empty() {
                return Ok(wide.low.iter().map(|&low| value(u64::from(low))).collect());
            }
            Ok(wide.joined().into_iter().map(value).collect())
        }
        DIFFERENCES => {
            let mut last = reader.signed()?;
            let Some(rest) = n.checked_sub(1) else {
                return Err(reader.damaged("differences between no values"));
            };
            let steps = unpack_wide(reader, rest)?.joined();
            let mut values = Vec::with_capacity(n);
            values.push(last);
            values.extend(steps.into_iter().map(|step| {
                last = last.wrapping_add(unzigzag(step));
                last
            }));
            Ok(values)
        }
        other => Err(reader.damaged(format!("unknown way {other} to hold integers"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(values: &[i64], bytes_max: usize) {
        let mut bytes = Vec::new();
        encode(values, &mut bytes);
        assert!(bytes.len() <= bytes_max, "{} bytes for {} values", bytes.len(), values.len());
        let mut reader = Reader::new(&bytes, "test");
        assert_eq!(decode(&mut reader, values.len()).expect("reads"), values);
        reader.finish().expect("is all");
    }

    #[test]
    fn small_where_it_can_be() {
        check(&[], 2);
        check(&[i64::MIN], 11);
        check(&[7; 100_000], 2);
        check(&[i64::MIN, i64::MAX], 40);
        // Whole hours.
        check(&(0..1_280).map(|i| 1_700_000_000_000 + (i * 37 % 128) * 3_600_000).collect::<Vec<_>>(), 1_200);
        // A sequence that ascends by one: the difference costs 2 bits.
        check(&(0..12_800).map(|i| i + 1_000_000).collect::<Vec<_>>(), 3_400);
    }

    #[test]
    fn divisors() {
        for (values, expected) in
            [(vec![], 0), (vec![0, 0], 0), (vec![0, 6, 4], 2), (vec![9, 0, 6], 3), (vec![u64::MAX, 1], 1)]
        {
            assert_eq!(greatest_common_divisor(values.into_iter()), expected);
        }
    }

    proptest! {
        #[test]
        fn any_integers_come_back(values in proptest::collection::vec(
            prop_oneof![6 => -500..500_i64, 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)], 0..300)) {
            check(&values, usize::MAX);
        }

        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..300), n in 0..1_000_usize) {
            let _ = decode(&mut Reader::new(&bytes, "test"), n);
        }
    }
}
