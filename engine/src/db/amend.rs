//! Saying what interactions should have been.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::Db;
use crate::amendments::{Amendment, Corrected, Corrections, Redaction};
use crate::batch::{OwnedValue, ValueRef};
use crate::column::Column;
use crate::commit::{Located, LocatedEvent, Ticket};
use crate::digest;
use crate::error::{Error, Result};
use crate::limits::BATCH_INTERACTIONS_MAX;
use crate::merge::Rows;
use crate::model::{CustomerOrdinal, Identity, IdentityOrdinal};
use crate::records::{AMEND, REDACT};
use crate::schema::{AttrId, Role, Schema, Subject};
use crate::snapshot::Snapshot;

/// One thing that is asked for.
struct Asked {
    event_id: String,
    customer: Option<Identity>,
    values: Vec<(String, Option<OwnedValue>)>,
}

impl Db {
    /// Amends interactions, in one commit: sets attributes to what was found out later. Who asks
    /// [as of](Snapshot::as_of) a time before sees what they were. Whose an interaction is, its time,
    /// sequence and event id stay what they are.
    ///
    /// An interaction is found by its event id. Where an amendment names the customer one journey is
    /// read; else the event ids of the whole store are searched, once for all of them. Of two values
    /// for one attribute the last counts. What was so already is not written again.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an amendment of nothing or of the event id, and for a value that does not
    /// fit its attribute; [`Error::Limit`] for more than `limits::BATCH_INTERACTIONS_MAX`; as
    /// [`Db::append`] and [`Snapshot::read`]. An event id that is unknown is no error: see
    /// [`Corrections::events`].
    pub fn amend(&self, amendments: impl IntoIterator<Item = Amendment>) -> Result<Corrections> {
        let asked = amendments.into_iter().map(|Amendment { event_id, customer, values }| Asked {
            event_id,
            customer,
            values,
        });
        self.correct(AMEND, asked.collect())
    }

    /// Removes values of interactions, in one commit, so that no answer has them, whatever time is
    /// asked about. The files keep them until they are written anew ([`Db::vacuum`]), and so does
    /// the dictionary of a symbol attribute, without whose the value was.
    ///
    /// # Errors
    /// As [`Db::amend`]; [`Error::Invalid`] for an attribute that the store does not have.
    pub fn redact(&self, redactions: impl IntoIterator<Item = Redaction>) -> Result<Corrections> {
        let asked = redactions.into_iter().map(|Redaction { event_id, customer, attributes }| Asked {
            event_id,
            customer,
            values: attributes.into_iter().map(|attribute| (attribute, None)).collect(),
        });
        self.correct(REDACT, asked.collect())
    }

    fn correct(&self, kind: u8, asked: Vec<Asked>) -> Result<Corrections> {
        self.check_may_write()?;
        if asked.len() > BATCH_INTERACTIONS_MAX {
            return Err(Error::Limit {
                what: "amendments at once",
                value: asked.len() as u64,
                limit: BATCH_INTERACTIONS_MAX as u64,
            });
        }
        let snapshot = self.snapshot();
        let attrs = attributes(kind, &asked, snapshot.schema())?;
        let known = self.known_events(&asked)?;
        let found = find(&snapshot, &asked, &known, &attrs)?;
        let found = Found::of(&snapshot, found)?;
        let (events, located) = outcomes(kind, &snapshot, asked, &found)?;
        let key = snapshot.schema().role(Role::EventId).map(|attribute| attribute.id);
        let Some(key) = key.filter(|_| !located.is_empty()) else {
            return Ok(Corrections { commit: snapshot.commit(), events });
        };
        let commit = self.commit(Ticket::edits(Located { kind, key, events: located }))?;
        Ok(Corrections { commit: commit.number, events })
    }

    /// Of each whether its event id was ever recorded.
    fn known_events(&self, asked: &[Asked]) -> Result<Vec<bool>> {
        let mut writer = self.writer.lock();
        let key = writer.state.store_key;
        let keys: Vec<u128> = asked.iter().map(|asked| digest::event_key(key, &asked.event_id)).collect();
        let chunks = Arc::clone(writer.state.chunks());
        writer.state.seen.contains(&chunks, &keys)
    }
}

/// The attributes that are asked about, as far as there are any yet.
fn attributes(kind: u8, asked: &[Asked], schema: &Schema) -> Result<Vec<AttrId>> {
    let mut attrs = Vec::new();
    // Names come again and again, and there are few.
    let mut names: HashSet<&str> = HashSet::new();
    for asked in asked {
        let at = |what: &str| Error::invalid(format!("event `{}`: {what}", asked.event_id));
        if asked.event_id.is_empty() {
            return Err(Error::invalid("an amendment needs the event id of an interaction"));
        }
        if asked.values.is_empty() {
            return Err(at("name an attribute that is to change"));
        }
        for (name, _) in &asked.values {
            if !names.insert(name) {
                continue;
            }
            match schema.find(Subject::Interaction, name) {
                Some(attribute) if attribute.role == Some(Role::EventId) => {
                    return Err(at(&format!(
                        "`{name}` is what an interaction is known by and stays what it is: record another \
                         interaction with the right one"
                    )));
                }
                Some(attribute) => attrs.push(attribute.id),
                None if kind == REDACT => {
                    return Err(at(&format!("there is no attribute `{name}` of interactions")));
                }
                None => {}
            }
        }
    }
    attrs.sort_unstable();
    attrs.dedup();
    Ok(attrs)
}

/// Interactions with event ids that are asked about; perhaps more.
fn find(snapshot: &Snapshot, asked: &[Asked], known: &[bool], attrs: &[AttrId]) -> Result<Rows> {
    let mut wanted: HashSet<&str> = HashSet::new();
    let mut customers = Some(RoaringBitmap::new());
    for asked in asked.iter().zip(known).filter(|(_, known)| **known).map(|(asked, _)| asked) {
        wanted.insert(&asked.event_id);
        match &asked.customer {
            None => customers = None,
            Some(customer) => {
                if let (Some(customers), Some(customer)) = (&mut customers, snapshot.resolve(customer)?) {
                    customers.insert(customer);
                }
            }
        }
    }
    match wanted.is_empty() {
        true => Ok(Rows::default()),
        false => snapshot.find_events(&wanted, customers.as_ref(), attrs),
    }
}

/// Interactions that were found, and where each event id is among them.
struct Found {
    rows: Rows,
    ids: Vec<String>,
    identities: Vec<IdentityOrdinal>,
    sequences: Vec<u64>,
    places: HashMap<String, Vec<usize>>,
}

impl Found {
    fn of(snapshot: &Snapshot, rows: Rows) -> Result<Self> {
        let event_id = snapshot.schema().role(Role::EventId).map(|attribute| attribute.id);
        let column =
            |wanted: AttrId| rows.columns.iter().find(|(attr, _)| *attr == wanted).map(|found| &found.1);
        let ints = |attr| match column(attr) {
            Some(Column::Int { values, .. }) => values.clone(),
            _ => vec![0; rows.len()],
        };
        let identities =
            ints(AttrId::IDENTITY).into_iter().map(|number| IdentityOrdinal(number as u32)).collect();
        let sequences = ints(AttrId::SEQUENCE).into_iter().map(|number| number as u64).collect();
        let ids: Vec<String> = (0..rows.len())
            .map(|row| event_id.and_then(|attr| text(snapshot, attr, column(attr)?, row)).unwrap_or_default())
            .collect();
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (row, id) in ids.iter().enumerate() {
            places.entry(id.clone()).or_default().push(row);
        }
        Ok(Self { ids, identities, sequences, places, rows })
    }

    /// Whether a row has that value already.
    fn has(&self, snapshot: &Snapshot, row: usize, name: &str, value: Option<&OwnedValue>) -> bool {
        let attribute = snapshot.schema().find(Subject::Interaction, name);
        let column = attribute.and_then(|known| {
            let (attr, column) = self.rows.columns.iter().find(|(attr, _)| *attr == known.id)?;
            (!column.is_null(row)).then_some((*attr, column))
        });
        let (Some((attr, column)), Some(value)) = (column, value) else {
            return column.is_none() && value.is_none();
        };
        match (column, value.as_ref()) {
            (Column::Int { values, .. }, ValueRef::Int(int) | ValueRef::Time(int)) => {
                values.get(row) == Some(&int)
            }
            (Column::Int { values, .. }, ValueRef::Bool(truth)) => values.get(row) == Some(&i64::from(truth)),
            (Column::Float { values, .. }, ValueRef::Float(float)) => values.get(row) == Some(&float),
            (Column::Float { values, .. }, ValueRef::Int(int)) => values.get(row) == Some(&(int as f64)),
            (Column::Symbol { .. } | Column::Str { .. }, value) => {
                text(snapshot, attr, column, row).is_some_and(|text| text == value.to_text())
            }
            _ => false,
        }
    }
}

/// The text of a row.
fn text(snapshot: &Snapshot, attr: AttrId, column: &Column, row: usize) -> Option<String> {
    match column {
        Column::Str { codes, dictionary } => {
            let entry = (*codes.get(row)? as usize).checked_sub(1)?;
            Some(dictionary.get(entry).to_owned())
        }
        Column::Symbol { codes, dictionary } => {
            let entry = (*codes.get(row)? as usize).checked_sub(1)?;
            Some(snapshot.symbols(attr).get(*dictionary.get(entry)?).to_owned())
        }
        _ => None,
    }
}

/// What becomes of each that is asked for, and what is to be written.
fn outcomes(
    kind: u8,
    snapshot: &Snapshot,
    asked: Vec<Asked>,
    found: &Found,
) -> Result<(Vec<Corrected>, Vec<LocatedEvent>)> {
    // Of each interaction what it gets, in the order in which it was asked for.
    let mut given: BTreeMap<usize, Vec<(String, Option<OwnedValue>)>> = BTreeMap::new();
    let mut found_rows: Vec<Vec<usize>> = Vec::with_capacity(asked.len());
    for Asked { event_id, customer, values } in asked {
        let customer: Option<Option<CustomerOrdinal>> =
            customer.map(|customer| snapshot.resolve(&customer)).transpose()?;
        let is_own = |row: &&usize| {
            let of = found.rows.customers.get(**row).copied();
            customer.is_none_or(|customer| customer == of)
        };
        let rows = found.places.get(&event_id).into_iter().flatten();
        let rows: Vec<usize> = rows.filter(is_own).copied().collect();
        for &row in &rows {
            let all = given.entry(row).or_default();
            for (name, value) in &values {
                all.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                all.push((name.clone(), value.clone()));
            }
        }
        found_rows.push(rows);
    }
    if kind == AMEND {
        for (&row, values) in &mut given {
            values.retain(|(name, value)| !found.has(snapshot, row, name, value.as_ref()));
        }
    }
    given.retain(|_, values| !values.is_empty());
    let outcome = |rows: &Vec<usize>| match rows.first().and_then(|&row| found.identities.get(row)) {
        None => Corrected::Unknown,
        Some(&of) if rows.iter().any(|row| given.contains_key(row)) => Corrected::Changed(of),
        Some(&of) => Corrected::Unchanged(of),
    };
    let events = found_rows.iter().map(outcome).collect();
    let mut located = Vec::with_capacity(given.len());
    for (row, values) in given {
        let identity = found.identities.get(row).copied().unwrap_or(IdentityOrdinal(0));
        located.push(LocatedEvent {
            identity: snapshot.identity_name(identity)?,
            time: found.rows.times.get(row).copied().unwrap_or_default(),
            sequence: found.sequences.get(row).copied().unwrap_or_default(),
            event_id: found.ids.get(row).cloned().unwrap_or_default(),
            values,
        });
    }
    Ok((events, located))
}
