use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::disk::Disk;
use crate::disk_sim::SimDisk;

fn chunks() -> Chunks {
    let disk = SimDisk::new();
    disk.create_dir("graph-1").expect("makes the folder");
    Chunks::new(disk.open_graph("graph-1").expect("opens"), "graph-1".to_owned(), 1 << 20)
}

fn strings(texts: impl Iterator<Item = String>) -> Strings {
    let mut strings = Strings::default();
    texts.for_each(|text| strings.push(&text));
    strings
}

/// Writes what is new, as a seal does, and answers the next chunk's number.
fn extend(meta: &mut NameIndexMeta, chunks: &Chunks, texts: &Strings, next: u64) -> u64 {
    let mut out = ChunkWriter::new(chunks, next);
    meta.extend(&mut out, texts, 2).expect("writes");
    let next = out.next();
    out.finish(b"test", Vec::new()).expect("writes");
    next
}

#[test]
fn pieces_stay_few_and_are_written_few_times() {
    let chunks = chunks();
    let texts = strings((0..4_000).map(|n| format!("crm:{n}")));
    let (mut meta, mut next, mut some) = (NameIndexMeta::default(), 1, Strings::default());
    let mut written = 0;
    for text in texts.iter() {
        some.push(text);
        let before = meta.clone();
        next = extend(&mut meta, &chunks, &some, next);
        assert!(some.len() - meta.names() < PIECE_NAMES_MIN);
        if let Some(last) = meta.pieces.last().filter(|_| meta != before) {
            written += last.names as usize;
        }
        assert!(meta.pieces.windows(2).all(|two| two[0].names >= 4 * two[1].names));
    }
    assert!((3..=6).contains(&meta.pieces.len()), "{}", meta.pieces.len());
    assert!(written < 4_000 * 12, "{written}");
    let index = NameIndex::load(&chunks, &meta, 2).expect("loads");
    assert_eq!(index.all().count(), index.names());
    let parts = meta.pieces.iter().map(|piece| piece.parts.len()).max();
    assert!(parts >= Some(256));
}

#[test]
fn damage_is_told() {
    let chunks = chunks();
    let texts = strings((0..40).map(|n| format!("crm:{n}")));
    let mut meta = NameIndexMeta::default();
    let mut next = extend(&mut meta, &chunks, &texts, 1);
    let sound = |meta: &NameIndexMeta| NameIndex::load(&chunks, meta, 1).is_ok();
    assert!(sound(&meta));
    let mut write = |bytes: &[u8]| {
        let mut out = ChunkWriter::new(&chunks, next);
        let blob = out.blob(bytes).expect("writes");
        next = out.next();
        out.finish(b"test", Vec::new()).expect("writes");
        blob
    };
    let parts = meta.pieces[0].parts.len();
    let whose = |part: usize| (0_u32..40).find(|&n| part_of(hash_of(texts.get(n as usize)), parts) == part);
    let (part, number) = (0..parts).find_map(|part| Some((part, whose(part)?))).expect("there is one");
    let own =
        decode(&chunks, &meta.pieces[0], part, &chunks.blob(&meta.pieces[0].parts[part]).expect("reads"));
    let own = own.expect("decodes");
    let mut with = |entries: &[u64]| {
        let mut meta = meta.clone();
        meta.pieces[0].parts[part] = write(&encode(entries));
        sound(&meta)
    };
    assert!(with(&own));
    // One is missing; one is past the end; one belongs into another part.
    assert!(!with(&own[1..]));
    let other = own.iter().map(|&entry| if entry as u32 == number { entry + 40 } else { entry });
    assert!(!with(&other.collect::<Vec<_>>()));
    let far = own.iter().map(|&entry| if entry as u32 == number { entry ^ 1 << 63 } else { entry });
    assert!(!with(&far.collect::<Vec<_>>()));
    let bytes = encode(&own);
    for end in 0..bytes.len() {
        let mut meta = meta.clone();
        meta.pieces[0].parts[part] = write(&bytes[..end]);
        assert!(!sound(&meta), "{end}");
    }
}

/// The first of those texts, one after another.
fn slowly(texts: &Strings, text: &str) -> Option<u32> {
    texts.iter().position(|other| other == text).map(|place| place as u32)
}

proptest! {
    #[test]
    fn texts_are_found_as_they_are_one_by_one(
        seals in prop::collection::vec(1..30_usize, 1..12),
        asked in prop::collection::vec(0..400_u32, 1..30),
    ) {
        let chunks = chunks();
        let (mut meta, mut next, mut texts) = (NameIndexMeta::default(), 1, Strings::default());
        for count in seals {
            (0..count).for_each(|_| texts.push(&format!("crm:{}", texts.len() * 2)));
            next = extend(&mut meta, &chunks, &texts, next);
        }
        let index = NameIndex::load(&chunks, &meta, 2).expect("loads");
        prop_assert_eq!(index.names(), meta.names());
        for number in asked {
            let text = format!("crm:{number}");
            let known = slowly(&texts, &text).filter(|&number| (number as usize) < meta.names());
            let hash = hash_of(&text);
            prop_assert_eq!(index.find(hash, |number| texts.is(number, &text)), known);
            let mut is = |number| Ok(texts.is(number, &text));
            prop_assert_eq!(meta.find(&chunks, hash, &mut is).expect("reads"), known);
        }
    }

    #[test]
    fn equal_hashes_are_told_apart_by_texts(hashes in prop::collection::vec(0..6_u32, 1..40)) {
        let entries: Vec<u64> = {
            let mut entries: Vec<u64> =
                (0..).zip(&hashes).map(|(number, &hash)| entry(hash << 29, number)).collect();
            entries.sort_unstable();
            entries
        };
        let piece = Piece::of(100, entries);
        let mut numbers: HashMap<u32, Vec<u32>> = HashMap::new();
        (100..).zip(&hashes).for_each(|(number, &hash)| numbers.entry(hash).or_default().push(number));
        for hash in 0..7_u32 {
            let of_hash = numbers.get(&hash).cloned().unwrap_or_default();
            for number in 100..100 + hashes.len() as u32 {
                let expected = of_hash.contains(&number).then_some(number);
                prop_assert_eq!(piece.find(hash << 29, |other| other == number), expected);
            }
        }
    }
}
