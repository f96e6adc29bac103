//! A flag a row, and how many are set before any row.
//!
//! ```text
//! packed flags   [packed counts: the set ones of each whole 4,096]
//! ```

use std::ops::Range;

use super::packed::{pack, unpack};
use super::reader::Reader;
use super::seek::{Seeker, Stream};
use crate::error::Result;

/// Flags that are counted together.
pub(super) const COUNTED: usize = 4_096;

/// Appends flags with their counts.
pub(super) fn encode(flags: &[u32], out: &mut Vec<u8>) {
    pack(flags, out);
    let counts: Vec<u32> = flags.as_chunks::<COUNTED>().0.iter().map(|part| part.iter().sum()).collect();
    pack(&counts, out);
}

/// Reads the `n` flags that [`encode`] wrote.
///
/// # Errors
/// [`Error::Damaged`](crate::Error::Damaged) where the bytes cannot be that.
pub(super) fn decode(reader: &mut Reader<'_>, n: usize) -> Result<Vec<u32>> {
    let flags = unpack(reader, n)?;
    let counts = unpack(reader, n / COUNTED)?;
    let set = |part: &[u32; COUNTED]| part.iter().filter(|flag| **flag != 0).count();
    if !flags.as_chunks::<COUNTED>().0.iter().map(set).eq(counts.into_iter().map(|count| count as usize)) {
        return Err(reader.damaged("flags are not as many as is said"));
    }
    Ok(flags)
}

/// Flags whose place is known.
pub(super) struct Flags<'a> {
    flags: Stream<'a>,
    counts: Option<Stream<'a>>,
}

impl<'a> Flags<'a> {
    /// The `n` flags that begin here, with or without counts; the seeker passes them over.
    pub(super) fn place(seeker: &mut Seeker<'a>, n: usize, counted: bool) -> Result<Self> {
        let flags = Stream::place(seeker, n)?;
        let counts = if counted { Some(Stream::place(seeker, n / COUNTED)?) } else { None };
        Ok(Self { flags, counts })
    }

    /// How many are set before `row`.
    pub(super) fn before(&self, row: usize) -> Result<usize> {
        let Some(counts) = &self.counts else { return self.flags.count(0..row) };
        let parts = row / COUNTED;
        let before = usize::try_from(counts.sum(0..parts)?).unwrap_or(usize::MAX);
        // A sum of 32-bit counts that lie is still far from overflowing.
        Ok(before.saturating_add(self.flags.count(parts * COUNTED..row)?))
    }

    /// The flags of `ranges`, end to end.
    pub(super) fn read(&self, ranges: &[Range<usize>]) -> Result<Vec<u32>> {
        self.flags.read(ranges)
    }
}
