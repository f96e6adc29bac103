//! Which files make one history. A history can be written anew beside itself, in files numbered on
//! from its last one; the first of them follows no other. HEAD says which of the two counts.

use std::sync::Arc;

use super::reader::HistoryFile;
use super::{FILE_HEADER_BYTES, FOLDER, FileHeader, History, Position, begin_file, file_name, file_numbers};
use crate::disk::Disk;
use crate::error::{Error, Result};

/// Of `numbers`, ascending, those of the history that the file `of` belongs to.
pub(super) fn set_of(disk: &dyn Disk, store_id: [u8; 16], numbers: &[u32], of: u32) -> Result<Vec<u32>> {
    let missing = |number| Error::damaged(file_name(number), 0, "the file is missing");
    let Ok(place) = numbers.binary_search(&of) else { return Err(missing(of)) };
    let mut first = of;
    let follows = |number| HistoryFile::open(disk, store_id, number).map(|file| file.header.previous_end > 0);
    let mut before = numbers.get(..place).unwrap_or_default().iter().rev();
    while follows(first)? {
        first = first.saturating_sub(1);
        if before.next() != Some(&first) {
            return Err(missing(first));
        }
    }
    let mut set: Vec<u32> = (first..=of).collect();
    for (&number, expected) in numbers.iter().skip(place + 1).zip(of + 1..) {
        if number != expected {
            return Err(missing(expected));
        }
        // What cannot be read is judged by who reads on.
        if matches!(follows(number), Ok(false)) {
            break;
        }
        set.push(number);
    }
    Ok(set)
}

/// Removes files, the last ones first, so that those that a crash leaves still follow one another.
fn remove(disk: &dyn Disk, numbers: impl DoubleEndedIterator<Item = u32>) -> Result<()> {
    for number in numbers.rev() {
        disk.remove_file(&file_name(number))?;
        disk.sync_dir(FOLDER)?;
    }
    Ok(())
}

impl History {
    /// Begins a history that is to take the place of this one, empty. Until HEAD names a place in it
    /// it does not count.
    pub(crate) fn successor(&self) -> Result<Self> {
        self.remove_others()?;
        let header = FileHeader { store_id: self.store_id, number: self.end.file + 1, previous_end: 0 };
        let file = begin_file(&*self.disk, header)?;
        Ok(Self {
            disk: Arc::clone(&self.disk),
            store_id: self.store_id,
            first: header.number,
            end: Position { file: header.number, offset: FILE_HEADER_BYTES as u64 },
            synced: FILE_HEADER_BYTES as u64,
            seed: header.seed(),
            rotate_past: self.rotate_past,
            file: Some(file),
            poisoned: None,
        })
    }

    /// Removes its files.
    pub(crate) fn remove(self) -> Result<()> {
        let Self { disk, first, end, file, .. } = self;
        // Not every system removes a file that is open.
        drop(file);
        remove(&*disk, first..=end.file)
    }

    /// Removes files of other histories: of one that it took the place of, or that was not finished.
    pub(crate) fn remove_others(&self) -> Result<()> {
        let own = self.first..=self.end.file;
        let others = file_numbers(&*self.disk)?.into_iter().filter(|number| !own.contains(number));
        remove(&*self.disk, others.collect::<Vec<_>>().into_iter())
    }
}
