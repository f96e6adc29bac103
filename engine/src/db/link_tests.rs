//! Who is one customer, by what was said, whatever happened in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::Column;
use crate::clock::Clock;
use crate::disk_sim::SimDisk;
use crate::guards::Guards;
use crate::links::Link;
use crate::model::{Identity, IdentityOrdinal};
use crate::resolution::{Evidence, Known, Resolved, Said, resolve};
use crate::schema::AttrId;

pub(super) const NAMES: [&str; 10] = [
    "phone:1",
    "crm:1",
    "email:a@b",
    "crm:2",
    "phone:2",
    "device:7",
    "crm:unknown",
    "email:c@d",
    "device:8",
    "crm:3",
];

pub(super) fn identity(place: usize) -> Identity {
    Identity::parse(NAMES[place]).expect("parses")
}

pub(super) fn open(disk: &SimDisk) -> Db {
    open_with(disk, 1_000, &Arc::new(AtomicI64::new(START)))
}

/// The first of January 2026.
pub(super) const START: Millis = 1_767_225_600_000;

pub(super) fn open_with(disk: &SimDisk, tail_interactions: usize, hands: &Arc<AtomicI64>) -> Db {
    let hands = Arc::clone(hands);
    let clock = Clock::of(move || hands.load(Ordering::Relaxed));
    let options = Options { memory_bytes: 1 << 20, tail_interactions, clock, ..Options::default() };
    Db::open_on(Arc::new(disk.clone()), options).expect("opens")
}

/// Each customer by the name it is shown by: what came under which identity, in order.
pub(super) type Portrait = BTreeMap<String, Vec<(Millis, String)>>;

pub(super) fn portrait(db: &Db) -> Portrait {
    portrait_of(&db.snapshot())
}

pub(super) fn portrait_of(snapshot: &Snapshot) -> Portrait {
    let mut out = Portrait::new();
    let mut present = RoaringBitmap::new();
    for unit in 0..snapshot.units().len() {
        let block = snapshot.read(unit, &[AttrId::IDENTITY]).expect("reads");
        let Some(Column::Int { values, .. }) = block.column(AttrId::IDENTITY) else { continue };
        for (place, &customer) in block.customers.iter().enumerate() {
            present.insert(customer);
            let rows = block.journey(place).map(|row| {
                let of = IdentityOrdinal(values[row] as u32);
                let name = snapshot.identity_name(of).expect("has a name");
                let parsed = Identity::parse(&name).expect("parses");
                assert_eq!(snapshot.resolve(&parsed).expect("reads"), Some(customer), "{name}");
                (block.times[row], name)
            });
            let rows = rows.collect();
            assert!(out.insert(snapshot.customer_name(customer).expect("has a name"), rows).is_none());
        }
    }
    let rows = out.values().map(|rows| rows.len() as u64).sum::<u64>();
    assert_eq!(rows, snapshot.interactions());
    // Of what was recorded later something may shine through where only customers are counted.
    if snapshot.hides_later() {
        assert!(present.is_subset(snapshot.present()));
    } else {
        assert_eq!(&present, snapshot.present());
    }
    let kind = snapshot.schema().role(crate::Role::Kind).expect("core").id;
    if let Some(call) = snapshot.symbols(kind).find("call") {
        let calls = snapshot.at_least(kind, call, 1).expect("reads");
        assert!(present.is_subset(&calls) && (snapshot.hides_later() || calls == present));
        let active = snapshot.active(0, Millis::MAX).expect("reads");
        assert!(present.is_subset(&active));
        // One by one as all at once, and of two columns as of all.
        for customer in &present {
            let unit = snapshot.units().iter().position(|unit| (unit.first..=unit.last).contains(&customer));
            let unit = unit.expect("lies in a unit");
            let one: RoaringBitmap = [customer].into();
            let (block, _) = snapshot.read_some(unit, &one, &[AttrId::IDENTITY, kind]).expect("reads");
            let name = snapshot.customer_name(customer).expect("has a name");
            assert_eq!(
                Some(&block.times),
                out.get(&name).map(|rows| rows.iter().map(|row| row.0).collect()).as_ref()
            );
        }
        if let Some(tally) = snapshot.tally(kind, kind).expect("reads") {
            assert_eq!(tally.iter().map(|cell| cell.interactions).sum::<u64>(), rows);
        }
    }
    out
}

/// What happened, in lists.
#[derive(Default)]
pub(super) struct Model {
    pub rows: Vec<(Millis, usize)>,
    pub said: Vec<Evidence>,
    pub guards: Guards,
}

impl Model {
    pub(super) fn resolved(&self) -> Resolved {
        let blocked = |place: u32| self.guards.blocks((&identity(place as usize)).into());
        let known = Known { text: &|place| NAMES[place as usize], blocked: &blocked };
        resolve(&self.said, &known, &self.guards)
    }

    pub(super) fn portrait(&self) -> Portrait {
        let resolved = self.resolved();
        let shown: BTreeMap<u32, u32> = resolved.shown.iter().copied().collect();
        let mut out = Portrait::new();
        for &(time, place) in &self.rows {
            let customer = resolved.customer(place as u32);
            let by = shown.get(&customer).copied().unwrap_or(customer);
            let journey = out.entry(NAMES[by as usize].to_owned()).or_default();
            journey.push((time, NAMES[place].to_owned()));
        }
        out.values_mut().for_each(|rows| rows.sort_by_key(|row| row.0));
        out
    }
}

#[derive(Clone, Debug)]
enum Act {
    Append(Vec<usize>),
    Import(Vec<usize>),
    Link(Vec<(usize, usize, u16)>),
    Unlink(usize, usize),
    Guard(u32, u32),
    Seal,
    Reopen,
    Close,
    Rebuild,
}

fn act() -> impl Strategy<Value = Act> {
    let name = || 0..NAMES.len();
    let link = (name(), name(), 1..4_u16).prop_filter("are two", |(one, other, _)| one != other);
    prop_oneof![
        4 => prop::collection::vec(name(), 1..6).prop_map(Act::Append),
        2 => prop::collection::vec(name(), 1..6).prop_map(Act::Import),
        4 => prop::collection::vec(link, 1..4).prop_map(Act::Link),
        2 => (name(), name()).prop_filter("are two", |(one, other)| one != other)
            .prop_map(|(one, other)| Act::Unlink(one, other)),
        1 => (1..3_u32, 1..5_u32).prop_map(|(limit, hub)| Act::Guard(limit, hub)),
        2 => Just(Act::Seal),
        1 => Just(Act::Reopen),
        1 => Just(Act::Close),
        1 => Just(Act::Rebuild),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn customers_are_what_all_that_was_said_makes_them(
        acts in prop::collection::vec(act(), 1..24),
        // Few are sealed in between, and a replay of more is sorted outside of memory.
        tail in prop_oneof![Just(1_000_usize), 1..12_usize],
    ) {
        let disk = SimDisk::new();
        let hands = Arc::new(AtomicI64::new(START));
        let open = |disk: &SimDisk| open_with(disk, tail, &hands);
        let mut known: Vec<(Millis, Portrait)> = vec![(START - 1, Portrait::new())];
        let mut db = open(&disk);
        let mut model = Model::default();
        let mut time = 1_000;
        for act in acts {
            hands.fetch_add(10, Ordering::Relaxed);
            let append = |time: &mut Millis, names: &[usize]| -> Vec<(Millis, usize)> {
                let next = |&name| { *time += 1_000; (*time, name) };
                names.iter().map(next).collect()
            };
            match &act {
                Act::Append(names) => {
                    let rows = append(&mut time, names);
                    let rows_of = rows.iter().map(|&(time, name)| Interaction::new(NAMES[name], time).kind("call"));
                    db.append(rows_of).expect("appends");
                    model.rows.extend(rows);
                }
                Act::Import(names) => {
                    let rows = append(&mut time, names);
                    let mut import = db.import("test").expect("begins");
                    let kind = import.schema().role(crate::Role::Kind).expect("core").id;
                    let mut batch = crate::Batch::new(import.schema());
                    for &(time, name) in &rows {
                        batch.begin(&identity(name), time);
                        batch.set(kind, crate::ValueRef::Str("call")).expect("sets");
                    }
                    import.push(batch).expect("takes");
                    import.commit().expect("commits");
                    model.rows.extend(rows);
                }
                Act::Link(links) => {
                    let made = links.iter().map(|&(one, other, sure)| {
                        let link = Link::new(identity(one), identity(other)).expect("are two");
                        link.with_confidence(f64::from(sure) / 4.0).expect("is one")
                    });
                    let commit = db.link(made).expect("links");
                    prop_assert_eq!(commit.links, links.len() as u64);
                    model.said.extend(links.iter().map(|&(one, other, sure)| Evidence {
                        one: one as u32, other: other as u32, said: Said::Link, confidence: sure * 250,
                    }));
                }
                &Act::Unlink(one, other) => {
                    db.unlink(&identity(one), &identity(other), "test").expect("unlinks");
                    let said = Said::Cut;
                    model.said.push(Evidence { one: one as u32, other: other as u32, said, confidence: 0 });
                }
                &Act::Guard(limit, hub) => {
                    let guards = Guards::default().with_other_limit(limit).and_then(|some| some.with_hub_links(hub));
                    model.guards = guards.expect("are rules");
                    db.set_guards(&model.guards).expect("sets");
                }
                Act::Seal => db.seal().expect("seals"),
                Act::Reopen => { drop(db); db = open(&disk); }
                Act::Close => { db.close().expect("closes"); db = open(&disk); }
                Act::Rebuild => db.rebuild().expect("rebuilds"),
            }
            prop_assert_eq!(portrait(&db), model.portrait(), "after {:?}", act);
            known.push((hands.load(Ordering::Relaxed), model.portrait()));
            // As it was known at some instants, whatever came since.
            let snapshot = db.snapshot();
            for (at, portrait) in known.iter().rev().skip(1).step_by(3) {
                let then = snapshot.as_of(*at).expect("reads");
                prop_assert_eq!(&portrait_of(&then), portrait, "of {} after {:?}", at - START, act);
                let again = then.as_of(known[0].0).expect("reads");
                prop_assert_eq!(portrait_of(&again), Portrait::new());
            }
        }
        prop_assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
    }
}

pub(super) fn names(db: &Db) -> BTreeSet<String> {
    portrait(db).into_keys().collect()
}

pub(super) fn link(one: &str, other: &str) -> Link {
    Link::new(Identity::parse(one).expect("parses"), Identity::parse(other).expect("parses"))
        .expect("are two")
}

#[test]
fn a_reader_that_began_before_a_link_ends_with_what_it_saw() {
    let db = open(&SimDisk::new());
    let calls = ["phone:1", "crm:1"].map(|name| Interaction::new(name, 1_000).kind("call"));
    db.append(calls).expect("appends");
    db.seal().expect("seals");
    let before = db.snapshot();
    db.link([link("crm:1", "phone:1")]).expect("links");
    db.seal().expect("seals");
    assert_eq!(before.customers(), 2);
    for customer in 0..2 {
        assert_eq!(
            before.customer_name(customer).expect("has a name"),
            ["phone:1", "crm:1"][customer as usize]
        );
    }
    assert_eq!(before.read(0, &[]).expect("reads").customers, [0, 1]);
    assert_eq!(names(&db), ["crm:1".to_owned()].into());
    db.unlink(
        &Identity::parse("phone:1").expect("parses"),
        &Identity::parse("crm:1").expect("parses"),
        "ann",
    )
    .expect("unlinks");
    assert_eq!(names(&db), ["crm:1".to_owned(), "phone:1".to_owned()].into());
}

#[test]
fn what_is_said_of_nobody_known_counts_once_they_come() {
    let db = open(&SimDisk::new());
    db.link([link("crm:1", "phone:1"), link("phone:1", "device:7")]).expect("links");
    assert_eq!(db.snapshot().customers(), 0);
    db.append([Interaction::new("device:7", 1_000).kind("call")]).expect("appends");
    assert_eq!(names(&db), ["crm:1".to_owned()].into());
    assert_eq!(db.link([]).expect("says nothing").links, 0);
}
