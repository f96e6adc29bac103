//! An index at rest, read.

use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    HEADER_BYTES, Levels, MAGIC, MONTH_BYTES, SECOND_IS_FIRST, SYMBOL_BYTES, THIRD_IS_SECOND, VERSION,
};
use crate::columns::Reader;
use crate::error::{Error, Result};
use crate::limits::RANGE_CUSTOMERS;
use crate::schema::AttrId;

/// An index, read where it lies: the directory at once, bitmaps when they are asked for.
pub struct IndexReader<'a> {
    directory: Vec<u8>,
    source: Source<'a>,
    len: u64,
    range_number: u32,
    symbols: Range<usize>,
    months: Range<usize>,
    /// Where the first bitmap begins.
    bitmaps: u64,
}

/// Reads a part of the bytes of an index: exactly those of the range, or an error.
pub type ReadPart<'a> = &'a dyn Fn(Range<u64>) -> Result<Vec<u8>>;

enum Source<'a> {
    Whole(Arc<[u8]>),
    Parts(ReadPart<'a>),
}

impl Source<'_> {
    fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        match self {
            Self::Parts(read) => read(range),
            Self::Whole(bytes) => {
                let place = |at: u64| usize::try_from(at).ok();
                let part =
                    place(range.start).zip(place(range.end)).and_then(|(from, to)| bytes.get(from..to));
                part.map(<[u8]>::to_vec)
                    .ok_or_else(|| Error::damaged("index", range.start, "it ends before what it should hold"))
            }
        }
    }
}

/// A symbol's entry of the directory.
struct SymbolEntry {
    key: (AttrId, u32),
    shared: u16,
    place: u32,
    bytes: [u32; 3],
}

impl SymbolEntry {
    fn read(entry: &[u8; SYMBOL_BYTES]) -> Result<Self> {
        let mut reader = Reader::new(entry, "index");
        let (attr, shared, symbol, place) = (reader.u16()?, reader.u16()?, reader.u32()?, reader.u32()?);
        let bytes = [reader.u32()?, reader.u32()?, reader.u32()?];
        Ok(Self { key: (AttrId(attr), symbol), shared, place, bytes })
    }
}

/// A month's entry of the directory: month, place, bytes.
fn read_month(entry: &[u8; MONTH_BYTES]) -> Result<(i32, u32, u32)> {
    let mut reader = Reader::new(entry, "index");
    Ok((reader.u32()? as i32, reader.u32()?, reader.u32()?))
}

impl IndexReader<'static> {
    /// Reads what [`IndexBuilder::finish`](super::IndexBuilder::finish) wrote, and checks its directory.
    ///
    /// # Errors
    /// [`Error::Damaged`] where the bytes are not that, [`Error::NotAStore`] for
    /// a later format.
    pub fn open(bytes: Arc<[u8]>) -> Result<Self> {
        let len = bytes.len() as u64;
        Self::of(Source::Whole(bytes), len)
    }
}

impl<'a> IndexReader<'a> {
    /// As [`IndexReader::open`] for an index of `len` bytes that `read` reads
    /// parts of: of large bitmaps only those asked for are read.
    ///
    /// # Errors
    /// As [`IndexReader::open`], and what `read` answers.
    pub fn open_parts(len: u64, read: ReadPart<'a>) -> Result<Self> {
        Self::of(Source::Parts(read), len)
    }

    fn of(source: Source<'a>, len: u64) -> Result<Self> {
        let short = || Error::damaged("index", 0, "its directory is short");
        if len < HEADER_BYTES as u64 {
            return Err(short());
        }
        let header = source.read(0..HEADER_BYTES as u64)?;
        let mut reader = Reader::new(&header, "index");
        if reader.array()? != MAGIC {
            return Err(Error::damaged("index", 0, "it does not begin as one"));
        }
        let version = reader.u16()?;
        reader.u16()?;
        let range_number = reader.u32()?;
        let (symbol_count, month_count) = (reader.u32()? as usize, reader.u32()? as usize);
        let symbol_end = symbol_count.saturating_mul(SYMBOL_BYTES).saturating_add(HEADER_BYTES);
        let month_end = month_count.saturating_mul(MONTH_BYTES).saturating_add(symbol_end);
        let bitmaps = (month_end as u64).saturating_add(8);
        if bitmaps > len {
            return Err(short());
        }
        let mut directory = source.read(0..bitmaps)?;
        let checksum = directory.split_off(month_end.min(directory.len()));
        if xxh3_64(&directory) != Reader::new(&checksum, "index").u64()? {
            return Err(Error::damaged("index", month_end as u64, "the checksum of its directory is wrong"));
        }
        if version != VERSION {
            return Err(Error::NotAStore(format!(
                "the graph has indexes of format {version}, and this program reads format {VERSION}; use the program that wrote it"
            )));
        }
        let index = Self {
            range_number,
            symbols: HEADER_BYTES..symbol_end,
            months: symbol_end..month_end,
            bitmaps,
            directory,
            source,
            len,
        };
        index.check()?;
        Ok(index)
    }

    fn check(&self) -> Result<()> {
        let wrong = |what| Error::damaged("index", HEADER_BYTES as u64, what);
        if self.range_number > u32::from(u16::MAX) {
            return Err(wrong("its range does not exist"));
        }
        let mut expected = 0_u64;
        let mut last = None;
        for entry in self.symbol_entries() {
            let entry = SymbolEntry::read(entry)?;
            if last.is_some_and(|last| last >= entry.key) || u64::from(entry.place) != expected {
                return Err(wrong("its symbols are out of order"));
            }
            last = Some(entry.key);
            expected += entry.bytes.iter().map(|&bytes| u64::from(bytes)).sum::<u64>();
        }
        let mut last = None;
        for entry in self.month_entries() {
            let (month, place, bytes) = read_month(entry)?;
            if last.is_some_and(|last| last >= month) || u64::from(place) != expected {
                return Err(wrong("its months are out of order"));
            }
            last = Some(month);
            expected += u64::from(bytes);
        }
        if self.bitmaps.checked_add(expected) != Some(self.len) {
            return Err(wrong("its bitmaps are not as long as it says"));
        }
        Ok(())
    }

    fn symbol_entries(&self) -> &[[u8; SYMBOL_BYTES]] {
        self.directory.get(self.symbols.clone()).unwrap_or_default().as_chunks().0
    }

    fn month_entries(&self) -> &[[u8; MONTH_BYTES]] {
        self.directory.get(self.months.clone()).unwrap_or_default().as_chunks().0
    }

    /// The range it is of.
    pub fn range_number(&self) -> u32 {
        self.range_number
    }

    /// The customers, by their ordinals, who have `symbol` in `attr` at least
    /// once, twice and three times.
    ///
    /// # Errors
    /// [`Error::Damaged`] where a bitmap is not one of this range's customers.
    pub fn at_least(&self, attr: AttrId, symbol: u32) -> Result<Levels> {
        let Some(entry) = self.symbol(attr, symbol)? else { return Ok(Levels::default()) };
        let one = self.level(&entry, 0)?;
        let two = if entry.shared & SECOND_IS_FIRST == 0 { self.level(&entry, 1)? } else { one.clone() };
        let three = if entry.shared & THIRD_IS_SECOND == 0 { self.level(&entry, 2)? } else { two.clone() };
        Ok(Levels([one, two, three]))
    }

    /// One of the three of [`IndexReader::at_least`]: `level` is 0 for at least once.
    ///
    /// # Errors
    /// As [`IndexReader::at_least`].
    pub fn at_least_level(&self, attr: AttrId, symbol: u32, level: usize) -> Result<RoaringBitmap> {
        let Some(entry) = self.symbol(attr, symbol)? else { return Ok(RoaringBitmap::new()) };
        let mut level = level.min(2);
        if level == 2 && entry.shared & THIRD_IS_SECOND != 0 {
            level = 1;
        }
        if level == 1 && entry.shared & SECOND_IS_FIRST != 0 {
            level = 0;
        }
        self.level(&entry, level)
    }

    fn symbol(&self, attr: AttrId, symbol: u32) -> Result<Option<SymbolEntry>> {
        let entries = self.symbol_entries();
        let key = |entry| SymbolEntry::read(entry).map_or((AttrId(u16::MAX), u32::MAX), |entry| entry.key);
        let found = entries.binary_search_by_key(&(attr, symbol), key).ok();
        found.and_then(|place| entries.get(place)).map(SymbolEntry::read).transpose()
    }

    fn level(&self, entry: &SymbolEntry, level: usize) -> Result<RoaringBitmap> {
        let before: u64 = entry.bytes.iter().take(level).map(|&bytes| u64::from(bytes)).sum();
        let bytes = entry.bytes.get(level).copied().unwrap_or(0);
        self.bitmap(u64::from(entry.place) + before, bytes)
    }

    /// The customers with an interaction in that month ([`month_of`]).
    ///
    /// # Errors
    /// [`Error::Damaged`] where the bitmap is not one of this range's customers.
    pub fn month(&self, month: i32) -> Result<RoaringBitmap> {
        let entries = self.month_entries();
        let found = entries
            .binary_search_by_key(&month, |entry| read_month(entry).map_or(i32::MAX, |(month, _, _)| month))
            .ok()
            .and_then(|place| entries.get(place));
        match found {
            Some(entry) => {
                let (_, place, bytes) = read_month(entry)?;
                self.bitmap(u64::from(place), bytes)
            }
            None => Ok(RoaringBitmap::new()),
        }
    }

    /// From the first month with an interaction to the one after the last.
    pub fn months(&self) -> Range<i32> {
        let month = |entry| read_month(entry).ok().map(|(month, _, _)| month);
        let entries = self.month_entries();
        match (entries.first().and_then(month), entries.last().and_then(month)) {
            (Some(first), Some(last)) => first..last.saturating_add(1),
            _ => 0..0,
        }
    }

    fn bitmap(&self, place: u64, len: u32) -> Result<RoaringBitmap> {
        if len == 0 {
            return Ok(RoaringBitmap::new());
        }
        let start = self.bitmaps.saturating_add(place);
        let damaged = |what: String| Error::damaged("index", start, what);
        let bytes = self.source.read(start..start.saturating_add(u64::from(len)))?;
        let mut bytes = bytes.as_slice();
        let bitmap = RoaringBitmap::deserialize_from(&mut bytes)
            .map_err(|error| damaged(format!("a bitmap cannot be read: {error}")))?;
        let in_range = |customer: u32| customer / RANGE_CUSTOMERS == self.range_number;
        let sound =
            bytes.is_empty() && bitmap.min().is_some_and(in_range) && bitmap.max().is_some_and(in_range);
        if sound { Ok(bitmap) } else { Err(damaged("a bitmap is not of this range's customers".to_owned())) }
    }
}
