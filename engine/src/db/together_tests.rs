//! All that a store is told, in any order: rows, links, cuts, erasures, amendments and redactions, beside
//! plain lists of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::amend_tests::{Portrait, Values, compare, journeys_of};
use super::link_tests::{NAMES, START, identity, open_with};
use super::*;
use crate::amendments::{Amendment, Corrected, Redaction};
use crate::batch::Batch;
use crate::disk_sim::SimDisk;
use crate::guards::Guards;
use crate::links::Link;
use crate::resolution::{Evidence, Known, Said, resolve};
use crate::schema::Role;

/// What is amended.
const ATTRIBUTES: [&str; 2] = ["topic", "text"];

#[derive(Clone, Debug)]
struct Plain {
    /// Which of all rows that ever came.
    number: usize,
    place: usize,
    /// Since which step it is seen.
    seen: usize,
    /// Since which step each version is current; the first one is since ever.
    versions: Vec<(usize, Values)>,
}

/// All that happened and was not erased, each with the step that it came by.
#[derive(Default)]
struct Model {
    rows: Vec<Plain>,
    said: Vec<(usize, Evidence)>,
    erased: BTreeSet<usize>,
    /// Of each row that ever came, whose it is.
    numbers: Vec<usize>,
}

fn event(number: usize) -> String {
    format!("e{number}")
}

fn time(number: usize) -> Millis {
    // Some at the same time.
    1_000 * (number as i64 / 2)
}

fn values(number: usize) -> Values {
    let values = [("topic", format!("topic {}", number % 3)), ("text", format!("words {number}"))];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Model {
    /// The customer of each name that something was said of, and what it is shown by, by a step.
    fn customers(&self, step: usize) -> (BTreeMap<u32, u32>, BTreeMap<u32, u32>) {
        let guards = Guards::default();
        let said: Vec<Evidence> =
            self.said.iter().filter(|(of, _)| *of <= step).map(|(_, said)| *said).collect();
        let blocked = |place: u32| guards.blocks((&identity(place as usize)).into());
        let known = Known { text: &|place| NAMES[place as usize], blocked: &blocked };
        let resolved = resolve(&said, &known, &guards);
        (resolved.customers.into_iter().collect(), resolved.shown.into_iter().collect())
    }

    /// What is seen as of a step, of rows for which `of` holds.
    fn portrait(&self, step: usize, of: &dyn Fn(&Plain) -> bool) -> Portrait {
        let (customers, shown) = self.customers(step);
        let mut out = Portrait::new();
        for row in self.rows.iter().filter(|row| row.seen <= step && of(row)) {
            let customer = customers.get(&(row.place as u32)).copied().unwrap_or(row.place as u32);
            let by = shown.get(&customer).copied().unwrap_or(customer);
            let version = row.versions.iter().rfind(|version| version.0 <= step);
            let (_, values) = version.or(row.versions.first()).expect("has one");
            let shown = (time(row.number), 0, Some(event(row.number)), values.clone());
            out.entry(NAMES[by as usize].to_owned()).or_default().push(shown);
        }
        out.values_mut().for_each(|rows| rows.sort());
        out
    }

    fn row(&mut self, number: usize) -> Option<&mut Plain> {
        self.rows.iter_mut().find(|row| row.number == number)
    }

    fn erase(&mut self, step: usize, place: usize) {
        let (customers, _) = self.customers(step);
        let of = |place: usize| customers.get(&(place as u32)).copied().unwrap_or(place as u32);
        let gone: BTreeSet<usize> = (0..NAMES.len()).filter(|&other| of(other) == of(place)).collect();
        self.rows.retain(|row| !gone.contains(&row.place));
        let is_gone = |place: u32| gone.contains(&(place as usize));
        self.said.retain(|(_, said)| !is_gone(said.one) && !is_gone(said.other));
        self.erased.extend(gone);
    }
}

#[derive(Clone, Debug)]
enum Act {
    Append(Vec<usize>),
    /// Rows of their own and other names, how many steps earlier they were recorded, and of the first rows
    /// some again; whether who was erased is brought back.
    Import(Vec<(usize, Option<usize>, Option<usize>)>, Vec<usize>, bool),
    Link(usize, usize),
    Unlink(usize, usize),
    /// Of each row which attribute gets which value, and whether the customer is named.
    Amend(Vec<(usize, usize, u8, bool)>),
    Redact(usize, usize),
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
    let row = (name(), prop::option::weighted(0.3, name()), prop::option::weighted(0.3, 0..6_usize));
    let change = (0..40_usize, 0..ATTRIBUTES.len(), 0..4_u8, any::<bool>());
    prop_oneof![
        4 => prop::collection::vec(name(), 1..6).prop_map(Act::Append),
        3 => (
            prop::collection::vec(row, 1..5),
            prop::collection::vec(0..40_usize, 0..4),
            prop::bool::weighted(0.4),
        )
            .prop_map(|(rows, again, back)| Act::Import(rows, again, back)),
        4 => two().prop_map(|(one, other)| Act::Link(one, other)),
        1 => two().prop_map(|(one, other)| Act::Unlink(one, other)),
        8 => prop::collection::vec(change, 1..5).prop_map(Act::Amend),
        2 => (0..40_usize, 0..ATTRIBUTES.len()).prop_map(|(number, attr)| Act::Redact(number, attr)),
        2 => name().prop_map(Act::Erase),
        1 => name().prop_map(Act::Forgive),
        2 => Just(Act::Seal),
        1 => Just(Act::Reopen),
        1 => Just(Act::Close),
        1 => Just(Act::Rebuild),
        2 => Just(Act::Vacuum),
    ]
}

/// A store and its model.
struct Pair {
    db: Option<Db>,
    model: Model,
}

impl Pair {
    fn db(&self) -> &Db {
        self.db.as_ref().expect("is open")
    }

    fn append(&mut self, step: usize, names: &[usize]) {
        let first = self.model.numbers.len();
        self.model.numbers.extend(names);
        let mut made = Vec::new();
        for (number, &place) in (first..).zip(names) {
            let row = Interaction::new(NAMES[place], time(number)).event_id(&event(number));
            made.push(values(number).iter().fold(row, |row, (name, value)| row.set(name, &**value)));
            if !self.model.erased.contains(&place) {
                self.model.rows.push(Plain {
                    number,
                    place,
                    seen: step,
                    versions: vec![(step, values(number))],
                });
            }
        }
        self.db().append(made).expect("appends");
    }

    fn import(
        &mut self,
        step: usize,
        rows: &[(usize, Option<usize>, Option<usize>)],
        again: &[usize],
        back: bool,
    ) {
        // Number, names, the one that it comes under, and since when it is seen.
        let mut all: Vec<(usize, Vec<usize>, usize, usize)> = Vec::new();
        for &number in again.iter().filter(|&&number| number < self.model.numbers.len()) {
            let place = self.model.numbers[number];
            all.push((number, vec![place], place, step));
        }
        for &(one, other, earlier) in rows {
            let names: Vec<usize> = [Some(one), other].into_iter().flatten().collect();
            let named: Vec<_> = names.iter().map(|&place| identity(place)).collect();
            let primary = Guards::default().primary(named.iter().map(Into::into)).expect("has one");
            let primary =
                names.iter().copied().find(|&place| NAMES[place] == primary.as_str()).expect("is one");
            let seen = earlier.map_or(step, |earlier| step.saturating_sub(earlier));
            all.push((self.model.numbers.len(), names, primary, seen));
            self.model.numbers.push(primary);
        }
        let mut import = self.db.as_ref().expect("is open").import("test").expect("begins");
        if back {
            import.bring_back();
        }
        let role = |role| import.schema().role(role).expect("core").id;
        let (event_id, topic, text) = (role(Role::EventId), role(Role::Topic), role(Role::Text));
        let mut batch = Batch::new(import.schema());
        for &(number, ref names, _, seen) in &all {
            batch.begin(&identity(names[0]), time(number));
            if let Some(&other) = names.get(1) {
                batch.also((&identity(other)).into()).expect("carries it");
            }
            if seen < step {
                batch.recorded(at(seen));
            }
            let (event, values) = (event(number), values(number));
            for (attr, value) in [(event_id, &event), (topic, &values["topic"]), (text, &values["text"])] {
                batch.set(attr, crate::ValueRef::Str(value)).expect("sets");
            }
        }
        import.push(batch).expect("takes");
        import.commit().expect("commits");
        let model = &mut self.model;
        if back {
            all.iter().flat_map(|(_, names, ..)| names).for_each(|place| _ = model.erased.remove(place));
        }
        for (number, names, place, seen) in all {
            if !model.erased.contains(&place) && model.row(number).is_none() {
                model.rows.push(Plain { number, place, seen, versions: vec![(step, values(number))] });
            }
            if let [one, other] = names[..]
                && one != other
                && !model.erased.contains(&one)
                && !model.erased.contains(&other)
            {
                let (one, other) = (one as u32, other as u32);
                model.said.push((step, Evidence { one, other, said: Said::Row, confidence: 0 }));
            }
        }
    }

    fn amend(&mut self, step: usize, changes: &[(usize, usize, u8, bool)]) {
        let mut amendments = Vec::new();
        let mut expected = Vec::new();
        let mut became: BTreeMap<usize, Values> = BTreeMap::new();
        for &(number, attr, value, named) in changes {
            let name = ATTRIBUTES[attr];
            let mut amendment = Amendment::new(event(number));
            amendment = match value {
                0 => amendment.clear(name),
                value => amendment.set(name, format!("{name} {value}")),
            };
            let place = self.model.numbers.get(number).copied();
            amendments.push(match place.filter(|_| named) {
                Some(place) => amendment.of(identity(place)),
                None => amendment,
            });
            let Some(row) = self.model.row(number) else {
                expected.push(None);
                continue;
            };
            let last = &row.versions.last().expect("has one").1;
            let values = became.entry(number).or_insert_with(|| last.clone());
            let before = values.clone();
            match value {
                0 => values.remove(name),
                value => values.insert(name.to_owned(), format!("{name} {value}")),
            };
            expected.push(Some(*values != before));
        }
        let corrections = self.db().amend(amendments).expect("amends");
        let found = corrections.events.iter().map(|event| match event {
            Corrected::Unknown => None,
            Corrected::Unchanged(_) => Some(false),
            Corrected::Changed(_) => Some(true),
        });
        let once = changes.iter().map(|change| change.0).collect::<BTreeSet<_>>().len() == changes.len();
        if once {
            assert_eq!(found.collect::<Vec<_>>(), expected);
        }
        for (number, values) in became {
            let versions = &mut self.model.row(number).expect("is there").versions;
            if versions.last().expect("has one").1 != values {
                versions.push((step, values));
            }
        }
    }

    fn redact(&mut self, number: usize, attr: usize) {
        let redaction = Redaction::new(event(number), [ATTRIBUTES[attr]]);
        let corrections = self.db().redact([redaction]).expect("redacts");
        let row = self.model.row(number);
        assert_eq!(corrections.unknown() == 0, row.is_some());
        for (_, values) in row.into_iter().flat_map(|row| &mut row.versions) {
            values.remove(ATTRIBUTES[attr]);
        }
    }

    /// Compares everything as of a step and of some before, and one customer alone.
    fn compare(&self, step: usize, act: &Act) {
        let snapshot = self.db().snapshot();
        let all = |_: &Plain| true;
        compare(&snapshot, &self.model.portrait(step, &all), &format!("after {act:?}"));
        let one = snapshot.present().iter().nth(step % NAMES.len());
        let alone = one.map(|customer| (snapshot.only(customer).expect("reads"), customer));
        for earlier in (0..step).rev().step_by(3) {
            let context = format!("of {earlier} after {act:?}");
            let then = snapshot.as_of(at(earlier)).expect("reads");
            compare(&then, &self.model.portrait(earlier, &all), &context);
            let Some((alone, customer)) = &alone else { continue };
            let of_one = |row: &Plain| {
                let identity = snapshot.resolve(&identity(row.place)).expect("reads");
                identity == Some(*customer)
            };
            let then = alone.as_of(at(earlier)).expect("reads");
            assert_eq!(journeys_of(&then), self.model.portrait(earlier, &of_one), "of one, {context}");
        }
    }
}

/// The instant by which a step was recorded, and none after it.
fn at(step: usize) -> Millis {
    START + 10 * (step as i64 + 1)
}

/// Does as is told, and compares after each step.
fn run(acts: &[Act], tail: usize) {
    let disk = SimDisk::new();
    let hands = Arc::new(AtomicI64::new(START));
    let open = |disk: &SimDisk| Some(open_with(disk, tail, &hands));
    let mut pair = Pair { db: open(&disk), model: Model::default() };
    for (step, act) in acts.iter().enumerate() {
        hands.fetch_add(10, Ordering::Relaxed);
        let evidence = |one: usize, other: usize, said, confidence| {
            (step, Evidence { one: one as u32, other: other as u32, said, confidence })
        };
        match act {
            Act::Append(names) => pair.append(step, names),
            Act::Import(rows, again, back) => pair.import(step, rows, again, *back),
            &Act::Link(one, other) => {
                let link = Link::new(identity(one), identity(other)).expect("are two");
                if pair.db().link([link]).is_ok() {
                    pair.model.said.push(evidence(one, other, Said::Link, 1_000));
                }
            }
            &Act::Unlink(one, other) => {
                if pair.db().unlink(&identity(one), &identity(other), "").is_ok() {
                    pair.model.said.push(evidence(one, other, Said::Cut, 0));
                }
            }
            Act::Amend(changes) => pair.amend(step, changes),
            &Act::Redact(number, attr) => pair.redact(number, attr),
            &Act::Erase(place) => {
                if pair.db().erase(&identity(place)).expect("erases").identities > 0 {
                    pair.model.erase(step, place);
                }
            }
            &Act::Forgive(place) => {
                pair.db().forgive(&identity(place)).expect("forgives");
                let Pair { db: Some(db), model } = &mut pair else { continue };
                model.erased.retain(|place| db.writer.lock().state.is_kept_out(NAMES[*place]));
            }
            Act::Seal => pair.db().seal().expect("seals"),
            Act::Reopen => {
                pair.db = None;
                pair.db = open(&disk);
            }
            Act::Close => {
                pair.db.take().expect("is open").close().expect("closes");
                pair.db = open(&disk);
            }
            Act::Rebuild => pair.db().rebuild().expect("rebuilds"),
            Act::Vacuum => {
                pair.db().vacuum().expect("vacuums");
            }
        }
        pair.compare(step, act);
    }
    assert_eq!(pair.db().check().expect("checks").problems, Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn whatever_a_store_is_told_it_answers_as_plain_lists_do(
        acts in prop::collection::vec(act(), 1..28),
        tail in prop_oneof![Just(1_000_usize), 1..16_usize],
    ) {
        run(&acts, tail);
    }
}

/// Rows of one customer at the same time, who was two customers before the first commit, were read with
/// more columns than those of others.
#[test]
fn before_the_first_commit_only_rows_with_times_of_their_own_are_seen() {
    let acts = [
        Act::Seal,
        Act::Link(0, 4),
        Act::Append(vec![5]),
        Act::Append(vec![0, 4, 4]),
        Act::Import(vec![(0, None, Some(1))], vec![], false),
    ];
    run(&acts, 1_000);
}
