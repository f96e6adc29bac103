//! From history to graph. One code for reopening, bulk import and rebuild:
//! few rows are kept in memory, many are sorted outside it (`sorter.rs`).

mod gathered;
mod part;
mod sorter;
#[cfg(test)]
mod tests;

pub(crate) use sorter::{SCRATCH, Sorted, Sorter};

use std::sync::Arc;

use crate::disk::Disk;
use crate::erased::Coming;
use crate::error::Result;
use crate::history::{FrameHeader, History, Position};
use crate::merge::Rows;
use crate::model::Millis;
use crate::options::Options;
use crate::records::{self, EraseRecord, FrameRows};
use crate::schema::Subject;
use crate::state::{DOMAIN_CUSTOMERS, DOMAIN_INTERACTIONS, State, cohort_record};

/// Frames of so few bytes are always read into memory.
const FRAMES_BYTES_MIN: usize = 1 << 20;

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
    let mut erasures = Vec::new();
    let mut headers = history.headers(state.end, to);
    while let Some(frame) = headers.next()? {
        if frame.header.kind & !records::FINAL == records::ERASE {
            erasures.push((frame.start, frame.end));
        }
        rows += u64::from(frame.header.rows);
        bytes += frame.end.offset - frame.start.offset;
    }
    state.expect(coming(history, &erasures)?)?;
    let done = absorb_within(state, disk, history, to, options, keys, (rows, bytes));
    state.expected();
    done
}

/// Who is erased in some frames, and by the last of which commits.
fn coming(history: &History, erasures: &[(Position, Position)]) -> Result<Coming> {
    let mut coming = Coming::default();
    for &(start, end) in erasures {
        if let Some(frame) = history.frames(start, end).next()? {
            let record = EraseRecord::decode(&frame.body, &frame_name(start))?;
            record.identities.iter().for_each(|&key| coming.add(key, frame.header.commit));
        }
    }
    Ok(coming)
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
        let mut frames = history.frames(state.end, to);
        while let Some(frame) = frames.next()? {
            let what = frame_name(frame.start);
            if let Some(rows) = take_frame(state, frame.header, &frame.body, &what, keys)? {
                state.add_to_tail(rows)?;
            }
            state.commit = frame.header.commit;
            state.end = frame.end;
        }
        return Ok(());
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
            state.note_present(&rows.customers);
            sorter.push(rows)?;
        }
        end = (frame.header.commit, frame.end);
    }
    (state.commit, state.end) = end;
    seal_sorted(state, &sorter.end()?)
}

/// Writes sorted interactions, and all else that is not there yet, into the graph.
pub(crate) fn seal_sorted(state: &mut State, sorted: &Sorted) -> Result<()> {
    let names = state.names.clone();
    state.seal_with(&sorted.amounts(), &|span| sorted.read(&names, span))
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
        records::COHORT => state.set_cohort(cohort_record(body, what)?, commit)?,
        records::ERASE => state.take_erasure(&EraseRecord::decode(body, what)?, commit)?,
        kind @ (records::INTERACTIONS | records::CUSTOMERS) => {
            let frame = FrameRows::decode(body, what)?;
            if keys == Keys::Remember {
                let domain = if kind == records::CUSTOMERS { DOMAIN_CUSTOMERS } else { DOMAIN_INTERACTIONS };
                let keys = state.keys(&frame, domain);
                state.remember(&keys)?;
                let keys = state.plain_keys(&frame);
                state.remember(&keys)?;
            }
            return take_rows(state, frame, kind, commit, recorded, what);
        }
        kind => return Err(records::unknown_kind(kind, what)),
    }
    Ok(None)
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
    let frame = state.without_erased(frame, commit)?;
    if kind == records::CUSTOMERS {
        state.recorded.note(commit, recorded, true, &[]);
        let rows = state.names.number_rows(frame, Subject::Customer, commit, what)?;
        state.add_customers(rows)?;
        return Ok(None);
    }
    state.recorded.note(commit, recorded, true, &frame.times);
    state.names.number_rows(frame, Subject::Interaction, commit, what).map(Some)
}
