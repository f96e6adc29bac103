//! FOR: predicates over whole customers.

use super::{Parsed, Parser};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, ForExpr, HasWhat, UnaryOp};
use crate::syntax::chain;
use crate::syntax::lexer::Kind;

impl Parser<'_> {
    /// A predicate over customers.
    pub(super) fn customers(&mut self) -> Parsed<ForExpr> {
        self.nested(Self::customers_or)
    }

    fn customers_or(&mut self) -> Parsed<ForExpr> {
        let first = self.customers_and()?;
        let mut operands = vec![first];
        while self.take_word("OR").is_some() {
            operands.push(self.customers_and()?);
        }
        self.joined(BinaryOp::Or, operands)
    }

    fn customers_and(&mut self) -> Parsed<ForExpr> {
        let first = self.customers_not()?;
        let mut operands = vec![first];
        while self.take_word("AND").is_some() {
            operands.push(self.customers_not()?);
        }
        self.joined(BinaryOp::And, operands)
    }

    fn joined(&self, op: BinaryOp, operands: Vec<ForExpr>) -> Parsed<ForExpr> {
        chain::customers(op, operands).ok_or_else(|| self.expected("a predicate", &[]))
    }

    fn customers_not(&mut self) -> Parsed<ForExpr> {
        let Some(start) = self.take_word("NOT") else { return self.customers_primary() };
        let inner = self.nested(Self::customers_not)?;
        let span = start.to(self.last());
        Ok(match inner {
            ForExpr::Attributes(expr) => {
                ForExpr::Attributes(Expr { kind: ExprKind::Unary(UnaryOp::Not, Box::new(expr)), span })
            }
            other => ForExpr::Not(Box::new(other), span),
        })
    }

    fn customers_primary(&mut self) -> Parsed<ForExpr> {
        let text_after = matches!(self.kind_after(1), Kind::Str(_) | Kind::Param(_));
        if self.is_word("HAS")
            && (self.is_sign_after(1, "(") || self.is_word_after(1, "NO") || self.is_word_after(1, "AT"))
        {
            return self.has();
        }
        if self.is_word("CUSTOMER") && text_after {
            self.take();
            return Ok(ForExpr::Customer(self.text("an identity", "CUSTOMER 'crm:42'")?));
        }
        if self.is_word("COHORT") && (text_after || self.is_name_after(1)) {
            self.take();
            return Ok(ForExpr::Cohort(self.name("the cohort's name")?));
        }
        if self.is_word("IN") {
            self.take();
            let (query, span) = self.bracketed_query()?;
            return Ok(ForExpr::In(Box::new(query), span));
        }
        if self.is_sign("(") {
            return self.customers_group();
        }
        Ok(ForExpr::Attributes(self.comparison()?.expr))
    }

    /// `( … )`: a group of predicates, or the start of an expression like `(a + b) > 3`.
    fn customers_group(&mut self) -> Parsed<ForExpr> {
        let open = self.take();
        let inner = self.nested(Self::customers_or)?;
        let close = self.want_close(")", open)?;
        match inner {
            ForExpr::Attributes(mut expr) => {
                expr.span = open.to(close);
                Ok(ForExpr::Attributes(self.comparison_from(expr)?.expr))
            }
            other => Ok(other),
        }
    }

    /// `HAS [NO | AT LEAST n] (step or predicate)`
    fn has(&mut self) -> Parsed<ForExpr> {
        let start = self.take();
        let no = self.take_word("NO").is_some();
        let at_least = match self.take_word("AT") {
            Some(at) if no => {
                let help = "write `NOT HAS AT LEAST n (…)`";
                return Err(Self::error("E111", at, "HAS NO and AT LEAST exclude one another", help));
            }
            Some(_) => {
                self.want_word("LEAST")?;
                Some(self.count("AT LEAST")?)
            }
            None => None,
        };
        let open = self.want_sign("(")?;
        let what = if self.begins_step() {
            HasWhat::Step(Box::new(self.nested(|p| p.step_inside(open))?))
        } else {
            let predicate = self.expression()?;
            self.want_close(")", open)?;
            HasWhat::Predicate(predicate)
        };
        Ok(ForExpr::Has { no, at_least, what, span: start.to(self.last()) })
    }

    /// Whether what stands in HAS's bracket is a step and not a predicate.
    fn begins_step(&self) -> bool {
        let after = |tokens: usize| {
            matches!(self.kind_after(tokens), Kind::Sign(":" | "{")) || self.is_word_after(tokens, "WHERE")
        };
        after(0) || self.is_sign(")") || (self.is_name_after(0) && after(1))
    }
}
