//! Each type of column to bytes and back, at the size of a segment.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use throughline::engine::Column;
use throughline::engine::columns::{Reader, decode, decode_times, encode, encode_times};
use throughline::engine::limits::SEGMENT_INTERACTIONS;
use throughline::engine::strings::Strings;
use throughline_benches::Noise;

const ROWS: usize = SEGMENT_INTERACTIONS;
/// Interactions of one customer.
const JOURNEY: usize = 20;

fn numbers(seed: u64, number: impl Fn(&mut Noise) -> i64) -> Vec<i64> {
    let mut noise = Noise::new(seed);
    (0..ROWS).map(|_| number(&mut noise)).collect()
}

/// Text codes: `filled` percent of the rows have one of `entries`.
fn codes(seed: u64, entries: u64, filled: u64) -> Vec<u32> {
    let mut noise = Noise::new(seed);
    (0..ROWS).map(|_| if noise.chance(filled) { 1 + noise.skewed(entries) as u32 } else { 0 }).collect()
}

fn symbols(entries: u64, filled: u64) -> Column {
    Column::Symbol { codes: codes(entries, entries, filled), dictionary: (0..entries as u32).collect() }
}

fn strings(entries: usize, filled: u64, text: impl Fn(usize) -> String) -> Column {
    let mut dictionary = Strings::default();
    (0..entries).for_each(|entry| dictionary.push(&text(entry)));
    Column::Str { codes: codes(7, entries as u64, filled), dictionary }
}

fn columns() -> Vec<(&'static str, Column)> {
    let ints = |values| Column::Int { values, valid: None };
    let mut noise = Noise::new(11);
    let scores: Vec<f64> = (0..ROWS).map(|_| noise.below(201) as f64 / 100.0 - 1.0).collect();
    let valid: Vec<bool> = (0..ROWS).map(|_| noise.chance(40)).collect();
    let sparse = scores.iter().zip(&valid).map(|(&score, &valid)| if valid { score } else { 0.0 }).collect();
    vec![
        ("symbol of 6", symbols(6, 100)),
        ("symbol of 400, 60 % filled", symbols(400, 60)),
        ("id, each row its own", strings(ROWS, 100, |entry| format!("case-{entry:08}"))),
        (
            "text, 10 % filled",
            strings(ROWS / 10, 10, |entry| {
                let mut noise = Noise::new(entry as u64);
                let words =
                    ["the bill", "is wrong", "again", "nobody", "called back", "why", "please help", "slow"];
                (0..12)
                    .filter_map(|_| words.get(noise.skewed(8) as usize).copied())
                    .collect::<Vec<_>>()
                    .join(" ")
            }),
        ),
        ("int, money", ints(numbers(3, |noise| noise.below(50_000) as i64))),
        ("int, sequence", ints((0..ROWS as i64).collect())),
        ("bool", ints(numbers(4, |noise| i64::from(noise.chance(40))))),
        ("time", ints(numbers(5, |noise| 1_704_067_200_000 + noise.below(63_000_000_000) as i64))),
        ("float, scores", Column::Float { values: scores, valid: None }),
        ("float, 40 % filled", Column::Float { values: sparse, valid: Some(valid) }),
    ]
}

fn attributes(c: &mut Criterion) {
    let columns: Vec<(&str, Column, Vec<u8>)> = columns()
        .into_iter()
        .map(|(name, column)| {
            let mut bytes = Vec::new();
            encode(&column, &mut bytes).expect("encodes");
            println!("{name}: {:.2} bytes a row", bytes.len() as f64 / ROWS as f64);
            (name, column, bytes)
        })
        .collect();
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
    for (name, column, bytes) in &columns {
        group.bench_with_input(BenchmarkId::from_parameter(name), column, |b, column| {
            b.iter(|| {
                let mut out = Vec::with_capacity(bytes.len());
                encode(black_box(column), &mut out).expect("encodes");
                out
            });
        });
    }
    group.finish();
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
    for (name, _, bytes) in &columns {
        group.bench_with_input(BenchmarkId::from_parameter(name), bytes, |b, bytes| {
            b.iter(|| decode(black_box(bytes), ROWS, "a bench").expect("decodes"));
        });
    }
    group.finish();
}

/// The times of interactions have a form of their own: gaps within journeys.
fn times(c: &mut Criterion) {
    let mut noise = Noise::new(13);
    let offsets: Vec<u32> = (0..ROWS).step_by(JOURNEY).chain([ROWS]).map(|row| row as u32).collect();
    let mut time = 0;
    let times: Vec<i64> = (0..ROWS)
        .map(|row| {
            if row % JOURNEY == 0 {
                time = 1_704_067_200_000 + noise.below(20_000_000_000) as i64;
            }
            time += noise.skewed(3_000_000_000) as i64;
            time
        })
        .collect();
    let mut bytes = Vec::new();
    encode_times(&times, &offsets, &mut bytes).expect("encodes");
    println!("times of interactions: {:.2} bytes a row", bytes.len() as f64 / ROWS as f64);
    let mut group = c.benchmark_group("times of interactions");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
    group.bench_function("encode", |b| {
        b.iter(|| {
            let mut out = Vec::with_capacity(bytes.len());
            encode_times(black_box(&times), &offsets, &mut out).expect("encodes");
            out
        });
    });
    group.bench_function("decode", |b| {
        b.iter(|| decode_times(&mut Reader::new(black_box(&bytes), "a bench"), &offsets).expect("decodes"));
    });
    group.finish();
}

criterion_group!(benches, attributes, times);
criterion_main!(benches);
