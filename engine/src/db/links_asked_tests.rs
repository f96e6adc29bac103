//! What readers are told of links, beside lists that are gone over slowly.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::link_tests::{Model, NAMES, Portrait, identity, open, portrait_of};
use super::*;
use crate::disk_sim::SimDisk;
use crate::guards::Guards;
use crate::model::{Identity, IdentityOrdinal};
use crate::records::links::{FrameLinks, Pair};
use crate::resolution::{Evidence, PairStanding, Said, Standing};
use crate::snapshot::{LinkCounts, LinkRow};

#[derive(Clone, Debug)]
enum Act {
    Append(Vec<usize>),
    /// All in one commit.
    Say(Vec<(usize, usize, Said, u16)>),
    Guard(u32, u32),
    Seal,
}

fn act() -> impl Strategy<Value = Act> {
    let name = || 0..NAMES.len();
    let said = prop_oneof![
        3 => Just((Said::Row, 0)),
        5 => (1..4_u16).prop_map(|sure| (Said::Link, sure * 250)),
        1 => Just((Said::Cut, 0)),
    ];
    let saying = (name(), name(), said).prop_filter("are two", |(one, other, _)| one != other);
    let saying = saying.prop_map(|(one, other, (said, sure))| (one, other, said, sure));
    prop_oneof![
        3 => prop::collection::vec(name(), 1..6).prop_map(Act::Append),
        5 => prop::collection::vec(saying, 1..5).prop_map(Act::Say),
        1 => (1..3_u32, 2..6_u32).prop_map(|(limit, hub)| Act::Guard(limit, hub)),
        1 => Just(Act::Seal),
    ]
}

/// A store, and what happened to it in lists.
fn made(acts: &[Act]) -> (Db, Model, Vec<String>) {
    let db = open(&SimDisk::new());
    let (mut model, mut sources) = (Model::default(), Vec::new());
    let mut time = 1_000;
    // Every identity is known, so that each can be asked about.
    let all = Act::Append((0..NAMES.len()).collect());
    for act in std::iter::once(&all).chain(acts) {
        match act {
            Act::Append(names) => {
                for &name in names {
                    time += 1_000;
                    db.append([Interaction::new(NAMES[name], time).kind("call")]).expect("appends");
                    model.rows.push((time, name));
                }
            }
            Act::Say(sayings) => {
                let first = sources.len();
                sources.extend((first..first + sayings.len()).map(|number| format!("source {number}")));
                let pairs = sayings.iter().zip(&sources[first..]);
                let pair = |(&(one, other, said, confidence), source)| {
                    let source: &String = source;
                    Pair { one: NAMES[one], other: NAMES[other], said, confidence, source }
                };
                let frame = FrameLinks::from_pairs(pairs.map(pair)).expect("fits");
                db.commit(Ticket::links(frame)).expect("commits");
                let said = sayings.iter().map(|&(one, other, said, confidence)| Evidence {
                    one: one as u32,
                    other: other as u32,
                    said,
                    confidence,
                });
                model.said.extend(said);
            }
            &Act::Guard(limit, hub) => {
                let guards =
                    Guards::default().with_other_limit(limit).and_then(|some| some.with_hub_links(hub));
                model.guards = guards.expect("are rules");
                db.set_guards(&model.guards).expect("sets");
            }
            Act::Seal => db.seal().expect("seals"),
        }
    }
    (db, model, sources)
}

/// A pair in words: both names, what became of it, and of what was said about it what counts.
type Told = (String, String, u16, String, Said, String);

fn told(row: &LinkRow, snapshot: &Snapshot) -> Told {
    let name = |identity: IdentityOrdinal| snapshot.identity_name(identity).expect("has a name");
    let standing = in_words(row.standing, &|one| name(IdentityOrdinal(one)));
    (name(row.one), name(row.other), row.thousandths, standing, row.said, row.source.to_string())
}

fn in_words(standing: Standing, name: &dyn Fn(u32) -> String) -> String {
    match standing {
        Standing::Blocked(one) => format!("blocked {}", name(one)),
        Standing::Hub(one) => format!("hub {}", name(one)),
        Standing::Limit(one, other) => format!("limit {} {}", name(one), name(other)),
        Standing::Cut(one, other) => format!("cut {} {}", name(one), name(other)),
        other => format!("{other:?}"),
    }
}

/// The saying that counts, found slowly: its place.
fn counts(said: &[Evidence], pair: &PairStanding) -> usize {
    let is = |one: &Evidence| [(one.one, one.other), (one.other, one.one)].contains(&(pair.one, pair.other));
    let of_pair: Vec<usize> = (0..said.len()).filter(|&place| is(&said[place])).collect();
    let of = |kind: Said| of_pair.iter().copied().filter(move |&place| said[place].said == kind);
    let cut = of(Said::Cut).next_back();
    let links: Vec<usize> = of(Said::Link).filter(|&link| cut.is_none_or(|cut| link > cut)).collect();
    if links.is_empty()
        && let Some(cut) = cut
    {
        return cut;
    }
    let best = links.iter().map(|&place| said[place].confidence).max().unwrap_or_default();
    let link = links.into_iter().find(|&place| said[place].confidence == best);
    let row = of(Said::Row).next();
    link.filter(|_| best >= 500 || row.is_none()).or(row).expect("something was said")
}

fn expected(model: &Model, sources: &[String], pair: &PairStanding) -> Told {
    let name = |one: u32| NAMES[one as usize].to_owned();
    let place = counts(&model.said, pair);
    let standing = in_words(pair.standing, &name);
    (
        name(pair.one),
        name(pair.other),
        pair.confidence,
        standing,
        model.said[place].said,
        sources[place].clone(),
    )
}

/// Of a portrait the customers with one of these identities.
fn of_these(portrait: Portrait, identities: &BTreeSet<String>) -> Portrait {
    let is = |rows: &[(Millis, String)]| rows.iter().any(|(_, name)| identities.contains(name));
    portrait.into_iter().filter(|(_, rows)| is(rows)).collect()
}

/// Whom accepted pairs without the one at a place hold to an identity, found slowly.
fn held(pairs: &[PairStanding], without: usize, from: u32) -> BTreeSet<u32> {
    let mut held = BTreeSet::from([from]);
    loop {
        let before = held.len();
        for (place, pair) in pairs.iter().enumerate() {
            let is = place != without && pair.standing == Standing::Accepted;
            if is && (held.contains(&pair.one) || held.contains(&pair.other)) {
                held.extend([pair.one, pair.other]);
            }
        }
        if held.len() == before {
            return held;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn what_is_told_of_links_is_what_was_said(acts in prop::collection::vec(act(), 1..16)) {
        let (db, model, sources) = made(&acts);
        let snapshot = db.snapshot();
        let resolved = model.resolved();
        prop_assert_eq!(&*snapshot.guards(), &model.guards);
        let is_refused =
            |pair: &&PairStanding| !matches!(pair.standing, Standing::Accepted | Standing::Withdrawn);
        let refused: Vec<Told> =
            resolved.pairs.iter().filter(is_refused).map(|pair| expected(&model, &sources, pair)).collect();
        let found = snapshot.links_refused().expect("resolves");
        prop_assert_eq!(found.iter().map(|row| told(row, &snapshot)).collect::<Vec<_>>(), refused.clone());
        let cuts = resolved.pairs.iter().filter(|pair| pair.standing == Standing::Withdrawn).count();
        prop_assert_eq!(snapshot.link_counts().expect("resolves"), LinkCounts {
            identities: NAMES.len() as u64,
            joined: resolved.shown.len() as u64,
            links: (resolved.pairs.len() - cuts) as u64,
            cuts: cuts as u64,
            refused: refused.len() as u64,
        });
        for (place, name) in NAMES.iter().enumerate() {
            let customer = snapshot.resolve(&identity(place)).expect("reads").expect("is known");
            let own: BTreeSet<u32> = (0..NAMES.len() as u32)
                .filter(|&other| resolved.customer(other) == resolved.customer(place as u32))
                .collect();
            let touching: Vec<PairStanding> = resolved.pairs.iter().copied()
                .filter(|pair| own.contains(&pair.one) || own.contains(&pair.other)).collect();
            let links = snapshot.links_of(customer).expect("resolves");
            let pairs: Vec<Told> = touching.iter().map(|pair| expected(&model, &sources, pair)).collect();
            prop_assert_eq!(links.edges().map(|edge| told(&edge.row, &snapshot)).collect::<Vec<_>>(), pairs);
            let names: BTreeSet<String> = own.iter().map(|&one| NAMES[one as usize].to_owned()).collect();
            let only = portrait_of(&snapshot.only(customer).expect("reads"));
            prop_assert_eq!(only, of_these(model.portrait(), &names), "{} alone", name);
            let shown = *resolved.shown.iter().find(|(of, _)| *of == resolved.customer(place as u32))
                .map_or(&(place as u32), |(_, by)| by);
            for (edge, pair) in touching.iter().enumerate() {
                let far: Vec<u32> = own.difference(&held(&touching, edge, shown)).copied().collect();
                let rows = model.rows.iter().filter(|(_, name)| far.contains(&(*name as u32))).count();
                let apart = links.edges().nth(edge).expect("is one").apart;
                prop_assert_eq!(apart, (!far.is_empty()).then_some(rows as u64), "{:?}", pair);
                let is = |said: &Evidence| [(said.one, said.other), (said.other, said.one)].contains(&(pair.one, pair.other));
                let said = model.said.iter().filter(|said| !is(said)).copied().collect();
                let then = Model { rows: model.rows.clone(), said, guards: model.guards.clone() };
                let of = |model: &Model| of_these(model.portrait(), &names);
                let found = snapshot.without_link(&links, edge).expect("reads");
                match (pair.standing, found) {
                    // A pair that joined nobody keeps nobody together.
                    (standing, found) if standing != Standing::Accepted => prop_assert!(found.is_none()),
                    (_, None) => prop_assert_eq!(of(&then), of(&model), "without {:?}", pair),
                    (_, Some(found)) => {
                        prop_assert_eq!(portrait_of(&found), of(&then), "without {:?}", pair);
                        prop_assert_ne!(of(&then), of(&model), "without {:?}", pair);
                        prop_assert_eq!(found.time_span().expect("reads"), snapshot.time_span().expect("reads"));
                    }
                }
            }
        }
    }
}

/// Of a long chain of pairs all of it is one region, however it is numbered; and who is in none has none.
#[test]
fn a_region_is_found_to_its_end() {
    let db = open(&SimDisk::new());
    let guards = Guards::default().with_other_limit(1_000).expect("is a limit");
    db.set_guards(&guards).expect("sets");
    let name = |number: u32| format!("device:{}", number * 37 % 101);
    let pair = |number| crate::Link::new(parsed(&name(number)), parsed(&name(number + 1))).expect("are two");
    db.link((0..60).map(pair)).expect("links");
    db.append([Interaction::new(name(0), 1_000), Interaction::new("device:900", 2_000)]).expect("appends");
    let snapshot = db.snapshot();
    let links = |name: &str| {
        let customer = snapshot.resolve(&parsed(name)).expect("reads").expect("is known");
        snapshot.links_of(customer).expect("resolves")
    };
    assert_eq!(links(&name(60)).edges().count(), 60);
    assert!(links(&name(60)).edges().all(|edge| edge.apart.is_some()));
    assert_eq!((links("device:900").edges().count(), links("device:900").graph.node_count()), (0, 1));
}

fn parsed(name: &str) -> Identity {
    Identity::parse(name).expect("parses")
}

#[test]
fn what_was_said_later_is_out_of_sight() {
    let db = open(&SimDisk::new());
    let link = |one, other| crate::Link::new(parsed(one), parsed(other)).expect("are two");
    db.append([Interaction::new("crm:1", 1_000)]).expect("appends");
    db.link([link("crm:1", "phone:9"), link("crm:1", "phone:0")]).expect("links");
    let (before, of) = (db.snapshot(), |row: &LinkRow| (row.one.0, row.other.0));
    db.link([link("crm:1", "crm:2")]).expect("links");
    db.seal().expect("seals");
    assert_eq!(before.links_refused().expect("resolves").iter().map(of).collect::<Vec<_>>(), [(0, 2)]);
    assert_eq!(before.link_counts().expect("resolves").links, 2);
    assert_eq!(db.snapshot().links_refused().expect("resolves").len(), 2);
    let customers: BTreeMap<u32, u32> = (db.snapshot().links_of(0).expect("resolves").graph.node_weights())
        .map(|node| (node.identity.0, node.customer))
        .collect();
    assert_eq!(customers, [(0, 0), (1, 0), (2, 2), (3, 3)].into());
}
