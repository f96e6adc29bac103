//! What flows between journey operators: a unit's journeys, whole or cut
//! anew, and what of them is still in sight.

use std::ops::Range;

use roaring::RoaringBitmap;
use throughline_engine::strings::Strings;
use throughline_engine::{Block, Column, CustomerOrdinal, Millis};

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
    /// When the session that each journey is a part of is over; see [`Flow::closes`].
    closes: Option<Vec<Millis>>,
}

/// Journeys to cut from those in hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pieces {
    /// The journey in hand that each new one is cut from; those of one
    /// customer stand side by side.
    pub journeys: Vec<u32>,
    /// Where the rows of each end among `rows`. None is empty.
    pub ends: Vec<u32>,
    /// Rows in hand, ascending in each journey.
    pub rows: Vec<u32>,
    /// When each is over as a session; see [`Flow::closes`].
    pub closes: Option<Vec<Millis>>,
}

impl Pieces {
    /// Adds a journey made of rows of the one in hand at `journey`; none where there is no row.
    pub(crate) fn push(&mut self, journey: usize, rows: impl IntoIterator<Item = u32>) {
        let before = self.rows.len();
        self.rows.extend(rows);
        if self.rows.len() > before {
            self.journeys.push(journey as u32);
            self.ends.push(self.rows.len() as u32);
        }
    }
}

impl Flow {
    /// Whole journeys, all in sight.
    pub(crate) fn new(whole: Block) -> Self {
        Self { whole, ..Self::default() }
    }

    /// Leaves its memory to the next that is read.
    pub(crate) fn retire(self) {
        self.whole.retire();
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

    /// How many customers have something in sight, and how much.
    pub(crate) fn shown(&self) -> (u64, u64) {
        let (mut customers, mut interactions, mut last) = (0, 0, None);
        for journey in (0..self.block().customers.len()).filter(|&journey| self.lives(journey)) {
            let seen = self.block().journey(journey).filter(|&row| self.sees(row)).count() as u64;
            interactions += seen;
            if seen > 0 && last.replace(self.customer(journey)) != Some(self.customer(journey)) {
                customers += 1;
            }
        }
        (customers, interactions)
    }

    /// Keeps in sight only what also `mask` shows.
    pub(crate) fn show(&mut self, mask: Vec<bool>) {
        narrow(&mut self.visible, mask);
    }

    /// Keeps only the journeys that also `mask` keeps.
    pub(crate) fn keep(&mut self, mask: Vec<bool>) {
        narrow(&mut self.alive, mask);
    }

    /// The instant after which nothing more can come to the session that a
    /// journey is, or is a part of; `None` where it comes from no SESSIONS. A
    /// session that was not its journey's last has the least instant there is.
    pub(crate) fn closes(&self, journey: usize) -> Option<Millis> {
        self.cut.as_ref()?.closes.as_ref()?.get(journey).copied()
    }

    /// Cuts journeys anew. All of the new ones are kept and in sight.
    pub(crate) fn cut(&mut self, pieces: Pieces) {
        let Pieces { journeys, ends, rows: taken, closes } = pieces;
        let from = self.block();
        let block = Block {
            customers: journeys.iter().map(|&journey| self.customer(journey as usize)).collect(),
            offsets: std::iter::once(0).chain(ends).collect(),
            times: taken.iter().filter_map(|&row| from.times.get(row as usize)).copied().collect(),
            columns: from.columns.iter().map(|(attr, column)| (*attr, gather(column, &taken))).collect(),
        };
        let rows = taken.iter().map(|&row| self.whole_row(row as usize) as u32).collect();
        let place = |&journey: &u32| match &self.cut {
            None => journey,
            Some(cut) => cut.places.get(journey as usize).copied().unwrap_or(u32::MAX),
        };
        let places = journeys.iter().map(place).collect();
        let known = self.cut.as_ref().and_then(|cut| cut.closes.as_ref());
        let known = known.map(|known| {
            let of = |&journey: &u32| known.get(journey as usize).copied().unwrap_or(Millis::MAX);
            journeys.iter().map(of).collect::<Vec<Millis>>()
        });
        let closes = match (closes, known) {
            (Some(own), Some(known)) => Some(own.into_iter().zip(known).map(|(a, b)| a.min(b)).collect()),
            (own, known) => own.or(known),
        };
        self.cut = Some(Cut { block, rows, places, closes });
        self.visible = None;
        self.alive = None;
    }
}

/// Which customers of a block are `wanted`; both ascend.
pub(crate) fn among(block: &Block, wanted: &RoaringBitmap) -> Vec<bool> {
    let span = block.customers.first().zip(block.customers.last());
    let mut wanted = span.map(|(&first, &last)| wanted.range(first..=last)).into_iter().flatten().peekable();
    let is_wanted = |&customer: &CustomerOrdinal| {
        while wanted.next_if(|&next| next < customer).is_some() {}
        wanted.next_if_eq(&customer).is_some()
    };
    block.customers.iter().map(is_wanted).collect()
}

/// The journeys of those customers of a block that `mask` has true.
pub(crate) fn only(block: &Block, mask: &[bool]) -> Block {
    let (mut customers, mut offsets, mut rows) = (Vec::new(), vec![0], Vec::new());
    for ((place, &customer), _) in block.customers.iter().enumerate().zip(mask).filter(|(_, mask)| **mask) {
        customers.push(customer);
        rows.extend(block.journey(place).map(|row| row as u32));
        offsets.push(rows.len() as u32);
    }
    Block {
        customers,
        offsets,
        times: rows.iter().filter_map(|&row| block.times.get(row as usize)).copied().collect(),
        columns: block.columns.iter().map(|(attr, column)| (*attr, gather(column, &rows))).collect(),
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
        let pieces = |journeys: &[(usize, &[u32])]| {
            let mut pieces = Pieces::default();
            journeys.iter().for_each(|(journey, rows)| pieces.push(*journey, rows.iter().copied()));
            pieces
        };
        flow.cut(pieces(&[(0, &[1, 2]), (0, &[]), (0, &[0, 2]), (1, &[4])]));
        assert_eq!(flow.block().customers, [4, 4, 9]);
        assert_eq!(flow.block().times, [2, 3, 1, 3, 4]);
        assert_eq!(flow.closes(0), None);
        flow.cut(pieces(&[(1, &[3]), (2, &[4])]));
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
