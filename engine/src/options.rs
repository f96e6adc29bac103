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
    /// Memory that importing and rebuilding may use, in bytes. Default 512 MB.
    pub memory_bytes: usize,
    /// Memory for pages of the graph, which questions find there when they ask again, in bytes; 0 for
    /// half of `memory_bytes`, and where that is not below its default, for as much as a sixteenth of
    /// the memory that the process may use, up to 1 GB. Default 0. A question over 200 million
    /// interactions takes less than half as long where the columns it reads have room.
    pub cache_bytes: usize,
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
            memory_bytes: MEMORY_BYTES,
            cache_bytes: 0,
            horizon_ms: crate::limits::HORIZON_MS_DEFAULT,
            tail_interactions: crate::limits::TAIL_INTERACTIONS_MAX,
            threads: 0,
            clock: Clock::system(),
        }
    }
}

/// Default of [`Options::memory_bytes`].
const MEMORY_BYTES: usize = 512 << 20;
/// Most that pages take where nobody says how much.
const CACHE_BYTES_MAX: usize = 1 << 30;
/// Pages may take one part in so many of the memory that there is.
const CACHE_SHARE: u64 = 16;

/// Memory that a thread needs while it makes segments, roughly.
const SEAL_THREAD_BYTES: usize = 128 << 20;

impl Options {
    /// Bytes of pages that are kept, of a process that may use `memory`.
    pub(crate) fn cache(&self, memory: Option<u64>) -> usize {
        let half = self.memory_bytes / 2;
        match (self.cache_bytes, memory) {
            (0, Some(memory)) if self.memory_bytes >= MEMORY_BYTES => {
                let share = usize::try_from(memory / CACHE_SHARE).unwrap_or(usize::MAX);
                share.min(CACHE_BYTES_MAX).max(half)
            }
            (0, _) => half,
            (bytes, _) => bytes,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_goes_by_what_is_said_and_by_the_machine() {
        let cache = |memory_bytes, cache_bytes, memory| {
            Options { memory_bytes, cache_bytes, ..Options::default() }.cache(memory)
        };
        assert_eq!(cache(MEMORY_BYTES, 0, None), 256 << 20);
        assert_eq!(cache(MEMORY_BYTES, 0, Some(2 << 30)), 256 << 20);
        assert_eq!(cache(MEMORY_BYTES, 0, Some(8 << 30)), 512 << 20);
        assert_eq!(cache(MEMORY_BYTES, 0, Some(64 << 30)), 1 << 30);
        // Who asks for little gets little, and who asks for much much.
        assert_eq!(cache(64 << 20, 0, Some(64 << 30)), 32 << 20);
        assert_eq!(cache(4 << 30, 0, Some(64 << 30)), 2 << 30);
        assert_eq!(cache(MEMORY_BYTES, 7 << 20, Some(64 << 30)), 7 << 20);
    }
}
