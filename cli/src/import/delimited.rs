//! Separated values: csv, tsv and their relatives (RFC 4180).

use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use csv::{ByteRecord, StringRecord};

use super::intake::{Intake, SAMPLE_ROWS};
use super::record::Record;
use super::rejects::{Reason, Refusal};
use super::source::shown;
use super::taking::Taking;
use crate::failure::{Failure, Outcome};

/// Bytes that are looked at to guess the separator.
pub(super) const HEADER_BYTES: u64 = 1 << 16;

/// Reads a whole source into the intake.
pub(crate) fn read(
    intake: &mut Intake<'_>,
    path: &Path,
    mut table: impl Taking,
    delimiter: Option<u8>,
    mut text: Box<dyn Read + Send>,
) -> Outcome<()> {
    let file = shown(path);
    let mut start = Vec::new();
    text.by_ref()
        .take(HEADER_BYTES)
        .read_to_end(&mut start)
        .map_err(|error| super::source::unreadable(path, &error))?;
    let delimiter = intake.mapping.delimiter.or(delimiter).unwrap_or_else(|| guess_delimiter(&start));
    let carriage_returns = has_carriage_returns(&start);
    let mut lines = Lines::new(Cursor::new(start).chain(text), delimiter, carriage_returns);
    let unreadable = |error: csv::Error| {
        Failure::said(format!("cannot read {file}: {error}; nothing of this run was imported"))
    };

    let Some((_, header)) = lines.next().map_err(unreadable)? else {
        return Err(Failure::said(format!("{file} is empty: it has not even a header line")));
    };
    let header = header.map_err(|(reason, _)| {
        Failure::said(match reason {
            Reason::OpenQuote => format!("the header of {file} opens a quote that nothing closes"),
            _ => format!("the header of {file} is not UTF-8; convert the file first"),
        })
    })?;
    table.add_columns(intake, &header.iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>())?;

    let mut buffered = Vec::new();
    while buffered.len() < SAMPLE_ROWS {
        let Some((line, row)) = lines.next().map_err(unreadable)? else { break };
        if let Ok(record) = &row {
            table.sample(record);
        }
        buffered.push((line, row));
    }
    table.settle(intake)?;
    for (line, row) in buffered {
        take(&mut table, intake, line, &row)?;
    }
    while let Some((line, row)) = lines.next().map_err(unreadable)? {
        take(&mut table, intake, line, &row)?;
        lines.give_back(row);
    }
    table.finish(intake)
}

/// A record, or why it is none and its bytes.
pub(super) type Row = Result<StringRecord, (Reason, ByteRecord)>;

fn take(table: &mut impl Taking, intake: &mut Intake<'_>, line: u64, row: &Row) -> Outcome<()> {
    match row {
        Ok(record) => table.take(intake, line, record),
        Err((reason, bytes)) => {
            let raw = StringRecord::from_byte_record_lossy(bytes.clone()).raw();
            table.refuse(intake, line, &Refusal::row(*reason, ""), &raw)
        }
    }
}

/// Records with the physical line each begins on.
pub(super) struct Lines<R> {
    reader: csv::Reader<Terminated<BufReader<R>>>,
    spare: ByteRecord,
    carriage_returns: bool,
}

impl<R: Read> Lines<R> {
    /// `carriage_returns` where lines end in CR LF.
    pub(super) fn new(text: R, delimiter: u8, carriage_returns: bool) -> Self {
        let inner = BufReader::with_capacity(1 << 18, text);
        let end = if carriage_returns { b'\r' } else { b'\n' };
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .buffer_capacity(1 << 18)
            .from_reader(Terminated { inner, last: None, end, at_end: false });
        Self { reader, spare: ByteRecord::new(), carriage_returns }
    }

    /// The next record; `Err` inside where it is not UTF-8, or has no end.
    pub(super) fn next(&mut self) -> csv::Result<Option<(u64, Row)>> {
        let mut record = std::mem::take(&mut self.spare);
        if !self.reader.read_byte_record(&mut record)? {
            return Ok(None);
        }
        // The position of the record is where the reader stood before blank
        // lines, so its line is counted back from where it ended. A record
        // ends at the CR of a CR LF, before the line is counted.
        // Every line is ended, so only an open quote reaches beyond the last.
        let open = self.reader.get_ref().at_end;
        let end = self.reader.position().line() - u64::from(!self.carriage_returns && !open);
        let inside: usize =
            record.iter().map(|field| field.iter().filter(|&&byte| byte == b'\n').count()).sum();
        let line = end.saturating_sub(inside as u64).max(1);
        if open {
            return Ok(Some((line, Err((Reason::OpenQuote, record)))));
        }
        let text = StringRecord::from_byte_record(record);
        Ok(Some((line, text.map_err(|error| (Reason::NotUtf8, error.into_byte_record())))))
    }

    /// Takes a record's memory back for the next one.
    fn give_back(&mut self, row: Row) {
        self.spare = match row {
            Ok(record) => record.into_byte_record(),
            Err((_, record)) => record,
        };
    }
}

/// Text whose last line is ended where it was not, so that lines count alike.
struct Terminated<R> {
    inner: R,
    last: Option<u8>,
    end: u8,
    /// Whether all has been read, the end of the last line included.
    at_end: bool,
}

impl<R: Read> Read for Terminated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read > 0 {
            self.last = buffer.get(read - 1).copied();
            return Ok(read);
        }
        match (self.last.take(), buffer.first_mut()) {
            (Some(last), Some(slot)) if last != b'\n' && last != b'\r' => {
                *slot = self.end;
                Ok(1)
            }
            _ => {
                self.at_end = true;
                Ok(0)
            }
        }
    }
}

/// Whether the first line ends in CR LF.
pub(super) fn has_carriage_returns(start: &[u8]) -> bool {
    start
        .iter()
        .position(|&byte| byte == b'\n')
        .is_some_and(|end| end > 0 && start.get(end - 1) == Some(&b'\r'))
}

/// The separator that the header line has most of; the comma where it has none.
pub(super) fn guess_delimiter(start: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    for &byte in start {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            byte if !quoted => {
                if let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| *delimiter == byte) {
                    *count += 1;
                }
            }
            _ => {}
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    counts.iter().find(|(_, count)| *count == most).map_or(b',', |(delimiter, _)| *delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(u64, &str)]) {
        let mut lines = Lines::new(text.as_bytes(), b',', has_carriage_returns(text.as_bytes()));
        let mut found = Vec::new();
        while let Some((line, row)) = lines.next().expect("reads") {
            found.push((line, row.expect("is UTF-8").get(0).unwrap_or_default().to_owned()));
        }
        let expected: Vec<_> = expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn lines_are_physical() {
        check("a,b\nc,d\ne,f\n", &[(1, "a"), (2, "c"), (3, "e")]);
        check("a,b\nc,d", &[(1, "a"), (2, "c")]);
        check("a,b\r\nc,d", &[(1, "a"), (2, "c")]);
        check("a,b\r\nc,d\r\ne,f\r\n", &[(1, "a"), (2, "c"), (3, "e")]);
        check("a,b\n\n\nc,d\ne,f", &[(1, "a"), (4, "c"), (5, "e")]);
        check("a,b\n\"c\nc\",d\ne,f\n", &[(1, "a"), (2, "c\nc"), (4, "e")]);
        check("a,b\r\n\"c\r\nc\",d\r\ne,f\r\n", &[(1, "a"), (2, "c\r\nc"), (4, "e")]);
    }

    #[test]
    fn a_quote_that_nothing_closes() {
        for text in ["a,b\n\"c,d\ne,f\n", "a,b\n\"c,d\ne,f", "a,b\r\n\"c,d\r\ne,f\r\n", "a,b\r\n\"c,d\r\ne,f"]
        {
            let mut lines = Lines::new(text.as_bytes(), b',', has_carriage_returns(text.as_bytes()));
            assert!(matches!(lines.next(), Ok(Some((1, Ok(_))))), "{text:?}");
            assert!(matches!(lines.next(), Ok(Some((2, Err((Reason::OpenQuote, _)))))), "{text:?}");
            assert!(matches!(lines.next(), Ok(None)), "{text:?}");
        }
        check("a,b\n\"c\",\"d\"", &[(1, "a"), (2, "c")]);
        check("a,b\nc \"so\",d\n", &[(1, "a"), (2, "c \"so\"")]);
    }

    #[test]
    fn separators() {
        assert_eq!(guess_delimiter(b"a,b,c\n1;2;3;4;5"), b',');
        assert_eq!(guess_delimiter(b"a;b;c\n"), b';');
        assert_eq!(guess_delimiter(b"\"a;b\",c\n"), b',');
        assert_eq!(guess_delimiter(b"a\tb\n"), b'\t');
        assert_eq!(guess_delimiter(b"a\n"), b',');
    }
}
