//! `import --links`, columns that are identities, and histories generated with them.

use serde_json::{Value, json};

use super::Desk;

const CALLS: &str = "\
customer,ts,event
crm:1,2026-01-05T09:00,call
phone:+44201,2026-01-06T10:00,call
twitter:@ann,2026-01-07T11:00,call
crm:2,2026-01-07T12:00,call
";

fn shown(desk: &Desk, store: &str) -> Value {
    Value::Array(desk.rows(store, "AGGREGATE count(*) AS n GROUP BY customer |> ORDER BY customer"))
}

fn with_calls() -> Desk {
    let desk = Desk::new();
    desk.file("calls.csv", CALLS);
    desk.run(&["import", "c.db", "calls.csv"]).answer();
    desk
}

#[test]
fn links_make_one_customer_of_several_names() {
    let desk = with_calls();
    desk.file(
        "links.csv",
        "one,other,confidence,source,why\ncrm:1,phone:+44201,0.9,matching,same name\ncrm:1,twitter:@ann,,,\n",
    );
    let import = ["import", "c.db", "--links", "links.csv"];
    desk.run(&import).answer().says(&[
        "column `why` says nothing of links and is left out",
        "read 2 links: 2 added, 0 left out because they were recorded before, 0 refused",
        "durable as commit 2",
    ]);
    let expected = json!([{"customer": "crm:1", "n": 3}, {"customer": "crm:2", "n": 1}]);
    assert_eq!(shown(&desk, "c.db"), expected);
    desk.run(&import).answer().says(&["0 added, 2 left out because they were recorded before", "commit 2"]);
    desk.run(&["rebuild", "c.db"]).answer();
    desk.run(&["check", "c.db"]).answer();
    assert_eq!(shown(&desk, "c.db"), expected);
    // With the interactions in one commit, in whatever format, it comes to the same.
    desk.file(
        "links.jsonl",
        "{\"a\":\"crm:1\",\"b\":\"phone:+44201\",\"confidence\":0.9}\n\n{\"b\":\"twitter:@ann\",\"a\":\"crm:1\"}\n",
    );
    desk.run(&["import", "one.db", "calls.csv", "--links", "links.jsonl"]).answer().says(&[
        "read 4 rows: 4 added, 0 there already, 0 refused",
        "read 2 links: 2 added",
        "durable as commit 1: the store holds 4 interactions of 2 customers",
    ]);
    assert_eq!(shown(&desk, "one.db"), expected);
}

#[test]
fn links_that_cannot_be_taken_are_written_down() {
    let desk = with_calls();
    desk.file(
        "links.csv",
        "one,other,confidence\n\
         crm:1,phone:+44201,1\n\
         crm:1,,1\n\
         n/a,crm:1,1\n\
         crm:,crm:1,1\n\
         crm:1, crm:1 ,1\n\
         crm:1,crm:2,0\n\
         crm:1,crm:2,90\n\
         crm:1,crm:2,sure\n\
         crm:1,crm:2\n",
    );
    desk.run(&["import", "c.db", "--links", "links.csv"]).answer().says(&[
        "read 9 links: 1 added, 0 left out because they were recorded before, 8 refused",
        "refused 2: a link without an identity",
        "refused 1: a link of what is not an identity",
        "refused 1: a link of the same identity twice",
        "refused 3: a confidence that is not more than 0 and at most 1",
        "refused 1: wrong number of fields",
    ]);
    let rejects = desk.read("c.db.rejects.csv");
    assert!(
        rejects.contains("links.csv,8,a confidence that is not more than 0 and at most 1,confidence,90,"),
        "{rejects}"
    );
    let strict = ["import", "c.db", "--links", "links.csv", "--strict"];
    desk.run(&strict).refused(1, &["links.csv, line 3: a link without an identity in `other`"]);
    desk.file("links.csv", "who,whom\ncrm:1,crm:2\n");
    desk.run(&["import", "c.db", "--links", "links.csv"])
        .refused(1, &["no columns for two identities", "\"who\" = { attribute", "\"whom\" = \"other\""]);
    desk.file("links.csv", "one,other,said\ncrm:1,crm:2,cut\n");
    desk.run(&["import", "c.db", "--links", "links.csv"])
        .refused(1, &["a column `said`, as exports have", "--map"]);
    desk.run(&["import", "c.db"]).refused(2, &["FILE"]);
}

#[test]
fn a_map_says_which_columns_are_identities() {
    let desk = Desk::new();
    desk.file(
        "calls.csv",
        "Member;When;Number;event\n1;2026-01-05;+44201;call\n;2026-01-06;+44201;call\n;2026-01-07;;call\n",
    );
    desk.file("links.csv", "Handle;Member;Sure\n@ann;1;0,5\n@ann;1;0.5\n");
    desk.file(
        "map.toml",
        r#"
delimiter = ";"
links_source = "matching"
[columns]
Member = { attribute = "customer", namespace = "crm" }
When = "ts"
Number = { identity = "phone" }
[links]
Member = { attribute = "other", namespace = "crm" }
Handle = { attribute = "one", namespace = "twitter" }
Sure = "confidence"
[guards]
limits = { crm = 1, twitter = 1 }
"#,
    );
    let import = ["import", "m.db", "calls.csv", "--links", "links.csv", "--map", "map.toml"];
    desk.run(&import).answer().says(&[
        "read 3 rows: 2 added, 0 there already, 1 refused",
        "refused 1: no customer",
        "rows carried 1 pair of identities that none did before",
        "the rules for joining identities are those of the map from now on",
        "read 2 links: 1 added, 0 left out because they were recorded before, 1 refused",
    ]);
    assert_eq!(shown(&desk, "m.db"), json!([{"customer": "crm:1", "n": 2}]));
    let again = desk.run(&import).answer();
    again.says(&["0 added, 2 there already", "read 2 links: 0 added, 1 left out", "durable as commit 1"]);
    assert!(!again.err.contains("rules for joining"), "{}", again.err);
    desk.file("map.toml", "[links]\nMembr = \"one\"\n");
    desk.run(&["import", "m.db", "--links", "links.csv", "--map", "map.toml"])
        .refused(1, &["no columns for two identities"]);
}

#[test]
fn an_export_has_all_that_was_said() {
    let desk = with_calls();
    // What UNLINK says comes in with an export alone.
    desk.file(
        "said.csv",
        "one,other,said,confidence,source\n\
         crm:1,phone:+44201,link,0.9,matching\n\
         phone:+44201,crm:1,cut,,\n\
         crm:1,twitter:@ann,row,,\n\
         crm:2,twitter:@ann,link,0.75,ann\n\
         crm:2,phone:+44201,link,0.25,ann\n\
         crm:2,phone:+44201,cut,,bob\n\
         crm:2,phone:+44201,link,0.25,ann\n",
    );
    desk.file("said.toml", "exact = true\n[guards]\nother_limit = 1\npriority = [\"crm\", \"twitter\"]\n");
    let import = ["import", "c.db", "--links", "said.csv", "--map", "said.toml"];
    desk.run(&import).answer().says(&["read 7 links: 7 added", "rules for joining"]);
    desk.run(&import).answer().says(&["0 added, 7 left out", "durable as commit 2"]);
    let expected = json!([{"customer": "crm:1", "n": 1}, {"customer": "crm:2", "n": 3}]);
    assert_eq!(shown(&desk, "c.db"), expected);
    let said = desk.run(&["export", "c.db", "out"]).answer();
    said.says(&["7 sayings about identities", "--links out/links.parquet"]);
    let command = said.err.lines().find_map(|line| line.trim().strip_prefix("throughline "));
    let command: Vec<&str> = command.expect("says how").split(' ').collect();
    for known in [0, 7] {
        desk.run(&command).answer().says(&[&format!("{} added, {known} left out", 7 - known)]);
        assert_eq!(shown(&desk, "NEW.db"), expected);
    }
    let back: Vec<&str> = command.iter().map(|word| if *word == "NEW.db" { "c.db" } else { word }).collect();
    desk.run(&back).answer().says(&[": 0 added, 4 there already", "0 added, 7 left out", "commit 2"]);
    desk.run(&["check", "NEW.db"]).answer();
    desk.run(&["export", "NEW.db", "again"]).answer();
    assert_eq!(desk.read("again/map.toml"), desk.read("out/map.toml"));
    // Without the map it would join what was taken apart.
    desk.run(&["import", "x.db", "--links", "out/links.parquet"]).refused(1, &["a column `said`"]);
    assert!(!desk.has("x.db"));
}

#[test]
fn generated_customers_go_by_several_names() {
    let desk = Desk::new();
    desk.file(
        "map.toml",
        "[columns]\nphone = { identity = \"phone\" }\nemail = { identity = \"email\" }\ndevice = { identity = \"device\" }\n",
    );
    let generate = |name: &str, share: &str| {
        let ran = desk.run(&["generate", name, "--customers", "300", "--seed", "7", "--linked", share]);
        let ran = ran.answer();
        std::fs::read(desk.path(name)).map(|bytes| (bytes, ran)).expect("reads")
    };
    let mut answers = Vec::new();
    for extension in ["csv", "jsonl", "parquet"] {
        let name = format!("a.{extension}");
        let (bytes, ran) = generate(&name, "0.5");
        ran.says(&["phone = { identity = \"phone\" }"]);
        assert!(bytes == generate(&format!("b.{extension}"), "0.5").0, "{extension}: the same seed");
        let store = format!("{extension}.db");
        let ran = desk.run(&["import", &store, &name, "--map", "map.toml", "--strict"]).answer();
        assert!(ran.err.contains("pairs of identities that none did before"), "{}", ran.err);
        answers.push(shown(&desk, &store));
    }
    // Most come together again, shown by the number; some names were never seen beside it.
    let rows = answers[0].as_array().expect("rows");
    let numbers =
        rows.iter().filter(|row| row["customer"].as_str().is_some_and(|name| name.starts_with("crm:")));
    assert!(rows.len() < 450 && numbers.count() > 280, "{} rows", rows.len());
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    // Nobody linked is as it was.
    let plain = desk.run(&["generate", "plain.csv", "--customers", "300", "--seed", "7"]).answer();
    assert!(!plain.err.contains("identity"));
    assert_eq!(desk.read("plain.csv").into_bytes(), generate("zero.csv", "0").0);
    desk.run(&["generate", "x.csv", "--customers", "1", "--seed", "1", "--linked", "2"])
        .refused(2, &["a share is a number from 0 to 1"]);
}
