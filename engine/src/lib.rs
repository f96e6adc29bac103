//! The durable customer-journey graph behind Throughline.
//!
//! Every customer's interactions, over all channels, are kept in one total
//! order. The history (our own synced, checksummed files) is the truth; the
//! graph (segments, symbols, identities and indexes in sled) is derived from
//! it and can always be rebuilt.
//!
//! This crate knows no query text and no terminal. Modules, in reading order:

pub mod error;
pub mod limits;

pub mod guards;
pub mod model;
pub mod resolution;
pub mod schema;

pub mod block;
pub mod column;
mod string_pages;
pub mod strings;

pub mod columns;
pub mod index;
pub mod merge;
pub mod segment;

pub mod disk;
pub mod disk_sim;
pub mod graph_store;
pub mod history;

mod amendments;
mod batch;
mod cache;
mod chunks;
mod clock;
mod customers;
mod dead;
mod dedupe;
mod digest;
mod erased;
mod evidence;
mod head;
mod identities;
mod links;
mod machine;
mod manifest;
mod name_index;
mod names;
mod number_rows;
mod older;
mod options;
mod order;
mod recorded;
mod records;
mod retain;
mod retained;
mod span;
mod versions;

mod absorb;
mod backup;
mod check;
mod commit;
mod seal;
mod settle;
mod side_by_side;
mod state;
mod tail;
mod tallies;
mod ties;
mod written;

mod db;
pub mod graph;
mod import;
mod snapshot;
mod vacuum;

pub use amendments::{Amendment, Corrected, Corrections, Redaction};
pub use backup::BackupReport;
pub use batch::{Batch, Interaction, OwnedValue, ValueRef};
pub use block::Block;
pub use clock::Clock;
pub use column::Column;
pub use db::{CheckReport, Commit, Db, Dropping, Erasure, Info, Options};
pub use error::{Error, Result};
pub use guards::Guards;
pub use import::{Import, ImportReport};
pub use links::Link;
pub use model::{CustomerOrdinal, Identity, IdentityOrdinal, IdentityRef, Millis};
pub use resolution::{Evidence, Known, PairStanding, Resolved, Said, Standing, resolve};
pub use retain::{Retain, RetainUnit};
pub use retained::Retention;
pub use schema::{AttrId, AttrType, Attribute, Role, Schema, Subject};
pub use snapshot::{
    LinkCounts, LinkEdge, LinkGraph, LinkNode, LinkRow, Saying, Snapshot, Symbols, TallyCell, Unit,
};
pub use vacuum::VacuumReport;
pub use written::Written;
