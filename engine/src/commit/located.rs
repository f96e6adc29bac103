//! Changes of interactions that were found, on their way into the history.

use crate::batch::{Batch, OwnedValue, ValueRef};
use crate::error::{Error, Result};
use crate::model::{Identity, Millis};
use crate::records::FrameRows;
use crate::records::amend::{FrameEdits, attributes_text};
use crate::schema::{AttrId, Schema, Subject};
use crate::strings::StringTable;

/// An interaction that is to be changed. What it is found by again never changes.
#[derive(Debug)]
pub(crate) struct LocatedEvent {
    /// Under which it came.
    pub identity: String,
    pub time: Millis,
    pub sequence: u64,
    pub event_id: String,
    /// Attributes and what they become; of a redaction the values do not count.
    pub values: Vec<(String, Option<OwnedValue>)>,
}

/// Interactions that one commit changes, each of them once.
#[derive(Debug)]
pub(crate) struct Located {
    /// [`AMEND`](crate::records::AMEND) or [`REDACT`](crate::records::REDACT).
    pub kind: u8,
    /// The attribute of their event ids.
    pub key: AttrId,
    pub events: Vec<LocatedEvent>,
}

impl Located {
    /// The frame to be written, and the schema where it needs another than there is.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value that does not fit its attribute; [`Error::Limit`] for too many
    /// attributes.
    pub(super) fn frame(&self, schema: &Schema) -> Result<(FrameEdits, Option<Schema>)> {
        let mut declared = schema.clone();
        let mut changed = false;
        let at = |event: &LocatedEvent, error: Error| {
            Error::invalid(format!("event `{}`: {error}", event.event_id))
        };
        for event in &self.events {
            for (name, value) in &event.values {
                if let (None, Some(value)) = (declared.find(Subject::Interaction, name), value) {
                    declared
                        .declare(Subject::Interaction, name, value.attr_type(), None)
                        .map_err(|error| at(event, error))?;
                    changed = true;
                }
            }
        }
        let mut batch = Batch::new(&declared);
        let (mut given, mut sets) = (Vec::with_capacity(self.events.len()), StringTable::default());
        for event in &self.events {
            let identity = Identity::parse(&event.identity).map_err(|error| at(event, error))?;
            batch.begin(&identity, event.time);
            batch.sequence(event.sequence);
            batch.set(self.key, ValueRef::Str(&event.event_id)).map_err(|error| at(event, error))?;
            let mut attrs: Vec<AttrId> = Vec::with_capacity(event.values.len());
            for (name, value) in &event.values {
                let Some(attribute) = declared.find(Subject::Interaction, name) else { continue };
                attrs.push(attribute.id);
                if let Some(value) = value {
                    batch
                        .set(attribute.id, value.as_ref())
                        .map_err(|error| at(event, Error::invalid(format!("{name}: {error}"))))?;
                }
            }
            attrs.sort_unstable();
            attrs.dedup();
            given.push(sets.try_intern(&attributes_text(attrs))? + 1);
        }
        let rows = FrameRows::from_batch(batch);
        let frame = FrameEdits { given, sets: sets.into_strings(), key: self.key, rows };
        Ok((frame, changed.then_some(declared)))
    }
}
