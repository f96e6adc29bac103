//! Chains where all rows are in sight, every row has a key or none, and the
//! gap is counted from the contact before: most questions, most of the time.
//!
//! Customers come back about the same thing several times in a row. So the
//! rows are first cut into stretches of one customer's consecutive contacts of
//! one key, none further than the gap from the one before; this takes no
//! table. Only a stretch, not each contact, then looks up whether it goes on
//! with a run of its key. Where rows do and do not go on cannot be foretold,
//! so cutting computes rather than branches; that a stretch goes on with an
//! earlier one is rare enough to branch on.

use std::hint::select_unpredictable;

use super::{Chain, Contacts, Found, Rule};

/// Rows that are cut before their stretches are joined, so that these stay near.
const PART_ROWS: usize = 8192;

/// Contacts of one customer and key without a pause, or with what follows cut off.
#[derive(Clone, Copy, Default)]
struct Stretch {
    /// The time of its first contact.
    at: i64,
    /// The time of the contact before that, the last of the stretch before.
    before: i64,
    first: u32,
    key: u32,
    /// Place of the customer.
    customer: u32,
}

/// A key's present run.
#[derive(Clone, Copy, Default)]
struct Run {
    /// The time of its last contact.
    at: i64,
    /// 1 + place of the customer it belongs to.
    customer: u32,
    first: u32,
    contacts: u32,
    /// Its place among the chains, once it is long enough.
    chain: u32,
}

/// Finds all chains of `rule`, WITHIN and STARTED apart.
pub(super) fn chains(rule: &Rule, contacts: &Contacts<'_>, keys: &[u32]) -> Found {
    by_parts(rule, contacts, keys, PART_ROWS)
}

fn by_parts(rule: &Rule, contacts: &Contacts<'_>, keys: &[u32], part_rows: usize) -> Found {
    let mut found = Found::default();
    let mut joiner = Joiner {
        // Times of one customer ascend, so their difference is no negative number.
        gap: rule.gap.max(0) as u64,
        min: rule.min.max(1),
        table: vec![Run::default(); contacts.key_bound.max(1) as usize],
        chains: Vec::new(),
        count: 0,
    };
    // One more, for what ends the last.
    let mut stretches = vec![Stretch::default(); part_rows + 1];
    // Stretches that wait to be joined, and where their rows end.
    let (mut count, mut end_row, mut before) = (0, 0, 0);
    for (customer, bounds) in contacts.offsets.windows(2).enumerate() {
        let &[start, end] = bounds else { continue };
        if contacts.alive.is_some_and(|alive| !alive.get(customer).copied().unwrap_or(false)) {
            continue;
        }
        let rows = start as usize..end as usize;
        let (Some(times), Some(keys)) = (contacts.times.get(rows.clone()), keys.get(rows)) else { continue };
        found.seen += times.len() as u64;
        let mut first = start;
        for (times, keys) in times.chunks(part_rows).zip(keys.chunks(part_rows)) {
            // A stretch ends where the next begins, unless customers between are passed over.
            if count + times.len() > part_rows || first != end_row {
                joiner.join(&stretches, count);
                count = 0;
            }
            let part = Part { customer: customer as u32, first, before, times, keys };
            let (more, keyless) = part.cut(joiner.gap, stretches.get_mut(count..).unwrap_or_default());
            count += more;
            found.keyless += keyless;
            (first, end_row) = (first + times.len() as u32, first + times.len() as u32);
            before = times.last().copied().unwrap_or(before);
            if let Some(end) = stretches.get_mut(count) {
                *end = Stretch { before, first, ..Stretch::default() };
            }
        }
    }
    joiner.join(&stretches, count);
    joiner.chains.truncate(joiner.count);
    found.chains = joiner.chains;
    found
}

/// Some rows of one customer.
struct Part<'a> {
    customer: u32,
    first: u32,
    /// The time of the row before, whoever's.
    before: i64,
    times: &'a [i64],
    keys: &'a [u32],
}

impl Part<'_> {
    /// Writes its stretches; answers how many there are, and how many contacts have no key.
    #[inline(never)]
    fn cut(&self, gap: u64, stretches: &mut [Stretch]) -> (usize, u64) {
        let (mut count, mut keyless) = (0, 0);
        let (mut before, mut key_before) = (self.before, u32::MAX);
        for (row, (&at, &key)) in (self.first..).zip(self.times.iter().zip(self.keys)) {
            // The stretch that begins here, if one does; if not, it is written over.
            if let Some(stretch) = stretches.get_mut(count) {
                *stretch = Stretch { at, before, first: row, key, customer: self.customer };
            }
            count += usize::from((key != key_before) | (at.wrapping_sub(before) as u64 > gap));
            keyless += u64::from(key == 0);
            (before, key_before) = (at, key);
        }
        (count, keyless)
    }
}

/// Joins stretches to runs, and keeps those that are long enough.
struct Joiner {
    gap: u64,
    min: u32,
    /// By key.
    table: Vec<Run>,
    /// The chains found, and places to write to behind them.
    chains: Vec<Chain>,
    count: usize,
}

impl Joiner {
    /// Takes in the first `count` stretches; the one behind them says where the last ends.
    #[inline(never)]
    fn join(&mut self, stretches: &[Stretch], count: usize) {
        let Self { gap, min, table, chains, count: found } = self;
        let (gap, min, mut next) = (*gap, *min, *found);
        let room = next + count + 1;
        if chains.len() < room {
            chains.resize(room.max(chains.len() * 2), Chain::default());
        }
        for pair in stretches.get(..=count).unwrap_or_default().windows(2) {
            let &[Stretch { at, first, key, customer, .. }, Stretch { before: end_at, first: end, .. }] =
                pair
            else {
                continue;
            };
            let Some(run) = table.get_mut(key as usize) else { continue };
            let (contacts, last) = (end - first, end.wrapping_sub(1));
            // Computed whole: only the last of the three conditions can be foretold.
            let own = (key != 0) & (run.customer == customer + 1);
            let pause = select_unpredictable(own, at.wrapping_sub(run.at) as u64, u64::MAX);
            if pause <= gap {
                let was_long = run.contacts >= min;
                run.contacts += contacts;
                run.at = end_at;
                if !was_long {
                    run.chain = next as u32;
                    next += usize::from(run.contacts >= min);
                }
                if let Some(chain) = chains.get_mut(run.chain as usize) {
                    *chain = Chain { customer, key, first: run.first, last, contacts: run.contacts };
                }
                continue;
            }
            *run = Run { at: end_at, customer: customer + 1, first, contacts, chain: next as u32 };
            // Kept if it is long enough; if not, the next is written over it.
            if let Some(chain) = chains.get_mut(next) {
                *chain = Chain { customer, key, first, last, contacts };
            }
            next += usize::from((key != 0) & (contacts >= min));
        }
        *found = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_change_nothing(
            journeys in prop::collection::vec(prop::collection::vec((0_i64..9, 0_u32..3), 0..9), 1..6),
            alive in prop::collection::vec(any::<bool>(), 6),
            all in any::<bool>(),
            gap in 0_i64..6,
            min in 1_u32..4,
        ) {
            let (mut offsets, mut times, mut keys) = (vec![0], Vec::new(), Vec::new());
            for mut journey in journeys {
                journey.sort_by_key(|contact| contact.0);
                times.extend(journey.iter().map(|contact| contact.0));
                keys.extend(journey.iter().map(|contact| contact.1));
                offsets.push(times.len() as u32);
            }
            let contacts = Contacts {
                offsets: &offsets,
                times: &times,
                keys: Some(&keys),
                key_bound: 3,
                visible: None,
                alive: (!all).then_some(&alive[..]),
                resolved: None,
            };
            let rule = Rule { gap, min, within: None, started: None };
            let whole = chains(&rule, &contacts, &keys);
            for part_rows in 1..5 {
                let parts = by_parts(&rule, &contacts, &keys, part_rows);
                prop_assert_eq!(&parts.chains, &whole.chains, "{} rows", part_rows);
                prop_assert_eq!((parts.seen, parts.keyless), (whole.seen, whole.keyless));
            }
        }
    }
}
