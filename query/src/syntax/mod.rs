//! From text to tree: tokens, the tree with places, the parser, the formatter.

pub mod ast;
