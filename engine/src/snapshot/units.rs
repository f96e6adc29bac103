//! Spans of customers that are read at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::block::Block;
use crate::limits::RANGE_CUSTOMERS;
use crate::manifest::Range;
use crate::model::{CustomerOrdinal, Millis};

/// A span of customers that is read at once. Units are disjoint, ascending,
/// and together hold every interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Lowest customer ordinal that may be in it.
    pub first: CustomerOrdinal,
    /// Highest customer ordinal that may be in it.
    pub last: CustomerOrdinal,
    /// Interactions in it; an upper bound where parts overlap, or where some are dead.
    pub interactions: u64,
    /// Earliest time in it.
    pub time_min: Millis,
    /// Latest time in it.
    pub time_max: Millis,
}

/// One unit for each range that a block has interactions of.
pub(super) fn range_units(block: &Arc<Block>) -> Arc<[Unit]> {
    let mut units = Vec::new();
    let mut start = 0;
    while let Some(&customer) = block.customers.get(start) {
        let number = customer / RANGE_CUSTOMERS;
        let end = block.customers.partition_point(|customer| customer / RANGE_CUSTOMERS <= number);
        let rows = block.journey(start).start..block.journey(end.saturating_sub(1)).end;
        let times = block.times.get(rows.clone()).unwrap_or_default();
        units.push(range_unit(
            number,
            rows.len() as u64,
            times.iter().copied().min().unwrap_or_default(),
            times.iter().copied().max().unwrap_or_default(),
        ));
        start = end;
    }
    units.into()
}

/// A range in one piece where something overlays its base, else its base segments.
pub(super) fn units(ranges: &[Range], tail: &[Arc<[Unit]>]) -> Arc<[Unit]> {
    let mut in_tail: BTreeMap<u32, Unit> = BTreeMap::new();
    for unit in tail.iter().flat_map(|units| units.iter()) {
        let sum = in_tail.entry(unit.first / RANGE_CUSTOMERS).or_insert(Unit { interactions: 0, ..*unit });
        add_unit(sum, unit);
    }
    let mut out = Vec::new();
    let numbers = ranges.len().max(in_tail.keys().last().map_or(0, |&last| last as usize + 1));
    for number in 0..numbers as u32 {
        let sealed = ranges.get(number as usize);
        let overlay = in_tail.get(&number);
        let segments = |range: &Range| -> Vec<Unit> {
            (range.all().flat_map(|run| &run.segments))
                .map(|segment| Unit {
                    first: segment.first,
                    last: segment.last,
                    interactions: segment.rows,
                    time_min: segment.time_min,
                    time_max: segment.time_max,
                })
                .collect()
        };
        match (sealed.map(segments).filter(|units| !units.is_empty()), overlay) {
            (Some(units), None) if sealed.is_some_and(|range| range.runs.is_empty()) => out.extend(units),
            (units, overlay) => {
                let parts = units.into_iter().flatten().chain(overlay.copied());
                let merged = parts.reduce(|mut sum, part| {
                    add_unit(&mut sum, &part);
                    sum
                });
                out.extend(
                    merged
                        .map(|unit| Unit { first: number * RANGE_CUSTOMERS, ..unit })
                        .map(|unit| Unit { last: number * RANGE_CUSTOMERS + (RANGE_CUSTOMERS - 1), ..unit }),
                );
            }
        }
    }
    out.into()
}

pub(super) fn range_unit(number: u32, interactions: u64, time_min: Millis, time_max: Millis) -> Unit {
    let first = number * RANGE_CUSTOMERS;
    Unit { first, last: first + (RANGE_CUSTOMERS - 1), interactions, time_min, time_max }
}

fn add_unit(sum: &mut Unit, part: &Unit) {
    sum.interactions += part.interactions;
    sum.time_min = sum.time_min.min(part.time_min);
    sum.time_max = sum.time_max.max(part.time_max);
}
