//! BY and TREND BY: attempts labelled after they are matched (language rule 9).

use throughline_engine::Attribute;

use super::super::cells::attr_cell;
use super::super::interaction::symbols_of;
use super::attempts::Attempt;
use crate::rows::{Cell, Env, RowType, row_type};
use crate::syntax::ast::{Name, Period};
use crate::time::{Unit, trunc};

/// What attempts are grouped by; by nothing where it is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Breakdown {
    /// The attributes, and their names as written.
    pub by: Vec<(Attribute, Name)>,
    pub at: At,
    pub trend: Option<Period>,
}

/// Where the values of a breakdown are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum At {
    /// At the first interaction of the attempt.
    #[default]
    First,
    /// At the first interaction of this step of the matcher, the last one, where the attempt is complete.
    Last(usize),
    /// At the first interaction of this step of the matcher.
    Step(usize),
    /// Journeys are cut by the values before anything is matched.
    All,
}

impl Breakdown {
    pub(super) fn is_empty(&self) -> bool {
        self.by.is_empty() && self.trend.is_none()
    }

    /// Its columns: name, type and symbols.
    pub(super) fn columns(&self) -> Vec<(String, RowType, Option<throughline_engine::AttrId>)> {
        let by = self
            .by
            .iter()
            .map(|(attribute, _)| (attribute.name.clone(), row_type(attribute.ty), symbols_of(attribute)));
        let trend = self.trend.map(|period| (period_name(period).to_owned(), RowType::Time, None));
        by.chain(trend).collect()
    }

    /// The values of an attempt, in the order of the columns.
    pub(super) fn values(&self, attempt: &Attempt<'_>, env: &Env, values: &mut Vec<Cell>) {
        values.clear();
        let first_of = |step: usize| attempt.found.rows.iter().find(|row| row.1 as usize == step);
        let row = match self.at {
            At::First | At::All => attempt.found.rows.first(),
            At::Last(step) => first_of(step).filter(|_| attempt.found.complete),
            At::Step(step) => first_of(step),
        };
        let row = row.map(|&(row, _)| attempt.view.row(row));
        values.extend(self.by.iter().map(|(attribute, _)| match row {
            Some(row) => {
                let cell = attr_cell(attempt.view.flow().block(), attribute.id, row, env);
                cell.canonical(symbols_of(attribute).is_some(), env)
            }
            None => Cell::Null,
        }));
        if let Some(period) = self.trend {
            values.push(trunc(attempt.started(), unit(period)).map_or(Cell::Null, Cell::Time));
        }
    }

    /// What EXPLAIN says of it.
    pub(super) fn explain(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let columns = self.columns();
        let names: Vec<&str> = columns.iter().map(|(name, ..)| name.as_str()).collect();
        let at = match self.at {
            _ if self.by.is_empty() => "",
            At::First => " at the first step",
            At::Last(_) => " at the last step",
            At::Step(_) => " at one step",
            At::All => ", each value matched alone",
        };
        Some(format!("by {}{at}", names.join(", ")))
    }
}

/// The name of the column of a trend.
pub(super) fn period_name(period: Period) -> &'static str {
    match period {
        Period::Day => "day",
        Period::Week => "week",
        Period::Month => "month",
    }
}

fn unit(period: Period) -> Unit {
    match period {
        Period::Day => Unit::Day,
        Period::Week => Unit::Week,
        Period::Month => Unit::Month,
    }
}
