//! The in-memory twin of the disk, which can fail, fill up, or lose what was not synced.
//!
//! For tests and trials. It keeps the promises of [`Disk`] and not one more: bytes are durable
//! after a sync of their file, names after a sync of their folder, batches after a flush of
//! their graph. What a real disk does besides is drawn from a seed.
//!
//! ```
//! use throughline_engine::disk::{Disk, How};
//! use throughline_engine::disk_sim::{Loss, SimDisk};
//!
//! let disk = SimDisk::new();
//! let mut file = disk.open("journal", How::Create)?;
//! disk.sync_dir("")?;
//! file.append(b"kept")?;
//! file.sync()?;
//! file.append(b" and lost")?;
//! let found = disk.after_crash(1, Loss::Lost);
//! assert_eq!(found.bytes("journal")?, 4);
//! # Ok::<(), throughline_engine::Error>(())
//! ```

mod graph;
mod state;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile, How, Lock, parent};
use crate::error::{Error, Result};
use crate::graph_store::GraphStore;

use graph::SimStore;
use state::{Kind, Random, State};

/// What goes wrong at a chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The machine stops in the operation: it and every later one fail.
    Crash,
    /// The first sync or flush from there on fails. What it should have made durable is never
    /// made so, although later syncs succeed: as the page cache of real systems behaves.
    SyncError,
    /// The first operation from there on that needs space finds none, once. Half of what was
    /// to be appended is.
    DiskFull,
    /// The operation fails, without effect, once.
    Error,
}

/// What a crash does to what was not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing is lost: the process was killed, and the system went on.
    Kept,
    /// All of it is lost.
    Lost,
    /// Each file keeps some of its bytes, with zeros or a hole among them; each name is the old
    /// or the new; a graph keeps a few of its batches, in order.
    Torn,
}

/// A disk in memory. Clones are handles of the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimDisk").field("operations", &self.operations()).finish_non_exhaustive()
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many operations have changed it, or tried to: creating, appending, syncing, cutting,
    /// renaming, removing, and a graph's batches and flushes.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Lets a fault strike at operation `n`, counted from 1 over the disk's life.
    pub fn fail_at(&self, n: u64, fault: Fault) {
        self.state.lock().fault = Some((n, fault));
    }

    /// What the fault struck, where one has: `sync history/00000001.tlh`.
    pub fn struck(&self) -> Option<String> {
        self.state.lock().struck.clone()
    }

    /// Leaves room for so many more bytes.
    pub fn full_after(&self, bytes: u64) {
        self.state.lock().room = Some(bytes);
    }

    /// Takes the limit of [`SimDisk::full_after`] away.
    pub fn make_room(&self) {
        self.state.lock().room = None;
    }

    /// The disk as it is found on reboot, were the machine to stop now (or when it did). This
    /// one stays as it is. Locks, faults and limits are gone from the new one; the count of
    /// operations begins anew.
    pub fn after_crash(&self, seed: u64, loss: Loss) -> Self {
        let found = self.state.lock().after_crash(&mut Random::new(seed), loss);
        Self { state: Arc::new(Mutex::new(found)) }
    }

    /// Changes a stored byte, durably: `xor` is laid over it. Answers whether it is there.
    pub fn corrupt(&self, path: &str, offset: u64, xor: u8) -> bool {
        let mut state = self.state.lock();
        let Some(file) = state.file_mut(path) else { return false };
        let Some(byte) = usize::try_from(offset).ok().and_then(|at| file.data.get_mut(at)) else {
            return false;
        };
        *byte ^= xor;
        true
    }

    /// The bytes of a file, also of a hidden one.
    pub fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.state.lock().file_mut(path).map(|file| file.data.clone())
    }

    /// Changes a byte of a graph's value, durably, in every graph that has the key.
    pub fn graph_corrupt(&self, key: &[u8], offset: usize, xor: u8) -> bool {
        self.graph_change(key, |value| {
            let mut value = value.to_vec();
            *value.get_mut(offset)? ^= xor;
            Some(Some(value))
        })
    }

    /// Removes a key, durably, from every graph that has it.
    pub fn graph_remove(&self, key: &[u8]) -> bool {
        self.graph_change(key, |_| Some(None))
    }

    /// Cuts a value to `len` bytes, durably, in every graph that has the key.
    pub fn graph_truncate(&self, key: &[u8], len: usize) -> bool {
        self.graph_change(key, |value| Some(Some(value.get(..len)?.to_vec())))
    }

    fn graph_change(&self, key: &[u8], change: impl Fn(&[u8]) -> Option<Option<Vec<u8>>>) -> bool {
        let mut state = self.state.lock();
        let mut found = false;
        for graph in state.graphs.values_mut() {
            found |= graph.damage(key, &change);
        }
        found
    }

    /// Makes a file, or a folder with all in it, invisible until [`SimDisk::unhide`]. Handles
    /// that are open fail as well.
    pub fn hide(&self, path: &str) {
        self.state.lock().hidden.insert(path.to_owned());
    }

    /// Makes a hidden path visible again.
    pub fn unhide(&self, path: &str) {
        self.state.lock().hidden.remove(path);
    }
}

impl Disk for SimDisk {
    fn root(&self) -> PathBuf {
        PathBuf::from("sim")
    }

    fn create_dir(&self, path: &str) -> Result<()> {
        let mut state = self.state.lock();
        state.operation(Kind::Space, "create", path)?;
        state.add_folder(path);
        Ok(())
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let state = self.state.lock();
        state.reading("list", dir)?;
        let below = |path: &String| {
            let rest =
                if dir.is_empty() { path.as_str() } else { path.strip_prefix(dir)?.strip_prefix('/')? };
            let name = rest.split('/').next().filter(|name| !name.is_empty())?;
            (!state.is_hidden(path)).then(|| name.to_owned())
        };
        let paths = state.names.keys().chain(&state.folders).chain(state.graphs.keys());
        Ok(paths.filter_map(below).collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn exists(&self, path: &str) -> Result<bool> {
        let state = self.state.lock();
        state.reading("look for", path)?;
        let there = state.names.contains_key(path) || state.folder_exists(path);
        Ok(there && !state.is_hidden(path))
    }

    fn open(&self, path: &str, how: How) -> Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        let id = if how == How::Create {
            state.operation(Kind::Space, "create", path)?;
            if !state.folder_exists(parent(path)) {
                return Err(failure("create", path, io::ErrorKind::NotFound));
            }
            state.create(path)
        } else {
            state.reading("open", path)?;
            let id = state.names.get(path).copied().filter(|_| !state.is_hidden(path));
            id.ok_or_else(|| failure("open", path, io::ErrorKind::NotFound))?
        };
        Ok(Box::new(SimHandle {
            state: Arc::clone(&self.state),
            id,
            path: path.to_owned(),
            writes: how != How::Read,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut state = self.state.lock();
        state.operation(Kind::Other, "rename", from)?;
        let id = state.names.remove(from).ok_or_else(|| failure("rename", from, io::ErrorKind::NotFound))?;
        state.names.insert(to.to_owned(), id);
        Ok(())
    }

    fn remove_file(&self, path: &str) -> Result<()> {
        let mut state = self.state.lock();
        state.operation(Kind::Other, "remove", path)?;
        state.names.remove(path);
        Ok(())
    }

    fn remove_dir(&self, path: &str) -> Result<()> {
        let mut state = self.state.lock();
        state.operation(Kind::Other, "remove", path)?;
        state.remove_folder(path);
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        let mut state = self.state.lock();
        state.operation(Kind::Sync, "sync", dir)?;
        state.sync_names(dir);
        Ok(())
    }

    fn bytes(&self, path: &str) -> Result<u64> {
        let state = self.state.lock();
        state.reading("measure", path)?;
        Ok(state.bytes_below(path))
    }

    fn lock(&self, path: &str, owner: &str) -> Result<Box<dyn Lock>> {
        let mut state = self.state.lock();
        state.reading("lock", path)?;
        if let Some(owner) = state.locks.get(path) {
            return Err(Error::Locked { owner: owner.clone() });
        }
        state.create(path);
        if let Some(file) = state.file_mut(path) {
            file.data.extend_from_slice(owner.as_bytes());
        }
        state.locks.insert(path.to_owned(), owner.to_owned());
        Ok(Box::new(SimLock { state: Arc::clone(&self.state), path: path.to_owned() }))
    }

    fn open_graph(&self, dir: &str) -> Result<Box<dyn GraphStore>> {
        let mut state = self.state.lock();
        state.operation(Kind::Space, "open the graph", dir)?;
        state.add_folder(dir);
        let store = SimStore::new(Arc::clone(&self.state), dir);
        state.graphs.entry(dir.to_owned()).or_default();
        Ok(Box::new(store))
    }
}

fn failure(action: &'static str, path: &str, kind: io::ErrorKind) -> Error {
    Error::Io { action, path: PathBuf::from("sim").join(path), source: kind.into() }
}

struct SimHandle {
    state: Arc<Mutex<State>>,
    id: u64,
    path: String,
    writes: bool,
}

impl SimHandle {
    fn writable(&self, action: &'static str) -> Result<()> {
        if self.writes { Ok(()) } else { Err(failure(action, &self.path, io::ErrorKind::PermissionDenied)) }
    }
}

impl DiskFile for SimHandle {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let state = self.state.lock();
        state.reading("read", &self.path)?;
        if state.is_hidden(&self.path) {
            return Err(failure("read", &self.path, io::ErrorKind::NotFound));
        }
        let file = state.files.get(&self.id);
        let rest =
            usize::try_from(offset).ok().and_then(|offset| file?.data.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(into), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            into.copy_from_slice(from);
        }
        Ok(count)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.writable("write")?;
        let mut state = self.state.lock();
        let (taken, answer) = state.take_room("write", &self.path, bytes.len());
        if let Some(file) = state.files.get_mut(&self.id) {
            file.data.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        }
        answer
    }

    fn sync(&mut self) -> Result<()> {
        self.writable("sync")?;
        let mut state = self.state.lock();
        let answer = state.operation(Kind::Sync, "sync", &self.path);
        let crashed = state.crashed;
        if let Some(file) = state.files.get_mut(&self.id) {
            match &answer {
                Ok(()) => file.sync(),
                Err(_) if !crashed => file.sync_failed = true,
                Err(_) => {}
            }
        }
        answer
    }

    fn truncate(&mut self, len: u64) -> Result<()> {
        self.writable("truncate")?;
        let mut state = self.state.lock();
        state.operation(Kind::Other, "truncate", &self.path)?;
        if let Some(file) = state.files.get_mut(&self.id) {
            file.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        let state = self.state.lock();
        state.reading("measure", &self.path)?;
        Ok(state.files.get(&self.id).map_or(0, |file| file.data.len() as u64))
    }
}

struct SimLock {
    state: Arc<Mutex<State>>,
    path: String,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.state.lock().locks.remove(&self.path);
    }
}

#[cfg(test)]
mod tests;
