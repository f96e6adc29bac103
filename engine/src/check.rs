//! Verification: every stored byte that has a checksum, and the invariants.

mod erased;
mod identities;
mod past;
mod recorded;

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::block::Block;
use crate::dead::Marks;
use crate::error::{Error, Result};
use crate::history::History;
use crate::index::{IndexBuilder, IndexReader};
use crate::limits::{INDEXED_INTERACTIONS_MIN, RANGE_CUSTOMERS};
use crate::manifest::Run;
use crate::merge::{select_places, without_customers};
use crate::schema::{AttrId, AttrType};
use crate::segment::Chosen;
use crate::span::{Wanted, read_segment};
use crate::state::State;
use crate::tallies::{self, Pair, Tally};
use recorded::OwnRows;

/// What [`Db::check`](crate::Db::check) read and verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Frames of the history whose checksums hold.
    pub frames: u64,
    /// Bytes of history read.
    pub history_bytes: u64,
    /// Chunks of the graph whose length and checksum hold.
    pub chunks: u64,
    /// Bytes of graph read.
    pub graph_bytes: u64,
    /// Interactions whose order and place was checked, without those that are stored and dead.
    pub interactions: u64,
    /// What is wrong, each a sentence that names the place. Empty for a sound store.
    pub problems: Vec<String>,
}

pub(crate) fn check(history: &History, state: &State) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    match history.verify() {
        Ok((frames, bytes)) => (report.frames, report.history_bytes) = (frames, bytes),
        Err(error @ Error::Damaged { .. }) => report.problems.push(error.to_string()),
        Err(error) => return Err(error),
    }
    let version = &state.version;
    for chunk in version.manifest.chunks() {
        match version.chunks.read(chunk) {
            Ok(bytes) => {
                report.chunks += 1;
                report.graph_bytes += bytes.len() as u64;
            }
            Err(error @ (Error::Damaged { .. } | Error::Graph { .. })) => {
                report.problems.push(match error {
                    Error::Graph { .. } => format!("{}/chunk {}: {error}", version.chunks.folder(), chunk.id),
                    named => named.to_string(),
                });
            }
            Err(error @ Error::GraphUnresponsive { .. }) => {
                // It answers nothing more, so every further chunk would say the same.
                report.problems.push(error.to_string());
                break;
            }
            Err(error) => return Err(error),
        }
    }
    if !report.problems.is_empty() {
        // What follows would only say the same again in other words.
        return Ok(report);
    }
    let mut living = RoaringBitmap::new();
    let mut own = OwnRows::of(state)?;
    for (number, range) in (0_u32..).zip(&version.manifest.ranges) {
        for run in range.all() {
            if let Err(error) = check_run(state, number, run, &mut report, &mut living, &mut own) {
                report.problems.push(error.to_string());
            }
        }
        if let Err(error) = past::check_past(state, number, range) {
            report.problems.push(error.to_string());
        }
    }
    report.problems.extend(past::check_unsealed(state).err().map(|error| error.to_string()));
    state.unmarked.customers().remove_from(&mut living);
    for piece in state.tail.pieces() {
        living.extend(piece.block().customers.iter().filter(|customer| !piece.is_dead(**customer)));
        let wrong = own.add(&piece.living(Wanted::These(&[AttrId::RECORDED, AttrId::COMMIT])));
        report.problems.extend(wrong.map(|wrong| format!("in memory: {wrong}")));
    }
    report.problems.extend(own.end());
    // Where a run is not sound, it has been said already who is missing.
    if report.problems.is_empty() && living != *state.present {
        report.problems.push(format!(
            "the store lists {} customers, and {} have interactions",
            state.present.len(),
            living.len()
        ));
    }
    for piece in state.tail.pieces() {
        let found = identities::check_rows(&state.names, piece.block(), &|customer| !piece.is_dead(customer));
        report.problems.extend(found.err().map(|error| error.to_string()));
    }
    report.problems.extend(identities::check_index(state).err().map(|error| error.to_string()));
    report.problems.extend(identities::check_customers(state).err().map(|error| error.to_string()));
    if let Err(error) = erased::check(state, &mut report.problems) {
        report.problems.push(error.to_string());
    }
    if report.interactions != version.manifest.interactions {
        report.problems.push(format!(
            "the manifest counts {} interactions, and the segments hold {}",
            version.manifest.interactions, report.interactions
        ));
    }
    Ok(report)
}

/// Interactions counted anew.
#[derive(Default)]
struct Counts {
    customers: u64,
    rows: u64,
    tallies: BTreeMap<Pair, Tally>,
}

impl Counts {
    /// For those pairs of a run's tallies.
    fn of_pairs(tallies: &BTreeMap<Pair, Tally>) -> Self {
        let tallies = tallies.keys().map(|&pair| (pair, Tally::new())).collect();
        Self { tallies, ..Self::default() }
    }

    fn add(&mut self, block: &Block) {
        self.customers += block.customers.len() as u64;
        self.rows += block.rows() as u64;
        self.tallies.iter_mut().for_each(|(&pair, tally)| tallies::count(block, pair, tally));
    }
}

/// Checks a run, and adds who has interactions in it that are alive.
fn check_run(
    state: &State,
    number: u32,
    run: &Run,
    report: &mut CheckReport,
    living: &mut RoaringBitmap,
    own: &mut OwnRows<'_>,
) -> Result<()> {
    let chunks = state.chunks();
    let mut builder = IndexBuilder::new(number);
    let mut after = None;
    // Of attributes that are no symbols any more nobody asks.
    let is_symbol = |attr| state.names.schema.get(attr).is_some_and(|known| known.ty == AttrType::Symbol);
    let stored_tallies = |exist: bool, blob| -> Result<BTreeMap<Pair, Tally>> {
        let mut tallies = match exist {
            true => tallies::all(&chunks.blob(blob)?, chunks.folder())?,
            false => BTreeMap::new(),
        };
        tallies.retain(|pair, _| is_symbol(pair.0) && is_symbol(pair.1));
        Ok(tallies)
    };
    let all_tallies = stored_tallies(!run.segments.is_empty(), &run.tallies)?;
    let dead_tallies = stored_tallies(run.dead.rows > 0, &run.dead.tallies)?;
    let mut all = Counts::of_pairs(&all_tallies);
    let mut dead = Counts::of_pairs(if run.dead.rows > 0 { &all_tallies } else { &dead_tallies });
    for meta in &run.segments {
        let name = format!("{}/segment of customers {}..={}", chunks.folder(), meta.first, meta.last);
        let damaged = |what: &str| Error::damaged(name.clone(), 0, what);
        let block = read_segment(chunks, &state.names, meta, Wanted::All)?;
        if after.is_some_and(|after| meta.first <= after) || meta.first / RANGE_CUSTOMERS != number {
            return Err(damaged("its customers are not after the segment before it, or in another range"));
        }
        after = Some(meta.last);
        let bounds = (block.customers.first().copied(), block.customers.last().copied());
        if bounds != (Some(meta.first), Some(meta.last)) || block.rows() as u64 != meta.rows {
            return Err(damaged("it does not hold what the manifest says"));
        }
        if !past::is_current(&block) {
            return Err(damaged("it holds interactions as they were before they were amended"));
        }
        let sequence = |row: usize| match block.column(AttrId::SEQUENCE) {
            Some(crate::Column::Int { values, .. }) => values.get(row).copied().unwrap_or_default() as u64,
            _ => 0,
        };
        for place in 0..block.customers.len() {
            let rows = block.journey(place);
            let ordered = rows.clone().zip(rows.skip(1)).all(|(row, next)| {
                let key = |row: usize| (block.times.get(row).copied(), sequence(row));
                key(row) <= key(next)
            });
            if !ordered {
                return Err(damaged("a customer's interactions are out of order"));
            }
        }
        for &customer in &block.customers {
            if !run.dead.customers.contains(customer)
                && !state.unmarked.customers().contains(customer)
                && !state.present.contains(customer)
            {
                return Err(damaged("it holds a customer that the store does not list"));
            }
        }
        let living_here = |customer| {
            !run.dead.customers.contains(customer) && !state.unmarked.customers().contains(customer)
        };
        identities::check_rows(&state.names, &block, &living_here)?;
        builder.add(&block)?;
        all.add(&block);
        let marked = run.dead.customers.within(meta.first..=meta.last);
        let places = Chosen::These(&marked).places(&block.customers);
        dead.add(&select_places(&block, &places, &block.columns));
        living.extend(block.customers.iter().filter(|customer| !run.dead.customers.contains(**customer)));
        if block.column(AttrId::RECORDED).is_some() {
            let dead = [&run.dead.customers, state.unmarked.customers()];
            let alive = dead.into_iter().filter_map(Marks::get).fold(block, without_customers);
            if let Some(wrong) = own.add(&alive) {
                return Err(damaged(wrong));
            }
        }
    }
    if all_tallies != all.tallies {
        let name = format!("{}/tallies of range {number}", chunks.folder());
        return Err(Error::damaged(name, 0, "values are not counted as the segments have them"));
    }
    let marked = run.dead.customers.get().map_or(0, RoaringBitmap::len);
    if (dead.customers, dead.rows) != (marked, run.dead.rows) || dead.tallies != dead_tallies {
        let name = format!("{}/kill marks of range {number}", chunks.folder());
        return Err(Error::damaged(name, 0, "what is dead is not counted as the segments have it"));
    }
    report.interactions += all.rows - dead.rows;
    if run.segments.is_empty() {
        return Ok(());
    }
    let is_base = state.version.manifest.ranges.get(number as usize).is_some_and(|range| *run == range.base);
    if run.index.pages.is_empty() && !is_base && run.rows() < INDEXED_INTERACTIONS_MIN {
        return Ok(());
    }
    let stored = IndexReader::open(chunks.blob(&run.index)?.into())?;
    let made = IndexReader::open(builder.finish()?.into())?;
    for attribute in
        state.names.schema.attributes().iter().filter(|attribute| attribute.ty == AttrType::Symbol)
    {
        let symbols = state.names.symbols.get(&attribute.id).map_or(0, |symbols| symbols.len() as u32);
        for symbol in 0..symbols {
            if stored.at_least(attribute.id, symbol)?.0 != made.at_least(attribute.id, symbol)?.0 {
                return Err(Error::damaged(
                    format!("{}/index of range {number}", chunks.folder()),
                    0,
                    format!("`{}` is not counted as the segments have it", attribute.name),
                ));
            }
        }
    }
    Ok(())
}
