//! What is exported and imported again answers as the store it came from, and a
//! backup as the store that it is of.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use throughline::Db;
use throughline_tests::binary::run;
use throughline_tests::golden::Case;
use throughline_tests::reference::Event;
use throughline_tests::store::{Store, open_patiently};
use throughline_tests::table::{Table, show_time};

use super::differential::compare::{count_one, run_share};
use super::differential::history::{HOUR, START, Size, history};

/// A backup of the store, and a store made of an export of that.
struct Copies {
    /// The folder of both, which goes with them.
    folder: tempfile::TempDir,
    backup: Db,
    imported: Db,
}

impl Copies {
    fn of(store: &Store) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        store.db().backup(path("backup.db")).expect("makes a backup");
        let ran = run(folder.path(), &["export", "backup.db", "out"]);
        assert_eq!(ran.status, 0, "{}", ran.said());
        import(folder.path(), "imported.db");
        let open = |name: &str| open_patiently(&path(name)).expect("opens").into();
        Self { backup: open("backup.db"), imported: open("imported.db"), folder }
    }
}

/// Imports the export in `folder`; answers what was said.
fn import(folder: &Path, store: &str) -> String {
    let mut arguments =
        vec!["import", store, "out/interactions.parquet", "--map", "out/map.toml", "--strict"];
    if folder.join("out/customers.parquet").exists() {
        arguments.extend(["--customers", "out/customers.parquet"]);
    }
    if folder.join("out/links.parquet").exists() {
        arguments.extend(["--links", "out/links.parquet"]);
    }
    let ran = run(folder, &arguments);
    assert_eq!(ran.status, 0, "{}", ran.said());
    ran.said()
}

/// The answer with its notes, or the error.
fn ask(db: &Db, query: &str, case: Option<&Case>) -> Result<(Table, Vec<String>), String> {
    let params = case.map(Case::params).unwrap_or_default();
    let answer = db.query_with(query, &params).map_err(|error| error.to_string())?;
    Ok((Table::of(&answer), answer.notes().to_vec()))
}

/// Every golden case, also those that go by when rows were recorded.
#[test]
fn golden_cases_answer_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut by_data: BTreeMap<[String; 3], Vec<Case>> = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).expect("the cases are there").flatten() {
        if entry.path().extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let case = Case::parse(&std::fs::read_to_string(entry.path()).expect("reads"), &folder);
        let data = ["data", "customers", "links"].map(|name| case.get(name).unwrap_or_default().to_owned());
        by_data.entry(data).or_default().push(case);
    }
    assert!(by_data.len() > 10);
    let (mut compared, mut as_of) = (0, 0);
    let stores = by_data.values().flat_map(|cases| {
        let [at_once, later] = [Store::new(), Store::new()];
        cases[0].load(&at_once);
        // Where rows say themselves when they were recorded, they say so in the export, too.
        let later = cases[0].load_later(&later).then_some(later);
        [Some(at_once), later].into_iter().flatten().map(move |store| (cases, store))
    });
    for (cases, store) in stores {
        let copies = Copies::of(&store);
        for case in cases {
            // What is said here is recorded when it is said, in each store at a time of its own; and an
            // export does not bring back when links were.
            let timed =
                |query: &&str| !["LINK", "UNLINK", "RETAIN"].iter().any(|word| query.starts_with(word));
            let queries = case.get("before").unwrap_or_default().lines().chain(case.get("query"));
            for query in queries.filter(timed) {
                let expected = ask(store.db(), query, Some(case));
                for (copy, db) in [("backup", &copies.backup), ("import", &copies.imported)] {
                    assert_eq!(ask(db, query, Some(case)), expected, "{copy}: {query}");
                }
                compared += 1;
                as_of += usize::from(query.contains("AS OF"));
            }
        }
    }
    assert!(compared > 250, "only {compared}");
    assert!(as_of > 10, "only {as_of}");
}

const QUERIES: &[&str] = &[
    "INTERACTIONS",
    "SELECT customer, identity, at, kind, topic, channel, \"case\", agent, resolved, sentiment, event_id, n",
    "FOR HAS NO (:a) |> SELECT customer, at, kind",
    "FOR HAS AT LEAST 2 (:b) OR NOT HAS (:c) |> CUSTOMERS",
    "WHERE kind IN ('a', 'b') |> CHAINS SAME topic GAP 6h MIN 2 |> SELECT customer, topic, started, channels, open",
    "FCR SAME topic GAP 5h CLOCK resolution |> SELECT customer, topic, started, contacts, open, fcr, charged",
    "FUNNEL (:a) -> (:b) -[<= 9h]-> (:c) WITHIN 20h",
    "FUNNEL (:a) -> (:b) WITHIN 10h |> DROPPED AT 1 |> SELECT customer, started, outcome, next_kind",
    "MATCH (x:a) -> (y:b WHERE channel = x.channel) |> SELECT customer, x.at, y.at, y.topic",
    "MAP BY kind, channel",
    "PATHS FROM (:a)",
    "GRAPH BY kind LOOPS",
    "SPLIT BY case |> SESSIONS GAP 4h |> SELECT customer, at, kind",
];

/// Histories by random roads: with and without sequences and event ids, with ties of time, sealed
/// or in memory, each part recorded an hour after the one before.
#[test]
fn random_histories_answer_alike() {
    let inputs = history(Size { events: 40, hours: 12 });
    run_share("exports", 16 * 2 * QUERIES.len(), &inputs, |history| {
        let recorded = |part: usize| START + (13 + part as i64) * HOUR;
        let own = |event: &Event| {
            (!event.sequence.is_multiple_of(3)).then(|| START + event.sequence as i64 * HOUR / 3)
        };
        let store = history.deliver_by(&recorded, &own, i64::MAX);
        let copies = Copies::of(&store);
        let as_of = |(number, query): (usize, &&str)| {
            let at = START + (number as i64 * 5 % 18) * HOUR;
            format!("AS OF '{}' |> {query}", show_time(at))
        };
        let as_of: Vec<String> = QUERIES.iter().enumerate().map(as_of).collect();
        for query in QUERIES.iter().copied().chain(as_of.iter().map(String::as_str)) {
            let expected = ask(store.db(), query, None);
            assert!(expected.is_ok(), "{query}: {expected:?}");
            // When links were recorded is not brought back.
            let timeless = !(history.is_linked() && query.starts_with("AS OF"));
            for db in
                [Some(&copies.backup), Some(&copies.imported).filter(|_| timeless)].into_iter().flatten()
            {
                assert_eq!(ask(db, query, None), expected, "{query}");
            }
            count_one();
        }
        let interactions = store.db().snapshot().interactions();
        for db in [&copies.backup, &copies.imported] {
            assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
            assert_eq!(db.snapshot().interactions(), interactions);
        }
        let Copies { folder, backup, imported } = copies;
        drop((backup, imported));
        // Again, into the store made of it: all is known.
        let said = import(folder.path(), "imported.db");
        assert!(said.contains(": 0 added"), "{said}");
    });
}

/// What happens to a store whose customers go by several names.
#[derive(Clone, Debug)]
enum Act {
    /// A contact that carries these.
    Contact(Vec<usize>),
    /// One, other, quarters of confidence.
    Link(usize, usize, u32),
    Cut(usize, usize),
    /// Identities of a namespace that a customer may have.
    Limit(u32),
    /// Of which contact the topic was another, or none.
    Amend(usize, Option<u8>),
    /// Of which contact the topic is not to be known.
    Redact(usize),
    Seal,
}

const NAMES: [&str; 9] =
    ["phone:1", "crm:1", "email:a@b", "crm:2", "phone:2", "device:7", "crm:unknown", "email:c@d", "device:8"];

fn act() -> impl Strategy<Value = Act> {
    let name = || 0..NAMES.len();
    let two = || (name(), name()).prop_filter("are two", |(one, other)| one != other);
    prop_oneof![
        6 => prop::collection::vec(name(), 1..4).prop_map(Act::Contact),
        3 => (two(), 1..5_u32).prop_map(|((one, other), sure)| Act::Link(one, other, sure)),
        2 => two().prop_map(|(one, other)| Act::Cut(one, other)),
        1 => (1..4_u32).prop_map(Act::Limit),
        3 => (0..30_usize, prop::option::of(0..3_u8)).prop_map(|(contact, topic)| Act::Amend(contact, topic)),
        1 => (0..30_usize).prop_map(Act::Redact),
        1 => Just(Act::Seal),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    /// Customers of several names, linked, cut, and linked again, under other rules now and then; what they
    /// said turns out to have been about something else.
    #[test]
    fn linked_histories_answer_alike(acts in prop::collection::vec(act(), 1..30)) {
        use throughline::engine::{Amendment, Guards, Identity, Interaction, Link, Redaction};
        let identity = |place: usize| Identity::parse(NAMES[place]).expect("is one");
        let store = Store::new();
        let db = store.db();
        let mut told = false;
        for (hour, act) in acts.iter().enumerate() {
            match act {
                Act::Contact(names) => {
                    let kind = ["a", "b", "c"][hour % 3];
                    let first = Interaction::new(NAMES[names[0]], hour as i64 * 3_600_000).kind(kind).topic("t");
                    // Every other one is told by what it is.
                    let first = if hour % 2 == 0 { first.event_id(&format!("e{hour}")) } else { first };
                    let contact = names[1..].iter().fold(first, |contact, &name| contact.also(NAMES[name]));
                    told |= db.append([contact]).expect("appends").links > 0;
                }
                &Act::Link(one, other, sure) => {
                    let link = Link::new(identity(one), identity(other)).expect("are two");
                    let link = link.with_confidence(f64::from(sure) / 4.0).expect("is one");
                    db.link([link.with_source(["", "ann"][sure as usize % 2])]).expect("links");
                    told = true;
                }
                &Act::Cut(one, other) => {
                    db.unlink(&identity(one), &identity(other), "bob").expect("cuts");
                    told = true;
                }
                &Act::Limit(limit) => {
                    db.set_guards(&Guards::default().with_other_limit(limit).expect("is one")).expect("sets");
                }
                &Act::Amend(contact, topic) => {
                    let amendment = Amendment::new(format!("e{contact}"));
                    let amendment = match topic {
                        Some(topic) => amendment.set("topic", format!("t{topic}")),
                        None => amendment.clear("topic"),
                    };
                    db.amend([amendment]).expect("amends");
                }
                Act::Redact(contact) => {
                    db.redact([Redaction::new(format!("e{contact}"), ["topic"])]).expect("redacts");
                }
                Act::Seal => db.seal().expect("seals"),
            }
        }
        let copies = Copies::of(&store);
        prop_assert_eq!(copies.folder.path().join("out/links.parquet").exists(), told);
        for query in QUERIES.iter().filter(|query| !query.contains("agent")) {
            let expected = ask(db, query, None);
            for db in [&copies.backup, &copies.imported] {
                prop_assert_eq!(ask(db, query, None), expected.clone(), "{}", query);
            }
        }
        prop_assert_eq!(copies.imported.snapshot().guards(), db.snapshot().guards());
        let Copies { folder, backup, imported } = copies;
        drop((backup, imported));
        let said = import(folder.path(), "imported.db");
        prop_assert!(!said.contains(": 1 added") && said.contains("0 added"), "{}", said);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
    /// Values that `import` would take otherwise: as a guess, as a mood, without spaces.
    #[test]
    fn odd_values_come_back(
        texts in prop::collection::vec("[ \\n\"',;0-9a-c\u{e4}-]{0,6}", 12),
        numbers in prop::collection::vec(any::<f64>().prop_filter("is a number", |n| !n.is_nan()), 12),
        times in prop::collection::vec(0_i64..3, 12),
    ) {
        use throughline::engine::Interaction;
        let store = Store::new();
        for ((text, number), time) in texts.iter().zip(&numbers).zip(&times) {
            let interaction = Interaction::new(format!("crm:00{}", text.len() % 3), time * 1_000)
                .channel(text)
                .set("text", text.as_str())
                .set("sentiment", *number)
                .set("Score 2", *number)
                .set("ts", text.as_str())
                .set("sequence", (*number as i64) / 2)
                .set("persona", *number > 0.0);
            store.db().append([interaction]).expect("appends");
        }
        let copies = Copies::of(&store);
        for query in [
            "INTERACTIONS",
            "AGGREGATE count(*) AS n, max(sentiment) AS most GROUP BY channel",
            "WHERE \"Score 2\" > 0 |> SELECT customer, at, \"ts\", \"sequence\", text",
        ] {
            let expected = ask(store.db(), query, None);
            for db in [&copies.backup, &copies.imported] {
                prop_assert_eq!(ask(db, query, None), expected.clone(), "{}", query);
            }
        }
    }
}
