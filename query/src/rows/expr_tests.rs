//! Expressions, from text to value.

use proptest::prelude::*;
use throughline_engine::IdentityOrdinal;

use super::cell::compare_int_float;
use super::env::Env;
use super::sample::{Sample, expr, shown, typed};
use super::{Cell, Cells, Shape};
use crate::diagnostics::Severity;
use crate::value::{Params, Value};

struct Row(Vec<Cell>);

impl Cells for Row {
    fn cell(&self, slot: usize) -> Cell {
        self.0.get(slot).cloned().unwrap_or(Cell::Null)
    }
}

fn params() -> Params {
    let mut params = Params::new();
    params.insert("n".into(), Value::Int(3));
    params.insert("since".into(), "2026-01-01".into());
    params.insert("channels".into(), vec!["phone", "email"].into());
    params
}

/// crm:40 on gold, phone, 3 contacts, sentiment -0.5, 2026-01-31T09:30, 36 h, open NULL, under phone:00.
fn row(sample: &Sample) -> Row {
    Row(vec![
        Cell::Customer(0),
        Cell::Symbol(sample.channel(), 1),
        Cell::text("Call back!"),
        Cell::Int(3),
        Cell::Float(-0.5),
        Cell::Time(1_769_851_800_000),
        Cell::Duration(129_600_000),
        Cell::Null,
        Cell::List([Cell::text("ann"), Cell::Null, Cell::text("bob")].into()),
        Cell::Identity(IdentityOrdinal(1)),
    ])
}

fn evaluate(text: &str) -> String {
    let (sample, params) = (Sample::new(), params());
    let env = Env::new(&sample, &params);
    let mut sink = Vec::new();
    match typed(text, &env, &sample, &mut sink) {
        Some(typed) => {
            let cell = typed.eval(&row(&sample), &env);
            let truth = typed.truth(&row(&sample), &env).map_or(Cell::Null, Cell::Bool);
            assert!(cell.ty() != super::RowType::Bool || cell == truth, "{text}: eval and truth differ");
            match env.check() {
                Ok(()) => shown(&cell, &env),
                Err(error) => error.to_string(),
            }
        }
        None => sink.iter().map(|found| format!("{} {}", found.code, found.message)).collect(),
    }
}

#[test]
fn values() {
    let check = |text: &str, expected: &str| assert_eq!(evaluate(text), expected, "{text}");
    check("contacts + 1", "4");
    check("contacts / 2", "1.5");
    check("contacts % 2", "1");
    check("contacts / 0", "NULL");
    check("contacts % 0", "NULL");
    check("-contacts * 2", "-6");
    check("contacts * 0.5", "1.5");
    check("2 + 3 * 4", "14");
    check("contacts = 3.0", "true");
    check("contacts < 3.5", "true");
    check("sentiment < 0", "true");
    check("sentiment BETWEEN -1 AND -0.5", "true");
    check("sentiment NOT BETWEEN -1 AND -0.5", "false");
    check("channel = 'phone'", "true");
    check("'phone' = channel", "true");
    check("channel <> 'phone'", "false");
    check("channel < 'q'", "true");
    check("channel > 'q'", "false");
    check("channel IN ('twitter', 'phone')", "true");
    check("channel NOT IN ('twitter', 'phone')", "false");
    check("channel IN ('twitter', NULL)", "NULL");
    check("channel IN ('phone', NULL)", "true");
    check("channel IN ('email', note)", "false");
    check("channel IN $channels", "true");
    check("channel IN ($channels)", "true");
    check("contacts IN (1, $n)", "true");
    check("channel LIKE 'ph%'", "true");
    check("channel NOT LIKE '%x%'", "true");
    check("note LIKE '%back_'", "true");
    check("upper(channel)", "PHONE");
    check("lower(note)", "call back!");
    check("contains(note, 'back')", "true");
    check("contains(note, 'Back')", "false");
    check("size(note)", "10");
    check("size(agents)", "3");
    check("agents[1]", "ann");
    check("agents[-1]", "bob");
    check("agents[2]", "NULL");
    check("agents[4]", "NULL");
    check("agents[0]", "NULL");
    check("agents[-4]", "NULL");
    check("contains(agents, 'bob')", "true");
    check("contains(agents, 'eve')", "NULL");
    check("at > '2026-01-31'", "true");
    check("at >= $since", "true");
    check("'2026-02-01' > at", "true");
    check("at BETWEEN '2026-01-01' AND '2026-02-01'", "true");
    check("at - '2026-01-31'", "34200000ms");
    check("at + 1d", "2026-02-01T09:30:00Z");
    check("at - span", "2026-01-29T21:30:00Z");
    check("span / 1d", "1.5");
    check("span * 2", "259200000ms");
    check("span / 3", "43200000ms");
    check("span % 1d", "43200000ms");
    check("span > 1d", "true");
    check("span > '1d'", "true");
    check("date_trunc('month', at)", "2026-01-01T00:00:00Z");
    check("date_trunc(at, 'week')", "2026-01-26T00:00:00Z");
    check("extract('hour', at)", "9");
    check("extract(year, at)", "2026");
    check("bucket(contacts, 2)", "2");
    check("bucket(-contacts, 2)", "-4");
    check("bucket(contacts, 2.5)", "2.5");
    check("bucket(sentiment, 0.2)", "-0.6000000000000001");
    check("bucket(span, 1d)", "86400000ms");
    check("bucket(at, 6h)", "2026-01-31T06:00:00Z");
    check("bucket(contacts, contacts - 3)", "NULL");
    check("bucket(NULL, 2)", "NULL");
    check("bucket(contacts, 0)", "E305 the width of a bucket is above 0");
    check("bucket(span, 2)", "E302 bucket cannot cut a duration by a whole number");
    check("customer = 'crm:40'", "true");
    check("customer <> 'crm:39'", "true");
    check("customer LIKE 'crm:%'", "true");
    check("customer.plan = 'gold'", "true");
    check("customer.plan", "gold");
    check("CHANNEL = 'phone'", "true");
    check("coalesce(open, contacts > 2)", "true");
    check("coalesce(NULL, contacts, 1.5)", "3.0");
    check("CASE WHEN contacts > 5 THEN 'many' WHEN contacts > 2 THEN 'some' END", "some");
    check("CASE channel WHEN 'email' THEN 1 WHEN 'phone' THEN 2.5 END", "2.5");
    check("CASE channel WHEN 'email' THEN 1 ELSE NULL END", "NULL");
}

#[test]
fn three_valued_logic() {
    let check = |text: &str, expected: &str| assert_eq!(evaluate(text), expected, "{text}");
    check("open", "NULL");
    check("NOT open", "NULL");
    check("open AND TRUE", "NULL");
    check("open AND FALSE", "false");
    check("FALSE AND open", "false");
    check("open OR TRUE", "true");
    check("open OR FALSE", "NULL");
    check("open = open", "NULL");
    check("open IS NULL", "true");
    check("open IS NOT NULL", "false");
    check("NULL = NULL", "NULL");
    check("contacts + NULL", "NULL");
    check("contacts = NULL", "NULL");
    check("NULL IN (1)", "NULL");
    check("NOT (contacts IN (1, NULL))", "NULL");
    check("contacts BETWEEN 5 AND NULL", "false");
    check("contacts BETWEEN 1 AND NULL", "NULL");
}

#[test]
fn errors() {
    let check = |text: &str, expected: &str| {
        let found = evaluate(text);
        assert!(found.contains(expected), "{text}: {found}");
    };
    check("chanel = 'phone'", "E301 there is no column or attribute `chanel` here");
    check("contacts = 'three'", "E302 a whole number cannot be compared with text");
    check("contacts AND TRUE", "E302 a predicate is wanted here, and this is a whole number");
    check("note + 1", "E302 there is no `+` between text and a whole number");
    check("at + at", "E302 there is no `+` between a time and a time");
    check("-note", "E302 `-` wants a number or a duration, not text");
    check("at > 'soon'", "E306 `soon` is not an instant");
    check("span > 'long'", "E306 `long` is not a duration");
    check("$unknown = 1", "E307 the parameter `$unknown` has no value");
    check("lowr(note)", "E303 there is no function `lowr`");
    check("count(*) > 1", "E304 `count` is an aggregate");
    check("lower(note, note)", "E305");
    check("date_trunc('fortnight', at)", "E305 `date_trunc` wants a unit and a time");
    check("CASE WHEN TRUE THEN 1 ELSE 'x' END", "E302 this is text");
    check("contacts[1]", "E302 only lists have items");
    check("customer.plam = 'x'", "E301");
    check("9223372036854775807 + 1", "E310");
    check("contacts * 9223372036854775807", "leaves the range of whole numbers");
}

/// Customer 0 goes by identity 0, which is not the identity 1 that the row came under.
#[test]
fn identities() {
    let check = |text: &str, expected: &str| assert_eq!(evaluate(text), expected, "{text}");
    check("identity", "phone:00");
    check("identity = 'phone:00'", "true");
    check("'phone:00' <> identity", "false");
    check("identity = 'crm:40'", "false");
    check("identity IN ('crm:40', 'crm:39')", "false");
    check("identity IN ('crm:40', 'phone:00')", "true");
    check("identity NOT IN ('crm:40', NULL)", "NULL");
    check("identity = customer", "false");
    check("customer <> identity", "true");
    check("customer < identity", "true");
    check("identity > 'crm'", "true");
    check("identity LIKE 'phone:%'", "true");
    check("upper(identity)", "PHONE:00");
    check("coalesce(identity, customer)", "phone:00");
    check("CASE WHEN contacts = 3 THEN customer ELSE identity END", "crm:40");
    check("CASE identity WHEN 'phone:00' THEN 'yes' ELSE note END", "yes");
    check("contains(agents, identity)", "NULL");
    check("identity + 1", "E302 there is no `+` between an identity and a whole number");
    check("identity = 1", "E302 an identity cannot be compared with a whole number");
}

#[test]
fn unknown_values_warn_and_equal_nothing() {
    let (sample, params) = (Sample::new(), Params::new());
    let env = Env::new(&sample, &params);
    let check = |text: &str, code: &str, help: &str, expected: &str| {
        let mut sink = Vec::new();
        let typed = typed(text, &env, &sample, &mut sink).expect("only a warning");
        let found = sink.first().expect("a warning");
        assert_eq!((found.severity, found.code), (Severity::Warning, code), "{text}");
        assert!(found.help.as_deref().is_some_and(|found| found.contains(help)), "{text}: {found:?}");
        assert_eq!(shown(&typed.eval(&row(&sample), &env), &env), expected, "{text}");
    };
    check("channel = 'fone'", "W501", "there are", "false");
    check("channel = 'twiter'", "W501", "did you mean `twitter`?", "false");
    check("channel <> 'twiter'", "W501", "twitter", "true");
    check("NOT channel IN ('twiter')", "W501", "twitter", "true");
    check("customer = 'crm:99'", "W502", "namespace:key", "false");
    check("identity = 'phone:99'", "W502", "namespace:key", "false");
    check("customer = 'phone:99'", "W502", "namespace:key", "false");
    check("customer.plan = 'golt'", "W501", "`gold`", "false");
}

#[test]
fn names_that_were_meant() {
    let (sample, params) = (Sample::new(), params());
    let env = Env::new(&sample, &params);
    let check = |text: &str, expected: &str| {
        let mut sink = Vec::new();
        assert!(typed(text, &env, &sample, &mut sink).is_none(), "{text}");
        let help = sink.first().and_then(|found| found.help.clone()).unwrap_or_default();
        assert!(help.contains(expected), "{text}: {help}");
    };
    check("chanel = 'x'", "did you mean `channel`?");
    check("topic = 'x'", "`topic` belongs to interactions");
    check("$m = 1", "given: $channels, $n, $since");
}

#[test]
fn shapes() {
    let (sample, params) = (Sample::new(), params());
    let env = Env::new(&sample, &params);
    let check = |text: &str, expected: &str| {
        let mut sink = Vec::new();
        let typed = typed(text, &env, &sample, &mut sink).expect("compiles");
        let found = match typed.shape() {
            Shape::And(..) => "and".into(),
            Shape::Or(..) => "or".into(),
            Shape::Not(_) => "not".into(),
            Shape::Compare { slot, op, constant } => format!("{slot} {op:?} {}", shown(constant, &env)),
            Shape::InSet { slot, cells } => format!("{slot} in {}", cells.len()),
            Shape::Constant(cell) => shown(cell, &env),
            Shape::Other => format!("other {:?}", typed.slots()),
        };
        assert_eq!(found, expected, "{text}");
    };
    check("sentiment < -0.5", "4 Lt -0.5");
    check("-0.5 > sentiment", "4 Lt -0.5");
    check("channel = 'phone'", "1 Eq phone");
    check("channel IN ('phone', 'email', 'phone')", "1 in 2");
    check("channel NOT IN ('phone')", "not");
    check("channel IN ('phone', NULL)", "other [1]");
    check("open IS NULL AND contacts > 1", "and");
    check("contacts BETWEEN 1 AND 2", "and");
    check("1 < 2", "true");
    check("channel LIKE 'p%'", "other [1]");
    check("contacts = NULL", "other [3]");
}

proptest! {
    /// Against arithmetic that cannot round: 2^63 and all doubles of that size are whole.
    #[test]
    fn whole_numbers_and_floats_compare_exactly(a in any::<i64>(), near in -3_i32..3, b in any::<f64>()) {
        let exact = |a: i64, b: f64| {
            let whole = b.floor();
            if whole > 1e20 { return std::cmp::Ordering::Less }
            if whole < -1e20 { return std::cmp::Ordering::Greater }
            (i128::from(a) * 2).cmp(&(whole as i128 * 2 + i128::from(b > whole)))
        };
        for b in [b, a as f64, a as f64 + f64::from(near), f64::from(near) + 0.5] {
            if b.is_finite() {
                prop_assert_eq!(compare_int_float(a, b), Some(exact(a, b)), "{} {}", a, b);
            }
        }
    }
}

#[test]
fn the_parser_gives_places() {
    assert!(expr("contacts + 1").span.end > 0);
}
