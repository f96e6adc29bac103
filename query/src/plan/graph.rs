//! GRAPH: the directly-follows graph of the journeys in hand, its loops, a
//! cheapest way through it, and what everybody passes. The graph and what is
//! computed on it are the engine's (petgraph).

mod why_not;

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;
use throughline_engine::graph::{DirectlyFollows, FollowsBuilder, FollowsEdge, GapQuantiles};
use throughline_engine::{AttrId, AttrType, Attribute};

use super::flow::Flow;
use super::nodes::{NodeTable, node_attribute, nodes_of, texts_bytes};
use super::operator::{Asked, Counted, Operator, Passed, Reason, Total, Wanted, Work, Worker};
use super::split::LeftOut;
use crate::diagnostics::Diagnostic;
use crate::rows::{
    Cell, Env, QueryLimit, RowBatch, RowColumn, RowSchema, RowType, Sets, quantile, text_of, unknown_value,
};
use crate::syntax::ast::{self, Lit};

/// GRAPH, resolved.
#[derive(Clone, Debug)]
pub(crate) struct GraphOperator {
    by: Attribute,
    compute: Compute,
    schema: RowSchema,
    attrs: Vec<Option<AttrId>>,
}

#[derive(Clone, Debug)]
enum Compute {
    Edges,
    Loops,
    /// From one value to another.
    Cheapest(Arc<str>, Arc<str>),
    /// Of a value.
    Dominators(Arc<str>),
}

impl Compute {
    /// The columns of its rows, and the place of `customers` among them.
    fn columns(&self) -> (Vec<(&'static str, RowType)>, usize) {
        match self {
            Self::Edges => (
                vec![
                    ("from", RowType::Text),
                    ("to", RowType::Text),
                    ("count", RowType::Int),
                    ("customers", RowType::Int),
                    ("median", RowType::Duration),
                    ("p95", RowType::Duration),
                ],
                3,
            ),
            Self::Loops => (
                vec![
                    ("values", RowType::List(Box::new(RowType::Text))),
                    ("occurrences", RowType::Int),
                    ("customers", RowType::Int),
                ],
                2,
            ),
            Self::Cheapest(..) => (
                vec![
                    ("hop", RowType::Int),
                    ("from", RowType::Text),
                    ("to", RowType::Text),
                    ("median", RowType::Duration),
                    ("total", RowType::Duration),
                    ("count", RowType::Int),
                    ("customers", RowType::Int),
                ],
                6,
            ),
            Self::Dominators(_) => (
                vec![
                    ("place", RowType::Int),
                    ("value", RowType::Text),
                    ("customers", RowType::Int),
                    ("share", RowType::Float),
                ],
                2,
            ),
        }
    }
}

/// A row on its way: its cells, and the customers behind it.
type Row = (Vec<Cell>, RoaringBitmap);

fn count(number: u64) -> Cell {
    Cell::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The gaps of an edge, to the nearest millisecond.
fn quantiles(gaps: &mut [i64]) -> Option<GapQuantiles> {
    Some(GapQuantiles { median_ms: quantile(gaps, 0.5)?, p95_ms: quantile(gaps, 0.95)? })
}

fn median_of(edge: &FollowsEdge) -> u64 {
    edge.quantiles.and_then(|quantiles| u64::try_from(quantiles.median_ms).ok()).unwrap_or(0)
}

impl GraphOperator {
    /// Resolves the attribute and the values asked about.
    pub(crate) fn compile(graph: &ast::Graph, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<Self> {
        let by = node_attribute(&graph.by, env, sink)?;
        let mut value = |lit: &Lit| {
            let text = text_of(lit, env, sink)?;
            // Other values have no dictionary to be looked up in.
            if by.ty == AttrType::Symbol && env.snapshot.find_symbol(by.id, &text).is_none() {
                sink.push(unknown_value(by.id, &text, lit.span, env));
            }
            Some(text)
        };
        let compute = match &graph.compute {
            ast::GraphCompute::Edges => Compute::Edges,
            ast::GraphCompute::Loops => Compute::Loops,
            ast::GraphCompute::Cheapest(from, to) => {
                let (from, to) = (value(from), value(to));
                Compute::Cheapest(from?, to?)
            }
            ast::GraphCompute::Dominators(of) => Compute::Dominators(value(of)?),
        };
        let columns: Vec<RowColumn> = compute
            .columns()
            .0
            .into_iter()
            .map(|(name, ty)| RowColumn { name: name.to_owned(), ty })
            .collect();
        let attrs = vec![None; columns.len()];
        Some(Self { by, compute, schema: RowSchema { columns }, attrs })
    }

    /// Whether somebody looks at medians.
    fn keeps_gaps(&self, wanted: Wanted<'_>) -> bool {
        match self.compute {
            Compute::Edges => wanted.column(4) || wanted.column(5),
            Compute::Cheapest(..) => true,
            Compute::Loops | Compute::Dominators(_) => false,
        }
    }

    fn rows(&self, graph: &DirectlyFollows, env: &Env) -> Vec<Row> {
        match &self.compute {
            Compute::Edges => edges(graph),
            Compute::Loops => loops(graph),
            Compute::Cheapest(from, to) => self.cheapest(graph, from, to, env),
            Compute::Dominators(of) => self.dominators(graph, of, env),
        }
    }

    /// Whether a value is in the graph; a note says so where it is not.
    fn occurs(&self, graph: &DirectlyFollows, value: &str, env: &Env) -> bool {
        let occurs = graph.find(value).is_some();
        if !occurs {
            env.note(format!("no interaction in sight has the {} '{value}'", self.by.name));
        }
        occurs
    }

    fn cheapest(&self, graph: &DirectlyFollows, from: &str, to: &str, env: &Env) -> Vec<Row> {
        if !self.occurs(graph, from, env) || !self.occurs(graph, to, env) {
            return Vec::new();
        }
        let Some(hops) = graph.cheapest(from, to, median_of) else {
            env.note(format!("no way leads from '{from}' to '{to}'"));
            return Vec::new();
        };
        let mut total: i64 = 0;
        let hops = (1..).zip(hops).map(|(number, hop)| {
            let median = hop.edge.quantiles.map_or(0, |quantiles| quantiles.median_ms);
            total = total.saturating_add(median);
            let cells = vec![
                Cell::Int(number),
                Cell::text(hop.from),
                Cell::text(hop.to),
                Cell::Duration(median),
                Cell::Duration(total),
                count(hop.edge.count),
                count(hop.edge.customers.len()),
            ];
            (cells, hop.edge.customers.clone())
        });
        hops.collect()
    }

    fn dominators(&self, graph: &DirectlyFollows, of: &str, env: &Env) -> Vec<Row> {
        if !self.occurs(graph, of, env) {
            return Vec::new();
        }
        let Some(asked) = graph.node(of) else { return Vec::new() };
        let passed = graph.dominators(of).unwrap_or_default();
        if passed.is_empty() {
            env.note(format!("nothing comes before '{of}' in every journey that has it"));
        }
        let nodes = passed.into_iter().filter_map(|value| Some((value, graph.node(value)?)));
        (1..)
            .zip(nodes)
            .map(|(place, (value, node))| {
                let (all, both) = (node.customers.len(), node.customers.intersection_len(&asked.customers));
                let share = if all == 0 { Cell::Null } else { Cell::Float(both as f64 / all as f64) };
                let cells = vec![Cell::Int(place), Cell::text(value), count(all), share];
                (cells, node.customers.clone())
            })
            .collect()
    }
}

/// A row an edge: the most frequent first, then by their ends.
fn edges(graph: &DirectlyFollows) -> Vec<Row> {
    let mut edges: Vec<_> = graph.edges().collect();
    edges.sort_by(|(a_from, a_to, a), (b_from, b_to, b)| {
        let names = (a_from.label(), a_to.label()).cmp(&(b_from.label(), b_to.label()));
        b.count.cmp(&a.count).then(names)
    });
    let mut texts: HashMap<&str, Arc<str>> = HashMap::new();
    let rows = edges.into_iter().map(|(from, to, edge)| {
        let mut text = |label| Cell::Str(texts.entry(label).or_insert_with(|| label.into()).clone());
        let length = |length: Option<i64>| length.map_or(Cell::Null, Cell::Duration);
        let cells = vec![
            text(from.label()),
            text(to.label()),
            count(edge.count),
            count(edge.customers.len()),
            length(edge.quantiles.map(|quantiles| quantiles.median_ms)),
            length(edge.quantiles.map(|quantiles| quantiles.p95_ms)),
        ];
        (cells, edge.customers.clone())
    });
    rows.collect()
}

/// A row a loop: the most frequent first, then by their values.
fn loops(graph: &DirectlyFollows) -> Vec<Row> {
    let mut loops = graph.loops();
    // Of equally frequent ones the order by values stays.
    loops.sort_by_key(|found| std::cmp::Reverse(found.occurrences));
    let rows = loops.into_iter().map(|found| {
        let values = found.values.iter().map(|value| Cell::text(value)).collect();
        (vec![Cell::List(values), count(found.occurrences), count(found.customers.len())], found.customers)
    });
    rows.collect()
}

impl Operator for GraphOperator {
    fn schema(&self) -> &RowSchema {
        &self.schema
    }

    fn attrs(&self) -> &[Option<AttrId>] {
        &self.attrs
    }

    fn reads(&self, _needed: &[bool]) -> Vec<AttrId> {
        vec![self.by.id]
    }

    fn worker<'a>(&'a self, wanted: Wanted<'a>) -> Box<dyn Worker + 'a> {
        Box::new(GraphWorker { operator: self, keeps_gaps: self.keeps_gaps(wanted) })
    }

    fn total(&self) -> Option<Box<dyn Total + '_>> {
        Some(Box::new(GraphTotal {
            operator: self,
            builder: FollowsBuilder::default(),
            nodes: NodeTable::new(&self.by),
            counted: Counted::default(),
            failure: None,
        }))
    }

    fn notes(&self, passed: &Passed) -> Vec<String> {
        let left = LeftOut { seen: passed.seen, without: passed.keyless };
        left.note(std::slice::from_ref(&self.by.name)).into_iter().collect()
    }

    /// Ways, loops and dominators are those of the whole graph.
    fn joins_customers(&self) -> bool {
        !matches!(self.compute, Compute::Edges)
    }

    fn why_not(&self, asked: &Asked<'_>) -> Vec<Reason> {
        self.reasons(asked)
    }

    fn explain(&self) -> (&'static str, String) {
        let what = match &self.compute {
            Compute::Edges => "its edges".to_owned(),
            Compute::Loops => "its loops, by strongly connected components".to_owned(),
            Compute::Cheapest(from, to) => {
                format!("the cheapest way from '{from}' to '{to}' by medians, by Dijkstra's algorithm")
            }
            Compute::Dominators(of) => format!("what every way to '{of}' passes, by dominators"),
        };
        ("GRAPH", format!("the directly-follows graph by {}; {what}", self.by.name))
    }
}

struct GraphWorker<'a> {
    operator: &'a GraphOperator,
    keeps_gaps: bool,
}

/// What one unit adds to a graph.
struct GraphPart {
    builder: FollowsBuilder,
    texts: Option<Vec<Arc<str>>>,
    bytes: u64,
}

impl Worker for GraphWorker<'_> {
    fn work(&mut self, flow: &Flow, env: &Env, passed: &mut Passed) -> Result<Work, QueryLimit> {
        let block = flow.block();
        let nodes = nodes_of(&self.operator.by, flow);
        let mut builder = match self.keeps_gaps {
            true => FollowsBuilder::keeping_gaps(),
            false => FollowsBuilder::default(),
        };
        for journey in (0..block.customers.len()).filter(|&journey| flow.lives(journey)) {
            let rows = block.journey(journey);
            let codes = nodes.codes.get(rows.clone()).unwrap_or_default();
            let times = block.times.get(rows.clone()).unwrap_or_default();
            passed.seen += rows.filter(|&row| flow.sees(row)).count() as u64;
            let steps = codes.iter().zip(times).filter_map(|(&code, &at)| Some((code.checked_sub(1)?, at)));
            builder.add(flow.customer(journey), steps)?;
        }
        // A row in sight has a node or no value.
        let with_a_node = nodes.codes.iter().filter(|code| **code != 0).count() as u64;
        passed.keyless += passed.seen.saturating_sub(with_a_node);
        let bytes = builder.bytes() + texts_bytes(nodes.texts.as_deref());
        env.hold(bytes)?;
        Ok(Work::Part(Box::new(GraphPart { builder, texts: nodes.texts, bytes })))
    }
}

struct GraphTotal<'a> {
    operator: &'a GraphOperator,
    builder: FollowsBuilder,
    nodes: NodeTable,
    counted: Counted,
    failure: Option<throughline_engine::Error>,
}

impl Total for GraphTotal<'_> {
    fn add(&mut self, part: Box<dyn Any + Send>) {
        let Ok(part) = part.downcast::<GraphPart>() else { return };
        self.counted.taken_in(part.bytes);
        let here = self.nodes.renamed(part.texts);
        let merged =
            self.builder.merge(part.builder, |node| here.get(node as usize).copied().unwrap_or(node));
        self.failure = self.failure.take().or(merged.err());
    }

    fn hold(&mut self, env: &Env) -> Result<(), QueryLimit> {
        self.counted.settle(self.builder.bytes() + self.nodes.bytes, env)?;
        self.failure.take().map_or(Ok(()), |error| Err(error.into()))
    }

    fn rows(self: Box<Self>, wanted: Wanted<'_>, env: &Env) -> Result<RowBatch, QueryLimit> {
        let Self { operator, builder, nodes, counted, .. } = *self;
        let symbols = builder.symbols();
        let texts: HashMap<u32, Arc<str>> =
            symbols.into_iter().map(|node| (node, nodes.text(node, env))).collect();
        let text = |node: u32| texts.get(&node).map_or("", |text| &**text);
        let graph = builder.finish_with(&operator.by.name, text, quantiles);
        let rows = operator.rows(&graph, env);
        if wanted.column(operator.compute.columns().1) {
            env.note_overlap(rows.iter().map(|(_, customers)| customers));
        }
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); operator.schema.columns.len()];
        let mut sets = Vec::with_capacity(rows.len());
        for (cells, customers) in rows {
            columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
            sets.push(customers);
        }
        counted.release(env);
        Ok(RowBatch { len: sets.len(), columns, sets: Sets::Many(sets), members: None })
    }
}
