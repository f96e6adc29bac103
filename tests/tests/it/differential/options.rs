//! Funnels with every option against the reference.

use proptest::prelude::*;
use throughline_tests::reference::flow::View;
use throughline_tests::reference::funnel::{At, Attempt, Count, Funnel, Row, attempts};
use throughline_tests::reference::outcome::Outcome;
use throughline_tests::reference::pattern::{Edge, Element};
use throughline_tests::reference::steps::{Group, funnel, group};
use throughline_tests::reference::{Event, Period};
use throughline_tests::store::Store;
use throughline_tests::table::{show_duration, show_time};
use throughline_tests::text;

use super::compare::{check, check_in_order, names, run};
use super::funnels;
use super::history::{Size, cut, history, narrowed, span_between_hours};
use super::patterns::{ALL, pattern};

const SIZE: Size = Size { events: 26, hours: 24 };

/// Which of the larger options a funnel has; they exclude one another.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Customers,
    Strict,
    AnyOrder,
    Attempts,
    Sessions,
}

fn query() -> impl Strategy<Value = (View, Funnel)> {
    let kind = prop_oneof![
        3 => Just(Kind::Customers),
        1 => Just(Kind::Strict),
        2 => Just(Kind::AnyOrder),
        3 => Just(Kind::Attempts),
        1 => Just(Kind::Sessions),
    ];
    let by = prop::sample::subsequence(vec!["channel", "topic"], 0..=2);
    let at = prop_oneof![
        2 => Just(At::First), 1 => Just(At::Last), 1 => (1..=4_usize).prop_map(At::Step), 1 => Just(At::All)
    ];
    let hold = prop::option::weighted(0.2, Just("case".to_owned()));
    let trend =
        prop::option::weighted(0.15, prop::sample::select(vec![Period::Day, Period::Week, Period::Month]));
    let view = prop_oneof![2 => narrowed(span_between_hours(SIZE.hours)), 1 => cut(SIZE.hours)];
    let grouped = prop::bool::weighted(0.3);
    (
        view,
        pattern(ALL, SIZE.hours),
        kind,
        (hold, prop::bool::weighted(0.2)),
        (grouped, by, at, trend),
        1..20_i64,
    )
        .prop_map(|(view, pattern, kind, (hold, anchor_first), (grouped, by, at, trend), gap)| {
            let mut query = Funnel { pattern, hold, anchor_first, trend, ..Funnel::default() };
            if grouped {
                query.by = by.into_iter().map(str::to_owned).collect();
            }
            settle(view, query, kind, at, gap)
        })
}

/// Leaves out what does not go together.
fn settle(mut view: View, mut query: Funnel, kind: Kind, at: At, gap: i64) -> (View, Funnel) {
    match kind {
        Kind::Customers => {}
        Kind::Strict => query.pattern.strict = true,
        Kind::AnyOrder => {
            query.any_order = true;
            query.pattern.leading.clear();
            for element in &mut query.pattern.elements {
                let mut step = element.alternatives.remove(0);
                step.tests.clear();
                *element = Element { edge: Edge::default(), ..Element::once(step) };
            }
        }
        Kind::Attempts => {
            query.count = Count::Attempts;
            without_references(&mut query);
        }
        Kind::Sessions => {
            query.count = Count::Sessions;
            query.hold = None;
            if !view.has_sessions() {
                view.stages.push(throughline_tests::reference::flow::Stage::Sessions(gap * 3_600_000));
            }
        }
    }
    if query.any_order || query.pattern.strict || query.count == Count::Attempts {
        query.pattern.simultaneous = None;
    }
    // A step of only a name is an error.
    for step in query.pattern.elements.iter_mut().flat_map(|element| &mut element.alternatives) {
        if step.labels.is_empty() && step.properties.is_empty() && step.tests.is_empty() {
            step.labels = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        }
    }
    // Only rows that interactions fill have values.
    let rows = query.rows();
    let filled = |number: usize| matches!(rows[number - 1], Row::Element(_));
    query.at = match at {
        _ if query.by.is_empty() => At::First,
        At::Step(number) if number > rows.len() || !filled(number) => At::Step(1),
        at => at,
    };
    (view, query)
}

fn without_references(query: &mut Funnel) {
    use throughline_tests::reference::pattern::{Operand, Step};
    let own = |step: &mut Step| step.tests.retain(|test| matches!(test.than, Operand::Value(_)));
    for element in &mut query.pattern.elements {
        element.alternatives.iter_mut().for_each(own);
        element.edge.no.iter_mut().for_each(own);
        element.absences.iter_mut().for_each(|absence| own(&mut absence.step));
    }
}

/// The columns of the group, and its values.
fn group_columns(query: &Funnel) -> Vec<&str> {
    query.by.iter().map(String::as_str).chain(query.trend.map(Period::name)).collect()
}

fn show_group((values, period): &Group) -> Vec<String> {
    values.iter().map(|(_, value)| value.clone()).chain(period.map(show_time)).collect()
}

fn attempt_row(attempt: &Attempt, query: &Funnel) -> Vec<String> {
    let mut row = vec![attempt.journey.customer.to_owned()];
    row.extend(query.hold.iter().map(|_| attempt.held[0].clone()));
    row.extend(show_group(&group(attempt, query)));
    let (started, ended) = (attempt.start().time, attempt.journey.whole[attempt.last_place()].time);
    row.extend([
        attempt.depth.to_string(),
        show_time(started),
        show_time(ended),
        show_duration(ended - started),
    ]);
    row.push(attempt.outcome.map_or("converted", Outcome::name).to_owned());
    let next = attempt.next();
    row.extend(
        ["kind", "channel"].map(|attr| next.and_then(|next| next.text(attr)).unwrap_or("").to_owned()),
    );
    row
}

fn check_options(store: &Store, events: &[Event], view: &View, query: &Funnel) {
    let text = text::view(view) + &text::funnel(query);
    let columns: Vec<&str> = group_columns(query).into_iter().chain(funnels::COLUMNS).collect();
    let rows = funnel(events, view, query)
        .into_iter()
        .flat_map(|(group, steps)| {
            let steps = steps.into_iter().enumerate();
            steps
                .map(move |(place, step)| [show_group(&group), funnels::row(place, &step)].concat())
                .collect::<Vec<_>>()
        })
        .collect();
    check_in_order(store, &text, &columns, rows);

    let counted = attempts(events, view, query);
    let rows = query.rows();
    for step in 1..=rows.len() {
        let reached = counted.iter().filter(|attempt| attempt.reached[step - 1]);
        let customers = names(reached.clone().map(|attempt| attempt.journey.customer));
        check(store, &format!("{text}\n|> WHERE step = {step} |> CUSTOMERS"), &["customer"], customers);
        let mut columns = vec!["customer"];
        columns.extend(query.hold.as_deref());
        columns.extend(group_columns(query));
        columns.extend(["depth", "started", "ended", "span", "outcome", "next_kind", "next_channel"]);
        let listed = reached.map(|attempt| attempt_row(attempt, query)).collect();
        check(store, &format!("{text}\n|> REACHED {step}"), &columns, listed);
        let is_last = !(step..rows.len()).any(|later| query.requires(rows[later]));
        if !query.requires(rows[step - 1]) || is_last {
            continue;
        }
        let dropped = counted
            .iter()
            .filter(|attempt| attempt.depth == step)
            .filter(|attempt| matches!(attempt.outcome, Some(Outcome::Silent | Outcome::Elsewhere)))
            .map(|attempt| attempt_row(attempt, query))
            .collect();
        check(store, &format!("{text}\n|> DROPPED AT {step}"), &columns, dropped);
    }
}

#[test]
fn options_are_those_of_the_reference() {
    run("options", &(history(SIZE), prop::collection::vec(query(), 4)), |(history, queries)| {
        let store = history.deliver();
        for (view, query) in &queries {
            check_options(&store, &history.events, view, query);
        }
    });
}
