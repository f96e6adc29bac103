//! Predicates that name other steps: asked by the kernel for a row beside the
//! rows chosen before it.

use super::super::interaction::InteractionRow;
use super::names::{named_entry, own_slot};
use super::sight::InSight;
use crate::kernels::pattern::Joint;
use crate::rows::{Cell, Cells, Env, Typed};

/// Answers for one journey.
pub(crate) struct Beside<'a> {
    view: &'a InSight<'a>,
    env: &'a Env<'a>,
}

impl<'a> Beside<'a> {
    pub(super) fn new(view: &'a InSight<'a>, env: &'a Env<'a>) -> Self {
        Self { view, env }
    }

    /// The filler of a step that a row fills beside the rows chosen for the
    /// steps before it: the first in the text. `None` where it fills none.
    pub(super) fn filler(&self, step: usize, row: u32, chosen: &[Option<u32>]) -> Option<usize> {
        let plan = self.view.plan();
        let bits = self.view.fillers(row);
        plan.steps.get(step)?.fillers.clone().find(|&filler| {
            let beside = plan.beside.get(filler).and_then(Option::as_ref);
            bits & (1 << filler) != 0 && beside.is_none_or(|beside| self.holds(beside, row, chosen))
        })
    }

    fn holds(&self, predicate: &Typed, row: u32, chosen: &[Option<u32>]) -> bool {
        predicate.truth(&Chosen { beside: self, row, chosen }, self.env) == Some(true)
    }
}

impl Joint for Beside<'_> {
    fn fills(&self, step: usize, row: u32, chosen: &[Option<u32>]) -> bool {
        self.filler(step, row, chosen).is_some()
    }

    fn marked(&self, mark: u32, row: u32, chosen: &[Option<u32>]) -> bool {
        let beside = self.view.plan().marks_beside.get(mark as usize).and_then(Option::as_ref);
        self.view.marks(row) & (1 << mark) != 0 && beside.is_none_or(|beside| self.holds(beside, row, chosen))
    }
}

/// A candidate row and the rows chosen for the steps before it.
struct Chosen<'a> {
    beside: &'a Beside<'a>,
    row: u32,
    chosen: &'a [Option<u32>],
}

impl Chosen<'_> {
    /// The row that an entry of the names stands for; `None` where its step
    /// was skipped or another alternative filled it.
    fn named(&self, entry: usize) -> Option<u32> {
        let variable = self.beside.view.plan().variables.get(entry)?;
        let row = self.chosen.get(variable.step).copied().flatten()?;
        let before = self.chosen.get(..variable.step)?;
        let filler = self.beside.filler(variable.step, row, before)?;
        (variable.fillers & (1 << filler) != 0).then_some(row)
    }
}

impl Cells for Chosen<'_> {
    fn cell(&self, slot: usize) -> Cell {
        let row = match named_entry(slot) {
            None => Some(self.row),
            Some(entry) => self.named(entry),
        };
        let Some(row) = row else { return Cell::Null };
        let view = self.beside.view;
        InteractionRow::new(view.flow(), view.journey, view.row(row), self.beside.env).cell(own_slot(slot))
    }
}
