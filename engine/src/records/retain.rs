//! The record of how far back interactions are kept.

use serde::{Deserialize, Serialize};

use super::{from_bytes, to_bytes};
use crate::error::{Error, Result};
use crate::model::Millis;
use crate::retain::Retain;

const VERSION: u8 = 1;

/// What is kept from this commit on, or what a vacuum left in the place of rows that are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RetainRecord {
    version: u8,
    /// What was said; `None` where nothing was, but identities are named.
    pub said: Option<Said>,
    /// Identities that removed rows came under, and of which something else is left: they get their
    /// numbers here, so that everybody comes in the same order as before.
    pub met: Vec<String>,
}

/// What was said about how far back interactions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub retain: Retain,
    /// Interactions of this and earlier commits that took place before this are dropped.
    pub cutoff: Option<Millis>,
    /// Interactions dropped that still lie in earlier frames.
    pub interactions: u64,
    /// Whether everything that it dropped was removed from earlier frames since.
    pub vacuumed: bool,
    /// Rows that were.
    pub removed: u64,
}

impl RetainRecord {
    pub(crate) fn say(said: Said) -> Self {
        Self { version: VERSION, said: Some(said), met: Vec::new() }
    }

    pub(crate) fn met(met: Vec<String>) -> Self {
        Self { version: VERSION, said: None, met }
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        to_bytes(self)
    }

    pub(crate) fn decode(bytes: &[u8], what: &str) -> Result<Self> {
        match bytes.first() {
            Some(&VERSION) | None => from_bytes(bytes, what),
            Some(&other) => {
                let record = format!("what is retained, in {what}");
                Err(Error::other_format(&record, u64::from(other), u64::from(VERSION)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retain::RetainUnit;

    #[test]
    fn a_record_reads_back_and_another_version_is_refused() {
        let retain = Retain::Last { amount: 24, unit: RetainUnit::Months };
        let said = Said { retain, cutoff: Some(-5), interactions: 7, vacuumed: true, removed: 9 };
        for record in [RetainRecord::say(said), RetainRecord::met(vec!["crm:1".to_owned(), String::new()])] {
            let mut bytes = record.encode().expect("encodes");
            assert_eq!(RetainRecord::decode(&bytes, "frame").expect("decodes"), record);
            for cut in 0..bytes.len() {
                assert!(RetainRecord::decode(&bytes[..cut], "frame").is_err(), "cut at {cut}");
            }
            bytes[0] = 2;
            let error = RetainRecord::decode(&bytes, "frame 7").expect_err("another version").to_string();
            assert!(error.contains("what is retained, in frame 7") && error.contains('2'), "{error}");
        }
    }
}
