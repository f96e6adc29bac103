//! How far back a snapshot goes.

use super::Snapshot;
use crate::error::{Error, Result};
use crate::model::Millis;
use crate::retained::Retention;

impl Snapshot {
    /// What was said last about how far back interactions are kept; `None` where nothing ever was.
    pub fn retention(&self) -> Option<Retention> {
        self.retention
    }

    /// Refuses an instant of which it is not known any more what had been recorded.
    pub(super) fn check_known(&self, at: Millis) -> Result<()> {
        match self.retention.and_then(|retention| retention.known_from) {
            Some(from) if at < from => Err(Error::invalid(format!(
                "what was known {at} ms after 1970 cannot be told any more: interactions from before {from} ms were dropped"
            ))),
            _ => Ok(()),
        }
    }
}
