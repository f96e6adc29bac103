//! Expressions, with their places.

use super::{Literal, Name, Span};

/// An expression with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
}

/// Expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A literal or parameter.
    Literal(Literal),
    /// `name`, `a.channel`, `customer.plan`: one or two parts.
    Column {
        /// `a` of `a.channel`.
        qualifier: Option<Name>,
        /// `channel`
        name: Name,
    },
    /// `NOT x`, `-x`
    Unary(UnaryOp, Box<Expr>),
    /// `x + y`, `x = y`, `x AND y` …
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `x [NOT] IN (a, b)`
    In {
        /// The value.
        value: Box<Expr>,
        /// The list.
        list: Vec<Expr>,
        /// `NOT IN`
        negated: bool,
    },
    /// `x [NOT] BETWEEN a AND b`
    Between {
        /// The value.
        value: Box<Expr>,
        /// Lower bound, inclusive.
        low: Box<Expr>,
        /// Upper bound, inclusive.
        high: Box<Expr>,
        /// `NOT BETWEEN`
        negated: bool,
    },
    /// `x [NOT] LIKE 'a%'`
    Like {
        /// The value.
        value: Box<Expr>,
        /// The pattern: `%` any run, `_` any one character, `\` escapes.
        pattern: Box<Expr>,
        /// `NOT LIKE`
        negated: bool,
    },
    /// `x IS [NOT] NULL`
    IsNull {
        /// The value.
        value: Box<Expr>,
        /// `IS NOT NULL`
        negated: bool,
    },
    /// `CASE [x] WHEN … THEN … [ELSE …] END`
    Case {
        /// `CASE x WHEN value`: compared with each.
        operand: Option<Box<Expr>>,
        /// (condition or value, result)
        branches: Vec<(Expr, Expr)>,
        /// `ELSE`
        otherwise: Option<Box<Expr>>,
    },
    /// `x[1]`, `x[-1]`
    Item(Box<Expr>, Box<Expr>),
    /// `name(args)`, aggregates and scalars alike.
    Call {
        /// The function.
        name: Name,
        /// `count(DISTINCT …)`
        distinct: bool,
        /// `count(*)`
        star: bool,
        /// The arguments.
        args: Vec<Expr>,
    },
}

/// Unary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the operators themselves")]
pub enum UnaryOp {
    Not,
    Minus,
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the operators themselves")]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
}
