//! Generated histories, the demo, and readers that go away.

use std::fs;
use std::io::Read;

use super::Desk;

const CHAINS: &str = "CHAINS SAME topic GAP 7d MIN 3 |> AGGREGATE count(*) AS chains, \
                      count(DISTINCT customer) AS customers, median(span) AS span GROUP BY topic";
const FUNNEL: &str = "FUNNEL ON stage: awareness -> consideration -> purchase WITHIN 90d";

fn generate(desk: &Desk, name: &str, seed: &str) -> Vec<u8> {
    let ran = desk.run(&["generate", name, "--customers", "200", "--seed", seed]).answer();
    assert_eq!(ran.out, "");
    ran.says(&["interactions of 200 customers"]);
    fs::read(desk.path(name)).expect("reads")
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_every_format_the_same_answers() {
    let desk = Desk::new();
    let mut answers = Vec::new();
    for extension in ["csv", "jsonl", "parquet", "csv.gz", "jsonl.zst"] {
        let name = |stem: &str| format!("{stem}.{extension}");
        let bytes = generate(&desk, &name("a"), "7");
        assert!(bytes == generate(&desk, &name("b"), "7"), "{extension}: the same seed");
        assert!(bytes != generate(&desk, &name("c"), "8"), "{extension}: another seed");
        let store = name("store");
        desk.run(&["import", &store, &name("a"), "--strict"]).answer();
        answers.push((desk.count(&store), desk.rows(&store, CHAINS), desk.rows(&store, FUNNEL)));
    }
    let (first, rest) = answers.split_first().expect("five");
    assert!(first.0 > 2_000 && first.1.len() > 3 && first.2.len() == 3, "{first:?}");
    assert!(rest.iter().all(|answer| answer == first));
}

#[test]
fn a_name_that_says_no_format_is_refused() {
    let desk = Desk::new();
    for name in ["history", "history.xml", "history.parquet.gz"] {
        desk.run(&["generate", name, "--customers", "1", "--seed", "1"]).refused(1, &[".parquet"]);
        assert!(!desk.has(name));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let desk = Desk::new();
    generate(&desk, "a.csv", "7");
    desk.run(&["import", "a.db", "a.csv"]).answer();
    // More than a pipe holds, so that the command is still writing.
    for format in ["table", "csv", "json", "jsonl", "markdown"] {
        let mut child = desk.start(&["query", "a.db", "INTERACTIONS", "--format", format]);
        let mut stdout = child.stdout.take().expect("is a pipe");
        stdout.read_exact(&mut [0; 10]).expect("answers");
        drop(stdout);
        let output = child.wait_with_output().expect("ends");
        assert!(output.status.success() && output.stderr.is_empty(), "{format}: {output:?}");
    }
}

#[test]
fn the_demo_answers_both_questions() {
    let desk = Desk::new();
    let ran = desk.run(&["demo"]).answer();
    let after = |words: &str| {
        let (_, rest) = ran.out.split_once(words).unwrap_or_else(|| panic!("no `{words}` in {}", ran.out));
        rest
    };
    let chains = after("Who contacts us again and again");
    assert!(
        chains.contains("topic           chains  customers") && chains.contains("\nbilling "),
        "{chains}"
    );
    let funnel = after("Where do customers drop off");
    assert!(funnel.contains("step  label          reached  moved_on  silent  elsewhere  open"), "{funnel}");
    assert!(funnel.contains("   1  awareness ") && funnel.contains("   4  onboarding "), "{funnel}");
    assert_eq!(fs::read_dir(desk.path(".")).expect("lists").count(), 0, "nothing is left where it ran");
}
