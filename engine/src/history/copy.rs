//! Copying a history to another disk while it is written to.

use super::layout::FILE_HEADER_BYTES;
use super::sets::set_of;
use super::{FOLDER, Position, file_name, file_numbers};
use crate::disk::{Disk, How};
use crate::error::{Error, Result};

/// Read and written at once.
const PIECE_BYTES: u64 = 1 << 20;

/// Copies what lies before `end`, which must have been acknowledged: files are only ever added to,
/// so those bytes stay as they are whatever is written meanwhile. Durable when it returns.
pub(crate) fn copy(from: &dyn Disk, to: &dyn Disk, store_id: [u8; 16], end: Position) -> Result<()> {
    to.create_dir(FOLDER)?;
    let mut piece = vec![0; PIECE_BYTES as usize];
    let numbers = set_of(from, store_id, &file_numbers(from)?, end.file)?;
    for number in numbers.into_iter().filter(|&number| number <= end.file) {
        let name = file_name(number);
        let source = from.open(&name, How::Read)?;
        let len = if number == end.file { end.offset.max(FILE_HEADER_BYTES as u64) } else { source.len()? };
        let mut copy = to.open(&name, How::Create)?;
        let mut at = 0;
        while at < len {
            let part = piece.get_mut(..(len - at).min(PIECE_BYTES) as usize).unwrap_or_default();
            let got = source.read_at(at, part)?;
            if got < part.len() {
                let what = format!("the file ends here, and {len} bytes were acknowledged");
                return Err(Error::damaged(name, at + got as u64, what));
            }
            copy.append(part)?;
            at += got as u64;
        }
        copy.sync()?;
    }
    to.sync_dir(FOLDER)
}
