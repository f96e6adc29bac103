//! The few rows that matter: where runs begin, which are customers' consecutive
//! interactions with one code; where pauses end; or those of a rare code.
//!
//! Customers do the same thing several times in a row, and where they stop
//! cannot be foretold. So rows are compared with the row before, or with a code,
//! by computing rather than branching, a bit a row, and only the bits that are
//! set are gone through: a third or a fifth as many to decide about.

/// Rows of a word.
pub(super) const WORD: usize = u64::BITS as usize;
/// So many codes are compared with each row's, rather than each row's looked up.
const FEW: usize = 4;

/// A bit for each row, and at least one more.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    words: Vec<u64>,
}

impl Marks {
    /// None of `rows` marked.
    pub(super) fn clear(&mut self, rows: usize) {
        self.words.clear();
        self.words.resize(rows / WORD + 1, 0);
    }

    /// Marks a row.
    pub(super) fn set(&mut self, row: u32) {
        if let Some(word) = self.words.get_mut(row as usize / WORD) {
            *word |= 1 << (row as usize % WORD);
        }
    }

    /// Marks also what others mark.
    pub(super) fn add(&mut self, others: &Self) {
        self.words.iter_mut().zip(&others.words).for_each(|(own, other)| *own |= other);
    }

    /// Marks the rows at which journeys begin, of `rows`; `offsets` are these, and the end.
    pub(super) fn set_starts(&mut self, offsets: &[u32], rows: usize) {
        let starts = offsets.split_last().map_or(&[][..], |(_, starts)| starts);
        starts.iter().filter(|start| (**start as usize) < rows).for_each(|&start| self.set(start));
    }

    /// Marks the rows of which the one before has another code.
    pub(super) fn differences(&mut self, codes: &[u32]) {
        self.pairs(codes, |before, after| before != after);
    }

    /// Marks the rows that come more than `gap` after the one before, or before it; every pause of
    /// more than `i64::MAX` is too long.
    pub(super) fn pauses(&mut self, times: &[i64], gap: u64) {
        // Times of one customer ascend, so their difference is no negative number. It is greater
        // than the gap, which fits in 63 bits, where it does not or what is left of the gap is
        // negative: processors compare few numbers of 64 bits at once, but look at many signs.
        let gap = gap.min(i64::MAX as u64);
        self.pairs(times, |before, after| {
            let pause = after.wrapping_sub(before) as u64;
            (pause | gap.wrapping_sub(pause)) >> (u64::BITS - 1) != 0
        });
    }

    /// Marks the rows that `differ` from the one before.
    #[inline(always)]
    fn pairs<T: Copy>(&mut self, all: &[T], differ: impl Fn(T, T) -> bool) {
        self.words.clear();
        // The row before the first of a word is the last of the word before.
        let mut last = None;
        let (chunks, rest) = all.as_chunks::<WORD>();
        for chunk in chunks {
            let mut flags = [0; WORD];
            let pairs = chunk.iter().zip(chunk.iter().skip(1));
            for (flag, (&before, &after)) in flags.iter_mut().skip(1).zip(pairs) {
                *flag = u8::from(differ(before, after));
            }
            self.words.push(
                packed(&flags) | u64::from(last.zip(chunk.first()).is_some_and(|(&a, &b)| differ(a, b))),
            );
            last = chunk.last();
        }
        let mut flags = [0; WORD];
        let before = last.into_iter().chain(rest);
        let own = usize::from(last.is_none());
        for (flag, (&before, &after)) in flags.iter_mut().skip(own).zip(before.zip(rest.iter().skip(own))) {
            *flag = u8::from(differ(before, after));
        }
        self.words.push(packed(&flags));
    }

    /// Marks the rows of whose code `table` says `value`. Codes that it does not have say 0.
    pub(super) fn rows_of(&mut self, codes: &[u32], table: &[u8], value: u8) {
        let own = (0_u32..).zip(table).filter(|(_, says)| **says == value).map(|(code, _)| code);
        let few: Vec<u32> = own.take(FEW + 1).collect();
        self.words.clear();
        for some in codes.chunks(WORD) {
            let mut flags = [0; WORD];
            if few.len() <= FEW && value != 0 {
                for one in &few {
                    flags.iter_mut().zip(some).for_each(|(flag, code)| *flag |= u8::from(code == one));
                }
            } else {
                let says = |code: u32| table.get(code as usize).copied().unwrap_or(0);
                flags.iter_mut().zip(some).for_each(|(flag, &code)| *flag = u8::from(says(code) == value));
            }
            self.words.push(packed(&flags));
        }
        if codes.len().is_multiple_of(WORD) {
            self.words.push(0);
        }
    }

    /// The words, the first rows lowest.
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Writes the marked rows to `rows`, ascending.
    pub(super) fn list(&self, rows: &mut Vec<u32>) {
        let marked = self.words.iter().map(|word| word.count_ones() as usize).sum();
        // What is left of a longer list is cut off, and the rest written over.
        rows.resize(marked, 0);
        let mut rows = rows.iter_mut();
        for (&word, start) in self.words.iter().zip((0_u32..).step_by(WORD)) {
            let mut word = word;
            while word != 0 {
                if let Some(row) = rows.next() {
                    *row = start + word.trailing_zeros();
                }
                word &= word - 1;
            }
        }
    }
}

/// Whether journeys that begin at `offsets`, the last of which is the end, have a row each, the
/// first of them row 0: then every beginning is marked apart, and marks count journeys.
pub(super) fn never_empty(offsets: &[u32]) -> bool {
    let bounds = offsets.iter().zip(offsets.iter().skip(1));
    offsets.first() == Some(&0) && bounds.fold(true, |all, (start, end)| all & (start < end))
}

/// Flags of 0 or 1 as bits, the first as the lowest.
fn packed(flags: &[u8; WORD]) -> u64 {
    // Moves the lowest bit of byte `i` to bit `i` of the highest byte; none of the products meet.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = flags.as_chunks::<8>();
    eights.iter().rev().fold(0, |word, eight| {
        (word << 8) | (u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> (u64::BITS - 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn flags_become_bits() {
        for place in 0..WORD {
            let mut flags = [0; WORD];
            flags[place] = 1;
            assert_eq!(packed(&flags), 1 << place);
        }
        assert_eq!(packed(&[1; WORD]), u64::MAX);
    }

    fn marked(marks: &Marks) -> Vec<usize> {
        let mut rows = vec![7; 3];
        marks.list(&mut rows);
        rows.into_iter().map(|row| row as usize).collect()
    }

    proptest! {
        #[test]
        fn as_row_by_row(
            rows in prop::collection::vec((-1_i64..4, 0_u32..3), 0..200),
            gap in 0_u64..4, value in 0_u8..3,
        ) {
            let times: Vec<i64> = rows.iter().map(|row| row.0).collect();
            let codes: Vec<u32> = rows.iter().map(|row| row.1).collect();
            let all = |keep: &dyn Fn(usize) -> bool| (0..rows.len()).filter(|&row| keep(row)).collect::<Vec<_>>();
            let mut marks = Marks::default();
            let check = |marks: &Marks, keep: &dyn Fn(usize) -> bool| {
                prop_assert_eq!(marked(marks), all(keep));
                prop_assert_eq!(marks.words().len(), rows.len() / WORD + 1);
                Ok(())
            };
            marks.differences(&codes);
            check(&marks, &|row| row > 0 && codes[row] != codes[row - 1])?;
            marks.pauses(&times, gap);
            check(&marks, &|row| row > 0 && times[row].wrapping_sub(times[row - 1]) as u64 > gap)?;
            for table in [&[1, 2, 1][..], &[], &[0, 1, 1, 1, 1, 1]] {
                marks.rows_of(&codes, table, value);
                check(&marks, &|row| table.get(codes[row] as usize).copied().unwrap_or(0) == value)?;
            }
            marks.clear(rows.len());
            marks.set_starts(&[0, 70, 70, rows.len() as u32, rows.len() as u32], rows.len());
            check(&marks, &|row| row == 0 || row == 70)?;
            let mut more = Marks::default();
            more.differences(&codes);
            marks.add(&more);
            check(&marks, &|row| row == 0 || row == 70 || codes[row] != codes[row - 1])?;
        }
    }
}
