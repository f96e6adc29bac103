//! Rows while they are gathered from parts: columns that only grow, each with
//! one dictionary.

use crate::column::Column;
use crate::error::{Error, Result};
use crate::merge::Rows;
use crate::schema::AttrId;
use crate::strings::StringTable;

/// Symbols are renumbered by a table up to this number, beyond it by searching.
const TABLED_SYMBOLS: usize = 1 << 20;

/// The form of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Symbol = 0,
    String = 1,
    Int = 2,
    Float = 3,
}

impl Form {
    pub(super) fn of(column: &Column) -> Self {
        match column {
            Column::Symbol { .. } => Self::Symbol,
            Column::Str { .. } => Self::String,
            Column::Int { .. } => Self::Int,
            Column::Float { .. } => Self::Float,
        }
    }
}

enum Growing {
    /// 0 for NULL, else 1 + the symbol's number.
    Symbols(Vec<u32>),
    Strings {
        codes: Vec<u32>,
        table: StringTable,
    },
    Ints {
        values: Vec<i64>,
        valid: Option<Vec<bool>>,
    },
    Floats {
        values: Vec<f64>,
        valid: Option<Vec<bool>>,
    },
}

/// Rows of some parts, one part after another.
#[derive(Default)]
pub(super) struct Gathered {
    customers: Vec<u32>,
    times: Vec<i64>,
    /// Ascending by attribute; one that lacks the last rows is NULL there. An
    /// attribute whose form has changed meanwhile stands a column for each form.
    columns: Vec<(AttrId, Form, Growing)>,
}

impl Gathered {
    /// Begins a part with its customers.
    pub(super) fn customers(&mut self, customers: impl Iterator<Item = u32>) {
        self.customers.extend(customers);
    }

    pub(super) fn times(&mut self, times: impl Iterator<Item = i64>) {
        self.times.extend(times);
    }

    pub(super) fn symbols(&mut self, attr: AttrId, numbers: impl Iterator<Item = u32>) {
        let (column, first) = self.column(attr, Form::Symbol, numbers.size_hint().0);
        if let Growing::Symbols(all) = column {
            all.resize(first, 0);
            all.extend(numbers);
        }
    }

    /// `None` where lengths, text and codes do not fit each other.
    pub(super) fn strings(
        &mut self,
        attr: AttrId,
        text: &str,
        lengths: &[u64],
        codes: impl Iterator<Item = usize>,
    ) -> Option<Result<()>> {
        let (column, first) = self.column(attr, Form::String, codes.size_hint().0);
        let Growing::Strings { codes: all, table } = column else { return None };
        let mut translation = Vec::with_capacity(lengths.len() + 1);
        translation.push(0);
        let mut start = 0;
        for &length in lengths {
            let end = start + usize::try_from(length).ok()?;
            match table.try_intern(text.get(start..end)?) {
                Ok(number) => translation.push(number + 1),
                Err(error) => return Some(Err(error)),
            }
            start = end;
        }
        all.resize(first, 0);
        for code in codes {
            all.push(*translation.get(code)?);
        }
        Some(Ok(()))
    }

    pub(super) fn ints(&mut self, attr: AttrId, marks: Option<&[u8]>, numbers: impl Iterator<Item = i64>) {
        let (column, first) = self.column(attr, Form::Int, numbers.size_hint().0);
        if let Growing::Ints { values, valid } = column {
            extend(values, valid, first, marks, numbers);
        }
    }

    pub(super) fn floats(&mut self, attr: AttrId, marks: Option<&[u8]>, numbers: impl Iterator<Item = f64>) {
        let (column, first) = self.column(attr, Form::Float, numbers.size_hint().0);
        if let Growing::Floats { values, valid } = column {
            extend(values, valid, first, marks, numbers);
        }
    }

    /// The column and how many rows come before the part that has `rows`.
    fn column(&mut self, attr: AttrId, form: Form, rows: usize) -> (&mut Growing, usize) {
        let key = (attr, form as u8);
        let place = match self.columns.binary_search_by_key(&key, |(attr, form, _)| (*attr, *form as u8)) {
            Ok(place) => place,
            Err(place) => {
                let column = match form {
                    Form::Symbol => Growing::Symbols(Vec::new()),
                    Form::String => Growing::Strings { codes: Vec::new(), table: StringTable::default() },
                    Form::Int => Growing::Ints { values: Vec::new(), valid: None },
                    Form::Float => Growing::Floats { values: Vec::new(), valid: None },
                };
                self.columns.insert(place, (attr, form, column));
                place
            }
        };
        (&mut self.columns[place].2, self.times.len() - rows)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The rows, each column as `conform` reads it. An attribute of several forms
    /// must be of one then.
    pub(super) fn finish(self, conform: &dyn Fn(AttrId, Column) -> Column) -> Result<Rows> {
        let rows = self.times.len();
        let mut columns: Vec<(AttrId, Column)> = Vec::with_capacity(self.columns.len());
        for (attr, _, column) in self.columns {
            let column = conform(attr, column.finish(rows));
            match columns.pop_if(|(last, _)| *last == attr) {
                None => columns.push((attr, column)),
                Some((_, before)) => columns.push((attr, either(attr, before, column)?)),
            }
        }
        Ok(Rows { customers: self.customers, times: self.times, columns })
    }
}

impl Growing {
    fn finish(self, rows: usize) -> Column {
        match self {
            Self::Symbols(mut numbers) => {
                numbers.resize(rows, 0);
                symbols(numbers)
            }
            Self::Strings { mut codes, table } => {
                codes.resize(rows, 0);
                Column::Str { codes, dictionary: table.into_strings() }
            }
            Self::Ints { mut values, valid } => {
                let valid = closed(valid, values.len(), rows);
                values.resize(rows, 0);
                Column::Int { values, valid }
            }
            Self::Floats { mut values, valid } => {
                let valid = closed(valid, values.len(), rows);
                values.resize(rows, 0.0);
                Column::Float { values, valid }
            }
        }
    }
}

/// Codes for a dictionary in ascending order.
fn symbols(mut numbers: Vec<u32>) -> Column {
    let largest = numbers.iter().copied().max().unwrap_or(0) as usize;
    let mut dictionary: Vec<u32>;
    if largest < TABLED_SYMBOLS {
        let mut codes = vec![0_u32; largest + 1];
        numbers.iter().for_each(|&number| codes[number as usize] = 1);
        codes[0] = 0;
        dictionary = (0..).zip(&codes).filter(|(_, is)| **is > 0).map(|(number, _)| number).collect();
        (1..).zip(&dictionary).for_each(|(code, &number): (u32, _)| codes[number as usize] = code);
        numbers.iter_mut().for_each(|number| *number = codes[*number as usize]);
    } else {
        dictionary = numbers.iter().copied().filter(|&number| number > 0).collect();
        dictionary.sort_unstable();
        dictionary.dedup();
        for number in &mut numbers {
            *number = dictionary.binary_search(number).map_or(0, |place| place as u32 + 1);
        }
    }
    dictionary.iter_mut().for_each(|number| *number -= 1);
    Column::Symbol { codes: numbers, dictionary }
}

fn extend<T: Copy + Default>(
    values: &mut Vec<T>,
    valid: &mut Option<Vec<bool>>,
    first: usize,
    marks: Option<&[u8]>,
    numbers: impl Iterator<Item = T>,
) {
    let before = values.len();
    values.resize(first, T::default());
    values.extend(numbers);
    if marks.is_some() || before < first || valid.is_some() {
        let valid = valid.get_or_insert_with(|| vec![true; before]);
        valid.resize(first, false);
        match marks {
            Some(marks) => valid.extend(marks.iter().map(|&mark| mark > 0)),
            None => valid.resize(values.len(), true),
        }
    }
}

fn closed(valid: Option<Vec<bool>>, len: usize, rows: usize) -> Option<Vec<bool>> {
    let mut valid = match valid {
        None if len == rows => return None,
        None => vec![true; len],
        Some(valid) => valid,
    };
    valid.resize(rows, false);
    valid.contains(&false).then_some(valid)
}

/// Two columns of one form, of which at most one has a value in each row.
fn either(attr: AttrId, a: Column, b: Column) -> Result<Column> {
    fn fill<T: Copy>(
        values: &mut [T],
        valid: Option<Vec<bool>>,
        others: Vec<T>,
        theirs: Option<Vec<bool>>,
    ) -> Option<Vec<bool>> {
        let mut valid = valid.unwrap_or_else(|| vec![true; values.len()]);
        let theirs = theirs.unwrap_or_else(|| vec![true; others.len()]);
        for (((value, valid), other), their) in values.iter_mut().zip(&mut valid).zip(others).zip(theirs) {
            if their {
                (*value, *valid) = (other, true);
            }
        }
        valid.contains(&false).then_some(valid)
    }
    Ok(match (a, b) {
        (Column::Int { mut values, valid }, Column::Int { values: others, valid: theirs }) => {
            let valid = fill(&mut values, valid, others, theirs);
            Column::Int { values, valid }
        }
        (Column::Float { mut values, valid }, Column::Float { values: others, valid: theirs }) => {
            let valid = fill(&mut values, valid, others, theirs);
            Column::Float { values, valid }
        }
        (Column::Str { mut codes, dictionary }, Column::Str { codes: others, dictionary: theirs }) => {
            let mut table = StringTable::from_strings(dictionary);
            let numbers = theirs.iter().map(|text| table.try_intern(text)).collect::<Result<Vec<u32>>>()?;
            for (code, other) in codes.iter_mut().zip(others) {
                if let Some(number) = other.checked_sub(1).and_then(|entry| numbers.get(entry as usize)) {
                    *code = number + 1;
                }
            }
            Column::Str { codes, dictionary: table.into_strings() }
        }
        _ => return Err(Error::invalid(format!("attribute {} is held in forms that do not agree", attr.0))),
    })
}
