//! The `throughline` command.

mod civil;
mod failure;
mod files;
mod import;
mod people;
mod progress;

fn main() {}
