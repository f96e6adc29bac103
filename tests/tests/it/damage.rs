//! Damage: to the graph's pages, to sled's own files, to the history, and what
//! is left without the one or the other.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use throughline::engine::disk::Disk;
use throughline::engine::disk_sim::{Loss, SimDisk};
use throughline::engine::{Db, Result};
use throughline_tests::ledger::{Act, Ledger, life, options, portrait, portrait_repaired};
use throughline_tests::store::open_patiently;

/// Something done to a page; whether the page was there.
type Hurt = Box<dyn Fn(&SimDisk) -> bool>;

fn open(disk: &SimDisk) -> Result<Db> {
    Db::open_on(Arc::new(disk.clone()), options())
}

/// A store with a life behind it, all of it sealed and closed; and what it shows.
fn sealed() -> (SimDisk, Ledger, String) {
    let disk = SimDisk::new();
    let mut ledger = Ledger::default();
    let db = open(&disk).expect("opens");
    for act in life() {
        ledger.act(&db, act).expect("lives");
    }
    let shown = portrait(&db.snapshot()).expect("reads");
    db.close().expect("closes");
    (disk, ledger, shown)
}

/// The graph folder, and the keys in it.
fn graph(disk: &SimDisk) -> (String, Vec<Vec<u8>>) {
    let folder = disk
        .list("")
        .expect("lists")
        .into_iter()
        .rfind(|name| name.starts_with("graph-"))
        .expect("has a graph");
    let keys = disk.open_graph(&folder).expect("opens the graph").keys().expect("lists its keys");
    (folder, keys)
}

#[test]
fn a_page_that_is_missing_cut_or_flipped_is_repaired() {
    let (disk, ledger, shown) = sealed();
    let (folder, keys) = graph(&disk);
    assert!(keys.len() > 3, "a graph of pages: {keys:?}");
    for key in &keys {
        let value =
            disk.open_graph(&folder).and_then(|graph| graph.get(key)).expect("reads").expect("is there");
        let name = key_name(key);
        let mut hurts: Vec<(String, Hurt)> = Vec::new();
        let (gone, cut) = (key.clone(), key.clone());
        hurts.push((format!("{name} missing"), Box::new(move |disk| disk.graph_remove(&gone))));
        let half = value.len() / 2;
        hurts.push((format!("{name} cut"), Box::new(move |disk| disk.graph_truncate(&cut, half))));
        for offset in [0, half, value.len().saturating_sub(1)] {
            let key = key.clone();
            let what = format!("{name} flipped at {offset}");
            hurts.push((what, Box::new(move |disk| disk.graph_corrupt(&key, offset, 0x10))));
        }
        for (what, hurt) in hurts {
            let hurt_disk = disk.after_crash(0, Loss::Kept);
            if !hurt(&hurt_disk) {
                continue;
            }
            let db = open(&hurt_disk).unwrap_or_else(|error| panic!("{what}: {error}"));
            let found = portrait_repaired(&db).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(found, shown, "{what}");
            // What no reader has met yet, `check` finds, and a rebuild repairs.
            if !db.check().expect("checks").problems.is_empty() {
                db.rebuild().unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            let report = db.check().expect("checks");
            assert!(report.problems.is_empty(), "{what}: {:?}", report.problems);
            drop(db);
            let db = open(&hurt_disk).unwrap_or_else(|error| panic!("{what}, opened again: {error}"));
            ledger.verify_in_use(&db).unwrap_or_else(|fault| panic!("{what}, opened again: {fault}"));
        }
    }
}

/// `check` sees damage that no query has met.
#[test]
fn check_reads_every_page() {
    let (disk, _, shown) = sealed();
    let keys = graph(&disk).1;
    let mut silent = Vec::new();
    for key in keys.clone() {
        let hurt = disk.after_crash(0, Loss::Kept);
        let db = open(&hurt).expect("opens");
        hurt.graph_corrupt(&key, 0, 0xff);
        let report = db.check().expect("checks");
        let name = key_name(&key);
        if report.problems.is_empty() {
            // Nothing refers to it: a page of an earlier manifest, or the manifest
            // itself, which was read when the store was opened.
            let without = disk.after_crash(0, Loss::Kept);
            let db = open(&without).expect("opens");
            without.graph_remove(&key);
            let report = db.check().expect("checks");
            assert!(report.problems.is_empty(), "{name}: check sees it missing, and not that it is damaged");
            silent.push(name.clone());
        }
        assert_eq!(portrait_repaired(&db).expect("reads"), shown, "{name}");
        drop(db);
        let db = open(&hurt).expect("opens again");
        assert_eq!(portrait_repaired(&db).expect("reads"), shown, "{name}, opened again");
    }
    assert!(silent.len() * 3 < keys.len(), "check passes over {silent:?} of {} pages", keys.len());
}

/// A key in words: as text where it is text, else in hexadecimal.
fn key_name(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if text.chars().all(|letter| letter.is_ascii_graphic()) => text.to_owned(),
        _ => key.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[test]
fn without_the_graph_all_answers_are_equal() {
    let (disk, ledger, shown) = sealed();
    let (folder, _) = graph(&disk);
    disk.remove_dir(&folder).expect("removes the graph");
    let db = open(&disk).expect("opens without its graph");
    assert_eq!(portrait(&db.snapshot()).expect("reads"), shown);
    ledger.verify_in_use(&db).expect("holds all");
}

#[test]
fn sealed_answers_do_not_read_the_history() {
    let (disk, _, shown) = sealed();
    let db = open(&disk).expect("opens");
    disk.hide("history");
    assert_eq!(portrait(&db.snapshot()).expect("reads without the history"), shown);
    // Without it there is nothing to repair from: an error, and no wrong answer.
    disk.unhide("history");
}

#[test]
fn a_flipped_byte_of_the_history_is_named() {
    let (disk, ledger, _) = sealed();
    let files = disk.list("history").expect("lists");
    let (folder, _) = graph(&disk);
    for file in files {
        let path = format!("history/{file}");
        let length = disk.contents(&path).expect("reads").len() as u64;
        for offset in (0..length).step_by(1 + length as usize / 97) {
            let hurt = disk.after_crash(0, Loss::Kept);
            assert!(hurt.corrupt(&path, offset, 0x04));
            // The graph is lost as well: only the history is left to answer from.
            hurt.remove_dir(&folder).expect("removes the graph");
            match open(&hurt) {
                Err(error) => assert!(error.to_string().contains(&file), "{offset}: {error}"),
                Ok(db) => match portrait(&db.snapshot()) {
                    Err(error) => assert!(error.to_string().contains(&file), "{offset}: {error}"),
                    Ok(_) => ledger.verify(&db).unwrap_or_else(|fault| panic!("flip at {offset}: {fault}")),
                },
            }
        }
    }
}

/// Set for the process that opens a hurt store: the store's folder.
const HURT: &str = "THROUGHLINE_HURT_STORE";

/// What a process shows of a store that may be hurt; started by the test below.
#[test]
fn child_that_reads() {
    let Some(folder) = std::env::var_os(HURT) else { return };
    match open_patiently(Path::new(&folder)).and_then(|db| portrait_repaired(&db)) {
        Ok(shown) => println!("SHOWN {:016x}", digest(&shown)),
        Err(error) => println!("ERROR {error}"),
    }
}

fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// How long opening and reading a hurt store may take. A hang is what this test
/// is there to find; the engine's own deadlines are far shorter.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn flips_in_the_files_of_sled_end_in_an_answer_or_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    let shown = {
        let db = open_patiently(&store).expect("opens");
        let mut ledger = Ledger::default();
        for act in life().into_iter().chain([Act::Seal]) {
            ledger.act(&db, act).expect("lives");
        }
        let shown = portrait(&db.snapshot()).expect("reads");
        db.close().expect("closes");
        digest(&shown)
    };
    let mut files = Vec::new();
    files_below(&store, &mut files);
    files.retain(|path| path.to_string_lossy().contains("graph-") && length(path) > 0);
    files.sort();
    assert!(!files.is_empty(), "a graph is kept in files");
    let long = std::env::var_os("THROUGHLINE_LONG").is_some();
    let flips = if long { 12 } else { 1 };
    // A hang costs the engine's whole deadline, so a short run tries a few files.
    let every = if long { 1 } else { files.len().div_ceil(8) };
    for file in files.iter().step_by(every) {
        for flip in 0..flips {
            let hurt = folder.path().join("hurt");
            copy(&store, &hurt);
            let target = hurt.join(file.strip_prefix(&store).expect("lies in the store"));
            let mut bytes = std::fs::read(&target).expect("reads");
            let place = (flip * 2 + 1) * bytes.len() / (flips * 2);
            bytes[place] ^= 1 << (flip % 8);
            std::fs::write(&target, bytes).expect("writes");
            let what = format!("{}, byte {place}", target.display());
            let said = read_in_a_process(&hurt, &what);
            assert!(
                said.contains(&format!("SHOWN {shown:016x}")) || said.contains("ERROR "),
                "{what}: neither the right answer nor an error:\n{said}"
            );
            std::fs::remove_dir_all(&hurt).expect("clears up");
        }
    }
}

fn read_in_a_process(store: &Path, what: &str) -> String {
    let mut child = Command::new(std::env::current_exe().expect("a test knows its own file"))
        .args(["--exact", "damage::child_that_reads", "--nocapture", "--test-threads=1"])
        .env(HURT, store)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let began = Instant::now();
    while child.try_wait().expect("waits").is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().expect("stops");
            child.wait().expect("ends");
            panic!("{what}: still running after {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("is read");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("lists").flatten() {
        if entry.path().is_dir() { files_below(&entry.path(), files) } else { files.push(entry.path()) }
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("makes a folder");
    for entry in std::fs::read_dir(from).expect("lists").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copies");
        }
    }
}
