//! The history written anew without what was erased, redacted or dropped, and the graph made from that.
//!
//! All is written beside what there is, and counts from the moment when HEAD names it. Commits keep
//! their numbers and times, and rows their sequences; identities get other numbers, since those of
//! which nothing is left are not given any more.

mod redactions;

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::absorb::{coming, frame_name};
use crate::block::Block;
use crate::column::Column;
use crate::commit::{Writer, graph_folder, rebuilt};
use crate::erased::Coming;
use crate::error::{Error, Result};
use crate::evidence::Entry;
use crate::history::{Frame, FrameHeader, History};
use crate::manifest::Range;
use crate::model::IdentityOrdinal;
use crate::records::amend::FrameEdits;
use crate::records::links::{FrameLinks, Pair};
use crate::records::{self, CohortRecord, EraseRecord, FINAL, FrameRows, RetainRecord};
use crate::retained::{Cutoffs, kept};
use crate::schema::AttrId;
use crate::segment::Chosen;
use crate::span::{Wanted, read_chosen};
use crate::state::{State, bitmap, bitmap_bytes, cohort_record};
use redactions::Redactions;

/// What [`Db::vacuum`](crate::Db::vacuum) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VacuumReport {
    /// Rows that are not in the history any more: interactions and customers' attributes.
    pub rows: u64,
    /// Values that are not in the history any more: of interactions that were redacted, and what
    /// amendments said of what was erased or dropped.
    pub values: u64,
    /// Frames of the history that had some of these.
    pub frames: u64,
    /// History files that were written; none where nothing was to be removed.
    pub files: u64,
    /// Bytes of history and graph before.
    pub bytes_before: u64,
    /// And after.
    pub bytes_after: u64,
}

/// Writes the store anew without what was erased, redacted or dropped. Answers the history that it took the place of, whose
/// files are still there; `None` where there was nothing to remove.
pub(crate) fn vacuum(writer: &mut Writer) -> Result<(VacuumReport, Option<History>)> {
    writer.check_writable()?;
    writer.seal()?;
    let bytes_before = bytes(writer)?;
    let mut report = VacuumReport { bytes_before, bytes_after: bytes_before, ..VacuumReport::default() };
    let Some(gone) = to_be_removed(&writer.history, writer.state.store_key)? else {
        return Ok((report, None));
    };
    let made = writer.history.successor().and_then(|mut history| {
        copy(writer, &gone, &mut history, &mut report)?;
        graph(writer, &history).map(|(state, number)| (history, state, number))
    });
    let (history, state, number) = match made {
        Ok(made) => made,
        Err(error) => {
            // It does not count; but the history must not grow into its files.
            let graph = graph_folder(writer.graph + 1);
            let cleared = writer.history.remove_others().and_then(|()| writer.disk.remove_dir(&graph));
            if let Err(left) = cleared {
                writer.poisoned =
                    Some(format!("what a vacuum wrote before it failed is still there: {left}"));
            }
            return Err(error);
        }
    };
    let unused = Arc::clone(writer.state.chunks());
    let before = std::mem::replace(&mut writer.history, history);
    (writer.state, writer.graph, writer.acknowledged) = (state, number, writer.history.end());
    // Whether it took effect nobody knows then; reopening finds out.
    writer.write_head().inspect_err(|error| writer.poisoned = Some(error.to_string()))?;
    unused.remove_when_unused(&writer.disk, &writer.alive);
    report.files = writer.history.file_names().len() as u64;
    Ok((report, Some(before)))
}

/// Bytes of history and graph.
pub(crate) fn bytes(writer: &Writer) -> Result<u64> {
    let of = |path: &str| writer.disk.bytes(path);
    let history: u64 = writer.history.file_names().iter().map(|name| of(name)).sum::<Result<_>>()?;
    Ok(history + of(&graph_folder(writer.graph))?)
}

/// What is to be removed from a history.
struct Gone {
    erasures: Coming,
    cutoffs: Cutoffs,
    redactions: Redactions,
}

/// Who was erased, and what was dropped or redacted, by a history that still has it.
fn to_be_removed(history: &History, store_key: u64) -> Result<Option<Gone>> {
    let mut redactions = Redactions::new(store_key);
    let mut takes_out = Vec::new();
    let mut due = false;
    let mut headers = history.headers(history.start(), history.end());
    while let Some(outline) = headers.next()? {
        let kind = outline.header.kind & !FINAL;
        if ![records::ERASE, records::RETAIN, records::REDACT].contains(&kind) {
            continue;
        }
        let Some(frame) = history.frames(outline.start, outline.end).next()? else { continue };
        let (what, commit) = (frame_name(frame.start), frame.header.commit);
        if kind == records::REDACT {
            redactions.add(&FrameEdits::decode(&frame.body, &what)?, commit);
            continue;
        }
        takes_out.push((outline.start, outline.end));
        if kind == records::ERASE {
            let record = EraseRecord::decode(&frame.body, &what)?;
            due |= !record.identities.is_empty() && !record.vacuumed;
        } else {
            let record = RetainRecord::decode(&frame.body, &what)?;
            due |= record.said.is_some_and(|said| !said.vacuumed);
        }
    }
    due |= !redactions.is_empty();
    if !due {
        return Ok(None);
    }
    let (erasures, cutoffs) = coming(history, &takes_out)?;
    Ok(Some(Gone { erasures, cutoffs, redactions }))
}

fn copy(writer: &Writer, gone: &Gone, to: &mut History, report: &mut VacuumReport) -> Result<()> {
    let from = &writer.history;
    let mut rewriting = Rewriting {
        state: &writer.state,
        gone,
        named: match gone.cutoffs.is_empty() {
            true => RoaringBitmap::new(),
            false => writer.state.named()?,
        },
        removed: BTreeMap::new(),
        values: 0,
        numbers: vec![None; writer.state.names.ordinals as usize],
        next: 0,
    };
    let mut frames = from.frames(from.start(), from.end());
    while let Some(mut frame) = frames.next()? {
        let values = rewriting.values;
        let (rows, met) = rewriting.rewrite(&mut frame)?;
        report.rows += rows;
        report.frames += u64::from(rows > 0 || rewriting.values > values);
        if !met.is_empty() {
            let header = FrameHeader { kind: records::RETAIN, rows: 0, ..frame.header };
            to.append(header, &RetainRecord::met(met).encode()?)?;
        }
        to.append(frame.header, &frame.body)?;
    }
    report.values = rewriting.values;
    to.sync()
}

/// The graph of a history that is to take the place of the writer's.
fn graph(writer: &Writer, history: &History) -> Result<(State, u64)> {
    let (disk, options) = (&writer.disk, &writer.options);
    let number = writer.graph + 1;
    let (state, number) = rebuilt(disk, options, history, writer.store_id, number, history.end())?;
    let of = |state: &State| (state.commit, state.rows, state.interactions(), state.present.len());
    let (made, known) = (of(&state), of(&writer.state));
    if made != known {
        let what = format!(
            "written anew the store comes to {made:?} (commit, rows, interactions, customers) instead of {known:?}; it \
             stays as it is: `throughline check` may find why"
        );
        return Err(Error::Invalid(what));
    }
    Ok((state, number))
}

/// Frames on their way into the new history.
struct Rewriting<'a> {
    state: &'a State,
    gone: &'a Gone,
    /// Identities of which something is left, where something was dropped.
    named: RoaringBitmap,
    /// Values that were left out.
    values: u64,
    /// Rows that were left out, by the commit that took them out.
    removed: BTreeMap<u64, u64>,
    /// The numbers that identities will have, by those that they have.
    numbers: Vec<Option<u32>>,
    next: u32,
}

/// Rows that were left out, and identities of theirs that are to be met all the same.
type LeftOut = (u64, Vec<String>);

impl Rewriting<'_> {
    /// Takes out of a frame what was erased or dropped.
    fn rewrite(&mut self, frame: &mut Frame) -> Result<LeftOut> {
        let (what, commit) = (frame_name(frame.start), frame.header.commit);
        match frame.header.kind & !FINAL {
            records::INTERACTIONS | records::CUSTOMERS => return self.rows(frame, &what),
            records::COHORT => {
                let record = cohort_record(&frame.body, &what)?;
                let before = bitmap(&record.customers, &what)?;
                let number = |old: u32| self.numbers.get(old as usize).copied().flatten();
                let after: RoaringBitmap = before.iter().filter_map(number).collect();
                if after != before {
                    let record = CohortRecord { name: record.name, customers: bitmap_bytes(&after)? };
                    frame.body = records::to_bytes(&record)?;
                }
            }
            records::ERASE => {
                let mut record = EraseRecord::decode(&frame.body, &what)?;
                if !record.identities.is_empty() {
                    record.removed += self.removed.remove(&commit).unwrap_or_default();
                    (record.interactions, record.vacuumed) = (0, true);
                    frame.body = record.encode()?;
                }
            }
            records::RETAIN => {
                let mut record = RetainRecord::decode(&frame.body, &what)?;
                if let Some(said) = &mut record.said {
                    said.removed += self.removed.remove(&commit).unwrap_or_default();
                    (said.interactions, said.vacuumed) = (0, true);
                }
                let mut met = Vec::with_capacity(record.met.len());
                for identity in std::mem::take(&mut record.met) {
                    if self.is_named(&identity)? && !self.is_gone(&identity, commit) {
                        self.number(&identity)?;
                        met.push(identity);
                    }
                }
                record.met = met;
                frame.body = record.encode()?;
            }
            records::LINKS => self.links(frame, &what)?,
            records::AMEND => self.amendments(frame, &what)?,
            records::REDACT => {
                // It is done to all frames before it. That there was one is kept.
                let edits = FrameEdits::decode(&frame.body, &what)?;
                let nothing = vec![false; edits.given.len()];
                frame.body = edits.filtered(&nothing).encode()?;
            }
            records::SCHEMA | records::SOURCE | records::COMMIT | records::GUARDS => {}
            kind => return Err(records::unknown_kind(kind, &what)),
        }
        Ok((0, Vec::new()))
    }

    /// Takes out what is said of the erased.
    fn links(&mut self, frame: &mut Frame, what: &str) -> Result<()> {
        let commit = frame.header.commit;
        let all = FrameLinks::decode(&frame.body, what)?;
        let left = |pair: &Pair<'_>| !(self.is_gone(pair.one, commit) || self.is_gone(pair.other, commit));
        let left = FrameLinks::from_pairs(all.pairs().filter(left))?;
        if left.len() < all.len() {
            frame.body = left.encode()?;
        }
        for pair in left.pairs() {
            self.number(pair.one)?;
            self.number(pair.other)?;
        }
        Ok(())
    }

    /// Takes out what is amended of the erased or dropped, or was redacted afterwards.
    fn amendments(&mut self, frame: &mut Frame, what: &str) -> Result<()> {
        let commit = frame.header.commit;
        let mut edits = FrameEdits::decode(&frame.body, what)?;
        let gone: Vec<bool> = edits.rows.identities.iter().map(|text| self.is_gone(text, commit)).collect();
        let cutoff = self.gone.cutoffs.of(commit);
        let stays = |(&code, &time): (&u32, &i64)| {
            !gone.get(code as usize).copied().unwrap_or_default()
                && cutoff.is_none_or(|cutoff| time >= cutoff)
        };
        let mut values = 0;
        let keep: Vec<bool> = edits.rows.identity_codes.iter().zip(&edits.rows.times).map(stays).collect();
        let changed = keep.contains(&false);
        if changed {
            values = edits.values();
            edits = edits.filtered(&keep);
            values -= edits.values();
        }
        let redacted = self.gone.redactions.leave_out_of_edits(&mut edits, commit)?;
        if changed || redacted > 0 {
            frame.body = edits.encode()?;
        }
        self.values += values + redacted;
        Ok(())
    }

    /// Whether what a commit has of an identity is erased afterwards.
    fn is_gone(&self, identity: &str, commit: u64) -> bool {
        self.gone.erasures.takes_out(self.state.identity_key(identity), commit)
    }

    /// Whether something is left of an identity where something was dropped.
    fn is_named(&self, identity: &str) -> Result<bool> {
        let known = self.state.names.identities.read()?.find(identity);
        Ok(known.is_some_and(|number| self.named.contains(number)))
    }

    /// Meets an identity, in the order in which they will be met. Answers whether that is the first time.
    fn number(&mut self, identity: &str) -> Result<bool> {
        let known = self.state.names.identities.read()?.find(identity);
        let Some(number @ None) = known.and_then(|old| self.numbers.get_mut(old as usize)) else {
            return Ok(false);
        };
        *number = Some(self.next);
        self.next += 1;
        Ok(true)
    }

    fn rows(&mut self, frame: &mut Frame, what: &str) -> Result<LeftOut> {
        let commit = frame.header.commit;
        let mut identities = FrameRows::identities_in(&frame.body, what)?;
        let erasure = |text: &str| {
            let key = self.state.identity_key(text);
            self.gone.erasures.last_of(key).filter(|&erasure| commit <= erasure)
        };
        let erasures: Vec<Option<u64>> = identities.iter().map(erasure).collect();
        let gone: Vec<bool> = erasures.iter().map(Option::is_some).collect();
        let dropping = match frame.header.kind & !FINAL {
            records::INTERACTIONS => self.gone.cutoffs.step(commit),
            _ => None,
        };
        let (mut removed, mut met) = (0, Vec::new());
        if gone.contains(&true) || dropping.is_some() {
            let mut rows = FrameRows::decode(&frame.body, what)?;
            let all = rows.len();
            for &code in &rows.identity_codes {
                if let Some(erasure) = erasures.get(code as usize).copied().flatten() {
                    *self.removed.entry(erasure).or_default() += 1;
                }
            }
            if let Some((left, _)) = rows.without_identities(&gone) {
                rows = left;
            }
            if let Some((dropping, cutoff)) = dropping
                && let Some(stays) = kept(cutoff, &rows.times)
            {
                let dropped = stays.iter().filter(|stays| !**stays).count() as u64;
                *self.removed.entry(dropping).or_default() += dropped;
                // In the order of the frame, that of the rows that stay among them.
                for identity in rows.identities.iter() {
                    if self.is_named(identity)? && self.number(identity)? {
                        met.push(identity.to_owned());
                    }
                }
                rows = rows.filtered(&stays);
            }
            removed = (all - rows.len()) as u64;
            if removed > 0 {
                frame.body = rows.encode()?;
                if frame.header.rows > 0 {
                    frame.header.rows = rows.len() as u32;
                }
                identities = rows.identities;
            }
        }
        if self.gone.redactions.concern(&identities) {
            let mut rows = FrameRows::decode(&frame.body, what)?;
            let values = self.gone.redactions.leave_out(&mut rows, commit);
            if values > 0 {
                frame.body = rows.encode()?;
                self.values += values;
            }
        }
        for text in identities.iter() {
            self.number(text)?;
        }
        Ok((removed, met))
    }
}

impl State {
    /// Identities of which something is left: interactions that came under them, attributes, what was said
    /// about them, a place in a cohort.
    fn named(&self) -> Result<RoaringBitmap> {
        let mut named = RoaringBitmap::new();
        let of = [AttrId::IDENTITY];
        let mut add = |block: &Block| {
            if let Some(Column::Int { values, .. }) = block.column(AttrId::IDENTITY) {
                named.extend(values.iter().map(|&identity| identity as u32));
            }
        };
        self.tail.pieces().iter().for_each(|piece| add(&piece.living(Wanted::These(&of))));
        for run in self.version.manifest.ranges.iter().flat_map(Range::all) {
            for meta in &run.segments {
                let (dead, all) = (self.unmarked.customers(), Chosen::Span(meta.first..=meta.last));
                let read = read_chosen(self.chunks(), &self.names, run, dead, &all, Wanted::Untimed(&of))?;
                read.iter().for_each(|read| add(&read.block));
            }
        }
        named.extend(self.customers.iter().flat_map(|block| &block.customers));
        self.cohorts.values().for_each(|cohort| named |= &**cohort);
        for entries in self.links.parts(self.chunks()) {
            let both = |entry: &Entry| [entry.one, entry.other];
            named.extend(entries?.iter().flat_map(both).map(|IdentityOrdinal(identity)| identity));
        }
        Ok(named)
    }
}
