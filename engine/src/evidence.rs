//! What was said about identities, in the order of the history: the evidence from which it follows
//! who is one customer.
//!
//! Sealed entries lie in pages of the graph, newer ones in memory; both follow from the history.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::chunks::{Blob, ChunkRef, ChunkWriter, Chunks};
use crate::column::Column;
use crate::columns;
use crate::error::{Error, Result};
use crate::guards::Guards;
use crate::model::{IdentityOrdinal, Millis};
use crate::number_rows;
use crate::records::links::{GuardsRecord, number_of, said_of};
use crate::resolution::Said;
use crate::strings::StringTable;

/// Entries in a page; the last page is written again until it is full.
const PAGE_ENTRIES: usize = 1 << 14;
/// Numbers an entry is made of.
const FIELDS: usize = 7;

/// One saying about two identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub one: IdentityOrdinal,
    pub other: IdentityOrdinal,
    pub said: Said,
    /// Of a link, in thousandths: 1 to 1,000; else 0.
    pub confidence: u16,
    pub commit: u64,
    pub recorded: Millis,
    /// The number of where it came from; see [`LinkLog::source`].
    pub source: u32,
}

impl Entry {
    fn numbers(&self) -> [i64; FIELDS] {
        let (one, other) = (i64::from(self.one.0), i64::from(self.other.0));
        let (said, confidence) = (number_of(self.said), i64::from(self.confidence));
        [one, other, said, confidence, self.commit as i64, self.recorded, i64::from(self.source)]
    }

    fn of([one, other, said, confidence, commit, recorded, source]: [i64; FIELDS]) -> Option<Self> {
        let identity = |number| u32::try_from(number).ok().map(IdentityOrdinal);
        let (one, other) = (identity(one)?, identity(other)?);
        let (said, confidence) = said_of(said, confidence)?;
        let source = u32::try_from(source).ok()?;
        Some(Self { one, other, said, confidence, commit: commit as u64, recorded, source })
    }
}

/// Some entries, in order, as the manifest names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LinkPage {
    pub entries: u32,
    /// The commit of the last of them.
    pub last_commit: u64,
    pub blob: Blob,
}

/// All of it, as the manifest names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LinksMeta {
    pub pages: Vec<LinkPage>,
    /// How many sources there are, and their names, a string column.
    pub sources: (u32, Blob),
    /// Rules for joining identities, each with the commit that they hold from, ascending.
    pub guards: Vec<(u64, Blob)>,
}

impl LinksMeta {
    /// Every chunk it names.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = ChunkRef> {
        let guards = self.guards.iter().map(|(_, blob)| blob);
        let pages = self.pages.iter().map(|page| &page.blob);
        let blobs = pages.chain(guards).chain(std::iter::once(&self.sources.1));
        blobs.flat_map(|blob| blob.pages.iter().copied())
    }
}

/// All that was said. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkLog {
    sealed: Arc<LinksMeta>,
    /// Pieces in order, larger ones first, so that adding one copies few.
    pieces: Vec<Arc<Vec<Entry>>>,
    sources: Arc<StringTable>,
    guards: Arc<Vec<(u64, Arc<Guards>)>>,
    /// Identities that were erased, and by which commit: what was said of them before is passed over.
    erased: Arc<BTreeMap<u32, u64>>,
}

impl LinkLog {
    /// The evidence that a manifest describes.
    pub(crate) fn load(chunks: &Chunks, meta: &LinksMeta) -> Result<Self> {
        let mut sources = StringTable::default();
        if meta.sources.0 > 0 {
            let what = format!("{}: sources of links", chunks.folder());
            let bytes = chunks.blob(&meta.sources.1)?;
            let Column::Str { codes, dictionary } = columns::decode(&bytes, meta.sources.0 as usize, &what)?
            else {
                return Err(Error::damaged(what, 0, "it holds no text"));
            };
            for code in codes {
                sources.try_intern(dictionary.get((code as usize).wrapping_sub(1)))?;
            }
        }
        let what = format!("{}: rules for joining identities", chunks.folder());
        let guards = meta.guards.iter().map(|(commit, blob)| {
            let record = GuardsRecord::decode(&chunks.blob(blob)?, &what)?;
            Ok((*commit, Arc::new(record.guards()?)))
        });
        Ok(Self {
            guards: Arc::new(guards.collect::<Result<_>>()?),
            sealed: Arc::new(meta.clone()),
            pieces: Vec::new(),
            sources: Arc::new(sources),
            erased: Arc::default(),
        })
    }

    /// Forgets what was said of an identity up to a commit.
    pub(crate) fn forget(&mut self, identity: u32, commit: u64) {
        let until = Arc::make_mut(&mut self.erased).entry(identity).or_default();
        *until = commit.max(*until);
    }

    /// Whether nobody whom it names was erased since.
    fn stands(&self, entry: &Entry) -> bool {
        let gone = |identity: IdentityOrdinal| {
            self.erased.get(&identity.0).is_some_and(|&erased| entry.commit <= erased)
        };
        self.erased.is_empty() || !(gone(entry.one) || gone(entry.other))
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> u64 {
        let sealed: u64 = self.sealed.pages.iter().map(|page| u64::from(page.entries)).sum();
        sealed + self.pieces.iter().map(|piece| piece.len() as u64).sum::<u64>()
    }

    /// Takes in what was said next.
    pub(crate) fn note(&mut self, mut piece: Vec<Entry>) {
        if piece.is_empty() {
            return;
        }
        while let Some(before) = self.pieces.pop_if(|before| before.len() < piece.len() * 2) {
            let mut joined = Arc::unwrap_or_clone(before);
            joined.append(&mut piece);
            piece = joined;
        }
        self.pieces.push(Arc::new(piece));
    }

    /// The number of a source, given out now if it is new.
    pub(crate) fn number_source(&mut self, name: &str) -> Result<u32> {
        match self.sources.find(name) {
            Some(number) => Ok(number),
            None => Arc::make_mut(&mut self.sources).try_intern(name),
        }
    }

    /// The number of a source that was met before.
    pub(crate) fn find_source(&self, name: &str) -> Option<u32> {
        self.sources.find(name)
    }

    /// The name of a source.
    pub(crate) fn source(&self, number: u32) -> &str {
        self.sources.get(number)
    }

    /// Takes in rules that hold from a commit on; of one commit's the last.
    pub(crate) fn set_guards(&mut self, commit: u64, guards: Guards) {
        let all = Arc::make_mut(&mut self.guards);
        all.retain(|&(before, _)| before < commit);
        all.push((commit, Arc::new(guards)));
    }

    /// The rules that held once a commit was made; the usual ones before any were given.
    pub(crate) fn guards(&self, commit: u64) -> Arc<Guards> {
        static USUAL: OnceLock<Arc<Guards>> = OnceLock::new();
        let after = self.guards.partition_point(|&(from, _)| from <= commit);
        match after.checked_sub(1).and_then(|place| self.guards.get(place)) {
            Some((_, guards)) => Arc::clone(guards),
            None => Arc::clone(USUAL.get_or_init(Arc::default)),
        }
    }

    /// What commits after that one said, in order. Only the pages that have some of it are read.
    pub(crate) fn after(&self, chunks: &Chunks, commit: u64) -> Result<Vec<Entry>> {
        let mut out = Vec::new();
        let sealed = self.sealed.pages.partition_point(|page| page.last_commit <= commit);
        for page in self.sealed.pages.iter().skip(sealed) {
            out.extend(read(chunks, page)?.into_iter().filter(|entry| entry.commit > commit));
        }
        for piece in &self.pieces {
            let first = piece.partition_point(|entry| entry.commit <= commit);
            out.extend(piece.iter().skip(first));
        }
        out.retain(|entry| self.stands(entry));
        Ok(out)
    }

    /// All that was said, in order, a part at a time.
    pub(crate) fn parts<'a>(&'a self, chunks: &'a Chunks) -> impl Iterator<Item = Result<Vec<Entry>>> + 'a {
        let sealed = self.sealed.pages.iter().map(|page| read(chunks, page));
        let parts = sealed.chain(self.pieces.iter().map(|piece| Ok(piece.to_vec())));
        parts.map(|part| {
            part.map(|mut entries| {
                entries.retain(|entry| self.stands(entry));
                entries
            })
        })
    }

    /// Says that what [`LinkLog::seal`] wrote is in the graph.
    pub(crate) fn sealed(&mut self, meta: &LinksMeta) {
        self.sealed = Arc::new(meta.clone());
        self.pieces.clear();
    }

    /// The last commit that said something, or gave rules; 0 before any.
    pub(crate) fn last_commit(&self) -> u64 {
        let sealed = self.sealed.pages.last().map_or(0, |page| page.last_commit);
        let said = self.pieces.last().and_then(|piece| piece.last()).map_or(sealed, |entry| entry.commit);
        said.max(self.guards.last().map_or(0, |&(commit, _)| commit))
    }

    /// All that was said, in order.
    pub(crate) fn all(&self, chunks: &Chunks) -> Result<Vec<Entry>> {
        self.after(chunks, 0)
    }

    /// Writes what is not in the graph yet, and answers what the manifest names from then on.
    pub(crate) fn seal(&self, out: &mut ChunkWriter<'_>, chunks: &Chunks) -> Result<LinksMeta> {
        let mut meta = LinksMeta::clone(&self.sealed);
        if !self.pieces.is_empty() {
            let mut entries = match meta.pages.pop_if(|last| (last.entries as usize) < PAGE_ENTRIES) {
                Some(last) => read(chunks, &last)?,
                None => Vec::new(),
            };
            entries.extend(self.pieces.iter().flat_map(|piece| piece.iter()));
            for part in entries.chunks(PAGE_ENTRIES) {
                let rows: Vec<_> = part.iter().map(Entry::numbers).collect();
                let blob = out.blob(&number_rows::encode(&rows)?)?;
                let last_commit = part.last().map_or(0, |entry| entry.commit);
                meta.pages.push(LinkPage { entries: part.len() as u32, last_commit, blob });
            }
        }
        let sources = self.sources.strings();
        if meta.sources.0 as usize != sources.len() {
            let codes = (1..=sources.len() as u32).collect();
            let mut bytes = Vec::new();
            columns::encode(&Column::Str { codes, dictionary: sources.clone() }, &mut bytes)?;
            meta.sources = (sources.len() as u32, out.blob(&bytes)?);
        }
        // Rules of a sealed commit do not change any more.
        for (commit, guards) in self.guards.iter().skip(meta.guards.len()) {
            meta.guards.push((*commit, out.blob(&GuardsRecord::of(guards).encode()?)?));
        }
        Ok(meta)
    }
}

fn read(chunks: &Chunks, page: &LinkPage) -> Result<Vec<Entry>> {
    let what = format!("{}: a page of links", chunks.folder());
    let rows = number_rows::decode(&chunks.blob(&page.blob)?, page.entries as usize, &what)?;
    let entries = rows.into_iter().map(Entry::of).collect::<Option<_>>();
    entries.ok_or_else(|| Error::damaged(what, 0, "an entry is not what was written"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::disk::Disk;
    use crate::disk_sim::SimDisk;

    fn chunks() -> Chunks {
        let disk = SimDisk::new();
        disk.create_dir("graph-1").expect("makes the folder");
        Chunks::new(disk.open_graph("graph-1").expect("opens"), "graph-1".to_owned(), 1 << 20)
    }

    fn guards(limit: u32) -> Guards {
        Guards::open().with_other_limit(limit).expect("is a limit")
    }

    fn entry(number: u32, commit: u64, source: u32) -> Entry {
        let (said, confidence) =
            [(Said::Row, 0), (Said::Link, 1 + number as u16 % 1_000), (Said::Cut, 0)][number as usize % 3];
        Entry {
            one: IdentityOrdinal(number),
            other: IdentityOrdinal(number.wrapping_mul(7919) % 100),
            said,
            confidence,
            commit,
            recorded: commit as i64 * 10,
            source,
        }
    }

    /// Seals as a state does, and goes on with what lies in the graph.
    fn seal(evidence: &LinkLog, chunks: &Chunks, next: &mut u64) -> LinkLog {
        let mut out = ChunkWriter::new(chunks, *next);
        let meta = evidence.seal(&mut out, chunks).expect("seals");
        *next = out.next();
        out.finish(b"test", Vec::new()).expect("writes");
        LinkLog::load(chunks, &meta).expect("loads")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Beside a list, whatever is sealed in between. Each step is a commit: how much it says,
        /// whether rules come with it, and whether it is sealed.
        #[test]
        fn evidence_is_what_a_list_says(
            steps in prop::collection::vec((0..9_000_usize, prop::option::of(1..9_u32), any::<bool>()), 1..8),
        ) {
            let chunks = chunks();
            let (mut next, mut number) = (1, 0);
            let mut evidence = LinkLog::default();
            let (mut list, mut rules): (Vec<Entry>, Vec<Guards>) = (Vec::new(), vec![Guards::default()]);
            for (commit, &(many, limit, sealed)) in (1..).zip(&steps) {
                let name = format!("file {}", many % 3);
                let source = evidence.number_source(&name).expect("fits");
                prop_assert_eq!(evidence.source(source), name);
                let piece: Vec<Entry> = (0..many)
                    .map(|_| {
                        number += 1;
                        entry(number, commit, source)
                    })
                    .collect();
                list.extend(&piece);
                evidence.note(piece);
                if let Some(limit) = limit {
                    evidence.set_guards(commit, guards(limit + 1));
                    evidence.set_guards(commit, guards(limit));
                }
                rules.push(limit.map_or_else(|| rules[rules.len() - 1].clone(), guards));
                if sealed {
                    evidence = seal(&evidence, &chunks, &mut next);
                }
            }
            prop_assert_eq!(evidence.len(), list.len() as u64);
            let parts: Vec<_> = evidence.parts(&chunks).collect::<Result<_>>().expect("reads");
            prop_assert_eq!(parts.concat(), list.clone());
            for commit in 0..=steps.len() as u64 {
                let expected: Vec<Entry> = list.iter().copied().filter(|entry| entry.commit > commit).collect();
                prop_assert_eq!(evidence.after(&chunks, commit).expect("reads"), expected);
                prop_assert_eq!(&*evidence.guards(commit), &rules[commit as usize]);
            }
        }
    }

    #[test]
    fn what_has_not_changed_is_not_written_again() {
        let chunks = chunks();
        let mut next = 1;
        let mut evidence = LinkLog::default();
        let source = evidence.number_source("crm.csv").expect("fits");
        evidence.note((0..PAGE_ENTRIES as u32 + 5).map(|number| entry(number, 1, source)).collect());
        evidence.set_guards(1, guards(3));
        let evidence = seal(&evidence, &chunks, &mut next);
        let written = next;
        let again = seal(&evidence, &chunks, &mut next);
        assert_eq!((next, &again.sealed), (written, &evidence.sealed));
        let mut more = again.clone();
        more.note(vec![entry(7, 2, source)]);
        let more = seal(&more, &chunks, &mut next);
        let kept: Vec<ChunkRef> =
            again.sealed.chunks().filter(|chunk| more.sealed.chunks().any(|other| other == *chunk)).collect();
        // All but the page that was not full.
        assert_eq!((kept.len() + 1, next), (again.sealed.chunks().count(), written + 1));
    }

    #[test]
    fn entries_that_nobody_wrote_are_refused() {
        let good = entry(4, 9, 2).numbers();
        assert_eq!(Entry::of(good), Some(entry(4, 9, 2)));
        for (place, wrong) in [(0, -1), (1, 1 << 32), (2, 3), (3, 0), (3, 1_001), (6, -1)] {
            let mut numbers = good;
            numbers[place] = wrong;
            assert_eq!(Entry::of(numbers), None, "{place} {wrong}");
        }
    }
}
