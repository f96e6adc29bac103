//! The history: append-only, checksummed, synced files. The truth, and the
//! write-ahead log in one.

use serde::{Deserialize, Serialize};

/// A place between frames: where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Number of the history file, from 1.
    pub file: u32,
    /// Byte in it.
    pub offset: u64,
}

/// What every frame says of itself, readable without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Number of the commit it belongs to, ascending.
    pub commit: u64,
    /// When it was recorded, milliseconds since 1970 UTC.
    pub recorded: i64,
    /// What the body is; `records.rs` knows.
    pub kind: u8,
    /// Interactions in the body.
    pub rows: u32,
}
