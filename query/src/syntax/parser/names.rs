//! Names, literals, durations and counts.

use super::{Parsed, Parser};
use crate::syntax::ast::{Lit, Literal, Name};
use crate::syntax::lexer::Kind;
use crate::syntax::words;

impl Parser<'_> {
    /// Whether a name stands here.
    pub(super) fn is_name_after(&self, tokens: usize) -> bool {
        match self.kind_after(tokens) {
            Kind::Word(word) => !words::is_reserved(word),
            Kind::Quoted(_) => true,
            _ => false,
        }
    }

    /// A name, quoted or not; `what` says of what.
    pub(super) fn name(&mut self, what: &str) -> Parsed<Name> {
        let text = match self.kind() {
            Kind::Quoted(name) => name.clone(),
            Kind::Word(word) if !words::is_reserved(word) => (*word).to_string(),
            Kind::Word(word) => {
                let message = format!("expected {what}, found the reserved word `{word}`");
                let help = format!("write `\"{word}\"` if it is a name");
                return Err(Self::error("E109", self.span(), message, help));
            }
            Kind::Str(text) => {
                let message = format!("expected {what}, found {}", self.found());
                let help = if words::is_plain_name(text) {
                    format!("write `{text}`; single quotes are for values")
                } else {
                    "names stand without quotes or in double quotes; single quotes are for values".to_string()
                };
                return Err(Self::error("E101", self.span(), message, help));
            }
            Kind::Param(name) => {
                let message = format!("the parameter `${name}` cannot stand for a name");
                let help = "parameters stand for values; write the name itself";
                return Err(Self::error("E101", self.span(), message, help));
            }
            _ => return Err(self.expected(what, &[])),
        };
        let span = self.take();
        Ok(Name { text, span })
    }

    /// `attr, attr, …`
    pub(super) fn names(&mut self, what: &str) -> Parsed<Vec<Name>> {
        let mut names = vec![self.name(what)?];
        while self.take_sign(",").is_some() {
            names.push(self.name(what)?);
        }
        Ok(names)
    }

    /// `attr, attr, …`, in round brackets or not.
    pub(super) fn names_maybe_bracketed(&mut self, what: &str) -> Parsed<Vec<Name>> {
        let Some(open) = self.take_sign("(") else { return self.names(what) };
        let names = self.names(what)?;
        self.want_close(")", open)?;
        Ok(names)
    }

    /// A label: a name, or a text.
    pub(super) fn label(&mut self) -> Parsed<Name> {
        if let Kind::Str(text) = self.kind() {
            let text = text.clone();
            return Ok(Name { text, span: self.take() });
        }
        self.name("a label")
    }

    /// `a|b|…`
    pub(super) fn labels(&mut self) -> Parsed<Vec<Name>> {
        let mut labels = vec![self.label()?];
        loop {
            if self.take_sign("|").is_some() {
                labels.push(self.label()?);
            } else if *self.kind() == Kind::BarBar {
                return Err(Self::error("E108", self.span(), "labels are not joined with `||`", "write `|`"));
            } else if self.is_word("OR") {
                return Err(Self::error("E108", self.span(), "labels are not joined with `OR`", "write `|`"));
            } else {
                return Ok(labels);
            }
        }
    }

    /// Any literal or parameter, if one stands here; a minus sign before a number belongs to it.
    pub(super) fn literal_here(&mut self) -> Parsed<Option<Lit>> {
        let start = self.span();
        let minus = self.is_sign("-")
            && matches!(self.kind_after(1), Kind::Int(_) | Kind::Float(_) | Kind::Duration(_));
        if minus {
            self.take();
        }
        let value = match self.kind() {
            Kind::Str(text) => Literal::Str(text.clone()),
            Kind::Param(name) => Literal::Param(name.clone()),
            Kind::Float(n) => Literal::Float(if minus { -n } else { *n }),
            Kind::Duration(millis) => Literal::Duration(if minus { -millis } else { *millis }),
            Kind::Int(n) => return self.whole_number(*n, minus, start).map(Some),
            Kind::Word(word) if word.eq_ignore_ascii_case("NULL") => Literal::Null,
            Kind::Word(word) if word.eq_ignore_ascii_case("TRUE") => Literal::Bool(true),
            Kind::Word(word) if word.eq_ignore_ascii_case("FALSE") => Literal::Bool(false),
            _ => return Ok(None),
        };
        let span = start.to(self.take());
        Ok(Some(Lit { value, span }))
    }

    /// A whole number, or with a unit after it (`7 DAYS`) a duration.
    fn whole_number(&mut self, n: u64, minus: bool, start: crate::syntax::ast::Span) -> Parsed<Lit> {
        let span = start.to(self.take());
        let value = if minus { 0_i64.checked_sub_unsigned(n) } else { i64::try_from(n).ok() };
        let Some(value) = value else {
            let message = format!("the whole number `{n}` is too large");
            let help = "whole numbers go up to 9223372036854775807";
            return Err(Self::error("E105", span, message, help));
        };
        let unit = match self.kind() {
            Kind::Word(word) => words::unit_word_millis(word),
            _ => None,
        };
        let Some(unit) = unit else { return Ok(Lit { value: Literal::Int(value), span }) };
        let span = span.to(self.take());
        match value.checked_mul(unit) {
            Some(millis) => Ok(Lit { value: Literal::Duration(millis), span }),
            None => Err(Self::error("E105", span, "the duration is too long", "write fewer weeks or days")),
        }
    }

    /// A duration, or a parameter that stands for one; after `word`.
    pub(super) fn duration(&mut self, word: &str) -> Parsed<Lit> {
        let start = self.at;
        if let Some(lit) = self.literal_here()? {
            match &lit.value {
                Literal::Duration(millis) if *millis < 0 => {
                    let message = format!("the duration after {word} is negative");
                    return Err(Self::error("E105", lit.span, message, "take the minus sign away"));
                }
                Literal::Duration(_) | Literal::Param(_) => return Ok(lit),
                Literal::Int(n) => {
                    let message = format!("{word} needs a duration, and `{n}` has no unit");
                    let help = format!("write `{n}d` for days, `{n}h` for hours, `{n}m` for minutes");
                    return Err(Self::error("E105", lit.span, message, help));
                }
                Literal::Str(text) => {
                    let message = format!("{word} needs a duration, not a text");
                    let help = if crate::time::parse_duration(text).is_some() {
                        format!("write `{}` without quotes", text.trim())
                    } else {
                        "write one like `7d`, `24h`, `15m`".to_string()
                    };
                    return Err(Self::error("E105", lit.span, message, help));
                }
                _ => self.at = start,
            }
        }
        let mut error = self.expected(&format!("a duration after {word}"), &[]);
        error.help = error.help.or_else(|| Some("write one like `7d`, `24h`, `15m`".into()));
        Err(error)
    }

    /// A count of at least 0, or a parameter that stands for one; after `word`.
    pub(super) fn count(&mut self, word: &str) -> Parsed<Lit> {
        let start = self.at;
        match self.literal_here()? {
            Some(lit) if matches!(lit.value, Literal::Param(_)) => return Ok(lit),
            Some(lit) if matches!(lit.value, Literal::Int(n) if n >= 0) => return Ok(lit),
            Some(lit) if matches!(lit.value, Literal::Int(_)) => {
                let message = format!("the number after {word} is negative");
                return Err(Self::error("E105", lit.span, message, "take the minus sign away"));
            }
            _ => self.at = start,
        }
        Err(self.expected(&format!("a whole number after {word}"), &[]))
    }

    /// A text or a parameter that stands for one; `what` says for what, `example` how it looks.
    pub(super) fn text(&mut self, what: &str, example: &str) -> Parsed<Lit> {
        let value = match self.kind() {
            Kind::Str(text) => Literal::Str(text.clone()),
            Kind::Param(name) => Literal::Param(name.clone()),
            _ => {
                let mut error = self.expected(what, &[]);
                error.help = Some(format!("write it in single quotes: `{example}`"));
                return Err(error);
            }
        };
        let span = self.take();
        Ok(Lit { value, span })
    }
}
