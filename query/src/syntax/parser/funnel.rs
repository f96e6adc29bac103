//! FUNNEL and what stands directly after it.

use super::{Options, Parsed, Parser};
use crate::syntax::ast::{
    At, Breakdown, Count, Edge, Element, ElementKind, Funnel, OpKind, Outcome, Pattern, Period, Span, Step,
};
use crate::syntax::lexer::Kind;

const OPTIONS: [&str; 11] =
    ["STRICT", "ANY", "ON", "WITHIN", "COUNT", "HOLD", "ANCHOR", "BY", "TREND", "SIMULTANEOUS", "STARTED"];

impl Parser<'_> {
    pub(super) fn funnel(&mut self) -> Parsed<OpKind> {
        let keyword = self.take();
        let mut funnel = Funnel::default();
        let mut options = Options::new("FUNNEL");
        let mut listed = None;
        let mut steps = false;
        loop {
            let span = self.span();
            if self.is_sign("(") || self.is_word("NOT") {
                options.once("the list of steps", span)?;
                (funnel.pattern, listed) = self.steps()?;
                steps = true;
            } else if self.is_word("ON") {
                self.take();
                options.once("the list of steps", span)?;
                let attr = self.name("an attribute")?;
                self.want_sign(":")?;
                funnel.on = Some(attr);
                (funnel.pattern, listed) = self.on_list()?;
                steps = true;
            } else if !self.funnel_option(&mut funnel, &mut options)? {
                break;
            }
        }
        if !steps {
            let mut error = self.expected("the steps of the funnel", &OPTIONS);
            error.code = "E107";
            error.labels.push((keyword, String::new()));
            error.help = error
                .help
                .or_else(|| Some("write them as `(:first) -> (:second)`, or `ON stage: a -> b`".into()));
            return Err(error);
        }
        Self::check_order(&funnel, listed)?;
        Ok(OpKind::Funnel(Box::new(funnel)))
    }

    /// A list of steps goes with ANY ORDER, conditions on arrows do not.
    fn check_order(funnel: &Funnel, listed: Option<Span>) -> Parsed<()> {
        if let (None, Some(comma)) = (funnel.any_order, listed) {
            let help = "write `->` for steps in order, or `FUNNEL ANY ORDER` for steps in any order";
            return Err(Self::error("E111", comma, "steps joined by `,` have no order", help));
        }
        let Some(any_order) = funnel.any_order else { return Ok(()) };
        if let Some(strict) = funnel.strict {
            let mut error = Self::error(
                "E111",
                strict,
                "STRICT and ANY ORDER exclude one another",
                "keep one of the two",
            );
            error.labels.push((any_order, String::new()));
            return Err(error);
        }
        if let Some(edge) = funnel.pattern.edges.iter().find(|e| !e.conditions.is_empty()) {
            let help = "write `,` between the steps, or take ANY ORDER away";
            return Err(Self::error("E111", edge.span, "with ANY ORDER no step comes before another", help));
        }
        Ok(())
    }

    fn funnel_option(&mut self, funnel: &mut Funnel, options: &mut Options<'_>) -> Parsed<bool> {
        let span = self.span();
        let Kind::Word(word) = *self.kind() else { return Ok(false) };
        match word.to_ascii_uppercase().as_str() {
            "STRICT" => {
                options.once("STRICT", span)?;
                funnel.strict = Some(self.take());
            }
            "ANY" => {
                options.once("ANY ORDER", span)?;
                self.take();
                funnel.any_order = Some(span.to(self.want_word("ORDER")?));
            }
            "WITHIN" => {
                options.once("WITHIN", span)?;
                self.take();
                funnel.within = Some(self.duration("WITHIN")?);
            }
            "COUNT" => {
                options.once("COUNT", span)?;
                self.take();
                let count = self.one_of(&[
                    ("CUSTOMERS", Count::Customers),
                    ("ATTEMPTS", Count::Attempts),
                    ("SESSIONS", Count::Sessions),
                ])?;
                funnel.count = Some((count, span.to(self.last())));
            }
            "HOLD" => {
                options.once("HOLD", span)?;
                self.take();
                funnel.hold = Some(self.name("an attribute")?);
            }
            "ANCHOR" => {
                options.once("ANCHOR FIRST", span)?;
                self.take();
                funnel.anchor_first = Some(span.to(self.want_word("FIRST")?));
            }
            "BY" => {
                options.once("BY", span)?;
                funnel.by = Some(self.breakdown()?);
            }
            "TREND" => {
                options.once("TREND BY", span)?;
                self.take();
                self.want_word("BY")?;
                let period =
                    self.one_of(&[("DAY", Period::Day), ("WEEK", Period::Week), ("MONTH", Period::Month)])?;
                funnel.trend = Some((period, span.to(self.last())));
            }
            "SIMULTANEOUS" => {
                options.once("SIMULTANEOUS", span)?;
                self.take();
                let tolerance = self.duration("SIMULTANEOUS")?;
                funnel.simultaneous = Some((tolerance, span.to(self.last())));
            }
            _ => return self.started(options, &mut funnel.started),
        }
        Ok(true)
    }

    /// One of several words, and what it stands for.
    pub(super) fn one_of<T: Copy>(&mut self, choices: &[(&str, T)]) -> Parsed<T> {
        if let Some((_, value)) = choices.iter().find(|(word, _)| self.is_word(word)) {
            self.take();
            return Ok(*value);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let (last, others) = words.split_last().unwrap_or((&"", &[]));
        Err(self.expected(&format!("{} or {last}", others.join(", ")), &words))
    }

    /// `BY attr, … [AT …]`
    fn breakdown(&mut self) -> Parsed<Breakdown> {
        let start = self.take();
        let attrs = self.names("an attribute")?;
        let mut at = At::First;
        if self.take_word("AT").is_some() {
            at = if self.take_word("STEP").is_some() {
                At::Step(self.count("STEP")?)
            } else if self.take_word("FIRST").is_some() {
                At::First
            } else if self.take_word("LAST").is_some() {
                At::Last
            } else if self.take_word("ALL").is_some() {
                At::All
            } else {
                return Err(self.expected("FIRST, LAST, STEP or ALL", &["FIRST", "LAST", "STEP", "ALL"]));
            };
        }
        Ok(Breakdown { attrs, at, span: start.to(self.last()) })
    }

    /// `a -> 'b c' -> d|e` of `ON attr:`; also the first comma, if steps are listed.
    fn on_list(&mut self) -> Parsed<(Pattern, Option<Span>)> {
        let start = self.span();
        let mut pattern = Pattern::default();
        let mut listed = None;
        loop {
            let from = self.span();
            if self.is_sign("(") {
                let help = "after `ON attr:` steps are only labels: `ON stage: awareness -> purchase`";
                return Err(Self::error("E101", from, "expected a label, found `(`", help));
            }
            let labels = self.labels()?;
            let span = from.to(self.last());
            let step = Step { labels, span, ..Step::default() };
            pattern.elements.push(Element { kind: ElementKind::Step(step), quantifier: None, span });
            let edge = self.span();
            match self.kind() {
                Kind::Arrow => {
                    self.take();
                }
                Kind::Sign(",") => {
                    self.take();
                    listed = listed.or(Some(edge));
                }
                Kind::EdgeOpen => {
                    let help =
                        "write the steps in brackets to put conditions between them: `(:a) -[<= 7d]-> (:b)`";
                    return Err(Self::error(
                        "E111",
                        edge,
                        "after `ON attr:` arrows take no conditions",
                        help,
                    ));
                }
                _ => break,
            }
            pattern.edges.push(Edge { conditions: Vec::new(), span: edge });
        }
        pattern.span = start.to(self.last());
        Ok((pattern, listed))
    }

    /// `DROPPED AT n [SILENT | ELSEWHERE | OPEN]`
    pub(super) fn dropped(&mut self) -> Parsed<OpKind> {
        self.take();
        self.want_word("AT")?;
        let step = self.count("DROPPED AT")?;
        let outcome = if self.take_word("SILENT").is_some() {
            Some(Outcome::Silent)
        } else if self.take_word("ELSEWHERE").is_some() {
            Some(Outcome::Elsewhere)
        } else if self.take_word("OPEN").is_some() {
            Some(Outcome::Open)
        } else {
            None
        };
        Ok(OpKind::DroppedAt { step, outcome })
    }
}
