//! Values, predicates and lengths of time.

use std::ops::{Add, Div, Mul, Neg, Not, Sub};

use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Lit, Literal, Name, Span, UnaryOp};
use crate::syntax::{chain, parse_predicate};

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Length(i64);

impl Length {
    pub(super) fn lit(self) -> Lit {
        Lit::new(Literal::Duration(self.0))
    }
}

fn length(n: u32, scale: i64) -> Length {
    // At most 2^32 weeks, which an i64 of milliseconds holds.
    Length(i64::from(n) * scale)
}

/// `n` milliseconds
pub fn millis(n: u32) -> Length {
    length(n, 1)
}

/// `n` seconds
pub fn seconds(n: u32) -> Length {
    length(n, 1_000)
}

/// `n` minutes
pub fn minutes(n: u32) -> Length {
    length(n, 60_000)
}

/// `n` hours
pub fn hours(n: u32) -> Length {
    length(n, 3_600_000)
}

/// `n` days of 24 hours
pub fn days(n: u32) -> Length {
    length(n, 86_400_000)
}

/// `n` weeks
pub fn weeks(n: u32) -> Length {
    length(n, 604_800_000)
}

/// An expression, with a name if it becomes a column.
#[derive(Clone, Debug)]
pub struct Value {
    pub(super) expr: Expr,
    pub(super) alias: Option<Name>,
}

fn made(kind: ExprKind) -> Value {
    Value { expr: Expr { kind, span: Span::default() }, alias: None }
}

fn literal(value: Literal) -> Value {
    made(ExprKind::Literal(value))
}

/// An attribute or column: `attr("kind")`, `attr("a.channel")`.
pub fn attr(name: &str) -> Value {
    let (qualifier, name) = match name.split_once('.') {
        Some((qualifier, name)) => (Some(Name::new(qualifier)), Name::new(name)),
        None => (None, Name::new(name)),
    };
    made(ExprKind::Column { qualifier, name })
}

/// A literal, where a text alone would be taken for a column's name.
pub fn value(value: impl IntoOperand) -> Value {
    value.operand()
}

/// `$name`
pub fn param(name: impl Into<String>) -> Value {
    literal(Literal::Param(name.into()))
}

/// Any function of the language by its name.
pub fn call<C: IntoColumn>(name: impl Into<String>, args: impl IntoIterator<Item = C>) -> Value {
    let args = args.into_iter().map(|arg| arg.column().expr).collect();
    made(ExprKind::Call { name: Name::new(name), distinct: false, star: false, args })
}

/// `count(*)`
pub fn count() -> Value {
    made(ExprKind::Call { name: Name::new("count"), distinct: false, star: true, args: Vec::new() })
}

/// `count(x)`: how many are not null.
pub fn count_of(column: impl IntoColumn) -> Value {
    call("count", [column])
}

/// `count(DISTINCT x)`
pub fn count_distinct(column: impl IntoColumn) -> Value {
    let args = vec![column.column().expr];
    made(ExprKind::Call { name: Name::new("count"), distinct: true, star: false, args })
}

/// `sum(x)`
pub fn sum(column: impl IntoColumn) -> Value {
    call("sum", [column])
}

/// `avg(x)`
pub fn avg(column: impl IntoColumn) -> Value {
    call("avg", [column])
}

/// `min(x)`
pub fn min(column: impl IntoColumn) -> Value {
    call("min", [column])
}

/// `max(x)`
pub fn max(column: impl IntoColumn) -> Value {
    call("max", [column])
}

/// `median(x)`
pub fn median(column: impl IntoColumn) -> Value {
    call("median", [column])
}

/// `quantile(x, q)` with linear interpolation; `q` from 0 to 1.
pub fn quantile(column: impl IntoColumn, q: f64) -> Value {
    call("quantile", [column.column(), q.operand()])
}

/// `share(predicate)`
pub fn share(predicate: Value) -> Value {
    call("share", [predicate])
}

/// `NOT x`
pub fn not(predicate: Value) -> Value {
    !predicate
}

impl Value {
    /// The same as a column of this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.alias = Some(Name::new(name));
        self
    }

    fn binary(self, op: BinaryOp, other: impl IntoOperand) -> Self {
        made(ExprKind::Binary(op, Box::new(self.expr), Box::new(other.operand().expr)))
    }

    /// `x = y`
    #[must_use]
    pub fn eq(self, other: impl IntoOperand) -> Self {
        self.binary(BinaryOp::Eq, other)
    }

    /// `x <> y`
    #[must_use]
    pub fn ne(self, other: impl IntoOperand) -> Self {
        self.binary(BinaryOp::Ne, other)
    }

    /// `x < y`
    #[must_use]
    pub fn lt(self, other: impl IntoOperand) -> Self {
        self.binary(BinaryOp::Lt, other)
    }

    /// `x <= y`
    #[must_use]
    pub fn le(self, other: impl IntoOperand) -> Self {
        self.binary(BinaryOp::Le, other)
    }

    /// `x > y`
    #[must_use]
    pub fn gt(self, other: impl IntoOperand) -> Self {
        self.binary(BinaryOp::Gt, other)
    }

    /// `x >= y`
    #[must_use]
    pub fn ge(self, other: impl IntoOperand) -> Self {
        self.binary(BinaryOp::Ge, other)
    }

    fn list<O: IntoOperand>(self, list: impl IntoIterator<Item = O>, negated: bool) -> Self {
        let list = list.into_iter().map(|item| item.operand().expr).collect();
        made(ExprKind::In { value: Box::new(self.expr), list, negated })
    }

    /// `x IN (…)`
    #[must_use]
    pub fn is_in<O: IntoOperand>(self, list: impl IntoIterator<Item = O>) -> Self {
        self.list(list, false)
    }

    /// `x NOT IN (…)`
    #[must_use]
    pub fn is_not_in<O: IntoOperand>(self, list: impl IntoIterator<Item = O>) -> Self {
        self.list(list, true)
    }

    /// `x BETWEEN low AND high`, both inclusive.
    #[must_use]
    pub fn between(self, low: impl IntoOperand, high: impl IntoOperand) -> Self {
        let (low, high) = (Box::new(low.operand().expr), Box::new(high.operand().expr));
        made(ExprKind::Between { value: Box::new(self.expr), low, high, negated: false })
    }

    /// `x LIKE pattern`
    #[must_use]
    pub fn like(self, pattern: impl IntoOperand) -> Self {
        let pattern = Box::new(pattern.operand().expr);
        made(ExprKind::Like { value: Box::new(self.expr), pattern, negated: false })
    }

    /// `x IS NULL`
    #[must_use]
    pub fn is_null(self) -> Self {
        made(ExprKind::IsNull { value: Box::new(self.expr), negated: false })
    }

    /// `x IS NOT NULL`
    #[must_use]
    pub fn is_not_null(self) -> Self {
        made(ExprKind::IsNull { value: Box::new(self.expr), negated: true })
    }

    fn chain(self, op: BinaryOp, other: Self) -> Self {
        let whole = chain::expressions(op, vec![self.expr.clone(), other.expr]);
        Self { expr: whole.unwrap_or(self.expr), alias: None }
    }

    /// `x AND y`
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.chain(BinaryOp::And, other)
    }

    /// `x OR y`
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.chain(BinaryOp::Or, other)
    }

    /// `x[n]`: the n-th of a list from 1, from its end with a negative number.
    #[must_use]
    pub fn item(self, n: i64) -> Self {
        made(ExprKind::Item(Box::new(self.expr), Box::new(n.operand().expr)))
    }
}

impl Not for Value {
    type Output = Self;

    fn not(self) -> Self {
        made(ExprKind::Unary(UnaryOp::Not, Box::new(self.expr)))
    }
}

impl Neg for Value {
    type Output = Self;

    fn neg(self) -> Self {
        made(ExprKind::Unary(UnaryOp::Minus, Box::new(self.expr)))
    }
}

impl<O: IntoOperand> Add<O> for Value {
    type Output = Self;

    fn add(self, other: O) -> Self {
        self.binary(BinaryOp::Add, other)
    }
}

impl<O: IntoOperand> Sub<O> for Value {
    type Output = Self;

    fn sub(self, other: O) -> Self {
        self.binary(BinaryOp::Sub, other)
    }
}

impl<O: IntoOperand> Mul<O> for Value {
    type Output = Self;

    fn mul(self, other: O) -> Self {
        self.binary(BinaryOp::Mul, other)
    }
}

impl<O: IntoOperand> Div<O> for Value {
    type Output = Self;

    fn div(self, other: O) -> Self {
        self.binary(BinaryOp::Div, other)
    }
}

/// What stands on the other side of a comparison: a text is a literal.
pub trait IntoOperand {
    /// The expression.
    fn operand(self) -> Value;
}

/// What stands for a column: a text is its name.
pub trait IntoColumn {
    /// The expression.
    fn column(self) -> Value;
}

/// A predicate: a [`Value`], or a text in the query language.
pub trait IntoPredicate {
    /// The expression.
    ///
    /// # Errors
    /// What is wrong with the text.
    fn predicate(self) -> Result<Expr, Vec<Diagnostic>>;
}

macro_rules! operands {
    ($($from:ty: $value:ident => $literal:expr),* $(,)?) => {
        $(impl IntoOperand for $from {
            fn operand(self) -> Value {
                let $value = self;
                literal($literal)
            }
        })*
    };
}

operands! {
    &str: text => Literal::Str(text.into()),
    String: text => Literal::Str(text),
    bool: truth => Literal::Bool(truth),
    i32: n => Literal::Int(i64::from(n)),
    u32: n => Literal::Int(i64::from(n)),
    i64: n => Literal::Int(n),
    // There is no text for what is not a number: it is the absence of a value.
    f64: n => if n.is_finite() { Literal::Float(n) } else { Literal::Null },
    Length: length => Literal::Duration(length.0),
}

impl IntoOperand for Value {
    fn operand(self) -> Value {
        self
    }
}

impl IntoColumn for Value {
    fn column(self) -> Value {
        self
    }
}

impl IntoColumn for &str {
    fn column(self) -> Value {
        attr(self)
    }
}

impl IntoPredicate for Value {
    fn predicate(self) -> Result<Expr, Vec<Diagnostic>> {
        Ok(self.expr)
    }
}

impl IntoPredicate for &str {
    fn predicate(self) -> Result<Expr, Vec<Diagnostic>> {
        parse_predicate(self).map_err(|errors| about(self, errors))
    }
}

/// Errors about a text that is no part of a query text: they name it.
pub(super) fn about(text: &str, errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let name = |mut error: Diagnostic| {
        error.message = format!("in the text `{text}`: {}", error.message);
        error.labels.clear();
        error
    };
    errors.into_iter().map(name).collect()
}
