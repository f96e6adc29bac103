//! The strings of a dictionary, and bytes through zstd.
//!
//! ```text
//! bytes of text   compressed length or 0   text or zstd frame   packed lengths
//! ```

use std::io::Read;

use super::packed::{pack, unpack};
use super::reader::{Reader, put_varint};
use crate::error::{Error, Result};
use crate::strings::Strings;

/// Most bytes of text in one dictionary: far above any segment, far below what
/// could exhaust memory.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 30;
const ZSTD_LEVEL: i32 = 3;
/// A small frame may promise much; memory is taken as it is filled, from this factor on.
const TRUSTED_RATIO: usize = 64;

/// `bytes` through zstd, if that makes them shorter.
pub(super) fn compress(bytes: &[u8], level: i32) -> Option<Vec<u8>> {
    zstd::bulk::compress(bytes, level).ok().filter(|small| small.len() < bytes.len())
}

/// The `len` bytes that were compressed; `None` where it was not so many, or no
/// such frame.
pub(super) fn decompress(small: &[u8], len: usize) -> Option<Vec<u8>> {
    let trusted = len.min(small.len().saturating_mul(TRUSTED_RATIO));
    let mut bytes = Vec::with_capacity(trusted);
    let decoder = zstd::stream::read::Decoder::with_buffer(small).ok()?;
    // One byte more than expected, so that too much is seen.
    decoder.take(len as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() == len).then_some(bytes)
}

/// Appends `strings` to `out`; their number is not stored.
///
/// # Errors
/// [`Error::Limit`] where they come to more than [`TEXT_BYTES_MAX`].
pub(super) fn encode(strings: &Strings, out: &mut Vec<u8>) -> Result<()> {
    let text = strings.text().as_bytes();
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::Limit {
            what: "bytes of text in one column of a segment",
            value: text.len() as u64,
            limit: TEXT_BYTES_MAX as u64,
        });
    }
    put_varint(text.len() as u64, out);
    match compress(text, ZSTD_LEVEL) {
        Some(small) => {
            put_varint(small.len() as u64, out);
            out.extend(small);
        }
        None => {
            put_varint(0, out);
            out.extend_from_slice(text);
        }
    }
    let starts = std::iter::once(&0).chain(strings.ends());
    let lengths: Vec<u32> = strings.ends().iter().zip(starts).map(|(end, start)| end - start).collect();
    pack(&lengths, out);
    Ok(())
}

/// Reads the `n` strings that [`encode`] wrote.
///
/// # Errors
/// [`Error::Damaged`] where the bytes cannot be that.
pub(super) fn decode(reader: &mut Reader<'_>, n: usize) -> Result<Strings> {
    let len = reader.count(TEXT_BYTES_MAX, "bytes of text")?;
    let small = reader.count(reader.remaining(), "compressed bytes")?;
    let text = if small == 0 {
        reader.take(len)?.to_vec()
    } else {
        let small = reader.take(small)?;
        decompress(small, len).ok_or_else(|| reader.damaged("compressed text does not come back"))?
    };
    let mut ends = unpack(reader, n)?;
    let mut end = 0_u32;
    for length in &mut ends {
        end = end.checked_add(*length).ok_or_else(|| reader.damaged("strings past the end of their text"))?;
        *length = end;
    }
    String::from_utf8(text)
        .ok()
        .and_then(|text| Strings::from_parts(text, ends))
        .ok_or_else(|| reader.damaged("the strings are not text"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(strings: &[&str]) {
        let mut all = Strings::default();
        strings.iter().for_each(|text| all.push(text));
        let mut bytes = Vec::new();
        encode(&all, &mut bytes).expect("writes");
        let mut reader = Reader::new(&bytes, "test");
        assert_eq!(decode(&mut reader, strings.len()).expect("reads"), all);
        reader.finish().expect("is all");
    }

    #[test]
    fn strings_come_back() {
        check(&[]);
        check(&[""]);
        check(&["", "a", "", "é", "日本"]);
        check(&["the same words "; 500]);
    }

    #[test]
    fn a_frame_that_holds_more_than_it_says_is_refused() {
        let small = zstd::bulk::compress(&[0; 1_000_000], 3).expect("compresses");
        assert!(decompress(&small, 999_999).is_none());
        assert!(decompress(&small, 1_000_001).is_none());
        assert_eq!(decompress(&small, 1_000_000).map(|bytes| bytes.len()), Some(1_000_000));
    }

    proptest! {
        #[test]
        fn any_strings_come_back(strings in proptest::collection::vec(".{0,12}", 0..200)) {
            check(&strings.iter().map(String::as_str).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(prop_oneof![0..8_u8, any::<u8>()], 0..300), n in 0..1_000_usize) {
            let _ = decode(&mut Reader::new(&bytes, "test"), n);
        }
    }
}
