//! A sealed run: digests in ascending order, cut into pages.
//!
//! Data pages come first, then the fences (the first digest of every data
//! page), then the blocks of the filter. A page is a header of 8 bytes (kind,
//! version, two zero bytes, how many units) and its units end to end: digests
//! of 16 bytes, little-endian, or blocks of the filter. Digests are hashes and
//! do not compress, so they lie raw. Every page but the last of its kind is
//! full, so a unit's page follows from its number.

use super::RunPages;
use super::filter::{BLOCK_BYTES, Filter};
use crate::error::{Error, Result};
use crate::limits::PAGE_BYTES;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 8;
const DIGEST_BYTES: usize = 16;
/// Digests (or fences) in a full page.
pub(super) const PAGE_DIGESTS: usize = (PAGE_BYTES - HEADER_BYTES) / DIGEST_BYTES;
/// Blocks of the filter in a full page.
const PAGE_BLOCKS: usize = (PAGE_BYTES - HEADER_BYTES) / BLOCK_BYTES;
/// Room of the filter for each digest.
const FILTER_BITS_PER_DIGEST: u64 = 12;

/// What is known of a sealed run without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunMeta {
    /// The run's number, never used twice.
    pub run: u64,
    /// How many digests it holds, all distinct.
    pub digests: u64,
    /// Pages of digests: page numbers `0..pages`.
    pub pages: u32,
    /// Pages of fences, after those.
    pub fence_pages: u32,
    /// Pages of the filter, after those.
    pub filter_pages: u32,
    /// Blocks of the filter, of 64 bytes each.
    pub filter_blocks: u32,
}

impl RunMeta {
    /// Pages of all kinds: the run's page numbers are `0..all_pages()`.
    #[cfg(test)]
    pub(crate) fn all_pages(&self) -> u32 {
        self.pages.saturating_add(self.fence_pages).saturating_add(self.filter_pages)
    }

    /// Refuses counts that contradict each other.
    fn check(&self) -> Result<()> {
        let fits = u64::from(self.pages) == self.digests.div_ceil(PAGE_DIGESTS as u64)
            && self.fence_pages as usize == (self.pages as usize).div_ceil(PAGE_DIGESTS)
            && self.filter_pages as usize == (self.filter_blocks as usize).div_ceil(PAGE_BLOCKS)
            && self
                .pages
                .checked_add(self.fence_pages)
                .is_some_and(|p| p.checked_add(self.filter_pages).is_some());
        if fits {
            Ok(())
        } else {
            Err(Error::damaged(self.name(), 0, "its page counts contradict each other"))
        }
    }

    /// How many digests data page `page` holds.
    fn digests_in(&self, page: u32) -> usize {
        in_page(self.digests, PAGE_DIGESTS, page)
    }

    fn name(&self) -> String {
        format!("digest run {}", self.run)
    }

    fn damaged(&self, page: u32, what: impl Into<String>) -> Error {
        Error::damaged(format!("digest run {}, page {page}", self.run), 0, what)
    }

    /// Page `page` with its kind, version and length checked; it must hold
    /// `units` units of `unit_bytes`.
    fn read(&self, page: u32, kind: Kind, units: usize, pages: &dyn RunPages) -> Result<Arc<[u8]>> {
        let bytes = pages.page(self.run, page)?;
        let expected = header(kind, units);
        if bytes.get(..HEADER_BYTES) != Some(expected.as_slice()) {
            return Err(self.damaged(page, format!("its header is not that of {units} {}", kind.name())));
        }
        if bytes.len() != HEADER_BYTES + units * kind.unit_bytes() {
            return Err(
                self.damaged(page, format!("{} bytes do not hold {units} {}", bytes.len(), kind.name()))
            );
        }
        Ok(bytes)
    }
}

/// How many of `units` lie in page `page`, of `full` each.
fn in_page(units: u64, full: usize, page: u32) -> usize {
    units.saturating_sub(u64::from(page) * full as u64).min(full as u64) as usize
}

#[derive(Clone, Copy)]
enum Kind {
    Digests = 1,
    Fences = 2,
    Filter = 3,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Digests => "digests",
            Self::Fences => "fences",
            Self::Filter => "blocks of a filter",
        }
    }

    fn unit_bytes(self) -> usize {
        match self {
            Self::Digests | Self::Fences => DIGEST_BYTES,
            Self::Filter => BLOCK_BYTES,
        }
    }
}

fn header(kind: Kind, units: usize) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = (units as u32).to_le_bytes();
    [kind as u8, VERSION, 0, 0, a, b, c, d]
}

fn new_page(kind: Kind, units: usize) -> Vec<u8> {
    let mut page = Vec::with_capacity(HEADER_BYTES + units * kind.unit_bytes());
    page.extend_from_slice(&header(kind, units));
    page
}

fn digest_page(kind: Kind, digests: &[u128]) -> Vec<u8> {
    let mut page = new_page(kind, digests.len());
    digests.iter().for_each(|digest| page.extend_from_slice(&digest.to_le_bytes()));
    page
}

/// The digests of a page whose length was checked.
fn digests_of(page: &[u8]) -> &[[u8; DIGEST_BYTES]] {
    page.get(HEADER_BYTES..).unwrap_or_default().as_chunks().0
}

/// Takes digests in ascending order and cuts them into pages. Holds one data
/// page, the fences and the filter: some 1.5 bytes a digest.
pub(super) struct RunWriter {
    run: u64,
    digests: u64,
    page: Vec<u128>,
    fences: Vec<u128>,
    filter: Filter,
}

impl RunWriter {
    /// A run of at most `digests_max` digests; the filter is sized for those.
    pub(super) fn new(run: u64, digests_max: u64) -> Self {
        Self {
            run,
            digests: 0,
            page: Vec::with_capacity(PAGE_DIGESTS),
            fences: Vec::new(),
            filter: Filter::for_keys(digests_max, FILTER_BITS_PER_DIGEST),
        }
    }

    /// Adds a digest above all before it. Gives the data page that it fills.
    pub(super) fn push(&mut self, digest: u128) -> Option<(u32, Vec<u8>)> {
        if self.page.is_empty() {
            self.fences.push(digest);
        }
        self.page.push(digest);
        self.digests += 1;
        self.filter.insert(digest);
        if self.page.len() == PAGE_DIGESTS { self.cut() } else { None }
    }

    fn cut(&mut self) -> Option<(u32, Vec<u8>)> {
        if self.page.is_empty() {
            return None;
        }
        let page = digest_page(Kind::Digests, &self.page);
        self.page.clear();
        Some((self.fences.len() as u32 - 1, page))
    }

    /// The run's description and the pages still to be written, in order: the
    /// last data page, the fences, the filter.
    pub(super) fn finish(mut self) -> (RunMeta, impl Iterator<Item = (u32, Vec<u8>)>) {
        let last = self.cut();
        let (pages, blocks) = (self.fences.len(), self.filter.blocks());
        let meta = RunMeta {
            run: self.run,
            digests: self.digests,
            pages: pages as u32,
            fence_pages: pages.div_ceil(PAGE_DIGESTS) as u32,
            filter_pages: blocks.div_ceil(PAGE_BLOCKS) as u32,
            filter_blocks: blocks as u32,
        };
        let (fences, filter) = (self.fences, self.filter);
        let fence_pages = (0..meta.fence_pages as usize).map(move |number| {
            let start = number * PAGE_DIGESTS;
            let end = (start + PAGE_DIGESTS).min(fences.len());
            digest_page(Kind::Fences, fences.get(start..end).unwrap_or_default())
        });
        let filter_pages = (0..meta.filter_pages as usize).map(move |number| {
            let start = number * PAGE_BLOCKS;
            let mut page = new_page(Kind::Filter, (blocks - start).min(PAGE_BLOCKS));
            page.extend(filter.stored(start, PAGE_BLOCKS));
            page
        });
        let after = (meta.pages..).zip(fence_pages.chain(filter_pages));
        (meta, last.into_iter().chain(after))
    }
}

/// What of a run is kept in memory to look digests up: 1.5 bytes a digest.
pub(super) struct Lookup {
    fences: Vec<u128>,
    filter: Filter,
}

impl Lookup {
    /// Reads fences and filter.
    pub(super) fn load(meta: &RunMeta, pages: &dyn RunPages) -> Result<Self> {
        meta.check()?;
        let mut fences: Vec<u128> = Vec::new();
        for number in 0..meta.fence_pages {
            let units = in_page(u64::from(meta.pages), PAGE_DIGESTS, number);
            let page = meta.read(meta.pages + number, Kind::Fences, units, pages)?;
            fences.extend(digests_of(&page).iter().map(|bytes| u128::from_le_bytes(*bytes)));
        }
        if !fences.is_sorted_by(|a, b| a < b) {
            return Err(meta.damaged(meta.pages, "its fences are out of order"));
        }
        // The count may be wrong, so room for it is only asked for.
        let Some(mut filter) = Filter::with_room(meta.filter_blocks as usize) else {
            return Err(Error::damaged(
                meta.name(),
                0,
                format!("no room for {} blocks of a filter", meta.filter_blocks),
            ));
        };
        for number in 0..meta.filter_pages {
            let units = in_page(u64::from(meta.filter_blocks), PAGE_BLOCKS, number);
            let page = meta.read(meta.pages + meta.fence_pages + number, Kind::Filter, units, pages)?;
            let (blocks, _) = page.get(HEADER_BYTES..).unwrap_or_default().as_chunks();
            blocks.iter().for_each(|block| filter.push_block(block));
        }
        Ok(Self { fences, filter })
    }

    /// Calls `found` with the place in `digests` (ascending) of each that the
    /// run holds. Reads only pages for which the filter says 'maybe', each at
    /// most once, in order.
    pub(super) fn find(
        &self,
        meta: &RunMeta,
        digests: &[u128],
        pages: &dyn RunPages,
        mut found: impl FnMut(usize),
    ) -> Result<()> {
        let mut open: Option<(usize, Arc<[u8]>)> = None;
        let mut from = 0;
        for (place, &digest) in digests.iter().enumerate() {
            if !self.filter.may_contain(digest) {
                continue;
            }
            let Some(number) = self.fences.partition_point(|fence| *fence <= digest).checked_sub(1) else {
                continue;
            };
            let page = match open.take() {
                Some((at, page)) if at == number => page,
                _ => {
                    from = 0;
                    self.data_page(meta, number, pages)?
                }
            };
            let held = digests_of(&page);
            from = lower_bound(held, from, digest);
            if held.get(from).is_some_and(|bytes| u128::from_le_bytes(*bytes) == digest) {
                found(place);
            }
            open = Some((number, page));
        }
        Ok(())
    }

    /// A data page, checked against the fences on both sides.
    fn data_page(&self, meta: &RunMeta, number: usize, pages: &dyn RunPages) -> Result<Arc<[u8]>> {
        let page = number as u32;
        let bytes = meta.read(page, Kind::Digests, meta.digests_in(page), pages)?;
        let held = digests_of(&bytes);
        let first = held.first().map(|bytes| u128::from_le_bytes(*bytes));
        let last = held.last().map(|bytes| u128::from_le_bytes(*bytes));
        let next = self.fences.get(number + 1).copied();
        if first != self.fences.get(number).copied()
            || next.is_some_and(|next| last.is_none_or(|last| last >= next))
        {
            return Err(meta.damaged(page, "its digests do not lie between their fences"));
        }
        Ok(bytes)
    }
}

/// The first place at or after `from` whose digest is not below `digest`:
/// doubling steps, then halving, so that near neighbours are found in a few.
fn lower_bound(held: &[[u8; DIGEST_BYTES]], from: usize, digest: u128) -> usize {
    let below = |place: usize| held.get(place).is_some_and(|bytes| u128::from_le_bytes(*bytes) < digest);
    let (mut start, mut step) = (from, 1);
    while below(start + step - 1) {
        start += step;
        step *= 2;
    }
    let end = (start + step).min(held.len());
    let range = held.get(start..end).unwrap_or_default();
    start + range.partition_point(|bytes| u128::from_le_bytes(*bytes) < digest)
}

/// Reads a run's digests in order, one page at a time.
pub(super) struct RunReader<'a> {
    meta: &'a RunMeta,
    pages: &'a dyn RunPages,
    page: Option<Arc<[u8]>>,
    next_page: u32,
    place: usize,
    last: Option<u128>,
}

impl<'a> RunReader<'a> {
    pub(super) fn new(meta: &'a RunMeta, pages: &'a dyn RunPages) -> Result<Self> {
        meta.check()?;
        // The last page proves the count, by which memory will be asked for.
        if let Some(last) = meta.pages.checked_sub(1) {
            meta.read(last, Kind::Digests, meta.digests_in(last), pages)?;
        }
        Ok(Self { meta, pages, page: None, next_page: 0, place: 0, last: None })
    }

    /// The next digest, above the one before; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<u128>> {
        loop {
            if let Some(bytes) = self.page.as_deref().and_then(|page| digests_of(page).get(self.place)) {
                let digest = u128::from_le_bytes(*bytes);
                if self.last.is_some_and(|last| last >= digest) {
                    return Err(self.meta.damaged(self.next_page - 1, "its digests are out of order"));
                }
                self.place += 1;
                self.last = Some(digest);
                return Ok(Some(digest));
            }
            if self.next_page == self.meta.pages {
                return Ok(None);
            }
            // The old page goes before the new one comes: one page a run.
            self.page = None;
            let units = self.meta.digests_in(self.next_page);
            self.page = Some(self.meta.read(self.next_page, Kind::Digests, units, self.pages)?);
            self.next_page += 1;
            self.place = 0;
        }
    }
}
