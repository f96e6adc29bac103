//! How often each row of a source came before, in bounded memory.
//!
//! A table in memory counts. When it is full, it is spilled as a run sorted by
//! digest, of which a filter and the first digest of every block stay in
//! memory (2.1 bytes a distinct digest: some 42 MB for 20 million). A count is
//! a total: what is looked up in a run goes on in memory from there, and the
//! newest run that has a digest has the true count. Sixteen runs of a level
//! are merged into one of the next, so that few runs have to be asked.

use super::filter::Filter;
use super::in_order;
use crate::error::{Error, Result};
use hashbrown::HashTable;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

const RECORD_BYTES: usize = 20;
/// Records of a block, the unit of reading: 4,080 bytes.
const BLOCK_RECORDS: usize = 204;
const BLOCK_BYTES: usize = BLOCK_RECORDS * RECORD_BYTES;
/// Blocks written at once: 1 MB.
const EXTENT_BLOCKS: usize = 256;
/// Blocks a run reads ahead while it is merged: 64 KB.
const MERGE_BLOCKS: usize = 16;
/// Runs of a level that are merged.
const MERGE_RUNS: usize = 16;
const FILTER_BITS_PER_DIGEST: u64 = 16;
/// Digests counted at once, so that lookups are sorted over many.
const BATCH_DIGESTS_MAX: usize = 1 << 18;

/// A scratch file that only grows.
pub(crate) trait Spill {
    /// Appends `bytes`; gives the offset at which they begin.
    fn write(&mut self, bytes: &[u8]) -> Result<u64>;
    /// Fills `buf` with what was written at `offset`.
    fn read(&self, offset: u64, buf: &mut [u8]) -> Result<()>;
}

/// A digest and how often it occurred. The digest in four words, which saves
/// the 12 bytes that alignment would take beside a `u128`.
#[derive(Clone, Copy)]
struct Count {
    digest: [u32; 4],
    count: u32,
}

impl Count {
    fn new(digest: u128, count: u32) -> Self {
        Self {
            digest: [digest as u32, (digest >> 32) as u32, (digest >> 64) as u32, (digest >> 96) as u32],
            count,
        }
    }

    fn digest(&self) -> u128 {
        self.digest.iter().rev().fold(0, |digest, &word| (digest << 32) | u128::from(word))
    }

    /// The digest's lower half, uniform already.
    fn hash(&self) -> u64 {
        u64::from(self.digest[0]) | (u64::from(self.digest[1]) << 32)
    }

    fn to_bytes(self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        let words = self.digest.iter().chain([&self.count]);
        for (to, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Self {
        let mut words = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
        let digest = std::array::from_fn(|_| words.next().unwrap_or_default());
        Self { digest, count: words.next().unwrap_or_default() }
    }
}

/// How often each digest occurred before, in the source read so far.
pub(crate) struct Occurrences {
    memory: HashTable<Count>,
    memory_digests_max: usize,
    /// Oldest first; levels never rise along it.
    runs: Vec<Run>,
    failed: bool,
}

impl Occurrences {
    /// Counts in memory for at most `memory_digests_max` digests (21 bytes
    /// each, up to twice that as the table doubles, and 20 more while they are
    /// spilled; 7/8 of a power of two fills a table), beyond that in the spill.
    pub(crate) fn new(memory_digests_max: usize) -> Self {
        Self {
            memory: HashTable::new(),
            memory_digests_max: memory_digests_max.max(1),
            runs: Vec::new(),
            failed: false,
        }
    }

    /// For each of `digests`, in order: how many equal ones came before, in
    /// earlier calls or earlier in this slice. At 4,294,967,295 it stays.
    ///
    /// # Errors
    /// Those of `spill`, and `Damaged` where it gives back other bytes than
    /// were written. The counts are void after an error: every later call
    /// gives one too.
    pub(crate) fn count_then_add(&mut self, digests: &[u128], spill: &mut dyn Spill) -> Result<Vec<u32>> {
        if self.failed {
            return Err(Error::invalid("counting rows failed earlier; start this source again"));
        }
        self.failed = true;
        let mut counts = Vec::with_capacity(digests.len());
        for some in digests.chunks((self.memory_digests_max / 4).clamp(1, BATCH_DIGESTS_MAX)) {
            if self.memory.len() + some.len() > self.memory_digests_max {
                self.spill_memory(spill)?;
            }
            if !self.runs.is_empty() {
                self.recall(some, spill)?;
            }
            for &digest in some {
                let new = Count::new(digest, 0);
                let held = self
                    .memory
                    .entry(new.hash(), |held| held.digest == new.digest, Count::hash)
                    .or_insert(new)
                    .into_mut();
                counts.push(held.count);
                held.count = held.count.saturating_add(1);
            }
        }
        self.failed = false;
        Ok(counts)
    }

    /// Brings into memory the counts of those digests that only runs have.
    fn recall(&mut self, digests: &[u128], spill: &dyn Spill) -> Result<()> {
        let mut left: Vec<u128> = in_order(digests)
            .into_iter()
            .filter_map(|place| digests.get(place as usize).copied())
            .filter(|&digest| {
                let wanted = Count::new(digest, 0);
                self.memory.find(wanted.hash(), |held| held.digest == wanted.digest).is_none()
            })
            .collect();
        left.dedup();
        for run in self.runs.iter().rev() {
            let mut block = Block::default();
            let mut failure = None;
            left.retain(|&digest| match run.find(digest, &mut block, spill) {
                _ if failure.is_some() => true,
                Ok(None) => true,
                Ok(Some(held)) => {
                    self.memory.insert_unique(held.hash(), held, Count::hash);
                    false
                }
                Err(error) => {
                    failure = Some(error);
                    true
                }
            });
            if let Some(error) = failure {
                return Err(error);
            }
        }
        Ok(())
    }

    fn spill_memory(&mut self, spill: &mut dyn Spill) -> Result<()> {
        let mut counts: Vec<Count> = self.memory.drain().collect();
        if counts.is_empty() {
            return Ok(());
        }
        counts.sort_unstable_by_key(Count::digest);
        let mut writer = RunWriter::new(0, counts.len() as u64);
        for count in counts {
            writer.push(count, spill)?;
        }
        self.runs.push(writer.finish(spill)?);
        while let Some(level) = self.runs.last().map(|run| run.level) {
            let first = self.runs.partition_point(|run| run.level > level);
            if self.runs.len() - first < MERGE_RUNS {
                break;
            }
            let old = self.runs.split_off(first);
            self.runs.push(merge(old, level + 1, spill)?);
        }
        Ok(())
    }
}

/// Records sorted by digest, in the spill.
struct Run {
    level: u32,
    records: u64,
    /// Offsets of each `EXTENT_BLOCKS` blocks.
    extents: Vec<u64>,
    /// The first digest of each block.
    fences: Vec<u128>,
    filter: Filter,
}

/// The block of a run that was read last.
#[derive(Default)]
struct Block {
    number: Option<usize>,
    bytes: Vec<u8>,
}

impl Run {
    /// The count of `digest`. Ascending digests read each block once.
    fn find(&self, digest: u128, block: &mut Block, spill: &dyn Spill) -> Result<Option<Count>> {
        if !self.filter.may_contain(digest) {
            return Ok(None);
        }
        let Some(number) = self.fences.partition_point(|fence| *fence <= digest).checked_sub(1) else {
            return Ok(None);
        };
        if block.number != Some(number) {
            block.number = None;
            self.read(number, 1, &mut block.bytes, spill)?;
            block.number = Some(number);
        }
        let (records, _) = block.bytes.as_chunks();
        let place = records.partition_point(|record| Count::from_bytes(record).digest() < digest);
        Ok(records.get(place).map(Count::from_bytes).filter(|held| held.digest() == digest))
    }

    /// Reads `count` blocks from `number`, which must lie in one extent; fewer
    /// at the run's end.
    fn read(&self, number: usize, count: usize, bytes: &mut Vec<u8>, spill: &dyn Spill) -> Result<()> {
        let first = number as u64 * BLOCK_RECORDS as u64;
        let records = self.records.saturating_sub(first).min((count * BLOCK_RECORDS) as u64);
        bytes.resize(records as usize * RECORD_BYTES, 0);
        let Some(extent) = self.extents.get(number / EXTENT_BLOCKS) else {
            return Err(Error::damaged("the scratch file", 0, format!("block {number} was never written")));
        };
        let offset = extent + ((number % EXTENT_BLOCKS) * BLOCK_BYTES) as u64;
        spill.read(offset, bytes)?;
        let heads = bytes.chunks(BLOCK_BYTES).map(|block| block.first_chunk().map(Count::from_bytes));
        for (head, fence) in heads.zip(self.fences.iter().skip(number)) {
            if head.map(|head| head.digest()) != Some(*fence) {
                return Err(Error::damaged(
                    "the scratch file",
                    offset,
                    "it gave back other bytes than were written",
                ));
            }
        }
        Ok(())
    }
}

struct RunWriter {
    run: Run,
    extent: Vec<u8>,
}

impl RunWriter {
    fn new(level: u32, records_max: u64) -> Self {
        let filter = Filter::for_keys(records_max, FILTER_BITS_PER_DIGEST);
        let run = Run { level, records: 0, extents: Vec::new(), fences: Vec::new(), filter };
        Self { run, extent: Vec::new() }
    }

    /// Adds a record whose digest is above all before it.
    fn push(&mut self, record: Count, spill: &mut dyn Spill) -> Result<()> {
        let digest = record.digest();
        if self.run.records.is_multiple_of(BLOCK_RECORDS as u64) {
            self.run.fences.push(digest);
        }
        self.run.records += 1;
        self.run.filter.insert(digest);
        self.extent.extend_from_slice(&record.to_bytes());
        if self.extent.len() == EXTENT_BLOCKS * BLOCK_BYTES {
            self.run.extents.push(spill.write(&self.extent)?);
            self.extent.clear();
        }
        Ok(())
    }

    fn finish(mut self, spill: &mut dyn Spill) -> Result<Run> {
        if !self.extent.is_empty() {
            self.run.extents.push(spill.write(&self.extent)?);
        }
        Ok(self.run)
    }
}

/// Reads a run's records in order.
struct RunReader {
    run: Run,
    bytes: Vec<u8>,
    place: usize,
    next_block: usize,
}

impl RunReader {
    fn next(&mut self, spill: &dyn Spill) -> Result<Option<Count>> {
        if self.place * RECORD_BYTES == self.bytes.len() {
            if self.next_block >= self.run.fences.len() {
                return Ok(None);
            }
            self.run.read(self.next_block, MERGE_BLOCKS, &mut self.bytes, spill)?;
            self.next_block += MERGE_BLOCKS;
            self.place = 0;
        }
        let record = self.bytes.as_chunks().0.get(self.place).map(Count::from_bytes);
        self.place += 1;
        Ok(record)
    }
}

/// One run of all of `old`. Of equal digests the highest count is the newest.
fn merge(old: Vec<Run>, level: u32, spill: &mut dyn Spill) -> Result<Run> {
    let records_max = old.iter().map(|run| run.records).sum();
    let mut readers: Vec<RunReader> = old
        .into_iter()
        // The old filters are not needed any more, and the new one is as large.
        .map(|run| Run { filter: Filter::default(), ..run })
        .map(|run| RunReader { run, bytes: Vec::new(), place: 0, next_block: 0 })
        .collect();
    let mut heads = BinaryHeap::with_capacity(readers.len());
    for (place, reader) in readers.iter_mut().enumerate() {
        heads.extend(reader.next(spill)?.map(|head| Reverse((head.digest(), Reverse(head.count), place))));
    }
    let mut writer = RunWriter::new(level, records_max);
    let mut last = None;
    while let Some(mut head) = heads.peek_mut() {
        let Reverse((digest, Reverse(count), place)) = *head;
        if last != Some(digest) {
            last = Some(digest);
            writer.push(Count::new(digest, count), spill)?;
        }
        match readers.get_mut(place).map(|reader| reader.next(spill)).transpose()?.flatten() {
            Some(next) => *head = Reverse((next.digest(), Reverse(next.count), place)),
            None => {
                PeekMut::pop(head);
            }
        }
    }
    writer.finish(spill)
}
