//! A script of everything that writes, broken at every operation on the disk:
//! what was acknowledged is whole, what was not is whole or absent, and going
//! on from there ends where the unbroken script ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::batch::{Batch, ValueRef};
use crate::disk_sim::{Fault, Loss, SimDisk};
use crate::model::Identity;
use crate::schema::{AttrId, AttrType, Role, Subject};
use crate::{Block, Column};

/// Few enough rows that the script seals, merges, folds and sorts outside memory.
pub(super) fn options() -> Options {
    Options { memory_bytes: 1 << 20, tail_interactions: 100, ..Options::default() }
}

pub(super) fn try_open(disk: &SimDisk) -> Result<Db> {
    Db::open_on(Arc::new(disk.clone()), options())
}

/// What is looked at of an interaction: all that the script sets.
pub(super) type Row = (String, i64, BTreeMap<&'static str, String>);

fn text_at(snapshot: &Snapshot, attr: AttrId, column: &Column, row: usize) -> Option<String> {
    (!column.is_null(row)).then(|| match column {
        Column::Symbol { codes, dictionary } => {
            snapshot.symbols(attr).get(dictionary[codes[row] as usize - 1]).to_owned()
        }
        Column::Str { codes, dictionary } => dictionary.get(codes[row] as usize - 1).to_owned(),
        Column::Int { values, .. } => values[row].to_string(),
        Column::Float { values, .. } => values[row].to_string(),
    })
}

/// All interactions by the batch that they say they belong to.
pub(super) fn try_dump(snapshot: &Snapshot) -> Result<BTreeMap<String, Vec<Row>>> {
    let schema = snapshot.schema();
    let names = ["batch", "kind", "event_id", "amount", "flag", "note"];
    let mut attrs: Vec<(&'static str, AttrId)> =
        names.iter().filter_map(|name| Some((*name, schema.find(Subject::Interaction, name)?.id))).collect();
    attrs.push(("recorded", AttrId::RECORDED));
    let wanted: Vec<AttrId> = attrs.iter().map(|(_, attr)| *attr).collect();
    let mut out: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let (mut rows, mut customers) = (0, BTreeSet::new());
    for unit in 0..snapshot.units().len() {
        let block: Block = snapshot.read(unit, &wanted)?;
        rows += block.rows() as u64;
        for (place, &customer) in block.customers.iter().enumerate() {
            assert!(customers.insert(customer), "a customer in two units");
            let journey = block.journey(place);
            assert!(block.times[journey.clone()].is_sorted());
            for row in journey {
                let mut values = BTreeMap::new();
                for (name, attr) in &attrs {
                    let Some(column) = block.column(*attr) else { continue };
                    if let Some(text) = text_at(snapshot, *attr, column, row) {
                        values.insert(*name, text);
                    }
                }
                let batch = values.get("batch").cloned().unwrap_or_default();
                out.entry(batch).or_default().push((
                    snapshot.customer_name(customer)?,
                    block.times[row],
                    values,
                ));
            }
        }
    }
    assert_eq!((rows, customers.len() as u64), (snapshot.interactions(), snapshot.customers()));
    out.values_mut().for_each(|rows| rows.sort());
    Ok(out)
}

pub(super) fn dump(snapshot: &Snapshot) -> BTreeMap<String, Vec<Row>> {
    try_dump(snapshot).expect("reads")
}

/// The plans of the customers, by name.
pub(super) fn plans(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let Some(plan) = snapshot.schema().find(Subject::Customer, "plan").map(|attribute| attribute.id) else {
        return BTreeMap::new();
    };
    let column = snapshot.customer_column(plan).expect("reads");
    (0..snapshot.ordinals())
        .filter_map(|customer| {
            let text = text_at(snapshot, plan, &column, customer as usize)?;
            Some((snapshot.customer_name(customer).expect("has a name"), text))
        })
        .collect()
}

/// One write of the script.
#[derive(Clone, Copy, Debug)]
enum Write {
    /// So many interactions by `append`.
    Append(usize),
    Seal,
    /// So many by an import, half of them without event ids; `true` widens types.
    Import(usize, bool),
    Abandon,
    Customers,
    Cohort,
    Rebuild,
    /// A journey is written anew, as it is: the seal that follows leaves a mark.
    Rewrite,
    CloseAndReopen,
    Reopen,
}

/// The script: it begins with creating the store.
fn script() -> Vec<Write> {
    use Write::*;
    let mut script = vec![Append(70), Append(3), Seal];
    // Seals that are merged into one run, then one more beside it.
    for _ in 0..8 {
        script.extend([Append(1), Seal]);
    }
    script.extend([Append(2), Cohort, Customers, Import(9, false), Abandon, Append(1), Cohort]);
    // Widens, sorts outside memory and folds.
    script.extend([Import(110, true), Append(2), Rebuild, Append(1), Rewrite, CloseAndReopen]);
    script.push(Append(4));
    // Past the tail: a seal within an append.
    script.extend([Append(100), Customers, Append(1), Reopen, Append(1)]);
    script
}

pub(super) fn interaction(batch: &str, row: usize) -> Interaction {
    let interaction = Interaction::new(format!("crm:{}", (row * 7 + batch.len()) % 13), (row % 5) as i64)
        .kind(["call", "chat", "mail"][row % 3])
        .event_id(&format!("{batch}-{row}"))
        .set("batch", batch)
        .set("amount", row as i64);
    // The schema grows on the way.
    if batch.len() > 2 && row.is_multiple_of(2) { interaction.set("flag", "yes") } else { interaction }
}

fn import(db: &Db, batch: &str, rows: usize, widen: bool, commit: bool) -> Result<()> {
    let mut import = db.import(batch)?;
    let (amount, flag) = match widen {
        false => (AttrType::Int, AttrType::Symbol),
        true => (AttrType::Float, AttrType::Text),
    };
    let amount = import.declare(Subject::Interaction, "amount", amount, None)?;
    let flag = import.declare(Subject::Interaction, "flag", flag, None)?;
    let label = import.declare(Subject::Interaction, "batch", AttrType::Symbol, None)?;
    let note = import.declare(Subject::Interaction, "note", AttrType::Id, None)?;
    let plan = import.declare(
        Subject::Customer,
        "plan",
        if commit { AttrType::Symbol } else { AttrType::Text },
        None,
    )?;
    let schema = import.schema().clone();
    let event_id = schema.role(Role::EventId).map_or(plan, |attribute| attribute.id);
    for part in (0..rows).collect::<Vec<_>>().chunks(50) {
        let mut out = Batch::new(&schema);
        for &row in part {
            out.begin(&Identity::parse(&format!("crm:{}", row % 17))?, (row % 4) as i64);
            out.sequence(row as u64);
            if row % 3 > 0 {
                out.recorded((row % 40) as i64);
            }
            out.set(label, ValueRef::Str(batch))?;
            out.set(amount, ValueRef::Int((row % 6) as i64))?;
            if row % 2 == 0 {
                out.set(flag, ValueRef::Str("no"))?;
                out.set(event_id, ValueRef::Str(&format!("{batch}-{row}")))?;
            } else {
                // True duplicates are among these.
                out.set(note, ValueRef::Str(["x", "y"][row / 2 % 2]))?;
            }
        }
        import.push(out)?;
    }
    if commit { import.commit().map(drop) } else { Ok(()) }
}

fn customers(db: &Db, batch: &str) -> Result<()> {
    let mut import = db.import(batch)?;
    let plan = import.declare(Subject::Customer, "plan", AttrType::Symbol, None)?;
    let mut out = Batch::new(import.schema());
    for row in 0..6 {
        out.begin(&Identity::parse(&format!("crm:{row}"))?, batch.len() as i64);
        out.sequence(row);
        out.recorded(row as i64);
        out.set(plan, ValueRef::Str(batch))?;
    }
    import.push_customers(out)?;
    import.commit().map(drop)
}

/// Writes a customer's journey anew, as it is.
pub(super) fn rewrite(db: &Db, customer: u32) -> Result<()> {
    let mut writer = db.writer.lock();
    writer.state.rewrite(&[customer].into_iter().collect())?;
    db.shown.show(&writer.state);
    Ok(())
}

/// What a run of the script was told.
#[derive(Default)]
pub(super) struct Told {
    /// Batches (and sizes) that were begun, and whether they were acknowledged.
    batches: Vec<(String, usize, bool)>,
    cohorts: Vec<(String, bool)>,
    plans: Vec<(String, bool)>,
    /// The first error.
    pub(super) error: Option<Error>,
}

/// Runs the script on a store up to its end or the first error.
pub(super) fn run(disk: &SimDisk) -> (Told, Option<Db>) {
    let mut told = Told::default();
    let mut db = match try_open(disk) {
        Ok(db) => db,
        Err(error) => return (Told { error: Some(error), ..told }, None),
    };
    for (step, write) in script().into_iter().enumerate() {
        let name = format!("{}{step}", "b".repeat(1 + step / 4));
        let answer = match write {
            Write::Append(rows) => {
                told.batches.push((name.clone(), rows, false));
                let batch: Vec<Interaction> = (0..rows).map(|row| interaction(&name, row)).collect();
                db.append(batch).map(drop)
            }
            Write::Import(rows, widen) => {
                told.batches.push((name.clone(), rows, false));
                import(&db, &name, rows, widen, true)
            }
            Write::Abandon => import(&db, "abandoned", 60, true, false),
            Write::Customers => {
                told.plans.push((name.clone(), false));
                customers(&db, &name)
            }
            Write::Cohort => {
                told.cohorts.push((name.clone(), false));
                db.save_cohort(&name, &[1, step as u32].into_iter().collect()).map(drop)
            }
            Write::Seal => db.seal(),
            Write::Rebuild => db.rebuild(),
            Write::Rewrite => rewrite(&db, 0),
            Write::CloseAndReopen | Write::Reopen => {
                let closed = match write {
                    Write::CloseAndReopen => db.close(),
                    _ => {
                        drop(db);
                        Ok(())
                    }
                };
                match closed.and_then(|()| try_open(disk)) {
                    Ok(new) => {
                        db = new;
                        Ok(())
                    }
                    Err(error) => return (Told { error: Some(error), ..told }, None),
                }
            }
        };
        if let Err(error) = answer {
            told.error = Some(error);
            return (told, None);
        }
        match write {
            Write::Append(_) | Write::Import(..) => told.batches.iter_mut().for_each(|batch| batch.2 = true),
            Write::Cohort => told.cohorts.iter_mut().for_each(|cohort| cohort.1 = true),
            Write::Customers => told.plans.iter_mut().for_each(|plan| plan.1 = true),
            _ => {}
        }
    }
    (told, Some(db))
}

/// What the unbroken script leaves, and how many operations it takes.
pub(super) fn expected() -> (BTreeMap<String, Vec<Row>>, BTreeMap<String, String>, u64) {
    let disk = SimDisk::new();
    let (told, db) = run(&disk);
    assert!(told.error.is_none(), "{:?}", told.error);
    let snapshot = db.expect("is open").snapshot();
    (dump(&snapshot), plans(&snapshot), disk.operations())
}

/// The promises, on a store found after something went wrong.
fn verify(db: &Db, told: &Told, expected: &BTreeMap<String, Vec<Row>>, context: &str) {
    let snapshot = db.snapshot();
    let found = dump(&snapshot);
    for (batch, rows, acknowledged) in &told.batches {
        match found.get(batch) {
            None => assert!(!acknowledged, "{context}: {batch} is lost"),
            Some(found) => {
                assert_eq!(found.len(), *rows, "{context}: {batch} is there in part");
                let untyped = |rows: &[Row]| -> Vec<(String, i64, Option<String>)> {
                    rows.iter().map(|row| (row.0.clone(), row.1, row.2.get("kind").cloned())).collect()
                };
                let mut both = [untyped(found), untyped(&expected[batch])];
                both.iter_mut().for_each(|rows| rows.sort());
                assert_eq!(both[0], both[1], "{context}: {batch}");
            }
        }
    }
    for batch in found.keys() {
        assert!(told.batches.iter().any(|(told, ..)| told == batch), "{context}: {batch} was never written");
    }
    for (name, acknowledged) in &told.cohorts {
        assert!(!acknowledged || snapshot.cohorts().contains(name), "{context}: cohort {name} is lost");
    }
    let plans: BTreeSet<String> = plans(&snapshot).into_values().collect();
    assert!(plans.len() <= 1, "{context}: {plans:?}");
    let known = told.plans.iter().position(|(name, _)| plans.contains(name));
    let least = told.plans.iter().rposition(|(_, acknowledged)| *acknowledged);
    assert!(known >= least, "{context}: plans {plans:?}");
    let report = db.check().expect("checks");
    assert_eq!(report.problems, Vec::<String>::new(), "{context}");
}

/// Chunks of the graph that nothing names and nothing will remove or write over.
pub(super) fn forgotten(db: &Db, disk: &SimDisk) -> Vec<u64> {
    let writer = db.writer.lock();
    let manifest = &writer.state.version.manifest;
    let known: BTreeSet<u64> =
        manifest.chunks().iter().map(|chunk| chunk.id).chain(manifest.doomed.iter().copied()).collect();
    let graph = disk.open_graph(&crate::commit::graph_folder(writer.graph)).expect("opens");
    let keys = graph.keys().expect("lists");
    keys.iter()
        .filter_map(|key| {
            Some(u64::from_be_bytes(
                *key.first_chunk::<8>().filter(|_| key.len() == 8 && key != b"manifest")?,
            ))
        })
        .filter(|id| manifest.next_chunk > *id && !known.contains(id))
        .collect()
}

/// Reopens, checks, goes on to the end of the script, and compares the end.
fn recover(
    disk: &SimDisk,
    told: &Told,
    expected: &(BTreeMap<String, Vec<Row>>, BTreeMap<String, String>, u64),
    context: &str,
) {
    let db = try_open(disk).unwrap_or_else(|error| panic!("{context}: {error}"));
    verify(&db, told, &expected.0, context);
    drop(db);
    // The script again adds exactly what is missing.
    let (again, db) = run(disk);
    assert!(again.error.is_none(), "{context}: {:?}", again.error);
    let db = db.expect("is open");
    assert_eq!(forgotten(&db, disk), Vec::<u64>::new(), "{context}");
    let snapshot = db.snapshot();
    assert_eq!(dump(&snapshot), expected.0, "{context}");
    assert_eq!(plans(&snapshot), expected.1, "{context}");
    let leftovers = disk.list("").expect("lists");
    let graphs = leftovers.iter().filter(|name| name.starts_with("graph-")).count();
    assert!(graphs == 1 && leftovers.len() == 4, "{context}: {leftovers:?}");
}

#[test]
fn a_crash_at_every_operation_loses_nothing_acknowledged() {
    let expected = expected();
    for n in 1..=expected.2 {
        let disk = SimDisk::new();
        disk.fail_at(n, Fault::Crash);
        let (told, db) = run(&disk);
        drop(db);
        let struck = disk.struck();
        for (seed, loss) in [(0, Loss::Kept), (0, Loss::Lost), (n, Loss::Torn), (n + 1, Loss::Torn)] {
            let context = format!("crash at {n} ({struck:?}), {loss:?}, seed {seed}");
            recover(&disk.after_crash(seed, loss), &told, &expected, &context);
        }
    }
}

#[test]
fn a_fault_at_every_operation_is_an_error_and_loses_nothing_acknowledged() {
    let expected = expected();
    for fault in [Fault::SyncError, Fault::DiskFull, Fault::Error] {
        for n in 1..=expected.2 {
            let disk = SimDisk::new();
            disk.fail_at(n, fault);
            let (told, db) = run(&disk);
            drop(db);
            let context = format!("{fault:?} at {n} ({:?}), answered {:?}", disk.struck(), told.error);
            recover(&disk.after_crash(n, Loss::Kept), &told, &expected, &context);
        }
    }
}

/// A disk that fills up and stays full: what is acknowledged is found once there is room.
#[test]
fn a_full_disk_is_an_error_and_loses_nothing_acknowledged() {
    let expected = expected();
    for room in (0..60_000).step_by(577) {
        let disk = SimDisk::new();
        disk.full_after(room);
        let (told, db) = run(&disk);
        drop(db);
        let context = format!("{room} bytes of room, answered {:?}", told.error);
        disk.make_room();
        recover(&disk, &told, &expected, &context);
    }
}

#[test]
fn a_crash_while_recovering_from_a_crash_loses_nothing() {
    let expected = expected();
    for n in (1..=expected.2).step_by(3) {
        let disk = SimDisk::new();
        disk.fail_at(n, Fault::Crash);
        let (told, db) = run(&disk);
        drop(db);
        for m in 1.. {
            let found = disk.after_crash(n, Loss::Torn);
            found.fail_at(m, Fault::Crash);
            let whole = try_open(&found).is_ok();
            let context = format!("crash at {n} ({:?}), then at {m} ({:?})", disk.struck(), found.struck());
            let again = found.after_crash(m, Loss::Torn);
            let db = try_open(&again).unwrap_or_else(|error| panic!("{context}: {error}"));
            verify(&db, &told, &expected.0, &context);
            if whole {
                break;
            }
        }
    }
}
