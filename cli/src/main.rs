//! The `throughline` command.

mod args;
mod civil;
mod failure;
mod files;
mod generate;
mod import;
mod people;
mod progress;
mod render;

fn main() {}
