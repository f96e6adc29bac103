//! Checks over the corpus and over generated text.

use super::corpus::QUERIES;
use super::parse;

#[test]
fn every_query_of_the_corpus_parses() {
    for query in QUERIES {
        if let Err(errors) = parse(query) {
            panic!("{query}\n{errors:#?}");
        }
    }
}
