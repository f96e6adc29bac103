//! How long the steps that queries and imports wait for take. Run by hand:
//! `cargo test -p throughline-engine --release --lib columns -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use crate::block::Block;
use crate::column::Column;
use crate::index::IndexBuilder;
use crate::merge::{Rows, merge, sort_rows};
use crate::schema::AttrId;
use crate::segment::{self, Part, SegmentHeader};
use crate::strings::Strings;

/// As many as a base segment has.
const SEGMENT_CUSTOMERS: u32 = 6_500;
const RANGE_CUSTOMERS: u32 = 60_000;
const JOURNEY: u32 = 20;

/// xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled".
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Small far more often than large, up to about `2^bits`.
    fn skewed(&mut self, bits: u32) -> u64 {
        let shift = 48 - self.next() % u64::from(bits) - 1;
        self.next() >> shift
    }
}

fn rows(customers: u32, unit_ms: i64) -> Rows {
    let mut noise = Noise(42);
    let count = (customers * JOURNEY) as usize;
    let mut rows = Rows::default();
    for customer in 0..customers {
        let mut time = 1_700_000_000_000 / unit_ms * unit_ms;
        for _ in 0..JOURNEY {
            time += noise.skewed(if unit_ms == 1 { 33 } else { 24 }) as i64 * unit_ms;
            rows.customers.push(customer);
            rows.times.push(time);
        }
    }
    let mut symbols = |entries: u64| Column::Symbol {
        codes: (0..count).map(|_| (noise.next() % (entries + 1)) as u32).collect(),
        dictionary: (0..entries as u32).collect(),
    };
    for (attr, entries) in (0..).zip([5, 40, 400, 12, 5, 40, 400, 12]) {
        rows.columns.push((AttrId(attr), symbols(entries)));
    }
    let mut words = Strings::default();
    (0..count / 10).for_each(|i| {
        words.push(&format!("the order {i} has not arrived, ticket {}", noise.next() % 99_999))
    });
    let codes = (0..count as u32).map(|row| if row % 10 == 0 { row / 10 + 1 } else { 0 }).collect();
    rows.columns.push((AttrId(10), Column::Str { codes, dictionary: words }));
    let money = (0..count).map(|_| (noise.next() % 100_000) as f64 / 100.0).collect();
    rows.columns.push((AttrId(11), Column::Float { values: money, valid: None }));
    let identities = rows.customers.iter().map(|&customer| i64::from(customer) * 2 + 1).collect();
    rows.columns.push((AttrId::IDENTITY, Column::Int { values: identities, valid: None }));
    rows.columns.push((AttrId::COMMIT, Column::Int { values: vec![3; count], valid: None }));
    rows.columns.push((AttrId::SEQUENCE, Column::Int { values: (0..count as i64).collect(), valid: None }));
    rows
}

/// Prints the best of `times` runs of `work`, in nanoseconds a row.
fn measure<T>(what: &str, rows: usize, times: usize, mut work: impl FnMut() -> T) -> T {
    let mut best = f64::INFINITY;
    let mut result = work();
    for _ in 0..times {
        let start = Instant::now();
        result = black_box(work());
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{what:<44} {:>8.2} ns a row", best * 1e9 / rows as f64);
    result
}

#[test]
#[ignore = "a measurement"]
fn columns_speed() {
    for (unit, name) in [(1, "ms"), (1_000, "s")] {
        let block = sort_rows(rows(SEGMENT_CUSTOMERS, unit), &mut |_, _| Ok(std::cmp::Ordering::Equal))
            .expect("sorts");
        let count = block.rows();
        let segment = measure(&format!("encode a segment ({name})"), count, 3, || segment::encode(&block))
            .expect("encodes");
        println!("    {:.2} bytes a row", segment.body.len() as f64 / block.rows() as f64);
        let header = SegmentHeader::decode(&segment.header).expect("has a header");
        let bytes = |part| {
            let range = header.range(part).expect("is there");
            segment.body.get(range.start as usize..range.end as usize).expect("is there")
        };
        let journeys =
            || header.decode_journeys(bytes(Part::Customers), bytes(Part::Offsets)).expect("decodes");
        let (_, offsets) = measure("decode customers and offsets", count, 20, journeys);
        println!("    times: {:.2} bytes a row", bytes(Part::Times).len() as f64 / block.rows() as f64);
        measure("decode times", count, 20, || {
            header.decode_times(bytes(Part::Times), &offsets).expect("decodes")
        });
        for (attr, what) in [
            (AttrId(0), "decode codes of 5 symbols"),
            (AttrId(2), "decode codes of 400 symbols"),
            (AttrId(10), "decode text, one row in ten"),
            (AttrId(11), "decode money"),
            (AttrId::IDENTITY, "decode identities"),
            (AttrId::SEQUENCE, "decode sequences"),
        ] {
            let bytes = bytes(Part::Attr(attr));
            println!("    {:.2} bytes a row", bytes.len() as f64 / block.rows() as f64);
            measure(what, count, 20, || header.decode_column(attr, bytes).expect("decodes"));
        }
    }
    let count = (RANGE_CUSTOMERS * JOURNEY) as usize;
    let mut shuffled = rows(RANGE_CUSTOMERS, 1_000);
    let mut noise = Noise(7);
    shuffled
        .customers
        .iter_mut()
        .for_each(|customer| *customer = (noise.next() % u64::from(RANGE_CUSTOMERS)) as u32);
    let sort = || sort_rows(shuffled.clone(), &mut |_, _| Ok(std::cmp::Ordering::Equal)).expect("sorts");
    measure("clone and sort rows", count, 1, sort);
    let block = sort();
    measure("index a range", count, 2, || {
        let mut builder = IndexBuilder::new(0);
        builder.add(&block).expect("adds");
        builder.finish().expect("finishes")
    });
    let (odd, even): (Vec<usize>, Vec<usize>) = (0..block.rows()).partition(|row| row % 2 == 1);
    let half = |rows: Vec<usize>| -> Block {
        let part = Rows {
            customers: rows.iter().filter_map(|&row| customer_of(&block, row)).collect(),
            times: rows.iter().filter_map(|&row| block.times.get(row).copied()).collect(),
            columns: block.columns.iter().map(|(attr, column)| (*attr, pick(column, &rows))).collect(),
        };
        sort_rows(part, &mut |_, _| Ok(std::cmp::Ordering::Equal)).expect("sorts")
    };
    let parts = [half(odd), half(even)];
    let merged = measure("merge two halves, row by row", count, 1, || {
        merge(&parts, &mut |_, _| Ok(std::cmp::Ordering::Equal))
    });
    assert_eq!(merged.expect("merges").rows(), block.rows());
}

fn customer_of(block: &Block, row: usize) -> Option<u32> {
    let place = block.offsets.partition_point(|&offset| offset as usize <= row);
    block.customers.get(place.checked_sub(1)?).copied()
}

fn pick(column: &Column, rows: &[usize]) -> Column {
    fn of<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
        rows.iter().filter_map(|&row| values.get(row).copied()).collect()
    }
    match column {
        Column::Symbol { codes, dictionary } => {
            Column::Symbol { codes: of(codes, rows), dictionary: dictionary.clone() }
        }
        Column::Str { codes, dictionary } => {
            Column::Str { codes: of(codes, rows), dictionary: dictionary.clone() }
        }
        Column::Int { values, .. } => Column::Int { values: of(values, rows), valid: None },
        Column::Float { values, .. } => Column::Float { values: of(values, rows), valid: None },
    }
}
