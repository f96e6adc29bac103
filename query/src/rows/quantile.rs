//! Quantiles by linear interpolation: definition 7 of R. J. Hyndman and
//! Y. Fan, *Sample Quantiles in Statistical Packages*, 1996.

use std::cmp::Ordering;

/// The two values that the `q`-quantile (0 to 1) lies between, and how far
/// from the first to the second. `None` of no values. Reorders the values.
pub(crate) fn around<T: Copy>(
    values: &mut [T],
    q: f64,
    mut compare: impl FnMut(&T, &T) -> Ordering,
) -> Option<(T, T, f64)> {
    let last = values.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let below = (place.floor() as usize).min(last);
    let part = place - below as f64;
    let (_, &mut low, above) = values.select_nth_unstable_by(below, &mut compare);
    let high = above.iter().copied().min_by(|a, b| compare(a, b));
    Some(match high {
        Some(high) => (low, high, part),
        None => (low, low, 0.0),
    })
}

/// The `q`-quantile of lengths of time, to the nearest millisecond.
pub(crate) fn quantile(gaps: &mut [i64], q: f64) -> Option<i64> {
    let (low, high, part) = around(gaps, q, i64::cmp)?;
    Some(low.saturating_add((part * high.saturating_sub(low) as f64).round() as i64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(values: &[i64], q: f64) -> Option<f64> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let place = q * (sorted.len().checked_sub(1)? as f64);
        let low = sorted[place.floor() as usize] as f64;
        let high = sorted[place.ceil() as usize] as f64;
        Some(low + (place - place.floor()) * (high - low))
    }

    fn fast(values: &[i64], q: f64) -> Option<f64> {
        let (low, high, part) = around(&mut values.to_vec(), q, i64::cmp)?;
        Some(low as f64 + part * (high as f64 - low as f64))
    }

    #[test]
    fn known_quantiles() {
        let check = |values: &[i64], q: f64, expected: Option<f64>| {
            assert_eq!(fast(values, q), expected, "{q} of {values:?}");
        };
        check(&[], 0.5, None);
        check(&[7], 0.9, Some(7.0));
        check(&[4, 1, 3, 2], 0.5, Some(2.5));
        check(&[1, 2, 3, 4, 5], 0.25, Some(2.0));
        check(&[10, 20], 0.9, Some(19.0));
        check(&[3, 1, 2], 0.0, Some(1.0));
        check(&[3, 1, 2], 1.0, Some(3.0));
    }

    proptest! {
        #[test]
        fn as_by_sorting(values in prop::collection::vec(-1000_i64..1000, 0..60), q in 0.0..=1.0_f64) {
            prop_assert_eq!(fast(&values, q), naive(&values, q));
        }
    }
}
