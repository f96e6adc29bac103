//! What flows between journey operators: a unit's journeys, whole or cut
//! anew, and what of them is still in sight.

use std::ops::Range;

use throughline_engine::strings::Strings;
use throughline_engine::{Block, Column, CustomerOrdinal};

/// Journeys of one unit on their way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    /// The customers' whole journeys, as the store has them.
    whole: Block,
    /// The journeys in hand, where they are not the whole ones.
    cut: Option<Cut>,
    /// Which rows in hand are in sight; `None` for all.
    pub visible: Option<Vec<bool>>,
    /// Which journeys in hand are kept; `None` for all.
    pub alive: Option<Vec<bool>>,
}

/// Journeys made of others' rows.
#[derive(Clone, Debug)]
struct Cut {
    block: Block,
    /// The row of the whole block behind each row.
    rows: Vec<u32>,
    /// The place in the whole block of each journey's customer.
    places: Vec<u32>,
}

impl Flow {
    /// Whole journeys, all in sight.
    pub(crate) fn new(whole: Block) -> Self {
        Self { whole, ..Self::default() }
    }

    /// The journeys in hand: `customers` may repeat one for each of its journeys.
    pub(crate) fn block(&self) -> &Block {
        self.cut.as_ref().map_or(&self.whole, |cut| &cut.block)
    }

    /// Whether a customer may have several journeys in hand.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// Whether a journey is kept.
    pub(crate) fn lives(&self, journey: usize) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.get(journey).copied().unwrap_or(false))
    }

    /// Whether a row is in sight; that its journey is kept is another matter.
    pub(crate) fn sees(&self, row: usize) -> bool {
        self.visible.as_ref().is_none_or(|visible| visible.get(row).copied().unwrap_or(false))
    }

    /// The customer of a journey.
    pub(crate) fn customer(&self, journey: usize) -> CustomerOrdinal {
        self.block().customers.get(journey).copied().unwrap_or_default()
    }

    /// The whole journey of the customer behind a journey: rows of [`Flow::whole`].
    pub(crate) fn whole_journey(&self, journey: usize) -> Range<usize> {
        let place = match &self.cut {
            None => journey,
            Some(cut) => cut.places.get(journey).map_or(usize::MAX, |&place| place as usize),
        };
        self.whole.journey(place)
    }

    /// The customers' whole journeys.
    pub(crate) fn whole(&self) -> &Block {
        &self.whole
    }

    /// The row of [`Flow::whole`] that a row in hand is.
    pub(crate) fn whole_row(&self, row: usize) -> usize {
        match &self.cut {
            None => row,
            Some(cut) => cut.rows.get(row).map_or(usize::MAX, |&row| row as usize),
        }
    }

    /// Keeps in sight only what also `mask` shows.
    pub(crate) fn show(&mut self, mask: Vec<bool>) {
        narrow(&mut self.visible, mask);
    }

    /// Keeps only the journeys that also `mask` keeps.
    pub(crate) fn keep(&mut self, mask: Vec<bool>) {
        narrow(&mut self.alive, mask);
    }

    /// Cuts journeys anew: each is a journey in hand and rows of it, ascending.
    /// All of the new ones are kept and in sight.
    pub(crate) fn cut(&mut self, journeys: impl IntoIterator<Item = (usize, Vec<u32>)>) {
        let mut taken: Vec<u32> = Vec::new();
        let (mut customers, mut places, mut offsets) = (Vec::new(), Vec::new(), vec![0]);
        for (journey, rows) in journeys {
            if rows.is_empty() {
                continue;
            }
            taken.extend(rows);
            customers.push(self.customer(journey));
            places.push(match &self.cut {
                None => journey as u32,
                Some(cut) => cut.places.get(journey).copied().unwrap_or(u32::MAX),
            });
            offsets.push(taken.len() as u32);
        }
        let from = self.block();
        let block = Block {
            customers,
            offsets,
            times: taken.iter().filter_map(|&row| from.times.get(row as usize)).copied().collect(),
            columns: from.columns.iter().map(|(attr, column)| (*attr, gather(column, &taken))).collect(),
        };
        let rows = taken.iter().map(|&row| self.whole_row(row as usize) as u32).collect();
        self.cut = Some(Cut { block, rows, places });
        self.visible = None;
        self.alive = None;
    }
}

fn narrow(mask: &mut Option<Vec<bool>>, by: Vec<bool>) {
    match mask {
        None => *mask = Some(by),
        Some(mask) => mask.iter_mut().zip(by).for_each(|(mine, other)| *mine &= other),
    }
}

/// The column at `rows`, in that order; the dictionary stays.
pub(crate) fn gather(column: &Column, rows: &[u32]) -> Column {
    fn pick<T: Copy + Default>(values: &[T], rows: &[u32]) -> Vec<T> {
        rows.iter().map(|&row| values.get(row as usize).copied().unwrap_or_default()).collect()
    }
    // A row past the end is NULL.
    let validity = |valid: &Option<Vec<bool>>, len: usize| match valid {
        Some(valid) => Some(pick(valid, rows)),
        None => rows
            .iter()
            .any(|&row| row as usize >= len)
            .then(|| rows.iter().map(|&row| (row as usize) < len).collect()),
    };
    match column {
        Column::Symbol { codes, dictionary } => {
            Column::Symbol { codes: pick(codes, rows), dictionary: dictionary.clone() }
        }
        Column::Str { codes, dictionary } => {
            // Few rows of a large column: only the strings they need.
            if rows.len() < dictionary.len() / 4 {
                let (mut strings, mut seen) = (Strings::default(), hashbrown::HashTable::<(u32, u32)>::new());
                let hash = |code: u32| u64::from(code).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
                let codes = pick(codes, rows)
                    .into_iter()
                    .map(|code| {
                        if code == 0 {
                            return 0;
                        }
                        seen.entry(hash(code), |known| known.0 == code, |known| hash(known.0))
                            .or_insert_with(|| {
                                strings.push(dictionary.get(code as usize - 1));
                                (code, strings.len() as u32)
                            })
                            .get()
                            .1
                    })
                    .collect();
                return Column::Str { codes, dictionary: strings };
            }
            Column::Str { codes: pick(codes, rows), dictionary: dictionary.clone() }
        }
        Column::Int { values, valid } => {
            Column::Int { values: pick(values, rows), valid: validity(valid, values.len()) }
        }
        Column::Float { values, valid } => {
            Column::Float { values: pick(values, rows), valid: validity(valid, values.len()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throughline_engine::AttrId;

    fn block() -> Block {
        Block {
            customers: vec![4, 9],
            offsets: vec![0, 3, 5],
            times: vec![1, 2, 3, 1, 4],
            columns: vec![(AttrId(3), Column::Symbol { codes: vec![1, 0, 2, 1, 1], dictionary: vec![7, 8] })],
        }
    }

    #[test]
    fn cuts_of_cuts_know_their_whole_rows() {
        let mut flow = Flow::new(block());
        flow.cut([(0, vec![1, 2]), (0, vec![]), (0, vec![0, 2]), (1, vec![4])]);
        assert_eq!(flow.block().customers, [4, 4, 9]);
        assert_eq!(flow.block().times, [2, 3, 1, 3, 4]);
        flow.cut([(1, vec![3]), (2, vec![4])]);
        assert_eq!(flow.block().customers, [4, 9]);
        assert_eq!((flow.whole_row(0), flow.whole_row(1)), (2, 4));
        assert_eq!((flow.whole_journey(0), flow.whole_journey(1)), (0..3, 3..5));
        assert_eq!(
            flow.block().column(AttrId(3)),
            Some(&Column::Symbol { codes: vec![2, 1], dictionary: vec![7, 8] })
        );
    }

    #[test]
    fn masks_only_narrow() {
        let mut flow = Flow::new(block());
        flow.show(vec![true, true, false, true, true]);
        flow.show(vec![false, true, true, true, true]);
        flow.keep(vec![true, false]);
        assert!(!flow.sees(0) && flow.sees(1) && !flow.sees(2));
        assert!(flow.lives(0) && !flow.lives(1));
    }

    #[test]
    fn few_rows_take_few_strings() {
        let mut dictionary = Strings::default();
        (0..40).for_each(|n| dictionary.push(&n.to_string()));
        let column = Column::Str { codes: (0..40).collect(), dictionary };
        let Column::Str { codes, dictionary } = gather(&column, &[7, 0, 7, 99]) else { panic!("text") };
        assert_eq!(codes, [1, 0, 1, 0]);
        assert_eq!((dictionary.len(), dictionary.get(0)), (1, "6"));
        let numbers = Column::Int { values: vec![5, 6], valid: None };
        assert_eq!(
            gather(&numbers, &[1, 5]),
            Column::Int { values: vec![6, 0], valid: Some(vec![true, false]) }
        );
    }
}
