//! Compiled expressions: evaluation of one row, and the shape that lets a
//! predicate be answered column by column.

use std::cmp::Ordering;
use std::sync::Arc;

use throughline_engine::{AttrId, Column as StoredColumn};

use super::cell::{compare, equal};
use super::env::Env;
use super::functions::Function;
use super::like::LikePattern;
use super::{Cell, RowType};
use crate::syntax::ast::{BinaryOp, Span};

/// Where an expression reads its columns.
pub(crate) trait Cells {
    /// The cell of a column; NULL where there is none.
    fn cell(&self, slot: usize) -> Cell;
}

/// A row without columns: what constants are evaluated over.
pub(crate) struct NoCells;

impl Cells for NoCells {
    fn cell(&self, _slot: usize) -> Cell {
        Cell::Null
    }
}

/// A compiled expression. It owns its data, and threads share it.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    /// The type of its values.
    pub ty: RowType,
    /// The symbol attribute that all its values are symbols of, where known.
    pub attr: Option<AttrId>,
    /// Its place in the query.
    pub span: Span,
    pub(super) node: Node,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Constant(Cell),
    Slot(usize),
    /// An attribute of the customer in a slot.
    CustomerAttribute {
        slot: usize,
        attr: AttrId,
        column: Arc<StoredColumn>,
    },
    ToFloat(Box<Typed>),
    /// The text of a customer or an identity.
    ToText(Box<Typed>),
    Not(Box<Typed>),
    Negate(Box<Typed>),
    And(Box<Typed>, Box<Typed>),
    Or(Box<Typed>, Box<Typed>),
    Compare(BinaryOp, Box<Typed>, Box<Typed>),
    Arithmetic(BinaryOp, Box<Typed>, Box<Typed>),
    /// Constants without NULL; `with_null` where the list had one.
    InSet {
        value: Box<Typed>,
        cells: Vec<Cell>,
        with_null: bool,
    },
    Like(Box<Typed>, LikePattern),
    LikeExpr(Box<Typed>, Box<Typed>),
    IsNull(Box<Typed>),
    Case(Vec<(Typed, Typed)>, Box<Typed>),
    Item(Box<Typed>, Box<Typed>),
    Call(Function, Vec<Typed>),
}

/// What a predicate is, as far as it can be answered column by column.
pub(crate) enum Shape<'a> {
    /// Both hold (three-valued).
    And(&'a Typed, &'a Typed),
    /// One holds (three-valued).
    Or(&'a Typed, &'a Typed),
    /// The opposite; NULL stays NULL.
    Not(&'a Typed),
    /// `column op constant`; the constant is not NULL. A `Cell::Str` beside a
    /// symbol column under `=` or `<>` is a value that does not occur.
    Compare { slot: usize, op: BinaryOp, constant: &'a Cell },
    /// `column IN (constants)`, none of them NULL.
    InSet { slot: usize, cells: &'a [Cell] },
    /// The same for every row.
    Constant(&'a Cell),
    /// Anything else. Where [`Typed::slots`] is one column, evaluating it once
    /// a distinct value is enough.
    Other,
}

impl Typed {
    pub(super) fn new(ty: RowType, span: Span, node: Node) -> Self {
        Self { ty, attr: None, span, node }
    }

    /// An expression that is `cell` for every row.
    pub(crate) fn from_cell(cell: Cell, span: Span) -> Self {
        let attr = match cell {
            Cell::Symbol(attr, _) => Some(attr),
            _ => None,
        };
        Self { ty: cell.ty(), attr, span, node: Node::Constant(cell) }
    }

    /// An expression that reads a column.
    pub(crate) fn from_slot(slot: usize, ty: RowType, attr: Option<AttrId>) -> Self {
        Self { ty, attr, span: Span::default(), node: Node::Slot(slot) }
    }

    /// The cell, where it is the same for every row.
    pub(crate) fn constant(&self) -> Option<&Cell> {
        match &self.node {
            Node::Constant(cell) => Some(cell),
            _ => None,
        }
    }

    /// The column, where it is nothing but one.
    pub(crate) fn slot(&self) -> Option<usize> {
        match self.node {
            Node::Slot(slot) => Some(slot),
            _ => None,
        }
    }

    /// The columns it reads, ascending, each once.
    pub(crate) fn slots(&self) -> Vec<usize> {
        let mut slots = Vec::new();
        self.collect_slots(&mut slots);
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    fn collect_slots(&self, slots: &mut Vec<usize>) {
        if let Node::Slot(slot) | Node::CustomerAttribute { slot, .. } = &self.node {
            slots.push(*slot);
        }
        self.parts().into_iter().for_each(|part| part.collect_slots(slots));
    }

    /// The customer attributes it reads, each as the expression that reads it.
    pub(crate) fn customer_attributes(&self) -> Vec<(AttrId, &Typed)> {
        match &self.node {
            Node::CustomerAttribute { attr, .. } => vec![(*attr, self)],
            _ => self.parts().into_iter().flat_map(Self::customer_attributes).collect(),
        }
    }

    /// The expressions that it is made of.
    fn parts(&self) -> Vec<&Self> {
        match &self.node {
            Node::Constant(_) | Node::Slot(_) | Node::CustomerAttribute { .. } => Vec::new(),
            Node::ToFloat(x)
            | Node::ToText(x)
            | Node::Not(x)
            | Node::Negate(x)
            | Node::IsNull(x)
            | Node::Like(x, _) => {
                vec![x]
            }
            Node::And(a, b)
            | Node::Or(a, b)
            | Node::Compare(_, a, b)
            | Node::Arithmetic(_, a, b)
            | Node::LikeExpr(a, b)
            | Node::Item(a, b) => vec![a, b],
            Node::InSet { value, .. } => vec![value],
            Node::Case(branches, otherwise) => {
                let branches = branches.iter().flat_map(|(condition, result)| [condition, result]);
                branches.chain([&**otherwise]).collect()
            }
            Node::Call(_, args) => args.iter().collect(),
        }
    }

    /// Its shape.
    pub(crate) fn shape(&self) -> Shape<'_> {
        match &self.node {
            Node::Constant(cell) => Shape::Constant(cell),
            Node::And(a, b) => Shape::And(a, b),
            Node::Or(a, b) => Shape::Or(a, b),
            Node::Not(x) => Shape::Not(x),
            Node::Compare(op, a, b) => match (&a.node, &b.node) {
                (Node::Slot(slot), Node::Constant(constant)) if !constant.is_null() => {
                    Shape::Compare { slot: *slot, op: *op, constant }
                }
                _ => Shape::Other,
            },
            Node::InSet { value, cells, with_null: false } => match value.node {
                Node::Slot(slot) => Shape::InSet { slot, cells },
                _ => Shape::Other,
            },
            _ => Shape::Other,
        }
    }

    /// Whether it holds for a row; `None` for NULL, and for what is no predicate.
    pub(crate) fn truth(&self, row: &dyn Cells, env: &Env) -> Option<bool> {
        match &self.node {
            Node::Not(x) => x.truth(row, env).map(|truth| !truth),
            Node::And(a, b) => match a.truth(row, env) {
                Some(false) => Some(false),
                Some(true) => b.truth(row, env),
                None => b.truth(row, env).filter(|truth| !truth),
            },
            Node::Or(a, b) => match a.truth(row, env) {
                Some(true) => Some(true),
                Some(false) => b.truth(row, env),
                None => b.truth(row, env).filter(|truth| *truth),
            },
            Node::Compare(op, a, b) => compared(*op, &a.eval(row, env), &b.eval(row, env), env),
            Node::InSet { value, cells, with_null } => {
                let value = value.eval(row, env);
                if value.is_null() {
                    return None;
                }
                if cells.iter().any(|cell| equal(&value, cell, env) == Some(true)) {
                    return Some(true);
                }
                (!with_null).then_some(false)
            }
            Node::Like(value, pattern) => value.eval(row, env).with_text(env, |text| pattern.matches(text)),
            Node::LikeExpr(value, pattern) => {
                let pattern = pattern.eval(row, env).with_text(env, LikePattern::new)?;
                value.eval(row, env).with_text(env, |text| pattern.matches(text))
            }
            Node::IsNull(value) => Some(value.eval(row, env).is_null()),
            _ => match self.eval(row, env) {
                Cell::Bool(truth) => Some(truth),
                _ => None,
            },
        }
    }

    /// Its value for a row. Overflows are noted in `env`, and NULL.
    pub(crate) fn eval(&self, row: &dyn Cells, env: &Env) -> Cell {
        match &self.node {
            Node::Constant(cell) => cell.clone(),
            Node::Slot(slot) => row.cell(*slot),
            Node::CustomerAttribute { slot, attr, column } => match row.cell(*slot) {
                Cell::Customer(customer) => stored(column, *attr, &self.ty, customer as usize),
                _ => Cell::Null,
            },
            Node::ToFloat(x) => x.eval(row, env).as_float().map_or(Cell::Null, Cell::Float),
            Node::ToText(x) => x.eval(row, env).as_text(env).map_or(Cell::Null, Cell::Str),
            Node::Negate(x) => self.negated(x.eval(row, env), env),
            Node::Arithmetic(op, a, b) => {
                super::arithmetic::apply(*op, &a.eval(row, env), &b.eval(row, env), self.span, env)
            }
            Node::Case(branches, otherwise) => {
                for (condition, result) in branches {
                    if condition.truth(row, env) == Some(true) {
                        return result.eval(row, env);
                    }
                }
                otherwise.eval(row, env)
            }
            Node::Item(list, place) => match (list.eval(row, env), place.eval(row, env)) {
                (Cell::List(items), Cell::Int(place)) => item(&items, place),
                _ => Cell::Null,
            },
            Node::Call(function, args) => function.eval(args, row, env),
            Node::Not(_)
            | Node::And(..)
            | Node::Or(..)
            | Node::Compare(..)
            | Node::InSet { .. }
            | Node::Like(..)
            | Node::LikeExpr(..)
            | Node::IsNull(_) => self.truth(row, env).map_or(Cell::Null, Cell::Bool),
        }
    }

    fn negated(&self, cell: Cell, env: &Env) -> Cell {
        let whole = |number: i64, make: fn(i64) -> Cell| match number.checked_neg() {
            Some(number) => make(number),
            None => {
                env.note_overflow(self.span);
                Cell::Null
            }
        };
        match cell {
            Cell::Int(number) => whole(number, Cell::Int),
            Cell::Duration(number) => whole(number, Cell::Duration),
            Cell::Float(number) => Cell::Float(-number),
            _ => Cell::Null,
        }
    }
}

/// `x[1]` is the first item, `x[-1]` the last; NULL outside.
fn item(items: &[Cell], place: i64) -> Cell {
    let index = match place {
        0 => None,
        1.. => usize::try_from(place - 1).ok(),
        _ => usize::try_from(place.unsigned_abs()).ok().and_then(|back| items.len().checked_sub(back)),
    };
    index.and_then(|index| items.get(index)).cloned().unwrap_or(Cell::Null)
}

fn compared(op: BinaryOp, a: &Cell, b: &Cell, env: &Env) -> Option<bool> {
    match op {
        BinaryOp::Eq => return equal(a, b, env),
        BinaryOp::Ne => return equal(a, b, env).map(|equal| !equal),
        _ => {}
    }
    let order = compare(a, b, env)?;
    Some(match op {
        BinaryOp::Lt => order == Ordering::Less,
        BinaryOp::Le => order != Ordering::Greater,
        BinaryOp::Gt => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

/// A value of a stored column as a cell of type `ty`.
pub(crate) fn stored(column: &StoredColumn, attr: AttrId, ty: &RowType, row: usize) -> Cell {
    if column.is_null(row) {
        return Cell::Null;
    }
    match column {
        StoredColumn::Symbol { codes, dictionary } => {
            let code = codes.get(row).copied().unwrap_or(0) as usize;
            dictionary.get(code.wrapping_sub(1)).map_or(Cell::Null, |&symbol| Cell::Symbol(attr, symbol))
        }
        StoredColumn::Str { codes, dictionary } => {
            let code = codes.get(row).copied().unwrap_or(0) as usize;
            if code == 0 { Cell::Null } else { Cell::text(dictionary.get(code - 1)) }
        }
        StoredColumn::Int { values, .. } => match (values.get(row), ty) {
            (None, _) => Cell::Null,
            (Some(&value), RowType::Bool) => Cell::Bool(value != 0),
            (Some(&value), RowType::Time) => Cell::Time(value),
            (Some(&value), RowType::Float) => Cell::Float(value as f64),
            (Some(&value), _) => Cell::Int(value),
        },
        StoredColumn::Float { values, .. } => values.get(row).map_or(Cell::Null, |&value| Cell::Float(value)),
    }
}

/// The type of rows' values for an attribute's type.
pub(crate) fn row_type(ty: throughline_engine::AttrType) -> RowType {
    use throughline_engine::AttrType;
    match ty {
        AttrType::Symbol | AttrType::Id | AttrType::Text => RowType::Text,
        AttrType::Int => RowType::Int,
        AttrType::Float => RowType::Float,
        AttrType::Bool => RowType::Bool,
        AttrType::Time => RowType::Time,
    }
}
