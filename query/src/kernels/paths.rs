//! Paths: the first, the last or the middle part of a journey as a short
//! sequence of nodes, and how often each sequence occurs.

use std::ops::Range;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use roaring::RoaringBitmap;

use crate::sets::add_customers;

/// The node of a row without a value.
pub(crate) const UNKNOWN: u32 = 0;
/// Stands where a path was cut in its middle. No node has this number.
pub(crate) const CUT: u32 = u32::MAX;

/// Bytes that a path takes besides its nodes, customers and gaps, about.
const PATH_BYTES: u64 = 160;
/// Bytes of a node of a path.
const NODE_BYTES: u64 = 4;
/// Bytes that a customer takes in the bitmap of a path, at most about.
const CUSTOMER_BYTES: u64 = 4;
/// Bytes of a gap.
const GAP_BYTES: u64 = 8;

/// Where paths run. Steps are bits of class codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// From the first row with bit 0 on.
    From,
    /// Up to the last row with bit 0.
    To,
    /// From the first row with bit 0 to the first row after it with bit 1.
    Between,
}

/// How a path is made of a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub course: Course,
    /// Most nodes, at least 1. Of more, From keeps the first, To the last, and
    /// Between all but the last of the first, then [`CUT`], then the last.
    pub depth: usize,
    /// Equal nodes one after another are one.
    pub collapse: bool,
}

/// A path on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    /// [`UNKNOWN`], [`CUT`], or a node and 1.
    pub nodes: Vec<u32>,
    /// The milliseconds from each node to the next, as far as [`CUT`].
    pub gaps: Vec<i64>,
    /// The rows of the journey that it runs over, before it is cut to its depth.
    pub span: Range<usize>,
}

impl Rule {
    /// Makes the path of a journey: a node, a time and a class code a row;
    /// rows out of sight have neither node nor class. Answers whether there is one.
    ///
    /// Rows without a value are passed over, except those that a step names.
    /// A gap runs from the last row of a collapsed node to the first of the next.
    #[cfg(test)]
    pub(crate) fn path(&self, nodes: &[u32], times: &[i64], classes: &[u64], path: &mut Path) -> bool {
        let node = |row: usize| nodes.get(row).copied().unwrap_or(UNKNOWN);
        let class = |row: usize| classes.get(row).copied().unwrap_or(0);
        self.path_of::<true>(classes.len(), node, |row| times.get(row).copied().unwrap_or(0), class, path)
    }

    /// As [`Rule::path`] for a journey of `rows` rows, of which functions tell node, time and class;
    /// with no `GAPS` nobody asks for them.
    pub(crate) fn path_of<const GAPS: bool>(
        &self,
        rows: usize,
        node: impl Fn(usize) -> u32,
        time: impl Fn(usize) -> i64,
        class: impl Fn(usize) -> u64,
        path: &mut Path,
    ) -> bool {
        path.nodes.clear();
        path.gaps.clear();
        let has = |bit: u64| {
            let class = &class;
            move |row: &usize| class(*row) & bit != 0
        };
        let (first, last) = match self.course {
            Course::From => ((0..rows).find(has(1)), Some(rows.saturating_sub(1))),
            Course::To => (Some(0), (0..rows).rev().find(has(1))),
            Course::Between => {
                let first = (0..rows).find(has(1));
                (first, first.and_then(|first| (first + 1..rows).find(has(2))))
            }
        };
        let (Some(first), Some(last)) = (first, last) else { return false };
        path.span = first..last + 1;
        // To begins at its end, so that it also stops where the path is deep enough.
        let backwards = self.course == Course::To;
        let enough = if self.course == Course::Between { usize::MAX } else { self.depth };
        let mut before: Option<i64> = None;
        for step in 0..=last - first {
            let row = if backwards { last - step } else { first + step };
            let (node, at) = (node(row), if GAPS { time(row) } else { 0 });
            if node == UNKNOWN && !self.names(row, &path.span) {
                continue;
            }
            let same = self.collapse && path.nodes.last() == Some(&node);
            if !same {
                if path.nodes.len() == enough {
                    break;
                }
                path.nodes.push(node);
                if GAPS {
                    path.gaps.extend(before.map(|before| at.abs_diff(before).min(i64::MAX as u64) as i64));
                }
            }
            before = Some(at);
        }
        if backwards {
            path.nodes.reverse();
            path.gaps.reverse();
        }
        if self.course == Course::Between && path.nodes.len() > self.depth {
            let end = path.nodes.last().copied();
            path.nodes.truncate(self.depth.saturating_sub(1));
            path.gaps.truncate(self.depth.saturating_sub(2));
            path.nodes.push(CUT);
            path.nodes.extend(end);
        }
        true
    }
}

impl Rule {
    /// Whether a row of what a path runs over is the one that a step names.
    pub(crate) fn names(&self, row: usize, span: &Range<usize>) -> bool {
        let (first, last) = (row == span.start, row + 1 == span.end);
        match self.course {
            Course::From => first,
            Course::To => last,
            Course::Between => first || last,
        }
    }
}

/// A path and who took it.
#[derive(Clone, Debug)]
pub(crate) struct PathSum {
    pub nodes: Box<[u32]>,
    /// How many journeys.
    pub journeys: u64,
    pub customers: RoaringBitmap,
    /// Those added since, ascending, which are not in the bitmap yet.
    added: Vec<u32>,
    /// The gaps of each journey, one journey after another; empty where nobody asks.
    pub gaps: Vec<i64>,
}

impl PathSum {
    /// Takes those added into the bitmap.
    fn settle(&mut self) {
        add_customers(&mut self.customers, &std::mem::take(&mut self.added));
    }
}

/// Paths with how often they occur.
#[derive(Clone, Debug, Default)]
pub(crate) struct PathTable {
    paths: HashTable<PathSum>,
    /// Bytes held, about.
    pub bytes: u64,
}

/// FNV-1a (Fowler, Noll and Vo) over whole nodes. The end is mixed once more,
/// for tables use both ends of a hash.
fn hash(nodes: &[u32]) -> u64 {
    let mixed = nodes.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, &node| {
        (hash ^ u64::from(node)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

impl PathTable {
    fn sum(&mut self, nodes: &[u32]) -> &mut PathSum {
        let entry = self.paths.entry(hash(nodes), |sum| *sum.nodes == *nodes, |sum| hash(&sum.nodes));
        match entry {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.bytes += PATH_BYTES + NODE_BYTES * nodes.len() as u64;
                let customers = RoaringBitmap::new();
                let nodes = nodes.into();
                entry
                    .insert(PathSum { nodes, journeys: 0, customers, added: Vec::new(), gaps: Vec::new() })
                    .into_mut()
            }
        }
    }

    /// Adds the path of one journey of a customer (`None` where nobody asks
    /// for them, and else ascending), with its gaps where they are asked for.
    pub(crate) fn add(&mut self, path: &Path, customer: Option<u32>, with_gaps: bool) {
        let sum = self.sum(&path.nodes);
        sum.journeys += 1;
        let mut bytes = 0;
        if let Some(customer) = customer
            && sum.added.last() != Some(&customer)
        {
            sum.added.push(customer);
            bytes += CUSTOMER_BYTES;
        }
        if with_gaps {
            sum.gaps.extend(&path.gaps);
            bytes += GAP_BYTES * path.gaps.len() as u64;
        }
        self.bytes += bytes;
    }

    /// Adds what another table has; `rename` answers the number that a node
    /// (without the 1) has here.
    pub(crate) fn merge(&mut self, other: Self, rename: impl Fn(u32) -> u32) {
        for mut more in other.paths {
            more.settle();
            for node in &mut more.nodes {
                if !matches!(*node, UNKNOWN | CUT) {
                    *node = rename(*node - 1).saturating_add(1);
                }
            }
            let sum = self.sum(&more.nodes);
            sum.journeys += more.journeys;
            sum.settle();
            let before = sum.customers.len();
            sum.customers |= more.customers;
            let bytes = CUSTOMER_BYTES * (sum.customers.len() - before) + GAP_BYTES * more.gaps.len() as u64;
            if sum.gaps.is_empty() {
                sum.gaps = more.gaps;
            } else {
                sum.gaps.extend(more.gaps);
            }
            self.bytes += bytes;
        }
    }

    /// The paths, in no order.
    pub(crate) fn into_paths(self) -> Vec<PathSum> {
        let settled = |mut sum: PathSum| {
            sum.settle();
            sum
        };
        self.paths.into_iter().map(settled).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// A row: node, milliseconds since the row before, class.
    type Row = (u32, i64, u64);

    /// The path by its definition: cut out the part, group the runs, cut to the depth.
    fn slow(rule: Rule, rows: &[Row]) -> Option<Path> {
        let mut at = 0;
        let rows: Vec<(u32, i64, u64)> = rows
            .iter()
            .map(|&(node, gap, class)| {
                at += gap;
                (node, at, class)
            })
            .collect();
        let place = |bit: u64, from: usize| (from..rows.len()).find(|&row| rows[row].2 & bit != 0);
        let (first, last, named) = match rule.course {
            Course::From => {
                let first = place(1, 0)?;
                (first, rows.len() - 1, vec![first])
            }
            Course::To => {
                let last = (0..rows.len()).rev().find(|&row| rows[row].2 & 1 != 0)?;
                (0, last, vec![last])
            }
            Course::Between => {
                let first = place(1, 0)?;
                let last = place(2, first + 1)?;
                (first, last, vec![first, last])
            }
        };
        // Runs: node, first and last time.
        let mut runs: Vec<(u32, i64, i64)> = Vec::new();
        for (row, &(node, at, _)) in rows.iter().enumerate().take(last + 1).skip(first) {
            if node == UNKNOWN && !named.contains(&row) {
                continue;
            }
            match runs.last_mut() {
                Some(run) if rule.collapse && run.0 == node => run.2 = at,
                _ => runs.push((node, at, at)),
            }
        }
        let whole = runs.len();
        let cut = rule.course == Course::Between && whole > rule.depth;
        let kept: Vec<(u32, i64, i64)> = match rule.course {
            Course::From => runs.iter().take(rule.depth).copied().collect(),
            Course::To => runs.iter().skip(whole.saturating_sub(rule.depth)).copied().collect(),
            Course::Between if cut => runs.iter().take(rule.depth - 1).copied().collect(),
            Course::Between => runs.clone(),
        };
        let mut nodes: Vec<u32> = kept.iter().map(|run| run.0).collect();
        if cut {
            nodes.extend([CUT, runs[whole - 1].0]);
        }
        let gaps = kept.windows(2).map(|pair| pair[1].1 - pair[0].2).collect();
        Some(Path { nodes, gaps, span: first..last + 1 })
    }

    fn rule() -> impl Strategy<Value = Rule> {
        let course = prop::sample::select(vec![Course::From, Course::To, Course::Between]);
        (course, 1..6_usize, any::<bool>()).prop_map(|(course, depth, collapse)| Rule {
            course,
            depth,
            collapse,
        })
    }

    fn fast(rule: Rule, rows: &[Row]) -> Option<Path> {
        let (mut at, mut path) = (0, Path::default());
        let nodes: Vec<u32> = rows.iter().map(|row| row.0).collect();
        let times: Vec<i64> = rows
            .iter()
            .map(|row| {
                at += row.1;
                at
            })
            .collect();
        let classes: Vec<u64> = rows.iter().map(|row| row.2).collect();
        rule.path(&nodes, &times, &classes, &mut path).then_some(path)
    }

    #[test]
    fn paths_of_small_journeys() {
        let check = |course, depth, collapse, nodes: &[u32], gaps: &[i64]| {
            // Node 9 at the step itself; the second row has no value, the fourth repeats the third.
            let rows = [(9, 0, 1), (0, 5, 0), (2, 1, 0), (2, 10, 0), (7, 100, 2), (3, 1000, 1)];
            let found = fast(Rule { course, depth, collapse }, &rows).map(|path| (path.nodes, path.gaps));
            assert_eq!(found, Some((nodes.to_vec(), gaps.to_vec())), "{course:?} {depth}");
        };
        check(Course::From, 9, false, &[9, 2, 2, 7, 3], &[6, 10, 100, 1000]);
        check(Course::From, 9, true, &[9, 2, 7, 3], &[6, 100, 1000]);
        check(Course::From, 2, true, &[9, 2], &[6]);
        check(Course::To, 2, true, &[7, 3], &[1000]);
        check(Course::To, 4, true, &[9, 2, 7, 3], &[6, 100, 1000]);
        check(Course::Between, 9, true, &[9, 2, 7], &[6, 100]);
        check(Course::Between, 3, false, &[9, 2, CUT, 7], &[6]);
        check(Course::Between, 1, false, &[CUT, 7], &[]);
        assert_eq!(fast(Rule { course: Course::From, depth: 3, collapse: false }, &[(1, 0, 0)]), None);
        assert_eq!(fast(Rule { course: Course::From, depth: 3, collapse: false }, &[]), None);
    }

    proptest! {
        #[test]
        fn paths_are_those_of_the_definition(
            rule in rule(),
            rows in prop::collection::vec((0..4_u32, 0..5_i64, 0..4_u64), 0..14),
        ) {
            prop_assert_eq!(fast(rule, &rows), slow(rule, &rows));
        }

        #[test]
        fn tables_count_and_merge(
            paths in prop::collection::vec((prop::collection::vec(0..4_u32, 1..4), 0..5_u32), 0..30),
            cut in 0..30_usize,
        ) {
            let path = |nodes: &[u32]| {
                let gaps = nodes[1..].iter().map(|&node| i64::from(node)).collect();
                Path { nodes: nodes.to_vec(), gaps, span: 0..0 }
            };
            // The second table numbers nodes 0 to 2 the other way round.
            let swapped = |node: u32| if node == UNKNOWN { node } else { 4 - node };
            let (mut one, mut other, mut whole) = (PathTable::default(), PathTable::default(), PathTable::default());
            let mut expected: BTreeMap<Vec<u32>, (u64, BTreeSet<u32>, Vec<i64>)> = BTreeMap::new();
            // Customers come in ascending order.
            let mut paths = paths;
            paths.sort_by_key(|path| path.1);
            for (place, (nodes, customer)) in paths.iter().enumerate() {
                let made = path(nodes);
                whole.add(&made, Some(*customer), true);
                if place < cut {
                    one.add(&made, Some(*customer), true);
                } else {
                    let renamed = nodes.iter().map(|&node| swapped(node)).collect();
                    other.add(&Path { nodes: renamed, ..made.clone() }, Some(*customer), true);
                }
                let sum = expected.entry(nodes.clone()).or_default();
                sum.0 += 1;
                sum.1.insert(*customer);
                sum.2.extend(made.gaps);
            }
            one.merge(other, |node| 2 - node);
            prop_assert_eq!(one.bytes, whole.bytes);
            let told = |table: PathTable| -> BTreeMap<Vec<u32>, (u64, BTreeSet<u32>, Vec<i64>)> {
                let one = |sum: PathSum| (sum.nodes.to_vec(), (sum.journeys, sum.customers.iter().collect(), sum.gaps));
                table.into_paths().into_iter().map(one).collect()
            };
            prop_assert_eq!(told(one), expected.clone());
            prop_assert_eq!(told(whole), expected);
        }
    }
}
