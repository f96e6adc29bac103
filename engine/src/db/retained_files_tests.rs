//! Interactions that were dropped for their age, taken out of the files; and stores larger than memory.

use std::sync::Arc;

use super::link_tests::{START, portrait_of};
use super::vacuum_tests::{files, texts};
use super::*;
use crate::amendments::Amendment;
use crate::batch::{Batch, ValueRef};
use crate::clock::Clock;
use crate::disk_sim::{Fault, Loss, SimDisk};
use crate::model::Identity;
use crate::records::RetainRecord;
use crate::retain::{Retain, RetainUnit};
use crate::schema::Role;

const MINUTE: Millis = 60_000;
const DAY: Millis = 1_440 * MINUTE;

/// What was said of old, by whom, and under which event id.
const OLD: [&str; 4] =
    ["the-one-who-came-long-ago", "words of long ago", "event-of-old", "a topic of long ago"];

fn options() -> Options {
    Options { memory_bytes: 1 << 20, clock: Clock::of(|| START), ..Options::default() }
}

fn days(amount: u32) -> Retain {
    Retain::Last { amount, unit: RetainUnit::Days }
}

fn interaction(who: &str, days: i64, minute: i64) -> Interaction {
    let interaction =
        Interaction::new(who, START - days * DAY + minute * MINUTE).kind("call").channel("phone");
    if days < 30 {
        return interaction.set("note", format!("said {minute}")).event_id(&format!("{who}-{minute}"));
    }
    interaction.set("note", OLD[1]).topic(OLD[3]).event_id(&format!("{}-{who}-{minute}", OLD[2]))
}

/// Fills a store so that what is old lies in several history files, in runs and in memory.
fn fill(db: &Db, some: i64) {
    db.writer.lock().history.set_rotation(2_000);
    let who = |minute: i64| ["crm:a", "crm:b", "crm:the-one-who-came-long-ago"][minute as usize % 3];
    let old = |minute: i64| interaction(who(minute), 40, minute);
    db.append((0..some).map(old)).expect("appends");
    let mut import = db.import("first").expect("begins");
    let note =
        import.declare(crate::Subject::Interaction, "note", crate::AttrType::Text, None).expect("declares");
    let kind = import.schema().role(Role::Kind).expect("core").id;
    let mut batch = Batch::new(import.schema());
    for minute in 0..some {
        let old = minute % 2 == 0;
        let who = Identity::parse(["crm:c", who(minute)][usize::from(old)]).expect("parses");
        batch.begin(&who, START - if old { 50 } else { 5 } * DAY + minute);
        batch.set(kind, ValueRef::Str("call")).expect("sets");
        batch.set(note, ValueRef::Str(if old { OLD[1] } else { "new words" })).expect("sets");
    }
    import.push(batch).expect("pushes");
    import.commit().expect("commits");
    let new = |minute: i64| interaction(["crm:b", "crm:d"][minute as usize % 2], 3, minute);
    db.append((0..some).map(new)).expect("appends");
    db.seal().expect("seals");
    db.append([interaction(who(2), 60, 900), interaction("crm:a", 2, 901)]).expect("appends");
    let amended =
        Amendment::new(format!("{}-crm:a-0", OLD[2])).set("note", format!("other {}", OLD[1]).as_str());
    assert_eq!(db.amend([amended]).expect("amends").changed(), 1);
    db.retain(days(30)).expect("drops");
    db.append([interaction("crm:b", 1, 902)]).expect("appends");
}

/// Which of what was dropped is in some texts.
fn left_in(texts: &[String]) -> Vec<&'static str> {
    OLD.into_iter().filter(|word| texts.iter().any(|text| text.contains(word))).collect()
}

#[test]
fn a_byte_search_finds_nothing_of_what_was_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let db = Db::open_with(&path, options()).expect("opens");
    fill(&db, 120);
    let before = portrait_of(&db.snapshot());
    assert_eq!(left_in(&texts(&db)).len(), OLD.len(), "all is still in the files");
    let report = db.vacuum().expect("is vacuumed");
    assert_eq!((report.rows, report.values, report.frames), (120 + 60 + 1, 1, 4), "{report:?}");
    assert!(report.bytes_after < report.bytes_before, "{report:?}");
    assert_eq!(portrait_of(&db.snapshot()), before);
    assert_eq!(left_in(&texts(&db)), Vec::<&str>::new());
    for (name, bytes) in files(&path) {
        for word in OLD {
            let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!found, "{word} is in {name}");
        }
    }
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
    // It is done once, and the store goes on.
    let again = db.vacuum().expect("is vacuumed");
    assert_eq!((again.rows, again.files), (0, 0));
    db.retain(days(30)).expect("drops");
    assert_eq!(db.vacuum().expect("is vacuumed").files, 0, "nothing was dropped since");
    db.close().expect("closes");
    let db = Db::open_with(&path, options()).expect("opens");
    assert_eq!(portrait_of(&db.snapshot()), before);
    let commit =
        db.append([interaction("crm:a", 40, 0), interaction("crm:b", 3, 0), interaction("crm:b", 3, 1)]);
    let commit = commit.expect("appends");
    assert_eq!((commit.added, commit.duplicates, commit.expired), (1, 1, 1));
}

#[test]
fn rows_without_a_sequence_go_on_being_counted() {
    let db = Db::open_on(Arc::new(SimDisk::new()), options()).expect("opens");
    let plain = |days: i64, kind: &str| Interaction::new("crm:a", START - days * DAY).kind(kind);
    db.append([plain(40, "x"), plain(40, "y"), plain(1, "first")]).expect("appends");
    db.retain(days(30)).expect("drops");
    db.vacuum().expect("is vacuumed");
    db.append([plain(1, "second"), plain(50, "z"), plain(1, "third")]).expect("appends");
    let sequences = || {
        let block = db.snapshot().read(0, &[crate::AttrId::SEQUENCE]).expect("reads");
        block.columns[0].1.clone()
    };
    let expected = crate::Column::Int { values: vec![2, 3, 4], valid: None };
    assert_eq!(sequences(), expected);
    db.rebuild().expect("rebuilds");
    assert_eq!(sequences(), expected);
}

/// A crash, or an error, at any operation: what is found is whole, the old or the new, and shows the same.
#[test]
fn a_vacuum_broken_at_any_operation_leaves_one_whole_store() {
    let store = || {
        let disk = SimDisk::new();
        let db = Db::open_on(Arc::new(disk.clone()), options()).expect("opens");
        fill(&db, 12);
        (disk, db)
    };
    let (disk, db) = store();
    let before = disk.operations();
    let told = portrait_of(&db.snapshot());
    db.vacuum().expect("is vacuumed");
    let operations = disk.operations() - before;
    let (mut old, mut new) = (0, 0);
    for n in 1..=operations {
        let (disk, db) = store();
        disk.fail_at(disk.operations() + n, Fault::Crash);
        drop(db.vacuum());
        for (seed, loss) in [(0, Loss::Kept), (0, Loss::Lost), (n, Loss::Torn)] {
            let context = format!("at {n} ({:?}), {loss:?}", disk.struck());
            let disk = disk.after_crash(seed, loss);
            let db =
                Db::open_on(Arc::new(disk), options()).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(portrait_of(&db.snapshot()), told, "{context}");
            assert_eq!(db.check().expect("checks").problems, Vec::<String>::new(), "{context}");
            match left_in(&texts(&db)).is_empty() {
                true => new += 1,
                false => old += 1,
            }
            db.vacuum().unwrap_or_else(|error| panic!("{context}, then {error}"));
            assert_eq!(left_in(&texts(&db)), Vec::<&str>::new(), "{context}");
        }
    }
    assert!(old > 0 && new > 0, "{old} old ones, {new} new ones");
}

#[test]
fn a_backup_has_the_setting_and_counts_what_is_left() {
    let db = Db::open_on(Arc::new(SimDisk::new()), options()).expect("opens");
    fill(&db, 30);
    for _ in 0..2 {
        let copy = SimDisk::new();
        db.backup_on(Arc::new(copy.clone())).expect("makes a backup");
        let copy = Db::open_on(Arc::new(copy), options()).expect("opens");
        assert_eq!(portrait_of(&copy.snapshot()), portrait_of(&db.snapshot()));
        assert_eq!(copy.snapshot().retention(), db.snapshot().retention());
        assert_eq!(copy.append([interaction("crm:a", 40, 3)]).map(|commit| commit.expired).ok(), Some(1));
        db.vacuum().expect("is vacuumed");
    }
    // One that another process makes counts frames.
    let folder = tempfile::tempdir().expect("a folder");
    let [store, first, second] = ["store", "first", "second"].map(|name| folder.path().join(name));
    let db = Db::open_with(&store, options()).expect("opens");
    fill(&db, 30);
    let interactions = db.snapshot().interactions();
    assert_eq!(Db::backup_of(&store, &first).expect("copies").interactions, interactions);
    db.vacuum().expect("is vacuumed");
    assert_eq!(Db::backup_of(&store, &second).expect("copies").interactions, interactions);
}

#[test]
fn what_a_vacuum_leaves_names_only_who_is_left() {
    let db = Db::open_on(Arc::new(SimDisk::new()), options()).expect("opens");
    fill(&db, 12);
    db.vacuum().expect("is vacuumed");
    let writer = db.writer.lock();
    let mut frames = writer.history.frames(writer.history.start(), writer.history.end());
    let (mut met, mut said) = (Vec::new(), Vec::new());
    while let Some(frame) = frames.next().expect("reads") {
        if frame.header.kind & !FINAL == records::RETAIN {
            let record = RetainRecord::decode(&frame.body, "frame").expect("decodes");
            met.extend(record.met);
            said.extend(record.said);
        }
    }
    assert_eq!(met, ["crm:a", "crm:b", "crm:c"]);
    let [said] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((said.vacuumed, said.interactions, said.removed), (true, 0, 12 + 6 + 1));
}

/// Many times what fits the memory, in ranges of their own, so that all paths are taken that bound it.
#[test]
fn a_store_larger_than_memory_is_cut_and_made_anew() {
    let disk = SimDisk::new();
    let db = Db::open_on(Arc::new(disk.clone()), options()).expect("opens");
    let mut import = db.import("many").expect("begins");
    let kind = import.schema().role(Role::Kind).expect("core").id;
    let (customers, each) = (70_000_i64, 3);
    for round in 0..each {
        let mut batch = Batch::new(import.schema());
        for customer in 0..customers {
            let who = Identity::parse(&format!("crm:{customer}")).expect("parses");
            batch.begin(&who, START - (customer % 50 + round) * DAY + customer % 1_000);
            batch.set(kind, ValueRef::Str("call")).expect("sets");
        }
        import.push(batch).expect("pushes");
    }
    import.commit().expect("commits");
    let all = |kept: i64| {
        let rows = (0..each).flat_map(|round| (0..customers).map(move |customer| customer % 50 + round));
        rows.filter(|&days| days <= kept).count() as u64
    };
    for kept in [100, 40, 20, 20] {
        let dropping = db.retain(days(kept)).expect("drops");
        let interactions = db.snapshot().interactions();
        assert_eq!(interactions, all(i64::from(kept)), "{dropping:?}");
        let customers = (0..customers).filter(|customer| customer % 50 <= i64::from(kept)).count();
        assert_eq!(db.snapshot().customers(), customers as u64);
    }
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
    let told = portrait_of(&db.snapshot());
    db.rebuild().expect("rebuilds");
    assert!(portrait_of(&db.snapshot()) == told);
    // A graph that knows nothing of it yet.
    db.close().expect("closes");
    let db = Db::open_on(Arc::new(disk), options()).expect("opens");
    assert!(portrait_of(&db.snapshot()) == told);
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
}

/// A number of /proc/self/status, in bytes.
#[cfg(target_os = "linux")]
fn of_process(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("reads");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("is told");
    let number = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>();
    number.expect("a number") * 1_024
}

/// `cargo test --release -p throughline-engine -- --ignored --nocapture memory_of_dropping`
#[cfg(target_os = "linux")]
#[test]
#[ignore = "measures; takes a minute"]
fn the_memory_of_dropping_does_not_grow_with_the_store() {
    let mut peaks = Vec::new();
    for millions in [1_i64, 4] {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options { memory_bytes: 32 << 20, clock: Clock::of(|| START), ..Options::default() };
        let db = Db::open_with(folder.path().join("store"), options).expect("opens");
        let mut import = db.import("many").expect("begins");
        let kind = import.schema().role(Role::Kind).expect("core").id;
        let text = import.schema().role(Role::Text).expect("core").id;
        for part in 0..millions * 10 {
            let mut batch = Batch::new(import.schema());
            for row in 0..100_000_i64 {
                let who = format!("crm:{}", (part * 100_000 + row) * 7_919 % (millions * 50_000));
                let who = Identity::parse(&who).expect("parses");
                batch.begin(&who, START - (row * 31 + part) % 800 * DAY + row);
                batch.set(kind, ValueRef::Str(["call", "visit"][row as usize % 2])).expect("sets");
                batch.set(text, ValueRef::Str(&format!("what was said the {row}th time"))).expect("sets");
            }
            import.push(batch).expect("pushes");
        }
        import.commit().expect("commits");
        // From here on the peak is told anew.
        std::fs::write("/proc/self/clear_refs", "5").expect("is reset");
        let before = of_process("VmRSS");
        let began = std::time::Instant::now();
        let dropping = db.retain(days(100)).expect("drops");
        let peak = of_process("VmHWM").saturating_sub(before);
        println!(
            "{millions} million: {} dropped in {:?}, {} MB more than the {} before",
            dropping.interactions,
            began.elapsed(),
            peak >> 20,
            before >> 20
        );
        peaks.push(peak);
        assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
    }
    assert!(peaks[1] < peaks[0] * 2, "{peaks:?}");
}
