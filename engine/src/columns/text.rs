//! The strings of a dictionary, and bytes through zstd.
//!
//! ```text
//! pieces   packed strings of each but the last   packed bytes of each   the pieces
//!
//! piece    0  packed lengths  text
//!          1  bytes of text  packed lengths  zstd frame
//!          2  numbered strings
//! ```
//! A piece holds some 16 KB of text, so that a few strings cost no more than that to get.
//! Before there were pieces it was
//!
//! ```text
//! bytes of text   compressed length or 0   text or zstd frame   packed lengths
//! ```

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Read;
use std::ops::Range;
use std::slice::from_ref;

use zstd::bulk::{Compressor, Decompressor};

use super::numbered;
use super::packed::{pack, unpack};
use super::reader::{Reader, put_varint};
use super::seek::{Seeker, Stream};
use crate::error::{Error, Result};
use crate::strings::Strings;

/// Most bytes of text in one dictionary: far above any segment, far below what
/// could exhaust memory.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 30;
const ZSTD_LEVEL: i32 = 3;
/// A small frame may promise much; memory is taken as it is filled, from this factor on.
const TRUSTED_RATIO: usize = 64;
/// A piece is closed once it holds this many bytes of text.
const PIECE_BYTES: usize = 16 << 10;
/// Most bytes that are taken on a frame's word.
const TRUSTED_BYTES: usize = 64 << 10;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const NUMBERED: u8 = 2;

/// `bytes` through zstd, if that makes them shorter.
pub(super) fn compress(bytes: &[u8], level: i32) -> Option<Vec<u8>> {
    let small = COMPRESSOR.with_borrow_mut(|held| {
        let compressor = match held {
            Some(compressor) => compressor,
            None => held.insert(Compressor::new(level)?),
        };
        compressor.set_compression_level(level)?;
        compressor.compress(bytes)
    });
    small.ok().filter(|small| small.len() < bytes.len())
}

thread_local! {
    /// Making one costs more than what it does for a piece, or for a frame of few interactions.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The `len` bytes that were compressed; `None` where it was not so many, or no
/// such frame.
pub(super) fn decompress(small: &[u8], len: usize) -> Option<Vec<u8>> {
    if len <= TRUSTED_BYTES {
        return DECOMPRESSOR.with_borrow_mut(|held| {
            let decompressor = match held {
                Some(decompressor) => decompressor,
                None => held.insert(Decompressor::new().ok()?),
            };
            // More than expected does not fit, and is an error.
            let bytes = decompressor.decompress(small, len).ok()?;
            (bytes.len() == len).then_some(bytes)
        });
    }
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
    let text = strings.text();
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::Limit {
            what: "bytes of text in one column of a segment",
            value: text.len() as u64,
            limit: TEXT_BYTES_MAX as u64,
        });
    }
    let (mut counts, mut lengths, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
    let (mut first, mut start) = (0, 0);
    for (place, &end) in strings.ends().iter().enumerate() {
        let end = end as usize;
        if end - start < PIECE_BYTES && place + 1 < strings.len() {
            continue;
        }
        let before = pieces.len();
        encode_piece(strings, first..place + 1, text.get(start..end).unwrap_or_default(), &mut pieces);
        counts.push((place + 1 - first) as u32);
        lengths.push((pieces.len() - before) as u32);
        (first, start) = (place + 1, end);
    }
    put_varint(counts.len() as u64, out);
    counts.pop();
    pack(&counts, out);
    pack(&lengths, out);
    out.extend(pieces);
    Ok(())
}

fn encode_piece(strings: &Strings, places: Range<usize>, text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.push(NUMBERED);
    if numbered::encode(strings, places.clone(), out) {
        return;
    }
    out.truncate(start);
    let lengths: Vec<u32> = places.map(|place| strings.get(place).len() as u32).collect();
    match compress(text.as_bytes(), ZSTD_LEVEL) {
        Some(small) => {
            out.push(ZSTD);
            put_varint(text.len() as u64, out);
            pack(&lengths, out);
            out.extend(small);
        }
        None => {
            out.push(PLAIN);
            pack(&lengths, out);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Reads the `n` strings that [`encode`] wrote.
///
/// # Errors
/// [`Error::Damaged`] where the bytes cannot be that.
pub(super) fn decode(reader: &mut Reader<'_>, n: usize, what: &str) -> Result<Strings> {
    let pieces = reader.count(n, "pieces of text")?;
    let counts = unpack(reader, pieces.saturating_sub(1))?;
    let lengths = unpack(reader, pieces)?;
    let counts = piece_counts(counts, pieces, n).ok_or_else(|| reader.damaged(WRONG_PIECES))?;
    let mut strings = Building::default();
    for (count, length) in counts.into_iter().zip(lengths) {
        let piece = reader.take(length as usize)?;
        decode_piece(piece, count, from_ref(&(0..count)), what, &mut strings)?;
    }
    strings.finish(what)
}

/// Strings while they are read.
#[derive(Default)]
pub(super) struct Building {
    /// Their bytes, end to end.
    pub text: Vec<u8>,
    ends: Vec<u32>,
}

impl Building {
    /// Ends a string where the text ends now.
    ///
    /// # Errors
    /// [`Error::Damaged`] past [`TEXT_BYTES_MAX`].
    pub(super) fn close(&mut self, what: &str) -> Result<()> {
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(Error::damaged(what, 0, "strings of too many bytes"));
        }
        self.ends.push(self.text.len() as u32);
        Ok(())
    }

    /// The strings.
    ///
    /// # Errors
    /// [`Error::Damaged`] where they are not text.
    pub(super) fn finish(self, what: &str) -> Result<Strings> {
        let text = String::from_utf8(self.text).ok();
        let strings = text.and_then(|text| Strings::from_parts(text, self.ends));
        strings.ok_or_else(|| Error::damaged(what, 0, "the strings are not text"))
    }
}

const WRONG_PIECES: &str = "pieces of text do not hold as many strings as there are";

/// How many strings each piece has; `None` where they do not come to `n`.
fn piece_counts(counts: Vec<u32>, pieces: usize, n: usize) -> Option<Vec<usize>> {
    let mut counts: Vec<usize> = counts.into_iter().map(|count| count as usize).collect();
    // Fewer than 2^32 of 32 bits each cannot overflow.
    let rest = n.checked_sub(counts.iter().sum())?;
    if pieces > 0 {
        counts.push(rest);
    }
    (pieces > 0 || rest == 0).then_some(counts)
}

/// Appends the strings at `ranges` of a piece of `n` to `out`.
fn decode_piece(
    piece: &[u8],
    n: usize,
    ranges: &[Range<usize>],
    what: &str,
    out: &mut Building,
) -> Result<()> {
    let mut reader = Reader::new(piece, what);
    let whole = super::seek::total(ranges) == n;
    let mode = reader.u8()?;
    let (lengths, text) = match mode {
        PLAIN => {
            let lengths = unpack(&mut reader, n)?;
            (lengths, Cow::Borrowed(reader.take(reader.remaining())?))
        }
        ZSTD => {
            let len = reader.count(TEXT_BYTES_MAX, "bytes of text")?;
            let lengths = unpack(&mut reader, n)?;
            let small = reader.take(reader.remaining())?;
            let text = decompress(small, len);
            (lengths, Cow::Owned(text.ok_or_else(|| reader.damaged("compressed text does not come back"))?))
        }
        NUMBERED if whole => {
            numbered::decode(&mut reader, n, what, out)?;
            return reader.finish();
        }
        NUMBERED => {
            return numbered::decode_rows(reader.take(reader.remaining())?, n, ranges, what, out);
        }
        other => return Err(reader.damaged(format!("unknown way {other} to hold text"))),
    };
    let wrong = || reader.damaged("the strings are not text");
    let (mut end, mut lengths, mut passed) = (0, lengths.into_iter(), 0);
    for range in ranges {
        end += lengths.by_ref().take(range.start - passed).map(|length| length as usize).sum::<usize>();
        for length in lengths.by_ref().take(range.len()) {
            let start = end;
            end += length as usize;
            out.text.extend_from_slice(text.get(start..end).ok_or_else(wrong)?);
            out.close(what)?;
        }
        passed = range.end;
    }
    end += lengths.map(|length| length as usize).sum::<usize>();
    if end == text.len() { Ok(()) } else { Err(wrong()) }
}

/// The strings of a dictionary whose place is known.
pub(super) enum Texts<'a> {
    /// In pieces: how many strings each has, and where it lies.
    Pieces(Vec<usize>, Vec<Range<usize>>),
    /// As they were before: bytes of text, where it lies and whether compressed, lengths.
    Whole(usize, Range<usize>, bool, Stream<'a>),
}

impl<'a> Texts<'a> {
    /// The `n` strings that begin here, in pieces or not; the seeker passes them over.
    ///
    /// # Errors
    /// As [`decode`], for what is looked at; so for all that reads.
    pub(super) fn place(seeker: &mut Seeker<'a>, n: usize, pieces: bool) -> Result<Self> {
        if !pieces {
            let len = seeker.count(TEXT_BYTES_MAX, "bytes of text")?;
            let small = seeker.count(seeker.remaining(), "compressed bytes")?;
            let start = seeker.skip(if small > 0 { small } else { len })?;
            let place = start..seeker.at();
            return Ok(Self::Whole(len, place, small > 0, Stream::place(seeker, n)?));
        }
        let pieces = seeker.count(n, "pieces of text")?;
        let rest = pieces.saturating_sub(1);
        let counts = Stream::place(seeker, rest)?.all()?;
        let lengths = Stream::place(seeker, pieces)?.all()?;
        let counts = piece_counts(counts, pieces, n).ok_or_else(|| seeker.damaged(WRONG_PIECES))?;
        let mut places = Vec::with_capacity(pieces);
        for length in lengths {
            let start = seeker.skip(length as usize)?;
            places.push(start..seeker.at());
        }
        Ok(Self::Pieces(counts, places))
    }

    /// The strings at `places`, which ascend.
    pub(super) fn pick(&self, seeker: &Seeker<'_>, places: &[usize]) -> Result<Strings> {
        let mut strings = Building::default();
        match self {
            Self::Pieces(counts, pieces) => {
                let (mut rest, mut first) = (places, 0);
                for (&count, piece) in counts.iter().zip(pieces) {
                    let own = rest.partition_point(|&place| place < first + count);
                    let Some((own, others)) = rest.split_at_checked(own) else { break };
                    rest = others;
                    if !own.is_empty() {
                        let mut ranges: Vec<Range<usize>> = Vec::new();
                        for place in own.iter().map(|place| place - first) {
                            match ranges.last_mut() {
                                Some(last) if last.end == place => last.end += 1,
                                _ => ranges.push(place..place + 1),
                            }
                        }
                        let bytes = seeker.back(piece.clone())?;
                        decode_piece(&bytes, count, &ranges, seeker.what(), &mut strings)?;
                    }
                    first += count;
                }
            }
            Self::Whole(len, place, compressed, lengths) => {
                let text = seeker.back(place.clone())?;
                let text = match compressed {
                    true => decompress(&text, *len).map(Cow::Owned),
                    false => Some(text),
                };
                let text = text.ok_or_else(|| seeker.damaged("compressed text does not come back"))?;
                let wrong = || seeker.damaged("the strings are not text");
                let (mut passed, mut start) = (0, 0_usize);
                for &place in places {
                    start += lengths.sum(passed..place)? as usize;
                    let end = start + lengths.sum(place..place + 1)? as usize;
                    strings.text.extend_from_slice(text.get(start..end).ok_or_else(wrong)?);
                    strings.close(seeker.what())?;
                    (passed, start) = (place + 1, end);
                }
            }
        }
        strings.finish(seeker.what())
    }
}

/// Reads `n` strings as they were written before there were pieces.
///
/// # Errors
/// [`Error::Damaged`] where the bytes cannot be that.
pub(super) fn decode_whole(reader: &mut Reader<'_>, n: usize) -> Result<Strings> {
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
        assert_eq!(decode(&mut reader, strings.len(), "test").expect("reads"), all);
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
            let _ = decode_whole(&mut Reader::new(&bytes, "test"), n);
            let _ = decode(&mut Reader::new(&bytes, "test"), n, "test");
            let bytes: &[u8] = &bytes;
            for pieces in [true, false] {
                let mut seeker = Seeker::new(&bytes, "test");
                let texts = Texts::place(&mut seeker, n, pieces);
                let _ = texts.and_then(|texts| texts.pick(&seeker, &(n / 2..n).collect::<Vec<_>>()));
            }
        }
    }
}
