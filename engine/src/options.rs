//! How a store is opened.

use crate::clock::Clock;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Make the store where there is none. Default true.
    pub create: bool,
    /// Refuse everything that changes the store. Default false. The store is
    /// still locked, and a graph that was lost is still made again.
    pub read_only: bool,
    /// Memory that importing, rebuilding and the page cache may use, in bytes.
    /// Default 512 MB.
    pub memory_bytes: usize,
    /// Milliseconds after now that a time may lie. Default one day.
    pub horizon_ms: i64,
    /// Interactions kept in memory before they are sealed into the graph; more at once are
    /// sorted outside memory. Default `limits::TAIL_INTERACTIONS_MAX`.
    pub tail_interactions: usize,
    /// Threads that much is sorted and encoded on; 0 for as many as there are processors and
    /// `memory_bytes` have room for. Default 0. What is stored does not depend on it.
    pub threads: usize,
    /// What commits are stamped with, and now is. Default the system's clock.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            create: true,
            read_only: false,
            memory_bytes: 512 << 20,
            horizon_ms: crate::limits::HORIZON_MS_DEFAULT,
            tail_interactions: crate::limits::TAIL_INTERACTIONS_MAX,
            threads: 0,
            clock: Clock::system(),
        }
    }
}

/// Memory that a thread needs while it makes segments, roughly.
const SEAL_THREAD_BYTES: usize = 128 << 20;

impl Options {
    /// Threads that segments are made on.
    pub(crate) fn seal_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(self.memory_bytes / SEAL_THREAD_BYTES)
                .max(1),
            threads => threads,
        }
    }
}
