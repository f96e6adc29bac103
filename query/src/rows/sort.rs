//! Orders of rows, and the rows that come first in one.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::sync::Arc;

use hashbrown::HashTable;

use super::accumulate::BatchRow;
use super::cell::order;
use super::env::Env;
use super::expr::Typed;
use super::{Cell, RowBatch};

/// `ORDER BY`, and the `LIMIT` right behind it.
#[derive(Clone, Debug)]
pub(super) struct Sort {
    /// Expression and whether it descends.
    pub(super) keys: Vec<(Typed, bool)>,
    pub(super) limit: Option<usize>,
}

/// Texts of symbols, names of customers and identities that were looked up once. The
/// table holds places in `texts`, by the cell they are the text of.
#[derive(Default)]
pub(super) struct Texts {
    table: RefCell<HashTable<(Cell, Cell)>>,
}

impl Texts {
    /// The cell with its text in place of a symbol, a customer or an identity.
    pub(super) fn resolve(&self, cell: &Cell, env: &Env) -> Cell {
        let hash = match cell {
            Cell::Symbol(..) | Cell::Customer(_) | Cell::Identity(_) => number(cell),
            Cell::List(items) => {
                return Cell::List(items.iter().map(|item| self.resolve(item, env)).collect::<Arc<[Cell]>>());
            }
            other => return other.clone(),
        };
        let mix = |number: u64| {
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let mut table = self.table.borrow_mut();
        if let Some((_, text)) = table.find(mix(hash), |(known, _)| known == cell) {
            return text.clone();
        }
        let text = cell.as_text(env).map_or(Cell::Null, Cell::Str);
        table.insert_unique(mix(hash), (cell.clone(), text.clone()), |(known, _)| mix(number(known)));
        text
    }

    /// [`order`] by the texts.
    pub(super) fn order(&self, a: &Cell, b: &Cell, env: &Env) -> Ordering {
        let number_or_list = |cell: &Cell| {
            matches!(cell, Cell::Symbol(..) | Cell::Customer(_) | Cell::Identity(_) | Cell::List(_))
        };
        match (number_or_list(a), number_or_list(b)) {
            _ if a == b => Ordering::Equal,
            (false, false) => order(a, b, env),
            _ => order(&self.resolve(a, env), &self.resolve(b, env), env),
        }
    }
}

/// A number for each cell that stands for a text; attributes have 16 bits.
fn number(cell: &Cell) -> u64 {
    match cell {
        Cell::Symbol(attr, symbol) => u64::from(attr.0) << 32 | u64::from(*symbol),
        Cell::Customer(customer) => 1 << 48 | u64::from(*customer),
        Cell::Identity(identity) => 2 << 48 | u64::from(identity.0),
        _ => 0,
    }
}

impl Sort {
    /// The rows in order, as many as the limit allows. Rows that are equal in
    /// all columns stay in the order they came in.
    pub(super) fn apply(&self, batch: &RowBatch, env: &Env) -> RowBatch {
        let texts = Texts::default();
        let keys: Vec<(Vec<Cell>, bool)> = self
            .keys
            .iter()
            .map(|(key, descending)| {
                let cell = |row| key.eval(&BatchRow { columns: &batch.columns, row }, env);
                ((0..batch.len).map(|row| texts.resolve(&cell(row), env)).collect(), *descending)
            })
            .collect();
        let cell = |column: &[Cell], row: u32| column.get(row as usize).cloned().unwrap_or(Cell::Null);
        let compare = |&a: &u32, &b: &u32| {
            for (key, descending) in &keys {
                let (Some(x), Some(y)) = (key.get(a as usize), key.get(b as usize)) else { continue };
                let found = match order(x, y, env) {
                    // NULLs stay last in both directions.
                    found if *descending && !x.is_null() && !y.is_null() => found.reverse(),
                    found => found,
                };
                if found.is_ne() {
                    return found;
                }
            }
            for column in &batch.columns {
                let found = texts.order(&cell(column, a), &cell(column, b), env);
                if found.is_ne() {
                    return found;
                }
            }
            a.cmp(&b)
        };
        let mut places: Vec<u32> = (0..batch.len as u32).collect();
        if let Some(limit) = self.limit.filter(|limit| *limit < places.len()) {
            if limit > 0 {
                places.select_nth_unstable_by(limit - 1, compare);
            }
            places.truncate(limit);
        }
        places.sort_unstable_by(compare);
        batch.gather(&places)
    }
}
