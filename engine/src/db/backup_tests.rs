//! Backups made while others write, and broken at every operation on the disk they go to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::crash_tests::{dump, expected, interaction, options, run, try_open};
use super::*;
use crate::batch::Batch;
use crate::disk_sim::{Fault, Loss, SimDisk};
use crate::model::Identity;
use crate::schema::AttrId;
use crate::{Column, Interaction};

/// Opens what must be a store already.
fn open_copy(disk: &SimDisk) -> Result<Db> {
    Db::open_on(Arc::new(disk.clone()), Options { create: false, ..options() })
}

fn back_up_to(db: &Db, disk: &SimDisk) -> Result<BackupReport> {
    db.backup_on(Arc::new(disk.clone()))
}

/// What commits up to `commit` recorded: the customer, time and sequence of each interaction.
fn recorded_by(db: &Db, commit: u64) -> Vec<(String, i64, i64)> {
    let snapshot = db.snapshot();
    let mut rows = Vec::new();
    for unit in 0..snapshot.units().len() {
        let block = snapshot.read(unit, &[AttrId::COMMIT, AttrId::SEQUENCE]).expect("reads");
        let ints = |attr| match block.column(attr) {
            Some(Column::Int { values, .. }) => values.clone(),
            other => panic!("{other:?}"),
        };
        let (commits, sequences) = (ints(AttrId::COMMIT), ints(AttrId::SEQUENCE));
        for (place, &customer) in block.customers.iter().enumerate() {
            let name = snapshot.customer_name(customer).expect("has a name");
            for row in block.journey(place).filter(|&row| commits[row] as u64 <= commit) {
                rows.push((name.clone(), block.times[row], sequences[row]));
            }
        }
    }
    rows.sort();
    rows
}

/// That a copy is sound, and holds exactly what commits up to that of its report recorded.
fn is_prefix(copy: &SimDisk, report: BackupReport, db: &Db) {
    let copied = open_copy(copy).expect("the copy opens");
    let snapshot = copied.snapshot();
    assert_eq!((snapshot.commit(), snapshot.interactions()), (report.commit, report.interactions));
    assert_eq!(copied.check().expect("checks").problems, Vec::<String>::new());
    let rows = recorded_by(&copied, u64::MAX);
    assert_eq!(rows.len() as u64, report.interactions);
    assert_eq!(rows, recorded_by(db, report.commit), "commit {}", report.commit);
}

#[test]
fn a_backup_made_while_others_write_is_a_prefix_of_commits() {
    let disk = SimDisk::new();
    let db = try_open(&disk).expect("opens");
    // So that files end while they are copied.
    db.writer.lock().history.set_rotation(3_000);
    let (acknowledged, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut copies = Vec::new();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (db, acknowledged, done) = (&db, &acknowledged, &done);
            scope.spawn(move || {
                for n in 0_u32.. {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    let rows = (0..1 + n % 4).map(|row| {
                        Interaction::new(format!("crm:{thread}-{}", n % 7), i64::from(n * 10 + row)).kind("a")
                    });
                    let commit = db.append(rows).expect("appends");
                    acknowledged.fetch_max(commit.number, Ordering::SeqCst);
                    if n % 20 == 0 {
                        db.seal().expect("seals");
                    }
                }
            });
        }
        while copies.len() < 12 {
            let before = acknowledged.load(Ordering::SeqCst);
            let copy = SimDisk::new();
            // By the handle that writes, and by a process that knows the files alone, in turn.
            let report = match copies.len() % 2 {
                0 => back_up_to(&db, &copy),
                _ => {
                    let (from, to): (Arc<dyn Disk>, Arc<dyn Disk>) =
                        (Arc::new(disk.clone()), Arc::new(copy.clone()));
                    back_up_unopened(&from, &to)
                }
            };
            let report = report.expect("makes a backup");
            assert!(report.commit >= before, "commit {before} was acknowledged before the backup began");
            // It goes on while the others write on.
            copies.push((copy, report));
            std::thread::sleep(Duration::from_millis(5));
        }
        done.store(true, Ordering::SeqCst);
    });
    let (first, last) = (copies[0].1, copies[copies.len() - 1].1);
    assert!(first.commit < last.commit, "somebody wrote meanwhile");
    assert!(disk.contents("history/00000002.tlh").is_some(), "more than one file");
    for (copy, report) in &copies {
        is_prefix(copy, *report, &db);
    }
}

#[test]
fn a_backup_waits_for_no_import_and_has_nothing_of_it() {
    let disk = SimDisk::new();
    let db = try_open(&disk).expect("opens");
    db.append((0..5).map(|row| interaction("before", row))).expect("appends");
    db.writer.lock().history.set_rotation(500);
    for commits in [false, true] {
        let report = std::thread::scope(|scope| {
            let mut import = db.import("rows").expect("begins");
            for row in 0..4 {
                let mut batch = Batch::new(import.schema());
                let identity = Identity::parse(&format!("crm:{row}")).expect("parses");
                (0..50).for_each(|time| batch.begin(&identity, time));
                import.push(batch).expect("takes");
            }
            let copy = SimDisk::new();
            let db = &db;
            let report = scope
                .spawn(move || {
                    let report = back_up_to(db, &copy).expect("makes a backup");
                    (report, open_copy(&copy).expect("opens").snapshot().interactions())
                })
                .join()
                .expect("ends");
            if commits {
                import.commit().expect("commits");
            }
            report
        });
        assert_eq!((report.0.commit, report.1), (1, 5), "commits: {commits}");
    }
    let copy = SimDisk::new();
    let report = back_up_to(&db, &copy).expect("makes a backup");
    assert_eq!(report.interactions, 205);
    is_prefix(&copy, report, &db);
}

/// A store that has seen everything that writes.
fn store() -> (SimDisk, Db, BTreeMap<String, Vec<super::crash_tests::Row>>) {
    let disk = SimDisk::new();
    let (told, db) = run(&disk);
    assert!(told.error.is_none(), "{:?}", told.error);
    let db = db.expect("is open");
    let (all, _, _) = expected();
    (disk, db, all)
}

#[test]
fn a_backup_has_all_and_goes_on_as_a_store() {
    let (_, db, all) = store();
    let copy = SimDisk::new();
    let report = back_up_to(&db, &copy).expect("makes a backup");
    let copied = open_copy(&copy).expect("opens");
    assert_eq!(dump(&copied.snapshot()), all);
    assert_eq!(copied.snapshot().cohorts(), db.snapshot().cohorts());
    assert_eq!(copied.snapshot().commit(), report.commit);
    let plans = super::crash_tests::plans;
    assert_eq!(plans(&copied.snapshot()), plans(&db.snapshot()));
    assert_eq!(copied.snapshot().recorded().expect("reads"), db.snapshot().recorded().expect("reads"));
    // What it had is known to it, and what is new is written.
    let again = copied.append((0..70).map(|row| interaction("b0", row))).expect("appends");
    assert_eq!((again.added, again.duplicates), (0, 70));
    let new = copied.append([interaction("new", 0)]).expect("appends");
    assert_eq!((new.added, new.number), (1, report.commit + 1));
    copied.close().expect("closes");
    assert_eq!(open_copy(&copy).expect("opens").snapshot().interactions(), report.interactions + 1);
}

/// What is found where a backup was not finished is no store: not to who wants one, and not one
/// with something in it to who would make one.
fn is_no_store(disk: &SimDisk, context: &str) {
    assert!(matches!(open_copy(disk), Err(Error::NotAStore(_))), "{context}");
    if let Ok(db) = try_open(disk) {
        assert_eq!((db.snapshot().commit(), db.snapshot().interactions()), (0, 0), "{context}");
    }
}

#[test]
fn a_backup_broken_at_any_operation_is_no_store_and_leaves_the_source_alone() {
    let (disk, db, all) = store();
    let whole = SimDisk::new();
    back_up_to(&db, &whole).expect("makes a backup");
    let (operations, source) = (whole.operations(), disk.operations());
    assert!(operations > 8);
    let mut finished = 0;
    for fault in [Fault::Crash, Fault::SyncError, Fault::DiskFull, Fault::Error] {
        for n in 1..=operations {
            let copy = SimDisk::new();
            copy.fail_at(n, fault);
            let answer = back_up_to(&db, &copy);
            let context = format!("{fault:?} at {n} ({:?}), answered {answer:?}", copy.struck());
            assert_eq!(copy.struck().is_none(), answer.is_ok(), "{context}");
            if answer.is_ok() {
                continue;
            }
            if fault == Fault::Crash {
                for (seed, loss) in [(0, Loss::Kept), (0, Loss::Lost), (n, Loss::Torn), (n + 1, Loss::Torn)] {
                    let found = copy.after_crash(seed, loss);
                    let context = format!("{context}, {loss:?}");
                    // HEAD may be there although nobody was told: then all is.
                    match open_copy(&found) {
                        Ok(copied) => {
                            assert_eq!(dump(&copied.snapshot()), all, "{context}");
                            finished += 1;
                        }
                        Err(_) => is_no_store(&found, &context),
                    }
                }
                continue;
            }
            // Nothing is in the way of the next attempt.
            assert_eq!(copy.list("").expect("lists"), Vec::<String>::new(), "{context}");
            is_no_store(&copy.after_crash(n, Loss::Lost), &context);
            back_up_to(&db, &copy).unwrap_or_else(|error| panic!("{context}, then {error}"));
            assert_eq!(dump(&open_copy(&copy).expect("opens").snapshot()), all, "{context}");
        }
    }
    assert!(finished > 0, "no crash came after HEAD");
    assert_eq!(disk.operations(), source, "the source was written to");
    assert_eq!(dump(&db.snapshot()), all);
    db.append([interaction("after", 0)]).expect("the source takes more");
}

#[test]
fn a_full_disk_says_so() {
    let (_, db, _) = store();
    let whole = SimDisk::new();
    let bytes = back_up_to(&db, &whole).expect("makes a backup").bytes;
    for room in (0..bytes).step_by(bytes as usize / 9) {
        let copy = SimDisk::new();
        copy.full_after(room);
        let error = back_up_to(&db, &copy).expect_err("has no room");
        let full = |source: &std::io::Error| source.kind() == std::io::ErrorKind::StorageFull;
        assert!(matches!(&error, Error::Io { source, .. } if full(source)), "{room}: {error}");
        assert!(error.to_string().starts_with("cannot write sim/history/0000"), "{error}");
        assert_eq!(copy.list("").expect("lists"), Vec::<String>::new(), "{room}");
    }
}

#[test]
fn what_is_there_already_is_left_alone() {
    let (_, db, _) = store();
    let folder = tempfile::tempdir().expect("a folder");
    let check = |to: &str, words: &str| {
        let error = db.backup(folder.path().join(to)).expect_err(to);
        assert!(matches!(error, Error::Invalid(_)) && error.to_string().contains(words), "{error}");
    };
    std::fs::write(folder.path().join("file"), "mine").expect("writes");
    check("file", "is a file; name a folder");
    check("", "holds `file`, and a backup overwrites nothing");
    let first = db.backup(folder.path().join("copy")).expect("makes a backup");
    check("copy", "holds `HEAD`");
    std::fs::create_dir(folder.path().join("empty")).expect("makes a folder");
    assert_eq!(db.backup(folder.path().join("empty")).expect("an empty folder will do"), first);

    let copy = Db::open(folder.path().join("copy")).expect("opens");
    for inside in ["copy", "copy/in/it"] {
        let error = copy.backup(folder.path().join(inside)).expect_err(inside);
        assert!(error.to_string().contains("in the store itself"), "{error}");
    }
    assert_eq!(copy.snapshot().interactions(), first.interactions);
    assert_eq!(std::fs::read_to_string(folder.path().join("file")).expect("reads"), "mine");
}

#[test]
fn damage_is_found_when_it_is_copied() {
    let (disk, db, _) = store();
    let file = "history/00000001.tlh";
    let len = disk.contents(file).expect("is there").len() as u64;
    for offset in (0..len).step_by(len as usize / 40) {
        let copy = SimDisk::new();
        assert!(disk.corrupt(file, offset, 4));
        let error = back_up_to(&db, &copy).expect_err("is damaged");
        assert!(error.to_string().contains(file), "byte {offset}: {error}");
        assert_eq!(copy.list("").expect("lists"), Vec::<String>::new());
        assert!(disk.corrupt(file, offset, 4));
    }
    back_up_to(&db, &SimDisk::new()).expect("is sound again");
}

#[test]
fn a_handle_that_failed_makes_no_backup() {
    let disk = SimDisk::new();
    let db = try_open(&disk).expect("opens");
    db.append([interaction("a", 0)]).expect("appends");
    disk.fail_at(disk.operations() + 1, Fault::SyncError);
    db.append([interaction("a", 1)]).expect_err("fails");
    assert!(matches!(back_up_to(&db, &SimDisk::new()), Err(Error::Poisoned(_))));
    drop(db);
    let copy = SimDisk::new();
    back_up_to(&try_open(&disk).expect("opens"), &copy).expect("makes a backup");
    open_copy(&copy).expect("opens");
}
