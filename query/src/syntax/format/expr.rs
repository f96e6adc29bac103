//! Text of expressions and of FOR's predicates, with no more brackets than needed.

use super::{Quoted, inline, join, literal, name, step};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, ForExpr, HasWhat, Literal, Name, UnaryOp};

/// How tightly an expression holds together; what is looser than its place asks for is put in brackets.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Or,
    And,
    Not,
    Compare,
    Sum,
    Product,
    Minus,
    Whole,
}

pub(super) fn expression(expr: &Expr) -> String {
    at(expr, Level::Or)
}

fn at(expr: &Expr, wanted: Level) -> String {
    let text = bare(expr);
    if level(expr) < wanted { format!("({text})") } else { text }
}

fn level(expr: &Expr) -> Level {
    match &expr.kind {
        ExprKind::Binary(op, ..) => match op {
            BinaryOp::Or => Level::Or,
            BinaryOp::And => Level::And,
            BinaryOp::Add | BinaryOp::Sub => Level::Sum,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => Level::Product,
            _ => Level::Compare,
        },
        ExprKind::Unary(UnaryOp::Not, _) => Level::Not,
        ExprKind::Unary(UnaryOp::Minus, _) => Level::Minus,
        ExprKind::In { .. } | ExprKind::Between { .. } | ExprKind::Like { .. } | ExprKind::IsNull { .. } => {
            Level::Compare
        }
        ExprKind::Literal(_)
        | ExprKind::Column { .. }
        | ExprKind::Case { .. }
        | ExprKind::Item(..)
        | ExprKind::Call { .. } => Level::Whole,
    }
}

fn bare(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Literal(value) => literal(value),
        ExprKind::Column { qualifier, name } => match qualifier {
            Some(qualifier) => format!("{}.{}", leading_name(qualifier), super::name(name)),
            None => leading_name(name),
        },
        ExprKind::Unary(UnaryOp::Not, x) => format!("NOT {}", at(x, Level::Not)),
        ExprKind::Unary(UnaryOp::Minus, x) => {
            let operand = at(x, Level::Whole);
            // Without brackets the sign would become part of a number.
            if operand.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
                format!("-({operand})")
            } else {
                format!("-{operand}")
            }
        }
        ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or), ..) => {
            let (word, inner) =
                if *op == BinaryOp::And { (" AND ", Level::Not) } else { (" OR ", Level::And) };
            operands(expr, *op).into_iter().map(|x| at(x, inner)).collect::<Vec<_>>().join(word)
        }
        ExprKind::Binary(op, x, y) => {
            let (left, right) = match op {
                BinaryOp::Add | BinaryOp::Sub => (Level::Sum, Level::Product),
                BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => (Level::Product, Level::Minus),
                _ => (Level::Sum, Level::Sum),
            };
            format!("{} {} {}", at(x, left), sign(*op), at(y, right))
        }
        ExprKind::In { value, list, negated } => {
            let list = match list.as_slice() {
                [Expr { kind: ExprKind::Literal(Literal::Param(name)), .. }] => format!("${name}"),
                several => format!("({})", join(several, ", ", expression)),
            };
            format!("{} {}IN {list}", at(value, Level::Sum), not(*negated))
        }
        ExprKind::Between { value, low, high, negated } => format!(
            "{} {}BETWEEN {} AND {}",
            at(value, Level::Sum),
            not(*negated),
            at(low, Level::Sum),
            at(high, Level::Sum)
        ),
        ExprKind::Like { value, pattern, negated } => {
            format!("{} {}LIKE {}", at(value, Level::Sum), not(*negated), at(pattern, Level::Sum))
        }
        ExprKind::IsNull { value, negated } => {
            format!("{} IS {}NULL", at(value, Level::Sum), not(*negated))
        }
        ExprKind::Case { operand, branches, otherwise } => {
            let mut text = String::from("CASE");
            if let Some(operand) = operand {
                text.push_str(&format!(" {}", case_operand(operand)));
            }
            for (when, then) in branches {
                text.push_str(&format!(" WHEN {} THEN {}", expression(when), expression(then)));
            }
            if let Some(otherwise) = otherwise {
                text.push_str(&format!(" ELSE {}", expression(otherwise)));
            }
            text + " END"
        }
        ExprKind::Item(list, index) => format!("{}[{}]", at(list, Level::Whole), expression(index)),
        ExprKind::Call { name, distinct, star, args } => {
            let inside = match (star, distinct) {
                (true, _) => "*".into(),
                (_, true) => format!("DISTINCT {}", join(args, ", ", expression)),
                _ => join(args, ", ", expression),
            };
            format!("{}({inside})", leading_name(name))
        }
    }
}

/// CASE is read as the expression only before a plain beginning of its operand.
fn case_operand(operand: &Expr) -> String {
    match &operand.kind {
        ExprKind::Column { .. } => bare(operand),
        _ => format!("({})", bare(operand)),
    }
}

/// A name where a keyword of expressions could stand: those are quoted.
fn leading_name(column: &Name) -> String {
    let keyword =
        ["case", "distinct", "when", "has"].iter().any(|word| column.text.eq_ignore_ascii_case(word));
    if keyword { Quoted(&column.text, '"').to_string() } else { name(column) }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

fn sign(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Or => "OR",
        BinaryOp::And => "AND",
        BinaryOp::Eq => "=",
        BinaryOp::Ne => "<>",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Mod => "%",
    }
}

/// What a chain of AND or of OR joins, left to right, whatever the tree's shape.
fn operands(expr: &Expr, op: BinaryOp) -> Vec<&Expr> {
    let mut found = Vec::new();
    let mut waiting = vec![expr];
    while let Some(next) = waiting.pop() {
        match &next.kind {
            ExprKind::Binary(inner, left, right) if *inner == op => {
                waiting.extend([right.as_ref(), left.as_ref()])
            }
            _ => found.push(next),
        }
    }
    found
}

pub(super) fn customers(expr: &ForExpr) -> String {
    customers_at(expr, Level::Or)
}

fn customers_at(expr: &ForExpr, wanted: Level) -> String {
    let (text, level) = match expr {
        ForExpr::Attributes(inner) => (bare(inner), level(inner)),
        ForExpr::Or(..) => (customers_chain(expr, true), Level::Or),
        ForExpr::And(..) => (customers_chain(expr, false), Level::And),
        ForExpr::Not(inner, _) => (format!("NOT {}", customers_at(inner, Level::Not)), Level::Not),
        ForExpr::Customer(identity) => (format!("CUSTOMER {}", literal(&identity.value)), Level::Whole),
        ForExpr::Cohort(cohort) => (format!("COHORT {}", name(cohort)), Level::Whole),
        ForExpr::In(query, _) => (format!("IN ({})", inline(query)), Level::Whole),
        ForExpr::Has { no, at_least, what, .. } => {
            let no = if *no { "NO " } else { "" };
            let at_least =
                at_least.as_ref().map_or_else(String::new, |n| format!("AT LEAST {} ", literal(&n.value)));
            let what = match what {
                HasWhat::Step(looked_for) => step(looked_for),
                HasWhat::Predicate(predicate) => format!("({})", expression(predicate)),
            };
            (format!("HAS {no}{at_least}{what}"), Level::Whole)
        }
    };
    if level < wanted { format!("({text})") } else { text }
}

fn customers_chain(expr: &ForExpr, or: bool) -> String {
    let mut found = Vec::new();
    let mut waiting = vec![expr];
    while let Some(next) = waiting.pop() {
        match (next, or) {
            (ForExpr::Or(left, right), true) | (ForExpr::And(left, right), false) => {
                waiting.extend([right.as_ref(), left.as_ref()]);
            }
            _ => found.push(next),
        }
    }
    let (word, inner) = if or { (" OR ", Level::And) } else { (" AND ", Level::Not) };
    found.into_iter().map(|x| customers_at(x, inner)).collect::<Vec<_>>().join(word)
}
