//! What a pattern asks for, in numbers: steps and marks are bits, attributes
//! are columns of codes, and whatever only expressions can tell is asked back.

/// A pattern over class codes. At most 64 steps and 64 marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The steps in order.
    pub steps: Vec<Step>,
    /// Longest match from its first row, in milliseconds, inclusive.
    pub within: Option<i64>,
    /// How much earlier than the step before a step may come, in milliseconds.
    pub simultaneous: Option<i64>,
    /// The steps may come in any order; they have no edges, repetitions or absences then.
    pub any_order: bool,
    /// Only the first row that can start an attempt does.
    pub anchor_first: bool,
    /// What must not have come before the first row.
    pub before: Vec<Absence>,
    /// No absence is claimed where its deadline does not lie before this.
    pub right_edge: i64,
    /// No absence before a row is claimed where it reaches back to this or further.
    pub left_edge: i64,
}

/// A step: what may fill it is in the class codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Fewest rows; 0 where it may be skipped.
    pub min: u32,
    /// Most rows; `None` for no bound.
    pub max: Option<u32>,
    /// Repetitions follow each other directly.
    pub adjacent: bool,
    /// On the way from the last row of the step taken before; ignored for the
    /// first step taken.
    pub edge: Edge,
    /// What must not come after its last row; where the step is skipped, after
    /// the last row of the step taken before it.
    pub after: Vec<Absence>,
    /// Bit k: its predicate names the earlier step k, and [`Joint::fills`] is
    /// asked. A step that is named has no repetitions. Never set with `any_order`.
    pub names: u64,
}

/// On the way from one step to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edge {
    /// Nothing lies between.
    pub next: bool,
    /// Shortest gap, in milliseconds, inclusive.
    pub low: Option<i64>,
    /// Longest gap, in milliseconds, inclusive.
    pub high: Option<i64>,
    /// Both ends are equal and not 0 in this one of [`Rows::keys`].
    pub same: Option<usize>,
    /// No row between has any of these marks.
    pub no: u64,
    /// Bit k: what may not lie between names the earlier step k, and
    /// [`Joint::marked`] is asked.
    pub names: u64,
}

/// Something that must not come within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Absence {
    /// The number of its mark.
    pub mark: u32,
    /// The deadline, in milliseconds from the step, inclusive.
    pub within: i64,
    /// Bit k: it names the earlier step k, and [`Joint::marked`] is asked.
    pub names: u64,
}

/// The rows of one journey that are in sight, in total order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    /// Times in milliseconds, ascending.
    pub times: &'a [i64],
    /// Bit k: the row can fill step k, as far as it alone decides.
    pub classes: &'a [u64],
    /// Bit m: the row is what mark m stands for, as far as it alone decides.
    /// Empty where there are no marks.
    pub marks: &'a [u64],
    /// The rows at which a match may start; `None` for all.
    pub starts: Option<&'a [bool]>,
    /// Codes of what SAME compares, 0 where any of it is NULL: `keys[k][row]`.
    pub keys: &'a [&'a [u32]],
}

/// Predicates that name other steps. `chosen` has one place a step: the row
/// that fills it, `None` where the step was skipped. Only the places of steps
/// that the predicate names are sure to be filled in.
pub(crate) trait Joint {
    /// Whether `row`, which can fill `step` by its class, does beside `chosen`.
    fn fills(&self, step: usize, row: u32, chosen: &[Option<u32>]) -> bool;

    /// Whether `row`, which has `mark`, is what it stands for beside `chosen`.
    fn marked(&self, mark: u32, row: u32, chosen: &[Option<u32>]) -> bool;
}

/// A match, or an attempt at one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// (row, step), in the order of the steps; with `any_order` in that of the rows.
    pub rows: Vec<(u32, u32)>,
    /// Steps passed: one past the last required step that was reached, or all
    /// where the match is complete; with `any_order` how many were filled.
    pub depth: usize,
    /// How many of the absences that stand between the last required step
    /// reached and the next one hold, from the first on.
    pub absences: usize,
    /// Whether every step and absence is satisfied.
    pub complete: bool,
    /// Whether the first absence that does not hold is only too early to tell.
    pub pending: bool,
    /// The row at which the last required step was reached, repetitions
    /// counted up to its fewest: where a match completes.
    pub reached: u32,
}

/// Which matches of a journey are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one that completes first.
    First,
    /// The one that completes last.
    Last,
    /// From left to right, sharing no row and no stretch of rows.
    All,
    /// For every row that can start one the match that completes first.
    Each,
}

/// What came of looking for matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Matches handed on.
    pub matches: usize,
    /// There is no match, and there would be one if it were not too early to
    /// tell that something is absent.
    pub early: bool,
}

/// The search went past [`MATCH_STATES_MAX`](crate::limits::MATCH_STATES_MAX).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Rule {
    /// Whether some predicate names another step.
    pub(crate) fn is_joint(&self) -> bool {
        self.steps.iter().any(|step| {
            step.names | step.edge.names != 0 || step.after.iter().any(|absence| absence.names != 0)
        })
    }

    /// Whether something must be absent.
    pub(super) fn has_absences(&self) -> bool {
        !self.before.is_empty() || self.steps.iter().any(|step| !step.after.is_empty())
    }

    /// The first required step at or after `step`.
    pub(super) fn required_from(&self, step: usize) -> Option<usize> {
        (step..self.steps.len()).find(|&step| self.steps.get(step).is_some_and(|step| step.min > 0))
    }

    /// The absences that stand between `step` and `next`, which may be one past the last.
    pub(super) fn absences_between(&self, step: usize, next: usize) -> impl Iterator<Item = &Absence> {
        self.steps.get(step..next).unwrap_or_default().iter().flat_map(|step| &step.after)
    }
}

impl Step {
    /// The repetition that reaches the step.
    pub(super) fn fewest(&self) -> u32 {
        self.min.max(1)
    }
}

impl Edge {
    /// Whether the gap is within bounds.
    pub(super) fn allows(&self, gap: i64) -> bool {
        self.low.is_none_or(|low| gap >= low) && self.high.is_none_or(|high| gap <= high)
    }
}

impl Rows<'_> {
    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        self.times.len() as u32
    }

    /// The time of a row.
    pub(super) fn at(&self, row: u32) -> i64 {
        self.times.get(row as usize).copied().unwrap_or(i64::MAX)
    }

    /// The steps that a row can fill.
    pub(super) fn class(&self, row: u32) -> u64 {
        self.classes.get(row as usize).copied().unwrap_or(0)
    }

    /// The marks of a row.
    pub(super) fn marks_of(&self, row: u32) -> u64 {
        self.marks.get(row as usize).copied().unwrap_or(0)
    }

    /// The code of a row in a key.
    pub(super) fn key(&self, key: usize, row: u32) -> u32 {
        self.keys.get(key).and_then(|codes| codes.get(row as usize)).copied().unwrap_or(0)
    }
}
