//! Funnels against the reference: plain ones, over whole journeys and over
//! what lies after other rows.

use std::collections::BTreeSet;

use proptest::prelude::*;
use throughline_tests::reference::Event;
use throughline_tests::reference::flow::View;
use throughline_tests::reference::funnel::{Attempt, Funnel, attempts};
use throughline_tests::reference::journeys;
use throughline_tests::reference::outcome::Outcome;
use throughline_tests::reference::pattern::{Edge, Element, Pattern, Step as Written};
use throughline_tests::reference::steps::{Step, funnel};
use throughline_tests::store::Store;
use throughline_tests::table::show_time;
use throughline_tests::text;

use super::compare::{check, check_in_order, names, run, show_millis, show_number};
use super::history::{HOUR, Size, history, narrowed, span, span_between_hours};

const SIZE: Size = Size { events: 36, hours: 40 };

fn query() -> impl Strategy<Value = (View, Funnel)> {
    let labels = |values: &'static [&'static str]| {
        let one = prop::sample::select(values).prop_map(|label| BTreeSet::from([label.to_owned()]));
        let two = prop::sample::subsequence(values, 2)
            .prop_map(|labels| labels.into_iter().map(str::to_owned).collect());
        prop_oneof![4 => one, 1 => two]
    };
    let kinds = prop_oneof![8 => labels(&["a", "b", "c", "d"]), 1 => Just(BTreeSet::new())];
    let bound = |p: f64| prop::option::weighted(p, (0..15_i64).prop_map(|hours| hours * HOUR));
    let edge = (bound(0.2), bound(0.3)).prop_map(|(at_least, at_most)| match (at_least, at_most) {
        // A least over the most is an error of the query.
        (Some(a), Some(b)) => Edge { at_least: Some(a.min(b)), at_most: Some(a.max(b)), ..Edge::default() },
        (at_least, at_most) => Edge { at_least, at_most, ..Edge::default() },
    });
    let pattern = prop_oneof![
        4 => prop::collection::vec((kinds, edge), 1..5).prop_map(|steps| ("kind", steps)),
        1 => prop::collection::vec((labels(&["x", "y", "z"]), Just(Edge::default())), 1..5)
            .prop_map(|steps| ("topic", steps)),
    ];
    let within = prop::option::weighted(0.4, (0..30_i64).prop_map(|hours| hours * HOUR));
    let started = prop::option::weighted(0.3, span(SIZE.hours));
    (narrowed(span_between_hours(SIZE.hours)), pattern, within, started).prop_map(
        |(view, (on, steps), within, started)| {
            let elements = steps
                .into_iter()
                .map(|(labels, edge)| {
                    let step = Written { labels, ..Written::default() };
                    Element { edge, ..Element::once(step) }
                })
                .collect();
            let pattern = Pattern { on: on.to_owned(), elements, within, started, ..Pattern::default() };
            (view, Funnel { pattern, ..Funnel::default() })
        },
    )
}

/// The columns of a step row that are compared, after those of the group.
pub(crate) const COLUMNS: [&str; 10] = [
    "step",
    "reached",
    "moved_on",
    "silent",
    "elsewhere",
    "open",
    "from_first",
    "from_previous",
    "median",
    "p90",
];

pub(crate) fn row(place: usize, step: &Step) -> Vec<String> {
    let counts = [place + 1, step.reached, step.moved_on, step.silent, step.elsewhere, step.open];
    let mut row: Vec<String> = counts.iter().map(usize::to_string).collect();
    row.extend([show_number(step.from_first), show_number(step.from_previous)]);
    row.extend([show_millis(step.median), show_millis(step.p90)]);
    row
}

fn attempt_row(attempt: &Attempt) -> Vec<String> {
    vec![
        attempt.journey.customer.to_owned(),
        attempt.depth.to_string(),
        show_time(attempt.start().time),
        show_time(attempt.journey.whole[attempt.last_place()].time),
    ]
}

fn check_funnel(store: &Store, events: &[Event], view: &View, query: &Funnel) {
    let text = text::view(view) + &text::funnel(query);
    for (_, steps) in funnel(events, view, query) {
        let rows = steps.iter().enumerate().map(|(place, step)| row(place, step)).collect();
        check_in_order(store, &text, &COLUMNS, rows);
    }
    let counted = attempts(events, view, query);
    for step in 1..=query.pattern.elements.len() {
        let reached = |attempt: &&Attempt| attempt.depth >= step;
        let customers = names(counted.iter().filter(reached).map(|attempt| attempt.journey.customer));
        check(
            store,
            &format!("{text}\n|> WHERE step = {step} |> CUSTOMERS"),
            &["customer"],
            customers.clone(),
        );
        check(store, &format!("{text}\n|> REACHED {step} |> CUSTOMERS"), &["customer"], customers);
        let columns = ["customer", "depth", "started", "ended"];
        let rows = counted.iter().filter(reached).map(attempt_row).collect();
        check(store, &format!("{text}\n|> REACHED {step}"), &columns, rows);
        for (word, outcomes) in [
            ("", &[Outcome::Silent, Outcome::Elsewhere][..]),
            (" SILENT", &[Outcome::Silent]),
            (" ELSEWHERE", &[Outcome::Elsewhere]),
            (" OPEN", &[Outcome::Open]),
        ] {
            if step == query.pattern.elements.len() {
                continue;
            }
            let rows = counted
                .iter()
                .filter(|attempt| attempt.depth == step)
                .filter_map(|attempt| attempt.outcome.map(|outcome| (attempt, outcome)))
                .filter(|(_, outcome)| outcomes.contains(outcome))
                .map(|(attempt, outcome)| {
                    let mut row = attempt_row(attempt);
                    row.push(outcome.name().to_owned());
                    row
                })
                .collect();
            let columns = ["customer", "depth", "started", "ended", "outcome"];
            check(store, &format!("{text}\n|> DROPPED AT {step}{word}"), &columns, rows);
        }
    }
}

/// The journeys after each of a customer's interactions of one kind lie in
/// each other, so that the deepest attempt of all is that of the longest.
fn check_funnel_after_journeys(store: &Store, events: &[Event], view: &View, query: &Funnel) {
    let mut rest: Vec<Event> = Vec::new();
    for journey in journeys(events).into_values() {
        let after = journey.iter().skip_while(|event| event.text("kind") != Some("b")).skip(1);
        rest.extend(after.map(|&event| event.clone()));
    }
    let whole = text::view(view) + &text::funnel(query);
    let before = "FROM journeys\n|> INTERACTIONS |> WHERE kind = 'b' |> JOURNEYS AFTER";
    let text = whole.replacen("FROM journeys", before, 1);
    let rows: Vec<Vec<String>> = attempts(&rest, view, query).iter().map(attempt_row).collect();
    let reached = rows.len().to_string();
    check(store, &format!("{text}\n|> REACHED 1"), &["customer", "depth", "started", "ended"], rows);
    let step = format!("{text}\n|> WHERE step = 1");
    check(store, &step, &["reached"], vec![vec![reached.clone()]]);
    check(store, &format!("{step} |> CUSTOMERS |> AGGREGATE count(*) AS n"), &["n"], vec![vec![reached]]);
}

#[test]
fn funnels_are_those_of_the_reference() {
    run("funnels", &(history(SIZE), prop::collection::vec(query(), 4)), |(history, queries)| {
        let store = history.deliver();
        for (view, query) in &queries {
            check_funnel(&store, &history.events, view, query);
            check_funnel_after_journeys(&store, &history.events, view, query);
        }
    });
}
