//! Runs with an index and without: what is known of them is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::*;
use crate::disk_sim::SimDisk;
use crate::limits::INDEXED_INTERACTIONS_MIN;
use crate::manifest::Range;
use crate::schema::{AttrId, Role};

/// A UTC month and some, so that three of them fall into different months.
const MONTH: Millis = 40 * 86_400_000;
const KINDS: [&str; 3] = ["call", "chat", "visit"];

fn options() -> Options {
    Options { horizon_ms: 1_000 * MONTH, memory_bytes: 64 << 20, ..Options::default() }
}

/// A customer, the month of its time, and its kind.
type Row = (u32, i64, usize);

fn rows(count: u64, seed: u64, month: i64) -> Vec<Row> {
    let row = |n: u64| {
        let mixed = (n + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 40) as u32 % 6_000, month + (mixed >> 30) as i64 % 2, (mixed >> 20) as usize % 3)
    };
    (0..count).map(row).collect()
}

fn append(db: &Db, rows: &[Row]) {
    let interaction = |&(customer, month, kind): &Row| {
        Interaction::new(format!("crm:{customer}"), month * MONTH).kind(KINDS[kind])
    };
    db.append(rows.iter().map(interaction)).expect("appends");
}

/// What a snapshot says of each kind and month, by customers' names, is what the rows say.
fn compare(db: &Db, rows: &[Row]) {
    let snapshot = db.snapshot();
    let kind = snapshot.schema().role(Role::Kind).map_or(AttrId(0), |attribute| attribute.id);
    let names = |customers: &RoaringBitmap| -> BTreeSet<String> {
        customers.iter().map(|one| snapshot.customer_name(one).expect("reads")).collect()
    };
    for (number, word) in KINDS.iter().enumerate() {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (customer, ..) in rows.iter().filter(|row| row.2 == number) {
            *counts.entry(format!("crm:{customer}")).or_default() += 1;
        }
        let symbol = snapshot.symbols(kind).find(word).expect("is known");
        for n in 1..=3 {
            let expected: BTreeSet<String> = (counts.iter().filter(|(_, count)| **count >= u64::from(n)))
                .map(|(name, _)| name.clone())
                .collect();
            assert_eq!(names(&snapshot.at_least(kind, symbol, n).expect("reads")), expected, "{word} {n}");
        }
    }
    for month in 0..8 {
        // A time in months of 40 days lies in one of the calendar, and no two of them in the same.
        let at = month * MONTH;
        let expected: BTreeSet<String> =
            rows.iter().filter(|row| row.1 == month).map(|row| format!("crm:{}", row.0)).collect();
        assert_eq!(names(&snapshot.active(at, at + 1).expect("reads")), expected, "month {month}");
    }
}

fn has_index(range: &Range) -> Vec<bool> {
    range.all().map(|run| !run.index.pages.is_empty()).collect()
}

#[test]
fn small_runs_are_counted_where_they_have_no_index() {
    let db = Db::open_on(Arc::new(SimDisk::new()), options()).expect("opens");
    let mut all = Vec::new();
    let sizes = [8 * INDEXED_INTERACTIONS_MIN, INDEXED_INTERACTIONS_MIN, INDEXED_INTERACTIONS_MIN - 1, 300];
    for (place, size) in (0..).zip(sizes) {
        let new = rows(size, 1_000_000 * place as u64, place);
        append(&db, &new);
        all.extend(new);
        db.seal().expect("seals");
    }
    let range = |db: &Db| db.writer.lock().state.version.manifest.ranges[0].clone();
    assert_eq!(has_index(&range(&db)), [true, true, false, false]);
    let new = rows(50, 9_000_000, 6);
    append(&db, &new);
    all.extend(new);
    compare(&db, &all);
    assert_eq!(db.check().expect("reads").problems, Vec::<String>::new());
    // A small base has one: it is what most is asked of.
    let db = Db::open_on(Arc::new(SimDisk::new()), options()).expect("opens");
    append(&db, &rows(10, 0, 0));
    db.seal().expect("seals");
    assert_eq!(has_index(&range(&db)), [true]);
}
