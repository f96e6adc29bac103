//! RETAIN, from text to answer, and what queries say before and after the files are written anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use throughline_engine::{Clock, Interaction, Options};

use crate::{Db, Params, QueryError, Value};

const DAY: i64 = 86_400_000;
/// 2026-03-31
const NOW: i64 = 1_774_915_200_000;

struct Store {
    db: Db,
    hands: Arc<AtomicI64>,
    folder: tempfile::TempDir,
}

fn open(folder: &tempfile::TempDir, hands: &Arc<AtomicI64>, read_only: bool) -> Db {
    let hands = Arc::clone(hands);
    let clock = Clock::of(move || hands.load(Ordering::Relaxed));
    let options = Options { clock, read_only, ..Options::default() };
    Db::open_with(folder.path().join("store"), options).expect("opens")
}

/// People whose interactions are some to many days old; half of them recorded ten days ago.
fn store() -> Store {
    let folder = tempfile::tempdir().expect("a folder");
    let hands = Arc::new(AtomicI64::new(NOW - 10 * DAY));
    let db = open(&folder, &hands, false);
    let row = |who: &str, kind: &str, days: i64, channel: &str, topic: &str| {
        Interaction::new(who, NOW - days * DAY).kind(kind).channel(channel).topic(topic)
    };
    db.append([
        row("crm:1", "complaint", 300, "twitter", "billing"),
        row("crm:1", "call", 20, "phone", "billing").event_id("e1"),
        row("crm:2", "complaint", 200, "fax", "an old topic"),
        row("crm:2", "call", 199, "fax", "billing").event_id("e2").set("note", "old words"),
        row("crm:3", "complaint", 15, "phone", "delivery"),
    ])
    .expect("appends");
    db.seal().expect("seals");
    hands.store(NOW, Ordering::Relaxed);
    db.append([
        row("crm:1", "review", 9, "web", "billing"),
        row("crm:3", "call", 4, "phone", "delivery"),
        row("crm:4", "complaint", 40, "fax", "an old topic").set("note", "more old words"),
        row("crm:1", "call", 90, "phone", "billing"),
    ])
    .expect("appends");
    db.query("FOR HAS (:complaint) |> SAVE COHORT unhappy").expect("saves");
    Store { db, hands, folder }
}

/// What is asked before and after; the answer, or the error, in words with all warnings.
const QUERIES: [&str; 16] = [
    "INTERACTIONS",
    "AGGREGATE count(*) AS n, min(at) AS first, max(at) AS last, count(DISTINCT topic) AS topics",
    "CHAINS SAME topic GAP 30d MIN 1",
    "FUNNEL (:complaint) -> (:call) -> (:review) WITHIN 400d",
    "MATCH (a:complaint) -> (b:call)",
    "PATHS TOP 5",
    "GRAPH BY channel",
    "MAP BY channel, topic",
    "FCR SAME topic GAP 3d",
    "FOR CUSTOMER 'crm:1' |> INTERACTIONS",
    "FOR COHORT unhappy |> INTERACTIONS",
    "FOR NOT HAS (:review) |> CUSTOMERS",
    "WHERE topic = 'an old topic' |> INTERACTIONS",
    "WHERE channel IN ('fax', 'web') |> AGGREGATE count(*) AS n GROUP BY channel",
    "AS OF '2100-01-01' |> INTERACTIONS",
    "AS OF '2026-03-25' |> INTERACTIONS",
];

fn answers(db: &Db) -> Vec<String> {
    let answer = |query: &&str| match db.query(query) {
        Ok(answer) => {
            let warnings: Vec<String> = answer.warnings().iter().map(|found| format!("{found:?}")).collect();
            format!("{query}: {:?} {warnings:?} {:?}", answer.rows(), answer.notes())
        }
        Err(error) => format!("{query}: {error}"),
    };
    QUERIES.iter().map(answer).collect()
}

#[test]
fn what_is_old_is_dropped_by_a_statement() {
    let Store { db, hands, folder } = store();
    let before = db.snapshot();
    let answer = db.query_with("RETAIN $n MONTH", &Params::from([("n".into(), 1.into())])).expect("drops");
    // Of 31 March the last day of February.
    let cutoff = NOW - 31 * DAY;
    assert_eq!(answer.rows(), [vec![Value::from("1 MONTH"), Value::Time(cutoff), Value::Int(5)]]);
    let names: Vec<&str> = answer.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["kept", "from", "dropped"]);
    assert!(answer.warnings().is_empty() && answer.notes()[0].contains("throughline vacuum"));
    let all = answers(&db).join("\n");
    for word in ["old words", "fax ", "e2", "twitter"] {
        assert!(!all.contains(word), "{word} in {all}");
    }
    // Whoever began before goes on.
    assert_eq!((before.interactions(), db.snapshot().interactions()), (9, 4));

    let again = db.query("RETAIN 1 MONTH").expect("answers");
    assert_eq!(again.rows()[0][2], Value::Int(0));
    assert!(again.notes().is_empty());
    let forever = db.query("RETAIN FOREVER").expect("answers");
    assert_eq!(forever.rows(), [vec![Value::from("FOREVER"), Value::Null, Value::Int(0)]]);
    let wrong = |query: &str, code: &str, says: &str| match db.query(query) {
        Err(error @ QueryError::Query { .. }) => {
            let text = error.to_string();
            assert!(text.contains(code) && text.contains(says), "{query}: {text}");
        }
        other => panic!("{query}: {other:?}"),
    };
    wrong("RETAIN 0 DAYS", "E105", "keep at least one day");
    wrong("RETAIN 100001 YEARS", "E105", "100001");
    wrong("RETAIN $n DAYS", "E307", "$n");
    wrong("AS OF '2026-02-27' |> INTERACTIONS", "E424", "ask AS OF that instant or a later one");
    wrong("AS OF '2026-02-27' |> INTERACTIONS", "E424", "2026-02-28");
    assert!(db.query("AS OF '2026-02-28' |> INTERACTIONS").is_ok());
    let commit = db.snapshot().commit();
    assert!(db.query_with("RETAIN 1 DAY", &Params::from([("x".into(), "y".into())])).is_err());
    assert_eq!(db.snapshot().commit(), commit, "what is wrong writes nothing");
    db.close().expect("closes");
    let error = open(&folder, &hands, true).query("RETAIN 1 DAY").expect_err("is read-only").to_string();
    assert!(error.contains("read-only"), "{error}");
}

#[test]
fn answers_are_the_same_before_and_after_the_files_are_written_anew() {
    let Store { db, hands, folder } = store();
    let with_all = answers(&db);
    db.query("RETAIN 30 DAYS").expect("drops");
    let without = answers(&db);
    assert!(with_all.iter().zip(&without).filter(|(a, b)| a != b).count() > 12);
    db.rebuild().expect("rebuilds");
    assert_eq!(answers(&db), without);
    assert_eq!(db.vacuum().expect("is vacuumed").rows, 5);
    assert_eq!(answers(&db), without);
    db.rebuild().expect("rebuilds");
    assert_eq!(answers(&db), without);
    db.close().expect("closes");
    assert_eq!(answers(&open(&folder, &hands, false)), without);
}
