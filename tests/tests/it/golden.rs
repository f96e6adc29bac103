//! Runs the golden cases of `tests/golden`. `UPDATE_GOLDEN=1` rewrites the
//! answers; the `why` of a case is written by hand and must hold for them.

use std::path::{Path, PathBuf};

use throughline::QueryError;
use throughline_tests::golden::{Case, underlined};
use throughline_tests::store::Store;
use throughline_tests::table::Table;

#[test]
fn every_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the cases are there")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    cases.sort();
    assert!(cases.len() >= 25, "cases are missing: {}", cases.len());
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut faults = Vec::new();
    for path in cases {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("reads");
        let case = Case::parse(&text, &folder);
        let result = std::panic::catch_unwind(|| run(&case));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(Fault::Answer(found))) if update => {
                let (before, _) = text.split_once("-- answer\n").expect("has an answer");
                let after = text
                    .split_once("-- answer\n")
                    .and_then(|(_, rest)| rest.find("\n-- ").map(|place| rest[place + 1..].to_owned()));
                let rewritten = format!("{before}-- answer\n{found}{}", after.unwrap_or_default());
                std::fs::write(&path, rewritten).expect("writes");
            }
            Ok(Err(fault)) => faults.push(format!("== {name}\n{}", fault.told(&case))),
            Err(_) => faults.push(format!("== {name}\npanicked")),
        }
    }
    assert!(faults.is_empty(), "{} cases:\n{}", faults.len(), faults.join("\n"));
}

/// Codes that no query text against a sound store produces, and the unit test that does.
const NOT_BY_TEXT: &[(&str, &str)] = &[
    // More rows than a case should hold.
    ("E390", "query/src/run/code_tests.rs"),
    // A store that cannot be read.
    ("E391", "query/src/run/code_tests.rs"),
    // A search over more states than a case should have.
    ("E392", "query/src/run/code_tests.rs"),
    // The parser asks for options first.
    ("E403", "query/src/run/code_tests.rs"),
    // Every store has the core attributes, and with them their roles.
    ("E405", "query/src/run/code_tests.rs"),
    // Typed calls without a database.
    ("E416", "query/src/builder/tests.rs"),
];

/// What should never be: a plan that fails without a word.
const NEVER: &[&str] = &["E499"];

#[test]
fn every_code_is_shown_by_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let sections: Vec<String> = std::fs::read_dir(&folder)
        .expect("the cases are there")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .flat_map(|path| {
            let case = Case::parse(&std::fs::read_to_string(&path).expect("reads"), &folder);
            ["error", "warning"].map(|section| case.get(section).unwrap_or_default().to_owned())
        })
        .collect();
    let root = folder.parent().and_then(Path::parent).expect("a workspace");
    let mut faults = Vec::new();
    for (code, meaning) in throughline::diagnostics::CODES {
        let shown =
            sections.iter().any(|section| section.lines().any(|line| line == format!("says: {code}")));
        let elsewhere = NOT_BY_TEXT.iter().find(|(known, _)| known == code);
        match (shown, elsewhere) {
            (true, None) => {}
            (true, Some(_)) => faults.push(format!("{code} is shown by a case: take it off the list")),
            (false, Some((_, path))) => {
                let test = std::fs::read_to_string(root.join(path)).expect(path);
                if !test.contains(code) {
                    faults.push(format!("{code}: {path} does not test it"));
                }
            }
            (false, None) if NEVER.contains(code) => {}
            (false, None) => faults.push(format!("no case shows {code}: {meaning}")),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// How a case fails.
enum Fault {
    /// Another answer: the rows as CSV.
    Answer(String),
    /// Anything else, in words.
    Words(String),
}

impl Fault {
    fn told(&self, case: &Case) -> String {
        match self {
            Self::Answer(found) => {
                format!("expected:\n{}\nfound:\n{found}", case.get("answer").unwrap_or_default())
            }
            Self::Words(words) => words.clone(),
        }
    }
}

fn run(case: &Case) -> Result<(), Fault> {
    let store = Store::new();
    case.load(&store);
    answers(case, store)?;
    // The same where all of it comes at once, later, and says itself when it was recorded.
    let store = Store::new();
    if case.load_later(&store) { answers(case, store) } else { Ok(()) }
}

fn answers(case: &Case, mut store: Store) -> Result<(), Fault> {
    for query in case.get("before").unwrap_or_default().lines() {
        store.db().query(query).map_err(|error| Fault::Words(told(&error)))?;
    }
    ask(case, &store)?;
    // The same from the graph, read by a new process.
    store.db().seal().map_err(|error| Fault::Words(error.to_string()))?;
    store.reopen();
    ask(case, &store)
}

fn ask(case: &Case, store: &Store) -> Result<(), Fault> {
    let query = case.get("query").expect("a case has a query");
    let answer = match (store.db().query_with(query, &case.params()), case.get("error")) {
        (Ok(answer), None) => answer,
        (Err(error), Some(expected)) => return message(&told(&error), expected),
        (Err(error), None) => return Err(Fault::Words(told(&error))),
        (Ok(answer), Some(_)) => {
            return Err(Fault::Words(format!(
                "an answer instead of an error:\n{}",
                Table::of(&answer).to_csv()
            )));
        }
    };
    let found = Table::of(&answer);
    if found != Table::from_csv(case.get("answer").expect("a case has an answer or an error")) {
        return Err(Fault::Answer(found.to_csv()));
    }
    let warnings: Vec<String> = answer.warnings().iter().map(|warning| warning.message.clone()).collect();
    match case.get("warning") {
        None if !warnings.is_empty() => Err(Fault::Words(format!("unexpected warnings: {warnings:?}"))),
        Some(_) if warnings.is_empty() => Err(Fault::Words("a warning is missing".to_owned())),
        Some(expected) => {
            let warning = &answer.warnings()[0];
            let at = warning
                .labels
                .first()
                .and_then(|(span, _)| query.get(span.start as usize..span.end as usize).map(str::to_owned));
            let all = format!("{warning:?}");
            check_lines(expected, at.as_deref(), &all)
        }
        None => {
            let notes = answer.notes().join("\n");
            let missing = case.get("notes").unwrap_or_default().lines().find(|words| !notes.contains(words));
            missing.map_or(Ok(()), |words| {
                Err(Fault::Words(format!("`{words}` is missing from the notes:\n{notes}")))
            })
        }
    }
}

fn told(error: &QueryError) -> String {
    error.to_string()
}

fn message(found: &str, expected: &str) -> Result<(), Fault> {
    check_lines(expected, underlined(found).as_deref(), found)
}

fn check_lines(expected: &str, at: Option<&str>, message: &str) -> Result<(), Fault> {
    for line in expected.lines() {
        let holds = match line.split_once(": ") {
            Some(("at", place)) => at == Some(place),
            Some(("says", words)) => message.contains(words),
            _ => panic!("`{line}` is neither `at: …` nor `says: …`"),
        };
        if !holds {
            return Err(Fault::Words(format!("expected `{line}`, found {at:?} underlined in:\n{message}")));
        }
    }
    Ok(())
}
