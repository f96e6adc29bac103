//! A row as a list of its values, for answers wider than a terminal.

use std::io::{self, Write};

use throughline::Value;
use unicode_width::UnicodeWidthStr;

use super::text::for_people;

/// Every row under a rule with its number, a line a column; what is NULL is left out.
pub(crate) fn records(
    out: &mut dyn Write,
    names: &[&str],
    rows: &[Vec<Value>],
    width: usize,
) -> io::Result<()> {
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    for (place, row) in rows.iter().enumerate() {
        let rule = format!("── {} ", place + 1);
        writeln!(out, "{rule}{}", "─".repeat(width.saturating_sub(rule.width())))?;
        for (name, cell) in names.iter().zip(row).filter(|(_, cell)| **cell != Value::Null) {
            writeln!(out, "{name}{}  {}", " ".repeat(widest - name.width()), for_people(cell))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_one_under_the_other() {
        let rows = [
            vec![Value::Str("crm:1".into()), Value::Int(3), Value::Null],
            vec![Value::Str("crm:2".into()), Value::Int(4), Value::Bool(true)],
        ];
        let mut out = Vec::new();
        records(&mut out, &["customer", "contacts", "open"], &rows, 12).expect("writes");
        assert_eq!(
            String::from_utf8(out).expect("is text"),
            "── 1 ───────\ncustomer  crm:1\ncontacts  3\n── 2 ───────\ncustomer  crm:2\ncontacts  4\nopen      true\n"
        );
    }
}
