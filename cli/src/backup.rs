//! The command `backup`.

use std::path::Path;
use std::time::Instant;

use throughline::engine::{self, Error};

use crate::failure::{Failure, Outcome};
use crate::people::{bytes, count, many};
use crate::store::{self, say};

/// Copies a store into a folder that is not there yet, or is empty, also where another process
/// has the store open.
pub(crate) fn backup(path: &Path, to: &Path) -> Outcome<()> {
    let started = Instant::now();
    let report = match store::open(path, true) {
        Ok(db) => db.backup(to)?,
        Err(Failure::Engine(Error::Locked { .. })) => engine::Db::backup_of(path, to)?,
        Err(failure) => return Err(failure),
    };
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
