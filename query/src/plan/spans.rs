//! Spans of time: `DURING …` and `STARTED DURING …`.

use throughline_engine::Millis;

use crate::diagnostics::Diagnostic;
use crate::rows::{Env, duration_of, instant_of, text_of};
use crate::syntax::ast::{During, Lit};
use crate::time::parse_span;

/// The times it covers, from (inclusive) to (exclusive). `LAST` counts back from `right_edge`,
/// which it includes.
pub(crate) fn span_of(
    during: &During,
    right_edge: Option<Millis>,
    env: &Env,
    sink: &mut Vec<Diagnostic>,
) -> Option<(Millis, Millis)> {
    match during {
        During::Between(from, to) => {
            let (from_at, to_at) = (instant_of(from, env, sink), instant_of(to, env, sink));
            let (from_at, to_at) = (from_at?, to_at?);
            if to_at <= from_at {
                sink.push(
                    Diagnostic::error("E415", from.span.to(to.span), "this span of time is empty")
                        .label("ends before it begins")
                        .help("write `a TO b` with a before b; b itself is left out"),
                );
                return None;
            }
            Some((from_at, to_at))
        }
        During::Span(lit) => {
            let text = text_of(lit, env, sink)?;
            let span = parse_span(&text);
            if span.is_none() {
                sink.push(not_a_span(lit, &text));
            }
            span
        }
        During::Last(lit) => {
            let length = duration_of(lit, env, sink)?;
            let edge = right_edge.unwrap_or(0);
            Some((edge.saturating_sub(length), edge.saturating_add(1)))
        }
    }
}

fn not_a_span(lit: &Lit, text: &str) -> Diagnostic {
    Diagnostic::error("E415", lit.span, format!("`{text}` is not a span of time"))
        .label("not a span")
        .help("write for example '2026', '2026-Q1' or '2026-03', or `'2026-01-31' TO '2026-02-15'`")
}
