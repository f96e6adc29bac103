//! `GRAPH`: the directly-follows graph, and what is computed on it, by trying
//! every path and by leaving out every node.

use std::collections::{BTreeMap, BTreeSet};

use super::flow::View;
use super::{Event, quantile};

/// Where every journey begins.
pub const START: &str = "START";
/// Where every journey ends.
pub const END: &str = "END";

/// One edge. Times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The value it leaves.
    pub from: String,
    /// The value it goes to.
    pub to: String,
    /// How often it is passed.
    pub count: usize,
    /// Customers who pass it.
    pub customers: BTreeSet<String>,
    /// Median time along it; `None` at START and END.
    pub median: Option<f64>,
    /// The same at 95 of 100.
    pub p95: Option<f64>,
}

/// Most passed first, then by its ends.
pub fn edges(events: &[Event], view: &View, by: &str) -> Vec<Edge> {
    type Passes = Vec<(String, Option<i64>)>;
    let mut passed: BTreeMap<(String, String), Passes> = BTreeMap::new();
    for journey in view.journeys(events) {
        let rows: Vec<(String, i64)> = journey
            .events()
            .into_iter()
            .filter_map(|event| event.shown(by).map(|value| (value, event.time)))
            .collect();
        let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { continue };
        let mut pass = |from: &str, to: &str, time: Option<i64>| {
            let edge = passed.entry((from.to_owned(), to.to_owned())).or_default();
            edge.push((journey.customer.to_owned(), time));
        };
        pass(START, first, None);
        pass(last, END, None);
        for pair in rows.windows(2) {
            pass(&pair[0].0, &pair[1].0, Some(pair[1].1 - pair[0].1));
        }
    }
    let mut edges: Vec<Edge> = passed
        .into_iter()
        .map(|((from, to), passes)| {
            let times: Vec<i64> = passes.iter().filter_map(|(_, time)| *time).collect();
            Edge {
                from,
                to,
                count: passes.len(),
                customers: passes.into_iter().map(|(customer, _)| customer).collect(),
                median: quantile(&times, 0.5),
                p95: quantile(&times, 0.95),
            }
        })
        .collect();
    edges.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to))));
    edges
}

/// Values that can be left and come back to, those of one loop together; with
/// how often its edges are passed and by whom.
pub fn loops(edges: &[Edge]) -> Vec<(Vec<String>, usize, BTreeSet<String>)> {
    let mut found: Vec<(Vec<String>, usize, BTreeSet<String>)> = Vec::new();
    for value in values(edges) {
        if found.iter().any(|(values, ..)| values.contains(&value)) {
            continue;
        }
        let there = reachable(edges, &value, None);
        let members: Vec<String> =
            there.into_iter().filter(|other| reachable(edges, other, None).contains(&value)).collect();
        if members.is_empty() {
            continue;
        }
        let within: Vec<&Edge> =
            edges.iter().filter(|edge| members.contains(&edge.from) && members.contains(&edge.to)).collect();
        let count = within.iter().map(|edge| edge.count).sum();
        let customers = within.iter().flat_map(|edge| edge.customers.iter().cloned()).collect();
        found.push((members, count, customers));
    }
    found
}

/// The path of least total median time, ties by fewer hops, then by the names
/// of its nodes. Empty where there is none.
pub fn cheapest<'a>(edges: &'a [Edge], from: &str, to: &str) -> Vec<&'a Edge> {
    let mut all = Vec::new();
    simple_paths(edges, from, to, &mut Vec::new(), &mut all);
    all.into_iter()
        .min_by(|a, b| {
            let cost = |path: &[&Edge]| path.iter().filter_map(|edge| edge.median).sum::<f64>();
            let names = |path: &[&Edge]| path.iter().map(|edge| edge.to.clone()).collect::<Vec<_>>();
            cost(a)
                .total_cmp(&cost(b))
                .then_with(|| a.len().cmp(&b.len()))
                .then_with(|| names(a).cmp(&names(b)))
        })
        .unwrap_or_default()
}

fn simple_paths<'a>(
    edges: &'a [Edge],
    at: &str,
    to: &str,
    so_far: &mut Vec<&'a Edge>,
    found: &mut Vec<Vec<&'a Edge>>,
) {
    for edge in edges.iter().filter(|edge| edge.from == at && edge.median.is_some()) {
        let visited = so_far.iter().any(|passed| passed.from == edge.to) || edge.to == at;
        if visited && edge.to != to {
            continue;
        }
        so_far.push(edge);
        if edge.to == to {
            found.push(so_far.clone());
        } else {
            simple_paths(edges, &edge.to, to, so_far, found);
        }
        so_far.pop();
    }
}

/// What every way from START to `value` passes, `value` itself left out, in
/// the order passed.
pub fn dominators(edges: &[Edge], value: &str) -> Vec<String> {
    if !reachable(edges, START, None).contains(value) {
        return Vec::new();
    }
    let dominates =
        |one: &str, other: &str| one != other && !reachable(edges, START, Some(one)).contains(other);
    let mut found: Vec<String> = values(edges).into_iter().filter(|other| dominates(other, value)).collect();
    // Of two that dominate one value, one dominates the other.
    found.sort_by_key(|one| found_before(edges, one));
    found
}

/// How many values every way to `value` passes.
fn found_before(edges: &[Edge], value: &str) -> usize {
    values(edges)
        .into_iter()
        .filter(|other| other != value && !reachable(edges, START, Some(other)).contains(value))
        .count()
}

/// The values among the ends of edges.
pub fn values(edges: &[Edge]) -> BTreeSet<String> {
    let from = edges.iter().filter(|edge| edge.from != START).map(|edge| edge.from.clone());
    from.chain(edges.iter().filter(|edge| edge.to != END).map(|edge| edge.to.clone())).collect()
}

/// What one comes to along one edge or more, without stepping on `without`.
fn reachable(edges: &[Edge], from: &str, without: Option<&str>) -> BTreeSet<String> {
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(at) = open.pop() {
        for edge in edges.iter().filter(|edge| edge.from == at && edge.to != END) {
            if without != Some(edge.to.as_str()) && reached.insert(edge.to.clone()) {
                open.push(edge.to.clone());
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(journeys: &[&str]) -> Vec<Edge> {
        let mut events = Vec::new();
        for (customer, kinds) in journeys.iter().enumerate() {
            events.extend(kinds.chars().enumerate().map(|(place, kind)| {
                Event::new(&format!("id:{customer}"), place as i64, 0).with("kind", kind.to_string().as_str())
            }));
        }
        edges(&events, &View::default(), "kind")
    }

    #[test]
    fn counted() {
        let found = of(&["abab", "ab"]);
        let shown: Vec<String> = found
            .iter()
            .map(|edge| format!("{}{}{} {}", edge.from, edge.to, edge.count, edge.customers.len()))
            .collect();
        assert_eq!(shown, ["ab3 2", "STARTa2 2", "bEND2 2", "ba1 1"]);
    }

    #[test]
    fn loops_are_what_comes_back() {
        let found = loops(&of(&["abcbd", "ee"]));
        let shown: Vec<(String, usize)> =
            found.iter().map(|(values, count, _)| (values.concat(), *count)).collect();
        assert_eq!(shown, [("bc".to_owned(), 2), ("e".to_owned(), 1)]);
    }

    #[test]
    fn the_cheapest_way_and_what_must_be_passed() {
        let edges = of(&["abcd", "abd", "axcd"]);
        let way: String = cheapest(&edges, "a", "d").iter().map(|edge| edge.to.as_str()).collect();
        assert_eq!(way, "bd");
        assert!(cheapest(&edges, "d", "a").is_empty());
        assert_eq!(dominators(&edges, "d"), ["a"]);
        assert_eq!(dominators(&of(&["abcd"]), "d"), ["a", "b", "c"]);
    }
}
