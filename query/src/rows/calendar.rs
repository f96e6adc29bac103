//! Calendar arithmetic on times, in UTC.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use throughline_engine::Millis;

/// What a time can be truncated to. Weeks begin on Monday (ISO 8601).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// What can be extracted from a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Second,
    Minute,
    Hour,
    Day,
    /// ISO 8601: 1 is Monday.
    Weekday,
    /// ISO 8601 week of the year.
    Week,
    Month,
    Quarter,
    Year,
}

pub(crate) const UNITS: [(&str, Unit); 8] = [
    ("second", Unit::Second),
    ("minute", Unit::Minute),
    ("hour", Unit::Hour),
    ("day", Unit::Day),
    ("week", Unit::Week),
    ("month", Unit::Month),
    ("quarter", Unit::Quarter),
    ("year", Unit::Year),
];

pub(crate) const FIELDS: [(&str, Field); 9] = [
    ("second", Field::Second),
    ("minute", Field::Minute),
    ("hour", Field::Hour),
    ("day", Field::Day),
    ("weekday", Field::Weekday),
    ("week", Field::Week),
    ("month", Field::Month),
    ("quarter", Field::Quarter),
    ("year", Field::Year),
];

fn civil(at: Millis) -> Option<DateTime> {
    Some(TimeZone::UTC.to_datetime(Timestamp::from_millisecond(at).ok()?))
}

/// The start of the unit that `at` lies in. `None` outside the years -9999 to 9999.
pub(crate) fn truncate(at: Millis, unit: Unit) -> Option<Millis> {
    let fixed = match unit {
        Unit::Second => 1_000,
        Unit::Minute => 60_000,
        Unit::Hour => 3_600_000,
        Unit::Day => 86_400_000,
        _ => 0,
    };
    if fixed > 0 {
        return at.checked_sub(at.rem_euclid(fixed));
    }
    let date = civil(at)?.date();
    let start = match unit {
        Unit::Week => date.checked_sub(i32::from(date.weekday().to_monday_zero_offset()).days()).ok()?,
        Unit::Month => date.first_of_month(),
        Unit::Quarter => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok()?,
        _ => date.first_of_year(),
    };
    instant(start.to_datetime(Time::midnight()))
}

/// A number out of a time. `None` outside the years -9999 to 9999.
pub(crate) fn extract(at: Millis, field: Field) -> Option<i64> {
    let at = civil(at)?;
    Some(match field {
        Field::Second => at.second().into(),
        Field::Minute => at.minute().into(),
        Field::Hour => at.hour().into(),
        Field::Day => at.day().into(),
        Field::Weekday => at.weekday().to_monday_one_offset().into(),
        Field::Week => at.date().iso_week_date().week().into(),
        Field::Month => at.month().into(),
        Field::Quarter => i64::from((at.month() - 1) / 3 + 1),
        Field::Year => at.year().into(),
    })
}

fn instant(at: DateTime) -> Option<Millis> {
    Some(TimeZone::UTC.to_timestamp(at).ok()?.as_millisecond())
}

/// Reads `2026-01-31`, `2026-01-31T09:00:00Z`; UTC where no zone is written.
pub(crate) fn parse_instant(text: &str) -> Option<Millis> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_millisecond());
    }
    instant(text.parse::<DateTime>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        let check = |text: &str, expected: Option<&str>| {
            let shown = parse_instant(text).map(|at| crate::value::rfc3339(at).expect("in range"));
            assert_eq!(shown.as_deref(), expected, "{text}");
        };
        check("2026-01-31", Some("2026-01-31T00:00:00Z"));
        check("2026-01-31T09:00:00Z", Some("2026-01-31T09:00:00Z"));
        check("2026-01-31T09:00:00+02:00", Some("2026-01-31T07:00:00Z"));
        check("2026-01-31T09:00", Some("2026-01-31T09:00:00Z"));
        check("2026-02-30", None);
        check("2026", None);
        check("yesterday", None);
    }

    #[test]
    fn units() {
        let check = |unit: Unit, expected: &str| {
            let at = parse_instant("2026-08-20T13:45:59.5").expect("an instant");
            assert_eq!(truncate(at, unit), parse_instant(expected), "{unit:?}");
        };
        check(Unit::Second, "2026-08-20T13:45:59");
        check(Unit::Minute, "2026-08-20T13:45:00");
        check(Unit::Hour, "2026-08-20T13:00:00");
        check(Unit::Day, "2026-08-20");
        check(Unit::Week, "2026-08-17");
        check(Unit::Month, "2026-08-01");
        check(Unit::Quarter, "2026-07-01");
        check(Unit::Year, "2026-01-01");
        assert_eq!(truncate(-1, Unit::Day), Some(-86_400_000));
    }

    #[test]
    fn fields() {
        let at = parse_instant("2026-08-20T13:45:59").expect("an instant");
        let found: Vec<_> = FIELDS.iter().map(|(_, field)| extract(at, *field)).collect();
        assert_eq!(found, [59, 45, 13, 20, 4, 34, 8, 3, 2026].map(Some));
    }
}
