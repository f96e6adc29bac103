//! Answers on paper: tables for people, csv, JSON and Markdown for what reads on.

mod csv;
mod json;
mod markdown;
mod table;
mod text;

use std::io::{self, Write};

use throughline::{RowColumn, Value};

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
