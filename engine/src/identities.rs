//! The identities and their numbers, read from the graph when they are first asked for: most
//! questions name nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::chunks::Chunks;
use crate::error::Result;
use crate::manifest::StringPage;
use crate::model::IdentityOrdinal;
use crate::string_pages::{page_string, page_strings};
use crate::strings::{StringTable, Strings};

/// So many names are read one by one before all are: reading all of a million takes as long as
/// some tens of thousands.
const SINGLE_NAMES_MAX: u32 = 4_096;

/// The table of identities. It is shared by all commits of a graph.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    table: RwLock<StringTable>,
    /// Whether nothing is left to be read.
    whole: AtomicBool,
    unread: Mutex<Option<Unread>>,
}

/// Identities that only the graph holds.
#[derive(Debug)]
struct Unread {
    chunks: Arc<Chunks>,
    pages: Vec<StringPage>,
    names: u32,
    /// Whether one was searched for.
    searched: bool,
}

impl Identities {
    /// Those of a graph's pages, which stay as they are until the table is read: no identity is
    /// added before that.
    pub(crate) fn of(chunks: &Arc<Chunks>, pages: &[StringPage]) -> Self {
        let (chunks, pages) = (Arc::clone(chunks), pages.to_vec());
        let unread = Unread { chunks, pages, names: 0, searched: false };
        Self { unread: Mutex::new(Some(unread)), ..Self::default() }
    }

    fn load(&self) -> Result<()> {
        if self.whole.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut held = self.unread.lock();
        if let Some(unread) = &*held {
            let mut strings = Strings::default();
            for page in &unread.pages {
                page_strings(&unread.chunks, page)?.iter().for_each(|text| strings.push(text));
            }
            *self.table.write() = StringTable::from_strings(strings);
        }
        *held = None;
        self.whole.store(true, Ordering::Release);
        Ok(())
    }

    /// The table, to look at.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) where it cannot be read; so for all that read.
    pub(crate) fn read(&self) -> Result<RwLockReadGuard<'_, StringTable>> {
        self.load()?;
        Ok(self.table.read())
    }

    /// The table, to be added to.
    pub(crate) fn write(&self) -> Result<RwLockWriteGuard<'_, StringTable>> {
        self.load()?;
        Ok(self.table.write())
    }

    /// The table where it has been read; else nothing was added to what the graph holds.
    pub(crate) fn if_read(&self) -> Option<RwLockReadGuard<'_, StringTable>> {
        self.whole.load(Ordering::Acquire).then(|| self.table.read())
    }

    /// The identity of that number, or the empty string.
    pub(crate) fn name(&self, number: IdentityOrdinal) -> Result<String> {
        if !self.whole.load(Ordering::Acquire)
            && let Some(unread) = &mut *self.unread.lock()
            && unread.names < SINGLE_NAMES_MAX
        {
            unread.names += 1;
            return unread.name(number);
        }
        Ok(self.read()?.get(number.0).to_owned())
    }

    /// The number of an identity, if it has one.
    pub(crate) fn find(&self, text: &str) -> Result<Option<IdentityOrdinal>> {
        if !self.whole.load(Ordering::Acquire)
            && let Some(unread) = &mut *self.unread.lock()
            && !std::mem::replace(&mut unread.searched, true)
        {
            return unread.find(text);
        }
        Ok(self.read()?.find(text).map(IdentityOrdinal))
    }
}

impl Unread {
    fn name(&self, IdentityOrdinal(number): IdentityOrdinal) -> Result<String> {
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

    /// Goes over the pages once: that takes a fraction of hashing all of them.
    fn find(&self, text: &str) -> Result<Option<IdentityOrdinal>> {
        let mut first = 0;
        for page in &self.pages {
            let strings = page_strings(&self.chunks, page)?;
            if let Some(place) = strings.iter().position(|other| other == text) {
                return Ok(Some(IdentityOrdinal(first + place as u32)));
            }
            first = page.strings.saturating_add(first);
        }
        Ok(None)
    }
}
