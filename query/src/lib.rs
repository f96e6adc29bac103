//! Throughline: an embedded graph database for customer journeys.

pub use throughline_engine as engine;

pub mod diagnostics;
pub mod syntax;

mod rows;
