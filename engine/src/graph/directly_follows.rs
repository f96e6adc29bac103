//! The directly-follows graph: which value comes after which, over all journeys.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use petgraph::algo::dominators::simple_fast;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use roaring::RoaringBitmap;

use super::drawing::{Datum, Drawing, Drawn};
use super::wording::gap;
use crate::Snapshot;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::model::{CustomerOrdinal, Millis};
use crate::names::Symbols;
use crate::schema::{AttrId, AttrType, Subject};

/// Most distinct edges of a directly-follows graph; more is no longer a map.
pub const FOLLOWS_EDGES_MAX: usize = 1 << 20;

/// Where a node of the graph stands in a journey.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Before the first value of a journey.
    Start,
    /// A value of the attribute.
    Value(String),
    /// After the last value of a journey.
    End,
}

impl Place {
    /// The value, or `START` and `END`.
    pub fn label(&self) -> &str {
        match self {
            Self::Start => "START",
            Self::Value(value) => value,
            Self::End => "END",
        }
    }
}

/// A value, and who had it.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowsNode {
    /// The value, or one end of journeys.
    pub place: Place,
    /// Interactions with the value; for the ends, journeys.
    pub occurrences: u64,
    /// Who had it.
    pub customers: RoaringBitmap,
}

/// The gaps along an edge, exactly. A median would need every gap at hand and
/// so grow with the data; the total gives the mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gaps {
    /// Their sum in ms.
    pub total_ms: i128,
    /// The shortest in ms.
    pub min_ms: Millis,
    /// The longest in ms.
    pub max_ms: Millis,
}

/// One value directly after another.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowsEdge {
    /// How often.
    pub count: u64,
    /// By whom.
    pub customers: RoaringBitmap,
    /// After how long; `None` for edges from START and to END, which take no time.
    pub gaps: Option<Gaps>,
}

impl FollowsEdge {
    /// The mean gap in ms.
    pub fn mean_gap_ms(&self) -> Option<f64> {
        self.gaps.filter(|_| self.count > 0).map(|gaps| gaps.total_ms as f64 / self.count as f64)
    }
}

/// Which value of an attribute comes directly after which, over all journeys,
/// with START before the first and END after the last of each.
///
/// Nodes are START, the values ascending by bytes, END; edges ascend by their
/// nodes. Memory follows the distinct edges (at most [`FOLLOWS_EDGES_MAX`]) and
/// their customers' bitmaps, not the interactions. Source: van der Aalst,
/// *Process Mining*, 2nd edition, 2016, chapter 6.
#[derive(Clone, Debug)]
pub struct DirectlyFollows {
    attribute: String,
    graph: DiGraph<FollowsNode, FollowsEdge>,
}

/// The directly-follows graph by a symbol attribute of interactions, over
/// every journey of a snapshot, one unit in memory at a time.
///
/// Interactions without a value are passed over: the values around one follow
/// each other, with the gap between their own times.
///
/// # Errors
/// [`Error::Invalid`] for another kind of attribute, [`Error::Limit`] past
/// [`FOLLOWS_EDGES_MAX`], [`Error::Damaged`] as [`Snapshot::read`].
pub fn directly_follows(snapshot: &Snapshot, attr: AttrId) -> Result<DirectlyFollows> {
    let attribute = snapshot
        .schema()
        .get(attr)
        .filter(|attribute| attribute.subject == Subject::Interaction && attribute.ty == AttrType::Symbol)
        .ok_or_else(|| Error::invalid("a directly-follows graph needs a symbol attribute of interactions"))?;
    let mut builder = FollowsBuilder::default();
    for unit in 0..snapshot.units().len() {
        let block = snapshot.read(unit, &[attr])?;
        let Some(Column::Symbol { codes, dictionary }) = block.column(attr) else { continue };
        for (place, &customer) in block.customers.iter().enumerate() {
            let rows = block.journey(place);
            let codes = codes.get(rows.clone()).unwrap_or_default();
            let times = block.times.get(rows).unwrap_or_default();
            let steps = codes
                .iter()
                .zip(times)
                .filter_map(|(&code, &time)| Some((*dictionary.get(code.checked_sub(1)? as usize)?, time)));
            builder.add(customer, steps)?;
        }
    }
    Ok(builder.finish(&attribute.name, &snapshot.symbols(attr)))
}

/// A symbol, or either end of a journey: START as what comes before, END as
/// what comes after. No symbol has this number.
const OUTSIDE: u32 = u32::MAX;

#[derive(Debug)]
struct Sum<T> {
    count: u64,
    customers: RoaringBitmap,
    /// Who was added last: a bitmap need not be asked again.
    last: Option<CustomerOrdinal>,
    more: T,
}

impl<T> Sum<T> {
    fn new(more: T) -> Self {
        Self { count: 0, customers: RoaringBitmap::new(), last: None, more }
    }

    fn add(&mut self, customer: CustomerOrdinal) {
        self.count += 1;
        if self.last != Some(customer) {
            self.customers.insert(customer);
            self.last = Some(customer);
        }
    }
}

/// Adds up journeys to a directly-follows graph, for callers that choose the
/// journeys themselves. Any order of journeys gives the same graph.
#[derive(Debug)]
pub struct FollowsBuilder {
    nodes: HashMap<u32, Sum<()>>,
    journeys: Sum<()>,
    edges: HashMap<(u32, u32), Sum<Option<Gaps>>>,
    edges_max: usize,
}

impl Default for FollowsBuilder {
    fn default() -> Self {
        Self {
            nodes: HashMap::new(),
            journeys: Sum::new(()),
            edges: HashMap::new(),
            edges_max: FOLLOWS_EDGES_MAX,
        }
    }
}

impl FollowsBuilder {
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
            self.nodes.entry(symbol).or_insert_with(|| Sum::new(())).add(customer);
            match last {
                Some((before, at)) => self.follow(customer, before, symbol, Some(time.saturating_sub(at)))?,
                None => self.follow(customer, OUTSIDE, symbol, None)?,
            }
            last = Some((symbol, time));
        }
        if let Some((symbol, _)) = last {
            self.follow(customer, symbol, OUTSIDE, None)?;
            self.journeys.add(customer);
        }
        Ok(())
    }

    fn follow(&mut self, customer: CustomerOrdinal, from: u32, to: u32, gap: Option<Millis>) -> Result<()> {
        let edges = self.edges.len();
        let sum = match self.edges.entry((from, to)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if edges >= self.edges_max => {
                return Err(Error::Limit {
                    what: "distinct edges of a directly-follows graph",
                    value: edges as u64 + 1,
                    limit: self.edges_max as u64,
                });
            }
            Entry::Vacant(entry) => entry.insert(Sum::new(None)),
        };
        sum.add(customer);
        if let Some(gap) = gap {
            let gaps = sum.more.get_or_insert(Gaps { total_ms: 0, min_ms: gap, max_ms: gap });
            gaps.total_ms += i128::from(gap);
            gaps.min_ms = gaps.min_ms.min(gap);
            gaps.max_ms = gaps.max_ms.max(gap);
        }
        Ok(())
    }

    /// The graph of what was added; `symbols` is the dictionary of the
    /// attribute called `attribute`.
    pub fn finish(self, attribute: &str, symbols: &Symbols) -> DirectlyFollows {
        let mut values: Vec<(u32, Sum<()>)> = self.nodes.into_iter().collect();
        values.sort_unstable_by(|(a, _), (b, _)| symbols.get(*a).cmp(symbols.get(*b)).then(a.cmp(b)));
        let mut graph = DiGraph::with_capacity(values.len() + 2, self.edges.len());
        let journeys = |place| FollowsNode {
            place,
            occurrences: self.journeys.count,
            customers: self.journeys.customers.clone(),
        };
        let start = graph.add_node(journeys(Place::Start));
        let mut places: HashMap<u32, NodeIndex> = HashMap::with_capacity(values.len());
        for (symbol, sum) in values {
            let place = Place::Value(symbols.get(symbol).to_owned());
            let node = FollowsNode { place, occurrences: sum.count, customers: sum.customers };
            places.insert(symbol, graph.add_node(node));
        }
        let end = graph.add_node(journeys(Place::End));
        let mut edges: Vec<(NodeIndex, NodeIndex, FollowsEdge)> = self
            .edges
            .into_iter()
            .map(|((from, to), sum)| {
                let edge = FollowsEdge { count: sum.count, customers: sum.customers, gaps: sum.more };
                let from = places.get(&from).copied().unwrap_or(start);
                (from, places.get(&to).copied().unwrap_or(end), edge)
            })
            .collect();
        edges.sort_unstable_by_key(|(from, to, _)| (*from, *to));
        for (from, to, edge) in edges {
            graph.add_edge(from, to, edge);
        }
        DirectlyFollows { attribute: attribute.to_owned(), graph }
    }
}

impl DirectlyFollows {
    /// The graph itself, for petgraph's algorithms.
    pub fn graph(&self) -> &DiGraph<FollowsNode, FollowsEdge> {
        &self.graph
    }

    /// The node of a value, where any interaction has it.
    pub fn find(&self, value: &str) -> Option<NodeIndex> {
        self.graph.node_indices().find(|&node| self.value(node) == Some(value))
    }

    /// The edge from one value directly to another, where there is one.
    pub fn edge(&self, from: &str, to: &str) -> Option<&FollowsEdge> {
        let edge = self.graph.find_edge(self.find(from)?, self.find(to)?)?;
        self.graph.edge_weight(edge)
    }

    /// The loops: each set of values that lead back to each other, and each
    /// value that follows itself. Values ascend, and sets by their first.
    ///
    /// These are the strongly connected components with a cycle, by Kosaraju's
    /// algorithm: petgraph's of Tarjan recurses once a node, and a deep graph
    /// would take the stack.
    pub fn loops(&self) -> Vec<Vec<&str>> {
        let mut loops: Vec<Vec<&str>> = kosaraju_scc(&self.graph)
            .into_iter()
            .filter(|nodes| match nodes.as_slice() {
                [alone] => self.graph.find_edge(*alone, *alone).is_some(),
                _ => true,
            })
            .map(|mut nodes| {
                // Nodes ascend as their values do.
                nodes.sort_unstable();
                nodes.into_iter().filter_map(|node| self.value(node)).collect()
            })
            .collect();
        loops.sort_unstable();
        loops
    }

    /// The values that every path from START to `value` passes, in the order
    /// they are passed; `None` where no interaction has the value.
    ///
    /// A path here may mix the steps of several customers, so each of these
    /// values did come before the first `value` in every journey that has it.
    /// Source: Cooper, Harvey and Kennedy, *A Simple, Fast Dominance
    /// Algorithm*, 2001.
    pub fn dominators(&self, value: &str) -> Option<Vec<&str>> {
        let node = self.find(value)?;
        let dominators = simple_fast(&self.graph, NodeIndex::new(0));
        let mut passed: Vec<&str> =
            dominators.strict_dominators(node)?.filter_map(|node| self.value(node)).collect();
        passed.reverse();
        Some(passed)
    }

    fn value(&self, node: NodeIndex) -> Option<&str> {
        match &self.graph.node_weight(node)?.place {
            Place::Value(value) => Some(value),
            Place::Start | Place::End => None,
        }
    }

    /// The graph in Graphviz' DOT language.
    pub fn to_dot(&self) -> String {
        self.drawing().dot(&self.attribute)
    }

    /// The graph as GraphML. Nodes carry `type` (`start`, `value`, `end`),
    /// `name`, `occurrences` and `customers`; edges carry `count`, `customers`,
    /// and, between values, `gap_mean_ms`, `gap_min_ms` and `gap_max_ms`.
    pub fn to_graphml(&self) -> String {
        self.drawing().graphml()
    }

    fn drawing(&self) -> Drawing {
        let node = |node: &FollowsNode| {
            let (ty, style) = match node.place {
                Place::Start => ("start", "shape=circle"),
                Place::Value(_) => ("value", "shape=box"),
                Place::End => ("end", "shape=doublecircle"),
            };
            let label = node.place.label();
            Drawn {
                label: format!("{label}\n{} ({} customers)", node.occurrences, node.customers.len()),
                style,
                data: vec![
                    ("type".into(), Datum::Text(ty.into())),
                    ("name".into(), Datum::Text(label.into())),
                    ("occurrences".into(), Datum::count(node.occurrences)),
                    ("customers".into(), Datum::count(node.customers.len())),
                ],
            }
        };
        let edge = |edge: &FollowsEdge| {
            let mut drawn = Drawn {
                label: edge.count.to_string(),
                style: "",
                data: vec![
                    ("count".into(), Datum::count(edge.count)),
                    ("customers".into(), Datum::count(edge.customers.len())),
                ],
            };
            if let (Some(gaps), Some(mean)) = (edge.gaps, edge.mean_gap_ms()) {
                drawn.label.push_str(&format!("\nmean {}", gap(mean as Millis)));
                drawn.data.push(("gap_mean_ms".into(), Datum::Double(mean)));
                drawn.data.push(("gap_min_ms".into(), Datum::Long(gaps.min_ms)));
                drawn.data.push(("gap_max_ms".into(), Datum::Long(gaps.max_ms)));
            }
            drawn
        };
        Drawing {
            nodes: self.graph.node_weights().map(node).collect(),
            edges: self
                .graph
                .edge_references()
                .map(|e| (e.source().index(), e.target().index(), edge(e.weight())))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
