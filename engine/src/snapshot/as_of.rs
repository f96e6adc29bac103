//! What had been recorded by an instant: by the commit of each row, or as the row says itself.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::Snapshot;
use crate::block::Block;
use crate::column::Column;
use crate::error::Result;
use crate::manifest::{self, Run, SegmentMeta};
use crate::merge::select_rows;
use crate::model::{CustomerOrdinal, Millis};
use crate::recorded::{ByThen, Tally};
use crate::schema::AttrId;
use crate::segment::{Chosen, NumberRange, SegmentHeader};
use crate::side_by_side::side_by_side;
use crate::span::{Wanted, read_chosen};

/// What had been recorded by an earlier instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct AsOf {
    pub(super) at: Millis,
    /// The last commit by then.
    pub(super) commit: u64,
    /// Of all that had been recorded, what was taken out since included.
    pub(super) span: Option<(Millis, Millis)>,
    /// Whether no interaction was recorded or amended later.
    pub(super) whole: bool,
}

impl Snapshot {
    /// The store as it was known at an instant: only what had been recorded
    /// at or before it, interactions and customers' attributes alike. A row is
    /// recorded when its commit is, an import's all at once, unless it came
    /// with a time of its own ([`Batch::recorded`](crate::Batch::recorded)).
    /// Customers are those that had been known by then; an interaction that was amended later is what
    /// it was. Names are those of today: attributes, values, identities, and the identities of cohorts.
    ///
    /// Where rows were recorded at very many times of their own, those recorded
    /// about the instant are counted, on all processors; the answer is
    /// remembered.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for an instant before the time up to which
    /// interactions were dropped ([`Retention::known_from`](crate::Retention::known_from));
    /// [`Error::Damaged`](crate::Error::Damaged) as [`Snapshot::read`].
    pub fn as_of(&self, at: Millis) -> Result<Self> {
        self.check_known(at)?;
        let recorded = self.recorded.as_of(&self.version.chunks, at)?;
        // No row says that it was recorded after its commit.
        if recorded.is_some_and(|recorded| self.recorded.ends_with(&recorded)) {
            return Ok(self.clone());
        }
        // What is seen through an earlier instant stays hidden.
        if self.as_of.is_some_and(|known| known.at <= at) {
            return Ok(self.clone());
        }
        let (commit, by_commits) = recorded.map(|entry| (entry.commit, entry.tally())).unwrap_or_default();
        let now = self.overlay.as_ref().map_or(self, |overlay| &overlay.now);
        let (own, own_taken) = now.own_by(at)?;
        let seen = by_commits.and(own);
        let whole =
            now.recorded.own().first().is_none() && self.recorded.ends_at(&by_commits) && !now.has_past();
        let as_of = AsOf { at, commit, span: seen.span(), whole };
        let then = now.clone().with_customers_of(commit)?;
        let taken = self.taken_out.until(commit, own_taken).interactions;
        let interactions = seen.interactions.saturating_sub(taken);
        Ok(Self { commit, interactions, as_of: Some(as_of), ends: Arc::default(), ..then })
    }

    /// Whether it hides what was recorded later; see [`Snapshot::as_of`].
    pub fn hides_later(&self) -> bool {
        self.as_of.is_some()
    }

    /// When the first row was recorded, by its commit or as it says itself.
    pub fn first_recorded(&self) -> Option<Millis> {
        self.recorded.first()
    }

    /// The columns that say what had been recorded by then.
    pub(super) fn recording_columns(&self, as_of: Option<&AsOf>) -> &'static [AttrId] {
        match self.recorded.own().first() {
            None => &[AttrId::COMMIT],
            // Before the first commit nothing is known but by what rows say themselves.
            Some(_) if as_of.is_some_and(|as_of| as_of.commit == 0) => &[AttrId::RECORDED],
            Some(_) => &[AttrId::RECORDED, AttrId::COMMIT],
        }
    }

    /// Whether there may be versions of interactions that were amended away.
    fn has_past(&self) -> bool {
        !self.past.is_empty() || self.version.manifest.ranges.iter().any(|range| !range.past.is_empty())
    }

    /// Whether interactions of some segments may not have been recorded yet, or were amended since,
    /// as far as their headers tell.
    pub(super) fn may_hide<'a>(&self, segments: impl Iterator<Item = &'a SegmentMeta>) -> Result<bool> {
        let Some(as_of) = self.as_of else { return Ok(false) };
        let chunks = &self.version.chunks;
        for meta in segments {
            let header = SegmentHeader::decode(&chunks.get(meta.header)?)?;
            let latest = |attr| {
                let column = header.columns().iter().find(|entry| entry.attr == attr);
                match column.map(|entry| entry.numbers) {
                    None => None,
                    Some(Some(NumberRange::Int(_, most))) => Some(most),
                    Some(_) => Some(i64::MAX),
                }
            };
            if latest(AttrId::COMMIT).is_none_or(|commit| commit as u64 > as_of.commit)
                || latest(AttrId::SINCE).is_some_and(|since| since as u64 > as_of.commit)
                || latest(AttrId::RECORDED).is_some_and(|recorded| recorded > as_of.at)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The interactions with recording times of their own at or before `at`, and until when those are
    /// among them that were taken out since.
    fn own_by(&self, at: Millis) -> Result<(Tally, Millis)> {
        let own = self.recorded.own();
        let ByThen { known, unknown } = own.by(at);
        let Some(unknown) = unknown else { return Ok((known, at)) };
        let rest = match own.found(at) {
            Some(rest) => rest,
            None => {
                let rest = self.count_own(&unknown)?;
                own.remember(at, rest);
                rest
            }
        };
        Ok((known.and(rest), unknown.start().saturating_sub(1)))
    }

    /// Counts the interactions whose own recording times lie in a span.
    fn count_own(&self, span: &RangeInclusive<Millis>) -> Result<Tally> {
        let chunks = &self.version.chunks;
        let runs = self.version.manifest.ranges.iter().flat_map(manifest::Range::all);
        let segments: Vec<(&Run, &SegmentMeta)> =
            runs.flat_map(|run| run.segments.iter().map(move |meta| (run, meta))).collect();
        let own = &[AttrId::RECORDED];
        let count = |&(run, meta): &(&Run, &SegmentMeta)| -> Result<Tally> {
            let header = SegmentHeader::decode(&chunks.get(meta.header)?)?;
            let column = header.columns().iter().find(|entry| entry.attr == AttrId::RECORDED);
            match column.and_then(|entry| entry.numbers) {
                Some(NumberRange::Int(least, most)) if least <= *span.end() && most >= *span.start() => {}
                _ => return Ok(Tally::default()),
            }
            let read = |customers: Chosen<'_>, wanted: Wanted<'_>| -> Result<Block> {
                let read = read_chosen(chunks, &self.names, run, &self.dead, &customers, wanted)?;
                Ok(read.map_or_else(Block::default, |read| read.block))
            };
            // They are few of all, and times are read of their customers alone.
            let block = read(Chosen::Span(meta.first..=meta.last), Wanted::Untimed(own))?;
            let theirs = customers_within(&block, span);
            if theirs.is_empty() {
                return Ok(Tally::default());
            }
            Ok(tally(&read(Chosen::These(&theirs), Wanted::These(own))?, span))
        };
        let mut sum = Tally::default();
        for piece in self.tail.pieces() {
            sum = sum.and(tally(&piece.living(Wanted::These(own)), span));
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        side_by_side(threads, &segments, count, |_, part| {
            sum = sum.and(part);
            Ok(())
        })?;
        Ok(sum)
    }
}

/// The rows of a block whose own recording times lie in a span.
fn rows_within<'a>(
    block: &'a Block,
    span: &'a RangeInclusive<Millis>,
) -> impl Iterator<Item = usize> + use<'a> {
    let column = block.column(AttrId::RECORDED);
    let values = match column {
        Some(Column::Int { values, .. }) => values.as_slice(),
        _ => &[],
    };
    let rows = (0..).zip(values).filter(|(_, recorded)| span.contains(recorded)).map(|(row, _)| row);
    rows.filter(move |&row| column.is_some_and(|column| !column.is_null(row)))
}

/// Such rows, counted.
fn tally(block: &Block, span: &RangeInclusive<Millis>) -> Tally {
    let times = rows_within(block, span).filter_map(|row| block.times.get(row));
    times.fold(Tally::default(), |sum, &time| sum.and(Tally::of(time)))
}

/// Whose they are.
fn customers_within(block: &Block, span: &RangeInclusive<Millis>) -> Vec<CustomerOrdinal> {
    let of = |row: usize| {
        let place = block.offsets.partition_point(|&offset| offset as usize <= row).checked_sub(1)?;
        block.customers.get(place).copied()
    };
    let mut customers: Vec<CustomerOrdinal> = rows_within(block, span).filter_map(of).collect();
    customers.dedup();
    customers
}

impl AsOf {
    /// The rows of a block that had been recorded; the block has the columns that say so.
    pub(super) fn rows(&self, block: &Block) -> Vec<bool> {
        let mut known = match block.column(AttrId::COMMIT) {
            // Before the first commit it is not asked for, and may be there of some rows alone.
            Some(Column::Int { values, .. }) if self.commit > 0 => {
                values.iter().map(|&commit| commit as u64 <= self.commit).collect()
            }
            _ => vec![self.commit > 0; block.rows()],
        };
        if let Some(Column::Int { values, valid }) = block.column(AttrId::RECORDED) {
            let own = values.iter().map(|&recorded| recorded <= self.at);
            match valid {
                None => known = own.collect(),
                Some(valid) => {
                    for ((known, own), &valid) in known.iter_mut().zip(own).zip(valid) {
                        *known = if valid { own } else { *known };
                    }
                }
            }
        }
        known
    }

    /// What of a block had been recorded; customers without any of it are
    /// left out. Dictionaries stay whole.
    pub(super) fn known(&self, block: Block) -> Block {
        let known = self.rows(&block);
        if known.contains(&false) { select_rows(block, &known) } else { block }
    }
}

#[cfg(test)]
impl Snapshot {
    /// What was counted of an instant before.
    pub(crate) fn recorded_found(&self, at: Millis) -> Option<Tally> {
        self.recorded.own().found(at)
    }
}
