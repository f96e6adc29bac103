//! What had been recorded by an instant: by the commit of each row, or as the row says itself.

use std::ops::{Range, RangeInclusive};

use super::Snapshot;
use crate::block::Block;
use crate::column::Column;
use crate::error::Result;
use crate::manifest::{self, Run, SegmentMeta};
use crate::model::{CustomerOrdinal, Millis};
use crate::recorded::{ByThen, Tally};
use crate::schema::AttrId;
use crate::segment::{Chosen, NumberRange, SegmentHeader};
use crate::side_by_side::side_by_side;
use crate::span::{Wanted, read_chosen};

/// What had been recorded by an earlier instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct AsOf {
    at: Millis,
    /// The last commit by then.
    commit: u64,
    pub(super) span: Option<(Millis, Millis)>,
}

impl Snapshot {
    /// The store as it was known at an instant: only what had been recorded
    /// at or before it, interactions and customers' attributes alike. A row is
    /// recorded when its commit is, an import's all at once, unless it came
    /// with a time of its own ([`Batch::recorded`](crate::Batch::recorded)).
    /// Names are those of today: attributes, values, identities and cohorts.
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
        let seen = by_commits.and(self.own_by(at)?);
        let as_of = AsOf { at, commit, span: seen.span() };
        Ok(Self { commit, interactions: seen.interactions, as_of: Some(as_of), ..self.clone() })
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
    pub(super) fn recording_columns(&self, as_of: &AsOf) -> &'static [AttrId] {
        match self.recorded.own().first() {
            None => &[AttrId::COMMIT],
            // Before the first commit nothing is known but by what rows say themselves.
            Some(_) if as_of.commit == 0 => &[AttrId::RECORDED],
            Some(_) => &[AttrId::RECORDED, AttrId::COMMIT],
        }
    }

    /// The interactions with recording times of their own at or before `at`.
    fn own_by(&self, at: Millis) -> Result<Tally> {
        let own = self.recorded.own();
        let ByThen { known, unknown } = own.by(at);
        let Some(unknown) = unknown else { return Ok(known) };
        let rest = match own.found(at) {
            Some(rest) => rest,
            None => {
                let rest = self.count_own(&unknown)?;
                own.remember(at, rest);
                rest
            }
        };
        Ok(known.and(rest))
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
    pub(super) fn known(&self, mut block: Block) -> Block {
        let known = self.rows(&block);
        let hidden: Vec<usize> =
            (0..).zip(&known).filter(|(_, known)| !**known).map(|(row, _)| row).collect();
        if hidden.is_empty() {
            return block;
        }
        let (mut customers, mut offsets) = (Vec::new(), vec![0]);
        let mut rows = 0;
        let mut rest = &hidden[..];
        for (place, &customer) in block.customers.iter().enumerate() {
            let journey = block.journey(place);
            let (own, after) = rest.split_at(rest.partition_point(|&row| row < journey.end));
            rest = after;
            let seen = journey.len() - own.len();
            if seen > 0 {
                rows += seen as u32;
                customers.push(customer);
                offsets.push(rows);
            }
        }
        (block.customers, block.offsets) = (customers, offsets);
        let stretches = between(&hidden, known.len());
        keep(&mut block.times, &stretches);
        for (_, column) in &mut block.columns {
            match column {
                Column::Symbol { codes, .. } | Column::Str { codes, .. } => keep(codes, &stretches),
                Column::Int { values, valid } => {
                    keep(values, &stretches);
                    valid.iter_mut().for_each(|valid| keep(valid, &stretches));
                }
                Column::Float { values, valid } => {
                    keep(values, &stretches);
                    valid.iter_mut().for_each(|valid| keep(valid, &stretches));
                }
            }
        }
        block
    }
}

/// The places below `rows` between these, ascending ones, in stretches.
fn between(hidden: &[usize], rows: usize) -> Vec<Range<usize>> {
    let mut start = 0;
    let ends = hidden.iter().copied().chain([rows]);
    ends.map(|end| std::mem::replace(&mut start, end + 1)..end)
        .filter(|stretch| !stretch.is_empty())
        .collect()
}

/// Keeps the values of some stretches; none where there are no values, as of times that nobody wanted.
fn keep<T: Copy>(values: &mut Vec<T>, stretches: &[Range<usize>]) {
    if values.is_empty() {
        return;
    }
    let mut kept = 0;
    for stretch in stretches {
        values.copy_within(stretch.clone(), kept);
        kept += stretch.len();
    }
    values.truncate(kept);
}

#[cfg(test)]
impl Snapshot {
    /// What was counted of an instant before.
    pub(crate) fn recorded_found(&self, at: Millis) -> Option<Tally> {
        self.recorded.own().found(at)
    }
}
