//! From text to tokens with places.

use super::ast::Span;
use super::words;
use crate::diagnostics::Diagnostic;

/// A token with its place.
#[derive(Clone, Debug)]
pub(crate) struct Token<'t> {
    pub kind: Kind<'t>,
    pub span: Span,
}

/// What a token is. Keywords are words: which of them mean something depends on where they stand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind<'t> {
    Word(&'t str),
    Quoted(String),
    Str(String),
    /// Up to 2^63, which only a minus sign before it makes an `i64`.
    Int(u64),
    Float(f64),
    /// Milliseconds.
    Duration(i64),
    Param(String),
    /// `|>`
    Pipe,
    /// `->`
    Arrow,
    /// `-[`
    EdgeOpen,
    /// `]->`
    EdgeClose,
    /// `||`, which is not an operator here
    BarBar,
    /// Every other sign, as it is written.
    Sign(&'static str),
    End,
}

/// Signs of two bytes, then of one; the first that fits is the longest.
const SIGNS: [&str; 23] = [
    "<=", ">=", "<>", "!=", "<", ">", "=", "+", "-", "*", "/", "%", "(", ")", "{", "}", "[", "]", ",", ":",
    ";", ".", "?",
];

/// Tokens of a text, always with an `End` at the end, and what is wrong in it.
pub(crate) struct Lexed<'t> {
    pub tokens: Vec<Token<'t>>,
    pub errors: Vec<Diagnostic>,
    /// Whether the tokens stand for the text well enough to be parsed.
    pub usable: bool,
}

/// Splits a text into tokens.
pub(crate) fn lex(text: &str) -> Lexed<'_> {
    let mut lexer =
        Lexer { text, at: 0, out: Lexed { tokens: Vec::new(), errors: Vec::new(), usable: true } };
    while lexer.out.errors.len() < crate::limits::QUERY_ERRORS_MAX && lexer.step() {}
    let end = Span::new(text.len(), text.len());
    lexer.out.tokens.push(Token { kind: Kind::End, span: end });
    lexer.out
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    out: Lexed<'t>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn push(&mut self, kind: Kind<'t>, bytes: usize) {
        let span = Span::new(self.at, self.at + bytes);
        self.at += bytes;
        self.out.tokens.push(Token { kind, span });
    }

    /// An error over the next `bytes`, which are passed over.
    fn refuse(&mut self, code: &'static str, bytes: usize, message: String, help: &str) {
        let span = Span::new(self.at, self.at + bytes);
        let mut error = Diagnostic::error(code, span, message);
        if !help.is_empty() {
            error = error.help(help);
        }
        self.out.errors.push(error);
        self.out.usable = false;
        self.at += bytes;
    }

    /// One token or stretch of white space; false at the end.
    fn step(&mut self) -> bool {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return false };
        match first {
            c if c.is_whitespace() || c == '\u{feff}' => self.at += c.len_utf8(),
            '\'' | '"' => self.quoted(first),
            '$' => self.param(),
            '0'..='9' => self.number(),
            'A'..='Z' | 'a'..='z' | '_' => self.word(),
            _ if opens_comment(rest) => self.at += rest.find('\n').unwrap_or(rest.len()),
            _ => self.sign(first),
        }
        true
    }

    fn word(&mut self) {
        let rest = self.rest();
        let bytes = name_bytes(rest);
        // A name that runs on in letters beyond ASCII is meant as one name.
        let whole = run_bytes(rest);
        if whole > bytes {
            self.foreign_name(whole);
            return;
        }
        let word = rest.get(..bytes).unwrap_or("");
        self.push(Kind::Word(word), bytes);
    }

    fn foreign_name(&mut self, bytes: usize) {
        let name = self.rest().get(..bytes).unwrap_or("");
        let message = format!("the name `{name}` has letters that only a quoted name may have");
        let help = format!("write `\"{name}\"`, or `'{name}'` if it is a value");
        self.refuse("E104", bytes, message, &help);
    }

    fn param(&mut self) {
        let name = self.rest().get(1..).unwrap_or("");
        let bytes = name_bytes(name);
        if bytes == 0 {
            self.refuse(
                "E104",
                1,
                "a parameter needs a name after `$`".into(),
                "write `$name`; names begin with a letter",
            );
            return;
        }
        let name = name.get(..bytes).unwrap_or("").to_string();
        self.push(Kind::Param(name), bytes + 1);
    }

    /// A string or a quoted name; the quote itself is written twice inside.
    fn quoted(&mut self, quote: char) {
        let body = self.rest().get(1..).unwrap_or("");
        let mut value = String::new();
        let mut chars = body.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c != quote {
                value.push(c);
                continue;
            }
            if chars.next_if(|(_, next)| *next == quote).is_some() {
                value.push(quote);
                continue;
            }
            let bytes = at + 2;
            if quote == '\'' {
                self.push(Kind::Str(value), bytes);
            } else if value.is_empty() {
                self.refuse(
                    "E103",
                    bytes,
                    "a quoted name cannot be empty".into(),
                    "an empty text is written `''`, with single quotes",
                );
            } else {
                self.push(Kind::Quoted(value), bytes);
            }
            return;
        }
        let (what, sign) = if quote == '\'' { ("string", "'") } else { ("quoted name", "\"") };
        // The line where it begins is where the quote was forgotten, most likely.
        let line = self.rest().find('\n').unwrap_or(self.rest().len());
        let span = Span::new(self.at, self.at + self.rest().get(..line).unwrap_or("").trim_end().len());
        self.out.errors.push(
            Diagnostic::error("E103", span, format!("this {what} is never closed")).help(format!(
                "close it with `{sign}`; inside it the quote is written twice: `{sign}{sign}`"
            )),
        );
        self.out.usable = false;
        self.at = self.text.len();
    }

    fn number(&mut self) {
        let rest = self.rest();
        let digits =
            |from: usize| rest.get(from..).unwrap_or("").bytes().take_while(u8::is_ascii_digit).count();
        let mut bytes = digits(0);
        let mut float = false;
        let byte = |at: usize| rest.as_bytes().get(at).copied();
        if byte(bytes) == Some(b'.') && digits(bytes + 1) > 0 {
            bytes += 1 + digits(bytes + 1);
            float = true;
        }
        if matches!(byte(bytes), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(byte(bytes + 1), Some(b'+' | b'-')));
            let exponent = digits(bytes + 1 + sign);
            if exponent > 0 {
                bytes += 1 + sign + exponent;
                float = true;
            }
        }
        let text = rest.get(..bytes).unwrap_or("");
        let whole = bytes + run_bytes(rest.get(bytes..).unwrap_or(""));
        if whole > bytes {
            let unit = rest.get(bytes..whole).unwrap_or("");
            self.duration(text, float, unit);
        } else if float {
            match text.parse::<f64>() {
                Ok(value) if value.is_finite() => self.push(Kind::Float(value), bytes),
                _ => self.refuse("E105", bytes, format!("the number `{text}` is too large"), ""),
            }
        } else {
            match text.parse::<u64>() {
                Ok(value) if value <= 1 << 63 => self.push(Kind::Int(value), bytes),
                _ => self.refuse(
                    "E105",
                    bytes,
                    format!("the whole number `{text}` is too large"),
                    "whole numbers go up to 9223372036854775807; write `1e20` for a decimal number",
                ),
            }
        }
    }

    fn duration(&mut self, number: &str, float: bool, unit: &str) {
        let bytes = number.len() + unit.len();
        let Some(scale) = words::unit_millis(unit) else {
            let month = matches!(
                unit.to_ascii_lowercase().as_str(),
                "mo" | "mon" | "month" | "months" | "y" | "year" | "years"
            );
            let help = if month {
                "months and years differ in length; write days or weeks: `30d`, `52w`"
            } else {
                "durations are written `500ms`, `90s`, `15m`, `24h`, `7d`, `2w`"
            };
            self.refuse("E105", bytes, format!("`{number}{unit}` is neither a number nor a duration"), help);
            return;
        };
        if float {
            self.refuse(
                "E105",
                bytes,
                "a duration is a whole number of its unit".into(),
                "write it in a smaller unit: `90m` for one and a half hours",
            );
            return;
        }
        match number.parse::<i64>().ok().and_then(|n| n.checked_mul(scale)) {
            Some(millis) => self.push(Kind::Duration(millis), bytes),
            None => self.refuse("E105", bytes, format!("the duration `{number}{unit}` is too long"), ""),
        }
    }

    fn sign(&mut self, first: char) {
        let rest = self.rest();
        if rest.starts_with("-->") {
            self.refuse("E108", 3, "`-->` is not an arrow here".into(), "write `->`");
            self.resume(Kind::Arrow);
        } else if rest.starts_with("==") {
            self.refuse("E108", 2, "`==` is not an operator".into(), "write `=`");
            self.resume(Kind::Sign("="));
        } else if rest.starts_with("/*") {
            let bytes = rest.find("*/").map_or(2, |at| at + 2);
            self.refuse(
                "E108",
                bytes,
                "comments are not written `/* … */`".into(),
                "write `-- …`, up to the end of the line",
            );
        } else if rest.starts_with("|>") {
            self.push(Kind::Pipe, 2);
        } else if rest.starts_with("||") {
            self.push(Kind::BarBar, 2);
        } else if rest.starts_with("->") {
            self.push(Kind::Arrow, 2);
        } else if rest.starts_with("-[") {
            self.push(Kind::EdgeOpen, 2);
        } else if rest.starts_with("]->") {
            self.push(Kind::EdgeClose, 3);
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            self.push(Kind::Sign(sign), sign.len());
        } else if first == '|' {
            self.push(Kind::Sign("|"), 1);
        } else if first.is_alphabetic() {
            self.foreign_name(run_bytes(rest));
        } else {
            self.strange(first);
        }
    }

    fn strange(&mut self, first: char) {
        let help = match first {
            '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' | '`' => {
                "write straight quotes: `'value'` or `\"name\"`"
            }
            '\u{2192}' => "write `->`",
            '\u{2264}' => "write `<=`",
            '\u{2265}' => "write `>=`",
            '\u{2260}' | '!' => "write `<>`, or `NOT`",
            '\u{2013}' | '\u{2014}' | '\u{2212}' => "write `-`",
            '&' => "write `AND`",
            '\\' => "a quote inside a string is written twice: `''`",
            _ => "",
        };
        let message = if first.is_control() {
            format!("the control character U+{:04X} has no place in a query", first as u32)
        } else {
            format!("the character `{first}` has no meaning here")
        };
        self.refuse("E104", first.len_utf8(), message, help);
    }

    /// Puts the token that was meant in place of the one just refused.
    fn resume(&mut self, kind: Kind<'t>) {
        let span = self.out.errors.last().and_then(|e| e.labels.first()).map_or_else(Span::default, |l| l.0);
        self.out.tokens.push(Token { kind, span });
        // Everything before was usable, else the flag would have been down already.
        self.out.usable =
            self.out.errors.iter().all(|e| e.code == "E108" && !e.message.starts_with("comments"));
    }
}

/// Whether a comment begins here: `--` before white space or the end.
pub(crate) fn opens_comment(rest: &str) -> bool {
    rest.strip_prefix("--").is_some_and(|after| after.chars().next().is_none_or(char::is_whitespace))
}

/// Bytes of `[A-Za-z_][A-Za-z0-9_]*` at the start.
fn name_bytes(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
    } else {
        0
    }
}

/// Bytes of letters, digits and underscores at the start, of any script.
fn run_bytes(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// Where the statements of a text lie, and whether each is closed by its `;`.
///
/// A `;` inside a string, a quoted name or a comment closes nothing. White
/// space and comments alone are no statement.
pub fn split_statements(text: &str) -> Vec<(Span, bool)> {
    let mut found = Vec::new();
    let mut quote: Option<char> = None;
    let mut comment = false;
    // (start of the first and end of the last sign that counts)
    let mut open: Option<(usize, usize)> = None;
    for (at, c) in text.char_indices() {
        if comment {
            comment = c != '\n';
            continue;
        }
        if quote.is_none() && opens_comment(text.get(at..).unwrap_or("")) {
            comment = true;
            continue;
        }
        if quote.is_none() && c == ';' {
            if let Some((start, _)) = open.take() {
                found.push((Span::new(start, at + 1), true));
            }
            continue;
        }
        if quote.is_none() && c.is_whitespace() {
            continue;
        }
        let start = open.map_or(at, |(start, _)| start);
        open = Some((start, at + c.len_utf8()));
        match quote {
            Some(q) if q == c => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
    }
    if let Some((start, end)) = open {
        found.push((Span::new(start, end), false));
    }
    found
}
