//! Sets of customers.

use roaring::RoaringBitmap;

/// Adds customers to a set; fastest where they ascend and come after those it has.
pub(crate) fn add_customers(set: &mut RoaringBitmap, customers: &[u32]) {
    let ascend = customers.is_sorted_by(|a, b| a < b);
    let behind = customers.first().is_none_or(|&first| set.max().is_none_or(|max| max < first));
    if !ascend || !behind || set.append(customers.iter().copied()).is_err() {
        set.extend(customers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_makes_the_same_set() {
        for customers in [&[1_u32, 2, 9, 70_000][..], &[9, 1, 70_000, 2], &[1, 1, 2, 9, 9, 70_000], &[]] {
            for before in [&[][..], &[0], &[5, 80_000]] {
                let mut set: RoaringBitmap = before.iter().copied().collect();
                let expected: RoaringBitmap = before.iter().chain(customers).copied().collect();
                add_customers(&mut set, customers);
                assert_eq!(set, expected);
            }
        }
    }
}
