//! Throughline: an embedded graph database for customer journeys.

pub use throughline_engine as engine;

pub mod diagnostics;
pub mod limits;
pub mod syntax;
pub mod time;

mod rows;
