//! From history to graph. One code for reopening, bulk import and rebuild:
//! few rows are kept in memory, many are sorted outside it.
//!
//! The external sort: frames are numbered in the order of the history and
//! gathered into chunks that fit the memory; a chunk is sorted by (customer,
//! total order), cut into slices of customers and spilled; at the end the
//! chunks of each slice are sorted together and written as segments. A slice
//! with more interactions than a chunk (one customer with millions) is still
//! sorted in memory.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::block::{Block, text_bytes};
use crate::disk::{Disk, DiskFile, How};
use crate::error::{Error, Result};
use crate::history::{FrameHeader, History, Position};
use crate::limits::RANGE_CUSTOMERS;
use crate::merge::{Rows, concat_rows, select_customers};
use crate::model::CustomerOrdinal;
use crate::options::Options;
use crate::order::sort;
use crate::records::{self, FrameRows};
use crate::schema::AttrId;
use crate::seal::Amount;
use crate::segment::{self, SegmentHeader};
use crate::state::{DOMAIN_CUSTOMERS, DOMAIN_INTERACTIONS, State, cohort_record};

/// Customers in a slice of the spill.
const SLICE_CUSTOMERS: u32 = 1 << 12;
/// Bytes that sorting needs for one row, roughly: the row, its copy and the keys.
const SORT_BYTES_ROW: usize = 512;
/// Frames of so few bytes are always read into memory.
const FRAMES_BYTES_MIN: usize = 1 << 20;
/// Where the spill lies.
pub(crate) const SCRATCH: &str = "scratch";

/// Whether the rows' keys are remembered, or were before they were written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    Remember,
    Known,
}

/// Brings a state up to `to`, from where it ends, within the memory of `options`.
pub(crate) fn absorb(
    state: &mut State,
    disk: &dyn Disk,
    history: &History,
    to: Position,
    options: &Options,
    keys: Keys,
) -> Result<()> {
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    let mut headers = history.headers(state.end, to);
    while let Some(frame) = headers.next()? {
        rows += u64::from(frame.header.rows);
        bytes += frame.end.offset - frame.start.offset;
    }
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
    let mut sorter = Sorter::new(disk, options.memory_bytes)?;
    let mut frames = history.frames(state.end, to);
    let mut end = (state.commit, state.end);
    while let Some(frame) = frames.next()? {
        let what = frame_name(frame.start);
        if let Some(rows) = take_frame(state, frame.header, &frame.body, &what, keys)? {
            state.note_present(&rows.customers);
            sorter.push(state, rows)?;
        }
        end = (frame.header.commit, frame.end);
    }
    (state.commit, state.end) = end;
    sorter.finish(state)
}

/// The name of a frame, for messages.
fn frame_name(start: Position) -> String {
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
        records::COHORT => state.set_cohort(cohort_record(body, what)?)?,
        records::INTERACTIONS => {
            let frame = FrameRows::decode(body, what)?;
            state.rows += frame.len() as u64;
            state.recorded.note(commit, recorded, true, &frame.times);
            remember(state, &frame, DOMAIN_INTERACTIONS, keys)?;
            return state.names.number_rows(frame, commit, what).map(Some);
        }
        records::CUSTOMERS => {
            let frame = FrameRows::decode(body, what)?;
            state.rows += frame.len() as u64;
            state.recorded.note(commit, recorded, true, &[]);
            remember(state, &frame, DOMAIN_CUSTOMERS, keys)?;
            let rows = state.names.number_rows(frame, commit, what)?;
            state.add_customers(rows)?;
        }
        kind => {
            return Err(Error::NotAStore(format!(
                "{what} holds a record of kind {kind}, which this program does not know: use a newer one"
            )));
        }
    }
    Ok(None)
}

fn remember(state: &mut State, frame: &FrameRows, domain: u8, keys: Keys) -> Result<()> {
    if keys == Keys::Remember {
        let keys = state.keys(frame, domain);
        state.remember(&keys)?;
    }
    Ok(())
}

/// A sorted, spilled piece of a slice.
struct Piece {
    offset: u64,
    header: u32,
    body: u32,
    amount: Amount,
}

struct Sorter<'a> {
    disk: &'a dyn Disk,
    chunk_rows: usize,
    chunk_text: usize,
    gathered: Vec<Rows>,
    gathered_rows: usize,
    gathered_text: usize,
    spill: Option<Box<dyn DiskFile>>,
    spilled: u64,
    slices: BTreeMap<u32, Vec<Piece>>,
}

impl<'a> Sorter<'a> {
    fn new(disk: &'a dyn Disk, memory_bytes: usize) -> Result<Self> {
        Ok(Self {
            disk,
            chunk_rows: (memory_bytes / SORT_BYTES_ROW).clamp(1 << 12, 1 << 22),
            chunk_text: (memory_bytes / 8).clamp(1 << 20, 1 << 30),
            gathered: Vec::new(),
            gathered_rows: 0,
            gathered_text: 0,
            spill: None,
            spilled: 0,
            slices: BTreeMap::new(),
        })
    }

    fn push(&mut self, state: &State, rows: Rows) -> Result<()> {
        self.gathered_rows += rows.len();
        self.gathered_text += text_bytes(&rows.columns);
        self.gathered.push(rows);
        let full = self.gathered_rows >= self.chunk_rows || self.gathered_text >= self.chunk_text;
        if full { self.spill(state) } else { Ok(()) }
    }

    fn spill(&mut self, state: &State) -> Result<()> {
        if self.gathered_rows == 0 {
            return Ok(());
        }
        (self.gathered_rows, self.gathered_text) = (0, 0);
        let block = sorted(state, std::mem::take(&mut self.gathered))?;
        let file = match &mut self.spill {
            Some(file) => file,
            None => {
                self.disk.create_dir(SCRATCH)?;
                self.spill.insert(self.disk.open(&format!("{SCRATCH}/sort"), How::Create)?)
            }
        };
        let mut first = 0;
        while let Some(customer) = block.customers.get(first) {
            let slice = customer / SLICE_CUSTOMERS;
            let last = slice * SLICE_CUSTOMERS + (SLICE_CUSTOMERS - 1);
            let part = select_customers(&block, *customer..=last);
            let encoded = segment::encode(&part)?;
            file.append(&encoded.header)?;
            file.append(&encoded.body)?;
            self.slices.entry(slice).or_default().push(Piece {
                offset: self.spilled,
                header: encoded.header.len() as u32,
                body: encoded.body.len() as u32,
                amount: Amount { rows: part.rows() as u64, text: part.text_bytes() as u64 },
            });
            self.spilled += (encoded.header.len() + encoded.body.len()) as u64;
            first += part.customers.len().max(1);
        }
        Ok(())
    }

    /// Writes everything into the graph.
    fn finish(mut self, state: &mut State) -> Result<()> {
        self.spill(state)?;
        let mut rows_of: BTreeMap<u32, Amount> = BTreeMap::new();
        for (slice, pieces) in &self.slices {
            let sum = rows_of.entry(slice * SLICE_CUSTOMERS / RANGE_CUSTOMERS).or_default();
            *sum = pieces.iter().fold(*sum, |sum, piece| sum.and(piece.amount));
        }
        let names = state.names.clone();
        let mut read = |span: RangeInclusive<CustomerOrdinal>| -> Result<Option<Block>> {
            let slices = span.start() / SLICE_CUSTOMERS..=span.end() / SLICE_CUSTOMERS;
            let mut parts = Vec::new();
            for piece in self.slices.range(slices).flat_map(|(_, pieces)| pieces) {
                let block = self.read(piece)?;
                // Spilled columns are read as the types are at the end.
                let columns =
                    block.columns.into_iter().map(|(attr, column)| (attr, names.conform(attr, column)));
                let block = Block { columns: columns.collect(), ..block };
                let whole = block.customers.first() >= Some(span.start())
                    && block.customers.last() <= Some(span.end());
                let block = if whole { block } else { select_customers(&block, span.clone()) };
                if !block.customers.is_empty() {
                    parts.push(rows_of_block(block));
                }
            }
            if parts.is_empty() {
                return Ok(None);
            }
            sort(&names, concat_rows(parts)?).map(Some)
        };
        state.seal_with(&rows_of, &mut read)?;
        self.disk.remove_dir(SCRATCH)
    }

    fn read(&self, piece: &Piece) -> Result<Block> {
        let mut bytes = vec![0; piece.header as usize + piece.body as usize];
        let read = match &self.spill {
            Some(file) => file.read_at(piece.offset, &mut bytes)?,
            None => 0,
        };
        if read != bytes.len() {
            return Err(Error::damaged(format!("{SCRATCH}/sort"), piece.offset, "the file is cut short"));
        }
        let (header, body) = bytes.split_at(piece.header as usize);
        let header = SegmentHeader::decode(header)?;
        let attrs: Vec<AttrId> = header.columns().iter().map(|entry| entry.attr).collect();
        header.decode_block(body, &attrs)
    }
}

fn sorted(state: &State, gathered: Vec<Rows>) -> Result<Block> {
    // The schema may have widened since the first of them.
    let parts = gathered
        .into_iter()
        .map(|rows| Rows {
            columns: (rows.columns.into_iter())
                .map(|(attr, column)| (attr, state.names.conform(attr, column)))
                .collect(),
            ..rows
        })
        .collect();
    sort(&state.names, concat_rows(parts)?)
}

fn rows_of_block(block: Block) -> Rows {
    let mut customers = Vec::with_capacity(block.rows());
    for (place, &customer) in block.customers.iter().enumerate() {
        customers.resize(block.journey(place).end, customer);
    }
    Rows { customers, times: block.times, columns: block.columns }
}
