//! Customers who are to be forgotten, and who may come back.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Db;
use crate::commit::{Erasing, Ticket};
use crate::error::Result;
use crate::model::Identity;
use crate::records::{ERASE, EraseRecord};
use crate::vacuum::VacuumReport;

/// What an erasure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The commit of the erasure; the last one there was where nobody was erased.
    pub commit: u64,
    /// Identities of the customer that are not known any more; 0 where nobody went by the one given.
    pub identities: u64,
    /// Interactions taken out.
    pub interactions: u64,
}

impl Db {
    /// Takes the customer that goes by an identity out of every answer, in one commit: interactions,
    /// identities, attributes, places in cohorts. Snapshots taken before go on as they are; one taken
    /// later shows nothing of it as of any time. Rows of its identities that come later are left out
    /// and counted, until they are brought back ([`Import::bring_back`](crate::Import::bring_back)).
    /// The files hold it until [`Db::vacuum`].
    ///
    /// # Errors
    /// [`Error::ReadOnly`](crate::Error::ReadOnly); as [`Db::append`]; [`Error::Damaged`](crate::Error::Damaged)
    /// where the customer's interactions cannot be read, before anything is written.
    pub fn erase(&self, identity: &Identity) -> Result<Erasure> {
        self.check_may_write()?;
        let erasing = Arc::new(Erasing { identity: identity.clone(), taken_out: Mutex::default() });
        let commit = self.commit(Ticket::erase(&erasing))?;
        let (identities, interactions) = erasing.taken_out.lock().unwrap_or_default();
        Ok(Erasure { commit: commit.number, identities, interactions })
    }

    /// Lets a customer who was erased come back: rows of the identity given, and of those that were
    /// erased with it, are taken from here on. Nothing that was erased is shown by that. Answers how
    /// many identities are taken again; none of one that is not erased.
    ///
    /// # Errors
    /// As [`Db::append`].
    pub fn forgive(&self, identity: &Identity) -> Result<u64> {
        self.check_may_write()?;
        let lifted = self.writer.lock().state.erased_with(identity.as_str());
        let count = lifted.len() as u64;
        if count > 0 {
            self.commit(Ticket::record(ERASE, EraseRecord::lift(lifted).encode()?))?;
        }
        Ok(count)
    }

    /// Writes the store anew without what was erased or redacted: first a history beside the old one, then the graph
    /// of it, and what was there before is removed. Nothing else changes, but writes wait until
    /// it is done, which takes about as long as an import of all that is left, and room on the disk
    /// for both. Snapshots taken before keep their graph as long as they are held. Where nothing was erased
    /// or redacted since the last time, nothing is done.
    ///
    /// # Errors
    /// As [`Db::seal`]. After an error of the disk or the graph while the store is written anew it is as
    /// it was.
    pub fn vacuum(&self) -> Result<VacuumReport> {
        self.check_may_write()?;
        let mut writer = self.writer.lock();
        let (mut report, before) = crate::vacuum::vacuum(&mut writer)?;
        let Some(before) = before else {
            // What the last one could not remove, perhaps.
            let _none = self.files.write();
            writer.history.remove_others()?;
            return Ok(report);
        };
        self.shown.show(&writer.state);
        report.bytes_after = crate::vacuum::bytes(&writer)?;
        drop(writer);
        // Backups that began before still copy it.
        let _none = self.files.write();
        before.remove()?;
        Ok(report)
    }
}
