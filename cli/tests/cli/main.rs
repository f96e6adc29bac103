//! The command as scripts know it: what it writes where, and with which exit status.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

mod amendments;
mod copies;
mod erasure;
mod formats;
mod imports;
mod language;
mod linking;
mod links;
mod maps;
#[cfg(unix)]
mod readme;
mod recorded;
mod shells;
mod stores;
mod synthetic;
mod usage;

/// The file of the README: one chain of three, one complaint that is open.
const CONTACTS: &str = "\
customer,ts,channel,event,topic
crm:1,2026-01-05T09:00,twitter,complaint,billing
crm:1,2026-01-06T10:00,phone,call,billing
crm:1,2026-01-12T18:30,web,review,billing
crm:2,2026-01-07T12:00,email,complaint,delivery
crm:3,2026-01-08T08:00,phone,call,billing
";

const COUNT: &str = "AGGREGATE count(*) AS n";

/// A folder in which the command is run.
struct Desk {
    folder: TempDir,
}

/// What a run left.
struct Ran {
    status: i32,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("writes UTF-8"),
            err: String::from_utf8(output.stderr).expect("writes UTF-8"),
        }
    }
}

impl Ran {
    /// An answer: status 0.
    #[track_caller]
    fn answer(self) -> Self {
        assert_eq!(self.status, 0, "{}{}", self.out, self.err);
        self
    }

    /// No answer: this status, nothing on standard output, these words on standard error.
    #[track_caller]
    fn refused(&self, status: i32, words: &[&str]) {
        assert_eq!((self.status, self.out.as_str()), (status, ""), "{}", self.err);
        self.says(words);
    }

    /// That standard error has all these words.
    #[track_caller]
    fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.err.contains(word), "no `{word}` in: {}", self.err);
        }
    }
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("makes a folder") }
    }

    /// With the README's file and the store `contacts.db` made of it.
    fn with_contacts() -> Self {
        let desk = Self::new();
        desk.file("contacts.csv", CONTACTS);
        desk.run(&["import", "contacts.db", "contacts.csv"]).answer();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("writes");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("reads")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_throughline")));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().expect("starts").into()
    }

    /// Starts it with all three streams on pipes.
    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("starts")
    }

    /// Runs it with this on standard input.
    fn pipe(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Ran {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().expect("is a pipe");
        // What leaves before it has read everything is judged by what it left.
        let _ = stdin.write_all(input.as_ref());
        drop(stdin);
        child.wait_with_output().expect("ends").into()
    }

    /// The rows of an answer.
    #[track_caller]
    fn rows(&self, store: &str, query: &str) -> Vec<Value> {
        let ran = self.run(&["query", store, query, "--format", "json"]).answer();
        match serde_json::from_str(&ran.out) {
            Ok(Value::Array(rows)) => rows,
            other => panic!("{query}: {other:?} in {}", ran.out),
        }
    }

    /// The one row of an answer.
    #[track_caller]
    fn row(&self, store: &str, query: &str) -> Value {
        let mut rows = self.rows(store, query);
        assert_eq!(rows.len(), 1, "{query}: {rows:?}");
        rows.remove(0)
    }

    /// How many interactions a store has.
    #[track_caller]
    fn count(&self, store: &str) -> u64 {
        self.row(store, COUNT).get("n").and_then(Value::as_u64).expect("counts")
    }

    fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }
}
