//! `backup` and `export`: copies that answer as the store they are of.

use std::fs;
use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use super::{CONTACTS, COUNT, Desk};

/// Types to be found, ids with leading zeros, NULLs, lines in texts, rows of one time with and
/// without a sequence, and a row that is there twice.
const ODD: &str = "\
Member,When,Nr,channel,event,Ticket,Issue,amount,rate,due,paid,Words,sentiment
1,2026-01-05T09:00,2,phone,call,0042,billing,3,0.5,2026-02-01,true,\"a \"\"quoted\"\"
line, and more\",angry
1,2026-01-05T09:00,1,,call,0042,,,,,,,
01,2026-01-05T09:00,,chat,chat,7,delivery,4,1e300,2026-02-01T10:30:00.250,false,N/A,0.25
2,2026-01-06T09:00,,phone,call,,billing,,,,,same,
2,2026-01-06T09:00,,phone,call,,billing,,,,,same,
2,2026-01-06T09:00,,phone,call,,billing,,,,,same,
";

const MAP: &str = r#"
[columns]
Member = { attribute = "customer", namespace = "crm" }
When = "ts"
Nr = "sequence"
Ticket = { attribute = "ticket", type = "id", role = "case" }
Issue = { attribute = "issue", role = "topic" }
Words = { type = "text" }
[customers]
Member = { attribute = "customer", namespace = "crm" }
"#;

const QUERIES: [&str; 7] = [
    "INTERACTIONS",
    COUNT,
    "FOR plan = 'gold' |> INTERACTIONS",
    "FOR age > 30 |> AGGREGATE count(*) AS n, max(at) AS last GROUP BY channel",
    "CHAINS SAME topic GAP 7d MIN 1 |> ORDER BY customer, topic",
    "SPLIT BY case |> FUNNEL (:call) -> (:chat)",
    "MAP BY channel, issue",
];

fn odd() -> Desk {
    let desk = Desk::new();
    desk.file("odd.csv", ODD);
    desk.file("crm.csv", "Member,plan,age,ts\n1,gold,33,2026-01-01\n2,silver,,2026-01-01\n2,gold,40,2026-02-01\n9,gold,1,2026-01-01\n");
    desk.file("map.toml", MAP);
    desk.run(&["import", "odd.db", "odd.csv", "--customers", "crm.csv", "--map", "map.toml"])
        .answer()
        .says(&["10 added", "0 refused"]);
    desk
}

fn answers(desk: &Desk, store: &str) -> Vec<Vec<Value>> {
    QUERIES.iter().map(|query| desk.rows(store, query)).collect()
}

#[test]
fn a_backup_answers_as_its_store() {
    let desk = odd();
    desk.row("odd.db", "FOR HAS (:chat) |> SAVE COHORT chatted");
    desk.run(&["backup", "odd.db", "copies/first.db"])
        .answer()
        .says(&["copied 6 interactions up to commit 2 to copies/first.db", "read back and sound"]);
    let entries = |store: &str| {
        let names = fs::read_dir(desk.path(store)).expect("lists").flatten();
        let mut names: Vec<String> =
            names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(entries("copies/first.db"), ["HEAD", "LOCK", "history"]);
    assert_eq!(answers(&desk, "copies/first.db"), answers(&desk, "odd.db"));
    assert_eq!(desk.row("copies/first.db", &format!("FOR COHORT chatted |> {COUNT}"))["n"], 1);
    desk.run(&["check", "copies/first.db"]).answer();
    // What is imported again is known to the copy.
    desk.run(&["import", "copies/first.db", "odd.csv", "--map", "map.toml"]).answer().says(&[": 0 added"]);
    assert_eq!(desk.count("odd.db"), 6);
}

#[test]
fn a_copy_overwrites_nothing() {
    let desk = Desk::with_contacts();
    fs::create_dir(desk.path("taken")).expect("makes a folder");
    desk.file("taken/notes.txt", "mine");
    for command in ["backup", "export"] {
        desk.run(&[command, "contacts.db", "taken"]).refused(1, &["taken", "that is not there yet"]);
        desk.run(&[command, "contacts.db", "contacts.csv"]).refused(1, &["contacts.csv"]);
    }
    desk.run(&["backup", "contacts.db", "contacts.db"]).refused(1, &["in the store itself"]);
    desk.run(&["backup", "contacts.db", "contacts.db/graph-9"]).refused(1, &["in the store itself"]);
    assert_eq!(
        (desk.read("taken/notes.txt").as_str(), desk.read("contacts.csv").as_str()),
        ("mine", CONTACTS)
    );
    assert_eq!(desk.count("contacts.db"), 5);
}

#[test]
fn a_store_that_is_open_elsewhere_is_backed_up() {
    let desk = Desk::with_contacts();
    let mut holder = desk.start(&["shell", "contacts.db"]);
    let mut stdin = holder.stdin.take().expect("is a pipe");
    let mut stdout = BufReader::new(holder.stdout.take().expect("is a pipe"));
    writeln!(stdin, ".mode json\n{COUNT};").expect("writes");
    stdout.read_line(&mut String::new()).expect("answers");
    desk.run(&["backup", "contacts.db", "copy"]).answer();
    desk.run(&["backup", "contacts.db", "contacts.db/copy"]).refused(1, &["in the store itself"]);
    // An export reads the graph, which one process does at a time.
    desk.run(&["export", "contacts.db", "out"]).refused(1, &["in use by process"]);
    assert!(!desk.has("out"));
    drop(stdin);
    assert!(holder.wait().expect("ends").success());
    let all = "INTERACTIONS |> ORDER BY customer, at";
    assert_eq!((desk.count("copy"), desk.rows("copy", all)), (5, desk.rows("contacts.db", all)));
}

#[test]
fn an_export_comes_back_as_it_was() {
    let desk = odd();
    let said = desk.run(&["export", "odd.db", "out"]).answer();
    said.says(&["wrote 6 interactions of 3 customers, 4 rows of customers' attributes and 0 cohorts to out"]);
    // As it says itself.
    let command =
        said.err.lines().find_map(|line| line.trim().strip_prefix("throughline ")).expect("says how");
    desk.run(&command.split(' ').collect::<Vec<_>>()).answer().says(&["10 added", "0 refused"]);
    assert_eq!(answers(&desk, "NEW.db"), answers(&desk, "odd.db"));
    desk.run(&["check", "NEW.db"]).answer();
    let attributes = |store: &str| {
        let info = desk.run(&["info", store, "--format", "json"]).answer().out;
        let info: Value = serde_json::from_str(&info).expect("is JSON");
        info["attributes"].clone()
    };
    assert_eq!(attributes("NEW.db"), attributes("odd.db"));
    // What the store was made of adds nothing to the new one, nor does the export to the old one.
    let import = ["import", "NEW.db", "odd.csv", "--customers", "crm.csv", "--map", "map.toml"];
    desk.run(&import).answer().says(&[": 0 added, 10 there already, 0 refused"]);
    let back: Vec<&str> =
        command.split(' ').map(|word| if word == "NEW.db" { "odd.db" } else { word }).collect();
    desk.run(&back).answer().says(&[": 0 added, 10 there already, 0 refused"]);
    // And an export of the new one is the same, but for commits and when they were recorded.
    desk.run(&["export", "NEW.db", "again"]).answer();
    assert_eq!(desk.read("again/map.toml"), desk.read("out/map.toml"));
}

#[test]
fn an_export_is_for_other_tools_as_well() {
    let desk = Desk::with_contacts();
    desk.row("contacts.db", "FOR HAS (:complaint) |> SAVE COHORT unhappy");
    desk.run(&["export", "contacts.db", "out"]).answer().says(&["and 1 cohort to out"]);
    assert!(desk.has("out/cohorts.parquet") && !desk.has("out/customers.parquet"));
    // Without the map every column is an attribute, also when it was recorded.
    desk.run(&["import", "plain.db", "out/interactions.parquet"]).answer();
    let row = desk.row(
        "plain.db",
        "FOR CUSTOMER 'crm:3' |> SELECT \"commit\", recorded > '2000-01-01' AS recorded, channel, topic",
    );
    assert_eq!(
        row,
        serde_json::json!({"commit": 1, "recorded": true, "channel": "phone", "topic": "billing"})
    );
    desk.run(&["import", "cohorts.db", "out/cohorts.parquet"]).refused(1, &["no column for the time"]);
}

#[test]
fn an_empty_store_is_copied_too() {
    let desk = Desk::new();
    desk.file("empty.csv", "customer,ts,event\n");
    desk.run(&["import", "e.db", "empty.csv"]).answer();
    desk.run(&["backup", "e.db", "copy.db"]).answer();
    assert_eq!(desk.count("copy.db"), 0);
    desk.run(&["export", "e.db", "out"]).answer().says(&["wrote 0 interactions"]);
    desk.run(&["import", "new.db", "out/interactions.parquet", "--map", "out/map.toml"]).answer();
    assert_eq!(desk.count("new.db"), 0);
}
