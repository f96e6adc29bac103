//! FCR: what a chain says of the first contact that was to resolve it.

use throughline_engine::AttrId;

use crate::rows::Cell;
use crate::syntax::ast::Clock;

/// What FCR adds to CHAINS MIN 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fcr {
    /// What the gap to the next contact is counted from.
    pub clock: Clock,
    /// The attribute in the role of agent.
    pub agent: Option<AttrId>,
}

/// The later contacts of a chain, by who took them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Later {
    /// By the agent charged.
    pub repeats: usize,
    /// By another known agent.
    pub redos: usize,
}

impl Fcr {
    /// The place in a chain of the contact that it is charged to: the first,
    /// or by the clock of resolutions the first marked resolved, if any is.
    pub(crate) fn charged(&self, rows: &[u32], resolved: impl Fn(u32) -> bool) -> usize {
        match self.clock {
            Clock::Contact => 0,
            Clock::Resolution => rows.iter().position(|&row| resolved(row)).unwrap_or(0),
        }
    }

    /// Counts the contacts after the one at the place `charged`. Of a contact
    /// without an agent, charged or later, nobody knows whose it is: it counts as neither.
    pub(crate) fn later(rows: &[u32], charged: usize, agent: impl Fn(u32) -> Cell) -> Later {
        let mut later = Later { repeats: 0, redos: 0 };
        let mut rows = rows.iter().skip(charged);
        let own = rows.next().map_or(Cell::Null, |&row| agent(row));
        for other in rows.map(|&row| agent(row)).filter(|other| !own.is_null() && !other.is_null()) {
            match other == own {
                true => later.repeats += 1,
                false => later.redos += 1,
            }
        }
        later
    }

    /// The row whose time the gap to a further contact is counted from.
    pub(crate) fn runs_from(&self, rows: &[u32], resolved: impl Fn(u32) -> bool) -> Option<u32> {
        let last = rows.last().copied();
        match self.clock {
            Clock::Contact => last,
            Clock::Resolution => rows.iter().rev().copied().find(|&row| resolved(row)).or(last),
        }
    }
}
