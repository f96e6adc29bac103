//! `COUNT ATTEMPTS` (rule 5): entries, by walking through a journey with the
//! set of everything that may still become an attempt.

use super::assignments::{Search, Taken, repetitions};
use super::flow::Journey;
use super::funnel::{Attempt, Funnel, best};
use super::pattern::Absence;

/// What is open at a row of the walk.
struct Entry {
    opened: usize,
    live: Vec<Vec<Taken>>,
}

/// One attempt an entry, in order; an entry that reaches no required row has none.
pub fn attempts<'a>(journey: &Journey<'a>, query: &Funnel, edges: (i64, i64)) -> Vec<Attempt<'a>> {
    let whole = Search::new(&query.pattern, journey, edges);
    let mut found = Vec::new();
    for (opened, closed) in entries(&whole, query) {
        // "depth and times by rule 4 inside the entry"
        let start = query.anchor_first.then_some(opened);
        found.extend(best(&Search { start, rows: (opened, closed), ..whole }, query));
    }
    found
}

/// The rows of each entry: its first, and one past its last.
fn entries(search: &Search, query: &Funnel) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut entry: Option<Entry> = None;
    for row in 0..search.journey.rows.len() {
        // "it closes when … no start in it can continue": too late for all.
        if let Some(open) = &mut entry {
            let converted = open.live.iter().any(|taken| absences_are_over(search, taken, row));
            open.live.retain(|taken| can_go_on(search, taken, row, row - 1));
            if converted || open.live.is_empty() {
                found.push((open.opened, row));
                entry = None;
            }
        }
        if let Some(open) = &mut entry {
            let longer: Vec<Vec<Taken>> = open
                .live
                .iter()
                .flat_map(|taken| {
                    search.longer(taken, (row, row + 1)).into_iter().map(|next| with(taken, next))
                })
                .collect();
            open.live.retain(|taken| can_go_on(search, taken, row, row));
            open.live.extend(longer);
            if open.live.is_empty() {
                // "the interaction that closed it by exclusion may open the next"
                found.push((open.opened, row));
                entry = None;
            }
        }
        let starts = search.longer(&[], (row, row + 1)).into_iter().map(|start| vec![start]);
        match &mut entry {
            Some(open) if !query.anchor_first => open.live.extend(starts),
            Some(_) => {}
            None => {
                let live: Vec<Vec<Taken>> = starts.collect();
                entry = (!live.is_empty()).then_some(Entry { opened: row, live });
            }
        }
        if let Some(open) = &entry
            && open.live.iter().any(|taken| search.is_match(taken))
        {
            found.push((open.opened, row + 1));
            entry = None;
        }
    }
    found.extend(entry.map(|open| (open.opened, search.journey.rows.len())));
    found
}

fn with(taken: &[Taken], next: Taken) -> Vec<Taken> {
    let mut longer = taken.to_vec();
    longer.push(next);
    longer
}

/// The elements that may come after `taken`, a repetition of the last one included.
fn continuations(search: &Search, taken: &[Taken]) -> Vec<usize> {
    let elements = &search.pattern.elements;
    let Some(last) = taken.last().map(|last| last.element) else { return Vec::new() };
    let mut found = Vec::new();
    if elements[last].max.is_none_or(|max| repetitions(taken) < max) {
        found.push(last);
    }
    if repetitions(taken) >= elements[last].min {
        let end = search.journey.event(taken[taken.len() - 1].row);
        for (place, element) in elements.iter().enumerate().skip(last + 1) {
            // NULL equals nothing: what is SAME must be known here.
            if element.edge.same.iter().all(|attr| end.attrs.contains_key(attr)) {
                found.push(place);
            }
            if element.required() {
                break;
            }
        }
    }
    found
}

/// The absences that come after the last step taken, where nothing else is missing.
fn awaited<'s>(search: &Search<'s, '_>, taken: &[Taken]) -> Vec<&'s Absence> {
    let elements = &search.pattern.elements;
    let last = taken[taken.len() - 1].element;
    let complete = repetitions(taken) >= elements[last].min
        && elements[last + 1..].iter().all(|later| !later.required());
    if complete { search.pattern.absences(last, elements.len()).collect() } else { Vec::new() }
}

/// Whether only absences are missing.
fn awaits_absence(search: &Search, taken: &[Taken]) -> bool {
    !awaited(search, taken).is_empty()
}

/// Whether only absences were missing, their deadlines lie before `row`, and
/// nothing has come before it that must not.
fn absences_are_over(search: &Search, taken: &[Taken], row: usize) -> bool {
    let last = taken[taken.len() - 1];
    let bound = search.bound(taken);
    let held = |absence: &&Absence| {
        let deadline = search.time(last.row) + absence.within;
        let came =
            |other: usize| search.time(other) <= deadline && search.satisfies(&absence.step, other, &bound);
        deadline < search.time(row) && !(last.row + 1..row).any(came)
    };
    awaits_absence(search, taken) && awaited(search, taken).iter().all(held)
}

/// Whether anything at the time of `row`, or later, can still follow `taken`
/// once the rows up to `seen` have come without being taken: one way on is in
/// time, none of them matches its NO or stands where NEXT or STRICT wants
/// another, and none is what must not come. Or something is waited for that
/// must not come, and did not.
fn can_go_on(search: &Search, taken: &[Taken], row: usize, seen: usize) -> bool {
    let pattern = search.pattern;
    let last = taken[taken.len() - 1];
    let bound = search.bound(taken);
    let between = || last.row + 1..=seen;
    let came = |absence: &Absence| {
        between().any(|other| {
            search.time(other) <= search.time(last.row) + absence.within
                && search.satisfies(&absence.step, other, &bound)
        })
    };
    let now = search.time(row);
    let in_window = pattern.within.is_none_or(|within| now <= search.time(taken[0].row) + within);
    let goes_on = continuations(search, taken).into_iter().any(|next| {
        let edge = &pattern.elements[next].edge;
        let passed_by = !between().is_empty();
        if next == last.element {
            return !(pattern.strict && passed_by);
        }
        let in_time = edge.at_most.is_none_or(|most| now <= search.time(last.row) + most);
        let adjacent = edge.next || pattern.strict;
        let excluded =
            between().any(|other| edge.no.iter().any(|step| search.satisfies(step, other, &bound)));
        let broken = adjacent && passed_by;
        in_time && !broken && !excluded && !pattern.absences(last.element, next).any(came)
    });
    let waits = awaits_absence(search, taken) && !awaited(search, taken).into_iter().any(came);
    in_window && (goes_on || waits)
}
