//! RETAIN: how far back interactions are kept.

use throughline_engine::{Db, Retain, RetainUnit};

use super::Run;
use crate::answer::Answer;
use crate::diagnostics::{Diagnostic, Severity};
use crate::error::QueryError;
use crate::plan::params::superfluous;
use crate::rows::{RowColumn, RowSchema, RowType, count_of};
use crate::syntax::ast::{self, Lit, Statement};
use crate::value::Value;

/// Said where interactions were dropped.
const STILL_IN_FILES: &str = "no answer speaks of these interactions any more; the files do until they are written anew: \
                              `throughline vacuum`";

impl Run<'_> {
    /// Keeps what was said and drops the rest. What is found wrong with the graph is found before anything
    /// is written, so that this may be run again after a repair.
    pub(super) fn retain(
        &self,
        db: &Db,
        statement: &Statement,
        last: Option<&(Lit, ast::RetainUnit)>,
    ) -> Result<Answer, QueryError> {
        let snapshot = db.snapshot();
        let mut sink = superfluous(statement, self.params);
        let retain = match last {
            None => Some(Retain::Forever),
            Some((amount, unit)) => count_of(amount, &self.env(&snapshot), &mut sink).and_then(|count| {
                let amount_given = u32::try_from(count).unwrap_or(u32::MAX);
                let retain = Retain::Last { amount: amount_given, unit: of_engine(*unit) };
                match retain.cutoff(0) {
                    Ok(_) => Some(retain),
                    Err(error) => {
                        let wrong = Diagnostic::error("E105", amount.span, error.to_string());
                        sink.push(wrong.label("not so many").help("write for example `RETAIN 24 MONTHS`"));
                        None
                    }
                }
            }),
        };
        let wrong = sink.iter().any(|found| found.severity == Severity::Error);
        let Some(retain) = retain.filter(|_| !wrong) else {
            return Err(QueryError::Query { text: self.text.to_owned(), diagnostics: sink });
        };
        let dropping = db.retain(retain)?;
        let row = vec![
            Value::from(retain.to_string()),
            dropping.cutoff.map_or(Value::Null, Value::Time),
            Value::Int(i64::try_from(dropping.interactions).unwrap_or(i64::MAX)),
        ];
        let answer = Answer::new(schema(), vec![row]).with_warnings(sink);
        Ok(if dropping.interactions > 0 { answer.with_note(STILL_IN_FILES) } else { answer })
    }
}

fn of_engine(unit: ast::RetainUnit) -> RetainUnit {
    match unit {
        ast::RetainUnit::Days => RetainUnit::Days,
        ast::RetainUnit::Weeks => RetainUnit::Weeks,
        ast::RetainUnit::Months => RetainUnit::Months,
        ast::RetainUnit::Years => RetainUnit::Years,
    }
}

fn schema() -> RowSchema {
    let column = |name: &str, ty| RowColumn { name: name.to_owned(), ty };
    let columns =
        vec![column("kept", RowType::Text), column("from", RowType::Time), column("dropped", RowType::Int)];
    RowSchema { columns }
}

#[cfg(test)]
mod tests;
