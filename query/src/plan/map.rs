//! MAP BY: one cell for every combination of values, such as stage and touchpoint.

use std::any::Any;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Attribute, Column, Millis, Role, Snapshot, TallyCell};

use super::cells::{attr_cell, number, truth_of};
use super::flow::Flow;
use super::interaction::{named, symbols_of};
use super::operator::{Operator, Passed, Total, Wanted, Work, Worker};
use crate::diagnostics::Diagnostic;
use crate::kernels::cells::{histogram, pairs};
use crate::kernels::keys::{DIRECT_PAIRS_MAX, Keys, keys};
use crate::limits::KEYS_MAX;
use crate::rows::cell::order;
use crate::rows::{Cell, Env, ExactSum, QueryLimit, RowBatch, RowColumn, RowSchema, RowType, Sets, row_type};
use crate::sets::add_customers;
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

/// A code for every combination of values; unlike the keys of chains, NULL is a value.
fn combinations<'a>(columns: &[Option<&'a Column>], rows: usize) -> Combined<'a> {
    let coded = |column: &Option<&'a Column>| match column {
        Some(Column::Symbol { codes, dictionary }) => Some((codes.as_slice(), dictionary.len() as u32 + 1)),
        Some(Column::Str { codes, dictionary }) => Some((codes.as_slice(), dictionary.len() as u32 + 1)),
        _ => None,
    };
    let direct: Option<Vec<(&[u32], u32)>> = columns.iter().map(coded).collect();
    if let Some(columns) = direct
        && let Some((&(codes, bound), rest)) = columns.split_first()
        && columns.iter().try_fold(1, |all: u64, one| all.checked_mul(u64::from(one.1)))
            <= Some(DIRECT_PAIRS_MAX)
        && columns.iter().all(|one| one.0.len() == rows)
    {
        let first = Combined { codes: Cow::Borrowed(codes), bound };
        return rest.iter().fold(first, |all, &(codes, wide)| Combined {
            codes: Cow::Owned(pairs(&all.codes, codes, wide)),
            bound: all.bound * wide,
        });
    }
    let mut all: Option<Keys> = None;
    for column in columns {
        let mut one = match column {
            Some(column) => keys(&[Some(column)], rows),
            None => Keys { codes: vec![0; rows], bound: 1 },
        };
        one.codes.iter_mut().for_each(|code| *code += 1);
        one.bound += 1;
        all = Some(match all {
            None => one,
            Some(before) => before.paired(&one),
        });
    }
    let Keys { codes, bound } = all.unwrap_or_default();
    Combined { codes: Cow::Owned(codes), bound }
}

/// A code a row; codes lie below `bound`.
struct Combined<'a> {
    codes: Cow<'a, [u32]>,
    bound: u32,
}

/// The cells of the units so far, by their keys.
#[derive(Clone, Debug, Default)]
struct MapCells {
    cells: HashMap<Vec<Cell>, MapCell>,
}

#[derive(Clone, Debug, Default)]
struct MapCell {
    interactions: u64,
    customers: RoaringBitmap,
    /// Those of the unit in hand, before they are a set.
    list: Vec<u32>,
    seen: Seen,
    /// Customers with at least two interactions in it.
    repeated: u64,
    sentiment: Mean,
    score: Mean,
    unresolved: u64,
    resolved_known: u64,
    /// The earliest and the latest time.
    span: Option<(Millis, Millis)>,
}

/// What of a cell somebody looks at besides the number of its interactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Measures {
    customers: bool,
    sentiment: bool,
    score: bool,
    resolved: bool,
    times: bool,
}

#[derive(Clone, Debug, Default)]
struct Mean {
    sum: ExactSum,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum.add(value);
        self.count += 1;
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

    /// What of the cells somebody looks at.
    fn measures(&self, needed: &[bool], sets: bool) -> Measures {
        let any = |measures: std::ops::RangeInclusive<usize>| {
            let read = |measure| needed.get(self.keys.len() + measure).copied().unwrap_or(false);
            measures.into_iter().any(read)
        };
        Measures {
            customers: sets || any(CUSTOMERS..=CUSTOMERS) || any(8..=9),
            sentiment: any(2..=3),
            score: any(4..=5),
            resolved: any(6..=7),
            times: any(10..=11),
        }
    }

    /// The cells of a unit. An interaction without a value counts under NULL.
    fn cells(&self, flow: &Flow, measures: Measures, env: &Env) -> MapCells {
        let block = flow.block();
        let columns: Vec<Option<&Column>> = self.keys.iter().map(|key| block.column(key.id)).collect();
        let codes = combinations(&columns, block.rows());
        let bound = codes.bound as usize;
        let all_in_sight = flow.visible.is_none() && flow.alive.is_none();
        // Of each code: how often it occurs, and a row that has it.
        let (mut counts, mut rows_of) = (vec![0_u64; bound], vec![0_u32; bound]);
        let mut details: Vec<MapCell> = Vec::new();
        if all_in_sight && measures == Measures::default() {
            counts = histogram(&codes.codes, bound);
            let mut missing = counts.iter().filter(|count| **count > 0).count();
            let mut met = vec![false; bound];
            for (row, &code) in codes.codes.iter().enumerate() {
                if missing == 0 {
                    break;
                }
                if let (Some(met), Some(known)) = (met.get_mut(code as usize), rows_of.get_mut(code as usize))
                    && !std::mem::replace(met, true)
                {
                    *known = row as u32;
                    missing -= 1;
                }
            }
        } else {
            let mut places = vec![NO_CELL; bound];
            let mut cell_of = vec![NO_CELL; block.rows()];
            for journey in (0..block.customers.len()).filter(|&journey| flow.lives(journey)) {
                for row in block.journey(journey).filter(|&row| all_in_sight || flow.sees(row)) {
                    let code = codes.codes.get(row).copied().unwrap_or_default() as usize;
                    let (Some(count), Some(place)) = (counts.get_mut(code), places.get_mut(code)) else {
                        continue;
                    };
                    *count += 1;
                    if *count == 1 {
                        *place = details.len() as u32;
                        details.push(MapCell::default());
                        if let Some(known) = rows_of.get_mut(code) {
                            *known = row as u32;
                        }
                    }
                    if let Some(cell) = cell_of.get_mut(row) {
                        *cell = *place;
                    }
                }
            }
            self.measure(&mut details, measures, flow, &cell_of, env);
            // In the order of the codes, as the counts are.
            let found = (0..bound).filter(|&code| counts.get(code).is_some_and(|&count| count > 0));
            let order: Vec<u32> = found.filter_map(|code| places.get(code).copied()).collect();
            let take = |&place: &u32| details.get_mut(place as usize).map(std::mem::take).unwrap_or_default();
            details = order.iter().map(take).collect();
        }
        let mut all = MapCells::default();
        let mut details = details.into_iter();
        for (&count, &row) in counts.iter().zip(&rows_of).filter(|(count, _)| **count > 0) {
            let mut cell = details.next().unwrap_or_default();
            cell.interactions = count;
            add_customers(&mut cell.customers, &std::mem::take(&mut cell.list));
            let key = |key: &Attribute| attr_cell(block, key.id, row as usize, env).canonical(true, env);
            all.cells.insert(self.keys.iter().map(key).collect(), cell);
        }
        all
    }

    /// Adds rows to the measures of their cells, measure by measure; `cell_of`
    /// has the cell of each row, [`NO_CELL`] where it is out of sight.
    fn measure(&self, cells: &mut [MapCell], measures: Measures, flow: &Flow, cell_of: &[u32], env: &Env) {
        let block = flow.block();
        if measures.customers {
            for journey in 0..block.customers.len() {
                let customer = flow.customer(journey);
                for row in block.journey(journey) {
                    let cell = cell_of.get(row).and_then(|&cell| cells.get_mut(cell as usize));
                    if let Some(cell) = cell {
                        cell.see(customer, flow.whole_row(row));
                    }
                }
            }
        }
        if measures.times {
            for (&cell, &at) in cell_of.iter().zip(&block.times) {
                if let Some(cell) = cells.get_mut(cell as usize) {
                    let (first, last) = cell.span.unwrap_or((at, at));
                    cell.span = Some((first.min(at), last.max(at)));
                }
            }
        }
        let column =
            |wanted: bool, attr: Option<AttrId>| attr.filter(|_| wanted).and_then(|attr| block.column(attr));
        if let Some(column) = column(measures.sentiment, self.sentiment) {
            each_number(column, cell_of, cells, |cell, value| cell.sentiment.add(value));
        }
        if let Some(column) = column(measures.score, self.score) {
            each_number(column, cell_of, cells, |cell, value| cell.score.add(value));
        }
        if let (Some(_), Some(attr)) = (column(measures.resolved, self.resolved), self.resolved) {
            for (row, &cell) in cell_of.iter().enumerate() {
                if let Some(cell) = cells.get_mut(cell as usize)
                    && let Some(truth) = truth_of(&attr_cell(block, attr, row, env), env)
                {
                    cell.resolved_known += 1;
                    cell.unresolved += u64::from(!truth);
                }
            }
        }
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
            let at = |time: Option<Millis>| time.map_or(Cell::Null, Cell::Time);
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
                at(cell.span.map(|span| span.0)),
                at(cell.span.map(|span| span.1)),
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
        let measures = self.measures(needed, false);
        let mut reads: Vec<AttrId> = self.keys.iter().map(|key| key.id).collect();
        reads.extend(self.sentiment.filter(|_| measures.sentiment));
        reads.extend(self.score.filter(|_| measures.score));
        reads.extend(self.resolved.filter(|_| measures.resolved));
        reads
    }

    fn reads_times(&self, wanted: Wanted<'_>) -> bool {
        self.measures(wanted.columns, wanted.sets).times
    }

    fn part_unread(
        &self,
        snapshot: &Snapshot,
        wanted: Wanted<'_>,
    ) -> throughline_engine::Result<Option<Box<dyn Any + Send>>> {
        if wanted.members || self.measures(wanted.columns, wanted.sets) != Measures::default() {
            return Ok(None);
        }
        let (a, b) = match &self.keys[..] {
            [one] => (one.id, one.id),
            [a, b] => (a.id, b.id),
            _ => return Ok(None),
        };
        let Some(tally) = snapshot.tally(a, b)? else { return Ok(None) };
        let mut all = MapCells::default();
        for TallyCell { symbols, interactions } in tally {
            let cell = |(key, symbol): (&Attribute, Option<u32>)| {
                symbol.map_or(Cell::Null, |symbol| Cell::Symbol(key.id, symbol))
            };
            let key = self.keys.iter().zip(symbols).map(cell).collect();
            all.cells.insert(key, MapCell { interactions, ..MapCell::default() });
        }
        Ok(Some(Box::new(all)))
    }

    fn worker<'a>(&'a self, wanted: Wanted<'a>) -> Box<dyn Worker + 'a> {
        let measures = self.measures(wanted.columns, wanted.sets);
        Box::new(MapWorker { operator: self, measures })
    }

    fn total(&self) -> Option<Box<dyn Total + '_>> {
        Some(Box::new(MapTotal { operator: self, cells: MapCells::default() }))
    }

    fn explain(&self) -> (&'static str, String) {
        let names: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        ("MAP", format!("one cell for each {}", names.join(" and ")))
    }
}

struct MapWorker<'a> {
    operator: &'a MapOperator,
    measures: Measures,
}

impl Worker for MapWorker<'_> {
    fn work(&mut self, flow: &Flow, env: &Env, _passed: &mut Passed) -> Result<Work, QueryLimit> {
        Ok(Work::Part(Box::new(self.operator.cells(flow, self.measures, env))))
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

/// Who was in a cell last.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    customer: Option<u32>,
    /// How often, 2 for more.
    times: u32,
    /// The row of the whole block that was the first.
    first: usize,
}

/// No row of a map's cells is in it.
const NO_CELL: u32 = u32::MAX;

/// Hands on the numbers of a column that are not NULL, with the cell of their row.
fn each_number(
    column: &Column,
    cell_of: &[u32],
    cells: &mut [MapCell],
    mut take: impl FnMut(&mut MapCell, f64),
) {
    if let Column::Float { values, valid: Some(valid) } = column {
        for ((&value, _), &cell) in values.iter().zip(valid).zip(cell_of).filter(|((_, valid), _)| **valid) {
            if let Some(cell) = cells.get_mut(cell as usize) {
                take(cell, value);
            }
        }
        return;
    }
    for (row, &cell) in cell_of.iter().enumerate() {
        if let (Some(cell), Some(value)) = (cells.get_mut(cell as usize), number(Some(column), row)) {
            take(cell, value);
        }
    }
}

impl MapCell {
    /// A customer has an interaction in it: a row of the whole block.
    fn see(&mut self, customer: u32, row: usize) {
        let seen = &mut self.seen;
        if seen.customer != Some(customer) {
            *seen = Seen { customer: Some(customer), times: 0, first: row };
            self.list.push(customer);
        }
        // One interaction in two journeys of a customer is no repetition.
        if seen.times == 0 || (seen.times == 1 && row != seen.first) {
            seen.times += 1;
            self.repeated += u64::from(seen.times == 2);
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
        self.span = match (self.span, other.span) {
            (Some(mine), Some(other)) => Some((mine.0.min(other.0), mine.1.max(other.1))),
            (mine, other) => mine.or(other),
        };
    }
}
