//! Single rows of a column.

use super::cut::occurring;
use crate::column::Column;
use crate::strings::Strings;

/// The values of a column at `rows`, in that order; NULL for `None` and past the end. Dictionaries keep
/// only the entries that occur, in their order.
pub fn pick_rows(column: &Column, rows: &[Option<u32>]) -> Column {
    fn values<T: Copy + Default>(of: &[T], rows: &[Option<u32>]) -> Vec<T> {
        let value = |row: &Option<u32>| row.and_then(|row| of.get(row as usize)).copied();
        rows.iter().map(|row| value(row).unwrap_or_default()).collect()
    }
    let valid = || -> Vec<bool> {
        rows.iter().map(|row| row.is_some_and(|row| !column.is_null(row as usize))).collect()
    };
    match column {
        Column::Symbol { codes, dictionary } => {
            let mut codes = values(codes, rows);
            let kept = occurring(&mut codes, dictionary.len());
            let dictionary = kept.into_iter().filter_map(|entry| dictionary.get(entry).copied()).collect();
            Column::Symbol { codes, dictionary }
        }
        Column::Str { codes, dictionary } => {
            let mut codes = values(codes, rows);
            let mut strings = Strings::default();
            let kept = occurring(&mut codes, dictionary.len());
            kept.into_iter().for_each(|entry| strings.push(dictionary.get(entry)));
            Column::Str { codes, dictionary: strings }
        }
        Column::Int { values: of, .. } => {
            let (values, valid) = nulled(values(of, rows), valid());
            Column::Int { values, valid }
        }
        Column::Float { values: of, .. } => {
            let (values, valid) = nulled(values(of, rows), valid());
            Column::Float { values, valid }
        }
    }
}

/// Values with 0 for NULL, and the marks where there is any.
fn nulled<T: Copy + Default>(mut values: Vec<T>, valid: Vec<bool>) -> (Vec<T>, Option<Vec<bool>>) {
    for (value, valid) in values.iter_mut().zip(&valid) {
        if !valid {
            *value = T::default();
        }
    }
    (values, valid.contains(&false).then_some(valid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_picked_with_the_entries_that_occur() {
        let symbols = Column::Symbol { codes: vec![1, 0, 2, 3], dictionary: vec![4, 7, 9] };
        let picked = pick_rows(&symbols, &[Some(3), None, Some(1), Some(0), Some(3), Some(9)]);
        assert_eq!(picked, Column::Symbol { codes: vec![2, 0, 0, 1, 2, 0], dictionary: vec![4, 9] });
        let mut dictionary = Strings::default();
        ["a", "b"].into_iter().for_each(|text| dictionary.push(text));
        let texts = Column::Str { codes: vec![2, 1], dictionary };
        let Column::Str { codes, dictionary } = pick_rows(&texts, &[None, Some(0)]) else { panic!("text") };
        assert_eq!((codes, dictionary.iter().collect::<Vec<_>>()), (vec![0, 1], vec!["b"]));
        let ints = Column::Int { values: vec![5, 6], valid: Some(vec![true, false]) };
        assert_eq!(pick_rows(&ints, &[Some(0), Some(0)]), Column::Int { values: vec![5, 5], valid: None });
        let nulls = Column::Int { values: vec![0, 5], valid: Some(vec![false, true]) };
        assert_eq!(pick_rows(&ints, &[Some(1), Some(0)]), nulls);
        let floats = Column::Float { values: vec![0.5], valid: None };
        let expected = Column::Float { values: vec![0.5, 0.0], valid: Some(vec![true, false]) };
        assert_eq!(pick_rows(&floats, &[Some(0), None]), expected);
    }
}
