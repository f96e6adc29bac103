//! A copy of a store, made while it is written to.
//!
//! Copied is the history up to a commit. The graph is not: it follows from the history, it is as
//! large again, and the copy makes it when it is opened. HEAD is written last, after all else was
//! read back and found sound, so that what was not finished is no store.

use std::io::ErrorKind;
use std::sync::Arc;

use crate::disk::{Disk, Lock};
use crate::error::{Error, Result};
use crate::head::{HEAD, Head};
use crate::history::{self, History};

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// The last commit in it.
    pub commit: u64,
    /// Interactions in it.
    pub interactions: u64,
    /// Frames of history, each read back from the copy and found sound.
    pub frames: u64,
    /// Bytes of history.
    pub bytes: u64,
}

/// Copies the history that `head` speaks of, and then `head`. Answers frames and bytes. Where it
/// fails nothing remains, as far as the disk still takes orders.
pub(crate) fn back_up(from: &dyn Disk, head: Head, to: &Arc<dyn Disk>) -> Result<(u64, u64)> {
    let lock = claim(&**to)?;
    let copied = copy(from, head, to);
    drop(lock);
    if copied.is_err() {
        // The failure itself is what matters; what stays is no store without HEAD, which goes first.
        let removed = to.remove_file(HEAD).and_then(|()| to.sync_dir(""));
        drop(removed.and_then(|()| clear(&**to)));
    }
    copied
}

/// Takes a folder that is not there yet, or is empty.
fn claim(to: &dyn Disk) -> Result<Box<dyn Lock>> {
    let root = to.root();
    let names = match to.list("") {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotADirectory => {
            let what = format!("{} is a file; name a folder that is not there yet", root.display());
            return Err(Error::Invalid(what));
        }
        names => names?,
    };
    if let Some(name) = names.first() {
        let what = "and a backup overwrites nothing: name a folder that is not there yet";
        return Err(Error::Invalid(format!("{} holds `{name}`, {what}", root.display())));
    }
    to.create_dir("")?;
    to.lock("LOCK", &format!("process {}, which makes a backup", std::process::id()))
}

fn copy(from: &dyn Disk, head: Head, to: &Arc<dyn Disk>) -> Result<(u64, u64)> {
    history::copy(from, &**to, head.acknowledged)?;
    let copied = History::open(Arc::clone(to), head.store_id, head.acknowledged, true)?;
    let found = copied.verify()?;
    head.write(&**to)?;
    Ok(found)
}

fn clear(to: &dyn Disk) -> Result<()> {
    for name in to.list("")? {
        match name.as_str() {
            "history" => to.remove_dir(&name)?,
            _ => to.remove_file(&name)?,
        }
    }
    to.sync_dir("")
}
