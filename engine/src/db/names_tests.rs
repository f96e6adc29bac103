//! Identities that are found by the index of the graph, of the table in memory, and after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::batch::Batch;
use crate::chunks::ChunkWriter;
use crate::disk_sim::SimDisk;
use crate::manifest::Version;
use crate::model::{Identity, IdentityOrdinal};
use crate::name_index::NameIndexMeta;
use crate::strings::Strings;

fn identity(number: u8) -> Identity {
    Identity::parse(&format!("crm:{number}")).expect("parses")
}

fn append(db: &Db, numbers: &[u8]) {
    let of = |&number: &u8| Interaction::new(identity(number).as_str(), 1_000).kind("call");
    db.append(numbers.iter().map(of)).expect("appends");
}

/// Imports interactions; `keep` says whether the import ends well.
fn import(db: &Db, numbers: &[u8], keep: bool) {
    let mut import = db.import("names").expect("begins");
    let mut batch = Batch::new(import.schema());
    numbers.iter().for_each(|&number| batch.begin(&identity(number), 1_000));
    import.push(batch).expect("takes");
    if keep {
        import.commit().expect("commits");
    }
}

/// All names of a store must have these numbers, and others none.
fn check_names(db: &Db, known: &BTreeMap<u8, u32>) {
    let snapshot = db.snapshot();
    for number in 0..=u8::MAX {
        let found = snapshot.find_identity(&identity(number)).expect("reads");
        assert_eq!(found, known.get(&number).map(|&number| IdentityOrdinal(number)), "crm:{number}");
    }
    assert_eq!(db.check().expect("checks").problems, Vec::<String>::new());
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>),
    Import(Vec<u8>, bool),
    Seal,
    Reopen,
    Rebuild,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let numbers = || prop::collection::vec(any::<u8>(), 1..12);
    let step = prop_oneof![
        4 => numbers().prop_map(Step::Append),
        2 => (numbers(), any::<bool>()).prop_map(|(numbers, keep)| Step::Import(numbers, keep)),
        2 => Just(Step::Seal),
        3 => Just(Step::Reopen),
        1 => Just(Step::Rebuild),
    ];
    prop::collection::vec(step, 1..16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn numbers_follow_from_the_order_of_coming_however_they_are_found(steps in steps()) {
        let disk = SimDisk::new();
        let open = || Db::open_on(Arc::new(disk.clone()), Options::default()).expect("opens");
        let mut db = open();
        let mut known = BTreeMap::new();
        let meet = |numbers: &[u8], known: &mut BTreeMap<u8, u32>| {
            for &number in numbers {
                let next = known.len() as u32;
                known.entry(number).or_insert(next);
            }
        };
        for step in steps {
            match step {
                Step::Append(numbers) => {
                    append(&db, &numbers);
                    meet(&numbers, &mut known);
                }
                Step::Import(numbers, keep) => {
                    import(&db, &numbers, keep);
                    if keep {
                        meet(&numbers, &mut known);
                    }
                }
                Step::Seal => db.seal().expect("seals"),
                Step::Reopen => {
                    drop(db);
                    db = open();
                }
                Step::Rebuild => db.rebuild().expect("rebuilds"),
            }
            prop_assert_eq!(db.snapshot().ordinals() as usize, known.len());
        }
        // As it is, and of a process that has read nothing yet.
        check_names(&db, &known);
        db.seal().expect("seals");
        drop(db);
        check_names(&open(), &known);
    }
}

#[test]
fn an_index_of_other_names_is_a_problem() {
    let db = Db::open_on(Arc::new(SimDisk::new()), Options::default()).expect("opens");
    append(&db, &[1, 2, 3, 4, 5, 6]);
    db.seal().expect("seals");
    let problems = |texts: &[&str]| {
        let mut writer = db.writer.lock();
        let version = Arc::clone(&writer.state.version);
        let mut manifest = version.manifest.clone();
        let mut strings = Strings::default();
        texts.iter().for_each(|text| strings.push(text));
        manifest.name_index = NameIndexMeta::default();
        let mut out = ChunkWriter::new(&version.chunks, 1_000);
        manifest.name_index.extend(&mut out, &strings, 1).expect("writes");
        out.finish(b"test", Vec::new()).expect("writes");
        writer.state.version = Version::new(manifest, Arc::clone(&version.chunks));
        drop(writer);
        let problems = db.check().expect("checks").problems;
        db.writer.lock().state.version = version;
        problems
    };
    let names = ["crm:1", "crm:2", "crm:3", "crm:4", "crm:5", "crm:6", "crm:7"];
    assert_eq!(problems(&names[..6]), Vec::<String>::new());
    assert_eq!(problems(&names[..4]), Vec::<String>::new());
    for wrong in [&names[..], &["crm:2", "crm:1", "crm:3"], &["crm:1", "crm:2", "crm:2"]] {
        let problems = problems(wrong);
        assert!(matches!(&problems[..], [one] if one.contains("index of names")), "{problems:?}");
    }
}
