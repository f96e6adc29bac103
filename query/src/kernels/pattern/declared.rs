//! What a match is, written down as the language says it and tried on every
//! way to fill steps with rows. Slow, and in nothing like the searches.

use std::cmp::{Ordering, Reverse};
use std::ops::Range;

use super::rule::{Absence, Found, Joint, Rows, Rule};

/// Everything that decides what is a match.
#[derive(Clone, Copy)]
pub(super) struct Declared<'a> {
    pub rule: &'a Rule,
    pub rows: &'a Rows<'a>,
    pub joint: &'a dyn Joint,
    pub lenient: bool,
}

/// The rows that fill each step.
type Filled = Vec<Vec<u32>>;

/// One way to fill a prefix of the steps.
#[derive(Clone, Debug)]
struct Attempt {
    found: Found,
    start: u32,
}

impl Attempt {
    /// (row, step) by row.
    fn places(&self) -> Vec<(u32, u32)> {
        let mut places = self.found.rows.clone();
        places.sort_unstable();
        places
    }

    fn compare_rows(&self, other: &Self) -> Ordering {
        let (mine, others) = (self.places(), other.places());
        let rows = |places: &[(u32, u32)]| places.iter().map(|place| place.0).collect::<Vec<_>>();
        rows(&mine).cmp(&rows(&others)).then_with(|| mine.cmp(&others))
    }

    fn by_first(&self, other: &Self) -> Ordering {
        let key = |of: &Self| (of.found.reached, Reverse(of.found.rows.len()), Reverse(of.start));
        key(self).cmp(&key(other)).then_with(|| self.compare_rows(other))
    }

    fn by_last(&self, other: &Self) -> Ordering {
        let key = |of: &Self| Reverse((of.found.reached, of.start, of.found.rows.len()));
        key(self).cmp(&key(other)).then_with(|| self.compare_rows(other))
    }

    fn by_depth(&self, other: &Self) -> Ordering {
        let key = |of: &Self| {
            let found = &of.found;
            Reverse((found.depth, found.absences, found.reached, of.start, found.rows.len()))
        };
        key(self).cmp(&key(other)).then_with(|| self.compare_rows(other))
    }
}

impl Declared<'_> {
    fn at(&self, row: u32) -> i64 {
        self.rows.times[row as usize]
    }

    fn marked(&self, absence: &Absence, row: u32, chosen: &[Option<u32>]) -> bool {
        self.rows.marks[row as usize] >> absence.mark & 1 == 1
            && (absence.names == 0 || self.joint.marked(absence.mark, row, chosen))
    }

    /// Whether something is absent after a row; `None` where it is too early to tell.
    fn absent(&self, absence: &Absence, row: u32, chosen: &[Option<u32>]) -> Option<bool> {
        let until = self.at(row) + absence.within;
        if (row + 1..self.rows.len()).any(|x| self.at(x) <= until && self.marked(absence, x, chosen)) {
            return Some(false);
        }
        (self.rule.right_edge > until || self.lenient).then_some(true)
    }

    fn starts_at(&self, row: u32) -> bool {
        let steps = &self.rule.steps;
        let first = if self.rule.any_order {
            steps.len()
        } else {
            steps.iter().position(|step| step.min > 0).map_or(steps.len(), |at| at + 1)
        };
        let absent = self.rule.before.iter().all(|absence| {
            let from = self.at(row) - absence.within;
            let none = !(0..row).any(|x| self.at(x) >= from && self.marked(absence, x, &[]));
            none && (self.lenient || self.rule.left_edge < from)
        });
        let fills = |step: usize| {
            self.rows.classes[row as usize] >> step & 1 == 1
                && (steps[step].names == 0 || self.joint.fills(step, row, &vec![None; steps.len()]))
        };
        (0..first).any(fills) && self.rows.starts.is_none_or(|starts| starts[row as usize]) && absent
    }

    /// Every way to fill steps with rows of a range, one step a row. In order
    /// the steps of later rows do not come before those of earlier ones.
    fn each_way(&self, range: Range<u32>, visit: &mut dyn FnMut(&Filled)) {
        let mut filled = vec![Vec::new(); self.rule.steps.len()];
        let ordered = !self.rule.any_order && self.rule.simultaneous.is_none();
        self.fill(range, ordered.then_some(0), &mut filled, visit);
    }

    fn fill(
        &self,
        range: Range<u32>,
        from: Option<usize>,
        filled: &mut Filled,
        visit: &mut dyn FnMut(&Filled),
    ) {
        let Some(row) = range.clone().next() else { return visit(filled) };
        let rest = row + 1..range.end;
        self.fill(rest.clone(), from, filled, visit);
        for step in from.unwrap_or(0)..self.rule.steps.len() {
            if self.rows.classes[row as usize] >> step & 1 == 1 {
                filled[step].push(row);
                self.fill(rest.clone(), from.map(|_| step), filled, visit);
                filled[step].pop();
            }
        }
    }

    /// Whether rows fill steps as the rule wants it, up to the last step that
    /// has any, which may still lack repetitions. Gives that step and the start.
    fn agrees(&self, filled: &Filled) -> Option<(usize, u32)> {
        let rule = self.rule;
        let taken: Vec<usize> = (0..filled.len()).filter(|&step| !filled[step].is_empty()).collect();
        let (&first, &last) = (taken.first()?, taken.last()?);
        let start = filled[first][0];
        let mut chosen = vec![None; filled.len()];
        let mut before: Option<usize> = None;
        for (place, step) in rule.steps.iter().enumerate().take(last + 1) {
            let rows = &filled[place];
            let many = rows.len() as u32;
            if many == 0 && step.min > 0
                || step.max.is_some_and(|max| many > max)
                || many > 0 && many < step.min && place != last
            {
                return None;
            }
            let Some(&entry) = rows.first() else { continue };
            let fills = |&row: &u32| {
                self.rows.classes[row as usize] >> place & 1 == 1
                    && (step.names == 0 || self.joint.fills(place, row, &chosen))
                    && rule.within.is_none_or(|within| self.at(row) - self.at(start) <= within)
            };
            let apart = |pair: &[u32]| pair[1] > pair[0] && (!step.adjacent || pair[1] == pair[0] + 1);
            if !rows.iter().all(fills) || !rows.windows(2).all(apart) {
                return None;
            }
            if let Some(before) = before {
                let from = *filled[before].last()?;
                let gap = self.at(entry) - self.at(from);
                let edge = &step.edge;
                let follows = entry > from
                    || !edge.next
                        && rule.simultaneous.is_some_and(|most| self.at(entry) >= self.at(from) - most);
                let bounded =
                    edge.low.is_none_or(|low| gap >= low) && edge.high.is_none_or(|high| gap <= high);
                let near = !edge.next || entry == from + 1;
                let same = edge.same.is_none_or(|key| {
                    let code = |row: u32| self.rows.keys[key][row as usize];
                    code(from) != 0 && code(from) == code(entry)
                });
                let clear = (from + 1..entry).all(|row| !self.bars(place, row, &chosen));
                let absent = (before..place)
                    .flat_map(|step| &rule.steps[step].after)
                    .all(|absence| self.absent(absence, from, &chosen) == Some(true));
                if !(follows && bounded && near && same && clear && absent) {
                    return None;
                }
            }
            chosen[place] = rows.last().copied();
            before = Some(place);
        }
        let anchor = (0..self.rows.len()).find(|&row| self.starts_at(row));
        (self.starts_at(start) && (!rule.anchor_first || anchor == Some(start))).then_some((last, start))
    }

    fn bars(&self, step: usize, row: u32, chosen: &[Option<u32>]) -> bool {
        let edge = &self.rule.steps[step].edge;
        (0..64).any(|mark| {
            (edge.no & self.rows.marks[row as usize]) >> mark & 1 == 1
                && (edge.names == 0 || self.joint.marked(mark, row, chosen))
        })
    }

    fn attempt(&self, filled: &Filled) -> Option<Attempt> {
        let steps = &self.rule.steps;
        let (last, start) = self.agrees(filled)?;
        if (filled[last].len() as u32) < steps[last].min {
            return None;
        }
        let required = |range: Range<usize>| range.filter(|&step| steps[step].min > 0).collect::<Vec<_>>();
        let passed = required(0..last + 1);
        let deepest = *passed.last()?;
        let next = required(last + 1..steps.len()).first().copied();
        let chosen: Vec<Option<u32>> = filled.iter().map(|rows| rows.last().copied()).collect();
        let row = *filled[last].last()?;
        let rest: Vec<Option<bool>> = steps[last..next.unwrap_or(steps.len())]
            .iter()
            .flat_map(|step| &step.after)
            .map(|absence| self.absent(absence, row, &chosen))
            .collect();
        let held = rest.iter().take_while(|held| **held == Some(true)).count();
        let complete = next.is_none() && held == rest.len();
        let behind: usize = steps[deepest..last].iter().map(|step| step.after.len()).sum();
        let nth = |step: usize| filled[step][steps[step].min as usize - 1];
        let reached = match self.rule.simultaneous {
            Some(_) if complete => passed.iter().map(|&step| nth(step)).max()?,
            _ => nth(deepest),
        };
        let rows = (0..).zip(filled).flat_map(|(step, rows)| rows.iter().map(move |&row| (row, step)));
        let found = Found {
            rows: rows.collect(),
            depth: if complete { steps.len() } else { deepest + 1 },
            absences: behind + held,
            complete,
            pending: rest.get(held).is_some_and(Option::is_none),
            reached,
        };
        Some(Attempt { found, start })
    }

    /// In any order: distinct rows for distinct steps, within the time from the first.
    fn loose(&self, filled: &Filled) -> Option<Attempt> {
        let mut places: Vec<(u32, u32)> = Vec::new();
        for (step, rows) in (0..).zip(filled) {
            match rows[..] {
                [] => {}
                [row] => places.push((row, step)),
                _ => return None,
            }
        }
        places.sort_unstable();
        let (&(start, _), &(last, _)) = (places.first()?, places.last()?);
        let anchor = (0..self.rows.len()).find(|&row| self.starts_at(row));
        let fits = self.rule.within.is_none_or(|within| self.at(last) - self.at(start) <= within)
            && self.starts_at(start)
            && (!self.rule.anchor_first || anchor == Some(start));
        let depth = places.len();
        let complete = depth == self.rule.steps.len();
        let found = Found { rows: places, depth, absences: 0, complete, pending: false, reached: last };
        fits.then_some(Attempt { found, start })
    }

    fn attempts(&self, range: Range<u32>) -> Vec<Attempt> {
        let mut all = Vec::new();
        self.each_way(range, &mut |filled| {
            all.extend(if self.rule.any_order { self.loose(filled) } else { self.attempt(filled) });
        });
        all
    }

    /// The attempt that counts, from a start where it is given.
    pub(super) fn deepest(&self, range: Range<u32>, start: Option<u32>) -> Option<Found> {
        let mut all = self.attempts(range);
        all.retain(|attempt| start.is_none_or(|start| attempt.start == start));
        let complete = all.iter().any(|attempt| attempt.found.complete);
        all.retain(|attempt| attempt.found.complete == complete);
        let order = if complete { Attempt::by_first } else { Attempt::by_depth };
        Some(all.into_iter().min_by(order)?.found)
    }

    fn first(&self, range: Range<u32>, start: Option<u32>) -> Option<Found> {
        self.deepest(range, start).filter(|found| found.complete)
    }

    /// FIRST, LAST, ALL, EACH.
    pub(super) fn matches(&self) -> [Vec<Found>; 4] {
        let len = self.rows.len();
        let first = self.first(0..len, None);
        let mut last = self.attempts(0..len);
        last.retain(|attempt| attempt.found.complete);
        let last = last.into_iter().min_by(Attempt::by_last);
        let (mut all, mut from) = (Vec::new(), 0);
        while let Some(found) = self.first(from..len, None) {
            from = found.rows.iter().map(|place| place.0).max().unwrap_or(len) + 1;
            all.push(found);
        }
        let each = (0..len).filter_map(|start| self.first(0..len, Some(start))).collect();
        [first.into_iter().collect(), last.map(|last| last.found).into_iter().collect(), all, each]
    }

    /// Whether a way on is open after the rows up to `now`, at which time goes
    /// on to `time`.
    fn goes_on(&self, filled: &Filled, now: u32, time: i64) -> bool {
        let Some((last, start)) = self.agrees(filled) else { return false };
        let steps = &self.rule.steps;
        let (row, many) = (*filled[last].last().expect("taken"), filled[last].len() as u32);
        let chosen: Vec<Option<u32>> = filled.iter().map(|rows| rows.last().copied()).collect();
        if self.rule.within.is_some_and(|within| time > self.at(start) + within) {
            return false;
        }
        if steps[last].max.is_none_or(|max| many < max) && (!steps[last].adjacent || now == row) {
            return true;
        }
        if many < steps[last].min {
            return false;
        }
        // An absence that is violated later still lets hope.
        let hopes = |to: usize| {
            steps[last..to].iter().flat_map(|step| &step.after).all(|absence| {
                let until = self.at(row) + absence.within;
                !(row + 1..now + 1).any(|x| self.at(x) <= until && self.marked(absence, x, &chosen))
            })
        };
        let next = (last + 1..steps.len()).find(|&step| steps[step].min > 0);
        let enters = (last + 1..=next.unwrap_or(steps.len() - 1)).any(|to| {
            let edge = &steps[to].edge;
            hopes(to)
                && (!edge.next || now == row)
                && edge.high.is_none_or(|high| time <= self.at(row) + high)
                && edge.same.is_none_or(|key| self.rows.keys[key][row as usize] != 0)
                && !(row + 1..now + 1).any(|x| self.bars(to, x, &chosen))
        });
        enters || next.is_none() && hopes(steps.len())
    }

    /// The entries of COUNT ATTEMPTS.
    pub(super) fn entries(&self) -> Vec<Range<u32>> {
        let free = Rule { anchor_first: false, ..self.rule.clone() };
        let free = Declared { rule: &free, ..*self };
        let mut entries = Vec::new();
        let mut opened: Option<u32> = None;
        let mut row = 0;
        while row < self.rows.len() {
            let Some(first) = opened else {
                if self.starts_at(row) {
                    opened = Some(row);
                    if free.deepest(row..row + 1, None).is_some_and(|found| found.complete) {
                        entries.push(row..row + 1);
                        opened = None;
                    }
                }
                row += 1;
                continue;
            };
            let (mut alive, mut extended, mut completes) = (false, false, false);
            free.each_way(first..row + 1, &mut |filled| {
                let Some((last, start)) = free.agrees(filled) else { return };
                if self.rule.anchor_first && start != first || start == row {
                    return;
                }
                if *filled[last].last().expect("taken") == row {
                    extended = true;
                    completes |= free.attempt(filled).is_some_and(|attempt| attempt.found.complete);
                } else {
                    let before = free.goes_on(filled, row - 1, free.at(row));
                    alive |= before && free.goes_on(filled, row, free.at(row));
                }
            });
            if completes {
                entries.push(first..row + 1);
                opened = None;
            } else if !alive && !extended {
                entries.push(first..row);
                opened = None;
                continue;
            } else if !self.rule.anchor_first
                && free.deepest(row..row + 1, Some(row)).is_some_and(|found| found.complete)
            {
                entries.push(first..row + 1);
                opened = None;
            }
            row += 1;
        }
        entries.extend(opened.map(|first| first..self.rows.len()));
        entries
    }
}
