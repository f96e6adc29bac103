//! Names of columns that were written without `AS`.

use super::RowSchema;
use super::expr::Typed;
use crate::diagnostics::Diagnostic;
use crate::limits::ROW_COLUMNS_MAX;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Literal, Name, UnaryOp};

/// The name of an expression: a column keeps its own, `count(*)` is `count`,
/// `median(span)` is `median_span`, anything else its words joined by `_`.
pub(super) fn default_name(expr: &Expr) -> String {
    if let ExprKind::Column { qualifier, name } = &expr.kind {
        return match qualifier {
            Some(qualifier) => format!("{qualifier}.{name}"),
            None => name.text.clone(),
        };
    }
    let mut words = Vec::new();
    collect(expr, &mut words);
    let name = words.join("_");
    if name.is_empty() { "value".into() } else { name }
}

fn collect(expr: &Expr, words: &mut Vec<String>) {
    match &expr.kind {
        ExprKind::Literal(literal) => words.push(match literal {
            Literal::Null => "null".into(),
            Literal::Bool(truth) => truth.to_string(),
            Literal::Int(number) => number.to_string(),
            Literal::Float(number) => number.to_string(),
            Literal::Str(text) => text.clone(),
            Literal::Duration(length) => format!("{length}ms"),
            Literal::Param(name) => name.clone(),
        }),
        ExprKind::Column { qualifier, name } => {
            words.extend(qualifier.iter().map(|qualifier| qualifier.text.clone()));
            words.push(name.text.clone());
        }
        ExprKind::Unary(op, x) => {
            words.push(if *op == UnaryOp::Not { "not" } else { "minus" }.into());
            collect(x, words);
        }
        ExprKind::Binary(op, a, b) => {
            collect(a, words);
            words.push(
                match op {
                    BinaryOp::Or => "or",
                    BinaryOp::And => "and",
                    BinaryOp::Eq => "is",
                    BinaryOp::Ne => "is_not",
                    BinaryOp::Lt => "below",
                    BinaryOp::Le => "at_most",
                    BinaryOp::Gt => "above",
                    BinaryOp::Ge => "at_least",
                    BinaryOp::Add => "plus",
                    BinaryOp::Sub => "minus",
                    BinaryOp::Mul => "times",
                    BinaryOp::Div => "per",
                    BinaryOp::Mod => "mod",
                }
                .into(),
            );
            collect(b, words);
        }
        ExprKind::In { value, .. } => {
            collect(value, words);
            words.push("in".into());
        }
        ExprKind::Between { value, .. } => {
            collect(value, words);
            words.push("between".into());
        }
        ExprKind::Like { value, .. } => {
            collect(value, words);
            words.push("like".into());
        }
        ExprKind::IsNull { value, negated } => {
            collect(value, words);
            words.push(if *negated { "is_not_null" } else { "is_null" }.into());
        }
        ExprKind::Case { .. } => words.push("case".into()),
        ExprKind::Item(list, place) => {
            collect(list, words);
            collect(place, words);
        }
        ExprKind::Call { name, distinct, args, .. } => {
            words.push(name.text.to_ascii_lowercase());
            if *distinct {
                words.push("distinct".into());
            }
            args.iter().for_each(|arg| collect(arg, words));
        }
    }
}

/// Adds a column: a written name must be new, a derived one gets `_2`, `_3`
/// where it is not.
pub(super) fn add_column(
    schema: &mut RowSchema,
    alias: Option<&Name>,
    derived: impl FnOnce() -> String,
    typed: &Typed,
    sink: &mut Vec<Diagnostic>,
) -> Option<()> {
    if schema.columns.len() >= ROW_COLUMNS_MAX {
        let wrong = Diagnostic::error("E110", typed.span, format!("more than {ROW_COLUMNS_MAX} columns"));
        sink.push(wrong.label("one too many").help("select fewer columns"));
        return None;
    }
    let taken = |schema: &RowSchema, name: &str| schema.find(name).is_some();
    let name = match alias {
        Some(alias) if taken(schema, &alias.text) => {
            sink.push(
                Diagnostic::error("E309", alias.span, format!("there is already a column `{alias}`"))
                    .label("second of this name")
                    .help("choose another name after AS"),
            );
            return None;
        }
        Some(alias) => alias.text.clone(),
        None => {
            let name = derived();
            if taken(schema, &name) { numbered(schema, &name) } else { name }
        }
    };
    schema.columns.push(super::RowColumn { name, ty: typed.ty.clone() });
    Some(())
}

/// `name_2`, or the next number that no column has. One look at each column:
/// a text may name one column thousands of times.
fn numbered(schema: &RowSchema, name: &str) -> String {
    let mut used = vec![false; schema.columns.len() + 2];
    for column in &schema.columns {
        let Some((own, number)) = column.name.split_at_checked(name.len()) else { continue };
        let number = number.strip_prefix('_').filter(|number| !number.starts_with('0'));
        let number = number.and_then(|number| number.parse::<usize>().ok());
        if let (true, Some(used)) =
            (own.eq_ignore_ascii_case(name), number.and_then(|number| used.get_mut(number)))
        {
            *used = true;
        }
    }
    // One number more than there are columns is free in any case.
    let free = used.iter().skip(2).position(|used| !used).map_or(used.len(), |place| place + 2);
    format!("{name}_{free}")
}

impl RowSchema {
    /// The place of the column called `name`, ignoring case.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }
}
