//! Which number an identity has, as the graph keeps it: so that a process that starts does not hash
//! all of them to find some.
//!
//! A piece has the identities of consecutive numbers, in the order of their hashes, which are not
//! distinct: whoever looks one up compares the texts that it is led to. Pieces follow one another
//! from number 0 on; the last identities may be in none. As soon as a piece is less than four times
//! what comes after it, both are written as one, so that there are few pieces, and an identity is
//! written few times.
//!
//! A piece lies in parts, each of those whose hashes begin with the same bits: one part is read to find
//! one identity.
//!
//! ```text
//! names u32 | packed distances of the hashes | packed places of the identities in the piece
//! ```

use std::hint::black_box;

use serde::{Deserialize, Serialize};

use crate::chunks::{Blob, ChunkRef, ChunkWriter, Chunks};
use crate::columns::{Reader, pack, unpack};
use crate::error::{Error, Result};
use crate::side_by_side::side_by_side;
use crate::strings::{Strings, hash_of};

/// Fewer are not written: who reads the store hashes them.
pub(crate) const PIECE_NAMES_MIN: usize = if cfg!(test) { 3 } else { 1 << 12 };
/// A piece is so many times the one after it, or both are made one.
const PIECES_RATIO: u64 = 4;
/// Names of a part, on the average between this and half of it.
const PART_NAMES: usize = if cfg!(test) { 4 } else { 1 << 14 };
/// Names in memory that share a place to begin at, on the average between this and half of it.
const PLACE_NAMES: usize = 8;

/// A piece, as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PieceMeta {
    names: u32,
    /// As many as a power of two, by the first bits of the hashes.
    parts: Vec<Blob>,
}

/// All pieces, as the manifest names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NameIndexMeta {
    pieces: Vec<PieceMeta>,
}

/// Hash and number, in this order of bits, so that they sort as numbers.
fn entry(hash: u32, number: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(number)
}

fn hash_in(entry: u64) -> u32 {
    (entry >> 32) as u32
}

/// The upper bits of a hash, as a number below `parts`, a power of two.
fn part_of(hash: u32, parts: usize) -> usize {
    ((u64::from(hash) * parts as u64) >> 32) as usize
}

impl NameIndexMeta {
    /// Every chunk it names.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = ChunkRef> {
        let parts = self.pieces.iter().flat_map(|piece| &piece.parts);
        parts.flat_map(|part| part.pages.iter().copied())
    }

    /// How many identities are in it: those of the numbers below.
    pub(crate) fn names(&self) -> usize {
        self.pieces.iter().map(|piece| piece.names as usize).sum()
    }

    /// Takes in the identities that are not in it yet, where these are worth a piece; `strings` are all.
    pub(crate) fn extend(
        &mut self,
        out: &mut ChunkWriter<'_>,
        strings: &Strings,
        threads: usize,
    ) -> Result<()> {
        let end = strings.len();
        let mut first = self.names();
        if end.saturating_sub(first) < PIECE_NAMES_MIN {
            return Ok(());
        }
        let is_due = |last: &mut PieceMeta, first: usize| {
            u64::from(last.names) < PIECES_RATIO * end.saturating_sub(first) as u64
        };
        while let Some(last) = self.pieces.pop_if(|last| is_due(last, first)) {
            first = first.saturating_sub(last.names as usize);
        }
        let parts = (end.saturating_sub(first) / PART_NAMES).max(1).next_power_of_two();
        let mut entries: Vec<Vec<u64>> = vec![Vec::with_capacity(2 * PART_NAMES); parts];
        for number in first..end {
            let hash = hash_of(strings.get(number));
            if let Some(part) = entries.get_mut(part_of(hash, parts)) {
                part.push(entry(hash, (number - first) as u32));
            }
        }
        let mut piece = PieceMeta { names: (end - first) as u32, parts: Vec::with_capacity(parts) };
        let encoded = |entries: &Vec<u64>| Ok(encode(entries));
        side_by_side(threads, &entries, encoded, |_, bytes| {
            piece.parts.push(out.blob(&bytes)?);
            Ok(())
        })?;
        self.pieces.push(piece);
        Ok(())
    }

    /// The number of an identity of that hash for which `is` holds, if it is in here. Reads one part
    /// of each piece.
    pub(crate) fn find(
        &self,
        chunks: &Chunks,
        hash: u32,
        is: &mut dyn FnMut(u32) -> Result<bool>,
    ) -> Result<Option<u32>> {
        let mut first = 0_u32;
        for piece in &self.pieces {
            let place = part_of(hash, piece.parts.len());
            if let Some(part) = piece.parts.get(place) {
                let entries = decode(chunks, piece, place, &chunks.blob(part)?)?;
                let from = entries.partition_point(|&entry| hash_in(entry) < hash);
                let same = entries.iter().skip(from).take_while(|&&entry| hash_in(entry) == hash);
                for &entry in same {
                    let number = first.saturating_add(entry as u32);
                    if is(number)? {
                        return Ok(Some(number));
                    }
                }
            }
            first = first.saturating_add(piece.names);
        }
        Ok(None)
    }
}

fn encode(entries: &[u64]) -> Vec<u8> {
    let mut entries = entries.to_vec();
    entries.sort_unstable();
    let mut before = 0;
    let distances: Vec<u32> = entries
        .iter()
        .map(|&entry| hash_in(entry) - std::mem::replace(&mut before, hash_in(entry)))
        .collect();
    let places: Vec<u32> = entries.iter().map(|&entry| entry as u32).collect();
    let mut out = (entries.len() as u32).to_le_bytes().to_vec();
    pack(&distances, &mut out);
    pack(&places, &mut out);
    out
}

/// Hashes and places of a part, ascending.
fn decode(chunks: &Chunks, piece: &PieceMeta, part: usize, bytes: &[u8]) -> Result<Vec<u64>> {
    let what = format!("{}: an index of names", chunks.folder());
    let mut reader = Reader::new(bytes, &what);
    let names = reader.u32()? as usize;
    let distances = unpack(&mut reader, names)?;
    let places = unpack(&mut reader, names)?;
    let wrong = reader.damaged("its names are not those of this part");
    reader.finish()?;
    let mut hash = 0_u64;
    let mut sound = true;
    let entry = |(distance, place): (u32, u32)| {
        hash += u64::from(distance);
        sound &= place < piece.names;
        hash << 32 | u64::from(place)
    };
    let entries: Vec<u64> = distances.into_iter().zip(places).map(entry).collect();
    sound &= hash <= u64::from(u32::MAX) && entries.is_sorted();
    let mut ends = entries.first().into_iter().chain(entries.last());
    sound &= ends.all(|&end| part_of(hash_in(end), piece.parts.len()) == part);
    if sound { Ok(entries) } else { Err(wrong) }
}

/// All pieces in memory: some 9 bytes a name.
#[derive(Debug, Default)]
pub(crate) struct NameIndex {
    pieces: Vec<Piece>,
    names: usize,
}

#[derive(Debug)]
struct Piece {
    first: u32,
    /// Ascending.
    entries: Vec<u64>,
    /// Where the hashes begin that start with some bits; one more for the end.
    starts: Vec<u32>,
}

impl NameIndex {
    /// Reads all of it, on some threads.
    pub(crate) fn load(chunks: &Chunks, meta: &NameIndexMeta, threads: usize) -> Result<Self> {
        let mut index = Self::default();
        for piece in &meta.pieces {
            let mut entries = Vec::new();
            let parts: Vec<(usize, &Blob)> = piece.parts.iter().enumerate().collect();
            let read =
                |&(place, part): &(usize, &Blob)| decode(chunks, piece, place, &chunks.blob_once(part)?);
            side_by_side(threads, &parts, read, |&(place, _), part| {
                // Doubling would copy all and touch as much memory again.
                if entries.capacity() - entries.len() < part.len() {
                    let left = part.len().saturating_mul(parts.len() - place);
                    entries.reserve_exact(left.saturating_add(left / 16));
                }
                entries.extend_from_slice(&part);
                Ok(())
            })?;
            if entries.len() != piece.names as usize {
                let what = format!("{}: an index of names", chunks.folder());
                return Err(Error::damaged(what, 0, "it has not all of its names"));
            }
            index.pieces.push(Piece::of(index.names as u32, entries));
            index.names += piece.names as usize;
        }
        Ok(index)
    }

    /// How many identities are in it: those of the numbers below.
    pub(crate) fn names(&self) -> usize {
        self.names
    }

    /// The number of an identity of that hash for which `is` holds, if it is in here.
    pub(crate) fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.pieces.iter().find_map(|piece| piece.find(hash, &is))
    }

    /// For each hash an identity that has it, if one is in here; there may be others. What lies far
    /// apart in memory is touched for all of them at once, so that it is waited for together.
    pub(crate) fn candidates(&self, hashes: &[u32]) -> Vec<Option<u32>> {
        let mut found = vec![None; hashes.len()];
        for piece in &self.pieces {
            let places: Vec<(u32, u32)> = hashes.iter().map(|&hash| piece.place(hash)).collect();
            let first = |&(start, _): &(u32, u32)| piece.entries.get(start as usize).copied();
            black_box(places.iter().filter_map(first).fold(0, |all, entry| all ^ entry));
            for ((found, &hash), (start, end)) in found.iter_mut().zip(hashes).zip(places) {
                let entries = piece.entries.get(start as usize..end as usize).unwrap_or_default();
                let entry = entries.iter().find(|&&entry| hash_in(entry) == hash);
                *found = found.or(entry.map(|&entry| piece.first.saturating_add(entry as u32)));
            }
        }
        found
    }

    /// All that is in it, hash and number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, u32)> {
        let of = |piece: &Piece| {
            let first = piece.first;
            move |&entry: &u64| (hash_in(entry), first.saturating_add(entry as u32))
        };
        self.pieces.iter().flat_map(move |piece| piece.entries.iter().map(of(piece)))
    }
}

impl Piece {
    fn of(first: u32, entries: Vec<u64>) -> Self {
        let places = (entries.len() / PLACE_NAMES).max(1).next_power_of_two();
        let mut starts = Vec::with_capacity(places + 1);
        for (start, &entry) in (0..).zip(&entries) {
            starts.resize(starts.len().max(part_of(hash_in(entry), places) + 1), start);
        }
        starts.resize(places + 1, entries.len() as u32);
        Self { first, entries, starts }
    }

    /// Where those lie that begin as a hash does.
    fn place(&self, hash: u32) -> (u32, u32) {
        let place = part_of(hash, self.starts.len() - 1);
        let at = |place: usize| self.starts.get(place).copied().unwrap_or_default();
        (at(place), at(place + 1))
    }

    fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        let (start, end) = self.place(hash);
        let entries = self.entries.get(start as usize..end as usize)?;
        let numbers = entries.iter().filter(|&&entry| hash_in(entry) == hash);
        numbers.map(|&entry| self.first.saturating_add(entry as u32)).find(|&number| is(number))
    }
}

#[cfg(test)]
mod tests;
