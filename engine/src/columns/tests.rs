//! Whole columns there and back.

#![expect(clippy::indexing_slicing, reason = "places in what the tests made")]

use std::ops::Range;

use proptest::prelude::*;

use super::*;

/// A value as a query would see it.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Symbol(u32),
    Text(String),
    Int(i64),
    Float(u64),
}

fn values(column: &Column) -> Vec<Value> {
    let entry = |code: u32| code.checked_sub(1).map(|entry| entry as usize);
    let or_null = |column: &Column, row: usize, value| if column.is_null(row) { Value::Null } else { value };
    match column {
        Column::Symbol { codes, dictionary } => codes
            .iter()
            .map(|&code| {
                entry(code).map_or(Value::Null, |e| Value::Symbol(*dictionary.get(e).expect("is there")))
            })
            .collect(),
        Column::Str { codes, dictionary } => codes
            .iter()
            .map(|&code| entry(code).map_or(Value::Null, |e| Value::Text(dictionary.get(e).to_owned())))
            .collect(),
        Column::Int { values, .. } => {
            values.iter().enumerate().map(|(row, &value)| or_null(column, row, Value::Int(value))).collect()
        }
        Column::Float { values, .. } => values
            .iter()
            .enumerate()
            .map(|(row, value)| or_null(column, row, Value::Float(value.to_bits())))
            .collect(),
    }
}

fn check(column: &Column, bytes_max: usize) -> Column {
    let mut bytes = Vec::new();
    encode(column, &mut bytes).expect("encodes");
    assert!(bytes.len() <= bytes_max, "{} bytes for {} rows", bytes.len(), column.len());
    let back = decode(&bytes, column.len(), "test").expect("decodes");
    assert_eq!(values(&back), values(column));
    // What was read is in its final form: writing it again changes nothing.
    let mut again = Vec::new();
    encode(&back, &mut again).expect("encodes");
    assert_eq!(again, bytes);
    bytes.push(0);
    assert!(decode(&bytes, column.len(), "test").is_err(), "a byte left over");
    back
}

/// Text as it was written before there were pieces; histories hold it.
#[test]
fn reads_whole_text() {
    let mut bytes = vec![1, 5, 17, 0];
    bytes.extend("zugÄpfelbillinga".bytes());
    bytes.extend([0x03, 0x98, 0x1f, 0x01, 0x03, 0xd1, 0xd8, 0x10]);
    let whole = decode(&bytes, 7, "test").expect("decodes");
    assert!(
        matches!(&whole, Column::Str { dictionary, .. } if *dictionary == strings(&["", "zug", "Äpfel", "billing", "a"]))
    );
    let bytes: &[u8] = &bytes;
    for range in [0..7, 2..4, 5..6] {
        let ranges = [range];
        let part = decode_rows(&bytes, 7, &ranges, "test").expect("decodes");
        assert_eq!(part, cut_column(&whole, &ranges));
    }
}

fn strings(texts: &[&str]) -> Strings {
    let mut strings = Strings::default();
    texts.iter().for_each(|text| strings.push(text));
    strings
}

#[test]
fn columns_of_one_value_take_a_few_bytes() {
    let rows = 131_072;
    check(&Column::Int { values: vec![1 << 40; rows], valid: None }, 12);
    check(&Column::Int { values: vec![0; rows], valid: Some(vec![false; rows]) }, 12);
    check(&Column::Float { values: vec![0.0; rows], valid: Some(vec![false; rows]) }, 12);
    check(&Column::Float { values: vec![99.95; rows], valid: None }, 12);
    check(&Column::Symbol { codes: vec![1; rows], dictionary: vec![7] }, 12);
    check(&Column::Symbol { codes: vec![0; rows], dictionary: vec![] }, 12);
    check(&Column::Str { codes: vec![1; rows], dictionary: strings(&["x"]) }, 12);
    check(&Column::Str { codes: vec![0; rows], dictionary: strings(&[]) }, 12);
}

#[test]
fn dictionaries_are_put_in_order_and_lose_what_does_not_occur() {
    let column = Column::Symbol { codes: vec![3, 0, 1, 3], dictionary: vec![50, 60, u32::MAX, 2] };
    let expected = Column::Symbol { codes: vec![2, 0, 1, 2], dictionary: vec![50, u32::MAX] };
    assert_eq!(check(&column, 100), expected);
    let column = Column::Str { codes: vec![3, 0, 1, 3], dictionary: strings(&["", "unused", "é", "x"]) };
    let expected = Column::Str { codes: vec![1, 0, 2, 1], dictionary: strings(&["é", ""]) };
    assert_eq!(check(&column, 100), expected);
}

#[test]
fn marks_that_mark_nothing_are_dropped() {
    let column = Column::Int { values: vec![1, 2], valid: Some(vec![true, true]) };
    assert_eq!(check(&column, 100), Column::Int { values: vec![1, 2], valid: None });
}

#[test]
fn columns_that_break_their_rules_are_refused() {
    for column in [
        Column::Symbol { codes: vec![2], dictionary: vec![1] },
        Column::Symbol { codes: vec![1, 2], dictionary: vec![7, 7] },
        Column::Str { codes: vec![2], dictionary: strings(&["x"]) },
        Column::Int { values: vec![1], valid: Some(vec![]) },
        Column::Float { values: vec![1.0], valid: Some(vec![true, true]) },
    ] {
        assert!(encode(&column, &mut Vec::new()).is_err(), "{column:?}");
    }
}

/// Ascending ranges of `0..n` between pairs of `cuts`.
pub(super) fn ranges(n: usize, cuts: &[prop::sample::Index]) -> Vec<Range<usize>> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(n + 1)).collect();
    ends.sort_unstable();
    ends.as_chunks::<2>().0.iter().map(|[start, end]| *start..*end).collect()
}

/// The values in ranges.
pub(super) fn cut<T: Copy>(values: &[T], ranges: &[Range<usize>]) -> Vec<T> {
    ranges.iter().flat_map(|range| values.get(range.clone()).expect("is there").to_vec()).collect()
}

/// The rows in ranges, with the entries that occur in them.
pub(super) fn cut_column(column: &Column, ranges: &[Range<usize>]) -> Column {
    let marks = |valid: &Option<Vec<bool>>| {
        let valid = cut(valid.as_deref()?, ranges);
        valid.contains(&false).then_some(valid)
    };
    match column {
        Column::Symbol { codes, dictionary } => {
            let mut codes = cut(codes, ranges);
            let kept = compact(&mut codes);
            Column::Symbol { codes, dictionary: kept.iter().map(|&entry| dictionary[entry]).collect() }
        }
        Column::Str { codes, dictionary } => {
            let mut codes = cut(codes, ranges);
            let texts: Vec<&str> =
                compact(&mut codes).into_iter().map(|entry| dictionary.get(entry)).collect();
            Column::Str { codes, dictionary: strings(&texts) }
        }
        Column::Int { values, valid } => Column::Int { values: cut(values, ranges), valid: marks(valid) },
        Column::Float { values, valid } => Column::Float { values: cut(values, ranges), valid: marks(valid) },
    }
}

pub(super) fn any_column() -> impl Strategy<Value = Column> {
    let rows = prop_oneof![0..4_usize, 126..131_usize, 0..300_usize];
    let ints = prop_oneof![4 => -9..9_i64, 1 => any::<i64>()];
    let floats = prop_oneof![4 => (-99..99_i32).prop_map(|k| f64::from(k) / 100.0), 1 => any::<f64>()];
    let null_shares = prop_oneof![Just(0), Just(5), Just(50), Just(97), Just(100)];
    (rows, null_shares).prop_flat_map(move |(rows, share)| {
        let valid = proptest::collection::vec((0..100).prop_map(move |percent| percent >= share), rows);
        let codes = proptest::collection::vec(prop_oneof![1..6_u32, 1..200_u32], rows);
        let ints = proptest::collection::vec(ints.clone(), rows);
        let floats = proptest::collection::vec(floats.clone(), rows);
        (0..4, valid, codes, ints, floats).prop_map(|(kind, valid, mut codes, mut ints, mut floats)| {
            for (row, _) in valid.iter().enumerate().filter(|(_, valid)| !**valid) {
                codes.iter_mut().skip(row).take(1).for_each(|code| *code = 0);
                ints.iter_mut().skip(row).take(1).for_each(|value| *value = 0);
                floats.iter_mut().skip(row).take(1).for_each(|value| *value = 0.0);
            }
            let valid = valid.contains(&false).then_some(valid);
            match kind {
                0 => Column::Symbol { codes, dictionary: (0..200_u32).map(|i| (i * 77) % 211).collect() },
                1 => {
                    let texts: Vec<String> = (0..200).map(|i| "é".repeat(i % 7) + &i.to_string()).collect();
                    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                    Column::Str { codes, dictionary: strings(&texts) }
                }
                2 => Column::Int { values: ints, valid },
                _ => Column::Float { values: floats, valid },
            }
        })
    })
}

proptest! {
    #[test]
    fn any_column_comes_back(column in any_column()) {
        check(&column, usize::MAX);
    }

    #[test]
    fn damage_is_an_error_or_a_sound_column(
        column in any_column(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 0..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        rows in prop_oneof![3 => Just(None), 1 => (0..1_000_usize).prop_map(Some)],
    ) {
        let mut bytes = Vec::new();
        encode(&column, &mut bytes).expect("encodes");
        for (place, bit) in flips {
            let place = place.index(bytes.len());
            bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << bit);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let rows = rows.unwrap_or(column.len());
        if let Ok(back) = decode(&bytes, rows, "test") {
            prop_assert_eq!(back.len(), rows);
            prop_assert_eq!(values(&back).len(), rows);
        }
    }

    #[test]
    fn any_bytes_are_safe(bytes in proptest::collection::vec(prop_oneof![0..7_u8, any::<u8>()], 0..200), rows in 0..1_000_usize) {
        if let Ok(back) = decode(&bytes, rows, "test") {
            prop_assert_eq!(values(&back).len(), rows);
        }
    }
}
