//! Interactions that turn out to have been something else.

use super::Desk;

const CALLS: &str = "\
customer,ts,event_id,event,topic,score
crm:1,2026-01-05,e1,call,delivery,5
crm:1,2026-01-06,e2,call,,
crm:2,2026-01-07,e3,call,billing,2
crm:2,2026-01-08,,call,billing,
";

const TOPICS: &str = "SELECT event_id, topic, score |> ORDER BY event_id";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.file("calls.csv", CALLS);
    desk.run(&["import", "c.db", "calls.csv"]).answer();
    desk
}

#[test]
fn a_file_says_what_interactions_should_have_been() {
    let desk = desk();
    let topics = || desk.run(&["query", "c.db", TOPICS, "--format", "csv"]).answer().out.replace('\r', "");
    let before = topics();
    let file = "\
event_id,customer_id,topic,score,mood
e2,crm:1,billing,4,calm
e1,,,NULL,
e3,,billing,,
e9,,billing,,
e3,crm:1,delivery,,
,,billing,,
e1,,,many,
e1,,,,
e1,crm:1
e1,crm:,x,,
";
    desk.file("topics.csv", file);
    let ran = desk.run(&["amend", "c.db", "topics.csv"]).answer();
    assert_eq!(ran.out, "");
    ran.says(&[
        "read 10 rows: 2 amended, 1 so already, 7 refused",
        "refused 2: an event id that no interaction has, or none of that customer",
        "refused 1: no event id",
        "refused 1: a number that does not parse",
        "refused 1: nothing that is to change",
        "refused 1: wrong number of fields",
        "refused 1: a customer that is not an identity",
        "c.db.rejects.csv",
        "durable as commit 2",
    ]);
    let rejects = desk.read("c.db.rejects.csv");
    for line in [
        "topics.csv,5,\"an event id that no interaction has",
        "topics.csv,6,\"an event id that no interaction has",
        "topics.csv,8,a number that does not parse,score,many",
    ] {
        assert!(rejects.contains(line), "no `{line}` in: {rejects}");
    }
    let amended = topics();
    assert_eq!(amended, "event_id,topic,score\ne1,delivery,\ne2,billing,4.0\ne3,billing,2.0\n,billing,\n");
    assert_ne!(amended, before);
    assert_eq!(desk.rows("c.db", "WHERE mood = 'calm' |> INTERACTIONS").len(), 1);
    // Once more changes nothing; what is left out stays.
    desk.run(&["amend", "c.db", "topics.csv"])
        .answer()
        .says(&["0 amended, 3 so already", "durable as commit 2"]);
    desk.run(&["check", "c.db"]).answer();
    desk.run(&["rebuild", "c.db"]).answer();
    assert_eq!(topics(), amended);
    // One more, as a statement.
    let statement = "AMEND EVENT 'e3' OF CUSTOMER 'crm:2' SET topic = 'refund'";
    let row = desk.row("c.db", statement);
    assert_eq!(row.get("changed").and_then(serde_json::Value::as_bool), Some(true));
    desk.run(&["query", "c.db", statement, "--read-only"]).refused(1, &["read-only"]);
}

#[test]
fn a_file_that_says_nothing_sound_is_refused_whole() {
    let desk = desk();
    for (file, says) in [
        ("topic\nbilling\n", "needs one column `event_id`"),
        ("event_id,customer\ne1,crm:1\n", "has no column of an attribute"),
        ("event_id,ts,topic\ne1,2026-01-01,x\n", "`ts` of an interaction stays what it was"),
        ("event_id,topic,Topic\ne1,x,y\n", "`Topic` is there twice"),
        ("", "is empty"),
    ] {
        desk.file("bad.csv", file);
        desk.run(&["amend", "c.db", "bad.csv"]).refused(1, &[says]);
    }
    desk.run(&["amend", "no.db", "calls.csv"]).refused(1, &["no store"]);
    desk.run(&["amend", "c.db", "none.csv"]).refused(1, &["none.csv"]);
    desk.pipe(&["amend", "c.db", "-"], "event_id;topic\ne1;billing\n").answer().says(&["1 amended"]);
}
