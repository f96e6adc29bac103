//! Columns built from runs of rows of several parts.

use std::borrow::Cow;

use super::check_columns;
use super::widen::{floats_of, strings_of};
use crate::column::Column;
use crate::error::{Error, Result};
use crate::schema::{AttrId, AttrType};
use crate::strings::StringTable;

/// Rows of one part that follow one another in the result too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) part: u32,
    pub(super) start: u32,
    pub(super) len: u32,
}

impl Run {
    fn of<'a, T>(&self, parts: &[Option<&'a [T]>]) -> Option<&'a [T]> {
        let values = parts.get(self.part as usize).copied().flatten()?;
        values.get(self.start as usize..(self.start + self.len) as usize)
    }
}

fn rows_of(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.len as usize).sum()
}

/// The values of the runs, with `null` for those of a part that has none.
pub(super) fn gather_values<T: Copy>(parts: &[Option<&[T]>], runs: &[Run], null: T) -> Vec<T> {
    let mut values = Vec::with_capacity(rows_of(runs));
    for run in runs {
        match run.of(parts) {
            Some(taken) => values.extend_from_slice(taken),
            None => values.resize(values.len() + run.len as usize, null),
        }
    }
    values
}

/// The codes of the runs, translated part by part; the first entry of each
/// translation is that of NULL.
fn gather_codes(parts: &[Option<&[u32]>], translations: &[Vec<u32>], runs: &[Run]) -> Vec<u32> {
    let mut codes = Vec::with_capacity(rows_of(runs));
    for run in runs {
        match run.of(parts).zip(translations.get(run.part as usize)) {
            Some((taken, translation)) => {
                codes.extend(taken.iter().map(|&code| translation.get(code as usize).copied().unwrap_or(0)));
            }
            None => codes.resize(codes.len() + run.len as usize, 0),
        }
    }
    codes
}

/// The marks of NULL of the runs; `None` where no row is NULL. A part without a
/// column is NULL throughout; one without marks has no NULL.
fn gather_valid(parts: &[Option<Option<&[bool]>>], runs: &[Run]) -> Option<Vec<bool>> {
    if parts.iter().all(|part| matches!(part, Some(None))) {
        return None;
    }
    let mut all = Vec::with_capacity(rows_of(runs));
    for run in runs {
        let (start, len) = (run.start as usize, run.len as usize);
        match parts.get(run.part as usize).copied().flatten() {
            Some(None) => all.resize(all.len() + len, true),
            Some(Some(valid)) => all.extend_from_slice(valid.get(start..start + len).unwrap_or_default()),
            None => all.resize(all.len() + len, false),
        }
    }
    all.contains(&false).then_some(all)
}

/// The columns of all attributes that a part has, over `runs`.
pub(super) fn gather_columns(parts: &[&[(AttrId, Column)]], runs: &[Run]) -> Result<Vec<(AttrId, Column)>> {
    let mut attrs: Vec<AttrId> = parts.iter().flat_map(|part| part.iter().map(|(attr, _)| *attr)).collect();
    attrs.sort_unstable();
    attrs.dedup();
    attrs
        .into_iter()
        .map(|attr| {
            let columns: Vec<Option<&Column>> = parts
                .iter()
                .map(|part| {
                    let place = part.binary_search_by_key(&attr, |(id, _)| *id).ok()?;
                    part.get(place).map(|(_, column)| column)
                })
                .collect();
            Ok((attr, gather_column(attr, &columns, runs)?))
        })
        .collect()
}

/// How wide a form is; the widest of an attribute's wins.
fn width(column: &Column) -> u8 {
    match column {
        Column::Int { .. } => 0,
        Column::Float { .. } => 1,
        Column::Str { .. } => 2,
        Column::Symbol { .. } => 3,
    }
}

fn gather_column(attr: AttrId, parts: &[Option<&Column>], runs: &[Run]) -> Result<Column> {
    let widths = || parts.iter().flatten().map(|column| width(column));
    let widest = widths().max().unwrap_or(0);
    if widest == 3 {
        if widths().any(|width| width != widest) {
            return Err(Error::invalid(format!(
                "attribute {} is a symbol in one part and not in another",
                attr.0
            )));
        }
        return Ok(gather_symbols(parts, runs));
    }
    // Only the parts of a narrower form are copied.
    let parts: Vec<Option<Cow<'_, Column>>> = parts
        .iter()
        .map(|part| {
            part.map(|column| match (width(column), widest) {
                (own, widest) if own == widest => Cow::Borrowed(column),
                (_, 1) => Cow::Owned(floats_of(column)),
                _ => Cow::Owned(strings_of(column, AttrType::Float)),
            })
        })
        .collect();
    let columns: Vec<Option<&Column>> = parts.iter().map(Option::as_deref).collect();
    Ok(match widest {
        0 => {
            let (values, valid) = numbers_of(&columns, |column| match column {
                Column::Int { values, valid } => Some((values.as_slice(), valid.as_deref())),
                _ => None,
            });
            Column::Int { values: gather_values(&values, runs, 0), valid: gather_valid(&valid, runs) }
        }
        1 => {
            let (values, valid) = numbers_of(&columns, |column| match column {
                Column::Float { values, valid } => Some((values.as_slice(), valid.as_deref())),
                _ => None,
            });
            Column::Float { values: gather_values(&values, runs, 0.0), valid: gather_valid(&valid, runs) }
        }
        _ => gather_strings(&columns, runs)?,
    })
}

type Values<'a, T> = Vec<Option<&'a [T]>>;
type Marks<'a> = Vec<Option<Option<&'a [bool]>>>;

fn numbers_of<'a, T>(
    columns: &[Option<&'a Column>],
    read: impl Fn(&'a Column) -> Option<(&'a [T], Option<&'a [bool]>)>,
) -> (Values<'a, T>, Marks<'a>) {
    columns
        .iter()
        .map(|column| column.and_then(&read))
        .map(|read| (read.map(|r| r.0), read.map(|r| r.1)))
        .unzip()
}

fn gather_symbols(parts: &[Option<&Column>], runs: &[Run]) -> Column {
    let (codes, dictionaries): (Vec<Option<&[u32]>>, Vec<&[u32]>) = parts
        .iter()
        .map(|part| match part {
            Some(Column::Symbol { codes, dictionary }) => (Some(codes.as_slice()), dictionary.as_slice()),
            _ => (None, Default::default()),
        })
        .unzip();
    let mut dictionary = dictionaries.concat();
    dictionary.sort_unstable();
    dictionary.dedup();
    let code_of = |number: &u32| dictionary.binary_search(number).map_or(0, |place| place as u32 + 1);
    let translations: Vec<Vec<u32>> = dictionaries
        .iter()
        .map(|numbers| std::iter::once(0).chain(numbers.iter().map(code_of)).collect())
        .collect();
    Column::Symbol { codes: gather_codes(&codes, &translations, runs), dictionary }
}

fn gather_strings(parts: &[Option<&Column>], runs: &[Run]) -> Result<Column> {
    let text_bytes = |part: &&Column| match part {
        Column::Str { dictionary, .. } => dictionary.text_bytes() as u64,
        _ => 0,
    };
    // Places in the text of a dictionary are of 32 bits.
    let bytes: u64 = parts.iter().flatten().map(text_bytes).sum();
    if bytes > u64::from(u32::MAX) {
        return Err(Error::Limit {
            what: "bytes of text in one attribute of what is put together",
            value: bytes,
            limit: u64::from(u32::MAX),
        });
    }
    let mut table = StringTable::default();
    let mut all_codes = Vec::with_capacity(parts.len());
    let mut translations = Vec::with_capacity(parts.len());
    for part in parts {
        let mut translation = vec![0];
        if let Some(Column::Str { codes, dictionary }) = part {
            translation.extend(dictionary.iter().map(|text| table.intern(text) + 1));
            all_codes.push(Some(codes.as_slice()));
        } else {
            all_codes.push(None);
        }
        translations.push(translation);
    }
    let codes = gather_codes(&all_codes, &translations, runs);
    Ok(Column::Str { codes, dictionary: table.into_strings() })
}

/// The columns of the parts one after another; part `i` has `rows[i]` rows.
pub(super) fn chain_columns(parts: &[&[(AttrId, Column)]], rows: &[usize]) -> Result<Vec<(AttrId, Column)>> {
    for (columns, &rows) in parts.iter().zip(rows) {
        check_columns(columns, rows)?;
    }
    let total: usize = rows.iter().sum();
    if u32::try_from(total).is_err() {
        return Err(Error::Limit {
            what: "interactions put together",
            value: total as u64,
            limit: u64::from(u32::MAX),
        });
    }
    let runs: Vec<Run> =
        (0..).zip(rows).map(|(part, &rows)| Run { part, start: 0, len: rows as u32 }).collect();
    gather_columns(parts, &runs)
}
