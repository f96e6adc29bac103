//! What parses and has no operator yet: an error with its place, never silence.

use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{Op, OpKind, Span};

/// `not supported yet: what`
pub(crate) fn not_yet(what: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E401", span, format!("not supported yet: {what}")).label("not supported yet")
}

/// The operators that are not built.
pub(crate) fn operator(op: &Op) -> Option<Diagnostic> {
    let what = match &op.kind {
        OpKind::AsOf(_) => "AS OF",
        OpKind::Fcr(_) => "FCR",
        OpKind::Paths(_) => "PATHS",
        OpKind::Graph(_) => "GRAPH",
        _ => return None,
    };
    Some(not_yet(what, op.keyword))
}
