//! JSON lines: one object a line; inner objects become `outer.inner`, lists stay JSON.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::{Map, Value};

use super::intake::{Intake, SAMPLE_ROWS};
use super::record::Record;
use super::rejects::{Reason, Refusal};
use super::source::unreadable;
use super::taking::Taking;
use super::values::Field;
use crate::failure::Outcome;

/// Objects inside objects are followed this far.
const DEPTH_MAX: usize = 8;

/// A parsed line: its values by column.
struct JsonRow {
    line: u64,
    text: String,
    values: Vec<Value>,
}

impl Record for JsonRow {
    fn field(&self, column: usize) -> Field<'_> {
        match self.values.get(column) {
            None | Some(Value::Null) => Field::Null,
            Some(Value::Bool(truth)) => Field::Bool(*truth),
            Some(Value::Number(number)) => match number.as_i64() {
                Some(whole) => Field::Int(whole),
                None => number.as_f64().map_or(Field::Null, Field::Float),
            },
            Some(Value::String(text)) if text.is_empty() => Field::Null,
            Some(Value::String(text)) => Field::Str(text),
            // Flattened away or written out as text when the line was read.
            Some(Value::Array(_) | Value::Object(_)) => Field::Null,
        }
    }

    fn raw(&self) -> String {
        self.text.clone()
    }
}

/// The columns met so far.
#[derive(Default)]
struct Columns {
    places: HashMap<String, usize>,
    names: Vec<String>,
}

impl Columns {
    fn place(&mut self, name: &str) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        self.places.insert(name.to_owned(), self.names.len());
        self.names.push(name.to_owned());
        self.names.len() - 1
    }

    fn flatten(&mut self, prefix: &str, object: Map<String, Value>, depth: usize, values: &mut Vec<Value>) {
        for (key, value) in object {
            let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            let value = match value {
                Value::Object(inner) if depth < DEPTH_MAX => {
                    self.flatten(&name, inner, depth + 1, values);
                    continue;
                }
                list @ (Value::Array(_) | Value::Object(_)) => Value::String(list.to_string()),
                plain => plain,
            };
            let place = self.place(&name);
            if values.len() <= place {
                values.resize(place + 1, Value::Null);
            }
            if let Some(slot) = values.get_mut(place) {
                *slot = value;
            }
        }
    }
}

/// A line read: an object or what is wrong with it.
type Line = Result<JsonRow, (u64, Refusal, String)>;

struct Lines<R> {
    reader: BufReader<R>,
    line: u64,
    bytes: Vec<u8>,
    columns: Columns,
}

impl<R: Read> Lines<R> {
    fn next(&mut self) -> std::io::Result<Option<Line>> {
        loop {
            self.bytes.clear();
            if self.reader.read_until(b'\n', &mut self.bytes)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.bytes.iter().any(|byte| !byte.is_ascii_whitespace()) {
                return Ok(Some(self.parse()));
            }
        }
    }

    fn parse(&mut self) -> Line {
        let line = self.line;
        let refused =
            |reason, found: String, raw: &str| Err((line, Refusal::row(reason, found), raw.to_owned()));
        let text = match std::str::from_utf8(&self.bytes) {
            Ok(text) => text.trim(),
            Err(_) => return refused(Reason::NotUtf8, String::new(), &String::from_utf8_lossy(&self.bytes)),
        };
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => {
                let mut values = Vec::with_capacity(self.columns.names.len());
                let text = text.to_owned();
                self.columns.flatten("", object, 0, &mut values);
                Ok(JsonRow { line, text, values })
            }
            Ok(_) => refused(Reason::NotJson, "valid JSON, but not an object".into(), text),
            Err(error) => refused(Reason::NotJson, error.to_string(), text),
        }
    }
}

/// Reads a whole source into the intake.
pub(crate) fn read(
    intake: &mut Intake<'_>,
    path: &Path,
    mut table: impl Taking,
    text: Box<dyn Read + Send>,
) -> Outcome<()> {
    let mut lines = Lines {
        reader: BufReader::with_capacity(1 << 18, text),
        line: 0,
        bytes: Vec::new(),
        columns: Columns::default(),
    };
    let failed = |error: std::io::Error| unreadable(path, &error);
    let mut buffered = Vec::new();
    while buffered.len() < SAMPLE_ROWS {
        let Some(line) = lines.next().map_err(failed)? else { break };
        buffered.push(line);
    }
    let mut known = lines.columns.names.len();
    table.add_columns(intake, &lines.columns.names)?;
    for row in buffered.iter().flatten() {
        table.sample(row);
    }
    table.settle(intake)?;
    for line in buffered {
        take(&mut table, intake, line)?;
    }
    while let Some(line) = lines.next().map_err(failed)? {
        if let Some(new) = lines.columns.names.get(known..)
            && !new.is_empty()
        {
            table.add_columns(intake, new)?;
            known = lines.columns.names.len();
        }
        take(&mut table, intake, line)?;
    }
    table.finish(intake)
}

fn take(table: &mut impl Taking, intake: &mut Intake<'_>, line: Line) -> Outcome<()> {
    match line {
        Ok(row) => table.take(intake, row.line, &row),
        Err((line, refusal, raw)) => table.refuse(intake, line, &refusal, &raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_lists_and_slips() {
        let text: &[u8] =
            b"{\"a\":1,\"b\":{\"c\":\"x\",\"d\":[1,2]}}\n\n{\"a\":2.5,\"e\":true}\n[1]\n{\"a\":\n";
        let mut lines =
            Lines { reader: BufReader::new(text), line: 0, bytes: Vec::new(), columns: Columns::default() };
        let first = lines.next().expect("reads").expect("is there").expect("is an object");
        assert_eq!(lines.columns.names, ["a", "b.c", "b.d"]);
        assert_eq!(first.field(0), Field::Int(1));
        assert_eq!((first.field(1), first.field(2)), (Field::Str("x"), Field::Str("[1,2]")));
        let second = lines.next().expect("reads").expect("is there").expect("is an object");
        assert_eq!(
            (second.line, second.field(0), second.field(3)),
            (3, Field::Float(2.5), Field::Bool(true))
        );
        for line in [4, 5] {
            let (found, refusal, _) =
                lines.next().expect("reads").expect("is there").err().expect("is refused");
            assert_eq!((found, refusal.reason), (line, Reason::NotJson));
        }
        assert!(lines.next().expect("reads").is_none());
    }
}
