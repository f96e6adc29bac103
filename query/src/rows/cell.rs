//! Comparing cells: exact between whole numbers and floats, symbols by their
//! text, customers by the identity they are shown by, identities by themselves.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use throughline_engine::IdentityOrdinal;

use super::env::Env;
use super::{Cell, RowType};

impl RowType {
    /// The name shown in messages.
    pub fn name(&self) -> String {
        match self {
            Self::Bool => "a truth value".into(),
            Self::Int => "a whole number".into(),
            Self::Float => "a number".into(),
            Self::Time => "a time".into(),
            Self::Duration => "a duration".into(),
            Self::Text => "text".into(),
            Self::Customer => "a customer".into(),
            Self::Identity => "an identity".into(),
            Self::List(inner) => format!("a list of {}", inner.plural()),
            Self::Null => "NULL".into(),
        }
    }

    fn plural(&self) -> String {
        match self {
            Self::Bool => "truth values".into(),
            Self::Int => "whole numbers".into(),
            Self::Float => "numbers".into(),
            Self::Time => "times".into(),
            Self::Duration => "durations".into(),
            Self::Text => "texts".into(),
            Self::Customer => "customers".into(),
            Self::Identity => "identities".into(),
            Self::List(_) => "lists".into(),
            Self::Null => "NULLs".into(),
        }
    }

    /// Whether values are text or numbers that stand for one.
    pub(super) fn is_textual(&self) -> bool {
        matches!(self, Self::Text | Self::Customer | Self::Identity)
    }

    /// Whether values are whole numbers or floats.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }
}

impl Cell {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::Str(text.into())
    }

    /// The type of the cell.
    pub(crate) fn ty(&self) -> RowType {
        match self {
            Self::Null => RowType::Null,
            Self::Bool(_) => RowType::Bool,
            Self::Int(_) => RowType::Int,
            Self::Float(_) => RowType::Float,
            Self::Time(_) => RowType::Time,
            Self::Duration(_) => RowType::Duration,
            Self::Symbol(..) | Self::Str(_) => RowType::Text,
            Self::Customer(_) => RowType::Customer,
            Self::Identity(_) => RowType::Identity,
            Self::List(items) => {
                let ty = items.iter().map(Self::ty).find(|ty| *ty != RowType::Null);
                RowType::List(Box::new(ty.unwrap_or(RowType::Null)))
            }
        }
    }

    /// Whether it is text or a number that stands for one.
    pub(super) fn is_textual(&self) -> bool {
        matches!(self, Self::Symbol(..) | Self::Str(_) | Self::Customer(_) | Self::Identity(_))
    }

    /// The text of a symbol, a text, a customer or an identity; `None` for anything else.
    pub(crate) fn as_text(&self, env: &Env) -> Option<Arc<str>> {
        let name = match self {
            Self::Str(text) => return Some(text.clone()),
            Self::Symbol(attr, symbol) => return Some(env.snapshot.symbol_text(*attr, *symbol)),
            Self::Customer(customer) => env.snapshot.customer_name(*customer),
            Self::Identity(identity) => env.snapshot.identity_name(*identity),
            _ => return None,
        };
        match name {
            Ok(name) => Some(name.into()),
            Err(error) => {
                env.note_failure(error);
                None
            }
        }
    }

    /// Calls `read` with the text, without copying it where it can be lent.
    pub(crate) fn with_text<R>(&self, env: &Env, read: impl FnOnce(&str) -> R) -> Option<R> {
        match self {
            Self::Str(text) => Some(read(text)),
            Self::Symbol(attr, symbol) => {
                let mut read = Some(read);
                let mut answer = None;
                env.snapshot.with_symbol(*attr, *symbol, &mut |text| {
                    if let Some(read) = read.take() {
                        answer = Some(read(text));
                    }
                });
                answer
            }
            _ => self.as_text(env).map(|text| read(&text)),
        }
    }

    /// The number as a double.
    pub(crate) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The cell as equality sees it: one cell for all that are equal. With
    /// `symbols`, symbols stay numbers: only right where all symbols compared
    /// are of one attribute and none is compared with a text.
    pub(crate) fn canonical(self, symbols: bool, env: &Env) -> Self {
        match self {
            Self::Float(number) => Self::Float(if number == 0.0 { 0.0 } else { number }),
            Self::Symbol(attr, symbol) if !symbols => Self::Str(env.snapshot.symbol_text(attr, symbol)),
            Self::List(items) => {
                Self::List(items.iter().map(|item| item.clone().canonical(symbols, env)).collect())
            }
            other => other,
        }
    }
}

/// How two cells compare in an expression: `None` where either is NULL or they
/// have no common order. Lists compare item by item, the shorter first.
pub(crate) fn compare(a: &Cell, b: &Cell, env: &Env) -> Option<Ordering> {
    match (a, b) {
        (Cell::Int(a), Cell::Int(b)) | (Cell::Time(a), Cell::Time(b)) => Some(a.cmp(b)),
        (Cell::Duration(a), Cell::Duration(b)) => Some(a.cmp(b)),
        (Cell::Float(a), Cell::Float(b)) => a.partial_cmp(b),
        (Cell::Int(a), Cell::Float(b)) => compare_int_float(*a, *b),
        (Cell::Float(a), Cell::Int(b)) => compare_int_float(*b, *a).map(Ordering::reverse),
        (Cell::Bool(a), Cell::Bool(b)) => Some(a.cmp(b)),
        (Cell::Symbol(x, a), Cell::Symbol(y, b)) if x == y && a == b => Some(Ordering::Equal),
        (Cell::Customer(a), Cell::Customer(b)) if a == b => Some(Ordering::Equal),
        (Cell::Identity(a), Cell::Identity(b)) if a == b => Some(Ordering::Equal),
        (Cell::Str(a), Cell::Str(b)) => Some(a.as_ref().cmp(b.as_ref())),
        (Cell::List(a), Cell::List(b)) => {
            for (a, b) in a.iter().zip(b.iter()) {
                match compare(a, b, env)? {
                    Ordering::Equal => {}
                    other => return Some(other),
                }
            }
            Some(a.len().cmp(&b.len()))
        }
        _ if a.is_textual() && b.is_textual() => a.with_text(env, |a| b.with_text(env, |b| a.cmp(b)))?,
        _ => None,
    }
}

/// Whether two cells are equal; `None` where either is NULL. Symbols of one
/// attribute are compared by number.
pub(crate) fn equal(a: &Cell, b: &Cell, env: &Env) -> Option<bool> {
    match (a, b) {
        (Cell::Null, _) | (_, Cell::Null) => None,
        (Cell::Symbol(x, a), Cell::Symbol(y, b)) if x == y => Some(a == b),
        (Cell::Customer(a), Cell::Customer(b)) => Some(a == b),
        (Cell::Identity(a), Cell::Identity(b)) => Some(a == b),
        _ => Some(compare(a, b, env) == Some(Ordering::Equal)),
    }
}

/// A total order for sorting and grouping: NULL after everything, values of
/// one type by [`compare`], different types by type.
pub(crate) fn order(a: &Cell, b: &Cell, env: &Env) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    if let (Cell::List(a), Cell::List(b)) = (a, b) {
        for (a, b) in a.iter().zip(b.iter()) {
            match order(a, b, env) {
                Ordering::Equal => {}
                other => return other,
            }
        }
        return a.len().cmp(&b.len());
    }
    compare(a, b, env).unwrap_or_else(|| rank(a).cmp(&rank(b)))
}

fn rank(cell: &Cell) -> u8 {
    match cell {
        Cell::Bool(_) => 0,
        Cell::Int(_) | Cell::Float(_) => 1,
        Cell::Time(_) => 2,
        Cell::Duration(_) => 3,
        Cell::Symbol(..) | Cell::Str(_) | Cell::Customer(_) | Cell::Identity(_) => 4,
        Cell::List(_) => 5,
        Cell::Null => 6,
    }
}

/// Compares without rounding the whole number to a double; `None` for NaN.
pub(crate) fn compare_int_float(int: i64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // 2^63 is a double; every double below it and from -2^63 on truncates to an i64 exactly.
    if float >= 9_223_372_036_854_775_808.0 {
        return Some(Ordering::Less);
    }
    if float < -9_223_372_036_854_775_808.0 {
        return Some(Ordering::Greater);
    }
    let whole = float.trunc();
    Some(
        int.cmp(&(whole as i64))
            .then_with(|| 0.0_f64.partial_cmp(&(float - whole)).unwrap_or(Ordering::Equal)),
    )
}

/// A [canonical](Cell::canonical) cell with equality and a hash. NULL equals NULL.
impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) | (Self::Time(a), Self::Time(b)) => a == b,
            (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Symbol(x, a), Self::Symbol(y, b)) => x == y && a == b,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Customer(a), Self::Customer(b)) => a == b,
            (Self::Identity(a), Self::Identity(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Cell {}

impl Hash for Cell {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Null => state.write_u64(0x9e37),
            Self::Bool(truth) => state.write_u64(1 + u64::from(*truth)),
            Self::Int(number) | Self::Time(number) | Self::Duration(number) => {
                state.write_u64(*number as u64)
            }
            Self::Float(number) => state.write_u64(number.to_bits()),
            Self::Symbol(_, number) | Self::Customer(number) | Self::Identity(IdentityOrdinal(number)) => {
                state.write_u64(u64::from(*number));
            }
            Self::Str(text) => state.write(text.as_bytes()),
            Self::List(items) => {
                state.write_u64(items.len() as u64);
                for item in items.iter() {
                    item.hash(state);
                }
            }
        }
    }
}
