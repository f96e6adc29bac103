//! An index while it is counted.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use xxhash_rust::xxh3::xxh3_64;

use super::{HEADER_BYTES, MAGIC, SECOND_IS_FIRST, THIRD_IS_SECOND, VERSION, month_of};
use crate::block::Block;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::limits::RANGE_CUSTOMERS;
use crate::model::CustomerOrdinal;
use crate::schema::AttrId;

/// Counts the occurrences in the blocks of one range of customers.
pub struct IndexBuilder {
    range_number: u32,
    /// Whose blocks were added, as bits.
    seen: Vec<u64>,
    symbols: BTreeMap<(AttrId, u32), [Members; 3]>,
    months: BTreeMap<i32, Members>,
}

/// From here on it is quicker to set bits than to insert customers.
const DENSE_MEMBERS: usize = 1_024;

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

    /// Adds what another builder of the same range has counted, of other customers.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it counted one that this has too, or is of another range.
    pub fn append(&mut self, other: Self) -> Result<()> {
        if other.range_number != self.range_number {
            return Err(Error::invalid("a block to be indexed has customers of another range"));
        }
        for (word, others) in self.seen.iter_mut().zip(&other.seen) {
            if *word & others != 0 {
                return Err(Error::invalid("a customer was added to an index twice"));
            }
            *word |= others;
        }
        for (symbol, levels) in other.symbols {
            let all = self.symbols.entry(symbol).or_default();
            all.iter_mut().zip(levels).for_each(|(all, mut level)| all.append(&mut level));
        }
        for (month, mut members) in other.months {
            self.months.entry(month).or_default().append(&mut members);
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
        // What a symbol came to for the customer at hand: below, how often (at most
        // three times); above, which customer, so that no count is ever cleared.
        let mut counts = vec![0_u32; dictionary.len()];
        let mut levels: [Vec<Members>; 3] = Default::default();
        levels.iter_mut().for_each(|level| level.resize_with(dictionary.len(), Members::new));
        for (stamp, ((&start, &end), &member)) in
            (1_u32..).zip(offsets.iter().zip(offsets.iter().skip(1)).zip(members))
        {
            for &code in codes.get(start as usize..end as usize).unwrap_or_default() {
                let Some(entry) = code.checked_sub(1) else { continue };
                let Some(held) = counts.get_mut(entry as usize) else {
                    return Err(Error::invalid("a column has a code without an entry in its dictionary"));
                };
                let count = if *held >> 2 == stamp { *held & 3 } else { 0 };
                let level = levels.get_mut(count as usize).and_then(|level| level.get_mut(entry as usize));
                if let Some(level) = level {
                    level.push(member);
                    *held = stamp << 2 | (count + 1);
                }
            }
        }
        let [first, second, third] = levels;
        for (((&symbol, first), second), third) in dictionary.iter().zip(first).zip(second).zip(third) {
            if first.is_empty() {
                continue;
            }
            let all = self.symbols.entry((attr, symbol)).or_default();
            for (all, mut level) in all.iter_mut().zip([first, second, third]) {
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
    let mut bitmap = RoaringBitmap::new();
    if members.len() > DENSE_MEMBERS {
        let mut bits = vec![0_u8; RANGE_CUSTOMERS as usize / 8];
        for member in members {
            if let Some(byte) = bits.get_mut(usize::from(member / 8)) {
                *byte |= 1 << (member % 8);
            }
        }
        bitmap = RoaringBitmap::from_lsb0_bytes(base, &bits);
    } else {
        // Blocks may come in any order.
        if !members.is_sorted() {
            members.sort_unstable();
        }
        bitmap.extend(members.into_iter().map(|member| base + u32::from(member)));
    }
    bitmap.optimize();
    let start = out.len();
    bitmap
        .serialize_into(&mut *out)
        .map_err(|error| Error::invalid(format!("a bitmap cannot be written to memory: {error}")))?;
    length(out.get(start..).unwrap_or_default())
}
