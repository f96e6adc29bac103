//! How often each code occurs, and in whose journeys.

/// Counters side by side, so that equal codes one after another do not wait
/// for each other.
const LANES: usize = 4;
/// Up to this many codes are counted in lanes: beyond, the lanes would leave the nearest cache.
const LANED_MAX: usize = 1 << 10;

/// How often each code below `bound` occurs; codes beyond are passed over.
pub(crate) fn histogram(codes: &[u32], bound: usize) -> Vec<u64> {
    let mut counts = vec![0_u64; bound];
    if bound > LANED_MAX {
        count(codes, &mut counts);
        return counts;
    }
    // Rows of a unit fit 32 bits.
    let mut lanes = vec![[0_u32; LANES]; bound];
    let (groups, rest) = codes.as_chunks::<LANES>();
    for group in groups {
        for (lane, &code) in group.iter().enumerate() {
            if let Some(count) = lanes.get_mut(code as usize).and_then(|lanes| lanes.get_mut(lane)) {
                *count += 1;
            }
        }
    }
    for (count, lanes) in counts.iter_mut().zip(&lanes) {
        *count = lanes.iter().map(|&lane| u64::from(lane)).sum();
    }
    count(rest, &mut counts);
    counts
}

fn count(codes: &[u32], counts: &mut [u64]) {
    for &code in codes {
        if let Some(count) = counts.get_mut(code as usize) {
            *count += 1;
        }
    }
}

/// Codes of pairs: the code of `a` times `wide`, plus that of `b`, which lies
/// below `wide`. Unlike keys, 0 (NULL) is a value like any other.
pub(crate) fn pairs(a: &[u32], b: &[u32], wide: u32) -> Vec<u32> {
    a.iter().zip(b).map(|(&a, &b)| a.wrapping_mul(wide).wrapping_add(b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_every_code() {
        for (rows, bound) in [(0, 3), (1, 1), (7, 3), (1_000, 5), (5_000, 3_000)] {
            let codes: Vec<u32> = (0..rows).map(|row: u32| row.wrapping_mul(7_919) % bound as u32).collect();
            let mut expected = vec![0; bound];
            codes.iter().for_each(|&code| expected[code as usize] += 1);
            assert_eq!(histogram(&codes, bound), expected, "{rows} rows, {bound} codes");
        }
        assert_eq!(pairs(&[0, 1, 2], &[2, 0, 1], 3), [2, 3, 7]);
    }
}
