//! Verifying a store, and making its graph anew.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use throughline::Db;

use crate::failure::{Failure, Outcome};
use crate::people::{bytes, count};
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
    say(&format!(
        "{} problems in {}; where only the graph is damaged, `throughline rebuild {}` makes it anew from the history",
        count(report.problems.len() as u64),
        path.display(),
        path.display()
    ));
    Err(Failure::AlreadySaid)
}

/// Makes the graph anew from the history.
pub(crate) fn rebuild(db: &Db) -> Outcome<()> {
    let started = Instant::now();
    db.rebuild()?;
    let snapshot = db.snapshot();
    say(&format!(
        "rebuilt the graph from the history in {:.2} s: {} interactions of {} customers",
        started.elapsed().as_secs_f64(),
        count(snapshot.interactions()),
        count(snapshot.customers())
    ));
    Ok(())
}
