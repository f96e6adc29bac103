//! Rows of GRAPH and of LINKS OF as a graph to be drawn, or taken to other tools.

use throughline_engine::graph::{
    EdgeRow, PairRow, Place, edges_to_dot, edges_to_graphml, pairs_to_dot, pairs_to_graphml,
};

use super::Answer;
use crate::rows::RowType;
use crate::value::Value;

/// Why an answer is not drawn as a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DrawingError {
    /// Its columns are not those of edges.
    #[error(
        "only edges are drawn as a graph, and this answer has no column `{0}` of edges; \
         write for example `GRAPH BY channel`, and keep its columns `from`, `to` and `count`"
    )]
    NoEdges(&'static str),
    /// A row, counted from 0, has no such value.
    #[error("row {0} is no edge that can be drawn: it has no `{1}`")]
    NoValue(usize, &'static str),
}

impl Answer {
    /// The edges of GRAPH, or the pairs of LINKS OF, in Graphviz' DOT language.
    ///
    /// # Errors
    /// [`DrawingError`] where the columns `from`, `to` and `count` are missing.
    pub fn to_dot(&self) -> Result<String, DrawingError> {
        if let Some(pairs) = self.pairs() {
            return Ok(pairs_to_dot("links", &pairs));
        }
        Ok(edges_to_dot("directly follows", &self.edges()?))
    }

    /// The edges of GRAPH as GraphML: nodes carry `type` (`start`, `value` or
    /// `end`) and `name`; edges carry `count` and, where the answer has them,
    /// `customers`, `gap_median_ms` and `gap_p95_ms`. So with the pairs of LINKS OF: nodes carry
    /// `name`; edges `said` and `standing`, and `confidence`, `reason` and `apart` where they have them.
    ///
    /// # Errors
    /// As [`Answer::to_dot`].
    pub fn to_graphml(&self) -> Result<String, DrawingError> {
        if let Some(pairs) = self.pairs() {
            return Ok(pairs_to_graphml(&pairs));
        }
        Ok(edges_to_graphml(&self.edges()?))
    }

    /// The rows of LINKS OF, where they are that.
    fn pairs(&self) -> Option<Vec<PairRow>> {
        let column = |name: &str, ty: RowType| {
            self.columns.iter().position(|column| column.name == name && column.ty == ty)
        };
        let (one, other) = (column("one", RowType::Identity)?, column("other", RowType::Identity)?);
        let (said, standing) = (column("said", RowType::Text)?, column("standing", RowType::Text)?);
        let (confidence, reason) = (column("confidence", RowType::Float)?, column("reason", RowType::Text)?);
        let apart = column("apart", RowType::Int)?;
        let pair = |values: &Vec<Value>| {
            let text = |place: usize| values.get(place).and_then(Value::as_str).map(str::to_owned);
            let number = |place: usize| values.get(place).and_then(Value::as_int);
            Some(PairRow {
                one: text(one)?,
                other: text(other)?,
                said: text(said)?,
                confidence: match values.get(confidence) {
                    Some(Value::Float(confidence)) => Some(*confidence),
                    _ => None,
                },
                standing: text(standing)?,
                reason: text(reason),
                apart: number(apart).and_then(|number| u64::try_from(number).ok()),
            })
        };
        self.rows.iter().map(pair).collect()
    }

    fn edges(&self) -> Result<Vec<EdgeRow>, DrawingError> {
        let column = |name: &str, ty: RowType| {
            self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name) && column.ty == ty)
        };
        let needed = |name: &'static str, ty| column(name, ty).ok_or(DrawingError::NoEdges(name));
        let (from, to) = (needed("from", RowType::Text)?, needed("to", RowType::Text)?);
        let count = needed("count", RowType::Int)?;
        let customers = column("customers", RowType::Int);
        let (median, p95) = (column("median", RowType::Duration), column("p95", RowType::Duration));
        let edge = |(row, values): (usize, &Vec<Value>)| {
            let text = |place: usize, name| {
                let text = values.get(place).and_then(Value::as_str);
                text.ok_or(DrawingError::NoValue(row, name))
            };
            let number = |place: usize| {
                values.get(place).and_then(Value::as_int).and_then(|number| u64::try_from(number).ok())
            };
            let length = |place: Option<usize>| match values.get(place?) {
                Some(Value::Duration(length)) => Some(*length),
                _ => None,
            };
            let (from, to) = (text(from, "from")?, text(to, "to")?);
            Ok(EdgeRow {
                from: if from == Place::Start.label() { Place::Start } else { Place::Value(from.to_owned()) },
                to: if to == Place::End.label() { Place::End } else { Place::Value(to.to_owned()) },
                count: number(count).ok_or(DrawingError::NoValue(row, "count"))?,
                customers: customers.and_then(number),
                median_ms: length(median),
                p95_ms: length(p95),
            })
        };
        self.rows.iter().enumerate().map(edge).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{RowColumn, RowSchema};

    fn answer(columns: &[(&str, RowType)], rows: Vec<Vec<Value>>) -> Answer {
        let columns = columns.iter().map(|(name, ty)| RowColumn { name: (*name).to_owned(), ty: ty.clone() });
        Answer::new(RowSchema { columns: columns.collect() }, rows)
    }

    const EDGES: [(&str, RowType); 4] = [
        ("from", RowType::Text),
        ("to", RowType::Text),
        ("count", RowType::Int),
        ("median", RowType::Duration),
    ];

    #[test]
    fn edges_are_drawn() {
        let rows = vec![
            vec!["START".into(), "call".into(), 3.into(), Value::Null],
            vec!["call".into(), "<b>".into(), 2.into(), Value::Duration(60_000)],
        ];
        let dot = answer(&EDGES, rows.clone()).to_dot().expect("has edges");
        assert!(dot.contains("n0 [label=\"START\", shape=circle]"), "{dot}");
        assert!(dot.contains("n2 -> n1 [label=\"2\\nmedian 1m\"]"), "{dot}");
        let graphml = answer(&EDGES, rows).to_graphml().expect("has edges");
        assert!(graphml.contains("&lt;b&gt;") && graphml.contains("gap_median_ms"), "{graphml}");
    }

    #[test]
    fn pairs_of_identities_are_drawn() {
        let columns = [
            ("one", RowType::Identity),
            ("other", RowType::Identity),
            ("said", RowType::Text),
            ("confidence", RowType::Float),
            ("standing", RowType::Text),
            ("reason", RowType::Text),
            ("apart", RowType::Int),
        ];
        let row = vec![
            "crm:1".into(),
            "phone:9".into(),
            "link".into(),
            Value::Float(0.5),
            "accepted".into(),
            Value::Null,
            7.into(),
        ];
        let links = answer(&columns, vec![row]);
        let dot = links.to_dot().expect("has pairs");
        assert!(dot.contains("n0 -> n1 [label=\"link 0.5\", dir=none]"), "{dot}");
        assert!(links.to_graphml().expect("has pairs").contains(">7<"));
        assert_eq!(answer(&columns[1..], Vec::new()).to_dot(), Err(DrawingError::NoEdges("from")));
    }

    #[test]
    fn what_has_no_edges_says_so() {
        let error = answer(&[("from", RowType::Text), ("count", RowType::Int)], Vec::new()).to_dot();
        assert_eq!(error, Err(DrawingError::NoEdges("to")));
        let number = answer(&[("from", RowType::Int), EDGES[1].clone(), EDGES[2].clone()], Vec::new());
        assert_eq!(number.to_graphml(), Err(DrawingError::NoEdges("from")));
        let rows = vec![vec!["a".into(), Value::Null, 1.into(), Value::Null]];
        assert_eq!(answer(&EDGES, rows).to_dot(), Err(DrawingError::NoValue(0, "to")));
    }
}
