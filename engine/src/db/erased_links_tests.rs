//! Customers of several identities who are erased, and perhaps come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::link_tests::{NAMES, Portrait, START, identity, open_with, portrait_of};
use super::*;
use crate::disk_sim::SimDisk;
use crate::guards::Guards;
use crate::links::Link;
use crate::model::Identity;
use crate::resolution::{Evidence, Known, Said, resolve};

/// All that happened and was not erased, each with the step that it came by.
#[derive(Default)]
struct Model {
    rows: Vec<(usize, Millis, usize)>,
    said: Vec<(usize, Evidence)>,
    guards: Vec<(usize, Guards)>,
    erased: BTreeSet<usize>,
}

impl Model {
    /// The customer of each name that something was said of, and what it is shown by, by a step.
    fn customers(&self, step: usize) -> (BTreeMap<u32, u32>, BTreeMap<u32, u32>) {
        let usual = Guards::default();
        let guards = self.guards.iter().rfind(|(of, _)| *of <= step).map_or(&usual, |(_, guards)| guards);
        let said: Vec<Evidence> =
            self.said.iter().filter(|(of, _)| *of <= step).map(|(_, said)| *said).collect();
        let blocked = |place: u32| guards.blocks((&identity(place as usize)).into());
        let known = Known { text: &|place| NAMES[place as usize], blocked: &blocked };
        let resolved = resolve(&said, &known, guards);
        (resolved.customers.into_iter().collect(), resolved.shown.into_iter().collect())
    }

    fn portrait(&self, step: usize) -> Portrait {
        let (customers, shown) = self.customers(step);
        let mut out = Portrait::new();
        for &(_, time, place) in self.rows.iter().filter(|(of, ..)| *of <= step) {
            let customer = customers.get(&(place as u32)).copied().unwrap_or(place as u32);
            let by = shown.get(&customer).copied().unwrap_or(customer);
            let journey = out.entry(NAMES[by as usize].to_owned()).or_default();
            journey.push((time, NAMES[place].to_owned()));
        }
        out.values_mut().for_each(|rows| rows.sort_by_key(|row| row.0));
        out
    }

    fn erase(&mut self, step: usize, place: usize) {
        let (customers, _) = self.customers(step);
        let of = |place: usize| customers.get(&(place as u32)).copied().unwrap_or(place as u32);
        let gone: BTreeSet<usize> = (0..NAMES.len()).filter(|&other| of(other) == of(place)).collect();
        self.rows.retain(|(_, _, place)| !gone.contains(place));
        let is_gone = |place: u32| gone.contains(&(place as usize));
        self.said.retain(|(_, said)| !is_gone(said.one) && !is_gone(said.other));
        self.erased.extend(gone);
    }
}

#[derive(Clone, Debug)]
enum Act {
    Append(Vec<usize>),
    Import(Vec<(usize, Option<usize>)>, bool),
    Link(usize, usize),
    Unlink(usize, usize),
    Hubs(u32),
    Erase(usize),
    Forgive(usize),
    Seal,
    Reopen,
    Close,
    Rebuild,
    Vacuum,
}

fn act() -> impl Strategy<Value = Act> {
    let name = || 0..NAMES.len();
    let two = || (name(), name()).prop_filter("are two", |(one, other)| one != other);
    prop_oneof![
        4 => prop::collection::vec(name(), 1..6).prop_map(Act::Append),
        3 => (prop::collection::vec((name(), prop::option::of(name())), 1..5), prop::bool::weighted(0.3))
            .prop_map(|(rows, back)| Act::Import(rows, back)),
        4 => two().prop_map(|(one, other)| Act::Link(one, other)),
        1 => two().prop_map(|(one, other)| Act::Unlink(one, other)),
        1 => (1..4_u32).prop_map(Act::Hubs),
        3 => name().prop_map(Act::Erase),
        1 => name().prop_map(Act::Forgive),
        2 => Just(Act::Seal),
        1 => Just(Act::Reopen),
        1 => Just(Act::Close),
        1 => Just(Act::Rebuild),
        2 => Just(Act::Vacuum),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn who_is_erased_leaves_nothing_that_was_said(
        acts in prop::collection::vec(act(), 1..24),
        tail in prop_oneof![Just(1_000_usize), 1..12_usize],
    ) {
        let disk = SimDisk::new();
        let hands = Arc::new(AtomicI64::new(START));
        let open = |disk: &SimDisk| open_with(disk, tail, &hands);
        let mut db = open(&disk);
        let mut model = Model::default();
        let mut time = 1_000;
        for (step, act) in acts.iter().enumerate() {
            hands.fetch_add(10, Ordering::Relaxed);
            let mut row = |name: usize| { time += 1_000; (step, time, name) };
            match act {
                Act::Append(names) => {
                    let rows: Vec<_> = names.iter().map(|&name| row(name)).collect();
                    let made = rows.iter().map(|&(_, time, name)| Interaction::new(NAMES[name], time).kind("call"));
                    let commit = db.append(made).expect("appends");
                    let kept: Vec<_> = rows.iter().filter(|row| !model.erased.contains(&row.2)).copied().collect();
                    prop_assert_eq!((commit.added, commit.erased), (kept.len() as u64, (rows.len() - kept.len()) as u64));
                    model.rows.extend(kept);
                }
                Act::Import(rows, back) => {
                    let mut import = db.import("test").expect("begins");
                    if *back {
                        import.bring_back();
                    }
                    let kind = import.schema().role(crate::Role::Kind).expect("core").id;
                    let mut batch = crate::Batch::new(import.schema());
                    let guards = model.guards.last().map(|(_, guards)| guards.clone()).unwrap_or_default();
                    for &(one, other) in rows {
                        let both = [Some(one), other].into_iter().flatten();
                        let ids: Vec<Identity> = both.clone().map(identity).collect();
                        let primary = guards.primary(ids.iter().map(Into::into)).expect("has one");
                        let primary = both.clone().find(|&place| NAMES[place] == primary.as_str()).expect("is one");
                        let made = row(primary);
                        batch.begin(&identity(one), made.1);
                        if let Some(other) = other {
                            batch.also((&identity(other)).into()).expect("carries it");
                        }
                        batch.set(kind, crate::ValueRef::Str("call")).expect("sets");
                        if *back {
                            both.for_each(|place| { model.erased.remove(&place); });
                        }
                        if !model.erased.contains(&primary) {
                            model.rows.push(made);
                        }
                        if let Some(other) = other.filter(|&other| other != one)
                            && !model.erased.contains(&one) && !model.erased.contains(&other)
                        {
                            let (one, other) = (one as u32, other as u32);
                            model.said.push((step, Evidence { one, other, said: Said::Row, confidence: 0 }));
                        }
                    }
                    import.push(batch).expect("takes");
                    import.commit().expect("commits");
                }
                &Act::Link(one, other) => {
                    let link = Link::new(identity(one), identity(other)).expect("are two");
                    match model.erased.contains(&one) || model.erased.contains(&other) {
                        true => prop_assert!(db.link([link]).expect_err("is refused").to_string().contains("was erased")),
                        false => {
                            db.link([link]).expect("links");
                            let (one, other) = (one as u32, other as u32);
                            model.said.push((step, Evidence { one, other, said: Said::Link, confidence: 1_000 }));
                        }
                    }
                }
                &Act::Unlink(one, other) => {
                    if db.unlink(&identity(one), &identity(other), "").is_ok() {
                        let (one, other) = (one as u32, other as u32);
                        model.said.push((step, Evidence { one, other, said: Said::Cut, confidence: 0 }));
                    }
                }
                &Act::Hubs(hubs) => {
                    let guards = Guards::default().with_hub_links(hubs).expect("is a rule");
                    db.set_guards(&guards).expect("sets");
                    model.guards.push((step, guards));
                }
                &Act::Erase(place) => {
                    let erasure = db.erase(&identity(place)).expect("erases");
                    let knows = |(_, said): &(usize, Evidence)| [said.one, said.other].contains(&(place as u32));
                    let known = model.rows.iter().any(|row| row.2 == place) || model.said.iter().any(knows);
                    // A name that was met is known until a vacuum, also where nothing is left of what was said.
                    prop_assert!(erasure.identities > 0 || !known);
                    if erasure.identities > 0 {
                        model.erase(step, place);
                    }
                }
                &Act::Forgive(place) => {
                    db.forgive(&identity(place)).expect("forgives");
                    // With those who were erased with it; none of them has anything.
                    let still = |db: &Db, place: &usize| db.writer.lock().state.is_kept_out(NAMES[*place]);
                    prop_assert!(!still(&db, &place));
                    model.erased.retain(|place| still(&db, place));
                }
                Act::Seal => db.seal().expect("seals"),
                Act::Reopen => { drop(db); db = open(&disk); }
                Act::Close => { db.close().expect("closes"); db = open(&disk); }
                Act::Rebuild => db.rebuild().expect("rebuilds"),
                Act::Vacuum => { db.vacuum().expect("vacuums"); }
            }
            let snapshot = db.snapshot();
            prop_assert_eq!(portrait_of(&snapshot), model.portrait(step), "after {:?}", act);
            for earlier in (0..step).rev().step_by(3) {
                let at = START + 10 * (earlier as i64 + 1);
                let then = snapshot.as_of(at).expect("reads");
                prop_assert_eq!(portrait_of(&then), model.portrait(earlier), "of {} after {:?}", earlier, act);
            }
        }
        prop_assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
    }
}
