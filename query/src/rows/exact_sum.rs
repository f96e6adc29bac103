//! Sums of doubles that do not depend on the order of adding.
//!
//! A sum is kept as an expansion: doubles that do not overlap and whose exact
//! sum is the exact sum of all that was added (J. R. Shewchuk, *Adaptive
//! Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates*,
//! 1997); the result is that sum rounded once, as in Python's `math.fsum`.

/// Values from here on are kept apart, scaled down, so that nothing overflows
/// on the way to a sum that is in range.
const LARGE: f64 = f64::from_bits((1023 + 960) << 52); // 2^960
const SCALE: f64 = f64::from_bits((1023 + 128) << 52); // 2^128

/// An exact sum of doubles.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExactSum {
    parts: Vec<f64>,
    large: Vec<f64>,
    infinities: [bool; 2],
}

impl ExactSum {
    pub(crate) fn add(&mut self, x: f64) {
        if !x.is_finite() {
            if let Some(seen) = self.infinities.get_mut(usize::from(x < 0.0)) {
                *seen = true;
            }
        } else if x.abs() >= LARGE {
            grow(&mut self.large, x / SCALE);
        } else {
            grow(&mut self.parts, x);
        }
    }

    /// Adds `a * b` exactly, save where the product overflows or its error
    /// falls below the smallest double.
    pub(crate) fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        self.add(product);
        if product.is_finite() {
            self.add(a.mul_add(b, -product));
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for &part in &other.parts {
            grow(&mut self.parts, part);
        }
        for &part in &other.large {
            grow(&mut self.large, part);
        }
        for (seen, other) in self.infinities.iter_mut().zip(other.infinities) {
            *seen |= other;
        }
    }

    /// The sum, rounded once to the nearest double (ties to even). `None` for
    /// infinities of both signs.
    pub(crate) fn value(&self) -> Option<f64> {
        match self.infinities {
            [true, true] => return None,
            [true, false] => return Some(f64::INFINITY),
            [false, true] => return Some(f64::NEG_INFINITY),
            [false, false] => {}
        }
        if self.large.is_empty() {
            return Some(round(&self.parts));
        }
        let mut parts = self.parts.clone();
        for &part in &self.large {
            if !(part * SCALE).is_finite() {
                return Some(part * SCALE);
            }
            grow(&mut parts, part * SCALE);
        }
        Some(round(&parts))
    }

    /// Bytes held beside the struct.
    pub(crate) fn bytes(&self) -> usize {
        (self.parts.capacity() + self.large.capacity()) * 8
    }
}

/// GROW-EXPANSION: adds `x`, keeping the parts from small to large, without overlap.
fn grow(parts: &mut Vec<f64>, mut x: f64) {
    let mut kept = 0;
    for place in 0..parts.len() {
        let Some(&part) = parts.get(place) else { break };
        let (big, small) = if x.abs() < part.abs() { (part, x) } else { (x, part) };
        let high = big + small;
        let low = small - (high - big);
        if low != 0.0 {
            if let Some(slot) = parts.get_mut(kept) {
                *slot = low;
            }
            kept += 1;
        }
        x = high;
    }
    parts.truncate(kept);
    if x != 0.0 {
        parts.push(x);
    }
}

/// The exact sum of the parts, rounded once.
fn round(parts: &[f64]) -> f64 {
    let mut rest = parts.iter().rev().copied();
    let Some(mut high) = rest.next() else { return 0.0 };
    let mut low = 0.0;
    for part in rest.by_ref() {
        let before = high;
        high = before + part;
        low = part - (high - before);
        if low != 0.0 {
            break;
        }
    }
    // Half way between two doubles, what lies below decides.
    if let Some(below) = rest.next()
        && ((low < 0.0 && below < 0.0) || (low > 0.0 && below > 0.0))
    {
        let twice = low * 2.0;
        let other = high + twice;
        if other - high == twice {
            high = other;
        }
    }
    high
}

/// The sample variance of `n` values from their exact sum and sum of squares:
/// `(n * squares - sum^2) / (n * (n - 1))`, the numerator exact before it is
/// rounded. `None` below two values, or where a square is not finite.
pub(crate) fn variance(sum: &ExactSum, squares: &ExactSum, n: u64) -> Option<f64> {
    if n < 2 {
        return None;
    }
    let count = n as f64;
    let scaled = |sum: &ExactSum| -> Vec<f64> {
        sum.parts.iter().copied().chain(sum.large.iter().map(|part| part * SCALE)).collect()
    };
    if sum.infinities != [false; 2] || squares.infinities != [false; 2] {
        return None;
    }
    let mut numerator = ExactSum::default();
    for part in scaled(squares) {
        numerator.add_product(part, count);
    }
    let parts = scaled(sum);
    for &a in &parts {
        for &b in &parts {
            numerator.add_product(-a, b);
        }
    }
    let variance = numerator.value()?.max(0.0) / (count * (count - 1.0));
    variance.is_finite().then_some(variance)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[f64]) -> Option<f64> {
        let mut sum = ExactSum::default();
        values.iter().for_each(|&value| sum.add(value));
        sum.value()
    }

    #[test]
    fn known_sums() {
        let check = |values: &[f64], expected: Option<f64>| assert_eq!(sum(values), expected, "{values:?}");
        check(&[], Some(0.0));
        check(&[0.1; 10], Some(1.0));
        check(&[1e100, 1.0, -1e100], Some(1.0));
        check(&[1e308, 1e308, -1e308], Some(1e308));
        check(&[-1e308, 1e308, 1e308, 1e-300], Some(1e308));
        check(&[1e308, 1e308], Some(f64::INFINITY));
        check(&[f64::INFINITY, 1.0], Some(f64::INFINITY));
        check(&[f64::INFINITY, f64::NEG_INFINITY], None);
        // Half way: the third value decides (from CPython's tests of fsum).
        check(&[1e16, 1.0, 1e-16], Some(10000000000000002.0));
        check(&[1e16 - 2.0, 1.0 - 2f64.powi(-53), -(1e16 - 2.0), -(1.0 - 2f64.powi(-53))], Some(0.0));
    }

    #[test]
    fn variance_does_not_cancel() {
        let mut total = ExactSum::default();
        let mut squares = ExactSum::default();
        for x in [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0] {
            total.add(x);
            squares.add_product(x, x);
        }
        assert_eq!(variance(&total, &squares, 4), Some(30.0));
        assert_eq!(variance(&total, &squares, 1), None);
    }

    proptest! {
        #[test]
        fn the_order_does_not_matter(
            values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, 0..40),
            cut in 0usize..40,
        ) {
            let forward = sum(&values);
            let mut backward = values.clone();
            backward.reverse();
            prop_assert_eq!(forward, sum(&backward));
            let (a, b) = values.split_at(cut.min(values.len()));
            let mut left = ExactSum::default();
            let mut right = ExactSum::default();
            a.iter().for_each(|&x| left.add(x));
            b.iter().for_each(|&x| right.add(x));
            right.merge(&left);
            prop_assert_eq!(forward, right.value());
        }

        #[test]
        fn dyadic_sums_are_exact(values in prop::collection::vec(-1_000_000_i64..1_000_000, 0..50)) {
            let floats: Vec<f64> = values.iter().map(|&v| v as f64 / 1024.0).collect();
            prop_assert_eq!(sum(&floats), Some(values.iter().sum::<i64>() as f64 / 1024.0));
        }
    }
}
