//! Which identities are one customer: a pure function of what was said about them.
//!
//! Everything that was said is looked at anew each time, in an order that the identities' texts
//! decide. So the answer does not depend on who was heard of first, nor on the order or the number
//! of commits; only the decisions about one and the same pair, links and cuts, count in the order
//! they were made. `docs/identity.md` tells the rules as a story.
//!
//! 1. *The standing of a pair.* Its latest decision is a cut: the two may not be one customer, and
//!    no row changes that. Its latest decision is a link, or it has rows alone: it is a *candidate*.
//!    Its confidence is the highest of its links since the last cut, and at least
//!    [`ROW_CONFIDENCE`] where a row carried both.
//! 2. *Who joins nobody.* A candidate with a blocked identity is refused; so is one with an
//!    identity that is a candidate with more unblocked ones than the guards allow.
//! 3. *Canonical order.* Within a pair that identity is first which is less by the rank of its
//!    namespace, then by its bytes. Candidates come by the ranks of the first and of the second,
//!    then the more certain ones, then by the bytes of the first and of the second.
//! 4. *Greedy.* In this order each candidate is accepted, unless the customer that it would make
//!    had more identities of a namespace than its limit, or both ends of a cut. What is refused
//!    stays evidence, and is accepted whenever better evidence leaves room for it.
//!
//! This is Kruskal's algorithm (1956) with two conditions on a union. Of `n` pairs it takes
//! O(n log n), and some hundred bytes for each.

mod joining;
mod numbering;
mod pairs;

use crate::guards::Guards;
use joining::Joined;
use numbering::Numbered;

/// The confidence of a pair that only rows speak for, in thousandths.
pub const ROW_CONFIDENCE: u16 = 500;
/// The confidence of a link for which none is given, in thousandths.
pub const FULL_CONFIDENCE: u16 = 1_000;

/// What was said about two identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Said {
    /// One interaction carried both.
    Row,
    /// They belong together.
    Link,
    /// They do not belong together.
    Cut,
}

/// One saying about two identities, which are given by their ordinals. About one identity and
/// itself it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Evidence {
    /// One of the two.
    pub one: u32,
    /// The other.
    pub other: u32,
    /// What was said.
    pub said: Said,
    /// How certain a link is, in thousandths; of no account for a row and for a cut.
    pub confidence: u16,
}

/// What is known of the identities that evidence names.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The identity of an ordinal, `crm:42`, as [`Identity::as_str`](crate::Identity::as_str).
    pub text: &'a dyn Fn(u32) -> &'a str,
    /// Whether it is blocked: [`Guards::blocks`], which is dear enough to be remembered.
    pub blocked: &'a dyn Fn(u32) -> bool,
}

/// What became of a pair. The identities that give the reason are ordinals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The two are one customer, by this pair or by others before it.
    Accepted,
    /// Refused: this one of the two is blocked.
    Blocked(u32),
    /// Refused: this one of the two is a candidate with too many others.
    Hub(u32),
    /// Refused: the customer would have more identities of a namespace than its limit. These are
    /// of that namespace, one on each side, the first by their bytes; the first of the two first.
    /// Where several limits would be broken it is the namespace of least rank.
    Limit(u32, u32),
    /// Refused: the customer would have these two, which were cut. Of several cuts it is the one
    /// whose first identity, then whose second one, is the least by rank and bytes.
    Cut(u32, u32),
    /// No candidate: the pair itself was cut, and not linked since.
    Withdrawn,
}

/// A pair that something was said about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairStanding {
    /// The ordinal of the identity that is less by rank, then by bytes.
    pub one: u32,
    /// That of the other.
    pub other: u32,
    /// Its confidence, in thousandths; 0 for one that was cut.
    pub confidence: u16,
    /// What became of it.
    pub standing: Standing,
}

/// Who is one customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Every identity that the evidence names, ascending, and its customer: the least ordinal
    /// among the customer's identities.
    pub customers: Vec<(u32, u32)>,
    /// The customers of more than one identity, ascending, and the identity they are shown by: the
    /// least by rank, then by bytes.
    pub shown: Vec<(u32, u32)>,
    /// Every pair that something was said about, in canonical order.
    pub pairs: Vec<PairStanding>,
}

impl Resolved {
    /// The customer of an identity: its own ordinal where the evidence does not name it.
    pub fn customer(&self, identity: u32) -> u32 {
        self.customers
            .binary_search_by_key(&identity, |&(of, _)| of)
            .ok()
            .and_then(|place| self.customers.get(place))
            .map_or(identity, |&(_, customer)| customer)
    }
}

/// Decides who is one customer, from everything that was said, in the order it was recorded.
///
/// A telephone is shared by a couple. Its interactions cannot make one customer of two `crm`
/// identities, and an explicit link decides whose it is, although it came last:
///
/// ```
/// use throughline_engine::{Evidence, Guards, Known, Said, Standing, resolve};
///
/// let texts = ["phone:1", "crm:ann", "crm:bob"];
/// let known = Known { text: &|identity| texts[identity as usize], blocked: &|_| false };
/// let row = |one, other| Evidence { one, other, said: Said::Row, confidence: 0 };
/// let link = |one, other| Evidence { one, other, said: Said::Link, confidence: 1_000 };
///
/// let rows = [row(0, 1), row(0, 2)];
/// let resolved = resolve(&rows, &known, &Guards::default());
/// assert_eq!(resolved.customers, [(0, 0), (1, 0), (2, 2)]);
/// assert_eq!(resolved.shown, [(0, 1)]);
/// assert_eq!(resolved.pairs[1].standing, Standing::Limit(1, 2));
///
/// let resolved = resolve(&[row(0, 1), row(0, 2), link(0, 2)], &known, &Guards::default());
/// assert_eq!(resolved.customers, [(0, 0), (1, 1), (2, 0)]);
/// ```
///
/// The regions of the evidence can be resolved one by one: the components that its candidates make
/// without those that have a blocked identity, or one of too many partners. The pairs between
/// members of a region give for them what all evidence gives.
pub fn resolve(evidence: &[Evidence], known: &Known<'_>, guards: &Guards) -> Resolved {
    let identities = Numbered::of(evidence, known, guards);
    let pairs = pairs::of(evidence, &identities);
    let partners = pairs::partners(&pairs, &identities);
    let mut joined = Joined::of(&identities);
    for pair in pairs.iter().filter(|pair| pair.cut) {
        joined.cut(pair.one, pair.other);
    }
    let hub = |identity: u32| partners[identity as usize] > guards.hub_links();
    let standings = pairs
        .iter()
        .map(|pair| {
            let ends = [pair.one, pair.other];
            let standing = if pair.cut {
                Standing::Withdrawn
            } else if let Some(blocked) = ends.into_iter().find(|&end| identities.blocked[end as usize]) {
                Standing::Blocked(blocked)
            } else if let Some(hub) = ends.into_iter().find(|&end| hub(end)) {
                Standing::Hub(hub)
            } else {
                joined.join(pair.one, pair.other)
            };
            identities.by_ordinal(pair, standing)
        })
        .collect();
    joined.resolved(standings)
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;
