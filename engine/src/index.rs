//! Which customers of a range have what: roaring bitmaps over one set of blocks.
//!
//! ```text
//! header      magic "TLIX"  version: u16  0: u16  range: u32  symbols: u32  months: u32
//! directory   a symbol:  attribute: u16  shared: u16  symbol: u32  place: u32
//!                        bytes of the bitmaps of at least 1, 2, 3 occurrences: u32 u32 u32
//!             a month:   year * 12 + month - 1: i32  place: u32  bytes: u32
//!             checksum of all before it: u64 (XXH3)
//! bitmaps     end to end, in roaring's portable format
//! ```
//! Everything is little-endian; symbols are in ascending order of attribute and
//! number, months of time. A place is counted from the first bitmap; a symbol's
//! three follow one another there. Where one more occurrence makes no difference,
//! the bitmap is not stored twice: bit 0 of `shared` says that the second is the first,
//! bit 1 that the third is the second. An empty one has no bytes.

#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

mod builder;
mod reader;
#[cfg(test)]
mod tests;

pub use builder::IndexBuilder;
pub use reader::{IndexReader, ReadPart};

use roaring::RoaringBitmap;

use crate::model::{Millis, date_of};

const MAGIC: [u8; 4] = *b"TLIX";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 20;
const SYMBOL_BYTES: usize = 24;
const MONTH_BYTES: usize = 12;
const SECOND_IS_FIRST: u16 = 1;
const THIRD_IS_SECOND: u16 = 2;

/// The UTC month that `ms` milliseconds since 1970 lie in: year * 12 + month - 1.
/// Years beyond an `i32` of months are taken for the nearest month that is not.
pub fn month_of(ms: Millis) -> i32 {
    let (year, month, _) = date_of(ms);
    // One below the largest, so that a range past it can be named.
    (year * 12 + month - 1).clamp(i64::from(i32::MIN), i64::from(i32::MAX) - 1) as i32
}

/// The customers with at least one, two and three occurrences of something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Levels(pub [RoaringBitmap; 3]);

impl Levels {
    /// Adds the counts of another set of interactions, none of which is counted
    /// here already; counts stop at three.
    pub fn add(&mut self, other: &Self) {
        let [a1, a2, a3] = &mut self.0;
        let [b1, b2, b3] = &other.0;
        *a3 |= b3;
        *a3 |= &*a2 & b1;
        *a3 |= &*a1 & b2;
        *a2 |= b2;
        *a2 |= &*a1 & b1;
        *a1 |= b1;
    }
}
