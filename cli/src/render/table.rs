//! Aligned columns for people.

use std::io::{self, Write};

use throughline::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::text::{for_people, is_number, is_whole};

/// Columns of a terminal that a table may fill; `None` where it goes on as far as it must.
pub(crate) type Width = Option<usize>;

/// Between columns.
const GAP: usize = 2;
/// No column is cut below this.
const CUT_MIN: usize = 8;

/// A header, a rule and a line a row.
pub(crate) fn table(
    out: &mut dyn Write,
    names: &[&str],
    rows: &[Vec<Value>],
    width: Width,
) -> io::Result<()> {
    let cells = cells(rows);
    let mut widths = widths(names, &cells);
    let right = columns_with(names.len(), rows, is_number);
    if let Some(total) = width {
        let whole = columns_with(names.len(), rows, is_whole);
        fit(&mut widths, &whole, total);
    }
    let headers: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    line(out, &headers, &widths, &right)?;
    let rules: Vec<String> = widths.iter().map(|&width| "─".repeat(width)).collect();
    line(out, &rules, &widths, &right)?;
    for row in &cells {
        line(out, row, &widths, &right)?;
    }
    Ok(())
}

/// Columns of a terminal that the table takes where nothing is cut.
pub(crate) fn full_width(names: &[&str], rows: &[Vec<Value>]) -> usize {
    let widths = widths(names, &cells(rows));
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Columns of a terminal that it takes where everything is cut that may be.
pub(crate) fn least_width(names: &[&str], rows: &[Vec<Value>]) -> usize {
    let mut widths = widths(names, &cells(rows));
    fit(&mut widths, &columns_with(names.len(), rows, is_whole), 0);
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Which columns have such a value.
fn columns_with(columns: usize, rows: &[Vec<Value>], such: fn(&Value) -> bool) -> Vec<bool> {
    (0..columns).map(|column| rows.iter().filter_map(|row| row.get(column)).any(such)).collect()
}

fn cells(rows: &[Vec<Value>]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(for_people).collect()).collect()
}

fn widths(names: &[&str], cells: &[Vec<String>]) -> Vec<usize> {
    let mut widths: Vec<usize> = names.iter().map(|name| name.width()).collect();
    for row in cells {
        for (cell, column) in row.iter().zip(&mut widths) {
            *column = (*column).max(cell.width());
        }
    }
    widths
}

/// Narrows the widest text columns until the table fits.
fn fit(widths: &mut [usize], whole: &[bool], total: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(total);
    while excess > 0 {
        let widest = widths.iter_mut().zip(whole).filter(|(width, whole)| !**whole && **width > CUT_MIN);
        let Some((width, _)) = widest.max_by_key(|(width, _)| **width) else { return };
        *width -= 1;
        excess -= 1;
    }
}

fn line(out: &mut dyn Write, cells: &[String], widths: &[usize], right: &[bool]) -> io::Result<()> {
    let mut text = String::new();
    for (place, ((cell, &width), &right)) in cells.iter().zip(widths).zip(right).enumerate() {
        if place > 0 {
            text.push_str(&" ".repeat(GAP));
        }
        let cell = cut(cell, width);
        let blank = " ".repeat(width.saturating_sub(cell.width()));
        if right {
            text.push_str(&blank);
            text.push_str(&cell);
        } else {
            text.push_str(&cell);
            text.push_str(&blank);
        }
    }
    writeln!(out, "{}", text.trim_end())
}

/// The text within `width` columns, with `…` where it was longer.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for letter in text.chars() {
        let wide = letter.width().unwrap_or(0);
        if used + wide > width.saturating_sub(1) {
            break;
        }
        used += wide;
        kept.push(letter);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], rows: &[Vec<Value>], width: Width, expected: &str) {
        let mut out = Vec::new();
        table(&mut out, names, rows, width).expect("writes");
        assert_eq!(String::from_utf8(out).expect("is text"), expected);
    }

    #[test]
    fn columns_are_aligned() {
        check(
            &["topic", "n"],
            &[
                vec![Value::Str("billing".into()), Value::Int(7)],
                vec![Value::Str("配送".into()), Value::Int(1_200)],
                vec![Value::Null, Value::Null],
            ],
            None,
            "topic       n\n───────  ────\nbilling     7\n配送     1200\n–           –\n",
        );
        check(&["a", "b"], &[], None, "a  b\n─  ─\n");
    }

    #[test]
    fn long_texts_are_cut_to_the_terminal() {
        let rows = [vec![Value::Str("a long story that goes on".into()), Value::Int(12)]];
        check(
            &["text", "n"],
            &rows,
            Some(20),
            "text               n\n────────────────  ──\na long story th…  12\n",
        );
        check(&["text", "n"], &rows, Some(4), "text       n\n────────  ──\na long …  12\n");
    }
}
