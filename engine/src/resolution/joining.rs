//! Joining identities one pair after the other, as far as limits and cuts let them.

use std::collections::BTreeMap;

use super::numbering::Numbered;
use super::{PairStanding, Resolved, Standing};

/// Ends a chain of namespaces.
const NONE: u32 = u32::MAX;

/// The customers so far: sets of numbers. A set is known by its least number, its *root*, which is
/// also the identity that the customer is shown by.
///
/// Each set has a chain of entries, one for each namespace that it has, by rank. An entry lies at
/// the number of the set's first identity of that namespace, so the chain begins at the root, and
/// all chains together take two numbers an identity.
#[derive(Debug)]
pub(super) struct Joined<'a> {
    identities: &'a Numbered,
    /// A number nearer to the root; itself for a root.
    above: Vec<u32>,
    /// How many identities of its namespace the set has, at each entry.
    held: Vec<u32>,
    /// The next entry of the chain.
    next: Vec<u32>,
    /// The cuts of a root's set: a number of the set, and one that may not come into it.
    cuts: BTreeMap<u32, Vec<(u32, u32)>>,
}

impl<'a> Joined<'a> {
    /// Nobody joined yet.
    pub(super) fn of(identities: &'a Numbered) -> Self {
        let numbers = identities.len();
        Self {
            identities,
            above: (0..numbers as u32).collect(),
            held: vec![1; numbers],
            next: vec![NONE; numbers],
            cuts: BTreeMap::new(),
        }
    }

    /// Keeps two numbers apart from now on. They may not be joined yet.
    pub(super) fn cut(&mut self, one: u32, other: u32) {
        for (mine, theirs) in [(one, other), (other, one)] {
            let root = root(&mut self.above, mine);
            self.cuts.entry(root).or_default().push((mine, theirs));
        }
    }

    /// Joins the sets of two numbers, or says what forbids it.
    pub(super) fn join(&mut self, one: u32, other: u32) -> Standing {
        let (one, other) = (root(&mut self.above, one), root(&mut self.above, other));
        if one == other {
            return Standing::Accepted;
        }
        if let Some((one, other)) = self.over_limit(one, other) {
            return Standing::Limit(one.min(other), one.max(other));
        }
        if let Some((one, other)) = self.cut_between(one, other) {
            return Standing::Cut(one, other);
        }
        self.unite(one.min(other), one.max(other));
        Standing::Accepted
    }

    /// The first identities of the first namespace of which two sets have too many together.
    fn over_limit(&self, mut one: u32, mut other: u32) -> Option<(u32, u32)> {
        while one != NONE && other != NONE {
            let (namespace, theirs) = (self.identities.namespace(one), self.identities.namespace(other));
            if namespace == theirs {
                let together = self.held[one as usize].saturating_add(self.held[other as usize]);
                if together > self.identities.limits[namespace as usize] {
                    return Some((one, other));
                }
            }
            if namespace <= theirs {
                one = self.next[one as usize];
            }
            if theirs <= namespace {
                other = self.next[other as usize];
            }
        }
        None
    }

    /// The least cut between two sets.
    fn cut_between(&mut self, one: u32, other: u32) -> Option<(u32, u32)> {
        let (of_one, of_other) = (self.cuts.get(&one)?, self.cuts.get(&other)?);
        // Either list has them all.
        let (cuts, beyond) = if of_one.len() <= of_other.len() { (of_one, other) } else { (of_other, one) };
        let above = &mut self.above;
        cuts.iter()
            .filter(|&&(_, theirs)| root(above, theirs) == beyond)
            .map(|&(mine, theirs)| (mine.min(theirs), mine.max(theirs)))
            .min()
    }

    fn unite(&mut self, root: u32, other: u32) {
        self.above[other as usize] = root;
        // The two chains become one, as in a merge sort.
        let (mut one, mut other_entry, mut last) = (root, other, NONE);
        while one != NONE || other_entry != NONE {
            let of_one = self.identities.namespaces.get(one as usize).copied().unwrap_or(NONE);
            let of_other = self.identities.namespaces.get(other_entry as usize).copied().unwrap_or(NONE);
            let next_one = self.next.get(one as usize).copied().unwrap_or(NONE);
            let next_other = self.next.get(other_entry as usize).copied().unwrap_or(NONE);
            let entry = if of_one == of_other {
                let together = self.held[one as usize].saturating_add(self.held[other_entry as usize]);
                let first = one.min(other_entry);
                self.held[first as usize] = together;
                (one, other_entry) = (next_one, next_other);
                first
            } else if of_one < of_other {
                std::mem::replace(&mut one, next_one)
            } else {
                std::mem::replace(&mut other_entry, next_other)
            };
            if last != NONE {
                self.next[last as usize] = entry;
            }
            last = entry;
        }
        if last != NONE {
            self.next[last as usize] = NONE;
        }
        if let Some(theirs) = self.cuts.remove(&other) {
            let mine = self.cuts.entry(root).or_default();
            // The shorter list is copied.
            let (mut longer, shorter) = if mine.len() < theirs.len() {
                (theirs, std::mem::take(mine))
            } else {
                (std::mem::take(mine), theirs)
            };
            longer.extend(shorter);
            *mine = longer;
        }
    }

    /// The customers by ordinals, beside what became of the pairs.
    pub(super) fn resolved(mut self, pairs: Vec<PairStanding>) -> Resolved {
        // Ordinals come ascending, so the first met of each set is its least.
        let mut founders = vec![NONE; self.above.len()];
        let mut customers = Vec::with_capacity(self.above.len());
        let mut shown = Vec::new();
        for &(ordinal, number) in &self.identities.by_ordinal {
            let root = root(&mut self.above, number);
            let founder = &mut founders[root as usize];
            if *founder == NONE {
                *founder = ordinal;
            } else {
                shown.push((*founder, self.identities.ordinals[root as usize]));
            }
            customers.push((ordinal, *founder));
        }
        shown.sort_unstable();
        shown.dedup();
        Resolved { customers, shown, pairs }
    }
}

/// The root of a number's set. Every second step is shortened (path halving, Tarjan and van Leeuwen
/// 1984), which keeps paths to O(log n) steps on average, although the lesser root always wins.
fn root(above: &mut [u32], mut number: u32) -> u32 {
    loop {
        let parent = above[number as usize];
        if parent == number {
            return number;
        }
        let grandparent = above[parent as usize];
        above[number as usize] = grandparent;
        number = grandparent;
    }
}
