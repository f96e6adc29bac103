//! Customers who are erased: nothing of them is left in any answer, and nothing of anybody else is
//! touched.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::Column;
use crate::batch::{Batch, ValueRef};
use crate::clock::Clock;
use crate::disk_sim::{Fault, Loss, SimDisk};
use crate::import::ImportReport;
use crate::model::Identity;
use crate::schema::{AttrId, AttrType, Role, Subject};

/// The first of January 2026.
const START: Millis = 1_767_225_600_000;
const MINUTE: Millis = 60_000;

/// A store whose clock goes on by a second at each write.
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
        // So few bytes that journeys are sealed and sorted outside of memory now and then.
        let options = Options { memory_bytes: 1 << 20, tail_interactions: 7, clock, ..Options::default() };
        self.db = Some(Db::open_on(Arc::new(self.disk.clone()), options).expect("opens"));
    }

    fn db(&self) -> &Db {
        self.db.as_ref().expect("is open")
    }

    fn tick(&self) -> Millis {
        self.hands.fetch_add(1_000, Ordering::Relaxed) + 1_000
    }

    fn erase(&self, identity: &str) -> Erasure {
        self.tick();
        self.db().erase(&Identity::parse(identity).expect("parses")).expect("erases")
    }

    fn import(&self, rows: &[Row], attributes: &[(u8, u8)], bring_back: bool) -> ImportReport {
        self.tick();
        let mut import = self.db().import("a file").expect("begins");
        let tier = import.declare(Subject::Customer, "tier", AttrType::Symbol, None).expect("declares");
        if bring_back {
            import.bring_back();
        }
        let mut batch = Batch::new(import.schema());
        let of = |role| import.schema().role(role).map(|attribute| attribute.id).expect("core");
        let (kind, event) = (of(Role::Kind), of(Role::EventId));
        for row in rows {
            batch.begin(&row.identity(), row.time());
            batch.set(kind, ValueRef::Str(&row.kind())).expect("sets");
            if let Some(id) = row.event() {
                batch.set(event, ValueRef::Str(&id)).expect("sets");
            }
        }
        import.push(batch).expect("pushes");
        let mut batch = Batch::new(import.schema());
        for &(who, value) in attributes {
            batch.begin(&identity(who), START);
            batch.set(tier, ValueRef::Str(&format!("tier-{value}"))).expect("sets");
        }
        import.push_customers(batch).expect("pushes");
        import.commit().expect("commits")
    }

    fn problems(&self) -> Vec<String> {
        self.db().check().expect("checks").problems
    }
}

fn identity(who: u8) -> Identity {
    Identity::parse(&format!("crm:{who}")).expect("parses")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Row {
    who: u8,
    minute: u8,
    kind: u8,
    /// Without an event id where it is 0.
    event: u8,
}

impl Row {
    fn identity(&self) -> Identity {
        identity(self.who)
    }

    fn time(&self) -> Millis {
        START - 600 * MINUTE + Millis::from(self.minute) * MINUTE
    }

    fn kind(&self) -> String {
        format!("kind-{}", self.kind)
    }

    fn event(&self) -> Option<String> {
        (self.event > 0).then(|| format!("event-{}", self.event))
    }

    fn interaction(&self) -> Interaction {
        let interaction = Interaction::new(self.identity().as_str(), self.time()).kind(&self.kind());
        match self.event() {
            Some(event) => interaction.event_id(&event),
            None => interaction,
        }
    }
}

/// What is seen of an interaction: time, sequence, event id, kind.
type Seen = (Millis, i64, Option<String>, String);

/// All that a snapshot shows.
#[derive(Debug, PartialEq)]
struct Shown {
    journeys: BTreeMap<String, Vec<Seen>>,
    interactions: u64,
    customers: u64,
    span: Option<(Millis, Millis)>,
    tiers: BTreeMap<String, String>,
    cohorts: BTreeMap<String, BTreeSet<String>>,
}

fn shown(snapshot: &Snapshot) -> Shown {
    let schema = snapshot.schema();
    let of = |role| schema.role(role).map(|attribute| attribute.id).expect("core");
    let (kind, event) = (of(Role::Kind), of(Role::EventId));
    let mut journeys: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    for unit in 0..snapshot.units().len() {
        let block = snapshot.read(unit, &[AttrId::SEQUENCE, kind, event]).expect("reads");
        for (place, &customer) in block.customers.iter().enumerate() {
            let name = snapshot.customer_name(customer).expect("has a name");
            for row in block.journey(place) {
                let text = |attr| match block.column(attr) {
                    Some(Column::Str { codes, dictionary }) if codes[row] > 0 => {
                        Some(dictionary.get(codes[row] as usize - 1).to_owned())
                    }
                    Some(Column::Symbol { codes, dictionary }) if codes[row] > 0 => {
                        Some(snapshot.symbols(attr).get(dictionary[codes[row] as usize - 1]).to_owned())
                    }
                    _ => None,
                };
                let Some(Column::Int { values, .. }) = block.column(AttrId::SEQUENCE) else {
                    panic!("sequences")
                };
                let seen = (block.times[row], values[row], text(event), text(kind).expect("a kind"));
                journeys.entry(name.clone()).or_default().push(seen);
            }
        }
    }
    let name = |customer: u32| snapshot.customer_name(customer).expect("has a name");
    let mut tiers = BTreeMap::new();
    if let Some(tier) = schema.find(Subject::Customer, "tier").map(|attribute| attribute.id)
        && let Column::Symbol { codes, dictionary } = &*snapshot.customer_column(tier).expect("reads")
    {
        for (customer, &code) in (0..).zip(codes).filter(|(_, code)| **code > 0) {
            let text = snapshot.symbols(tier).get(dictionary[code as usize - 1]).to_owned();
            tiers.insert(name(customer), text);
        }
    }
    let cohort = |of: &String| {
        let customers = snapshot.cohort(of).expect("reads").expect("is there");
        customers.into_iter().map(name).collect()
    };
    let cohorts = snapshot.cohorts().into_iter().map(|of| (of.clone(), cohort(&of))).collect();
    Shown {
        interactions: snapshot.interactions(),
        customers: snapshot.customers(),
        span: snapshot.time_span().expect("reads"),
        journeys,
        tiers,
        cohorts,
    }
}

/// What an import tells rows by: one of interactions, or one of attributes.
type Content = (Option<Row>, Option<(u8, u8)>);

/// The store as it is meant to be, written down.
#[derive(Default)]
struct Model {
    /// Interactions that are there, with when they were recorded and their sequence.
    rows: Vec<(Row, Millis, i64)>,
    /// Rows ever recorded.
    recorded: i64,
    /// Attributes, when they were recorded.
    tiers: Vec<(u8, u8, Millis)>,
    cohorts: BTreeMap<String, BTreeSet<u8>>,
    erased: HashSet<u8>,
    events: HashSet<u8>,
    /// Events that erased people had.
    had: HashSet<(u8, u8)>,
    /// How often contents came, of interactions and of attributes.
    contents: HashMap<Content, u32>,
}

/// What was added, known before, and left out for who it was of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    added: u64,
    duplicates: u64,
    erased: u64,
}

impl Model {
    fn take(&mut self, rows: &[Row], at: Millis, import: bool, bring_back: bool, count: &mut Count) {
        let mut again: HashMap<Row, u32> = HashMap::new();
        for &row in rows {
            if self.erased.contains(&row.who) && !bring_back {
                count.erased += 1;
                continue;
            }
            let new = if row.event > 0 {
                self.had.remove(&(row.who, row.event)) || self.events.insert(row.event)
            } else if import {
                let times = again.entry(row).or_default();
                *times += 1;
                let known = self.contents.entry((Some(row), None)).or_default();
                let new = *times > *known;
                *known = (*known).max(*times);
                new
            } else {
                true
            };
            if !new {
                count.duplicates += 1;
                continue;
            }
            self.erased.remove(&row.who);
            count.added += 1;
            self.rows.push((row, at, if row.event > 0 { 0 } else { self.recorded }));
            self.recorded += 1;
        }
    }

    fn attributes(&mut self, rows: &[(u8, u8)], at: Millis, bring_back: bool, count: &mut Count) {
        let mut again: HashMap<(u8, u8), u32> = HashMap::new();
        for &(who, tier) in rows {
            if self.erased.contains(&who) && !bring_back {
                count.erased += 1;
                continue;
            }
            let times = again.entry((who, tier)).or_default();
            *times += 1;
            let known = self.contents.entry((None, Some((who, tier)))).or_default();
            if *times <= *known {
                count.duplicates += 1;
                continue;
            }
            *known = *times;
            self.erased.remove(&who);
            count.added += 1;
            self.recorded += 1;
            self.tiers.push((who, tier, at));
        }
    }

    fn erase(&mut self, who: u8) -> u64 {
        let before = self.rows.len();
        self.had.extend(
            self.rows
                .iter()
                .filter(|(row, ..)| row.who == who && row.event > 0)
                .map(|(row, ..)| (who, row.event)),
        );
        self.rows.retain(|(row, ..)| row.who != who);
        self.tiers.retain(|(of, ..)| *of != who);
        for cohort in self.cohorts.values_mut() {
            cohort.remove(&who);
        }
        self.contents
            .retain(|(row, tier), _| row.map(|row| row.who).or(tier.map(|tier| tier.0)) != Some(who));
        self.erased.insert(who);
        (before - self.rows.len()) as u64
    }

    fn is_known(&self, who: u8) -> bool {
        self.rows.iter().any(|(row, ..)| row.who == who) || self.tiers.iter().any(|(of, ..)| *of == who)
    }

    fn shown(&self, at: Millis) -> Shown {
        let mut journeys: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
        for (row, _, sequence) in self.rows.iter().filter(|(_, recorded, _)| *recorded <= at) {
            let seen = (row.time(), *sequence, row.event(), row.kind());
            journeys.entry(row.identity().to_string()).or_default().push(seen);
        }
        journeys.values_mut().for_each(|journey| journey.sort());
        let times = || journeys.values().flatten().map(|seen| seen.0);
        let mut tiers = BTreeMap::new();
        for (who, tier, _) in self.tiers.iter().filter(|(.., recorded)| *recorded <= at) {
            tiers.insert(identity(*who).to_string(), format!("tier-{tier}"));
        }
        let names = |cohort: &BTreeSet<u8>| cohort.iter().map(|&who| identity(who).to_string()).collect();
        Shown {
            interactions: times().count() as u64,
            customers: self.rows.iter().map(|(row, ..)| row.who).collect::<BTreeSet<_>>().len() as u64,
            span: times().min().zip(times().max()),
            tiers,
            cohorts: self.cohorts.iter().map(|(name, cohort)| (name.clone(), names(cohort))).collect(),
            journeys,
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Row>),
    Import(Vec<Row>, Vec<(u8, u8)>, bool),
    Erase(u8),
    Forgive(u8),
    Cohort(u8),
    Seal,
    Reopen,
    Rebuild,
    Vacuum,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0..6_u8, 0..120_u8, 0..4_u8, prop_oneof![Just(0_u8), 1..20_u8])
        .prop_map(|(who, minute, kind, event)| Row { who, minute, kind, event });
    prop::collection::vec(row, 0..12)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let attributes = || prop::collection::vec((0..6_u8, 0..3_u8), 0..3);
    let step = prop_oneof![
        3 => rows().prop_map(Step::Append),
        4 => (rows(), attributes(), any::<bool>()).prop_map(|(rows, tiers, back)| Step::Import(rows, tiers, back)),
        4 => (0..7_u8).prop_map(Step::Erase),
        1 => (0..7_u8).prop_map(Step::Forgive),
        1 => (0..3_u8).prop_map(Step::Cohort),
        2 => Just(Step::Seal),
        2 => Just(Step::Reopen),
        1 => Just(Step::Rebuild),
        2 => Just(Step::Vacuum),
    ];
    prop::collection::vec(step, 1..14)
}

fn same(store: &Store, model: &Model, context: &str) {
    let snapshot = store.db().snapshot();
    let now = store.hands.load(Ordering::Relaxed);
    assert_eq!(shown(&snapshot), model.shown(now), "{context}");
    for at in (START..=now).step_by(1_000) {
        let as_of = snapshot.as_of(at).expect("reads");
        let (found, mut expected) = (shown(&as_of), model.shown(at));
        if !as_of.hides_later() {
            expected = model.shown(now);
        }
        assert_eq!(found, expected, "{context} as of {}", at - START);
    }
    for who in 0..7 {
        let found = snapshot.find_identity(&identity(who)).expect("looks");
        assert_eq!(found.is_some(), model.is_known(who), "{context}: crm:{who}");
    }
    assert_eq!(store.problems(), Vec::<String>::new(), "{context}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// A store in which people are erased and come back answers as a list of rows does.
    #[test]
    fn a_store_that_forgets_answers_as_a_list_does(steps in steps()) {
        let mut store = Store::new();
        let mut model = Model::default();
        for (number, step) in steps.iter().enumerate() {
            let context = format!("after step {number}, {step:?} of {steps:?}");
            match step {
                Step::Append(rows) => {
                    let at = store.tick();
                    let mut count = Count::default();
                    model.take(rows, at, false, false, &mut count);
                    let commit = store.db().append(rows.iter().map(Row::interaction)).expect("appends");
                    let found = Count { added: commit.added, duplicates: commit.duplicates, erased: commit.erased };
                    prop_assert_eq!(found, count, "{}", context);
                }
                Step::Import(rows, tiers, back) => {
                    let report = store.import(rows, tiers, *back);
                    let at = store.hands.load(Ordering::Relaxed);
                    let mut count = Count::default();
                    model.take(rows, at, true, *back, &mut count);
                    model.attributes(tiers, at, *back, &mut count);
                    let found = Count { added: report.added, duplicates: report.duplicates, erased: report.erased };
                    prop_assert_eq!(found, count, "{}", context);
                    prop_assert_eq!(report.interactions, model.rows.len() as u64);
                }
                Step::Erase(who) => {
                    let known = model.is_known(*who);
                    let report = store.erase(identity(*who).as_str());
                    prop_assert_eq!(report.identities, u64::from(known), "{}", context);
                    if known {
                        prop_assert_eq!(report.interactions, model.erase(*who), "{}", context);
                    }
                }
                Step::Forgive(who) => {
                    let lifted = store.db().forgive(&identity(*who)).expect("forgives");
                    prop_assert_eq!(lifted, u64::from(model.erased.remove(who)), "{}", context);
                }
                Step::Cohort(name) => {
                    let snapshot = store.db().snapshot();
                    let cohort = model.rows.iter().map(|(row, ..)| row.who).filter(|who| who % 3 >= *name).collect();
                    let number = |who: &u8| snapshot.resolve(&identity(*who)).expect("looks").expect("is known");
                    let customers = (&cohort as &BTreeSet<u8>).iter().map(number).collect();
                    store.db().save_cohort(&format!("cohort-{name}"), &customers).expect("saves");
                    model.cohorts.insert(format!("cohort-{name}"), cohort);
                }
                Step::Seal => store.db().seal().expect("seals"),
                Step::Reopen => store.reopen(),
                Step::Rebuild => store.db().rebuild().expect("rebuilds"),
                Step::Vacuum => {
                    store.db().vacuum().expect("is vacuumed");
                }
            }
            same(&store, &model, &context);
        }
    }
}

fn row(who: u8, minute: u8, event: u8) -> Row {
    Row { who, minute, kind: minute % 3, event }
}

fn names(snapshot: &Snapshot) -> Vec<String> {
    shown(snapshot).journeys.into_keys().collect()
}

/// A few customers, one of whom was erased, one erased and brought back, in runs and in memory.
fn store() -> Store {
    let store = Store::new();
    let rows: Vec<Row> = (0..30).map(|minute| row(minute % 5, minute, minute + 1)).collect();
    store.import(&rows, &[(0, 1), (1, 2), (2, 1)], false);
    store.erase("crm:1");
    store.erase("crm:2");
    store.import(&rows[..12], &[(2, 2)], false);
    store.db().forgive(&identity(2)).expect("forgives");
    store.import(&rows[..18], &[], false);
    store
}

#[test]
fn who_began_before_goes_on_and_later_ones_see_nothing() {
    let store = store();
    let before = store.db().snapshot();
    let told = shown(&before);
    assert_eq!(told.journeys.keys().collect::<Vec<_>>(), ["crm:0", "crm:2", "crm:3", "crm:4"]);
    // All of the last customer to contact us.
    let last = told.span.expect("has a span").1;
    store.erase("crm:4");
    assert_eq!(shown(&before), told);
    let after = store.db().snapshot();
    assert_eq!(names(&after), ["crm:0", "crm:2", "crm:3"]);
    assert!(shown(&after).span.expect("has a span").1 < last, "the right edge is that of what is left");
    // Whoever saves a cohort may have looked before.
    store.db().save_cohort("late", before.present()).expect("saves");
    let cohort = |store: &Store| shown(&store.db().snapshot()).cohorts["late"].len();
    assert_eq!(cohort(&store), 3);
    store.db().rebuild().expect("rebuilds");
    assert_eq!(cohort(&store), 3);
    for who in [0, 2, 3] {
        store.erase(identity(who).as_str());
    }
    let empty = store.db().snapshot();
    assert_eq!((empty.interactions(), empty.customers(), empty.time_span().expect("reads")), (0, 0, None));
    store.db().vacuum().expect("is vacuumed");
    assert_eq!(shown(&store.db().snapshot()), shown(&empty));
    assert_eq!(store.problems(), Vec::<String>::new());
}

#[test]
fn an_erasure_waits_for_what_is_committed_with_it() {
    let store = Store::new();
    let barrier = std::sync::Barrier::new(9);
    std::thread::scope(|scope| {
        for who in 0..8_u8 {
            let (store, barrier) = (&store, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for minute in 0..20 {
                    let commit = store.db().append([row(who, minute, 0).interaction()]).expect("appends");
                    assert_eq!(commit.added + commit.erased, 1);
                }
            });
        }
        barrier.wait();
        for _ in 0..20 {
            store.erase("crm:3");
        }
    });
    store.erase("crm:3");
    assert_eq!(store.db().append([row(3, 1, 0).interaction()]).map(|commit| commit.erased).ok(), Some(1));
    assert_eq!((store.db().snapshot().interactions(), names(&store.db().snapshot()).len()), (140, 7));
    store.db().rebuild().expect("rebuilds");
    assert_eq!(store.db().snapshot().interactions(), 140);
}

/// The whole of an erasure is there after a crash, or nothing of it.
#[test]
fn a_crash_leaves_an_erasure_whole_or_undone() {
    let plain = store();
    let (told, before) = (shown(&plain.db().snapshot()), plain.disk.operations());
    plain.erase("crm:4");
    let without = shown(&plain.db().snapshot());
    let operations = plain.disk.operations() - before;
    let mut met = [0, 0];
    for fault in [Fault::Crash, Fault::SyncError, Fault::Error] {
        for n in 1..=operations {
            let mut store = store();
            store.disk.fail_at(store.disk.operations() + n, fault);
            store.tick();
            let answer = store.db().erase(&identity(4));
            let context = format!("{fault:?} at {n} ({:?}): {answer:?}", store.disk.struck());
            for loss in [Loss::Kept, Loss::Lost, Loss::Torn] {
                let disk = store.disk.after_crash(n, loss);
                store.db = None;
                store.disk = disk;
                store.reopen();
                let found = shown(&store.db().snapshot());
                assert!(found == without || found == told && answer.is_err(), "{context}, {loss:?}");
                met[usize::from(found == without)] += 1;
                assert_eq!(store.problems(), Vec::<String>::new(), "{context}");
            }
        }
    }
    assert!(met[0] > 0 && met[1] > 0, "{met:?}");
}

/// Whatever chunk is damaged: nothing erased is shown, and a rebuild makes all good.
#[test]
fn damage_brings_nobody_back() {
    let plain = store();
    plain.db().seal().expect("seals");
    let told = shown(&plain.db().snapshot());
    let chunks = plain.db().writer.lock().state.version.manifest.chunks();
    assert!(chunks.len() > 8);
    for chunk in chunks {
        let mut store = store();
        store.db().seal().expect("seals");
        store.db = None;
        assert!(store.disk.graph_corrupt(&chunk.id.to_be_bytes(), 5, 1), "{chunk:?}");
        store.reopen();
        let db = store.db();
        match db.erase(&identity(4)) {
            Ok(erasure) => assert_eq!(erasure.identities, 1),
            Err(error) => {
                assert!(db.repair(&error).expect("repairs"), "{error}");
                assert_eq!(shown(&db.snapshot()), told);
                db.erase(&identity(4)).expect("erases");
            }
        }
        db.rebuild().expect("rebuilds");
        assert_eq!(names(&db.snapshot()), ["crm:0", "crm:2", "crm:3"]);
        assert_eq!(store.problems(), Vec::<String>::new());
    }
}
