//! The parser: recursive descent over tokens, one file a concept.
//!
//! Every nested construct passes through [`Parser::nested`], which bounds the
//! stack; chains are read in loops.

mod corrections;
mod customers;
mod erase;
mod expr;
mod funnel;
mod journeys;
mod links;
mod matching;
mod names;
mod pattern;
mod query;
mod retain;
mod rows;

use super::ast::{Expr, ForExpr, Span, Statement};
use super::lexer::{self, Kind, Token};
use crate::diagnostics::Diagnostic;
use crate::limits::{NESTING_LEVELS_MAX, QUERY_ERRORS_MAX, QUERY_TEXT_BYTES_MAX};

type Parsed<T> = Result<T, Box<Diagnostic>>;

/// Reads one statement, with an optional `;` at its end.
///
/// # Errors
/// What is wrong with the text, in order of place; each operator of the pipe
/// reports at most one error.
pub fn parse(text: &str) -> Result<Statement, Vec<Diagnostic>> {
    parse_tokens(text, false, Parser::statement)
}

/// The same tree with empty places, to compare with trees that never were text.
#[cfg(test)]
pub(crate) fn parse_without_places(text: &str) -> Result<Statement, Vec<Diagnostic>> {
    parse_tokens(text, true, Parser::statement)
}

/// A predicate over interactions or rows, alone and with empty places.
///
/// # Errors
/// What is wrong with the text; all places are empty.
pub(crate) fn parse_predicate(text: &str) -> Result<Expr, Vec<Diagnostic>> {
    parse_tokens(text, true, |p| {
        let predicate = p.expression()?;
        p.want_end()?;
        Ok(predicate)
    })
}

/// A predicate over customers, as after `FOR`, with empty places.
///
/// # Errors
/// As [`parse_predicate`].
pub(crate) fn parse_customers(text: &str) -> Result<ForExpr, Vec<Diagnostic>> {
    parse_tokens(text, true, |p| {
        let predicate = p.customers()?;
        p.want_end()?;
        Ok(predicate)
    })
}

fn parse_tokens<'t, T>(
    text: &'t str,
    without_places: bool,
    parse: impl FnOnce(&mut Parser<'t>) -> Parsed<T>,
) -> Result<T, Vec<Diagnostic>> {
    if text.len() > QUERY_TEXT_BYTES_MAX {
        let message = format!("the query is longer than {QUERY_TEXT_BYTES_MAX} bytes");
        return Err(vec![
            Diagnostic::error("E110", Span::default(), message)
                .help("pass long lists as parameters: `IN $list`"),
        ]);
    }
    let mut lexed = lexer::lex(text);
    if !lexed.usable {
        return Err(lexed.errors);
    }
    if without_places {
        lexed.tokens.iter_mut().for_each(|token| token.span = Span::default());
    }
    let mut parser = Parser { tokens: lexed.tokens, at: 0, level: 0, errors: lexed.errors };
    let result = parse(&mut parser);
    let mut errors = parser.errors;
    match result {
        Ok(tree) if errors.is_empty() => return Ok(tree),
        Ok(_) => {}
        Err(error) => errors.push(*error),
    }
    errors.sort_by_key(|e| e.labels.first().map_or(0, |(span, _)| span.start));
    errors.truncate(QUERY_ERRORS_MAX);
    Err(errors)
}

struct Parser<'t> {
    /// Never empty: the last is `End`, and `at` never passes it.
    tokens: Vec<Token<'t>>,
    at: usize,
    /// Levels of nesting around this place.
    level: u32,
    /// What recovery left behind.
    errors: Vec<Diagnostic>,
}

impl<'t> Parser<'t> {
    fn kind(&self) -> &Kind<'t> {
        self.kind_after(0)
    }

    fn kind_after(&self, tokens: usize) -> &Kind<'t> {
        self.tokens.get(self.at + tokens).map_or(&Kind::End, |t| &t.kind)
    }

    /// Place of the token in hand.
    fn span(&self) -> Span {
        self.tokens.get(self.at).map_or_else(Span::default, |t| t.span)
    }

    /// Place of the token just taken.
    fn last(&self) -> Span {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or_else(Span::default, |t| t.span)
    }

    /// Takes the token in hand.
    fn take(&mut self) -> Span {
        let span = self.span();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        span
    }

    fn is_word(&self, word: &str) -> bool {
        self.is_word_after(0, word)
    }

    fn is_word_after(&self, tokens: usize, word: &str) -> bool {
        matches!(self.kind_after(tokens), Kind::Word(w) if w.eq_ignore_ascii_case(word))
    }

    fn is_sign(&self, sign: &str) -> bool {
        self.is_sign_after(0, sign)
    }

    fn is_sign_after(&self, tokens: usize, sign: &str) -> bool {
        matches!(self.kind_after(tokens), Kind::Sign(s) if *s == sign)
    }

    fn take_word(&mut self, word: &str) -> Option<Span> {
        self.is_word(word).then(|| self.take())
    }

    /// Two words in a row, like `ANY ORDER`.
    fn take_words(&mut self, first: &str, second: &str) -> Option<Span> {
        if self.is_word(first) && self.is_word_after(1, second) {
            let span = self.take();
            Some(span.to(self.take()))
        } else {
            None
        }
    }

    fn take_sign(&mut self, sign: &str) -> Option<Span> {
        self.is_sign(sign).then(|| self.take())
    }

    fn want_word(&mut self, word: &str) -> Parsed<Span> {
        self.take_word(word).ok_or_else(|| self.expected(&format!("`{word}`"), &[word]))
    }

    fn want_sign(&mut self, sign: &str) -> Parsed<Span> {
        self.take_sign(sign).ok_or_else(|| self.expected(&format!("`{sign}`"), &[]))
    }

    /// The bracket that closes the one at `open`.
    fn want_close(&mut self, sign: &str, open: Span) -> Parsed<Span> {
        self.take_sign(sign).ok_or_else(|| {
            let mut error = self.expected(&format!("`{sign}`"), &[]);
            error.labels.push((open, "opened here".into()));
            error
        })
    }

    fn want_end(&mut self) -> Parsed<()> {
        if *self.kind() == Kind::End {
            Ok(())
        } else {
            Err(self.expected("the end", &["AND", "OR", "BETWEEN", "LIKE"]))
        }
    }

    /// Runs a parser one level deeper, or refuses.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.level >= NESTING_LEVELS_MAX {
            let message = format!("more than {NESTING_LEVELS_MAX} levels are nested inside one another");
            return Err(Box::new(
                Diagnostic::error("E110", self.span(), message)
                    .help("take brackets, `NOT`s or minus signs away, or split the query with `SAVE COHORT`"),
            ));
        }
        self.level += 1;
        let result = inner(self);
        self.level -= 1;
        result
    }

    /// What stands here, for a message.
    fn found(&self) -> String {
        match self.kind() {
            Kind::Word(word) => format!("`{}`", short(word)),
            Kind::Quoted(name) => format!("`\"{}\"`", short(name)),
            Kind::Str(text) => format!("the text `'{}'`", short(text)),
            Kind::Int(n) => format!("the number `{n}`"),
            Kind::Float(n) => format!("the number `{n}`"),
            Kind::Duration(_) => "a duration".into(),
            Kind::Param(name) => format!("`${}`", short(name)),
            Kind::Pipe => "`|>`".into(),
            Kind::Arrow => "`->`".into(),
            Kind::EdgeOpen => "`-[`".into(),
            Kind::EdgeClose => "`]->`".into(),
            Kind::BarBar => "`||`".into(),
            Kind::Sign(sign) => format!("`{sign}`"),
            Kind::End => "the end".into(),
        }
    }

    /// An error at the token in hand: something else should stand here. `words` are what a misspelt word may mean.
    fn expected(&self, what: &str, words: &[&str]) -> Box<Diagnostic> {
        let error = if *self.kind() == Kind::End {
            Diagnostic::error("E101", self.span(), format!("the query ends where {what} should stand"))
        } else {
            Diagnostic::error("E101", self.span(), format!("expected {what}, found {}", self.found()))
        };
        Box::new(match self.hint(words) {
            Some(help) => error.help(help),
            None => error,
        })
    }

    fn hint(&self, words: &[&str]) -> Option<String> {
        match self.kind() {
            Kind::Word(word) => {
                let meant = super::words::did_you_mean(word, words.iter().copied())?;
                (!meant.eq_ignore_ascii_case(word)).then(|| format!("did you mean {meant}?"))
            }
            Kind::BarBar => {
                Some("texts are not joined with `||`; alternatives are written `a OR b`, labels `a|b`".into())
            }
            _ => None,
        }
    }

    fn error(
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(code, span, message).help(help))
    }
}

/// The beginning of a text, as much as a message can take.
fn short(text: &str) -> String {
    const SIGNS_MAX: usize = 40;
    match text.char_indices().nth(SIGNS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
        None => text.to_string(),
    }
}

/// The options of one operator that were read, each allowed once.
struct Options<'w> {
    operator: &'w str,
    seen: Vec<(&'static str, Span)>,
}

impl<'w> Options<'w> {
    fn new(operator: &'w str) -> Self {
        Self { operator, seen: Vec::new() }
    }

    /// Notes an option, or refuses it if it was there before.
    fn once(&mut self, option: &'static str, span: Span) -> Parsed<()> {
        if let Some((_, first)) = self.seen.iter().find(|(seen, _)| *seen == option) {
            let mut error = Parser::error(
                "E106",
                span,
                format!("{option} is written twice in one {}", self.operator),
                "keep one of the two",
            );
            error.labels = vec![(span, "again here".into()), (*first, "first here".into())];
            return Err(error);
        }
        self.seen.push((option, span));
        Ok(())
    }
}
