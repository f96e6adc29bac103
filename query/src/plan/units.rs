//! Units in parallel, results in order.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How far ahead of the one awaited a thread may work, for each thread: bounds
/// the results that wait.
const AHEAD_OF_EACH_THREAD: usize = 4;

struct Progress<T> {
    /// The next unit to take, by its place in the list.
    next: usize,
    /// The next unit whose result is due.
    due: usize,
    ready: BTreeMap<usize, T>,
    stop: bool,
    workers: usize,
}

/// Runs `work` on every unit on `threads` threads and hands the results to
/// `take` on this one, in the order of `units` whatever the threads do, until
/// `take` answers false. Each thread has a `state` of its own; answers what
/// `finish` makes of each at the end, in no order.
pub(crate) fn in_order<S, T: Send, F: Send>(
    units: &[usize],
    threads: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> T + Sync,
    finish: impl Fn(S) -> F + Sync,
    mut take: impl FnMut(T) -> bool,
) -> Vec<F> {
    let threads = threads.clamp(1, units.len().max(1));
    if threads == 1 {
        let mut state = state();
        for &unit in units {
            if !take(work(&mut state, unit)) {
                break;
            }
        }
        return vec![finish(state)];
    }
    let finished = Mutex::new(Vec::with_capacity(threads));
    let finished_by = |done: F| finished.lock().unwrap_or_else(PoisonError::into_inner).push(done);
    let progress =
        Mutex::new(Progress { next: 0, due: 0, ready: BTreeMap::new(), stop: false, workers: threads });
    let (room, arrived) = (Condvar::new(), Condvar::new());
    let lock = || -> MutexGuard<'_, Progress<T>> { progress.lock().unwrap_or_else(PoisonError::into_inner) };
    let ahead = threads * AHEAD_OF_EACH_THREAD;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                // Whoever waits must hear of a thread that ends, however it ends.
                let _leave = OnDrop(|| {
                    lock().workers -= 1;
                    arrived.notify_all();
                });
                let mut state = state();
                loop {
                    let (place, unit) = {
                        let mut progress = lock();
                        while !progress.stop && progress.next >= progress.due + ahead {
                            progress = room.wait(progress).unwrap_or_else(PoisonError::into_inner);
                        }
                        let place = progress.next;
                        match units.get(place) {
                            Some(&unit) if !progress.stop => {
                                progress.next += 1;
                                (place, unit)
                            }
                            _ => {
                                drop(progress);
                                return finished_by(finish(state));
                            }
                        }
                    };
                    let result = work(&mut state, unit);
                    lock().ready.insert(place, result);
                    arrived.notify_all();
                }
            });
        }
        for due in 0..units.len() {
            let result = {
                let mut progress = lock();
                loop {
                    if let Some(result) = progress.ready.remove(&due) {
                        progress.due = due + 1;
                        break Some(result);
                    }
                    if progress.workers == 0 {
                        break None;
                    }
                    progress = arrived.wait(progress).unwrap_or_else(PoisonError::into_inner);
                }
            };
            room.notify_all();
            if !result.is_some_and(&mut take) {
                break;
            }
        }
        lock().stop = true;
        room.notify_all();
    });
    finished.into_inner().unwrap_or_else(PoisonError::into_inner)
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        let units: Vec<usize> = (0..200).map(|unit| unit * 3).collect();
        for threads in [1, 2, 7] {
            let mut taken = Vec::new();
            let finished = in_order(
                &units,
                threads,
                || 0u64,
                |busy, unit| {
                    for turn in 0..(unit as u64 * 7919) % 5000 {
                        *busy = busy.wrapping_add(std::hint::black_box(turn));
                    }
                    unit
                },
                |busy| busy > 0,
                |unit| {
                    taken.push(unit);
                    true
                },
            );
            assert_eq!(taken, units);
            assert_eq!(finished.len(), threads);
        }
    }

    #[test]
    fn stops_when_told() {
        for threads in [1, 3] {
            let mut taken = 0;
            in_order(
                &(0..1000).collect::<Vec<_>>(),
                threads,
                || (),
                |(), unit| unit,
                |()| (),
                |_| {
                    taken += 1;
                    taken < 5
                },
            );
            assert_eq!(taken, 5);
        }
    }
}
