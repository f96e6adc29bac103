//! Journeys that are rewritten: what lies in the runs is dead, and nobody sees that it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::batch::{Batch, ValueRef};
use crate::chunks::Blob;
use crate::clock::Clock;
use crate::disk_sim::SimDisk;
use crate::manifest::{Manifest, Range, Run, Version};
use crate::model::Identity;
use crate::schema::{AttrId, AttrType, Attribute, Role, Subject};
use crate::{Block, Column};

/// The first of January 2026.
const START: Millis = 1_767_225_600_000;
const DAY: Millis = 86_400_000;

/// A store whose clock goes on by a second at each commit.
struct Store {
    disk: SimDisk,
    hands: Arc<AtomicI64>,
    db: Option<Db>,
}

impl Store {
    fn new() -> Self {
        let mut store = Self { disk: SimDisk::new(), hands: Arc::new(AtomicI64::new(START)), db: None };
        store.reopen();
        store
    }

    fn reopen(&mut self) {
        self.db = None;
        let hands = Arc::clone(&self.hands);
        let clock = Clock::of(move || hands.load(Ordering::Relaxed));
        let options = Options { memory_bytes: 1 << 20, clock, ..Options::default() };
        self.db = Some(Db::open_on(Arc::new(self.disk.clone()), options).expect("opens"));
    }

    fn db(&self) -> &Db {
        self.db.as_ref().expect("is open")
    }

    fn append(&self, rows: &[Row]) {
        self.hands.fetch_add(1_000, Ordering::Relaxed);
        self.db().append(rows.iter().map(Row::interaction)).expect("appends");
    }

    /// Imports, with the channel of another type if it is to be widened.
    fn import(&self, rows: &[Row], widen: bool) {
        self.hands.fetch_add(1_000, Ordering::Relaxed);
        let mut import = self.db().import("test").expect("begins");
        let ty = if widen { AttrType::Text } else { AttrType::Symbol };
        let channel = import.declare(Subject::Interaction, "channel", ty, None).expect("declares");
        let kind = import.schema().role(Role::Kind).expect("core").id;
        let mut batch = Batch::new(import.schema());
        for row in rows {
            batch.begin(&Identity::parse(&row.identity()).expect("parses"), row.time());
            batch.set(kind, ValueRef::Str(&format!("k{}", row.kind))).expect("sets");
            if let Some(value) = row.channel {
                batch.set(channel, ValueRef::Str(&format!("c{value}"))).expect("sets");
            }
        }
        import.push(batch).expect("pushes");
        import.commit().expect("commits");
    }

    fn rewrite(&self, customers: &RoaringBitmap) {
        let mut writer = self.db().writer.lock();
        writer.state.rewrite(customers).expect("rewrites");
        self.db().shown.show(&writer.state);
    }

    /// Takes customers out for good.
    fn take_out(&self, customers: &RoaringBitmap) {
        let mut writer = self.db().writer.lock();
        for block in writer.state.take_out(customers).expect("takes them out") {
            writer.state.note_taken_out(&block, &vec![false; block.rows()]);
        }
        *Arc::make_mut(&mut writer.state.present) -= customers;
        self.db().shown.show(&writer.state);
    }

    fn problems(&self) -> Vec<String> {
        self.db().check().expect("checks").problems
    }

    fn manifest(&self) -> Manifest {
        self.db().writer.lock().state.version.manifest.clone()
    }

    /// Whether some of what is dead is not marked yet.
    fn is_unmarked(&self) -> bool {
        !self.db().writer.lock().state.unmarked.customers().is_empty()
    }
}

#[derive(Clone, Debug)]
struct Row {
    customer: u32,
    day: u8,
    kind: u8,
    channel: Option<u8>,
}

impl Row {
    fn identity(&self) -> String {
        format!("crm:{}", self.customer)
    }

    fn time(&self) -> Millis {
        START - i64::from(self.day) * DAY
    }

    fn interaction(&self) -> Interaction {
        let interaction = Interaction::new(self.identity(), self.time()).kind(&format!("k{}", self.kind));
        match self.channel {
            Some(channel) => interaction.set("channel", format!("c{channel}").as_str()),
            None => interaction,
        }
    }
}

fn rows(customers: u32, count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Row>> {
    let row = (0..customers, 0..90_u8, 0..4_u8, prop::option::weighted(0.7, 0..3_u8));
    let row = row.prop_map(|(customer, day, kind, channel)| Row { customer, day, kind, channel });
    prop::collection::vec(row, count)
}

fn value(column: &Column, row: usize, symbol: &dyn Fn(u32) -> String) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    match column {
        Column::Symbol { codes, dictionary } => symbol(dictionary[codes[row] as usize - 1]),
        Column::Str { codes, dictionary } => dictionary.get(codes[row] as usize - 1).to_owned(),
        Column::Int { values, .. } => values[row].to_string(),
        Column::Float { values, .. } => values[row].to_string(),
    }
}

type Journeys = BTreeMap<u32, Vec<String>>;

/// Adds the journeys of a block, each interaction with all its values.
fn add(snapshot: &Snapshot, block: &Block, attrs: &[AttrId], out: &mut Journeys) {
    assert_eq!(block.customers.len() + 1, block.offsets.len());
    assert!(block.offsets.windows(2).all(|pair| pair[0] < pair[1]), "a customer without interactions");
    for (place, &customer) in block.customers.iter().enumerate() {
        let text = |row: usize| {
            let values = attrs.iter().map(|&attr| {
                let symbol = |symbol: u32| snapshot.symbols(attr).get(symbol).to_owned();
                block.column(attr).map_or("NULL".to_owned(), |column| value(column, row, &symbol))
            });
            format!("{:?} {}", block.times.get(row), values.collect::<Vec<_>>().join(" "))
        };
        let journey = block.journey(place).map(text).collect();
        assert!(out.insert(customer, journey).is_none(), "a customer in two units");
    }
}

/// What a snapshot says without its indexes: all journeys, and those of every third customer.
fn read(snapshot: &Snapshot) -> [Journeys; 3] {
    let mut attrs: Vec<AttrId> =
        snapshot.schema().attributes().iter().map(|attribute| attribute.id).collect();
    attrs.extend([AttrId::IDENTITY, AttrId::COMMIT, AttrId::SEQUENCE]);
    let kind = snapshot.schema().role(Role::Kind).expect("core").id;
    let third: RoaringBitmap = snapshot.present().iter().step_by(3).collect();
    let mut journeys = [Journeys::new(), Journeys::new(), Journeys::new()];
    let [all, untimed, some] = &mut journeys;
    for unit in 0..snapshot.units().len() {
        add(snapshot, &snapshot.read(unit, &attrs).expect("reads"), &attrs, all);
        let mut block = snapshot.read_untimed(unit, &[kind]).expect("reads");
        block.times.clear();
        add(snapshot, &block, &[kind], untimed);
        add(snapshot, &snapshot.read_some(unit, &third, &attrs).expect("reads").0, &attrs, some);
    }
    let bounds = snapshot.units().iter().map(|unit| unit.interactions).sum::<u64>();
    assert!(bounds >= all.values().map(|journey| journey.len() as u64).sum());
    journeys
}

/// What the indexes say, all of it exact.
fn counted(snapshot: &Snapshot) -> Vec<Vec<u32>> {
    let mut out = vec![snapshot.present().iter().collect()];
    let is_symbol = |attribute: &&Attribute| attribute.ty == AttrType::Symbol;
    for attribute in snapshot.schema().attributes().iter().filter(is_symbol) {
        for symbol in 0..snapshot.symbols(attribute.id).len() as u32 {
            for n in 1..=3 {
                out.push(snapshot.at_least(attribute.id, symbol, n).expect("counts").iter().collect());
            }
        }
    }
    // Whole months, of which nothing else is answered: December, November, and all.
    for (from, to) in [(31, 0), (61, 31), (92, -31)] {
        let found = snapshot.active(START - from * DAY, START - to * DAY);
        out.push(found.expect("counts").iter().collect());
    }
    out
}

/// What the tallies say of every two symbol attributes.
fn tallied(snapshot: &Snapshot) -> Vec<Option<String>> {
    let attrs = snapshot.schema().attributes().iter().map(|attribute| attribute.id).collect::<Vec<_>>();
    let pairs = attrs.iter().flat_map(|&a| attrs.iter().map(move |&b| (a, b)));
    pairs.map(|(a, b)| snapshot.tally(a, b).expect("counts").map(|cells| format!("{cells:?}"))).collect()
}

/// Compares everything that can be asked of a store that was rewritten, and of one that never was.
fn same(rewritten: &Store, plain: &Store, context: &str) {
    let (found, expected) = (rewritten.db().snapshot(), plain.db().snapshot());
    assert_eq!(read(&found), read(&expected), "{context}");
    assert_eq!(counted(&found), counted(&expected), "{context}");
    let whole = |snapshot: &Snapshot| {
        (snapshot.interactions(), snapshot.customers(), snapshot.time_span().expect("reads"))
    };
    assert_eq!(whole(&found), whole(&expected), "{context}");
    match rewritten.is_unmarked() {
        true => assert!(tallied(&found).iter().all(Option::is_none), "{context}: counts what is dead"),
        false => {
            // A pair that some part lacks is not counted, and the parts are others.
            let both = tallied(&found).into_iter().zip(tallied(&expected));
            let both: Vec<_> = both.filter_map(|(found, expected)| found.zip(expected)).collect();
            assert!(!both.is_empty(), "{context}");
            both.iter().for_each(|(found, expected)| assert_eq!(found, expected, "{context}"));
        }
    }
    let commit = (plain.hands.load(Ordering::Relaxed) - START) / 2_000;
    let at = START + commit * 1_000;
    let (found, expected) = (found.as_of(at).expect("reads"), expected.as_of(at).expect("reads"));
    assert_eq!(read(&found), read(&expected), "{context}, as of commit {commit}");
    assert_eq!(whole(&found), whole(&expected), "{context}, as of commit {commit}");
    assert_eq!(rewritten.problems(), Vec::<String>::new(), "{context}");
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Row>),
    Import(Vec<Row>, bool),
    Rewrite(Vec<u32>),
    Seal,
    Reopen,
    Rebuild,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => rows(44, 1..6).prop_map(Step::Append),
        1 => (rows(44, 1..20), prop::bool::weighted(0.2)).prop_map(|(rows, widen)| Step::Import(rows, widen)),
        6 => prop::collection::vec(0..50_u32, 1..4).prop_map(Step::Rewrite),
        5 => Just(Step::Seal),
        1 => Just(Step::Reopen),
        1 => Just(Step::Rebuild),
    ];
    prop::collection::vec(step, 1..13)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The base is large beside what comes, so that marks lie in bases and runs for a while.
    #[test]
    fn a_store_that_is_rewritten_answers_as_one_that_never_was(base in rows(40, 200..400), steps in steps()) {
        let (mut rewritten, mut plain) = (Store::new(), Store::new());
        let mut widened = false;
        for store in [&rewritten, &plain] {
            store.append(&base);
            store.db().seal().expect("seals");
        }
        let mut held = None;
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Append(rows) => [&rewritten, &plain].iter().for_each(|store| store.append(rows)),
                Step::Import(rows, widen) => {
                    widened |= widen;
                    [&rewritten, &plain].iter().for_each(|store| store.import(rows, widened));
                }
                Step::Rewrite(customers) => {
                    held.get_or_insert_with(|| {
                        let snapshot = rewritten.db().snapshot();
                        (read(&snapshot), counted(&snapshot), snapshot)
                    });
                    rewritten.rewrite(&customers.iter().copied().collect());
                }
                Step::Seal => [&rewritten, &plain].iter().for_each(|store| store.db().seal().expect("seals")),
                Step::Reopen => {
                    held = None;
                    [&mut rewritten, &mut plain].into_iter().for_each(Store::reopen);
                }
                Step::Rebuild => {
                    held = None;
                    [&rewritten, &plain].iter().for_each(|store| store.db().rebuild().expect("rebuilds"));
                }
            }
            same(&rewritten, &plain, &format!("after step {number}: {step:?}"));
            // Who looks at an earlier state is not disturbed.
            if let Some((journeys, sets, snapshot)) = &held {
                assert_eq!(&read(snapshot), journeys);
                assert_eq!(&counted(snapshot), sets);
            }
        }
    }
}

/// `count` interactions of `customers` customers.
fn many(count: u64, customers: u32) -> Vec<Row> {
    let row = |n: u64| {
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Row {
            customer: (n % u64::from(customers)) as u32,
            day: (mixed >> 40) as u8 % 90,
            kind: (mixed >> 50) as u8 % 4,
            channel: (mixed >> 60 > 3).then_some((mixed >> 55) as u8 % 3),
        }
    };
    (0..count).map(row).collect()
}

fn levels(range: &Range) -> Vec<u8> {
    range.runs.iter().map(|run| run.level).collect()
}

fn dead(manifest: &Manifest) -> Vec<Vec<u64>> {
    manifest.ranges.iter().map(|range| range.all().map(|run| run.dead.rows).collect()).collect()
}

#[test]
fn marks_gather_in_runs_and_folds_drop_them() {
    let (rewritten, plain) = (Store::new(), Store::new());
    for store in [&rewritten, &plain] {
        store.append(&many(2_000, 100));
        store.db().seal().expect("seals");
    }
    let mut expected: Vec<u64> = vec![0];
    for customer in 0..4_u32 {
        rewritten.rewrite(&(0..=customer).collect());
        assert!(rewritten.is_unmarked());
        rewritten.db().seal().expect("seals");
        // Twenty interactions each: those who were rewritten before are dead in the run of then.
        expected[0] += 20;
        if let Some(last) = expected.last_mut().filter(|_| customer > 0) {
            *last = u64::from(customer) * 20;
        }
        expected.push(0);
        assert_eq!(dead(&rewritten.manifest()), [expected.clone()]);
        same(&rewritten, &plain, &format!("after customer {customer}"));
    }
    // More than an eighth of the base: folded, though nothing new came.
    rewritten.take_out(&(50..60).collect());
    rewritten.db().seal().expect("seals");
    assert_eq!(
        (levels(&rewritten.manifest().ranges[0]), dead(&rewritten.manifest())),
        (vec![], vec![vec![0]])
    );
    assert_eq!(rewritten.db().snapshot().interactions(), 1_800);
    assert_eq!(rewritten.problems(), Vec::<String>::new());
}

#[test]
fn merged_runs_drop_their_marks() {
    let (rewritten, plain) = (Store::new(), Store::new());
    for store in [&rewritten, &plain] {
        store.append(&many(20_000, 1_000));
        store.db().seal().expect("seals");
    }
    for round in 0..10 {
        for store in [&rewritten, &plain] {
            store.append(&many(10, 10));
        }
        rewritten.rewrite(&(round..round + 3).collect());
        [&rewritten, &plain].iter().for_each(|store| store.db().seal().expect("seals"));
    }
    let manifest = rewritten.manifest();
    assert_eq!(levels(&manifest.ranges[0]), [1]);
    // Twelve customers were rewritten, and their first twenty interactions lie in the base.
    assert_eq!(dead(&manifest), [[240, 0]]);
    same(&rewritten, &plain, "after a merge");
}

#[test]
fn marks_lie_in_several_segments_and_ranges() {
    let (rewritten, plain) = (Store::new(), Store::new());
    for store in [&rewritten, &plain] {
        store.append(&many(200_000, 66_500));
        store.db().seal().expect("seals");
    }
    let segments: Vec<usize> =
        plain.manifest().ranges.iter().map(|range| range.base.segments.len()).collect();
    assert!(segments.len() == 2 && segments[0] > 1, "{segments:?}");
    let some: RoaringBitmap = (0..66_500).step_by(97).chain([65_535, 65_536]).collect();
    let around: RoaringBitmap = some.iter().flat_map(|customer| [customer, customer + 1]).collect();
    let journeys = |snapshot: &Snapshot| {
        let schema = snapshot.schema();
        let mut attrs: Vec<AttrId> = schema.attributes().iter().map(|attribute| attribute.id).collect();
        attrs.extend([AttrId::IDENTITY, AttrId::COMMIT, AttrId::SEQUENCE]);
        let mut out = Journeys::new();
        for unit in 0..snapshot.units().len() {
            let (block, _) = snapshot.read_some(unit, &around, &attrs).expect("reads");
            add(snapshot, &block, &attrs, &mut out);
        }
        out
    };
    let expected = plain.db().snapshot();
    for turn in 0..3 {
        rewritten.rewrite(&some);
        for seal in [false, true] {
            if seal {
                rewritten.db().seal().expect("seals");
                assert_eq!(tallied(&rewritten.db().snapshot()), tallied(&expected), "turn {turn}");
            }
            let found = rewritten.db().snapshot();
            assert_eq!(journeys(&found), journeys(&expected), "turn {turn}");
            assert_eq!(counted(&found), counted(&expected), "turn {turn}");
            let rows = |block: Block| (block.customers, block.offsets);
            for span in [0..=65_535, 65_536..=66_600] {
                let read = |snapshot: &Snapshot| snapshot.read_span(span.clone(), &[]).expect("reads");
                assert_eq!(rows(read(&found)), rows(read(&expected)), "turn {turn}");
            }
        }
    }
    let dead = dead(&rewritten.manifest());
    // Once the base, then each run but the last.
    assert!(dead.iter().all(|range| range.len() == 4 && range[0] > 0 && range[0] == range[1]), "{dead:?}");
    assert_eq!(rewritten.problems(), Vec::<String>::new());
}

#[test]
fn what_is_taken_out_is_gone_to_the_last_customer() {
    let store = Store::new();
    store.append(&many(400, 20));
    store.db().seal().expect("seals");
    store.append(&many(50, 25));
    let kind = store.db().snapshot().schema().role(Role::Kind).expect("core").id;
    let mut left: RoaringBitmap = (0..25).collect();
    for gone in [vec![3, 24], vec![4], (5..20).collect(), vec![0, 1, 2, 20, 21, 22, 23]] {
        let gone: RoaringBitmap = gone.into_iter().collect();
        left -= &gone;
        store.take_out(&gone);
        for turn in ["before", "after"] {
            let snapshot = store.db().snapshot();
            let [all, ..] = read(&snapshot);
            assert_eq!(all.keys().copied().collect::<RoaringBitmap>(), left, "{turn} the seal");
            let rows = all.values().map(Vec::len).sum::<usize>() as u64;
            assert_eq!((snapshot.interactions(), snapshot.customers()), (rows, left.len()));
            for symbol in 0..snapshot.symbols(kind).len() as u32 {
                assert!(snapshot.at_least(kind, symbol, 1).expect("counts").is_subset(&left));
            }
            assert!(snapshot.active(i64::MIN, i64::MAX).expect("counts").is_subset(&left));
            let cells = snapshot.tally(kind, kind).expect("counts");
            let cells = cells.map(|cells| cells.iter().map(|cell| cell.interactions).sum::<u64>());
            assert_eq!(cells.unwrap_or(rows), rows);
            assert_eq!(store.problems(), Vec::<String>::new());
            store.db().seal().expect("seals");
        }
    }
    let manifest = store.manifest();
    assert_eq!(manifest.ranges, [Range::default()], "nothing is left, and nothing is stored");
    store.append(&many(30, 25));
    store.db().seal().expect("seals");
    assert_eq!(store.db().snapshot().interactions(), 30);
    assert_eq!(store.problems(), Vec::<String>::new());
}

/// Marks as they are stored, and a manifest in place of it.
fn store_with_marks() -> Store {
    let store = Store::new();
    store.append(&many(2_000, 100));
    store.db().seal().expect("seals");
    store.rewrite(&[3, 70].into_iter().collect());
    store.db().seal().expect("seals");
    store
}

#[test]
fn marks_that_do_not_fit_their_run_are_found() {
    type Change = fn(&mut Run);
    let changes: [Change; 4] = [
        |base| base.dead.rows += 1,
        |base| base.dead.customers.extend([101]),
        |base| base.dead.customers.extend([4]),
        |base| base.dead.tallies = Blob::default(),
    ];
    for (place, change) in changes.into_iter().enumerate() {
        let store = store_with_marks();
        let mut manifest = store.manifest();
        change(&mut manifest.ranges[0].base);
        {
            let mut writer = store.db().writer.lock();
            let chunks = Arc::clone(writer.state.chunks());
            writer.state.version = Version::new(manifest, chunks);
        }
        let problems = store.problems();
        assert!(problems.iter().any(|problem| problem.contains("kill marks")), "{place}: {problems:?}");
    }
}

#[test]
fn damaged_counts_of_the_dead_are_named_and_repaired() {
    let mut store = store_with_marks();
    let expected = tallied(&store.db().snapshot());
    let blob = store.manifest().ranges[0].base.dead.tallies.clone();
    // A chunk that the manifest does not list would be swept away.
    let listed = store.manifest().chunks();
    assert!(blob.pages.iter().all(|page| listed.contains(page)));
    assert!(!blob.pages.is_empty());
    for chunk in &blob.pages {
        assert!(store.disk.graph_corrupt(&chunk.id.to_be_bytes(), 5, 1));
    }
    store.reopen();
    let snapshot = store.db().snapshot();
    let kind = snapshot.schema().role(Role::Kind).expect("core").id;
    let error = snapshot.tally(kind, kind).expect_err("is damaged");
    assert!(matches!(&error, Error::Damaged { file, .. } if file.starts_with("graph-")), "{error}");
    assert!(!store.problems().is_empty());
    assert!(store.db().repair(&error).expect("repairs"));
    assert_eq!(tallied(&store.db().snapshot()), expected);
    assert_eq!(store.problems(), Vec::<String>::new());
}

/// Lengths and checksums of all segments, indexes and tallies.
fn stored(manifest: &Manifest) -> String {
    let mut out = Vec::new();
    let of = |blob: &Blob| blob.pages.iter().map(|page| (page.len, page.checksum)).collect::<Vec<_>>();
    for range in &manifest.ranges {
        for run in range.all() {
            for segment in &run.segments {
                out.push(format!(
                    "{:?} {:?}",
                    (segment.header.len, segment.header.checksum),
                    of(&segment.body)
                ));
            }
            out.push(format!("{} {:?} {:?}", run.level, of(&run.index), of(&run.tallies)));
        }
    }
    out.join("\n")
}

/// What was stored before there were marks.
const STORED_WITHOUT_MARKS: u64 = 17_244_504_661_173_507_056;

/// No text is stored, whose bytes would change with the library that packs it.
#[test]
fn without_marks_not_a_byte_is_stored_otherwise() {
    let interaction = |n: u64| {
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Interaction::new(format!("crm:{}", n % 66_000), (mixed >> 34) as i64)
            .kind(["call", "chat", "visit"][(mixed >> 20) as usize % 3])
            .set("amount", (mixed >> 50) as i64)
            .set("open", mixed.is_multiple_of(5))
    };
    let store = Store::new();
    let db = store.db();
    db.append((0..50_000).map(interaction)).expect("appends");
    db.append((50_000..90_000).map(interaction)).expect("appends");
    for part in 0..12 {
        db.seal().expect("seals");
        db.append((90_000 + part * 100..90_100 + part * 100).map(interaction)).expect("appends");
    }
    db.seal().expect("seals");
    let levels: Vec<Vec<u8>> = store.manifest().ranges.iter().map(levels).collect();
    assert_eq!(levels, [vec![1, 0, 0], vec![]], "a base with runs, one of them merged, and one without");
    assert_eq!(xxh3_64(stored(&store.manifest()).as_bytes()), STORED_WITHOUT_MARKS);
}
