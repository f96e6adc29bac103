//! When commits were recorded: what was known at an instant.
//!
//! An entry a commit that holds rows, ascending. Sealed ones lie in pages of
//! the graph, newer ones in memory; both follow from the history. A look-up
//! reads one page. Rows with recording times of their own are told of beside (`own.rs`).

mod own;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::chunks::{Blob, ChunkWriter, Chunks};
use crate::error::Result;
use crate::model::Millis;
use crate::number_rows;
pub(crate) use own::{ByThen, OwnTimes, Tally};

/// Entries in a page; the last page is written again until it is full.
const PAGE_ENTRIES: usize = 1 << 14;
/// Numbers an entry is made of.
const FIELDS: usize = own::NUMBERS;

/// What had been recorded once a commit was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// The commit's number.
    pub commit: u64,
    /// When it was recorded: never before the commit before it, whatever the clock did.
    pub at: Millis,
    /// Interactions recorded so far, without those that have recording times of their own.
    pub interactions: u64,
    /// The time of the first of these; the greatest number where there is none.
    pub first: Millis,
    /// The time of the last of these; the least number where there is none.
    pub last: Millis,
}

impl Recorded {
    /// Before any commit.
    const NOTHING: Self =
        Self { commit: 0, at: Millis::MIN, interactions: 0, first: Millis::MAX, last: Millis::MIN };

    /// These interactions.
    pub(crate) fn tally(&self) -> Tally {
        Tally { interactions: self.interactions, first: self.first, last: self.last }
    }

    fn numbers(&self) -> [i64; FIELDS] {
        [self.commit as i64, self.at, self.interactions as i64, self.first, self.last]
    }

    fn of([commit, at, interactions, first, last]: [i64; FIELDS]) -> Self {
        Self { commit: commit as u64, at, interactions: interactions as u64, first, last }
    }
}

/// Some entries, in order, as the manifest names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordedPage {
    pub entries: u32,
    /// When the first of them was recorded.
    pub from: Millis,
    /// The last of them.
    pub until: Recorded,
    pub blob: Blob,
}

/// The rows with recording times of their own, as the manifest names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnPage {
    pub spans: u32,
    /// The earliest of those times.
    pub first: Millis,
    pub blob: Blob,
}

/// All entries: the sealed pages by their names, and those in memory. Cheap to
/// clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pages: Arc<Vec<RecordedPage>>,
    /// Sorted pieces, larger ones first, so that adding one copies few.
    pieces: Vec<Arc<Vec<Recorded>>>,
    own: Arc<OwnTimes>,
    /// Whether `own` is not sealed as it is.
    own_changed: bool,
}

impl Log {
    /// The log that a manifest describes.
    pub(crate) fn load(chunks: &Chunks, pages: &[RecordedPage], own: Option<&OwnPage>) -> Result<Self> {
        let own = match own {
            None => OwnTimes::default(),
            Some(page) => {
                let what = format!("{}: recording times of rows", chunks.folder());
                let spans = decode(&chunks.blob(&page.blob)?, page.spans as usize, &what)?;
                OwnTimes::of(Some(page.first), &spans)
            }
        };
        Ok(Self { pages: Arc::new(pages.to_vec()), own: Arc::new(own), ..Self::default() })
    }

    /// What is known of rows with recording times of their own.
    pub(crate) fn own(&self) -> &OwnTimes {
        &self.own
    }

    /// Takes in when interactions say that they were recorded, and when they took place.
    pub(crate) fn note_own(&mut self, rows: Vec<(Millis, Millis)>) {
        if !rows.is_empty() {
            Arc::make_mut(&mut self.own).note(rows);
            self.own_changed = true;
        }
    }

    /// Interactions went that had recording times of their own: so many of each span, which is named by
    /// its beginning.
    pub(crate) fn take_own(&mut self, gone: &BTreeMap<Millis, u64>) {
        if !gone.is_empty() {
            Arc::make_mut(&mut self.own).take(gone);
            self.own_changed = true;
        }
    }

    /// Takes in the earliest time at which rows that are no interactions say that they were recorded.
    pub(crate) fn note_first_own(&mut self, recorded: Millis) {
        if self.own.first().is_none_or(|first| recorded < first) {
            Arc::make_mut(&mut self.own).note_first(recorded);
            self.own_changed = true;
        }
    }

    /// The last entry.
    fn newest(&self) -> Option<Recorded> {
        let in_memory = self.pieces.last().and_then(|piece| piece.last());
        in_memory.or(self.pages.last().map(|page| &page.until)).copied()
    }

    /// Takes in a frame of a commit: when it was written, and the times of the
    /// interactions in it that are recorded with it. `rows` is false for a frame that holds none, not
    /// even customers' attributes: it only moves the time of its commit.
    pub(crate) fn note(&mut self, commit: u64, at: Millis, rows: bool, times: &[Millis]) {
        let newest = self.newest();
        let known = newest.is_some_and(|newest| newest.commit == commit);
        if !known && !rows {
            return;
        }
        let mut entry = newest.unwrap_or(Recorded::NOTHING);
        entry.commit = commit;
        entry.at = entry.at.max(at);
        entry.interactions += times.len() as u64;
        for &time in times {
            entry.first = entry.first.min(time);
            entry.last = entry.last.max(time);
        }
        // A commit is sealed whole, so one that is known is in memory.
        if known {
            if let Some(last) = self.pieces.last_mut().and_then(|piece| Arc::make_mut(piece).last_mut()) {
                *last = entry;
            }
            return;
        }
        let mut piece = vec![entry];
        while let Some(before) = self.pieces.pop_if(|before| before.len() < piece.len() * 2) {
            let mut joined = Arc::unwrap_or_clone(before);
            joined.append(&mut piece);
            piece = joined;
        }
        self.pieces.push(Arc::new(piece));
    }

    /// The last commit recorded at or before `at`; `None` where there is none.
    pub(crate) fn as_of(&self, chunks: &Chunks, at: Millis) -> Result<Option<Recorded>> {
        let found = |entries: &[Recorded]| {
            let after = entries.partition_point(|entry| entry.at <= at);
            after.checked_sub(1).and_then(|place| entries.get(place)).copied()
        };
        if let Some(entry) = self.pieces.iter().rev().find_map(|piece| found(piece)) {
            return Ok(Some(entry));
        }
        let after = self.pages.partition_point(|page| page.from <= at);
        match after.checked_sub(1).and_then(|place| self.pages.get(place)) {
            None => Ok(None),
            Some(page) if page.until.at <= at => Ok(Some(page.until)),
            Some(page) => Ok(found(&read(chunks, page)?)),
        }
    }

    /// The numbers of all commits, ascending, and when each was recorded.
    pub(crate) fn all(&self, chunks: &Chunks) -> Result<Vec<(u64, Millis)>> {
        let mut all = Vec::new();
        let mut add = |entries: &[Recorded]| all.extend(entries.iter().map(|entry| (entry.commit, entry.at)));
        for page in self.pages.iter() {
            add(&read(chunks, page)?);
        }
        self.pieces.iter().for_each(|piece| add(piece));
        Ok(all)
    }

    /// When the first row was recorded, by its commit or as it says itself.
    pub(crate) fn first(&self) -> Option<Millis> {
        let sealed = self.pages.first().map(|page| page.from);
        let first = sealed.or_else(|| self.pieces.first()?.first().map(|entry| entry.at));
        first.into_iter().chain(self.own.first()).min()
    }

    /// How many interactions were recorded, with their commits or at times of their own.
    pub(crate) fn interactions(&self) -> u64 {
        let by_commits = self.newest().map_or(0, |newest| newest.interactions);
        by_commits + self.own.by(Millis::MAX).known.interactions
    }

    /// Forgets what was counted of instants: it is not so any more.
    pub(crate) fn forget_found(&mut self) {
        self.own = Arc::new(OwnTimes::clone(&self.own));
    }

    /// Whether `entry` is the last.
    pub(crate) fn ends_with(&self, entry: &Recorded) -> bool {
        self.newest().as_ref() == Some(entry)
    }

    /// Whether these are all interactions that commits recorded.
    pub(crate) fn ends_at(&self, by_commits: &Tally) -> bool {
        self.newest().map(|newest| newest.tally()).unwrap_or_default() == *by_commits
    }

    /// Writes what is in memory, and answers the pages that the manifest names
    /// from then on.
    pub(crate) fn seal(&self, out: &mut ChunkWriter<'_>, chunks: &Chunks) -> Result<Vec<RecordedPage>> {
        let mut pages = Vec::clone(&self.pages);
        if self.pieces.is_empty() {
            return Ok(pages);
        }
        let mut entries = match pages.pop_if(|last| (last.entries as usize) < PAGE_ENTRIES) {
            Some(last) => read(chunks, &last)?,
            None => Vec::new(),
        };
        entries.extend(self.pieces.iter().flat_map(|piece| piece.iter()));
        for part in entries.chunks(PAGE_ENTRIES) {
            if let (Some(first), Some(&until)) = (part.first(), part.last()) {
                let numbers: Vec<_> = part.iter().map(Recorded::numbers).collect();
                let blob = out.blob(&encode(&numbers)?)?;
                pages.push(RecordedPage { entries: part.len() as u32, from: first.at, until, blob });
            }
        }
        Ok(pages)
    }

    /// As [`Log::seal`], of rows with recording times of their own; `before` is what the manifest has.
    pub(crate) fn seal_own(
        &self,
        out: &mut ChunkWriter<'_>,
        before: Option<&OwnPage>,
    ) -> Result<Option<OwnPage>> {
        let Some(first) = self.own.first().filter(|_| self.own_changed) else { return Ok(before.cloned()) };
        let numbers = self.own.numbers();
        Ok(Some(OwnPage { spans: numbers.len() as u32, first, blob: out.blob(&encode(&numbers)?)? }))
    }

    /// The log once it is sealed as these.
    #[must_use]
    pub(crate) fn sealed(&self, pages: &[RecordedPage]) -> Self {
        Self { pages: Arc::new(pages.to_vec()), own: Arc::clone(&self.own), ..Self::default() }
    }
}

fn encode(entries: &[[i64; FIELDS]]) -> Result<Vec<u8>> {
    number_rows::encode(entries)
}

fn decode(bytes: &[u8], entries: usize, what: &str) -> Result<Vec<[i64; FIELDS]>> {
    number_rows::decode(bytes, entries, what)
}

fn read(chunks: &Chunks, page: &RecordedPage) -> Result<Vec<Recorded>> {
    let what = format!("{}: a page of commits", chunks.folder());
    let entries = decode(&chunks.blob(&page.blob)?, page.entries as usize, &what)?;
    Ok(entries.into_iter().map(Recorded::of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::disk_sim::SimDisk;

    fn chunks() -> Chunks {
        let disk = SimDisk::new();
        disk.create_dir("graph-1").expect("makes the folder");
        Chunks::new(disk.open_graph("graph-1").expect("opens"), "graph-1".to_owned(), 1 << 20)
    }

    /// Seals as a state does, and goes on with the pages.
    fn seal(log: &Log, chunks: &Chunks, next: &mut u64) -> Log {
        let mut out = ChunkWriter::new(chunks, *next);
        let pages = log.seal(&mut out, chunks).expect("seals");
        let own = log.seal_own(&mut out, None).expect("seals");
        *next = out.next();
        out.finish(b"test", Vec::new()).expect("writes");
        Log::load(chunks, &pages, own.as_ref()).expect("loads")
    }

    #[test]
    fn a_commit_is_found_by_the_time_it_was_recorded() {
        let chunks = chunks();
        let mut next = 1;
        let many = PAGE_ENTRIES as u64 * 2 + 100;
        let mut log = Log::default();
        for commit in 1..=many {
            log.note(commit, commit as i64 * 10, true, &[1_000 - commit as i64, 1_000]);
            if commit % 9_000 == 0 {
                log = seal(&log, &chunks, &mut next);
            }
        }
        assert_eq!(log.pages.len(), 2);
        assert!(log.pieces.len() < 20);
        for _ in 0..2 {
            let as_of = |at: i64| log.as_of(&chunks, at).expect("reads").map(|entry| entry.commit);
            assert_eq!((as_of(9), as_of(10), as_of(19)), (None, Some(1), Some(1)));
            for commit in (1..=many).step_by(777) {
                assert_eq!(as_of(commit as i64 * 10 + 5), Some(commit));
            }
            assert_eq!(as_of(i64::MAX), Some(many));
            assert_eq!(log.first(), Some(10));
            let all: Vec<(u64, Millis)> = (1..=many).map(|commit| (commit, commit as i64 * 10)).collect();
            assert_eq!(log.all(&chunks).expect("reads"), all);
            let entry = log.as_of(&chunks, 20).expect("reads").expect("there is one");
            assert_eq!((entry.interactions, entry.tally().span()), (4, Some((998, 1_000))));
            assert!(!log.ends_with(&entry));
            log = seal(&log, &chunks, &mut next);
        }
        assert_eq!(log.pages.len(), 3);
    }

    #[test]
    fn a_clock_that_goes_back_moves_no_commit_before_another() {
        let chunks = chunks();
        let mut log = Log::default();
        log.note(1, 100, true, &[5]);
        log.note(2, 90, true, &[7]);
        log.note(3, 110, false, &[]);
        let as_of = |at: i64| log.as_of(&chunks, at).expect("reads").map(|entry| entry.commit);
        assert_eq!((as_of(95), as_of(100), as_of(120)), (None, Some(2), Some(2)));
    }

    #[test]
    fn a_commit_of_several_frames_has_the_time_of_its_last() {
        let chunks = chunks();
        let mut log = Log::default();
        log.note(1, 100, true, &[5]);
        log.note(2, 110, true, &[9]);
        log.note(2, 120, true, &[]);
        log.note(2, 130, false, &[]);
        let as_of = |at: i64| log.as_of(&chunks, at).expect("reads").map(|entry| entry.commit);
        assert_eq!((as_of(129), as_of(130)), (Some(1), Some(2)));
        assert_eq!(log.newest().and_then(|entry| entry.tally().span()), Some((5, 9)));
    }

    #[test]
    fn times_of_rows_are_sealed_with_it() {
        let chunks = chunks();
        let mut log = Log::default();
        log.note(1, 100, true, &[]);
        log.note_own(vec![(40, 7), (50, 3), (40, 9)]);
        log.note_first_own(60);
        let by = |log: &Log, at: i64| log.own().by(at).known;
        for _ in 0..2 {
            assert_eq!(log.first(), Some(40));
            assert_eq!(by(&log, 39).span(), None);
            assert_eq!(by(&log, 45), Tally { interactions: 2, first: 7, last: 9 });
            assert_eq!(by(&log, 50), Tally { interactions: 3, first: 3, last: 9 });
            log = seal(&log, &chunks, &mut 1);
        }
        log.note_first_own(20);
        assert_eq!(log.first(), Some(20));
    }

    #[test]
    fn damaged_pages_are_refused() {
        let entries: Vec<[i64; FIELDS]> = (0..300).map(|n| [n, 7 * n, 2 * n, 3, 900]).collect();
        let bytes = encode(&entries).expect("encodes");
        assert_eq!(decode(&bytes, 300, "page").expect("decodes"), entries);
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut], 300, "page").is_err(), "cut at {cut}");
        }
    }
}
