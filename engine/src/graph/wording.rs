//! Times, gaps and values of columns as text.

use std::sync::Arc;

use crate::Snapshot;
use crate::block::Block;
use crate::column::Column;
use crate::model::{Millis, date_of};
use crate::names::Symbols;
use crate::schema::{AttrType, Attribute};

/// `2026-01-31T09:00:00Z`, with milliseconds where there are any.
pub(super) fn utc(ms: Millis) -> String {
    let (year, month, day) = date_of(ms);
    let of_day = ms.rem_euclid(86_400_000);
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
    match of_day % 1_000 {
        0 => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
        milli => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"),
    }
}

/// A gap by its two largest units, the rest cut off: `3d 4h`, `12s 500ms`, `0ms`.
pub(super) fn gap(ms: Millis) -> String {
    const UNITS: [(u64, &str); 5] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let sign = if ms < 0 { "-" } else { "" };
    let size = ms.unsigned_abs();
    let first = UNITS.iter().position(|(unit, _)| size >= *unit).unwrap_or(UNITS.len() - 1);
    let mut rest = size;
    let mut parts = Vec::new();
    for (place, (unit, name)) in UNITS.iter().enumerate().skip(first).take(2) {
        let count = rest / unit;
        rest %= unit;
        if count > 0 || place == first {
            parts.push(format!("{count}{name}"));
        }
    }
    format!("{sign}{}", parts.join(" "))
}

/// One attribute of a block, read as text.
pub(super) struct Words<'a> {
    column: Option<&'a Column>,
    ty: AttrType,
    symbols: Arc<Symbols>,
}

impl<'a> Words<'a> {
    pub(super) fn new(snapshot: &Snapshot, block: &'a Block, attribute: &Attribute) -> Self {
        Self { column: block.column(attribute.id), ty: attribute.ty, symbols: snapshot.symbols(attribute.id) }
    }

    /// The value at `row`; `None` where it is NULL.
    pub(super) fn get(&self, row: usize) -> Option<String> {
        let column = self.column.filter(|column| !column.is_null(row))?;
        Some(match column {
            Column::Symbol { codes, dictionary } => {
                let entry = codes.get(row)?.checked_sub(1)?;
                self.symbols.get(*dictionary.get(entry as usize)?).to_owned()
            }
            Column::Str { codes, dictionary } => {
                dictionary.get(codes.get(row)?.checked_sub(1)? as usize).to_owned()
            }
            Column::Int { values, .. } => match (self.ty, *values.get(row)?) {
                (AttrType::Bool, value) => (value != 0).to_string(),
                (AttrType::Time, value) => utc(value),
                (_, value) => value.to_string(),
            },
            Column::Float { values, .. } => values.get(row)?.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_utc() {
        let check = |ms: Millis, expected: &str| assert_eq!(utc(ms), expected);
        check(0, "1970-01-01T00:00:00Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00Z");
        check(1_767_225_600_000, "2026-01-01T00:00:00Z");
        check(1_772_323_199_001, "2026-02-28T23:59:59.001Z");
        check(-2_208_988_800_000, "1900-01-01T00:00:00Z");
        assert!(utc(i64::MAX).ends_with('Z') && utc(i64::MIN).ends_with('Z'));
    }

    #[test]
    fn gaps_by_two_units() {
        let check = |ms: Millis, expected: &str| assert_eq!(gap(ms), expected);
        check(0, "0ms");
        check(999, "999ms");
        check(12_500, "12s 500ms");
        check(3_600_000, "1h");
        check(3_601_000, "1h");
        check(86_400_000 * 3 + 3_600_000 * 4 + 59_000, "3d 4h");
        check(-61_000, "-1m 1s");
        assert!(gap(i64::MIN).starts_with('-'));
    }
}
