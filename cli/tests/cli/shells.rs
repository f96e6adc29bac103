//! The shell on a pipe.

use super::{COUNT, Desk};

#[track_caller]
fn check(desk: &Desk, arguments: &[&str], input: &str, status: i32, out: &str) -> String {
    let ran = desk.pipe(arguments, input);
    assert_eq!((ran.status, ran.out.as_str()), (status, out), "{}", ran.err);
    ran.err
}

#[test]
fn one_json_array_a_query_and_no_banner() {
    let desk = Desk::with_contacts();
    let err = check(
        &desk,
        &["shell", "contacts.db"],
        &format!(".mode json\n{COUNT};\nWHERE kind = 'call'\n|> {COUNT}; {COUNT};\n-- the end;\nLIMIT 0"),
        0,
        "[{\"n\":5}]\n[{\"n\":2}]\n[{\"n\":5}]\n[]\n",
    );
    assert_eq!(err, "");
}

#[test]
fn it_goes_on_after_an_error_and_says_so_at_the_end() {
    let desk = Desk::with_contacts();
    let input = format!(".mode json\nSELECT nothing;\n.moode csv\n{COUNT};\n.open nowhere.db\n{COUNT};\n");
    let err = check(&desk, &["shell", "contacts.db"], &input, 1, "[{\"n\":5}]\n");
    for words in ["`nothing`", "did you mean `.mode`?", "there is no store in nowhere.db", "no store is open"]
    {
        assert!(err.contains(words), "no `{words}` in {err}");
    }
}

#[test]
fn a_blank_line_or_a_bare_word_ends_nothing_on_a_pipe() {
    let desk = Desk::with_contacts();
    check(
        &desk,
        &["shell", "contacts.db"],
        ".mode csv\nWHERE kind = 'call'\n\n|> AGGREGATE count(*) AS n;",
        0,
        "n\r\n2\r\n",
    );
    let err = check(&desk, &["shell", "contacts.db"], "exit;\n", 1, "");
    assert!(err.contains("`exit`"), "{err}");
}

#[test]
fn dot_commands() {
    let desk = Desk::with_contacts();
    desk.file("more.csv", "customer,ts\ncrm:9,2026-01-09\n");
    desk.file("queries.txt", format!(".mode jsonl\n{COUNT};\n{COUNT}"));
    let input = "\
.open contacts.db
.mode csv
.param set who crm:1
FOR CUSTOMER $who |> AGGREGATE count(*) AS n;
.import more.csv
.read queries.txt
.mode csv
.journey crm:2
.exit
NONSENSE;
";
    let ran = desk.pipe(&["shell"], input);
    let journey =
        ran.out.strip_prefix("n\r\n3\r\n{\"n\":6}\n{\"n\":6}\n").unwrap_or_else(|| panic!("{}", ran.out));
    assert!(
        journey.starts_with("customer,identity,at,")
            && journey.contains("crm:2,crm:2,2026-01-07T12:00:00Z,email,")
    );
    assert_eq!(ran.status, 0, "{}", ran.err);
    ran.says(&["1 added"]);
}

#[test]
fn a_journey_shows_what_differs() {
    let desk = Desk::with_contacts();
    check(
        &desk,
        &["shell", "contacts.db"],
        ".journey crm:1\n",
        0,
        "at                   channel  kind       topic\n\
         ───────────────────  ───────  ─────────  ───────\n\
         2026-01-05 09:00:00  twitter  complaint  billing\n\
         2026-01-06 10:00:00  phone    call       billing\n\
         2026-01-12 18:30:00  web      review     billing\n",
    );
    let err = check(&desk, &["shell", "contacts.db"], ".journey 1\n", 1, "");
    assert!(err.contains("no customer goes by `1`"), "{err}");
}

#[test]
fn info_and_schema_follow_the_mode() {
    let desk = Desk::with_contacts();
    let ran = desk.pipe(&["shell", "contacts.db"], ".mode json\n.info\n.schema\n").answer();
    let mut lines =
        ran.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("is JSON"));
    assert_eq!(lines.next().expect("info")["interactions"], 5);
    assert_eq!(lines.next().expect("schema")[0]["attribute"], "channel");
}

#[test]
fn graphs_are_drawn_in_the_shell() {
    let desk = Desk::with_contacts();
    let ran = desk.pipe(&["shell", "contacts.db"], ".mode dot\nGRAPH BY channel;\n.schema\n").answer();
    assert!(ran.out.starts_with("digraph \"directly follows\" {\n"), "{}", ran.out);
    // What is no answer of a query stays a table.
    assert!(ran.out.contains("attribute"), "{}", ran.out);
    let ran = desk.pipe(&["shell", "contacts.db"], ".mode graphml\nINTERACTIONS;\nGRAPH BY channel;\n");
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("only edges are drawn as a graph"), "{}", ran.err);
    assert!(ran.out.ends_with("</graphml>\n"), "{}", ran.out);
}
