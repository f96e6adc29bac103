//! From tree to answer: names resolved, journeys read, kernels run.

pub(crate) mod flow;
pub(crate) mod truth;
pub(crate) mod units;
