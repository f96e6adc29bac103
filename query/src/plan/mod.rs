//! From tree to answer: names resolved, journeys read, kernels run.

pub(crate) mod flow;
pub(crate) mod interaction;
pub(crate) mod predicate;
pub(crate) mod spans;
pub(crate) mod steps;
pub(crate) mod truth;
pub(crate) mod units;
pub(crate) mod unsupported;
