//! `PATHS`: one path a journey, counted.

use std::collections::{BTreeMap, BTreeSet};

use super::flow::{Journey, View};
use super::pattern::{Bound, Step};
use super::{Event, quantile};

/// Where paths begin or end.
#[derive(Clone, Debug, PartialEq)]
pub enum Ends {
    /// From the first row that fills the step on.
    From(Step),
    /// Up to the last row that fills the step.
    To(Step),
    /// From the first row of one to the first row of the other after it.
    Between(Step, Step),
}

/// `PATHS …`
#[derive(Clone, Debug, PartialEq)]
pub struct Paths {
    /// Where they run.
    pub ends: Ends,
    /// `DEPTH n`
    pub depth: Option<usize>,
    /// `BY attr`
    pub by: Option<String>,
    /// `COLLAPSE`
    pub collapse: bool,
    /// `TOP n`
    pub top: Option<usize>,
}

/// A node of a path: a value, or NULL.
pub type Node = Option<String>;

/// One row. Times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Its nodes.
    pub nodes: Vec<Node>,
    /// Journeys with it.
    pub journeys: usize,
    /// Customers with it.
    pub customers: BTreeSet<String>,
    /// Of all paths.
    pub share: f64,
    /// How many paths there are in all.
    pub of: usize,
    /// One an edge, `None` beside what was left out; `None` for the rest of TOP.
    pub medians: Option<Vec<Option<f64>>>,
    /// The same at 95 of 100.
    pub p95s: Option<Vec<Option<f64>>>,
}

/// What stands for the nodes that DEPTH leaves out.
pub const LEFT_OUT: &str = "…";
/// What stands for the paths beyond TOP.
pub const OTHER: &str = "(other)";

/// The time along each edge; `None` beside what was left out.
type Times = Vec<Option<i64>>;
/// The nodes of one journey's path, and its times.
type Walk = (Vec<Node>, Times);

/// Most journeys first, then by path.
pub fn paths(events: &[Event], view: &View, query: &Paths) -> Vec<Path> {
    let mut walks: BTreeMap<Vec<Node>, Vec<(String, Times)>> = BTreeMap::new();
    let mut of = 0;
    for journey in view.journeys(events) {
        if let Some((nodes, times)) = walk(&journey, query) {
            walks.entry(nodes).or_default().push((journey.customer.to_owned(), times));
            of += 1;
        }
    }
    let mut found: Vec<Path> = walks
        .into_iter()
        .map(|(nodes, journeys)| {
            let at = |q: f64| {
                let along = |edge: usize| {
                    let times: Option<Vec<i64>> = journeys.iter().map(|(_, times)| times[edge]).collect();
                    times.and_then(|times| quantile(&times, q))
                };
                Some((0..nodes.len().saturating_sub(1)).map(along).collect())
            };
            Path {
                journeys: journeys.len(),
                customers: journeys.iter().map(|(customer, _)| customer.clone()).collect(),
                share: journeys.len() as f64 / of as f64,
                of,
                medians: at(0.5),
                p95s: at(0.95),
                nodes,
            }
        })
        .collect();
    // NULL stands after every value.
    let order =
        |path: &Path| path.nodes.iter().map(|node| (node.is_none(), node.clone())).collect::<Vec<_>>();
    found.sort_by(|a, b| b.journeys.cmp(&a.journeys).then_with(|| order(a).cmp(&order(b))));
    if let Some(top) = query.top
        && found.len() > top
    {
        let rest = found.split_off(top);
        let journeys = rest.iter().map(|path| path.journeys).sum();
        found.push(Path {
            nodes: vec![Some(OTHER.to_owned())],
            journeys,
            customers: rest.into_iter().flat_map(|path| path.customers).collect(),
            share: journeys as f64 / of as f64,
            of,
            medians: None,
            p95s: None,
        });
    }
    found
}

fn walk(journey: &Journey, query: &Paths) -> Option<Walk> {
    let rows = journey.events();
    let fills = |step: &Step, row: usize| step.takes("kind", rows[row], &Bound::new());
    let all = 0..rows.len();
    let (first, last) = match &query.ends {
        Ends::From(step) => (all.clone().find(|&row| fills(step, row))?, rows.len() - 1),
        Ends::To(step) => (0, all.clone().rev().find(|&row| fills(step, row))?),
        Ends::Between(from, to) => {
            let first = all.clone().find(|&row| fills(from, row))?;
            (first, (first + 1..rows.len()).find(|&row| fills(to, row))?)
        }
    };
    let named = match &query.ends {
        Ends::From(_) => vec![first],
        Ends::To(_) => vec![last],
        Ends::Between(..) => vec![first, last],
    };
    // A run of rows under one node: when it begins and ends.
    let by = query.by.as_deref().unwrap_or("kind");
    let mut runs: Vec<(Node, i64, i64)> = Vec::new();
    for (row, event) in rows.iter().enumerate().take(last + 1).skip(first) {
        let (node, time) = (event.shown(by), event.time);
        if node.is_none() && !named.contains(&row) {
            continue;
        }
        match runs.last_mut() {
            Some(run) if query.collapse && run.0 == node => run.2 = time,
            _ => runs.push((node, time, time)),
        }
    }
    let mut nodes: Vec<Node> = runs.iter().map(|run| run.0.clone()).collect();
    let mut times: Vec<Option<i64>> = runs.windows(2).map(|pair| Some(pair[1].1 - pair[0].2)).collect();
    match &query.ends {
        Ends::From(_) => {
            let depth = query.depth.unwrap_or(5);
            nodes.truncate(depth);
            times.truncate(depth - 1);
        }
        Ends::To(_) => {
            let cut = nodes.len().saturating_sub(query.depth.unwrap_or(5));
            nodes.drain(..cut);
            times.drain(..cut);
        }
        Ends::Between(..) => {
            let depth = query.depth.unwrap_or(20);
            if nodes.len() > depth {
                let end = nodes.pop();
                nodes.truncate(depth - 1);
                nodes.push(Some(LEFT_OUT.to_owned()));
                nodes.extend(end);
                times.truncate(depth.saturating_sub(2));
                times.resize(nodes.len() - 1, None);
            }
        }
    }
    Some((nodes, times))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kinds: &[&str], query: &Paths, expected: &[(&str, usize)]) {
        let mut events = Vec::new();
        for (customer, kinds) in kinds.iter().enumerate() {
            events.extend(kinds.chars().enumerate().map(|(place, kind)| {
                Event::new(&format!("id:{customer}"), place as i64, 0).with("kind", kind.to_string().as_str())
            }));
        }
        let found: Vec<(String, usize)> = paths(&events, &View::default(), query)
            .into_iter()
            .map(|path| (path.nodes.into_iter().flatten().collect(), path.journeys))
            .collect();
        let expected: Vec<(String, usize)> =
            expected.iter().map(|&(path, journeys)| (path.to_owned(), journeys)).collect();
        assert_eq!(found, expected, "{query:?}");
    }

    #[test]
    fn the_three_kinds() {
        let kinds = ["xabcab", "abcab", "ba", "xx"];
        let mut query =
            Paths { ends: Ends::From(Step::of("a")), depth: Some(3), by: None, collapse: false, top: None };
        check(&kinds, &query, &[("abc", 2), ("a", 1)]);
        query.ends = Ends::To(Step::of("a"));
        check(&kinds, &query, &[("bca", 2), ("ba", 1)]);
        query.ends = Ends::Between(Step::of("a"), Step::of("c"));
        check(&kinds, &query, &[("abc", 2)]);
        query.depth = Some(2);
        check(&kinds, &query, &[("a…c", 2)]);
    }

    #[test]
    fn collapsed_and_the_top() {
        let query =
            Paths { ends: Ends::From(Step::of("a")), depth: None, by: None, collapse: true, top: Some(1) };
        check(&["aab", "abb", "ac", "ad"], &query, &[("ab", 2), ("(other)", 2)]);
    }
}
