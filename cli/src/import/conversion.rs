//! One value to the type of its attribute.

use std::borrow::Cow;

use throughline::engine::{AttrType, ValueRef};

use super::intake::VALUE_BYTES;
use super::values::{
    Field, TimeRule, epoch, in_sentiment_range, parse_bool, parse_float, parse_int, parse_sentiment,
    says_nothing, whole,
};
use crate::civil;

/// A value that has been read, except that text stays where it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Null,
    /// The text of the field itself.
    AsItStands,
    Owned(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Time(i64),
}

impl Scalar {
    /// The value for the engine; NULL for what has none here.
    pub(crate) fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Null | Self::AsItStands => ValueRef::Str(""),
            Self::Owned(text) => ValueRef::Str(text),
            Self::Int(number) => ValueRef::Int(*number),
            Self::Float(number) => ValueRef::Float(*number),
            Self::Bool(truth) => ValueRef::Bool(*truth),
            Self::Time(time) => ValueRef::Time(*time),
        }
    }
}

/// Why a value is not of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// This type would hold it and what came before.
    Wider(AttrType),
    /// No type would.
    TooLong,
}

/// Reads a field as a value of `ty`; as a mood where the attribute is the sentiment.
pub(crate) fn convert(
    field: Field<'_>,
    ty: AttrType,
    rule: &TimeRule,
    sentiment: bool,
) -> Result<Scalar, Misfit> {
    if matches!(field, Field::Null) || matches!(field, Field::Float(number) if number.is_nan()) {
        return Ok(Scalar::Null);
    }
    if ty.is_string() {
        return text(field);
    }
    if let Field::Str(words) = field
        && says_nothing(words)
    {
        return Ok(Scalar::Null);
    }
    let read = match ty {
        AttrType::Float if sentiment => match field {
            Field::Str(words) => parse_sentiment(words),
            other => number(other).and_then(in_sentiment_range),
        }
        .map(Scalar::Float),
        AttrType::Float => number(field).map(Scalar::Float),
        AttrType::Int => match field {
            Field::Int(number) => Some(number),
            Field::Float(number) => whole(number),
            Field::Str(words) => parse_int(words),
            _ => None,
        }
        .map(Scalar::Int),
        AttrType::Bool => match field {
            Field::Bool(truth) => Some(truth),
            Field::Int(0) => Some(false),
            Field::Int(1) => Some(true),
            Field::Float(number) if number == 0.0 || number == 1.0 => Some(number == 1.0),
            Field::Str(words) => parse_bool(words),
            _ => None,
        }
        .map(Scalar::Bool),
        _ => instant(field, rule).map(Scalar::Time),
    };
    read.ok_or_else(|| {
        let fractional = number(field).is_some();
        Misfit::Wider(if ty == AttrType::Int && fractional { AttrType::Float } else { AttrType::Text })
    })
}

/// A value as `export` wrote it, which is taken as it stands; `None` for what [`convert`] takes
/// so anyway.
pub(crate) fn as_written(field: Field<'_>, ty: AttrType) -> Option<Scalar> {
    match field {
        Field::Str(words) if ty.is_string() && words.len() <= VALUE_BYTES => Some(Scalar::AsItStands),
        Field::Float(number) if ty == AttrType::Float && !number.is_nan() => Some(Scalar::Float(number)),
        _ => None,
    }
}

fn text(field: Field<'_>) -> Result<Scalar, Misfit> {
    Ok(match field {
        Field::Str(words) if words.len() > VALUE_BYTES => return Err(Misfit::TooLong),
        Field::Str(words) if words.trim().is_empty() => Scalar::Null,
        Field::Str(_) => Scalar::AsItStands,
        Field::Time(time) | Field::LocalTime(time) => Scalar::Owned(civil::rfc3339(time)),
        Field::Int(number) => Scalar::Int(number),
        Field::Float(number) => Scalar::Float(number),
        Field::Bool(truth) => Scalar::Bool(truth),
        Field::Null => Scalar::Null,
    })
}

fn number(field: Field<'_>) -> Option<f64> {
    match field {
        Field::Int(number) => Some(number as f64),
        Field::Float(number) => number.is_finite().then_some(number),
        Field::Str(words) => parse_float(words),
        _ => None,
    }
}

/// The time a field says; `None` where it says none.
pub(crate) fn instant(field: Field<'_>, rule: &TimeRule) -> Option<i64> {
    match field {
        Field::Str(words) => rule.parse(words),
        Field::Time(time) => Some(time),
        Field::LocalTime(time) => rule.at_zone(time),
        Field::Int(number) => Some(epoch(number)),
        Field::Float(number) if number.is_finite() && number.abs() < 1e11 => {
            Some((number * 1_000.0).round() as i64)
        }
        Field::Float(number) => whole(number),
        Field::Null | Field::Bool(_) => None,
    }
}

/// A field as the key of an identity, and for messages. Data frames turn
/// whole-numbered keys into floats where one is missing: `42.0` is 42.
pub(crate) fn identity_text<'a>(field: Field<'a>) -> Cow<'a, str> {
    match field {
        Field::Null => Cow::Borrowed(""),
        Field::Str(words) => Cow::Borrowed(words),
        Field::Int(number) => Cow::Owned(number.to_string()),
        Field::Float(number) => Cow::Owned(match whole(number) {
            Some(number) => number.to_string(),
            None => number.to_string(),
        }),
        Field::Bool(truth) => Cow::Owned(truth.to_string()),
        Field::Time(time) | Field::LocalTime(time) => Cow::Owned(civil::rfc3339(time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: Field<'_>, ty: AttrType, expected: Result<Scalar, Misfit>) {
        assert_eq!(convert(field, ty, &TimeRule::default(), false), expected, "{field:?} as {ty:?}");
    }

    #[test]
    fn values_by_type() {
        check(Field::Str("12"), AttrType::Int, Ok(Scalar::Int(12)));
        check(Field::Str("12.5"), AttrType::Int, Err(Misfit::Wider(AttrType::Float)));
        check(Field::Str("twelve"), AttrType::Int, Err(Misfit::Wider(AttrType::Text)));
        check(Field::Str("N/A"), AttrType::Int, Ok(Scalar::Null));
        check(Field::Str("N/A"), AttrType::Symbol, Ok(Scalar::AsItStands));
        check(Field::Str("  "), AttrType::Symbol, Ok(Scalar::Null));
        check(Field::Int(3), AttrType::Float, Ok(Scalar::Float(3.0)));
        check(Field::Float(f64::NAN), AttrType::Float, Ok(Scalar::Null));
        check(Field::Float(1.0), AttrType::Bool, Ok(Scalar::Bool(true)));
        check(Field::Str("maybe"), AttrType::Bool, Err(Misfit::Wider(AttrType::Text)));
        check(Field::Int(1_767_225_600), AttrType::Time, Ok(Scalar::Time(1_767_225_600_000)));
        check(Field::Time(0), AttrType::Symbol, Ok(Scalar::Owned("1970-01-01T00:00:00Z".into())));
    }

    #[test]
    fn long_values_are_refused() {
        check(Field::Str(&"x".repeat(VALUE_BYTES)), AttrType::Text, Ok(Scalar::AsItStands));
        check(Field::Str(&"x".repeat(VALUE_BYTES + 1)), AttrType::Text, Err(Misfit::TooLong));
    }

    #[test]
    fn what_was_written_stands() {
        assert_eq!(as_written(Field::Str("  "), AttrType::Symbol), Some(Scalar::AsItStands));
        assert_eq!(
            as_written(Field::Float(f64::INFINITY), AttrType::Float),
            Some(Scalar::Float(f64::INFINITY))
        );
        assert_eq!(as_written(Field::Str("5"), AttrType::Int), None);
        assert_eq!(as_written(Field::Str(&"x".repeat(VALUE_BYTES + 1)), AttrType::Text), None);
        assert_eq!(as_written(Field::Null, AttrType::Text), None);
    }

    #[test]
    fn moods_have_bounds() {
        let mood = |field| convert(field, AttrType::Float, &TimeRule::default(), true);
        assert_eq!(mood(Field::Str("angry")), Ok(Scalar::Float(-1.0)));
        assert_eq!(mood(Field::Float(0.25)), Ok(Scalar::Float(0.25)));
        assert!(mood(Field::Int(5)).is_err());
    }
}
