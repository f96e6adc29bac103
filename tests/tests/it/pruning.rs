//! What the index decides against what reading decides, over random small
//! histories: each query is asked as written, and again in words that the index
//! cannot follow; and FOR, WHERE and DURING are worked out by hand.
//!
//! `PROPTEST_CASES` sets how many histories (256 by default).

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use throughline::{Params, QueryOptions};
use throughline_tests::reference::{Event, Val};
use throughline_tests::store::{Store, append, import};
use throughline_tests::table::{Table, show_time};

const HOUR: i64 = 3_600_000;
/// 2026-01-31T00:00:00Z: histories lie on both sides of the end of a month.
const START: i64 = 1_769_817_600_000;
const HOURS: i64 = 48;

/// A predicate over interactions.
#[derive(Clone, Debug)]
enum Test {
    Is(&'static str, &'static str),
    In(&'static str, Vec<&'static str>),
    Negative,
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
}

impl Test {
    /// As a query says it; `plain` lets the index understand it.
    fn text(&self, plain: bool) -> String {
        let attr = |name: &str| if plain { name.to_owned() } else { format!("lower({name})") };
        match self {
            Self::Is(name, value) => format!("{} = '{value}'", attr(name)),
            Self::In(name, values) => format!("{} IN ('{}')", attr(name), values.join("', '")),
            Self::Negative => "sentiment < 0".to_owned(),
            Self::Not(inner) => format!("NOT ({})", inner.text(plain)),
            Self::And(a, b) => format!("({} AND {})", a.text(plain), b.text(plain)),
            Self::Or(a, b) => format!("({} OR {})", a.text(plain), b.text(plain)),
        }
    }

    /// Whether it holds; `None` is NULL.
    fn holds(&self, event: &Event) -> Option<bool> {
        match self {
            Self::Is(name, value) => event.text(name).map(|text| text == *value),
            Self::In(name, values) => event.text(name).map(|text| values.contains(&text)),
            Self::Negative => event.number("sentiment").map(|number| number < 0.0),
            Self::Not(inner) => inner.holds(event).map(|truth| !truth),
            Self::And(a, b) => match (a.holds(event), b.holds(event)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(a, b) => match (a.holds(event), b.holds(event)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

/// A predicate over customers.
#[derive(Clone, Debug)]
enum For {
    Has(Option<usize>, Test),
    HasNo(Test),
    Customer(&'static str),
    /// The customers of a query of one WHERE.
    Behind(Test),
    Not(Box<For>),
    And(Box<For>, Box<For>),
    Or(Box<For>, Box<For>),
}

impl For {
    fn text(&self, plain: bool) -> String {
        match self {
            Self::Has(None, test) => format!("HAS ({})", test.text(plain)),
            Self::Has(Some(n), test) => format!("HAS AT LEAST {n} ({})", test.text(plain)),
            Self::HasNo(test) => format!("HAS NO ({})", test.text(plain)),
            Self::Customer(name) => format!("CUSTOMER '{name}'"),
            Self::Behind(test) => format!("IN (WHERE {} |> INTERACTIONS)", test.text(plain)),
            Self::Not(inner) => format!("NOT ({})", inner.text(plain)),
            Self::And(a, b) => format!("({} AND {})", a.text(plain), b.text(plain)),
            Self::Or(a, b) => format!("({} OR {})", a.text(plain), b.text(plain)),
        }
    }

    /// Judged on what is in sight of a customer; `all` is the whole journey.
    fn holds(&self, customer: &str, sight: &[&Event], all: &[&Event]) -> bool {
        let among = |events: &[&Event], test: &Test| {
            events.iter().filter(|event| test.holds(event) == Some(true)).count()
        };
        match self {
            Self::Has(n, test) => among(sight, test) >= n.unwrap_or(1),
            Self::HasNo(test) => among(sight, test) == 0,
            Self::Customer(name) => customer == *name,
            Self::Behind(test) => among(all, test) > 0,
            Self::Not(inner) => !inner.holds(customer, sight, all),
            Self::And(a, b) => a.holds(customer, sight, all) && b.holds(customer, sight, all),
            Self::Or(a, b) => a.holds(customer, sight, all) || b.holds(customer, sight, all),
        }
    }
}

/// From journeys to journeys.
#[derive(Clone, Debug)]
enum Stage {
    During(i64, i64),
    Where(Test),
    For(For),
}

impl Stage {
    fn text(&self, plain: bool) -> String {
        match self {
            Self::During(from, to) => format!("DURING '{}' TO '{}'", show_time(*from), show_time(*to)),
            Self::Where(test) => format!("WHERE {}", test.text(plain)),
            Self::For(customers) => format!("FOR {}", customers.text(plain)),
        }
    }
}

/// The interactions that the stages leave, by customer.
fn narrowed<'a>(events: &'a [Event], stages: &[Stage]) -> BTreeMap<&'a str, Vec<&'a Event>> {
    let mut all: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        all.entry(&event.customer).or_default().push(event);
    }
    let mut sight = all.clone();
    for stage in stages {
        match stage {
            Stage::During(from, to) => sight
                .values_mut()
                .for_each(|events| events.retain(|event| *from <= event.time && event.time < *to)),
            Stage::Where(test) => {
                sight.values_mut().for_each(|events| events.retain(|event| test.holds(event) == Some(true)));
            }
            Stage::For(customers) => {
                sight.retain(|customer, events| customers.holds(customer, events, &all[customer]));
            }
        }
    }
    sight.retain(|_, events| !events.is_empty());
    sight
}

const CUSTOMERS: [&str; 16] = [
    "id:1", "id:2", "id:3", "id:4", "id:5", "id:6", "id:7", "id:8", "crm:a", "crm:b", "crm:c", "crm:d",
    "crm:e", "crm:f", "crm:g", "crm:h",
];
/// The later the rarer.
const KINDS: [&str; 10] = ["a", "a", "a", "a", "a", "b", "b", "b", "c", "d"];
const TOPICS: [&str; 6] = ["x", "x", "x", "x", "y", "z"];

fn event() -> impl Strategy<Value = Event> {
    let one_of = |values: &'static [&'static str]| prop::sample::select(values);
    (
        one_of(&CUSTOMERS),
        0..HOURS,
        prop::option::weighted(0.9, one_of(&KINDS)),
        prop::option::weighted(0.8, one_of(&TOPICS)),
        prop::option::weighted(0.4, -2_i32..=2),
    )
        .prop_map(|(customer, hour, kind, topic, sentiment)| {
            let mut event = Event::new(customer, START + hour * HOUR, 0);
            for (name, value) in [("kind", kind), ("topic", topic)] {
                if let Some(value) = value {
                    event = event.with(name, value);
                }
            }
            match sentiment {
                Some(number) => event.with("sentiment", Val::Float(f64::from(number))),
                None => event,
            }
        })
}

fn test() -> impl Strategy<Value = Test> {
    let leaf = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(|value| Test::Is("kind", value)),
        2 => prop::sample::select(vec!["x", "y", "z"]).prop_map(|value| Test::Is("topic", value)),
        2 => prop::sample::subsequence(vec!["b", "c", "d"], 1..=3).prop_map(|some| Test::In("kind", some)),
        1 => Just(Test::Negative),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|test| Test::Not(test.into())),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Test::And(a.into(), b.into())),
            (inner.clone(), inner).prop_map(|(a, b)| Test::Or(a.into(), b.into())),
        ]
    })
}

fn customers() -> impl Strategy<Value = For> {
    let leaf = prop_oneof![
        4 => (prop::option::of(0..5_usize), test()).prop_map(|(n, test)| For::Has(n, test)),
        2 => test().prop_map(For::HasNo),
        1 => prop::sample::select(&CUSTOMERS[..3]).prop_map(For::Customer),
        1 => test().prop_map(For::Behind),
    ];
    leaf.prop_recursive(2, 5, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| For::Not(one.into())),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| For::And(a.into(), b.into())),
            (inner.clone(), inner).prop_map(|(a, b)| For::Or(a.into(), b.into())),
        ]
    })
}

fn stages() -> impl Strategy<Value = Vec<Stage>> {
    let stage = prop_oneof![
        1 => (0..HOURS, 1..HOURS)
            .prop_map(|(from, length)| Stage::During(START + from * HOUR, START + (from + length) * HOUR)),
        2 => test().prop_map(Stage::Where),
        4 => customers().prop_map(Stage::For),
    ];
    prop::collection::vec(stage, 0..4)
}

/// What ends a query. `test` fills the first step of funnels.
fn ends(test: &Test, plain: bool) -> [String; 6] {
    let test = test.text(plain);
    let funnel = format!("FUNNEL (first WHERE {test}) -[<= 20h]-> (second:a) -> (third:b) WITHIN 30h");
    [
        "CHAINS SAME topic GAP 9h MIN 2".to_owned(),
        "MAP BY kind, topic".to_owned(),
        format!("{funnel} |> DROPPED AT 1"),
        format!("CHAINS GAP 20h MIN 2 |> JOURNEYS AFTER |> {funnel} |> REACHED 1"),
        format!("{funnel} |> REACHED 2 |> JOURNEYS BEFORE |> FOR HAS ({test}) |> INTERACTIONS"),
        funnel,
    ]
}

fn ask(store: &Store, query: &str, threads: usize) -> Table {
    let options = QueryOptions { threads: Some(threads), ..QueryOptions::default() };
    let answer = store.db().query_options(query, &Params::new(), &options);
    Table::of(&answer.unwrap_or_else(|error| panic!("{query}\n{error}")))
}

/// How a part of a history reaches the store: by import or not, sealed or not.
fn parts() -> impl Strategy<Value = Vec<(bool, bool)>> {
    prop::collection::vec(any::<(bool, bool)>(), 1..5)
}

fn deliver(events: &[Event], parts: &[(bool, bool)]) -> Store {
    let store = Store::new();
    let length = events.len().div_ceil(parts.len());
    for (number, (part, (by_import, sealed))) in events.chunks(length).zip(parts).enumerate() {
        match by_import {
            true => drop(import(store.db(), &format!("part {number}"), part, 4, true)),
            false => append(store.db(), part, true),
        }
        if *sealed {
            store.db().seal().expect("seals");
        }
    }
    store
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_index_and_reading_agree(
        mut events in prop::collection::vec(event(), 1..48),
        parts in parts(),
        queries in prop::collection::vec((stages(), test()), 4),
    ) {
        for (place, event) in events.iter_mut().enumerate() {
            event.sequence = place as u64;
            *event = event.clone().with("mark", Val::Int(place as i64));
        }
        let store = deliver(&events, &parts);
        for (stages, test) in &queries {
            let before = |plain| {
                stages.iter().map(|stage| stage.text(plain) + "\n|> ").collect::<String>()
            };
            let sight = narrowed(&events, stages);
            let query = before(true) + "CUSTOMERS";
            let expected: BTreeSet<String> = sight.keys().map(|&customer| customer.to_owned()).collect();
            let found: BTreeSet<String> =
                ask(&store, &query, 1).rows.into_iter().map(|row| row[0].clone()).collect();
            prop_assert_eq!(found, expected, "{}", query);
            let query = before(true) + "AGGREGATE count(*) AS n";
            let count = sight.values().map(Vec::len).sum::<usize>().to_string();
            prop_assert_eq!(&ask(&store, &query, 2).rows, &vec![vec![count]], "{}", query);
            for (end, read) in ends(test, true).into_iter().zip(ends(test, false)) {
                let (query, by_reading) = (before(true) + &end, before(false) + &read);
                prop_assert_eq!(
                    ask(&store, &query, 3), ask(&store, &by_reading, 1), "\n{}\n{}", query, by_reading
                );
            }
        }
    }
}
