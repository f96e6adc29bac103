//! The shell: one query after another, on a terminal or on a pipe.

mod commands;
mod history;

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use throughline::{Db, Params};

use crate::args::Format;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::store::{self, say};

pub(crate) use commands::show_journey;

/// Files that read files that read files: no deeper than this.
const READ_DEPTH_MAX: usize = 8;

/// Whether the shell goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Leave,
}

/// What the shell holds between queries.
struct Shell {
    db: Option<(PathBuf, Db)>,
    read_only: bool,
    format: Format,
    params: Params,
    timer: bool,
    failures: u64,
    depth: usize,
    /// What has been read of a statement that is not finished.
    pending: String,
}

/// Runs the shell until its input ends.
pub(crate) fn run(path: Option<&Path>, read_only: bool) -> Outcome<()> {
    let mut shell = Shell {
        db: None,
        read_only,
        format: Format::Table,
        params: Params::new(),
        timer: false,
        failures: 0,
        depth: 0,
        pending: String::new(),
    };
    if let Some(path) = path {
        shell.open(path)?;
    }
    if std::io::stdin().is_terminal() { shell.converse() } else { shell.follow(std::io::stdin().lock()) }
}

impl Shell {
    fn open(&mut self, path: &Path) -> Outcome<()> {
        // One process has a store open at a time: the old one is closed first.
        self.db = None;
        self.db = Some((path.to_owned(), store::open(path, self.read_only)?));
        Ok(())
    }

    fn db(&self) -> Outcome<&Db> {
        match &self.db {
            Some((_, db)) => Ok(db),
            None => {
                Err(Failure::said("no store is open; write `.open DB`, where DB is the folder of a store"))
            }
        }
    }

    /// On a pipe: every line of it, on after errors, none of our own words.
    fn follow(&mut self, mut input: impl BufRead) -> Outcome<()> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = input.read_until(b'\n', &mut bytes);
            if read.map_err(|error| Failure::said(format!("cannot read the queries: {error}")))? == 0 {
                break;
            }
            let line = String::from_utf8_lossy(&bytes);
            if self.line(line.trim_end_matches(['\n', '\r']), false)? == Then::Leave {
                return self.status();
            }
        }
        self.finish_pending()?;
        self.status()
    }

    fn status(&self) -> Outcome<()> {
        if self.failures == 0 { Ok(()) } else { Err(Failure::AlreadySaid) }
    }

    /// On a terminal: a prompt, a history of lines, and words.
    fn converse(&mut self) -> Outcome<()> {
        let mut editor = DefaultEditor::new()
            .map_err(|error| Failure::said(format!("cannot read from this terminal: {error}")))?;
        let history = history::path();
        if let Some(path) = &history {
            // A first run has none.
            let _ = editor.load_history(path);
        }
        say("A query ends at ; or at an empty line. .help lists the commands, .exit leaves.");
        match &self.db {
            Some((path, db)) => say(&format!(
                "{}: {} of {}",
                path.display(),
                crate::people::many(db.snapshot().interactions(), "interaction"),
                crate::people::many(db.snapshot().customers(), "customer")
            )),
            None => say("No store is open: write .open DB"),
        }
        loop {
            let prompt = if self.pending.trim().is_empty() { "throughline> " } else { "        ...> " };
            match editor.readline(prompt) {
                Ok(line) => {
                    if !line.trim().is_empty() {
                        let _ = editor.add_history_entry(line.as_str());
                    }
                    if self.line(&line, true)? == Then::Leave {
                        break;
                    }
                }
                Err(ReadlineError::Interrupted) => self.pending.clear(),
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(Failure::said(format!("cannot read from this terminal: {error}"))),
            }
        }
        if let Some(path) = &history {
            history::save(&mut editor, path);
        }
        Ok(())
    }

    /// Takes a line: a dot command, or a part of a statement.
    fn line(&mut self, line: &str, blank_ends: bool) -> Outcome<Then> {
        let begins = self.pending.trim().is_empty();
        // At a terminal the bare words are typed by everybody, and no query is one of them.
        let bare = blank_ends && ["exit", "quit", "help"].contains(&line.trim().trim_end_matches(';'));
        if begins && (bare || line.trim_start().starts_with('.')) {
            let line = if bare { format!(".{}", line.trim()) } else { line.trim().to_owned() };
            let done = self.command(&line);
            return match done {
                Ok(then) => Ok(then),
                Err(failure) => self.failed(failure).map(|()| Then::GoOn),
            };
        }
        self.pending.push_str(line);
        self.pending.push('\n');
        if blank_ends && line.trim().is_empty() {
            self.finish_pending()?;
            return Ok(Then::GoOn);
        }
        let text = std::mem::take(&mut self.pending);
        for (span, closed) in throughline::syntax::split_statements(&text) {
            let Some(statement) = text.get(span.start as usize..span.end as usize) else { continue };
            if closed {
                self.statement(statement.trim().trim_end_matches(';'))?;
            } else {
                self.pending = statement.to_owned();
                if !self.pending.ends_with('\n') {
                    self.pending.push('\n');
                }
            }
        }
        Ok(Then::GoOn)
    }

    fn finish_pending(&mut self) -> Outcome<()> {
        let text = std::mem::take(&mut self.pending);
        for statement in store::statements(&text) {
            self.statement(statement)?;
        }
        Ok(())
    }

    /// Answers a statement; only a closed output ends the shell.
    fn statement(&mut self, text: &str) -> Outcome<()> {
        if text.trim().is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let answered = self.db().and_then(|db| store::ask(db, text, &self.params));
        let taken = started.elapsed();
        let shown = answered.and_then(|answer| store::show(&answer, self.format));
        if self.timer {
            say(&format!("{:.1} ms", taken.as_secs_f64() * 1_000.0));
        }
        shown.or_else(|failure| self.failed(failure))
    }

    /// Says what failed and counts it.
    fn failed(&mut self, failure: Failure) -> Outcome<()> {
        match failure {
            Failure::OutputClosed => return Err(Failure::OutputClosed),
            Failure::AlreadySaid => {}
            other => say(&format!("error: {other}")),
        }
        self.failures += 1;
        Ok(())
    }

    /// Runs the lines of a file as if they were typed.
    fn read(&mut self, path: &Path) -> Outcome<Then> {
        if self.depth >= READ_DEPTH_MAX {
            return Err(Failure::said(format!("{} is read by files that read each other", path.display())));
        }
        let text = files::read_text(path)?;
        self.depth += 1;
        let mut then = Ok(Then::GoOn);
        for line in text.lines() {
            then = self.line(line, false);
            if !matches!(then, Ok(Then::GoOn)) {
                break;
            }
        }
        self.depth -= 1;
        if matches!(then, Ok(Then::GoOn)) {
            self.finish_pending()?;
        }
        then
    }
}
