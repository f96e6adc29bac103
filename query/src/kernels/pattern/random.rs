//! Random rules and journeys, and every answer beside the declared one.

use std::ops::Range;

use proptest::prelude::*;

use super::super::funnel;
use super::declared::Declared;
use super::*;

/// Choices made of bytes; those of 0 are the plainest, so that failures shrink.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, bound: u8) -> u8 {
        self.0.next().copied().unwrap_or(0) % bound
    }

    fn once_in(&mut self, times: u8) -> bool {
        self.below(times) == times - 1
    }

    fn option(&mut self, once_in: u8, bound: u8) -> Option<i64> {
        self.once_in(once_in).then(|| i64::from(self.below(bound)))
    }
}

/// What kinds of rule are made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Linear,
    Joint,
    Simultaneous,
    AnyOrder,
}

#[derive(Debug)]
struct Case {
    rule: Rule,
    times: Vec<i64>,
    classes: Vec<u64>,
    marks: Vec<u64>,
    starts: Option<Vec<bool>>,
    keys: [Vec<u32>; 2],
    /// The steps that what each mark stands for names.
    named: [u64; 3],
}

impl Case {
    fn new(bytes: &[u8], kind: Kind, rows_max: u8) -> Self {
        let mut pick = Choices(bytes.iter());
        let steps_max = if kind == Kind::Simultaneous { 3 } else { 4 };
        let count = usize::from(pick.below(steps_max)) + 1;
        let rows = usize::from(pick.below(rows_max + 1));
        let mut named = [0; 3];
        if kind == Kind::Joint {
            named = named.map(|_| if pick.once_in(2) { u64::from(pick.below(16)) } else { 0 });
        }
        let absence = |pick: &mut Choices<'_>, single: u64| {
            let mark = pick.below(3);
            let names = single & named[usize::from(mark)];
            Absence { mark: u32::from(mark), within: i64::from(pick.below(6)), names }
        };
        let mut steps: Vec<Step> = Vec::new();
        // The earlier steps that are not repeated, which predicates may name.
        let mut single = 0u64;
        for place in 0..count {
            let (min, max) = match kind {
                Kind::Plain | Kind::AnyOrder => (1, Some(1)),
                _ => match pick.below(12) {
                    0..=5 => (1, Some(1)),
                    6 => (0, Some(1)),
                    7 => (1, None),
                    8 => (0, None),
                    9 => (2, Some(3)),
                    10 => (2, None),
                    _ => (u32::from(pick.below(2)), Some(u32::from(pick.below(3)) + 1)),
                },
            };
            let bounded = Edge { low: pick.option(4, 4), high: pick.option(3, 6), ..Edge::default() };
            let edge = match kind {
                Kind::Plain => bounded,
                Kind::AnyOrder => Edge::default(),
                _ => {
                    let no = if pick.once_in(3) { u64::from(pick.below(8)) } else { 0 };
                    let names =
                        (0..3).filter(|mark| no >> mark & 1 == 1).fold(0, |all, mark| all | named[mark]);
                    Edge {
                        next: pick.once_in(8),
                        same: pick.once_in(5).then(|| usize::from(pick.below(2))),
                        no,
                        names: names & single,
                        ..bounded
                    }
                }
            };
            let names = match kind {
                Kind::Joint if pick.once_in(2) => single & u64::from(pick.below(16)),
                _ => 0,
            };
            single |= u64::from(max == Some(1)) << place;
            let mut after = Vec::new();
            while !matches!(kind, Kind::Plain | Kind::AnyOrder) && after.len() < 2 && pick.once_in(6) {
                after.push(absence(&mut pick, single));
            }
            let adjacent = pick.once_in(6);
            steps.push(Step { min, max, adjacent, edge, after, names });
        }
        if steps.iter().all(|step| step.min == 0)
            && let Some(step) = steps.first_mut()
        {
            step.min = 1;
        }
        let before =
            if kind != Kind::Plain && pick.once_in(8) { vec![absence(&mut pick, 0)] } else { vec![] };
        let before = before.into_iter().map(|absence| Absence { names: 0, ..absence }).collect();
        let mut at = 0;
        let mut case = Self {
            rule: Rule {
                steps,
                within: pick.option(3, 12),
                simultaneous: (kind == Kind::Simultaneous).then(|| i64::from(pick.below(3))),
                any_order: kind == Kind::AnyOrder,
                anchor_first: kind != Kind::Plain && pick.once_in(6),
                before,
                right_edge: 0,
                left_edge: -i64::from(pick.below(4)),
            },
            times: Vec::new(),
            classes: Vec::new(),
            marks: Vec::new(),
            starts: (kind != Kind::Plain && pick.once_in(6)).then(Vec::new),
            keys: [Vec::new(), Vec::new()],
            named: named.map(|names| names & single),
        };
        // Half of the journeys have at most one step a row.
        let plain = pick.once_in(2);
        for _ in 0..rows {
            at += i64::from(pick.below(4));
            case.times.push(at);
            let class = match plain {
                true => 1u64 << pick.below(5),
                false => u64::from(pick.below(16)),
            };
            case.classes.push(class & ((1 << count) - 1));
            case.marks.push(u64::from(pick.below(8)) & u64::from(pick.below(8)));
            if let Some(starts) = &mut case.starts {
                starts.push(!pick.once_in(3));
            }
            case.keys.iter_mut().for_each(|key| key.push(u32::from(pick.below(3))));
        }
        case.rule.right_edge = at + i64::from(pick.below(8));
        case
    }

    fn on<T>(&self, ask: impl FnOnce(&Rows<'_>) -> T) -> T {
        let keys: Vec<&[u32]> = self.keys.iter().map(Vec::as_slice).collect();
        ask(&Rows {
            times: &self.times,
            classes: &self.classes,
            marks: &self.marks,
            starts: self.starts.as_deref(),
            keys: &keys,
        })
    }
}

/// Says yes or no by the numbers it is asked about.
impl Joint for Case {
    fn fills(&self, step: usize, row: u32, chosen: &[Option<u32>]) -> bool {
        (sum(self.rule.steps[step].names, chosen) * 7 + row * 3 + step as u32) % 5 > 1
    }

    fn marked(&self, mark: u32, row: u32, chosen: &[Option<u32>]) -> bool {
        (sum(self.named[mark as usize], chosen) * 5 + row * 11 + mark) % 4 > 1
    }
}

fn sum(names: u64, chosen: &[Option<u32>]) -> u32 {
    (0..).zip(chosen).filter(|(step, _)| names >> step & 1 == 1).filter_map(|(_, row)| *row).sum()
}

fn check_deepest(case: &Case, matcher: &mut Matcher) {
    case.on(|rows| {
        let declared = Declared { rule: &case.rule, rows, joint: case, lenient: false };
        let mut found = Found::default();
        let any = matcher.deepest(rows, Some(case), &mut found).expect("few states");
        assert_eq!(any.then_some(&found), declared.deepest(0..rows.len(), None).as_ref(), "{case:?}");
    });
}

fn check_matches(case: &Case, matcher: &mut Matcher) {
    case.on(|rows| {
        let declared = Declared { rule: &case.rule, rows, joint: case, lenient: false };
        let expected = declared.matches();
        for (which, expected) in [Which::First, Which::Last, Which::All, Which::Each].iter().zip(expected) {
            let mut all = Vec::new();
            let tally = matcher
                .matches(rows, Some(case), *which, |found| all.push(found.clone()))
                .expect("few states");
            assert_eq!(all, expected, "{which:?} of {case:?}");
            let early = expected.is_empty()
                && Declared { lenient: true, ..declared }
                    .deepest(0..rows.len(), None)
                    .is_some_and(|found| found.complete);
            assert_eq!(tally, Tally { matches: all.len(), early }, "{which:?} of {case:?}");
        }
    });
}

fn check_attempts(case: &Case, matcher: &mut Matcher) {
    case.on(|rows| {
        let declared = Declared { rule: &case.rule, rows, joint: case, lenient: false };
        let free = Rule { anchor_first: false, ..case.rule.clone() };
        let free = Declared { rule: &free, ..declared };
        let expected: Vec<(Found, Range<u32>)> = declared
            .entries()
            .into_iter()
            .filter_map(|range| {
                let start = case.rule.anchor_first.then_some(range.start);
                Some((free.deepest(range.clone(), start)?, range))
            })
            .collect();
        let mut all = Vec::new();
        matcher
            .attempts(rows, Some(case), |found, range| all.push((found.clone(), range)))
            .expect("few states");
        assert_eq!(all, expected, "{case:?}");
    });
}

/// The linear way beside the search, in journeys too long for the declared one.
fn check_long(case: &Case, matcher: &mut Matcher) {
    case.on(|rows| {
        let ground = Ground::new(&case.rule, rows, None);
        let start = case.rule.anchor_first.then(|| ground.anchor());
        let (mut found, mut expected) = (Found::default(), Found::default());
        for goal in [Goal::Deepest, Goal::First, Goal::Last] {
            let ground = Ground { start, ..ground };
            let any = Search::new(ground, goal).run(&mut expected).expect("few states");
            let mut take = |one: &Found| found = one.clone();
            let found_any = match goal {
                Goal::Deepest => matcher.deepest(rows, None, &mut found),
                Goal::First => {
                    matcher.matches(rows, None, Which::First, &mut take).map(|tally| tally.matches > 0)
                }
                Goal::Last => {
                    matcher.matches(rows, None, Which::Last, &mut take).map(|tally| tally.matches > 0)
                }
            };
            assert_eq!(found_any, Ok(any), "{goal:?} of {case:?}");
            if any {
                assert_eq!(found, expected, "{goal:?} of {case:?}");
            }
        }
        let mut ranges = Vec::new();
        entries::entries(ground, |range| ranges.push(range)).expect("few states");
        let mut all = Vec::new();
        let linear = matcher.linear.as_mut().expect("linear");
        linear.read(&ground).expect("few positions");
        linear.entries(ground, |range| all.push(range));
        assert_eq!(all, ranges, "{case:?}");
    });
}

/// The kernel of plain funnels says the same.
fn check_funnel(case: &Case, matcher: &mut Matcher) {
    let edges = case
        .rule
        .steps
        .iter()
        .skip(1)
        .map(|step| funnel::Bounds { low: step.edge.low, high: step.edge.high });
    let rule =
        funnel::Rule { steps: case.rule.steps.len(), within: case.rule.within, edges: edges.collect() };
    let mut plain = funnel::Matcher::new(rule);
    let depth = plain.deepest(&case.times, &case.classes);
    let mut found = Found::default();
    case.on(|rows| matcher.deepest(rows, None, &mut found).expect("linear"));
    assert_eq!(found.rows.iter().map(|place| place.0).collect::<Vec<_>>(), plain.rows, "{case:?}");
    assert!(depth == 0 || found.depth == depth, "{case:?}");
}

fn check(bytes: &[u8], kind: Kind, rows_max: u8, checks: &[fn(&Case, &mut Matcher)]) {
    let case = Case::new(bytes, kind, rows_max);
    let mut matcher = Matcher::new(case.rule.clone());
    // What one journey leaves behind must not reach the next.
    let keys: [&[u32]; 2] = [&[1, 1, 1], &[2, 2, 2]];
    let rows =
        Rows { times: &[0, 1, 2], classes: &[15, 15, 15], marks: &[0, 0, 0], starts: None, keys: &keys };
    matcher.deepest(&rows, Some(&case), &mut Found::default()).expect("few states");
    for check in checks {
        check(&case, &mut matcher);
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 160)
}

/// Cases of each kind; more by the environment variable that proptest reads.
fn cases() -> ProptestConfig {
    let given = ProptestConfig::default();
    ProptestConfig { cases: if given.cases == 256 { 2000 } else { given.cases }, ..given }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn plain_patterns(bytes in bytes()) {
        check(&bytes, Kind::Plain, 9, &[check_deepest, check_matches, check_attempts]);
    }

    #[test]
    fn linear_patterns(bytes in bytes()) {
        check(&bytes, Kind::Linear, 8, &[check_deepest, check_matches]);
    }

    #[test]
    fn linear_patterns_in_entries(bytes in bytes()) {
        check(&bytes, Kind::Linear, 7, &[check_attempts]);
    }

    #[test]
    fn long_journeys(bytes in prop::collection::vec(any::<u8>(), 400)) {
        check(&bytes, Kind::Linear, 40, &[check_long]);
    }

    #[test]
    fn large_repetitions(bytes in prop::collection::vec(any::<u8>(), 300), min in 1u32..20, more in 0u32..20) {
        let mut case = Case::new(&bytes, Kind::Linear, 30);
        let max = min + more;
        if let Some(step) = case.rule.steps.last_mut() {
            (step.min, step.max) = (min, Some(if max > 30 { 10_000 } else { max }));
        }
        check_long(&case, &mut Matcher::new(case.rule.clone()));
    }

    #[test]
    fn plain_patterns_as_funnels(bytes in prop::collection::vec(any::<u8>(), 400)) {
        check(&bytes, Kind::Plain, 50, &[check_funnel]);
    }

    #[test]
    fn joint_patterns(bytes in bytes()) {
        check(&bytes, Kind::Joint, 7, &[check_deepest, check_matches, check_attempts]);
    }

    #[test]
    fn simultaneous_patterns(bytes in bytes()) {
        check(&bytes, Kind::Simultaneous, 6, &[check_deepest, check_matches]);
    }

    #[test]
    fn patterns_in_any_order(bytes in bytes()) {
        check(&bytes, Kind::AnyOrder, 7, &[check_deepest]);
    }
}
