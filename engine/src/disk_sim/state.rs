//! What a simulated disk holds, what of it is durable, and what a crash makes of the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::graph::SimGraph;
use super::{Fault, Loss, failure};
use crate::disk::parent;
use crate::error::Result;

/// SplitMix64 (Steele, Lea and Flood, 2014): the same draws for the same seed, for ever.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `most`, both included.
    pub(super) fn up_to(&mut self, most: usize) -> usize {
        (self.next() % (most as u64 + 1)) as usize
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }
}

/// What a fault may strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Needs space on the disk.
    Space,
    /// Makes something durable.
    Sync,
    Other,
}

/// A file's content. Appending only ever adds, so the durable part is a prefix of `data`, except
/// while a cut is not yet synced.
#[derive(Clone, Debug, Default)]
pub(super) struct SimFile {
    pub(super) data: Vec<u8>,
    durable_len: usize,
    /// The durable content, where a cut has taken some of it away.
    before_cut: Option<Vec<u8>>,
    /// A sync has failed: later ones only seem to work.
    pub(super) sync_failed: bool,
}

impl SimFile {
    pub(super) fn sync(&mut self) {
        if !self.sync_failed {
            self.durable_len = self.data.len();
            self.before_cut = None;
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        if len < self.durable_len {
            let durable = self.data.get(..self.durable_len).unwrap_or_default().to_vec();
            self.before_cut.get_or_insert(durable);
            self.durable_len = len;
        }
        self.data.resize(len, 0);
    }

    fn after_crash(&self, random: &mut Random, loss: Loss) -> Self {
        let durable = || self.data.get(..self.durable_len).unwrap_or_default().to_vec();
        let data = match (loss, &self.before_cut) {
            (Loss::Kept, _) => self.data.clone(),
            (Loss::Lost, Some(before)) => before.clone(),
            (Loss::Lost, None) => durable(),
            (Loss::Torn, Some(before)) if random.coin() => before.clone(),
            (Loss::Torn, _) => torn(&self.data, self.durable_len, random),
        };
        Self { durable_len: data.len(), data, before_cut: None, sync_failed: false }
    }
}

/// `data` with its bytes from `durable_len` on partly written.
fn torn(data: &[u8], durable_len: usize, random: &mut Random) -> Vec<u8> {
    let unsynced = data.len() - durable_len;
    let kept = durable_len + random.up_to(unsynced);
    let mut found = data.get(..kept).unwrap_or_default().to_vec();
    match random.up_to(3) {
        // The length was written, and not all of the bytes.
        0 => found.resize(kept + random.up_to(data.len() - kept), 0),
        // Later bytes were written before earlier ones.
        1 => {
            let from = durable_len + random.up_to(kept - durable_len);
            let to = from + random.up_to(kept - from);
            found.get_mut(from..to).unwrap_or_default().fill(0);
        }
        _ => {}
    }
    found
}

/// All of a disk.
#[derive(Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<u64, SimFile>,
    pub(super) names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    pub(super) folders: BTreeSet<String>,
    pub(super) graphs: BTreeMap<String, SimGraph>,
    /// Graphs whose folder was removed and its parent not synced.
    removed_graphs: BTreeMap<String, SimGraph>,
    pub(super) locks: BTreeMap<String, String>,
    pub(super) hidden: BTreeSet<String>,
    next_file: u64,
    pub(super) operations: u64,
    pub(super) fault: Option<(u64, Fault)>,
    pub(super) struck: Option<String>,
    pub(super) crashed: bool,
    pub(super) room: Option<u64>,
}

/// Whether `path` is `folder` or lies below it.
fn within(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl State {
    /// Fails once the machine has stopped.
    pub(super) fn reading(&self, action: &'static str, path: &str) -> Result<()> {
        if self.crashed { Err(failure(action, path, io::ErrorKind::BrokenPipe)) } else { Ok(()) }
    }

    /// Counts an operation, and fails where the fault strikes.
    pub(super) fn operation(&mut self, kind: Kind, action: &'static str, path: &str) -> Result<()> {
        self.reading(action, path)?;
        self.operations += 1;
        let Some((n, fault)) = self.fault else { return Ok(()) };
        let error = match fault {
            Fault::Crash => io::ErrorKind::BrokenPipe,
            Fault::SyncError if kind == Kind::Sync => io::ErrorKind::Other,
            Fault::DiskFull if kind == Kind::Space => io::ErrorKind::StorageFull,
            Fault::Error => io::ErrorKind::Other,
            Fault::SyncError | Fault::DiskFull => return Ok(()),
        };
        if self.operations < n {
            return Ok(());
        }
        self.fault = None;
        self.crashed = fault == Fault::Crash;
        self.struck = Some(format!("{action} {path}"));
        Err(failure(action, path, error))
    }

    /// Counts an operation that takes `len` bytes; answers how many of them are taken. A crash
    /// takes them all: what becomes of them is decided after it.
    pub(super) fn take_room(&mut self, action: &'static str, path: &str, len: usize) -> (usize, Result<()>) {
        if let Err(error) = self.reading(action, path) {
            return (0, Err(error));
        }
        let fault = self.fault.map(|(_, fault)| fault);
        if let Err(error) = self.operation(Kind::Space, action, path) {
            let taken = match fault {
                Some(Fault::Crash) => len,
                Some(Fault::DiskFull) => len / 2,
                _ => 0,
            };
            return (taken, Err(error));
        }
        match &mut self.room {
            Some(room) if *room < len as u64 => {
                let taken = std::mem::take(room) as usize;
                (taken, Err(failure(action, path, io::ErrorKind::StorageFull)))
            }
            Some(room) => {
                *room -= len as u64;
                (len, Ok(()))
            }
            None => (len, Ok(())),
        }
    }

    pub(super) fn file_mut(&mut self, path: &str) -> Option<&mut SimFile> {
        self.files.get_mut(self.names.get(path)?)
    }

    /// A new and empty file under a name; one that is there is emptied.
    pub(super) fn create(&mut self, path: &str) -> u64 {
        if let Some(id) = self.names.get(path).copied() {
            if let Some(file) = self.files.get_mut(&id) {
                file.truncate(0);
            }
            return id;
        }
        self.next_file += 1;
        self.files.insert(self.next_file, SimFile::default());
        self.names.insert(path.to_owned(), self.next_file);
        self.next_file
    }

    pub(super) fn add_folder(&mut self, path: &str) {
        let mut path = path;
        while !path.is_empty() {
            self.folders.insert(path.to_owned());
            path = parent(path);
        }
    }

    pub(super) fn folder_exists(&self, path: &str) -> bool {
        path.is_empty() || self.folders.contains(path)
    }

    pub(super) fn remove_folder(&mut self, path: &str) {
        self.names.retain(|name, _| !within(name, path));
        self.folders.retain(|folder| !within(folder, path));
        let graphs = std::mem::take(&mut self.graphs);
        for (folder, graph) in graphs {
            let to = if within(&folder, path) { &mut self.removed_graphs } else { &mut self.graphs };
            to.insert(folder, graph);
        }
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_names(&mut self, folder: &str) {
        self.durable_names.retain(|name, _| parent(name) != folder);
        let names = self.names.iter().filter(|(name, _)| parent(name) == folder);
        self.durable_names.extend(names.map(|(name, id)| (name.clone(), *id)));
        self.removed_graphs.retain(|name, _| parent(name) != folder);
    }

    pub(super) fn is_hidden(&self, path: &str) -> bool {
        self.hidden.iter().any(|hidden| within(path, hidden))
    }

    pub(super) fn bytes_below(&self, path: &str) -> u64 {
        let files = self.names.iter().filter(|(name, _)| within(name, path) && !self.is_hidden(name));
        let files: usize = files.filter_map(|(_, id)| self.files.get(id)).map(|file| file.data.len()).sum();
        let graphs = self.graphs.iter().filter(|(name, _)| within(name, path) && !self.is_hidden(name));
        files as u64 + graphs.map(|(_, graph)| graph.bytes()).sum::<u64>()
    }

    pub(super) fn after_crash(&self, random: &mut Random, loss: Loss) -> Self {
        let mut names = BTreeMap::new();
        for name in self.names.keys().chain(self.durable_names.keys()).collect::<BTreeSet<_>>() {
            let (now, durable) = (self.names.get(name), self.durable_names.get(name));
            let kept = match loss {
                Loss::Kept => now,
                Loss::Lost => durable,
                Loss::Torn if now == durable || random.coin() => now,
                Loss::Torn => durable,
            };
            if let Some(id) = kept {
                names.insert(name.clone(), *id);
            }
        }
        let files = self.files.iter().filter(|(id, _)| names.values().any(|kept| kept == *id));
        let files = files.map(|(id, file)| (*id, file.after_crash(random, loss))).collect();
        let mut folders = self.folders.clone();
        let mut graphs: BTreeMap<_, _> = self
            .graphs
            .iter()
            .map(|(folder, graph)| (folder.clone(), graph.after_crash(random, loss)))
            .collect();
        for (folder, graph) in &self.removed_graphs {
            let back = match loss {
                Loss::Kept => false,
                Loss::Lost => true,
                Loss::Torn => random.coin(),
            };
            if back && !graphs.contains_key(folder) {
                folders.insert(folder.clone());
                graphs.insert(folder.clone(), graph.after_crash(random, loss));
            }
        }
        for name in names.keys() {
            let mut folder = parent(name);
            while !folder.is_empty() {
                folders.insert(folder.to_owned());
                folder = parent(folder);
            }
        }
        let durable_names = names.clone();
        let next_file = self.next_file;
        Self { files, names, durable_names, folders, graphs, next_file, ..Self::default() }
    }
}
