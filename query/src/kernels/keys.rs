//! One small number for equal values of several attributes.

use hashbrown::HashTable;
use throughline_engine::Column;

/// Keys of rows: 0 where any value is NULL, else below `bound`; equal keys
/// are equal values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Keys {
    /// One a row.
    pub codes: Vec<u32>,
    /// Keys lie below it.
    pub bound: u32,
}

/// Up to this many pairs of codes are numbered without a hash table.
pub(crate) const DIRECT_PAIRS_MAX: u64 = 1 << 16;

/// The keys of `rows` rows over `columns`; a column that is `None` is NULL throughout.
pub(crate) fn keys(columns: &[Option<&Column>], rows: usize) -> Keys {
    let mut all: Option<Keys> = None;
    for column in columns {
        let Some(column) = column else { return Keys { codes: vec![0; rows], bound: 1 } };
        let next = single(column);
        all = Some(match all {
            None => next,
            Some(before) => before.paired(&next),
        });
    }
    all.unwrap_or_else(|| Keys { codes: vec![1; rows], bound: 2 })
}

fn single(column: &Column) -> Keys {
    match column {
        Column::Symbol { codes, dictionary } => {
            Keys { codes: codes.clone(), bound: dictionary.len() as u32 + 1 }
        }
        Column::Str { codes, dictionary } => {
            Keys { codes: codes.clone(), bound: dictionary.len() as u32 + 1 }
        }
        Column::Int { values, .. } => numbered(
            values.iter().enumerate().map(|(row, &value)| (!column.is_null(row)).then_some(value as u64)),
        ),
        Column::Float { values, .. } => numbered(values.iter().enumerate().map(|(row, &value)| {
            // -0.0 equals 0.0.
            (!column.is_null(row)).then_some((value + 0.0).to_bits())
        })),
    }
}

fn numbered(values: impl Iterator<Item = Option<u64>>) -> Keys {
    let hash = |value: u64| {
        let mixed = value.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 32)
    };
    let mut numbers: HashTable<(u64, u32)> = HashTable::new();
    let mut codes = Vec::with_capacity(values.size_hint().0);
    for value in values {
        codes.push(match value {
            None => 0,
            Some(value) => {
                let next = numbers.len() as u32 + 1;
                numbers
                    .entry(hash(value), |known| known.0 == value, |known| hash(known.0))
                    .or_insert((value, next))
                    .get()
                    .1
            }
        });
    }
    Keys { codes, bound: numbers.len() as u32 + 1 }
}

impl Keys {
    /// Keys of both; 0 where either is.
    pub(crate) fn paired(&self, other: &Self) -> Self {
        let pairs = self.codes.iter().zip(&other.codes);
        let (wide, high) = (u64::from(other.bound), u64::from(self.bound) * u64::from(other.bound));
        if high <= DIRECT_PAIRS_MAX {
            let direct = |a: u32, b: u32| if a == 0 || b == 0 { 0 } else { a * wide as u32 + b };
            return Self { codes: pairs.map(|(&a, &b)| direct(a, b)).collect(), bound: high as u32 };
        }
        numbered(pairs.map(|(&a, &b)| (a != 0 && b != 0).then(|| (u64::from(a) << 32) | u64::from(b))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_a_key() {
        let symbols = Column::Symbol { codes: vec![1, 2, 0, 1, 1], dictionary: vec![9, 4] };
        let numbers =
            Column::Int { values: vec![7, 7, 7, 7, 0], valid: Some(vec![true, true, true, true, false]) };
        let both = keys(&[Some(&symbols), Some(&numbers)], 5);
        assert_eq!(both.codes[0], both.codes[3]);
        assert_ne!(both.codes[0], both.codes[1]);
        assert_eq!((both.codes[2], both.codes[4]), (0, 0));
        assert!(both.codes.iter().all(|&code| code < both.bound));
        assert_eq!(keys(&[Some(&symbols), None], 5).codes, vec![0; 5]);
        assert_eq!(keys(&[], 2).codes, vec![1, 1]);
    }

    #[test]
    fn many_pairs_are_hashed() {
        let wide = |n: u32| Column::Symbol {
            codes: (0..n).map(|row| row % 400 + 1).collect(),
            dictionary: (0..400).collect(),
        };
        let long = Column::Int { values: (0..2000).map(|row| row / 400).collect(), valid: None };
        let both = keys(&[Some(&wide(2000)), Some(&wide(2000))], 2000);
        assert_eq!(both.bound, 401);
        let all = keys(&[Some(&wide(2000)), Some(&long)], 2000);
        let mut distinct = all.codes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 2000);
    }
}
