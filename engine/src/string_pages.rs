//! Pages of the tables of strings that the graph holds: identities and symbols.

use crate::chunks::Chunks;
use crate::column::Column;
use crate::columns::{self, Bytes as _};
use crate::error::{Error, Result};
use crate::manifest::StringPage;
use crate::strings::Strings;

/// The strings of a page of a table.
pub(crate) fn page_strings(chunks: &Chunks, page: &StringPage) -> Result<Strings> {
    let view = chunks.view(&page.blob);
    decoded(chunks, page, &view.get(0..view.len())?)
}

/// As [`page_strings`], past the cache, for those who keep what they read.
pub(crate) fn page_strings_once(chunks: &Chunks, page: &StringPage) -> Result<Strings> {
    decoded(chunks, page, &chunks.blob_once(&page.blob)?)
}

fn decoded(chunks: &Chunks, page: &StringPage, bytes: &[u8]) -> Result<Strings> {
    let what = format!("{}: a page of names", chunks.folder());
    let column = columns::decode(bytes, page.strings as usize, &what)?;
    let Column::Str { codes, dictionary } = column else {
        return Err(Error::damaged(what, 0, "it holds no text"));
    };
    if (1..).zip(&codes).all(|(place, &code)| code == place) && dictionary.len() == codes.len() {
        return Ok(dictionary);
    }
    let mut strings = Strings::default();
    codes.iter().for_each(|&code| strings.push(dictionary.get((code as usize).wrapping_sub(1))));
    Ok(strings)
}

/// One string of a page of a table.
pub(crate) fn page_string(chunks: &Chunks, page: &StringPage, place: usize) -> Result<String> {
    let what = format!("{}: a page of names", chunks.folder());
    let view = chunks.view(&page.blob);
    let rows = place..place + 1;
    match columns::decode_rows(&view, page.strings as usize, std::slice::from_ref(&rows), &what)? {
        Column::Str { dictionary, .. } => Ok(dictionary.get(0).to_owned()),
        _ => Err(Error::damaged(what, 0, "it holds no text")),
    }
}
