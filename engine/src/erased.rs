//! Who was erased, as far as a store may remember it: keyed digests of identities, in what commits
//! they were erased, and what is missing since in counts that were taken before.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use crate::dead::Marks;
use crate::error::Result;
use crate::model::{IdentityOrdinal, Millis};
use crate::records;

/// Whether an erased identity is still kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// Nothing of it is taken in.
    Erased,
    /// It is taken in again; nothing has come yet.
    Lifted,
    /// It is known again.
    Back,
}

/// What is left of an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    /// The commits that erased it, ascending.
    pub erasures: Vec<u64>,
    pub standing: Standing,
    /// Its number, as long as the graph has one for it.
    pub identity: Option<u32>,
}

/// Interactions of one commit that were taken out after it had been counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub interactions: u64,
    /// Time of the first and the last of them.
    pub first: Millis,
    pub last: Millis,
}

impl Taken {
    /// None at all.
    const NOTHING: Self = Self { interactions: 0, first: Millis::MAX, last: Millis::MIN };

    fn add(&mut self, other: Self) {
        self.interactions += other.interactions;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// What the log of commits counts and nobody sees any more. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TakenOut {
    by_commit: Arc<BTreeMap<u64, Taken>>,
    /// Of rows with recording times of their own, by these.
    own: Arc<BTreeMap<Millis, Taken>>,
}

impl TakenOut {
    /// Interactions of a commit at some times were taken out.
    pub(crate) fn note(&mut self, commit: u64, times: &[Millis]) {
        let (Some(&first), Some(&last)) = (times.iter().min(), times.iter().max()) else { return };
        let taken = Taken { interactions: times.len() as u64, first, last };
        Arc::make_mut(&mut self.by_commit).entry(commit).or_insert(Taken::NOTHING).add(taken);
    }

    /// An interaction that was recorded at a time of its own was taken out.
    pub(crate) fn note_own(&mut self, recorded: Millis, time: Millis) {
        let taken = Taken { interactions: 1, first: time, last: time };
        Arc::make_mut(&mut self.own).entry(recorded).or_insert(Taken::NOTHING).add(taken);
    }

    /// Counts what was taken out of earlier commits as if `commit` had recorded it: nobody asks any more
    /// what was known before.
    pub(crate) fn join_until(&mut self, commit: u64) {
        if self.by_commit.range(..commit).next().is_none() {
            return;
        }
        let by_commit = Arc::make_mut(&mut self.by_commit);
        let later = by_commit.split_off(&commit);
        let earlier = std::mem::replace(by_commit, later);
        let sum = by_commit.entry(commit).or_insert(Taken::NOTHING);
        earlier.values().for_each(|&taken| sum.add(taken));
    }

    /// Adds what was taken out by others.
    pub(crate) fn add(&mut self, other: &Self) {
        more_of(&mut self.by_commit, &other.by_commit);
        more_of(&mut self.own, &other.own);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_commit.is_empty() && self.own.is_empty()
    }

    /// Of a commit and all before it, and of what was recorded by an instant of its own.
    pub(crate) fn until(&self, commit: u64, at: Millis) -> Taken {
        let mut sum = Taken::NOTHING;
        self.by_commit.range(..=commit).for_each(|(_, &taken)| sum.add(taken));
        self.own.range(..=at).for_each(|(_, &taken)| sum.add(taken));
        sum
    }
}

fn more_of<K: Copy + Ord>(sum: &mut Arc<BTreeMap<K, Taken>>, more: &BTreeMap<K, Taken>) {
    if !more.is_empty() {
        let sum = Arc::make_mut(sum);
        more.iter().for_each(|(&key, &taken)| sum.entry(key).or_insert(Taken::NOTHING).add(taken));
    }
}

/// Erasures that are still to come in a history that is being read. What is known of them keeps
/// the rows before them out, so that these need not be found again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coming {
    /// Keys of identities, the last commit that erases each, and its number once it has been met.
    keys: HashMap<u128, (u64, Option<u32>)>,
    /// The same by number.
    identities: BTreeMap<u32, u64>,
}

impl Coming {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// An identity is erased by a commit, later than by those that were said before.
    pub(crate) fn add(&mut self, key: u128, commit: u64) {
        self.keys.insert(key, (commit, None));
    }

    /// Whether what a commit has of an identity is taken out afterwards.
    pub(crate) fn takes_out(&self, key: u128, commit: u64) -> bool {
        self.last_of(key).is_some_and(|erasure| commit <= erasure)
    }

    /// The last commit that erases an identity.
    pub(crate) fn last_of(&self, key: u128) -> Option<u64> {
        self.keys.get(&key).map(|&(erasure, _)| erasure)
    }

    pub(crate) fn contains(&self, key: u128) -> bool {
        self.keys.contains_key(&key)
    }

    /// Takes those out of a set that a commit named and that are erased afterwards.
    pub(crate) fn remove_from(&self, identities: &mut RoaringBitmap, commit: u64) {
        let erased = self.identities.iter().filter(|(_, erasure)| commit <= **erasure);
        for (&identity, _) in erased {
            identities.remove(identity);
        }
    }
}

/// All that is known of erasures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Erased {
    tombstones: Arc<BTreeMap<u128, Tombstone>>,
    pub taken_out: TakenOut,
    pub coming: Coming,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    tombstones: Vec<(u128, Tombstone)>,
    taken_out: Vec<(u64, Taken)>,
    taken_own: Vec<(Millis, Taken)>,
}

impl Erased {
    /// Whether nobody was ever erased, or will be in what is being read.
    pub(crate) fn is_empty(&self) -> bool {
        self.tombstones.is_empty() && self.coming.is_empty()
    }

    /// Whether two say the same because one is a copy of the other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tombstones, &other.tombstones)
            && Arc::ptr_eq(&self.taken_out.by_commit, &other.taken_out.by_commit)
            && Arc::ptr_eq(&self.taken_out.own, &other.taken_out.own)
    }

    pub(crate) fn get(&self, key: u128) -> Option<&Tombstone> {
        self.tombstones.get(&key)
    }

    pub(crate) fn tombstones(&self) -> impl Iterator<Item = (u128, &Tombstone)> {
        self.tombstones.iter().map(|(&key, tombstone)| (key, tombstone))
    }

    /// Whether rows of an identity are kept out.
    pub(crate) fn keeps_out(&self, key: u128) -> bool {
        self.get(key).is_some_and(|tombstone| tombstone.standing == Standing::Erased)
    }

    /// An identity is erased by a commit. Answers its number, where it has one.
    pub(crate) fn erase(&mut self, key: u128, commit: u64, identity: Option<u32>) -> Option<u32> {
        let met = self.coming.keys.get(&key).and_then(|&(_, identity)| identity);
        let tombstones = Arc::make_mut(&mut self.tombstones);
        let nothing = Tombstone { erasures: Vec::new(), standing: Standing::Erased, identity };
        let tombstone = tombstones.entry(key).or_insert(nothing);
        tombstone.erasures.push(commit);
        tombstone.standing = Standing::Erased;
        tombstone.identity = tombstone.identity.or(identity).or(met);
        tombstone.identity
    }

    /// An identity is taken in again.
    pub(crate) fn lift(&mut self, key: u128) {
        if self.keeps_out(key)
            && let Some(tombstone) = Arc::make_mut(&mut self.tombstones).get_mut(&key)
        {
            tombstone.standing = Standing::Lifted;
        }
    }

    /// An identity was met under a number. Answers whether it is known again by that.
    pub(crate) fn met(&mut self, key: u128, IdentityOrdinal(identity): IdentityOrdinal) -> bool {
        if let Some((erasure, number)) = self.coming.keys.get_mut(&key) {
            *number = Some(identity);
            self.coming.identities.insert(identity, *erasure);
        }
        let Some(known) = self.get(key) else { return false };
        let returns = known.standing == Standing::Lifted;
        if (returns || known.identity.is_none())
            && let Some(tombstone) = Arc::make_mut(&mut self.tombstones).get_mut(&key)
        {
            tombstone.identity = Some(identity);
            if returns {
                tombstone.standing = Standing::Back;
            }
        }
        returns
    }

    /// Numbers of identities, and the last commit that erased each.
    pub(crate) fn forgotten(&self) -> impl Iterator<Item = (u32, u64)> {
        self.tombstones
            .values()
            .filter_map(|tombstone| Some((tombstone.identity?, *tombstone.erasures.last()?)))
    }

    /// Numbers whose identities are not shown and not found.
    pub(crate) fn hidden(&self) -> Marks {
        let mut hidden = Marks::default();
        let still = |tombstone: &&Tombstone| tombstone.standing != Standing::Back;
        hidden.extend(self.tombstones.values().filter(still).filter_map(|tombstone| tombstone.identity));
        hidden
    }

    /// As bytes of the graph; none where there is nothing to remember.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        if self.tombstones.is_empty() && self.taken_out.is_empty() {
            return Ok(Vec::new());
        }
        records::to_bytes(&Stored {
            tombstones: self.tombstones.iter().map(|(&key, tombstone)| (key, tombstone.clone())).collect(),
            taken_out: self.taken_out.by_commit.iter().map(|(&commit, &taken)| (commit, taken)).collect(),
            taken_own: self.taken_out.own.iter().map(|(&at, &taken)| (at, taken)).collect(),
        })
    }

    pub(crate) fn decode(bytes: &[u8], what: &str) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let stored: Stored = records::from_bytes(bytes, what)?;
        Ok(Self {
            tombstones: Arc::new(stored.tombstones.into_iter().collect()),
            taken_out: TakenOut {
                by_commit: Arc::new(stored.taken_out.into_iter().collect()),
                own: Arc::new(stored.taken_own.into_iter().collect()),
            },
            coming: Coming::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_is_lifted_and_laid_again() {
        let mut erased = Erased::default();
        assert!(erased.is_empty() && erased.encode().expect("encodes").is_empty());
        erased.lift(7);
        erased.erase(7, 3, Some(5));
        erased.erase(8, 3, None);
        assert!(erased.keeps_out(7) && erased.keeps_out(8) && !erased.keeps_out(9));
        assert_eq!(erased.hidden().within(0..=9), [5]);
        assert!(!erased.met(8, IdentityOrdinal(6)) && !erased.met(9, IdentityOrdinal(1)));
        assert_eq!(erased.hidden().within(0..=9), [5, 6]);
        erased.lift(7);
        // Nobody is shown before something came.
        assert!(!erased.keeps_out(7) && erased.hidden().contains(5));
        assert!(erased.met(7, IdentityOrdinal(5)) && !erased.met(7, IdentityOrdinal(5)));
        assert_eq!(erased.hidden().within(0..=9), [6]);
        erased.erase(7, 9, Some(5));
        assert_eq!(erased.get(7).map(|tombstone| tombstone.erasures.as_slice()), Some([3, 9].as_slice()));
        assert!(erased.keeps_out(7));
        erased.taken_out.note(2, &[50, 40]);
        erased.taken_out.note(2, &[45]);
        erased.taken_out.note(4, &[7]);
        erased.taken_out.note(4, &[]);
        erased.taken_out.note_own(-3, 60);
        assert_eq!(erased.taken_out.until(1, -4), Taken::NOTHING);
        assert_eq!(erased.taken_out.until(3, -4), Taken { interactions: 3, first: 40, last: 50 });
        assert_eq!(erased.taken_out.until(4, 0), Taken { interactions: 5, first: 7, last: 60 });
        let mut joined = erased.taken_out.clone();
        joined.join_until(3);
        assert_eq!(joined.by_commit.keys().copied().collect::<Vec<_>>(), [3, 4]);
        for commit in [3, 4] {
            assert_eq!(joined.until(commit, 0), erased.taken_out.until(commit, 0));
        }
        joined.join_until(3);
        joined.join_until(9);
        assert_eq!(joined.by_commit.len(), 1);
        let bytes = erased.encode().expect("encodes");
        let read = Erased::decode(&bytes, "test").expect("decodes");
        assert_eq!((&read.tombstones, &read.taken_out), (&erased.tombstones, &erased.taken_out));
        for cut in 1..bytes.len() {
            assert!(Erased::decode(&bytes[..cut], "test").is_err(), "cut at {cut}");
        }
    }
}
