//! What an import says about identities: links, pairs that rows carried, and the rules for
//! joining. Nobody's customer changes before the commit.

use std::collections::HashMap;

use super::Import;
use crate::batch::Carried;
use crate::commit::check_frames;
use crate::error::{Error, Result};
use crate::evidence::Entry;
use crate::guards::Guards;
use crate::limits::VALUE_BYTES_MAX;
use crate::links::Link;
use crate::records;
use crate::records::links::{FrameLinks, GuardsRecord, Pair};
use crate::resolution::Said;
use crate::state::{State, frames_of_rows};
use crate::strings::Strings;

/// Links in a frame.
const FRAME_LINKS: usize = 1 << 16;
/// A frame of links is ended past so many bytes of text.
const FRAME_BYTES: usize = 64 << 20;

/// A link or a cut: the two, the lesser number first; its confidence, 0 of a cut; its source.
type Key = (u32, u32, u16, u32);

/// How often something was said.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    /// Before the import.
    before: u32,
    /// By the import, what was left out included.
    now: u32,
}

/// Links and cuts that were said before, once an import says any. Kept while it runs.
#[derive(Debug)]
pub(super) struct SaidBefore(HashMap<Key, Times>);

impl SaidBefore {
    fn load(state: &State) -> Result<Self> {
        let mut all: HashMap<Key, Times> = HashMap::new();
        for entries in state.links.parts(state.chunks()) {
            for Entry { one, other, said, confidence, source, .. } in entries? {
                if said != Said::Row {
                    let key = (one.min(other).0, one.max(other).0, confidence, source);
                    all.entry(key).or_default().before += 1;
                }
            }
        }
        Ok(Self(all))
    }
}

impl Import<'_> {
    /// Says that pairs of identities are of one customer each. A link whose two identities, source
    /// and confidence were recorded before is left out, also where a cut came after: to import a
    /// file again adds nothing, and does not undo what somebody took apart; [`Db::link`](crate::Db::link)
    /// does. Answers how many were left out.
    ///
    /// # Errors
    /// [`Error::Limit`] where the store has no room for the identities; disk errors.
    pub fn link(&mut self, links: &[Link]) -> Result<u64> {
        self.say_all(links.iter().map(|link| (Said::Link, link)), &|times| times.before + times.now > 0)
    }

    /// Says again what another store was told, in its order: links, cuts, and pairs that rows
    /// carried ([`Snapshot::said`](crate::Snapshot::said)). What was said before so often is left
    /// out, so that a store made of all that another was told has the same customers, and that
    /// store itself learns nothing new. The confidence counts of links alone. Answers how many were
    /// left out.
    ///
    /// # Errors
    /// As [`Import::link`].
    pub fn say(&mut self, said: &[(Said, Link)]) -> Result<u64> {
        let said = said.iter().map(|(said, link)| (*said, link));
        self.say_all(said, &|times| times.now < times.before)
    }

    /// Sets the rules for joining identities, as [`Db::set_guards`](crate::Db::set_guards) does.
    /// Which identity a row comes under is told by the rules that were set before it.
    ///
    /// # Errors
    /// Disk errors.
    pub fn set_guards(&mut self, guards: &Guards) -> Result<()> {
        self.writer.check_writable()?;
        if *self.writer.state.links.guards(u64::MAX) == *guards {
            return Ok(());
        }
        let record = GuardsRecord::of(guards);
        let body = record.encode()?;
        self.write_declared()?;
        let recorded = self.write(records::GUARDS, 0, &body)?;
        let taken = self.writer.state.take_guards(&record, self.commit, recorded);
        self.poison_where_failed(taken)
    }

    /// Takes pairs that rows of a batch carried.
    pub(super) fn take_pairs(&mut self, carried: &Carried) -> Result<()> {
        let pairs = self.writer.state.new_pairs(carried)?;
        for frame in frames_of_rows(&pairs)? {
            self.pairs += frame.len() as u64;
            self.write_links(&frame)?;
        }
        Ok(())
    }

    fn say_all<'a>(
        &mut self,
        said: impl Iterator<Item = (Said, &'a Link)>,
        is_known: &dyn Fn(Times) -> bool,
    ) -> Result<u64> {
        self.writer.check_writable()?;
        if self.said.is_none() {
            self.said = Some(SaidBefore::load(&self.writer.state)?);
        }
        self.writer.state.load_ties()?;
        let mut said = said.peekable();
        let before = self.links_left_out;
        while said.peek().is_some() {
            let (mut part, mut bytes) = (Vec::new(), 0);
            while part.len() < FRAME_LINKS
                && bytes < FRAME_BYTES
                && let Some((said, link)) = said.next()
            {
                let (one, other, source) = texts(link);
                if source.len() > VALUE_BYTES_MAX {
                    let (what, limit) = ("bytes in the source of a link", VALUE_BYTES_MAX as u64);
                    return Err(Error::Limit { what, value: source.len() as u64, limit });
                }
                bytes += one.len() + other.len() + source.len();
                part.push((said, link));
            }
            self.say_part(&part, is_known)?;
        }
        Ok(self.links_left_out - before)
    }

    fn say_part(&mut self, part: &[(Said, &Link)], is_known: &dyn Fn(Times) -> bool) -> Result<()> {
        let mut identities = Strings::default();
        for (_, link) in part {
            identities.push(link.one().as_str());
            identities.push(link.other().as_str());
        }
        self.writer.state.names.check_room(&identities)?;
        if self.brings_back {
            self.lift(&identities)?;
        }
        let mut kept = Vec::new();
        for &(said, link) in part {
            let state = &self.writer.state;
            if state.is_kept_out(link.one().as_str()) || state.is_kept_out(link.other().as_str()) {
                continue;
            }
            let new = self.is_new(said, link, is_known);
            if self.poison_where_failed(new)? {
                kept.push((said, link));
            }
        }
        self.links_left_out += (part.len() - kept.len()) as u64;
        if kept.is_empty() {
            return Ok(());
        }
        let frame = FrameLinks::from_pairs(kept.iter().map(|&(said, link)| {
            let (one, other, source) = texts(link);
            Pair { one, other, said, confidence: confidence_of(said, link), source }
        }));
        let frame = self.poison_where_failed(frame)?;
        self.links += frame.len() as u64;
        self.write_links(&frame)
    }

    /// Whether something is to be written. What it names has numbers then, given out in the order
    /// in which they will be when the frame is read back.
    fn is_new(&mut self, said: Said, link: &Link, is_known: &dyn Fn(Times) -> bool) -> Result<bool> {
        let state = &mut self.writer.state;
        let Some(before) = &mut self.said else { return Ok(true) };
        let (one, other, source) = texts(link);
        let key = |one: u32, other: u32, source| {
            (one.min(other), one.max(other), confidence_of(said, link), source)
        };
        let known = {
            let identities = state.names.identities.read()?;
            identities.find(one).zip(identities.find(other))
        };
        if let Some((one, other)) = known {
            if said == Said::Row {
                if state.ties.as_ref().is_some_and(|ties| ties.has_row(one, other)) {
                    return Ok(false);
                }
            } else if let Some(source) = state.links.find_source(source)
                && let Some(times) = before.0.get_mut(&key(one, other, source))
            {
                let known = is_known(*times);
                times.now += 1;
                return Ok(!known);
            }
        }
        let one = state.names.number_identity(one)?.0;
        let other = state.names.number_identity(other)?.0;
        let source = state.links.number_source(source)?;
        if said != Said::Row {
            before.0.entry(key(one, other, source)).or_default().now += 1;
        }
        Ok(true)
    }

    fn write_links(&mut self, frame: &FrameLinks) -> Result<()> {
        let encoded = frame.encode();
        let frames = [(records::LINKS, self.poison_where_failed(encoded)?)];
        let fits = check_frames(&frames);
        self.poison_where_failed(fits)?;
        let [(kind, body)] = frames;
        self.write_declared()?;
        let recorded = self.write(kind, 0, &body)?;
        let taken = self.writer.state.take_links(frame, self.commit, recorded);
        self.poison_where_failed(taken)
    }
}

fn texts(link: &Link) -> (&str, &str, &str) {
    (link.one().as_str(), link.other().as_str(), link.source())
}

fn confidence_of(said: Said, link: &Link) -> u16 {
    if said == Said::Link { link.thousandths } else { 0 }
}
