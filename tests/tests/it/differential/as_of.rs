//! AS OF an instant against a store to which nothing came after it.

use proptest::prelude::*;
use throughline_tests::reference::Event;
use throughline_tests::store::Store;
use throughline_tests::table::show_time;

use super::compare::{ask_with_notes, run};
use super::history::{HOUR, START, Size, history};

const SIZE: Size = Size { events: 36, hours: 40 };

/// After all interactions, so that the right edge is the last of them.
const RECORDED: i64 = START + 1_000 * HOUR;

const QUERIES: &[&str] = &[
    "SELECT customer, identity, at, kind, topic, channel, sentiment",
    "FOR HAS NO (:a) |> SELECT customer, at, kind",
    "FOR HAS AT LEAST 2 (:b) OR NOT HAS (:c) |> CUSTOMERS",
    "WHERE kind IN ('a', 'b') |> CHAINS SAME topic GAP 6h MIN 2 |> SELECT customer, topic, started, channels, open",
    "FCR SAME topic GAP 5h CLOCK resolution |> SELECT customer, topic, started, contacts, open, fcr, charged",
    "FUNNEL (:a) -> (:b) -[<= 9h]-> (:c) WITHIN 20h",
    "FUNNEL (:a) -> (:b) WITHIN 10h |> DROPPED AT 1 |> SELECT customer, started, outcome, next_kind",
    "MAP BY kind, channel",
    "DURING LAST 15h |> SPLIT BY case |> SESSIONS GAP 4h |> SELECT customer, at, kind",
    "FOR IN (FOR HAS (:c)) |> CHAINS GAP 3h MIN 1 |> JOURNEYS AFTER |> SELECT customer, at, kind",
    "CHAINS GAP 3h MIN 2 |> INTERACTIONS |> AGGREGATE count(*) AS n, min(at) AS first GROUP BY kind",
];

#[test]
fn as_of_is_a_store_to_which_nothing_came_later() {
    let queries = prop::sample::subsequence(QUERIES, 4);
    run("as_of", &(history(SIZE), any::<prop::sample::Index>(), queries), |(history, known, queries)| {
        let recorded = |part: usize| RECORDED + part as i64 * HOUR;
        let known = known.index(history.parts() + 1);
        let (all, then) =
            (history.deliver_parts(history.parts(), recorded), history.deliver_parts(known, recorded));
        // Any instant between two parts, both ends included.
        let at = recorded(known) - 1 - (known as i64 * 7 % 3) * (HOUR / 2 - 1);
        for query in queries {
            let asked = format!("AS OF '{}' |> {query}", show_time(at));
            assert_eq!(ask_with_notes(&all, &asked), ask_with_notes(&then, query), "{asked}");
        }
    });
}

/// Rows that come long after they were recorded, beside some that do not say when they were.
#[test]
fn as_of_goes_by_what_rows_say_of_their_recording() {
    let queries = prop::sample::subsequence(QUERIES, 4);
    // For each event in how many half hours before the first delivery it was recorded, if it says so.
    let own = prop::collection::vec(prop::option::weighted(0.8, 0..40_i64), SIZE.events);
    let inputs = (history(SIZE), own, -42..12_i64, prop::sample::select(vec![0, 1]), queries);
    run("as_of_own", &inputs, |(history, own, half_hours, off, queries)| {
        let recorded = |part: usize| RECORDED + part as i64 * HOUR;
        let own = |event: &Event| Some(RECORDED - own[event.sequence as usize]? * HOUR / 2);
        let at = RECORDED + half_hours * HOUR / 2 - off;
        let all = history.deliver_by(&recorded, &own, i64::MAX);
        let then = history.deliver_by(&recorded, &own, at);
        // Customers became known in another order where rows of others are not there yet.
        let ask = |store: &Store, query: &str| {
            let (mut table, notes) = ask_with_notes(store, query);
            table.rows.sort();
            (table, notes)
        };
        for query in queries {
            let asked = format!("AS OF '{}' |> {query}", show_time(at));
            assert_eq!(ask(&all, &asked), ask(&then, query), "{asked}");
        }
        assert_eq!(all.db().check().expect("checks").problems, Vec::<String>::new());
    });
}
