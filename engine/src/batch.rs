//! Interactions on their way in.

mod also;
mod many;

use crate::error::{Error, Result};
use crate::limits::{TIME_MIN_MS, VALUE_BYTES_MAX};
use crate::model::{Identity, IdentityRef, Millis};
use crate::schema::{AttrId, AttrType, Role, Schema};
use crate::strings::StringTable;
use also::Also;
pub(crate) use also::Carried;

/// A value on its way in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// For symbol, id and text attributes. The empty string is NULL.
    Str(&'a str),
    /// A whole number.
    Int(i64),
    /// A number; NaN is refused.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Milliseconds since 1970 UTC.
    Time(Millis),
}

impl ValueRef<'_> {
    /// As it is written where an attribute holds text.
    pub(crate) fn to_text(self) -> String {
        text_of(self)
    }
}

/// One interaction, for applications that append a few at a time.
///
/// ```
/// use throughline_engine::Interaction;
/// let call = Interaction::new("crm:42", 1_767_225_600_000)
///     .channel("phone").kind("complaint").topic("billing").set("resolved", false);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Interaction {
    pub(crate) identity: String,
    pub(crate) also: Vec<String>,
    pub(crate) time: Millis,
    pub(crate) sequence: Option<u64>,
    pub(crate) values: Vec<(String, OwnedValue)>,
}

/// A value held by an [`Interaction`].
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedValue {
    /// For symbol, id and text attributes.
    Str(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
}

impl OwnedValue {
    /// The type an attribute gets that is first seen with this value.
    pub(crate) fn attr_type(&self) -> AttrType {
        match self {
            Self::Str(_) => AttrType::Symbol,
            Self::Int(_) => AttrType::Int,
            Self::Float(_) => AttrType::Float,
            Self::Bool(_) => AttrType::Bool,
        }
    }

    pub(crate) fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Str(text) => ValueRef::Str(text),
            Self::Int(number) => ValueRef::Int(*number),
            Self::Float(number) => ValueRef::Float(*number),
            Self::Bool(truth) => ValueRef::Bool(*truth),
        }
    }
}

impl From<&str> for OwnedValue {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for OwnedValue {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<i64> for OwnedValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for OwnedValue {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for OwnedValue {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl Interaction {
    /// An interaction of `identity` (`namespace:key`) at `time`, in
    /// milliseconds since 1970 UTC. A malformed identity is refused when it is
    /// appended.
    pub fn new(identity: impl Into<String>, time: Millis) -> Self {
        Self { identity: identity.into(), also: Vec::new(), time, sequence: None, values: Vec::new() }
    }

    /// Another identity that it carries: the telephone of a caller who gave a customer number. It
    /// comes under the most trusted of all, by [`Guards::primary`](crate::Guards::primary), and
    /// every two of them are evidence that they are of one customer. May be said several times.
    ///
    /// ```
    /// use throughline_engine::Interaction;
    /// let call = Interaction::new("phone:+4420", 1_767_225_600_000).also("crm:42").kind("call");
    /// ```
    #[must_use]
    pub fn also(mut self, identity: impl Into<String>) -> Self {
        self.also.push(identity.into());
        self
    }

    /// Orders it among interactions of the same time; the order of appending
    /// where it is not given.
    #[must_use]
    pub fn sequence(mut self, sequence: u64) -> Self {
        self.sequence = Some(sequence);
        self
    }

    /// Sets any attribute; one the store does not have yet is added, with the
    /// type of the value.
    #[must_use]
    pub fn set(mut self, attribute: impl Into<String>, value: impl Into<OwnedValue>) -> Self {
        self.values.push((attribute.into(), value.into()));
        self
    }

    /// Where it happened: phone, e-mail, twitter.
    #[must_use]
    pub fn channel(self, value: &str) -> Self {
        self.set(Role::Channel.name(), value)
    }

    /// What it was: complaint, call, review.
    #[must_use]
    pub fn kind(self, value: &str) -> Self {
        self.set(Role::Kind.name(), value)
    }

    /// What it was about.
    #[must_use]
    pub fn topic(self, value: &str) -> Self {
        self.set(Role::Topic.name(), value)
    }

    /// The stage of the lifecycle.
    #[must_use]
    pub fn stage(self, value: &str) -> Self {
        self.set(Role::Stage.name(), value)
    }

    /// The case or ticket it belongs to.
    #[must_use]
    pub fn case(self, value: &str) -> Self {
        self.set(Role::Case.name(), value)
    }

    /// The source's own number of this event; the same one twice is stored once.
    #[must_use]
    pub fn event_id(self, value: &str) -> Self {
        self.set(Role::EventId.name(), value)
    }
}

/// Values of one attribute on their way in. Text codes are 1 + the number in
/// `table`, 0 is NULL. Shorter than the batch where the rest is NULL.
#[derive(Clone, Debug)]
pub(crate) enum BatchColumn {
    Str { codes: Vec<u32>, table: StringTable },
    Int { values: Vec<i64>, valid: Vec<bool> },
    Float { values: Vec<f64>, valid: Vec<bool> },
}

/// Many interactions on their way in, column by column.
///
/// Begin a row with [`Batch::begin`], then set its values.
#[derive(Clone, Debug)]
pub struct Batch {
    types: Vec<AttrType>,
    event_id: Option<AttrId>,
    pub(crate) identities: StringTable,
    pub(crate) identity_codes: Vec<u32>,
    also: Option<Box<Also>>,
    pub(crate) times: Vec<Millis>,
    pub(crate) sequences: Vec<Option<u64>>,
    /// Shorter than the batch where the rest has none of its own.
    pub(crate) recorded: Vec<Option<Millis>>,
    pub(crate) columns: Vec<Option<BatchColumn>>,
}

impl Batch {
    /// An empty batch whose values take the types of `schema`.
    pub fn new(schema: &Schema) -> Self {
        Self {
            types: schema.attributes().iter().map(|attribute| attribute.ty).collect(),
            event_id: schema.role(Role::EventId).map(|attribute| attribute.id),
            identities: StringTable::default(),
            identity_codes: Vec::new(),
            also: None,
            times: Vec::new(),
            sequences: Vec::new(),
            recorded: Vec::new(),
            columns: vec![None; schema.attributes().len()],
        }
    }

    /// How many interactions.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Bytes held, roughly.
    pub fn memory_bytes(&self) -> usize {
        let columns: usize = self
            .columns
            .iter()
            .flatten()
            .map(|column| match column {
                BatchColumn::Str { codes, table } => codes.capacity() * 4 + table.memory_bytes(),
                BatchColumn::Int { values, .. } => values.capacity() * 9,
                BatchColumn::Float { values, .. } => values.capacity() * 9,
            })
            .sum();
        let also = self.also.as_ref().map_or(0, |also| also.memory_bytes());
        let own = self.times.capacity() * 28 + self.recorded.capacity() * 16;
        columns + also + self.identities.memory_bytes() + own
    }

    /// Begins an interaction.
    pub fn begin(&mut self, identity: &Identity, time: Millis) {
        self.begin_by_ref(identity.into(), time);
    }

    /// As [`Batch::begin`].
    pub fn begin_by_ref(&mut self, identity: IdentityRef<'_>, time: Millis) {
        let code = self.identities.intern(identity.as_str());
        self.identity_codes.push(code);
        self.times.push(time);
        self.sequences.push(None);
    }

    /// Sets the sequence of the interaction begun last: its order among
    /// interactions of one time. Importers give the mapped column, or the
    /// position in the file.
    pub fn sequence(&mut self, sequence: u64) {
        if let Some(last) = self.sequences.last_mut() {
            *last = Some(sequence);
        }
    }

    /// Sets when the row begun last was recorded, where that is not when it is imported: what
    /// [`Snapshot::as_of`](crate::Snapshot::as_of) goes by. It must not lie in the future.
    pub fn recorded(&mut self, at: Millis) {
        if let Some(last) = self.len().checked_sub(1) {
            self.recorded.resize(last, None);
            self.recorded.push(Some(at));
        }
    }

    /// Sets a value of the interaction begun last. An int is taken as a float,
    /// and any value as text, where the attribute is of that type.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the value does not fit the attribute's type or
    /// no row was begun, [`Error::Limit`] where it is too long. The row then
    /// stands without the value.
    pub fn set(&mut self, attr: AttrId, value: ValueRef<'_>) -> Result<()> {
        let place = usize::from(attr.0);
        let Some(row) = self.len().checked_sub(1) else {
            return Err(Error::invalid("begin a row before setting its values"));
        };
        let (Some(&ty), Some(slot)) = (self.types.get(place), self.columns.get_mut(place)) else {
            return Err(Error::invalid(format!("the schema has no attribute number {}", attr.0)));
        };
        let number;
        let value = match (ty, value) {
            (AttrType::Symbol | AttrType::Id | AttrType::Text, ValueRef::Str(text)) => ValueRef::Str(text),
            (AttrType::Symbol | AttrType::Id | AttrType::Text, other) => {
                number = text_of(other);
                ValueRef::Str(&number)
            }
            (AttrType::Int, ValueRef::Int(_))
            | (AttrType::Float, ValueRef::Float(_))
            | (AttrType::Bool, ValueRef::Bool(_))
            | (AttrType::Time, ValueRef::Time(_)) => value,
            (AttrType::Float, ValueRef::Int(int)) => ValueRef::Float(int as f64),
            (AttrType::Time, ValueRef::Int(int)) => ValueRef::Time(int),
            (_, ValueRef::Str("")) => return Ok(()),
            (ty, other) => {
                return Err(Error::invalid(format!("`{}` is not {}", text_of(other), described(ty))));
            }
        };
        match value {
            ValueRef::Str(text) => {
                if text.is_empty() {
                    return Ok(());
                }
                if text.len() > VALUE_BYTES_MAX {
                    return Err(Error::Limit {
                        what: "bytes in a value",
                        value: text.len() as u64,
                        limit: VALUE_BYTES_MAX as u64,
                    });
                }
                let column = slot.get_or_insert_with(|| BatchColumn::Str {
                    codes: Vec::new(),
                    table: StringTable::default(),
                });
                if let BatchColumn::Str { codes, table } = column {
                    codes.resize(row + 1, 0);
                    if let Some(code) = codes.last_mut() {
                        *code = table.try_intern(text)? + 1;
                    }
                }
            }
            ValueRef::Float(float) => {
                if float.is_nan() {
                    return Err(Error::invalid("NaN is not a number a value can have"));
                }
                let column =
                    slot.get_or_insert_with(|| BatchColumn::Float { values: Vec::new(), valid: Vec::new() });
                if let BatchColumn::Float { values, valid } = column {
                    // -0.0 equals 0.0, so it is stored as 0.0: equal values, equal bytes.
                    set_last(values, valid, row, float + 0.0);
                }
            }
            ValueRef::Int(int) | ValueRef::Time(int) => set_int(slot, row, int),
            ValueRef::Bool(truth) => set_int(slot, row, i64::from(truth)),
        }
        Ok(())
    }

    /// Whether the interaction at `row` carries the source's event id.
    pub(crate) fn has_event_id(&self, row: usize) -> bool {
        let column = self.event_id.and_then(|id| self.columns.get(usize::from(id.0)));
        match column {
            Some(Some(BatchColumn::Str { codes, .. })) => codes.get(row).is_some_and(|&code| code != 0),
            _ => false,
        }
    }
}

/// Checks when a row says that it was recorded.
///
/// # Errors
/// [`Error::Invalid`] where that is before 1900 or after `now`.
pub(crate) fn check_recorded(recorded: Millis, now: Millis) -> Result<()> {
    if recorded < TIME_MIN_MS {
        return Err(Error::invalid(format!("recording time {recorded} ms is before 1900")));
    }
    if recorded > now {
        return Err(Error::invalid(format!(
            "recording time {recorded} ms is after now, {now} ms: a clock error?"
        )));
    }
    Ok(())
}

fn set_int(slot: &mut Option<BatchColumn>, row: usize, int: i64) {
    let column = slot.get_or_insert_with(|| BatchColumn::Int { values: Vec::new(), valid: Vec::new() });
    if let BatchColumn::Int { values, valid } = column {
        set_last(values, valid, row, int);
    }
}

/// Sets the value of `row`, the last one; rows without a value before it are NULL.
fn set_last<T: Copy + Default>(values: &mut Vec<T>, valid: &mut Vec<bool>, row: usize, value: T) {
    values.resize(row, T::default());
    valid.resize(row, false);
    values.push(value);
    valid.push(true);
}

fn text_of(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Str(text) => text.to_owned(),
        ValueRef::Int(int) | ValueRef::Time(int) => int.to_string(),
        ValueRef::Float(float) => float.to_string(),
        ValueRef::Bool(truth) => truth.to_string(),
    }
}

fn described(ty: AttrType) -> &'static str {
    match ty {
        AttrType::Int => "a whole number",
        AttrType::Float => "a number",
        AttrType::Bool => "true or false",
        AttrType::Time => "a time",
        AttrType::Symbol | AttrType::Id | AttrType::Text => "text",
    }
}

/// Checks a time against the horizon.
///
/// # Errors
/// [`Error::Invalid`] where it is before 1900 or after `latest`.
pub(crate) fn check_time(time: Millis, latest: Millis) -> Result<()> {
    if time < TIME_MIN_MS {
        return Err(Error::invalid(format!("time {time} ms is before 1900")));
    }
    if time > latest {
        return Err(Error::invalid(format!(
            "time {time} ms is after the horizon of {latest} ms: a clock error? Raise `horizon` to take it"
        )));
    }
    Ok(())
}
