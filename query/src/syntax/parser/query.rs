//! Statements, and the pipe of operators with its recovery from errors.

use super::{Parsed, Parser};
use crate::diagnostics::Diagnostic;
use crate::limits::{QUERY_ERRORS_MAX, QUERY_OPERATORS_MAX};
use crate::syntax::ast::{Op, OpKind, Part, Query, Span, Statement};
use crate::syntax::lexer::Kind;
use crate::syntax::words;

impl Parser<'_> {
    /// The whole text.
    pub(super) fn statement(&mut self) -> Parsed<Statement> {
        if matches!(self.kind(), Kind::End | Kind::Sign(";")) {
            let help = "begin with an operator, for example `CHAINS SAME topic GAP 7d MIN 3`";
            return Err(Self::error("E101", self.span(), "there is no query here", help));
        }
        let statement = if self.take_word("EXPLAIN").is_some() {
            Statement::Explain(self.query(true)?)
        } else if self.take_word("PROFILE").is_some() {
            Statement::Profile(self.query(true)?)
        } else if self.take_words("WHY", "NOT").is_some() {
            self.why_not()?
        } else if self.take_word("ERASE").is_some() {
            self.erase()?
        } else if self.take_word("RETAIN").is_some() {
            self.retain()?
        } else if let Some(links) = self.links()? {
            Statement::Links(links)
        } else if let Some(correction) = self.correction()? {
            Statement::Correction(correction)
        } else {
            Statement::Query(self.query(true)?)
        };
        self.take_sign(";");
        if *self.kind() != Kind::End {
            let mut error = self.expected("the end", &[]);
            if self.last_was_semicolon() {
                error.help = Some("one statement at a time".into());
            }
            return Err(error);
        }
        Ok(statement)
    }

    fn last_was_semicolon(&self) -> bool {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).is_some_and(|t| t.kind == Kind::Sign(";"))
    }

    fn why_not(&mut self) -> Parsed<Statement> {
        self.want_word("CUSTOMER")?;
        let customer = self.text("the identity of a customer", "WHY NOT CUSTOMER 'crm:42' IN (…)")?;
        self.want_word("IN")?;
        let (query, _) = self.bracketed_query()?;
        Ok(Statement::WhyNot { customer, query })
    }

    /// `(query)`, with the place of the brackets.
    pub(super) fn bracketed_query(&mut self) -> Parsed<(Query, Span)> {
        let open = self.want_sign("(")?;
        let query = self.nested(|p| p.query(false))?;
        let close = self.want_close(")", open)?;
        Ok((query, open.to(close)))
    }

    /// Operators joined by `|>`. At the outside an error does not end it: the
    /// next operator is read, so that several errors come in one answer.
    fn query(&mut self, outermost: bool) -> Parsed<Query> {
        let start = self.span();
        let mut ops: Vec<Op> = Vec::new();
        if self.is_word("FROM") {
            match self.source() {
                Ok(true) => {}
                Ok(false) => return Ok(Query { ops, span: start.to(self.last()) }),
                Err(error) => self.recover(error, self.at, outermost)?,
            }
        }
        loop {
            let from = self.at;
            match self.piped_operator(ops.len()) {
                Ok(op) if ops.len() >= QUERY_OPERATORS_MAX => {
                    let message = format!("more than {QUERY_OPERATORS_MAX} operators in one query");
                    return Err(Self::error(
                        "E110",
                        op.keyword,
                        message,
                        "save a cohort on the way, and go on from it",
                    ));
                }
                Ok(op) => {
                    ops.push(op);
                    if *self.kind() != Kind::Pipe {
                        return Ok(Query { ops, span: start.to(self.last()) });
                    }
                    self.take();
                }
                Err(error) => {
                    self.recover(error, from, outermost)?;
                }
            }
        }
    }

    /// `FROM journeys`; whether an operator follows.
    fn source(&mut self) -> Parsed<bool> {
        self.take();
        let name = self.name("`journeys`")?;
        if !name.text.eq_ignore_ascii_case("journeys") {
            let message = format!("a query cannot read from `{}`", super::short(&name.text));
            return Err(Self::error("E111", name.span, message, "write `FROM journeys`, or leave it out"));
        }
        match self.kind() {
            Kind::Pipe => {
                self.take();
                Ok(true)
            }
            Kind::End | Kind::Sign(")" | ";") => Ok(false),
            _ => Err(self.no_pipe(&[])),
        }
    }

    /// An operator, and that `|>` or the end of the query follows it.
    fn piped_operator(&mut self, before: usize) -> Parsed<Op> {
        let start = self.span();
        let first = self.at;
        let kind = self.operator(before)?;
        let op = Op { kind, span: start.to(self.last()), keyword: self.keyword(first) };
        match self.kind() {
            Kind::Pipe | Kind::End | Kind::Sign(";") => Ok(op),
            Kind::Sign(")") if self.level > 0 => Ok(op),
            _ => Err(self.no_pipe(options_of(&op.kind))),
        }
    }

    /// The place of the keyword that begins at a token: one word, or both of `DROPPED AT`.
    fn keyword(&self, first: usize) -> Span {
        let place = |at: usize| self.tokens.get(at).map_or_else(Span::default, |t| t.span);
        let word = |at: usize| match self.tokens.get(at).map(|t| &t.kind) {
            Some(Kind::Word(word)) => *word,
            _ => "",
        };
        let pairs = [
            ("AS", "OF"),
            ("SPLIT", "BY"),
            ("DROPPED", "AT"),
            ("ORDER", "BY"),
            ("SAVE", "COHORT"),
            ("GROUP", "BY"),
        ];
        let two = pairs.iter().any(|(one, other)| {
            word(first).eq_ignore_ascii_case(one) && word(first + 1).eq_ignore_ascii_case(other)
        });
        if two { place(first).to(place(first + 1)) } else { place(first) }
    }

    /// What stands here neither belongs to the operator before it nor is a `|>`.
    fn no_pipe(&self, options: &[&str]) -> Box<Diagnostic> {
        let mut error = self.expected("`|>` or the end of the query", options);
        if error.help.is_none()
            && let Kind::Word(word) = self.kind()
        {
            if words::OPERATORS.iter().any(|o| o.eq_ignore_ascii_case(word)) {
                error.help = Some(format!("write `|> {}`", word.to_ascii_uppercase()));
            } else if let Some(meant) = words::did_you_mean(word, words::OPERATORS) {
                error.help = Some(format!("did you mean `|> {meant}`?"));
            }
        }
        if *self.kind() == Kind::Sign("|") {
            error.help = Some("write `|>` between operators".into());
        }
        error
    }

    /// Notes an error and goes on after the next `|>`; inside brackets, or
    /// where there is none, the error is handed on.
    fn recover(&mut self, error: Box<Diagnostic>, from: usize, outermost: bool) -> Parsed<()> {
        if !outermost || self.errors.len() + 1 >= QUERY_ERRORS_MAX {
            return Err(error);
        }
        let mut depth = 0_i64;
        let mut nested = false;
        let mut fallback = None;
        for at in from..self.tokens.len() {
            match self.tokens.get(at).map(|t| &t.kind) {
                Some(Kind::Sign("(")) => {
                    nested |= matches!(self.tokens.get(at.wrapping_sub(1)).map(|t| &t.kind),
                        Some(Kind::Word(w)) if w.eq_ignore_ascii_case("IN"));
                    depth += 1;
                }
                Some(Kind::Sign(")")) => depth -= 1,
                Some(Kind::Pipe) if at >= self.at && depth == 0 => {
                    fallback = Some(at);
                    break;
                }
                // With a bracket left open, the next `|>` is one of this pipe all the same, unless a subquery is open.
                Some(Kind::Pipe) if at >= self.at && !nested => fallback = fallback.or(Some(at)),
                _ => {}
            }
        }
        let Some(pipe) = fallback else { return Err(error) };
        self.errors.push(*error);
        self.at = pipe + 1;
        self.level = 0;
        Ok(())
    }

    fn operator(&mut self, before: usize) -> Parsed<OpKind> {
        let Kind::Word(word) = *self.kind() else {
            let mut error = self.expected("an operator", &[]);
            match self.kind() {
                Kind::End => {
                    error.help = Some("take the last `|>` away, or write an operator after it".into())
                }
                Kind::Pipe => error.help = Some("take one `|>` away, or write an operator before it".into()),
                Kind::Sign("(") => error.help = Some("a pattern stands after `FUNNEL` or `MATCH`".into()),
                _ => {}
            }
            return Err(error);
        };
        let start = self.span();
        let keyword = word.to_ascii_uppercase();
        match keyword.as_str() {
            "AS" => self.as_of(before),
            "DURING" => self.during_operator(),
            "WHERE" => {
                self.take();
                Ok(OpKind::Where(self.expression()?))
            }
            "FOR" => {
                self.take();
                Ok(OpKind::For(self.customers()?))
            }
            "SPLIT" => self.split(),
            "SESSIONS" => self.sessions(),
            "INTERACTIONS" => Ok(self.alone(OpKind::Interactions)),
            "CHAINS" => Ok(OpKind::Chains(self.chains("CHAINS")?)),
            "FCR" => Ok(OpKind::Fcr(self.chains("FCR")?)),
            "FUNNEL" => self.funnel(),
            "REACHED" => {
                self.take();
                Ok(OpKind::Reached(self.count("REACHED")?))
            }
            "DROPPED" => self.dropped(),
            "CORRELATES" => Ok(self.alone(OpKind::Correlates)),
            "MATCH" => self.matching(),
            "PATHS" => self.paths(),
            "GRAPH" => self.graph(),
            "MAP" => {
                self.take();
                self.want_word("BY")?;
                Ok(OpKind::Map(self.names("an attribute")?))
            }
            "EXTEND" => self.extend(),
            "SELECT" => self.select(),
            "AGGREGATE" => self.aggregate(),
            "ORDER" => self.order_by(),
            "LIMIT" => {
                self.take();
                Ok(OpKind::Limit(self.count("LIMIT")?))
            }
            "DISTINCT" => Ok(self.alone(OpKind::Distinct)),
            "CUSTOMERS" => Ok(self.alone(OpKind::Customers)),
            "SAVE" => {
                self.take();
                self.want_word("COHORT")?;
                Ok(OpKind::SaveCohort(self.name("the cohort's name")?))
            }
            "JOURNEYS" => {
                self.take();
                let part = if self.take_word("BEFORE").is_some() {
                    Part::Before
                } else if self.take_word("AFTER").is_some() {
                    Part::After
                } else {
                    Part::Whole
                };
                Ok(OpKind::Journeys(part))
            }
            "FROM" => {
                Err(Self::error("E111", start, "FROM stands only at the start of a query", "take it away"))
            }
            _ => Err(Self::unknown_operator(word, &keyword, start, before)),
        }
    }

    fn alone(&mut self, kind: OpKind) -> OpKind {
        self.take();
        kind
    }

    fn unknown_operator(word: &str, keyword: &str, span: Span, before: usize) -> Box<Diagnostic> {
        let other = match keyword {
            "STARTED" => {
                Some("STARTED DURING is an option of CHAINS, FUNNEL and MATCH: write it inside them")
            }
            "GROUP" => Some("write `AGGREGATE count(*) GROUP BY …`"),
            "HAVING" => Some("write `|> WHERE …` after the AGGREGATE"),
            "HAS" | "COHORT" | "CUSTOMER" => Some("write `FOR` before it"),
            "WITHIN" | "GAP" | "MIN" | "BY" | "HOLD" | "COUNT" | "TREND" => {
                Some("options belong to the operator before: take the `|>` away")
            }
            "EXPLAIN" | "PROFILE" | "WHY" | "LINK" | "UNLINK" | "LINKS" | "ERASE" | "RETAIN" => {
                Some("it stands only at the start of a statement")
            }
            _ => None,
        };
        let error = Diagnostic::error("E102", span, format!("there is no operator `{}`", super::short(word)));
        let starts = if before == 0 { &words::STATEMENTS[..] } else { &[] };
        let candidates = words::OPERATORS.iter().chain(starts).copied();
        Box::new(match (other, words::did_you_mean(word, candidates)) {
            (Some(help), _) => error.help(help),
            (None, Some(meant)) => error.help(format!("did you mean {meant}?")),
            (None, None) => error,
        })
    }
}

/// Words that may continue an operator, to tell what a misspelt one means.
fn options_of(op: &OpKind) -> &'static [&'static str] {
    match op {
        OpKind::Chains(_) => &["SAME", "GAP", "MIN", "WITHIN", "STARTED"],
        OpKind::Fcr(_) => &["SAME", "GAP", "CLOCK", "STARTED"],
        OpKind::Funnel(_) => &[
            "STRICT",
            "ANY",
            "ON",
            "WITHIN",
            "COUNT",
            "HOLD",
            "ANCHOR",
            "BY",
            "TREND",
            "SIMULTANEOUS",
            "STARTED",
        ],
        OpKind::Match(_) => &["WITHIN", "FIRST", "LAST", "ALL", "EACH", "SIMULTANEOUS", "STARTED"],
        OpKind::Paths(_) => &["DEPTH", "BY", "COLLAPSE", "TOP"],
        OpKind::Graph(_) => &["LOOPS", "CHEAPEST", "DOMINATORS"],
        OpKind::DroppedAt { .. } => &["SILENT", "ELSEWHERE", "OPEN"],
        OpKind::Aggregate { .. } => &["GROUP", "AS"],
        OpKind::Select(_) | OpKind::Extend(_) => &["AS"],
        OpKind::OrderBy(_) => &["ASC", "DESC"],
        OpKind::Journeys(_) => &["BEFORE", "AFTER"],
        OpKind::During(_) => &["TO"],
        _ => &[],
    }
}
