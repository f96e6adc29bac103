//! What a phase begins with: all customers, some, or parts of their journeys.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Block, CustomerOrdinal, Snapshot};

use crate::error::QueryError;
use crate::plan::compile::Then;
use crate::plan::flow::{Flow, Pieces, among, only};
use crate::plan::index::{reads_some, takes_out};
use crate::rows::RowBatch;
use crate::syntax::ast::Part;

/// What a phase begins with.
#[derive(Clone, Debug)]
pub(super) enum Base {
    /// All journeys.
    All,
    /// The whole journeys of these.
    Customers(RoaringBitmap),
    /// Parts of journeys, by customer.
    Parts(BTreeMap<CustomerOrdinal, Vec<Piece>>),
}

/// A part of a customer's whole journey, by places in it.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Before(u32),
    After(u32),
    These(Vec<u32>),
}

impl Base {
    /// The customers it begins with; `None` for all.
    pub(super) fn customers(&self) -> Option<RoaringBitmap> {
        match self {
            Self::All => None,
            Self::Customers(customers) => Some(customers.clone()),
            Self::Parts(parts) => Some(parts.keys().copied().collect()),
        }
    }
}

/// The journeys of a unit that a phase begins with; how many interactions were decoded for them, and
/// how many stored bytes. `light` as [`Operator::is_light`](crate::plan::operator::Operator::is_light).
pub(super) fn flow_of(
    snapshot: &Snapshot,
    unit: usize,
    reads: &[AttrId],
    wanted: Option<&RoaringBitmap>,
    base: &Base,
    light: bool,
) -> Result<(Flow, usize, Option<u64>), QueryError> {
    if let Some(those) = wanted.filter(|those| reads_some(snapshot, unit, those)) {
        let (block, bytes) = snapshot.read_some(unit, those, reads)?;
        let read = block.rows();
        return Ok((flow_on(block, None, base), read, Some(bytes)));
    }
    let mut block = snapshot.read(unit, reads)?;
    let read = block.rows();
    let mut mask = wanted.map(|those| among(&block, those));
    if let Some(asked) = &mask
        && !light
        && takes_out(asked.iter().filter(|asked| **asked).count() as u64, asked.len() as u64)
    {
        block = only(&block, asked);
        mask = None;
    }
    Ok((flow_on(block, mask, base), read, None))
}

/// The journeys of a block that a phase begins with.
pub(super) fn flow_on(block: Block, mask: Option<Vec<bool>>, base: &Base) -> Flow {
    let mut flow = Flow::new(block);
    if let Base::Parts(parts) = base {
        let mut pieces = Pieces::default();
        for (place, customer) in flow.block().customers.iter().enumerate() {
            if mask.as_ref().is_some_and(|mask| !mask.get(place).copied().unwrap_or(false)) {
                continue;
            }
            let rows = flow.block().journey(place);
            let (start, end) = (rows.start as u32, rows.end as u32);
            for piece in parts.get(customer).into_iter().flatten() {
                match piece {
                    Piece::Before(first) => pieces.push(place, start..end.min(start.saturating_add(*first))),
                    Piece::After(last) => {
                        pieces.push(place, start.saturating_add(*last).saturating_add(1)..end);
                    }
                    Piece::These(places) => {
                        let rows = places.iter().map(|place| start + place);
                        pieces.push(place, rows.filter(|&row| row < end));
                    }
                }
            }
        }
        flow.cut(pieces);
    } else if let Some(mask) = mask {
        flow.keep(mask);
    }
    flow
}

/// The customers behind rows.
pub(super) fn behind(batch: &RowBatch) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    for row in 0..batch.len {
        batch.sets.add_to(row, &mut all);
    }
    all
}

pub(super) fn next_base(then: &Then, batch: &RowBatch) -> Base {
    let mut parts: BTreeMap<CustomerOrdinal, Vec<Piece>> = BTreeMap::new();
    let members = batch.members.iter().flatten();
    match then {
        Then::Journeys(Part::Before) => {
            for row in members {
                let piece = row.places.first().map(|&first| Piece::Before(first));
                parts.entry(row.customer).or_default().extend(piece);
            }
        }
        Then::Journeys(Part::After) => {
            for row in members {
                let piece = row.places.last().map(|&last| Piece::After(last));
                parts.entry(row.customer).or_default().extend(piece);
            }
        }
        Then::Members => {
            let mut places: BTreeMap<CustomerOrdinal, Vec<u32>> = BTreeMap::new();
            for row in members {
                places.entry(row.customer).or_default().extend(row.places.iter());
            }
            for (customer, mut places) in places {
                places.sort_unstable();
                places.dedup();
                parts.insert(customer, vec![Piece::These(places)]);
            }
        }
        _ => return Base::Customers(behind(batch)),
    }
    Base::Parts(parts)
}
