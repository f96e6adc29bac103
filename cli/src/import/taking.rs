//! What the readers of formats give rows to.

use std::collections::BTreeSet;

use super::intake::{Intake, Table};
use super::parquet::Values;
use super::record::Record;
use super::rejects::Refusal;
use crate::failure::Outcome;

/// One source on its way in, whatever its rows are.
pub(crate) trait Taking: Sized {
    /// Adds columns, by header, in the order of the source.
    fn add_columns(&mut self, intake: &mut Intake<'_>, headers: &[String]) -> Outcome<()>;

    /// Columns of the source that are read; the others need not be decoded.
    fn wanted(&self) -> BTreeSet<usize>;

    /// Looks at a row of the sample.
    fn sample(&mut self, record: &impl Record);

    /// Makes up its mind, after the sample.
    fn settle(&mut self, intake: &mut Intake<'_>) -> Outcome<()>;

    /// Takes the row that begins at `line`, or refuses it.
    fn take(&mut self, intake: &mut Intake<'_>, line: u64, record: &impl Record) -> Outcome<()>;

    /// Takes the rows of a batch. The first is that of line `line` + 1; `record` gives each.
    fn take_columns<R: Record>(
        &mut self,
        intake: &mut Intake<'_>,
        line: u64,
        _columns: &[Option<Values>],
        rows: usize,
        record: &impl Fn(usize) -> R,
    ) -> Outcome<()> {
        (0..rows).try_for_each(|row| self.take(intake, line + 1 + row as u64, &record(row)))
    }

    /// Refuses a row that could not even be split into fields.
    fn refuse(&self, intake: &mut Intake<'_>, line: u64, refusal: &Refusal, raw: &str) -> Outcome<()>;

    /// Hands on what is left.
    fn finish(self, intake: &mut Intake<'_>) -> Outcome<()>;
}

impl Taking for Table {
    fn add_columns(&mut self, intake: &mut Intake<'_>, headers: &[String]) -> Outcome<()> {
        Table::add_columns(self, intake, headers)
    }

    fn wanted(&self) -> BTreeSet<usize> {
        Table::wanted(self)
    }

    fn sample(&mut self, record: &impl Record) {
        Table::sample(self, record);
    }

    fn settle(&mut self, intake: &mut Intake<'_>) -> Outcome<()> {
        Table::settle(self, intake)
    }

    fn take(&mut self, intake: &mut Intake<'_>, line: u64, record: &impl Record) -> Outcome<()> {
        Table::take(self, intake, line, record)
    }

    fn take_columns<R: Record>(
        &mut self,
        intake: &mut Intake<'_>,
        line: u64,
        columns: &[Option<Values>],
        rows: usize,
        record: &impl Fn(usize) -> R,
    ) -> Outcome<()> {
        Table::take_columns(self, intake, line, columns, rows, record)
    }

    fn refuse(&self, intake: &mut Intake<'_>, line: u64, refusal: &Refusal, raw: &str) -> Outcome<()> {
        Table::refuse(self, intake, line, refusal, raw)
    }

    fn finish(self, intake: &mut Intake<'_>) -> Outcome<()> {
        Table::finish(self, intake)
    }
}
