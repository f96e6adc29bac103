//! Rows with recording times of their own, against all rows looked at one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::batch::{Batch, ValueRef};
use crate::clock::Clock;
use crate::disk_sim::SimDisk;
use crate::model::Identity;
use crate::schema::{AttrId, AttrType, Role, Schema, Subject};
use crate::{Block, Column};

const START: Millis = 1_767_225_600_000;
const HOUR: Millis = 3_600_000;
/// When the first commit is recorded. Times of interactions lie before and after.
const NOW: Millis = START + 100 * HOUR;

/// A row: customer, hour of its time, and of its own recording time.
type Told = (u8, i64, Option<i64>);

#[derive(Clone, Debug)]
enum Step {
    /// Interactions in pieces, then customers' ranks.
    Import(Vec<Told>, usize, Vec<Told>),
    Append(Vec<Told>),
    Seal,
    Reopen,
    Rebuild,
    LoseTheGraph,
    /// Some customers' journeys are written anew.
    Rewrite(Vec<u8>),
}

/// What is known of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    number: i64,
    customer: u8,
    time: Millis,
    recorded: Millis,
}

#[derive(Default)]
struct Model {
    interactions: Vec<Row>,
    /// Of customers' ranks.
    ranks: Vec<Row>,
}

struct Setting {
    disk: SimDisk,
    hands: Arc<AtomicI64>,
}

impl Setting {
    fn open(&self) -> Db {
        let hands = Arc::clone(&self.hands);
        let clock = Clock::of(move || hands.load(Ordering::Relaxed));
        let options =
            Options { memory_bytes: 1 << 20, horizon_ms: 1_000 * HOUR, clock, ..Options::default() };
        Db::open_on(Arc::new(self.disk.clone()), options).expect("opens")
    }

    fn now(&self) -> Millis {
        self.hands.load(Ordering::Relaxed)
    }

    fn lose_the_graph(&self) {
        for name in self.disk.list("").expect("lists") {
            if name.starts_with("graph-") {
                self.disk.remove_dir(&name).expect("removes");
            }
        }
    }
}

fn name(customer: u8) -> String {
    format!("crm:{customer}")
}

fn batch(schema: &Schema, told: &[Told], attr: AttrId, first: i64) -> Batch {
    let mut batch = Batch::new(schema);
    for (number, &(customer, hour, recorded)) in (first..).zip(told) {
        batch.begin(&Identity::parse(&name(customer)).expect("parses"), START + hour * HOUR);
        batch.set(attr, ValueRef::Int(number)).expect("sets");
        if let Some(recorded) = recorded {
            batch.recorded(START + recorded * HOUR);
        }
    }
    batch
}

impl Model {
    fn take(&mut self, setting: &Setting, db: &mut Option<Db>, step: &Step) {
        let now = setting.now();
        let row = |number: i64, &(customer, hour, recorded): &Told| Row {
            number,
            customer,
            time: START + hour * HOUR,
            recorded: recorded.map_or(now, |recorded| START + recorded * HOUR),
        };
        let open = db.as_ref().expect("is open");
        match step {
            Step::Import(told, piece, ranks) => {
                let mut import = open.import("test").expect("begins");
                let number =
                    import.declare(Subject::Interaction, "number", AttrType::Int, None).expect("declares");
                let rank = import.declare(Subject::Customer, "rank", AttrType::Int, None).expect("declares");
                let schema = import.schema().clone();
                for piece in told.chunks(*piece) {
                    let first = self.interactions.len() as i64;
                    import.push(batch(&schema, piece, number, first)).expect("takes");
                    self.interactions.extend((first..).zip(piece).map(|(number, told)| row(number, told)));
                }
                let first = self.ranks.len() as i64;
                import.push_customers(batch(&schema, ranks, rank, first)).expect("takes");
                self.ranks.extend((first..).zip(ranks).map(|(number, told)| row(number, told)));
                import.commit().expect("commits");
            }
            Step::Append(told) => {
                let first = self.interactions.len() as i64;
                let told: Vec<Told> =
                    told.iter().map(|&(customer, hour, _)| (customer, hour, None)).collect();
                let interactions = (first..).zip(&told).map(|(number, &(customer, hour, _))| {
                    Interaction::new(name(customer), START + hour * HOUR).set("number", number)
                });
                open.append(interactions).expect("appends");
                self.interactions.extend((first..).zip(&told).map(|(number, told)| row(number, told)));
            }
            Step::Seal => open.seal().expect("seals"),
            Step::Rebuild => open.rebuild().expect("rebuilds"),
            Step::Rewrite(customers) => {
                let snapshot = open.snapshot();
                let ordinal = |&customer: &u8| {
                    snapshot.resolve(&Identity::parse(&name(customer)).expect("parses")).expect("reads")
                };
                let customers = customers.iter().filter_map(ordinal).collect();
                let mut writer = open.writer.lock();
                writer.state.rewrite(&customers).expect("rewrites");
                open.shown.show(&writer.state);
            }
            Step::Reopen | Step::LoseTheGraph => {
                *db = None;
                if matches!(step, Step::LoseTheGraph) {
                    setting.lose_the_graph();
                }
                *db = Some(setting.open());
            }
        }
    }

    /// The numbers in sight, and who has which rank.
    fn seen(&self, at: Millis) -> (Vec<i64>, Vec<(u8, i64)>) {
        let numbers = self.interactions.iter().filter(|row| row.recorded <= at).map(|row| row.number);
        let mut ranks: Vec<&Row> = self.ranks.iter().filter(|row| row.recorded <= at).collect();
        // By time, then by the order of recording.
        ranks.sort_by_key(|row| (row.customer, row.time, row.number));
        let last = ranks.chunk_by(|a, b| a.customer == b.customer).filter_map(|rows| rows.last());
        (numbers.collect(), last.map(|row| (row.customer, row.number)).collect())
    }

    fn check(&self, db: &Db, at: Millis) {
        let now = db.snapshot();
        let then = now.as_of(at).expect("reads");
        let (numbers, ranks) = self.seen(at);
        assert_eq!(seen(&then), (numbers.clone(), ranks), "by {}", (at - START) / HOUR);
        let rows: Vec<&Row> = self.interactions.iter().filter(|row| row.recorded <= at).collect();
        let times = rows.iter().map(|row| row.time);
        assert_eq!(
            then.time_span().expect("reads"),
            times.clone().min().zip(times.max()),
            "by {}",
            (at - START) / HOUR
        );
        assert_eq!(then.interactions(), numbers.len() as u64);
        let all = self.interactions.iter().chain(&self.ranks);
        assert_eq!(now.first_recorded(), all.map(|row| row.recorded).min());
        // Through an earlier instant nothing later is seen, and an earlier one still hides.
        assert_eq!(seen(&then.as_of(at + HOUR).expect("reads")), self.seen(at));
        assert_eq!(seen(&then.as_of(at - HOUR).expect("reads")), self.seen(at - HOUR));
    }
}

fn seen(snapshot: &Snapshot) -> (Vec<i64>, Vec<(u8, i64)>) {
    let mut numbers = Vec::new();
    if let Some(number) = snapshot.schema().find(Subject::Interaction, "number") {
        for unit in 0..snapshot.units().len() {
            let block: Block = snapshot.read(unit, &[number.id]).expect("reads");
            let untimed = snapshot.read_untimed(unit, &[number.id]).expect("reads");
            assert_eq!((&untimed.columns, &untimed.offsets), (&block.columns, &block.offsets));
            assert!(block.offsets.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(block.columns.len() <= 1);
            if let Some(Column::Int { values, .. }) = block.column(number.id) {
                numbers.extend(values);
            }
        }
    }
    numbers.sort_unstable();
    let mut ranks = Vec::new();
    if let Some(rank) = snapshot.schema().find(Subject::Customer, "rank") {
        let column = snapshot.customer_column(rank.id).expect("a column");
        let Column::Int { values, .. } = &*column else { panic!("numbers") };
        for (ordinal, &value) in values.iter().enumerate() {
            if !column.is_null(ordinal) {
                let name = snapshot.customer_name(ordinal as u32).expect("a name");
                ranks.push((name[4..].parse().expect("a number"), value));
            }
        }
    }
    ranks.sort_unstable();
    (numbers, ranks)
}

fn step() -> impl Strategy<Value = Step> {
    let told = || (0..6_u8, 0..40_i64, prop::option::weighted(0.8, 0..100_i64));
    let rows = move |most| prop::collection::vec(told(), 0..most);
    prop_oneof![
        4 => (rows(40), 1..20_usize, rows(5)).prop_map(|(told, piece, ranks)| Step::Import(told, piece, ranks)),
        2 => prop::collection::vec(told(), 1..6).prop_map(Step::Append),
        1 => Just(Step::Seal),
        1 => Just(Step::Reopen),
        1 => Just(Step::Rebuild),
        1 => Just(Step::LoseTheGraph),
        1 => prop::collection::vec(0..6_u8, 0..4).prop_map(Step::Rewrite),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn every_instant_shows_what_was_recorded_by_then(steps in prop::collection::vec(step(), 1..7)) {
        let setting = Setting { disk: SimDisk::new(), hands: Arc::new(AtomicI64::new(NOW)) };
        let mut db = Some(setting.open());
        let mut model = Model::default();
        for step in &steps {
            model.take(&setting, &mut db, step);
            setting.hands.fetch_add(HOUR, Ordering::Relaxed);
            let db = db.as_ref().expect("is open");
            for at in (-1..108).step_by(3) {
                model.check(db, START + at * HOUR);
                model.check(db, START + at * HOUR + 1);
            }
            prop_assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
        }
    }
}

/// One interaction recorded at `recorded`.
fn import_one(db: &Db, recorded: Option<Millis>) -> Result<crate::ImportReport> {
    let mut import = db.import("test")?;
    let kind = import.schema().role(Role::Kind).expect("core").id;
    let mut batch = Batch::new(import.schema());
    batch.begin(&Identity::parse("crm:1")?, START);
    batch.sequence(1);
    batch.set(kind, ValueRef::Str("call"))?;
    recorded.into_iter().for_each(|recorded| batch.recorded(recorded));
    import.push(batch)?;
    import.commit()
}

#[test]
fn what_is_recorded_in_the_future_is_refused() {
    let setting = Setting { disk: SimDisk::new(), hands: Arc::new(AtomicI64::new(NOW)) };
    let db = setting.open();
    let refused = |recorded: Millis, words: &str| {
        let error = import_one(&db, Some(recorded)).expect_err("is refused");
        assert!(matches!(&error, Error::Invalid(said) if said.contains(words)), "{error}");
    };
    refused(NOW + 1, "is after now");
    refused(crate::limits::TIME_MIN_MS - 1, "is before 1900");
    assert_eq!(db.snapshot().interactions(), 0);
    assert_eq!(import_one(&db, Some(NOW)).expect("is taken").added, 1);
}

#[test]
fn the_recording_time_is_no_part_of_the_content() {
    let setting = Setting { disk: SimDisk::new(), hands: Arc::new(AtomicI64::new(NOW)) };
    let db = setting.open();
    assert_eq!(import_one(&db, Some(START + 7)).expect("imports").added, 1);
    for recorded in [Some(START + 7), Some(START), None] {
        let report = import_one(&db, recorded).expect("imports");
        assert_eq!((report.added, report.duplicates), (0, 1));
    }
    // The first one stays.
    let by = |at: Millis| db.snapshot().as_of(at).expect("reads").interactions();
    assert_eq!((by(START + 6), by(START + 7)), (0, 1));
}

/// A clock may go back between a row's check and its commit.
#[test]
fn no_commit_is_recorded_before_its_rows() {
    let setting = Setting { disk: SimDisk::new(), hands: Arc::new(AtomicI64::new(NOW)) };
    let mut db = setting.open();
    let hands = Arc::clone(&setting.hands);
    {
        let mut import = db.import("test").expect("begins");
        let kind = import.schema().role(Role::Kind).expect("core").id;
        let mut batch = Batch::new(import.schema());
        for at in [NOW - HOUR, NOW] {
            batch.begin(&Identity::parse("crm:1").expect("parses"), at);
            batch.set(kind, ValueRef::Str("call")).expect("sets");
            batch.recorded(at);
        }
        import.push(batch).expect("takes");
        hands.store(NOW - 10 * HOUR, Ordering::Relaxed);
        import.commit().expect("commits");
    }
    for _ in 0..2 {
        let by = |at: Millis| db.snapshot().as_of(at).expect("reads").interactions();
        assert_eq!((by(NOW - HOUR - 1), by(NOW - HOUR), by(NOW - 1), by(NOW)), (0, 1, 1, 2));
        assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
        drop(db);
        setting.lose_the_graph();
        db = setting.open();
    }
}

/// What was counted once is not read again, also after others have written.
#[test]
fn counts_are_remembered_until_rows_with_times_come() {
    let setting = Setting { disk: SimDisk::new(), hands: Arc::new(AtomicI64::new(NOW)) };
    let mut db = Some(setting.open());
    let mut model = Model::default();
    let told: Vec<Told> = (0..100).map(|hour| (1, hour % 40, Some(hour))).collect();
    model.take(&setting, &mut db, &Step::Import(told.clone(), 50, Vec::new()));
    let remembered =
        |db: &Option<Db>, at: Millis| db.as_ref().expect("is open").snapshot().recorded_found(at);
    let unknown = (START..NOW).step_by(HOUR as usize).find(|&at| {
        model.check(db.as_ref().expect("is open"), at);
        remembered(&db, at).is_some()
    });
    let at = unknown.expect("some instant is not known without reading");
    setting.hands.fetch_add(HOUR, Ordering::Relaxed);
    model.take(&setting, &mut db, &Step::Append(vec![(2, 3, None)]));
    assert!(remembered(&db, at).is_some());
    model.check(db.as_ref().expect("is open"), at);
    model.take(&setting, &mut db, &Step::Import(vec![(2, 4, Some(1))], 1, Vec::new()));
    assert!(remembered(&db, at).is_none());
    model.check(db.as_ref().expect("is open"), at);
}
