//! The statement that takes a customer out.

use super::{Parsed, Parser};
use crate::syntax::ast::Statement;

const ERASE: &str = "ERASE CUSTOMER 'crm:42'";

impl Parser<'_> {
    /// `CUSTOMER 'x'`, after `ERASE`.
    pub(super) fn erase(&mut self) -> Parsed<Statement> {
        if let Err(mut error) = self.want_word("CUSTOMER") {
            error.help.get_or_insert_with(|| format!("write `{ERASE}`"));
            return Err(error);
        }
        Ok(Statement::Erase { customer: self.text("an identity", ERASE)? })
    }
}
