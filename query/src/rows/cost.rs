//! What steps of a query came to, for PROFILE; an ordinary run measures nothing.

use std::time::{Duration, Instant};

/// What one step came to, added up over units. Times of threads that work
/// side by side add up, too; whatever else is counted is the same in every run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Different customers behind what came out.
    pub customers: Option<u64>,
    /// Rows that came out.
    pub rows: Option<u64>,
    /// Interactions that came out: in sight, of journeys that are kept.
    pub interactions: Option<u64>,
    /// Stored bytes that were decoded.
    pub bytes: Option<u64>,
    /// Time it took.
    pub time: Duration,
}

impl Cost {
    /// Adds what another unit came to.
    pub(crate) fn add(&mut self, more: &Self) {
        let sum = |mine: &mut Option<u64>, more: Option<u64>| {
            if let Some(more) = more {
                *mine = Some(mine.unwrap_or(0) + more);
            }
        };
        sum(&mut self.customers, more.customers);
        sum(&mut self.rows, more.rows);
        sum(&mut self.interactions, more.interactions);
        sum(&mut self.bytes, more.bytes);
        self.time += more.time;
    }
}

/// Measures steps where somebody looks, and does nothing where nobody does.
#[derive(Debug, Default)]
pub(crate) struct Meter<'a>(Option<&'a mut [Cost]>);

impl<'a> Meter<'a> {
    /// Measures into a cost a step.
    pub(crate) fn new(costs: Option<&'a mut Vec<Cost>>) -> Self {
        Self(costs.map(Vec::as_mut_slice))
    }

    /// Before a step.
    pub(crate) fn begin(&self) -> Option<Instant> {
        self.0.as_ref().map(|_| Instant::now())
    }

    /// After a step, of which so many rows came out, where that is known yet.
    pub(crate) fn end(&mut self, step: usize, began: Option<Instant>, rows: Option<usize>) {
        let cost = self.0.as_mut().and_then(|costs| costs.get_mut(step));
        if let (Some(cost), Some(began)) = (cost, began) {
            let rows = rows.map(|rows| rows as u64);
            cost.add(&Cost { rows, time: began.elapsed(), ..Cost::default() });
        }
    }
}
