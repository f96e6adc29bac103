//! Entries of COUNT ATTEMPTS, found with every live attempt in hand.

use std::collections::BTreeSet;
use std::ops::Range;

use super::ground::{Claim, Ground};
use super::rule::TooMany;
use super::search::{Goal, Move, Search, State};
use crate::limits::MATCH_STATES_MAX;

/// A live attempt: where it is, and the ways on that are not lost yet.
struct Live {
    state: State,
    moves: Vec<(Move, Claim)>,
}

/// Finds the entries of a journey from left to right and hands on, for each,
/// its range of rows. Not for `any_order` and `simultaneous`.
///
/// An entry opens at a row that can start an attempt, takes in further starts
/// (unless the rule is anchored), and closes with the row that completes an
/// attempt, or before the row at which none is left that could go on.
pub(super) fn entries(ground: Ground<'_>, mut take: impl FnMut(Range<u32>)) -> Result<(), TooMany> {
    let anchored = ground.rule.anchor_first;
    let mut search = Search::new(ground, Goal::Deepest);
    let mut live: Vec<Live> = Vec::new();
    let mut known: BTreeSet<State> = BTreeSet::new();
    let mut opened: Option<u32> = None;
    let mut budget = MATCH_STATES_MAX;
    for row in ground.from..ground.until {
        let mut added = Vec::new();
        for attempt in &mut live {
            budget = budget.checked_sub(attempt.moves.len()).ok_or(TooMany)?;
            attempt.moves.retain(|&(step, _)| !search.is_lost(&attempt.state, step, row));
            for &(step, _) in &attempt.moves {
                added.extend(search.moved(&attempt.state, step, row));
            }
            attempt.moves.retain(|&(step, claim)| {
                claim != Claim::Violated(row) && !search.breaks(&attempt.state, step, row)
            });
        }
        live.retain(|attempt| !attempt.moves.is_empty());
        let mut done = false;
        let mut admit = |states: Vec<State>, live: &mut Vec<Live>, search: &mut Search<'_>| {
            for state in states {
                if !known.insert(state.clone()) {
                    continue;
                }
                let moves = search.moves(&state);
                let moves: Vec<(Move, Claim)> =
                    moves.into_iter().map(|step| (step, search.passing(&state, step))).collect();
                done |= moves.iter().any(|&(step, claim)| step == Move::End && ground.grants(claim));
                live.push(Live { state, moves });
            }
        };
        admit(added, &mut live, &mut search);
        if let Some(first) = opened.filter(|_| live.is_empty()) {
            take(first..row);
            opened = None;
        }
        if opened.is_none() || !anchored {
            let starts = search.starts(row);
            if !starts.is_empty() {
                opened = opened.or(Some(row));
            }
            admit(starts, &mut live, &mut search);
        }
        if done && let Some(first) = opened.take() {
            take(first..row + 1);
        }
        if opened.is_none() {
            live.clear();
            known.clear();
        }
    }
    if let Some(first) = opened {
        take(first..ground.until);
    }
    Ok(())
}
