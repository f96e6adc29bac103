//! What brings evidence in beside links: rows of several identities, imports of links, and all
//! that another store was told.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::link_tests::{Model, NAMES, identity, link, names, open, portrait};
use super::*;
use crate::disk_sim::SimDisk;
use crate::guards::Guards;
use crate::links::Link;
use crate::resolution::{Evidence, Said};
use crate::{Batch, Identity, Role, ValueRef};

const SOURCES: [&str; 3] = ["", "a.csv", "b.csv"];

/// A link, or a cut, that names its source: one, other, quarters of confidence or 0, source.
type Told = (usize, usize, u16, usize);

#[derive(Clone, Debug)]
enum Act {
    Append(Vec<Vec<usize>>),
    /// The rows appended at that place again, each with one more identity.
    Again(usize, usize),
    /// Rows, customers' rows, then links.
    Import(Vec<Vec<usize>>, Vec<Vec<usize>>, Vec<Told>),
    GiveUp(Vec<Vec<usize>>, Vec<Told>),
    Say(Told),
    Guard(u32, u32),
    Seal,
    Reopen,
    Rebuild,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let name = || 0..NAMES.len();
    let rows = || prop::collection::vec(prop::collection::vec(name(), 1..4), 0..5);
    let told = |least: u16| {
        (name(), name(), least..4, 0..SOURCES.len()).prop_filter("are two", |told| told.0 != told.1)
    };
    let links = move || prop::collection::vec(told(1), 0..4);
    let act = prop_oneof![
        4 => rows().prop_map(Act::Append),
        2 => (any::<prop::sample::Index>(), name()).prop_map(|(place, name)| Act::Again(place.index(8), name)),
        5 => (rows(), rows(), links()).prop_map(|(rows, of, links)| Act::Import(rows, of, links)),
        1 => (rows(), links()).prop_map(|(rows, links)| Act::GiveUp(rows, links)),
        3 => told(0).prop_map(Act::Say),
        1 => (1..3_u32, 1..5_u32).prop_map(|(limit, hub)| Act::Guard(limit, hub)),
        2 => Just(Act::Seal),
        1 => Just(Act::Reopen),
        1 => Just(Act::Rebuild),
    ];
    prop::collection::vec(act, 1..20)
}

/// The store in lists.
#[derive(Default)]
struct Lists {
    model: Model,
    /// Pairs that a row carried.
    pairs: BTreeSet<(usize, usize)>,
    /// Links that were said: the two, confidence, source.
    links: BTreeSet<(usize, usize, u16, usize)>,
    /// Rows by event id.
    rows: Vec<(Millis, Vec<usize>)>,
}

impl Lists {
    fn primary(&self, row: &[usize]) -> usize {
        let all: Vec<Identity> = row.iter().map(|&place| identity(place)).collect();
        let primary = self.model.guards.primary(all.iter().map(Into::into)).expect("has one");
        NAMES.iter().position(|name| *name == primary.as_str()).expect("is one of them")
    }

    /// Answers how many pairs are new.
    fn carry(&mut self, row: &[usize]) -> u64 {
        let mut new = 0;
        for &one in row {
            for &other in row {
                if one < other && self.pairs.insert((one, other)) {
                    new += 1;
                    let (one, other) = (one as u32, other as u32);
                    self.model.said.push(Evidence { one, other, said: Said::Row, confidence: 0 });
                }
            }
        }
        new
    }

    fn add(&mut self, time: Millis, row: &[usize]) {
        self.model.rows.push((time, self.primary(row)));
        self.rows.push((time, row.to_vec()));
    }

    fn say(&mut self, (one, other, sure, source): Told) {
        let said = if sure > 0 { Said::Link } else { Said::Cut };
        if sure > 0 {
            self.links.insert((one.min(other), one.max(other), sure, source));
        }
        let (one, other) = (one as u32, other as u32);
        self.model.said.push(Evidence { one, other, said, confidence: sure * 250 });
    }
}

fn link_of((one, other, sure, source): Told) -> Link {
    let link = Link::new(identity(one), identity(other)).expect("are two");
    link.with_confidence(f64::from(sure) / 4.0).expect("is one").with_source(SOURCES[source])
}

/// Rows as an application appends them; the time is the event id.
fn interactions(rows: &[(Millis, Vec<usize>)]) -> Vec<Interaction> {
    let interaction = |(time, row): &(Millis, Vec<usize>)| {
        let first = Interaction::new(NAMES[row[0]], *time).kind("call").event_id(&time.to_string());
        row[1..].iter().fold(first, |made, &place| made.also(NAMES[place]))
    };
    rows.iter().map(interaction).collect()
}

fn batch(import: &Import<'_>, rows: &[(Millis, Vec<usize>)], of_customers: bool) -> Batch {
    let role = |role| import.schema().role(role).expect("core").id;
    let mut batch = Batch::new(import.schema());
    for (time, row) in rows {
        batch.begin(&identity(row[0]), *time);
        for &place in &row[1..] {
            batch.also((&identity(place)).into()).expect("carries");
        }
        if !of_customers {
            batch.set(role(Role::Kind), ValueRef::Str("call")).expect("sets");
            batch.set(role(Role::EventId), ValueRef::Str(&time.to_string())).expect("sets");
        }
    }
    batch
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Beside lists, whatever happens in between: who is whom, and how much was new.
    #[test]
    fn evidence_comes_in_with_rows_and_files(acts in acts()) {
        let disk = SimDisk::new();
        let mut db = open(&disk);
        let mut lists = Lists::default();
        let mut time = 1_000;
        for act in acts {
            let mut timed = |rows: &[Vec<usize>]| -> Vec<(Millis, Vec<usize>)> {
                let next = |row: &Vec<usize>| { time += 1_000; (time, row.clone()) };
                rows.iter().map(next).collect()
            };
            match &act {
                Act::Append(rows) => {
                    let rows = timed(rows);
                    let commit = db.append(interactions(&rows)).expect("appends");
                    let new: u64 = rows.iter().map(|(_, row)| lists.carry(row)).sum();
                    rows.iter().for_each(|(time, row)| lists.add(*time, row));
                    prop_assert_eq!((commit.added, commit.links), (rows.len() as u64, new));
                }
                &Act::Again(place, name) => {
                    let Some((time, mut row)) = lists.rows.get(place).cloned() else { continue };
                    row.push(name);
                    let before = db.snapshot().commit();
                    let commit = db.append(interactions(&[(time, row.clone())])).expect("appends");
                    let new = lists.carry(&row);
                    prop_assert_eq!((commit.added, commit.duplicates, commit.links), (0, 1, new));
                    prop_assert_eq!(commit.number, before + u64::from(new > 0));
                }
                Act::Import(rows, of_customers, links) => {
                    let (rows, of_customers) = (timed(rows), timed(of_customers));
                    let before = db.snapshot().commit();
                    let mut import = db.import("test").expect("begins");
                    // The first half alone, then all of it: what is known is left out.
                    let half = &rows[..rows.len() / 2];
                    import.push(batch(&import, half, false)).expect("takes");
                    let known = import.push(batch(&import, &rows, false)).expect("takes");
                    prop_assert_eq!(known, half.len() as u64);
                    import.push_customers(batch(&import, &of_customers, true)).expect("takes");
                    let all: Vec<Link> = links.iter().map(|&told| link_of(told)).collect();
                    let left_out = import.link(&all).expect("takes");
                    let report = import.commit().expect("commits");
                    let mut new = 0;
                    for (time, row) in &rows {
                        new += lists.carry(row);
                        lists.add(*time, row);
                    }
                    for (_, row) in &of_customers {
                        new += lists.carry(row);
                    }
                    let mut known = 0;
                    for &told in links {
                        let (one, other, sure, source) = told;
                        match lists.links.contains(&(one.min(other), one.max(other), sure, source)) {
                            true => known += 1,
                            false => lists.say(told),
                        }
                    }
                    let added = (rows.len() + of_customers.len()) as u64;
                    prop_assert_eq!(left_out, known);
                    prop_assert_eq!((report.added, report.pairs), (added, new));
                    prop_assert_eq!((report.links, report.links_left_out), (links.len() as u64 - known, known));
                    let said = added + report.pairs + report.links > 0;
                    prop_assert_eq!(report.commit, before + u64::from(said));
                }
                Act::GiveUp(rows, links) => {
                    let mut import = db.import("test").expect("begins");
                    import.push(batch(&import, &timed(rows), false)).expect("takes");
                    let links: Vec<Link> = links.iter().map(|&told| link_of(told)).collect();
                    import.link(&links).expect("takes");
                    import.set_guards(&Guards::open()).expect("sets");
                }
                &Act::Say(told) => {
                    let commit = match told {
                        (one, other, 0, source) => db.unlink(&identity(one), &identity(other), SOURCES[source]),
                        told => db.link([link_of(told)]),
                    };
                    prop_assert_eq!(commit.expect("says").links, 1);
                    lists.say(told);
                }
                &Act::Guard(limit, hub) => {
                    let guards = Guards::default().with_other_limit(limit).and_then(|some| some.with_hub_links(hub));
                    lists.model.guards = guards.expect("are rules");
                    db.set_guards(&lists.model.guards).expect("sets");
                }
                Act::Seal => db.seal().expect("seals"),
                Act::Reopen => { drop(db); db = open(&disk); }
                Act::Rebuild => db.rebuild().expect("rebuilds"),
            }
            prop_assert_eq!(portrait(&db), lists.model.portrait(), "after {:?}", act);
        }
        prop_assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
        prop_assert_eq!(&*db.snapshot().guards(), &lists.model.guards);

        // All that was said, said to another store: the same customers, and nothing new the next time.
        let copy = open(&SimDisk::new());
        for (store, expected) in [(&copy, true), (&copy, false), (&db, false)] {
            let mut import = store.import("all").expect("begins");
            import.set_guards(&lists.model.guards).expect("sets");
            let rows: Vec<(Millis, Vec<usize>)> =
                lists.model.rows.iter().map(|&(time, place)| (time, vec![place])).collect();
            import.push(batch(&import, &rows, false)).expect("takes");
            let snapshot = db.snapshot();
            let mut kept = Vec::new();
            for part in snapshot.said() {
                let name = |of| Identity::parse(&snapshot.identity_name(of).expect("has one")).expect("is one");
                for saying in part.expect("reads") {
                    let link = Link::new(name(saying.one), name(saying.other)).expect("are two");
                    let link = link.with_confidence(saying.confidence.unwrap_or(1.0)).expect("is one");
                    kept.push((saying.said, link.with_source(saying.source)));
                }
            }
            prop_assert_eq!(kept.len(), lists.model.said.len());
            let left_out = import.say(&kept).expect("takes");
            prop_assert_eq!(left_out, if expected { 0 } else { kept.len() as u64 });
            let report = import.commit().expect("commits");
            prop_assert_eq!(expected || report.added + report.links + report.pairs == 0, true);
            prop_assert_eq!(portrait(store), lists.model.portrait());
        }
    }
}

#[test]
fn one_content_is_told_by_the_identity_it_comes_under() {
    let db = open(&SimDisk::new());
    let import = |also: &[&str], first: &str| {
        let mut import = db.import("calls.csv").expect("begins");
        let mut batch = Batch::new(import.schema());
        batch.begin(&Identity::parse(first).expect("parses"), 1_000);
        for also in also {
            batch.also((&Identity::parse(also).expect("parses")).into()).expect("carries");
        }
        import.push(batch).expect("takes");
        let report = import.commit().expect("commits");
        (report.added, report.duplicates, report.pairs)
    };
    assert_eq!(import(&[], "crm:1"), (1, 0, 0));
    // With the telephone it is the same row, and says something new.
    assert_eq!(import(&["phone:1"], "crm:1"), (0, 1, 1));
    assert_eq!(import(&["crm:1"], "phone:1"), (0, 1, 0));
    // Under the telephone alone it is another row.
    assert_eq!(import(&[], "phone:1"), (1, 0, 0));
    assert_eq!(names(&db), ["crm:1".to_owned()].into());
    assert_eq!(db.snapshot().interactions(), 2);
}

#[test]
fn a_file_imported_again_mends_no_cut() {
    let db = open(&SimDisk::new());
    let [crm, phone] = ["crm:1", "phone:1"].map(|text| Identity::parse(text).expect("parses"));
    let links = [link("crm:1", "phone:1").with_source("matches.csv")];
    let import = |links: &[Link]| {
        let mut import = db.import("matches.csv").expect("begins");
        import.link(links).expect("takes");
        let report = import.commit().expect("commits");
        (report.commit, report.links, report.links_left_out)
    };
    db.append(["crm:1", "phone:1"].map(|name| Interaction::new(name, 1_000))).expect("appends");
    assert_eq!(import(&links), (2, 1, 0));
    assert_eq!(names(&db).len(), 1);
    db.unlink(&crm, &phone, "ann").expect("unlinks");
    for _ in 0..2 {
        assert_eq!(import(&links), (3, 0, 1));
        assert_eq!(names(&db).len(), 2);
    }
    // Another confidence is another link, and the same one by a statement is said anew.
    let surer = [links[0].clone().with_confidence(0.5).expect("is one")];
    assert_eq!(import(&surer), (4, 1, 0));
    assert_eq!(names(&db).len(), 1);
    db.unlink(&phone, &crm, "ann").expect("unlinks");
    db.link(links).expect("links");
    assert_eq!(names(&db).len(), 1);
}

#[test]
fn what_a_row_carries_is_checked_like_its_identity() {
    let db = open(&SimDisk::new());
    let call = || Interaction::new("crm:1", 1_000);
    let error = db.append([call(), call().also("phone:")]).expect_err("is no identity").to_string();
    assert!(error.contains("interaction 2") && error.contains("needs a key"), "{error}");
    let many = (0..16).fold(call(), |call, n| call.also(format!("device:{n}")));
    let error = db.append([many]).expect_err("are too many").to_string();
    assert!(error.contains("identities of one interaction"), "{error}");
    let commit = db.append([call().also("crm:1").also(" crm: 1 ")]).expect("carries one");
    assert_eq!((commit.added, commit.links), (1, 0));
    let long = [link("crm:1", "phone:1").with_source("x".repeat(crate::limits::VALUE_BYTES_MAX + 1))];
    let error = db.import("x").expect("begins").link(&long).expect_err("is too long").to_string();
    assert!(error.contains("source of a link"), "{error}");
}
