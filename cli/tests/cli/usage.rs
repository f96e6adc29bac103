//! Exit statuses, and which words go where.

use super::{COUNT, Desk};

#[test]
fn an_answer_is_status_0_on_standard_output() {
    let desk = Desk::with_contacts();
    let ran = desk.run(&["query", "contacts.db", COUNT]).answer();
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("n\n─\n5\n", ""));
    // An empty answer is an answer.
    let none = desk.run(&["query", "contacts.db", "WHERE topic = 'billing' AND kind = 'x' |> SELECT kind"]);
    assert_eq!((none.status, none.out.as_str()), (0, "kind\n────\n"));
}

#[test]
fn a_query_that_fails_is_status_1_and_points_at_the_place() {
    let desk = Desk::with_contacts();
    desk.run(&["query", "contacts.db", "CHAINS SAME topik GAP 7d MIN 3"])
        .refused(1, &["1 | CHAINS SAME topik GAP 7d MIN 3\n  |             ^^^^^", "did you mean `topic`?"]);
    desk.run(&["query", "contacts.db", "FOR persona = 'x' |> CUSTOMERS"])
        .refused(1, &["not supported yet: persona", "^^^^^^^"]);
    desk.run(&["query", "contacts.db", "  "]).refused(1, &["the query is empty"]);
}

#[test]
fn warnings_and_notes_go_to_standard_error() {
    let desk = Desk::with_contacts();
    let ran =
        desk.run(&["query", "contacts.db", "WHERE channel = 'fone' |> AGGREGATE count(*) AS n"]).answer();
    assert_eq!(ran.out, "n\n─\n0\n");
    ran.says(&["warning", "`fone`", "^^^^^^"]);
    desk.file("no_topic.csv", "customer,ts\ncrm:9,2026-01-09\n");
    desk.run(&["import", "contacts.db", "no_topic.csv"]).answer();
    let ran =
        desk.run(&["query", "contacts.db", "CHAINS SAME topic GAP 7d MIN 3", "--format", "csv"]).answer();
    assert_eq!(ran.out.lines().count(), 2);
    ran.says(&["note: ", "no topic"]);
}

#[test]
fn several_statements_end_at_the_first_that_fails() {
    let desk = Desk::with_contacts();
    let query = format!("{COUNT}; {COUNT};");
    let ran = desk.run(&["query", "contacts.db", &query, "--format", "json"]).answer();
    assert_eq!(ran.out, "[{\"n\":5}]\n[{\"n\":5}]\n");
    let query = format!("{COUNT}; NONSENSE; {COUNT}");
    let ran = desk.run(&["query", "contacts.db", &query, "--format", "json"]);
    assert_eq!((ran.status, ran.out.as_str()), (1, "[{\"n\":5}]\n"));
}

#[test]
fn wrong_usage_is_status_2() {
    let desk = Desk::with_contacts();
    for arguments in [
        &["qury"] as &[&str],
        &[],
        &["query", "contacts.db"],
        &["query", "contacts.db", COUNT, "--format", "xml"],
        &["query", "contacts.db", COUNT, "--param", "who"],
        &["query", "contacts.db", COUNT, "--param", "who=crm:1"],
        &["query", "contacts.db", "FOR CUSTOMER $w |> INTERACTIONS", "--param", "w=1", "--param", "w=2"],
        &["import", "contacts.db"],
        &["import", "contacts.db", "contacts.csv", "--memory", "lots"],
        &["generate", "g.csv", "--customers", "0", "--seed", "1"],
        &["generate", "g.csv", "--customers", "10"],
    ] {
        let ran = desk.run(arguments);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("Usage: throughline") || ran.err.contains("--help"), "{}", ran.err);
    }
    assert!(!desk.has("g.csv"));
}

#[test]
fn help_and_version_are_answers() {
    let desk = Desk::new();
    let help = desk.run(&["--help"]).answer();
    for command in [
        "import", "amend", "query", "shell", "info", "check", "rebuild", "backup", "export", "generate",
        "demo",
    ] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{}", help.out);
        desk.run(&[command, "--help"]).answer();
    }
    assert!(desk.run(&["--version"]).answer().out.starts_with("throughline "));
}

#[test]
fn where_there_is_no_store_it_is_said_and_none_is_made() {
    let desk = Desk::new();
    for arguments in [
        &["query", "no.db", COUNT] as &[&str],
        &["shell", "no.db"],
        &["info", "no.db"],
        &["check", "no.db"],
        &["rebuild", "no.db"],
        &["backup", "no.db", "to.db"],
        &["export", "no.db", "to"],
    ] {
        desk.run(arguments).refused(1, &["there is no store in no.db"]);
    }
    assert!(!desk.has("no.db"));
    desk.file("contacts.csv", "customer,ts\n");
    desk.run(&["query", "contacts.csv", COUNT]).refused(
        1,
        &["contacts.csv is a file, and a store is a folder", "throughline import DB contacts.csv"],
    );
}

#[test]
fn parameters_stand_for_literals() {
    let desk = Desk::with_contacts();
    let count = |query: &str, params: &[&str]| {
        let mut arguments = vec!["query", "contacts.db", query, "--format", "csv"];
        params.iter().for_each(|param| arguments.extend(["--param", param]));
        desk.run(&arguments).answer().out
    };
    assert_eq!(count("FOR CUSTOMER $who |> AGGREGATE count(*) AS n", &["who=crm:1"]), "n\r\n3\r\n");
    assert_eq!(
        count("CHAINS SAME topic GAP $gap MIN $least |> AGGREGATE count(*) AS n", &["gap=7d", "least=3"]),
        "n\r\n1\r\n"
    );
    assert_eq!(count("WHERE at >= $since |> AGGREGATE count(*) AS n", &["since=2026-01-08"]), "n\r\n2\r\n");
    assert_eq!(count("FOR CUSTOMER $who |> AGGREGATE count(*) AS n", &["who=\"42\""]), "n\r\n0\r\n");
    desk.run(&["query", "contacts.db", "FOR CUSTOMER $who |> INTERACTIONS", "--param", "who=42"])
        .refused(1, &["`$who` is a whole number", "who='\"42\"' makes it text"]);
    // It is a value, whatever it looks like.
    assert_eq!(
        count("WHERE topic = $t |> AGGREGATE count(*) AS n", &["t=x' OR topic = 'billing"]),
        "n\r\n0\r\n"
    );
    desk.run(&["query", "contacts.db", "FOR CUSTOMER $who |> INTERACTIONS"])
        .refused(1, &["`$who` has no value"]);
}
