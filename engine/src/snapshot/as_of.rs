//! What had been recorded by an instant: by the commit of each row, or as the row says itself.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::Snapshot;
use crate::block::Block;
use crate::column::Column;
use crate::error::Result;
use crate::manifest::{self, Run, SegmentMeta};
use crate::merge::select_rows;
use crate::model::Millis;
use crate::recorded::{ByThen, Tally};
use crate::schema::AttrId;
use crate::segment::{Chosen, NumberRange, SegmentHeader};
use crate::side_by_side::side_by_side;
use crate::span::{ReadBlock, Wanted, read_chosen};

/// What had been recorded by an earlier instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct AsOf {
    pub(super) at: Millis,
    /// The last commit by then.
    pub(super) commit: u64,
    /// Of all that had been recorded, what was taken out since included.
    pub(super) span: Option<(Millis, Millis)>,
    /// Whether no interaction was recorded later.
    pub(super) whole: bool,
}

impl Snapshot {
    /// The store as it was known at an instant: only what had been recorded
    /// at or before it, interactions and customers' attributes alike. A row is
    /// recorded when its commit is, an import's all at once, unless it came
    /// with a time of its own ([`Batch::recorded`](crate::Batch::recorded)).
    /// Customers are those that had been known by then. Names are those of today: attributes,
    /// values, identities, and the identities of cohorts.
    ///
    /// Where rows were recorded at very many times of their own, those recorded
    /// about the instant are counted, on all processors; the answer is
    /// remembered.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) as [`Snapshot::read`].
    pub fn as_of(&self, at: Millis) -> Result<Self> {
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
        let whole = now.recorded.own().first().is_none() && self.recorded.ends_at(&by_commits);
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

    /// The columns that say what was recorded when.
    pub(super) fn recording_columns(&self) -> &'static [AttrId] {
        match self.recorded.own().first() {
            None => &[AttrId::COMMIT],
            Some(_) => &[AttrId::RECORDED, AttrId::COMMIT],
        }
    }

    /// Whether interactions of some segments may not have been recorded yet, as far as their
    /// headers tell.
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
        let wanted = Wanted::These(&[AttrId::RECORDED]);
        let count = |&(run, meta): &(&Run, &SegmentMeta)| -> Result<Tally> {
            let header = SegmentHeader::decode(&chunks.get(meta.header)?)?;
            let column = header.columns().iter().find(|entry| entry.attr == AttrId::RECORDED);
            match column.and_then(|entry| entry.numbers) {
                Some(NumberRange::Int(least, most)) if least <= *span.end() && most >= *span.start() => {}
                _ => return Ok(Tally::default()),
            }
            let customers = Chosen::Span(meta.first..=meta.last);
            let read = read_chosen(chunks, &self.names, run, &self.dead, &customers, wanted)?;
            Ok(read.map_or(Tally::default(), |ReadBlock { block, .. }| tally(&block, span)))
        };
        let mut sum = Tally::default();
        for piece in self.tail.pieces() {
            sum = sum.and(tally(&piece.living(wanted), span));
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
fn tally(block: &Block, span: &RangeInclusive<Millis>) -> Tally {
    let Some(column @ Column::Int { values, .. }) = block.column(AttrId::RECORDED) else {
        return Tally::default();
    };
    let rows = values.iter().zip(&block.times).enumerate();
    rows.filter(|(row, (recorded, _))| span.contains(recorded) && !column.is_null(*row))
        .fold(Tally::default(), |sum, (_, (_, &time))| sum.and(Tally::of(time)))
}

impl AsOf {
    /// The rows of a block that had been recorded; the block has the columns that say so.
    pub(super) fn rows(&self, block: &Block) -> Vec<bool> {
        let mut known = match block.column(AttrId::COMMIT) {
            Some(Column::Int { values, .. }) => {
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
        if !known.contains(&false) {
            return block;
        }
        select_rows(block, &known)
    }
}

#[cfg(test)]
impl Snapshot {
    /// What was counted of an instant before.
    pub(crate) fn recorded_found(&self, at: Millis) -> Option<Tally> {
        self.recorded.own().found(at)
    }
}
