//! Customers who are erased, and the files written anew without them.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{CONTACTS, Desk};

/// The bytes of all files below a folder that hold one of some words.
fn holding(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding(&path, words));
            continue;
        }
        let bytes = fs::read(&path).expect("reads");
        let holds = |word: &&&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        found.extend(words.iter().filter(holds).map(|word| format!("{word} in {}", path.display())));
    }
    found
}

#[test]
fn an_erased_customer_stays_out_until_brought_back() {
    let desk = Desk::with_contacts();
    let erased = desk.row("contacts.db", "ERASE CUSTOMER 'crm:1'");
    assert_eq!(erased, json!({"customer": "crm:1", "identities": 1, "interactions": 3}));
    assert_eq!(desk.count("contacts.db"), 2);
    desk.run(&["query", "contacts.db", "ERASE CUSTOMER 'crm:1'"])
        .answer()
        .says(&["no customer goes by `crm:1`", "nobody was erased"]);
    let import = ["import", "contacts.db", "contacts.csv"];
    desk.run(&import).answer().says(&[
        "read 5 rows: 0 added, 2 there already, 0 refused",
        "left out 3 rows of customers who were erased; --bring-back takes them",
    ]);
    assert_eq!(desk.count("contacts.db"), 2);
    desk.run(&["vacuum", "contacts.db"]).answer().says(&["removed 3 rows from 1 frame"]);
    desk.run(&import).answer().says(&["0 added, 2 there already", "left out 3 rows"]);
    desk.run(&["check", "contacts.db"]).answer();
    desk.run(&["import", "contacts.db", "contacts.csv", "--bring-back"])
        .answer()
        .says(&["3 added, 2 there already", "1 identity that had been erased is known again"]);
    assert_eq!(desk.count("contacts.db"), 5);
    desk.run(&import).answer().says(&["0 added, 5 there already"]);
    desk.run(&["query", "contacts.db", "ERASE CUSTOMER 'crm:1'", "--read-only"]).refused(1, &["read-only"]);
}

#[test]
fn after_a_vacuum_no_file_of_the_store_has_the_erased() {
    let desk = Desk::new();
    desk.file("contacts.csv", format!("{CONTACTS}crm:77-secret,2026-02-01,phone,visit,whispered-topic\n"));
    desk.run(&["import", "contacts.db", "contacts.csv"]).answer();
    let words = ["crm:77-secret", "77-secret", "whispered-topic"];
    assert!(!holding(&desk.path("contacts.db"), &words).is_empty());
    desk.run(&["vacuum", "contacts.db"])
        .answer()
        .says(&["nothing was erased, redacted or dropped that is still in the files"]);
    let before = desk.rows("contacts.db", "INTERACTIONS");
    desk.run(&["query", "contacts.db", "ERASE CUSTOMER 'crm:77-secret'"])
        .answer()
        .says(&["the files do until", "throughline vacuum"]);
    let after = desk.rows("contacts.db", "INTERACTIONS");
    assert_eq!(after, before[..5]);
    desk.run(&["vacuum", "contacts.db"]).answer().says(&["removed 1 row", "wrote 1 file"]);
    assert_eq!(holding(&desk.path("contacts.db"), &words), Vec::<String>::new());
    assert_eq!(desk.rows("contacts.db", "INTERACTIONS"), after);
    desk.run(&["check", "contacts.db"]).answer();
}

#[test]
fn what_is_old_is_dropped_and_stays_out() {
    let desk = Desk::with_contacts();
    let dropped = desk.row("contacts.db", "RETAIN 1 DAY");
    assert_eq!((&dropped["kept"], &dropped["dropped"]), (&json!("1 DAY"), &json!(5)));
    assert_eq!(desk.count("contacts.db"), 0);
    let import = ["import", "contacts.db", "contacts.csv"];
    desk.run(&import).answer().says(&[
        "read 5 rows: 0 added, 0 there already, 0 refused",
        "left out 5 rows from before what is kept; `RETAIN FOREVER` keeps all that comes",
    ]);
    let info = desk.run(&["info", "contacts.db"]).answer().out;
    for words in ["retained      1 day, said", "is kept", "AS OF"] {
        assert!(info.contains(words), "no `{words}` in: {info}");
    }
    desk.run(&["vacuum", "contacts.db"]).answer().says(&["removed 5 rows from 1 frame"]);
    assert_eq!(holding(&desk.path("contacts.db"), &["billing", "delivery"]), Vec::<String>::new());
    desk.run(&["query", "contacts.db", "AS OF '2026-01-10' |> INTERACTIONS"]).refused(1, &["E424"]);
    assert_eq!(desk.row("contacts.db", "RETAIN FOREVER")["kept"], json!("FOREVER"));
    desk.run(&import).answer().says(&["5 added"]);
    desk.run(&["check", "contacts.db"]).answer();
    desk.run(&["query", "contacts.db", "RETAIN 0 DAYS"]).refused(1, &["keep at least one day"]);
}

#[test]
fn after_a_vacuum_no_file_of_the_store_has_what_was_redacted() {
    let desk = Desk::new();
    let calls = "customer,ts,event_id,event,topic,note\ncrm:1,2026-01-05,e1,call,whispered-topic,first-words\n\
                 crm:1,2026-01-06,e2,call,delivery,plain\n";
    desk.file("calls.csv", calls);
    let import = ["import", "c.db", "calls.csv"];
    desk.run(&import).answer();
    desk.row("c.db", "AMEND EVENT 'e1' SET topic = 'guessed-topic', note = 'second-words'");
    let words = ["whispered-topic", "guessed-topic", "first-words", "second-words"];
    assert!(!holding(&desk.path("c.db"), &words).is_empty());
    desk.run(&["query", "c.db", "REDACT EVENT 'e1' topic, note"])
        .answer()
        .says(&["the files do until", "throughline vacuum"]);
    desk.row("c.db", "AMEND EVENT 'e1' SET note = 'third-words'");
    let before = desk.rows("c.db", "INTERACTIONS");
    desk.run(&["vacuum", "c.db"]).answer().says(&["removed 0 rows and 4 values from 2 frames"]);
    assert_eq!(holding(&desk.path("c.db"), &words), Vec::<String>::new());
    assert!(!holding(&desk.path("c.db"), &["third-words"]).is_empty());
    assert_eq!(desk.rows("c.db", "INTERACTIONS"), before);
    desk.run(&import).answer().says(&["0 added, 2 there already"]);
    desk.run(&["vacuum", "c.db"])
        .answer()
        .says(&["nothing was erased, redacted or dropped that is still in the files"]);
    desk.run(&["check", "c.db"]).answer();
}
