//! Reading the history: frames in order, each verified before it is handed out.

use std::sync::Arc;

use super::layout::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FRAME_MAGIC, FileHeader, Invalid, RawHeader};
use super::{FrameHeader, Position, file_name};
use crate::disk::{Disk, DiskFile, How};
use crate::error::{Error, Result};

/// Read at once, where frames are small.
const WINDOW_BYTES: usize = 128 << 10;

/// A frame, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it begins.
    pub start: Position,
    /// Where the next one begins.
    pub end: Position,
    /// What it says of itself.
    pub header: FrameHeader,
    /// Its content.
    pub body: Vec<u8>,
}

/// A frame without its body. The header is verified, the body is not even read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameOutline {
    /// Where it begins.
    pub start: Position,
    /// Where the next one begins.
    pub end: Position,
    /// What it says of itself.
    pub header: FrameHeader,
}

/// Frames between two positions, in order. It has its own file handles, and may be read beside
/// the writer.
pub struct Frames(Cursor);

impl Frames {
    pub(super) fn new(disk: Arc<dyn Disk>, store_id: [u8; 16], from: Position, to: Position) -> Self {
        Self(Cursor { disk, store_id, at: from, to, open: None })
    }

    /// The next frame; `None` at the end, and after an error.
    ///
    /// # Errors
    /// [`Error::Damaged`] with file and offset where a frame or a file is not what was written.
    #[expect(clippy::should_implement_trait, reason = "errors end it: `?` reads better than an iterator")]
    pub fn next(&mut self) -> Result<Option<Frame>> {
        self.0.fused(|cursor| {
            let Some((start, raw)) = cursor.next()? else { return Ok(None) };
            let Some(file) = &mut cursor.open else { return Ok(None) };
            let body = file.body(start.offset, &raw)?.map_err(|why| file.damaged(start.offset, why))?;
            Ok(Some(Frame { start, end: cursor.at, header: raw.header, body }))
        })
    }
}

/// Headers of the frames between two positions, in order.
pub struct Headers(Cursor);

impl Headers {
    pub(super) fn new(disk: Arc<dyn Disk>, store_id: [u8; 16], from: Position, to: Position) -> Self {
        Self(Cursor { disk, store_id, at: from, to, open: None })
    }

    /// The next header; `None` at the end, and after an error.
    ///
    /// # Errors
    /// As [`Frames::next`], without what only the body shows.
    #[expect(clippy::should_implement_trait, reason = "errors end it: `?` reads better than an iterator")]
    pub fn next(&mut self) -> Result<Option<FrameOutline>> {
        self.0.fused(|cursor| {
            let found = cursor.next()?;
            Ok(found.map(|(start, raw)| FrameOutline { start, end: cursor.at, header: raw.header }))
        })
    }
}

struct Cursor {
    disk: Arc<dyn Disk>,
    store_id: [u8; 16],
    at: Position,
    to: Position,
    open: Option<HistoryFile>,
}

impl Cursor {
    fn fused<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<Option<T>>) -> Result<Option<T>> {
        let answer = step(self);
        if answer.is_err() {
            self.at = self.to;
        }
        answer
    }

    /// The header at `self.at`, which moves past the frame.
    fn next(&mut self) -> Result<Option<(Position, RawHeader)>> {
        loop {
            if self.at >= self.to {
                return Ok(None);
            }
            let file = match &mut self.open {
                Some(file) if file.header.number == self.at.file => file,
                open => open.insert(HistoryFile::open(&*self.disk, self.store_id, self.at.file)?),
            };
            self.at.offset = self.at.offset.max(FILE_HEADER_BYTES as u64);
            let last = self.at.file == self.to.file;
            let limit = if last { self.to.offset } else { file.len };
            if self.at.offset < limit {
                let start = self.at;
                let raw = file.header(start.offset, limit)?.map_err(|why| file.damaged(start.offset, why))?;
                self.at.offset += raw.frame_bytes();
                return Ok(Some((start, raw)));
            }
            if last {
                return Ok(None);
            }
            let next = HistoryFile::open(&*self.disk, self.store_id, self.at.file + 1)?;
            next.check_follows(self.at.offset)?;
            self.at = Position { file: self.at.file + 1, offset: 0 };
            self.open = Some(next);
        }
    }
}

/// One history file, open to read.
pub(super) struct HistoryFile {
    file: Box<dyn DiskFile>,
    pub(super) name: String,
    pub(super) header: FileHeader,
    /// Length when it was opened.
    pub(super) len: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl HistoryFile {
    /// Opens a file and verifies its header.
    pub(super) fn open(disk: &dyn Disk, store_id: [u8; 16], number: u32) -> Result<Self> {
        let name = file_name(number);
        if !disk.exists(&name)? {
            return Err(Error::damaged(name, 0, "the file is missing"));
        }
        let file = disk.open(&name, How::Read)?;
        let len = file.len()?;
        let mut bytes = [0; FILE_HEADER_BYTES];
        let got = file.read_at(0, &mut bytes)?;
        let header = match FileHeader::decode(bytes.get(..got).unwrap_or_default()) {
            Ok(header) => header,
            Err(Invalid::Broken(what)) => return Err(Error::damaged(name, 0, what)),
            Err(Invalid::Format(found, known)) => {
                return Err(Error::other_format(&name, u64::from(found), u64::from(known)));
            }
        };
        if header.store_id != store_id {
            return Err(Error::damaged(name, 0, "the file belongs to another store"));
        }
        if header.number != number {
            let what = format!("the file was written as number {}", header.number);
            return Err(Error::damaged(name, 0, what));
        }
        Ok(Self { file, name, header, len, window: Vec::new(), window_start: 0 })
    }

    pub(super) fn damaged(&self, offset: u64, why: Invalid) -> Error {
        match why {
            Invalid::Broken(what) => Error::damaged(self.name.as_str(), offset, what),
            Invalid::Format(found, known) => {
                let frame = format!("the frame at byte {offset} of {}", self.name);
                Error::other_format(&frame, u64::from(found), u64::from(known))
            }
        }
    }

    /// Checks that this file was begun when the one before had `previous_len` bytes.
    pub(super) fn check_follows(&self, previous_len: u64) -> Result<()> {
        if self.header.previous_end == previous_len {
            return Ok(());
        }
        let what =
            format!("the file ends here, and it had {} bytes when it was closed", self.header.previous_end);
        Err(Error::damaged(file_name(self.header.number - 1), previous_len, what))
    }

    /// The header of the frame at `offset`, which must end by `limit`.
    pub(super) fn header(
        &mut self,
        offset: u64,
        limit: u64,
    ) -> Result<std::result::Result<RawHeader, Invalid>> {
        let seed = self.header.seed();
        let bytes = self.bytes(offset, FRAME_HEADER_BYTES)?;
        Ok(RawHeader::decode(bytes, seed, offset).and_then(|raw| {
            if offset + raw.frame_bytes() > limit {
                return Err(Invalid::Broken("a frame runs past the end".to_owned()));
            }
            Ok(raw)
        }))
    }

    /// The body of the frame at `offset`, verified.
    pub(super) fn body(
        &mut self,
        offset: u64,
        raw: &RawHeader,
    ) -> Result<std::result::Result<Vec<u8>, Invalid>> {
        let (start, len) = (offset + FRAME_HEADER_BYTES as u64, raw.body_len as usize);
        let body = if len <= WINDOW_BYTES {
            self.bytes(start, len)?.to_vec()
        } else {
            let mut body = vec![0; len];
            let got = self.file.read_at(start, &mut body)?;
            body.truncate(got);
            body
        };
        Ok(raw.check_body(&body).map(|()| body))
    }

    /// Up to `len` bytes from `offset`: fewer only at the end of the file.
    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let within = |start: u64, window: &[u8]| {
            let skip = usize::try_from(offset.checked_sub(start)?).ok()?;
            (skip.checked_add(len)? <= window.len()).then_some(skip)
        };
        let skip = match within(self.window_start, &self.window) {
            Some(skip) => skip,
            None => {
                self.window.resize(len.max(WINDOW_BYTES), 0);
                self.window_start = offset;
                let got = self.file.read_at(offset, &mut self.window);
                self.window.truncate(*got.as_ref().unwrap_or(&0));
                got?;
                0
            }
        };
        let end = self.window.len().min(skip + len);
        Ok(self.window.get(skip..end).unwrap_or_default())
    }

    /// Where, after the invalid bytes at `broken`, a frame begins that was written when those
    /// bytes had been synced: then they were damaged since, and are no torn tail.
    pub(super) fn proof_of_damage(&mut self, broken: u64) -> Result<Option<u64>> {
        let seed = self.header.seed();
        let mut offset = broken + 1;
        while offset + (FRAME_HEADER_BYTES as u64) <= self.len {
            let window = self.bytes(offset, WINDOW_BYTES)?;
            let scanned = window.len();
            for at in memory_positions(window, FRAME_MAGIC) {
                let Some(bytes) = window.get(at..).filter(|bytes| bytes.len() >= FRAME_HEADER_BYTES) else {
                    break;
                };
                match RawHeader::decode(bytes, seed, offset + at as u64) {
                    Ok(raw) if raw.synced > broken => return Ok(Some(offset + at as u64)),
                    // A newer program wrote it, and only that program can judge.
                    Err(Invalid::Format(..)) => return Ok(Some(offset + at as u64)),
                    _ => {}
                }
            }
            // The next window begins where a whole header no longer fitted this one.
            match scanned.checked_sub(FRAME_HEADER_BYTES - 1) {
                Some(step) if step > 0 => offset += step as u64,
                _ => break,
            }
        }
        Ok(None)
    }
}

/// Where `magic` stands in `bytes`, ascending.
fn memory_positions(bytes: &[u8], magic: [u8; 4]) -> impl Iterator<Item = usize> {
    bytes.windows(4).enumerate().filter(move |(_, window)| *window == magic).map(|(at, _)| at)
}
