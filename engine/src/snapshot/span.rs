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
        // Of what was dropped for its age, only the first can be missing.
        let dropped = self.retention.is_some_and(|retention| retention.known_from.is_some());
        let ends = match span {
            _ if self.interactions == 0 => None,
            Some((first, last)) => {
                // What was moved and not taken out is somewhere else, at the same time.
                let stand = (taken.first > first && !dropped, taken.last < last);
                self.ends_within((first, last), stand)?
            }
            None => None,
        };
        Ok(*self.ends.get_or_init(|| ends))
    }

    /// Finds the ends, reading the units of which they are not known. Nothing lies outside of the
    /// bounds, and of those that stand there is something at the very time.
    fn ends_within(&self, (lowest, highest): (Millis, Millis), stand: (bool, bool)) -> Result<Ends> {
        if stand == (true, true) {
            return Ok(Some((lowest, highest)));
        }
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
        for &(number, (_, last)) in open.iter().filter(|_| !stand.1) {
            if known.is_some_and(|(_, known)| last <= known) {
                break;
            }
            known = both(known, self.ends_of(number, &mut read)?);
        }
        open.sort_unstable_by_key(|&(_, (first, _))| first);
        for &(number, (first, _)) in open.iter().filter(|_| !stand.0) {
            if known.is_some_and(|(known, _)| first >= known) {
                break;
            }
            known = both(known, self.ends_of(number, &mut read)?);
        }
        let found = known.unwrap_or((lowest, highest));
        Ok(Some((if stand.0 { lowest } else { found.0 }, if stand.1 { highest } else { found.1 })))
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
