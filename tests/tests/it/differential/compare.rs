//! Asking the engine, and comparing with what is expected; every query that is
//! compared is counted.

use std::cell::Cell;
use std::fmt::Debug;
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use throughline::{Params, QueryOptions};
use throughline_tests::store::Store;
use throughline_tests::table::{Table, show_duration, show_float};

/// What one test compares at least, by its name: pairs of a history and a query.
pub(crate) const SHARES: &[(&str, usize)] = &[
    ("flows", 2_000),
    ("chains", 3_000),
    ("funnels", 4_000),
    ("matches", 5_000),
    ("options", 6_000),
    ("fcr", 2_000),
    ("as_of", 1_000),
    ("as_of_own", 1_000),
    ("paths", 2_000),
    ("graphs", 3_000),
    ("maps", 1_000),
];

/// The whole of it: what the ordinary run compares at least.
pub(crate) const QUERIES_MIN: usize = 20_000;

/// A run asked for by `THROUGHLINE_LONG=1` is so many times as long.
const LONG: usize = 20;

thread_local! {
    static COMPARED: Cell<usize> = const { Cell::new(0) };
}

/// Counts a query of this thread as compared.
pub(crate) fn count_one() {
    COMPARED.with(|compared| compared.set(compared.get() + 1));
}

/// Draws inputs and checks them until as many queries are compared as is the
/// test's share. `PROPTEST_CASES` asks for a number of inputs instead.
pub(crate) fn run<S: Strategy>(name: &str, inputs: &S, check: impl Fn(S::Value))
where
    S::Value: Debug,
{
    let share = SHARES.iter().find(|(of, _)| *of == name).map(|(_, share)| *share);
    let share = share.unwrap_or_else(|| panic!("{name} has no share"));
    run_share(name, share, inputs, check);
}

/// As [`run`], with a share that does not count among the comparisons with the reference.
pub(crate) fn run_share<S: Strategy>(name: &str, share: usize, inputs: &S, check: impl Fn(S::Value))
where
    S::Value: Debug,
{
    let long = std::env::var_os("THROUGHLINE_LONG").is_some_and(|value| value == "1");
    let share = if long { share * LONG } else { share };
    let cases_asked_for = std::env::var_os("PROPTEST_CASES").is_some();
    let began = Instant::now();
    COMPARED.with(|compared| compared.set(0));
    let compared = || COMPARED.with(Cell::get);
    loop {
        let defaults = Config::default();
        let cases = if cases_asked_for { defaults.cases } else { 16 };
        let config = Config {
            cases,
            max_shrink_iters: 500,
            // The input is printed whole, and tests of several inputs share this place.
            failure_persistence: None,
            ..defaults
        };
        let checked = TestRunner::new(config).run(inputs, |input| {
            check(input);
            Ok(())
        });
        match checked {
            Ok(()) => {}
            Err(TestError::Fail(reason, input)) => panic!("{name}: {input:?}\n{reason}"),
            Err(TestError::Abort(reason)) => panic!("{name}: {reason}"),
        }
        if cases_asked_for || compared() >= share {
            break;
        }
    }
    eprintln!("{name}: {} queries compared in {:.1?}", compared(), began.elapsed());
}

#[test]
fn the_shares_add_up() {
    let all: usize = SHARES.iter().map(|(_, share)| share).sum();
    assert!(all >= QUERIES_MIN, "{all} of {QUERIES_MIN}");
}

/// Asks on one thread and on several: the answers are the same, in their order too.
pub(crate) fn ask(store: &Store, query: &str) -> Table {
    ask_with_notes(store, query).0
}

/// As [`ask`], with the notes.
pub(crate) fn ask_with_notes(store: &Store, query: &str) -> (Table, Vec<String>) {
    let ask = |threads: usize| {
        let options = QueryOptions { threads: Some(threads), ..QueryOptions::default() };
        let answer = store.db().query_options(query, &Params::new(), &options);
        let answer = answer.unwrap_or_else(|error| panic!("{query}\n{error}"));
        (Table::of(&answer), answer.notes().to_vec())
    };
    let found = ask(1);
    let threads = 2 + query.len() % 3;
    assert_eq!(ask(threads), found, "{query}, on {threads} threads");
    count_one();
    found
}

/// Compares the columns called `columns`, the rows in any order.
pub(crate) fn check(store: &Store, query: &str, columns: &[&str], mut expected: Vec<Vec<String>>) {
    let found = ask(store, query).select(columns).sorted();
    expected.sort();
    compare(query, &found, columns, expected);
}

/// Compares the columns called `columns`, the rows in their order.
pub(crate) fn check_in_order(store: &Store, query: &str, columns: &[&str], expected: Vec<Vec<String>>) {
    compare(query, &ask(store, query).select(columns), columns, expected);
}

fn compare(query: &str, found: &Table, columns: &[&str], expected: Vec<Vec<String>>) {
    let expected =
        Table { columns: columns.iter().map(|&column| column.to_owned()).collect(), rows: expected };
    assert_eq!(*found, expected, "\n{query}\nfound:\n{}expected:\n{}", found.to_csv(), expected.to_csv());
}

/// A list as it is shown.
pub(crate) fn show_list(items: impl IntoIterator<Item = Option<String>>) -> String {
    let items: Vec<String> =
        items.into_iter().map(|item| item.unwrap_or_else(|| "null".to_owned())).collect();
    format!("[{}]", items.join(", "))
}

/// A number as it is shown; NULL is nothing.
pub(crate) fn show_number(number: Option<f64>) -> String {
    number.map_or(String::new(), show_float)
}

/// A duration that was computed, in milliseconds; NULL is nothing.
pub(crate) fn show_millis(length: Option<f64>) -> String {
    length.map_or(String::new(), |length| show_duration(length.round() as i64))
}

/// The names of distinct customers, a row each.
pub(crate) fn names<'a>(customers: impl IntoIterator<Item = &'a str>) -> Vec<Vec<String>> {
    let distinct: std::collections::BTreeSet<&str> = customers.into_iter().collect();
    distinct.into_iter().map(|customer| vec![customer.to_owned()]).collect()
}
