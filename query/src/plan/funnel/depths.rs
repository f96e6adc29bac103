//! Counting a funnel by how deep journeys get, where nobody asks which rows they took.

use super::super::flow::Flow;
use super::attempts::{Finder, Units};
use super::counts::{Counts, Stopped};
use super::outcome::{became, may_go_on};
use crate::kernels::funnel::Bounds;
use crate::kernels::single::{Depths, StepRows};
use crate::rows::Env;

impl Finder {
    /// Counts the attempts of a unit; false, and nothing counted, where that
    /// takes more than depths.
    ///
    /// What [`Finder::each`] hands on comes to the same: plain steps have no
    /// absences, so an attempt's last row in the funnel is its depth, and its
    /// outcome follows from its ends.
    pub(super) fn depths(&self, flow: &Flow, env: &Env, counts: &mut Counts) -> bool {
        let Some(rule) = self.plain.as_ref().filter(|rule| rule.edges.iter().all(Bounds::is_free)) else {
            return false;
        };
        let whole = !flow.is_cut() && flow.visible.is_none() && self.units == Units::Customers;
        let Some((codes, table)) = self.plan.codes(flow, env).filter(|_| whole) else { return false };
        let block = flow.block();
        let edge = self.plan.rule.right_edge;
        let mut depths = Depths::new(rule.steps, rule.within);
        // Of each step: the attempts that got no further, and what became of those that did not
        // complete.
        let (mut deepest, mut outcomes) = (vec![0_u64; rule.steps], vec![Stopped::default(); rule.steps]);
        for journey in 0..block.customers.len() {
            let rows = block.journey(journey);
            let (Some(times), Some(codes)) = (block.times.get(rows.clone()), codes.get(rows)) else {
                continue;
            };
            if !flow.lives(journey) {
                continue;
            }
            let Some(found) = depths.deepest(StepRows { times, codes, table: &table }) else { continue };
            let step = found.depth.saturating_sub(1);
            if let Some(count) = deepest.get_mut(step) {
                *count += 1;
            }
            if found.depth == rule.steps {
                continue;
            }
            let deadline = rule.within.map(|within| found.started.saturating_add(within));
            let next = times.get(found.last + 1).copied();
            let outcome = became(may_go_on(deadline, edge), deadline, edge, next);
            if let Some(counts) = outcomes.get_mut(step) {
                counts.stopped(outcome);
            }
        }
        counts.add_depths(&deepest, &outcomes);
        true
    }
}
