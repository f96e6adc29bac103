//! Spans of time: `DURING …` and `STARTED DURING …`.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use throughline_engine::Millis;

use crate::diagnostics::Diagnostic;
use crate::rows::{Env, duration_of, instant_of, text_of};
use crate::syntax::ast::{During, Lit};

const DAY_MS: Millis = 86_400_000;

/// The times it covers, from (inclusive) to (exclusive). `LAST` counts back from `right_edge`,
/// which it includes.
pub(crate) fn span_of(
    during: &During,
    right_edge: Option<Millis>,
    env: &Env,
    sink: &mut Vec<Diagnostic>,
) -> Option<(Millis, Millis)> {
    match during {
        During::Between(from, to) => {
            let (from_at, to_at) = (instant_of(from, env, sink), instant_of(to, env, sink));
            let (from_at, to_at) = (from_at?, to_at?);
            if to_at <= from_at {
                sink.push(
                    Diagnostic::error("E309", from.span.to(to.span), "this span of time is empty")
                        .label("ends before it begins")
                        .help("write `a TO b` with a before b; b itself is left out"),
                );
                return None;
            }
            Some((from_at, to_at))
        }
        During::Span(lit) => {
            let text = text_of(lit, env, sink)?;
            let span = parse_span(&text);
            if span.is_none() {
                sink.push(not_a_span(lit, &text));
            }
            span
        }
        During::Last(lit) => {
            let length = duration_of(lit, env, sink)?;
            let edge = right_edge.unwrap_or(0);
            Some((edge.saturating_sub(length), edge.saturating_add(1)))
        }
    }
}

fn not_a_span(lit: &Lit, text: &str) -> Diagnostic {
    Diagnostic::error("E309", lit.span, format!("`{text}` is not a span of time"))
        .label("not a span")
        .help("write for example '2026', '2026-Q1' or '2026-03', or `'2026-01-31' TO '2026-02-15'`")
}

/// Reads `2026`, `2026-Q1`, `2026-03` and `2026-03-31`, in UTC.
pub(crate) fn parse_span(text: &str) -> Option<(Millis, Millis)> {
    let number = |digits: &str, len: usize| -> Option<i64> {
        (digits.len() == len && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
    };
    let day = |year: i64, month: i64, day: i64| {
        let date = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        let start = TimeZone::UTC.to_timestamp(date.ok()?.to_datetime(Time::midnight()));
        Some(start.ok()?.as_millisecond())
    };
    // Months count on past December.
    let month = |year: i64, month: i64| day(year + (month - 1) / 12, (month - 1) % 12 + 1, 1);
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4)?;
    let (first, months) = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => (1, 12),
        (Some(quarter), None, _) if quarter.starts_with(['Q', 'q']) => {
            let quarter = number(quarter.get(1..)?, 1).filter(|quarter| (1..=4).contains(quarter))?;
            (quarter * 3 - 2, 3)
        }
        (Some(month), None, _) => (number(month, 2).filter(|month| (1..=12).contains(month))?, 1),
        (Some(in_month), Some(on), None) => {
            let start = day(year, number(in_month, 2)?, number(on, 2)?)?;
            return Some((start, start + DAY_MS));
        }
        _ => return None,
    };
    Some((month(year, first)?, month(year, first + months)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_stand_alone() {
        let check = |text: &str, from: &str, to: &str| {
            let at = |text: &str| text.parse::<jiff::Timestamp>().expect(text).as_millisecond();
            let midnight = |day: &str| at(&format!("{day}T00:00:00Z"));
            let expected = (midnight(from), midnight(to));
            assert_eq!(parse_span(text), Some(expected), "{text}");
        };
        check("2026", "2026-01-01", "2027-01-01");
        check("2026-Q1", "2026-01-01", "2026-04-01");
        check("2026-Q4", "2026-10-01", "2027-01-01");
        check("2024-02", "2024-02-01", "2024-03-01");
        check("2026-12", "2026-12-01", "2027-01-01");
        check("2024-02-29", "2024-02-29", "2024-03-01");
        for wrong in ["", "26", "2026-Q5", "2026-13", "2026-1", "2026-02-30", "2026-03-01-01", "2026-Q"] {
            assert_eq!(parse_span(wrong), None, "{wrong}");
        }
    }
}
