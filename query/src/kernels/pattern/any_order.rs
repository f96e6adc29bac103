//! Steps in any order: distinct rows for distinct steps.
//!
//! Sets of rows that can fill distinct steps are the independent sets of a
//! transversal matroid (Edmonds and Fulkerson, 'Transversals and matroid
//! partition', 1965). Its basis of latest rows is kept while rows come, by one
//! exchange a row; the part of it in any stretch that ends at the row in hand
//! is a largest set there, and its earliest row is as late as can be.

use super::ground::Ground;
use super::rule::Found;

/// Which row fills each step.
#[derive(Clone, Debug, Default)]
struct Filled {
    by: Vec<Option<u32>>,
}

impl Filled {
    fn new(steps: usize) -> Self {
        Self { by: vec![None; steps] }
    }

    /// Takes `row` in, moving others to other steps where that makes room.
    /// Where it does not, the earliest row that it could stand for goes, if
    /// `exchange` allows; false where nothing changed.
    fn admit(&mut self, row: u32, exchange: bool, class: impl Fn(u32) -> u64) -> bool {
        let all = u64::MAX >> (64 - self.by.len().clamp(1, 64));
        let mut from: Vec<Option<usize>> = vec![None; self.by.len()];
        let mut seen = class(row) & all;
        let mut queue: Vec<usize> = bits(seen).collect();
        let mut earliest: Option<(u32, usize)> = None;
        let mut place = 0;
        while let Some(&step) = queue.get(place) {
            place += 1;
            let Some(other) = self.by.get(step).copied().flatten() else {
                self.shift(step, row, &from);
                return true;
            };
            if earliest.is_none_or(|known| other < known.0) {
                earliest = Some((other, step));
            }
            let further = class(other) & all & !seen;
            seen |= further;
            for next in bits(further) {
                if let Some(from) = from.get_mut(next) {
                    *from = Some(step);
                }
                queue.push(next);
            }
        }
        match earliest {
            Some((_, step)) if exchange => {
                self.shift(step, row, &from);
                true
            }
            _ => false,
        }
    }

    /// Every row on the path to `step` moves one step on, and `row` takes the first.
    fn shift(&mut self, step: usize, row: u32, from: &[Option<usize>]) {
        let mut step = step;
        loop {
            let before = from.get(step).copied().flatten();
            let mover = before.map_or(Some(row), |before| self.by.get(before).copied().flatten());
            if let Some(place) = self.by.get_mut(step) {
                *place = mover;
            }
            let Some(before) = before else { return };
            step = before;
        }
    }
}

fn bits(mask: u64) -> impl Iterator<Item = usize> {
    (0..64).filter(move |bit| mask >> bit & 1 == 1)
}

/// The row next to each, on one side, that can start an attempt, and the one
/// after that with another class.
type Nearest = Vec<(Option<u32>, Option<u32>)>;

/// The deepest attempt; false where no row fills any step.
pub(super) fn deepest(ground: &Ground<'_>, found: &mut Found) -> bool {
    found.rows.clear();
    let (rows, steps) = (ground.rows, ground.rule.steps.len());
    let all = u64::MAX >> (64 - steps.clamp(1, 64));
    let class = |row: u32| rows.class(row) & all;
    let starts: Vec<bool> = (ground.from..ground.until)
        .map(|row| ground.start.is_none_or(|start| start == row) && ground.can_start(row))
        .collect();
    let start_at = |row: u32| starts.get((row - ground.from) as usize).copied().unwrap_or(false);
    let fold = |known: (Option<u32>, Option<u32>), row: u32| match known.0 {
        _ if !start_at(row) => known,
        Some(first) if class(first) == class(row) => (Some(row), known.1),
        _ => (Some(row), known.0),
    };
    let scan = |order: &mut dyn Iterator<Item = u32>| -> Nearest {
        order
            .scan((None, None), |known, row| {
                *known = fold(*known, row);
                Some(*known)
            })
            .collect()
    };
    let before = scan(&mut (ground.from..ground.until));
    let mut after = scan(&mut (ground.from..ground.until).rev());
    after.reverse();
    // A start that leaves a step for `row`.
    let beside = |nearest: &Nearest, place: u32, row: u32| {
        let near = nearest.get((place - ground.from) as usize).copied().unwrap_or_default();
        let apart = |&start: &u32| (class(start) | class(row)).count_ones() > 1;
        near.0.filter(apart).or(near.1.filter(apart))
    };
    let mut filled = Filled::new(steps);
    let mut oldest = ground.from;
    // (depth, first row, last row)
    let mut best: Option<(usize, u32, u32)> = None;
    for row in (ground.from..ground.until).filter(|&row| class(row) != 0) {
        filled.admit(row, true, class);
        let reach = ground.rule.within.map_or(i64::MIN, |within| rows.at(row).saturating_sub(within));
        while rows.at(oldest) < reach {
            oldest += 1;
        }
        let longest = beside(&after, oldest, row).filter(|&start| start < row);
        let depth = match longest {
            Some(start) => filled.by.iter().flatten().filter(|&&other| other >= start).count(),
            None => usize::from(start_at(row)),
        };
        if depth == 0 || best.is_some_and(|best| depth < best.0) {
            continue;
        }
        let mut latest: Vec<u32> = filled.by.iter().flatten().copied().collect();
        latest.sort_unstable_by(|a, b| b.cmp(a));
        let first = match latest.get(depth - 1) {
            Some(&earliest) if depth > 1 => beside(&before, earliest, row).unwrap_or(row),
            _ => row,
        };
        best = Some((depth, first, row));
        if depth == steps {
            break;
        }
    }
    let Some((depth, first, last)) = best else { return false };
    // The earliest rows that leave the rest possible: any independent set of
    // rows is part of a largest one.
    let mut chosen = Filled::new(steps);
    let mut taken = vec![first];
    chosen.admit(first, false, class);
    if last != first {
        chosen.admit(last, false, class);
        for row in first + 1..last {
            if taken.len() + 1 < depth && class(row) != 0 && chosen.admit(row, false, class) {
                taken.push(row);
            }
        }
        taken.push(last);
    }
    assign(&taken, steps, class, &mut found.rows);
    found.depth = depth;
    found.complete = depth == steps;
    found.absences = 0;
    found.pending = false;
    found.reached = last;
    true
}

/// Gives each row in turn the earliest step that leaves one for all others.
fn assign(taken: &[u32], steps: usize, class: impl Fn(u32) -> u64, rows: &mut Vec<(u32, u32)>) {
    let mut free = u64::MAX >> (64 - steps.clamp(1, 64));
    for (place, &row) in taken.iter().enumerate() {
        let rest = taken.get(place + 1..).unwrap_or_default();
        let chosen = bits(class(row) & free).find(|step| {
            let left = free & !(1 << step);
            let mut others = Filled::new(steps);
            rest.iter().all(|&other| others.admit(other, false, |row| class(row) & left))
        });
        if let Some(step) = chosen {
            free &= !(1 << step);
            rows.push((row, step as u32));
        }
    }
}
