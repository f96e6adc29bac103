//! What is done with a store as a whole: cohorts, locks, checks, reports.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};

use serde_json::json;

use super::{COUNT, Desk};

#[test]
fn cohorts_are_kept() {
    let desk = Desk::with_contacts();
    let saved = desk.row("contacts.db", "FOR HAS (:complaint) |> SAVE COHORT unhappy");
    assert_eq!(saved, json!({"cohort": "unhappy", "customers": 2}));
    assert_eq!(desk.row("contacts.db", &format!("FOR COHORT unhappy |> {COUNT}"))["n"], 4);
    assert_eq!(desk.row("contacts.db", &format!("FOR NOT COHORT unhappy |> {COUNT}"))["n"], 1);
    desk.run(&["query", "contacts.db", "FOR COHORT unhapy |> INTERACTIONS"])
        .refused(1, &["did you mean `unhappy`?"]);
}

#[test]
fn read_only_writes_nothing() {
    let desk = Desk::with_contacts();
    let save = "FOR HAS (:complaint) |> SAVE COHORT unhappy";
    desk.run(&["query", "contacts.db", save, "--read-only"]).refused(1, &["read-only"]);
    let ran = desk.pipe(&["shell", "contacts.db", "--read-only"], format!("{save};\n.import contacts.csv\n"));
    ran.refused(1, &["read-only"]);
    desk.run(&["query", "contacts.db", "FOR COHORT unhappy |> INTERACTIONS"]).refused(1, &["no cohort"]);
    assert_eq!(desk.run(&["query", "contacts.db", COUNT, "--read-only"]).answer().out, "n\n─\n5\n");
}

#[test]
fn a_second_process_is_told_who_has_the_store() {
    let desk = Desk::with_contacts();
    let mut holder = desk.start(&["shell", "contacts.db"]);
    let mut stdin = holder.stdin.take().expect("is a pipe");
    let mut stdout = BufReader::new(holder.stdout.take().expect("is a pipe"));
    writeln!(stdin, ".mode json\n{COUNT};").expect("writes");
    let mut line = String::new();
    stdout.read_line(&mut line).expect("answers");
    assert_eq!(line, "[{\"n\":5}]\n", "it has the store open");

    let owner = format!("in use by process {}", holder.id());
    desk.run(&["query", "contacts.db", COUNT]).refused(1, &[&owner]);
    desk.run(&["import", "contacts.db", "contacts.csv"]).refused(1, &[&owner]);
    desk.run(&["check", "contacts.db"]).refused(1, &[&owner]);

    drop(stdin);
    stdout.read_to_string(&mut line).expect("reads");
    assert!(holder.wait().expect("ends").success());
    assert_eq!(desk.count("contacts.db"), 5);
}

#[test]
fn a_sound_store_is_called_sound() {
    let desk = Desk::with_contacts();
    let ran = desk.run(&["check", "contacts.db"]).answer();
    assert!(ran.out.contains("5 interactions") && ran.out.ends_with("the store is sound\n"), "{}", ran.out);
}

#[test]
fn a_damaged_history_is_found() {
    let desk = Desk::with_contacts();
    let history =
        fs::read_dir(desk.path("contacts.db/history")).expect("lists").flatten().next().expect("a file");
    let mut bytes = fs::read(history.path()).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(history.path(), bytes).expect("writes");
    let ran = desk.run(&["check", "contacts.db"]);
    assert_eq!(ran.status, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("problem: history/") && !ran.out.contains("sound"), "{}", ran.out);
    ran.says(&["1 problem in contacts.db", "from a backup"]);
    // The graph cannot be made anew of it, and is not taken away for trying.
    desk.run(&["rebuild", "contacts.db"]).refused(1, &["history/", "damaged"]);
    assert_eq!(desk.count("contacts.db"), 5);
}

#[test]
fn rebuilding_changes_no_answer() {
    let desk = Desk::with_contacts();
    let query = "CHAINS SAME topic GAP 7d MIN 1 |> ORDER BY customer, topic";
    let before = desk.rows("contacts.db", query);
    desk.row("contacts.db", "FOR HAS (:complaint) |> SAVE COHORT unhappy");
    desk.run(&["rebuild", "contacts.db"]).answer().says(&["5 interactions of 3 customers"]);
    assert_eq!(desk.rows("contacts.db", query), before);
    assert_eq!(desk.row("contacts.db", &format!("FOR COHORT unhappy |> {COUNT}"))["n"], 4);
    // Without any graph at all.
    for entry in fs::read_dir(desk.path("contacts.db")).expect("lists").flatten() {
        if entry.file_name().to_string_lossy().starts_with("graph") {
            fs::remove_dir_all(entry.path()).expect("removes");
        }
    }
    assert_eq!(desk.rows("contacts.db", query), before);
    desk.run(&["check", "contacts.db"]).answer();
}

#[test]
fn info_says_what_is_there() {
    let desk = Desk::with_contacts();
    desk.file("crm.csv", "customer,plan,age\ncrm:1,gold,33\ncrm:2,gold,40\ncrm:3,silver,\n");
    desk.run(&["import", "contacts.db", "--customers", "crm.csv"]).answer();
    let info = desk.run(&["info", "contacts.db"]).answer().out;
    for words in [
        "customers     3\n",
        "interactions  5\n",
        "times         2026-01-05 09:00:00 to 2026-01-12 18:30:00 UTC\n",
        "phone 2, email 1, twitter 1, web 1",
        "gold 2, silver 1",
        "33 to 40",
    ] {
        assert!(info.contains(words), "no `{words}` in {info}");
    }
    let info = desk.run(&["info", "contacts.db", "--format", "json"]).answer().out;
    let info: serde_json::Value = serde_json::from_str(&info).expect("is JSON");
    assert_eq!((&info["customers"], &info["interactions"]), (&json!(3), &json!(5)));
    assert_eq!(info["first"], "2026-01-05T09:00:00Z");
    let plan = info["attributes"].as_array().expect("lists").iter().find(|found| found["name"] == "plan");
    let plan = plan.expect("is there");
    assert_eq!((&plan["of"], &plan["filled"], &plan["distinct"]), (&json!("customer"), &json!(3), &json!(2)));
    assert_eq!(plan["top"][0], json!({"value": "gold", "count": 2}));
}

#[test]
fn an_empty_store_answers() {
    let desk = Desk::new();
    desk.file("empty.csv", "customer,ts,event\n");
    desk.run(&["import", "e.db", "empty.csv"]).answer().says(&["0 interactions"]);
    assert_eq!(desk.count("e.db"), 0);
    assert!(desk.rows("e.db", "CHAINS SAME topic GAP 7d MIN 3").is_empty());
    assert_eq!(desk.rows("e.db", "FUNNEL (:a) -> (:b) WITHIN 7d").len(), 2);
    desk.run(&["info", "e.db"]).answer();
    desk.run(&["check", "e.db"]).answer();
    desk.run(&["rebuild", "e.db"]).answer();
}
