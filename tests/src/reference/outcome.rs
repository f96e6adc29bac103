//! What became of somebody who reached a step and not the next (rule 10).

use super::Event;
use super::funnel::Funnel;

/// The three outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing more came of the customer in time.
    Silent,
    /// The customer went on, elsewhere or too late.
    Elsewhere,
    /// It is too early to tell.
    Open,
}

impl Outcome {
    /// The word in the column `outcome`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Elsewhere => "elsewhere",
            Self::Open => "open",
        }
    }
}

/// The outcome of the attempt that chose the interactions `chosen` (places in
/// `journey`, which holds all the customer's interactions, hidden ones
/// included) and went no further. `edge` is the right edge.
pub fn outcome(journey: &[&Event], chosen: &[usize], edge: i64, query: &Funnel) -> Outcome {
    let start = journey[chosen[0]].time;
    let last = chosen[chosen.len() - 1];
    // "deadline = the least of start + WITHIN and step time + the next edge's
    // upper bound"
    let by_window = query.within.map(|within| start + within);
    let by_edge = query.edges[chosen.len() - 1].at_most.map(|most| journey[last].time + most);
    let deadline = by_window.into_iter().chain(by_edge).min();
    // "`open`: … right edge <= deadline"; "Without any deadline nothing is open."
    if deadline.is_some_and(|deadline| edge <= deadline) {
        return Outcome::Open;
    }
    // "`silent`: no interaction of the customer in the store, whatever WHERE
    // hides, after the step up to the deadline (without one: up to the right
    // edge)"
    let until = deadline.unwrap_or(edge);
    let heard_of = journey[last + 1..].iter().any(|event| event.time <= until);
    if heard_of { Outcome::Elsewhere } else { Outcome::Silent }
}

#[cfg(test)]
mod tests {
    use super::super::View;
    use super::super::funnel::{Edge, attempts};
    use super::*;

    /// Customer 1 does `kinds` at the given times; another customer's
    /// interaction at `edge` says how far the data reaches.
    fn check(times: &[(i64, &str)], edge: i64, within: Option<i64>, at_most: Option<i64>, expected: Outcome) {
        let mut events: Vec<Event> = times
            .iter()
            .enumerate()
            .map(|(place, &(time, kind))| Event::new("id:1", time, place as u64).with("kind", kind))
            .collect();
        events.push(Event::new("id:2", edge, 0));
        let query = Funnel {
            on: "kind".into(),
            steps: vec![["a".to_owned()].into(), ["b".to_owned()].into()],
            edges: vec![Edge { at_least: None, at_most }],
            within,
            started: None,
        };
        let found = attempts(&events, &View::default(), &query);
        assert_eq!(found[0].outcome, Some(expected), "{times:?} up to {edge}");
    }

    #[test]
    fn rule_ten() {
        check(&[(0, "a")], 10, Some(10), None, Outcome::Open);
        check(&[(0, "a")], 11, Some(10), None, Outcome::Silent);
        check(&[(0, "a"), (10, "x")], 11, Some(10), None, Outcome::Elsewhere);
        check(&[(0, "a"), (11, "x")], 20, Some(10), None, Outcome::Silent);
        // Silence up to the deadline; a conversion after it is elsewhere only
        // where something else happened in time.
        check(&[(0, "a"), (5, "x"), (15, "b")], 20, Some(10), None, Outcome::Elsewhere);
        check(&[(0, "a"), (4, "x")], 20, Some(10), Some(3), Outcome::Silent);
        check(&[(0, "a")], 3, None, Some(3), Outcome::Open);
        check(&[(0, "a")], 1_000, None, None, Outcome::Silent);
        check(&[(0, "a"), (0, "x")], 1_000, None, None, Outcome::Elsewhere);
    }
}
