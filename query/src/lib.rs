//! Throughline: an embedded graph database for customer journeys.
//!
//! The query language, its planner and its kernels, over the durable journey
//! graph of [`engine`], which is re-exported: the one crate an application adds.
//!
//! Modules, in reading order:

#![forbid(unsafe_code)]

pub use throughline_engine as engine;

pub mod diagnostics;
pub mod limits;
pub mod time;
pub mod value;

pub mod syntax;

mod rows;

mod kernels;
mod plan;
mod sets;

pub mod answer;
pub mod builder;
mod db;
mod error;
mod explain;
mod run;

pub use answer::Answer;
pub use db::Db;
pub use diagnostics::Diagnostic;
pub use error::QueryError;
pub use rows::{RowColumn, RowSchema, RowType};
pub use run::{QueryOptions, execute, execute_with};
pub use syntax::parse;
pub use value::{Params, Value};

/// The README's example, compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
