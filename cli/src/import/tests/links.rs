//! Rows of several identities, and files of links.

use std::collections::BTreeMap;

use super::*;

/// Each customer by the identity it is shown by, with how many interactions.
fn customers(db: &Db) -> BTreeMap<String, usize> {
    let snapshot = db.snapshot();
    let mut out = BTreeMap::new();
    for unit in 0..snapshot.units().len() {
        let block = snapshot.read(unit, &[]).expect("reads");
        for (place, &customer) in block.customers.iter().enumerate() {
            let name = snapshot.customer_name(customer).expect("has a name");
            *out.entry(name).or_default() += block.journey(place).len();
        }
    }
    out
}

/// All that was said, in words.
fn said(db: &Db) -> Vec<String> {
    let snapshot = db.snapshot();
    let mut out = Vec::new();
    for part in snapshot.said() {
        for saying in part.expect("reads") {
            let name = |of| snapshot.identity_name(of).expect("has a name");
            let (one, other) = (name(saying.one), name(saying.other));
            out.push(format!("{one} {other} {:?} {:?} {}", saying.said, saying.confidence, saying.source));
        }
    }
    out
}

#[test]
fn rows_of_several_identities_are_taken_by_columns_as_one_by_one() {
    let long = "9".repeat(2_000);
    let phones: StringArray = (0..70_000_i64)
        .map(|row| match row % 103 {
            0..40 => None,
            40 => Some(" ".to_owned()),
            41 => Some("N/A".to_owned()),
            42 if row % 5 == 0 => Some(long.clone()),
            43 => Some("anonymous".to_owned()),
            _ => Some(format!(" +44{} ", row % 1_500)),
        })
        .collect();
    let accounts: Int64Array = (0..70_000_i64).map(|row| (row % 11 > 5).then_some(row % 900)).collect();
    let bytes = odd_rows(vec![("phone", Arc::new(phones)), ("nr", Arc::new(accounts))]);
    let map =
        "[columns]\nphone = { identity = \"phone\" }\nNr = { identity = \"account\", attribute = \"nr\" }\n";
    let told = ["", "[constants]\nbrand = \"b\"\n"].map(|constants| {
        let bench = Bench::new();
        let summary = bench.import(&format!("{map}{constants}"), "a.parquet", &bytes).expect("imports");
        let rejects = files::read_text(&bench.folder.path().join("rejects.csv")).expect("is there");
        let rejects = rejects.replace(&bench.folder.path().display().to_string(), "");
        assert_eq!(bench.db.check().expect("checks").problems, Vec::<String>::new());
        let (db, refused) = (&bench.db, summary.refused.clone());
        (
            counts(&summary),
            summary.report.pairs,
            refused,
            rejects,
            customers(db),
            said(db),
            bench.values("nr"),
        )
    });
    assert!(told[0].1 > 3_000 && told[0].0.2 > 100, "{:?} {}", told[0].0, told[0].1);
    // Some have no customer number and come under what else they carry.
    assert!(told[0].4.keys().any(|name| name.starts_with("phone:")));
    assert!(told[0] == told[1]);
}

#[test]
fn a_row_comes_under_the_most_trusted_of_its_identities() {
    let map = "[columns]\nPhone = { identity = \"phone\" }\nmail = { identity = \"email\", attribute = \"mail\" }\n\
        [customers]\nmail = { identity = \"email\" }\n";
    let text = "customer,ts,Phone,mail\n\
        crm:1,2026-01-01,0123,ann@shop.example\n\
        ,2026-01-02,0123,\n\
        unknown,2026-01-03,,\n\
        ,2026-01-04,,BOB@shop.example\n\
        crm:2,2026-01-05,N/A,-\n\
        crm:,2026-01-05,0123,\n";
    let bench = Bench::new();
    let mut plan = bench.plan(map, vec![bench.file("a.csv", text.as_bytes())]);
    plan.customers = Some(bench.file(
        "c.csv",
        b"customer,ts,mail,plan\ncrm:2,2026-01-01,BOB@shop.example,gold\n,2026-01-01,,gold\n",
    ));
    let summary = import(&bench.db, &plan).expect("imports");
    assert_eq!((summary.report.added, summary.report.pairs), (6, 4));
    let refused: BTreeMap<&str, u64> = summary.refused.iter().copied().collect();
    assert_eq!(refused, [("a customer that is not an identity", 1), ("no customer", 1)].into());
    let expected = [("crm:1", 2), ("crm:2", 2), ("id:unknown", 1)];
    assert_eq!(customers(&bench.db), expected.map(|(name, rows)| (name.to_owned(), rows)).into());
    assert_eq!(bench.values("mail").iter().filter(|value| !value.is_empty()).count(), 3);
    assert!(summary.written().contains("rows carried 4 pairs of identities"), "{}", summary.written());
    let again = import(&bench.db, &plan).expect("imports");
    assert_eq!((again.report.added, again.report.pairs, again.report.commit), (0, 0, summary.report.commit));
}

#[test]
fn columns_that_look_like_identities_are_mentioned() {
    let bench = Bench::new();
    let text = b"customer,ts,E-mail,Phone number\n1,2026-01-01,ann@shop.example,0123\n";
    let summary = bench.import("", "a.csv", text).expect("imports");
    let note = "\"Phone number\" = { identity = \"phone\" }";
    assert!(summary.tally.notes.iter().any(|said| said.ends_with(note)), "{:?}", summary.tally.notes);
    assert_eq!((bench.ty("Phone number"), summary.report.pairs), (Some(AttrType::Id), 0));
}

#[test]
fn maps_of_links_with_a_slip_are_refused() {
    let many: String = (0..20).map(|n| format!("c{n} = {{ identity = \"device\" }}\n")).collect();
    for (map, words) in [
        ("[columns]\na = { identity = \"Phone\" }", "`Phone` is not a namespace"),
        ("[columns]\na = { attribute = \"customer\", identity = \"crm\" }", "its namespace is `namespace`"),
        ("[links]\na = \"on\"", "did you mean `one`?"),
        ("[links]\na = { atribute = \"one\" }", "did you mean `attribute`?"),
        ("[links]\na = { namespace = \"crm\" }", "only `one` and `other` have a namespace"),
        ("[links]\na = { attribute = \"one\", namespace = \"C\" }", "`C` is not a namespace"),
        ("[links]\na = {}", "must say what it is"),
        ("[links]\na = 3", "in quotes, or a table"),
        ("[links]\na = \"said\"", "its map has exact = true"),
        ("links_source = 3", "must be a text"),
    ] {
        let message = Mapping::parse(map).map(|_| ()).expect_err(map).to_string();
        assert!(message.contains(words), "{message}");
    }
    let bench = Bench::new();
    let header = (0..20).map(|n| format!(",c{n}")).collect::<String>();
    let text = format!("customer,ts{header}\n");
    let message =
        bench.import(&format!("[columns]\n{many}"), "a.csv", text.as_bytes()).expect_err("is refused");
    assert!(message.to_string().contains("a row carries 16 at most"), "{message}");
}
