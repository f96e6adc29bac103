//! Chunks: the graph's bytes under checksums, and blobs cut into chunks.
//!
//! A chunk's key in the graph store is its number, eight bytes big-endian.
//! Numbers are never reused while a manifest that names them lives. What is
//! written before the manifest that names it does not exist for a reader.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::graph_store::{Change, GraphStore};
use crate::limits::{GRAPH_BATCH_BYTES_MAX, PAGE_BYTES};

/// A chunk as the manifest names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChunkRef {
    pub id: u64,
    pub len: u32,
    pub checksum: u64,
}

/// Bytes of any length, cut into pages of [`PAGE_BYTES`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blob {
    pub pages: Vec<ChunkRef>,
}

impl Blob {
    pub(crate) fn len(&self) -> u64 {
        self.pages.iter().map(|page| u64::from(page.len)).sum()
    }
}

/// Reads verified chunks through the cache. Shared by all snapshots of one
/// graph folder.
pub(crate) struct Chunks {
    store: Box<dyn GraphStore>,
    cache: Cache,
    graveyard: Mutex<Vec<u64>>,
    folder: String,
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Chunks {
    pub(crate) fn new(store: Box<dyn GraphStore>, folder: String, cache_bytes: usize) -> Self {
        Self { store, cache: Cache::new(cache_bytes), graveyard: Mutex::default(), folder }
    }

    /// The folder's name, for messages.
    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    /// The verified bytes of a chunk.
    pub(crate) fn get(&self, chunk: ChunkRef) -> Result<Arc<[u8]>> {
        if let Some(bytes) = self.cache.get(chunk.id) {
            return Ok(bytes);
        }
        let bytes = self.read(chunk)?;
        self.cache.put(chunk.id, &bytes);
        Ok(bytes)
    }

    /// As [`Chunks::get`], past the cache.
    pub(crate) fn read(&self, chunk: ChunkRef) -> Result<Arc<[u8]>> {
        let damaged = |what: String| Error::damaged(format!("{}/chunk {}", self.folder, chunk.id), 0, what);
        let bytes = self
            .store
            .get(&chunk.id.to_be_bytes())?
            .ok_or_else(|| damaged("it is missing from the graph".to_owned()))?;
        if bytes.len() != chunk.len as usize {
            return Err(damaged(format!("{} bytes long instead of {}", bytes.len(), chunk.len)));
        }
        if xxh3_64(&bytes) != chunk.checksum {
            return Err(damaged("its checksum does not hold".to_owned()));
        }
        Ok(Arc::from(bytes))
    }

    /// Bytes `range` of a blob. Borrows nothing: a range inside one page costs
    /// a copy of the range.
    pub(crate) fn blob_range(&self, blob: &Blob, range: std::ops::Range<u64>) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity((range.end.saturating_sub(range.start)) as usize);
        let mut start = 0_u64;
        for page in &blob.pages {
            let end = start + u64::from(page.len);
            if end > range.start && start < range.end {
                let bytes = self.get(*page)?;
                let from = range.start.saturating_sub(start) as usize;
                let to = (range.end.min(end) - start) as usize;
                out.extend_from_slice(bytes.get(from..to).unwrap_or_default());
            }
            start = end;
        }
        if out.len() as u64 != range.end.saturating_sub(range.start) {
            return Err(Error::damaged(
                self.folder.clone(),
                range.start,
                "a column reaches past its segment",
            ));
        }
        Ok(out)
    }

    /// A whole blob.
    pub(crate) fn blob(&self, blob: &Blob) -> Result<Vec<u8>> {
        self.blob_range(blob, 0..blob.len())
    }

    /// The value of a named key, unverified.
    pub(crate) fn named(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.store.get(key)
    }

    /// Chunks that no manifest and no reader needs any more; the next writer removes them.
    pub(crate) fn bury(&self, ids: impl IntoIterator<Item = u64>) {
        self.graveyard.lock().extend(ids);
    }

    pub(crate) fn take_buried(&self) -> Vec<u64> {
        std::mem::take(&mut *self.graveyard.lock())
    }

    /// Removes chunks.
    pub(crate) fn remove(&self, ids: &[u64]) -> Result<()> {
        for &id in ids {
            self.cache.forget(id);
        }
        for part in ids.chunks(4096) {
            self.store.apply(part.iter().map(|id| (id.to_be_bytes().to_vec(), None)).collect())?;
        }
        Ok(())
    }
}

/// Writes chunks in batches of bounded size. Nothing is durable before
/// [`ChunkWriter::finish`].
pub(crate) struct ChunkWriter<'a> {
    chunks: &'a Chunks,
    next: u64,
    batch: Vec<Change>,
    bytes: usize,
}

impl<'a> ChunkWriter<'a> {
    /// A writer that numbers its chunks from `next`.
    pub(crate) fn new(chunks: &'a Chunks, next: u64) -> Self {
        Self { chunks, next, batch: Vec::new(), bytes: 0 }
    }

    /// Writes a chunk of at most [`PAGE_BYTES`].
    pub(crate) fn chunk(&mut self, bytes: Vec<u8>) -> Result<ChunkRef> {
        let chunk = ChunkRef { id: self.next, len: bytes.len() as u32, checksum: xxh3_64(&bytes) };
        self.next += 1;
        self.bytes += bytes.len();
        self.batch.push((chunk.id.to_be_bytes().to_vec(), Some(bytes)));
        if self.bytes >= GRAPH_BATCH_BYTES_MAX {
            self.send()?;
        }
        Ok(chunk)
    }

    /// Writes a blob.
    pub(crate) fn blob(&mut self, bytes: &[u8]) -> Result<Blob> {
        let pages = bytes.chunks(PAGE_BYTES).map(|page| self.chunk(page.to_vec())).collect::<Result<_>>()?;
        Ok(Blob { pages })
    }

    /// The number the next chunk gets.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Hands what has gathered to the store.
    pub(crate) fn send(&mut self) -> Result<()> {
        self.bytes = 0;
        if self.batch.is_empty() {
            return Ok(());
        }
        self.chunks.store.apply(std::mem::take(&mut self.batch))
    }

    /// Makes all chunks durable, then the named value that refers to them.
    pub(crate) fn finish(mut self, key: &[u8], value: Vec<u8>) -> Result<()> {
        self.send()?;
        self.chunks.store.flush()?;
        self.chunks.store.apply(vec![(key.to_vec(), Some(value))])?;
        self.chunks.store.flush()
    }
}
