//! Opening what is imported: a file or standard input, packed or not.

use std::io::{self, BufReader, Cursor, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::failure::{Failure, Outcome};
use crate::files::{self, File};

/// How rows are written in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Separated values; the separator is guessed from the header where it is `None`.
    Delimited(Option<u8>),
    /// One JSON object a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
}

/// An opened source.
pub(crate) enum Source {
    /// Text, unpacked.
    Text(Format, Box<dyn Read + Send>),
    /// A Parquet file, which is read by place.
    Parquet(File),
}

/// The name a source goes by in messages.
pub(crate) fn shown(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Opens `path` (`-` is standard input). The bytes read of it, still packed,
/// are added to `progress`.
pub(crate) fn open(path: &Path, progress: &Arc<AtomicU64>) -> Outcome<Source> {
    let stdin = path == Path::new("-");
    let named = if stdin { None } else { format_of_name(path) };
    if named == Some((Format::Parquet, false)) {
        return Ok(Source::Parquet(files::open(path)?));
    }
    let raw: Box<dyn Read + Send> = if stdin { Box::new(io::stdin()) } else { Box::new(files::open(path)?) };
    let counted = Counted { inner: raw, bytes: Arc::clone(progress) };
    let mut unpacked = unpack(BufReader::with_capacity(1 << 18, counted), path)?;
    let start = peek(&mut unpacked, 4).map_err(|error| unreadable(path, &error))?;
    let format = named.map_or_else(|| format_of_bytes(&start), |(format, _)| format);
    if format == Format::Parquet || start == b"PAR1" {
        // Parquet keeps its directory at the end, so a stream is laid down first.
        let mut spool = tempfile::tempfile().map_err(|error| {
            Failure::said(format!("cannot make a temporary file for {}: {error}", shown(path)))
        })?;
        let copied = spool.write_all(&start).and_then(|()| io::copy(&mut unpacked, &mut spool));
        copied.and_then(|_| spool.rewind()).map_err(|error| unreadable(path, &error))?;
        return Ok(Source::Parquet(spool));
    }
    match start.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(Failure::said(format!(
            "{} is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 FILE | throughline import DB -",
            shown(path)
        ))),
        [b'<', b'?' | b'!' | b'h', ..] => Err(Failure::said(format!(
            "{} is XML or HTML, which is not read; csv, tsv, JSON lines and Parquet are",
            shown(path)
        ))),
        b"SQLi" => Err(Failure::said(format!(
            "{} is a SQLite database; write a table as csv: sqlite3 -header -csv FILE 'SELECT …' | throughline import DB -",
            shown(path)
        ))),
        [b'P', b'K', 3, 4] => Err(Failure::said(format!(
            "{} is a zip archive or a spreadsheet; unpack it, or save it as csv",
            shown(path)
        ))),
        [b'[', ..] if format == Format::JsonLines => Err(Failure::said(format!(
            "{} is one JSON array; write one object a line: jq -c '.[]' FILE | throughline import DB -",
            shown(path)
        ))),
        // A byte-order mark belongs to no column's name.
        [0xef, 0xbb, 0xbf, rest @ ..] => {
            Ok(Source::Text(format, Box::new(Cursor::new(rest.to_vec()).chain(unpacked))))
        }
        _ => Ok(Source::Text(format, Box::new(Cursor::new(start).chain(unpacked)))),
    }
}

/// A failed read, in words.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::said(format!(
        "cannot read {} to its end: {error}; nothing of this run was imported",
        shown(path)
    ))
}

fn unpack(mut raw: BufReader<Counted>, path: &Path) -> Outcome<Box<dyn Read + Send>> {
    let magic = peek(&mut raw, 4).map_err(|error| unreadable(path, &error))?;
    let whole = Cursor::new(magic.clone()).chain(raw);
    Ok(match magic.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            Box::new(zstd::stream::read::Decoder::new(whole).map_err(|error| unreadable(path, &error))?)
        }
        _ => Box::new(whole),
    })
}

/// The first bytes, at most `len`; they are taken from the reader.
fn peek(reader: &mut impl Read, len: u64) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.by_ref().take(len).read_to_end(&mut start)?;
    Ok(start)
}

/// Format and whether it is packed, by the name's extension.
fn format_of_name(path: &Path) -> Option<(Format, bool)> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst"));
    let extension = plain.unwrap_or(&name).rsplit_once('.')?.1;
    let format = match extension {
        "csv" => Format::Delimited(None),
        "tsv" | "tab" => Format::Delimited(Some(b'\t')),
        "jsonl" | "ndjson" | "json" => Format::JsonLines,
        "parquet" | "pq" => Format::Parquet,
        _ => return None,
    };
    Some((format, plain.is_some()))
}

fn format_of_bytes(start: &[u8]) -> Format {
    match start {
        b"PAR1" => Format::Parquet,
        [b'{' | b'[', ..] => Format::JsonLines,
        _ => Format::Delimited(None),
    }
}

struct Counted {
    inner: Box<dyn Read + Send>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, bytes: &[u8], expected: &str) {
        let folder = tempfile::tempdir().expect("makes a folder");
        let path = folder.path().join(name);
        files::create(&path).expect("creates").write_all(bytes).expect("writes");
        let Ok(Source::Text(_, mut reader)) = open(&path, &Arc::default()) else {
            panic!("{name} is not text")
        };
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("reads");
        assert_eq!(text, expected, "{name}");
    }

    #[test]
    fn packed_or_not() {
        check("a.csv", b"a,b\n", "a,b\n");
        check("short.csv", b"a", "a");
        check("bom.csv", b"\xef\xbb\xbfa,b\n", "a,b\n");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"a,b\n1,2\n").expect("packs");
        let packed = gz.finish().expect("packs");
        check("a.csv.gz", &packed, "a,b\n1,2\n");
        check("named_plain.csv", &packed, "a,b\n1,2\n");
        let packed = zstd::stream::encode_all(&b"a\n"[..], 1).expect("packs");
        check("a.csv.zst", &packed, "a\n");
    }

    #[test]
    fn formats_by_name_and_by_look() {
        let by_name = |name: &str| format_of_name(Path::new(name));
        assert_eq!(by_name("x/A.CSV.GZ"), Some((Format::Delimited(None), true)));
        assert_eq!(by_name("a.tsv"), Some((Format::Delimited(Some(b'\t')), false)));
        assert_eq!(by_name("a.parquet"), Some((Format::Parquet, false)));
        assert_eq!(by_name("a.txt"), None);
        assert_eq!(format_of_bytes(b"{\"a\""), Format::JsonLines);
    }
}
