//! Stores filled from plain events, by every road there is into one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use throughline::Db;
use throughline::engine::disk::{Disk, OsDisk};
use throughline::engine::disk_sim::SimDisk;
use throughline::engine::{
    self, AttrType, Batch, Clock, Error, Identity, ImportReport, Interaction, Options, Result, Subject,
    ValueRef,
};

use crate::ledger::options;
use crate::reference::{Event, Val};

/// A store of its own, which goes when it is dropped.
#[derive(Debug)]
pub struct Store {
    db: Option<Db>,
    place: Place,
    /// What its clock shows; 0 where that is the system's.
    hands: Arc<AtomicI64>,
}

/// Where a store lies.
#[derive(Debug)]
enum Place {
    /// On a disk in memory.
    Memory(SimDisk),
    /// In a folder.
    Folder(TempDir),
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// An empty store on a disk in memory.
    pub fn new() -> Self {
        Self::at(Place::Memory(SimDisk::new()))
    }

    /// An empty store in a folder.
    ///
    /// # Panics
    /// Where there is no room for one.
    pub fn in_folder() -> Self {
        Self::at(Place::Folder(tempfile::tempdir().expect("a folder for the store")))
    }

    fn at(place: Place) -> Self {
        let mut store = Self { db: None, place, hands: Arc::default() };
        store.reopen();
        store
    }

    /// A store with the events, appended in one commit.
    pub fn of(events: &[Event]) -> Self {
        let store = Self::new();
        append(store.db(), events, true);
        store
    }

    /// The open store.
    ///
    /// # Panics
    /// Never: it is open from beginning to end.
    pub fn db(&self) -> &Db {
        self.db.as_ref().expect("is open")
    }

    /// Sets its clock, by which commits are recorded, to an instant; it stays there.
    pub fn set_clock(&self, at: i64) {
        self.hands.store(at, Ordering::Relaxed);
    }

    fn options(&self) -> Options {
        let (hands, system) = (Arc::clone(&self.hands), Clock::system());
        let clock = Clock::of(move || match hands.load(Ordering::Relaxed) {
            0 => system.now(),
            at => at,
        });
        Options { clock, ..options() }
    }

    /// Closes the store, as a process does that ends, and opens it again.
    ///
    /// # Panics
    /// Where it does not open.
    pub fn reopen(&mut self) {
        self.db = None;
        let opened = match &self.place {
            Place::Memory(disk) => engine::Db::open_on(Arc::new(disk.clone()), self.options()),
            Place::Folder(folder) => open_patiently_with(folder.path(), &self.options()),
        };
        self.db = Some(opened.expect("the store opens").into());
    }

    /// Deletes the graph, and opens the store again.
    ///
    /// # Panics
    /// Where it does not open.
    pub fn lose_the_graph(&mut self) {
        self.db = None;
        let disk: Box<dyn Disk> = match &self.place {
            Place::Memory(disk) => Box::new(disk.clone()),
            Place::Folder(folder) => Box::new(OsDisk::new(folder.path())),
        };
        for name in disk.list("").expect("lists") {
            if name.starts_with("graph-") {
                disk.remove_dir(&name).expect("removes the graph");
            }
        }
        self.reopen();
    }
}

/// Opens the store in a folder. The lock of a store that this process has just
/// closed may still be held for a moment by a child of it that has not yet
/// begun its own program.
///
/// # Errors
/// As [`engine::Db::open_with`].
pub fn open_patiently(folder: &Path) -> Result<engine::Db> {
    open_patiently_with(folder, &options())
}

fn open_patiently_with(folder: &Path, options: &Options) -> Result<engine::Db> {
    for _ in 0..100 {
        match engine::Db::open_with(folder, options.clone()) {
            Err(Error::Locked { .. }) => std::thread::sleep(Duration::from_millis(20)),
            opened => return opened,
        }
    }
    engine::Db::open_with(folder, options.clone())
}

/// An event as an application appends it.
pub fn interaction(event: &Event, sequenced: bool) -> Interaction {
    let mut interaction = Interaction::new(&event.customer, event.time);
    if sequenced {
        interaction = interaction.sequence(event.sequence);
    }
    for (name, value) in &event.attrs {
        interaction = match value {
            Val::Str(text) => interaction.set(name, text.as_str()),
            Val::Int(number) => interaction.set(name, *number),
            Val::Float(number) => interaction.set(name, *number),
            Val::Bool(truth) => interaction.set(name, *truth),
        };
    }
    interaction
}

/// Appends the events in one commit, with their sequences or in the order given.
///
/// # Panics
/// Where the store refuses them.
pub fn append(db: &Db, events: &[Event], sequenced: bool) {
    let commit = db.append(events.iter().map(|event| interaction(event, sequenced))).expect("appends");
    assert_eq!(commit.added + commit.duplicates, events.len() as u64);
}

/// Imports the events, pushed in pieces of the given length, with their
/// sequences or in the order given.
///
/// # Panics
/// Where the store refuses them.
pub fn import(db: &Db, source: &str, events: &[Event], piece: usize, sequenced: bool) -> ImportReport {
    try_import(db, source, events, piece, sequenced).expect("imports")
}

/// As [`import`].
///
/// # Errors
/// What the store said.
pub fn try_import(
    db: &throughline::engine::Db,
    source: &str,
    events: &[Event],
    piece: usize,
    sequenced: bool,
) -> Result<ImportReport> {
    try_import_recorded(db, source, events, piece, sequenced, &|_| None)
}

/// As [`try_import`], each event with the recording time that `recorded` gives it, if any.
///
/// # Errors
/// What the store said.
pub fn try_import_recorded(
    db: &throughline::engine::Db,
    source: &str,
    events: &[Event],
    piece: usize,
    sequenced: bool,
    recorded: &dyn Fn(&Event) -> Option<i64>,
) -> Result<ImportReport> {
    let mut import = db.import(source)?;
    for (name, value) in events.iter().flat_map(|event| &event.attrs) {
        if import.schema().find(Subject::Interaction, name).is_none() {
            let ty = match value {
                Val::Str(_) => AttrType::Symbol,
                Val::Int(_) => AttrType::Int,
                Val::Float(_) => AttrType::Float,
                Val::Bool(_) => AttrType::Bool,
            };
            import.declare(Subject::Interaction, name, ty, None)?;
        }
    }
    let schema = import.schema().clone();
    for piece in events.chunks(piece.max(1)) {
        let mut batch = Batch::new(&schema);
        for event in piece {
            batch.begin(&Identity::parse(&event.customer)?, event.time);
            if sequenced {
                batch.sequence(event.sequence);
            }
            if let Some(recorded) = recorded(event) {
                batch.recorded(recorded);
            }
            for (name, value) in &event.attrs {
                let attribute = schema.find(Subject::Interaction, name);
                let attribute = attribute.ok_or_else(|| Error::invalid(format!("{name} is not declared")))?;
                let value = match value {
                    Val::Str(text) => ValueRef::Str(text),
                    Val::Int(number) => ValueRef::Int(*number),
                    Val::Float(number) => ValueRef::Float(*number),
                    Val::Bool(truth) => ValueRef::Bool(*truth),
                };
                batch.set(attribute.id, value)?;
            }
        }
        import.push(batch)?;
    }
    import.commit()
}
