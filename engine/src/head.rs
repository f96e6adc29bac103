//! The HEAD file: which store this is, where its history was last known to
//! end, and which graph folder is current. Replaced atomically.

use xxhash_rust::xxh3::xxh3_64;

use crate::disk::{Disk, How, write_atomically};
use crate::error::{Error, Result};
use crate::history::Position;

/// Name of the file in the store's folder.
pub(crate) const HEAD: &str = "HEAD";
const MAGIC: [u8; 8] = *b"THRULINE";
/// The format of the store's files; a store of another one is refused.
pub(crate) const FORMAT: u32 = 1;
const LEN: usize = 8 + 4 + 16 + 4 + 8 + 8 + 8 + 8;

/// What HEAD says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Random, once for a store.
    pub store_id: [u8; 16],
    /// Everything before this was acknowledged when HEAD was written.
    pub acknowledged: Position,
    /// The commit that ends there.
    pub commit: u64,
    /// Number of the current graph folder.
    pub graph: u64,
}

impl Head {
    /// Reads it; `None` where the folder has none.
    pub(crate) fn read(disk: &dyn Disk) -> Result<Option<Self>> {
        if !disk.exists(HEAD)? {
            return Ok(None);
        }
        let file = disk.open(HEAD, How::Read)?;
        let mut bytes = [0; LEN + 1];
        let len = file.read_at(0, &mut bytes)?;
        // Another format may be of another length, so it is looked at first.
        let format = match bytes.get(8..12).filter(|_| bytes.starts_with(&MAGIC) && len >= 12) {
            Some(format) => format.iter().rev().fold(0_u32, |sum, &byte| sum << 8 | u32::from(byte)),
            None => FORMAT,
        };
        if format != FORMAT {
            let root = disk.root();
            return Err(Error::other_format(
                &root.display().to_string(),
                u64::from(format),
                u64::from(FORMAT),
            ));
        }
        let (Some(body), LEN) = (bytes.get(..LEN), len) else {
            return Err(Error::damaged(HEAD, 0, format!("{len} bytes long instead of {LEN}")));
        };
        let mut at = 0;
        let mut take = |n: usize| {
            let part = body.get(at..at + n).unwrap_or_default();
            at += n;
            part
        };
        let number = |part: &[u8]| part.iter().rev().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
        if take(8) != MAGIC {
            return Err(Error::NotAStore(format!(
                "{} is not a throughline store: its HEAD file is something else",
                disk.root().display()
            )));
        }
        take(4);
        let mut store_id = [0; 16];
        store_id.copy_from_slice(take(16));
        let head = Self {
            store_id,
            acknowledged: Position { file: number(take(4)) as u32, offset: number(take(8)) },
            commit: number(take(8)),
            graph: number(take(8)),
        };
        let checksum = number(take(8));
        let sum = xxh3_64(body.get(..LEN - 8).unwrap_or_default());
        if checksum != sum {
            return Err(Error::damaged(HEAD, 0, "its checksum does not hold"));
        }
        Ok(Some(head))
    }

    /// Replaces it, durably.
    pub(crate) fn write(&self, disk: &dyn Disk) -> Result<()> {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(self.store_id);
        bytes.extend(self.acknowledged.file.to_le_bytes());
        bytes.extend(self.acknowledged.offset.to_le_bytes());
        bytes.extend(self.commit.to_le_bytes());
        bytes.extend(self.graph.to_le_bytes());
        let sum = xxh3_64(&bytes);
        bytes.extend(sum.to_le_bytes());
        write_atomically(disk, HEAD, &bytes)
    }
}
