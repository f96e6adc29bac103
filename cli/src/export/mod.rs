//! The command `export`: all of a store as Parquet, and the map by which `import` reads it back.

mod layout;
mod links;
mod table;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, LargeStringArray};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use throughline::Db;
use throughline::engine::{Snapshot, Subject, Unit};

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::people::many;
use crate::store::say;
use layout::Layout;
use table::{Rows, TableFile};

const INTERACTIONS: &str = "interactions.parquet";
const CUSTOMERS: &str = "customers.parquet";
const COHORTS: &str = "cohorts.parquet";
const LINKS: &str = "links.parquet";
/// Written last: an export without it was not finished.
const MAP: &str = "map.toml";

/// Interactions read at once, where they are not those of one customer.
const READ_INTERACTIONS: u64 = 1 << 17;

/// What was written.
#[derive(Default)]
struct Written {
    interactions: u64,
    customers: u64,
    customer_rows: u64,
    cohorts: u64,
    sayings: u64,
    odd: u64,
}

/// Writes all of a store into a folder that is not there yet, or is empty.
pub(crate) fn export(db: &Db, to: &Path) -> Outcome<()> {
    let started = Instant::now();
    let made = files::claim_folder(to)?;
    let written = match write(&db.snapshot(), to) {
        // The graph is made anew where a part of it is damaged, as it is for queries.
        Err(Failure::Engine(error)) if db.repair(&error)? => write(&db.snapshot(), to),
        written => written,
    };
    let written = written.inspect_err(|_| {
        for name in [MAP, LINKS, COHORTS, CUSTOMERS, INTERACTIONS] {
            files::remove(&to.join(name));
        }
        if made {
            files::remove_folder(to);
        }
    })?;
    let shown = |name: &str| to.join(name).display().to_string();
    let customers = match written.customer_rows {
        0 => String::new(),
        _ => format!(" --customers {}", shown(CUSTOMERS)),
    };
    let (links, said) = match written.sayings {
        0 => (String::new(), String::new()),
        sayings => {
            (format!(" --links {}", shown(LINKS)), format!(", {} about identities", many(sayings, "saying")))
        }
    };
    if written.odd > 0 {
        let rows = many(written.odd, "row");
        say(&format!(
            "note: {rows} will not be read back as written: an identity with a space at its end, or a sequence past 2^63"
        ));
    }
    say(&format!(
        "wrote {} of {}, {} of customers' attributes{said} and {} to {} in {:.1} s; this makes a store of it:\n  throughline import NEW.db {}{customers}{links} --map {}",
        many(written.interactions, "interaction"),
        many(written.customers, "customer"),
        many(written.customer_rows, "row"),
        many(written.cohorts, "cohort"),
        to.display(),
        started.elapsed().as_secs_f64(),
        shown(INTERACTIONS),
        shown(MAP),
    ));
    Ok(())
}

fn write(snapshot: &Snapshot, to: &Path) -> Outcome<Written> {
    let recorded: BTreeMap<u64, i64> = snapshot.recorded()?.into_iter().collect();
    let mut written = Written { customers: snapshot.customers(), ..Written::default() };
    let mut map = String::from(
        "# Made by `throughline export`. Values and names stand as they are; nothing is guessed or trimmed.\nexact = true\n",
    );

    let layout = Layout::of(snapshot.schema(), Subject::Interaction);
    map.push_str(&layout.map("columns"));
    let mut file = TableFile::create(&to.join(INTERACTIONS), layout.schema())?;
    let mut rows = Rows { snapshot, layout: &layout, recorded: &recorded, written: 0, odd: 0 };
    let wanted = layout.wanted();
    for unit in snapshot.units() {
        for span in spans(unit, snapshot.ordinals()) {
            rows.write(&snapshot.read_span(span, &wanted)?, &mut file)?;
        }
    }
    file.finish()?;
    (written.interactions, written.odd) = (rows.written, rows.odd);

    if let Some(block) = snapshot.customer_rows() {
        let layout = Layout::of(snapshot.schema(), Subject::Customer);
        map.push_str(&layout.map("customers"));
        let mut file = TableFile::create(&to.join(CUSTOMERS), layout.schema())?;
        let mut rows = Rows { snapshot, layout: &layout, recorded: &recorded, written: 0, odd: written.odd };
        rows.write(block, &mut file)?;
        file.finish()?;
        (written.customer_rows, written.odd) = (rows.written, rows.odd);
    }
    written.cohorts = cohorts(snapshot, to)?;
    let told = links::links(snapshot, &to.join(LINKS))?;
    map.push_str(&links::map(snapshot, told.sayings));
    written.sayings = told.sayings;
    written.odd += told.odd;
    files::write_durably(&to.join(MAP), &map)?;
    Ok(written)
}

/// A row a customer of a saved cohort. `import` has no use for it: SAVE COHORT makes them again.
fn cohorts(snapshot: &Snapshot, to: &Path) -> Outcome<u64> {
    let names = snapshot.cohorts();
    if names.is_empty() {
        return Ok(0);
    }
    let field = |name: &str| Field::new(name, DataType::LargeUtf8, false);
    let mut file =
        TableFile::create(&to.join(COHORTS), ArrowSchema::new(vec![field("cohort"), field("customer")]))?;
    for name in &names {
        let customers = snapshot.cohort(name)?.unwrap_or_default();
        let known = customers.into_iter().filter(|&customer| customer < snapshot.ordinals());
        let customers =
            known.map(|customer| snapshot.customer_name(customer)).collect::<Result<Vec<String>, _>>()?;
        let cohort = LargeStringArray::from_iter_values(customers.iter().map(|_| name));
        let columns: [ArrayRef; 2] =
            [Arc::new(cohort), Arc::new(LargeStringArray::from_iter_values(&customers))];
        file.write(columns.to_vec())?;
    }
    file.finish()?;
    Ok(names.len() as u64)
}

/// A unit in pieces of about as many interactions as fit well into memory.
fn spans(unit: &Unit, ordinals: u32) -> impl Iterator<Item = RangeInclusive<u32>> + use<> {
    let last = unit.last.min(ordinals.saturating_sub(1)).max(unit.first);
    let customers = last - unit.first + 1;
    let pieces = unit.interactions.div_ceil(READ_INTERACTIONS).clamp(1, u64::from(customers)) as u32;
    let width = customers.div_ceil(pieces);
    (unit.first..=last).step_by(width as usize).map(move |first| first..=last.min(first + (width - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_make_up_their_unit() {
        let check = |first, last, interactions, ordinals, expected: &[RangeInclusive<u32>]| {
            let unit = Unit { first, last, interactions, time_min: 0, time_max: 0 };
            assert_eq!(spans(&unit, ordinals).collect::<Vec<_>>(), expected);
        };
        check(0, 65_535, 10, 3, &[0..=2]);
        check(
            65_536,
            131_071,
            3 * READ_INTERACTIONS,
            65_546,
            &[65_536..=65_539, 65_540..=65_543, 65_544..=65_545],
        );
        check(5, 5, 9 * READ_INTERACTIONS, 100, &[5..=5]);
        check(5, 7, 9 * READ_INTERACTIONS, 100, &[5..=5, 6..=6, 7..=7]);
        check(0, u32::MAX - 1, 1, u32::MAX, &[0..=u32::MAX - 1]);
    }
}
