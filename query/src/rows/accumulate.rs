//! The state of one aggregate over all groups.

use roaring::{RoaringBitmap, RoaringTreemap};
use throughline_engine::IdentityOrdinal;

use super::arithmetic::rounded;
use super::ascending::AscendingCustomers;
use super::cell::order;
use super::cell_table::{CellTable, cell_bytes};
use super::env::Env;
use super::exact_sum::{ExactSum, variance};
use super::expr::{Cells, Typed};
use super::{Cell, RowBatch, RowType, Sets};
use crate::sets::add_customers;
use crate::syntax::ast::Span;

/// An aggregate function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Function {
    /// `count(*)`
    Rows,
    /// `count(x)`
    Count,
    /// `count(DISTINCT x, …)`
    Distinct,
    Sum,
    Avg,
    Min,
    Max,
    /// `quantile(x, q)`; `median(x)` is 0.5.
    Quantile(f64),
    Stddev,
    Share,
    Top(usize),
    List,
}

/// One aggregate of a query.
#[derive(Clone, Debug)]
pub(super) struct Aggregated {
    pub(super) function: Function,
    pub(super) args: Vec<Typed>,
    /// The type of its result.
    pub(super) ty: RowType,
    pub(super) span: Span,
    /// Whether it counts the distinct customers behind rows that come customer
    /// by customer, each in one unit of work alone.
    pub(super) ascending: bool,
}

/// What has been taken in, a group a place.
#[derive(Debug)]
pub(super) enum State {
    Counts(Vec<u64>),
    Customers(Vec<RoaringBitmap>),
    /// As `Customers`, of identities.
    Identities(Vec<RoaringBitmap>),
    /// As `Customers`, where they ascend.
    Ascending(AscendingCustomers),
    /// Tuples of (group, values).
    Distinct(CellTable, Vec<u64>),
    /// As `Distinct` for two columns of customers, identities or symbols. The symbol is the
    /// higher half of a number, so that each has one bitmap of customers.
    Pairs(Vec<RoaringTreemap>),
    Whole(Vec<(i128, u64)>),
    Floats(Vec<(ExactSum, u64)>),
    Moments(Vec<(ExactSum, ExactSum, u64)>),
    Best(Vec<Cell>),
    WholeValues(Vec<Vec<i64>>),
    FloatValues(Vec<Vec<f64>>),
    /// (true, not NULL)
    Share(Vec<(u64, u64)>),
    /// Tuples of (group, value), how often each, and at the end the tuples of each group.
    Frequencies(CellTable, Vec<u64>, Vec<Vec<u32>>),
    Lists(Vec<Vec<Cell>>),
}

/// A row of a batch.
pub(super) struct BatchRow<'a> {
    pub(super) columns: &'a [Vec<Cell>],
    pub(super) row: usize,
}

impl Cells for BatchRow<'_> {
    fn cell(&self, slot: usize) -> Cell {
        self.columns.get(slot).and_then(|column| column.get(self.row)).cloned().unwrap_or(Cell::Null)
    }
}

/// Calls `take` with the group and the value of every row where it is not NULL.
/// A plain column is read in place.
fn each(
    arg: Option<&Typed>,
    batch: &RowBatch,
    groups: &[u32],
    env: &Env,
    mut take: impl FnMut(usize, &Cell),
) {
    let Some(arg) = arg else { return };
    if let Some(slot) = arg.slot() {
        let column = batch.columns.get(slot).map_or(&[][..], Vec::as_slice);
        for (cell, &group) in column.iter().zip(groups) {
            if !cell.is_null() {
                take(group as usize, cell);
            }
        }
        return;
    }
    for (row, &group) in groups.iter().enumerate() {
        let cell = arg.eval(&BatchRow { columns: &batch.columns, row }, env);
        if !cell.is_null() {
            take(group as usize, &cell);
        }
    }
}

fn whole(cell: &Cell) -> i64 {
    match cell {
        Cell::Int(number) | Cell::Duration(number) | Cell::Time(number) => *number,
        _ => 0,
    }
}

impl State {
    pub(super) fn new(aggregated: &Aggregated) -> Self {
        let float = aggregated.args.first().is_some_and(|arg| arg.ty == RowType::Float);
        let of = |ty: RowType| matches!(aggregated.args.as_slice(), [arg] if arg.ty == ty);
        let customer = of(RowType::Customer);
        match aggregated.function {
            Function::Rows | Function::Count => Self::Counts(Vec::new()),
            Function::Distinct if aggregated.ascending => Self::Ascending(AscendingCustomers::default()),
            Function::Distinct if customer => Self::Customers(Vec::new()),
            Function::Distinct if of(RowType::Identity) => Self::Identities(Vec::new()),
            Function::Distinct if are_numbers(&aggregated.args) => Self::Pairs(Vec::new()),
            Function::Distinct => Self::Distinct(CellTable::new(aggregated.args.len() + 1), Vec::new()),
            Function::Sum | Function::Avg if float => Self::Floats(Vec::new()),
            Function::Sum | Function::Avg => Self::Whole(Vec::new()),
            Function::Min | Function::Max => Self::Best(Vec::new()),
            Function::Quantile(_) if float => Self::FloatValues(Vec::new()),
            Function::Quantile(_) => Self::WholeValues(Vec::new()),
            Function::Stddev => Self::Moments(Vec::new()),
            Function::Share => Self::Share(Vec::new()),
            Function::Top(_) => Self::Frequencies(CellTable::new(2), Vec::new(), Vec::new()),
            Function::List => Self::Lists(Vec::new()),
        }
    }

    /// Makes room for `groups` groups.
    pub(super) fn grow(&mut self, groups: usize) {
        match self {
            Self::Counts(states) | Self::Distinct(_, states) => states.resize(groups, 0),
            Self::Customers(states) | Self::Identities(states) => {
                states.resize_with(groups, RoaringBitmap::new);
            }
            Self::Ascending(counted) => counted.grow(groups),
            Self::Pairs(states) => states.resize_with(groups, RoaringTreemap::new),
            Self::Whole(states) => states.resize(groups, (0, 0)),
            Self::Floats(states) => states.resize_with(groups, Default::default),
            Self::Moments(states) => states.resize_with(groups, Default::default),
            Self::Best(states) => states.resize(groups, Cell::Null),
            Self::WholeValues(states) => states.resize_with(groups, Vec::new),
            Self::FloatValues(states) => states.resize_with(groups, Vec::new),
            Self::Share(states) => states.resize(groups, (0, 0)),
            Self::Frequencies(_, _, tuples) => tuples.resize_with(groups, Vec::new),
            Self::Lists(states) => states.resize_with(groups, Vec::new),
        }
    }

    /// Takes rows in; `groups` has the group of each. Answers the bytes that
    /// are held in addition, about.
    pub(super) fn push(&mut self, what: &Aggregated, batch: &RowBatch, groups: &[u32], env: &Env) -> u64 {
        let arg = what.args.first();
        let mut bytes = 0;
        match self {
            Self::Counts(counts) if what.function == Function::Rows => {
                for &group in groups {
                    if let Some(count) = counts.get_mut(group as usize) {
                        *count += 1;
                    }
                }
            }
            Self::Counts(counts) => each(arg, batch, groups, env, |group, _| {
                if let Some(count) = counts.get_mut(group) {
                    *count += 1;
                }
            }),
            // Who is behind a row is who stands in its column `customer`, which need not be made.
            Self::Ascending(counted) => {
                debug_assert!(matches!(&batch.sets, Sets::One(customers) if customers.len() == batch.len));
                if let Sets::One(customers) = &batch.sets {
                    groups.iter().zip(customers).for_each(|(&group, &customer)| counted.add(group, customer));
                }
            }
            Self::Customers(sets) | Self::Identities(sets) => {
                // Mostly they come in ascending order, each several times: lists that bitmaps
                // take in whole, which is several times as fast as one by one.
                let mut lists: Vec<Vec<u32>> = vec![Vec::new(); sets.len()];
                each(arg, batch, groups, env, |group, cell| {
                    if let (Some(list), Some(number)) = (lists.get_mut(group), number(cell))
                        && list.last() != Some(&number)
                    {
                        list.push(number);
                    }
                });
                for (set, list) in sets.iter_mut().zip(lists) {
                    bytes += 2 * list.len() as u64;
                    add_customers(set, &list);
                }
            }
            Self::Distinct(table, counts) => {
                let mut tuple = Vec::with_capacity(what.args.len() + 1);
                for (row, &group) in groups.iter().enumerate() {
                    let row = BatchRow { columns: &batch.columns, row };
                    tuple.clear();
                    tuple.push(Cell::Int(group.into()));
                    tuple.extend(
                        what.args.iter().map(|arg| arg.eval(&row, env).canonical(arg.attr.is_some(), env)),
                    );
                    if tuple.iter().any(Cell::is_null) || !table.intern(&tuple).1 {
                        continue;
                    }
                    bytes += CellTable::tuple_bytes(&tuple);
                    if let Some(count) = counts.get_mut(group as usize) {
                        *count += 1;
                    }
                }
            }
            Self::Pairs(sets) => {
                let [a, b] = what.args.as_slice() else { return 0 };
                let (high, low) = if b.ty == RowType::Customer { (a, b) } else { (b, a) };
                for (row, &group) in groups.iter().enumerate() {
                    let row = BatchRow { columns: &batch.columns, row };
                    if let (Some(high), Some(low)) =
                        (number(&high.eval(&row, env)), number(&low.eval(&row, env)))
                        && let Some(set) = sets.get_mut(group as usize)
                    {
                        bytes += 2 * u64::from(set.insert(u64::from(high) << 32 | u64::from(low)));
                    }
                }
            }
            Self::Whole(sums) => each(arg, batch, groups, env, |group, cell| {
                if let Some((sum, count)) = sums.get_mut(group) {
                    *sum += i128::from(whole(cell));
                    *count += 1;
                }
            }),
            Self::Floats(sums) => each(arg, batch, groups, env, |group, cell| {
                if let (Some((sum, count)), Some(number)) = (sums.get_mut(group), cell.as_float()) {
                    sum.add(number);
                    *count += 1;
                }
            }),
            Self::Moments(moments) => each(arg, batch, groups, env, |group, cell| {
                let number = cell.as_float().unwrap_or_else(|| whole(cell) as f64);
                if let Some((sum, squares, count)) = moments.get_mut(group) {
                    sum.add(number);
                    squares.add_product(number, number);
                    *count += 1;
                }
            }),
            Self::Best(best) => each(arg, batch, groups, env, |group, cell| {
                if let Some(best) = best.get_mut(group) {
                    improve(best, cell, what.function, env);
                }
            }),
            Self::WholeValues(values) => each(arg, batch, groups, env, |group, cell| {
                if let Some(values) = values.get_mut(group) {
                    values.push(whole(cell));
                    bytes += 8;
                }
            }),
            Self::FloatValues(values) => each(arg, batch, groups, env, |group, cell| {
                if let (Some(values), Some(number)) = (values.get_mut(group), cell.as_float()) {
                    values.push(number);
                    bytes += 8;
                }
            }),
            Self::Share(shares) => {
                let Some(arg) = arg else { return 0 };
                for (row, &group) in groups.iter().enumerate() {
                    let truth = arg.truth(&BatchRow { columns: &batch.columns, row }, env);
                    if let (Some((yes, known)), Some(truth)) = (shares.get_mut(group as usize), truth) {
                        *yes += u64::from(truth);
                        *known += 1;
                    }
                }
            }
            Self::Frequencies(table, counts, _) => {
                let symbols = arg.is_some_and(|arg| arg.attr.is_some());
                each(arg, batch, groups, env, |group, cell| {
                    let tuple = [Cell::Int(group as i64), cell.clone().canonical(symbols, env)];
                    bytes += count_tuple(table, counts, &tuple, 1);
                });
            }
            Self::Lists(lists) => each(arg, batch, groups, env, |group, cell| {
                if let Some(list) = lists.get_mut(group) {
                    bytes += cell_bytes(cell);
                    list.push(cell.clone());
                }
            }),
        }
        bytes
    }

    /// Takes in what another has taken in; its group `i` is `map[i]` here.
    pub(super) fn merge(&mut self, other: Self, map: &[u32], what: &Aggregated, env: &Env) {
        fn zip<S>(into: &mut [S], from: Vec<S>, map: &[u32], mut add: impl FnMut(&mut S, S)) {
            for (state, &group) in from.into_iter().zip(map) {
                if let Some(into) = into.get_mut(group as usize) {
                    add(into, state);
                }
            }
        }
        match (self, other) {
            (Self::Counts(into), Self::Counts(from)) => zip(into, from, map, |a, b| *a += b),
            (Self::Customers(into), Self::Customers(from))
            | (Self::Identities(into), Self::Identities(from)) => {
                zip(into, from, map, |a, b| if a.is_empty() { *a = b } else { *a |= b })
            }
            (Self::Distinct(table, counts), Self::Distinct(from, _)) => {
                for number in 0..from.len() {
                    let Some((group, tuple)) = moved(from.get(number), map) else { continue };
                    if table.intern(&tuple).1
                        && let Some(count) = counts.get_mut(group)
                    {
                        *count += 1;
                    }
                }
            }
            (Self::Ascending(into), Self::Ascending(from)) => into.merge(&from, map),
            (Self::Pairs(into), Self::Pairs(from)) => {
                zip(into, from, map, |a, b| if a.is_empty() { *a = b } else { *a |= b });
            }
            (Self::Whole(into), Self::Whole(from)) => zip(into, from, map, |a, b| {
                a.0 += b.0;
                a.1 += b.1;
            }),
            (Self::Floats(into), Self::Floats(from)) => zip(into, from, map, |a, b| {
                a.0.merge(&b.0);
                a.1 += b.1;
            }),
            (Self::Moments(into), Self::Moments(from)) => zip(into, from, map, |a, b| {
                a.0.merge(&b.0);
                a.1.merge(&b.1);
                a.2 += b.2;
            }),
            (Self::Best(into), Self::Best(from)) => zip(into, from, map, |a, b| {
                if !b.is_null() {
                    improve(a, &b, what.function, env);
                }
            }),
            (Self::WholeValues(into), Self::WholeValues(from)) => zip(into, from, map, append),
            (Self::FloatValues(into), Self::FloatValues(from)) => zip(into, from, map, append),
            (Self::Share(into), Self::Share(from)) => zip(into, from, map, |a, b| {
                a.0 += b.0;
                a.1 += b.1;
            }),
            (Self::Frequencies(table, counts, _), Self::Frequencies(from, often, _)) => {
                for (number, often) in often.into_iter().enumerate() {
                    if let Some((_, tuple)) = moved(from.get(number), map) {
                        count_tuple(table, counts, &tuple, often);
                    }
                }
            }
            (Self::Lists(into), Self::Lists(from)) => zip(into, from, map, append),
            _ => {}
        }
    }

    /// Ends taking in: results may be asked for.
    pub(super) fn seal(&mut self, env: &Env) {
        let Self::Frequencies(table, counts, tuples) = self else { return };
        for number in 0..table.len() {
            if let [Cell::Int(group), _] = table.get(number)
                && let Some(tuples) = tuples.get_mut(*group as usize)
            {
                tuples.push(number as u32);
            }
        }
        for tuples in tuples {
            let often = |number: u32| counts.get(number as usize).copied().unwrap_or(0);
            let value = |number: u32| table.get(number as usize).get(1).unwrap_or(&Cell::Null);
            tuples.sort_by(|&a, &b| often(b).cmp(&often(a)).then_with(|| order(value(a), value(b), env)));
        }
    }

    /// Whether customers that were counted are in several groups, where that is known.
    pub(super) fn overlaps(&self) -> bool {
        matches!(self, Self::Ascending(counted) if counted.overlaps())
    }

    /// The customers counted in each group, where they are what is counted.
    pub(super) fn customers(&self) -> Option<&[RoaringBitmap]> {
        match self {
            Self::Customers(sets) => Some(sets),
            _ => None,
        }
    }

    /// The denominator of a share.
    pub(super) fn denominator(&self, group: usize) -> Cell {
        match self {
            Self::Share(shares) => {
                shares.get(group).map_or(Cell::Null, |(_, known)| Cell::Int(*known as i64))
            }
            _ => Cell::Null,
        }
    }

    /// The result for a group.
    pub(super) fn result(&mut self, group: usize, what: &Aggregated, env: &Env) -> Cell {
        self.result_of(group, what, env).unwrap_or(Cell::Null)
    }

    fn result_of(&mut self, group: usize, what: &Aggregated, env: &Env) -> Option<Cell> {
        let make = |number: i64| match what.ty {
            RowType::Time => Cell::Time(number),
            RowType::Duration => Cell::Duration(number),
            _ => Cell::Int(number),
        };
        Some(match self {
            Self::Counts(counts) | Self::Distinct(_, counts) => Cell::Int(*counts.get(group)? as i64),
            Self::Pairs(sets) => Cell::Int(sets.get(group)?.len() as i64),
            Self::Customers(sets) | Self::Identities(sets) => Cell::Int(sets.get(group)?.len() as i64),
            Self::Ascending(counted) => Cell::Int(counted.count(group)? as i64),
            Self::Whole(sums) => {
                let &(sum, count) = sums.get(group)?;
                match what.function {
                    _ if count == 0 => Cell::Null,
                    Function::Avg if what.ty == RowType::Float => Cell::Float(sum as f64 / count as f64),
                    Function::Avg => make(nearest_quotient(sum, i128::from(count))),
                    _ => match i64::try_from(sum) {
                        Ok(sum) => make(sum),
                        Err(_) => {
                            env.note_overflow(what.span);
                            Cell::Null
                        }
                    },
                }
            }
            Self::Floats(sums) => {
                let (sum, count) = sums.get(group)?;
                match sum.value() {
                    Some(sum) if *count > 0 => match what.function {
                        Function::Avg => Cell::Float(sum / *count as f64),
                        _ => Cell::Float(sum),
                    },
                    _ => Cell::Null,
                }
            }
            Self::Moments(moments) => {
                let (sum, squares, count) = moments.get(group)?;
                let deviation = variance(sum, squares, *count)?.sqrt();
                match what.ty {
                    RowType::Duration => make(rounded(deviation)?),
                    _ => Cell::Float(deviation),
                }
            }
            Self::Best(best) => best.get(group)?.clone(),
            Self::WholeValues(values) => {
                let Function::Quantile(q) = what.function else { return None };
                let (low, high, part) = super::quantile::around(values.get_mut(group)?, q, i64::cmp)?;
                match what.ty {
                    RowType::Float => Cell::Float(low as f64 + part * (high as f64 - low as f64)),
                    _ => {
                        let step = rounded(part * (i128::from(high) - i128::from(low)) as f64)?;
                        make(low.checked_add(step)?)
                    }
                }
            }
            Self::FloatValues(values) => {
                let Function::Quantile(q) = what.function else { return None };
                let (low, high, part) = super::quantile::around(values.get_mut(group)?, q, f64::total_cmp)?;
                // Equal ends first: two infinities would give NaN.
                Cell::Float(if low == high || part == 0.0 { low } else { low + part * (high - low) })
            }
            Self::Share(shares) => match *shares.get(group)? {
                (_, 0) => Cell::Null,
                (yes, known) => Cell::Float(yes as f64 / known as f64),
            },
            Self::Frequencies(table, _, tuples) => {
                let Function::Top(n) = what.function else { return None };
                let value = |&number: &u32| table.get(number as usize).get(1).cloned().unwrap_or(Cell::Null);
                Cell::List(tuples.get(group)?.iter().take(n).map(value).collect())
            }
            Self::Lists(lists) => Cell::List(std::mem::take(lists.get_mut(group)?).into()),
        })
    }

    /// Bytes that each further group takes, about.
    pub(super) fn group_bytes(&self) -> u64 {
        (match self {
            Self::Counts(_) | Self::Distinct(..) => 8,
            Self::Whole(_) => size_of::<(i128, u64)>(),
            Self::Floats(states) => {
                size_of::<(ExactSum, u64)>() + states.first().map_or(0, |(sum, _)| sum.bytes())
            }
            Self::Moments(_) => size_of::<(ExactSum, ExactSum, u64)>() + 64,
            Self::Share(_) => 16,
            _ => 64,
        }) as u64
    }
}

/// Whether the values of two arguments are equal exactly where their numbers are.
fn are_numbers(args: &[Typed]) -> bool {
    let symbols = |arg: &Typed| arg.ty == RowType::Text && arg.attr.is_some();
    let numbered = |arg: &Typed| matches!(arg.ty, RowType::Customer | RowType::Identity) || symbols(arg);
    args.len() == 2 && args.iter().all(numbered)
}

fn number(cell: &Cell) -> Option<u32> {
    match *cell {
        Cell::Customer(number) | Cell::Identity(IdentityOrdinal(number)) | Cell::Symbol(_, number) => {
            Some(number)
        }
        _ => None,
    }
}

fn improve(best: &mut Cell, cell: &Cell, function: Function, env: &Env) {
    let better = if best.is_null() {
        true
    } else {
        let order = order(cell, best, env);
        if function == Function::Min { order.is_lt() } else { order.is_gt() }
    };
    if better {
        *best = cell.clone();
    }
}

fn append<T>(into: &mut Vec<T>, mut from: Vec<T>) {
    if into.is_empty() { *into = from } else { into.append(&mut from) }
}

/// A tuple with its leading group as the target numbers it.
fn moved(tuple: &[Cell], map: &[u32]) -> Option<(usize, Vec<Cell>)> {
    let (Cell::Int(group), values) = tuple.split_first()? else { return None };
    let group = *map.get(usize::try_from(*group).ok()?)?;
    let mut tuple = Vec::with_capacity(values.len() + 1);
    tuple.push(Cell::Int(group.into()));
    tuple.extend(values.iter().cloned());
    Some((group as usize, tuple))
}

fn count_tuple(table: &mut CellTable, counts: &mut Vec<u64>, tuple: &[Cell], often: u64) -> u64 {
    let (number, new) = table.intern(tuple);
    if new {
        counts.push(0);
    }
    if let Some(count) = counts.get_mut(number as usize) {
        *count += often;
    }
    if new { 8 + CellTable::tuple_bytes(tuple) } else { 0 }
}

/// The nearest whole number to `a / b` (b > 0), halves away from zero. It lies
/// between values of 64 bits, so it is one.
fn nearest_quotient(a: i128, b: i128) -> i64 {
    let half = if a < 0 { -(b / 2) } else { b / 2 };
    let mut quotient = a / b;
    let rest = a % b;
    if rest.abs() > half.abs() || (rest.abs() * 2 == b) {
        quotient += if a < 0 { -1 } else { 1 };
    }
    i64::try_from(quotient).unwrap_or(if a < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients() {
        let check = |a: i128, b: i128, expected: i64| assert_eq!(nearest_quotient(a, b), expected, "{a}/{b}");
        check(7, 2, 4);
        check(-7, 2, -4);
        check(7, 3, 2);
        check(8, 3, 3);
        check(-8, 3, -3);
        check(0, 5, 0);
        check(5, 5, 1);
    }
}
