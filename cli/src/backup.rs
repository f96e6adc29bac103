//! The command `backup`.

use std::path::Path;
use std::time::Instant;

use throughline::Db;

use crate::failure::Outcome;
use crate::people::{bytes, count, many};
use crate::store::say;

/// Copies a store into a folder that is not there yet, or is empty.
pub(crate) fn backup(db: &Db, to: &Path) -> Outcome<()> {
    let started = Instant::now();
    let report = db.backup(to)?;
    say(&format!(
        "copied {} up to commit {} to {} in {:.2} s: {} of history in {}, read back and sound; its graph is made when it is opened first",
        many(report.interactions, "interaction"),
        count(report.commit),
        to.display(),
        started.elapsed().as_secs_f64(),
        bytes(report.bytes),
        many(report.frames, "frame"),
    ));
    Ok(())
}
