//! What can go wrong, in words that say what, where and what to do.

use std::path::PathBuf;

/// The result of every fallible engine call.
pub type Result<T> = std::result::Result<T, Error>;

/// An engine error. Its `Display` text is written for the person who reads it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb phrase: `open`, `sync`, `rename`.
        action: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// The system's own error.
        #[source]
        source: std::io::Error,
    },
    /// Another process (or another handle of this one) has the store open.
    #[error("the store is in use by {owner}; close it there, or open another store")]
    Locked {
        /// Process id and program, as that process wrote them.
        owner: String,
    },
    /// Stored bytes are not what was written.
    #[error("{file} is damaged at byte {offset}: {what}")]
    Damaged {
        /// The file or graph chunk.
        file: String,
        /// Where in it, in bytes.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// The folder holds no store, or one of another format.
    #[error("{0}")]
    NotAStore(String),
    /// The graph store did not answer within its deadline.
    #[error(
        "the graph did not answer within {seconds} s while it tried to {action}; reopen the store, and run `rebuild` if it happens again"
    )]
    GraphUnresponsive {
        /// What was asked of it.
        action: &'static str,
        /// The deadline that passed, in seconds.
        seconds: u64,
    },
    /// The graph store reported an error of its own.
    #[error("the graph store failed to {action}: {message}")]
    Graph {
        /// What was asked of it.
        action: &'static str,
        /// Its own words.
        message: String,
    },
    /// An earlier write or sync failed; this handle takes no more writes.
    #[error("an earlier write failed ({0}); nothing more is written through this handle: reopen the store")]
    Poisoned(String),
    /// The caller's data or request is not acceptable.
    #[error("{0}")]
    Invalid(String),
    /// A documented limit was passed.
    #[error("{what}: {value} is over the limit of {limit}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// What it came to.
        value: u64,
        /// The limit, from `limits.rs` or the options.
        limit: u64,
    },
    /// The store was opened read-only.
    #[error("the store is open read-only, and this would write")]
    ReadOnly,
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The time allowed for a query has passed.
    #[error("stopped after {0} ms, the time allowed for a query")]
    TimedOut(u64),
}

impl Error {
    /// A [`Error::Damaged`] at `offset` of `file`.
    pub fn damaged(file: impl Into<String>, offset: u64, what: impl Into<String>) -> Self {
        Self::Damaged { file: file.into(), offset, what: what.into() }
    }

    /// A [`Error::NotAStore`] for what is of another format than the one this program reads.
    pub(crate) fn other_format(what: &str, found: u64, known: u64) -> Self {
        let way_out = if found > known {
            "a newer version of this program wrote it: use that one"
        } else {
            "that is older than any that can be brought up to date: import the sources anew"
        };
        Self::NotAStore(format!(
            "{what} has format {found}, and this program reads format {known}; {way_out}"
        ))
    }

    /// A [`Error::Invalid`] with `message`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}
