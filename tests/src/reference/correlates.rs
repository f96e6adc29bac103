//! `FUNNEL … |> CORRELATES`: what goes with dropping off, counted one value at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::Event;
use super::flow::View;
use super::funnel::{Attempt, Funnel, attempts};
use super::outcome::Outcome;

/// One value against dropping.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlate {
    /// The attribute.
    pub attribute: String,
    /// The value.
    pub value: String,
    /// Units that converted with it, and without.
    pub converted: [usize; 2],
    /// Units that dropped with it, and without.
    pub dropped: [usize; 2],
    /// The correlation of two yes-or-no variables; `None` where a margin is 0.
    pub phi: Option<f64>,
    /// Odds of dropping with it over those without; `None` where that is x / 0.
    pub odds_ratio: Option<f64>,
}

/// Values that fewer customers have are hidden.
pub const CUSTOMERS_MIN: usize = 30;

/// Greatest |phi| first, then by attribute and value. Open attempts are left out.
pub fn correlates(events: &[Event], view: &View, query: &Funnel) -> Vec<Correlate> {
    let attempts = attempts(events, view, query);
    let decided: Vec<&Attempt> =
        attempts.iter().filter(|attempt| attempt.outcome != Some(Outcome::Open)).collect();
    let mut with: BTreeMap<(String, String), BTreeSet<usize>> = BTreeMap::new();
    for (number, attempt) in decided.iter().enumerate() {
        for event in beside(attempt, query) {
            for attribute in ["kind", "channel", "topic"] {
                if let Some(value) = event.text(attribute) {
                    with.entry((attribute.to_owned(), value.to_owned())).or_default().insert(number);
                }
            }
        }
    }
    let mut found: Vec<Correlate> = Vec::new();
    for ((attribute, value), units) in with {
        let customers: BTreeSet<&str> = units.iter().map(|&unit| decided[unit].journey.customer).collect();
        if customers.len() < CUSTOMERS_MIN {
            continue;
        }
        let count = |converted: bool, having: bool| {
            (0..decided.len())
                .filter(|unit| {
                    decided[*unit].outcome.is_none() == converted && units.contains(unit) == having
                })
                .count()
        };
        let (a, b) = (count(false, true), count(false, false));
        let (c, d) = (count(true, true), count(true, false));
        let number = |n: usize| n as f64;
        let margins = number(a + b) * number(c + d) * number(a + c) * number(b + d);
        let phi = (number(a) * number(d) - number(b) * number(c)) / margins.sqrt();
        found.push(Correlate {
            attribute,
            value,
            converted: [c, d],
            dropped: [a, b],
            phi: (margins > 0.0).then_some(phi),
            odds_ratio: (b * c > 0).then(|| number(a * d) / number(b * c)),
        });
    }
    found.sort_by(|x, y| {
        let size = |one: &Correlate| one.phi.map_or(-1.0, f64::abs);
        size(y).total_cmp(&size(x)).then_with(|| (&x.attribute, &x.value).cmp(&(&y.attribute, &y.value)))
    });
    found
}

/// The interactions in sight from the start of an attempt up to its conversion,
/// or its window's end where it dropped, those that filled its steps left out.
fn beside<'a>(attempt: &Attempt<'a>, query: &Funnel) -> Vec<&'a Event> {
    let start = attempt.taken[0].row;
    let since = attempt.start().time;
    let last = attempt.taken.iter().map(|taken| taken.row).max().unwrap_or(start);
    let end = if attempt.outcome.is_none() { last } else { attempt.journey.rows.len() };
    (start..end)
        .filter(|row| attempt.taken.iter().all(|taken| taken.row != *row))
        .map(|row| attempt.journey.event(row))
        .filter(|event| query.pattern.within.is_none_or(|within| event.time <= since + within))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;

    #[test]
    fn a_table_of_four_counts() {
        // 30 drop after x, 10 after y; 10 convert after x, 30 after y, and go on to w.
        let mut events = Vec::new();
        for (number, (kinds, times)) in
            [("axz", 30), ("ayz", 10), ("axbw", 10), ("aybw", 30)].into_iter().enumerate()
        {
            for customer in 0..times {
                events.extend(kinds.chars().enumerate().map(|(place, kind)| {
                    Event::new(&format!("id:{number}-{customer}"), place as i64, 0)
                        .with("kind", kind.to_string().as_str())
                }));
            }
        }
        let query = Funnel { pattern: Pattern::of("ab"), ..Funnel::default() };
        let found = correlates(&events, &View::default(), &query);
        let shown: Vec<(&str, [usize; 2], [usize; 2])> =
            found.iter().map(|one| (one.value.as_str(), one.converted, one.dropped)).collect();
        assert_eq!(shown, [("z", [0, 40], [40, 0]), ("x", [10, 30], [30, 10]), ("y", [30, 10], [10, 30])]);
        assert_eq!(found[0].phi, Some(1.0));
        assert_eq!(found[0].odds_ratio, None);
        assert_eq!(found[1].phi, Some(0.5));
        assert_eq!(found[1].odds_ratio, Some(9.0));
    }
}
