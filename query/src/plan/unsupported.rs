//! What parses and has no meaning yet: an error with its place, never silence.

use crate::diagnostics::Diagnostic;
use crate::syntax::ast::Span;

/// `not supported yet: what`
pub(crate) fn not_yet(what: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E401", span, format!("not supported yet: {what}")).label("not supported yet")
}
