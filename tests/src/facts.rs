//! The real histories beside the project, which are not part of it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;

use crate::sources::workspace;

/// The path of a data file; `None`, with a note on standard error, where it is absent.
pub fn file(name: &str) -> Option<PathBuf> {
    let path = workspace().parent()?.join("shared").join("data").join(name);
    let path = std::env::var_os("THROUGHLINE_DATA").map_or(path, |folder| PathBuf::from(folder).join(name));
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// The rows of a gzipped CSV file, by column.
///
/// # Panics
/// Where it does not read.
pub fn rows(path: &PathBuf) -> Vec<BTreeMap<String, String>> {
    let mut text = Vec::new();
    GzDecoder::new(std::fs::File::open(path).expect("opens")).read_to_end(&mut text).expect("unpacks");
    let mut reader = csv::Reader::from_reader(text.as_slice());
    reader.deserialize().map(|row| row.expect("is CSV")).collect()
}
