//! `FUNNEL ANY ORDER`: distinct interactions for distinct steps, by trying all.

use super::assignments::Taken;
use super::flow::Journey;
use super::funnel::{Attempt, Funnel};
use super::outcome::outcome_by_deadline;
use super::pattern::Bound;

/// The best attempt of a journey. "Complete: least last row; then greatest
/// first row. Not complete: deepest; last row greatest; first row greatest."
pub fn best<'a>(journey: &Journey<'a>, query: &Funnel, edges: (i64, i64)) -> Option<Attempt<'a>> {
    let mut sets = Vec::new();
    collect(journey, query, &mut Vec::new(), &mut sets);
    let anchor = sets.iter().filter_map(|taken| taken.first()).map(|taken| taken.row).min();
    if query.anchor_first {
        sets.retain(|taken| taken.first().map(|taken| taken.row) == anchor);
    }
    let steps = query.pattern.elements.len();
    let best = sets.into_iter().min_by_key(|taken| {
        let rows: Vec<i64> = taken.iter().map(|taken| taken.row as i64).collect();
        let (first, last) = (rows[0], rows[rows.len() - 1]);
        let last = if rows.len() == steps { last } else { -last };
        (steps - rows.len(), last, -first, rows)
    })?;
    let depth = best.len();
    let start = journey.event(best[0].row).time;
    let deadline = query.pattern.within.map(|within| start + within);
    let last = journey.rows[best[depth - 1].row];
    let outcome = (depth < steps)
        .then(|| outcome_by_deadline(journey, last, deadline, journey.is_over(edges.1), edges.1));
    let reached = (0..steps).map(|step| step < depth).collect();
    Some(Attempt { journey: journey.clone(), taken: best, depth, reached, outcome, held: Vec::new() })
}

/// Every set of interactions in order, each for a step of its own, all within
/// WITHIN of the earliest.
fn collect(journey: &Journey, query: &Funnel, so_far: &mut Vec<Taken>, found: &mut Vec<Vec<Taken>>) {
    let pattern = &query.pattern;
    let after = so_far.last().map_or(0, |taken| taken.row + 1);
    for row in after..journey.rows.len() {
        let event = journey.event(row);
        let in_time = match so_far.first() {
            Some(first) => {
                let since = event.time - journey.event(first.row).time;
                pattern.within.is_none_or(|within| since <= within)
            }
            None => pattern.started.is_none_or(|(from, to)| from <= event.time && event.time < to),
        };
        for (element, step) in pattern.elements.iter().enumerate() {
            let fresh = so_far.iter().all(|taken| taken.element != element);
            if fresh && in_time && step.alternatives[0].takes(&pattern.on, event, &Bound::new()) {
                so_far.push(Taken { row, element, alternative: 0 });
                found.push(so_far.clone());
                collect(journey, query, so_far, found);
                so_far.pop();
            }
        }
    }
}
