//! The conformance cases of the language for the operators that are built, and
//! the error for each that is not.

use throughline_tests::reference::{Event, Val};
use throughline_tests::store::Store;
use throughline_tests::table::Table;

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000;

/// One customer's interactions: (minutes from the start, kind).
fn kinds(customer: &str, events: &[(i64, &str)]) -> Vec<Event> {
    events
        .iter()
        .enumerate()
        .map(|(place, &(minute, kind))| {
            Event::new(customer, START + minute * MINUTE, place as u64).with("kind", kind)
        })
        .collect()
}

/// A letter a minute.
fn letters(customer: &str, text: &str) -> Vec<Event> {
    let letters: Vec<String> = text.chars().map(String::from).collect();
    let events: Vec<(i64, &str)> =
        letters.iter().enumerate().map(|(place, kind)| (place as i64, kind.as_str())).collect();
    kinds(customer, &events)
}

/// Contacts of one customer: (days from the start, topic).
fn topics(days: &[(f64, &str)]) -> Vec<Event> {
    days.iter()
        .enumerate()
        .map(|(place, &(day, topic))| {
            Event::new("id:1", START + (day * DAY as f64).round() as i64, place as u64)
                .with("kind", "call")
                .with("topic", topic)
        })
        .collect()
}

fn billing(days: &[f64]) -> Vec<Event> {
    topics(&days.iter().map(|&day| (day, "billing")).collect::<Vec<_>>())
}

/// Asks before and after the data is sealed into the graph.
fn check(events: &[Event], query: &str, expected: &str) {
    let mut store = Store::of(events);
    for sealed in [false, true] {
        if sealed {
            store.db().seal().expect("seals");
            store.reopen();
        }
        let answer = store.db().query(query).unwrap_or_else(|error| panic!("{query}\n{error}"));
        let expected: String = expected.split_whitespace().map(|line| format!("{line}\n")).collect();
        assert_eq!(Table::of(&answer).to_csv(), expected, "{query}, sealed: {sealed}");
    }
}

/// The depth that one customer reaches in a funnel.
fn check_depth(events: &[Event], funnel: &str, expected: usize) {
    let query = format!("{funnel} |> REACHED 1 |> SELECT depth");
    check(events, &query, &format!("depth {expected}"));
}

#[test]
fn a_funnel_starts_again_within_its_window() {
    let visits = kinds("id:1", &[(780, "A"), (810, "A"), (825, "B"), (855, "C")]);
    check_depth(&visits, "FUNNEL (:A) -> (:B) -> (:C) WITHIN 1h", 3);
}

/// Entries and conversions of a funnel of one customer.
fn check_entries(events: &[Event], funnel: &str, entries: usize, converted: usize) {
    let last = funnel.matches("->").count() + 1;
    let query = format!("{funnel} |> WHERE step = 1 OR step = {last} |> SELECT reached");
    check(events, &query, &format!("reached {entries} {converted}"));
}

#[test]
fn an_entry_has_several_possible_starts() {
    let visits = kinds("id:1", &[(780, "A"), (810, "A"), (825, "B"), (855, "C")]);
    let funnel = "FUNNEL (:A) -> (:B) -> (:C) WITHIN 1h";
    check_depth(&visits, &format!("{funnel} ANCHOR FIRST"), 2);
    check_entries(&visits, &format!("{funnel} COUNT ATTEMPTS"), 1, 1);
    check_entries(&visits, &format!("{funnel} COUNT ATTEMPTS ANCHOR FIRST"), 1, 0);
    check_entries(&letters("id:1", "SSSST"), "FUNNEL (:S) -> (:T) COUNT ATTEMPTS", 1, 1);
    check_entries(&letters("id:1", "AAAB"), "FUNNEL (:A) -[NO (:A)]-> (:B) COUNT ATTEMPTS", 3, 1);
}

#[test]
fn strict_allows_nothing_between_steps() {
    for (text, depth) in
        [("ABC", 3), ("ADBC", 1), ("AABBCC", 2), ("AAAABBCC", 2), ("AABBDCC", 2), ("BBCCAA", 1)]
    {
        check_depth(&letters("id:1", text), "FUNNEL STRICT (:A) -> (:B) -> (:C)", depth);
        check_depth(&letters("id:1", text), "FUNNEL (:A) -[NEXT]-> (:B) -[NEXT]-> (:C)", depth);
    }
}

#[test]
fn absence_at_the_end_of_the_data_is_open() {
    let events = |edge: i64| [kinds("id:1", &[(0, "A")]), kinds("id:2", &[(edge, "X")])].concat();
    let funnel = "FUNNEL (:A) -> NOT (:B) WITHIN 1h |> SELECT reached, moved_on, silent, elsewhere, open";
    let columns = "reached,moved_on,silent,elsewhere,open";
    check(&events(30), funnel, &format!("{columns} 1,0,0,0,1 0,0,0,0,0"));
    check(&events(60), funnel, &format!("{columns} 1,0,0,0,1 0,0,0,0,0"));
    check(&events(61), funnel, &format!("{columns} 1,1,0,0,0 1,1,0,0,0"));
}

#[test]
fn other_interactions_may_lie_between_steps() {
    for (text, depth) in
        [("ABC", 3), ("ADBC", 3), ("AABBCC", 3), ("AAAABBCC", 3), ("AABBDCC", 3), ("BBCCAA", 1)]
    {
        check_depth(&letters("id:1", text), "FUNNEL (:A) -> (:B) -> (:C)", depth);
    }
}

#[test]
fn many_customers_at_once() {
    let mut events = Vec::new();
    for (number, text) in ["ABC", "ADBC", "AABBCC", "AAAABBCC", "AABBDCC", "BBCCAA"].iter().enumerate() {
        events.extend(letters(&format!("id:{number}"), text));
    }
    check(
        &events,
        "FUNNEL (:A) -> (:B) -> (:C) |> SELECT step, reached, moved_on, silent, elsewhere, open",
        "step,reached,moved_on,silent,elsewhere,open 1,6,5,1,0,0 2,5,5,0,0,0 3,5,5,0,0,0",
    );
}

#[test]
fn equal_instants_are_ordered_by_sequence() {
    check_depth(&kinds("id:1", &[(0, "A"), (0, "B")]), "FUNNEL (:A) -> (:B)", 2);
    check_depth(&kinds("id:1", &[(0, "B"), (0, "A")]), "FUNNEL (:A) -> (:B)", 1);
    for order in [["A", "B"], ["B", "A"]] {
        let events = kinds("id:1", &[(0, order[0]), (0, order[1])]);
        check_depth(&events, "FUNNEL (:A) -> (:B) SIMULTANEOUS 1s", 2);
    }
}

#[test]
fn steps_may_come_again() {
    check_depth(&letters("id:1", "ABAC"), "FUNNEL (:A) -> (:B) -> (:C)", 3);
}

#[test]
fn windows_are_inclusive() {
    let visits = kinds("id:1", &[(0, "A"), (60, "B")]);
    check_depth(&visits, "FUNNEL (:A) -> (:B) WITHIN 1h", 2);
    check_depth(&visits, "FUNNEL (:A) -> (:B) WITHIN 3599999ms", 1);
    check_depth(&visits, "FUNNEL (:A) -[>= 1h]-> (:B)", 2);
    check_depth(&visits, "FUNNEL (:A) -[>= 3600001ms]-> (:B)", 1);
}

/// Matches of `pattern` in letters a minute apart: the minutes at which each started and ended.
fn check_matches(text: &str, pattern: &str, expected: &[(i64, i64)]) {
    let query = format!("MATCH {pattern} |> SELECT started, ended");
    let at = |minute: i64| format!("2026-01-01T00:{minute:02}:00Z");
    let rows: Vec<String> = expected.iter().map(|&(from, to)| format!("{},{}", at(from), at(to))).collect();
    check(&letters("id:1", text), &query, &format!("started,ended {}", rows.join(" ")));
}

#[test]
fn what_must_not_lie_between_constrains_a_match() {
    check_matches("AXAD", "(a:A) -[NO (:X)]-> (d:D)", &[(2, 3)]);
    check_matches("ABXBC", "(:A) -> (:B) -[NO (:X)]-> (:C)", &[(0, 4)]);
    check(
        &letters("id:1", "ABXBC"),
        "MATCH (:A) -> (b:B) -[NO (:X)]-> (:C) |> SELECT b.at",
        "b.at 2026-01-01T00:03:00Z",
    );
}

#[test]
fn an_absence_is_claimed_only_when_its_deadline_is_over() {
    let mut events = kinds("id:1", &[(0, "A")]);
    let query = "MATCH (a:A) -> NOT (:B) WITHIN 1h";
    for (edge, matches, open) in [(30, 0, true), (60, 0, true), (61, 1, false)] {
        events.truncate(1);
        events.extend(kinds("id:2", &[(edge, "X")]));
        let store = Store::of(&events);
        let answer = store.db().query(query).unwrap_or_else(|error| panic!("{query}\n{error}"));
        assert_eq!(answer.rows().len(), matches, "the data ends after {edge} minutes");
        let noted = answer.notes().iter().any(|note| note.contains("1 match is not claimed"));
        assert_eq!(noted, open, "{:?}", answer.notes());
    }
}

#[test]
fn matches_that_share_an_interaction() {
    let scores = |which: &str| {
        let events: Vec<Event> = [5, 3, 1]
            .iter()
            .enumerate()
            .map(|(place, &score)| {
                let event = Event::new("id:1", START + place as i64 * MINUTE, place as u64);
                event.with("kind", "survey").with("score", Val::Int(score))
            })
            .collect();
        let query =
            format!("MATCH (a) -[NEXT]-> (b WHERE b.score < a.score) {which} |> SELECT a.score, b.score");
        (events, query)
    };
    let (events, query) = scores("ALL");
    check(&events, &query, "a.score,b.score 5,3");
    let (events, query) = scores("EACH");
    check(&events, &query, "a.score,b.score 5,3 3,1");
}

#[test]
fn a_match_at_one_instant() {
    let (first, last) = (kinds("id:1", &[(0, "A"), (0, "B")]), kinds("id:1", &[(0, "B"), (0, "A")]));
    let count = |events: &[Event], options: &str, expected: &str| {
        let query = format!("MATCH (:A) -> (:B) {options} |> AGGREGATE count(*) AS n");
        check(events, &query, &format!("n {expected}"));
    };
    count(&first, "", "1");
    count(&last, "", "0");
    count(&first, "SIMULTANEOUS 1s", "1");
    count(&last, "SIMULTANEOUS 1s", "1");
}

#[test]
fn a_match_starts_again_within_its_window() {
    let visits = kinds("id:1", &[(780, "A"), (810, "A"), (825, "B"), (855, "C")]);
    check(
        &visits,
        "MATCH (a:A) -> (:B) -> (:C) WITHIN 1h |> SELECT a.at, span",
        "a.at,span 2026-01-01T13:30:00Z,45m",
    );
}

/// `contacts` of each chain, by the topic.
fn check_chains(events: &[Event], chains: &str, expected: &str) {
    let query = format!("{chains} |> SELECT contacts, started |> ORDER BY started");
    check(events, &query, &format!("contacts,started {expected}"));
}

#[test]
fn a_chain_of_four() {
    let days = billing(&[0.0, 3.0, 9.0, 16.0]);
    check_chains(&days, "CHAINS SAME topic GAP 7d MIN 3", "4,2026-01-01T00:00:00Z");
}

#[test]
fn gaps_are_inclusive() {
    let exact = billing(&[0.0, 7.0, 14.0]);
    check_chains(&exact, "CHAINS SAME topic GAP 7d MIN 3", "3,2026-01-01T00:00:00Z");
    let mut late = exact;
    late[1].time += 1;
    late[2].time += 1;
    check_chains(&late, "CHAINS SAME topic GAP 7d MIN 3", "");
}

#[test]
fn a_window_begins_where_enough_contacts_fit() {
    let days = billing(&[0.0, 5.0, 6.0, 7.0]);
    check_chains(&days, "CHAINS SAME topic GAP 7d MIN 3 WITHIN 5d", "3,2026-01-06T00:00:00Z");
}

#[test]
fn chains_are_told_apart_by_their_keys() {
    let days = topics(&[(0.0, "x"), (1.0, "y"), (2.0, "x"), (3.0, "y"), (4.0, "x")]);
    check(&days, "CHAINS SAME topic GAP 2d MIN 3 |> SELECT topic, contacts", "topic,contacts x,3");
}

#[test]
fn three_contacts_at_one_instant() {
    check_chains(&billing(&[1.0, 1.0, 1.0]), "CHAINS GAP 0s MIN 3", "3,2026-01-02T00:00:00Z");
}

#[test]
fn a_span_cuts_and_a_start_does_not() {
    // 30 and 31 March, 1 and 2 April.
    let days = billing(&[88.0, 89.0, 90.0, 91.0]);
    let start = "2026-03-30T00:00:00Z";
    check_chains(&days, "DURING '2026-Q1' |> CHAINS GAP 1d MIN 2", &format!("2,{start}"));
    check_chains(&days, "CHAINS GAP 1d MIN 2 STARTED DURING '2026-Q1'", &format!("4,{start}"));
    check_chains(&days, "CHAINS GAP 1d MIN 2 STARTED DURING '2026-Q2'", "");
}

/// `open` at the edge: one contact, then another customer's at the right edge.
#[test]
fn open_chains_and_open_steps_reach_to_the_right_edge() {
    let events = |edge: i64| {
        let mut events = kinds("id:1", &[(0, "A")]);
        events.extend(kinds("id:2", &[(edge, "X")]));
        events
    };
    for (edge, open) in [(60, "1"), (61, "0")] {
        check(
            &events(edge),
            "FUNNEL (:A) -> (:B) WITHIN 1h |> WHERE step = 1 |> SELECT open",
            &format!("open {open}"),
        );
        check(
            &events(edge),
            "WHERE kind = 'A' |> CHAINS GAP 1h MIN 1 |> SELECT open",
            &format!("open {}", open == "1"),
        );
    }
}

/// Each part of the language that is parsed but not built, with the words that
/// its error names.
const NOT_BUILT: &[(&str, &str)] = &[("persona", "FOR persona = 'x' |> INTERACTIONS")];

#[test]
fn what_is_not_built_says_so_and_where() {
    let store = Store::of(&kinds("id:1", &[(0, "A"), (1, "B"), (2, "C")]));
    let mut faults = Vec::new();
    for (words, query) in NOT_BUILT {
        match store.db().query(query) {
            Ok(answer) => faults.push(format!("{query}\n  answered {:?}", Table::of(&answer))),
            Err(error) => {
                let message = error.to_string();
                let underlined = throughline_tests::golden::underlined(&message);
                if !message.contains("E401") || !message.contains("not supported yet: ") {
                    faults.push(format!("{query}\n  said\n{message}"));
                } else if !message.contains(words) || underlined.is_none() {
                    faults.push(format!("{query}\n  does not name `{words}` with its place:\n{message}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), NOT_BUILT.len(), faults.join("\n"));
}

#[test]
fn count_customers_is_what_a_funnel_does_anyway() {
    let events = letters("id:1", "AB");
    check(&events, "FUNNEL (:A) -> (:B) COUNT CUSTOMERS |> SELECT step, reached", "step,reached 1,1 2,1");
}
