//! The reference's queries in the words of the language.

use std::collections::BTreeSet;

use crate::reference::Val;
use crate::reference::chains::Chains;
use crate::reference::fcr::{Clock, Fcr};
use crate::reference::flow::{Stage, View};
use crate::reference::funnel::{At, Count, Funnel};
use crate::reference::matches::{Match, Which};
use crate::reference::paths::{Ends, Paths};
use crate::reference::pattern::{Absence, Edge, Element, Operand, Pattern, Sign, Step, Test};
use crate::table::{show_float, show_time};

/// `FROM journeys |> DURING … |> WHERE …`, with `|>` at the end.
pub fn view(view: &View) -> String {
    let mut text = "FROM journeys\n|> ".to_owned();
    for stage in &view.stages {
        text += &match stage {
            Stage::During(from, to) => format!("DURING {} TO {}", instant(*from), instant(*to)),
            Stage::Only(attr, values) => {
                let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
                format!("WHERE {attr} IN ({})", values.join(", "))
            }
            Stage::Split(attrs) => format!("SPLIT BY {}", attrs.join(", ")),
            Stage::Sessions(gap) => format!("SESSIONS GAP {gap}ms"),
        };
        text += "\n|> ";
    }
    text
}

/// `CHAINS …`.
pub fn chains(query: &Chains) -> String {
    let min = format!(" MIN {}", query.min);
    "CHAINS".to_owned()
        + &same(&query.same)
        + &gap(query.gap)
        + &min
        + &within(query.within)
        + &started(query.started)
}

/// `FCR …`.
pub fn fcr(query: &Fcr) -> String {
    let clock = match query.clock {
        Clock::Contact => "",
        Clock::Resolution => " CLOCK resolution",
    };
    "FCR".to_owned() + &same(&query.same) + &gap(query.gap) + clock
}

/// `FUNNEL …`: an `ON` list where the attribute is not `kind`.
pub fn funnel(query: &Funnel) -> String {
    let mut text = "FUNNEL".to_owned();
    if query.pattern.strict {
        text += " STRICT";
    }
    if query.any_order {
        let steps: Vec<String> =
            query.pattern.elements.iter().map(|element| step(&element.alternatives[0])).collect();
        text += &format!(" ANY ORDER {}", steps.join(", "));
    } else if query.pattern.on != "kind" {
        text += &format!(" ON {}: {}", query.pattern.on, label_list(&query.pattern));
    } else {
        text += &format!(" {}", pattern(&query.pattern));
    }
    text += &within(query.pattern.within);
    text += match query.count {
        Count::Customers => "",
        Count::Attempts => " COUNT ATTEMPTS",
        Count::Sessions => " COUNT SESSIONS",
    };
    if let Some(attr) = &query.hold {
        text += &format!(" HOLD {attr}");
    }
    if query.anchor_first {
        text += " ANCHOR FIRST";
    }
    if !query.by.is_empty() {
        let at = match query.at {
            At::First => "FIRST".to_owned(),
            At::Last => "LAST".to_owned(),
            At::Step(number) => format!("STEP {number}"),
            At::All => "ALL".to_owned(),
        };
        text += &format!(" BY {} AT {at}", query.by.join(", "));
    }
    if let Some(period) = query.trend {
        text += &format!(" TREND BY {}", period.name());
    }
    text + &simultaneous(&query.pattern) + &started(query.pattern.started)
}

/// `MATCH …`.
pub fn matching(query: &Match) -> String {
    let which = match query.which {
        Which::First => "",
        Which::Last => " LAST",
        Which::All => " ALL",
        Which::Each => " EACH",
    };
    format!("MATCH {}", pattern(&query.pattern))
        + &within(query.pattern.within)
        + which
        + &simultaneous(&query.pattern)
        + &started(query.pattern.started)
}

/// `PATHS …`.
pub fn paths(query: &Paths) -> String {
    let mut text = match &query.ends {
        Ends::From(from) => format!("PATHS FROM {}", step(from)),
        Ends::To(to) => format!("PATHS TO {}", step(to)),
        Ends::Between(from, to) => format!("PATHS BETWEEN {} AND {}", step(from), step(to)),
    };
    if let Some(depth) = query.depth {
        text += &format!(" DEPTH {depth}");
    }
    if let Some(by) = &query.by {
        text += &format!(" BY {by}");
    }
    if query.collapse {
        text += " COLLAPSE";
    }
    if let Some(top) = query.top {
        text += &format!(" TOP {top}");
    }
    text
}

/// The elements with their edges.
pub fn pattern(pattern: &Pattern) -> String {
    let mut text: String = pattern.leading.iter().map(|absence| not(absence) + " -> ").collect();
    for (place, element) in pattern.elements.iter().enumerate() {
        if place > 0 {
            text += &edge(&element.edge);
        }
        text += &elements(element);
        for absence in &element.absences {
            text += &format!(" -> {}", not(absence));
        }
    }
    text
}

fn elements(element: &Element) -> String {
    let steps: Vec<String> = element.alternatives.iter().map(step).collect();
    let steps = if steps.len() == 1 { steps.concat() } else { format!("({})", steps.join(" | ")) };
    steps
        + &match (element.min, element.max) {
            (1, Some(1)) => String::new(),
            (0, Some(1)) => "?".to_owned(),
            (1, None) => "+".to_owned(),
            (0, None) => "*".to_owned(),
            (min, None) => format!("{{{min},}}"),
            (min, Some(max)) if min == max => format!("{{{min}}}"),
            (min, Some(max)) => format!("{{{min},{max}}}"),
        }
}

fn label_list(pattern: &Pattern) -> String {
    let mut text = String::new();
    for (place, element) in pattern.elements.iter().enumerate() {
        if place > 0 {
            text += &edge(&element.edge);
        }
        text += &labels(&element.alternatives[0].labels);
    }
    text
}

fn labels(labels: &BTreeSet<String>) -> String {
    labels.iter().cloned().collect::<Vec<_>>().join("|")
}

fn step(step: &Step) -> String {
    let mut parts = Vec::new();
    if let Some(name) = &step.name {
        parts.push(name.clone());
    }
    if !step.labels.is_empty() {
        let labels = format!(":{}", labels(&step.labels));
        match parts.last_mut() {
            Some(name) => name.push_str(&labels),
            None => parts.push(labels),
        }
    }
    if !step.properties.is_empty() {
        let all: Vec<String> =
            step.properties.iter().map(|(attr, val)| format!("{attr}: {}", value(val))).collect();
        parts.push(format!("{{{}}}", all.join(", ")));
    }
    if !step.tests.is_empty() {
        let all: Vec<String> = step.tests.iter().map(test).collect();
        parts.push(format!("WHERE {}", all.join(" AND ")));
    }
    format!("({})", parts.join(" "))
}

fn test(test: &Test) -> String {
    let sign = match test.sign {
        Sign::Eq => "=",
        Sign::Ne => "<>",
        Sign::Lt => "<",
        Sign::Ge => ">=",
    };
    let than = match &test.than {
        Operand::Value(val) => value(val),
        Operand::Of(step, attr) => format!("{step}.{attr}"),
    };
    format!("{} {sign} {than}", test.attr)
}

fn value(value: &Val) -> String {
    match value {
        Val::Str(text) => format!("'{text}'"),
        Val::Int(number) => number.to_string(),
        Val::Float(number) => show_float(*number),
        Val::Bool(truth) => truth.to_string().to_uppercase(),
    }
}

fn not(absence: &Absence) -> String {
    format!("NOT {} WITHIN {}ms", step(&absence.step), absence.within)
}

fn edge(edge: &Edge) -> String {
    let mut conditions = Vec::new();
    if edge.next {
        conditions.push("NEXT".to_owned());
    }
    conditions.extend(edge.at_least.map(|length| format!(">= {length}ms")));
    conditions.extend(edge.at_most.map(|length| format!("<= {length}ms")));
    match edge.same.as_slice() {
        [] => {}
        [attr] => conditions.push(format!("SAME {attr}")),
        attrs => conditions.push(format!("SAME ({})", attrs.join(", "))),
    }
    conditions.extend(edge.no.iter().map(|absent| format!("NO {}", step(absent))));
    if conditions.is_empty() { " -> ".to_owned() } else { format!(" -[{}]-> ", conditions.join(", ")) }
}

fn same(keys: &[String]) -> String {
    if keys.is_empty() { String::new() } else { format!(" SAME {}", keys.join(", ")) }
}

fn gap(length: i64) -> String {
    format!(" GAP {length}ms")
}

fn within(length: Option<i64>) -> String {
    length.map_or(String::new(), |length| format!(" WITHIN {length}ms"))
}

fn simultaneous(pattern: &Pattern) -> String {
    pattern.simultaneous.map_or(String::new(), |tolerance| format!(" SIMULTANEOUS {tolerance}ms"))
}

fn started(span: Option<(i64, i64)>) -> String {
    span.map_or(String::new(), |(from, to)| format!(" STARTED DURING {} TO {}", instant(from), instant(to)))
}

fn instant(at: i64) -> String {
    format!("'{}'", show_time(at))
}
