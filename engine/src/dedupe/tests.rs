use super::occurrences::Occurrences;
use super::run::PAGE_DIGESTS;
use super::*;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_128;

fn digest(number: u64) -> u128 {
    xxh3_128(&number.to_le_bytes())
}

fn digests(numbers: std::ops::Range<u64>) -> Vec<u128> {
    numbers.map(digest).collect()
}

/// Sealed pages in memory; counts the data pages read.
#[derive(Default)]
struct Pages {
    held: HashMap<(u64, u32), Arc<[u8]>>,
    read: RefCell<Vec<(u64, u32)>>,
}

impl Pages {
    fn put(&mut self, run: u64, page: u32, bytes: Vec<u8>) {
        assert!(bytes.len() <= crate::limits::PAGE_BYTES);
        assert!(self.held.insert((run, page), bytes.into()).is_none(), "page {page} of run {run} came twice");
    }
}

impl RunPages for Pages {
    fn page(&self, run: u64, page: u32) -> Result<Arc<[u8]>> {
        self.read.borrow_mut().push((run, page));
        self.held.get(&(run, page)).cloned().ok_or_else(|| Error::damaged("test", u64::from(page), "missing"))
    }
}

/// A set with its pages, and the next number of a run.
struct Store {
    set: DigestSet,
    pages: Pages,
    next_run: u64,
}

impl Store {
    fn new() -> Self {
        Self { set: DigestSet::new(), pages: Pages::default(), next_run: 1 }
    }

    fn seal(&mut self) {
        let encoded = self.set.encode_unsealed(self.next_run);
        assert_eq!(encoded.meta.all_pages() as usize, encoded.pages.len());
        for (number, page) in (0..).zip(encoded.pages) {
            self.pages.put(self.next_run, number, page);
        }
        self.next_run += 1;
        self.set.sealed(encoded.meta);
        assert_eq!(self.set.unsealed(), 0);
    }

    fn merge(&mut self, runs: &[u64]) {
        let mut written = Vec::new();
        let merged = self.set.merge_runs(runs, self.next_run, &self.pages, &mut |number, page| {
            written.push((number, page));
            Ok(())
        });
        let meta = merged.expect("the runs are sound");
        assert!(written.iter().map(|(number, _)| *number).eq(0..meta.all_pages()));
        for (number, page) in written {
            self.pages.put(self.next_run, number, page);
        }
        self.next_run += 1;
        self.set.replaced(runs, meta);
    }

    /// Adds what is new of `numbers`, as an import does.
    fn add(&mut self, numbers: &[u64]) {
        let wanted: Vec<u128> = numbers.iter().copied().map(digest).collect();
        let known = self.set.contains(&wanted, &self.pages).expect("the runs are sound");
        let new: Vec<u128> =
            wanted.into_iter().zip(known).filter(|(_, known)| !known).map(|(d, _)| d).collect();
        self.set.insert(&new);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(Vec<u64>),
    InsertUnasked(Vec<u64>),
    Seal,
    MergeDue,
    MergeAll,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let numbers = || prop::collection::vec(0..400_u64, 0..40);
    let step = prop_oneof![
        4 => numbers().prop_map(Step::Add),
        1 => numbers().prop_map(Step::InsertUnasked),
        4 => Just(Step::Seal),
        1 => Just(Step::MergeDue),
        1 => Just(Step::MergeAll),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn a_set_of_runs_is_a_set(steps in steps(), asked in prop::collection::vec(0..500_u64, 0..200)) {
        let mut store = Store::new();
        let mut obvious = HashSet::new();
        let mut unasked = false;
        for step in steps {
            match step {
                Step::Add(numbers) => {
                    store.add(&numbers);
                    obvious.extend(numbers);
                }
                Step::InsertUnasked(numbers) => {
                    store.set.insert(&numbers.iter().copied().map(digest).collect::<Vec<_>>());
                    obvious.extend(numbers);
                    unasked = true;
                }
                Step::Seal => store.seal(),
                Step::MergeDue => while let Some(runs) = store.set.due_merge() {
                    prop_assert!(runs.len() >= MERGE_RUNS);
                    store.merge(&runs);
                },
                Step::MergeAll => {
                    let runs: Vec<u64> = store.set.runs().iter().map(|meta| meta.run).collect();
                    store.merge(&runs);
                }
                Step::Reopen => {
                    store.seal();
                    store.set = DigestSet::with_runs(store.set.runs().to_vec());
                }
            }
        }
        let expected: Vec<bool> = asked.iter().map(|number| obvious.contains(number)).collect();
        let wanted: Vec<u128> = asked.into_iter().map(digest).collect();
        prop_assert_eq!(store.set.contains(&wanted, &store.pages).expect("sound"), expected);
        if unasked {
            store.seal();
            let runs: Vec<u64> = store.set.runs().iter().map(|meta| meta.run).collect();
            store.merge(&runs);
        }
        prop_assert_eq!(store.set.len(), obvious.len() as u64);
    }

    /// Digests that are not uniform at all, and of all sizes.
    #[test]
    fn odd_digests_are_only_slow(
        held in prop::collection::hash_set(prop_oneof![0..40_u128, any::<u128>(), Just(u128::MAX)], 0..60),
        asked in prop::collection::vec(prop_oneof![0..60_u128, any::<u128>(), Just(u128::MAX)], 0..60),
    ) {
        let mut store = Store::new();
        store.set.insert(&held.iter().copied().collect::<Vec<_>>());
        store.seal();
        let expected: Vec<bool> = asked.iter().map(|digest| held.contains(digest)).collect();
        prop_assert_eq!(store.set.contains(&asked, &store.pages).expect("sound"), expected);
    }

    #[test]
    fn places_come_in_order(asked in prop::collection::vec(prop_oneof![0..9_u128, any::<u128>()], 0..300)) {
        let places = in_order(&asked);
        let mut sorted = asked.clone();
        sorted.sort_unstable();
        let by_place: Vec<u128> = places.iter().map(|&place| asked[place as usize]).collect();
        prop_assert_eq!(by_place, sorted);
        prop_assert_eq!(places.into_iter().collect::<HashSet<_>>().len(), asked.len());
    }

    #[test]
    fn occurrences_are_counted(
        calls in prop::collection::vec(prop::collection::vec(0..200_u64, 0..60), 0..40),
        memory_digests_max in 1..64_usize,
    ) {
        let mut counting = Occurrences::new(memory_digests_max);
        let mut spill = Scratch::default();
        let mut obvious = HashMap::new();
        for numbers in calls {
            let rows: Vec<u128> = numbers.iter().copied().map(digest).collect();
            let expected: Vec<u32> = numbers
                .into_iter()
                .map(|number| {
                    let count = obvious.entry(number).or_insert(0_u32);
                    *count += 1;
                    *count - 1
                })
                .collect();
            prop_assert_eq!(counting.count_then_add(&rows, &mut spill).expect("sound"), expected);
        }
    }
}

proptest! {
    /// In order of time or not, and wherever the order breaks.
    #[test]
    fn arrivals_are_counted(
        calls in prop::collection::vec((0..4_i64, prop::collection::vec(0..6_u64, 0..40), 0..20_u8), 0..30),
        memory_digests_max in 1..64_usize,
    ) {
        let mut arrivals = Arrivals::new(memory_digests_max);
        let mut spill = Scratch::default();
        let mut obvious = HashMap::new();
        let mut now = 0;
        for (step, numbers, back) in calls {
            now += step - if back == 0 { 3 } else { 0 };
            // Some share the time of the call before.
            let times: Vec<i64> = (0..).zip(&numbers).map(|(place, _)| now + place / 8).collect();
            now = times.last().copied().unwrap_or(now);
            let rows: Vec<u128> =
                numbers.iter().zip(&times).map(|(&number, &time)| digest(number + ((time as u64) << 8))).collect();
            let expected: Vec<u32> = rows
                .iter()
                .map(|&row| {
                    let count = obvious.entry(row).or_insert(0_u32);
                    *count += 1;
                    *count - 1
                })
                .collect();
            prop_assert_eq!(arrivals.count_then_add(&rows, &times, &mut spill).expect("sound"), expected);
        }
    }

    #[test]
    fn digests_are_sorted(digests in prop::collection::vec(prop_oneof![0..9_u128, any::<u128>()], 0..600)) {
        let mut sorted = digests.clone();
        sorted.sort_unstable();
        let mut dealt = digests;
        sort_uniform(&mut dealt);
        prop_assert_eq!(dealt, sorted);
    }
}

#[test]
fn extents_are_read_back() {
    let mut arrivals = Arrivals::new(1 << 20);
    let mut spill = Scratch::default();
    for call in 0..5_u64 {
        let rows = digests(call * 50_000..(call + 1) * 50_000);
        let counts = arrivals.count_then_add(&rows, &[call as i64; 50_000], &mut spill).expect("sound");
        assert!(counts.iter().all(|&count| count == 0));
    }
    let counts = arrivals.count_then_add(&digests(0..260_000), &[0; 260_000], &mut spill).expect("sound");
    assert!((0..).zip(counts).all(|(number, count)| count == u32::from(number < 250_000)));
}

/// Scratch bytes in memory; counts reads.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
    reads: std::cell::Cell<usize>,
    broken: bool,
}

impl Spill for Scratch {
    fn write(&mut self, bytes: &[u8]) -> Result<u64> {
        // A gap, since offsets are the spill's own business.
        self.bytes.extend_from_slice(&[0xAA; 3]);
        let offset = self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        Ok(offset)
    }

    fn read(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.reads.set(self.reads.get() + 1);
        let start = offset as usize;
        let bytes = self.bytes.get(start..start + buf.len());
        buf.copy_from_slice(bytes.ok_or_else(|| Error::damaged("scratch", offset, "past the end"))?);
        if self.broken {
            buf.fill(0x55);
        }
        Ok(())
    }
}

/// Two full pages and a part of a third, in one run, and what is asked of them.
fn three_pages() -> Store {
    let mut store = Store::new();
    store.set.insert(&digests(0..2 * PAGE_DIGESTS as u64 + 100));
    store.seal();
    assert_eq!(store.set.runs()[0].pages, 3);
    store
}

#[test]
fn each_page_is_read_once_and_few_for_nothing() {
    let mut store = three_pages();
    let held = 2 * PAGE_DIGESTS as u64 + 100;
    let known = store.set.contains(&digests(0..held), &store.pages).expect("sound");
    assert!(known.into_iter().all(|known| known));
    let pages = store.set.runs()[0].all_pages();
    let mut read: Vec<u32> = store.pages.read.borrow().iter().map(|(_, page)| *page).collect();
    read.sort_unstable();
    assert!(read.into_iter().eq(0..pages), "each page once, the filter's too");

    store.pages.read.borrow_mut().clear();
    let known = store.set.contains(&digests(held..held + 50), &store.pages).expect("sound");
    assert!(!known.contains(&true));
    assert!(store.pages.read.borrow().len() <= 2, "the filter keeps reads away");
}

#[test]
fn overlapping_runs_of_several_pages_merge_into_their_union() {
    let page = PAGE_DIGESTS as u64;
    let mut store = Store::new();
    for numbers in [0..page * 3 / 2, page..page * 5 / 2, page * 2..page * 3] {
        store.set.insert(&digests(numbers));
        store.seal();
    }
    store.merge(&[1, 2, 3]);
    assert_eq!((store.set.runs().len(), store.set.len(), store.set.runs()[0].pages), (1, page * 3, 3));
    let known = store.set.contains(&digests(0..page * 4), &store.pages).expect("sound");
    assert!((0..).zip(known).all(|(number, known)| known == (number < page * 3)));
    for number in (0..page * 4).step_by(page as usize / 3) {
        let known = store.set.contains(&[digest(number)], &store.pages).expect("sound");
        assert_eq!(known, [number < page * 3], "{number} alone");
    }
}

/// Looking up and merging must refuse every page of a run as `harm` leaves it,
/// save that merging does without fences and filter.
fn check_refused(what: &str, harm: impl Fn(&mut Vec<u8>)) {
    let sound = three_pages();
    let meta = sound.set.runs()[0].clone();
    for page in 0..meta.all_pages() {
        let mut store = Store::new();
        store.set = DigestSet::with_runs(vec![meta.clone()]);
        store.pages.held = sound.pages.held.clone();
        let mut bytes = store.pages.held[&(1, page)].to_vec();
        harm(&mut bytes);
        store.pages.held.insert((1, page), bytes.into());
        let asked = store.set.contains(&digests(0..2 * PAGE_DIGESTS as u64), &store.pages);
        assert!(matches!(asked, Err(Error::Damaged { .. })), "{what}: page {page}, looked up: {asked:?}");
        if page < meta.pages {
            let merged = store.set.merge_runs(&[1], 2, &store.pages, &mut |_, _| Ok(()));
            assert!(matches!(merged, Err(Error::Damaged { .. })), "{what}: page {page}, merged: {merged:?}");
        }
    }
}

#[test]
fn damaged_pages_are_refused() {
    check_refused("empty", Vec::clear);
    check_refused("one byte short", |page| page.truncate(page.len().saturating_sub(1)));
    check_refused("one byte long", |page| page.push(0));
    check_refused("half", |page| page.truncate(page.len() / 2));
    check_refused("another kind", |page| page[0] ^= 7);
    check_refused("another version", |page| page[1] += 1);
    check_refused("another count", |page| page[4] ^= 1);
}

#[test]
fn misplaced_pages_are_refused() {
    let mut store = three_pages();
    let (first, second) = (store.pages.held[&(1, 0)].clone(), store.pages.held[&(1, 1)].clone());
    store.pages.held.insert((1, 0), second);
    store.pages.held.insert((1, 1), first);
    let asked = store.set.contains(&digests(0..1_000), &store.pages);
    assert!(matches!(asked, Err(Error::Damaged { .. })), "{asked:?}");
    let merged = store.set.merge_runs(&[1], 2, &store.pages, &mut |_, _| Ok(()));
    assert!(matches!(merged, Err(Error::Damaged { .. })), "{merged:?}");
}

#[test]
fn contradicting_counts_are_refused() {
    let sound = three_pages().set.runs()[0].clone();
    let wrong = [
        RunMeta { digests: u64::MAX, ..sound.clone() },
        RunMeta {
            digests: u64::from(u32::MAX - 1_000_000) * PAGE_DIGESTS as u64,
            pages: u32::MAX - 1_000_000,
            fence_pages: (u32::MAX - 1_000_000).div_ceil(PAGE_DIGESTS as u32),
            ..sound.clone()
        },
        RunMeta { filter_pages: 1_000_000, filter_blocks: 4_078_000_000, ..sound.clone() },
        RunMeta { pages: u32::MAX, ..sound.clone() },
        RunMeta { fence_pages: 0, ..sound.clone() },
        RunMeta { filter_pages: u32::MAX, ..sound.clone() },
        RunMeta { filter_blocks: 0, ..sound.clone() },
    ];
    for meta in wrong {
        let pages = three_pages().pages;
        let asked = DigestSet::with_runs(vec![meta.clone()]).contains(&digests(0..10), &pages);
        assert!(matches!(asked, Err(Error::Damaged { .. })), "{meta:?}: {asked:?}");
        if meta.digests != sound.digests || meta.pages != sound.pages {
            let merged =
                DigestSet::with_runs(vec![meta.clone()]).merge_runs(&[1], 2, &pages, &mut |_, _| Ok(()));
            assert!(matches!(merged, Err(Error::Damaged { .. })), "{meta:?}: {merged:?}");
        }
    }
}

#[test]
fn what_came_after_encoding_is_not_forgotten() {
    let mut store = Store::new();
    store.set.insert(&digests(0..10));
    let encoded = store.set.encode_unsealed(1);
    store.set.insert(&digests(10..11));
    for (number, page) in (0..).zip(encoded.pages) {
        store.pages.put(1, number, page);
    }
    store.set.sealed(encoded.meta);
    let known = store.set.contains(&digests(0..12), &store.pages).expect("sound");
    assert_eq!(known.iter().filter(|known| **known).count(), 11);
}

#[test]
fn eight_runs_of_similar_size_are_due_with_all_smaller_ones() {
    let meta =
        |run, digests| RunMeta { run, digests, pages: 0, fence_pages: 0, filter_pages: 0, filter_blocks: 0 };
    let check = |sizes: &[u64], expected: Option<Vec<u64>>| {
        let metas = (1..).zip(sizes).map(|(run, &size)| meta(run, size)).collect();
        assert_eq!(DigestSet::with_runs(metas).due_merge(), expected, "{sizes:?}");
    };
    check(&[], None);
    check(&[100; 7], None);
    check(&[100; 8], Some((1..=8).collect()));
    check(&[5_000, 100, 100, 100, 100, 100, 3, 100, 100, 100], Some((2..=10).collect()));
    check(&[4096, 512, 64, 8, 1, 4096, 512, 64, 8, 1], None);
}

#[test]
fn unknown_runs_are_not_merged() {
    let merged = DigestSet::new().merge_runs(&[9], 10, &Pages::default(), &mut |_, _| Ok(()));
    assert!(matches!(merged, Err(Error::Invalid(_))), "{merged:?}");
}

#[test]
fn a_file_of_distinct_rows_is_hardly_read_back() {
    let mut counting = Occurrences::new(1_000);
    let mut spill = Scratch::default();
    // Fifteen spills: one short of a merge, which would read them.
    let counts = counting.count_then_add(&digests(0..15_000), &mut spill).expect("sound");
    assert!(counts.iter().all(|&count| count == 0));
    assert!(spill.bytes.len() > 14_000 * 20);
    assert!(spill.reads.get() < 300, "{} blocks were read", spill.reads.get());
    let counts = counting.count_then_add(&digests(0..15_000), &mut spill).expect("sound");
    assert!(counts.iter().all(|&count| count == 1));
}

#[test]
fn rows_are_counted_through_large_merged_runs() {
    // Sixteen spills of more than one extent each, merged into one run.
    let mut counting = Occurrences::new(60_000);
    let mut spill = Scratch::default();
    let rows = digests(0..1_000_000);
    let counts = counting.count_then_add(&rows, &mut spill).expect("sound");
    assert!(counts.iter().all(|&count| count == 0));
    let some: Vec<u128> = rows.into_iter().step_by(31).chain(digests(1_000_000..1_010_000)).collect();
    let counts = counting.count_then_add(&some, &mut spill).expect("sound");
    let expected = some.iter().enumerate().map(|(place, _)| u32::from(place < some.len() - 10_000));
    assert!(counts.into_iter().eq(expected));
}

#[test]
fn a_broken_scratch_file_is_refused_for_good() {
    let mut counting = Occurrences::new(100);
    let mut spill = Scratch::default();
    counting.count_then_add(&digests(0..500), &mut spill).expect("sound");
    spill.broken = true;
    let broken = counting.count_then_add(&digests(0..500), &mut spill);
    assert!(matches!(broken, Err(Error::Damaged { .. })), "{broken:?}");
    spill.broken = false;
    let later = counting.count_then_add(&digests(0..500), &mut spill);
    assert!(matches!(later, Err(Error::Invalid(_))), "{later:?}");
}
