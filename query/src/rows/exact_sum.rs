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

/// The unit of what is added in 128 bits, and its inverse.
const UNIT: f64 = f64::from_bits((1023 - 64) << 52); // 2^-64
const FRACTION_BITS: u32 = 52;
/// The biased exponents of ordinary size: from 2^-12, whose last bit is 2^-64, to below 2^39, of
/// which 2^24 fit 128 bits.
const ORDINARY: std::ops::Range<u64> = (1023 - 12)..(1023 + 39);

/// An exact sum of doubles.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExactSum {
    /// In units of 2^-64.
    fixed: i128,
    parts: Vec<f64>,
    large: Vec<f64>,
    infinities: [bool; 2],
}

impl ExactSum {
    pub(crate) fn add(&mut self, x: f64) {
        let bits = x.to_bits();
        let exponent = bits >> FRACTION_BITS & 0x7FF;
        if ORDINARY.contains(&exponent) {
            let fraction = bits & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS;
            let size = i128::from(fraction) << (exponent - ORDINARY.start);
            self.add_fixed(if x < 0.0 { -size } else { size });
        } else if !x.is_finite() {
            if let Some(seen) = self.infinities.get_mut(usize::from(x < 0.0)) {
                *seen = true;
            }
        } else if x.abs() >= LARGE {
            grow(&mut self.large, x / SCALE);
        } else {
            grow(&mut self.parts, x);
        }
    }

    fn add_fixed(&mut self, units: i128) {
        match self.fixed.checked_add(units) {
            Some(sum) => self.fixed = sum,
            None => {
                let full = std::mem::replace(&mut self.fixed, units);
                grow_fixed(&mut self.parts, full);
            }
        }
    }

    /// The expansion of all that is not kept apart.
    fn expansion(&self) -> Vec<f64> {
        let mut parts = self.parts.clone();
        grow_fixed(&mut parts, self.fixed);
        parts
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
        self.add_fixed(other.fixed);
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
        let mut parts = self.expansion();
        if self.large.is_empty() {
            return Some(round(&parts));
        }
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

/// Adds so many units: at most three doubles, each of bits that it holds exactly.
fn grow_fixed(parts: &mut Vec<f64>, units: i128) {
    const CHUNK_BITS: u32 = 48;
    let (size, mut unit) = (units.unsigned_abs(), UNIT);
    let mut rest = size;
    while rest != 0 {
        let chunk = (rest & ((1 << CHUNK_BITS) - 1)) as u64 as f64 * unit;
        grow(parts, if units < 0 { -chunk } else { chunk });
        rest >>= CHUNK_BITS;
        unit *= (1_u64 << CHUNK_BITS) as f64;
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
        sum.expansion().into_iter().chain(sum.large.iter().map(|part| part * SCALE)).collect()
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
    fn full_sums_move_on() {
        let most = 2_f64.powi(39) - 2_f64.powi(-14);
        let mut sum = ExactSum::default();
        sum.add_fixed(i128::MAX - 5);
        sum.add(most);
        sum.add(-most);
        assert!(!sum.parts.is_empty());
        assert_eq!(sum.value(), Some(2_f64.powi(63)));
        sum.add_fixed(i128::MIN);
        sum.add_fixed(i128::MIN);
        assert_eq!(sum.value(), Some(-(2_f64.powi(63))));
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
        fn ordinary_sizes_are_added_as_any(
            values in prop::collection::vec(
                prop_oneof![4 => -2.0_f64..2.0, 1 => -1e13_f64..1e13, 1 => -1e-3_f64..1e-3, 1 => prop::num::f64::NORMAL],
                0..60,
            ),
        ) {
            let mut slow = ExactSum::default();
            values.iter().filter(|x| x.abs() < LARGE).for_each(|&x| grow(&mut slow.parts, x));
            values.iter().filter(|x| x.abs() >= LARGE).for_each(|&x| slow.add(x));
            prop_assert_eq!(sum(&values), slow.value());
        }

        #[test]
        fn dyadic_sums_are_exact(values in prop::collection::vec(-1_000_000_i64..1_000_000, 0..50)) {
            let floats: Vec<f64> = values.iter().map(|&v| v as f64 / 1024.0).collect();
            prop_assert_eq!(sum(&floats), Some(values.iter().sum::<i64>() as f64 / 1024.0));
        }
    }
}
