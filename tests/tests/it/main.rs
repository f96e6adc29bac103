//! The tests that cross crates, as one binary.

mod agreement;
mod choice;
mod cohorts;
mod conformance;
mod crash;
mod damage;
mod differential;
mod exports;
mod funnels;
mod golden;
mod kill;
mod pruning;
mod random_queries;
mod real_data;
mod reference;
mod repair;
mod tidy;
mod why_not;
