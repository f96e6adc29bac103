//! What is said of identities in the language, and what it answers.

use throughline_engine::{Guards, Interaction, Options};

use super::tests::{DAY, START, Store, store};
use crate::{Answer, Db, Params, QueryError, Value};

fn calls(all: &[(&str, i64, &str)]) -> Store {
    let call = |&(identity, day, topic): &(&str, i64, &str)| {
        Interaction::new(identity, START + day * DAY).kind("call").channel("phone").topic(topic)
    };
    store(all.iter().map(call).collect())
}

/// Some columns of an answer.
fn some(answer: &Answer, columns: &[&str]) -> Vec<String> {
    let cell = |row, name| answer.get(row, name).map_or("no column".to_owned(), super::tests::show);
    (0..answer.len())
        .map(|row| columns.iter().map(|name| cell(row, name)).collect::<Vec<_>>().join(" | "))
        .collect()
}

const COUNTS: &str = "AGGREGATE count(*) AS n GROUP BY customer |> ORDER BY customer";

#[test]
fn identities_become_one_customer_and_two_again() {
    let store = calls(&[("phone:1", 0, "a"), ("crm:42", 1, "a"), ("phone:1", 2, "a"), ("crm:43", 3, "a")]);
    store.check("LINK 'phone:1' TO 'crm:42'", &["phone:1 | crm:42 | joined | - | crm:42 | crm:42"]);
    store.check(COUNTS, &["crm:42 | 3", "crm:43 | 1"]);
    store.check(
        "link 'crm:42' to 'phone:1' confidence 0.4",
        &["crm:42 | phone:1 | already one customer | - | crm:42 | crm:42"],
    );
    let refused = "phone:1 | crm:43 | refused | at most 1 crm a customer: crm:42, crm:43 | crm:42 | crm:43";
    store.check("LINK 'phone:1' TO 'crm:43' CONFIDENCE 0.9 SOURCE 'web chat'", &[refused]);
    let answer = store.ask("LINKS REFUSED");
    let columns = ["one", "other", "said", "confidence", "source", "reason"];
    let told = "crm:43 | phone:1 | link | 0.900 | web chat | at most 1 crm a customer: crm:42, crm:43";
    assert_eq!(some(&answer, &columns), [told]);
    assert!(matches!(answer.get(0, "recorded"), Some(Value::Time(at)) if *at > START));
    for (customer, told) in [("phone:1", &[told][..]), ("crm:43", &[told]), ("crm:42", &[told])] {
        let answer = store.ask(&format!("LINKS REFUSED FOR CUSTOMER '{customer}'"));
        // The pair is of the customer that the telephone belongs to, and of the one it does not.
        assert_eq!(some(&answer, &columns), told, "{customer}");
    }
    store.check("UNLINK 'phone:1' FROM 'crm:42'", &["phone:1 | crm:42 | cut | - | crm:43 | crm:42"]);
    store.check(COUNTS, &["crm:42 | 1", "crm:43 | 3"]);
    store.check("LINKS REFUSED", &[]);
    let answer = store.ask("LINKS OF CUSTOMER 'phone:1'");
    let columns = ["one", "other", "said", "confidence", "source", "standing", "reason", "bridge", "apart"];
    assert_eq!(
        some(&answer, &columns),
        [
            "crm:43 | phone:1 | link | 0.900 | web chat | accepted | - | true | 2",
            "crm:42 | phone:1 | cut | - | statement | cut | - | false | -",
        ]
    );
    let answer = store.ask("LINKS OF CUSTOMER 'crm:42' IN (CUSTOMERS)");
    assert_eq!(some(&answer, &["standing", "apart", "only_here"]), ["cut | - | -"]);
}

#[test]
fn which_rows_exist_because_of_one_link() {
    let store = calls(&[
        ("crm:1", 0, "billing"),
        ("phone:9", 1, "billing"),
        ("email:a@b", 2, "billing"),
        ("crm:1", 3, "login"),
        ("crm:1", 4, "login"),
        ("crm:2", 50, "login"),
    ]);
    for pair in ["'crm:1' TO 'phone:9'", "'phone:9' TO 'email:a@b'", "'phone:9' TO 'crm:2' CONFIDENCE 0.3"] {
        store.ask(&format!("LINK {pair}"));
    }
    let columns = ["one", "other", "standing", "bridge", "apart", "only_here"];
    let asked = |query: &str| some(&store.ask(&format!("LINKS OF CUSTOMER 'crm:1' IN ({query})")), &columns);
    let found = asked("CHAINS SAME topic GAP 7d MIN 2");
    assert_eq!(
        found,
        [
            // Without it the chain about billing is none: the telephone goes to crm:2.
            "crm:1 | phone:9 | accepted | true | 2 | 1",
            "crm:2 | phone:9 | refused | false | - | -",
            // Without it it is one of two contacts and not of three.
            "email:a@b | phone:9 | accepted | true | 1 | 1",
        ]
    );
    // Nobody else is looked at, and the right edge stays where it was.
    let open = "CHAINS SAME topic GAP 60d MIN 2 |> WHERE topic = 'login' |> SELECT contacts, open";
    assert_eq!(asked(open).first().map(String::as_str), Some("crm:1 | phone:9 | accepted | true | 2 | 0"));
    assert_eq!(
        asked("CUSTOMERS").first().map(String::as_str),
        Some("crm:1 | phone:9 | accepted | true | 2 | 0")
    );
    // The address's contact is counted with or without it; the telephone's come with one of crm:2.
    let counted = asked("AGGREGATE count(*) AS n");
    assert_eq!(counted.first().map(String::as_str), Some("crm:1 | phone:9 | accepted | true | 2 | 1"));
    assert_eq!(counted.last().map(String::as_str), Some("email:a@b | phone:9 | accepted | true | 1 | 0"));
    let error = store.error("LINKS OF CUSTOMER 'crm:1' IN (CUSTOMERS |> SAVE COHORT x)");
    assert!(error.contains("E414"), "{error}");
    for customer in ["crm:1", "crm:9"] {
        let error =
            store.error(&format!("LINKS OF CUSTOMER '{customer}' IN (WHERE nothing = 1 |> CUSTOMERS)"));
        assert!(error.contains("E301"), "{error}");
    }
}

#[test]
fn a_ring_of_links_has_no_bridge() {
    let store = calls(&[("crm:1", 0, "a"), ("phone:9", 1, "a"), ("email:a@b", 2, "a")]);
    for pair in ["'crm:1' TO 'phone:9'", "'phone:9' TO 'email:a@b'", "'crm:1' TO 'email:a@b'"] {
        store.ask(&format!("LINK {pair}"));
    }
    let answer = store.ask("LINKS OF CUSTOMER 'email:a@b' IN (CHAINS SAME topic GAP 7d MIN 3)");
    assert_eq!(some(&answer, &["standing", "bridge", "apart", "only_here"]), ["accepted | false | - | 0"; 3]);
}

#[test]
fn what_cannot_be_said_says_so() {
    let store = calls(&[("crm:1", 0, "a")]);
    let check = |statement: &str, words: &[&str]| {
        let error = store.error(statement);
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    check("LINK 'crm:1' TO ' crm: 1'", &["E421", "`crm:1` and itself"]);
    check("UNLINK 'x' FROM 'id:x'", &["E421"]);
    check("LINK 'crm:' TO 'crm:1'", &["E412"]);
    check("LINK $a TO 'crm:1'", &["E307", "`$a` has no value"]);
    let with = |statement: &str, values: &[(&str, Value)]| {
        let params: Params = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        store.db.query_with(statement, &params)
    };
    let error = with("LINK 'a' TO 'b' CONFIDENCE $c", &[("c", Value::Float(1.5))]).expect_err("is refused");
    assert!(error.to_string().contains("E105"), "{error}");
    let error = with("LINK 'a' TO 'b' CONFIDENCE $c", &[("c", "high".into())]).expect_err("is refused");
    assert!(error.to_string().contains("E308"), "{error}");
    let error = with("LINKS REFUSED", &[("c", 1.into())]).expect_err("is refused");
    assert!(error.to_string().contains("no parameter `$c`"), "{error}");
    assert_eq!(store.db.snapshot().commit(), 1, "nothing was written");
    let values =
        [("a", "phone:1".into()), ("b", "crm:1".into()), ("c", Value::Float(0.25)), ("s", "me".into())];
    let answer = with("LINK $a TO $b CONFIDENCE $c SOURCE $s", &values).expect("is said");
    assert_eq!(some(&answer, &["standing", "customer"]), ["joined | crm:1"]);
    let warnings: Vec<(&str, &str)> =
        answer.warnings().iter().map(|found| (found.code, found.message.as_str())).collect();
    assert_eq!(warnings, [("W502", "nobody has gone by `phone:1` so far")]);
    let answer = with("LINKS OF CUSTOMER $b", &values[1..2]).expect("is asked");
    assert_eq!(some(&answer, &["confidence", "source"]), ["0.250 | me"]);
    let answer = store.ask("LINK 'phone:0000' TO 'crm:1'");
    assert_eq!(some(&answer, &["standing", "reason"]), ["refused | phone:0000 is blocked"]);
    assert_eq!(answer.warnings().iter().map(|found| found.code).collect::<Vec<_>>(), ["W504"]);
    for asked in ["LINKS OF CUSTOMER 'crm:77'", "LINKS REFUSED FOR CUSTOMER 'crm:77'"] {
        let answer = store.ask(asked);
        assert_eq!(
            (answer.len(), answer.warnings().first().map(|found| found.code)),
            (0, Some("W502")),
            "{asked}"
        );
    }
}

#[test]
fn reasons_name_the_rule() {
    let store = calls(&[("crm:1", 0, "a")]);
    let guards = Guards::default().with_hub_links(3).and_then(|some| some.with_limit("device", 1));
    store.db.set_guards(&guards.expect("are rules")).expect("sets");
    for other in ["crm:1", "crm:2", "crm:3", "crm:4"] {
        store.ask(&format!("LINK 'phone:9' TO '{other}'"));
    }
    for pair in ["'crm:1' TO 'device:1'", "'crm:1' TO 'email:a@b'", "'email:a@b' TO 'device:2'"] {
        store.ask(&format!("LINK {pair}"));
    }
    store.ask("UNLINK 'email:c@d' FROM 'crm:1'");
    store.ask("LINK 'email:c@d' TO 'email:a@b'");
    let reasons = some(&store.ask("LINKS REFUSED"), &["one", "reason"]);
    let hub = "phone:9 is paired with more than 3 others";
    let mut expected: Vec<String> = (1..=4).map(|number| format!("crm:{number} | {hub}")).collect();
    expected.push("email:a@b | cut: crm:1, email:c@d".to_owned());
    expected.push("email:a@b | at most 1 device a customer: device:1, device:2".to_owned());
    assert_eq!(reasons, expected);
}

#[test]
fn a_store_that_is_only_read_refuses_what_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let db = Db::open(&path).expect("opens");
    db.append([Interaction::new("crm:1", START)]).expect("appends");
    db.close().expect("closes");
    let db = Db::open_with(&path, Options { read_only: true, ..Options::default() }).expect("opens");
    for told in ["LINK 'phone:1' TO 'crm:1'", "UNLINK 'phone:1' FROM 'crm:1'"] {
        let error = db.query(told).expect_err("is refused");
        assert!(matches!(error, QueryError::Engine(throughline_engine::Error::ReadOnly)), "{error}");
    }
    assert_eq!(db.query("LINKS OF CUSTOMER 'crm:1'").expect("is asked").len(), 0);
}
