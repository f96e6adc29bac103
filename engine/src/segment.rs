//! A segment: a block of whole customers at rest.
//!
//! ```text
//! header   magic "TLSG"  version: u16 = 2  columns: u16
//!          rows: u32  customers: u32  first, last customer: u32 u32
//!          earliest, latest time: i64 i64
//!          bytes of customers, offsets, times: u32 u32 u32
//!          a column:  attribute: u16  numbers: u8 (0 none, 1 int, 2 float)
//!                     bytes: u32  [smallest, largest: 8 bytes each, where numbers > 0]
//!          checksum of all before it: u64 (XXH3)
//! body     customers | offsets | times | column | column | …   end to end
//!
//! customers   packed distances - 1 between ordinals; the first is in the header
//! offsets     packed lengths - 1 of the journeys
//! times, columns   as the module `columns` says
//! ```
//! Everything is little-endian. The body is cut into pages and checksummed by
//! whoever stores it; a reader takes from it only the ranges it needs. A stream
//! of customers or lengths begins with 1 where it is packed, and is the one byte 0 where
//! all numbers in it are 0.

#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

mod excerpt;
#[cfg(test)]
mod tests;

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::block::Block;
use crate::column::Column;
use crate::columns::{self, Reader, pack, unpack};
use crate::error::{Error, Result};
use crate::model::{CustomerOrdinal, Millis};
use crate::schema::AttrId;
pub use excerpt::{Chosen, Excerpt};

const MAGIC: [u8; 4] = *b"TLSG";
const VERSION: u16 = 2;
/// Most interactions in one segment: it bounds the memory that a header alone can ask for.
pub const SEGMENT_ROWS_MAX: usize = 1 << 27;

/// A block as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedSegment {
    /// What [`SegmentHeader::decode`] reads.
    pub header: Vec<u8>,
    /// The columns, end to end.
    pub body: Vec<u8>,
    /// Where each ends in the body: customers, offsets and times, then the columns.
    pub ends: Vec<usize>,
}

/// A part of a segment's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The customers' ordinals.
    Customers,
    /// Where each customer's interactions begin.
    Offsets,
    /// The interactions' times.
    Times,
    /// One attribute's values.
    Attr(AttrId),
}

/// The smallest and the largest value of a column, NULLs left out.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the two say what they are")]
pub enum NumberRange {
    Int(i64, i64),
    Float(f64, f64),
}

/// What the header tells of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnEntry {
    /// The attribute.
    pub attr: AttrId,
    /// Its bytes in the body.
    pub range: Range<u64>,
    /// The bounds of an int or float column; `None` where all are NULL, or one is NaN.
    pub numbers: Option<NumberRange>,
}

/// What a segment holds and where.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentHeader {
    /// How many interactions.
    pub rows: usize,
    /// How many customers.
    pub customers: usize,
    /// The lowest ordinal (0 where there is no customer).
    pub first_customer: CustomerOrdinal,
    /// The highest ordinal (0 where there is no customer).
    pub last_customer: CustomerOrdinal,
    /// The earliest time (0 where there is no interaction).
    pub time_min: Millis,
    /// The latest time (0 where there is no interaction).
    pub time_max: Millis,
    /// Bytes of the body.
    pub body_bytes: u64,
    customers_range: Range<u64>,
    offsets_range: Range<u64>,
    times_range: Range<u64>,
    columns: Vec<ColumnEntry>,
}

/// Turns a block into bytes.
///
/// # Errors
/// [`Error::Invalid`] for a block that breaks its own rules (order, lengths,
/// codes), [`Error::Limit`] for more than [`SEGMENT_ROWS_MAX`] interactions, or
/// a column of 4 GB.
pub fn encode(block: &Block) -> Result<EncodedSegment> {
    let rows = block.rows();
    if rows > SEGMENT_ROWS_MAX {
        return Err(Error::Limit {
            what: "interactions in one segment",
            value: rows as u64,
            limit: SEGMENT_ROWS_MAX as u64,
        });
    }
    let mut gaps = Vec::with_capacity(block.customers.len());
    for (last, customer) in block.customers.iter().zip(block.customers.iter().skip(1)) {
        let gap = customer.checked_sub(*last).and_then(|gap| gap.checked_sub(1));
        gaps.push(gap.ok_or_else(|| Error::invalid("a block's customers are not in ascending order"))?);
    }
    let mut lengths = Vec::with_capacity(block.customers.len());
    for (start, end) in block.offsets.iter().zip(block.offsets.iter().skip(1)) {
        let length = end.checked_sub(*start).and_then(|length| length.checked_sub(1));
        lengths.push(length.ok_or_else(|| Error::invalid("a block has a customer without interactions"))?);
    }
    if block.offsets.first() != Some(&0)
        || block.offsets.last().is_none_or(|&end| end as usize != rows)
        || block.times.len() != rows
        || lengths.len() != block.customers.len()
    {
        return Err(Error::invalid("a block's offsets do not fit its customers and interactions"));
    }

    let mut body = Vec::new();
    let mut ends = Vec::with_capacity(block.columns.len() + 3);
    let mut part_bytes = |body: &[u8]| {
        let bytes = body.len() - ends.last().copied().unwrap_or(0);
        ends.push(body.len());
        u32::try_from(bytes).map_err(|_| Error::Limit {
            what: "bytes in one column of a segment",
            value: bytes as u64,
            limit: u64::from(u32::MAX),
        })
    };
    put_stream(&gaps, &mut body);
    let customers_bytes = part_bytes(&body)?;
    put_stream(&lengths, &mut body);
    let offsets_bytes = part_bytes(&body)?;
    columns::encode_times(&block.times, &block.offsets, &mut body)?;
    let times_bytes = part_bytes(&body)?;

    let column_count = u16::try_from(block.columns.len())
        .map_err(|_| Error::invalid("a block has more columns than attributes"))?;
    let mut entries = Vec::new();
    let mut last = None;
    for (attr, column) in &block.columns {
        if column.len() != rows {
            return Err(Error::invalid(format!(
                "the column of attribute {} has {} values for {rows} interactions",
                attr.0,
                column.len()
            )));
        }
        if last.is_some_and(|last| last >= *attr) {
            return Err(Error::invalid("a block's columns are not in ascending order"));
        }
        last = Some(*attr);
        columns::encode(column, &mut body)?;
        entries.extend(attr.0.to_le_bytes());
        let (kind, bounds) = match numbers(column) {
            None => (0, None),
            Some(NumberRange::Int(min, max)) => (1, Some([min.to_le_bytes(), max.to_le_bytes()])),
            Some(NumberRange::Float(min, max)) => (2, Some([min.to_le_bytes(), max.to_le_bytes()])),
        };
        entries.push(kind);
        entries.extend(part_bytes(&body)?.to_le_bytes());
        entries.extend(bounds.into_iter().flatten().flatten());
    }

    let mut header = Vec::with_capacity(64 + entries.len());
    header.extend(MAGIC);
    header.extend(VERSION.to_le_bytes());
    header.extend(column_count.to_le_bytes());
    for number in [
        rows as u32,
        block.customers.len() as u32,
        block.customers.first().copied().unwrap_or(0),
        block.customers.last().copied().unwrap_or(0),
    ] {
        header.extend(number.to_le_bytes());
    }
    for time in [block.times.iter().min(), block.times.iter().max()] {
        header.extend(time.copied().unwrap_or(0).to_le_bytes());
    }
    for bytes in [customers_bytes, offsets_bytes, times_bytes] {
        header.extend(bytes.to_le_bytes());
    }
    header.extend(entries);
    let checksum = xxh3_64(&header);
    header.extend(checksum.to_le_bytes());
    Ok(EncodedSegment { header, body, ends })
}

/// The bounds of a column of numbers.
fn numbers(column: &Column) -> Option<NumberRange> {
    let is_valid = |valid: &Option<Vec<bool>>, row: usize| {
        valid.as_ref().is_none_or(|valid| valid.get(row).copied().unwrap_or(false))
    };
    match column {
        Column::Symbol { .. } | Column::Str { .. } => None,
        Column::Int { values, valid } => {
            let mut bounds = None;
            for (row, &value) in values.iter().enumerate() {
                if is_valid(valid, row) {
                    let (min, max) = bounds.unwrap_or((value, value));
                    bounds = Some((value.min(min), value.max(max)));
                }
            }
            bounds.map(|(min, max)| NumberRange::Int(min, max))
        }
        Column::Float { values, valid } => {
            let mut bounds = None;
            for (row, &value) in values.iter().enumerate() {
                if is_valid(valid, row) {
                    if value.is_nan() {
                        return None;
                    }
                    let (min, max) = bounds.unwrap_or((value, value));
                    bounds = Some((value.min(min), value.max(max)));
                }
            }
            bounds.map(|(min, max)| NumberRange::Float(min, max))
        }
    }
}

fn put_stream(values: &[u32], out: &mut Vec<u8>) {
    if values.iter().all(|&value| value == 0) {
        out.push(0);
    } else {
        out.push(1);
        pack(values, out);
    }
}

fn read_stream(bytes: &[u8], n: usize, what: &str) -> Result<Vec<u32>> {
    let mut reader = Reader::new(bytes, what);
    let values = match reader.u8()? {
        0 => vec![0; n],
        1 => unpack(&mut reader, n)?,
        other => return Err(reader.damaged(format!("unknown way {other} to hold numbers"))),
    };
    reader.finish()?;
    Ok(values)
}

impl SegmentHeader {
    /// Reads a header, and checks it.
    ///
    /// # Errors
    /// [`Error::Damaged`] where the bytes are not one, [`Error::NotAStore`] for
    /// one of a later format.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let what = "segment header";
        let Some((bytes, checksum)) = bytes.split_last_chunk::<8>() else {
            return Err(Error::damaged(what, 0, "it is too short"));
        };
        let mut reader = Reader::new(bytes, what);
        if reader.array()? != MAGIC {
            return Err(Error::damaged(what, 0, "it does not begin as one"));
        }
        if xxh3_64(bytes) != u64::from_le_bytes(*checksum) {
            return Err(Error::damaged(what, bytes.len() as u64, "its checksum is wrong"));
        }
        let version = reader.u16()?;
        if version != VERSION {
            return Err(Error::NotAStore(format!(
                "the graph has segments of format {version}, and this program reads format {VERSION}; use the program that wrote it"
            )));
        }
        let column_count = reader.u16()?;
        let (rows, customers) = (reader.u32()? as usize, reader.u32()? as usize);
        let (first_customer, last_customer) = (reader.u32()?, reader.u32()?);
        let (time_min, time_max) = (reader.u64()? as i64, reader.u64()? as i64);
        let span = last_customer.checked_sub(first_customer).map(|span| span as usize);
        if rows > SEGMENT_ROWS_MAX
            || customers > rows
            || (customers == 0) != (rows == 0)
            || span.is_none_or(|span| customers > 0 && customers - 1 > span)
            || time_min > time_max
        {
            return Err(reader.damaged("its counts and bounds contradict each other"));
        }
        let mut body_bytes = 0;
        let mut next = |bytes: u32| {
            let start = body_bytes;
            body_bytes += u64::from(bytes);
            start..body_bytes
        };
        let customers_range = next(reader.u32()?);
        let offsets_range = next(reader.u32()?);
        let times_range = next(reader.u32()?);
        let mut columns: Vec<ColumnEntry> = Vec::new();
        for _ in 0..column_count {
            let attr = AttrId(reader.u16()?);
            if columns.last().is_some_and(|last| last.attr >= attr) {
                return Err(reader.damaged("its columns are out of order"));
            }
            let kind = reader.u8()?;
            let range = next(reader.u32()?);
            let numbers = match kind {
                0 => None,
                1 => Some(NumberRange::Int(
                    i64::from_le_bytes(reader.array()?),
                    i64::from_le_bytes(reader.array()?),
                )),
                2 => Some(NumberRange::Float(
                    f64::from_le_bytes(reader.array()?),
                    f64::from_le_bytes(reader.array()?),
                )),
                other => return Err(reader.damaged(format!("unknown kind {other} of bounds"))),
            };
            columns.push(ColumnEntry { attr, range, numbers });
        }
        reader.finish()?;
        Ok(Self {
            rows,
            customers,
            first_customer,
            last_customer,
            time_min,
            time_max,
            body_bytes,
            customers_range,
            offsets_range,
            times_range,
            columns,
        })
    }

    /// The columns it has, in ascending order of attribute.
    pub fn columns(&self) -> &[ColumnEntry] {
        &self.columns
    }

    /// The entry of `attr`; `None` where it is NULL throughout.
    pub fn column(&self, attr: AttrId) -> Option<&ColumnEntry> {
        let place = self.columns.binary_search_by_key(&attr, |entry| entry.attr).ok()?;
        self.columns.get(place)
    }

    /// Where in the body `part` lies, in bytes; `None` for an attribute that it does not have.
    pub fn range(&self, part: Part) -> Option<Range<u64>> {
        match part {
            Part::Customers => Some(self.customers_range.clone()),
            Part::Offsets => Some(self.offsets_range.clone()),
            Part::Times => Some(self.times_range.clone()),
            Part::Attr(attr) => self.column(attr).map(|entry| entry.range.clone()),
        }
    }

    /// The customers and the places where their interactions begin, as in [`Block`].
    ///
    /// # Errors
    /// [`Error::Damaged`] where the bytes do not fit this header; so for all that decode.
    pub fn decode_journeys(
        &self,
        customers_bytes: &[u8],
        offsets_bytes: &[u8],
    ) -> Result<(Vec<CustomerOrdinal>, Vec<u32>)> {
        let what = "segment customers";
        let gaps = read_stream(customers_bytes, self.customers.saturating_sub(1), what)?;
        let mut customers = Vec::with_capacity(self.customers);
        let mut ordinal = u64::from(self.first_customer);
        if self.customers > 0 {
            customers.push(self.first_customer);
        }
        for gap in gaps {
            ordinal += u64::from(gap) + 1;
            customers.push(ordinal as u32);
        }
        if self.customers > 0 && ordinal != u64::from(self.last_customer) {
            return Err(Error::damaged(what, 0, "they do not end with the last customer"));
        }
        let what = "segment offsets";
        let lengths = read_stream(offsets_bytes, self.customers, what)?;
        let mut offsets = Vec::with_capacity(self.customers + 1);
        let mut end = 0_u64;
        offsets.push(0);
        for length in lengths {
            end += u64::from(length) + 1;
            offsets.push(end as u32);
        }
        if end != self.rows as u64 {
            return Err(Error::damaged(what, 0, format!("{end} interactions, where {} are", self.rows)));
        }
        Ok((customers, offsets))
    }

    /// The times, given the offsets that [`SegmentHeader::decode_journeys`] answered.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn decode_times(&self, bytes: &[u8], offsets: &[u32]) -> Result<Vec<Millis>> {
        let mut reader = Reader::new(bytes, "segment times");
        if offsets.last().is_none_or(|&end| end as usize != self.rows) {
            return Err(reader.damaged("offsets of another segment"));
        }
        let times = columns::decode_times(&mut reader, offsets)?;
        reader.finish()?;
        Ok(times)
    }

    /// The values of `attr`.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn decode_column(&self, attr: AttrId, bytes: &[u8]) -> Result<Column> {
        columns::decode(bytes, self.rows, &format!("segment column {}", attr.0))
    }

    /// The whole block, with those columns of `wanted` that it has.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn decode_block(&self, body: &[u8], wanted: &[AttrId]) -> Result<Block> {
        let part = |range: &Range<u64>| {
            usize::try_from(range.start)
                .ok()
                .zip(usize::try_from(range.end).ok())
                .and_then(|(start, end)| body.get(start..end))
                .ok_or_else(|| Error::damaged("segment body", body.len() as u64, "it is too short"))
        };
        let (customers, offsets) =
            self.decode_journeys(part(&self.customers_range)?, part(&self.offsets_range)?)?;
        let times = self.decode_times(part(&self.times_range)?, &offsets)?;
        let mut columns = Vec::new();
        for entry in self.columns.iter().filter(|entry| wanted.contains(&entry.attr)) {
            columns.push((entry.attr, self.decode_column(entry.attr, part(&entry.range)?)?));
        }
        Ok(Block { customers, offsets, times, columns })
    }
}
