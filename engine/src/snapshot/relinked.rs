//! Customers as they were known by an earlier commit, where they are others by now.
//!
//! Journeys lie under the customers of now. Those of them who had an identity of which another
//! customer was known are hidden, and read in again with every unit that their interactions belonged
//! to then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use roaring::RoaringBitmap;

use super::units::range_unit;
use super::{Snapshot, Unit};
use crate::block::Block;
use crate::customers::Customers;
use crate::error::Result;
use crate::limits::RANGE_CUSTOMERS;
use crate::merge::{Rows, concat_rows, select_places};
use crate::model::{CustomerOrdinal, IdentityOrdinal};
use crate::names::Names;
use crate::order::{sort, sort_untied};
use crate::schema::AttrId;
use crate::segment::Chosen;
use crate::settle::{number_anew, rows_of};
use crate::ties::Ties;

/// Customers of an earlier commit, as far as they are others than now.
#[derive(Debug)]
pub(super) struct Relinked {
    /// Whom identities belonged to.
    customers: Customers,
    /// Customers of now of whom something lay elsewhere.
    hidden: RoaringBitmap,
    /// Customers of then, and in whose journeys of now something of theirs lies.
    sources: BTreeMap<CustomerOrdinal, BTreeSet<CustomerOrdinal>>,
}

/// What was found out for a commit, by snapshots of one commit. A report asks of one instant.
pub(super) type LastRelinked = Arc<Mutex<Option<(u64, Option<Arc<Relinked>>)>>>;

/// A snapshot with customers of an earlier commit.
#[derive(Clone, Debug)]
pub(super) struct Overlay {
    relinked: Arc<Relinked>,
    /// The snapshot of now.
    pub now: Arc<Snapshot>,
}

impl Snapshot {
    /// Has the customers that were known once `commit` was made.
    pub(super) fn with_customers_of(self, commit: u64) -> Result<Self> {
        let Some(relinked) = self.relinked_at(commit)? else { return Ok(self) };
        let now = Arc::new(Self { whole: true, ..self });
        let mut names = now.names.clone();
        names.customers = relinked.customers.clone();
        let mut dead = now.dead.clone();
        dead.extend(&relinked.hidden);
        let hidden: Vec<CustomerOrdinal> = relinked.hidden.iter().collect();
        let mut tail = now.tail.clone();
        tail.kill(&hidden);
        let mut past = now.past.clone();
        past.kill(&hidden);
        let mut present = &*now.present - &relinked.hidden;
        present.extend(relinked.sources.keys());
        let units = relinked.units(&now);
        Ok(Self {
            names,
            dead,
            tail,
            past,
            present: Arc::new(present),
            units,
            whole: false,
            overlay: Some(Overlay { relinked, now: Arc::clone(&now) }),
            ..Snapshot::clone(&now)
        })
    }

    fn relinked_at(&self, commit: u64) -> Result<Option<Arc<Relinked>>> {
        if self.links.last_commit() <= commit {
            return Ok(None);
        }
        let mut last = self.last_relinked.lock();
        match &*last {
            Some((known, relinked)) if *known == commit => Ok(relinked.clone()),
            _ => {
                let relinked = self.find_relinked(commit)?.map(Arc::new);
                *last = Some((commit, relinked.clone()));
                Ok(relinked)
            }
        }
    }

    fn find_relinked(&self, commit: u64) -> Result<Option<Relinked>> {
        let entries = self.links.all(&self.version.chunks)?;
        let (before, after) = entries.split_at(entries.partition_point(|entry| entry.commit <= commit));
        let (guards, guards_now) = (self.links.guards(commit), self.links.guards(u64::MAX));
        let identities = self.names.identities.read()?;
        let texts = identities.strings();
        let then = Ties::of(before, texts, &guards);
        let mut concerned = RoaringBitmap::new();
        let now = if guards == guards_now {
            let mut now = then.clone();
            after.iter().for_each(|entry| now.note(entry, texts, &guards, &mut concerned));
            now
        } else {
            let now = Ties::of(&entries, texts, &guards_now);
            concerned = now.identities();
            now
        };
        // Who changed lies in a region of now, and has a region of its own of then.
        let (region, _) = now.region(&concerned);
        let (_, resolved) = then.resolve(&region, texts, &guards);
        let known = &self.names.customers;
        let by: BTreeMap<u32, u32> = resolved.shown.iter().copied().collect();
        let (mut moved, mut shown) = (Vec::new(), Vec::new());
        let mut hidden = RoaringBitmap::new();
        let mut sources: BTreeMap<CustomerOrdinal, BTreeSet<CustomerOrdinal>> = BTreeMap::new();
        for identity in &region {
            let (was, is) = (resolved.customer(identity), known.of(IdentityOrdinal(identity))?);
            if was != is {
                moved.push((identity, was));
                hidden.insert(is);
            }
            if identity == was {
                let by = by.get(&was).copied().unwrap_or(was);
                if known.shown_of(was)? != by {
                    shown.push((was, by));
                }
            }
        }
        for identity in &region {
            let is = known.of(IdentityOrdinal(identity))?;
            if hidden.contains(is) {
                sources.entry(resolved.customer(identity)).or_default().insert(is);
            }
        }
        if moved.is_empty() && shown.is_empty() {
            return Ok(None);
        }
        Ok(Some(Relinked { customers: known.with(&moved, &shown)?, hidden, sources }))
    }
}

impl Relinked {
    /// The units of now, and those ranges as a whole in which customers of then lie.
    fn units(&self, now: &Snapshot) -> Arc<[Unit]> {
        let (first, last) = now.time_span_of_all().unwrap_or_default();
        let customers = now.present.len().max(1);
        let mut ranges: BTreeMap<u32, Unit> = BTreeMap::new();
        for (&customer, sources) in &self.sources {
            let range = customer / RANGE_CUSTOMERS;
            let unit = ranges.entry(range).or_insert_with(|| range_unit(range, 0, first, last));
            // About so many as others have.
            unit.interactions += now.interactions / customers * sources.len() as u64;
        }
        let overlay: Arc<[Unit]> = ranges.into_values().collect();
        let mut tail = now.tail_units.clone();
        tail.push(overlay);
        super::units::units(&now.version.manifest.ranges, &tail)
    }

    /// Customers of now whose journeys have something of the chosen customers of then.
    fn sources_of(&self, chosen: &Chosen<'_>) -> RoaringBitmap {
        match chosen {
            Chosen::Span(span) => self.sources.range(span.clone()).flat_map(|(_, from)| from).collect(),
            Chosen::These(these) => these.iter().filter_map(|one| self.sources.get(one)).flatten().collect(),
        }
    }
}

impl Overlay {
    /// Whether there is something of the chosen customers that lies elsewhere now.
    pub(super) fn touches(&self, chosen: &Chosen<'_>) -> bool {
        let sources = &self.relinked.sources;
        match chosen {
            Chosen::Span(span) => sources.range(span.clone()).next().is_some(),
            Chosen::These(these) => these.iter().any(|one| sources.contains_key(one)),
        }
    }

    /// The customers of then who are others than now.
    pub(super) fn customers(&self) -> impl Iterator<Item = CustomerOrdinal> {
        self.relinked.sources.keys().copied()
    }

    /// What of the chosen customers lies elsewhere now, with the wanted columns and those that
    /// order it; and the stored bytes that were read for it.
    pub(super) fn read(&self, chosen: &Chosen<'_>, wanted: Option<&[AttrId]>) -> Result<(Block, u64)> {
        let names = Names { customers: self.relinked.customers.clone(), ..self.now.names.clone() };
        let sources = self.relinked.sources_of(chosen);
        let (rows, mut bytes) = self.rows(&names, &sources, wanted)?;
        let block = match (wanted, sort_untied(rows)?) {
            (_, Some(block)) => block,
            (_, None) => {
                let (rows, more) = self.rows(&names, &sources, None)?;
                bytes += more;
                sort(&names, rows)?
            }
        };
        let places = chosen.places(&block.customers);
        Ok((select_places(&block, &places, block.columns.iter()), bytes))
    }

    /// Journeys of now, each row of the customer of then.
    fn rows(&self, names: &Names, sources: &RoaringBitmap, wanted: Option<&[AttrId]>) -> Result<(Rows, u64)> {
        let mut needed: Vec<AttrId> = match wanted {
            Some(wanted) => wanted.to_vec(),
            None => names.schema.attributes().iter().map(|attribute| attribute.id).collect(),
        };
        needed.extend([AttrId::IDENTITY, AttrId::SEQUENCE, AttrId::COMMIT, AttrId::SINCE, AttrId::UNTIL]);
        let (mut parts, mut bytes) = (Vec::new(), 0);
        let mut from = sources.min();
        while let Some(customer) = from {
            let range = customer / RANGE_CUSTOMERS;
            let last = range * RANGE_CUSTOMERS + (RANGE_CUSTOMERS - 1);
            let these: Vec<CustomerOrdinal> = sources.range(customer..=last).collect();
            let (block, read) = self.now.read_chosen(range, &Chosen::These(&these), &needed, true)?;
            bytes += read;
            let mut rows = rows_of(block);
            number_anew(names, &mut rows)?;
            parts.push(rows);
            from = sources.range(last..).find(|&customer| customer > last);
        }
        Ok((concat_rows(parts)?, bytes))
    }
}
