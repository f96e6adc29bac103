//! Which event ids (or rows) the store has seen: an exact set of 128-bit
//! digests, kept for ever, in bounded memory.
//!
//! New digests gather in memory and are sealed as sorted runs; eight runs of
//! similar size are merged into one. A batch is sorted once and walked through
//! each run in order, and a run's pages are read only where its filter says
//! 'maybe'. In memory stay the filters and fences, 1.5 bytes a digest: 30 MB
//! for 20 million, 300 MB for 200 million.
//!
//! The digests must be uniform (keyed hashes): neither the filter nor the hash
//! table hashes them again. Others would make it slow, not wrong.

mod filter;
mod in_time;
mod occurrences;
mod run;

pub(crate) use in_time::Arrivals;
pub(crate) use occurrences::Spill;
pub(crate) use run::RunMeta;

use crate::error::{Error, Result};
use hashbrown::HashTable;
use run::{Lookup, RunReader, RunWriter};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

/// Digests that the part in memory holds before its table doubles from 18 to
/// 36 MB (7/8 of its slots): a good place to seal.
const TABLE_DIGESTS_FULL: usize = 7 << 17;
/// New digests that are laid down unasked before they are sealed: 48 MB, and as much while they
/// are sorted. Fewer would make runs that have to be merged after some 20 million.
const UNASKED_DIGESTS_FULL: usize = 3 << 20;
/// Runs of similar size that are merged into one.
const MERGE_RUNS: usize = 8;
/// Digests looked up at once: bounds the sorted copy to some 80 MB.
const LOOKUP_DIGESTS_MAX: usize = 1 << 22;

/// Where the pages of sealed runs are read.
pub(crate) trait RunPages {
    /// Page `page` of run `run`, its checksum verified.
    fn page(&self, run: u64, page: u32) -> Result<Arc<[u8]>>;
}

/// A run ready to be written.
pub(crate) struct EncodedRun {
    /// Its description, for the manifest.
    pub meta: RunMeta,
    /// Its pages in order of number, each at most `limits::PAGE_BYTES`.
    pub pages: Vec<Vec<u8>>,
}

struct Run {
    meta: RunMeta,
    lookup: Option<Lookup>,
}

/// The set: a part in memory and sealed runs.
#[derive(Default)]
pub(crate) struct DigestSet {
    memory: HashTable<u128>,
    /// In memory too, in no order: those that their writer knows to be new. They
    /// come into the table when somebody asks for what is in memory.
    unasked: Vec<u128>,
    runs: Vec<Run>,
    metas: Vec<RunMeta>,
}

impl DigestSet {
    /// An empty set.
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A set of sealed runs; nothing is read yet.
    pub(crate) fn with_runs(metas: Vec<RunMeta>) -> Self {
        let runs = metas.iter().map(|meta| Run { meta: meta.clone(), lookup: None }).collect();
        Self { runs, metas, ..Self::default() }
    }

    /// Whether each of `digests` is in the set, in their order.
    ///
    /// # Errors
    /// Those of `pages`, and `Damaged` for a page that is not what was sealed.
    pub(crate) fn contains(&mut self, digests: &[u128], pages: &dyn RunPages) -> Result<Vec<bool>> {
        if !digests.is_empty() {
            let unasked = std::mem::take(&mut self.unasked);
            self.insert(&unasked);
        }
        let mut answers = Vec::with_capacity(digests.len());
        for some in digests.chunks(LOOKUP_DIGESTS_MAX) {
            let start = answers.len();
            answers.extend(some.iter().map(|digest| in_table(&self.memory, *digest)));
            if !self.runs.is_empty() {
                let runs = self.runs.len();
                self.look_in_runs(some, runs, answers.get_mut(start..).unwrap_or_default(), pages)?;
            }
        }
        Ok(answers)
    }

    /// Whether each of `digests` is in the first `runs` runs, in their order: for
    /// those that cannot be anywhere else.
    ///
    /// # Errors
    /// As [`DigestSet::contains`].
    pub(crate) fn in_first_runs(
        &mut self,
        digests: &[u128],
        runs: usize,
        pages: &dyn RunPages,
    ) -> Result<Vec<bool>> {
        let mut answers = vec![false; digests.len()];
        if runs > 0 {
            for (some, answers) in
                digests.chunks(LOOKUP_DIGESTS_MAX).zip(answers.chunks_mut(LOOKUP_DIGESTS_MAX))
            {
                self.look_in_runs(some, runs, answers, pages)?;
            }
        }
        Ok(answers)
    }

    fn look_in_runs(
        &mut self,
        digests: &[u128],
        runs: usize,
        answers: &mut [bool],
        pages: &dyn RunPages,
    ) -> Result<()> {
        let mut places = in_order(digests);
        places.retain(|&place| answers.get(place as usize) == Some(&false));
        let mut left: Vec<u128> =
            places.iter().filter_map(|&place| digests.get(place as usize).copied()).collect();
        // What is there is most likely in the largest run.
        let mut runs: Vec<&mut Run> = self.runs.iter_mut().take(runs).collect();
        runs.sort_by_key(|run| Reverse(run.meta.digests));
        for Run { meta, lookup } in runs {
            if left.is_empty() {
                break;
            }
            let lookup = match lookup {
                Some(lookup) => lookup,
                None => lookup.insert(Lookup::load(meta, pages)?),
            };
            let mut found = Vec::new();
            lookup.find(meta, &left, pages, |place| found.push(place))?;
            for &place in &found {
                if let Some(answer) = places.get(place).and_then(|&place| answers.get_mut(place as usize)) {
                    *answer = true;
                }
            }
            remove_places(&mut places, &found);
            remove_places(&mut left, &found);
        }
        Ok(())
    }

    /// Adds digests to the part in memory. Those that a run holds already
    /// should be left out: they would take room and be counted twice until
    /// the runs are merged.
    pub(crate) fn insert(&mut self, digests: &[u128]) {
        for &digest in digests {
            self.memory.entry(digest as u64, |&held| held == digest, |&held| held as u64).or_insert(digest);
        }
    }

    /// Adds digests that the set does not hold, each once.
    pub(crate) fn insert_new(&mut self, digests: &[u128]) {
        self.unasked.extend_from_slice(digests);
    }

    /// How many are in memory only.
    pub(crate) fn unsealed(&self) -> usize {
        self.memory.len() + self.unasked.len()
    }

    /// Whether it is time to seal what is in memory.
    pub(crate) fn is_full(&self) -> bool {
        self.memory.len() >= TABLE_DIGESTS_FULL || self.unasked.len() >= UNASKED_DIGESTS_FULL
    }

    /// How many there are, in memory and in runs.
    #[cfg(test)]
    pub(crate) fn len(&self) -> u64 {
        self.metas.iter().map(|meta| meta.digests).sum::<u64>() + self.unsealed() as u64
    }

    /// The sealed runs, in the order of their coming.
    pub(crate) fn runs(&self) -> &[RunMeta] {
        &self.metas
    }

    /// The runs to be merged next, if any: as soon as eight have a similar
    /// size (within a factor of eight), those and all smaller ones, which
    /// cost little more. So a digest is rewritten once for each factor of
    /// eight that the set grows.
    pub(crate) fn due_merge(&self) -> Option<Vec<u64>> {
        let size = |meta: &RunMeta| meta.digests.max(1).ilog2() / MERGE_RUNS.ilog2();
        let largest = self
            .metas
            .iter()
            .map(size)
            .filter(|&largest| self.metas.iter().filter(|meta| size(meta) == largest).count() >= MERGE_RUNS)
            .max()?;
        Some(self.metas.iter().filter(|meta| size(meta) <= largest).map(|meta| meta.run).collect())
    }

    /// The part in memory as run `run`.
    pub(crate) fn encode_unsealed(&mut self, run: u64) -> EncodedRun {
        self.unasked.extend(self.memory.drain());
        sort_uniform(&mut self.unasked);
        self.unasked.dedup();
        let digests = &self.unasked;
        let mut writer = RunWriter::new(run, digests.len() as u64);
        let mut pages: Vec<Vec<u8>> =
            digests.iter().filter_map(|&digest| writer.push(digest)).map(|(_, page)| page).collect();
        let (meta, rest) = writer.finish();
        pages.extend(rest.map(|(_, page)| page));
        EncodedRun { meta, pages }
    }

    /// The part in memory is now the run of `meta`. Nothing may have been
    /// inserted since [`DigestSet::encode_unsealed`]; if something was, the
    /// memory is kept, so that it is not forgotten.
    pub(crate) fn sealed(&mut self, meta: RunMeta) {
        if meta.digests == self.unsealed() as u64 {
            self.memory.clear();
            self.unasked = Vec::new();
        }
        self.add(meta);
    }

    /// Merges `runs` into `new_run`, whose pages go to `sink` in order of
    /// their number. Memory: one page of each run, and 1.5 bytes a digest for
    /// the new fences and filter.
    ///
    /// # Errors
    /// `Invalid` for a run that the set does not have, `Damaged` for a page
    /// that is not what was sealed, and those of `pages` and `sink`.
    pub(crate) fn merge_runs(
        &self,
        runs: &[u64],
        new_run: u64,
        pages: &dyn RunPages,
        sink: &mut dyn FnMut(u32, Vec<u8>) -> Result<()>,
    ) -> Result<RunMeta> {
        let mut readers = Vec::with_capacity(runs.len());
        let mut digests_max = 0;
        for &run in runs {
            let Some(meta) = self.metas.iter().find(|meta| meta.run == run) else {
                return Err(Error::invalid(format!("there is no digest run {run} to merge")));
            };
            readers.push(RunReader::new(meta, pages)?);
            digests_max += meta.digests;
        }
        let mut heads = BinaryHeap::with_capacity(readers.len());
        for (place, reader) in readers.iter_mut().enumerate() {
            heads.extend(reader.next()?.map(|digest| Reverse((digest, place))));
        }
        let mut writer = RunWriter::new(new_run, digests_max);
        let mut last = None;
        while let Some(mut head) = heads.peek_mut() {
            let Reverse((digest, place)) = *head;
            if last != Some(digest) {
                last = Some(digest);
                if let Some((page, bytes)) = writer.push(digest) {
                    sink(page, bytes)?;
                }
            }
            match readers.get_mut(place).map(RunReader::next).transpose()?.flatten() {
                Some(next) => *head = Reverse((next, place)),
                None => {
                    PeekMut::pop(head);
                }
            }
        }
        let (meta, rest) = writer.finish();
        for (page, bytes) in rest {
            sink(page, bytes)?;
        }
        Ok(meta)
    }

    /// The runs `old` are now the run of `new`.
    pub(crate) fn replaced(&mut self, old: &[u64], new: RunMeta) {
        self.runs.retain(|run| !old.contains(&run.meta.run));
        self.metas.retain(|meta| !old.contains(&meta.run));
        self.add(new);
    }

    /// Takes up a run, unless it is empty.
    fn add(&mut self, meta: RunMeta) {
        if meta.digests > 0 {
            self.metas.push(meta.clone());
            self.runs.push(Run { meta, lookup: None });
        }
    }
}

fn in_table(table: &HashTable<u128>, digest: u128) -> bool {
    table.find(digest as u64, |&held| held == digest).is_some()
}

/// The places of `digests` in ascending order of digest.
///
/// Sorts words of as many upper bits of a digest as leave room for its place,
/// which is several times faster than sorting pairs; the few that agree in
/// these bits are put right afterwards.
fn in_order(digests: &[u128]) -> Vec<u32> {
    let place_bits = u64::BITS - (digests.len() as u64).leading_zeros();
    let place_mask = (1_u64 << place_bits) - 1;
    let mut words: Vec<u64> = digests
        .iter()
        .enumerate()
        .map(|(place, digest)| ((digest >> 64) as u64 & !place_mask) | place as u64)
        .collect();
    words.sort_unstable();
    for alike in words.chunk_by_mut(|a, b| a & !place_mask == b & !place_mask) {
        if alike.len() > 1 {
            alike.sort_unstable_by_key(|word| digests.get((word & place_mask) as usize).copied());
        }
    }
    words.into_iter().map(|word| (word & place_mask) as u32).collect()
}

/// Sorts digests: dealt out by their upper bits, which are uniform, so that a
/// few lie in each place, and sorted there.
fn sort_uniform(digests: &mut Vec<u128>) {
    const PLACE_DIGESTS: usize = 16;
    let bits = (digests.len() / PLACE_DIGESTS).checked_ilog2().unwrap_or(0);
    if bits == 0 {
        digests.sort_unstable();
        return;
    }
    let place = |digest: u128| (digest >> (u128::BITS - bits)) as usize;
    let mut ends = vec![0_usize; 1 << bits];
    for &digest in digests.iter() {
        ends[place(digest)] += 1;
    }
    let mut start = 0;
    for end in &mut ends {
        start += std::mem::replace(end, start);
    }
    let mut dealt = vec![0_u128; digests.len()];
    for &digest in digests.iter() {
        let end = &mut ends[place(digest)];
        dealt[*end] = digest;
        *end += 1;
    }
    let mut start = 0;
    for &end in &ends {
        dealt[start..end].sort_unstable();
        start = end;
    }
    *digests = dealt;
}

/// Removes the items at `gone`, which ascends.
fn remove_places<T>(items: &mut Vec<T>, gone: &[usize]) {
    if gone.is_empty() {
        return;
    }
    let mut gone = gone.iter().copied().peekable();
    let mut place = 0;
    items.retain(|_| {
        let keep = gone.next_if_eq(&place).is_none();
        place += 1;
        keep
    });
}

#[cfg(test)]
mod tests;
