//! Files of links: which identities are of one customer, how certainly, and who says so.

use std::collections::BTreeSet;

use throughline::engine::{Identity, Link, Said};

use super::conversion::identity_text;
use super::intake::{Intake, Message};
use super::mapping::links::{End, LinkColumns};
use super::record::Record;
use super::rejects::{Reason, Refusal};
use super::taking::Taking;
use super::values::{Field, parse_float, says_nothing};
use crate::failure::Outcome;

/// Links handed on at once.
const LINKS: usize = 65_536;

/// What has been read of files of links.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkTally {
    /// Data rows, the refused ones included.
    pub(crate) rows: u64,
    /// Headers met, lower-cased.
    pub(crate) met: BTreeSet<String>,
}

/// A file of links on its way in.
pub(crate) struct LinkTable {
    file: String,
    /// Who says so where no column says it.
    source: String,
    headers: Vec<String>,
    columns: LinkColumns,
    links: Vec<(Said, Link)>,
}

impl LinkTable {
    /// A source called `file`.
    pub(crate) fn new(intake: &Intake<'_>, file: &str) -> Self {
        // A file that lies in another folder today says what it said yesterday.
        let name = std::path::Path::new(file).file_name().map(|name| name.to_string_lossy().into_owned());
        let source = intake.mapping.links.source.clone().or(name).unwrap_or_else(|| file.to_owned());
        Self {
            file: file.to_owned(),
            source,
            headers: Vec::new(),
            columns: LinkColumns::default(),
            links: Vec::new(),
        }
    }

    fn read(&self, record: &impl Record) -> Result<(Said, Link), Refusal> {
        if let Some(width) = record.width()
            && width != self.headers.len()
        {
            let found = format!("{width} where the header has {}", self.headers.len());
            return Err(Refusal::row(Reason::FieldCount, found));
        }
        let one = identity(record, self.columns.one.as_ref())?;
        let other = identity(record, self.columns.other.as_ref())?;
        let named = one.as_str().to_owned();
        let link = Link::new(one, other).map_err(|_| Refusal::row(Reason::SameIdentity, named))?;
        let said = self.said(record)?;
        let link = match confidence(record, &self.columns)? {
            Some(confidence) if said == Said::Link => link.with_confidence(confidence).map_err(|_| {
                let (_, header) = self.columns.confidence.as_ref().cloned().unwrap_or_default();
                Refusal::value(Reason::BadConfidence, &header, confidence.to_string())
            })?,
            _ => link,
        };
        let source = self.columns.source.as_ref().map(|(column, _)| identity_text(record.field(*column)));
        Ok(match source {
            // An export says itself where nobody said who it was.
            Some(source) if !says_nothing(&source) || self.columns.said.is_some() => {
                (said, link.with_source(source))
            }
            _ => (said, link.with_source(&self.source)),
        })
    }

    fn said(&self, record: &impl Record) -> Result<Said, Refusal> {
        let Some((column, header)) = &self.columns.said else { return Ok(Said::Link) };
        let text = identity_text(record.field(*column));
        match &*text {
            "row" => Ok(Said::Row),
            "link" => Ok(Said::Link),
            "cut" => Ok(Said::Cut),
            _ => Err(Refusal::value(Reason::BadSaying, header, text)),
        }
    }

    fn flush(&mut self, intake: &Intake<'_>) -> Outcome<()> {
        let said = std::mem::take(&mut self.links);
        if said.is_empty() {
            return Ok(());
        }
        intake.send(Message::Said { said, again: self.columns.said.is_some() })
    }
}

impl Taking for LinkTable {
    fn add_columns(&mut self, intake: &mut Intake<'_>, headers: &[String]) -> Outcome<()> {
        intake.tally.links.met.extend(headers.iter().map(|header| header.trim().to_lowercase()));
        self.headers.extend(headers.iter().cloned());
        self.columns = intake.mapping.links.columns(&self.headers, intake.mapping.exact);
        Ok(())
    }

    fn wanted(&self) -> BTreeSet<usize> {
        self.columns.wanted()
    }

    fn sample(&mut self, _record: &impl Record) {}

    fn settle(&mut self, intake: &mut Intake<'_>) -> Outcome<()> {
        let notes = intake.mapping.links.check(&self.columns, &self.headers, &self.file)?;
        intake.tally.notes.extend(notes.into_iter().map(|note| format!("{}: {note}", self.file)));
        Ok(())
    }

    fn take(&mut self, intake: &mut Intake<'_>, line: u64, record: &impl Record) -> Outcome<()> {
        intake.tally.links.rows += 1;
        match self.read(record) {
            Err(refusal) => return intake.rejects.refuse(&self.file, line, &refusal, &record.raw()),
            Ok(link) => self.links.push(link),
        }
        if self.links.len() == LINKS { self.flush(intake) } else { Ok(()) }
    }

    fn refuse(&self, intake: &mut Intake<'_>, line: u64, refusal: &Refusal, raw: &str) -> Outcome<()> {
        intake.tally.links.rows += 1;
        intake.rejects.refuse(&self.file, line, refusal, raw)
    }

    fn finish(mut self, intake: &mut Intake<'_>) -> Outcome<()> {
        self.flush(intake)
    }
}

fn identity(record: &impl Record, end: Option<&End>) -> Result<Identity, Refusal> {
    let Some(End { column, namespace, header }) = end else {
        return Err(Refusal::row(Reason::NoIdentity, ""));
    };
    let text = identity_text(record.field(*column));
    let text = text.trim();
    if says_nothing(text) {
        return Err(Refusal::value(Reason::NoIdentity, header, text));
    }
    let identity = match namespace {
        Some(namespace) => Identity::new(namespace, text),
        None => Identity::parse(text),
    };
    identity.map_err(|error| Refusal::value(Reason::BadIdentity, header, error.to_string()))
}

/// The confidence where one is given.
fn confidence(record: &impl Record, columns: &LinkColumns) -> Result<Option<f64>, Refusal> {
    let Some((column, header)) = &columns.confidence else { return Ok(None) };
    match record.field(*column) {
        Field::Null => Ok(None),
        Field::Int(number) => Ok(Some(number as f64)),
        Field::Float(number) if number.is_nan() => Ok(None),
        Field::Float(number) => Ok(Some(number)),
        Field::Str(text) if says_nothing(text) => Ok(None),
        field => {
            let text = identity_text(field);
            let number = parse_float(&text);
            number.map(Some).ok_or_else(|| Refusal::value(Reason::BadConfidence, header, text))
        }
    }
}
