//! The directly-follows graph against slow and obvious ways to make it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::batch::Interaction;
use crate::db::{Db, Options};
use crate::disk_sim::SimDisk;
use crate::names::Symbols;
use crate::schema::Role;
use crate::strings::{StringTable, Strings};

const HOUR: Millis = 3_600_000;

fn symbols(values: &[&str]) -> Symbols {
    let mut strings = Strings::default();
    values.iter().for_each(|value| strings.push(value));
    Symbols { table: StringTable::from_strings(strings) }
}

/// Journeys written as text, a letter a value, an hour apart.
fn of(journeys: &[&str]) -> DirectlyFollows {
    let mut builder = FollowsBuilder::default();
    for (customer, journey) in (0..).zip(journeys) {
        let steps = journey.bytes().zip(0..).map(|(letter, hour)| (u32::from(b'z' - letter), hour * HOUR));
        builder.add(customer, steps).expect("adds");
    }
    // Numbers run against the order of the values, which must not show.
    let letters: Vec<String> = (b'a'..=b'z').rev().map(|letter| char::from(letter).to_string()).collect();
    builder.finish("kind", &symbols(&letters.iter().map(String::as_str).collect::<Vec<_>>()))
}

#[test]
fn edges_and_ends() {
    let graph = of(&["abab", "ab", ""]);
    let edges: Vec<(&str, &str, u64, u64)> = graph
        .graph()
        .edge_references()
        .map(|e| {
            let label = |node: NodeIndex| graph.graph()[node].place.label();
            (label(e.source()), label(e.target()), e.weight().count, e.weight().customers.len())
        })
        .collect();
    assert_eq!(edges, [("START", "a", 2, 2), ("a", "b", 3, 2), ("b", "a", 1, 1), ("b", "END", 2, 2)]);
    let nodes: Vec<(&str, u64, u64)> = graph
        .graph()
        .node_weights()
        .map(|node| (node.place.label(), node.occurrences, node.customers.len()))
        .collect();
    assert_eq!(nodes, [("START", 2, 2), ("a", 3, 2), ("b", 3, 2), ("END", 2, 2)]);
    assert_eq!(graph.edge("a", "b").expect("follows").mean_gap_ms(), Some(HOUR as f64));
    assert!(graph.edge("a", "a").is_none());
    assert_eq!(graph.graph().edge_weights().filter(|edge| edge.gaps.is_none()).count(), 2);
}

#[test]
fn loops_and_dominators() {
    let check = |journeys: &[&str], loops: &[&[&str]], of_value: &str, dominators: Option<&[&str]>| {
        let graph = of(journeys);
        let found: Vec<Vec<&str>> = graph.loops().into_iter().map(|found| found.values).collect();
        assert_eq!(found, loops, "{journeys:?}");
        assert_eq!(graph.dominators(of_value).as_deref(), dominators, "{journeys:?}");
    };
    check(&[], &[], "a", None);
    check(&["abc"], &[], "c", Some(&["a", "b"]));
    check(&["abc", "adc"], &[], "c", Some(&["a"]));
    check(&["abc", "c"], &[], "c", Some(&[]));
    check(&["aab"], &[&["a"]], "a", Some(&[]));
    check(&["xyx", "abcad", "dd"], &[&["a", "b", "c"], &["d"], &["x", "y"]], "c", Some(&["a", "b"]));
}

#[test]
fn a_long_way_does_not_take_the_stack() {
    let names: Vec<String> = (0..100_000).map(|n| format!("{n:06}")).collect();
    let symbols = symbols(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut builder = FollowsBuilder::default();
    builder.add(0, (0..100_000).chain([0]).map(|symbol| (symbol, i64::from(symbol)))).expect("adds");
    let graph = builder.finish("page", &symbols);
    let loops = graph.loops();
    assert_eq!(loops.iter().map(|found| found.values.len()).collect::<Vec<_>>(), [100_000]);
    assert_eq!(loops.first().map(|found| found.occurrences), Some(100_000));
    assert_eq!(graph.dominators("099999").map(|passed| passed.len()), Some(99_999));
}

#[test]
fn edges_are_limited() {
    // START-0, 0-1, …, and the edge to END: one more than there are steps.
    let edges = |steps: u32| {
        let mut builder = FollowsBuilder::default();
        builder.edges_max = 10;
        builder.add(0, (0..steps).map(|symbol| (symbol, 0))).is_ok()
    };
    assert_eq!([8, 9, 10].map(edges), [true, true, false]);
}

#[test]
fn only_symbols_of_interactions() {
    let db = Db::open_on(Arc::new(SimDisk::new()), Options::default()).expect("opens");
    let snapshot = db.snapshot();
    let schema = snapshot.schema();
    assert!(directly_follows(&snapshot, schema.role(Role::Case).expect("core").id).is_err());
    assert!(directly_follows(&snapshot, AttrId::SEQUENCE).is_err());
    let empty = directly_follows(&snapshot, schema.role(Role::Kind).expect("core").id).expect("is empty");
    assert_eq!((empty.graph().node_count(), empty.graph().edge_count()), (2, 0));
}

#[test]
fn dot_and_graphml() {
    let graph = of(&["ab"]);
    let dot = r#"digraph "kind" {
  n0 [label="START\n1 (1 customers)", shape=circle];
  n1 [label="a\n1 (1 customers)", shape=box];
  n2 [label="b\n1 (1 customers)", shape=box];
  n3 [label="END\n1 (1 customers)", shape=doublecircle];
  n0 -> n1 [label="1"];
  n1 -> n2 [label="1\nmean 1h"];
  n2 -> n3 [label="1"];
}
"#;
    assert_eq!(graph.to_dot(), dot);
    let graphml = graph.to_graphml();
    let edge = r#"    <edge id="e1" source="n1" target="n2">
      <data key="ek0">1</data>
      <data key="ek1">1</data>
      <data key="ek2">3600000</data>
      <data key="ek3">3600000</data>
      <data key="ek4">3600000</data>
    </edge>
"#;
    assert!(graphml.contains(edge), "{graphml}");
    assert!(graphml.contains(r#"<key id="ek2" for="edge" attr.name="gap_mean_ms" attr.type="double"/>"#));
}

/// Journeys of letters with the minutes between them; numbers of letters as given.
fn with_gaps(
    builder: &mut FollowsBuilder,
    first: u32,
    journeys: &[Vec<(u8, i64)>],
    number: impl Fn(u8) -> u32,
) {
    for (customer, journey) in (first..).zip(journeys) {
        let mut at = 0;
        let steps = journey.iter().map(|&(letter, gap)| {
            at += gap;
            (number(letter), at)
        });
        builder.add(customer, steps).expect("adds");
    }
}

const LETTERS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// The middle one, and the last; slow but good enough to tell gaps apart.
fn quantiles(gaps: &mut [Millis]) -> Option<GapQuantiles> {
    gaps.sort_unstable();
    Some(GapQuantiles { median_ms: *gaps.get(gaps.len() / 2)?, p95_ms: *gaps.last()? })
}

type Told = Vec<(Place, Place, FollowsEdge)>;

fn told(graph: &DirectlyFollows) -> Told {
    graph.edges().map(|(from, to, edge)| (from.clone(), to.clone(), edge.clone())).collect()
}

/// Every way of the given values without a value twice in it, but for the
/// first and the last.
fn ways(
    graph: &DirectlyFollows,
    here: &str,
    to: &str,
    seen: &mut Vec<String>,
    all: &mut Vec<(u64, usize, Vec<String>)>,
) {
    for next in LETTERS {
        if graph.edge(here, next).is_none() || seen.iter().any(|known| known == next) {
            continue;
        }
        seen.push(next.to_owned());
        if next == to {
            all.push((0, seen.len(), seen.clone()));
        } else {
            ways(graph, next, to, seen, all);
        }
        seen.pop();
    }
}

#[test]
fn the_cheapest_way_is_told_apart_by_hops_and_names() {
    let way = |journeys: &[&str], from: &str, to: &str| {
        let graph = of(journeys);
        let hops = graph.cheapest(from, to, |edge| edge.mean_gap_ms().unwrap_or_default() as u64);
        hops.map(|hops| {
            hops.iter().map(|hop| format!("{}{}", hop.from, hop.to)).collect::<Vec<_>>().join(" ")
        })
    };
    assert_eq!(way(&["abc", "ac"], "a", "c").as_deref(), Some("ac"));
    assert_eq!(way(&["abd", "acd"], "a", "d").as_deref(), Some("ab bd"));
    assert_eq!(way(&["ab", "cd"], "a", "d"), None);
    assert_eq!(way(&["ab"], "b", "a"), None);
    assert_eq!(way(&["ab"], "a", "a"), None);
    assert_eq!(way(&["aba", "aa"], "a", "a").as_deref(), Some("aa"));
    assert_eq!(way(&["aba"], "a", "a").as_deref(), Some("ab ba"));
    assert_eq!(way(&["ab"], "a", "z"), None);
}

#[test]
fn rows_are_drawn_as_the_graph_is() {
    let value = |text: &str| Place::Value(text.to_owned());
    let row =
        |from, to, median_ms| EdgeRow { from, to, count: 2, customers: Some(1), median_ms, p95_ms: None };
    let rows = [row(Place::Start, value("b"), None), row(value("b"), value("a"), Some(HOUR))];
    let dot = r#"digraph "rows" {
  n0 [label="START", shape=circle];
  n1 [label="a", shape=box];
  n2 [label="b", shape=box];
  n0 -> n2 [label="2"];
  n2 -> n1 [label="2\nmedian 1h"];
}
"#;
    assert_eq!(edges_to_dot("rows", &rows), dot);
    let edge = r#"    <edge id="e1" source="n2" target="n1">
      <data key="ek0">2</data>
      <data key="ek1">1</data>
      <data key="ek2">3600000</data>
    </edge>
"#;
    assert!(edges_to_graphml(&rows).contains(edge), "{}", edges_to_graphml(&rows));
}

/// Loops by reachability, and dominators by taking each value away.
fn check_slowly(journeys: &[&str]) {
    let graph = of(journeys);
    let mut next: BTreeMap<char, BTreeSet<char>> = BTreeMap::new();
    let mut first = BTreeSet::new();
    for journey in journeys {
        first.extend(journey.chars().next());
        for (one, other) in journey.chars().zip(journey.chars().skip(1)) {
            next.entry(one).or_default().insert(other);
        }
    }
    let reached = |from: &BTreeSet<char>, without: Option<char>| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<char> = from.iter().copied().collect();
        while let Some(value) = open.pop() {
            if Some(value) != without && seen.insert(value) {
                open.extend(next.get(&value).into_iter().flatten());
            }
        }
        seen
    };
    let empty = BTreeSet::new();
    let after = |value: char| reached(next.get(&value).unwrap_or(&empty), None);
    let values: BTreeSet<char> = journeys.iter().flat_map(|journey| journey.chars()).collect();
    let mut loops: BTreeMap<Vec<String>, (u64, BTreeSet<u32>)> = BTreeMap::new();
    for &value in values.iter().filter(|value| after(**value).contains(value)) {
        let back = |other: &&char| after(value).contains(other) && after(**other).contains(&value);
        loops.insert(values.iter().filter(back).map(char::to_string).collect(), (0, BTreeSet::new()));
    }
    for (values, (occurrences, customers)) in &mut loops {
        for (customer, journey) in (0..).zip(journeys) {
            let inside = |letter: char| values.contains(&letter.to_string());
            let pairs = journey.chars().zip(journey.chars().skip(1));
            let times = pairs.filter(|&(one, other)| inside(one) && inside(other)).count();
            *occurrences += times as u64;
            customers.extend((times > 0).then_some(customer));
        }
    }
    let told = |found: FollowsLoop<'_>| {
        let values = found.values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        (values, (found.occurrences, found.customers.iter().collect::<BTreeSet<u32>>()))
    };
    let found: Vec<_> = graph.loops().into_iter().map(told).collect();
    assert_eq!(found, loops.into_iter().collect::<Vec<_>>());
    for &value in &values {
        let expected: BTreeSet<String> = values
            .iter()
            .filter(|&&other| other != value && !reached(&first, Some(other)).contains(&value))
            .map(char::to_string)
            .collect();
        let found = graph.dominators(&value.to_string()).expect("is there");
        assert_eq!(found.iter().map(|&value| value.to_owned()).collect::<BTreeSet<_>>(), expected);
    }
}

/// Count, customers and gaps of each edge, from sorted journeys.
type Edges = BTreeMap<(Place, Place), (u64, BTreeSet<String>, Vec<Millis>)>;

fn timed_journeys() -> impl Strategy<Value = Vec<Vec<(u8, i64)>>> {
    prop::collection::vec(prop::collection::vec((0..6_u8, 0..4_i64), 0..8), 0..7)
}

proptest! {
    #[test]
    fn builders_merge_to_what_one_would_have_added_up(
        first in timed_journeys(), second in timed_journeys(), keeps in any::<bool>(),
    ) {
        let new = || if keeps { FollowsBuilder::keeping_gaps() } else { FollowsBuilder::default() };
        let (mut one, mut left, mut right) = (new(), new(), new());
        with_gaps(&mut one, 0, &first, u32::from);
        with_gaps(&mut one, 7, &second, u32::from);
        with_gaps(&mut left, 0, &first, u32::from);
        // The other numbers its letters the other way round.
        with_gaps(&mut right, 7, &second, |letter| 5 - u32::from(letter));
        left.merge(right, |symbol| 5 - symbol).expect("fits");
        prop_assert_eq!(one.bytes(), left.bytes());
        let names = |symbol: u32| LETTERS[symbol as usize];
        let (one, both) = (one.finish_with("k", names, quantiles), left.finish_with("k", names, quantiles));
        prop_assert_eq!(told(&one), told(&both));
        prop_assert!(one.edges().all(|edge| edge.2.quantiles.is_some() == (keeps && edge.2.gaps.is_some())));
        prop_assert_eq!(one.to_graphml(), both.to_graphml());
    }

    #[test]
    fn the_cheapest_way_is_the_least_of_all(journeys in timed_journeys(), from in 0..6_usize, to in 0..6_usize) {
        let mut builder = FollowsBuilder::keeping_gaps();
        with_gaps(&mut builder, 0, &journeys, u32::from);
        let graph = builder.finish_with("k", |symbol| LETTERS[symbol as usize], quantiles);
        let (from, to) = (LETTERS[from], LETTERS[to]);
        let cost = |edge: &FollowsEdge| edge.quantiles.map_or(0, |q| q.median_ms as u64);
        let mut all = Vec::new();
        ways(&graph, from, to, &mut Vec::new(), &mut all);
        for (total, _, names) in &mut all {
            let mut here = from;
            for next in names.iter() {
                *total += graph.edge(here, next).map_or(0, cost);
                here = next;
            }
        }
        let found = graph.cheapest(from, to, cost).map(|hops| {
            let total: u64 = hops.iter().map(|hop| cost(hop.edge)).sum();
            (total, hops.len(), hops.iter().map(|hop| hop.to.to_owned()).collect::<Vec<_>>())
        });
        prop_assert_eq!(found, all.into_iter().min());
    }

    #[test]
    fn loops_and_dominators_are_those_of_the_slow_way(
        journeys in prop::collection::vec("[a-f]{0,7}", 0..5),
    ) {
        check_slowly(&journeys.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn a_store_gives_the_graph_of_its_journeys(
        batches in prop::collection::vec(
            prop::collection::vec((0..5_u8, 0..9_i64, prop::option::weighted(0.8, 0..4_u8)), 1..20),
            1..4,
        ),
        sealed in 0..4_usize,
    ) {
        let db = Db::open_on(Arc::new(SimDisk::new()), Options::default()).expect("opens");
        let mut journeys: BTreeMap<String, Vec<(Millis, Option<u8>)>> = BTreeMap::new();
        for (place, batch) in batches.iter().enumerate() {
            let interactions = batch.iter().map(|(customer, time, kind)| {
                let interaction = Interaction::new(format!("crm:{customer}"), *time);
                match kind {
                    Some(kind) => interaction.kind(&format!("k{kind}")),
                    None => interaction,
                }
            });
            db.append(interactions).expect("appends");
            for (customer, time, kind) in batch {
                journeys.entry(format!("crm:{customer}")).or_default().push((*time, *kind));
            }
            if place == sealed {
                db.seal().expect("seals");
            }
        }
        let mut expected = Edges::new();
        for (customer, journey) in &mut journeys {
            journey.sort_by_key(|(time, _)| *time);
            let mut last: Option<(Millis, u8)> = None;
            let place = |kind: u8| Place::Value(format!("k{kind}"));
            let mut follow = |from, to, gap: Option<Millis>| {
                let edge = expected.entry((from, to)).or_default();
                edge.0 += 1;
                edge.1.insert(customer.clone());
                edge.2.extend(gap);
            };
            for &(time, kind) in journey.iter() {
                let Some(kind) = kind else { continue };
                match last {
                    Some((at, before)) => follow(place(before), place(kind), Some(time - at)),
                    None => follow(Place::Start, place(kind), None),
                }
                last = Some((time, kind));
            }
            if let Some((_, kind)) = last {
                follow(place(kind), Place::End, None);
            }
        }
        let snapshot = db.snapshot();
        let kind = snapshot.schema().role(Role::Kind).expect("core").id;
        let graph = directly_follows(&snapshot, kind).expect("a graph");
        let found: Vec<_> = graph.graph().edge_references().map(|e| {
            let place = |node: NodeIndex| graph.graph()[node].place.clone();
            let names = e.weight().customers.iter().map(|c| snapshot.customer_name(c).expect("has a name"));
            let gaps = e.weight().gaps.map(|gaps| (gaps.total_ms, gaps.min_ms, gaps.max_ms));
            let key = (place(e.source()), place(e.target()));
            (key, (e.weight().count, names.collect::<BTreeSet<_>>(), gaps))
        }).collect();
        let expected: Vec<_> = expected.into_iter().map(|(key, (count, customers, gaps))| {
            let sum = gaps.iter().map(|&gap| i128::from(gap)).sum();
            let gaps = gaps.iter().min().zip(gaps.iter().max()).map(|(min, max)| (sum, *min, *max));
            (key, (count, customers, gaps))
        }).collect();
        prop_assert_eq!(found, expected);
        for node in graph.graph().node_weights() {
            if let Place::Value(value) = &node.place {
                let has = |entry: &(Millis, Option<u8>)| entry.1.is_some_and(|kind| *value == format!("k{kind}"));
                let occurrences = journeys.values().flatten().filter(|entry| has(entry)).count();
                let customers = journeys.values().filter(|journey| journey.iter().any(has)).count();
                prop_assert_eq!((node.occurrences, node.customers.len()), (occurrences as u64, customers as u64));
            }
        }
    }
}
