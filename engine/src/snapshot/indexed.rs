//! What is known of a snapshot without reading its interactions.

use std::ops::RangeInclusive;

use roaring::RoaringBitmap;

use super::Snapshot;
use super::relinked::Overlay;
use crate::block::Block;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::index::{IndexReader, Levels, month_of};
use crate::manifest::{Range, Run};
use crate::model::{CustomerOrdinal, Millis};
use crate::schema::{AttrId, AttrType, Subject};
use crate::segment::Chosen;
use crate::span::{Wanted, read_chosen};
use crate::tail::TailPiece;
use crate::tallies::{self, Tally};

/// How many interactions have two symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TallyCell {
    /// Of one attribute and of another; `None` where an interaction has none.
    pub symbols: [Option<u32>; 2],
    /// How many.
    pub interactions: u64,
}

impl Snapshot {
    /// Exactly the customers with at least `n` (1, 2 or 3) interactions whose
    /// `attr` (a symbol attribute) is `symbol`; hidden interactions count too,
    /// so it is more than they where the snapshot hides any.
    ///
    /// # Errors
    /// [`Error::Damaged`] as [`Snapshot::read`]; [`Error::Invalid`] for another `n`.
    pub fn at_least(&self, attr: AttrId, symbol: u32, n: u8) -> Result<RoaringBitmap> {
        let level = usize::from(n).checked_sub(1).filter(|&level| level < 3);
        let level = level.ok_or_else(|| Error::invalid("the index counts 1, 2 or 3 occurrences"))?;
        let mut levels = Levels::default();
        // What interactions were before they were amended may be what is seen.
        let past = self.as_of.is_some();
        for range in &self.version.manifest.ranges {
            let mut of_range = Levels::default();
            let runs: Vec<&Run> = range.versions(past).filter(|run| !run.segments.is_empty()).collect();
            for run in &runs {
                if run.index.pages.is_empty() {
                    of_range.add(&self.counted(run, attr, symbol)?);
                    continue;
                }
                let read = |part| self.version.chunks.blob_range(&run.index, part);
                let index = IndexReader::open_parts(run.index.len(), &read)?;
                match of_range.0.get_mut(level) {
                    // Where nothing overlays the base its own bitmap decides.
                    Some(wanted) if runs.len() == 1 && self.tail.is_empty() => {
                        *wanted = index.at_least_level(attr, symbol, level)?;
                        self.remove_dead(run, wanted);
                    }
                    _ => {
                        let mut of_run = index.at_least(attr, symbol)?;
                        of_run.0.iter_mut().for_each(|level| self.remove_dead(run, level));
                        of_range.add(&of_run);
                    }
                }
            }
            for (sum, part) in levels.0.iter_mut().zip(of_range.0) {
                *sum |= part;
            }
        }
        for piece in self.tail.pieces().iter().chain(if past { self.past.pieces() } else { &[] }) {
            levels.add(&tail_levels(piece, attr, symbol));
        }
        let mut customers = levels.0.into_iter().nth(level).unwrap_or_default();
        customers.extend(self.otherwise_linked());
        Ok(customers)
    }

    /// Whether any interaction, or customer, has a value of a symbol attribute. Not so of one that
    /// only erased customers or dropped interactions had; until a vacuum it has a number still.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub fn has_symbol(&self, attr: AttrId, symbol: u32) -> Result<bool> {
        if self.names.erased.is_empty() && self.taken_out.is_empty() && self.retention.is_none() {
            return Ok(true);
        }
        if self.names.schema.get(attr).is_some_and(|known| known.subject == Subject::Interaction) {
            return Ok(!self.at_least(attr, symbol, 1)?.is_empty());
        }
        let column = self.customers.as_ref().and_then(|block| block.column(attr));
        Ok(match column {
            Some(Column::Symbol { dictionary, .. }) => dictionary.contains(&symbol),
            _ => false,
        })
    }

    /// At least the customers with an interaction at `from <= time < to`, by
    /// whole months in UTC.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub fn active(&self, from: Millis, to: Millis) -> Result<RoaringBitmap> {
        let mut out = RoaringBitmap::new();
        if to <= from {
            return Ok(out);
        }
        let (first, last) = (month_of(from), month_of(to - 1));
        for run in self.version.manifest.ranges.iter().flat_map(Range::all) {
            if !run.segments.iter().any(|segment| segment.time_max >= from && segment.time_min < to) {
                continue;
            }
            if run.index.pages.is_empty() {
                if let Some(block) = self.living(run, &[])? {
                    out.extend(active_in(&block, first..=last));
                }
                continue;
            }
            let read = |part| self.version.chunks.blob_range(&run.index, part);
            let index = IndexReader::open_parts(run.index.len(), &read)?;
            let mut of_run = RoaringBitmap::new();
            for month in index.months() {
                if (first..=last).contains(&month) {
                    of_run |= index.month(month)?;
                }
            }
            self.remove_dead(run, &mut of_run);
            out |= of_run;
        }
        for piece in self.tail.pieces() {
            out.extend(active_in(piece.block(), first..=last).filter(|&customer| !piece.is_dead(customer)));
        }
        out.extend(self.otherwise_linked());
        Ok(out)
    }

    /// Customers of whom interactions may lie with others now.
    fn otherwise_linked(&self) -> impl Iterator<Item = CustomerOrdinal> {
        self.overlay.iter().flat_map(Overlay::customers)
    }

    /// How many interactions have each two symbols of two symbol attributes,
    /// which may be the same one; `None` stands for an interaction without.
    /// Nothing where that is not known without reading them: of attributes
    /// with many values, where the snapshot hides what was recorded later, and where sealed
    /// interactions have died since the last seal.
    ///
    /// # Errors
    /// [`Error::Damaged`] as [`Snapshot::read`].
    pub fn tally(&self, a: AttrId, b: AttrId) -> Result<Option<Vec<TallyCell>>> {
        let is_symbol = |attr| {
            let attribute = self.names.schema.get(attr);
            attribute
                .is_some_and(|known| known.ty == AttrType::Symbol && known.subject == Subject::Interaction)
        };
        // What the runs do not mark is not counted either; the next seal does both.
        if self.hides_later() || !self.dead.is_empty() || !is_symbol(a) || !is_symbol(b) {
            return Ok(None);
        }
        let pair = (a.min(b), a.max(b));
        let mut sum = Tally::new();
        for run in self.version.manifest.ranges.iter().flat_map(Range::all) {
            if run.segments.is_empty() {
                continue;
            }
            let chunks = &self.version.chunks;
            let Some(mut tally) = tallies::find(&chunks.blob(&run.tallies)?, pair, chunks.folder())? else {
                return Ok(None);
            };
            if run.dead.rows > 0 {
                let dead = tallies::find(&chunks.blob(&run.dead.tallies)?, pair, chunks.folder())?;
                let Some(dead) = dead else { return Ok(None) };
                if !tallies::subtract(&mut tally, &dead) {
                    let what = "more interactions are dead than were counted";
                    return Err(Error::damaged(format!("{}/tallies", chunks.folder()), 0, what));
                }
            }
            tally.into_iter().for_each(|(cell, count)| *sum.entry(cell).or_default() += count);
        }
        let attrs = [pair.0, pair.1];
        // Ascending, each once.
        let attrs = attrs.get(usize::from(pair.0 == pair.1)..).unwrap_or_default();
        for piece in self.tail.pieces() {
            tallies::count(&piece.living(Wanted::These(attrs)), pair, &mut sum);
        }
        let cells = sum.into_iter().map(|((first, second), interactions)| {
            let symbols = if a <= b { [first, second] } else { [second, first] };
            TallyCell { symbols: symbols.map(|number| number.checked_sub(1)), interactions }
        });
        Ok(Some(cells.collect()))
    }

    /// What a run without an index has that is alive: times, and some columns.
    fn living(&self, run: &Run, attrs: &[AttrId]) -> Result<Option<Block>> {
        let (all, wanted) = (Chosen::Span(0..=CustomerOrdinal::MAX), Wanted::These(attrs));
        let read = read_chosen(&self.version.chunks, &self.names, run, &self.dead, &all, wanted)?;
        Ok(read.map(|read| read.block))
    }

    /// What an index of a run that has none would say, without the dead.
    fn counted(&self, run: &Run, attr: AttrId, symbol: u32) -> Result<Levels> {
        let block = self.living(run, &[attr])?.unwrap_or_default();
        Ok(levels_of(&block, attr, symbol, |_| true))
    }

    /// Takes those out of a set whose interactions in a run are dead.
    fn remove_dead(&self, run: &Run, customers: &mut RoaringBitmap) {
        run.dead.customers.remove_from(customers);
        self.dead.remove_from(customers);
    }
}

fn tail_levels(piece: &TailPiece, attr: AttrId, symbol: u32) -> Levels {
    levels_of(piece.block(), attr, symbol, |customer| !piece.is_dead(customer))
}

/// Which customers have a symbol, how often.
fn levels_of(block: &Block, attr: AttrId, symbol: u32, is_alive: impl Fn(CustomerOrdinal) -> bool) -> Levels {
    let mut levels = Levels::default();
    let Some(Column::Symbol { codes, dictionary }) = block.column(attr) else { return levels };
    let Some(code) = dictionary.iter().position(|&entry| entry == symbol) else { return levels };
    let code = code as u32 + 1;
    let living = block.customers.iter().enumerate().filter(|(_, customer)| is_alive(**customer));
    for (place, &customer) in living {
        let codes = codes.get(block.journey(place)).unwrap_or_default();
        let count = codes.iter().filter(|&&other| other == code).count();
        for (_, level) in levels.0.iter_mut().enumerate().take_while(|(at, _)| *at < count) {
            level.insert(customer);
        }
    }
    levels
}

/// Who has an interaction in one of these months.
fn active_in(block: &Block, months: RangeInclusive<i32>) -> impl Iterator<Item = CustomerOrdinal> {
    let is_active = move |place: usize| {
        let times = block.times.get(block.journey(place)).unwrap_or_default();
        times.iter().any(|&time| months.contains(&month_of(time)))
    };
    block
        .customers
        .iter()
        .enumerate()
        .filter(move |(place, _)| is_active(*place))
        .map(|(_, &customer)| customer)
}
