//! Whole imports into a store, and what comes of them.

mod links;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use throughline::engine::{AttrType, Column, Db, Identity, Options, Role, Subject};

use super::mapping::Mapping;
use super::run::{Plan, Summary, import};
use crate::failure::Outcome;
use crate::files;

/// A store and files in a folder of their own.
struct Bench {
    folder: tempfile::TempDir,
    db: Db,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("makes a folder");
        let db = Db::open_with(folder.path().join("db"), Options::default()).expect("opens");
        Self { folder, db }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        files::create(&path).expect("creates").write_all(content).expect("writes");
        path
    }

    fn plan(&self, map: &str, files: Vec<PathBuf>) -> Plan {
        Plan {
            files,
            customers: None,
            links: Vec::new(),
            mapping: Mapping::parse(map).expect(map),
            strict: false,
            bring_back: false,
            rejects: self.folder.path().join("rejects.csv"),
        }
    }

    fn import(&self, map: &str, name: &str, content: &[u8]) -> Outcome<Summary> {
        import(&self.db, &self.plan(map, vec![self.file(name, content)]))
    }

    fn ty(&self, name: &str) -> Option<AttrType> {
        self.db.snapshot().schema().find(Subject::Interaction, name).map(|attribute| attribute.ty)
    }

    /// The values of an attribute, over customers and times in order.
    fn values(&self, name: &str) -> Vec<String> {
        let snapshot = self.db.snapshot();
        let attr = snapshot.schema().find(Subject::Interaction, name).expect(name).id;
        let symbols = snapshot.symbols(attr);
        let mut values = Vec::new();
        for unit in 0..snapshot.units().len() {
            let block = snapshot.read(unit, &[attr]).expect("reads");
            for row in 0..block.rows() {
                values.push(match block.column(attr) {
                    None => String::new(),
                    Some(column) if column.is_null(row) => String::new(),
                    Some(Column::Symbol { codes, dictionary }) => {
                        symbols.get(dictionary[codes[row] as usize - 1]).to_owned()
                    }
                    Some(Column::Str { codes, dictionary }) => {
                        dictionary.get(codes[row] as usize - 1).to_owned()
                    }
                    Some(Column::Int { values, .. }) => values[row].to_string(),
                    Some(Column::Float { values, .. }) => values[row].to_string(),
                });
            }
        }
        values
    }
}

fn counts(summary: &Summary) -> (u64, u64, u64) {
    let refused = summary.refused.iter().map(|(_, count)| count).sum();
    (summary.report.added, summary.report.duplicates, refused)
}

#[test]
fn bad_rows_are_refused_and_the_rest_is_there_once() {
    let bench = Bench::new();
    let text = "customer_id,ts,channel,score,resolved,sentiment\n\
        crm:1,2026-01-01,phone,5,yes,angry\n\
        ,2026-01-01,phone,5,yes,\n\
        crm:1,,phone,5,yes,\n\
        crm:1,soon,phone,5,yes,\n\
        crm:1,2026-01-02,phone,five,yes,\n\
        crm:1,2026-01-02,phone,5,perhaps,\n\
        crm:1,2026-01-02,phone,5,no,7\n\
        crm:1,1815-06-18,phone,5,no,\n\
        crm:1,2026-01-02,phone\n\
        crm:1,2026-01-03,email,N/A,0,-0.5\n\
        crm:1,2026-01-03,email,N/A,0,-0.5\n";
    let summary = bench.import("", "a.csv", text.as_bytes()).expect("imports");
    assert_eq!(counts(&summary), (3, 0, 8));
    assert_eq!(summary.refused.len(), 8);
    let rejects = files::read_text(&bench.folder.path().join("rejects.csv")).expect("was written");
    assert!(rejects.contains(",5,a time that does not parse,ts,soon,"), "{rejects}");
    assert_eq!(bench.values("score"), ["5", "", ""]);
    assert_eq!(bench.values("sentiment"), ["-1", "-0.5", "-0.5"]);
    assert_eq!(bench.values("channel"), ["phone", "email", "email"]);
    let again = bench.import("", "a.csv", text.as_bytes()).expect("imports");
    assert_eq!(counts(&again), (0, 3, 8));
}

#[test]
fn strict_imports_nothing() {
    let bench = Bench::new();
    let path = bench.file("a.csv", b"customer_id,ts\n1,2026-01-01\n1,soon\n");
    let mut plan = bench.plan("", vec![path]);
    plan.strict = true;
    let message = import(&bench.db, &plan).expect_err("is strict").to_string();
    assert!(message.contains("line 3: a time that does not parse in `ts`: soon"), "{message}");
    assert_eq!(bench.db.snapshot().interactions(), 0);
}

#[test]
fn other_columns_get_types_and_widen() {
    let bench = Bench::new();
    let mut text = String::from("customer,ts,plan,zip,amount,late,size\n");
    for row in 0..20_001 {
        text.push_str(&format!("1,2026-01-01,gold,0{row},{row},,{row}\n"));
    }
    text.push_str("1,2026-01-02,gold,7,2.5,2025-12-24,large\n");
    let summary = bench.import("", "a.csv", text.as_bytes()).expect("imports");
    assert_eq!(counts(&summary), (20_002, 0, 0));
    let types = ["plan", "zip", "amount", "late", "size"].map(|name| bench.ty(name).map(AttrType::name));
    assert_eq!(types, [Some("symbol"), Some("id"), Some("float"), Some("time"), Some("text")]);
    assert_eq!(bench.values("amount").last().map(String::as_str), Some("2.5"));
    let sizes = bench.values("size");
    assert_eq!((sizes[0].as_str(), sizes[20_001].as_str()), ("0", "large"));
    assert!(
        summary.tally.notes.iter().any(|note| note.contains("`size` was int and is text")),
        "{summary:?}"
    );
}

#[test]
fn the_map_is_followed() {
    let bench = Bench::new();
    let map = "zone = \"Europe/Berlin\"\n[columns]\nMember = { attribute = \"customer\", namespace = \"crm\" }\n\
        Opened = { attribute = \"ts\", time_format = \"%d.%m.%Y %H:%M\" }\nIssue = { attribute = \"issue\", role = \"topic\" }\n\
        Secret = { ignore = true }\nRef = [\"case\", \"event_id\"]\n[constants]\nchannel = \"phone\"\nscore = 3";
    let text = b"Member,Opened,Issue,Secret,Ref,channel\n42,31.01.2026 09:00,bill,x,T1,\n42,31.01.2026 10:00,bill,x,T2,email\n";
    let summary = bench.import(map, "a.csv", text).expect("imports");
    assert_eq!(counts(&summary), (2, 0, 0));
    assert_eq!(
        summary.tally.span.map(|(first, _)| crate::civil::rfc3339(first)).as_deref(),
        Some("2026-01-31T08:00:00Z")
    );
    let snapshot = bench.db.snapshot();
    assert!(snapshot.resolve(&Identity::parse("crm:42").expect("is one")).expect("reads").is_some());
    assert_eq!(snapshot.schema().role(Role::Topic).map(|attribute| attribute.name.as_str()), Some("issue"));
    assert_eq!(bench.ty("Secret"), None);
    assert_eq!(bench.values("channel"), ["phone", "email"]);
    assert_eq!(bench.values("score"), ["3", "3"]);
    assert_eq!(bench.values("case"), ["T1", "T2"]);
    assert_eq!(counts(&bench.import(map, "a.csv", text).expect("imports")), (0, 2, 0));
}

#[test]
fn a_map_that_fits_no_file_is_an_error() {
    let bench = Bench::new();
    let message = bench
        .import("[columns]\nTopik = \"topic\"", "a.csv", b"customer,ts,Topic\n1,2026-01-01,x\n")
        .expect_err("is refused")
        .to_string();
    assert!(message.contains("did you mean `topic`?"), "{message}");
    assert_eq!(bench.db.snapshot().interactions(), 0);
}

#[test]
fn what_has_no_customer_or_no_content_says_so() {
    let bench = Bench::new();
    let said = |content: &[u8]| bench.import("", "a.csv", content).expect_err("is refused").to_string();
    assert!(said(b"").contains("is empty"));
    assert!(said(b"who,ts\n1,2026-01-01\n").contains("no column for the customer"));
    assert!(said(b"customer,when\n1,2026-01-01\n").contains("no column for the time"));
    assert_eq!(counts(&bench.import("", "a.csv", b"customer,ts\n").expect("has a header")), (0, 0, 0));
}

#[test]
fn json_lines_with_columns_that_come_late() {
    let bench = Bench::new();
    let mut text = String::new();
    for row in 0..20_005 {
        text.push_str(&format!(
            "{{\"customer\":\"crm:{}\",\"ts\":{},\"event\":\"call\"}}\n",
            row % 7,
            1_767_225_600 + row
        ));
    }
    text.push_str("{\"customer\":\"crm:1\",\"ts\":\"2026-02-01\",\"event\":\"call\",\"device\":{\"os\":\"ios\"},\"n\":3}\nnonsense\n");
    let summary = bench.import("", "a.jsonl", text.as_bytes()).expect("imports");
    assert_eq!(counts(&summary), (20_006, 0, 1));
    assert_eq!((bench.ty("device.os"), bench.ty("n")), (Some(AttrType::Symbol), Some(AttrType::Int)));
    assert_eq!(bench.values("device.os").iter().filter(|value| *value == "ios").count(), 1);
}

#[test]
fn parquet_types_count() {
    let bench = Bench::new();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("customer_id", Arc::new(Float64Array::from(vec![Some(42.0), None, Some(43.0)]))),
        (
            "ts",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_767_225_600_250_999); 3]).with_timezone("+02:00"),
            ),
        ),
        ("event", Arc::new(StringArray::from(vec![Some("call"), Some("call"), None]))),
        ("code", Arc::new(StringArray::from(vec!["1", "2", "3"]))),
        ("n", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns are alike");
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("begins");
    writer.write(&batch).expect("writes");
    writer.close().expect("ends");
    let summary = bench.import("", "a.parquet", &bytes).expect("imports");
    assert_eq!(counts(&summary), (2, 0, 1));
    assert_eq!(summary.tally.span, Some((1_767_225_600_250, 1_767_225_600_250)));
    assert_eq!((bench.ty("code"), bench.ty("n")), (Some(AttrType::Symbol), Some(AttrType::Int)));
    assert_eq!(bench.values("kind"), ["call", ""]);
    let snapshot = bench.db.snapshot();
    assert!(snapshot.resolve(&Identity::parse("42").expect("is one")).expect("reads").is_some());
    // The same packed, and unpacked on the way.
    let packed = zstd::stream::encode_all(bytes.as_slice(), 1).expect("packs");
    assert_eq!(counts(&bench.import("", "a.parquet.zst", &packed).expect("imports")), (0, 2, 1));
}

/// A source of 70,000 rows, some of which cannot be taken, as Parquet; with these columns beside.
fn odd_rows(more: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let rows = 0..70_000_i64;
    let long = "x".repeat(2_000);
    let customers: StringArray = rows
        .clone()
        .map(|row| match row % 101 {
            0 => None,
            1 => Some(" ".to_owned()),
            2 => Some(format!("CRM:{}", row % 7)),
            3 if row % 3 == 0 => Some(long.clone()),
            4 => Some(format!(" crm: {} ", row % 900)),
            _ => Some(format!("crm:{}", row % 900)),
        })
        .collect();
    let times: TimestampMicrosecondArray = rows
        .clone()
        .map(|row| match row % 997 {
            0 => None,
            1 => Some(-6_000_000_000_000_000),
            _ => Some(1_767_225_600_000_000 + row * 1_000_000),
        })
        .collect();
    let note = |row: i64| format!("  what was said at length, and who said it to whom, in row {}", row % 50);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("customer_id", Arc::new(customers)),
        ("ts", Arc::new(times.with_timezone("UTC"))),
        (
            "event",
            Arc::new(
                rows.clone()
                    .map(|row| (row % 6 > 0).then(|| [" call", "chat", "  "][row as usize % 3]))
                    .collect::<StringArray>(),
            ),
        ),
        ("note", Arc::new(rows.clone().map(|row| (row % 4 > 0).then(|| note(row))).collect::<StringArray>())),
        (
            "sentiment",
            Arc::new(
                rows.clone()
                    .map(|row| match row % 503 {
                        0 => Some(f64::NAN),
                        1 => Some(7.0),
                        _ => (row % 2 == 0).then_some((row % 200 - 100) as f64 / 100.0),
                    })
                    .collect::<Float64Array>(),
            ),
        ),
        ("n", Arc::new(rows.clone().map(|row| (row % 5 > 0).then_some(row - 9)).collect::<Int64Array>())),
        // Nothing that the sample or the first batch could see.
        (
            "late",
            Arc::new(
                rows.clone()
                    .map(|row| (row > 68_000).then(|| format!("late {}", row % 30)))
                    .collect::<StringArray>(),
            ),
        ),
        (
            "event_id",
            Arc::new(
                rows.map(|row| (row % 3 == 0).then(|| format!("e{}", row / 2 * 2))).collect::<StringArray>(),
            ),
        ),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().chain(more).map(|(name, array)| (name, array, true)),
    )
    .expect("columns are alike");
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("begins");
    writer.write(&batch).expect("writes");
    writer.close().expect("ends");
    bytes
}

#[test]
fn rows_taken_by_columns_are_as_rows_taken_one_by_one() {
    let bytes = odd_rows(Vec::new());
    // A constant has rows looked at one by one.
    let told = ["", "[constants]\nbrand = \"b\"\n"].map(|map| {
        let bench = Bench::new();
        let summary = bench.import(map, "a.parquet", &bytes).expect("imports");
        let rejects = files::read_text(&bench.folder.path().join("rejects.csv")).expect("is there");
        let rejects = rejects.replace(&bench.folder.path().display().to_string(), "");
        let names = ["kind", "note", "sentiment", "n", "late", "event_id"];
        let values = names.map(|name| bench.values(name));
        assert_eq!(bench.db.check().expect("checks").problems, Vec::<String>::new());
        let notes = summary.tally.notes.len();
        (counts(&summary), summary.tally.span, summary.refused.clone(), notes, rejects, values)
    });
    assert!(told[0].0.2 > 1_000 && told[0].0.0 > 60_000, "{:?}", told[0].0);
    assert!(told[0] == told[1]);
}

#[test]
fn customers_have_attributes() {
    let bench = Bench::new();
    let mut plan = bench.plan("", vec![bench.file("a.csv", b"customer,ts\ncrm:1,2026-01-01\n")]);
    plan.customers = Some(bench.file("c.csv", b"customer_id,plan,text\ncrm:1,gold,x\n,gold,x\n"));
    let summary = import(&bench.db, &plan).expect("imports");
    assert_eq!((summary.tally.rows, summary.tally.customer_rows), (1, 2));
    assert_eq!(summary.refused, [("no customer", 1)]);
    let snapshot = bench.db.snapshot();
    assert!(snapshot.schema().find(Subject::Customer, "plan").is_some());
    assert!(snapshot.schema().find(Subject::Customer, "text").is_some());
}

#[test]
fn generated_formats_hold_the_same_history() {
    let bench = Bench::new();
    for (place, name) in ["h.csv.gz", "h.jsonl.zst", "h.parquet"].into_iter().enumerate() {
        let path = bench.folder.path().join(name);
        let rows = crate::generate::generate(&path, 60, 7, 0.0).expect("writes").interactions;
        let summary = import(&bench.db, &bench.plan("", vec![path])).expect("imports");
        let expected = if place == 0 { (rows, 0, 0) } else { (0, rows, 0) };
        assert_eq!(counts(&summary), expected, "{name}");
    }
    assert!(!Path::new(&bench.folder.path().join("rejects.csv")).exists());
}
