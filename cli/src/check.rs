//! Verifying a store, and making its graph anew.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use throughline::Db;

use crate::failure::{Failure, Outcome};
use crate::people::{bytes, count, many};
use crate::store::say;

/// Verifies every stored byte and prints what was found; a failure where
/// something is wrong.
pub(crate) fn check(db: &Db, path: &Path) -> Outcome<()> {
    let report = db.check()?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "read {} frames of history ({}), {} chunks of graph ({}), {} interactions in their order",
        count(report.frames),
        bytes(report.history_bytes),
        count(report.chunks),
        bytes(report.graph_bytes),
        count(report.interactions)
    )?;
    for problem in &report.problems {
        writeln!(out, "problem: {problem}")?;
    }
    if report.problems.is_empty() {
        writeln!(out, "the store is sound")?;
        return Ok(());
    }
    let problems = many(report.problems.len() as u64, "problem");
    let path = path.display();
    // The history's files lie in one folder, and every problem names its place first.
    let way_out = if report.problems.iter().any(|problem| problem.starts_with("history/")) {
        "the history is the truth, so restore the store from a backup, or import its files anew".to_owned()
    } else {
        format!("only the graph is damaged: `throughline rebuild {path}` makes it anew from the history")
    };
    say(&format!("{problems} in {path}; {way_out}"));
    Err(Failure::AlreadySaid)
}

/// Makes the graph anew from the history.
pub(crate) fn rebuild(db: &Db) -> Outcome<()> {
    let started = Instant::now();
    db.rebuild()?;
    let snapshot = db.snapshot();
    say(&format!(
        "rebuilt the graph from the history in {:.2} s: {} of {}",
        started.elapsed().as_secs_f64(),
        many(snapshot.interactions(), "interaction"),
        many(snapshot.customers(), "customer")
    ));
    Ok(())
}

/// Writes the store anew without what was erased, redacted or dropped.
pub(crate) fn vacuum(db: &Db) -> Outcome<()> {
    let started = Instant::now();
    let report = db.vacuum()?;
    if report.files == 0 {
        say("nothing was erased, redacted or dropped that is still in the files");
        return Ok(());
    }
    let mut removed = many(report.rows, "row");
    if report.values > 0 {
        removed = format!("{removed} and {}", many(report.values, "value"));
    }
    say(&format!(
        "removed {} from {} of the history in {:.2} s; wrote {}, {} with the graph where there were {}",
        removed,
        many(report.frames, "frame"),
        started.elapsed().as_secs_f64(),
        many(report.files, "file"),
        bytes(report.bytes_after),
        bytes(report.bytes_before)
    ));
    Ok(())
}
