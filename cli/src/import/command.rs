//! The command `import`: its arguments to a plan, its summary to words.

use std::path::{Path, PathBuf};

use throughline::engine::Db;

use super::mapping::Mapping;
use super::run::{Plan, Summary, import};
use crate::failure::{Failure, Outcome};
use crate::files;

/// Where refused rows go when nobody says: beside the store.
pub(crate) fn default_rejects(db: &Path) -> PathBuf {
    let mut name = db.file_name().map(std::ffi::OsStr::to_owned).unwrap_or_else(|| "store".into());
    name.push(".rejects.csv");
    db.with_file_name(name)
}

/// The map file, read and checked.
pub(crate) fn read_map(path: Option<&Path>) -> Outcome<Mapping> {
    let Some(path) = path else { return Ok(Mapping::default()) };
    Mapping::parse(&files::read_text(path)?)
        .map_err(|failure| Failure::said(format!("{}: {failure}", path.display())))
}

/// That every file is there and can be opened. Standard input (`-`) and pipes
/// are left alone: what opens a pipe must read it.
pub(crate) fn check_readable<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Outcome<()> {
    paths
        .into_iter()
        .filter(|path| *path != Path::new("-") && !files::is_pipe(path))
        .try_for_each(|path| files::open(path).map(drop))
}

/// Imports files as they are, with the headers understood by themselves, and
/// what `customers` says of customers.
pub(crate) fn import_plain(
    db: &Db,
    store: &Path,
    files: Vec<PathBuf>,
    customers: Option<PathBuf>,
) -> Outcome<Summary> {
    let plan = Plan {
        files,
        customers,
        links: Vec::new(),
        mapping: Mapping::default(),
        strict: false,
        bring_back: false,
        rejects: default_rejects(store),
    };
    import(db, &plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_lie_beside_the_store() {
        assert_eq!(default_rejects(Path::new("a/contacts.db")), Path::new("a/contacts.db.rejects.csv"));
        assert_eq!(default_rejects(Path::new("contacts.db/")), Path::new("contacts.db.rejects.csv"));
    }
}
