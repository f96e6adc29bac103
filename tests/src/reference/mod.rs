//! What the journey operators mean, written slowly and clearly.
//!
//! Nothing here shares code or ideas with the engine: a history is a plain
//! list, a chain is a loop, a pattern tries every choice of interactions there
//! is. The numbers in brackets are the rules of the language ("Semantics:
//! decided once").

use std::collections::BTreeMap;

use crate::table::show_float;

pub mod any_order;
pub mod assignments;
pub mod chains;
pub mod correlates;
pub mod entries;
pub mod fcr;
pub mod flow;
pub mod funnel;
pub mod graph;
pub mod matches;
pub mod outcome;
pub mod paths;
pub mod pattern;
mod period;
pub mod steps;

pub use period::Period;

/// A value of an attribute. A missing attribute is NULL.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    /// Text.
    Str(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
}

impl Val {
    /// As a number, where it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }
}

impl From<&str> for Val {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<i64> for Val {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// One interaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The identity, `namespace:key`.
    pub customer: String,
    /// Milliseconds since 1970 UTC.
    pub time: i64,
    /// Its place among interactions of one customer and time; no two share it.
    pub sequence: u64,
    /// Its attributes by name, in lower case.
    pub attrs: BTreeMap<String, Val>,
}

impl Event {
    /// An interaction without attributes.
    pub fn new(customer: &str, time: i64, sequence: u64) -> Self {
        Self { customer: customer.to_owned(), time, sequence, attrs: BTreeMap::new() }
    }

    /// With an attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Val>) -> Self {
        self.attrs.insert(name.to_owned(), value.into());
        self
    }

    /// A text attribute; `None` is NULL.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.attrs.get(name) {
            Some(Val::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// A number; `None` is NULL.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.attrs.get(name).and_then(Val::number)
    }

    /// An attribute as it is shown; `None` is NULL.
    pub fn shown(&self, name: &str) -> Option<String> {
        Some(match self.attrs.get(name)? {
            Val::Str(text) => text.clone(),
            Val::Int(number) => number.to_string(),
            Val::Float(number) => show_float(*number),
            Val::Bool(truth) => truth.to_string(),
        })
    }

    /// Whether the contact was marked resolved; NULL is not.
    pub fn resolved(&self) -> bool {
        self.attrs.get("resolved") == Some(&Val::Bool(true))
    }
}

/// Every customer's interactions in total order (rule 1).
pub fn journeys(events: &[Event]) -> BTreeMap<&str, Vec<&Event>> {
    let mut journeys: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        journeys.entry(&event.customer).or_default().push(event);
    }
    for journey in journeys.values_mut() {
        journey.sort_by_key(|event| (event.time, event.sequence));
    }
    journeys
}

/// The quantile `q` of a list by linear interpolation; `None` of none.
pub fn quantile(values: &[i64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let place = q * (sorted.len().checked_sub(1)? as f64);
    let below = sorted[place.floor() as usize] as f64;
    let above = sorted[place.ceil() as usize] as f64;
    Some(below + (above - below) * place.fract())
}
