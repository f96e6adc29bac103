//! What flows into an operator: journeys, narrowed and cut.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, journeys};

/// One operator from journeys to journeys.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// `DURING a TO b`: a <= at < b.
    During(i64, i64),
    /// `WHERE attr IN (values)`; NULL satisfies no predicate.
    Only(String, BTreeSet<String>),
    /// `SPLIT BY attr, …`
    Split(Vec<String>),
    /// `SESSIONS GAP d`, in milliseconds.
    Sessions(i64),
}

/// The operators before the one under test, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// The operators.
    pub stages: Vec<Stage>,
}

/// A session that a journey was cut into.
#[derive(Clone, Copy, Debug)]
struct Session {
    /// Whether it is the last one of its journey.
    last: bool,
    /// The time from which on nothing can join it any more.
    closes: i64,
}

/// A journey in hand.
#[derive(Clone, Debug)]
pub struct Journey<'a> {
    /// The customer's identity.
    pub customer: &'a str,
    /// All interactions of the customer in the store, in total order.
    pub whole: Vec<&'a Event>,
    /// The places in `whole` of the interactions that this journey consists of.
    pub rows: Vec<usize>,
    /// The values that the last SPLIT BY split by.
    pub values: Vec<String>,
    sessions: Vec<Session>,
}

impl<'a> Journey<'a> {
    /// The interaction of row `row` of this journey.
    pub fn event(&self, row: usize) -> &'a Event {
        self.whole[self.rows[row]]
    }

    /// All interactions in sight, in order.
    pub fn events(&self) -> Vec<&'a Event> {
        self.rows.iter().map(|&place| self.whole[place]).collect()
    }

    /// Whether a session has ended, so that nothing can be added to it: it is
    /// not the last one of its journey, or the data reaches beyond its pause.
    pub fn is_over(&self, right_edge: i64) -> bool {
        self.sessions.iter().any(|session| !session.last || right_edge > session.closes)
    }

    /// One journey a combination of non-null values, in the order of their first rows.
    pub fn split(&self, attrs: &[String]) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        for &place in &self.rows {
            let values = attrs.iter().map(|attr| self.whole[place].shown(attr)).collect::<Option<Vec<_>>>();
            let Some(values) = values else { continue };
            match parts.iter_mut().find(|part| part.values == values) {
                Some(part) => part.rows.push(place),
                None => parts.push(Self { rows: vec![place], values, ..self.clone() }),
            }
        }
        parts
    }

    fn cut(&self, gap: i64) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        for &place in &self.rows {
            let joins = parts
                .last()
                .and_then(|part| part.rows.last())
                .is_some_and(|&before| self.whole[place].time - self.whole[before].time <= gap);
            match parts.last_mut() {
                Some(part) if joins => part.rows.push(place),
                _ => parts.push(Self { rows: vec![place], ..self.clone() }),
            }
        }
        let count = parts.len();
        for (number, part) in parts.iter_mut().enumerate() {
            let ended = part.rows.last().map_or(0, |&place| self.whole[place].time);
            part.sessions.push(Session { last: number + 1 == count, closes: ended + gap });
        }
        parts
    }
}

impl View {
    /// `DURING a TO b` alone.
    pub fn during(from: i64, to: i64) -> Self {
        Self { stages: vec![Stage::During(from, to)] }
    }

    /// The journeys in hand after all stages, by customer; none is empty.
    pub fn journeys<'a>(&self, events: &'a [Event]) -> Vec<Journey<'a>> {
        let mut flowing: Vec<Journey> = journeys(events)
            .into_iter()
            .map(|(customer, whole)| Journey {
                customer,
                rows: (0..whole.len()).collect(),
                whole,
                values: Vec::new(),
                sessions: Vec::new(),
            })
            .collect();
        for stage in &self.stages {
            flowing = flowing.into_iter().flat_map(|journey| stage.apply(journey)).collect();
            flowing.retain(|journey| !journey.rows.is_empty());
        }
        flowing
    }

    /// The journeys in hand, by customer.
    pub fn by_customer<'a>(&self, events: &'a [Event]) -> BTreeMap<&'a str, Vec<Journey<'a>>> {
        let mut found: BTreeMap<&str, Vec<Journey>> = BTreeMap::new();
        for journey in self.journeys(events) {
            found.entry(journey.customer).or_default().push(journey);
        }
        found
    }

    /// The right edge of what a query sees: the least of the store's last
    /// interaction and DURING's end. `None` for an empty store.
    pub fn right_edge(&self, events: &[Event]) -> Option<i64> {
        let last = events.iter().map(|event| event.time).max()?;
        Some(self.spans().fold(last, |edge, (_, to)| edge.min(to)))
    }

    /// The left edge: the greatest of the store's first interaction and
    /// DURING's start. `None` for an empty store.
    pub fn left_edge(&self, events: &[Event]) -> Option<i64> {
        let first = events.iter().map(|event| event.time).min()?;
        Some(self.spans().fold(first, |edge, (from, _)| edge.max(from)))
    }

    /// Whether journeys were cut into sessions.
    pub fn has_sessions(&self) -> bool {
        self.stages.iter().any(|stage| matches!(stage, Stage::Sessions(_)))
    }

    fn spans(&self) -> impl Iterator<Item = (i64, i64)> {
        self.stages.iter().filter_map(|stage| match stage {
            Stage::During(from, to) => Some((*from, *to)),
            _ => None,
        })
    }
}

impl Stage {
    fn apply<'a>(&self, mut journey: Journey<'a>) -> Vec<Journey<'a>> {
        let whole = journey.whole.clone();
        match self {
            Self::During(from, to) => {
                journey.rows.retain(|&place| *from <= whole[place].time && whole[place].time < *to);
                vec![journey]
            }
            Self::Only(attr, values) => {
                journey
                    .rows
                    .retain(|&place| whole[place].shown(attr).is_some_and(|value| values.contains(&value)));
                vec![journey]
            }
            Self::Split(attrs) => journey.split(attrs),
            Self::Sessions(gap) => journey.cut(*gap),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stages: &[Stage], expected: &[&str]) {
        // The letter is the kind, the number the minute.
        let events: Vec<Event> = [("a", 0), ("b", 10), ("a", 20), ("b", 50), ("a", 90)]
            .into_iter()
            .map(|(kind, minute)| Event::new("id:1", minute, 0).with("kind", kind))
            .chain([Event::new("id:1", 55, 0)])
            .collect();
        let view = View { stages: stages.to_vec() };
        let found: Vec<String> = view
            .journeys(&events)
            .iter()
            .map(|journey| {
                let rows = journey.events();
                rows.iter()
                    .map(|event| format!("{}{} ", event.text("kind").unwrap_or("-"), event.time))
                    .collect()
            })
            .collect();
        let found: Vec<&str> = found.iter().map(|journey| journey.trim_end()).collect();
        assert_eq!(found, expected, "{stages:?}");
    }

    #[test]
    fn narrowed_and_cut() {
        let kind = || Stage::Split(vec!["kind".to_owned()]);
        check(&[kind()], &["a0 a20 a90", "b10 b50"]);
        check(&[Stage::Sessions(30)], &["a0 b10 a20 b50 -55", "a90"]);
        check(&[Stage::Sessions(29)], &["a0 b10 a20", "b50 -55", "a90"]);
        check(&[kind(), Stage::Sessions(40)], &["a0 a20", "a90", "b10 b50"]);
        check(&[Stage::During(10, 50), kind()], &["b10", "a20"]);
    }

    #[test]
    fn a_session_is_over_when_its_pause_has_passed() {
        let events: Vec<Event> = [0, 10, 60].map(|time| Event::new("id:1", time, 0)).to_vec();
        let view = View { stages: vec![Stage::Sessions(20)] };
        let journeys = view.journeys(&events);
        let over: Vec<bool> = journeys.iter().map(|journey| journey.is_over(60)).collect();
        assert_eq!(over, [true, false]);
        assert!(!journeys[1].is_over(80));
        assert!(journeys[1].is_over(81));
    }
}
