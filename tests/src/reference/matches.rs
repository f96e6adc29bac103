//! `MATCH` (rule 4), out of every match there is.

use std::cmp::Reverse;

use super::Event;
use super::assignments::{Assignment, Search, by_row};
use super::flow::{Journey, View};
use super::pattern::Pattern;

/// Which matches of a journey.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the language")]
pub enum Which {
    #[default]
    First,
    Last,
    All,
    Each,
}

/// `MATCH pattern WITHIN … FIRST | LAST | ALL | EACH …`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    /// The pattern.
    pub pattern: Pattern,
    /// Which matches.
    pub which: Which,
}

/// One match.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The journey that it lies in.
    pub journey: Journey<'a>,
    /// What its steps took.
    pub chosen: Assignment,
}

impl<'a> Found<'a> {
    /// What the step called `name` took, in order.
    pub fn taken_by(&self, pattern: &Pattern, name: &str) -> Vec<&'a Event> {
        let mut taken: Vec<usize> = self
            .chosen
            .iter()
            .filter(|taken| {
                let step = &pattern.elements[taken.element].alternatives[taken.alternative];
                step.name.as_deref() == Some(name)
            })
            .map(|taken| taken.row)
            .collect();
        taken.sort_unstable();
        taken.into_iter().map(|row| self.journey.event(row)).collect()
    }
}

/// The matches of every journey in hand, and how many journeys have none only
/// because it is too early to tell (13).
pub fn matches<'a>(events: &'a [Event], view: &View, query: &Match) -> (Vec<Found<'a>>, usize) {
    let (Some(left), Some(right)) = (view.left_edge(events), view.right_edge(events)) else {
        return (Vec::new(), 0);
    };
    let mut found = Vec::new();
    let mut unclaimed = 0;
    for journey in view.journeys(events) {
        let search = Search::new(&query.pattern, &journey, (left, right));
        let chosen = chosen(&search, query.which);
        if chosen.is_empty() && !valid(&Search { open_passes: true, ..search }).is_empty() {
            unclaimed += 1;
        }
        found.extend(chosen.into_iter().map(|chosen| Found { journey: journey.clone(), chosen }));
    }
    (found, unclaimed)
}

fn valid(search: &Search) -> Vec<Assignment> {
    search.all().into_iter().filter(|chosen| search.is_match(chosen)).collect()
}

fn chosen(search: &Search, which: Which) -> Vec<Assignment> {
    let all = valid(search);
    let first = |from: usize, start: Option<usize>| {
        all.iter()
            .filter(|chosen| chosen.iter().all(|taken| taken.row >= from))
            .filter(|chosen| start.is_none_or(|start| chosen[0].row == start))
            .min_by_key(|chosen| search.first_key(chosen))
            .cloned()
    };
    match which {
        Which::First => first(0, None).into_iter().collect(),
        Which::Last => all
            .iter()
            .min_by_key(|chosen| {
                let completion = Reverse(search.completion(chosen));
                (completion, Reverse(chosen[0].row), Reverse(chosen.len()), by_row(chosen))
            })
            .cloned()
            .into_iter()
            .collect(),
        Which::All => {
            let mut found: Vec<Assignment> = Vec::new();
            let mut from = 0;
            while let Some(next) = first(from, None) {
                from = 1 + next.iter().map(|taken| taken.row).max().unwrap_or(from);
                found.push(next);
            }
            found
        }
        Which::Each => (0..search.journey.rows.len()).filter_map(|start| first(0, Some(start))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Val;
    use super::super::pattern::{Absence, Edge, Element, Operand, Sign, Step, Test};
    use super::*;

    /// The times of the rows of each match; a letter is a kind, a minute apart.
    fn check(kinds: &str, query: &Match, expected: &[&[i64]]) {
        let events: Vec<Event> = kinds
            .chars()
            .enumerate()
            .map(|(minute, kind)| {
                Event::new("id:1", minute as i64, minute as u64).with("kind", kind.to_string().as_str())
            })
            .collect();
        check_events(&events, query, expected);
    }

    fn check_events(events: &[Event], query: &Match, expected: &[&[i64]]) {
        let (found, _) = matches(events, &View::default(), query);
        let found: Vec<Vec<i64>> = found
            .iter()
            .map(|found| found.chosen.iter().map(|taken| found.journey.event(taken.row).time).collect())
            .collect();
        assert_eq!(found, expected, "{query:?}");
    }

    fn of(labels: &str) -> Match {
        Match { pattern: Pattern::of(labels), which: Which::First }
    }

    fn no(label: &str) -> Edge {
        Edge { no: vec![Step::of(label)], ..Edge::default() }
    }

    #[test]
    fn the_conformance_cases() {
        let mut query = of("AD");
        query.pattern.elements[1].edge = no("X");
        check("AXAD", &query, &[&[2, 3]]);
        let mut query = of("ABC");
        query.pattern.elements[2].edge = no("X");
        check("ABXBC", &query, &[&[0, 3, 4]]);
        check("ABAC", &of("ABC"), &[&[0, 1, 3]]);
        // Scores 5, 3, 1 in order: each less than the one before.
        let events: Vec<Event> = [5, 3, 1]
            .into_iter()
            .enumerate()
            .map(|(place, score)| Event::new("id:1", place as i64, 0).with("score", Val::Int(score)))
            .collect();
        let falls = |which| {
            let any = |name: &str| Step { name: Some(name.to_owned()), ..Step::default() };
            let less =
                Test { attr: "score".into(), sign: Sign::Lt, than: Operand::Of("a".into(), "score".into()) };
            let mut later = Element::once(Step { tests: vec![less], ..any("b") });
            later.edge.next = true;
            let elements = vec![Element::once(any("a")), later];
            Match { pattern: Pattern { on: "kind".into(), elements, ..Pattern::default() }, which }
        };
        check_events(&events, &falls(Which::All), &[&[0, 1]]);
        check_events(&events, &falls(Which::Each), &[&[0, 1], &[1, 2]]);
    }

    #[test]
    fn what_is_too_early_to_tell_is_missing_and_counted() {
        let mut query = of("A");
        query.pattern.elements[0].absences.push(Absence { step: Step::of("B"), within: 60 });
        for (edge, expected) in [(30, (0, 1)), (60, (0, 1)), (61, (1, 0))] {
            let events = [Event::new("id:1", 0, 0).with("kind", "A"), Event::new("id:2", edge, 0)];
            let (found, unclaimed) = matches(&events, &View::default(), &query);
            assert_eq!((found.len(), unclaimed), expected, "up to {edge}");
        }
    }

    #[test]
    fn repetitions() {
        let mut query = of("AB");
        query.pattern.elements[0].max = None;
        check("AAXAB", &query, &[&[0, 1, 3, 4]]);
        query.pattern.strict = true;
        check("AAXAB", &query, &[&[3, 4]]);
        query.pattern.strict = false;
        query.pattern.elements[1].max = Some(2);
        check("ABABB", &query, &[&[0, 1, 3]]);
        query.which = Which::Last;
        check("ABABB", &query, &[&[2, 4]]);
        query.pattern.elements[0].min = 2;
        query.which = Which::First;
        check("ABABB", &query, &[&[0, 2, 3, 4]]);
    }

    #[test]
    fn all_share_no_interaction_and_each_may() {
        let mut query = of("AB");
        query.which = Which::All;
        check("AABAB", &query, &[&[1, 2], &[3, 4]]);
        query.which = Which::Each;
        check("AABAB", &query, &[&[0, 2], &[1, 2], &[3, 4]]);
    }
}
