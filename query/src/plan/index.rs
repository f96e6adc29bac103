//! What the bitmap index knows: exactly, or as candidates that are read then.

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Result, Snapshot, Unit};

use super::interaction::attribute;
use super::steps::StepFilter;
use crate::rows::{Cell, Shape, Typed};
use crate::syntax::ast::BinaryOp;

/// The index counts interactions of a value up to this many a customer.
const COUNTED: usize = 3;

/// Where more than one in so many customers qualifies, all are read: skipping
/// single customers inside a unit saves little.
const SCAN_FROM_ONE_IN: u64 = 3;

/// Whether so many qualify that all are read.
pub(crate) fn scans(candidates: &RoaringBitmap, snapshot: &Snapshot) -> bool {
    candidates.len().saturating_mul(SCAN_FROM_ONE_IN) > snapshot.customers()
}

/// The units that hold any of the wanted customers.
pub(crate) fn units_with(snapshot: &Snapshot, wanted: Option<&RoaringBitmap>) -> Vec<usize> {
    let holds =
        |unit: &Unit| wanted.is_none_or(|wanted| wanted.range_cardinality(unit.first..=unit.last) > 0);
    let units = snapshot.units().iter().enumerate();
    units.filter(|(_, unit)| holds(unit)).map(|(place, _)| place).collect()
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
fn values(predicate: &Typed) -> Option<(AttrId, Vec<u32>)> {
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
