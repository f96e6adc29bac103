//! Text that is nearly a query: it fails with a code of the table and a place
//! inside the text, soon, and without exhausting the stack.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use throughline::diagnostics::CODES;
use throughline::limits::{NESTING_LEVELS_MAX, QUERY_TEXT_BYTES_MAX};
use throughline::{Params, QueryError, QueryOptions};
use throughline_tests::store::Store;

use super::operators::Written;
use super::tape::Tape;
use super::valid::{Drawn, draw, furnish};
use crate::differential::compare::{count_one, run_share};
use crate::differential::history::{Size, history};

const SIZE: Size = Size { events: 16, hours: 40 };

/// No text may take longer than this to be answered or refused, on a slow
/// machine that does other things, too.
const LONGEST: Duration = Duration::from_secs(30);

/// Whether the text was answered; else its error is a clean one.
fn check_text(store: &Store, text: &str) -> bool {
    let began = Instant::now();
    let options = QueryOptions { threads: Some(1), ..QueryOptions::default() };
    let answered = store.db().query_options(text, &Params::new(), &options);
    let shown: String = text.chars().take(2_000).collect();
    assert!(began.elapsed() < LONGEST, "{:?} for\n{shown}", began.elapsed());
    let error = match answered {
        Ok(_) => return true,
        Err(QueryError::Engine(error)) => panic!("the store is sound, and said {error}:\n{shown}"),
        Err(error) => error,
    };
    assert!(!error.diagnostics().is_empty(), "no word about\n{shown}");
    for found in error.diagnostics() {
        assert!(CODES.iter().any(|(code, _)| *code == found.code), "{found:?}\n{shown}");
        assert!(!found.message.is_empty() && !found.labels.is_empty(), "{found:?}\n{shown}");
        for (span, _) in &found.labels {
            let (start, end) = (span.start as usize, span.end as usize);
            let inside = start <= end && end <= text.len();
            assert!(
                inside && text.is_char_boundary(start) && text.is_char_boundary(end),
                "{found:?} of {} bytes\n{shown}",
                text.len()
            );
        }
    }
    let message = error.to_string();
    assert!(error.diagnostics().iter().any(|found| message.contains(found.code)), "{message}\n{shown}");
    false
}

/// Pieces of text as a reader would cut it: words, numbers, texts, signs, spaces.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let class = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => 0,
        c if c.is_whitespace() => 1,
        _ => 2,
    };
    for c in text.chars() {
        match pieces.last_mut() {
            Some(piece)
                if class(c) != 2 && piece.chars().last().is_some_and(|last| class(last) == class(c)) =>
            {
                piece.push(c);
            }
            _ => pieces.push(c.to_string()),
        }
    }
    pieces
}

const INSERTED: [&str; 44] = [
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "|>",
    "->",
    "-[",
    "]->",
    "|",
    ",",
    ";",
    "'",
    "\"",
    "$p",
    "--",
    "-->",
    "=",
    "<",
    ">=",
    "*",
    "+",
    "?",
    "{9,1}",
    "{99999999999}",
    "NOT",
    "WHERE",
    "FROM",
    "MATCH",
    "FUNNEL",
    "CHAINS",
    "AS",
    "BY",
    "NULL",
    "7d",
    "99999999999999999999d",
    "1e999",
    "\u{0}",
    "\u{202e}",
    "日本",
    "\u{fffd}",
    ".",
    "AS OF",
];

/// One change to a text.
fn broken(text: &str, tape: &mut Tape) -> String {
    let mut pieces = pieces(text);
    for _ in 0..1 + tape.below(4) {
        if pieces.is_empty() {
            break;
        }
        let place = tape.below(pieces.len());
        match tape.below(7) {
            0 => drop(pieces.remove(place)),
            1 => {
                let other = tape.below(pieces.len());
                pieces.swap(place, other);
            }
            2 => pieces.insert(place, tape.pick(&INSERTED).to_owned()),
            3 => {
                let piece = pieces[place].clone();
                pieces.insert(place, piece);
            }
            4 => pieces.truncate(place + 1),
            5 => pieces[place] = tape.pick(&INSERTED).to_owned(),
            _ => {
                let end = (place + 1 + tape.below(12)).min(pieces.len());
                let part: Vec<String> = pieces[place..end].to_vec();
                pieces.splice(place..place, part);
            }
        }
    }
    pieces.concat()
}

/// A text with some bytes changed; what is no UTF-8 is read as a shell would.
fn with_other_bytes(text: &str, tape: &mut Tape) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..1 + tape.below(3) {
        let place = tape.below(bytes.len() + 1);
        let byte = tape.below(256) as u8;
        match tape.below(3) {
            0 if place < bytes.len() => drop(bytes.remove(place)),
            1 if place < bytes.len() => bytes[place] = byte,
            _ => bytes.insert(place, byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn broken_text_fails_cleanly() {
    let tape = || prop::collection::vec(any::<u16>(), 0..100);
    let tapes = prop::collection::vec((tape(), prop::collection::vec(tape(), 20)), 4);
    run_share("broken queries", 4_000, &(history(SIZE), tapes), |(history, tapes)| {
        let store = history.deliver();
        furnish(&store);
        for (tape, breaks) in &tapes {
            let (Drawn::Query(text) | Drawn::Refused(text)) = draw(&store, tape, Written::Plain);
            for decisions in breaks {
                let mut tape = Tape::new(decisions);
                let text = match tape.chance(30) {
                    true => with_other_bytes(&text, &mut tape),
                    false => broken(&text, &mut tape),
                };
                check_text(&store, &text);
                count_one();
            }
        }
    });
}

#[test]
fn noise_fails_cleanly() {
    let store = Store::new();
    furnish(&store);
    let words = prop::collection::vec(prop::sample::select(INSERTED.to_vec()), 0..40)
        .prop_map(|words| words.join(" "));
    let any = prop_oneof![words, "\\PC{0,200}", "[ -~\n]{0,200}"];
    run_share("noise", 2_000, &any, |text| {
        check_text(&store, &text);
        count_one();
    });
}

/// What opens, what closes, and where: each may stand in itself.
const NESTED: [(&str, &str, &str, &str); 15] = [
    ("WHERE ", "(", "n = 1", ")"),
    ("WHERE ", "NOT ", "n = 1", ""),
    ("WHERE 1 = ", "-", "n", ""),
    ("WHERE 1 = ", "- ", "n", ""),
    ("WHERE 1 = ", "coalesce(", "n", ")"),
    ("WHERE 1 = ", "CASE WHEN n = 1 THEN ", "n", " END"),
    ("WHERE 1 = ", "CASE n WHEN ", "n", " THEN 1 END"),
    ("WHERE n IN ", "(n, ", "n", ")"),
    ("WHERE n BETWEEN ", "(n + ", "n", ")"),
    ("INTERACTIONS |> SELECT ", "x[", "1", "]"),
    ("FOR ", "IN (FOR ", "HAS (n = 1)", " |> INTERACTIONS)"),
    ("FOR ", "NOT (", "HAS (n = 1)", ")"),
    ("FOR HAS ", "(WHERE n = ", "1", ")"),
    ("MATCH ", "(", "(:a)", ")"),
    ("MATCH (:a) ", "-[NO (:b WHERE n = 1) ", "-> (:c)", "]->"),
];

/// Length of the longest chains that are tried. Some pieces of a query look
/// through all the others, so that a text of the greatest length takes minutes.
const LONG_BYTES: usize = 1 << 11;

/// Chains that are long without being deep.
const LONG: [(&str, &str, &str); 14] = [
    ("WHERE n = 1", " AND n = 1", ""),
    ("WHERE n = 1", " OR n = 1", ""),
    ("WHERE n = n", " + n", ""),
    ("WHERE n IN (1", ", 1", ")"),
    ("WHERE 1 = coalesce(n", ", n", ")"),
    ("WHERE n = CASE", " WHEN n = 1 THEN 1", " END"),
    ("WHERE n = 1", "\n|> WHERE n = 1", "\n|> INTERACTIONS"),
    ("INTERACTIONS", "\n|> LIMIT 1", ""),
    ("INTERACTIONS |> SELECT n AS a", ", n", ""),
    ("MATCH (:a)", " -> (:b)", ""),
    ("MATCH (:a", "|a", ")"),
    ("FUNNEL (:a)", " -> NOT (:b) WITHIN 1h", ""),
    ("FOR HAS (:a)", " AND HAS (:b)", " |> INTERACTIONS"),
    ("SPLIT BY n", ", n", " |> INTERACTIONS"),
];

fn nested((before, open, middle, close): (&str, &str, &str, &str), levels: usize) -> String {
    before.to_owned() + &open.repeat(levels) + middle + &close.repeat(levels)
}

#[test]
fn deep_nesting_fails_cleanly() {
    let store = Store::new();
    furnish(&store);
    let most = NESTING_LEVELS_MAX as usize;
    for form in NESTED {
        for levels in [1, 2, most - 2, most - 1, most, most + 1, most + 2, 1_000, 20_000] {
            check_text(&store, &nested(form, levels));
            // Never closed.
            let (before, open, middle, _) = form;
            check_text(&store, &nested((before, open, middle, ""), levels));
        }
        let (before, open, middle, close) = form;
        let levels = (QUERY_TEXT_BYTES_MAX - before.len() - middle.len()) / (open.len() + close.len());
        assert!(!check_text(&store, &nested(form, levels)), "{before}{open} {levels} levels deep");
    }
}

#[test]
fn long_text_is_answered_or_refused() {
    let store = Store::new();
    furnish(&store);
    for (before, again, after) in LONG {
        for times in [10, 255, 256, 257] {
            check_text(&store, &(before.to_owned() + &again.repeat(times) + after));
        }
        let times = LONG_BYTES / again.len();
        check_text(&store, &(before.to_owned() + &again.repeat(times) + after));
        let too_many = QUERY_TEXT_BYTES_MAX / again.len() + 1;
        assert!(!check_text(&store, &(before.to_owned() + &again.repeat(too_many) + after)), "{again}");
    }
    let spaces = " ".repeat(QUERY_TEXT_BYTES_MAX - "INTERACTIONS".len());
    assert!(check_text(&store, &format!("{spaces}INTERACTIONS")));
    assert!(!check_text(&store, &format!("{spaces} INTERACTIONS")));
    check_text(&store, &"'".repeat(QUERY_TEXT_BYTES_MAX));
    check_text(&store, &"日".repeat(QUERY_TEXT_BYTES_MAX / 3));
    check_text(&store, &("WHERE kind = '".to_owned() + &"x".repeat(QUERY_TEXT_BYTES_MAX - 15) + "'"));
}
