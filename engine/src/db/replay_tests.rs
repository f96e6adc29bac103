//! What a store has after its history was replayed is what it had before.

use std::sync::Arc;

use proptest::prelude::*;

use super::crash_tests::dump;
use super::*;
use crate::disk_sim::SimDisk;
use crate::links::Link;
use crate::model::Identity;

#[derive(Clone, Debug)]
enum Step {
    /// Interactions: whose, when, what amount, whether with an event id and under two names.
    Append(Vec<(u8, i64, u8, bool, bool)>),
    Link(u8, u8, bool),
    Erase(u8),
    Seal,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let row = (0..12_u8, 0..4_i64, any::<u8>(), any::<bool>(), prop::bool::weighted(0.2));
    let step = prop_oneof![
        8 => prop::collection::vec(row, 1..6).prop_map(Step::Append),
        2 => (0..12_u8, 0..12_u8, any::<bool>()).prop_map(|(one, other, is)| Step::Link(one, other, is)),
        1 => (0..12_u8).prop_map(Step::Erase),
        1 => Just(Step::Seal),
    ];
    prop::collection::vec(step, 1..24)
}

fn name(number: u8) -> String {
    format!("crm:{number}")
}

fn identity(number: u8) -> Identity {
    Identity::parse(&name(number)).expect("parses")
}

/// Does a step; who is erased refuses some, which says nothing here.
fn take(db: &Db, place: usize, step: &Step) {
    match step {
        Step::Append(rows) => {
            let of = |(row, &(who, at, amount, has_id, is_two)): (usize, &(u8, i64, u8, bool, bool))| {
                let mut made = Interaction::new(name(who), at).kind("call").set("amount", i64::from(amount));
                made = made.set("batch", format!("{place}/{row}"));
                if has_id {
                    made = made.event_id(&format!("event {}", at * 7 + i64::from(who)));
                }
                if is_two { made.also(format!("phone:{}", who / 2)) } else { made }
            };
            drop(db.append(rows.iter().enumerate().map(of)));
        }
        &Step::Link(one, other, is_link) => {
            // Nobody is linked to themselves.
            let Ok(link) = Link::new(identity(one), identity(other)) else { return };
            drop(match is_link {
                true => db.link([link]),
                false => db.unlink(&identity(one), &identity(other), "test"),
            });
        }
        &Step::Erase(who) => drop(db.erase(&identity(who))),
        Step::Seal => db.seal().expect("seals"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_replay_makes_what_there_was(steps in steps()) {
        let disk = SimDisk::new();
        let open = |threads| {
            let options = Options { threads, ..Options::default() };
            Db::open_on(Arc::new(disk.clone()), options).expect("opens")
        };
        let db = open(1);
        steps.iter().enumerate().for_each(|(place, step)| take(&db, place, step));
        let expected = dump(&db.snapshot());
        let (commits, ordinals) = (db.snapshot().commit(), db.snapshot().ordinals());
        drop(db);
        for threads in [1, 2, 3] {
            let db = open(threads);
            prop_assert_eq!(&dump(&db.snapshot()), &expected);
            prop_assert_eq!((db.snapshot().commit(), db.snapshot().ordinals()), (commits, ordinals));
            prop_assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
        }
    }
}
