//! Maps and headers: what becomes of columns, and what is said of a slip.

use super::*;

fn headers(names: &[&str]) -> Vec<(usize, String)> {
    names.iter().enumerate().map(|(place, name)| (place, (*name).to_owned())).collect()
}

fn check(map: &str, names: &[&str], expected: &[(&str, Target)]) {
    let mapping = Mapping::parse(map).expect(map);
    let rules =
        mapping.rules(&headers(names), Section::Interactions, &[], &mut Vec::new()).expect("columns differ");
    let found: Vec<(&str, Target)> =
        rules.iter().map(|rule| (rule.header.as_str(), rule.target.clone())).collect();
    assert_eq!(found, expected, "{map}");
}

fn attribute(name: &str) -> Target {
    Target::Attribute(name.to_owned())
}

#[test]
fn headers_by_default() {
    check(
        "",
        &["Customer_ID", " TS ", "event", "case_id", "Channel", "Plan"],
        &[
            ("Customer_ID", Target::Customer),
            ("TS", Target::Time),
            ("event", attribute("kind")),
            ("case_id", attribute("case")),
            ("Channel", attribute("channel")),
            ("Plan", attribute("Plan")),
        ],
    );
}

#[test]
fn the_second_of_two_is_an_attribute() {
    check(
        "",
        &["customer", "customer_id", "at", "ts"],
        &[
            ("customer", attribute("source_customer")),
            ("customer_id", Target::Customer),
            ("at", attribute("source_at")),
            ("ts", Target::Time),
        ],
    );
}

#[test]
fn the_map_overrides() {
    check(
        "[columns]\ncase_id = \"customer\"",
        &["customer_id", "ts", "case_id"],
        &[("customer_id", attribute("customer_id")), ("ts", Target::Time), ("case_id", Target::Customer)],
    );
    check(
        "[columns]\ncase_id = [\"customer\", \"case\"]\ncustomer_id = { ignore = true }\nts = { zone = \"Europe/Berlin\" }",
        &["customer_id", "ts", "case_id"],
        &[("ts", Target::Time), ("case_id", Target::Customer), ("case_id", attribute("case"))],
    );
}

#[test]
fn an_exact_map_names_attributes_as_they_are() {
    let map = "[columns]\nts = \"ts\"\na = { attribute = \"ts\" }\nb = { attribute = \"Event\" }";
    let error = Mapping::parse(map)
        .expect("reads")
        .rules(&headers(&["ts", "a"]), Section::Interactions, &[], &mut Vec::new())
        .expect_err("both are the time");
    assert!(error.to_string().contains("both become the time"), "{error}");
    check(
        &format!("exact = true\n{map}"),
        &["customer", "ts", "a", "b"],
        &[
            ("customer", Target::Customer),
            ("ts", Target::Time),
            ("a", attribute("ts")),
            ("b", attribute("Event")),
        ],
    );
}

fn refused(map: &str, words: &str) {
    let message = Mapping::parse(map).expect_err(map).to_string();
    assert!(message.contains(words), "{message}");
}

#[test]
fn a_map_with_a_slip_is_refused() {
    refused("[colums]\na = \"b\"", "did you mean `columns`?");
    refused("[columns]\na = { atribute = \"b\" }", "did you mean `attribute`?");
    refused("[columns]\na = { type = \"symbl\" }", "did you mean `symbol`?");
    refused("[columns]\na = { role = \"chanel\" }", "did you mean `channel`?");
    refused("zone = \"Europe/Berlinn\"", "not a time zone");
    refused("[constants]\ncustomer = \"x\"", "every row needs its own");
    refused("[columns]\na = 3", "must be the name of an attribute");
    refused("exact = \"yes\"", "`exact` of the map must be true or false");
}

#[test]
fn words_of_the_language_are_no_attributes() {
    check(
        "",
        &["customer", "ts", "Persona"],
        &[
            ("customer", Target::Customer),
            ("ts", Target::Time),
            ("Persona", Target::Attribute("source_persona".into())),
        ],
    );
}

#[test]
fn two_columns_for_one_attribute_are_refused() {
    let mapping = Mapping::parse("[columns]\na = \"topic\"\nb = \"topic\"").expect("reads");
    let error =
        mapping.rules(&headers(&["a", "b"]), Section::Interactions, &[], &mut Vec::new()).expect_err("clash");
    assert!(error.to_string().contains("`a` and `b` both become the attribute `topic`"), "{error}");
}

#[test]
fn a_column_nobody_has_is_named() {
    let mapping = Mapping::parse("[columns]\nCaler = \"customer\"").expect("reads");
    let met = ["caller", "ts"].map(str::to_owned).into();
    let error = check_all_met(&mapping.named(Section::Interactions), &met).expect_err("missing");
    assert!(error.to_string().contains("did you mean `caller`?"), "{error}");
}

#[test]
fn recording_times_are_only_said() {
    check("", &["recorded"], &[("recorded", attribute("recorded"))]);
    check("[columns]\nLoaded = \"Recorded\"", &["loaded"], &[("loaded", Target::Recorded)]);
    check(
        "exact = true\n[columns]\nrecorded = \"recorded\"\nrecorded_2 = { attribute = \"recorded\" }",
        &["recorded", "recorded_2"],
        &[("recorded", Target::Recorded), ("recorded_2", attribute("recorded"))],
    );
}

#[test]
fn the_column_of_the_command_line_is_what_else_it_is_too() {
    for (map, column, expected) in [
        ("", " Loaded ", vec![Target::Recorded]),
        ("", "TS", vec![Target::Time, Target::Recorded]),
        ("[columns]\nloaded = { ignore = true }", "loaded", vec![Target::Recorded]),
        ("[columns]\nloaded = \"recorded\"", "loaded", vec![Target::Recorded]),
        ("[columns]\nLoaded = \"batch\"", "loaded", vec![attribute("batch"), Target::Recorded]),
        ("[columns]\nloaded = { type = \"time\" }", "loaded", vec![attribute("loaded"), Target::Recorded]),
    ] {
        let mut mapping = Mapping::parse(map).expect(map);
        mapping.take_recorded(column);
        let header = headers(&[column]);
        let rules = mapping.rules(&header, Section::Interactions, &[], &mut Vec::new()).expect(map);
        let found: Vec<Target> = rules.into_iter().map(|rule| rule.target).collect();
        assert_eq!(found, expected, "{map}, {column}");
        // A file of customers may have it, and need not.
        assert_eq!(mapping.named(Section::Customers), BTreeSet::new());
        let met = |name: &str| [BTreeSet::new(), BTreeSet::from([name.to_owned()])];
        assert!(mapping.check_recorded_met(&met(&column.trim().to_lowercase())).is_ok());
        let missing = mapping.check_recorded_met(&met("Loded")).expect_err("no file has it").to_string();
        assert!(missing.starts_with("--recorded speaks of a column `"), "{missing}");
    }
    let mut mapping = Mapping::parse("[columns]\na = \"recorded\"").expect("parses");
    mapping.take_recorded("b");
    let twice = mapping.rules(&headers(&["a", "b"]), Section::Interactions, &[], &mut Vec::new());
    let words = twice.expect_err("two of them").to_string();
    assert!(words.contains("`a` and `b` both become the recording time"), "{words}");
}
