//! JSON: objects keyed by column.

use std::io::{self, Write};

use serde_json::{Map, Value as Json};
use throughline::Value;

/// One array of objects, on one line.
pub(crate) fn array(out: &mut dyn Write, names: &[&str], rows: &[Vec<Value>]) -> io::Result<()> {
    out.write_all(b"[")?;
    for (place, row) in rows.iter().enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        serde_json::to_writer(&mut *out, &object(names, row))?;
    }
    out.write_all(b"]\n")
}

/// One object a line.
pub(crate) fn lines(out: &mut dyn Write, names: &[&str], rows: &[Vec<Value>]) -> io::Result<()> {
    for row in rows {
        serde_json::to_writer(&mut *out, &object(names, row))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn object(names: &[&str], row: &[Value]) -> Map<String, Json> {
    names.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), value(cell))).collect()
}

/// A value: times are RFC 3339, durations seconds, as [`Value`] serialises.
pub(crate) fn value(cell: &Value) -> Json {
    serde_json::to_value(cell).unwrap_or(Json::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_as_json() {
        let rows = [
            vec![Value::Str("a\"b".into()), Value::Int(3), Value::Time(0), Value::Duration(500)],
            vec![Value::Null, Value::Float(0.25), Value::Null, Value::List(vec![Value::Bool(true)])],
        ];
        let names = ["b", "a", "t", "d"];
        let mut out = Vec::new();
        array(&mut out, &names, &rows).expect("writes");
        assert_eq!(
            String::from_utf8(out).expect("is text"),
            "[{\"b\":\"a\\\"b\",\"a\":3,\"t\":\"1970-01-01T00:00:00Z\",\"d\":0.5},{\"b\":null,\"a\":0.25,\"t\":null,\"d\":[true]}]\n"
        );
        let mut out = Vec::new();
        array(&mut out, &names, &[]).expect("writes");
        assert_eq!(out, b"[]\n");
    }
}
