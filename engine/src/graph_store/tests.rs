use super::*;
use crate::disk::{Disk, OsDisk, parent, read_whole, write_atomically};

const SHORT_LIMIT: Duration = Duration::from_millis(400);
const SHORT: Deadlines = Deadlines { call: SHORT_LIMIT, open: SHORT_LIMIT, whole: SHORT_LIMIT };

fn value(seed: u8, len: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn key(number: u8) -> Vec<u8> {
    vec![b'k', 0, number]
}

#[test]
fn what_was_flushed_is_there_after_reopening() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SledStore::open(folder.path()).expect("open");
    assert_eq!(store.get(b"k").expect("get"), None);
    let batch = (0..6).map(|number| (key(number), Some(value(number, 261_000)))).collect();
    store.apply(batch).expect("apply");
    store.flush().expect("flush");
    store
        .apply(vec![(key(1), None), (key(3), Some(value(33, 12))), (key(6), Some(Vec::new()))])
        .expect("apply");
    let check = |store: &SledStore| {
        let expected = [0, 2, 3, 4, 5, 6].map(key);
        assert_eq!(store.keys().expect("keys"), expected);
        let asked = [key(6), key(1), key(3), key(0), key(0)];
        let asked: Vec<&[u8]> = asked.iter().map(Vec::as_slice).collect();
        let values = store.get_many(&asked).expect("get");
        let first = Some(value(0, 261_000));
        assert_eq!(values, [Some(Vec::new()), None, Some(value(33, 12)), first.clone(), first]);
    };
    check(&store);
    store.flush().expect("flush");
    check(&store);
    drop(store);
    check(&SledStore::open(folder.path()).expect("open"));
}

/// The lengths of the leaves in sled's slots of so many bytes, 65,536 or more.
fn leaves(folder: &std::path::Path, slot: usize) -> Vec<usize> {
    let mut files = Vec::new();
    files_below(&OsDisk::new(folder), "", &mut files);
    let slab = files.iter().find(|file| file.0.ends_with(&format!("slabs/{slot}")));
    let slots = slab.map_or(&[][..], |file| &file.1).chunks_exact(slot);
    let length = |slot: &[u8]| slot[..slot.len() - 4].last_chunk().map_or(0, |len| u32::from_le_bytes(*len));
    slots.map(|slot| length(slot) as usize).collect()
}

#[test]
fn values_of_any_length_come_back() {
    // Noise, an end that zstd would make short, and lengths that would come to the 65,529 bytes that
    // sled corrupts, some of which it notices.
    let lengths: Vec<usize> = (0..700).chain(64_800..65_530).collect();
    let ending = |len: usize| [value(1, len), b"contact ".repeat(400)].concat();
    let key = |place: usize| (place as u64).to_be_bytes().to_vec();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SledStore::open(folder.path()).expect("open");
    let batch = lengths.iter().enumerate().map(|(place, &len)| (key(place), Some(ending(len))));
    store.apply(batch.collect()).expect("apply");
    store.flush().expect("flush");
    drop(store);
    let lens: Vec<usize> =
        [65_536, 98_304].into_iter().flat_map(|slot| leaves(folder.path(), slot)).collect();
    assert!(lens.len() >= 200 && !lens.contains(&65_529), "{lens:?}");
    assert!(lens.iter().all(|len| (68..456).contains(&(len % 512))), "{lens:?}");
    let store = SledStore::open(folder.path()).expect("open");
    for (place, &len) in lengths.iter().enumerate() {
        assert_eq!(store.get(&key(place)).expect("get"), Some(ending(len)), "{len} bytes");
    }
}

#[test]
fn reopens_itself_between_batches() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SledStore::open_with(folder.path(), Deadlines::default(), 50_000).expect("open");
    for number in 0..20 {
        store.apply(vec![(key(number), Some(value(number, 20_000)))]).expect("apply");
        assert_eq!(store.get(&key(number / 2)).expect("get"), Some(value(number / 2, 20_000)));
    }
    assert_eq!(store.keys().expect("keys").len(), 20);
    store.apply(Vec::new()).expect("apply");
    store.flush().expect("flush");
}

#[test]
fn a_folder_in_use_and_one_that_is_a_file_are_errors() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _store = SledStore::open(folder.path()).expect("open");
    assert!(matches!(SledStore::open(folder.path()), Err(Error::Graph { action: "open", .. })));
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    assert!(matches!(SledStore::open(file.path()), Err(Error::Graph { action: "open", .. })));
}

#[test]
fn a_stuck_worker_is_given_up() {
    let (requests, queue) = channel();
    let turn = Some(Turn { began: Instant::now(), deadline: Duration::from_millis(30) });
    let store = SledStore {
        requests: Mutex::new(requests),
        dead: Mutex::new(None),
        turn: Arc::new(Mutex::new(turn)),
        deadlines: Deadlines {
            call: Duration::from_millis(10),
            open: Duration::from_secs(3_600),
            whole: Duration::from_secs(3_600),
        },
    };
    assert!(matches!(store.get(b"k"), Err(Error::GraphUnresponsive { action: "read", .. })));
    // Later calls would wait an hour if the handle were not known to be dead.
    assert!(matches!(store.flush(), Err(Error::GraphUnresponsive { action: "read", .. })));
    drop(store);
    assert_eq!(queue.iter().count(), 1);
}

/// Flips one bit of sled's own files, and reads everything.
#[test]
fn a_flipped_bit_is_an_error_or_a_missing_key_and_never_hangs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let written: Vec<Vec<u8>> = (0..4).map(|number| value(number, 3_000)).collect();
    let store = SledStore::open(folder.path()).expect("open");
    for (number, value) in (0..).zip(&written) {
        store.apply(vec![(key(number), Some(value.clone()))]).expect("apply");
    }
    drop(store);
    let mut files = Vec::new();
    files_below(&OsDisk::new(folder.path()), "", &mut files);
    let mut random = 0x1234_5678_9abc_def0_u64;
    for _ in 0..40 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let damaged = tempfile::tempdir().expect("a temporary folder");
        let disk = OsDisk::new(damaged.path());
        let victim = (random >> 33) as usize % files.len();
        for (number, (name, bytes)) in files.iter().enumerate() {
            let mut bytes = bytes.clone();
            if number == victim {
                let bit = (random >> 17) as usize % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            disk.create_dir(parent(name)).expect("folders");
            write_atomically(&disk, name, &bytes).expect("write");
        }
        let Ok(store) = SledStore::open_with(damaged.path(), SHORT, REOPEN_BYTES) else { continue };
        for (number, value) in (0..).zip(&written) {
            if let Ok(Some(read)) = store.get(&key(number)) {
                assert_eq!(&read, value, "a wrong value after a flip in {}", files[victim].0);
            }
        }
    }
}

#[test]
fn one_unreadable_value_leaves_the_others() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = OsDisk::new(folder.path());
    let store = SledStore::open(folder.path()).expect("open");
    for number in 0..6 {
        store.apply(vec![(key(number), Some(value(number, 261_000)))]).expect("apply");
    }
    drop(store);
    let mut files = Vec::new();
    files_below(&disk, "", &mut files);
    let (name, mut bytes) = files
        .into_iter()
        .filter(|(name, _)| name.starts_with("slabs/"))
        .max_by_key(|(_, bytes)| bytes.len())
        .expect("a slab");
    // Somewhere in the first value.
    bytes[100_000] ^= 1;
    write_atomically(&disk, &name, &bytes).expect("write");
    let store = SledStore::open(folder.path()).expect("open");
    let read: Vec<_> = (0..6).map(|number| store.get(&key(number))).collect();
    let failed = read.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(failed, 1, "{:?}", read.iter().find(|answer| answer.is_err()));
    let mut bad = 0;
    for (number, read) in (0..).zip(read) {
        match read {
            Ok(read) => assert_eq!(read, Some(value(number, 261_000))),
            Err(_) => bad = number,
        }
    }
    // Opening anew would now lose a batch without a word: better to stop.
    store.apply(vec![(key(9), Some(value(9, 10)))]).expect("apply");
    assert!(store.get(&key(bad)).is_err());
    assert!(store.get(&key(9)).is_err() && store.flush().is_err());
}

fn files_below(disk: &OsDisk, folder: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for name in disk.list(folder).expect("list") {
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        // What cannot be listed is a file.
        if disk.list(&path).is_ok() {
            files_below(disk, &path, files);
            continue;
        }
        let bytes = read_whole(disk, &path, 1 << 30).expect("read");
        if !bytes.is_empty() {
            files.push((path, bytes));
        }
    }
}
