//! Rows of whole numbers as bytes: an int column for each place in a row, each after its length
//! u32. So small tables of the graph are kept.

use crate::column::Column;
use crate::columns;
use crate::error::{Error, Result};

pub(crate) fn encode<const N: usize>(rows: &[[i64; N]]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for place in 0..N {
        let values = rows.iter().map(|row| row.get(place).copied().unwrap_or_default()).collect();
        let mut column = Vec::new();
        columns::encode(&Column::Int { values, valid: None }, &mut column)?;
        out.extend((column.len() as u32).to_le_bytes());
        out.extend(column);
    }
    Ok(out)
}

/// Reads what [`encode`] wrote of so many rows; `what` names it in errors.
pub(crate) fn decode<const N: usize>(bytes: &[u8], rows: usize, what: &str) -> Result<Vec<[i64; N]>> {
    let damaged = || Error::damaged(what, 0, "it is not what was written");
    let mut rest = bytes;
    let mut out = vec![[0_i64; N]; rows];
    for place in 0..N {
        let (len, after) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (column, after) =
            after.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or_else(damaged)?;
        rest = after;
        let Column::Int { values, .. } = columns::decode(column, rows, what)? else {
            return Err(damaged());
        };
        for (row, value) in out.iter_mut().zip(values) {
            if let Some(number) = row.get_mut(place) {
                *number = value;
            }
        }
    }
    Ok(out)
}
