//! From text to tree: tokens, the tree with places, the parser, the formatter.

pub mod ast;
pub mod words;

mod chain;
mod format;
mod lexer;
mod parser;

pub use format::{format, format_expression, format_operator};
pub use lexer::split_statements;
pub use parser::parse;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;
