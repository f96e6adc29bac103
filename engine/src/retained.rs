//! What a store keeps, by all that was said about how far back that is.
//!
//! Whether an interaction is dropped depends on its time and on its commit: it is where that
//! commit, or a later one, said that nothing from before a later time is kept. So those sayings
//! matter, earliest first, that reach further than all that follow.

use serde::{Deserialize, Serialize};

use crate::model::Millis;
use crate::records::RetainedSaid;
use crate::retain::Retain;

/// Which interactions are dropped. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cutoffs {
    /// Commits, ascending, and before which time each dropped what had been recorded. The times
    /// descend: one that a later commit reaches beyond is of no account.
    steps: Vec<(u64, Millis)>,
}

impl Cutoffs {
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// A commit, later than those before, dropped what took place before a time.
    pub(crate) fn add(&mut self, commit: u64, cutoff: Millis) {
        while self.steps.pop_if(|(_, before)| *before <= cutoff).is_some() {}
        self.steps.push((commit, cutoff));
    }

    /// The commit that dropped most of what `commit` had recorded, and before which time.
    pub(crate) fn step(&self, commit: u64) -> Option<(u64, Millis)> {
        let place = self.steps.partition_point(|(dropping, _)| *dropping < commit);
        self.steps.get(place).copied()
    }

    /// Before which time what a commit recorded is dropped.
    pub(crate) fn of(&self, commit: u64) -> Option<Millis> {
        self.step(commit).map(|(_, cutoff)| cutoff)
    }

    /// The latest of all these times.
    pub(crate) fn latest(&self) -> Option<Millis> {
        self.of(0)
    }
}

/// How far back a store goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// What was said last.
    pub retain: Retain,
    /// The commit that said so.
    pub commit: u64,
    /// When that was recorded.
    pub said: Millis,
    /// Interactions that come and took place before this are left out; `None` where none are.
    pub keeps_from: Option<Millis>,
    /// The earliest instant of which the store can still say what was known: the latest time before
    /// which interactions were ever dropped; `None` where none were.
    pub known_from: Option<Millis>,
}

/// All that was said about it. Cheap to clone while that is little, as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retained {
    last: Option<Retention>,
    pub cutoffs: Cutoffs,
    /// What will be said in a history that is being read.
    #[serde(skip)]
    pub coming: Cutoffs,
}

impl Retained {
    pub(crate) fn last(&self) -> Option<Retention> {
        self.last
    }

    /// Takes in what a commit said.
    pub(crate) fn say(&mut self, said: &RetainedSaid, commit: u64, recorded: Millis) {
        if let Some(cutoff) = said.cutoff {
            self.cutoffs.add(commit, cutoff);
        }
        self.last = Some(Retention {
            retain: said.retain,
            commit,
            said: recorded,
            keeps_from: said.cutoff,
            known_from: self.cutoffs.latest(),
        });
    }

    /// Which interactions at some times are taken in now; `None` where all are.
    pub(crate) fn takes(&self, times: &[Millis]) -> Option<Vec<bool>> {
        kept(self.last?.keeps_from?, times)
    }

    /// Which interactions that a commit recorded are still there once a history has been read.
    pub(crate) fn outlast(&self, commit: u64, times: &[Millis]) -> Option<Vec<bool>> {
        kept(self.coming.of(commit)?, times)
    }
}

/// Which times are not before a cutoff; `None` where none is.
pub(crate) fn kept(cutoff: Millis, times: &[Millis]) -> Option<Vec<bool>> {
    let kept = || times.iter().map(|&time| time >= cutoff);
    kept().any(|kept| !kept).then(|| kept().collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Beside going over all that was said.
        #[test]
        fn the_furthest_of_this_and_later_commits_decides(
            said in prop::collection::vec((1..4_u64, 0..30_i64), 0..12)
        ) {
            let (mut cutoffs, mut all, mut commit) = (Cutoffs::default(), Vec::new(), 0);
            for (step, cutoff) in said {
                commit += step;
                cutoffs.add(commit, cutoff);
                all.push((commit, cutoff));
                for asked in 0..=commit + 1 {
                    let later = all.iter().filter(|(commit, _)| *commit >= asked);
                    prop_assert_eq!(cutoffs.of(asked), later.map(|(_, cutoff)| *cutoff).max());
                }
                prop_assert_eq!(cutoffs.latest(), all.iter().map(|(_, cutoff)| *cutoff).max());
            }
        }
    }

    #[test]
    fn what_comes_goes_by_the_last_word_and_what_was_known_by_the_furthest() {
        let said = |cutoff| RetainedSaid {
            retain: Retain::Forever,
            cutoff,
            interactions: 0,
            vacuumed: false,
            removed: 0,
        };
        let mut retained = Retained::default();
        assert_eq!((retained.last(), retained.takes(&[0])), (None, None));
        retained.say(&said(Some(50)), 3, 100);
        assert_eq!(retained.takes(&[50, 60]), None);
        assert_eq!(retained.takes(&[49, 50]), Some(vec![false, true]));
        retained.say(&said(Some(20)), 5, 110);
        assert_eq!(retained.takes(&[19, 49]), Some(vec![false, true]));
        retained.say(&said(None), 7, 120);
        assert_eq!(retained.takes(&[0]), None);
        let last = retained.last().expect("was said");
        assert_eq!((last.keeps_from, last.known_from, last.commit, last.said), (None, Some(50), 7, 120));
        assert_eq!(
            (retained.cutoffs.of(3), retained.cutoffs.of(4), retained.cutoffs.of(6)),
            (Some(50), Some(20), None)
        );
        // Nothing is expected of a history that is read already.
        assert_eq!(retained.outlast(1, &[0]), None);
    }
}
