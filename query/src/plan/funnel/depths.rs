//! Counting a funnel by how deep journeys get, where nobody asks which rows they took.

use super::super::flow::Flow;
use super::attempts::{Finder, Units};
use super::counts::{Counts, Stopped};
use super::outcome::{became, may_go_on};
use crate::kernels::funnel::Bounds;
use crate::kernels::single::{Depths, StepRows};
use crate::rows::Env;

impl Finder {
    /// What finds depths, where only WITHIN bounds attempts.
    pub(super) fn unbounded_gaps(&self) -> Option<Depths> {
        let rule = self.plain.as_ref().filter(|rule| rule.edges.iter().all(Bounds::is_free))?;
        Some(Depths::new(rule.steps, rule.within))
    }

    /// Counts the attempts of a unit; false, and nothing counted, where that
    /// takes more than depths.
    ///
    /// What [`Finder::each`] hands on comes to the same: plain steps have no
    /// absences, so an attempt's last row in the funnel is its depth, and its
    /// outcome follows from its ends.
    pub(super) fn depths(
        &self,
        depths: &mut Option<Depths>,
        flow: &Flow,
        env: &Env,
        counts: &mut Counts,
    ) -> bool {
        let (Some(rule), Some(depths)) = (&self.plain, depths) else { return false };
        let whole = !flow.is_cut() && flow.visible.is_none() && self.units == Units::Customers;
        let Some((codes, table)) = self.plan.codes(flow, env).filter(|_| whole) else { return false };
        let block = flow.block();
        let edge = self.plan.rule.right_edge;
        // Of each step: the attempts that got no further, and what became of those that did not
        // complete.
        let (mut deepest, mut outcomes) = (vec![0_u64; rule.steps], vec![Stopped::default(); rule.steps]);
        let rows = StepRows { times: &block.times, codes, table: &table };
        if flow.alive.is_none()
            && !counts.takes_outcomes()
            && let Some(by_depth) = depths.count(rows, &block.offsets)
        {
            let deepest = by_depth.iter().skip(1).take(rule.steps).copied();
            counts.add_depths(&deepest.collect::<Vec<_>>(), &[]);
            return true;
        }
        depths.each(rows, &block.offsets, |journey, found| {
            if !flow.lives(journey) {
                return;
            }
            let step = found.depth.saturating_sub(1);
            if let Some(count) = deepest.get_mut(step) {
                *count += 1;
            }
            if found.depth == rule.steps {
                return;
            }
            let deadline = rule.within.map(|within| found.started.saturating_add(within));
            let next = found.last + 1;
            let next = block.times.get(next).filter(|_| next < block.journey(journey).end).copied();
            let outcome = became(may_go_on(deadline, edge), deadline, edge, next);
            if let Some(counts) = outcomes.get_mut(step) {
                counts.stopped(outcome);
            }
        });
        counts.add_depths(&deepest, &outcomes);
        true
    }
}
