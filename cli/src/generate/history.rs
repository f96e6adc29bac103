//! The whole history, in order of time, whatever the number of threads.

use std::collections::HashSet;

use super::lifecycle::{Contact, live, topic_weights};

/// Interactions of all customers, in runs sorted by time and customer.
pub(crate) struct History {
    runs: Vec<Vec<Contact>>,
}

fn order(contact: &Contact) -> u64 {
    (u64::from(contact.second) << 32) | u64::from(contact.customer)
}

impl History {
    /// Lives through `customers` lives on as many threads.
    pub(crate) fn new(customers: u32, seed: u64, threads: u32) -> Self {
        let topics = topic_weights();
        let share = customers.div_ceil(threads.max(1)).max(1);
        let runs = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..customers)
                .step_by(share as usize)
                .map(|first| {
                    let topics = &topics;
                    scope.spawn(move || {
                        let last = first.saturating_add(share).min(customers);
                        let mut contacts = Vec::with_capacity((last - first) as usize * 22);
                        for customer in first..last {
                            live(seed, customer, topics, &mut contacts);
                        }
                        contacts.sort_unstable_by_key(order);
                        contacts
                    })
                })
                .collect();
            workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
        });
        Self { runs }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(Vec::len).sum()
    }

    /// How many customers did anything.
    pub(crate) fn customers(&self) -> u64 {
        // A customer's whole life lies in one run.
        let in_run =
            |run: &Vec<Contact>| run.iter().map(|contact| contact.customer).collect::<HashSet<u32>>().len();
        self.runs.iter().map(in_run).sum::<usize>() as u64
    }

    /// All of them in order of time, then customer.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Contact> {
        let mut runs: Vec<&[Contact]> = self.runs.iter().map(Vec::as_slice).collect();
        std::iter::from_fn(move || {
            let next = runs.iter_mut().min_by_key(|run| run.first().map_or(u64::MAX, order))?;
            let (first, rest) = next.split_first()?;
            *next = rest;
            Some(first)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_make_no_difference() {
        let one: Vec<Contact> = History::new(300, 7, 1).iter().copied().collect();
        let three: Vec<Contact> = History::new(300, 7, 3).iter().copied().collect();
        assert!(one == three && one.len() == History::new(300, 7, 2).len());
        assert!(one.is_sorted_by_key(order));
        let other: Vec<Contact> = History::new(300, 8, 1).iter().copied().collect();
        assert!(one != other);
    }
}
