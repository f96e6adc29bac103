//! Funnels (rules 2 to 5 and 10), by trying every choice of interactions.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::outcome::{Outcome, outcome};
use super::{Event, View, journeys, quantile};

/// The bounds on the gap along one edge, in milliseconds, inclusive (3).
#[derive(Clone, Copy, Debug, Default)]
pub struct Edge {
    /// `>= d`
    pub at_least: Option<i64>,
    /// `<= d`
    pub at_most: Option<i64>,
}

/// `FUNNEL (:a|b) -[…]-> (:c) … WITHIN … STARTED DURING …`.
#[derive(Clone, Debug, Default)]
pub struct Funnel {
    /// The attribute that labels are values of: `kind`, or that of `ON`.
    pub on: String,
    /// The labels of each step; no label is any interaction.
    pub steps: Vec<BTreeSet<String>>,
    /// `edges[i]` joins step `i` to step `i + 1`.
    pub edges: Vec<Edge>,
    /// `WITHIN`, counted from the first step, inclusive (3).
    pub within: Option<i64>,
    /// `STARTED DURING a TO b`: a <= time of the first step < b.
    pub started: Option<(i64, i64)>,
}

/// One row of a funnel (10). Times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Customers who reached it.
    pub reached: usize,
    /// Of those, who reached the next step; all at the last one.
    pub moved_on: usize,
    /// Of those, who were not heard of in time.
    pub silent: usize,
    /// Of those, who did something else, or came too late.
    pub elsewhere: usize,
    /// Of those, who may still move on.
    pub open: usize,
    /// Reached, of those who reached the first step.
    pub from_first: Option<f64>,
    /// Reached, of those who reached the step before; `None` at the first.
    pub from_previous: Option<f64>,
    /// Median time from the step before.
    pub median: Option<f64>,
    /// The same at 90 of 100.
    pub p90: Option<f64>,
}

/// One counted customer: the attempt that all columns speak of.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The customer's identity.
    pub customer: String,
    /// Steps reached.
    pub depth: usize,
    /// The time of each step reached.
    pub times: Vec<i64>,
    /// What became of it; `None` where it converted.
    pub outcome: Option<Outcome>,
    /// Kind of the customer's next interaction in the store after the last step reached.
    pub next_kind: Option<String>,
    /// Channel of the same.
    pub next_channel: Option<String>,
    /// Whether there is a next interaction at all.
    pub has_next: bool,
}

/// The counted attempt of every customer who reached the first step.
pub fn attempts(events: &[Event], view: &View, query: &Funnel) -> Vec<Attempt> {
    let Some(edge) = view.right_edge(events) else { return Vec::new() };
    let mut counted = Vec::new();
    for (customer, journey) in journeys(events) {
        // "WHERE before a pattern decides what it sees" (8).
        let visible: Vec<usize> = (0..journey.len()).filter(|&place| view.sees(journey[place])).collect();
        let Some(best) = best_match(&journey, &visible, query) else { continue };
        let depth = best.len();
        let last = best[depth - 1];
        let next = journey.get(last + 1);
        counted.push(Attempt {
            customer: customer.to_owned(),
            depth,
            times: best.iter().map(|&place| journey[place].time).collect(),
            outcome: (depth < query.steps.len()).then(|| outcome(&journey, &best, edge, query)),
            next_kind: next.and_then(|event| event.text("kind")).map(str::to_owned),
            next_channel: next.and_then(|event| event.text("channel")).map(str::to_owned),
            has_next: next.is_some(),
        });
    }
    counted
}

/// Rule 4, out of every valid match there is.
fn best_match(journey: &[&Event], visible: &[usize], query: &Funnel) -> Option<Vec<usize>> {
    let mut valid = Vec::new();
    extend(journey, visible, query, &mut Vec::new(), &mut valid);
    let complete = valid.iter().filter(|chosen| chosen.len() == query.steps.len());
    // "Complete: completes first; then latest start; then each step in turn as
    // early as a valid match allows."
    let converted =
        complete.min_by_key(|chosen| (chosen[chosen.len() - 1], Reverse(chosen[0]), (*chosen).clone()));
    // "Not complete: deepest; then the last step reached latest; then latest
    // start." What is still equal is told apart as above.
    let furthest = || {
        valid.iter().min_by_key(|chosen| {
            let last = chosen[chosen.len() - 1];
            (Reverse(chosen.len()), Reverse(last), Reverse(chosen[0]), (*chosen).clone())
        })
    };
    converted.or_else(furthest).cloned()
}

/// Appends to `valid` every way to fill one step more, and more, after `chosen`.
fn extend(
    journey: &[&Event],
    visible: &[usize],
    query: &Funnel,
    chosen: &mut Vec<usize>,
    valid: &mut Vec<Vec<usize>>,
) {
    if chosen.len() == query.steps.len() {
        return;
    }
    for &place in visible {
        if fits(journey, query, chosen, place) {
            chosen.push(place);
            valid.push(chosen.clone());
            extend(journey, visible, query, chosen, valid);
            chosen.pop();
        }
    }
}

/// Whether the interaction at `place` may fill the step after `chosen`.
fn fits(journey: &[&Event], query: &Funnel, chosen: &[usize], place: usize) -> bool {
    let event = journey[place];
    let labels = &query.steps[chosen.len()];
    let labelled = labels.is_empty() || event.text(&query.on).is_some_and(|label| labels.contains(label));
    if !labelled {
        return false;
    }
    let (Some(&first), Some(&before)) = (chosen.first(), chosen.last()) else {
        return query.started.is_none_or(|(from, to)| from <= event.time && event.time < to);
    };
    let edge = query.edges[chosen.len() - 1];
    let gap = event.time - journey[before].time;
    // "One interaction fills one step" (2), in total order (1).
    place > before
        && edge.at_least.is_none_or(|least| gap >= least)
        && edge.at_most.is_none_or(|most| gap <= most)
        && query.within.is_none_or(|within| event.time - journey[first].time <= within)
}

/// FUNNEL's rows (10): counts of the attempts.
pub fn funnel(events: &[Event], view: &View, query: &Funnel) -> Vec<Step> {
    let attempts = attempts(events, view, query);
    let reached = |step: usize| attempts.iter().filter(|attempt| attempt.depth >= step).count();
    let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
    (1..=query.steps.len())
        .map(|step| {
            let ended = |what: Outcome| {
                attempts.iter().filter(|a| a.depth == step && a.outcome == Some(what)).count()
            };
            let waits: Vec<i64> = attempts
                .iter()
                .filter(|attempt| step > 1 && attempt.depth >= step)
                .map(|attempt| attempt.times[step - 1] - attempt.times[step - 2])
                .collect();
            let last = step == query.steps.len();
            Step {
                reached: reached(step),
                moved_on: if last { reached(step) } else { reached(step + 1) },
                silent: ended(Outcome::Silent),
                elsewhere: ended(Outcome::Elsewhere),
                open: ended(Outcome::Open),
                from_first: share(reached(step), reached(1)),
                from_previous: if step == 1 { None } else { share(reached(step), reached(step - 1)) },
                median: quantile(&waits, 0.5),
                p90: quantile(&waits, 0.9),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn query(steps: &str, within: Option<i64>) -> Funnel {
        Funnel {
            on: "kind".into(),
            steps: steps.chars().map(|label| BTreeSet::from([label.to_string()])).collect(),
            edges: vec![Edge::default(); steps.len() - 1],
            within,
            started: None,
        }
    }

    fn history(events: &[(i64, char)]) -> Vec<Event> {
        events
            .iter()
            .enumerate()
            .map(|(place, &(minute, kind))| {
                Event::new("id:1", minute * MINUTE, place as u64).with("kind", kind.to_string().as_str())
            })
            .collect()
    }

    fn check(events: &[(i64, char)], query: &Funnel, expected: &[i64]) {
        let found = attempts(&history(events), &View::default(), query);
        let minutes: Vec<i64> =
            found.iter().flat_map(|attempt| &attempt.times).map(|time| time / MINUTE).collect();
        assert_eq!(minutes, expected, "{events:?}");
    }

    #[test]
    fn the_conformance_cases() {
        // A 13:00, A 13:30, B 13:45, C 14:15.
        let visits = [(780, 'A'), (810, 'A'), (825, 'B'), (855, 'C')];
        check(&visits, &query("ABC", Some(60 * MINUTE)), &[810, 825, 855]);
        let depths = |kinds: &str| {
            let events: Vec<(i64, char)> = kinds.chars().enumerate().map(|(i, k)| (i as i64, k)).collect();
            attempts(&history(&events), &View::default(), &query("ABC", None))[0].depth
        };
        let found: Vec<usize> =
            ["ABC", "ADBC", "AABBCC", "AAAABBCC", "AABBDCC", "BBCCAA"].into_iter().map(depths).collect();
        assert_eq!(found, [3, 3, 3, 3, 3, 1]);
        check(&[(0, 'A'), (0, 'B')], &query("AB", None), &[0, 0]);
        check(&[(0, 'B'), (0, 'A')], &query("AB", None), &[0]);
        check(&[(0, 'A'), (1, 'B'), (2, 'A'), (3, 'C')], &query("ABC", None), &[0, 1, 3]);
    }

    #[test]
    fn which_match() {
        // It completes first, at 5, and starts as late as it can: the A at 2.
        check(&[(0, 'A'), (2, 'A'), (3, 'B'), (4, 'B'), (5, 'C'), (6, 'C')], &query("ABC", None), &[2, 3, 5]);
        // Not complete: the last step reached as late as possible, then the latest start.
        check(&[(0, 'A'), (1, 'B'), (2, 'A'), (3, 'B'), (4, 'A')], &query("ABC", None), &[2, 3]);
    }

    #[test]
    fn an_earlier_step_is_given_up_for_a_bound() {
        // B at 1 lies too long before C; B at 9 does not.
        let mut bounded = query("ABC", None);
        bounded.edges[1].at_most = Some(2 * MINUTE);
        check(&[(0, 'A'), (1, 'B'), (9, 'B'), (11, 'C')], &bounded, &[0, 9, 11]);
        bounded.edges[1].at_least = Some(3 * MINUTE);
        check(&[(0, 'A'), (1, 'B'), (9, 'B'), (11, 'C')], &bounded, &[0, 9]);
    }

    #[test]
    fn a_row_adds_up() {
        let rows = funnel(&history(&[(0, 'A'), (5, 'B'), (9, 'X')]), &View::default(), &query("ABC", None));
        let counts = |s: &Step| [s.reached, s.moved_on, s.silent, s.elsewhere, s.open];
        assert_eq!(
            rows.iter().map(counts).collect::<Vec<_>>(),
            [[1, 1, 0, 0, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 0]]
        );
        assert_eq!(rows[1].median, Some(5.0 * MINUTE as f64));
        assert_eq!(rows[2].from_previous, Some(0.0));
    }
}
