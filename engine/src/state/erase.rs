//! Who is taken out for good, and what is taken in of whom since.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::State;
use crate::block::Block;
use crate::column::Column;
use crate::digest;
use crate::erased::Coming;
use crate::error::{Error, Result};
use crate::merge::{select_rows, without_customers};
use crate::model::IdentityOrdinal;
use crate::records::{EraseRecord, FrameRows};
use crate::retained::Cutoffs;
use crate::schema::{AttrId, Role};
use crate::strings::Strings;
use crate::versions::current_rows;

/// What an erasure is going to take out.
pub(crate) struct Found {
    /// What is written of it.
    pub record: EraseRecord,
    /// Keys to be remembered with it.
    pub keys: Vec<Option<u128>>,
    /// The customer's identities, by their numbers.
    pub identities: Vec<u32>,
}

impl State {
    /// What an identity is remembered by once it is erased.
    pub(crate) fn identity_key(&self, identity: &str) -> u128 {
        digest::identity_key(self.store_key, identity)
    }

    /// What there is of the customer that goes by an identity; `None` where nobody does. `commit`
    /// is the number that the erasure will have.
    pub(crate) fn find_to_erase(&self, identity: &str, commit: u64) -> Result<Option<Found>> {
        let Some(identity) = self.names.find_identity(identity)? else { return Ok(None) };
        let customer = self.names.customers.of(identity)?;
        let customers = RoaringBitmap::from_iter([customer]);
        let mut identities = self.names.customers.expand(&customers)?;
        self.names.erased.remove_from(&mut identities);
        let identities: Vec<u32> = identities.into_iter().collect();
        let blocks = self.journeys(&customers)?;
        let mut events = Vec::new();
        for block in &blocks {
            self.event_keys(block, &mut events);
        }
        events.sort_unstable();
        events.dedup();
        let mut keys = Vec::with_capacity(identities.len());
        for &identity in &identities {
            keys.push(self.identity_key(&self.names.identity(IdentityOrdinal(identity))?));
        }
        let interactions = blocks.iter().map(|block| current_rows(block).count() as u64).sum();
        let record = EraseRecord::erase(keys, events, interactions);
        let keys = taken_out_keys(&record, commit);
        Ok(Some(Found { record, keys, identities }))
    }

    /// Adds the keys of the event ids in a block.
    fn event_keys(&self, block: &Block, keys: &mut Vec<u128>) {
        let event_id = self.names.schema.role(Role::EventId).and_then(|role| block.column(role.id));
        if let Some(Column::Str { codes, dictionary }) = event_id {
            let texts = codes.iter().filter_map(|&code| (code as usize).checked_sub(1));
            keys.extend(texts.map(|place| digest::event_key(self.store_key, dictionary.get(place))));
        }
    }

    /// Takes a customer out: all that is there of it is nowhere to be seen from here on.
    pub(crate) fn erase(&mut self, record: &EraseRecord, commit: u64, identities: &[u32]) -> Result<()> {
        let numbers: RoaringBitmap = identities.iter().copied().collect();
        self.take_all_of(&numbers)?;
        for (&key, &identity) in record.identities.iter().zip(identities) {
            self.erased.erase(key, commit, Some(identity));
        }
        self.names.erased.extend(identities.iter().copied());
        self.load_ties()?;
        self.forget_links(identities.iter().copied(), commit);
        Ok(())
    }

    /// Meets an identity under its number in what a commit says. Answers whether it is erased
    /// afterwards.
    pub(super) fn meet(&mut self, identity: &str, number: IdentityOrdinal, commit: u64) -> bool {
        if self.erased.is_empty() {
            return false;
        }
        let key = self.identity_key(identity);
        if self.erased.met(key, number) {
            self.names.erased.remove(number.0);
        }
        self.erased.coming.takes_out(key, commit)
    }

    /// Refuses to take anything in of identities that are erased.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) that names the first of them.
    pub(crate) fn check_not_erased<'a>(&self, mut identities: impl Iterator<Item = &'a str>) -> Result<()> {
        let erased = |identity: &&str| self.is_kept_out(identity);
        match identities.find(erased) {
            None => Ok(()),
            Some(identity) => Err(Error::invalid(format!(
                "`{identity}` was erased: nothing is taken in of it, unless an import brings it back"
            ))),
        }
    }

    /// Whether nothing is taken in of an identity, because it was erased.
    pub(crate) fn is_kept_out(&self, identity: &str) -> bool {
        !self.erased.is_empty() && self.erased.keeps_out(self.identity_key(identity))
    }

    /// Takes out what there is of some identities. Their customers stay who they are by what is left.
    fn take_all_of(&mut self, identities: &RoaringBitmap) -> Result<()> {
        let customers = self.names.customers.map_set(identities)?;
        let blocks = self.take_out(&customers)?;
        *Arc::make_mut(&mut self.present) -= &customers;
        for block in blocks {
            let Some(Column::Int { values: of, .. }) = block.column(AttrId::IDENTITY) else { continue };
            let stays: Vec<bool> = of.iter().map(|&of| !identities.contains(of as u32)).collect();
            self.note_taken_out(&block, &stays);
            if stays.contains(&true) {
                let block = select_rows(block, &stays);
                self.note_present(&block.customers);
                self.add_versions(block)?;
            }
        }
        if let Some(block) = self.customers.take() {
            let block = match block.customers.iter().any(|&identity| identities.contains(identity)) {
                true => Arc::new(without_customers(Arc::unwrap_or_clone(block), identities)),
                false => block,
            };
            self.customers = (!block.customers.is_empty()).then_some(block);
        }
        for cohort in self.cohorts.values_mut() {
            if !cohort.is_disjoint(identities) {
                *Arc::make_mut(cohort) -= identities;
            }
        }
        Ok(())
    }

    /// Notes of a block whose rows were taken out, but for those that stay, what counts miss by it.
    pub(crate) fn note_taken_out(&mut self, block: &Block, stays: &[bool]) {
        let Some(Column::Int { values, .. }) = block.column(AttrId::COMMIT) else { return };
        let own = |row: usize| match block.column(AttrId::RECORDED) {
            Some(column @ Column::Int { values, .. }) if !column.is_null(row) => values.get(row).copied(),
            _ => None,
        };
        let mut times: HashMap<i64, Vec<i64>> = HashMap::new();
        // Of an interaction that was amended each version is there; it was counted once.
        for row in current_rows(block).filter(|&row| stays.get(row) == Some(&false)) {
            let (Some(&commit), Some(&time)) = (values.get(row), block.times.get(row)) else { continue };
            match own(row) {
                Some(recorded) => self.erased.taken_out.note_own(recorded, time),
                None => times.entry(commit).or_default().push(time),
            }
        }
        if block.column(AttrId::RECORDED).is_some() {
            self.recorded.forget_found();
        }
        times.iter().for_each(|(&commit, times)| self.erased.taken_out.note(commit as u64, times));
    }

    /// Learns which erasures will come in a history that is about to be read: what there is of the
    /// erased is taken out now, and what comes of them before they are erased is left out.
    pub(crate) fn expect(&mut self, coming: Coming) -> Result<()> {
        if coming.is_empty() {
            return Ok(());
        }
        let mut known = RoaringBitmap::new();
        let mut numbers = Vec::new();
        for (number, text) in (0..).zip(self.names.identities.read()?.strings().iter()) {
            let key = self.identity_key(text);
            if coming.contains(key) {
                numbers.push((key, IdentityOrdinal(number)));
                known.insert(number);
            }
        }
        self.take_all_of(&known)?;
        self.erased.coming = coming;
        for (key, identity) in numbers {
            self.erased.met(key, identity);
        }
        Ok(())
    }

    /// All that was expected has come.
    pub(crate) fn expected(&mut self) {
        self.erased.coming = Coming::default();
        self.retained.coming = Cutoffs::default();
    }

    /// Takes in what a frame says about who is erased; nothing of them is there any more.
    pub(crate) fn take_erasure(&mut self, record: &EraseRecord, commit: u64) -> Result<()> {
        self.remember(&taken_out_keys(record, commit))?;
        for &key in &record.identities {
            let identity = self.erased.erase(key, commit, None);
            self.names.erased.extend(identity);
            self.load_ties()?;
            self.forget_links(identity, commit);
        }
        record.lifted.iter().for_each(|&key| self.erased.lift(key));
        self.rows += record.removed;
        Ok(())
    }

    /// The rows of a frame without those of people who are erased afterwards. All identities of the
    /// frame get their numbers, so that others have the same whoever is erased.
    pub(crate) fn without_erased(&mut self, frame: FrameRows, commit: u64) -> Result<FrameRows> {
        if self.erased.is_empty() {
            return Ok(frame);
        }
        let numbers = self.names.number_identities(&frame.identities)?;
        let mut gone = vec![false; frame.identities.len()];
        for ((text, &number), gone) in frame.identities.iter().zip(&numbers).zip(&mut gone) {
            *gone = self.meet(text, IdentityOrdinal(number), commit);
        }
        Ok(frame.without_identities(&gone).map_or(frame, |(frame, _)| frame))
    }

    /// Leaves the rows out of a frame whose identities are erased. Answers which rows stay, where
    /// not all do.
    pub(crate) fn leave_out_erased(&self, frame: &mut FrameRows) -> Option<Vec<bool>> {
        if self.erased.is_empty() {
            return None;
        }
        let erased = |text: &str| self.erased.keeps_out(self.identity_key(text));
        let gone: Vec<bool> = frame.identities.iter().map(erased).collect();
        let (left, keep) = frame.without_identities(&gone)?;
        *frame = left;
        Some(keep)
    }

    /// The key of an erased identity, and of those that were erased with it; none of any other.
    pub(crate) fn erased_with(&self, identity: &str) -> Vec<u128> {
        let key = self.identity_key(identity);
        let Some(own) = self.erased.get(key).filter(|_| self.erased.keeps_out(key)) else {
            return Vec::new();
        };
        let with = |key: u128| {
            let other = self.erased.get(key);
            self.erased.keeps_out(key)
                && other.is_some_and(|other| other.erasures.last() == own.erasures.last())
        };
        self.erased.tombstones().map(|(key, _)| key).filter(|&key| with(key)).collect()
    }

    /// Keys of those identities that are kept out as things stand, each once.
    pub(crate) fn kept_out(&self, identities: &Strings) -> Vec<u128> {
        if self.erased.is_empty() {
            return Vec::new();
        }
        let keys = identities.iter().map(|text| self.identity_key(text));
        let mut keys: Vec<u128> = keys.filter(|&key| self.erased.keeps_out(key)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// For each identity of a frame, the commits that erased it; nothing where nobody in it was.
    fn erasures(&self, frame: &FrameRows) -> Option<Vec<&[u64]>> {
        if self.erased.is_empty() {
            return None;
        }
        let of = |text: &str| {
            let tombstone = self.erased.get(self.identity_key(text));
            tombstone.map(|tombstone| tombstone.erasures.as_slice()).unwrap_or_default()
        };
        let erasures: Vec<&[u64]> = frame.identities.iter().map(of).collect();
        erasures.iter().any(|erasures| !erasures.is_empty()).then_some(erasures)
    }

    /// Makes the keys of rows of people who came back others than those of the same rows before they
    /// were erased.
    pub(super) fn renew_keys(&self, frame: &FrameRows, keys: &mut [Option<u128>]) {
        let Some(erasures) = self.erasures(frame) else { return };
        for (key, &code) in keys.iter_mut().zip(&frame.identity_codes) {
            if let Some(&erasure) = erasures.get(code as usize).and_then(|erasures| erasures.last()) {
                *key = key.map(|key| digest::returned_key(key, erasure));
            }
        }
    }

    /// The keys that everybody's rows of the same event ids have, for rows with event ids of people
    /// who came back.
    pub(crate) fn plain_keys(&self, frame: &FrameRows) -> Vec<Option<u128>> {
        let Some(erasures) = self.erasures(frame) else { return Vec::new() };
        let mut keys = self.event_ids(frame);
        for (key, &code) in keys.iter_mut().zip(&frame.identity_codes) {
            *key = key.filter(|_| erasures.get(code as usize).is_some_and(|erasures| !erasures.is_empty()));
        }
        keys
    }

    /// Leaves out rows of people who came back whose event ids are somebody else's, and rows of
    /// others whose event ids are theirs. `keys` are the rows' own, `written` those of this round
    /// of commits. Answers further keys to be remembered.
    pub(crate) fn keep_apart(
        &mut self,
        frame: &FrameRows,
        keys: &[Option<u128>],
        written: &HashSet<u128>,
        keep: &mut [bool],
    ) -> Result<Vec<Option<u128>>> {
        let plain = self.plain_keys(frame);
        let asked: Vec<u128> = plain.iter().flatten().copied().collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let erasures: Vec<Vec<u64>> = match self.erasures(frame) {
            Some(erasures) => erasures.iter().map(|erasures| erasures.to_vec()).collect(),
            None => return Ok(Vec::new()),
        };
        let chunks = Arc::clone(self.chunks());
        let known = self.seen.contains(&chunks, &asked)?;
        // Their own, from before they were erased.
        let (mut own, mut ends) = (Vec::new(), Vec::new());
        for (key, &code) in plain.iter().zip(&frame.identity_codes) {
            if let Some(key) = key {
                let erasures = erasures.get(code as usize).map(Vec::as_slice).unwrap_or_default();
                own.extend(erasures.iter().map(|&erasure| digest::taken_out_key(*key, erasure)));
                ends.push(own.len());
            }
        }
        let own = self.seen.contains(&chunks, &own)?;
        let mut answers = known.into_iter().zip(ends);
        let (mut taken, mut more, mut start) = (HashSet::new(), Vec::new(), 0);
        for ((plain, key), keep) in plain.iter().zip(keys).zip(keep) {
            if let Some(plain) = plain {
                let Some((known, end)) = answers.next() else { break };
                let own = own.get(start..end).unwrap_or_default().contains(&true);
                start = end;
                *keep &= (!known || own) && !written.contains(plain) && taken.insert(*plain);
                if *keep {
                    more.push(Some(*plain));
                }
            } else if let Some(key) = key {
                *keep = *keep && taken.insert(*key);
            }
        }
        Ok(more)
    }
}

/// What is remembered with an erasure: the event ids, and that they were taken out by it.
fn taken_out_keys(record: &EraseRecord, commit: u64) -> Vec<Option<u128>> {
    let taken = |&key: &u128| [Some(key), Some(digest::taken_out_key(key, commit))];
    record.events.iter().flat_map(taken).collect()
}
