//! ERASE CUSTOMER, from text to answer, and what queries say before and after the files are written anew.

use throughline_engine::{Interaction, Options};

use crate::{Db, Params, QueryError, Value};

const DAY: i64 = 86_400_000;
/// 2026-01-01
const START: i64 = 1_767_225_600_000;

struct Store {
    db: Db,
    folder: tempfile::TempDir,
}

fn store() -> Store {
    let folder = tempfile::tempdir().expect("a folder");
    let db = Db::open(folder.path().join("store")).expect("opens");
    let row = |who: &str, kind: &str, day: i64, channel: &str, topic: &str| {
        Interaction::new(who, START + day * DAY).kind(kind).channel(channel).topic(topic)
    };
    db.append([
        row("crm:1", "complaint", 0, "twitter", "billing"),
        row("crm:1", "call", 1, "phone", "billing").event_id("e1"),
        row("crm:2", "complaint", 2, "fax", "a topic of her own"),
        row("crm:2", "call", 3, "fax", "billing").event_id("e2").set("note", "her own words"),
    ])
    .expect("appends");
    db.seal().expect("seals");
    db.append([
        row("crm:1", "review", 9, "web", "billing"),
        row("crm:3", "complaint", 4, "phone", "delivery"),
        row("crm:3", "call", 4, "phone", "delivery"),
        row("crm:2", "complaint", 40, "fax", "a topic of her own").set("note", "more of her words"),
    ])
    .expect("appends");
    db.query("FOR HAS (:complaint) |> SAVE COHORT unhappy").expect("saves");
    Store { db, folder }
}

/// What is asked before and after; the answer, or the error, in words with all warnings.
const QUERIES: [&str; 17] = [
    "INTERACTIONS",
    "AGGREGATE count(*) AS n, min(at) AS first, max(at) AS last, count(DISTINCT topic) AS topics",
    "CHAINS SAME topic GAP 7d MIN 1",
    "FUNNEL (:complaint) -> (:call) -> (:review) WITHIN 30d",
    "MATCH (a:complaint) -> (b:call)",
    "PATHS TOP 5",
    "GRAPH BY channel",
    "MAP BY channel, topic",
    "FCR SAME topic GAP 3d",
    "FOR CUSTOMER 'crm:2' |> INTERACTIONS",
    "FOR COHORT unhappy |> INTERACTIONS",
    "FOR NOT HAS (:review) |> CUSTOMERS",
    "WHERE topic = 'a topic of her own' |> INTERACTIONS",
    "WHERE topic = 'nothing like it' |> INTERACTIONS",
    "WHERE channel IN ('fax', 'web') |> AGGREGATE count(*) AS n GROUP BY channel",
    "AS OF 2100-01-01 |> INTERACTIONS",
    "DURING LAST 10d |> INTERACTIONS",
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
fn a_customer_is_erased_by_a_statement() {
    let Store { db, folder } = store();
    let before = db.snapshot();
    let answer = db.query_with("ERASE CUSTOMER $who", &Params::from([("who".into(), "crm:2".into())]));
    let answer = answer.expect("erases");
    assert_eq!(answer.rows(), [vec![Value::from("crm:2"), Value::Int(1), Value::Int(3)]]);
    let names: Vec<&str> = answer.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["customer", "identities", "interactions"]);
    assert!(answer.warnings().is_empty() && answer.notes()[0].contains("throughline vacuum"));
    let all = answers(&db).join("\n");
    for word in ["her own words", "more of her words", "fax ", "e2"] {
        assert!(!all.contains(word), "{word} in {all}");
    }
    assert!(!db.query("WHERE topic = 'x' |> INTERACTIONS").expect("answers").warnings().is_empty());
    assert!(!format!("{:?}", db.query("WHERE topic = 'x' |> INTERACTIONS")).contains("her own"));
    // Whoever began before goes on.
    assert_eq!((before.interactions(), db.snapshot().interactions()), (8, 5));

    let again = db.query("ERASE CUSTOMER 'crm:2'").expect("answers");
    assert_eq!(again.rows(), [vec![Value::from("crm:2"), Value::Int(0), Value::Int(0)]]);
    let [warning] = again.warnings() else { panic!("{:?}", again.warnings()) };
    assert_eq!((warning.code, again.notes().len()), ("W502", 0));
    assert!(warning.help.as_deref().is_some_and(|help| help.contains("nobody was erased")));
    let wrong = |query: &str, code: &str| match db.query(query) {
        Err(QueryError::Query { diagnostics, .. }) => assert_eq!(diagnostics[0].code, code, "{query}"),
        other => panic!("{query}: {other:?}"),
    };
    wrong("ERASE CUSTOMER ''", "E412");
    wrong("ERASE CUSTOMER $who", "E307");
    let (commit, path) = (db.snapshot().commit(), folder.path().join("store"));
    assert!(db.query_with("ERASE CUSTOMER 'crm:1'", &Params::from([("x".into(), "y".into())])).is_err());
    assert_eq!(db.snapshot().commit(), commit, "what is wrong writes nothing");
    db.close().expect("closes");
    let db = Db::open_with(&path, Options { read_only: true, ..Options::default() }).expect("opens");
    let error = db.query("ERASE CUSTOMER 'crm:1'").expect_err("is read-only").to_string();
    assert!(error.contains("read-only"), "{error}");
}

#[test]
fn answers_are_the_same_before_and_after_the_files_are_written_anew() {
    let Store { db, folder } = store();
    let with_her = answers(&db);
    db.query("ERASE CUSTOMER 'crm:2'").expect("erases");
    let without = answers(&db);
    assert!(with_her.iter().zip(&without).filter(|(a, b)| a != b).count() > 12);
    assert_eq!(db.vacuum().expect("is vacuumed").rows, 3);
    assert_eq!(answers(&db), without);
    db.rebuild().expect("rebuilds");
    assert_eq!(answers(&db), without);
    db.close().expect("closes");
    let db = Db::open(folder.path().join("store")).expect("opens");
    assert_eq!(answers(&db), without);
}
