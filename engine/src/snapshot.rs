//! What a reader sees: one commit, whole, for as long as it holds the snapshot.

mod as_of;
mod customers;
mod events;
mod indexed;
mod links;
mod parted;
mod relinked;
mod retained;
mod span;
mod units;
mod whole;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use roaring::RoaringBitmap;

pub use indexed::TallyCell;
pub use links::{LinkCounts, LinkEdge, LinkGraph, LinkNode, LinkRow};
pub use units::Unit;
pub use whole::Saying;

use crate::block::Block;
use crate::dead::Marks;
use crate::erased::TakenOut;
use crate::error::{Error, Result};
use crate::evidence::LinkLog;
use crate::history::Position;
use crate::limits::RANGE_CUSTOMERS;
use crate::manifest::{Range, Run, SegmentMeta, Version};
use crate::model::{CustomerOrdinal, Millis};
use crate::names::Names;
pub use crate::names::Symbols;
use crate::order::merge_blocks;
use crate::recorded::Log;
use crate::retained::Retention;
use crate::schema::{AttrId, Schema};
use crate::segment::Chosen;
use crate::span::{Wanted, read_runs_of, stored_bytes};
use crate::state::State;
use crate::tail::{Tail, TailPiece};
use crate::versions::Which;
use as_of::AsOf;
use relinked::{LastRelinked, Overlay};
use units::{range_units, units};

/// The store as one commit left it. Cheap to clone and to share between threads.
#[derive(Clone, Debug)]
pub struct Snapshot {
    names: Names,
    version: Arc<Version>,
    /// Of whom all that is sealed is dead, whether the runs say so or not.
    dead: Marks,
    tail: Tail,
    /// Versions of interactions that were amended away.
    past: Tail,
    /// Of each piece of the tail, where its interactions are.
    tail_units: Vec<Arc<[Unit]>>,
    customers: Option<Arc<Block>>,
    cohorts: BTreeMap<String, Arc<RoaringBitmap>>,
    present: Arc<RoaringBitmap>,
    units: Arc<[Unit]>,
    commit: u64,
    interactions: u64,
    /// Where the last commit ends in the history.
    end: Position,
    recorded: Log,
    /// What was said about identities.
    links: LinkLog,
    /// Times of the first and the last interaction, where others are not in it; see [`Snapshot::only`].
    span: Option<(Millis, Millis)>,
    /// What is seen is what had been recorded by an earlier commit; see [`Snapshot::as_of`].
    as_of: Option<AsOf>,
    last_relinked: LastRelinked,
    /// Customers of an earlier commit, where they are others now.
    overlay: Option<Overlay>,
    /// What the log counts and is not there any more.
    taken_out: TakenOut,
    retention: Option<Retention>,
    /// Time of the first and the last interaction, once that was asked for.
    ends: Arc<OnceLock<Option<(Millis, Millis)>>>,
}

/// The snapshot that readers get: the last commit's.
pub(crate) struct Shown(RwLock<Snapshot>);

impl Shown {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self(RwLock::new(snapshot))
    }

    pub(crate) fn get(&self) -> Snapshot {
        self.0.read().clone()
    }

    /// Shows what the writer has now.
    pub(crate) fn show(&self, state: &State) {
        let now = Snapshot::after(state, Some(&self.0.read()));
        let before = std::mem::replace(&mut *self.0.write(), now);
        // Its end may close a graph, for which no reader should wait.
        drop(before);
    }
}

impl Snapshot {
    pub(crate) fn of(state: &State) -> Self {
        Self::after(state, None)
    }

    /// As [`Snapshot::of`], with what is known from the snapshot before: a commit adds little, and
    /// must not look at all that waits to be sealed.
    fn after(state: &State, before: Option<&Self>) -> Self {
        let known = |piece: &TailPiece| {
            let pieces = before?.tail.pieces().iter().zip(&before?.tail_units);
            pieces
                .into_iter()
                .find(|(other, _)| Arc::ptr_eq(other.block(), piece.block()))
                .map(|(_, units)| Arc::clone(units))
        };
        let units_of = |piece| known(piece).unwrap_or_else(|| range_units(piece.block()));
        let tail_units: Vec<Arc<[Unit]>> = state.tail.pieces().iter().map(units_of).collect();
        Self {
            names: state.names.clone(),
            version: Arc::clone(&state.version),
            dead: state.unmarked.customers().clone(),
            tail: state.tail.clone(),
            past: state.past.clone(),
            customers: state.customers.clone(),
            cohorts: state.cohorts.clone(),
            present: Arc::clone(&state.present),
            units: units(&state.version.manifest.ranges, &tail_units),
            tail_units,
            commit: state.commit,
            interactions: state.interactions(),
            end: state.end,
            recorded: state.recorded.clone(),
            links: state.links.clone(),
            span: None,
            taken_out: state.erased.taken_out.clone(),
            retention: state.retained.last(),
            ends: Arc::default(),
            as_of: None,
            last_relinked: LastRelinked::default(),
            overlay: None,
        }
    }

    /// The attributes.
    pub fn schema(&self) -> &Schema {
        &self.names.schema
    }

    /// The last commit it sees.
    pub fn commit(&self) -> u64 {
        self.commit
    }

    /// Interactions in all.
    pub fn interactions(&self) -> u64 {
        self.interactions
    }

    /// Customers with at least one interaction, hidden ones included.
    pub fn customers(&self) -> u64 {
        self.present.len()
    }

    /// The customers with at least one interaction, hidden ones included.
    pub fn present(&self) -> &RoaringBitmap {
        &self.present
    }

    /// One past the highest number of an identity, and so of a customer: not
    /// every number below it is a customer's.
    pub fn ordinals(&self) -> CustomerOrdinal {
        self.names.ordinals
    }

    /// Time of the first and the last of all interactions, hidden and dead ones included.
    fn time_span_of_all(&self) -> Option<(Millis, Millis)> {
        let first = self.units.iter().map(|unit| unit.time_min).min()?;
        let last = self.units.iter().map(|unit| unit.time_max).max()?;
        Some((first, last))
    }

    /// The dictionary of a symbol attribute; empty for any other.
    pub fn symbols(&self, attr: AttrId) -> Arc<Symbols> {
        self.names.symbols.get(&attr).cloned().unwrap_or_default()
    }

    /// The spans of customers to read, ascending; their counts and times speak
    /// of hidden interactions too.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// Decodes a unit with the wanted columns (reserved ones included). Symbol
    /// attributes come as [`Column::Symbol`], id and text as [`Column::Str`],
    /// int, time and bool as [`Column::Int`], float as [`Column::Float`],
    /// whatever type they had when they were written.
    ///
    /// # Errors
    /// [`Error::Damaged`] where stored bytes are not what was written; see
    /// [`Db::repair`](crate::Db::repair).
    pub fn read(&self, unit: usize, wanted: &[AttrId]) -> Result<Block> {
        let unit = *self.unit(unit)?;
        self.read_span(unit.first..=unit.last, wanted)
    }

    /// As [`Snapshot::read`], for who needs no times: [`Block::times`] may be empty.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub fn read_untimed(&self, unit: usize, wanted: &[AttrId]) -> Result<Block> {
        let unit = *self.unit(unit)?;
        let chosen = Chosen::Span(unit.first..=unit.last);
        self.read_chosen(unit.first / RANGE_CUSTOMERS, &chosen, (wanted, false), Which::Current)
            .map(|(block, _)| block)
    }

    /// As [`Snapshot::read`], for any customers of one range of 65,536.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub fn read_span(&self, span: RangeInclusive<CustomerOrdinal>, wanted: &[AttrId]) -> Result<Block> {
        let range = *span.start() / RANGE_CUSTOMERS;
        self.read_chosen(range, &Chosen::Span(span), (wanted, true), Which::Current).map(|(block, _)| block)
    }

    /// As [`Snapshot::read`], of some customers alone, of whom those of other units are left out. Of
    /// a few, only their own rows are decoded. Answers the stored bytes that were read for them, too;
    /// what is still in memory counts for none.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub fn read_some(
        &self,
        unit: usize,
        customers: &RoaringBitmap,
        wanted: &[AttrId],
    ) -> Result<(Block, u64)> {
        let unit = *self.unit(unit)?;
        let these: Vec<CustomerOrdinal> = customers.range(unit.first..=unit.last).collect();
        self.read_chosen(unit.first / RANGE_CUSTOMERS, &Chosen::These(&these), (wanted, true), Which::Current)
    }

    /// Chosen customers of a range with the wanted columns, and times where that is set. Where an
    /// earlier instant is seen the versions are those of then.
    fn read_chosen(
        &self,
        number: u32,
        chosen: &Chosen<'_>,
        (wanted, timed): (&[AttrId], bool),
        which: Which,
    ) -> Result<(Block, u64)> {
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let asked = wanted.clone();
        let nothing = Range::default();
        let range = self.version.manifest.ranges.get(number as usize).unwrap_or(&nothing);
        let within = |segment: &SegmentMeta| !chosen.within(segment.first, segment.last).is_empty();
        // Of those who are all dead, too: it is no more than a bound.
        let touched = |piece: &&TailPiece| !chosen.places(&piece.block().customers).is_empty();
        let elsewhere = self.overlay.as_ref().filter(|overlay| overlay.touches(chosen));
        let as_of = match self.as_of {
            Some(as_of) if as_of.whole => None,
            Some(_) if elsewhere.is_none() && !self.tail.pieces().iter().any(|piece| touched(&piece)) => {
                let segments = range.all().flat_map(|run| &run.segments).filter(|segment| within(segment));
                if self.may_hide(segments)? { self.as_of } else { None }
            }
            as_of => as_of,
        };
        if as_of.is_some() {
            wanted.extend(self.recording_columns(as_of.as_ref()));
        }
        let which = match (self.as_of, as_of) {
            (None, _) => which,
            // Where nothing is hidden what is current was so then.
            (Some(_), None) => Which::Current,
            (Some(_), Some(as_of)) => Which::KnownBy(as_of.commit),
        };
        let past = which != Which::Current;
        if past {
            wanted.extend([AttrId::SINCE, AttrId::UNTIL]);
        }
        wanted.sort_unstable();
        wanted.dedup();
        let sealed: usize = range.versions(past).filter(|run| run.segments.iter().any(within)).count();
        let pieces = self.tail.pieces().iter().chain(if past { self.past.pieces() } else { &[] });
        let tail: Vec<&TailPiece> = pieces.filter(touched).collect();
        let alone = sealed + tail.len() + usize::from(elsewhere.is_some()) <= 1;
        // What is read in from elsewhere shares no customer with anything.
        let shares = sealed + tail.len() > 1;
        let ordered = if shares { with_sequence(&wanted) } else { wanted.clone() };
        // Merging goes by time.
        let columns = if timed || !alone { Wanted::These(&ordered) } else { Wanted::Untimed(&ordered) };
        let runs = || range.versions(past);
        let (mut parts, mut bytes) = self.parts(runs(), &tail, chosen, (columns, which))?;
        let add = |parts: &mut Vec<Block>, wanted| match elsewhere {
            None => Ok(0),
            Some(overlay) => overlay.read(chosen, wanted).map(|(block, bytes)| {
                parts.extend((block.rows() > 0).then_some(block));
                bytes
            }),
        };
        bytes += add(&mut parts, Some(&wanted))?;
        let mut block = match parts.len() {
            0 => return Ok((Block { offsets: vec![0], ..Block::default() }, bytes)),
            1 => parts.into_iter().next().unwrap_or_default(),
            _ => {
                let mut all = || {
                    let (mut parts, more) = self.parts(runs(), &tail, chosen, (Wanted::All, which))?;
                    bytes += more + add(&mut parts, None)?;
                    Ok(parts)
                };
                merge_blocks(&self.names, &parts, Some(&mut all))?
            }
        };
        if let Some(as_of) = as_of {
            block = as_of.known(block);
        }
        block.columns.retain(|(attr, _)| asked.binary_search(attr).is_ok());
        Ok((block, bytes))
    }

    /// The stored bytes that [`Snapshot::read`], or where not `timed`
    /// [`Snapshot::read_untimed`], decodes for a unit and these columns; what is
    /// still in memory counts for none.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub fn stored_bytes(&self, unit: usize, wanted: &[AttrId], timed: bool) -> Result<u64> {
        let unit = *self.unit(unit)?;
        let Some(range) = self.version.manifest.ranges.get((unit.first / RANGE_CUSTOMERS) as usize) else {
            return Ok(0);
        };
        stored_bytes(&self.version.chunks, range, &(unit.first..=unit.last), wanted, timed)
    }

    fn parts<'a>(
        &self,
        runs: impl Iterator<Item = &'a Run>,
        tail: &[&TailPiece],
        chosen: &Chosen<'_>,
        (wanted, which): (Wanted<'_>, Which),
    ) -> Result<(Vec<Block>, u64)> {
        let read = read_runs_of(&self.version.chunks, &self.names, runs, &self.dead, chosen, wanted)?;
        let bytes = read.iter().map(|read| read.bytes).sum();
        let read = read.into_iter().map(|read| read.block);
        let parts = read.chain(tail.iter().map(|piece| piece.cut(chosen, wanted)));
        // Versions of one interaction are not told apart by what orders interactions.
        let parts = parts.map(|part| which.of(part)).filter(|part| !part.customers.is_empty());
        Ok((parts.collect(), bytes))
    }

    fn unit(&self, unit: usize) -> Result<&Unit> {
        self.units
            .get(unit)
            .ok_or_else(|| Error::invalid(format!("there is no unit {unit} in this snapshot")))
    }
}

fn with_sequence(wanted: &[AttrId]) -> Vec<AttrId> {
    let mut out = wanted.to_vec();
    if let Err(place) = out.binary_search(&AttrId::SEQUENCE) {
        out.insert(place, AttrId::SEQUENCE);
    }
    out
}
