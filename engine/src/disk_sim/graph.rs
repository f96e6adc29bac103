//! The simulated graph database: a map whose unflushed batches a crash may take.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Loss;
use super::state::{Kind, Random, State};
use crate::error::{Error, Result};
use crate::graph_store::{Change, GraphStore};

type Map = BTreeMap<Vec<u8>, Arc<Vec<u8>>>;
type Batch = Vec<(Vec<u8>, Option<Arc<Vec<u8>>>)>;

fn apply(map: &mut Map, batch: &Batch) {
    for (key, value) in batch {
        match value {
            Some(value) => map.insert(key.clone(), Arc::clone(value)),
            None => map.remove(key),
        };
    }
}

/// The content of one graph folder.
#[derive(Clone, Debug, Default)]
pub(super) struct SimGraph {
    now: Map,
    durable: Map,
    unflushed: Vec<Batch>,
    /// A flush has failed: later ones only seem to work.
    flush_failed: bool,
}

impl SimGraph {
    pub(super) fn bytes(&self) -> u64 {
        self.now.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
    }

    /// Changes a value in memory, on disk and in the batches between.
    pub(super) fn damage(&mut self, key: &[u8], change: impl Fn(&[u8]) -> Option<Option<Vec<u8>>>) -> bool {
        let mut found = false;
        for map in [&mut self.now, &mut self.durable] {
            let Some(changed) = map.get(key).and_then(|value| change(value)) else { continue };
            found = true;
            match changed {
                Some(value) => map.insert(key.to_vec(), Arc::new(value)),
                None => map.remove(key),
            };
        }
        for value in self.unflushed.iter_mut().flatten().filter(|(k, _)| k == key).map(|(_, value)| value) {
            if let Some(changed) = value.as_ref().and_then(|value| change(value)) {
                *value = changed.map(Arc::new);
            }
        }
        found
    }

    pub(super) fn after_crash(&self, random: &mut Random, loss: Loss) -> Self {
        let kept = match loss {
            Loss::Kept => self.unflushed.len(),
            Loss::Lost => 0,
            Loss::Torn => random.up_to(self.unflushed.len()),
        };
        let mut map = self.durable.clone();
        for batch in self.unflushed.iter().take(kept) {
            apply(&mut map, batch);
        }
        Self { now: map.clone(), durable: map, ..Self::default() }
    }
}

/// A handle of a graph folder.
pub(super) struct SimStore {
    state: Arc<Mutex<State>>,
    folder: String,
}

impl SimStore {
    pub(super) fn new(state: Arc<Mutex<State>>, folder: &str) -> Self {
        Self { state, folder: folder.to_owned() }
    }

    fn read<T>(&self, action: &'static str, read: impl FnOnce(&Map) -> T) -> Result<T> {
        let state = self.state.lock();
        state.reading(action, &self.folder)?;
        match state.graphs.get(&self.folder).filter(|_| !state.is_hidden(&self.folder)) {
            Some(graph) => Ok(read(&graph.now)),
            None => Err(gone(action)),
        }
    }
}

fn gone(action: &'static str) -> Error {
    Error::Graph { action, message: "its folder was removed".to_owned() }
}

impl GraphStore for SimStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read("read", |map| map.get(key).map(|value| value.to_vec()))
    }

    fn apply(&self, batch: Vec<Change>) -> Result<()> {
        let batch: Batch = batch.into_iter().map(|(key, value)| (key, value.map(Arc::new))).collect();
        let bytes =
            batch.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, |value| value.len()));
        let bytes = bytes.sum();
        let mut state = self.state.lock();
        let (_, answer) = state.take_room("write", &self.folder, bytes);
        if answer.is_err() && !state.crashed {
            return answer;
        }
        let graph = state.graphs.get_mut(&self.folder).ok_or_else(|| gone("write"))?;
        apply(&mut graph.now, &batch);
        graph.unflushed.push(batch);
        answer
    }

    fn flush(&self) -> Result<()> {
        let mut state = self.state.lock();
        let answer = state.operation(Kind::Sync, "flush", &self.folder);
        let crashed = state.crashed;
        let graph = state.graphs.get_mut(&self.folder).ok_or_else(|| gone("flush"))?;
        match answer {
            Ok(()) if !graph.flush_failed => {
                for batch in std::mem::take(&mut graph.unflushed) {
                    apply(&mut graph.durable, &batch);
                }
            }
            Err(_) if !crashed => graph.flush_failed = true,
            _ => {}
        }
        answer
    }

    fn keys(&self) -> Result<Vec<Vec<u8>>> {
        self.read("list its keys", |map| map.keys().cloned().collect())
    }
}
