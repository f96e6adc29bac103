//! What all that was said comes to, by pair and by identity, and who may be one customer because
//! of it. It follows from the log of what was said, takes in what is said next, and tells whom
//! that concerns.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use crate::evidence::Entry;
use crate::guards::Guards;
use crate::model::IdentityRef;
use crate::resolution::{Evidence, Known, ROW_CONFIDENCE, Resolved, Said, resolve};
use crate::strings::Strings;

/// Ends a chain.
const NONE: u32 = u32::MAX;

/// A pair that something was said about.
#[derive(Clone, Copy, Debug)]
struct Tie {
    ends: [u32; 2],
    /// The pair before this one of each end.
    before: [u32; 2],
    /// Whether a row carried both.
    row: bool,
    /// The highest confidence of its links since the last cut, in thousandths; 0 without one.
    link: u16,
    /// Whether it was cut, and not linked since.
    cut: bool,
}

impl Tie {
    /// The confidence of a candidate; 0 for what is none.
    fn confidence(&self) -> u16 {
        match self.cut {
            true => 0,
            false => self.link.max(if self.row { ROW_CONFIDENCE } else { 0 }),
        }
    }

    /// What was said, as far as it counts.
    fn evidence(&self) -> impl Iterator<Item = Evidence> {
        let [one, other] = self.ends;
        let say = move |is: bool, said, confidence| is.then_some(Evidence { one, other, said, confidence });
        let all = [
            say(self.row, Said::Row, 0),
            say(self.cut, Said::Cut, 0),
            say(!self.cut && self.link > 0, Said::Link, self.link),
        ];
        all.into_iter().flatten()
    }
}

/// An identity that something was said about.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Its last pair.
    last: u32,
    /// With how many that are not blocked it is a candidate.
    partners: u32,
    blocked: bool,
}

/// All pairs and identities that something was said about.
#[derive(Clone, Debug)]
pub(crate) struct Ties {
    ties: Vec<Tie>,
    by_ends: HashMap<(u32, u32), u32>,
    ends: HashMap<u32, End>,
    hub_links: u32,
}

impl Ties {
    /// Nothing said yet, under these rules.
    pub(crate) fn new(guards: &Guards) -> Self {
        let hub_links = guards.hub_links();
        Self { ties: Vec::new(), by_ends: HashMap::new(), ends: HashMap::new(), hub_links }
    }

    /// What a log comes to.
    pub(crate) fn of(entries: &[Entry], texts: &Strings, guards: &Guards) -> Self {
        let mut ties = Self::new(guards);
        let mut concerned = RoaringBitmap::new();
        for entry in entries {
            ties.note(entry, texts, guards, &mut concerned);
        }
        ties
    }

    /// Takes in what was said next. Adds those to `concerned` whose customers may be others now, or
    /// from whose customers these can be told.
    pub(crate) fn note(
        &mut self,
        entry: &Entry,
        texts: &Strings,
        guards: &Guards,
        concerned: &mut RoaringBitmap,
    ) {
        let (one, other) = (entry.one.0.min(entry.other.0), entry.one.0.max(entry.other.0));
        if one == other {
            return;
        }
        let place = match self.by_ends.get(&(one, other)) {
            Some(&place) => place,
            None => {
                let place = self.ties.len() as u32;
                let before = [one, other].map(|identity| {
                    let blocked = || guards.blocks(IdentityRef::stored(texts.get(identity as usize)));
                    let new = || End { last: NONE, partners: 0, blocked: blocked() };
                    let end = self.ends.entry(identity).or_insert_with(new);
                    std::mem::replace(&mut end.last, place)
                });
                self.ties.push(Tie { ends: [one, other], before, row: false, link: 0, cut: false });
                self.by_ends.insert((one, other), place);
                place
            }
        };
        let Some(tie) = self.ties.get_mut(place as usize) else { return };
        let before = *tie;
        match entry.said {
            Said::Row => tie.row = true,
            Said::Link => (tie.cut, tie.link) = (false, tie.link.max(entry.confidence)),
            Said::Cut => (tie.cut, tie.link) = (true, 0),
        }
        let now = *tie;
        if (before.confidence(), before.cut) == (now.confidence(), now.cut) {
            return;
        }
        concerned.extend([one, other]);
        let (was, is) = (before.confidence() > 0, now.confidence() > 0);
        if was == is {
            return;
        }
        for (identity, partner) in [(one, other), (other, one)] {
            if self.ends.get(&partner).is_some_and(|partner| partner.blocked) {
                continue;
            }
            let Some(end) = self.ends.get_mut(&identity) else { continue };
            let was_hub = end.partners > self.hub_links;
            end.partners = if is { end.partners + 1 } else { end.partners.saturating_sub(1) };
            if was_hub != (end.partners > self.hub_links) {
                // It joins nobody any more, or again.
                concerned.extend(self.partners(identity).map(|(_, partner)| partner));
            }
        }
    }

    /// Forgets all that was said about an identity. Adds those to `concerned` whom that concerns.
    pub(crate) fn forget(&mut self, identity: u32, concerned: &mut RoaringBitmap) {
        let Some(blocked) = self.ends.get(&identity).map(|end| end.blocked) else { return };
        let pairs: Vec<(u32, u32)> = self.partners(identity).collect();
        concerned.insert(identity);
        for (place, partner) in pairs {
            concerned.insert(partner);
            let Some(tie) = self.ties.get_mut(place as usize) else { continue };
            let was = tie.confidence() > 0;
            (tie.row, tie.link, tie.cut) = (false, 0, false);
            let Some(end) = self.ends.get_mut(&partner).filter(|_| was && !blocked) else { continue };
            let was_hub = end.partners > self.hub_links;
            end.partners = end.partners.saturating_sub(1);
            if was_hub && end.partners <= self.hub_links {
                concerned.extend(self.partners(partner).map(|(_, partner)| partner));
            }
        }
        if let Some(end) = self.ends.get_mut(&identity) {
            end.partners = 0;
        }
    }

    /// The pairs of an identity, by their places, and who the other one is.
    fn partners(&self, identity: u32) -> impl Iterator<Item = (u32, u32)> {
        let mut place = self.ends.get(&identity).map_or(NONE, |end| end.last);
        std::iter::from_fn(move || {
            let tie = self.ties.get(place as usize)?;
            let side = usize::from(tie.ends[1] == identity);
            let found = (place, tie.ends[1 - side]);
            place = tie.before[side];
            Some(found)
        })
    }

    /// Whether it is blocked or has too many partners, and is a customer of its own for that.
    fn is_alone(&self, identity: u32) -> bool {
        self.ends.get(&identity).is_none_or(|end| end.blocked || end.partners > self.hub_links)
    }

    /// All that something was said about.
    pub(crate) fn identities(&self) -> RoaringBitmap {
        let mut all: Vec<u32> = self.ends.keys().copied().collect();
        all.sort_unstable();
        all.into_iter().collect()
    }

    /// Everybody who can have come into, or gone out of, a customer of one of `some`: the regions of
    /// what was said that they lie in, and how each is resolved. Those who belong to nobody else are
    /// among them, and may be left out of the resolved.
    pub(crate) fn resolve(
        &self,
        some: &RoaringBitmap,
        texts: &Strings,
        guards: &Guards,
    ) -> (RoaringBitmap, Resolved) {
        let (region, evidence) = self.region(some);
        // Who is blocked or has too many partners is not in it, and others have no more in it than in all.
        let known = Known { text: &|identity| texts.get(identity as usize), blocked: &|_| false };
        (region, resolve(&evidence, &known, guards))
    }

    /// Those who can be one customer with one of `some`, and what was said about them, pair by pair,
    /// as far as it counts.
    pub(crate) fn region(&self, some: &RoaringBitmap) -> (RoaringBitmap, Vec<Evidence>) {
        let mut region = some.clone();
        let mut open: Vec<u32> = some.iter().filter(|&identity| !self.is_alone(identity)).collect();
        let mut places = RoaringBitmap::new();
        while let Some(identity) = open.pop() {
            for (place, partner) in self.partners(identity) {
                if self.is_alone(partner) {
                    continue;
                }
                // Over cuts too: what was one region before a cut is looked at as a whole.
                places.insert(place);
                if region.insert(partner) {
                    open.push(partner);
                }
            }
        }
        let ties = places.iter().filter_map(|place| self.ties.get(place as usize));
        (region, ties.flat_map(Tie::evidence).collect())
    }

    /// All that counts of what was said, pair by pair, for [`resolve`]; and who is blocked.
    pub(crate) fn evidence(&self) -> Vec<Evidence> {
        self.ties.iter().flat_map(Tie::evidence).collect()
    }

    /// Whether an identity that something was said about is blocked.
    pub(crate) fn is_blocked(&self, identity: u32) -> bool {
        self.ends.get(&identity).is_some_and(|end| end.blocked)
    }

    /// Whether a row carried both of two identities.
    pub(crate) fn has_row(&self, one: u32, other: u32) -> bool {
        let place = self.by_ends.get(&(one.min(other), one.max(other)));
        place.and_then(|&place| self.ties.get(place as usize)).is_some_and(|tie| tie.row)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::IdentityOrdinal;

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let said = prop_oneof![
            3 => Just((Said::Row, 0)),
            3 => (1..4_u16).prop_map(|n| (Said::Link, n * 300)),
            1 => Just((Said::Cut, 0)),
        ];
        let entry = (0..14_u32, 0..14_u32, said).prop_map(|(one, other, (said, confidence))| Entry {
            one: IdentityOrdinal(one),
            other: IdentityOrdinal(other),
            said,
            confidence,
            commit: 1,
            recorded: 0,
            source: 0,
        });
        prop::collection::vec(entry, 0..60)
    }

    fn texts() -> Strings {
        let mut texts = Strings::default();
        for number in 0..14 {
            let namespace = ["crm", "email", "phone"][number % 3];
            texts.push(&format!(
                "{namespace}:{}",
                if number == 5 { "unknown".into() } else { number.to_string() }
            ));
        }
        texts
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Whatever comes in whatever portions: looking at the regions concerned alone gives what
        /// looking at all that was ever said gives.
        #[test]
        fn regions_are_resolved_as_all_is(
            entries in entries(),
            portions in prop::collection::vec(1..9_usize, 1..20),
            hub_links in 1..5_u32,
        ) {
            let texts = texts();
            let guards = Guards::default().with_hub_links(hub_links).expect("is one");
            let blocked = |identity: u32| guards.blocks(IdentityRef::stored(texts.get(identity as usize)));
            let known = Known { text: &|identity| texts.get(identity as usize), blocked: &blocked };
            let mut ties = Ties::new(&guards);
            let mut customers: Vec<u32> = (0..14).collect();
            let mut rest = &entries[..];
            let mut said = Vec::new();
            for portion in portions.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*portion).min(rest.len()));
                rest = later;
                let mut concerned = RoaringBitmap::new();
                for entry in now {
                    ties.note(entry, &texts, &guards, &mut concerned);
                    let (one, other) = (entry.one.0, entry.other.0);
                    said.push(Evidence { one, other, said: entry.said, confidence: entry.confidence });
                }
                let (region, resolved) = ties.resolve(&concerned, &texts, &guards);
                for identity in region {
                    customers[identity as usize] = resolved.customer(identity);
                }
                let all = resolve(&said, &known, &guards);
                let expected: Vec<u32> = (0..14).map(|identity| all.customer(identity)).collect();
                prop_assert_eq!(&customers, &expected);
                let by_ties = |one| ties.is_blocked(one);
                let text = |identity: u32| texts.get(identity as usize);
                let of_ties = resolve(&ties.evidence(), &Known { text: &text, blocked: &by_ties }, &guards);
                prop_assert_eq!(of_ties.customers.iter().filter(|(one, of)| one != of).count(),
                    all.customers.iter().filter(|(one, of)| one != of).count());
                for pair in &of_ties.pairs {
                    let same = all.pairs.iter().find(|all| (all.one, all.other) == (pair.one, pair.other));
                    prop_assert_eq!(Some(pair), same);
                }
                for &Evidence { one, other, .. } in &said {
                    let row = said.iter().any(|said| said.said == Said::Row && one != other
                        && (said.one.min(said.other), said.one.max(said.other)) == (one.min(other), one.max(other)));
                    prop_assert_eq!(ties.has_row(one, other), row);
                }
            }
        }
    }
}
