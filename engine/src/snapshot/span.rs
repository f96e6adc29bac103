//! Between which times the interactions of a snapshot lie. Mostly that is known without reading; not
//! so where the first or the last was taken out since.

use std::collections::HashMap;

use super::{Snapshot, Unit};
use crate::error::Result;
use crate::limits::RANGE_CUSTOMERS;
use crate::model::Millis;
use crate::tail::TailPiece;

/// Times of the first and the last interaction, if there is one.
type Ends = Option<(Millis, Millis)>;

impl Snapshot {
    /// Time of the first and the last interaction.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) as [`Snapshot::read`].
    pub fn time_span(&self) -> Result<Ends> {
        if let Some(&known) = self.ends.get() {
            return Ok(known);
        }
        if self.span.is_some() {
            return Ok(self.span);
        }
        let (span, commit, at) = match self.as_of {
            None => (self.time_span_of_all(), u64::MAX, Millis::MAX),
            Some(as_of) => (as_of.span, as_of.commit, as_of.at),
        };
        let taken = self.taken_out.until(commit, at);
        // What was moved and not taken out is somewhere else, at the same time.
        let stands = |(first, last)| taken.first > first && taken.last < last;
        let ends = match span {
            _ if self.interactions == 0 => None,
            Some(span) if !stands(span) => self.ends_within(span)?,
            span => span,
        };
        Ok(*self.ends.get_or_init(|| ends))
    }

    /// Finds the ends, reading the units of which they are not known. Nothing lies outside of `bounds`.
    fn ends_within(&self, (lowest, highest): (Millis, Millis)) -> Result<Ends> {
        let within = |unit: &Unit| (unit.time_min.max(lowest), unit.time_max.min(highest));
        let mut known: Ends = None;
        let mut open = Vec::new();
        for (number, unit) in self.units.iter().enumerate() {
            match self.as_of.is_some() || self.has_dead(unit) {
                true => open.push((number, within(unit))),
                false => known = both(known, Some(within(unit))),
            }
        }
        let mut read: HashMap<usize, Ends> = HashMap::new();
        // What may reach furthest is read first, and nothing that cannot reach further.
        open.sort_unstable_by_key(|&(_, (_, last))| std::cmp::Reverse(last));
        for &(number, (_, last)) in &open {
            if known.is_some_and(|(_, known)| last <= known) {
                break;
            }
            known = both(known, self.ends_of(number, &mut read)?);
        }
        open.sort_unstable_by_key(|&(_, (first, _))| first);
        for &(number, (first, _)) in &open {
            if known.is_some_and(|(known, _)| first >= known) {
                break;
            }
            known = both(known, self.ends_of(number, &mut read)?);
        }
        Ok(known)
    }

    fn ends_of(&self, unit: usize, read: &mut HashMap<usize, Ends>) -> Result<Ends> {
        if let Some(&ends) = read.get(&unit) {
            return Ok(ends);
        }
        let block = self.read(unit, &[])?;
        let ends = block.times.iter().min().copied().zip(block.times.iter().max().copied());
        read.insert(unit, ends);
        Ok(ends)
    }

    /// Whether interactions of a unit may be stored and dead.
    fn has_dead(&self, unit: &Unit) -> bool {
        let span = unit.first..=unit.last;
        let range = self.version.manifest.ranges.get((unit.first / RANGE_CUSTOMERS) as usize);
        self.dead.any_within(span.clone())
            || self.tail.pieces().iter().map(TailPiece::dead).any(|dead| dead.any_within(span.clone()))
            || range.is_some_and(|range| range.all().any(|run| run.dead.customers.any_within(span.clone())))
    }
}

fn both(one: Ends, other: Ends) -> Ends {
    match (one, other) {
        (Some((first, last)), Some((from, to))) => Some((first.min(from), last.max(to))),
        (one, other) => one.or(other),
    }
}
