//! The store against a model: plain vectors, sorted when asked.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::batch::{Batch, ValueRef};
use crate::disk_sim::SimDisk;
use crate::model::Identity;
use crate::schema::{AttrId, AttrType, Role, Subject};
use crate::{Block, Column};

fn open(disk: &SimDisk) -> Db {
    Db::open_on(Arc::new(disk.clone()), Options { memory_bytes: 1 << 20, ..Options::default() })
        .expect("opens")
}

/// What the tests look at of an interaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    time: i64,
    kind: Option<String>,
    event_id: Option<String>,
    amount: Option<String>,
}

fn text(column: Option<&Column>, row: usize, symbol: &dyn Fn(u32) -> String) -> Option<String> {
    let column = column?;
    if column.is_null(row) {
        return None;
    }
    Some(match column {
        Column::Symbol { codes, dictionary } => symbol(dictionary[codes[row] as usize - 1]),
        Column::Str { codes, dictionary } => dictionary.get(codes[row] as usize - 1).to_owned(),
        Column::Int { values, .. } => values[row].to_string(),
        Column::Float { values, .. } => values[row].to_string(),
    })
}

fn dump(snapshot: &Snapshot) -> BTreeMap<String, Vec<Seen>> {
    let schema = snapshot.schema();
    let kind = schema.role(Role::Kind).expect("core").id;
    let event_id = schema.role(Role::EventId).expect("core").id;
    let amount = schema.find(Subject::Interaction, "amount").map_or(AttrId(999), |attribute| attribute.id);
    let mut out = BTreeMap::new();
    let mut rows = 0;
    for unit in 0..snapshot.units().len() {
        let block: Block = snapshot.read(unit, &[kind, event_id, amount]).expect("reads");
        rows += block.rows();
        for (place, &customer) in block.customers.iter().enumerate() {
            let journey = block
                .journey(place)
                .map(|row| Seen {
                    time: block.times[row],
                    kind: text(block.column(kind), row, &|s| snapshot.symbols(kind).get(s).to_owned()),
                    event_id: text(block.column(event_id), row, &|_| unreachable!()),
                    amount: text(block.column(amount), row, &|_| unreachable!()),
                })
                .collect();
            let name = snapshot.customer_name(customer).expect("has a name");
            assert_eq!(
                snapshot.resolve(&Identity::parse(&name).expect("parses")).expect("resolves"),
                Some(customer)
            );
            assert!(out.insert(name, journey).is_none(), "a customer in two units");
        }
    }
    assert_eq!(rows as u64, snapshot.interactions());
    assert_eq!(out.len() as u64, snapshot.customers());
    check_index(snapshot, kind, &out);
    out
}

fn check_index(snapshot: &Snapshot, kind: AttrId, journeys: &BTreeMap<String, Vec<Seen>>) {
    if let Some(tally) = snapshot.tally(kind, kind).expect("counts") {
        let name = |symbol: u32| snapshot.symbols(kind).get(symbol).to_owned();
        let tally = tally
            .into_iter()
            .map(|cell| (cell.symbols[0].map(name), cell.interactions))
            .collect::<BTreeMap<_, _>>();
        let mut expected = BTreeMap::new();
        for seen in journeys.values().flatten() {
            *expected.entry(seen.kind.clone()).or_insert(0) += 1;
        }
        assert_eq!(tally, expected);
    }
    for symbol in 0..snapshot.symbols(kind).len() as u32 {
        for n in 1..=3_u8 {
            let found: HashSet<String> = snapshot
                .at_least(kind, symbol, n)
                .expect("counts")
                .iter()
                .map(|customer| snapshot.customer_name(customer).expect("has a name"))
                .collect();
            let symbols = snapshot.symbols(kind);
            let expected: HashSet<String> = journeys
                .iter()
                .filter(|(_, journey)| {
                    let same =
                        journey.iter().filter(|seen| seen.kind.as_deref() == Some(symbols.get(symbol)));
                    same.count() >= usize::from(n)
                })
                .map(|(name, _)| name.clone())
                .collect();
            assert_eq!(found, expected, "{n} of {}", symbols.get(symbol));
        }
    }
}

#[derive(Clone, Debug)]
struct Event {
    customer: u8,
    time: u8,
    kind: Option<u8>,
    event_id: Option<u8>,
    amount: Option<i8>,
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Event>),
    Import(Vec<Event>, bool),
    Abandon(Vec<Event>),
    Seal,
    Reopen,
    CloseAndReopen,
    Rebuild,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (
        0..6_u8,
        0..12_u8,
        prop::option::of(0..4_u8),
        prop::option::weighted(0.3, 0..20_u8),
        prop::option::of(any::<i8>()),
    );
    prop::collection::vec(
        event.prop_map(|(customer, time, kind, event_id, amount)| Event {
            customer,
            time,
            kind,
            event_id,
            amount,
        }),
        1..30,
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => events().prop_map(Step::Append),
        3 => (events(), any::<bool>()).prop_map(|(events, widen)| Step::Import(events, widen)),
        1 => events().prop_map(Step::Abandon),
        2 => Just(Step::Seal),
        1 => Just(Step::Reopen),
        1 => Just(Step::CloseAndReopen),
        1 => Just(Step::Rebuild),
    ];
    prop::collection::vec(step, 1..14)
}

/// One that is stored: sequence, event id and content make its place.
type Stored = (i64, u64, Option<String>, Event);

#[derive(Default)]
struct Model {
    stored: Vec<Stored>,
    event_ids: HashSet<u8>,
    contents: HashMap<String, u32>,
    commits: u64,
    float: bool,
    has_amount: bool,
}

impl Model {
    fn append(&mut self, events: &[Event]) {
        let before = self.stored.len();
        for event in events {
            if event.event_id.is_some_and(|id| !self.event_ids.insert(id)) {
                continue;
            }
            let sequence = if event.event_id.is_some() { 0 } else { self.stored.len() as u64 };
            self.stored.push((
                i64::from(event.time),
                sequence,
                event.event_id.map(|id| format!("e{id}")),
                event.clone(),
            ));
        }
        if self.stored.len() > before {
            self.has_amount |= events.iter().any(|event| event.amount.is_some());
            self.commits += 1;
        }
    }

    fn import(&mut self, events: &[Event], widen: bool) {
        let before = self.stored.len();
        let mut of_file: HashMap<String, u32> = HashMap::new();
        for (place, event) in events.iter().enumerate() {
            if let Some(id) = event.event_id {
                if !self.event_ids.insert(id) {
                    continue;
                }
            } else {
                let content = format!("{event:?}");
                let occurrence = of_file.entry(content.clone()).or_default();
                *occurrence += 1;
                let stored = self.contents.entry(content).or_default();
                if *occurrence <= *stored {
                    continue;
                }
                *stored = *occurrence;
            }
            let sequence = if event.event_id.is_some() { 0 } else { place as u64 };
            self.stored.push((
                i64::from(event.time),
                sequence,
                event.event_id.map(|id| format!("e{id}")),
                event.clone(),
            ));
        }
        if self.stored.len() > before {
            self.commits += 1;
            self.float |= widen;
            self.has_amount = true;
        }
    }

    /// Ties of everything but content stay in any order here; `dump`s of both are sorted by it.
    fn dump(&self) -> BTreeMap<String, Vec<Seen>> {
        let mut sorted = self.stored.clone();
        sorted.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        let mut out: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
        for (time, _, event_id, event) in sorted {
            out.entry(format!("crm:{}", event.customer)).or_default().push(Seen {
                time,
                kind: event.kind.map(|kind| format!("k{kind}")),
                event_id,
                amount: event.amount.map(|amount| amount.to_string()),
            });
        }
        out
    }
}

fn interactions(events: &[Event]) -> Vec<Interaction> {
    events
        .iter()
        .map(|event| {
            let mut interaction = Interaction::new(format!("crm:{}", event.customer), i64::from(event.time));
            if let Some(kind) = event.kind {
                interaction = interaction.kind(&format!("k{kind}"));
            }
            if let Some(id) = event.event_id {
                interaction = interaction.event_id(&format!("e{id}"));
            }
            if let Some(amount) = event.amount {
                interaction = interaction.set("amount", i64::from(amount));
            }
            interaction
        })
        .collect()
}

fn push(import: &mut Import<'_>, events: &[Event], widen: bool) {
    let ty = if widen { AttrType::Float } else { AttrType::Int };
    let amount = import.declare(Subject::Interaction, "amount", ty, None).expect("declares");
    let schema = import.schema().clone();
    let kind = schema.role(Role::Kind).expect("core").id;
    let event_id = schema.role(Role::EventId).expect("core").id;
    for (part, events) in events.chunks(7).enumerate() {
        let mut batch = Batch::new(&schema);
        for (place, event) in events.iter().enumerate() {
            let identity = Identity::parse(&format!("crm:{}", event.customer)).expect("parses");
            batch.begin(&identity, i64::from(event.time));
            if event.event_id.is_none() {
                batch.sequence((part * 7 + place) as u64);
            }
            if let Some(value) = event.kind {
                batch.set(kind, ValueRef::Str(&format!("k{value}"))).expect("sets");
            }
            if let Some(value) = event.event_id {
                batch.set(event_id, ValueRef::Str(&format!("e{value}"))).expect("sets");
            }
            if let Some(value) = event.amount {
                batch.set(amount, ValueRef::Int(i64::from(value))).expect("sets");
            }
        }
        import.push(batch).expect("pushes");
    }
}

/// Rows that tie in time, sequence and event id are ordered by digest, which the model does not
/// know: both sides are compared with such rows sorted by content.
fn settled(mut journeys: BTreeMap<String, Vec<Seen>>) -> BTreeMap<String, Vec<Seen>> {
    for journey in journeys.values_mut() {
        journey.sort();
    }
    journeys
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_store_is_the_model(steps in steps()) {
        let disk = SimDisk::new();
        let mut db = open(&disk);
        let mut model = Model::default();
        for step in &steps {
            match step {
                Step::Append(events) => {
                    db.append(interactions(events)).expect("appends");
                    model.append(events);
                }
                Step::Import(events, widen) => {
                    let mut import = db.import("test").expect("begins");
                    push(&mut import, events, *widen);
                    import.commit().expect("commits");
                    model.import(events, *widen);
                }
                Step::Abandon(events) => {
                    let mut import = db.import("test").expect("begins");
                    push(&mut import, events, true);
                }
                Step::Seal => db.seal().expect("seals"),
                Step::Reopen => {
                    drop(db);
                    db = open(&disk);
                }
                Step::CloseAndReopen => {
                    db.close().expect("closes");
                    db = open(&disk);
                }
                Step::Rebuild => db.rebuild().expect("rebuilds"),
            }
            let found = dump(&db.snapshot());
            prop_assert_eq!(settled(found.clone()), settled(model.dump()), "after {:?}", step);
            // Where nothing but time and sequence decide, the order itself is the model's.
            if steps.iter().all(|step| matches!(step, Step::Append(events) if events.iter().all(|e| e.event_id.is_none()))) {
                prop_assert_eq!(found, model.dump());
            }
        }
        let before = dump(&db.snapshot());
        let report = db.check().expect("checks");
        prop_assert_eq!(report.problems, Vec::<String>::new());
        db.rebuild().expect("rebuilds");
        prop_assert_eq!(dump(&db.snapshot()), before);
        let amount = db.snapshot().schema().find(Subject::Interaction, "amount").map(|attribute| attribute.ty);
        let expected = match (model.has_amount, model.float) {
            (false, _) => None,
            (true, false) => Some(AttrType::Int),
            (true, true) => Some(AttrType::Float),
        };
        prop_assert_eq!(amount, expected);
    }
}

/// A bulk import larger than its memory goes through the external sort.
#[test]
fn a_large_import_is_sorted_outside_memory() {
    let events: Vec<Event> = (0..1_100_000_u32)
        .map(|n| Event {
            customer: (n.wrapping_mul(2_654_435_761) >> 9) as u8,
            time: (n / 7_000) as u8,
            kind: Some((n % 5) as u8),
            event_id: None,
            amount: None,
        })
        .collect();
    let disk = SimDisk::new();
    let db = Db::open_on(Arc::new(disk.clone()), Options { memory_bytes: 32 << 20, ..Options::default() })
        .expect("opens");
    let mut import = db.import("large").expect("begins");
    let kind = import.schema().role(Role::Kind).expect("core").id;
    let schema = import.schema().clone();
    let names: Vec<Identity> =
        (0..=255).map(|n| Identity::parse(&format!("crm:{n}")).expect("parses")).collect();
    for (part, events) in events.chunks(1 << 16).enumerate() {
        let mut batch = Batch::new(&schema);
        for (place, event) in events.iter().enumerate() {
            batch.begin(&names[usize::from(event.customer)], i64::from(event.time));
            batch.sequence(((part << 16) + place) as u64);
            batch.set(kind, ValueRef::Str(&format!("k{}", event.kind.unwrap_or(0)))).expect("sets");
        }
        import.push(batch).expect("pushes");
    }
    let report = import.commit().expect("commits");
    // Equal rows of one file are all kept, as true duplicates.
    assert_eq!((report.added, report.duplicates, report.customers), (1_100_000, 0, 256));
    let mut model = Model::default();
    for (place, event) in events.iter().enumerate() {
        model.stored.push((i64::from(event.time), place as u64, None, event.clone()));
    }
    assert_eq!(dump(&db.snapshot()), model.dump());
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
    drop(db);
    assert_eq!(dump(&open(&disk).snapshot()), model.dump());
}

#[test]
fn a_store_is_open_once() {
    let disk = SimDisk::new();
    let _db = open(&disk);
    let second = Db::open_on(Arc::new(disk.clone()), Options::default());
    assert!(matches!(second, Err(Error::Locked { .. })), "{second:?}");
}

#[test]
fn bad_interactions_change_nothing() {
    let db = open(&SimDisk::new());
    let good = || Interaction::new("crm:1", 5).kind("a");
    let check = |bad: Interaction, words: &str| {
        let error = db.append([good(), bad]).expect_err(words).to_string();
        assert!(error.contains(words) && error.contains("interaction 2"), "{error}");
        assert_eq!(db.snapshot().interactions(), 0);
    };
    check(Interaction::new("", 5), "key");
    check(Interaction::new("crm:1", i64::MAX), "horizon");
    check(Interaction::new("crm:1", i64::MIN), "1900");
    check(good().set("score", "high"), "score");
    check(good().set("", 5_i64), "name");
}

#[test]
fn appenders_on_many_threads_all_land() {
    let db = open(&SimDisk::new());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let db = &db;
            scope.spawn(move || {
                for n in 0..50 {
                    let commit = db.append([Interaction::new(format!("crm:{thread}"), n).kind("a")]);
                    assert_eq!(commit.expect("appends").added, 1);
                }
            });
        }
    });
    let journeys = dump(&db.snapshot());
    assert_eq!(journeys.len(), 8);
    assert!(journeys.values().all(|journey| journey.len() == 50));
}

#[test]
fn customers_have_attributes_and_the_latest_counts() {
    let disk = SimDisk::new();
    let db = open(&disk);
    let mut import = db.import("customers").expect("begins");
    let plan = import.declare(Subject::Customer, "plan", AttrType::Symbol, None).expect("declares");
    let mut batch = Batch::new(import.schema());
    for (name, time, value) in
        [("crm:2", 9, "gold"), ("crm:2", 5, "free"), ("crm:7", 1, "free"), ("crm:2", 10, "")]
    {
        batch.begin(&Identity::parse(name).expect("parses"), time);
        batch.set(plan, ValueRef::Str(value)).expect("sets");
    }
    import.push_customers(batch).expect("pushes");
    import.commit().expect("commits");
    let plan_of = |db: &Db, name: &str| {
        let snapshot = db.snapshot();
        let ordinal =
            snapshot.resolve(&Identity::parse(name).expect("parses")).expect("resolves").expect("is there");
        let column = snapshot.customer_column(plan).expect("reads");
        text(Some(&column), ordinal as usize, &|symbol| snapshot.symbols(plan).get(symbol).to_owned())
    };
    assert_eq!(plan_of(&db, "crm:2").as_deref(), Some("gold"));
    assert_eq!(plan_of(&db, "crm:7").as_deref(), Some("free"));
    drop(db);
    let db = open(&disk);
    assert_eq!(plan_of(&db, "crm:2").as_deref(), Some("gold"));
    assert_eq!((db.snapshot().customers(), db.snapshot().ordinals()), (0, 2));
}

#[test]
fn cohorts_survive() {
    let disk = SimDisk::new();
    let db = open(&disk);
    let customers: RoaringBitmap = [1, 5].into_iter().collect();
    db.save_cohort("vip", &customers).expect("saves");
    assert_eq!(db.snapshot().cohort("vip").expect("reads"), Some(customers.clone()));
    drop(db);
    let db = open(&disk);
    assert_eq!(db.snapshot().cohorts(), ["vip"]);
    db.close().expect("closes");
    assert_eq!(open(&disk).snapshot().cohort("vip").expect("reads"), Some(customers));
}
