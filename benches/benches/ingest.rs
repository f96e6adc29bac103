//! Writing: durable appends, bulk import, and the graph anew from the history.

use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use throughline::engine::Interaction;
use throughline::engine::disk::OsDisk;
use throughline::engine::history::{FrameHeader, History};
use throughline_benches::{Contact, Noise, Store, customers, fill, interaction, journeys};

/// Interactions a commit.
const BATCHES: [usize; 3] = [1, 100, 10_000];
/// Bytes of one interaction in a frame, about.
const ROW_BYTES: usize = 10;

/// What an application meets: validated, synced and visible.
fn append(c: &mut Criterion) {
    let contacts = journeys(20_000);
    let mut group = c.benchmark_group("append");
    group.sample_size(10);
    for rows in BATCHES {
        let store = Store::empty().expect("makes a store");
        let mut turns = contacts.chunks_exact(rows).cycle();
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(BenchmarkId::from_parameter(rows), |b| {
            b.iter_batched(
                || -> Vec<Interaction> { turns.next().unwrap_or_default().iter().map(interaction).collect() },
                |interactions| store.db.append(interactions).expect("appends"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// The history alone: a frame and its sync, then all frames read and verified.
fn history(c: &mut Criterion) {
    let mut group = c.benchmark_group("history");
    group.sample_size(10);
    for rows in BATCHES {
        let folder = tempfile::TempDir::new().expect("makes a folder");
        let mut history =
            History::create(Arc::new(OsDisk::new(folder.path())), [7; 16]).expect("makes a history");
        let mut noise = Noise::new(rows as u64);
        let body: Vec<u8> = (0..rows * ROW_BYTES).map(|_| noise.bits() as u8).collect();
        let mut commit = 0;
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(BenchmarkId::new("append and sync", rows), |b| {
            b.iter(|| {
                commit += 1;
                let header = FrameHeader { commit, recorded: 0, kind: 3, rows: rows as u32 };
                history.append(header, &body).expect("appends");
                history.sync().expect("syncs");
            });
        });
        // As many frames in each run, however many were appended above.
        let folder = tempfile::TempDir::new().expect("makes a folder");
        let mut history =
            History::create(Arc::new(OsDisk::new(folder.path())), [7; 16]).expect("makes a history");
        let frames = 200_000 / rows.max(20);
        for commit in 0..frames as u64 {
            let header = FrameHeader { commit, recorded: 0, kind: 3, rows: rows as u32 };
            history.append(header, &body).expect("appends");
        }
        history.sync().expect("syncs");
        group.throughput(Throughput::Elements((frames * rows) as u64));
        group.bench_function(BenchmarkId::new("read and verify", rows), |b| {
            b.iter(|| history.verify().expect("verifies"));
        });
    }
    group.finish();
}

/// A bulk import into a new store, and the graph made again from the history
/// it left: decode, number, sort, encode, index.
fn bulk(c: &mut Criterion) {
    let contacts: Vec<Contact> = journeys(customers());
    let mut group = c.benchmark_group("bulk");
    group.sample_size(10).throughput(Throughput::Elements(contacts.len() as u64));
    group.bench_function("import", |b| {
        b.iter_batched(
            || Store::empty().expect("makes a store"),
            |store| {
                fill(&store.db, &contacts).expect("imports");
                store
            },
            BatchSize::PerIteration,
        );
    });
    let store = Store::empty().expect("makes a store");
    fill(&store.db, &contacts).expect("imports");
    group.bench_function("replay", |b| b.iter(|| store.db.rebuild().expect("rebuilds")));
    group.finish();
}

criterion_group!(benches, append, history, bulk);
criterion_main!(benches);
