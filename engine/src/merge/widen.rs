//! Values read through a wider type than the one they were written with.

use crate::column::Column;
use crate::schema::AttrType;
use crate::strings::{StringTable, Strings};

/// `column`, written while its attribute was of type `from`, as type `to` holds
/// it: symbols as strings, ints as floats, and numbers as text (ints and times in
/// decimal, floats in the shortest form that reads back, `5` for 5.0; booleans
/// `true` and `false`). `symbol_text` gives the text of one of the store's symbols.
/// What needs no change, or could only be narrowed, is answered as it is.
pub fn widen(column: Column, from: AttrType, to: AttrType, symbol_text: &dyn Fn(u32) -> String) -> Column {
    match (&column, to) {
        (Column::Symbol { .. }, AttrType::Id | AttrType::Text) => match column {
            Column::Symbol { codes, dictionary } => {
                let mut strings = Strings::default();
                dictionary.iter().for_each(|&number| strings.push(&symbol_text(number)));
                Column::Str { codes, dictionary: strings }
            }
            other => other,
        },
        (Column::Int { .. }, AttrType::Float) => floats_of(&column),
        (Column::Int { .. } | Column::Float { .. }, AttrType::Id | AttrType::Text) => {
            strings_of(&column, from)
        }
        _ => column,
    }
}

/// Ints as floats; anything else as it is.
pub(super) fn floats_of(column: &Column) -> Column {
    match column {
        Column::Int { values, valid } => {
            Column::Float { values: values.iter().map(|&value| value as f64).collect(), valid: valid.clone() }
        }
        other => other.clone(),
    }
}

/// Numbers of type `from` as text; anything else as it is.
pub(super) fn strings_of(column: &Column, from: AttrType) -> Column {
    let mut table = StringTable::default();
    let is_valid = |valid: &Option<Vec<bool>>, row: usize| {
        valid.as_ref().is_none_or(|valid| valid.get(row).copied().unwrap_or(false))
    };
    let codes = match column {
        Column::Int { values, valid } => (0..)
            .zip(values)
            .map(|(row, &value)| match from {
                _ if !is_valid(valid, row) => 0,
                AttrType::Bool => table.intern(if value == 0 { "false" } else { "true" }) + 1,
                _ => table.intern(&value.to_string()) + 1,
            })
            .collect(),
        Column::Float { values, valid } => (0..)
            .zip(values)
            .map(|(row, &value)| if is_valid(valid, row) { table.intern(&value.to_string()) + 1 } else { 0 })
            .collect(),
        other => return other.clone(),
    };
    Column::Str { codes, dictionary: table.strings().clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(column: Column, from: AttrType, to: AttrType, expected: &[Option<&str>]) {
        let Column::Str { codes, dictionary } = widen(column, from, to, &|number| format!("s{number}"))
        else {
            panic!("is not widened to strings");
        };
        let texts: Vec<_> = codes
            .iter()
            .map(|&code| code.checked_sub(1).map(|entry| dictionary.get(entry as usize)))
            .collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn everything_becomes_text() {
        let ints = |values: &[i64], valid| Column::Int { values: values.to_vec(), valid };
        check(
            ints(&[7, 0, -7, 7], Some(vec![true, false, true, true])),
            AttrType::Int,
            AttrType::Text,
            &[Some("7"), None, Some("-7"), Some("7")],
        );
        check(ints(&[1, 0], None), AttrType::Bool, AttrType::Text, &[Some("true"), Some("false")]);
        check(
            Column::Float { values: vec![5.0, 0.1, 1e21], valid: None },
            AttrType::Float,
            AttrType::Text,
            &[Some("5"), Some("0.1"), Some("1000000000000000000000")],
        );
        check(
            Column::Symbol { codes: vec![2, 0, 1], dictionary: vec![4, 9] },
            AttrType::Symbol,
            AttrType::Id,
            &[Some("s9"), None, Some("s4")],
        );
    }

    #[test]
    fn ints_become_floats_and_nothing_narrows() {
        let ints = Column::Int { values: vec![3, 0], valid: Some(vec![true, false]) };
        let floats = Column::Float { values: vec![3.0, 0.0], valid: Some(vec![true, false]) };
        let text = |_: u32| String::new();
        assert_eq!(widen(ints.clone(), AttrType::Int, AttrType::Float, &text), floats);
        assert_eq!(widen(ints.clone(), AttrType::Int, AttrType::Int, &text), ints);
        assert_eq!(widen(floats.clone(), AttrType::Float, AttrType::Int, &text), floats);
    }
}
