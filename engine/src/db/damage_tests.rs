//! Stored bytes that are not what was written, readers beside writers, and
//! handles after a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use super::crash_tests::{
    Row, dump, forgotten, interaction, options, plans, rewrite, run, try_dump, try_open,
};
use super::*;
use crate::batch::{Batch, ValueRef};
use crate::disk_sim::{Fault, Loss, SimDisk};
use crate::manifest::Range;
use crate::model::Identity;
use crate::schema::{AttrType, Role, Subject};
use crate::{Column, ImportReport};

type Answers = (BTreeMap<String, Vec<Row>>, BTreeMap<String, String>, Vec<Vec<u32>>);

/// Everything a reader can ask, also of the indexes.
fn answers(snapshot: &Snapshot) -> Result<Answers> {
    let kind = snapshot.schema().role(Role::Kind).expect("core").id;
    let mut counted = Vec::new();
    for symbol in 0..snapshot.symbols(kind).len() as u32 {
        for n in 1..=3 {
            counted.push(snapshot.at_least(kind, symbol, n)?.iter().collect());
        }
    }
    counted.push(snapshot.active(0, 1_000)?.iter().collect());
    // Not known where some run has no kinds.
    for cell in snapshot.tally(kind, kind)?.unwrap_or_default() {
        let [kind, _] = cell.symbols.map(|symbol| symbol.map_or(0, |symbol| symbol + 1));
        counted.push(vec![kind, cell.interactions as u32]);
    }
    for at in [0, 7, 20, 39, 1_000] {
        let then = snapshot.as_of(at)?;
        let (first, last) = then.time_span().expect("reads").unwrap_or_default();
        counted.push(vec![then.interactions() as u32, first as u32, last as u32]);
    }
    Ok((try_dump(snapshot)?, plans(snapshot), counted))
}

/// A closed store with a base, runs, kill marks, cohorts, customers' attributes and event ids, its answers,
/// and the name of its graph.
fn store() -> (SimDisk, Answers, String) {
    let disk = SimDisk::new();
    let (told, db) = run(&disk);
    assert!(told.error.is_none(), "{:?}", told.error);
    let db = db.expect("is open");
    for n in 0..3 {
        db.append([interaction(&format!("x{n}"), n)]).expect("appends");
        if n == 1 {
            rewrite(&db, 0).expect("rewrites");
        }
        db.seal().expect("seals");
    }
    let marks: Vec<u64> = (db.writer.lock().state.version.manifest.ranges.iter().flat_map(Range::all))
        .map(|run| run.dead.rows)
        .collect();
    assert!(marks.len() > 3 && marks[0] > 0, "{marks:?}");
    let kind = db.snapshot().schema().role(Role::Kind).expect("core").id;
    assert!(db.snapshot().tally(kind, kind).expect("counts").is_some());
    let answers = answers(&db.snapshot()).expect("reads");
    db.close().expect("closes");
    let graph = disk.list("").expect("lists").into_iter().find(|name| name.starts_with("graph-"));
    (disk, answers, graph.expect("a graph"))
}

fn copy(disk: &SimDisk) -> SimDisk {
    disk.after_crash(0, Loss::Kept)
}

fn keys(disk: &SimDisk, graph: &str) -> Vec<Vec<u8>> {
    disk.open_graph(graph).expect("opens").keys().expect("lists")
}

/// Asks; where the graph is damaged, repairs it and asks again. Answers whether it was.
fn ask<T>(db: &Db, context: &str, ask: impl Fn(&Db) -> Result<T>) -> (T, bool) {
    match ask(db) {
        Ok(answer) => (answer, false),
        Err(error) => {
            let named = matches!(&error, Error::Damaged { file, .. } if file.starts_with("graph-"));
            assert!(named, "{context}: {error}");
            assert!(db.repair(&error).expect("repairs"), "{context}: {error}");
            (ask(db).unwrap_or_else(|error| panic!("{context}: {error}")), true)
        }
    }
}

fn sound(db: &Db, expected: &Answers, context: &str) -> bool {
    let (found, damaged) = ask(db, context, |db| answers(&db.snapshot()));
    assert_eq!(found, *expected, "{context}");
    // An event id that is known, looked up in the stored runs.
    let (again, damaged_keys) = ask(db, context, |db| db.append([interaction("x0", 0)]));
    assert_eq!((again.added, again.duplicates), (0, 1), "{context}");
    damaged || damaged_keys
}

#[test]
fn a_damaged_chunk_is_named_and_repaired() {
    let (disk, expected, graph) = store();
    type Damage = fn(&SimDisk, &[u8]) -> bool;
    let kinds: [(&str, Damage); 3] = [
        ("removed", |disk, key| disk.graph_remove(key)),
        ("flipped", |disk, key| disk.graph_corrupt(key, 9, 16)),
        ("cut", |disk, key| disk.graph_truncate(key, 7)),
    ];
    let mut seen = 0;
    for key in keys(&disk, &graph) {
        for (name, damage) in kinds {
            let context = format!("{:?} {name}", String::from_utf8_lossy(&key));
            // Before it is opened: what opening reads is repaired by it.
            let before = copy(&disk);
            damage(&before, &key);
            let db = try_open(&before).unwrap_or_else(|error| panic!("{context}: {error}"));
            sound(&db, &expected, &format!("{context} before opening"));
            if key == b"manifest" {
                continue;
            }
            // And after: what is read then is verified.
            let after = copy(&disk);
            let db = try_open(&after).expect("opens");
            damage(&after, &key);
            seen += usize::from(sound(&db, &expected, &format!("{context} after opening")));
        }
    }
    assert!(seen > 10, "only {seen} damages were met");
}

#[test]
fn a_lost_graph_is_made_again() {
    let (disk, expected, graph) = store();
    disk.remove_dir(&graph).expect("removes");
    let db = try_open(&disk).expect("opens");
    assert!(!sound(&db, &expected, "without a graph"));
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
}

#[test]
fn sealed_answers_do_not_need_the_history() {
    let (disk, expected, _) = store();
    let db = try_open(&disk).expect("opens");
    disk.hide("history");
    assert_eq!(answers(&db.snapshot()).expect("reads"), expected);
}

#[test]
fn a_damaged_history_is_refused_by_name_and_never_misread() {
    let (disk, expected, graph) = store();
    let file = "history/00000001.tlh";
    let len = disk.contents(file).expect("is there").len();
    for offset in (0..len as u64).step_by(61) {
        let context = format!("byte {offset} of {len}");
        let flipped = copy(&disk);
        assert!(flipped.corrupt(file, offset, 1));
        let named = |error: &Error| match error {
            Error::Damaged { file: named, offset: at, .. } => named.starts_with(file) && *at <= offset,
            Error::NotAStore(words) => words.contains(file),
            _ => false,
        };
        match try_open(&flipped) {
            Err(error) => assert!(named(&error), "{context}: {error}"),
            Ok(db) => {
                assert_eq!(answers(&db.snapshot()).expect("reads"), expected, "{context}");
                let problems = db.check().expect("checks").problems;
                assert!(problems.iter().any(|problem| problem.contains(file)), "{context}: {problems:?}");
                let error = db.rebuild().expect_err(&context);
                assert!(named(&error), "{context}: {error}");
                assert_eq!(answers(&db.snapshot()).expect("reads"), expected, "{context}");
            }
        }
        // With the graph lost as well there is nothing to answer from.
        flipped.remove_dir(&graph).expect("removes");
        let error = try_open(&flipped).expect_err(&context);
        assert!(named(&error), "{context}: {error}");
    }
}

/// HEAD is written after the graph. Where it is older, the graph's manifest still says how much
/// of the history was acknowledged, and damage there is no torn tail.
#[test]
fn an_older_head_hides_no_damage() {
    let disk = SimDisk::new();
    let db = try_open(&disk).expect("opens");
    db.append([interaction("a", 0)]).expect("appends");
    db.seal().expect("seals");
    let head = disk.contents(HEAD).expect("is there");
    db.append([interaction("b", 1)]).expect("appends");
    db.close().expect("closes");
    disk.open(HEAD, How::Create).expect("opens").append(&head).expect("writes");
    let rows = dump(&try_open(&copy(&disk)).expect("opens").snapshot()).len();
    assert_eq!(rows, 2);
    let file = "history/00000001.tlh";
    let last = disk.contents(file).expect("is there").len() as u64 - 1;
    disk.corrupt(file, last, 1);
    match try_open(&disk).map(|db| dump(&db.snapshot())) {
        Ok(found) => assert_eq!(found.len(), 2, "an acknowledged commit was cut off"),
        Err(error) => assert!(error.to_string().contains(file), "{error}"),
    }
    assert_eq!(disk.contents(file).expect("is there").len() as u64 - 1, last);
}

#[test]
fn readers_keep_their_commit_while_it_is_sealed_merged_folded_and_rebuilt() {
    let disk = SimDisk::new();
    // Without a cache, so that what is gone is missed.
    let uncached = Options { memory_bytes: 16, ..options() };
    let db = Db::open_on(Arc::new(disk.clone()), uncached).expect("opens");
    db.append((0..40).map(|row| interaction("base", row))).expect("appends");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = |keep: usize| {
            let (db, done) = (&db, &done);
            move || {
                let mut held: Vec<(Snapshot, Answers)> = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    let snapshot = db.snapshot();
                    let now = answers(&snapshot).expect("reads");
                    let whole = |(batch, rows): (&String, &Vec<Row>)| rows.len() == 2 || batch == "base";
                    assert!(now.0.iter().all(whole), "half a commit");
                    held.push((snapshot, now));
                    if held.len() > keep {
                        let (snapshot, before) = held.remove(0);
                        assert_eq!(answers(&snapshot).expect("reads"), before);
                    }
                    std::thread::yield_now();
                }
                for (snapshot, before) in held {
                    assert_eq!(answers(&snapshot).expect("reads"), before);
                }
            }
        };
        scope.spawn(reader(0));
        scope.spawn(reader(20));
        for n in 0..60 {
            db.append((0..2).map(|row| interaction(&format!("n{n}"), row))).expect("appends");
            if n % 3 > 0 {
                db.seal().expect("seals");
            }
            if n % 20 == 9 {
                db.rebuild().expect("rebuilds");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let before = answers(&db.snapshot()).expect("reads");
    assert_eq!(before.0.len(), 61);
    // With the last readers gone the old graphs go, and then their chunks of this one.
    for n in 0..2 {
        db.append([interaction(&format!("end{n}"), 0)]).expect("appends");
        db.seal().expect("seals");
    }
    assert_eq!(forgotten(&db, &disk), Vec::<u64>::new());
    assert!(db.writer.lock().state.version.manifest.doomed.len() < 40, "chunks are not removed");
    let graphs = disk.list("").expect("lists").iter().filter(|name| name.starts_with("graph-")).count();
    assert_eq!(graphs, 1);
}

#[test]
fn after_a_failed_sync_nothing_is_shown_or_written() {
    let disk = SimDisk::new();
    let db = try_open(&disk).expect("opens");
    db.append([interaction("a", 0)]).expect("appends");
    let before = dump(&db.snapshot());
    disk.fail_at(disk.operations() + 1, Fault::SyncError);
    assert!(db.append([interaction("b", 0)]).is_err());
    assert!(matches!(db.append([interaction("c", 0)]), Err(Error::Poisoned(_))));
    assert!(matches!(db.seal(), Err(Error::Poisoned(_))));
    assert!(matches!(db.import("d").map(drop), Err(Error::Poisoned(_))));
    assert_eq!(dump(&db.snapshot()), before);
    db.rebuild().expect("rebuilds");
    assert_eq!(dump(&db.snapshot()), before);
    assert!(matches!(db.append([interaction("c", 0)]), Err(Error::Poisoned(_))));
    assert_eq!(dump(&db.snapshot()), before);
}

/// The rows are durable once synced, so what fails after that must not show or seal half of them.
#[test]
fn an_import_that_fails_after_its_sync_is_shown_by_reopening() {
    let import = |db: &Db| -> Result<ImportReport> {
        let mut import = db.import("rows")?;
        let mut batch = Batch::new(import.schema());
        for row in 0..300 {
            batch.begin(&Identity::parse(&format!("crm:{}", row % 9))?, row);
        }
        import.push(batch)?;
        import.commit()
    };
    let first = SimDisk::new();
    let db = try_open(&first).expect("opens");
    let begun = first.operations();
    import(&db).expect("imports");
    let operations = first.operations() - begun;
    let mut kept = 0;
    for n in 1..=operations {
        let disk = SimDisk::new();
        let db = try_open(&disk).expect("opens");
        disk.fail_at(disk.operations() + n, Fault::Error);
        let answer = import(&db);
        // A poisoned handle refuses this; another must not step over the import.
        let later = db.append([interaction("later", 0)]).is_ok();
        assert!(db.seal().is_ok() || !later);
        let shown = db.snapshot().interactions() - u64::from(later);
        assert!(shown == 0 || shown == 300, "operation {n}: {shown} shown after {answer:?}");
        drop(db);
        let found = try_open(&disk).expect("opens").snapshot().interactions() - u64::from(later);
        assert!(found == 300 || found == 0 && answer.is_err(), "operation {n}: {found} after {answer:?}");
        kept += usize::from(found == 300 && answer.is_err());
    }
    assert!(kept > 0);
}

#[test]
fn rows_without_a_sequence_keep_their_places_across_batches() {
    let db = try_open(&SimDisk::new()).expect("opens");
    let mut import = db.import("rows").expect("begins");
    let kind = import.schema().role(Role::Kind).expect("core").id;
    for part in [["a", "b"], ["c", "d"], ["e", "f"]] {
        let mut batch = Batch::new(import.schema());
        for value in part {
            batch.begin(&Identity::parse("crm:1").expect("parses"), 5);
            batch.set(kind, ValueRef::Str(value)).expect("sets");
        }
        import.push(batch).expect("pushes");
    }
    import.commit().expect("commits");
    let snapshot = db.snapshot();
    let block = snapshot.read(0, &[kind]).expect("reads");
    let Some(Column::Symbol { codes, dictionary }) = block.column(kind) else { panic!("symbols") };
    let symbols = snapshot.symbols(kind);
    let kinds: String = codes.iter().map(|&code| symbols.get(dictionary[code as usize - 1])).collect();
    assert_eq!(kinds, "abcdef");
}

/// What an import widened and did not commit is as it was, also in what it did not touch.
#[test]
fn an_abandoned_import_leaves_types_as_they_were() {
    let disk = SimDisk::new();
    let db = try_open(&disk).expect("opens");
    let give = |ty: AttrType, name: &str, commit: bool| {
        let mut import = db.import("plans").expect("begins");
        let plan = import.declare(Subject::Customer, "plan", ty, None).expect("declares");
        let mut batch = Batch::new(import.schema());
        batch.begin(&Identity::parse(name).expect("parses"), 5);
        batch.set(plan, ValueRef::Str("gold")).expect("sets");
        import.push_customers(batch).expect("pushes");
        if commit {
            import.commit().expect("commits");
        }
    };
    give(AttrType::Symbol, "crm:1", true);
    give(AttrType::Text, "crm:2", false);
    give(AttrType::Symbol, "crm:3", true);
    let expected: BTreeMap<String, String> =
        ["crm:1", "crm:3"].map(|name| (name.to_owned(), "gold".to_owned())).into();
    assert_eq!(plans(&db.snapshot()), expected);
    give(AttrType::Text, "crm:4", true);
    assert_eq!(plans(&db.snapshot()).len(), 3);
    drop(db);
    assert_eq!(plans(&try_open(&disk).expect("opens").snapshot()).len(), 3);
}

#[test]
fn a_body_over_the_limit_is_refused_before_anything_is_written() {
    let limit = crate::limits::FRAME_BYTES_MAX;
    let check = |len: usize| crate::commit::check_frames(&[(0, vec![0; 5]), (1, vec![0; len])]);
    assert!(check(limit).is_ok());
    assert!(matches!(check(limit + 1), Err(Error::Limit { .. })));
}

#[test]
fn any_horizon_is_taken() {
    let disk = SimDisk::new();
    let far = Options { horizon_ms: i64::MAX, ..options() };
    let db = Db::open_on(Arc::new(disk), far).expect("opens");
    db.append([Interaction::new("crm:1", i64::MAX)]).expect("appends");
    assert_eq!(db.time_bounds().end(), &i64::MAX);
    let times: BTreeSet<i64> =
        db.snapshot().time_span().expect("reads").into_iter().map(|(_, last)| last).collect();
    assert_eq!(times, [i64::MAX].into());
}

/// Where time and sequence tie, event id and content decide, however the rows came and whatever
/// columns are asked for.
#[test]
fn ties_are_settled_alike_in_any_batching_and_order() {
    let rows: Vec<Interaction> = (0..40_i64)
        .map(|n| {
            let row = Interaction::new("crm:1", 5).sequence(1).set("amount", n).kind("a");
            if n % 2 == 0 { row.event_id(&format!("e{}", n * 7 % 40)) } else { row }
        })
        .collect();
    let order = |batch: usize, seal_every: usize, reversed: bool| -> Vec<i64> {
        let db = try_open(&SimDisk::new()).expect("opens");
        // Enough others that the rows stay in runs beside a base.
        db.append((0..95).map(|n| Interaction::new("crm:1", 1).set("amount", -n))).expect("appends");
        db.seal().expect("seals");
        let mut rows = rows.clone();
        if reversed {
            rows.reverse();
        }
        for (n, part) in rows.chunks(batch).enumerate() {
            db.append(part.to_vec()).expect("appends");
            if n % seal_every == 0 {
                db.seal().expect("seals");
            }
        }
        let snapshot = db.snapshot();
        let amount = snapshot.schema().find(Subject::Interaction, "amount").expect("is there").id;
        let block = snapshot.read(0, &[amount]).expect("reads");
        let Some(Column::Int { values, .. }) = block.column(amount) else { panic!("ints") };
        values[95..].to_vec()
    };
    let expected = order(40, 1, false);
    // Rows without an event id come before those with one, which are in its order.
    assert!(expected[..20].iter().all(|n| n % 2 == 1) && expected[20..].iter().all(|n| n % 2 == 0));
    let ids: Vec<String> = expected[20..].iter().map(|n| format!("e{}", n * 7 % 40)).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    for (batch, seal_every) in [(1, 1), (1, 3), (1, 100), (3, 1), (7, 2), (40, 2)] {
        for reversed in [false, true] {
            assert_eq!(order(batch, seal_every, reversed), expected, "{batch} {seal_every} {reversed}");
        }
    }
}

#[test]
fn what_has_not_changed_is_not_written_again() {
    let disk = SimDisk::new();
    let db = run(&disk).1.expect("is open");
    let saved = |db: &Db| {
        let writer = db.writer.lock();
        let manifest = &writer.state.version.manifest;
        (manifest.customers.clone(), manifest.cohorts.clone())
    };
    db.seal().expect("seals");
    let before = saved(&db);
    assert!(before.0.is_some() && before.1.len() == 2);
    db.append([interaction("one", 0)]).expect("appends");
    db.seal().expect("seals");
    assert_eq!(saved(&db), before);
    let name = before.1[0].name.clone();
    db.save_cohort(&name, &[9].into_iter().collect()).expect("saves");
    db.close().expect("closes");
    let db = try_open(&disk).expect("opens");
    assert_ne!(saved(&db).1, before.1);
    assert_eq!(db.snapshot().cohort(&name).expect("reads"), Some([9].into_iter().collect()));
    db.append([interaction("two", 0)]).expect("appends");
    let after = saved(&db);
    db.seal().expect("seals");
    assert_eq!(saved(&db), after);
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
}

/// Opening does not read the identities, so damage to them is found by who first asks for one.
#[test]
fn identities_are_read_when_asked_for() {
    let (disk, _, graph) = store();
    let names = |snapshot: &Snapshot| -> Vec<String> {
        (0..snapshot.ordinals()).map(|customer| snapshot.customer_name(customer).expect("a name")).collect()
    };
    let db = try_open(&disk).expect("opens");
    let page = db.writer.lock().state.version.manifest.identities[0].blob.pages[0];
    let snapshot = db.snapshot();
    let one_by_one = names(&snapshot);
    let second = Identity::parse(&one_by_one[1]).expect("parses");
    // Searched for, then looked up; then all are in memory.
    for _ in 0..2 {
        assert_eq!(snapshot.resolve(&second).expect("reads"), Some(1));
    }
    assert_eq!(snapshot.resolve(&Identity::parse("crm:nobody").expect("parses")).expect("reads"), None);
    assert_eq!(names(&snapshot), one_by_one);
    drop((snapshot, db));
    {
        let store = disk.open_graph(&graph).expect("opens");
        let key = page.id.to_be_bytes();
        let mut bytes = store.get(&key).expect("reads").expect("is there");
        *bytes.last_mut().expect("is not empty") ^= 1;
        store.apply(vec![(key.to_vec(), Some(bytes))]).expect("writes");
        store.flush().expect("flushes");
    }
    let db = try_open(&disk).expect("opens");
    let snapshot = db.snapshot();
    assert!(snapshot.interactions() > 0);
    let error = snapshot.resolve(&second).expect_err("is damaged");
    assert!(snapshot.customer_name(1).is_err());
    assert!(db.append([interaction("late", 0)]).is_err());
    assert!(db.repair(&error).expect("repairs"));
    assert_eq!(names(&db.snapshot()), one_by_one);
    assert_eq!(db.append([interaction("late", 0)]).expect("appends").added, 1);
}
