//! Writing a history as Parquet.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, DictionaryArray, Float64Builder, Int8Builder, Int32Builder, RecordBatch,
    StringArray, StringBuilder, TimestampMillisecondBuilder,
};
use arrow::datatypes::{DataType, Field, Int8Type, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;

use super::lifecycle::{Contact, START_SECONDS};
use super::linked::{self, Linked};
use super::text::{HEADERS, write_agent, write_case, write_customer};
use super::vocabulary::{CHANNELS, KINDS, STAGES, TOPICS};
use crate::files::File;

/// Rows encoded at once.
const ROWS: usize = 65_536;
/// Rows of a row group.
const GROUP_ROWS: usize = 1 << 20;

/// Writes all of it into `file`.
pub(crate) fn parquet<'a>(
    file: File,
    contacts: impl Iterator<Item = &'a Contact>,
    linked: Option<Linked>,
) -> Result<()> {
    let schema = Arc::new(schema(linked.is_some()));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    // Without Arrow's own schema the dictionaries below are a matter of this file alone.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(file, Arc::clone(&schema), options)?;
    let mut columns = Columns { linked, ..Columns::default() };
    for contact in contacts {
        columns.push(contact);
        if columns.rows == ROWS {
            writer.write(&columns.finish(&schema)?)?;
        }
    }
    if columns.rows > 0 {
        writer.write(&columns.finish(&schema)?)?;
    }
    writer.close()?;
    Ok(())
}

fn schema(linked: bool) -> Schema {
    let word = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let types = [
        DataType::Utf8,
        DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        word.clone(),
        word.clone(),
        word.clone(),
        word,
        DataType::Utf8,
        DataType::Utf8,
        DataType::Float64,
        DataType::Int32,
        DataType::Boolean,
    ];
    let fields = HEADERS
        .iter()
        .zip(types)
        .enumerate()
        .map(|(place, (name, ty))| Field::new(*name, ty, place > 1 || (linked && place == 0)));
    let identities = linked::HEADERS.iter().map(|name| Field::new(*name, DataType::Utf8, true));
    Schema::new(fields.chain(identities.filter(|_| linked)).collect::<Vec<_>>())
}

#[derive(Default)]
struct Columns {
    linked: Option<Linked>,
    rows: usize,
    customers: StringBuilder,
    times: TimestampMillisecondBuilder,
    channels: Int8Builder,
    stages: Int8Builder,
    kinds: Int8Builder,
    topics: Int8Builder,
    cases: StringBuilder,
    agents: StringBuilder,
    sentiments: Float64Builder,
    csats: Int32Builder,
    resolved: BooleanBuilder,
    identities: [StringBuilder; linked::HEADERS.len()],
    text: Vec<u8>,
}

impl Columns {
    fn push(&mut self, contact: &Contact) {
        self.rows += 1;
        self.text.clear();
        let carried = self.linked.map(|linked| linked.carried(contact));
        if carried.is_none_or(|carried| carried.customer) {
            write_customer(&mut self.text, contact);
        }
        append(&mut self.customers, &self.text);
        self.times.append_value((START_SECONDS + i64::from(contact.second)) * 1_000);
        self.channels.append_value(contact.channel as i8);
        self.stages.append_value(contact.stage as i8);
        self.kinds.append_value(contact.kind as i8);
        self.topics.append_value(contact.topic as i8);
        self.text.clear();
        write_case(&mut self.text, contact);
        append(&mut self.cases, &self.text);
        self.text.clear();
        write_agent(&mut self.text, contact.agent);
        append(&mut self.agents, &self.text);
        self.sentiments
            .append_option((contact.sentiment != i8::MIN).then(|| f64::from(contact.sentiment) / 100.0));
        self.csats.append_option((contact.csat > 0).then(|| i32::from(contact.csat)));
        self.resolved.append_option(contact.resolved);
        if let Some(carried) = carried {
            for (place, identities) in self.identities.iter_mut().enumerate() {
                self.text.clear();
                carried.write(place, &mut self.text);
                append(identities, &self.text);
            }
        }
    }

    fn finish(&mut self, schema: &Arc<Schema>) -> Result<RecordBatch> {
        let words = |keys: &mut Int8Builder, words: &[&str]| -> Result<ArrayRef> {
            let values = Arc::new(StringArray::from(words.to_vec()));
            Ok(Arc::new(DictionaryArray::<Int8Type>::try_new(keys.finish(), values)?))
        };
        self.rows = 0;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.customers.finish()),
            Arc::new(self.times.finish().with_timezone("UTC")),
            words(&mut self.channels, &CHANNELS)?,
            words(&mut self.stages, &STAGES)?,
            words(&mut self.kinds, &KINDS)?,
            words(&mut self.topics, &TOPICS)?,
            Arc::new(self.cases.finish()),
            Arc::new(self.agents.finish()),
            Arc::new(self.sentiments.finish()),
            Arc::new(self.csats.finish()),
            Arc::new(self.resolved.finish()),
        ];
        if self.linked.is_some() {
            let identities = self.identities.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
            columns.extend(identities);
        }
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}

/// Appends text, or NULL where there is none.
fn append(builder: &mut StringBuilder, text: &[u8]) {
    builder.append_option(std::str::from_utf8(text).ok().filter(|text| !text.is_empty()));
}
