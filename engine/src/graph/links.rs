//! Pairs of identities as a graph to be drawn.

use std::collections::BTreeMap;

use super::drawing::{Datum, Drawing, Drawn};

/// What is shown of a pair of identities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairRow {
    /// One identity.
    pub one: String,
    /// The other.
    pub other: String,
    /// What was said: `link`, `row` or `cut`.
    pub said: String,
    /// How certain it is, from 0 to 1.
    pub confidence: Option<f64>,
    /// What became of it: `accepted`, `refused` or `cut`.
    pub standing: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Interactions that nothing else holds to the customer.
    pub apart: Option<u64>,
}

/// Pairs in Graphviz' DOT language: accepted ones are lines, refused ones are dashed, cuts dotted.
/// `name` is that of the graph. Nodes ascend and edges keep their order.
pub fn pairs_to_dot(name: &str, pairs: &[PairRow]) -> String {
    drawing(pairs).dot(name)
}

/// Pairs as GraphML. Nodes carry `name`; edges carry `said` and `standing`, and `confidence`, `reason`
/// and `apart` where they have them.
pub fn pairs_to_graphml(pairs: &[PairRow]) -> String {
    drawing(pairs).graphml()
}

fn drawing(pairs: &[PairRow]) -> Drawing {
    let mut places: BTreeMap<&str, usize> =
        pairs.iter().flat_map(|pair| [&pair.one, &pair.other]).map(|name| (name.as_str(), 0)).collect();
    places.values_mut().enumerate().for_each(|(number, place)| *place = number);
    let text = |text: &str| Datum::Text(text.to_owned());
    let node = |name: &&str| Drawn {
        label: (*name).to_owned(),
        style: "shape=box",
        data: vec![("name".into(), text(name))],
    };
    let edge = |pair: &PairRow| {
        let style = match pair.standing.as_str() {
            "accepted" => "dir=none",
            "refused" => "dir=none, style=dashed",
            _ => "dir=none, style=dotted",
        };
        let confidence = pair.confidence.map_or(String::new(), |confidence| format!(" {confidence}"));
        let reason = pair.reason.as_ref().map_or(String::new(), |reason| format!("\n{reason}"));
        let mut data = vec![("said".into(), text(&pair.said)), ("standing".into(), text(&pair.standing))];
        data.extend(pair.confidence.map(|confidence| ("confidence".into(), Datum::Double(confidence))));
        data.extend(pair.reason.as_deref().map(|reason| ("reason".into(), text(reason))));
        data.extend(pair.apart.map(|apart| ("apart".into(), Datum::count(apart))));
        let drawn = Drawn { label: format!("{}{confidence}{reason}", pair.said), style, data };
        Some((*places.get(pair.one.as_str())?, *places.get(pair.other.as_str())?, drawn))
    };
    Drawing { nodes: places.keys().map(node).collect(), edges: pairs.iter().filter_map(edge).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_drawn_by_what_became_of_them() {
        let pair = |one: &str, said: &str, standing: &str| PairRow {
            one: one.to_owned(),
            other: "phone:\"9\"".to_owned(),
            said: said.to_owned(),
            standing: standing.to_owned(),
            ..PairRow::default()
        };
        let pairs = [
            PairRow { confidence: Some(0.9), apart: Some(4), ..pair("crm:1", "link", "accepted") },
            PairRow { reason: Some("cut: a, b".to_owned()), ..pair("crm:2", "row", "refused") },
            pair("crm:0", "cut", "cut"),
        ];
        let dot = pairs_to_dot("links", &pairs);
        for line in [
            "digraph \"links\" {",
            "n3 [label=\"phone:\\\"9\\\"\", shape=box];",
            "n1 -> n3 [label=\"link 0.9\", dir=none];",
            "n2 -> n3 [label=\"row\\ncut: a, b\", dir=none, style=dashed];",
            "n0 -> n3 [label=\"cut\", dir=none, style=dotted];",
        ] {
            assert!(dot.contains(line), "no `{line}` in {dot}");
        }
        let graphml = pairs_to_graphml(&pairs);
        for part in ["attr.name=\"confidence\" attr.type=\"double\"", ">accepted<", ">4<"] {
            assert!(graphml.contains(part), "no `{part}` in {graphml}");
        }
    }
}
