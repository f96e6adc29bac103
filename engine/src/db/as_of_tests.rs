//! What had been recorded by an instant, however the store got to where it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::batch::{Batch, ValueRef};
use crate::clock::Clock;
use crate::disk_sim::SimDisk;
use crate::model::Identity;
use crate::schema::{AttrType, Role, Subject};
use crate::{Block, Column};

const START: Millis = 1_767_225_600_000;
const DAY: Millis = 86_400_000;

/// A disk and the hands of a clock.
struct Setting {
    disk: SimDisk,
    hands: Arc<AtomicI64>,
}

impl Setting {
    fn new() -> Self {
        Self { disk: SimDisk::new(), hands: Arc::new(AtomicI64::new(START)) }
    }

    fn open(&self) -> Db {
        let hands = Arc::clone(&self.hands);
        let clock = Clock::of(move || hands.load(Ordering::Relaxed));
        let options = Options { memory_bytes: 1 << 20, horizon_ms: 1_000 * DAY, clock, ..Options::default() };
        Db::open_on(Arc::new(self.disk.clone()), options).expect("opens")
    }

    fn set(&self, at: Millis) {
        self.hands.store(at, Ordering::Relaxed);
    }
}

/// The numbers of the interactions in sight, and of the customers' rows that decide.
fn seen(snapshot: &Snapshot) -> (Vec<i64>, Vec<(String, i64)>) {
    let number = snapshot.schema().find(Subject::Interaction, "number").expect("declared").id;
    let (mut numbers, mut rows) = (Vec::new(), 0);
    for unit in 0..snapshot.units().len() {
        let block: Block = snapshot.read(unit, &[number]).expect("reads");
        assert_eq!(block.customers.len() + 1, block.offsets.len());
        assert!(block.offsets.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(block.columns.len() <= 1);
        rows += block.rows();
        if let Some(Column::Int { values, .. }) = block.column(number) {
            numbers.extend(values);
        }
    }
    assert_eq!((rows, rows as u64), (numbers.len(), snapshot.interactions()));
    let times = numbers.iter().map(|number| time_of(*number));
    assert_eq!(snapshot.time_span().expect("reads"), times.clone().min().zip(times.max()));
    numbers.sort_unstable();
    let mut ranks = Vec::new();
    if let Some(rank) = snapshot.schema().find(Subject::Customer, "rank") {
        let column = snapshot.customer_column(rank.id).expect("a column");
        let Column::Int { values, valid } = &*column else { panic!("numbers") };
        for (ordinal, &value) in values.iter().enumerate() {
            if valid.as_ref().is_none_or(|valid| valid[ordinal]) {
                ranks.push((snapshot.customer_name(ordinal as u32).expect("a name"), value));
            }
        }
    }
    (numbers, ranks)
}

/// The time of an interaction: not in the order of recording.
fn time_of(number: i64) -> Millis {
    START + (number * 7919 % 101) * DAY / 4
}

fn interaction(number: i64) -> Interaction {
    Interaction::new(format!("crm:{}", number * 31 % 7), time_of(number)).kind("call").set("number", number)
}

fn import(db: &Db, numbers: std::ops::Range<i64>, rank: Option<i64>, hands: &AtomicI64) {
    let mut import = db.import("test").expect("begins");
    let number = import.declare(Subject::Interaction, "number", AttrType::Int, None).expect("declares");
    let ranked = import.declare(Subject::Customer, "rank", AttrType::Int, None).expect("declares");
    let kind = import.schema().role(Role::Kind).expect("core").id;
    let schema = import.schema().clone();
    // Several frames, an hour apart: what counts is when the import commits.
    for part in numbers.clone().collect::<Vec<_>>().chunks(5) {
        let mut batch = Batch::new(&schema);
        for &at in part {
            batch.begin(&Identity::parse(&format!("crm:{}", at * 31 % 7)).expect("parses"), time_of(at));
            batch.set(kind, ValueRef::Str("call")).expect("sets");
            batch.set(number, ValueRef::Int(at)).expect("sets");
        }
        import.push(batch).expect("takes");
        hands.fetch_add(3_600_000, Ordering::Relaxed);
    }
    if let Some(rank) = rank {
        let mut batch = Batch::new(&schema);
        batch.begin(&Identity::parse("crm:3").expect("parses"), rank);
        batch.set(ranked, ValueRef::Int(rank)).expect("sets");
        import.push_customers(batch).expect("takes");
    }
    import.commit().expect("commits");
}

#[test]
fn what_was_known_survives_whatever_the_store_goes_through() {
    let setting = Setting::new();
    let mut db = setting.open();
    assert_eq!(
        (db.snapshot().first_recorded(), db.snapshot().as_of(START).expect("reads").commit()),
        (None, 0)
    );
    let ranks = |rank: i64| vec![("crm:3".to_owned(), rank)];
    db.append((0..20).map(interaction)).expect("appends");
    setting.set(START + DAY);
    import(&db, 20..37, Some(1), &setting.hands);
    let imported = setting.hands.load(Ordering::Relaxed);
    assert!(imported > START + DAY);
    setting.set(START + 2 * DAY);
    for number in 37..45 {
        db.append([interaction(number)]).expect("appends");
        setting.hands.fetch_add(1, Ordering::Relaxed);
    }
    // A cohort is no interaction.
    setting.set(START + 3 * DAY);
    db.save_cohort("all", db.snapshot().present()).expect("saves");
    // The clock goes back: recorded no earlier than what came before.
    setting.set(START + DAY);
    db.append([interaction(45)]).expect("appends");
    setting.set(START + 4 * DAY);
    import(&db, 46..47, Some(2), &setting.hands);

    let last = START + 4 * DAY + 3_600_000;
    let expected = vec![
        (START - 1, 0, vec![]),
        (START, 20, vec![]),
        (START + DAY, 20, vec![]),
        (imported - 1, 20, vec![]),
        (imported, 37, ranks(1)),
        (START + 2 * DAY, 38, ranks(1)),
        (START + 2 * DAY + 6, 44, ranks(1)),
        (START + 2 * DAY + 7, 46, ranks(1)),
        (START + 4 * DAY, 46, ranks(1)),
        (last, 47, ranks(2)),
        (Millis::MAX, 47, ranks(2)),
    ];
    for turn in 0..5 {
        match turn {
            0 => {}
            1 => db.seal().expect("seals"),
            2 => {
                drop(db);
                db = setting.open();
            }
            3 => db.rebuild().expect("rebuilds"),
            _ => {
                drop(db);
                for name in setting.disk.list("").expect("lists") {
                    if name.starts_with("graph-") {
                        setting.disk.remove_dir(&name).expect("removes");
                    }
                }
                db = setting.open();
            }
        }
        let now = db.snapshot();
        assert_eq!(now.first_recorded(), Some(START));
        for (at, numbers, rank) in &expected {
            let then = now.as_of(*at).expect("reads");
            let found = seen(&then);
            assert_eq!(found, ((0..*numbers).collect(), rank.clone()), "turn {turn}, {}", at - START);
            assert_eq!(then.hides_later(), *numbers < 47);
            // Through an earlier instant nothing later is seen.
            assert_eq!(seen(&then.as_of(Millis::MAX).expect("reads")), found);
        }
        let counted = now.as_of(imported).expect("reads").as_of(START).expect("reads");
        assert_eq!(counted.interactions(), 20);
        assert!(db.check().expect("checks").problems.is_empty());
    }
}

#[test]
fn a_store_of_an_earlier_format_is_made_anew() {
    let setting = Setting::new();
    let db = setting.open();
    db.append((0..20).map(interaction)).expect("appends");
    setting.set(START + DAY);
    db.append((20..30).map(interaction)).expect("appends");
    db.close().expect("closes");
    for (graph, format) in [("graph-1", 1), ("graph-2", 4)] {
        {
            let store = setting.disk.open_graph(graph).expect("opens");
            let mut manifest = store.get(crate::manifest::KEY).expect("reads").expect("is there");
            manifest[0] = format;
            store.apply(vec![(crate::manifest::KEY.to_vec(), Some(manifest))]).expect("writes");
            store.flush().expect("flushes");
        }
        let db = setting.open();
        assert_eq!(seen(&db.snapshot().as_of(START).expect("reads")).0, (0..20).collect::<Vec<_>>());
        assert_eq!(seen(&db.snapshot()).0, (0..30).collect::<Vec<_>>());
    }
    assert!(setting.disk.list("").expect("lists").contains(&"graph-3".to_owned()));
}
