//! Three-valued truth over many rows at once.

/// A truth value a row: Kleene's order, so that AND is the lesser and OR the greater.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    values: Vec<u8>,
}

pub(crate) const FALSE: u8 = 0;
pub(crate) const UNKNOWN: u8 = 1;
pub(crate) const TRUE: u8 = 2;

/// One truth value.
pub(crate) fn of(value: Option<bool>) -> u8 {
    match value {
        Some(true) => TRUE,
        Some(false) => FALSE,
        None => UNKNOWN,
    }
}

impl Truth {
    /// The same value for `rows` rows.
    pub(crate) fn all(value: u8, rows: usize) -> Self {
        Self { values: vec![value; rows] }
    }

    /// From a value a row.
    pub(crate) fn new(values: impl IntoIterator<Item = u8>) -> Self {
        Self { values: values.into_iter().collect() }
    }

    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.values.iter_mut().zip(&other.values).for_each(|(mine, &other)| *mine = (*mine).min(other));
        self
    }

    pub(crate) fn or(mut self, other: &Self) -> Self {
        self.values.iter_mut().zip(&other.values).for_each(|(mine, &other)| *mine = (*mine).max(other));
        self
    }

    pub(crate) fn not(mut self) -> Self {
        self.values.iter_mut().for_each(|mine| *mine = TRUE - *mine);
        self
    }

    /// The values: [`FALSE`], [`UNKNOWN`] or [`TRUE`].
    pub(crate) fn values(&self) -> &[u8] {
        &self.values
    }

    /// Which rows are true.
    pub(crate) fn mask(&self) -> Vec<bool> {
        self.values.iter().map(|&value| value == TRUE).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_three_valued_logic() {
        let three = [Some(false), None, Some(true)];
        let and = |a: Option<bool>, b: Option<bool>| match (a, b) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        for a in three {
            for b in three {
                let (x, y) = (Truth::all(of(a), 1), Truth::all(of(b), 1));
                assert_eq!(x.clone().and(&y), Truth::all(of(and(a, b)), 1));
                let or = and(a.map(|a| !a), b.map(|b| !b)).map(|truth| !truth);
                assert_eq!(x.clone().or(&y), Truth::all(of(or), 1));
                assert_eq!(x.not(), Truth::all(of(a.map(|a| !a)), 1));
            }
        }
    }
}
