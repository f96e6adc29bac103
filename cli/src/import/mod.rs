//! Importing: sources, what their columns become, refused rows, the run.

mod amendments;
mod command;
mod conversion;
mod delimited;
mod infer;
mod intake;
mod jsonl;
mod links;
mod mapping;
mod parquet;
mod record;
mod rejects;
mod run;
mod source;
mod taking;
mod values;

pub(crate) use amendments::amend;
pub(crate) use command::{check_readable, default_rejects, import_plain, read_map};
pub(crate) use mapping::guards::written as guards_written;
pub(crate) use run::{Plan, import};

#[cfg(test)]
mod tests;
