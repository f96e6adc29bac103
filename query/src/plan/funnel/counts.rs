//! The rows of a funnel: how many attempts reached each, and what became of
//! those that went no further.

use std::any::Any;

use roaring::RoaringBitmap;

use super::FunnelOperator;
use super::attempts::Attempt;
use super::breakdown::Breakdown;
use super::elements::{Elements, What};
use crate::plan::operator::{Total, Wanted};
use crate::rows::cell::order;
use crate::rows::{Cell, CellTable, Env, QueryLimit, RowBatch, RowColumn, RowType, Sets, quantile};
use crate::syntax::ast::Outcome;

/// The columns after those of the breakdown.
pub(super) const COLUMNS: [(&str, RowType); 11] = [
    ("step", RowType::Int),
    ("label", RowType::Text),
    ("reached", RowType::Int),
    ("moved_on", RowType::Int),
    ("silent", RowType::Int),
    ("elsewhere", RowType::Int),
    ("open", RowType::Int),
    ("from_first", RowType::Float),
    ("from_previous", RowType::Float),
    ("median", RowType::Duration),
    ("p90", RowType::Duration),
];
/// Of the columns, those that tell what became of attempts.
const BECAME: std::ops::RangeInclusive<usize> = 3..=6;
const MEDIAN: usize = 9;
const P90: usize = 10;

/// What some units add to a funnel.
#[derive(Debug)]
pub(super) struct Counts {
    /// The values of the breakdown; one empty group where there is none.
    groups: CellTable,
    /// Of each group, one for each row of the funnel.
    rows: Vec<Vec<RowCounts>>,
    /// The values of the attempt in hand.
    values: Vec<Cell>,
    with_gaps: bool,
    with_sets: bool,
    with_outcomes: bool,
}

#[derive(Clone, Debug, Default)]
struct RowCounts {
    reached: u64,
    stopped: Stopped,
    /// The gap from the step taken before, of each attempt that reached it.
    gaps: Vec<i64>,
    /// Customers of attempts that reached it: those of the unit in hand as a list.
    found: Vec<u32>,
    customers: RoaringBitmap,
}

/// What became of the attempts that got to a row and no further.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stopped {
    silent: u64,
    elsewhere: u64,
    open: u64,
}

impl Stopped {
    /// One more attempt.
    pub(super) fn stopped(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Open => self.open += 1,
            Outcome::Silent => self.silent += 1,
            Outcome::Elsewhere => self.elsewhere += 1,
        }
    }

    fn add(&mut self, more: Self) {
        self.silent += more.silent;
        self.elsewhere += more.elsewhere;
        self.open += more.open;
    }
}

impl RowCounts {
    fn add(&mut self, more: Self) {
        self.reached += more.reached;
        self.stopped.add(more.stopped);
        self.gaps.extend(more.gaps);
        self.customers |= more.customers;
    }
}

impl Counts {
    /// Nothing counted yet. `wanted` are the columns of the funnel.
    pub(super) fn new(elements: &Elements, breakdown: &Breakdown, wanted: Wanted<'_>) -> Self {
        let width = breakdown.columns().len();
        let mut counts = Self {
            groups: CellTable::new(width),
            rows: Vec::new(),
            values: Vec::new(),
            with_gaps: wanted.column(width + MEDIAN) || wanted.column(width + P90),
            with_sets: wanted.sets,
            with_outcomes: BECAME.into_iter().any(|column| wanted.column(width + column)),
        };
        if width == 0 {
            // The whole is a group, even of no attempts.
            counts.groups.intern(&[]);
            counts.rows.push(vec![RowCounts::default(); elements.len()]);
        }
        counts
    }

    /// Takes in an attempt.
    pub(super) fn push(
        &mut self,
        attempt: &Attempt<'_>,
        elements: &Elements,
        breakdown: &Breakdown,
        env: &Env,
    ) {
        let mut group = 0;
        if !breakdown.is_empty() {
            breakdown.values(attempt, env, &mut self.values);
            let (number, new) = self.groups.intern(&self.values);
            if new {
                self.rows.push(vec![RowCounts::default(); elements.len()]);
            }
            group = number as usize;
        }
        let Some(rows) = self.rows.get_mut(group) else { return };
        let mut before: Option<(u32, i64)> = None;
        for &(row, step) in &attempt.found.rows {
            let at = attempt.view.time(row);
            let first_of_step = before.is_none_or(|before| before.0 != step);
            let place = elements.row_of(step as usize).filter(|_| first_of_step);
            if let Some(counts) = place.and_then(|place| rows.get_mut(place)) {
                counts.reached += 1;
                if let (true, Some((_, before))) = (self.with_gaps, before) {
                    counts.gaps.push(at.saturating_sub(before));
                }
                if self.with_sets {
                    counts.found.push(attempt.customer());
                }
            }
            before = Some((step, at));
        }
        for (counts, element) in rows.iter_mut().zip(elements.iter()).take(attempt.last + 1) {
            if let What::Absence = element.what {
                counts.reached += 1;
                if self.with_sets {
                    counts.found.push(attempt.customer());
                }
            }
        }
        let Some(outcome) = attempt.outcome else { return };
        if let Some(counts) = rows.get_mut(attempt.last) {
            counts.stopped.stopped(outcome);
        }
        // Optional steps taken after it lead no further, either.
        let mut step = None;
        for &(_, taken) in attempt.found.rows.iter().filter(|row| step.replace(row.1) != Some(row.1)) {
            let place = elements.row_of(taken as usize).filter(|&place| place > attempt.last);
            if let Some(counts) = place.and_then(|place| rows.get_mut(place)) {
                counts.stopped.stopped(outcome);
            }
        }
    }

    /// Whether it is enough to know how deep attempts get and what became of
    /// them, rather than their rows and customers.
    pub(super) fn takes_depths(&self) -> bool {
        !self.with_gaps && !self.with_sets
    }

    /// Whether somebody asks what became of attempts.
    pub(super) fn takes_outcomes(&self) -> bool {
        self.with_outcomes
    }

    /// Takes in attempts of the one group there is: how many reached each row
    /// and went no further, and what became of those; no `outcomes` where nobody asks.
    pub(super) fn add_depths(&mut self, deepest: &[u64], outcomes: &[Stopped]) {
        let Some(rows) = self.rows.first_mut() else { return };
        let mut beyond = 0;
        for (counts, &here) in rows.iter_mut().zip(deepest).rev() {
            beyond += here;
            counts.reached += beyond;
        }
        rows.iter_mut().zip(outcomes).for_each(|(counts, &stopped)| counts.stopped.add(stopped));
    }

    /// Ends a unit: its lists of customers become sets.
    pub(super) fn close(&mut self) {
        for counts in self.rows.iter_mut().flatten() {
            counts.customers.extend(std::mem::take(&mut counts.found));
        }
    }

    fn add(&mut self, more: Self) {
        for (number, other) in more.rows.into_iter().enumerate() {
            let (group, new) = self.groups.intern(more.groups.get(number));
            if new {
                self.rows.push(other);
                continue;
            }
            let mine = self.rows.get_mut(group as usize).into_iter().flatten();
            mine.zip(other).for_each(|(mine, other)| mine.add(other));
        }
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> u64 {
        let of = |counts: &RowCounts| {
            size_of::<RowCounts>() + 8 * counts.gaps.len() + counts.customers.serialized_size()
        };
        let rows: usize = self.rows.iter().flatten().map(of).sum();
        let groups = (0..self.rows.len()).map(|number| CellTable::tuple_bytes(self.groups.get(number)));
        rows as u64 + groups.sum::<u64>()
    }

    /// The rows of all: the groups in the order of their values, NULL last.
    fn finish(mut self, operator: &FunnelOperator, env: &Env) -> RowBatch {
        let mut order_of: Vec<usize> = (0..self.rows.len()).collect();
        order_of.sort_by(|&a, &b| {
            let pairs = self.groups.get(a).iter().zip(self.groups.get(b));
            pairs.map(|(a, b)| order(a, b, env)).find(|order| order.is_ne()).unwrap_or(a.cmp(&b))
        });
        let width = self.groups.get(0).len();
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); operator.schema.columns.len()];
        let mut sets = Vec::new();
        for group in order_of {
            let values = self.groups.get(group);
            let counts = self.rows.get_mut(group).map(std::mem::take).unwrap_or_default();
            for (row, set) in rows_of(counts, &operator.finder.elements) {
                let cells = values.iter().cloned().chain(row);
                columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
                sets.push(set);
            }
        }
        debug_assert!(sets.is_empty() || columns.len() == width + COLUMNS.len());
        RowBatch { len: sets.len(), columns, sets: Sets::Many(sets), members: None }
    }
}

/// The rows of one group, with the customers behind each.
fn rows_of(mut counts: Vec<RowCounts>, elements: &Elements) -> Vec<([Cell; 11], RoaringBitmap)> {
    let reached: Vec<u64> = counts.iter().map(|counts| counts.reached).collect();
    let of = |place: Option<usize>| place.and_then(|place| reached.get(place)).copied();
    let rate = |part: u64, of: u64| if of == 0 { Cell::Null } else { Cell::Float(part as f64 / of as f64) };
    let count = |number: u64| Cell::Int(number as i64);
    let first = of((0..elements.len()).find(|&row| !elements.is_optional(row))).unwrap_or(0);
    let mut rows = Vec::with_capacity(counts.len());
    for (place, (element, mine)) in elements.iter().zip(&mut counts).enumerate() {
        let previous = of(elements.required_before(place)).unwrap_or(mine.reached);
        let Stopped { silent, elsewhere, open } = mine.stopped;
        let stopped = silent + elsewhere + open;
        debug_assert!(stopped <= mine.reached);
        let row = [
            count(place as u64 + 1),
            Cell::text(&element.label),
            count(mine.reached),
            count(mine.reached.saturating_sub(stopped)),
            count(silent),
            count(elsewhere),
            count(open),
            rate(mine.reached, first),
            rate(mine.reached, previous),
            quantile(&mut mine.gaps, 0.5).map_or(Cell::Null, Cell::Duration),
            quantile(&mut mine.gaps, 0.9).map_or(Cell::Null, Cell::Duration),
        ];
        rows.push((row, std::mem::take(&mut mine.customers)));
    }
    rows
}

/// Adds up the counts of all units.
pub(super) struct CountsTotal<'a> {
    pub operator: &'a FunnelOperator,
    pub counts: Option<Counts>,
}

impl Total for CountsTotal<'_> {
    fn add(&mut self, part: Box<dyn Any + Send>) {
        let Ok(more) = part.downcast::<Counts>() else { return };
        match &mut self.counts {
            None => self.counts = Some(*more),
            Some(counts) => counts.add(*more),
        }
    }

    fn rows(self: Box<Self>, wanted: Wanted<'_>, env: &Env) -> Result<RowBatch, QueryLimit> {
        let Self { operator, counts } = *self;
        let none = || Counts::new(&operator.finder.elements, &operator.breakdown, wanted);
        let counts = counts.unwrap_or_else(none);
        if !operator.breakdown.is_empty() {
            env.hold(counts.bytes())?;
        }
        Ok(counts.finish(operator, env))
    }
}

/// The columns of a funnel's rows.
pub(super) fn columns() -> impl Iterator<Item = RowColumn> {
    COLUMNS.into_iter().map(|(name, ty)| RowColumn { name: name.to_owned(), ty })
}
