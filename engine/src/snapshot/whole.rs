//! What a copy of the whole store is made from.

use super::Snapshot;
use crate::block::Block;
use crate::error::Result;
use crate::head::Head;
use crate::model::Millis;

impl Snapshot {
    /// The HEAD of a store that holds what this snapshot sees and has no graph. What is shown
    /// was acknowledged, so the history up to it never changes.
    pub(crate) fn head(&self) -> Head {
        let store_id = self.version.manifest.store_id;
        Head { store_id, acknowledged: self.end, commit: self.commit, graph: 0 }
    }

    /// The rows of customers' attributes, with all columns, as they lie in memory: for each
    /// customer in total order, the later rows deciding. [`Snapshot::customer_column`] says what
    /// they come to. Hidden rows are among them.
    pub fn customer_rows(&self) -> Option<&Block> {
        self.customers.as_deref()
    }

    /// Numbers of all commits that hold rows, ascending, and when each was recorded. One that is
    /// not among them recorded at the time of the one before.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) as [`Snapshot::read`].
    pub fn recorded(&self) -> Result<Vec<(u64, Millis)>> {
        self.recorded.all(&self.version.chunks)
    }
}
