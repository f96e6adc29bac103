//! Answers on paper: tables for people, csv, JSON and Markdown for what reads on.

mod csv;
mod json;
mod markdown;
mod table;
mod text;

use std::io::{self, Write};

use throughline::{Answer, RowColumn, Value};

use crate::args::Format;

pub(crate) use json::value;
pub(crate) use table::{Width, table};
pub(crate) use text::for_people;

/// Writes rows in a format. `width` bounds the table.
pub(crate) fn rows(
    out: &mut dyn Write,
    format: Format,
    columns: &[RowColumn],
    rows: &[Vec<Value>],
    width: Width,
) -> io::Result<()> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    named_rows(out, format, &names, rows, width)
}

/// Columns that a table of the answer takes where nothing is cut.
pub(crate) fn table_width(answer: &Answer) -> usize {
    let names: Vec<&str> = answer.columns().iter().map(|column| column.name.as_str()).collect();
    table::full_width(&names, answer.rows())
}

/// Places of the columns that have a value in some row; all of them where there is no row.
pub(crate) fn filled(answer: &Answer) -> Vec<usize> {
    let has_value = |&column: &usize| {
        answer.rows().iter().filter_map(|row| row.get(column)).any(|cell| *cell != Value::Null)
    };
    (0..answer.columns().len()).filter(|column| answer.rows().is_empty() || has_value(column)).collect()
}

/// Writes a table of the columns at these places.
pub(crate) fn some_columns(
    out: &mut dyn Write,
    answer: &Answer,
    places: &[usize],
    width: Width,
) -> io::Result<()> {
    let names: Vec<&str> = places
        .iter()
        .filter_map(|&place| answer.columns().get(place))
        .map(|column| column.name.as_str())
        .collect();
    let rows: Vec<Vec<Value>> = answer
        .rows()
        .iter()
        .map(|row| places.iter().filter_map(|&place| row.get(place).cloned()).collect())
        .collect();
    table(out, &names, &rows, width)
}

/// Writes rows whose columns have these names.
pub(crate) fn named_rows(
    out: &mut dyn Write,
    format: Format,
    names: &[&str],
    rows: &[Vec<Value>],
    width: Width,
) -> io::Result<()> {
    match format {
        Format::Table => table(out, names, rows, width),
        Format::Csv => csv::csv(out, names, rows),
        Format::Json => json::array(out, names, rows),
        Format::Jsonl => json::lines(out, names, rows),
        Format::Markdown => markdown::markdown(out, names, rows),
    }
}
