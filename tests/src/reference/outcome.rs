//! What became of somebody who reached a row of a funnel and not the next
//! required one (rule 10).

use super::assignments::{Absent, Search, Taken};
use super::flow::Journey;
use super::funnel::{Funnel, Row};

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

/// The outcome of the attempt that took `taken` and reached the row `depth`
/// (from 1) and no further required one.
pub fn outcome(search: &Search, query: &Funnel, taken: &[Taken], depth: usize) -> Outcome {
    let pattern = &query.pattern;
    let journey = search.journey;
    let last = taken[taken.len() - 1];
    let bound = search.bound(taken);
    // "deadline = the least of start + WITHIN and step time + the next edge's
    // upper bound", and where the next row is an absence, its deadline.
    let next = query.rows().into_iter().skip(depth).find(|&row| query.requires(row));
    let by_absence = match next {
        Some(Row::Absence(element, absence)) => {
            Some(search.time(last.row) + pattern.elements[element].absences[absence].within)
        }
        _ => None,
    };
    let next_step =
        (last.element + 1..pattern.elements.len()).find(|&place| pattern.elements[place].required());
    let edge = next_step.map(|place| &pattern.elements[place].edge);
    let by_edge = edge.and_then(|edge| edge.at_most).map(|most| search.time(last.row) + most);
    let by_window = pattern.within.map(|within| search.time(taken[0].row) + within);
    let deadline = by_window.into_iter().chain(by_edge).chain(by_absence).min();
    // "nothing has ended the attempt (exclusion, STRICT or NEXT broken, session over)"
    let rest = last.row + 1..journey.rows.len();
    let excluded = edge.is_some_and(|edge| {
        edge.no.iter().any(|step| rest.clone().any(|row| search.satisfies(step, row, &bound)))
    });
    let adjacent = edge.is_some_and(|edge| edge.next || pattern.strict);
    let broken = adjacent && !rest.is_empty();
    let violated = pattern
        .absences(last.element, next_step.unwrap_or(pattern.elements.len()))
        .any(|absence| search.after(absence, last.row, &bound) == Absent::Violated);
    let ended = excluded || broken || violated || journey.is_over(search.right);
    let latest = taken.iter().map(|taken| taken.row).max().unwrap_or(last.row);
    outcome_by_deadline(journey, journey.rows[latest], deadline, ended, search.right)
}

/// "`open`: nothing has ended the attempt and right edge <= deadline; `silent`:
/// no interaction of the customer in the store, whatever WHERE hides, after the
/// step up to the deadline (without one: up to the right edge); `elsewhere`: the
/// rest. Without any deadline nothing is open." `last` is a place in the
/// customer's whole journey.
pub fn outcome_by_deadline(
    journey: &Journey,
    last: usize,
    deadline: Option<i64>,
    ended: bool,
    right: i64,
) -> Outcome {
    if !ended && deadline.is_some_and(|deadline| right <= deadline) {
        return Outcome::Open;
    }
    // What has ended before its deadline is judged by what the query sees.
    let until = deadline.map_or(right, |deadline| deadline.min(right));
    let heard_of = journey.whole[last + 1..].iter().any(|event| event.time <= until);
    if heard_of { Outcome::Elsewhere } else { Outcome::Silent }
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::super::flow::{Stage, View};
    use super::super::funnel::{Funnel, attempts};
    use super::super::pattern::{Absence, Pattern, Step};
    use super::*;

    /// Customer 1 does `kinds` at the given times; another customer's
    /// interaction at `edge` says how far the data reaches.
    fn check(times: &[(i64, &str)], edge: i64, within: Option<i64>, at_most: Option<i64>, expected: Outcome) {
        let mut query = Funnel { pattern: Pattern::of("ab"), ..Funnel::default() };
        query.pattern.within = within;
        query.pattern.elements[1].edge.at_most = at_most;
        check_query(times, edge, &View::default(), &query, expected);
    }

    fn check_query(times: &[(i64, &str)], edge: i64, view: &View, query: &Funnel, expected: Outcome) {
        let mut events: Vec<Event> = times
            .iter()
            .enumerate()
            .map(|(place, &(time, kind))| Event::new("id:1", time, place as u64).with("kind", kind))
            .collect();
        events.push(Event::new("id:2", edge, 0));
        let found = attempts(&events, view, query);
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

    #[test]
    fn what_has_ended_is_not_open() {
        let whole = View::default();
        let mut query = Funnel { pattern: Pattern::of("ab"), ..Funnel::default() };
        query.pattern.within = Some(10);
        let strayed = [(0, "a"), (1, "x")];
        check_query(&strayed, 10, &whole, &query, Outcome::Open);
        query.pattern.elements[1].edge.next = true;
        check_query(&strayed, 10, &whole, &query, Outcome::Elsewhere);
        check_query(&[(0, "a")], 10, &whole, &query, Outcome::Open);
        query.pattern.elements[1].edge.next = false;
        query.pattern.elements[1].edge.no.push(Step::of("x"));
        check_query(&strayed, 10, &whole, &query, Outcome::Elsewhere);
        query.pattern.elements[1].edge.no.clear();
        let sessions = View { stages: vec![Stage::Sessions(5)] };
        check_query(&[(0, "a")], 5, &sessions, &query, Outcome::Open);
        check_query(&[(0, "a")], 6, &sessions, &query, Outcome::Silent);
    }

    #[test]
    fn an_absence_is_waited_for() {
        let mut query = Funnel { pattern: Pattern::of("a"), ..Funnel::default() };
        query.pattern.elements[0].absences.push(Absence { step: Step::of("b"), within: 60 });
        check_query(&[(0, "a")], 30, &View::default(), &query, Outcome::Open);
        check_query(&[(0, "a"), (60, "b")], 90, &View::default(), &query, Outcome::Elsewhere);
        check_query(&[(0, "a"), (20, "b")], 30, &View::default(), &query, Outcome::Elsewhere);
    }
}
