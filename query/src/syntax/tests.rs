//! Checks over the corpus and over generated text.

use std::fmt::Write;

use proptest::prelude::*;

use super::ast::Statement;
use super::corpus::QUERIES;
use super::parser::parse_without_places;
use super::{format, parse, split_statements};
use crate::diagnostics::render;

#[track_caller]
fn tree(text: &str) -> Statement {
    parse_without_places(text).unwrap_or_else(|errors| panic!("{text}\n{}", render(&errors, text, false)))
}

#[test]
fn every_query_of_the_corpus_survives_formatting() {
    for query in QUERIES {
        let first = tree(query);
        let text = format(&first);
        assert_eq!(tree(&text), first, "{query}\n{text}");
        assert_eq!(format(&tree(&text)), text, "{query}");
    }
}

#[test]
fn places_lie_in_the_text() {
    for query in QUERIES {
        let Ok(Statement::Query(parsed)) = parse(query) else { continue };
        for op in &parsed.ops {
            let text = |start: u32, end: u32| query.get(start as usize..end as usize).expect("in the text");
            let keyword = text(op.keyword.start, op.keyword.end).to_ascii_uppercase();
            let canonical = super::format_operator(op);
            assert!(canonical.starts_with(&keyword), "{keyword}: {canonical}");
            let alone = text(op.span.start, op.span.end);
            if !canonical.starts_with("AS OF") {
                assert_eq!(tree(alone), tree(&canonical), "{alone}");
            }
        }
    }
}

/// No deeper than the stack of a thread, whatever the text.
#[test]
fn deep_nesting_is_refused() {
    let many = 100_000;
    for text in [
        format!("WHERE {}", "(".repeat(many)),
        format!("WHERE {}x", "NOT ".repeat(many)),
        format!("WHERE {}x", "- ".repeat(many)),
        format!("WHERE x{}", " + 1".repeat(many)),
        format!("WHERE x{}", "[1]".repeat(many)),
        format!("WHERE x{}", "[x".repeat(many)),
        format!("WHERE {}", "f(".repeat(many)),
        format!("WHERE {}", "CASE WHEN ".repeat(many)),
        format!("FOR {}", "(".repeat(many)),
        format!("FOR {}HAS ()", "NOT ".repeat(many)),
        format!("FOR {}", "IN (FOR ".repeat(many)),
        format!("FOR {}", "HAS (x = ".repeat(many)),
    ] {
        let errors = parse(&text).expect_err("too deep");
        assert!(errors.iter().any(|e| e.code == "E110"), "{:.40} {errors:?}", text);
        let _ = render(&errors, &text, false);
    }
}

#[test]
fn long_chains_are_shallow() {
    for word in ["AND", "OR"] {
        for start in ["WHERE", "FOR", "FOR HAS (:x) AND"] {
            let mut text = format!("{start} x = 0");
            for n in 0..20_000 {
                let _ = write!(text, " {word} x = {n}");
            }
            let parsed = tree(&text);
            assert_eq!(tree(&format(&parsed)), parsed);
            assert_eq!(parsed.clone(), parsed);
        }
    }
}

#[test]
fn operators_up_to_the_limit() {
    let limits = |n: usize| format!("INTERACTIONS{}", " |> LIMIT 1".repeat(n - 1));
    let limit = crate::limits::QUERY_OPERATORS_MAX;
    assert!(parse(&limits(limit - 1)).is_ok());
    assert!(parse(&limits(limit)).is_ok());
    let errors = parse(&limits(limit + 1)).expect_err("too many");
    assert!(errors.iter().any(|error| error.code == "E110"), "{errors:?}");
}

#[test]
fn nesting_up_to_the_limit() {
    let brackets = |n: usize| format!("WHERE {}x{}", "(".repeat(n), ")".repeat(n));
    // The expression itself is the first level.
    let limit = crate::limits::NESTING_LEVELS_MAX as usize - 1;
    assert!(parse(&brackets(limit - 1)).is_ok());
    assert!(parse(&brackets(limit)).is_ok());
    assert!(parse(&brackets(limit + 1)).is_err());
    let sum = |n: usize| format!("WHERE x{}", " + x".repeat(n));
    let limit = crate::limits::EXPRESSION_LEVELS_MAX as usize - 1;
    assert!(parse(&sum(limit - 1)).is_ok());
    assert!(parse(&sum(limit)).is_ok());
    assert!(parse(&sum(limit + 1)).is_err());
    let long = |n: usize| format!("LIMIT 1{}", " ".repeat(n - 7));
    let limit = crate::limits::QUERY_TEXT_BYTES_MAX;
    assert!(parse(&long(limit)).is_ok());
    assert!(parse(&long(limit + 1)).is_err());
}

#[test]
fn statements_are_split_outside_quotes_and_comments() {
    let text = "LIMIT 1; WHERE a = 'x;''y' -- no; end\n AND \";\" = 1 ;; -- c;\n  LIMIT 2 ";
    let found: Vec<(&str, bool)> = split_statements(text)
        .into_iter()
        .map(|(span, complete)| {
            (text.get(span.start as usize..span.end as usize).expect("in the text"), complete)
        })
        .collect();
    let second = "WHERE a = 'x;''y' -- no; end\n AND \";\" = 1 ;";
    assert_eq!(found, [("LIMIT 1;", true), (second, true), ("LIMIT 2", false)]);
    assert_eq!(split_statements("WHERE a = 'x; ").len(), 1);
    assert!(split_statements("  -- nothing\n ").is_empty());
}

/// Words that make up most of the grammar, to be thrown together.
const SOUP: &[&str] = &[
    "FROM",
    "journeys",
    "|>",
    "WHERE",
    "FOR",
    "CHAINS",
    "SAME",
    "topic",
    "GAP",
    "7d",
    "MIN",
    "3",
    "FUNNEL",
    "(",
    ")",
    ":",
    "a",
    "->",
    "-[",
    "]->",
    "NO",
    "NOT",
    "WITHIN",
    "HAS",
    "IN",
    "{",
    "}",
    ",",
    "=",
    "<",
    "'x'",
    "\"q\"",
    "$p",
    "AND",
    "OR",
    "CASE",
    "WHEN",
    "THEN",
    "END",
    "AGGREGATE",
    "count",
    "*",
    "DISTINCT",
    "GROUP",
    "BY",
    "AS",
    "ORDER",
    "LIMIT",
    "-",
    "+",
    "[",
    "]",
    "1",
    "0.5",
    ";",
    ".",
    "|",
    "MATCH",
    "ON",
    "STARTED",
    "DURING",
    "LAST",
    "TO",
    "BETWEEN",
    "IS",
    "NULL",
    "EXPLAIN",
    "||",
    "?",
    "AT",
    "STEP",
    "WHY",
    "LINK",
    "UNLINK",
    "ERASE",
    "RETAIN",
    "MONTHS",
    "FOREVER",
    "LINKS",
    "OF",
    "REFUSED",
    "CONFIDENCE",
    "SOURCE",
    "CUSTOMER",
    "DAYS",
    "PATHS",
    "GRAPH",
    "--",
    "\n",
    "é",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.is_empty());
            let _ = render(&errors, &text, false);
        }
        let _ = split_statements(&text);
    }

    #[test]
    fn no_soup_of_words_panics(words in prop::collection::vec(prop::sample::select(SOUP), 0..40)) {
        let text = words.join(" ");
        match parse(&text) {
            Ok(_) => {
                let parsed = tree(&text);
                prop_assert_eq!(tree(&format(&parsed)), parsed);
            }
            Err(errors) => {
                let _ = render(&errors, &text, true);
            }
        }
    }

    /// Corpus queries with a word taken out, doubled or exchanged: near misses go deeper than soup.
    #[test]
    fn no_near_miss_panics(
        query in prop::sample::select(QUERIES),
        at in any::<prop::sample::Index>(),
        word in prop::sample::select(SOUP),
        change in 0..3,
    ) {
        let mut words: Vec<&str> = query.split(' ').collect();
        let at = at.index(words.len());
        match change {
            0 => { words.remove(at); }
            1 => words.insert(at, word),
            _ => { words.splice(at..=at, [word]); }
        }
        let text = words.join(" ");
        match parse_without_places(&text) {
            Ok(parsed) => prop_assert_eq!(tree(&format(&parsed)), parsed),
            Err(errors) => { let _ = render(&errors, &text, false); }
        }
    }
}
