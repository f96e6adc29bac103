//! Bytes read by place, and packed streams of which only some values are wanted.

use std::borrow::Cow;
use std::ops::Range;

use super::packed::{BLOCK, block_bytes, high, unpack_block};
use super::reader::Reader;
use crate::error::{Error, Result};

/// Bytes that are read by place, wherever they lie.
pub trait Bytes {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of them.
    ///
    /// # Errors
    /// [`Error::Damaged`] past their end, or where they cannot be read.
    fn get(&self, range: Range<usize>) -> Result<Cow<'_, [u8]>>;
}

impl Bytes for &[u8] {
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    fn get(&self, range: Range<usize>) -> Result<Cow<'_, [u8]>> {
        let end = range.end;
        let bytes = <[u8]>::get(self, range).map(Cow::Borrowed);
        bytes.ok_or_else(|| Error::damaged("bytes", end as u64, "they end before"))
    }
}

/// Most bytes that the numbers between two streams take.
const SMALL: usize = 32;

/// Goes over bytes from their front without reading what is passed over.
pub struct Seeker<'a> {
    bytes: &'a dyn Bytes,
    at: usize,
    what: &'a str,
}

impl<'a> Seeker<'a> {
    /// A seeker at the front of `bytes`, which are known to the user as `what`.
    pub fn new(bytes: &'a dyn Bytes, what: &'a str) -> Self {
        Self { bytes, at: 0, what }
    }

    /// The error that `message` was found here.
    pub fn damaged(&self, message: impl Into<String>) -> Error {
        Error::damaged(self.what, self.at as u64, message)
    }

    /// What is read, for messages.
    pub(super) fn what(&self) -> &'a str {
        self.what
    }

    /// How many bytes were passed.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// Passes over `len` bytes and answers where they began.
    pub(super) fn skip(&mut self, len: usize) -> Result<usize> {
        if len > self.remaining() {
            return Err(self.damaged(format!("{len} bytes expected, {} left", self.remaining())));
        }
        let start = self.at;
        self.at += len;
        Ok(start)
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> Result<Cow<'a, [u8]>> {
        let start = self.skip(len)?;
        self.bytes.get(start..start + len)
    }

    /// Bytes that were passed over.
    pub(super) fn back(&self, range: Range<usize>) -> Result<Cow<'a, [u8]>> {
        self.bytes.get(range)
    }

    /// What `read` takes from the next few bytes.
    pub(super) fn small<T>(&mut self, read: impl FnOnce(&mut Reader<'_>) -> Result<T>) -> Result<T> {
        let len = self.remaining().min(SMALL);
        let bytes = self.bytes.get(self.at..self.at + len)?;
        let mut reader = Reader::new(&bytes, self.what);
        let value = read(&mut reader)?;
        self.at += len - reader.remaining();
        Ok(value)
    }

    /// The next byte.
    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.small(|reader| reader.u8())
    }

    /// The next number of seven bits a byte.
    pub(super) fn varint(&mut self) -> Result<u64> {
        self.small(|reader| reader.varint())
    }

    /// The next signed number, in zigzag.
    pub(super) fn signed(&mut self) -> Result<i64> {
        self.small(|reader| reader.signed())
    }

    /// The next count, which may not pass `max`.
    pub(super) fn count(&mut self, max: usize, of: &str) -> Result<usize> {
        self.small(|reader| reader.count(max, of))
    }
}

/// How many values `ranges` hold.
pub(super) fn total(ranges: &[Range<usize>]) -> usize {
    ranges.iter().map(Range::len).sum()
}

/// A packed stream whose place is known.
pub(crate) struct Stream<'a> {
    bytes: &'a dyn Bytes,
    what: &'a str,
    widths: Cow<'a, [u8]>,
    at: usize,
    n: usize,
}

impl<'a> Stream<'a> {
    /// The stream of `n` values that begins here; the seeker passes it over.
    pub(crate) fn place(seeker: &mut Seeker<'a>, n: usize) -> Result<Self> {
        let widths = seeker.take(n.div_ceil(BLOCK))?;
        let widest = widths.iter().fold(0, |widest, &width| width.max(widest));
        if widest > 32 {
            return Err(seeker.damaged(format!("a packed width of {widest} bits")));
        }
        let mut bytes = full_bytes(&widths);
        if let (Some(&last), short @ 1..) = (widths.last(), n % BLOCK) {
            bytes = bytes - block_bytes(BLOCK, last) + block_bytes(short, last);
        }
        let at = seeker.skip(bytes)?;
        Ok(Self { bytes: seeker.bytes, what: seeker.what, widths, at, n })
    }

    /// How many values it has.
    pub(crate) fn len(&self) -> usize {
        self.n
    }

    /// Hands the values at `places` to `each`, some at a time.
    pub(crate) fn blocks(&self, places: Range<usize>, mut each: impl FnMut(&[u32])) -> Result<()> {
        if places.end > self.n {
            return Err(Error::damaged(self.what, self.at as u64, "values past the end of a packed stream"));
        }
        let first = places.start / BLOCK;
        let mut at = self.at + full_bytes(self.widths.get(..first).unwrap_or_default());
        let mut buffer = [0; BLOCK];
        let mut start = first * BLOCK;
        for &width in self.widths.iter().skip(first) {
            if start >= places.end {
                break;
            }
            let len = BLOCK.min(self.n - start);
            let packed = block_bytes(len, width);
            if let Some(block) = buffer.get_mut(..len) {
                match width {
                    0 => block.fill(0),
                    _ => unpack_block(&self.bytes.get(at..at + packed)?, width, block),
                }
                let from = places.start.saturating_sub(start);
                let to = len.min(places.end - start);
                each(block.get(from..to).unwrap_or_default());
            }
            at += packed;
            start += len;
        }
        Ok(())
    }

    /// The values of `ranges`, end to end.
    pub(crate) fn read(&self, ranges: &[Range<usize>]) -> Result<Vec<u32>> {
        let mut values = Vec::with_capacity(total(ranges).min(self.n));
        for range in ranges {
            self.blocks(range.clone(), |block| values.extend_from_slice(block))?;
        }
        Ok(values)
    }

    /// All values.
    pub(crate) fn all(&self) -> Result<Vec<u32>> {
        self.read(std::slice::from_ref(&(0..self.n)))
    }

    /// The sum of the values at `places`.
    pub(crate) fn sum(&self, places: Range<usize>) -> Result<u64> {
        let mut sum = 0_u64;
        self.blocks(places, |block| sum += block.iter().map(|&value| u64::from(value)).sum::<u64>())?;
        Ok(sum)
    }

    /// How many of the values at `places` are not 0, in a stream of values that should be 0 or 1.
    pub(crate) fn count(&self, places: Range<usize>) -> Result<usize> {
        // Bits of whole blocks can be counted where they lie.
        let whole = places.start.div_ceil(BLOCK)..places.end / BLOCK;
        let widths = self.widths.get(whole.clone()).unwrap_or_default();
        let mut count = 0;
        let mut unpacked = |block: &[u32]| count += block.iter().filter(|&&value| value != 0).count();
        if widths.is_empty() || places.end > self.n || widths.iter().any(|&width| width > 1) {
            self.blocks(places, unpacked)?;
            return Ok(count);
        }
        self.blocks(places.start..whole.start * BLOCK, &mut unpacked)?;
        self.blocks(whole.end * BLOCK..places.end, &mut unpacked)?;
        let start = self.at + full_bytes(self.widths.get(..whole.start).unwrap_or_default());
        let bytes = self.bytes.get(start..start + full_bytes(widths))?;
        let words = bytes.as_chunks::<8>().0.iter();
        Ok(count + words.map(|word| u64::from_le_bytes(*word).count_ones() as usize).sum::<usize>())
    }
}

/// Bytes of full blocks of these widths.
fn full_bytes(widths: &[u8]) -> usize {
    widths.iter().map(|&width| usize::from(width)).sum::<usize>() * (BLOCK / 8)
}

/// Numbers of up to 64 bits, as `packed::pack_wide` wrote them.
pub(super) struct WideStream<'a> {
    low: Stream<'a>,
    high: High<'a>,
}

enum High<'a> {
    None,
    Dense(Stream<'a>),
    /// Distances between the places of large numbers, and their halves.
    Sparse(Stream<'a>, Stream<'a>),
}

impl<'a> WideStream<'a> {
    /// The numbers that begin here; the seeker passes them over.
    pub(super) fn place(seeker: &mut Seeker<'a>, n: usize) -> Result<Self> {
        let mode = seeker.u8()?;
        let low = Stream::place(seeker, n)?;
        let high = match mode {
            high::NONE => High::None,
            high::DENSE => High::Dense(Stream::place(seeker, n)?),
            high::SPARSE => {
                let large = seeker.count(n, "large numbers")?;
                let gaps = Stream::place(seeker, large)?;
                High::Sparse(gaps, Stream::place(seeker, large)?)
            }
            other => return Err(seeker.damaged(format!("unknown way {other} to hold large numbers"))),
        };
        Ok(Self { low, high })
    }

    /// The low halves, where all others are 0.
    pub(super) fn narrow(&self) -> Option<&Stream<'a>> {
        matches!(self.high, High::None).then_some(&self.low)
    }

    /// The numbers of `ranges`, end to end.
    pub(super) fn read(&self, ranges: &[Range<usize>]) -> Result<Vec<u64>> {
        let mut values: Vec<u64> = self.low.read(ranges)?.into_iter().map(u64::from).collect();
        let mut raise = |place: usize, half: u32| {
            if let Some(value) = values.get_mut(place) {
                *value |= u64::from(half) << 32;
            }
        };
        match &self.high {
            High::None => {}
            High::Dense(halves) => {
                halves.read(ranges)?.into_iter().enumerate().for_each(|(place, half)| raise(place, half));
            }
            High::Sparse(gaps, halves) => {
                let (mut number, mut next, mut sound) = (0, 0_u64, true);
                let mut hits: Vec<(usize, usize)> = Vec::new();
                let mut rest = ranges.iter();
                let mut range = rest.next();
                let mut passed = 0;
                gaps.blocks(0..gaps.len(), |block| {
                    for &gap in block {
                        let place = next + u64::from(gap);
                        sound &= place < self.low.len() as u64;
                        next = place + 1;
                        while let Some(ended) = range.filter(|range| range.end as u64 <= place) {
                            passed += ended.len();
                            range = rest.next();
                        }
                        if let Some(range) = range.filter(|range| range.start as u64 <= place) {
                            hits.push((number, passed + place as usize - range.start));
                        }
                        number += 1;
                    }
                })?;
                if !sound {
                    return Err(Error::damaged(gaps.what, gaps.at as u64, "a large number past the end"));
                }
                let mut wanted: Vec<Range<usize>> = Vec::new();
                for &(number, _) in &hits {
                    match wanted.last_mut() {
                        Some(last) if last.end == number => last.end += 1,
                        _ => wanted.push(number..number + 1),
                    }
                }
                let halves = halves.read(&wanted)?;
                hits.into_iter().zip(halves).for_each(|((_, place), half)| raise(place, half));
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::packed::{pack, pack_wide};
    use super::super::tests::{cut, ranges};
    use super::*;

    proptest! {
        #[test]
        fn any_ranges_of_a_stream(
            values in proptest::collection::vec(prop_oneof![4 => 0..2_u32, 1 => any::<u32>()], 0..700),
            ones in any::<bool>(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let values: Vec<u32> = values.into_iter().map(|v| if ones { v % 2 } else { v }).collect();
            let ranges = ranges(values.len(), &cuts);
            let mut bytes = Vec::new();
            pack(&values, &mut bytes);
            let bytes: &[u8] = &bytes;
            let mut seeker = Seeker::new(&bytes, "test");
            let stream = Stream::place(&mut seeker, values.len()).expect("is placed");
            prop_assert_eq!(seeker.remaining(), 0);
            prop_assert_eq!(stream.read(&ranges).expect("reads"), cut(&values, &ranges));
            for range in ranges {
                let part = values.get(range.clone()).expect("is there");
                let sum: u64 = part.iter().map(|&value| u64::from(value)).sum();
                prop_assert_eq!(stream.sum(range.clone()).expect("reads"), sum);
                let count = part.iter().filter(|value| **value != 0).count();
                prop_assert_eq!(stream.count(range).expect("reads"), count);
            }
        }

        #[test]
        fn any_ranges_of_wide_numbers(
            values in proptest::collection::vec(
                prop_oneof![8 => 0..1_000_u64, 1 => any::<u64>()], 0..700),
            wide in 0..3_usize,
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let values: Vec<u64> = values.into_iter().map(|v| if wide == 0 { v >> 40 } else { v << (wide - 1) }).collect();
            let ranges = ranges(values.len(), &cuts);
            let mut bytes = Vec::new();
            pack_wide(&values, &mut bytes);
            let bytes: &[u8] = &bytes;
            let mut seeker = Seeker::new(&bytes, "test");
            let stream = WideStream::place(&mut seeker, values.len()).expect("is placed");
            prop_assert_eq!(seeker.remaining(), 0);
            prop_assert_eq!(stream.read(&ranges).expect("reads"), cut(&values, &ranges));
        }

        #[test]
        fn any_bytes_are_safe(
            bytes in proptest::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..300),
            n in 0..1_000_usize,
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes: &[u8] = &bytes;
            let ranges = ranges(n, &cuts);
            let mut seeker = Seeker::new(&bytes, "test");
            let _ = Stream::place(&mut seeker, n).and_then(|stream| stream.count(0..n).and(stream.read(&ranges)));
            let mut seeker = Seeker::new(&bytes, "test");
            let _ = WideStream::place(&mut seeker, n).and_then(|stream| stream.read(&ranges));
        }
    }
}
