//! How often symbols occur together among the interactions of a run: what a
//! map of a whole store comes to, known without reading it.
//!
//! ```text
//! a pair:  attributes u16 u16 | cells u32 | bytes u32 | columns
//! columns  first symbol + 1, second symbol + 1, how often: ints, each after its length u32
//! ```
//! Pairs are ascending, and so are the cells of each. An attribute is paired
//! with itself, too. A pair of many cells is left out, and so is one that some
//! part of the run lacks.

use std::collections::BTreeMap;

use crate::block::Block;
use crate::column::Column;
use crate::columns::{self, Reader};
use crate::error::{Error, Result};
use crate::limits::{TALLIED_ATTRIBUTES_MAX, TALLY_CELLS_MAX};
use crate::schema::AttrId;

/// Two attributes, ascending.
pub(crate) type Pair = (AttrId, AttrId);
/// How often two symbols occur together: each is its number + 1, 0 for none.
pub(crate) type Tally = BTreeMap<(u32, u32), u64>;

/// The pairs that are counted, of all blocks so far.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    /// `None` before the first block.
    pairs: Option<BTreeMap<Pair, Tally>>,
}

impl Tallies {
    /// Counts the pairs of a block.
    pub(crate) fn of(block: &Block) -> Self {
        let symbols: Vec<(AttrId, &[u32], &[u32])> = block
            .columns
            .iter()
            .filter_map(|(attr, column)| match column {
                Column::Symbol { codes, dictionary } => Some((*attr, &codes[..], &dictionary[..])),
                _ => None,
            })
            .take(TALLIED_ATTRIBUTES_MAX)
            .collect();
        let mut pairs = BTreeMap::new();
        for (place, &(first, a, of_a)) in symbols.iter().enumerate() {
            for &(second, b, of_b) in symbols.iter().skip(place) {
                let wide = of_b.len() + 1;
                if (of_a.len() + 1).saturating_mul(wide) > TALLY_CELLS_MAX {
                    continue;
                }
                let mut counts = vec![0_u64; (of_a.len() + 1) * wide];
                for (&a, &b) in a.iter().zip(b) {
                    if let Some(count) = counts.get_mut(a as usize * wide + b as usize) {
                        *count += 1;
                    }
                }
                let symbol = |code: usize, dictionary: &[u32]| match code.checked_sub(1) {
                    Some(entry) => dictionary.get(entry).map_or(0, |&symbol| symbol.saturating_add(1)),
                    None => 0,
                };
                let cells = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
                let cells = cells
                    .map(|(cell, count)| ((symbol(cell / wide, of_a), symbol(cell % wide, of_b)), count));
                pairs.insert((first, second), cells.collect());
            }
        }
        Self { pairs: Some(pairs) }
    }

    /// Adds the counts of other interactions.
    pub(crate) fn append(&mut self, other: Self) {
        let Some(mut others) = other.pairs else { return };
        match &mut self.pairs {
            None => self.pairs = Some(others),
            Some(pairs) => pairs.retain(|pair, tally| {
                let Some(more) = others.remove(pair) else { return false };
                more.into_iter().for_each(|(cell, count)| *tally.entry(cell).or_default() += count);
                tally.len() <= TALLY_CELLS_MAX
            }),
        }
    }

    /// The pairs as bytes.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        self.pairs.as_ref().map_or_else(|| Ok(Vec::new()), encode)
    }
}

/// Pairs as bytes.
pub(crate) fn encode(pairs: &BTreeMap<Pair, Tally>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for ((first, second), tally) in pairs {
        let mut cells = Vec::new();
        let values: [Vec<i64>; 3] = [
            tally.keys().map(|cell| i64::from(cell.0)).collect(),
            tally.keys().map(|cell| i64::from(cell.1)).collect(),
            tally.values().map(|&count| count as i64).collect(),
        ];
        for values in values {
            let mut column = Vec::new();
            columns::encode(&Column::Int { values, valid: None }, &mut column)?;
            cells.extend((column.len() as u32).to_le_bytes());
            cells.extend(column);
        }
        out.extend(first.0.to_le_bytes());
        out.extend(second.0.to_le_bytes());
        out.extend((tally.len() as u32).to_le_bytes());
        out.extend((cells.len() as u32).to_le_bytes());
        out.extend(cells);
    }
    Ok(out)
}

/// Takes counts away; `false` where there are not so many.
pub(crate) fn subtract(tally: &mut Tally, less: &Tally) -> bool {
    for (cell, &count) in less {
        match tally.get_mut(cell) {
            Some(all) if *all > count => *all -= count,
            Some(all) if *all == count => {
                tally.remove(cell);
            }
            _ => return false,
        }
    }
    true
}

/// The pairs of [`encode`] and their bytes.
fn pairs<'a>(bytes: &'a [u8], what: &'a str) -> Result<Vec<(Pair, usize, &'a [u8])>> {
    let mut reader = Reader::new(bytes, what);
    let mut out = Vec::new();
    while reader.remaining() > 0 {
        let pair = (AttrId(reader.u16()?), AttrId(reader.u16()?));
        let (cells, len) = (reader.u32()? as usize, reader.u32()? as usize);
        if cells > TALLY_CELLS_MAX {
            return Err(reader.damaged(format!("a tally of {cells} cells")));
        }
        out.push((pair, cells, reader.take(len)?));
    }
    Ok(out)
}

/// One pair of what [`encode`] wrote; `None` where it was not counted.
///
/// # Errors
/// [`Error::Damaged`] where the bytes are not that.
pub(crate) fn find(bytes: &[u8], pair: Pair, what: &str) -> Result<Option<Tally>> {
    let found = pairs(bytes, what)?.into_iter().find(|found| found.0 == pair);
    found.map(|(_, cells, bytes)| decode(bytes, cells, what)).transpose()
}

fn decode(bytes: &[u8], cells: usize, what: &str) -> Result<Tally> {
    let mut reader = Reader::new(bytes, what);
    let mut column = || {
        let len = reader.u32()? as usize;
        match columns::decode(reader.take(len)?, cells, what)? {
            Column::Int { values, .. } => Ok(values),
            _ => Err(Error::damaged(what, 0, "a tally is not made of numbers")),
        }
    };
    let (first, second, counts) = (column()?, column()?, column()?);
    let symbol = |number: i64| {
        u32::try_from(number).map_err(|_| Error::damaged(what, 0, "a tally has no such symbol"))
    };
    let mut tally = Tally::new();
    for ((first, second), count) in first.into_iter().zip(second).zip(counts) {
        tally.insert((symbol(first)?, symbol(second)?), count.max(0) as u64);
    }
    Ok(tally)
}

/// Adds a pair of a block to a tally, however many cells it has; nothing where the block lacks a column.
pub(crate) fn count(block: &Block, (first, second): Pair, tally: &mut Tally) {
    let codes = |attr| match block.column(attr) {
        Some(Column::Symbol { codes, dictionary }) => Some((codes, dictionary)),
        _ => None,
    };
    let (a, b) = (codes(first), codes(second));
    let symbol = |column: Option<(&Vec<u32>, &Vec<u32>)>, row: usize| {
        let entry = column
            .and_then(|(codes, dictionary)| dictionary.get((*codes.get(row)? as usize).checked_sub(1)?));
        entry.map_or(0, |&symbol| symbol.saturating_add(1))
    };
    for row in 0..block.rows() {
        *tally.entry((symbol(a, row), symbol(b, row))).or_default() += 1;
    }
}

/// Every pair that was counted in what [`encode`] wrote.
///
/// # Errors
/// As [`find`].
pub(crate) fn all(bytes: &[u8], what: &str) -> Result<BTreeMap<Pair, Tally>> {
    let decoded = |(pair, cells, bytes)| decode(bytes, cells, what).map(|tally| (pair, tally));
    pairs(bytes, what)?.into_iter().map(decoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(columns: &[(u16, &[u32], &[u32])]) -> Block {
        let rows = columns.first().map_or(0, |column| column.1.len());
        let column = |&(attr, codes, dictionary): &(u16, &[u32], &[u32])| {
            (AttrId(attr), Column::Symbol { codes: codes.to_vec(), dictionary: dictionary.to_vec() })
        };
        Block {
            customers: vec![0],
            offsets: vec![0, rows as u32],
            times: vec![0; rows],
            columns: columns.iter().map(column).collect(),
        }
    }

    fn counted(tallies: &Tallies) -> BTreeMap<Pair, Tally> {
        all(&tallies.encode().expect("encodes"), "test").expect("decodes")
    }

    #[test]
    fn pairs_are_counted_by_symbol() {
        let one = block(&[(0, &[1, 2, 0, 1], &[7, 3]), (4, &[1, 1, 1, 0], &[9])]);
        let two = block(&[(0, &[1], &[3]), (4, &[1], &[9]), (5, &[1], &[0])]);
        let mut tallies = Tallies::of(&one);
        tallies.append(Tallies::of(&two));
        let found = counted(&tallies);
        let pair = (AttrId(0), AttrId(4));
        let expected: Tally = [((0, 10), 1), ((4, 10), 2), ((8, 0), 1), ((8, 10), 1)].into_iter().collect();
        assert_eq!(found.get(&pair), Some(&expected));
        // What only one block has is known of no one.
        let pairs: Vec<(u16, u16)> = found.keys().map(|pair| (pair.0.0, pair.1.0)).collect();
        assert_eq!(pairs, [(0, 0), (0, 4), (4, 4)]);
        let bytes = tallies.encode().expect("encodes");
        assert_eq!(find(&bytes, pair, "test").expect("decodes"), Some(expected.clone()));
        assert_eq!(find(&bytes, (AttrId(0), AttrId(5)), "test").expect("decodes"), None);
        let mut slow = Tally::new();
        [&one, &two].into_iter().for_each(|block| count(block, pair, &mut slow));
        assert_eq!(slow, expected);
        assert!(find(&bytes[..bytes.len() - 1], pair, "test").is_err());
    }

    #[test]
    fn a_pair_with_many_cells_is_left_out() {
        let dictionary: Vec<u32> = (0..100).collect();
        let codes: Vec<u32> = (0..1_000).map(|row| row % 101).collect();
        let found = counted(&Tallies::of(&block(&[(1, &codes, &dictionary), (2, &vec![0; 1_000], &[5])])));
        let pairs: Vec<(u16, u16)> = found.keys().map(|pair| (pair.0.0, pair.1.0)).collect();
        assert_eq!(pairs, [(1, 2), (2, 2)]);
        assert_eq!(found.values().map(|tally| tally.values().sum::<u64>()).collect::<Vec<_>>(), [1_000; 2]);
    }
}
