//! The graph as the writer holds it: what is sealed, what is in memory since,
//! and the names and keys that new rows are checked against.

mod edits;
mod erase;
mod links;
mod pairs;
mod rewrite;
mod seen;
mod tables;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::Schema;
use crate::block::Block;
use crate::chunks::{ChunkWriter, Chunks};
use crate::customers::Customers;
use crate::dead::Unmarked;
use crate::digest;
use crate::erased::Erased;
use crate::error::Result;
use crate::evidence::LinkLog;
use crate::history::Position;
use crate::identities::Identities;
use crate::limits::RANGE_CUSTOMERS;
use crate::manifest::{self, DigestRun, Manifest, Range, Version};
use crate::merge::{Rows, select_customers};
use crate::names::{Names, Symbols};
use crate::order::{merge_blocks, sort};
use crate::recorded::Log;
use crate::records::{self, CohortRecord, FrameRows};
use crate::schema::Role;
use crate::seal::{Amount, NewRows, Sources, install, write_segment};
use crate::span::{Wanted, read_segment};
use crate::tail::Tail;
use crate::ties::Ties;
use crate::versions::{Versions, are_edits};
use crate::written::Written;
pub(crate) use edits::Edits;
pub(crate) use pairs::frames_of_rows;
pub(crate) use seen::Seen;
use tables::{Saved, load_table, save_table};
pub(crate) use tables::{bitmap, bitmap_bytes};

/// Keeps customers' rows apart from interactions in the index of what was seen.
pub(crate) const DOMAIN_INTERACTIONS: u8 = 0;
pub(crate) const DOMAIN_CUSTOMERS: u8 = 1;

/// The writer's graph.
pub(crate) struct State {
    pub names: Names,
    pub version: Arc<Version>,
    /// Unsealed interactions.
    pub tail: Tail,
    /// Unsealed versions of interactions that were amended away; whoever has some in here has
    /// interactions in the tail.
    pub past: Tail,
    /// What is to be done to interactions, until it is settled.
    pub edits: Edits,
    /// Of whom all that is sealed is dead, until the next seal marks the runs.
    pub unmarked: Unmarked,
    /// Rows of customers' attributes, sorted; an interaction's columns by another subject.
    pub customers: Option<Arc<Block>>,
    pub cohorts: BTreeMap<String, Arc<RoaringBitmap>>,
    /// Customers with an interaction.
    pub present: Arc<RoaringBitmap>,
    /// Who was taken out for good.
    pub erased: Erased,
    pub seen: Seen,
    pub store_key: u64,
    pub commit: u64,
    /// Rows in the history that this state reflects, customers' included.
    pub rows: u64,
    /// When commits were recorded.
    pub recorded: Log,
    /// All that was said about identities.
    pub links: LinkLog,
    /// What that comes to, once it was needed.
    pub ties: Option<Ties>,
    /// Whose customers may be others since customers were settled.
    pub concerned: RoaringBitmap,
    /// Where the history ends that this state reflects.
    pub end: Position,
    /// Threads that segments are made on.
    pub threads: usize,
    /// What its seals wrote.
    pub written: Written,
    next_chunk: u64,
    doomed: Vec<u64>,
    saved: Saved,
}

/// A state as it was when rows that may have to be given up began to come.
pub(crate) struct Mark {
    names: Names,
    identities: usize,
    customers: Option<Arc<Block>>,
    present: Arc<RoaringBitmap>,
    recorded: Log,
    links: LinkLog,
    erased: Erased,
    rows: u64,
}

impl State {
    /// The state of an empty graph.
    pub(crate) fn new(
        chunks: Arc<Chunks>,
        store_id: [u8; 16],
        start: Position,
        threads: usize,
    ) -> Result<Self> {
        Self::load(chunks, Manifest::new(store_id, start), threads)
    }

    /// The state a manifest describes; what is read and written much is, on some threads.
    pub(crate) fn load(chunks: Arc<Chunks>, manifest: Manifest, threads: usize) -> Result<Self> {
        let mut names = Names::new(manifest.schema.clone());
        for (attr, pages) in &manifest.symbols {
            let table = load_table(&chunks, pages)?;
            names.symbols.insert(*attr, Arc::new(Symbols { table }));
        }
        names.ordinals = manifest.identities.iter().fold(0, |all, page| page.strings.saturating_add(all));
        names.identities = Arc::new(Identities::of(&chunks, &manifest, threads));
        names.customers = Customers::of_manifest(&chunks, &manifest.of_identities);
        let customers = match &manifest.customers {
            Some(meta) => Some(Arc::new(read_segment(&chunks, &names, meta, Wanted::All)?)),
            None => None,
        };
        let mut cohorts = BTreeMap::new();
        for cohort in &manifest.cohorts {
            cohorts.insert(
                cohort.name.clone(),
                Arc::new(bitmap(&chunks.blob(&cohort.customers)?, chunks.folder())?),
            );
        }
        let present = match manifest.present.pages.is_empty() {
            true => RoaringBitmap::new(),
            false => bitmap(&chunks.blob(&manifest.present)?, chunks.folder())?,
        };
        let present = Arc::new(present);
        let erased = match manifest.erased.pages.is_empty() {
            true => Erased::default(),
            false => Erased::decode(&chunks.blob(&manifest.erased)?, chunks.folder())?,
        };
        names.erased = erased.hidden();
        let mut links = LinkLog::load(&chunks, &manifest.links)?;
        erased.forgotten().for_each(|(identity, commit)| links.forget(identity, commit));
        Ok(Self {
            store_key: store_key(manifest.store_id),
            seen: Seen::load(&manifest.digests, manifest.next_digest_run),
            commit: manifest.commit,
            rows: manifest.rows,
            links,
            ties: None,
            concerned: RoaringBitmap::new(),
            recorded: Log::load(&chunks, &manifest.recorded, manifest.own_times.as_ref())?,
            end: manifest.covered,
            threads,
            written: Written::default(),
            next_chunk: manifest.next_chunk,
            doomed: manifest.doomed.clone(),
            version: Version::new(manifest, chunks),
            saved: Saved {
                present: Arc::clone(&present),
                customers: customers.clone(),
                cohorts: cohorts.clone(),
                erased: erased.clone(),
            },
            erased,
            names,
            tail: Tail::default(),
            past: Tail::default(),
            edits: Edits::default(),
            unmarked: Unmarked::default(),
            customers,
            cohorts,
            present,
        })
    }

    pub(crate) fn chunks(&self) -> &Arc<Chunks> {
        &self.version.chunks
    }

    pub(crate) fn tail_rows(&self) -> usize {
        self.tail.rows()
    }

    /// Interactions in memory, and versions of them.
    pub(crate) fn unsealed_rows(&self) -> usize {
        self.tail.rows() + self.past.rows()
    }

    /// Bytes of text among those.
    pub(crate) fn unsealed_text_bytes(&self) -> usize {
        self.tail.text_bytes() + self.past.text_bytes()
    }

    /// Whether there is nothing in memory that a seal would write, as far as interactions go.
    pub(crate) fn is_sealed(&self) -> bool {
        self.tail.is_empty() && self.past.is_empty() && self.unmarked.customers().is_empty()
    }

    pub(crate) fn interactions(&self) -> u64 {
        (self.version.manifest.interactions + self.tail_rows() as u64).saturating_sub(self.unmarked.rows())
    }

    /// The keys a frame's rows are remembered under; `None` for a row that is
    /// kept however often it comes.
    pub(crate) fn keys(&self, frame: &FrameRows, domain: u8) -> Vec<Option<u128>> {
        let digests = frame.occurrences.as_ref().map(|_| self.frame_digests(frame));
        self.keys_by(frame, domain, digests.as_deref())
    }

    /// As [`State::keys`], for rows whose content digests are known.
    pub(crate) fn keys_by(
        &self,
        frame: &FrameRows,
        domain: u8,
        digests: Option<&[u128]>,
    ) -> Vec<Option<u128>> {
        let mut keys = self.event_ids(frame);
        if let (Some(occurrences), Some(digests)) = (&frame.occurrences, digests) {
            for ((key, &occurrence), &digest) in keys.iter_mut().zip(occurrences).zip(digests) {
                if key.is_none() && occurrence >= 0 {
                    *key = Some(digest::content_key(self.store_key, domain, digest, occurrence as u32));
                }
            }
        }
        self.renew_keys(frame, &mut keys);
        keys
    }

    /// The keys of the event ids of a frame's rows, of those that have one.
    fn event_ids(&self, frame: &FrameRows) -> Vec<Option<u128>> {
        let event_id = self.names.schema.role(Role::EventId).map(|attribute| attribute.id);
        match frame.columns.iter().find(|(attr, _)| Some(*attr) == event_id) {
            Some((_, crate::Column::Str { codes, dictionary })) => {
                let place = |&code: &u32| (code as usize).checked_sub(1);
                let key = |place| digest::event_key(self.store_key, dictionary.get(place));
                codes.iter().map(|code| place(code).map(key)).collect()
            }
            _ => vec![None; frame.len()],
        }
    }

    /// The content digests of a frame's rows.
    pub(crate) fn frame_digests(&self, frame: &FrameRows) -> Vec<u128> {
        let mut sums = vec![0_u128; frame.len()];
        for (attr, column) in &frame.columns {
            if let Some(attribute) = self.names.schema.get(*attr) {
                digest::add_column(&mut sums, attribute, column, &|_| String::new());
            }
        }
        let identities: Vec<u128> = frame.identities.iter().map(digest::identity_hash).collect();
        sums.iter()
            .zip(&frame.identity_codes)
            .zip(&frame.times)
            .map(|((&sum, &code), &time)| {
                digest::row_digest(identities.get(code as usize).copied().unwrap_or_default(), time, sum)
            })
            .collect()
    }

    /// Remembers keys that are new, and seals them once many have gathered.
    pub(crate) fn remember(&mut self, keys: &[Option<u128>]) -> Result<()> {
        let keys: Vec<u128> = keys.iter().flatten().copied().collect();
        for part in keys.chunks(1 << 16) {
            self.seen.set.insert_new(part);
            if self.seen.set.is_full() {
                // Runs are merged with the next manifest, so that the first ones stay what they were.
                let chunks = Arc::clone(self.chunks());
                let mut out = ChunkWriter::new(&chunks, self.next_chunk);
                self.seen.seal_memory(&mut out)?;
                self.next_chunk = out.next();
                out.send()?;
            }
        }
        Ok(())
    }

    /// What there is, to go back to. Nothing may be sealed or shown in between.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            names: self.names.clone(),
            identities: self.names.ordinals as usize,
            customers: self.customers.clone(),
            present: Arc::clone(&self.present),
            recorded: self.recorded.clone(),
            links: self.links.clone(),
            erased: self.erased.clone(),
            rows: self.rows,
        }
    }

    /// Becomes what it was at a mark.
    pub(crate) fn go_back(&mut self, mark: &Mark) {
        self.names = mark.names.clone();
        // Readers share the table, and look no further than their own last identity.
        // Where it was not read nothing was added to it.
        if self.names.identities.if_read().is_some()
            && let Ok(mut identities) = self.names.identities.write()
        {
            identities.truncate(mark.identities);
        }
        self.customers.clone_from(&mark.customers);
        self.present = Arc::clone(&mark.present);
        self.recorded = mark.recorded.clone();
        self.links = mark.links.clone();
        self.ties = None;
        self.concerned.clear();
        self.erased = mark.erased.clone();
        self.rows = mark.rows;
        self.forget_unsealed_keys();
    }

    /// Forgets keys remembered since the last seal.
    fn forget_unsealed_keys(&mut self) {
        let manifest = &self.version.manifest;
        let named: HashSet<u64> = manifest.digests.iter().map(|run| run.meta.run).collect();
        let orphans: Vec<u64> = (self.seen.pages.iter().filter(|(run, _)| !named.contains(run)))
            .flat_map(|(_, pages)| pages.iter().map(|chunk| chunk.id))
            .collect();
        self.chunks().bury(orphans);
        self.seen = Seen::load(&manifest.digests, self.seen.next_run);
    }

    /// Takes the schema of a record.
    pub(crate) fn set_schema(&mut self, schema: Schema) {
        let before = Arc::clone(&self.names.schema);
        self.names.schema = Arc::new(schema);
        let widened =
            before.attributes().iter().zip(self.names.schema.attributes()).any(|(old, new)| old.ty != new.ty);
        if widened {
            // What is in memory is kept as the types are now; what is sealed is read through them.
            let names = &self.names;
            let conform = |block: &Arc<Block>| {
                let mut block = Block::clone(block);
                block.columns = block
                    .columns
                    .into_iter()
                    .map(|(attr, column)| (attr, names.conform(attr, column)))
                    .collect();
                Arc::new(block)
            };
            self.tail.change(conform);
            self.past.change(conform);
            self.customers = self.customers.as_ref().map(conform);
        }
    }

    /// Takes a saved cohort. Who saved it may not have known yet who was erased.
    pub(crate) fn set_cohort(&mut self, record: CohortRecord, commit: u64) -> Result<()> {
        let mut customers = bitmap(&record.customers, "a cohort's record")?;
        self.names.erased.remove_from(&mut customers);
        self.erased.coming.remove_from(&mut customers, commit);
        self.cohorts.insert(record.name, Arc::new(customers));
        Ok(())
    }

    /// Adds interactions to the ones in memory, or versions of them, or edits to those that wait.
    pub(crate) fn add_to_tail(&mut self, rows: Rows) -> Result<()> {
        if are_edits(&rows) {
            self.edits.add(rows);
            return Ok(());
        }
        if rows.is_empty() {
            return Ok(());
        }
        self.note_present(&rows.customers);
        let block = sort(&self.names, rows)?;
        self.add_versions(block)
    }

    pub(crate) fn note_present(&mut self, customers: &[u32]) {
        let mut new: Vec<u32> =
            customers.iter().copied().filter(|&customer| !self.present.contains(customer)).collect();
        if !new.is_empty() {
            new.sort_unstable();
            new.dedup();
            Arc::make_mut(&mut self.present).extend(new);
        }
    }

    /// Adds rows of customers' attributes.
    pub(crate) fn add_customers(&mut self, rows: Rows) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let block = sort(&self.names, rows)?;
        let block = match self.customers.take() {
            None => block,
            Some(before) => {
                let parts = [Arc::unwrap_or_clone(before), block];
                merge_blocks(&self.names, &parts, None)?
            }
        };
        self.customers = Some(Arc::new(block));
        Ok(())
    }

    /// Writes what is in memory into the graph.
    pub(crate) fn seal(&mut self) -> Result<()> {
        let block = self.tail.merged(&self.names)?;
        let past = self.past.merged(&self.names)?;
        let mut rows_of: BTreeMap<u32, Amount> = BTreeMap::new();
        for (place, customer) in block.customers.iter().enumerate() {
            rows_of.entry(customer / RANGE_CUSTOMERS).or_default().rows += block.journey(place).len() as u64;
        }
        let text_of_row = block.text_bytes().div_ceil(block.rows().max(1)) as u64;
        rows_of.values_mut().for_each(|amount| amount.text = amount.rows.saturating_mul(text_of_row));
        let cut = |block: &Block, span| match block.customers.is_empty() {
            true => Block::default(),
            false => select_customers(block, span),
        };
        self.seal_with(&rows_of, &|span| {
            Ok(Versions { current: cut(&block, span.clone()), past: cut(&past, span) })
        })
    }

    /// Writes new interactions of some ranges, and everything else that is not
    /// in the graph yet, and moves the manifest. The tail must be among what `new` gives.
    pub(crate) fn seal_with(&mut self, rows_of: &BTreeMap<u32, Amount>, new: NewRows<'_>) -> Result<()> {
        let chunks = Arc::clone(self.chunks());
        let mut out = ChunkWriter::new(&chunks, self.next_chunk);
        let old = Arc::clone(&self.version);
        let mut manifest = old.manifest.clone();
        let sources = Sources { chunks: &chunks, names: &self.names, unmarked: &self.unmarked, new };
        install(&sources, &mut out, &mut manifest.ranges, rows_of, self.threads)?;
        manifest.interactions =
            manifest.ranges.iter().flat_map(Range::all).map(manifest::Run::live_rows).sum();
        manifest.schema = Schema::clone(&self.names.schema);
        for (attr, symbols) in &self.names.symbols {
            let pages = match manifest.symbols.iter_mut().find(|(id, _)| id == attr) {
                Some((_, pages)) => pages,
                None => {
                    manifest.symbols.push((*attr, Vec::new()));
                    match manifest.symbols.last_mut() {
                        Some((_, pages)) => pages,
                        None => continue,
                    }
                }
            };
            save_table(&mut out, symbols.table.strings(), pages)?;
        }
        if let Some(table) = self.names.identities.if_read() {
            save_table(&mut out, table.strings(), &mut manifest.identities)?;
            manifest.name_index.extend(&mut out, table.strings(), self.threads)?;
        }
        let unused_keys = self.seen.seal(&mut out, &chunks)?;
        manifest.digests = self
            .seen
            .set
            .runs()
            .iter()
            .map(|meta| DigestRun {
                meta: meta.clone(),
                pages: self.seen.pages.get(&meta.run).cloned().unwrap_or_default(),
            })
            .collect();
        manifest.next_digest_run = self.seen.next_run;
        // What has not changed since it was saved is not written again.
        manifest.cohorts = self.saved.cohorts(&mut out, &self.cohorts, &old.manifest.cohorts)?;
        if !Arc::ptr_eq(&self.saved.present, &self.present) {
            manifest.present = out.blob(&bitmap_bytes(&self.present)?)?;
        }
        manifest.customers = match (&self.customers, &self.saved.customers) {
            (Some(block), Some(saved)) if Arc::ptr_eq(block, saved) => manifest.customers,
            (Some(block), _) => Some(write_segment(&mut out, block)?),
            (None, _) => None,
        };
        if !self.erased.is_same(&self.saved.erased) {
            manifest.erased = out.blob(&self.erased.encode()?)?;
        }
        manifest.recorded = self.recorded.seal(&mut out, &chunks)?;
        manifest.links = self.links.seal(&mut out, &chunks)?;
        manifest.of_identities = self.names.customers.seal(&mut out)?;
        manifest.own_times = self.recorded.seal_own(&mut out, manifest.own_times.as_ref())?;
        manifest.commit = self.commit;
        manifest.rows = self.rows;
        manifest.covered = self.end;
        manifest.next_chunk = out.next();

        let buried = chunks.take_buried();
        let kept: HashSet<u64> = manifest.chunks().iter().map(|chunk| chunk.id).collect();
        let dropped: Vec<u64> =
            old.manifest.chunks().iter().map(|chunk| chunk.id).filter(|id| !kept.contains(id)).collect();
        let named: HashSet<u64> = old.manifest.chunks().iter().map(|chunk| chunk.id).collect();
        let orphans: Vec<u64> = unused_keys.into_iter().filter(|id| !named.contains(id)).collect();
        self.doomed.extend(dropped.iter().chain(&orphans));
        manifest.doomed = self.doomed.clone();
        let encoded = manifest.encode()?;
        let written = self.written.and(&manifest, &named, encoded.len() as u64);
        out.finish(manifest::KEY, encoded)?;
        // Only now may what no reader holds go: before, a crash would still need it.
        chunks.remove(&buried)?;
        chunks.bury(orphans);
        let gone: HashSet<u64> = buried.iter().copied().collect();
        self.doomed.retain(|id| !gone.contains(id));

        self.written = written;
        self.next_chunk = manifest.next_chunk;
        self.tail = Tail::default();
        self.past = Tail::default();
        self.unmarked = Unmarked::default();
        self.links.sealed(&manifest.links);
        self.names.customers.sealed(&chunks, &manifest.of_identities);
        self.recorded = self.recorded.sealed(&manifest.recorded);
        self.saved = Saved {
            present: Arc::clone(&self.present),
            customers: self.customers.clone(),
            cohorts: self.cohorts.clone(),
            erased: self.erased.clone(),
        };
        self.version = Version::new(manifest, chunks);
        old.superseded(&self.version, dropped);
        Ok(())
    }

    /// Removes chunks that the manifest found at opening says are not used. No
    /// reader can hold them yet.
    pub(crate) fn sweep(&self) {
        // They stay listed until they are removed: a crash between would leave them for ever.
        self.version.chunks.bury(self.doomed.iter().copied());
    }
}

/// What the keys of a store are made with.
pub(crate) fn store_key(store_id: [u8; 16]) -> u64 {
    let (half, other) = store_id.split_at(8);
    let number = |half: &[u8]| half.iter().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
    number(half) ^ number(other).rotate_left(32)
}

/// A record's cohort.
pub(crate) fn cohort_record(bytes: &[u8], what: &str) -> Result<CohortRecord> {
    records::from_bytes(bytes, what)
}
