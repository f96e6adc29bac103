//! Compiling calls of scalar functions.

use super::compile::Compiler;
use super::expr::{Node, Typed};
use super::functions::{AGGREGATES, FUNCTIONS, Function};
use super::nearest::{did_you_mean, nearest};
use super::{Cell, RowType};
use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Literal, Name, Span};
use crate::time::{Field, Unit, parse_instant};

impl Compiler<'_, '_> {
    /// `name(args)`; `marked` where it was written with `*` or DISTINCT.
    pub(super) fn call(&mut self, name: &Name, marked: bool, args: &[Expr], span: Span) -> Option<Typed> {
        let lower = name.text.to_ascii_lowercase();
        if AGGREGATES.contains(&lower.as_str()) {
            return self.fail(
                Diagnostic::error(
                    "E304",
                    span,
                    format!("`{lower}` is an aggregate, and this is computed row by row"),
                )
                .label("aggregate")
                .help("write it in `AGGREGATE … AS name`, and use the name after it"),
            );
        }
        if !FUNCTIONS.contains(&lower.as_str()) {
            let known = || FUNCTIONS.into_iter().chain(AGGREGATES);
            let help = did_you_mean(&nearest(&lower, known()))
                .unwrap_or_else(|| format!("there are: {}", FUNCTIONS.join(", ")));
            return self.fail(
                Diagnostic::error("E303", name.span, format!("there is no function `{}`", name.text))
                    .label("unknown function")
                    .help(help),
            );
        }
        if marked {
            return self.fail(
                Diagnostic::error("E305", span, format!("`{lower}` takes neither `*` nor DISTINCT"))
                    .label("not an aggregate"),
            );
        }
        match (lower.as_str(), args) {
            ("coalesce", [_, ..]) => {
                let items: Option<Vec<Typed>> = args.iter().map(|arg| self.expr(arg)).collect();
                let (ty, attr, items) = self.unified(items?)?;
                Some(Typed { ty, attr, span, node: Node::Call(Function::Coalesce, items) })
            }
            ("date_trunc", [a, b]) => {
                let (unit, at) = self.unit_and_time(a, b, &Unit::ALL.map(|(name, _)| name), &lower)?;
                let (_, unit) = Unit::ALL.get(unit)?;
                Some(Typed::new(RowType::Time, span, Node::Call(Function::DateTrunc(*unit), vec![at])))
            }
            ("extract", [a, b]) => {
                let (field, at) = self.unit_and_time(a, b, &Field::ALL.map(|(name, _)| name), &lower)?;
                let (_, field) = Field::ALL.get(field)?;
                Some(Typed::new(RowType::Int, span, Node::Call(Function::Extract(*field), vec![at])))
            }
            ("lower" | "upper", [text]) => {
                let text = self.textual(text, &lower)?;
                let function = if lower == "lower" { Function::Lower } else { Function::Upper };
                Some(Typed::new(RowType::Text, span, Node::Call(function, vec![text])))
            }
            ("contains", [whole, part]) => {
                let compiled = self.expr(whole)?;
                let part = if let RowType::List(inner) = &compiled.ty {
                    // Compared as an item would be, so that types are checked and constants read.
                    let item = Typed { ty: inner.as_ref().clone(), ..compiled.clone() };
                    let part = self.expr(part)?;
                    let checked = self.comparison(BinaryOp::Eq, item, part, span)?;
                    let Node::Compare(_, _, part) = checked.node else { return None };
                    *part
                } else {
                    self.textual(whole, &lower)?;
                    self.textual(part, &lower)?
                };
                Some(Typed::new(RowType::Bool, span, Node::Call(Function::Contains, vec![compiled, part])))
            }
            ("size", [what]) => {
                let what = self.expr(what)?;
                if !matches!(what.ty, RowType::List(_) | RowType::Text | RowType::Null) {
                    let found = what.ty.name();
                    return self.fail(
                        Diagnostic::error(
                            "E302",
                            what.span,
                            format!("size wants a list or text, not {found}"),
                        )
                        .label(found),
                    );
                }
                Some(Typed::new(RowType::Int, span, Node::Call(Function::Size, vec![what])))
            }
            ("bucket", [value, width]) => self.bucket(value, width, span),
            _ => {
                let usage = match lower.as_str() {
                    "bucket" => "bucket(span, 1d)",
                    "coalesce" => "coalesce(x, y, …)",
                    "date_trunc" => "date_trunc('week', at)",
                    "extract" => "extract('year', at)",
                    "contains" => "contains(text, part)",
                    "size" => "size(list)",
                    "lower" => "lower(text)",
                    _ => "upper(text)",
                };
                self.fail(
                    Diagnostic::error(
                        "E305",
                        span,
                        format!("`{lower}` is called with {} arguments", args.len()),
                    )
                    .label("wrong number of arguments")
                    .help(format!("write `{usage}`")),
                )
            }
        }
    }

    /// `bucket(x, width)`: numbers by a number, durations and times by a duration.
    fn bucket(&mut self, value: &Expr, width: &Expr, span: Span) -> Option<Typed> {
        let (value, width) = (self.expr(value)?, self.expr(width)?);
        let ty = match (&value.ty, &width.ty) {
            (RowType::Null, other) | (other, RowType::Null) => other.clone(),
            (RowType::Int, RowType::Int) => RowType::Int,
            (RowType::Int | RowType::Float, RowType::Int | RowType::Float) => RowType::Float,
            (RowType::Duration | RowType::Time, RowType::Duration) => value.ty.clone(),
            (a, b) => {
                let message = format!("bucket cannot cut {} by {}", a.name(), b.name());
                let help = "write `bucket(score, 10)`, `bucket(span, 1d)` or `bucket(at, 6h)`";
                return self
                    .fail(Diagnostic::error("E302", span, message).label("these do not fit").help(help));
            }
        };
        let narrow = match width.constant() {
            Some(Cell::Int(width) | Cell::Duration(width)) => *width <= 0,
            Some(Cell::Float(width)) => *width <= 0.0,
            _ => false,
        };
        if narrow {
            let wrong = Diagnostic::error("E305", width.span, "the width of a bucket is above 0");
            return self.fail(wrong.label("no width"));
        }
        Some(Typed::new(ty, span, Node::Call(Function::Bucket, vec![value, width])))
    }

    /// `('week', at)`, `(at, 'week')` and both with the unit as a bare word.
    fn unit_and_time(&mut self, a: &Expr, b: &Expr, units: &[&str], what: &str) -> Option<(usize, Typed)> {
        let place = |expr: &Expr| {
            let word = match &expr.kind {
                ExprKind::Literal(Literal::Str(text)) => text.as_str(),
                ExprKind::Literal(Literal::Param(name)) => match self.env.params.get(name) {
                    Some(value) => value.as_str()?,
                    None => return None,
                },
                ExprKind::Column { qualifier: None, name } => name.text.as_str(),
                _ => return None,
            };
            units.iter().position(|unit| unit.eq_ignore_ascii_case(word.trim()))
        };
        let (unit, at) = match (place(a), place(b)) {
            (Some(unit), _) => (unit, b),
            (None, Some(unit)) => (unit, a),
            (None, None) => {
                return self.fail(
                    Diagnostic::error("E305", a.span.to(b.span), format!("`{what}` wants a unit and a time"))
                        .label("no unit here")
                        .help(format!("units: {}", units.join(", "))),
                );
            }
        };
        let at = self.expr(at)?;
        match (&at.ty, at.constant()) {
            (RowType::Time | RowType::Null, _) => Some((unit, at)),
            (_, Some(Cell::Str(text))) if parse_instant(text).is_some() => {
                let cell = parse_instant(text).map_or(Cell::Null, Cell::Time);
                Some((unit, Typed::from_cell(cell, at.span)))
            }
            _ => {
                let found = at.ty.name();
                self.fail(
                    Diagnostic::error("E302", at.span, format!("`{what}` wants a time, and this is {found}"))
                        .label(found),
                )
            }
        }
    }
}
