//! What comes in, what is refused, and that nothing comes in twice.

use std::io::Write;

use super::{CONTACTS, Desk};

/// Two good rows among one of each that is refused for its content.
const MIXED: &str = "\
customer,ts,event,score,resolved,sentiment
crm:1,2026-01-05,call,5,yes,happy
,2026-01-05,call,,,
crm:2,,call,,,
crm:3,soon,call,,,
crm:4,2026-01-05,call,many,,
crm:5,2026-01-05,call,,perhaps,
crm:6,2026-01-05,call,,,7
crm:7,1850-01-05,call,,,
crm:8,2026-01-05,call
crm:9,2026-01-06,call,4,no,-0.5
";

#[test]
fn bad_rows_are_refused_counted_and_written_down() {
    let desk = Desk::new();
    desk.file("mixed.csv", MIXED);
    let ran = desk.run(&["import", "m.db", "mixed.csv"]).answer();
    assert_eq!(ran.out, "", "an import answers nothing");
    ran.says(&[
        "read 10 rows: 2 added, 0 there already, 8 refused",
        "refused 1: no customer",
        "refused 1: no time",
        "refused 1: wrong number of fields",
        "m.db.rejects.csv",
        "a map file says how times are written",
        "durable as commit 1: the store holds 2 interactions of 2 customers",
    ]);
    assert_eq!(
        desk.read("m.db.rejects.csv"),
        "file,line,reason,column,found,row\n\
         mixed.csv,3,no customer,customer,,\",2026-01-05,call,,,\"\n\
         mixed.csv,4,no time,ts,,\"crm:2,,call,,,\"\n\
         mixed.csv,5,a time that does not parse,ts,soon,\"crm:3,soon,call,,,\"\n\
         mixed.csv,6,a number that does not parse,score,many,\"crm:4,2026-01-05,call,many,,\"\n\
         mixed.csv,7,a value that is neither true nor false,resolved,perhaps,\"crm:5,2026-01-05,call,,perhaps,\"\n\
         mixed.csv,8,a sentiment that is neither -1 to 1 nor a known word,sentiment,7,\"crm:6,2026-01-05,call,,,7\"\n\
         mixed.csv,9,a time before 1900 or after tomorrow (a clock error),ts,1850-01-05,\"crm:7,1850-01-05,call,,,\"\n\
         mixed.csv,10,wrong number of fields,,3 where the header has 6,\"crm:8,2026-01-05,call\"\n"
    );
    assert_eq!(desk.count("m.db"), 2);
}

#[test]
fn a_file_that_ends_inside_a_quote_loses_no_line_silently() {
    let desk = Desk::new();
    let cut = "customer,ts,text\ncrm:1,2026-01-05,\"hello\"\ncrm:2,2026-01-06,\"good\nmorni";
    desk.file("export.csv", cut);
    desk.run(&["import", "q.db", "export.csv"])
        .answer()
        .says(&["1 added", "refused 1: a quote that nothing closes"]);
    assert!(desk.read("q.db.rejects.csv").contains("export.csv,3,a quote that nothing closes"));
    // Whole, it is one row and not two.
    desk.file("export.csv", format!("{cut}ng\"\n"));
    desk.run(&["import", "q.db", "export.csv"]).answer().says(&["1 added, 1 there already, 0 refused"]);
    desk.file("header.csv", "customer,ts,\"text\ncrm:1,2026-01-05,x\n");
    desk.run(&["import", "h.db", "header.csv"]).refused(1, &["opens a quote that nothing closes"]);
}

#[test]
fn refused_rows_go_where_they_are_sent() {
    let desk = Desk::new();
    desk.file("mixed.csv", MIXED);
    desk.run(&["import", "m.db", "mixed.csv", "--rejects", "bad.csv"]).answer().says(&["bad.csv"]);
    assert!(desk.has("bad.csv") && !desk.has("m.db.rejects.csv"));
    // They never overwrite what is being read.
    desk.run(&["import", "m.db", "mixed.csv", "--rejects", "./mixed.csv"]).refused(1, &["--rejects"]);
    assert_eq!(desk.read("mixed.csv"), MIXED);
    desk.file("good.csv", CONTACTS);
    desk.run(&["import", "good.db", "good.csv"]).answer();
    assert!(!desk.has("good.db.rejects.csv"), "there was nothing to refuse");
}

#[test]
fn strict_imports_nothing() {
    let desk = Desk::with_contacts();
    desk.file("mixed.csv", MIXED);
    desk.run(&["import", "contacts.db", "mixed.csv", "--strict"])
        .refused(1, &["mixed.csv, line 3: no customer", "nothing was imported"]);
    assert_eq!(desk.count("contacts.db"), 5);
    // A good file beside a bad one is of the same commit.
    desk.file("more.csv", "customer,ts\ncrm:9,2026-01-05\n");
    desk.run(&["import", "contacts.db", "more.csv", "mixed.csv", "--strict"]).refused(1, &["line 3"]);
    assert_eq!(desk.count("contacts.db"), 5);
    desk.run(&["import", "contacts.db", "more.csv", "--strict"]).answer();
    assert_eq!(desk.count("contacts.db"), 6);
}

#[test]
fn importing_twice_adds_nothing() {
    let desk = Desk::with_contacts();
    desk.run(&["import", "contacts.db", "contacts.csv"])
        .answer()
        .says(&["read 5 rows: 0 added, 5 there already, 0 refused"]);
    // Another name, order of columns and packing is the same content.
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(CONTACTS.as_bytes()).expect("packs");
    desk.file("again.csv.gz", gz.finish().expect("packs"));
    desk.run(&["import", "contacts.db", "again.csv.gz"]).answer().says(&["0 added, 5 there already"]);
    assert_eq!(desk.count("contacts.db"), 5);
}

#[test]
fn a_grown_file_adds_its_new_rows_and_true_duplicates_stay() {
    let desk = Desk::new();
    let twice = "crm:1,2026-01-05T09:00,call\n";
    desk.file("export.csv", format!("customer,ts,event\n{twice}{twice}crm:2,2026-01-06,call\n"));
    desk.run(&["import", "e.db", "export.csv"]).answer().says(&["3 added, 0 there already"]);
    assert_eq!(desk.count("e.db"), 3);
    desk.file(
        "export.csv",
        format!("customer,ts,event\n{twice}{twice}crm:2,2026-01-06,call\n{twice}crm:3,2026-01-07,call\n"),
    );
    desk.run(&["import", "e.db", "export.csv"]).answer().says(&["2 added, 3 there already"]);
    assert_eq!(desk.count("e.db"), 5);
}

#[test]
fn event_ids_tell_rows_apart() {
    let desk = Desk::new();
    desk.file("a.csv", "customer,ts,event,event_id\ncrm:1,2026-01-05,call,e1\ncrm:1,2026-01-05,call,e2\n");
    desk.run(&["import", "i.db", "a.csv"]).answer().says(&["2 added"]);
    desk.file("b.csv", "customer,ts,event,event_id\ncrm:1,2026-01-05,call,e2\ncrm:1,2026-01-05,call,e3\n");
    desk.run(&["import", "i.db", "b.csv"]).answer().says(&["1 added, 1 there already"]);
}

#[test]
fn every_kind_of_file_says_the_same() {
    let desk = Desk::new();
    let lines: String = CONTACTS
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!(
                "{{\"customer\":\"{}\",\"ts\":\"{}\",\"channel\":\"{}\",\"event\":\"{}\",\"topic\":\"{}\"}}\n",
                cells[0], cells[1], cells[2], cells[3], cells[4]
            )
        })
        .collect();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(lines.as_bytes()).expect("packs");
    desk.file("a.csv", CONTACTS);
    desk.file("crlf.csv", format!("\u{feff}{}", CONTACTS.replace('\n', "\r\n")));
    desk.file("a.tsv", CONTACTS.replace(',', "\t"));
    desk.file("semicolons.csv", CONTACTS.replace(',', ";"));
    desk.file("a.jsonl", &lines);
    desk.file("a.jsonl.gz", gz.finish().expect("packs"));
    desk.file("a.tsv.zst", zstd::encode_all(CONTACTS.replace(',', "\t").as_bytes(), 1).expect("packs"));
    desk.file("unnamed", CONTACTS);
    for (place, file) in
        ["a.csv", "crlf.csv", "a.tsv", "semicolons.csv", "a.jsonl", "a.jsonl.gz", "a.tsv.zst", "unnamed"]
            .iter()
            .enumerate()
    {
        let added = if place == 0 { "5 added, 0 there already" } else { "0 added, 5 there already" };
        let ran = desk.run(&["import", "all.db", file]).answer();
        assert!(ran.err.contains(added), "{file}: {}", ran.err);
    }
    // Standard input, packed or not.
    let packed = zstd::encode_all(lines.as_bytes(), 1).expect("packs");
    desk.pipe(&["import", "all.db", "-"], CONTACTS).answer().says(&["0 added, 5 there already"]);
    desk.pipe(&["import", "all.db", "-"], packed).answer().says(&["0 added, 5 there already"]);
}

#[test]
fn several_files_are_one_commit() {
    let desk = Desk::new();
    desk.file("a.csv", "customer,ts\ncrm:1,2026-01-05\n");
    desk.file("b.jsonl", "{\"customer\":\"crm:2\",\"ts\":\"2026-01-05\"}\n");
    desk.run(&["import", "s.db", "a.csv", "b.jsonl"]).answer().says(&[
        "read 2 rows: 2 added",
        "durable as commit 1: the store holds 2 interactions of 2 customers",
    ]);
}

#[test]
fn other_columns_become_attributes_of_their_type() {
    let desk = Desk::new();
    desk.file(
        "a.csv",
        "customer,ts,Priority,weight,due,vip\n42,1767603600,high,2,2026-02-01,true\ncrm:1,2026-01-05T10:00:00Z,low,2.5,2026-02-02,false\n",
    );
    desk.run(&["import", "a.db", "a.csv"]).answer();
    let rows = desk
        .rows("a.db", "INTERACTIONS |> SELECT customer, at, priority, weight, due, vip |> ORDER BY weight");
    let expected = serde_json::json!([
        {"customer": "id:42", "at": "2026-01-05T09:00:00Z", "priority": "high", "weight": 2.0,
         "due": "2026-02-01T00:00:00Z", "vip": true},
        {"customer": "crm:1", "at": "2026-01-05T10:00:00Z", "priority": "low", "weight": 2.5,
         "due": "2026-02-02T00:00:00Z", "vip": false},
    ]);
    assert_eq!(serde_json::Value::Array(rows), expected);
}

#[test]
fn customers_have_attributes() {
    let desk = Desk::with_contacts();
    desk.file("crm.csv", "customer,plan,age\ncrm:1,gold,33\ncrm:2,silver,40\n,gold,1\n");
    desk.run(&["import", "contacts.db", "--customers", "crm.csv"])
        .answer()
        .says(&["read 3 rows (3 of customers)", "refused 1: no customer"]);
    let gold =
        desk.rows("contacts.db", "FOR plan = 'gold' |> INTERACTIONS |> SELECT customer, customer.plan, kind");
    assert_eq!(gold.len(), 3);
    assert!(gold.iter().all(|row| row["customer"] == "crm:1" && row["customer.plan"] == "gold"));
    assert_eq!(desk.row("contacts.db", "FOR age > 35 |> AGGREGATE count(*) AS n")["n"], 1);
    // The latest file speaks.
    desk.file("crm.csv", "customer,plan\ncrm:1,silver\n");
    desk.run(&["import", "contacts.db", "--customers", "crm.csv"]).answer();
    assert_eq!(desk.row("contacts.db", "FOR plan = 'silver' |> AGGREGATE count(*) AS n")["n"], 4);
}

#[test]
fn what_cannot_be_read_leaves_no_store_behind() {
    let desk = Desk::new();
    desk.file("notes.txt", "dear customer\nhello\n");
    desk.file("empty.csv", "");
    desk.file("page.html", "<html><body></body></html>");
    desk.file("array.json", "[{\"customer\":\"crm:1\",\"ts\":\"2026-01-05\"}]");
    desk.file("pretty.json", "{\n  \"events\": []\n}\n");
    desk.file("a.db.sqlite", "SQLite format 3\0");
    desk.file("book.xlsx", "PK\u{3}\u{4}rest");
    desk.file("utf16.csv", [0xff, 0xfe, b'c', 0, b'u', 0]);
    desk.file("cut.csv.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1]);
    for (file, words) in [
        ("nowhere.csv", "cannot open nowhere.csv"),
        (".", "is a folder"),
        (
            "notes.txt",
            "has no column for the customer (looked for: customer_id, customer); its columns are: dear customer",
        ),
        ("empty.csv", "is empty"),
        ("page.html", "is XML or HTML"),
        ("array.json", "jq -c '.[]'"),
        ("pretty.json", "no line that is a JSON object"),
        ("a.db.sqlite", "is a SQLite database"),
        ("book.xlsx", "is a zip archive or a spreadsheet"),
        ("utf16.csv", "is UTF-16"),
        ("cut.csv.gz", "nothing of this run was imported"),
    ] {
        desk.run(&["import", "new.db", file]).refused(1, &[words]);
        assert!(!desk.has("new.db"), "{file}");
    }
    // Nor does it harm the one there is.
    desk.file("contacts.csv", CONTACTS);
    desk.run(&["import", "old.db", "contacts.csv"]).answer();
    desk.run(&["import", "old.db", "contacts.csv", "notes.txt"]).refused(1, &["notes.txt"]);
    assert_eq!(desk.count("old.db"), 5);
}
