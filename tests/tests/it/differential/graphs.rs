//! PATHS and GRAPH against the reference.

use std::collections::BTreeSet;

use proptest::prelude::*;
use throughline_tests::reference::Event;
use throughline_tests::reference::flow::View;
use throughline_tests::reference::graph::{cheapest, dominators, edges, loops, values};
use throughline_tests::reference::paths::{Ends, Paths, paths};
use throughline_tests::reference::pattern::Step;
use throughline_tests::store::Store;
use throughline_tests::text;

use super::compare::{check, check_in_order, names, run, show_list, show_millis, show_number};
use super::history::{Size, cut, history};

const SIZE: Size = Size { events: 36, hours: 40 };

fn step() -> impl Strategy<Value = Step> {
    let kinds = &["a", "b", "c", "d"][..];
    prop_oneof![
        6 => prop::sample::subsequence(kinds, 1..=2),
        1 => Just(Vec::new()),
    ]
    .prop_map(|labels| Step { labels: labels.into_iter().map(str::to_owned).collect(), ..Step::default() })
}

fn paths_query() -> impl Strategy<Value = Paths> {
    let ends = prop_oneof![
        step().prop_map(Ends::From),
        step().prop_map(Ends::To),
        (step(), step()).prop_map(|(from, to)| Ends::Between(from, to)),
    ];
    let by = prop::option::of(prop::sample::select(vec!["channel", "topic", "agent"]));
    (
        ends,
        prop::option::weighted(0.7, 1..7_usize),
        by,
        any::<bool>(),
        prop::option::weighted(0.4, 1..4_usize),
    )
        .prop_map(|(ends, depth, by, collapse, top)| Paths {
            ends,
            depth,
            by: by.map(str::to_owned),
            collapse,
            top,
        })
}

fn check_paths(store: &Store, events: &[Event], view: &View, query: &Paths) {
    let text = text::view(view) + &text::paths(query);
    let found = paths(events, view, query);
    let times = |times: &Option<Vec<Option<f64>>>| {
        let show = |time: &Option<f64>| time.map(|time| show_millis(Some(time)));
        times.as_ref().map_or(String::new(), |times| show_list(times.iter().map(show)))
    };
    let rows = found
        .iter()
        .map(|path| {
            vec![
                show_list(path.nodes.iter().cloned()),
                path.journeys.to_string(),
                path.customers.len().to_string(),
                show_number(Some(path.share)),
                path.of.to_string(),
                times(&path.medians),
                times(&path.p95s),
            ]
        })
        .collect();
    let columns = ["path", "journeys", "customers", "share", "of", "medians", "p95s"];
    check_in_order(store, &text, &columns, rows);
    // The list behind the count, and the same customers by a funnel.
    let all: BTreeSet<&str> =
        found.iter().flat_map(|path| path.customers.iter().map(String::as_str)).collect();
    check(store, &format!("{text}\n|> CUSTOMERS"), &["customer"], names(all.iter().copied()));
}

fn check_graph(store: &Store, events: &[Event], view: &View, by: &str) {
    let text = text::view(view) + &format!("GRAPH BY {by}");
    let edges = edges(events, view, by);
    let rows = edges
        .iter()
        .map(|edge| {
            vec![
                edge.from.clone(),
                edge.to.clone(),
                edge.count.to_string(),
                edge.customers.len().to_string(),
                show_millis(edge.median),
                show_millis(edge.p95),
            ]
        })
        .collect();
    check_in_order(store, &text, &["from", "to", "count", "customers", "median", "p95"], rows);
    if let Some(edge) = edges.first() {
        let one = format!("{text}\n|> LIMIT 1 |> CUSTOMERS");
        check(store, &one, &["customer"], names(edge.customers.iter().map(String::as_str)));
    }

    let rows = loops(&edges)
        .into_iter()
        .map(|(values, count, customers)| {
            vec![show_list(values.into_iter().map(Some)), count.to_string(), customers.len().to_string()]
        })
        .collect();
    check(store, &format!("{text} LOOPS"), &["values", "occurrences", "customers"], rows);

    let values: Vec<String> = values(&edges).into_iter().collect();
    for value in &values {
        let rows = dominators(&edges, value)
            .into_iter()
            .enumerate()
            .map(|(place, value)| vec![(place + 1).to_string(), value])
            .collect();
        check_in_order(store, &format!("{text} DOMINATORS OF '{value}'"), &["place", "value"], rows);
    }
    for (from, to) in values.iter().zip(values.iter().skip(1)).chain(values.iter().skip(2).zip(&values)) {
        let mut total = 0.0;
        let rows = cheapest(&edges, from, to)
            .into_iter()
            .enumerate()
            .map(|(hop, edge)| {
                total += edge.median.unwrap_or_default();
                let ends = [edge.from.clone(), edge.to.clone()];
                let times = [show_millis(edge.median), show_millis(Some(total))];
                let counts = [edge.count.to_string(), edge.customers.len().to_string()];
                [vec![(hop + 1).to_string()], ends.into(), times.into(), counts.into()].concat()
            })
            .collect();
        let columns = ["hop", "from", "to", "median", "total", "count", "customers"];
        check_in_order(store, &format!("{text} CHEAPEST '{from}' TO '{to}'"), &columns, rows);
    }
}

#[test]
fn paths_are_those_of_the_reference() {
    let queries = prop::collection::vec((cut(SIZE.hours), paths_query()), 8);
    run("paths", &(history(SIZE), queries), |(history, queries)| {
        let store = history.deliver();
        for (view, query) in &queries {
            check_paths(&store, &history.events, view, query);
        }
    });
}

#[test]
fn graphs_are_those_of_the_reference() {
    let by = prop::sample::select(vec!["kind", "channel", "topic"]);
    let queries = prop::collection::vec((cut(SIZE.hours), by), 4);
    run("graphs", &(history(SIZE), queries), |(history, queries)| {
        let store = history.deliver();
        for (view, by) in &queries {
            check_graph(&store, &history.events, view, by);
        }
    });
}
