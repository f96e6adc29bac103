//! Saved cohorts: united, intersected and subtracted, and kept whatever the
//! store goes through.

use throughline_tests::reference::Event;
use throughline_tests::store::{Store, append};
use throughline_tests::table::Table;

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000;

/// The customers that a query lists, joined.
fn customers(store: &Store, query: &str) -> String {
    let answer = store.db().query(&format!("{query} |> CUSTOMERS")).expect(query);
    Table::of(&answer).rows.concat().join(" ")
}

#[test]
fn cohorts_are_sets_and_stay() {
    let events: Vec<Event> = [("id:1", "a"), ("id:2", "a"), ("id:2", "b"), ("id:3", "b"), ("id:4", "c")]
        .iter()
        .enumerate()
        .map(|(place, (customer, kind))| {
            Event::new(customer, START + place as i64, place as u64).with("kind", *kind)
        })
        .collect();
    let mut store = Store::of(&events);
    for kind in ["a", "b"] {
        store.db().query(&format!("FOR HAS (:{kind}) |> SAVE COHORT had_{kind}")).expect("saves");
    }
    // A cohort is who qualified then: id:1 is no part of `had_b`, whatever comes later.
    append(store.db(), &[Event::new("id:1", START + 10, 10).with("kind", "b")], true);
    for turn in 0..5 {
        match turn {
            0 => {}
            1 => store.db().seal().expect("seals"),
            2 => store.reopen(),
            3 => store.db().rebuild().expect("rebuilds"),
            _ => store.lose_the_graph(),
        }
        for (query, expected) in [
            ("FOR COHORT had_a", "id:1 id:2"),
            ("FOR COHORT had_b", "id:2 id:3"),
            ("FOR COHORT had_a OR COHORT had_b", "id:1 id:2 id:3"),
            ("FOR COHORT had_a AND COHORT had_b", "id:2"),
            ("FOR COHORT had_a AND NOT COHORT had_b", "id:1"),
            ("FOR NOT (COHORT had_a OR COHORT had_b)", "id:4"),
            ("FOR COHORT had_a AND HAS (:b)", "id:1 id:2"),
        ] {
            assert_eq!(customers(&store, query), expected, "{query}, turn {turn}");
        }
    }
    // One of the same name takes its place.
    store.db().query("FOR COHORT had_a AND NOT COHORT had_b |> SAVE COHORT had_a").expect("saves");
    store.reopen();
    assert_eq!(customers(&store, "FOR COHORT had_a"), "id:1");
}
