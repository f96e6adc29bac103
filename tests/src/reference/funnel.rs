//! Funnels (rules 2 to 10): the counted attempts, out of every attempt there is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::any_order;
use super::assignments::{Absent, Search, Taken, by_row, repetitions};
use super::entries;
use super::flow::{Journey, View};
use super::outcome::{Outcome, outcome};
use super::pattern::Pattern;
use super::{Event, Period};

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the language")]
pub enum Count {
    #[default]
    Customers,
    Attempts,
    Sessions,
}

/// Where a breakdown reads its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the language")]
pub enum At {
    #[default]
    First,
    Last,
    Step(usize),
    All,
}

/// `FUNNEL …` with its options; those of the pattern are in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Funnel {
    /// The steps, and `STRICT`, `WITHIN`, `STARTED DURING`, `SIMULTANEOUS`.
    pub pattern: Pattern,
    /// `ANY ORDER`
    pub any_order: bool,
    /// `COUNT …`
    pub count: Count,
    /// `HOLD attr`
    pub hold: Option<String>,
    /// `ANCHOR FIRST`
    pub anchor_first: bool,
    /// `BY attr, …`
    pub by: Vec<String>,
    /// `AT …`
    pub at: At,
    /// `TREND BY …`
    pub trend: Option<Period>,
}

/// What a row of a funnel stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// An element that takes interactions.
    Element(usize),
    /// An absence after an element: which element, which of its absences.
    Absence(usize, usize),
}

impl Funnel {
    /// The rows in order.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (place, element) in self.pattern.elements.iter().enumerate() {
            rows.push(Row::Element(place));
            rows.extend((0..element.absences.len()).map(|absence| Row::Absence(place, absence)));
        }
        rows
    }

    /// Whether a row must be reached.
    pub fn requires(&self, row: Row) -> bool {
        match row {
            Row::Element(place) => self.pattern.elements[place].required(),
            Row::Absence(..) => true,
        }
    }

    /// How deep a complete attempt is: the last required row, from 1.
    pub fn full_depth(&self) -> usize {
        let required = |&(_, &row): &(usize, &Row)| self.requires(row);
        self.rows().iter().enumerate().filter(required).map(|(place, _)| place + 1).max().unwrap_or(0)
    }
}

/// One counted attempt.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    /// The journey that it lies in.
    pub journey: Journey<'a>,
    /// What its steps took, in the order of the steps.
    pub taken: Vec<Taken>,
    /// The last required row reached, from 1.
    pub depth: usize,
    /// Whether each row was reached.
    pub reached: Vec<bool>,
    /// What became of it; `None` where it converted.
    pub outcome: Option<Outcome>,
    /// The held value, and what AT ALL splits by.
    pub held: Vec<String>,
}

impl<'a> Attempt<'a> {
    /// The first interaction in the order of the journey that `row` stands for.
    pub fn first_of(&self, query: &Funnel, row: usize) -> Option<&'a Event> {
        if query.any_order {
            return self.taken.get(row).map(|taken| self.journey.event(taken.row));
        }
        let Row::Element(place) = query.rows()[row] else { return None };
        self.taken.iter().find(|taken| taken.element == place).map(|taken| self.journey.event(taken.row))
    }

    /// The first step's first interaction.
    pub fn start(&self) -> &'a Event {
        self.journey.event(self.taken[0].row)
    }

    /// The latest interaction, as a place in the customer's whole journey.
    pub fn last_place(&self) -> usize {
        let last = self.taken.iter().map(|taken| taken.row).max().unwrap_or(0);
        self.journey.rows[last]
    }

    /// The customer's next interaction in the store, whatever it is.
    pub fn next(&self) -> Option<&'a Event> {
        self.journey.whole.get(self.last_place() + 1).copied()
    }

    /// Time from the step before to `row`, in milliseconds.
    pub fn wait(&self, query: &Funnel, row: usize) -> Option<i64> {
        let first = self.first_of(query, row)?;
        let before = if query.any_order {
            self.taken.get(row.checked_sub(1)?)?
        } else {
            let Row::Element(place) = query.rows()[row] else { return None };
            self.taken.iter().rev().find(|taken| taken.element < place)?
        };
        Some(first.time - self.journey.event(before.row).time)
    }
}

/// The counted attempts: by customer, then by what is held, then in order.
pub fn attempts<'a>(events: &'a [Event], view: &View, query: &Funnel) -> Vec<Attempt<'a>> {
    let (Some(left), Some(right)) = (view.left_edge(events), view.right_edge(events)) else {
        return Vec::new();
    };
    let mut counted = Vec::new();
    for (_, journeys) in view.by_customer(events) {
        // A unit is a customer, or a customer and a value; all its journeys together.
        let mut units: BTreeMap<Vec<String>, Vec<Journey>> = BTreeMap::new();
        for journey in journeys {
            let held: Vec<String> = match (&query.hold, query.at) {
                (hold, At::All) => hold.iter().chain(&query.by).cloned().collect(),
                (hold, _) => hold.iter().cloned().collect(),
            };
            if held.is_empty() {
                units.entry(Vec::new()).or_default().push(journey);
                continue;
            }
            for part in journey.split(&held) {
                units.entry(part.values.clone()).or_default().push(part);
            }
        }
        for (held, journeys) in units {
            let each = journeys.iter().map(|journey| of_journey(journey, query, (left, right)));
            let mut found: Vec<Attempt> = match query.count {
                Count::Customers => {
                    each.flatten().min_by_key(|attempt| key(attempt, query)).into_iter().collect()
                }
                Count::Sessions | Count::Attempts => each.flatten().collect(),
            };
            found.iter_mut().for_each(|attempt| attempt.held.clone_from(&held));
            counted.extend(found);
        }
    }
    counted
}

/// The counted attempts of one journey: its entries, else its best attempt.
fn of_journey<'a>(journey: &Journey<'a>, query: &Funnel, edges: (i64, i64)) -> Vec<Attempt<'a>> {
    if query.count == Count::Attempts {
        return entries::attempts(journey, query, edges);
    }
    let best = match query.any_order {
        true => any_order::best(journey, query, edges),
        false => {
            let mut search = Search::new(&query.pattern, journey, edges);
            if query.anchor_first {
                search.start = search.longer(&[], search.rows).into_iter().map(|taken| taken.row).min();
            }
            best(&search, query)
        }
    };
    best.into_iter().collect()
}

/// The best of the attempts that a search allows.
pub fn best<'e>(search: &Search<'_, 'e>, query: &Funnel) -> Option<Attempt<'e>> {
    search
        .all()
        .into_iter()
        .filter_map(|taken| describe(search, query, taken))
        .min_by_key(|attempt| key(attempt, query))
}

/// The attempt that an assignment makes; `None` where its last step has too few
/// repetitions, or no required step is reached.
fn describe<'e>(search: &Search<'_, 'e>, query: &Funnel, taken: Vec<Taken>) -> Option<Attempt<'e>> {
    let elements = &query.pattern.elements;
    let last = *taken.last()?;
    if repetitions(&taken) < elements[last.element].min {
        return None;
    }
    let bound = search.bound(&taken);
    let mut holds = true;
    let reached: Vec<bool> = query
        .rows()
        .into_iter()
        .map(|row| match row {
            Row::Element(place) => {
                let is_taken = taken.iter().any(|taken| taken.element == place);
                holds &= is_taken || !elements[place].required();
                is_taken
            }
            // Those before the last step taken hold, else it were not taken.
            Row::Absence(place, absence) => {
                holds &= place < last.element
                    || search.after(&elements[place].absences[absence], last.row, &bound) == Absent::Holds;
                holds
            }
        })
        .collect();
    let rows = query.rows();
    let counts = |row: usize| matches!(rows[row], Row::Element(_)) && query.requires(rows[row]);
    if !(0..rows.len()).any(|row| reached[row] && counts(row)) {
        return None;
    }
    let depth = (0..rows.len()).rev().find(|&row| reached[row] && query.requires(rows[row]))? + 1;
    let outcome = (depth < query.full_depth()).then(|| outcome(search, query, &taken, depth));
    Some(Attempt { journey: search.journey.clone(), taken, depth, reached, outcome, held: Vec::new() })
}

/// Rule 4: what is complete by [`Search::first_key`]; else deepest, then the
/// last required step reached latest, then the latest start, then the most
/// repetitions, then each row as early as possible. In places of the whole
/// journey, so that several journeys of one customer compare.
fn key(attempt: &Attempt, query: &Funnel) -> impl Ord + use<> {
    let elements = &query.pattern.elements;
    let place = |row: usize| attempt.journey.rows[row];
    let complete = attempt.outcome.is_none();
    let needed = |element: usize| {
        let min = elements[element].min;
        let mut rows = attempt.taken.iter().filter(|taken| taken.element == element);
        min.checked_sub(1).and_then(|least| rows.nth(least)).map(|taken| place(taken.row))
    };
    let start = place(attempt.taken[0].row);
    let (rows, steps) = by_row(&attempt.taken);
    let rows: Vec<usize> = rows.into_iter().map(place).collect();
    let length = rows.len();
    if query.any_order {
        let last = attempt.last_place();
        let first = rows[0];
        return match complete {
            true => {
                (false, Reverse(0), last, Reverse(first), Reverse(0), Reverse(0), Reverse(0), rows, steps)
            }
            false => {
                let reach = Reverse(last);
                (true, Reverse(attempt.depth), 0, Reverse(0), reach, Reverse(first), Reverse(0), rows, steps)
            }
        };
    }
    if complete {
        let completion = (0..elements.len()).filter_map(needed).max().unwrap_or(0);
        let most = Reverse(length);
        return (false, Reverse(0), completion, most, Reverse(start), Reverse(0), Reverse(0), rows, steps);
    }
    let last = (0..elements.len()).rev().find_map(needed).unwrap_or(0);
    let depth = Reverse(attempt.depth);
    (true, depth, 0, Reverse(0), Reverse(last), Reverse(start), Reverse(length), rows, steps)
}
