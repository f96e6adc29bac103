//! Signed 64-bit integers.
//!
//! ```text
//! 0  value                    all equal
//! 1  smallest  step  wide     smallest + step * packed (frame of reference)
//! 2  first  wide              packed zigzag differences from the one before
//! 3  flags  0, 1 or 2         a flag for each that differs from the one before, and those
//! ```
//! `wide` is a stream of `packed::pack_wide`. The shortest is kept.

use std::ops::Range;
use std::slice::from_ref;

use super::flags::{self, Flags};
use super::packed::{pack_wide, unpack_wide};
use super::reader::{Reader, put_signed, put_varint, unzigzag, zigzag};
use super::seek::{Seeker, WideStream, total};
use crate::error::Result;

const EQUAL: u8 = 0;
const FRAME: u8 = 1;
const DIFFERENCES: u8 = 2;
const RUNS: u8 = 3;
/// How many values there must be for each that differs from the one before, for [`RUNS`] to be tried.
const RUN_LENGTH_MIN: usize = 3;

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
    let start = out.len();
    encode_singly(values, out);
    let changes = 1 + values.iter().zip(values.iter().skip(1)).filter(|(a, b)| a != b).count();
    // What little can be gained is not worth the reading.
    if changes == 1 || changes * RUN_LENGTH_MIN > values.len() {
        return;
    }
    let mut last = None;
    let flags: Vec<u32> = values.iter().map(|&value| u32::from(last.replace(value) != Some(value))).collect();
    let changed: Vec<i64> =
        values.iter().zip(&flags).filter(|(_, flag)| **flag > 0).map(|(&value, _)| value).collect();
    let mut runs = vec![RUNS];
    flags::encode(&flags, &mut runs);
    encode_singly(&changed, &mut runs);
    if runs.len() < out.len() - start {
        out.truncate(start);
        out.extend(runs);
    }
}

/// As [`encode`], without runs.
fn encode_singly(values: &[i64], out: &mut Vec<u8>) {
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
    let mode = reader.u8()?;
    if mode != RUNS {
        return decode_singly(reader, mode, n);
    }
    let flags = flags::decode(reader, n)?;
    let count = flags.iter().filter(|&&flag| flag != 0).count();
    let mode = reader.u8()?;
    let mut changed = decode_singly(reader, mode, count)?.into_iter();
    if flags.first() == Some(&0) {
        return Err(reader.damaged("nothing comes before the first value"));
    }
    let mut last = 0;
    let mut values = Vec::with_capacity(n);
    values.extend(flags.into_iter().map(|flag| {
        if flag != 0 {
            last = changed.next().unwrap_or(last);
        }
        last
    }));
    Ok(values)
}

fn decode_singly(reader: &mut Reader<'_>, mode: u8, n: usize) -> Result<Vec<i64>> {
    match mode {
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

/// As [`decode`], of the values in `ranges` alone.
///
/// # Errors
/// As [`decode`], for what is looked at.
pub(super) fn decode_rows(seeker: &mut Seeker<'_>, n: usize, ranges: &[Range<usize>]) -> Result<Vec<i64>> {
    let mode = seeker.u8()?;
    if mode != RUNS {
        return decode_rows_singly(seeker, mode, n, ranges);
    }
    let flags = Flags::place(seeker, n, true)?;
    let count = flags.before(n)?;
    let own = flags.read(ranges)?;
    // The changed values that are wanted, and where the last one before each range's first row
    // comes to lie among them.
    let mut wanted: Vec<Range<usize>> = Vec::new();
    let (mut rest, mut taken, mut lasts) = (own.as_slice(), 0, Vec::with_capacity(ranges.len()));
    for range in ranges {
        let Some((own, others)) = rest.split_at_checked(range.len()) else { break };
        rest = others;
        let set = own.iter().filter(|&&flag| flag != 0).count();
        let before = flags.before(range.start)?;
        let starts = own.first().is_some_and(|&flag| flag != 0);
        let first = if starts || own.is_empty() { Some(before) } else { before.checked_sub(1) };
        let Some(first) = first.filter(|_| before + set <= count) else {
            return Err(seeker.damaged("nothing comes before the first value"));
        };
        let last = match wanted.last_mut() {
            Some(last) if first <= last.end && first >= last.start => {
                let place = taken - (last.end - first);
                taken += (before + set).saturating_sub(last.end);
                last.end = last.end.max(before + set);
                place
            }
            _ => {
                wanted.push(first..before + set);
                taken += before + set - first;
                taken - (before + set - first)
            }
        };
        lasts.push(if starts { last.wrapping_sub(1) } else { last });
    }
    if !wanted.is_sorted_by(|a, b| a.end <= b.start) {
        return Err(seeker.damaged("flags are not as many as is said"));
    }
    let mode = seeker.u8()?;
    let changed = decode_rows_singly(seeker, mode, count, &wanted)?;
    let mut values = Vec::with_capacity(own.len());
    let mut rest = own.as_slice();
    for (range, mut last) in ranges.iter().zip(lasts) {
        let Some((own, others)) = rest.split_at_checked(range.len()) else { break };
        rest = others;
        values.extend(own.iter().map(|&flag| {
            last = last.wrapping_add(usize::from(flag != 0));
            changed.get(last).copied().unwrap_or(0)
        }));
    }
    Ok(values)
}

fn decode_rows_singly(
    seeker: &mut Seeker<'_>,
    mode: u8,
    n: usize,
    ranges: &[Range<usize>],
) -> Result<Vec<i64>> {
    match mode {
        EQUAL => Ok(vec![seeker.signed()?; total(ranges)]),
        FRAME => {
            let smallest = seeker.signed()?;
            let step = seeker.varint()? as i64;
            let above = WideStream::place(seeker, n)?.read(ranges)?;
            let value = |above: u64| smallest.wrapping_add((above as i64).wrapping_mul(step));
            Ok(above.into_iter().map(value).collect())
        }
        DIFFERENCES => {
            let mut last = seeker.signed()?;
            let Some(rest) = n.checked_sub(1) else {
                return Err(seeker.damaged("differences between no values"));
            };
            let steps = WideStream::place(seeker, rest)?;
            // `last` is the value at `passed`.
            let mut passed = 0;
            let mut values = Vec::with_capacity(total(ranges));
            for range in ranges.iter().filter(|range| !range.is_empty()) {
                let forward = |last: &mut i64, step: u64| {
                    *last = last.wrapping_add(unzigzag(step));
                    *last
                };
                match steps.narrow() {
                    Some(steps) => steps.blocks(passed..range.start, |block| {
                        block.iter().for_each(|&step| {
                            forward(&mut last, u64::from(step));
                        });
                    })?,
                    None => steps.read(from_ref(&(passed..range.start)))?.into_iter().for_each(|step| {
                        forward(&mut last, step);
                    }),
                }
                values.push(last);
                let own = steps.read(from_ref(&(range.start..range.end - 1)))?;
                values.extend(own.into_iter().map(|step| forward(&mut last, step)));
                passed = range.end - 1;
            }
            Ok(values)
        }
        other => Err(seeker.damaged(format!("unknown way {other} to hold integers"))),
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
