//! SPLIT BY and SESSIONS: journeys cut by the values of attributes, and where
//! they pause.

use throughline_engine::{AttrId, Attribute, Column, Millis};

use super::flow::{Flow, Pieces};
use super::interaction::named;
use crate::diagnostics::{Diagnostic, Severity};
use crate::kernels::keys::keys;
use crate::limits::KEYS_MAX;
use crate::rows::Env;
use crate::syntax::ast::{Name, Span};
use crate::value::grouped;

/// What was looked at for a value, and what has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Interactions in sight.
    pub seen: u64,
    /// Of those, without a value.
    pub without: u64,
}

impl LeftOut {
    /// Adds another unit's.
    pub(crate) fn add(&mut self, more: Self) {
        self.seen += more.seen;
        self.without += more.without;
    }

    /// What answers say of it; `None` where nothing was left out.
    pub(crate) fn note(self, names: &[String]) -> Option<String> {
        (self.without > 0).then(|| {
            format!(
                "{} of {} interactions have no {} and were left out",
                grouped(self.without),
                grouped(self.seen),
                names.join(" or no "),
            )
        })
    }
}

/// SPLIT BY, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// The attributes; at least one.
    pub attrs: Vec<AttrId>,
    /// Their names.
    pub names: Vec<String>,
}

impl Split {
    /// Resolves the attributes. `operator` is what messages call it.
    pub(crate) fn compile(
        operator: &str,
        names: &[Name],
        keyword: Span,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let schema = env.snapshot.schema();
        let before = sink.len();
        if names.is_empty() || names.len() > KEYS_MAX {
            let message =
                format!("{operator} takes 1 to {KEYS_MAX} attributes, and these are {}", names.len());
            sink.push(Diagnostic::error("E406", keyword, message).label("too many or none"));
        }
        let attributes: Vec<Option<Attribute>> = names.iter().map(|name| named(schema, name, sink)).collect();
        let attributes: Vec<Attribute> = attributes.into_iter().collect::<Option<_>>()?;
        for (place, (name, attribute)) in names.iter().zip(&attributes).enumerate() {
            if attributes.iter().take(place).any(|other| other.id == attribute.id) {
                let twice = Diagnostic::error("E407", name.span, format!("`{name}` is named twice"));
                sink.push(twice.label("this name"));
            }
        }
        let wrong = sink.iter().skip(before).any(|found| found.severity == Severity::Error);
        (!wrong).then(|| Self {
            attrs: attributes.iter().map(|attribute| attribute.id).collect(),
            names: attributes.into_iter().map(|attribute| attribute.name).collect(),
        })
    }
}

/// The journeys in hand, cut by the combinations of non-null values of
/// `attrs`: the pieces of each journey in the order of their first rows. What
/// is out of sight, or has no value, is in no piece. One pass over the rows
/// and one over those taken.
pub(crate) fn split_by(flow: &Flow, attrs: &[AttrId]) -> (Pieces, LeftOut) {
    let block = flow.block();
    let columns: Vec<Option<&Column>> = attrs.iter().map(|&attr| block.column(attr)).collect();
    let keys = keys(&columns, block.rows());
    let mut left = LeftOut::default();
    let mut pieces = Pieces::default();
    // By key: 1 + the journey it was last seen in, and its piece there.
    let mut places: Vec<(u32, u32)> = vec![(0, 0); keys.bound.max(1) as usize];
    // Of one journey: the row and piece of each that is taken, and how many rows a piece has.
    let (mut taken, mut sizes): (Vec<(u32, u32)>, Vec<u32>) = (Vec::new(), Vec::new());
    for journey in 0..block.customers.len() {
        if !flow.lives(journey) {
            continue;
        }
        taken.clear();
        sizes.clear();
        for row in block.journey(journey).filter(|&row| flow.sees(row)) {
            left.seen += 1;
            let key = keys.codes.get(row).copied().unwrap_or(0);
            if key == 0 {
                left.without += 1;
                continue;
            }
            let Some(place) = places.get_mut(key as usize) else { continue };
            if place.0 != journey as u32 + 1 {
                *place = (journey as u32 + 1, sizes.len() as u32);
                sizes.push(0);
            }
            if let Some(size) = sizes.get_mut(place.1 as usize) {
                *size += 1;
            }
            taken.push((row as u32, place.1));
        }
        // The rows of a piece go side by side: sizes become places to write to.
        let mut next = pieces.rows.len() as u32;
        for size in &mut sizes {
            let start = next;
            next += *size;
            *size = start;
            pieces.journeys.push(journey as u32);
            pieces.ends.push(next);
        }
        pieces.rows.resize(next as usize, 0);
        for &(row, piece) in &taken {
            let Some(place) = sizes.get_mut(piece as usize) else { continue };
            if let Some(slot) = pieces.rows.get_mut(*place as usize) {
                *slot = row;
            }
            *place += 1;
        }
    }
    (pieces, left)
}

/// The journeys in hand, cut where they pause longer than `gap` milliseconds
/// between two interactions in sight. The last session of a journey can still
/// go on until `gap` after its end; the others are over.
pub(crate) fn sessions(flow: &Flow, gap: Millis) -> Pieces {
    let block = flow.block();
    let mut pieces = Pieces::default();
    let mut closes = Vec::new();
    for journey in 0..block.customers.len() {
        if !flow.lives(journey) {
            continue;
        }
        let mut last: Option<Millis> = None;
        for row in block.journey(journey).filter(|&row| flow.sees(row)) {
            let at = block.times.get(row).copied().unwrap_or_default();
            if last.is_some_and(|last| at.saturating_sub(last) > gap) {
                pieces.journeys.push(journey as u32);
                pieces.ends.push(pieces.rows.len() as u32);
                closes.push(Millis::MIN);
            }
            pieces.rows.push(row as u32);
            last = Some(at);
        }
        if let Some(last) = last {
            pieces.journeys.push(journey as u32);
            pieces.ends.push(pieces.rows.len() as u32);
            closes.push(last.saturating_add(gap));
        }
    }
    pieces.closes = Some(closes);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use throughline_engine::Block;

    const KIND: AttrId = AttrId(3);
    const CASE: AttrId = AttrId(4);

    /// Pauses, two codes (0 is NULL) and whether it is in sight.
    type Made = (i64, u32, i64, bool);

    fn flow(journeys: &[(bool, Vec<Made>)]) -> Flow {
        let (mut block, mut codes, mut cases, mut valid) = (Block::default(), vec![], vec![], vec![]);
        let (mut visible, mut alive) = (vec![], vec![]);
        block.offsets = vec![0];
        for (customer, (living, rows)) in journeys.iter().enumerate() {
            let mut at = 0;
            for &(pause, code, case, seen) in rows {
                at += pause;
                block.times.push(at);
                codes.push(code);
                cases.push(case);
                valid.push(case != 0);
                visible.push(seen);
            }
            block.customers.push(customer as u32);
            block.offsets.push(block.times.len() as u32);
            alive.push(*living);
        }
        block.columns = vec![
            (KIND, Column::Symbol { codes, dictionary: vec![5, 6, 7] }),
            (CASE, Column::Int { values: cases, valid: Some(valid) }),
        ];
        let mut flow = Flow::new(block);
        flow.show(visible);
        flow.keep(alive);
        flow
    }

    /// (journey, rows) of each piece.
    fn lists(pieces: &Pieces) -> Vec<(u32, Vec<u32>)> {
        let mut start = 0;
        let piece = |(&journey, &end): (&u32, &u32)| {
            let rows = pieces.rows[start as usize..end as usize].to_vec();
            start = end;
            (journey, rows)
        };
        pieces.journeys.iter().zip(&pieces.ends).map(piece).collect()
    }

    /// Piece by piece, with a map from value to rows.
    fn slow_split(journeys: &[(bool, Vec<Made>)], both: bool) -> (Vec<(u32, Vec<u32>)>, LeftOut) {
        let (mut all, mut left, mut row) = (Vec::new(), LeftOut::default(), 0);
        for (journey, (living, rows)) in journeys.iter().enumerate() {
            let mut pieces: BTreeMap<(u32, i64), Vec<u32>> = BTreeMap::new();
            for &(_, code, case, seen) in rows {
                if *living && seen {
                    left.seen += 1;
                    match code == 0 || (both && case == 0) {
                        true => left.without += 1,
                        false => pieces.entry((code, if both { case } else { 0 })).or_default().push(row),
                    }
                }
                row += 1;
            }
            let mut pieces: Vec<Vec<u32>> = pieces.into_values().collect();
            pieces.sort();
            all.extend(pieces.into_iter().map(|rows| (journey as u32, rows)));
        }
        (all, left)
    }

    #[test]
    fn sessions_end_where_a_journey_pauses_longer() {
        let row = |pause| (pause, 1, 1, true);
        let mut cut = flow(&[(true, vec![row(0), row(10), row(11), row(10)])]);
        let pieces = sessions(&cut, 10);
        assert_eq!(lists(&pieces), [(0, vec![0, 1]), (0, vec![2, 3])]);
        cut.cut(pieces);
        assert_eq!((cut.closes(0), cut.closes(1)), (Some(Millis::MIN), Some(31 + 10)));
        // What is made of a session ends with it.
        let (pieces, _) = split_by(&cut, &[KIND]);
        cut.cut(pieces);
        assert_eq!((cut.closes(0), cut.closes(1)), (Some(Millis::MIN), Some(31 + 10)));
        // A session of a session ends with the earlier of both.
        let pieces = sessions(&cut, 5);
        cut.cut(pieces);
        assert_eq!(
            (0..4).map(|journey| cut.closes(journey)).collect::<Vec<_>>(),
            [Some(Millis::MIN), Some(Millis::MIN), Some(Millis::MIN), Some(31 + 5)]
        );
    }

    fn made() -> impl Strategy<Value = Vec<(bool, Vec<Made>)>> {
        let row = (0i64..6, 0u32..4, 0i64..3, prop::bool::weighted(0.8));
        prop::collection::vec((prop::bool::weighted(0.8), prop::collection::vec(row, 0..12)), 0..5)
    }

    proptest! {
        #[test]
        fn splits_as_the_slow_way(journeys in made(), both in any::<bool>()) {
            let flow = flow(&journeys);
            let attrs = if both { vec![KIND, CASE] } else { vec![KIND] };
            let (pieces, left) = split_by(&flow, &attrs);
            let (expected, expected_left) = slow_split(&journeys, both);
            prop_assert_eq!(lists(&pieces), expected);
            prop_assert_eq!(left, expected_left);
        }

        #[test]
        fn sessions_are_maximal_runs(journeys in made(), gap in 0i64..6) {
            let flow = flow(&journeys);
            let pieces = lists(&sessions(&flow, gap));
            let at = |row: &u32| flow.block().times[*row as usize];
            for (_, rows) in &pieces {
                prop_assert!(rows.windows(2).all(|pair| at(&pair[1]) - at(&pair[0]) <= gap));
            }
            for pair in pieces.windows(2) {
                let (before, after) = (pair[0].1.last().expect("no piece is empty"), &pair[1].1[0]);
                prop_assert!(pair[0].0 != pair[1].0 || at(after) - at(before) > gap);
            }
            let rows: Vec<u32> = pieces.into_iter().flat_map(|(_, rows)| rows).collect();
            let all = (0..journeys.len()).filter(|&journey| flow.lives(journey));
            let all: Vec<u32> = all
                .flat_map(|journey| flow.block().journey(journey))
                .filter(|&row| flow.sees(row))
                .map(|row| row as u32)
                .collect();
            prop_assert_eq!(rows, all);
        }
    }
}
