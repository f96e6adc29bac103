//! Which rows have a value: all, none, or a packed flag a row, set for the rarer case.

use super::packed::{pack, unpack};
use super::reader::Reader;
use crate::error::Result;

const ALL: u8 = 0;
const ABSENT_FLAGGED: u8 = 1;
const NONE: u8 = 2;
const PRESENT_FLAGGED: u8 = 3;

/// Appends which of `n` rows have a value; `count` is how many do.
pub(super) fn encode(n: usize, count: usize, present: impl Iterator<Item = bool>, out: &mut Vec<u8>) {
    if count == n {
        out.push(ALL);
    } else if count == 0 {
        out.push(NONE);
    } else {
        let flagged = count <= n / 2;
        out.push(if flagged { PRESENT_FLAGGED } else { ABSENT_FLAGGED });
        let flags: Vec<u32> = present.map(|present| u32::from(present == flagged)).collect();
        pack(&flags, out);
    }
}

/// Which rows have a value.
pub(super) struct Presence {
    /// How many do.
    pub count: usize,
    /// Which do; `None` where all do.
    pub valid: Option<Vec<bool>>,
}

impl Presence {
    /// Reads what [`encode`] wrote for `n` rows.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) where the bytes cannot be that.
    pub(super) fn decode(reader: &mut Reader<'_>, n: usize) -> Result<Self> {
        let mode = reader.u8()?;
        let valid: Vec<bool> = match mode {
            ALL => return Ok(Self { count: n, valid: None }),
            NONE => return Ok(Self { count: 0, valid: Some(vec![false; n]) }),
            ABSENT_FLAGGED => unpack(reader, n)?.into_iter().map(|flag| flag == 0).collect(),
            PRESENT_FLAGGED => unpack(reader, n)?.into_iter().map(|flag| flag != 0).collect(),
            other => return Err(reader.damaged(format!("unknown way {other} to mark NULLs"))),
        };
        let count = valid.iter().filter(|&&valid| valid).count();
        Ok(Self { count, valid: (count < n).then_some(valid) })
    }

    /// Puts the values of the rows that have one in their places, and `null` in the others.
    pub(super) fn spread<T: Copy>(&self, values: Vec<T>, null: T) -> Vec<T> {
        let Some(valid) = &self.valid else { return values };
        let mut values = values.into_iter();
        valid.iter().map(|&valid| if valid { values.next().unwrap_or(null) } else { null }).collect()
    }
}
