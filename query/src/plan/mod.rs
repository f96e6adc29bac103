//! From tree to rows: names resolved, journeys narrowed, kernels run.

pub(crate) mod cells;
pub(crate) mod flow;
pub(crate) mod identity;
pub(crate) mod inflow;
pub(crate) mod interaction;
pub(crate) mod nodes;
pub(crate) mod operator;
pub(crate) mod params;
pub(crate) mod pattern;
pub(crate) mod predicate;
pub(crate) mod spans;
pub(crate) mod split;
pub(crate) mod steps;
pub(crate) mod truth;
pub(crate) mod units;
pub(crate) mod unsupported;

pub(crate) mod chains;
pub(crate) mod fcr;
pub(crate) mod funnel;
pub(crate) mod graph;
pub(crate) mod interactions;
pub(crate) mod map;
pub(crate) mod matching;
pub(crate) mod paths;

pub(crate) mod as_of;
pub(crate) mod compile;
pub(crate) mod corrections;
pub(crate) mod customers;
pub(crate) mod index;
pub(crate) mod links;
pub(crate) mod missing;
