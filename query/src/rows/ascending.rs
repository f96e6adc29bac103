//! How many customers are in each group, where rows come customer by customer.

/// Counts distinct customers a group without keeping them. Rows come in
/// ascending order of customers, and no other unit of work has any of them, so
/// that a customer is new to a group where it was not the last one there, and
/// counts of units add up.
#[derive(Debug, Default)]
pub(super) struct AscendingCustomers {
    counts: Vec<u64>,
    /// 1 + the last customer of each group; 0 where there was none.
    last: Vec<u64>,
    /// The last customer and its first group.
    latest: Option<(u32, u32)>,
    /// Whether a customer is in several groups.
    overlap: bool,
}

impl AscendingCustomers {
    pub(super) fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        self.last.resize(groups, 0);
    }

    /// A row of a customer in a group.
    pub(super) fn add(&mut self, group: u32, customer: u32) {
        let (Some(count), Some(last)) =
            (self.counts.get_mut(group as usize), self.last.get_mut(group as usize))
        else {
            return;
        };
        let stamp = u64::from(customer) + 1;
        debug_assert!(*last <= stamp, "customers come in ascending order");
        *count += u64::from(*last != stamp);
        *last = stamp;
        match self.latest {
            Some((latest, first)) if latest == customer => self.overlap |= first != group,
            _ => self.latest = Some((customer, group)),
        }
    }

    /// Adds those of a later unit; its group `i` is `map[i]` here.
    pub(super) fn merge(&mut self, other: &Self, map: &[u32]) {
        for ((&count, &last), &group) in other.counts.iter().zip(&other.last).zip(map) {
            if let (Some(mine), Some(known)) =
                (self.counts.get_mut(group as usize), self.last.get_mut(group as usize))
            {
                *mine += count;
                *known = (*known).max(last);
            }
        }
        self.latest = other.latest.or(self.latest);
        self.overlap |= other.overlap;
    }

    pub(super) fn count(&self, group: usize) -> Option<u64> {
        self.counts.get(group).copied()
    }

    pub(super) fn overlaps(&self) -> bool {
        self.overlap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_are_counted_once_a_group() {
        let of = |rows: &[(u32, u32)]| {
            let mut counted = AscendingCustomers::default();
            counted.grow(3);
            rows.iter().for_each(|&(group, customer)| counted.add(group, customer));
            counted
        };
        let mut all = of(&[(0, 0), (0, 0), (1, 4), (0, 5)]);
        assert!(!all.overlaps());
        assert_eq!([all.count(0), all.count(1), all.count(2)], [Some(2), Some(1), Some(0)]);
        // The other unit numbers groups its own way.
        all.merge(&of(&[(0, 9), (0, 9), (2, 9)]), &[1, 0, 2]);
        assert!(all.overlaps());
        assert_eq!([all.count(0), all.count(1), all.count(2)], [Some(2), Some(2), Some(1)]);
        assert!(of(&[(0, 7), (1, 7)]).overlaps());
    }
}
