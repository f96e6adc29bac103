//! Every bound of the language, with its unit in its name.

/// Most steps of a funnel: a class code has a bit for each.
pub const FUNNEL_STEPS_MAX: usize = 64;
/// Most attributes after `SAME` or `MAP BY`.
pub const KEYS_MAX: usize = 8;
/// Most queries inside queries (`FOR IN (query)`).
pub const QUERY_DEPTH_MAX: usize = 16;
/// Most threads a query runs on.
pub const THREADS_MAX: usize = 256;
