use super::*;

const HOUR: i64 = 3_600_000;

/// Letters that can fill a step.
fn step(letters: &'static str) -> (Step, &'static str) {
    let step =
        Step { min: 1, max: Some(1), adjacent: false, edge: Edge::default(), after: Vec::new(), names: 0 };
    (step, letters)
}

fn repeated(letters: &'static str, min: u32, max: Option<u32>) -> (Step, &'static str) {
    let (step, letters) = step(letters);
    (Step { min, max, ..step }, letters)
}

fn joined(letters: &'static str, edge: Edge) -> (Step, &'static str) {
    let (step, letters) = step(letters);
    (Step { edge, ..step }, letters)
}

/// A pattern over letters.
struct Pattern {
    rule: Rule,
    steps: Vec<&'static str>,
    marks: Vec<&'static str>,
}

impl Pattern {
    fn new(steps: Vec<(Step, &'static str)>, marks: Vec<&'static str>) -> Self {
        let (steps, letters) = steps.into_iter().unzip();
        let rule = Rule { steps, right_edge: i64::MAX, left_edge: i64::MIN, ..Rule::default() };
        Self { rule, steps: letters, marks }
    }

    /// One letter an interaction, a second apart.
    fn on<T>(&self, journey: &str, ask: impl FnOnce(&mut Matcher, &Rows<'_>) -> T) -> T {
        let times: Vec<i64> = (0..journey.len() as i64).map(|row| row * 1000).collect();
        self.at(journey, &times, ask)
    }

    fn at<T>(&self, journey: &str, times: &[i64], ask: impl FnOnce(&mut Matcher, &Rows<'_>) -> T) -> T {
        let codes = |of: &[&str]| -> Vec<u64> {
            let bits = |letter: char| {
                of.iter()
                    .enumerate()
                    .filter(move |(_, letters)| letters.contains(letter))
                    .map(|(bit, _)| 1 << bit)
            };
            journey.chars().map(|letter| bits(letter).sum()).collect()
        };
        let (classes, marks) = (codes(&self.steps), codes(&self.marks));
        let rows = Rows { times, classes: &classes, marks: &marks, starts: None, keys: &[] };
        ask(&mut Matcher::new(self.rule.clone()), &rows)
    }

    fn depth(&self, journey: &str) -> usize {
        self.on(journey, |matcher, rows| deepest(matcher, rows).depth)
    }

    fn matches(&self, journey: &str, which: Which) -> Vec<Vec<u32>> {
        self.on(journey, |matcher, rows| matches(matcher, rows, None, which).0)
    }

    /// (first row, one past the last, depth, complete) of every entry.
    fn entries(&self, journey: &str) -> Vec<(u32, u32, usize, bool)> {
        self.on(journey, entries)
    }
}

fn deepest(matcher: &mut Matcher, rows: &Rows<'_>) -> Found {
    let mut found = Found::default();
    matcher.deepest(rows, None, &mut found).expect("few states");
    found
}

fn entries(matcher: &mut Matcher, rows: &Rows<'_>) -> Vec<(u32, u32, usize, bool)> {
    let mut all = Vec::new();
    matcher
        .attempts(rows, None, |found, range| all.push((range.start, range.end, found.depth, found.complete)))
        .expect("few states");
    all
}

fn matches(
    matcher: &mut Matcher,
    rows: &Rows<'_>,
    joint: Option<&dyn Joint>,
    which: Which,
) -> (Vec<Vec<u32>>, bool) {
    let mut all = Vec::new();
    let tally = matcher
        .matches(rows, joint, which, |found| all.push(found.rows.iter().map(|place| place.0).collect()))
        .expect("few states");
    assert_eq!(tally.matches, all.len());
    (all, tally.early)
}

fn abc() -> Pattern {
    Pattern::new(vec![step("A"), step("B"), step("C")], vec![])
}

fn strict(mut pattern: Pattern) -> Pattern {
    for step in &mut pattern.rule.steps {
        step.adjacent = true;
        step.edge.next = true;
    }
    pattern
}

fn no(mark: u32) -> Edge {
    Edge { no: 1 << mark, ..Edge::default() }
}

#[test]
fn the_conformance_cases_of_funnels() {
    let mut hour = abc();
    hour.rule.within = Some(HOUR);
    let times = [0, HOUR / 2, HOUR * 3 / 4, HOUR * 5 / 4];
    assert_eq!(hour.at("AABC", &times, deepest).depth, 3);
    assert_eq!(hour.at("AABC", &times, entries), [(0, 4, 3, true)]);
    hour.rule.anchor_first = true;
    assert_eq!(hour.at("AABC", &times, deepest).depth, 2);
    let entries = hour.at("AABC", &times, entries);
    assert_eq!(entries, [(0, 3, 2, false)]);

    let journeys = ["ABC", "ADBC", "AABBCC", "AAAABBCC", "AABBDCC", "BBCCAA"];
    let depths = |pattern: Pattern| journeys.map(|journey| pattern.depth(journey));
    assert_eq!(depths(abc()), [3, 3, 3, 3, 3, 1]);
    assert_eq!(depths(strict(abc())), [3, 1, 2, 2, 2, 1]);
    assert_eq!(abc().depth("ABAC"), 3);

    let mut ab = Pattern::new(vec![step("A"), step("B")], vec![]);
    assert_eq!(ab.at("AB", &[9, 9], deepest).depth, 2);
    assert_eq!(ab.at("BA", &[9, 9], deepest).depth, 1);
    ab.rule.simultaneous = Some(1000);
    assert_eq!(ab.at("AB", &[9, 9], deepest).depth, 2);
    assert_eq!(ab.at("BA", &[9, 9], deepest).rows, [(1, 0), (0, 1)]);
}

#[test]
fn the_conformance_cases_of_entries() {
    let excluded = Pattern::new(vec![step("A"), joined("B", no(0))], vec!["A"]);
    assert_eq!(excluded.entries("AAAB"), [(0, 1, 1, false), (1, 2, 1, false), (2, 4, 2, true)]);
    let st = Pattern::new(vec![step("S"), step("T")], vec![]);
    assert_eq!(st.entries("SSSST"), [(0, 5, 2, true)]);
    assert_eq!(st.entries("TSTTST"), [(1, 3, 2, true), (4, 6, 2, true)]);
}

#[test]
fn the_conformance_cases_of_matches() {
    let axad = Pattern::new(vec![step("A"), joined("D", no(0))], vec!["X"]);
    assert_eq!(axad.matches("AXAD", Which::All), [[2, 3]]);
    let abxbc = Pattern::new(vec![step("A"), step("B"), joined("C", no(0))], vec!["X"]);
    assert_eq!(abxbc.matches("ABXBC", Which::First), [[0, 3, 4]]);

    let absence = Absence { mark: 0, within: HOUR, names: 0 };
    let (a, letters) = step("A");
    let mut silent = Pattern::new(vec![(Step { after: vec![absence], ..a }, letters)], vec!["B"]);
    silent.rule.right_edge = HOUR / 2;
    let (found, early) = silent.on("A", |matcher, rows| matches(matcher, rows, None, Which::First));
    assert!(found.is_empty() && early);
    let open = silent.on("A", deepest);
    assert_eq!((open.depth, open.absences, open.complete, open.pending), (1, 0, false, true));
    silent.rule.right_edge = 2 * HOUR;
    assert_eq!(silent.matches("A", Which::First), [[0]]);
    assert_eq!(silent.matches("AB", Which::First), Vec::<Vec<u32>>::new());

    /// Scores that must fall.
    struct Falling<'a>(&'a [i64]);
    impl Joint for Falling<'_> {
        fn fills(&self, _: usize, row: u32, chosen: &[Option<u32>]) -> bool {
            chosen[0].is_some_and(|before| self.0[row as usize] < self.0[before as usize])
        }
        fn marked(&self, _: u32, _: u32, _: &[Option<u32>]) -> bool {
            false
        }
    }
    let (b, letters) = joined("x", Edge { next: true, ..Edge::default() });
    let falling = Pattern::new(vec![step("x"), (Step { names: 1, ..b }, letters)], vec![]);
    let count = |which| {
        falling.on("xxx", |matcher, rows| matches(matcher, rows, Some(&Falling(&[5, 3, 1])), which).0.len())
    };
    assert_eq!((count(Which::All), count(Which::Each)), (1, 2));
}

#[test]
fn repetitions_take_what_their_bounds_allow() {
    let all = Pattern::new(vec![repeated("A", 1, None), step("B")], vec![]);
    assert_eq!(all.matches("AAXAB", Which::First), [[0, 1, 3, 4]]);
    let two = Pattern::new(vec![step("A"), repeated("B", 1, Some(2))], vec![]);
    assert_eq!(two.matches("AXBBB", Which::First), [[0, 2, 3]]);
    let optional = Pattern::new(vec![step("A"), repeated("B", 0, Some(1)), step("C")], vec![]);
    assert_eq!(optional.matches("ABACAC", Which::First), [[0, 1, 3]]);
    assert_eq!(optional.matches("ACAC", Which::All), [[0, 1], [2, 3]]);
    let ends = Pattern::new(vec![step("A"), repeated("B", 0, None)], vec![]);
    assert_eq!(ends.matches("ABAB", Which::First), [[0, 1, 3]]);
    assert_eq!(ends.matches("ABAB", Which::Last), [[2, 3]]);
}

#[test]
fn large_repetitions_do_not_grow_with_their_bounds() {
    let journey = "A".repeat(300);
    let all = Pattern::new(vec![repeated("A", 2, Some(10_000))], vec![]);
    assert_eq!(all.matches(&journey, Which::First), [(0..300).collect::<Vec<u32>>()]);
    let many = Pattern::new(vec![repeated("A", 10_000, Some(10_000))], vec![]);
    assert!(many.matches(&journey, Which::First).is_empty());
    let some = Pattern::new(vec![repeated("A", 100, Some(100))], vec![]);
    assert_eq!(some.matches(&journey, Which::All).len(), 3);
}

#[test]
fn what_would_take_too_long_is_given_up() {
    struct Never;
    impl Joint for Never {
        fn fills(&self, _: usize, _: u32, _: &[Option<u32>]) -> bool {
            false
        }
        fn marked(&self, _: u32, _: u32, _: &[Option<u32>]) -> bool {
            false
        }
    }
    let (b, letters) = step("A");
    let joint = Pattern::new(vec![step("A"), (Step { names: 1, ..b }, letters)], vec![]);
    let give_up = |rows: usize| {
        joint
            .on(&"A".repeat(rows), |matcher, rows| matcher.deepest(rows, Some(&Never), &mut Found::default()))
    };
    // Every pair of rows is looked at once.
    assert_eq!(give_up(5793), Ok(true));
    assert_eq!(give_up(5794), Err(TooMany));
}

#[test]
fn an_attempt_says_what_it_waits_for() {
    let mut ab = Pattern::new(vec![step("A"), joined("B", Edge { high: Some(1500), ..no(0) })], vec!["X"]);
    ab.rule.within = Some(10_000);
    let asked = |journey: &str| {
        ab.on(journey, |matcher, rows| {
            let found = deepest(matcher, rows);
            (found.depth, matcher.deadline(rows, &found), matcher.has_ended(rows, None, &found))
        })
    };
    assert_eq!(asked("A"), (1, Some(1500), false));
    assert_eq!(asked("AA"), (1, Some(2500), false));
    assert_eq!(asked("AX"), (1, Some(1500), true));
    assert_eq!(asked("XA"), (1, Some(2500), false));
    assert_eq!(asked("AB"), (2, None, false));
    let next = strict(Pattern::new(vec![step("A"), step("B")], vec![]));
    let ended = |journey: &str| {
        next.on(journey, |matcher, rows| {
            let found = deepest(matcher, rows);
            matcher.has_ended(rows, None, &found)
        })
    };
    assert_eq!((ended("A"), ended("AX"), ended("AXA")), (false, true, false));
}

/// What waits for an absence ends where the step behind it cannot come any more.
#[test]
fn an_attempt_that_waits_for_an_absence_waits_for_the_step_behind_it() {
    let mut ab =
        Pattern::new(vec![step("A"), joined("B", Edge { high: Some(1500), ..no(1) })], vec!["Y", "X"]);
    ab.rule.right_edge = 3_000;
    ab.rule.steps[0].after.push(Absence { mark: 0, within: 9_000, names: 0 });
    let asked = |journey: &str| {
        ab.on(journey, |matcher, rows| {
            let found = deepest(matcher, rows);
            (found.pending, matcher.deadline(rows, &found), matcher.has_ended(rows, None, &found))
        })
    };
    assert_eq!(asked("A"), (true, Some(1500), false));
    assert_eq!(asked("AX"), (true, Some(1500), true));
    assert_eq!(asked("AY"), (false, Some(1500), true));
}
