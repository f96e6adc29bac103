//! Chunks: the graph's bytes under checksums, and blobs cut into chunks.
//!
//! A chunk's key in the graph store is its number, eight bytes big-endian.
//! Numbers are never reused while a manifest that names them lives. What is
//! written before the manifest that names it does not exist for a reader.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::ops::Range;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::cache::Cache;
use crate::columns::Bytes;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::graph_store::{Change, GraphStore};
use crate::limits::{COLUMN_PAGE_BYTES_MIN, GRAPH_BATCH_BYTES_MAX, PAGE_BYTES};

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
    // After the store, so that it goes when that is closed.
    removal: Removal,
}

/// Removes a folder when it is dropped, where it was told to and the handle of the store is still
/// open: later the folder may be another's.
#[derive(Default)]
struct Removal(Mutex<Option<Unused>>);

struct Unused {
    disk: Arc<dyn Disk>,
    handle: Weak<()>,
    folder: String,
}

impl Drop for Removal {
    fn drop(&mut self) {
        if let Some(Unused { disk, handle, folder }) = self.0.lock().take()
            && let Some(_alive) = handle.upgrade()
        {
            // Whatever stays is removed at the next opening.
            drop(disk.remove_dir(&folder));
        }
    }
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Chunks {
    pub(crate) fn new(store: Box<dyn GraphStore>, folder: String, cache_bytes: usize) -> Self {
        Self {
            store,
            cache: Cache::new(cache_bytes),
            graveyard: Mutex::default(),
            folder,
            removal: Removal::default(),
        }
    }

    /// Removes the folder once nobody reads from it, while `handle` lives.
    pub(crate) fn remove_when_unused(&self, disk: &Arc<dyn Disk>, handle: &Arc<()>) {
        let (disk, handle) = (Arc::clone(disk), Arc::downgrade(handle));
        *self.removal.0.lock() = Some(Unused { disk, handle, folder: self.folder.clone() });
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
        self.verified(chunk, self.store.get(&chunk.id.to_be_bytes())?)
    }

    /// As [`Chunks::get`] of each, those that are not in the cache in one turn of the store.
    fn get_many(&self, chunks: &[ChunkRef]) -> Result<Vec<Arc<[u8]>>> {
        let held: Vec<Option<Arc<[u8]>>> = chunks.iter().map(|chunk| self.cache.get(chunk.id)).collect();
        let missing = chunks.iter().zip(&held).filter(|(_, held)| held.is_none());
        let keys: Vec<[u8; 8]> = missing.map(|(chunk, _)| chunk.id.to_be_bytes()).collect();
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let mut found = if keys.is_empty() { Vec::new() } else { self.store.get_many(&keys)? }.into_iter();
        let each = chunks.iter().zip(held).map(|(&chunk, held)| match held {
            Some(bytes) => Ok(bytes),
            None => {
                let bytes = self.verified(chunk, found.next().flatten())?;
                self.cache.put(chunk.id, &bytes);
                Ok(bytes)
            }
        });
        each.collect()
    }

    fn verified(&self, chunk: ChunkRef, bytes: Option<Vec<u8>>) -> Result<Arc<[u8]>> {
        self.checked(chunk, bytes).map(Arc::from)
    }

    fn checked(&self, chunk: ChunkRef, bytes: Option<Vec<u8>>) -> Result<Vec<u8>> {
        let damaged = |what: String| Error::damaged(format!("{}/chunk {}", self.folder, chunk.id), 0, what);
        let bytes = bytes.ok_or_else(|| damaged("it is missing from the graph".to_owned()))?;
        if bytes.len() != chunk.len as usize {
            return Err(damaged(format!("{} bytes long instead of {}", bytes.len(), chunk.len)));
        }
        if xxh3_64(&bytes) != chunk.checksum {
            return Err(damaged("its checksum does not hold".to_owned()));
        }
        Ok(bytes)
    }

    /// A blob, to be read by place.
    pub(crate) fn view<'a>(&'a self, blob: &'a Blob) -> BlobView<'a> {
        let mut end = 0;
        let ends = blob.pages.iter().map(|page| {
            end += page.len as usize;
            end
        });
        let pages = ends.zip(&blob.pages).map(|(end, page)| ViewedPage { end, page, bytes: OnceCell::new() });
        BlobView { chunks: self, pages: pages.collect(), handed_out: Cell::new(0) }
    }

    /// A whole blob.
    pub(crate) fn blob(&self, blob: &Blob) -> Result<Vec<u8>> {
        let view = self.view(blob);
        let bytes = view.get(0..view.len())?;
        Ok(bytes.into_owned())
    }

    /// A whole blob, past the cache: what is read once would drive out what is read again.
    pub(crate) fn blob_once(&self, blob: &Blob) -> Result<Vec<u8>> {
        let read = |page: &ChunkRef| self.checked(*page, self.store.get(&page.id.to_be_bytes())?);
        let Some((first, others)) = blob.pages.split_first() else { return Ok(Vec::new()) };
        let mut bytes = read(first)?;
        for page in others {
            bytes.append(&mut read(page)?);
        }
        Ok(bytes)
    }

    /// A part of a blob.
    pub(crate) fn blob_range(&self, blob: &Blob, range: std::ops::Range<u64>) -> Result<Vec<u8>> {
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        self.view(blob).get(place(range.start)..place(range.end)).map(Cow::into_owned)
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

/// A blob whose pages are read when something in them is asked for.
pub(crate) struct BlobView<'a> {
    chunks: &'a Chunks,
    pages: Vec<ViewedPage<'a>>,
    handed_out: Cell<u64>,
}

struct ViewedPage<'a> {
    /// Where it ends in the blob.
    end: usize,
    page: &'a ChunkRef,
    bytes: OnceCell<Arc<[u8]>>,
}

impl BlobView<'_> {
    /// How many bytes were asked for.
    pub(crate) fn handed_out(&self) -> u64 {
        self.handed_out.get()
    }

    /// Reads the pages of some ranges at once: one turn of the store instead of one for each.
    pub(crate) fn fetch(&self, ranges: &[Range<usize>]) -> Result<()> {
        let is_asked_for = |page: &&ViewedPage<'_>| {
            let begin = page.end.saturating_sub(page.page.len as usize);
            let asked = ranges.iter().any(|range| begin < range.end && range.start < page.end);
            asked && page.bytes.get().is_none()
        };
        let pages: Vec<&ViewedPage<'_>> = self.pages.iter().filter(is_asked_for).collect();
        let chunks: Vec<ChunkRef> = pages.iter().map(|page| *page.page).collect();
        for (page, bytes) in pages.iter().zip(self.chunks.get_many(&chunks)?) {
            page.bytes.get_or_init(|| bytes);
        }
        Ok(())
    }

    fn page(&self, page: &ViewedPage<'_>) -> Result<Arc<[u8]>> {
        self.chunks.get(*page.page)
    }

    fn past_end(&self, at: usize) -> Error {
        Error::damaged(self.chunks.folder.clone(), at as u64, "a column reaches past its segment")
    }
}

impl Bytes for BlobView<'_> {
    fn len(&self) -> usize {
        self.pages.last().map_or(0, |page| page.end)
    }

    /// A range inside one page is borrowed.
    fn get(&self, range: Range<usize>) -> Result<Cow<'_, [u8]>> {
        let Range { start, end } = range;
        if end < start || end > self.len() {
            return Err(self.past_end(end));
        }
        self.handed_out.set(self.handed_out.get() + (end - start) as u64);
        let first = self.pages.partition_point(|page| page.end <= start);
        let mut out: Cow<'_, [u8]> = Cow::Borrowed(&[]);
        let mut from = start;
        for page in self.pages.iter().skip(first) {
            if from >= end {
                break;
            }
            let bytes = match page.bytes.get() {
                Some(bytes) => bytes,
                None => page.bytes.get_or_init({
                    let bytes = self.page(page)?;
                    || bytes
                }),
            };
            let begin = page.end.saturating_sub(page.page.len as usize);
            let to = end.min(page.end);
            let part = bytes.get(from - begin..to - begin).ok_or_else(|| self.past_end(end))?;
            match &mut out {
                Cow::Borrowed([]) => out = Cow::Borrowed(part),
                whole => {
                    let whole = whole.to_mut();
                    whole.reserve_exact(end - from);
                    whole.extend_from_slice(part);
                }
            }
            from = to;
        }
        Ok(out)
    }
}

/// A part of other bytes, read by place.
pub(crate) struct BytesPart<'a> {
    pub bytes: &'a dyn Bytes,
    pub range: Range<usize>,
}

impl Bytes for BytesPart<'_> {
    fn len(&self) -> usize {
        self.range.len()
    }

    fn get(&self, range: Range<usize>) -> Result<Cow<'_, [u8]>> {
        let (start, end) =
            (self.range.start.saturating_add(range.start), self.range.start.saturating_add(range.end));
        if end > self.range.end {
            return Err(Error::damaged("a part of a segment", end as u64, "it ends before"));
        }
        self.bytes.get(start..end)
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

    /// Writes a blob of parts that end at `ends`, ascending. A long part has pages of its own, so
    /// that it is read without the others; short ones share theirs with short neighbours.
    pub(crate) fn parts(&mut self, bytes: &[u8], ends: &[usize]) -> Result<Blob> {
        let mut cuts = Vec::with_capacity(ends.len() + 1);
        let (mut page, mut begin) = (0, 0);
        for &end in ends {
            let is_long = end.saturating_sub(begin) >= COLUMN_PAGE_BYTES_MIN;
            if is_long || end.saturating_sub(page) >= 2 * COLUMN_PAGE_BYTES_MIN {
                cuts.push(begin);
                page = begin;
            }
            if is_long {
                cuts.push(end);
                page = end;
            }
            begin = end;
        }
        cuts.push(bytes.len());
        let mut blob = Blob::default();
        let mut rest = bytes;
        let mut begin = 0;
        for cut in cuts {
            let (page, after) = rest.split_at(cut.saturating_sub(begin).min(rest.len()));
            blob.pages.extend(self.blob(page)?.pages);
            (rest, begin) = (after, cut);
        }
        Ok(blob)
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
