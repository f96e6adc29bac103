//! Stores of synthetic journeys, in temporary folders.

use tempfile::TempDir;
use throughline::engine::{Batch, Db, Error, Identity, Import, Interaction, Result, Role, Schema, ValueRef};

use crate::journeys::{Contact, journeys};

/// Interactions handed to an import at once.
const PUSHED: usize = 1 << 16;

/// How many customers to generate: `THROUGHLINE_BENCH_CUSTOMERS`, else 20,000.
pub fn customers() -> u32 {
    std::env::var("THROUGHLINE_BENCH_CUSTOMERS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// A store, and the folder that goes with it when it is dropped.
#[derive(Debug)]
pub struct Store {
    /// The open store.
    pub db: Db,
    /// Its folder.
    pub folder: TempDir,
}

impl Store {
    /// An empty store.
    ///
    /// # Errors
    /// What the disk answers.
    pub fn empty() -> Result<Self> {
        let folder = TempDir::new()
            .map_err(|error| Error::invalid(format!("cannot make a temporary folder: {error}")))?;
        Ok(Self { db: Db::open(folder.path())?, folder })
    }

    /// A store of [`customers`] journeys, imported and sealed.
    ///
    /// # Errors
    /// What the disk answers.
    pub fn generated() -> Result<Self> {
        let store = Self::empty()?;
        fill(&store.db, &journeys(customers()))?;
        Ok(store)
    }
}

/// Imports journeys in one commit.
///
/// # Errors
/// As [`Import::push`] and [`Import::commit`].
pub fn fill(db: &Db, contacts: &[Contact]) -> Result<()> {
    let mut import = db.import("synthetic")?;
    let schema = import.schema().clone();
    for (part, contacts) in contacts.chunks(PUSHED).enumerate() {
        push(&mut import, &schema, part * PUSHED, contacts)?;
    }
    import.commit().map(drop)
}

fn push(import: &mut Import<'_>, schema: &Schema, first: usize, contacts: &[Contact]) -> Result<()> {
    let mut batch = Batch::new(schema);
    for (place, contact) in contacts.iter().enumerate() {
        batch.begin(&Identity::new("crm", &contact.customer.to_string())?, contact.time);
        batch.sequence((first + place) as u64);
        let mut set = |role: Role, value: ValueRef<'_>| match schema.role(role) {
            Some(attribute) => batch.set(attribute.id, value),
            None => Ok(()),
        };
        set(Role::Kind, ValueRef::Str(contact.kind))?;
        set(Role::Channel, ValueRef::Str(contact.channel))?;
        if let Some(topic) = contact.topic {
            set(Role::Topic, ValueRef::Str(topic))?;
        }
        if let Some((agent, case)) = contact.answered {
            set(Role::Agent, ValueRef::Str(&format!("agent {agent:03}")))?;
            set(Role::Case, ValueRef::Str(&format!("case-{case:08}")))?;
        }
        if let Some(sentiment) = contact.sentiment {
            set(Role::Sentiment, ValueRef::Float(sentiment))?;
        }
        if let Some(resolved) = contact.resolved {
            set(Role::Resolved, ValueRef::Bool(resolved))?;
        }
    }
    import.push(batch).map(drop)
}

/// A contact as an application would append it.
pub fn interaction(contact: &Contact) -> Interaction {
    let mut interaction = Interaction::new(format!("crm:{}", contact.customer), contact.time)
        .kind(contact.kind)
        .channel(contact.channel);
    if let Some(topic) = contact.topic {
        interaction = interaction.topic(topic);
    }
    if let Some((agent, case)) = contact.answered {
        interaction = interaction.set("agent", format!("agent {agent:03}")).case(&format!("case-{case:08}"));
    }
    if let Some(sentiment) = contact.sentiment {
        interaction = interaction.set("sentiment", sentiment);
    }
    if let Some(resolved) = contact.resolved {
        interaction = interaction.set("resolved", resolved);
    }
    interaction
}
