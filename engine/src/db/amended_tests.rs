//! What amendments and redactions leave behind, and what is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::amend_tests::{SECOND, START, identity, open, shown};
use super::*;
use crate::Column;
use crate::amendments::{Amendment, Redaction};
use crate::batch::Batch;
use crate::clock::Clock;
use crate::disk_sim::SimDisk;
use crate::limits::BATCH_INTERACTIONS_MAX;
use crate::schema::{AttrType, Role, Subject};

/// A store of interactions `e0`, `e1` … of a hundred customers, all of them sealed.
fn large(count: usize) -> (SimDisk, Arc<AtomicI64>, Db) {
    let (disk, hands) = (SimDisk::new(), Arc::new(AtomicI64::new(START)));
    let clock = Arc::clone(&hands);
    let clock = Clock::of(move || clock.load(Ordering::Relaxed));
    let options = Options { memory_bytes: 1 << 20, clock, ..Options::default() };
    let db = Db::open_on(Arc::new(disk.clone()), options).expect("opens");
    let row = |n: usize| {
        let row = Interaction::new(format!("crm:{}", n % 100), START - n as i64 * SECOND);
        row.event_id(&format!("e{n}")).topic("delivery").set("text", format!("secret {n}").as_str())
    };
    db.append((0..count).map(row)).expect("appends");
    db.seal().expect("seals");
    (disk, hands, db)
}

fn past(db: &Db) -> Vec<(u64, u64)> {
    let manifest = &db.writer.lock().state.version.manifest;
    let runs = manifest.ranges.iter().flat_map(|range| &range.past);
    runs.map(|run| (run.rows(), run.dead.rows)).collect()
}

fn topic(db: &Db, event: usize, value: &str) {
    let corrections = db.amend([Amendment::new(format!("e{event}")).set("topic", value)]).expect("amends");
    assert_eq!(corrections.changed(), 1);
}

#[test]
fn earlier_versions_gather_in_runs_and_are_merged() {
    let (_, _, db) = large(4_000);
    for event in 0..8 {
        topic(&db, event, "billing");
        db.seal().expect("seals");
    }
    assert_eq!(past(&db), [(1, 0); 8]);
    // Who is amended again leaves a run, and comes with all versions.
    topic(&db, 3, "refund");
    db.seal().expect("seals");
    assert_eq!(past(&db), [(9, 0)], "eight are merged, without what is dead in them");
    topic(&db, 3, "delivery");
    topic(&db, 4, "refund");
    db.seal().expect("seals");
    assert_eq!(past(&db), [(9, 3), (5, 0)]);
    assert_eq!(db.snapshot().interactions(), 4_000);
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
    // A fold makes one run of them.
    db.append((0..1_400).map(|n| Interaction::new(format!("crm:{}", n % 100), START))).expect("appends");
    db.seal().expect("seals");
    assert_eq!(past(&db), [(11, 0)]);
    db.rebuild().expect("rebuilds");
    assert_eq!(past(&db), [(11, 0)]);
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
}

#[test]
fn amendments_of_many_customers_are_sorted_outside_memory() {
    let (disk, hands, db) = large(2_000);
    hands.fetch_add(SECOND, Ordering::Relaxed);
    let all = (0..2_000).map(|n| Amendment::new(format!("e{n}")).set("topic", format!("t{}", n % 7)));
    let corrections = db.amend(all).expect("amends");
    assert_eq!((corrections.changed(), corrections.unknown(), corrections.events.len()), (2_000, 0, 2_000));
    // It was more than is moved in memory, so that it is sealed.
    assert_eq!((past(&db), db.info().expect("reads").unsealed), (vec![(2_000, 0)], 0));
    let count = |db: &Db, at: Millis, value: &str| {
        let snapshot = db.snapshot().as_of(at).expect("reads");
        let topic = snapshot.schema().role(Role::Topic).expect("core").id;
        let mut count = 0;
        for unit in 0..snapshot.units().len() {
            let block = snapshot.read(unit, &[topic]).expect("reads");
            let column = block.column(topic).expect("has topics");
            let is = |row: &usize| {
                shown(&snapshot, topic, AttrType::Symbol, column, *row).as_deref() == Some(value)
            };
            count += (0..block.rows()).filter(is).count();
        }
        count
    };
    let compare = |db: &Db| {
        assert_eq!((count(db, START, "delivery"), count(db, START, "t3")), (2_000, 0));
        assert_eq!((count(db, START + SECOND, "delivery"), count(db, START + SECOND, "t3")), (0, 286));
        assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
    };
    compare(&db);
    drop(db);
    let db = open(&disk, &hands);
    compare(&db);
    db.rebuild().expect("rebuilds");
    compare(&db);
}

#[test]
fn what_is_redacted_is_in_no_dictionary_of_the_graph() {
    let (_, _, db) = large(300);
    db.amend([Amendment::new("e7").set("text", "a secret too")]).expect("amends");
    db.seal().expect("seals");
    assert_eq!(db.redact([Redaction::new("e7", ["text"])]).expect("redacts").changed(), 1);
    let found = |db: &Db| {
        let writer = db.writer.lock();
        let state = &writer.state;
        let text = state.names.schema.role(Role::Text).expect("core").id;
        let mut texts: Vec<String> = Vec::new();
        let mut add = |block: &crate::Block| {
            if let Some(Column::Str { dictionary, .. }) = block.column(text) {
                texts.extend(dictionary.iter().map(str::to_owned));
            }
        };
        for run in state.version.manifest.ranges.iter().flat_map(|range| range.versions(true)) {
            for meta in &run.segments {
                let wanted = crate::span::Wanted::All;
                add(&crate::span::read_segment(state.chunks(), &state.names, meta, wanted).expect("reads"));
            }
        }
        state.tail.pieces().iter().chain(state.past.pieces()).for_each(|piece| add(piece.block()));
        texts.into_iter().filter(|text| text == "secret 7" || text == "a secret too").count()
    };
    // What is dead lies in the runs until they are folded, and is read by nobody.
    assert_eq!(found(&db), 3);
    db.rebuild().expect("rebuilds");
    assert_eq!(found(&db), 0);
    assert_eq!(past(&db), [(1, 0)]);
}

#[test]
fn a_wrong_amendment_is_refused_and_changes_nothing() {
    let (_, _, db) = large(10);
    let commit = db.snapshot().commit();
    let error = |amendment: Amendment, says: &str| {
        // What is sound beside it is not done either.
        let sound = Amendment::new("e1").set("topic", "billing");
        let error = db.amend([sound, amendment]).expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    };
    error(Amendment::new("e2"), "event `e2`: name an attribute");
    error(Amendment::new("").set("topic", "x"), "needs the event id");
    error(Amendment::new("e2").set("EVENT_ID", "e3"), "stays what it is");
    error(
        Amendment::new("e2").set("resolved", "perhaps"),
        "event `e2`: resolved: `perhaps` is not true or false",
    );
    error(Amendment::new("e2").set("text", "x".repeat(2 << 20).as_str()), "bytes in a value");
    error(Amendment::new("e2").set("", "x"), "an attribute needs a name");
    let redacted = db.redact([Redaction::new("e1", ["no such"])]).expect_err("is refused").to_string();
    assert!(redacted.contains("there is no attribute `no such`"), "{redacted}");
    assert!(db.redact([Redaction::new("e1", Vec::<String>::new())]).is_err());
    let many = (0..=BATCH_INTERACTIONS_MAX).map(|_| Amendment::new("e1").set("topic", "x"));
    assert!(matches!(db.amend(many), Err(Error::Limit { .. })));
    // Nothing to clear, nothing new, nobody who has it.
    let identity = identity("crm:5");
    let corrections = db
        .amend([
            Amendment::new("e3").clear("nothing").set("topic", "delivery"),
            Amendment::new("e3").of(identity.clone()).set("topic", "billing"),
            Amendment::new("e77").set("topic", "billing"),
        ])
        .expect("amends nothing");
    assert_eq!((corrections.unchanged(), corrections.unknown(), corrections.commit), (1, 2, commit));
    assert_eq!(db.redact([Redaction::new("e6", ["text"]).of(identity)]).expect("finds none").unknown(), 1);
    assert_eq!(db.amend([]).expect("does nothing").commit, commit);
    assert_eq!(db.snapshot().commit(), commit);
    // The last of two counts, attribute by attribute, and a new attribute comes with its first value.
    let corrections = db
        .amend([
            Amendment::new("e3").set("topic", "billing").set("points", 3_i64),
            Amendment::new("e3").set("Topic", "refund"),
        ])
        .expect("amends");
    assert_eq!(corrections.changed(), 2);
    let schema = db.snapshot().schema().clone();

    let (topic, points) =
        (schema.role(Role::Topic).expect("core").id, schema.find(Subject::Interaction, "points"));
    let points = points.expect("is new").id;
    let rows = db.snapshot().find_events(&["e3"].into(), None, &[topic, points]).expect("reads");
    let value = |attr, ty| {
        let (_, column) = rows.columns.iter().find(|(known, _)| *known == attr).expect("was asked for");
        shown(&db.snapshot(), attr, ty, column, 0)
    };
    assert_eq!(value(topic, AttrType::Symbol).as_deref(), Some("refund"));
    assert_eq!(value(points, AttrType::Int).as_deref(), Some("3"));
}

#[test]
fn a_role_that_moves_takes_no_amendment_to_another_interaction() {
    let (disk, hands, db) = large(40);
    // All at one time, so that event ids alone tell them apart.
    db.append((100..110).map(|n| Interaction::new("crm:1", START).event_id(&format!("e{n}"))))
        .expect("appends");
    topic(&db, 104, "billing");
    let mut import = db.import("test").expect("begins");
    import.declare(Subject::Interaction, "number", AttrType::Id, Some(Role::EventId)).expect("declares");
    let mut batch = Batch::new(import.schema());
    batch.begin(&identity("crm:1"), START);
    import.push(batch).expect("pushes");
    import.commit().expect("commits");
    let amended = |db: &Db| {
        let snapshot = db.snapshot();
        let id = snapshot.schema().find(Subject::Interaction, "event_id").expect("stays").id;
        let topic = snapshot.schema().role(Role::Topic).expect("core").id;
        let mut out = Vec::new();
        for unit in 0..snapshot.units().len() {
            let block = snapshot.read(unit, &[id, topic]).expect("reads");
            let text = |attr, ty, row| shown(&snapshot, attr, ty, block.column(attr).expect("is there"), row);
            out.extend((0..block.rows()).filter_map(|row| {
                let billing = text(topic, AttrType::Symbol, row).as_deref() == Some("billing");
                billing.then(|| text(id, AttrType::Id, row)).flatten()
            }));
        }
        assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
        out
    };
    assert_eq!(amended(&db), ["e104"]);
    drop(db);
    let db = open(&disk, &hands);
    db.rebuild().expect("rebuilds");
    assert_eq!(amended(&db), ["e104"]);
}

#[test]
fn versions_that_do_not_fit_are_found() {
    type Change = fn(&mut crate::manifest::Range);
    let changes: [(Change, &str); 3] = [
        (|range| range.past[0].dead.rows += 1, "what is dead is not counted"),
        (|range| range.runs.extend(range.past.pop()), "as they were before they were amended"),
        (|range| range.past[0].index = range.base.index.clone(), "is not counted as the segments have it"),
    ];
    for (change, says) in changes {
        let (_, _, db) = large(2_000);
        topic(&db, 5, "billing");
        db.seal().expect("seals");
        {
            let mut writer = db.writer.lock();
            let mut manifest = writer.state.version.manifest.clone();
            change(&mut manifest.ranges[0]);
            let chunks = Arc::clone(writer.state.chunks());
            writer.state.version = crate::manifest::Version::new(manifest, chunks);
        }
        let problems = db.check().expect("checks").problems;
        assert!(problems.iter().any(|problem| problem.contains(says)), "{says}: {problems:?}");
    }
}
