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
//! - Leaves of one certain length are corrupted. So values are padded ([`stored`]).

mod stored;

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
    /// All keys, ascending. A store may have to read every value for it.
    fn keys(&self) -> Result<Vec<Vec<u8>>>;
}

/// Least fanout sled takes: with large values, one a leaf.
const LEAF_FANOUT: usize = 3;
/// sled's own cache; ours holds the pages in use.
const CACHE_BYTES: usize = 64 << 20;
/// sled compresses every leaf; ours look random to it, so that the least effort is best.
const ZSTD_LEVEL: i32 = 1;
/// sled moves values at the end of its files into holes before where less than so much of a file is in use.
/// New values go into the holes first, so that files stay nearly full while the graph does not
/// shrink. With sled's own 0.9 what a seal drops can make it write as much again.
const FILL_RATIO: f32 = 0.7;
/// How often, and how long apart, a lock that is taken is asked for again.
const LOCK_TRIES: usize = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// sled is flushed and reopened after so many applied bytes.
const REOPEN_BYTES: u64 = 192 << 20;

type SledDb = sled::Db<LEAF_FANOUT>;

/// How long a [`SledStore`] may take over a call, from when its worker turns to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For `get`, `get_many` and `apply`.
    pub call: Duration,
    /// For opening: a sound database opens in a fraction of a second, and one whose own records
    /// are damaged may never do so.
    pub open: Duration,
    /// For closing, reopening, `flush` and `keys`, which may go over the whole database.
    pub whole: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { call: Duration::from_secs(60), open: Duration::from_secs(60), whole: Duration::from_secs(180) }
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
        let worker = Worker {
            folder,
            db: None,
            failure: String::new(),
            applied_bytes: 0,
            unflushed: false,
            reopen_bytes,
            deadlines,
            turn: Arc::clone(&turn),
        };
        std::thread::Builder::new()
            .name("throughline-graph".to_owned())
            .spawn(move || worker.run(&opened, &queue))
            .map_err(|error| graph("start its thread", error))?;
        // On an error `requests` is dropped here, and a worker that opens late stops by itself.
        match answer.recv_timeout(deadlines.open) {
            Ok(answer) => answer?,
            Err(RecvTimeoutError::Timeout) => {
                return Err(Error::GraphUnresponsive { action: "open", seconds: deadlines.open.as_secs() });
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
        self.alive()?;
        let (reply, answer) = channel();
        if self.requests.lock().send(request(reply)).is_err() {
            return Err(graph(action, STOPPED));
        }
        loop {
            match answer.recv_timeout(deadline.min(GLANCE)) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Disconnected) => return Err(graph(action, STOPPED)),
                Err(RecvTimeoutError::Timeout) => {}
            }
            // The worker may rightly be busy with what was asked before: it is its turn that counts.
            let late = self.turn.lock().filter(|turn| turn.began.elapsed() >= turn.deadline);
            if let Some(turn) = late {
                self.dead.lock().get_or_insert((action, turn.deadline.as_secs()));
            }
            self.alive()?;
        }
    }

    fn alive(&self) -> Result<()> {
        match *self.dead.lock() {
            Some((action, seconds)) => Err(Error::GraphUnresponsive { action, seconds }),
            None => Ok(()),
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
        let asked = keys.iter().map(|key| key.to_vec()).collect();
        let found = self.ask("read", self.deadlines.call, |reply| Request::Get(asked, reply))?;
        let value =
            |(key, stored): (&&[u8], Option<Vec<u8>>)| stored.map(|stored| stored::unwrapped(key, stored));
        keys.iter().zip(found).map(|found| value(found).transpose()).collect()
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
/// How often one who waits looks whether the worker is past its deadline.
const GLANCE: Duration = Duration::from_millis(250);

fn graph(action: &'static str, message: impl ToString) -> Error {
    Error::Graph { action, message: message.to_string() }
}

/// How a call into sled went wrong.
enum Failure {
    /// sled answered an error.
    Reported(String),
    /// sled panicked.
    Panicked(String),
    /// An earlier failure was the end of it.
    Stopped(String),
}

impl Failure {
    fn words(&self) -> String {
        match self {
            Self::Reported(words) | Self::Stopped(words) => words.clone(),
            Self::Panicked(words) => format!("a fault inside sled: {words}"),
        }
    }
}

/// Runs a call into sled; a panic in it becomes an error.
fn guarded<T>(call: impl FnOnce() -> std::io::Result<T>) -> std::result::Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) => answer.map_err(|error| {
            // sled puts its source lines before the words: `sled:src/heap.rs:530 -> crc mismatch`.
            let words = error.to_string();
            Failure::Reported(words.rsplit(" -> ").next().unwrap_or_default().to_owned())
        }),
        Err(panic) => {
            let words = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(Failure::Panicked(words.to_owned()))
        }
    }
}

/// The thread that owns sled.
struct Worker {
    folder: PathBuf,
    /// None after a failure: then every call fails.
    db: Option<SledDb>,
    /// What that failure was.
    failure: String,
    /// Since it was opened.
    applied_bytes: u64,
    /// Whether something was applied since the last flush.
    unflushed: bool,
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
            let Deadlines { call, whole, .. } = self.deadlines;
            match request {
                Request::Get(keys, reply) => {
                    self.turn(call, |worker| drop(reply.send(worker.read("read", |db| read(db, &keys)))));
                }
                Request::Apply(batch, reply) => {
                    self.turn(call, |worker| drop(reply.send(worker.apply(batch))));
                    if self.applied_bytes >= self.reopen_bytes {
                        self.turn(whole, Self::reopen);
                    }
                }
                Request::Flush(reply) => {
                    self.turn(whole, |worker| drop(reply.send(worker.flush())));
                }
                Request::Keys(reply) => {
                    self.turn(whole, |worker| drop(reply.send(worker.read("list its keys", list))));
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
        let mut config = sled::Config::new()
            .path(&self.folder)
            .cache_capacity_bytes(CACHE_BYTES)
            .flush_every_ms(None)
            .zstd_compression_level(ZSTD_LEVEL);
        config.target_heap_file_fill_ratio = FILL_RATIO;
        // A thread of the handle that was just closed may still hold the lock for a moment. Other
        // processes are kept out by the store's own lock.
        let mut tries = LOCK_TRIES;
        let db = guarded(|| {
            loop {
                match config.open::<LEAF_FANOUT>() {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && tries > 0 => {
                        tries -= 1;
                        std::thread::sleep(LOCK_PAUSE);
                    }
                    opened => return opened,
                }
            }
        });
        self.db = Some(db.map_err(|failure| graph("open", failure.words()))?);
        self.applied_bytes = 0;
        Ok(())
    }

    /// Reads from sled. After an unreadable value it answers nothing but that error, so it is
    /// opened anew and the other values stay readable; not where that would lose what was
    /// applied and not flushed.
    fn read<T>(
        &mut self,
        action: &'static str,
        call: impl FnOnce(&SledDb) -> std::io::Result<T>,
    ) -> Result<T> {
        let answer = self.call(action, call);
        if let Err(Failure::Reported(_)) = answer
            && !self.unflushed
        {
            let db = self.db.take();
            let reopened = guarded(|| {
                drop(db);
                Ok(())
            });
            if reopened.is_ok()
                && let Err(error) = self.open()
            {
                self.failure = error.to_string();
            }
        } else if answer.is_err() {
            self.give_up();
        }
        answer.map_err(|failure| graph(action, failure.words()))
    }

    /// Writes to sled. After an error nobody knows what is in its memory, nor on disk.
    fn write<T>(
        &mut self,
        action: &'static str,
        call: impl FnOnce(&SledDb) -> std::io::Result<T>,
    ) -> Result<T> {
        let answer = self.call(action, call);
        if answer.is_err() {
            self.give_up();
        }
        answer.map_err(|failure| graph(action, failure.words()))
    }

    fn call<T>(
        &mut self,
        action: &'static str,
        call: impl FnOnce(&SledDb) -> std::io::Result<T>,
    ) -> std::result::Result<T, Failure> {
        let Some(db) = &self.db else {
            return Err(Failure::Stopped(format!("{STOPPED} ({})", self.failure)));
        };
        let answer = guarded(|| call(db));
        if let Err(failure) = &answer {
            self.failure = graph(action, failure.words()).to_string();
        }
        answer
    }

    /// Leaves sled behind. Dropping it would flush its memory, which is not to be trusted any more.
    fn give_up(&mut self) {
        std::mem::forget(self.db.take());
    }

    fn apply(&mut self, batch: Vec<Change>) -> Result<()> {
        let mut bytes = 0;
        let mut changes = sled::Batch::default();
        for (key, value) in batch {
            bytes += key.len() as u64;
            match value {
                Some(value) => {
                    bytes += value.len() as u64;
                    let stored = stored::wrapped(&key, value)?;
                    changes.insert(key, stored);
                }
                None => changes.remove(key),
            }
        }
        self.write("write", |db| db.apply_batch(changes))?;
        self.applied_bytes += bytes;
        self.unflushed = true;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.write("flush", |db| db.flush())?;
        self.unflushed = false;
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.flush()?;
        let db = self.db.take();
        let closed = guarded(|| {
            drop(db);
            Ok(())
        });
        closed.map_err(|failure| graph("close", failure.words()))
    }

    /// Gives back the memory of written leaves. Where this fails `db` is left empty, so the next
    /// call says so.
    fn reopen(&mut self) {
        if let Err(error) = self.close().and_then(|()| self.open()) {
            self.failure = error.to_string();
        }
    }
}

fn read(db: &SledDb, keys: &[Vec<u8>]) -> std::io::Result<Vec<Option<Vec<u8>>>> {
    keys.iter().map(|key| Ok(db.get(key)?.map(|value| value.to_vec()))).collect()
}

fn list(db: &SledDb) -> std::io::Result<Vec<Vec<u8>>> {
    db.iter().keys().map(|key| Ok(key?.to_vec())).collect()
}

#[cfg(test)]
mod tests;
