//! Literals and the parameters that stand for them, read as what is wanted.

use throughline_engine::Millis;

use super::Cell;
use super::env::Env;
use super::nearest::{did_you_mean, nearest};
use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{Lit, Literal, Span};
use crate::time::{parse_duration, parse_instant};
use crate::value::Value;

/// The cell of a literal or parameter.
pub(crate) fn literal(lit: &Lit, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<Cell> {
    literal_at(&lit.value, lit.span, env, sink)
}

pub(super) fn literal_at(value: &Literal, span: Span, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<Cell> {
    Some(match value {
        Literal::Null => Cell::Null,
        Literal::Bool(truth) => Cell::Bool(*truth),
        Literal::Int(number) => Cell::Int(*number),
        Literal::Float(number) => Cell::Float(*number),
        Literal::Str(text) => Cell::text(text),
        Literal::Duration(length) => Cell::Duration(*length),
        Literal::Param(name) => match env.params.get(name) {
            Some(value) => from_value(value),
            None => {
                sink.push(unbound(name, span, env));
                return None;
            }
        },
    })
}

fn unbound(name: &str, span: Span, env: &Env) -> Diagnostic {
    let given: Vec<&str> = env.params.keys().map(String::as_str).collect();
    let help = did_you_mean(&nearest(name, given.iter().copied())).unwrap_or_default();
    let list = match given.as_slice() {
        [] => "no parameter is given".to_owned(),
        names => {
            format!("given: {}", names.iter().map(|name| format!("${name}")).collect::<Vec<_>>().join(", "))
        }
    };
    let help = if help.is_empty() { list } else { format!("{help} {list}") };
    Diagnostic::error("E307", span, format!("the parameter `${name}` has no value"))
        .label("not given")
        .help(help)
}

/// A parameter's value as a cell.
pub(crate) fn from_value(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(truth) => Cell::Bool(*truth),
        Value::Int(number) => Cell::Int(*number),
        Value::Float(number) if number.is_nan() => Cell::Null,
        Value::Float(number) => Cell::Float(*number),
        Value::Time(at) => Cell::Time(*at),
        Value::Duration(length) => Cell::Duration(*length),
        Value::Str(text) => Cell::Str(text.clone()),
        Value::List(items) => Cell::List(items.iter().map(from_value).collect()),
    }
}

fn wanted(lit: &Lit, cell: &Cell, what: &str, example: &str, sink: &mut Vec<Diagnostic>) {
    let found = match (&lit.value, cell) {
        (Literal::Param(name), cell) => format!("`${name}` is {}", cell.ty().name()),
        (_, cell) => format!("this is {}", cell.ty().name()),
    };
    sink.push(
        Diagnostic::error("E308", lit.span, format!("{what} is wanted here, and {found}"))
            .label(format!("not {what}"))
            .help(format!("write {example}")),
    );
}

/// A duration, in milliseconds; text such as a parameter's `'7d'` is read as one.
pub(crate) fn duration_of(lit: &Lit, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<i64> {
    match literal(lit, env, sink)? {
        Cell::Duration(length) => Some(length),
        cell => {
            if let Cell::Str(text) = &cell
                && let Some(length) = parse_duration(text)
            {
                return Some(length);
            }
            wanted(lit, &cell, "a duration", "for example `7d` or `90s`", sink);
            None
        }
    }
}

/// A whole number.
pub(crate) fn int_of(lit: &Lit, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<i64> {
    match literal(lit, env, sink)? {
        Cell::Int(number) => Some(number),
        cell => {
            wanted(lit, &cell, "a whole number", "for example `10`", sink);
            None
        }
    }
}

/// A number, whole or not.
pub(crate) fn number_of(lit: &Lit, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<f64> {
    match literal(lit, env, sink)? {
        Cell::Int(number) => Some(number as f64),
        Cell::Float(number) => Some(number),
        cell => {
            wanted(lit, &cell, "a number", "for example `0.9`", sink);
            None
        }
    }
}

/// A whole number that counts something: 0 or more.
pub(crate) fn count_of(lit: &Lit, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<usize> {
    let number = int_of(lit, env, sink)?;
    match usize::try_from(number) {
        Ok(count) => Some(count),
        Err(_) => {
            sink.push(
                Diagnostic::error("E308", lit.span, format!("a count is wanted here, and this is {number}"))
                    .label("below 0"),
            );
            None
        }
    }
}

/// An instant, in milliseconds since 1970 UTC.
pub(crate) fn instant_of(lit: &Lit, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<Millis> {
    match literal(lit, env, sink)? {
        Cell::Time(at) => Some(at),
        cell => {
            if let Cell::Str(text) = &cell
                && let Some(at) = parse_instant(text)
            {
                return Some(at);
            }
            wanted(lit, &cell, "an instant", "for example `'2026-01-31'` or `'2026-01-31T09:00:00Z'`", sink);
            None
        }
    }
}

/// Text.
pub(crate) fn text_of(lit: &Lit, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<std::sync::Arc<str>> {
    match literal(lit, env, sink)? {
        Cell::Str(text) => Some(text),
        cell => {
            wanted(lit, &cell, "text", "it in quotes: `'text'`", sink);
            None
        }
    }
}
