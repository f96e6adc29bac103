//! The scalar functions.

use super::Cell;
use super::cell::equal;
use super::env::Env;
use super::expr::{Cells, Typed};
use crate::time::{self, Field, Unit};

/// A scalar function, its arguments in the order they are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// The first that is not NULL.
    Coalesce,
    /// The start of the unit that a time lies in, UTC.
    DateTrunc(Unit),
    /// A number out of a time, UTC.
    Extract(Field),
    Lower,
    Upper,
    /// Whether a text contains a part, or a list an item; exact.
    Contains,
    /// Items of a list, characters of a text.
    Size,
    /// The multiple of a width at or below a value.
    Bucket,
}

/// Names of the scalar functions, for messages.
pub(super) const FUNCTIONS: [&str; 8] =
    ["coalesce", "date_trunc", "extract", "lower", "upper", "contains", "size", "bucket"];

/// Names of the aggregates.
pub(super) const AGGREGATES: [&str; 11] =
    ["count", "sum", "avg", "min", "max", "median", "quantile", "stddev", "share", "top", "list"];

impl Function {
    pub(super) fn eval(self, args: &[Typed], row: &dyn Cells, env: &Env) -> Cell {
        let arg = |place: usize| args.get(place).map_or(Cell::Null, |arg| arg.eval(row, env));
        match self {
            Self::Coalesce => {
                args.iter().map(|arg| arg.eval(row, env)).find(|cell| !cell.is_null()).unwrap_or(Cell::Null)
            }
            Self::DateTrunc(unit) => match arg(0) {
                Cell::Time(at) => time::trunc(at, unit).map_or(Cell::Null, Cell::Time),
                _ => Cell::Null,
            },
            Self::Extract(field) => match arg(0) {
                Cell::Time(at) => time::extract(at, field).map_or(Cell::Null, Cell::Int),
                _ => Cell::Null,
            },
            Self::Lower => map_text(&arg(0), env, str::to_lowercase),
            Self::Upper => map_text(&arg(0), env, str::to_uppercase),
            Self::Contains => match (arg(0), arg(1)) {
                (Cell::Null, _) | (_, Cell::Null) => Cell::Null,
                (Cell::List(items), wanted) => contains(&items, &wanted, env),
                (text, part) => text
                    .with_text(env, |text| part.with_text(env, |part| text.contains(part)))
                    .flatten()
                    .map_or(Cell::Null, Cell::Bool),
            },
            Self::Size => match arg(0) {
                Cell::Null => Cell::Null,
                Cell::List(items) => Cell::Int(items.len() as i64),
                text => text.with_text(env, |text| text.chars().count() as i64).map_or(Cell::Null, Cell::Int),
            },
            Self::Bucket => bucket(&arg(0), &arg(1)),
        }
    }
}

/// The greatest multiple of `width` that is at most `value`; NULL where the
/// width is not above 0, or 64 bits do not hold it. Times count from 1970 UTC.
fn bucket(value: &Cell, width: &Cell) -> Cell {
    let whole = |value: i64, width: i64| match width > 0 {
        true => value.checked_sub(value.rem_euclid(width)),
        false => None,
    };
    match (value, width) {
        (Cell::Int(value), Cell::Int(width)) => whole(*value, *width).map_or(Cell::Null, Cell::Int),
        (Cell::Duration(value), Cell::Duration(width)) => {
            whole(*value, *width).map_or(Cell::Null, Cell::Duration)
        }
        (Cell::Time(value), Cell::Duration(width)) => whole(*value, *width).map_or(Cell::Null, Cell::Time),
        _ => match (value.as_float(), width.as_float()) {
            (Some(value), Some(width)) if width > 0.0 => {
                let found = (value / width).floor() * width;
                if found.is_nan() { Cell::Null } else { Cell::Float(found) }
            }
            _ => Cell::Null,
        },
    }
}

/// As `wanted IN (items)`: NULL where it is not found and an item is NULL.
fn contains(items: &[Cell], wanted: &Cell, env: &Env) -> Cell {
    let mut unknown = false;
    for item in items {
        match equal(item, wanted, env) {
            Some(true) => return Cell::Bool(true),
            Some(false) => {}
            None => unknown = true,
        }
    }
    if unknown { Cell::Null } else { Cell::Bool(false) }
}

fn map_text(cell: &Cell, env: &Env, change: fn(&str) -> String) -> Cell {
    cell.with_text(env, change).map_or(Cell::Null, |text| Cell::text(&text))
}
