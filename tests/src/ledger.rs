//! What a store was told, what it acknowledged, and whether it still holds it.

use std::collections::{BTreeMap, BTreeSet};

use throughline::engine::{
    AttrId, Block, Column, Db, Error, Identity, Link, Options, Result, Snapshot, Subject, Symbols,
};

use crate::reference::{Event, Val};
use crate::store::{interaction, try_import};

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000;
const MINUTE: i64 = 60_000;

/// The number of the batch that a store must take after all it went through.
pub const AFTER: usize = 1_000_000;

/// Options that take the times of tests whatever the clock says, with little memory.
pub fn options() -> Options {
    Options { memory_bytes: 8 << 20, horizon_ms: 100 * 366 * 86_400_000, ..Options::default() }
}

/// The identities 2k and 2k + 1 may turn out to be one customer, who is shown by the first.
fn identity(number: usize) -> String {
    format!("{}:{number}", ["crm", "phone"][number % 2])
}

/// The interactions of a batch: the same for the same number.
pub fn batch(number: usize) -> Vec<Event> {
    (0..3 + number % 4)
        .map(|place| {
            let customer = (number * 7 + place * 3) % 13;
            let time = START + ((number * 37 + place * 11) % 500) as i64 * MINUTE;
            let event = Event::new(&identity(customer), time, (number * 100 + place) as u64)
                .with("mark", Val::Int((number * 100 + place) as i64))
                .with("kind", ["call", "complaint", "review"][(number + place) % 3])
                .with("text", format!("batch {number}, interaction {place}").as_str());
            if place % 2 == 0 { event.with("topic", ["billing", "delivery"][number % 2]) } else { event }
        })
        .collect()
}

/// A step of a store's life.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Appends a batch.
    Append(usize),
    /// Imports a batch in bulk, in pieces.
    Import(usize),
    /// Writes what is in memory into the graph.
    Seal,
    /// Makes the graph anew.
    Rebuild,
    /// Says that the identities of a pair belong together.
    Link(usize),
    /// Says that they do not.
    Unlink(usize),
}

/// A life with every kind of step: enough seals that runs are merged and folded.
pub fn life() -> Vec<Act> {
    let mut acts = vec![Act::Append(0), Act::Append(1), Act::Seal, Act::Import(2), Act::Append(3), Act::Seal];
    for number in 4..14 {
        acts.extend([Act::Append(number), Act::Seal]);
        match number {
            5 => acts.push(Act::Link(0)),
            8 => acts.extend([Act::Link(1), Act::Seal, Act::Unlink(0)]),
            _ => {}
        }
    }
    acts.extend([
        Act::Append(14),
        Act::Link(2),
        Act::Rebuild,
        Act::Append(15),
        Act::Unlink(1),
        Act::Import(16),
        Act::Link(0),
        Act::Seal,
        Act::Append(17),
    ]);
    acts
}

/// The batches that a store must hold, and the one that it may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Acknowledged.
    pub held: BTreeSet<usize>,
    /// Tried, and neither acknowledged nor certain to have failed.
    pub unsure: BTreeSet<usize>,
    /// Whether the identities of a pair are one customer; `None` where that is not certain.
    pub linked: BTreeMap<usize, Option<bool>>,
}

impl Ledger {
    /// Does one thing, and notes what was acknowledged.
    ///
    /// # Errors
    /// What the store said.
    pub fn act(&mut self, db: &Db, act: Act) -> Result<()> {
        match act {
            Act::Append(number) => {
                self.unsure.insert(number);
                db.append(batch(number).iter().map(|event| interaction(event, true)))?;
                self.settle(number);
            }
            Act::Import(number) => {
                self.unsure.insert(number);
                try_import(db, &format!("batch {number}"), &batch(number), 2, true)?;
                self.settle(number);
            }
            Act::Seal => db.seal()?,
            Act::Rebuild => db.rebuild()?,
            Act::Link(pair) => {
                let [one, other] = self.begin(pair, true)?;
                db.link([Link::new(one, other)?])?;
                self.linked.insert(pair, Some(true));
            }
            Act::Unlink(pair) => {
                let [one, other] = self.begin(pair, false)?;
                db.unlink(&one, &other, "ledger")?;
                self.linked.insert(pair, Some(false));
            }
        }
        Ok(())
    }

    /// The identities of a pair, about which something is said now.
    fn begin(&mut self, pair: usize, joined: bool) -> Result<[Identity; 2]> {
        let known = self.linked.entry(pair).or_insert(Some(false));
        *known = known.filter(|known| *known == joined);
        Ok([Identity::parse(&identity(2 * pair))?, Identity::parse(&identity(2 * pair + 1))?])
    }

    /// Whether the identities of a row's pair are one customer; `None` where that is not certain.
    fn joined(&self, row: &Row) -> (usize, Option<bool>) {
        let number = row.customer.split_once(':').and_then(|(_, number)| number.parse::<usize>().ok());
        let pair = number.unwrap_or_default() / 2;
        (pair, self.linked.get(&pair).copied().unwrap_or(Some(false)))
    }

    /// A row given, under the customer that it is of.
    fn expected(&self, row: Row) -> Row {
        match self.joined(&row) {
            (_, Some(false)) => row,
            (pair, _) => Row { customer: identity(pair * 2), ..row },
        }
    }

    /// A row found, under a customer that it is certain to be of.
    fn found(&self, row: Row) -> Row {
        match self.joined(&row) {
            (pair, None) => Row { customer: identity(pair * 2), ..row },
            _ => row,
        }
    }

    /// Notes an acknowledged batch.
    pub fn settle(&mut self, number: usize) {
        self.unsure.remove(&number);
        self.held.insert(number);
    }

    /// Whether the store holds every acknowledged batch whole, and of the
    /// others each whole or not at all.
    ///
    /// # Errors
    /// In words, what is wrong.
    pub fn verify(&self, db: &Db) -> std::result::Result<(), String> {
        let rows = contents(&db.snapshot()).map_err(|error| error.to_string())?;
        let mut found: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
        for row in rows {
            let row = self.found(row);
            found.entry(row.mark.unwrap_or(-1).max(0) as usize / 100).or_default().push(row);
        }
        for number in &self.held {
            if !found.contains_key(number) {
                return Err(format!("batch {number} was acknowledged and is gone"));
            }
        }
        for (number, mut rows) in found {
            if !self.held.contains(&number) && !self.unsure.contains(&number) {
                return Err(format!("batch {number} was never given, and is there: {rows:?}"));
            }
            let mut expected: Vec<Row> =
                batch(number).iter().map(|event| self.expected(Row::of(event))).collect();
            expected.sort();
            rows.sort();
            if rows != expected {
                return Err(format!("batch {number} is not what was given: {rows:?}, not {expected:?}"));
            }
        }
        Ok(())
    }

    /// [`Ledger::verify`], then `check`, then the batch [`AFTER`], which must be taken.
    ///
    /// # Errors
    /// In words, what is wrong.
    pub fn verify_in_use(&self, db: &Db) -> std::result::Result<(), String> {
        self.verify(db)?;
        let report = db.check().map_err(|error| format!("check: {error}"))?;
        if !report.problems.is_empty() {
            return Err(format!("check found {:?}", report.problems));
        }
        let mut after = self.clone();
        after.act(db, Act::Append(AFTER)).map_err(|error| format!("another append: {error}"))?;
        after.verify(db)
    }
}

/// An interaction as a snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The customer's identity.
    pub customer: String,
    /// Milliseconds since 1970 UTC.
    pub time: i64,
    /// Its number.
    pub mark: Option<i64>,
    /// Its kind.
    pub kind: Option<String>,
    /// Its topic.
    pub topic: Option<String>,
    /// Its words.
    pub text: Option<String>,
}

impl Row {
    fn of(event: &Event) -> Self {
        let text = |name: &str| event.text(name).map(str::to_owned);
        Self {
            customer: event.customer.clone(),
            time: event.time,
            mark: event.number("mark").map(|mark| mark as i64),
            kind: text("kind"),
            topic: text("topic"),
            text: text("text"),
        }
    }
}

/// Every interaction, in the order of the snapshot. Checks on the way that each
/// journey is in order.
///
/// # Errors
/// What the store said, and [`Error::Invalid`] for a journey out of order.
pub fn contents(snapshot: &Snapshot) -> Result<Vec<Row>> {
    let attr = |name: &str| snapshot.schema().find(Subject::Interaction, name).map(|attr| attr.id);
    let names = ["mark", "kind", "topic", "text"];
    let ids: Vec<Option<AttrId>> = names.iter().map(|name| attr(name)).collect();
    let mut wanted: Vec<AttrId> = ids.iter().copied().flatten().collect();
    wanted.sort();
    let mut rows = Vec::new();
    for unit in 0..snapshot.units().len() {
        let block = snapshot.read(unit, &wanted)?;
        for (place, &ordinal) in block.customers.iter().enumerate() {
            let customer = snapshot.customer_name(ordinal)?;
            let journey = block.journey(place);
            if !block.times.get(journey.clone()).is_some_and(<[i64]>::is_sorted) {
                return Err(Error::invalid(format!("the journey of {customer} is out of order")));
            }
            for row in journey {
                let text =
                    |id: Option<AttrId>| id.and_then(|id| text_at(&block, id, &snapshot.symbols(id), row));
                rows.push(Row {
                    customer: customer.clone(),
                    time: block.times.get(row).copied().unwrap_or_default(),
                    mark: ids[0].and_then(|id| int_at(&block, id, row)),
                    kind: text(ids[1]),
                    topic: text(ids[2]),
                    text: text(ids[3]),
                });
            }
        }
    }
    Ok(rows)
}

fn int_at(block: &Block, id: AttrId, row: usize) -> Option<i64> {
    match block.column(id)? {
        column if column.is_null(row) => None,
        Column::Int { values, .. } => values.get(row).copied(),
        _ => None,
    }
}

fn text_at(block: &Block, id: AttrId, symbols: &Symbols, row: usize) -> Option<String> {
    let place = |codes: &[u32]| codes.get(row).and_then(|&code| code.checked_sub(1));
    match block.column(id)? {
        Column::Symbol { codes, dictionary } => {
            Some(symbols.get(*dictionary.get(place(codes)? as usize)?).to_owned())
        }
        Column::Str { codes, dictionary } => Some(dictionary.get(place(codes)? as usize).to_owned()),
        _ => None,
    }
}

/// [`portrait`] as an application gets it: where a page of the graph is
/// damaged, it has the graph repaired and asks again.
///
/// # Errors
/// What the store said that is no damage of the graph, or said again.
pub fn portrait_repaired(db: &Db) -> Result<String> {
    match portrait(&db.snapshot()) {
        Err(error) if db.repair(&error)? => portrait(&db.snapshot()),
        result => result,
    }
}

/// Everything a reader can learn: the rows, and what the indexes, the
/// dictionaries and the identities say. Two stores of equal history are equal.
///
/// # Errors
/// What the store said.
pub fn portrait(snapshot: &Snapshot) -> Result<String> {
    let rows = contents(snapshot)?;
    let mut text = format!(
        "{} customers, {} interactions, {:?}\n",
        snapshot.customers(),
        snapshot.interactions(),
        snapshot.time_span()?
    );
    let customers: BTreeSet<&str> = rows.iter().map(|row| row.customer.as_str()).collect();
    for customer in customers {
        let known = snapshot.resolve(&Identity::parse(customer)?)?;
        let mut count = 0;
        for row in rows.iter().filter(|row| row.customer == customer) {
            text += &format!("{row:?}\n");
            count += 1;
        }
        text += &format!("{customer}: {count} interactions, known: {}\n", known.is_some());
        let Some(ordinal) = known else { continue };
        for attribute in snapshot.schema().attributes() {
            let symbols = snapshot.symbols(attribute.id);
            let mut values: Vec<(&str, u32)> =
                (0..symbols.len() as u32).map(|s| (symbols.get(s), s)).collect();
            values.sort_unstable();
            for (value, symbol) in values {
                for n in 1..=3 {
                    let has = snapshot.at_least(attribute.id, symbol, n)?.contains(ordinal);
                    text += &format!("  {} {value} at least {n}: {has}\n", attribute.name);
                }
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_told_apart() {
        let marks: BTreeSet<String> =
            (0..20).flat_map(batch).map(|event| format!("{:?}", event.attrs.get("mark"))).collect();
        assert_eq!(marks.len(), (0..20).map(|number| batch(number).len()).sum::<usize>());
    }
}
