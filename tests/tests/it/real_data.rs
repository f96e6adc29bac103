//! Facts about real histories, through the binary. Each test is skipped, with
//! a note, where its file is absent.

use std::collections::BTreeSet;
use std::path::Path;

use tempfile::TempDir;
use throughline_tests::binary::{Ran, numbers, query, run};
use throughline_tests::facts;

/// A map that takes the case for the customer.
const CASE_AS_CUSTOMER: &str = "[columns]\ncase_id = \"customer\"\ncustomer_id = \"caller\"\n";

/// A folder with a store `db` made of a file of the data.
fn imported(name: &str, map: Option<&str>) -> Option<(TempDir, Ran)> {
    let file = facts::file(name)?;
    let folder = tempfile::tempdir().expect("a folder");
    let ran = import(folder.path(), &file, map);
    assert_eq!(ran.status, 0, "{}", ran.said());
    Some((folder, ran))
}

fn import(folder: &Path, file: &Path, map: Option<&str>) -> Ran {
    let mut arguments = vec!["import".to_owned(), "db".to_owned(), file.to_string_lossy().into_owned()];
    if let Some(map) = map {
        std::fs::write(folder.join("map.toml"), map).expect("writes the map");
        arguments.extend(["--map".to_owned(), "map.toml".to_owned()]);
    }
    run(folder, &arguments)
}

fn check(folder: &TempDir, text: &str, columns: &[&str], expected: &[&[i64]]) {
    let found = numbers(&query(folder.path(), "db", text), columns);
    assert_eq!(found, expected, "{text}");
}

/// FUNNEL's `reached` by step; and each step's parts make up what reached it.
fn check_funnel(folder: &TempDir, text: &str, expected: &[i64]) {
    let rows = query(folder.path(), "db", text);
    let found = numbers(&rows, &["reached", "moved_on", "silent", "elsewhere", "open"]);
    let reached: Vec<i64> = found.iter().map(|row| row[0]).collect();
    assert_eq!(reached, expected, "{text}");
    for (place, row) in found.iter().enumerate() {
        assert_eq!(row[0], row[1..].iter().sum::<i64>(), "{text}: {row:?}");
        let next = found.get(place + 1).map_or(row[0], |next| next[0]);
        assert_eq!(row[1], next, "{text}: moved_on of step {}", place + 1);
    }
}

#[test]
fn repeat_contacts_of_an_it_service() {
    let Some((folder, ran)) = imported("servicenow_incidents.contacts.csv.gz", None) else { return };
    assert!(ran.said_number(24_915) && ran.said_number(3), "{}", ran.said());
    let groups = "count(DISTINCT customer) AS customers, count(DISTINCT customer, topic) AS groups";
    let columns = &["customers", "groups"];
    check(&folder, &format!("CHAINS SAME topic GAP 7d MIN 3 |> AGGREGATE {groups}"), columns, &[&[519, 633]]);
    check(
        &folder,
        &format!("CHAINS SAME topic GAP 30d MIN 5 |> AGGREGATE {groups}"),
        columns,
        &[&[313, 372]],
    );
    check(
        &folder,
        "CHAINS GAP 7d MIN 3 |> AGGREGATE count(DISTINCT customer) AS customers",
        &["customers"],
        &[&[1_581]],
    );
    check(
        &folder,
        "CHAINS SAME topic GAP 7d MIN 3 |> AGGREGATE count(*) AS chains, sum(contacts) AS contacts",
        &["chains", "contacts"],
        &[&[704, 3_522]],
    );
    // The list is the count (rule 11).
    check(
        &folder,
        "CHAINS SAME topic GAP 7d MIN 3 |> CUSTOMERS |> AGGREGATE count(*) AS n",
        &["n"],
        &[&[519]],
    );
    let rows = query(
        folder.path(),
        "db",
        "AGGREGATE count(*) AS n GROUP BY channel |> ORDER BY n DESC |> SELECT channel, n",
    );
    let found: Vec<(&str, i64)> = rows
        .iter()
        .map(|row| (row["channel"].as_str().unwrap_or_default(), row["n"].as_i64().unwrap_or(-1)))
        .collect();
    // Of the 24,684 by phone in the file three name no caller and are refused.
    let expected =
        [("Phone", 24_681), ("Self service", 161), ("Email", 61), ("IVR", 9), ("Direct opening", 3)];
    assert_eq!(found, expected);
}

#[test]
fn importing_again_changes_nothing() {
    let Some(file) = facts::file("servicenow_incidents.contacts.csv.gz") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(import(folder.path(), &file, None).status, 0);
    let count = "AGGREGATE count(*) AS n, count(DISTINCT customer) AS customers";
    let before = query(folder.path(), "db", count);
    let chains = query(folder.path(), "db", "CHAINS SAME topic GAP 7d MIN 3");
    let again = import(folder.path(), &file, None);
    assert_eq!(again.status, 0, "{}", again.said());
    assert_eq!(query(folder.path(), "db", count), before);
    assert_eq!(query(folder.path(), "db", "CHAINS SAME topic GAP 7d MIN 3"), chains);
}

/// Duplicates within a file stay, and a grown file adds only what is new.
#[test]
fn an_export_that_grows() {
    let Some(file) = facts::file("servicenow_incidents.events.csv.gz") else { return };
    let rows = facts::rows(&file);
    let named: Vec<_> = rows.iter().filter(|row| !row["customer_id"].is_empty()).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, count: usize| {
        let path = folder.path().join(name);
        let mut writer = csv::Writer::from_path(&path).expect("creates");
        let header: Vec<&String> = named[0].keys().collect();
        writer.write_record(&header).expect("writes");
        for row in &named[..count] {
            writer.write_record(header.iter().map(|&name| &row[name])).expect("writes");
        }
        writer.flush().expect("writes");
        path
    };
    // In the first 20,000 rows there are exact duplicates.
    let distinct = |count: usize| named[..count].iter().collect::<BTreeSet<_>>().len();
    assert!(distinct(20_000) < 20_000);
    for (name, length, held) in
        [("export.csv", 10_000, 10_000), ("export.csv", 20_000, 20_000), ("export.csv", 20_000, 20_000)]
    {
        let ran = import(folder.path(), &write(name, length), None);
        assert_eq!(ran.status, 0, "{}", ran.said());
        check(&folder, "AGGREGATE count(*) AS n", &["n"], &[&[held]]);
    }
}

const HELPDESK: &str = "FUNNEL (:\"Assign seriousness\") -> (:\"Take in charge ticket\") \
                        -> (:\"Resolve ticket\") -> (:Closed)";

#[test]
fn stages_of_a_help_desk() {
    let name = "helpdesk.events.csv.gz";
    let Some((folder, _)) = imported(name, Some(CASE_AS_CUSTOMER)) else { return };
    check_funnel(&folder, HELPDESK, &[4_495, 4_207, 4_199, 4_189]);
    // The funnel's numbers are the lists behind them.
    for (step, reached) in [(1, 4_495), (2, 4_207), (3, 4_199), (4, 4_189)] {
        let list = format!("{HELPDESK} |> REACHED {step} |> CUSTOMERS |> AGGREGATE count(*) AS n");
        check(&folder, &list, &["n"], &[&[reached]]);
    }
    check(&folder, "AGGREGATE count(*) AS n", &["n"], &[&[21_348]]);
    let closed = "MATCH (:\"Resolve ticket\") -[NEXT]-> (:Closed) EACH";
    check(&folder, &format!("{closed} |> AGGREGATE count(*) AS n"), &["n"], &[&[4_558]]);
    check(&folder, &format!("{closed} |> INTERACTIONS |> AGGREGATE count(*) AS n"), &["n"], &[&[2 * 4_558]]);
}

#[test]
fn a_help_desk_by_its_customers() {
    let Some((folder, _)) = imported("helpdesk.events.csv.gz", None) else { return };
    check(
        &folder,
        "AGGREGATE count(*) AS n, count(DISTINCT customer) AS customers",
        &["n", "customers"],
        &[&[21_348, 397]],
    );
    // One journey a case, whatever customers a case has.
    check(
        &folder,
        "SPLIT BY case |> MATCH (:\"Resolve ticket\") -[NEXT]-> (:Closed) EACH |> AGGREGATE count(*) AS n",
        &["n"],
        &[&[4_560]],
    );
}

#[test]
fn marketing_touchpoints() {
    let Some((folder, _)) = imported("attribution_journeys.events.csv.gz", None) else { return };
    check_funnel(&folder, "FUNNEL (:impression) -> (:conversion)", &[7_894, 1_448]);
    check(
        &folder,
        "CHAINS SAME channel GAP 7d MIN 3 |> AGGREGATE count(*) AS chains, \
         count(DISTINCT customer) AS customers, count(DISTINCT customer, channel) AS groups",
        &["chains", "customers", "groups"],
        &[&[4_194, 3_419, 4_129]],
    );
    check(
        &folder,
        "AGGREGATE count(*) AS n, count(DISTINCT customer) AS customers",
        &["n", "customers"],
        &[&[62_483, 7_896]],
    );
}

#[test]
fn a_web_shop() {
    let Some((folder, _)) = imported("simple_onlineshop.events_ecom.csv.gz", None) else { return };
    check(
        &folder,
        "AGGREGATE count(*) AS n, count(DISTINCT customer) AS customers",
        &["n", "customers"],
        &[&[31_106, 600]],
    );
}

#[test]
fn tickets_of_which_a_third_have_no_time() {
    let name = "support_tickets.events.csv.gz";
    let Some((folder, ran)) = imported(name, None) else { return };
    assert!(ran.said_number(2_819), "the refused rows are not counted:\n{}", ran.said());
    assert!(ran.said_number(5_650), "the imported rows are not counted:\n{}", ran.said());
    let count = "AGGREGATE count(*) AS n, count(DISTINCT customer) AS customers";
    // The 8,469 rows name 8,320 customers; those with a time 5,589.
    let file = facts::file(name).expect("was there");
    let rows = facts::rows(&file);
    let customers = rows
        .iter()
        .filter(|row| !row["ts"].is_empty())
        .map(|row| &row["customer_id"])
        .collect::<BTreeSet<_>>();
    check(&folder, count, &["n", "customers"], &[&[5_650, customers.len() as i64]]);

    // Every row with a score has a time, so the means are those of all scored rows.
    let means = query(
        folder.path(),
        "db",
        "AGGREGATE avg(score) AS mean, count(score) AS n GROUP BY channel |> ORDER BY channel",
    );
    let found: Vec<(String, String, i64)> = means
        .iter()
        .map(|row| {
            let mean = row["mean"].as_f64().expect("a mean");
            let channel = row["channel"].as_str().expect("a channel").to_owned();
            (channel, format!("{mean:.4}"), row["n"].as_i64().expect("a count"))
        })
        .collect();
    let expected = [
        ("Chat", "3.0831", 674),
        ("Email", "2.9639", 720),
        ("Phone", "2.9522", 691),
        ("Social media", "2.9693", 684),
    ];
    let expected: Vec<(String, String, i64)> =
        expected.iter().map(|&(channel, mean, n)| (channel.to_owned(), mean.to_owned(), n)).collect();
    assert_eq!(found, expected);

    let again = import(folder.path(), &file, None);
    assert_eq!(again.status, 0, "{}", again.said());
    check(&folder, count, &["n", "customers"], &[&[5_650, customers.len() as i64]]);
}

#[test]
fn every_update_of_an_incident() {
    let name = "servicenow_incidents.events.csv.gz";
    let Some((folder, _)) = imported(name, Some(CASE_AS_CUSTOMER)) else { return };
    let funnel = "FUNNEL (:New) -> (:Active) -> (:Resolved) -> (:Closed)";
    check_funnel(&folder, funnel, &[16_397, 8_447, 8_445, 8_445]);
    check(&folder, "AGGREGATE count(*) AS n", &["n"], &[&[141_712]]);
}

/// The same by caller and case, which the callers' journeys are split into.
#[test]
fn every_update_of_a_callers_incident() {
    let name = "servicenow_incidents.events.csv.gz";
    let Some((folder, ran)) = imported(name, None) else { return };
    assert!(ran.said_number(29), "the rows without a caller are not counted:\n{}", ran.said());
    let funnel = "FUNNEL (:New) -> (:Active) -> (:Resolved) -> (:Closed) HOLD case";
    check_funnel(&folder, funnel, &[16_397, 8_445, 8_443, 8_443]);
    for (step, reached) in [(1, 16_397), (4, 8_443)] {
        let list = format!("{funnel} |> REACHED {step} |> AGGREGATE count(DISTINCT customer, case) AS n");
        check(&folder, &list, &["n"], &[&[reached]]);
    }
}

/// One ticket was closed directly after it was resolved twice.
#[test]
fn tickets_closed_directly_after_they_were_resolved() {
    let name = "helpdesk.events.csv.gz";
    let directly = "FUNNEL (:\"Resolve ticket\") -[NEXT]-> (:Closed)";
    let reached = |options: &str| format!("{directly} {options} |> WHERE step = 2 |> SELECT reached");
    let Some((folder, _)) = imported(name, Some(CASE_AS_CUSTOMER)) else { return };
    check(&folder, &reached(""), &["reached"], &[&[4_557]]);
    check(&folder, &reached("COUNT ATTEMPTS"), &["reached"], &[&[4_558]]);
    let Some((folder, _)) = imported(name, None) else { return };
    check(&folder, &reached("HOLD case"), &["reached"], &[&[4_559]]);
    check(&folder, &reached("HOLD case COUNT ATTEMPTS"), &["reached"], &[&[4_560]]);
    check(&folder, &format!("SPLIT BY case |> {}", reached("COUNT ATTEMPTS")), &["reached"], &[&[4_560]]);
}
