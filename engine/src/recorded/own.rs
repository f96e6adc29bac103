//! Rows with recording times of their own: how many of them had been recorded by an instant, and
//! from when to when they had taken place.
//!
//! Instants are kept apart while they are few, as those of nightly loads are. Where they are
//! many, neighbours are one span, and what of a span had been recorded by an instant within it is
//! found by reading the rows; it is remembered then.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use parking_lot::Mutex;

use crate::model::Millis;

/// Spans kept, at most.
const SPANS_MAX: usize = if cfg!(test) { 1 << 4 } else { 1 << 14 };
/// Answers remembered, at most.
const FOUND_MAX: usize = 64;
/// Numbers that a span is made of.
pub(super) const NUMBERS: usize = 5;

/// Some interactions: how many, and when the first and the last of them took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub interactions: u64,
    /// The greatest number where there is none.
    pub first: Millis,
    /// The least number where there is none.
    pub last: Millis,
}

impl Default for Tally {
    fn default() -> Self {
        Self { interactions: 0, first: Millis::MAX, last: Millis::MIN }
    }
}

impl Tally {
    /// One interaction, at `time`.
    pub(crate) fn of(time: Millis) -> Self {
        Self { interactions: 1, first: time, last: time }
    }

    /// Both together.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            interactions: self.interactions + other.interactions,
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// Whether `other`'s interactions, and more, may be among these.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.interactions >= other.interactions && self.first <= other.first && self.last >= other.last
    }

    /// The times of the first and the last.
    pub(crate) fn span(&self) -> Option<(Millis, Millis)> {
        (self.interactions > 0).then_some((self.first, self.last))
    }
}

/// What was recorded from one instant to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: Millis,
    until: Millis,
    tally: Tally,
}

impl Span {
    fn and(self, other: Self) -> Self {
        let (from, until) = (self.from.min(other.from), self.until.max(other.until));
        Self { from, until, tally: self.tally.and(other.tally) }
    }
}

/// What had been recorded by an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByThen {
    /// What is known of it.
    pub known: Tally,
    /// When the rest was recorded, which is to be counted and added.
    pub unknown: Option<RangeInclusive<Millis>>,
}

/// All rows with recording times of their own.
#[derive(Debug, Default)]
pub(crate) struct OwnTimes {
    /// The earliest of them, of any row.
    first: Option<Millis>,
    /// Of interactions; disjoint, ascending.
    spans: Vec<Span>,
    /// What was counted of spans, by instant.
    found: Mutex<Vec<(Millis, Tally)>>,
}

impl Clone for OwnTimes {
    /// What was found is forgotten: a copy is made to be added to.
    fn clone(&self) -> Self {
        Self { first: self.first, spans: self.spans.clone(), found: Mutex::default() }
    }
}

impl OwnTimes {
    /// The earliest recording time that a row has of its own.
    pub(crate) fn first(&self) -> Option<Millis> {
        self.first
    }

    /// Takes in a row that is no interaction.
    pub(super) fn note_first(&mut self, recorded: Millis) {
        self.first = Some(self.first.map_or(recorded, |first| first.min(recorded)));
    }

    /// Takes in interactions: when each was recorded, and when it took place.
    pub(super) fn note(&mut self, mut rows: Vec<(Millis, Millis)>) {
        rows.sort_unstable_by_key(|(recorded, _)| *recorded);
        let Some(&(first, _)) = rows.first() else { return };
        self.note_first(first);
        let mut old = std::mem::take(&mut self.spans).into_iter().peekable();
        let mut rows = rows.into_iter().peekable();
        while let Some(&(recorded, time)) = rows.peek() {
            let before = old.next_if(|span| span.from <= recorded);
            if let Some(span) = before {
                self.spans.push(span);
                continue;
            }
            let own = Span { from: recorded, until: recorded, tally: Tally::of(time) };
            match self.spans.last_mut() {
                Some(last) if last.until >= recorded => *last = last.and(own),
                _ => self.spans.push(own),
            }
            rows.next();
        }
        self.spans.extend(old);
        if self.spans.len() > 2 * SPANS_MAX {
            self.coarsen();
        }
    }

    /// So many interactions of each span are not there any more. From when on the others took place
    /// is not known then, only a bound; until when is where no later one went.
    pub(super) fn take(&mut self, gone: &BTreeMap<Millis, u64>) {
        for span in &mut self.spans {
            let gone = gone.get(&span.from).copied().unwrap_or_default();
            span.tally.interactions = span.tally.interactions.saturating_sub(gone);
            if span.tally.interactions == 0 {
                span.tally = Tally::default();
            }
        }
    }

    /// Makes neighbours one, those of few interactions first.
    fn coarsen(&mut self) {
        let all: u64 = self.spans.iter().map(|span| span.tally.interactions).sum();
        let mut most = all.div_ceil(SPANS_MAX as u64);
        while self.spans.len() > SPANS_MAX {
            let mut joined: Vec<Span> = Vec::with_capacity(SPANS_MAX);
            for &span in &self.spans {
                match joined.last_mut() {
                    Some(last) if last.tally.interactions + span.tally.interactions <= most => {
                        *last = last.and(span);
                    }
                    _ => joined.push(span),
                }
            }
            self.spans = joined;
            most *= 2;
        }
    }

    /// What had been recorded by `at`.
    pub(crate) fn by(&self, at: Millis) -> ByThen {
        let mut known = Tally::default();
        for span in self.spans.iter().take_while(|span| span.from <= at) {
            if span.until > at {
                return ByThen { known, unknown: Some(span.from..=at) };
            }
            known = known.and(span.tally);
        }
        ByThen { known, unknown: None }
    }

    /// The span that `recorded` lies in, with all that was recorded in it.
    pub(crate) fn around(&self, recorded: Millis) -> Option<(RangeInclusive<Millis>, Tally)> {
        let place = self.spans.partition_point(|span| span.until < recorded);
        let span = self.spans.get(place).filter(|span| span.from <= recorded)?;
        Some((span.from..=span.until, span.tally))
    }

    /// What was counted by that instant before.
    pub(crate) fn found(&self, at: Millis) -> Option<Tally> {
        self.found.lock().iter().find(|(known, _)| *known == at).map(|(_, tally)| *tally)
    }

    /// Remembers what was counted.
    pub(crate) fn remember(&self, at: Millis, tally: Tally) {
        let mut found = self.found.lock();
        if found.len() >= FOUND_MAX {
            found.remove(0);
        }
        found.push((at, tally));
    }

    /// The spans as numbers.
    pub(super) fn numbers(&self) -> Vec<[i64; NUMBERS]> {
        let numbers = |span: &Span| {
            let Tally { interactions, first, last } = span.tally;
            [span.from, span.until, interactions as i64, first, last]
        };
        self.spans.iter().map(numbers).collect()
    }

    /// Of what [`OwnTimes::numbers`] gave.
    pub(super) fn of(first: Option<Millis>, numbers: &[[i64; NUMBERS]]) -> Self {
        let span = |&[from, until, interactions, first, last]: &[i64; NUMBERS]| Span {
            from,
            until,
            tally: Tally { interactions: interactions as u64, first, last },
        };
        Self { first, spans: numbers.iter().map(span).collect(), found: Mutex::default() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What was recorded by `at`, each row looked at.
    fn counted(rows: &[(Millis, Millis)], from: Millis, at: Millis) -> Tally {
        let by_then = rows.iter().filter(|(recorded, _)| (from..=at).contains(recorded));
        by_then.fold(Tally::default(), |sum, (_, time)| sum.and(Tally::of(*time)))
    }

    fn check(own: &OwnTimes, rows: &[(Millis, Millis)], at: Millis) {
        let ByThen { known, unknown } = own.by(at);
        let rest = unknown.map_or(Tally::default(), |span| counted(rows, *span.start(), *span.end()));
        assert_eq!(known.and(rest), counted(rows, Millis::MIN, at), "by {at}");
    }

    proptest! {
        #[test]
        fn few_instants_are_exact(parts in prop::collection::vec(prop::collection::vec((0..2 * SPANS_MAX as i64, -9..9_i64), 0..30), 0..5)) {
            let mut own = OwnTimes::default();
            parts.iter().for_each(|part| own.note(part.clone()));
            let rows = parts.concat();
            prop_assert_eq!(own.first(), rows.iter().map(|row| row.0).min());
            for at in -1..=2 * SPANS_MAX as i64 {
                prop_assert_eq!(own.by(at), ByThen { known: counted(&rows, Millis::MIN, at), unknown: None });
                let at_once = rows.iter().any(|row| row.0 == at);
                prop_assert_eq!(own.around(at), at_once.then(|| (at..=at, counted(&rows, at, at))));
            }
        }
    }

    #[test]
    fn many_instants_are_kept_in_spans_that_say_what_is_to_be_counted() {
        let mut own = OwnTimes::default();
        let mut rows = Vec::new();
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 33) % below) as i64
        };
        for part in 0..12 {
            // A nightly load of many rows stays apart from the single ones around it.
            let night: Vec<_> = (0..3_000).map(|_| (500_000 + part % 3, random(1_000))).collect();
            let single: Vec<_> = (0..9_000).map(|_| (random(1_000_000), random(1_000))).collect();
            for more in [night, single] {
                own.note(more.clone());
                rows.extend(more);
            }
        }
        assert!(own.spans.len() <= 2 * SPANS_MAX && own.spans.len() > SPANS_MAX / 4, "{}", own.spans.len());
        assert!(own.spans.is_sorted_by(|a, b| a.until < b.from));
        let mut unknown = 0;
        for at in (0..1_000_000).step_by(9_973).chain([499_999, 500_000, 500_001, 500_002, -1, 1_000_000]) {
            check(&own, &rows, at);
            unknown += usize::from(own.by(at).unknown.is_some());
        }
        assert!(unknown > 0);
        let again = OwnTimes::of(own.first(), &own.numbers());
        assert_eq!((again.first, &again.spans), (own.first, &own.spans));
    }

    #[test]
    fn what_was_found_is_forgotten_when_rows_come() {
        let own = OwnTimes::default();
        for at in 0..100 {
            own.remember(at, Tally::of(at));
        }
        assert_eq!((own.found(99), own.found(0)), (Some(Tally::of(99)), None));
        assert_eq!(own.clone().found(99), None);
    }
}
