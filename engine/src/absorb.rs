//! From history to graph. One code for reopening, bulk import and rebuild:
//! few rows are kept in memory, many are sorted outside it (`sorter.rs`).

mod gathered;
mod part;
mod replay;
mod sorter;
#[cfg(test)]
mod tests;

use replay::replay;
pub(crate) use sorter::{SCRATCH, SCRATCH_MOVED, Sorter};

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::disk::Disk;
use crate::erased::Coming;
use crate::error::Result;
use crate::history::{FrameHeader, History, Position};
use crate::merge::Rows;
use crate::model::Millis;
use crate::options::Options;
use crate::records::amend::FrameEdits;
use crate::records::links::{FrameLinks, GuardsRecord};
use crate::records::{self, EraseRecord, FrameRows, RetainRecord};
use crate::retained::Cutoffs;
use crate::schema::Subject;
use crate::settle::{MOVED_AT_ONCE, Moves, number_anew, rows_of};
use crate::state::{DOMAIN_CUSTOMERS, DOMAIN_INTERACTIONS, State, cohort_record};
use crate::versions::{Versions, customers_of, settled};

/// So many customers are moved in memory: some 5 MB of usual journeys.
const MOVED_IN_MEMORY: u64 = if cfg!(test) { 2 } else { 1 << 12 };
/// Frames of so few bytes are always read into memory.
const FRAMES_BYTES_MIN: usize = 1 << 20;

/// Fewer bytes of frames are read sooner than a thread is begun.
const READ_AHEAD_BYTES_MIN: u64 = if cfg!(test) { 1_000 } else { 1 << 16 };

/// Whether the rows' keys are remembered, or were before they were written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    Remember,
    Known,
}

/// Brings a state up to `to`, from where it ends, within the memory of `options`.
pub(crate) fn absorb(
    state: &mut State,
    disk: &Arc<dyn Disk>,
    history: &History,
    to: Position,
    options: &Options,
    keys: Keys,
) -> Result<()> {
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    let mut takes_out = Vec::new();
    let mut headers = history.headers(state.end, to);
    while let Some(frame) = headers.next()? {
        if [records::ERASE, records::RETAIN].contains(&(frame.header.kind & !records::FINAL)) {
            takes_out.push((frame.start, frame.end));
        }
        rows += u64::from(frame.header.rows);
        bytes += frame.end.offset - frame.start.offset;
    }
    let (erasures, cutoffs) = coming(history, &takes_out)?;
    state.expect(erasures)?;
    state.expect_cutoffs(cutoffs)?;
    let done = absorb_within(state, disk, history, to, options, keys, (rows, bytes));
    state.expected();
    done
}

/// Who is erased in some frames, and by the last of which commits; and what is dropped in them.
pub(crate) fn coming(history: &History, frames: &[(Position, Position)]) -> Result<(Coming, Cutoffs)> {
    let (mut coming, mut cutoffs) = (Coming::default(), Cutoffs::default());
    for &(start, end) in frames {
        let Some(frame) = history.frames(start, end).next()? else { continue };
        let (what, commit) = (frame_name(start), frame.header.commit);
        if frame.header.kind & !records::FINAL == records::ERASE {
            let record = EraseRecord::decode(&frame.body, &what)?;
            record.identities.iter().for_each(|&key| coming.add(key, commit));
        } else if let Some(said) = RetainRecord::decode(&frame.body, &what)?.said
            && let Some(cutoff) = said.cutoff
        {
            cutoffs.add(commit, cutoff);
        }
    }
    Ok((coming, cutoffs))
}

fn absorb_within(
    state: &mut State,
    disk: &Arc<dyn Disk>,
    history: &History,
    to: Position,
    options: &Options,
    keys: Keys,
    (rows, bytes): (u64, u64),
) -> Result<()> {
    // Frames are compressed, some to an eighth.
    let fits = bytes <= (options.memory_bytes / 16).max(FRAMES_BYTES_MIN) as u64;
    if fits && state.tail_rows() as u64 + rows <= options.tail_interactions as u64 {
        let threads = if bytes < READ_AHEAD_BYTES_MIN { 1 } else { state.threads };
        replay(state, history.frames(state.end, to), keys, threads)?;
        return settle(state, disk, options);
    }
    if !state.tail.is_empty() {
        state.seal()?;
    }
    let mut sorter = Sorter::new(Arc::clone(disk), options.memory_bytes);
    let mut frames = history.frames(state.end, to);
    let mut end = (state.commit, state.end);
    while let Some(frame) = frames.next()? {
        let what = frame_name(frame.start);
        if let Some(rows) = take_frame(state, frame.header, &frame.body, &what, keys)? {
            state.note_present(&customers_of(&rows));
            sorter.push(rows)?;
        }
        end = (frame.header.commit, frame.end);
    }
    (state.commit, state.end) = end;
    seal_sorted(state, &mut sorter, disk, options)
}

/// Settles customers, and does what is to be done to interactions, in memory where they are few.
/// Where they are many all is sealed with them.
pub(crate) fn settle(state: &mut State, disk: &Arc<dyn Disk>, options: &Options) -> Result<()> {
    let moves = state.moves()?;
    if moves.left.len() + state.edits.identities() <= MOVED_IN_MEMORY {
        state.settle_into(&moves, &mut |state, rows| state.add_to_tail(rows))?;
        return state.settle_edits();
    }
    let mut sorter = Sorter::new(Arc::clone(disk), options.memory_bytes);
    for piece in state.tail.take().into_iter().chain(state.past.take()) {
        sorter.push(rows_of(piece.into_living()))?;
    }
    for rows in state.edits.take() {
        sorter.push(rows)?;
    }
    seal_moved(state, &moves, &mut sorter, disk, options)
}

/// Writes the rows of a sorter, and all else that is not there yet, into the graph, of the customers
/// that all that was said makes of them.
pub(crate) fn seal_sorted(
    state: &mut State,
    sorter: &mut Sorter,
    disk: &Arc<dyn Disk>,
    options: &Options,
) -> Result<()> {
    let moves = state.moves()?;
    seal_moved(state, &moves, sorter, disk, options)
}

fn seal_moved(
    state: &mut State,
    moves: &Moves,
    sorter: &mut Sorter,
    disk: &Arc<dyn Disk>,
    options: &Options,
) -> Result<()> {
    let mut sorted = sorter.end()?;
    // Before anybody is written, so that nobody is written twice.
    let mut moving = Sorter::new(Arc::clone(disk), options.memory_bytes / 2).in_folder(SCRATCH_MOVED);
    let mut take = |state: &mut State, rows: Rows| {
        state.note_present(&customers_of(&rows));
        moving.push(rows)
    };
    state.settle_into(moves, &mut take)?;
    if !moves.left.is_empty() {
        let names = state.names.clone();
        sorted.take_out(&names, &moves.left, &mut |mut rows| {
            number_anew(&names, &mut rows)?;
            take(state, rows)
        })?;
    }
    // What is sealed of those of whom something is to be changed comes to lie with the changes.
    let edited = state.take_edited()?;
    let mut each = edited.iter();
    loop {
        let some: RoaringBitmap = each.by_ref().take(MOVED_AT_ONCE).collect();
        if some.is_empty() {
            break;
        }
        for block in state.take_out(&some)? {
            take(state, rows_of(block))?;
        }
    }
    if !(moves.left.is_empty() && edited.is_empty()) {
        sorted = sorted.with(moving.end()?);
    }
    let names = state.names.clone();
    state.seal_with(&sorted.amounts(), &|span| match sorted.read(&names, span)? {
        None => Ok(Versions::default()),
        Some(block) => settled(block),
    })
}

/// The name of a frame, for messages.
pub(crate) fn frame_name(start: Position) -> String {
    format!("history/{:08}.tlh at byte {}", start.file, start.offset)
}

/// Takes what a frame says into the state; answers its interactions, numbered.
pub(crate) fn take_frame(
    state: &mut State,
    header: FrameHeader,
    body: &[u8],
    what: &str,
    keys: Keys,
) -> Result<Option<Rows>> {
    let FrameHeader { commit, recorded, kind, .. } = header;
    match kind & !records::FINAL {
        records::SCHEMA => state.set_schema(records::schema_from(body, what)?),
        records::SOURCE => {}
        records::COMMIT => state.recorded.note(commit, recorded, false, &[]),
        records::LINKS => state.take_links(&FrameLinks::decode(body, what)?, commit, recorded)?,
        records::GUARDS => state.take_guards(&GuardsRecord::decode(body, what)?, commit, recorded)?,
        records::COHORT => state.set_cohort(cohort_record(body, what)?, commit)?,
        records::ERASE => state.take_erasure(&EraseRecord::decode(body, what)?, commit)?,
        records::RETAIN => state.take_retention(&RetainRecord::decode(body, what)?, commit, recorded)?,
        kind @ (records::AMEND | records::REDACT) => {
            return state.take_edits(FrameEdits::decode(body, what)?, kind, (commit, recorded), what);
        }
        records::INTERACTIONS | records::CUSTOMERS => {
            return take_frame_rows(state, FrameRows::decode(body, what)?, header, what, keys);
        }
        kind => return Err(records::unknown_kind(kind, what)),
    }
    Ok(None)
}

/// As [`take_frame`], of a frame of rows that is decoded.
fn take_frame_rows(
    state: &mut State,
    frame: FrameRows,
    header: FrameHeader,
    what: &str,
    keys: Keys,
) -> Result<Option<Rows>> {
    let kind = header.kind & !records::FINAL;
    if keys == Keys::Remember {
        let domain = if kind == records::CUSTOMERS { DOMAIN_CUSTOMERS } else { DOMAIN_INTERACTIONS };
        let keys = state.keys(&frame, domain);
        state.remember(&keys)?;
        let keys = state.plain_keys(&frame);
        state.remember(&keys)?;
    }
    take_rows(state, frame, kind, header.commit, header.recorded, what)
}

/// Takes the rows of a frame into the state, except that its interactions are answered, numbered.
pub(crate) fn take_rows(
    state: &mut State,
    frame: FrameRows,
    kind: u8,
    commit: u64,
    recorded: Millis,
    what: &str,
) -> Result<Option<Rows>> {
    state.rows += frame.len() as u64;
    let mut frame = state.without_erased(frame, commit)?;
    if kind == records::INTERACTIONS {
        frame = state.without_older(frame, commit)?;
    }
    note_recorded(state, &frame, kind, commit, recorded);
    if kind == records::CUSTOMERS {
        let rows = state.names.number_rows(frame, Subject::Customer, commit, what)?;
        state.add_customers(rows)?;
        return Ok(None);
    }
    state.names.number_rows(frame, Subject::Interaction, commit, what).map(Some)
}

/// Takes in when the rows of a frame were recorded: with their commit, or as they say themselves.
fn note_recorded(state: &mut State, frame: &FrameRows, kind: u8, commit: u64, recorded: Millis) {
    let log = &mut state.recorded;
    let times = if kind == records::CUSTOMERS { &[][..] } else { &frame.times };
    let Some(own) = frame.recorded() else { return log.note(commit, recorded, true, times) };
    let own: Vec<Option<Millis>> = own.collect();
    // No row was recorded after its commit, whatever the clock did.
    let latest = own.iter().flatten().max().map_or(recorded, |&latest| latest.max(recorded));
    let others: Vec<Millis> =
        times.iter().zip(&own).filter(|(_, own)| own.is_none()).map(|(time, _)| *time).collect();
    log.note(commit, latest, true, &others);
    match kind {
        records::CUSTOMERS => {
            own.iter().flatten().min().into_iter().for_each(|&first| log.note_first_own(first))
        }
        _ => log.note_own(own.iter().zip(times).filter_map(|(own, &time)| Some(((*own)?, time))).collect()),
    }
}
