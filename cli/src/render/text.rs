//! One value as text.

use serde_json::Value as Json;
use throughline::Value;
use throughline::time::format_duration_people;

use crate::civil;

/// How NULL is shown to people.
pub(crate) const NULL: &str = "–";

/// Lists up to this long are shown whole to people.
const LIST_ITEMS_MAX: usize = 20;
/// So many items are shown of a longer one.
const LIST_ITEMS_SHOWN: usize = 10;

/// For people: durations in words, floats to four decimals, UTC times, no control characters.
pub(crate) fn for_people(value: &Value) -> String {
    match value {
        Value::Null => NULL.to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => rounded(*number),
        Value::Time(time) => civil::readable(*time),
        Value::Duration(millis) => format_duration_people(*millis),
        Value::Str(text) => printable(text),
        Value::List(items) => listed(items),
    }
}

/// The first items of a list, and how many there are where those are not all.
fn listed(items: &[Value]) -> String {
    let shown = if items.len() > LIST_ITEMS_MAX { LIST_ITEMS_SHOWN } else { items.len() };
    let text = items.iter().take(shown).map(for_people).collect::<Vec<_>>().join(", ");
    if shown < items.len() { format!("{text}, … ({} in all)", items.len()) } else { text }
}

/// Whether values of this kind stand at the right of their column.
pub(crate) fn is_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Float(_) | Value::Duration(_))
}

/// Whether a value says something false, or nothing, when its end is cut off.
pub(crate) fn is_whole(value: &Value) -> bool {
    is_number(value) || matches!(value, Value::Time(_))
}

/// For csv: as a machine reads it; NULL is empty.
pub(crate) fn for_machines(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Str(text) => text.to_string(),
        other => match super::json::value(other) {
            Json::String(text) => text,
            other => other.to_string(),
        },
    }
}

fn rounded(number: f64) -> String {
    if number != 0.0 && (number.abs() < 0.00005 || number.abs() >= 1e15) {
        return format!("{number:.3e}");
    }
    let text = format!("{number:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Customers' words can hold line breaks and terminal commands.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_for_people() {
        let check = |value: Value, expected: &str| assert_eq!(for_people(&value), expected);
        check(Value::Null, "–");
        check(Value::Float(0.5), "0.5");
        check(Value::Float(2.0 / 3.0), "0.6667");
        check(Value::Float(3.0), "3");
        check(Value::Float(-0.000_01), "-1.000e-5");
        check(Value::Str("a\u{1b}[31m\nb".into()), "a [31m b");
        check(Value::List(vec![Value::Str("phone".into()), Value::Null]), "phone, –");
        check(Value::Time(0), "1970-01-01 00:00:00");
        let long = |len: i64| Value::List((0..len).map(Value::Int).collect());
        check(long(3), "0, 1, 2");
        assert!(for_people(&long(20)).ends_with(", 18, 19"));
        check(long(312), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … (312 in all)");
    }

    #[test]
    fn values_for_machines() {
        let check = |value: Value, expected: &str| assert_eq!(for_machines(&value), expected);
        check(Value::Null, "");
        check(Value::Float(0.1), "0.1");
        check(Value::Duration(90_000), "90");
        check(Value::Duration(1_500), "1.5");
        check(Value::Time(0), "1970-01-01T00:00:00Z");
        check(Value::Time(250), "1970-01-01T00:00:00.25Z");
        check(Value::List(vec![Value::Str("a".into()), Value::Int(1)]), "[\"a\",1]");
    }
}
