//! Limits of the query language, in one place, with units in their names.

/// Bytes of one statement's text.
pub const QUERY_TEXT_BYTES_MAX: usize = 1 << 20;

/// Operators of one query, those of queries inside it apart.
pub const QUERY_OPERATORS_MAX: usize = 1_000;

/// Columns that rows may have after EXTEND, SELECT or AGGREGATE.
pub const ROW_COLUMNS_MAX: usize = 4_096;

/// Levels of brackets, `NOT` and minus signs, subqueries and `CASE` inside one another.
///
/// The parser recurses that often, so the limit is also what bounds its stack.
pub const NESTING_LEVELS_MAX: u32 = 64;

/// Levels of an expression's tree. A chain of `+` is as deep as it is long;
/// chains of `AND` and of `OR` are built balanced and stay shallow.
pub const EXPRESSION_LEVELS_MAX: u32 = 256;

/// Errors reported for one text; what follows is likely noise.
pub const QUERY_ERRORS_MAX: usize = 10;

/// Repetitions that a quantifier may write (`{n,m}`).
pub const REPETITIONS_MAX: u32 = 10_000;

/// Most steps of a pattern, alternatives counted one by one: a class code has a bit for each.
pub const PATTERN_STEPS_MAX: usize = 64;

/// Most times NO and NOT in a pattern: a mark has a bit for each.
pub const PATTERN_MARKS_MAX: usize = 64;

/// States that the search for a match may look at in one journey: of patterns
/// with predicates over several steps, `SIMULTANEOUS`, or large repetitions.
pub const MATCH_STATES_MAX: usize = 1 << 24;

/// Most attributes after `SAME` or `MAP BY`.
pub const KEYS_MAX: usize = 8;

/// Most threads a query runs on.
pub const THREADS_MAX: usize = 256;
