//! MATCH against every assignment of the reference.

use std::collections::BTreeSet;

use proptest::prelude::*;
use throughline_tests::reference::Event;
use throughline_tests::reference::flow::View;
use throughline_tests::reference::matches::{Match, Which, matches};
use throughline_tests::store::Store;
use throughline_tests::text;

use super::compare::{ask_with_notes, check, names, run, show_list};
use super::history::{Size, cut, history, narrowed, span_between_hours};
use super::patterns::{ALL, pattern};

const SIZE: Size = Size { events: 24, hours: 24 };

fn query() -> impl Strategy<Value = (View, Match)> {
    let which = prop_oneof![
        3 => Just(Which::First),
        2 => Just(Which::Last),
        2 => Just(Which::All),
        2 => Just(Which::Each),
    ];
    let view = prop_oneof![3 => narrowed(span_between_hours(SIZE.hours)), 1 => cut(SIZE.hours)];
    (view, pattern(ALL, SIZE.hours), which)
        .prop_map(|(view, pattern, which)| (view, Match { pattern, which }))
}

fn check_matches(store: &Store, events: &[Event], view: &View, query: &Match) {
    let text = text::view(view) + &text::matching(query);
    let (found, unclaimed) = matches(events, view, query);
    // Every variable, as the numbers of the interactions it took.
    let mut variables: Vec<(String, bool)> = Vec::new();
    for element in &query.pattern.elements {
        for step in &element.alternatives {
            variables.extend(step.name.clone().map(|name| (name, element.max != Some(1))));
        }
    }
    let columns: Vec<String> = (0..variables.len()).map(|number| format!("c{number}")).collect();
    let selected: Vec<String> =
        variables.iter().zip(&columns).map(|((name, _), column)| format!("{name}.n AS {column}")).collect();
    let select = format!("{text}\n|> SELECT customer, {}", selected.join(", "));
    let rows = found
        .iter()
        .map(|found| {
            let mut row = vec![found.journey.customer.to_owned()];
            for (name, repeated) in &variables {
                let taken = found.taken_by(&query.pattern, name);
                let numbers = taken.iter().map(|event| event.shown("n"));
                // What took nothing is NULL, a list as well.
                row.push(match repeated {
                    true if !taken.is_empty() => show_list(numbers),
                    _ => numbers.flatten().collect(),
                });
            }
            row
        })
        .collect();
    let columns: Vec<&str> = ["customer"].into_iter().chain(columns.iter().map(String::as_str)).collect();
    check(store, &select, &columns, rows);

    let customers = names(found.iter().map(|found| found.journey.customer));
    check(store, &format!("{text}\n|> CUSTOMERS"), &["customer"], customers);
    // Each once, though it may lie in several matches.
    let members: BTreeSet<(&str, usize)> = found
        .iter()
        .flat_map(|found| {
            let places = found.chosen.iter().map(|taken| found.journey.rows[taken.row]);
            places.map(|place| (found.journey.customer, place))
        })
        .collect();
    let inside = format!("{text}\n|> INTERACTIONS |> AGGREGATE count(*) AS n");
    check(store, &inside, &["n"], vec![vec![members.len().to_string()]]);
    let (_, notes) = ask_with_notes(store, &text);
    let noted: Vec<&String> = notes.iter().filter(|note| note.contains("not claimed")).collect();
    let noted: usize = noted
        .iter()
        .filter_map(|note| note.split(' ').next())
        .map(|number| number.replace(',', "").parse().unwrap_or(usize::MAX))
        .sum();
    assert_eq!(noted, unclaimed, "{text}\n{notes:?}");
}

#[test]
fn matches_are_those_of_the_reference() {
    run("matches", &(history(SIZE), prop::collection::vec(query(), 6)), |(history, queries)| {
        let store = history.deliver();
        for (view, query) in &queries {
            check_matches(&store, &history.events, view, query);
        }
    });
}
