//! From text to tree: tokens, the tree with places, the parser, the formatter.

pub mod ast;
pub mod words;

pub(crate) mod chain;
mod format;
mod lexer;
mod parser;

pub use format::{format, format_expression, format_operator};
pub use lexer::split_statements;
pub use parser::parse;
#[cfg(test)]
pub(crate) use parser::parse_without_places;
pub(crate) use parser::{parse_customers, parse_predicate};

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod random_trees;
#[cfg(test)]
mod tests;
