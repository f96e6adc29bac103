//! Importing: sources, what their columns become, refused rows, the run.

mod amendments;
mod command;
mod conversion;
mod delimited;
mod infer;
mod intake;
mod jsonl;
mod mapping;
mod parquet;
mod record;
mod rejects;
mod run;
mod source;
mod values;

pub(crate) use amendments::amend;
pub(crate) use command::{check_readable, default_rejects, import_plain, read_map};
pub(crate) use run::{Plan, import};

#[cfg(test)]
mod tests;
