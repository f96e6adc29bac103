//! Adding up journeys to a directly-follows graph.

use std::collections::HashMap;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use petgraph::graph::{DiGraph, NodeIndex};
use roaring::RoaringBitmap;

use super::{DirectlyFollows, FOLLOWS_EDGES_MAX, FollowsEdge, FollowsNode, GapQuantiles, Gaps, Place};
use crate::error::{Error, Result};
use crate::model::{CustomerOrdinal, Millis};
use crate::names::Symbols;

/// A symbol, or either end of a journey: START as what comes before, END as
/// what comes after. No symbol has this number.
const OUTSIDE: u32 = u32::MAX;

/// Bytes that an edge takes besides its customers and gaps, about.
const EDGE_BYTES: u64 = 192;
/// Bytes that a customer takes in the bitmap of an edge, at most about.
const CUSTOMER_BYTES: u64 = 4;
/// Bytes of a gap that is kept.
const GAP_BYTES: u64 = 8;

#[derive(Debug)]
struct EdgeSum {
    from: u32,
    to: u32,
    count: u64,
    customers: RoaringBitmap,
    /// Who was added last: a bitmap need not be asked again.
    last: Option<CustomerOrdinal>,
    gaps: Option<Gaps>,
    /// Every gap, where they are kept.
    each: Vec<Millis>,
}

/// Adds up journeys to a directly-follows graph, for callers that choose the
/// journeys themselves. Any order of journeys gives the same graph.
///
/// Only edges are added up: every interaction ends exactly one, from the
/// value before it or from START, so that values follow from them.
#[derive(Debug)]
pub struct FollowsBuilder {
    edges: HashTable<EdgeSum>,
    keeps_gaps: bool,
    bytes: u64,
    pub(super) edges_max: usize,
}

impl Default for FollowsBuilder {
    fn default() -> Self {
        Self { edges: HashTable::new(), keeps_gaps: false, bytes: 0, edges_max: FOLLOWS_EDGES_MAX }
    }
}

fn hash(from: u32, to: u32) -> u64 {
    let mixed = (u64::from(from) << 32 | u64::from(to)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}

impl FollowsBuilder {
    /// One that keeps every gap, 8 bytes each, so that quantiles can be taken of them.
    pub fn keeping_gaps() -> Self {
        Self { keeps_gaps: true, ..Self::default() }
    }

    /// Adds one journey: symbols and times in total order. One without a
    /// symbol adds nothing.
    ///
    /// # Errors
    /// [`Error::Limit`] past [`FOLLOWS_EDGES_MAX`] distinct edges.
    pub fn add(
        &mut self,
        customer: CustomerOrdinal,
        steps: impl IntoIterator<Item = (u32, Millis)>,
    ) -> Result<()> {
        let mut last: Option<(u32, Millis)> = None;
        for (symbol, time) in steps {
            match last {
                Some((before, at)) => self.follow(customer, before, symbol, Some(time.saturating_sub(at)))?,
                None => self.follow(customer, OUTSIDE, symbol, None)?,
            }
            last = Some((symbol, time));
        }
        match last {
            Some((symbol, _)) => self.follow(customer, symbol, OUTSIDE, None),
            None => Ok(()),
        }
    }

    fn follow(&mut self, customer: CustomerOrdinal, from: u32, to: u32, gap: Option<Millis>) -> Result<()> {
        let keeps_gaps = self.keeps_gaps;
        let mut bytes = 0;
        let sum = self.edge(from, to)?;
        sum.count += 1;
        if sum.last != Some(customer) {
            bytes += if sum.customers.insert(customer) { CUSTOMER_BYTES } else { 0 };
            sum.last = Some(customer);
        }
        if let Some(gap) = gap {
            let gaps = sum.gaps.get_or_insert(Gaps { total_ms: 0, min_ms: gap, max_ms: gap });
            gaps.total_ms += i128::from(gap);
            gaps.min_ms = gaps.min_ms.min(gap);
            gaps.max_ms = gaps.max_ms.max(gap);
            if keeps_gaps {
                sum.each.push(gap);
                bytes += GAP_BYTES;
            }
        }
        self.bytes += bytes;
        Ok(())
    }

    fn edge(&mut self, from: u32, to: u32) -> Result<&mut EdgeSum> {
        let known = self.edges.len();
        match self.edges.entry(hash(from, to), |e| e.from == from && e.to == to, |e| hash(e.from, e.to)) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(_) if known >= self.edges_max => Err(Error::Limit {
                what: "distinct edges of a directly-follows graph",
                value: known as u64 + 1,
                limit: self.edges_max as u64,
            }),
            Entry::Vacant(entry) => {
                self.bytes += EDGE_BYTES;
                let customers = RoaringBitmap::new();
                let sum = EdgeSum { from, to, count: 0, customers, last: None, gaps: None, each: Vec::new() };
                Ok(entry.insert(sum).into_mut())
            }
        }
    }

    /// Adds what another builder has added up; `rename` answers this one's
    /// symbol for one of the other's.
    ///
    /// # Errors
    /// [`Error::Limit`] past [`FOLLOWS_EDGES_MAX`] distinct edges.
    pub fn merge(&mut self, other: Self, rename: impl Fn(u32) -> u32) -> Result<()> {
        let here = |symbol: u32| if symbol == OUTSIDE { OUTSIDE } else { rename(symbol) };
        for more in other.edges {
            let sum = self.edge(here(more.from), here(more.to))?;
            sum.count += more.count;
            let before = sum.customers.len();
            sum.customers |= more.customers;
            let bytes = CUSTOMER_BYTES * (sum.customers.len() - before) + GAP_BYTES * more.each.len() as u64;
            sum.gaps = match (sum.gaps, more.gaps) {
                (Some(a), Some(b)) => Some(Gaps {
                    total_ms: a.total_ms + b.total_ms,
                    min_ms: a.min_ms.min(b.min_ms),
                    max_ms: a.max_ms.max(b.max_ms),
                }),
                (a, b) => a.or(b),
            };
            if sum.each.is_empty() {
                sum.each = more.each;
            } else {
                sum.each.extend(more.each);
            }
            self.bytes += bytes;
        }
        Ok(())
    }

    /// The symbols that were added, ascending.
    pub fn symbols(&self) -> Vec<u32> {
        let mut symbols: Vec<u32> =
            self.edges.iter().map(|edge| edge.to).filter(|&symbol| symbol != OUTSIDE).collect();
        symbols.sort_unstable();
        symbols.dedup();
        symbols
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The graph of what was added; `symbols` is the dictionary of the
    /// attribute called `attribute`.
    pub fn finish(self, attribute: &str, symbols: &Symbols) -> DirectlyFollows {
        self.finish_with(attribute, |symbol| symbols.get(symbol), |_| None)
    }

    /// The graph of what was added, for callers with names of their own.
    /// `name` answers the value of a symbol, a different one for each;
    /// `quantiles` is asked once an edge between values, about its gaps where
    /// they were kept.
    pub fn finish_with<'n>(
        self,
        attribute: &str,
        name: impl Fn(u32) -> &'n str,
        mut quantiles: impl FnMut(&mut [Millis]) -> Option<GapQuantiles>,
    ) -> DirectlyFollows {
        let mut values: HashMap<u32, (u64, RoaringBitmap)> = HashMap::new();
        let (mut journeys, mut everybody) = (0, RoaringBitmap::new());
        for edge in &self.edges {
            if edge.from == OUTSIDE {
                journeys += edge.count;
                everybody |= &edge.customers;
            }
            if edge.to != OUTSIDE {
                let (occurrences, customers) = values.entry(edge.to).or_default();
                *occurrences += edge.count;
                *customers |= &edge.customers;
            }
        }
        let mut values: Vec<(u32, (u64, RoaringBitmap))> = values.into_iter().collect();
        values.sort_unstable_by(|(a, _), (b, _)| name(*a).cmp(name(*b)).then(a.cmp(b)));
        let mut graph = DiGraph::with_capacity(values.len() + 2, self.edges.len());
        let end = |place| FollowsNode { place, occurrences: journeys, customers: everybody.clone() };
        let start = graph.add_node(end(Place::Start));
        let mut nodes: HashMap<u32, NodeIndex> = HashMap::with_capacity(values.len());
        for (symbol, (occurrences, customers)) in values {
            let place = Place::Value(name(symbol).to_owned());
            nodes.insert(symbol, graph.add_node(FollowsNode { place, occurrences, customers }));
        }
        let end = graph.add_node(end(Place::End));
        let mut edges: Vec<(NodeIndex, NodeIndex, FollowsEdge)> = self
            .edges
            .into_iter()
            .map(|mut sum| {
                let quantiles = if sum.each.is_empty() { None } else { quantiles(&mut sum.each) };
                let edge =
                    FollowsEdge { count: sum.count, customers: sum.customers, gaps: sum.gaps, quantiles };
                let from = nodes.get(&sum.from).copied().unwrap_or(start);
                (from, nodes.get(&sum.to).copied().unwrap_or(end), edge)
            })
            .collect();
        edges.sort_unstable_by_key(|(from, to, _)| (*from, *to));
        for (from, to, edge) in edges {
            graph.add_edge(from, to, edge);
        }
        DirectlyFollows { attribute: attribute.to_owned(), graph }
    }
}
