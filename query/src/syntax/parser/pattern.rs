//! Patterns: steps, quantifiers, edges and their conditions.

use super::{Parsed, Parser};
use crate::limits::REPETITIONS_MAX;
use crate::syntax::ast::{Condition, Edge, Element, ElementKind, Lit, Name, Pattern, Quantifier, Span, Step};
use crate::syntax::lexer::Kind;
use crate::syntax::words;

impl Parser<'_> {
    /// `element edge element …`
    pub(super) fn pattern(&mut self) -> Parsed<Pattern> {
        let (pattern, listed) = self.steps()?;
        match listed {
            None => Ok(pattern),
            Some(comma) => Err(Self::error(
                "E111",
                comma,
                "steps joined by `,` have no order",
                "write `->` between them",
            )),
        }
    }

    /// A pattern or a list of steps; in a list the place of its first comma.
    pub(super) fn steps(&mut self) -> Parsed<(Pattern, Option<Span>)> {
        let start = self.span();
        let mut pattern = Pattern::default();
        let mut listed = None;
        loop {
            pattern.elements.push(self.element()?);
            let span = self.span();
            let edge = match self.kind() {
                Kind::Arrow => Edge { conditions: Vec::new(), span: self.take() },
                Kind::EdgeOpen => self.edge()?,
                Kind::Sign(",") => {
                    listed = listed.or(Some(span));
                    Edge { conditions: Vec::new(), span: self.take() }
                }
                Kind::Sign("<") => {
                    let help = "time runs to the right: write `(:first) -> (:second)`";
                    return Err(Self::error("E108", span, "arrows do not point back", help));
                }
                Kind::Sign("-") => {
                    return Err(Self::error("E108", span, "`-` is not an arrow", "write `->`"));
                }
                Kind::Sign("(") => {
                    return Err(Self::error(
                        "E101",
                        span,
                        "nothing joins this step to the one before",
                        "write `->` between them",
                    ));
                }
                _ => break,
            };
            pattern.edges.push(edge);
        }
        pattern.span = start.to(self.last());
        Ok((pattern, listed))
    }

    fn element(&mut self) -> Parsed<Element> {
        let start = self.span();
        let kind = if self.take_word("NOT").is_some() {
            let step = self.step()?;
            if self.take_word("WITHIN").is_none() {
                let mut error = self.expected("`WITHIN` and a duration", &["WITHIN"]);
                error.help = error.help.or_else(|| {
                    Some("absence needs a deadline: `NOT (:b) WITHIN 1h`; between two steps write `-[NO (:b)]->`".into())
                });
                return Err(error);
            }
            ElementKind::Absent { step, within: self.duration("WITHIN")? }
        } else if self.is_sign("(") && self.is_sign_after(1, "(") {
            let open = self.take();
            let mut steps = vec![self.step()?];
            while self.take_sign("|").is_some() {
                steps.push(self.step()?);
            }
            if self.is_sign(")") {
                self.take();
            } else {
                let mut error = self.expected("`|` or `)`", &[]);
                error.labels.push((open, "opened here".into()));
                if matches!(self.kind(), Kind::Arrow | Kind::EdgeOpen) {
                    error.help = Some("a group of steps holds alternatives only: `((:a) | (:b))`".into());
                }
                return Err(error);
            }
            ElementKind::Alternatives(steps)
        } else {
            ElementKind::Step(self.step()?)
        };
        let quantifier = self.quantifier()?;
        if let (ElementKind::Absent { .. }, Some(quantifier)) = (&kind, quantifier) {
            let help = "what must not come is not counted";
            return Err(Self::error("E111", quantifier.span, "an absent step takes no quantifier", help));
        }
        Ok(Element { kind, quantifier, span: start.to(self.last()) })
    }

    /// `(name:label|label {attr: literal} WHERE predicate)`
    pub(super) fn step(&mut self) -> Parsed<Step> {
        let open = match self.take_sign("(") {
            Some(open) => open,
            None => {
                let mut error = self.expected("a step", &[]);
                error.help = Some("steps stand in round brackets: `(:complaint)`".into());
                return Err(error);
            }
        };
        self.nested(|p| p.step_inside(open))
    }

    /// The rest of a step, after its bracket at `open`.
    pub(super) fn step_inside(&mut self, open: Span) -> Parsed<Step> {
        let mut step = Step::default();
        if let Kind::Str(text) = self.kind() {
            let help = match words::is_plain_name(text) {
                true => format!("write `(:{})`", super::short(text)),
                false => format!("write `(:'{}')`", super::short(text)),
            };
            return Err(Self::error("E101", self.span(), "a label stands after a colon", help));
        }
        if self.is_name_after(0) {
            step.name = Some(self.name("a name")?);
        }
        if self.take_sign(":").is_some() {
            step.labels = self.labels()?;
        }
        if let Some(brace) = self.take_sign("{") {
            step.properties = self.properties(brace)?;
        }
        if self.take_word("WHERE").is_some() {
            step.predicate = Some(self.expression()?);
        }
        if !self.is_sign(")") {
            let mut error = self.expected("`)`", &["WHERE"]);
            error.labels.push((open, "the step begins here".into()));
            if self.is_name_after(0) && error.help.is_none() {
                error.help =
                    Some("a predicate stands after WHERE: `(:complaint WHERE sentiment < 0)`".into());
            }
            return Err(error);
        }
        step.span = open.to(self.take());
        Ok(step)
    }

    /// `{attr: literal, …}` after its brace.
    fn properties(&mut self, brace: Span) -> Parsed<Vec<(Name, Lit)>> {
        let mut properties = Vec::new();
        loop {
            let attr = self.name("an attribute")?;
            if self.is_sign("=") {
                return Err(Self::error(
                    "E101",
                    self.span(),
                    "expected `:`, found `=`",
                    "write `{attr: value}`",
                ));
            }
            self.want_sign(":")?;
            let Some(value) = self.literal_here()? else {
                let mut error = self.expected("a value", &[]);
                if let Kind::Word(word) = self.kind() {
                    error.help = Some(format!("write `'{word}'`, or a predicate after WHERE"));
                }
                return Err(error);
            };
            properties.push((attr, value));
            if self.take_sign(",").is_none() {
                self.want_close("}", brace)?;
                return Ok(properties);
            }
        }
    }

    fn quantifier(&mut self) -> Parsed<Option<Quantifier>> {
        let start = self.span();
        let (min, max) = if self.take_sign("?").is_some() {
            (0, Some(1))
        } else if self.take_sign("+").is_some() {
            (1, None)
        } else if self.take_sign("*").is_some() {
            (0, None)
        } else if self.take_sign("{").is_some() {
            let min = self.repetitions()?;
            let max = if self.take_sign(",").is_none() {
                Some(min)
            } else if self.is_sign("}") {
                None
            } else {
                Some(self.repetitions()?)
            };
            self.want_close("}", start)?;
            (min, max)
        } else {
            return Ok(None);
        };
        let span = start.to(self.last());
        if max.is_some_and(|max| max < min || max == 0) {
            let help = "write the least number first: `{2,5}`";
            return Err(Self::error("E105", span, "no number of repetitions fits this quantifier", help));
        }
        Ok(Some(Quantifier { min, max, span }))
    }

    fn repetitions(&mut self) -> Parsed<u32> {
        let Kind::Int(n) = *self.kind() else {
            let mut error = self.expected("a number of repetitions", &[]);
            if matches!(self.kind(), Kind::Word(_) | Kind::Quoted(_)) {
                error.help = Some("after the bracket `{` counts repetitions; properties stand inside: `(:a {channel: 'x'})`".into());
            }
            return Err(error);
        };
        let span = self.take();
        u32::try_from(n).ok().filter(|n| *n <= REPETITIONS_MAX).ok_or_else(|| {
            let message = format!("more than {REPETITIONS_MAX} repetitions");
            Self::error("E110", span, message, "leave the bound open: `{3,}`")
        })
    }

    /// `-[condition, …]->`
    fn edge(&mut self) -> Parsed<Edge> {
        let start = self.take();
        let mut conditions = Vec::new();
        loop {
            conditions.push(self.condition()?);
            if self.take_sign(",").is_some() {
                continue;
            }
            if *self.kind() == Kind::EdgeClose {
                let span = start.to(self.take());
                return Ok(Edge { conditions, span });
            }
            let mut error = self.expected("`,` or `]->`", &[]);
            if self.is_sign("]") {
                error.help = Some("an arrow ends in `]->`, without a space".into());
            } else if matches!(self.kind(), Kind::Word(w) if w.eq_ignore_ascii_case("AND")) {
                error.help = Some("conditions are joined by `,`".into());
            }
            error.labels.push((start, "the arrow begins here".into()));
            return Err(error);
        }
    }

    fn condition(&mut self) -> Parsed<Condition> {
        let start = self.span();
        if self.take_word("NEXT").is_some() {
            return Ok(Condition::Next(start));
        }
        if self.take_sign("<=").is_some() {
            return Ok(Condition::AtMost(self.duration("`<=`")?));
        }
        if self.take_sign(">=").is_some() {
            return Ok(Condition::AtLeast(self.duration("`>=`")?));
        }
        if self.take_word("SAME").is_some() {
            // Without brackets one attribute: a comma begins the next condition.
            let attrs = match self.is_sign("(") {
                true => self.names_maybe_bracketed("an attribute")?,
                false => vec![self.name("an attribute")?],
            };
            return Ok(Condition::Same(attrs, start.to(self.last())));
        }
        if self.take_word("NO").is_some() {
            let step = Box::new(self.step()?);
            return Ok(Condition::No(step, start.to(self.last())));
        }
        let mut error = self.expected("NEXT, `<=`, `>=`, SAME or NO", &["NEXT", "SAME", "NO"]);
        let help = match self.kind() {
            Kind::Sign("<" | ">") => "bounds are inclusive: write `<=` or `>=`",
            Kind::Duration(_) => "write `<=` or `>=` before the duration",
            Kind::Word(word) if word.eq_ignore_ascii_case("NOT") => {
                "write `NO (:label)`: nothing matching it lies between"
            }
            Kind::EdgeClose => "an arrow without conditions is written `->`",
            _ => "",
        };
        if !help.is_empty() {
            error.help = Some(help.into());
        }
        Err(error)
    }
}
