//! Work on several threads whose results are taken in order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::error::{Error, Result};

/// Makes something of each item on `threads` threads, and gives it to `take` in the order of the
/// items, on this thread. At most two results a thread lie in memory. The first error ends it.
pub(crate) fn side_by_side<I: Sync, T: Send>(
    threads: usize,
    items: &[I],
    make: impl Fn(&I) -> Result<T> + Sync,
    mut take: impl FnMut(&I, T) -> Result<()>,
) -> Result<()> {
    let threads = threads.min(items.len());
    if threads < 2 {
        return items.iter().try_for_each(|item| take(item, make(item)?));
    }
    // Each thread has every so manieth item, so that whose turn it is need not be agreed upon.
    type Ends<T> = (SyncSender<Result<T>>, Receiver<Result<T>>);
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..threads).map(|_| -> Ends<T> { sync_channel(1) }).unzip();
    std::thread::scope(|scope| {
        let make = &make;
        for (first, sender) in senders.into_iter().enumerate() {
            scope.spawn(move || {
                for item in items.iter().skip(first).step_by(threads) {
                    let made = make(item);
                    // Nobody takes it any more after an error.
                    if made.is_err() | sender.send(made).is_err() {
                        break;
                    }
                }
            });
        }
        // Moved in, so that they are gone before the threads are waited for.
        let receivers = receivers;
        for (item, receiver) in items.iter().zip(receivers.iter().cycle()) {
            let made =
                receiver.recv().unwrap_or_else(|_| Err(Error::invalid("a thread stopped unexpectedly")));
            take(item, made?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_ends_it() {
        let items: Vec<u32> = (0..100).collect();
        for threads in [0, 1, 2, 3, 7, 200] {
            for failing in [None, Some(0), Some(41), Some(99)] {
                let mut taken = Vec::new();
                let made = side_by_side(
                    threads,
                    &items,
                    |&item| if failing == Some(item) { Err(Error::invalid("no")) } else { Ok(item * 2) },
                    |&item, made| {
                        taken.push((item, made));
                        Ok(())
                    },
                );
                assert_eq!(made.is_err(), failing.is_some());
                let end = failing.unwrap_or(100);
                assert!(taken.into_iter().eq((0..end).map(|item| (item, item * 2))), "{threads} threads");
            }
            let mut left = 5;
            let ended = side_by_side(
                threads,
                &items,
                |&item| Ok(item),
                |_, _| {
                    left -= 1;
                    if left == 0 { Err(Error::invalid("no")) } else { Ok(()) }
                },
            );
            assert!(ended.is_err() && left == 0);
        }
    }
}
