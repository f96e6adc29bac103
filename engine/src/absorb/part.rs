//! A part: the rows that one batch has of a slice of customers, in the order
//! they came, as bytes that are read back a moment later. Numbers lie in as many
//! bytes as the largest distance from the smallest needs, symbols by the store's
//! own numbers, texts end to end. Nothing is compressed.
//!
//! ```text
//! rows u32 | columns u16 | customers | times | column | column …
//! numbers   width u8 (0, 1, 2, 4 or 8) | smallest u64 | the distances from it
//! column    attribute u16 | form u8 …
//!   symbol    0   numbers: 0 for NULL, else 1 + the symbol's number
//!   string    1   entries u32 | bytes of text u32 | numbers: lengths | text | numbers: codes
//!   int       2   marks | numbers
//!   float     3   marks | 8 bytes each
//! marks     0 where all have a value, else 1 and a byte each
//! ```

use std::borrow::Cow;

use super::gathered::{Form, Gathered};
use crate::column::Column;
use crate::error::{Error, Result};
use crate::merge::Rows;
use crate::schema::AttrId;

/// Appends the rows at `picked` of `rows`. Answers the bytes of text that the rows
/// have, each counted in every row that has it.
pub(super) fn write(rows: &Rows, picked: &[u32], scratch: &mut Scratch, out: &mut Vec<u8>) -> u64 {
    let mut text = 0;
    out.extend((picked.len() as u32).to_le_bytes());
    out.extend((rows.columns.len() as u16).to_le_bytes());
    scratch.put(picked.iter().map(|&row| u64::from(at(&rows.customers, row))), out);
    scratch.put_signed(picked.iter().map(|&row| at(&rows.times, row)), out);
    for (attr, column) in &rows.columns {
        out.extend(attr.0.to_le_bytes());
        out.push(Form::of(column) as u8);
        match column {
            Column::Symbol { codes, dictionary } => {
                let number = |code: u32| match code.checked_sub(1) {
                    None => 0,
                    Some(entry) => u64::from(at(dictionary, entry)) + 1,
                };
                scratch.put(picked.iter().map(|&row| number(at(codes, row))), out);
            }
            Column::Str { codes, dictionary } => {
                scratch.renumber(codes, picked, dictionary.len());
                let entries = std::mem::take(&mut scratch.entries);
                let texts = || entries.iter().map(|&entry| dictionary.get(entry as usize));
                let bytes: usize = texts().map(str::len).sum();
                out.extend((entries.len() as u32).to_le_bytes());
                out.extend((bytes as u32).to_le_bytes());
                scratch.put(texts().map(|text| text.len() as u64), out);
                text += scratch.text_of_rows();
                texts().for_each(|text| out.extend_from_slice(text.as_bytes()));
                scratch.entries = entries;
                let codes = std::mem::take(&mut scratch.codes);
                scratch.put(codes.iter().map(|&code| u64::from(code)), out);
                scratch.codes = codes;
            }
            Column::Int { values, valid } => {
                put_marks(valid.as_deref(), picked, out);
                scratch.put_signed(picked.iter().map(|&row| at(values, row)), out);
            }
            Column::Float { values, valid } => {
                put_marks(valid.as_deref(), picked, out);
                picked.iter().for_each(|&row| out.extend(at(values, row).to_le_bytes()));
            }
        }
    }
    text
}

fn at<T: Copy + Default>(values: &[T], place: u32) -> T {
    values.get(place as usize).copied().unwrap_or_default()
}

fn put_marks(valid: Option<&[bool]>, picked: &[u32], out: &mut Vec<u8>) {
    match valid {
        Some(valid) if picked.iter().any(|&row| !at(valid, row)) => {
            out.push(1);
            out.extend(picked.iter().map(|&row| u8::from(at(valid, row))));
        }
        _ => out.push(0),
    }
}

/// Memory used again for each part.
#[derive(Default)]
pub(super) struct Scratch {
    numbers: Vec<u64>,
    codes: Vec<u32>,
    /// Entries of the dictionary that the part has, in order of first appearance.
    entries: Vec<u32>,
    /// 1 + the place in `entries` of each entry of the dictionary that is among them.
    places: Vec<u32>,
}

impl Scratch {
    /// Numbers as distances from the smallest, which is taken of them as unsigned.
    fn put(&mut self, numbers: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
        self.numbers.clear();
        let (mut smallest, mut largest) = (u64::MAX, 0);
        self.numbers.extend(numbers.inspect(|&number| {
            smallest = number.min(smallest);
            largest = number.max(largest);
        }));
        let smallest = smallest.min(largest);
        let width = match largest - smallest {
            0 => 0,
            1..=0xff => 1,
            0x100..=0xffff => 2,
            0x1_0000..=0xffff_ffff => 4,
            _ => 8_u8,
        };
        out.push(width);
        out.extend(smallest.to_le_bytes());
        let start = out.len();
        out.resize(start + self.numbers.len() * usize::from(width), 0);
        let bytes = out.get_mut(start..).unwrap_or_default();
        let distances = self.numbers.iter().map(|number| number - smallest);
        match width {
            0 => {}
            1 => bytes.iter_mut().zip(distances).for_each(|(byte, distance)| *byte = distance as u8),
            2 => fill(bytes, distances.map(|distance| (distance as u16).to_le_bytes())),
            4 => fill(bytes, distances.map(|distance| (distance as u32).to_le_bytes())),
            _ => fill(bytes, distances.map(u64::to_le_bytes)),
        }
    }

    fn put_signed(&mut self, numbers: impl Iterator<Item = i64>, out: &mut Vec<u8>) {
        // The sign turned, so that they compare as unsigned.
        self.put(numbers.map(|number| number as u64 ^ (1 << 63)), out);
    }

    /// Bytes of the rows' texts, whose lengths were put last.
    fn text_of_rows(&self) -> u64 {
        let length = |code: &u32| self.numbers.get(*code as usize - 1).copied().unwrap_or(0);
        self.codes.iter().filter(|code| **code > 0).map(length).sum()
    }

    fn renumber(&mut self, codes: &[u32], picked: &[u32], entries: usize) {
        self.places.resize(self.places.len().max(entries), 0);
        self.entries.clear();
        self.codes.clear();
        for &row in picked {
            let code = at(codes, row);
            let code = match code.checked_sub(1).and_then(|entry| self.places.get_mut(entry as usize)) {
                None => 0,
                Some(place) => {
                    if *place == 0 {
                        self.entries.push(code - 1);
                        *place = self.entries.len() as u32;
                    }
                    *place
                }
            };
            self.codes.push(code);
        }
        for &entry in &self.entries {
            if let Some(place) = self.places.get_mut(entry as usize) {
                *place = 0;
            }
        }
    }
}

fn fill<const N: usize>(bytes: &mut [u8], numbers: impl Iterator<Item = [u8; N]>) {
    bytes.as_chunks_mut::<N>().0.iter_mut().zip(numbers).for_each(|(bytes, number)| *bytes = number);
}

/// Appends the rows of the part that `bytes` begin with, as far as their customers
/// are wanted; answers what follows it.
pub(super) fn read<'a>(
    bytes: &'a [u8],
    wanted: impl Fn(u32) -> bool,
    into: &mut Gathered,
    what: &str,
) -> Result<&'a [u8]> {
    let mut reader = Reader { rest: bytes, what, keep: None };
    let rows = reader.u32()? as usize;
    let columns = u16::from_le_bytes(reader.array()?);
    let mut numbers = Vec::new();
    reader.numbers(rows, &mut numbers)?;
    let inside = |number: &u64| wanted(*number as u32);
    if !numbers.iter().all(inside) {
        reader.keep = Some(numbers.iter().map(inside).collect());
        numbers.retain(inside);
    }
    into.customers(numbers.iter().map(|&number| number as u32));
    reader.signed(rows, &mut numbers)?;
    into.times(numbers.iter().map(|&number| number as i64));
    let mut floats = Vec::new();
    for _ in 0..columns {
        let attr = AttrId(u16::from_le_bytes(reader.array()?));
        match reader.byte()? {
            0 => {
                reader.kept_numbers(rows, &mut numbers)?;
                into.symbols(attr, numbers.iter().map(|&number| number as u32));
            }
            1 => {
                let (entries, len) = (reader.u32()? as usize, reader.u32()? as usize);
                let mut lengths = Vec::new();
                reader.numbers(entries, &mut lengths)?;
                let text = std::str::from_utf8(reader.take(len)?).map_err(|_| reader.damaged())?;
                reader.kept_numbers(rows, &mut numbers)?;
                into.strings(attr, text, &lengths, numbers.iter().map(|&number| number as usize))
                    .ok_or_else(|| reader.damaged())??;
            }
            2 => {
                let marks = reader.marks(rows)?;
                reader.signed(rows, &mut numbers)?;
                into.ints(attr, marks.as_deref(), numbers.iter().map(|&number| number as i64));
            }
            3 => {
                let marks = reader.marks(rows)?;
                let bytes = reader.take(rows.saturating_mul(8))?.as_chunks().0;
                floats.clear();
                floats.extend(bytes.iter().map(|bytes| f64::from_le_bytes(*bytes)));
                reader.retain(&mut floats);
                into.floats(attr, marks.as_deref(), floats.iter().copied());
            }
            _ => return Err(reader.damaged()),
        }
    }
    Ok(reader.rest)
}

struct Reader<'a, 'w> {
    rest: &'a [u8],
    what: &'w str,
    /// Which rows are wanted, where not all are.
    keep: Option<Vec<bool>>,
}

impl<'a> Reader<'a, '_> {
    fn damaged(&self) -> Error {
        Error::damaged(self.what, 0, "it gave back other bytes than were written")
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn numbers(&mut self, n: usize, into: &mut Vec<u64>) -> Result<()> {
        into.clear();
        let width = usize::from(self.byte()?);
        let smallest = u64::from_le_bytes(self.array()?);
        let bytes = self.take(n.saturating_mul(width))?;
        let number = |distance: u64| smallest.wrapping_add(distance);
        match width {
            0 => into.resize(n, smallest),
            1 => into.extend(bytes.iter().map(|&byte| number(u64::from(byte)))),
            2 => into.extend(
                bytes.as_chunks().0.iter().map(|bytes| number(u64::from(u16::from_le_bytes(*bytes)))),
            ),
            4 => into.extend(
                bytes.as_chunks().0.iter().map(|bytes| number(u64::from(u32::from_le_bytes(*bytes)))),
            ),
            8 => into.extend(bytes.as_chunks().0.iter().map(|bytes| number(u64::from_le_bytes(*bytes)))),
            _ => return Err(self.damaged()),
        }
        Ok(())
    }

    /// Leaves only the values of rows that are wanted.
    fn retain<T>(&self, values: &mut Vec<T>) {
        if let Some(keep) = &self.keep {
            let mut keep = keep.iter();
            values.retain(|_| keep.next().is_some_and(|keep| *keep));
        }
    }

    fn kept_numbers(&mut self, n: usize, into: &mut Vec<u64>) -> Result<()> {
        self.numbers(n, into)?;
        self.retain(into);
        Ok(())
    }

    fn signed(&mut self, n: usize, into: &mut Vec<u64>) -> Result<()> {
        self.kept_numbers(n, into)?;
        into.iter_mut().for_each(|number| *number ^= 1 << 63);
        Ok(())
    }

    fn marks(&mut self, n: usize) -> Result<Option<Cow<'a, [u8]>>> {
        Ok(match (self.byte()?, &self.keep) {
            (0, _) => None,
            (_, None) => Some(Cow::Borrowed(self.take(n)?)),
            _ => {
                let mut marks = self.take(n)?.to_vec();
                self.retain(&mut marks);
                Some(Cow::Owned(marks))
            }
        })
    }
}
