//! The engine against the reference, over random small histories that reach
//! the store by random roads.
//!
//! `PROPTEST_CASES` sets how many histories (256 by default).

use std::collections::BTreeSet;

use proptest::prelude::*;
use throughline::{Params, QueryOptions};
use throughline_tests::reference::chains::{Chain, Chains, chains};
use throughline_tests::reference::funnel::{Attempt, Edge, Funnel, attempts, funnel};
use throughline_tests::reference::outcome::Outcome;
use throughline_tests::reference::{Event, Val, View, journeys};
use throughline_tests::store::{Store, append, import};
use throughline_tests::table::{Table, show_duration, show_float, show_time};
use throughline_tests::text;

const HOUR: i64 = 3_600_000;
/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000;
/// Histories lie within so many hours: few, so that times tie.
const HOURS: i64 = 40;

/// How a part of a history reaches the store.
#[derive(Clone, Debug)]
struct Delivery {
    /// How many of the events that are left.
    events: usize,
    /// By bulk import in pieces of this length; appended where there is none.
    import: Option<usize>,
    /// What happens to the store after it.
    then: Then,
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    Seal,
    Reopen,
    Rebuild,
    LoseTheGraph,
}

/// A history, in the order of its events' sequences, and its road.
#[derive(Clone, Debug)]
struct History {
    events: Vec<Event>,
    /// Whether the events carry their sequences.
    sequenced: bool,
    /// The order in which the events arrive.
    arrival: Vec<usize>,
    deliveries: Vec<Delivery>,
    /// On a real disk, which is slow, or on one in memory.
    in_folder: bool,
}

fn event() -> impl Strategy<Value = Event> {
    let one_of = |values: &'static [&'static str]| prop::sample::select(values);
    (
        (one_of(&["id:1", "id:2", "crm:3", "phone:+44:4"]), 0..HOURS),
        prop::option::weighted(0.95, one_of(&["a", "b", "c", "d", "e"])),
        prop::option::weighted(0.8, one_of(&["x", "y", "z"])),
        prop::option::weighted(0.9, one_of(&["phone", "chat"])),
        prop::option::weighted(0.6, one_of(&["7", "08"])),
        prop::option::weighted(0.5, one_of(&["Ann", "Bo"])),
        prop::option::weighted(0.6, any::<bool>()),
        prop::option::weighted(0.6, -4_i32..=4),
    )
        .prop_map(|((customer, hour), kind, topic, channel, case, agent, resolved, sentiment)| {
            let mut event = Event::new(customer, START + hour * HOUR, 0);
            for (name, value) in
                [("kind", kind), ("topic", topic), ("channel", channel), ("case", case), ("agent", agent)]
            {
                if let Some(value) = value {
                    event = event.with(name, value);
                }
            }
            if let Some(resolved) = resolved {
                event = event.with("resolved", Val::Bool(resolved));
            }
            if let Some(sentiment) = sentiment {
                event = event.with("sentiment", Val::Float(f64::from(sentiment) / 4.0));
            }
            event
        })
}

fn history() -> impl Strategy<Value = History> {
    let then = prop_oneof![
        4 => Just(Then::Nothing),
        3 => Just(Then::Seal),
        2 => Just(Then::Reopen),
        1 => Just(Then::Rebuild),
        1 => Just(Then::LoseTheGraph),
    ];
    let delivery = (1_usize..12, prop::option::of(1_usize..6), then)
        .prop_map(|(events, import, then)| Delivery { events, import, then });
    (
        prop::collection::vec(event(), 1..36),
        prop::bool::weighted(0.6),
        prop::collection::vec(delivery, 1..6),
        any::<u64>(),
        any::<bool>(),
    )
        .prop_map(|(mut events, sequenced, deliveries, seed, named)| {
            for (place, event) in events.iter_mut().enumerate() {
                event.sequence = place as u64;
                // No two rows are equal, else an import would take the second for the first.
                *event = if named {
                    event.clone().with("event_id", format!("e{place:03}").as_str())
                } else {
                    event.clone().with("mark", Val::Int(place as i64))
                };
            }
            // Without a sequence the event id orders equal times, and without that
            // the order of arrival (rule 1).
            let arrival =
                if sequenced || named { shuffle(events.len(), seed) } else { (0..events.len()).collect() };
            History { events, sequenced, arrival, deliveries, in_folder: seed % 16 == 0 }
        })
}

/// The numbers below `length` in an order drawn from `seed`.
fn shuffle(length: usize, mut seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    for place in (1..length).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(place, (seed >> 33) as usize % (place + 1));
    }
    order
}

impl History {
    /// Brings the events into a store by their road.
    fn deliver(&self) -> Store {
        let mut store = if self.in_folder { Store::in_folder() } else { Store::new() };
        let mut left: Vec<Event> = self.arrival.iter().map(|&place| self.events[place].clone()).collect();
        for (number, delivery) in self.deliveries.iter().enumerate() {
            let rest = if number + 1 == self.deliveries.len() { left.len() } else { delivery.events };
            let part: Vec<Event> = left.drain(..rest.min(left.len())).collect();
            match delivery.import {
                Some(piece) => {
                    let source = format!("part {number}");
                    let report = import(store.db(), &source, &part, piece, self.sequenced);
                    assert_eq!((report.added, report.duplicates), (part.len() as u64, 0));
                }
                None => append(store.db(), &part, self.sequenced),
            }
            match delivery.then {
                Then::Nothing => {}
                Then::Seal => store.db().seal().expect("seals"),
                Then::Reopen => store.reopen(),
                Then::Rebuild => store.db().rebuild().expect("rebuilds"),
                Then::LoseTheGraph => store.lose_the_graph(),
            }
        }
        store
    }
}

/// A span that begins and ends between the full hours, or on them.
fn span() -> impl Strategy<Value = (i64, i64)> {
    (-2..HOURS, 1..HOURS, prop::sample::select(vec![0, HOUR / 2]))
        .prop_map(|(from, length, off)| (START + from * HOUR + off, START + (from + length) * HOUR + off))
}

/// As [`span`], with ends between the hours only: whether an interaction at the
/// very end of DURING breaks a silence is decided in the conformance cases.
fn span_between_hours() -> impl Strategy<Value = (i64, i64)> {
    span().prop_map(|(from, to)| (from, to - to.rem_euclid(HOUR) + HOUR / 2))
}

fn view(span: impl Strategy<Value = (i64, i64)>) -> impl Strategy<Value = View> {
    let only = prop_oneof![
        Just(("kind", vec!["a", "b", "c"])),
        Just(("channel", vec!["phone"])),
        Just(("topic", vec!["x", "y"])),
    ]
    .prop_map(|(attr, values)| (attr.to_owned(), values.into_iter().map(str::to_owned).collect()));
    (prop::option::weighted(0.3, span), prop::option::weighted(0.3, only))
        .prop_map(|(during, only)| View { during, only })
}

fn chains_query() -> impl Strategy<Value = (View, Chains)> {
    let keys = prop::sample::subsequence(vec!["topic", "channel", "case"], 0..=2);
    (
        view(span()),
        keys,
        0..10_i64,
        1..5_usize,
        prop::option::weighted(0.4, 0..20_i64),
        prop::option::weighted(0.3, span()),
    )
        .prop_map(|(view, same, gap, min, within, started)| {
            let same = same.into_iter().map(str::to_owned).collect();
            let within = within.map(|hours| hours * HOUR);
            (view, Chains { same, gap: gap * HOUR, min, within, started })
        })
}

fn funnel_query() -> impl Strategy<Value = (View, Funnel)> {
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
        (Some(a), Some(b)) => Edge { at_least: Some(a.min(b)), at_most: Some(a.max(b)) },
        (at_least, at_most) => Edge { at_least, at_most },
    });
    let pattern = prop_oneof![
        4 => (prop::collection::vec(kinds, 1..5), prop::collection::vec(edge, 4))
            .prop_map(|(steps, edges)| ("kind", steps, edges)),
        1 => prop::collection::vec(labels(&["x", "y", "z"]), 1..5)
            .prop_map(|steps| ("topic", steps, vec![Edge::default(); 4])),
    ];
    let within = prop::option::weighted(0.4, (0..30_i64).prop_map(|hours| hours * HOUR));
    (view(span_between_hours()), pattern, within, prop::option::weighted(0.3, span())).prop_map(
        |(view, (on, steps, mut edges), within, started)| {
            edges.truncate(steps.len() - 1);
            (view, Funnel { on: on.to_owned(), steps, edges, within, started })
        },
    )
}

/// Asks on one thread and on several: the answers are the same, in their order too.
fn ask(store: &Store, query: &str) -> Table {
    let ask = |threads: usize| {
        let options = QueryOptions { threads: Some(threads), ..QueryOptions::default() };
        let answer = store.db().query_options(query, &Params::new(), &options);
        Table::of(&answer.unwrap_or_else(|error| panic!("{query}\n{error}")))
    };
    let found = ask(1);
    let threads = 2 + query.len() % 3;
    assert_eq!(ask(threads), found, "{query}, on {threads} threads");
    found
}

fn check(store: &Store, query: &str, columns: &[&str], mut expected: Vec<Vec<String>>) {
    let found = ask(store, query).select(columns).sorted();
    expected.sort();
    let expected =
        Table { columns: columns.iter().map(|&column| column.to_owned()).collect(), rows: expected };
    assert_eq!(found, expected, "\n{query}\nfound:\n{}expected:\n{}", found.to_csv(), expected.to_csv());
}

fn chain_row(chain: &Chain) -> Vec<String> {
    let list = |values: &[Option<String>]| {
        let values: Vec<&str> = values.iter().map(|value| value.as_deref().unwrap_or("null")).collect();
        format!("[{}]", values.join(", "))
    };
    let number = |number: Option<f64>| number.map_or(String::new(), show_float);
    let mut row = vec![chain.customer.clone()];
    row.extend(chain.keys.iter().cloned());
    row.extend([
        show_time(chain.started),
        show_time(chain.ended),
        show_duration(chain.ended - chain.started),
        chain.contacts.to_string(),
        list(&chain.channels),
        list(&chain.kinds),
        list(&chain.agents),
        list(&chain.cases),
        chain.channel_changes.to_string(),
        chain.disconnected.to_string(),
        chain.resolved_claims.to_string(),
        chain.reopened.to_string(),
        number(chain.worst_sentiment),
        number(chain.sentiment_change),
        String::new(),
        chain.open.to_string(),
    ]);
    row
}

fn check_chains(store: &Store, events: &[Event], view: &View, query: &Chains) {
    let text = text::view(view) + &text::chains(query);
    let mut columns = vec!["customer"];
    columns.extend(query.same.iter().map(String::as_str));
    columns.extend([
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
    ]);
    let found = chains(events, view, query);
    check(store, &text, &columns, found.iter().map(chain_row).collect());

    // The list behind the count (rule 11), and what the chains are made of.
    let customers: BTreeSet<&str> = found.iter().map(|chain| chain.customer.as_str()).collect();
    let expected = customers.iter().map(|&customer| vec![customer.to_owned()]).collect();
    check(store, &format!("{text}\n|> CUSTOMERS"), &["customer"], expected);
    let members: usize = found.iter().map(|chain| chain.contacts).sum();
    let count = |number: usize| vec![vec![number.to_string()]];
    check(store, &format!("{text}\n|> INTERACTIONS |> AGGREGATE count(*) AS n"), &["n"], count(members));
}

fn check_funnel(store: &Store, events: &[Event], view: &View, query: &Funnel) {
    let text = text::view(view) + &text::funnel(query);
    let steps = funnel(events, view, query);
    let found = ask(store, &text);
    let columns = ["step", "reached", "moved_on", "silent", "elsewhere", "open", "from_first"];
    let rows: Vec<Vec<String>> = steps
        .iter()
        .enumerate()
        .map(|(place, step)| {
            let counts = [place + 1, step.reached, step.moved_on, step.silent, step.elsewhere, step.open];
            let mut row: Vec<String> = counts.iter().map(usize::to_string).collect();
            row.push(step.from_first.map_or(String::new(), show_float));
            row
        })
        .collect();
    assert_eq!(found.select(&columns).rows, rows, "\n{text}\n{}", found.to_csv());
    let times: Vec<Vec<String>> = steps
        .iter()
        .skip(1)
        .map(|step| {
            let time =
                |time: Option<f64>| time.map_or(String::new(), |time| show_duration(time.round() as i64));
            let rate = step.from_previous.map_or(String::new(), show_float);
            vec![rate, time(step.median), time(step.p90)]
        })
        .collect();
    assert_eq!(
        found.select(&["from_previous", "median", "p90"]).rows[1..],
        times,
        "\n{text}\n{}",
        found.to_csv()
    );

    let counted = attempts(events, view, query);
    for step in 1..=query.steps.len() {
        let reached = |attempt: &&Attempt| attempt.depth >= step;
        let names =
            counted.iter().filter(reached).map(|attempt| vec![attempt.customer.clone()]).collect::<Vec<_>>();
        check(store, &format!("{text}\n|> WHERE step = {step} |> CUSTOMERS"), &["customer"], names.clone());
        check(store, &format!("{text}\n|> REACHED {step} |> CUSTOMERS"), &["customer"], names);
        let columns = ["customer", "depth", "started", "ended"];
        let rows = counted.iter().filter(reached).map(attempt_row).collect();
        check(store, &format!("{text}\n|> REACHED {step}"), &columns, rows);
        for (word, outcomes) in [
            ("", &[Outcome::Silent, Outcome::Elsewhere][..]),
            (" SILENT", &[Outcome::Silent]),
            (" ELSEWHERE", &[Outcome::Elsewhere]),
            (" OPEN", &[Outcome::Open]),
        ] {
            if step == query.steps.len() {
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

fn attempt_row(attempt: &Attempt) -> Vec<String> {
    vec![
        attempt.customer.clone(),
        attempt.depth.to_string(),
        show_time(attempt.times[0]),
        show_time(attempt.times[attempt.depth - 1]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_answers_as_the_reference_does(
        history in history(),
        chains in prop::collection::vec(chains_query(), 4),
        funnels in prop::collection::vec(funnel_query(), 4),
    ) {
        let store = history.deliver();
        for (view, query) in &chains {
            check_chains(&store, &history.events, view, query);
        }
        for (view, query) in &funnels {
            check_funnel(&store, &history.events, view, query);
            check_funnel_after_journeys(&store, &history.events, view, query);
        }
    }
}
