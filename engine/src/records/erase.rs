//! The record of an erasure: who was taken out, by digests that only this store
//! can make, so that nothing in it says who it was.

use serde::{Deserialize, Serialize};

use super::{from_bytes, to_bytes};
use crate::error::{Error, Result};

const VERSION: u8 = 1;

/// Whom the store forgets from this commit on, and whom it may know again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EraseRecord {
    version: u8,
    /// Keys of the identities of one customer that is erased, see [`crate::digest::identity_key`].
    pub identities: Vec<u128>,
    /// Keys of the event ids of its interactions: nobody else's event takes such an id.
    pub events: Vec<u128>,
    /// Keys of erased identities whose rows are taken again.
    pub lifted: Vec<u128>,
    /// Interactions taken out that still lie in earlier frames.
    pub interactions: u64,
    /// Whether everything that it took out was removed from earlier frames since.
    pub vacuumed: bool,
    /// Rows that were.
    pub removed: u64,
}

impl EraseRecord {
    /// An erasure.
    pub(crate) fn erase(identities: Vec<u128>, events: Vec<u128>, interactions: u64) -> Self {
        Self { identities, events, interactions, ..Self::lift(Vec::new()) }
    }

    /// The end of erasures.
    pub(crate) fn lift(lifted: Vec<u128>) -> Self {
        let (identities, events) = (Vec::new(), Vec::new());
        Self { version: VERSION, identities, events, lifted, interactions: 0, vacuumed: false, removed: 0 }
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        to_bytes(self)
    }

    pub(crate) fn decode(bytes: &[u8], what: &str) -> Result<Self> {
        match bytes.first() {
            Some(&VERSION) | None => from_bytes(bytes, what),
            Some(&other) => {
                let record = format!("the erasure in {what}");
                Err(Error::other_format(&record, u64::from(other), u64::from(VERSION)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erasure_reads_back_and_another_version_is_refused() {
        let record = EraseRecord { removed: 9, ..EraseRecord::erase(vec![1, u128::MAX], vec![7; 3], 4) };
        let mut bytes = record.encode().expect("encodes");
        assert_eq!(EraseRecord::decode(&bytes, "frame").expect("decodes"), record);
        for cut in 0..bytes.len() {
            assert!(EraseRecord::decode(&bytes[..cut], "frame").is_err(), "cut at {cut}");
        }
        bytes[0] = 2;
        let error = EraseRecord::decode(&bytes, "frame 7").expect_err("another version").to_string();
        assert!(error.contains("the erasure in frame 7") && error.contains('2'), "{error}");
    }
}
