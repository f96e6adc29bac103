//! The external sort: numbered rows come in any order and in any number, and
//! leave by customers.
//!
//! Rows are gathered until they fill their share of memory. Then they are dealt
//! out by slices of customers and spilled, each slice's in one piece; within it
//! they keep the order in which they came. The end reads the pieces of a span
//! of customers together and sorts them. All but that is done on a thread of
//! its own, beside whoever has the rows. What fits the memory is not written.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use roaring::RoaringBitmap;

use super::gathered::Gathered;
use super::part;
use crate::block::{Block, text_bytes};
use crate::disk::{Disk, DiskFile, How};
use crate::error::{Error, Result};
use crate::limits::RANGE_CUSTOMERS;
use crate::merge::Rows;
use crate::model::CustomerOrdinal;
use crate::names::Names;
use crate::order::sort;
use crate::seal::Amount;

/// Customers in a slice of the spill.
const SLICE_CUSTOMERS: u32 = 1 << 12;
/// Bytes that a gathered row counts for: itself, and what else lies in memory meanwhile.
const GATHERED_BYTES_ROW: usize = 512;
/// Bytes written to the spill at once.
const WRITTEN_BYTES: usize = 4 << 20;
/// Where spills lie.
pub(crate) const SCRATCH: &str = "scratch";
/// As [`SCRATCH`], of rows whose customers turned out to be others while they were sorted.
pub(crate) const SCRATCH_MOVED: &str = "scratch-moved";

/// Takes rows in.
pub(crate) struct Sorter {
    disk: Arc<dyn Disk>,
    chunk_rows: usize,
    chunk_text: usize,
    folder: &'static str,
    running: Option<(SyncSender<Rows>, JoinHandle<Result<Sorted>>)>,
}

impl Sorter {
    pub(crate) fn new(disk: Arc<dyn Disk>, memory_bytes: usize) -> Self {
        let rows = (memory_bytes / GATHERED_BYTES_ROW).clamp(1 << 12, 1 << 22);
        Self::with_chunks(disk, rows, (memory_bytes / 8).clamp(1 << 20, 1 << 30))
    }

    /// A sorter that spills so many rows, or bytes of text, at once.
    pub(super) fn with_chunks(disk: Arc<dyn Disk>, chunk_rows: usize, chunk_text: usize) -> Self {
        Self { disk, chunk_rows, chunk_text, folder: SCRATCH, running: None }
    }

    /// Spills into another folder, so that it can run beside another one.
    pub(crate) fn in_folder(mut self, folder: &'static str) -> Self {
        self.folder = folder;
        self
    }

    /// Takes rows.
    ///
    /// # Errors
    /// What went wrong with the spill, perhaps with rows taken before. Nothing more can be taken then.
    pub(crate) fn push(&mut self, rows: Rows) -> Result<()> {
        let (sender, _) = match &mut self.running {
            Some(running) => running,
            None => {
                let gathering = Gathering {
                    chunk_rows: self.chunk_rows,
                    chunk_text: self.chunk_text,
                    dealt: Vec::new(),
                    gathered_rows: 0,
                    gathered_text: 0,
                    sorted: Sorted::new(Arc::clone(&self.disk), self.folder),
                };
                let (sender, receiver) = sync_channel(1);
                let thread = std::thread::Builder::new().name("throughline-sort".into());
                let worker = thread.spawn(move || gathering.run(&receiver));
                let worker =
                    worker.map_err(|error| Error::invalid(format!("cannot begin a thread: {error}")))?;
                self.running.insert((sender, worker))
            }
        };
        match sender.send(rows) {
            Ok(()) => Ok(()),
            Err(_) => Err(match self.end() {
                Err(error) => error,
                Ok(_) => stopped(),
            }),
        }
    }

    /// All that was taken; nothing is left in the sorter.
    ///
    /// # Errors
    /// As [`Sorter::push`].
    pub(crate) fn end(&mut self) -> Result<Sorted> {
        let Some((sender, worker)) = self.running.take() else {
            return Ok(Sorted::new(Arc::clone(&self.disk), self.folder));
        };
        drop(sender);
        worker.join().unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for Sorter {
    fn drop(&mut self) {
        drop(self.end());
    }
}

fn stopped() -> Error {
    Error::invalid("sorting stopped unexpectedly")
}

/// A batch, and its rows by slice.
struct Dealt {
    rows: Rows,
    /// Places of rows, slice by slice.
    order: Vec<u32>,
    /// Slices, ascending, and where each ends in `order`.
    slices: Vec<(u32, usize)>,
}

impl Dealt {
    fn new(rows: Rows) -> Self {
        let slice_of = |customer: u32| customer / SLICE_CUSTOMERS;
        let bounds = rows.customers.iter().fold((u32::MAX, 0), |(low, high), &customer| {
            let slice = slice_of(customer);
            (low.min(slice), high.max(slice))
        });
        let (first, last) = (bounds.0.min(bounds.1), bounds.1);
        // A count, then where the next row of the slice goes.
        let mut places = vec![0_usize; (last - first) as usize + 1];
        for &customer in &rows.customers {
            places[(slice_of(customer) - first) as usize] += 1;
        }
        let (mut slices, mut end) = (Vec::new(), 0);
        for (slice, place) in (first..).zip(&mut places) {
            let start = end;
            end += std::mem::replace(place, start);
            if end > start {
                slices.push((slice, end));
            }
        }
        let mut order = vec![0_u32; rows.len()];
        for (row, &customer) in (0..).zip(&rows.customers) {
            let place = &mut places[(slice_of(customer) - first) as usize];
            order[*place] = row;
            *place += 1;
        }
        Self { rows, order, slices }
    }
}

/// The thread's side.
struct Gathering {
    chunk_rows: usize,
    chunk_text: usize,
    dealt: Vec<Dealt>,
    gathered_rows: usize,
    gathered_text: usize,
    sorted: Sorted,
}

impl Gathering {
    fn run(mut self, receiver: &Receiver<Rows>) -> Result<Sorted> {
        for rows in receiver {
            self.gathered_rows += rows.len();
            self.gathered_text += text_bytes(&rows.columns);
            self.dealt.push(Dealt::new(rows));
            if self.gathered_rows >= self.chunk_rows || self.gathered_text >= self.chunk_text {
                self.sorted.open()?;
                self.spill()?;
            }
        }
        self.spill()?;
        Ok(self.sorted)
    }

    /// Lays down what has gathered: in the file where there is one, else in memory.
    fn spill(&mut self) -> Result<()> {
        (self.gathered_rows, self.gathered_text) = (0, 0);
        let dealt = std::mem::take(&mut self.dealt);
        // For each batch the next of its slices, and where that begins.
        let mut next = vec![(0_usize, 0_usize); dealt.len()];
        let mut scratch = part::Scratch::default();
        let mut bytes = Vec::new();
        loop {
            let slice_of =
                |(batch, next): (&Dealt, &(usize, usize))| batch.slices.get(next.0).map(|slice| slice.0);
            let Some(slice) = dealt.iter().zip(&next).filter_map(slice_of).min() else { break };
            let start = bytes.len();
            let mut amount = Amount::default();
            for (batch, next) in dealt.iter().zip(&mut next) {
                if let Some(&(own, end)) = batch.slices.get(next.0).filter(|own| own.0 == slice) {
                    let picked = batch.order.get(next.1..end).unwrap_or_default();
                    amount.text += part::write(&batch.rows, picked, &mut scratch, &mut bytes);
                    amount.rows += picked.len() as u64;
                    *next = (next.0 + 1, end);
                    debug_assert_eq!(own, slice);
                }
            }
            self.sorted.note(slice, bytes.len() - start, amount);
            if bytes.len() >= WRITTEN_BYTES {
                self.sorted.append(&mut bytes)?;
            }
        }
        self.sorted.append(&mut bytes)
    }
}

/// The rows that one chunk has of a slice.
struct Piece {
    offset: u64,
    len: usize,
    amount: Amount,
}

/// All rows, by customers. The spill goes when this does.
pub(crate) struct Sorted {
    disk: Arc<dyn Disk>,
    file: Option<Box<dyn DiskFile>>,
    memory: Vec<u8>,
    noted: u64,
    slices: BTreeMap<u32, Vec<Piece>>,
    folder: &'static str,
    /// Customers who went with all their rows, and the rows that went, and others.
    gone: RoaringBitmap,
    also: Option<Box<Sorted>>,
}

impl Sorted {
    fn new(disk: Arc<dyn Disk>, folder: &'static str) -> Self {
        Self {
            disk,
            file: None,
            memory: Vec::new(),
            noted: 0,
            slices: BTreeMap::new(),
            folder,
            gone: RoaringBitmap::new(),
            also: None,
        }
    }

    fn open(&mut self) -> Result<()> {
        if self.file.is_none() {
            self.disk.create_dir(self.folder)?;
            self.file = Some(self.disk.open(&self.file_name(), How::Create)?);
        }
        Ok(())
    }

    fn file_name(&self) -> String {
        format!("{}/sort", self.folder)
    }

    /// Takes the rows of some customers out, a slice at a time.
    pub(crate) fn take_out(
        &mut self,
        names: &Names,
        customers: &RoaringBitmap,
        take: &mut dyn FnMut(Rows) -> Result<()>,
    ) -> Result<()> {
        let mut from = customers.min();
        while let Some(customer) = from {
            let slice = customer / SLICE_CUSTOMERS;
            let last = slice * SLICE_CUSTOMERS + (SLICE_CUSTOMERS - 1);
            let mut gathered = Gathered::default();
            let wanted = |of| customers.contains(of) && !self.gone.contains(of);
            self.gather(slice..=slice, &wanted, &mut gathered)?;
            if !gathered.is_empty() {
                take(gathered.finish(&|attr, column| names.conform(attr, column))?)?;
            }
            from = customers.range(last..).find(|&customer| customer > last);
        }
        self.gone |= customers;
        Ok(())
    }

    /// Adds what another sorter has.
    pub(crate) fn with(mut self, also: Sorted) -> Self {
        self.also = Some(Box::new(also));
        self
    }

    fn note(&mut self, slice: u32, len: usize, amount: Amount) {
        self.slices.entry(slice).or_default().push(Piece { offset: self.noted, len, amount });
        self.noted += len as u64;
    }

    fn append(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        match &mut self.file {
            Some(file) => file.append(bytes)?,
            None => self.memory.extend_from_slice(bytes),
        }
        bytes.clear();
        Ok(())
    }

    /// How much there is of each range, what went included.
    pub(crate) fn amounts(&self) -> BTreeMap<u32, Amount> {
        let mut amounts = self.also.as_ref().map(|also| also.amounts()).unwrap_or_default();
        for (slice, pieces) in &self.slices {
            let sum: &mut Amount = amounts.entry(slice / (RANGE_CUSTOMERS / SLICE_CUSTOMERS)).or_default();
            *sum = pieces.iter().fold(*sum, |sum, piece| sum.and(piece.amount));
        }
        amounts
    }

    /// The interactions of some customers; `None` where there are none.
    pub(crate) fn read(&self, names: &Names, span: RangeInclusive<CustomerOrdinal>) -> Result<Option<Block>> {
        let slices = span.start() / SLICE_CUSTOMERS..=span.end() / SLICE_CUSTOMERS;
        let mut gathered = Gathered::default();
        match self.gone.is_empty() {
            true => self.gather(slices.clone(), &|of| span.contains(&of), &mut gathered)?,
            false => {
                let wanted = |of| span.contains(&of) && !self.gone.contains(of);
                self.gather(slices.clone(), &wanted, &mut gathered)?;
            }
        }
        if let Some(also) = &self.also {
            also.gather(slices, &|of| span.contains(&of), &mut gathered)?;
        }
        if gathered.is_empty() {
            return Ok(None);
        }
        // Spilled columns are read as the types are at the end.
        let rows = gathered.finish(&|attr, column| names.conform(attr, column))?;
        sort(names, rows).map(Some)
    }

    fn gather(
        &self,
        slices: RangeInclusive<u32>,
        wanted: &impl Fn(CustomerOrdinal) -> bool,
        into: &mut Gathered,
    ) -> Result<()> {
        // In the order of the chunks, so that rows come as they came.
        let mut pieces: Vec<&Piece> = self.slices.range(slices).flat_map(|(_, pieces)| pieces).collect();
        pieces.sort_by_key(|piece| piece.offset);
        let mut buffer = Vec::new();
        for piece in pieces {
            let mut rest = self.bytes(piece, &mut buffer)?;
            while !rest.is_empty() {
                rest = part::read(rest, wanted, into, self.folder)?;
            }
        }
        Ok(())
    }

    fn bytes<'a>(&'a self, piece: &Piece, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let short = || Error::damaged(self.file_name(), piece.offset, "the file is cut short");
        match &self.file {
            None => {
                let start = piece.offset as usize;
                self.memory.get(start..start + piece.len).ok_or_else(short)
            }
            Some(file) => {
                buffer.resize(piece.len, 0);
                if file.read_at(piece.offset, buffer)? == piece.len { Ok(buffer) } else { Err(short()) }
            }
        }
    }
}

impl Drop for Sorted {
    fn drop(&mut self) {
        // What cannot be removed now is at the next opening.
        if self.file.take().is_some() {
            drop(self.disk.remove_dir(self.folder));
        }
    }
}
