//! Patterns as they are written, and what fills a step.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Val};

/// A sign between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the signs of the language")]
pub enum Sign {
    Eq,
    Ne,
    Lt,
    Ge,
}

/// The other side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A literal.
    Value(Val),
    /// An attribute of an earlier step: `a.agent`.
    Of(String, String),
}

/// `attr sign operand`; with NULL on either side it does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The attribute of the interaction in question.
    pub attr: String,
    /// The sign.
    pub sign: Sign,
    /// The other side.
    pub than: Operand,
}

/// The interactions that earlier steps took, by the steps' names.
pub type Bound<'a> = BTreeMap<&'a str, &'a Event>;

impl Test {
    fn holds(&self, event: &Event, bound: &Bound) -> bool {
        let than = match &self.than {
            Operand::Value(value) => Some(value),
            Operand::Of(step, attr) => bound.get(step.as_str()).and_then(|event| event.attrs.get(attr)),
        };
        let (Some(value), Some(than)) = (event.attrs.get(&self.attr), than) else { return false };
        let order = match (value, than) {
            (Val::Str(a), Val::Str(b)) => a.cmp(b),
            (Val::Bool(a), Val::Bool(b)) => a.cmp(b),
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => return false,
            },
        };
        match self.sign {
            Sign::Eq => order == Ordering::Equal,
            Sign::Ne => order != Ordering::Equal,
            Sign::Lt => order == Ordering::Less,
            Sign::Ge => order != Ordering::Less,
        }
    }
}

/// `(name:label|label {attr: literal} WHERE test AND test)`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Its name.
    pub name: Option<String>,
    /// Its labels; none for any interaction.
    pub labels: BTreeSet<String>,
    /// The property map.
    pub properties: Vec<(String, Val)>,
    /// What it demands besides.
    pub tests: Vec<Test>,
}

impl Step {
    /// A step of one label.
    pub fn of(label: &str) -> Self {
        Self { labels: BTreeSet::from([label.to_owned()]), ..Self::default() }
    }

    /// Whether the interaction fills it; labels are values of `on`.
    pub fn takes(&self, on: &str, event: &Event, bound: &Bound) -> bool {
        let labelled =
            self.labels.is_empty() || event.text(on).is_some_and(|label| self.labels.contains(label));
        labelled
            && self.properties.iter().all(|(attr, value)| event.attrs.get(attr) == Some(value))
            && self.tests.iter().all(|test| test.holds(event, bound))
    }
}

/// The conditions on an edge. Times in milliseconds, inclusive (3).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edge {
    /// `NEXT`
    pub next: bool,
    /// `>= d`
    pub at_least: Option<i64>,
    /// `<= d`
    pub at_most: Option<i64>,
    /// `SAME (attr, …)`
    pub same: Vec<String>,
    /// `NO (step)`
    pub no: Vec<Step>,
}

/// `NOT step WITHIN d`
#[derive(Clone, Debug, PartialEq)]
pub struct Absence {
    /// What must not come.
    pub step: Step,
    /// The deadline, in milliseconds, inclusive.
    pub within: i64,
}

/// An element that takes interactions, with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// `(…)`, or `((…) | (…))` where there are several.
    pub alternatives: Vec<Step>,
    /// Least repetitions; 0 for an optional one.
    pub min: usize,
    /// Most repetitions.
    pub max: Option<usize>,
    /// The edge into it; the first one's counts for nothing.
    pub edge: Edge,
    /// The absences written after it.
    pub absences: Vec<Absence>,
}

impl Element {
    /// A step that is filled once.
    pub fn once(step: Step) -> Self {
        Self { alternatives: vec![step], min: 1, max: Some(1), edge: Edge::default(), absences: Vec::new() }
    }

    /// Whether it must be taken.
    pub fn required(&self) -> bool {
        self.min > 0
    }
}

/// A pattern, with the options that bound a match of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pattern {
    /// The attribute that labels are values of: `kind`, or that of `ON`.
    pub on: String,
    /// Absences before the first element.
    pub leading: Vec<Absence>,
    /// The elements.
    pub elements: Vec<Element>,
    /// `STRICT`: nothing between.
    pub strict: bool,
    /// `WITHIN`, counted from the first step, inclusive (3).
    pub within: Option<i64>,
    /// `STARTED DURING a TO b`: a <= time of the first step < b.
    pub started: Option<(i64, i64)>,
    /// `SIMULTANEOUS d`
    pub simultaneous: Option<i64>,
}

impl Pattern {
    /// The absences written after the elements `from..to`. Those of a step that
    /// was skipped are measured from the step taken before it.
    pub fn absences(&self, from: usize, to: usize) -> impl Iterator<Item = &Absence> {
        self.elements[from..to].iter().flat_map(|element| &element.absences)
    }

    /// `(:a) -> (:b) …`, a letter a step.
    pub fn of(labels: &str) -> Self {
        let elements = labels.chars().map(|label| Element::once(Step::of(&label.to_string()))).collect();
        Self { on: "kind".to_owned(), elements, ..Self::default() }
    }
}
