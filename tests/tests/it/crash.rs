//! A crash, a failed sync, an error and a full disk at every operation that
//! changes the disk, over a life of create, append, import, seal, fold and
//! rebuild, and in the recovery after it.

use std::sync::Arc;

use throughline::engine::disk_sim::{Fault, Loss, SimDisk};
use throughline::engine::{Db, Result};
use throughline_tests::ledger::{AFTER, Ledger, life, options};

/// Every how many operations a fault strikes; 1 in a long run.
fn stride(short: u64) -> usize {
    if std::env::var_os("THROUGHLINE_LONG").is_some() { 1 } else { short as usize }
}

fn open(disk: &SimDisk) -> Result<Db> {
    Db::open_on(Arc::new(disk.clone()), options())
}

/// Lives until something fails, and answers what was acknowledged.
fn live(disk: &SimDisk) -> (Ledger, Result<()>) {
    let mut ledger = Ledger::default();
    let result = open(disk).and_then(|db| {
        life().into_iter().try_for_each(|act| ledger.act(&db, act))?;
        db.close()
    });
    (ledger, result)
}

/// How many operations an undisturbed life takes.
fn operations() -> u64 {
    let disk = SimDisk::new();
    let (ledger, result) = live(&disk);
    result.expect("nothing fails on a sound disk");
    let operations = disk.operations();
    assert!(operations > 100, "a life of {operations} operations tries little");
    ledger.verify_in_use(&open(&disk).expect("opens")).expect("holds all");
    operations
}

fn check(disk: &SimDisk, ledger: &Ledger, what: &str) {
    let db = open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    ledger.verify_in_use(&db).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    drop(db);
    // And once more, from what that left.
    let mut after = ledger.clone();
    after.settle(AFTER);
    let db = open(disk).unwrap_or_else(|error| panic!("{what}, opened again: {error}"));
    after.verify(&db).unwrap_or_else(|fault| panic!("{what}, opened again: {fault}"));
}

#[test]
fn a_crash_at_every_operation() {
    for n in (1..=operations()).step_by(stride(1)) {
        let disk = SimDisk::new();
        disk.fail_at(n, Fault::Crash);
        let (ledger, _) = live(&disk);
        let struck = disk.struck().unwrap_or_default();
        for loss in [Loss::Kept, Loss::Lost, Loss::Torn] {
            let found = disk.after_crash(n, loss);
            check(&found, &ledger, &format!("crash at {n} ({struck}), {loss:?}"));
        }
    }
}

#[test]
fn a_crash_at_every_operation_of_the_recovery() {
    for n in (1..=operations()).step_by(stride(7)) {
        let disk = SimDisk::new();
        disk.fail_at(n, Fault::Crash);
        let (ledger, _) = live(&disk);
        let loss = [Loss::Kept, Loss::Lost, Loss::Torn][n as usize % 3];
        for second in 1.. {
            let found = disk.after_crash(n, loss);
            found.fail_at(second, Fault::Crash);
            let opened = open(&found).and_then(Db::close);
            let through = found.struck().is_none();
            if through {
                opened.unwrap_or_else(|error| panic!("recovery of a crash at {n}: {error}"));
                break;
            }
            let what = format!("crash at {n}, then at {second} of the recovery, {loss:?}");
            check(&found.after_crash(second, loss), &ledger, &what);
        }
    }
}

#[test]
fn a_failed_sync_poisons_and_loses_nothing_acknowledged() {
    for n in (1..=operations()).step_by(stride(2)) {
        let disk = SimDisk::new();
        disk.fail_at(n, Fault::SyncError);
        let mut ledger = Ledger::default();
        if let Ok(db) = open(&disk) {
            // The handle is used on after the failure, as an application may.
            for act in life() {
                let _refused = ledger.act(&db, act);
            }
        }
        let Some(struck) = disk.struck() else { continue };
        for loss in [Loss::Lost, Loss::Kept] {
            check(&disk.after_crash(n, loss), &ledger, &format!("sync failed at {n} ({struck}), {loss:?}"));
        }
    }
}

#[test]
fn an_error_at_every_operation() {
    for n in (1..=operations()).step_by(stride(2)) {
        let disk = SimDisk::new();
        disk.fail_at(n, Fault::Error);
        let mut ledger = Ledger::default();
        if let Ok(db) = open(&disk) {
            for act in life() {
                let _refused = ledger.act(&db, act);
            }
        }
        // The last operations are those of closing, which this life does without.
        let Some(struck) = disk.struck() else { continue };
        check(&disk, &ledger, &format!("error at {n} ({struck})"));
    }
}

#[test]
fn a_disk_that_fills_up() {
    let whole = {
        let disk = SimDisk::new();
        live(&disk).1.expect("nothing fails on a sound disk");
        throughline::engine::disk::Disk::bytes(&disk, "").expect("measures")
    };
    let step = if stride(2) == 1 { 61 } else { 1 + whole / 150 };
    for room in (0..2 * whole).step_by(step as usize) {
        let disk = SimDisk::new();
        disk.full_after(room);
        let (ledger, result) = live(&disk);
        disk.make_room();
        check(&disk, &ledger, &format!("room for {room} bytes ({result:?})"));
    }
}
