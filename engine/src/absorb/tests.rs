use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::gathered::Gathered;
use super::sorter::Sorted;
use super::*;
use crate::Block;
use crate::column::Column;
use crate::disk_sim::SimDisk;
use crate::merge::{concat_rows, select_customers, sort_rows};
use crate::names::Names;
use crate::schema::{AttrId, Schema};
use crate::strings::Strings;

/// A row: customer, time, and a value in each of the columns.
type Told = (u32, i64, Option<u8>, Option<u8>, Option<i64>, Option<f64>);

fn column<T: Copy>(told: &[Told], of: impl Fn(&Told) -> Option<T>, null: T) -> (Vec<T>, Option<Vec<bool>>) {
    let valid: Vec<bool> = told.iter().map(|row| of(row).is_some()).collect();
    let values = told.iter().map(|row| of(row).unwrap_or(null)).collect();
    (values, valid.contains(&false).then_some(valid))
}

/// A batch as it is handed to the sorter; a column without a value may be missing.
fn rows(told: &[Told], first: i64, sparse: bool) -> Rows {
    let code = |value: Option<u8>| value.map_or(0, |value| u32::from(value) + 1);
    let mut texts = Strings::default();
    (0..=u8::MAX).for_each(|n| texts.push(&"é".repeat(usize::from(n % 5))[..usize::from(n % 5) * 2]));
    let mut distinct = Strings::default();
    (0..=u8::MAX).for_each(|n| distinct.push(&format!("{n}{}", texts.get(usize::from(n)))));
    let (ints, int_marks) = column(told, |row| row.4, 0);
    let (floats, float_marks) = column(told, |row| row.5, 0.0);
    let mut columns = vec![
        (
            AttrId(3),
            Column::Symbol {
                codes: told.iter().map(|row| code(row.2)).collect(),
                dictionary: (0..256).map(|n| n * 7_919 % 4_000).collect(),
            },
        ),
        (
            AttrId(5),
            Column::Str { codes: told.iter().map(|row| code(row.3)).collect(), dictionary: distinct },
        ),
        (AttrId(8), Column::Int { values: ints, valid: int_marks }),
        (AttrId(9), Column::Float { values: floats, valid: float_marks }),
        (AttrId::SEQUENCE, Column::Int { values: (first..).take(told.len()).collect(), valid: None }),
    ];
    if sparse {
        columns.retain(|(attr, column)| {
            *attr == AttrId::SEQUENCE || (0..told.len()).any(|row| !column.is_null(row))
        });
    }
    Rows {
        customers: told.iter().map(|row| row.0).collect(),
        times: told.iter().map(|row| row.1).collect(),
        columns,
    }
}

fn told() -> impl Strategy<Value = Vec<Told>> {
    let customers = prop_oneof![0..5_u32, 4_090..4_100_u32, 65_530..65_540_u32, Just(9_000_000)];
    let ints = prop_oneof![0..3_i64, any::<i64>()];
    let floats = (-100..100_i32).prop_map(|n| f64::from(n) / 8.0);
    let row = (
        customers,
        prop_oneof![0..4_i64, any::<i64>()],
        prop::option::of(any::<u8>()),
        prop::option::of(0..40_u8),
        prop::option::of(ints),
        prop::option::of(floats),
    );
    prop::collection::vec(row, 0..60)
}

/// Customer, time, and the values by attribute.
type PlainRow = (u32, i64, Vec<(u16, String)>);

/// The block with columns of nothing but NULL left out, and dictionaries only of what it has.
fn plain(block: &Block) -> Vec<PlainRow> {
    let mut out = Vec::new();
    for (place, &customer) in block.customers.iter().enumerate() {
        for row in block.journey(place) {
            let mut values = Vec::new();
            for (attr, column) in &block.columns {
                if !column.is_null(row) {
                    values.push((
                        attr.0,
                        match column {
                            Column::Symbol { codes, dictionary } => {
                                format!("s{}", dictionary[codes[row] as usize - 1])
                            }
                            Column::Str { codes, dictionary } => {
                                dictionary.get(codes[row] as usize - 1).to_owned()
                            }
                            Column::Int { values, .. } => values[row].to_string(),
                            Column::Float { values, .. } => values[row].to_string(),
                        },
                    ));
                }
            }
            out.push((customer, block.times[row], values));
        }
    }
    out
}

fn sorted_at_once(batches: &[Rows]) -> Block {
    let rows = concat_rows(batches.to_vec()).expect("fit each other");
    sort_rows(rows, &mut |_, _, _| Ok(std::cmp::Ordering::Equal)).expect("sorts")
}

/// The spans that a sort is read in; they cut slices.
fn spans() -> [RangeInclusive<u32>; 4] {
    [0..=2, 3..=4_095, 4_096..=65_535, 65_536..=u32::MAX]
}

proptest! {
    #[test]
    fn parts_come_back(told in told(), picked in prop::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        let batch = rows(&told, 5, false);
        let picked: Vec<u32> = if told.is_empty() {
            Vec::new()
        } else {
            picked.iter().map(|index| index.index(told.len()) as u32).collect()
        };
        let mut bytes = Vec::new();
        let mut scratch = part::Scratch::default();
        part::write(&batch, &picked, &mut scratch, &mut bytes);
        part::write(&batch, &picked, &mut scratch, &mut bytes);
        let mut gathered = Gathered::default();
        let rest = part::read(&bytes, |_| true, &mut gathered, "test").expect("reads");
        let rest = part::read(rest, |_| true, &mut gathered, "test").expect("reads");
        prop_assert!(rest.is_empty());
        let twice: Vec<Told> =
            picked.iter().chain(&picked).map(|&row| told[row as usize]).collect();
        let mut expected = rows(&twice, 0, false);
        let sequences: Vec<i64> = picked.iter().chain(&picked).map(|&row| i64::from(row) + 5).collect();
        expected.columns.pop();
        expected.columns.push((AttrId::SEQUENCE, Column::Int { values: sequences, valid: None }));
        let got = gathered.finish(&|_, column| column).expect("finishes");
        prop_assert_eq!(plain(&sorted_at_once(&[got])), plain(&sorted_at_once(&[expected])));
        for cut in 0..bytes.len() / 2 {
            prop_assert!(part::read(&bytes[..cut], |_| true, &mut Gathered::default(), "test").is_err());
        }
    }

    /// Whatever the memory, and whichever part of the customers is asked for.
    #[test]
    fn sorting_outside_memory_is_sorting(batches in prop::collection::vec((told(), any::<bool>()), 0..6)) {
        let mut first = 0;
        let batches: Vec<Rows> = batches
            .iter()
            .map(|(told, sparse)| {
                first += 100;
                rows(told, first, *sparse)
            })
            .collect();
        let expected = sorted_at_once(&batches);
        let names = Names::new(Schema::new());
        for spilled in [false, true] {
            let disk = SimDisk::new();
            let sorted = sort(&batches, &disk, spilled);
            prop_assert_eq!(
                sorted.amounts().values().map(|amount| amount.rows).sum::<u64>(),
                expected.rows() as u64
            );
            for span in spans() {
                let block = sorted.read(&names, span.clone()).expect("reads").unwrap_or_default();
                prop_assert_eq!(plain(&block), plain(&select_customers(&expected, span)));
            }
            drop(sorted);
            prop_assert!(!disk.exists(SCRATCH).expect("asks"));
        }
    }
}

fn sort(batches: &[Rows], disk: &SimDisk, spilled: bool) -> Sorted {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut sorter = match spilled {
        true => Sorter::with_chunks(disk, 50, 1 << 20),
        false => Sorter::new(disk, 1 << 20),
    };
    batches.iter().for_each(|rows| sorter.push(rows.clone()).expect("takes"));
    sorter.end().expect("sorts")
}
