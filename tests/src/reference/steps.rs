//! The rows of a funnel: counts, rates and waits of the counted attempts, by group.

use std::collections::BTreeMap;

use super::flow::View;
use super::funnel::{At, Attempt, Funnel, Row, attempts};
use super::outcome::Outcome;
use super::{Event, quantile};

/// One row of a funnel (10). Times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Units that reached it.
    pub reached: usize,
    /// Of those, that reached the next required row; all where there is none.
    pub moved_on: usize,
    /// Of those, who were not heard of in time.
    pub silent: usize,
    /// Of those, who did something else, or came too late.
    pub elsewhere: usize,
    /// Of those, who may still move on.
    pub open: usize,
    /// Reached, of those that reached the first required row.
    pub from_first: Option<f64>,
    /// Reached, of those that reached the required row before; the first row's is of itself.
    pub from_previous: Option<f64>,
    /// Median time from the step before.
    pub median: Option<f64>,
    /// The same at 90 of 100.
    pub p90: Option<f64>,
}

/// What rows are grouped by: whether each value is NULL, and the values, so
/// that NULL comes last; then the beginning of the period.
pub type Group = (Vec<(bool, String)>, Option<i64>);

/// The rows of each group; one group of all where nothing is grouped by.
pub fn funnel(events: &[Event], view: &View, query: &Funnel) -> Vec<(Group, Vec<Step>)> {
    let mut groups: BTreeMap<Group, Vec<Attempt>> = BTreeMap::new();
    if query.by.is_empty() && query.trend.is_none() {
        groups.insert((Vec::new(), None), Vec::new());
    }
    for attempt in attempts(events, view, query) {
        groups.entry(group(&attempt, query)).or_default().push(attempt);
    }
    groups.into_iter().map(|(group, attempts)| (group, rows(&attempts, query))).collect()
}

/// The group that an attempt is counted in.
pub fn group(attempt: &Attempt, query: &Funnel) -> Group {
    let values = match query.at {
        At::All => attempt.held[attempt.held.len() - query.by.len()..].iter().cloned().map(Some).collect(),
        At::First => values(Some(attempt.start()), query),
        At::Last if attempt.outcome.is_some() => values(None, query),
        At::Last => values(attempt.first_of(query, last_step(query)), query),
        At::Step(number) => values(attempt.first_of(query, number - 1), query),
    };
    let values =
        values.into_iter().map(|value| (value.is_none(), value.unwrap_or_default())).collect::<Vec<_>>();
    (values, query.trend.map(|period| period.start_of(attempt.start().time)))
}

/// The row of the last element that interactions fill.
fn last_step(query: &Funnel) -> usize {
    query.rows().iter().rposition(|row| matches!(row, Row::Element(_))).unwrap_or(0)
}

fn values(event: Option<&Event>, query: &Funnel) -> Vec<Option<String>> {
    query.by.iter().map(|attr| event.and_then(|event| event.shown(attr))).collect()
}

fn rows(attempts: &[Attempt], query: &Funnel) -> Vec<Step> {
    let rows = query.rows();
    let reached = |row: usize| attempts.iter().filter(|attempt| attempt.reached[row]).count();
    let required: Vec<usize> = (0..rows.len()).filter(|&row| query.requires(rows[row])).collect();
    let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
    (0..rows.len())
        .map(|row| {
            let next = required.iter().copied().find(|&other| other > row);
            let previous = required.iter().copied().rfind(|&other| other < row);
            let stopped: Vec<Option<Outcome>> = attempts
                .iter()
                .filter(|attempt| attempt.reached[row] && next.is_some_and(|next| !attempt.reached[next]))
                .map(|attempt| attempt.outcome)
                .collect();
            let ended = |what: Outcome| stopped.iter().filter(|outcome| **outcome == Some(what)).count();
            let waits: Vec<i64> = attempts
                .iter()
                .filter(|attempt| attempt.reached[row])
                .filter_map(|attempt| attempt.wait(query, row))
                .collect();
            Step {
                reached: reached(row),
                moved_on: reached(row) - stopped.len(),
                silent: ended(Outcome::Silent),
                elsewhere: ended(Outcome::Elsewhere),
                open: ended(Outcome::Open),
                from_first: required.first().and_then(|&first| share(reached(row), reached(first))),
                from_previous: share(reached(row), reached(previous.unwrap_or(row))),
                median: quantile(&waits, 0.5),
                p90: quantile(&waits, 0.9),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::funnel::Count;
    use super::super::pattern::{Pattern, Step as Written};
    use super::*;

    const MINUTE: i64 = 60_000;

    fn of(labels: &str) -> Funnel {
        Funnel { pattern: Pattern::of(labels), ..Funnel::default() }
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

    fn letters(kinds: &str) -> Vec<Event> {
        history(&kinds.chars().enumerate().map(|(place, kind)| (place as i64, kind)).collect::<Vec<_>>())
    }

    /// The minutes of each counted attempt.
    fn check(events: &[Event], query: &Funnel, expected: &[&[i64]]) {
        let found: Vec<Vec<i64>> = attempts(events, &View::default(), query)
            .iter()
            .map(|attempt| {
                attempt.taken.iter().map(|taken| attempt.journey.event(taken.row).time / MINUTE).collect()
            })
            .collect();
        assert_eq!(found, expected, "{query:?}");
    }

    /// Entries, and conversions.
    fn check_entries(events: &[Event], query: Funnel, expected: (usize, usize)) {
        let query = Funnel { count: Count::Attempts, ..query };
        let found = attempts(events, &View::default(), &query);
        let converted = found.iter().filter(|attempt| attempt.outcome.is_none()).count();
        assert_eq!((found.len(), converted), expected, "{query:?}");
    }

    #[test]
    fn the_conformance_cases() {
        // A 13:00, A 13:30, B 13:45, C 14:15.
        let visits = history(&[(780, 'A'), (810, 'A'), (825, 'B'), (855, 'C')]);
        let mut query = of("ABC");
        query.pattern.within = Some(60 * MINUTE);
        check(&visits, &query, &[&[810, 825, 855]]);
        check_entries(&visits, query.clone(), (1, 1));
        query.anchor_first = true;
        check(&visits, &query, &[&[780, 825]]);
        check_entries(&visits, query, (1, 0));

        let depths = |query: &Funnel| {
            ["ABC", "ADBC", "AABBCC", "AAAABBCC", "AABBDCC", "BBCCAA"]
                .map(|kinds| attempts(&letters(kinds), &View::default(), query)[0].depth)
        };
        assert_eq!(depths(&of("ABC")), [3, 3, 3, 3, 3, 1]);
        let mut strict = of("ABC");
        strict.pattern.strict = true;
        assert_eq!(depths(&strict), [3, 1, 2, 2, 2, 1]);

        check(&history(&[(0, 'A'), (0, 'B')]), &of("AB"), &[&[0, 0]]);
        check(&history(&[(0, 'B'), (0, 'A')]), &of("AB"), &[&[0]]);
        let mut tolerant = of("AB");
        tolerant.pattern.simultaneous = Some(1_000);
        check(&history(&[(0, 'A'), (0, 'B')]), &tolerant, &[&[0, 0]]);
        check(&history(&[(0, 'B'), (0, 'A')]), &tolerant, &[&[0, 0]]);
        check(&letters("ABAC"), &of("ABC"), &[&[0, 1, 3]]);

        let mut excluding = of("AB");
        excluding.pattern.elements[1].edge.no.push(Written::of("A"));
        check_entries(&letters("AAAB"), excluding, (3, 1));
        check_entries(&letters("SSSST"), of("ST"), (1, 1));
    }

    #[test]
    fn an_entry_closes_when_each_way_on_is_lost_for_its_own_reason() {
        // After X, C can no longer follow directly, and the second A comes too late.
        let mut query = of("ACA");
        query.pattern.elements[1].min = 0;
        query.pattern.elements[1].edge.next = true;
        query.pattern.elements[2].edge.at_most = Some(0);
        check_entries(&letters("AXA"), query, (2, 0));
    }

    #[test]
    fn which_match() {
        // It completes first, at 5, and starts as late as it can: the A at 2.
        let events = history(&[(0, 'A'), (2, 'A'), (3, 'B'), (4, 'B'), (5, 'C'), (6, 'C')]);
        check(&events, &of("ABC"), &[&[2, 3, 5]]);
        // Not complete: the last step reached as late as possible, then the latest start.
        check(&letters("ABABA"), &of("ABC"), &[&[2, 3]]);
    }

    #[test]
    fn an_earlier_step_is_given_up_for_a_bound() {
        // B at 1 lies too long before C; B at 9 does not.
        let events = history(&[(0, 'A'), (1, 'B'), (9, 'B'), (11, 'C')]);
        let mut bounded = of("ABC");
        bounded.pattern.elements[2].edge.at_most = Some(2 * MINUTE);
        check(&events, &bounded, &[&[0, 9, 11]]);
        bounded.pattern.elements[2].edge.at_least = Some(3 * MINUTE);
        check(&events, &bounded, &[&[0, 9]]);
    }

    #[test]
    fn any_order() {
        let mut query = of("ABC");
        query.any_order = true;
        check(&letters("CXAB"), &query, &[&[0, 2, 3]]);
        query.pattern.within = Some(2 * MINUTE);
        check(&letters("CXABX"), &query, &[&[2, 3]]);
        query.anchor_first = true;
        check(&letters("CXABX"), &query, &[&[0, 2]]);
    }

    #[test]
    fn sessions_and_held_values_are_units() {
        let mut query = of("AB");
        query.count = Count::Sessions;
        let view = View { stages: vec![super::super::flow::Stage::Sessions(MINUTE)] };
        let events = history(&[(0, 'A'), (1, 'B'), (5, 'A'), (9, 'X'), (12, 'A'), (13, 'B')]);
        let found: Vec<usize> =
            attempts(&events, &view, &query).iter().map(|attempt| attempt.depth).collect();
        assert_eq!(found, [2, 1, 2]);
        let mut query = of("AB");
        query.hold = Some("order".into());
        let orders = [Some("1"), Some("1"), Some("2"), None, Some("3"), Some("2")];
        let mut events = events;
        for (event, order) in events.iter_mut().zip(orders) {
            if let Some(order) = order {
                *event = event.clone().with("order", order);
            }
        }
        check(&events, &query, &[&[0, 1], &[5, 13], &[12]]);
    }

    #[test]
    fn a_row_adds_up() {
        let events = history(&[(0, 'A'), (5, 'B'), (9, 'X')]);
        let (_, rows) = funnel(&events, &View::default(), &of("ABC")).remove(0);
        let counts = |s: &Step| [s.reached, s.moved_on, s.silent, s.elsewhere, s.open];
        assert_eq!(
            rows.iter().map(counts).collect::<Vec<_>>(),
            [[1, 1, 0, 0, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 0]]
        );
        assert_eq!(rows[1].median, Some(5.0 * MINUTE as f64));
        assert_eq!(rows[2].from_previous, Some(0.0));
        // The step in the middle is optional: it counts takers, the rest skip it.
        let mut optional = of("ABC");
        optional.pattern.elements[1].min = 0;
        let (_, rows) = funnel(&events, &View::default(), &optional).remove(0);
        assert_eq!(
            rows.iter().map(counts).collect::<Vec<_>>(),
            [[1, 0, 0, 1, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 0]]
        );
        assert_eq!(rows[2].from_previous, Some(0.0));
    }
}
