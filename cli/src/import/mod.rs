//! Importing: sources, what their columns become, refused rows, the run.

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

pub(crate) use mapping::Mapping;
pub(crate) use run::{Plan, import};
