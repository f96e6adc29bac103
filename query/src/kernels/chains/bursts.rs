//! Chains where all rows are in sight, every row has a key or none, and the
//! gap is counted from the contact before: most questions, most of the time.
//!
//! A burst is what one customer did without a pause longer than the gap,
//! whatever it was about; a chain lies in one burst whole. A stretch is the part
//! of a burst that is about one thing until the next. Nearly all bursts are one
//! stretch or two, and then a stretch is a chain if it is long enough, which bits
//! tell of 64 rows at once: where one begins, and in none of the next rows. Bits
//! also tell which bursts are more stretches than two; in these few, a stretch
//! looks up the run of its key.

use std::ops::Range;

use super::super::marks::{Marks, WORD, never_empty};
use super::{Chain, Contacts, Found, Rule};

/// A key's present run.
#[derive(Clone, Copy, Default)]
struct Run {
    /// The time of its last contact.
    at: i64,
    /// 1 + the row that the burst begins with in which it is.
    burst: u32,
    first: u32,
    contacts: u32,
    /// Its place among the chains of the burst, once it is long enough.
    chain: u32,
}

/// Places for chains to begin with.
const ROOM: usize = 64;

/// Whether every journey has a row, as [`chains`] takes for granted.
pub(super) fn fits(contacts: &Contacts<'_>) -> bool {
    let end = contacts.offsets.last().map(|&end| end as usize);
    end == Some(contacts.times.len()) && never_empty(contacts.offsets)
}

/// Finds all chains of `rule`, WITHIN and STARTED apart, in the order of their first contacts.
pub(super) fn chains(rule: &Rule, contacts: &Contacts<'_>, keys: &[u32]) -> Found {
    let Contacts { offsets, times, alive, .. } = *contacts;
    let (gap, min) = (rule.gap.max(0) as u64, rule.min.max(1));
    let rows = times.len();
    let mut customers = Marks::default();
    customers.clear(rows);
    customers.set_starts(offsets, rows);
    // What is behind the last row begins a burst, too, so that every burst has an end.
    let mut bursts = Marks::default();
    bursts.pauses(times, gap);
    bursts.set_starts(offsets, rows);
    bursts.set(rows as u32);
    let mut stretches = Marks::default();
    stretches.differences(keys);
    stretches.add(&bursts);
    let (bursts, stretches) = (bursts.words(), stretches.words());

    let mut search =
        Search { gap, min, table: Vec::new(), bound: contacts.key_bound, times, keys, found: Vec::new() };
    // Behind the chains found are places to write to.
    let (mut chains, mut count) = (vec![Chain::default(); ROOM], 0);
    let mut third = Third::default();
    // Customers that begin before the word in hand; rows that are done with.
    let (mut before, mut done) = (0_u32, 0);
    for (place, (&word, &starts)) in stretches.iter().zip(customers.words()).enumerate() {
        let third = third.of(word, bursts.get(place).copied().unwrap_or(0));
        let mut events = third | (word & !begun_soon(stretches, place, min - 1));
        if chains.len() < count + WORD {
            chains.resize(chains.len() * 2, Chain::default());
        }
        while events != 0 {
            let bit = events.trailing_zeros();
            events &= events - 1;
            let first = place * WORD + bit as usize;
            let customer = (before + (starts << (u64::BITS - 1 - bit)).count_ones()).wrapping_sub(1);
            if third >> bit & 1 != 0 {
                let burst = last(bursts, first)..next(bursts, first);
                if first >= done && burst.len() > min as usize {
                    // What was taken for chains may be parts of longer ones.
                    let own = |chain: &&Chain| chain.first as usize >= burst.start;
                    count -= chains.get(..count).unwrap_or_default().iter().rev().take_while(own).count();
                    search.burst(customer, burst.clone(), stretches);
                    let room = count + search.found.len() + WORD;
                    if chains.len() < room {
                        chains.resize(room.max(chains.len() * 2), Chain::default());
                    }
                    let places = chains.iter_mut().skip(count);
                    places.zip(&search.found).for_each(|(place, &chain)| *place = chain);
                    count += search.found.len();
                    done = burst.end;
                    continue;
                }
            }
            let end = next(stretches, first + 1);
            let key = keys.get(first).copied().unwrap_or(0);
            let contacts = end.saturating_sub(first) as u32;
            // Kept if it is one; if not, the next is written over it.
            if let Some(chain) = chains.get_mut(count) {
                let last = (end as u32).wrapping_sub(1);
                *chain = Chain { customer, key, first: first as u32, last, contacts };
            }
            count += usize::from((first >= done) & (key != 0) & (contacts >= min));
        }
        before += starts.count_ones();
    }
    chains.truncate(count);
    if let Some(alive) = alive {
        chains.retain(|chain| alive.get(chain.customer as usize).copied().unwrap_or(false));
    }
    let mut found = Found { chains, ..Found::default() };
    (found.seen, found.keyless) = match alive {
        None => (keys.len() as u64, keyless(keys)),
        Some(alive) => {
            let journeys = offsets.windows(2).zip(alive).filter(|(_, alive)| **alive);
            let rows = journeys.filter_map(|(bounds, _)| match bounds {
                &[start, end] => keys.get(start as usize..end as usize),
                _ => None,
            });
            rows.fold((0, 0), |(seen, none), rows| (seen + rows.len() as u64, none + keyless(rows)))
        }
    };
    found
}

/// Finds the third and later stretches of bursts, word by word.
#[derive(Default)]
struct Third {
    /// Whether the row before the word in hand begins a stretch that is not a burst's first.
    later: bool,
    /// Whether the stretch before, which is none of those, has not ended in the words before.
    carry: bool,
}

impl Third {
    /// Of the rows of a word: those that begin a stretch which is not the first of its burst, and
    /// of which the one before is not, either. A sum carries a bit from behind the beginning of a
    /// stretch up to that of the next, as matchers of patterns on bit streams do (R. D. Cameron
    /// and others, Bitwise Data Parallelism in Regular Expression Matching, PACT 2014).
    fn of(&mut self, stretches: u64, bursts: u64) -> u64 {
        let later = stretches & !bursts;
        let behind = later << 1 | u64::from(self.later);
        let (sum, over) = behind.overflowing_add(!stretches);
        let (sum, over_again) = sum.overflowing_add(u64::from(self.carry));
        (self.later, self.carry) = (later >> (u64::BITS - 1) != 0, over | over_again);
        sum & later
    }
}

/// Of the rows of a word: those with a mark in one of the next `rows` rows, of which the nearest 63
/// are looked at.
fn begun_soon(words: &[u64], place: usize, rows: u32) -> u64 {
    let word = words.get(place).copied().unwrap_or(0);
    let after = words.get(place + 1).copied().unwrap_or(0);
    let mut soon = 0;
    for distance in 1..=rows.min(u64::BITS - 1) {
        soon |= word >> distance | after << (u64::BITS - distance);
    }
    soon
}

/// The first mark at or after a row, of which there is one.
fn next(words: &[u64], row: usize) -> usize {
    let mut place = row / WORD;
    let mut word = words.get(place).copied().unwrap_or(0) >> (row % WORD) << (row % WORD);
    while word == 0 && place < words.len() {
        place += 1;
        word = words.get(place).copied().unwrap_or(0);
    }
    place * WORD + word.trailing_zeros() as usize
}

/// The last mark at or before a row, of which there is one.
fn last(words: &[u64], row: usize) -> usize {
    let mut place = row / WORD;
    let mut word = words.get(place).copied().unwrap_or(0) & (u64::MAX >> (WORD - 1 - row % WORD));
    while word == 0 && place > 0 {
        place -= 1;
        word = words.get(place).copied().unwrap_or(0);
    }
    place * WORD + word.checked_ilog2().unwrap_or(0) as usize
}

/// How many rows have no key.
fn keyless(keys: &[u32]) -> u64 {
    keys.iter().map(|&key| u32::from(key == 0)).sum::<u32>().into()
}

/// Looks for chains in bursts that are about several things.
struct Search<'a> {
    gap: u64,
    min: u32,
    /// By key; empty until it is needed.
    table: Vec<Run>,
    bound: u32,
    times: &'a [i64],
    keys: &'a [u32],
    /// The chains of the burst looked at last.
    found: Vec<Chain>,
}

impl Search<'_> {
    /// Finds the chains of a burst, whose stretches begin at the marks of `stretches`.
    fn burst(&mut self, customer: u32, rows: Range<usize>, stretches: &[u64]) {
        let Self { gap, min, table, bound, times, keys, found } = self;
        found.clear();
        if table.is_empty() {
            table.resize((*bound).max(1) as usize, Run::default());
        }
        let burst = rows.start as u32 + 1;
        let time_at = |row: usize| times.get(row).copied().unwrap_or_default();
        let mut first = rows.start;
        while first < rows.end {
            let end = next(stretches, first + 1).min(rows.end);
            let stretch = first..end;
            first = end;
            let key = keys.get(stretch.start).copied().unwrap_or(0);
            let Some(run) = table.get_mut(key as usize).filter(|_| key != 0) else { continue };
            if run.burst != burst || time_at(stretch.start).wrapping_sub(run.at) as u64 > *gap {
                *run = Run { burst, first: stretch.start as u32, ..Run::default() };
            }
            let was_long = run.contacts >= *min;
            (run.at, run.contacts) = (time_at(end - 1), run.contacts + stretch.len() as u32);
            if run.contacts < *min {
                continue;
            }
            let chain =
                Chain { customer, key, first: run.first, last: end as u32 - 1, contacts: run.contacts };
            if !was_long {
                run.chain = found.len() as u32;
                found.push(chain);
            } else if let Some(known) = found.get_mut(run.chain as usize) {
                *known = chain;
            }
        }
        // They were found in the order in which they became long enough.
        found.sort_unstable_by_key(|chain| chain.first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_row_by_row(
            journeys in prop::collection::vec(
                prop::collection::vec((prop_oneof![40 => 0_i64..3, 1 => Just(9_i64)], prop_oneof![60 => Just(1_u32), 1 => 0_u32..3]), 1..200),
                1..5,
            ),
            alive in prop::option::of(prop::collection::vec(any::<bool>(), 5)),
            gap in 2_i64..4,
            min in prop_oneof![0_u32..4, 60_u32..70],
        ) {
            let (mut offsets, mut times, mut keys) = (vec![0], Vec::new(), Vec::new());
            for journey in journeys {
                let mut at = 0;
                for (pause, key) in journey {
                    at += pause;
                    times.push(at);
                    keys.push(key);
                }
                offsets.push(times.len() as u32);
            }
            let contacts = Contacts {
                offsets: &offsets,
                times: &times,
                keys: Some(&keys),
                key_bound: 3,
                visible: None,
                alive: alive.as_deref(),
                resolved: None,
            };
            let rule = Rule { gap, min, within: None, started: None };
            prop_assert!(fits(&contacts));
            let found = chains(&rule, &contacts, &keys);
            let mut expected = super::super::runs::<false, false>(&rule, &contacts);
            expected.chains.sort_unstable_by_key(|chain| chain.first);
            prop_assert_eq!(found.chains, expected.chains);
            prop_assert_eq!((found.seen, found.keyless), (expected.seen, expected.keyless));
        }
    }
}
