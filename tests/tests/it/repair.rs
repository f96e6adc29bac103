//! Queries over a damaged graph, and over a store that may only be read.

use std::sync::Arc;

use throughline::engine::disk::Disk;
use throughline::engine::disk_sim::{Loss, SimDisk};
use throughline::engine::{self, Error, Options};
use throughline::{Db, QueryError};
use throughline_tests::ledger::{Act, Ledger, life, options, portrait};
use throughline_tests::table::Table;

const QUERIES: [&str; 5] = [
    "INTERACTIONS",
    "CHAINS SAME topic GAP 2d MIN 2",
    "FUNNEL (:call) -> (:complaint) WITHIN 5d |> REACHED 1",
    "MAP BY kind, topic",
    "FOR HAS AT LEAST 2 (:review) |> CUSTOMERS",
];

/// A store with a life behind it, in the graph.
fn sealed() -> SimDisk {
    let disk = SimDisk::new();
    let mut ledger = Ledger::default();
    let db = engine::Db::open_on(Arc::new(disk.clone()), options()).expect("opens");
    for act in life().into_iter().chain([Act::Seal]) {
        ledger.act(&db, act).expect("lives");
    }
    db.close().expect("closes");
    disk
}

fn open(disk: &SimDisk, options: Options) -> Db {
    engine::Db::open_on(Arc::new(disk.clone()), options).expect("opens").into()
}

fn keys(disk: &SimDisk) -> Vec<Vec<u8>> {
    let folders = disk.list("").expect("lists");
    let folder = folders.into_iter().rfind(|name| name.starts_with("graph-")).expect("has a graph");
    disk.open_graph(&folder).expect("opens the graph").keys().expect("lists its keys")
}

#[test]
fn a_query_that_meets_a_damaged_page_repairs_it_and_answers() {
    let disk = sealed();
    let sound = open(&disk.after_crash(0, Loss::Kept), options());
    let expected: Vec<Table> =
        QUERIES.iter().map(|query| Table::of(&sound.query(query).expect("answers"))).collect();
    let mut met = 0;
    for (place, key) in keys(&disk).iter().enumerate() {
        // Each kind of query is the first to meet some of the pages.
        let first = place % QUERIES.len();
        for remove in [false, true] {
            let hurt = disk.after_crash(0, Loss::Kept);
            let db = open(&hurt, options());
            assert!(if remove { hurt.graph_remove(key) } else { hurt.graph_corrupt(key, 0, 0xff) });
            let damaged = portrait(&db.snapshot()).is_err();
            met += usize::from(damaged);
            for turn in 0..QUERIES.len() {
                let number = (first + turn) % QUERIES.len();
                let query = QUERIES[number];
                let answer = db.query(query).unwrap_or_else(|error| panic!("{query}: {error}"));
                assert_eq!(Table::of(&answer), expected[number], "{query}, page {place}");
            }
            // INTERACTIONS reads every page of the rows, and has repaired what it met.
            assert!(portrait(&db.snapshot()).is_ok() || !damaged, "page {place} is still damaged");
        }
    }
    assert!(met > 2, "no page that was hurt was read: {met}");
}

#[test]
fn what_is_only_read_is_not_written() {
    let disk = sealed();
    let db = open(&disk, Options { read_only: true, ..options() });
    let refused = db.query("FOR HAS (:call) |> SAVE COHORT callers");
    assert!(matches!(refused, Err(QueryError::Engine(Error::ReadOnly))), "{refused:?}");
    let rows = db.query("FOR HAS (:call) |> CUSTOMERS").expect("reads").len();
    assert!(rows > 0);
    drop(db);
    // The graph is no truth of its own: it is made anew from the history here, too.
    for key in keys(&disk) {
        let hurt = disk.after_crash(0, Loss::Kept);
        let db = open(&hurt, Options { read_only: true, ..options() });
        assert!(hurt.graph_corrupt(&key, 0, 0xff));
        assert_eq!(db.query("FOR HAS (:call) |> CUSTOMERS").expect("reads").len(), rows);
    }
}
