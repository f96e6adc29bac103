//! Tables of strings and sets of customers, as the graph holds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::block::Block;
use crate::chunks::{ChunkWriter, Chunks};
use crate::erased::Erased;
use crate::error::{Error, Result};
use crate::manifest::{Cohort, StringPage};
use crate::string_pages::page_strings;
use crate::strings::{StringTable, Strings};

/// Strings in a page of a table; the last page is written again until it is full.
const PAGE_STRINGS: usize = 1 << 14;

/// What the manifest's sets and customers' attributes were made from.
pub(super) struct Saved {
    pub present: Arc<RoaringBitmap>,
    pub customers: Option<Arc<Block>>,
    pub cohorts: BTreeMap<String, Arc<RoaringBitmap>>,
    pub erased: Erased,
}

impl Saved {
    /// Writes the cohorts that are not as they were saved.
    pub(super) fn cohorts(
        &self,
        out: &mut ChunkWriter<'_>,
        cohorts: &BTreeMap<String, Arc<RoaringBitmap>>,
        before: &[Cohort],
    ) -> Result<Vec<Cohort>> {
        let written = |(name, customers): (&String, &Arc<RoaringBitmap>)| {
            let saved = self.cohorts.get(name).is_some_and(|saved| Arc::ptr_eq(saved, customers));
            match before.iter().find(|cohort| saved && cohort.name == *name) {
                Some(before) => Ok(before.clone()),
                None => Ok(Cohort { name: name.clone(), customers: out.blob(&bitmap_bytes(customers)?)? }),
            }
        };
        cohorts.iter().map(written).collect()
    }
}

/// Reads a table whole.
pub(super) fn load_table(chunks: &Chunks, pages: &[StringPage]) -> Result<StringTable> {
    let mut strings = Strings::default();
    for page in pages {
        page_strings(chunks, page)?.iter().for_each(|text| strings.push(text));
    }
    Ok(StringTable::from_strings(strings))
}

/// Adds pages for the strings that have none yet.
pub(super) fn save_table(
    out: &mut ChunkWriter<'_>,
    strings: &Strings,
    pages: &mut Vec<StringPage>,
) -> Result<()> {
    let mut saved: usize = pages.iter().map(|page| page.strings as usize).sum();
    if saved == strings.len() {
        return Ok(());
    }
    if let Some(last) = pages.pop_if(|last| (last.strings as usize) < PAGE_STRINGS) {
        saved -= last.strings as usize;
    }
    while saved < strings.len() {
        let mut page = Strings::default();
        for place in saved..strings.len().min(saved + PAGE_STRINGS) {
            page.push(strings.get(place));
        }
        let count = page.len();
        let column = crate::Column::Str { codes: (1..=count as u32).collect(), dictionary: page };
        let mut bytes = Vec::new();
        crate::columns::encode(&column, &mut bytes)?;
        pages.push(StringPage { strings: count as u32, blob: out.blob(&bytes)? });
        saved += count;
    }
    Ok(())
}

/// A bitmap from its portable form.
pub(crate) fn bitmap(bytes: &[u8], what: &str) -> Result<RoaringBitmap> {
    RoaringBitmap::deserialize_from(bytes)
        .map_err(|error| Error::damaged(what, 0, format!("a bitmap does not decode: {error}")))
}

/// A bitmap in its portable form.
pub(crate) fn bitmap_bytes(bitmap: &RoaringBitmap) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap
        .serialize_into(&mut bytes)
        .map_err(|error| Error::invalid(format!("cannot encode a bitmap: {error}")))?;
    Ok(bytes)
}
