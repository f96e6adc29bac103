//! Throughline: an embedded graph database for customer journeys.

pub use throughline_engine as engine;

pub mod diagnostics;
pub mod syntax;
pub mod value;

mod rows;

#[allow(dead_code)]
mod kernels;
pub mod limits;

#[allow(dead_code)]
mod plan;
