//! The directly-follows graph: which value comes after which, over all journeys.

mod builder;
mod cheapest;
mod edge_rows;

use petgraph::algo::dominators::simple_fast;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use roaring::RoaringBitmap;

use self::edge_rows::{drawn_edge, drawn_place};
use super::drawing::{Datum, Drawing};
use crate::Snapshot;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::model::Millis;
use crate::schema::{AttrId, AttrType, Subject};

pub use builder::FollowsBuilder;
pub use cheapest::Hop;
pub use edge_rows::{EdgeRow, edges_to_dot, edges_to_graphml};

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

/// The gaps along an edge, exactly; the total gives the mean. A median needs
/// every gap at hand and so grows with the data: see [`GapQuantiles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gaps {
    /// Their sum in ms.
    pub total_ms: i128,
    /// The shortest in ms.
    pub min_ms: Millis,
    /// The longest in ms.
    pub max_ms: Millis,
}

/// Quantiles of the gaps along an edge, where they were kept
/// ([`FollowsBuilder::keeping_gaps`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapQuantiles {
    /// The median in ms.
    pub median_ms: Millis,
    /// The 95th percentile in ms.
    pub p95_ms: Millis,
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
    /// Quantiles of the same, where they were kept.
    pub quantiles: Option<GapQuantiles>,
}

/// Values that lead back to each other, and what goes round among them.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowsLoop<'g> {
    /// The values, ascending.
    pub values: Vec<&'g str>,
    /// How often one of them came directly after one of them.
    pub occurrences: u64,
    /// Whom that happened to.
    pub customers: RoaringBitmap,
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

    /// Every edge with its ends, ascending by them.
    pub fn edges(&self) -> impl Iterator<Item = (&Place, &Place, &FollowsEdge)> {
        let place = |node| self.graph.node_weight(node).map(|node| &node.place);
        self.graph
            .edge_references()
            .filter_map(move |edge| Some((place(edge.source())?, place(edge.target())?, edge.weight())))
    }

    /// What there is of a value, where any interaction has it.
    pub fn node(&self, value: &str) -> Option<&FollowsNode> {
        self.graph.node_weight(self.find(value)?)
    }

    /// The loops: each set of values that lead back to each other, and each
    /// value that follows itself. Values ascend, and loops by their first.
    ///
    /// These are the strongly connected components with a cycle, by Kosaraju's
    /// algorithm: petgraph's of Tarjan recurses once a node, and a deep graph
    /// would take the stack.
    pub fn loops(&self) -> Vec<FollowsLoop<'_>> {
        let mut component: Vec<usize> = vec![0; self.graph.node_count()];
        let mut loops = Vec::new();
        for (number, mut nodes) in kosaraju_scc(&self.graph).into_iter().enumerate() {
            // Nodes ascend as their values do.
            nodes.sort_unstable();
            for node in &nodes {
                if let Some(of) = component.get_mut(node.index()) {
                    *of = number;
                }
            }
            let values = nodes.into_iter().filter_map(|node| self.value(node)).collect();
            loops.push(FollowsLoop { values, occurrences: 0, customers: RoaringBitmap::new() });
        }
        for edge in self.graph.edge_references() {
            let of = |node: NodeIndex| component.get(node.index()).copied();
            if let (Some(from), Some(to)) = (of(edge.source()), of(edge.target()))
                && from == to
                && let Some(inside) = loops.get_mut(from)
            {
                inside.occurrences += edge.weight().count;
                inside.customers |= &edge.weight().customers;
            }
        }
        // A value alone that never follows itself goes round nowhere.
        loops.retain(|found| found.occurrences > 0);
        loops.sort_unstable_by(|a, b| a.values.cmp(&b.values));
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
    /// and, between values, `gap_mean_ms`, `gap_min_ms` and `gap_max_ms`, and
    /// `gap_median_ms` and `gap_p95_ms` where gaps were kept.
    pub fn to_graphml(&self) -> String {
        self.drawing().graphml()
    }

    fn drawing(&self) -> Drawing {
        let node = |node: &FollowsNode| {
            let mut drawn = drawn_place(&node.place);
            drawn.label.push_str(&format!("\n{} ({} customers)", node.occurrences, node.customers.len()));
            drawn.data.extend([
                ("occurrences".into(), Datum::count(node.occurrences)),
                ("customers".into(), Datum::count(node.customers.len())),
            ]);
            drawn
        };
        let edge = |edge: &FollowsEdge| {
            let (median, p95) = edge.quantiles.map(|q| (q.median_ms, q.p95_ms)).unzip();
            drawn_edge(edge.count, Some(edge.customers.len()), edge.gaps.zip(edge.mean_gap_ms()), median, p95)
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
