//! MAP of interactions, which is counted as they are stored, against the
//! reference, and against reading them.

use std::cell::Cell;
use std::collections::BTreeMap;

use throughline_tests::table::Table;

use super::compare::{ask, check, run};
use super::history::{Size, history};

const SIZE: Size = Size { events: 36, hours: 40 };

/// Symbols, one or two.
const KEYS: &[&[&str]] = &[&["kind"], &["channel", "kind"], &["kind", "channel"], &["topic", "agent"]];

#[test]
fn maps_are_those_of_the_reference() {
    // An attribute without any value is not counted.
    let counted = Cell::new(0);
    run("maps", &history(SIZE), |history| {
        let store = history.deliver();
        for keys in KEYS {
            let mut cells: BTreeMap<Vec<String>, u64> = BTreeMap::new();
            for event in &history.events {
                let key = keys.iter().map(|key| event.shown(key).unwrap_or_default()).collect();
                *cells.entry(key).or_default() += 1;
            }
            let map = format!("MAP BY {} |> SELECT {}, interactions", keys.join(", "), keys.join(", "));
            let expected = cells.into_iter().map(|(mut key, count)| {
                key.push(count.to_string());
                key
            });
            let columns: Vec<&str> = keys.iter().copied().chain(["interactions"]).collect();
            check(&store, &map, &columns, expected.collect());
            // A condition that always holds has them read.
            assert_eq!(
                ask(&store, &map),
                ask(&store, &format!("WHERE at >= '1970-01-01' |> {map}")),
                "{map}"
            );
            let explained = store.db().query(&format!("EXPLAIN FROM journeys |> {map}")).expect("explains");
            let explained = format!("{:?}", Table::of(&explained).rows);
            counted.set(counted.get() + usize::from(explained.contains("it alone answers")));
        }
    });
    assert!(counted.get() > 0, "nothing was counted as it was stored");
}
