//! Rows: what a journey operator emits, and what the relational tail makes of them.

mod accumulate;
mod aggregate;
mod arithmetic;
mod ascending;
mod batch;
mod calls;
pub(crate) mod cell;
mod cell_table;
mod compile;
mod cost;
pub(crate) mod env;
mod exact_sum;
mod expr;
mod functions;
mod like;
mod literal;
mod named_constants;
mod naming;
pub(crate) mod nearest;
mod quantile;
mod sort;
mod tail;

#[cfg(test)]
mod expr_tests;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tail_tests;

use std::sync::Arc;

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, CustomerOrdinal, IdentityOrdinal, Millis};

pub(crate) use cell_table::{BuildFolding, CellTable};
pub(crate) use compile::{Column, Scope, compile_predicate, unknown_column};
pub(crate) use cost::{Cost, Meter};
pub(crate) use env::{Env, QueryLimit};
pub(crate) use exact_sum::ExactSum;
pub(crate) use expr::{Cells, Shape, Typed, row_type, stored};
pub(crate) use literal::{count_of, duration_of, instant_of, literal, number_of, text_of};
pub(crate) use named_constants::unknown_value;
pub(crate) use quantile::quantile;
pub(crate) use tail::{Partial, Tail, is_row_operator};

/// The type of a column of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowType {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A point in time.
    Time,
    /// A length of time, in milliseconds.
    Duration,
    /// Text: symbols, ids and texts alike.
    Text,
    /// A customer; shown by its identity.
    Customer,
    /// An identity: what a customer goes by.
    Identity,
    /// A list.
    List(Box<RowType>),
    /// NULL throughout.
    Null,
}

/// A column of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowColumn {
    /// Its name; unique in its schema, ignoring case.
    pub name: String,
    /// Its type.
    pub ty: RowType,
}

/// The columns of rows, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowSchema {
    /// The columns.
    pub columns: Vec<RowColumn>,
}

/// A value in a row while a query runs. Symbols, customers and identities stay numbers
/// until they are shown, compared by order or used as text.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Time(Millis),
    Duration(i64),
    Symbol(AttrId, u32),
    Str(Arc<str>),
    Customer(CustomerOrdinal),
    Identity(IdentityOrdinal),
    List(Arc<[Cell]>),
}

/// The customers behind each row (language rule 11).
#[derive(Clone, Debug)]
pub(crate) enum Sets {
    /// One customer a row: what journey operators emit.
    One(Vec<CustomerOrdinal>),
    /// Any number a row.
    Many(Vec<RoaringBitmap>),
}

/// The interactions a row is made of: rows of the customer's whole journey as
/// the snapshot has it (before DURING and WHERE), ascending, counted from 0.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    pub customer: CustomerOrdinal,
    pub places: Arc<[u32]>,
}

/// Some rows, column by column.
#[derive(Clone, Debug)]
pub(crate) struct RowBatch {
    /// How many rows.
    pub len: usize,
    /// A column for each of the schema; a column that nobody reads is empty.
    pub columns: Vec<Vec<Cell>>,
    /// The customers behind each row.
    pub sets: Sets,
    /// The members of each row, where somebody asked and rows have them.
    pub members: Option<Vec<Members>>,
}
