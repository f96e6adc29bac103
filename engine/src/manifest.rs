//! The manifest: what the graph holds, and where. One small record under one
//! key, replaced by the last batch of every seal.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::chunks::{Blob, ChunkRef, Chunks};
use crate::customers::CustomersMeta;
use crate::dead::Dead;
use crate::dedupe::RunMeta;
use crate::error::{Error, Result};
use crate::evidence::LinksMeta;
use crate::history::Position;
use crate::name_index::NameIndexMeta;
use crate::recorded::{OwnPage, RecordedPage};
use crate::records;
use crate::schema::{AttrId, Schema};

/// The key of the manifest in the graph store. As a number it lies past any chunk's.
pub(crate) const KEY: &[u8] = b"manifest";
const FORMAT: u32 = 7;

/// A sealed segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentMeta {
    pub header: ChunkRef,
    pub body: Blob,
    pub rows: u64,
    pub customers: u32,
    pub first: u32,
    pub last: u32,
    pub time_min: i64,
    pub time_max: i64,
}

/// Segments of one range written together, with their occurrence index and tallies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// 0 for a seal, one more for a merge of such; the base has the highest.
    pub level: u8,
    /// Ascending, disjoint customers.
    pub segments: Vec<SegmentMeta>,
    /// No bytes where it is small and no base.
    pub index: Blob,
    pub tallies: Blob,
    /// What of it is not read any more. Segments, index and tallies hold it still.
    pub dead: Dead,
}

impl Run {
    /// Interactions that are stored, dead ones included.
    pub(crate) fn rows(&self) -> u64 {
        self.segments.iter().map(|segment| segment.rows).sum()
    }

    /// Interactions that are alive.
    pub(crate) fn live_rows(&self) -> u64 {
        self.rows().saturating_sub(self.dead.rows)
    }
}

/// 65,536 customers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    /// Whole customers as of the last fold.
    pub base: Run,
    /// What came since, oldest first.
    pub runs: Vec<Run>,
    /// Versions of interactions that were amended away, oldest first, without tallies. Only who asks
    /// of an earlier time reads them.
    pub past: Vec<Run>,
}

impl Range {
    /// The runs of what is current.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Run> {
        std::iter::once(&self.base).chain(&self.runs)
    }

    /// Those, and where `past` is set the runs of earlier versions.
    pub(crate) fn versions(&self, past: bool) -> impl Iterator<Item = &Run> {
        let past: &[Run] = if past { &self.past } else { &[] };
        self.all().chain(past)
    }
}

/// A sealed run of the event-id index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DigestRun {
    pub meta: RunMeta,
    pub pages: Vec<ChunkRef>,
}

/// A saved cohort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cohort {
    pub name: String,
    pub customers: Blob,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub store_id: [u8; 16],
    /// Everything in the history before this is in the graph.
    pub covered: Position,
    pub commit: u64,
    pub next_chunk: u64,
    pub schema: Schema,
    /// Those that are alive.
    pub interactions: u64,
    /// Rows in the history that this covers, customers' included.
    pub rows: u64,
    /// When commits were recorded.
    pub recorded: Vec<RecordedPage>,
    /// When rows were recorded that say so themselves; `None` where none does.
    pub own_times: Option<OwnPage>,
    /// Customers with an interaction, a roaring bitmap in its portable format.
    pub present: Blob,
    pub ranges: Vec<Range>,
    /// Dictionaries of the symbol attributes, each in pages of strings.
    pub symbols: Vec<(AttrId, Vec<StringPage>)>,
    pub identities: Vec<StringPage>,
    /// Where they are found by their texts.
    pub name_index: NameIndexMeta,
    /// Whom they belong to.
    pub of_identities: CustomersMeta,
    /// What was said about them.
    pub links: LinksMeta,
    pub digests: Vec<DigestRun>,
    pub next_digest_run: u64,
    pub cohorts: Vec<Cohort>,
    /// Rows of customers' attributes.
    pub customers: Option<SegmentMeta>,
    /// Who was erased; no bytes where nobody was.
    pub erased: Blob,
    /// Chunks of earlier manifests that may still be in the store.
    pub doomed: Vec<u64>,
}

/// Some strings of a table, in order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StringPage {
    pub strings: u32,
    pub blob: Blob,
}

impl Manifest {
    pub(crate) fn new(store_id: [u8; 16], start: Position) -> Self {
        Self {
            store_id,
            covered: start,
            commit: 0,
            next_chunk: 1,
            schema: Schema::new(),
            interactions: 0,
            rows: 0,
            recorded: Vec::new(),
            own_times: None,
            present: Blob::default(),
            ranges: Vec::new(),
            symbols: Vec::new(),
            identities: Vec::new(),
            name_index: NameIndexMeta::default(),
            of_identities: CustomersMeta::default(),
            links: LinksMeta::default(),
            digests: Vec::new(),
            next_digest_run: 1,
            cohorts: Vec::new(),
            customers: None,
            erased: Blob::default(),
            doomed: Vec::new(),
        }
    }

    /// format u32 | checksum of the rest u64 | bincode
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let body = records::to_bytes(self)?;
        let mut out = Vec::with_capacity(body.len() + 12);
        out.extend(FORMAT.to_le_bytes());
        out.extend(xxh3_64(&body).to_le_bytes());
        out.extend(body);
        Ok(out)
    }

    pub(crate) fn decode(bytes: &[u8], what: &str) -> Result<Self> {
        let damaged = |message: String| Error::damaged(what, 0, message);
        let (Some(format), Some(sum), Some(body)) = (
            bytes.first_chunk::<4>(),
            bytes.get(4..12).and_then(|part| part.first_chunk::<8>()),
            bytes.get(12..),
        ) else {
            return Err(damaged("the manifest is cut short".to_owned()));
        };
        let format = u32::from_le_bytes(*format);
        if format != FORMAT {
            return Err(damaged(format!("the manifest has format {format}, this program reads {FORMAT}")));
        }
        if xxh3_64(body) != u64::from_le_bytes(*sum) {
            return Err(damaged("the manifest's checksum does not hold".to_owned()));
        }
        records::from_bytes(body, what)
    }

    /// Every chunk it names.
    pub(crate) fn chunks(&self) -> Vec<ChunkRef> {
        let mut out = Vec::new();
        let segment = |meta: &SegmentMeta, out: &mut Vec<ChunkRef>| {
            out.push(meta.header);
            out.extend(&meta.body.pages);
        };
        for run in self.ranges.iter().flat_map(|range| range.versions(true)) {
            for meta in &run.segments {
                segment(meta, &mut out);
            }
            out.extend(run.index.pages.iter().chain(&run.tallies.pages).chain(&run.dead.tallies.pages));
        }
        for page in self.symbols.iter().flat_map(|(_, pages)| pages).chain(&self.identities) {
            out.extend(&page.blob.pages);
        }
        out.extend(self.name_index.chunks());
        out.extend(self.of_identities.chunks());
        out.extend(self.links.chunks());
        out.extend(self.present.pages.iter().chain(&self.erased.pages));
        for blob in
            self.recorded.iter().map(|page| &page.blob).chain(self.own_times.iter().map(|own| &own.blob))
        {
            out.extend(&blob.pages);
        }
        for run in &self.digests {
            out.extend(&run.pages);
        }
        for cohort in &self.cohorts {
            out.extend(&cohort.customers.pages);
        }
        if let Some(meta) = &self.customers {
            segment(meta, &mut out);
        }
        out
    }
}

/// A manifest as readers hold it. A version keeps the next one alive, so that
/// versions end oldest first; when one ends, the chunks that only it and its
/// elders named are buried.
#[derive(Debug)]
pub(crate) struct Version {
    pub manifest: Manifest,
    pub chunks: Arc<Chunks>,
    doomed: Mutex<Vec<u64>>,
    next: OnceLock<Arc<Version>>,
}

impl Version {
    pub(crate) fn new(manifest: Manifest, chunks: Arc<Chunks>) -> Arc<Self> {
        Arc::new(Self { manifest, chunks, doomed: Mutex::default(), next: OnceLock::new() })
    }

    /// Says that `next` follows, which no longer names `doomed`.
    pub(crate) fn superseded(&self, next: &Arc<Version>, doomed: Vec<u64>) {
        *self.doomed.lock() = doomed;
        // A version is superseded once; a second call would leave the first in place.
        let _ = self.next.set(Arc::clone(next));
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        self.chunks.bury(std::mem::take(&mut *self.doomed.lock()));
        // One after another: a reader may have kept a chain of any length alive.
        let mut next = self.next.take();
        while let Some(mut version) = next.and_then(Arc::into_inner) {
            next = version.next.take();
        }
    }
}
