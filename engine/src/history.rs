//! The history: append-only, checksummed, synced files. The truth, and the
//! write-ahead log in one.
//!
//! Files are `history/00000001.tlh`, `history/00000002.tlh`, … without gaps. Each is a header
//! and then frames, end to end. All numbers are little-endian.
//!
//! ```text
//! file header, 48 bytes
//!  0        8           12        16              32                 40           48
//!  | magic  | format u32 | no. u32 | store id [16] | previous end u64 | checksum u64 |
//!
//! frame header, 56 bytes, and its body
//!  0       4          5       6           8          12           16          24             32
//!  | magic | version u8 | kind u8 | zero u16 | rows u32 | body len u32 | commit u64 | recorded i64 |
//!  32           40                  48                   56              56 + body len
//!  | synced u64 | body checksum u64 | header checksum u64 | body …       |
//! ```
//!
//! - Checksums are xxh3-64. A frame header's is seeded with the store id, the file's number and
//!   the frame's offset, so that no frame is taken for one in another place.
//! - `previous end` is the length of the file before when it was closed: it was synced then, and
//!   never changes. It is 0 in the first file, and in the first of files that took the place of all
//!   before them.
//! - `synced`: when the frame was written, all of its file before that byte had been synced.
//!
//! # After a crash
//! Frames up to the acknowledged position are kept or the store is refused. After it, frames are
//! read until the first that is invalid. It is *damage*, and refused, where the file is not the
//! last one, or where a later frame says that it had been synced. Else it is the torn tail of
//! writes that were never acknowledged, and is cut off: frames that were written without a sync
//! between them may reach the disk in any order, so a valid frame after a torn one is no proof.
//!
//! What this cannot tell: damage to the frames of the very last sync, where it lies after the
//! acknowledged position that the caller remembers, looks like a torn tail.
//!
//! # What is assumed of the disk
//! A sync that succeeds makes the bytes durable; a name is durable once its folder is synced.
//! Nothing is assumed of unsynced bytes: they may be there, be zeros, or be missing.

mod copy;
mod layout;
mod reader;
mod sets;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::disk::{Disk, DiskFile, How};
use crate::error::{Error, Result};
use crate::limits::{FRAME_BYTES_MAX, HISTORY_FILE_BYTES};

pub(crate) use copy::copy;
use layout::{FILE_HEADER_BYTES, FileHeader, Invalid, RawHeader};
use reader::HistoryFile;
pub use reader::{Frame, FrameOutline, Frames, Headers};

const FOLDER: &str = "history";
/// Bodies up to this length are written together with their header.
const COPIED_BYTES_MAX: usize = 64 << 10;

/// A place between frames: where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Number of the history file, from 1.
    pub file: u32,
    /// Byte in it.
    pub offset: u64,
}

/// What every frame says of itself, readable without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Number of the commit it belongs to, ascending.
    pub commit: u64,
    /// When it was recorded, milliseconds since 1970 UTC.
    pub recorded: i64,
    /// What the body is; `records.rs` knows.
    pub kind: u8,
    /// Interactions in the body.
    pub rows: u32,
}

/// The history of one store, open to append and to read.
pub struct History {
    disk: Arc<dyn Disk>,
    store_id: [u8; 16],
    first: u32,
    end: Position,
    /// All of the last file before this byte is synced.
    synced: u64,
    /// Checksum seed of the last file.
    seed: u64,
    rotate_past: u64,
    /// The last file, to append to. None where the history is open read-only.
    file: Option<Box<dyn DiskFile>>,
    poisoned: Option<String>,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("first", &self.first).field("end", &self.end).finish_non_exhaustive()
    }
}

fn file_name(number: u32) -> String {
    format!("{FOLDER}/{number:08}.tlh")
}

/// Numbers of the history files there are, ascending.
fn file_numbers(disk: &dyn Disk) -> Result<Vec<u32>> {
    let number = |name: String| {
        let number = name.strip_suffix(".tlh")?.parse().ok()?;
        (file_name(number) == format!("{FOLDER}/{name}")).then_some(number)
    };
    let mut numbers: Vec<u32> = disk.list(FOLDER)?.into_iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn begin_file(disk: &dyn Disk, header: FileHeader) -> Result<Box<dyn DiskFile>> {
    let mut file = disk.open(&file_name(header.number), How::Create)?;
    file.append(&header.encode())?;
    file.sync()?;
    disk.sync_dir(FOLDER)?;
    Ok(file)
}

impl History {
    /// Makes an empty history. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::NotAStore`] where frames are there already: they are never overwritten.
    pub fn create(disk: Arc<dyn Disk>, store_id: [u8; 16]) -> Result<Self> {
        for number in file_numbers(&*disk)? {
            let name = file_name(number);
            // A file of no more than a header is what a crash while creating leaves.
            if number != 1 || disk.open(&name, How::Read)?.len()? > FILE_HEADER_BYTES as u64 {
                let root = disk.root();
                return Err(Error::NotAStore(format!(
                    "{} holds a history ({name}) and no readable store around it; it is left as it is",
                    root.display()
                )));
            }
        }
        disk.create_dir(FOLDER)?;
        let header = FileHeader { store_id, number: 1, previous_end: 0 };
        let file = begin_file(&*disk, header)?;
        Ok(Self {
            disk,
            store_id,
            first: 1,
            end: Position { file: 1, offset: FILE_HEADER_BYTES as u64 },
            synced: FILE_HEADER_BYTES as u64,
            seed: header.seed(),
            rotate_past: HISTORY_FILE_BYTES,
            file: Some(file),
            poisoned: None,
        })
    }

    /// Opens a history. What stands before `acknowledged` is verified when it is read; what
    /// follows is verified now, and a torn tail is cut off durably (left alone and not read
    /// where `read_only`).
    ///
    /// # Errors
    /// [`Error::Damaged`] naming file and offset, as the module's documentation says.
    pub fn open(
        disk: Arc<dyn Disk>,
        store_id: [u8; 16],
        acknowledged: Position,
        read_only: bool,
    ) -> Result<Self> {
        let mut numbers = sets::set_of(&*disk, store_id, &file_numbers(&*disk)?, acknowledged.file)?;
        let first = numbers.first().copied().unwrap_or(1);
        let last = numbers.last().copied().unwrap_or(0);
        if last > acknowledged.file && torn_rotation(&*disk, last)? {
            numbers.pop();
            if !read_only {
                disk.remove_file(&file_name(last))?;
                disk.sync_dir(FOLDER)?;
            }
        }

        let mut end = acknowledged;
        let mut seed = 0;
        let mut previous_len = 0;
        let count = numbers.len();
        for (index, number) in numbers.into_iter().enumerate() {
            let mut file = HistoryFile::open(&*disk, store_id, number)?;
            if index > 0 {
                file.check_follows(previous_len)?;
            }
            previous_len = file.len;
            seed = file.header.seed();
            if number == acknowledged.file && file.len < acknowledged.offset {
                return Err(Error::damaged(
                    file.name,
                    file.len,
                    format!("the file ends here, and {} bytes were acknowledged", acknowledged.offset),
                ));
            }
            if number >= acknowledged.file {
                let from = if number == acknowledged.file { acknowledged.offset } else { 0 };
                let offset = verified_end(&mut file, from, index + 1 == count)?;
                end = Position { file: number, offset };
            }
        }

        let mut history = Self {
            disk,
            store_id,
            first,
            end,
            synced: end.offset,
            seed,
            rotate_past: HISTORY_FILE_BYTES,
            file: None,
            poisoned: None,
        };
        if !read_only {
            // What a killed process wrote may still be in the system's memory only; it counts
            // from now on, so it is synced.
            let mut file = history.disk.open(&file_name(end.file), How::Append)?;
            if file.len()? > end.offset {
                file.truncate(end.offset)?;
            }
            file.sync()?;
            history.disk.sync_dir(FOLDER)?;
            history.file = Some(file);
        }
        Ok(history)
    }

    /// Sets the length past which a file is closed and the next one begun.
    pub fn set_rotation(&mut self, bytes: u64) {
        self.rotate_past = bytes;
    }

    /// Where the first frame begins.
    pub fn start(&self) -> Position {
        Position { file: self.first, offset: FILE_HEADER_BYTES as u64 }
    }

    /// Where the next frame will begin, unless a new file is begun for it.
    pub fn end(&self) -> Position {
        self.end
    }

    /// Adds a frame and answers where it ends. Not durable before [`History::sync`].
    ///
    /// # Errors
    /// [`Error::Limit`] for a body over [`FRAME_BYTES_MAX`], which changes nothing. After any
    /// other error the history is poisoned: each later write answers [`Error::Poisoned`].
    pub fn append(&mut self, header: FrameHeader, body: &[u8]) -> Result<Position> {
        let body_len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        if body.len() > FRAME_BYTES_MAX {
            return Err(Error::Limit {
                what: "bytes in a frame of the history",
                value: body.len() as u64,
                limit: FRAME_BYTES_MAX as u64,
            });
        }
        self.writing(|history| {
            if history.end.offset > history.rotate_past {
                history.rotate()?;
            }
            let raw = RawHeader { header, body_len, body_checksum: xxh3_64(body), synced: history.synced };
            let mut bytes = raw.encode(history.seed, history.end.offset);
            let file = history.file.as_mut().ok_or(Error::ReadOnly)?;
            if body.len() <= COPIED_BYTES_MAX {
                bytes.extend_from_slice(body);
                file.append(&bytes)?;
            } else {
                file.append(&bytes)?;
                file.append(body)?;
            }
            history.end.offset += raw.frame_bytes();
            Ok(history.end)
        })
    }

    /// Makes all frames durable.
    ///
    /// # Errors
    /// As [`History::append`]. After a failed sync nobody knows what is durable, and a second
    /// sync may falsely succeed: reopen instead.
    pub fn sync(&mut self) -> Result<()> {
        self.writing(|history| {
            if history.synced < history.end.offset {
                history.file.as_mut().ok_or(Error::ReadOnly)?.sync()?;
                history.synced = history.end.offset;
            }
            Ok(())
        })
    }

    /// Drops the frames from `to`, which is where a frame begins or ends, durably.
    ///
    /// # Errors
    /// [`Error::Invalid`] where `to` lies outside the history; else as [`History::append`].
    pub fn truncate(&mut self, to: Position) -> Result<()> {
        if to < self.start() || to > self.end {
            return Err(Error::invalid(format!(
                "the history cannot be cut at byte {} of file {}: it ends at byte {} of file {}",
                to.offset, to.file, self.end.offset, self.end.file
            )));
        }
        self.writing(|history| {
            // From the last one, each durably: a crash leaves no gap.
            while history.end.file > to.file {
                history.disk.remove_file(&file_name(history.end.file))?;
                history.disk.sync_dir(FOLDER)?;
                let number = history.end.file - 1;
                let file = history.disk.open(&file_name(number), How::Append)?;
                history.end = Position { file: number, offset: file.len()? };
                history.synced = history.end.offset;
                history.file = Some(file);
                history.seed = FileHeader { store_id: history.store_id, number, previous_end: 0 }.seed();
            }
            let offset = to.offset.max(FILE_HEADER_BYTES as u64);
            if offset < history.end.offset {
                let file = history.file.as_mut().ok_or(Error::ReadOnly)?;
                file.truncate(offset)?;
                file.sync()?;
                history.end.offset = offset;
                history.synced = offset;
            }
            Ok(())
        })
    }

    /// The frames from one position up to another. They may be read while later ones are written.
    pub fn frames(&self, from: Position, to: Position) -> Frames {
        Frames::new(Arc::clone(&self.disk), self.store_id, from, to)
    }

    /// The headers of the frames from one position up to another; bodies are skipped.
    pub fn headers(&self, from: Position, to: Position) -> Headers {
        Headers::new(Arc::clone(&self.disk), self.store_id, from, to)
    }

    /// Reads everything and verifies every checksum; answers how many frames and bytes there are.
    ///
    /// # Errors
    /// [`Error::Damaged`] at the first place that is not what was written.
    pub fn verify(&self) -> Result<(u64, u64)> {
        let mut frames = self.frames(self.start(), self.end);
        let mut count = 0;
        let mut bytes = u64::from(self.end.file - self.first + 1) * FILE_HEADER_BYTES as u64;
        while let Some(frame) = frames.next()? {
            count += 1;
            bytes += frame.end.offset - frame.start.offset;
        }
        Ok((count, bytes))
    }

    /// Paths of the history files below the store, in order.
    pub fn file_names(&self) -> Vec<String> {
        (self.first..=self.end.file).map(file_name).collect()
    }

    /// Closes the last file and begins the next.
    fn rotate(&mut self) -> Result<()> {
        self.file.as_mut().ok_or(Error::ReadOnly)?.sync()?;
        let header =
            FileHeader { store_id: self.store_id, number: self.end.file + 1, previous_end: self.end.offset };
        self.file = Some(begin_file(&*self.disk, header)?);
        self.end = Position { file: header.number, offset: FILE_HEADER_BYTES as u64 };
        self.synced = self.end.offset;
        self.seed = header.seed();
        Ok(())
    }

    fn writing<T>(&mut self, write: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.file.is_none() && self.poisoned.is_none() {
            return Err(Error::ReadOnly);
        }
        if let Some(why) = &self.poisoned {
            return Err(Error::Poisoned(why.clone()));
        }
        let answer = write(self);
        if let Err(error) = &answer {
            self.poisoned = Some(error.to_string());
        }
        answer
    }
}

/// Whether the last file is one that a crash left while it was begun. Its header is synced
/// before anything else is written, so a longer file is never torn.
fn torn_rotation(disk: &dyn Disk, number: u32) -> Result<bool> {
    let file = disk.open(&file_name(number), How::Read)?;
    let mut bytes = [0; FILE_HEADER_BYTES];
    let got = file.read_at(0, &mut bytes)?;
    let header = FileHeader::decode(bytes.get(..got).unwrap_or_default());
    Ok(matches!(header, Err(Invalid::Broken(_))) && file.len()? <= FILE_HEADER_BYTES as u64)
}

/// Reads and verifies frames from an offset; answers where the last valid one ends.
fn verified_end(file: &mut HistoryFile, from: u64, last: bool) -> Result<u64> {
    let mut offset = from.max(FILE_HEADER_BYTES as u64);
    while offset < file.len {
        let found = match file.header(offset, file.len)? {
            Ok(raw) => file.body(offset, &raw)?.map(|_| raw),
            Err(why) => Err(why),
        };
        match found {
            Ok(raw) => offset += raw.frame_bytes(),
            Err(why @ Invalid::Format(..)) => return Err(file.damaged(offset, why)),
            Err(why @ Invalid::Broken(_)) if !last => return Err(file.damaged(offset, why)),
            Err(Invalid::Broken(what)) => match file.proof_of_damage(offset)? {
                None => break,
                Some(later) => {
                    let what = format!("{what}, and it was synced before the frame at byte {later}");
                    return Err(Error::damaged(file.name.as_str(), offset, what));
                }
            },
        }
    }
    Ok(offset)
}

#[cfg(test)]
mod tests;
