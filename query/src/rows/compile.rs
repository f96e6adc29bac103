//! From a tree to an expression: names resolved, types checked.

use throughline_engine::{AttrId, Subject};

use super::cell::equal;
use super::env::{Env, overflow};
use super::expr::{NoCells, Node, Typed, row_type};
use super::like::LikePattern;
use super::literal::literal_at;
use super::nearest::{did_you_mean, nearest};
use super::{Cell, RowType, arithmetic};
use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Literal, Name, Span, UnaryOp};
use crate::time;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// The type of its values.
    pub ty: RowType,
    /// The symbol attribute whose dictionary its constants are looked up in.
    pub attr: Option<AttrId>,
    /// The number that [`Cells::cell`](super::Cells::cell) is asked for.
    pub slot: usize,
}

/// The names an expression may use.
pub(crate) trait Scope {
    /// What `name` or `qualifier.name` stands for.
    ///
    /// # Errors
    /// A finding that names what was meant; see [`unknown_column`].
    fn resolve(&self, qualifier: Option<&Name>, name: &Name) -> Result<Column, Diagnostic>;

    /// Every name, for messages.
    fn known_names(&self) -> Vec<String>;
}

/// The finding that a name is unknown: the nearest names, else all of them.
pub(crate) fn unknown_column(name: &str, span: Span, known: &[String]) -> Diagnostic {
    let near = nearest(name, known.iter().map(String::as_str));
    let mut list = known.iter().take(40).cloned().collect::<Vec<_>>().join(", ");
    if known.len() > 40 {
        list.push_str(", …");
    }
    let help = match did_you_mean(&near) {
        Some(question) => format!("{question} There are: {list}"),
        None => format!("a text is written `'{name}'`; names are: {list}"),
    };
    Diagnostic::error("E301", span, format!("there is no column or attribute `{name}` here"))
        .label("unknown name")
        .help(help)
}

/// Compiles an expression. Errors and warnings go to `sink`; `None` on an error.
pub(crate) fn compile(
    expr: &Expr,
    scope: &dyn Scope,
    env: &Env,
    sink: &mut Vec<Diagnostic>,
) -> Option<Typed> {
    Compiler { scope, env, sink }.expr(expr)
}

/// Compiles a predicate: as [`compile`], and a truth value or NULL is wanted.
pub(crate) fn compile_predicate(
    expr: &Expr,
    scope: &dyn Scope,
    env: &Env,
    sink: &mut Vec<Diagnostic>,
) -> Option<Typed> {
    Compiler { scope, env, sink }.predicate(expr)
}

pub(super) struct Compiler<'a, 'e> {
    pub(super) scope: &'a dyn Scope,
    pub(super) env: &'a Env<'e>,
    pub(super) sink: &'a mut Vec<Diagnostic>,
}

impl Compiler<'_, '_> {
    pub(super) fn fail<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.sink.push(diagnostic);
        None
    }

    pub(super) fn predicate(&mut self, expr: &Expr) -> Option<Typed> {
        let typed = self.expr(expr)?;
        match typed.ty {
            RowType::Bool | RowType::Null => Some(typed),
            _ => self.fail(
                Diagnostic::error(
                    "E302",
                    expr.span,
                    format!("a predicate is wanted here, and this is {}", typed.ty.name()),
                )
                .label(typed.ty.name())
                .help("compare it with something, or write `IS NOT NULL`"),
            ),
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Option<Typed> {
        let span = expr.span;
        let typed = match &expr.kind {
            ExprKind::Literal(literal) => {
                return Some(Typed::from_cell(literal_at(literal, span, self.env, self.sink)?, span));
            }
            ExprKind::Column { qualifier, name } => return self.column(qualifier.as_ref(), name, span),
            ExprKind::Unary(UnaryOp::Not, x) => {
                let x = self.predicate(x)?;
                bool_node(span, Node::Not(Box::new(x)))
            }
            ExprKind::Unary(UnaryOp::Minus, x) => {
                let x = self.expr(x)?;
                if !x.ty.is_number() && !matches!(x.ty, RowType::Duration | RowType::Null) {
                    let found = x.ty.name();
                    return self.fail(
                        Diagnostic::error(
                            "E302",
                            span,
                            format!("`-` wants a number or a duration, not {found}"),
                        )
                        .label(found),
                    );
                }
                Typed::new(x.ty.clone(), span, Node::Negate(Box::new(x)))
            }
            ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or), a, b) => {
                // Both sides are compiled before either error ends it, so that all are reported.
                let (a, b) = (self.predicate(a), self.predicate(b));
                let (a, b) = (Box::new(a?), Box::new(b?));
                bool_node(span, if *op == BinaryOp::And { Node::And(a, b) } else { Node::Or(a, b) })
            }
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                let (a, b) = (a?, b?);
                match op {
                    BinaryOp::Eq
                    | BinaryOp::Ne
                    | BinaryOp::Lt
                    | BinaryOp::Le
                    | BinaryOp::Gt
                    | BinaryOp::Ge => self.comparison(*op, a, b, span)?,
                    _ => self.arithmetic(*op, a, b, span)?,
                }
            }
            ExprKind::In { value, list, negated } => negate(self.in_list(value, list, span)?, *negated),
            ExprKind::Between { value, low, high, negated } => {
                let value = self.expr(value)?;
                let (low, high) = (self.expr(low)?, self.expr(high)?);
                let low = self.comparison(BinaryOp::Ge, value.clone(), low, span)?;
                let high = self.comparison(BinaryOp::Le, value, high, span)?;
                negate(bool_node(span, Node::And(Box::new(low), Box::new(high))), *negated)
            }
            ExprKind::Like { value, pattern, negated } => {
                let (value, pattern) = (self.textual(value, "LIKE")?, self.textual(pattern, "LIKE")?);
                let node = match pattern.constant() {
                    Some(Cell::Str(text)) => Node::Like(Box::new(value), LikePattern::new(text)),
                    _ => Node::LikeExpr(Box::new(value), Box::new(pattern)),
                };
                negate(bool_node(span, node), *negated)
            }
            ExprKind::IsNull { value, negated } => {
                negate(bool_node(span, Node::IsNull(Box::new(self.expr(value)?))), *negated)
            }
            ExprKind::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), span)?
            }
            ExprKind::Item(list, place) => self.item(list, place, span)?,
            ExprKind::Call { name, distinct, star, args } => {
                self.call(name, *distinct || *star, args, span)?
            }
        };
        self.fold(typed)
    }

    /// Evaluates what reads no column.
    pub(super) fn fold(&mut self, typed: Typed) -> Option<Typed> {
        if typed.constant().is_some() || !typed.slots().is_empty() {
            return Some(typed);
        }
        let cell = typed.eval(&NoCells, self.env);
        if let Some(span) = self.env.take_overflow() {
            return self.fail(overflow(span));
        }
        Some(Typed { ty: typed.ty, attr: typed.attr, span: typed.span, node: Node::Constant(cell) })
    }

    fn column(&mut self, qualifier: Option<&Name>, name: &Name, span: Span) -> Option<Typed> {
        let error = match self.scope.resolve(qualifier, name) {
            Ok(column) => {
                let typed = Typed::from_slot(column.slot, column.ty, column.attr);
                return Some(Typed { span, ..typed });
            }
            Err(error) => error,
        };
        if qualifier.is_none() && name.text.eq_ignore_ascii_case("persona") {
            return self.fail(
                Diagnostic::error("E401", span, "not supported yet: persona").label("not supported yet"),
            );
        }
        let is_customer = qualifier.is_some_and(|qualifier| qualifier.text.eq_ignore_ascii_case("customer"));
        let schema = self.env.snapshot.schema();
        if !is_customer {
            let of_customers = qualifier.is_none() && schema.find(Subject::Customer, &name.text).is_some();
            return self.fail(match of_customers {
                true => error.help(format!("`{name}` belongs to customers: write `customer.{name}`")),
                false => error,
            });
        }
        let Ok(customer) = self.scope.resolve(None, &Name { text: "customer".into(), span }) else {
            return self.fail(error);
        };
        if customer.ty != RowType::Customer {
            return self.fail(error);
        }
        let Some(attribute) = schema.find(Subject::Customer, &name.text) else {
            let known: Vec<String> = schema
                .attributes()
                .iter()
                .filter(|attribute| attribute.subject == Subject::Customer)
                .map(|attribute| attribute.name.clone())
                .collect();
            return self.fail(if known.is_empty() {
                Diagnostic::error("E301", span, format!("there is no customer attribute `{}`", name.text))
                    .label("unknown name")
                    .help("this store has no customer attributes; `import --customers FILE` adds them")
            } else {
                unknown_column(&name.text, span, &known)
            });
        };
        let column = match self.env.snapshot.customer_column(attribute.id) {
            Ok(column) => column,
            Err(error) => {
                return self.fail(Diagnostic::error(
                    "E391",
                    span,
                    format!("the store could not be read: {error}"),
                ));
            }
        };
        let attr = attribute.id;
        let node = Node::CustomerAttribute { slot: customer.slot, attr, column };
        let symbol = attribute.ty == throughline_engine::AttrType::Symbol;
        Some(Typed { ty: row_type(attribute.ty), attr: symbol.then_some(attr), span, node })
    }

    /// `a op b`, a constant on the left turned to the right.
    pub(super) fn comparison(&mut self, op: BinaryOp, a: Typed, b: Typed, span: Span) -> Option<Typed> {
        if a.constant().is_some() && b.constant().is_none() {
            let turned = match op {
                BinaryOp::Lt => BinaryOp::Gt,
                BinaryOp::Le => BinaryOp::Ge,
                BinaryOp::Gt => BinaryOp::Lt,
                BinaryOp::Ge => BinaryOp::Le,
                other => other,
            };
            return self.comparison(turned, b, a, span);
        }
        let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let b = self.fitted(&a, b, equality, span)?;
        Some(bool_node(span, Node::Compare(op, Box::new(a), Box::new(b))))
    }

    /// `b` as something `a` can be compared with.
    fn fitted(&mut self, a: &Typed, b: Typed, equality: bool, span: Span) -> Option<Typed> {
        let constant = match b.constant() {
            Some(Cell::Str(text)) => Some(text.clone()),
            _ => None,
        };
        match (&a.ty, constant) {
            (RowType::Time, Some(text)) => match time::parse_instant(&text) {
                Some(at) => Some(Typed::from_cell(Cell::Time(at), b.span)),
                None => self.fail(
                    Diagnostic::error("E306", b.span, format!("`{text}` is not an instant"))
                        .label("compared with a time")
                        .help("write for example '2026-01-31' or '2026-01-31T09:00:00Z'"),
                ),
            },
            (RowType::Duration, Some(text)) => match time::parse_duration(&text) {
                Some(length) => Some(Typed::from_cell(Cell::Duration(length), b.span)),
                None => self.fail(
                    Diagnostic::error("E306", b.span, format!("`{text}` is not a duration"))
                        .label("compared with a duration")
                        .help("write for example 7d or 90s"),
                ),
            },
            (RowType::Customer, Some(text)) if equality => self.customer(&text, b.span),
            (RowType::Identity, Some(text)) if equality => self.identity(&text, b.span),
            (RowType::Text, Some(text)) if equality && a.attr.is_some() => {
                Some(self.symbol(a.attr?, &text, b.span))
            }
            _ if comparable(&a.ty, &b.ty) => Some(b),
            _ => self.mismatch(a, &b, span),
        }
    }

    fn mismatch<T>(&mut self, a: &Typed, b: &Typed, span: Span) -> Option<T> {
        let (left, right) = (a.ty.name(), b.ty.name());
        let mut diagnostic =
            Diagnostic::error("E302", span, format!("{left} cannot be compared with {right}"))
                .label("compared here");
        diagnostic.labels.push((a.span, left));
        diagnostic.labels.push((b.span, right));
        if b.ty == RowType::Text && a.ty.is_number() {
            diagnostic = diagnostic.help("numbers are written without quotes");
        }
        if a.ty == RowType::Text && matches!(b.constant(), Some(Cell::Int(_) | Cell::Float(_))) {
            diagnostic = diagnostic.help("text is written in quotes");
        }
        self.fail(diagnostic)
    }

    fn arithmetic(&mut self, op: BinaryOp, a: Typed, b: Typed, span: Span) -> Option<Typed> {
        // Beside a time, text is an instant: `at - '2026-01-01'`.
        let b = match (&a.ty, b.constant()) {
            (RowType::Time, Some(Cell::Str(text))) => match time::parse_instant(text) {
                Some(at) => Typed::from_cell(Cell::Time(at), b.span),
                None => b,
            },
            _ => b,
        };
        match arithmetic::result_type(op, &a.ty, &b.ty) {
            Some(ty) => Some(Typed::new(ty, span, Node::Arithmetic(op, Box::new(a), Box::new(b)))),
            None => {
                let sign = match op {
                    BinaryOp::Add => "+",
                    BinaryOp::Sub => "-",
                    BinaryOp::Mul => "*",
                    BinaryOp::Div => "/",
                    _ => "%",
                };
                let (left, right) = (a.ty.name(), b.ty.name());
                let mut diagnostic = Diagnostic::error(
                    "E302",
                    span,
                    format!("there is no `{sign}` between {left} and {right}"),
                )
                .label("calculated here");
                diagnostic.labels.push((a.span, left));
                diagnostic.labels.push((b.span, right));
                self.fail(diagnostic)
            }
        }
    }

    /// A list parameter stands for its items.
    fn in_list(&mut self, value: &Expr, list: &[Expr], span: Span) -> Option<Typed> {
        let value = self.expr(value)?;
        let mut cells: Vec<Cell> = Vec::new();
        let mut others: Vec<Typed> = Vec::new();
        let mut with_null = false;
        let mut sound = true;
        for item in list {
            let Some(item_typed) = self.expr(item) else {
                sound = false;
                continue;
            };
            let spread: Vec<Typed> = match (&item.kind, item_typed.constant()) {
                (ExprKind::Literal(Literal::Param(_)), Some(Cell::List(items))) => {
                    items.iter().map(|cell| Typed::from_cell(cell.clone(), item.span)).collect()
                }
                _ => vec![item_typed],
            };
            for item in spread {
                let Some(item) = self.fitted(&value, item, true, span) else {
                    sound = false;
                    continue;
                };
                match item.constant() {
                    Some(Cell::Null) => with_null = true,
                    Some(cell) => {
                        if !cells.iter().any(|known| equal(known, cell, self.env) == Some(true)) {
                            cells.push(cell.clone());
                        }
                    }
                    None => others.push(item),
                }
            }
        }
        if !sound {
            return None;
        }
        let set = Node::InSet { value: Box::new(value.clone()), cells, with_null };
        let mut typed = bool_node(span, set);
        for other in others {
            let node = Node::Compare(BinaryOp::Eq, Box::new(value.clone()), Box::new(other));
            typed = bool_node(span, Node::Or(Box::new(typed), Box::new(bool_node(span, node))));
        }
        Some(typed)
    }

    pub(super) fn textual(&mut self, expr: &Expr, what: &str) -> Option<Typed> {
        let typed = self.expr(expr)?;
        match typed.ty {
            RowType::Null => Some(typed),
            _ if typed.ty.is_textual() => Some(typed),
            _ => {
                let found = typed.ty.name();
                self.fail(
                    Diagnostic::error("E302", expr.span, format!("{what} wants text, and this is {found}"))
                        .label(found),
                )
            }
        }
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        span: Span,
    ) -> Option<Typed> {
        let operand = match operand {
            Some(operand) => Some(self.expr(operand)?),
            None => None,
        };
        let mut conditions = Vec::with_capacity(branches.len());
        let mut results = Vec::with_capacity(branches.len() + 1);
        for (condition, result) in branches {
            conditions.push(match &operand {
                Some(operand) => {
                    let value = self.expr(condition)?;
                    self.comparison(BinaryOp::Eq, operand.clone(), value, condition.span)?
                }
                None => self.predicate(condition)?,
            });
            results.push(self.expr(result)?);
        }
        results.push(match otherwise {
            Some(otherwise) => self.expr(otherwise)?,
            None => Typed::from_cell(Cell::Null, span),
        });
        let (ty, attr, mut results) = self.unified(results)?;
        let otherwise = results.pop()?;
        let branches = conditions.into_iter().zip(results).collect();
        Some(Typed { ty, attr, span, node: Node::Case(branches, Box::new(otherwise)) })
    }

    /// One type for all: whole numbers become floats beside floats, customers and
    /// identities their text beside others.
    pub(super) fn unified(&mut self, items: Vec<Typed>) -> Option<(RowType, Option<AttrId>, Vec<Typed>)> {
        let mut ty = RowType::Null;
        for item in &items {
            ty = match (ty, &item.ty) {
                (ty, RowType::Null) => ty,
                (RowType::Null, other) => other.clone(),
                (a, b) if a == *b => a,
                (RowType::Int | RowType::Float, RowType::Int | RowType::Float) => RowType::Float,
                (a, b) if a.is_textual() && b.is_textual() => RowType::Text,
                (a, b) => {
                    let (a, b) = (a.name(), b.name());
                    return self.fail(
                        Diagnostic::error(
                            "E302",
                            item.span,
                            format!("this is {b}, and what stands before it is {a}"),
                        )
                        .label(b)
                        .help("all results must have one type"),
                    );
                }
            };
        }
        let valued = || items.iter().filter(|item| item.ty != RowType::Null);
        let attr = valued().next().and_then(|first| first.attr);
        let attr = attr.filter(|_| valued().all(|item| item.attr == attr));
        let items = items
            .into_iter()
            .map(|item| match (&ty, &item.ty) {
                (RowType::Float, RowType::Int) => {
                    let span = item.span;
                    Typed::new(RowType::Float, span, Node::ToFloat(Box::new(item)))
                }
                (RowType::Text, RowType::Customer | RowType::Identity) => {
                    let span = item.span;
                    Typed::new(RowType::Text, span, Node::ToText(Box::new(item)))
                }
                _ => item,
            })
            .collect();
        Some((ty, attr, items))
    }

    fn item(&mut self, list: &Expr, place: &Expr, span: Span) -> Option<Typed> {
        let (list, place) = (self.expr(list)?, self.expr(place)?);
        let ty = match &list.ty {
            RowType::List(inner) => inner.as_ref().clone(),
            RowType::Null => RowType::Null,
            other => {
                let found = other.name();
                return self.fail(
                    Diagnostic::error(
                        "E302",
                        list.span,
                        format!("only lists have items, and this is {found}"),
                    )
                    .label(found),
                );
            }
        };
        if !matches!(place.ty, RowType::Int | RowType::Null) {
            let found = place.ty.name();
            return self.fail(
                Diagnostic::error(
                    "E302",
                    place.span,
                    format!("the place in a list is a whole number, not {found}"),
                )
                .label(found)
                .help("`x[1]` is the first, `x[-1]` the last"),
            );
        }
        let attr = list.attr;
        Some(Typed { ty, attr, span, node: Node::Item(Box::new(list), Box::new(place)) })
    }
}

pub(super) fn bool_node(span: Span, node: Node) -> Typed {
    Typed::new(RowType::Bool, span, node)
}

fn negate(typed: Typed, negated: bool) -> Typed {
    if !negated {
        return typed;
    }
    bool_node(typed.span, Node::Not(Box::new(typed)))
}

fn comparable(a: &RowType, b: &RowType) -> bool {
    use RowType::{List, Null};
    match (a, b) {
        (Null, _) | (_, Null) => true,
        (a, b) if a.is_textual() && b.is_textual() => true,
        (List(a), List(b)) => comparable(a, b),
        (a, b) => a == b || (a.is_number() && b.is_number()),
    }
}
