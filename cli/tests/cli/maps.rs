//! `import --map`: every option, and what is said of a slip.

use serde_json::{Value, json};

use super::{CONTACTS, Desk};

const EXPORT: &str = "\
Caller;Opened;Closed;Ticket;Issue;Prio;Notes;Internal;Mood
77;31.01.2026 09:30;01.02.2026 10:00;T-1;billing;3;very angry;x;-0.5
78;31.07.2026 09:30;;T-2;delivery;1;fine;y;
";

#[test]
fn every_option() {
    let desk = Desk::new();
    desk.file("export.txt", EXPORT);
    desk.file(
        "map.toml",
        r#"
zone = "Europe/Berlin"
time_format = "%d.%m.%Y %H:%M"
delimiter = ";"
[columns]
caller = { attribute = "customer", namespace = "crm" }
Opened = "ts"
Closed = { attribute = "closed_at", type = "time", zone = "UTC" }
Ticket = ["case", "event_id"]
Issue = { attribute = "issue", role = "topic" }
Prio = { type = "symbol" }
Notes = { attribute = "text" }
Internal = { ignore = true }
Mood = "sentiment"
[constants]
channel = "phone"
wave = 2
"#,
    );
    desk.run(&["import", "m.db", "export.txt", "--map", "map.toml"]).answer();
    let rows = desk.rows(
        "m.db",
        "INTERACTIONS |> SELECT customer, at, closed_at, \"case\", event_id, issue, prio, text, sentiment, channel, wave",
    );
    let expected = json!([
        {"customer": "crm:77", "at": "2026-01-31T08:30:00Z", "closed_at": "2026-02-01T10:00:00Z", "case": "T-1",
         "event_id": "T-1", "issue": "billing", "prio": "3", "text": "very angry", "sentiment": -0.5,
         "channel": "phone", "wave": 2},
        {"customer": "crm:78", "at": "2026-07-31T07:30:00Z", "closed_at": null, "case": "T-2",
         "event_id": "T-2", "issue": "delivery", "prio": "1", "text": "fine", "sentiment": null,
         "channel": "phone", "wave": 2},
    ]);
    assert_eq!(Value::Array(rows), expected);
    desk.run(&["query", "m.db", "INTERACTIONS |> SELECT internal"]).refused(1, &["`internal`"]);
}

#[test]
fn customers_have_a_section_of_their_own() {
    let desk = Desk::with_contacts();
    desk.file("crm.csv", "Member,Tarif\n1,gold\n");
    desk.file(
        "map.toml",
        "[customers]\nMember = { attribute = \"customer\", namespace = \"crm\" }\nTarif = \"plan\"\n",
    );
    desk.run(&["import", "contacts.db", "--customers", "crm.csv", "--map", "map.toml"]).answer();
    assert_eq!(desk.row("contacts.db", "FOR plan = 'gold' |> AGGREGATE count(*) AS n")["n"], 3);
}

#[test]
fn a_slip_is_named_and_nothing_is_made() {
    let desk = Desk::new();
    desk.file("contacts.csv", CONTACTS);
    for (map, words) in [
        (
            "[colums]\ncaller = \"customer\"",
            "does not know `colums` (did you mean `columns`?); known are: columns,",
        ),
        (
            "[columns]\nts = { atribute = \"at\" }",
            "column `ts` of the map does not know `atribute` (did you mean `attribute`?)",
        ),
        ("[columns]\nts = { type = \"symbl\" }", "did you mean `symbol`?"),
        ("[columns]\ntopic = { role = \"topik\" }", "did you mean `topic`?"),
        ("zone = \"Mars/Olympus\"", "`Mars/Olympus` (the map) is not a time zone"),
        ("zone = ", "the map is not TOML"),
        ("delimiter = \"ab\"", "must be one character"),
        (
            "[columns]\nCaler = \"customer\"",
            "the customer is in the column `caler`, which contacts.csv does not have",
        ),
        (
            "[columns]\nCustomr = { ignore = true }",
            "a column `customr` that no file has (did you mean `customer`?)",
        ),
        (
            "[columns]\nevent = \"topic\"\ntopic = \"topic\"",
            "`event` and `topic` both become the attribute `topic`",
        ),
        ("[constants]\ncustomer = \"crm:1\"", "cannot be a constant"),
    ] {
        desk.file("map.toml", map);
        desk.run(&["import", "m.db", "contacts.csv", "--map", "map.toml"]).refused(1, &[words]);
        assert!(!desk.has("m.db"), "{map}");
    }
    desk.run(&["import", "m.db", "contacts.csv", "--map", "nowhere.toml"])
        .refused(1, &["cannot read nowhere.toml"]);
}
