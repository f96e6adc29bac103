//! What is said about identities, taken into the state.

use super::State;
use crate::error::{Error, Result};
use crate::evidence::Entry;
use crate::model::{IdentityOrdinal, Millis};
use crate::records::links::{FrameLinks, GuardsRecord};
use crate::ties::Ties;

impl State {
    /// Takes in what a frame says about identities. Customers stay who they are until they are
    /// settled.
    pub(crate) fn take_links(&mut self, frame: &FrameLinks, commit: u64, recorded: Millis) -> Result<()> {
        let mut entries = Vec::with_capacity(frame.len());
        for pair in frame.pairs() {
            let one = self.names.number_identity(pair.one)?;
            let other = self.names.number_identity(pair.other)?;
            // Both are met, whatever becomes of them.
            let gone =
                [(pair.one, one), (pair.other, other)].map(|(text, number)| self.meet(text, number, commit));
            if gone.contains(&true) {
                continue;
            }
            entries.push(Entry {
                one,
                other,
                said: pair.said,
                confidence: pair.confidence,
                commit,
                recorded,
                source: self.links.number_source(pair.source)?,
            });
        }
        // Whether anybody is concerned is told by what was said before.
        self.load_ties()?;
        let guards = self.links.guards(u64::MAX);
        let identities = self.names.identities.read()?;
        if let Some(ties) = &mut self.ties {
            for entry in &entries {
                ties.note(entry, identities.strings(), &guards, &mut self.concerned);
            }
        }
        drop(identities);
        self.links.note(entries);
        self.recorded.note(commit, recorded, true, &[]);
        Ok(())
    }

    /// Takes rules for joining identities that hold from a commit on.
    pub(crate) fn take_guards(&mut self, record: &GuardsRecord, commit: u64, recorded: Millis) -> Result<()> {
        self.links.set_guards(commit, record.guards()?);
        // Everybody is looked at under other rules.
        self.ties = None;
        self.load_ties()?;
        if let Some(ties) = &self.ties {
            self.concerned |= ties.identities();
        }
        self.recorded.note(commit, recorded, true, &[]);
        Ok(())
    }

    /// Forgets what was said of identities that are erased by a commit.
    pub(super) fn forget_links(&mut self, identities: impl IntoIterator<Item = u32>, commit: u64) {
        for identity in identities {
            self.links.forget(identity, commit);
            self.concerned.insert(identity);
            if let Some(ties) = &mut self.ties {
                ties.forget(identity, &mut self.concerned);
            }
        }
    }

    /// Makes sure of what was said so far.
    pub(crate) fn load_ties(&mut self) -> Result<()> {
        if self.ties.is_none() {
            let entries = self.links.all(self.chunks())?;
            let guards = self.links.guards(u64::MAX);
            let identities = self.names.identities.read()?;
            // A damaged page must not be taken for identities that have no name.
            let known = |identity: IdentityOrdinal| (identity.0 as usize) < identities.len();
            if !entries.iter().all(|entry| known(entry.one) && known(entry.other)) {
                return Err(Error::damaged(self.chunks().folder(), 0, "a link names an unknown identity"));
            }
            self.ties = Some(Ties::of(&entries, identities.strings(), &guards));
        }
        Ok(())
    }
}
