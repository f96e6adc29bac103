//! Random patterns with every piece of the language.

use std::collections::BTreeSet;

use proptest::prelude::*;
use throughline_tests::reference::Val;
use throughline_tests::reference::pattern::{Absence, Edge, Element, Operand, Pattern, Sign, Step, Test};

use super::history::{HOUR, span};

/// What patterns are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pieces {
    /// Most elements.
    pub(crate) elements: usize,
    /// Whether predicates name earlier steps.
    pub(crate) references: bool,
    /// Whether steps have other quantifiers than none.
    pub(crate) quantifiers: bool,
    /// Whether things must not come by a deadline.
    pub(crate) absences: bool,
    /// Whether SIMULTANEOUS is drawn.
    pub(crate) simultaneous: bool,
}

/// All of them.
pub(crate) const ALL: Pieces =
    Pieces { elements: 4, references: true, quantifiers: true, absences: true, simultaneous: true };

#[derive(Clone, Debug)]
enum Draw {
    None,
    Negative,
    Agent(&'static str),
    /// `attr sign earlier.attr`; which of the earlier names is drawn.
    Earlier(&'static str, Sign, usize),
}

#[derive(Clone, Debug)]
struct DrawnStep {
    labels: BTreeSet<String>,
    channel: Option<&'static str>,
    test: Draw,
}

#[derive(Clone, Debug)]
struct DrawnEdge {
    next: bool,
    bounds: (Option<i64>, Option<i64>),
    same: Vec<&'static str>,
    no: Option<DrawnStep>,
}

#[derive(Clone, Debug)]
struct DrawnElement {
    alternatives: Vec<DrawnStep>,
    repetitions: (usize, Option<usize>),
    edge: DrawnEdge,
    absence: Option<(DrawnStep, i64)>,
}

fn hours(least: i64, most: i64) -> impl Strategy<Value = i64> {
    (least..most).prop_map(|hours| hours * HOUR)
}

fn step(pieces: Pieces) -> impl Strategy<Value = DrawnStep> {
    let kinds = &["a", "b", "c"][..];
    let labels = prop_oneof![
        6 => prop::sample::subsequence(kinds, 1),
        2 => prop::sample::subsequence(kinds, 2),
        1 => Just(Vec::new()),
    ];
    let earlier = prop::sample::select(vec![
        ("agent", Sign::Ne),
        ("channel", Sign::Eq),
        ("sentiment", Sign::Lt),
        ("sentiment", Sign::Ge),
        ("n", Sign::Ge),
    ]);
    let test = prop_oneof![
        10 => Just(Draw::None),
        1 => Just(Draw::Negative),
        1 => Just(Draw::Agent("Ann")),
        if pieces.references { 4 } else { 0 } =>
            (earlier, 0..4_usize).prop_map(|((attr, sign), which)| Draw::Earlier(attr, sign, which)),
    ];
    let channel = prop::option::weighted(0.15, prop::sample::select(vec!["phone", "chat"]));
    (labels, channel, test).prop_map(|(labels, channel, test)| DrawnStep {
        labels: labels.into_iter().map(str::to_owned).collect(),
        channel,
        test,
    })
}

fn edge(pieces: Pieces) -> impl Strategy<Value = DrawnEdge> {
    let bound = |p: f64| prop::option::weighted(p, hours(0, 10));
    let same = prop_oneof![
        6 => Just(Vec::new()),
        1 => prop::sample::subsequence(vec!["topic", "channel"], 1..=2),
    ];
    let no = prop::option::weighted(0.2, step(pieces));
    (prop::bool::weighted(0.15), bound(0.15), bound(0.25), same, no).prop_map(
        |(next, at_least, at_most, same, no)| {
            // A least over the most is an error of the query.
            let bounds = match (at_least, at_most) {
                (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
                bounds => bounds,
            };
            DrawnEdge { next, bounds, same, no }
        },
    )
}

fn element(pieces: Pieces) -> impl Strategy<Value = DrawnElement> {
    let repetitions = if pieces.quantifiers { 5 } else { 0 };
    let repetitions = prop_oneof![
        8 => Just((1, Some(1))),
        repetitions => prop::sample::select(vec![
            (0, Some(1)), (1, None), (0, None), (2, Some(2)), (2, None), (1, Some(2)), (0, Some(2)), (2, Some(3)),
        ]),
    ];
    let absence = if pieces.absences { 0.15 } else { 0.0 };
    let alternatives = prop_oneof![
        5 => prop::collection::vec(step(pieces), 1),
        1 => prop::collection::vec(step(pieces), 2),
    ];
    (alternatives, repetitions, edge(pieces), prop::option::weighted(absence, (step(pieces), hours(0, 8))))
        .prop_map(|(alternatives, repetitions, edge, absence)| DrawnElement {
            alternatives,
            repetitions,
            edge,
            absence,
        })
}

/// Steps are called `s0`, `s1` …; alternatives `s1a`, `s1b`.
pub(crate) fn pattern(pieces: Pieces, hours_max: i64) -> impl Strategy<Value = Pattern> {
    let leading = if pieces.absences { 0.1 } else { 0.0 };
    let tolerance = if pieces.simultaneous { 0.15 } else { 0.0 };
    (
        prop::option::weighted(leading, (step(Pieces { references: false, ..pieces }), hours(0, 8))),
        prop::collection::vec(element(pieces), 1..=pieces.elements),
        prop::option::weighted(0.3, hours(0, 20)),
        prop::option::weighted(0.15, span(hours_max)),
        prop::option::weighted(tolerance, hours(0, 4)),
    )
        .prop_map(|(leading, drawn, within, started, simultaneous)| {
            let leading =
                leading.into_iter().map(|(step, within)| Absence { step: written(&step, &[]), within });
            let mut pattern = Pattern {
                on: "kind".to_owned(),
                leading: leading.collect(),
                within,
                started,
                simultaneous,
                ..Pattern::default()
            };
            // The names that a predicate may speak of: of what does not repeat.
            let mut earlier: Vec<String> = Vec::new();
            for (place, drawn) in drawn.iter().enumerate() {
                let (element, names) = element_of(place, drawn, &earlier);
                pattern.elements.push(element);
                earlier.extend(names);
            }
            if !pattern.elements.iter().any(Element::required) {
                pattern.elements[0].min = 1;
            }
            pattern
        })
}

fn element_of(place: usize, drawn: &DrawnElement, earlier: &[String]) -> (Element, Vec<String>) {
    let several = drawn.alternatives.len() > 1;
    let names: Vec<String> = (0..drawn.alternatives.len())
        .map(|number| if several { format!("s{place}{}", ["a", "b"][number]) } else { format!("s{place}") })
        .collect();
    let alternatives = drawn
        .alternatives
        .iter()
        .zip(&names)
        .map(|(step, name)| Step { name: Some(name.clone()), ..written(step, earlier) })
        .collect();
    let (min, max) = drawn.repetitions;
    let mut after = earlier.to_vec();
    if max == Some(1) {
        after.extend(names.iter().cloned());
    }
    let edge = Edge {
        next: drawn.edge.next,
        at_least: drawn.edge.bounds.0,
        at_most: drawn.edge.bounds.1,
        same: drawn.edge.same.iter().map(|&attr| attr.to_owned()).collect(),
        no: drawn.edge.no.iter().map(|step| written(step, earlier)).collect(),
    };
    let absences = drawn
        .absence
        .iter()
        .map(|(step, within)| Absence { step: written(step, &after), within: *within })
        .collect();
    let names = if max == Some(1) { names } else { Vec::new() };
    (Element { alternatives, min, max, edge, absences }, names)
}

fn written(drawn: &DrawnStep, earlier: &[String]) -> Step {
    let test = |attr: &str, sign, than| vec![Test { attr: attr.to_owned(), sign, than }];
    let tests = match &drawn.test {
        Draw::None => Vec::new(),
        Draw::Negative => test("sentiment", Sign::Lt, Operand::Value(Val::Float(0.0))),
        Draw::Agent(agent) => test("agent", Sign::Eq, Operand::Value(Val::from(*agent))),
        Draw::Earlier(..) if earlier.is_empty() => Vec::new(),
        Draw::Earlier(attr, sign, which) => {
            let step = earlier[which % earlier.len()].clone();
            test(attr, *sign, Operand::Of(step, (*attr).to_owned()))
        }
    };
    Step {
        name: None,
        labels: drawn.labels.clone(),
        properties: drawn.channel.iter().map(|&value| ("channel".to_owned(), Val::from(value))).collect(),
        tests,
    }
}
