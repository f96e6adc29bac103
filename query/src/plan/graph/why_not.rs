//! Why a customer is behind no row of a graph: no value to be a node of it, or
//! none of the edges or values that the answer is made of.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Compute, GraphOperator};
use crate::plan::cells::in_words;
use crate::plan::nodes::{NodeTable, nodes_of};
use crate::plan::operator::{Asked, Operator, Reason};
use crate::rows::Cell;
use crate::value::counted;

/// Values or loops that one sentence names in full.
const SHOWN: usize = 8;

impl GraphOperator {
    /// What the customer whose journeys flow here lacks of the rows of all.
    pub(super) fn reasons(&self, asked: &Asked<'_>) -> Vec<Reason> {
        let reason = |detail: String, closest: Option<usize>| {
            vec![Reason { step: self.explain().0.to_owned(), holds: false, detail, closest }]
        };
        let values = self.values(asked);
        let name = &self.by.name;
        if values.is_empty() {
            let seen = counted(asked.flow.shown().1, "interaction");
            return reason(format!("none of the {seen} in sight has a value of {name}"), None);
        }
        let column = |place: usize| asked.rows.columns.get(place).map_or(&[][..], Vec::as_slice);
        let none = asked.rows.len == 0;
        let detail = match &self.compute {
            Compute::Edges => return Vec::new(),
            Compute::Cheapest(from, to) if none => {
                format!("no way leads from '{from}' to '{to}' in the graph of all journeys")
            }
            Compute::Loops if none => "the graph of all journeys has no loop".to_owned(),
            Compute::Dominators(of) if none => {
                format!("nothing comes before '{of}' in every journey that has it, or no journey has it")
            }
            Compute::Cheapest(from, to) => {
                let hops = column(1).iter().zip(column(2));
                let hops: Vec<String> = hops
                    .map(|(a, b)| format!("{} to {}", in_words(a, asked.env), in_words(b, asked.env)))
                    .collect();
                format!("it goes none of the steps of the way from '{from}' to '{to}': {}", listed(&hops))
            }
            Compute::Loops => {
                let loops: Vec<String> = column(0).iter().map(|cell| in_words(cell, asked.env)).collect();
                format!("it takes no step from a value of a loop to one of the same: {}", listed(&loops))
            }
            Compute::Dominators(of) => {
                let passed: Vec<String> = column(1).iter().map(|cell| in_words(cell, asked.env)).collect();
                format!(
                    "it has none of what comes before '{of}' in every journey that has it: {}",
                    listed(&passed)
                )
            }
        };
        // The last interaction with a value that the answer is about.
        let about = self.about(asked);
        let closest = values.iter().rev().find(|(_, value)| about.contains(&**value));
        let Some((row, value)) = closest else { return reason(detail, None) };
        let has = match &self.compute {
            Compute::Dominators(_) => "",
            _ => &format!("; the last that it has of their values is '{value}'"),
        };
        reason(format!("{detail}{has}"), Some(asked.flow.whole_row(*row)))
    }

    /// The rows in sight that have a value, with it, ascending.
    fn values(&self, asked: &Asked<'_>) -> Vec<(usize, Arc<str>)> {
        let nodes = nodes_of(&self.by, asked.flow);
        let mut table = NodeTable::new(&self.by);
        let here = table.renamed(nodes.texts);
        let value = |(row, code): (usize, &u32)| {
            let node = code.checked_sub(1)?;
            let node = here.get(node as usize).copied().unwrap_or(node);
            Some((row, table.text(node, asked.env)))
        };
        nodes.codes.iter().enumerate().filter_map(value).collect()
    }

    /// The values that the rows, and what was asked, are about.
    fn about(&self, asked: &Asked<'_>) -> BTreeSet<String> {
        let mut about: BTreeSet<String> = BTreeSet::new();
        match &self.compute {
            Compute::Cheapest(from, to) => about.extend([from.to_string(), to.to_string()]),
            Compute::Dominators(of) => about.extend([of.to_string()]),
            Compute::Edges | Compute::Loops => {}
        }
        let mut left: Vec<&Cell> = asked.rows.columns.iter().flatten().collect();
        while let Some(cell) = left.pop() {
            match cell {
                Cell::List(items) => left.extend(items.iter()),
                cell => about.extend(cell.as_text(asked.env).map(|text| text.to_string())),
            }
        }
        about
    }
}

/// The first of some, and how many more there are.
fn listed(all: &[String]) -> String {
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
