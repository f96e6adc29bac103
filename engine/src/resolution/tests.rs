//! Resolution against its slow reference, and what must hold whatever was said.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::reference::{Fate, Model, Saying, slowly};
use super::*;
use crate::graph::identity_components;
use crate::model::IdentityRef;

fn row(one: &str, other: &str) -> Saying {
    Saying { one: one.to_owned(), other: other.to_owned(), said: Said::Row, confidence: 0 }
}

fn link(one: &str, other: &str, confidence: u16) -> Saying {
    Saying { said: Said::Link, confidence, ..row(one, other) }
}

fn cut(one: &str, other: &str) -> Saying {
    Saying { said: Said::Cut, ..row(one, other) }
}

/// Resolves with the ordinals that `order` gives the texts: their places in it.
fn resolve_numbered(sayings: &[Saying], guards: &Guards, order: &[String]) -> Resolved {
    let ordinals: BTreeMap<&str, u32> = order.iter().map(String::as_str).zip(0..).collect();
    let evidence: Vec<Evidence> = sayings
        .iter()
        .map(|saying| Evidence {
            one: ordinals[saying.one.as_str()],
            other: ordinals[saying.other.as_str()],
            said: saying.said,
            confidence: saying.confidence,
        })
        .collect();
    let text = |ordinal: u32| order[ordinal as usize].as_str();
    let known = Known { text: &text, blocked: &|ordinal| guards.blocks(IdentityRef::stored(text(ordinal))) };
    resolve(&evidence, &known, guards)
}

/// The texts in the order they are first named.
fn as_named(sayings: &[Saying]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    sayings
        .iter()
        .flat_map(|saying| [&saying.one, &saying.other])
        .filter(|text| seen.insert(text.as_str()))
        .cloned()
        .collect()
}

/// An answer in texts, after a look at what its numbers promise.
fn in_texts(resolved: &Resolved, guards: &Guards, order: &[String]) -> Model {
    let text = |ordinal: u32| order[ordinal as usize].clone();
    assert!(resolved.customers.is_sorted_by(|one, other| one.0 < other.0), "{resolved:?}");
    assert!(resolved.shown.is_sorted_by(|one, other| one.0 < other.0), "{resolved:?}");
    let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for &(identity, customer) in &resolved.customers {
        members.entry(customer).or_default().push(identity);
        assert_eq!(resolved.customer(identity), customer);
    }
    let mut shown = BTreeMap::new();
    for (&customer, identities) in &members {
        assert_eq!(identities.iter().min(), Some(&customer), "a customer is its least ordinal");
        if identities.len() > 1 {
            let first = identities.iter().min_by_key(|&&identity| {
                let text = order[identity as usize].as_str();
                (guards.rank(IdentityRef::stored(text).namespace()), text)
            });
            shown.extend(first.map(|&first| (customer, first)));
        }
    }
    assert_eq!(resolved.shown.iter().copied().collect::<BTreeMap<u32, u32>>(), shown);
    let fate = |standing: Standing| match standing {
        Standing::Accepted => Fate::Accepted,
        Standing::Blocked(one) => Fate::Blocked(text(one)),
        Standing::Hub(one) => Fate::Hub(text(one)),
        Standing::Limit(one, other) => Fate::Limit(text(one), text(other)),
        Standing::Cut(one, other) => Fate::Cut(text(one), text(other)),
        Standing::Withdrawn => Fate::Withdrawn,
    };
    Model {
        customers: members
            .into_values()
            .map(|identities| identities.into_iter().map(text).collect())
            .collect(),
        pairs: resolved
            .pairs
            .iter()
            .map(|pair| (text(pair.one), text(pair.other), pair.confidence, fate(pair.standing)))
            .collect(),
    }
}

fn resolve_texts(sayings: &[Saying], guards: &Guards) -> Model {
    let order = as_named(sayings);
    in_texts(&resolve_numbered(sayings, guards, &order), guards, &order)
}

/// Compares the customers of several identities, by the usual guards.
fn check(sayings: &[Saying], expected: &[&[&str]]) {
    check_guarded(&Guards::default(), sayings, expected);
}

fn check_guarded(guards: &Guards, sayings: &[Saying], expected: &[&[&str]]) {
    let model = resolve_texts(sayings, guards);
    assert_eq!(model, slowly(sayings, guards), "the reference says otherwise");
    let joined: BTreeSet<BTreeSet<&str>> = (model.customers.iter())
        .filter(|customer| customer.len() > 1)
        .map(|customer| customer.iter().map(String::as_str).collect())
        .collect();
    let expected: BTreeSet<BTreeSet<&str>> =
        expected.iter().map(|customer| customer.iter().copied().collect()).collect();
    assert_eq!(joined, expected, "{sayings:?}");
}

/// Compares the fate of one pair, by the usual guards.
fn check_fate(sayings: &[Saying], pair: (&str, &str), expected: Fate) {
    let model = resolve_texts(sayings, &Guards::default());
    let found = model.pairs.iter().find(|(one, other, ..)| (one.as_str(), other.as_str()) == pair);
    assert_eq!(found.map(|(.., fate)| fate), Some(&expected), "{sayings:?}");
}

#[test]
fn nothing_said_joins_nobody() {
    assert_eq!(resolve_numbered(&[], &Guards::default(), &[]), Resolved::default());
    check(&[row("crm:1", "crm:1"), cut("phone:1", "phone:1")], &[]);
    assert_eq!(resolve_texts(&[link("crm:1", "crm:1", 1_000)], &Guards::default()).customers.len(), 1);
}

#[test]
fn pairs_join_over_several_steps() {
    check(
        &[row("crm:1", "phone:1"), row("email:a@b", "phone:1"), link("email:a@b", "twitter:@a", 700)],
        &[&["crm:1", "phone:1", "email:a@b", "twitter:@a"]],
    );
    check(
        &[row("crm:1", "phone:1"), row("crm:2", "phone:2")],
        &[&["crm:1", "phone:1"], &["crm:2", "phone:2"]],
    );
}

#[test]
fn two_crm_identities_are_two_customers() {
    check(&[link("crm:1", "crm:2", 1_000)], &[]);
    check_fate(
        &[link("crm:1", "crm:2", 1_000)],
        ("crm:1", "crm:2"),
        Fate::Limit("crm:1".to_owned(), "crm:2".to_owned()),
    );
    let shared = [row("crm:1", "phone:9"), row("crm:2", "phone:9")];
    check(&shared, &[&["crm:1", "phone:9"]]);
    check_fate(&shared, ("crm:2", "phone:9"), Fate::Limit("crm:1".to_owned(), "crm:2".to_owned()));
}

#[test]
fn a_better_link_displaces_a_worse_pair() {
    for (confidence, with) in [(1_000, "crm:2"), (501, "crm:2"), (500, "crm:1"), (400, "crm:1")] {
        check(&[row("crm:1", "phone:9"), link("crm:2", "phone:9", confidence)], &[&[with, "phone:9"]]);
    }
}

#[test]
fn a_limit_is_filled_and_not_passed() {
    let phones: Vec<Saying> = (1..=6).map(|n| row("crm:1", &format!("phone:{n}{n}"))).collect();
    check(&phones[..5], &[&["crm:1", "phone:11", "phone:22", "phone:33", "phone:44", "phone:55"]]);
    check(&phones, &[&["crm:1", "phone:11", "phone:22", "phone:33", "phone:44", "phone:55"]]);
    check_fate(&phones, ("crm:1", "phone:66"), Fate::Limit("phone:11".to_owned(), "phone:66".to_owned()));
    // The last one comes in where it is more certain.
    let mut certain = phones.clone();
    certain.push(link("phone:66", "crm:1", 900));
    check(&certain, &[&["crm:1", "phone:11", "phone:22", "phone:33", "phone:44", "phone:66"]]);
}

#[test]
fn a_link_mends_a_cut_and_a_row_does_not() {
    let (pair, said) = (("crm:42", "phone:1"), row("crm:42", "phone:1"));
    let joined: &[&[&str]] = &[&["crm:42", "phone:1"]];
    check(&[said.clone(), cut("phone:1", "crm:42")], &[]);
    check(&[said.clone(), cut("phone:1", "crm:42"), said.clone(), said.clone()], &[]);
    check_fate(&[said.clone(), cut("phone:1", "crm:42"), said.clone()], pair, Fate::Withdrawn);
    check(&[cut("phone:1", "crm:42"), link("crm:42", "phone:1", 100)], joined);
    check(&[cut("phone:1", "crm:42"), link("crm:42", "phone:1", 100), cut("crm:42", "phone:1")], &[]);
    check(&[link("crm:42", "phone:1", 1_000), cut("crm:42", "phone:1")], &[]);
}

#[test]
fn links_before_a_cut_count_no_more() {
    let confidence = |sayings: &[Saying]| resolve_texts(sayings, &Guards::default()).pairs[0].2;
    let pair = |confidence: u16| link("crm:1", "phone:1", confidence);
    let (row, cut) = (row("crm:1", "phone:1"), cut("crm:1", "phone:1"));
    assert_eq!(confidence(&[pair(300), pair(200)]), 300);
    assert_eq!(confidence(&[pair(900), cut.clone(), pair(200)]), 200);
    assert_eq!(confidence(&[pair(900), cut.clone()]), 0);
    assert_eq!(confidence(std::slice::from_ref(&row)), ROW_CONFIDENCE);
    // More evidence makes a pair no weaker, and a row is evidence whenever it comes.
    assert_eq!(confidence(&[row.clone(), pair(200)]), ROW_CONFIDENCE);
    assert_eq!(confidence(&[row.clone(), cut.clone(), pair(200)]), ROW_CONFIDENCE);
    assert_eq!(confidence(&[cut, pair(200), row]), ROW_CONFIDENCE);
}

#[test]
fn a_path_around_a_cut_loses_its_weaker_end() {
    let around = [cut("email:a@b", "phone:1"), row("crm:1", "email:a@b"), link("crm:1", "phone:1", 900)];
    // By rank the e-mail address comes first, however certain the telephone is.
    check(&around, &[&["crm:1", "email:a@b"]]);
    check_fate(&around, ("crm:1", "phone:1"), Fate::Cut("email:a@b".to_owned(), "phone:1".to_owned()));
    check(
        &[cut("phone:2", "phone:1"), row("crm:1", "phone:1"), link("crm:1", "phone:2", 900)],
        &[&["crm:1", "phone:2"]],
    );
}

#[test]
fn cuts_stay_when_customers_grow_over_them() {
    // Both ends are joined to others before their customers meet.
    let said = [
        cut("email:a@b", "email:z@b"),
        row("phone:11", "email:a@b"),
        row("device:1", "phone:11"),
        row("phone:99", "email:z@b"),
        row("device:9", "phone:99"),
        row("tablet:7", "device:1"),
        row("tablet:7", "device:9"),
    ];
    check(
        &said,
        &[&["email:a@b", "phone:11", "device:1", "tablet:7"], &["email:z@b", "phone:99", "device:9"]],
    );
    check_fate(&said, ("device:9", "tablet:7"), Fate::Cut("email:a@b".to_owned(), "email:z@b".to_owned()));
}

#[test]
fn blocked_identities_join_nobody() {
    let said = [row("crm:1", "phone:anonymous"), row("crm:2", "phone:anonymous"), row("crm:1", "phone:1")];
    check(&said, &[&["crm:1", "phone:1"]]);
    check_fate(&said, ("crm:1", "phone:anonymous"), Fate::Blocked("phone:anonymous".to_owned()));
    check(&[link("crm:null", "phone:1", 1_000)], &[]);
}

#[test]
fn an_identity_of_too_many_pairs_joins_nobody() {
    let guards = Guards::open().with_hub_links(100).expect("sound");
    let pairs = |count: usize| -> Vec<Saying> {
        (0..count).map(|n| row("device:shop", &format!("phone:{n}"))).collect()
    };
    let customers = |sayings: &[Saying]| resolve_texts(sayings, &guards).customers.len();
    assert_eq!(customers(&pairs(100)), 1);
    assert_eq!(customers(&pairs(101)), 102);
    // The same partner again, a cut one, and a blocked one are no further partners.
    let mut said = pairs(100);
    said.extend(pairs(100));
    said.extend([row("device:shop", "phone:x"), cut("device:shop", "phone:x")]);
    assert_eq!(customers(&said), 2);
    said.push(link("device:shop", "phone:x", 10));
    assert_eq!(customers(&said), 102);
    let blocking = guards.clone().with_blocked("phone", "x").expect("sound");
    assert_eq!(resolve_texts(&said, &blocking).customers.len(), 2);
    // Its partners join others as ever.
    let mut said = pairs(101);
    said.push(row("phone:0", "phone:1"));
    assert_eq!(customers(&said), 101);
}

#[test]
fn ranks_decide_before_confidence_and_bytes_last() {
    let guards =
        Guards::open().with_priority(["crm", "phone"]).and_then(|guards| guards.with_limit("crm", 1));
    let guards = guards.expect("sound");
    // phone:1 goes to crm:1, by its bytes; then the weaker pair of phones is refused.
    check_guarded(
        &guards,
        &[
            row("crm:2", "phone:1"),
            row("crm:1", "phone:1"),
            link("phone:2", "phone:1", 1_000),
            row("crm:2", "phone:2"),
        ],
        &[&["crm:1", "phone:1"], &["crm:2", "phone:2"]],
    );
    // Unlisted namespaces come after, by name.
    check_guarded(
        &guards,
        &[link("zoo:1", "crm:2", 1_000), row("app:1", "crm:1"), row("app:1", "zoo:1")],
        &[&["crm:1", "app:1"], &["crm:2", "zoo:1"]],
    );
}

#[test]
fn texts_with_a_long_common_start_are_told_apart() {
    for last in ["1", "2"] {
        let (better, worse) = (format!("crm:a-long-start-{last}"), format!("crm:a-long-start-{last}\u{0}"));
        check(&[row(&worse, "phone:1"), row(&better, "phone:1")], &[&[&better, "phone:1"]]);
    }
    check(&[row("crm:a\u{0}", "phone:1"), row("crm:a", "phone:1")], &[&["crm:a", "phone:1"]]);
}

const NAMESPACES: [&str; 5] = ["crm", "phone", "email", "app", "app2"];

fn identity() -> impl Strategy<Value = String> {
    (0..NAMESPACES.len(), 0..5_usize).prop_map(|(namespace, key)| {
        let key = ["0", "anonymous", "1", "10", "1111111122"][key];
        format!("{}:{key}", NAMESPACES[namespace])
    })
}

fn saying() -> impl Strategy<Value = Saying> {
    let said = prop_oneof![4 => Just(Said::Row), 3 => Just(Said::Link), 1 => Just(Said::Cut)];
    (identity(), identity(), said, (0..=4_u16)).prop_map(|(one, other, said, confidence)| Saying {
        one,
        other,
        said,
        confidence: confidence * 250,
    })
}

fn guards() -> impl Strategy<Value = Guards> {
    let priority = prop::collection::btree_set(0..NAMESPACES.len(), 0..4)
        .prop_map(|places| places.into_iter().collect::<Vec<_>>())
        .prop_shuffle();
    let limits = prop::collection::vec((0..NAMESPACES.len(), 1..4_u32), 0..4);
    let other = prop_oneof![1..5_u32, Just(u32::MAX)];
    let hub = prop_oneof![2..9_u32, Just(u32::MAX)];
    (priority, limits, other, hub, any::<bool>()).prop_map(|(priority, limits, other, hub, blocking)| {
        let mut guards = Guards::open()
            .with_priority(priority.into_iter().map(|place| NAMESPACES[place]))
            .and_then(|guards| guards.with_other_limit(other))
            .and_then(|guards| guards.with_hub_links(hub));
        for (namespace, limit) in limits {
            guards = guards.and_then(|guards| guards.with_limit(NAMESPACES[namespace], limit));
        }
        if blocking {
            guards = guards
                .and_then(|guards| guards.with_blocked("*", "anonymous"))
                .and_then(|guards| guards.with_blocked_pattern("phone", "0+"));
        }
        guards.expect("sound")
    })
}

fn sayings() -> impl Strategy<Value = Vec<Saying>> {
    prop::collection::vec(saying(), 0..50)
}

/// Whether a saying decides about its pair: their order counts.
fn decides(saying: &Saying) -> bool {
    saying.said != Said::Row
}

/// Puts the decisions back into the order they had, pair by pair, in the places they came to.
fn in_order_of_decision(original: &[Saying], shuffled: &mut [Saying]) {
    let pair = |saying: &Saying| {
        let (one, other) = (saying.one.clone(), saying.other.clone());
        if one < other { (one, other) } else { (other, one) }
    };
    let mut decisions: BTreeMap<(String, String), Vec<Saying>> = BTreeMap::new();
    for saying in original.iter().rev().filter(|saying| decides(saying)) {
        decisions.entry(pair(saying)).or_default().push(saying.clone());
    }
    for saying in shuffled.iter_mut().filter(|saying| decides(saying)) {
        if let Some(next) = decisions.get_mut(&pair(saying)).and_then(Vec::pop) {
            *saying = next;
        }
    }
}

proptest! {
    #[test]
    fn the_answer_is_that_of_the_rules(sayings in sayings(), guards in guards()) {
        prop_assert_eq!(resolve_texts(&sayings, &guards), slowly(&sayings, &guards));
    }

    #[test]
    fn the_order_of_arrival_does_not_count(
        (sayings, mut shuffled) in sayings().prop_flat_map(|sayings| (Just(sayings.clone()), Just(sayings).prop_shuffle())),
        guards in guards(),
    ) {
        in_order_of_decision(&sayings, &mut shuffled);
        let turned: Vec<Saying> = shuffled
            .iter()
            .map(|saying| Saying { one: saying.other.clone(), other: saying.one.clone(), ..saying.clone() })
            .collect();
        let model = resolve_texts(&sayings, &guards);
        prop_assert_eq!(&model, &resolve_texts(&shuffled, &guards));
        prop_assert_eq!(&model, &resolve_texts(&turned, &guards));
    }

    #[test]
    fn the_numbers_of_identities_do_not_count(
        (sayings, order) in sayings().prop_flat_map(|sayings| {
            let order = as_named(&sayings);
            (Just(sayings), Just(order).prop_shuffle())
        }),
        guards in guards(),
    ) {
        let renamed = in_texts(&resolve_numbered(&sayings, &guards, &order), &guards, &order);
        prop_assert_eq!(resolve_texts(&sayings, &guards), renamed);
    }

    #[test]
    fn guards_hold_in_every_customer(sayings in sayings(), guards in guards()) {
        let model = resolve_texts(&sayings, &guards);
        for customer in &model.customers {
            let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
            for identity in customer {
                *counts.entry(IdentityRef::stored(identity).namespace()).or_default() += 1;
                if guards.blocks(IdentityRef::stored(identity)) {
                    prop_assert_eq!(customer.len(), 1);
                }
            }
            for (namespace, count) in counts {
                prop_assert!(count <= guards.limit(namespace), "{:?}", customer);
            }
        }
        for (one, other, _, fate) in &model.pairs {
            let together = model.customers.iter().any(|customer| customer.contains(one) && customer.contains(other));
            prop_assert_eq!(together, *fate == Fate::Accepted, "{} {}", one, other);
            if let Fate::Hub(hub) = fate {
                prop_assert!(model.customers.iter().any(|customer| customer.len() == 1 && customer.contains(hub)));
            }
        }
    }

    #[test]
    fn without_guards_and_cuts_customers_are_components(sayings in sayings()) {
        let links: Vec<Saying> = sayings.into_iter().filter(|saying| saying.said != Said::Cut).collect();
        let order = as_named(&links);
        let resolved = resolve_numbered(&links, &Guards::open(), &order);
        let place = |text: &String| order.iter().position(|other| other == text).unwrap_or_default() as u32;
        let pairs: Vec<(u32, u32)> = links.iter().map(|saying| (place(&saying.one), place(&saying.other))).collect();
        let components = identity_components(&pairs, order.len() as u32).expect("joins");
        prop_assert_eq!(resolved.customers, (0..).zip(components).collect::<Vec<(u32, u32)>>());
    }

    /// What lets a commit resolve the regions that it touches alone.
    #[test]
    fn a_region_alone_resolves_as_in_the_whole(sayings in sayings(), guards in guards()) {
        let model = resolve_texts(&sayings, &guards);
        let apart = |fate: &Fate| matches!(fate, Fate::Blocked(_) | Fate::Hub(_) | Fate::Withdrawn);
        let order = as_named(&sayings);
        let place = |text: &String| order.iter().position(|other| other == text).unwrap_or_default() as u32;
        let edges: Vec<(u32, u32)> = (model.pairs.iter())
            .filter(|(.., fate)| !apart(fate))
            .map(|(one, other, ..)| (place(one), place(other)))
            .collect();
        let regions = identity_components(&edges, order.len() as u32).expect("joins");
        for region in 0..order.len() as u32 {
            let inside = |text: &String| regions[place(text) as usize] == region;
            let said: Vec<Saying> =
                sayings.iter().filter(|saying| inside(&saying.one) && inside(&saying.other)).cloned().collect();
            let alone = resolve_texts(&said, &guards);
            for customer in alone.customers {
                prop_assert!(model.customers.contains(&customer), "{:?}", customer);
            }
            let pairs: Vec<_> = model.pairs.iter().filter(|(one, other, ..)| inside(one) && inside(other)).cloned().collect();
            prop_assert_eq!(alone.pairs, pairs);
        }
    }
}
