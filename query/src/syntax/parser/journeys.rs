//! AS OF, DURING, SPLIT, SESSIONS, CHAINS and FCR.

use super::{Options, Parsed, Parser};
use crate::syntax::ast::{Chains, Clock, During, OpKind, Span};

impl Parser<'_> {
    pub(super) fn as_of(&mut self, before: usize) -> Parsed<OpKind> {
        let span = self.take();
        let span = span.to(self.want_word("OF")?);
        if before > 0 {
            return Err(Self::error(
                "E111",
                span,
                "AS OF must come first",
                "write it before every other operator: what was known decides what they see",
            ));
        }
        Ok(OpKind::AsOf(self.text("an instant", "AS OF '2026-01-31'")?))
    }

    pub(super) fn during_operator(&mut self) -> Parsed<OpKind> {
        self.take();
        Ok(OpKind::During(self.during()?))
    }

    /// What stands after `DURING`.
    pub(super) fn during(&mut self) -> Parsed<During> {
        if self.take_word("LAST").is_some() {
            return Ok(During::Last(self.duration("LAST")?));
        }
        let from = self.text("an instant, a span of time or LAST", "DURING '2026-Q1'")?;
        if self.take_word("TO").is_none() {
            return Ok(During::Span(from));
        }
        let to = self.text("an instant", "DURING '2026-01-01' TO '2026-04-01'")?;
        Ok(During::Between(from, to))
    }

    /// `STARTED DURING …`, if it stands here.
    pub(super) fn started(&mut self, options: &mut Options<'_>, slot: &mut Option<During>) -> Parsed<bool> {
        let Some(span) = self.take_word("STARTED") else { return Ok(false) };
        options.once("STARTED DURING", span)?;
        self.want_word("DURING")?;
        *slot = Some(self.during()?);
        Ok(true)
    }

    pub(super) fn split(&mut self) -> Parsed<OpKind> {
        self.take();
        self.want_word("BY")?;
        Ok(OpKind::Split(self.names("an attribute")?))
    }

    pub(super) fn sessions(&mut self) -> Parsed<OpKind> {
        self.take();
        self.want_word("GAP")?;
        Ok(OpKind::Sessions { gap: self.duration("GAP")? })
    }

    /// What stands after `CLOCK`, the place of which is `keyword`.
    fn clock(&mut self, keyword: Span) -> Parsed<(Clock, Span)> {
        for (word, clock) in [("CONTACT", Clock::Contact), ("RESOLUTION", Clock::Resolution)] {
            if let Some(span) = self.take_word(word) {
                return Ok((clock, keyword.to(span)));
            }
        }
        let help = "`CLOCK resolution` counts the gap from the last contact marked resolved";
        Err(Self::error("E107", self.span(), "CLOCK takes `contact` or `resolution`", help))
    }

    /// `CHAINS` or `FCR`.
    pub(super) fn chains(&mut self, operator: &str) -> Parsed<Chains> {
        let keyword = self.take();
        let mut chains = Chains::default();
        let mut options = Options::new(operator);
        loop {
            let span = self.span();
            if self.take_word("SAME").is_some() {
                options.once("SAME", span)?;
                chains.same = self.names_maybe_bracketed("an attribute")?;
            } else if self.take_word("GAP").is_some() {
                options.once("GAP", span)?;
                chains.gap = Some(self.duration("GAP")?);
            } else if self.take_word("CLOCK").is_some() {
                if operator != "FCR" {
                    let help = "write FCR, or leave it out: chains go from contact to contact";
                    return Err(Self::error("E107", span, "CLOCK belongs to FCR", help));
                }
                options.once("CLOCK", span)?;
                chains.clock = Some(self.clock(span)?);
            } else if operator == "FCR" && (self.is_word("MIN") || self.is_word("WITHIN")) {
                let help = "FCR is about chains of any length; write CHAINS to choose among them";
                return Err(Self::error(
                    "E107",
                    span,
                    "FCR takes only SAME, GAP, CLOCK and STARTED DURING",
                    help,
                ));
            } else if self.take_word("MIN").is_some() {
                options.once("MIN", span)?;
                chains.min = Some(self.count("MIN")?);
            } else if self.take_word("WITHIN").is_some() {
                options.once("WITHIN", span)?;
                chains.within = Some(self.duration("WITHIN")?);
            } else if !self.started(&mut options, &mut chains.started)? {
                break;
            }
        }
        // A misspelt option is reported as such, not as one that is missing.
        let at_end = self.hint(&["SAME", "GAP", "MIN", "WITHIN", "CLOCK", "STARTED"]).is_none();
        if chains.gap.is_none() && at_end {
            let message = format!("{operator} needs a GAP: the longest pause within a chain");
            let help = format!(
                "write for example `{operator} SAME topic GAP 7d{}`",
                if operator == "FCR" { "" } else { " MIN 3" }
            );
            return Err(Self::error("E107", keyword, message, help));
        }
        if chains.min.is_none() && operator == "CHAINS" && at_end {
            let message = "CHAINS needs a MIN: the fewest contacts that make a chain";
            return Err(Self::error("E107", keyword, message, "write for example `MIN 3`"));
        }
        Ok(chains)
    }
}
