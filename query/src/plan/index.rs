//! What the bitmap index knows: exactly, or as candidates that are read then;
//! and whether reading by it is cheaper than reading all.

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Result, Snapshot};

use super::compile::Unread;
use super::interaction::attribute;
use super::steps::StepFilter;
use crate::rows::{Cell, Shape, Typed};
use crate::syntax::ast::BinaryOp;

/// The index counts interactions of a value up to this many a customer.
const COUNTED: usize = 3;

/// What is read, and what spoke for it. Costs are counted in interactions decoded.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// How many customers can have a row, from above; `None` where the index says nothing.
    pub estimated: Option<u64>,
    /// The customers who are looked at; `None` for all.
    pub wanted: Option<RoaringBitmap>,
    /// The units to read, ascending.
    pub units: Vec<usize>,
    /// What reading by the index and reading all would cost, where there was a choice.
    pub costs: Option<Costs>,
    /// Whether the customers are given by the rows before.
    pub given: bool,
    /// Whether nothing is read because the index alone answers.
    pub unread: bool,
}

impl Choice {
    /// Nothing is read: the index alone answers.
    pub(crate) fn of_index(unread: &Unread, given: bool) -> Self {
        let estimated = match unread {
            Unread::Customers(customers) => Some(customers.len()),
            Unread::Part(_) => None,
        };
        Self { estimated, wanted: None, units: Vec::new(), costs: None, given, unread: true }
    }
}

/// Two ways to read, in interactions decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Costs {
    /// Units with a candidate, and only the candidates' journeys worked on.
    pub index: u64,
    /// Every unit and every journey.
    pub scan: u64,
}

/// What passing an interaction through the operators costs, in interactions decoded. PROFILE over
/// 300,000 made-up interactions showed some 10 ns to decode one with two columns, and as much or
/// more to match it.
const WORK: f64 = 1.0;
/// Asking the bitmap about one customer: a search among 65,536.
const ASK: f64 = 0.5;
/// Taking one interaction of a candidate out of its unit: a copy of what was decoded.
const TAKE: f64 = 0.5;

/// Whether the journeys of the wanted customers are taken out of a unit, rather than those of all
/// others passed over: where they are fewer than half.
pub(crate) fn takes_out(wanted: u64, all: u64) -> bool {
    wanted.saturating_mul(2) < all
}

/// What reading an interaction costs where journeys are read one by one, in interactions of a unit
/// that is decoded whole. Measured on a unit of 4,000 customers and 88,000 interactions, where
/// reading every 16th customer took as long as reading all, and every 64th less than half as long.
const SEEK: u64 = 16;

/// Whether only the journeys of the wanted customers are read of a unit, rather than all.
pub(crate) fn reads_some(snapshot: &Snapshot, unit: usize, wanted: &RoaringBitmap) -> bool {
    let Some(unit) = snapshot.units().get(unit) else { return false };
    let span = unit.first..=unit.last;
    seeks(wanted.range_cardinality(span.clone()), snapshot.present().range_cardinality(span))
}

fn seeks(wanted: u64, all: u64) -> bool {
    wanted.saturating_mul(SEEK) <= all
}

/// Decides between the candidates that the index names and a scan of all. `own` are the
/// customers that the phase begins with, where they are not all: then there is nothing to
/// decide, because a bitmap is asked in any case.
pub(crate) fn choose(
    candidates: Option<RoaringBitmap>,
    own: Option<RoaringBitmap>,
    snapshot: &Snapshot,
) -> Choice {
    let estimated = candidates.as_ref().map(RoaringBitmap::len);
    let given = own.is_some();
    let (wanted, costs) = match (candidates, own) {
        (Some(candidates), Some(own)) => (Some(candidates & own), None),
        (None, own) => (own, None),
        (Some(candidates), None) => {
            let costs = costs(&candidates, snapshot);
            ((costs.index < costs.scan).then_some(candidates), Some(costs))
        }
    };
    let units = units_with(snapshot, wanted.as_ref());
    Choice { estimated, wanted, units, costs, given, unread: false }
}

/// What an index saves of reading is the units without a candidate, and most of those with few; in
/// the others, which are decoded whole, it saves work on the journeys of everybody else.
fn costs(candidates: &RoaringBitmap, snapshot: &Snapshot) -> Costs {
    let (mut index, mut scan) = (0.0, 0.0);
    for unit in snapshot.units() {
        scan += unit.interactions as f64 * (1.0 + WORK);
    }
    for unit in units_with(snapshot, Some(candidates)) {
        let Some(unit) = snapshot.units().get(unit) else { continue };
        let interactions = unit.interactions as f64;
        let span = unit.first..=unit.last;
        let wanted = candidates.range_cardinality(span.clone());
        let all = snapshot.present().range_cardinality(span).max(wanted);
        let share = wanted as f64 / all as f64;
        if seeks(wanted, all) {
            index += interactions * share * (SEEK as f64 + WORK);
            continue;
        }
        let take = if takes_out(wanted, all) { TAKE } else { 0.0 };
        index += interactions + all as f64 * ASK + interactions * share * (WORK + take);
    }
    Costs { index: index.round() as u64, scan: scan.round() as u64 }
}

/// The units that hold any of the wanted customers.
pub(crate) fn units_with(snapshot: &Snapshot, wanted: Option<&RoaringBitmap>) -> Vec<usize> {
    let units = snapshot.units();
    let Some(wanted) = wanted else { return (0..units.len()).collect() };
    let mut found = Vec::new();
    // From one wanted customer to the next that is not in the same unit.
    let mut next = wanted.min();
    while let Some(customer) = next {
        let place = units.partition_point(|unit| unit.last < customer);
        let Some(unit) = units.get(place) else { break };
        if unit.first <= customer {
            found.push(place);
            next = unit.last.checked_add(1).and_then(|after| wanted.range(after..).next());
        } else {
            next = wanted.range(unit.first..).next();
        }
    }
    found
}

/// Exactly the customers with at least so many interactions that satisfy the
/// filter; `None` where the index cannot tell.
pub(crate) fn exactly(
    filter: &StepFilter,
    at_least: usize,
    snapshot: &Snapshot,
) -> Result<Option<RoaringBitmap>> {
    let Some(predicate) = &filter.predicate else { return Ok(None) };
    if !(1..=COUNTED).contains(&at_least) {
        return Ok(None);
    }
    match values(predicate) {
        Some((_, symbols)) if symbols.len() > 1 && at_least > 1 => Ok(None),
        Some((attr, symbols)) => union(attr, &symbols, at_least, snapshot).map(Some),
        None => Ok(None),
    }
}

/// At least the customers with so many interactions that satisfy a predicate;
/// `None` where the index says nothing about it.
pub(crate) fn candidates_of(
    predicate: &Typed,
    at_least: usize,
    snapshot: &Snapshot,
) -> Result<Option<RoaringBitmap>> {
    match predicate.shape() {
        Shape::And(a, b) => {
            let sides = (candidates_of(a, at_least, snapshot)?, candidates_of(b, at_least, snapshot)?);
            Ok(match sides {
                (Some(a), Some(b)) => Some(a & b),
                (a, b) => a.or(b),
            })
        }
        Shape::Or(a, b) => match (candidates_of(a, 1, snapshot)?, candidates_of(b, 1, snapshot)?) {
            (Some(a), Some(b)) => Ok(Some(a | b)),
            _ => Ok(None),
        },
        _ => match values(predicate) {
            Some((attr, symbols)) => {
                let at_least = if symbols.len() > 1 { 1 } else { at_least.clamp(1, COUNTED) };
                union(attr, &symbols, at_least, snapshot).map(Some)
            }
            None => Ok(None),
        },
    }
}

/// The values of a symbol attribute that a predicate accepts, where it is no
/// more than that. A text that is no symbol of the store is no value of it.
pub(crate) fn values(predicate: &Typed) -> Option<(AttrId, Vec<u32>)> {
    let (slot, cells): (usize, Vec<&Cell>) = match predicate.shape() {
        Shape::Compare { slot, op: BinaryOp::Eq, constant } => (slot, vec![constant]),
        Shape::InSet { slot, cells } => (slot, cells.iter().collect()),
        _ => return None,
    };
    let attr = attribute(slot).filter(|attr| !attr.is_reserved())?;
    let mut symbols = Vec::with_capacity(cells.len());
    for cell in cells {
        match cell {
            Cell::Symbol(of, symbol) if *of == attr => symbols.push(*symbol),
            _ => return None,
        }
    }
    (!symbols.is_empty()).then_some((attr, symbols))
}

fn union(attr: AttrId, symbols: &[u32], at_least: usize, snapshot: &Snapshot) -> Result<RoaringBitmap> {
    let mut all = RoaringBitmap::new();
    for &symbol in symbols {
        all |= snapshot.at_least(attr, symbol, at_least.min(COUNTED) as u8)?;
    }
    Ok(all)
}
