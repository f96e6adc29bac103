//! The reference's queries in the words of the language.

use std::collections::BTreeSet;

use crate::reference::View;
use crate::reference::chains::Chains;
use crate::reference::funnel::{Edge, Funnel};
use crate::table::show_time;

/// `FROM journeys |> DURING … |> WHERE …`, with `|>` at the end.
pub fn view(view: &View) -> String {
    let mut text = "FROM journeys".to_owned();
    if let Some((from, to)) = view.during {
        text += &format!("\n|> DURING {} TO {}", instant(from), instant(to));
    }
    if let Some((attr, values)) = &view.only {
        let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
        text += &format!("\n|> WHERE {attr} IN ({})", values.join(", "));
    }
    text + "\n|> "
}

/// `CHAINS …`.
pub fn chains(query: &Chains) -> String {
    let mut text = "CHAINS".to_owned();
    if !query.same.is_empty() {
        text += &format!(" SAME {}", query.same.join(", "));
    }
    text += &format!(" GAP {}ms MIN {}", query.gap, query.min);
    text + &within(query.within) + &started(query.started)
}

/// `FUNNEL …`: an `ON` list where the attribute is not `kind`.
pub fn funnel(query: &Funnel) -> String {
    let list = query.on != "kind";
    let mut text = "FUNNEL ".to_owned();
    if list {
        text += &format!("ON {}: ", query.on);
    }
    for (place, labels) in query.steps.iter().enumerate() {
        if place > 0 {
            text += &edge(query.edges[place - 1]);
        }
        text += &step(labels, list);
    }
    text + &within(query.within) + &started(query.started)
}

fn step(labels: &BTreeSet<String>, list: bool) -> String {
    let labels = labels.iter().cloned().collect::<Vec<_>>().join("|");
    match (list, labels.is_empty()) {
        (true, _) => labels,
        (false, true) => "()".to_owned(),
        (false, false) => format!("(:{labels})"),
    }
}

fn edge(edge: Edge) -> String {
    let least = edge.at_least.map(|length| format!(">= {length}ms"));
    let most = edge.at_most.map(|length| format!("<= {length}ms"));
    let bounds: Vec<String> = least.into_iter().chain(most).collect();
    if bounds.is_empty() { " -> ".to_owned() } else { format!(" -[{}]-> ", bounds.join(", ")) }
}

fn within(length: Option<i64>) -> String {
    length.map_or(String::new(), |length| format!(" WITHIN {length}ms"))
}

fn started(span: Option<(i64, i64)>) -> String {
    span.map_or(String::new(), |(from, to)| format!(" STARTED DURING {} TO {}", instant(from), instant(to)))
}

fn instant(at: i64) -> String {
    format!("'{}'", show_time(at))
}
