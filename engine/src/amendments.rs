//! What interactions should have been: amendments and redactions.

use crate::batch::OwnedValue;
use crate::model::{Identity, IdentityOrdinal};

/// Says what an interaction should have been, as was found out later: its topic, that it was resolved.
///
/// ```
/// # fn main() -> Result<(), throughline_engine::Error> {
/// use throughline_engine::{Amendment, Identity};
///
/// let amendment = Amendment::new("e-17").of(Identity::parse("crm:42")?).set("topic", "billing").clear("agent");
/// # let _ = amendment;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Amendment {
    pub(crate) event_id: String,
    pub(crate) customer: Option<Identity>,
    pub(crate) values: Vec<(String, Option<OwnedValue>)>,
}

impl Amendment {
    /// An amendment of the interaction with that event id.
    pub fn new(event_id: impl Into<String>) -> Self {
        Self { event_id: event_id.into(), customer: None, values: Vec::new() }
    }

    /// With an identity of the customer whose interaction it is. Then that customer's journey is
    /// searched for it, and not the whole store.
    #[must_use]
    pub fn of(mut self, customer: Identity) -> Self {
        self.customer = Some(customer);
        self
    }

    /// Sets an attribute; one the store does not have yet is added, with the type of the value. The
    /// empty text is no value, as [`Amendment::clear`].
    #[must_use]
    pub fn set(mut self, attribute: impl Into<String>, value: impl Into<OwnedValue>) -> Self {
        let value = match value.into() {
            OwnedValue::Str(text) if text.is_empty() => None,
            value => Some(value),
        };
        self.values.push((attribute.into(), value));
        self
    }

    /// Leaves an attribute without a value.
    #[must_use]
    pub fn clear(mut self, attribute: impl Into<String>) -> Self {
        self.values.push((attribute.into(), None));
        self
    }
}

/// Says that values of an interaction are not to be known any more, at whatever time is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    pub(crate) event_id: String,
    pub(crate) customer: Option<Identity>,
    pub(crate) attributes: Vec<String>,
}

impl Redaction {
    /// A redaction of some attributes of the interaction with that event id.
    pub fn new(event_id: impl Into<String>, attributes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let attributes = attributes.into_iter().map(Into::into).collect();
        Self { event_id: event_id.into(), customer: None, attributes }
    }

    /// As [`Amendment::of`].
    #[must_use]
    pub fn of(mut self, customer: Identity) -> Self {
        self.customer = Some(customer);
        self
    }
}

/// What became of one amendment or redaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrected {
    /// The store, or the customer that was named, has no interaction with that event id.
    Unknown,
    /// All was so already. The interaction came under that identity.
    Unchanged(IdentityOrdinal),
    /// It was changed. The interaction came under that identity.
    Changed(IdentityOrdinal),
}

/// What amendments or redactions came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrections {
    /// The commit that made them; the last one there was where nothing changed.
    pub commit: u64,
    /// What became of each, in the order they were given in.
    pub events: Vec<Corrected>,
}

impl Corrections {
    /// How many changed an interaction.
    pub fn changed(&self) -> u64 {
        self.events.iter().filter(|event| matches!(event, Corrected::Changed(_))).count() as u64
    }

    /// How many found an interaction that was so already.
    pub fn unchanged(&self) -> u64 {
        self.events.iter().filter(|event| matches!(event, Corrected::Unchanged(_))).count() as u64
    }

    /// How many found none.
    pub fn unknown(&self) -> u64 {
        self.events.iter().filter(|event| **event == Corrected::Unknown).count() as u64
    }
}
