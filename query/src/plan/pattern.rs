//! Patterns: from the tree that FUNNEL, MATCH and PATHS share to the rule that
//! the kernel matches, and from its rows back to the interactions in hand.
//!
//! ```text
//! PatternPlan::compile   names, labels, options -> rule, filters of steps and marks, keys
//! PatternPlan::sight     a flow -> the rows in sight of its kept journeys, close together
//! Sight::journey         one journey -> rows for the kernel
//! InSight::beside        predicates that name other steps, for the kernel to ask
//! InSight::row           the kernel's rows -> rows in hand
//! ```

mod arrivals;
mod beside;
mod coded;
mod names;
mod resolve;
mod sight;
mod why_not;

use std::ops::Range;

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Attribute, Millis, Snapshot};

use super::index::candidates_of;
use super::inflow::Inflow;
use super::interaction::attribute;
use super::steps::StepFilter;
use crate::kernels::pattern::Rule;
use crate::rows::Typed;
use crate::syntax::ast::{During, Lit, Span};

pub(crate) use sight::{InSight, Sight};

/// How an operator reads its pattern.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    /// The operator's name, for messages.
    pub operator: &'static str,
    /// Its place.
    pub keyword: Span,
    /// The attribute whose values labels are.
    pub labels: Option<&'a Attribute>,
    /// A step of only a name is any interaction, unless the name is a value of `labels`.
    pub names_alone: bool,
    /// STRICT: nothing lies between rows.
    pub strict: bool,
    /// ANY ORDER: a list of plain steps.
    pub any_order: bool,
    /// ANCHOR FIRST
    pub anchor_first: bool,
    /// WITHIN
    pub within: Option<&'a Lit>,
    /// SIMULTANEOUS
    pub simultaneous: Option<&'a Lit>,
    /// STARTED DURING
    pub started: Option<&'a During>,
    /// What flows in: the edges of what the query sees.
    pub inflow: Inflow,
}

/// A pattern, resolved. Threads share it.
#[derive(Clone, Debug)]
pub(crate) struct PatternPlan {
    /// What the kernel matches.
    pub rule: Rule,
    /// The steps of the rule, in order.
    pub steps: Vec<StepPlan>,
    /// Steps and the absences between and after them, as they are written.
    /// Absences before the first step are conditions of it and are not here.
    pub elements: Vec<PatternElement>,
    /// The named steps, as they are written.
    pub variables: Vec<Variable>,
    /// STARTED DURING, from (inclusive) to (exclusive).
    pub started: Option<(Millis, Millis)>,
    /// What fills steps by itself, each alternative of its own: a bit each.
    fillers: Vec<StepFilter>,
    /// What else holds of each filler, beside the rows chosen for steps before.
    beside: Vec<Option<Typed>>,
    /// What must not come, in the order of the rule's marks.
    marks: Vec<StepFilter>,
    marks_beside: Vec<Option<Typed>>,
    /// The attributes of each of the rule's keys.
    keys: Vec<Vec<AttrId>>,
    /// When the channels that absences wait for last arrived, where that was looked up.
    arrivals: Vec<arrivals::Arrival>,
    /// Whether some step has alternatives: a step's bit is then not its filler's.
    alternatives: bool,
}

/// A step of a pattern.
#[derive(Clone, Debug)]
pub(crate) struct StepPlan {
    /// How answers call it.
    pub label: String,
    /// Its fillers: one, or one for each alternative.
    fillers: Range<usize>,
}

/// What stands between arrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatternElement {
    /// The step of this number.
    Step(usize),
    /// An absence after a step: `rule.steps[step].after[place]`.
    Absence { step: usize, place: usize },
}

/// A named step, or named alternatives of one step.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    /// Its name as written.
    pub name: String,
    /// Its place.
    pub span: Span,
    /// The step.
    pub step: usize,
    /// The fillers that bear the name, a bit each; all of the step's where it has no alternatives.
    fillers: u64,
    /// Whether the step can have several rows.
    pub repeated: bool,
}

impl PatternPlan {
    /// How answers call an element: an absence `no` and what must not come.
    pub(crate) fn label(&self, element: PatternElement) -> String {
        match element {
            PatternElement::Step(step) => self.steps.get(step).map_or_else(String::new, |s| s.label.clone()),
            PatternElement::Absence { step, place } => {
                let absence = self.rule.steps.get(step).and_then(|step| step.after.get(place));
                let mark = absence.and_then(|absence| self.marks.get(absence.mark as usize));
                format!("no {}", mark.map_or("", |mark| mark.label.as_str()))
            }
        }
    }

    /// The attributes that filling steps reads.
    pub(crate) fn reads(&self) -> Vec<AttrId> {
        let alone = self.fillers.iter().chain(&self.marks).filter_map(|filter| filter.predicate.as_ref());
        let beside = self.beside.iter().chain(&self.marks_beside).flatten();
        let slots = alone.chain(beside).flat_map(Typed::slots);
        slots
            .filter_map(|slot| attribute(names::own_slot(slot)))
            .chain(self.keys.iter().flatten().copied())
            .collect()
    }

    /// At least the customers with a row that fills a step, and with as many
    /// as it needs; `None` for all.
    ///
    /// # Errors
    /// As [`Snapshot::at_least`].
    pub(crate) fn step_candidates(
        &self,
        step: usize,
        snapshot: &Snapshot,
    ) -> throughline_engine::Result<Option<RoaringBitmap>> {
        let (Some(plan), Some(rule)) = (self.steps.get(step), self.rule.steps.get(step)) else {
            return Ok(None);
        };
        let fillers = self.fillers.get(plan.fillers.clone()).unwrap_or_default();
        // Repetitions may fill different alternatives.
        let at_least = if fillers.len() == 1 { rule.min.max(1) as usize } else { 1 };
        let mut all = RoaringBitmap::new();
        for filler in fillers {
            let Some(predicate) = &filler.predicate else { return Ok(None) };
            match candidates_of(predicate, at_least, snapshot)? {
                Some(some) => all |= some,
                None => return Ok(None),
            }
        }
        Ok(Some(all))
    }

    /// At least the customers with rows for every step that may not be
    /// skipped; `None` for all.
    ///
    /// # Errors
    /// As [`Snapshot::at_least`].
    pub(crate) fn candidates(
        &self,
        snapshot: &Snapshot,
    ) -> throughline_engine::Result<Option<RoaringBitmap>> {
        let mut all: Option<RoaringBitmap> = None;
        for (step, rule) in self.rule.steps.iter().enumerate() {
            if rule.min == 0 {
                continue;
            }
            all = match (all, self.step_candidates(step, snapshot)?) {
                (Some(all), Some(some)) => Some(all & some),
                (all, some) => all.or(some),
            };
        }
        Ok(all)
    }

    /// The steps in words, for EXPLAIN: `complaint -> call`.
    pub(crate) fn explain(&self) -> String {
        let labels: Vec<String> = self.elements.iter().map(|&element| self.label(element)).collect();
        let mut text = labels.join(" -> ");
        if self.rule.any_order {
            text = format!("{} in any order", labels.join(", "));
        }
        let before: Vec<String> = self
            .rule
            .before
            .iter()
            .filter_map(|absence| self.marks.get(absence.mark as usize))
            .map(|mark| format!("no {} -> ", mark.label))
            .collect();
        before.concat() + &text
    }
}
