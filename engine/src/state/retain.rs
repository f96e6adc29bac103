//! What is dropped because it took place too long ago.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::State;
use crate::error::{Error, Result};
use crate::limits::RANGE_CUSTOMERS;
use crate::model::{IdentityOrdinal, Millis};
use crate::older::{Dropped, Older};
use crate::records::{FrameRows, RetainRecord};
use crate::retained::Cutoffs;
use crate::segment::Chosen;
use crate::span::{Wanted, read_chosen};
use crate::strings::Strings;

impl State {
    /// What there is that took place before a time. Only times are read, and those of segments alone
    /// that reach that far back.
    pub(crate) fn find_older(&self, cutoff: Millis) -> Result<Older> {
        let chunks = self.chunks();
        let older = |times: &[Millis]| times.iter().filter(|time| **time < cutoff).count() as u64;
        let (mut ranges, mut interactions) = (BTreeSet::new(), 0);
        for (number, range) in (0_u32..).zip(&self.version.manifest.ranges) {
            let mut found = 0;
            for run in range.all() {
                for meta in run.segments.iter().filter(|meta| meta.time_min < cutoff) {
                    let (dead, all) = (self.unmarked.customers(), Chosen::Span(meta.first..=meta.last));
                    let read = read_chosen(chunks, &self.names, run, dead, &all, Wanted::These(&[]))?;
                    found += read.map_or(0, |read| older(&read.block.times));
                }
            }
            interactions += found;
            ranges.extend((found > 0).then_some(number));
        }
        for piece in self.tail.pieces() {
            let block = piece.living(Wanted::These(&[]));
            for (place, customer) in block.customers.iter().enumerate() {
                let found = older(block.times.get(block.journey(place)).unwrap_or_default());
                interactions += found;
                ranges.extend((found > 0).then_some(customer / RANGE_CUSTOMERS));
            }
        }
        let known_from = self.recorded.as_of(chunks, cutoff)?.map_or(0, |entry| entry.commit);
        Ok(Older { cutoff, interactions, ranges, known_from, recorded: self.recorded.clone() })
    }

    /// Drops it: ranges that have some are written anew without it. It is in no answer from here on.
    pub(crate) fn drop_older(&mut self, older: Older) -> Result<()> {
        if older.ranges.is_empty() {
            return Ok(());
        }
        self.erased.taken_out.join_until(older.known_from);
        self.older = Some(older);
        self.seal()
    }

    /// Takes note of what a seal dropped.
    pub(super) fn forget_dropped(&mut self, dropped: Dropped) {
        let present = Arc::make_mut(&mut self.present);
        dropped.gone.iter().for_each(|&customer| {
            present.remove(customer);
        });
        self.erased.taken_out.add(&dropped.taken_out);
        self.recorded.take_own(&dropped.own);
    }

    /// Learns what will be dropped in a history that is about to be read: what there is of it is
    /// dropped now, and what comes of it before it is dropped is left out.
    pub(crate) fn expect_cutoffs(&mut self, coming: Cutoffs) -> Result<()> {
        if let Some(cutoff) = coming.latest() {
            let older = self.find_older(cutoff)?;
            self.drop_older(older)?;
        }
        self.retained.coming = coming;
        Ok(())
    }

    /// Refuses to change interactions that were dropped.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where one took place before what is kept.
    pub(crate) fn check_kept(&self, mut times: impl Iterator<Item = Millis>) -> Result<()> {
        match self.retained.last().and_then(|retention| retention.keeps_from) {
            Some(from) if times.any(|time| time < from) => Err(Error::invalid(
                "the interaction is not there any more: it took place before what is kept",
            )),
            _ => Ok(()),
        }
    }

    /// Takes in what a frame says about what is kept.
    pub(crate) fn take_retention(
        &mut self,
        record: &RetainRecord,
        commit: u64,
        recorded: Millis,
    ) -> Result<()> {
        let mut met = Strings::default();
        record.met.iter().for_each(|identity| met.push(identity));
        let numbers = self.names.number_identities(&met)?;
        for (identity, number) in record.met.iter().zip(numbers) {
            self.meet(identity, IdentityOrdinal(number), commit);
        }
        if let Some(said) = &record.said {
            self.retained.say(said, commit, recorded);
            self.rows += said.removed;
        }
        Ok(())
    }

    /// The interactions of a frame without those that are dropped afterwards. All identities of the
    /// frame get their numbers, so that others have the same whatever is dropped.
    pub(crate) fn without_older(&mut self, frame: FrameRows, commit: u64) -> Result<FrameRows> {
        let Some(stays) = self.retained.outlast(commit, &frame.times) else { return Ok(frame) };
        self.names.number_identities(&frame.identities)?;
        Ok(frame.filtered(&stays))
    }
}
