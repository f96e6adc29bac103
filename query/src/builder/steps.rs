//! Steps and the patterns they make.

use super::values::{IntoPredicate, Length};
use super::{IntoOperand, names};
use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{
    self, Condition, Edge, Element, ElementKind, ExprKind, Lit, Name, Pattern, Quantifier, Span,
};

/// One step of a pattern.
#[derive(Clone, Debug)]
#[must_use]
pub struct Step {
    step: ast::Step,
    /// Other steps that fill its place; of [`either`] alone.
    or: Vec<ast::Step>,
    quantifier: Option<Quantifier>,
    errors: Vec<Diagnostic>,
}

/// A step of one kind: `(:label)`.
pub fn step(label: impl Into<String>) -> Step {
    any_step().or_label(label)
}

/// A step that any interaction fills: `()`.
pub fn any_step() -> Step {
    Step { step: ast::Step::default(), or: Vec::new(), quantifier: None, errors: Vec::new() }
}

/// A step that any of these fills: `((:a) | (b:b WHERE …))`. What is called on
/// it is said of the first; a quantifier of all.
pub fn either(first: Step, others: impl IntoIterator<Item = Step>) -> Step {
    others.into_iter().fold(first, |mut all, other| {
        all.errors.extend(other.errors);
        if let Some(quantifier) = other.quantifier {
            all.errors.push(
                Diagnostic::error("E107", quantifier.span, "an alternative has no quantifier of its own")
                    .help("call `repeated` or `optional` on `either(…)`"),
            );
        }
        all.or.push(other.step);
        all.or.extend(other.or);
        all
    })
}

/// `NOT (step) WITHIN deadline -> …`: nothing of it came that long before the
/// step that is joined next.
pub fn absent(step: Step, deadline: Length) -> Steps {
    Steps::default().then_not(step, deadline)
}

impl Step {
    /// Another label that fills the step: `(:a|b)`.
    pub fn or_label(mut self, label: impl Into<String>) -> Self {
        self.step.labels.push(Name::new(label));
        self
    }

    /// `{attr: value}`
    pub fn with(mut self, attr: impl Into<String>, value: impl IntoOperand) -> Self {
        let value = value.operand().expr;
        let attr = Name::new(attr);
        if let ExprKind::Literal(value) = value.kind {
            self.step.properties.push((attr, Lit::new(value)));
        } else {
            // What is no literal is the same as a predicate.
            let equal = super::attr(&attr.text).eq(super::Value { expr: value, alias: None });
            self = self.when(equal);
        }
        self
    }

    /// The variable that other steps and the columns name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.step.name = Some(Name::new(name));
        self
    }

    /// `WHERE predicate`; several must all hold.
    pub fn when(mut self, predicate: impl IntoPredicate) -> Self {
        match predicate.predicate() {
            Ok(predicate) => {
                let all = self.step.predicate.take().into_iter().chain([predicate]).collect();
                self.step.predicate = crate::syntax::chain::expressions(ast::BinaryOp::And, all);
            }
            Err(errors) => self.errors.extend(errors),
        }
        self
    }

    /// `+`: once or more often.
    pub fn one_or_more(self) -> Self {
        self.repeated(1, None)
    }

    /// `*`: any number of times, or left out.
    pub fn any_number(self) -> Self {
        self.repeated(0, None)
    }

    /// `?`: may be left out.
    pub fn optional(self) -> Self {
        self.repeated(0, Some(1))
    }

    /// `{min,max}`; `None` for no upper bound.
    pub fn repeated(mut self, min: u32, max: Option<u32>) -> Self {
        self.quantifier = Some(Quantifier { min, max, span: Span::default() });
        self
    }

    /// `-> next`: eventually.
    pub fn then(self, next: Self) -> Steps {
        Steps::from(self).then(next)
    }

    /// `-[<= longest]-> next`
    pub fn then_within(self, next: Self, longest: Length) -> Steps {
        Steps::from(self).then_within(next, longest)
    }

    /// `-[NEXT]-> next`: directly.
    pub fn then_next(self, next: Self) -> Steps {
        Steps::from(self).then_next(next)
    }

    /// As a step alone, which has neither alternatives nor a quantifier.
    pub(super) fn done(mut self) -> Result<ast::Step, Vec<Diagnostic>> {
        if !self.or.is_empty() || self.quantifier.is_some() {
            self.errors.push(
                Diagnostic::error("E107", Span::default(), "a single step is wanted here")
                    .help("give it without `either`, `repeated` and `optional`"),
            );
        }
        if self.errors.is_empty() { Ok(self.step) } else { Err(self.errors) }
    }
}

/// Steps joined by arrows.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Steps {
    pattern: Pattern,
    errors: Vec<Diagnostic>,
}

impl From<Step> for Steps {
    fn from(first: Step) -> Self {
        Self::default().element(first, Vec::new())
    }
}

impl<I: IntoIterator<Item = Step>> From<I> for Steps {
    fn from(steps: I) -> Self {
        steps.into_iter().fold(Self::default(), Self::then)
    }
}

impl Steps {
    fn element(mut self, next: Step, conditions: Vec<Condition>) -> Self {
        let Step { step, mut or, quantifier, errors } = next;
        self.errors.extend(errors);
        let kind = if or.is_empty() {
            ElementKind::Step(step)
        } else {
            or.insert(0, step);
            ElementKind::Alternatives(or)
        };
        self.push(kind, quantifier, conditions);
        self
    }

    fn push(&mut self, kind: ElementKind, quantifier: Option<Quantifier>, conditions: Vec<Condition>) {
        if !self.pattern.elements.is_empty() {
            self.pattern.edges.push(Edge { conditions, span: Span::default() });
        }
        self.pattern.elements.push(Element { kind, quantifier, span: Span::default() });
    }

    /// `-> next`: eventually.
    pub fn then(self, next: Step) -> Self {
        self.element(next, Vec::new())
    }

    /// `-[<= longest]-> next`
    pub fn then_within(self, next: Step, longest: Length) -> Self {
        self.element(next, vec![Condition::AtMost(longest.lit())])
    }

    /// `-[>= shortest]-> next`
    pub fn then_after(self, next: Step, shortest: Length) -> Self {
        self.element(next, vec![Condition::AtLeast(shortest.lit())])
    }

    /// `-[NEXT]-> next`: directly.
    pub fn then_next(self, next: Step) -> Self {
        self.element(next, vec![Condition::Next(Span::default())])
    }

    /// `-[NO (between)]-> next`
    pub fn then_without(mut self, between: Step, next: Step) -> Self {
        match between.done() {
            Ok(between) => self.element(next, vec![Condition::No(Box::new(between), Span::default())]),
            Err(errors) => {
                self.errors.extend(errors);
                self
            }
        }
    }

    /// `-> NOT (absent) WITHIN deadline`
    pub fn then_not(mut self, absent: Step, deadline: Length) -> Self {
        match absent.done() {
            Ok(step) => self.push(ElementKind::Absent { step, within: deadline.lit() }, None, Vec::new()),
            Err(errors) => self.errors.extend(errors),
        }
        self
    }

    /// Adds a bound to the last arrow: at most this long.
    pub fn at_most(self, longest: Length) -> Self {
        self.condition(Condition::AtMost(longest.lit()))
    }

    /// Adds a bound to the last arrow: at least this long.
    pub fn at_least(self, shortest: Length) -> Self {
        self.condition(Condition::AtLeast(shortest.lit()))
    }

    /// Adds to the last arrow that nothing lies between its ends.
    pub fn directly(self) -> Self {
        self.condition(Condition::Next(Span::default()))
    }

    /// Adds to the last arrow that nothing of this lies between its ends.
    pub fn without(mut self, between: Step) -> Self {
        match between.done() {
            Ok(between) => self.condition(Condition::No(Box::new(between), Span::default())),
            Err(errors) => {
                self.errors.extend(errors);
                self
            }
        }
    }

    /// Adds to the last arrow that both ends share these attributes.
    pub fn same<N: Into<String>>(self, attrs: impl IntoIterator<Item = N>) -> Self {
        self.condition(Condition::Same(names(attrs), Span::default()))
    }

    fn condition(mut self, condition: Condition) -> Self {
        match self.pattern.edges.last_mut() {
            Some(edge) => edge.conditions.push(condition),
            None => self.errors.push(
                Diagnostic::error("E107", Span::default(), "a bound needs two steps, and there is only one")
                    .help("call it after `then`"),
            ),
        }
        self
    }

    pub(super) fn done(self) -> Result<Pattern, Vec<Diagnostic>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        if self.pattern.elements.is_empty() {
            let error = Diagnostic::error("E107", Span::default(), "the pattern has no steps");
            return Err(vec![error.help("give at least one: `step(\"complaint\")`")]);
        }
        Ok(self.pattern)
    }
}
