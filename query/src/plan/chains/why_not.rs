//! Why a customer has no chain: the longest run of contacts, and what it lacks.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use super::ChainsOperator;
use crate::kernels::chains::{Contacts, Rule, chains};
use crate::kernels::keys::keys;
use crate::plan::cells::{attr_cell, in_words};
use crate::plan::flow::Flow;
use crate::plan::missing::sight_of;
use crate::plan::operator::{Operator, Reason};
use crate::rows::Env;
use crate::time::{format_duration_literal, format_duration_people};
use crate::value::counted;

/// A maximal run of contacts with one key, each at most GAP after the one before.
struct Run {
    /// Rows in hand, ascending.
    rows: Vec<usize>,
    /// The contact about the same that is nearest to it, and how far past GAP.
    beside: Option<(usize, i64)>,
}

impl ChainsOperator {
    /// What keeps the customer whose journeys flow here from having a chain; nothing where it has one.
    pub(super) fn reasons(&self, flow: &Flow, env: &Env) -> Vec<Reason> {
        let block = flow.block();
        let codes = match self.keys[..] {
            [] => vec![1; block.rows()],
            _ => {
                let columns: Vec<_> = self.keys.iter().map(|&key| block.column(key)).collect();
                keys(&columns, block.rows()).codes
            }
        };
        let resolved = self.resolutions(flow, env);
        let contacts = Contacts {
            offsets: &block.offsets,
            times: &block.times,
            keys: Some(&codes),
            key_bound: codes.iter().max().map_or(1, |most| most + 1),
            visible: flow.visible.as_deref(),
            alive: flow.alive.as_deref(),
            resolved: resolved.as_deref(),
        };
        if !chains(&self.rule, &contacts, false).chains.is_empty() {
            return Vec::new();
        }
        let reason = |detail: String, row: Option<usize>| {
            let closest = row.map(|row| flow.whole_row(row));
            vec![Reason { step: self.explain().0.to_owned(), holds: false, detail, closest }]
        };
        let sight = sight_of(flow);
        let seen: usize = sight.iter().map(Vec::len).sum();
        let runs: Vec<Run> = sight.into_iter().flat_map(|rows| self.runs(rows, &codes, flow)).collect();
        let longest = runs.iter().max_by_key(|run| {
            (
                run.rows.len(),
                Reverse(run.beside.map_or(i64::MAX, |beside| beside.1)),
                run.rows.last().copied(),
            )
        });
        let Some(longest) = longest else {
            let keys = self.key_names.join(" and a ");
            return reason(
                format!("none of the {} in sight has a {keys}", counted(seen as u64, "interaction")),
                None,
            );
        };
        let min = self.rule.min as usize;
        let last = longest.rows.last().copied();
        let about = self.about(longest, flow, env);
        if longest.rows.len() < min {
            let mut detail = format!(
                "the longest run has {}{about}, and MIN is {min}",
                counted(longest.rows.len() as u64, "contact")
            );
            if let Some((row, over)) = longest.beside {
                let before = longest.rows.first().is_some_and(|&first| row < first);
                let which = if before { "the one before it" } else { "the next" };
                detail.push_str(&format!(
                    "; {which}{} is {} past GAP {}",
                    if self.keys.is_empty() { "" } else { " about the same" },
                    format_duration_people(over),
                    format_duration_literal(self.rule.gap)
                ));
                return reason(detail, Some(row));
            }
            return reason(detail, last);
        }
        if let Some((row, over, within)) = self.too_slow(&runs, flow) {
            let detail = format!(
                "{min} contacts in a row take {} longer than WITHIN {}",
                format_duration_people(over),
                format_duration_literal(within)
            );
            return reason(detail, Some(row));
        }
        let anywhere = Rule { started: None, ..self.rule };
        let found = chains(&anywhere, &contacts, false).chains;
        let at = |row: u32| block.times.get(row as usize).copied().unwrap_or_default();
        let (from, to) = self.rule.started.unwrap_or((i64::MIN, i64::MAX));
        let off =
            |row: u32| if at(row) < from { from.saturating_sub(at(row)) } else { at(row).saturating_sub(to) };
        match found.iter().map(|chain| chain.first).min_by_key(|&row| off(row)) {
            None => Vec::new(),
            Some(row) => {
                let side = if at(row) < from { "before it" } else { "after it" };
                let distance = format_duration_people(off(row));
                let detail = format!(
                    "none of its chains begins in the span of STARTED DURING: the nearest begins {distance} {side}"
                );
                reason(detail, Some(row as usize))
            }
        }
    }

    /// The runs among the rows of one journey.
    fn runs(&self, rows: Vec<usize>, codes: &[u32], flow: &Flow) -> Vec<Run> {
        let at = |row: usize| flow.block().times.get(row).copied().unwrap_or_default();
        let mut of_key: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for row in rows {
            let code = codes.get(row).copied().unwrap_or(0);
            if code > 0 {
                of_key.entry(code).or_default().push(row);
            }
        }
        let mut runs = Vec::new();
        for rows in of_key.into_values() {
            let over = |a: usize, b: usize| at(b).saturating_sub(at(a)).saturating_sub(self.rule.gap);
            let mut bounds = vec![0];
            for (place, pair) in rows.windows(2).enumerate() {
                if matches!(pair, [a, b] if over(*a, *b) > 0) {
                    bounds.push(place + 1);
                }
            }
            bounds.push(rows.len());
            let ends = bounds.iter().zip(bounds.iter().skip(1));
            for range in ends.map(|(&from, &to)| Range { start: from, end: to }) {
                let own = rows.get(range.clone()).unwrap_or_default();
                let (Some(&first), Some(&last)) = (own.first(), own.last()) else { continue };
                let before = range.start.checked_sub(1).and_then(|place| rows.get(place));
                let sides = [
                    before.map(|&row| (row, over(row, first))),
                    rows.get(range.end).map(|&row| (row, over(last, row))),
                ];
                let beside = sides.into_iter().flatten().min_by_key(|side| side.1);
                runs.push(Run { rows: own.to_vec(), beside });
            }
        }
        runs
    }

    /// ` about topic 'billing'`
    fn about(&self, run: &Run, flow: &Flow, env: &Env) -> String {
        let Some(&row) = run.rows.first() else { return String::new() };
        let keys = self.keys.iter().zip(&self.key_names);
        let keys: Vec<String> = keys
            .map(|(&key, name)| format!("{name} {}", in_words(&attr_cell(flow.block(), key, row, env), env)))
            .collect();
        if keys.is_empty() { String::new() } else { format!(" about {}", keys.join(" and ")) }
    }

    /// Where no MIN contacts of a run fit in WITHIN: the last of those that nearly do, how much too
    /// long they take, and WITHIN.
    fn too_slow(&self, runs: &[Run], flow: &Flow) -> Option<(usize, i64, i64)> {
        let within = self.rule.within?;
        let at = |row: &usize| flow.block().times.get(*row).copied().unwrap_or_default();
        let windows = runs.iter().flat_map(|run| run.rows.windows(self.rule.min as usize));
        let spans = windows.filter_map(|rows| {
            let (first, last) = (rows.first()?, rows.last()?);
            Some((at(last).saturating_sub(at(first)), *last))
        });
        let (span, row) = spans.min()?;
        (span > within).then(|| (row, span.saturating_sub(within), within))
    }
}
