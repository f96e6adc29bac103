//! What different operators count of the same thing is the same number, and
//! does not depend on threads, nor on the units that journeys lie in.

use std::collections::BTreeMap;

use proptest::prelude::*;
use throughline::{Params, QueryOptions};
use throughline_tests::reference::Event;
use throughline_tests::store::Store;
use throughline_tests::table::Table;

const HOUR: i64 = 3_600_000;
/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000;

const KINDS: [&str; 4] = ["a", "b", "c", "d"];

fn events() -> impl Strategy<Value = Vec<Event>> {
    let kind = prop::option::weighted(0.9, prop::sample::select(KINDS.to_vec()));
    let topic = prop::option::weighted(0.7, prop::sample::select(vec!["x", "y"]));
    let event = (0..5_u8, 0..30_i64, kind, topic);
    prop::collection::vec(event, 1..40).prop_map(|drawn| {
        let mut events = Vec::new();
        for (place, (customer, hour, kind, topic)) in drawn.into_iter().enumerate() {
            let mut event = Event::new(&format!("crm:{customer}"), START + hour * HOUR, place as u64);
            for (name, value) in [("kind", kind), ("topic", topic)] {
                if let Some(value) = value {
                    event = event.with(name, value);
                }
            }
            events.push(event);
        }
        events
    })
}

fn ask(store: &Store, query: &str) -> Table {
    let answer = store.db().query(query);
    Table::of(&answer.unwrap_or_else(|error| panic!("{query}\n{error}")))
}

/// The one number of an answer; 0 where there is no row.
fn number(store: &Store, query: &str) -> u64 {
    let table = ask(store, query);
    table.rows.first().map_or(0, |row| row[0].parse().unwrap_or_else(|_| panic!("{query}: {row:?}")))
}

/// What may stand before an operator.
const BEFORE: [&str; 3] = ["", "SPLIT BY topic |> ", "SESSIONS GAP 6h |> "];

proptest! {
    #[test]
    fn paths_have_the_customers_of_funnels(events in events(), from in 0..4_usize, to in 0..4_usize, before in 0..3_usize) {
        let store = Store::of(&events);
        let (from, to, before) = (KINDS[from], KINDS[to], BEFORE[before]);
        let behind = |paths: &str| number(&store, &format!("{before}PATHS {paths} |> CUSTOMERS |> AGGREGATE count(*) AS n"));
        let funnel = |steps: &str, step: u8| {
            number(&store, &format!("{before}FUNNEL {steps} |> WHERE step = {step} |> SELECT reached"))
        };
        prop_assert_eq!(behind(&format!("FROM (:{from})")), funnel(&format!("(:{from})"), 1));
        prop_assert_eq!(behind(&format!("TO (:{from}) DEPTH 1")), funnel(&format!("(:{from})"), 1));
        let between = format!("BETWEEN (:{from}) AND (:{to}) COLLAPSE");
        prop_assert_eq!(behind(&between), funnel(&format!("(:{from}) -> (:{to})"), 2));
        // Each path counts its customers, and all paths count every journey.
        let table = ask(&store, &format!("{before}PATHS FROM (:{from}) TOP 2"));
        let all: u64 = table.select(&["journeys"]).rows.iter().map(|row| row[0].parse::<u64>().expect("counts")).sum();
        for row in table.select(&["of"]).rows {
            prop_assert_eq!(&row[0], &all.to_string());
        }
    }

    #[test]
    fn edges_are_the_matches_and_the_strict_funnels_of_two_steps(
        events in events(), from in 0..4_usize, to in 0..4_usize, before in 0..3_usize,
    ) {
        let store = Store::of(&events);
        let (from, to, before) = (KINDS[from], KINDS[to], BEFORE[before]);
        let before = format!("WHERE kind IS NOT NULL |> {before}");
        let edge = |column: &str| {
            let one = format!("WHERE from = '{from}' AND to = '{to}' |> SELECT {column}");
            number(&store, &format!("{before}GRAPH BY kind |> {one}"))
        };
        let steps = format!("(:{from}) -[NEXT]-> (:{to})");
        let matches = format!("{before}MATCH {steps} EACH |> AGGREGATE count(*) AS n");
        prop_assert_eq!(edge("count"), number(&store, &matches));
        let funnel = format!("{before}FUNNEL {steps} |> WHERE step = 2 |> SELECT reached");
        prop_assert_eq!(edge("customers"), number(&store, &funnel));
    }

    #[test]
    fn every_interaction_ends_one_edge_and_begins_one(events in events(), before in 0..3_usize) {
        let store = Store::of(&events);
        let before = BEFORE[before];
        let counts = |query: String| -> BTreeMap<String, String> {
            ask(&store, &query).rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
        };
        let graph = format!("{before}GRAPH BY kind");
        let interactions = counts(format!(
            "{before}WHERE kind IS NOT NULL |> INTERACTIONS |> AGGREGATE count(*) AS n GROUP BY kind"
        ));
        let ends = counts(format!("{graph} |> WHERE to <> 'END' |> AGGREGATE sum(count) AS n GROUP BY to"));
        let begins = counts(format!("{graph} |> WHERE from <> 'START' |> AGGREGATE sum(count) AS n GROUP BY from"));
        prop_assert_eq!(&ends, &interactions);
        prop_assert_eq!(&begins, &interactions);
        let map = counts(format!("{before}WHERE kind IS NOT NULL |> MAP BY kind |> SELECT kind, customers"));
        for (kind, customers) in map {
            let behind = format!("{graph} |> WHERE to = '{kind}' |> CUSTOMERS |> AGGREGATE count(*) AS n");
            prop_assert_eq!(number(&store, &behind).to_string(), customers, "{}", kind);
        }
    }
}

/// Customers of two ranges and so of two units, in which values first appear
/// in another order: 65,536 go a, b within an hour, 4,464 go c, a, b more slowly.
fn two_units() -> Store {
    let mut events = Vec::new();
    for customer in 0..70_000 {
        let way: &[(&str, i64)] = match customer {
            0..65_536 => &[("a", 0), ("b", 1)],
            _ => &[("c", 0), ("a", 2), ("b", 5)],
        };
        for (kind, hour) in way {
            let event = Event::new(&format!("crm:{customer}"), START + hour * HOUR, 0);
            events.push(event.with("kind", *kind).with("case", *kind));
        }
    }
    let mut store = Store::of(&events);
    store.db().seal().expect("seals");
    store.reopen();
    assert!(store.db().snapshot().units().len() > 1);
    store
}

#[test]
fn units_are_joined_by_values() {
    let store = two_units();
    for (by, threads) in [("kind", 1), ("kind", 4), ("case", 1), ("case", 4)] {
        let check = |query: String, expected: &str| {
            let options = QueryOptions { threads: Some(threads), ..QueryOptions::default() };
            let answer = store.db().query_options(&query, &Params::new(), &options);
            let found = Table::of(&answer.unwrap_or_else(|error| panic!("{query}\n{error}"))).to_csv();
            assert_eq!(found, expected, "{query} on {threads} threads");
        };
        check(
            format!("PATHS FROM () BY {by}"),
            "path,journeys,customers,share,of,medians,p95s\n\
             \"[a, b]\",65536,65536,0.936229,70000,[1h],[1h]\n\
             \"[c, a, b]\",4464,4464,0.063771,70000,\"[2h, 3h]\",\"[2h, 3h]\"\n",
        );
        check(
            format!("GRAPH BY {by}"),
            "from,to,count,customers,median,p95\n\
             a,b,70000,70000,1h,3h\n\
             b,END,70000,70000,,\n\
             START,a,65536,65536,,\n\
             START,c,4464,4464,,\n\
             c,a,4464,4464,2h,2h\n",
        );
    }
}
