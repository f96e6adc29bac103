//! What is to be done to interactions that were recorded before.
//!
//! It waits until all that was said in a round, a replay or an import is there, and is then done at
//! once; every edit has the number of its commit, so that it does not count when it is done.

use roaring::RoaringBitmap;

use super::State;
use crate::block::Block;
use crate::error::Result;
use crate::merge::Rows;
use crate::model::{IdentityOrdinal, Millis};
use crate::records::amend::FrameEdits;
use crate::schema::{AttrId, Subject};
use crate::versions::{Versions, edit_column, settled};

/// Edits that wait, and the identities under which the interactions came that they are for.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    rows: Vec<Rows>,
    identities: RoaringBitmap,
}

impl Edits {
    /// How many identities are concerned, a bound on the customers.
    pub(crate) fn identities(&self) -> u64 {
        self.identities.len()
    }

    pub(crate) fn add(&mut self, rows: Rows) {
        self.rows.push(rows);
    }

    /// Those in memory, and leaves none.
    pub(crate) fn take(&mut self) -> Vec<Rows> {
        std::mem::take(&mut self.rows)
    }
}

impl State {
    /// Takes in what a frame says is to be done; answers it as rows that lie with the interactions
    /// until it is. What is for identities that the store does not know is left out.
    pub(crate) fn take_edits(
        &mut self,
        frame: FrameEdits,
        kind: u8,
        (commit, recorded): (u64, Millis),
        what: &str,
    ) -> Result<Option<Rows>> {
        self.recorded.note(commit, recorded, true, &[]);
        let frame = match self.retained.outlast(commit, &frame.rows.times) {
            Some(stays) => frame.filtered(&stays),
            None => frame,
        };
        let mut known = Vec::with_capacity(frame.rows.identities.len());
        for text in frame.rows.identities.iter() {
            // Of who is erased afterwards nothing is there.
            let gone =
                !self.erased.is_empty() && self.erased.coming.takes_out(self.identity_key(text), commit);
            known.push(if gone { None } else { self.names.find_identity(text)? });
        }
        let of_row = |code: &u32| known.get(*code as usize).copied().flatten();
        let keep: Vec<bool> = frame.rows.identity_codes.iter().map(|code| of_row(code).is_some()).collect();
        self.edits.identities.extend(known.iter().flatten().map(|identity| identity.0));
        let frame = if keep.contains(&false) { frame.filtered(&keep) } else { frame };
        if frame.given.is_empty() {
            return Ok(None);
        }
        let edits = edit_column(kind, frame.key, frame.given, &frame.sets);
        let mut rows = self.names.number_rows(frame.rows, Subject::Interaction, commit, what)?;
        let place = rows.columns.partition_point(|(attr, _)| *attr < AttrId::EDIT);
        rows.columns.insert(place, (AttrId::EDIT, edits));
        Ok(Some(rows))
    }

    /// The customers whose interactions are to be changed, of whom nobody is left then.
    pub(crate) fn take_edited(&mut self) -> Result<RoaringBitmap> {
        let identities = std::mem::take(&mut self.edits.identities);
        identities.into_iter().map(|identity| self.names.customers.of(IdentityOrdinal(identity))).collect()
    }

    /// Adds sorted versions to those in memory, edits among them done.
    pub(crate) fn add_versions(&mut self, block: Block) -> Result<()> {
        let Versions { current, past } = settled(block)?;
        if past.rows() > 0 {
            self.past.add(&self.names, past)?;
        }
        if current.rows() > 0 {
            self.tail.add(&self.names, current)?;
        }
        Ok(())
    }
}
