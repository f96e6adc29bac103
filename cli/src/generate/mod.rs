//! Synthetic histories: customers who buy, run into trouble and come back about it.

mod columns;
mod history;
mod lifecycle;
mod linked;
mod people;
mod random;
mod text;
mod vocabulary;

use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::write::GzEncoder;

use crate::failure::{Failure, Outcome};
use crate::files;
use history::History;
use linked::Linked;

/// What a generated history came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generated {
    /// How many interactions it has.
    pub(crate) interactions: u64,
    /// How many customers have any.
    pub(crate) customers: u64,
}

impl Generated {
    fn of(history: &History) -> Self {
        Self { interactions: history.len() as u64, customers: history.customers() }
    }
}

/// Writes a history of `customers` customers to `out`, in the format its name
/// says. A share of the customers, from 0 to 1, comes under several identities.
pub(crate) fn generate(out: &Path, customers: u32, seed: u64, linked: f64) -> Outcome<Generated> {
    let linked = Linked::of(seed, linked);
    let name = out.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
    let (plain, packing) = match (name.strip_suffix(".gz"), name.strip_suffix(".zst")) {
        (Some(plain), _) => (plain, Packing::Gzip),
        (_, Some(plain)) => (plain, Packing::Zstd),
        _ => (name.as_str(), Packing::None),
    };
    let extension = plain.rsplit_once('.').map_or("", |(_, extension)| extension);
    let format = match (extension, packing) {
        ("csv", _) => TextFormat::Csv,
        ("jsonl" | "ndjson", _) => TextFormat::JsonLines,
        ("parquet", Packing::None) => {
            let file = files::create(out)?;
            let history = lived(customers, seed);
            columns::parquet(file, history.iter(), linked)
                .map_err(|error| Failure::said(format!("cannot write {}: {error}", out.display())))?;
            return Ok(Generated::of(&history));
        }
        ("parquet", _) => {
            return Err(Failure::said("Parquet is packed inside already; name the file .parquet"));
        }
        _ => {
            return Err(Failure::said(format!(
                "{} does not say in which format to write; name it .csv, .jsonl or .parquet (text also .gz or .zst)",
                out.display()
            )));
        }
    };
    let failed = |error: std::io::Error| files::failed("write", out, &error);
    let file = BufWriter::with_capacity(1 << 20, files::create(out)?);
    let history = lived(customers, seed);
    match packing {
        Packing::None => {
            let mut file = file;
            format.write(&mut file, &history, linked).and_then(|()| file.flush()).map_err(failed)?;
        }
        Packing::Gzip => {
            let mut packer = GzEncoder::new(file, flate2::Compression::fast());
            format.write(&mut packer, &history, linked).map_err(failed)?;
            packer.finish().and_then(|mut file| file.flush()).map_err(failed)?;
        }
        Packing::Zstd => {
            let mut packer = zstd::stream::write::Encoder::new(file, 1).map_err(failed)?;
            format.write(&mut packer, &history, linked).map_err(failed)?;
            packer.finish().and_then(|mut file| file.flush()).map_err(failed)?;
        }
    }
    Ok(Generated::of(&history))
}

/// Writes what is known of each customer (plan, region) as csv.
pub(crate) fn people(out: &Path, customers: u32, seed: u64) -> Outcome<()> {
    let mut file = BufWriter::new(files::create(out)?);
    people::csv(&mut file, customers, seed)
        .and_then(|()| file.flush())
        .map_err(|error| files::failed("write", out, &error))
}

fn lived(customers: u32, seed: u64) -> History {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get().min(16) as u32);
    History::new(customers, seed, threads)
}

#[derive(Clone, Copy)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

#[derive(Clone, Copy)]
enum TextFormat {
    Csv,
    JsonLines,
}

impl TextFormat {
    fn write(self, out: &mut dyn Write, history: &History, linked: Option<Linked>) -> std::io::Result<()> {
        match self {
            Self::Csv => text::csv(out, history.iter(), linked),
            Self::JsonLines => text::json_lines(out, history.iter(), linked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_by_extension() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let mut counts = Vec::new();
        for name in ["a.csv", "a.csv.gz", "a.jsonl.zst", "a.parquet"] {
            counts.push(generate(&folder.path().join(name), 100, 7, 0.0).expect(name));
        }
        assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "{counts:?}");
        let again = folder.path().join("b.parquet");
        generate(&again, 100, 7, 0.0).expect("writes");
        let read = |name: &str| {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut files::open(&folder.path().join(name)).expect(name), &mut bytes)
                .expect(name);
            bytes
        };
        assert!(read("a.parquet") == read("b.parquet"));
        for name in ["a.txt", "a", "a.parquet.gz"] {
            assert!(generate(&folder.path().join(name), 1, 1, 0.0).is_err(), "{name}");
        }
    }
}
