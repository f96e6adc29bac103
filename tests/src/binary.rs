//! The binary `throughline`, run as a script runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Where the binary is: beside the running test's own folder in the target
/// directory, or what `THROUGHLINE_BIN` names.
///
/// # Panics
/// Where it has not been built.
pub fn path() -> PathBuf {
    if let Some(path) = std::env::var_os("THROUGHLINE_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test knows its own file");
    let folder = test.parent().and_then(Path::parent).expect("tests lie in target/*/deps");
    let path = folder.join(format!("throughline{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "{} is not built: run `cargo test --workspace`, or `cargo build -p throughline-cli` before",
        path.display()
    );
    path
}

/// What a run of the binary left.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit status; -1 after a signal.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Both outputs, for messages and for looking up what was said anywhere.
    pub fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Whether a number was said, with or without separators of thousands.
    pub fn said_number(&self, number: u64) -> bool {
        let said = self.said().replace([',', '_', '\u{202f}'], "");
        said.split(|letter: char| !letter.is_ascii_digit()).any(|word| word == number.to_string())
    }
}

/// Runs the binary in `folder`.
///
/// # Panics
/// Where it does not start.
pub fn run<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: &[S]) -> Ran {
    let output = Command::new(path()).args(arguments).current_dir(folder).output();
    output.expect("the binary starts").into()
}

/// Asks the store in `folder` and reads the JSON it answers: an array of objects.
///
/// # Panics
/// Where it answers with an error.
pub fn query(folder: &Path, store: &str, text: &str) -> Vec<Value> {
    let ran = run(folder, &["query", store, text, "--format", "json"]);
    assert_eq!(ran.status, 0, "{text}\n{}", ran.said());
    match serde_json::from_str(&ran.out) {
        Ok(Value::Array(rows)) => rows,
        other => panic!("{text}\nnot an array of rows: {other:?}\n{}", ran.out),
    }
}

/// The whole numbers in the columns `names` of each row.
///
/// # Panics
/// Where one is missing or is no whole number.
pub fn numbers(rows: &[Value], names: &[&str]) -> Vec<Vec<i64>> {
    let number = |row: &Value, name: &str| {
        row.get(name).and_then(Value::as_i64).unwrap_or_else(|| panic!("no whole number {name} in {row}"))
    };
    rows.iter().map(|row| names.iter().map(|name| number(row, name)).collect()).collect()
}
