//! Rows that were refused: counted by reason, and written down with their place.

use std::collections::BTreeMap;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};
use crate::files::{self, File};

/// Why a row is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    NoCustomer,
    BadCustomer,
    NoTime,
    BadTime,
    TimeOutOfBounds,
    BadRecorded,
    RecordedOutOfBounds,
    BadNumber,
    BadTruth,
    BadSentiment,
    BadTimeValue,
    FieldCount,
    TooLong,
    OpenQuote,
    NotUtf8,
    NotJson,
    NoIdentity,
    BadIdentity,
    SameIdentity,
    BadConfidence,
    BadSaying,
    NoEventId,
    UnknownEvent,
    NothingToAmend,
}

impl Reason {
    /// The words for reports and the rejects file.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NoCustomer => "no customer",
            Self::BadCustomer => "a customer that is not an identity",
            Self::NoTime => "no time",
            Self::BadTime => "a time that does not parse",
            Self::TimeOutOfBounds => "a time before 1900 or after tomorrow (a clock error)",
            Self::BadRecorded => "a recording time that does not parse",
            Self::RecordedOutOfBounds => "a recording time before 1900 or in the future (a clock error)",
            Self::BadNumber => "a number that does not parse",
            Self::BadTruth => "a value that is neither true nor false",
            Self::BadSentiment => "a sentiment that is neither -1 to 1 nor a known word",
            Self::BadTimeValue => "a time in an attribute that does not parse",
            Self::FieldCount => "wrong number of fields",
            Self::TooLong => "a value that is too long",
            Self::OpenQuote => "a quote that nothing closes before the end of the file",
            Self::NotUtf8 => "text that is not UTF-8",
            Self::NotJson => "a line that is not a JSON object",
            Self::NoIdentity => "a link without an identity",
            Self::BadIdentity => "a link of what is not an identity",
            Self::SameIdentity => "a link of the same identity twice",
            Self::BadConfidence => "a confidence that is not more than 0 and at most 1",
            Self::BadSaying => "neither row, link nor cut",
            Self::NoEventId => "no event id",
            Self::UnknownEvent => "an event id that no interaction has, or none of that customer",
            Self::NothingToAmend => "nothing that is to change",
        }
    }
}

/// Why and where in the row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    /// Why.
    pub(crate) reason: Reason,
    /// The header of the column concerned; empty where it is the whole row.
    pub(crate) column: String,
    /// What stood there, or what else is to be said.
    pub(crate) found: String,
}

impl Refusal {
    /// Of a whole row.
    pub(crate) fn row(reason: Reason, found: impl Into<String>) -> Self {
        Self { reason, column: String::new(), found: found.into() }
    }

    /// Of the value in a column.
    pub(crate) fn value(reason: Reason, column: &str, found: impl Into<String>) -> Self {
        Self { reason, column: column.to_owned(), found: found.into() }
    }
}

/// Where refused rows go.
#[derive(Debug)]
pub(crate) struct Rejects {
    path: PathBuf,
    strict: bool,
    writer: Option<csv::Writer<BufWriter<File>>>,
    /// Refused rows by reason.
    pub(crate) counts: BTreeMap<Reason, u64>,
}

impl Rejects {
    /// Refused rows are written to `path`, which is made with the first; where
    /// `strict`, the first is a failure instead.
    pub(crate) fn new(path: PathBuf, strict: bool) -> Self {
        Self { path, strict, writer: None, counts: BTreeMap::new() }
    }

    /// The file, where it was written.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.writer.as_ref().map(|_| self.path.as_path())
    }

    /// Refuses the row that begins at `line` of `file`.
    pub(crate) fn refuse(&mut self, file: &str, line: u64, refusal: &Refusal, raw: &str) -> Outcome<()> {
        if self.strict {
            let place =
                if refusal.column.is_empty() { String::new() } else { format!(" in `{}`", refusal.column) };
            let found = if refusal.found.is_empty() { String::new() } else { format!(": {}", refusal.found) };
            return Err(Failure::said(format!(
                "{file}, line {line}: {}{place}{found}; nothing was imported (--strict)",
                refusal.reason.words()
            )));
        }
        let unwritable = |error: csv::Error| {
            Failure::said(format!("cannot write the refused rows to {}: {error}", self.path.display()))
        };
        let writer = match &mut self.writer {
            Some(writer) => writer,
            slot => {
                let mut writer = csv::Writer::from_writer(BufWriter::new(files::create(&self.path)?));
                writer
                    .write_record(["file", "line", "reason", "column", "found", "row"])
                    .map_err(unwritable)?;
                slot.insert(writer)
            }
        };
        let line = line.to_string();
        writer
            .write_record([file, &line, refusal.reason.words(), &refusal.column, &refusal.found, raw])
            .map_err(unwritable)?;
        *self.counts.entry(refusal.reason).or_default() += 1;
        Ok(())
    }

    /// Writes out what is buffered.
    pub(crate) fn flush(&mut self) -> Outcome<()> {
        match &mut self.writer {
            Some(writer) => writer.flush().map_err(|error| files::failed("write", &self.path, &error)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_rows_are_counted_and_written() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let path = folder.path().join("r.csv");
        let mut rejects = Rejects::new(path.clone(), false);
        assert_eq!(rejects.path(), None);
        let refusal = Refusal::value(Reason::BadTime, "ts", "soon");
        rejects.refuse("a.csv", 7, &refusal, "crm:1,soon,\"x\"").expect("writes");
        rejects.flush().expect("flushes");
        assert_eq!((rejects.counts.get(&Reason::BadTime), rejects.path()), (Some(&1), Some(path.as_path())));
        assert_eq!(
            files::read_text(&path).expect("reads"),
            "file,line,reason,column,found,row\na.csv,7,a time that does not parse,ts,soon,\"crm:1,soon,\"\"x\"\"\"\n"
        );
    }

    #[test]
    fn strict_stops_at_the_first() {
        let mut rejects = Rejects::new(PathBuf::from("never/written"), true);
        let error =
            rejects.refuse("a.csv", 2, &Refusal::row(Reason::NoCustomer, ""), "x").expect_err("strict");
        assert!(error.to_string().starts_with("a.csv, line 2: no customer"), "{error}");
    }
}
