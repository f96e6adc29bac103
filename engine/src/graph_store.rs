//! The one file that knows sled: a map of keys to large values, with deadlines.
//!
//! sled 1.0.0-alpha.124 is fast and has sharp edges, and all of them are dealt with here:
//!
//! - Damaged files can make it spin for ever or panic. So every call runs on one worker thread
//!   and has a deadline; past it the handle is dead, and the thread is left behind, since
//!   nothing can stop it. A panic is caught and kills the handle in the same way.
//! - Removing beside a batch deadlocks. So there is one writer, and removals go in batches.
//! - Its flusher thread aborts the process on an I/O error. So it has none, and flushing is a
//!   call whose error is returned.
//! - Leaves written since it was opened are never evicted. So it is flushed and reopened after
//!   each [`REOPEN_BYTES`] applied.
//! - A leaf is sized by the count of its keys. So the fanout is the least allowed: large values.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::{Error, Result};

/// A change: a key with its new value, or `None` to remove it.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// The database below the graph.
pub trait GraphStore: Send + Sync {
    /// The value of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// The values of many keys, in the order of `keys`. Where a store answers through a queue,
    /// this is one turn in it.
    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }
    /// Applies all changes at once. Durable after [`GraphStore::flush`].
    fn apply(&self, batch: Vec<Change>) -> Result<()>;
    /// Makes everything applied so far durable.
    fn flush(&self) -> Result<()>;
    /// All keys, ascending.
    fn keys(&self) -> Result<Vec<Vec<u8>>>;
}

/// Least fanout sled takes: with large values, one a leaf.
const LEAF_FANOUT: usize = 3;
/// sled's own cache; ours holds the pages in use.
const CACHE_BYTES: usize = 64 << 20;
/// sled compresses every leaf; our pages are compressed already.
const ZSTD_LEVEL: i32 = 1;
/// sled is flushed and reopened after so many applied bytes.
const REOPEN_BYTES: u64 = 1 << 30;

type SledDb = sled::Db<LEAF_FANOUT>;

/// How long a [`SledStore`] may take over a call, from when its worker turns to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For `get`, `get_many` and `apply`.
    pub call: Duration,
    /// For opening, closing, reopening, `flush` and `keys`, which may go over the whole database.
    pub whole: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { call: Duration::from_secs(60), whole: Duration::from_secs(600) }
    }
}

/// A sled database behind one worker thread.
///
/// Calls of many threads are served one after another. After [`Error::GraphUnresponsive`] every
/// later call answers the same at once.
pub struct SledStore {
    requests: Mutex<Sender<Request>>,
    /// Set once a deadline has passed: what was being done then, and its seconds.
    dead: Mutex<Option<(&'static str, u64)>>,
    turn: Arc<Mutex<Option<Turn>>>,
    deadlines: Deadlines,
}

/// What the worker is doing now.
#[derive(Clone, Copy)]
struct Turn {
    began: Instant,
    deadline: Duration,
}

type Reply<T> = Sender<Result<T>>;

enum Request {
    Get(Vec<Vec<u8>>, Reply<Vec<Option<Vec<u8>>>>),
    Apply(Vec<Change>, Reply<()>),
    Flush(Reply<()>),
    Keys(Reply<Vec<Vec<u8>>>),
    Close(Reply<()>),
}

impl SledStore {
    /// Opens the database in a folder, or makes one.
    ///
    /// # Errors
    /// [`Error::Graph`] with sled's words, [`Error::GraphUnresponsive`] past the deadline.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self> {
        Self::open_with(folder, Deadlines::default(), REOPEN_BYTES)
    }

    /// Opens with deadlines, and a number of applied bytes after which sled is reopened.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub fn open_with(folder: impl Into<PathBuf>, deadlines: Deadlines, reopen_bytes: u64) -> Result<Self> {
        let (requests, queue) = channel();
        let (opened, answer) = channel();
        let turn = Arc::new(Mutex::new(None));
        let folder = folder.into();
        let worker =
            Worker { folder, db: None, applied_bytes: 0, reopen_bytes, deadlines, turn: Arc::clone(&turn) };
        std::thread::Builder::new()
            .name("throughline-graph".to_owned())
            .spawn(move || worker.run(&opened, &queue))
            .map_err(|error| graph("start its thread", error))?;
        // On an error `requests` is dropped here, and a worker that opens late stops by itself.
        match answer.recv_timeout(deadlines.whole) {
            Ok(answer) => answer?,
            Err(RecvTimeoutError::Timeout) => {
                return Err(Error::GraphUnresponsive { action: "open", seconds: deadlines.whole.as_secs() });
            }
            Err(RecvTimeoutError::Disconnected) => return Err(graph("open", STOPPED)),
        }
        Ok(Self { requests: Mutex::new(requests), dead: Mutex::new(None), turn, deadlines })
    }

    fn ask<T>(
        &self,
        action: &'static str,
        deadline: Duration,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T> {
        self.dead_or(())?;
        let (reply, answer) = channel();
        if self.requests.lock().send(request(reply)).is_err() {
            return Err(graph(action, STOPPED));
        }
        let mut wait = deadline;
        loop {
            match answer.recv_timeout(wait) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Disconnected) => return Err(graph(action, STOPPED)),
                Err(RecvTimeoutError::Timeout) => self.dead_or(())?,
            }
            // The worker may rightly be busy with what was asked before: then wait on.
            wait = match *self.turn.lock() {
                None => BETWEEN_TURNS,
                Some(turn) => turn.deadline.saturating_sub(turn.began.elapsed()),
            };
            if wait.is_zero() {
                self.dead.lock().get_or_insert((action, deadline.as_secs()));
            }
        }
    }

    fn dead_or<T>(&self, value: T) -> Result<T> {
        match *self.dead.lock() {
            Some((action, seconds)) => Err(Error::GraphUnresponsive { action, seconds }),
            None => Ok(value),
        }
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // Waits, so that the folder is free afterwards. There is nobody to tell of a failure,
        // and what was flushed is safe; a stuck worker is left behind.
        drop(self.ask("close", self.deadlines.whole, Request::Close));
    }
}

impl GraphStore for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.get_many(&[key])?.pop().flatten())
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        let keys = keys.iter().map(|key| key.to_vec()).collect();
        self.ask("read", self.deadlines.call, |reply| Request::Get(keys, reply))
    }

    fn apply(&self, batch: Vec<Change>) -> Result<()> {
        self.ask("write", self.deadlines.call, |reply| Request::Apply(batch, reply))
    }

    fn flush(&self) -> Result<()> {
        self.ask("flush", self.deadlines.whole, Request::Flush)
    }

    fn keys(&self) -> Result<Vec<Vec<u8>>> {
        self.ask("list its keys", self.deadlines.whole, Request::Keys)
    }
}

/// Said where the worker is gone, or its sled is.
const STOPPED: &str = "it stopped after an earlier failure; reopen the store";
/// How long to wait again where the worker is seen between two requests.
const BETWEEN_TURNS: Duration = Duration::from_millis(5);

fn graph(action: &'static str, message: impl ToString) -> Error {
    Error::Graph { action, message: message.to_string() }
}

/// Runs a call into sled; its panic becomes an error.
fn guarded<T>(action: &'static str, call: impl FnOnce() -> std::io::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) => answer.map_err(|error| graph(action, error)),
        Err(panic) => {
            let words = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(graph(action, format!("a fault inside the graph store: {words}")))
        }
    }
}

/// The thread that owns sled.
struct Worker {
    folder: PathBuf,
    /// None after a failure: then every call fails.
    db: Option<SledDb>,
    applied_bytes: u64,
    reopen_bytes: u64,
    deadlines: Deadlines,
    turn: Arc<Mutex<Option<Turn>>>,
}

impl Worker {
    fn run(mut self, opened: &Reply<()>, queue: &Receiver<Request>) {
        let answer = self.open();
        let failed = answer.is_err();
        if opened.send(answer).is_err() || failed {
            return;
        }
        // An answer that cannot be sent is one nobody waits for any more.
        while let Ok(request) = queue.recv() {
            let Deadlines { call, whole } = self.deadlines;
            match request {
                Request::Get(keys, reply) => {
                    self.turn(call, |worker| drop(reply.send(worker.call("read", |db| read(db, &keys)))));
                }
                Request::Apply(batch, reply) => {
                    self.turn(call, |worker| drop(reply.send(worker.apply(batch))));
                    if self.applied_bytes >= self.reopen_bytes {
                        self.turn(whole, Self::reopen);
                    }
                }
                Request::Flush(reply) => {
                    self.turn(whole, |worker| drop(reply.send(worker.call("flush", flush))));
                }
                Request::Keys(reply) => {
                    self.turn(whole, |worker| drop(reply.send(worker.call("list its keys", list))));
                }
                Request::Close(reply) => {
                    self.turn(whole, |worker| drop(reply.send(worker.close())));
                    return;
                }
            }
        }
    }

    fn turn(&mut self, deadline: Duration, work: impl FnOnce(&mut Self)) {
        *self.turn.lock() = Some(Turn { began: Instant::now(), deadline });
        work(self);
        *self.turn.lock() = None;
    }

    fn open(&mut self) -> Result<()> {
        let config = sled::Config::new()
            .path(&self.folder)
            .cache_capacity_bytes(CACHE_BYTES)
            .flush_every_ms(None)
            .zstd_compression_level(ZSTD_LEVEL);
        self.db = Some(guarded("open", || config.open::<LEAF_FANOUT>())?);
        self.applied_bytes = 0;
        Ok(())
    }

    /// Calls sled. After a failure its memory is not to be trusted, and dropping it would flush
    /// that memory: it is left behind, and later calls fail.
    fn call<T>(
        &mut self,
        action: &'static str,
        call: impl FnOnce(&SledDb) -> std::io::Result<T>,
    ) -> Result<T> {
        let Some(db) = &self.db else { return Err(graph(action, STOPPED)) };
        let answer = guarded(action, || call(db));
        if answer.is_err() {
            std::mem::forget(self.db.take());
        }
        answer
    }

    fn apply(&mut self, batch: Vec<Change>) -> Result<()> {
        let mut bytes = 0;
        let mut changes = sled::Batch::default();
        for (key, value) in batch {
            bytes += key.len() as u64;
            match value {
                Some(value) => {
                    bytes += value.len() as u64;
                    changes.insert(key, value);
                }
                None => changes.remove(key),
            }
        }
        self.call("write", |db| db.apply_batch(changes))?;
        self.applied_bytes += bytes;
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.call("flush", flush)?;
        let db = self.db.take();
        guarded("close", || {
            drop(db);
            Ok(())
        })
    }

    /// Gives back the memory of written leaves. Where this fails `db` is left empty, so the next
    /// call says so.
    fn reopen(&mut self) {
        if self.close().is_ok() {
            drop(self.open());
        }
    }
}

fn read(db: &SledDb, keys: &[Vec<u8>]) -> std::io::Result<Vec<Option<Vec<u8>>>> {
    keys.iter().map(|key| Ok(db.get(key)?.map(|value| value.to_vec()))).collect()
}

fn flush(db: &SledDb) -> std::io::Result<()> {
    db.flush().map(drop)
}

fn list(db: &SledDb) -> std::io::Result<Vec<Vec<u8>>> {
    db.iter().keys().map(|key| Ok(key?.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, OsDisk, parent, read_whole, write_atomically};

    const SHORT: Deadlines =
        Deadlines { call: Duration::from_millis(400), whole: Duration::from_millis(400) };

    fn value(seed: u8, len: usize) -> Vec<u8> {
        let mut state = u64::from(seed) + 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    fn key(number: u8) -> Vec<u8> {
        vec![b'k', 0, number]
    }

    #[test]
    fn what_was_flushed_is_there_after_reopening() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SledStore::open(folder.path()).expect("open");
        assert_eq!(store.get(b"k").expect("get"), None);
        let batch = (0..6).map(|number| (key(number), Some(value(number, 261_000)))).collect();
        store.apply(batch).expect("apply");
        store.flush().expect("flush");
        store
            .apply(vec![(key(1), None), (key(3), Some(value(33, 12))), (key(6), Some(Vec::new()))])
            .expect("apply");
        let check = |store: &SledStore| {
            let expected = [0, 2, 3, 4, 5, 6].map(key);
            assert_eq!(store.keys().expect("keys"), expected);
            let asked = [key(6), key(1), key(3), key(0), key(0)];
            let asked: Vec<&[u8]> = asked.iter().map(Vec::as_slice).collect();
            let values = store.get_many(&asked).expect("get");
            let first = Some(value(0, 261_000));
            assert_eq!(values, [Some(Vec::new()), None, Some(value(33, 12)), first.clone(), first]);
        };
        check(&store);
        store.flush().expect("flush");
        check(&store);
        drop(store);
        check(&SledStore::open(folder.path()).expect("open"));
    }

    #[test]
    fn reopens_itself_between_batches() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SledStore::open_with(folder.path(), Deadlines::default(), 50_000).expect("open");
        for number in 0..20 {
            store.apply(vec![(key(number), Some(value(number, 20_000)))]).expect("apply");
            assert_eq!(store.get(&key(number / 2)).expect("get"), Some(value(number / 2, 20_000)));
        }
        assert_eq!(store.keys().expect("keys").len(), 20);
    }

    #[test]
    fn a_folder_in_use_and_one_that_is_a_file_are_errors() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let _store = SledStore::open(folder.path()).expect("open");
        assert!(matches!(SledStore::open(folder.path()), Err(Error::Graph { action: "open", .. })));
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        assert!(matches!(SledStore::open(file.path()), Err(Error::Graph { action: "open", .. })));
    }

    #[test]
    fn a_stuck_worker_is_given_up() {
        let (requests, queue) = channel();
        let turn = Some(Turn { began: Instant::now(), deadline: Duration::from_millis(30) });
        let store = SledStore {
            requests: Mutex::new(requests),
            dead: Mutex::new(None),
            turn: Arc::new(Mutex::new(turn)),
            deadlines: Deadlines { call: Duration::from_millis(10), whole: Duration::from_secs(3_600) },
        };
        assert!(matches!(store.get(b"k"), Err(Error::GraphUnresponsive { action: "read", .. })));
        // Later calls would wait an hour if the handle were not known to be dead.
        assert!(matches!(store.flush(), Err(Error::GraphUnresponsive { action: "read", .. })));
        drop(store);
        assert_eq!(queue.iter().count(), 1);
    }

    /// Flips one bit of sled's own files, and reads everything.
    #[test]
    fn a_flipped_bit_is_an_error_or_a_missing_key_and_never_hangs() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let written: Vec<Vec<u8>> = (0..4).map(|number| value(number, 3_000)).collect();
        let store = SledStore::open(folder.path()).expect("open");
        for (number, value) in (0..).zip(&written) {
            store.apply(vec![(key(number), Some(value.clone()))]).expect("apply");
        }
        drop(store);
        let mut files = Vec::new();
        files_below(&OsDisk::new(folder.path()), "", &mut files);
        let mut random = 0x1234_5678_9abc_def0_u64;
        for _ in 0..40 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let damaged = tempfile::tempdir().expect("a temporary folder");
            let disk = OsDisk::new(damaged.path());
            let victim = (random >> 33) as usize % files.len();
            for (number, (name, bytes)) in files.iter().enumerate() {
                let mut bytes = bytes.clone();
                if number == victim {
                    let bit = (random >> 17) as usize % (bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
                disk.create_dir(parent(name)).expect("folders");
                write_atomically(&disk, name, &bytes).expect("write");
            }
            let Ok(store) = SledStore::open_with(damaged.path(), SHORT, REOPEN_BYTES) else { continue };
            for (number, value) in (0..).zip(&written) {
                if let Ok(Some(read)) = store.get(&key(number)) {
                    assert_eq!(&read, value, "a wrong value after a flip in {}", files[victim].0);
                }
            }
        }
    }

    fn files_below(disk: &OsDisk, folder: &str, files: &mut Vec<(String, Vec<u8>)>) {
        for name in disk.list(folder).expect("list") {
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            // What cannot be listed is a file.
            if disk.list(&path).is_ok() {
                files_below(disk, &path, files);
                continue;
            }
            let bytes = read_whole(disk, &path, 1 << 30).expect("read");
            if !bytes.is_empty() {
                files.push((path, bytes));
            }
        }
    }
}
