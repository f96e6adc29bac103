//! `import --recorded`: AS OF goes by what each row says of when it was recorded.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use super::{COUNT, Desk};

/// The third says nothing of it, and the last two nothing that can be.
const LOADED: &str = "\
customer,ts,event,loaded_at
crm:1,2024-01-05T09:00Z,complaint,2024-01-06
crm:1,2024-01-20T09:00Z,call,2024-02-01T00:00:00Z
crm:2,2024-01-07T12:00Z,complaint,N/A
crm:3,2024-03-01T00:00Z,call,2024-03-01T00:00:00.001Z
crm:3,2024-03-02T00:00Z,call,soon
crm:3,2024-03-03T00:00Z,call,2924-03-03
";

/// How many interactions had been recorded by each of some instants, and when the last took place.
fn by(desk: &Desk, store: &str) -> Vec<(i64, String)> {
    let instants = [
        "2024-01-05",
        "2024-01-06",
        "2024-01-31T23:59:59.999Z",
        "2024-02-01",
        "2024-03-01",
        "2024-03-02",
        "2999-01-01",
    ];
    let ask = |at: &str| {
        let query = format!("AS OF '{at}' |> AGGREGATE count(*) AS n, max(at) AS last");
        let row = desk.row(store, &query);
        (row["n"].as_i64().expect("a number"), row["last"].as_str().unwrap_or_default().to_owned())
    };
    instants.map(ask).to_vec()
}

fn expected() -> Vec<(i64, String)> {
    let last =
        ["", "2024-01-05T09:00:00Z", "2024-01-05T09:00:00Z", "2024-01-20T09:00:00Z", "2024-01-20T09:00:00Z"];
    let march = "2024-03-01T00:00:00Z";
    [0, 1, 1, 2, 2, 3, 4].into_iter().zip(last.into_iter().chain([march, march]).map(str::to_owned)).collect()
}

#[test]
fn a_bulk_history_has_its_own_recording_times() {
    let desk = Desk::new();
    desk.file("loaded.csv", LOADED);
    let ran = desk.run(&["import", "csv.db", "loaded.csv", "--recorded", "Loaded_At"]).answer();
    ran.says(&[
        "4 added",
        "refused 1: a recording time that does not parse",
        "refused 1: a recording time before 1900 or in the future",
        "a map file says how times are written",
    ]);
    let rejects = desk.read("csv.db.rejects.csv");
    assert!(rejects.contains(",6,a recording time that does not parse,loaded_at,soon,"), "{rejects}");
    assert!(rejects.contains("(a clock error),loaded_at,2924-03-03,"), "{rejects}");
    assert_eq!(by(&desk, "csv.db"), expected());
    // It is no attribute.
    desk.run(&["query", "csv.db", "INTERACTIONS |> SELECT loaded_at"]).refused(1, &["`loaded_at`"]);

    // JSON, of which columns show up one by one.
    let mut lines = String::new();
    for row in LOADED.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let loaded =
            if cells[3] == "N/A" { String::new() } else { format!(",\"loaded_at\":\"{}\"", cells[3]) };
        lines.push_str(&format!(
            "{{\"customer\":\"{}\",\"ts\":\"{}\",\"event\":\"{}\"{loaded}}}\n",
            cells[0], cells[1], cells[2]
        ));
    }
    desk.file("loaded.jsonl", lines);
    desk.file("map.toml", "[columns]\nloaded_at = \"recorded\"\n");
    desk.run(&["import", "json.db", "loaded.jsonl", "--map", "map.toml"])
        .answer()
        .says(&["4 added", "2 refused"]);
    assert_eq!(by(&desk, "json.db"), expected());

    // An export keeps it.
    for store in ["csv", "json"] {
        desk.run(&["export", &format!("{store}.db"), store]).answer();
        let (file, map) = (format!("{store}/interactions.parquet"), format!("{store}/map.toml"));
        desk.run(&["import", &format!("{store}2.db"), &file, "--map", &map, "--strict"]).answer();
        assert_eq!(by(&desk, &format!("{store}2.db")), expected());
    }
    for store in ["csv.db", "json.db", "csv2.db"] {
        desk.run(&["check", store]).answer();
    }
}

#[test]
fn parquet_is_read_alike_column_by_column() {
    let desk = Desk::new();
    let texts = |values: &[&str]| -> ArrayRef { Arc::new(StringArray::from_iter_values(values)) };
    let hour = 3_600_000;
    let start = 1_704_067_200_000_i64;
    let customers: Vec<String> = (0..1_000).map(|row| format!("crm:{}", row % 70)).collect();
    let customers: Vec<&str> = customers.iter().map(String::as_str).collect();
    let times = |values: Vec<Option<i64>>, zone: Option<&str>| -> ArrayRef {
        let array = TimestampMillisecondArray::from(values);
        Arc::new(array.with_timezone_opt(zone.map(str::to_owned)))
    };
    // Each a day later; one in seven says nothing, and two are of the future.
    let recorded: Vec<Option<i64>> = (0..1_000)
        .map(|row| match row {
            500 | 501 => Some(start + 10_000_000 * hour),
            row => (row % 7 > 0).then_some(start + (row + 24) * hour),
        })
        .collect();
    for (name, zone) in [("utc", Some("UTC")), ("wall", None)] {
        let batch = RecordBatch::try_from_iter([
            ("customer", texts(&customers)),
            ("ts", times((0..1_000).map(|row| Some(start + row * hour)).collect(), zone)),
            ("loaded", times(recorded.clone(), zone)),
        ])
        .expect("fit each other");
        let file = File::create(desk.path("loaded.parquet")).expect("creates");
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("begins");
        writer.write(&batch).expect("writes");
        writer.close().expect("ends");
        let store = format!("{name}.db");
        desk.run(&["import", &store, "loaded.parquet", "--recorded", "loaded"])
            .answer()
            .says(&["998 added", "refused 2: a recording time before 1900 or in the future"]);
        for until in [0, 24, 25, 300, 523, 524, 1_023] {
            let seen = recorded.iter().enumerate().filter(|(row, at)| {
                !(500..502).contains(row) && at.is_some_and(|at| at <= start + until * hour)
            });
            let days = format!("AS OF '{}' |> {COUNT}", instant(until));
            assert_eq!(desk.row(&store, &days)["n"], Value::from(seen.count()), "{until}");
        }
        assert_eq!(desk.count(&store), 998);
    }
}

/// So many hours after the beginning of 2024.
fn instant(hours: i64) -> String {
    let (day, hour) = (hours / 24, hours % 24);
    let (month, day) = if day < 31 { (1, day + 1) } else { (2, day - 30) };
    format!("2024-{month:02}-{day:02}T{hour:02}:00:00Z")
}

#[test]
fn customers_attributes_may_have_them_too() {
    let desk = Desk::new();
    desk.file("calls.csv", "customer,ts,event\ncrm:1,2024-01-01,call\n");
    desk.file(
        "crm.csv",
        "customer,plan,ts,loaded\ncrm:1,gold,2024-01-01,2024-01-02\ncrm:1,silver,2024-02-01,2024-02-02\n",
    );
    // The calls say nothing of it: `ts` is when they were recorded.
    desk.file("map.toml", "[columns]\nts = [\"ts\", \"recorded\"]\n");
    desk.run(&[
        "import",
        "a.db",
        "calls.csv",
        "--customers",
        "crm.csv",
        "--recorded",
        "loaded",
        "--map",
        "map.toml",
    ])
    .answer();
    let plan = |at: &str| {
        desk.row("a.db", &format!("AS OF '{at}' |> INTERACTIONS |> SELECT customer.plan AS plan"))["plan"]
            .clone()
    };
    assert_eq!(plan("2024-01-01T12:00:00Z"), Value::Null);
    assert_eq!(plan("2024-01-02"), "gold");
    assert_eq!(plan("2024-02-02"), "silver");
    desk.run(&["export", "a.db", "out"]).answer();
    desk.run(&[
        "import",
        "b.db",
        "out/interactions.parquet",
        "--customers",
        "out/customers.parquet",
        "--map",
        "out/map.toml",
    ])
    .answer();
    let query = "AS OF '2024-01-31' |> INTERACTIONS |> SELECT customer, at, customer.plan AS plan";
    assert_eq!(desk.rows("b.db", query), desk.rows("a.db", query));
}

#[test]
fn a_row_that_comes_again_keeps_its_recording_time() {
    let desk = Desk::new();
    desk.file("a.csv", "customer,ts,event,loaded\n1,2024-01-01,call,2024-01-02\n");
    desk.file(
        "b.csv",
        "customer,ts,event,loaded\n1,2024-01-01,call,2024-03-02\n1,2024-02-01,call,2024-03-02\n",
    );
    for (file, words) in [("a.csv", "1 added, 0 there already"), ("b.csv", "1 added, 1 there already")] {
        desk.run(&["import", "c.db", file, "--recorded", "loaded"]).answer().says(&[words]);
    }
    for (at, n) in [("2024-01-01", 0), ("2024-01-02", 1), ("2024-03-01", 1), ("2024-03-02", 2)] {
        assert_eq!(desk.row("c.db", &format!("AS OF '{at}' |> {COUNT}"))["n"], n, "{at}");
    }
}

#[test]
fn a_column_that_no_file_has_is_a_failure() {
    let desk = Desk::new();
    desk.file("a.csv", "customer,ts,loaded_at\n1,2024-01-01,2024-01-02\n");
    desk.run(&["import", "d.db", "a.csv", "--recorded", "loaded_a"]).refused(
        1,
        &[
            "--recorded speaks of a column `loaded_a` that no file has (did you mean `loaded_at`?)",
            "customer",
        ],
    );
    assert!(!desk.has("d.db"));
}
