//! What guards take, refuse and block.

use super::*;
use crate::model::Identity;

fn blocks(guards: &Guards, text: &str) -> bool {
    guards.blocks((&Identity::parse(text).expect(text)).into())
}

#[test]
fn the_usual_guards_are_all_taken_in() {
    let guards = Guards::usual().expect("the constants are sound");
    assert_eq!(guards, Guards::default());
    assert_eq!(guards.priority().collect::<Vec<_>>(), PRIORITY);
    assert_eq!(guards.limits().collect::<Vec<_>>(), LIMITS);
    assert_eq!((guards.other_limit(), guards.hub_links()), (OTHER_LIMIT, HUB_LINKS));
    assert_eq!(guards.blocked().collect::<Vec<_>>(), BLOCKED);
    assert_eq!(guards.patterns().collect::<Vec<_>>(), BLOCKED_PATTERNS);
    assert_ne!(guards, Guards::open());
}

#[test]
fn values_that_name_nobody_are_blocked() {
    let guards = Guards::default();
    for text in [
        "phone:0",
        "phone:0000000000",
        "phone:+000",
        "phone:anonymous",
        "phone:Withheld",
        "phone:PRIVATE",
        "email:noreply@shop.example",
        "email:No-Reply@shop.example",
        "email:donotreply@shop.example",
        "email:test@test.com",
        "email:na@na.na",
        "crm:null",
        "crm:N/A",
        "device:unknown",
        "undefined",
        "twitter:--",
        "id:test",
    ] {
        assert!(blocks(&guards, text), "{text}");
        assert!(!blocks(&Guards::open(), text), "{text}");
    }
    for text in [
        "crm:0",
        "id:42",
        "phone:+4420",
        "phone:100",
        "email:nora@shop.example",
        "email:tester@shop.example",
        "email:a.test@shop.example",
        "crm:nullable",
        "crm:-42-",
        "twitter:@unknown",
        "crm:private",
        "twitter:@\u{e9}ric",
    ] {
        assert!(!blocks(&guards, text), "{text}");
    }
}

#[test]
fn a_pattern_takes_the_whole_key_in_any_case() {
    let guards = Guards::open()
        .with_blocked_pattern("phone", "a|ab|12[0-9]")
        .and_then(|guards| guards.with_blocked("crm", " \u{c9}RIC "))
        .and_then(|guards| guards.with_blocked_pattern("twitter", "@X.*"))
        .expect("sound");
    for text in ["phone:a", "phone:AB", "phone:123", "crm:\u{e9}ric", "crm:\u{c9}ric", "twitter:@xavier"] {
        assert!(blocks(&guards, text), "{text}");
    }
    for text in ["phone:abc", "phone:1234", "phone:x123", "fax:123", "crm:\u{e9}rica", "id:\u{e9}ric"] {
        assert!(!blocks(&guards, text), "{text}");
    }
}

#[test]
fn what_is_no_rule_is_refused_in_words() {
    let check = |made: Result<Guards>, words: &str| {
        let said = made.expect_err(words).to_string();
        assert!(said.contains(words), "{said}");
    };
    let open = Guards::open;
    check(open().with_priority(["crm", "Phone"]), "`Phone` is not a namespace");
    check(open().with_priority(["crm", "phone", "crm"]), "lists `crm` twice");
    check(open().with_priority(["*"]), "`*` is not a namespace");
    check(open().with_limit("", 1), "`` is not a namespace");
    check(open().with_limit("crm", 0), "write 1 or more");
    check(open().with_other_limit(0), "write 1 or more");
    check(open().with_hub_links(0), "write 1 or more");
    check(open().with_blocked("a b", "x"), "`a b` is not a namespace");
    check(open().with_blocked("*", "  "), "needs a key");
    check(open().with_blocked_pattern("phone", "(0"), "`(0` is not a pattern");
    check(open().with_blocked_pattern("phone", "a)|(b"), "`a)|(b` is not a pattern");
    check(open().with_blocked_pattern("phone", "((x{1000}){1000})"), "is not a pattern");
}

#[test]
fn bounds_are_met_exactly() {
    let pattern = |letters: usize| {
        let alternatives = "a|".repeat(letters / 2);
        Guards::open().with_blocked_pattern("*", &format!("{alternatives}{}", "b".repeat(letters % 2)))
    };
    assert!(pattern(BLOCKED_PATTERN_BYTES_MAX).is_ok());
    assert!(matches!(pattern(BLOCKED_PATTERN_BYTES_MAX + 1), Err(Error::Limit { .. })));
    assert!(Guards::open().with_blocked("crm", &"x".repeat(IDENTITY_BYTES_MAX)).is_ok());
    assert!(matches!(
        Guards::open().with_blocked("crm", &"x".repeat(IDENTITY_BYTES_MAX + 1)),
        Err(Error::Limit { .. })
    ));

    let mut guards = Guards::open();
    for number in 0..BLOCKED_PATTERNS_MAX {
        guards = guards.with_blocked_pattern("phone", &format!("x{number}")).expect("there is room");
    }
    // Once more the same is no other.
    guards = guards.with_blocked_pattern("phone", "x0").expect("it is known");
    assert!(matches!(guards.with_blocked_pattern("phone", "y"), Err(Error::Limit { .. })));

    let mut guards = Guards::open();
    guards.exact.insert("crm".to_owned(), (1..BLOCKED_VALUES_MAX).map(|key| key.to_string()).collect());
    guards = guards.with_blocked("phone", "x").expect("there is room");
    guards = guards.with_blocked("phone", "X").expect("it is known");
    assert!(matches!(guards.with_blocked("phone", "y"), Err(Error::Limit { .. })));
}

#[test]
fn ranks_are_listed_first_then_by_name() {
    let guards = Guards::open().with_priority(["phone", "crm"]).expect("sound");
    let mut namespaces = ["a", "zz", "crm", "email", "phone"];
    namespaces.sort_by_key(|namespace| guards.rank(namespace));
    assert_eq!(namespaces, ["phone", "crm", "a", "email", "zz"]);
}

#[test]
fn an_interaction_comes_under_the_most_trusted_identity() {
    let guards = Guards::default();
    let check = |texts: &[&str], expected: Option<&str>| {
        let mut identities: Vec<Identity> =
            texts.iter().map(|text| Identity::parse(text).expect(text)).collect();
        for _ in 0..2 {
            let primary = guards.primary(identities.iter().map(Into::into));
            assert_eq!(primary.map(|identity| identity.as_str()), expected, "{texts:?}");
            identities.reverse();
        }
    };
    check(&[], None);
    check(&["phone:1"], Some("phone:1"));
    check(&["phone:1", "email:a@b", "crm:9"], Some("crm:9"));
    check(&["phone:2", "phone:1"], Some("phone:1"));
    check(&["device:1", "app:2", "phone:3"], Some("phone:3"));
    check(&["device:1", "app:2"], Some("app:2"));
    check(&["crm:null", "phone:3"], Some("phone:3"));
    check(&["crm:unknown", "crm:null", "phone:0"], Some("crm:null"));
}
