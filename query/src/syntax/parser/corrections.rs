//! Statements about what an interaction should have been.

use super::{Parsed, Parser};
use crate::syntax::ast::{Correction, CorrectionKind, Lit, Name};

const AMEND: &str = "AMEND EVENT 'e-17' SET topic = 'billing'";
const REDACT: &str = "REDACT EVENT 'e-17' text";

impl Parser<'_> {
    /// The correction that begins here, if one does.
    pub(super) fn correction(&mut self) -> Parsed<Option<Correction>> {
        let amends = self.take_word("AMEND").is_some();
        if !amends && self.take_word("REDACT").is_none() {
            return Ok(None);
        }
        let example = if amends { AMEND } else { REDACT };
        self.corrected("EVENT", example)?;
        let event = self.text("the event id of an interaction", example)?;
        let customer = match self.take_word("OF") {
            Some(_) => {
                self.want_word("CUSTOMER")?;
                Some(self.text("the identity of a customer", "OF CUSTOMER 'crm:42'")?)
            }
            None => None,
        };
        let kind = if amends {
            self.corrected("SET", example)?;
            CorrectionKind::Amend(self.amended()?)
        } else {
            let mut names: Vec<Name> = Vec::new();
            for name in self.names("an attribute")? {
                Self::once(names.iter(), &name)?;
                names.push(name);
            }
            CorrectionKind::Redact(names)
        };
        Ok(Some(Correction { kind, event, customer }))
    }

    /// `topic = 'billing', resolved = TRUE`
    fn amended(&mut self) -> Parsed<Vec<(Name, Lit)>> {
        let mut values: Vec<(Name, Lit)> = Vec::new();
        loop {
            let name = self.name("an attribute")?;
            Self::once(values.iter().map(|(name, _)| name), &name)?;
            self.want_sign("=")?;
            let Some(value) = self.literal_here()? else {
                return Err(self.expected("a value", &["NULL", "TRUE", "FALSE"]));
            };
            values.push((name, value));
            if self.take_sign(",").is_none() {
                return Ok(values);
            }
        }
    }

    /// Refuses an attribute that was named before.
    fn once<'n>(mut before: impl Iterator<Item = &'n Name>, name: &Name) -> Parsed<()> {
        let Some(first) = before.find(|first| first.text.eq_ignore_ascii_case(&name.text)) else {
            return Ok(());
        };
        let message = format!("`{}` is named twice", name.text);
        let mut error = Self::error("E106", name.span, message, "keep one of the two");
        error.labels = vec![(name.span, "again here".into()), (first.span, "first here".into())];
        Err(error)
    }

    /// A word that belongs in this place, with an example where it is not there.
    fn corrected(&mut self, word: &str, example: &str) -> Parsed<()> {
        match self.want_word(word) {
            Ok(_) => Ok(()),
            Err(mut error) => {
                error.help.get_or_insert_with(|| format!("write `{example}`"));
                Err(error)
            }
        }
    }
}
