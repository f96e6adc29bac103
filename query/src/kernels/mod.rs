//! The journey operators' inner loops: pure functions over slices, which never
//! see a string.

pub(crate) mod chains;
pub(crate) mod funnel;
pub(crate) mod keys;
#[allow(dead_code, unused_imports, reason = "its callers come next")]
pub(crate) mod pattern;
