//! The language reference speaks of this language: its queries parse, and its
//! table of codes is the one that messages are taken from.

use throughline::diagnostics::CODES;
use throughline_tests::sources::workspace;

fn reference() -> String {
    std::fs::read_to_string(workspace().join("docs/language.md")).expect("docs/language.md")
}

#[test]
fn every_query_of_the_reference_parses() {
    let text = reference();
    let queries: Vec<&str> =
        text.split("```tl").skip(1).filter_map(|rest| rest.split_once('\n')?.1.split("```").next()).collect();
    assert!(queries.len() >= 10, "only {} queries found", queries.len());
    for query in queries {
        if let Err(found) = throughline::parse(query) {
            panic!("{}", throughline::diagnostics::render(&found, query, false));
        }
    }
}

#[test]
fn the_reference_lists_every_code() {
    let text = reference();
    let listed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| line.split(' ').next())
        .filter(|code| {
            let mut letters = code.chars();
            matches!(letters.next(), Some('E' | 'W'))
                && code.len() == 4
                && letters.all(|c| c.is_ascii_digit())
        })
        .collect();
    let known: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
    assert_eq!(listed, known);
}
