//! Patterns whose rows each fill at most one step, as a value of one attribute says.

use super::super::flow::Flow;
use super::super::index::values;
use super::super::steps::{StepFilter, by_code};
use super::PatternPlan;
use crate::kernels::funnel::{Bounds, Rule as PlainRule};
use crate::rows::Env;

impl PatternPlan {
    /// The pattern for the fast kernels, where it is only steps in order with
    /// bounds between them.
    pub(crate) fn plain(&self) -> Option<PlainRule> {
        let rule = &self.rule;
        let in_order =
            !rule.any_order && rule.simultaneous.is_none() && rule.before.is_empty() && !rule.is_joint();
        let plain = in_order
            && rule.steps.iter().all(|step| {
                let edge = &step.edge;
                let once = step.min == 1 && step.max == Some(1) && step.after.is_empty();
                once && !edge.next && edge.no == 0 && edge.same.is_none()
            });
        let edges = rule.steps.iter().skip(1).map(|step| Bounds { low: step.edge.low, high: step.edge.high });
        plain.then(|| PlainRule { steps: rule.steps.len(), within: rule.within, edges: edges.collect() })
    }

    /// Whether it is one step that any interaction fills.
    pub(crate) fn is_any(&self) -> bool {
        let any = matches!(&self.fillers[..], [filler] if filler.predicate.is_none());
        any && self.started.is_none() && !self.rule.is_joint()
    }

    /// Whether each filler is one or several values of an attribute.
    pub(crate) fn is_by_value(&self) -> bool {
        let by_value = |filler: &StepFilter| filler.predicate.as_ref().is_some_and(|it| values(it).is_some());
        self.started.is_none() && !self.rule.is_joint() && self.fillers.iter().all(by_value)
    }

    /// A code for every row in hand, and for every code 1 + the step that its
    /// rows fill, 0 for none; `None` where several attributes or more than
    /// values decide, a row may fill several steps, or not every row that
    /// fills the first may start.
    pub(crate) fn codes<'a>(&self, flow: &'a Flow, env: &Env) -> Option<(&'a [u32], Vec<u8>)> {
        if self.alternatives || self.started.is_some() || self.rule.anchor_first {
            return None;
        }
        by_code(&self.fillers, flow, env)
    }
}
