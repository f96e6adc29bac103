//! Why a stage leaves nothing of a customer: what of it fails, and the
//! interaction that came closest.

use std::ops::Range;

use throughline_engine::Millis;

use super::cells::in_words;
use super::compile::Stage;
use super::customers::Customers;
use super::flow::Flow;
use super::interaction::{AT, CUSTOMER, IDENTITY, InteractionRow, attribute};
use super::predicate::holds;
use super::truth;
use crate::rows::{Cells, Env, Shape, Typed};
use crate::syntax::ast::Span;
use crate::time::format_duration_people;
use crate::value::counted;

/// Why nothing is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// In words.
    pub detail: String,
    /// The row of [`Flow::whole`] that came closest.
    pub closest: Option<usize>,
    /// Whether the customers behind a query were asked for, and this is none of them.
    pub behind_a_query: bool,
}

/// The journeys with something in sight, each as its rows in hand that are.
pub(crate) fn sight_of(flow: &Flow) -> Vec<Vec<usize>> {
    let journeys = (0..flow.block().customers.len()).filter(|&journey| flow.lives(journey));
    let sight = |journey| flow.block().journey(journey).filter(|&row| flow.sees(row)).collect();
    journeys.map(sight).filter(|rows: &Vec<usize>| !rows.is_empty()).collect()
}

/// Why `stage` leaves nothing of what is in sight before it, of one customer.
pub(crate) fn lost_at(stage: &Stage, before: &Flow, env: &Env, text: &str) -> Lost {
    match stage {
        Stage::During(from, to) => outside(*from, *to, before),
        Stage::Where(predicate) => filtered(predicate, before, env, text),
        Stage::For(customers) => {
            let journeys = 0..before.block().customers.len();
            let journey = journeys.into_iter().find(|&journey| before.lives(journey)).unwrap_or(0);
            disqualified(customers, true, (before, journey), env, text)
        }
        Stage::Split(split) => Lost {
            detail: format!("none has a {}", split.names.join(" and a ")),
            closest: last_row(before),
            behind_a_query: false,
        },
        Stage::Sessions(_) => Lost::default(),
    }
}

fn last_row(flow: &Flow) -> Option<usize> {
    sight_of(flow).into_iter().flatten().map(|row| flow.whole_row(row)).max()
}

fn outside(from: Millis, to: Millis, before: &Flow) -> Lost {
    let off = |at: Millis| if at < from { from.saturating_sub(at) } else { at.saturating_sub(to) };
    let at = |row: usize| before.block().times.get(row).copied().unwrap_or_default();
    let nearest = sight_of(before).into_iter().flatten().min_by_key(|&row| off(at(row)));
    let Some(row) = nearest else { return Lost::default() };
    let distance = format_duration_people(off(at(row)));
    let detail = match at(row) < from {
        true => format!("the nearest is {distance} before the span begins"),
        false if at(row) == to => "the nearest is at the very end of the span, which is left out".to_owned(),
        false => format!("the nearest is {distance} after the span ends"),
    };
    Lost { detail, closest: Some(before.whole_row(row)), behind_a_query: false }
}

/// What must all hold for a predicate to.
pub(crate) fn conjuncts(predicate: &Typed) -> Vec<&Typed> {
    let (mut all, mut left) = (Vec::new(), vec![predicate]);
    while let Some(next) = left.pop() {
        match next.shape() {
            Shape::And(a, b) => left.extend([b, a]),
            _ => all.push(next),
        }
    }
    all
}

fn filtered(predicate: &Typed, before: &Flow, env: &Env, text: &str) -> Lost {
    let journeys = 0..before.block().customers.len();
    nearest(predicate, (before, journeys), env, text).map(|(_, lost)| lost).unwrap_or_default()
}

/// Of some journeys in hand, where a predicate holds for nothing in sight: the interaction that
/// satisfies most of what must hold, the last of several, and how much of it fails.
pub(crate) fn nearest(
    predicate: &Typed,
    (before, journeys): (&Flow, Range<usize>),
    env: &Env,
    text: &str,
) -> Option<(usize, Lost)> {
    let parts = conjuncts(predicate);
    let rows = journeys.filter(|&journey| before.lives(journey)).flat_map(|journey| {
        let seen = before.block().journey(journey).filter(|&row| before.sees(row));
        seen.map(move |row| (journey, row))
    });
    let fails = |&(journey, row): &(usize, usize)| -> Vec<&Typed> {
        let cells = InteractionRow::new(before, journey, row, env);
        parts.iter().copied().filter(|part| part.truth(&cells, env) != Some(true)).collect()
    };
    let (journey, row) = rows.min_by_key(|at| (fails(at).len(), std::cmp::Reverse(at.1)))?;
    let cells = InteractionRow::new(before, journey, row, env);
    let failing: Vec<String> =
        fails(&(journey, row)).into_iter().map(|part| part_in_words(part, &cells, env, text)).collect();
    let lost = Lost {
        detail: format!("the closest fails {}", failing.join(" and ")),
        closest: Some(before.whole_row(row)),
        behind_a_query: false,
    };
    Some((failing.len(), lost))
}

/// A part of a predicate, and what stands in the columns that it reads.
fn part_in_words(part: &Typed, cells: &dyn Cells, env: &Env, text: &str) -> String {
    let value = |slot: usize| {
        let name = match slot {
            AT => "at".to_owned(),
            IDENTITY => "identity".to_owned(),
            CUSTOMER => return None,
            _ => env.snapshot.schema().get(attribute(slot)?)?.name.clone(),
        };
        Some(format!("{name} is {}", in_words(&cells.cell(slot), env)))
    };
    let values: Vec<String> = part.slots().into_iter().filter_map(value).collect();
    let written = quoted(part.span, text);
    if values.is_empty() { written } else { format!("{written}: {}", values.join(", ")) }
}

fn quoted(span: Span, text: &str) -> String {
    match text.get(span.start as usize..span.end as usize) {
        Some(part) if !part.is_empty() => format!("`{part}`"),
        _ => "the predicate".to_owned(),
    }
}

/// What keeps a predicate over customers from being `wanted` for one journey.
fn disqualified(customers: &Customers, wanted: bool, at: (&Flow, usize), env: &Env, text: &str) -> Lost {
    let (flow, journey) = at;
    let is = |part: &Customers| {
        part.holds(flow, env).values().get(journey).copied()
            == Some(if wanted { truth::TRUE } else { truth::FALSE })
    };
    let not = if wanted { "not " } else { "" };
    match customers {
        Customers::And(a, b) | Customers::Or(a, b) => {
            let mut all = Lost::default();
            for part in [a, b].into_iter().filter(|part| !is(part)) {
                let lost = disqualified(part, wanted, at, env, text);
                let both = if all.detail.is_empty() { "" } else { "; " };
                all.detail = format!("{}{both}{}", all.detail, lost.detail);
                all.closest = all.closest.or(lost.closest);
                all.behind_a_query |= lost.behind_a_query;
            }
            all
        }
        Customers::Not(inner) => disqualified(inner, !wanted, at, env, text),
        Customers::Has { filter, at_least, no } => {
            let found = filter.predicate.as_ref().map(|predicate| holds(predicate, flow, env));
            let fits = |row: &usize| {
                found.as_ref().is_none_or(|found| found.values().get(*row).copied() == Some(truth::TRUE))
            };
            let rows: Vec<usize> =
                flow.block().journey(journey).filter(|&row| flow.sees(row)).filter(fits).collect();
            let what = &filter.label;
            let seen = crate::value::grouped(rows.len() as u64);
            let detail = match (no == &wanted, at_least) {
                (true, 0 | 1) => format!("no {what} is wanted: {seen} in sight"),
                (true, most) => format!("fewer than {most} of {what} are wanted: {seen} in sight"),
                (false, least) => format!("at least {least} of {what} are wanted: {seen} in sight"),
            };
            Lost { detail, closest: rows.last().map(|&row| flow.whole_row(row)), behind_a_query: false }
        }
        Customers::These { customers, what, behind } => Lost {
            detail: match what.starts_with("customer ") {
                true => format!("it is {not}{what}"),
                false => format!("it is {not}among {what} ({})", counted(customers.len(), "customer")),
            },
            closest: None,
            behind_a_query: *behind && wanted,
        },
        Customers::Behind(_) => Lost::default(),
        Customers::Attributes(typed) => {
            let failing = conjuncts(typed).into_iter().filter(|part| {
                part.truth(&super::customers::OneCustomer(flow.customer(journey)), env) != Some(wanted)
            });
            let failing: Vec<String> = failing
                .map(|part| {
                    let cells = super::customers::OneCustomer(flow.customer(journey));
                    let values = part.customer_attributes().into_iter().filter_map(|(attr, column)| {
                        let name = &env.snapshot.schema().get(attr)?.name;
                        Some(format!("{name} is {}", in_words(&column.eval(&cells, env), env)))
                    });
                    let values: Vec<String> = values.collect();
                    let written = quoted(part.span, text);
                    format!("it does {not}satisfy {written}: {}", values.join(", "))
                })
                .collect();
            Lost { detail: failing.join("; "), closest: None, behind_a_query: false }
        }
    }
}
