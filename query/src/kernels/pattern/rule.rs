//! What a pattern asks for, in numbers: steps and marks are bits, attributes
//! are columns of codes, and whatever only expressions can tell is asked back.

#![allow(dead_code, reason = "the matcher and its callers come next")]

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
    /// Some predicate names another step: [`Joint`] is asked.
    pub joint: bool,
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
    /// On the way from the last row of the step taken before; ignored for the first.
    pub edge: Edge,
    /// What must not come after its last row.
    pub after: Vec<Absence>,
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
    /// Both ends are equal and not 0 in these of [`Rows::keys`].
    pub same: Vec<usize>,
    /// No row between has any of these marks.
    pub no: u64,
}

/// Something that must not come within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Absence {
    /// The number of its mark.
    pub mark: u32,
    /// The deadline, in milliseconds from the step, inclusive.
    pub within: i64,
}

/// The rows of one journey that are in sight, in total order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    /// Times in milliseconds, ascending.
    pub times: &'a [i64],
    /// Bit k: the row can fill step k, as far as it alone decides.
    pub classes: &'a [u64],
    /// Bit m: the row is what mark m stands for. Empty where there are no marks.
    pub marks: &'a [u64],
    /// The rows at which a match may start; `None` for all.
    pub starts: Option<&'a [bool]>,
    /// Codes of attributes, 0 for NULL: `keys[k][row]`.
    pub keys: &'a [&'a [u32]],
}

/// Predicates that name other steps.
pub(crate) trait Joint {
    /// Whether `row` fills `step` after the rows chosen for the steps before
    /// it (the last of each; `None` where a step was skipped).
    fn fills(&self, step: usize, row: u32, chosen: &[Option<u32>]) -> bool;

    /// Whether `row` is what `mark` stands for, beside the rows chosen so far.
    fn marked(&self, mark: u32, row: u32, chosen: &[Option<u32>]) -> bool;
}

/// A match, or an attempt at one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The rows and the steps they fill, in the order of the steps.
    pub rows: Vec<(u32, u32)>,
    /// Steps passed: one past the last required step that was reached, or all
    /// where the match is complete. Absences after the last one are apart.
    pub depth: usize,
    /// How many of the absences after the last step passed hold, from the first on.
    pub absences: usize,
    /// Whether every step and absence is satisfied.
    pub complete: bool,
    /// Whether the first absence that does not hold is only too early to tell.
    pub pending: bool,
}
