//! The examples of the language's reference, asked of the store that the demo keeps.

use super::Desk;

const DOCUMENTS: [(&str, &str, usize); 2] = [
    ("language.md", include_str!("../../../docs/language.md"), 45),
    ("coming-from.md", include_str!("../../../docs/coming-from.md"), 6),
];

/// A query in a fence that begins with `tl`.
struct Example {
    query: &'static str,
    /// `name=value`, written after `$`.
    params: Vec<String>,
    /// Whether it answers with a warning.
    warns: bool,
}

fn examples(document: &'static str) -> Vec<Example> {
    let mut found = Vec::new();
    for block in document.split("\n```tl").skip(1) {
        let (options, rest) = block.split_once('\n').expect("a fence has a line of its own");
        let (query, _) = rest.split_once("\n```").expect("a fence ends");
        let options: Vec<&str> = options.split_whitespace().collect();
        let params = options.iter().filter_map(|option| option.strip_prefix('$'));
        let params = params.map(|param| param.replace('\'', "")).collect();
        found.push(Example { query, params, warns: options.contains(&"warns") });
    }
    found
}

#[test]
fn every_example_answers() {
    let desk = Desk::new();
    desk.run(&["demo", "--keep", "demo.db"]).answer();
    let mut faults = Vec::new();
    for (name, document, at_least) in DOCUMENTS {
        let examples = examples(document);
        assert!(examples.len() >= at_least, "{name}: only {} examples found", examples.len());
        for Example { query, params, warns } in examples {
            let mut arguments = vec!["query", "demo.db", query, "--format", "jsonl"];
            params.iter().for_each(|param| arguments.extend(["--param", param.as_str()]));
            let ran = desk.run(&arguments);
            if ran.status != 0 {
                faults.push(format!("{name}:\n{query}\n{}", ran.err));
            } else if ran.out.is_empty() {
                faults.push(format!("{name}: no rows:\n{query}"));
            } else if ran.err.contains("warning") != warns {
                faults.push(format!("{name}: a warning, or none, against its fence:\n{query}\n{}", ran.err));
            }
        }
    }
    assert!(faults.is_empty(), "{} examples:\n{}", faults.len(), faults.join("\n\n"));
}

#[test]
fn the_store_that_is_kept_is_not_one_that_was_there() {
    let desk = Desk::new();
    desk.file("taken", "mine");
    desk.run(&["demo", "--keep", "taken"]).refused(1, &["is there already"]);
    assert_eq!(desk.read("taken"), "mine");
}
