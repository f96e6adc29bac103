//! Finding the attempt of one journey: by the fast matcher where the pattern
//! is plain, else by the general one.

use super::super::pattern::InSight;
use super::attempts::Finder;
use crate::kernels::funnel::Matcher as PlainMatcher;
use crate::kernels::pattern::{Found, Joint, Matcher};
use crate::rows::{Env, QueryLimit};
use crate::syntax::ast::Span;

/// Searches journey after journey; holds the memory it works in.
#[derive(Debug)]
pub(super) struct Search {
    matcher: Matcher,
    plain: Option<PlainMatcher>,
    keyword: Span,
    /// The attempt found last.
    pub found: Found,
    /// The classes of the journey in hand, where not every row may start.
    classes: Vec<u64>,
}

impl Search {
    pub(super) fn new(finder: &Finder) -> Self {
        Self {
            matcher: Matcher::new(finder.plan.rule.clone()),
            plain: finder.plain.clone().map(PlainMatcher::new),
            keyword: finder.keyword,
            found: Found::default(),
            classes: Vec::new(),
        }
    }

    /// What it searches by; knows what attempts still wait for.
    pub(super) fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Writes the attempt of a journey that counts to `found`; false where
    /// there is none.
    ///
    /// # Errors
    /// Where it takes too long.
    pub(super) fn deepest(&mut self, view: &InSight<'_>, env: &Env) -> Result<bool, QueryLimit> {
        let rows = view.rows();
        let Some(plain) = &mut self.plain else {
            let beside = view.beside(env);
            let joint = self.matcher.rule().is_joint().then_some(&beside as &dyn Joint);
            let found = self.matcher.deepest(&rows, joint, &mut self.found);
            let found = found.map_err(|_| self.too_long())?;
            if found && self.matcher.rule().any_order {
                // The rows of the funnel are numbered as they are filled.
                self.found.rows.iter_mut().zip(0..).for_each(|(row, place)| row.1 = place);
            }
            return Ok(found);
        };
        let anchored = self.matcher.rule().anchor_first;
        let mut classes = rows.classes;
        if anchored || rows.starts.is_some() {
            self.classes.clear();
            self.classes.extend_from_slice(rows.classes);
            let mut passed = false;
            for (row, class) in self.classes.iter_mut().enumerate() {
                let may = rows.starts.is_none_or(|starts| starts.get(row).copied().unwrap_or(false));
                if *class & 1 == 1 && (!may || (anchored && passed)) {
                    *class &= !1;
                }
                passed |= *class & 1 == 1;
            }
            classes = &self.classes;
        }
        let depth = plain.deepest(rows.times, classes);
        let Some(&reached) = plain.rows.last() else { return Ok(false) };
        self.found.rows.clear();
        self.found.rows.extend(plain.rows.iter().copied().zip(0..));
        self.found.depth = depth;
        self.found.absences = 0;
        self.found.complete = depth == self.matcher.rule().steps.len();
        self.found.pending = false;
        self.found.reached = reached;
        Ok(true)
    }

    /// Hands on the attempt that counts in each entry of a journey.
    ///
    /// # Errors
    /// As [`Search::deepest`].
    pub(super) fn entries(
        &mut self,
        view: &InSight<'_>,
        env: &Env,
        mut take: impl FnMut(&Found, &Matcher),
    ) -> Result<(), QueryLimit> {
        let beside = view.beside(env);
        let joint = self.matcher.rule().is_joint().then_some(&beside as &dyn Joint);
        let mut all = Vec::new();
        let done = self.matcher.attempts(&view.rows(), joint, |found, _| all.push(found.clone()));
        done.map_err(|_| self.too_long())?;
        all.iter().for_each(|found| take(found, &self.matcher));
        Ok(())
    }

    fn too_long(&self) -> QueryLimit {
        QueryLimit::PatternStates { span: self.keyword }
    }
}
