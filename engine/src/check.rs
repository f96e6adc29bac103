//! Verification: every stored byte that has a checksum, and the invariants.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::history::History;
use crate::index::{IndexBuilder, IndexReader};
use crate::limits::RANGE_CUSTOMERS;
use crate::manifest::Run;
use crate::schema::{AttrId, AttrType};
use crate::span::{Wanted, read_segment};
use crate::state::State;
use crate::tallies::{self, Tally};

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
    /// Interactions whose order and place was checked.
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
    for (number, range) in (0_u32..).zip(&version.manifest.ranges) {
        for run in range.all() {
            if let Err(error) = check_run(state, number, run, &mut report) {
                report.problems.push(error.to_string());
            }
        }
    }
    if let Err(error) = state.names.identities.read() {
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

fn check_run(state: &State, number: u32, run: &Run, report: &mut CheckReport) -> Result<()> {
    let chunks = state.chunks();
    let mut builder = IndexBuilder::new(number);
    let mut after = None;
    let mut stored_tallies = match run.segments.is_empty() {
        true => BTreeMap::new(),
        false => tallies::all(&chunks.blob(&run.tallies)?, chunks.folder())?,
    };
    // Of attributes that are no symbols any more nobody asks.
    let is_symbol = |attr| state.names.schema.get(attr).is_some_and(|known| known.ty == AttrType::Symbol);
    stored_tallies.retain(|pair, _| is_symbol(pair.0) && is_symbol(pair.1));
    let mut made_tallies: BTreeMap<_, _> = stored_tallies.keys().map(|&pair| (pair, Tally::new())).collect();
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
            if !state.present.contains(customer) {
                return Err(damaged("it holds a customer that the store does not list"));
            }
        }
        report.interactions += block.rows() as u64;
        builder.add(&block)?;
        made_tallies.iter_mut().for_each(|(&pair, tally)| tallies::count(&block, pair, tally));
    }
    if stored_tallies != made_tallies {
        let name = format!("{}/tallies of range {number}", chunks.folder());
        return Err(Error::damaged(name, 0, "values are not counted as the segments have them"));
    }
    if run.segments.is_empty() {
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
