//! A table for documents (GitHub's Markdown).

use std::io::{self, Write};

use throughline::Value;

use super::text::{for_people, is_number};

/// A header, a rule and a line a row.
pub(crate) fn markdown(out: &mut dyn Write, names: &[&str], rows: &[Vec<Value>]) -> io::Result<()> {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.write_all(line(names.iter().map(|name| escaped(name)).collect()).as_bytes())?;
    let rule = (0..names.len())
        .map(|column| {
            let numbers = rows.iter().filter_map(|row| row.get(column)).any(is_number);
            if numbers { "---:" } else { "---" }.to_owned()
        })
        .collect();
    out.write_all(line(rule).as_bytes())?;
    for row in rows {
        out.write_all(line(row.iter().map(|cell| escaped(&for_people(cell))).collect()).as_bytes())?;
    }
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_escaped() {
        let mut out = Vec::new();
        markdown(&mut out, &["a", "n"], &[vec![Value::Str("x|y".into()), Value::Int(1)]]).expect("writes");
        assert_eq!(String::from_utf8(out).expect("is text"), "| a | n |\n| --- | ---: |\n| x\\|y | 1 |\n");
    }
}
