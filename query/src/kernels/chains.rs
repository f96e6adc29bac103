//! Repeat-contact chains: maximal runs of contacts about the same thing.

mod bursts;

/// What a chain is (language rule 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Longest pause between two contacts of a chain, in milliseconds.
    pub gap: i64,
    /// Fewest contacts; at least 1.
    pub min: u32,
    /// Longest chain, first to last contact, in milliseconds.
    pub within: Option<i64>,
    /// The span its first contact must lie in: from (inclusive) to (exclusive).
    pub started: Option<(i64, i64)>,
}

/// The interactions of a block that chains are sought in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contacts<'a> {
    /// Where each customer's rows begin, and the end.
    pub offsets: &'a [u32],
    /// The time of each row.
    pub times: &'a [i64],
    /// The key of each row, 0 where it has none; `None`: all rows share one key.
    pub keys: Option<&'a [u32]>,
    /// Keys lie below this.
    pub key_bound: u32,
    /// Which rows WHERE has left; `None` for all.
    pub visible: Option<&'a [bool]>,
    /// Which customers FOR has left; `None` for all.
    pub alive: Option<&'a [bool]>,
    /// Which rows are marked resolved, where the gap is counted from the last
    /// of them in the chain (while there is none, from the contact before);
    /// `None`: always from the contact before.
    pub resolved: Option<&'a [bool]>,
}

/// One chain, by places in the block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Place of the customer.
    pub customer: u32,
    /// The key; 0 where there are no keys.
    pub key: u32,
    /// Row of the first contact.
    pub first: u32,
    /// Row of the last contact.
    pub last: u32,
    /// How many contacts.
    pub contacts: u32,
}

/// The chains of a block, by customer, then first contact.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// The chains.
    pub chains: Vec<Chain>,
    /// Visible interactions of the customers looked at.
    pub seen: u64,
    /// Of those, without a key.
    pub keyless: u64,
    /// The row before of the same run, for every row that has one; only where members were asked for.
    links: Vec<u32>,
}

impl Found {
    /// The rows of a chain, ascending. Empty unless members were asked for.
    pub(crate) fn members(&self, chain: &Chain, rows: &mut Vec<u32>) {
        rows.clear();
        let mut row = chain.last;
        for _ in 0..chain.contacts {
            let Some(&before) = self.links.get(row as usize) else { break };
            rows.push(row);
            row = before;
        }
        rows.reverse();
    }
}

/// What is known of a key's present run.
#[derive(Clone, Copy)]
struct Run {
    /// 1 + place of the customer it belongs to.
    customer: u32,
    contacts: u32,
    first: u32,
    last: u32,
    /// What the gap is counted from.
    at: i64,
    /// Whether that is a contact marked resolved.
    resolved: bool,
    /// Place among the chains found, once it is long enough.
    chain: u32,
}

/// Finds all chains. One pass over the rows with a table from key to its
/// present run, stamped with the customer so that it is never cleared.
pub(crate) fn chains(rule: &Rule, contacts: &Contacts<'_>, members: bool) -> Found {
    let mut found = match (members || rule.within.is_some(), contacts.resolved.is_some()) {
        (true, false) => runs::<true, false>(rule, contacts),
        (false, false) => match (contacts.keys, contacts.visible) {
            (Some(keys), None) if bursts::fits(contacts) => bursts::chains(rule, contacts, keys),
            _ => runs::<false, false>(rule, contacts),
        },
        (true, true) => runs::<true, true>(rule, contacts),
        (false, true) => runs::<false, true>(rule, contacts),
    };
    if let Some(within) = rule.within {
        split(rule, within, contacts.times, &mut found);
    }
    if let Some((from, to)) = rule.started {
        found.chains.retain(|chain| {
            contacts.times.get(chain.first as usize).is_some_and(|&at| from <= at && at < to)
        });
    }
    // Some ways find chains in the order in which they become long enough.
    if !found.chains.is_sorted_by_key(|chain| chain.first) {
        for own in found.chains.chunk_by_mut(|one, next| one.customer == next.customer) {
            own.sort_by_key(|chain| chain.first);
        }
    }
    found
}

fn runs<const LINKS: bool, const CLOCK: bool>(rule: &Rule, contacts: &Contacts<'_>) -> Found {
    let mut found = Found::default();
    if LINKS {
        found.links = vec![0; contacts.times.len()];
    }
    let empty = Run { customer: 0, contacts: 0, first: 0, last: 0, at: 0, resolved: false, chain: 0 };
    let mut table = vec![empty; contacts.key_bound.max(1) as usize];
    let min = rule.min.max(1);
    for (customer, bounds) in contacts.offsets.windows(2).enumerate() {
        let &[start, end] = bounds else { continue };
        if contacts.alive.is_some_and(|alive| !alive.get(customer).copied().unwrap_or(false)) {
            continue;
        }
        let rows = start as usize..end as usize;
        let Some(times) = contacts.times.get(rows.clone()) else { continue };
        let keys = contacts.keys.map(|keys| keys.get(rows.clone()).unwrap_or_default());
        let visible = contacts.visible.map(|visible| visible.get(rows.clone()).unwrap_or_default());
        let marks = contacts.resolved.and_then(|resolved| resolved.get(rows)).unwrap_or_default();
        let stamp = customer as u32 + 1;
        for (place, &at) in times.iter().enumerate() {
            if visible.is_some_and(|visible| !visible.get(place).copied().unwrap_or(false)) {
                continue;
            }
            found.seen += 1;
            let key = match keys {
                Some(keys) => keys.get(place).copied().unwrap_or(0),
                None => 0,
            };
            if key == 0 && keys.is_some() {
                found.keyless += 1;
                continue;
            }
            let Some(run) = table.get_mut(key as usize) else { continue };
            let row = start + place as u32;
            if run.customer == stamp && at.saturating_sub(run.at) <= rule.gap {
                run.contacts += 1;
                if LINKS && let Some(link) = found.links.get_mut(row as usize) {
                    *link = run.last;
                }
            } else {
                *run = Run { customer: stamp, contacts: 1, first: row, chain: 0, ..empty };
            }
            if CLOCK {
                let resolved = marks.get(place).copied().unwrap_or(false);
                if resolved || !run.resolved {
                    run.at = at;
                }
                run.resolved |= resolved;
            } else {
                run.at = at;
            }
            run.last = row;
            if run.contacts == min {
                run.chain = found.chains.len() as u32;
                found.chains.push(Chain {
                    customer: customer as u32,
                    key,
                    first: run.first,
                    last: row,
                    contacts: min,
                });
            } else if run.contacts > min
                && let Some(chain) = found.chains.get_mut(run.chain as usize)
            {
                chain.last = row;
                chain.contacts = run.contacts;
            }
        }
    }
    found
}

/// Cuts runs into chains of at most `within`: each begins at the earliest
/// contact from which enough fit, and takes all it may.
fn split(rule: &Rule, within: i64, times: &[i64], found: &mut Found) {
    let runs = std::mem::take(&mut found.chains);
    let min = rule.min.max(1) as usize;
    let mut rows = Vec::new();
    let at = |row: Option<&u32>| row.and_then(|&row| times.get(row as usize)).copied();
    for run in runs {
        found.members(&run, &mut rows);
        let mut first = 0;
        while let (Some(begin), Some(enough)) = (at(rows.get(first)), at(rows.get(first + min - 1))) {
            if enough.saturating_sub(begin) > within {
                first += 1;
                continue;
            }
            let mut next = first + min;
            while at(rows.get(next)).is_some_and(|at| at.saturating_sub(begin) <= within) {
                next += 1;
            }
            if let (Some(&begin), Some(&last)) = (rows.get(first), rows.get(next - 1)) {
                let contacts = (next - first) as u32;
                found.chains.push(Chain { first: begin, last, contacts, ..run });
            }
            first = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400_000;

    /// (customer place, key, rows) of each chain, found key by key, step by step.
    fn slow(rule: &Rule, contacts: &Contacts<'_>) -> Vec<(u32, u32, Vec<u32>)> {
        let mut all = Vec::new();
        for customer in 0..contacts.offsets.len() - 1 {
            if contacts.alive.is_some_and(|alive| !alive[customer]) {
                continue;
            }
            let rows = contacts.offsets[customer]..contacts.offsets[customer + 1];
            for key in 0..contacts.key_bound {
                if contacts.keys.is_some() == (key == 0) {
                    continue;
                }
                let mine: Vec<u32> = rows
                    .clone()
                    .filter(|&row| contacts.visible.is_none_or(|visible| visible[row as usize]))
                    .filter(|&row| contacts.keys.is_none_or(|keys| keys[row as usize] == key))
                    .collect();
                let at = |place: usize| contacts.times[mine[place] as usize];
                let mut first = 0;
                while first < mine.len() {
                    // The longest chain that begins here.
                    let mut last = first;
                    let clock = |last: usize| {
                        let marked = |place: &usize| {
                            contacts.resolved.is_some_and(|marks| marks[mine[*place] as usize])
                        };
                        at((first..=last).rev().find(marked).unwrap_or(last))
                    };
                    while last + 1 < mine.len()
                        && at(last + 1) - clock(last) <= rule.gap
                        && rule.within.is_none_or(|within| at(last + 1) - at(first) <= within)
                    {
                        last += 1;
                    }
                    let long = last - first + 1 >= rule.min as usize;
                    if long && rule.started.is_none_or(|(from, to)| from <= at(first) && at(first) < to) {
                        all.push((customer as u32, key, mine[first..=last].to_vec()));
                    }
                    // Without WITHIN a run that is too short is passed over whole.
                    first = if long || rule.within.is_none() { last + 1 } else { first + 1 };
                }
            }
        }
        all.sort_by_key(|(_, _, rows)| rows[0]);
        all
    }

    fn fast(rule: &Rule, contacts: &Contacts<'_>) -> Vec<(u32, u32, Vec<u32>)> {
        let found = chains(rule, contacts, true);
        let lean = chains(rule, contacts, false);
        assert_eq!((&found.chains, found.seen, found.keyless), (&lean.chains, lean.seen, lean.keyless));
        let mut rows = Vec::new();
        found
            .chains
            .iter()
            .map(|chain| {
                found.members(chain, &mut rows);
                assert_eq!((rows[0], rows[rows.len() - 1]), (chain.first, chain.last));
                assert_eq!(rows.len(), chain.contacts as usize);
                (chain.customer, chain.key, rows.clone())
            })
            .collect()
    }

    fn check(times: &[i64], keys: &[u32], rule: Rule, expected: &[&[u32]]) {
        let contacts = Contacts {
            offsets: &[0, times.len() as u32],
            times,
            keys: Some(keys),
            key_bound: 3,
            visible: None,
            alive: None,
            resolved: None,
        };
        let found: Vec<Vec<u32>> = fast(&rule, &contacts).into_iter().map(|(_, _, rows)| rows).collect();
        assert_eq!(found, expected, "{rule:?} over {times:?}");
    }

    #[test]
    fn the_conformance_cases() {
        let week = Rule { gap: 7 * DAY, min: 3, within: None, started: None };
        check(&[0, 3 * DAY, 9 * DAY, 16 * DAY], &[1; 4], week, &[&[0, 1, 2, 3]]);
        check(&[0, 7 * DAY, 14 * DAY], &[1; 3], week, &[&[0, 1, 2]]);
        check(&[0, 7 * DAY, 14 * DAY + 1], &[1; 3], week, &[]);
        let short = Rule { within: Some(5 * DAY), ..week };
        check(&[0, 5 * DAY, 6 * DAY, 7 * DAY], &[1; 4], short, &[&[1, 2, 3]]);
        let two = Rule { gap: 2 * DAY, ..week };
        check(&[0, DAY, 2 * DAY, 3 * DAY, 4 * DAY], &[1, 2, 1, 2, 1], two, &[&[0, 2, 4]]);
        check(&[5, 5, 5], &[1; 3], Rule { gap: 0, ..week }, &[&[0, 1, 2]]);
        let started = Rule { started: Some((0, DAY)), ..week };
        check(&[0, 3 * DAY, 9 * DAY, 30 * DAY, 31 * DAY, 32 * DAY], &[1; 6], started, &[&[0, 1, 2]]);
    }

    #[test]
    fn the_clock_may_run_from_the_last_resolution() {
        let check = |resolved: &[bool], expected: &[(u32, u32)]| {
            let times: Vec<i64> = [0, 5, 7, 12, 13].iter().map(|day| day * DAY).collect();
            let contacts = Contacts {
                offsets: &[0, 5],
                times: &times,
                keys: None,
                key_bound: 1,
                visible: None,
                alive: None,
                resolved: Some(resolved),
            };
            let rule = Rule { gap: 6 * DAY, min: 1, within: None, started: None };
            let found = chains(&rule, &contacts, true);
            let found: Vec<_> = found.chains.iter().map(|chain| (chain.first, chain.last)).collect();
            assert_eq!(found, expected, "{resolved:?}");
        };
        check(&[false; 5], &[(0, 4)]);
        check(&[true, false, false, false, false], &[(0, 1), (2, 4)]);
        check(&[true, true, false, false, false], &[(0, 2), (3, 4)]);
        check(&[false, false, true, false, false], &[(0, 4)]);
    }

    #[test]
    fn contacts_without_a_key_are_counted() {
        let contacts = Contacts {
            offsets: &[0, 2, 4],
            times: &[0, 1, 0, 1],
            keys: Some(&[0, 1, 0, 0]),
            key_bound: 2,
            visible: Some(&[true, true, false, true]),
            alive: None,
            resolved: None,
        };
        let rule = Rule { gap: 5, min: 1, within: None, started: None };
        let found = chains(&rule, &contacts, false);
        assert_eq!((found.seen, found.keyless, found.chains.len()), (3, 2, 1));
    }

    proptest! {
        #[test]
        fn as_the_slow_way(
            journeys in prop::collection::vec(
                (any::<bool>(), prop::collection::vec((0i64..6, 0u32..4, prop::bool::weighted(0.8), any::<bool>()), 0..14)), 0..5),
            gap in 0i64..8, min in 1u32..4,
            within in prop::option::of(0i64..12),
            started in prop::option::of((0i64..20, 0i64..20)),
            keyed in any::<bool>(), filtered in any::<bool>(), picked in any::<bool>(), clocked in any::<bool>(),
            // Where no journey is empty, bursts are looked at.
            empty in any::<bool>(),
        ) {
            let (mut offsets, mut times, mut keys, mut visible, mut alive) = (vec![0], vec![], vec![], vec![], vec![]);
            let mut resolved = vec![];
            for (living, rows) in journeys.iter().filter(|(_, rows)| empty || !rows.is_empty()) {
                let mut at = 0;
                for &(pause, key, shown, marked) in rows {
                    resolved.push(marked);
                    at += pause;
                    times.push(at);
                    keys.push(key);
                    visible.push(shown);
                }
                offsets.push(times.len() as u32);
                alive.push(*living);
            }
            let contacts = Contacts {
                offsets: &offsets, times: &times, keys: keyed.then_some(&keys[..]), key_bound: 4,
                visible: filtered.then_some(&visible[..]), alive: picked.then_some(&alive[..]),
                resolved: clocked.then_some(&resolved[..]),
            };
            let contacts = if keyed { contacts } else { Contacts { key_bound: 1, ..contacts } };
            // FCR takes neither MIN nor WITHIN.
            let (min, within) = if clocked { (1, None) } else { (min, within) };
            let rule = Rule { gap, min, within, started };
            prop_assert_eq!(fast(&rule, &contacts), slow(&rule, &contacts));
        }
    }
}
