//! The relational tail, from text to rows, and that the way the work is cut
//! never shows.

use proptest::prelude::*;
use roaring::RoaringBitmap;
use throughline_engine::IdentityOrdinal;

use super::env::{Env, QueryLimit};
use super::sample::{CUSTOMERS, Sample, schema, shown, tail};
use super::{Cell, Meter, RowBatch, Sets, Tail};
use crate::value::Params;

/// customer, channel, note, contacts, sentiment, span in hours, open; what has an odd number of hours came under
/// the customer's other identity
type Made = (u32, Option<u32>, Option<&'static str>, Option<i64>, Option<f64>, Option<i64>, Option<bool>);

fn cells(sample: &Sample, made: &Made) -> Vec<Cell> {
    let (customer, channel, note, contacts, sentiment, span, open) = *made;
    vec![
        Cell::Customer(customer),
        channel.map_or(Cell::Null, |symbol| Cell::Symbol(sample.channel(), symbol)),
        note.map_or(Cell::Null, Cell::text),
        contacts.map_or(Cell::Null, Cell::Int),
        sentiment.map_or(Cell::Null, Cell::Float),
        Cell::Time(1_767_225_600_000 + span.unwrap_or(0) * 3_600_000),
        span.map_or(Cell::Null, |hours| Cell::Duration(hours * 3_600_000)),
        open.map_or(Cell::Null, Cell::Bool),
        Cell::List(note.into_iter().map(Cell::text).collect()),
        Cell::Identity(IdentityOrdinal(2 * customer + span.map_or(0, |hours| hours as u32 % 2))),
    ]
}

fn batch(sample: &Sample, rows: &[Made], tail: &Tail) -> RowBatch {
    let needed = tail.needed();
    assert_eq!(needed.len(), schema().columns.len());
    let mut columns = vec![Vec::new(); needed.len()];
    for row in rows {
        for ((column, cell), needed) in columns.iter_mut().zip(cells(sample, row)).zip(&needed) {
            if *needed {
                column.push(cell);
            }
        }
    }
    RowBatch {
        len: rows.len(),
        columns,
        sets: Sets::One(rows.iter().map(|row| row.0).collect()),
        members: None,
    }
}

/// Runs with the work cut into units of batches.
fn run(tail: &Tail, units: &[Vec<&[Made]>], sample: &Sample, env: &Env) -> Result<RowBatch, QueryLimit> {
    let mut partials = Vec::new();
    for unit in units {
        let mut partial = tail.start();
        for rows in unit {
            if !tail.full(&partial) {
                tail.push(&mut partial, batch(sample, rows, tail), env, &mut Meter::default())?;
            }
        }
        partials.push(partial);
    }
    tail.finish(partials, env, &mut Meter::default())
}

fn lines(tail: &Tail, batch: &RowBatch, env: &Env) -> Vec<String> {
    assert_eq!(batch.columns.len(), tail.output().columns.len());
    (0..batch.len)
        .map(|row| {
            let cells = batch.columns.iter().map(|column| shown(&column[row], env));
            cells.collect::<Vec<_>>().join(" | ")
        })
        .collect()
}

const ROWS: [Made; 6] = [
    (0, Some(1), Some("a"), Some(3), Some(0.1), Some(2), Some(true)),
    (1, Some(0), Some("b"), Some(1), Some(0.2), Some(4), None),
    (0, Some(1), None, Some(2), Some(0.3), Some(6), Some(false)),
    (2, None, Some("a"), None, None, None, Some(true)),
    (3, Some(2), Some("a"), Some(2), Some(-0.6), Some(1), Some(true)),
    (1, Some(1), Some("b"), Some(1), Some(0.0), Some(3), Some(true)),
];

fn answer(text: &str) -> (Vec<String>, Vec<String>) {
    let (sample, params) = (Sample::new(), Params::new());
    let env = Env::new(&sample, &params);
    match tail(text, false, &env, &sample) {
        Ok(tail) => {
            let rows = run(&tail, &[vec![&ROWS]], &sample, &env);
            let names = tail.output().columns.iter().map(|column| column.name.clone()).collect();
            (names, rows.map_or_else(|error| vec![error.to_string()], |rows| lines(&tail, &rows, &env)))
        }
        Err(found) => {
            (Vec::new(), found.iter().map(|found| format!("{} {}", found.code, found.message)).collect())
        }
    }
}

#[test]
fn rows() {
    let check = |text: &str, names: &str, expected: &[&str]| {
        let (found_names, found) = answer(text);
        assert_eq!(found, expected, "{text}");
        assert_eq!(found_names.join(" "), names, "{text}");
    };
    check("AGGREGATE count(*)", "count", &["6"]);
    check(
        "WHERE contacts > 99 |> AGGREGATE count(*), sum(contacts) AS s, count(DISTINCT customer)",
        "count s count_distinct_customer",
        &["0 | NULL | 0"],
    );
    check("WHERE contacts > 99 |> AGGREGATE count(*) GROUP BY channel", "channel count", &[]);
    check(
        "AGGREGATE count(*) AS n, count(DISTINCT customer) AS c GROUP BY channel",
        "channel n c",
        &["email | 1 | 1", "phone | 3 | 2", "twitter | 1 | 1", "NULL | 1 | 1"],
    );
    check(
        "AGGREGATE median(span), avg(contacts), sum(sentiment), min(channel), max(note)",
        "median_span avg_contacts sum_sentiment min_channel max_note",
        &["10800000ms | 1.8 | 2.7755575615628914e-17 | email | b"],
    );
    check(
        "AGGREGATE quantile(contacts, 0.75) AS q, stddev(contacts) AS d, sum(span) AS s, avg(span) AS a",
        "q d s a",
        &["2.0 | 0.8366600265340756 | 57600000ms | 11520000ms"],
    );
    check(
        "AGGREGATE share(open) AS o, share(contacts > 1)",
        "o o_of share_contacts_above_1 share_contacts_above_1_of",
        &["0.8 | 5 | 0.6 | 5"],
    );
    check(
        "AGGREGATE top(note, 1) AS t, list(note) AS l, top(channel, 2)",
        "t l top_channel_2",
        &["[a] | [a b a a b] | [phone email]"],
    );
    check(
        "AGGREGATE count(*) * 1.0 / count(DISTINCT customer) AS each, count(note) AS notes",
        "each notes",
        &["1.5 | 5"],
    );
    check(
        "AGGREGATE count(DISTINCT customer, note) AS pairs, count(DISTINCT customer, channel)",
        "pairs count_distinct_customer_channel",
        &["4 | 4"],
    );
    check(
        "AGGREGATE count(*) AS n GROUP BY date_trunc('day', at) AS day, contacts > 1 AS many",
        "day many n",
        &[
            "2026-01-01T00:00:00Z | false | 2",
            "2026-01-01T00:00:00Z | true | 3",
            "2026-01-01T00:00:00Z | NULL | 1",
        ],
    );
    check(
        "AGGREGATE channel = 'phone' AS p, count(*) GROUP BY channel |> WHERE p",
        "channel p count",
        &["phone | true | 3"],
    );
    check("AGGREGATE count(*) GROUP BY customer |> LIMIT 2", "customer count", &["crm:37 | 1", "crm:38 | 1"]);
    check(
        "AGGREGATE count(*) AS n GROUP BY channel |> ORDER BY n DESC |> LIMIT 2",
        "channel n",
        &["phone | 3", "email | 1"],
    );
    check(
        "SELECT note, contacts |> ORDER BY contacts DESC",
        "note contacts",
        &["a | 3", "a | 2", "NULL | 2", "b | 1", "b | 1", "a | NULL"],
    );
    check(
        "SELECT note, contacts |> ORDER BY note |> LIMIT 3",
        "note contacts",
        &["a | 2", "a | 3", "a | NULL"],
    );
    check(
        "SELECT channel AS c, customer |> ORDER BY c DESC |> LIMIT 3",
        "c customer",
        &["twitter | crm:39", "phone | crm:39", "phone | crm:40"],
    );
    check("SELECT note |> DISTINCT", "note", &["a", "b", "NULL"]);
    check(
        "SELECT contacts, contacts, contacts + 1",
        "contacts contacts_2 contacts_plus_1",
        &["3 | 3 | 4", "1 | 1 | 2", "2 | 2 | 3", "NULL | NULL | NULL", "2 | 2 | 3", "1 | 1 | 2"],
    );
    check("EXTEND contacts * 2 AS twice |> WHERE twice = 6 |> SELECT twice", "twice", &["6"]);
    check("WHERE note = 'a' |> CUSTOMERS", "customer", &["crm:37", "crm:38", "crm:40"]);
    check("ORDER BY contacts DESC |> LIMIT 2 |> CUSTOMERS", "customer", &["crm:37", "crm:40"]);
    check(
        "AGGREGATE count(*) AS n GROUP BY channel |> WHERE n = 3 |> CUSTOMERS |> LIMIT 5",
        "customer",
        &["crm:39", "crm:40"],
    );
    check("SELECT customer.plan AS plan |> DISTINCT |> ORDER BY plan", "plan", &["free", "gold", "NULL"]);
    check("LIMIT 0", &schema().columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>().join(" "), &[]);
    check("SELECT note |> LIMIT 2 |> LIMIT 1", "note", &["a"]);
    check("AGGREGATE count(*) AS n GROUP BY upper(channel) |> AGGREGATE max(n) AS most", "most", &["3"]);
}

#[test]
fn identities() {
    let check = |text: &str, expected: &[&str]| assert_eq!(answer(text).1, expected, "{text}");
    check("AGGREGATE count(DISTINCT identity) AS i, count(DISTINCT customer) AS c", &["5 | 4"]);
    check(
        "AGGREGATE count(DISTINCT customer, identity) AS p, count(DISTINCT identity, channel) AS q",
        &["5 | 4"],
    );
    check(
        "AGGREGATE count(*) AS n GROUP BY identity",
        &["crm:38 | 1", "crm:39 | 1", "crm:40 | 2", "phone:01 | 1", "phone:03 | 1"],
    );
    check("AGGREGATE min(identity) AS a, max(identity) AS b", &["crm:38 | phone:03"]);
    check("SELECT identity |> DISTINCT", &["crm:40", "crm:39", "crm:38", "phone:03", "phone:01"]);
    check(
        "SELECT identity, customer |> ORDER BY identity DESC, customer |> LIMIT 3",
        &["phone:03 | crm:37", "phone:01 | crm:39", "crm:40 | crm:40"],
    );
    check("WHERE identity = 'phone:01' |> CUSTOMERS", &["crm:39"]);
    // Beside a customer it is its text: equal names are one group.
    check(
        "SELECT CASE WHEN contacts > 2 THEN customer ELSE identity END AS who |> AGGREGATE count(*) AS n GROUP BY who",
        &["crm:38 | 1", "crm:39 | 1", "crm:40 | 2", "phone:01 | 1", "phone:03 | 1"],
    );
}

/// The note is of customers, and not of their identities.
#[test]
fn only_customers_are_said_to_be_in_several_groups() {
    let (sample, params) = (Sample::new(), Params::new());
    for (text, expected) in [
        ("AGGREGATE count(DISTINCT customer) AS n GROUP BY note", true),
        ("AGGREGATE count(DISTINCT identity) AS n GROUP BY note", false),
    ] {
        let env = Env::new(&sample, &params);
        let tail = tail(text, false, &env, &sample).expect("compiles");
        run(&tail, &[vec![&ROWS]], &sample, &env).expect("runs");
        assert_eq!(env.overlaps(), expected, "{text}");
    }
}

#[test]
fn errors() {
    let check = |text: &str, expected: &str| {
        let (_, found) = answer(text);
        assert!(found.join("; ").contains(expected), "{text}: {found:?}");
    };
    check("AGGREGATE note", "E304 `note` is neither aggregated nor a group");
    check("AGGREGATE nothing", "E301");
    check("AGGREGATE sum(note)", "E302 there is no `sum` of text");
    check("AGGREGATE quantile(contacts, 2)", "E305");
    check("AGGREGATE top(note, contacts)", "E305 this must be the same for all rows");
    check("AGGREGATE count(*) AS n, sum(contacts) AS N", "E309 there is already a column `N`");
    check("EXTEND 1 AS note", "E309");
    check("AGGREGATE sum(count(*))", "E304 `count` is an aggregate");
    check("LIMIT $n", "E307 the parameter `$n` has no value");
    check("EXTEND contacts * 9223372036854775807 AS x", "leaves the range");
    check("AGGREGATE sum(contacts * 4611686018427387904)", "leaves the range");
    check("AGGREGATE sum(4611686018427387904)", "leaves the range");
}

#[test]
fn what_is_needed() {
    let (sample, params) = (Sample::new(), Params::new());
    let env = Env::new(&sample, &params);
    let check = |text: &str, expected: &str, sets: bool, members: bool| {
        let tail = tail(text, false, &env, &sample).expect("compiles");
        let names: Vec<String> = schema().columns.into_iter().map(|column| column.name).collect();
        let needed: Vec<&str> = tail
            .needed()
            .iter()
            .zip(&names)
            .filter(|(needed, _)| **needed)
            .map(|(_, name)| name.as_str())
            .collect();
        assert_eq!(needed.join(" "), expected, "{text}");
        assert_eq!((tail.needs_sets(), tail.keeps_members()), (sets, members), "{text}");
    };
    let all = "customer channel note contacts sentiment at span open agents identity";
    check("LIMIT 1", all, false, true);
    check("SELECT note", "note", false, true);
    check("EXTEND span / 1d AS days |> WHERE open |> SELECT note", "note open", false, true);
    check("AGGREGATE count(*)", "", false, false);
    check("ORDER BY note |> AGGREGATE count(*)", all, false, false);
    check("SELECT note, contacts |> ORDER BY note |> SELECT note", "note contacts", false, true);
    check("AGGREGATE median(span) GROUP BY channel", "channel span", false, false);
    check("WHERE open |> CUSTOMERS", "open", true, false);
}

#[test]
fn too_many_bytes_stop_it() {
    let (sample, params) = (Sample::new(), Params::new());
    let check = |text: &str, limit: u64, stopped: bool| {
        let mut env = Env::new(&sample, &params);
        env.rows_bytes_max = limit;
        let tail = tail(text, false, &env, &sample).expect("compiles");
        let rows: Vec<Made> = ROWS.iter().cycle().take(60_000).copied().collect();
        let batches: Vec<&[Made]> = rows.chunks(500).collect();
        let found = run(&tail, &[batches], &sample, &env);
        assert_eq!(matches!(found, Err(QueryLimit::RowsBytes { .. })), stopped, "{text}");
    };
    check("SELECT note", 1 << 20, true);
    check("AGGREGATE median(span)", 100_000, true);
    check("AGGREGATE count(*) GROUP BY channel", 100_000, false);
    check("SELECT note |> LIMIT 10", 100_000, false);
    // What an ORDER BY with LIMIT lets go is counted no more.
    check("SELECT contacts |> ORDER BY contacts |> LIMIT 10", 1 << 20, false);
}

const TEXTS: [&str; 19] = [
    "WHERE contacts > 1",
    "AGGREGATE count(*), count(note) AS notes, count(DISTINCT customer) AS c, count(DISTINCT note, channel) AS d GROUP BY channel",
    "AGGREGATE sum(sentiment), avg(sentiment), stddev(sentiment), median(sentiment), quantile(sentiment, 0.9)",
    "AGGREGATE sum(contacts), avg(span), stddev(contacts), median(span), median(at) GROUP BY note, channel",
    "AGGREGATE min(channel), max(customer), min(sentiment), max(at) GROUP BY contacts > 1",
    "AGGREGATE share(open AND contacts > 0) AS s, top(note, 2) AS t, top(channel, 1) AS u, list(contacts) AS l GROUP BY customer",
    "AGGREGATE count(*) AS n GROUP BY lower(channel) |> ORDER BY n DESC",
    "ORDER BY contacts DESC, channel",
    "ORDER BY sentiment |> LIMIT 3",
    "LIMIT 4",
    "SELECT channel, open |> DISTINCT",
    "WHERE open |> CUSTOMERS",
    "LIMIT 5 |> EXTEND contacts + 1 AS more |> WHERE more > 1 |> ORDER BY more |> CUSTOMERS |> LIMIT 2",
    "SELECT channel, note |> DISTINCT |> AGGREGATE count(*) AS n, count(DISTINCT channel) AS c GROUP BY note |> ORDER BY n",
    "SELECT customer.plan AS plan, sentiment |> AGGREGATE sum(sentiment) AS s GROUP BY plan",
    "AGGREGATE count(DISTINCT customer, channel) AS p, count(DISTINCT customer, note) AS q GROUP BY open",
    "AGGREGATE count(DISTINCT agents) AS a, max(contacts) AS m",
    "AGGREGATE count(DISTINCT identity) AS i, count(DISTINCT identity, customer) AS p, max(identity) AS m, top(identity, 2) AS t GROUP BY channel",
    "SELECT identity, customer |> ORDER BY identity DESC, customer |> LIMIT 7",
];

fn made() -> impl Strategy<Value = Made> {
    let sentiment =
        prop_oneof![-1.0..1.0_f64, Just(0.0), Just(-0.0), Just(1e300), Just(-1e300), Just(1e-300)];
    (
        0..CUSTOMERS,
        prop::option::of(0..4_u32),
        prop::option::of(prop::sample::select(vec!["a", "b", "phone", ""])),
        prop::option::of(0..4_i64),
        prop::option::of(sentiment),
        prop::option::of(0..50_i64),
        prop::option::of(any::<bool>()),
    )
}

fn cut<'a, T>(rows: &'a [T], lengths: &[usize]) -> Vec<&'a [T]> {
    let mut pieces = Vec::new();
    let mut rest = rows;
    for &length in lengths.iter().cycle().take(rows.len()) {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

proptest! {
    #[test]
    fn the_way_the_work_is_cut_never_shows(
        rows in prop::collection::vec(made(), 0..40),
        units in prop::collection::vec(0..12_usize, 1..5),
        batches in prop::collection::vec(1..6_usize, 1..4),
    ) {
        let (sample, params) = (Sample::new(), Params::new());
        let env = Env::new(&sample, &params);
        for text in TEXTS {
            let tail = tail(text, true, &env, &sample).expect("compiles");
            let whole = run(&tail, &[vec![&rows]], &sample, &env).expect("runs");
            let pieces: Vec<Vec<&[Made]>> = cut(&rows, &units).into_iter().map(|unit| cut(unit, &batches)).collect();
            let split = run(&tail, &pieces, &sample, &env).expect("runs");
            prop_assert_eq!(lines(&tail, &whole, &env), lines(&tail, &split, &env), "{}", text);
            let sets = |batch: &RowBatch| -> Vec<RoaringBitmap> {
                (0..batch.len)
                    .map(|row| {
                        let mut set = RoaringBitmap::new();
                        batch.sets.add_to(row, &mut set);
                        set
                    })
                    .collect()
            };
            prop_assert_eq!(sets(&whole), sets(&split), "{}", text);
            prop_assert!(whole.len == 0 || whole.has_sets(), "{}", text);
        }
    }

    /// Rule 11: what an aggregate counts is the size of the set behind it.
    #[test]
    fn a_count_and_the_customers_behind_it_agree(rows in prop::collection::vec(made(), 0..40)) {
        let (sample, params) = (Sample::new(), Params::new());
        let env = Env::new(&sample, &params);
        let text = "WHERE open |> AGGREGATE count(DISTINCT customer) AS c GROUP BY channel";
        let tail = tail(text, true, &env, &sample).expect("compiles");
        let found = run(&tail, &[vec![&rows]], &sample, &env).expect("runs");
        for row in 0..found.len {
            let mut set = RoaringBitmap::new();
            found.sets.add_to(row, &mut set);
            prop_assert_eq!(&found.columns[1][row], &Cell::Int(set.len() as i64));
        }
    }
}
