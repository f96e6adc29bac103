//! The rows in sight of journeys, close together: what adjacency is counted
//! over and the kernel reads.

use std::borrow::Cow;
use std::ops::Range;

use throughline_engine::{AttrId, Millis};

use super::super::flow::Flow;
use super::super::steps::classes;
use super::PatternPlan;
use super::beside::Beside;
use crate::kernels::keys::keys;
use crate::kernels::pattern::{Found, Rows};
use crate::rows::Env;

/// The rows in sight of the kept journeys of a unit, with what a pattern asks of them.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    plan: &'a PatternPlan,
    flow: &'a Flow,
    /// The rows of journey `j` in hand are `offsets[j]..offsets[j + 1]`; none where it is not kept.
    offsets: Cow<'a, [u32]>,
    /// The row in hand of each; `None` where all are in sight.
    rows: Option<Vec<u32>>,
    times: Cow<'a, [Millis]>,
    /// A bit for each filler.
    fillers: Vec<u64>,
    /// A bit for each step; `None` where steps and fillers are the same.
    classes: Option<Vec<u64>>,
    /// A bit for each mark; empty where there are none.
    marks: Vec<u64>,
    starts: Option<Vec<bool>>,
    keys: Vec<Vec<u32>>,
}

/// The rows in sight of one journey.
#[derive(Debug)]
pub(crate) struct InSight<'a> {
    sight: &'a Sight<'a>,
    /// The journey in hand.
    pub journey: usize,
    span: Range<usize>,
    keys: Vec<&'a [u32]>,
}

impl PatternPlan {
    /// The rows in sight of the journeys of a flow.
    pub(crate) fn sight<'a>(&'a self, flow: &'a Flow, env: &Env) -> Sight<'a> {
        let block = flow.block();
        let mut fillers = classes(&self.fillers, flow, env);
        let mut marks = match self.marks.is_empty() {
            true => Vec::new(),
            false => classes(&self.marks, flow, env),
        };
        let codes = |attrs: &Vec<AttrId>| {
            let columns: Vec<_> = attrs.iter().map(|&attr| block.column(attr)).collect();
            keys(&columns, block.rows()).codes
        };
        let mut keys: Vec<Vec<u32>> = self.keys.iter().map(codes).collect();
        let (mut offsets, mut times) = (Cow::Borrowed(&block.offsets[..]), Cow::Borrowed(&block.times[..]));
        let mut rows = None;
        if flow.visible.is_some() || flow.alive.is_some() {
            let (mut seen, mut ends) = (Vec::new(), vec![0]);
            for journey in 0..block.customers.len() {
                if flow.lives(journey) {
                    let own = block.journey(journey).filter(|&row| flow.sees(row));
                    seen.extend(own.map(|row| row as u32));
                }
                ends.push(seen.len() as u32);
            }
            fillers = at(&fillers, &seen);
            if !marks.is_empty() {
                marks = at(&marks, &seen);
            }
            keys.iter_mut().for_each(|codes| *codes = at(codes, &seen));
            times = Cow::Owned(at(&times, &seen));
            offsets = Cow::Owned(ends);
            rows = Some(seen);
        }
        let classes = self.alternatives.then(|| fillers.iter().map(|&bits| self.steps_of(bits)).collect());
        let starts = self.started.map(|(from, to)| times.iter().map(|at| (from..to).contains(at)).collect());
        Sight { plan: self, flow, offsets, rows, times, fillers, classes, marks, starts, keys }
    }

    /// The steps that fillers fill.
    fn steps_of(&self, fillers: u64) -> u64 {
        let filled = |step: &super::StepPlan| step.fillers.clone().any(|filler| fillers & (1 << filler) != 0);
        let steps = self.steps.iter().enumerate().filter(|(_, step)| filled(step));
        steps.fold(0, |bits, (place, _)| bits | 1 << place)
    }
}

fn at<T: Copy + Default>(values: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter().map(|&row| values.get(row as usize).copied().unwrap_or_default()).collect()
}

impl Sight<'_> {
    /// The rows in sight of a journey in hand; `None` where there are none or
    /// it is not kept.
    pub(crate) fn journey(&self, journey: usize) -> Option<InSight<'_>> {
        let (start, end) = (*self.offsets.get(journey)? as usize, *self.offsets.get(journey + 1)? as usize);
        let span = start..end;
        if span.is_empty() {
            return None;
        }
        let keys = self.keys.iter().map(|codes| codes.get(span.clone()).unwrap_or_default()).collect();
        Some(InSight { sight: self, journey, span, keys })
    }
}

impl<'a> InSight<'a> {
    pub(super) fn plan(&self) -> &'a PatternPlan {
        self.sight.plan
    }

    /// Where its rows are from.
    pub(crate) fn flow(&self) -> &'a Flow {
        self.sight.flow
    }

    /// What the kernel reads.
    pub(crate) fn rows(&self) -> Rows<'_> {
        let sight = self.sight;
        Rows {
            times: sight.times.get(self.span.clone()).unwrap_or_default(),
            classes: sight
                .classes
                .as_ref()
                .unwrap_or(&sight.fillers)
                .get(self.span.clone())
                .unwrap_or_default(),
            marks: sight.marks.get(self.span.clone()).unwrap_or_default(),
            starts: sight.starts.as_ref().map(|starts| starts.get(self.span.clone()).unwrap_or_default()),
            keys: &self.keys,
        }
    }

    /// The predicates that name other steps, for the kernel to ask.
    pub(crate) fn beside(&'a self, env: &'a Env<'a>) -> Beside<'a> {
        Beside::new(self, env)
    }

    pub(super) fn fillers(&self, row: u32) -> u64 {
        self.sight.fillers.get(self.span.start + row as usize).copied().unwrap_or(0)
    }

    pub(super) fn marks(&self, row: u32) -> u64 {
        self.sight.marks.get(self.span.start + row as usize).copied().unwrap_or(0)
    }

    /// The row in hand that a row of the kernel is.
    pub(crate) fn row(&self, row: u32) -> usize {
        let place = self.span.start + row as usize;
        match &self.sight.rows {
            None => place,
            Some(rows) => rows.get(place).map_or(usize::MAX, |&row| row as usize),
        }
    }

    /// The row of the customer's whole journey, from 0, that a row of the kernel is.
    pub(crate) fn whole_place(&self, row: u32) -> u32 {
        let start = self.flow().whole_journey(self.journey).start;
        self.flow().whole_row(self.row(row)).saturating_sub(start) as u32
    }

    /// The time of a row of the kernel.
    pub(crate) fn time(&self, row: u32) -> Millis {
        self.sight.times.get(self.span.start + row as usize).copied().unwrap_or_default()
    }

    /// The rows of a match that fill each variable of the pattern.
    pub(crate) fn variables(&self, found: &Found, env: &Env) -> Vec<Vec<u32>> {
        let plan = self.plan();
        let mut rows = vec![Vec::new(); plan.variables.len()];
        let beside = Beside::new(self, env);
        // The last row of each step so far.
        let mut chosen: Vec<Option<u32>> = vec![None; plan.steps.len()];
        for &(row, step) in &found.rows {
            let before = chosen.get(..step as usize).unwrap_or_default();
            let filler = beside.filler(step as usize, row, before);
            for (variable, rows) in plan.variables.iter().zip(&mut rows) {
                let bears = filler.is_some_and(|filler| variable.fillers & (1 << filler) != 0);
                if variable.step == step as usize && bears {
                    rows.push(row);
                }
            }
            if let Some(last) = chosen.get_mut(step as usize) {
                *last = Some(row);
            }
        }
        rows
    }
}
