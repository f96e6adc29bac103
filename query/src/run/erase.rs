//! ERASE CUSTOMER: a customer is taken out of every answer.

use throughline_engine::{Db, Identity};

use super::Run;
use crate::answer::Answer;
use crate::diagnostics::{Diagnostic, Severity};
use crate::error::QueryError;
use crate::plan::params::superfluous;
use crate::rows::{RowColumn, RowSchema, RowType, text_of};
use crate::syntax::ast::{Lit, Statement};
use crate::value::Value;

/// Said of a customer who was erased.
const STILL_IN_FILES: &str = "no answer speaks of this customer any more; the files do until they are written anew: \
                              `throughline vacuum`";

impl Run<'_> {
    /// Erases the customer that goes by an identity. What is found wrong with the graph is found before
    /// anything is written, so that this may be run again after a repair.
    pub(super) fn erase(&self, db: &Db, statement: &Statement, customer: &Lit) -> Result<Answer, QueryError> {
        let mut sink = superfluous(statement, self.params);
        let name = text_of(customer, &self.env(&db.snapshot()), &mut sink);
        let identity = name.as_deref().and_then(|name| match Identity::parse(name) {
            Ok(identity) => Some(identity),
            Err(error) => {
                let wrong = Diagnostic::error("E412", customer.span, error.to_string());
                sink.push(wrong.label("not an identity"));
                None
            }
        });
        let wrong = sink.iter().any(|found| found.severity == Severity::Error);
        let Some(identity) = identity.filter(|_| !wrong) else {
            return Err(QueryError::Query { text: self.text.to_owned(), diagnostics: sink });
        };
        let erasure = db.erase(&identity)?;
        let count = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let row =
            vec![Value::from(identity.as_str()), count(erasure.identities), count(erasure.interactions)];
        let answer = Answer::new(schema(), vec![row]);
        if erasure.identities > 0 {
            return Ok(answer.with_warnings(sink).with_note(STILL_IN_FILES));
        }
        sink.push(
            Diagnostic::warning(
                "W502",
                customer.span,
                format!("no customer goes by `{}`", identity.as_str()),
            )
            .label("unknown identity")
            .help("nobody was erased: the store does not know the identity, or not any more"),
        );
        Ok(answer.with_warnings(sink))
    }
}

fn schema() -> RowSchema {
    let column = |name: &str, ty| RowColumn { name: name.to_owned(), ty };
    let columns = vec![
        column("customer", RowType::Text),
        column("identities", RowType::Int),
        column("interactions", RowType::Int),
    ];
    RowSchema { columns }
}

#[cfg(test)]
mod tests;
