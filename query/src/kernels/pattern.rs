//! Patterns over class codes: which rows of a journey fill which steps.

mod rule;

#[allow(unused_imports, reason = "the matcher and its callers come next")]
pub(crate) use rule::{Absence, Edge, Found, Joint, Rows, Rule, Step};
