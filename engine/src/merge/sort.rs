//! Rows as they arrived, sorted into a block.

use std::cmp::Ordering;

use super::check_columns;
use super::gather::chain_columns;
use crate::block::Block;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::model::{CustomerOrdinal, Millis};
use crate::schema::AttrId;

/// Interactions in any order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Whose each is.
    pub customers: Vec<CustomerOrdinal>,
    /// The time of each.
    pub times: Vec<Millis>,
    /// The columns, in ascending order of attribute, a value a row in each.
    pub columns: Vec<(AttrId, Column)>,
}

impl Rows {
    /// How many interactions.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    fn check(&self) -> Result<()> {
        if self.customers.len() != self.times.len() {
            return Err(Error::invalid("rows need one customer for each time"));
        }
        if u32::try_from(self.len()).is_err() {
            return Err(Error::Limit {
                what: "interactions sorted at once",
                value: self.len() as u64,
                limit: u64::from(u32::MAX),
            });
        }
        check_columns(&self.columns, self.len())
    }
}

/// Sorts rows by customer, time, sequence (as unsigned), then as `tie` says of
/// two of the rows, then as they stood. Rows without a sequence column all have sequence 0.
///
/// # Errors
/// [`Error::Invalid`] where the columns have not one value a row,
/// [`Error::Limit`] for more than 2^32 - 1 rows; what `tie` answers.
pub fn sort_rows(rows: Rows, tie: &mut dyn FnMut(&Rows, usize, usize) -> Result<Ordering>) -> Result<Block> {
    rows.check()?;
    let mut order = by_customer(&rows.customers);
    let sequences = rows.columns.iter().find_map(|(attr, column)| match column {
        Column::Int { values, .. } if *attr == AttrId::SEQUENCE => Some(values.as_slice()),
        _ => None,
    });
    let key = |row: u32| {
        let sequence = sequences.and_then(|all| all.get(row as usize)).map_or(0, |&s| s as u64);
        (rows.times.get(row as usize).copied().unwrap_or_default(), sequence)
    };
    let customer = |row: u32| rows.customers.get(row as usize).copied();
    for journey in order.chunk_by_mut(|&a, &b| customer(a) == customer(b)) {
        // Most come in order of time.
        if journey.is_sorted_by(|&a, &b| key(a) < key(b)) {
            continue;
        }
        journey.sort_unstable_by_key(|&row| (key(row), row));
        for same in journey.chunk_by_mut(|&a, &b| key(a) == key(b)) {
            sort_ties(same, &mut |a, b| tie(&rows, a, b))?;
        }
    }

    let mut block = Block { offsets: vec![0], ..Block::default() };
    let customers = pick(&rows.customers, &order);
    for group in customers.chunk_by(|a, b| a == b) {
        block.customers.extend(group.first());
        let end = block.offsets.last().copied().unwrap_or(0) + group.len() as u32;
        block.offsets.push(end);
    }
    block.times = pick(&rows.times, &order);
    // A column's old values are let go before the next is built.
    for (attr, column) in rows.columns {
        let column = match column {
            Column::Symbol { codes, dictionary } => {
                Column::Symbol { codes: pick(&codes, &order), dictionary }
            }
            Column::Str { codes, dictionary } => Column::Str { codes: pick(&codes, &order), dictionary },
            Column::Int { values, valid } => {
                Column::Int { values: pick(&values, &order), valid: valid.map(|valid| pick(&valid, &order)) }
            }
            Column::Float { values, valid } => Column::Float {
                values: pick(&values, &order),
                valid: valid.map(|valid| pick(&valid, &order)),
            },
        };
        block.columns.push((attr, column));
    }
    Ok(block)
}

/// The rows, customer by customer, each customer's as they stood.
fn by_customer(customers: &[CustomerOrdinal]) -> Vec<u32> {
    let bounds = customers.iter().fold((u32::MAX, 0), |(low, high), &c| (c.min(low), c.max(high)));
    let (first, last) = (bounds.0.min(bounds.1), bounds.1);
    let width = (last - first) as usize + 1;
    if width > customers.len().saturating_mul(4) {
        let mut keys: Vec<u64> =
            (0..).zip(customers).map(|(row, &customer): (u64, _)| u64::from(customer) << 32 | row).collect();
        keys.sort_unstable();
        return keys.into_iter().map(|key| key as u32).collect();
    }
    // A count of each customer, then the place of the next row.
    let mut places = vec![0_u32; width];
    customers.iter().for_each(|&customer| places[(customer - first) as usize] += 1);
    let mut end = 0;
    for place in &mut places {
        end += std::mem::replace(place, end);
    }
    let mut order = vec![0; customers.len()];
    for (row, &customer) in (0..).zip(customers) {
        let place = &mut places[(customer - first) as usize];
        order[*place as usize] = row;
        *place += 1;
    }
    order
}

fn pick<T: Copy + Default>(values: &[T], order: &[u32]) -> Vec<T> {
    order.iter().map(|&row| values.get(row as usize).copied().unwrap_or_default()).collect()
}

/// A stable merge sort. The standard sorts may panic where a comparison is not
/// a total order, and one that can fail cannot be.
fn sort_ties(rows: &mut [u32], tie: &mut dyn FnMut(usize, usize) -> Result<Ordering>) -> Result<()> {
    if rows.len() < 2 {
        return Ok(());
    }
    let (left, right) = rows.split_at_mut(rows.len() / 2);
    sort_ties(left, tie)?;
    sort_ties(right, tie)?;
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(&&a), Some(&&b)) = (left.peek(), right.peek()) {
        let from = if tie(b as usize, a as usize)?.is_lt() { &mut right } else { &mut left };
        merged.extend(from.next());
    }
    merged.extend(left);
    merged.extend(right);
    rows.copy_from_slice(&merged);
    Ok(())
}

/// Rows of several batches, one batch after another, with dictionaries united.
///
/// # Errors
/// As for [`merge`](super::merge()).
pub fn concat_rows(mut parts: Vec<Rows>) -> Result<Rows> {
    parts.iter().try_for_each(Rows::check)?;
    if parts.len() <= 1 {
        return Ok(parts.pop().unwrap_or_default());
    }
    let columns: Vec<&[(AttrId, Column)]> = parts.iter().map(|part| part.columns.as_slice()).collect();
    let rows: Vec<usize> = parts.iter().map(Rows::len).collect();
    let columns = chain_columns(&columns, &rows)?;
    let total = rows.iter().sum();
    let mut all = Rows { customers: Vec::with_capacity(total), times: Vec::with_capacity(total), columns };
    for part in parts {
        all.customers.extend(part.customers);
        all.times.extend(part.times);
    }
    Ok(all)
}
