//! Expressions, by SQL's precedence: OR, AND, NOT, comparisons, sums, products, minus, items.

use super::{Parsed, Parser};
use crate::limits::EXPRESSION_LEVELS_MAX;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Span, UnaryOp};
use crate::syntax::chain;
use crate::syntax::lexer::Kind;

/// An expression and the levels of its tree.
pub(super) struct Deep {
    pub(super) expr: Expr,
    levels: u32,
}

impl Parser<'_> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        Ok(self.deep_expression()?.expr)
    }

    fn deep_expression(&mut self) -> Parsed<Deep> {
        self.nested(Self::disjunction)
    }

    /// A node over its children, unless the tree would grow too deep.
    fn node(&self, kind: ExprKind, span: Span, children: u32) -> Parsed<Deep> {
        let levels = children + 1;
        if levels <= EXPRESSION_LEVELS_MAX {
            return Ok(Deep { expr: Expr { kind, span }, levels });
        }
        let message = format!("the expression is more than {EXPRESSION_LEVELS_MAX} levels deep");
        let help = "compute parts of it with EXTEND first";
        // The end of it is shown: the whole may be a page long.
        Err(Self::error("E110", self.last(), message, help))
    }

    fn disjunction(&mut self) -> Parsed<Deep> {
        let first = self.conjunction()?;
        if !self.is_word("OR") {
            return Ok(first);
        }
        let mut levels = first.levels;
        let mut operands = vec![first.expr];
        while self.take_word("OR").is_some() {
            let next = self.conjunction()?;
            levels = levels.max(next.levels);
            operands.push(next.expr);
        }
        self.chain(BinaryOp::Or, operands, levels)
    }

    fn conjunction(&mut self) -> Parsed<Deep> {
        let first = self.negation()?;
        if !self.is_word("AND") {
            return Ok(first);
        }
        let mut levels = first.levels;
        let mut operands = vec![first.expr];
        while self.take_word("AND").is_some() {
            let next = self.negation()?;
            levels = levels.max(next.levels);
            operands.push(next.expr);
        }
        self.chain(BinaryOp::And, operands, levels)
    }

    fn chain(&self, op: BinaryOp, operands: Vec<Expr>, levels: u32) -> Parsed<Deep> {
        let levels = levels + chain::levels(operands.len());
        match chain::expressions(op, operands) {
            Some(Expr { kind, span }) => self.node(kind, span, levels - 1),
            None => Err(self.expected("an expression", &[])),
        }
    }

    fn negation(&mut self) -> Parsed<Deep> {
        let Some(start) = self.take_word("NOT") else { return self.comparison() };
        let inner = self.nested(Self::negation)?;
        let span = start.to(inner.expr.span);
        self.node(ExprKind::Unary(UnaryOp::Not, Box::new(inner.expr)), span, inner.levels)
    }

    /// A comparison, or what may stand on one side of it.
    pub(super) fn comparison(&mut self) -> Parsed<Deep> {
        let left = self.sum()?;
        self.comparison_rest(left)
    }

    /// The same, after an expression in brackets that was read already.
    pub(super) fn comparison_from(&mut self, bracketed: Expr) -> Parsed<Deep> {
        let levels = tree_levels(&bracketed);
        let left = self.items(Deep { expr: bracketed, levels })?;
        let left = self.product_rest(left)?;
        let left = self.sum_rest(left)?;
        self.comparison_rest(left)
    }

    fn comparison_rest(&mut self, left: Deep) -> Parsed<Deep> {
        let start = left.expr.span;
        let negated =
            self.is_word("NOT") && ["IN", "LIKE", "BETWEEN"].iter().any(|word| self.is_word_after(1, word));
        if negated {
            self.take();
        }
        let value = left.levels;
        let compared = if let Some(op) = self.comparison_operator() {
            self.take();
            let right = self.sum()?;
            let levels = value.max(right.levels);
            let kind = ExprKind::Binary(op, Box::new(left.expr), Box::new(right.expr));
            self.node(kind, start.to(self.last()), levels)?
        } else if self.take_word("IN").is_some() {
            let (list, levels) = self.in_list()?;
            let kind = ExprKind::In { value: Box::new(left.expr), list, negated };
            self.node(kind, start.to(self.last()), levels.max(value))?
        } else if self.take_word("LIKE").is_some() {
            let pattern = self.sum()?;
            let levels = value.max(pattern.levels);
            let kind =
                ExprKind::Like { value: Box::new(left.expr), pattern: Box::new(pattern.expr), negated };
            self.node(kind, start.to(self.last()), levels)?
        } else if self.take_word("BETWEEN").is_some() {
            let low = self.sum()?;
            self.want_word("AND")?;
            let high = self.sum()?;
            let levels = value.max(low.levels).max(high.levels);
            let (low, high) = (Box::new(low.expr), Box::new(high.expr));
            let kind = ExprKind::Between { value: Box::new(left.expr), low, high, negated };
            self.node(kind, start.to(self.last()), levels)?
        } else if self.take_word("IS").is_some() {
            let negated = self.take_word("NOT").is_some();
            if self.take_word("NULL").is_none() {
                let mut error = self.expected("`NULL` after IS", &["NULL"]);
                error.help = error.help.or_else(|| Some("compare other values with `=` or `<>`".into()));
                return Err(error);
            }
            let kind = ExprKind::IsNull { value: Box::new(left.expr), negated };
            self.node(kind, start.to(self.last()), value)?
        } else {
            return Ok(left);
        };
        if self.comparison_operator().is_some() {
            let help = "write `a < b AND b < c`, or put one of them in brackets";
            return Err(Self::error("E112", self.span(), "comparisons do not chain", help));
        }
        Ok(compared)
    }

    fn comparison_operator(&self) -> Option<BinaryOp> {
        let Kind::Sign(sign) = self.kind() else { return None };
        Some(match *sign {
            "=" => BinaryOp::Eq,
            "<>" | "!=" => BinaryOp::Ne,
            "<" => BinaryOp::Lt,
            "<=" => BinaryOp::Le,
            ">" => BinaryOp::Gt,
            ">=" => BinaryOp::Ge,
            _ => return None,
        })
    }

    /// `(a, b, …)`, or a parameter that stands for the list.
    fn in_list(&mut self) -> Parsed<(Vec<Expr>, u32)> {
        if matches!(self.kind(), Kind::Param(_)) {
            let list = self.primary()?;
            return Ok((vec![list.expr], list.levels));
        }
        let Some(open) = self.take_sign("(") else {
            let mut error = self.expected("a list after IN", &[]);
            error.help = Some("write `IN ('a', 'b')` or `IN $list`".into());
            return Err(error);
        };
        if self.is_sign(")") {
            let help = "write at least one value";
            return Err(Self::error("E101", open.to(self.span()), "the list after IN is empty", help));
        }
        if self.is_word("FROM") && self.is_word_after(1, "journeys") {
            let help = "write `FOR IN (query)`: it keeps the customers behind the query's rows";
            return Err(Self::error("E111", self.span(), "a query cannot stand in this list", help));
        }
        let (list, levels) = self.arguments()?;
        self.want_close(")", open)?;
        Ok((list, levels))
    }

    /// `a, b, …`, and the levels of the deepest.
    fn arguments(&mut self) -> Parsed<(Vec<Expr>, u32)> {
        let mut list = Vec::new();
        let mut levels = 0;
        loop {
            let next = self.deep_expression()?;
            levels = levels.max(next.levels);
            list.push(next.expr);
            if self.take_sign(",").is_none() {
                return Ok((list, levels));
            }
        }
    }

    fn sum(&mut self) -> Parsed<Deep> {
        let left = self.product()?;
        self.sum_rest(left)
    }

    fn sum_rest(&mut self, mut left: Deep) -> Parsed<Deep> {
        loop {
            let op = match self.kind() {
                Kind::Sign("+") => BinaryOp::Add,
                Kind::Sign("-") => BinaryOp::Sub,
                _ => return Ok(left),
            };
            self.take();
            let right = self.product()?;
            left = self.binary(op, left, right)?;
        }
    }

    fn product(&mut self) -> Parsed<Deep> {
        let left = self.minus()?;
        self.product_rest(left)
    }

    fn product_rest(&mut self, mut left: Deep) -> Parsed<Deep> {
        loop {
            let op = match self.kind() {
                Kind::Sign("*") => BinaryOp::Mul,
                Kind::Sign("/") => BinaryOp::Div,
                Kind::Sign("%") => BinaryOp::Mod,
                _ => return Ok(left),
            };
            self.take();
            let right = self.minus()?;
            left = self.binary(op, left, right)?;
        }
    }

    fn binary(&self, op: BinaryOp, left: Deep, right: Deep) -> Parsed<Deep> {
        let span = left.expr.span.to(right.expr.span);
        let levels = left.levels.max(right.levels);
        self.node(ExprKind::Binary(op, Box::new(left.expr), Box::new(right.expr)), span, levels)
    }

    fn minus(&mut self) -> Parsed<Deep> {
        // A minus sign before a number is part of the number.
        let number = matches!(self.kind_after(1), Kind::Int(_) | Kind::Float(_) | Kind::Duration(_));
        if !self.is_sign("-") || number {
            let primary = self.primary()?;
            return self.items(primary);
        }
        let start = self.take();
        let inner = self.nested(Self::minus)?;
        let span = start.to(inner.expr.span);
        self.node(ExprKind::Unary(UnaryOp::Minus, Box::new(inner.expr)), span, inner.levels)
    }

    /// `x[1]`, after `x`.
    fn items(&mut self, mut value: Deep) -> Parsed<Deep> {
        while let Some(open) = self.take_sign("[") {
            let index = self.deep_expression()?;
            let span = value.expr.span.to(self.want_close("]", open)?);
            let levels = value.levels.max(index.levels);
            value = self.node(ExprKind::Item(Box::new(value.expr), Box::new(index.expr)), span, levels)?;
        }
        Ok(value)
    }

    fn primary(&mut self) -> Parsed<Deep> {
        if let Some(lit) = self.literal_here()? {
            return self.node(ExprKind::Literal(lit.value), lit.span, 0);
        }
        if let Some(open) = self.take_sign("(") {
            let mut inner = self.deep_expression()?;
            inner.expr.span = open.to(self.want_close(")", open)?);
            return Ok(inner);
        }
        if self.begins_case() {
            return self.nested(Self::case);
        }
        if self.is_name_after(0) {
            return if self.is_sign_after(1, "(") { self.call() } else { self.column() };
        }
        let mut error = self.expected("an expression", &[]);
        match self.kind() {
            Kind::Sign(".") => error.help = Some("write a digit before the point: `0.5`".into()),
            Kind::Sign("*") => error.help = Some("`*` stands for all only in `count(*)`".into()),
            Kind::Word(word) if error.help.is_none() => {
                error.code = "E109";
                error.help = Some(format!("`{word}` is reserved; write `\"{word}\"` if it is a name"));
            }
            _ => {}
        }
        Err(error)
    }

    fn column(&mut self) -> Parsed<Deep> {
        let first = self.name("an attribute")?;
        let (qualifier, name) = match self.take_sign(".") {
            Some(_) => (Some(first), self.name("an attribute")?),
            None => (None, first),
        };
        if self.is_sign(".") {
            let help = "names have at most two parts: `customer.plan`, `a.channel`";
            return Err(Self::error("E101", self.span(), "a third part of a name", help));
        }
        let span = qualifier.as_ref().map_or(name.span, |q| q.span.to(name.span));
        self.node(ExprKind::Column { qualifier, name }, span, 0)
    }

    fn call(&mut self) -> Parsed<Deep> {
        let name = self.name("a function")?;
        let open = self.take();
        let star = self.is_sign("*") && self.is_sign_after(1, ")");
        if star {
            self.take();
        }
        let distinct = !star && self.begins_distinct();
        if distinct {
            self.take();
        }
        let (args, levels) =
            if star || (self.is_sign(")") && !distinct) { (Vec::new(), 0) } else { self.arguments()? };
        let span = name.span.to(self.want_close(")", open)?);
        self.node(ExprKind::Call { name, distinct, star, args }, span, levels)
    }

    /// Whether DISTINCT is the keyword here and not a column of that name.
    fn begins_distinct(&self) -> bool {
        let operand = match self.kind_after(1) {
            Kind::Sign(sign) => matches!(*sign, "(" | "-"),
            Kind::Word(word) => {
                !["AND", "OR", "IN", "IS", "LIKE", "BETWEEN", "NOT"]
                    .iter()
                    .any(|w| w.eq_ignore_ascii_case(word))
                    || (word.eq_ignore_ascii_case("NOT")
                        && !["IN", "LIKE", "BETWEEN"].iter().any(|w| self.is_word_after(2, w)))
            }
            Kind::End => false,
            _ => true,
        };
        self.is_word("DISTINCT") && operand
    }

    /// Whether CASE is the expression here and not a column of that name:
    /// before WHEN, or before an operand that WHEN follows.
    fn begins_case(&self) -> bool {
        if !self.is_word("CASE") {
            return false;
        }
        if self.is_word_after(1, "WHEN") {
            return true;
        }
        let operand = match self.kind_after(1) {
            Kind::Sign(sign) => *sign == "(",
            Kind::Word(_) => self.is_name_after(1),
            Kind::Quoted(_)
            | Kind::Str(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Duration(_)
            | Kind::Param(_) => true,
            _ => false,
        };
        operand && self.when_follows()
    }

    fn when_follows(&self) -> bool {
        let mut depth = 0_u32;
        for tokens in 1.. {
            match self.kind_after(tokens) {
                Kind::Sign("(" | "[") => depth += 1,
                Kind::Sign(")" | "]") if depth == 0 => return false,
                Kind::Sign(")" | "]") => depth -= 1,
                Kind::Sign(",") if depth == 0 => return false,
                Kind::Pipe | Kind::End => return false,
                Kind::Word(word) if depth == 0 && word.eq_ignore_ascii_case("WHEN") => return true,
                _ => {}
            }
        }
        false
    }

    /// `CASE [x] WHEN … THEN … [ELSE …] END`
    fn case(&mut self) -> Parsed<Deep> {
        let start = self.take();
        let mut levels = 0;
        let mut part = |p: &mut Self| -> Parsed<Expr> {
            let deep = p.deep_expression()?;
            levels = levels.max(deep.levels);
            Ok(deep.expr)
        };
        let operand = if self.is_word("WHEN") { None } else { Some(Box::new(part(self)?)) };
        let mut branches = Vec::new();
        while self.take_word("WHEN").is_some() {
            let condition = part(self)?;
            self.want_word("THEN")?;
            branches.push((condition, part(self)?));
        }
        if branches.is_empty() {
            return Err(self.expected("`WHEN`", &["WHEN"]));
        }
        let otherwise = match self.take_word("ELSE") {
            Some(_) => Some(Box::new(part(self)?)),
            None => None,
        };
        let Some(end) = self.take_word("END") else {
            let mut error = self.expected("`END`", &["WHEN", "ELSE", "END"]);
            error.labels.push((start, "CASE begins here".into()));
            return Err(error);
        };
        self.node(ExprKind::Case { operand, branches, otherwise }, start.to(end), levels)
    }
}

/// Levels of a tree that the parser made, which bounds the recursion.
fn tree_levels(expr: &Expr) -> u32 {
    let deepest = |parts: &mut dyn Iterator<Item = &Expr>| parts.map(tree_levels).max().unwrap_or(0);
    1 + match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Column { .. } => 0,
        ExprKind::Unary(_, x) | ExprKind::IsNull { value: x, .. } => tree_levels(x),
        ExprKind::Binary(_, x, y) | ExprKind::Item(x, y) | ExprKind::Like { value: x, pattern: y, .. } => {
            tree_levels(x).max(tree_levels(y))
        }
        ExprKind::Between { value, low, high, .. } => {
            tree_levels(value).max(tree_levels(low)).max(tree_levels(high))
        }
        ExprKind::In { value, list, .. } => tree_levels(value).max(deepest(&mut list.iter())),
        ExprKind::Call { args, .. } => deepest(&mut args.iter()),
        ExprKind::Case { operand, branches, otherwise } => {
            let ends = operand.iter().chain(otherwise).map(AsRef::as_ref);
            deepest(&mut branches.iter().flat_map(|(when, then)| [when, then]).chain(ends))
        }
    }
}
