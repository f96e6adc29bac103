//! The journey operators' inner loops: pure functions over slices, which never
//! see a string.

pub(crate) mod cells;
pub(crate) mod chains;
pub(crate) mod funnel;
pub(crate) mod keys;
mod marks;
pub(crate) mod paths;
pub(crate) mod pattern;
pub(crate) mod single;
