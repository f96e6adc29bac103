//! Arithmetic. `/` between whole numbers gives a float, dividing by zero gives
//! NULL, and what leaves 64 bits is an error of the query.

use super::env::Env;
use super::{Cell, RowType};
use crate::syntax::ast::{BinaryOp, Span};

/// The type of `a op b`; `None` where there is no such operation.
pub(super) fn result_type(op: BinaryOp, a: &RowType, b: &RowType) -> Option<RowType> {
    use RowType::{Duration, Float, Int, Null, Time};
    Some(match (op, a, b) {
        (_, Null, Null) => Null,
        (_, Null, other) | (_, other, Null) => match other {
            Int if op == BinaryOp::Div => Float,
            Int | Float | Duration | Time => other.clone(),
            _ => return None,
        },
        (BinaryOp::Div, Int | Float, Int | Float) => Float,
        (_, Int, Int) => Int,
        (_, Int | Float, Int | Float) => Float,
        (BinaryOp::Sub, Time, Time) => Duration,
        (BinaryOp::Add | BinaryOp::Sub, Time, Duration) | (BinaryOp::Add, Duration, Time) => Time,
        (BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mod, Duration, Duration) => Duration,
        (BinaryOp::Div, Duration, Duration) => Float,
        (BinaryOp::Mul | BinaryOp::Div, Duration, Int | Float) => Duration,
        (BinaryOp::Mul, Int | Float, Duration) => Duration,
        _ => return None,
    })
}

/// `a op b`.
pub(super) fn apply(op: BinaryOp, a: &Cell, b: &Cell, span: Span, env: &Env) -> Cell {
    use Cell::{Duration, Float, Int, Time};
    let whole = |result: Option<i64>, make: fn(i64) -> Cell| match result {
        Some(number) => make(number),
        None => {
            env.note_overflow(span);
            Cell::Null
        }
    };
    match (op, a, b) {
        (BinaryOp::Div, Int(_) | Float(_), Int(_) | Float(_)) => floats(op, a, b),
        (_, Int(a), Int(b)) => match op {
            BinaryOp::Mod if *b == 0 => Cell::Null,
            BinaryOp::Mod => Int(a.wrapping_rem(*b)),
            _ => whole(integers(op, *a, *b), Int),
        },
        (_, Int(_) | Float(_), Int(_) | Float(_)) => floats(op, a, b),
        (BinaryOp::Sub, Time(a), Time(b)) => whole(a.checked_sub(*b), Duration),
        (BinaryOp::Add | BinaryOp::Sub, Time(a), Duration(b)) => whole(integers(op, *a, *b), Time),
        (BinaryOp::Add, Duration(a), Time(b)) => whole(a.checked_add(*b), Time),
        (BinaryOp::Div, Duration(a), Duration(b)) => match b {
            0 => Cell::Null,
            _ => Float(*a as f64 / *b as f64),
        },
        (BinaryOp::Mod, Duration(_), Duration(0)) => Cell::Null,
        (BinaryOp::Mod, Duration(a), Duration(b)) => Duration(a.wrapping_rem(*b)),
        (BinaryOp::Add | BinaryOp::Sub, Duration(a), Duration(b)) => whole(integers(op, *a, *b), Duration),
        (BinaryOp::Mul, Duration(a), Int(b)) | (BinaryOp::Mul, Int(b), Duration(a)) => {
            whole(a.checked_mul(*b), Duration)
        }
        (BinaryOp::Mul, Duration(a), Float(b)) | (BinaryOp::Mul, Float(b), Duration(a)) => {
            whole(rounded(*a as f64 * b), Duration)
        }
        (BinaryOp::Div, Duration(a), Int(_) | Float(_)) => match b.as_float() {
            Some(by) if by != 0.0 => whole(rounded(*a as f64 / by), Duration),
            _ => Cell::Null,
        },
        _ => Cell::Null,
    }
}

/// The nearest whole number, halves away from zero; `None` where 64 bits do not hold it.
pub(super) fn rounded(number: f64) -> Option<i64> {
    let number = number.round();
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number).then_some(number as i64)
}

fn integers(op: BinaryOp, a: i64, b: i64) -> Option<i64> {
    match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Sub => a.checked_sub(b),
        BinaryOp::Mul => a.checked_mul(b),
        _ => None,
    }
}

/// NaN, which the store knows nowhere, becomes NULL.
fn floats(op: BinaryOp, a: &Cell, b: &Cell) -> Cell {
    let (Some(a), Some(b)) = (a.as_float(), b.as_float()) else { return Cell::Null };
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        _ if b == 0.0 => return Cell::Null,
        BinaryOp::Div => a / b,
        _ => a % b,
    };
    if result.is_nan() { Cell::Null } else { Cell::Float(result) }
}
