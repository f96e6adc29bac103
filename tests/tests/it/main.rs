//! The tests that cross crates, as one binary.

mod differential;
mod golden;
mod tidy;
