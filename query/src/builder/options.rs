//! CHAINS, FUNNEL, MATCH, PATHS and GRAPH with their options.

use super::steps::{Step, Steps};
use super::values::Length;
use super::{names, text, whole};
use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{self, Breakdown, Count, During, GraphCompute, Name, PathEnds, Period, Span, Which};

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

    /// `CLOCK …`, of [`Journeys::fcr`](super::Journeys::fcr) alone.
    pub fn clock(mut self, clock: ast::Clock) -> Self {
        self.0.clock = Some((clock, Span::default()));
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

/// `PATHS`
#[derive(Clone, Debug)]
#[must_use]
pub struct Paths {
    ends: Result<PathEnds, Vec<Diagnostic>>,
    depth: Option<u32>,
    by: Option<Name>,
    collapse: bool,
    top: Option<u32>,
}

impl Paths {
    fn of(ends: Result<PathEnds, Vec<Diagnostic>>) -> Self {
        Self { ends, depth: None, by: None, collapse: false, top: None }
    }

    /// `FROM (step)`: from its first occurrence on.
    pub fn from(step: Step) -> Self {
        Self::of(step.done().map(PathEnds::From))
    }

    /// `TO (step)`: up to its last occurrence.
    pub fn to(step: Step) -> Self {
        Self::of(step.done().map(PathEnds::To))
    }

    /// `BETWEEN (from) AND (to)`
    pub fn between(from: Step, to: Step) -> Self {
        Self::of(from.done().and_then(|from| Ok(PathEnds::Between(from, to.done()?))))
    }

    /// `DEPTH n`: the most nodes of a path.
    pub fn depth(mut self, nodes: u32) -> Self {
        self.depth = Some(nodes);
        self
    }

    /// `BY attr`: its values are the nodes, in place of kinds.
    pub fn by(mut self, attr: impl Into<String>) -> Self {
        self.by = Some(Name::new(attr));
        self
    }

    /// `COLLAPSE`: equal nodes one after another are one.
    pub fn collapse(mut self) -> Self {
        self.collapse = true;
        self
    }

    /// `TOP n`: the most frequent paths, and one row for the others.
    pub fn top(mut self, paths: u32) -> Self {
        self.top = Some(paths);
        self
    }

    pub(super) fn done(self) -> Result<ast::Paths, Vec<Diagnostic>> {
        let Self { ends, depth, by, collapse, top } = self;
        Ok(ast::Paths { between: ends?, depth: depth.map(whole), by, collapse, top: top.map(whole) })
    }
}

/// `GRAPH`
#[derive(Clone, Debug)]
#[must_use]
pub struct Graph(pub(super) ast::Graph);

impl Graph {
    /// `GRAPH BY attr`: its values are the nodes.
    pub fn by(attr: impl Into<String>) -> Self {
        Self(ast::Graph { by: Name::new(attr), compute: GraphCompute::Edges })
    }

    /// `LOOPS`: the sets of values that lead back to each other.
    pub fn loops(mut self) -> Self {
        self.0.compute = GraphCompute::Loops;
        self
    }

    /// `CHEAPEST 'from' TO 'to'`: the way of least total median time.
    pub fn cheapest(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.0.compute = GraphCompute::Cheapest(text(from), text(to));
        self
    }

    /// `DOMINATORS OF 'value'`: what every way to it passes.
    pub fn dominators_of(mut self, value: impl Into<String>) -> Self {
        self.0.compute = GraphCompute::Dominators(text(value));
        self
    }
}
