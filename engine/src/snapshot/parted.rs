//! Snapshots of a few journeys alone: of one customer, and of those that there would be had
//! something not been said.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringBitmap;

use super::Snapshot;
use super::links::LinkGraph;
use super::units::{range_units, units};
use crate::block::Block;
use crate::dead::Marks;
use crate::error::Result;
use crate::limits::RANGE_CUSTOMERS;
use crate::manifest::{Manifest, Version};
use crate::merge::without_customers;
use crate::model::{CustomerOrdinal, IdentityOrdinal};
use crate::names::Names;
use crate::order::sort;
use crate::resolution::Standing;
use crate::schema::{AttrId, Subject};
use crate::segment::Chosen;
use crate::settle::{number_anew, rows_of};
use crate::tail::Tail;
use crate::versions::{Versions, Which, settled};

impl Snapshot {
    /// One customer as if there was nobody else. Everything else is the same: names, attributes,
    /// the time of the store's first and last interaction.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) as [`Snapshot::read`].
    pub fn only(&self, customer: CustomerOrdinal) -> Result<Self> {
        let customer = self.names.customers.of(IdentityOrdinal(customer))?;
        let blocks = self.journeys(&RoaringBitmap::from_iter([customer]))?;
        self.of_journeys(self.names.clone(), blocks)
    }

    /// The customers whom the identities of one would be, had one of its pairs not been said, as if
    /// there was nobody else: with all their interactions, also where somebody else's identities
    /// were joined to them then. Nothing where the customer would have the same identities; so
    /// for a pair that was not accepted. `edge` is a place among [`LinkGraph::edges`], which
    /// must be of this snapshot.
    ///
    /// # Errors
    /// As [`Snapshot::only`].
    pub fn without_link(&self, links: &LinkGraph, edge: usize) -> Result<Option<Self>> {
        let Some(row) = links.edges().nth(edge).map(|edge| &edge.row) else { return Ok(None) };
        if row.standing != Standing::Accepted {
            return Ok(None);
        }
        let around = &links.around;
        let then = {
            let identities = self.names.identities.read()?;
            let without = Some((row.one.0, row.other.0));
            around.resolve(without, identities.strings(), &self.guards())
        };
        let customers = &self.names.customers;
        // Identity, its customer, and its customer then.
        let mut all = Vec::new();
        for identity in &around.identities {
            all.push((identity, customers.of(IdentityOrdinal(identity))?, then.customer(identity)));
        }
        if all.iter().all(|(_, was, is)| (*was == links.customer) == (*is == links.customer)) {
            return Ok(None);
        }
        let own = all.iter().filter(|(_, was, _)| *was == links.customer);
        let parts: BTreeSet<CustomerOrdinal> = own.map(|&(_, _, is)| is).collect();
        let moved: Vec<_> =
            all.iter().filter(|(_, was, is)| was != is).map(|&(identity, _, is)| (identity, is)).collect();
        let shown_then: BTreeMap<u32, u32> = then.shown.iter().copied().collect();
        let mut shown = Vec::new();
        for &(identity, _, is) in all.iter().filter(|(identity, _, is)| identity == is) {
            let by = shown_then.get(&is).copied().unwrap_or(is);
            if customers.shown_of(is)? != by {
                shown.push((identity, by));
            }
        }
        let sources = all.iter().filter(|(_, _, is)| parts.contains(is)).map(|&(_, was, _)| was).collect();
        let names = Names { customers: customers.with(&moved, &shown)?, ..self.names.clone() };
        let mut blocks = Vec::new();
        for block in self.journeys(&sources)? {
            let mut rows = rows_of(block);
            number_anew(&names, &mut rows)?;
            let block = sort(&names, rows)?;
            let others = block.customers.iter().copied().filter(|customer| !parts.contains(customer));
            let others = others.collect();
            blocks.push(without_customers(block, &others));
        }
        self.of_journeys(names, blocks).map(Some)
    }

    /// Whole journeys with all columns, a block a range.
    fn journeys(&self, customers: &RoaringBitmap) -> Result<Vec<Block>> {
        let of_interactions =
            self.schema().attributes().iter().filter(|known| known.subject == Subject::Interaction);
        let mut wanted: Vec<AttrId> = of_interactions.map(|attribute| attribute.id).collect();
        wanted.extend([AttrId::IDENTITY, AttrId::SEQUENCE]);
        wanted.extend(self.recording_columns(None));
        // Of what is seen of an earlier instant the versions are those of then, and no others.
        if self.as_of.is_none() {
            wanted.extend([AttrId::SINCE, AttrId::UNTIL]);
        }
        let mut of_ranges: BTreeMap<u32, Vec<CustomerOrdinal>> = BTreeMap::new();
        for customer in customers {
            of_ranges.entry(customer / RANGE_CUSTOMERS).or_default().push(customer);
        }
        let read = |(range, these): (u32, Vec<CustomerOrdinal>)| {
            self.read_chosen(range, &Chosen::These(&these), (&wanted, true), Which::All)
                .map(|(block, _)| block)
        };
        of_ranges.into_iter().map(read).collect()
    }

    fn of_journeys(&self, names: Names, blocks: Vec<Block>) -> Result<Self> {
        let (mut tail, mut earlier) = (Tail::default(), Tail::default());
        for block in blocks.into_iter().filter(|block| block.rows() > 0) {
            let Versions { current, past } = settled(block)?;
            tail.add(&names, current)?;
            if past.rows() > 0 {
                earlier.add(&names, past)?;
            }
        }
        let tail_units: Vec<_> = tail.pieces().iter().map(|piece| range_units(piece.block())).collect();
        let customers = tail.pieces().iter().flat_map(|piece| &piece.block().customers).copied();
        let manifest = &self.version.manifest;
        let version =
            Version::new(Manifest::new(manifest.store_id, manifest.covered), self.version.chunks.clone());
        // What is not read yet of the names lies in chunks that the whole snapshot holds.
        version.superseded(&self.version, Vec::new());
        Ok(Self {
            names,
            version,
            dead: Marks::default(),
            present: std::sync::Arc::new(customers.collect()),
            units: units(&[], &tail_units),
            interactions: tail.rows() as u64,
            tail,
            past: earlier,
            tail_units,
            span: self.time_span()?,
            overlay: None,
            ..self.clone()
        })
    }
}
