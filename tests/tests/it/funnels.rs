//! What takes more customers, or more than one query, to show of FUNNEL.

use throughline_tests::reference::Event;
use throughline_tests::store::Store;
use throughline_tests::table::Table;

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000;

fn event(customer: usize, at: i64, kind: &str, channel: &str) -> Event {
    Event::new(&format!("id:{customer}"), START + at, at as u64).with("kind", kind).with("channel", channel)
}

fn csv(store: &Store, query: &str) -> String {
    let answer = store.db().query(query).unwrap_or_else(|error| panic!("{query}\n{error}"));
    Table::of(&answer).to_csv()
}

/// 40 customers who went from a to b and 40 who did not. Of the first 10 asked
/// for help by chat on the way, of the others 30 in the day that they had; ten
/// more asked after it, five did something rare. All who got to b went on to the
/// app, within their day: it follows from b, and goes with nothing.
fn helped() -> Vec<Event> {
    let mut events = Vec::new();
    for customer in 0..80 {
        events.push(event(customer, 0, "a", "web"));
        if customer < 40 {
            events.push(event(customer, 60 * MINUTE, "b", "web"));
            events.push(event(customer, 90 * MINUTE, "use", "app"));
        }
        if customer < 10 || (40..70).contains(&customer) {
            events.push(event(customer, 30 * MINUTE, "help", "chat"));
            events.push(event(customer, 31 * MINUTE, "help", "chat"));
        }
        if customer >= 70 {
            events.push(event(customer, 2 * DAY, "help", "chat"));
        }
        if customer >= 75 {
            events.push(event(customer, 10 * MINUTE, "rare", "web"));
        }
    }
    events.push(event(80, 3 * DAY, "a", "web"));
    events
}

#[test]
fn what_goes_with_dropping() {
    let store = Store::of(&helped());
    let correlates = "FUNNEL (:a) -> (:b) WITHIN 1d |> CORRELATES";
    // phi = (30 * 30 - 10 * 10) / sqrt(40 * 40 * 40 * 40), odds ratio = 30 * 30 / (10 * 10).
    assert_eq!(
        csv(&store, correlates),
        "attribute,value,converted_with,converted_without,dropped_with,dropped_without,phi,odds_ratio\n\
         channel,chat,10,30,30,10,0.5,9\n\
         kind,help,10,30,30,10,0.5,9\n"
    );
    let answer = store.db().query(correlates).expect("an answer");
    let notes = answer.notes().join("\n");
    // The rare one, and the web it came by.
    assert!(notes.contains("2 values of fewer than 30 customers are not shown"), "{notes}");
    assert!(notes.contains("1 of the attempts are left out: too early to tell"), "{notes}");
    let behind = format!("{correlates} |> WHERE attribute = 'kind' |> CUSTOMERS |> AGGREGATE count(*) AS n");
    assert_eq!(csv(&store, &behind), "n\n40\n");
}

/// A count and the list behind it are one (rule 11), whatever is counted.
#[test]
fn a_count_is_its_list() {
    let mut events = helped();
    for customer in 0..20 {
        events.push(event(customer, 4 * DAY, "a", "phone"));
        events.push(event(customer, 4 * DAY + customer as i64 * MINUTE, "b", "phone"));
    }
    let store = Store::of(&events);
    for options in [
        "COUNT ATTEMPTS",
        "COUNT ATTEMPTS WITHIN 1d",
        "COUNT SESSIONS",
        "HOLD channel",
        "HOLD channel COUNT ATTEMPTS",
        "STRICT",
        "ANCHOR FIRST BY channel",
        "BY channel AT LAST TREND BY day",
        "BY channel AT ALL WITHIN 1d",
        "SIMULTANEOUS 1h",
    ] {
        for steps in ["(:a) -> (:b)", "(:a) -> (:help)? -> (:b)", "(:a) -> NOT (:help) WITHIN 1h -> (:b)"] {
            let funnel = format!("SESSIONS GAP 1d |> FUNNEL {steps} {options}");
            let rows = steps.matches("->").count() + 1;
            for row in 1..=rows {
                let counted = format!(
                    "{funnel} |> WHERE step = {row} \
                     |> AGGREGATE sum(reached) AS n, sum(silent + elsewhere) AS gone, sum(open) AS open"
                );
                let counts = csv(&store, &counted);
                let counts: Vec<&str> = counts.lines().nth(1).unwrap_or_default().split(',').collect();
                let list = |operator: String| {
                    let query = format!("{funnel} |> {operator} |> AGGREGATE count(*) AS n");
                    csv(&store, &query).lines().nth(1).unwrap_or_default().to_owned()
                };
                assert_eq!(list(format!("REACHED {row}")), counts[0], "{funnel}, step {row}");
                let optional = steps.contains('?') && row == 2;
                if row < rows && !optional {
                    assert_eq!(list(format!("DROPPED AT {row}")), counts[1], "{funnel}, step {row}");
                    assert_eq!(list(format!("DROPPED AT {row} OPEN")), counts[2], "{funnel}, step {row}");
                }
            }
            let customers = |query: &str| csv(&store, &format!("{query} |> CUSTOMERS"));
            let of_row = customers(&format!("{funnel} |> WHERE step = 1"));
            assert_eq!(customers(&format!("{funnel} |> REACHED 1")), of_row, "{funnel}");
        }
    }
}

#[test]
fn explain_says_what_is_counted_and_how() {
    let store = Store::of(&helped());
    let check = |query: &str, words: &[&str]| {
        let plan = csv(&store, &format!("EXPLAIN {query}"));
        for word in words {
            assert!(plan.contains(word), "`{word}` is missing:\n{plan}");
        }
    };
    check(
        "FUNNEL (:a) -> (:b)",
        &["a -> b; the best attempt of each customer", "one pass with the latest start"],
    );
    check("FUNNEL (:a) -[<= 1d]-> (:b)", &["a window of latest starts"]);
    check("FUNNEL ANY ORDER (:a), (:b)", &["a, b in any order"]);
    check("FUNNEL (:a) -> (:b) COUNT ATTEMPTS", &["each entry"]);
    check("SESSIONS GAP 1d |> FUNNEL (:a) -> (:b) COUNT SESSIONS", &["each session"]);
    check("FUNNEL (:a) -> (:b) HOLD channel", &["SPLIT BY", "each customer and value"]);
    check("FUNNEL (:a) -> (:b) BY channel AT LAST TREND BY week", &["by channel, week at the last step"]);
    check("FUNNEL (:a) -> (:b) BY channel AT ALL", &["each value matched alone"]);
    check("FUNNEL (:a) -> NOT (:b) WITHIN 1d", &["a -> no b"]);
    check("FUNNEL (:a) -> (:b) |> CORRELATES", &["FUNNEL, CORRELATES"]);
}
