//! Queries on small stores, from text to answer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use throughline_engine::Interaction;

use crate::{Answer, Db, Params, QueryError, QueryOptions, Value};

pub(super) const DAY: i64 = 86_400_000;
/// 2026-01-01
pub(super) const START: i64 = 1_767_225_600_000;

pub(super) struct Store {
    pub(super) db: Db,
    _folder: tempfile::TempDir,
}

pub(super) fn store(interactions: Vec<Interaction>) -> Store {
    let folder = tempfile::tempdir().expect("a folder");
    let db = Db::open(folder.path().join("store")).expect("opens");
    db.append(interactions).expect("appends");
    Store { db, _folder: folder }
}

pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => format!("{number:.3}"),
        Value::Time(at) => format!("day {}", (at - START) as f64 / DAY as f64),
        Value::Duration(length) => format!("{}d", *length as f64 / DAY as f64),
        Value::Str(text) => text.to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
    }
}

pub(super) fn shown(answer: &Answer) -> Vec<String> {
    answer.rows().iter().map(|row| row.iter().map(show).collect::<Vec<_>>().join(" | ")).collect()
}

impl Store {
    pub(super) fn ask(&self, query: &str) -> Answer {
        match self.db.query(query) {
            Ok(answer) => answer,
            Err(error) => panic!("{query}\n{error}"),
        }
    }

    pub(super) fn check(&self, query: &str, expected: &[&str]) {
        assert_eq!(shown(&self.ask(query)), expected, "{query}");
    }

    pub(super) fn error(&self, query: &str) -> String {
        self.db.query(query).expect_err(query).to_string()
    }
}

fn small() -> Store {
    let mut all = Vec::new();
    let full = |customer: &str, kind: &str, day, channel: &str, topic: &str| {
        Interaction::new(customer, START + day * DAY).kind(kind).channel(channel).topic(topic)
    };
    all.push(full("crm:1", "complaint", 0, "twitter", "billing").set("sentiment", -0.5).case("c1"));
    all.push(full("crm:1", "call", 1, "phone", "billing").set("resolved", true).case("c1"));
    all.push(full("crm:1", "review", 3, "web", "delivery"));
    all.push(full("crm:1", "call", 5, "phone", "billing").set("sentiment", -1.0).case("c1"));
    all.push(full("crm:2", "complaint", 2, "phone", "billing"));
    all.push(full("crm:2", "call", 20, "phone", "login"));
    all.push(full("crm:3", "complaint", 4, "web", "delivery"));
    all.push(Interaction::new("crm:3", START + 6 * DAY).kind("visit").channel("web"));
    all.push(full("crm:4", "visit", 30, "web", "login"));
    store(all)
}

#[test]
fn chains_from_text_to_answer() {
    let store = small();
    let columns = "customer, topic, started, ended, span, contacts, channels, kinds, cases, channel_changes, \
                   disconnected, resolved_claims, reopened, worst_sentiment, sentiment_change, public, open";
    store.check(
        &format!("CHAINS SAME topic GAP 7d MIN 3 |> SELECT {columns}"),
        &["crm:1 | billing | day 0 | day 5 | 5d | 3 | [twitter phone phone] | [complaint call call] \
           | [c1 c1 c1] | 1 | 0 | 1 | 1 | -1.000 | -0.500 | - | false"],
    );
    let answer = store.ask("CHAINS SAME topic GAP 7d MIN 1");
    assert_eq!(answer.notes(), ["1 of 9 interactions have no topic and were left out"]);
    assert_eq!(answer.len(), 6);
    store.check(
        "WHERE channel = 'phone' |> CHAINS GAP 30d MIN 2 |> SELECT customer, contacts, open",
        &["crm:1 | 2 | true", "crm:2 | 2 | true"],
    );
    store.check(
        "CHAINS SAME topic GAP 7d MIN 1 |> AGGREGATE count(*) AS chains, count(DISTINCT customer) AS customers \
         GROUP BY topic |> ORDER BY topic",
        &["billing | 2 | 2", "delivery | 2 | 2", "login | 2 | 2"],
    );
    store.check(
        "CHAINS SAME topic GAP 7d MIN 1 STARTED DURING '2026-01-03' TO '2026-01-05' |> SELECT topic, started",
        &["delivery | day 3", "billing | day 2"],
    );
}

#[test]
fn funnels_count_what_became_of_everybody() {
    let store = small();
    let steps = "FUNNEL (:complaint) -> (:call) -> (:review)";
    store.check(
        steps,
        &[
            "1 | complaint | 3 | 2 | 0 | 1 | 0 | 1.000 | 1.000 | - | -",
            "2 | call | 2 | 1 | 1 | 0 | 0 | 0.667 | 0.667 | 9.5d | 16.3d",
            "3 | review | 1 | 1 | 0 | 0 | 0 | 0.333 | 0.500 | 2d | 2d",
        ],
    );
    store.check(
        &format!("{steps} |> REACHED 1"),
        &[
            "crm:1 | 3 | day 0 | day 3 | 3d | converted | call | phone",
            "crm:2 | 2 | day 2 | day 20 | 18d | silent | - | -",
            "crm:3 | 1 | day 4 | day 4 | 0d | elsewhere | visit | web",
        ],
    );
    store.check(&format!("{steps} |> DROPPED AT 2 |> SELECT customer"), &["crm:2"]);
    store.check(&format!("{steps} |> DROPPED AT 1 SILENT |> SELECT customer"), &[]);
    store.check(
        "FUNNEL (:complaint) -[<= 7d]-> (:call) |> SELECT reached, moved_on, silent, elsewhere, open",
        &["3 | 1 | 1 | 1 | 0", "1 | 1 | 0 | 0 | 0"],
    );
    store.check(
        "FUNNEL (:complaint) -> (:call) WITHIN 60d |> SELECT reached, moved_on, silent, elsewhere, open",
        &["3 | 2 | 0 | 0 | 1", "2 | 2 | 0 | 0 | 0"],
    );
    store.check("FUNNEL ON channel: web -> phone |> SELECT label, reached", &["web | 3", "phone | 1"]);
    store.check(
        "FUNNEL (:complaint {channel: 'phone'}) -> (WHERE topic = 'login') |> SELECT label, reached",
        &["complaint | 1", "any | 1"],
    );
}

#[test]
fn the_list_behind_a_count() {
    let store = small();
    let steps = "FUNNEL (:complaint) -> (:call)";
    store.check(&format!("{steps} |> WHERE step = 2 |> CUSTOMERS"), &["crm:1", "crm:2"]);
    store.check(&format!("{steps} |> WHERE step = 2 |> JOURNEYS |> AGGREGATE count(*) AS n"), &["6"]);
    store.check(
        "CHAINS SAME topic GAP 7d MIN 3 |> INTERACTIONS |> SELECT customer, at, kind",
        &["crm:1 | day 0 | complaint", "crm:1 | day 1 | call", "crm:1 | day 5 | call"],
    );
    store.check(
        &format!("{steps} |> REACHED 2 |> JOURNEYS AFTER |> INTERACTIONS |> SELECT customer, kind"),
        &["crm:1 | review", "crm:1 | call"],
    );
    store.check(
        &format!("{steps} |> REACHED 2 |> JOURNEYS BEFORE |> INTERACTIONS |> SELECT customer, kind"),
        &[],
    );
    store.check(
        "CHAINS SAME topic GAP 0s MIN 1 |> WHERE topic = 'billing' |> JOURNEYS BEFORE |> CHAINS GAP 9d MIN 1 \
         |> SELECT customer, contacts",
        &["crm:1 | 1", "crm:1 | 3"],
    );
}

#[test]
fn customers_are_chosen_and_saved() {
    let store = small();
    store.check("FOR HAS (:review) |> CUSTOMERS", &["crm:1"]);
    store.check("FOR HAS AT LEAST 2 (:call) |> CUSTOMERS", &["crm:1"]);
    store.check("FOR HAS NO (:complaint) |> CUSTOMERS", &["crm:4"]);
    store.check("FOR NOT HAS (:complaint) |> CUSTOMERS", &["crm:4"]);
    store.check("FOR HAS (sentiment < 0) AND NOT CUSTOMER 'crm:2' |> CUSTOMERS", &["crm:1"]);
    store.check("FOR CUSTOMER 'crm:2' OR HAS (:review) |> CUSTOMERS", &["crm:1", "crm:2"]);
    store.check("WHERE channel = 'phone' |> FOR HAS NO (:complaint) |> CUSTOMERS", &["crm:1"]);
    store.check("FOR IN (CHAINS SAME topic GAP 7d MIN 3) |> INTERACTIONS |> AGGREGATE count(*) AS n", &["4"]);
    store.check("FOR IN (FOR HAS (:visit)) |> CUSTOMERS", &["crm:3", "crm:4"]);
    store.check("FOR HAS (:visit) |> SAVE COHORT visitors", &["visitors | 2"]);
    store.check("FOR COHORT visitors AND HAS (:complaint) |> CUSTOMERS", &["crm:3"]);
    assert!(store.error("FOR COHORT visitor |> CUSTOMERS").contains("did you mean `visitors`?"));
}

#[test]
fn interactions_and_spans_of_time() {
    let store = small();
    store.check("AGGREGATE count(*) AS n", &["9"]);
    store.check(
        "DURING '2026-01-02' TO '2026-01-05' |> INTERACTIONS |> SELECT at",
        &["day 1", "day 3", "day 2"],
    );
    store.check("DURING '2026-01' |> AGGREGATE count(*) AS n, max(at) AS last", &["9 | day 30"]);
    store.check("DURING LAST 10d |> SELECT customer, at", &["crm:2 | day 20", "crm:4 | day 30"]);
    store.check("INTERACTIONS |> WHERE NOT topic = 'billing' |> AGGREGATE count(*) AS n", &["4"]);
    store.check("WHERE topic IS NULL OR sentiment < -0.7 |> SELECT kind", &["call", "visit"]);
    store.check("WHERE at >= '2026-01-20' AND customer <> 'crm:4' |> SELECT customer", &["crm:2"]);
}

#[test]
fn maps_have_their_denominators() {
    let store = small();
    store.check(
        "MAP BY channel |> WHERE channel <> 'twitter'",
        &[
            "phone | 4 | 2 | -1.000 | 1 | - | 0 | 0.000 | 1 | 1.000 | 2 | day 1 | day 20",
            "web | 4 | 3 | - | 0 | - | 0 | - | 0 | 0.333 | 3 | day 3 | day 30",
        ],
    );
    store.check(
        "MAP BY topic, channel |> WHERE topic IS NULL |> SELECT topic, channel, interactions",
        &["- | web | 1"],
    );
}

#[test]
fn what_is_not_built_says_so() {
    let store = small();
    let check = |query: &str, what: &str| {
        let error = store.error(query);
        assert!(error.contains("E401") && error.contains(&format!("not supported yet: {what}")), "{error}");
    };
    check("FOR persona = 'x' |> CUSTOMERS", "persona");
    for query in
        ["AS OF '2026-01-01' |> INTERACTIONS", "FOR NOT IN (AS OF '2026-01-01' |> CUSTOMERS) |> CUSTOMERS"]
    {
        check(&format!("LINKS OF CUSTOMER 'crm:1' IN ({query})"), "AS OF in LINKS");
    }
}

#[test]
fn errors_say_what_was_meant() {
    let store = small();
    let check = |query: &str, words: &[&str]| {
        let error = store.error(query);
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    check("CHAINS SAME topik GAP 7d MIN 3", &["E301", "did you mean `topic`?"]);
    check("CHAINS SAME topic MIN 3", &["E107", "GAP"]);
    check("CHAINS SAME topic GAP 7d MIN 0", &["E308", "at least 1"]);
    check("FUNNEL (complaint) -> (:call)", &["E402", "write `(:complaint)`"]);
    check("FOR HAS (complaint) |> CUSTOMERS", &["E402", "write `(:complaint)`"]);
    check("FUNNEL (:complaint) -> (:call) |> WHERE channel = 'web'", &["before FUNNEL, or BY"]);
    check("FUNNEL (:complaint) -> (:call) |> DROPPED AT 2", &["E408", "steps 1 to 1"]);
    check("FUNNEL (:complaint) -[>= 2d, <= 1d]-> (:call)", &["E409"]);
    check("WHERE kind = 'call'", &["E411", "ends in journeys"]);
    check("FUNNEL (:complaint) -> (:call) |> INTERACTIONS", &["E410"]);
    check("FOR topic = 'billing' |> CUSTOMERS", &["HAS (topic"]);
    check("CHAINS GAP 7d MIN 2 |> CHAINS GAP 7d MIN 2", &["E414", "JOURNEYS"]);
    check("DURING '2026-Q9' |> INTERACTIONS", &["2026-Q9"]);
    let steps = vec!["(:call)"; 65].join(" -> ");
    check(&format!("FUNNEL {steps}"), &["E404", "64"]);
    let answer = store.ask("FUNNEL (:complain) -> (:call) |> SELECT reached");
    assert_eq!(shown(&answer), ["0", "0"]);
    assert!(answer.warnings().iter().any(|found| found.help.as_deref() == Some("did you mean `complaint`?")));
}

#[test]
fn parameters_and_bounds() {
    let store = small();
    let params = |name: &str, value: Value| Params::from([(name.to_owned(), value)]);
    let gap =
        store.db.query_with("CHAINS SAME topic GAP $gap MIN 3", &params("gap", Value::Duration(7 * DAY)));
    assert_eq!(gap.expect("runs").len(), 1);
    let error = store.db.query_with("CHAINS SAME topic GAP 7d MIN 3", &params("gap", Value::Int(1)));
    assert!(error.expect_err("unused").to_string().contains("no parameter `$gap`"));
    let error = store.db.query("CHAINS SAME topic GAP $gap MIN 3").expect_err("unbound").to_string();
    assert!(error.contains("`$gap` has no value"), "{error}");

    let run = |options: QueryOptions| store.db.query_options("INTERACTIONS", &Params::new(), &options);
    let cancel = Some(Arc::new(AtomicBool::new(true)));
    let cancelled = run(QueryOptions { cancel, ..QueryOptions::default() });
    assert!(matches!(cancelled, Err(QueryError::Engine(throughline_engine::Error::Cancelled))));
    let timed_out = run(QueryOptions { timeout: Some(Duration::ZERO), ..QueryOptions::default() });
    assert!(matches!(timed_out, Err(QueryError::Engine(throughline_engine::Error::TimedOut(0)))));
    let short = run(QueryOptions { memory_bytes: Some(10), ..QueryOptions::default() });
    assert!(short.expect_err("holds more").to_string().contains("bytes"));
    assert_eq!(run(QueryOptions::default()).expect("the store is usable").len(), 9);
}

#[test]
fn paths_and_graphs_end_at_the_memory_they_may_hold() {
    let store = small();
    for query in ["PATHS FROM (:complaint) BY case", "GRAPH BY kind", "GRAPH BY case LOOPS"] {
        let run = |bytes: u64| {
            let options = QueryOptions { memory_bytes: Some(bytes), ..QueryOptions::default() };
            store.db.query_options(query, &Params::new(), &options)
        };
        assert!(run(100).expect_err("holds more").to_string().contains("E390"), "{query}");
        assert!(!run(1 << 20).expect("is enough").is_empty(), "{query}");
    }
}

#[test]
fn explain_says_how_paths_and_graphs_are_found() {
    let store = small();
    let lines = shown(&store.ask("EXPLAIN PATHS BETWEEN (:complaint) AND (:review) COLLAPSE"));
    assert!(lines.iter().any(|line| line.starts_with("read | index") && line.ends_with("| 1")), "{lines:?}");
    let paths = "PATHS | between complaint and review, by kind, up to 20 nodes, repetitions as one; \
                 one pass with a table of paths | -";
    assert!(lines.iter().any(|line| line == paths), "{lines:?}");
    let lines = shown(&store.ask("EXPLAIN GRAPH BY channel CHEAPEST 'web' TO 'phone'"));
    assert!(
        lines.iter().any(|line| line.starts_with("GRAPH | the directly-follows graph by channel")),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.starts_with("columns | time; attributes: channel")), "{lines:?}");
}

#[test]
fn explain_names_the_index_choice() {
    let store = small();
    let lines =
        shown(&store.ask("EXPLAIN FOR HAS (:review) |> CHAINS SAME topic GAP 7d MIN 3 |> SELECT topic"));
    assert!(
        lines.iter().any(|line| line.starts_with("read | index: only customers") && line.ends_with("| 1")),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.contains("attributes: topic")), "{lines:?}");
    let lines = shown(&store.ask("EXPLAIN FOR IN (FOR HAS (:review)) |> CHAINS GAP 7d MIN 3"));
    assert!(lines.iter().any(|line| line == "FOR | those behind a query | -"), "{lines:?}");
    let lines =
        shown(&store.ask("EXPLAIN CHAINS GAP 7d MIN 2 |> JOURNEYS AFTER |> FOR HAS (:review) |> CUSTOMERS"));
    assert!(lines.iter().any(|line| line.starts_with("FOR | at least 1 of review, by reading")), "{lines:?}");
    let lines = shown(&store.ask("EXPLAIN CHAINS SAME topic GAP 7d MIN 3"));
    assert!(lines.iter().any(|line| line.starts_with("read | scan")), "{lines:?}");
    // Once journeys are cut, the index no longer decides for them.
    let lines =
        shown(&store.ask("EXPLAIN SPLIT BY topic |> SESSIONS GAP 1d |> FOR HAS (:review) |> CUSTOMERS"));
    for start in
        ["SPLIT BY | one journey for each topic", "SESSIONS | ", "FOR | at least 1 of review, by reading"]
    {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{start} in {lines:?}");
    }
}

#[test]
fn profile_measures_every_step_of_the_run_it_is_of() {
    let store = small();
    let plain = "FOR HAS (:review) |> WHERE topic = 'billing' |> CHAINS SAME topic GAP 7d MIN 1 \
                 |> AGGREGATE count(*) AS n GROUP BY topic |> ORDER BY n |> LIMIT 5";
    assert_eq!(store.ask(plain).len(), 1);
    let answer = store.ask(&format!("PROFILE {plain}"));
    let names: Vec<&str> = answer.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "step",
            "detail",
            "estimated",
            "customers",
            "rows",
            "units_read",
            "units_skipped",
            "interactions",
            "bytes",
            "time"
        ]
    );
    let step = |name: &str, column: &str| {
        let row = (0..answer.len()).find(|&row| show(answer.get(row, "step").expect("step")) == name);
        show(answer.get(row.expect(name), column).expect(column))
    };
    let steps: Vec<String> = (0..answer.len()).map(|row| show(&answer.rows()[row][0])).collect();
    assert_eq!(
        steps,
        ["read", "columns", "FOR", "WHERE", "CHAINS", "AGGREGATE", "ORDER BY", "rows", "store"],
        "{answer:?}"
    );
    // One of the customers has a review; what is in memory has no stored bytes.
    assert_eq!(
        [step("read", "estimated"), step("read", "customers"), step("read", "bytes")],
        ["1", "1", "0"]
    );
    assert_eq!(
        [step("CHAINS", "rows"), step("AGGREGATE", "rows"), step("ORDER BY", "rows")],
        ["1", "1", "1"]
    );
    store.db.seal().expect("seals");
    let again = store.ask(&format!("PROFILE {plain}"));
    assert_ne!(show(again.get(0, "bytes").expect("bytes")), "0");
    // All but bytes and times are as before.
    let exact = |answer: &Answer| -> Vec<String> {
        answer.rows().iter().map(|row| row[..8].iter().map(show).collect::<Vec<_>>().join(" | ")).collect()
    };
    assert_eq!(exact(&again), exact(&answer));
    let nested = shown(&store.ask("PROFILE FOR IN (FOR HAS (:review) |> CUSTOMERS) |> INTERACTIONS"));
    assert!(nested[0].starts_with("FOR IN: read | index"), "{nested:?}");
    assert!(nested.iter().any(|line| line.starts_with("FOR | those behind the query (1 customers)")));
}

#[test]
fn the_answer_is_the_same_for_any_number_of_threads() {
    let kinds = ["complaint", "call", "review", "visit"];
    let mut all = Vec::new();
    for number in 0..3_000_i64 {
        let (customer, kind) = (number * 7919 % 401, (number * 31 + number / 7) % 4);
        all.push(
            Interaction::new(format!("crm:{customer}"), START + (number * 104_729 % 90_000) * 60_000)
                .kind(kinds[kind as usize])
                .topic(["billing", "login", "delivery"][(number % 3) as usize])
                .set("sentiment", (number % 17) as f64 / 7.0 - 1.0),
        );
    }
    let store = store(all);
    store.db.seal().expect("seals");
    let queries = [
        "CHAINS SAME topic GAP 20d MIN 2",
        "FUNNEL (:complaint) -[<= 20d]-> (:call) -> (:review) WITHIN 50d",
        "MAP BY kind, topic",
        "AGGREGATE avg(sentiment) AS mean, count(*) AS n GROUP BY kind",
        "SPLIT BY topic |> SESSIONS GAP 20d |> CHAINS GAP 20d MIN 2",
        "FOR HAS AT LEAST 3 (:call) |> CHAINS SAME topic GAP 5d MIN 1 |> AGGREGATE count(*) AS n GROUP BY topic",
    ];
    for query in queries {
        let run = |threads| {
            let options = QueryOptions { threads: Some(threads), ..QueryOptions::default() };
            store.db.query_options(query, &Params::new(), &options).expect(query)
        };
        let one = run(1);
        assert!(!one.is_empty(), "{query}");
        for threads in [2, 5] {
            assert_eq!(run(threads), one, "{query}");
        }
    }
}
