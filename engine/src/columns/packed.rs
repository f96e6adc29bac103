//! Streams of unsigned numbers, bit-packed in blocks of 128.
//!
//! ```text
//! n values   [width: u8] x ceil(n / 128)   [block] …
//! ```
//! A full block is laid out as `bitpacking::BitPacker4x` does (16 bytes for
//! each bit of width); the last one, when short, has its values end to end, least
//! significant bit first, and its last byte filled with zeros. This layout is part
//! of the store's format and never changes.

use bitpacking::{BitPacker, BitPacker4x};

use super::reader::Reader;
use crate::error::Result;

/// Values in a block.
pub(super) const BLOCK: usize = BitPacker4x::BLOCK_LEN;

/// Bits needed for the largest of `block`.
fn width(block: &[u32]) -> u8 {
    (32 - block.iter().fold(0, |all, &value| all | value).leading_zeros()) as u8
}

/// Bytes of a block of `len` values of `width` bits.
pub(super) fn block_bytes(len: usize, width: u8) -> usize {
    (len * usize::from(width)).div_ceil(8)
}

/// How many bytes [`pack`] would write.
pub(super) fn packed_bytes(values: &[u32]) -> usize {
    values.chunks(BLOCK).map(|block| 1 + block_bytes(block.len(), width(block))).sum()
}

/// Appends `values` to `out`; their number is not stored.
pub fn pack(values: &[u32], out: &mut Vec<u8>) {
    let packer = BitPacker4x::new();
    out.extend(values.chunks(BLOCK).map(width));
    let mut buffer = [0; BLOCK * 4];
    for block in values.chunks(BLOCK) {
        let width = width(block);
        if block.len() == BLOCK {
            let len = packer.compress(block, &mut buffer, width);
            out.extend(buffer.iter().take(len));
        } else {
            pack_short(block, width, out);
        }
    }
}

fn pack_short(block: &[u32], width: u8, out: &mut Vec<u8>) {
    let (mut bits, mut held) = (0_u64, 0);
    for &value in block {
        bits |= u64::from(value) << held;
        held += u32::from(width);
        while held >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            held -= 8;
        }
    }
    if held > 0 {
        out.push(bits as u8);
    }
}

/// Reads the `n` values that [`pack`] wrote.
///
/// # Errors
/// [`Error::Damaged`](crate::Error::Damaged) where the bytes cannot be such a stream.
pub fn unpack(reader: &mut Reader<'_>, n: usize) -> Result<Vec<u32>> {
    Ok(Blocks::new(reader, n)?.all())
}

/// The values of a stream, a block at a time, so that what reads them finds them near.
pub(super) struct Blocks<'a> {
    widths: &'a [u8],
    packed: &'a [u8],
    /// Values that are not read yet.
    left: usize,
}

impl<'a> Blocks<'a> {
    /// Takes a stream of `n` values from `reader`.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) where the bytes cannot be such a stream.
    pub(super) fn new(reader: &mut Reader<'a>, n: usize) -> Result<Self> {
        let widths = reader.take(n.div_ceil(BLOCK))?;
        let short = n % BLOCK;
        let mut bytes = 0;
        for (place, &width) in widths.iter().enumerate() {
            if width > 32 {
                return Err(reader.damaged(format!("a packed width of {width} bits")));
            }
            let len = if short > 0 && place + 1 == widths.len() { short } else { BLOCK };
            bytes += block_bytes(len, width);
        }
        Ok(Self { widths, packed: reader.take(bytes)?, left: n })
    }

    /// All that are not read yet.
    pub(super) fn all(mut self) -> Vec<u32> {
        let mut values = Vec::with_capacity(self.left);
        let mut scratch = [0; BLOCK];
        while let Some(block) = self.next(&mut scratch) {
            values.extend_from_slice(block);
        }
        values
    }

    /// What the values not read yet sum up to at most, or more than fits.
    pub(super) fn sum_max(&self) -> u64 {
        let block = |&width: &u8| (BLOCK as u64) << width;
        self.widths.iter().map(block).fold(0, u64::saturating_add)
    }

    /// The next values; `None` behind the last.
    pub(super) fn next<'s>(&mut self, scratch: &'s mut [u32; BLOCK]) -> Option<&'s [u32]> {
        let (&width, widths) = self.widths.split_first()?;
        let block = scratch.get_mut(..self.left.min(BLOCK))?;
        // Never fewer: they were counted before.
        let (bytes, packed) = self.packed.split_at_checked(block_bytes(block.len(), width))?;
        match width {
            0 => block.fill(0),
            _ => unpack_block(bytes, width, block),
        }
        (self.widths, self.packed, self.left) = (widths, packed, self.left - block.len());
        Some(block)
    }
}

/// Reads a block of `width` (1 to 32) bits a value from its bytes, as many as [`block_bytes`] says.
pub(super) fn unpack_block(bytes: &[u8], width: u8, block: &mut [u32]) {
    if block.len() == BLOCK {
        BitPacker4x::new().decompress(bytes, block, width);
    } else {
        unpack_short(bytes, width, block);
    }
}

fn unpack_short(bytes: &[u8], width: u8, block: &mut [u32]) {
    let width = u32::from(width);
    let mask = (1_u64 << width) - 1;
    let mut bytes = bytes.iter();
    let (mut bits, mut held) = (0_u64, 0);
    for value in block {
        while held < width {
            bits |= u64::from(bytes.next().copied().unwrap_or(0)) << held;
            held += 8;
        }
        *value = (bits & mask) as u32;
        bits >>= width;
        held -= width;
    }
}

/// Numbers of 64 bits as their low halves and the few high halves that are not 0.
pub(super) struct Wide {
    /// The low 32 bits of each.
    pub low: Vec<u32>,
    /// Place and high 32 bits, in ascending order of place.
    pub high: Vec<(u32, u32)>,
}

/// How the high halves are stored.
pub(super) mod high {
    /// All are 0.
    pub(in super::super) const NONE: u8 = 0;
    /// A count, then packed distances between places, then packed halves.
    pub(in super::super) const SPARSE: u8 = 1;
    /// One packed half a value.
    pub(in super::super) const DENSE: u8 = 2;
}

/// Appends numbers of up to 64 bits to `out`; there must be fewer than 2^32.
pub(super) fn pack_wide(values: &[u64], out: &mut Vec<u8>) {
    let low: Vec<u32> = values.iter().map(|&value| value as u32).collect();
    let large = values.iter().filter(|&&value| value > u64::from(u32::MAX)).count();
    if large == 0 {
        out.push(high::NONE);
        pack(&low, out);
        return;
    }
    if large > values.len() / 4 {
        out.push(high::DENSE);
        pack(&low, out);
        let highs: Vec<u32> = values.iter().map(|&value| (value >> 32) as u32).collect();
        pack(&highs, out);
        return;
    }
    let (mut gaps, mut highs, mut next) = (Vec::with_capacity(large), Vec::with_capacity(large), 0);
    for (place, &value) in (0_u32..).zip(values) {
        if value > u64::from(u32::MAX) {
            gaps.push(place - next);
            highs.push((value >> 32) as u32);
            next = place + 1;
        }
    }
    out.push(high::SPARSE);
    pack(&low, out);
    super::reader::put_varint(large as u64, out);
    pack(&gaps, out);
    pack(&highs, out);
}

/// Reads the `n` numbers that [`pack_wide`] wrote.
///
/// # Errors
/// [`Error::Damaged`](crate::Error::Damaged) where the bytes cannot be such a stream.
pub(super) fn unpack_wide(reader: &mut Reader<'_>, n: usize) -> Result<Wide> {
    let mode = reader.u8()?;
    unpack_mode(mode, reader, n)
}

/// As [`unpack_wide`], behind the byte that says how high halves are stored.
///
/// # Errors
/// As there.
pub(super) fn unpack_mode(mode: u8, reader: &mut Reader<'_>, n: usize) -> Result<Wide> {
    let low = unpack(reader, n)?;
    let high = match mode {
        high::NONE => Vec::new(),
        high::DENSE => (0..).zip(unpack(reader, n)?).filter(|&(_, high)| high != 0).collect(),
        high::SPARSE => {
            let large = reader.count(n, "large numbers")?;
            let gaps = unpack(reader, large)?;
            let highs = unpack(reader, large)?;
            let mut next = 0_u64;
            let mut high = Vec::with_capacity(large);
            for (gap, half) in gaps.into_iter().zip(highs) {
                let place = next + u64::from(gap);
                if place >= n as u64 {
                    return Err(reader.damaged("a large number past the end"));
                }
                high.push((place as u32, half));
                next = place + 1;
            }
            high
        }
        other => return Err(reader.damaged(format!("unknown way {other} to hold large numbers"))),
    };
    Ok(Wide { low, high })
}

impl Wide {
    /// The numbers put together.
    pub(super) fn joined(&self) -> Vec<u64> {
        let mut values: Vec<u64> = self.low.iter().map(|&low| u64::from(low)).collect();
        for &(place, high) in &self.high {
            if let Some(value) = values.get_mut(place as usize) {
                *value |= u64::from(high) << 32;
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(values: &[u32]) {
        let mut bytes = Vec::new();
        pack(values, &mut bytes);
        assert_eq!(bytes.len(), packed_bytes(values));
        let mut reader = Reader::new(&bytes, "test");
        assert_eq!(unpack(&mut reader, values.len()).expect("reads"), values);
        reader.finish().expect("is all");
    }

    fn check_wide(values: &[u64]) {
        let mut bytes = Vec::new();
        pack_wide(values, &mut bytes);
        let mut reader = Reader::new(&bytes, "test");
        assert_eq!(unpack_wide(&mut reader, values.len()).expect("reads").joined(), values);
        reader.finish().expect("is all");
    }

    #[test]
    fn every_width_and_edge_of_a_block() {
        for width in 0..=32_u32 {
            let max = ((1_u64 << width) - 1) as u32;
            for len in [0, 1, 2, 31, 127, 128, 129, 255, 256, 257] {
                check(&vec![max; len]);
                check(&(0..len as u32).map(|i| i.wrapping_mul(2_654_435_761) & max).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_layout_fixed_for_ever() {
        let mut bytes = Vec::new();
        pack(&[5, 0, 3], &mut bytes);
        assert_eq!(bytes, [3, 0b1100_0101, 0b0000_0000]);
        let mut bytes = Vec::new();
        pack(&(0..128).map(|i| i % 2).collect::<Vec<_>>(), &mut bytes);
        assert_eq!(bytes, [&[1][..], &[0, 0, 0, 0, 255, 255, 255, 255].repeat(2)].concat());
    }

    proptest! {
        #[test]
        fn wide_numbers_come_back(
            values in proptest::collection::vec(
                prop_oneof![8 => 0..1_000_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)], 0..400),
        ) {
            check_wide(&values);
        }

        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..300), n in 0..1_000_usize) {
            let _ = unpack(&mut Reader::new(&bytes, "test"), n);
            let _ = unpack_wide(&mut Reader::new(&bytes, "test"), n);
        }
    }
}
