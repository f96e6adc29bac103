//! The project's own source files, for the tests that keep it tidy.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The crates of the workspace, by folder.
pub const CRATES: [&str; 5] = ["engine", "query", "cli", "benches", "tests"];

/// A source file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path below the workspace, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// The crate's folder it lies in: `engine`.
    pub fn of_crate(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Its module path inside the crate, where it lies in `src`: `syntax`, `ast`.
    pub fn module(&self) -> Option<Vec<String>> {
        let inside = self.path.strip_prefix(self.of_crate())?.strip_prefix("/src/")?.strip_suffix(".rs")?;
        let mut names: Vec<String> = inside.split('/').map(str::to_owned).collect();
        if matches!(names.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            names.pop();
        }
        Some(names)
    }

    /// The text without comment lines and without its unit tests, which stand last.
    pub fn code(&self) -> String {
        let mut code = String::new();
        let mut lines = self.text.lines().peekable();
        while let Some(line) = lines.next() {
            if line.starts_with("#[cfg(test)]") {
                match lines.peek() {
                    // Tests in a file of their own.
                    Some(next) if next.ends_with(';') => {
                        lines.next();
                        continue;
                    }
                    _ => break,
                }
            }
            if !line.trim_start().starts_with("//") {
                code.push_str(line.split(" // ").next().unwrap_or_default());
                code.push('\n');
            }
        }
        code
    }

    /// The modules that it declares for tests only, in files of their own.
    fn test_modules(&self) -> Vec<String> {
        let lines: Vec<&str> = self.text.lines().map(str::trim).collect();
        lines
            .windows(2)
            .filter(|pair| pair[0] == "#[cfg(test)]")
            .filter_map(|pair| pair[1].strip_suffix(';')?.split_once("mod ").map(|(_, name)| name.to_owned()))
            .collect()
    }
}

/// The sources of a crate that are compiled into it, and not only into its tests.
pub fn shipped(of_crate: &str) -> Vec<Source> {
    let all: Vec<Source> =
        sources(".rs").into_iter().filter(|source| source.of_crate() == of_crate).collect();
    let mut for_tests = BTreeSet::new();
    for source in &all {
        for name in source.test_modules() {
            let mut module = source.module().unwrap_or_default();
            module.push(name);
            for_tests.insert(module);
        }
    }
    let ships = |source: &Source| {
        source
            .module()
            .is_some_and(|module| (0..=module.len()).all(|end| !for_tests.contains(&module[..end])))
    };
    all.into_iter().filter(ships).collect()
}

/// Every file below the workspace's crates whose name ends in `ending`, sorted.
pub fn sources(ending: &str) -> Vec<Source> {
    let root = workspace();
    let mut files = Vec::new();
    for name in CRATES {
        gather(&root.join(name), ending, &mut files);
    }
    files.sort();
    files
        .iter()
        .map(|file| Source {
            path: file.strip_prefix(&root).unwrap_or(file).to_string_lossy().replace('\\', "/"),
            text: fs::read_to_string(file).unwrap_or_default(),
        })
        .collect()
}

fn gather(folder: &Path, ending: &str, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                gather(&path, ending, files);
            }
        } else if name.ends_with(ending) {
            files.push(path);
        }
    }
}

/// The paths that code names from `crate::` or `super::` on, in the module `module`.
pub fn named_paths(code: &str, module: &[String]) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for (start, _) in code.match_indices("crate::") {
        if !code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            read_path(&code[start + "crate::".len()..], &[], &mut found);
        }
    }
    for (start, _) in code.match_indices("super::") {
        let before = &code[..start];
        if before.ends_with("super::") || before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let mut rest = &code[start..];
        let mut parent = module;
        while let Some(shorter) = rest.strip_prefix("super::") {
            rest = shorter;
            parent = parent.split_last().map_or(&[], |(_, above)| above);
        }
        read_path(rest, parent, &mut found);
    }
    found
}

/// Reads `a::b::{c, d::e}` from the start of `code`.
fn read_path(code: &str, prefix: &[String], found: &mut BTreeSet<Vec<String>>) {
    let mut path = prefix.to_vec();
    let mut rest = code;
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0_usize;
            let mut item = 0;
            for (place, letter) in group.char_indices() {
                match letter {
                    '{' => depth += 1,
                    ',' | '}' if depth == 0 => {
                        read_path(group[item..place].trim_start(), &path, found);
                        item = place + 1;
                        if letter == '}' {
                            return;
                        }
                    }
                    '}' => depth -= 1,
                    _ => {}
                }
            }
            return;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        path.push(rest[..end].to_owned());
        match rest[end..].strip_prefix("::") {
            Some(further) => rest = further,
            None => break,
        }
    }
    if path.len() > prefix.len() {
        found.insert(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_code() {
        let check = |code: &str, module: &[&str], expected: &[&str]| {
            let module: Vec<String> = module.iter().map(|&name| name.to_owned()).collect();
            let found: Vec<String> =
                named_paths(code, &module).into_iter().map(|path| path.join("::")).collect();
            assert_eq!(found, expected, "{code}");
        };
        check("use crate::model::Millis;", &[], &["model::Millis"]);
        check(
            "use crate::{error::{Error, Result}, limits};",
            &["db"],
            &["error::Error", "error::Result", "limits"],
        );
        check("fn f() -> super::chains::Chain", &["kernels", "funnel"], &["kernels::chains::Chain"]);
        check("use super::super::rows;", &["a", "b", "c"], &["a::rows"]);
        check("$crate::x mycrate::y", &[], &[]);
    }
}
