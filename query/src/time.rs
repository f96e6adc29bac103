//! Instants, spans of time and durations of the language.
//!
//! Times are milliseconds since 1970-01-01T00:00:00Z. The calendar is the
//! proleptic Gregorian one in UTC and covers the years -9999 to 9999; outside
//! of it there is no answer, and nothing panics.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use crate::syntax::words;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Where `date_trunc` cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the units themselves")]
pub enum Unit {
    Year,
    Quarter,
    Month,
    /// From Monday.
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

impl Unit {
    /// Every unit with its word.
    pub const ALL: [(&'static str, Self); 8] = [
        ("year", Self::Year),
        ("quarter", Self::Quarter),
        ("month", Self::Month),
        ("week", Self::Week),
        ("day", Self::Day),
        ("hour", Self::Hour),
        ("minute", Self::Minute),
        ("second", Self::Second),
    ];

    /// The unit of a word, whatever its case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, unit)| *unit)
    }
}

/// What `extract` takes out of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The year.
    Year,
    /// 1 to 4
    Quarter,
    /// 1 to 12
    Month,
    /// ISO 8601 week, 1 to 53
    Week,
    /// Day of the month, 1 to 31
    Day,
    /// Day of the week, Monday 1 to Sunday 7
    Dow,
    /// 0 to 23
    Hour,
    /// 0 to 59
    Minute,
    /// 0 to 59
    Second,
    /// Whole seconds since 1970, rounded down
    Epoch,
}

impl Field {
    /// Every field with its word.
    pub const ALL: [(&'static str, Self); 10] = [
        ("year", Self::Year),
        ("quarter", Self::Quarter),
        ("month", Self::Month),
        ("week", Self::Week),
        ("day", Self::Day),
        ("dow", Self::Dow),
        ("hour", Self::Hour),
        ("minute", Self::Minute),
        ("second", Self::Second),
        ("epoch", Self::Epoch),
    ];

    /// The field of a word, whatever its case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, field)| *field)
    }
}

/// An instant: a date (its first moment), or RFC 3339 with or without a zone
/// (then UTC), with a `T` or a space between date and time. Finer than a
/// millisecond is cut off.
pub fn parse_instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if !text.is_ascii() || text.len() > 64 {
        return None;
    }
    let (date, time) = text.split_at_checked(10).unwrap_or((text, ""));
    let date = parse_date(date)?;
    let Some(first) = time.bytes().next() else { return start_of(date) };
    // At least `T09:00`: an hour alone is more likely a slip.
    if !matches!(first, b'T' | b't' | b' ') || time.as_bytes().get(3) != Some(&b':') {
        return None;
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return i64::try_from(instant.as_nanosecond().div_euclid(1_000_000)).ok();
    }
    // Only a time that names no zone at all is taken as UTC.
    if time.contains(['Z', 'z', '+', '-', '[']) {
        return None;
    }
    millis_of(text.parse::<DateTime>().ok()?)
}

/// A span of time, `[start, end)`: `2026`, `2026-Q1`, `2026-03`, or one day `2026-03-05`.
pub fn parse_span(text: &str) -> Option<(i64, i64)> {
    let text = text.trim();
    if !text.is_ascii() {
        return None;
    }
    if text.len() == 10 {
        let date = parse_date(text)?;
        return Some((start_of(date)?, start_of(date)?.checked_add(DAY)?));
    }
    let year = number(text.get(..4)?)?;
    let (first, months) = match (text.len(), text.get(4..)?) {
        (4, _) => (1, 12),
        (7, rest) => {
            let rest = rest.strip_prefix('-')?;
            match rest.strip_prefix(['Q', 'q']) {
                Some(quarter) => {
                    let quarter = number(quarter).filter(|q| (1..=4).contains(q))?;
                    (quarter * 3 - 2, 3)
                }
                None => (number(rest)?, 1),
            }
        }
        _ => return None,
    };
    let past = first + months;
    let end = if past > 12 { start_of_month(year + 1, past - 12) } else { start_of_month(year, past) };
    Some((start_of_month(year, first)?, end?))
}

/// A duration as the language writes it: `7d`, `90s`, `7 DAYS`.
pub fn parse_duration(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: i64 = text.get(..digits)?.parse().ok()?;
    let (unit, spaced) = match text.get(digits..)? {
        unit if unit.starts_with(char::is_whitespace) => (unit.trim_start(), true),
        unit => (unit, false),
    };
    let scale = if spaced { words::unit_word_millis(unit) } else { words::unit_millis(unit) };
    number.checked_mul(scale?)
}

/// RFC 3339 in UTC: `2026-01-31T09:00:00Z`, with milliseconds only where there
/// are some. Beyond the calendar the plain number of milliseconds.
pub fn format_instant(millis: i64) -> String {
    let Some(at) = civil(millis) else { return format!("{millis}ms") };
    let fraction = match millis.rem_euclid(SECOND) {
        0 => String::new(),
        millis => format!(".{millis:03}"),
    };
    let (year, sign) = (at.year().unsigned_abs(), if at.year() < 0 { "-" } else { "" });
    format!(
        "{sign}{year:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}Z",
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// A length of time for people: its largest unit and the next smaller one, cut
/// off below: `3d 4h`, `1m 30s`, `0s`, `-2h`.
pub fn format_duration_people(millis: i64) -> String {
    const UNITS: [(&str, u64); 5] =
        [("d", DAY as u64), ("h", HOUR as u64), ("m", MINUTE as u64), ("s", SECOND as u64), ("ms", 1)];
    let sign = if millis < 0 { "-" } else { "" };
    let length = millis.unsigned_abs();
    let Some(at) = UNITS.iter().position(|(_, scale)| length >= *scale) else { return "0s".into() };
    let mut parts = UNITS.iter().skip(at);
    let mut text = String::new();
    let mut rest = length;
    if let Some((unit, scale)) = parts.next() {
        text = format!("{sign}{}{unit}", rest / scale);
        rest %= scale;
    }
    match parts.next() {
        Some((unit, scale)) if rest / scale > 0 => format!("{text} {}{unit}", rest / scale),
        _ => text,
    }
}

/// A length of time as a literal of the language, exactly: `7d`, `90s`.
pub fn format_duration_literal(millis: i64) -> String {
    if millis == 0 {
        return "0s".into();
    }
    let units = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)];
    match units.iter().find(|(_, scale)| millis % scale == 0) {
        Some((unit, scale)) => format!("{}{unit}", millis / scale),
        None => format!("{millis}ms"),
    }
}

/// The start of the unit that an instant lies in; `None` beyond the calendar.
pub fn trunc(millis: i64, unit: Unit) -> Option<i64> {
    let floor = |scale: i64| millis.checked_sub(millis.rem_euclid(scale));
    match unit {
        Unit::Second => floor(SECOND),
        Unit::Minute => floor(MINUTE),
        Unit::Hour => floor(HOUR),
        Unit::Day => floor(DAY),
        // 1970-01-01 was a Thursday, three days into its week.
        Unit::Week => {
            let into = millis.rem_euclid(7 * DAY).checked_add(3 * DAY)?.rem_euclid(7 * DAY);
            millis.checked_sub(into)
        }
        Unit::Month | Unit::Quarter | Unit::Year => {
            let at = civil(millis)?;
            let month = i64::from(at.month());
            let first = match unit {
                Unit::Month => month,
                Unit::Quarter => (month - 1) / 3 * 3 + 1,
                _ => 1,
            };
            start_of_month(i64::from(at.year()), first)
        }
    }
}

/// One field of an instant; `None` beyond the calendar.
pub fn extract(millis: i64, field: Field) -> Option<i64> {
    if field == Field::Epoch {
        return Some(millis.div_euclid(SECOND));
    }
    let at = civil(millis)?;
    Some(match field {
        Field::Year => i64::from(at.year()),
        Field::Quarter => (i64::from(at.month()) - 1) / 3 + 1,
        Field::Month => i64::from(at.month()),
        Field::Week => i64::from(at.date().iso_week_date().week()),
        Field::Day => i64::from(at.day()),
        Field::Dow => i64::from(at.weekday().to_monday_one_offset()),
        Field::Hour => i64::from(at.hour()),
        Field::Minute => i64::from(at.minute()),
        Field::Second => i64::from(at.second()),
        Field::Epoch => millis.div_euclid(SECOND),
    })
}

fn civil(millis: i64) -> Option<DateTime> {
    Timestamp::from_millisecond(millis).ok().map(|at| Offset::UTC.to_datetime(at))
}

fn millis_of(at: DateTime) -> Option<i64> {
    Offset::UTC
        .to_timestamp(at)
        .ok()
        .map(|t| t.as_nanosecond())
        .and_then(|n| i64::try_from(n.div_euclid(1_000_000)).ok())
}

fn start_of(date: Date) -> Option<i64> {
    millis_of(date.at(0, 0, 0, 0))
}

fn start_of_month(year: i64, month: i64) -> Option<i64> {
    start_of(Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1).ok()?)
}

/// `YYYY-MM-DD` and nothing else.
fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let mut part = |digits: usize| parts.next().filter(|p| p.len() == digits).and_then(number);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() {
        return None;
    }
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Digits only.
fn number(text: &str) -> Option<i64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instant(text: &str) -> i64 {
        parse_instant(text).unwrap_or_else(|| panic!("not an instant: {text}"))
    }

    #[track_caller]
    fn check_instant(text: &str, expected: &str) {
        assert_eq!(parse_instant(text).map(format_instant).as_deref(), Some(expected), "{text}");
    }

    #[track_caller]
    fn check_span(text: &str, from: &str, to: &str) {
        assert_eq!(parse_span(text), Some((instant(from), instant(to))), "{text}");
    }

    #[test]
    fn instants() {
        assert_eq!(parse_instant("1970-01-01"), Some(0));
        check_instant("2026-01-31", "2026-01-31T00:00:00Z");
        check_instant("2026-01-31T09:00:00Z", "2026-01-31T09:00:00Z");
        check_instant("2026-01-31t09:00:00.25z", "2026-01-31T09:00:00.250Z");
        check_instant("2026-01-31 09:00", "2026-01-31T09:00:00Z");
        check_instant("2026-01-31 09:00:00.123456", "2026-01-31T09:00:00.123Z");
        check_instant("2026-01-31T09:00:00+05:30", "2026-01-31T03:30:00Z");
        check_instant("2026-01-31T09:00:00-08:00", "2026-01-31T17:00:00Z");
        check_instant("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z");
        check_instant("2024-02-29", "2024-02-29T00:00:00Z");
        check_instant("0000-01-01", "0000-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_no_instant() {
        for text in [
            "",
            "2026",
            "2026-01",
            "2026-02-30",
            "2025-02-29",
            "2026-1-1",
            "20260131",
            "2026-01-31T",
            "2026-01-31T09",
            "2026-01-31T25:00:00Z",
            "2026-01-31X09:00",
            "+2026-01-31",
            "-001-01-01",
            "2026-01-31T09:00:00Q",
            "ä026-01-31",
            "2026-01-31T09:00:00+99:00",
            "2026-Q1",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn spans() {
        check_span("2026", "2026-01-01", "2027-01-01");
        check_span("2026-Q1", "2026-01-01", "2026-04-01");
        check_span("2026-q4", "2026-10-01", "2027-01-01");
        check_span("2026-03", "2026-03-01", "2026-04-01");
        check_span("2026-12", "2026-12-01", "2027-01-01");
        check_span("2024-02-29", "2024-02-29", "2024-03-01");
        for text in [
            "", "26", "2026-Q5", "2026-Q0", "2026-13", "2026-00", "2026-3", "2026-1-1", "2026Q1", "+026",
            "2026-+1", "9999",
        ] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }

    #[test]
    fn durations() {
        let cases = [
            ("500ms", 500),
            ("90s", 90_000),
            ("15m", 900_000),
            ("24h", DAY),
            ("7d", 7 * DAY),
            ("2w", 14 * DAY),
        ];
        for (text, millis) in cases {
            assert_eq!(parse_duration(text), Some(millis), "{text}");
        }
        assert_eq!(parse_duration("7 DAYS"), Some(7 * DAY));
        assert_eq!(parse_duration("1 week"), Some(7 * DAY));
        for text in ["", "7", "d", "7 d", "-7d", "7y", "1.5h", "99999999999999999d", "9223372036854775807w"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn durations_for_people() {
        let cases = [
            (0, "0s"),
            (500, "500ms"),
            (1_500, "1s 500ms"),
            (90_000, "1m 30s"),
            (3 * DAY + 4 * HOUR + 59 * MINUTE, "3d 4h"),
            (3 * DAY + 59 * MINUTE, "3d"),
            (-2 * HOUR, "-2h"),
            (400 * DAY, "400d"),
            (i64::MIN, "-106751991167d 7h"),
        ];
        for (millis, text) in cases {
            assert_eq!(format_duration_people(millis), text);
        }
    }

    #[test]
    fn units_and_fields() {
        let at = instant("2026-08-19T13:45:59.750Z");
        let cuts = [
            (Unit::Year, "2026-01-01"),
            (Unit::Quarter, "2026-07-01"),
            (Unit::Month, "2026-08-01"),
            (Unit::Week, "2026-08-17"),
            (Unit::Day, "2026-08-19"),
            (Unit::Hour, "2026-08-19 13:00"),
            (Unit::Minute, "2026-08-19 13:45"),
            (Unit::Second, "2026-08-19 13:45:59"),
        ];
        for (unit, start) in cuts {
            assert_eq!(trunc(at, unit), Some(instant(start)), "{unit:?}");
        }
        let values = [
            ("YEAR", 2026),
            ("quarter", 3),
            ("month", 8),
            ("week", 34),
            ("day", 19),
            ("dow", 3),
            ("hour", 13),
            ("minute", 45),
            ("second", 59),
            ("epoch", at.div_euclid(1000)),
        ];
        for (word, value) in values {
            assert_eq!(Field::parse(word).and_then(|field| extract(at, field)), Some(value), "{word}");
        }
        // The week of a Sunday began six days before; ISO weeks may belong to the year before.
        assert_eq!(trunc(instant("2027-01-03"), Unit::Week), Some(instant("2026-12-28")));
        assert_eq!(extract(instant("2027-01-03"), Field::Week), Some(53));
        assert_eq!(extract(instant("1969-12-31T23:59:59.5Z"), Field::Epoch), Some(-1));
    }

    proptest! {
        #[test]
        fn no_number_panics(millis in any::<i64>()) {
            for (_, unit) in Unit::ALL {
                if let Some(start) = trunc(millis, unit) {
                    prop_assert!(start <= millis);
                    prop_assert_eq!(trunc(start, unit), Some(start));
                }
            }
            for (_, field) in Field::ALL {
                let _ = extract(millis, field);
            }
            let _ = format_instant(millis);
            let _ = format_duration_people(millis);
            let _ = format_duration_literal(millis);
        }

        #[test]
        fn instants_survive_text(millis in -62_167_219_200_000_i64..253_402_300_800_000) {
            prop_assert_eq!(parse_instant(&format_instant(millis)), Some(millis));
        }

        #[test]
        fn duration_literals_survive_text(millis in 0..i64::MAX) {
            prop_assert_eq!(parse_duration(&format_duration_literal(millis)), Some(millis));
        }

        #[test]
        fn no_text_panics(text in "[0-9TZQqz+:. -]{0,24}|\\PC{0,20}") {
            let _ = (parse_instant(&text), parse_span(&text), parse_duration(&text));
        }
    }
}
