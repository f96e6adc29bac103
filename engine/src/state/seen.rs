//! Which event ids and rows were seen, as the writer holds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chunks::{ChunkRef, ChunkWriter, Chunks};
use crate::dedupe::{DigestSet, RunPages};
use crate::error::{Error, Result};
use crate::manifest::DigestRun;

/// The event-id index: digests in memory and in sealed runs.
pub(crate) struct Seen {
    pub set: DigestSet,
    pub(super) pages: BTreeMap<u64, Vec<ChunkRef>>,
    pub(super) next_run: u64,
}

struct SeenPages<'a> {
    chunks: &'a Chunks,
    pages: &'a BTreeMap<u64, Vec<ChunkRef>>,
}

impl RunPages for SeenPages<'_> {
    fn page(&self, run: u64, page: u32) -> Result<Arc<[u8]>> {
        let chunk = self.pages.get(&run).and_then(|pages| pages.get(page as usize)).ok_or_else(|| {
            Error::damaged(
                self.chunks.folder(),
                0,
                format!("page {page} of event-id run {run} is not in the manifest"),
            )
        })?;
        // Past the cache: a look-up reads each page once, and would drive out what queries use.
        self.chunks.read(*chunk)
    }
}

impl Seen {
    pub(super) fn load(runs: &[DigestRun], next_run: u64) -> Self {
        Self {
            set: DigestSet::with_runs(runs.iter().map(|run| run.meta.clone()).collect()),
            pages: runs.iter().map(|run| (run.meta.run, run.pages.clone())).collect(),
            next_run,
        }
    }

    pub(crate) fn contains(&mut self, chunks: &Chunks, keys: &[u128]) -> Result<Vec<bool>> {
        self.set.contains(keys, &SeenPages { chunks, pages: &self.pages })
    }

    /// As [`Seen::contains`], of the first `runs` runs alone.
    pub(crate) fn in_first_runs(&mut self, chunks: &Chunks, keys: &[u128], runs: usize) -> Result<Vec<bool>> {
        self.set.in_first_runs(keys, runs, &SeenPages { chunks, pages: &self.pages })
    }

    /// Seals the digests in memory.
    pub(super) fn seal_memory(&mut self, out: &mut ChunkWriter<'_>) -> Result<()> {
        if self.set.unsealed() > 0 {
            let encoded = self.set.encode_unsealed(self.next_run);
            let pages = encoded.pages.into_iter().map(|page| out.chunk(page)).collect::<Result<_>>()?;
            self.pages.insert(self.next_run, pages);
            self.next_run += 1;
            self.set.sealed(encoded.meta);
        }
        Ok(())
    }

    /// Seals the digests in memory, and merges runs that are due. Answers the
    /// chunks that are no longer used.
    pub(super) fn seal(&mut self, out: &mut ChunkWriter<'_>, chunks: &Chunks) -> Result<Vec<u64>> {
        let mut unused = Vec::new();
        self.seal_memory(out)?;
        while let Some(due) = self.set.due_merge() {
            out.send()?;
            let mut pages: BTreeMap<u32, ChunkRef> = BTreeMap::new();
            let source = SeenPages { chunks, pages: &self.pages };
            let meta = self.set.merge_runs(&due, self.next_run, &source, &mut |number, page| {
                pages.insert(number, out.chunk(page)?);
                Ok(())
            })?;
            for run in &due {
                unused.extend(self.pages.remove(run).unwrap_or_default().iter().map(|chunk| chunk.id));
            }
            self.pages.insert(self.next_run, pages.into_values().collect());
            self.next_run += 1;
            self.set.replaced(&due, meta);
        }
        Ok(unused)
    }
}
