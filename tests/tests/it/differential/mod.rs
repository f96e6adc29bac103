//! The engine against the reference, over random small histories that reach
//! the store by random roads, on one thread and on several.
//!
//! The ordinary run compares 20,000 pairs of a history and a query and more
//! (`compare::SHARES`); `THROUGHLINE_LONG=1` asks for a longer one, and
//! `PROPTEST_CASES` for a number of histories a test.

mod as_of;
mod chains;
pub(crate) mod compare;
mod fcr;
mod flows;
mod funnels;
mod graphs;
pub(crate) mod history;
mod maps;
mod matches;
mod options;
mod patterns;
