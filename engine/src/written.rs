//! What seals write into the graph, by cause: what they were given, before the graph store makes
//! leaves of it.

use std::collections::HashSet;

use crate::chunks::{Blob, ChunkRef};
use crate::manifest::{Manifest, Range, Run};

/// Bytes that seals have written into the graph since a store was opened, imports included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many seals.
    pub seals: u64,
    /// Segments of a single seal.
    pub runs: u64,
    /// Segments of several seals merged.
    pub merges: u64,
    /// Segments of bases.
    pub bases: u64,
    /// Indexes.
    pub indexes: u64,
    /// Counts of symbols in pairs, of the dead too.
    pub tallies: u64,
    /// Names, event ids, times of commits, what was amended away, and everything else that is not of one run.
    pub others: u64,
    /// Manifests.
    pub manifests: u64,
}

impl Written {
    /// With what a seal wrote that made this manifest, where there were `old` chunks.
    pub(crate) fn and(&self, manifest: &Manifest, old: &HashSet<u64>, manifest_bytes: u64) -> Self {
        let of = |chunk: &ChunkRef| if old.contains(&chunk.id) { 0 } else { u64::from(chunk.len) };
        let of_blob = |blob: &Blob| blob.pages.iter().map(of).sum::<u64>();
        let of_segments = |run: &Run| -> u64 {
            run.segments.iter().map(|segment| of(&segment.header) + of_blob(&segment.body)).sum()
        };
        let mut sum = Self { seals: self.seals + 1, manifests: self.manifests + manifest_bytes, ..*self };
        let all: u64 = manifest.chunks().iter().map(of).sum();
        let mut of_runs = 0;
        for range in &manifest.ranges {
            sum.bases += of_segments(&range.base);
            for run in &range.runs {
                let kind = if run.level == 0 { &mut sum.runs } else { &mut sum.merges };
                *kind += of_segments(run);
            }
        }
        for run in manifest.ranges.iter().flat_map(Range::all) {
            let (index, tallies) = (of_blob(&run.index), of_blob(&run.tallies) + of_blob(&run.dead.tallies));
            sum.indexes += index;
            sum.tallies += tallies;
            of_runs += of_segments(run) + index + tallies;
        }
        sum.others += all - of_runs;
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::SegmentMeta;

    fn chunk(id: u64) -> ChunkRef {
        ChunkRef { id, len: 10_u32.pow(id as u32), checksum: 0 }
    }

    fn run(level: u8, header: u64, body: &[u64], index: u64) -> Run {
        let blob = |ids: &[u64]| Blob { pages: ids.iter().map(|&id| chunk(id)).collect() };
        let (header, body) = (chunk(header), blob(body));
        let (rows, customers, first, last, time_min, time_max) = (1, 1, 0, 0, 0, 0);
        let segment = SegmentMeta { header, body, rows, customers, first, last, time_min, time_max };
        Run { level, segments: vec![segment], index: blob(&[index]), ..Run::default() }
    }

    #[test]
    fn each_new_chunk_has_one_cause() {
        let mut manifest = Manifest::new([0; 16], crate::history::Position { file: 1, offset: 0 });
        let range = Range {
            base: run(u8::MAX, 0, &[1], 2),
            runs: vec![run(1, 3, &[4], 5), run(0, 6, &[], 7)],
            past: Vec::new(),
        };
        manifest.ranges = vec![range];
        manifest.present = Blob { pages: vec![chunk(8)] };
        let first = Written::default().and(&manifest, &HashSet::new(), 7);
        let expected = Written {
            seals: 1,
            runs: 1_000_000,
            merges: 11_000,
            bases: 11,
            indexes: 10_100_100,
            tallies: 0,
            others: 100_000_000,
            manifests: 7,
        };
        assert_eq!(first, expected);
        // What was there before is not written again.
        let old = (0..9).filter(|id| *id != 4).collect();
        let second = first.and(&manifest, &old, 7);
        assert_eq!(second, Written { seals: 2, merges: 21_000, manifests: 14, ..expected });
    }
}
