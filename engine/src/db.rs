//! The open store.

mod amend;
mod erase;
mod links;
mod retain;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;

use crate::absorb::{Keys, SCRATCH, SCRATCH_MOVED, absorb};
use crate::backup::{BackupReport, back_up, back_up_unopened};
use crate::batch::Interaction;
pub use crate::check::CheckReport;
pub use crate::commit::Commit;
use crate::commit::{Ticket, Writer, load_graph, rebuilt};
use crate::disk::{Disk, How, Lock, OsDisk};
use crate::error::{Error, Result};
use crate::head::{HEAD, Head};
use crate::history::{History, Position};
use crate::import::Import;
use crate::limits::TIME_MIN_MS;
use crate::model::Millis;
pub use crate::options::Options;
use crate::records::{self, CohortRecord, FINAL};
use crate::snapshot::{Shown, Snapshot};
use crate::state::bitmap_bytes;
use crate::written::Written;
pub use erase::Erasure;
pub use retain::Dropping;

/// Sizes on disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The history files.
    pub history_bytes: u64,
    /// The graph folder.
    pub graph_bytes: u64,
    /// Of the graph: pages of the event-id index.
    pub event_id_bytes: u64,
    /// Base segments.
    pub segments: u64,
    /// Sealed runs not folded yet.
    pub runs: u64,
    /// Interactions in memory, not sealed yet.
    pub unsealed: u64,
    /// Commits acknowledged.
    pub commits: u64,
    /// What seals have written since the store was opened.
    pub written: Written,
}

/// An open store. One process has a store open at a time; inside it the
/// handle is shared between threads by reference.
pub struct Db {
    disk: Arc<dyn Disk>,
    writer: Mutex<Writer>,
    waiting: Mutex<Vec<Arc<Ticket>>>,
    /// Held by who copies history files, and by who removes some.
    files: RwLock<()>,
    shown: Shown,
    options: Options,
    _lock: Box<dyn Lock>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Db {
    /// Opens the store in a folder, or makes one.
    ///
    /// # Errors
    /// [`Error::Locked`] where it is open elsewhere, [`Error::NotAStore`] where
    /// the folder holds something else, [`Error::Damaged`] where acknowledged
    /// history is not what was written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, Options::default())
    }

    /// Opens with options.
    ///
    /// # Errors
    /// As [`Db::open`], and [`Error::NotAStore`] where there is none and
    /// `create` is off.
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        Self::open_on(Arc::new(OsDisk::new(path.as_ref())), options)
    }

    /// Opens the store on a disk: the real one, or a simulated one in tests.
    ///
    /// # Errors
    /// As [`Db::open_with`].
    pub fn open_on(disk: Arc<dyn Disk>, options: Options) -> Result<Self> {
        let none = !disk.exists(HEAD)?;
        if none {
            if !options.create || options.read_only {
                return Err(Error::NotAStore(format!("there is no store in {}", disk.root().display())));
            }
            check_free(&*disk)?;
            disk.create_dir("")?;
        }
        let program = std::env::args_os().next().unwrap_or_default();
        let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lock = disk.lock("LOCK", &format!("process {} ({program})", std::process::id()))?;
        let head = match Head::read(&*disk)? {
            Some(head) => head,
            None => create(&disk)?,
        };
        let writer = open_writer(Arc::clone(&disk), &options, head)?;
        let snapshot = Snapshot::of(&writer.state);
        Ok(Self {
            disk,
            writer: Mutex::new(writer),
            waiting: Mutex::default(),
            files: RwLock::default(),
            shown: Shown::new(snapshot),
            options,
            _lock: lock,
        })
    }

    /// The store as the last commit left it.
    pub fn snapshot(&self) -> Snapshot {
        self.shown.get()
    }

    /// The times that are taken now: 1900 to the horizon.
    pub fn time_bounds(&self) -> RangeInclusive<Millis> {
        TIME_MIN_MS..=self.options.clock.now().saturating_add(self.options.horizon_ms)
    }

    /// The options it was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Adds interactions in one commit: all of them or, on an error, none.
    /// Durable and visible when it returns. Appenders on several threads share
    /// their syncs.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the interaction that is not acceptable,
    /// [`Error::Limit`] for more than `limits::BATCH_INTERACTIONS_MAX`,
    /// [`Error::Poisoned`] after an earlier write failed.
    pub fn append(&self, interactions: impl IntoIterator<Item = Interaction>) -> Result<Commit> {
        self.check_may_write()?;
        self.commit(Ticket::append(interactions.into_iter().collect()))
    }

    fn commit(&self, ticket: Arc<Ticket>) -> Result<Commit> {
        self.waiting.lock().push(Arc::clone(&ticket));
        let mut writer = self.writer.lock();
        if let Some(answer) = ticket.take_answer() {
            return answer;
        }
        let tickets = std::mem::take(&mut *self.waiting.lock());
        let changed = writer.commit_all(tickets);
        if changed {
            self.shown.show(&writer.state);
            // What was acknowledged is durable; a seal that fails poisons the handle for later.
            if writer.seal_if_full().is_ok() {
                self.shown.show(&writer.state);
            }
        }
        ticket
            .take_answer()
            .unwrap_or_else(|| Err(Error::Poisoned("a commit was left without an answer".into())))
    }

    /// Begins a bulk import. `source` is recorded with it (a file name).
    /// Other writes wait until it ends.
    ///
    /// # Errors
    /// As [`Db::append`].
    pub fn import(&self, source: &str) -> Result<Import<'_>> {
        self.check_may_write()?;
        Import::begin(&self.shown, self.writer.lock(), source)
    }

    /// Saves a set of customers under a name, replacing one of that name.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty name; as [`Db::append`].
    pub fn save_cohort(&self, name: &str, customers: &RoaringBitmap) -> Result<Commit> {
        self.check_may_write()?;
        if name.trim().is_empty() {
            return Err(Error::invalid("a cohort needs a name"));
        }
        // Identities stay what they are, whoever turns out to go by them.
        let identities = self.shown.get().identities_of(customers)?;
        let record = CohortRecord { name: name.to_owned(), customers: bitmap_bytes(&identities)? };
        self.commit(Ticket::record(records::COHORT & !FINAL, records::to_bytes(&record)?))
    }

    /// Writes what is in memory into the graph.
    ///
    /// # Errors
    /// Disk and graph errors; the handle is poisoned then, and nothing
    /// acknowledged is lost.
    pub fn seal(&self) -> Result<()> {
        self.check_may_write()?;
        let mut writer = self.writer.lock();
        // What a failed seal leaves is not shown.
        writer.seal()?;
        self.shown.show(&writer.state);
        Ok(())
    }

    /// Makes the graph anew from the history.
    ///
    /// # Errors
    /// [`Error::Damaged`] where the history is damaged; the old graph stays then.
    pub fn rebuild(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        writer.rebuild()?;
        self.shown.show(&writer.state);
        Ok(())
    }

    /// Makes the graph anew after a reader met a damaged chunk of it. Answers
    /// whether `error` was of that kind, and asking again makes sense.
    ///
    /// # Errors
    /// As [`Db::rebuild`].
    pub fn repair(&self, error: &Error) -> Result<bool> {
        let of_graph = is_of_graph(error);
        if of_graph {
            self.rebuild()?;
        }
        Ok(of_graph)
    }

    /// Reads and verifies every stored byte that has a checksum, and the invariants.
    ///
    /// # Errors
    /// Only what keeps it from going on; what is wrong with the store is in the report.
    pub fn check(&self) -> Result<CheckReport> {
        // The writer waits, so that history and graph speak of one commit.
        let writer = self.writer.lock();
        crate::check::check(&writer.history, &writer.state)
    }

    /// Copies the store into a folder that is not there yet or is empty, as the last commit shown
    /// left it. Others write meanwhile, also by an import, of which the copy has nothing. The copy
    /// is the history: its graph is made when it is opened, which takes about as long as an import.
    /// It is read back before it counts as a store.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a folder that holds something or lies in this store,
    /// [`Error::Damaged`] where the history is, [`Error::Poisoned`] after an earlier write failed;
    /// disk errors. The store is as it was then, and nothing of the copy remains unless the disk
    /// keeps it; what remains is no store.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<BackupReport> {
        let to = backup_folder(&self.disk.root(), to.as_ref())?;
        self.backup_on(Arc::new(OsDisk::new(to)))
    }

    /// As [`Db::backup`], of a store that another process has open and writes to: the one in the folder
    /// `of`. The copy ends with the last commit that is whole in its files when it begins, which
    /// that process may be about to acknowledge.
    ///
    /// # Errors
    /// [`Error::NotAStore`] where there is none; as [`Db::backup`].
    pub fn backup_of(of: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<BackupReport> {
        let to = backup_folder(of.as_ref(), to.as_ref())?;
        let of: Arc<dyn Disk> = Arc::new(OsDisk::new(of.as_ref().to_path_buf()));
        let to: Arc<dyn Disk> = Arc::new(OsDisk::new(to));
        back_up_unopened(&of, &to)
    }

    /// As [`Db::backup`], onto a disk: the real one, or a simulated one in tests.
    ///
    /// # Errors
    /// As [`Db::backup`].
    pub fn backup_on(&self, to: Arc<dyn Disk>) -> Result<BackupReport> {
        // After a failed write what is shown may be less than what was acknowledged. A writer that
        // is busy for longer than a moment has not failed.
        if let Some(writer) = self.writer.try_lock_for(BUSY) {
            writer.check_writable()?;
        }
        let _stay = self.files.read();
        let snapshot = self.snapshot();
        let (frames, bytes) = back_up(&*self.disk, snapshot.head(), &to)?;
        Ok(BackupReport { commit: snapshot.commit(), interactions: snapshot.interactions(), frames, bytes })
    }

    /// Sizes on disk.
    ///
    /// # Errors
    /// Where a folder cannot be read.
    pub fn info(&self) -> Result<Info> {
        let writer = self.writer.lock();
        let manifest = &writer.state.version.manifest;
        Ok(Info {
            history_bytes: writer.disk.bytes("history")?,
            graph_bytes: writer.disk.bytes(&crate::commit::graph_folder(writer.graph))?,
            event_id_bytes: (manifest.digests.iter().flat_map(|run| &run.pages))
                .map(|chunk| u64::from(chunk.len))
                .sum(),
            segments: manifest.ranges.iter().map(|range| range.base.segments.len() as u64).sum(),
            runs: manifest.ranges.iter().map(|range| range.runs.len() as u64).sum(),
            unsealed: writer.state.tail_rows() as u64,
            commits: writer.state.commit,
            written: writer.state.written,
        })
    }

    /// Seals, and closes with the end of the history noted. Dropping closes
    /// without sealing and loses nothing; reopening then replays.
    ///
    /// # Errors
    /// As [`Db::seal`].
    pub fn close(self) -> Result<()> {
        if self.options.read_only {
            return Ok(());
        }
        let mut writer = self.writer.lock();
        writer.seal()?;
        writer.write_head()
    }

    fn check_may_write(&self) -> Result<()> {
        if self.options.read_only { Err(Error::ReadOnly) } else { Ok(()) }
    }
}

/// The folder that a backup goes to, which must not lie in the store itself.
fn backup_folder(store: &Path, to: &Path) -> Result<PathBuf> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|source| {
            let path = path.to_path_buf();
            Error::Io { action: "find", path, source }
        })
    };
    let to = absolute(to)?;
    if to.starts_with(absolute(store)?) {
        return Err(Error::invalid("a backup cannot lie in the store itself: name a folder beside it"));
    }
    Ok(to)
}

/// So long a writer is waited for that may have failed.
const BUSY: Duration = Duration::from_secs(1);

/// Refuses a folder that holds anything but the beginnings of a store.
fn check_free(disk: &dyn Disk) -> Result<()> {
    let foreign = disk.list("")?.into_iter().find(|name| {
        let ours =
            ["LOCK", "history", SCRATCH, SCRATCH_MOVED, crate::import::SCRATCH].contains(&name.as_str());
        !(ours || name.starts_with(HEAD) || name.starts_with("graph-"))
    });
    match foreign {
        None => Ok(()),
        Some(name) => Err(Error::NotAStore(format!(
            "{} holds `{name}` and no store: give an empty or a new folder",
            disk.root().display()
        ))),
    }
}

fn create(disk: &Arc<dyn Disk>) -> Result<Head> {
    let store_id = random_id();
    // A creation that was cut off before HEAD was written leaves an empty history; one
    // with frames is a store whose HEAD is lost, and this refuses it.
    let history = History::create(Arc::clone(disk), store_id)?;
    let head = Head { store_id, acknowledged: history.end(), commit: 0, graph: 0 };
    head.write(&**disk)?;
    Ok(head)
}

/// 128 bits from the system's random source, by way of the standard library's hash keys.
fn random_id() -> [u8; 16] {
    use std::hash::{BuildHasher, Hasher};
    let number = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    let mut id = [0; 16];
    for (byte, random) in id.iter_mut().zip(number().to_le_bytes().into_iter().chain(number().to_le_bytes()))
    {
        *byte = random;
    }
    id
}

fn open_writer(disk: Arc<dyn Disk>, options: &Options, head: Head) -> Result<Writer> {
    // The graph is written from what was synced, so its manifest may know of more that was
    // acknowledged than HEAD does.
    let mut acknowledged = head.acknowledged;
    let loaded = load_graph(&disk, options, head.store_id, head.graph, &mut acknowledged);
    let mut history = History::open(Arc::clone(&disk), head.store_id, acknowledged, options.read_only)?;
    let end = last_commit_end(&history, acknowledged)?;
    if end < history.end() && !options.read_only {
        history.truncate(end)?;
    }
    if options.read_only
        && let Some(last) = history.file_names().last()
    {
        // A graph may have to be written, and it must not know more than what is durable.
        disk.open(last, How::Append)?.sync()?;
    }
    let state = loaded.and_then(|mut state| {
        state.sweep();
        absorb(&mut state, &disk, &history, end, options, Keys::Remember)?;
        Ok(state)
    });
    let (state, graph) = match state {
        Ok(state) => (state, head.graph),
        // The graph is derived: whatever is wrong with it is mended from the history.
        Err(error) if is_of_graph(&error) => {
            rebuilt(&disk, options, &history, head.store_id, head.graph + 1, end)?
        }
        Err(error) => return Err(error),
    };
    let mut writer = Writer {
        last_commit: state.commit,
        rows: state.rows,
        acknowledged: end,
        store_id: head.store_id,
        options: options.clone(),
        poisoned: None,
        alive: Arc::default(),
        graph,
        disk,
        history,
        state,
    };
    if graph != head.graph {
        writer.write_head()?;
    }
    if !options.read_only {
        remove_leftovers(&*writer.disk, graph)?;
        writer.history.remove_others()?;
    }
    Ok(writer)
}

/// Whether an error is one of the graph, which can be made anew.
fn is_of_graph(error: &Error) -> bool {
    match error {
        Error::Damaged { file, .. } => !file.starts_with("history/") && file != HEAD,
        Error::GraphUnresponsive { .. } | Error::Graph { .. } => true,
        _ => false,
    }
}

/// Removes what a crash left: spills, and graphs that are not the current one.
fn remove_leftovers(disk: &dyn Disk, graph: u64) -> Result<()> {
    let current = crate::commit::graph_folder(graph);
    for name in disk.list("")? {
        let spill = [SCRATCH, SCRATCH_MOVED, crate::import::SCRATCH].contains(&name.as_str());
        if spill || name.starts_with("graph-") && name != current {
            disk.remove_dir(&name)?;
        }
    }
    Ok(())
}

/// The end of the last whole commit: frames after it belong to one that was
/// never acknowledged.
fn last_commit_end(history: &History, acknowledged: Position) -> Result<Position> {
    let mut end = acknowledged;
    let mut headers = history.headers(acknowledged, history.end());
    while let Some(frame) = headers.next()? {
        if frame.header.kind & FINAL != 0 {
            end = frame.end;
        }
    }
    Ok(end)
}

#[cfg(test)]
mod also_tests;
#[cfg(test)]
mod amend_tests;
#[cfg(test)]
mod amended_tests;
#[cfg(test)]
mod as_of_tests;
#[cfg(test)]
mod backup_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod customers_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod dead_tests;
#[cfg(test)]
mod dropped_tests;
#[cfg(test)]
mod erase_tests;
#[cfg(test)]
mod erased_links_tests;
#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod import_tests;
#[cfg(test)]
mod link_tests;
#[cfg(test)]
mod links_asked_tests;
#[cfg(test)]
mod names_tests;
#[cfg(test)]
mod own_times_tests;
#[cfg(test)]
mod replay_tests;
#[cfg(test)]
mod retain_tests;
#[cfg(test)]
mod retained_files_tests;
#[cfg(test)]
mod small_runs_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod together_tests;
#[cfg(test)]
mod vacuum_tests;
