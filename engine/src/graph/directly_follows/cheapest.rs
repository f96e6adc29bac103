//! The cheapest way from one value to another.

use std::ops::Add;

use petgraph::algo::dijkstra;
use petgraph::graph::NodeIndex;
use petgraph::visit::{EdgeRef, Reversed};

use super::{DirectlyFollows, FollowsEdge};

/// One edge of a way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hop<'g> {
    /// Its first value.
    pub from: &'g str,
    /// Its second value.
    pub to: &'g str,
    /// The edge.
    pub edge: &'g FollowsEdge,
}

/// What a way costs, and then how many hops it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    total: u64,
    hops: u32,
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { total: self.total.saturating_add(other.total), hops: self.hops.saturating_add(other.hops) }
    }
}

impl DirectlyFollows {
    /// The way of least total cost from one value to another, at least one hop
    /// long; of several the one of fewer hops, then of lesser values, hop by
    /// hop. `None` where either value does not occur or no way leads there.
    ///
    /// Costs are taken backwards from the end (Dijkstra, *A Note on Two
    /// Problems in Connexion with Graphs*, 1959). Any hop forwards to a value
    /// whose rest costs what is left then lies on a cheapest way, and the least
    /// of these values is taken.
    pub fn cheapest(&self, from: &str, to: &str, cost: impl Fn(&FollowsEdge) -> u64) -> Option<Vec<Hop<'_>>> {
        let (first, last) = (self.find(from)?, self.find(to)?);
        let one = |edge: &FollowsEdge| Cost { total: cost(edge), hops: 1 };
        let rest = dijkstra(Reversed(&self.graph), last, None, |edge| one(edge.weight()));
        let ways = |node: NodeIndex| {
            self.graph.edges(node).filter_map(|edge| {
                // Nodes ascend as their values do; nothing but an end leads to END.
                Some((one(edge.weight()) + *rest.get(&edge.target())?, edge.target(), edge.weight()))
            })
        };
        let least = |node| ways(node).min_by_key(|(cost, next, _)| (*cost, *next));
        let mut hops = Vec::new();
        let mut here = first;
        // The hops that are left fall by one each time.
        loop {
            let (_, next, edge) = least(here)?;
            hops.push(Hop { from: self.value(here)?, to: self.value(next)?, edge });
            if next == last {
                return Some(hops);
            }
            here = next;
        }
    }
}
