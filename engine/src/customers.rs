//! Whom identities belong to. An identity belongs to the customer of its own
//! number until it is found to go with an older one: a customer has the number
//! of the oldest of its identities.
//!
//! Only the exceptions are kept, so that a store without them pays nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use crate::chunks::{Blob, ChunkRef, ChunkWriter, Chunks};
use crate::error::{Error, Result};
use crate::model::{CustomerOrdinal, IdentityOrdinal};
use crate::number_rows;

/// Numbers by numbers, as the manifest names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredPiece {
    entries: u32,
    blob: Blob,
}

/// Customers of several identities, as the manifest names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CustomersMeta {
    moved: Vec<StoredPiece>,
    shown: Vec<StoredPiece>,
}

impl CustomersMeta {
    /// Every chunk it names.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = ChunkRef> {
        self.moved.iter().chain(&self.shown).flat_map(|piece| piece.blob.pages.iter().copied())
    }
}

/// Customers that have more than their one identity. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Customers {
    /// From identity to customer.
    moved: Pieces,
    /// From customer to the identity that it is shown by.
    shown: Pieces,
}

impl Customers {
    /// Those that a manifest describes. They are read when the first is asked for.
    pub(crate) fn of_manifest(chunks: &Arc<Chunks>, meta: &CustomersMeta) -> Self {
        let pieces = |stored: &[StoredPiece]| {
            Pieces(stored.iter().map(|stored| Arc::new(Piece::stored(chunks, stored))).collect())
        };
        Self { moved: pieces(&meta.moved), shown: pieces(&meta.shown) }
    }

    /// Writes what is not in the graph yet, and answers what the manifest names from then on.
    pub(crate) fn seal(&self, out: &mut ChunkWriter<'_>) -> Result<CustomersMeta> {
        Ok(CustomersMeta { moved: self.moved.seal(out)?, shown: self.shown.seal(out)? })
    }

    /// Says that what [`Customers::seal`] wrote is in the graph.
    pub(crate) fn sealed(&self, chunks: &Arc<Chunks>, meta: &CustomersMeta) {
        self.moved.sealed(chunks, &meta.moved);
        self.shown.sealed(chunks, &meta.shown);
    }

    /// With other customers for some identities, and what customers are shown by. Nobody may be
    /// given the customer that it has.
    pub(crate) fn with(&self, moved: &[(u32, u32)], shown: &[(u32, u32)]) -> Result<Self> {
        Ok(Self { moved: self.moved.with(moved)?, shown: self.shown.with(shown)? })
    }

    /// Whether every identity is a customer by itself.
    pub(crate) fn is_empty(&self) -> bool {
        self.moved.0.is_empty()
    }

    /// The customer that an identity belongs to.
    pub(crate) fn of(&self, identity: IdentityOrdinal) -> Result<CustomerOrdinal> {
        Ok(self.moved.get(identity.0)?.unwrap_or(identity.0))
    }

    /// Identities that are, or were, of another customer than their own number's; some more than once.
    pub(crate) fn moved(&self) -> Result<impl Iterator<Item = u32>> {
        self.moved.keys()
    }

    /// The customers of some identities, one by one.
    pub(crate) fn map(&self, mut identities: Vec<u32>) -> Result<Vec<CustomerOrdinal>> {
        if !self.is_empty() {
            for identity in &mut identities {
                *identity = self.of(IdentityOrdinal(*identity))?;
            }
        }
        Ok(identities)
    }

    /// The customers that some identities belong to.
    pub(crate) fn map_set(&self, identities: &RoaringBitmap) -> Result<RoaringBitmap> {
        let (mut moved, mut customers) = (RoaringBitmap::new(), RoaringBitmap::new());
        for identity in self.moved.keys()?.filter(|&identity| identities.contains(identity)) {
            moved.insert(identity);
            customers.insert(self.of(IdentityOrdinal(identity))?);
        }
        Ok((identities - moved) | customers)
    }

    /// All identities of some customers, who may be given by any of theirs.
    pub(crate) fn expand(&self, customers: &RoaringBitmap) -> Result<RoaringBitmap> {
        let customers = self.map_set(customers)?;
        let mut identities = customers.clone();
        for identity in self.moved.keys()? {
            if customers.contains(self.of(IdentityOrdinal(identity))?) {
                identities.insert(identity);
            }
        }
        Ok(identities)
    }

    /// The identity that the customer of that number is shown by, if it is one.
    pub(crate) fn shown_of(&self, customer: CustomerOrdinal) -> Result<u32> {
        Ok(self.shown.get(customer)?.unwrap_or(customer))
    }

    /// The identity that a customer is shown by. Of a number that is an
    /// identity's and no customer's, that of the identity's customer.
    pub(crate) fn shown(&self, customer: CustomerOrdinal) -> Result<IdentityOrdinal> {
        let customer = self.of(IdentityOrdinal(customer))?;
        self.shown_of(customer).map(IdentityOrdinal)
    }
}

/// Numbers by numbers: pieces sorted by the first, larger and older pieces
/// first. Of several entries of one number the newest holds.
#[derive(Clone, Debug, Default)]
struct Pieces(Vec<Arc<Piece>>);

impl Pieces {
    fn get(&self, key: u32) -> Result<Option<u32>> {
        for piece in self.0.iter().rev() {
            let entries = piece.entries()?;
            if let Ok(place) = entries.binary_search_by_key(&key, |&(key, _)| key) {
                return Ok(entries.get(place).map(|&(_, value)| value));
            }
        }
        Ok(None)
    }

    /// The numbers that have an entry; some more than once.
    fn keys(&self) -> Result<impl Iterator<Item = u32>> {
        let pieces = self.0.iter().map(|piece| piece.entries()).collect::<Result<Vec<_>>>()?;
        Ok(pieces.into_iter().flatten().map(|&(key, _)| key))
    }

    fn with(&self, entries: &[(u32, u32)]) -> Result<Self> {
        let mut pieces = self.0.clone();
        let mut piece: BTreeMap<u32, u32> = entries.iter().copied().collect();
        while let Some(before) = pieces.pop_if(|before| before.len < piece.len() * 2) {
            for &(key, value) in before.entries()? {
                piece.entry(key).or_insert(value);
            }
        }
        if !piece.is_empty() {
            pieces.push(Arc::new(Piece::new(piece.into_iter().collect())));
        }
        Ok(Self(pieces))
    }

    fn seal(&self, out: &mut ChunkWriter<'_>) -> Result<Vec<StoredPiece>> {
        self.0
            .iter()
            .map(|piece| match piece.stored.get() {
                Some((_, stored)) => Ok(stored.clone()),
                None => {
                    let rows: Vec<[i64; 2]> =
                        piece.entries()?.iter().map(|&(key, value)| [key, value].map(i64::from)).collect();
                    let blob = out.blob(&number_rows::encode(&rows)?)?;
                    Ok(StoredPiece { entries: piece.len as u32, blob })
                }
            })
            .collect()
    }
}

impl Pieces {
    fn sealed(&self, chunks: &Arc<Chunks>, stored: &[StoredPiece]) {
        for (piece, stored) in self.0.iter().zip(stored) {
            piece.stored.get_or_init(|| (Arc::clone(chunks), stored.clone()));
        }
    }
}

/// Entries in memory, in the graph, or both.
#[derive(Debug, Default)]
struct Piece {
    len: usize,
    entries: OnceLock<Vec<(u32, u32)>>,
    stored: OnceLock<(Arc<Chunks>, StoredPiece)>,
}

impl Piece {
    fn new(entries: Vec<(u32, u32)>) -> Self {
        Self { len: entries.len(), entries: entries.into(), stored: OnceLock::new() }
    }

    fn stored(chunks: &Arc<Chunks>, stored: &StoredPiece) -> Self {
        let len = stored.entries as usize;
        Self { len, entries: OnceLock::new(), stored: (Arc::clone(chunks), stored.clone()).into() }
    }

    fn entries(&self) -> Result<&Vec<(u32, u32)>> {
        if let Some(entries) = self.entries.get() {
            return Ok(entries);
        }
        let mut read = Vec::new();
        if let Some((chunks, stored)) = self.stored.get() {
            let what = format!("{}: customers of several identities", chunks.folder());
            let rows = number_rows::decode::<2>(&chunks.blob(&stored.blob)?, self.len, &what)?;
            let entry = |[key, value]: [i64; 2]| Some((u32::try_from(key).ok()?, u32::try_from(value).ok()?));
            let entries: Option<Vec<(u32, u32)>> = rows.into_iter().map(entry).collect();
            read = entries.ok_or_else(|| Error::damaged(what, 0, "an entry is not what was written"))?;
        }
        Ok(self.entries.get_or_init(|| read))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::disk::Disk;
    use crate::disk_sim::SimDisk;

    const IDENTITIES: u32 = 40;

    fn chunks() -> Chunks {
        let disk = SimDisk::new();
        disk.create_dir("graph-1").expect("makes the folder");
        Chunks::new(disk.open_graph("graph-1").expect("opens"), "graph-1".to_owned(), 1 << 20)
    }

    /// Seals as a state does, and goes on with what lies in the graph.
    fn seal(customers: &Customers, chunks: &Arc<Chunks>, next: &mut u64) -> Customers {
        let mut out = ChunkWriter::new(chunks, *next);
        let meta = customers.seal(&mut out).expect("seals");
        *next = out.next();
        out.finish(b"test", Vec::new()).expect("writes");
        Customers::of_manifest(chunks, &meta)
    }

    proptest! {
        /// Beside a map in which every identity has its customer.
        #[test]
        fn customers_are_what_a_map_says(
            steps in prop::collection::vec(prop::collection::btree_set(0..IDENTITIES, 2..5), 0..12),
            apart in prop::collection::vec(0..12_usize, 0..4),
            some in prop::collection::btree_set(0..IDENTITIES, 0..20),
        ) {
            let (chunks, mut next) = (Arc::new(chunks()), 1);
            let mut customers = Customers::default();
            let mut of: Vec<u32> = (0..IDENTITIES).collect();
            let mut shown: BTreeMap<u32, u32> = BTreeMap::new();
            prop_assert!(customers.is_empty());
            for (number, step) in steps.iter().enumerate() {
                // Their customers become one, or their customer falls apart.
                let theirs: BTreeSet<u32> = step.iter().map(|&of_step| of[of_step as usize]).collect();
                let all: Vec<u32> = (0..IDENTITIES).filter(|&one| theirs.contains(&of[one as usize])).collect();
                let split = apart.contains(&number);
                let mut moved = Vec::new();
                for &identity in &all {
                    let to = if split { identity } else { all[0] };
                    if of[identity as usize] != to {
                        moved.push((identity, to));
                    }
                    of[identity as usize] = to;
                    shown.insert(to, if split { identity } else { all[all.len() - 1] });
                }
                let changed: Vec<(u32, u32)> = all.iter().filter_map(|one| Some((*one, *shown.get(one)?))).collect();
                customers = customers.with(&moved, &changed).expect("reads");
                if number % 3 == 2 {
                    customers = seal(&customers, &chunks, &mut next);
                }
            }
            let founder = |identity: u32| of[identity as usize];
            for identity in 0..IDENTITIES + 2 {
                let customer = if identity < IDENTITIES { founder(identity) } else { identity };
                prop_assert_eq!(customers.of(IdentityOrdinal(identity)).expect("reads"), customer);
                let name = shown.get(&customer).copied().unwrap_or(customer);
                prop_assert_eq!(customers.shown(identity).expect("reads"), IdentityOrdinal(name));
            }
            let list: Vec<u32> = (0..IDENTITIES).rev().collect();
            let expected: Vec<u32> = list.iter().map(|&identity| founder(identity)).collect();
            prop_assert_eq!(customers.map(list).expect("reads"), expected);
            let expected: RoaringBitmap = some.iter().map(|&identity| founder(identity)).collect();
            let some: RoaringBitmap = some.into_iter().collect();
            prop_assert_eq!(&customers.map_set(&some).expect("reads"), &expected);
            let expected: RoaringBitmap =
                (0..IDENTITIES).filter(|&identity| expected.contains(founder(identity))).collect();
            prop_assert_eq!(customers.expand(&some).expect("reads"), expected);
        }
    }
}
