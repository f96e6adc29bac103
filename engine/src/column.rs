//! One attribute's values over the interactions of a block.

use crate::strings::Strings;

/// A column of values, one an interaction. Codes are local to the block; code
/// 0 is NULL and code `c` stands for entry `c - 1` of the dictionary.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// A symbol attribute: the dictionary holds numbers of the store's own
    /// dictionary of that attribute. Entries are distinct.
    Symbol {
        /// 0, or 1 + the place in `dictionary`.
        codes: Vec<u32>,
        /// The store's symbol numbers that occur in the block.
        dictionary: Vec<u32>,
    },
    /// An id or text attribute, or one widened to it. Entries are distinct, so
    /// equal codes are equal values and nothing else is.
    Str {
        /// 0, or 1 + the place in `dictionary`.
        codes: Vec<u32>,
        /// The strings that occur in the block.
        dictionary: Strings,
    },
    /// An int, time or bool (0 and 1) attribute.
    Int {
        /// The values; 0 where NULL.
        values: Vec<i64>,
        /// Which are not NULL; `None` where none is NULL.
        valid: Option<Vec<bool>>,
    },
    /// A float attribute.
    Float {
        /// The values; 0.0 where NULL.
        values: Vec<f64>,
        /// Which are not NULL; `None` where none is NULL.
        valid: Option<Vec<bool>>,
    },
}

impl Column {
    /// How many interactions it covers.
    pub fn len(&self) -> usize {
        match self {
            Self::Symbol { codes, .. } | Self::Str { codes, .. } => codes.len(),
            Self::Int { values, .. } => values.len(),
            Self::Float { values, .. } => values.len(),
        }
    }

    /// Whether it covers none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the value at `row` is NULL (or past the end).
    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Symbol { codes, .. } | Self::Str { codes, .. } => {
                codes.get(row).is_none_or(|&code| code == 0)
            }
            Self::Int { values, valid } => {
                row >= values.len()
                    || valid.as_ref().is_some_and(|valid| !valid.get(row).copied().unwrap_or(false))
            }
            Self::Float { values, valid } => {
                row >= values.len()
                    || valid.as_ref().is_some_and(|valid| !valid.get(row).copied().unwrap_or(false))
            }
        }
    }
}
