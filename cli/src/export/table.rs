//! One file of an export: blocks of the engine to record batches to Parquet.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, LargeStringArray, LargeStringBuilder, RecordBatch,
    TimestampMillisecondArray, new_null_array,
};
use arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use throughline::engine::{AttrId, AttrType, Attribute, Block, Column, Identity, IdentityOrdinal, Snapshot};

use super::layout::{Layout, type_of};
use crate::failure::{Failure, Outcome};
use crate::files::{self, File};

/// Rows encoded at once.
const ROWS: usize = 65_536;
/// Encoded bytes of a row group that are kept in memory.
const GROUP_BYTES: usize = 64 << 20;
/// Most rows of a row group.
const GROUP_ROWS: usize = 1 << 20;

/// A Parquet file on its way out.
pub(crate) struct TableFile {
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<File>,
}

impl TableFile {
    /// Makes the file, or empties the one there is.
    pub(crate) fn create(path: &Path, schema: ArrowSchema) -> Outcome<Self> {
        let schema = Arc::new(schema);
        let file = files::create(path)?;
        let writer = (|| {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
                .set_max_row_group_row_count(Some(GROUP_ROWS))
                .build();
            let options =
                ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
            ArrowWriter::try_new_with_options(file, Arc::clone(&schema), options)
        })();
        let writer = writer.map_err(|error| failed(path, &error))?;
        Ok(Self { path: path.to_owned(), schema, writer })
    }

    /// Adds rows.
    pub(crate) fn write(&mut self, columns: Vec<ArrayRef>) -> Outcome<()> {
        let written = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(ParquetError::from)
            .and_then(|batch| self.writer.write(&batch))
            .and_then(|()| {
                if self.writer.in_progress_size() > GROUP_BYTES { self.writer.flush() } else { Ok(()) }
            });
        written.map_err(|error| failed(&self.path, &error))
    }

    /// Ends the file. Durable when it returns.
    pub(crate) fn finish(self) -> Outcome<()> {
        let file = self.writer.into_inner().map_err(|error| failed(&self.path, &error))?;
        file.sync_all().map_err(|error| files::failed("sync", &self.path, &error))
    }
}

fn failed(path: &Path, error: &ParquetError) -> Failure {
    // The system's own words say more than that an external library failed.
    match error {
        ParquetError::External(source) => Failure::said(format!("cannot write {}: {source}", path.display())),
        other => Failure::said(format!("cannot write {}: {other}", path.display())),
    }
}

/// Rows of blocks on their way into a file.
pub(crate) struct Rows<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) layout: &'a Layout,
    /// When each commit was recorded.
    pub(crate) recorded: &'a BTreeMap<u64, i64>,
    /// Rows written.
    pub(crate) written: u64,
    /// Rows that `import` would not read back as they are: their identity begins or ends with a
    /// space, or their sequence is past what it takes.
    pub(crate) odd: u64,
}

impl Rows<'_> {
    /// Writes all rows of a block.
    pub(crate) fn write(&mut self, block: &Block, file: &mut TableFile) -> Outcome<()> {
        let mut customers = Vec::with_capacity(block.rows());
        for (place, &customer) in block.customers.iter().enumerate() {
            customers.extend(block.journey(place).map(|_| customer));
        }
        for first in (0..block.rows()).step_by(ROWS) {
            let rows = first..block.rows().min(first + ROWS);
            self.written += rows.len() as u64;
            file.write(self.columns(block, &customers, rows)?)?;
        }
        Ok(())
    }

    fn columns(&mut self, block: &Block, customers: &[u32], rows: Range<usize>) -> Outcome<Vec<ArrayRef>> {
        let number = |attr: AttrId, row: usize| match block.column(attr) {
            Some(Column::Int { values, .. }) => values.get(row).copied(),
            _ => None,
        };
        let mut names = LargeStringBuilder::new();
        let mut name: Option<(u32, String, bool)> = None;
        for row in rows.clone() {
            let customer = customers.get(row).copied().unwrap_or_default();
            let identity = number(AttrId::IDENTITY, row).map_or(customer, |identity| identity as u32);
            let (_, text, sound) = match &mut name {
                Some(known) if known.0 == identity => known,
                known => {
                    let text = self.snapshot.identity_name(IdentityOrdinal(identity))?;
                    let sound = Identity::parse(&text).is_ok_and(|read| read.as_str() == text);
                    known.insert((identity, text, sound))
                }
            };
            names.append_value(&*text);
            self.odd += u64::from(!*sound || number(AttrId::SEQUENCE, row).is_some_and(|number| number < 0));
        }
        let commits = || rows.clone().map(|row| number(AttrId::COMMIT, row).unwrap_or_default());
        let own = block.column(AttrId::RECORDED);
        let recorded = |(row, commit): (usize, i64)| {
            let own = own.filter(|own| !own.is_null(row)).and_then(|_| number(AttrId::RECORDED, row));
            own.or_else(|| {
                let until = self.recorded.range(..=commit.unsigned_abs());
                until.last().map(|(_, at)| *at)
            })
        };
        let mut out: Vec<ArrayRef> = vec![
            Arc::new(names.finish()),
            instants(rows.clone().map(|row| block.times.get(row).copied())),
            Arc::new(Int64Array::from_iter_values(
                rows.clone().map(|row| number(AttrId::SEQUENCE, row).unwrap_or_default()),
            )),
            Arc::new(Int64Array::from_iter_values(commits())),
            instants(rows.clone().zip(commits()).map(|of| Some(recorded(of).unwrap_or_default()))),
        ];
        for attribute in &self.layout.attributes {
            out.push(self.values(attribute, block.column(attribute.id), rows.clone()));
        }
        Ok(out)
    }

    /// The values of one attribute.
    fn values(&self, attribute: &Attribute, column: Option<&Column>, rows: Range<usize>) -> ArrayRef {
        match column {
            None => new_null_array(&type_of(attribute.ty), rows.len()),
            Some(Column::Symbol { codes, dictionary }) => {
                let symbols = self.snapshot.symbols(attribute.id);
                let text = |row: usize| {
                    let place = codes.get(row)?.checked_sub(1)?;
                    Some(symbols.get(*dictionary.get(place as usize)?))
                };
                Arc::new(rows.map(text).collect::<LargeStringArray>())
            }
            Some(Column::Str { codes, dictionary }) => {
                let text = |row: usize| Some(dictionary.get(codes.get(row)?.checked_sub(1)? as usize));
                Arc::new(rows.map(text).collect::<LargeStringArray>())
            }
            Some(column @ Column::Int { values, .. }) => {
                let given = |row: usize| values.get(row).copied().filter(|_| !column.is_null(row));
                match attribute.ty {
                    AttrType::Bool => {
                        Arc::new(rows.map(|row| given(row).map(|truth| truth != 0)).collect::<BooleanArray>())
                    }
                    AttrType::Time => instants(rows.map(given)),
                    _ => Arc::new(rows.map(given).collect::<Int64Array>()),
                }
            }
            Some(column @ Column::Float { values, .. }) => {
                let given = |row: usize| values.get(row).copied().filter(|_| !column.is_null(row));
                Arc::new(rows.map(given).collect::<Float64Array>())
            }
        }
    }
}

fn instants(times: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(times.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}
