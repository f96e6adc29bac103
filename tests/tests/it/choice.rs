//! The index against a scan: PROFILE says what each read, over a store of
//! several units, and the side that was chosen never reads more.

use throughline::engine::{Batch, Identity, ValueRef};
use throughline::{Answer, Params, QueryOptions, Value};
use throughline_tests::store::Store;
use throughline_tests::table::Table;

/// Customers, and interactions of each: enough for three units.
const CUSTOMERS: i64 = 20_000;
const EACH: i64 = 15;

/// Kinds: `early` only in the first eighth of the customers, `spread` in one of a hundred,
/// `common` in nine of ten, `all` in all.
fn store() -> Store {
    let store = Store::new();
    let mut import = store.db().import("choice").expect("begins");
    let schema = import.schema().clone();
    let attr = |name: &str| {
        let of = throughline::engine::Subject::Interaction;
        schema.find(of, name).expect("a core attribute").id
    };
    let (kind, channel) = (attr("kind"), attr("channel"));
    for from in (0..CUSTOMERS).step_by(5_000) {
        let mut batch = Batch::new(&schema);
        for customer in from..from + 5_000 {
            let identity = Identity::parse(&format!("crm:{customer}")).expect("an identity");
            for place in 0..EACH {
                batch.begin(&identity, 1_767_225_600_000 + (place * 97 + customer % 31) * 3_600_000);
                batch.sequence((customer * EACH + place) as u64);
                let value = match place {
                    3 if customer < CUSTOMERS / 8 => "early",
                    5 if customer % 100 == 7 => "spread",
                    7 if customer % 10 > 0 => "common",
                    _ => "all",
                };
                batch.set(kind, ValueRef::Str(value)).expect("fits");
                batch
                    .set(channel, ValueRef::Str(["web", "phone", "mail"][(place % 3) as usize]))
                    .expect("fits");
            }
        }
        import.push(batch).expect("is taken");
    }
    import.commit().expect("commits");
    store
}

fn ask(store: &Store, query: &str) -> Answer {
    let options = QueryOptions { threads: Some(1), ..QueryOptions::default() };
    store
        .db()
        .query_options(query, &Params::new(), &options)
        .unwrap_or_else(|error| panic!("{query}\n{error}"))
}

fn number(answer: &Answer, column: &str) -> i64 {
    match answer.get(0, column) {
        Some(Value::Int(number)) => *number,
        other => panic!("{column}: {other:?}"),
    }
}

#[test]
fn the_chosen_side_reads_no_more_than_the_other() {
    let store = store();
    let units = ask(&store, "PROFILE INTERACTIONS |> AGGREGATE count(*)");
    assert!(number(&units, "units_read") >= 3, "{units:?}");
    // Who there is, and who has what, is known without reading.
    for who in
        ["INTERACTIONS |> CUSTOMERS", "FOR HAS (kind = 'spread') |> AGGREGATE count(DISTINCT customer)"]
    {
        let unread = ask(&store, &format!("PROFILE {who}"));
        assert_eq!(number(&unread, "units_read"), 0, "{unread:?}");
    }
    let ends = ["CHAINS GAP 300d MIN 1", "FUNNEL (:all) -> (:all) |> REACHED 2"];
    // The kind, and whether the index is chosen.
    for (kind, by_index) in [("early", true), ("spread", true), ("common", true), ("all", false)] {
        for end in ends {
            let plain = format!("FOR HAS (kind = '{kind}') |> {end}");
            // The index does not follow this.
            let hidden = format!("FOR HAS (lower(kind) = '{kind}') |> {end}");
            let (index, scan) =
                (ask(&store, &format!("PROFILE {plain}")), ask(&store, &format!("PROFILE {hidden}")));
            assert_eq!(Table::of(&ask(&store, &plain)), Table::of(&ask(&store, &hidden)), "{plain}");
            let detail = format!("{:?}", index.get(0, "detail"));
            assert_eq!(detail.contains("index: only"), by_index, "{plain}\n{detail}");
            assert!(number(&index, "interactions") <= number(&scan, "interactions"), "{plain}");
            assert!(number(&index, "units_skipped") > 0 || kind != "early", "{plain}\n{detail}");
            assert_eq!(number(&scan, "units_skipped"), 0, "{hidden}");
            // From above: whoever is looked at was estimated.
            assert!(number(&index, "estimated") <= number(&index, "customers").max(CUSTOMERS), "{plain}");
            if by_index {
                assert_eq!(number(&index, "customers"), number(&index, "estimated"), "{plain}");
            }
            if std::env::var_os("SHOW_PROFILE").is_some() {
                eprintln!("{plain}\n{}{hidden}\n{}", Table::of(&index).to_csv(), Table::of(&scan).to_csv());
            }
        }
    }
}
