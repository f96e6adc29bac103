//! Strings that are all of one form with numbers in it, such as `C1053521-3`, as their numbers.
//!
//! ```text
//! numbers: u8   (length, bytes) of what stands before, between and after them
//! digits: u8 of each number, 0 where it has as many as it needs    ints of each number
//! ```

use std::ops::Range;

use super::ints;
use super::reader::{Reader, put_varint};
use super::seek::Seeker;
use super::text::Building;
use crate::error::Result;
use crate::strings::Strings;

/// Most numbers in a string.
const NUMBERS_MAX: usize = 8;
/// Most digits of one: they fit 63 bits.
const DIGITS_MAX: usize = 18;
/// Most bytes beside the numbers: a few bytes at rest must not become very many.
const LITERALS_MAX: usize = 256;

/// The form of strings: a literal more than numbers.
struct Form {
    literals: Vec<String>,
    digits: Vec<u8>,
}

/// How long the digits at the front of `text` are, and the number, if it fits.
fn number(text: &str) -> Option<(usize, i64)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    let mut number = (0, 0_i64);
    for digit in digits {
        if number.0 == DIGITS_MAX {
            return None;
        }
        number = (number.0 + 1, number.1 * 10 + i64::from(digit - b'0'));
    }
    (number.0 > 0).then_some(number)
}

/// What stands around the numbers of `text`.
fn literals(text: &str) -> Option<Vec<&str>> {
    let mut literals = Vec::new();
    let mut rest = text;
    while let Some(place) = rest.find(|c: char| c.is_ascii_digit()) {
        let (literal, digits) = rest.split_at_checked(place)?;
        literals.push(literal);
        rest = digits.get(number(digits)?.0..)?;
    }
    literals.push(rest);
    let bytes: usize = literals.iter().map(|literal| literal.len()).sum();
    ((2..=NUMBERS_MAX + 1).contains(&literals.len()) && bytes <= LITERALS_MAX).then_some(literals)
}

/// Appends strings of one form to `out`; answers whether they are that.
pub(super) fn encode(strings: &Strings, places: Range<usize>, out: &mut Vec<u8>) -> bool {
    let Some(literals) = literals(strings.get(places.start)) else { return false };
    let Some((prefix, after)) = literals.split_first() else { return false };
    let mut columns = vec![Vec::with_capacity(places.len()); after.len()];
    // Fewest and most digits, and whether some number begins with a 0 that it does not need.
    let mut widths = vec![(usize::MAX, 0, false); after.len()];
    for place in places {
        let Some(mut rest) = strings.get(place).strip_prefix(prefix) else { return false };
        for ((literal, column), width) in after.iter().zip(&mut columns).zip(&mut widths) {
            let Some((digits, number)) = number(rest) else { return false };
            let padded = digits > 1 && rest.starts_with('0');
            *width = (width.0.min(digits), width.1.max(digits), width.2 || padded);
            column.push(number);
            let after = rest.get(digits..).and_then(|rest| rest.strip_prefix(literal));
            let Some(after) = after else { return false };
            rest = after;
        }
        if !rest.is_empty() {
            return false;
        }
    }
    if widths.iter().any(|&(fewest, most, padded)| padded && fewest != most) {
        return false;
    }
    out.push(after.len() as u8);
    for literal in &literals {
        put_varint(literal.len() as u64, out);
        out.extend_from_slice(literal.as_bytes());
    }
    out.extend(widths.iter().map(|&(_, most, padded)| if padded { most as u8 } else { 0 }));
    columns.iter().for_each(|column| ints::encode(column, out));
    true
}

impl Form {
    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let numbers = usize::from(reader.u8()?);
        if !(1..=NUMBERS_MAX).contains(&numbers) {
            return Err(reader.damaged("strings with too many numbers in them"));
        }
        let mut left = LITERALS_MAX;
        let mut literals = Vec::with_capacity(numbers + 1);
        for _ in 0..=numbers {
            let len = reader.count(left, "bytes around numbers")?;
            left -= len;
            let literal = std::str::from_utf8(reader.take(len)?).map(str::to_owned);
            literals.push(literal.map_err(|_| reader.damaged("the strings are not text"))?);
        }
        let digits = reader.take(numbers)?.to_vec();
        if digits.iter().any(|&digits| usize::from(digits) > DIGITS_MAX) {
            return Err(reader.damaged("a number of too many digits"));
        }
        Ok(Self { literals, digits })
    }

    /// Appends the strings that have these numbers.
    fn write(&self, columns: &[Vec<i64>], count: usize, what: &str, out: &mut Building) -> Result<()> {
        let Some(([before, after], literals)) = self.literals.split_first_chunk::<2>() else { return Ok(()) };
        let (Some((firsts, columns)), Some((&first_digits, digits))) =
            (columns.split_first(), self.digits.split_first())
        else {
            return Ok(());
        };
        // What a string begins with is often what the one before it began with.
        let mut last = None;
        let mut front = 0..0;
        for row in 0..count {
            let first = firsts.get(row).copied().unwrap_or(0);
            let start = out.text.len();
            if last.replace(first) == Some(first) {
                out.text.extend_from_within(front.clone());
            } else {
                out.text.extend_from_slice(before.as_bytes());
                push_number(first as u64, first_digits, &mut out.text);
                out.text.extend_from_slice(after.as_bytes());
            }
            front = start..out.text.len();
            for ((literal, column), &digits) in literals.iter().zip(columns).zip(digits) {
                push_number(column.get(row).copied().unwrap_or(0) as u64, digits, &mut out.text);
                out.text.extend_from_slice(literal.as_bytes());
            }
            out.close(what)?;
        }
        Ok(())
    }
}

/// Writes a number with at least so many digits.
fn push_number(mut number: u64, digits: u8, out: &mut Vec<u8>) {
    if number < 10 && digits <= 1 {
        out.push(b'0' + number as u8);
        return;
    }
    let mut buffer = [b'0'; 20];
    let mut used = 0;
    for byte in buffer.iter_mut().rev() {
        if number == 0 && used >= digits.max(1) {
            break;
        }
        *byte = b'0' + (number % 10) as u8;
        number /= 10;
        used += 1;
    }
    out.extend_from_slice(buffer.get(buffer.len() - usize::from(used)..).unwrap_or_default());
}

/// Appends the `n` strings that [`encode`] wrote to `out`.
///
/// # Errors
/// [`Error::Damaged`] where the bytes cannot be that.
pub(super) fn decode(reader: &mut Reader<'_>, n: usize, what: &str, out: &mut Building) -> Result<()> {
    let form = Form::read(reader)?;
    let columns = form.digits.iter().map(|_| ints::decode(reader, n)).collect::<Result<Vec<_>>>()?;
    form.write(&columns, n, what, out)
}

/// As [`decode`], of the strings at `ranges` alone.
///
/// # Errors
/// As [`decode`], for what is looked at.
pub(super) fn decode_rows(
    bytes: &[u8],
    n: usize,
    ranges: &[Range<usize>],
    what: &str,
    out: &mut Building,
) -> Result<()> {
    let mut reader = Reader::new(bytes, what);
    let form = Form::read(&mut reader)?;
    let rest = reader.take(reader.remaining())?;
    let mut seeker = Seeker::new(&rest, what);
    let columns =
        form.digits.iter().map(|_| ints::decode_rows(&mut seeker, n, ranges)).collect::<Result<Vec<_>>>()?;
    form.write(&columns, super::seek::total(ranges), what, out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(strings: &[&str], numbered: bool) -> usize {
        let mut all = Strings::default();
        strings.iter().for_each(|text| all.push(text));
        let mut bytes = Vec::new();
        assert_eq!(encode(&all, 0..strings.len(), &mut bytes), numbered, "{strings:?}");
        if numbered {
            let mut back = Building::default();
            let mut reader = Reader::new(&bytes, "test");
            decode(&mut reader, strings.len(), "test", &mut back).expect("reads");
            assert_eq!(back.finish("test").expect("is text"), all);
            reader.finish().expect("is all");
        }
        bytes.len()
    }

    #[test]
    fn forms_with_numbers_come_back() {
        check(&["7"], true);
        check(&["0", "10", "999999999999999999"], true);
        check(&["C12-1", "C12-2", "C340-1"], true);
        check(&["0012", "9999", "0000"], true);
        check(&["é7ü", "é8ü"], true);
        check(&["1.2.3.4.5.6.7.8"], true);
    }

    #[test]
    fn other_strings_are_left_alone() {
        for strings in [
            &["", "7"][..],
            &["a"],
            &["C1-2", "C1"],
            &["C1", "D1"],
            &["C1", "C1x"],
            &["012", "13", "7"],
            &["1", "01"],
            &["1234567890123456789"],
            &["1.2.3.4.5.6.7.8.9"],
        ] {
            check(strings, false);
        }
    }

    #[test]
    fn a_number_that_repeats_takes_its_place_once() {
        let texts: Vec<String> =
            (0..1_200).map(|i| format!("C{}-{}", i / 6 * 7_919 % 1_000_003, i % 6 + 1)).collect();
        let bytes = check(&texts.iter().map(String::as_str).collect::<Vec<_>>(), true);
        assert!(bytes < 1_200 * 9 / 8, "{bytes}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(prop_oneof![0..8_u8, any::<u8>()], 0..300), n in 0..1_000_usize) {
            let _ = decode(&mut Reader::new(&bytes, "test"), n, "test", &mut Building::default());
            let _ = decode_rows(&bytes, n, &[0..n / 3, n / 2..n], "test", &mut Building::default());
        }
    }
}
