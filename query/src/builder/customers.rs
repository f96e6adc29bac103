//! Predicates over customers.

use std::ops::Not;

use super::steps::Step;
use super::values::{Value, about};
use super::{RowsQuery, text, whole};
use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, ForExpr, HasWhat, Name, Span, UnaryOp};
use crate::syntax::{chain, parse_customers};

/// A predicate over whole customers, or what is wrong with a text in it.
#[derive(Clone, Debug)]
#[must_use]
pub struct CustomerPredicate(Result<ForExpr, Vec<Diagnostic>>);

fn step_found(no: bool, at_least: Option<u32>, step: Step) -> CustomerPredicate {
    CustomerPredicate(step.done().map(|step| ForExpr::Has {
        no,
        at_least: at_least.map(whole),
        what: HasWhat::Step(Box::new(step)),
        span: Span::default(),
    }))
}

/// `HAS (step)`
pub fn has(step: Step) -> CustomerPredicate {
    step_found(false, None, step)
}

/// `HAS AT LEAST n (step)`
pub fn has_at_least(n: u32, step: Step) -> CustomerPredicate {
    step_found(false, Some(n), step)
}

/// `HAS NO (step)`
pub fn has_no(step: Step) -> CustomerPredicate {
    step_found(true, None, step)
}

/// `COHORT name`
pub fn in_cohort(name: impl Into<String>) -> CustomerPredicate {
    CustomerPredicate(Ok(ForExpr::Cohort(Name::new(name))))
}

/// `CUSTOMER 'crm:42'`
pub fn customer(identity: impl Into<String>) -> CustomerPredicate {
    CustomerPredicate(Ok(ForExpr::Customer(text(identity))))
}

/// `IN (query)`: the customers behind its rows.
pub fn behind(query: &RowsQuery<'_>) -> CustomerPredicate {
    CustomerPredicate(query.pipe.query().map(|query| ForExpr::In(Box::new(query), Span::default())))
}

impl CustomerPredicate {
    fn chain(self, op: BinaryOp, other: impl IntoCustomerPredicate) -> Self {
        Self(self.0.and_then(|left| {
            let right = other.customers()?;
            chain::customers(op, vec![left, right]).ok_or_else(Vec::new)
        }))
    }

    /// `x AND y`
    pub fn and(self, other: impl IntoCustomerPredicate) -> Self {
        self.chain(BinaryOp::And, other)
    }

    /// `x OR y`
    pub fn or(self, other: impl IntoCustomerPredicate) -> Self {
        self.chain(BinaryOp::Or, other)
    }
}

impl Not for CustomerPredicate {
    type Output = Self;

    fn not(self) -> Self {
        Self(self.0.map(|inner| match inner {
            ForExpr::Attributes(expr) => ForExpr::Attributes(Expr {
                kind: ExprKind::Unary(UnaryOp::Not, Box::new(expr)),
                span: Span::default(),
            }),
            other => ForExpr::Not(Box::new(other), Span::default()),
        }))
    }
}

/// A predicate over customers: built, an expression over their attributes, or a text in the query language.
pub trait IntoCustomerPredicate {
    /// The predicate.
    ///
    /// # Errors
    /// What is wrong with the text.
    fn customers(self) -> Result<ForExpr, Vec<Diagnostic>>;
}

impl IntoCustomerPredicate for CustomerPredicate {
    fn customers(self) -> Result<ForExpr, Vec<Diagnostic>> {
        self.0
    }
}

impl IntoCustomerPredicate for Value {
    fn customers(self) -> Result<ForExpr, Vec<Diagnostic>> {
        Ok(ForExpr::Attributes(self.expr))
    }
}

impl IntoCustomerPredicate for &str {
    fn customers(self) -> Result<ForExpr, Vec<Diagnostic>> {
        parse_customers(self).map_err(|errors| about(self, errors))
    }
}
