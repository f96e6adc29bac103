//! Answers as plain tables of text, to be compared and to be read in a golden file.

use throughline::{Answer, Value};

/// A table of text cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The answer, cell by cell.
    pub fn of(answer: &Answer) -> Self {
        Self {
            columns: answer.columns().iter().map(|column| column.name.clone()).collect(),
            rows: answer.rows().iter().map(|row| row.iter().map(show).collect()).collect(),
        }
    }

    /// The columns called `names`, in that order.
    ///
    /// # Panics
    /// Where there is no column of a name.
    #[must_use]
    pub fn select(&self, names: &[&str]) -> Self {
        let places: Vec<usize> = names
            .iter()
            .map(|name| {
                let place = self.columns.iter().position(|column| column == name);
                place.unwrap_or_else(|| panic!("no column {name} among {:?}", self.columns))
            })
            .collect();
        Self {
            columns: names.iter().map(|&name| name.to_owned()).collect(),
            rows: self
                .rows
                .iter()
                .map(|row| places.iter().map(|&place| row[place].clone()).collect())
                .collect(),
        }
    }

    /// With the rows in the order of their text.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.rows.sort();
        self
    }

    /// As CSV, each line ended.
    ///
    /// # Panics
    /// Never: writing to memory does not fail.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.columns).expect("writes to memory");
        for row in &self.rows {
            writer.write_record(row).expect("writes to memory");
        }
        String::from_utf8(writer.into_inner().expect("writes to memory")).expect("is text")
    }

    /// Reads CSV with a header.
    ///
    /// # Panics
    /// Where it is not CSV.
    pub fn from_csv(text: &str) -> Self {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let columns = cells(reader.headers().expect("has a header"));
        let rows = reader.records().map(|record| cells(&record.expect("is CSV"))).collect();
        Self { columns, rows }
    }
}

/// A value as text: NULL is empty (`null` inside a list), a time RFC 3339 in
/// UTC, a duration `1d 2h 3m 4s 5ms`, a float to six places.
pub fn show(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => show_float(*number),
        Value::Time(at) => show_time(*at),
        Value::Duration(length) => show_duration(*length),
        Value::Str(text) => text.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| if *item == Value::Null { "null".to_owned() } else { show(item) })
                .collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// To six places, without the zeros at the end.
pub fn show_float(number: f64) -> String {
    let text = format!("{number:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// RFC 3339 in UTC.
///
/// # Panics
/// For a time that is no date.
pub fn show_time(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).expect("is a date").to_string()
}

/// `1d 2h 3m 4s 5ms`, `0s` for none.
pub fn show_duration(length: i64) -> String {
    if length < 0 {
        return format!("-{}", show_duration(-length));
    }
    let mut rest = length;
    let mut parts = Vec::new();
    for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")] {
        if rest >= unit {
            parts.push(format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        let check = |value: Value, expected: &str| assert_eq!(show(&value), expected);
        check(Value::Null, "");
        check(Value::Float(2.0 / 3.0), "0.666667");
        check(Value::Float(-0.0), "0");
        check(Value::Duration(93_784_005), "1d 2h 3m 4s 5ms");
        check(Value::Duration(0), "0s");
        check(Value::Time(1_767_225_600_000), "2026-01-01T00:00:00Z");
        check(Value::List(vec![Value::Int(1), Value::Null]), "[1, null]");
    }
}
