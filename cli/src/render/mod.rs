//! Answers on paper: tables for people, csv, JSON and Markdown for what reads on.

mod csv;
mod json;
mod markdown;
mod records;
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

/// How an answer was shown on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Every column side by side.
    Whole,
    /// Without so many columns that are empty in every row.
    WithoutEmpty(usize),
    /// Row under row, because even the cut columns are too many.
    Records,
}

/// Writes an answer on a terminal of so many columns.
pub(crate) fn on_terminal(out: &mut dyn Write, answer: &Answer, width: usize) -> io::Result<Shown> {
    let all: Vec<usize> = (0..answer.columns().len()).collect();
    let (names, rows) = some_columns(answer, &all);
    if answer.rows().is_empty() || table::full_width(&names, &rows) <= width {
        return table(out, &names, &rows, Some(width)).map(|()| Shown::Whole);
    }
    let places = filled(answer);
    let (names, rows) = some_columns(answer, &places);
    if table::least_width(&names, &rows) > width {
        return records::records(out, &names, &rows, width).map(|()| Shown::Records);
    }
    let empty = all.len() - places.len();
    let shown = if empty == 0 { Shown::Whole } else { Shown::WithoutEmpty(empty) };
    table(out, &names, &rows, Some(width)).map(|()| shown)
}

/// Places of the columns that have a value in some row.
pub(crate) fn filled(answer: &Answer) -> Vec<usize> {
    let has_value = |&column: &usize| {
        answer.rows().iter().filter_map(|row| row.get(column)).any(|cell| *cell != Value::Null)
    };
    (0..answer.columns().len()).filter(has_value).collect()
}

/// Names and rows of the columns at these places.
pub(crate) fn some_columns<'a>(answer: &'a Answer, places: &[usize]) -> (Vec<&'a str>, Vec<Vec<Value>>) {
    let column = |&place: &usize| answer.columns().get(place).map(|column| column.name.as_str());
    let cells = |row: &Vec<Value>| places.iter().filter_map(|&place| row.get(place).cloned()).collect();
    (places.iter().filter_map(column).collect(), answer.rows().iter().map(cells).collect())
}

/// Writes rows whose columns have these names; as a table what is asked for as
/// a graph and is no answer of a query.
pub(crate) fn named_rows(
    out: &mut dyn Write,
    format: Format,
    names: &[&str],
    rows: &[Vec<Value>],
    width: Width,
) -> io::Result<()> {
    match format {
        Format::Table | Format::Dot | Format::Graphml => table(out, names, rows, width),
        Format::Csv => csv::csv(out, names, rows),
        Format::Json => json::array(out, names, rows),
        Format::Jsonl => json::lines(out, names, rows),
        Format::Markdown => markdown::markdown(out, names, rows),
    }
}
