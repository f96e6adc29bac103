//! What parses and has no operator yet: an error with its place, never silence.

use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{At, Condition, Count, ElementKind, Funnel, Op, OpKind, Pattern, Span};

/// `not supported yet: what`
pub(crate) fn not_yet(what: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E401", span, format!("not supported yet: {what}")).label("not supported yet")
}

/// The operators that are not built.
pub(crate) fn operator(op: &Op) -> Option<Diagnostic> {
    let what = match &op.kind {
        OpKind::AsOf(_) => "AS OF",
        OpKind::Fcr(_) => "FCR",
        OpKind::Correlates => "CORRELATES",
        OpKind::Paths(_) => "PATHS",
        OpKind::Graph(_) => "GRAPH",
        _ => return None,
    };
    Some(not_yet(what, op.keyword))
}

/// The options of a funnel that are not built.
pub(crate) fn funnel(funnel: &Funnel, keyword: Span, sink: &mut Vec<Diagnostic>) {
    let mut refuse = |what: &str, span: Span| sink.push(not_yet(what, span));
    if let Some(span) = funnel.strict {
        refuse("STRICT", span);
    }
    if let Some(span) = funnel.any_order {
        refuse("ANY ORDER", span);
    }
    match funnel.count {
        Some((Count::Attempts, span)) => refuse("COUNT ATTEMPTS", span),
        Some((Count::Sessions, span)) => refuse("COUNT SESSIONS", span),
        Some((Count::Customers, _)) | None => {}
    }
    if let Some(name) = &funnel.hold {
        refuse("HOLD", name.span);
    }
    if let Some(span) = funnel.anchor_first {
        refuse("ANCHOR FIRST", span);
    }
    if let Some(by) = &funnel.by {
        let what = match by.at {
            At::First => "BY",
            At::Last => "BY … AT LAST",
            At::Step(_) => "BY … AT STEP",
            At::All => "BY … AT ALL",
        };
        refuse(what, by.span);
    }
    if let Some((_, span)) = funnel.trend {
        refuse("TREND BY", span);
    }
    if let Some((_, span)) = &funnel.simultaneous {
        refuse("SIMULTANEOUS", *span);
    }
    pattern(&funnel.pattern, keyword, sink);
}

fn pattern(pattern: &Pattern, keyword: Span, sink: &mut Vec<Diagnostic>) {
    let place = |span: Span| if span == Span::default() { keyword } else { span };
    for element in &pattern.elements {
        match &element.kind {
            ElementKind::Step(_) => {}
            ElementKind::Alternatives(_) => {
                sink.push(not_yet("alternatives of steps", place(element.span)));
            }
            ElementKind::Absent { .. } => sink.push(not_yet("NOT … WITHIN", place(element.span))),
        }
        if let Some(quantifier) = &element.quantifier {
            sink.push(not_yet("quantifiers", place(quantifier.span)));
        }
    }
    for condition in pattern.edges.iter().flat_map(|edge| &edge.conditions) {
        match condition {
            Condition::AtMost(_) | Condition::AtLeast(_) => {}
            Condition::Next(span) => sink.push(not_yet("NEXT", place(*span))),
            Condition::Same(_, span) => sink.push(not_yet("SAME on an edge", place(*span))),
            Condition::No(_, span) => sink.push(not_yet("NO on an edge", place(*span))),
        }
    }
}
