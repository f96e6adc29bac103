//! How answers are written, to the byte.

use super::{Desk, Ran};

const HEADER: &str = "customer,ts,event,topic,score,resolved,text,weight,due\n";

/// A store with a value of every kind, and an empty one beside each.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.file(
        "kinds.csv",
        format!(
            "{HEADER}\
             crm:1,2026-01-05T09:00:00.250Z,call,\"a, \"\"b\"\" | c\",4.5,yes,\"two\nlines\",3,2026-02-01\n\
             crm:1,2026-01-05T12:00:00+02:00,call,\"a, \"\"b\"\" | c\",,,,,\n"
        ),
    );
    desk.run(&["import", "kinds.db", "kinds.csv"]).answer();
    desk
}

const ALL: &str = "INTERACTIONS |> SELECT customer, at, topic, score, resolved, text, weight, due";
const CHAIN: &str =
    "CHAINS GAP 7d MIN 2 |> SELECT customer, started, span, contacts, kinds, agents, worst_sentiment, open";

#[track_caller]
fn check(desk: &Desk, query: &str, format: &str, expected: &str) {
    let Ran { out, err, .. } = desk.run(&["query", "kinds.db", query, "--format", format]).answer();
    assert_eq!(out, expected, "{query} as {format}: {err}");
}

#[test]
fn json() {
    let desk = desk();
    check(
        &desk,
        ALL,
        "json",
        "[{\"customer\":\"crm:1\",\"at\":\"2026-01-05T09:00:00.25Z\",\"topic\":\"a, \\\"b\\\" | c\",\"score\":4.5,\
         \"resolved\":true,\"text\":\"two\\nlines\",\"weight\":3,\"due\":\"2026-02-01T00:00:00Z\"},\
         {\"customer\":\"crm:1\",\"at\":\"2026-01-05T10:00:00Z\",\"topic\":\"a, \\\"b\\\" | c\",\"score\":null,\
         \"resolved\":null,\"text\":null,\"weight\":null,\"due\":null}]\n",
    );
    // Durations are seconds, lists are arrays, and their gaps are null.
    check(
        &desk,
        CHAIN,
        "json",
        "[{\"customer\":\"crm:1\",\"started\":\"2026-01-05T09:00:00.25Z\",\"span\":3599.75,\"contacts\":2,\
         \"kinds\":[\"call\",\"call\"],\"agents\":[null,null],\"worst_sentiment\":null,\"open\":true}]\n",
    );
    check(&desk, "WHERE weight = 4 |> SELECT topic", "json", "[]\n");
    check(
        &desk,
        "AGGREGATE avg(score) AS mean, sum(weight) AS sum, share(resolved) AS done",
        "json",
        "[{\"mean\":4.5,\"sum\":3,\"done\":1.0,\"done_of\":1}]\n",
    );
}

#[test]
fn json_lines() {
    let desk = desk();
    check(
        &desk,
        "INTERACTIONS |> SELECT at, weight",
        "jsonl",
        "{\"at\":\"2026-01-05T09:00:00.25Z\",\"weight\":3}\n{\"at\":\"2026-01-05T10:00:00Z\",\"weight\":null}\n",
    );
    check(&desk, "WHERE weight = 4 |> SELECT topic", "jsonl", "");
}

#[test]
fn csv() {
    let desk = desk();
    check(
        &desk,
        ALL,
        "csv",
        "customer,at,topic,score,resolved,text,weight,due\r\n\
         crm:1,2026-01-05T09:00:00.25Z,\"a, \"\"b\"\" | c\",4.5,true,\"two\nlines\",3,2026-02-01T00:00:00Z\r\n\
         crm:1,2026-01-05T10:00:00Z,\"a, \"\"b\"\" | c\",,,,,\r\n",
    );
    check(
        &desk,
        CHAIN,
        "csv",
        "customer,started,span,contacts,kinds,agents,worst_sentiment,open\r\n\
         crm:1,2026-01-05T09:00:00.25Z,3599.75,2,\"[\"\"call\"\",\"\"call\"\"]\",\"[null,null]\",,true\r\n",
    );
}

#[test]
fn markdown() {
    check(
        &desk(),
        "INTERACTIONS |> SELECT topic, weight, text",
        "markdown",
        "| topic | weight | text |\n| --- | ---: | --- |\n\
         | a, \"b\" \\| c | 3 | two lines |\n| a, \"b\" \\| c | – | – |\n",
    );
}

#[test]
fn table() {
    let desk = desk();
    check(
        &desk,
        CHAIN,
        "table",
        "customer  started                     span  contacts  kinds       agents  worst_sentiment  open\n\
         ────────  ───────────────────────  ───────  ────────  ──────────  ──────  ───────────────  ────\n\
         crm:1     2026-01-05 09:00:00.250  59m 59s         2  call, call  –, –    –                true\n",
    );
    check(
        &desk,
        "INTERACTIONS |> EXTEND at - '2026-01-01' AS since |> SELECT since, text",
        "table",
        " since  text\n──────  ─────────\n 4d 9h  two lines\n4d 10h  –\n",
    );
}

#[test]
fn a_table_does_not_print_hundreds_of_items_in_a_cell() {
    let desk = Desk::new();
    let rows: String = (0..60).map(|minute| format!("crm:1,2026-01-05T09:{minute:02},call\n")).collect();
    desk.file("many.csv", format!("customer,ts,event\n{rows}"));
    desk.run(&["import", "many.db", "many.csv"]).answer();
    let query = "CHAINS GAP 1h MIN 3 |> SELECT kinds";
    let table = desk.run(&["query", "many.db", query]).answer().out;
    assert!(
        table.contains("call, call, … (60 in all)") && table.lines().all(|line| line.chars().count() < 100)
    );
    let kinds = desk.row("many.db", query);
    assert_eq!(kinds.get("kinds").and_then(serde_json::Value::as_array).map(Vec::len), Some(60));
}

#[test]
fn explaining_is_an_answer_in_every_format() {
    let desk = desk();
    for format in ["table", "csv", "json", "jsonl", "markdown"] {
        let ran = desk.run(&["query", "kinds.db", &format!("EXPLAIN {CHAIN}"), "--format", format]).answer();
        assert!(ran.out.contains("CHAINS"), "{format}: {}", ran.out);
    }
}

/// The graph of the contacts by kind, as the two formats of graphs.
#[test]
fn graphs_are_drawn() {
    let desk = Desk::new();
    desk.file(
        "ways.csv",
        "customer,ts,event\n\
         1,2026-01-05T09:00:00Z,call\n1,2026-01-05T11:00:00Z,\"a \"\"chat\"\" & <b>\"\n2,2026-01-06T09:00:00Z,call\n",
    );
    desk.run(&["import", "kinds.db", "ways.csv"]).answer();
    check(
        &desk,
        "GRAPH BY kind",
        "dot",
        r#"digraph "directly follows" {
  n0 [label="START", shape=circle];
  n1 [label="a \"chat\" &amp; <b>", shape=box];
  n2 [label="call", shape=box];
  n3 [label="END", shape=doublecircle];
  n0 -> n2 [label="2"];
  n1 -> n3 [label="1"];
  n2 -> n3 [label="1"];
  n2 -> n1 [label="1\nmedian 2h"];
}
"#,
    );
    check(
        &desk,
        "GRAPH BY kind |> WHERE to <> 'END' AND from <> 'START'",
        "graphml",
        r#"<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="nk0" for="node" attr.name="type" attr.type="string"/>
  <key id="nk1" for="node" attr.name="name" attr.type="string"/>
  <key id="ek0" for="edge" attr.name="count" attr.type="long"/>
  <key id="ek1" for="edge" attr.name="customers" attr.type="long"/>
  <key id="ek2" for="edge" attr.name="gap_median_ms" attr.type="long"/>
  <key id="ek3" for="edge" attr.name="gap_p95_ms" attr.type="long"/>
  <graph edgedefault="directed">
    <node id="n0">
      <data key="nk0">value</data>
      <data key="nk1">a &quot;chat&quot; &amp; &lt;b&gt;</data>
    </node>
    <node id="n1">
      <data key="nk0">value</data>
      <data key="nk1">call</data>
    </node>
    <edge id="e0" source="n1" target="n0">
      <data key="ek0">1</data>
      <data key="ek1">1</data>
      <data key="ek2">7200000</data>
      <data key="ek3">7200000</data>
    </edge>
  </graph>
</graphml>
"#,
    );
    let hops = "GRAPH BY kind CHEAPEST 'call' TO 'a \"chat\" & <b>' |> SELECT from, to, count";
    let ran = desk.run(&["query", "kinds.db", hops, "--format", "dot"]).answer();
    assert!(ran.out.contains("n1 -> n0 [label=\"1\"]"), "{}", ran.out);
}

#[test]
fn what_is_no_graph_is_not_drawn() {
    let desk = desk();
    for format in ["dot", "graphml"] {
        for query in ["INTERACTIONS", "GRAPH BY kind LOOPS", "GRAPH BY kind |> SELECT from, to"] {
            let ran = desk.run(&["query", "kinds.db", query, "--format", format]);
            ran.refused(1, &["only edges are drawn as a graph", "write for example `GRAPH BY channel`"]);
        }
    }
}
