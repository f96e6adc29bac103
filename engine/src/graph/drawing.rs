//! A graph on its way out: as DOT (Graphviz) and as GraphML.

use std::fmt::Write;

/// A value that GraphML keeps with a node or an edge.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum {
    Text(String),
    Long(i64),
    Double(f64),
}

impl Datum {
    pub(super) fn count(count: u64) -> Self {
        Self::Long(i64::try_from(count).unwrap_or(i64::MAX))
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Long(_) => "long",
            Self::Double(_) => "double",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Long(long) => long.to_string(),
            Self::Double(double) => double.to_string(),
        }
    }
}

/// A node or an edge as it is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawn {
    /// What stands on it; lines are kept.
    pub label: String,
    /// DOT attributes, ours alone, never from data: `shape=box`.
    pub style: &'static str,
    /// Named values. One name has one type throughout a graph.
    pub data: Vec<(String, Datum)>,
}

/// Nodes by place, and edges between places.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawing {
    pub nodes: Vec<Drawn>,
    pub edges: Vec<(usize, usize, Drawn)>,
}

impl Drawing {
    /// DOT, in the order of nodes and edges.
    pub(super) fn dot(&self, name: &str) -> String {
        let mut out = format!("digraph {} {{\n", dot_string(name));
        let attributes = |drawn: &Drawn| {
            let separator = if drawn.style.is_empty() { "" } else { ", " };
            format!("[label={}{separator}{}]", dot_string(&drawn.label), drawn.style)
        };
        // Writing to a string cannot fail.
        for (place, node) in self.nodes.iter().enumerate() {
            let _ = writeln!(out, "  n{place} {};", attributes(node));
        }
        for (from, to, edge) in &self.edges {
            let _ = writeln!(out, "  n{from} -> n{to} {};", attributes(edge));
        }
        out.push_str("}\n");
        out
    }

    /// GraphML, in the order of nodes and edges; keys in the order of their
    /// first appearance.
    pub(super) fn graphml(&self) -> String {
        let node_keys = keys(self.nodes.iter());
        let edge_keys = keys(self.edges.iter().map(|(_, _, edge)| edge));
        let mut out = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
        );
        for (keys, of, letter) in [(&node_keys, "node", 'n'), (&edge_keys, "edge", 'e')] {
            for (place, (name, ty)) in keys.iter().enumerate() {
                let name = xml_text(name);
                let _ = writeln!(
                    out,
                    "  <key id=\"{letter}k{place}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"{ty}\"/>"
                );
            }
        }
        out.push_str("  <graph edgedefault=\"directed\">\n");
        for (place, node) in self.nodes.iter().enumerate() {
            let _ = writeln!(out, "    <node id=\"n{place}\">");
            write_data(&mut out, node, &node_keys, 'n');
            out.push_str("    </node>\n");
        }
        for (place, (from, to, edge)) in self.edges.iter().enumerate() {
            let _ = writeln!(out, "    <edge id=\"e{place}\" source=\"n{from}\" target=\"n{to}\">");
            write_data(&mut out, edge, &edge_keys, 'e');
            out.push_str("    </edge>\n");
        }
        out.push_str("  </graph>\n</graphml>\n");
        out
    }
}

fn keys<'a>(drawn: impl Iterator<Item = &'a Drawn>) -> Vec<(&'a str, &'static str)> {
    let mut keys: Vec<(&str, &'static str)> = Vec::new();
    for (name, datum) in drawn.flat_map(|drawn| &drawn.data) {
        if !keys.iter().any(|(known, _)| known == name) {
            keys.push((name, datum.type_name()));
        }
    }
    keys
}

fn write_data(out: &mut String, drawn: &Drawn, keys: &[(&str, &'static str)], letter: char) {
    for (name, datum) in &drawn.data {
        if let Some(place) = keys.iter().position(|(known, _)| known == name) {
            let _ = writeln!(out, "      <data key=\"{letter}k{place}\">{}</data>", xml_text(&datum.text()));
        }
    }
}

/// A quoted DOT string that reads as exactly `text`. Control characters, which
/// DOT has no way to write, become U+FFFD.
fn dot_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // Graphviz reads entities in labels.
            '&' => out.push_str("&amp;"),
            '\t' => out.push(' '),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Text for an element or a quoted attribute. Characters that XML 1.0 does not
/// have become U+FFFD.
fn xml_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // As references, for a parser turns plain ones into others.
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dot_is_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(dot_string(text), expected);
        check("plain é", "\"plain é\"");
        check("a \"b\" \\N", "\"a \\\"b\\\" \\\\N\"");
        check("two\nlines\u{0}\t&amp;", "\"two\\nlines\u{fffd} &amp;amp;\"");
    }

    #[test]
    fn xml_is_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(xml_text(text), expected);
        check("a<b>&\"c\"", "a&lt;b&gt;&amp;&quot;c&quot;");
        check("]]>", "]]&gt;");
        check("\r\n\u{1}\u{ffff}", "&#13;&#10;\u{fffd}\u{fffd}");
    }

    proptest! {
        /// Reads a DOT string back: what it says is what went in.
        #[test]
        fn dot_reads_back(text in "[ -~\n\"\\\\&é]{0,40}") {
            let quoted = dot_string(&text);
            let body = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("quoted");
            let mut read = String::new();
            let mut chars = body.chars();
            while let Some(c) = chars.next() {
                prop_assert_ne!(c, '"');
                read.push(match c {
                    '\\' => match chars.next() {
                        Some('n') => '\n',
                        Some(c @ ('"' | '\\')) => c,
                        other => return Err(TestCaseError::fail(format!("\\{other:?}"))),
                    },
                    c => c,
                });
            }
            prop_assert_eq!(read.replace("&amp;", "&"), text);
        }

        #[test]
        fn xml_has_no_bare_markup(text in any::<String>()) {
            let escaped = xml_text(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\r', '\n', '\0']));
        }
    }
}
