//! Bulk imports: the same store whatever the memory and the threads, and nothing
//! of one that was given up.

use std::sync::Arc;

use super::*;
use crate::batch::{Batch, ValueRef};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::disk_sim::SimDisk;
use crate::model::Identity;
use crate::schema::{AttrType, Role, Subject};

fn open(disk: &SimDisk, memory_bytes: usize, threads: usize) -> Db {
    let clock = Clock::of(|| 1_000_000);
    let options = Options { memory_bytes, threads, clock, ..Options::default() };
    Db::open_on(Arc::new(disk.clone()), options).expect("opens")
}

/// Pushes rows `from..to` of a made-up source: customers of several ranges, a
/// column that is widened on the way, event ids here and there.
fn push(import: &mut Import<'_>, rows: std::ops::Range<u64>, customers: u64) {
    let amount = |import: &mut Import<'_>, ty| {
        import.declare(Subject::Interaction, "amount", ty, None).expect("declares")
    };
    for start in rows.clone().step_by(3_000) {
        let end = rows.end.min(start + 3_000);
        let ty = if start < rows.end / 2 { AttrType::Int } else { AttrType::Text };
        let attr = amount(import, ty);
        let schema = import.schema().clone();
        let id = |role| schema.role(role).expect("core").id;
        let mut batch = Batch::new(&schema);
        for row in start..end {
            let customer = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            let identity = Identity::parse(&format!("crm:{}", customer % customers)).expect("parses");
            batch.begin(&identity, (row / 5) as i64);
            batch.sequence(row);
            batch.set(id(Role::Kind), ValueRef::Str(&format!("kind {}", customer % 40))).expect("sets");
            batch.set(id(Role::Case), ValueRef::Str(&format!("case {}", row / 3))).expect("sets");
            if row % 7 == 0 {
                batch.set(id(Role::EventId), ValueRef::Str(&format!("event {row}"))).expect("sets");
            }
            if row % 3 > 0 {
                let value = (customer % 900) as i64;
                match ty {
                    AttrType::Int => batch.set(attr, ValueRef::Int(value)),
                    _ => batch.set(attr, ValueRef::Str(&format!("about {value}"))),
                }
                .expect("sets");
            }
        }
        import.push(batch).expect("pushes");
    }
}

/// The graph but for where it lies: names, ranges and keys by their checksums.
fn graph(db: &Db) -> String {
    let mut manifest = db.writer.lock().state.version.manifest.clone();
    manifest.store_id = [0; 16];
    // Keys depend on the store.
    manifest.digests.clear();
    format!("{manifest:?}")
}

#[test]
fn neither_memory_nor_threads_show_in_what_is_stored() {
    let mut first: Option<String> = None;
    for (memory_bytes, threads) in [(1 << 20, 1), (8 << 20, 3), (512 << 20, 2)] {
        let disk = SimDisk::new();
        let db = open(&disk, memory_bytes, threads);
        // The second import folds, the third adds runs.
        for rows in [0..110_000, 110_000..140_000, 140_000..140_100] {
            let mut import = db.import("made up").expect("begins");
            push(&mut import, rows, 150_000);
            import.commit().expect("commits");
        }
        assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
        assert!(!disk.exists(crate::absorb::SCRATCH).expect("asks"));
        let ranges = db.writer.lock().state.version.manifest.ranges.len();
        assert!(ranges > 1, "{ranges}");
        let graph = graph(&db);
        match &first {
            None => first = Some(graph),
            Some(first) => assert!(*first == graph, "{memory_bytes} bytes, {threads} threads"),
        }
    }
}

#[test]
fn a_rebuild_makes_what_the_import_made() {
    let disk = SimDisk::new();
    let db = open(&disk, 1 << 20, 2);
    let mut import = db.import("made up").expect("begins");
    push(&mut import, 0..30_000, 70_000);
    import.commit().expect("commits");
    let imported = db.writer.lock().state.version.manifest.clone();
    db.rebuild().expect("rebuilds");
    let rebuilt = db.writer.lock().state.version.manifest.clone();
    let segments = |manifest: &crate::manifest::Manifest| -> Vec<(u64, Vec<u64>)> {
        let runs = manifest.ranges.iter().flat_map(crate::manifest::Range::all);
        let sums = |blob: &crate::chunks::Blob| blob.pages.iter().map(|page| page.checksum).collect();
        runs.flat_map(|run| &run.segments).map(|one| (one.header.checksum, sums(&one.body))).collect()
    };
    assert_eq!(segments(&imported), segments(&rebuilt));
    assert_eq!((imported.recorded.len(), imported.rows), (rebuilt.recorded.len(), rebuilt.rows));
}

#[test]
fn nothing_is_left_of_an_import_that_was_given_up() {
    let mut graphs = Vec::new();
    for given_up in [true, false] {
        let disk = SimDisk::new();
        let db = open(&disk, 1 << 20, 2);
        let mut import = db.import("before").expect("begins");
        push(&mut import, 0..5_000, 1_000);
        import.commit().expect("commits");
        let reader = db.snapshot();
        if given_up {
            let mut import = db.import("given up").expect("begins");
            push(&mut import, 900_000..912_000, 80_000);
            let plan = import.declare(Subject::Customer, "plan", AttrType::Symbol, None).expect("declares");
            let mut batch = Batch::new(import.schema());
            batch.begin(&Identity::parse("crm:nobody").expect("parses"), 5);
            batch.set(plan, ValueRef::Str("gold")).expect("sets");
            import.push_customers(batch).expect("pushes");
            drop(import);
            assert!(!disk.exists(crate::absorb::SCRATCH).expect("asks"));
            let nobody = Identity::parse("crm:nobody").expect("parses");
            assert_eq!(db.snapshot().resolve(&nobody).expect("asks"), None);
        }
        assert_eq!(db.snapshot().interactions(), reader.interactions());
        let mut import = db.import("after").expect("begins");
        push(&mut import, 4_000..9_000, 2_000);
        let report = import.commit().expect("commits");
        assert_eq!(report.commit, 2);
        let state = &db.writer.lock().state;
        graphs.push((
            report,
            state.names.identities.read().expect("reads").strings().clone(),
            state.names.schema.clone(),
            state.names.symbols.values().map(|symbols| symbols.table.strings().clone()).collect::<Vec<_>>(),
            state.present.clone(),
            state.version.manifest.recorded.len(),
            state.version.manifest.customers.clone(),
            state.version.manifest.digests.iter().map(|run| run.meta.digests).sum::<u64>(),
        ));
    }
    assert!(graphs[0] == graphs[1]);
}
