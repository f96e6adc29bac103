//! Comma-separated values (RFC 4180).

use std::io::{self, Write};

use throughline::Value;

use super::text::for_machines;

/// A header and a line a row.
pub(crate) fn csv(out: &mut dyn Write, names: &[&str], rows: &[Vec<Value>]) -> io::Result<()> {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out);
    writer.write_record(names).map_err(io_error)?;
    for row in rows {
        writer.write_record(row.iter().map(for_machines)).map_err(io_error)?;
    }
    writer.flush()
}

fn io_error(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        let mut out = Vec::new();
        let rows = [vec![Value::Str("a,\"b\"".into()), Value::List(vec![Value::Str("x".into())])]];
        csv(&mut out, &["p", "q"], &rows).expect("writes");
        assert_eq!(String::from_utf8(out).expect("is text"), "p,q\r\n\"a,\"\"b\"\"\",\"[\"\"x\"\"]\"\r\n");
    }
}
