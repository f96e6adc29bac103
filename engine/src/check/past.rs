//! Versions that were amended away: each ends where another of the same interaction begins.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::block::Block;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::index::{IndexBuilder, IndexReader};
use crate::limits::RANGE_CUSTOMERS;
use crate::manifest::{Range, Run};
use crate::merge::without_customers;
use crate::schema::{AttrId, AttrType};
use crate::segment::Chosen;
use crate::span::{Wanted, read_runs_of, read_segment};
use crate::state::State;
use crate::tail::TailPiece;
use crate::versions::current_rows;

/// Customers whose versions are compared at once.
const AT_ONCE: usize = 1 << 12;

/// A number of a row; `None` for NULL.
fn number(block: &Block, attr: AttrId, row: usize) -> Option<i64> {
    match block.column(attr) {
        Some(column @ Column::Int { values, .. }) if !column.is_null(row) => values.get(row).copied(),
        _ => None,
    }
}

/// Whether no row of a block was amended away.
pub(super) fn is_current(block: &Block) -> bool {
    current_rows(block).count() == block.rows()
}

/// Checks the runs of earlier versions of a range.
pub(super) fn check_past(state: &State, number: u32, range: &Range) -> Result<()> {
    let mut living = RoaringBitmap::new();
    for run in &range.past {
        check_run(state, number, run, &mut living)?;
    }
    if !living.is_subset(&state.present) {
        return Err(damaged(state, number, "they are of customers that the store does not list"));
    }
    let customers: Vec<u32> = living.iter().collect();
    customers.chunks(AT_ONCE).try_for_each(|customers| check_versions(state, number, range, customers))
}

/// Checks earlier versions in memory: their customers have interactions in memory, too.
pub(super) fn check_unsealed(state: &State) -> Result<()> {
    let living = |pieces: &[TailPiece]| -> RoaringBitmap {
        let of = |piece: &TailPiece| piece.living(Wanted::These(&[])).customers.clone();
        pieces.iter().flat_map(of).collect()
    };
    if living(state.past.pieces()).is_subset(&living(state.tail.pieces())) {
        return Ok(());
    }
    let what = "earlier versions are of customers of whom nothing else is there";
    Err(Error::damaged("what is in memory", 0, what))
}

fn damaged(state: &State, number: u32, what: &str) -> Error {
    Error::damaged(format!("{}/earlier versions of range {number}", state.chunks().folder()), 0, what)
}

fn check_run(state: &State, range: u32, run: &Run, living: &mut RoaringBitmap) -> Result<()> {
    let chunks = state.chunks();
    let mut builder = IndexBuilder::new(range);
    let (mut after, mut dead) = (None, 0);
    for meta in &run.segments {
        let block = read_segment(chunks, &state.names, meta, Wanted::All)?;
        let bounds = (block.customers.first().copied(), block.customers.last().copied());
        if bounds != (Some(meta.first), Some(meta.last))
            || block.rows() as u64 != meta.rows
            || after.is_some_and(|after| meta.first <= after)
            || meta.first / RANGE_CUSTOMERS != range
        {
            return Err(damaged(state, range, "a segment does not hold what the manifest says"));
        }
        after = Some(meta.last);
        if (0..block.rows()).any(|row| number(&block, AttrId::UNTIL, row).is_none()) {
            return Err(damaged(state, range, "one of them is current"));
        }
        builder.add(&block)?;
        let rows = block.rows() as u64;
        let block = match run.dead.customers.get() {
            Some(marks) => without_customers(block, marks),
            None => block,
        };
        dead += rows - block.rows() as u64;
        let unmarked = state.unmarked.customers();
        living.extend(block.customers.iter().filter(|customer| !unmarked.contains(**customer)));
    }
    if dead != run.dead.rows {
        return Err(damaged(state, range, "what is dead is not counted as the segments have it"));
    }
    let stored = IndexReader::open(chunks.blob(&run.index)?.into())?;
    let made = IndexReader::open(builder.finish()?.into())?;
    for attribute in state.names.schema.attributes().iter().filter(|known| known.ty == AttrType::Symbol) {
        let symbols = state.names.symbols.get(&attribute.id).map_or(0, |symbols| symbols.len() as u32);
        for symbol in 0..symbols {
            if stored.at_least(attribute.id, symbol)?.0 != made.at_least(attribute.id, symbol)?.0 {
                let what = format!("`{}` is not counted as the segments have it", attribute.name);
                return Err(damaged(state, range, &what));
            }
        }
    }
    Ok(())
}

/// Whose an interaction is, its time and sequence.
type Key = (u32, i64, i64);
/// Since and until when versions were current; NULL for the first and the last of an interaction.
type Spans = (Vec<Option<i64>>, Vec<Option<i64>>);

fn check_versions(state: &State, range_number: u32, range: &Range, customers: &[u32]) -> Result<()> {
    let chosen = Chosen::These(customers);
    let dead = state.unmarked.customers();
    let wanted = Wanted::These(&[AttrId::SINCE, AttrId::UNTIL, AttrId::SEQUENCE]);
    let runs = range.versions(true);
    let read = read_runs_of(state.chunks(), &state.names, runs, dead, &chosen, wanted)?;
    let mut versions: BTreeMap<Key, Spans> = BTreeMap::new();
    for block in read.iter().map(|read| &read.block) {
        for (place, &customer) in block.customers.iter().enumerate() {
            for row in block.journey(place) {
                let time = block.times.get(row).copied().unwrap_or_default();
                let sequence = number(block, AttrId::SEQUENCE, row).unwrap_or_default();
                let (since, until) = versions.entry((customer, time, sequence)).or_default();
                since.push(number(block, AttrId::SINCE, row));
                until.push(number(block, AttrId::UNTIL, row));
            }
        }
    }
    for (since, until) in versions.values_mut() {
        // Of interactions at one place, too, as many versions begin as end at each commit.
        since.sort_unstable();
        until.sort_unstable();
        if since != until {
            return Err(damaged(state, range_number, "versions of an interaction do not follow one another"));
        }
    }
    Ok(())
}
