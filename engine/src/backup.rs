//! A copy of a store, made while it is written to.
//!
//! Copied is the history up to a commit. The graph is not: it follows from the history, it is as
//! large again, and the copy makes it when it is opened. HEAD is written last, after all else was
//! read back and found sound, so that what was not finished is no store.
//!
//! Files are only ever added to, so that a store can be copied by a process that has not opened it
//! while another one writes.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Disk, Lock};
use crate::error::{Error, Result};
use crate::head::{HEAD, Head};
use crate::history::{self, History};
use crate::records::{ERASE, EraseRecord, FINAL, INTERACTIONS, RETAIN, RetainRecord};

/// How often, and how long apart, a history is read again that seems damaged while somebody writes
/// to it: a frame may have been met half written, and what follows it whole.
const READ_TRIES: usize = 5;
const READ_PAUSE: Duration = Duration::from_millis(50);

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

/// As [`back_up`], of a store that another process writes to: up to the last commit that is whole
/// in its files.
pub(crate) fn back_up_unopened(from: &Arc<dyn Disk>, to: &Arc<dyn Disk>) -> Result<BackupReport> {
    let mut tries = READ_TRIES;
    let (head, interactions) = loop {
        match last_commit(from) {
            Err(Error::Damaged { .. }) if tries > 0 => {
                tries -= 1;
                std::thread::sleep(READ_PAUSE);
            }
            found => break found?,
        }
    };
    let (frames, bytes) = back_up(&**from, head, to)?;
    Ok(BackupReport { commit: head.commit, interactions, frames, bytes })
}

/// The HEAD of a store that ends with the last whole commit, and the interactions up to there.
fn last_commit(from: &Arc<dyn Disk>) -> Result<(Head, u64)> {
    let Some(head) = Head::read(&**from)? else {
        return Err(Error::NotAStore(format!("there is no store in {}", from.root().display())));
    };
    let history = History::open(Arc::clone(from), head.store_id, head.acknowledged, true)?;
    let mut last = Head { graph: 0, commit: 0, acknowledged: history.start(), ..head };
    let (mut interactions, mut begun) = (0, 0);
    let mut headers = history.headers(history.start(), history.end());
    while let Some(frame) = headers.next()? {
        if frame.header.kind & !FINAL == INTERACTIONS {
            begun += u64::from(frame.header.rows);
        }
        if frame.header.kind & !FINAL == ERASE
            && let Some(frame) = history.frames(frame.start, frame.end).next()?
        {
            begun -= EraseRecord::decode(&frame.body, "an erasure")?.interactions.min(begun);
        }
        if frame.header.kind & !FINAL == RETAIN
            && let Some(frame) = history.frames(frame.start, frame.end).next()?
            && let Some(said) = RetainRecord::decode(&frame.body, "what is retained")?.said
        {
            begun -= said.interactions.min(begun);
        }
        if frame.header.kind & FINAL != 0 {
            (last.acknowledged, last.commit, interactions) = (frame.end, frame.header.commit, begun);
        }
    }
    Ok((last, interactions))
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
    history::copy(from, &**to, head.store_id, head.acknowledged)?;
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
