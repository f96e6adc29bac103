//! Repeat-contact chains against the reference.

use proptest::prelude::*;
use throughline_tests::reference::Event;
use throughline_tests::reference::chains::{Chain, Chains, chains};
use throughline_tests::reference::flow::View;
use throughline_tests::store::Store;
use throughline_tests::table::{show_duration, show_time};
use throughline_tests::text;

use super::compare::{check, names, run, show_list, show_number};
use super::history::{HOUR, Size, cut, history, narrowed, span};

const SIZE: Size = Size { events: 36, hours: 40 };

fn query() -> impl Strategy<Value = (View, Chains)> {
    let keys = prop::sample::subsequence(vec!["topic", "channel", "case"], 0..=2);
    (
        prop_oneof![narrowed(span(SIZE.hours)), cut(SIZE.hours)],
        keys,
        0..10_i64,
        1..5_usize,
        prop::option::weighted(0.4, 0..20_i64),
        prop::option::weighted(0.3, span(SIZE.hours)),
    )
        .prop_map(|(view, same, gap, min, within, started)| {
            let same = same.into_iter().map(str::to_owned).collect();
            let within = within.map(|hours| hours * HOUR);
            (view, Chains { same, gap: gap * HOUR, min, within, started })
        })
}

/// The columns after the keys.
pub(crate) const COLUMNS: [&str; 16] = [
    "started",
    "ended",
    "span",
    "contacts",
    "channels",
    "kinds",
    "agents",
    "cases",
    "channel_changes",
    "disconnected",
    "resolved_claims",
    "reopened",
    "worst_sentiment",
    "sentiment_change",
    "public",
    "open",
];

pub(crate) fn row(chain: &Chain) -> Vec<String> {
    let mut row = vec![chain.customer.clone()];
    row.extend(chain.keys.iter().cloned());
    row.extend([
        show_time(chain.started),
        show_time(chain.ended),
        show_duration(chain.ended - chain.started),
        chain.contacts.to_string(),
        show_list(chain.channels.iter().cloned()),
        show_list(chain.kinds.iter().cloned()),
        show_list(chain.agents.iter().cloned()),
        show_list(chain.cases.iter().cloned()),
        chain.channel_changes.to_string(),
        chain.disconnected.to_string(),
        chain.resolved_claims.to_string(),
        chain.reopened.to_string(),
        show_number(chain.worst_sentiment),
        show_number(chain.sentiment_change),
        String::new(),
        chain.open.to_string(),
    ]);
    row
}

pub(crate) fn check_chains(store: &Store, events: &[Event], view: &View, query: &Chains) {
    let text = text::view(view) + &text::chains(query);
    let mut columns = vec!["customer"];
    columns.extend(query.same.iter().map(String::as_str));
    columns.extend(COLUMNS);
    let found = chains(events, view, query);
    check(store, &text, &columns, found.iter().map(row).collect());

    // The list behind the count (rule 11), and what the chains are made of.
    let customers = names(found.iter().map(|chain| chain.customer.as_str()));
    check(store, &format!("{text}\n|> CUSTOMERS"), &["customer"], customers);
    let members: usize = found.iter().map(|chain| chain.contacts).sum();
    let query = format!("{text}\n|> INTERACTIONS |> AGGREGATE count(*) AS n");
    check(store, &query, &["n"], vec![vec![members.to_string()]]);
}

#[test]
fn chains_are_those_of_the_reference() {
    run("chains", &(history(SIZE), prop::collection::vec(query(), 4)), |(history, queries)| {
        let store = history.deliver();
        for (view, query) in &queries {
            check_chains(&store, &history.events, view, query);
        }
    });
}
