//! The in-memory twin of the disk, which can fail, fill up, or lose what was not synced.
