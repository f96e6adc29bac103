//! How places and edges of a directly-follows graph are drawn, and graphs
//! whose edges come as the rows of an answer.

use std::collections::BTreeMap;

use super::{Gaps, Place};
use crate::graph::drawing::{Datum, Drawing, Drawn};
use crate::graph::wording::gap;
use crate::model::Millis;

/// An edge as the row of an answer has it.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeRow {
    /// Where it begins.
    pub from: Place,
    /// Where it leads.
    pub to: Place,
    /// How often.
    pub count: u64,
    /// How many customers, where it is known.
    pub customers: Option<u64>,
    /// The median gap in ms, where it is known and takes time.
    pub median_ms: Option<Millis>,
    /// The 95th percentile of the gaps in ms, likewise.
    pub p95_ms: Option<Millis>,
}

/// Edges in Graphviz' DOT language; `name` is that of the graph. Nodes ascend
/// and edges keep their order.
pub fn edges_to_dot(name: &str, edges: &[EdgeRow]) -> String {
    drawing(edges).dot(name)
}

/// Edges as GraphML. Nodes carry `type` (`start`, `value`, `end`) and `name`;
/// edges carry `count`, and `customers`, `gap_median_ms` and `gap_p95_ms`
/// where they are known.
pub fn edges_to_graphml(edges: &[EdgeRow]) -> String {
    drawing(edges).graphml()
}

fn drawing(edges: &[EdgeRow]) -> Drawing {
    let mut places: BTreeMap<&Place, usize> =
        edges.iter().flat_map(|edge| [&edge.from, &edge.to]).map(|place| (place, 0)).collect();
    places.values_mut().enumerate().for_each(|(number, place)| *place = number);
    let nodes = places.keys().map(|place| drawn_place(place)).collect();
    let edge = |edge: &EdgeRow| {
        let drawn = drawn_edge(edge.count, edge.customers, None, edge.median_ms, edge.p95_ms);
        Some((*places.get(&edge.from)?, *places.get(&edge.to)?, drawn))
    };
    Drawing { nodes, edges: edges.iter().filter_map(edge).collect() }
}

/// A place by its name alone.
pub(super) fn drawn_place(place: &Place) -> Drawn {
    let (ty, style) = match place {
        Place::Start => ("start", "shape=circle"),
        Place::Value(_) => ("value", "shape=box"),
        Place::End => ("end", "shape=doublecircle"),
    };
    let label = place.label();
    Drawn {
        label: label.to_owned(),
        style,
        data: vec![("type".into(), Datum::Text(ty.into())), ("name".into(), Datum::Text(label.into()))],
    }
}

/// An edge by what is known of it: its count, who had it, its gaps with their
/// mean, its median and its 95th percentile in ms.
pub(super) fn drawn_edge(
    count: u64,
    customers: Option<u64>,
    gaps: Option<(Gaps, f64)>,
    median_ms: Option<Millis>,
    p95_ms: Option<Millis>,
) -> Drawn {
    let mut label = count.to_string();
    match (median_ms, gaps) {
        (Some(median), _) => label.push_str(&format!("\nmedian {}", gap(median))),
        (None, Some((_, mean))) => label.push_str(&format!("\nmean {}", gap(mean as Millis))),
        (None, None) => {}
    }
    let mut data = vec![("count".to_owned(), Datum::count(count))];
    let mut known =
        |name: &str, datum: Option<Datum>| data.extend(datum.map(|datum| (name.to_owned(), datum)));
    known("customers", customers.map(Datum::count));
    known("gap_mean_ms", gaps.map(|(_, mean)| Datum::Double(mean)));
    known("gap_min_ms", gaps.map(|(gaps, _)| Datum::Long(gaps.min_ms)));
    known("gap_max_ms", gaps.map(|(gaps, _)| Datum::Long(gaps.max_ms)));
    known("gap_median_ms", median_ms.map(Datum::Long));
    known("gap_p95_ms", p95_ms.map(Datum::Long));
    Drawn { label, style: "", data }
}
