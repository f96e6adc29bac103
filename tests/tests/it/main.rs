//! The tests that cross crates, as one binary.

mod conformance;
mod differential;
mod golden;
mod real_data;
mod tidy;
