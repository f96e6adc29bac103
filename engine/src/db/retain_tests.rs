//! Interactions that are dropped for their age: none of them is left in any answer, and nothing else is
//! touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::link_tests::{NAMES, Portrait, START, identity, open_with, portrait_of};
use super::*;
use crate::amendments::{Amendment, Redaction};
use crate::batch::{Batch, ValueRef};
use crate::disk_sim::SimDisk;
use crate::guards::Guards;
use crate::links::Link;
use crate::model::Identity;
use crate::resolution::{Evidence, Known, Said, resolve};
use crate::retain::{Retain, RetainUnit};

pub(super) const DAY: Millis = 86_400_000;

pub(super) fn days(amount: u32) -> Retain {
    Retain::Last { amount, unit: RetainUnit::Days }
}

/// An interaction that is there, and when it was recorded.
#[derive(Clone, Debug)]
struct Row {
    number: i64,
    time: Millis,
    place: usize,
    recorded: Millis,
    /// Since when its topic is which.
    topics: Vec<(Millis, Option<u8>)>,
}

/// All that happened and was neither erased nor dropped.
#[derive(Default)]
struct Model {
    rows: Vec<Row>,
    /// What was said about pairs, and when.
    said: Vec<(Millis, Evidence)>,
    erased: BTreeSet<usize>,
    /// Before which time nothing is taken, and before which nothing was ever left.
    keeps_from: Option<Millis>,
    known_from: Option<Millis>,
}

impl Model {
    /// The customer of each name that something was said of, and what it is shown by.
    fn customers(&self, at: Millis) -> (BTreeMap<u32, u32>, BTreeMap<u32, u32>) {
        let guards = Guards::default();
        let said: Vec<Evidence> =
            self.said.iter().filter(|(of, _)| *of <= at).map(|(_, said)| *said).collect();
        let blocked = |place: u32| guards.blocks((&identity(place as usize)).into());
        let known = Known { text: &|place| NAMES[place as usize], blocked: &blocked };
        let resolved = resolve(&said, &known, &guards);
        (resolved.customers.into_iter().collect(), resolved.shown.into_iter().collect())
    }

    fn portrait(&self, at: Millis) -> Portrait {
        let (customers, shown) = self.customers(at);
        let mut out = Portrait::new();
        for row in self.rows.iter().filter(|row| row.recorded <= at) {
            let place = row.place as u32;
            let customer = customers.get(&place).copied().unwrap_or(place);
            let by = shown.get(&customer).copied().unwrap_or(customer);
            let journey = out.entry(NAMES[by as usize].to_owned()).or_default();
            journey.push((row.time, NAMES[row.place].to_owned()));
        }
        out.values_mut().for_each(|rows| rows.sort_by_key(|row| row.0));
        out
    }

    /// The topic of each interaction that has one, by its time.
    fn topics(&self, at: Millis) -> BTreeMap<Millis, String> {
        let topic = |row: &Row| {
            let known = row.topics.iter().rfind(|(since, _)| *since <= at);
            Some((row.time, format!("topic-{}", known?.1?)))
        };
        self.rows.iter().filter(|row| row.recorded <= at).filter_map(topic).collect()
    }

    fn span(&self, at: Millis) -> Option<(Millis, Millis)> {
        let times = || self.rows.iter().filter(|row| row.recorded <= at).map(|row| row.time);
        times().min().zip(times().max())
    }

    fn erase(&mut self, at: Millis, place: usize) {
        let (customers, _) = self.customers(at);
        let of = |place: usize| customers.get(&(place as u32)).copied().unwrap_or(place as u32);
        let gone: BTreeSet<usize> = (0..NAMES.len()).filter(|&other| of(other) == of(place)).collect();
        self.rows.retain(|row| !gone.contains(&row.place));
        let is_gone = |place: u32| gone.contains(&(place as usize));
        self.said.retain(|(_, said)| !is_gone(said.one) && !is_gone(said.other));
        self.erased.extend(gone);
    }

    /// Answers how many went.
    fn retain(&mut self, now: Millis, kept: Option<u32>) -> u64 {
        let before = self.rows.len();
        self.keeps_from = kept.map(|days| now - i64::from(days) * DAY);
        if let Some(from) = self.keeps_from {
            self.rows.retain(|row| row.time >= from);
        }
        self.known_from = self.known_from.max(self.keeps_from);
        (before - self.rows.len()) as u64
    }

    fn takes(&self, time: Millis) -> bool {
        self.keeps_from.is_none_or(|from| time >= from)
    }
}

/// An interaction of an import: whose, how many days ago, who else it carries, and how many days ago it
/// says that it was recorded.
type Imported = (usize, i64, Option<usize>, Option<i64>);

#[derive(Clone, Debug)]
enum Act {
    Append(Vec<(usize, i64)>),
    Import(Vec<Imported>),
    Link(usize, usize),
    Unlink(usize, usize),
    Erase(usize),
    Forgive(usize),
    Amend(i64, u8),
    Redact(i64),
    Retain(Option<u32>),
    Cohort,
    Seal,
    Reopen,
    Close,
    Rebuild,
    Vacuum,
}

fn act() -> impl Strategy<Value = Act> {
    let name = || 0..NAMES.len();
    let two = || (name(), name()).prop_filter("are two", |(one, other)| one != other);
    let imported =
        (name(), 0..60_i64, prop::option::weighted(0.3, name()), prop::option::weighted(0.3, 0..20_i64));
    prop_oneof![
        5 => prop::collection::vec((name(), 0..60_i64), 1..6).prop_map(Act::Append),
        4 => prop::collection::vec(imported, 1..8).prop_map(Act::Import),
        3 => two().prop_map(|(one, other)| Act::Link(one, other)),
        1 => two().prop_map(|(one, other)| Act::Unlink(one, other)),
        1 => name().prop_map(Act::Erase),
        1 => name().prop_map(Act::Forgive),
        4 => (0..40_i64, 0..4_u8).prop_map(|(number, topic)| Act::Amend(number, topic)),
        1 => (0..40_i64).prop_map(Act::Redact),
        5 => prop::option::weighted(0.85, 1..70_u32).prop_map(Act::Retain),
        1 => Just(Act::Cohort),
        2 => Just(Act::Seal),
        1 => Just(Act::Reopen),
        1 => Just(Act::Close),
        1 => Just(Act::Rebuild),
        2 => Just(Act::Vacuum),
    ]
}

/// The topic of each interaction that has one, by its time.
fn topics(snapshot: &Snapshot) -> BTreeMap<Millis, String> {
    let topic = snapshot.schema().role(crate::Role::Topic).expect("core").id;
    let symbols = snapshot.symbols(topic);
    let mut out = BTreeMap::new();
    for unit in 0..snapshot.units().len() {
        let block = snapshot.read(unit, &[topic]).expect("reads");
        let Some(crate::Column::Symbol { codes, dictionary }) = block.column(topic) else { continue };
        for (&code, &time) in codes.iter().zip(&block.times).filter(|(code, _)| **code > 0) {
            out.insert(time, symbols.get(dictionary[code as usize - 1]).to_owned());
        }
    }
    out
}

/// The customers in the order in which they come.
pub(super) fn order(db: &Db) -> Vec<String> {
    let snapshot = db.snapshot();
    snapshot.present().iter().map(|customer| snapshot.customer_name(customer).expect("has a name")).collect()
}

pub(super) fn cohort(db: &Db) -> Option<BTreeSet<String>> {
    let snapshot = db.snapshot();
    let customers = snapshot.cohort("all").expect("reads")?;
    Some(customers.iter().map(|customer| snapshot.customer_name(customer).expect("has a name")).collect())
}

pub(super) fn no_problems(db: &Db) {
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    /// A store that drops what is old answers as a list does, as of every time that it still knows.
    #[test]
    fn a_store_that_drops_answers_as_a_list_does(
        acts in prop::collection::vec(act(), 1..24),
        tail in prop_oneof![Just(1_000_usize), 1..12_usize],
    ) {
        let disk = SimDisk::new();
        let hands = Arc::new(AtomicI64::new(START));
        let open = |disk: &SimDisk| open_with(disk, tail, &hands);
        let mut db = open(&disk);
        let mut model = Model::default();
        let (mut numbered, mut taken) = (0, BTreeSet::new());
        for (step, act) in acts.iter().enumerate() {
            let now = hands.fetch_add(DAY, Ordering::Relaxed) + DAY;
            // No two rows are of one time. The first of a day is of the very instant that may be a cutoff.
            let mut time = |days: i64| {
                numbered += 1;
                let instant = now - days * DAY;
                (numbered, if taken.insert(instant) { instant } else { instant - 1_000_000 + numbered })
            };
            let event = |number: i64| format!("e{number}");
            match act {
                Act::Append(rows) => {
                    let rows: Vec<_> = rows.iter().map(|&(place, days)| (place, time(days))).collect();
                    let made = rows.iter().map(|&(place, (number, time))| {
                        Interaction::new(NAMES[place], time).kind("call").topic("topic-0").event_id(&event(number))
                    });
                    let commit = db.append(made).expect("appends");
                    let (mut expired, mut erased, before) = (0, 0, model.rows.len());
                    for (place, (number, time)) in rows {
                        match (model.takes(time), model.erased.contains(&place)) {
                            (false, _) => expired += 1,
                            (true, true) => erased += 1,
                            (true, false) => {
                                let topics = vec![(Millis::MIN, Some(0))];
                                model.rows.push(Row { number, time, place, recorded: now, topics });
                            }
                        }
                    }
                    let added = (model.rows.len() - before) as u64;
                    prop_assert_eq!((commit.added, commit.expired, commit.erased), (added, expired, erased));
                }
                Act::Import(rows) => {
                    let mut import = db.import("test").expect("begins");
                    let role = |role| import.schema().role(role).expect("core").id;
                    let (kind, key) = (role(crate::Role::Kind), role(crate::Role::EventId));
                    let mut batch = Batch::new(import.schema());
                    let guards = Guards::default();
                    let mut expired = 0;
                    for &(one, days, other, ago) in rows {
                        let both = [Some(one), other].into_iter().flatten();
                        let ids: Vec<Identity> = both.clone().map(identity).collect();
                        let primary = guards.primary(ids.iter().map(Into::into)).expect("has one");
                        let place = both.clone().find(|&place| NAMES[place] == primary.as_str()).expect("is one");
                        let ((number, time), recorded) = (time(days), ago.map(|days| now - days * DAY));
                        batch.begin(&identity(one), time);
                        recorded.into_iter().for_each(|at| batch.recorded(at));
                        if let Some(other) = other {
                            batch.also((&identity(other)).into()).expect("carries it");
                        }
                        batch.set(kind, ValueRef::Str("call")).expect("sets");
                        batch.set(key, ValueRef::Str(&event(number))).expect("sets");
                        if !model.takes(time) {
                            expired += 1;
                            continue;
                        }
                        if !model.erased.contains(&place) {
                            let (recorded, topics) = (recorded.unwrap_or(now), vec![(Millis::MIN, None)]);
                            model.rows.push(Row { number, time, place, recorded, topics });
                        }
                        if let Some(other) = other.filter(|&other| other != one)
                            && !model.erased.contains(&one) && !model.erased.contains(&other)
                        {
                            let (one, other) = (one as u32, other as u32);
                            model.said.push((now, Evidence { one, other, said: Said::Row, confidence: 0 }));
                        }
                    }
                    import.push(batch).expect("takes");
                    prop_assert_eq!(import.commit().expect("commits").expired, expired);
                }
                &Act::Link(one, other) => {
                    let link = Link::new(identity(one), identity(other)).expect("are two");
                    if db.link([link]).is_ok() {
                        let (one, other) = (one as u32, other as u32);
                        model.said.push((now, Evidence { one, other, said: Said::Link, confidence: 1_000 }));
                    }
                }
                &Act::Unlink(one, other) => {
                    if db.unlink(&identity(one), &identity(other), "").is_ok() {
                        let (one, other) = (one as u32, other as u32);
                        model.said.push((now, Evidence { one, other, said: Said::Cut, confidence: 0 }));
                    }
                }
                &Act::Erase(place) => {
                    if db.erase(&identity(place)).expect("erases").identities > 0 {
                        model.erase(now, place);
                    }
                }
                &Act::Forgive(place) => {
                    db.forgive(&identity(place)).expect("forgives");
                    let still = |db: &Db, place: &usize| db.writer.lock().state.is_kept_out(NAMES[*place]);
                    model.erased.retain(|place| still(&db, place));
                }
                &Act::Amend(number, topic) => {
                    let row = model.rows.iter_mut().find(|row| row.number == number);
                    let amendment = Amendment::new(event(number)).set("topic", format!("topic-{topic}").as_str());
                    let corrections = db.amend([amendment]).expect("amends");
                    prop_assert_eq!(corrections.unknown(), u64::from(row.is_none()), "{}", number);
                    row.into_iter().for_each(|row| row.topics.push((now, Some(topic))));
                }
                &Act::Redact(number) => {
                    let row = model.rows.iter_mut().find(|row| row.number == number);
                    let corrections = db.redact([Redaction::new(event(number), ["topic"])]).expect("redacts");
                    prop_assert_eq!(corrections.unknown(), u64::from(row.is_none()));
                    row.into_iter().for_each(|row| row.topics = vec![(Millis::MIN, None)]);
                }
                &Act::Retain(kept) => {
                    let dropping = db.retain(kept.map_or(Retain::Forever, days)).expect("drops");
                    let interactions = model.retain(now, kept);
                    prop_assert_eq!((dropping.cutoff, dropping.interactions), (model.keeps_from, interactions));
                }
                Act::Cohort => {
                    let present = db.snapshot().present().clone();
                    db.save_cohort("all", &present).expect("saves");
                }
                Act::Seal => db.seal().expect("seals"),
                Act::Reopen => { drop(db); db = open(&disk); }
                Act::Close => { db.close().expect("closes"); db = open(&disk); }
                Act::Rebuild => {
                    let before = (order(&db), cohort(&db));
                    db.rebuild().expect("rebuilds");
                    prop_assert_eq!((order(&db), cohort(&db)), before);
                }
                Act::Vacuum => {
                    let before = (order(&db), cohort(&db));
                    db.vacuum().expect("vacuums");
                    prop_assert_eq!(cohort(&db), before.1);
                    // Who came back comes later than before, and so does who was first named in a link to
                    // somebody who was erased.
                    if !acts.iter().any(|act| matches!(act, Act::Erase(_) | Act::Forgive(_))) {
                        prop_assert_eq!(order(&db), before.0);
                    }
                }
            }
            let snapshot = db.snapshot();
            prop_assert_eq!(portrait_of(&snapshot), model.portrait(now), "after {:?}", act);
            prop_assert_eq!(snapshot.time_span().expect("reads"), model.span(now));
            prop_assert_eq!(topics(&snapshot), model.topics(now), "after {:?}", act);
            let retention = snapshot.retention();
            prop_assert_eq!(retention.and_then(|retention| retention.keeps_from), model.keeps_from);
            prop_assert_eq!(retention.and_then(|retention| retention.known_from), model.known_from);
            for earlier in (0..=step).rev() {
                let at = START + DAY * (earlier as i64 + 1);
                if model.known_from.is_some_and(|from| at < from) {
                    let error = snapshot.as_of(at).expect_err("is not known any more").to_string();
                    prop_assert!(error.contains("cannot be told any more"), "{}", error);
                    continue;
                }
                let then = snapshot.as_of(at).expect("reads");
                prop_assert_eq!(portrait_of(&then), model.portrait(at), "of {} after {:?}", earlier, act);
                prop_assert_eq!(then.time_span().expect("reads"), model.span(at), "of {}", earlier);
                prop_assert_eq!(topics(&then), model.topics(at), "of {} after {:?}", earlier, act);
            }
            no_problems(&db);
        }
        drop(db);
        let db = open(&disk);
        prop_assert_eq!(portrait_of(&db.snapshot()), model.portrait(hands.load(Ordering::Relaxed)));
        no_problems(&db);
    }
}
