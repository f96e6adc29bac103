//! What flows: journeys narrowed, split and cut, against the reference.

use proptest::prelude::*;
use throughline_tests::reference::Event;
use throughline_tests::reference::flow::View;
use throughline_tests::store::Store;
use throughline_tests::text;

use super::compare::{check, names, run};
use super::history::{Size, cut, history};

const SIZE: Size = Size { events: 36, hours: 40 };

fn check_flow(store: &Store, events: &[Event], view: &View) {
    let text = text::view(view);
    let journeys = view.journeys(events);
    let rows = journeys.iter().flat_map(|journey| {
        let rows = journey.events().into_iter();
        rows.map(|event| vec![event.customer.clone(), event.shown("n").unwrap_or_default()])
    });
    check(store, &format!("{text}INTERACTIONS"), &["customer", "n"], rows.collect());
    let customers = names(journeys.iter().map(|journey| journey.customer));
    check(store, &format!("{text}CUSTOMERS"), &["customer"], customers);
}

#[test]
fn flows_are_those_of_the_reference() {
    run("flows", &(history(SIZE), prop::collection::vec(cut(SIZE.hours), 8)), |(history, views)| {
        let store = history.deliver();
        for view in &views {
            check_flow(&store, &history.events, view);
        }
    });
}
