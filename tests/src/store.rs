//! Stores filled from plain events, by every road there is into one.

use tempfile::TempDir;
use throughline::Db;
use throughline::engine::{
    AttrType, Batch, Error, Identity, ImportReport, Interaction, Result, Subject, ValueRef,
};

use crate::ledger::options;
use crate::reference::{Event, Val};

/// A store in a folder of its own, which goes when it is dropped.
#[derive(Debug)]
pub struct Store {
    db: Option<Db>,
    folder: TempDir,
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// An empty store.
    ///
    /// # Panics
    /// Where there is no room for one.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the store");
        let db = Db::open_with(folder.path().join("store"), options()).expect("the store opens");
        Self { db: Some(db), folder }
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

    /// Closes the store, as a process does that ends, and opens it again.
    ///
    /// # Panics
    /// Where it does not open.
    pub fn reopen(&mut self) {
        self.db = None;
        self.db = Some(Db::open_with(self.path(), options()).expect("the store opens again"));
    }

    /// Deletes the graph, and opens the store again.
    ///
    /// # Panics
    /// Where it does not open.
    pub fn lose_the_graph(&mut self) {
        self.db = None;
        for entry in std::fs::read_dir(self.path()).expect("lists").flatten() {
            if entry.file_name().to_string_lossy().starts_with("graph-") {
                std::fs::remove_dir_all(entry.path()).expect("removes the graph");
            }
        }
        self.reopen();
    }

    /// The folder of the store.
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("store")
    }
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

/// Imports the events, pushed in pieces of the given length, with their sequences.
///
/// # Panics
/// Where the store refuses them.
pub fn import(db: &Db, source: &str, events: &[Event], piece: usize) -> ImportReport {
    try_import(db, source, events, piece).expect("imports")
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
            batch.sequence(event.sequence);
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
