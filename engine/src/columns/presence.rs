//! Which rows have a value: all, none, or a packed flag a row, set for the rarer case.

use std::ops::Range;

use super::flags::{self, COUNTED, Flags};
use super::packed::{pack, unpack};
use super::reader::Reader;
use super::seek::{Seeker, total};
use crate::error::Result;

const ALL: u8 = 0;
const ABSENT_FLAGGED: u8 = 1;
const NONE: u8 = 2;
const PRESENT_FLAGGED: u8 = 3;
const ABSENT_COUNTED: u8 = 4;
const PRESENT_COUNTED: u8 = 5;

/// Appends which of `n` rows have a value; `count` is how many do.
pub(super) fn encode(n: usize, count: usize, present: impl Iterator<Item = bool>, out: &mut Vec<u8>) {
    if count == n {
        out.push(ALL);
    } else if count == 0 {
        out.push(NONE);
    } else {
        let flagged = count <= n / 2;
        let flags: Vec<u32> = present.map(|present| u32::from(present == flagged)).collect();
        if n < COUNTED {
            out.push(if flagged { PRESENT_FLAGGED } else { ABSENT_FLAGGED });
            pack(&flags, out);
        } else {
            out.push(if flagged { PRESENT_COUNTED } else { ABSENT_COUNTED });
            flags::encode(&flags, out);
        }
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
        let flags = match mode {
            ALL => return Ok(Self { count: n, valid: None }),
            NONE => return Ok(Self { count: 0, valid: Some(vec![false; n]) }),
            ABSENT_FLAGGED | PRESENT_FLAGGED => unpack(reader, n)?,
            ABSENT_COUNTED | PRESENT_COUNTED => flags::decode(reader, n)?,
            other => return Err(reader.damaged(format!("unknown way {other} to mark NULLs"))),
        };
        let set = matches!(mode, PRESENT_FLAGGED | PRESENT_COUNTED);
        let valid: Vec<bool> = flags.into_iter().map(|flag| (flag != 0) == set).collect();
        let count = valid.iter().filter(|&&valid| valid).count();
        Ok(Self { count, valid: (count < n).then_some(valid) })
    }

    /// Puts the values of the rows that have one in their places, and `null` in the others.
    pub(super) fn spread<T: Copy>(&self, values: Vec<T>, null: T) -> Vec<T> {
        let Some(valid) = &self.valid else { return values };
        let mut values = values.into_iter();
        valid.iter().map(|&valid| if valid { values.next().unwrap_or(null) } else { null }).collect()
    }

    /// Which rows of `ranges` have a value, of `n`; how many of all have one; and where the values
    /// of those rows lie among them.
    ///
    /// # Errors
    /// As [`Presence::decode`].
    pub(super) fn of_rows(seeker: &mut Seeker<'_>, n: usize, ranges: &[Range<usize>]) -> Result<OfRows> {
        let mode = seeker.u8()?;
        let none = |rows: usize| Self { count: 0, valid: (rows > 0).then(|| vec![false; rows]) };
        let counted = match mode {
            ALL => {
                let own = Self { count: total(ranges), valid: None };
                return Ok(OfRows { all: n, values: ranges.to_vec(), own });
            }
            NONE => return Ok(OfRows { all: 0, values: Vec::new(), own: none(total(ranges)) }),
            ABSENT_FLAGGED | PRESENT_FLAGGED => false,
            ABSENT_COUNTED | PRESENT_COUNTED => true,
            other => return Err(seeker.damaged(format!("unknown way {other} to mark NULLs"))),
        };
        let set = matches!(mode, PRESENT_FLAGGED | PRESENT_COUNTED);
        let flags = Flags::place(seeker, n, counted)?;
        let present = |rows: usize, flagged: usize| match set {
            true => Some(flagged),
            false => rows.checked_sub(flagged),
        };
        let wrong = || seeker.damaged("flags are not as many as is said");
        let before = |row: usize| -> Result<usize> {
            present(row, flags.before(row)?).filter(|&before| before <= row).ok_or_else(wrong)
        };
        let valid: Vec<bool> = flags.read(ranges)?.into_iter().map(|flag| (flag != 0) == set).collect();
        let mut values: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
        let (mut rest, mut count) = (valid.as_slice(), 0);
        for range in ranges {
            let Some((own, others)) = rest.split_at_checked(range.len()) else { return Err(wrong()) };
            rest = others;
            let within = own.iter().filter(|&&valid| valid).count();
            let start = before(range.start)?;
            if values.last().is_some_and(|last| last.end > start) {
                return Err(wrong());
            }
            values.push(start..start + within);
            count += within;
        }
        let all = before(n)?;
        let own = Self { count, valid: (count < valid.len()).then_some(valid) };
        Ok(OfRows { all, values, own })
    }
}

/// What [`Presence::of_rows`] found.
pub(super) struct OfRows {
    /// How many of all rows have a value.
    pub all: usize,
    /// Where the values of the rows asked about lie among those, ascending.
    pub values: Vec<Range<usize>>,
    /// Which of the rows asked about have one.
    pub own: Presence,
}
