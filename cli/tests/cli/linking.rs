//! What is said of identities, as it is typed.

use serde_json::json;

use super::{Desk, Ran};

const STORY: &str = include_str!("../../../docs/identity.md");

/// The columns `LINKS OF` answers in JSON without the time of recording.
fn without_recorded(mut rows: Vec<serde_json::Value>) -> Vec<serde_json::Value> {
    for row in &mut rows {
        let recorded = row.as_object_mut().and_then(|row| row.remove("recorded"));
        assert!(recorded.is_some_and(|at| at.as_str().is_some_and(|at| at.ends_with('Z'))), "{row}");
    }
    rows
}

/// Words without what differs from day to day: times of recording, and the widths of columns.
fn timeless(text: &str) -> Vec<String> {
    let is_rule = |word: &str| word.chars().all(|letter| letter == '─');
    let words = text.split_whitespace().filter(|word| !is_rule(word));
    let is_time = |word: &str| {
        word.len() >= 8
            && word.starts_with(|letter: char| letter.is_ascii_digit())
            && word.chars().all(|letter| letter.is_ascii_digit() || "-:.".contains(letter))
    };
    words.map(|word| if is_time(word) { "then".to_owned() } else { word.to_owned() }).collect()
}

#[cfg(unix)]
#[test]
fn the_story_of_the_document_is_true() {
    let desk = Desk::new();
    let mut blocks = STORY.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    desk.file("contacts.csv", blocks.next().expect("the file is shown"));
    let session = blocks.next().expect("the session is shown");
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_throughline")).parent().expect("has a folder");
    let search = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let lines: Vec<(&str, &str)> =
        (session.split("$ ").skip(1)).map(|line| line.split_once('\n').expect("a command ends")).collect();
    assert_eq!(lines.len(), 12, "twelve lines");
    for (command, printed) in lines {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", command]).env("PATH", &search).current_dir(desk.path("."));
        let ran = Ran::from(shell.output().expect("starts")).answer();
        assert_eq!(timeless(&ran.out), timeless(printed), "{command}\n{}{}", ran.out, ran.err);
    }
    desk.run(&["check", "shop.db"]).answer();
}

#[test]
fn links_are_told_and_asked_by_the_command_and_the_shell() {
    let desk = Desk::with_contacts();
    let told = desk.row("contacts.db", "LINK 'crm:3' TO 'phone:7' CONFIDENCE 0.25");
    assert_eq!((&told["standing"], &told["other_customer"]), (&json!("joined"), &json!("crm:3")));
    let ran =
        desk.run(&["query", "contacts.db", "LINK $a TO $b", "--param", "a=phone:7", "--param", "b=crm:2"]);
    ran.answer();
    let rows = without_recorded(desk.rows("contacts.db", "LINKS OF CUSTOMER 'phone:7'"));
    let [first, second] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        (&first["one"], &first["standing"], &first["source"]),
        (&json!("crm:2"), &json!("accepted"), &json!("statement"))
    );
    assert_eq!(
        (&second["one"], &second["reason"]),
        (&json!("crm:3"), &json!("at most 1 crm a customer: crm:2, crm:3"))
    );
    let lines =
        "UNLINK 'phone:7' FROM 'crm:2';\n.mode json\nLINKS REFUSED;\nLINKS REFUSED FOR CUSTOMER 'crm:3';\n";
    let ran = desk.pipe(&["shell", "contacts.db"], lines).answer();
    assert!(ran.out.contains("cut") && ran.out.ends_with("[]\n[]\n"), "{}", ran.out);
    let ran = desk.run(&["query", "contacts.db", "LINK 'phone:0' TO 'crm:2'"]).answer();
    ran.says(&["W504", "it joins nobody", "throughline guards"]);
}

#[test]
fn a_store_that_is_only_read_is_told_nothing() {
    let desk = Desk::with_contacts();
    let link = "LINK 'crm:3' TO 'phone:7'";
    desk.run(&["query", "contacts.db", link, "--read-only"]).refused(1, &["read-only"]);
    desk.pipe(&["shell", "contacts.db", "--read-only"], format!("{link};\n")).refused(1, &["read-only"]);
    assert!(desk.rows("contacts.db", "LINKS OF CUSTOMER 'crm:3'").is_empty());
    desk.run(&["query", "contacts.db", "LINK 'crm:3' TO 'crm: 3'"]).refused(1, &["E421", "^"]);
}

#[test]
fn rules_are_shown_and_set() {
    let desk = Desk::with_contacts();
    let shown = desk.run(&["guards", "contacts.db"]).answer().out;
    for words in ["crm, id, account, email, phone", "limit        crm", "100", "anonymous, private", r"\+?0+"]
    {
        assert!(shown.contains(words), "no `{words}` in {shown}");
    }
    desk.row("contacts.db", "LINK 'crm:2' TO 'crm:3'");
    assert_eq!(desk.row("contacts.db", "LINKS REFUSED")["reason"], "at most 1 crm a customer: crm:2, crm:3");
    // What is written is read back, and changes nothing.
    let written = desk.run(&["guards", "contacts.db", "--format", "toml"]).answer().out;
    desk.file("guards.toml", &written);
    desk.run(&["guards", "contacts.db", "--set", "guards.toml"]).answer().says(&["already"]);
    desk.file("guards.toml", written.replace("crm = 1", "crm = 2"));
    let ran = desk.run(&["guards", "contacts.db", "--set", "guards.toml"]).answer();
    ran.says(&["2 customers (before: 3), 1 of several identities, 0 of 1 link refused"]);
    assert!(desk.rows("contacts.db", "LINKS REFUSED").is_empty());
    assert_eq!(desk.row("contacts.db", "FOR CUSTOMER 'crm:3' |> AGGREGATE count(*) AS n")["n"], 2);

    for (file, words) in [
        ("hub_links = 0", "guards.toml: the number of an identity's links is 0"),
        ("hub_link = 7", "guards.toml: TOML parse error at line 1"),
        ("[patterns]\nphone = [\"(\"]", "is not a pattern for blocked values"),
    ] {
        desk.file("guards.toml", file);
        desk.run(&["guards", "contacts.db", "--set", "guards.toml"]).refused(1, &[words]);
    }
    desk.run(&["guards", "contacts.db", "--set", "none.toml"]).refused(1, &["none.toml"]);
    desk.run(&["guards", "none.db"]).refused(1, &["there is no store"]);
    assert_eq!(desk.run(&["guards", "contacts.db"]).answer().out.matches("crm        2").count(), 1);
}

#[test]
fn info_counts_what_was_said() {
    let desk = Desk::with_contacts();
    assert!(
        desk.run(&["info", "contacts.db"])
            .answer()
            .out
            .contains("customers     3\nidentities    3\ninteractions  5\n")
    );
    for told in ["LINK 'crm:3' TO 'phone:7'", "LINK 'crm:2' TO 'crm:3'", "UNLINK 'crm:1' FROM 'phone:7'"] {
        desk.row("contacts.db", told);
    }
    let info = desk.run(&["info", "contacts.db"]).answer().out;
    let words = "customers     3\nidentities    4, several of 1 customer\nlinks         2, of which 1 refused; 1 cut\n";
    assert!(info.contains(words), "{info}");
    let info = desk.run(&["info", "contacts.db", "--format", "json"]).answer().out;
    let info: serde_json::Value = serde_json::from_str(&info).expect("is JSON");
    let found = ["identities", "customers_of_several", "links", "links_refused", "cuts"]
        .map(|key| info[key].as_u64());
    assert_eq!(found, [Some(4), Some(1), Some(2), Some(1), Some(1)]);
}
