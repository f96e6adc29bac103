use super::*;
use crate::disk::{read_whole, write_atomically};
use crate::graph_store::Change;

fn change(key: &str, value: &str) -> Change {
    (key.as_bytes().to_vec(), Some(value.as_bytes().to_vec()))
}

/// Contents of `path` over many crashes of `disk`.
fn found(disk: &SimDisk, path: &str, loss: Loss) -> BTreeSet<Option<Vec<u8>>> {
    (0..200).map(|seed| disk.after_crash(seed, loss).contents(path)).collect()
}

#[test]
fn unsynced_bytes_are_kept_lost_or_torn() {
    let disk = SimDisk::new();
    let mut file = disk.open("a", How::Create).expect("create");
    disk.sync_dir("").expect("sync");
    file.append(b"1234").expect("append");
    file.sync().expect("sync");
    file.append(b"5678").expect("append");
    assert_eq!(found(&disk, "a", Loss::Kept), [Some(b"12345678".to_vec())].into());
    assert_eq!(found(&disk, "a", Loss::Lost), [Some(b"1234".to_vec())].into());
    let torn = found(&disk, "a", Loss::Torn);
    for expected in [&b"1234"[..], b"12345", b"12345678", b"12345\0\0\0"] {
        assert!(torn.contains(&Some(expected.to_vec())), "{:?}", String::from_utf8_lossy(expected));
    }
    let hole = |bytes: &&Vec<u8>| bytes.contains(&0) && bytes.last() != Some(&0);
    assert!(torn.iter().flatten().any(|bytes| hole(&bytes)));
    assert!(torn.iter().flatten().all(|bytes| bytes.starts_with(b"1234") && bytes.len() <= 8));
    file.sync().expect("sync");
    assert_eq!(found(&disk, "a", Loss::Torn), [Some(b"12345678".to_vec())].into());
    file.truncate(2).expect("truncate");
    assert_eq!(found(&disk, "a", Loss::Lost), [Some(b"12345678".to_vec())].into());
    assert!(found(&disk, "a", Loss::Torn).contains(&Some(b"12".to_vec())));
}

#[test]
fn names_are_old_or_new_until_their_folder_is_synced() {
    let disk = SimDisk::new();
    write_atomically(&disk, "HEAD", b"old").expect("write");
    let mut file = disk.open("HEAD.tmp", How::Create).expect("create");
    file.append(b"new").expect("append");
    file.sync().expect("sync");
    disk.rename("HEAD.tmp", "HEAD").expect("rename");
    let (old, new) = (Some(b"old".to_vec()), Some(b"new".to_vec()));
    assert_eq!(found(&disk, "HEAD", Loss::Lost), [old.clone()].into());
    assert_eq!(found(&disk, "HEAD", Loss::Torn), [old, new.clone()].into());
    disk.sync_dir("").expect("sync");
    assert_eq!(found(&disk, "HEAD", Loss::Torn), [new.clone()].into());
    disk.remove_file("HEAD").expect("remove");
    assert_eq!(found(&disk, "HEAD", Loss::Torn), [None, new].into());
}

#[test]
fn an_atomic_write_is_old_or_new_at_every_operation() {
    let check = |operation: u64| {
        let disk = SimDisk::new();
        write_atomically(&disk, "HEAD", b"old").expect("write");
        disk.fail_at(disk.operations() + operation, Fault::Crash);
        let written = write_atomically(&disk, "HEAD", b"new").is_ok();
        let (old, new) = (Some(b"old".to_vec()), Some(b"new".to_vec()));
        for content in found(&disk, "HEAD", Loss::Torn) {
            assert!(content == new || (!written && content == old), "operation {operation}: {content:?}");
        }
        written
    };
    assert!((1..6).all(|operation| !check(operation)));
    assert!(check(6));
}

#[test]
fn batches_survive_whole_and_in_order() {
    let disk = SimDisk::new();
    let graph = disk.open_graph("graph-1").expect("open");
    graph.apply(vec![change("a", "1")]).expect("apply");
    graph.flush().expect("flush");
    graph.apply(vec![change("a", "2"), change("b", "2")]).expect("apply");
    graph.apply(vec![(b"a".to_vec(), None), change("c", "3")]).expect("apply");
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let disk = disk.after_crash(seed, Loss::Torn);
        let graph = disk.open_graph("graph-1").expect("open");
        let values = graph.get_many(&[b"a", b"b", b"c"]).expect("get");
        seen.insert(values.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().concat());
    }
    assert_eq!(seen, [b"1".to_vec(), b"22".to_vec(), b"23".to_vec()].into());
    assert!(disk.graph_corrupt(b"b", 0, 1) && !disk.graph_corrupt(b"b", 1, 1));
    assert!(disk.graph_truncate(b"c", 0) && !disk.graph_truncate(b"none", 0));
    let values = graph.get_many(&[b"a", b"b", b"c"]).expect("get");
    assert_eq!(values, [None, Some(b"3".to_vec()), Some(Vec::new())]);
    assert!(disk.graph_remove(b"b"));
    assert_eq!(graph.keys().expect("keys"), [b"c".to_vec()]);
    disk.remove_dir("graph-1").expect("remove");
    assert!(matches!(graph.get(b"c"), Err(Error::Graph { .. })));
    assert!(disk.after_crash(0, Loss::Lost).exists("graph-1").expect("exists"));
    disk.sync_dir("").expect("sync");
    assert!(!disk.after_crash(0, Loss::Lost).exists("graph-1").expect("exists"));
}

#[test]
fn faults_strike_once_and_a_crash_for_good() {
    let disk = SimDisk::new();
    let mut file = disk.open("a", How::Create).expect("create");
    disk.sync_dir("").expect("sync");
    disk.fail_at(1, Fault::SyncError);
    file.append(b"lost").expect("an append is no sync");
    assert!(file.sync().is_err());
    file.sync().expect("it seems to work");
    assert_eq!(found(&disk, "a", Loss::Lost), [Some(Vec::new())].into());
    assert_eq!(disk.struck().as_deref(), Some("sync a"));
    disk.fail_at(disk.operations() + 1, Fault::DiskFull);
    assert!(file.append(b"12345678").is_err());
    assert_eq!(disk.contents("a").expect("contents"), b"lost1234");
    disk.full_after(3);
    assert!(file.append(b"abcd").is_err());
    disk.make_room();
    file.append(b"d").expect("append");
    assert_eq!(disk.contents("a").expect("contents"), b"lost1234abcd");
    disk.fail_at(disk.operations() + 2, Fault::Crash);
    file.append(b"!").expect("append");
    assert!(disk.rename("a", "b").is_err());
    assert!(disk.list("").is_err() && file.append(b"?").is_err() && disk.sync_dir("").is_err());
}

#[test]
fn folders_locks_and_hiding() {
    let disk = SimDisk::new();
    assert!(disk.open("x/y/z", How::Create).is_err());
    disk.create_dir("x/y").expect("create");
    write_atomically(&disk, "x/y/z", b"12").expect("write");
    assert_eq!(disk.list("").expect("list"), ["x"]);
    assert_eq!(disk.list("x").expect("list"), ["y"]);
    assert_eq!((disk.list("x/y").expect("list"), disk.bytes("x").expect("bytes")), (vec!["z".into()], 2));
    let file = disk.open("x/y/z", How::Read).expect("open");
    disk.hide("x/y");
    assert!(disk.open("x/y/z", How::Read).is_err() && file.read_at(0, &mut [0]).is_err());
    assert!(disk.list("x").expect("list").is_empty() && !disk.exists("x/y/z").expect("exists"));
    disk.unhide("x/y");
    assert_eq!(read_whole(&disk, "x/y/z", 2).expect("read"), b"12");
    let held = disk.lock("LOCK", "first").expect("lock");
    match disk.clone().lock("LOCK", "second") {
        Err(Error::Locked { owner }) => assert_eq!(owner, "first"),
        other => panic!("locked twice: {:?}", other.err()),
    }
    assert!(disk.after_crash(0, Loss::Kept).lock("LOCK", "next").is_ok());
    drop(held);
    assert!(disk.lock("LOCK", "second").is_ok());
    disk.remove_dir("x").expect("remove");
    assert_eq!(disk.list("").expect("list"), ["LOCK"]);
}
