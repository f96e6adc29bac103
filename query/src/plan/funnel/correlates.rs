//! CORRELATES: which values go with dropping out of a funnel, by the fourfold
//! table of each.

use std::any::Any;
use std::cmp::Ordering;

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Attribute, Role};

use super::super::cells::attr_cell;
use super::super::interaction::symbols_of;
use super::attempts::{Attempt, Finder};
use super::search::Search;
use crate::kernels::keys::{Keys, keys};
use crate::plan::flow::Flow;
use crate::plan::operator::{Passed, Total, Wanted};
use crate::rows::cell::order;
use crate::rows::{Cell, CellTable, Env, QueryLimit, RowBatch, RowType, Sets};
use crate::syntax::ast::Outcome;
use crate::value::grouped;

/// Values that fewer customers have are hidden: of so few nothing can be said.
const CUSTOMERS_MIN: u64 = 30;

/// The columns.
pub(super) const COLUMNS: [(&str, RowType); 8] = [
    ("attribute", RowType::Text),
    ("value", RowType::Text),
    ("converted_with", RowType::Int),
    ("converted_without", RowType::Int),
    ("dropped_with", RowType::Int),
    ("dropped_without", RowType::Int),
    ("phi", RowType::Float),
    ("odds_ratio", RowType::Float),
];

/// The attributes whose values are looked at.
#[derive(Clone, Debug)]
pub(super) struct Correlates {
    attributes: Vec<Attribute>,
}

/// What some units come to.
#[derive(Debug)]
pub(super) struct Tally {
    /// (place of the attribute, value).
    values: CellTable,
    counts: Vec<With>,
    converted: u64,
    dropped: u64,
}

/// Attempts with a value.
#[derive(Clone, Debug, Default)]
struct With {
    converted: u64,
    dropped: u64,
    customers: RoaringBitmap,
}

/// A fourfold table: attempts that dropped or converted, with a value or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fourfold {
    dropped_with: u64,
    dropped_without: u64,
    converted_with: u64,
    converted_without: u64,
}

impl Fourfold {
    /// The phi coefficient, -1 to 1: above 0 where the value goes with
    /// dropping; `None` where a row or a column of the table is empty.
    /// (G. U. Yule, *On the Methods of Measuring Association between Two
    /// Attributes*, 1912.)
    fn phi(&self) -> Option<f64> {
        let (a, b) = (self.dropped_with as f64, self.dropped_without as f64);
        let (c, d) = (self.converted_with as f64, self.converted_without as f64);
        let margins = (a + b) * (c + d) * (a + c) * (b + d);
        (margins > 0.0).then(|| (a * d - b * c) / margins.sqrt())
    }

    /// The odds of dropping with the value over those without; `None` where
    /// the latter are 0 or infinite.
    fn odds_ratio(&self) -> Option<f64> {
        let below = self.dropped_without as f64 * self.converted_with as f64;
        (below > 0.0).then(|| self.dropped_with as f64 * self.converted_without as f64 / below)
    }
}

impl Correlates {
    /// The attributes in the roles of kind, channel and topic.
    pub(super) fn compile(env: &Env) -> Self {
        let schema = env.snapshot.schema();
        let roles = [Role::Kind, Role::Channel, Role::Topic];
        Self { attributes: roles.iter().filter_map(|&role| schema.role(role)).cloned().collect() }
    }

    /// The attributes read.
    pub(super) fn reads(&self) -> impl Iterator<Item = AttrId> {
        self.attributes.iter().map(|attribute| attribute.id)
    }

    /// The attempts of a unit, by the values that lie in their time.
    pub(super) fn tally(
        &self,
        finder: &Finder,
        search: &mut Search,
        flow: &Flow,
        env: &Env,
        passed: &mut Passed,
    ) -> Result<Tally, QueryLimit> {
        let block = flow.block();
        let code = |attribute: &Attribute| keys(&[block.column(attribute.id)], block.rows());
        let codes: Vec<Keys> = self.attributes.iter().map(code).collect();
        // By attribute and code: 1 + the number of the value, once it is known.
        let mut numbers: Vec<Vec<u32>> =
            codes.iter().map(|keys| vec![0; keys.bound.max(1) as usize]).collect();
        let mut tally = Tally::new();
        let mut seen: Vec<u32> = Vec::new();
        finder.each(search, flow, env, |attempt| {
            let converted = match attempt.outcome {
                None => true,
                Some(Outcome::Silent | Outcome::Elsewhere) => false,
                Some(Outcome::Open) => {
                    passed.open += 1;
                    return;
                }
            };
            seen.clear();
            for row in others(attempt, finder) {
                for (place, (codes, numbers)) in codes.iter().zip(&mut numbers).enumerate() {
                    let code = codes.codes.get(row).copied().unwrap_or(0);
                    let Some(number) = numbers.get_mut(code as usize).filter(|_| code > 0) else { continue };
                    if *number == 0 {
                        let Some(attribute) = self.attributes.get(place) else { continue };
                        let value = attr_cell(block, attribute.id, row, env);
                        let value = value.canonical(symbols_of(attribute).is_some(), env);
                        *number = tally.number(&[Cell::Int(place as i64), value]) + 1;
                    }
                    seen.push(*number - 1);
                }
            }
            seen.sort_unstable();
            seen.dedup();
            tally.push(&seen, converted, attempt.customer());
        })?;
        Ok(tally)
    }

    /// What it waits for from all units.
    pub(super) fn total(&self) -> CorrelatesTotal<'_> {
        CorrelatesTotal { correlates: self, tally: Tally::new() }
    }
}

/// The rows in hand from the start of an attempt to its end, that it did not
/// choose: to its last row where it converted, for what came after that may
/// follow from it; else to the end of its window.
fn others(attempt: &Attempt<'_>, finder: &Finder) -> impl Iterator<Item = usize> {
    let times = attempt.view.rows().times;
    let mut chosen: Vec<u32> = attempt.found.rows.iter().map(|&(row, _)| row).collect();
    chosen.sort_unstable();
    let start = attempt.found.rows.first().map_or(0, |&(row, _)| row);
    let end = match (attempt.outcome, chosen.last()) {
        (None, Some(&last)) => last,
        _ => times.len() as u32,
    };
    let within = finder.plan.rule.within;
    let until = within.map_or(i64::MAX, |within| attempt.started().saturating_add(within));
    let rows = (start..end).take_while(move |&row| attempt.view.time(row) <= until);
    rows.filter(move |row| chosen.binary_search(row).is_err()).map(|row| attempt.view.row(row))
}

impl Tally {
    fn new() -> Self {
        Self { values: CellTable::new(2), counts: Vec::new(), converted: 0, dropped: 0 }
    }

    /// The number of a value.
    fn number(&mut self, value: &[Cell]) -> u32 {
        let (number, new) = self.values.intern(value);
        if new {
            self.counts.push(With::default());
        }
        number
    }

    /// Takes in an attempt with these values.
    fn push(&mut self, values: &[u32], converted: bool, customer: u32) {
        match converted {
            true => self.converted += 1,
            false => self.dropped += 1,
        }
        for &value in values {
            let Some(with) = self.counts.get_mut(value as usize) else { continue };
            match converted {
                true => with.converted += 1,
                false => with.dropped += 1,
            }
            with.customers.insert(customer);
        }
    }

    fn add(&mut self, more: Self) {
        self.converted += more.converted;
        self.dropped += more.dropped;
        for (number, other) in more.counts.into_iter().enumerate() {
            let mine = self.number(more.values.get(number));
            let Some(with) = self.counts.get_mut(mine as usize) else { continue };
            with.converted += other.converted;
            with.dropped += other.dropped;
            with.customers |= other.customers;
        }
    }

    fn fourfold(&self, with: &With) -> Fourfold {
        Fourfold {
            dropped_with: with.dropped,
            dropped_without: self.dropped - with.dropped,
            converted_with: with.converted,
            converted_without: self.converted - with.converted,
        }
    }
}

/// Adds up the tallies of all units.
pub(super) struct CorrelatesTotal<'a> {
    correlates: &'a Correlates,
    tally: Tally,
}

impl Total for CorrelatesTotal<'_> {
    fn add(&mut self, part: Box<dyn Any + Send>) {
        if let Ok(more) = part.downcast::<Tally>() {
            self.tally.add(*more);
        }
    }

    fn notes(&self) -> Vec<String> {
        let hidden = self.tally.counts.iter().filter(|with| with.customers.len() < CUSTOMERS_MIN).count();
        match hidden {
            0 => Vec::new(),
            1 => vec![format!("1 value of fewer than {CUSTOMERS_MIN} customers is not shown")],
            _ => vec![format!(
                "{} values of fewer than {CUSTOMERS_MIN} customers are not shown",
                grouped(hidden as u64)
            )],
        }
    }

    fn rows(self: Box<Self>, _wanted: Wanted<'_>, env: &Env) -> Result<RowBatch, QueryLimit> {
        let mut rows: Vec<(Option<f64>, [Cell; 8], &RoaringBitmap)> = Vec::new();
        for (number, with) in self.tally.counts.iter().enumerate() {
            if with.customers.len() < CUSTOMERS_MIN {
                continue;
            }
            let [Cell::Int(place), value] = self.tally.values.get(number) else { continue };
            let attribute = self.correlates.attributes.get(*place as usize);
            let fourfold = self.tally.fourfold(with);
            let count = |number: u64| Cell::Int(number as i64);
            let float = |number: Option<f64>| number.map_or(Cell::Null, Cell::Float);
            let row = [
                Cell::text(attribute.map_or("", |attribute| attribute.name.as_str())),
                text_of(value, env),
                count(fourfold.converted_with),
                count(fourfold.converted_without),
                count(fourfold.dropped_with),
                count(fourfold.dropped_without),
                float(fourfold.phi()),
                float(fourfold.odds_ratio()),
            ];
            rows.push((fourfold.phi().map(f64::abs), row, &with.customers));
        }
        rows.sort_by(|(a, left, _), (b, right, _)| {
            let strength = match (a, b) {
                (Some(a), Some(b)) => b.total_cmp(a),
                (a, b) => a.is_none().cmp(&b.is_none()),
            };
            let names = left.iter().zip(right).take(2).map(|(a, b)| order(a, b, env));
            strength.then_with(|| names.fold(Ordering::Equal, Ordering::then))
        });
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); COLUMNS.len()];
        let mut sets = Vec::with_capacity(rows.len());
        for (_, row, customers) in rows {
            columns.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
            sets.push(customers.clone());
        }
        Ok(RowBatch { len: sets.len(), columns, sets: Sets::Many(sets), members: None })
    }
}

/// A value as text: kinds, channels and topics can be numbers, too.
fn text_of(value: &Cell, env: &Env) -> Cell {
    match value {
        Cell::Int(number) => Cell::text(&number.to_string()),
        Cell::Float(number) => Cell::text(&number.to_string()),
        Cell::Bool(truth) => Cell::text(&truth.to_string()),
        Cell::Time(at) => Cell::text(&crate::time::format_instant(*at)),
        other => other.as_text(env).map_or(Cell::Null, Cell::Str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: [u64; 4], phi: Option<f64>, odds_ratio: Option<f64>) {
        let [dropped_with, dropped_without, converted_with, converted_without] = table;
        let fourfold = Fourfold { dropped_with, dropped_without, converted_with, converted_without };
        assert_eq!(fourfold.phi(), phi, "{table:?}");
        assert_eq!(fourfold.odds_ratio(), odds_ratio, "{table:?}");
    }

    #[test]
    fn association_in_fourfold_tables() {
        // (3 * 2 - 1 * 2) / sqrt(4 * 4 * 5 * 3)
        check([3, 1, 2, 2], Some(4.0 / 240.0_f64.sqrt()), Some(3.0));
        check([4, 0, 0, 4], Some(1.0), None);
        check([0, 4, 4, 0], Some(-1.0), Some(0.0));
        check([2, 2, 2, 2], Some(0.0), Some(1.0));
        // Everybody has it; nobody converted.
        check([3, 0, 2, 0], None, None);
        check([3, 2, 0, 0], None, None);
    }
}
