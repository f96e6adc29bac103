//! The one file that knows sled: a map of keys to large values, with deadlines.

use crate::error::Result;

/// A change: a key with its new value, or `None` to remove it.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// The database below the graph.
pub trait GraphStore: Send + Sync {
    /// The value of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// Applies all changes at once. Durable after [`GraphStore::flush`].
    fn apply(&self, batch: Vec<Change>) -> Result<()>;
    /// Makes everything applied so far durable.
    fn flush(&self) -> Result<()>;
    /// All keys, ascending.
    fn keys(&self) -> Result<Vec<Vec<u8>>>;
}
