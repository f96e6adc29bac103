//! A row of a source, whatever the source is.

use super::values::Field;

/// A row of a source.
pub(crate) trait Record {
    /// The value in a column.
    fn field(&self, column: usize) -> Field<'_>;

    /// How many fields it has, where rows of the source can differ in that.
    fn width(&self) -> Option<usize> {
        None
    }

    /// The row as text, for the rejects file.
    fn raw(&self) -> String;
}

/// A row of text fields; in tests and for buffering.
impl Record for csv::StringRecord {
    fn field(&self, column: usize) -> Field<'_> {
        match self.get(column) {
            None | Some("") => Field::Null,
            Some(text) => Field::Str(text),
        }
    }

    fn width(&self) -> Option<usize> {
        Some(self.len())
    }

    fn raw(&self) -> String {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        if writer.write_record(self).is_err() {
            return String::new();
        }
        let bytes = writer.into_inner().unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()
    }
}
