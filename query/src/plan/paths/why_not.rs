//! Why a customer has no path: the step that nothing fills, or that nothing
//! fills after the first.

use std::ops::Range;

use super::PathsOperator;
use crate::plan::operator::{Asked, Reason};
use crate::plan::pattern::InSight;
use crate::time::{format_duration_people, format_instant};

/// What is lacking, and the row of the whole journeys that came closest.
type Lack = (String, Option<usize>);

/// How near a journey is to a path between steps: further on is nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Near {
    /// Nothing fills the second step.
    Never,
    /// What fills it comes before the first.
    Before,
    /// What fills it after the first does not fit beside it.
    Beside,
}

impl PathsOperator {
    /// What keeps the customer whose journeys flow here from having a path. Of several journeys
    /// the one that is nearest to one, the last of those.
    pub(super) fn reasons(&self, asked: &Asked<'_>) -> Vec<Reason> {
        let sight = self.plan.sight(asked.flow, asked.env);
        let journeys = asked.flow.block().customers.len();
        let views = (0..journeys).filter_map(|journey| sight.journey(journey));
        let nearest = views.filter_map(|view| {
            let first = view.rows().classes.iter().position(|class| class & 1 != 0)? as u32;
            let (near, lack) = self.after(first, &view, asked);
            let at = view.time(first);
            let reached = format!("reached at {}", format_instant(at));
            let row = asked.flow.whole_row(view.row(first));
            let reasons = vec![self.reason(0, true, (reached, Some(row))), self.reason(1, false, lack)];
            Some(((near, at), reasons))
        });
        let nearest = nearest.max_by_key(|(key, _)| *key);
        let unfilled = || vec![self.reason(0, false, self.unfilled(0, 0..journeys, asked))];
        nearest.map_or_else(unfilled, |(_, reasons)| reasons)
    }

    fn reason(&self, step: usize, holds: bool, (detail, closest): Lack) -> Reason {
        let label = self.plan.steps.get(step).map_or("", |step| step.label.as_str());
        Reason { step: format!("PATHS, step {}: {label}", step + 1), holds, detail, closest }
    }

    /// Nothing of some journeys fills a step.
    fn unfilled(&self, step: usize, journeys: Range<usize>, asked: &Asked<'_>) -> Lack {
        let none = match step > 0 && asked.flow.is_cut() {
            true => "no interaction of the same journey fills it",
            false => "no interaction in sight fills it",
        };
        match self.plan.nearest(step, &journeys, asked) {
            Some(near) => (format!("{none}: {}", near.detail), near.closest),
            None => (none.to_owned(), None),
        }
    }

    /// Why no row of a journey fills the second step after the `first`.
    fn after(&self, first: u32, view: &InSight<'_>, asked: &Asked<'_>) -> (Near, Lack) {
        let rows = view.rows();
        let fills = |row: &u32| rows.classes.get(*row as usize).is_some_and(|class| class & 2 != 0);
        let whole = |row: u32| Some(asked.flow.whole_row(view.row(row)));
        if let Some(row) = (first + 1..rows.times.len() as u32).find(fills) {
            let detail = "the nearest that fills it does not fit beside the first step";
            return (Near::Beside, (detail.to_owned(), whole(row)));
        }
        if fills(&first) {
            let detail = "no other interaction fills it after the first, and one fills one step only";
            return (Near::Before, (detail.to_owned(), whole(first)));
        }
        if let Some(row) = (0..first).rev().find(fills) {
            let early = format_duration_people(view.time(first).saturating_sub(view.time(row)));
            return (
                Near::Before,
                (format!("the last that fills it comes {early} before the first"), whole(row)),
            );
        }
        (Near::Never, self.unfilled(1, view.journey..view.journey + 1, asked))
    }
}
