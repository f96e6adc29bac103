//! The identities that evidence names, numbered by rank and bytes: with these numbers the canonical
//! order is one of numbers, and no text is looked at again.

use std::collections::BTreeMap;

use super::pairs::Pair;
use super::{Evidence, Known, PairStanding, Standing};
use crate::guards::Guards;
use crate::model::IdentityRef;

/// The identities of some evidence. A *number* is a place in the order of rank, then bytes.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    /// The ordinal of each number.
    pub ordinals: Vec<u32>,
    /// The namespace of each number, ascending: namespaces are numbered by rank.
    pub namespaces: Vec<u32>,
    /// The limit of each namespace.
    pub limits: Vec<u32>,
    /// Whether a number is blocked.
    pub blocked: Vec<bool>,
    /// Ordinal and number, ascending by ordinal.
    pub by_ordinal: Vec<(u32, u32)>,
}

/// An identity while it is sorted.
struct Sorting {
    namespace: u32,
    ordinal: u32,
    /// The first bytes of the key, which decide nearly always.
    start: u64,
}

impl Numbered {
    pub(super) fn of(evidence: &[Evidence], known: &Known<'_>, guards: &Guards) -> Self {
        let mut named: Vec<u32> = evidence.iter().flat_map(|said| [said.one, said.other]).collect();
        named.sort_unstable();
        named.dedup();

        let mut namespaces: BTreeMap<&str, u32> = BTreeMap::new();
        let mut sorting: Vec<Sorting> = named
            .into_iter()
            .map(|ordinal| {
                let identity = IdentityRef::stored((known.text)(ordinal));
                let next = namespaces.len() as u32;
                let namespace = *namespaces.entry(identity.namespace()).or_insert(next);
                Sorting { namespace, ordinal, start: start_of(identity.key()) }
            })
            .collect();
        let mut by_rank: Vec<(&str, u32)> = namespaces.into_iter().collect();
        by_rank.sort_unstable_by_key(|&(namespace, _)| guards.rank(namespace));
        let mut ranks = vec![0; by_rank.len()];
        for (rank, &(_, namespace)) in by_rank.iter().enumerate() {
            ranks[namespace as usize] = rank as u32;
        }
        for identity in &mut sorting {
            identity.namespace = ranks[identity.namespace as usize];
        }
        sorting.sort_unstable_by(|one, other| {
            (one.namespace, one.start)
                .cmp(&(other.namespace, other.start))
                .then_with(|| (known.text)(one.ordinal).cmp((known.text)(other.ordinal)))
                .then_with(|| one.ordinal.cmp(&other.ordinal))
        });

        let ordinals: Vec<u32> = sorting.iter().map(|identity| identity.ordinal).collect();
        let namespaces = sorting.iter().map(|identity| identity.namespace).collect();
        drop(sorting);
        let mut by_ordinal: Vec<(u32, u32)> = ordinals.iter().copied().zip(0..).collect();
        by_ordinal.sort_unstable();
        Self {
            namespaces,
            limits: by_rank.iter().map(|(namespace, _)| guards.limit(namespace)).collect(),
            blocked: ordinals.iter().map(|&ordinal| (known.blocked)(ordinal)).collect(),
            ordinals,
            by_ordinal,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ordinals.len()
    }

    /// The number of an ordinal that the evidence names.
    pub(super) fn number(&self, ordinal: u32) -> u32 {
        let place = self.by_ordinal.partition_point(|&(other, _)| other < ordinal);
        self.by_ordinal[place].1
    }

    pub(super) fn namespace(&self, number: u32) -> u32 {
        self.namespaces[number as usize]
    }

    /// A pair and its standing with ordinals in place of numbers.
    pub(super) fn by_ordinal(&self, pair: &Pair, standing: Standing) -> PairStanding {
        let ordinal = |number: u32| self.ordinals[number as usize];
        PairStanding {
            one: ordinal(pair.one),
            other: ordinal(pair.other),
            confidence: pair.confidence(),
            standing: match standing {
                Standing::Accepted => Standing::Accepted,
                Standing::Withdrawn => Standing::Withdrawn,
                Standing::Blocked(one) => Standing::Blocked(ordinal(one)),
                Standing::Hub(one) => Standing::Hub(ordinal(one)),
                Standing::Limit(one, other) => Standing::Limit(ordinal(one), ordinal(other)),
                Standing::Cut(one, other) => Standing::Cut(ordinal(one), ordinal(other)),
            },
        }
    }
}

/// The first eight bytes as a number that is ordered as they are.
fn start_of(key: &str) -> u64 {
    let mut start = [0; 8];
    for (to, from) in start.iter_mut().zip(key.bytes()) {
        *to = from;
    }
    u64::from_be_bytes(start)
}
