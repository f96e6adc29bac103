//! Every bound of the engine, with its unit in its name.

/// Longest `namespace:key` of an identity.
pub const IDENTITY_BYTES_MAX: usize = 1_024;
/// Most identities that one interaction carries: every two of them are a pair.
pub const ROW_IDENTITIES_MAX: usize = 16;
/// Most values that are blocked by name, of all namespaces together.
pub const BLOCKED_VALUES_MAX: usize = 65_536;
/// Most patterns of blocked values: each is tried on every identity that is paired.
pub const BLOCKED_PATTERNS_MAX: usize = 64;
/// Longest pattern of blocked values.
pub const BLOCKED_PATTERN_BYTES_MAX: usize = 1_024;
/// Largest pattern of blocked values once it is compiled.
pub const BLOCKED_PATTERN_PROGRAM_BYTES_MAX: usize = 256 << 10;
/// Most attributes in a store, customers' and interactions' together.
pub const ATTRIBUTES_MAX: usize = 4_096;
/// Longest name of an attribute.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 256;
/// Longest value of an attribute, of any type.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Most interactions in one appended batch.
pub const BATCH_INTERACTIONS_MAX: usize = 1 << 20;
/// Customers in a range: one roaring container.
pub const RANGE_CUSTOMERS: u32 = 1 << 16;
/// A base segment is closed once it holds this many interactions.
pub const SEGMENT_INTERACTIONS: usize = 1 << 17;
/// Interactions kept in memory before they are sealed into a run.
pub const TAIL_INTERACTIONS_MAX: usize = 1 << 20;
/// A run of fewer interactions over a base has no index, which would take as many bytes as the interactions
/// themselves: it is counted when it is asked.
pub const INDEXED_INTERACTIONS_MIN: u64 = 1 << 14;
/// Longest page of a blob in the graph store. Chosen for sled's slabs:
/// 262,144 bytes would cost half as much again on disk.
pub const PAGE_BYTES: usize = 261_000;
/// A column of a segment has pages of its own from this length on, so that a question reads hardly
/// more than its columns.
pub const COLUMN_PAGE_BYTES_MIN: usize = 16_000;
/// Symbol attributes whose values are counted in pairs, the first of the schema.
pub const TALLIED_ATTRIBUTES_MAX: usize = 8;
/// Most combinations of the values of two attributes that are counted.
pub const TALLY_CELLS_MAX: usize = 4_096;
/// Largest body of a history frame.
pub const FRAME_BYTES_MAX: usize = 256 << 20;
/// A history file is rotated past this length.
pub const HISTORY_FILE_BYTES: u64 = 256 << 20;
/// Largest batch handed to the graph store at once.
pub const GRAPH_BATCH_BYTES_MAX: usize = 32 << 20;
/// Milliseconds after now that a time may lie before it is taken for a clock error.
pub const HORIZON_MS_DEFAULT: i64 = 86_400_000;
/// Earliest time taken: 1900-01-01T00:00:00Z.
pub const TIME_MIN_MS: i64 = -2_208_988_800_000;
