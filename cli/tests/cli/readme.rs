//! The examples of the README, as a new user types them.

use std::path::Path;

use super::{Desk, Ran};

const README: &str = include_str!("../../../README.md");

/// The text blocks of the README.
fn blocks() -> impl Iterator<Item = &'static str> {
    README.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next())
}

/// Commands and what they print.
fn examples(session: &str) -> Vec<(&str, &str)> {
    let mut examples = Vec::new();
    for example in session.split("$ ").skip(1) {
        // A quoted query may go on over several lines.
        let mut quotes = 0;
        let end = example.find(|letter| {
            quotes += usize::from(letter == '\'');
            letter == '\n' && quotes % 2 == 0
        });
        examples.push(example.split_at(end.expect("a command ends")));
    }
    examples
}

#[test]
fn the_shell_session_is_true() {
    let desk = Desk::new();
    let contacts = blocks().find(|block| block.starts_with("customer,")).expect("the file is shown");
    desk.file("contacts.csv", contacts);
    let session =
        blocks().find(|block| block.starts_with("$ throughline import")).expect("the session is shown");
    let binary = Path::new(env!("CARGO_BIN_EXE_throughline")).parent().expect("has a folder");
    let search = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let examples = examples(session);
    assert!(examples.len() >= 4, "{examples:?}");
    for (command, printed) in examples {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", command]).env("PATH", &search).current_dir(desk.path("."));
        let ran = Ran::from(shell.output().expect("starts")).answer();
        assert_eq!(ran.out.trim_end(), printed.trim(), "{command}");
    }
}
