//! The options of FUNNEL: what goes together, and what each resolves to.

use throughline_engine::Attribute;

use super::super::inflow::Inflow;
use super::super::interaction::named;
use super::breakdown::{At, Breakdown, period_name};
use super::counts::COLUMNS;
use super::elements::{Elements, What};
use crate::diagnostics::Diagnostic;
use crate::limits::KEYS_MAX;
use crate::rows::{Env, count_of};
use crate::syntax::ast::{self, Count, Funnel, Span};

/// Refuses options that mean nothing beside one another.
pub(super) fn check(funnel: &Funnel, keyword: Span, inflow: &Inflow, sink: &mut Vec<Diagnostic>) {
    let strict = funnel.strict.map(|span| ("STRICT", span));
    let any_order = funnel.any_order.map(|span| ("ANY ORDER", span));
    let simultaneous = funnel.simultaneous.as_ref().map(|(_, span)| ("SIMULTANEOUS", *span));
    let hold = funnel.hold.as_ref().map(|name| ("HOLD", name.span));
    let counted =
        |wanted: Count, name| funnel.count.filter(|count| count.0 == wanted).map(|count| (name, count.1));
    let attempts = counted(Count::Attempts, "COUNT ATTEMPTS");
    let sessions = counted(Count::Sessions, "COUNT SESSIONS");
    let mut refuse = |a: Option<(&str, Span)>, b: Option<(&str, Span)>, why: &str| {
        if let (Some(a), Some(b)) = (a, b) {
            sink.push(clash(a, b, why));
        }
    };
    refuse(any_order, strict, "STRICT keeps steps in order, and ANY ORDER does not");
    refuse(any_order, simultaneous, "steps in any order need no tolerance: leave SIMULTANEOUS out");
    refuse(
        any_order,
        attempts,
        "entries open at a first step, and ANY ORDER has none: leave one of the two out",
    );
    refuse(
        simultaneous,
        strict,
        "STRICT has steps follow each other in the total order: leave one of the two out",
    );
    refuse(simultaneous, attempts, "entries are read in the total order: leave one of the two out");
    refuse(sessions, hold, "each session counts, or each customer and value: leave one of the two out");
    if let (Some((name, span)), None) = (sessions, inflow.sessions) {
        let wrong =
            Diagnostic::error("E403", span, format!("{name} counts sessions, and these are whole journeys"));
        let mut wrong = wrong.label("there are no sessions here");
        wrong.labels.push((keyword, String::new()));
        sink.push(wrong.help("write `SESSIONS GAP 30m |> FUNNEL … COUNT SESSIONS`"));
    }
}

/// The error that two options do not go together.
pub(super) fn clash(a: (&str, Span), b: (&str, Span), why: &str) -> Diagnostic {
    let message = format!("{} does not go with {}", a.0, b.0);
    let mut wrong = Diagnostic::error("E418", a.1, message).label("this");
    wrong.labels.push((b.1, "and this".to_owned()));
    wrong.help(why)
}

/// BY and TREND BY, resolved.
pub(super) fn breakdown(
    funnel: &Funnel,
    elements: &Elements,
    env: &Env,
    sink: &mut Vec<Diagnostic>,
) -> Option<Breakdown> {
    let mut found = Breakdown { trend: funnel.trend.map(|(period, _)| period), ..Breakdown::default() };
    let Some(by) = &funnel.by else { return Some(found) };
    if by.attrs.len() > KEYS_MAX {
        let message = format!("BY takes at most {KEYS_MAX} attributes, and these are {}", by.attrs.len());
        sink.push(Diagnostic::error("E406", by.span, message).label("too many attributes"));
        return None;
    }
    let mut taken: Vec<String> = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    taken.extend(found.trend.map(|period| period_name(period).to_owned()));
    let mut sound = true;
    for name in &by.attrs {
        let Some(attribute) = named(env.snapshot.schema(), name, sink) else {
            sound = false;
            continue;
        };
        let twice = found.by.iter().any(|(known, _)| known.id == attribute.id);
        if let Some(wrong) = taken_name(&attribute, name, twice, &taken, "FUNNEL") {
            sink.push(wrong);
            sound = false;
        }
        found.by.push((attribute, name.clone()));
    }
    found.at = match &by.at {
        ast::At::First => At::First,
        ast::At::Last => At::Last(elements.last_step()),
        ast::At::All => At::All,
        ast::At::Step(lit) => {
            let number = count_of(lit, env, sink)?;
            match number.checked_sub(1).and_then(|row| elements.get(row)).map(|element| element.what) {
                Some(What::Step(step) | What::Optional(step)) => At::Step(step),
                Some(What::Absence) => {
                    let message = format!("step {number} is something that must not come, and has no values");
                    let wrong = Diagnostic::error("E408", lit.span, message).label("no interaction");
                    sink.push(wrong.help("name a step that interactions fill"));
                    return None;
                }
                None => {
                    let message = format!("this funnel has steps 1 to {}", elements.len());
                    sink.push(Diagnostic::error("E408", lit.span, message).label("no such step"));
                    return None;
                }
            }
        }
    };
    sound.then_some(found)
}

/// The error that an attribute cannot be a column, as one of its name is there.
pub(super) fn taken_name(
    attribute: &Attribute,
    name: &ast::Name,
    twice: bool,
    taken: &[String],
    operator: &str,
) -> Option<Diagnostic> {
    let own = attribute.name.to_lowercase();
    let message = if twice {
        format!("`{own}` is named twice")
    } else if taken.iter().any(|taken| taken.eq_ignore_ascii_case(&own)) {
        format!("{operator} has a column `{own}` of its own, so this cannot be another")
    } else {
        return None;
    };
    Some(Diagnostic::error("E407", name.span, message).label("this name"))
}
