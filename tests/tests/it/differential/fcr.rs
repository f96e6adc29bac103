//! First-contact resolution against the reference.

use proptest::prelude::*;
use throughline_tests::reference::Event;
use throughline_tests::reference::fcr::{Clock, Fcr, Resolution, fcr};
use throughline_tests::reference::flow::View;
use throughline_tests::store::Store;
use throughline_tests::text;

use super::chains;
use super::compare::{check, names, run};
use super::history::{HOUR, Size, cut, history, narrowed, span};

const SIZE: Size = Size { events: 36, hours: 40 };

fn query() -> impl Strategy<Value = (View, Fcr)> {
    let keys = prop::sample::subsequence(vec!["topic", "channel", "case"], 0..=2);
    let clock = prop::sample::select(vec![Clock::Contact, Clock::Resolution]);
    (prop_oneof![narrowed(span(SIZE.hours)), cut(SIZE.hours)], keys, 0..10_i64, clock).prop_map(
        |(view, same, gap, clock)| {
            let same = same.into_iter().map(str::to_owned).collect();
            (view, Fcr { same, gap: gap * HOUR, clock })
        },
    )
}

fn row(found: &Resolution) -> Vec<String> {
    let mut row = chains::row(&found.chain);
    row.extend([
        found.fcr.map_or(String::new(), |resolved| resolved.to_string()),
        found.charged.clone().unwrap_or_default(),
        found.repeats.to_string(),
        found.redos.to_string(),
    ]);
    row
}

fn check_fcr(store: &Store, events: &[Event], view: &View, query: &Fcr) {
    let text = text::view(view) + &text::fcr(query);
    let mut columns = vec!["customer"];
    columns.extend(query.same.iter().map(String::as_str));
    columns.extend(chains::COLUMNS);
    columns.extend(["fcr", "charged", "repeats", "redos"]);
    let found = fcr(events, view, query);
    check(store, &text, &columns, found.iter().map(row).collect());
    // Alone, so that nothing else asks for the members of the chains.
    for (place, column) in columns.iter().enumerate().skip(columns.len() - 5) {
        let expected = found.iter().map(|one| vec![row(one)[place].clone()]).collect();
        check(store, &format!("{text}\n|> SELECT {column}"), &[column], expected);
    }
    let customers = names(found.iter().map(|one| one.chain.customer.as_str()));
    check(store, &format!("{text}\n|> CUSTOMERS"), &["customer"], customers);
}

#[test]
fn resolutions_are_those_of_the_reference() {
    run("fcr", &(history(SIZE), prop::collection::vec(query(), 4)), |(history, queries)| {
        let store = history.deliver();
        for (view, query) in &queries {
            check_fcr(&store, &history.events, view, query);
        }
    });
}
