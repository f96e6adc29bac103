//! What a query answers: columns, rows, and what should be known about them.

use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use throughline_engine::{AttrId, IdentityOrdinal};

use crate::diagnostics::Diagnostic;
use crate::rows::env::Env;
use crate::rows::{BuildFolding, Cell, RowBatch};
use crate::value::Value;

pub use crate::rows::env::QueryLimit;
pub use crate::rows::{RowColumn, RowSchema, RowType};
pub use drawing::DrawingError;
pub use row::RowError;

mod drawing;
mod row;

/// The answer to a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    columns: Vec<RowColumn>,
    rows: Vec<Vec<Value>>,
    notes: Vec<String>,
    warnings: Vec<Diagnostic>,
}

impl Answer {
    /// An answer of these rows; each has a value a column.
    pub fn new(schema: RowSchema, rows: Vec<Vec<Value>>) -> Self {
        Self { columns: schema.columns, rows, notes: Vec::new(), warnings: Vec::new() }
    }

    /// Shows the rows of a query: symbols as text, customers as identities.
    pub(crate) fn from_batch(schema: &RowSchema, batch: &RowBatch, env: &Env) -> Result<Self, QueryLimit> {
        let (symbols, customers, identities) = <_>::default();
        let mut show = Show { env, symbols, customers, identities };
        let columns: Vec<&[Cell]> = (0..schema.columns.len())
            .map(|place| batch.columns.get(place).map_or(&[][..], Vec::as_slice))
            .collect();
        let mut rows = Vec::with_capacity(batch.len);
        for row in 0..batch.len {
            let mut values = Vec::with_capacity(columns.len());
            for column in &columns {
                values.push(show.value(column.get(row).unwrap_or(&Cell::Null))?);
            }
            rows.push(values);
        }
        Ok(Self::new(schema.clone(), rows))
    }

    /// With something worth knowing that is no warning.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// With warnings about the query.
    #[must_use]
    pub fn with_warnings(mut self, warnings: impl IntoIterator<Item = Diagnostic>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[RowColumn] {
        &self.columns
    }

    /// The rows, in order; a value a column.
    pub fn rows(&self) -> &[Vec<Value>] {
        &self.rows
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What is worth knowing: interactions passed over and why, groups that overlap.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Warnings about the query: values that never occur, and the like.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The value in a row (from 0) of the column called `name`, ignoring case.
    pub fn get(&self, row: usize, name: &str) -> Option<&Value> {
        let place = self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))?;
        self.rows.get(row)?.get(place)
    }

    /// Every row as a struct (fields by the names of columns), a tuple or a
    /// map. NULL goes into `Option`, times into `String` (RFC 3339) or `i64`
    /// (milliseconds since 1970 UTC), durations into numbers of seconds, lists
    /// into `Vec`.
    ///
    /// ```
    /// # use throughline::answer::Answer;
    /// #[derive(serde::Deserialize)]
    /// struct Topic { topic: String, customers: u64 }
    /// let topics: Vec<Topic> = Answer::default().into_structs().expect("columns fit");
    /// ```
    ///
    /// # Errors
    /// The row and what does not fit.
    pub fn into_structs<T: DeserializeOwned>(self) -> Result<Vec<T>, RowError> {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        self.rows
            .iter()
            .enumerate()
            .map(|(number, values)| {
                T::deserialize(row::Row { names: &names, values }).map_err(|error| error.in_row(number))
            })
            .collect()
    }
}

/// Shows cells, each symbol, customer and identity looked up once.
struct Show<'a> {
    env: &'a Env<'a>,
    symbols: HashMap<(AttrId, u32), Arc<str>, BuildFolding>,
    customers: HashMap<u32, Arc<str>, BuildFolding>,
    identities: HashMap<IdentityOrdinal, Arc<str>, BuildFolding>,
}

impl Show<'_> {
    fn value(&mut self, cell: &Cell) -> Result<Value, QueryLimit> {
        let env = self.env;
        Ok(match cell {
            Cell::Null => Value::Null,
            Cell::Bool(truth) => Value::Bool(*truth),
            Cell::Int(number) => Value::Int(*number),
            Cell::Float(number) => Value::Float(*number),
            Cell::Time(at) => Value::Time(*at),
            Cell::Duration(length) => Value::Duration(*length),
            Cell::Str(text) => Value::Str(text.clone()),
            Cell::Symbol(attr, symbol) => {
                let text = self.symbols.entry((*attr, *symbol));
                Value::Str(text.or_insert_with(|| env.snapshot.symbol_text(*attr, *symbol)).clone())
            }
            Cell::Customer(customer) => Value::Str(match self.customers.get(customer) {
                Some(name) => name.clone(),
                None => {
                    let name: Arc<str> = env.snapshot.customer_name(*customer)?.into();
                    self.customers.insert(*customer, name.clone());
                    name
                }
            }),
            Cell::Identity(identity) => Value::Str(match self.identities.get(identity) {
                Some(text) => text.clone(),
                None => {
                    let text: Arc<str> = env.snapshot.identity_name(*identity)?.into();
                    self.identities.insert(*identity, text.clone());
                    text
                }
            }),
            Cell::List(items) => {
                Value::List(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn answer() -> Answer {
        let columns = [
            ("topic", RowType::Text),
            ("customers", RowType::Int),
            ("span", RowType::Duration),
            ("at", RowType::Time),
            ("agents", RowType::List(Box::new(RowType::Text))),
            ("fcr", RowType::Bool),
        ];
        let columns = columns.map(|(name, ty)| RowColumn { name: name.into(), ty }).into();
        let row = |topic: &str, span, fcr: Option<bool>| {
            vec![
                topic.into(),
                3_i64.into(),
                Value::Duration(span),
                Value::Time(0),
                vec!["ann", "bob"].into(),
                fcr.into(),
            ]
        };
        Answer::new(
            RowSchema { columns },
            vec![row("billing", 90_000, None), row("login", 1_500, Some(true))],
        )
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Topic {
        Billing,
        Login,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Typed {
        topic: Topic,
        customers: u32,
        span: f64,
        at: String,
        agents: Vec<String>,
        fcr: Option<bool>,
    }

    #[test]
    fn rows_become_structs() {
        let agents = || vec!["ann".to_owned(), "bob".to_owned()];
        let at = || "1970-01-01T00:00:00Z".to_owned();
        let expected = vec![
            Typed { topic: Topic::Billing, customers: 3, span: 90.0, at: at(), agents: agents(), fcr: None },
            Typed {
                topic: Topic::Login,
                customers: 3,
                span: 1.5,
                at: at(),
                agents: agents(),
                fcr: Some(true),
            },
        ];
        assert_eq!(answer().into_structs::<Typed>(), Ok(expected));
    }

    #[test]
    fn tuples_by_place_and_times_as_numbers() {
        type Row = (String, i64, f64, i64, Vec<String>, Option<bool>);
        let rows: Vec<Row> = answer().into_structs().expect("fits");
        assert_eq!(rows.first().map(|row| (row.1, row.3)), Some((3, 0)));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        #[derive(Debug, Deserialize)]
        struct Wrong {
            #[expect(dead_code, reason = "only read by serde")]
            fcr: bool,
        }
        let error = answer().into_structs::<Wrong>().expect_err("NULL is no bool").to_string();
        assert!(error.contains("row 1") && error.contains("`fcr`"), "{error}");
    }

    #[test]
    fn values_by_name() {
        assert_eq!(answer().get(1, "TOPIC"), Some(&"login".into()));
        assert_eq!(answer().get(2, "topic"), None);
        assert_eq!(answer().get(0, "nothing"), None);
    }
}
