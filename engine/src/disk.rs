//! The one seam before all disk access: a trait, and the real thing.
//!
//! Nothing else in the workspace's libraries opens a file. Paths are relative to the store's
//! folder and use `/`.

use std::path::PathBuf;

use crate::error::Result;
use crate::graph_store::GraphStore;

/// How [`Disk::open`] opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// An existing file, to read.
    Read,
    /// A new and empty file, to append to and read; one that is there is emptied.
    Create,
    /// An existing file, to append to and read.
    Append,
}

/// Disk access of one store.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// The store's folder, for messages.
    fn root(&self) -> PathBuf;
    /// Makes a folder with the ones above it, durably.
    fn create_dir(&self, path: &str) -> Result<()>;
    /// Names in a folder, sorted; none where the folder is missing.
    fn list(&self, dir: &str) -> Result<Vec<String>>;
    /// Whether a file or folder is there.
    fn exists(&self, path: &str) -> Result<bool>;
    /// Opens a file.
    fn open(&self, path: &str, how: How) -> Result<Box<dyn DiskFile>>;
    /// Renames a file, replacing the target. Durable after [`Disk::sync_dir`].
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Removes a file; one that is missing is no error.
    fn remove_file(&self, path: &str) -> Result<()>;
    /// Removes a folder with all in it; one that is missing is no error.
    fn remove_dir(&self, path: &str) -> Result<()>;
    /// Makes names in a folder durable.
    fn sync_dir(&self, dir: &str) -> Result<()>;
    /// Bytes of all files below `path`.
    fn bytes(&self, path: &str) -> Result<u64>;
    /// Takes the lock file, writing `owner` into it.
    ///
    /// # Errors
    /// [`Error::Locked`](crate::Error::Locked) with the owner's words where
    /// another handle holds it.
    fn lock(&self, path: &str, owner: &str) -> Result<Box<dyn Lock>>;
    /// Opens (or creates) the graph database in a folder.
    fn open_graph(&self, dir: &str) -> Result<Box<dyn GraphStore>>;
}

/// An open file. Reads may run beside each other and beside appends.
pub trait DiskFile: Send + Sync {
    /// Fills `buffer` from `offset`; answers how many bytes there were, fewer only at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;
    /// Writes at the end.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;
    /// Makes all appended bytes durable.
    fn sync(&mut self) -> Result<()>;
    /// Cuts the file to `len` bytes.
    fn truncate(&mut self, len: u64) -> Result<()>;
    /// The length in bytes, appended bytes included.
    fn len(&self) -> Result<u64>;
    /// Whether it is empty.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A held lock; released when dropped.
pub trait Lock: Send + Sync {}
