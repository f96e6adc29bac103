//! MAP BY: one cell for every combination of values, such as stage and touchpoint.

use std::any::Any;
use std::cmp::Ordering;
use std::collections::HashMap;

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Attribute, Column, Millis, Role};

use super::cells::{attr_cell, number, truth_of};
use super::flow::Flow;
use super::interaction::{named, symbols_of};
use super::operator::{Operator, Passed, Total, Wanted, Work, Worker};
use crate::diagnostics::Diagnostic;
use crate::kernels::keys::keys;
use crate::limits::KEYS_MAX;
use crate::rows::cell::order;
use crate::rows::{Cell, Env, ExactSum, QueryLimit, RowBatch, RowColumn, RowSchema, RowType, Sets, row_type};
use crate::syntax::ast;

/// MAP BY, resolved.
#[derive(Clone, Debug)]
pub(crate) struct MapOperator {
    keys: Vec<Attribute>,
    schema: RowSchema,
    attrs: Vec<Option<AttrId>>,
    sentiment: Option<AttrId>,
    score: Option<AttrId>,
    resolved: Option<AttrId>,
}

/// The cells of the units so far, by their keys.
#[derive(Clone, Debug, Default)]
struct MapCells {
    cells: HashMap<Vec<Cell>, MapCell>,
}

#[derive(Clone, Debug)]
struct MapCell {
    interactions: u64,
    customers: RoaringBitmap,
    /// Customers with at least two interactions in it.
    repeated: u64,
    sentiment: Mean,
    score: Mean,
    unresolved: u64,
    resolved_known: u64,
    first: Millis,
    last: Millis,
}

#[derive(Clone, Debug, Default)]
struct Mean {
    sum: ExactSum,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum.add(value);
            self.count += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sum.merge(&other.sum);
        self.count += other.count;
    }

    fn cell(&self) -> Cell {
        match self.sum.value() {
            Some(sum) if self.count > 0 => Cell::Float(sum / self.count as f64),
            _ => Cell::Null,
        }
    }
}

const MEASURES: [(&str, RowType); 12] = [
    ("interactions", RowType::Int),
    ("customers", RowType::Int),
    ("sentiment", RowType::Float),
    ("sentiment_n", RowType::Int),
    ("score", RowType::Float),
    ("score_n", RowType::Int),
    ("unresolved", RowType::Float),
    ("unresolved_of", RowType::Int),
    ("repeat", RowType::Float),
    ("repeat_of", RowType::Int),
    ("first", RowType::Time),
    ("last", RowType::Time),
];

/// Its place among the measures.
const CUSTOMERS: usize = 1;

impl MapOperator {
    /// Resolves the attributes.
    pub(crate) fn compile(
        names: &[ast::Name],
        keyword: ast::Span,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let schema = env.snapshot.schema();
        if names.is_empty() || names.len() > KEYS_MAX {
            let message = format!("MAP BY takes 1 to {KEYS_MAX} attributes, and these are {}", names.len());
            sink.push(Diagnostic::error("E406", keyword, message).label("too many or none"));
            return None;
        }
        let keys: Vec<Option<Attribute>> = names.iter().map(|name| named(schema, name, sink)).collect();
        let keys: Vec<Attribute> = keys.into_iter().collect::<Option<_>>()?;
        for (place, (name, key)) in names.iter().zip(&keys).enumerate() {
            let twice = keys.iter().take(place).any(|other| other.id == key.id);
            let own = MEASURES.iter().any(|measure| measure.0.eq_ignore_ascii_case(&key.name));
            if twice || own {
                let message = match twice {
                    true => format!("`{name}` is named twice"),
                    false => format!("MAP has a column `{name}` of its own, so it cannot be a key"),
                };
                sink.push(Diagnostic::error("E407", name.span, message).label("this name"));
                return None;
            }
        }
        let mut columns: Vec<RowColumn> =
            keys.iter().map(|key| RowColumn { name: key.name.clone(), ty: row_type(key.ty) }).collect();
        columns
            .extend(MEASURES.iter().map(|(name, ty)| RowColumn { name: (*name).to_owned(), ty: ty.clone() }));
        let mut attrs: Vec<Option<AttrId>> = keys.iter().map(symbols_of).collect();
        attrs.resize(columns.len(), None);
        let of_role = |role: Role| schema.role(role).map(|attribute| attribute.id);
        Some(Self {
            keys,
            schema: RowSchema { columns },
            attrs,
            sentiment: of_role(Role::Sentiment),
            score: of_role(Role::Score),
            resolved: of_role(Role::Resolved),
        })
    }

    /// The cells of a unit. An interaction without a value counts under NULL.
    fn cells(&self, flow: &Flow, env: &Env) -> MapCells {
        let block = flow.block();
        let columns: Vec<Option<&Column>> = self.keys.iter().map(|key| block.column(key.id)).collect();
        let codes = self.codes(&columns, block.rows());
        // By code: the cell, and the journey that was last seen in it (and how often).
        let mut places: Vec<Option<(usize, Seen)>> = vec![None; codes.bound as usize];
        let mut cells: Vec<(usize, MapCell, Vec<u32>)> = Vec::new();
        let column = |attr: Option<AttrId>| attr.and_then(|attr| block.column(attr));
        let (sentiment, score) = (column(self.sentiment), column(self.score));
        let resolved = self.resolved.filter(|&attr| block.column(attr).is_some());
        for journey in 0..block.customers.len() {
            if !flow.lives(journey) {
                continue;
            }
            let customer = flow.customer(journey);
            for row in block.journey(journey) {
                if !flow.sees(row) {
                    continue;
                }
                let (Some(&code), Some(&at)) = (codes.codes.get(row), block.times.get(row)) else { continue };
                let Some(place) = places.get_mut(code as usize) else { continue };
                let (number_of, seen) = place.get_or_insert_with(|| {
                    cells.push((row, MapCell::new(at), Vec::new()));
                    (cells.len() - 1, Seen { customer: None, times: 0, first: 0 })
                });
                let Some((_, cell, customers)) = cells.get_mut(*number_of) else { continue };
                if seen.customer != Some(customer) {
                    *seen = Seen { customer: Some(customer), times: 0, first: flow.whole_row(row) };
                    customers.push(customer);
                }
                // One interaction in two journeys of a customer is no repetition.
                if seen.times == 0 || (seen.times == 1 && flow.whole_row(row) != seen.first) {
                    seen.times += 1;
                    cell.repeated += u64::from(seen.times == 2);
                }
                cell.interactions += 1;
                cell.first = cell.first.min(at);
                cell.last = cell.last.max(at);
                cell.sentiment.add(number(sentiment, row));
                cell.score.add(number(score, row));
                if let Some(attr) = resolved
                    && let Some(truth) = truth_of(&attr_cell(block, attr, row, env), env)
                {
                    cell.resolved_known += 1;
                    cell.unresolved += u64::from(!truth);
                }
            }
        }
        let mut all = MapCells::default();
        for (row, mut cell, customers) in cells {
            cell.customers.extend(customers);
            let key = self.keys.iter().map(|key| attr_cell(block, key.id, row, env).canonical(true, env));
            all.cells.insert(key.collect(), cell);
        }
        all
    }

    /// Codes of the combinations; unlike the keys of chains, NULL is a value.
    fn codes(&self, columns: &[Option<&Column>], rows: usize) -> crate::kernels::keys::Keys {
        let mut all: Option<crate::kernels::keys::Keys> = None;
        for column in columns {
            let mut one = match column {
                Some(column) => keys(&[Some(column)], rows),
                None => crate::kernels::keys::Keys { codes: vec![0; rows], bound: 1 },
            };
            one.codes.iter_mut().for_each(|code| *code += 1);
            one.bound += 1;
            all = Some(match all {
                None => one,
                Some(before) => before.paired(&one),
            });
        }
        all.unwrap_or_default()
    }

    /// The rows, ordered by their keys.
    fn rows(&self, all: MapCells, needed: &[bool], env: &Env) -> RowBatch {
        if needed.get(self.keys.len() + CUSTOMERS) == Some(&true) {
            env.note_overlap(all.cells.values().map(|cell| &cell.customers));
        }
        let mut cells: Vec<(Vec<Cell>, MapCell)> = all.cells.into_iter().collect();
        cells.sort_by(|(a, _), (b, _)| {
            let orders = a.iter().zip(b).map(|(a, b)| order(a, b, env));
            orders.fold(Ordering::Equal, Ordering::then)
        });
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); self.schema.columns.len()];
        let mut sets = Vec::with_capacity(cells.len());
        let len = cells.len();
        let share =
            |part: u64, of: u64| if of == 0 { Cell::Null } else { Cell::Float(part as f64 / of as f64) };
        let count = |number: u64| Cell::Int(number as i64);
        for (key, cell) in cells {
            let customers = cell.customers.len();
            let measures = [
                count(cell.interactions),
                count(customers),
                cell.sentiment.cell(),
                count(cell.sentiment.count),
                cell.score.cell(),
                count(cell.score.count),
                share(cell.unresolved, cell.resolved_known),
                count(cell.resolved_known),
                share(cell.repeated, customers),
                count(customers),
                Cell::Time(cell.first),
                Cell::Time(cell.last),
            ];
            columns
                .iter_mut()
                .zip(key.into_iter().chain(measures))
                .for_each(|(column, cell)| column.push(cell));
            sets.push(cell.customers);
        }
        RowBatch { len, columns, sets: Sets::Many(sets), members: None }
    }
}

impl Operator for MapOperator {
    fn schema(&self) -> &RowSchema {
        &self.schema
    }

    fn attrs(&self) -> &[Option<AttrId>] {
        &self.attrs
    }

    fn reads(&self, needed: &[bool]) -> Vec<AttrId> {
        let wants = |measure: usize| needed.get(self.keys.len() + measure).copied().unwrap_or(false);
        let mut reads: Vec<AttrId> = self.keys.iter().map(|key| key.id).collect();
        reads.extend(self.sentiment.filter(|_| wants(2) || wants(3)));
        reads.extend(self.score.filter(|_| wants(4) || wants(5)));
        reads.extend(self.resolved.filter(|_| wants(6) || wants(7)));
        reads
    }

    fn worker<'a>(&'a self, _wanted: Wanted<'a>) -> Box<dyn Worker + 'a> {
        Box::new(MapWorker(self))
    }

    fn total(&self) -> Option<Box<dyn Total + '_>> {
        Some(Box::new(MapTotal { operator: self, cells: MapCells::default() }))
    }

    fn explain(&self) -> (&'static str, String) {
        let names: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        ("MAP", format!("one cell for each {}", names.join(" and ")))
    }
}

struct MapWorker<'a>(&'a MapOperator);

impl Worker for MapWorker<'_> {
    fn work(&mut self, flow: &Flow, env: &Env, _passed: &mut Passed) -> Result<Work, QueryLimit> {
        Ok(Work::Part(Box::new(self.0.cells(flow, env))))
    }
}

struct MapTotal<'a> {
    operator: &'a MapOperator,
    cells: MapCells,
}

impl Total for MapTotal<'_> {
    fn add(&mut self, part: Box<dyn Any + Send>) {
        let Ok(more) = part.downcast::<MapCells>() else { return };
        for (key, cell) in more.cells {
            match self.cells.cells.entry(key) {
                std::collections::hash_map::Entry::Occupied(mut mine) => mine.get_mut().merge(&cell),
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(cell);
                }
            }
        }
    }

    fn rows(self: Box<Self>, wanted: Wanted<'_>, env: &Env) -> Result<RowBatch, QueryLimit> {
        Ok(self.operator.rows(self.cells, wanted.columns, env))
    }
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    customer: Option<u32>,
    /// How often, 2 for more.
    times: u32,
    /// The row of the whole block that was the first.
    first: usize,
}

impl MapCell {
    fn new(at: Millis) -> Self {
        Self {
            interactions: 0,
            customers: RoaringBitmap::new(),
            repeated: 0,
            sentiment: Mean::default(),
            score: Mean::default(),
            unresolved: 0,
            resolved_known: 0,
            first: at,
            last: at,
        }
    }

    /// Units share no customer.
    fn merge(&mut self, other: &Self) {
        self.interactions += other.interactions;
        self.customers |= &other.customers;
        self.repeated += other.repeated;
        self.sentiment.merge(&other.sentiment);
        self.score.merge(&other.score);
        self.unresolved += other.unresolved;
        self.resolved_known += other.resolved_known;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}
