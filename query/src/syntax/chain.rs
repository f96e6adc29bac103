//! Chains of AND and of OR as balanced trees.
//!
//! A chain of n operands is log2(n) deep, so that whoever walks, clones or
//! drops the tree may recurse. Both operators are associative (in
//! three-valued logic too), so the shape changes no answer.

use super::ast::{BinaryOp, Expr, ExprKind, ForExpr};

/// `a AND b AND …` or `a OR b OR …`; nested chains of the same operator are joined. `None` for no operand.
pub(crate) fn expressions(op: BinaryOp, operands: Vec<Expr>) -> Option<Expr> {
    let mut flat = Vec::with_capacity(operands.len());
    let mut waiting: Vec<Expr> = operands.into_iter().rev().collect();
    while let Some(expr) = waiting.pop() {
        match expr.kind {
            ExprKind::Binary(inner, left, right) if inner == op => {
                waiting.push(*right);
                waiting.push(*left);
            }
            _ => flat.push(expr),
        }
    }
    balance(flat, &|left: Expr, right: Expr| {
        let span = left.span.to(right.span);
        Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), span }
    })
}

/// The same over customers. Operands that are all expressions become one expression.
pub(crate) fn customers(op: BinaryOp, operands: Vec<ForExpr>) -> Option<ForExpr> {
    if operands.iter().all(|o| matches!(o, ForExpr::Attributes(_))) {
        let inner = operands.into_iter().filter_map(|o| match o {
            ForExpr::Attributes(expr) => Some(expr),
            _ => None,
        });
        return expressions(op, inner.collect()).map(ForExpr::Attributes);
    }
    let mut flat = Vec::with_capacity(operands.len());
    let mut waiting: Vec<ForExpr> = operands.into_iter().rev().collect();
    while let Some(operand) = waiting.pop() {
        match (operand, op) {
            (ForExpr::And(left, right), BinaryOp::And) | (ForExpr::Or(left, right), BinaryOp::Or) => {
                waiting.push(*right);
                waiting.push(*left);
            }
            (other, _) => flat.push(other),
        }
    }
    balance(flat, &|left: ForExpr, right: ForExpr| match op {
        BinaryOp::Or => ForExpr::Or(Box::new(left), Box::new(right)),
        _ => ForExpr::And(Box::new(left), Box::new(right)),
    })
}

/// Levels that balancing adds over the operands.
pub(crate) fn levels(operands: usize) -> u32 {
    operands.max(1).next_power_of_two().ilog2()
}

fn balance<T>(mut operands: Vec<T>, join: &impl Fn(T, T) -> T) -> Option<T> {
    // Pairs of neighbours, again and again: an odd one at the end waits.
    while operands.len() > 1 {
        let mut joined = Vec::with_capacity(operands.len().div_ceil(2));
        let mut rest = operands.into_iter();
        while let Some(left) = rest.next() {
            joined.push(match rest.next() {
                Some(right) => join(left, right),
                None => left,
            });
        }
        operands = joined;
    }
    operands.pop()
}
