//! What all that was said about a pair comes to.

use super::numbering::Numbered;
use super::{Evidence, ROW_CONFIDENCE, Said};

/// A pair of identities by their numbers. It is ordered canonically: the fields stand in the order
/// in which they decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    one_rank: u32,
    other_rank: u32,
    /// What is missing to the highest confidence there could be.
    doubt: u16,
    /// The lesser of the two numbers.
    pub one: u32,
    pub other: u32,
    /// Whether it is cut, and so no candidate.
    pub cut: bool,
}

impl Pair {
    pub(super) fn confidence(&self) -> u16 {
        u16::MAX - self.doubt
    }
}

/// All pairs of the evidence, in canonical order.
pub(super) fn of(evidence: &[Evidence], identities: &Numbered) -> Vec<Pair> {
    // The place keeps the order of decisions about one pair.
    let mut sayings: Vec<(u32, u32, u32)> = evidence
        .iter()
        .zip(0..)
        .filter(|(said, _)| said.one != said.other)
        .map(|(said, place)| {
            let (one, other) = (identities.number(said.one), identities.number(said.other));
            (one.min(other), one.max(other), place)
        })
        .collect();
    sayings.sort_unstable();
    let mut pairs: Vec<Pair> = sayings
        .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
        .filter_map(|sayings| {
            let &(one, other, _) = sayings.first()?;
            let (mut cut, mut by_link, mut by_row) = (false, 0, 0);
            for &(_, _, place) in sayings {
                let evidence = evidence[place as usize];
                match evidence.said {
                    Said::Row => by_row = ROW_CONFIDENCE,
                    Said::Link => (cut, by_link) = (false, evidence.confidence.max(by_link)),
                    Said::Cut => (cut, by_link) = (true, 0),
                }
            }
            let confidence = if cut { 0 } else { by_row.max(by_link) };
            Some(Pair {
                one_rank: identities.namespace(one),
                other_rank: identities.namespace(other),
                doubt: u16::MAX - confidence,
                one,
                other,
                cut,
            })
        })
        .collect();
    drop(sayings);
    pairs.sort_unstable();
    pairs
}

/// With how many others that are not blocked an identity is a candidate, by its number.
pub(super) fn partners(pairs: &[Pair], identities: &Numbered) -> Vec<u32> {
    let mut partners = vec![0; identities.len()];
    for pair in pairs.iter().filter(|pair| !pair.cut) {
        for (one, other) in [(pair.one, pair.other), (pair.other, pair.one)] {
            if !identities.blocked[other as usize] {
                partners[one as usize] += 1;
            }
        }
    }
    partners
}
