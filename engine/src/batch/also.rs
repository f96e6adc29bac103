//! Interactions that carry several identities: which one they come under, and which pairs of them
//! are evidence of one customer.

use std::collections::HashSet;

use super::Batch;
use crate::error::{Error, Result};
use crate::guards::Guards;
use crate::limits::ROW_IDENTITIES_MAX;
use crate::model::IdentityRef;
use crate::strings::{StringTable, Strings};

/// What rows carry beside the identity that they began with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Also {
    identities: StringTable,
    /// Row and identity, ascending by row.
    of_rows: Vec<(u32, u32)>,
}

impl Also {
    pub(super) fn memory_bytes(&self) -> usize {
        self.identities.memory_bytes() + self.of_rows.capacity() * 8
    }
}

/// Pairs of identities that rows carried, each once.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub identities: Strings,
    /// Places of the two; the one that a row comes under first.
    pub pairs: Vec<(u32, u32)>,
}

impl Batch {
    /// Says that the interaction begun last carries this identity as well. It comes under the one
    /// of its identities that [`Guards::primary`] chooses by the rules of the store it is written
    /// to, and every two of them are evidence that they are of one customer. An identity that it
    /// carries already changes nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] where no row was begun, [`Error::Limit`] past [`ROW_IDENTITIES_MAX`]
    /// identities of a row.
    pub fn also(&mut self, identity: IdentityRef<'_>) -> Result<()> {
        let own = self.len().checked_sub(1).and_then(|row| Some((row, *self.identity_codes.get(row)?)));
        let Some((row, own)) = own else {
            return Err(Error::invalid("begin a row before saying which identities it carries"));
        };
        if self.identities.get(own) == identity.as_str() {
            return Ok(());
        }
        let also = self.also.get_or_insert_default();
        let code = also.identities.try_intern(identity.as_str())?;
        let of_row = also.of_rows.iter().rev().take_while(|(of, _)| *of as usize == row);
        let (mut count, mut known) = (2, false);
        for (_, other) in of_row {
            count += 1;
            known |= *other == code;
        }
        if known {
            return Ok(());
        }
        if count > ROW_IDENTITIES_MAX {
            let (what, limit) = ("identities of one interaction", ROW_IDENTITIES_MAX as u64);
            return Err(Error::Limit { what, value: count as u64, limit });
        }
        also.of_rows.push((row as u32, code));
        Ok(())
    }

    /// Leaves rows that are not taken with the identity that they began with.
    ///
    /// # Errors
    /// As [`Batch::take_carried`].
    pub(crate) fn carry_nothing(&mut self, taken: &[bool]) -> Result<()> {
        let Some(also) = self.also.take() else { return Ok(()) };
        let Also { identities, mut of_rows } = *also;
        of_rows.retain(|(row, _)| taken.get(*row as usize).copied().unwrap_or(true));
        // Nothing is known of identities that nobody names.
        let mut named = StringTable::default();
        for (_, code) in &mut of_rows {
            *code = named.try_intern(identities.get(*code))?;
        }
        self.also = (!of_rows.is_empty()).then(|| Box::new(Also { identities: named, of_rows }));
        Ok(())
    }

    /// Puts every row under the identity that it comes under by these rules, and takes out which
    /// pairs of identities rows carried.
    ///
    /// # Errors
    /// [`Error::Limit`] past 4 GB of identities.
    pub(crate) fn take_carried(&mut self, guards: &Guards) -> Result<Carried> {
        let Some(also) = self.also.take() else { return Ok(Carried::default()) };
        let Also { identities: mut table, of_rows } = *also;
        let mut pairs = Vec::new();
        let mut seen = HashSet::new();
        // By code of `table`, once it was asked; by code of `self.identities` what it is in `table`.
        let mut blocked: Vec<Option<bool>> = vec![None; table.len()];
        let mut known: Vec<Option<u32>> = vec![None; self.identities.len()];
        let mut moved = false;
        for of_row in of_rows.chunk_by(|(one, _), (other, _)| one == other) {
            let Some(&(row, _)) = of_row.first() else { continue };
            let Some(own) = self.identity_codes.get_mut(row as usize) else { continue };
            let first = match known.get(*own as usize).copied().flatten() {
                Some(code) => code,
                None => {
                    let code = table.try_intern(self.identities.get(*own))?;
                    known.resize(self.identities.len().max(known.len()), None);
                    if let Some(known) = known.get_mut(*own as usize) {
                        *known = Some(code);
                    }
                    code
                }
            };
            blocked.resize(table.len(), None);
            let mut codes: Vec<u32> = std::iter::once(first).chain(of_row.iter().map(|row| row.1)).collect();
            for &code in &codes {
                if let Some(blocked) = blocked.get_mut(code as usize) {
                    blocked.get_or_insert_with(|| guards.blocks(IdentityRef::stored(table.get(code))));
                }
            }
            codes.sort_by_cached_key(|&code| {
                let identity = IdentityRef::stored(table.get(code));
                let blocked = blocked.get(code as usize).copied().flatten();
                (blocked, guards.rank(identity.namespace()), identity.as_str())
            });
            if let Some(&primary) = codes.first()
                && primary != first
            {
                *own = self.identities.try_intern(table.get(primary))?;
                moved = true;
            }
            for (place, &one) in codes.iter().enumerate() {
                let others = codes.iter().skip(place + 1).map(|&other| (one, other));
                pairs.extend(others.filter(|&pair| seen.insert(pair)));
            }
        }
        if moved {
            self.forget_unused()?;
        }
        Ok(Carried { identities: table.into_strings(), pairs })
    }

    /// Leaves out identities that no row begins with any more: they would be numbered.
    fn forget_unused(&mut self) -> Result<()> {
        let before = std::mem::take(&mut self.identities);
        for code in &mut self.identity_codes {
            *code = self.identities.try_intern(before.get(*code))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::Identity;
    use crate::schema::Schema;

    const NAMES: [&str; 8] =
        ["phone:1", "crm:1", "email:a@b", "crm:unknown", "phone:000", "crm:2", "device:7", "email:c@d"];

    fn identity(place: usize) -> Identity {
        Identity::parse(NAMES[place]).expect("parses")
    }

    proptest! {
        /// Beside lists: the primary of each row, and every two of its identities.
        #[test]
        fn rows_come_under_their_primary(
            rows in prop::collection::vec(prop::collection::vec(0..NAMES.len(), 1..6), 0..12),
        ) {
            let guards = Guards::default();
            let mut batch = Batch::new(&Schema::new());
            let mut expected = Vec::new();
            let mut pairs = BTreeSet::new();
            for (time, row) in rows.iter().enumerate() {
                batch.begin(&identity(row[0]), time as i64);
                for &place in &row[1..] {
                    batch.also((&identity(place)).into()).expect("takes");
                }
                let all: Vec<Identity> = row.iter().map(|&place| identity(place)).collect();
                let primary = guards.primary(all.iter().map(Into::into)).expect("has one");
                expected.push(primary.as_str().to_owned());
                for one in row {
                    pairs.extend(row.iter().filter(|other| *other > one).map(|&other| (*one, other)));
                }
            }
            prop_assert_eq!(batch.also.is_some(), rows.iter().any(|row| row.iter().any(|one| *one != row[0])));
            let carried = batch.take_carried(&guards).expect("takes");
            let found: Vec<&str> = batch.identity_codes.iter().map(|&code| batch.identities.get(code)).collect();
            prop_assert_eq!(found, expected.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(batch.identities.len(), expected.iter().collect::<BTreeSet<_>>().len());
            let place = |code: u32| {
                let text = carried.identities.get(code as usize);
                NAMES.iter().position(|name| *name == text).expect("is one of them")
            };
            prop_assert_eq!(carried.pairs.len(), pairs.len());
            for &(one, other) in &carried.pairs {
                let (one, other) = (place(one), place(other));
                prop_assert!(pairs.contains(&(one.min(other), one.max(other))));
                let both = [identity(one), identity(other)];
                let first = guards.primary(both.iter().map(Into::into)).map(|first| first.as_str());
                prop_assert_eq!(first, Some(NAMES[one]));
            }
        }
    }

    #[test]
    fn a_row_carries_so_many_and_no_more() {
        let mut batch = Batch::new(&Schema::new());
        let number = |n: usize| Identity::new("device", &n.to_string()).expect("is one");
        assert!(batch.also((&number(0)).into()).is_err());
        for _ in 0..2 {
            batch.begin(&number(0), 0);
            for n in 0..ROW_IDENTITIES_MAX {
                batch.also((&number(n)).into()).expect("takes");
                batch.also((&number(n)).into()).expect("has it");
            }
            let error = batch.also((&number(ROW_IDENTITIES_MAX)).into()).expect_err("is refused");
            assert!(error.to_string().contains("identities of one interaction"), "{error}");
        }
        let carried = batch.take_carried(&Guards::default()).expect("takes");
        assert_eq!(carried.pairs.len(), ROW_IDENTITIES_MAX * (ROW_IDENTITIES_MAX - 1) / 2);
    }
}
