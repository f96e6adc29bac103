//! The open store.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::batch::Interaction;
use crate::error::{Error, Result};
use crate::import::Import;
use crate::model::Millis;
use crate::snapshot::Snapshot;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Make the store where there is none. Default true.
    pub create: bool,
    /// Refuse everything that writes. Default false.
    pub read_only: bool,
    /// Memory that importing, rebuilding and the page cache may use, in bytes.
    /// Default 512 MB.
    pub memory_bytes: usize,
    /// Milliseconds after now that a time may lie. Default one day.
    pub horizon_ms: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            create: true,
            read_only: false,
            memory_bytes: 512 << 20,
            horizon_ms: crate::limits::HORIZON_MS_DEFAULT,
        }
    }
}

/// An acknowledged commit: durable when it is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its number.
    pub number: u64,
    /// Interactions added.
    pub added: u64,
    /// Interactions left out because their event id was known.
    pub duplicates: u64,
}

/// Sizes on disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The history files.
    pub history_bytes: u64,
    /// The graph folder.
    pub graph_bytes: u64,
    /// Of the graph: pages of the event-id index.
    pub event_id_bytes: u64,
    /// Base segments.
    pub segments: u64,
    /// Sealed runs not folded yet.
    pub runs: u64,
    /// Interactions in memory, not sealed yet.
    pub unsealed: u64,
    /// Frames in the history.
    pub history_frames: u64,
}

/// What [`Db::check`] read and verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Frames of the history whose checksums hold.
    pub frames: u64,
    /// Bytes of history read.
    pub history_bytes: u64,
    /// Chunks of the graph whose length and checksum hold.
    pub chunks: u64,
    /// Bytes of graph read.
    pub graph_bytes: u64,
    /// Interactions whose order and place was checked.
    pub interactions: u64,
    /// What is wrong, each a sentence that names the place. Empty for a sound store.
    pub problems: Vec<String>,
}

/// An open store. One process has a store open at a time; inside it the
/// handle is shared between threads by reference.
#[derive(Debug)]
pub struct Db {}

impl Db {
    /// Opens the store in a folder, or makes one.
    pub fn open(_path: impl AsRef<Path>) -> Result<Self> {
        Err(Error::invalid("to be built"))
    }

    /// Opens with options.
    pub fn open_with(_path: impl AsRef<Path>, _options: Options) -> Result<Self> {
        Err(Error::invalid("to be built"))
    }

    /// The store as the last commit left it.
    pub fn snapshot(&self) -> Snapshot {
        unreachable!("to be built")
    }

    /// The times that are taken now: 1900 to the horizon.
    pub fn time_bounds(&self) -> RangeInclusive<Millis> {
        unreachable!("to be built")
    }

    /// Adds interactions in one commit: all of them or, on an error, none.
    /// Durable and visible when it returns.
    pub fn append(&self, _interactions: impl IntoIterator<Item = Interaction>) -> Result<Commit> {
        Err(Error::invalid("to be built"))
    }

    /// Begins a bulk import. `source` is recorded with it (a file name).
    /// Other writes wait until it ends.
    pub fn import(&self, _source: &str) -> Result<Import<'_>> {
        Err(Error::invalid("to be built"))
    }

    /// Saves a set of customers under a name, replacing one of that name.
    pub fn save_cohort(&self, _name: &str, _customers: &RoaringBitmap) -> Result<Commit> {
        Err(Error::invalid("to be built"))
    }

    /// Writes what is in memory into the graph.
    pub fn seal(&self) -> Result<()> {
        Err(Error::invalid("to be built"))
    }

    /// Makes the graph anew from the history.
    pub fn rebuild(&self) -> Result<()> {
        Err(Error::invalid("to be built"))
    }

    /// Reads and verifies every stored byte that has a checksum, and the invariants.
    pub fn check(&self) -> Result<CheckReport> {
        Err(Error::invalid("to be built"))
    }

    /// Sizes on disk.
    pub fn info(&self) -> Result<Info> {
        Err(Error::invalid("to be built"))
    }

    /// Seals, and closes with the clean mark set. Dropping closes without
    /// sealing and loses nothing.
    pub fn close(self) -> Result<()> {
        Err(Error::invalid("to be built"))
    }
}

#[expect(dead_code, reason = "to be built")]
type Shared = Arc<()>;
