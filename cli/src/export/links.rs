//! The file of everything that was said about identities, and what the map says of it.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, LargeStringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use throughline::engine::{Guards, Identity, IdentityOrdinal, Said, Saying, Snapshot};

use super::layout::instant;
use super::table::TableFile;
use crate::failure::Outcome;
use crate::import::guards_written;

/// The columns, and what each is to `import`; nothing where it is left out there.
const COLUMNS: [(&str, Option<&str>); 7] = [
    ("one", Some("one")),
    ("other", Some("other")),
    ("said", Some("said")),
    ("confidence", Some("confidence")),
    ("source", Some("source")),
    ("commit", None),
    ("recorded", None),
];

/// What was written of it.
pub(super) struct WrittenLinks {
    pub(super) sayings: u64,
    /// Those that `import` would not read back as they are: an identity begins or ends with a
    /// space.
    pub(super) odd: u64,
}

/// Writes all that was said, in order; no file where nothing was.
pub(super) fn links(snapshot: &Snapshot, to: &Path) -> Outcome<WrittenLinks> {
    let mut written = WrittenLinks { sayings: 0, odd: 0 };
    let mut file = None;
    for part in snapshot.said() {
        let part = part?;
        if part.is_empty() {
            continue;
        }
        let file = match &mut file {
            Some(file) => file,
            none => none.insert(TableFile::create(to, schema())?),
        };
        written.sayings += part.len() as u64;
        file.write(columns(snapshot, &part, &mut written.odd)?)?;
    }
    if let Some(file) = file {
        file.finish()?;
    }
    Ok(written)
}

fn schema() -> ArrowSchema {
    let types = [
        DataType::LargeUtf8,
        DataType::LargeUtf8,
        DataType::LargeUtf8,
        DataType::Float64,
        DataType::LargeUtf8,
        DataType::Int64,
        instant(),
    ];
    let fields =
        COLUMNS.iter().zip(types).map(|((name, _), ty)| Field::new(*name, ty, *name == "confidence"));
    ArrowSchema::new(fields.collect::<Vec<_>>())
}

fn columns(snapshot: &Snapshot, part: &[Saying<'_>], odd: &mut u64) -> Outcome<Vec<ArrayRef>> {
    let mut name = |of: IdentityOrdinal| {
        let name = snapshot.identity_name(of)?;
        *odd += u64::from(!Identity::parse(&name).is_ok_and(|read| read.as_str() == name));
        Ok(name)
    };
    let ones = part.iter().map(|said| name(said.one)).collect::<Outcome<Vec<String>>>()?;
    let others = part.iter().map(|said| name(said.other)).collect::<Outcome<Vec<String>>>()?;
    let said = part.iter().map(|saying| match saying.said {
        Said::Row => "row",
        Said::Link => "link",
        Said::Cut => "cut",
    });
    let recorded = part.iter().map(|said| Some(said.recorded));
    Ok(vec![
        Arc::new(LargeStringArray::from_iter_values(ones)),
        Arc::new(LargeStringArray::from_iter_values(others)),
        Arc::new(LargeStringArray::from_iter_values(said)),
        Arc::new(part.iter().map(|said| said.confidence).collect::<Float64Array>()),
        Arc::new(LargeStringArray::from_iter_values(part.iter().map(|said| said.source))),
        Arc::new(Int64Array::from_iter_values(part.iter().map(|said| said.commit as i64))),
        Arc::new(recorded.collect::<TimestampMillisecondArray>().with_timezone("UTC")),
    ])
}

/// The sections of the map that are about identities; nothing for a store that was told nothing
/// and goes by the usual rules.
pub(super) fn map(snapshot: &Snapshot, sayings: u64) -> String {
    let mut map = String::new();
    if sayings > 0 {
        map.push_str("\n[links]\n");
        for (name, becomes) in COLUMNS {
            let becomes =
                becomes.map_or_else(|| "{ ignore = true }".to_owned(), |part| format!("\"{part}\""));
            map.push_str(&format!("{name} = {becomes}\n"));
        }
    }
    let guards = snapshot.guards();
    if *guards != Guards::default() {
        map.push_str(&guards_written(&guards));
    }
    map
}
