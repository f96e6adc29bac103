//! One customer's journey as a graph.

use std::collections::HashMap;

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::drawing::{Datum, Drawing, Drawn};
use super::wording::{Words, gap, utc};
use crate::Snapshot;
use crate::error::{Error, Result};
use crate::model::{CustomerOrdinal, Millis};
use crate::schema::{AttrId, Attribute, Role, Subject};

/// The roles whose values are nodes: what interactions touch.
const TOUCHED: [Role; 4] = [Role::Channel, Role::Topic, Role::Case, Role::Agent];
/// Characters of a value that a drawing shows; GraphML has the whole.
const SHOWN_CHARS_MAX: usize = 60;

/// A node of a journey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JourneyNode {
    /// The customer, by the identity it is shown by.
    Customer {
        /// `namespace:key`.
        identity: String,
    },
    /// One interaction.
    Interaction {
        /// When.
        time: Millis,
        /// Name and value of each attribute asked for that is not NULL, in the
        /// order of the schema.
        values: Vec<(String, String)>,
    },
    /// A channel, topic, case or agent that interactions touch.
    Touched {
        /// Which of them.
        role: Role,
        /// Its value.
        value: String,
    },
}

/// An edge of a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JourneyEdge {
    /// From the customer to the first interaction.
    Begins,
    /// From an interaction to the one after it in total order.
    Next {
        /// Milliseconds between the two, never negative.
        gap_ms: Millis,
    },
    /// From an interaction to what it touches.
    Touches(Role),
}

/// One customer's journey: the customer, its interactions in total order, and
/// what they touch, each thing once.
///
/// Nodes stand in that order (things by first touch); edges in the order of
/// the interactions they lead to or from. Its size follows the journey's.
#[derive(Clone, Debug)]
pub struct JourneyGraph {
    graph: DiGraph<JourneyNode, JourneyEdge>,
    /// Names of the attributes whose values are nodes.
    touched: Vec<String>,
}

/// The journey of one customer, with every attribute.
///
/// # Errors
/// [`Error::Invalid`] where the snapshot has no such customer;
/// [`Error::Damaged`] as [`Snapshot::read`].
pub fn journey(snapshot: &Snapshot, customer: CustomerOrdinal) -> Result<JourneyGraph> {
    let attributes: Vec<AttrId> = snapshot
        .schema()
        .attributes()
        .iter()
        .filter(|attribute| attribute.subject == Subject::Interaction)
        .map(|attribute| attribute.id)
        .collect();
    journey_of(snapshot, customer, &attributes)
}

/// The journey of one customer, interactions carrying only these attributes.
/// What they touch is there in any case.
///
/// # Errors
/// As [`journey`], and [`Error::Invalid`] for an attribute that is not the
/// interactions'.
pub fn journey_of(
    snapshot: &Snapshot,
    customer: CustomerOrdinal,
    attributes: &[AttrId],
) -> Result<JourneyGraph> {
    let schema = snapshot.schema();
    let mut shown: Vec<&Attribute> = Vec::with_capacity(attributes.len());
    for &id in attributes {
        let attribute = schema.get(id).filter(|attribute| attribute.subject == Subject::Interaction);
        shown.push(attribute.ok_or_else(|| Error::invalid("that is not an attribute of interactions"))?);
    }
    shown.sort_unstable_by_key(|attribute| attribute.id);
    shown.dedup_by_key(|attribute| attribute.id);
    let touched: Vec<(Role, &Attribute)> =
        TOUCHED.into_iter().filter_map(|role| Some((role, schema.role(role)?))).collect();

    let names = touched.iter().map(|(_, attribute)| attribute.name.clone()).collect();

    let mut graph = DiGraph::new();
    let start = graph.add_node(JourneyNode::Customer { identity: snapshot.customer_name(customer)? });
    let wanted: Vec<AttrId> =
        shown.iter().copied().chain(touched.iter().map(|(_, a)| *a)).map(|a| a.id).collect();
    let block = snapshot.read_span(customer..=customer, &wanted)?;
    let shown: Vec<(&str, Words<'_>)> =
        shown.into_iter().map(|a| (a.name.as_str(), Words::new(snapshot, &block, a))).collect();
    let touched: Vec<(Role, Words<'_>)> =
        touched.into_iter().map(|(role, a)| (role, Words::new(snapshot, &block, a))).collect();

    let interactions: Vec<(usize, Millis, NodeIndex)> = block
        .times
        .iter()
        .enumerate()
        .map(|(row, &time)| {
            let values = shown
                .iter()
                .filter_map(|(name, words)| Some(((*name).to_owned(), words.get(row)?)))
                .collect();
            (row, time, graph.add_node(JourneyNode::Interaction { time, values }))
        })
        .collect();
    let mut things: HashMap<(Role, String), NodeIndex> = HashMap::new();
    let mut last: Option<(Millis, NodeIndex)> = None;
    for (row, time, node) in interactions {
        match last {
            Some((before, from)) => graph.add_edge(from, node, JourneyEdge::Next { gap_ms: time - before }),
            None => graph.add_edge(start, node, JourneyEdge::Begins),
        };
        last = Some((time, node));
        for (role, words) in &touched {
            let Some(value) = words.get(row) else { continue };
            let thing = *things.entry((*role, value)).or_insert_with_key(|(role, value)| {
                graph.add_node(JourneyNode::Touched { role: *role, value: value.clone() })
            });
            graph.add_edge(node, thing, JourneyEdge::Touches(*role));
        }
    }
    Ok(JourneyGraph { graph, touched: names })
}

impl JourneyGraph {
    /// The graph itself, for petgraph's algorithms.
    pub fn graph(&self) -> &DiGraph<JourneyNode, JourneyEdge> {
        &self.graph
    }

    /// The graph in Graphviz' DOT language. Long values are cut; what an
    /// interaction touches is shown as nodes and not repeated in it.
    pub fn to_dot(&self) -> String {
        self.drawing().dot("journey")
    }

    /// The graph as GraphML. Nodes carry `type` (`customer`, `interaction`,
    /// `channel`, `topic`, `case`, `agent`), `name` or `time` and `time_ms`,
    /// and each attribute as `interaction.NAME`; edges carry `type` (`BEGINS`,
    /// `NEXT`, `TOUCHES`) and `gap_ms`.
    pub fn to_graphml(&self) -> String {
        self.drawing().graphml()
    }

    fn drawing(&self) -> Drawing {
        let text = |text: &str| Datum::Text(text.to_owned());
        let node = |node: &JourneyNode| match node {
            JourneyNode::Customer { identity } => Drawn {
                label: shown(identity),
                style: "shape=house",
                data: vec![("type".into(), text("customer")), ("name".into(), text(identity))],
            },
            JourneyNode::Interaction { time, values } => {
                let mut label = utc(*time);
                let mut data = vec![
                    ("type".into(), text("interaction")),
                    ("time".into(), Datum::Text(utc(*time))),
                    ("time_ms".into(), Datum::Long(*time)),
                ];
                for (name, value) in values {
                    if !self.touched.contains(name) {
                        label.push_str(&format!("\n{name}: {}", shown(value)));
                    }
                    data.push((format!("interaction.{name}"), text(value)));
                }
                Drawn { label, style: "shape=box", data }
            }
            JourneyNode::Touched { role, value } => Drawn {
                label: format!("{}\n{}", role.name(), shown(value)),
                style: "shape=ellipse",
                data: vec![("type".into(), text(role.name())), ("name".into(), text(value))],
            },
        };
        let edge = |edge: &JourneyEdge| match edge {
            JourneyEdge::Begins => Drawn { data: vec![("type".into(), text("BEGINS"))], ..Drawn::default() },
            JourneyEdge::Next { gap_ms } => Drawn {
                label: gap(*gap_ms),
                style: "weight=8",
                data: vec![("type".into(), text("NEXT")), ("gap_ms".into(), Datum::Long(*gap_ms))],
            },
            JourneyEdge::Touches(_) => Drawn {
                style: "style=dashed, arrowhead=none",
                data: vec![("type".into(), text("TOUCHES"))],
                ..Drawn::default()
            },
        };
        Drawing {
            nodes: self.graph.node_weights().map(node).collect(),
            edges: self
                .graph
                .edge_references()
                .map(|e| (e.source().index(), e.target().index(), edge(e.weight())))
                .collect(),
        }
    }
}

/// The beginning of a value, on one line.
fn shown(value: &str) -> String {
    let mut out: String = value.chars().take(SHOWN_CHARS_MAX).collect();
    if out.len() < value.len() {
        out.push('…');
    }
    out.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::batch::Interaction;
    use crate::db::{Db, Options};
    use crate::disk_sim::SimDisk;
    use crate::model::Identity;

    const DAY: Millis = 86_400_000;

    fn store(interactions: Vec<Interaction>) -> Db {
        let db = Db::open_on(Arc::new(SimDisk::new()), Options::default()).expect("opens");
        db.append(interactions).expect("appends");
        db
    }

    fn ann() -> Db {
        store(vec![
            Interaction::new("crm:ann", 2 * DAY)
                .channel("phone")
                .topic("bill")
                .case("c\"1")
                .set("text", "a & <b>"),
            Interaction::new("crm:bob", DAY).channel("phone").topic("bill"),
            Interaction::new("crm:ann", 0).channel("twitter").topic("bill").set("resolved", false),
        ])
    }

    fn graph_of(db: &Db, name: &str) -> JourneyGraph {
        let snapshot = db.snapshot();
        let customer =
            snapshot.resolve(&Identity::parse(name).expect("parses")).expect("resolves").expect("is there");
        journey(&snapshot, customer).expect("a graph")
    }

    #[test]
    fn a_journey_as_dot() {
        let db = ann();
        let expected = r#"digraph "journey" {
  n0 [label="crm:ann", shape=house];
  n1 [label="1970-01-01T00:00:00Z\nresolved: false", shape=box];
  n2 [label="1970-01-03T00:00:00Z\ntext: a &amp; <b>", shape=box];
  n3 [label="channel\ntwitter", shape=ellipse];
  n4 [label="topic\nbill", shape=ellipse];
  n5 [label="channel\nphone", shape=ellipse];
  n6 [label="case\nc\"1", shape=ellipse];
  n0 -> n1 [label=""];
  n1 -> n3 [label="", style=dashed, arrowhead=none];
  n1 -> n4 [label="", style=dashed, arrowhead=none];
  n1 -> n2 [label="2d", weight=8];
  n2 -> n5 [label="", style=dashed, arrowhead=none];
  n2 -> n4 [label="", style=dashed, arrowhead=none];
  n2 -> n6 [label="", style=dashed, arrowhead=none];
}
"#;
        assert_eq!(graph_of(&db, "crm:ann").to_dot(), expected.replace("c\"1", "c\\\"1"));
        // Sealed, it reads the same.
        db.seal().expect("seals");
        assert_eq!(graph_of(&db, "crm:ann").to_dot(), expected.replace("c\"1", "c\\\"1"));
    }

    #[test]
    fn a_journey_as_graphml() {
        let found = graph_of(&ann(), "crm:bob").to_graphml();
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="nk0" for="node" attr.name="type" attr.type="string"/>
  <key id="nk1" for="node" attr.name="name" attr.type="string"/>
  <key id="nk2" for="node" attr.name="time" attr.type="string"/>
  <key id="nk3" for="node" attr.name="time_ms" attr.type="long"/>
  <key id="nk4" for="node" attr.name="interaction.channel" attr.type="string"/>
  <key id="nk5" for="node" attr.name="interaction.topic" attr.type="string"/>
  <key id="ek0" for="edge" attr.name="type" attr.type="string"/>
  <graph edgedefault="directed">
    <node id="n0">
      <data key="nk0">customer</data>
      <data key="nk1">crm:bob</data>
    </node>
    <node id="n1">
      <data key="nk0">interaction</data>
      <data key="nk2">1970-01-02T00:00:00Z</data>
      <data key="nk3">86400000</data>
      <data key="nk4">phone</data>
      <data key="nk5">bill</data>
    </node>
    <node id="n2">
      <data key="nk0">channel</data>
      <data key="nk1">phone</data>
    </node>
    <node id="n3">
      <data key="nk0">topic</data>
      <data key="nk1">bill</data>
    </node>
    <edge id="e0" source="n0" target="n1">
      <data key="ek0">BEGINS</data>
    </edge>
    <edge id="e1" source="n1" target="n2">
      <data key="ek0">TOUCHES</data>
    </edge>
    <edge id="e2" source="n1" target="n3">
      <data key="ek0">TOUCHES</data>
    </edge>
  </graph>
</graphml>
"#;
        assert_eq!(found, expected);
    }

    #[test]
    fn attributes_are_chosen() {
        let db = ann();
        let snapshot = db.snapshot();
        let text = snapshot.schema().role(Role::Text).expect("core").id;
        let chosen = journey_of(&snapshot, 0, &[text, text]).expect("a graph");
        let values: Vec<&JourneyNode> = chosen
            .graph()
            .node_weights()
            .filter(|node| matches!(node, JourneyNode::Interaction { .. }))
            .collect();
        let text = ("text".to_owned(), "a & <b>".to_owned());
        assert_eq!(
            values,
            [
                &JourneyNode::Interaction { time: 0, values: vec![] },
                &JourneyNode::Interaction { time: 2 * DAY, values: vec![text] },
            ]
        );
        // Chosen or not, what is touched is there.
        assert_eq!((chosen.graph().node_count(), chosen.graph().edge_count()), (7, 7));
        assert!(journey_of(&snapshot, 0, &[AttrId(999)]).is_err());
        assert!(journey(&snapshot, 2).is_err());
    }
}
