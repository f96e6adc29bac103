//! AMEND and REDACT: what an interaction should have been.

use throughline_engine::{Corrected, Db, Identity};

use super::Run;
use crate::answer::Answer;
use crate::diagnostics::Diagnostic;
use crate::error::QueryError;
use crate::plan::compile::Planner;
use crate::plan::corrections::{Asked, Told};
use crate::plan::params::superfluous;
use crate::rows::{RowColumn, RowSchema, RowType};
use crate::syntax::ast::{Correction, Statement};
use crate::value::Value;

/// Said of a value that was redacted.
const STILL_IN_FILES: &str =
    "no answer has it any more; the files do until they are written anew: `throughline vacuum`";

impl Run<'_> {
    /// Corrects an interaction; the answer is one row. Where a damaged chunk keeps the store from
    /// finding it nothing has been written yet, so that the statement may be run again.
    pub(super) fn correct(
        &self,
        db: &Db,
        statement: &Statement,
        correction: &Correction,
    ) -> Result<Answer, QueryError> {
        let snapshot = db.snapshot();
        let mut planner = Planner::new(&snapshot, self.params);
        planner.sink.extend(superfluous(statement, self.params));
        let asked = Asked::compile(correction, &mut planner);
        let (Asked { told, event, customer, attributes }, warnings) = self.sound(asked, planner)?;
        self.check()?;
        let redacts = matches!(told, Told::Redact(_));
        let corrections = match told {
            Told::Amend(amendment) => db.amend([amendment])?,
            Told::Redact(redaction) => db.redact([redaction])?,
        };
        let (identity, changed) = match corrections.events.first() {
            Some(Corrected::Changed(identity)) => (*identity, true),
            Some(Corrected::Unchanged(identity)) => (*identity, false),
            Some(Corrected::Unknown) | None => {
                let message = match &customer {
                    None => format!("no interaction has the event id `{event}`"),
                    Some(customer) => format!("no interaction of `{customer}` has the event id `{event}`"),
                };
                let unknown =
                    Diagnostic::error("E423", correction.event.span, message).label("unknown event id");
                let diagnostics = vec![match customer {
                    None => unknown,
                    Some(_) => unknown.help("leave OF CUSTOMER out to search the journeys of all customers"),
                }];
                return Err(QueryError::Query { text: self.text.to_owned(), diagnostics });
            }
        };
        let snapshot = db.snapshot();
        let shown = match snapshot.resolve(&Identity::parse(&snapshot.identity_name(identity)?)?)? {
            Some(customer) => snapshot.customer_name(customer)?.into(),
            None => Value::Null,
        };
        let row = vec![
            Value::from(&*event),
            shown,
            Value::from(attributes.join(", ").as_str()),
            Value::Bool(changed),
        ];
        let column = |(name, ty): (&str, RowType)| RowColumn { name: name.to_owned(), ty };
        let columns = [
            ("event", RowType::Text),
            ("customer", RowType::Customer),
            ("attributes", RowType::Text),
            ("changed", RowType::Bool),
        ];
        let answer = Answer::new(RowSchema { columns: columns.map(column).into() }, vec![row]);
        let answer = if redacts && changed { answer.with_note(STILL_IN_FILES) } else { answer };
        Ok(answer.with_warnings(warnings))
    }
}
