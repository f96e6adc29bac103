//! Customers who go by several identities, as a state has it.

use std::sync::Arc;

use super::*;
use crate::Column;
use crate::batch::{Batch, ValueRef};
use crate::disk_sim::SimDisk;
use crate::model::{Identity, IdentityOrdinal};
use crate::schema::{AttrId, AttrType, Subject};

const NAMES: [&str; 4] = ["crm:1", "phone:2", "app:3", "crm:4"];

fn identity(name: &str) -> Identity {
    Identity::parse(name).expect("parses")
}

/// A store in which each name has an interaction.
fn store() -> Db {
    let db = Db::open_on(Arc::new(SimDisk::new()), Options::default()).expect("opens");
    db.append(NAMES.map(|name| Interaction::new(name, 1_000).kind("call"))).expect("appends");
    db
}

/// `phone:2` and `app:3` turn out to be who `crm:1` is; shown is `phone:2`.
fn join(db: &Db) {
    let mut writer = db.writer.lock();
    let customers = writer.state.names.customers.with(&[(1, 0), (2, 0)], &[(0, 1)]);
    writer.state.names.customers = customers.expect("reads");
    db.shown.show(&writer.state);
}

fn give_ranks(db: &Db, sequence: Option<u64>, ranks: &[(&str, Millis, i64)]) -> AttrId {
    let mut import = db.import("ranks").expect("begins");
    let rank = import.declare(Subject::Customer, "rank", AttrType::Int, None).expect("declares");
    let schema = import.schema().clone();
    for &(name, at, value) in ranks {
        let mut batch = Batch::new(&schema);
        batch.begin(&identity(name), at);
        sequence.into_iter().for_each(|sequence| batch.sequence(sequence));
        batch.set(rank, ValueRef::Int(value)).expect("sets");
        import.push_customers(batch).expect("takes");
    }
    import.commit().expect("commits");
    rank
}

fn ranks(db: &Db, rank: AttrId) -> Vec<Option<i64>> {
    let column = db.snapshot().customer_column(rank).expect("reads");
    let Column::Int { values, .. } = &*column else { panic!("numbers") };
    let value = |row: usize| values.get(row).copied().filter(|_| !column.is_null(row));
    (0..NAMES.len()).map(value).collect()
}

#[test]
fn a_customer_is_found_by_every_identity_and_shown_by_one() {
    let db = store();
    join(&db);
    let snapshot = db.snapshot();
    let found = |name| snapshot.resolve(&identity(name)).expect("reads");
    assert_eq!(NAMES.map(found), [Some(0), Some(0), Some(0), Some(3)]);
    assert_eq!(found("crm:5"), None);
    let number = |name| snapshot.find_identity(&identity(name)).expect("reads");
    assert_eq!(NAMES.map(number), [0, 1, 2, 3].map(|number| Some(IdentityOrdinal(number))));
    let name = |customer| snapshot.customer_name(customer).expect("has a name");
    assert_eq!([0, 1, 2, 3].map(name), ["phone:2", "phone:2", "phone:2", "crm:4"]);
    let name = |number| snapshot.identity_name(IdentityOrdinal(number)).expect("has a name");
    assert_eq!([0, 1, 2, 3].map(name), NAMES);
    assert!(snapshot.customer_name(4).is_err());
    assert!(snapshot.identity_name(IdentityOrdinal(4)).is_err());
}

#[test]
fn what_comes_under_any_identity_is_the_customers() {
    let db = store();
    join(&db);
    db.append([Interaction::new("app:3", 3_000).kind("call")]).expect("appends");
    let block = db.snapshot().read_span(0..=0, &[AttrId::IDENTITY]).expect("reads");
    assert_eq!((&block.customers[..], &block.times[..]), (&[0][..], &[1_000, 3_000][..]));
    let Some(Column::Int { values, .. }) = block.column(AttrId::IDENTITY) else { panic!("a column") };
    assert_eq!(values, &[0, 2]);
}

#[test]
fn attributes_stay_with_identities_and_the_latest_is_the_customers() {
    let db = store();
    let rank = give_ranks(&db, None, &[("crm:1", 20, 1), ("phone:2", 30, 2), ("crm:4", 10, 4)]);
    assert_eq!(ranks(&db, rank), [Some(1), Some(2), None, Some(4)]);
    join(&db);
    assert_eq!(ranks(&db, rank), [Some(2), None, None, Some(4)]);
    // An earlier one changes nothing, wherever it was given.
    give_ranks(&db, None, &[("app:3", 10, 3)]);
    assert_eq!(ranks(&db, rank), [Some(2), None, None, Some(4)]);
    // At one time the sequence decides, and then the text of the identity.
    give_ranks(&db, Some(1 << 40), &[("app:3", 30, 5)]);
    assert_eq!(ranks(&db, rank), [Some(5), None, None, Some(4)]);
    give_ranks(&db, Some(1 << 40), &[("phone:2", 30, 6), ("crm:1", 30, 7)]);
    assert_eq!(ranks(&db, rank), [Some(6), None, None, Some(4)]);
    let mut writer = db.writer.lock();
    writer.state.names.customers = Default::default();
    db.shown.show(&writer.state);
    drop(writer);
    assert_eq!(ranks(&db, rank), [Some(7), Some(6), Some(5), Some(4)]);
}

#[test]
fn cohorts_are_of_identities() {
    let db = store();
    db.save_cohort("before", &[1, 3].into_iter().collect()).expect("saves");
    join(&db);
    let cohort = |name| {
        let found: Option<RoaringBitmap> = db.snapshot().cohort(name).expect("reads");
        found.expect("is there").iter().collect::<Vec<u32>>()
    };
    assert_eq!(cohort("before"), [0, 3]);
    db.save_cohort("after", &[0].into_iter().collect()).expect("saves");
    db.save_cohort("of another", &[2].into_iter().collect()).expect("saves");
    assert_eq!((cohort("after"), cohort("of another")), (vec![0], vec![0]));
    let mut writer = db.writer.lock();
    writer.state.names.customers = Default::default();
    db.shown.show(&writer.state);
    drop(writer);
    assert_eq!(cohort("before"), [1, 3]);
    assert_eq!((cohort("after"), cohort("of another")), (vec![0, 1, 2], vec![0, 1, 2]));
}

#[test]
fn a_customer_is_erased_with_all_identities() {
    let db = store();
    join(&db);
    let rank = give_ranks(&db, None, &[("crm:1", 20, 1), ("phone:2", 30, 2), ("crm:4", 10, 4)]);
    db.append(NAMES.map(|name| Interaction::new(name, 2_000).kind("call"))).expect("appends");
    let erasure = db.erase(&identity("app:3")).expect("erases");
    // What came before they were joined was not moved here.
    assert_eq!((erasure.identities, erasure.interactions), (3, 4));
    let snapshot = db.snapshot();
    let found = |name| snapshot.find_identity(&identity(name)).expect("reads").is_some();
    assert_eq!(NAMES.map(found), [false, false, false, true]);
    assert!(snapshot.customer_name(0).is_err() && snapshot.identity_name(IdentityOrdinal(1)).is_err());
    assert_eq!(ranks(&db, rank), [None, None, None, Some(4)]);
    let again = db.append(NAMES.map(|name| Interaction::new(name, 3_000).kind("call"))).expect("appends");
    assert_eq!((again.added, again.erased), (1, 3));
    assert_eq!(db.forgive(&identity("phone:2")).expect("forgives"), 3);
    let again = db.append(NAMES.map(|name| Interaction::new(name, 4_000).kind("call"))).expect("appends");
    assert_eq!((again.added, again.erased), (4, 0));
}

/// A replay may meet the erasure of an identity that was cut off a customer meanwhile.
#[test]
fn what_a_customer_has_of_other_identities_stays() {
    let db = store();
    join(&db);
    db.append(NAMES.map(|name| Interaction::new(name, 2_000).kind("call"))).expect("appends");
    db.seal().expect("seals");
    db.append(NAMES.map(|name| Interaction::new(name, 3_000).kind("call"))).expect("appends");
    let mut writer = db.writer.lock();
    let mut coming = crate::erased::Coming::default();
    coming.add(writer.state.identity_key("phone:2"), 100);
    writer.state.expect(coming).expect("takes out");
    db.shown.show(&writer.state);
    drop(writer);
    let snapshot = db.snapshot();
    let block = snapshot.read_span(0..=0, &[AttrId::IDENTITY]).expect("reads");
    let Some(Column::Int { values, .. }) = block.column(AttrId::IDENTITY) else { panic!("a column") };
    assert_eq!((values.as_slice(), block.times.len()), ([0, 0, 2, 0, 2].as_slice(), 5));
    assert!(snapshot.present().contains(0));
}
