//! Values as they go in (parameters) and come out (answers).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::{Error as _, SerializeSeq};
use serde::{Serialize, Serializer};
use throughline_engine::Millis;

/// A value of an answer, or of a parameter.
///
/// It serialises as the machine formats print it: a time as an RFC 3339 string
/// in UTC, a duration as a number of seconds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A point in time, in milliseconds since 1970 UTC.
    Time(Millis),
    /// A length of time, in milliseconds.
    Duration(i64),
    /// Text; customers come out as their identity.
    Str(Arc<str>),
    /// Values in order.
    List(Vec<Value>),
}

/// Values of `$name` in a query, by name without the `$`.
pub type Params = BTreeMap<String, Value>;

impl Value {
    /// The name of its type, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Time(_) => "time",
            Self::Duration(_) => "duration",
            Self::Str(_) => "text",
            Self::List(_) => "list",
        }
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The whole number, where it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, where it is one; a whole number as the nearest double.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, where it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Time(at) => serializer.serialize_str(&rfc3339(*at).map_err(S::Error::custom)?),
            Self::Duration(length) => match seconds(*length) {
                Ok(whole) => serializer.serialize_i64(whole),
                Err(number) => serializer.serialize_f64(number),
            },
            Self::Str(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
        }
    }
}

/// A time as RFC 3339 text in UTC.
pub(crate) fn rfc3339(at: Millis) -> Result<String, jiff::Error> {
    Ok(jiff::Timestamp::from_millisecond(at)?.to_string())
}

/// Milliseconds as seconds: whole where they are, so that they print without a point.
pub(crate) fn seconds(length: i64) -> Result<i64, f64> {
    if length % 1000 == 0 { Ok(length / 1000) } else { Err(length as f64 / 1000.0) }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl From<std::time::Duration> for Value {
    /// Whole milliseconds; a longer time than 292 million years is cut to that.
    fn from(length: std::time::Duration) -> Self {
        Self::Duration(i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A count as people write it, a comma after each group of three digits:
/// `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and what is counted: `1 row`, `1,234 rows`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_formats() {
        let check = |value: Value, expected: &str| {
            assert_eq!(serde_json::to_string(&value).expect("serialises"), expected);
        };
        check(Value::Null, "null");
        check(Value::Time(1_767_225_600_000), "\"2026-01-01T00:00:00Z\"");
        check(Value::Duration(90_000), "90");
        check(Value::Duration(1_500), "1.5");
        check(vec![1_i64, 2].into(), "[1,2]");
        check(Option::<i64>::None.into(), "null");
    }

    #[test]
    fn digits_in_groups() {
        let check = |count, expected: &str| assert_eq!(grouped(count), expected);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(1_234_567, "1,234,567");
    }
}
