//! Runs of versions that were amended away: which are put together at a seal.

use crate::manifest::{Range, Run};
use crate::model::Millis;

/// The level of such runs.
pub(super) const LEVEL: u8 = 0;
/// A range has so many before they are merged.
const RUNS_MAX: usize = 8;

/// Takes out those that are merged with what is new: all where they are many, and where a range
/// that is folded has several, or one in which something is dead or from before `cutoff`.
pub(super) fn merged(range: &mut Range, folded: bool, cutoff: Option<Millis>) -> Vec<Run> {
    let older =
        |run: &Run| run.segments.iter().any(|segment| cutoff.is_some_and(|from| segment.time_min < from));
    let worn = || range.past.iter().any(|run| run.dead.rows > 0 || older(run));
    let due = range.past.len() >= RUNS_MAX || folded && (range.past.len() > 1 || worn());
    if due { std::mem::take(&mut range.past) } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead::Dead;

    #[test]
    fn runs_are_merged_once_they_are_many_and_with_a_fold() {
        let range = |dead: &[u64]| {
            let run = |&rows: &u64| Run { dead: Dead { rows, ..Dead::default() }, ..Run::default() };
            Range { past: dead.iter().map(run).collect(), ..Range::default() }
        };
        for (dead, folded, taken) in [
            (vec![], true, 0),
            (vec![0], true, 0),
            (vec![1], false, 0),
            (vec![1], true, 1),
            (vec![0; 2], true, 2),
            (vec![0; 7], false, 0),
            (vec![0; 8], false, 8),
        ] {
            let mut range = range(&dead);
            assert_eq!(merged(&mut range, folded, None).len(), taken, "{dead:?}, folded: {folded}");
            assert_eq!(range.past.len() + taken, dead.len());
        }
    }
}
