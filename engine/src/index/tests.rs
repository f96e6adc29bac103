//! Bitmaps against plain counting.

use proptest::prelude::*;

use super::*;
use crate::block::Block;
use crate::column::Column;
use crate::limits::RANGE_CUSTOMERS;
use crate::schema::AttrId;

const ATTR: AttrId = AttrId(3);

/// Journeys of one symbol attribute: customer, then time and symbol.
type Journeys = Vec<(u32, Vec<(i64, Option<u32>)>)>;

fn block(journeys: &Journeys) -> Block {
    let mut block = Block { offsets: vec![0], ..Block::default() };
    let mut dictionary: Vec<u32> =
        journeys.iter().flat_map(|(_, journey)| journey.iter().filter_map(|(_, symbol)| *symbol)).collect();
    dictionary.sort_unstable_by_key(|symbol| std::cmp::Reverse(*symbol));
    dictionary.dedup();
    let mut codes = Vec::new();
    for (customer, journey) in journeys {
        block.customers.push(*customer);
        for (time, symbol) in journey {
            block.times.push(*time);
            let place = symbol.and_then(|symbol| dictionary.iter().position(|&other| other == symbol));
            codes.push(place.map_or(0, |place| place as u32 + 1));
        }
        block.offsets.push(block.times.len() as u32);
    }
    block.columns = vec![
        (ATTR, Column::Symbol { codes, dictionary }),
        (AttrId(7), Column::Int { values: vec![1; block.rows()], valid: None }),
    ];
    block
}

fn index(range: u32, blocks: &[Block]) -> Vec<u8> {
    let mut builder = IndexBuilder::new(range);
    blocks.iter().for_each(|block| builder.add(block).expect("adds"));
    builder.finish().expect("finishes")
}

fn open(bytes: Vec<u8>) -> IndexReader<'static> {
    IndexReader::open(bytes.into()).expect("opens")
}

fn naive(journeys: &Journeys, symbol: u32, times: usize) -> RoaringBitmap {
    let has =
        |journey: &[(i64, Option<u32>)]| journey.iter().filter(|(_, s)| *s == Some(symbol)).count() >= times;
    journeys.iter().filter(|(_, journey)| has(journey)).map(|(customer, _)| *customer).collect()
}

fn check_levels(levels: &Levels, journeys: &Journeys, symbol: u32) {
    for (level, times) in levels.0.iter().zip(1..) {
        assert_eq!(level, &naive(journeys, symbol, times), "symbol {symbol}, {times} times");
    }
}

fn journeys(range: u32) -> impl Strategy<Value = Journeys> {
    let step = (0..40_i64, proptest::option::of(0..5_u32));
    let day = 86_400_000;
    proptest::collection::btree_map(0..RANGE_CUSTOMERS, proptest::collection::vec(step, 1..12), 0..30)
        .prop_map(move |journeys| {
            let mut time = 0;
            let mut timed = |(days, symbol): (i64, Option<u32>)| {
                time += days * day;
                (time, symbol.map(|symbol| symbol * 1_000))
            };
            journeys
                .into_iter()
                .map(|(member, steps)| {
                    (range * RANGE_CUSTOMERS + member, steps.into_iter().map(&mut timed).collect())
                })
                .collect()
        })
}

#[test]
fn months_are_those_of_the_calendar() {
    let day = 86_400_000;
    for (ms, year, month) in [
        (0, 1970, 1),
        (-1, 1969, 12),
        (31 * day - 1, 1970, 1),
        (31 * day, 1970, 2),
        (951_782_400_000, 2000, 2), // 2000-02-29
        (951_868_800_000, 2000, 3),
        (-2_208_988_800_000, 1900, 1),
        (-2_203_891_200_000, 1900, 3), // 1900 had no leap day
        (1_704_067_199_999, 2023, 12),
        (1_704_067_200_000, 2024, 1),
    ] {
        assert_eq!(month_of(ms), year * 12 + month - 1, "{ms} ms");
    }
    let mut days = 0;
    for (place, length) in [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].repeat(2).into_iter().enumerate()
    {
        assert_eq!(month_of(days * day), 1970 * 12 + place as i32);
        days += length;
    }
    assert_eq!((month_of(i64::MIN), month_of(i64::MAX)), (i32::MIN, i32::MAX - 1));
}

#[test]
fn customers_are_taken_once_and_from_one_range() {
    let one = block(&vec![(65_536, vec![(0, None)])]);
    let mut builder = IndexBuilder::new(1);
    assert!(builder.add(&one).is_ok());
    assert!(builder.add(&one).is_err());
    assert!(IndexBuilder::new(0).add(&one).is_err());
}

#[test]
fn an_empty_index_and_the_last_range() {
    let reader = open(index(0, &[]));
    assert_eq!((reader.months(), reader.at_least(ATTR, 1).expect("reads")), (0..0, Levels::default()));
    let last: Journeys = vec![(u32::MAX, vec![(0, Some(5)), (1, Some(5))])];
    let reader = open(index(65_535, &[block(&last)]));
    check_levels(&reader.at_least(ATTR, 5).expect("reads"), &last, 5);
    assert!(reader.month(1970 * 12).expect("reads").contains(u32::MAX));
}

proptest! {
    #[test]
    fn levels_are_counts(journeys in journeys(2), cut in any::<prop::sample::Index>()) {
        let cut = if journeys.is_empty() { 0 } else { cut.index(journeys.len()) };
        let (one, two) = journeys.split_at(cut);
        // The later customers first: blocks may come in any order.
        let reader = open(index(2, &[block(&two.to_vec()), block(&one.to_vec())]));
        for symbol in [0, 1_000, 2_000, 3_000, 4_000, 77] {
            let levels = reader.at_least(ATTR, symbol).expect("reads");
            check_levels(&levels, &journeys, symbol);
            for (level, expected) in levels.0.iter().enumerate() {
                let alone = reader.at_least_level(ATTR, symbol, level).expect("reads");
                assert_eq!(&alone, expected, "{symbol} level {level}");
            }
            assert_eq!(reader.at_least(AttrId(2), symbol).expect("reads"), Levels::default());
        }
        let active = |month: i32| -> RoaringBitmap {
            let is_in = |journey: &[(i64, Option<u32>)]| journey.iter().any(|(time, _)| month_of(*time) == month);
            journeys.iter().filter(|(_, journey)| is_in(journey)).map(|(customer, _)| *customer).collect()
        };
        for month in reader.months() {
            assert_eq!(reader.month(month).expect("reads"), active(month));
        }
        let mut months: Vec<i32> =
            journeys.iter().flat_map(|(_, journey)| journey.iter().map(|(time, _)| month_of(*time))).collect();
        months.sort_unstable();
        let expected = months.first().zip(months.last()).map_or(0..0, |(first, last)| *first..last + 1);
        assert_eq!(reader.months(), expected);
    }

    #[test]
    fn levels_of_disjoint_sets_add(journeys in journeys(0), odd in any::<bool>()) {
        // The same customers, their interactions dealt out to two indexes.
        let deal = |odds: bool| -> Journeys {
            let keep = |journey: &[(i64, Option<u32>)]| {
                journey.iter().enumerate().filter(|(place, _)| (place % 2 == 1) == odds).map(|(_, &step)| step).collect()
            };
            journeys.iter().map(|(customer, journey)| (*customer, keep(journey))).filter(|(_, journey): &(u32, Vec<_>)| !journey.is_empty()).collect()
        };
        let (one, two) = (open(index(0, &[block(&deal(odd))])), open(index(0, &[block(&deal(!odd))])));
        for symbol in [0, 1_000, 2_000, 3_000, 4_000] {
            let mut levels = one.at_least(ATTR, symbol).expect("reads");
            levels.add(&two.at_least(ATTR, symbol).expect("reads"));
            check_levels(&levels, &journeys, symbol);
        }
    }

    #[test]
    fn damage_is_an_error_or_sound_bitmaps(
        journeys in journeys(3),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = index(3, &[block(&journeys)]);
        for (place, bit) in flips {
            let place = place.index(bytes.len());
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << bit;
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(reader) = IndexReader::open(bytes.into()) {
            for symbol in [0, 1_000, 2_000, 3_000, 4_000] {
                if let Ok(levels) = reader.at_least(ATTR, symbol) {
                    assert!(levels.0.iter().flatten().all(|customer| customer / RANGE_CUSTOMERS == 3));
                }
            }
            for month in reader.months() {
                let _ = reader.month(month);
            }
        }
    }
}

#[test]
fn many_customers_and_few() {
    let first = u32::MAX - (RANGE_CUSTOMERS - 1);
    for step in [1_u32, 3, 63, 64, 65, 2_000] {
        let journeys: Journeys = (0..RANGE_CUSTOMERS)
            .step_by(step as usize)
            .map(|member| (first + member, vec![(0, Some(1))]))
            .collect();
        let reader = open(index(65_535, &[block(&journeys)]));
        check_levels(&reader.at_least(ATTR, 1).expect("reads"), &journeys, 1);
    }
}

/// What format 1 wrote, for ever readable.
const FORMAT_1: &str = "\
    544c49580100000001000000020000000200000003000100040000000000000012000000000000000000000003000200\
    0900000012000000120000000000000000000000585c00002400000012000000595c00003600000012000000aa9fb9e3\
    deb6a1823a30000001000000010000001000000001003a30000001000000010000001000000004003a30000001000000\
    010000001000000001003a3000000100000001000000100000000400";

#[test]
fn reads_what_format_1_wrote() {
    let journeys: Journeys =
        vec![(65_537, vec![(0, Some(4)), (1, Some(4))]), (65_540, vec![(2_678_400_000, Some(9))])];
    let bytes = index(1, &[block(&journeys)]);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, FORMAT_1);
    let digits: Vec<u8> =
        FORMAT_1.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    let reader = open(bytes);
    check_levels(&reader.at_least(ATTR, 4).expect("reads"), &journeys, 4);
    check_levels(&reader.at_least(ATTR, 9).expect("reads"), &journeys, 9);
    assert_eq!(reader.months(), 1970 * 12..1970 * 12 + 2);
}
