//! Opening stores, and asking them.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use throughline::engine::Options;
use throughline::{Answer, Db, Params, QueryError, Value, diagnostics};

use crate::args::Format;
use crate::failure::{Failure, Outcome};
use crate::people::many;
use crate::render::{self, Shown, Width};

/// Opens the store that is there.
pub(crate) fn open(path: &Path, read_only: bool) -> Outcome<Db> {
    is_folder(path)?;
    if !path.exists() {
        return Err(Failure::said(format!(
            "there is no store in {}; `throughline import {} FILE` makes one",
            path.display(),
            path.display()
        )));
    }
    Ok(Db::open_with(path, Options { create: false, read_only, ..Options::default() })?)
}

/// That the path is not that of a file, which is a slip often made.
fn is_folder(path: &Path) -> Outcome<()> {
    if path.is_file() {
        return Err(Failure::said(format!(
            "{} is a file, and a store is a folder; `throughline import DB {}` reads it into the store DB",
            path.display(),
            path.display()
        )));
    }
    Ok(())
}

/// Opens a store to work on it with so much memory, in bytes.
pub(crate) fn open_with_memory(path: &Path, create: bool, memory_bytes: usize) -> Outcome<Db> {
    is_folder(path)?;
    Ok(Db::open_with(path, Options { create, memory_bytes, ..Options::default() })?)
}

/// Answers one statement; warnings and notes go to standard error, and so does
/// the error where there is no answer.
pub(crate) fn ask(db: &Db, text: &str, params: &Params) -> Outcome<Answer> {
    // A value that a statement does not speak of is an error to the language,
    // but here several statements share the parameters.
    let params: Params = params
        .iter()
        .filter(|(name, _)| uses(text, name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    match db.query_with(text, &params) {
        Ok(answer) => {
            if !answer.warnings().is_empty() {
                say(&diagnostics::render(answer.warnings(), text, colored()));
            }
            for note in answer.notes() {
                say(&format!("note: {note}"));
            }
            Ok(answer)
        }
        Err(error) => {
            say(&told(&error));
            if let Some((name, value)) =
                params.iter().find(|(_, value)| is_plain(value) && of_wrong_type(&error))
            {
                let value = render::for_people(value);
                say(&format!(
                    "note: ${name} was taken for a number or a truth; {name}='\"{value}\"' makes it text"
                ));
            }
            Err(Failure::AlreadySaid)
        }
    }
}

/// Whether the value is one that an unquoted parameter becomes by its looks.
fn is_plain(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_))
}

/// Whether a value of another type was wanted.
fn of_wrong_type(error: &QueryError) -> bool {
    const CODES: [&str; 2] = ["E302", "E308"];
    matches!(error, QueryError::Query { diagnostics, .. }
        if diagnostics.iter().any(|found| CODES.contains(&found.code)))
}

fn told(error: &QueryError) -> String {
    match error {
        QueryError::Query { text, diagnostics } => diagnostics::render(diagnostics, text, colored()),
        other => format!("error: {other}"),
    }
}

/// Whether a statement speaks of `$name`.
pub(crate) fn uses(text: &str, name: &str) -> bool {
    text.split('$').skip(1).any(|rest| {
        rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
            && !rest.get(name.len()..).is_some_and(|rest| {
                rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_')
            })
    })
}

/// Writes an answer to standard output.
pub(crate) fn show(answer: &Answer, format: Format) -> Outcome<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let drawn = match format {
        Format::Dot => Some(answer.to_dot()),
        Format::Graphml => Some(answer.to_graphml()),
        _ => None,
    };
    let drawn = drawn.transpose().map_err(|error| Failure::said(error.to_string()))?;
    let written = match (drawn, format, terminal_width()) {
        (Some(drawn), ..) => out.write_all(drawn.as_bytes()).map(|()| Shown::Whole),
        (_, Format::Table, Some(width)) => render::on_terminal(&mut out, answer, width),
        (_, _, width) => {
            render::rows(&mut out, format, answer.columns(), answer.rows(), width).map(|()| Shown::Whole)
        }
    };
    let shown =
        written.and_then(|shown| out.flush().map(|()| shown)).map_err(|error| Failure::output(&error))?;
    match shown {
        Shown::Whole => {}
        Shown::WithoutEmpty(1) => say("note: 1 column is empty in every row and left out here"),
        Shown::WithoutEmpty(columns) => {
            say(&format!("note: {columns} columns are empty in every row and left out here"));
        }
        Shown::Records => say("note: too many columns for this terminal; SELECT some of them for a table"),
    }
    if format == Format::Table && io::stdout().is_terminal() {
        say(&many(answer.rows().len() as u64, "row"));
    }
    Ok(())
}

/// Columns of the terminal that standard output is.
pub(crate) fn terminal_width() -> Width {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// Whether standard error takes colours (<https://no-color.org>).
fn colored() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Says something on standard error; nobody listening is no failure.
pub(crate) fn say(words: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", words.trim_end());
}

/// The statements of a text, without their `;`.
pub(crate) fn statements(text: &str) -> Vec<&str> {
    throughline::syntax::split_statements(text)
        .into_iter()
        .filter_map(|(span, closed)| {
            let statement = text.get(span.start as usize..span.end as usize)?.trim();
            Some(if closed { statement.strip_suffix(';').unwrap_or(statement) } else { statement })
        })
        .collect()
}

/// The text as a literal of the query language.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The name as the query language takes any name.
pub(crate) fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_that_are_spoken_of() {
        assert!(uses("FOR CUSTOMER $who |> INTERACTIONS", "who"));
        assert!(!uses("FOR CUSTOMER $whole |> INTERACTIONS", "who"));
        assert!(!uses("who", "who"));
        assert!(uses("GAP $d", "d"));
    }

    #[test]
    fn statements_come_without_their_ends() {
        assert_eq!(statements("INTERACTIONS; WHERE a = ';' ;\n"), ["INTERACTIONS", "WHERE a = ';' "]);
    }

    #[test]
    fn quoting() {
        assert_eq!(quoted("it's"), "'it''s'");
        assert_eq!(quoted_name("a\"b"), "\"a\"\"b\"");
    }
}
