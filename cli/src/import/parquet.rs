//! Apache Parquet, a record batch at a time, only the columns that are used.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    StringArray, StringViewArray, TimestampMillisecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::intake::{Intake, SAMPLE_ROWS};
use super::record::Record;
use super::source::shown;
use super::taking::Taking;
use super::values::Field;
use crate::failure::{Failure, Outcome};
use crate::files::File;

/// Rows decoded at once.
const ROWS: usize = 65_536;

/// A decoded column.
pub(crate) enum Values {
    Views(StringViewArray),
    Texts(StringArray),
    LargeTexts(LargeStringArray),
    Ints(Int64Array),
    Floats(Float64Array),
    Singles(Float32Array),
    Truths(BooleanArray),
    Times(TimestampMillisecondArray),
    LocalTimes(TimestampMillisecondArray),
}

impl Values {
    /// The value in a row.
    pub(crate) fn at(&self, row: usize) -> Field<'_> {
        fn text(text: &str) -> Field<'_> {
            if text.is_empty() { Field::Null } else { Field::Str(text) }
        }
        if self.array().is_null(row) {
            return Field::Null;
        }
        match self {
            Self::Views(array) => text(array.value(row)),
            Self::Texts(array) => text(array.value(row)),
            Self::LargeTexts(array) => text(array.value(row)),
            Self::Ints(array) => Field::Int(array.value(row)),
            Self::Floats(array) => Field::Float(array.value(row)),
            // By way of its shortest decimal: 0.1 stays 0.1.
            Self::Singles(array) => {
                let single = array.value(row);
                Field::Float(single.to_string().parse().unwrap_or(f64::from(single)))
            }
            Self::Truths(array) => Field::Bool(array.value(row)),
            Self::Times(array) => Field::Time(array.value(row)),
            Self::LocalTimes(array) => Field::LocalTime(array.value(row)),
        }
    }

    /// Milliseconds since 1970 UTC, where it holds such; those of a wall clock too where that
    /// is of UTC.
    pub(crate) fn millis(&self, wall_is_utc: bool) -> Option<&TimestampMillisecondArray> {
        match self {
            Self::Times(array) => Some(array),
            Self::LocalTimes(array) if wall_is_utc => Some(array),
            _ => None,
        }
    }

    /// The values as Arrow holds them.
    pub(crate) fn array(&self) -> &dyn Array {
        match self {
            Self::Views(array) => array,
            Self::Texts(array) => array,
            Self::LargeTexts(array) => array,
            Self::Ints(array) => array,
            Self::Floats(array) => array,
            Self::Singles(array) => array,
            Self::Truths(array) => array,
            Self::Times(array) | Self::LocalTimes(array) => array,
        }
    }

    /// `None` for a type that is not read.
    fn of(array: &ArrayRef) -> Result<Option<Self>, arrow::error::ArrowError> {
        fn typed<T: Clone + 'static>(array: &ArrayRef) -> Option<T> {
            array.as_any().downcast_ref::<T>().cloned()
        }
        let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
        Ok(match array.data_type() {
            DataType::Utf8View => typed(array).map(Self::Views),
            DataType::Utf8 => typed(array).map(Self::Texts),
            DataType::LargeUtf8 => typed(array).map(Self::LargeTexts),
            DataType::Boolean => typed(array).map(Self::Truths),
            DataType::Float32 => typed(array).map(Self::Singles),
            DataType::Float64 => typed(array).map(Self::Floats),
            DataType::Float16 | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                typed(&cast(array, &DataType::Float64)?).map(Self::Floats)
            }
            ty if ty.is_integer() => typed(&cast(array, &DataType::Int64)?).map(Self::Ints),
            // The number is of UTC where a zone is named, else of a wall clock.
            DataType::Timestamp(_, None) => typed(&cast(array, &millis)?).map(Self::LocalTimes),
            DataType::Timestamp(_, Some(zone)) => {
                let millis = DataType::Timestamp(TimeUnit::Millisecond, Some(Arc::clone(zone)));
                typed(&cast(array, &millis)?).map(Self::Times)
            }
            DataType::Date32 | DataType::Date64 => typed(&cast(array, &millis)?).map(Self::LocalTimes),
            DataType::Dictionary(_, values) => {
                let plain = cast(array, values)?;
                match values.as_ref() {
                    DataType::Dictionary(..) => None,
                    _ => Self::of(&plain)?,
                }
            }
            DataType::Null => typed(&cast(array, &DataType::Utf8)?).map(Self::Texts),
            _ => None,
        })
    }
}

struct Row<'a> {
    columns: &'a [Option<Values>],
    headers: &'a [String],
    row: usize,
}

impl Record for Row<'_> {
    fn field(&self, column: usize) -> Field<'_> {
        match self.columns.get(column) {
            Some(Some(values)) => values.at(self.row),
            _ => Field::Null,
        }
    }

    fn raw(&self) -> String {
        let object: serde_json::Map<String, serde_json::Value> = self
            .headers
            .iter()
            .enumerate()
            .map(|(column, header)| {
                let text = super::conversion::identity_text(self.field(column)).into_owned();
                (header.clone(), text.into())
            })
            .collect();
        serde_json::Value::Object(object).to_string()
    }
}

/// Reads a whole source into the intake. Rows are numbered from 1.
pub(crate) fn read(
    intake: &mut Intake<'_>,
    path: &Path,
    mut table: impl Taking,
    file: File,
    progress: &Arc<AtomicU64>,
) -> Outcome<()> {
    let name = shown(path);
    let failed = |error: &dyn std::fmt::Display| {
        Failure::said(format!("cannot read {name} as Parquet: {error}; nothing of this run was imported"))
    };
    let length = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
    // The schema Arrow stores beside Parquet's own only adds dictionaries and
    // large types, which would have to be undone here.
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&file, plain.clone()).map_err(|error| failed(&error))?;
    let viewed = plain.with_schema(Arc::new(with_views(metadata.schema())));
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), viewed).unwrap_or(metadata);
    let total_rows = metadata.metadata().file_metadata().num_rows().max(1);

    let headers: Vec<String> = metadata.schema().fields().iter().map(|field| field.name().clone()).collect();
    for field in metadata.schema().fields() {
        if field.data_type().is_nested() {
            let note = format!("{name}: column `{}` holds lists or structures and is left out", field.name());
            intake.tally.notes.push(note);
        }
    }
    table.add_columns(intake, &headers)?;
    let wanted = table.wanted();
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
    let reader =
        builder.with_projection(mask).with_batch_size(ROWS).build().map_err(|error| failed(&error))?;

    let mut line = 0;
    let mut settled = false;
    for batch in reader {
        let batch = batch.map_err(|error| failed(&error))?;
        let columns = columns(&batch, &wanted, headers.len()).map_err(|error| failed(&error))?;
        let row = |row| Row { columns: &columns, headers: &headers, row };
        if !settled {
            (0..batch.num_rows().min(SAMPLE_ROWS)).for_each(|place| table.sample(&row(place)));
            table.settle(intake)?;
            settled = true;
        }
        table.take_columns(intake, line, &columns, batch.num_rows(), &row)?;
        line += batch.num_rows() as u64;
        let part = (batch.num_rows() as u64).saturating_mul(length) / total_rows.unsigned_abs();
        progress.fetch_add(part, Ordering::Relaxed);
    }
    if !settled {
        table.settle(intake)?;
    }
    table.finish(intake)
}

/// The columns of a batch, at their places in the file.
fn columns(
    batch: &RecordBatch,
    wanted: &std::collections::BTreeSet<usize>,
    width: usize,
) -> Result<Vec<Option<Values>>, arrow::error::ArrowError> {
    let mut columns: Vec<Option<Values>> = (0..width).map(|_| None).collect();
    for (&place, array) in wanted.iter().zip(batch.columns()) {
        if let Some(slot) = columns.get_mut(place) {
            *slot = Values::of(array)?;
        }
    }
    Ok(columns)
}

/// The schema with texts as views: a dictionary page is then not copied out value by value.
fn with_views(schema: &ArrowSchema) -> ArrowSchema {
    let fields: Vec<ArrowField> = schema
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Utf8 => field.as_ref().clone().with_data_type(DataType::Utf8View),
            _ => field.as_ref().clone(),
        })
        .collect();
    ArrowSchema::new(fields)
}
