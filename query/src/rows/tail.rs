//! The relational tail: WHERE, EXTEND, SELECT, AGGREGATE, ORDER BY, LIMIT,
//! DISTINCT and CUSTOMERS over rows.
//!
//! Rows arrive in units of work that run side by side. WHERE, EXTEND and
//! SELECT are done as they come; the first operator that must see more than
//! one row keeps a state for each unit. The states are joined in the order of
//! the units, so that the answer does not depend on how the work was cut.

mod partial;

use std::sync::Arc;

use throughline_engine::AttrId;

use super::accumulate::BatchRow;
use super::aggregate::Aggregate;
use super::compile::{Column, Scope, compile, compile_predicate, unknown_column};
use super::env::{Env, QueryLimit};
use super::expr::Typed;
use super::literal::count_of;
use super::naming::{add_column, default_name};
use super::sort::Sort;
use super::{Cell, Meter, RowBatch, RowColumn, RowSchema, RowType};
use partial::{end, join, start, take_in};

use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{Expr, Name, Op, OpKind, Span};
pub(crate) use partial::Partial;

/// The compiled row operators of a query. Threads share it.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    stages: Vec<Stage>,
    /// The first that must see more than one row; the number of stages where none does.
    blocking: usize,
    /// How many columns go into each stage, and how many come out of the last.
    widths: Vec<usize>,
    /// The columns that go into each stage.
    inputs: Vec<RowSchema>,
    /// What was written for each stage: its name and place.
    written: Vec<(&'static str, Span)>,
    output: RowSchema,
    want_sets: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    Where(Typed),
    /// The columns that come out; those that nobody reads are `None`.
    Project(Vec<Option<Typed>>),
    Aggregate(Arc<Aggregate>),
    Sort(Sort),
    Limit(usize),
    Distinct,
    Customers,
}

/// The columns of rows, as names.
pub(super) struct RowScope<'a> {
    pub(super) schema: &'a RowSchema,
    pub(super) attrs: &'a [Option<AttrId>],
    pub(super) env: &'a Env<'a>,
}

impl Scope for RowScope<'_> {
    fn resolve(&self, qualifier: Option<&Name>, name: &Name) -> Result<Column, Diagnostic> {
        let text = qualifier.map_or_else(|| name.text.clone(), |qualifier| format!("{qualifier}.{name}"));
        if let Some(slot) = self.schema.find(&text)
            && let Some(column) = self.schema.columns.get(slot)
        {
            return Ok(Column { ty: column.ty.clone(), attr: self.attrs.get(slot).copied().flatten(), slot });
        }
        let span = qualifier.map_or(name.span, |qualifier| qualifier.span.to(name.span));
        let error = unknown_column(&text, span, &self.known_names());
        let attributes = self.env.snapshot.schema();
        if qualifier.is_some()
            || attributes.find(throughline_engine::Subject::Interaction, &name.text).is_none()
        {
            return Err(error);
        }
        // `moved_on` is a column of the rows of FUNNEL alone.
        let help = match self.schema.find("moved_on") {
            Some(_) => {
                format!("`{text}` belongs to interactions: use it before FUNNEL, or BY {text} in FUNNEL")
            }
            None => {
                format!("`{text}` belongs to interactions: use it before the operator that makes these rows")
            }
        };
        let list = error.help.clone().unwrap_or_default();
        Err(error.help(format!("{help}. {list}")))
    }

    fn known_names(&self) -> Vec<String> {
        self.schema.columns.iter().map(|column| column.name.clone()).collect()
    }
}

impl Tail {
    /// Compiles the row operators from the front of `ops` until the end or the
    /// first that is none (JOURNEYS, INTERACTIONS, SAVE COHORT, …); answers how
    /// many it took. `input_attrs` has the symbol attribute of each input
    /// column. `want_sets`: the customers behind the rows are needed after the tail.
    pub(crate) fn compile(
        ops: &[Op],
        input: &RowSchema,
        input_attrs: &[Option<AttrId>],
        want_sets: bool,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<(Self, usize)> {
        let taken = ops.iter().take_while(|op| is_row_operator(&op.kind)).count();
        let mut schema = input.clone();
        let mut attrs = input_attrs.to_vec();
        let mut stages: Vec<Stage> = Vec::new();
        let mut widths = Vec::new();
        let mut inputs = Vec::new();
        let mut written: Vec<(&'static str, Span)> = Vec::new();
        // Errors in operators that change no column do not hide those of the operators after them.
        let mut sound = true;
        for (place, op) in ops.iter().enumerate().take(taken) {
            widths.push(schema.columns.len());
            inputs.push(schema.clone());
            written.push((name_of(&op.kind), op.span));
            let later = || ops.get(place + 1..taken).unwrap_or_default().iter();
            let with_sets = want_sets || later().any(|op| op.kind == OpKind::Customers);
            let scope = RowScope { schema: &schema, attrs: &attrs, env };
            match &op.kind {
                OpKind::Where(predicate) => match compile_predicate(predicate, &scope, env, sink) {
                    Some(predicate) => stages.push(Stage::Where(predicate)),
                    None => sound = false,
                },
                OpKind::Extend(items) => {
                    let mut wider = schema.clone();
                    let mut columns: Vec<Typed> = passed_on(&schema, &attrs);
                    let made: Vec<_> =
                        items.iter().map(|(expr, _)| compile(expr, &scope, env, sink)).collect();
                    for ((_, name), column) in items.iter().zip(made) {
                        let column = column?;
                        add_column(&mut wider, Some(name), String::new, &column, sink)?;
                        columns.push(column);
                    }
                    (schema, attrs) = project(&mut stages, wider, columns);
                }
                OpKind::Select(items) => {
                    let mut chosen = RowSchema::default();
                    let mut columns = Vec::with_capacity(items.len());
                    let made: Vec<_> =
                        items.iter().map(|item| compile(&item.expr, &scope, env, sink)).collect();
                    for (item, column) in items.iter().zip(made) {
                        let column = column?;
                        add_column(
                            &mut chosen,
                            item.alias.as_ref(),
                            || default_name(&item.expr),
                            &column,
                            sink,
                        )?;
                        columns.push(column);
                    }
                    (schema, attrs) = project(&mut stages, chosen, columns);
                }
                OpKind::Aggregate { items, group_by } => {
                    let (aggregate, output, output_attrs) =
                        Aggregate::compile(items, group_by, &scope, with_sets, env, sink)?;
                    stages.push(Stage::Aggregate(Arc::new(aggregate)));
                    (schema, attrs) = (output, output_attrs);
                }
                OpKind::OrderBy(items) => {
                    let keys: Vec<_> =
                        items.iter().map(|item| sort_key(&item.expr, &scope, env, sink)).collect();
                    sound &= keys.iter().all(Option::is_some);
                    let keys = keys.into_iter().zip(items);
                    let keys = keys.filter_map(|(key, item)| Some((key?, item.descending))).collect();
                    stages.push(Stage::Sort(Sort { keys, limit: None }));
                }
                OpKind::Limit(lit) => {
                    let count = count_of(lit, env, sink)?;
                    match stages.last_mut() {
                        Some(Stage::Sort(sort)) => {
                            sort.limit = Some(sort.limit.map_or(count, |n| n.min(count)));
                            widths.pop();
                            inputs.pop();
                            written.pop();
                            if let Some((_, span)) = written.last_mut() {
                                *span = span.to(op.span);
                            }
                        }
                        _ => stages.push(Stage::Limit(count)),
                    }
                }
                OpKind::Distinct => stages.push(Stage::Distinct),
                _ => {
                    stages.push(Stage::Customers);
                    schema = RowSchema {
                        columns: vec![RowColumn { name: "customer".into(), ty: RowType::Customer }],
                    };
                    attrs = vec![None];
                }
            }
        }
        if !sound {
            return None;
        }
        let blocking = stages
            .iter()
            .position(|stage| !matches!(stage, Stage::Where(_) | Stage::Project(_)))
            .unwrap_or(stages.len());
        widths.push(schema.columns.len());
        let mut tail = Self { stages, blocking, widths, inputs, written, output: schema, want_sets };
        tail.drop_unread();
        Some((tail, taken))
    }

    /// Its input are rows of an operator over journeys: they come customer by
    /// customer, ascending, and each customer in one unit of work alone.
    pub(crate) fn of_journeys(mut self) -> Self {
        let place = self.stages.iter().position(|stage| !matches!(stage, Stage::Where(_)));
        if let Some(place) = place
            && let (Some(Stage::Aggregate(aggregate)), Some(input)) =
                (self.stages.get_mut(place), self.inputs.get(place))
        {
            Arc::make_mut(aggregate).takes_ascending(input.find("customer"));
        }
        self
    }

    /// Drops computed columns that nothing reads.
    fn drop_unread(&mut self) {
        let mut read = vec![true; self.output.columns.len()];
        for (stage, width) in self.stages.iter_mut().zip(&self.widths).rev() {
            if let Stage::Project(columns) = stage {
                for (column, read) in columns.iter_mut().zip(&read) {
                    if !read {
                        *column = None;
                    }
                }
            }
            read = stage.reads(read, *width);
        }
    }

    /// Which input columns are read: the others may stay empty.
    pub(crate) fn needed(&self) -> Vec<bool> {
        let read = vec![true; self.output.columns.len()];
        let stages = self.stages.iter().zip(&self.widths).rev();
        stages.fold(read, |read, (stage, width)| stage.reads(read, *width))
    }

    /// Whether it does anything at all.
    pub(crate) fn has_stages(&self) -> bool {
        !self.stages.is_empty()
    }

    /// Whether input rows must come with the customers behind them.
    pub(crate) fn needs_sets(&self) -> bool {
        self.want_sets || self.stages.iter().any(|stage| matches!(stage, Stage::Customers))
    }

    /// Whether rows still have their members after it: AGGREGATE, DISTINCT
    /// and CUSTOMERS lose them.
    pub(crate) fn keeps_members(&self) -> bool {
        !self
            .stages
            .iter()
            .any(|stage| matches!(stage, Stage::Aggregate(_) | Stage::Distinct | Stage::Customers))
    }

    /// The columns that come out.
    pub(crate) fn output(&self) -> &RowSchema {
        &self.output
    }

    /// An empty state for one unit of work.
    pub(crate) fn start(&self) -> Partial {
        start(self.stages.get(self.blocking))
    }

    /// The name of each row operator, and where it is written. LIMIT is one with the ORDER BY
    /// before it.
    pub(crate) fn written(&self) -> &[(&'static str, Span)] {
        &self.written
    }

    /// The first `count` row operators alone, with the customers behind every row. With `unlimited`
    /// the last of them keeps all rows where it is a LIMIT.
    pub(crate) fn first(&self, count: usize, unlimited: bool) -> Self {
        let mut stages: Vec<Stage> = self.stages.iter().take(count).cloned().collect();
        if unlimited {
            match stages.last_mut() {
                Some(Stage::Limit(limit)) => *limit = usize::MAX,
                Some(Stage::Sort(sort)) => sort.limit = None,
                _ => {}
            }
        }
        Self {
            blocking: self.blocking.min(stages.len()),
            stages,
            widths: self.widths.iter().take(count + 1).copied().collect(),
            inputs: self.inputs.iter().take(count).cloned().collect(),
            written: self.written.iter().take(count).copied().collect(),
            output: self.inputs.get(count).unwrap_or(&self.output).clone(),
            want_sets: true,
        }
    }

    /// Whether what becomes of one customer's rows depends on those of others.
    pub(crate) fn joins_customers(&self) -> bool {
        let joins = |stage: &Stage| match stage {
            Stage::Aggregate(_) | Stage::Limit(_) => true,
            Stage::Sort(sort) => sort.limit.is_some(),
            Stage::Where(_) | Stage::Project(_) | Stage::Distinct | Stage::Customers => false,
        };
        self.stages.iter().any(joins)
    }

    /// The most rows that the row operator at `place` keeps, where it is a LIMIT.
    pub(crate) fn limit(&self, place: usize) -> Option<usize> {
        match self.stages.get(place)? {
            Stage::Limit(limit) => Some(*limit),
            Stage::Sort(sort) => sort.limit,
            _ => None,
        }
    }

    /// The predicate of the row operator at `place`, where it is a WHERE.
    pub(crate) fn predicate(&self, place: usize) -> Option<&Typed> {
        match self.stages.get(place)? {
            Stage::Where(predicate) => Some(predicate),
            _ => None,
        }
    }

    /// Takes rows in.
    ///
    /// # Errors
    /// Too many bytes held, an overflow, or a store that could not be read.
    pub(crate) fn push(
        &self,
        partial: &mut Partial,
        batch: RowBatch,
        env: &Env,
        meter: &mut Meter<'_>,
    ) -> Result<(), QueryLimit> {
        let mut batch = batch;
        for (place, stage) in self.stages.iter().take(self.blocking).enumerate() {
            if batch.len == 0 {
                return Ok(());
            }
            let began = meter.begin();
            stage.stream(&mut batch, env);
            meter.end(place, began, Some(batch.len));
        }
        let began = meter.begin();
        let taken = take_in(self.stages.get(self.blocking), partial, batch, env);
        meter.end(self.blocking, began, None);
        taken
    }

    /// Whether further rows of this unit of work change nothing.
    pub(crate) fn full(&self, partial: &Partial) -> bool {
        partial.full
    }

    /// The rows that come out; `partials` in the order of their units.
    ///
    /// # Errors
    /// As [`Tail::push`].
    pub(crate) fn finish(
        &self,
        partials: Vec<Partial>,
        env: &Env,
        meter: &mut Meter<'_>,
    ) -> Result<RowBatch, QueryLimit> {
        let began = meter.begin();
        let mut joined = self.start();
        for partial in partials {
            join(self.stages.get(self.blocking), &mut joined, partial, env)?;
        }
        let mut batch = end(self.stages.get(self.blocking), joined, env)?;
        meter.end(self.blocking, began, Some(batch.len));
        for (place, stage) in self.stages.iter().enumerate().skip(self.blocking + 1) {
            let began = meter.begin();
            match stage {
                Stage::Where(_) | Stage::Project(_) => stage.stream(&mut batch, env),
                _ => {
                    let mut partial = start(Some(stage));
                    take_in(Some(stage), &mut partial, batch, env)?;
                    batch = end(Some(stage), partial, env)?;
                }
            }
            meter.end(place, began, Some(batch.len));
        }
        batch.columns.resize(self.output.columns.len(), Vec::new());
        env.check()?;
        Ok(batch)
    }
}

/// A key of ORDER BY. What is the same for every row orders nothing: most
/// likely the number or the name of a column was meant.
fn sort_key(expr: &Expr, scope: &RowScope<'_>, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<Typed> {
    let key = compile(expr, scope, env, sink)?;
    let Some(constant) = key.constant() else { return Some(key) };
    let column = match constant {
        Cell::Int(number) => usize::try_from(*number).ok().and_then(|number| number.checked_sub(1)),
        Cell::Str(text) => scope.schema.find(text),
        _ => None,
    };
    let column = column.and_then(|place| scope.schema.columns.get(place));
    let wrong =
        Diagnostic::error("E308", expr.span, "a column is wanted here, and this is the same for every row");
    sink.push(wrong.label("orders nothing").help(match column {
        Some(column) => format!("write `{}`", column.name),
        None => "name a column of the rows".to_owned(),
    }));
    None
}

/// Whether an operator takes rows and makes rows.
pub(crate) fn is_row_operator(op: &OpKind) -> bool {
    matches!(
        op,
        OpKind::Where(_)
            | OpKind::Extend(_)
            | OpKind::Select(_)
            | OpKind::Aggregate { .. }
            | OpKind::OrderBy(_)
            | OpKind::Limit(_)
            | OpKind::Distinct
            | OpKind::Customers
    )
}

fn name_of(op: &OpKind) -> &'static str {
    match op {
        OpKind::Where(_) => "WHERE",
        OpKind::Extend(_) => "EXTEND",
        OpKind::Select(_) => "SELECT",
        OpKind::Aggregate { .. } => "AGGREGATE",
        OpKind::OrderBy(_) => "ORDER BY",
        OpKind::Limit(_) => "LIMIT",
        OpKind::Distinct => "DISTINCT",
        _ => "CUSTOMERS",
    }
}

fn passed_on(schema: &RowSchema, attrs: &[Option<AttrId>]) -> Vec<Typed> {
    let column = |(slot, column): (usize, &RowColumn)| {
        Typed::from_slot(slot, column.ty.clone(), attrs.get(slot).copied().flatten())
    };
    schema.columns.iter().enumerate().map(column).collect()
}

fn project(
    stages: &mut Vec<Stage>,
    schema: RowSchema,
    columns: Vec<Typed>,
) -> (RowSchema, Vec<Option<AttrId>>) {
    let attrs = columns.iter().map(|column| column.attr).collect();
    stages.push(Stage::Project(columns.into_iter().map(Some).collect()));
    (schema, attrs)
}

impl Stage {
    /// Which of its `width` input columns are read, where `read` of its output are.
    fn reads(&self, read: Vec<bool>, width: usize) -> Vec<bool> {
        let mark = |mut read: Vec<bool>, slots: Vec<usize>| {
            read.resize(width, false);
            for slot in slots {
                if let Some(read) = read.get_mut(slot) {
                    *read = true;
                }
            }
            read
        };
        match self {
            Self::Where(predicate) => mark(read, predicate.slots()),
            Self::Project(columns) => {
                let live = columns.iter().zip(&read).filter(|(_, read)| **read);
                mark(
                    Vec::new(),
                    live.filter_map(|(column, _)| column.as_ref()).flat_map(Typed::slots).collect(),
                )
            }
            Self::Aggregate(aggregate) => mark(Vec::new(), aggregate.slots()),
            // Ties are completed by every column, and rows are equal in every column.
            Self::Sort(_) | Self::Distinct => vec![true; width],
            Self::Limit(_) => read,
            Self::Customers => vec![false; width],
        }
    }

    /// WHERE, EXTEND and SELECT: row by row.
    fn stream(&self, batch: &mut RowBatch, env: &Env) {
        match self {
            Self::Where(predicate) => {
                let keep: Vec<bool> = (0..batch.len)
                    .map(|row| predicate.truth(&BatchRow { columns: &batch.columns, row }, env) == Some(true))
                    .collect();
                if keep.contains(&false) {
                    batch.retain(&keep);
                }
            }
            Self::Project(columns) => {
                let slot = |column: &Option<Typed>| column.as_ref().and_then(Typed::slot);
                // What is computed comes first: columns that are only named are moved, not copied.
                let mut made: Vec<Vec<Cell>> = columns
                    .iter()
                    .map(|column| match column {
                        Some(column) if column.slot().is_none() => (0..batch.len)
                            .map(|row| column.eval(&BatchRow { columns: &batch.columns, row }, env))
                            .collect(),
                        _ => Vec::new(),
                    })
                    .collect();
                for (place, (column, made)) in columns.iter().zip(&mut made).enumerate() {
                    let Some(own) = slot(column) else { continue };
                    let again = columns.iter().skip(place + 1).any(|later| slot(later) == Some(own));
                    if let Some(cells) = batch.columns.get_mut(own) {
                        *made = if again { cells.clone() } else { std::mem::take(cells) };
                    }
                }
                batch.columns = made;
            }
            _ => {}
        }
    }
}
