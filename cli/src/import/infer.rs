//! The type of a column nobody has described, from a sample of its values.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use throughline::engine::AttrType;

use super::values::{Field, parse_float, parse_iso};

/// Mean length in bytes past which values are taken for people's words.
const TEXT_MEAN_BYTES: usize = 40;
/// Length in bytes past which a single value says so.
const TEXT_BYTES: usize = 200;
/// Values that must have been seen before mostly distinct ones are taken for ids.
const ID_VALUES_MIN: u64 = 100;

/// What has been seen of a column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    values: u64,
    ints: u64,
    floats: u64,
    truths: u64,
    times: u64,
    typed_text: bool,
    zero_led: bool,
    lines: bool,
    bytes: usize,
    longest: usize,
    distinct: HashSet<u64>,
}

impl Sample {
    /// Takes a value in. `typed` says that the source itself knows types, so
    /// that its text is text whatever it looks like.
    pub(crate) fn observe(&mut self, field: Field<'_>, typed: bool) {
        match field {
            Field::Null => return,
            Field::Int(_) => self.ints += 1,
            Field::Float(_) => self.floats += 1,
            Field::Bool(_) => self.truths += 1,
            Field::Time(_) | Field::LocalTime(_) => self.times += 1,
            Field::Str(text) => {
                let text = text.trim();
                if text.is_empty() {
                    return;
                }
                self.typed_text |= typed;
                self.observe_text(text);
            }
        }
        self.values += 1;
    }

    fn observe_text(&mut self, text: &str) {
        self.bytes += text.len();
        self.longest = self.longest.max(text.len());
        self.lines |= text.contains('\n');
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.distinct.insert(hasher.finish());
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        if unsigned.len() > 1
            && unsigned.starts_with('0')
            && unsigned.bytes().all(|byte| byte.is_ascii_digit())
        {
            self.zero_led = true;
            self.ints += 1;
        } else if unsigned.bytes().all(|byte| byte.is_ascii_digit()) && !unsigned.is_empty() {
            // More digits than a 64-bit number holds: a number in name only.
            self.zero_led |= text.parse::<i64>().is_err();
            self.ints += 1;
        } else if parse_float(text).is_some() {
            self.floats += 1;
        } else if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            self.truths += 1;
        } else if parse_iso(text).is_some() {
            self.times += 1;
        }
    }

    /// The narrowest type that all of it fits; `None` where nothing was seen.
    pub(crate) fn decide(&self) -> Option<AttrType> {
        if self.values == 0 {
            return None;
        }
        if !self.typed_text {
            if self.ints + self.floats == self.values {
                return Some(match (self.zero_led, self.floats) {
                    (true, _) => AttrType::Id,
                    (false, 0) => AttrType::Int,
                    (false, _) => AttrType::Float,
                });
            }
            if self.truths == self.values {
                return Some(AttrType::Bool);
            }
            if self.times == self.values {
                return Some(AttrType::Time);
            }
        }
        let mean = self.bytes / usize::try_from(self.values).unwrap_or(usize::MAX).max(1);
        if self.lines || self.longest > TEXT_BYTES || mean > TEXT_MEAN_BYTES {
            return Some(AttrType::Text);
        }
        let distinct = self.distinct.len() as u64;
        if self.zero_led || (self.values >= ID_VALUES_MIN && distinct * 2 > self.values) {
            return Some(AttrType::Id);
        }
        Some(AttrType::Symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: Option<AttrType>) {
        let mut sample = Sample::default();
        for value in values {
            sample.observe(Field::Str(value), false);
        }
        assert_eq!(sample.decide(), expected, "{values:?}");
    }

    #[test]
    fn types_of_text() {
        check(&["", " "], None);
        check(&["1", "-22", ""], Some(AttrType::Int));
        check(&["1", "2.5"], Some(AttrType::Float));
        check(&["007", "123"], Some(AttrType::Id));
        check(&["0", "10"], Some(AttrType::Int));
        check(&["99999999999999999999"], Some(AttrType::Id));
        check(&["true", "FALSE"], Some(AttrType::Bool));
        check(&["yes", "no"], Some(AttrType::Symbol));
        check(&["2026-01-31", "2026-01-31T09:00Z"], Some(AttrType::Time));
        check(&["2026-01-31", "soon"], Some(AttrType::Symbol));
        check(&["gold", "silver", "1"], Some(AttrType::Symbol));
        check(&["The box arrived open and nobody at the helpline could say why"], Some(AttrType::Text));
        check(&["two\nlines"], Some(AttrType::Text));
    }

    #[test]
    fn mostly_distinct_text_is_an_id() {
        let distinct: Vec<String> = (0..200).map(|n| format!("TCK-{n}")).collect();
        check(&distinct.iter().map(String::as_str).collect::<Vec<_>>(), Some(AttrType::Id));
        let repeated: Vec<String> = (0..200).map(|n| format!("TCK-{}", n % 9)).collect();
        check(&repeated.iter().map(String::as_str).collect::<Vec<_>>(), Some(AttrType::Symbol));
    }

    #[test]
    fn a_source_that_knows_types_is_believed() {
        let mut sample = Sample::default();
        sample.observe(Field::Str("12"), true);
        assert_eq!(sample.decide(), Some(AttrType::Symbol));
        let mut sample = Sample::default();
        sample.observe(Field::Int(12), true);
        sample.observe(Field::Float(1.5), true);
        assert_eq!(sample.decide(), Some(AttrType::Float));
    }
}
