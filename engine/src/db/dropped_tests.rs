//! What becomes of interactions that are dropped for their age, case by case.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::link_tests::{NAMES, START, identity, open_with, portrait_of};
use super::retain_tests::{DAY, cohort, days, no_problems, order};
use super::*;
use crate::batch::{Batch, ValueRef};
use crate::disk_sim::{Fault, Loss, SimDisk};
use crate::links::Link;
use crate::retain::Retain;

/// A store with a clock that stands still, in which people have an interaction every few days.
fn store(disk: &SimDisk, hands: &Arc<AtomicI64>) -> Db {
    let db = open_with(disk, 20, hands);
    let call = |place: usize, days: i64| {
        let event = format!("{place}-{days}");
        Interaction::new(NAMES[place], START - days * DAY).kind("call").event_id(&event)
    };
    db.append((0..40).map(|day| call(day as usize % 7, day))).expect("appends");
    db.seal().expect("seals");
    db.append((40..50).map(|day| call(day as usize % 7, day))).expect("appends");
    db
}

fn hands() -> Arc<AtomicI64> {
    Arc::new(AtomicI64::new(START))
}

/// The times of all interactions, as days ago.
fn ages(snapshot: &Snapshot) -> BTreeSet<i64> {
    portrait_of(snapshot).into_values().flatten().map(|(time, _)| (START - time) / DAY).collect()
}

/// Every number of a sorted set.
fn up_to(last: i64) -> BTreeSet<i64> {
    (0..=last).collect()
}

#[test]
fn who_began_before_goes_on_and_later_ones_see_nothing() {
    let (disk, hands) = (SimDisk::new(), hands());
    let db = store(&disk, &hands);
    let before = db.snapshot();
    let dropping = db.retain(days(10)).expect("drops");
    assert_eq!((dropping.cutoff, dropping.interactions), (Some(START - 10 * DAY), 39));
    // One that took place at the very instant is kept.
    assert_eq!((ages(&before), ages(&db.snapshot())), (up_to(49), up_to(10)));
    assert_eq!(db.snapshot().time_span().expect("reads"), Some((START - 10 * DAY, START)));
    let retention = db.snapshot().retention().expect("was said");
    assert_eq!((retention.retain, retention.commit, retention.said), (days(10), dropping.commit, START));
    // Nothing is dropped by the passing of time, nor by a longer span, nor brought back by it.
    hands.fetch_add(5 * DAY, Ordering::Relaxed);
    assert_eq!(ages(&db.snapshot()), up_to(10));
    let dropping = db.retain(days(30)).expect("drops");
    assert_eq!((dropping.cutoff, dropping.interactions), (Some(START - 25 * DAY), 0));
    assert_eq!(db.retain(days(9)).expect("drops").interactions, 6);
    assert_eq!(ages(&db.snapshot()), up_to(4));
    let all = db.retain(days(1)).expect("drops");
    assert_eq!((all.interactions, db.snapshot().interactions(), db.snapshot().customers()), (5, 0, 0));
    assert_eq!(db.snapshot().time_span().expect("reads"), None);
    no_problems(&db);
    db.vacuum().expect("vacuums");
    assert_eq!((db.snapshot().interactions(), ages(&before)), (0, up_to(49)));
    no_problems(&db);
}

/// Imports what the store was filled with, by event ids and by contents.
fn import_all(db: &Db) -> crate::import::ImportReport {
    let mut import = db.import("all").expect("begins");
    let role = |import: &crate::import::Import<'_>, role| import.schema().role(role).expect("core").id;
    let (kind, event) = (role(&import, crate::Role::Kind), role(&import, crate::Role::EventId));
    let mut batch = Batch::new(import.schema());
    for day in 0..50_i64 {
        let place = day as usize % 7;
        batch.begin(&identity(place), START - day * DAY);
        batch.set(kind, ValueRef::Str("call")).expect("sets");
        batch.set(event, ValueRef::Str(&format!("{place}-{day}"))).expect("sets");
        // And one that is told by its content.
        batch.begin(&identity(place), START - day * DAY);
        batch.set(kind, ValueRef::Str("visit")).expect("sets");
    }
    let known = batch.len() as u64;
    let left_out = import.push(batch).expect("takes");
    let report = import.commit().expect("commits");
    assert_eq!((left_out, report.added + report.duplicates + report.expired), (known - report.added, known));
    report
}

#[test]
fn what_is_imported_again_stays_out_until_all_is_kept_and_the_files_are_written_anew() {
    let disk = SimDisk::new();
    let db = store(&disk, &hands());
    let counts = |db: &Db| {
        let report = import_all(db);
        (report.added, report.duplicates, report.expired)
    };
    assert_eq!(counts(&db), (50, 50, 0));
    db.retain(days(10)).expect("drops");
    for _ in 0..2 {
        assert_eq!(counts(&db), (0, 22, 78));
        assert_eq!(db.snapshot().interactions(), 22);
        db.vacuum().expect("vacuums");
    }
    db.rebuild().expect("rebuilds");
    assert_eq!(counts(&db), (0, 22, 78));
    db.retain(days(20)).expect("drops");
    // What a vacuum removed is not known any more, and what it did not is.
    assert_eq!(counts(&db), (20, 22, 58));
    db.retain(days(10)).expect("drops");
    db.retain(Retain::Forever).expect("keeps");
    assert_eq!(counts(&db), (58, 42, 0));
    assert_eq!(db.snapshot().interactions(), 80);
    db.rebuild().expect("rebuilds");
    assert_eq!((db.snapshot().interactions(), counts(&db)), (80, (0, 100, 0)));
    db.vacuum().expect("vacuums");
    assert_eq!(counts(&db), (20, 80, 0));
    no_problems(&db);
}

#[test]
fn a_setting_is_refused_where_it_makes_no_sense_and_where_nothing_may_be_written() {
    let disk = SimDisk::new();
    let db = store(&disk, &hands());
    let commit = db.snapshot().commit();
    assert!(db.retain(days(0)).expect_err("is refused").to_string().contains("at least one day"));
    assert!(db.retain(days(u32::MAX)).is_err());
    assert_eq!((db.snapshot().commit(), db.snapshot().retention()), (commit, None));
    // A writer that refused one goes on.
    db.append([Interaction::new("crm:1", START).kind("call")]).expect("appends");
    db.close().expect("closes");
    let options = Options { read_only: true, ..Options::default() };
    let db = Db::open_on(Arc::new(disk), options).expect("opens");
    assert!(matches!(db.retain(Retain::Forever), Err(Error::ReadOnly)));
}

/// All of what is dropped is gone after a crash, or nothing of it.
#[test]
fn a_crash_leaves_it_dropped_or_not() {
    let filled = || {
        let disk = SimDisk::new();
        let db = store(&disk, &hands());
        (disk, db)
    };
    let (disk, db) = filled();
    let told = portrait_of(&db.snapshot());
    let before = disk.operations();
    db.retain(days(12)).expect("drops");
    let without = portrait_of(&db.snapshot());
    let operations = disk.operations() - before;
    assert!(operations > 5, "{operations}");
    let mut met = [0, 0];
    for fault in [Fault::Crash, Fault::SyncError, Fault::DiskFull, Fault::Error] {
        for n in 1..=operations {
            let (disk, db) = filled();
            disk.fail_at(disk.operations() + n, fault);
            let answer = db.retain(days(12));
            let context = format!("{fault:?} at {n} ({:?}): {answer:?}", disk.struck());
            // What is shown is one or the other, too.
            if !matches!(fault, Fault::Crash) {
                let shown = portrait_of(&db.snapshot());
                assert!(shown == without || shown == told, "{context}");
            }
            drop(db);
            for loss in [Loss::Kept, Loss::Lost, Loss::Torn] {
                let disk = disk.after_crash(n, loss);
                let db = open_with(&disk, 20, &hands());
                let found = portrait_of(&db.snapshot());
                assert!(found == without || found == told && answer.is_err(), "{context}, {loss:?}");
                met[usize::from(found == without)] += 1;
                no_problems(&db);
                // It goes on from there.
                db.retain(days(12)).expect("drops");
                assert_eq!(portrait_of(&db.snapshot()), without, "{context}, {loss:?}");
                db.vacuum().expect("vacuums");
                assert_eq!(portrait_of(&db.snapshot()), without, "{context}, {loss:?}");
            }
        }
    }
    assert!(met[0] > 0 && met[1] > 0, "{met:?}");
}

/// A crash while the next opening does the rest.
#[test]
fn a_crash_while_opening_goes_on_dropping() {
    // The commit is durable, and all of the graph's work is lost.
    let half_done = || {
        let disk = SimDisk::new();
        let db = store(&disk, &hands());
        let before = disk.operations();
        disk.fail_at(before + 3, Fault::Crash);
        drop(db.retain(days(12)));
        drop(db);
        disk.after_crash(1, Loss::Kept)
    };
    let disk = half_done();
    let before = disk.operations();
    let db = open_with(&disk, 20, &hands());
    assert_eq!(ages(&db.snapshot()), up_to(12));
    let operations = disk.operations() - before;
    for n in 1..=operations {
        let disk = half_done();
        disk.fail_at(disk.operations() + n, Fault::Crash);
        let hands = hands();
        let clock = crate::clock::Clock::of(move || hands.load(Ordering::Relaxed));
        let options = Options { memory_bytes: 1 << 20, tail_interactions: 20, clock, ..Options::default() };
        drop(Db::open_on(Arc::new(disk.clone()), options));
        for loss in [Loss::Kept, Loss::Lost, Loss::Torn] {
            let db = open_with(&disk.after_crash(n, loss), 20, &self::hands());
            assert_eq!(ages(&db.snapshot()), up_to(12), "at {n}, {loss:?}");
            no_problems(&db);
        }
    }
}

/// Whatever chunk is damaged: nothing that was dropped is shown, and a rebuild makes all good.
#[test]
fn damage_brings_nothing_back() {
    let filled = || {
        let disk = SimDisk::new();
        let db = store(&disk, &hands());
        db.seal().expect("seals");
        (disk, db)
    };
    let chunks = filled().1.writer.lock().state.version.manifest.chunks();
    assert!(chunks.len() > 8);
    for chunk in chunks {
        let (disk, db) = filled();
        drop(db);
        assert!(disk.graph_corrupt(&chunk.id.to_be_bytes(), 5, 1), "{chunk:?}");
        let mut db = open_with(&disk, 20, &hands());
        match db.retain(days(12)) {
            Ok(_) => {
                // It may be durable and not shown; the next opening shows it.
                drop(db);
                db = open_with(&disk, 20, &hands());
            }
            Err(error) => {
                assert!(db.repair(&error).expect("repairs"), "{error}");
                assert_eq!(ages(&db.snapshot()), up_to(49));
                db.retain(days(12)).expect("drops");
            }
        }
        db.rebuild().expect("rebuilds");
        assert_eq!(ages(&db.snapshot()), up_to(12));
        no_problems(&db);
    }
}

#[test]
fn what_is_committed_beside_it_is_dropped_or_left_out() {
    let (disk, hands) = (SimDisk::new(), hands());
    let db = open_with(&disk, 20, &hands);
    let barrier = std::sync::Barrier::new(5);
    let added = std::thread::scope(|scope| {
        let appenders: Vec<_> = (0..4_usize)
            .map(|place| {
                let (db, barrier) = (&db, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let mut old = (0, 0);
                    for n in 0..30_i64 {
                        let at = |days: i64| START - days * DAY + n;
                        let row = |days| Interaction::new(NAMES[place], at(days)).kind("call");
                        let commit = db.append([row(1), row(40)]).expect("appends");
                        assert_eq!(commit.added + commit.expired, 2);
                        old = (old.0 + commit.added - 1, old.1 + commit.expired);
                    }
                    old
                })
            })
            .collect();
        barrier.wait();
        let mut dropped = 0;
        for _ in 0..10 {
            dropped += db.retain(days(30)).expect("drops").interactions;
        }
        let old = appenders.into_iter().map(|appender| appender.join().expect("ends"));
        let old = old.fold((0, 0), |sum, old| (sum.0 + old.0, sum.1 + old.1));
        assert_eq!(old.0 + old.1, 120);
        (old.0, dropped)
    });
    assert_eq!(added.0, added.1, "what was taken was dropped");
    assert_eq!(db.snapshot().interactions(), 120);
    db.rebuild().expect("rebuilds");
    assert_eq!(db.snapshot().interactions(), 120);
    no_problems(&db);
}

#[test]
fn attributes_links_and_cohorts_stay_and_a_name_of_nothing_goes_with_the_files() {
    let disk = SimDisk::new();
    let db = open_with(&disk, 20, &hands());
    let old = |place: usize| Interaction::new(NAMES[place], START - 50 * DAY).kind("call");
    // One more recent than all, of whom something else is left, and of whom nothing is.
    db.append((0..6).map(old)).expect("appends");
    db.append([Interaction::new(NAMES[3], START).kind("call")]).expect("appends");
    let mut import = db.import("attributes").expect("begins");
    let city =
        import.declare(crate::Subject::Customer, "city", crate::AttrType::Text, None).expect("declares");
    let mut batch = Batch::new(import.schema());
    batch.begin(&identity(0), START - 300 * DAY);
    batch.set(city, ValueRef::Str("Leeds")).expect("sets");
    import.push_customers(batch).expect("pushes");
    import.commit().expect("commits");
    db.link([Link::new(identity(1), identity(7)).expect("are two")]).expect("links");
    let number = |db: &Db, place| db.snapshot().resolve(&identity(place)).expect("looks");
    let cohort = [number(&db, 2).expect("is known")].into_iter().collect();
    db.save_cohort("all", &cohort).expect("saves");
    db.retain(days(10)).expect("drops");
    let left = |db: &Db| {
        let snapshot = db.snapshot();
        let column = snapshot.customer_column(city).expect("reads");
        let city = number(db, 0).map(|customer| !column.is_null(customer as usize));
        let linked = (number(db, 1), number(db, 7));
        (order(db), self::cohort(db), city, linked.0.is_some() && linked.0 == linked.1)
    };
    let expected = (vec![NAMES[3].to_owned()], Some(BTreeSet::from([NAMES[2].to_owned()])), Some(true), true);
    assert_eq!(left(&db), expected);
    let known = |db: &Db| (0..6).filter(|&place| number(db, place).is_some()).collect::<Vec<_>>();
    assert_eq!(known(&db), [0, 1, 2, 3, 4, 5]);
    for _ in 0..2 {
        db.vacuum().expect("vacuums");
        assert_eq!((left(&db), known(&db)), (expected.clone(), vec![0, 1, 2, 3]));
        db.rebuild().expect("rebuilds");
        assert_eq!((left(&db), known(&db)), (expected.clone(), vec![0, 1, 2, 3]));
        // The names that the files keep go, too, once nothing is left that they are kept for.
        db.save_cohort("other", &RoaringBitmap::new()).expect("saves");
        db.append([Interaction::new(NAMES[5], START - 5 * DAY).kind("call")]).expect("appends");
        db.erase(&identity(5)).expect("erases");
        db.forgive(&identity(5)).expect("forgives");
    }
    no_problems(&db);
}
