//! Memory of times that were read and are no longer needed, for the next that are read.
//!
//! The times of a segment are the one buffer of a read that allocators ask the system for anew, and
//! give back at once: the system then clears pages for every segment. A thread that reads segment
//! after segment needs the memory of one.

use std::cell::Cell;

thread_local! {
    /// What the last one of this thread left.
    static TIMES: Cell<Vec<i64>> = const { Cell::new(Vec::new()) };
}

/// Most that a thread keeps, in times: more than any segment that the store writes has.
const KEPT_MAX: usize = 1 << 20;
/// What is spare is handed to whoever needs at least one part in so many of it: what is read may be
/// kept for long, with all the memory it has.
const WASTE_MAX: usize = 2;

/// An empty vector with room for `rows` times.
pub(super) fn times(rows: usize) -> Vec<i64> {
    let spare = TIMES.take();
    if spare.capacity() >= rows && spare.capacity() / WASTE_MAX <= rows {
        return spare;
    }
    TIMES.set(spare);
    Vec::with_capacity(rows)
}

/// Keeps the memory of times for the next that this thread reads.
pub(crate) fn keep(mut times: Vec<i64>) {
    let spare = TIMES.take();
    if times.capacity() > spare.capacity() && times.capacity() <= KEPT_MAX {
        times.clear();
        TIMES.set(times);
    } else {
        TIMES.set(spare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_handed_on_where_it_fits() {
        keep(vec![7; 1_000]);
        let place = |times: &Vec<i64>| times.as_ptr() as usize;
        let first = times(900);
        assert!(first.is_empty() && first.capacity() >= 1_000);
        let at = place(&first);
        keep(first);
        // Neither too small nor far too large.
        assert!(times(1_001).capacity() >= 1_001);
        assert!(times(100).capacity() < 500);
        let again = times(1_000);
        assert_eq!(place(&again), at);
        // The larger one is kept, and none is without bounds.
        keep(again);
        keep(vec![7; 10]);
        assert_eq!(place(&times(1_000)), at);
        keep(Vec::with_capacity(KEPT_MAX + 1));
        assert!(times(KEPT_MAX).capacity() <= KEPT_MAX);
    }
}
