//! Diagnostics as text: the line, a mark under the place, help.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

use super::{Diagnostic, Severity};
use crate::syntax::ast::Span;

/// Columns of a query line that are shown; longer lines are cut around the place.
const LINE_COLUMNS_MAX: usize = 100;
/// Columns before the place that a cut line keeps.
const LEAD_COLUMNS: usize = 30;
const TAB_COLUMNS: usize = 4;

/// Diagnostics one under the other, with the lines of the query `text` they are about.
///
/// Each names its code and message, underlines its places and ends with its
/// help. `color` adds ANSI colours. Signs that would steer a terminal are shown
/// as `\u{fffd}`.
pub fn render(diagnostics: &[Diagnostic], text: &str, color: bool) -> String {
    let mut out = String::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        one(&mut out, diagnostic, text, Paint { color });
    }
    out
}

#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}

fn one(out: &mut String, diagnostic: &Diagnostic, text: &str, paint: Paint) {
    let (word, tint) = match diagnostic.severity {
        Severity::Error => ("error", "1;31"),
        Severity::Warning => ("warning", "1;33"),
    };
    let head = paint.with(tint, &format!("{word}[{}]", diagnostic.code));
    let message = paint.with("1", &format!(": {}", harmless(&diagnostic.message)));
    let _ = writeln!(out, "{head}{message}");

    let places: Vec<(Place, &str, bool)> = diagnostic
        .labels
        .iter()
        .enumerate()
        // What has no place in the text, a parameter that it does not use, underlines nothing.
        .filter(|(_, (span, _))| !text.is_empty() && *span != Span::default())
        .map(|(index, (span, label))| (Place::of(*span, text), label.as_str(), index == 0))
        .collect();
    let gutter = places.iter().map(|(place, ..)| place.line.to_string().len()).max().unwrap_or(0);
    let mut lines: Vec<usize> = places.iter().map(|(place, ..)| place.line).collect();
    lines.sort_unstable();
    lines.dedup();
    let bar = paint.with("1;34", "|");
    for (index, line) in lines.iter().enumerate() {
        let here: Vec<_> = places.iter().filter(|(place, ..)| place.line == *line).collect();
        let Some((first, ..)) = here.first() else { continue };
        if index > 0 && lines.get(index - 1).is_some_and(|before| before + 1 < *line) {
            let _ = writeln!(out, "{:gutter$} {}", "", paint.with("1;34", "…"));
        }
        let view = View::of(first.text, first.start);
        let number = paint.with("1;34", &format!("{line:gutter$}"));
        let _ = writeln!(out, "{}", format!("{number} {bar} {}", view.shown).trim_end());
        for (place, label, main) in here {
            let (from, to) = (view.column(place.start), view.column(place.end));
            let mark = if *main { "^" } else { "-" }.repeat(to.saturating_sub(from).max(1));
            let label = if label.is_empty() { String::new() } else { format!(" {}", harmless(label)) };
            let mark = paint.with(if *main { tint } else { "1;34" }, &format!("{mark}{label}"));
            let _ = writeln!(out, "{:gutter$} {bar} {:from$}{mark}", "", "");
        }
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(
            out,
            "{:gutter$} {} {}",
            "",
            paint.with("1;34", "="),
            format_args!("{} {}", paint.with("1;36", "help:"), harmless(help))
        );
    }
}

/// A place on one line: where it runs on to further lines, it ends with its first.
struct Place<'t> {
    /// Counted from 1.
    line: usize,
    /// The line without its end.
    text: &'t str,
    /// Bytes within the line.
    start: usize,
    end: usize,
}

impl<'t> Place<'t> {
    fn of(span: Span, text: &'t str) -> Self {
        let start = floor_boundary(text, span.start as usize);
        let end = floor_boundary(text, span.end as usize).max(start);
        let before = text.get(..start).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| start + at);
        Self {
            line: before.matches('\n').count() + 1,
            text: text.get(line_start..line_end).unwrap_or("").trim_end_matches('\r'),
            start: start - line_start,
            end: end.min(line_end) - line_start,
        }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The part of a line that is shown, and where each byte of it lies.
struct View {
    shown: String,
    /// (byte in the line, column), ascending.
    columns: Vec<(usize, usize)>,
}

impl View {
    fn of(line: &str, place: usize) -> Self {
        let wide =
            line.len() > LINE_COLUMNS_MAX && line.chars().map(columns_of).sum::<usize>() > LINE_COLUMNS_MAX;
        let from = if wide { Self::lead(line, place) } else { 0 };
        let mut view = Self { shown: String::new(), columns: Vec::new() };
        let mut column = 0;
        if from > 0 {
            view.shown.push('…');
            column = 1;
        }
        for (at, c) in line.char_indices().skip_while(|(at, _)| *at < from) {
            view.columns.push((at, column));
            if wide && column >= LINE_COLUMNS_MAX {
                view.shown.push('…');
                return view;
            }
            column += columns_of(c);
            match c {
                '\t' => view.shown.extend([' '; TAB_COLUMNS]),
                c => view.shown.push(safe(c)),
            }
        }
        view.columns.push((line.len(), column));
        view
    }

    /// The byte from which a cut line is shown.
    fn lead(line: &str, place: usize) -> usize {
        let before = line.get(..place).unwrap_or("");
        before.char_indices().rev().nth(LEAD_COLUMNS).map_or(0, |(at, _)| at)
    }

    fn column(&self, byte: usize) -> usize {
        let at = self.columns.partition_point(|(b, _)| *b < byte);
        self.columns.get(at).or(self.columns.last()).map_or(0, |(_, column)| *column)
    }
}

fn columns_of(c: char) -> usize {
    if c == '\t' { TAB_COLUMNS } else { safe(c).width().unwrap_or(0) }
}

/// Signs that steer a terminal are not handed to it.
fn safe(c: char) -> char {
    let steers = c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if steers { '\u{fffd}' } else { c }
}

fn harmless(text: &str) -> String {
    text.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, span: (usize, usize), expected: &str) {
        let error =
            Diagnostic::error("E101", Span::new(span.0, span.1), "message").label("label").help("help");
        assert_eq!(render(&[error], text, false), expected);
    }

    #[test]
    fn one_line() {
        check("LIMIT x", (6, 7), "error[E101]: message\n1 | LIMIT x\n  |       ^ label\n  = help: help\n");
    }

    #[test]
    fn wide_signs_and_tabs() {
        check(
            "\t'日本' x",
            (10, 11),
            "error[E101]: message\n1 |     '日本' x\n  |            ^ label\n  = help: help\n",
        );
    }

    #[test]
    fn the_end_of_the_text() {
        check("LIMIT", (5, 5), "error[E101]: message\n1 | LIMIT\n  |      ^ label\n  = help: help\n");
    }

    #[test]
    fn a_place_over_several_lines_ends_with_its_first() {
        check("a\r\nbc\nd", (3, 7), "error[E101]: message\n2 | bc\n  | ^^ label\n  = help: help\n");
    }

    #[test]
    fn without_a_text_there_are_no_lines() {
        check("", (0, 0), "error[E101]: message\n = help: help\n");
    }

    #[test]
    fn several_places() {
        let mut error = Diagnostic::warning("E102", Span::new(5, 6), "m");
        error.labels.push((Span::new(0, 1), "first".into()));
        error.labels.push((Span::new(7, 8), String::new()));
        assert_eq!(
            render(&[error], "a b\n\nc\nd", false),
            "warning[E102]: m\n1 | a b\n  | - first\n  …\n3 | c\n  | ^\n4 | d\n  | -\n"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}HERE{}", "x ".repeat(5_000), " y".repeat(5_000));
        let shown = render(&[Diagnostic::error("E101", Span::new(10_000, 10_004), "m")], &text, false);
        assert!(shown.lines().all(|line| line.chars().count() < 110), "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        let (query, mark) = (lines.get(1).expect("query"), lines.get(2).expect("mark"));
        let column = |line: &str, what: &str| line.split(what).next().map(|before| before.chars().count());
        assert_eq!(column(query, "HERE"), column(mark, "^^^^"));
    }

    #[test]
    fn a_terminal_is_not_steered() {
        let error = Diagnostic::error("E101", Span::new(0, 1), "bad \u{1b}[2J");
        let shown = render(&[error], "\u{1b}[2J \u{202e}", false);
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    }

    proptest! {
        #[test]
        fn no_place_panics(text in "\\PC{0,40}|[a\t\n\r日]{0,40}", start in 0_u32..60, end in 0_u32..60, color: bool) {
            let error = Diagnostic::error("E101", Span { start, end }, "m");
            let _ = render(&[error], &text, color);
        }
    }
}
