//! What an operator from journeys to rows has to offer. Running a query and
//! explaining it know nothing else of one.

use std::any::Any;

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, CustomerOrdinal, Snapshot};

use super::flow::Flow;
use super::split::LeftOut;
use crate::rows::{Env, QueryLimit, RowBatch, RowSchema};

/// From journeys to rows, resolved. Threads share it.
pub(crate) trait Operator: std::fmt::Debug + Send + Sync {
    /// The columns of its rows.
    fn schema(&self) -> &RowSchema;

    /// The symbol attribute of each column.
    fn attrs(&self) -> &[Option<AttrId>];

    /// Whether its rows are made of interactions that can be listed.
    fn has_members(&self) -> bool {
        false
    }

    /// The attributes read for the needed columns.
    fn reads(&self, needed: &[bool]) -> Vec<AttrId>;

    /// Whether the times of interactions are read for what is wanted of its rows.
    fn reads_times(&self, _wanted: Wanted<'_>) -> bool {
        true
    }

    /// Whether it takes no longer over an interaction than taking it out of
    /// its unit would: journeys of others are then passed over.
    fn is_light(&self, _wanted: Wanted<'_>) -> bool {
        false
    }

    /// At least the customers who can have a row; `None` for all.
    ///
    /// # Errors
    /// As [`Snapshot::at_least`].
    fn candidates(&self, _snapshot: &Snapshot) -> throughline_engine::Result<Option<RoaringBitmap>> {
        Ok(None)
    }

    /// The rows of customers whose whole journeys flow into it, where that
    /// they have any is all there is to know of them; `None` where they must be read.
    fn rows_unread(&self, _customers: &[CustomerOrdinal], _wanted: Wanted<'_>) -> Option<RowBatch> {
        None
    }

    /// The part of all units in one, for [`Total::add`], where all journeys flow whole into it and
    /// what is wanted of them is counted already; `None` where they must be read.
    ///
    /// # Errors
    /// As [`Snapshot::tally`].
    fn part_unread(
        &self,
        _snapshot: &Snapshot,
        _wanted: Wanted<'_>,
    ) -> throughline_engine::Result<Option<Box<dyn Any + Send>>> {
        Ok(None)
    }

    /// What works through units, one for each thread.
    fn worker<'a>(&'a self, wanted: Wanted<'a>) -> Box<dyn Worker + 'a>;

    /// What adds up the parts of all units; `None` where each unit has rows of its own.
    fn total(&self) -> Option<Box<dyn Total + '_>> {
        None
    }

    /// What answers say of what was passed over.
    fn notes(&self, _passed: &Passed) -> Vec<String> {
        Vec::new()
    }

    /// What EXPLAIN says of it: its name, and how it goes about it.
    fn explain(&self) -> (&'static str, String);

    /// Whether a customer is behind other rows, or behind none, because of other customers.
    fn joins_customers(&self) -> bool {
        false
    }

    /// Why a customer has no row, or not all that could be: what was asked in turn, and what came
    /// closest where it failed. Nothing where there is no more to say than that no row came of
    /// what is in sight. MAP and INTERACTIONS make a row of anything in sight, so of them the
    /// stages before tell all there is.
    fn why_not(&self, _asked: &Asked<'_>) -> Vec<Reason> {
        Vec::new()
    }
}

/// A customer that an operator is asked about.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The journeys of this customer alone, as they flow into the operator.
    pub flow: &'a Flow,
    /// The rows: of all customers where [`Operator::joins_customers`], else of this one.
    pub rows: &'a RowBatch,
    pub env: &'a Env<'a>,
    /// The query as it is written.
    pub text: &'a str,
}

/// One thing that an operator asked of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// What was asked, in words: `FUNNEL, step 2: call`.
    pub step: String,
    /// Whether the customer got past it.
    pub holds: bool,
    /// Why, in words.
    pub detail: String,
    /// The row of [`Flow::whole`] that did it, or that came closest.
    pub closest: Option<usize>,
}

/// What of its rows somebody looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The columns whose values are read; the others may stay empty.
    pub columns: &'a [bool],
    /// The interactions behind each row.
    pub members: bool,
    /// The customers behind each row, where there can be several.
    pub sets: bool,
}

impl Wanted<'_> {
    /// Whether nothing but the column at `customer`, and who is behind the rows, is looked at.
    pub(crate) fn only_customers(&self, customer: usize) -> bool {
        let others = self.columns.iter().enumerate().filter(|(place, _)| *place != customer);
        !self.members && others.into_iter().all(|(_, wanted)| !wanted)
    }

    /// Whether the values of a column are read.
    pub(crate) fn column(&self, place: usize) -> bool {
        self.columns.get(place).copied().unwrap_or(false)
    }
}

/// Works through units, one after another; keeps the memory it works in.
pub(crate) trait Worker {
    /// What the journeys of one unit come to.
    ///
    /// # Errors
    /// What a query may not go over.
    fn work(&mut self, flow: &Flow, env: &Env, passed: &mut Passed) -> Result<Work, QueryLimit>;

    /// What was kept back of the units it worked through, as a part for
    /// [`Total::add`], in which the order of units does not matter.
    fn finish(&mut self) -> Option<Box<dyn Any + Send>> {
        None
    }
}

/// What one unit comes to.
pub(crate) enum Work {
    /// Rows of its own.
    Rows(RowBatch),
    /// A part of rows that all units make together; [`Total::add`] knows its type.
    Part(Box<dyn Any + Send>),
    /// Nothing yet: the worker keeps it until [`Worker::finish`].
    Kept,
}

/// Adds up parts, in the order of their units.
pub(crate) trait Total {
    /// Takes in the part of a unit.
    fn add(&mut self, part: Box<dyn Any + Send>);

    /// What answers say of what the rows leave out.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Counts what is held since the last call; asked after each part, which
    /// its worker has counted until then.
    ///
    /// # Errors
    /// Where that is more than a query may hold.
    fn hold(&mut self, _env: &Env) -> Result<(), QueryLimit> {
        Ok(())
    }

    /// The rows of all.
    ///
    /// # Errors
    /// What a query may not go over.
    fn rows(self: Box<Self>, wanted: Wanted<'_>, env: &Env) -> Result<RowBatch, QueryLimit>;
}

/// What a total holds, as far as it is counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    own: u64,
    /// Bytes of the parts taken in, which their workers have counted.
    parts: u64,
}

impl Counted {
    /// A part of so many bytes was taken in.
    pub(crate) fn taken_in(&mut self, bytes: u64) {
        self.parts += bytes;
    }

    /// Counts what is held now in place of what was, and of the parts.
    ///
    /// # Errors
    /// Where that is more than a query may hold.
    pub(crate) fn settle(&mut self, bytes: u64, env: &Env) -> Result<(), QueryLimit> {
        env.release(std::mem::take(&mut self.parts) + self.own);
        self.own = bytes;
        env.hold(bytes)
    }

    /// Nothing of it is held any more.
    pub(crate) fn release(self, env: &Env) {
        env.release(self.own + self.parts);
    }
}

/// What was looked at and left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passed {
    /// Interactions in sight.
    pub seen: u64,
    /// Of those, without a key.
    pub keyless: u64,
    /// Matches that are not claimed, because it is too early to tell.
    pub open: u64,
    /// Matches that claim an absence past the last arrival of the channel awaited.
    pub unheard: u64,
    /// What each stage before the operator left out, by the stage's place.
    stages: Vec<LeftOut>,
}

impl Passed {
    /// Adds what another unit passed over.
    pub(crate) fn add(&mut self, more: &Self) {
        self.seen += more.seen;
        self.keyless += more.keyless;
        self.open += more.open;
        self.unheard += more.unheard;
        more.stages.iter().enumerate().for_each(|(stage, &left)| self.leave_out(stage, left));
    }

    /// Adds what the stage at a place left out.
    pub(crate) fn leave_out(&mut self, stage: usize, left: LeftOut) {
        if self.stages.len() <= stage {
            self.stages.resize(stage + 1, LeftOut::default());
        }
        if let Some(known) = self.stages.get_mut(stage) {
            known.add(left);
        }
    }

    /// What the stage at a place left out.
    pub(crate) fn left_out(&self, stage: usize) -> LeftOut {
        self.stages.get(stage).copied().unwrap_or_default()
    }
}
