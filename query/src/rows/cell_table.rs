//! Distinct tuples of cells, numbered in order of first appearance.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use hashbrown::HashTable;

use super::Cell;

/// Numbers distinct tuples of [canonical](Cell::canonical) cells from 0.
#[derive(Debug)]
pub(crate) struct CellTable {
    width: usize,
    len: usize,
    cells: Vec<Cell>,
    table: HashTable<u32>,
}

impl CellTable {
    /// An empty table of tuples of `width` cells.
    pub(crate) fn new(width: usize) -> Self {
        Self { width, len: 0, cells: Vec::new(), table: HashTable::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The number of a tuple, and whether it is new.
    pub(crate) fn intern(&mut self, tuple: &[Cell]) -> (u32, bool) {
        let Self { width, len, cells, table } = self;
        let at = |number: u32| {
            let start = number as usize * *width;
            cells.get(start..start + *width).unwrap_or_default()
        };
        let hash = hash(tuple);
        if let Some(&number) = table.find(hash, |&number| at(number) == tuple) {
            return (number, false);
        }
        let number = *len as u32;
        table.insert_unique(hash, number, |&number| self::hash(at(number)));
        cells.extend(tuple.iter().cloned());
        *len += 1;
        (number, true)
    }

    /// The tuple of that number.
    pub(crate) fn get(&self, number: usize) -> &[Cell] {
        self.cells.get(number * self.width..(number + 1) * self.width).unwrap_or_default()
    }

    /// Bytes that one more tuple takes, about.
    pub(crate) fn tuple_bytes(tuple: &[Cell]) -> u64 {
        5 + tuple.iter().map(cell_bytes).sum::<u64>()
    }
}

/// Bytes of a cell with what it points to, about.
pub(super) fn cell_bytes(cell: &Cell) -> u64 {
    let size = size_of::<Cell>() as u64;
    match cell {
        Cell::Str(text) => size + 16 + text.len() as u64,
        Cell::List(items) => size + 16 + items.iter().map(cell_bytes).sum::<u64>(),
        _ => size,
    }
}

fn hash(tuple: &[Cell]) -> u64 {
    let mut hasher = Folding(0);
    for cell in tuple {
        cell.hash(&mut hasher);
    }
    hasher.finish()
}

/// Multiplies and folds the product of 128 bits: well mixed in all bits.
fn mixed(word: u64) -> u64 {
    let product = u128::from(word ^ 0x2d35_8dcc_aa6c_78a5) * u128::from(0x8bb8_4b93_962e_acc9_u64);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Hashes small keys: nobody can choose the numbers of symbols and customers.
pub(crate) type BuildFolding = BuildHasherDefault<Folding>;

/// Folds one word after another.
#[derive(Debug, Default)]
pub(crate) struct Folding(u64);

impl Hasher for Folding {
    fn write_u16(&mut self, word: u16) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mixed(self.0 ^ word);
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.write_u64(u64::from_le_bytes(word));
        }
        self.write_u64(bytes.len() as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_order() {
        let mut table = CellTable::new(2);
        let check = |table: &mut CellTable, a: Cell, b: Cell, expected: (u32, bool)| {
            assert_eq!(table.intern(&[a, b]), expected);
        };
        check(&mut table, Cell::Int(1), Cell::text("x"), (0, true));
        check(&mut table, Cell::Int(1), Cell::text("y"), (1, true));
        check(&mut table, Cell::Int(1), Cell::text("x"), (0, false));
        check(&mut table, Cell::Null, Cell::Null, (2, true));
        check(&mut table, Cell::Null, Cell::Null, (2, false));
        for i in 0..1000 {
            check(&mut table, Cell::Int(i), Cell::Bool(true), (3 + i as u32, true));
        }
        assert_eq!(table.get(1), [Cell::Int(1), Cell::text("y")]);
        let mut whole = CellTable::new(0);
        assert_eq!((whole.intern(&[]), whole.intern(&[])), ((0, true), (0, false)));
    }
}
