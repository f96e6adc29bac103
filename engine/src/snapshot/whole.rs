//! What a copy of the whole store is made from.

use std::sync::Arc;

use super::Snapshot;
use crate::block::Block;
use crate::error::Result;
use crate::guards::Guards;
use crate::head::Head;
use crate::links::confidence_of;
use crate::model::{IdentityOrdinal, Millis};
use crate::resolution::Said;

/// Something that was said about two identities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saying<'a> {
    /// One of the two.
    pub one: IdentityOrdinal,
    /// The other.
    pub other: IdentityOrdinal,
    /// What was said.
    pub said: Said,
    /// How certain a link is; `None` of what is none.
    pub confidence: Option<f64>,
    /// Who said so; may be empty.
    pub source: &'a str,
    /// The commit that said so.
    pub commit: u64,
    /// When it was recorded.
    pub recorded: Millis,
}

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

    /// All that was said about identities, in order, some thousands at a time. Said again in this
    /// order to an empty store ([`Import::say`](crate::Import::say)), under the same rules, it makes
    /// the same customers.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) as [`Snapshot::read`].
    pub fn said(&self) -> impl Iterator<Item = Result<Vec<Saying<'_>>>> {
        let last = self.as_of.map_or(u64::MAX, |as_of| as_of.commit);
        self.links.parts(&self.version.chunks).map(move |entries| {
            let seen = entries?.into_iter().filter(|entry| entry.commit <= last);
            let sayings = seen.map(|entry| Saying {
                one: entry.one,
                other: entry.other,
                said: entry.said,
                confidence: (entry.said == Said::Link).then(|| confidence_of(entry.confidence)),
                source: self.links.source(entry.source),
                commit: entry.commit,
                recorded: entry.recorded,
            });
            Ok(sayings.collect())
        })
    }

    /// The rules for joining identities.
    pub fn guards(&self) -> Arc<Guards> {
        self.links.guards(self.as_of.map_or(u64::MAX, |as_of| as_of.commit))
    }
}
