//! Identities as they are written in queries.

use std::sync::Arc;

use throughline_engine::Identity;

use crate::diagnostics::Diagnostic;
use crate::rows::{Env, text_of};
use crate::syntax::ast::Lit;

/// An identity, and how it was written.
pub(crate) fn identity_of(lit: &Lit, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<(Arc<str>, Identity)> {
    let text = text_of(lit, env, sink)?;
    match Identity::parse(&text) {
        Ok(identity) => Some((text, identity)),
        Err(error) => {
            let wrong = Diagnostic::error("E412", lit.span, error.to_string());
            sink.push(wrong.label("not an identity"));
            None
        }
    }
}

/// The warning that there is no such customer.
pub(crate) fn unknown(lit: &Lit, text: &str) -> Diagnostic {
    Diagnostic::warning("W502", lit.span, format!("no customer goes by `{text}`"))
        .label("unknown identity")
        .help("an identity is written 'namespace:key', for example 'crm:42'")
}
