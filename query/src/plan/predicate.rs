//! Predicates over the interactions of a flow, answered column by column.

use std::cmp::Ordering;

use throughline_engine::{AttrId, Column};

use super::flow::Flow;
use super::interaction::{AT, CUSTOMER, InteractionRow};
use super::truth::{self, Truth};
use crate::rows::{Cell, Cells, Env, Shape, Typed};
use crate::syntax::ast::BinaryOp;

/// Columns read by an expression over interactions.
pub(crate) fn attributes(typed: &Typed) -> impl Iterator<Item = AttrId> {
    typed.slots().into_iter().filter_map(super::interaction::attribute)
}

/// Whether a predicate holds, for every row in hand.
///
/// What reads one dictionary-coded column is evaluated once a distinct value;
/// comparisons of numbers and times run over the values; AND, OR and NOT join
/// what their sides answer; the rest is evaluated row by row.
pub(crate) fn holds(typed: &Typed, flow: &Flow, env: &Env) -> Truth {
    let rows = flow.block().rows();
    let slots = typed.slots();
    if let [slot] = slots[..] {
        if slot == CUSTOMER {
            return once_a_journey(typed, flow, env);
        }
        if let Some(attr) = super::interaction::attribute(slot) {
            match flow.block().column(attr) {
                None => return Truth::all(truth::of(typed.truth(&OneCell(&Cell::Null), env)), rows),
                Some(Column::Symbol { codes, .. } | Column::Str { codes, .. }) => {
                    let table = once_a_value(typed, attr, flow, env);
                    let at = |&code: &u32| table.get(code as usize).copied().unwrap_or(truth::UNKNOWN);
                    return Truth::new(codes.iter().map(at));
                }
                Some(_) => {}
            }
        }
    }
    match typed.shape() {
        Shape::And(a, b) => holds(a, flow, env).and(&holds(b, flow, env)),
        Shape::Or(a, b) => holds(a, flow, env).or(&holds(b, flow, env)),
        Shape::Not(inner) => holds(inner, flow, env).not(),
        Shape::Constant(cell) => {
            let value = match cell {
                Cell::Bool(value) => Some(*value),
                _ => None,
            };
            Truth::all(truth::of(value), rows)
        }
        Shape::Compare { slot, op, constant } => {
            compare(slot, op, constant, flow).unwrap_or_else(|| row_by_row(typed, flow, env))
        }
        _ => row_by_row(typed, flow, env),
    }
}

/// The one dictionary-coded column that a predicate reads.
pub(crate) fn coded<'a>(typed: &Typed, flow: &'a Flow) -> Option<(AttrId, &'a [u32])> {
    let attr = match typed.slots()[..] {
        [slot] => super::interaction::attribute(slot)?,
        _ => return None,
    };
    match flow.block().column(attr)? {
        Column::Symbol { codes, .. } | Column::Str { codes, .. } => Some((attr, codes)),
        _ => None,
    }
}

/// The truth for every code of a dictionary-coded column, 0 (NULL) first.
pub(crate) fn once_a_value(typed: &Typed, attr: AttrId, flow: &Flow, env: &Env) -> Vec<u8> {
    let mut table = vec![truth::of(typed.truth(&OneCell(&Cell::Null), env))];
    let mut ask = |cell: Cell| table.push(truth::of(typed.truth(&OneCell(&cell), env)));
    match flow.block().column(attr) {
        Some(Column::Symbol { dictionary, .. }) => {
            dictionary.iter().for_each(|&symbol| ask(Cell::Symbol(attr, symbol)));
        }
        Some(Column::Str { dictionary, .. }) => dictionary.iter().for_each(|text| ask(Cell::text(text))),
        _ => {}
    }
    table
}

/// A row in which every column is the same cell: enough where one is read.
struct OneCell<'a>(&'a Cell);

impl Cells for OneCell<'_> {
    fn cell(&self, _slot: usize) -> Cell {
        self.0.clone()
    }
}

fn once_a_journey(typed: &Typed, flow: &Flow, env: &Env) -> Truth {
    let block = flow.block();
    Truth::new((0..block.customers.len()).flat_map(|journey| {
        let value = match flow.lives(journey) {
            true => truth::of(typed.truth(&OneCell(&Cell::Customer(flow.customer(journey))), env)),
            false => truth::UNKNOWN,
        };
        std::iter::repeat_n(value, block.journey(journey).len())
    }))
}

fn row_by_row(typed: &Typed, flow: &Flow, env: &Env) -> Truth {
    let block = flow.block();
    let mut values = Vec::with_capacity(block.rows());
    for journey in 0..block.customers.len() {
        let lives = flow.lives(journey);
        for row in block.journey(journey) {
            // Nobody asks about what is out of sight.
            values.push(match lives && flow.sees(row) {
                true => truth::of(typed.truth(&InteractionRow::new(flow, journey, row, env), env)),
                false => truth::UNKNOWN,
            });
        }
    }
    Truth::new(values)
}

/// A number or time against a constant; `None` where they are of kinds that
/// only the evaluator knows how to compare.
fn compare(slot: usize, op: BinaryOp, constant: &Cell, flow: &Flow) -> Option<Truth> {
    let block = flow.block();
    if slot == AT {
        let Cell::Time(bound) = constant else { return None };
        return Some(Truth::new(block.times.iter().map(|at| accepts(op, Some(at.cmp(bound))))));
    }
    let attr = super::interaction::attribute(slot)?;
    let (values, valid) = match (block.column(attr)?, constant) {
        (Column::Int { values, valid }, Cell::Int(bound) | Cell::Time(bound)) => {
            (values.iter().map(|value| accepts(op, Some(value.cmp(bound)))).collect::<Vec<u8>>(), valid)
        }
        (Column::Int { values, valid }, Cell::Bool(bound)) => {
            (values.iter().map(|value| accepts(op, Some((*value != 0).cmp(bound)))).collect(), valid)
        }
        (Column::Float { values, valid }, Cell::Float(bound)) => {
            (values.iter().map(|value| accepts(op, value.partial_cmp(bound))).collect(), valid)
        }
        _ => return None,
    };
    Some(match valid {
        None => Truth::new(values),
        Some(valid) => Truth::new(
            values.into_iter().zip(valid).map(|(value, &valid)| if valid { value } else { truth::UNKNOWN }),
        ),
    })
}

fn accepts(op: BinaryOp, order: Option<Ordering>) -> u8 {
    let Some(order) = order else { return truth::UNKNOWN };
    truth::of(Some(match op {
        BinaryOp::Eq => order == Ordering::Equal,
        BinaryOp::Ne => order != Ordering::Equal,
        BinaryOp::Lt => order == Ordering::Less,
        BinaryOp::Le => order != Ordering::Greater,
        BinaryOp::Gt => order == Ordering::Greater,
        BinaryOp::Ge => order != Ordering::Less,
        _ => return truth::UNKNOWN,
    }))
}
