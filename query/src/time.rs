//! Instants, spans of time and durations of the language; UTC, milliseconds.

/// A duration as the language writes it.
pub fn parse_duration(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: i64 = text.get(..digits)?.parse().ok()?;
    let scale = crate::syntax::words::unit_millis(text.get(digits..)?.trim_start())?;
    number.checked_mul(scale)
}
