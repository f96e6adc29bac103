//! Text of patterns and of FUNNEL.

use super::expr::expression;
use super::{Quoted, Words, during, join, literal, name, names};
use crate::syntax::ast::{
    At, Breakdown, Condition, Count, Edge, Element, ElementKind, Funnel, Name, Pattern, Period, Quantifier,
    Step,
};
use crate::syntax::words;

pub(super) fn funnel(parts: &Funnel) -> String {
    let mut text = Words::new("FUNNEL");
    text.option("", parts.strict.map(|_| "STRICT"));
    text.option("", parts.any_order.map(|_| "ANY ORDER"));
    let between = if parts.any_order.is_some() { ", " } else { " -> " };
    text.word(&match &parts.on {
        Some(attr) => format!("ON {}: {}", name(attr), on_list(&parts.pattern, between)),
        None => pattern(&parts.pattern, between),
    });
    text.literal("WITHIN", parts.within.as_ref());
    let count = parts.count.map(|(count, _)| match count {
        Count::Customers => "CUSTOMERS",
        Count::Attempts => "ATTEMPTS",
        Count::Sessions => "SESSIONS",
    });
    text.option("COUNT", count);
    text.option("HOLD", parts.hold.as_ref().map(name));
    text.option("", parts.anchor_first.map(|_| "ANCHOR FIRST"));
    text.option("BY", parts.by.as_ref().map(breakdown));
    let trend = parts.trend.map(|(period, _)| match period {
        Period::Day => "DAY",
        Period::Week => "WEEK",
        Period::Month => "MONTH",
    });
    text.option("TREND BY", trend);
    text.literal("SIMULTANEOUS", parts.simultaneous.as_ref().map(|(lit, _)| lit));
    text.option("STARTED DURING", parts.started.as_ref().map(during));
    text.text
}

fn breakdown(by: &Breakdown) -> String {
    let at = match &by.at {
        At::First => String::new(),
        At::Last => " AT LAST".into(),
        At::Step(n) => format!(" AT STEP {}", literal(&n.value)),
        At::All => " AT ALL".into(),
    };
    format!("{}{at}", names(&by.attrs))
}

/// Steps of `ON attr:`, which are labels alone.
fn on_list(pattern: &Pattern, between: &str) -> String {
    join(&pattern.elements, between, |element| match &element.kind {
        ElementKind::Step(step) => labels(&step.labels),
        _ => element_text(element),
    })
}

/// A pattern; edges without conditions are written as `plain`.
pub(super) fn pattern(pattern: &Pattern, plain: &str) -> String {
    let mut text = String::new();
    for (index, element) in pattern.elements.iter().enumerate() {
        if let Some(before) = index.checked_sub(1) {
            match pattern.edges.get(before) {
                Some(edge) if !edge.conditions.is_empty() => text.push_str(&edge_text(edge)),
                _ => text.push_str(plain),
            }
        }
        text.push_str(&element_text(element));
    }
    text
}

fn element_text(element: &Element) -> String {
    let text = match &element.kind {
        ElementKind::Step(one) => step(one),
        ElementKind::Alternatives(steps) => format!("({})", join(steps, " | ", step)),
        ElementKind::Absent { step: absent, within } => {
            format!("NOT {} WITHIN {}", step(absent), literal(&within.value))
        }
    };
    format!("{text}{}", element.quantifier.map_or_else(String::new, quantifier))
}

fn quantifier(quantifier: Quantifier) -> String {
    match (quantifier.min, quantifier.max) {
        (0, Some(1)) => "?".into(),
        (1, None) => "+".into(),
        (0, None) => "*".into(),
        (min, None) => format!("{{{min},}}"),
        (min, Some(max)) if min == max => format!("{{{min}}}"),
        (min, Some(max)) => format!("{{{min},{max}}}"),
    }
}

fn edge_text(edge: &Edge) -> String {
    let conditions = join(&edge.conditions, ", ", |condition| match condition {
        Condition::Next(_) => "NEXT".into(),
        Condition::AtMost(length) => format!("<= {}", literal(&length.value)),
        Condition::AtLeast(length) => format!(">= {}", literal(&length.value)),
        Condition::Same(attrs, _) => match attrs.as_slice() {
            [one] => format!("SAME {}", name(one)),
            several => format!("SAME ({})", names(several)),
        },
        Condition::No(absent, _) => format!("NO {}", step(absent)),
    });
    format!(" -[{conditions}]-> ")
}

pub(super) fn step(step: &Step) -> String {
    let mut parts = Vec::new();
    let variable = step.name.as_ref().map_or_else(String::new, name);
    if !step.labels.is_empty() {
        parts.push(format!("{variable}:{}", labels(&step.labels)));
    } else if !variable.is_empty() {
        parts.push(variable);
    }
    if !step.properties.is_empty() {
        let properties = join(&step.properties, ", ", |(attr, value)| {
            format!("{}: {}", name(attr), literal(&value.value))
        });
        parts.push(format!("{{{properties}}}"));
    }
    if let Some(predicate) = &step.predicate {
        parts.push(format!("WHERE {}", expression(predicate)));
    }
    format!("({})", parts.join(" "))
}

fn labels(labels: &[Name]) -> String {
    join(labels, "|", |label| {
        if words::is_plain_name(&label.text) {
            label.text.clone()
        } else {
            Quoted(&label.text, '\'').to_string()
        }
    })
}
