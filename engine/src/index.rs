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

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;
use xxhash_rust::xxh3::xxh3_64;

use crate::block::Block;
use crate::column::Column;
use crate::columns::Reader;
use crate::error::{Error, Result};
use crate::limits::RANGE_CUSTOMERS;
use crate::model::{CustomerOrdinal, Millis};
use crate::schema::AttrId;

const MAGIC: [u8; 4] = *b"TLIX";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 20;
const SYMBOL_BYTES: usize = 24;
const MONTH_BYTES: usize = 12;
const SECOND_IS_FIRST: u16 = 1;
const THIRD_IS_SECOND: u16 = 2;

/// The UTC month that `ms` milliseconds since 1970 lie in: year * 12 + month - 1.
/// Years beyond an `i32` of months are taken for the nearest month that is not.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`, <https://howardhinnant.github.io/date_algorithms.html>.
pub fn month_of(ms: Millis) -> i32 {
    // Days since 0000-03-01; a year begins in March, so that a leap day ends it.
    let days = ms.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let months = (era * 400 + year_of_era) * 12 + month_from_march + 2;
    // One below the largest, so that a range past it can be named.
    months.clamp(i64::from(i32::MIN), i64::from(i32::MAX) - 1) as i32
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

/// Counts the occurrences in the blocks of one range of customers.
pub struct IndexBuilder {
    range_number: u32,
    /// Whose blocks were added, as bits.
    seen: Vec<u64>,
    symbols: BTreeMap<(AttrId, u32), [Members; 3]>,
    months: BTreeMap<i32, Members>,
}

/// Customers, as their places in the range; ascending inside a block.
type Members = Vec<u16>;

impl IndexBuilder {
    /// A builder for the customers from `range_number * RANGE_CUSTOMERS` on.
    pub fn new(range_number: u32) -> Self {
        Self {
            range_number,
            seen: vec![0; RANGE_CUSTOMERS as usize / 64],
            symbols: BTreeMap::new(),
            months: BTreeMap::new(),
        }
    }

    /// Counts a block's interactions. All interactions of a customer that this
    /// index is to count must lie in one block.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a customer of another range or one already added,
    /// and for codes without an entry.
    pub fn add(&mut self, block: &Block) -> Result<()> {
        let members = self.members(&block.customers)?;
        self.add_months(block, &members);
        for (attr, column) in &block.columns {
            if let Column::Symbol { codes, dictionary } = column {
                self.add_symbols(*attr, codes, dictionary, &block.offsets, &members)?;
            }
        }
        Ok(())
    }

    fn members(&mut self, customers: &[CustomerOrdinal]) -> Result<Members> {
        let mut members = Vec::with_capacity(customers.len());
        for &customer in customers {
            if customer / RANGE_CUSTOMERS != self.range_number {
                return Err(Error::invalid("a block to be indexed has customers of another range"));
            }
            let member = (customer % RANGE_CUSTOMERS) as u16;
            let bit = 1_u64 << (member % 64);
            match self.seen.get_mut(usize::from(member / 64)) {
                Some(word) if *word & bit == 0 => *word |= bit,
                _ => return Err(Error::invalid("a customer was added to an index twice")),
            }
            members.push(member);
        }
        Ok(members)
    }

    fn add_months(&mut self, block: &Block, members: &[u16]) {
        for (place, &member) in members.iter().enumerate() {
            let mut last = None;
            for &time in block.times.get(block.journey(place)).unwrap_or_default() {
                let month = month_of(time);
                if last != Some(month) {
                    last = Some(month);
                    self.months.entry(month).or_default().push(member);
                }
            }
        }
    }

    fn add_symbols(
        &mut self,
        attr: AttrId,
        codes: &[u32],
        dictionary: &[u32],
        offsets: &[u32],
        members: &[u16],
    ) -> Result<()> {
        // A counter a code. A stamp tells whose count it holds, so that none is ever cleared.
        struct Counter {
            stamp: u32,
            count: usize,
            levels: [Members; 3],
        }
        let mut counters: Vec<Counter> = (0..dictionary.len())
            .map(|_| Counter { stamp: 0, count: 0, levels: Default::default() })
            .collect();
        for (stamp, ((&start, &end), &member)) in
            (1..).zip(offsets.iter().zip(offsets.iter().skip(1)).zip(members))
        {
            for &code in codes.get(start as usize..end as usize).unwrap_or_default() {
                let Some(entry) = code.checked_sub(1) else { continue };
                let Some(counter) = counters.get_mut(entry as usize) else {
                    return Err(Error::invalid("a column has a code without an entry in its dictionary"));
                };
                if counter.stamp != stamp {
                    counter.stamp = stamp;
                    counter.count = 0;
                }
                if let Some(level) = counter.levels.get_mut(counter.count) {
                    level.push(member);
                    counter.count += 1;
                }
            }
        }
        for (&symbol, counter) in dictionary.iter().zip(counters) {
            if counter.levels.iter().all(Vec::is_empty) {
                continue;
            }
            let all = self.symbols.entry((attr, symbol)).or_default();
            for (all, mut level) in all.iter_mut().zip(counter.levels) {
                if all.is_empty() {
                    *all = level;
                } else {
                    all.append(&mut level);
                }
            }
        }
        Ok(())
    }

    /// The index as bytes.
    ///
    /// # Errors
    /// [`Error::Limit`] where it comes to more than 4 GB.
    pub fn finish(self) -> Result<Vec<u8>> {
        let base = self.range_number.saturating_mul(RANGE_CUSTOMERS);
        let mut directory = Vec::new();
        let mut bitmaps = Vec::new();
        let (symbols, months) = (self.symbols.len() as u32, self.months.len() as u32);
        for ((attr, symbol), levels) in self.symbols {
            let [first, second, third] = &levels;
            // A level lies within the one below, so equal lengths are equal sets.
            let shared = [
                (second.len() == first.len(), SECOND_IS_FIRST),
                (third.len() == second.len(), THIRD_IS_SECOND),
            ];
            let shared = shared.into_iter().filter(|(is, _)| *is).fold(0, |bits, (_, bit)| bits | bit);
            directory.extend(attr.0.to_le_bytes());
            directory.extend(shared.to_le_bytes());
            directory.extend(symbol.to_le_bytes());
            directory.extend(length(&bitmaps)?.to_le_bytes());
            for (level, is_shared) in
                levels.into_iter().zip([false, shared & SECOND_IS_FIRST > 0, shared & THIRD_IS_SECOND > 0])
            {
                let bytes = if is_shared { 0 } else { put_bitmap(base, level, &mut bitmaps)? };
                directory.extend(bytes.to_le_bytes());
            }
        }
        for (month, members) in self.months {
            directory.extend(month.to_le_bytes());
            directory.extend(length(&bitmaps)?.to_le_bytes());
            directory.extend(put_bitmap(base, members, &mut bitmaps)?.to_le_bytes());
        }
        length(&bitmaps)?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + directory.len() + 8 + bitmaps.len());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([0; 2]);
        for number in [self.range_number, symbols, months] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(directory);
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        bytes.extend(bitmaps);
        Ok(bytes)
    }
}

fn length(bytes: &[u8]) -> Result<u32> {
    u32::try_from(bytes.len()).map_err(|_| Error::Limit {
        what: "bytes in the index of one range",
        value: bytes.len() as u64,
        limit: u64::from(u32::MAX),
    })
}

/// Appends the bitmap of `members` and answers its length in bytes.
fn put_bitmap(base: u32, mut members: Members, out: &mut Vec<u8>) -> Result<u32> {
    if members.is_empty() {
        return Ok(0);
    }
    // Blocks may come in any order.
    if !members.is_sorted() {
        members.sort_unstable();
    }
    let mut bitmap = RoaringBitmap::new();
    bitmap.extend(members.into_iter().map(|member| base + u32::from(member)));
    bitmap.optimize();
    let start = out.len();
    bitmap
        .serialize_into(&mut *out)
        .map_err(|error| Error::invalid(format!("a bitmap cannot be written to memory: {error}")))?;
    length(out.get(start..).unwrap_or_default())
}

/// An index, read where it lies.
#[derive(Clone)]
pub struct IndexReader {
    bytes: Arc<[u8]>,
    range_number: u32,
    symbols: Range<usize>,
    months: Range<usize>,
    bitmaps: usize,
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

impl IndexReader {
    /// Reads what [`IndexBuilder::finish`] wrote, and checks its directory.
    ///
    /// # Errors
    /// [`Error::Damaged`] where the bytes are not that, [`Error::NotAStore`] for
    /// a later format.
    pub fn open(bytes: Arc<[u8]>) -> Result<Self> {
        let mut reader = Reader::new(&bytes, "index");
        if reader.array()? != MAGIC {
            return Err(Error::damaged("index", 0, "it does not begin as one"));
        }
        let version = reader.u16()?;
        reader.u16()?;
        let range_number = reader.u32()?;
        let (symbol_count, month_count) = (reader.u32()? as usize, reader.u32()? as usize);
        let symbol_end = symbol_count.saturating_mul(SYMBOL_BYTES).saturating_add(HEADER_BYTES);
        let month_end = month_count.saturating_mul(MONTH_BYTES).saturating_add(symbol_end);
        let directory = bytes.get(..month_end).ok_or_else(|| reader.damaged("its directory is short"))?;
        reader.take(month_end - HEADER_BYTES)?;
        if xxh3_64(directory) != reader.u64()? {
            return Err(reader.damaged("the checksum of its directory is wrong"));
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
            bitmaps: month_end + 8,
            bytes: Arc::clone(&bytes),
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
        if (self.bitmaps as u64).checked_add(expected) != Some(self.bytes.len() as u64) {
            return Err(wrong("its bitmaps are not as long as it says"));
        }
        Ok(())
    }

    fn symbol_entries(&self) -> &[[u8; SYMBOL_BYTES]] {
        self.bytes.get(self.symbols.clone()).unwrap_or_default().as_chunks().0
    }

    fn month_entries(&self) -> &[[u8; MONTH_BYTES]] {
        self.bytes.get(self.months.clone()).unwrap_or_default().as_chunks().0
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
        let entries = self.symbol_entries();
        let key = |entry| SymbolEntry::read(entry).map_or((AttrId(u16::MAX), u32::MAX), |entry| entry.key);
        let Ok(place) = entries.binary_search_by_key(&(attr, symbol), key) else {
            return Ok(Levels::default());
        };
        let Some(entry) = entries.get(place) else { return Ok(Levels::default()) };
        let SymbolEntry { shared, place, bytes: [first, second, third], .. } = SymbolEntry::read(entry)?;
        let at = u64::from(place);
        let one = self.bitmap(at, first)?;
        let two = match shared & SECOND_IS_FIRST {
            0 => self.bitmap(at + u64::from(first), second)?,
            _ => one.clone(),
        };
        let three = match shared & THIRD_IS_SECOND {
            0 => self.bitmap(at + u64::from(first) + u64::from(second), third)?,
            _ => two.clone(),
        };
        Ok(Levels([one, two, three]))
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
        let damaged = |what: String| Error::damaged("index", self.bitmaps as u64 + place, what);
        let mut bytes = usize::try_from(place)
            .ok()
            .and_then(|place| self.bitmaps.checked_add(place))
            .and_then(|start| self.bytes.get(start..start.checked_add(len as usize)?))
            .ok_or_else(|| damaged("a bitmap lies past the end".to_owned()))?;
        let bitmap = RoaringBitmap::deserialize_from(&mut bytes)
            .map_err(|error| damaged(format!("a bitmap cannot be read: {error}")))?;
        let in_range = |customer: u32| customer / RANGE_CUSTOMERS == self.range_number;
        let sound =
            bytes.is_empty() && bitmap.min().is_some_and(in_range) && bitmap.max().is_some_and(in_range);
        if sound { Ok(bitmap) } else { Err(damaged("a bitmap is not of this range's customers".to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ATTR: AttrId = AttrId(3);

    /// Journeys of one symbol attribute: customer, then time and symbol.
    type Journeys = Vec<(u32, Vec<(i64, Option<u32>)>)>;

    fn block(journeys: &Journeys) -> Block {
        let mut block = Block { offsets: vec![0], ..Block::default() };
        let mut dictionary: Vec<u32> = journeys
            .iter()
            .flat_map(|(_, journey)| journey.iter().filter_map(|(_, symbol)| *symbol))
            .collect();
        dictionary.sort_unstable_by_key(|symbol| std::cmp::Reverse(*symbol));
        dictionary.dedup();
        let mut codes = Vec::new();
        for (customer, journey) in journeys {
            block.customers.push(*customer);
            for (time, symbol) in journey {
                block.times.push(*time);
                let place = symbol.and_then(|symbol| dictionary.iter().position(|&other| other == symbol));
                codes.push(place.map_or(0, |place| place as u32 + 1));
            }
            block.offsets.push(block.times.len() as u32);
        }
        block.columns = vec![
            (ATTR, Column::Symbol { codes, dictionary }),
            (AttrId(7), Column::Int { values: vec![1; block.rows()], valid: None }),
        ];
        block
    }

    fn index(range: u32, blocks: &[Block]) -> Vec<u8> {
        let mut builder = IndexBuilder::new(range);
        blocks.iter().for_each(|block| builder.add(block).expect("adds"));
        builder.finish().expect("finishes")
    }

    fn open(bytes: Vec<u8>) -> IndexReader {
        IndexReader::open(bytes.into()).expect("opens")
    }

    fn naive(journeys: &Journeys, symbol: u32, times: usize) -> RoaringBitmap {
        let has = |journey: &[(i64, Option<u32>)]| {
            journey.iter().filter(|(_, s)| *s == Some(symbol)).count() >= times
        };
        journeys.iter().filter(|(_, journey)| has(journey)).map(|(customer, _)| *customer).collect()
    }

    fn check_levels(levels: &Levels, journeys: &Journeys, symbol: u32) {
        for (level, times) in levels.0.iter().zip(1..) {
            assert_eq!(level, &naive(journeys, symbol, times), "symbol {symbol}, {times} times");
        }
    }

    fn journeys(range: u32) -> impl Strategy<Value = Journeys> {
        let step = (0..40_i64, proptest::option::of(0..5_u32));
        let day = 86_400_000;
        proptest::collection::btree_map(0..RANGE_CUSTOMERS, proptest::collection::vec(step, 1..12), 0..30)
            .prop_map(move |journeys| {
                let mut time = 0;
                let mut timed = |(days, symbol): (i64, Option<u32>)| {
                    time += days * day;
                    (time, symbol.map(|symbol| symbol * 1_000))
                };
                journeys
                    .into_iter()
                    .map(|(member, steps)| {
                        (range * RANGE_CUSTOMERS + member, steps.into_iter().map(&mut timed).collect())
                    })
                    .collect()
            })
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        let day = 86_400_000;
        for (ms, year, month) in [
            (0, 1970, 1),
            (-1, 1969, 12),
            (31 * day - 1, 1970, 1),
            (31 * day, 1970, 2),
            (951_782_400_000, 2000, 2), // 2000-02-29
            (951_868_800_000, 2000, 3),
            (-2_208_988_800_000, 1900, 1),
            (-2_203_891_200_000, 1900, 3), // 1900 had no leap day
            (1_704_067_199_999, 2023, 12),
            (1_704_067_200_000, 2024, 1),
        ] {
            assert_eq!(month_of(ms), year * 12 + month - 1, "{ms} ms");
        }
        let mut days = 0;
        for (place, length) in
            [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].repeat(2).into_iter().enumerate()
        {
            assert_eq!(month_of(days * day), 1970 * 12 + place as i32);
            days += length;
        }
        assert_eq!((month_of(i64::MIN), month_of(i64::MAX)), (i32::MIN, i32::MAX - 1));
    }

    #[test]
    fn customers_are_taken_once_and_from_one_range() {
        let one = block(&vec![(65_536, vec![(0, None)])]);
        let mut builder = IndexBuilder::new(1);
        assert!(builder.add(&one).is_ok());
        assert!(builder.add(&one).is_err());
        assert!(IndexBuilder::new(0).add(&one).is_err());
    }

    #[test]
    fn an_empty_index_and_the_last_range() {
        let reader = open(index(0, &[]));
        assert_eq!((reader.months(), reader.at_least(ATTR, 1).expect("reads")), (0..0, Levels::default()));
        let last: Journeys = vec![(u32::MAX, vec![(0, Some(5)), (1, Some(5))])];
        let reader = open(index(65_535, &[block(&last)]));
        check_levels(&reader.at_least(ATTR, 5).expect("reads"), &last, 5);
        assert!(reader.month(1970 * 12).expect("reads").contains(u32::MAX));
    }

    proptest! {
        #[test]
        fn levels_are_counts(journeys in journeys(2), cut in any::<prop::sample::Index>()) {
            let cut = if journeys.is_empty() { 0 } else { cut.index(journeys.len()) };
            let (one, two) = journeys.split_at(cut);
            // The later customers first: blocks may come in any order.
            let reader = open(index(2, &[block(&two.to_vec()), block(&one.to_vec())]));
            for symbol in [0, 1_000, 2_000, 3_000, 4_000, 77] {
                check_levels(&reader.at_least(ATTR, symbol).expect("reads"), &journeys, symbol);
                assert_eq!(reader.at_least(AttrId(2), symbol).expect("reads"), Levels::default());
            }
            let active = |month: i32| -> RoaringBitmap {
                let is_in = |journey: &[(i64, Option<u32>)]| journey.iter().any(|(time, _)| month_of(*time) == month);
                journeys.iter().filter(|(_, journey)| is_in(journey)).map(|(customer, _)| *customer).collect()
            };
            for month in reader.months() {
                assert_eq!(reader.month(month).expect("reads"), active(month));
            }
            let mut months: Vec<i32> =
                journeys.iter().flat_map(|(_, journey)| journey.iter().map(|(time, _)| month_of(*time))).collect();
            months.sort_unstable();
            let expected = months.first().zip(months.last()).map_or(0..0, |(first, last)| *first..last + 1);
            assert_eq!(reader.months(), expected);
        }

        #[test]
        fn levels_of_disjoint_sets_add(journeys in journeys(0), odd in any::<bool>()) {
            // The same customers, their interactions dealt out to two indexes.
            let deal = |odds: bool| -> Journeys {
                let keep = |journey: &[(i64, Option<u32>)]| {
                    journey.iter().enumerate().filter(|(place, _)| (place % 2 == 1) == odds).map(|(_, &step)| step).collect()
                };
                journeys.iter().map(|(customer, journey)| (*customer, keep(journey))).filter(|(_, journey): &(u32, Vec<_>)| !journey.is_empty()).collect()
            };
            let (one, two) = (open(index(0, &[block(&deal(odd))])), open(index(0, &[block(&deal(!odd))])));
            for symbol in [0, 1_000, 2_000, 3_000, 4_000] {
                let mut levels = one.at_least(ATTR, symbol).expect("reads");
                levels.add(&two.at_least(ATTR, symbol).expect("reads"));
                check_levels(&levels, &journeys, symbol);
            }
        }

        #[test]
        fn damage_is_an_error_or_sound_bitmaps(
            journeys in journeys(3),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..4),
            cut in proptest::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = index(3, &[block(&journeys)]);
            for (place, bit) in flips {
                let place = place.index(bytes.len());
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << bit;
                }
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(reader) = IndexReader::open(bytes.into()) {
                for symbol in [0, 1_000, 2_000, 3_000, 4_000] {
                    if let Ok(levels) = reader.at_least(ATTR, symbol) {
                        assert!(levels.0.iter().flatten().all(|customer| customer / RANGE_CUSTOMERS == 3));
                    }
                }
                for month in reader.months() {
                    let _ = reader.month(month);
                }
            }
        }
    }
}
