//! What the bitmaps save: the same question where they choose the customers
//! and where they cannot, for a share of customers from a thousandth to all;
//! and finding a customer by an identity.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use throughline::engine::Identity;
use throughline::{Db, Params, QueryOptions};
use throughline_benches::{Contact, Store, customers, fill, journeys};

/// Share of customers, the mark that they bear, and that one of so many has it.
const MARKS: [(&str, &str, u32); 5] = [
    ("0.1 %", "mark 1000", 1_000),
    ("1 %", "mark 100", 100),
    ("10 %", "mark 10", 10),
    ("50 %", "mark 2", 2),
    ("100 %", "mark 1", 1),
];

/// Journeys of which some begin with marks, one interaction each.
fn marked() -> Store {
    let store = Store::empty().expect("makes a store");
    let mut contacts = journeys(customers());
    let marks = contacts.iter().map(|contact| (contact.customer, contact)).collect::<BTreeMap<_, _>>();
    let marks: Vec<Contact> = marks
        .into_iter()
        .flat_map(|(customer, contact)| {
            let bears = MARKS.iter().filter(move |mark| customer.is_multiple_of(mark.2));
            bears.map(move |mark| Contact { channel: mark.1, topic: None, ..*contact })
        })
        .collect();
    contacts.extend(marks);
    contacts.sort_by_key(|contact| contact.time);
    fill(&store.db, &contacts).expect("fills it");
    store
}

fn pruning(c: &mut Criterion) {
    let Store { db, folder: _folder } = marked();
    let db = Db::from(db);
    let options = QueryOptions { threads: Some(1), ..QueryOptions::default() };
    let mut group = c.benchmark_group("pruning");
    group.sample_size(10).throughput(Throughput::Elements(db.snapshot().interactions()));
    for (share, mark, _) in MARKS {
        let ask = |channel: &str| {
            format!(
                "FROM journeys |> FOR HAS ({channel} = '{mark}') \
                 |> CHAINS SAME topic GAP 7d MIN 3 |> AGGREGATE count(*) AS chains"
            )
        };
        // What is computed from a value the index knows nothing about.
        for (way, text) in [("index", ask("channel")), ("scan", ask("lower(channel)"))] {
            group.bench_function(BenchmarkId::new(way, share), |b| {
                b.iter(|| db.query_options(black_box(&text), &Params::new(), &options).expect("answers"));
            });
        }
    }
    group.finish();
}

fn identities(c: &mut Criterion) {
    let store = Store::generated().expect("makes a store");
    let snapshot = store.db.snapshot();
    let identity = |key: u32| Identity::new("crm", &key.to_string()).expect("is one");
    let known: Vec<Identity> = (0..customers()).step_by(7).map(identity).collect();
    let unknown: Vec<Identity> = (customers()..customers() * 2).step_by(7).map(identity).collect();
    let mut group = c.benchmark_group("identities");
    for (name, asked) in [("known", &known), ("unknown", &unknown)] {
        group.throughput(Throughput::Elements(asked.len() as u64));
        group.bench_function(BenchmarkId::new("resolve", name), |b| {
            b.iter(|| {
                for identity in asked {
                    black_box(snapshot.resolve(black_box(identity)).expect("answers"));
                }
            });
        });
    }
    let ordinals: Vec<u32> = (0..snapshot.ordinals()).step_by(7).collect();
    group.throughput(Throughput::Elements(ordinals.len() as u64));
    group.bench_function("name", |b| {
        b.iter(|| {
            for &ordinal in &ordinals {
                black_box(snapshot.customer_name(black_box(ordinal)).expect("is there"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, pruning, identities);
criterion_main!(benches);
