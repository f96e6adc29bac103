//! The attempts that a funnel counts: its rows, REACHED, DROPPED AT and
//! CORRELATES all take them from here, so that a count and the list behind it
//! are one (language rules 4, 5 and 11).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use throughline_engine::{AttrId, CustomerOrdinal, Millis};

use super::super::flow::Flow;
use super::super::pattern::{InSight, PatternPlan, Sight};
use super::elements::{Elements, What};
use super::outcome::outcome;
use super::search::Search;
use crate::kernels::funnel::Rule;
use crate::kernels::keys::{Keys, keys};
use crate::kernels::pattern::{Found, Matcher};
use crate::rows::{Env, QueryLimit};
use crate::syntax::ast::{Outcome, Span};

/// A counted attempt.
pub(super) struct Attempt<'a> {
    /// The journey it was made in.
    pub view: &'a InSight<'a>,
    /// Its rows, of that journey.
    pub found: &'a Found,
    /// The last row of the funnel that it reached, of those that every attempt has to.
    pub last: usize,
    /// What became of it; `None` where it is complete.
    pub outcome: Option<Outcome>,
}

impl Attempt<'_> {
    pub(super) fn customer(&self) -> CustomerOrdinal {
        self.view.flow().customer(self.view.journey)
    }

    /// The time of its first step.
    pub(super) fn started(&self) -> Millis {
        self.found.rows.first().map_or(0, |&(row, _)| self.view.time(row))
    }

    /// The time of its latest interaction.
    pub(super) fn ended(&self) -> Millis {
        self.last_row().map_or(0, |row| self.view.time(row))
    }

    /// Its latest interaction.
    pub(super) fn last_row(&self) -> Option<u32> {
        self.found.rows.iter().map(|&(row, _)| row).max()
    }
}

/// Whose attempts are compared, so that one of them counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Units {
    /// Those of a customer.
    Customers,
    /// Those of a customer with equal values of these attributes.
    Held(Vec<AttrId>),
    /// Those of a journey in hand.
    Journeys,
    /// None: every entry of a journey counts.
    Entries,
}

/// How attempts are found. Threads share it.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    pub plan: PatternPlan,
    pub elements: Elements,
    /// The same pattern for the fast matcher, where it has only what that knows.
    pub plain: Option<Rule>,
    pub units: Units,
    /// The operator's place, for messages.
    pub keyword: Span,
}

/// An attempt whose unit may have others, in other journeys.
struct Best {
    journey: usize,
    found: Found,
    /// The rows of the customer's whole journey.
    places: Vec<usize>,
    /// That of the row at which the last required step was reached.
    reached: usize,
}

impl Best {
    fn new(view: &InSight<'_>, found: &Found) -> Self {
        let place = |row: u32| view.flow().whole_row(view.row(row));
        Self {
            journey: view.journey,
            found: found.clone(),
            places: found.rows.iter().map(|&(row, _)| place(row)).collect(),
            reached: place(found.reached),
        }
    }

    /// Whether it counts rather than another of the same unit, by language rule 4.
    fn beats(&self, other: &Self) -> bool {
        let start = |best: &Self| best.places.first().copied();
        let length = self.places.len().cmp(&other.places.len());
        let later_start = start(self).cmp(&start(other));
        let order = self.found.complete.cmp(&other.found.complete);
        let order = order.then_with(|| match self.found.complete {
            true => other.reached.cmp(&self.reached).then(length).then(later_start),
            false => {
                let depth = |best: &Self| (best.found.depth, best.found.absences);
                let deeper = depth(self).cmp(&depth(other));
                deeper.then(self.reached.cmp(&other.reached)).then(later_start).then(length)
            }
        });
        order.then_with(|| other.places.cmp(&self.places)) == Ordering::Greater
    }
}

impl Finder {
    /// Whether an attempt claims that nothing came, up to a time by which the
    /// channel of what is absent may have stopped arriving.
    pub(super) fn is_unheard(&self, attempt: &Attempt<'_>) -> bool {
        let mut reached = self.elements.iter().take(attempt.last + 1);
        reached.any(|element| element.what == What::Absence)
            && self.plan.outlasts_arrivals(attempt.view, attempt.found)
    }

    /// Hands on every attempt that counts, in the order of the customers.
    ///
    /// # Errors
    /// Where a search takes too long.
    pub(super) fn each(
        &self,
        search: &mut Search,
        flow: &Flow,
        env: &Env,
        mut take: impl FnMut(&Attempt<'_>),
    ) -> Result<(), QueryLimit> {
        let sight = self.plan.sight(flow, env);
        let mut emit = |view: &InSight<'_>, found: &Found, matcher: &Matcher| {
            let last = match found.complete {
                true => self.elements.last_required(),
                false => self.elements.last_reached(found.depth, found.absences),
            };
            let Some(last) = last else { return };
            take(&Attempt { view, found, last, outcome: outcome(view, found, matcher, env) });
        };
        let block = flow.block();
        let held = match &self.units {
            Units::Held(attrs) => {
                let columns: Vec<_> = attrs.iter().map(|&attr| block.column(attr)).collect();
                Some(keys(&columns, block.rows()))
            }
            _ => None,
        };
        let alone = match &self.units {
            Units::Customers => !flow.is_cut(),
            Units::Held(_) => false,
            Units::Journeys | Units::Entries => true,
        };
        let mut best = BestOfCustomer::default();
        for journey in 0..block.customers.len() {
            let Some(view) = sight.journey(journey) else { continue };
            if self.units == Units::Entries {
                search.entries(&view, env, |found, matcher| emit(&view, found, matcher))?;
                continue;
            }
            if !search.deepest(&view, env)? {
                continue;
            }
            if alone {
                emit(&view, &search.found, search.matcher());
                continue;
            }
            if best.customer != Some(flow.customer(journey)) {
                best.flush(&sight, |view, found| emit(view, found, search.matcher()));
                best.customer = Some(flow.customer(journey));
            }
            best.add(held_by(held.as_ref(), block.journey(journey).start), Best::new(&view, &search.found));
        }
        best.flush(&sight, |view, found| emit(view, found, search.matcher()));
        Ok(())
    }
}

/// The number of the values that a journey, which begins at `row`, is held by.
fn held_by(held: Option<&Keys>, row: usize) -> u32 {
    held.and_then(|held| held.codes.get(row)).copied().unwrap_or(0)
}

/// The attempts of one customer that count so far, by what is held.
#[derive(Default)]
struct BestOfCustomer {
    customer: Option<CustomerOrdinal>,
    places: BTreeMap<u32, usize>,
    best: Vec<Best>,
}

impl BestOfCustomer {
    fn add(&mut self, held: u32, found: Best) {
        let place = *self.places.entry(held).or_insert(self.best.len());
        match self.best.get_mut(place) {
            Some(known) if found.beats(known) => *known = found,
            Some(_) => {}
            None => self.best.push(found),
        }
    }

    fn flush(&mut self, sight: &Sight<'_>, mut emit: impl FnMut(&InSight<'_>, &Found)) {
        self.places.clear();
        for best in self.best.drain(..) {
            if let Some(view) = sight.journey(best.journey) {
                emit(&view, &best.found);
            }
        }
    }
}
