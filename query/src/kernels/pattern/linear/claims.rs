//! What is absent after each row, and which rows can start a match.

use super::super::ground::{Claim, Ground};

/// Of one journey.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    /// For each absence, by step, and each row: the next row that has its mark.
    next: Vec<Vec<u32>>,
    /// The first absence of each step.
    first: Vec<usize>,
    /// The rows that can start a match, where not all can.
    starts: Option<Vec<bool>>,
    right_edge: i64,
    lenient: bool,
}

impl Claims {
    /// Reads a journey, rows times absences.
    pub(super) fn read(&mut self, ground: &Ground<'_>) {
        let (rule, rows) = (ground.rule, ground.rows);
        self.right_edge = rule.right_edge;
        self.lenient = ground.lenient;
        self.first.clear();
        let mut count = 0;
        for step in &rule.steps {
            self.first.push(count);
            for absence in &step.after {
                if self.next.len() == count {
                    self.next.push(Vec::new());
                }
                if let Some(next) = self.next.get_mut(count) {
                    next.clear();
                    next.resize(rows.len() as usize, u32::MAX);
                    let mut seen = u32::MAX;
                    for (row, place) in (0..rows.len()).zip(&mut *next).rev() {
                        *place = seen;
                        if rows.marks_of(row) >> absence.mark & 1 == 1 {
                            seen = row;
                        }
                    }
                }
                count += 1;
            }
        }
        self.starts = None;
        if rows.starts.is_some() || !rule.before.is_empty() {
            let given = |row: u32| {
                rows.starts.is_none_or(|starts| starts.get(row as usize).copied().unwrap_or(false))
            };
            let mut starts: Vec<bool> = (0..rows.len()).map(given).collect();
            for absence in &rule.before {
                let mut seen: Option<i64> = None;
                for (row, start) in (0..rows.len()).zip(&mut starts) {
                    let reach = rows.at(row).saturating_sub(absence.within);
                    let reaches_back = rule.left_edge >= reach && !ground.lenient;
                    *start &= !reaches_back && seen.is_none_or(|seen| seen < reach);
                    if rows.marks_of(row) >> absence.mark & 1 == 1 {
                        seen = Some(rows.at(row));
                    }
                }
            }
            self.starts = Some(starts);
        }
    }

    /// Whether a match may start at a row, as far as absences and the rows
    /// given as starts decide.
    pub(super) fn may_start(&self, row: u32) -> bool {
        self.starts.as_ref().is_none_or(|starts| starts.get(row as usize).copied().unwrap_or(false))
    }

    /// The claims of the absences between two steps after a row, in order.
    pub(super) fn between<'a>(
        &'a self,
        ground: &'a Ground<'_>,
        steps: std::ops::Range<usize>,
        row: u32,
    ) -> impl Iterator<Item = Claim> + 'a {
        let first = self.first.get(steps.start).copied().unwrap_or(0);
        let absences = ground.rule.absences_between(steps.start, steps.end);
        absences.zip(self.next.get(first..).unwrap_or_default()).map(move |(absence, next)| {
            let deadline = ground.rows.at(row).saturating_add(absence.within);
            match next.get(row as usize).copied() {
                Some(next) if next != u32::MAX && ground.rows.at(next) <= deadline => Claim::Violated(next),
                _ if self.right_edge > deadline => Claim::Holds,
                _ => Claim::Open,
            }
        })
    }

    /// Whether all of them let a match go on.
    pub(super) fn are_clear(&self, ground: &Ground<'_>, steps: std::ops::Range<usize>, row: u32) -> bool {
        self.next.is_empty() || self.between(ground, steps, row).all(|claim| self.grants(claim))
    }

    /// How many of them do, from the first on.
    pub(super) fn held(&self, ground: &Ground<'_>, steps: std::ops::Range<usize>, row: u32) -> usize {
        self.between(ground, steps, row).take_while(|&claim| self.grants(claim)).count()
    }

    /// Whether a claim lets a match go on.
    pub(super) fn grants(&self, claim: Claim) -> bool {
        claim == Claim::Holds || (self.lenient && claim == Claim::Open)
    }
}
