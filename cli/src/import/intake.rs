//! From rows of a source to batches of the engine: values are read by the
//! type of their attribute, rows that cannot be taken are refused, columns
//! nobody described get a type and, where a later value does not fit, a wider one.

mod also;
mod columnwise;
mod times;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::mpsc::{SyncSender, sync_channel};

use throughline::engine::{
    self, AttrId, AttrType, Batch, Identity, Link, Role, Said, Schema, Subject, ValueRef, limits,
};

use super::conversion::{Misfit, Scalar, as_written, convert, identity_text};
use super::infer::Sample;
use super::links::LinkTally;
use super::mapping::{ColumnRule, Mapping, Section, Target, check_complete, is_core};
use super::record::Record;
use super::rejects::{Reason, Refusal, Rejects};
use super::values::{Field, TimeRule, says_nothing};
use crate::failure::{Failure, Outcome};
use also::AlsoColumn;

/// Rows of a source that are looked at before its columns get their types.
pub(crate) const SAMPLE_ROWS: usize = 20_000;
/// Rows handed on at once.
const BATCH_ROWS: usize = 65_536;
/// Bytes handed on at once.
const BATCH_BYTES: usize = 32 << 20;

/// What the reading thread says to the one that holds the import.
pub(crate) enum Message {
    /// Take these rows.
    Rows(Section, Batch),
    /// Take these links; `again` where all of it is what another store was told.
    Said { said: Vec<(Said, Link)>, again: bool },
    /// Add an attribute or widen it.
    Declare(Declaration, SyncSender<engine::Result<(AttrId, Schema)>>),
}

/// An attribute that is to be there.
pub(crate) struct Declaration {
    pub(crate) subject: Subject,
    pub(crate) name: String,
    pub(crate) ty: AttrType,
    pub(crate) role: Option<Role>,
}

/// What has been read so far, over all files of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Data rows of interactions, the refused ones included.
    pub(crate) rows: u64,
    /// Data rows of customer attributes.
    pub(crate) customer_rows: u64,
    /// Of files of links.
    pub(crate) links: LinkTally,
    /// First and last time taken.
    pub(crate) span: Option<(i64, i64)>,
    /// What should be known about columns.
    pub(crate) notes: Vec<String>,
    /// Headers met, lower-cased, by section.
    pub(crate) met: [BTreeSet<String>; 2],
}

/// What lasts over the files of a run.
pub(crate) struct Intake<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) rejects: Rejects,
    pub(crate) tally: Tally,
    schema: Schema,
    bounds: RangeInclusive<i64>,
    now: i64,
    sender: SyncSender<Message>,
}

impl<'a> Intake<'a> {
    /// An intake that hands its batches to `sender`.
    pub(crate) fn new(
        mapping: &'a Mapping,
        rejects: Rejects,
        schema: Schema,
        bounds: RangeInclusive<i64>,
        now: i64,
        sender: SyncSender<Message>,
    ) -> Self {
        Self { mapping, rejects, tally: Tally::default(), schema, bounds, now, sender }
    }

    pub(super) fn send(&self, message: Message) -> Outcome<()> {
        // The other side only hangs up when it failed, and says why itself.
        self.sender.send(message).map_err(|_| Failure::AlreadySaid)
    }

    fn declare(&mut self, declaration: Declaration) -> Outcome<(AttrId, AttrType)> {
        let (reply, answer) = sync_channel(1);
        self.send(Message::Declare(declaration, reply))?;
        let (attr, schema) = answer.recv().map_err(|_| Failure::AlreadySaid)??;
        self.schema = schema;
        let ty = self.schema.get(attr).map_or(AttrType::Text, |attribute| attribute.ty);
        Ok((attr, ty))
    }
}

/// An attribute column of a source.
struct AttributeColumn {
    rule: ColumnRule,
    name: String,
    /// Its type stands: values that do not fit are refused.
    fixed: bool,
    slot: Option<(AttrId, AttrType)>,
    sample: Sample,
    sentiment: bool,
}

struct ConstantColumn {
    /// The place among `attributes` of a column that comes first.
    beside: Option<usize>,
    attr: AttrId,
    value: Scalar,
    text: String,
}

/// One source on its way in.
pub(crate) struct Table {
    file: String,
    section: Section,
    /// The source knows types, so its text is text.
    typed: bool,
    /// Values stand as they are.
    exact: bool,
    headers: Vec<String>,
    rules: Vec<ColumnRule>,
    attributes: Vec<AttributeColumn>,
    constants: Vec<ConstantColumn>,
    customer: Option<(usize, Option<String>, String)>,
    also: Vec<AlsoColumn>,
    time: Option<(usize, TimeRule, String)>,
    sequence: Option<(usize, String)>,
    recorded: Option<(usize, TimeRule, String)>,
    event_id: Option<usize>,
    scalars: Vec<Scalar>,
    batch: Batch,
    settled: bool,
    /// How often the type of a column has changed since it was settled.
    widenings: usize,
}

/// Where a row stands in time.
struct When {
    time: i64,
    sequence: Option<u64>,
    recorded: Option<i64>,
}

/// What became of a row on the first look.
enum Step {
    Ready(When),
    Refused(Refusal),
    Widen(usize, AttrType, String),
}

impl Table {
    /// A source called `file`.
    pub(crate) fn new(intake: &Intake<'_>, file: &str, section: Section, typed: bool) -> Self {
        Self {
            file: file.to_owned(),
            section,
            typed,
            exact: intake.mapping.exact,
            headers: Vec::new(),
            rules: Vec::new(),
            attributes: Vec::new(),
            constants: Vec::new(),
            customer: None,
            also: Vec::new(),
            time: None,
            sequence: None,
            recorded: None,
            event_id: None,
            scalars: Vec::new(),
            batch: Batch::new(&intake.schema),
            settled: false,
            widenings: 0,
        }
    }

    /// Adds columns, by header, in the order of the source.
    pub(crate) fn add_columns(&mut self, intake: &mut Intake<'_>, headers: &[String]) -> Outcome<()> {
        let first = self.headers.len();
        let placed: Vec<(usize, String)> =
            headers.iter().enumerate().map(|(place, header)| (first + place, header.clone())).collect();
        let mut notes = Vec::new();
        let rules = intake.mapping.rules(&placed, self.section, &self.rules, &mut notes)?;
        intake.tally.notes.extend(notes.into_iter().map(|note| format!("{}: {note}", self.file)));
        let met = &mut intake.tally.met[usize::from(self.section == Section::Customers)];
        met.extend(headers.iter().map(|header| header.trim().to_lowercase()));
        self.headers.extend(headers.iter().cloned());
        for rule in rules {
            self.rules.push(rule.clone());
            let header = rule.header.clone();
            match &rule.target {
                Target::Customer => self.customer = Some((rule.column, rule.namespace, header)),
                Target::Time => self.time = Some((rule.column, rule.time, header)),
                Target::Sequence => self.sequence = Some((rule.column, header)),
                Target::Recorded => self.recorded = Some((rule.column, rule.time, header)),
                Target::Also(_) => self.add_identity(rule)?,
                Target::Attribute(name) => {
                    let name = name.clone();
                    let interaction = self.section == Section::Interactions;
                    let role = intake.schema.find(self.subject(), &name).and_then(|attribute| attribute.role);
                    self.attributes.push(AttributeColumn {
                        fixed: rule.ty.is_some() || (interaction && is_core(&name)),
                        sentiment: interaction && !self.exact && rule.role.or(role) == Some(Role::Sentiment),
                        rule,
                        name,
                        slot: None,
                        sample: Sample::default(),
                    });
                }
            }
        }
        self.scalars.resize(self.attributes.len(), Scalar::Null);
        if self.settled { self.settle(intake) } else { Ok(()) }
    }

    /// Columns of the source that are read; the others need not be decoded.
    pub(crate) fn wanted(&self) -> BTreeSet<usize> {
        self.rules.iter().map(|rule| rule.column).collect()
    }

    fn subject(&self) -> Subject {
        match self.section {
            Section::Interactions => Subject::Interaction,
            Section::Customers => Subject::Customer,
        }
    }

    /// Looks at a row of the sample.
    pub(crate) fn sample(&mut self, record: &impl Record) {
        if record.width().is_some_and(|width| width != self.headers.len()) {
            return;
        }
        for column in self.attributes.iter_mut().filter(|column| !column.fixed) {
            column.sample.observe(record.field(column.rule.column), self.typed);
        }
    }

    /// Gives every column its type, after the sample. A column that was empty
    /// throughout waits for its first value.
    pub(crate) fn settle(&mut self, intake: &mut Intake<'_>) -> Outcome<()> {
        check_complete(intake.mapping, &self.rules, &self.headers, &self.file, self.section)?;
        // Rows taken before a late column are of the schema before it.
        self.flush(intake)?;
        self.settled = true;
        for place in 0..self.attributes.len() {
            self.settle_column(intake, place)?;
        }
        if self.section == Section::Interactions {
            self.event_id = intake.schema.role(Role::EventId).and_then(|event_id| {
                self.attributes
                    .iter()
                    .position(|column| column.slot.is_some_and(|(attr, _)| attr == event_id.id))
            });
            self.settle_constants(intake)?;
        }
        self.batch = Batch::new(&intake.schema);
        Ok(())
    }

    fn settle_column(&mut self, intake: &mut Intake<'_>, place: usize) -> Outcome<()> {
        let (subject, exact) = (self.subject(), self.exact);
        let Some(column) = self.attributes.get_mut(place) else { return Ok(()) };
        if column.slot.is_some() {
            return Ok(());
        }
        let known = intake.schema.find(subject, &column.name).map(|attribute| (attribute.id, attribute.ty));
        let core = subject == Subject::Interaction && is_core(&column.name);
        if let (true, Some((_, stored)), Some(wanted)) = (core, known, column.rule.ty)
            && stored != wanted
            && !exact
        {
            return Err(Failure::said(format!(
                "`{}` is of type {} in every store, so column `{}` cannot be {}; give it another attribute name in the map",
                column.name,
                stored.name(),
                column.rule.header,
                wanted.name()
            )));
        }
        let decided = column.rule.ty.or_else(|| column.sample.decide());
        let ty = match (known, decided) {
            (Some((attr, ty)), _)
                if core && column.rule.role.is_none() && decided.is_none_or(|seen| !exact || seen == ty) =>
            {
                column.slot = Some((attr, ty));
                return Ok(());
            }
            (Some((_, stored)), Some(seen)) if stored.is_string() && !seen.is_string() => stored,
            (Some((_, stored)), Some(seen)) => stored.widened(seen),
            (Some((_, stored)), None) => stored,
            (None, Some(seen)) => seen,
            (None, None) => return Ok(()),
        };
        let declaration = Declaration { subject, name: column.name.clone(), ty, role: column.rule.role };
        column.slot = Some(intake.declare(declaration)?);
        Ok(())
    }

    fn settle_constants(&mut self, intake: &mut Intake<'_>) -> Outcome<()> {
        self.constants.clear();
        for constant in &intake.mapping.constants {
            let known = intake
                .schema
                .find(Subject::Interaction, &constant.name)
                .map(|attribute| (attribute.id, attribute.ty));
            let (attr, ty) = match known {
                Some(known) => known,
                None => intake.declare(Declaration {
                    subject: Subject::Interaction,
                    name: constant.name.clone(),
                    ty: constant.ty,
                    role: None,
                })?,
            };
            let sentiment = intake.schema.get(attr).is_some_and(|found| found.role == Some(Role::Sentiment));
            let value =
                convert(Field::Str(&constant.text), ty, &TimeRule::default(), sentiment).map_err(|_| {
                    Failure::said(format!(
                        "the constant `{}` in the map must be {}",
                        constant.name,
                        ty.name()
                    ))
                })?;
            let beside =
                self.attributes.iter().position(|column| column.name.eq_ignore_ascii_case(&constant.name));
            self.constants.push(ConstantColumn { beside, attr, value, text: constant.text.clone() });
        }
        Ok(())
    }

    /// Takes the row that begins at `line`, or refuses it.
    pub(crate) fn take(&mut self, intake: &mut Intake<'_>, line: u64, record: &impl Record) -> Outcome<()> {
        let position = match self.section {
            Section::Interactions => &mut intake.tally.rows,
            Section::Customers => &mut intake.tally.customer_rows,
        };
        *position += 1;
        let position = *position;
        loop {
            match self.look(intake, record) {
                Step::Ready(when) => {
                    return match self.identities(record) {
                        Ok(customer) => self.keep(intake, record, &customer, when, position),
                        Err(refusal) => intake.rejects.refuse(&self.file, line, &refusal, &record.raw()),
                    };
                }
                Step::Refused(refusal) => {
                    return intake.rejects.refuse(&self.file, line, &refusal, &record.raw());
                }
                Step::Widen(place, ty, found) => self.widen(intake, place, ty, line, &found)?,
            }
        }
    }

    /// Refuses a row that could not even be split into fields.
    pub(crate) fn refuse(
        &self,
        intake: &mut Intake<'_>,
        line: u64,
        refusal: &Refusal,
        raw: &str,
    ) -> Outcome<()> {
        match self.section {
            Section::Interactions => intake.tally.rows += 1,
            Section::Customers => intake.tally.customer_rows += 1,
        }
        intake.rejects.refuse(&self.file, line, refusal, raw)
    }

    /// Hands on what is left.
    pub(crate) fn finish(mut self, intake: &mut Intake<'_>) -> Outcome<()> {
        self.flush(intake)
    }

    fn flush(&mut self, intake: &Intake<'_>) -> Outcome<()> {
        let batch = std::mem::replace(&mut self.batch, Batch::new(&intake.schema));
        if batch.is_empty() { Ok(()) } else { intake.send(Message::Rows(self.section, batch)) }
    }

    fn widen(
        &mut self,
        intake: &mut Intake<'_>,
        place: usize,
        ty: AttrType,
        line: u64,
        found: &str,
    ) -> Outcome<()> {
        self.flush(intake)?;
        self.widenings += 1;
        let subject = self.subject();
        let Some(column) = self.attributes.get_mut(place) else { return Ok(()) };
        let before = column.slot.map(|(_, ty)| ty);
        let declaration = Declaration { subject, name: column.name.clone(), ty, role: column.rule.role };
        let slot = intake.declare(declaration)?;
        column.slot = Some(slot);
        if let Some(before) = before {
            let found: String = found.chars().take(40).collect();
            intake.tally.notes.push(format!(
                "{}, line {line}: `{}` was {} and is {} from here on, because of `{found}`; a map file can fix its type",
                self.file,
                column.name,
                before.name(),
                slot.1.name()
            ));
        }
        self.batch = Batch::new(&intake.schema);
        Ok(())
    }

    /// Reads everything of a row that can be wrong, and keeps what was read.
    fn look(&mut self, intake: &Intake<'_>, record: &impl Record) -> Step {
        if let Some(width) = record.width()
            && width != self.headers.len()
        {
            let found = format!("{width} where the header has {}", self.headers.len());
            return Step::Refused(Refusal::row(Reason::FieldCount, found));
        }
        let time = match self.instant(intake, record) {
            Ok(time) => time,
            Err(refusal) => return Step::Refused(refusal),
        };
        let sequence = match &self.sequence {
            None => None,
            Some((column, header)) => {
                match convert(record.field(*column), AttrType::Int, &TimeRule::default(), false) {
                    Ok(Scalar::Null) => None,
                    Ok(Scalar::Int(number)) if number >= 0 => Some(number.unsigned_abs()),
                    _ => {
                        let found = shown(record.field(*column));
                        return Step::Refused(Refusal::value(Reason::BadNumber, header, found));
                    }
                }
            }
        };
        let recorded = match self.recorded(intake, record) {
            Ok(recorded) => recorded,
            Err(refusal) => return Step::Refused(refusal),
        };
        for (place, (column, scalar)) in self.attributes.iter().zip(&mut self.scalars).enumerate() {
            let field = record.field(column.rule.column);
            let Some((_, ty)) = column.slot else {
                // Empty so far: the first value decides.
                *scalar = Scalar::Null;
                let mut sample = Sample::default();
                sample.observe(field, self.typed);
                match sample.decide() {
                    None => continue,
                    Some(ty) => return Step::Widen(place, ty, String::new()),
                }
            };
            let written = if self.exact { as_written(field, ty) } else { None };
            let read = written.map_or_else(|| convert(field, ty, &column.rule.time, column.sentiment), Ok);
            *scalar = match read {
                Ok(scalar) => scalar,
                Err(misfit) => {
                    let found = shown(field);
                    return match (misfit, column.fixed) {
                        (Misfit::TooLong, _) => {
                            Step::Refused(Refusal::value(Reason::TooLong, &column.rule.header, ""))
                        }
                        (Misfit::Wider(ty), false) => Step::Widen(place, ty, found),
                        (Misfit::Wider(_), true) => {
                            let reason = reason_of(ty, column.sentiment);
                            Step::Refused(Refusal::value(reason, &column.rule.header, found))
                        }
                    };
                }
            };
        }
        Step::Ready(When { time, sequence, recorded })
    }

    fn identity(&self, record: &impl Record) -> Option<Result<Identity, Refusal>> {
        let (column, namespace, header) = self.customer.as_ref()?;
        let text = identity_text(record.field(*column));
        let text = text.trim();
        if says_nothing(text) {
            return Some(Err(Refusal::value(Reason::NoCustomer, header, text)));
        }
        let identity = match namespace {
            Some(namespace) => Identity::new(namespace, text),
            None => Identity::parse(text),
        };
        Some(identity.map_err(|error| {
            let found = error.to_string();
            Refusal::value(Reason::BadCustomer, header, found)
        }))
    }

    fn keep(
        &mut self,
        intake: &mut Intake<'_>,
        record: &impl Record,
        (customer, also): &(Identity, Vec<Identity>),
        When { time, sequence, recorded }: When,
        position: u64,
    ) -> Outcome<()> {
        self.batch.begin(customer, time);
        if let Some(recorded) = recorded {
            self.batch.recorded(recorded);
        }
        for identity in also {
            self.batch.also(identity.into())?;
        }
        let mut has_event_id = false;
        for (place, (column, scalar)) in self.attributes.iter().zip(&self.scalars).enumerate() {
            let Some((attr, ty)) = column.slot else { continue };
            let value = match scalar {
                Scalar::Null => continue,
                Scalar::AsItStands => match record.field(column.rule.column) {
                    Field::Str(text) if ty == AttrType::Text || self.exact => ValueRef::Str(text),
                    Field::Str(text) => ValueRef::Str(text.trim()),
                    _ => continue,
                },
                other => other.value(),
            };
            has_event_id |= self.event_id == Some(place);
            self.batch.set(attr, value)?;
        }
        for constant in &self.constants {
            let own = constant.beside.and_then(|place| self.scalars.get(place));
            if own.is_none_or(|scalar| *scalar == Scalar::Null) {
                let value = match &constant.value {
                    Scalar::AsItStands => ValueRef::Str(&constant.text),
                    other => other.value(),
                };
                self.batch.set(constant.attr, value)?;
            }
        }
        match sequence {
            Some(sequence) => self.batch.sequence(sequence),
            None if has_event_id => {}
            None => self.batch.sequence(position),
        }
        if self.section == Section::Interactions {
            let span = intake.tally.span.get_or_insert((time, time));
            *span = (span.0.min(time), span.1.max(time));
        }
        let rows = self.batch.len();
        if rows >= BATCH_ROWS || (rows.is_multiple_of(1_024) && self.batch.memory_bytes() > BATCH_BYTES) {
            self.flush(intake)?;
        }
        Ok(())
    }
}

fn reason_of(ty: AttrType, sentiment: bool) -> Reason {
    match ty {
        _ if sentiment => Reason::BadSentiment,
        AttrType::Bool => Reason::BadTruth,
        AttrType::Time => Reason::BadTimeValue,
        _ => Reason::BadNumber,
    }
}

fn shown(field: Field<'_>) -> String {
    let mut text = identity_text(field).into_owned();
    if text.len() > 200 {
        let end = (0..=200).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The longest value that is taken, in bytes.
pub(crate) const VALUE_BYTES: usize = limits::VALUE_BYTES_MAX;
