//! Why a pattern is not found with a customer: the deepest attempt, step by
//! step, and what the step that it lacks would have taken.

use std::ops::Range;

use super::{InSight, PatternElement, PatternPlan};
use crate::kernels::pattern::{Absence, Found, Joint, Matcher, Rows};
use crate::plan::flow::Flow;
use crate::plan::missing::{Lost, nearest};
use crate::plan::operator::{Asked, Reason};
use crate::rows::Env;
use crate::time::{format_duration_literal, format_duration_people, format_instant};
use crate::value::counted;

/// What is lacking, and the kernel's row that came closest.
type Lack = (String, Option<u32>);

impl PatternPlan {
    /// Of some journeys in hand, none of which has anything for a step: what comes closest to it.
    pub(crate) fn nearest(&self, step: usize, journeys: &Range<usize>, asked: &Asked<'_>) -> Option<Lost> {
        let fillers = self.steps.get(step).and_then(|step| self.fillers.get(step.fillers.clone()));
        let predicates = fillers.unwrap_or_default().iter().filter_map(|filler| filler.predicate.as_ref());
        let near =
            predicates.filter_map(|it| nearest(it, (asked.flow, journeys.clone()), asked.env, asked.text));
        near.min_by_key(|(failing, _)| *failing).map(|(_, lost)| lost)
    }

    /// How deep the customer whose journeys flow here gets, and what comes next and is lacking.
    /// The deepest attempt by language rule 4, whatever units the operator counts.
    pub(crate) fn why_not(&self, operator: &str, flow: &Flow, env: &Env) -> Vec<Reason> {
        let sight = self.sight(flow, env);
        let mut matcher = Matcher::new(self.rule.clone());
        let mut best: Option<(InSight<'_>, Found)> = None;
        let mut some = None;
        for journey in 0..flow.block().customers.len() {
            let Some(view) = sight.journey(journey) else { continue };
            let mut found = Found::default();
            let deepest = {
                let beside = view.beside(env);
                let joint = self.rule.is_joint().then_some(&beside as &dyn Joint);
                matcher.deepest(&view.rows(), joint, &mut found)
            };
            let key = |view: &InSight<'_>, found: &Found| {
                (found.complete, found.depth, found.absences, view.time(found.reached))
            };
            match deepest {
                Ok(true) if best.as_ref().is_none_or(|(v, f)| key(&view, &found) > key(v, f)) => {
                    best = Some((view, found));
                }
                Ok(_) => some = Some(view),
                Err(_) => {}
            }
        }
        let reason = |step: String, holds: bool, detail: String, view: &InSight<'_>, row: Option<u32>| {
            let closest = row.map(|row| flow.whole_row(view.row(row)));
            Reason { step: format!("{operator}{step}"), holds, detail, closest }
        };
        let Some((view, found)) = best else {
            let first = self.rule.steps.iter().position(|step| step.min > 0).unwrap_or(0);
            return some.map_or_else(Vec::new, |view| {
                let (detail, row) = self.no_start(first, &view);
                vec![reason(self.named(PatternElement::Step(first)), false, detail, &view, row)]
            });
        };
        let mut reasons: Vec<Reason> = Vec::new();
        for (place, _) in self.steps.iter().enumerate() {
            let rows = found.rows.iter().filter(|&&(_, step)| step as usize == place);
            if let Some(&(row, _)) = rows.clone().next() {
                let times = rows.count();
                let at = format_instant(view.time(row));
                let detail = match times {
                    1 => format!("reached at {at}"),
                    _ => format!("reached from {at} on, {times} times"),
                };
                let element = self.named(PatternElement::Step(place));
                reasons.push(reason(element, true, detail, &view, Some(row)));
            }
        }
        if found.complete {
            return reasons;
        }
        if self.rule.any_order {
            let missing =
                (0..self.steps.len()).filter(|&step| !found.rows.iter().any(|row| row.1 as usize == step));
            let lacks: Vec<Reason> = missing
                .map(|step| {
                    let (detail, row) = self.lacks_in_any_order(step, &view, &found);
                    reason(self.named(PatternElement::Step(step)), false, detail, &view, row)
                })
                .collect();
            reasons.extend(lacks);
            return reasons;
        }
        let (element, (detail, row)) = self.lacks(&view, &found);
        reasons.push(reason(self.named(element), false, detail, &view, row));
        reasons
    }

    /// `, step 2: call`
    fn named(&self, element: PatternElement) -> String {
        let number = self.elements.iter().position(|other| *other == element).map_or(0, |place| place + 1);
        format!(", step {number}: {}", self.label(element))
    }

    /// What the attempt lacks next: an absence, or the next required step.
    fn lacks(&self, view: &InSight<'_>, found: &Found) -> (PatternElement, Lack) {
        let rows = view.rows();
        let next = (found.depth..self.rule.steps.len())
            .find(|&step| self.rule.steps.get(step).is_some_and(|step| step.min > 0));
        let last = found.rows.last().map_or(0, |row| row.0);
        let passed = found.depth.saturating_sub(1);
        let between = passed..next.unwrap_or(self.rule.steps.len());
        let absences = between.flat_map(|step| {
            let after = self.rule.steps.get(step).map_or(&[][..], |step| &step.after);
            after
                .iter()
                .enumerate()
                .map(move |(place, absence)| (PatternElement::Absence { step, place }, absence))
        });
        if let Some((element, absence)) = absences.into_iter().nth(found.absences) {
            let lack =
                if found.pending { self.too_early(absence, last, view) } else { came(absence, last, &rows) };
            return (element, lack);
        }
        let step = next.unwrap_or(self.rule.steps.len().saturating_sub(1));
        (PatternElement::Step(step), self.lacks_step(step, view, found))
    }

    fn too_early(&self, absence: &Absence, last: u32, view: &InSight<'_>) -> Lack {
        let until = format_instant(view.time(last).saturating_add(absence.within));
        let edge = format_instant(self.rule.right_edge);
        (
            format!("it is too early to tell: the deadline is {until}, and what is seen ends at {edge}"),
            Some(last),
        )
    }

    /// Why no row follows `found` as a step.
    fn lacks_step(&self, step: usize, view: &InSight<'_>, found: &Found) -> Lack {
        let rows = view.rows();
        let last = found.rows.last().map_or(0, |row| row.0);
        let fits = |row: &u32| has(rows.classes, *row, step as u32);
        let all: Vec<u32> = (0..rows.times.len() as u32).filter(fits).collect();
        let Some(&latest) = all.last() else {
            return ("no interaction in sight fills it".to_owned(), None);
        };
        let after: Vec<u32> = all.iter().copied().filter(|&row| row > last).collect();
        if after.is_empty() {
            let early = format_duration_people(view.time(last).saturating_sub(view.time(latest)));
            let own = found.rows.iter().any(|row| row.0 == latest);
            return match own {
                true => {
                    ("no other interaction fills it, and one fills one step only".to_owned(), Some(latest))
                }
                false => (format!("the last that fills it comes {early} before"), Some(latest)),
            };
        }
        let faults = after.iter().map(|&row| (row, self.faults(step, row, view, found)));
        let closest = faults.min_by_key(|(row, faults)| (faults.len(), *row));
        let Some((row, faults)) = closest else { return (String::new(), None) };
        let fewest = self.rule.steps.get(step).map_or(1, |step| step.min.max(1)) as usize;
        if faults.is_empty() && fewest > 1 {
            let seen = counted(after.len() as u64, "interaction");
            return (format!("{fewest} are needed in a row, and {seen} can be one"), Some(row));
        }
        if faults.is_empty() {
            return ("the nearest that fills it does not fit beside the steps before".to_owned(), Some(row));
        }
        let blame = faults.iter().find_map(|fault| fault.1).unwrap_or(row);
        let words: Vec<&str> = faults.iter().map(|fault| fault.0.as_str()).collect();
        (format!("the nearest that fills it {}", words.join(" and ")), Some(blame))
    }

    /// What keeps a row from following `found` as a step, each with the row that is to blame where it is another.
    fn faults(&self, step: usize, row: u32, view: &InSight<'_>, found: &Found) -> Vec<(String, Option<u32>)> {
        let Some(rule) = self.rule.steps.get(step) else { return Vec::new() };
        let (rows, edge) = (view.rows(), &rule.edge);
        let (first, last) =
            (found.rows.first().map_or(0, |row| row.0), found.rows.last().map_or(0, |row| row.0));
        let (gap, whole) =
            (view.time(row).saturating_sub(view.time(last)), view.time(row).saturating_sub(view.time(first)));
        let mut faults = Vec::new();
        if let Some(low) = edge.low.filter(|&low| gap < low) {
            let early = format_duration_people(low.saturating_sub(gap));
            faults.push((format!("comes {early} too early for >= {}", format_duration_literal(low)), None));
        }
        if let Some(high) = edge.high.filter(|&high| gap > high) {
            let late = format_duration_people(gap.saturating_sub(high));
            faults.push((format!("comes {late} too late for <= {}", format_duration_literal(high)), None));
        }
        if let Some(within) = self.rule.within.filter(|&within| whole > within) {
            let late = format_duration_people(whole.saturating_sub(within));
            faults.push((
                format!("comes {late} after the end of WITHIN {}", format_duration_literal(within)),
                None,
            ));
        }
        if edge.next && row > last + 1 {
            faults.push(("does not follow directly: this comes between".to_owned(), Some(last + 1)));
        }
        let code =
            |key: usize, row: u32| rows.keys.get(key).and_then(|codes| codes.get(row as usize)).copied();
        if let Some(key) = edge.same
            && (code(key, row) != code(key, last) || code(key, row).is_none_or(|code| code == 0))
        {
            faults.push(("differs in what must be the SAME".to_owned(), None));
        }
        let barred = (last + 1..row)
            .find(|&between| rows.marks.get(between as usize).is_some_and(|marks| marks & edge.no != 0));
        if let Some(between) = barred {
            faults.push(("comes after what NO excludes".to_owned(), Some(between)));
        }
        faults
    }

    /// Why no row starts an attempt.
    fn no_start(&self, step: usize, view: &InSight<'_>) -> Lack {
        let rows = view.rows();
        let all: Vec<u32> =
            (0..rows.times.len() as u32).filter(|&row| has(rows.classes, row, step as u32)).collect();
        let Some(&latest) = all.last() else {
            return ("no interaction in sight fills it".to_owned(), None);
        };
        let starts =
            |row: &u32| rows.starts.is_none_or(|starts| starts.get(*row as usize).copied().unwrap_or(false));
        let Some(&start) = all.iter().rev().find(|row| starts(row)) else {
            return ("none that fills it lies in the span of STARTED DURING".to_owned(), Some(latest));
        };
        for absence in &self.rule.before {
            let from = view.time(start).saturating_sub(absence.within);
            let earlier = (0..start).rev().take_while(|&row| view.time(row) >= from);
            let mut earlier = earlier.into_iter();
            if let Some(row) = earlier.find(|&row| has(rows.marks, row, absence.mark)) {
                let gap = format_duration_people(view.time(start).saturating_sub(view.time(row)));
                return (
                    format!("this comes {gap} before the last that fills it, and must be absent"),
                    Some(row),
                );
            }
            if from <= self.rule.left_edge {
                return (
                    "what is seen does not reach back far enough before the last that fills it".to_owned(),
                    Some(start),
                );
            }
        }
        let fewest = self.rule.steps.get(step).map_or(1, |step| step.min.max(1));
        if fewest > 1 {
            let seen = counted(all.len() as u64, "interaction");
            return (format!("{fewest} are needed, and {seen} can be one"), Some(latest));
        }
        ("none that fills it can start an attempt".to_owned(), Some(latest))
    }

    fn lacks_in_any_order(&self, step: usize, view: &InSight<'_>, found: &Found) -> Lack {
        let rows = view.rows();
        let (first, last) =
            (found.rows.first().map_or(0, |row| row.0), found.rows.last().map_or(0, |row| row.0));
        let all = (0..rows.times.len() as u32).filter(|&row| has(rows.classes, row, step as u32));
        let free = all.filter(|row| !found.rows.iter().any(|taken| taken.0 == *row));
        let off = |row: &u32| {
            let at = view.time(*row);
            at.saturating_sub(view.time(last)).max(view.time(first).saturating_sub(at)).max(0)
        };
        match free.min_by_key(off) {
            None => ("no other interaction in sight fills it".to_owned(), None),
            Some(row) => {
                let within = self.rule.within.map_or_else(String::new, format_duration_literal);
                let far = format_duration_people(off(&row));
                (
                    format!("the nearest that fills it is {far} from the others, and WITHIN is {within}"),
                    Some(row),
                )
            }
        }
    }
}

/// The interaction that should have been absent.
fn came(absence: &Absence, last: u32, rows: &Rows<'_>) -> Lack {
    let at = |row: u32| rows.times.get(row as usize).copied().unwrap_or_default();
    let row = (last + 1..rows.times.len() as u32).find(|&row| has(rows.marks, row, absence.mark));
    match row {
        None => ("what must be absent came".to_owned(), None),
        Some(row) => {
            let gap = format_duration_people(at(row).saturating_sub(at(last)));
            let within = format_duration_literal(absence.within);
            (format!("it came after {gap}, and must not within {within}"), Some(row))
        }
    }
}

fn has(bits: &[u64], row: u32, bit: u32) -> bool {
    bits.get(row as usize).is_some_and(|bits| bits >> bit & 1 == 1)
}
