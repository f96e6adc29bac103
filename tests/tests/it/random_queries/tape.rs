//! Decisions read from a list of numbers, so that proptest can make them fewer
//! and simpler: at its end every decision is the first choice.

use std::slice::Iter;

/// What is left of a list of decisions.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    left: Iter<'a, u16>,
}

impl<'a> Tape<'a> {
    pub(crate) fn new(decisions: &'a [u16]) -> Self {
        Self { left: decisions.iter() }
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.left.next().map_or(0, |&number| number as usize % n.max(1))
    }

    /// Yes in so many of 100 cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of the items.
    pub(crate) fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}
