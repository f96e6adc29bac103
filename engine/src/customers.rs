//! Whom identities belong to. An identity belongs to the customer of its own
//! number until it is found to go with an older one: a customer has the number
//! of the oldest of its identities.
//!
//! Only the exceptions are kept, so that a store without them pays nothing.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::error::Result;
use crate::model::{CustomerOrdinal, IdentityOrdinal};

/// Customers that have more than their one identity. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Customers {
    /// From identity to customer.
    moved: Pieces,
    /// From customer to the identity that it is shown by.
    shown: Pieces,
}

impl Customers {
    /// Whether every identity is a customer by itself.
    pub(crate) fn is_empty(&self) -> bool {
        self.moved.0.is_empty()
    }

    /// The customer that an identity belongs to.
    pub(crate) fn of(&self, identity: IdentityOrdinal) -> Result<CustomerOrdinal> {
        Ok(self.moved.get(identity.0).unwrap_or(identity.0))
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
        for identity in self.moved.keys().filter(|&identity| identities.contains(identity)) {
            moved.insert(identity);
            customers.insert(self.of(IdentityOrdinal(identity))?);
        }
        Ok((identities - moved) | customers)
    }

    /// All identities of some customers, who may be given by any of theirs.
    pub(crate) fn expand(&self, customers: &RoaringBitmap) -> Result<RoaringBitmap> {
        let customers = self.map_set(customers)?;
        let mut identities = customers.clone();
        for identity in self.moved.keys() {
            if customers.contains(self.of(IdentityOrdinal(identity))?) {
                identities.insert(identity);
            }
        }
        Ok(identities)
    }

    /// The identity that a customer is shown by. Of a number that is an
    /// identity's and no customer's, that of the identity's customer.
    pub(crate) fn shown(&self, customer: CustomerOrdinal) -> Result<IdentityOrdinal> {
        let customer = self.of(IdentityOrdinal(customer))?;
        Ok(IdentityOrdinal(self.shown.get(customer).unwrap_or(customer)))
    }
}

/// Numbers by numbers: pieces sorted by the first, larger and older pieces
/// first. Of several entries of one number the newest holds.
#[derive(Clone, Debug, Default)]
struct Pieces(Vec<Arc<Vec<(u32, u32)>>>);

impl Pieces {
    fn get(&self, key: u32) -> Option<u32> {
        self.0.iter().rev().find_map(|piece| {
            let place = piece.binary_search_by_key(&key, |&(key, _)| key).ok()?;
            piece.get(place).map(|&(_, value)| value)
        })
    }

    /// The numbers that have an entry; some more than once.
    fn keys(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|piece| piece.iter()).map(|&(key, _)| key)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    impl Customers {
        /// With other customers for some identities, and what those are shown by.
        pub(crate) fn with(&self, moved: &[(u32, u32)], shown: &[(u32, u32)]) -> Self {
            Self { moved: self.moved.with(moved), shown: self.shown.with(shown) }
        }
    }

    impl Pieces {
        fn with(&self, entries: &[(u32, u32)]) -> Self {
            let mut pieces = self.0.clone();
            let mut piece: BTreeMap<u32, u32> = entries.iter().copied().collect();
            while let Some(before) = pieces.pop_if(|before| before.len() < piece.len() * 2) {
                for &(key, value) in before.iter() {
                    piece.entry(key).or_insert(value);
                }
            }
            if !piece.is_empty() {
                pieces.push(Arc::new(piece.into_iter().collect()));
            }
            Self(pieces)
        }
    }

    const IDENTITIES: u32 = 40;

    proptest! {
        /// Beside a map in which every identity has its customer.
        #[test]
        fn customers_are_what_a_map_says(
            steps in prop::collection::vec(prop::collection::btree_set(0..IDENTITIES, 2..5), 0..12),
            apart in prop::collection::vec(0..12_usize, 0..4),
            some in prop::collection::btree_set(0..IDENTITIES, 0..20),
        ) {
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
                customers = customers.with(&moved, &changed);
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
