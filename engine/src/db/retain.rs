//! How far back interactions are kept.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Db;
use crate::commit::{Retaining, Ticket};
use crate::error::Result;
use crate::model::Millis;
use crate::retain::Retain;

/// What saying how far back interactions are kept did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropping {
    /// The commit that said so.
    pub commit: u64,
    /// Interactions that took place before this are dropped; `None` where none are.
    pub cutoff: Option<Millis>,
    /// How many were there.
    pub interactions: u64,
}

impl Db {
    /// Drops the interactions that took place before what is to be kept, counted back from now, out of
    /// every answer and in one commit. Snapshots taken before go on as they are; one taken later shows
    /// nothing of them as of any time, and cannot be asked what was known before that time at all
    /// ([`Snapshot::as_of`](crate::Snapshot::as_of)). Interactions that come later and took place
    /// before it are left out and counted, until something else is said; nothing is dropped by the
    /// passing of time. Identities, links, customers' attributes and cohorts stay. The files hold what
    /// was dropped until [`Db::vacuum`].
    ///
    /// What is left of customers of whom something is dropped is written anew, a part at a time: that takes
    /// about as long as a rebuild of them, the memory of an import, and room on the disk beside
    /// what there is. Other writes wait.
    ///
    /// # Errors
    /// As [`Retain::cutoff`]; [`Error::ReadOnly`](crate::Error::ReadOnly); as [`Db::append`];
    /// [`Error::Damaged`](crate::Error::Damaged) where interactions cannot be read, before anything
    /// is written.
    pub fn retain(&self, retain: Retain) -> Result<Dropping> {
        self.check_may_write()?;
        let retaining = Arc::new(Retaining { retain, dropped: Mutex::default() });
        let commit = self.commit(Ticket::retain(&retaining))?;
        let (cutoff, interactions) = retaining.dropped.lock().unwrap_or_default();
        Ok(Dropping { commit: commit.number, cutoff, interactions })
    }
}
