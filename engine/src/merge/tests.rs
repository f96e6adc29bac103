//! Blocks against the same rows, one by one, in a plain sort.

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::*;
use crate::strings::StringTable;

const CHANNEL: AttrId = AttrId(1);
const TEXT: AttrId = AttrId(2);
/// Decides between rows of equal time and sequence.
const DIGEST: AttrId = AttrId(3);
/// Held in another form by each part.
const MIXED: AttrId = AttrId(5);

/// One interaction. Values are told apart by their text.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    customer: u32,
    time: i64,
    sequence: u64,
    digest: i64,
    channel: Option<u32>,
    text: Option<String>,
    mixed: Option<i64>,
}

/// How a part holds [`MIXED`].
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Form {
    Missing,
    Int,
    Float,
    Str,
}

fn row() -> impl Strategy<Value = Row> {
    (
        prop_oneof![0..6_u32, 0..1_000_u32, Just(u32::MAX)],
        prop_oneof![0..4_i64, Just(i64::MIN), Just(i64::MAX)],
        prop_oneof![0..2_u64, Just(u64::MAX)],
        0..2_i64,
        proptest::option::of(0..9_u32),
        proptest::option::of(prop_oneof!["", "[ab]{1,2}"]),
        proptest::option::of(-3..3_i64),
    )
        .prop_map(|(customer, time, sequence, digest, channel, text, mixed)| Row {
            customer,
            time,
            sequence,
            digest,
            channel,
            text,
            mixed,
        })
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Missing), Just(Form::Int), Just(Form::Float), Just(Form::Str)]
}

fn strings<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Column {
    let mut table = StringTable::default();
    let codes = values.map(|text| text.map_or(0, |text| table.intern(text) + 1)).collect();
    Column::Str { codes, dictionary: table.strings().clone() }
}

fn rows_of(rows: &[Row], form: Form) -> Rows {
    let ints = |values: Vec<i64>| Column::Int { values, valid: None };
    let mut dictionary: Vec<u32> = rows.iter().filter_map(|row| row.channel).collect();
    dictionary.sort_unstable();
    dictionary.dedup();
    dictionary.reverse();
    let code =
        |channel: u32| dictionary.iter().position(|&c| c == channel).map_or(0, |place| place as u32 + 1);
    let codes = rows.iter().map(|row| row.channel.map_or(0, code)).collect();
    let mut columns = vec![
        (CHANNEL, Column::Symbol { codes, dictionary }),
        (TEXT, strings(rows.iter().map(|row| row.text.as_deref()))),
        (DIGEST, ints(rows.iter().map(|row| row.digest).collect())),
    ];
    let valid: Vec<bool> = rows.iter().map(|row| row.mixed.is_some()).collect();
    let valid = valid.contains(&false).then_some(valid);
    let values = rows.iter().map(|row| row.mixed.unwrap_or(0));
    match form {
        Form::Missing => {}
        Form::Int => columns.push((MIXED, Column::Int { values: values.collect(), valid })),
        Form::Float => {
            columns
                .push((MIXED, Column::Float { values: values.map(|value| value as f64).collect(), valid }));
        }
        Form::Str => {
            let texts: Vec<_> = rows.iter().map(|row| row.mixed.map(|value| value.to_string())).collect();
            columns.push((MIXED, strings(texts.iter().map(Option::as_deref))));
        }
    }
    columns.push((AttrId::SEQUENCE, ints(rows.iter().map(|row| row.sequence as i64).collect())));
    Rows {
        customers: rows.iter().map(|row| row.customer).collect(),
        times: rows.iter().map(|row| row.time).collect(),
        columns,
    }
}

/// The rows of a block, and how it holds [`MIXED`].
fn expand(block: &Block) -> (Vec<Row>, Form) {
    check(block).expect("is sound");
    let int = |attr, row: usize| match block.column(attr) {
        Some(Column::Int { values, valid: None }) => values[row],
        other => panic!("attribute {attr:?} is {other:?}"),
    };
    let text = |attr, row: usize| match block.column(attr) {
        Some(Column::Str { codes, dictionary }) => {
            codes[row].checked_sub(1).map(|entry| dictionary.get(entry as usize).to_owned())
        }
        other => panic!("attribute {attr:?} is {other:?}"),
    };
    let form = match block.column(MIXED) {
        None => Form::Missing,
        Some(Column::Int { .. }) => Form::Int,
        Some(Column::Float { .. }) => Form::Float,
        Some(_) => Form::Str,
    };
    let mixed = |row: usize| match block.column(MIXED) {
        Some(column) if column.is_null(row) => None,
        Some(Column::Int { values, .. }) => Some(values[row]),
        Some(Column::Float { values, .. }) => Some(values[row] as i64),
        Some(_) => text(MIXED, row).and_then(|text| text.parse().ok()),
        None => None,
    };
    let channel = |row: usize| match block.column(CHANNEL) {
        Some(Column::Symbol { codes, dictionary }) => {
            codes[row].checked_sub(1).map(|entry| dictionary[entry as usize])
        }
        other => panic!("channel is {other:?}"),
    };
    let mut rows = Vec::new();
    for (place, &customer) in block.customers.iter().enumerate() {
        for row in block.journey(place) {
            rows.push(Row {
                customer,
                time: block.times[row],
                sequence: int(AttrId::SEQUENCE, row) as u64,
                digest: int(DIGEST, row),
                channel: channel(row),
                text: text(TEXT, row),
                mixed: mixed(row),
            });
        }
    }
    (rows, form)
}

fn digest(block: &Block, row: usize) -> i64 {
    match block.column(DIGEST) {
        Some(Column::Int { values, .. }) => values[row],
        _ => 0,
    }
}

fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|row| (row.customer, row.time, row.sequence, row.digest));
    rows
}

fn sorted(rows: &[Row], form: Form) -> Block {
    sort_rows(rows_of(rows, form), &mut |_, a, b| Ok(rows[a].digest.cmp(&rows[b].digest))).expect("sorts")
}

fn merged(blocks: &[Block]) -> Result<Block> {
    merge(blocks, &mut |a, b| Ok(digest(&blocks[a.0], a.1).cmp(&digest(&blocks[b.0], b.1))))
}

/// What is left of a row in a part that holds no [`MIXED`].
fn without_missing(rows: &[Row], form: Form) -> Vec<Row> {
    let keep = |row: &Row| Row { mixed: row.mixed.filter(|_| form != Form::Missing), ..row.clone() };
    rows.iter().map(keep).collect()
}

proptest! {
    #[test]
    fn sorting_is_a_plain_sort(rows in proptest::collection::vec(row(), 0..80), form in form()) {
        let (back, back_form) = expand(&sorted(&rows, form));
        prop_assert_eq!(back, in_order(without_missing(&rows, form)));
        prop_assert_eq!(back_form, form);
    }

    #[test]
    fn merging_is_sorting_all(
        parts in proptest::collection::vec((proptest::collection::vec(row(), 0..40), form()), 0..5),
    ) {
        let blocks: Vec<Block> = parts.iter().map(|(rows, form)| sorted(rows, *form)).collect();
        if blocks.is_empty() {
            return Ok(());
        }
        let (back, form) = expand(&merged(&blocks).expect("merges"));
        let all: Vec<Row> = parts.iter().flat_map(|(rows, form)| without_missing(rows, *form)).collect();
        prop_assert_eq!(back, in_order(all));
        let widest = parts.iter().map(|(_, form)| *form).fold(Form::Missing, |a, b| if a < b { b } else { a });
        prop_assert_eq!(form, widest);
    }

    #[test]
    fn cut_and_put_together_again(rows in proptest::collection::vec(row(), 0..80), form in form(), at in 0..1_000_u32) {
        let block = sorted(&rows, form);
        let (low, high) = (select_customers(&block, 0..=at), select_customers(&block, at + 1..=u32::MAX));
        for part in [&low, &high] {
            if let Some(Column::Symbol { codes, dictionary }) = part.column(CHANNEL) {
                prop_assert!((1..=dictionary.len() as u32).all(|code| codes.contains(&code)));
            }
        }
        prop_assert_eq!(low.customers.len() + high.customers.len(), block.customers.len());
        let back = concat(vec![low.clone(), high.clone()]).expect("fits");
        prop_assert_eq!(expand(&back).0, expand(&block).0);
        prop_assert!(rows.is_empty() || expand(&back).1 == form);
        if !low.customers.is_empty() && !high.customers.is_empty() {
            prop_assert!(concat(vec![high, low]).is_err());
        }
    }

    #[test]
    fn customers_left_out_are_rows_left_out(
        rows in proptest::collection::vec(row(), 0..80),
        form in form(),
        dead in proptest::collection::vec(prop_oneof![0..6_u32, 0..1_000_u32, Just(u32::MAX)], 0..40),
        timed in any::<bool>(),
    ) {
        let block = sorted(&rows, form);
        let dead: RoaringBitmap = dead.into_iter().collect();
        let living: Vec<Row> = rows.into_iter().filter(|row| !dead.contains(row.customer)).collect();
        let expected = expand(&sorted(&living, form)).0;
        let found = match timed {
            true => without_customers(block, &dead),
            // Places do not hang on times that were not asked for.
            false => {
                let found = without_customers(Block { times: Vec::new(), ..block.clone() }, &dead);
                let times = block.customers.iter().enumerate().filter(|(_, customer)| !dead.contains(**customer));
                let times = times.flat_map(|(place, _)| &block.times[block.journey(place)]).copied().collect();
                prop_assert!(found.times.is_empty());
                Block { times, ..found }
            }
        };
        if !expected.is_empty() {
            prop_assert_eq!(expand(&found).0, expected);
        } else {
            prop_assert_eq!(found.rows(), 0);
        }
        if let Some(Column::Symbol { codes, dictionary }) = found.column(CHANNEL) {
            prop_assert!((1..=dictionary.len() as u32).all(|code| codes.contains(&code)));
        }
    }

    #[test]
    fn batches_one_after_another(
        parts in proptest::collection::vec((proptest::collection::vec(row(), 0..30), form()), 1..5),
    ) {
        let all: Vec<Row> = parts.iter().flat_map(|(rows, form)| without_missing(rows, *form)).collect();
        let rows = concat_rows(parts.iter().map(|(rows, form)| rows_of(rows, *form)).collect()).expect("fits");
        let block = sort_rows(rows, &mut |_, a, b| Ok(all[a].digest.cmp(&all[b].digest))).expect("sorts");
        prop_assert_eq!(expand(&block).0, in_order(all));
    }
}

fn plain(customer: u32, time: i64, sequence: u64) -> Row {
    Row { customer, time, sequence, digest: 0, channel: Some(1), text: None, mixed: None }
}

#[test]
fn rows_that_tie_in_all_keep_the_order_of_the_parts() {
    let part = |channel| sorted(&[Row { channel: Some(channel), ..plain(1, 5, 5) }], Form::Missing);
    let (rows, _) = expand(&merged(&[part(9), part(2), part(4)]).expect("merges"));
    assert_eq!(rows.iter().map(|row| row.channel).collect::<Vec<_>>(), [Some(9), Some(2), Some(4)]);
}

#[test]
fn a_tie_that_fails_ends_the_work() {
    let rows = [plain(1, 5, 5), plain(1, 5, 5)];
    let fails = sort_rows(rows_of(&rows, Form::Int), &mut |_, _, _| Err(Error::Cancelled));
    assert!(matches!(fails, Err(Error::Cancelled)));
    let part = sorted(&rows[..1], Form::Int);
    let fails = merge(&[part.clone(), part], &mut |_, _| Err(Error::Cancelled));
    assert!(matches!(fails, Err(Error::Cancelled)));
}

#[test]
fn ties_are_asked_only_where_time_and_sequence_are_equal() {
    let one = sorted(&[plain(1, 5, 5), plain(2, 5, 5)], Form::Int);
    let two = sorted(&[plain(1, 5, 6), plain(3, 5, 5)], Form::Int);
    assert!(merge(&[one, two], &mut |_, _| Err(Error::Cancelled)).is_ok());
}

#[test]
fn broken_parts_are_refused() {
    let good = sorted(&[plain(1, 5, 5), plain(2, 5, 5)], Form::Int);
    let broken: [fn(&mut Block); 6] = [
        |block| block.customers.reverse(),
        |block| block.offsets.push(9),
        |block| block.times.push(1),
        |block| block.columns.reverse(),
        |block| block.columns.retain(|(attr, _)| *attr != AttrId::SEQUENCE),
        |block| block.columns[0].1 = Column::Int { values: vec![1], valid: None },
    ];
    for breaks in broken {
        let mut bad = good.clone();
        breaks(&mut bad);
        assert!(merged(&[good.clone(), bad]).is_err());
    }
    // A symbol in one part and a number in another cannot be united without its text.
    let mut other = good.clone();
    other.columns[0].1 = Column::Int { values: vec![1, 2], valid: None };
    assert!(merged(&[good.clone(), other]).is_err());
    assert!(merged(&[good.clone(), Block::default()]).is_ok());
}
