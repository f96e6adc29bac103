//! The statement that says how far back interactions are kept.

use super::{Parsed, Parser};
use crate::syntax::ast::{Lit, Literal, RetainUnit, Statement};
use crate::syntax::lexer::Kind;

const RETAIN: &str = "write `RETAIN 24 MONTHS`, or `RETAIN FOREVER`";

impl Parser<'_> {
    /// `24 MONTHS` or `FOREVER`, after `RETAIN`.
    pub(super) fn retain(&mut self) -> Parsed<Statement> {
        if self.take_word("FOREVER").is_some() {
            return Ok(Statement::Retain { last: None });
        }
        let value = match self.kind() {
            Kind::Int(n) => match i64::try_from(*n) {
                Ok(n) => Literal::Int(n),
                Err(_) => {
                    let message = format!("the whole number `{n}` is too large");
                    return Err(Self::error("E105", self.span(), message, RETAIN));
                }
            },
            Kind::Param(name) => Literal::Param(name.clone()),
            _ => {
                let mut error = self.expected("a whole number or FOREVER after RETAIN", &["FOREVER"]);
                error.help.get_or_insert_with(|| RETAIN.to_owned());
                return Err(error);
            }
        };
        let amount = Lit { value, span: self.take() };
        let unit = match self.kind() {
            Kind::Word(word) => RetainUnit::parse(word),
            _ => None,
        };
        let Some(unit) = unit else {
            let words = RetainUnit::ALL.map(|(.., many)| many);
            let mut error = self.expected("DAYS, WEEKS, MONTHS or YEARS", &words);
            error.help.get_or_insert_with(|| RETAIN.to_owned());
            return Err(error);
        };
        self.take();
        Ok(Statement::Retain { last: Some((amount, unit)) })
    }
}
