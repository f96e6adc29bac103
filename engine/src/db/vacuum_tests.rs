//! What is left in the files once a store was vacuumed, and what a crash meanwhile leaves.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::Column;
use crate::amendments::{Amendment, Redaction};
use crate::batch::{Batch, ValueRef};
use crate::disk_sim::{Fault, Loss, SimDisk};
use crate::model::Identity;
use crate::records::amend::FrameEdits;
use crate::records::{EraseRecord, FrameRows};
use crate::schema::{AttrType, Role, Subject};
use crate::span::{Wanted, read_segment};
use crate::strings::Strings;

/// The first of January 2026.
const START: Millis = 1_767_225_600_000;

const ERASED: &str = "crm:the-one-who-is-erased";
const TEXT: &str = "My Name Is Written In The Text";
const EVENT: &str = "an-event-id-of-hers";
const TOPIC: &str = "a topic that only she had";
const CITY: &str = "a town where only she lives";
const AMENDED: &str = "What She Had Really Said";
/// What an interaction of somebody else was, and was amended to, before it was redacted.
const REDACTED: [&str; 2] = ["said 0", "A Card Number In The Note"];
/// All of which nothing may be left.
const WORDS: [&str; 9] =
    [ERASED, "the-one-who-is-erased", TEXT, EVENT, TOPIC, CITY, AMENDED, REDACTED[0], REDACTED[1]];

fn options() -> Options {
    Options { memory_bytes: 1 << 20, ..Options::default() }
}

fn erased() -> Identity {
    Identity::parse(ERASED).expect("parses")
}

fn interaction(who: &str, minute: i64) -> Interaction {
    let time = START + minute * 60_000;
    let interaction =
        Interaction::new(who, time).kind("call").channel(["phone", "email"][minute as usize % 2]);
    match who {
        ERASED => interaction.set("note", TEXT).topic(TOPIC).event_id(&format!("{EVENT}-{minute}")),
        _ => interaction.set("note", format!("said {minute}")).event_id(&format!("{who}-{minute}")),
    }
}

fn import(db: &Db, source: &str, people: &[&str]) {
    let mut import = db.import(source).expect("begins");
    let city = import.declare(Subject::Customer, "city", AttrType::Text, None).expect("declares");
    let kind = import.schema().role(Role::Kind).expect("core").id;
    let mut batch = Batch::new(import.schema());
    for (minute, who) in people.iter().enumerate() {
        batch.begin(&Identity::parse(who).expect("parses"), START + minute as i64 * 60_000);
        batch.set(kind, ValueRef::Str("visit")).expect("sets");
    }
    import.push(batch).expect("pushes");
    let mut batch = Batch::new(import.schema());
    for who in people {
        batch.begin(&Identity::parse(who).expect("parses"), START);
        batch.set(city, ValueRef::Str(if *who == ERASED { CITY } else { "Leeds" })).expect("sets");
    }
    import.push_customers(batch).expect("pushes");
    import.commit().expect("commits");
}

/// Fills a store so that what is erased lies in several history files, in runs and in memory.
fn fill(db: &Db, some: i64) {
    db.writer.lock().history.set_rotation(2_000);
    db.append([interaction("crm:a", 0), interaction(ERASED, 1)]).expect("appends");
    import(db, "first", &["crm:b", ERASED, "crm:a"]);
    db.append((2..some).map(|minute| interaction(["crm:c", "crm:a", ERASED][minute as usize % 3], minute)))
        .expect("appends");
    let all = db.snapshot().present().clone();
    db.save_cohort("all", &all).expect("saves");
    db.seal().expect("seals");
    let note = |event: &str, text: &str| db.amend([Amendment::new(event).set("note", text)]).expect("amends");
    note(&format!("{EVENT}-1"), AMENDED);
    note("crm:a-0", REDACTED[1]);
    db.redact([Redaction::new("crm:a-0", ["note"])]).expect("redacts");
    note("crm:a-0", "said otherwise");
    db.append([interaction(ERASED, 900), interaction("crm:d", 901)]).expect("appends");
    db.append([interaction("crm:back", 7)]).expect("appends");
    db.erase(&Identity::parse("crm:back").expect("parses")).expect("erases");
    db.erase(&erased()).expect("erases");
    db.forgive(&Identity::parse("crm:back").expect("parses")).expect("forgives");
    db.append([interaction("crm:back", 7), interaction("crm:e", 902)]).expect("appends");
}

/// What a store shows, by names.
type Shown =
    (u64, u64, Option<(Millis, Millis)>, BTreeMap<String, Vec<String>>, Vec<String>, Vec<(u64, Millis)>);

fn shown(db: &Db) -> Shown {
    let snapshot = db.snapshot();
    let mut attrs: Vec<_> = snapshot.schema().attributes().iter().map(|attribute| attribute.id).collect();
    attrs.push(crate::schema::AttrId::SEQUENCE);
    attrs.push(crate::schema::AttrId::COMMIT);
    let mut journeys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for unit in 0..snapshot.units().len() {
        let block = snapshot.read(unit, &attrs).expect("reads");
        for (place, &customer) in block.customers.iter().enumerate() {
            let rows = journeys.entry(snapshot.customer_name(customer).expect("has a name")).or_default();
            for row in block.journey(place) {
                let mut line = block.times[row].to_string();
                for (attr, column) in &block.columns {
                    let value = match column {
                        Column::Str { codes, dictionary } if codes[row] > 0 => {
                            dictionary.get(codes[row] as usize - 1).to_owned()
                        }
                        Column::Symbol { codes, dictionary } if codes[row] > 0 => {
                            snapshot.symbols(*attr).get(dictionary[codes[row] as usize - 1]).to_owned()
                        }
                        Column::Int { values, .. } => values[row].to_string(),
                        _ => continue,
                    };
                    line.push_str(&format!(" {attr:?}={value}"));
                }
                rows.push(line);
            }
        }
    }
    let cohort = snapshot.cohort("all").expect("reads").expect("is there");
    let mut cohort: Vec<String> =
        cohort.into_iter().map(|customer| snapshot.customer_name(customer).expect("has a name")).collect();
    cohort.sort();
    let span = snapshot.time_span().expect("reads");
    let recorded = snapshot.recorded().expect("reads");
    (snapshot.commit(), snapshot.interactions(), span, journeys, cohort, recorded)
}

fn strings(strings: &Strings, found: &mut Vec<String>) {
    found.extend(strings.iter().map(str::to_owned));
}

fn column(column: &Column, found: &mut Vec<String>) {
    if let Column::Str { dictionary, .. } = column {
        strings(dictionary, found);
    }
}

/// Every text in history and graph, read back from them.
pub(super) fn texts(db: &Db) -> Vec<String> {
    let writer = db.writer.lock();
    let mut found = Vec::new();
    let mut frames = writer.history.frames(writer.history.start(), writer.history.end());
    while let Some(frame) = frames.next().expect("reads") {
        match frame.header.kind & !FINAL {
            records::INTERACTIONS | records::CUSTOMERS => {
                let rows = FrameRows::decode(&frame.body, "frame").expect("decodes");
                strings(&rows.identities, &mut found);
                rows.columns.iter().for_each(|(_, values)| column(values, &mut found));
            }
            records::AMEND | records::REDACT => {
                let edits = FrameEdits::decode(&frame.body, "frame").expect("decodes");
                strings(&edits.rows.identities, &mut found);
                edits.rows.columns.iter().for_each(|(_, values)| column(values, &mut found));
            }
            _ => found.push(String::from_utf8_lossy(&frame.body).into_owned()),
        }
    }
    let state = &writer.state;
    let version = &state.version;
    for range in &version.manifest.ranges {
        for meta in range.versions(true).flat_map(|run| &run.segments) {
            let block = read_segment(&version.chunks, &state.names, meta, Wanted::All).expect("reads");
            block.columns.iter().for_each(|(_, values)| column(values, &mut found));
        }
    }
    for (_, pages) in &version.manifest.symbols {
        for page in pages {
            strings(&crate::string_pages::page_strings(&version.chunks, page).expect("reads"), &mut found);
        }
    }
    for page in &version.manifest.identities {
        strings(&crate::string_pages::page_strings(&version.chunks, page).expect("reads"), &mut found);
    }
    for chunk in version.manifest.chunks() {
        found.push(String::from_utf8_lossy(&version.chunks.read(chunk).expect("reads")).into_owned());
    }
    if let Some(block) = &state.customers {
        block.columns.iter().for_each(|(_, values)| column(values, &mut found));
    }
    found
}

/// Which of what was erased is in some texts.
fn left_in(texts: &[String]) -> Vec<&'static str> {
    WORDS.into_iter().filter(|word| texts.iter().any(|text| text.contains(word))).collect()
}

/// The bytes of all files below a folder.
pub(super) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).expect("reads")));
        }
    }
    found
}

#[test]
fn a_byte_search_finds_nothing_of_the_erased() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let db = Db::open_with(&path, options()).expect("opens");
    fill(&db, 400);
    let before = shown(&db);
    assert!(!before.3.contains_key(ERASED) && before.3.contains_key("crm:back"));
    assert_eq!(left_in(&texts(&db)).len(), WORDS.len(), "all is still in the files");
    let report = db.vacuum().expect("is vacuumed");
    assert_eq!((report.rows, report.values, report.frames > 3), (136 + 2, 3, true), "{report:?}");
    assert!(report.bytes_after < report.bytes_before, "{report:?}");
    assert_eq!(shown(&db), before);
    assert_eq!(left_in(&texts(&db)), Vec::<&str>::new());
    for (name, bytes) in files(&path) {
        for word in WORDS {
            let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!found, "{word} is in {name}");
        }
    }
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
    // It is done once, and the store goes on.
    let again = db.vacuum().expect("is vacuumed");
    assert_eq!((again.rows, again.files, again.bytes_before), (0, 0, report.bytes_after));
    db.close().expect("closes");
    let db = Db::open_with(&path, options()).expect("opens");
    assert_eq!(shown(&db), before);
    let commit = db.append([interaction(ERASED, 1), interaction("crm:a", 0), interaction("crm:a", 5)]);
    let commit = commit.expect("appends");
    assert_eq!((commit.added, commit.duplicates, commit.erased), (1, 1, 1));
    // Nor does an event become somebody else's.
    let hers = interaction("crm:f", 3).event_id(&format!("{EVENT}-1"));
    assert_eq!(db.append([hers]).expect("appends").duplicates, 1);
}

#[test]
fn rows_without_a_sequence_go_on_being_counted() {
    let disk = SimDisk::new();
    let db = Db::open_on(Arc::new(disk), options()).expect("opens");
    let plain = |who: &str, kind: &str| Interaction::new(who, START).kind(kind);
    db.append([plain(ERASED, "x"), plain(ERASED, "y"), plain("crm:a", "first")]).expect("appends");
    db.erase(&erased()).expect("erases");
    db.vacuum().expect("is vacuumed");
    db.append([plain("crm:a", "second")]).expect("appends");
    let snapshot = db.snapshot();
    let block = snapshot.read(0, &[crate::schema::AttrId::SEQUENCE]).expect("reads");
    assert_eq!(block.columns[0].1, Column::Int { values: vec![2, 3], valid: None });
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
    let told = shown(&db).3;
    db.vacuum().expect("is vacuumed");
    let operations = disk.operations() - before;
    assert!(operations > 20, "{operations}");
    let (mut old, mut new) = (0, 0);
    for fault in [Fault::Crash, Fault::SyncError, Fault::DiskFull, Fault::Error] {
        for n in 1..=operations {
            let (disk, db) = store();
            disk.fail_at(disk.operations() + n, fault);
            let answer = db.vacuum();
            let context = format!("{fault:?} at {n} ({:?}), answered {answer:?}", disk.struck());
            let losses = [(0, Loss::Kept), (0, Loss::Lost), (n, Loss::Torn), (n + 1, Loss::Torn)];
            let found: Vec<(SimDisk, String)> = match fault {
                Fault::Crash => losses
                    .iter()
                    .map(|&(seed, loss)| (disk.after_crash(seed, loss), format!("{context}, {loss:?}")))
                    .collect(),
                _ => {
                    if db.append([interaction("crm:g", 5)]).is_ok() {
                        assert_eq!(shown(&db).3.len(), told.len() + 1, "{context}");
                    }
                    drop(db);
                    vec![(disk, context)]
                }
            };
            for (disk, context) in found {
                let db = Db::open_on(Arc::new(disk.clone()), options())
                    .unwrap_or_else(|error| panic!("{context}: {error}"));
                let mut journeys = shown(&db).3;
                journeys.remove("crm:g");
                assert_eq!(journeys, told, "{context}");
                assert_eq!(db.check().expect("checks").problems, Vec::<String>::new(), "{context}");
                match left_in(&texts(&db)).is_empty() {
                    true => new += 1,
                    false => old += 1,
                }
                db.vacuum().unwrap_or_else(|error| panic!("{context}, then {error}"));
                assert_eq!(left_in(&texts(&db)), Vec::<&str>::new(), "{context}");
                let names = db.writer.lock().history.file_names();
                let listed: Vec<String> = disk.list("history").expect("lists");
                let listed: Vec<String> = listed.iter().map(|name| format!("history/{name}")).collect();
                assert_eq!(listed, names, "{context}");
            }
        }
    }
    assert!(old > 0 && new > 0, "{old} old ones, {new} new ones");
}

#[test]
fn a_backup_and_a_vacuum_do_not_disturb_each_other() {
    let disk = SimDisk::new();
    let db = Db::open_on(Arc::new(disk), options()).expect("opens");
    fill(&db, 60);
    let told = shown(&db);
    let reader = db.snapshot();
    std::thread::scope(|scope| {
        let backups: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let copy = SimDisk::new();
                    db.backup_on(Arc::new(copy.clone())).map(|_| copy)
                })
            })
            .collect();
        db.vacuum().expect("is vacuumed");
        for backup in backups {
            let copy = backup.join().expect("ends").expect("makes a backup");
            let copy = Db::open_on(Arc::new(copy), options()).expect("opens");
            assert_eq!(shown(&copy), told);
        }
    });
    // One that began before reads on.
    let rows: usize =
        (0..reader.units().len()).map(|unit| reader.read(unit, &[]).expect("reads").rows()).sum();
    assert_eq!(rows as u64, reader.interactions());
    let copy = SimDisk::new();
    db.backup_on(Arc::new(copy.clone())).expect("makes a backup");
    let copy = Db::open_on(Arc::new(copy), options()).expect("opens");
    assert_eq!(shown(&copy), told);
    assert_eq!(left_in(&texts(&copy)), Vec::<&str>::new());
}

#[test]
fn nothing_in_a_tombstone_says_who_it_was() {
    let disk = SimDisk::new();
    let db = Db::open_on(Arc::new(disk), options()).expect("opens");
    fill(&db, 12);
    let writer = db.writer.lock();
    let mut frames = writer.history.frames(writer.history.start(), writer.history.end());
    let mut records = Vec::new();
    while let Some(frame) = frames.next().expect("reads") {
        if frame.header.kind & !FINAL == records::ERASE {
            records.push(EraseRecord::decode(&frame.body, "frame").expect("decodes"));
        }
    }
    let [back, hers, lifted] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((hers.identities.len(), hers.events.len()), (1, 6));
    assert_eq!(hers.identities, [crate::digest::identity_key(writer.state.store_key, ERASED)]);
    assert_eq!(back.identities, lifted.lifted);
}
