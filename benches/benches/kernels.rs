//! Each kernel on one thread, from text to answer over one store, and what of
//! that is reading and classifying.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use throughline::engine::{AttrId, Role};
use throughline::{Db, Params, QueryOptions};
use throughline_benches::Store;

/// The columns that are read, none but the times first.
const READ: [(&str, &[Role]); 4] = [
    ("times", &[]),
    ("times and kind", &[Role::Kind]),
    ("times, kind, channel and topic", &[Role::Kind, Role::Channel, Role::Topic]),
    ("times, case and sentiment", &[Role::Case, Role::Sentiment]),
];

/// Predicates, by how they are judged; the rows they leave are only counted.
const CLASSIFY: [(&str, &str); 4] = [
    ("a value of a dictionary", "channel = 'phone'"),
    ("values of two dictionaries", "channel = 'phone' AND kind IN ('call', 'ticket')"),
    ("a comparison of numbers", "sentiment < -0.25"),
    ("row by row", "sentiment * 2 < -0.5 OR lower(case) LIKE '%7'"),
];

const KERNELS: [(&str, &str); 18] = [
    ("chains", "CHAINS SAME topic GAP 7d MIN 3 |> AGGREGATE count(*) GROUP BY topic"),
    (
        "chains with their contacts",
        "CHAINS SAME topic GAP 7d MIN 3 |> AGGREGATE sum(channel_changes) GROUP BY topic",
    ),
    ("chains of bounded length", "CHAINS SAME topic GAP 7d MIN 3 WITHIN 14d |> AGGREGATE count(*)"),
    ("FCR by resolution", "FCR SAME topic GAP 7d CLOCK resolution |> AGGREGATE share(fcr)"),
    (
        "funnel, depths",
        "FUNNEL (:visit) -> (:signup) -> (:purchase) -> (:activate) -> (:renew) -> (:refer) WITHIN 90d |> SELECT step, reached, silent, open",
    ),
    (
        "funnel, depths alone",
        "FUNNEL (:visit) -> (:signup) -> (:purchase) -> (:activate) -> (:renew) -> (:refer) WITHIN 90d |> SELECT step, reached",
    ),
    (
        "funnel, times between steps",
        "FUNNEL (:visit) -> (:signup) -> (:purchase) -> (:activate) -> (:renew) -> (:refer) WITHIN 90d",
    ),
    (
        "funnel, bounded gaps",
        "FUNNEL (:visit) -[>= 1h, <= 20d]-> (:signup) -[<= 20d]-> (:purchase) WITHIN 90d |> SELECT step, reached",
    ),
    ("funnel, attempts", "FUNNEL (:session) -> (:ticket) WITHIN 30d COUNT ATTEMPTS |> SELECT step, reached"),
    (
        "match, who",
        "MATCH (:ticket) -[<= 30d]-> (:complaint) -[<= 30d]-> (:call) |> AGGREGATE count(DISTINCT customer)",
    ),
    ("match, first", "MATCH (:ticket) -[<= 30d]-> (:complaint) -[<= 30d]-> (:call) |> AGGREGATE avg(span)"),
    ("match, each", "MATCH (:ticket) -[<= 30d]-> (:complaint) EACH |> AGGREGATE count(*)"),
    ("match, all", "MATCH (:ticket) -[<= 30d]-> (:complaint) ALL |> AGGREGATE count(*)"),
    (
        "match, out of order",
        "MATCH (:ticket) -> (:complaint) -> (:call) SIMULTANEOUS 1h |> AGGREGATE count(*)",
    ),
    ("paths", "PATHS FROM (:visit) BY kind DEPTH 5 TOP 10 |> SELECT path, journeys"),
    ("graph", "GRAPH BY kind |> AGGREGATE count(*)"),
    ("map, counts", "MAP BY topic, channel, kind |> SELECT topic, channel, kind, interactions"),
    ("map, all measures", "MAP BY topic, channel"),
];

fn kernels(c: &mut Criterion) {
    let store = Store::generated().expect("makes a store");
    let db = Db::from(store.db);
    let snapshot = db.snapshot();
    let options = QueryOptions { threads: Some(1), ..QueryOptions::default() };
    let ask = |text: &str| db.query_options(text, &Params::new(), &options).expect("answers");

    let mut group = c.benchmark_group("read");
    group.sample_size(10).throughput(Throughput::Elements(snapshot.interactions()));
    for (name, roles) in READ {
        let id = |role: &Role| snapshot.schema().role(*role).map(|attribute| attribute.id);
        let wanted: Vec<AttrId> = roles.iter().filter_map(id).collect();
        group.bench_function(name, |b| {
            b.iter(|| {
                for unit in 0..snapshot.units().len() {
                    black_box(snapshot.read(unit, &wanted).expect("reads"));
                }
            });
        });
    }
    group.finish();

    let mut group = c.benchmark_group("classify");
    group.sample_size(10).throughput(Throughput::Elements(snapshot.interactions()));
    for (name, predicate) in CLASSIFY {
        let text =
            format!("FROM journeys |> WHERE {predicate} |> MAP BY channel |> SELECT channel, interactions");
        group.bench_function(name, |b| b.iter(|| ask(black_box(&text))));
    }
    group.finish();

    let mut group = c.benchmark_group("kernels");
    group.sample_size(10).throughput(Throughput::Elements(snapshot.interactions()));
    for (name, operators) in KERNELS {
        let text = format!("FROM journeys |> {operators}");
        group.bench_function(name, |b| b.iter(|| ask(black_box(&text))));
    }
    group.finish();
}

criterion_group!(benches, kernels);
criterion_main!(benches);
