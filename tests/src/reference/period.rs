//! Days, weeks and months, in UTC.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

/// `TREND BY …`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the language")]
pub enum Period {
    Day,
    Week,
    Month,
}

impl Period {
    /// The word that the column is called by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The beginning of the period that a time lies in; weeks begin on Monday.
    ///
    /// # Panics
    /// For a time that is no date.
    pub fn start_of(self, time: i64) -> i64 {
        let at = Timestamp::from_millisecond(time).expect("is a date").to_zoned_datetime(TimeZone::UTC);
        let day = at.start_of_day().expect("is a date");
        let start = match self {
            Self::Day => Ok(day),
            Self::Week if day.weekday() == Weekday::Monday => Ok(day),
            Self::Week => day.nth_weekday(-1, Weekday::Monday),
            Self::Month => day.first_of_month(),
        };
        start.expect("is a date").timestamp().as_millisecond()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings() {
        let check = |period: Period, time: &str, expected: &str| {
            let at: Timestamp = time.parse().expect("is an instant");
            let start = Timestamp::from_millisecond(period.start_of(at.as_millisecond())).expect("is a date");
            assert_eq!(start.to_string(), expected);
        };
        check(Period::Day, "2026-03-05T23:59:59.999Z", "2026-03-05T00:00:00Z");
        check(Period::Week, "2026-03-05T10:00:00Z", "2026-03-02T00:00:00Z");
        check(Period::Week, "2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z");
        check(Period::Week, "2026-03-08T23:00:00Z", "2026-03-02T00:00:00Z");
        check(Period::Month, "2026-03-31T10:00:00Z", "2026-03-01T00:00:00Z");
    }
}
