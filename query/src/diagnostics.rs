//! Errors and warnings about a query: a code, one sentence, the place, help.

mod render;

pub use render::render;

use crate::syntax::ast::Span;

/// Every code with its meaning: E1 syntax, E2 names, E3 types, E4 not supported, W5 warnings.
pub const CODES: &[(&str, &str)] = &[
    ("E101", "something else is expected in this place"),
    ("E102", "there is no such operator"),
    ("E103", "a string or quoted name is never closed, or empty"),
    ("E104", "a sign that the language does not have"),
    ("E105", "a number or a duration that is malformed or out of range"),
    ("E106", "an option is written twice"),
    ("E107", "an operator misses a part, or has one too many"),
    ("E108", "a way of writing that other languages have"),
    ("E109", "a reserved word in the place of a name"),
    ("E110", "the query is too long or nested too deep"),
    ("E111", "something stands in the wrong place"),
    ("E112", "comparisons do not chain"),
    ("E301", "a name that is unknown here"),
    ("E302", "types that do not fit"),
    ("E303", "there is no such function"),
    ("E304", "an aggregate in a place without groups, or the reverse"),
    ("E305", "arguments that a function does not take"),
    ("E306", "text that is no instant or duration beside one"),
    ("E307", "a parameter without a value, or a value without its parameter"),
    ("E308", "a literal of another kind is wanted"),
    ("E309", "a column name that is taken or missing"),
    ("E310", "arithmetic leaves the range of whole numbers"),
    ("E390", "the rows held take more memory than allowed"),
    ("E391", "the store could not be read"),
    ("E392", "a pattern takes too long to search for"),
    ("E401", "not supported yet"),
    ("E402", "a step of only a name"),
    ("E403", "an operator misses an option"),
    ("E404", "too many or too few steps"),
    ("E405", "the store has no attribute in that role"),
    ("E406", "too many keys, or none"),
    ("E407", "a key named like a column of the operator, or twice"),
    ("E408", "there is no such step"),
    ("E409", "bounds that no gap satisfies"),
    ("E410", "these rows are not made of interactions"),
    ("E411", "a query that ends in journeys"),
    ("E412", "not an identity"),
    ("E413", "there is no such cohort"),
    ("E414", "an operator out of place"),
    ("E415", "not a span of time, or an empty one"),
    ("E416", "a query made without a database"),
    ("E417", "a condition that speaks of nothing"),
    ("E418", "options that do not go together"),
    ("E419", "a predicate that names a later or a repeated step"),
    ("E420", "a pattern that can be empty"),
    ("E421", "an identity that is linked to itself"),
    ("E422", "what an interaction is known by, which is not amended"),
    ("E423", "an event id that no interaction has"),
    ("E424", "AS OF a time of which it is not known any more what was known"),
    ("E499", "a query that cannot be planned"),
    ("W501", "a value that never occurs"),
    ("W502", "an identity that nobody goes by"),
    ("W503", "AS OF a time by which nothing had been recorded"),
    ("W504", "a blocked identity, which joins nobody"),
];

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// There is no answer.
    Error,
    /// There is one, and this should be known.
    Warning,
}

/// One finding about a query text.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Stable code: `E101`; listed in the language reference.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// Places with a word about each; the first is the main one.
    pub labels: Vec<(Span, String)>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            labels: vec![(span, String::new())],
            help: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// With a word under the main place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some((_, label)) = self.labels.first_mut() {
            *label = text.into();
        }
        self
    }

    /// With help.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::CODES;

    /// Every `"E101"` of a file.
    fn codes_of(source: &str) -> Vec<&str> {
        source
            .split('"')
            .filter(|part| {
                let (letter, digits) = part.split_at_checked(1).unwrap_or(("", ""));
                matches!(letter, "E" | "W") && digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit())
            })
            .collect()
    }

    fn visit(folder: &Path, check: &mut impl FnMut(&Path, &str)) {
        for entry in fs::read_dir(folder).expect("source folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                visit(&path, check);
            } else if path.extension().is_some_and(|e| e == "rs") {
                check(&path, &fs::read_to_string(&path).expect("source"));
            }
        }
    }

    #[test]
    fn every_code_in_use_is_in_the_table() {
        let mut seen = 0;
        visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |path, source| {
            for code in codes_of(source) {
                seen += 1;
                assert!(CODES.iter().any(|(known, _)| *known == code), "{} uses {code}", path.display());
            }
        });
        assert!(seen > CODES.len());
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(CODES.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a < b)));
    }
}
