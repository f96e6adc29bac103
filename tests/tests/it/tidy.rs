//! Rules that nobody has to remember: who may use whom, where the disk is
//! touched, how long a file gets, what it is called.
//!
//! A ratchet: the tables of exceptions may only get shorter.

use std::collections::{BTreeMap, BTreeSet};

use throughline_tests::sources::{CRATES, Source, named_paths, shipped, sources, workspace};

/// The modules of the engine from the ground up. A module uses only those of
/// levels above its own line.
const ENGINE_LEVELS: &[&[&str]] = &[
    &["error", "limits", "machine"],
    &["model", "strings", "cache", "side_by_side"],
    &["schema", "column", "guards", "retain"],
    &["columns"],
    &["block", "batch", "digest", "dedupe", "resolution"],
    &["records", "merge", "index", "segment", "tallies", "number_rows", "links", "amendments"],
    &["graph_store", "clock"],
    &["disk", "options"],
    &["disk_sim", "history", "chunks"],
    &["recorded", "customers", "dead", "evidence", "name_index"],
    &["ties", "retained"],
    &["head", "manifest", "erased"],
    &["string_pages", "older"],
    &["identities"],
    &["names"],
    &["order", "span", "versions"],
    &["seal", "tail", "written"],
    &["state"],
    &["settle"],
    &["snapshot", "absorb", "check", "backup"],
    &["commit", "graph"],
    &["import", "vacuum"],
    &["db"],
];

/// Arrows that point up all the same: (user, used). Each is a circle to be undone.
const UPWARD: &[(&str, &str)] = &[];

/// The modules of the query crate, likewise.
const QUERY_LEVELS: &[&[&str]] = &[
    &["limits", "value", "sets", "syntax::ast", "syntax::words"],
    &["diagnostics", "time"],
    &["syntax"],
    &["rows", "kernels"],
    &["answer", "error"],
    &["plan"],
    &["explain"],
    &["run"],
    &["builder"],
    &["db"],
];

/// Longest source file, in lines.
const FILE_LINES_MAX: usize = 600;

/// Files that may be longer, up to the given number of lines, and why.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// Names that say nothing about what is inside.
const BANNED_NAMES: &[&str] =
    &["utils", "util", "common", "manager", "helper", "helpers", "base", "inner", "misc", "stuff"];

#[test]
fn arrows_between_crates_run_one_way() {
    let allowed = |name: &str| -> &[&str] {
        match name {
            "engine" => &[],
            "query" => &["throughline-engine"],
            "cli" | "tests" | "benches" => &["throughline"],
            other => panic!("no rule for {other}"),
        }
    };
    for name in CRATES {
        let manifest = std::fs::read_to_string(workspace().join(name).join("Cargo.toml")).expect(name);
        for line in manifest.lines().map(str::trim) {
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let ours = dependency == "throughline" || dependency.starts_with("throughline-");
            assert!(!ours || allowed(name).contains(&dependency), "{name}/Cargo.toml: `{line}`");
        }
    }
    for source in sources(".rs") {
        let code = source.code();
        let banned: &[&str] = match source.of_crate() {
            "engine" => &["use throughline::", "throughline_cli"],
            "query" => &["throughline_cli"],
            // The engine reaches them through the one crate that applications add.
            "cli" | "benches" => &["throughline_engine"],
            _ => &[],
        };
        for word in banned {
            assert!(!code.contains(word), "{}: {word}", source.path);
        }
    }
}

#[test]
fn modules_use_only_what_lies_below() {
    check_levels("engine", ENGINE_LEVELS);
    check_levels("query", QUERY_LEVELS);
}

fn check_levels(of_crate: &str, levels: &[&[&str]]) {
    let declared: BTreeMap<Vec<String>, usize> = levels
        .iter()
        .enumerate()
        .flat_map(|(level, names)| names.iter().map(move |name| (name, level)))
        .map(|(name, level)| (name.split("::").map(str::to_owned).collect(), level))
        .collect();
    // A file belongs to the longest declared name that its module path begins with.
    let owner = |path: &[String]| -> Option<(Vec<String>, usize)> {
        (1..=path.len()).rev().find_map(|length| {
            let name = path[..length].to_vec();
            declared.get(&name).map(|&level| (name, level))
        })
    };
    let mut faults = Vec::new();
    let mut upward = BTreeSet::new();
    for source in shipped(of_crate) {
        let Some(module) = source.module().filter(|module| !module.is_empty()) else { continue };
        let Some((user, user_level)) = owner(&module) else {
            faults.push(format!("{}: give it a level in the table of tidy.rs", source.path));
            continue;
        };
        for path in named_paths(&source.code(), &module) {
            // What the crate's root re-exports has no level of its own.
            let Some((used, level)) = owner(&path) else { continue };
            let arrow = (user.join("::"), used.join("::"));
            if used == user || level < user_level {
                continue;
            }
            if UPWARD.contains(&(&arrow.0, &arrow.1)) {
                upward.insert(arrow);
            } else {
                faults.push(format!(
                    "{}: {} (level {user_level}) uses {} (level {level})",
                    source.path,
                    user.join("::"),
                    path.join("::")
                ));
            }
        }
    }
    for (user, used) in UPWARD.iter().filter(|(user, _)| declared.contains_key(&vec![(*user).to_owned()])) {
        if !upward.contains(&((*user).to_owned(), (*used).to_owned())) {
            faults.push(format!("{user} uses {used} no more: take the arrow out of UPWARD"));
        }
    }
    assert!(faults.is_empty(), "{of_crate}:\n{}", faults.join("\n"));
}

#[test]
fn one_file_knows_sled_and_one_the_file_system() {
    let mut faults = Vec::new();
    for source in shipped("engine").into_iter().chain(shipped("query")) {
        let code = source.code();
        for (word, home) in [
            ("sled::", "engine/src/graph_store.rs"),
            ("std::fs", "engine/src/disk.rs"),
            ("OpenOptions", "engine/src/disk.rs"),
        ] {
            // What the system tells of the machine is no file of a store.
            let of_machine = word == "std::fs" && source.path == "engine/src/machine.rs";
            if code.contains(word) && source.path != home && !of_machine {
                faults.push(format!("{}: {word} belongs in {home}", source.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_are_short() {
    let mut faults = Vec::new();
    for source in sources(".rs") {
        let lines = source.text.lines().count();
        let max = LONG_FILES
            .iter()
            .find(|(path, ..)| *path == source.path)
            .map_or(FILE_LINES_MAX, |&(_, lines, _)| lines);
        if lines > max {
            faults
                .push(format!("{}: {lines} lines, {max} at most: give a concept its own file", source.path));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for (path, ..) in LONG_FILES {
        let lines = sources(".rs").iter().find(|source| source.path == *path).map(|s| s.text.lines().count());
        assert!(lines.is_some_and(|lines| lines > FILE_LINES_MAX), "{path} needs no exception any more");
    }
}

#[test]
fn files_and_modules_are_named_after_something() {
    let mut faults = Vec::new();
    for source in sources(".rs") {
        for part in source.path.trim_end_matches(".rs").split(['/', '_', '-']) {
            if BANNED_NAMES.contains(&part) {
                faults.push(format!("{}: `{part}` says nothing", source.path));
            }
        }
        for line in source.code().lines() {
            let declared = line.trim().split_once("mod ").map_or("", |(_, name)| name);
            let name = declared.trim_end_matches([';', '{', ' ']);
            if BANNED_NAMES.contains(&name) {
                faults.push(format!("{}: `{}` says nothing", source.path, line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_is_left_half_done() {
    let marks = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
        concat!("to be", " built"),
    ];
    let mut faults = Vec::new();
    for source in sources(".rs") {
        for mark in marks {
            if source.text.contains(mark) {
                faults.push(format!("{}: {mark}", source.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_path_of_somebodys_machine() {
    let marks = [
        concat!("/ho", "me/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
        concat!("/ro", "ot/"),
        concat!("C:", "\\"),
    ];
    let mut faults = Vec::new();
    for ending in [".rs", ".toml", ".md", ".txt"] {
        for source in sources(ending) {
            for (number, line) in source.text.lines().enumerate() {
                if marks.iter().any(|mark| line.contains(mark)) {
                    faults.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_is_part_of_a_crate() {
    let all = sources(".rs");
    let by_path: BTreeMap<&str, &Source> = all.iter().map(|source| (source.path.as_str(), source)).collect();
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> =
        by_path.keys().filter(|path| is_root(path)).map(|&path| path.to_owned()).collect();
    while let Some(path) = open.pop() {
        let Some(source) = by_path.get(path.as_str()) else { continue };
        if !reached.insert(path.clone()) {
            continue;
        }
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
        let folder = match file {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ if is_root(&path) => folder.to_owned(),
            other => format!("{folder}/{}", other.trim_end_matches(".rs")),
        };
        for line in source.text.lines() {
            let Some((before, name)) = line.trim().split_once("mod ") else { continue };
            let declares = before.is_empty() || before.starts_with("pub");
            if let (true, Some(name)) = (declares, name.strip_suffix(';')) {
                open.push(format!("{folder}/{name}.rs"));
                open.push(format!("{folder}/{name}/mod.rs"));
            }
        }
    }
    let lost: Vec<&&str> = by_path.keys().filter(|&&path| !reached.contains(path)).collect();
    assert!(lost.is_empty(), "no `mod` names them: {lost:?}");
}

/// Whether cargo compiles the file by itself: a library, a binary, a test, a
/// bench or an example.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        parts.as_slice(),
        [_, "src", "lib.rs" | "main.rs"]
            | [_, "build.rs"]
            | [_, "src", "bin", _]
            | [_, "tests" | "benches" | "examples", _]
            | [_, "tests" | "examples", _, "main.rs"]
    )
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let root = std::fs::read_to_string(workspace().join("Cargo.toml")).expect("the workspace has a manifest");
    assert!(root.contains("unsafe_code = \"forbid\""));
    for name in CRATES {
        let manifest = std::fs::read_to_string(workspace().join(name).join("Cargo.toml")).expect(name);
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name}/Cargo.toml");
    }
}
