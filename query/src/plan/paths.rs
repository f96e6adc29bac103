//! PATHS: which ways journeys take from, to or between steps, and how many
//! take each.

mod why_not;

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Attribute, Role, Snapshot};

use super::flow::Flow;
use super::inflow::Inflow;
use super::nodes::{NodeTable, coded_nodes, node_attribute, nodes_of, texts_bytes};
use super::operator::{Asked, Counted, Operator, Passed, Reason, Total, Wanted, Work, Worker};
use super::pattern::{InSight, PatternPlan, Reading};
use super::split::LeftOut;
use crate::diagnostics::Diagnostic;
use crate::kernels::paths::{CUT, Course, Path, PathSum, PathTable, Rule, UNKNOWN};
use crate::kernels::pattern::Joint;
use crate::rows::cell::order;
use crate::rows::{Cell, Env, QueryLimit, RowBatch, RowColumn, RowSchema, RowType, Sets, count_of, quantile};
use crate::syntax::ast::{self, Edge, Element, ElementKind, PathEnds, Pattern, Span, Step};

/// Most nodes of a path that begins or ends anywhere, unless DEPTH is written.
const DEPTH_DEFAULT: usize = 5;
/// The same for paths between two steps.
const DEPTH_BETWEEN_DEFAULT: usize = 20;

/// What stands in a path for the nodes that DEPTH cut out of its middle.
const CUT_TEXT: &str = "…";
/// The one node of the row of all paths that TOP leaves out.
const OTHER_TEXT: &str = "(other)";

const CUSTOMERS: usize = 2;
const MEDIANS: usize = 5;
const P95S: usize = 6;

/// PATHS, resolved.
#[derive(Clone, Debug)]
pub(crate) struct PathsOperator {
    rule: Rule,
    /// The one step, or the two that paths lie between.
    plan: PatternPlan,
    by: Attribute,
    /// Only so many paths have rows of their own.
    top: Option<usize>,
    schema: RowSchema,
    attrs: Vec<Option<AttrId>>,
}

impl PathsOperator {
    /// Resolves steps, names and options.
    pub(crate) fn compile(
        paths: &ast::Paths,
        keyword: Span,
        inflow: Inflow,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let (course, steps): (Course, Vec<&Step>) = match &paths.between {
            PathEnds::From(from) => (Course::From, vec![from]),
            PathEnds::To(to) => (Course::To, vec![to]),
            PathEnds::Between(from, to) => (Course::Between, vec![from, to]),
        };
        let kind = env.snapshot.schema().role(Role::Kind);
        let reading = Reading {
            operator: "PATHS",
            keyword,
            labels: kind,
            names_alone: false,
            strict: false,
            any_order: false,
            anchor_first: false,
            within: None,
            simultaneous: None,
            started: None,
            inflow,
        };
        let plan = PatternPlan::compile(&pattern_of(&steps), &reading, env, sink);
        let by = match (&paths.by, kind) {
            (Some(name), _) => node_attribute(name, env, sink),
            (None, Some(kind)) => Some(kind.clone()),
            (None, None) => {
                sink.push(
                    Diagnostic::error("E405", keyword, "this store has no attribute in the role of kind")
                        .label("paths of what?")
                        .help("write for example `BY channel`"),
                );
                None
            }
        };
        let depth = match &paths.depth {
            None if course == Course::Between => Some(DEPTH_BETWEEN_DEFAULT),
            None => Some(DEPTH_DEFAULT),
            Some(lit) => match count_of(lit, env, sink) {
                Some(0) => {
                    sink.push(
                        Diagnostic::error("E308", lit.span, "a path has at least one node")
                            .label("below 1")
                            .help("write for example `DEPTH 5`"),
                    );
                    None
                }
                depth => depth,
            },
        };
        let top = match &paths.top {
            Some(lit) => Some(count_of(lit, env, sink)?),
            None => None,
        };
        let list = |ty| RowType::List(Box::new(ty));
        let columns = [
            ("path", list(RowType::Text)),
            ("journeys", RowType::Int),
            ("customers", RowType::Int),
            ("share", RowType::Float),
            ("of", RowType::Int),
            ("medians", list(RowType::Duration)),
            ("p95s", list(RowType::Duration)),
        ];
        let columns: Vec<RowColumn> =
            columns.into_iter().map(|(name, ty)| RowColumn { name: name.to_owned(), ty }).collect();
        let attrs = vec![None; columns.len()];
        Some(Self {
            rule: Rule { course, depth: depth?, collapse: paths.collapse },
            plan: plan?,
            by: by?,
            top,
            schema: RowSchema { columns },
            attrs,
        })
    }

    /// Adds the paths of a unit to `table`; `passed` counts the interactions they run over. A row
    /// has a code, which is its node unless `nodes` tells that of each code.
    fn paths(
        &self,
        table: &mut PathTable,
        (codes, nodes): (&[u32], Option<&[u32]>),
        flow: &Flow,
        wanted: Looked,
        passed: &mut Passed,
        env: &Env,
    ) {
        let mut path = Path::default();
        let block = flow.block();
        let known = !codes.contains(&UNKNOWN);
        let mut add = |journey: usize, path: &mut Path, node: &dyn Fn(usize) -> u32| {
            if let Some(nodes) = nodes {
                for node in path.nodes.iter_mut().filter(|node| **node != CUT) {
                    *node = nodes.get(*node as usize).copied().unwrap_or(UNKNOWN);
                }
            }
            let customer = wanted.customers.then(|| flow.customer(journey));
            table.add(path, customer, wanted.gaps);
            passed.seen += path.span.len() as u64;
            if !known {
                let unknown = |row: &usize| node(*row) == UNKNOWN && !self.rule.names(*row, &path.span);
                passed.keyless += path.span.clone().filter(unknown).count() as u64;
            }
        };
        let joint = self.plan.rule.steps.iter().any(|step| step.names != 0);
        let any = self.plan.is_any();
        let fills = if any || joint { None } else { self.plan.codes(flow, env) };
        if flow.visible.is_none() && (any || fills.is_some()) {
            let (steps, fills) = fills.unwrap_or_default();
            let bit = |code: &u32| fills.get(*code as usize).map_or(0, |&step| (1 << step) >> 1);
            for journey in (0..block.customers.len()).filter(|&journey| flow.lives(journey)) {
                let rows = block.journey(journey);
                let (steps, times) = (steps.get(rows.clone()), block.times.get(rows.clone()));
                let (steps, times) = (steps.unwrap_or_default(), times.unwrap_or_default());
                let codes = codes.get(rows).unwrap_or_default();
                let node = |row: usize| codes.get(row).copied().unwrap_or(UNKNOWN);
                let time = |row: usize| times.get(row).copied().unwrap_or(0);
                let class = |row: usize| if any { 1 } else { steps.get(row).map_or(0, bit) };
                let found = match wanted.gaps {
                    true => self.rule.path_of::<true>(codes.len(), node, time, class, &mut path),
                    false => self.rule.path_of::<false>(codes.len(), node, time, class, &mut path),
                };
                if found {
                    add(journey, &mut path, &node);
                }
            }
            return;
        }
        let sight = self.plan.sight(flow, env);
        for view in (0..block.customers.len()).filter_map(|journey| sight.journey(journey)) {
            let rows = view.rows();
            let beside = self.beside(&view, rows.classes, env);
            let classes = beside.as_deref().unwrap_or(rows.classes);
            let node = |row: usize| codes.get(view.row(row as u32)).copied().unwrap_or(UNKNOWN);
            let time = |row: usize| rows.times.get(row).copied().unwrap_or(0);
            let class = |row: usize| classes.get(row).copied().unwrap_or(0);
            if self.rule.path_of::<true>(rows.classes.len(), node, time, class, &mut path) {
                add(view.journey, &mut path, &node);
            }
        }
    }

    /// The steps that rows fill where the second names the first, which is the
    /// first row that fills it; `None` where it does not.
    fn beside(&self, view: &InSight<'_>, classes: &[u64], env: &Env) -> Option<Vec<u64>> {
        self.plan.rule.steps.get(1).filter(|step| step.names != 0)?;
        let first = classes.iter().position(|class| class & 1 != 0)? as u32;
        let beside = view.beside(env);
        let class = |(row, &class): (usize, &u64)| {
            let fills = class & 2 == 0 || beside.fills(1, row as u32, &[Some(first), None]);
            if fills { class } else { class & !2 }
        };
        Some(classes.iter().enumerate().map(class).collect())
    }
}

/// The steps as a pattern: one after the other.
fn pattern_of(steps: &[&Step]) -> Pattern {
    let element = |step: &&Step| Element {
        kind: ElementKind::Step((*step).clone()),
        quantifier: None,
        span: step.span,
    };
    Pattern {
        elements: steps.iter().map(element).collect(),
        edges: vec![Edge::default(); steps.len().saturating_sub(1)],
        span: steps.iter().map(|step| step.span).reduce(Span::to).unwrap_or_default(),
    }
}

impl Operator for PathsOperator {
    fn schema(&self) -> &RowSchema {
        &self.schema
    }

    fn attrs(&self) -> &[Option<AttrId>] {
        &self.attrs
    }

    fn reads(&self, _needed: &[bool]) -> Vec<AttrId> {
        self.plan.reads().into_iter().chain([self.by.id]).collect()
    }

    /// Those with an interaction for each step.
    fn candidates(&self, snapshot: &Snapshot) -> throughline_engine::Result<Option<RoaringBitmap>> {
        self.plan.candidates(snapshot)
    }

    /// Where an expression is asked of rows it may be of their times.
    fn reads_times(&self, wanted: Wanted<'_>) -> bool {
        let by_value = self.plan.is_any() || self.plan.is_by_value();
        Looked::of(wanted).gaps || !by_value
    }

    fn worker<'a>(&'a self, wanted: Wanted<'a>) -> Box<dyn Worker + 'a> {
        let looked = Looked::of(wanted);
        Box::new(PathsWorker { operator: self, looked, kept: PathTable::default() })
    }

    fn total(&self) -> Option<Box<dyn Total + '_>> {
        Some(Box::new(PathsTotal {
            operator: self,
            table: PathTable::default(),
            nodes: NodeTable::new(&self.by),
            counted: Counted::default(),
        }))
    }

    fn notes(&self, passed: &Passed) -> Vec<String> {
        let left = LeftOut { seen: passed.seen, without: passed.keyless };
        left.note(std::slice::from_ref(&self.by.name)).into_iter().collect()
    }

    fn why_not(&self, asked: &Asked<'_>) -> Vec<Reason> {
        self.reasons(asked)
    }

    fn explain(&self) -> (&'static str, String) {
        let labels: Vec<&str> = self.plan.steps.iter().map(|step| step.label.as_str()).collect();
        let course = match self.rule.course {
            Course::From => format!("from the first {}", labels.join("")),
            Course::To => format!("to the last {}", labels.join("")),
            Course::Between => format!("between {}", labels.join(" and ")),
        };
        let collapsed = if self.rule.collapse { ", repetitions as one" } else { "" };
        let Rule { depth, .. } = self.rule;
        let by = &self.by.name;
        (
            "PATHS",
            format!("{course}, by {by}, up to {depth} nodes{collapsed}; one pass with a table of paths"),
        )
    }
}

/// What of paths somebody looks at besides the number of journeys.
#[derive(Clone, Copy, Debug)]
struct Looked {
    gaps: bool,
    customers: bool,
}

impl Looked {
    fn of(wanted: Wanted<'_>) -> Self {
        Self {
            gaps: wanted.column(MEDIANS) || wanted.column(P95S),
            customers: wanted.column(CUSTOMERS) || wanted.sets,
        }
    }
}

struct PathsWorker<'a> {
    operator: &'a PathsOperator,
    looked: Looked,
    /// The paths of all units so far, where nodes have one number in all.
    kept: PathTable,
}

/// What some units add to paths.
struct PathsPart {
    table: PathTable,
    texts: Option<Vec<Arc<str>>>,
    bytes: u64,
}

impl Worker for PathsWorker<'_> {
    fn work(&mut self, flow: &Flow, env: &Env, passed: &mut Passed) -> Result<Work, QueryLimit> {
        let before = self.kept.bytes;
        if let Some((codes, nodes)) = coded_nodes(&self.operator.by, flow) {
            let coded = (codes, Some(&nodes[..]));
            self.operator.paths(&mut self.kept, coded, flow, self.looked, passed, env);
            env.hold(self.kept.bytes - before)?;
            return Ok(Work::Kept);
        }
        let nodes = nodes_of(&self.operator.by, flow);
        let coded = (&nodes.codes[..], None);
        if nodes.texts.is_none() {
            self.operator.paths(&mut self.kept, coded, flow, self.looked, passed, env);
            env.hold(self.kept.bytes - before)?;
            return Ok(Work::Kept);
        }
        let mut table = PathTable::default();
        self.operator.paths(&mut table, coded, flow, self.looked, passed, env);
        let bytes = table.bytes + texts_bytes(nodes.texts.as_deref());
        env.hold(bytes)?;
        Ok(Work::Part(Box::new(PathsPart { table, texts: nodes.texts, bytes })))
    }

    fn finish(&mut self) -> Option<Box<dyn Any + Send>> {
        let table = std::mem::take(&mut self.kept);
        let bytes = table.bytes;
        (bytes > 0).then(|| -> Box<dyn Any + Send> { Box::new(PathsPart { table, texts: None, bytes }) })
    }
}

struct PathsTotal<'a> {
    operator: &'a PathsOperator,
    table: PathTable,
    nodes: NodeTable,
    counted: Counted,
}

impl Total for PathsTotal<'_> {
    fn add(&mut self, part: Box<dyn Any + Send>) {
        let Ok(part) = part.downcast::<PathsPart>() else { return };
        self.counted.taken_in(part.bytes);
        let here = self.nodes.renamed(part.texts);
        self.table.merge(part.table, |node| here.get(node as usize).copied().unwrap_or(node));
    }

    fn hold(&mut self, env: &Env) -> Result<(), QueryLimit> {
        self.counted.settle(self.table.bytes + self.nodes.bytes, env)
    }

    fn rows(self: Box<Self>, wanted: Wanted<'_>, env: &Env) -> Result<RowBatch, QueryLimit> {
        let Self { operator, table, nodes, counted } = *self;
        let mut paths = table.into_paths();
        let texts = Texts::new(&paths, &nodes, env);
        paths.sort_unstable_by(|a, b| b.journeys.cmp(&a.journeys).then_with(|| texts.order(a, b)));
        let all: u64 = paths.iter().map(|path| path.journeys).sum();
        let rest = paths.split_off(operator.top.map_or(paths.len(), |top| top.min(paths.len())));
        let mut rows = RowBatch::empty(operator.schema.columns.len());
        let mut sets = Vec::with_capacity(paths.len() + 1);
        let mut push = |path: Cell, journeys: u64, customers: RoaringBitmap, lengths: [Cell; 2]| {
            let share = if all == 0 { Cell::Null } else { Cell::Float(journeys as f64 / all as f64) };
            let [medians, p95s] = lengths;
            let cells = [path, count(journeys), count(customers.len()), share, count(all), medians, p95s];
            rows.columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
            rows.len += 1;
            sets.push(customers);
        };
        for mut path in paths {
            let lengths = match wanted.column(MEDIANS) || wanted.column(P95S) {
                true => lengths(&mut path),
                false => [Cell::Null, Cell::Null],
            };
            push(texts.list(&path), path.journeys, path.customers, lengths);
        }
        if !rest.is_empty() {
            let journeys = rest.iter().map(|path| path.journeys).sum();
            let customers = rest.iter().fold(RoaringBitmap::new(), |all, path| all | &path.customers);
            let path = Cell::List([Cell::text(OTHER_TEXT)].into());
            push(path, journeys, customers, [Cell::Null, Cell::Null]);
        }
        if wanted.column(CUSTOMERS) {
            env.note_overlap(&sets);
        }
        counted.release(env);
        rows.sets = Sets::Many(sets);
        Ok(rows)
    }
}

fn count(number: u64) -> Cell {
    Cell::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The texts of nodes, and their order: NULL after everything.
struct Texts {
    /// By the number in paths: the cell, and its place in the order.
    cells: HashMap<u32, (Cell, usize)>,
}

impl Texts {
    fn new(paths: &[PathSum], nodes: &NodeTable, env: &Env) -> Self {
        let mut cells: HashMap<u32, (Cell, usize)> = HashMap::new();
        for &node in paths.iter().flat_map(|path| path.nodes.iter()) {
            cells.entry(node).or_insert_with(|| {
                let cell = match node {
                    UNKNOWN => Cell::Null,
                    CUT => Cell::text(CUT_TEXT),
                    node => Cell::Str(nodes.text(node - 1, env)),
                };
                (cell, 0)
            });
        }
        let mut places: Vec<(u32, &mut (Cell, usize))> =
            cells.iter_mut().map(|(node, cell)| (*node, cell)).collect();
        // The mark of a cut comes after a value that reads the same.
        places.sort_unstable_by(|(a, x), (b, y)| order(&x.0, &y.0, env).then(a.cmp(b)));
        places.into_iter().enumerate().for_each(|(place, (_, cell))| cell.1 = place);
        Self { cells }
    }

    /// Node by node, the shorter first.
    fn order(&self, a: &PathSum, b: &PathSum) -> std::cmp::Ordering {
        let place = |node: &u32| self.cells.get(node).map(|cell| cell.1);
        a.nodes.iter().map(place).cmp(b.nodes.iter().map(place))
    }

    fn list(&self, path: &PathSum) -> Cell {
        let cell = |node| self.cells.get(node).map_or(Cell::Null, |cell| cell.0.clone());
        Cell::List(path.nodes.iter().map(cell).collect())
    }
}

/// The medians and the 95th percentiles of a path's gaps, one between each two
/// nodes; NULL beside a cut.
fn lengths(path: &mut PathSum) -> [Cell; 2] {
    let between = path.nodes.len().saturating_sub(1);
    // Up to a cut; each journey has as many.
    let known = path.nodes.iter().position(|node| *node == CUT).map_or(between, |cut| cut.saturating_sub(1));
    let mut lists = [Vec::with_capacity(between), Vec::with_capacity(between)];
    for place in 0..between {
        let mut gaps: Vec<i64> = match place < known {
            true => path.gaps.iter().skip(place).step_by(known).copied().collect(),
            false => Vec::new(),
        };
        for (list, q) in lists.iter_mut().zip([0.5, 0.95]) {
            list.push(quantile(&mut gaps, q).map_or(Cell::Null, Cell::Duration));
        }
    }
    lists.map(|list| Cell::List(list.into()))
}
