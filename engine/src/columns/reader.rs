//! Bytes read front to back, with every length checked, and the small numbers
//! written between packed streams.

use crate::error::{Error, Result};

/// Reads a byte range from its front. Every failure names `what` is read and
/// how far the reading had come.
pub struct Reader<'a> {
    rest: &'a [u8],
    len: usize,
    what: &'a str,
}

impl<'a> Reader<'a> {
    /// A reader at the front of `bytes`, which are known to the user as `what`.
    pub fn new(bytes: &'a [u8], what: &'a str) -> Self {
        Self { rest: bytes, len: bytes.len(), what }
    }

    /// The error that `message` was found here.
    pub fn damaged(&self, message: impl Into<String>) -> Error {
        Error::damaged(self.what, (self.len - self.rest.len()) as u64, message)
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`Error::Damaged`] where fewer are left; so for all that read.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.damaged(format!("{len} bytes expected, {} left", self.rest.len()))),
        }
    }

    /// The next bytes, as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(self.damaged(format!("{N} bytes expected, {} left", self.rest.len()))),
        }
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// The next 2 bytes, little-endian.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// The next 4 bytes, little-endian.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The next 8 bytes, little-endian.
    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The next number of seven bits a byte, least significant first (LEB128).
    pub fn varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.damaged("a number of more than 64 bits"))
    }

    /// The next signed number, in zigzag.
    pub fn signed(&mut self) -> Result<i64> {
        Ok(unzigzag(self.varint()?))
    }

    /// The next count, which may not pass `max`.
    pub fn count(&mut self, max: usize, of: &str) -> Result<usize> {
        let count = self.varint()?;
        match usize::try_from(count) {
            Ok(count) if count <= max => Ok(count),
            _ => Err(self.damaged(format!("{count} {of} where at most {max} can be"))),
        }
    }

    /// Checks that everything was read.
    ///
    /// # Errors
    /// [`Error::Damaged`] where bytes are left over.
    pub fn finish(self) -> Result<()> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(self.damaged(format!("{left} bytes left over"))),
        }
    }
}

/// Writes what [`Reader::varint`] reads.
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes what [`Reader::signed`] reads.
pub(super) fn put_signed(value: i64, out: &mut Vec<u8>) {
    put_varint(zigzag(value), out);
}

/// Signed to unsigned, so that numbers near zero stay small: 0, -1, 1, -2 …
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The reverse of [`zigzag`].
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, -1, 63, 64, -64, -65, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_signed(value, &mut bytes);
            let mut reader = Reader::new(&bytes, "test");
            assert_eq!(reader.signed().expect("reads"), value);
            reader.finish().expect("is all");
        }
    }

    #[test]
    fn overlong_numbers_are_refused() {
        assert!(Reader::new(&[0xff; 9], "test").varint().is_err());
        assert!(Reader::new(&[0xff; 20], "test").varint().is_err());
        let mut most = vec![0xff; 9];
        most.push(1);
        assert_eq!(Reader::new(&most, "test").varint().expect("reads"), u64::MAX);
    }
}
