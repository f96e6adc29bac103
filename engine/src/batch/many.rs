//! Values of many interactions at once, for sources that are read column by column.

use super::{Batch, BatchColumn, described};
use crate::error::{Error, Result};
use crate::limits::VALUE_BYTES_MAX;
use crate::schema::{AttrId, AttrType};
use crate::strings::StringTable;

/// Texts met before that are known again without being read: a power of two.
const KNOWN_TEXTS: usize = 256;

impl Batch {
    /// Sets the texts of the interactions from row `first` on, one each; `None` and the empty
    /// string are NULL. Each comes with a key: within one call, equal keys stand for equal texts.
    ///
    /// # Errors
    /// As [`Batch::set`]; rows may then stand without their values.
    pub fn set_texts<'a>(
        &mut self,
        attr: AttrId,
        first: usize,
        texts: impl Iterator<Item = Option<(u128, &'a str)>>,
    ) -> Result<()> {
        let empty = || BatchColumn::Str { codes: Vec::new(), table: StringTable::default() };
        let rows = self.len();
        let column = self.column_of(attr, AttrType::is_string, "text", empty)?;
        let BatchColumn::Str { codes, table } = column else { return Err(other_form()) };
        codes.resize(first, 0);
        let mut known = [(0_u128, 0_u32); KNOWN_TEXTS];
        for text in texts {
            let code = match text {
                None | Some((_, "")) => 0,
                Some((key, text)) => {
                    let mixed = (key as u64 ^ (key >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    let slot = &mut known[(mixed >> 56) as usize % KNOWN_TEXTS];
                    if slot.0 != key || slot.1 == 0 {
                        if text.len() > VALUE_BYTES_MAX {
                            return Err(Error::Limit {
                                what: "bytes in a value",
                                value: text.len() as u64,
                                limit: VALUE_BYTES_MAX as u64,
                            });
                        }
                        *slot = (key, table.try_intern(text)? + 1);
                    }
                    slot.1
                }
            };
            codes.push(code);
        }
        check_rows(codes.len(), rows)
    }

    /// Sets ints, times (in milliseconds) or truths (0 and 1) of the interactions from row
    /// `first` on, one each.
    ///
    /// # Errors
    /// As [`Batch::set`].
    pub fn set_ints(
        &mut self,
        attr: AttrId,
        first: usize,
        values: impl Iterator<Item = Option<i64>>,
    ) -> Result<()> {
        let is = |ty| matches!(ty, AttrType::Int | AttrType::Time | AttrType::Bool);
        let empty = || BatchColumn::Int { values: Vec::new(), valid: Vec::new() };
        let rows = self.len();
        match self.column_of(attr, is, "a whole number", empty)? {
            BatchColumn::Int { values: all, valid } => extend(all, valid, first, values, rows),
            _ => Err(other_form()),
        }
    }

    /// Sets floats of the interactions from row `first` on, one each; NaN is NULL.
    ///
    /// # Errors
    /// As [`Batch::set`].
    pub fn set_floats(
        &mut self,
        attr: AttrId,
        first: usize,
        values: impl Iterator<Item = Option<f64>>,
    ) -> Result<()> {
        let empty = || BatchColumn::Float { values: Vec::new(), valid: Vec::new() };
        let rows = self.len();
        match self.column_of(attr, |ty| ty == AttrType::Float, "a number", empty)? {
            BatchColumn::Float { values: all, valid } => {
                let values = values.map(|value| Some(value? + 0.0).filter(|value| !value.is_nan()));
                extend(all, valid, first, values, rows)
            }
            _ => Err(other_form()),
        }
    }

    fn column_of(
        &mut self,
        attr: AttrId,
        fits: impl Fn(AttrType) -> bool,
        value: &str,
        empty: impl FnOnce() -> BatchColumn,
    ) -> Result<&mut BatchColumn> {
        let place = usize::from(attr.0);
        let (Some(&ty), Some(slot)) = (self.types.get(place), self.columns.get_mut(place)) else {
            return Err(Error::invalid(format!("the schema has no attribute number {}", attr.0)));
        };
        if !fits(ty) {
            return Err(Error::invalid(format!("{value} is not {}", described(ty))));
        }
        Ok(slot.get_or_insert_with(empty))
    }
}

fn extend<T: Default + Copy>(
    all: &mut Vec<T>,
    valid: &mut Vec<bool>,
    first: usize,
    values: impl Iterator<Item = Option<T>>,
    rows: usize,
) -> Result<()> {
    all.resize(first, T::default());
    valid.resize(first, false);
    for value in values {
        all.push(value.unwrap_or_default());
        valid.push(value.is_some());
    }
    check_rows(all.len(), rows)
}

fn check_rows(values: usize, rows: usize) -> Result<()> {
    if values > rows { Err(Error::invalid("begin a row before setting its values")) } else { Ok(()) }
}

fn other_form() -> Error {
    Error::invalid("an attribute's values are held in another form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::ValueRef;
    use crate::model::Identity;
    use crate::records::FrameRows;
    use crate::schema::{Role, Schema};

    #[test]
    fn many_are_as_one_by_one() {
        let schema = Schema::new();
        let id = |role| schema.role(role).map(|attribute| attribute.id).expect("a core role");
        let texts = [Some("a"), None, Some("b"), Some("a"), Some("")];
        let truths = [None, Some(1), None, Some(0), None];
        let moods = [Some(0.5), None, Some(-0.0), Some(f64::NAN), None];
        let (mut one, mut many) = (Batch::new(&schema), Batch::new(&schema));
        for row in 0..5 {
            for batch in [&mut one, &mut many] {
                batch.begin(&Identity::parse("crm:1").expect("parses"), row as i64);
            }
            if let Some(text) = texts[row] {
                one.set(id(Role::Kind), ValueRef::Str(text)).expect("sets");
            }
            if let Some(truth) = truths[row] {
                one.set(id(Role::Resolved), ValueRef::Bool(truth > 0)).expect("sets");
            }
            if let Some(mood) = moods[row].filter(|mood: &f64| !mood.is_nan()) {
                one.set(id(Role::Sentiment), ValueRef::Float(mood)).expect("sets");
            }
        }
        let key = |text: &str| text.as_ptr() as u128;
        for rows in [0..2, 2..5] {
            many.set_texts(
                id(Role::Kind),
                rows.start,
                texts[rows.clone()].iter().map(|text| text.map(|text| (key(text), text))),
            )
            .expect("sets");
            many.set_ints(id(Role::Resolved), rows.start, truths[rows.clone()].iter().copied())
                .expect("sets");
            many.set_floats(id(Role::Sentiment), rows.start, moods[rows].iter().copied()).expect("sets");
        }
        assert_eq!(FrameRows::from_batch(one), FrameRows::from_batch(many.clone()));
        assert!(many.set_ints(id(Role::Kind), 0, std::iter::empty()).is_err());
        assert!(many.set_ints(id(Role::Resolved), 0, [Some(1); 6].into_iter()).is_err());
    }
}
