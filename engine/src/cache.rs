//! A cache of chunks under a budget in bytes, by second chance (CLOCK;
//! Corbató 1968).

use std::sync::Arc;

use parking_lot::Mutex;
use std::collections::HashMap;

struct Slot {
    key: u64,
    bytes: Arc<[u8]>,
    used: bool,
}

#[derive(Default)]
struct Held {
    places: HashMap<u64, usize>,
    slots: Vec<Slot>,
    hand: usize,
    bytes: usize,
}

/// Chunks by id. An entry larger than an eighth of the budget is not kept.
pub(crate) struct Cache {
    budget: usize,
    held: Mutex<Held>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl Cache {
    /// An empty cache that holds at most `budget` bytes.
    pub(crate) fn new(budget: usize) -> Self {
        Self { budget, held: Mutex::default() }
    }

    pub(crate) fn get(&self, key: u64) -> Option<Arc<[u8]>> {
        let mut held = self.held.lock();
        let place = *held.places.get(&key)?;
        let slot = held.slots.get_mut(place)?;
        slot.used = true;
        Some(Arc::clone(&slot.bytes))
    }

    pub(crate) fn put(&self, key: u64, bytes: &Arc<[u8]>) {
        if bytes.len() > self.budget / 8 {
            return;
        }
        let mut held = self.held.lock();
        if held.places.contains_key(&key) {
            return;
        }
        while held.bytes + bytes.len() > self.budget && !held.slots.is_empty() {
            let hand = held.hand % held.slots.len();
            let spared = held.slots.get_mut(hand).is_some_and(|slot| std::mem::take(&mut slot.used));
            if spared {
                held.hand = hand + 1;
                continue;
            }
            held.evict(hand);
        }
        let place = held.slots.len();
        held.places.insert(key, place);
        held.bytes += bytes.len();
        held.slots.push(Slot { key, bytes: Arc::clone(bytes), used: false });
    }

    /// Forgets a chunk that is no more.
    pub(crate) fn forget(&self, key: u64) {
        let mut held = self.held.lock();
        if let Some(&place) = held.places.get(&key) {
            held.evict(place);
        }
    }
}

impl Held {
    fn evict(&mut self, place: usize) {
        if place >= self.slots.len() {
            return;
        }
        let slot = self.slots.swap_remove(place);
        self.places.remove(&slot.key);
        self.bytes -= slot.bytes.len();
        if let Some(moved) = self.slots.get(place) {
            self.places.insert(moved.key, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_to_its_budget_and_spares_what_is_used() {
        let cache = Cache::new(800);
        let chunk = |n: u8| Arc::from(vec![n; 100]);
        for key in 0..8 {
            cache.put(key, &chunk(key as u8));
        }
        assert_eq!(cache.get(3).map(|bytes| bytes[0]), Some(3));
        for key in 8..14 {
            cache.put(key, &chunk(key as u8));
        }
        assert!(cache.get(3).is_some());
        assert!(cache.held.lock().bytes <= 800);
        cache.forget(3);
        assert!(cache.get(3).is_none());
        cache.put(99, &Arc::from(vec![0; 101]));
        assert!(cache.get(99).is_none());
    }
}
