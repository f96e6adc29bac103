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
use crate::versions::Which;

/// Customers of an earlier commit, as far as they are others than now.
#[derive(Debug)]
pub(super) struct Relinked {
    /// That commit.
    commit: u64,
    /// Whom identities belonged to.
    customers: Customers,
    /// Customers of now who were not the same then.
    hidden: RoaringBitmap,
    /// Customers of then who are not the same now, and in whose journeys of now something of theirs
    /// lies. Nobody is both here and shown as of now.
    sources: BTreeMap<CustomerOrdinal, BTreeSet<CustomerOrdinal>>,
    /// Their interactions with the columns that were asked for lately, where they are few.
    read: Mutex<Vec<(Vec<AttrId>, Arc<Block>)>>,
}

/// Of so many customers at most, and of one in so many, interactions are kept for the next unit.
const KEPT_SHARE: u64 = 12;
/// Sets of columns that they are kept with.
const KEPT_SETS: usize = 4;

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
        let now = Arc::new(self);
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
        // A customer who had something that others have now is read with it, and not beside it.
        hidden.extend(moved.iter().map(|&(_, was)| was));
        for identity in &region {
            let is = known.of(IdentityOrdinal(identity))?;
            if hidden.contains(is) {
                sources.entry(resolved.customer(identity)).or_default().insert(is);
            }
        }
        if moved.is_empty() && shown.is_empty() {
            return Ok(None);
        }
        let customers = known.with(&moved, &shown)?;
        Ok(Some(Relinked { commit, customers, hidden, sources, read: Mutex::default() }))
    }
}

impl Relinked {
    /// The units of now, except that where customers of then lie, there are no gaps between them.
    fn units(&self, now: &Snapshot) -> Arc<[Unit]> {
        let (first, last) = now.time_span_of_all().unwrap_or_default();
        let per_customer = now.interactions / now.present.len().max(1);
        let mut theirs: BTreeMap<u32, u64> = BTreeMap::new();
        for (&customer, sources) in &self.sources {
            // About so many as others have.
            *theirs.entry(customer / RANGE_CUSTOMERS).or_default() += per_customer * sources.len() as u64;
        }
        let mut units: BTreeMap<u32, Vec<Unit>> = BTreeMap::new();
        for unit in now.units.iter() {
            units.entry(unit.first / RANGE_CUSTOMERS).or_default().push(*unit);
        }
        for (&range, interactions) in &theirs {
            let whole = range_unit(range, 0, first, last);
            let units = units.entry(range).or_insert_with(|| vec![whole]);
            let share = interactions.div_ceil(units.len() as u64);
            let mut end = whole.last;
            for unit in units.iter_mut().rev() {
                *unit = Unit { last: end, interactions: unit.interactions + share, ..*unit };
                (unit.time_min, unit.time_max) = (unit.time_min.min(first), unit.time_max.max(last));
                end = unit.first.saturating_sub(1);
            }
            if let Some(unit) = units.first_mut() {
                unit.first = whole.first;
            }
        }
        units.into_values().flatten().collect()
    }

    /// Whether they are few.
    fn are_few(&self, now: &Snapshot) -> bool {
        self.hidden.len().saturating_mul(KEPT_SHARE) <= now.present.len()
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
        let select = |block: &Block| {
            let places = chosen.places(&block.customers);
            select_places(block, &places, block.columns.iter())
        };
        let (Some(wanted), true) = (wanted, self.relinked.are_few(&self.now)) else {
            let (block, bytes) = self.sorted(&self.relinked.sources_of(chosen), wanted)?;
            return Ok((select(&block), bytes));
        };
        // Held while they are read: other units need the same.
        let mut kept = self.relinked.read.lock();
        if let Some((_, block)) = kept.iter().find(|(columns, _)| columns == wanted) {
            let block = Arc::clone(block);
            drop(kept);
            return Ok((select(&block), 0));
        }
        let all = self.relinked.sources.values().flatten().copied().collect();
        let (block, bytes) = self.sorted(&all, Some(wanted))?;
        if kept.len() == KEPT_SETS {
            kept.remove(0);
        }
        let block = Arc::new(block);
        kept.push((wanted.to_vec(), Arc::clone(&block)));
        drop(kept);
        Ok((select(&block), bytes))
    }

    /// Journeys of now as those of then.
    fn sorted(&self, sources: &RoaringBitmap, wanted: Option<&[AttrId]>) -> Result<(Block, u64)> {
        let names = Names { customers: self.relinked.customers.clone(), ..self.now.names.clone() };
        let (rows, bytes) = self.rows(&names, sources, wanted)?;
        if let Some(block) = sort_untied(rows)? {
            return Ok((block, bytes));
        }
        let (rows, more) = self.rows(&names, sources, None)?;
        Ok((sort(&names, rows)?, bytes + more))
    }

    /// Journeys of now, each row of the customer of then.
    fn rows(&self, names: &Names, sources: &RoaringBitmap, wanted: Option<&[AttrId]>) -> Result<(Rows, u64)> {
        let mut needed: Vec<AttrId> = match wanted {
            Some(wanted) => wanted.to_vec(),
            None => names.schema.attributes().iter().map(|attribute| attribute.id).collect(),
        };
        needed.extend([AttrId::IDENTITY, AttrId::SEQUENCE]);
        if wanted.is_none() {
            needed.extend(self.now.recording_columns(None));
        }
        let (mut parts, mut bytes) = (Vec::new(), 0);
        let mut from = sources.min();
        while let Some(customer) = from {
            let range = customer / RANGE_CUSTOMERS;
            let last = range * RANGE_CUSTOMERS + (RANGE_CUSTOMERS - 1);
            let these: Vec<CustomerOrdinal> = sources.range(customer..=last).collect();
            let chosen = Chosen::These(&these);
            let which = Which::KnownBy(self.relinked.commit);
            let (block, read) = self.now.read_chosen(range, &chosen, (&needed, true), which)?;
            bytes += read;
            let mut rows = rows_of(block);
            number_anew(names, &mut rows)?;
            parts.push(rows);
            from = sources.range(last..).find(|&customer| customer > last);
        }
        Ok((concat_rows(parts)?, bytes))
    }
}
