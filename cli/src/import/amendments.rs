//! The command `amend`: what a file says that interactions should have been.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use csv::StringRecord;
use throughline::engine::{
    Amendment, AttrType, Attribute, Corrected, Db, Identity, OwnedValue, Role, Schema, Subject,
};

use super::delimited::{HEADER_BYTES, Lines, guess_delimiter, has_carriage_returns};
use super::record::Record;
use super::rejects::{Reason, Refusal, Rejects};
use super::source::{self, Format, Source, shown};
use super::values::{TimeRule, parse_bool, parse_float, parse_int, parse_sentiment};
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::people::{count, many};
use crate::progress::ByteProgress;
use crate::store::say;

/// Rows that are looked up and committed at once.
const ROWS_AT_ONCE: usize = 100_000;
/// Bytes of the rows that are, unless a single one has more.
const BYTES_AT_ONCE: usize = 32 << 20;
/// What leaves an attribute without a value.
const NOTHING: &str = "NULL";

/// What a column holds.
enum Meaning {
    EventId,
    Customer,
    Value(String, AttrType, Option<Role>),
}

/// A row that waits: where it stood, and as it was.
struct Waiting {
    line: u64,
    raw: String,
    amendment: Amendment,
}

/// What was done so far.
#[derive(Default)]
struct Done {
    rows: u64,
    changed: u64,
    unchanged: u64,
    commit: u64,
}

/// Amends the interactions that a file of separated values names, some at a time.
pub(crate) fn amend(db: &Db, path: &Path, rejects: PathBuf) -> Outcome<()> {
    let started = Instant::now();
    let file = shown(path);
    let progress = Arc::new(AtomicU64::new(0));
    let bar = ByteProgress::follow(&progress, files::length(path));
    let (delimiter, mut text) = match source::open(path, &progress)? {
        Source::Text(Format::Delimited(delimiter), text) => (delimiter, text),
        _ => {
            return Err(Failure::said(format!("{file} is not csv or tsv, which amendments are read from")));
        }
    };
    let mut start = Vec::new();
    let read = text.by_ref().take(HEADER_BYTES).read_to_end(&mut start);
    read.map_err(|error| source::unreadable(path, &error))?;
    let delimiter = delimiter.unwrap_or_else(|| guess_delimiter(&start));
    let carriage_returns = has_carriage_returns(&start);
    let mut lines = Lines::new(Cursor::new(start).chain(text), delimiter, carriage_returns);
    let mut done = Done { commit: db.snapshot().commit(), ..Done::default() };
    let unreadable = |error: csv::Error, done: &Done| {
        let commit = count(done.commit);
        Failure::said(format!("cannot read {file}: {error}; what came before is durable as commit {commit}"))
    };
    let header = match lines.next().map_err(|error| unreadable(error, &done))? {
        Some((_, Ok(header))) => header,
        Some((_, Err(_))) => {
            return Err(Failure::said(format!("the header of {file} is not a line of UTF-8")));
        }
        None => return Err(Failure::said(format!("{file} is empty: it has not even a header line"))),
    };
    let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    let columns = columns(&header, db.snapshot().schema(), &file)?;
    let mut rejects = Rejects::new(rejects, false);
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    while let Some((line, row)) = lines.next().map_err(|error| unreadable(error, &done))? {
        done.rows += 1;
        match row {
            Err((reason, raw)) => {
                let raw = StringRecord::from_byte_record_lossy(raw).raw();
                rejects.refuse(&file, line, &Refusal::row(reason, ""), &raw)?;
            }
            Ok(record) => match amendment(&record, &header, &columns) {
                Err(refusal) => rejects.refuse(&file, line, &refusal, &record.raw())?,
                Ok(amendment) => {
                    bytes += record.as_slice().len();
                    waiting.push(Waiting { line, raw: record.raw(), amendment });
                }
            },
        }
        if waiting.len() >= ROWS_AT_ONCE || bytes >= BYTES_AT_ONCE {
            take(db, std::mem::take(&mut waiting), &file, &mut rejects, &mut done)?;
            bytes = 0;
        }
    }
    take(db, waiting, &file, &mut rejects, &mut done)?;
    rejects.flush()?;
    drop(bar);
    said(&done, &rejects, started.elapsed().as_secs_f64());
    Ok(())
}

/// What the columns hold.
fn columns(header: &[String], schema: &Schema, file: &str) -> Outcome<Vec<Meaning>> {
    let event_id = schema.role(Role::EventId).map_or("event_id", |attribute| &attribute.name);
    let mut met: BTreeSet<String> = BTreeSet::new();
    let mut columns = Vec::with_capacity(header.len());
    for name in header {
        let is = |words: &[&str]| words.iter().any(|word| name.eq_ignore_ascii_case(word));
        if name.is_empty() || !met.insert(name.to_lowercase()) {
            return Err(Failure::said(format!("{file}: the column `{name}` is there twice or has no name")));
        }
        columns.push(if is(&[event_id, "event_id"]) {
            Meaning::EventId
        } else if is(&["customer", "customer_id"]) {
            Meaning::Customer
        } else if is(&["at", "ts", "time", "timestamp", "identity", "sequence"]) {
            return Err(Failure::said(format!(
                "{file}: `{name}` of an interaction stays what it was when it was recorded; take the column away"
            )));
        } else {
            let known: Option<&Attribute> = schema.find(Subject::Interaction, name);
            let (name, ty) = known.map_or((name, AttrType::Symbol), |known| (&known.name, known.ty));
            Meaning::Value(name.clone(), ty, known.and_then(|known| known.role))
        });
    }
    if columns.iter().filter(|column| matches!(column, Meaning::EventId)).count() != 1 {
        return Err(Failure::said(format!(
            "{file} needs one column `{event_id}` that says which interactions"
        )));
    }
    if !columns.iter().any(|column| matches!(column, Meaning::Value(..))) {
        return Err(Failure::said(format!("{file} has no column of an attribute that is to change")));
    }
    Ok(columns)
}

/// What a row says.
fn amendment(row: &StringRecord, header: &[String], columns: &[Meaning]) -> Result<Amendment, Refusal> {
    if row.len() != columns.len() {
        let found = format!("{} instead of {}", row.len(), columns.len());
        return Err(Refusal::row(Reason::FieldCount, found));
    }
    let cells =
        || columns.iter().zip(header).zip(row).map(|((column, name), cell)| (column, name, cell.trim()));
    let event_id = cells().find(|(column, ..)| matches!(column, Meaning::EventId)).map(|cell| cell.2);
    let event_id = event_id.filter(|id| !id.is_empty());
    let event_id = event_id.ok_or_else(|| Refusal::row(Reason::NoEventId, ""))?;
    let mut amendment = Amendment::new(event_id);
    let mut says = false;
    for (column, header, cell) in cells().filter(|(_, _, cell)| !cell.is_empty()) {
        match column {
            Meaning::EventId => {}
            Meaning::Customer => {
                let identity = Identity::parse(cell);
                amendment =
                    amendment.of(identity.map_err(|_| Refusal::value(Reason::BadCustomer, header, cell))?);
            }
            Meaning::Value(name, ..) if cell == NOTHING => {
                amendment = amendment.clear(name);
                says = true;
            }
            Meaning::Value(name, ty, role) => {
                let value = value(cell, *ty, *role);
                let value = value.map_err(|reason| Refusal::value(reason, header, cell))?;
                amendment = amendment.set(name, value);
                says = true;
            }
        }
    }
    if says { Ok(amendment) } else { Err(Refusal::row(Reason::NothingToAmend, "")) }
}

fn value(cell: &str, ty: AttrType, role: Option<Role>) -> Result<OwnedValue, Reason> {
    match ty {
        AttrType::Symbol | AttrType::Id | AttrType::Text => Ok(OwnedValue::Str(cell.to_owned())),
        AttrType::Int => parse_int(cell).map(OwnedValue::Int).ok_or(Reason::BadNumber),
        AttrType::Float if role == Some(Role::Sentiment) => {
            parse_sentiment(cell).map(OwnedValue::Float).ok_or(Reason::BadSentiment)
        }
        AttrType::Float => parse_float(cell).map(OwnedValue::Float).ok_or(Reason::BadNumber),
        AttrType::Bool => parse_bool(cell).map(OwnedValue::Bool).ok_or(Reason::BadTruth),
        AttrType::Time => TimeRule::default().parse(cell).map(OwnedValue::Int).ok_or(Reason::BadTimeValue),
    }
}

/// Amends some rows, in one commit.
fn take(db: &Db, waiting: Vec<Waiting>, file: &str, rejects: &mut Rejects, done: &mut Done) -> Outcome<()> {
    if waiting.is_empty() {
        return Ok(());
    }
    let (rows, amendments): (Vec<(u64, String)>, Vec<Amendment>) =
        waiting.into_iter().map(|waiting| ((waiting.line, waiting.raw), waiting.amendment)).unzip();
    let corrections = db.amend(amendments)?;
    done.commit = corrections.commit;
    for (event, (line, raw)) in corrections.events.iter().zip(&rows) {
        match event {
            Corrected::Changed(_) => done.changed += 1,
            Corrected::Unchanged(_) => done.unchanged += 1,
            Corrected::Unknown => {
                rejects.refuse(file, *line, &Refusal::row(Reason::UnknownEvent, ""), raw)?;
            }
        }
    }
    Ok(())
}

fn said(done: &Done, rejects: &Rejects, seconds: f64) {
    let refused: u64 = rejects.counts.values().sum();
    say(&format!(
        "read {}: {} amended, {} so already, {} refused",
        many(done.rows, "row"),
        count(done.changed),
        count(done.unchanged),
        count(refused)
    ));
    for (reason, refused) in &rejects.counts {
        say(&format!("  refused {}: {}", count(*refused), reason.words()));
    }
    if let Some(path) = rejects.path() {
        say(&format!("  each refused row is in {}, with its line and the reason", path.display()));
    }
    say(&format!("durable as commit {} in {seconds:.2} s", count(done.commit)));
}
