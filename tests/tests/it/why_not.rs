//! WHY NOT says that a customer is in an answer exactly where it is, and else
//! at which step it falls out.

use throughline::Value;
use throughline_tests::reference::Event;
use throughline_tests::store::Store;
use throughline_tests::table::Table;

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000;
const HOUR: i64 = 3_600_000;

const QUERIES: &[&str] = &[
    "GRAPH BY kind",
    "GRAPH BY kind LOOPS",
    "GRAPH BY kind CHEAPEST 'a' TO 'c'",
    "GRAPH BY kind CHEAPEST 'b' TO 'b'",
    "GRAPH BY kind DOMINATORS OF 'c'",
    "GRAPH BY kind DOMINATORS OF 'b'",
    "GRAPH BY channel LOOPS",
    "WHERE kind <> 'b' |> GRAPH BY kind LOOPS |> WHERE occurrences > 2",
    "MATCH (:a) |> JOURNEYS AFTER |> GRAPH BY kind DOMINATORS OF 'b'",
    "SESSIONS GAP 2h |> GRAPH BY kind CHEAPEST 'a' TO 'b'",
    "PATHS FROM (:a {channel: 'x'})",
    "PATHS TO (:b WHERE channel IS NOT NULL) TOP 1",
    "PATHS BETWEEN (:a) AND (:b)",
    "PATHS BETWEEN (:c) AND (:c)",
    "PATHS BETWEEN (p:a) AND (:a|b WHERE channel = p.channel)",
    "SESSIONS GAP 2h |> PATHS BETWEEN (:a) AND (:b)",
    "SPLIT BY channel |> PATHS BETWEEN (:a) AND (:b) |> WHERE journeys > 1",
    "FCR SAME channel GAP 1h",
    "MAP BY kind, channel |> WHERE interactions > 2",
    "WHERE kind = 'a' |> INTERACTIONS",
];

/// Numbers without a pattern: xorshift (Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn it_says_who_is_in_the_answer() {
    let (mut numbers, mut left_out) = (Numbers(0x9E37_79B9_7F4A_7C15), 0);
    for _ in 0..25 {
        let mut events = Vec::new();
        for customer in 1..=4 {
            let mut at = START;
            for _ in 0..=numbers.below(4) {
                at += HOUR * (1 + numbers.below(3) as i64);
                let kind = ["a", "b", "c"][numbers.below(3) as usize];
                let event = Event::new(&format!("id:{customer}"), at, events.len() as u64).with("kind", kind);
                events.push(match numbers.below(3) {
                    0 => event,
                    other => event.with("channel", ["x", "y"][other as usize - 1]),
                });
            }
        }
        let store = Store::of(&events);
        for query in QUERIES {
            let answer = store.db().query(&format!("{query} |> CUSTOMERS")).expect(query);
            let members = Table::of(&answer).rows.concat();
            for customer in (1..=4).map(|number| format!("id:{number}")) {
                let asked = format!("WHY NOT CUSTOMER '{customer}' IN ({query})");
                let told = store.db().query(&asked).expect(query);
                let column = |name: &str, row: usize| told.get(row, name).cloned().unwrap_or(Value::Null);
                let last = told.len() - 1;
                let within = column("step", last) == Value::from("answer".to_owned());
                let shown = || format!("{asked}\n{members:?}\n{events:?}\n{}", Table::of(&told).to_csv());
                assert_eq!(within, members.contains(&customer), "{}", shown());
                assert_eq!(column("holds", last), Value::Bool(within), "{}", shown());
                let detail = Table::of(&told).to_csv();
                assert!(!detail.contains("no row comes of"), "{}", shown());
                left_out += usize::from(!within);
            }
        }
    }
    assert!(left_out > 200, "only {left_out} were left out");
}
