//! How often each row of a source came before, where the source is in order of
//! time: rows of one content are of one time, so only those of the latest time
//! need be remembered. All digests are laid down in the scratch file; when a row
//! comes out of order, they are read back and counted as [`Occurrences`] does,
//! and so is all that follows.

use super::occurrences::{Occurrences, Spill};
use crate::error::Result;
use hashbrown::HashTable;

/// Digests laid down at once: 1 MB.
const EXTENT_DIGESTS: usize = 1 << 16;
const DIGEST_BYTES: usize = 16;

/// Counts rows as they arrive.
pub(crate) struct Arrivals {
    /// `None` once a row was out of order.
    in_time: Option<InTime>,
    counts: Occurrences,
    memory_digests_max: usize,
}

#[derive(Default)]
struct InTime {
    latest: Option<i64>,
    /// Digests of the latest time with how often each came.
    same: HashTable<(u128, u32)>,
    /// Where extents of digests lie, each [`EXTENT_DIGESTS`] long.
    extents: Vec<u64>,
    gathered: Vec<u128>,
}

impl Arrivals {
    /// Counts in memory for at most so many digests; see [`Occurrences::new`].
    pub(crate) fn new(memory_digests_max: usize) -> Self {
        Self {
            in_time: Some(InTime::default()),
            counts: Occurrences::new(memory_digests_max),
            memory_digests_max,
        }
    }

    /// For each of `digests`, whose rows are of `times`: how many equal ones
    /// came before, in earlier calls or earlier in this one. Equal digests must
    /// be of equal times.
    ///
    /// # Errors
    /// As [`Occurrences::count_then_add`].
    pub(crate) fn count_then_add(
        &mut self,
        digests: &[u128],
        times: &[i64],
        spill: &mut dyn Spill,
    ) -> Result<Vec<u32>> {
        if let Some(in_time) = &mut self.in_time {
            let follows = times.first().copied() >= in_time.latest || times.is_empty();
            if follows && times.is_sorted() && in_time.same.len() < self.memory_digests_max {
                return in_time.count(digests, times, spill);
            }
        }
        if let Some(in_time) = self.in_time.take() {
            in_time.recount(&mut self.counts, spill)?;
        }
        self.counts.count_then_add(digests, spill)
    }
}

impl InTime {
    fn count(&mut self, digests: &[u128], times: &[i64], spill: &mut dyn Spill) -> Result<Vec<u32>> {
        let mut counts = Vec::with_capacity(digests.len());
        for (&digest, &time) in digests.iter().zip(times) {
            if self.latest != Some(time) {
                self.latest = Some(time);
                // A table that was large once would be slow to clear for ever.
                if self.same.capacity() > 1_024 {
                    self.same = HashTable::new();
                } else {
                    self.same.clear();
                }
            }
            let held = self
                .same
                .entry(digest as u64, |held| held.0 == digest, |held| held.0 as u64)
                .or_insert((digest, 0))
                .into_mut();
            counts.push(held.1);
            held.1 = held.1.saturating_add(1);
        }
        for some in digests.chunks(EXTENT_DIGESTS) {
            self.gathered.extend_from_slice(some);
            if self.gathered.len() >= EXTENT_DIGESTS {
                let rest = self.gathered.split_off(EXTENT_DIGESTS);
                let bytes: Vec<u8> = self.gathered.iter().flat_map(|digest| digest.to_le_bytes()).collect();
                self.extents.push(spill.write(&bytes)?);
                self.gathered = rest;
            }
        }
        Ok(counts)
    }

    /// Counts everything so far again.
    fn recount(self, counts: &mut Occurrences, spill: &mut dyn Spill) -> Result<()> {
        let mut bytes = vec![0; EXTENT_DIGESTS * DIGEST_BYTES];
        for offset in self.extents {
            spill.read(offset, &mut bytes)?;
            let digests: Vec<u128> =
                bytes.as_chunks().0.iter().map(|bytes| u128::from_le_bytes(*bytes)).collect();
            counts.count_then_add(&digests, spill)?;
        }
        counts.count_then_add(&self.gathered, spill).map(drop)
    }
}
