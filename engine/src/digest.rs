//! Content digests: what an interaction says, in 128 bits that do not depend
//! on the store, on the order of attributes or on the type a number was read as.
//!
//! A row's digest mixes its identity, its time and the wrapping sum of a hash
//! for each value that is not NULL, so it can be computed a column at a time.
//! The hash is XXH3-128 (Collet, xxHash specification 0.8).

use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

use crate::column::Column;
use crate::schema::{AttrType, Attribute};

/// Adds the hashes of a column's values to the sums of its rows.
///
/// `text_of_symbol` reads the store's dictionary; it is asked for
/// [`Column::Symbol`] only.
pub(crate) fn add_column(
    sums: &mut [u128],
    attribute: &Attribute,
    column: &Column,
    text_of_symbol: &dyn Fn(u32) -> String,
) {
    let name = name_hash(&attribute.name);
    match column {
        Column::Symbol { codes, dictionary } => {
            let hashes: Vec<u128> =
                dictionary.iter().map(|&symbol| text_hash(name, &text_of_symbol(symbol))).collect();
            add_codes(sums, codes, &hashes);
        }
        Column::Str { codes, dictionary } => {
            let hashes: Vec<u128> = dictionary.iter().map(|text| text_hash(name, text)).collect();
            add_codes(sums, codes, &hashes);
        }
        Column::Int { values, .. } => {
            for (row, (sum, &value)) in sums.iter_mut().zip(values).enumerate() {
                if !column.is_null(row) {
                    let hash = match attribute.ty {
                        AttrType::Bool => text_hash(name, if value == 0 { "false" } else { "true" }),
                        _ => int_hash(name, value),
                    };
                    *sum = sum.wrapping_add(hash);
                }
            }
        }
        Column::Float { values, .. } => {
            for (row, (sum, &value)) in sums.iter_mut().zip(values).enumerate() {
                if !column.is_null(row) {
                    *sum = sum.wrapping_add(number_hash(name, value));
                }
            }
        }
    }
}

fn add_codes(sums: &mut [u128], codes: &[u32], hashes: &[u128]) {
    for (sum, &code) in sums.iter_mut().zip(codes) {
        if let Some(hash) = (code as usize).checked_sub(1).and_then(|place| hashes.get(place)) {
            *sum = sum.wrapping_add(*hash);
        }
    }
}

/// The digest of a row: its identity's hash, its time and the sum of its values.
pub(crate) fn row_digest(identity: u128, time: i64, values: u128) -> u128 {
    let mut bytes = [0; 40];
    let (start, rest) = bytes.split_at_mut(16);
    let (middle, end) = rest.split_at_mut(8);
    start.copy_from_slice(&identity.to_le_bytes());
    middle.copy_from_slice(&time.to_le_bytes());
    end.copy_from_slice(&values.to_le_bytes());
    xxh3_128(&bytes)
}

/// The hash of an identity, for [`row_digest`].
pub(crate) fn identity_hash(identity: &str) -> u128 {
    xxh3_128(identity.as_bytes())
}

/// The key an event id is remembered under in one store.
pub(crate) fn event_key(store_key: u64, event_id: &str) -> u128 {
    xxh3_128_with_seed(event_id.as_bytes(), store_key)
}

/// The key the `occurrence`-th row (from 0) of one content is remembered under
/// in one store. `domain` keeps customers' rows apart from interactions.
pub(crate) fn content_key(store_key: u64, domain: u8, digest: u128, occurrence: u32) -> u128 {
    let mut bytes = [domain; 21];
    let (start, rest) = bytes.split_at_mut(16);
    start.copy_from_slice(&digest.to_le_bytes());
    if let Some((middle, _)) = rest.split_first_chunk_mut() {
        *middle = occurrence.to_le_bytes();
    }
    xxh3_128_with_seed(&bytes, !store_key)
}

/// What an identity is remembered by in one store once it is erased. Keyed as the ids of events are,
/// and never equal to one of those for the same text.
pub(crate) fn identity_key(store_key: u64, identity: &str) -> u128 {
    xxh3_128_with_seed(identity.as_bytes(), store_key.rotate_left(32) ^ IDENTITIES)
}

/// Says of an event's key that the interaction was taken out by the erasure of a commit.
pub(crate) fn taken_out_key(key: u128, erasure: u64) -> u128 {
    xxh3_128_with_seed(&key.to_le_bytes(), erasure ^ TAKEN_OUT)
}

/// The key of a row of somebody who was erased by a commit and came back: none of the keys that the
/// same row had before.
pub(crate) fn returned_key(key: u128, erasure: u64) -> u128 {
    xxh3_128_with_seed(&key.to_le_bytes(), erasure ^ RETURNED)
}

/// Keep keys of different meaning apart.
const IDENTITIES: u64 = 0x6964_656e_7469_7479;
const TAKEN_OUT: u64 = 0x7461_6b65_6e00_0000;
const RETURNED: u64 = 0x7265_7475_726e_0000;

fn name_hash(name: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(name.to_lowercase().as_bytes())
}

/// Text that reads as a plain number hashes as that number, so that a column
/// whose type was widened since keeps its digests.
fn text_hash(name: u64, text: &str) -> u128 {
    let digits = text.strip_prefix('-').unwrap_or(text);
    // A leading zero makes an id.
    let id = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let plain = !id
        && text.bytes().next().is_some_and(|b| b.is_ascii_digit() || b == b'-' || b == b'.')
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'e' | b'E' | b'+'));
    if plain {
        if let Ok(int) = text.parse::<i64>() {
            return int_hash(name, int);
        }
        if let Ok(float) = text.parse::<f64>() {
            // Past 17 digits different texts are one double; a number's own text is the exception.
            let significant = digits.trim_start_matches(['0', '.']);
            let exact = significant.bytes().filter(u8::is_ascii_digit).count() <= 17;
            if exact || float.to_string() == text {
                return number_hash(name, float);
            }
        }
    }
    xxh3_128_with_seed(text.as_bytes(), name)
}

fn int_hash(name: u64, value: i64) -> u128 {
    const EXACT: i64 = 1 << 53;
    if (-EXACT..=EXACT).contains(&value) {
        return number_hash(name, value as f64);
    }
    xxh3_128_with_seed(&value.to_le_bytes(), name ^ 1)
}

fn number_hash(name: u64, value: f64) -> u128 {
    xxh3_128_with_seed(&(value + 0.0).to_bits().to_le_bytes(), name ^ 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{AttrId, Subject};
    use crate::strings::Strings;

    fn attribute(ty: AttrType) -> Attribute {
        Attribute {
            id: AttrId(0),
            name: "Amount".into(),
            ty,
            first_ty: ty,
            role: None,
            subject: Subject::Interaction,
        }
    }

    fn sum(ty: AttrType, column: &Column) -> u128 {
        let mut sums = vec![0];
        add_column(&mut sums, &attribute(ty), column, &|_| "5".to_owned());
        sums[0]
    }

    #[test]
    fn a_number_hashes_alike_through_every_type() {
        let mut dictionary = Strings::default();
        dictionary.push("5");
        let int = sum(AttrType::Int, &Column::Int { values: vec![5], valid: None });
        assert_eq!(int, sum(AttrType::Float, &Column::Float { values: vec![5.0], valid: None }));
        assert_eq!(int, sum(AttrType::Text, &Column::Str { codes: vec![1], dictionary }));
        assert_eq!(int, sum(AttrType::Symbol, &Column::Symbol { codes: vec![1], dictionary: vec![9] }));
        assert_ne!(int, sum(AttrType::Int, &Column::Int { values: vec![6], valid: None }));
        assert_eq!(0, sum(AttrType::Int, &Column::Int { values: vec![0], valid: Some(vec![false]) }));
    }

    #[test]
    fn texts_that_only_look_like_numbers_are_told_apart() {
        let text = |text: &str| {
            let mut dictionary = Strings::default();
            dictionary.push(text);
            sum(AttrType::Text, &Column::Str { codes: vec![1], dictionary })
        };
        let float = |value| sum(AttrType::Float, &Column::Float { values: vec![value], valid: None });
        for (a, b) in [("007", "7"), ("0", "00"), ("12345678901234567890", "12345678901234567891")] {
            assert_ne!(text(a), text(b), "{a} and {b}");
        }
        for value in [0.1 + 0.2, 1e21, -0.000_123, 1.5e-300, f64::MAX] {
            assert_eq!(text(&value.to_string()), float(value), "{value}");
        }
        assert_eq!((text("1.50"), text("-0.5")), (float(1.5), float(-0.5)));
    }

    #[test]
    fn keys_differ_by_store_and_occurrence() {
        let digest = row_digest(identity_hash("crm:1"), 5, 7);
        assert_ne!(content_key(1, 0, digest, 0), content_key(1, 0, digest, 1));
        assert_ne!(content_key(1, 0, digest, 0), content_key(2, 0, digest, 0));
        assert_ne!(content_key(1, 0, digest, 0), content_key(1, 1, digest, 0));
        assert_ne!(event_key(1, "e"), event_key(2, "e"));
        assert_ne!(identity_key(1, "e"), event_key(1, "e"));
        assert_ne!(identity_key(1, "e"), identity_key(2, "e"));
        let key = event_key(1, "e");
        let others =
            [taken_out_key(key, 1), taken_out_key(key, 2), returned_key(key, 1), returned_key(key, 2)];
        for (place, other) in others.iter().enumerate() {
            assert!(*other != key && !others[..place].contains(other));
        }
    }
}
