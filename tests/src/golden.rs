//! Golden cases: a text file a case, with data, a query and what it answers.
//!
//! A case is made of sections, each begun by a line `-- name`:
//!
//! | section | what stands in it |
//! | --- | --- |
//! | `why` | how the answer was worked out, without running anything |
//! | `data` | interactions as CSV, or the name of a CSV file beside the case |
//! | `customers` | customer attributes as CSV (optional) |
//! | `links` | what is said of identities and when, a line each: `2026-02-01 link phone:1 crm:42 0.9 chat`, where confidence and source may be left out, or `2026-02-01 unlink phone:1 crm:42 chat` (optional) |
//! | `now` | what the clock shows while it is asked, and what is run before (optional; else the time that it is) |
//! | `params` | `name type value`, a line each (optional) |
//! | `before` | queries that are run before it, a line each, such as those that save cohorts (optional) |
//! | `query` | the query |
//! | `answer` | the rows as CSV, in order, with the names of the columns |
//! | `error` | `at: …` the text that is underlined, `says: …` words in the message |
//! | `warning` | as `error`, beside an answer |
//! | `notes` | words that the answer's notes hold, a line each (optional) |

use std::collections::BTreeMap;
use std::path::Path;

use throughline::engine::{AttrType, Batch, Db, Identity, Link, Subject, ValueRef};
use throughline::{Params, Value};

use crate::store::Store;
use crate::table::Table;

const SECTIONS: [&str; 12] = [
    "why",
    "data",
    "customers",
    "links",
    "now",
    "params",
    "before",
    "query",
    "answer",
    "error",
    "warning",
    "notes",
];

/// A golden case.
#[derive(Clone, Debug, Default)]
pub struct Case {
    sections: BTreeMap<String, String>,
}

impl Case {
    /// Reads a case. Files of data are looked for in `folder`.
    ///
    /// # Panics
    /// Where it is not a case.
    pub fn parse(text: &str, folder: &Path) -> Self {
        let mut case = Self::default();
        let mut section = None;
        for line in text.lines() {
            match line.strip_prefix("-- ").filter(|name| SECTIONS.contains(name)) {
                Some(name) => {
                    assert!(case.get(name).is_none(), "two sections `{name}`");
                    case.sections.insert(name.to_owned(), String::new());
                    section = Some(name);
                }
                None => {
                    let section = section.unwrap_or_else(|| panic!("`{line}` stands before all sections"));
                    let body = case.sections.get_mut(section).expect("was begun");
                    body.push_str(line);
                    body.push('\n');
                }
            }
        }
        assert!(case.get("why").is_some_and(|why| why.len() > 10), "say why the answer is right");
        for name in ["data", "customers"] {
            if let Some(body) = case.sections.get_mut(name)
                && body.trim().ends_with(".csv")
            {
                *body = std::fs::read_to_string(folder.join(body.trim())).expect("the data is there");
            }
        }
        case
    }

    /// The text of a section, trimmed.
    pub fn get(&self, section: &str) -> Option<&str> {
        self.sections.get(section).map(|body| body.trim())
    }

    /// The parameters of the query.
    ///
    /// # Panics
    /// For a line that is not one.
    pub fn params(&self) -> Params {
        let line = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_else(|| panic!("`{line}` is not `name type value`"));
            let (name, ty, value) = (word().to_owned(), word(), word());
            let number = || value.parse::<i64>().expect("a whole number");
            let value = match ty {
                "int" => Value::Int(number()),
                "float" => Value::Float(value.parse().expect("a number")),
                "text" => Value::Str(value.into()),
                "duration" => Value::Duration(number()),
                "time" => Value::Time(instant(value)),
                "list" => Value::List(value.split(',').map(|item| Value::Str(item.trim().into())).collect()),
                other => panic!("no type {other}"),
            };
            (name, value)
        };
        self.get("params").map(|body| body.lines().map(line).collect()).unwrap_or_default()
    }

    /// Imports the customers and the data into a store. Rows with a column
    /// `recorded` are recorded then: one import for each of its times, the
    /// earliest first; what is said of identities at a time follows it.
    ///
    /// # Panics
    /// Where the data is not as described in [`load`].
    pub fn load(&self, store: &Store) {
        let customers = self.get("customers").map(|body| (body, Subject::Customer));
        let data = (self.get("data").expect("a case has data"), Subject::Interaction);
        let mut imports: BTreeMap<i64, Vec<(Table, Subject)>> = BTreeMap::new();
        for (body, subject) in customers.into_iter().chain([data]) {
            for (recorded, table) in by_recording(Table::from_csv(body)) {
                imports.entry(recorded).or_default().push((table, subject));
            }
        }
        let said = self.said();
        for &recorded in said.keys() {
            imports.entry(recorded).or_default();
        }
        for (recorded, tables) in imports {
            store.set_clock(recorded);
            tables.iter().for_each(|(table, subject)| load(store.db(), table, *subject));
            said.get(&recorded).into_iter().flatten().for_each(|line| say(store.db(), line));
        }
        store.set_clock(self.now());
    }

    /// As [`Case::load`], where rows have a column `recorded`: all of them come later, each with that
    /// as its own recording time. Answers whether there is such a column.
    ///
    /// # Panics
    /// As [`Case::load`].
    pub fn load_later(&self, store: &Store) -> bool {
        let customers = self.get("customers").map(|body| (body, Subject::Customer));
        let data = (self.get("data").expect("a case has data"), Subject::Interaction);
        let tables =
            customers.into_iter().chain([data]).map(|(body, subject)| (Table::from_csv(body), subject));
        let tables: Vec<(Table, Subject)> = tables.collect();
        let recorded = |(table, _): &(Table, Subject)| by_recording(table.clone()).into_keys().max();
        let Some(last) = tables.iter().filter_map(recorded).max().filter(|&last| last > 0) else {
            return false;
        };
        store.set_clock(last + 1);
        tables.iter().for_each(|(table, subject)| load(store.db(), table, *subject));
        for (recorded, lines) in self.said() {
            store.set_clock(recorded.max(last + 1));
            lines.into_iter().for_each(|line| say(store.db(), line));
        }
        store.set_clock(self.now());
        true
    }

    /// What the clock shows; 0 for the time that it is.
    fn now(&self) -> i64 {
        self.get("now").map_or(0, instant)
    }

    /// What is said of identities, by when.
    fn said(&self) -> BTreeMap<i64, Vec<&str>> {
        let mut said: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        for line in self.get("links").unwrap_or_default().lines() {
            let (recorded, rest) = line.split_once(' ').expect("a time, and what is said");
            said.entry(instant(recorded)).or_default().push(rest);
        }
        said
    }
}

/// Says something of two identities: `link phone:1 crm:42 0.9 chat`.
fn say(db: &Db, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let identity = |text: &str| Identity::parse(text).expect("an identity");
    let link = |one, other| Link::new(identity(one), identity(other)).expect("are two");
    let sure = |text: &str| text.parse().expect("a confidence");
    match words.as_slice() {
        ["link", one, other] => db.link([link(one, other)]).map(drop),
        ["link", one, other, confidence] => {
            db.link([link(one, other).with_confidence(sure(confidence)).expect("is one")]).map(drop)
        }
        ["link", one, other, confidence, source] => {
            let link = link(one, other).with_confidence(sure(confidence)).expect("is one");
            db.link([link.with_source(*source)]).map(drop)
        }
        ["unlink", one, other] => db.unlink(&identity(one), &identity(other), "").map(drop),
        ["unlink", one, other, source] => db.unlink(&identity(one), &identity(other), source).map(drop),
        _ => panic!("`{line}` is neither `link one other` nor `unlink one other`"),
    }
    .expect("is said");
}

/// The rows of each `recorded` time; all of them under 0 where there is no such column.
fn by_recording(table: Table) -> BTreeMap<i64, Table> {
    let Some(column) = table.columns.iter().position(|name| name == "recorded") else {
        return BTreeMap::from([(0, table)]);
    };
    let mut parts: BTreeMap<i64, Table> = BTreeMap::new();
    for mut row in table.rows {
        let recorded = instant(&row.remove(column));
        let part = parts.entry(recorded).or_insert_with(|| {
            let mut columns = table.columns.clone();
            columns.remove(column);
            Table { columns, rows: Vec::new() }
        });
        part.rows.push(row);
    }
    parts
}

/// Imports a table: `customer`, `at` (not for customers), `recorded` (where rows have recording
/// times of their own) and attributes, whose
/// type stands after a colon where no core attribute has the name (`queue:symbol`).
/// The position in the table orders equal times.
///
/// # Panics
/// Where a cell does not parse.
pub fn load(db: &Db, table: &Table, subject: Subject) {
    let mut import = db.import("golden").expect("an import begins");
    let mut attributes = Vec::new();
    for column in table.columns.iter().filter(|name| !["customer", "at", "recorded"].contains(&name.as_str()))
    {
        let (name, ty) = column.split_once(':').unwrap_or((column, "symbol"));
        let ty = AttrType::parse(ty).expect("a type");
        let known = import.schema().find(subject, name).map(|attribute| attribute.id);
        let id = known.unwrap_or_else(|| import.declare(subject, name, ty, None).expect("declares"));
        attributes.push((column.clone(), id));
    }
    let schema = import.schema().clone();
    let mut batch = Batch::new(&schema);
    let cell = |row: &[String], name: &str| {
        table.columns.iter().position(|column| column == name).map(|place| row[place].clone())
    };
    for (place, row) in table.rows.iter().enumerate() {
        let customer = cell(row, "customer").expect("a column `customer`");
        let at = cell(row, "at").map_or(0, |at| instant(&at));
        batch.begin(&Identity::parse(&customer).expect("an identity"), at);
        batch.sequence(place as u64);
        if let Some(recorded) = cell(row, "recorded") {
            batch.recorded(instant(&recorded));
        }
        for (column, id) in &attributes {
            let text = cell(row, column).unwrap_or_default();
            if text.is_empty() {
                continue;
            }
            let value = match schema.get(*id).expect("is declared").ty {
                AttrType::Symbol | AttrType::Id | AttrType::Text => ValueRef::Str(&text),
                AttrType::Int => ValueRef::Int(text.parse().expect("a whole number")),
                AttrType::Float => ValueRef::Float(text.parse().expect("a number")),
                AttrType::Bool => ValueRef::Bool(text.parse().expect("true or false")),
                AttrType::Time => ValueRef::Time(instant(&text)),
            };
            batch.set(*id, value).expect("fits its attribute");
        }
    }
    match subject {
        Subject::Interaction => import.push(batch),
        Subject::Customer => import.push_customers(batch),
    }
    .expect("is taken");
    import.commit().expect("commits");
}

/// A time as RFC 3339, or a date.
///
/// # Panics
/// For anything else.
pub fn instant(text: &str) -> i64 {
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    text.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{text}: {error}")).as_millisecond()
}

/// The text that a message underlines with `^`: what stands above the carets.
pub fn underlined(message: &str) -> Option<String> {
    let lines: Vec<&str> = message.lines().collect();
    let place = lines.iter().position(|line| line.contains('^'))?;
    let from = lines[place].chars().position(|letter| letter == '^')?;
    let length = lines[place].chars().skip(from).take_while(|&letter| letter == '^').count();
    let above = lines.get(place.checked_sub(1)?)?;
    Some(above.chars().skip(from).take(length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_underlined() {
        let check = |message: &str, expected: Option<&str>| {
            assert_eq!(underlined(message).as_deref(), expected);
        };
        check("error\n  | WHERE chanel = 1\n  |       ^^^^^^ no such", Some("chanel"));
        check("error", None);
    }
}
