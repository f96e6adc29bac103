//! Shared pieces of the cross-crate tests.

pub mod binary;
pub mod facts;
pub mod golden;
pub mod ledger;
pub mod reference;
pub mod sources;
pub mod store;
pub mod table;
pub mod text;
