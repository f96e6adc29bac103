//! The times of whole customers' interactions.
//!
//! ```text
//! ints                first time of each customer
//! step  wide          the gaps from one interaction to the customer's next, divided by
//!                     `step`, the largest unit that all are whole multiples of
//! ```

use std::ops::Range;

use super::ints;
use super::packed::{BLOCK, Blocks, Wide, high, pack_wide, unpack_mode};
use super::reader::{Reader, put_varint};
use super::seek::{Seeker, WideStream};
use crate::error::{Error, Result};

/// Appends `times` to `out`. Customer `i`'s are `times[offsets[i]..offsets[i + 1]]`,
/// ascending, and at least one.
///
/// # Errors
/// [`Error::Invalid`] where they are not so.
pub fn encode(times: &[i64], offsets: &[u32], out: &mut Vec<u8>) -> Result<()> {
    let customers = offsets.len().saturating_sub(1);
    let mut firsts = Vec::with_capacity(customers);
    let mut gaps = Vec::with_capacity(times.len().saturating_sub(customers));
    for (&start, &end) in offsets.iter().zip(offsets.iter().skip(1)) {
        let journey = times.get(start as usize..end as usize).and_then(|journey| journey.split_first());
        let Some((&first, rest)) = journey else {
            return Err(Error::invalid("a block's offsets do not fit its times"));
        };
        firsts.push(first);
        let mut last = first;
        for &time in rest {
            if time < last {
                return Err(Error::invalid("a block's times are not in ascending order"));
            }
            gaps.push(time.wrapping_sub(last) as u64);
            last = time;
        }
    }
    ints::encode(&firsts, out);
    let step = ints::greatest_common_divisor(gaps.iter().copied()).max(1);
    if step > 1 {
        gaps.iter_mut().for_each(|gap| *gap /= step);
    }
    put_varint(step, out);
    pack_wide(&gaps, out);
    Ok(())
}

/// Reads the times that [`encode`] wrote with the same `offsets`.
///
/// # Errors
/// [`Error::Damaged`] where the bytes cannot be that.
pub fn decode(reader: &mut Reader<'_>, offsets: &[u32]) -> Result<Vec<i64>> {
    let rows = offsets.last().copied().unwrap_or(0) as usize;
    let customers = offsets.len().saturating_sub(1);
    let Some(gap_count) = rows.checked_sub(customers) else {
        return Err(reader.damaged("more customers than interactions"));
    };
    let firsts = ints::decode(reader, customers)?;
    let step = reader.varint()? as i64;
    let mut times = super::spare::times(rows);
    let Wide { low, high } = match reader.u8()? {
        high::NONE => {
            let gaps = Blocks::new(reader, gap_count)?;
            let span_max = u64::try_from(step).ok().and_then(|step| step.checked_mul(gaps.sum_max()));
            if span_max.is_some_and(|span| span <= SPAN_MAX) {
                return match sum(gaps, step, offsets, &firsts, &mut times) && times.len() == rows {
                    true => Ok(times),
                    false => Err(reader.damaged("times out of order")),
                };
            }
            Wide { low: gaps.all(), high: Vec::new() }
        }
        mode => unpack_mode(mode, reader, gap_count)?,
    };

    let mut gaps = low.as_slice();
    let mut high = high.into_iter().peekable();
    let mut passed = 0_u32;
    let mut ascending = true;
    for ((&start, &end), first) in offsets.iter().zip(offsets.iter().skip(1)).zip(firsts) {
        let split = end
            .checked_sub(start)
            .and_then(|len| len.checked_sub(1))
            .and_then(|len| gaps.split_at_checked(len as usize));
        let Some((journey, rest)) = split else {
            return Err(reader.damaged("offsets out of order"));
        };
        gaps = rest;
        let mut time = first;
        times.push(time);
        let mut advance = |gap: u64| {
            let next = time.wrapping_add((gap as i64).wrapping_mul(step));
            ascending &= next >= time;
            time = next;
            next
        };
        let after = passed + journey.len() as u32;
        if high.peek().is_none_or(|&(place, _)| place >= after) {
            times.extend(journey.iter().map(|&gap| advance(u64::from(gap))));
        } else {
            for (place, &gap) in (passed..).zip(journey) {
                let above = high.next_if(|&(at, _)| at == place).map_or(0, |(_, half)| u64::from(half) << 32);
                times.push(advance(u64::from(gap) | above));
            }
        }
        passed = after;
    }
    if !ascending || times.len() != rows {
        return Err(reader.damaged("times out of order"));
    }
    Ok(times)
}

/// A sum of gaps up to it is noticed where it takes a time out of its range: the time is then before
/// the first.
const SPAN_MAX: u64 = 1 << 62;

/// Adds up `gaps` from the first times on, where they come to at most [`SPAN_MAX`]. False where
/// there are fewer than the offsets say, or they take a time out of its range.
fn sum(mut gaps: Blocks<'_>, step: i64, offsets: &[u32], firsts: &[i64], times: &mut Vec<i64>) -> bool {
    let mut scratch = [0; BLOCK];
    // What is left of the block in `scratch`.
    let (mut from, mut to) = (0, 0);
    let mut ascending = true;
    for ((&start, &end), &first) in offsets.iter().zip(offsets.iter().skip(1)).zip(firsts) {
        let Some(mut left) = (end as usize).checked_sub(start as usize + 1) else { return false };
        let mut time = first;
        times.push(time);
        loop {
            let now = left.min(to - from);
            let Some(some) = scratch.get(from..from + now) else { return false };
            times.extend(some.iter().map(|&gap: &u32| {
                time = time.wrapping_add(i64::from(gap).wrapping_mul(step));
                time
            }));
            (from, left) = (from + now, left - now);
            if left == 0 {
                break;
            }
            let Some(block) = gaps.next(&mut scratch) else { return false };
            (from, to) = (0, block.len());
        }
        ascending &= time >= first;
    }
    ascending
}

/// Some customers that follow one another.
#[derive(Clone, Debug)]
pub struct Journeys<'a> {
    /// The place of the first among the customers of the block.
    pub place: usize,
    /// Where the interactions of each begin, and where the last one's end.
    pub offsets: &'a [u32],
}

/// As [`decode`], of some of the `customers` and `rows` alone.
///
/// # Errors
/// As [`decode`], for what is looked at.
pub fn decode_rows(
    seeker: &mut Seeker<'_>,
    customers: usize,
    rows: usize,
    journeys: &[Journeys<'_>],
) -> Result<Vec<i64>> {
    let Some(gap_count) = rows.checked_sub(customers) else {
        return Err(seeker.damaged("more customers than interactions"));
    };
    let places: Vec<Range<usize>> =
        journeys.iter().map(|some| some.place..some.place + some.offsets.len().saturating_sub(1)).collect();
    let firsts = ints::decode_rows(seeker, customers, &places)?;
    let step = seeker.varint()? as i64;
    // A customer's first interaction has no gap before it.
    let gap_range = |(some, places): (&Journeys<'_>, &Range<usize>)| {
        let (&start, &end) = (some.offsets.first()?, some.offsets.last()?);
        let (start, end) =
            ((start as usize).checked_sub(places.start)?, (end as usize).checked_sub(places.end)?);
        (start <= end).then_some(start..end)
    };
    let ranges: Option<Vec<Range<usize>>> = journeys.iter().zip(&places).map(gap_range).collect();
    let disorder = |seeker: &Seeker<'_>| seeker.damaged("offsets out of order");
    let ranges = ranges.ok_or_else(|| disorder(seeker))?;
    let gaps = WideStream::place(seeker, gap_count)?.read(&ranges)?;
    let mut times = Vec::with_capacity(gaps.len() + firsts.len());
    let (mut gaps, mut firsts, mut ascending) = (gaps.as_slice(), firsts.into_iter(), true);
    for some in journeys {
        for (&start, &end) in some.offsets.iter().zip(some.offsets.iter().skip(1)) {
            let len = end.checked_sub(start).and_then(|len| len.checked_sub(1));
            let split = len.and_then(|len| gaps.split_at_checked(len as usize));
            let (Some((journey, rest)), Some(first)) = (split, firsts.next()) else {
                return Err(disorder(seeker));
            };
            gaps = rest;
            let mut time = first;
            times.push(time);
            times.extend(journey.iter().map(|&gap| {
                let next = time.wrapping_add((gap as i64).wrapping_mul(step));
                ascending &= next >= time;
                time = next;
                next
            }));
        }
    }
    if !ascending {
        return Err(seeker.damaged("times out of order"));
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(journeys: &[Vec<i64>], bytes_max: usize) {
        let times: Vec<i64> = journeys.concat();
        let mut offsets = vec![0];
        for journey in journeys {
            let start = offsets.last().copied().unwrap_or(0);
            offsets.push(start + journey.len() as u32);
        }
        let mut bytes = Vec::new();
        encode(&times, &offsets, &mut bytes).expect("writes");
        assert!(bytes.len() <= bytes_max, "{} bytes for {} times", bytes.len(), times.len());
        let mut reader = Reader::new(&bytes, "test");
        assert_eq!(decode(&mut reader, &offsets).expect("reads"), times);
        reader.finish().expect("is all");
    }

    #[test]
    fn times_come_back() {
        check(&[], 10);
        check(&[vec![i64::MIN, i64::MAX]], 100);
        check(&[vec![i64::MIN]], 20);
        check(&[vec![5; 1_000], vec![5]], 20);
        // Whole minutes over two hours: 7 bits a gap.
        let journey: Vec<i64> = (0..1_281)
            .scan(0, |time, i| {
                *time += (i * 37 % 120) * 60_000;
                Some(*time)
            })
            .collect();
        check(&[journey], 1_150);
        // Gaps of years in milliseconds need more than 32 bits.
        check(&[vec![0, 1], vec![0, 1 << 40, (1 << 40) + 1, 1 << 50], vec![3, 4, 5]], 120);
    }

    #[test]
    fn disorder_is_refused() {
        assert!(encode(&[2, 1], &[0, 2], &mut Vec::new()).is_err());
        assert!(encode(&[1, 2], &[0, 0, 2], &mut Vec::new()).is_err());
        assert!(encode(&[1, 2], &[0, 3], &mut Vec::new()).is_err());
    }

    #[test]
    fn times_out_of_range_are_refused() {
        for step in [1, 1 << 40] {
            let mut bytes = Vec::new();
            ints::encode(&[0, i64::MAX - 5], &mut bytes);
            put_varint(step, &mut bytes);
            pack_wide(&[7, 9], &mut bytes);
            assert!(decode(&mut Reader::new(&bytes, "test"), &[0, 2, 4]).is_err(), "steps of {step}");
        }
    }

    #[test]
    fn journeys_end_anywhere_in_a_block() {
        for len in [1, 2, 126, 127, 128, 129, 255, 257, 400] {
            let journey =
                |start: i64| (0..len).map(|row| start + row * row % 1_000_003 * 60_000).collect::<Vec<_>>();
            let mut journeys: Vec<Vec<i64>> = (0..9).map(journey).collect();
            journeys.iter_mut().for_each(|journey| journey.sort_unstable());
            check(&journeys, usize::MAX);
        }
    }

    proptest! {
        #[test]
        fn any_journeys_come_back(mut journeys in proptest::collection::vec(proptest::collection::vec(
            prop_oneof![4 => 0..1_000_000_i64, 1 => any::<i64>()], 1..200), 0..8)) {
            journeys.iter_mut().for_each(|journey| journey.sort_unstable());
            check(&journeys, usize::MAX);
        }

        #[test]
        fn any_bytes_are_safe(
            bytes in proptest::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..300),
            offsets in proptest::collection::vec(0..500_u32, 0..20),
        ) {
            let _ = decode(&mut Reader::new(&bytes, "test"), &offsets);
        }
    }
}
