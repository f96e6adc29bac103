//! Patterns over class codes: which rows of a journey fill which steps.
//!
//! [`Rule`] says what is looked for, [`Rows`] where, and [`Joint`] answers for
//! predicates that name several steps. A [`Matcher`] belongs to one rule and
//! one thread.
//!
//! | asked | by | answer |
//! | --- | --- | --- |
//! | [`Matcher::deepest`] | FUNNEL | the attempt that counts: complete or not |
//! | [`Matcher::attempts`] | COUNT ATTEMPTS | every entry, with the attempt that counts in it |
//! | [`Matcher::matches`] | MATCH | complete matches |
//! | [`Matcher::deadline`], [`Matcher::has_ended`] | drop-off | what an attempt that is not complete still waits for |
//!
//! Rows are counted from the first of the journey in hand. Absences and
//! adjacency always look at the whole of it, also where only a part may be chosen.

mod any_order;
mod entries;
mod ground;
mod linear;
mod rule;
mod search;

use std::ops::Range;

use ground::Ground;
use linear::Linear;
pub(crate) use rule::{Absence, Edge, Found, Joint, Rows, Rule, Step, Tally, TooMany, Which};
use search::{Goal, Search};

/// Matches one rule in journey after journey.
#[derive(Debug)]
pub(crate) struct Matcher {
    rule: Rule,
    /// For the rules that do not need the search over states.
    linear: Option<Linear>,
}

impl Matcher {
    /// A matcher for one rule.
    pub(crate) fn new(rule: Rule) -> Self {
        let searched = rule.any_order || rule.simultaneous.is_some() || rule.is_joint();
        Self { linear: (!searched).then(|| Linear::new(&rule)), rule }
    }

    /// What it looks for.
    pub(crate) fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The attempt that counts, by language rule 4; false where no required
    /// step is reached. `joint` is asked where the rule names steps in predicates.
    pub(crate) fn deepest(
        &mut self,
        rows: &Rows<'_>,
        joint: Option<&dyn Joint>,
        found: &mut Found,
    ) -> Result<bool, TooMany> {
        let mut sight = Sight::new(&self.rule, &mut self.linear, rows, joint, false)?;
        sight.anchor();
        sight.find(Goal::Deepest, found)
    }

    /// Hands on the matches wanted, in the order of their starts.
    pub(crate) fn matches(
        &mut self,
        rows: &Rows<'_>,
        joint: Option<&dyn Joint>,
        which: Which,
        mut take: impl FnMut(&Found),
    ) -> Result<Tally, TooMany> {
        let mut sight = Sight::new(&self.rule, &mut self.linear, rows, joint, false)?;
        sight.anchor();
        let mut found = Found::default();
        let mut tally = Tally::default();
        let mut take = |found: &Found| {
            take(found);
            tally.matches += 1;
        };
        match which {
            Which::First | Which::Last => {
                let goal = if which == Which::First { Goal::First } else { Goal::Last };
                if sight.find(goal, &mut found)? {
                    take(&found);
                }
            }
            Which::All => {
                while sight.find(Goal::First, &mut found)? {
                    take(&found);
                    sight.ground.from =
                        found.rows.iter().map(|place| place.0 + 1).max().unwrap_or(rows.len());
                }
            }
            Which::Each => {
                let simultaneous = self.rule.simultaneous.is_some();
                for row in sight.hopes() {
                    let from = if simultaneous { 0 } else { row };
                    sight.ground = Ground { start: Some(row), from, ..sight.ground };
                    if sight.find(Goal::First, &mut found)? {
                        take(&found);
                    }
                }
            }
        }
        if tally.matches == 0 && self.rule.has_absences() {
            let mut sight = Sight::new(&self.rule, &mut self.linear, rows, joint, true)?;
            sight.anchor();
            tally.early = sight.find(Goal::First, &mut found)?;
        }
        Ok(tally)
    }

    /// Hands on the attempt that counts in each entry (language rule 5), from
    /// left to right, with the rows of the entry. An entry that reaches no
    /// required step is passed over. Not for `any_order` and `simultaneous`.
    pub(crate) fn attempts(
        &mut self,
        rows: &Rows<'_>,
        joint: Option<&dyn Joint>,
        mut take: impl FnMut(&Found, Range<u32>),
    ) -> Result<(), TooMany> {
        let mut sight = Sight::new(&self.rule, &mut self.linear, rows, joint, false)?;
        let mut ranges = Vec::new();
        match &mut sight.linear {
            Some(linear) => linear.entries(sight.ground, |range| ranges.push(range)),
            None => entries::entries(sight.ground, |range| ranges.push(range))?,
        }
        let mut found = Found::default();
        for range in ranges {
            let start = self.rule.anchor_first.then_some(range.start);
            sight.ground = Ground { from: range.start, until: range.end, start, ..sight.ground };
            if sight.find(Goal::Deepest, &mut found)? {
                take(&found, range);
            }
        }
        Ok(())
    }

    /// By when the attempt had to go on: the least of what WITHIN, the edge to
    /// the next required step and the absence that comes next allow; `None`
    /// without a bound, and where it is complete.
    pub(crate) fn deadline(&self, rows: &Rows<'_>, found: &Found) -> Option<i64> {
        let (first, last) = (rows.at(found.rows.first()?.0), rows.at(found.rows.last()?.0));
        if found.complete {
            return None;
        }
        let awaited = self.awaited(found);
        let by_window = self.rule.within.map(|within| first.saturating_add(within));
        let by_absence = awaited.absence.map(|absence| last.saturating_add(absence.within));
        let high = awaited.step.and_then(|step| self.rule.steps.get(step)?.edge.high);
        let by_edge = high.map(|high| last.saturating_add(high));
        by_window.into_iter().chain(by_absence).chain(by_edge).min()
    }

    /// Whether something in the journey in hand has ended an attempt that is
    /// not complete: what may not lie on the way to the next required step,
    /// anything at all where that must follow directly, or what had to be absent.
    pub(crate) fn has_ended(&self, rows: &Rows<'_>, joint: Option<&dyn Joint>, found: &Found) -> bool {
        let Some(&(last, _)) = found.rows.last() else { return false };
        if found.complete {
            return false;
        }
        let awaited = self.awaited(found);
        if awaited.absence.is_some() && !found.pending {
            return true;
        }
        let Some(next) = awaited.step else { return false };
        if self.rule.steps.get(next).is_some_and(|step| step.edge.next) {
            return last + 1 < rows.len();
        }
        let mut chosen = vec![None; self.rule.steps.len()];
        for &(row, step) in &found.rows {
            if let Some(place) = chosen.get_mut(step as usize) {
                *place = Some(row);
            }
        }
        Ground::new(&self.rule, rows, joint).barred(next, last, rows.len(), &chosen)
    }

    /// What an attempt that is not complete waits for next.
    fn awaited(&self, found: &Found) -> Awaited<'_> {
        if self.rule.any_order {
            return Awaited { absence: None, step: None };
        }
        let required = found.depth.saturating_sub(1);
        let step = self.rule.required_from(found.depth);
        let to = step.unwrap_or(self.rule.steps.len());
        Awaited { absence: self.rule.absences_between(required, to).nth(found.absences), step }
    }
}

/// One journey, and the way to search it.
struct Sight<'a> {
    ground: Ground<'a>,
    linear: Option<&'a mut Linear>,
}

impl<'a> Sight<'a> {
    fn new(
        rule: &'a Rule,
        linear: &'a mut Option<Linear>,
        rows: &'a Rows<'a>,
        joint: Option<&'a dyn Joint>,
        lenient: bool,
    ) -> Result<Self, TooMany> {
        let ground = Ground { lenient, ..Ground::new(rule, rows, joint) };
        let mut linear = linear.as_mut();
        if let Some(linear) = &mut linear {
            linear.read(&ground)?;
        }
        Ok(Self { ground, linear })
    }

    /// Only the first row that can start a match does, where the rule says so.
    fn anchor(&mut self) {
        if self.ground.rule.anchor_first {
            self.ground.start = Some(match &self.linear {
                Some(linear) => linear.anchor(&self.ground),
                None => self.ground.anchor(),
            });
        }
    }

    /// At least the rows at which a match starts.
    fn hopes(&mut self) -> Vec<u32> {
        let ground = self.ground;
        let rows = ground.from..ground.until;
        let rows =
            rows.filter(|&row| ground.start.is_none_or(|start| start == row) && ground.rows.class(row) != 0);
        let Some(linear) = &mut self.linear else { return rows.collect() };
        let completions = linear.completions(ground);
        let hopeful = |&row: &u32| {
            let end = completions.get(row as usize).copied().filter(|&end| end != u32::MAX);
            end.is_some_and(|end| {
                let gap = ground.rows.at(end).saturating_sub(ground.rows.at(row));
                ground.rule.within.is_none_or(|within| gap <= within)
            })
        };
        rows.filter(hopeful).collect()
    }

    fn find(&mut self, goal: Goal, found: &mut Found) -> Result<bool, TooMany> {
        match &mut self.linear {
            Some(linear) => Ok(linear.find(self.ground, goal, found)),
            None if self.ground.rule.any_order => {
                let some = any_order::deepest(&self.ground, found);
                Ok(some && (found.complete || goal == Goal::Deepest))
            }
            None => Search::new(self.ground, goal).run(found),
        }
    }
}

/// What comes next in an attempt.
struct Awaited<'a> {
    /// What must not come, where that is the next thing to be told.
    absence: Option<&'a Absence>,
    /// The next required step.
    step: Option<usize>,
}

#[cfg(test)]
mod declared;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
