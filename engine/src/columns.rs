//! Columns as bytes: pure functions from the forms in memory to the forms at
//! rest, and back.
//!
//! ```text
//! column   kind: u8  …
//! symbol   0  entries  first number  packed distances - 1   codes
//! string   1  entries  text before there were pieces        codes
//! int      2  presence  ints of those that are not NULL
//! float    3  presence  floats of those that are not NULL
//! string   4  entries  text                                 codes
//! ```
//! A symbol's dictionary is stored in ascending order of number, a string's in
//! order of first appearance, and neither holds an entry that no row has.
//! The number of rows is not stored with a column. Decoders check every length
//! before they take memory for it and never panic, whatever the bytes.

#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

mod codes;
mod flags;
mod floats;
mod ints;
mod numbered;
mod packed;
mod presence;
mod reader;
mod rows;
mod seek;
pub(crate) mod spare;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;
mod text;
mod times;

pub use packed::{pack, unpack};
pub use reader::{Reader, put_varint};
pub use rows::decode_rows;
pub use seek::{Bytes, Seeker};
pub use times::{Journeys, decode as decode_times, decode_rows as decode_times_rows, encode as encode_times};

pub(crate) use rows::compact;
pub(crate) use seek::Stream;

use crate::column::Column;
use crate::error::{Error, Result};
use crate::strings::Strings;
use presence::Presence;

const SYMBOL: u8 = 0;
const STRING_WHOLE: u8 = 1;
const INT: u8 = 2;
const FLOAT: u8 = 3;
const STRING: u8 = 4;

/// Appends `column` to `out`; the number of its rows is not stored.
///
/// # Errors
/// [`Error::Invalid`] where a code has no entry, a symbol has two, or the marks
/// of NULL are not one a row; [`Error::Limit`] for too much text.
pub fn encode(column: &Column, out: &mut Vec<u8>) -> Result<()> {
    match column {
        Column::Symbol { codes, dictionary } => {
            out.push(SYMBOL);
            let (codes, dictionary) = ascending(codes, dictionary)?;
            put_varint(dictionary.len() as u64, out);
            if let Some(&first) = dictionary.first() {
                put_varint(u64::from(first), out);
            }
            let mut gaps = Vec::with_capacity(dictionary.len());
            for (last, number) in dictionary.iter().zip(dictionary.iter().skip(1)) {
                let gap = number.checked_sub(*last).and_then(|gap| gap.checked_sub(1));
                gaps.push(gap.ok_or_else(|| Error::invalid("a dictionary has a symbol twice"))?);
            }
            pack(&gaps, out);
            codes::encode(&codes, false, out);
        }
        Column::Str { codes, dictionary } => {
            out.push(STRING);
            let (codes, order) = first_appearance(codes, dictionary.len())?;
            put_varint(order.len() as u64, out);
            if order.len() == dictionary.len() && (0..).zip(&order).all(|(place, &entry)| place == entry) {
                text::encode(dictionary, out)?;
            } else {
                let mut strings = Strings::default();
                order.iter().for_each(|&entry| strings.push(dictionary.get(entry as usize)));
                text::encode(&strings, out)?;
            }
            codes::encode(&codes, true, out);
        }
        Column::Int { values, valid } => {
            out.push(INT);
            match present(values, valid.as_deref(), out)? {
                Some(present) => ints::encode(&present, out),
                None => ints::encode(values, out),
            }
        }
        Column::Float { values, valid } => {
            out.push(FLOAT);
            match present(values, valid.as_deref(), out)? {
                Some(present) => floats::encode(&present, out),
                None => floats::encode(values, out),
            }
        }
    }
    Ok(())
}

/// Reads the column of `rows` rows that [`encode`] wrote as `bytes`; `what`
/// names them in errors.
///
/// # Errors
/// [`Error::Damaged`] where they cannot be that.
pub fn decode(bytes: &[u8], rows: usize, what: &str) -> Result<Column> {
    let mut reader = Reader::new(bytes, what);
    let column = match reader.u8()? {
        SYMBOL => {
            let entries = reader.count(rows, "symbols")?;
            let mut dictionary = Vec::new();
            if let Some(gaps) = entries.checked_sub(1) {
                let mut number = u32::try_from(reader.varint()?).ok();
                let gaps = unpack(&mut reader, gaps)?;
                dictionary.reserve_exact(entries);
                dictionary.extend(number);
                for gap in gaps {
                    number = number.and_then(|last| last.checked_add(gap)?.checked_add(1));
                    dictionary.extend(number);
                }
                if number.is_none() {
                    return Err(reader.damaged("a symbol's number of more than 32 bits"));
                }
            }
            let codes = codes::decode(&mut reader, rows, entries)?;
            Column::Symbol { codes, dictionary }
        }
        kind @ (STRING | STRING_WHOLE) => {
            let entries = reader.count(rows, "strings")?;
            let dictionary = match kind {
                STRING => text::decode(&mut reader, entries, what)?,
                _ => text::decode_whole(&mut reader, entries)?,
            };
            let codes = codes::decode(&mut reader, rows, entries)?;
            Column::Str { codes, dictionary }
        }
        INT => {
            let presence = Presence::decode(&mut reader, rows)?;
            let values = presence.spread(ints::decode(&mut reader, presence.count)?, 0);
            Column::Int { values, valid: presence.valid }
        }
        FLOAT => {
            let presence = Presence::decode(&mut reader, rows)?;
            let values = presence.spread(floats::decode(&mut reader, presence.count)?, 0.0);
            Column::Float { values, valid: presence.valid }
        }
        other => return Err(reader.damaged(format!("unknown kind {other} of column"))),
    };
    reader.finish()?;
    Ok(column)
}

/// Writes which rows have a value and answers the values of those; `None` where
/// all have one.
fn present<T: Copy>(values: &[T], valid: Option<&[bool]>, out: &mut Vec<u8>) -> Result<Option<Vec<T>>> {
    let Some(valid) = valid else {
        presence::encode(values.len(), values.len(), std::iter::empty(), out);
        return Ok(None);
    };
    if valid.len() != values.len() {
        return Err(Error::invalid("a column needs one mark of NULL for each value"));
    }
    let present: Vec<T> =
        values.iter().zip(valid).filter_map(|(&value, &valid)| valid.then_some(value)).collect();
    presence::encode(values.len(), present.len(), valid.iter().copied(), out);
    Ok(Some(present))
}

fn no_entry() -> Error {
    Error::invalid("a column has a code without an entry in its dictionary")
}

/// Codes renumbered for the entries in ascending order, and those that occur.
fn ascending(codes: &[u32], dictionary: &[u32]) -> Result<(Vec<u32>, Vec<u32>)> {
    let (_, mut order) = first_appearance(codes, dictionary.len())?;
    let number = |&entry: &u32| dictionary.get(entry as usize).copied().unwrap_or(u32::MAX);
    order.sort_unstable_by_key(number);
    let mut renumbered = vec![0; dictionary.len() + 1];
    for (code, &entry) in (1..).zip(&order) {
        *renumbered.get_mut(entry as usize + 1).ok_or_else(no_entry)? = code;
    }
    let codes = codes.iter().map(|&code| renumbered.get(code as usize).copied().unwrap_or(0)).collect();
    Ok((codes, order.iter().map(number).collect()))
}

/// Codes renumbered by first appearance, and the entries in that order.
fn first_appearance(codes: &[u32], entries: usize) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut renumbered = vec![0_u32; entries + 1];
    let mut order = Vec::new();
    let mut result = Vec::with_capacity(codes.len());
    for &code in codes {
        let new = renumbered.get_mut(code as usize).ok_or_else(no_entry)?;
        if *new == 0 && code > 0 {
            order.push(code - 1);
            *new = order.len() as u32;
        }
        result.push(*new);
    }
    Ok((result, order))
}
