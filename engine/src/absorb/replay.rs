//! Frames taken into memory: read and decoded on a thread of their own, and many sorted at once.
//! Appends that came a hundred rows at a time would otherwise be merged as often as they were then.

use std::sync::mpsc::sync_channel;

use super::{Keys, frame_name, take_frame, take_frame_rows};
use crate::error::{Error, Result};
use crate::history::{Frame, Frames, Position};
use crate::merge::{Rows, concat_rows};
use crate::records::{self, FrameRows};
use crate::state::State;

/// Rows that are sorted at once, or a few more.
const SORTED_ROWS: usize = if cfg!(test) { 5 } else { 1 << 18 };
/// Rows, and bytes of frames, that are handed over at once.
const HANDED_ROWS: usize = if cfg!(test) { 3 } else { 1 << 13 };
const HANDED_BYTES: usize = 1 << 20;
/// So many hands full may wait: they are read while the identities are.
const HANDED_WAITING: usize = 16;

/// What frames of these kinds say does not depend on which interactions are in memory already.
const APART: [u8; 7] = [
    records::INTERACTIONS,
    records::CUSTOMERS,
    records::LINKS,
    records::AMEND,
    records::REDACT,
    records::COMMIT,
    records::SOURCE,
];

/// A frame, and its rows where it has some.
struct Decoded {
    frame: Frame,
    rows: Option<FrameRows>,
}

impl Decoded {
    fn of(frame: Frame) -> Result<Self> {
        let rows = match frame.header.kind & !records::FINAL {
            records::INTERACTIONS | records::CUSTOMERS => {
                Some(FrameRows::decode(&frame.body, &frame_name(frame.start))?)
            }
            _ => None,
        };
        Ok(Self { frame, rows })
    }
}

/// Takes frames into the state and its tail. On more than one thread, one reads ahead.
pub(super) fn replay(state: &mut State, mut frames: Frames, keys: Keys, threads: usize) -> Result<()> {
    let mut waiting = Waiting::default();
    if threads < 2 {
        while let Some(frame) = frames.next()? {
            waiting.take(state, Decoded::of(frame)?, keys)?;
        }
        return waiting.end(state);
    }
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Result<Vec<Decoded>>>(HANDED_WAITING);
        scope.spawn(move || {
            loop {
                let some = some(&mut frames);
                let is_last = some.as_ref().map_or(true, Vec::is_empty);
                // Nobody takes it any more after an error.
                if sender.send(some).is_err() || is_last {
                    break;
                }
            }
        });
        drop(state.names.identities.read()?);
        loop {
            let some =
                receiver.recv().unwrap_or_else(|_| Err(Error::invalid("a thread stopped unexpectedly")))?;
            if some.is_empty() {
                return waiting.end(state);
            }
            some.into_iter().try_for_each(|decoded| waiting.take(state, decoded, keys))?;
        }
    })
}

/// The next frames; none at the end.
fn some(frames: &mut Frames) -> Result<Vec<Decoded>> {
    let (mut some, mut rows, mut bytes) = (Vec::new(), 0, 0);
    while rows < HANDED_ROWS
        && bytes < HANDED_BYTES
        && let Some(frame) = frames.next()?
    {
        bytes += frame.body.len();
        let decoded = Decoded::of(frame)?;
        rows += decoded.rows.as_ref().map_or(0, FrameRows::len);
        some.push(decoded);
    }
    Ok(some)
}

/// Interactions that are not sorted yet.
#[derive(Default)]
struct Waiting {
    rows: Vec<Rows>,
    len: usize,
    end: Option<(u64, Position)>,
}

impl Waiting {
    fn take(&mut self, state: &mut State, decoded: Decoded, keys: Keys) -> Result<()> {
        let Decoded { frame: Frame { start, end, header, body }, rows } = decoded;
        let what = frame_name(start);
        let kind = header.kind & !records::FINAL;
        // Other frames may say something of what is in memory.
        if !APART.contains(&kind) {
            self.sort(state)?;
        }
        let rows = match rows {
            Some(rows) => take_frame_rows(state, rows, header, &what, keys)?,
            None => take_frame(state, header, &body, &what, keys)?,
        };
        match rows {
            Some(rows) if kind == records::INTERACTIONS => {
                self.len += rows.len();
                self.rows.push(rows);
            }
            Some(rows) => state.add_to_tail(rows)?,
            None => {}
        }
        self.end = Some((header.commit, end));
        if self.len >= SORTED_ROWS {
            self.sort(state)?;
        }
        Ok(())
    }

    fn sort(&mut self, state: &mut State) -> Result<()> {
        self.len = 0;
        state.add_to_tail(concat_rows(std::mem::take(&mut self.rows))?)
    }

    fn end(mut self, state: &mut State) -> Result<()> {
        self.sort(state)?;
        if let Some(end) = self.end {
            (state.commit, state.end) = end;
        }
        Ok(())
    }
}
