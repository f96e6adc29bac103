//! What a unit of work has made of its rows so far, and how such parts are joined.

use roaring::RoaringBitmap;

use super::Stage;
use crate::rows::aggregate::Groups;
use crate::rows::cell_table::CellTable;
use crate::rows::{Cell, Env, QueryLimit, RowBatch, Sets};

/// What a unit of work has made of its rows so far.
pub(crate) struct Partial {
    state: State,
    /// Whether further rows change nothing.
    pub(super) full: bool,
    /// Bytes counted as held.
    held: u64,
}

enum State {
    Rows(RowBatch),
    Groups(Groups),
    Distinct(CellTable, RowBatch),
    Customers(RoaringBitmap),
}

pub(super) fn start(stage: Option<&Stage>) -> Partial {
    let state = match stage {
        Some(Stage::Aggregate(aggregate)) => State::Groups(aggregate.start()),
        Some(Stage::Customers) => State::Customers(RoaringBitmap::new()),
        // The width is known when the first rows come.
        Some(Stage::Distinct) => State::Distinct(CellTable::new(0), RowBatch::empty(0)),
        _ => State::Rows(RowBatch::empty(0)),
    };
    Partial { full: matches!(stage, Some(Stage::Limit(0))), state, held: 0 }
}

pub(super) fn take_in(
    stage: Option<&Stage>,
    partial: &mut Partial,
    batch: RowBatch,
    env: &Env,
) -> Result<(), QueryLimit> {
    if batch.len == 0 || partial.full {
        return env.check();
    }
    let bytes = match (&mut partial.state, stage) {
        (State::Groups(groups), Some(Stage::Aggregate(aggregate))) => aggregate.push(groups, &batch, env),
        (State::Customers(customers), _) => {
            let before = customers.len();
            for row in 0..batch.len {
                batch.sets.add_to(row, customers);
            }
            2 * (customers.len() - before)
        }
        (State::Distinct(table, rows), _) => take_distinct(table, rows, batch, env),
        (State::Rows(rows), stage) => {
            let bytes = batch.bytes();
            rows.append(batch);
            match stage {
                Some(Stage::Limit(limit)) => {
                    rows.truncate(*limit);
                    partial.full = rows.len >= *limit;
                }
                Some(Stage::Sort(sort)) => {
                    if let Some(limit) = sort.limit
                        && rows.len >= limit.saturating_mul(4).max(8192)
                    {
                        *rows = sort.apply(rows, env);
                        let bytes = rows.bytes();
                        env.release(std::mem::replace(&mut partial.held, bytes));
                        return env.check().and_then(|()| env.hold(bytes));
                    }
                }
                _ => {}
            }
            bytes
        }
        _ => 0,
    };
    env.check()?;
    partial.held += bytes;
    env.hold(bytes)
}

/// Keeps the first of equal rows, with the customers of all.
fn take_distinct(table: &mut CellTable, rows: &mut RowBatch, batch: RowBatch, env: &Env) -> u64 {
    if table.len() == 0 {
        *table = CellTable::new(batch.columns.len());
    }
    let known = table.len();
    let mut numbers = Vec::with_capacity(batch.len);
    let mut keep = Vec::with_capacity(batch.len);
    for row in 0..batch.len {
        let cell = |column: &Vec<Cell>| column.get(row).cloned().unwrap_or(Cell::Null).canonical(false, env);
        let tuple: Vec<Cell> = batch.columns.iter().map(cell).collect();
        let (number, new) = table.intern(&tuple);
        numbers.push(number as usize);
        keep.push(new);
    }
    let sets = if batch.has_sets() {
        let old = match (&mut rows.sets, rows.len) {
            (Sets::Many(sets), _) => std::mem::take(sets),
            (Sets::One(_), _) => Vec::new(),
        };
        let mut sets = old;
        sets.resize_with(table.len(), RoaringBitmap::new);
        for (row, &number) in numbers.iter().enumerate() {
            if let Some(set) = sets.get_mut(number) {
                batch.sets.add_to(row, set);
            }
        }
        sets
    } else {
        Vec::new()
    };
    let mut batch = batch;
    batch.members = None;
    batch.retain(&keep);
    let bytes = 2 * batch.bytes() + 2 * (table.len() - known) as u64;
    batch.sets = Sets::Many(Vec::new());
    rows.append(batch);
    rows.sets = Sets::Many(sets);
    bytes
}

pub(super) fn join(
    stage: Option<&Stage>,
    into: &mut Partial,
    from: Partial,
    env: &Env,
) -> Result<(), QueryLimit> {
    match (&mut into.state, from.state) {
        (State::Groups(into), State::Groups(from)) => {
            if let Some(Stage::Aggregate(aggregate)) = stage {
                aggregate.merge(into, from, env);
            }
            Ok(())
        }
        (State::Customers(into), State::Customers(from)) => {
            *into |= from;
            Ok(())
        }
        (State::Distinct(table, rows), State::Distinct(_, from)) => {
            if from.len > 0 {
                take_distinct(table, rows, from, env);
            }
            Ok(())
        }
        (State::Rows(into), State::Rows(from)) => {
            into.append(from);
            if let Some(Stage::Limit(limit)) = stage {
                into.truncate(*limit);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

pub(super) fn end(stage: Option<&Stage>, partial: Partial, env: &Env) -> Result<RowBatch, QueryLimit> {
    match (partial.state, stage) {
        (State::Groups(groups), Some(Stage::Aggregate(aggregate))) => aggregate.finish(groups, env),
        (State::Customers(customers), _) => by_name(&customers, env),
        (State::Rows(rows), Some(Stage::Sort(sort))) => Ok(sort.apply(&rows, env)),
        (State::Rows(rows) | State::Distinct(_, rows), _) => Ok(rows),
        (State::Groups(_), _) => Ok(RowBatch::empty(0)),
    }
}

/// One row a customer, by the bytes of the name, so that numbers never show.
fn by_name(customers: &RoaringBitmap, env: &Env) -> Result<RowBatch, QueryLimit> {
    let mut named = Vec::new();
    for customer in customers {
        named.push((env.snapshot.customer_name(customer)?, customer));
    }
    named.sort_unstable();
    let customers: Vec<u32> = named.into_iter().map(|(_, customer)| customer).collect();
    Ok(RowBatch {
        len: customers.len(),
        columns: vec![customers.iter().map(|&customer| Cell::Customer(customer)).collect()],
        sets: Sets::One(customers),
        members: None,
    })
}
