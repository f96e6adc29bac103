//! Shared pieces of the cross-crate tests.

pub mod reference;
pub mod sources;
