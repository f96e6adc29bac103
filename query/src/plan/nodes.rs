//! The values of one attribute as the nodes of paths and graphs: a number a
//! row in a unit, one number for equal values of all units, and their texts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use throughline_engine::{AttrId, AttrType, Attribute, Column};

use super::flow::Flow;
use super::interaction::named;
use crate::diagnostics::Diagnostic;
use crate::rows::Env;
use crate::syntax::ast::Name;

/// The nodes of a unit's rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnitNodes {
    /// One a row in hand: 0 where it is out of sight or has no value, else the node and 1.
    pub codes: Vec<u32>,
    /// The texts of the nodes; `None` where nodes are symbols of the store.
    pub texts: Option<Vec<Arc<str>>>,
}

/// An attribute whose values can be nodes.
pub(crate) fn node_attribute(name: &Name, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<Attribute> {
    let attribute = named(env.snapshot.schema(), name, sink)?;
    match attribute.ty {
        AttrType::Float | AttrType::Time => {
            let message = format!("`{name}` is measured, and a node is one value of few");
            sink.push(
                Diagnostic::error("E302", name.span, message)
                    .label(format!("of type {}", attribute.ty.name()))
                    .help("name an attribute of words, ids, truths or whole numbers"),
            );
            None
        }
        _ => Some(attribute),
    }
}

/// A code a row of a unit, equal where nodes are and 0 where there is none, and the node and 1 of
/// each code: for who looks at few of the rows. Only where nodes are symbols, and all is in sight.
pub(crate) fn coded_nodes<'a>(attribute: &Attribute, flow: &'a Flow) -> Option<(&'a [u32], Vec<u32>)> {
    match flow.block().column(attribute.id) {
        Some(Column::Symbol { codes, dictionary }) if flow.visible.is_none() && flow.alive.is_none() => {
            let known = dictionary.iter().map(|symbol| symbol.saturating_add(1));
            Some((codes, std::iter::once(0).chain(known).collect()))
        }
        _ => None,
    }
}

/// The nodes that the rows of a unit have by an attribute.
pub(crate) fn nodes_of(attribute: &Attribute, flow: &Flow) -> UnitNodes {
    let block = flow.block();
    if let Some((codes, table)) = coded_nodes(attribute, flow) {
        let code = |&code: &u32| table.get(code as usize).copied().unwrap_or(0);
        return UnitNodes { codes: codes.iter().map(code).collect(), texts: None };
    }
    let mut codes = vec![0; block.rows()];
    let mut nodes = match block.column(attribute.id) {
        Some(Column::Symbol { codes, dictionary }) => Nodes::Symbols(codes, dictionary),
        Some(column) => Nodes::Others(column, Numbered::default()),
        None => Nodes::Symbols(&[], &[]),
    };
    for journey in (0..block.customers.len()).filter(|&journey| flow.lives(journey)) {
        for row in block.journey(journey).filter(|&row| flow.sees(row)) {
            let code = nodes.code(row, attribute.ty == AttrType::Bool);
            if let Some(place) = codes.get_mut(row) {
                *place = code;
            }
        }
    }
    let texts = match nodes {
        Nodes::Others(_, numbered) => Some(numbered.texts),
        Nodes::Symbols(..) => None,
    };
    UnitNodes { codes, texts }
}

enum Nodes<'a> {
    Symbols(&'a [u32], &'a [u32]),
    Others(&'a Column, Numbered),
}

/// Values as numbers, in the order of their first appearance.
#[derive(Debug, Default)]
struct Numbered {
    numbers: HashMap<i64, u32>,
    texts: Vec<Arc<str>>,
}

impl Numbered {
    fn code(&mut self, value: i64, text: impl FnOnce() -> Arc<str>) -> u32 {
        let next = self.texts.len() as u32 + 1;
        *self.numbers.entry(value).or_insert_with(|| {
            self.texts.push(text());
            next
        })
    }
}

impl Nodes<'_> {
    /// The node of a row and 1; 0 where it has no value.
    fn code(&mut self, row: usize, truths: bool) -> u32 {
        match self {
            Self::Symbols(codes, dictionary) => {
                let code = codes.get(row).copied().unwrap_or(0) as usize;
                dictionary.get(code.wrapping_sub(1)).map_or(0, |symbol| symbol.saturating_add(1))
            }
            Self::Others(column, numbered) => match column {
                _ if column.is_null(row) => 0,
                Column::Str { codes, dictionary } => match codes.get(row) {
                    Some(&code) if code > 0 => {
                        numbered.code(i64::from(code), || dictionary.get(code as usize - 1).into())
                    }
                    _ => 0,
                },
                Column::Int { values, .. } => values.get(row).map_or(0, |&value| {
                    numbered.code(value, || match truths {
                        true => if value != 0 { "true" } else { "false" }.into(),
                        false => value.to_string().into(),
                    })
                }),
                // Refused before.
                Column::Float { .. } | Column::Symbol { .. } => 0,
            },
        }
    }
}

/// One number for equal nodes of all units.
#[derive(Debug)]
pub(crate) struct NodeTable {
    attr: AttrId,
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    /// Whether nodes are symbols, which have one number throughout.
    symbols: bool,
    /// Bytes held, about.
    pub bytes: u64,
}

/// Bytes that a text takes in tables and lists, besides its letters.
const TEXT_BYTES: u64 = 64;

/// Bytes of the texts of a unit's nodes, about.
pub(crate) fn texts_bytes(texts: Option<&[Arc<str>]>) -> u64 {
    texts.unwrap_or_default().iter().map(|text| TEXT_BYTES + text.len() as u64).sum()
}

impl NodeTable {
    pub(crate) fn new(attribute: &Attribute) -> Self {
        Self {
            attr: attribute.id,
            numbers: HashMap::new(),
            texts: Vec::new(),
            symbols: attribute.ty == AttrType::Symbol,
            bytes: 0,
        }
    }

    /// Takes in the texts of a unit's nodes; answers the numbers they have
    /// here, by their place. Without texts nodes keep their numbers.
    pub(crate) fn renamed(&mut self, texts: Option<Vec<Arc<str>>>) -> Vec<u32> {
        let mut here = Vec::new();
        for text in texts.into_iter().flatten() {
            let next = self.texts.len() as u32;
            here.push(match self.numbers.entry(text) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(place) => {
                    self.bytes += TEXT_BYTES + place.key().len() as u64;
                    self.texts.push(place.key().clone());
                    *place.insert(next)
                }
            });
        }
        here
    }

    /// The text of a node.
    pub(crate) fn text(&self, node: u32, env: &Env) -> Arc<str> {
        match self.symbols {
            true => env.snapshot.symbol_text(self.attr, node),
            false => self.texts.get(node as usize).cloned().unwrap_or_else(|| "".into()),
        }
    }
}
