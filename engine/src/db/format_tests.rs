//! Stores of other formats: refused in words, or brought up to date.

use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::crash_tests::{dump, options, run, try_open};
use super::*;
use crate::disk::write_atomically;
use crate::disk_sim::SimDisk;
use crate::schema::Subject;
use crate::{Column, schema::Role};

const FILE: &str = "history/00000001.tlh";

fn store() -> SimDisk {
    let disk = SimDisk::new();
    let (told, db) = run(&disk);
    assert!(told.error.is_none(), "{:?}", told.error);
    db.expect("is open").close().expect("closes");
    disk
}

/// That opening is refused with all these words, and that no byte of HEAD and history changes by it.
#[track_caller]
fn refused(disk: &SimDisk, words: &[&str]) {
    let before = (disk.contents(HEAD), disk.contents(FILE), disk.list("history").expect("lists"));
    let error = try_open(disk).expect_err("is of another format");
    assert!(matches!(error, Error::NotAStore(_)), "{error:?}");
    for word in words {
        assert!(error.to_string().contains(word), "no `{word}` in: {error}");
    }
    assert!(before == (disk.contents(HEAD), disk.contents(FILE), disk.list("history").expect("lists")));
}

#[test]
fn a_head_of_another_format_is_refused_in_words_whatever_its_length() {
    let disk = store();
    let whole = disk.contents(HEAD).expect("is there");
    for (format, way_out) in
        [(0_u32, "older than any"), (2, "a newer version"), (u32::MAX, "a newer version")]
    {
        for len in [12, 40, whole.len(), whole.len() + 100] {
            let mut bytes = whole.clone();
            bytes.resize(len, 7);
            bytes[8..12].copy_from_slice(&format.to_le_bytes());
            write_atomically(&disk, HEAD, &bytes).expect("writes");
            refused(&disk, &[&format!("sim has format {format}, and this program reads format 1"), way_out]);
        }
    }
    write_atomically(&disk, HEAD, &whole).expect("writes");
    try_open(&disk).expect("opens");
}

/// The history file with `change` made to its first frame and the checksums made anew: what another
/// version of this program would write.
fn with_first_frame(disk: &SimDisk, change: impl Fn(&mut [u8], &mut [u8])) {
    let mut bytes = disk.contents(FILE).expect("is there");
    let store_id = bytes[16..32].to_vec();
    let len = u32::from_le_bytes(*bytes[48 + 12..].first_chunk().expect("a length")) as usize;
    let (header, rest) = bytes[48..].split_at_mut(56);
    let body = &mut rest[..len];
    change(header, body);
    header[40..48].copy_from_slice(&xxh3_64(body).to_le_bytes());
    let seed = xxh3_64_with_seed(&store_id, 1).wrapping_add(48);
    let sum = xxh3_64_with_seed(&header[..48], seed);
    header[48..].copy_from_slice(&sum.to_le_bytes());
    write_atomically(disk, FILE, &bytes).expect("writes");
}

/// Nothing but the history: all of it is read.
fn lose_the_graph(disk: &SimDisk) {
    for name in disk.list("").expect("lists") {
        if name.starts_with("graph-") {
            disk.remove_dir(&name).expect("removes");
        }
    }
}

#[test]
fn a_history_of_another_format_is_refused_in_words() {
    let disk = store();
    let mut bytes = disk.contents(FILE).expect("is there");
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    let sum = xxh3_64(&bytes[..40]);
    bytes[40..48].copy_from_slice(&sum.to_le_bytes());
    write_atomically(&disk, FILE, &bytes).expect("writes");
    refused(&disk, &[FILE, "has format 2, and this program reads format 1", "a newer version"]);
}

#[test]
fn frames_and_records_of_another_format_are_refused_in_words() {
    // The first frame is a schema.
    let frame = store();
    with_first_frame(&frame, |header, _| header[4] = 2);
    lose_the_graph(&frame);
    refused(&frame, &["the frame at byte 48 of history/00000001.tlh has format 2", "a newer version"]);

    let kind = store();
    with_first_frame(&kind, |header, _| header[5] = 31);
    lose_the_graph(&kind);
    refused(&kind, &["record of kind 31", "use a newer one"]);

    // Rows stand in the first frame where nothing new is declared.
    for (version, way_out) in [(0, "older than any"), (9, "a newer version")] {
        let disk = SimDisk::new();
        let db = try_open(&disk).expect("opens");
        db.append([Interaction::new("crm:1", 0).kind("call")]).expect("appends");
        db.close().expect("closes");
        with_first_frame(&disk, |_, body| body[0] = version);
        lose_the_graph(&disk);
        refused(
            &disk,
            &["the body of history/00000001.tlh at byte 48", &format!("format {version}"), way_out],
        );
    }
}

#[test]
fn a_graph_of_another_format_is_made_anew() {
    let disk = store();
    let expected = dump(&try_open(&disk).expect("opens").snapshot());
    for xor in 1..=8 {
        let graph = |disk: &SimDisk| {
            disk.list("").expect("lists").into_iter().find(|name| name.starts_with("graph-"))
        };
        let before = graph(&disk);
        assert!(disk.graph_corrupt(b"manifest", 0, xor));
        let db = try_open(&disk).expect("opens");
        assert_eq!(dump(&db.snapshot()), expected);
        assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
        drop(db);
        assert!(before != graph(&disk), "{xor}: {before:?} is still in use");
    }
}

/// Bytes that this format's first writer left, kept for ever: five interactions, a customer's
/// attribute and a cohort, without the graph.
#[test]
fn a_store_that_was_written_once_is_read_for_ever() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/format-1");
    let disk = SimDisk::new();
    disk.create_dir("history").expect("makes a folder");
    for name in [HEAD, FILE] {
        let bytes = std::fs::read(kept.join(name)).expect("is kept");
        write_atomically(&disk, name, &bytes).expect("writes");
    }
    let db = Db::open_on(Arc::new(disk), Options { create: false, ..options() }).expect("opens");
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
    let snapshot = db.snapshot();
    assert_eq!((snapshot.interactions(), snapshot.customers()), (5, 3));
    let (topic, plan) = (
        snapshot.schema().role(Role::Topic).expect("core").id,
        snapshot.schema().find(Subject::Customer, "plan").expect("was declared").id,
    );
    let mut rows = Vec::new();
    for unit in 0..snapshot.units().len() {
        let block = snapshot.read(unit, &[topic]).expect("reads");
        let Some(Column::Symbol { codes, dictionary }) = block.column(topic) else { panic!("a symbol") };
        for (place, &customer) in block.customers.iter().enumerate() {
            let name = snapshot.customer_name(customer).expect("has a name");
            for row in block.journey(place) {
                let topic = snapshot.symbols(topic).get(dictionary[codes[row] as usize - 1]).to_owned();
                rows.push(format!("{name} {} {topic}", block.times[row]));
            }
        }
    }
    let expected = [
        "crm:1 1767603600000 billing",
        "crm:1 1767693600000 billing",
        "crm:1 1768242600000 billing",
        "crm:2 1767787200000 delivery",
        "crm:3 1767859200000 billing",
    ];
    assert_eq!(rows, expected);
    assert!(!snapshot.customer_column(plan).expect("reads").is_null(0));
    assert_eq!(snapshot.cohorts(), ["unhappy"]);
    assert_eq!(snapshot.cohort("unhappy").expect("reads").map(|customers| customers.len()), Some(2));
}
