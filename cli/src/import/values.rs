//! What a cell of a source means: times, numbers, truths, moods.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::civil::{DAY_MS, days_from_civil};

/// A cell of a source row. Text formats give only `Null` and `Str`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Field<'a> {
    /// Nothing there.
    Null,
    /// Text, as it stands in the source.
    Str(&'a str),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Milliseconds since 1970 UTC.
    Time(i64),
    /// Milliseconds since 1970 on a clock whose zone the source does not say.
    LocalTime(i64),
}

/// How a column of times is to be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimeRule {
    /// A `strptime` format; ISO 8601 and epoch numbers where there is none.
    pub(crate) format: Option<String>,
    /// The zone of times that do not name one; UTC where there is none.
    pub(crate) zone: Option<TimeZone>,
}

impl TimeRule {
    /// Milliseconds since 1970 UTC, or `None` where the text is not a time.
    pub(crate) fn parse(&self, text: &str) -> Option<i64> {
        let text = text.trim();
        if let Some(format) = &self.format {
            return self.parse_by(format, text);
        }
        if let Some((local, offset)) = parse_iso(text) {
            return match offset {
                Some(offset) => Some(local - offset),
                None => self.at_zone(local),
            };
        }
        parse_epoch(text)
    }

    fn parse_by(&self, format: &str, text: &str) -> Option<i64> {
        let parsed = jiff::fmt::strtime::parse(format, text).ok()?;
        if parsed.offset().is_some() || parsed.timestamp().is_some() {
            return Some(parsed.to_timestamp().ok()?.as_millisecond());
        }
        let local = match parsed.to_datetime() {
            Ok(local) => local,
            Err(_) => parsed.to_date().ok()?.to_datetime(jiff::civil::Time::midnight()),
        };
        self.at_zone(TimeZone::UTC.to_timestamp(local).ok()?.as_millisecond())
    }

    /// Wall-clock milliseconds in the rule's zone to UTC. In the hour that a
    /// clock change repeats the earlier is meant, in the one it skips the time
    /// as far after the change (RFC 5545 and jiff's `compatible`).
    pub(crate) fn at_zone(&self, local: i64) -> Option<i64> {
        let Some(zone) = &self.zone else { return Some(local) };
        let wall: DateTime = TimeZone::UTC.to_datetime(jiff::Timestamp::from_millisecond(local).ok()?);
        Some(zone.to_timestamp(wall).ok()?.as_millisecond())
    }
}

/// ISO 8601: `2026-01-31`, `2026-01-31T09:00`, `2026-01-31 09:00:00.25+02:00`.
/// Answers wall-clock milliseconds and the offset from UTC where one is written.
pub(crate) fn parse_iso(text: &str) -> Option<(i64, Option<i64>)> {
    let bytes = text.as_bytes();
    let digits = |from: usize, len: usize| -> Option<i64> {
        bytes.get(from..from + len)?.iter().try_fold(0_i64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let days = days_from_civil(digits(0, 4)?, digits(5, 2)?, digits(8, 2)?)?;
    let midnight = days * DAY_MS;
    match bytes.get(10) {
        None => return Some((midnight, None)),
        Some(b'T' | b't' | b' ') => {}
        Some(_) => return None,
    }
    let (hour, minute) = (digits(11, 2)?, digits(14, 2)?);
    if bytes.get(13) != Some(&b':') || hour > 23 || minute > 59 {
        return None;
    }
    let (mut second, mut millis, mut at) = (0, 0, 16);
    if bytes.get(at) == Some(&b':') {
        // A leap second is taken for the second before it.
        second = match digits(17, 2)? {
            60 => 59,
            second @ 0..60 => second,
            _ => return None,
        };
        at = 19;
        if matches!(bytes.get(at), Some(b'.' | b',')) {
            let fraction = bytes.get(at + 1..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if fraction == 0 {
                return None;
            }
            for place in 0..3 {
                millis = millis * 10 + if place < fraction { digits(at + 1 + place, 1)? } else { 0 };
            }
            at += 1 + fraction;
        }
    }
    let local = midnight + hour * 3_600_000 + minute * 60_000 + second * 1_000 + millis;
    let rest = text.get(at..)?.trim_start();
    Some((local, parse_offset(rest)?))
}

/// `Z`, `+02:00`, `+0200`, `+02`, `UTC` or nothing; milliseconds. `None` for anything else.
#[expect(clippy::option_option, reason = "outer: whether it parses; inner: whether an offset is written")]
fn parse_offset(text: &str) -> Option<Option<i64>> {
    if text.is_empty() {
        return Some(None);
    }
    if text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("gmt")
    {
        return Some(Some(0));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let rest = text.get(1..)?;
    let (hours, minutes) = match rest.len() {
        2 => (rest, "0"),
        4 => (rest.get(..2)?, rest.get(2..)?),
        5 => rest.split_once(':')?,
        _ => return None,
    };
    if !hours.bytes().chain(minutes.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 18 && minutes <= 59).then_some(Some(sign * (hours * 3_600_000 + minutes * 60_000)))
}

/// Seconds (9 to 11 digits, with or without a fraction) or milliseconds (12 to
/// 14 digits) since 1970.
fn parse_epoch(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match whole.len() {
        9..=11 => {
            let mut millis = 0;
            for place in 0..3 {
                millis =
                    millis * 10 + fraction.as_bytes().get(place).map_or(0, |byte| i64::from(byte - b'0'));
            }
            Some(whole.parse::<i64>().ok()? * 1_000 + millis)
        }
        12..=14 if fraction.is_empty() => whole.parse().ok(),
        _ => None,
    }
}

/// A number that a source holds as a number: seconds below 10^11, else
/// milliseconds since 1970.
pub(crate) fn epoch(number: i64) -> i64 {
    if number.unsigned_abs() < 100_000_000_000 { number * 1_000 } else { number }
}

/// Whether a cell says in words that there is nothing: as databases, pandas
/// and R write it. Taken for NULL except in text, symbol and id attributes.
pub(crate) fn says_nothing(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || (text.len() <= 4
            && ["null", "nan", "none", "n/a", "na", "\\n", "-"]
                .iter()
                .any(|word| text.eq_ignore_ascii_case(word)))
}

/// true/false, yes/no, y/n, t/f, 1/0, ignoring case.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    let text = text.trim();
    let is = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "yes", "y", "t", "1"]) {
        Some(true)
    } else if is(["false", "no", "n", "f", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// A whole number; `3.0` is one.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| whole(parse_float(text)?))
}

/// A float that is a whole number below 2^53.
pub(crate) fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

/// A finite number with a decimal point.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim();
    // `inf`, `nan` and `infinity` are numbers to the standard library.
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Words for moods, strongest first, as contact-centre and social-listening
/// tools export them. Anything in the table may be prefixed by nothing else.
const MOODS: [(f64, &[&str]); 7] = [
    (1.0, &["very positive", "very_positive", "very happy", "delighted", "very satisfied"]),
    (0.6, &["positive", "pos", "happy", "satisfied", "good", "pleased"]),
    (0.3, &["slightly positive", "somewhat positive"]),
    (0.0, &["neutral", "mixed", "neu", "calm"]),
    (-0.3, &["slightly negative", "somewhat negative", "confused", "concerned", "worried"]),
    (
        -0.6,
        &[
            "negative",
            "neg",
            "unhappy",
            "dissatisfied",
            "bad",
            "sad",
            "disappointed",
            "frustrated",
            "annoyed",
        ],
    ),
    (-1.0, &["very negative", "very_negative", "angry", "furious", "very unhappy", "very dissatisfied"]),
];

/// A sentiment: a number from -1 to 1 or a word of the table.
pub(crate) fn parse_sentiment(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Some(number) = parse_float(text) {
        return in_sentiment_range(number);
    }
    MOODS
        .iter()
        .find(|(_, words)| words.iter().any(|word| text.eq_ignore_ascii_case(word)))
        .map(|(mood, _)| *mood)
}

/// The number where it is a sentiment.
pub(crate) fn in_sentiment_range(number: f64) -> Option<f64> {
    (-1.0..=1.0).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let parsed = TimeRule::default().parse(text).map(crate::civil::rfc3339);
        assert_eq!(parsed.as_deref(), expected, "{text}");
    }

    #[test]
    fn iso_and_epoch_times() {
        check("2026-01-31", Some("2026-01-31T00:00:00Z"));
        check("2026-01-31T09:00", Some("2026-01-31T09:00:00Z"));
        check("2026-01-31 09:00:05", Some("2026-01-31T09:00:05Z"));
        check(" 2026-01-31T09:00:05.25Z ", Some("2026-01-31T09:00:05.250Z"));
        check("2026-01-31T09:00:05.123456789+02:00", Some("2026-01-31T07:00:05.123Z"));
        check("2026-01-31T09:00:05-0130", Some("2026-01-31T10:30:05Z"));
        check("2026-01-31 09:00:05 +01", Some("2026-01-31T08:00:05Z"));
        check("1767225600", Some("2026-01-01T00:00:00Z"));
        check("1767225600.5", Some("2026-01-01T00:00:00.500Z"));
        check("1767225600250", Some("2026-01-01T00:00:00.250Z"));
        check("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59Z"));
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-01-31T25:00",
            "2026-01-31T09:60",
            "31/01/2026",
            "2026-1-3",
            "2026-01-31T09:00:05.",
            "2026-01-31T09:00:05+2",
            "2026-01-31T09:00:05+25:00",
            "12345",
            "2026-01-31x",
            "2026-01-31T09:00:05+1:-5",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn formats_and_zones() {
        let zone = Some(TimeZone::get("Europe/Berlin").expect("is bundled"));
        let rule = TimeRule { format: Some("%d/%m/%Y %H:%M".into()), zone: zone.clone() };
        assert_eq!(
            rule.parse("31/01/2026 09:00").map(crate::civil::rfc3339).as_deref(),
            Some("2026-01-31T08:00:00Z")
        );
        assert_eq!(rule.parse("2026-01-31 09:00"), None);
        let rule = TimeRule { format: None, zone };
        assert_eq!(
            rule.parse("2026-07-01").map(crate::civil::rfc3339).as_deref(),
            Some("2026-06-30T22:00:00Z")
        );
        assert_eq!(
            rule.parse("2026-07-01T00:00Z").map(crate::civil::rfc3339).as_deref(),
            Some("2026-07-01T00:00:00Z")
        );
        let rule = TimeRule { format: Some("%d.%m.%Y".into()), zone: None };
        assert_eq!(
            rule.parse("31.01.2026").map(crate::civil::rfc3339).as_deref(),
            Some("2026-01-31T00:00:00Z")
        );
    }

    #[test]
    fn numbers_and_truths() {
        assert_eq!(parse_int(" 42 "), Some(42));
        assert_eq!(parse_int("42.0"), Some(42));
        assert_eq!(parse_int("42.5"), None);
        assert_eq!(parse_float("-1.5e3"), Some(-1500.0));
        for text in ["nan", "inf", "1,5", "", "1e999", "five"] {
            assert_eq!(parse_float(text), None, "{text}");
        }
        assert_eq!(parse_bool("Yes"), Some(true));
        assert_eq!(parse_bool("0"), Some(false));
        assert_eq!(parse_bool("maybe"), None);
        assert!(says_nothing("NaN") && says_nothing("  ") && says_nothing("\\N") && !says_nothing("nobody"));
    }

    #[test]
    fn moods() {
        assert_eq!(parse_sentiment("-0.4"), Some(-0.4));
        assert_eq!(parse_sentiment("Angry"), Some(-1.0));
        assert_eq!(parse_sentiment("neutral"), Some(0.0));
        assert_eq!(parse_sentiment("5"), None);
        assert_eq!(parse_sentiment("purple"), None);
    }

    #[test]
    fn numbers_as_times() {
        assert_eq!(epoch(1_767_225_600), 1_767_225_600_000);
        assert_eq!(epoch(1_767_225_600_123), 1_767_225_600_123);
    }
}
