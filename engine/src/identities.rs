//! The identities and their numbers, read from the graph when they are first asked for: most
//! questions name nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::chunks::Chunks;
use crate::error::{Error, Result};
use crate::manifest::{Manifest, StringPage};
use crate::model::IdentityOrdinal;
use crate::name_index::{NameIndex, NameIndexMeta};
use crate::side_by_side::side_by_side;
use crate::string_pages::{page_string, page_strings, page_strings_once};
use crate::strings::{StringTable, Strings, hash_of};

/// So many names are read one by one before all are: reading all of a million takes as long as
/// some tens of thousands.
const SINGLE_NAMES_MAX: u32 = 4_096;
/// So many are searched for one by one: each takes a fraction of a millisecond.
const SINGLE_SEARCHES_MAX: u32 = 64;

/// The table of identities. It is shared by all commits of a graph.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    table: RwLock<NameTable>,
    /// Whether nothing is left to be read.
    whole: AtomicBool,
    unread: Mutex<Option<Unread>>,
}

/// All identities in memory.
#[derive(Debug, Default)]
pub(crate) struct NameTable {
    /// Where those of the first numbers are found, as the graph had it when it was read.
    index: NameIndex,
    /// All of them; it finds the others.
    table: StringTable,
}

impl NameTable {
    /// The number of `text`, if it has one.
    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        let strings = self.table.strings();
        let indexed = self.index.find(hash_of(text), |number| strings.is(number, text));
        indexed.or_else(|| self.table.find(text))
    }

    /// The number of `text`, given out now if it is new.
    ///
    /// # Errors
    /// As [`StringTable::try_intern`].
    pub(crate) fn try_intern(&mut self, text: &str) -> Result<u32> {
        let strings = self.table.strings();
        match self.index.find(hash_of(text), |number| strings.is(number, text)) {
            Some(number) => Ok(number),
            None => self.table.try_intern(text),
        }
    }

    /// As [`NameTable::try_intern`] of each, in their order.
    ///
    /// # Errors
    /// As [`StringTable::try_intern`].
    pub(crate) fn try_intern_all(&mut self, texts: &Strings) -> Result<Vec<u32>> {
        if self.index.names() == 0 {
            return texts.iter().map(|text| self.table.try_intern(text)).collect();
        }
        let hashes: Vec<u32> = texts.iter().map(hash_of).collect();
        let known = self.index.candidates(&hashes);
        self.table.strings().touch(known.iter().copied().flatten());
        let known = known.into_iter().zip(texts.iter());
        // Most were met before, under the only number that has their hash.
        let numbers = known.map(|(number, text)| match number {
            Some(number) if self.table.strings().is(number, text) => Ok(number),
            Some(_) => self.try_intern(text),
            None => self.table.try_intern(text),
        });
        numbers.collect()
    }

    /// All of them, in the order of their numbers.
    pub(crate) fn strings(&self) -> &Strings {
        self.table.strings()
    }

    /// The one of that number, or the empty string.
    pub(crate) fn get(&self, number: u32) -> &str {
        self.table.get(number)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Forgets all from that number on, of which the graph must have none.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.table.truncate(len.max(self.index.names()));
    }
}

/// Identities that only the graph holds.
#[derive(Debug)]
struct Unread {
    chunks: Arc<Chunks>,
    pages: Vec<StringPage>,
    index: NameIndexMeta,
    threads: usize,
    /// How many were read one by one, and searched for.
    names: u32,
    searches: u32,
}

impl Identities {
    /// Those of a graph, which stay as they are until the table is read: no identity is added before
    /// that. It is read on some threads.
    pub(crate) fn of(chunks: &Arc<Chunks>, manifest: &Manifest, threads: usize) -> Self {
        let (pages, index) = (manifest.identities.clone(), manifest.name_index.clone());
        let unread = Unread { chunks: Arc::clone(chunks), pages, index, threads, names: 0, searches: 0 };
        Self { unread: Mutex::new(Some(unread)), ..Self::default() }
    }

    fn load(&self) -> Result<()> {
        if self.whole.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut held = self.unread.lock();
        if let Some(unread) = &*held {
            *self.table.write() = unread.all()?;
        }
        *held = None;
        self.whole.store(true, Ordering::Release);
        Ok(())
    }

    /// The table, to look at.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) where it cannot be read; so for all that read.
    pub(crate) fn read(&self) -> Result<RwLockReadGuard<'_, NameTable>> {
        self.load()?;
        Ok(self.table.read())
    }

    /// The table, to be added to.
    pub(crate) fn write(&self) -> Result<RwLockWriteGuard<'_, NameTable>> {
        self.load()?;
        Ok(self.table.write())
    }

    /// The table where it has been read; else nothing was added to what the graph holds.
    pub(crate) fn if_read(&self) -> Option<RwLockReadGuard<'_, NameTable>> {
        self.whole.load(Ordering::Acquire).then(|| self.table.read())
    }

    /// The identity of that number, or the empty string.
    pub(crate) fn name(&self, number: IdentityOrdinal) -> Result<String> {
        if !self.whole.load(Ordering::Acquire)
            && let Some(unread) = &mut *self.unread.lock()
            && unread.names < SINGLE_NAMES_MAX
        {
            unread.names += 1;
            return unread.name(number.0);
        }
        Ok(self.read()?.get(number.0).to_owned())
    }

    /// The number of an identity, if it has one.
    pub(crate) fn find(&self, text: &str) -> Result<Option<IdentityOrdinal>> {
        if !self.whole.load(Ordering::Acquire)
            && let Some(unread) = &mut *self.unread.lock()
            && unread.searches < SINGLE_SEARCHES_MAX
        {
            unread.searches += 1;
            return Ok(unread.find(text)?.map(IdentityOrdinal));
        }
        Ok(self.read()?.find(text).map(IdentityOrdinal))
    }
}

impl Unread {
    fn all(&self) -> Result<NameTable> {
        let index = |threads| NameIndex::load(&self.chunks, &self.index, threads);
        let (strings, index) = match self.threads {
            0 | 1 => (self.strings(1)?, index(1)?),
            threads => std::thread::scope(|scope| {
                let index = scope.spawn(move || index(threads / 2));
                let strings = self.strings(threads - threads / 2)?;
                let index = index.join().map_err(|_| Error::invalid("a thread stopped unexpectedly"))??;
                Ok::<_, Error>((strings, index))
            })?,
        };
        let table = StringTable::of_later(strings, index.names());
        Ok(NameTable { index, table })
    }

    fn strings(&self, threads: usize) -> Result<Strings> {
        let mut strings = Strings::default();
        let mut left = self.pages.len();
        let read = |page: &StringPage| page_strings_once(&self.chunks, page);
        side_by_side(threads, &self.pages, read, |_, page| {
            strings.append(&page, left);
            left -= 1;
            Ok(())
        })?;
        Ok(strings)
    }

    fn name(&self, number: u32) -> Result<String> {
        let mut first = 0;
        for page in &self.pages {
            let end = page.strings.saturating_add(first);
            if number < end {
                return page_string(&self.chunks, page, (number - first) as usize);
            }
            first = end;
        }
        Ok(String::new())
    }

    /// Looks it up in the index, then among those that are not in it.
    fn find(&self, text: &str) -> Result<Option<u32>> {
        let mut is = |number| Ok(self.name(number)? == text);
        if let Some(number) = self.index.find(&self.chunks, hash_of(text), &mut is)? {
            return Ok(Some(number));
        }
        let indexed = self.index.names() as u32;
        let mut first = 0_u32;
        for page in &self.pages {
            let end = page.strings.saturating_add(first);
            if end > indexed {
                let strings = page_strings(&self.chunks, page)?;
                if let Some(place) = strings.iter().position(|other| other == text) {
                    return Ok(Some(first + place as u32));
                }
            }
            first = end;
        }
        Ok(None)
    }
}
