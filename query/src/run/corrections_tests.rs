//! AMEND and REDACT, from text to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use throughline_engine::{AttrType, Clock, Interaction, Options, Subject};

use crate::{Db, Params, Value};

/// 2026-01-01
const START: i64 = 1_767_225_600_000;
const DAY: i64 = 86_400_000;

struct Store {
    db: Db,
    /// Days since START.
    today: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

fn store() -> Store {
    let folder = tempfile::tempdir().expect("a folder");
    let today = Arc::new(AtomicI64::new(0));
    let hands = Arc::clone(&today);
    let clock = Clock::of(move || START + hands.load(Ordering::Relaxed) * DAY);
    let db =
        Db::open_with(folder.path().join("store"), Options { clock, ..Options::default() }).expect("opens");
    let call = |customer: &str, event: &str, topic: &str| {
        let call = Interaction::new(customer, START).kind("call").event_id(event).topic(topic);
        call.set("text", format!("my name is {customer}").as_str()).set("points", 3_i64)
    };
    db.append([call("crm:1", "e-1", "delivery"), call("crm:1", "e-2", ""), call("crm:2", "e-3", "delivery")])
        .expect("appends");
    Store { db, today, _folder: folder }
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Str(text) => text.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

impl Store {
    fn ask(&self, query: &str, params: &Params) -> Vec<String> {
        let answer = self.db.query_with(query, params);
        let answer = answer.unwrap_or_else(|error| panic!("{query}\n{error}"));
        answer.rows().iter().map(|row| row.iter().map(show).collect::<Vec<_>>().join(" | ")).collect()
    }

    fn check(&self, query: &str, expected: &[&str]) {
        assert_eq!(self.ask(query, &Params::new()), expected, "{query}");
    }

    fn error(&self, query: &str, says: &[&str]) {
        let error = self.db.query(query).expect_err(query).to_string();
        for part in says {
            assert!(error.contains(part), "{query}: `{part}` is not in\n{error}");
        }
    }

    fn topics(&self, as_of: &str, expected: &[&str]) {
        let query = format!("{as_of} INTERACTIONS |> SELECT customer, event_id, topic |> ORDER BY event_id");
        self.check(&query, expected);
    }
}

#[test]
fn what_is_amended_is_seen_and_what_it_was_as_of_before() {
    let store = store();
    store.today.store(10, Ordering::Relaxed);
    let amend = "AMEND EVENT 'e-2' OF CUSTOMER 'crm:1' SET topic = 'billing', resolved = TRUE";
    store.check(amend, &["e-2 | crm:1 | topic, resolved | true"]);
    store.topics("", &["crm:1 | e-1 | delivery", "crm:1 | e-2 | billing", "crm:2 | e-3 | delivery"]);
    store.topics(
        "AS OF '2026-01-05' |>",
        &["crm:1 | e-1 | delivery", "crm:1 | e-2 | -", "crm:2 | e-3 | delivery"],
    );
    store.check("CUSTOMERS |> AGGREGATE count(*)", &["2"]);
    store.check("FOR HAS (WHERE topic = 'billing' AND resolved) |> CUSTOMERS", &["crm:1"]);
    store.check("AS OF '2026-01-05' |> FOR HAS (WHERE topic = 'billing') |> CUSTOMERS", &[]);
    // Once more, it is so already; names ignore case, and nobody need be named.
    store.check("amend event 'e-2' set Topic = 'billing'", &["e-2 | crm:1 | topic | false"]);
    store.today.store(20, Ordering::Relaxed);
    let params = Params::from([
        ("event".to_owned(), Value::from("e-3")),
        ("who".to_owned(), Value::from("crm:2")),
        ("points".to_owned(), Value::Int(5)),
    ]);
    let amend = "AMEND EVENT $event OF CUSTOMER $who SET topic = NULL, points = $points;";
    assert_eq!(store.ask(amend, &params), ["e-3 | crm:2 | topic, points | true"]);
    store.check(
        "INTERACTIONS |> SELECT event_id, topic, points |> ORDER BY event_id",
        &["e-1 | delivery | 3", "e-2 | billing | 3", "e-3 | - | 5"],
    );
    store.check(
        "AS OF '2026-01-15' |> MAP BY topic |> SELECT topic, interactions |> ORDER BY topic",
        &["billing | 1", "delivery | 2"],
    );
    assert_eq!(store.db.check().expect("checks").problems, Vec::<String>::new());
}

#[test]
fn what_is_redacted_is_gone_at_all_times() {
    let store = store();
    let texts = |as_of: &str| {
        let query = format!("{as_of} INTERACTIONS |> WHERE event_id = 'e-1' |> SELECT text");
        store.ask(&query, &Params::new())
    };
    store.today.store(10, Ordering::Relaxed);
    store.check("AMEND EVENT 'e-1' SET text = 'I am Ann'", &["e-1 | crm:1 | text | true"]);
    assert_eq!(
        (texts(""), texts("AS OF '2026-01-05' |>")),
        (vec!["I am Ann".into()], vec!["my name is crm:1".into()])
    );
    store.today.store(20, Ordering::Relaxed);
    store
        .check("REDACT EVENT 'e-1' OF CUSTOMER 'crm:1' text, points", &["e-1 | crm:1 | text, points | true"]);
    for as_of in ["", "AS OF '2026-01-05' |>", "AS OF '2026-01-15' |>"] {
        assert_eq!(texts(as_of), ["-"], "{as_of}");
    }
    let notes = |statement: &str| store.db.query(statement).expect("corrects").notes().join(" ");
    assert!(notes("REDACT EVENT 'e-2' text").contains("throughline vacuum"));
    assert_eq!(notes("AMEND EVENT 'e-2' SET topic = 'billing'"), "");
    // A later amendment is not what was redacted.
    store.check("AMEND EVENT 'e-1' SET text = 'a customer calls'", &["e-1 | crm:1 | text | true"]);
    assert_eq!(
        (texts(""), texts("AS OF '2026-01-15' |>")),
        (vec!["a customer calls".into()], vec!["-".into()])
    );
}

#[test]
fn a_wrong_correction_says_what_is_wrong_and_changes_nothing() {
    let store = store();
    let mut import = store.db.import("test").expect("begins");
    import.declare(Subject::Interaction, "seen", AttrType::Time, None).expect("declares");
    drop(import);
    let before = store.db.snapshot().commit();
    for (query, says) in [
        ("AMEND EVENT 'e-9' SET topic = 'x'", &["E423", "no interaction has the event id `e-9`"][..]),
        (
            "AMEND EVENT 'e-3' OF CUSTOMER 'crm:1' SET topic = 'x'",
            &["E423", "no interaction of `crm:1`", "leave OF CUSTOMER out"],
        ),
        ("REDACT EVENT 'e-3' OF CUSTOMER 'crm:77' text", &["E423"]),
        ("AMEND EVENT 'e-1' SET at = '2026-01-01'", &["E422", "`at`", "record another interaction"]),
        ("AMEND EVENT 'e-1' SET identity = 'crm:2'", &["E422", "LINK"]),
        ("AMEND EVENT 'e-1' SET customer = 'crm:2'", &["E422", "LINK"]),
        ("AMEND EVENT 'e-1' SET EVENT_ID = 'e-4'", &["E422", "`event_id`"]),
        ("REDACT EVENT 'e-1' event_id", &["E422"]),
        ("AMEND EVENT 'e-1' SET topik = 'x'", &["E301", "did you mean `topic`?"]),
        ("REDACT EVENT 'e-1' txt", &["E301", "`text`"]),
        ("AMEND EVENT 'e-1' SET points = 'many'", &["E302", "`points` holds a whole number"]),
        ("AMEND EVENT 'e-1' SET resolved = 1", &["E302", "TRUE or FALSE"]),
        ("AMEND EVENT 'e-1' SET topic = 7d", &["E302", "duration"]),
        ("AMEND EVENT '' SET topic = 'x'", &["E308", "not empty"]),
        ("AMEND EVENT 5 SET topic = 'x'", &["E101"]),
        ("AMEND EVENT 'e-1' OF CUSTOMER '' SET topic = 'x'", &["E412"]),
        ("AMEND EVENT $e SET topic = 'x'", &["E307"]),
        ("AMEND EVENT 'e-1' SET topic = 'a', TOPIC = 'b'", &["E106", "named twice"]),
        ("REDACT EVENT 'e-1' text, text", &["E106"]),
        ("AMEND EVENT 'e-1'", &["E101", "`SET`", "AMEND EVENT 'e-17' SET"]),
        ("AMEND 'e-1' SET topic = 'x'", &["E101", "`EVENT`"]),
        ("AMEND EVENT 'e-1' SET topic", &["E101", "`=`"]),
        ("AMEND EVENT 'e-1' SET topic = other", &["E101", "a value"]),
        ("REDACT EVENT 'e-1'", &["E101", "an attribute"]),
        ("EXPLAIN AMEND EVENT 'e-1' SET topic = 'x'", &["E102"]),
    ] {
        store.error(query, says);
    }
    assert_eq!(store.db.snapshot().commit(), before);
}
