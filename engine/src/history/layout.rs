//! The bytes of a history file: encoding and decoding of its two headers.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::FrameHeader;
use crate::limits::FRAME_BYTES_MAX;

pub(super) const FILE_HEADER_BYTES: usize = 48;
pub(super) const FRAME_HEADER_BYTES: usize = 56;
/// First bytes of a frame; what a search for frames looks for.
pub(super) const FRAME_MAGIC: [u8; 4] = *b"\xf5TLf";

const FILE_MAGIC: [u8; 8] = *b"TLHISTRY";
const FORMAT: u32 = 1;
const HEADER_VERSION: u8 = 1;

/// What a history file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) store_id: [u8; 16],
    pub(super) number: u32,
    /// Length of the file before, when it was closed; 0 for the first.
    pub(super) previous_end: u64,
}

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Invalid {
    /// Torn or damaged.
    Broken(String),
    /// Sound, and of a format that this program does not know.
    Format(u32, u32),
}

fn broken(words: &str) -> Invalid {
    Invalid::Broken(words.to_owned())
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

impl FileHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FILE_HEADER_BYTES);
        bytes.extend(FILE_MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.store_id);
        bytes.extend(self.previous_end.to_le_bytes());
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        let fields = |mut rest: &[u8]| {
            let magic = take::<8>(&mut rest)?;
            let format = u32::from_le_bytes(take(&mut rest)?);
            let number = u32::from_le_bytes(take(&mut rest)?);
            let store_id = take(&mut rest)?;
            let previous_end = u64::from_le_bytes(take(&mut rest)?);
            let checksum = u64::from_le_bytes(take(&mut rest)?);
            Some((magic, format, Self { store_id, number, previous_end }, checksum))
        };
        let Some((magic, format, header, checksum)) = fields(bytes) else {
            return Err(broken("the file header is cut short"));
        };
        if magic != FILE_MAGIC {
            return Err(broken("this is not a history file"));
        }
        if bytes.get(..FILE_HEADER_BYTES - 8).map(xxh3_64) != Some(checksum) {
            return Err(broken("the checksum of the file header does not hold"));
        }
        if format != FORMAT {
            return Err(Invalid::Format(format, FORMAT));
        }
        Ok(header)
    }

    /// Seed of the checksums of this file's frame headers. It holds a frame to its file, and a
    /// copy of a frame inside some text can never be taken for one.
    pub(super) fn seed(&self) -> u64 {
        xxh3_64_with_seed(&self.store_id, u64::from(self.number))
    }
}

/// All fields of a frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawHeader {
    pub(super) header: FrameHeader,
    pub(super) body_len: u32,
    pub(super) body_checksum: u64,
    /// Everything of the file before this byte was synced before the frame was written.
    pub(super) synced: u64,
}

impl RawHeader {
    /// The header as it is written at `offset` of the file with `seed`.
    pub(super) fn encode(&self, seed: u64, offset: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FRAME_HEADER_BYTES);
        bytes.extend(FRAME_MAGIC);
        bytes.extend([HEADER_VERSION, self.header.kind, 0, 0]);
        bytes.extend(self.header.rows.to_le_bytes());
        bytes.extend(self.body_len.to_le_bytes());
        bytes.extend(self.header.commit.to_le_bytes());
        bytes.extend(self.header.recorded.to_le_bytes());
        bytes.extend(self.synced.to_le_bytes());
        bytes.extend(self.body_checksum.to_le_bytes());
        bytes.extend(xxh3_64_with_seed(&bytes, seed.wrapping_add(offset)).to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8], seed: u64, offset: u64) -> Result<Self, Invalid> {
        let fields = |mut rest: &[u8]| {
            let magic = take::<4>(&mut rest)?;
            let [version, kind, _, _] = take::<4>(&mut rest)?;
            let rows = u32::from_le_bytes(take(&mut rest)?);
            let body_len = u32::from_le_bytes(take(&mut rest)?);
            let commit = u64::from_le_bytes(take(&mut rest)?);
            let recorded = i64::from_le_bytes(take(&mut rest)?);
            let synced = u64::from_le_bytes(take(&mut rest)?);
            let body_checksum = u64::from_le_bytes(take(&mut rest)?);
            let checksum = u64::from_le_bytes(take(&mut rest)?);
            let header = FrameHeader { commit, recorded, kind, rows };
            Some((magic, version, Self { header, body_len, body_checksum, synced }, checksum))
        };
        let Some((magic, version, raw, checksum)) = fields(bytes) else {
            return Err(broken("a frame header is cut short"));
        };
        if magic != FRAME_MAGIC {
            return Err(broken("no frame begins here"));
        }
        let seed = seed.wrapping_add(offset);
        if bytes.get(..FRAME_HEADER_BYTES - 8).map(|bytes| xxh3_64_with_seed(bytes, seed)) != Some(checksum) {
            return Err(broken("the checksum of a frame header does not hold"));
        }
        if version != HEADER_VERSION {
            return Err(Invalid::Format(u32::from(version), u32::from(HEADER_VERSION)));
        }
        if raw.body_len as usize > FRAME_BYTES_MAX {
            return Err(broken("a frame is longer than any that is written"));
        }
        Ok(raw)
    }

    /// Bytes of the frame, header and body.
    pub(super) fn frame_bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + u64::from(self.body_len)
    }

    pub(super) fn check_body(&self, body: &[u8]) -> Result<(), Invalid> {
        if body.len() != self.body_len as usize {
            return Err(broken("a frame is cut short"));
        }
        if xxh3_64(body) != self.body_checksum {
            return Err(broken("the checksum of a frame's body does not hold"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        let file = FileHeader { store_id: *b"0123456789abcdef", number: 7, previous_end: 1 << 33 };
        let bytes = file.encode();
        assert_eq!((bytes.len(), FileHeader::decode(&bytes)), (FILE_HEADER_BYTES, Ok(file)));
        let header = FrameHeader { commit: 9, recorded: -5, kind: 3, rows: 77 };
        let raw = RawHeader { header, body_len: 12, body_checksum: 99, synced: 48 };
        let frame = raw.encode(file.seed(), 480);
        assert_eq!(frame.len(), FRAME_HEADER_BYTES);
        assert_eq!(RawHeader::decode(&frame, file.seed(), 480), Ok(raw));
        assert!(RawHeader::decode(&frame, file.seed(), 481).is_err());
        assert!(RawHeader::decode(&frame, file.seed() + 1, 480).is_err());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(FileHeader::decode(&flipped), Err(Invalid::Broken(_))), "bit {bit}");
        }
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let decoded = RawHeader::decode(&flipped, file.seed(), 480);
            assert!(matches!(decoded, Err(Invalid::Broken(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_body_length_is_capped_before_it_is_believed() {
        let check = |body_len: usize, taken: bool| {
            let header = FrameHeader { commit: 1, recorded: 0, kind: 0, rows: 0 };
            let raw = RawHeader { header, body_len: body_len as u32, body_checksum: 0, synced: 0 };
            assert_eq!(RawHeader::decode(&raw.encode(1, 2), 1, 2).is_ok(), taken, "{body_len}");
        };
        check(FRAME_BYTES_MAX - 1, true);
        check(FRAME_BYTES_MAX, true);
        check(FRAME_BYTES_MAX + 1, false);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_not(bytes in prop::collection::vec(any::<u8>(), 0..80), seed: u64) {
            prop_assert!(FileHeader::decode(&bytes).is_err());
            prop_assert!(RawHeader::decode(&bytes, seed, 0).is_err());
        }
    }
}
