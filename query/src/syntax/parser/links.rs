//! Statements about which identities belong together.

use super::{Options, Parsed, Parser};
use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{Links, LinksKind, Lit, Literal, Span};
use crate::syntax::lexer::Kind;

const LINK: &str = "LINK 'twitter:@ann' TO 'crm:42'";
const UNLINK: &str = "UNLINK 'phone:1' FROM 'crm:42'";
const LINKS_OF: &str = "LINKS OF CUSTOMER 'crm:42'";

impl Parser<'_> {
    /// The statement about links that begins here, if one does.
    pub(super) fn links(&mut self) -> Parsed<Option<Links>> {
        let start = self.span();
        let kind = if self.take_word("LINK").is_some() {
            self.link()?
        } else if self.take_word("UNLINK").is_some() {
            let one = self.identity(UNLINK)?;
            self.between("FROM", UNLINK)?;
            LinksKind::Unlink { one, other: self.identity(UNLINK)? }
        } else if self.take_word("LINKS").is_some() {
            return self.links_asked(start).map(Some);
        } else {
            return Ok(None);
        };
        Ok(Some(Links { kind, keyword: start }))
    }

    fn link(&mut self) -> Parsed<LinksKind> {
        let one = self.identity(LINK)?;
        self.between("TO", LINK)?;
        let other = self.identity(LINK)?;
        let (mut confidence, mut source) = (None, None);
        let mut options = Options::new("LINK");
        loop {
            if let Some(span) = self.take_word("CONFIDENCE") {
                options.once("CONFIDENCE", span)?;
                confidence = Some(self.confidence()?);
            } else if let Some(span) = self.take_word("SOURCE") {
                options.once("SOURCE", span)?;
                source = Some(self.text("the name of a source", "SOURCE 'web chat'")?);
            } else if matches!(self.kind(), Kind::End | Kind::Sign(";")) {
                return Ok(LinksKind::Link { one, other, confidence, source });
            } else {
                return Err(self.expected(
                    "`CONFIDENCE`, `SOURCE` or the end of the statement",
                    &["CONFIDENCE", "SOURCE"],
                ));
            }
        }
    }

    /// `OF CUSTOMER 'x' [IN (query)]` or `REFUSED [FOR CUSTOMER 'x']`, after `LINKS`.
    fn links_asked(&mut self, start: Span) -> Parsed<Links> {
        if let Some(refused) = self.take_word("REFUSED") {
            let customer = match self.take_word("FOR") {
                Some(_) => {
                    self.want_word("CUSTOMER")?;
                    Some(self.identity("LINKS REFUSED FOR CUSTOMER 'crm:42'")?)
                }
                None => None,
            };
            return Ok(Links { kind: LinksKind::Refused { customer }, keyword: start.to(refused) });
        }
        let Some(of) = self.take_word("OF") else {
            let mut error = self.expected("`OF CUSTOMER` or `REFUSED` after LINKS", &["OF", "REFUSED"]);
            if error.help.is_none() {
                error.help = Some(format!("write `{LINKS_OF}` or `LINKS REFUSED`"));
            }
            return Err(error);
        };
        self.want_word("CUSTOMER")?;
        let customer = self.identity(LINKS_OF)?;
        let query = match self.take_word("IN") {
            Some(_) => Some(self.bracketed_query()?.0),
            None => None,
        };
        Ok(Links { kind: LinksKind::Of { customer, query }, keyword: start.to(of) })
    }

    /// The word between two identities.
    fn between(&mut self, word: &str, example: &str) -> Parsed<()> {
        match self.want_word(word) {
            Ok(_) => Ok(()),
            Err(mut error) => {
                error.help.get_or_insert_with(|| format!("write `{example}`"));
                Err(error)
            }
        }
    }

    fn identity(&mut self, example: &str) -> Parsed<Lit> {
        self.text("an identity", example)
    }

    /// A number from 0 to 1, without 0.
    fn confidence(&mut self) -> Parsed<Lit> {
        let start = self.at;
        let Some(lit) = self.literal_here()? else {
            return Err(self.expected("a number after CONFIDENCE", &[]));
        };
        let certain = match lit.value {
            Literal::Param(_) => return Ok(lit),
            Literal::Int(n) => n == 1,
            Literal::Float(n) => n > 0.0 && n <= 1.0,
            _ => {
                self.at = start;
                return Err(self.expected("a number after CONFIDENCE", &[]));
            }
        };
        if certain {
            return Ok(lit);
        }
        let error = Diagnostic::error("E105", lit.span, "a confidence is more than 0 and at most 1");
        Err(Box::new(error.help("write `CONFIDENCE 0.9` for nine in ten")))
    }
}
