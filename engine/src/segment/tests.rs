//! Segments there and back, and damaged on the way.

#![expect(clippy::indexing_slicing, reason = "places in what the tests made")]

use proptest::prelude::*;

use super::*;
use crate::merge::select_places;
use crate::strings::Strings;

/// A block whose dictionaries are in the order that a segment keeps.
fn block(journeys: &[(u32, Vec<i64>)], seed: u32) -> Block {
    let mut block = Block { offsets: vec![0], ..Block::default() };
    for (gap, times) in journeys {
        let next = block.customers.last().map_or(0, |last| last + 1);
        block.customers.push(next + gap);
        let mut times = times.clone();
        times.sort_unstable();
        block.times.extend(times);
        block.offsets.push(block.times.len() as u32);
    }
    let rows = block.rows() as u32;
    let noise: Vec<u32> = (0..rows).map(|row| (row ^ seed).wrapping_mul(2_654_435_761) >> 20).collect();
    let entries = rows.min(5);
    let codes: Vec<u32> = (0..rows)
        .map(|row| if row < entries { row + 1 } else { noise_at(&noise, row) % (entries + 1) })
        .collect();
    let mut words = Strings::default();
    ["", "zug", "Äpfel", "billing", "a"].iter().take(entries as usize).for_each(|word| words.push(word));
    let valid: Vec<bool> = noise.iter().map(|n| n % 3 > 0).collect();
    let nulls = valid.iter().any(|&valid| !valid);
    let ints = noise.iter().zip(&valid).map(|(&n, &v)| if v { i64::from(n) - 2_000 } else { 0 }).collect();
    let floats = noise.iter().map(|&n| f64::from(n) / 8.0).collect();
    block.columns = vec![
        (
            AttrId(1),
            Column::Symbol { codes: codes.clone(), dictionary: (0..entries).map(|i| i * i + 7).collect() },
        ),
        (AttrId(4), Column::Str { codes, dictionary: words }),
        (AttrId(5), Column::Int { values: ints, valid: nulls.then_some(valid) }),
        (AttrId(9), Column::Float { values: floats, valid: None }),
        (AttrId::COMMIT, Column::Int { values: vec![12; rows as usize], valid: None }),
        (AttrId::SEQUENCE, Column::Int { values: (0..i64::from(rows)).collect(), valid: None }),
    ];
    block
}

fn noise_at(noise: &[u32], row: u32) -> u32 {
    noise.get(row as usize).copied().unwrap_or(0)
}

fn attrs(block: &Block) -> Vec<AttrId> {
    block.columns.iter().map(|(attr, _)| *attr).collect()
}

fn check(block: &Block) {
    let segment = encode(block).expect("encodes");
    let header = SegmentHeader::decode(&segment.header).expect("has a header");
    assert_eq!(header.body_bytes, segment.body.len() as u64);
    assert_eq!(&header.decode_block(&segment.body, &attrs(block)).expect("decodes"), block);
    assert_eq!(header.rows, block.rows());
    assert_eq!(header.time_min, block.times.iter().min().copied().unwrap_or(0));
    assert_eq!(header.time_max, block.times.iter().max().copied().unwrap_or(0));
}

fn journeys() -> impl Strategy<Value = Vec<(u32, Vec<i64>)>> {
    let time = prop_oneof![6 => 0..1_000_000_000_000_i64, 1 => any::<i64>()];
    proptest::collection::vec(
        (prop_oneof![Just(0), 0..100_000_u32], proptest::collection::vec(time, 1..60)),
        0..12,
    )
}

#[test]
fn edges_of_size() {
    for rows in [0, 1, 2, 127, 128, 129, 1_000] {
        let one = if rows == 0 { vec![] } else { vec![(u32::MAX, (0..rows).collect())] };
        check(&block(&one, 1));
        check(&block(&(0..rows).map(|i| (0, vec![i])).collect::<Vec<_>>(), 2));
    }
}

#[test]
fn only_what_is_wanted() {
    let block = block(&[(3, vec![1, 2]), (0, vec![5])], 3);
    let segment = encode(&block).expect("encodes");
    let header = SegmentHeader::decode(&segment.header).expect("has a header");
    let some = header.decode_block(&segment.body, &[AttrId(9), AttrId(2)]).expect("decodes");
    assert_eq!(attrs(&some), [AttrId(9)]);
    assert_eq!(header.range(Part::Attr(AttrId(2))), None);
    assert_eq!(header.column(AttrId::SEQUENCE).and_then(|entry| entry.numbers), Some(NumberRange::Int(0, 2)));
    assert_eq!(header.column(AttrId(1)).and_then(|entry| entry.numbers), None);
}

#[test]
fn broken_blocks_are_refused() {
    let good = block(&[(3, vec![1, 2]), (0, vec![5])], 3);
    let broken: [fn(&mut Block); 8] = [
        |block| block.customers.reverse(),
        |block| block.offsets = vec![0, 3, 3],
        |block| block.offsets = vec![0, 3],
        |block| block.offsets.clear(),
        |block| block.times.reverse(),
        |block| block.times.push(9),
        |block| block.columns.reverse(),
        |block| block.columns.push((AttrId(3), Column::Int { values: vec![], valid: None })),
    ];
    for breaks in broken {
        let mut block = good.clone();
        breaks(&mut block);
        assert!(encode(&block).is_err());
    }
    assert!(encode(&good).is_ok());
}

#[test]
fn a_later_format_is_told_apart_from_damage() {
    let mut header = encode(&block(&[], 0)).expect("encodes").header;
    header.truncate(header.len() - 8);
    header[4] += 1;
    let checksum = xxh3_64(&header);
    header.extend(checksum.to_le_bytes());
    assert!(matches!(SegmentHeader::decode(&header), Err(Error::NotAStore(_))));
}

/// What format 2 writes, for ever readable: header, then body.
const FORMAT_2: [&str; 2] = [
    "\
     544c5347020006000700000002000000070000000a00000000000000000000007b68e5cf8b010000030000000300\
     0000110000000100000b0000000400001f0000000500010c00000084fcffffffffffff2f01000000000000090002\
     150000000000000000a031400000000000367e40feff01040000000c000000000000000c00000000000000ffff01\
     0800000000000000000000000600000000000000fbb12d61525ae757",
    "\
     01020201030c0100fbd095ffbc31000102e0d40300010f00050703100d0103d1d81004050105150003981f7a7567\
     c3847066656c62696c6c696e67610103d1d8100203016102de04000bab4c2503000301b293027d000c72e8e8395c\
     2500c061c70302000018020002000002aa0a",
];

#[test]
fn reads_what_format_2_wrote() {
    let bytes = |hex: &str| -> Vec<u8> {
        let digits: Vec<u8> =
            hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    };
    let block = block(
        &[(7, (0..5).map(|i| i * 60_000).collect()), (2, vec![1_700_000_000_123, 1_700_000_000_123])],
        9,
    );
    let segment = encode(&block).expect("encodes");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!([hex(&segment.header), hex(&segment.body)], FORMAT_2);
    let header = SegmentHeader::decode(&bytes(FORMAT_2[0])).expect("has a header");
    assert_eq!(header.decode_block(&bytes(FORMAT_2[1]), &attrs(&block)).expect("decodes"), block);
}

/// Reads chosen customers by place.
fn excerpt(segment: &EncodedSegment, chosen: &Chosen<'_>, wanted: &[AttrId]) -> Result<Block> {
    let header = SegmentHeader::decode(&segment.header)?;
    let part = |part| {
        let range = header.range(part).unwrap_or_default();
        segment.body.get(range.start as usize..range.end as usize).unwrap_or_default()
    };
    let found = header.find(&part(Part::Customers), &part(Part::Offsets), chosen)?;
    let mut block = header.decode_excerpt(&part(Part::Times), &found)?;
    for entry in header.columns().iter().filter(|entry| wanted.contains(&entry.attr)) {
        let column = header.decode_column_excerpt(entry.attr, &part(Part::Attr(entry.attr)), &found)?;
        block.columns.push((entry.attr, column));
    }
    Ok(block)
}

/// Some of a block's customers and some others.
fn some(block: &Block, picks: &[(prop::sample::Index, u32)]) -> Vec<u32> {
    let mut some: Vec<u32> = picks
        .iter()
        .filter_map(|(place, off)| {
            let customer = block.customers.get(place.index(block.customers.len().max(1)))?;
            customer.checked_add(off.saturating_sub(2))
        })
        .collect();
    some.sort_unstable();
    some.dedup();
    some
}

proptest! {
    #[test]
    fn any_customers_are_as_if_all_were_decoded(
        journeys in journeys(),
        seed in any::<u32>(),
        picks in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u32), 0..8),
    ) {
        let block = block(&journeys, seed);
        let segment = encode(&block).expect("encodes");
        let some = some(&block, &picks);
        let these = Chosen::These(&some);
        let expected = select_places(&block, &these.places(&block.customers), &block.columns);
        let customers: Vec<u32> =
            some.iter().copied().filter(|customer| block.customers.contains(customer)).collect();
        prop_assert_eq!(&expected.customers, &customers);
        prop_assert_eq!(excerpt(&segment, &these, &attrs(&block)).expect("decodes"), expected);
        if let (Some(&first), Some(&last)) = (some.first(), some.last()) {
            let expected = select_places(&block, &Chosen::Span(first..=last).places(&block.customers), &block.columns);
            let found = excerpt(&segment, &Chosen::Span(first..=last), &attrs(&block)).expect("decodes");
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(found, crate::merge::select_customers(&block, first..=last));
        }
    }

    #[test]
    fn damage_is_an_error_or_a_sound_excerpt(
        journeys in journeys(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 0..4),
        picks in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u32), 0..8),
    ) {
        let block = block(&journeys, 5);
        let mut segment = encode(&block).expect("encodes");
        for (place, bit) in &flips {
            let place = place.index(segment.body.len());
            segment.body[place] ^= 1 << bit;
        }
        let some = some(&block, &picks);
        if let Ok(back) = excerpt(&segment, &Chosen::These(&some), &attrs(&block)) {
            assert!(back.customers.is_sorted_by(|a, b| a < b));
            assert!(back.offsets.is_sorted_by(|a, b| a < b));
            assert!(back.columns.iter().all(|(_, column)| column.len() == back.rows()));
        }
    }

    #[test]
    fn any_block_comes_back(journeys in journeys(), seed in any::<u32>()) {
        check(&block(&journeys, seed));
    }

    #[test]
    fn damage_is_an_error_or_a_sound_block(
        journeys in journeys(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 0..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let block = block(&journeys, 5);
        let mut segment = encode(&block).expect("encodes");
        let header = SegmentHeader::decode(&segment.header).expect("has a header");
        for (place, bit) in &flips {
            let place = place.index(segment.body.len());
            segment.body[place] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            segment.body.truncate(cut.index(segment.body.len()));
        }
        if let Ok(back) = header.decode_block(&segment.body, &attrs(&block)) {
            assert!(back.customers.is_sorted_by(|a, b| a < b));
            assert!(back.offsets.is_sorted_by(|a, b| a < b));
            assert_eq!(back.rows(), block.rows());
            assert!(encode(&back).is_ok());
        }
    }

    #[test]
    fn a_flipped_header_is_an_error(journeys in journeys(), place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut header = encode(&block(&journeys, 5)).expect("encodes").header;
        let place = place.index(header.len());
        header[place] ^= 1 << bit;
        assert!(SegmentHeader::decode(&header).is_err());
        header.truncate(place);
        assert!(SegmentHeader::decode(&header).is_err());
    }

    #[test]
    fn a_header_that_lies_about_its_columns_is_harmless(
        journeys in journeys(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..4),
    ) {
        let block = block(&journeys, 5);
        let EncodedSegment { mut header, body, .. } = encode(&block).expect("encodes");
        header.truncate(header.len() - 8);
        // After the counts, which alone decide how much memory is taken.
        for (place, bit) in flips {
            let place = 24 + place.index(header.len() - 24);
            header[place] ^= 1 << bit;
        }
        let checksum = xxh3_64(&header);
        header.extend(checksum.to_le_bytes());
        let back = SegmentHeader::decode(&header).and_then(|header| header.decode_block(&body, &attrs(&block)));
        if let Ok(back) = back {
            assert_eq!(back.rows(), block.rows());
        }
    }
}
