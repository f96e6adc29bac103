//! Interactions that are amended and redacted, beside a plain list of their versions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::Column;
use crate::amendments::{Amendment, Corrected, Redaction};
use crate::batch::{Batch, OwnedValue};
use crate::clock::Clock;
use crate::disk_sim::SimDisk;
use crate::links::Link;
use crate::model::{Identity, IdentityOrdinal};
use crate::schema::{AttrId, AttrType, Role, Subject};

/// The first of January 2026.
pub(super) const START: Millis = 1_767_225_600_000;
pub(super) const SECOND: Millis = 1_000;
/// Interactions kept in memory; what is more is sorted outside it.
const TAIL: usize = 60;
const NAMES: [&str; 10] = ["id:a", "id:b", "id:c", "id:d", "id:e", "id:f", "id:g", "id:h", "id:i", "id:j"];
/// What is amended; `points` and `note` the store does not have before.
const ATTRIBUTES: [&str; 5] = ["topic", "resolved", "text", "points", "note"];

pub(super) fn identity(name: &str) -> Identity {
    Identity::parse(name).expect("parses")
}

pub(super) fn open(disk: &SimDisk, hands: &Arc<AtomicI64>) -> Db {
    let hands = Arc::clone(hands);
    let clock = Clock::of(move || hands.load(Ordering::Relaxed));
    let options = Options { memory_bytes: 1 << 20, tail_interactions: TAIL, clock, ..Options::default() };
    Db::open_on(Arc::new(disk.clone()), options).expect("opens")
}

/// Values by attribute, as text.
pub(super) type Values = BTreeMap<String, String>;
/// Time, sequence, event id, values: what an interaction is at some time, in the order of journeys.
pub(super) type Shown = (Millis, u64, Option<String>, Values);
/// Each customer by the name it is shown by.
pub(super) type Portrait = BTreeMap<String, Vec<Shown>>;

#[derive(Clone, Debug)]
struct Plain {
    name: &'static str,
    time: Millis,
    sequence: u64,
    event: Option<String>,
    recorded: Millis,
    /// Since when each version is current.
    versions: Vec<(Millis, Values)>,
}

#[derive(Clone, Debug, Default)]
struct Model {
    rows: Vec<Plain>,
    /// When two neighbours among the names were linked or cut.
    links: Vec<(Millis, usize, bool)>,
}

impl Model {
    /// The name that is shown for an identity at a time.
    fn shown(&self, name: &str, at: Millis) -> String {
        let place = NAMES.iter().position(|known| *known == name).expect("is one");
        let said = self.links.iter().rev().find(|(when, pair, _)| *when <= at && *pair == place / 2);
        let linked = said.is_some_and(|(_, _, linked)| *linked);
        NAMES[if linked { place / 2 * 2 } else { place }].to_owned()
    }

    fn portrait(&self, at: Millis) -> Portrait {
        let mut out = Portrait::new();
        for row in self.rows.iter().filter(|row| row.recorded <= at) {
            let (_, values) =
                row.versions.iter().rev().find(|version| version.0 <= at).expect("was recorded");
            let shown = (row.time, row.sequence, row.event.clone(), values.clone());
            out.entry(self.shown(row.name, at)).or_default().push(shown);
        }
        out.values_mut().for_each(|journey| journey.sort());
        out
    }

    fn find(&self, event: &str) -> Option<usize> {
        self.rows.iter().position(|row| row.event.as_deref() == Some(event))
    }
}

/// A store and its model.
struct Pair {
    disk: SimDisk,
    hands: Arc<AtomicI64>,
    db: Option<Db>,
    model: Model,
    /// Times at which something was recorded.
    commits: Vec<Millis>,
}

impl Pair {
    fn new() -> Self {
        let (disk, hands) = (SimDisk::new(), Arc::new(AtomicI64::new(START)));
        let db = Some(open(&disk, &hands));
        Self { disk, hands, db, model: Model::default(), commits: Vec::new() }
    }

    fn db(&self) -> &Db {
        self.db.as_ref().expect("is open")
    }

    /// The time at which the next commit is recorded.
    fn tick(&mut self) -> Millis {
        let now = self.hands.fetch_add(SECOND, Ordering::Relaxed) + SECOND;
        self.commits.push(now);
        now
    }

    fn record(&mut self, rows: &[Row], import: bool) {
        let recorded = self.tick();
        let mut plain: Vec<Plain> = Vec::new();
        for row in rows {
            let number = self.model.rows.len() + plain.len();
            // An import tells rows without an event id by what they are.
            let event = (row.named || import).then(|| format!("e{number}"));
            let sequence = if event.is_some() { 0 } else { number as u64 };
            let values = [("topic", format!("t{}", row.topic)), ("text", format!("words {number}"))];
            let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            plain.push(Plain {
                name: NAMES[row.name],
                time: START - i64::from(row.day) * 86_400_000,
                sequence,
                event,
                recorded,
                versions: vec![(recorded, values)],
            });
        }
        if import {
            let mut import = self.db().import("test").expect("begins");
            let mut batch = Batch::new(import.schema());
            let find = |name| import.schema().find(Subject::Interaction, name).expect("core").id;
            let (event_id, topic, text) = (find("event_id"), find("topic"), find("text"));
            for row in &plain {
                batch.begin(&identity(row.name), row.time);
                let values = &row.versions[0].1;
                let event = row.event.clone().expect("is named");
                for (attr, value) in [(event_id, &event), (topic, &values["topic"]), (text, &values["text"])]
                {
                    batch.set(attr, crate::ValueRef::Str(value)).expect("sets");
                }
            }
            import.push(batch).expect("pushes");
            import.commit().expect("commits");
        } else {
            let interaction = |row: &Plain| {
                let values = row.versions[0].1.iter();
                let interaction = values
                    .fold(Interaction::new(row.name, row.time), |row, (name, value)| row.set(name, &**value));
                row.event.iter().fold(interaction, |row, event| row.event_id(event))
            };
            self.db().append(plain.iter().map(interaction)).expect("appends");
        }
        self.model.rows.extend(plain);
    }

    fn amend(&mut self, changes: &[Change]) {
        let recorded = self.tick();
        let mut expected = Vec::new();
        let mut amendments = Vec::new();
        let mut became: BTreeMap<usize, Values> = BTreeMap::new();
        for change in changes {
            let event = format!("e{}", change.event);
            let mut amendment = Amendment::new(&event);
            let place = self.model.find(&event);
            let whose = match (change.of, place) {
                (None, _) => None,
                // Either name of a customer of two serves.
                (Some(true), Some(place)) => Some(self.model.rows[place].name),
                _ => Some(NAMES[change.event % NAMES.len()]),
            };
            if let Some(name) = whose {
                amendment = amendment.of(identity(name));
            }
            for (attribute, value) in &change.values {
                amendment = match value_of(*attribute, *value) {
                    Some(value) => amendment.set(ATTRIBUTES[*attribute], value),
                    None => amendment.clear(ATTRIBUTES[*attribute]),
                };
            }
            amendments.push(amendment);
            let own = place.filter(|&place| {
                let shown = |name| self.model.shown(name, recorded);
                whose.is_none_or(|name| shown(name) == shown(self.model.rows[place].name))
            });
            let Some(place) = own else {
                expected.push("unknown");
                continue;
            };
            let last = &self.model.rows[place].versions.last().expect("has one").1;
            let values = became.entry(place).or_insert_with(|| last.clone());
            let before = values.clone();
            for (attribute, value) in &change.values {
                let name = ATTRIBUTES[*attribute].to_owned();
                match value_of(*attribute, *value) {
                    Some(value) => values.insert(name, value.as_ref().to_text()),
                    None => values.remove(&name),
                };
            }
            expected.push(if *values == before { "unchanged" } else { "changed" });
        }
        let corrections = self.db().amend(amendments).expect("amends");
        let found: Vec<&str> = corrections
            .events
            .iter()
            .map(|event| match event {
                Corrected::Unknown => "unknown",
                Corrected::Unchanged(_) => "unchanged",
                Corrected::Changed(_) => "changed",
            })
            .collect();
        // Where an event comes twice what is back where it was counts as changed.
        let twice = changes.iter().map(|change| change.event).collect::<BTreeSet<_>>().len() < changes.len();
        if !twice {
            assert_eq!(found, expected);
        }
        for (place, values) in became {
            let versions = &mut self.model.rows[place].versions;
            if versions.last().expect("has one").1 != values {
                versions.push((recorded, values));
            }
        }
    }

    fn redact(&mut self, event: usize, attributes: &[usize]) {
        self.tick();
        let event = format!("e{event}");
        let snapshot = self.db().snapshot();
        let known = |attribute: &&str| snapshot.schema().find(Subject::Interaction, attribute).is_some();
        let names: Vec<&str> = attributes.iter().map(|place| ATTRIBUTES[*place]).filter(known).collect();
        if names.is_empty() {
            let unknown = attributes.iter().map(|place| ATTRIBUTES[*place]);
            assert!(self.db().redact([Redaction::new(&event, unknown)]).is_err());
            return;
        }
        let corrections = self.db().redact([Redaction::new(&event, names.clone())]).expect("redacts");
        match self.model.find(&event) {
            None => assert_eq!(corrections.unknown(), 1),
            Some(place) => {
                assert_eq!(corrections.changed(), 1);
                for (_, values) in &mut self.model.rows[place].versions {
                    values.retain(|name, _| !names.contains(&&**name));
                }
            }
        }
    }

    fn link(&mut self, pair: usize, linked: bool) {
        let recorded = self.tick();
        let (one, other) = (identity(NAMES[pair * 2]), identity(NAMES[pair * 2 + 1]));
        match linked {
            true => self.db().link([Link::new(one, other).expect("are two")]).expect("links"),
            false => self.db().unlink(&one, &other, "test").expect("cuts"),
        };
        self.model.links.push((recorded, pair, linked));
    }

    fn compare(&self, context: &str) {
        let snapshot = self.db().snapshot();
        compare(&snapshot, &self.model.portrait(Millis::MAX), context);
        for &at in &self.commits {
            let then = snapshot.as_of(at).expect("reads");
            compare(&then, &self.model.portrait(at), &format!("{context}, as of {}", (at - START) / SECOND));
        }
        assert_eq!(self.db().check().expect("checks").problems, Vec::<String>::new(), "{context}");
    }
}

/// What an attribute is set to.
fn value_of(attribute: usize, value: u8) -> Option<OwnedValue> {
    Some(match (ATTRIBUTES[attribute], value) {
        (_, 0) => return None,
        ("resolved", value) => OwnedValue::Bool(value % 2 == 1),
        ("points", value) => OwnedValue::Int(i64::from(value)),
        (name, value) => OwnedValue::Str(format!("{name} {value}")),
    })
}

pub(super) fn shown(
    snapshot: &Snapshot,
    attr: AttrId,
    ty: AttrType,
    column: &Column,
    row: usize,
) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column {
        Column::Symbol { codes, dictionary } => {
            snapshot.symbols(attr).get(dictionary[codes[row] as usize - 1]).to_owned()
        }
        Column::Str { codes, dictionary } => dictionary.get(codes[row] as usize - 1).to_owned(),
        Column::Int { values, .. } if ty == AttrType::Bool => (values[row] == 1).to_string(),
        Column::Int { values, .. } => values[row].to_string(),
        Column::Float { values, .. } => values[row].to_string(),
    })
}

/// The journeys of blocks.
fn add(snapshot: &Snapshot, block: &crate::Block, out: &mut Portrait) {
    let event_id = snapshot.schema().role(Role::EventId).expect("core").id;
    for (place, &customer) in block.customers.iter().enumerate() {
        let rows = block.journey(place).map(|row| {
            let mut values = Values::new();
            let mut event = None;
            for (attr, column) in &block.columns {
                let Some(attribute) = snapshot.schema().get(*attr) else { continue };
                let Some(value) = shown(snapshot, *attr, attribute.ty, column, row) else { continue };
                if *attr == event_id {
                    event = Some(value);
                } else {
                    values.insert(attribute.name.clone(), value);
                }
            }
            let sequence = match block.column(AttrId::SEQUENCE) {
                Some(Column::Int { values, .. }) => values[row] as u64,
                _ => panic!("has a sequence"),
            };
            assert!(matches!(block.column(AttrId::IDENTITY), Some(Column::Int { values, .. }) if
                snapshot.identity_name(IdentityOrdinal(values[row] as u32)).is_ok()));
            (block.times[row], sequence, event, values)
        });
        let journey = rows.collect();
        let name = snapshot.customer_name(customer).expect("has a name");
        assert!(out.insert(name, journey).is_none());
    }
}

/// The journeys that a snapshot shows.
pub(super) fn journeys_of(snapshot: &Snapshot) -> Portrait {
    let mut attrs: Vec<AttrId> = snapshot.schema().attributes().iter().map(|known| known.id).collect();
    attrs.extend([AttrId::SEQUENCE, AttrId::IDENTITY]);
    let mut all = Portrait::new();
    for unit in 0..snapshot.units().len() {
        add(snapshot, &snapshot.read(unit, &attrs).expect("reads"), &mut all);
    }
    all
}

pub(super) fn compare(snapshot: &Snapshot, expected: &Portrait, context: &str) {
    let mut attrs: Vec<AttrId> = snapshot.schema().attributes().iter().map(|known| known.id).collect();
    attrs.extend([AttrId::SEQUENCE, AttrId::IDENTITY]);
    let (mut all, mut one_by_one) = (Portrait::new(), Portrait::new());
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    for unit in 0..snapshot.units().len() {
        let block = snapshot.read(unit, &attrs).expect("reads");
        add(snapshot, &block, &mut all);
        for &customer in &block.customers {
            names.insert(snapshot.customer_name(customer).expect("has a name"), customer);
            let (block, _) = snapshot.read_some(unit, &[customer].into(), &attrs).expect("reads");
            add(snapshot, &block, &mut one_by_one);
            // Fewer columns show the same rows.
            let (few, _) = snapshot.read_some(unit, &[customer].into(), &[]).expect("reads");
            assert_eq!((&few.times, few.columns.len()), (&block.times, 0), "{context}");
        }
    }
    assert_eq!(&all, expected, "{context}");
    assert_eq!(&one_by_one, expected, "{context}");
    let rows: Vec<&Shown> = expected.values().flatten().collect();
    assert_eq!(snapshot.interactions(), rows.len() as u64, "{context}");
    let exact = !snapshot.hides_later();
    let present: RoaringBitmap = names.values().copied().collect();
    assert!(
        if exact { &present == snapshot.present() } else { present.is_subset(snapshot.present()) },
        "{context}"
    );
    let topic = snapshot.schema().role(Role::Topic).expect("core").id;
    let topics = snapshot.symbols(topic);
    for symbol in 0..topics.len() as u32 {
        let value = topics.get(symbol);
        for n in 1..=3_u8 {
            let count = |journey: &[Shown]| {
                journey.iter().filter(|row| row.3.get("topic").is_some_and(|topic| topic == value)).count()
            };
            let having = expected.iter().filter(|(_, journey)| count(journey) >= usize::from(n));
            let having: RoaringBitmap = having.map(|(name, _)| names[name]).collect();
            let found = snapshot.at_least(topic, symbol, n).expect("counts");
            let sound = if exact { found == having } else { having.is_subset(&found) };
            assert!(sound, "{context}: {value} {n} times: {found:?}, not {having:?}");
        }
    }
    match snapshot.tally(topic, topic).expect("counts") {
        None => {}
        Some(cells) => {
            let cells: BTreeMap<Option<String>, u64> = (cells.iter())
                .map(|cell| (cell.symbols[0].map(|symbol| topics.get(symbol).to_owned()), cell.interactions))
                .collect();
            let mut counted: BTreeMap<Option<String>, u64> = BTreeMap::new();
            rows.iter().for_each(|row| *counted.entry(row.3.get("topic").cloned()).or_default() += 1);
            assert_eq!(cells, counted, "{context}");
        }
    }
    let times = rows.iter().map(|row| row.0);
    if exact {
        assert_eq!(snapshot.time_span().expect("reads"), times.clone().min().zip(times.max()), "{context}");
    }
}

#[derive(Clone, Debug)]
struct Row {
    name: usize,
    day: u8,
    topic: u8,
    named: bool,
}

#[derive(Clone, Debug)]
struct Change {
    event: usize,
    /// Whether the customer is named, and whether rightly.
    of: Option<bool>,
    values: Vec<(usize, u8)>,
}

#[derive(Clone, Debug)]
enum Step {
    Record(Vec<Row>, bool),
    Amend(Vec<Change>),
    Redact(usize, Vec<usize>),
    Link(usize, bool),
    Widen,
    Seal,
    Reopen,
    Rebuild,
}

fn rows(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Row>> {
    let row = (0..NAMES.len(), 0..4_u8, 0..4_u8, prop::bool::weighted(0.8));
    let row = row.prop_map(|(name, day, topic, named)| Row { name, day, topic, named });
    prop::collection::vec(row, count)
}

fn change() -> impl Strategy<Value = Change> {
    let values = prop::collection::vec((0..ATTRIBUTES.len(), 0..4_u8), 1..4);
    let of = prop_oneof![Just(None), Just(Some(true)), Just(Some(true)), Just(Some(false))];
    (0..60_usize, of, values).prop_map(|(event, of, values)| Change { event, of, values })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (rows(1..8), prop::bool::weighted(0.3)).prop_map(|(rows, import)| Step::Record(rows, import)),
        6 => prop::collection::vec(change(), 1..6).prop_map(Step::Amend),
        2 => (0..60_usize, prop::collection::vec(0..ATTRIBUTES.len(), 1..3))
            .prop_map(|(event, attributes)| Step::Redact(event, attributes)),
        2 => (0..NAMES.len() / 2, prop::bool::weighted(0.7)).prop_map(|(pair, linked)| Step::Link(pair, linked)),
        1 => Just(Step::Widen),
        4 => Just(Step::Seal),
        2 => Just(Step::Reopen),
        2 => Just(Step::Rebuild),
    ];
    prop::collection::vec(step, 1..16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn amended_interactions_are_what_a_list_of_versions_says(base in rows(1..90), steps in steps()) {
        let mut pair = Pair::new();
        pair.record(&base, false);
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Record(rows, import) => pair.record(rows, *import),
                Step::Amend(changes) => pair.amend(changes),
                Step::Redact(event, attributes) => pair.redact(*event, attributes),
                Step::Link(of, linked) => pair.link(*of, *linked),
                Step::Widen => {
                    pair.tick();
                    let mut import = pair.db().import("test").expect("begins");
                    for (name, ty) in [("points", AttrType::Float), ("note", AttrType::Text)] {
                        import.declare(Subject::Interaction, name, ty, None).expect("declares");
                    }
                    let mut batch = Batch::new(import.schema());
                    let name = NAMES[number % NAMES.len()];
                    let number = pair.model.rows.len();
                    batch.begin(&identity(name), START);
                    let event = format!("e{number}");
                    let event_id = import.schema().role(Role::EventId).expect("core").id;
                    batch.set(event_id, crate::ValueRef::Str(&event)).expect("sets");
                    import.push(batch).expect("pushes");
                    import.commit().expect("commits");
                    let recorded = *pair.commits.last().expect("there is one");
                    pair.model.rows.push(Plain {
                        name,
                        time: START,
                        sequence: 0,
                        event: Some(event),
                        recorded,
                        versions: vec![(recorded, Values::new())],
                    });
                }
                Step::Seal => pair.db().seal().expect("seals"),
                Step::Reopen => {
                    pair.db = None;
                    pair.db = Some(open(&pair.disk, &pair.hands));
                }
                Step::Rebuild => pair.db().rebuild().expect("rebuilds"),
            }
            pair.compare(&format!("after step {number}: {step:?}"));
        }
    }
}
