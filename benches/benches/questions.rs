//! What users ask, over one store of synthetic journeys, from text to answer.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use throughline::Db;
use throughline::engine::Role;
use throughline::engine::graph::{directly_follows, journey};
use throughline_benches::Store;

/// Question and name. All of them go over the whole store but the last.
const QUESTIONS: [(&str, &str); 5] = [
    (
        "chains",
        "FROM journeys |> CHAINS SAME topic GAP 7d MIN 3 \
         |> AGGREGATE count(*) AS chains, count(DISTINCT customer) AS customers GROUP BY topic \
         |> ORDER BY customers DESC",
    ),
    (
        "funnel of six stages",
        "FROM journeys |> FUNNEL (:visit) -> (:signup) -> (:purchase) -> (:activate) -> (:renew) -> (:refer) WITHIN 90d",
    ),
    ("map", "FROM journeys |> MAP BY topic, channel"),
    (
        "selective count",
        "FROM journeys |> FOR HAS AT LEAST 3 (topic = 'porting') |> AGGREGATE count(DISTINCT customer) AS customers",
    ),
    ("one journey", "FROM journeys |> FOR CUSTOMER 'crm:77' |> INTERACTIONS"),
];

fn questions(c: &mut Criterion) {
    let store = Store::generated().expect("makes a store");
    let db = Db::from(store.db);
    let snapshot = db.snapshot();
    let mut group = c.benchmark_group("questions");
    group.sample_size(10);
    for (name, text) in QUESTIONS {
        if name != "one journey" {
            group.throughput(Throughput::Elements(snapshot.interactions()));
        }
        group.bench_function(name, |b| b.iter(|| db.query(black_box(text)).expect("answers")));
    }
    group.finish();

    let kind = snapshot.schema().role(Role::Kind).expect("a core attribute").id;
    let mut group = c.benchmark_group("graphs");
    group.sample_size(10);
    group.bench_function("one journey", |b| {
        b.iter(|| journey(&snapshot, black_box(77)).expect("is there").to_dot());
    });
    group.throughput(Throughput::Elements(snapshot.interactions()));
    group.bench_function("directly follows", |b| {
        b.iter(|| directly_follows(&snapshot, black_box(kind)).expect("answers"));
    });
    group.finish();

    let mut group = c.benchmark_group("text");
    for (name, text) in QUESTIONS {
        group.bench_function(format!("parse {name}"), |b| {
            b.iter(|| throughline::parse(black_box(text)).expect("parses"));
        });
        let explain = format!("EXPLAIN {text}");
        group.bench_function(format!("plan {name}"), |b| {
            b.iter(|| db.query(black_box(&explain)).expect("plans"));
        });
    }
    group.finish();
}

criterion_group!(benches, questions);
criterion_main!(benches);
