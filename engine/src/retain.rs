//! How far back a store keeps interactions.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::TIME_MIN_MS;
use crate::model::{Millis, date_of};

/// Milliseconds of a day.
const DAY_MS: Millis = 86_400_000;
/// The most of a unit that can be kept: so many years are longer than the times that a store takes.
const AMOUNT_MAX: u32 = 100_000;

/// What a span of time to be kept is counted in. Months and years are those of the calendar in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RetainUnit {
    /// 24 hours
    Days,
    /// 7 days
    Weeks,
    /// Months: of 31 March one month back is the last day of February.
    Months,
    /// 12 months
    Years,
}

impl RetainUnit {
    /// All of them, with their words for one and for many.
    pub const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Days, "DAY", "DAYS"),
        (Self::Weeks, "WEEK", "WEEKS"),
        (Self::Months, "MONTH", "MONTHS"),
        (Self::Years, "YEAR", "YEARS"),
    ];

    /// The unit of a word, whatever its case.
    pub fn parse(word: &str) -> Option<Self> {
        let is = |name: &str| name.eq_ignore_ascii_case(word);
        Self::ALL.iter().find(|(_, one, many)| is(one) || is(many)).map(|(unit, ..)| *unit)
    }
}

/// How far back interactions are kept, by the times that they took place at; see
/// [`Db::retain`](crate::Db::retain).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Retain {
    /// However old they are.
    Forever,
    /// What took place in the last so many days, weeks, months or years.
    Last {
        /// How many; at least 1.
        amount: u32,
        /// Of what.
        unit: RetainUnit,
    },
}

impl std::fmt::Display for Retain {
    /// As a statement says it: `24 MONTHS`, `FOREVER`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Last { amount, unit } = self else { return f.write_str("FOREVER") };
        let words = RetainUnit::ALL.iter().find(|(known, ..)| known == unit);
        let word = words.map_or("", |(_, one, many)| if *amount == 1 { one } else { many });
        write!(f, "{amount} {word}")
    }
}

impl Retain {
    /// Before which time nothing is kept, said at `now`; `None` where all is.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an amount of 0; [`Error::Limit`] past 100,000.
    pub fn cutoff(&self, now: Millis) -> Result<Option<Millis>> {
        let Self::Last { amount, unit } = *self else { return Ok(None) };
        if amount == 0 {
            return Err(Error::invalid("to keep nothing at all cannot be meant: keep at least one day"));
        }
        if amount > AMOUNT_MAX {
            let (value, limit) = (u64::from(amount), u64::from(AMOUNT_MAX));
            return Err(Error::Limit { what: "days, weeks, months or years to keep", value, limit });
        }
        let amount = i64::from(amount);
        let cutoff = match unit {
            RetainUnit::Days => now.saturating_sub(amount * DAY_MS),
            RetainUnit::Weeks => now.saturating_sub(amount * 7 * DAY_MS),
            RetainUnit::Months => months_before(now, amount),
            RetainUnit::Years => months_before(now, amount * 12),
        };
        // No interaction is older.
        Ok(Some(cutoff.max(TIME_MIN_MS)))
    }
}

/// The same day and time of day some months earlier, or the last day of that month where it has no
/// such day.
fn months_before(now: Millis, months: i64) -> Millis {
    let (year, month, day) = date_of(now);
    let month = year * 12 + month - 1 - months;
    let start = |month: i64| first_day(month.div_euclid(12), month.rem_euclid(12) + 1);
    let days = start(month + 1) - start(month);
    (start(month) + day.min(days) - 1).saturating_mul(DAY_MS).saturating_add(now.rem_euclid(DAY_MS))
}

/// The first day of a month, in days since 1970.
fn first_day(year: i64, month: i64) -> i64 {
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i64, month: i64, day: i64) -> Millis {
        (first_day(year, month) + day - 1) * DAY_MS
    }

    #[test]
    fn first_days_are_those_that_dates_are_read_by() {
        for month in 1_900 * 12..2_500 * 12 {
            let (year, month) = (month / 12, month % 12 + 1);
            assert_eq!(date_of(at(year, month, 1)), (year, month, 1));
            assert_eq!(date_of(at(year, month, 1) - 1).1, if month == 1 { 12 } else { month - 1 });
        }
    }

    #[test]
    fn months_and_years_go_by_the_calendar() {
        let noon = DAY_MS / 2 + 7;
        let last = |amount, unit| Retain::Last { amount, unit };
        for (keep, from) in [
            (last(1, RetainUnit::Days), at(2024, 3, 30)),
            (last(2, RetainUnit::Weeks), at(2024, 3, 17)),
            (last(1, RetainUnit::Months), at(2024, 2, 29)),
            (last(13, RetainUnit::Months), at(2023, 2, 28)),
            (last(4, RetainUnit::Months), at(2023, 11, 30)),
            (last(24, RetainUnit::Months), at(2022, 3, 31)),
            (last(2, RetainUnit::Years), at(2022, 3, 31)),
            (last(100, RetainUnit::Years), at(1924, 3, 31)),
        ] {
            assert_eq!(keep.cutoff(at(2024, 3, 31) + noon).expect("is kept"), Some(from + noon), "{keep}");
        }
        let cutoff = last(1, RetainUnit::Years).cutoff(at(2024, 2, 29)).expect("is kept");
        assert_eq!(cutoff, Some(at(2023, 2, 28)));
    }

    #[test]
    fn what_is_no_span_is_refused_and_what_is_long_is_as_good_as_all() {
        let last = |amount, unit| Retain::Last { amount, unit };
        for (_, _, word) in RetainUnit::ALL {
            let unit = RetainUnit::parse(&word.to_lowercase()).expect("a unit");
            assert!(last(0, unit).cutoff(0).is_err() && last(AMOUNT_MAX + 1, unit).cutoff(0).is_err());
            for now in [i64::MIN, TIME_MIN_MS, 0, i64::MAX] {
                let cutoff = last(AMOUNT_MAX, unit).cutoff(now).expect("a span");
                assert!(cutoff.is_some_and(|cutoff| cutoff >= TIME_MIN_MS));
            }
        }
        assert_eq!(last(AMOUNT_MAX, RetainUnit::Years).cutoff(0).expect("a span"), Some(TIME_MIN_MS));
        assert_eq!(Retain::Forever.cutoff(0).expect("a span"), None);
        assert_eq!(RetainUnit::parse("fortnight"), None);
        assert_eq!(last(1, RetainUnit::Months).to_string(), "1 MONTH");
        assert_eq!(last(24, RetainUnit::Months).to_string(), "24 MONTHS");
        assert_eq!(Retain::Forever.to_string(), "FOREVER");
    }
}
