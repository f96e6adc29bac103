//! A blocked Bloom filter over digests.
//!
//! Source: F. Putze, P. Sanders, J. Singler, "Cache-, Hash- and
//! Space-Efficient Bloom Filters", WEA 2007 (journal version: ACM JEA 14,
//! 2009). All bits of a key lie in one block of 512 bits, so that a test
//! touches one cache line.
//!
//! The digest is a hash already and is not hashed again: its upper 32 bits
//! choose the block, so that keys in ascending order walk the filter in
//! ascending order; its lower 63 bits choose seven places within the block.

/// Bits of a block: one cache line.
const BLOCK_BITS: u64 = 512;
/// Words of a block.
const BLOCK_WORDS: usize = (BLOCK_BITS / 64) as usize;
/// Bytes of a block where it is stored.
pub(super) const BLOCK_BYTES: usize = BLOCK_WORDS * 8;
/// Places set for a key.
const PLACES: u32 = 7;

/// Says of a digest that it is certainly not among the keys, or may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    blocks: Vec<[u64; BLOCK_WORDS]>,
}

impl Filter {
    /// An empty filter with room for `keys` keys at `bits_per_key`: 12 bits
    /// give some 0.5 % false positives, 16 bits some 0.15 %.
    pub(super) fn for_keys(keys: u64, bits_per_key: u64) -> Self {
        let blocks = keys.saturating_mul(bits_per_key).div_ceil(BLOCK_BITS).max(1);
        Self { blocks: vec![[0; BLOCK_WORDS]; blocks as usize] }
    }

    /// A filter with room for `blocks` but none yet, to be filled by
    /// [`Filter::push_block`]; `None` where memory does not suffice.
    pub(super) fn with_room(blocks: usize) -> Option<Self> {
        let mut filter = Self::default();
        filter.blocks.try_reserve_exact(blocks).ok()?;
        Some(filter)
    }

    /// How many blocks.
    pub(super) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Adds one key.
    pub(super) fn insert(&mut self, digest: u128) {
        let home = self.home(digest);
        if let Some(block) = self.blocks.get_mut(home) {
            for (word, bit) in places(digest) {
                block[word] |= bit;
            }
        }
    }

    /// `false`: certainly not a key.
    pub(super) fn may_contain(&self, digest: u128) -> bool {
        match self.blocks.get(self.home(digest)) {
            Some(block) => places(digest).all(|(word, bit)| block[word] & bit != 0),
            None => true,
        }
    }

    /// Takes one stored block back, in the order of [`Filter::stored`].
    pub(super) fn push_block(&mut self, bytes: &[u8; BLOCK_BYTES]) {
        let mut block = [0; BLOCK_WORDS];
        let (words, _) = bytes.as_chunks::<8>();
        for (word, bytes) in block.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*bytes);
        }
        self.blocks.push(block);
    }

    /// The bytes of the blocks from `start`, at most `count` of them.
    pub(super) fn stored(&self, start: usize, count: usize) -> impl Iterator<Item = u8> {
        self.blocks.iter().skip(start).take(count).flatten().flat_map(|word| word.to_le_bytes())
    }

    /// The block of `digest`.
    fn home(&self, digest: u128) -> usize {
        let upper = (digest >> 96) as u64;
        ((upper * self.blocks.len() as u64) >> 32) as usize
    }
}

/// The word and the bit in it of each place of `digest` within its block.
fn places(digest: u128) -> impl Iterator<Item = (usize, u64)> {
    let lower = digest as u64;
    (0..PLACES).map(move |place| {
        let at = (lower >> (9 * place)) % BLOCK_BITS;
        ((at / 64) as usize, 1 << (at % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_128_with_seed;

    fn digest(seed: u64, number: u64) -> u128 {
        xxh3_128_with_seed(&number.to_le_bytes(), seed)
    }

    /// False positives in a million for 100,000 keys; every key must be found.
    fn check(bits_per_key: u64, at_most: usize) {
        let mut filter = Filter::for_keys(100_000, bits_per_key);
        (0..100_000).for_each(|number| filter.insert(digest(1, number)));
        assert!((0..100_000).all(|number| filter.may_contain(digest(1, number))));
        let wrong = (0..1_000_000).filter(|&number| filter.may_contain(digest(2, number))).count();
        assert!((1..at_most).contains(&wrong), "{wrong} of a million at {bits_per_key} bits a key");
    }

    #[test]
    fn few_false_positives() {
        check(12, 6_500);
        check(16, 2_000);
    }

    #[test]
    fn stored_blocks_come_back() {
        let mut filter = Filter::for_keys(1_000, 12);
        (0..1_000).for_each(|number| filter.insert(digest(3, number)));
        let mut again = Filter::with_room(filter.blocks()).expect("memory suffices");
        for block in 0..filter.blocks() {
            let bytes: Vec<u8> = filter.stored(block, 1).collect();
            again.push_block(bytes.as_slice().try_into().expect("one block"));
        }
        assert_eq!(again, filter);
    }
}
