//! What sled is given for a value: bytes of a length that it stores safely.
//!
//! ```text
//! value | zeros | length of the value: u32
//! all of it XOR a stream that follows from the key
//! ```
//! sled 1.0.0-alpha.124 corrupts a leaf of exactly 65,529 bytes: it takes a slot of
//! 65,536 bytes with a length of 2 bytes in mind, and writes one of 4 over the end of
//! the leaf (`overhead_for_size` and `Slab::write` in its `heap.rs`). What a leaf comes
//! to after zstd cannot be foretold, unless zstd finds nothing to compress. So values
//! are made to look random, which zstd leaves as they are, and are padded so that no
//! leaf of one value or of two, with all that sled adds, can have that length.

use xxhash_rust::xxh3::xxh3_64;

use super::graph;
use crate::error::Result;

/// Stored lengths are a multiple of this and [`REST`].
const STEP: usize = 512;
/// sled and zstd add some 200 bytes at most, or save some 60 of what sled adds itself, so that a
/// leaf of one value has a rest of 68 to 328 and one of two a rest of 196 to 456. 65,529 has 505.
const REST: usize = 128;
const LENGTH_BYTES: usize = 4;

/// The bytes to store for a value.
pub(super) fn wrapped(key: &[u8], mut value: Vec<u8>) -> Result<Vec<u8>> {
    let len = u32::try_from(value.len()).map_err(|_| graph("write", "a value of 4 GB or more"))?;
    let steps = (value.len() + LENGTH_BYTES).saturating_sub(REST).div_ceil(STEP);
    value.resize(steps * STEP + REST - LENGTH_BYTES, 0);
    value.extend(len.to_le_bytes());
    disguise(key, &mut value);
    Ok(value)
}

/// The value that [`wrapped`] made such bytes of.
pub(super) fn unwrapped(key: &[u8], mut stored: Vec<u8>) -> Result<Vec<u8>> {
    let damaged = || graph("read", "a value is not as it was written, or of an earlier format");
    if stored.len() % STEP != REST {
        return Err(damaged());
    }
    disguise(key, &mut stored);
    let (padded, len) = stored.split_last_chunk::<LENGTH_BYTES>().ok_or_else(damaged)?;
    let len = u32::from_le_bytes(*len) as usize;
    let padding = padded.get(len..).ok_or_else(damaged)?;
    if padding.len() >= STEP || padding.iter().any(|&byte| byte != 0) {
        return Err(damaged());
    }
    stored.truncate(len);
    Ok(stored)
}

/// XORs bytes, a multiple of 8, with a stream of SplitMix64 (Steele, Lea and Flood, 2014) that
/// begins at the key. Done twice it changes nothing. This keeps nothing secret.
fn disguise(key: &[u8], bytes: &mut [u8]) {
    let mut state = xxh3_64(key);
    for word in bytes.as_chunks_mut::<8>().0 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        *word = (u64::from_le_bytes(*word) ^ z ^ (z >> 31)).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        for len in (0..1_300).chain([65_529, 261_000]) {
            let value: Vec<u8> = (0..len).map(|place| place as u8).collect();
            let stored = wrapped(b"key", value.clone()).expect("wraps");
            assert_eq!(stored.len() % STEP, REST, "{len}");
            assert!(stored.len() < len + LENGTH_BYTES + STEP, "{len}");
            assert_eq!(unwrapped(b"key", stored.clone()).expect("unwraps"), value);
            assert!(unwrapped(b"other", stored).is_err(), "{len}");
        }
        assert!(unwrapped(b"key", vec![0; 127]).is_err());
        assert!(unwrapped(b"key", Vec::new()).is_err());
    }
}
