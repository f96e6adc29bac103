//! CHAINS, FUNNEL and MATCH with their options.

use super::steps::Steps;
use super::values::Length;
use super::{names, text, whole};
use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{self, Breakdown, Count, During, Name, Period, Span, Which};

/// `CHAINS` and `FCR`.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Chains(pub(super) ast::Chains);

impl Chains {
    /// Chains of any contacts of one customer.
    pub fn any() -> Self {
        Self::default()
    }

    /// `SAME key`: contacts that share this attribute. More keys by [`Chains::and_same`].
    pub fn same(key: impl Into<String>) -> Self {
        Self::default().and_same(key)
    }

    /// One more key: `SAME key, key`.
    pub fn and_same(mut self, key: impl Into<String>) -> Self {
        self.0.same.extend(names([key]));
        self
    }

    /// `GAP d`: the longest pause within a chain.
    pub fn gap(mut self, longest: Length) -> Self {
        self.0.gap = Some(longest.lit());
        self
    }

    /// `MIN n`: the fewest contacts.
    pub fn at_least(mut self, contacts: u32) -> Self {
        self.0.min = Some(whole(contacts));
        self
    }

    /// `WITHIN d`: the longest time from first to last contact.
    pub fn within(mut self, longest: Length) -> Self {
        self.0.within = Some(longest.lit());
        self
    }

    /// `STARTED DURING 'span'`
    pub fn started_during(mut self, span: impl Into<String>) -> Self {
        self.0.started = Some(During::Span(text(span)));
        self
    }
}

/// Where a breakdown reads its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At the first step.
    First,
    /// At the last step.
    Last,
    /// At step n, counted from 1.
    Step(u32),
    /// Each value is matched alone.
    All,
}

/// `FUNNEL`
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Funnel {
    funnel: ast::Funnel,
    steps: Steps,
}

impl Funnel {
    /// The steps in order.
    pub fn steps(steps: impl Into<Steps>) -> Self {
        Self { funnel: ast::Funnel::default(), steps: steps.into() }
    }

    /// `ON attr:`: labels are values of this attribute instead of kinds. Steps are then labels only.
    pub fn on(mut self, attr: impl Into<String>) -> Self {
        self.funnel.on = Some(Name::new(attr));
        self
    }

    /// `STRICT`: nothing between steps.
    pub fn strict(mut self) -> Self {
        self.funnel.strict = Some(Span::default());
        self
    }

    /// `ANY ORDER`
    pub fn any_order(mut self) -> Self {
        self.funnel.any_order = Some(Span::default());
        self
    }

    /// `WITHIN d`, counted from the first step.
    pub fn within(mut self, longest: Length) -> Self {
        self.funnel.within = Some(longest.lit());
        self
    }

    /// `COUNT …`
    pub fn count(mut self, what: Count) -> Self {
        self.funnel.count = Some((what, Span::default()));
        self
    }

    /// `HOLD attr`
    pub fn hold(mut self, attr: impl Into<String>) -> Self {
        self.funnel.hold = Some(Name::new(attr));
        self
    }

    /// `ANCHOR FIRST`
    pub fn anchor_first(mut self) -> Self {
        self.funnel.anchor_first = Some(Span::default());
        self
    }

    /// `BY attr, … AT …`
    pub fn by<N: Into<String>>(mut self, attrs: impl IntoIterator<Item = N>, at: At) -> Self {
        let at = match at {
            At::First => ast::At::First,
            At::Last => ast::At::Last,
            At::Step(n) => ast::At::Step(whole(n)),
            At::All => ast::At::All,
        };
        self.funnel.by = Some(Breakdown { attrs: names(attrs), at, span: Span::default() });
        self
    }

    /// `TREND BY …`
    pub fn trend_by(mut self, period: Period) -> Self {
        self.funnel.trend = Some((period, Span::default()));
        self
    }

    /// `SIMULTANEOUS d`
    pub fn simultaneous(mut self, tolerance: Length) -> Self {
        self.funnel.simultaneous = Some((tolerance.lit(), Span::default()));
        self
    }

    /// `STARTED DURING 'span'`
    pub fn started_during(mut self, span: impl Into<String>) -> Self {
        self.funnel.started = Some(During::Span(text(span)));
        self
    }

    pub(super) fn done(self) -> Result<ast::Funnel, Vec<Diagnostic>> {
        let Self { mut funnel, steps } = self;
        funnel.pattern = steps.done()?;
        Ok(funnel)
    }
}

/// `MATCH`
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Match {
    found: ast::Match,
    steps: Steps,
}

impl Match {
    /// The pattern.
    pub fn pattern(steps: impl Into<Steps>) -> Self {
        Self { found: ast::Match::default(), steps: steps.into() }
    }

    /// `WITHIN d`
    pub fn within(mut self, longest: Length) -> Self {
        self.found.within = Some(longest.lit());
        self
    }

    /// `FIRST | LAST | ALL | EACH`
    pub fn which(mut self, which: Which) -> Self {
        self.found.which = Some((which, Span::default()));
        self
    }

    /// `SIMULTANEOUS d`
    pub fn simultaneous(mut self, tolerance: Length) -> Self {
        self.found.simultaneous = Some(tolerance.lit());
        self
    }

    /// `STARTED DURING 'span'`
    pub fn started_during(mut self, span: impl Into<String>) -> Self {
        self.found.started = Some(During::Span(text(span)));
        self
    }

    pub(super) fn done(self) -> Result<ast::Match, Vec<Diagnostic>> {
        let Self { mut found, steps } = self;
        found.pattern = steps.done()?;
        Ok(found)
    }
}
