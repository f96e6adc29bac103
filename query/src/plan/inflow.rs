//! What the planner knows of the journeys that an operator is given.

use throughline_engine::{Millis, Snapshot};

/// What flows into an operator, as far as it is known before anything is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inflow {
    /// The last instant the query sees: the least of the store's last
    /// interaction, the instant of AS OF, and the ends of DURING. `None` for an empty store.
    pub right_edge: Option<Millis>,
    /// The first instant it sees: the greatest of the store's first
    /// interaction and the starts of DURING. `None` for an empty store.
    pub left_edge: Option<Millis>,
    /// The GAP of SESSIONS upstream, the least where there are several: the
    /// journeys in hand are sessions, or parts of sessions.
    pub sessions: Option<Millis>,
}

impl Inflow {
    /// Whole journeys, as a snapshot shows them; `as_of` is the instant of AS OF.
    ///
    /// # Errors
    /// As [`Snapshot::time_span`].
    pub(crate) fn of(snapshot: &Snapshot, as_of: Option<Millis>) -> throughline_engine::Result<Self> {
        let (first, last) = snapshot.time_span()?.unzip();
        let right_edge = last.map(|last| as_of.map_or(last, |at| last.min(at)));
        Ok(Self { right_edge, left_edge: first, sessions: None })
    }

    /// What is left of it from `from` (inclusive) to `to` (exclusive).
    #[must_use]
    pub(crate) fn during(self, from: Millis, to: Millis) -> Self {
        let right_edge = self.right_edge.map(|edge| edge.min(to));
        Self { right_edge, left_edge: self.left_edge.map(|edge| edge.max(from)), ..self }
    }

    /// Cut where a journey pauses longer than `gap`.
    #[must_use]
    pub(crate) fn cut_by(self, gap: Millis) -> Self {
        Self { sessions: Some(self.sessions.map_or(gap, |known| known.min(gap))), ..self }
    }
}
