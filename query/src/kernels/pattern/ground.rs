//! What single rows and pairs of them allow, as the definitions say it: the
//! ground that every way of searching stands on.

use super::rule::{Absence, Joint, Rows, Rule};

/// No step has a row yet.
const NOTHING_CHOSEN: [Option<u32>; 64] = [None; 64];

/// One journey, one rule, and what of it may be used.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    /// What is looked for.
    pub rule: &'a Rule,
    /// Where it is looked for.
    pub rows: &'a Rows<'a>,
    /// What predicates over several steps say.
    pub joint: Option<&'a dyn Joint>,
    /// An absence that is too early to tell counts as holding.
    pub lenient: bool,
    /// Rows before it are not chosen.
    pub from: u32,
    /// Rows from it on are not chosen.
    pub until: u32,
    /// The only row that may start a match, where there is one.
    pub start: Option<u32>,
}

/// What can be said of an absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It holds.
    Holds,
    /// It is too early to tell.
    Open,
    /// This row violates it, as the first.
    Violated(u32),
}

impl<'a> Ground<'a> {
    /// All rows of a journey.
    pub(super) fn new(rule: &'a Rule, rows: &'a Rows<'a>, joint: Option<&'a dyn Joint>) -> Self {
        Self { rule, rows, joint, lenient: false, from: 0, until: rows.len(), start: None }
    }

    /// Whether a claim lets a match go on.
    pub(super) fn grants(&self, claim: Claim) -> bool {
        claim == Claim::Holds || (self.lenient && claim == Claim::Open)
    }

    /// Whether something is absent after `row`.
    pub(super) fn absent_after(&self, absence: &Absence, row: u32, chosen: &[Option<u32>]) -> Claim {
        let deadline = self.rows.at(row).saturating_add(absence.within);
        let violating = (row + 1..self.rows.len())
            .take_while(|&other| self.rows.at(other) <= deadline)
            .find(|&other| self.has_mark(absence, other, chosen));
        match violating {
            Some(other) => Claim::Violated(other),
            None if self.rule.right_edge > deadline => Claim::Holds,
            None => Claim::Open,
        }
    }

    fn has_mark(&self, absence: &Absence, row: u32, chosen: &[Option<u32>]) -> bool {
        self.rows.marks_of(row) >> absence.mark & 1 == 1
            && (absence.names == 0 || self.joint.is_some_and(|joint| joint.marked(absence.mark, row, chosen)))
    }

    /// Whether all of what must not come before a start is absent.
    pub(super) fn absent_before(&self, row: u32) -> bool {
        self.rule.before.iter().all(|absence| {
            let reach = self.rows.at(row).saturating_sub(absence.within);
            let violated = (0..row)
                .rev()
                .take_while(|&other| self.rows.at(other) >= reach)
                .any(|other| self.has_mark(absence, other, &[]));
            !violated && self.grants(if self.rule.left_edge < reach { Claim::Holds } else { Claim::Open })
        })
    }

    /// Whether `row` may start a match, with nothing chosen before it, by whichever of the steps before the
    /// first required one, or that one, it can fill.
    pub(super) fn can_start(&self, row: u32) -> bool {
        let last = if self.rule.any_order {
            self.rule.steps.len().saturating_sub(1)
        } else {
            self.rule.required_from(0).unwrap_or(0)
        };
        self.rows.class(row) & (u64::MAX >> (63 - last.min(63))) != 0
            && (0..=last).any(|step| self.fills(step, row, &NOTHING_CHOSEN))
            && self.rows.starts.is_none_or(|starts| starts.get(row as usize).copied().unwrap_or(false))
            && self.absent_before(row)
    }

    /// The only row at which an anchored rule may start.
    pub(super) fn anchor(&self) -> u32 {
        (self.from..self.until).find(|&row| self.can_start(row)).unwrap_or(u32::MAX)
    }

    /// Whether `row` can fill `step` beside the rows chosen before.
    pub(super) fn fills(&self, step: usize, row: u32, chosen: &[Option<u32>]) -> bool {
        self.rows.class(row) >> step & 1 == 1
            && self.rule.steps.get(step).is_some_and(|asked| {
                asked.names == 0 || self.joint.is_some_and(|joint| joint.fills(step, row, chosen))
            })
    }

    /// Whether something that may not lie on the way into `step` lies between
    /// two rows.
    pub(super) fn barred(&self, step: usize, from: u32, to: u32, chosen: &[Option<u32>]) -> bool {
        (from + 1..to).any(|row| self.bars(step, row, chosen))
    }

    /// Whether `row` may not lie on the way into `step`.
    pub(super) fn bars(&self, step: usize, row: u32, chosen: &[Option<u32>]) -> bool {
        let Some(edge) = self.rule.steps.get(step).map(|step| &step.edge) else { return false };
        let mut marks = self.rows.marks_of(row) & edge.no;
        if edge.names == 0 {
            return marks != 0;
        }
        while marks != 0 {
            let mark = marks.trailing_zeros();
            if self.joint.is_some_and(|joint| joint.marked(mark, row, chosen)) {
                return true;
            }
            marks &= marks - 1;
        }
        false
    }

    /// Whether the edge into `step` holds from row `from` to row `to`, as far
    /// as these two decide.
    pub(super) fn joins(&self, step: usize, from: u32, to: u32) -> bool {
        let Some(edge) = self.rule.steps.get(step).map(|step| &step.edge) else { return false };
        let gap = self.rows.at(to).saturating_sub(self.rows.at(from));
        let follows =
            to > from || (to < from && !edge.next && self.rule.simultaneous.is_some_and(|most| gap >= -most));
        follows
            && (!edge.next || to == from + 1)
            && edge.allows(gap)
            && edge.same.is_none_or(|key| {
                let code = self.rows.key(key, from);
                code != 0 && code == self.rows.key(key, to)
            })
    }
}
