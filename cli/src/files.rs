//! Every file the command opens beside the store itself.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::failure::{Failure, Outcome};

pub(crate) use std::fs::File;

/// Opens a file to read it.
pub(crate) fn open(path: &Path) -> Outcome<File> {
    let file = File::open(path).map_err(|error| failed("open", path, &error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Failure::said(format!("{} is a folder; name a file in it", path.display())));
    }
    Ok(file)
}

/// Makes a file, or empties the one there is.
pub(crate) fn create(path: &Path) -> Outcome<File> {
    File::create(path).map_err(|error| failed("write", path, &error))
}

/// Makes a small file, durable when it returns.
pub(crate) fn write_durably(path: &Path, text: &str) -> Outcome<()> {
    let mut file = create(path)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| failed("write", path, &error))
}

/// Makes a folder that is not there yet; one that is there must be empty. Answers whether it was
/// made.
pub(crate) fn claim_folder(path: &Path) -> Outcome<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => match entries.next() {
            None => Ok(false),
            Some(_) => Err(Failure::said(format!(
                "{} is not empty, and nothing is overwritten; name a folder that is not there yet",
                path.display()
            ))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_folder(path).map(|()| true).map_err(|error| failed("make", path, &error))
        }
        Err(error) => Err(failed("write into", path, &error)),
    }
}

/// Removes a file; that it stays, or was never there, is no failure.
pub(crate) fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// The text of a small file.
pub(crate) fn read_text(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| failed("read", path, &error))
}

/// Makes a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Whether both paths lead to one thing that is there.
pub(crate) fn same(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether something is there that is neither file nor folder: a pipe, a device.
pub(crate) fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Removes a folder and what is in it; that it stays is no failure.
pub(crate) fn remove_folder(path: &Path) {
    let _ = fs::remove_dir_all(path);
}

/// Length of a file in bytes, where it is a plain file.
pub(crate) fn length(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

/// A failure to do `action` to `path`.
pub(crate) fn failed(action: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::said(format!("cannot {action} {}: {error}", path.display()))
}
