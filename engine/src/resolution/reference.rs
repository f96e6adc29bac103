//! Resolution as its rules read, with texts, maps and sets, and no regard for time.

use std::collections::{BTreeMap, BTreeSet};

use super::{ROW_CONFIDENCE, Said};
use crate::guards::{Guards, Rank};
use crate::model::IdentityRef;

/// What was said about two identities.
#[derive(Clone, Debug)]
pub(super) struct Saying {
    pub one: String,
    pub other: String,
    pub said: Said,
    pub confidence: u16,
}

/// What became of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted,
    Blocked(String),
    Hub(String),
    Limit(String, String),
    Cut(String, String),
    Withdrawn,
}

/// Who is one customer, and what became of each pair in canonical order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub customers: BTreeSet<BTreeSet<String>>,
    pub pairs: Vec<(String, String, u16, Fate)>,
}

/// By rank, then by bytes.
fn place<'a>(guards: &Guards, identity: &'a str) -> (Rank<'a>, &'a str) {
    (guards.rank(IdentityRef::stored(identity).namespace()), identity)
}

/// Resolves by the rules, one after the other.
pub(super) fn slowly(sayings: &[Saying], guards: &Guards) -> Model {
    let mut identities = BTreeSet::new();
    let mut by_pair: BTreeMap<(&str, &str), Vec<&Saying>> = BTreeMap::new();
    for saying in sayings {
        let (one, other) = (saying.one.as_str(), saying.other.as_str());
        identities.extend([one, other]);
        if one != other {
            let ordered = if place(guards, one) < place(guards, other) { (one, other) } else { (other, one) };
            by_pair.entry(ordered).or_default().push(saying);
        }
    }

    // 1. The standing of each pair.
    let mut candidates = Vec::new();
    let mut cuts = Vec::new();
    for (&(one, other), sayings) in &by_pair {
        let last_cut = sayings.iter().rposition(|saying| saying.said == Said::Cut);
        let since = &sayings[last_cut.map_or(0, |place| place + 1)..];
        let links: Vec<u16> =
            since.iter().filter(|saying| saying.said == Said::Link).map(|saying| saying.confidence).collect();
        let rows = sayings.iter().any(|saying| saying.said == Said::Row);
        if last_cut.is_some() && links.is_empty() {
            cuts.push((one, other));
        } else {
            let of_rows = if rows { ROW_CONFIDENCE } else { 0 };
            candidates.push((one, other, links.into_iter().max().unwrap_or(0).max(of_rows)));
        }
    }

    // 2. Who joins nobody.
    let blocks = |identity: &str| guards.blocks(IdentityRef::stored(identity));
    let is_hub = |identity: &str| {
        let partners: BTreeSet<&str> = candidates
            .iter()
            .filter_map(|&(one, other, _)| match identity {
                _ if identity == one => Some(other),
                _ if identity == other => Some(one),
                _ => None,
            })
            .filter(|partner| !blocks(partner))
            .collect();
        partners.len() > guards.hub_links() as usize
    };

    // 3. Canonical order, in which a cut is a pair of no confidence.
    let mut pairs: Vec<(&str, &str, u16, bool)> = candidates
        .iter()
        .map(|&(one, other, confidence)| (one, other, confidence, false))
        .chain(cuts.iter().map(|&(one, other)| (one, other, 0, true)))
        .collect();
    pairs.sort_by_key(|&(one, other, confidence, _)| {
        let ((of_one, one), (of_other, other)) = (place(guards, one), place(guards, other));
        (of_one, of_other, std::cmp::Reverse(confidence), one, other)
    });

    // 4. One pair after the other.
    let mut accepted: Vec<(&str, &str)> = Vec::new();
    let mut fates = Vec::new();
    for (one, other, confidence, cut) in pairs {
        let fate = if cut {
            Fate::Withdrawn
        } else if let Some(blocked) = [one, other].into_iter().find(|end| blocks(end)) {
            Fate::Blocked(blocked.to_owned())
        } else if let Some(hub) = [one, other].into_iter().find(|end| is_hub(end)) {
            Fate::Hub(hub.to_owned())
        } else {
            let mine = reached(one, &accepted);
            let theirs = reached(other, &accepted);
            let fate =
                if mine.contains(other) { Fate::Accepted } else { forbidden(&mine, &theirs, &cuts, guards) };
            if fate == Fate::Accepted {
                accepted.push((one, other));
            }
            fate
        };
        fates.push((one.to_owned(), other.to_owned(), confidence, fate));
    }
    let customers = identities
        .iter()
        .map(|identity| reached(identity, &accepted).into_iter().map(str::to_owned).collect())
        .collect();
    Model { customers, pairs: fates }
}

/// All identities that pairs lead to from one.
fn reached<'a>(from: &'a str, pairs: &[(&'a str, &'a str)]) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::from([from]);
    loop {
        let before = reached.len();
        for &(one, other) in pairs {
            if reached.contains(one) || reached.contains(other) {
                reached.extend([one, other]);
            }
        }
        if reached.len() == before {
            return reached;
        }
    }
}

/// Whether two customers may be one.
fn forbidden(mine: &BTreeSet<&str>, theirs: &BTreeSet<&str>, cuts: &[(&str, &str)], guards: &Guards) -> Fate {
    let namespace_of = |identity: &str| IdentityRef::stored(identity).namespace().to_owned();
    let mut namespaces: Vec<String> =
        mine.iter().chain(theirs).map(|identity| namespace_of(identity)).collect();
    namespaces.sort_by(|one, other| guards.rank(one).cmp(&guards.rank(other)));
    namespaces.dedup();
    for namespace in namespaces {
        let of = |customer: &BTreeSet<&str>| -> Vec<String> {
            customer
                .iter()
                .filter(|identity| namespace_of(identity) == namespace)
                .map(|&identity| identity.to_owned())
                .collect()
        };
        let (mine, theirs) = (of(mine), of(theirs));
        if mine.len() + theirs.len() > guards.limit(&namespace) as usize {
            let mut firsts = [mine[0].clone(), theirs[0].clone()];
            firsts.sort();
            let [one, other] = firsts;
            return Fate::Limit(one, other);
        }
    }
    let together = |one: &str, other: &str| {
        (mine.contains(one) && theirs.contains(other)) || (mine.contains(other) && theirs.contains(one))
    };
    cuts.iter()
        .filter(|(one, other)| together(one, other))
        .min_by_key(|(one, other)| (place(guards, one), place(guards, other)))
        .map_or(Fate::Accepted, |&(one, other)| Fate::Cut(one.to_owned(), other.to_owned()))
}
