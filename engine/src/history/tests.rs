use proptest::prelude::*;

use super::*;
use crate::disk_sim::{Fault, Loss, SimDisk};

const ID: [u8; 16] = *b"store-of-a-test!";
const START: Position = Position { file: 1, offset: FILE_HEADER_BYTES as u64 };

fn header(commit: u64) -> FrameHeader {
    FrameHeader { commit, recorded: 1_000 + commit as i64, kind: commit as u8, rows: commit as u32 * 3 }
}

/// The body of a commit: its length and bytes follow from its number.
fn body(commit: u64) -> Vec<u8> {
    (0..commit * 37 % 90).map(|at| (at * 11 + commit) as u8).collect()
}

fn create(disk: &SimDisk) -> History {
    History::create(Arc::new(disk.clone()), ID).expect("create")
}

fn open(disk: &SimDisk, acknowledged: Position) -> Result<History> {
    History::open(Arc::new(disk.clone()), ID, acknowledged, false)
}

/// Appends and syncs `commits`; answers where each ends.
fn write(history: &mut History, commits: std::ops::RangeInclusive<u64>) -> Vec<Position> {
    let mut ends = Vec::new();
    for commit in commits {
        ends.push(history.append(header(commit), &body(commit)).expect("append"));
        history.sync().expect("sync");
    }
    ends
}

/// Reads everything; each frame must be one that was written.
fn read(history: &History) -> Result<Vec<u64>> {
    let mut frames = history.frames(history.start(), history.end());
    let mut commits = Vec::new();
    while let Some(frame) = frames.next()? {
        let commit = frame.header.commit;
        assert_eq!((frame.header, &frame.body), (header(commit), &body(commit)), "a wrong frame");
        assert!(frame.start < frame.end);
        commits.push(commit);
    }
    assert_eq!(frames.next()?, None);
    Ok(commits)
}

fn damaged_at(result: Result<History>) -> (String, u64) {
    match result {
        Err(Error::Damaged { file, offset, .. }) => (file, offset),
        other => panic!("not refused as damaged: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_written_is_read_back(
        frames in prop::collection::vec((any::<u64>(), any::<i64>(), any::<u8>(), any::<u32>(), 0_usize..400), 0..40),
        rotation in 0_u64..2_000,
        cut in any::<prop::sample::Index>(),
    ) {
        let disk = SimDisk::new();
        let mut history = create(&disk);
        history.set_rotation(rotation);
        let mut written = Vec::new();
        for (commit, recorded, kind, rows, len) in frames {
            let header = FrameHeader { commit, recorded, kind, rows };
            let body: Vec<u8> = (0..len).map(|at| (at as u64 ^ commit) as u8).collect();
            let end = history.append(header, &body).expect("append");
            prop_assert_eq!(end, history.end());
            written.push((header, body, end));
        }
        history.sync().expect("sync");
        let check = |history: &History, from: usize| {
            let at = from.checked_sub(1).map_or(START, |before| written[before].2);
            let (mut frames, mut headers) = (history.frames(at, history.end()), history.headers(at, history.end()));
            for (header, body, end) in &written[from..] {
                let frame = frames.next().expect("sound").expect("a frame");
                prop_assert_eq!((&frame.header, &frame.body, &frame.end), (header, body, end));
                let outline = headers.next().expect("sound").expect("a header");
                prop_assert_eq!((outline.start, outline.end, &outline.header), (frame.start, *end, header));
            }
            prop_assert!(frames.next().expect("sound").is_none() && headers.next().expect("sound").is_none());
            Ok(())
        };
        check(&history, 0)?;
        let end = history.end();
        let (count, bytes) = history.verify().expect("sound");
        prop_assert_eq!((count, bytes), (written.len() as u64, disk.bytes("history").expect("bytes")));
        drop(history);
        for at in [START, end] {
            let history = open(&disk, at).expect("open");
            prop_assert_eq!(history.end(), end);
            check(&history, cut.index(written.len() + 1))?;
        }

        let cut = cut.index(written.len() + 1);
        let to = cut.checked_sub(1).map_or(START, |before| written[before].2);
        let mut history = open(&disk, START).expect("open");
        history.truncate(to).expect("truncate");
        prop_assert_eq!(history.end(), to);
        history.append(header(7), &body(7)).expect("append");
        history.sync().expect("sync");
        let end = history.end();
        let history = open(&disk.after_crash(0, Loss::Lost), to).expect("open");
        prop_assert_eq!((history.end(), history.verify().expect("sound").0), (end, cut as u64 + 1));
        let mut last = history.frames(to, end);
        prop_assert_eq!(last.next().expect("sound").expect("a frame").body, body(7));
    }
}

#[test]
fn a_last_frame_cut_at_any_byte_is_dropped() {
    let disk = SimDisk::new();
    let ends = write(&mut create(&disk), 1..=5);
    let (before, end) = (ends[3].offset, ends[4].offset);
    for len in before..end {
        for zeros in [0, end - len, 300] {
            let disk = disk.after_crash(0, Loss::Kept);
            let mut file = disk.open("history/00000001.tlh", How::Append).expect("open");
            file.truncate(len).expect("truncate");
            file.append(&vec![0; zeros as usize]).expect("append");
            let reader = History::open(Arc::new(disk.clone()), ID, ends[1], true).expect("open");
            assert_eq!(reader.end(), ends[3]);
            assert_eq!(file.len().expect("len"), len + zeros, "a reader changed the file");
            let mut history = open(&disk, ends[1]).expect("open");
            assert_eq!(read(&history).expect("sound"), [1, 2, 3, 4]);
            assert_eq!(disk.after_crash(0, Loss::Lost).bytes("history").expect("bytes"), before);
            write(&mut history, 5..=6);
            assert_eq!(read(&history).expect("sound"), [1, 2, 3, 4, 5, 6]);
        }
    }
}

#[test]
fn any_byte_changed_before_the_acknowledged_end_is_found() {
    let disk = SimDisk::new();
    let mut history = create(&disk);
    history.set_rotation(400);
    let end = *write(&mut history, 1..=9).last().expect("an end");
    assert_eq!(end.file, 3);
    for name in history.file_names() {
        for offset in 0..disk.bytes(&name).expect("bytes") {
            let disk = disk.after_crash(0, Loss::Kept);
            assert!(disk.corrupt(&name, offset, 1 << (offset % 8)));
            let found = open(&disk, end).and_then(|history| read(&history));
            assert!(
                matches!(&found, Err(Error::Damaged { file, .. }) if *file == name),
                "byte {offset} of {name}: {found:?}"
            );
        }
    }
}

#[test]
fn damage_that_later_frames_prove_is_refused_and_the_rest_is_a_torn_tail() {
    let disk = SimDisk::new();
    let mut history = create(&disk);
    let ends = write(&mut history, 1..=4);
    for commit in 5..=7 {
        history.append(header(commit), &body(commit)).expect("append");
    }
    let check = |commit: u64, expected: std::result::Result<&[u64], u64>| {
        let disk = disk.after_crash(0, Loss::Kept);
        let mut frames = history.frames(START, history.end());
        let start = loop {
            let frame = frames.next().expect("sound").expect("a frame");
            if frame.header.commit == commit {
                break frame.start;
            }
        };
        assert!(disk.corrupt("history/00000001.tlh", start.offset + 20, 4));
        match expected {
            Err(end) => {
                let (file, offset) = damaged_at(open(&disk, ends[0]));
                assert_eq!((file.as_str(), offset), ("history/00000001.tlh", end));
            }
            Ok(commits) => {
                assert_eq!(read(&open(&disk, ends[0]).expect("open")).expect("sound"), commits);
            }
        }
    };
    check(2, Err(ends[0].offset));
    check(4, Err(ends[2].offset));
    // These were written without a sync between them: the disk may have kept any of them.
    check(5, Ok(&[1, 2, 3, 4]));
    check(6, Ok(&[1, 2, 3, 4, 5]));
    check(7, Ok(&[1, 2, 3, 4, 5, 6]));
}

#[test]
fn a_copy_of_a_frame_inside_a_body_is_no_frame() {
    let disk = SimDisk::new();
    let mut history = create(&disk);
    write(&mut history, 1..=3);
    let end = history.end();
    let copy = disk.contents("history/00000001.tlh").expect("contents");
    history.append(header(4), &copy).expect("append");
    let len = history.end().offset;
    for cut in [1, 40, 100] {
        let disk = disk.after_crash(0, Loss::Kept);
        let mut file = disk.open("history/00000001.tlh", How::Append).expect("open");
        file.truncate(len - cut).expect("truncate");
        assert_eq!(open(&disk, START).expect("open").end(), end);
    }
}

/// A frame long enough for several search windows is torn before an old, proven frame.
#[test]
fn proof_of_damage_is_found_far_behind() {
    let disk = SimDisk::new();
    let mut history = create(&disk);
    for commit in 1..=3 {
        let body = vec![commit as u8; 400_000 + commit as usize * 7];
        history.append(header(commit), &body).expect("append");
        history.sync().expect("sync");
    }
    assert_eq!(history.verify().expect("sound").0, 3);
    assert!(disk.corrupt("history/00000001.tlh", 350_000, 1));
    assert_eq!(damaged_at(open(&disk, START)).1, START.offset);
}

#[test]
fn missing_and_foreign_files_are_refused() {
    let disk = SimDisk::new();
    let mut history = create(&disk);
    history.set_rotation(200);
    let end = *write(&mut history, 1..=9).last().expect("an end");
    let names = history.file_names();
    assert!(names.len() >= 4);
    for (number, name) in names.iter().enumerate() {
        let disk = disk.after_crash(0, Loss::Kept);
        disk.remove_file(name).expect("remove");
        assert_eq!(damaged_at(open(&disk, end)), (name.clone(), 0), "{number}");
    }
    // A file cut between two frames, where no checksum can show it.
    let short = disk.after_crash(0, Loss::Kept);
    let len = short.bytes(&names[1]).expect("bytes");
    let mut frames = history.frames(Position { file: 2, offset: 0 }, Position { file: 2, offset: len });
    let first = frames.next().expect("sound").expect("a frame").end.offset;
    assert!(first < len);
    short.open(&names[1], How::Append).expect("open").truncate(first).expect("truncate");
    assert_eq!(damaged_at(open(&short, end)), (names[1].clone(), first));

    let other = History::open(Arc::new(disk.clone()), [7; 16], end, false);
    assert_eq!(damaged_at(other), (names[names.len() - 1].clone(), 0));
    let beyond = Position { offset: end.offset + 1, ..end };
    assert_eq!(damaged_at(open(&disk, beyond)), (names[names.len() - 1].clone(), end.offset));
    disk.hide("history");
    assert_eq!(damaged_at(open(&disk, end)), (names[names.len() - 1].clone(), 0));
}

#[test]
fn a_history_is_never_created_over_another() {
    let disk = SimDisk::new();
    let mut history = create(&disk);
    drop(create(&disk));
    write(&mut history, 1..=1);
    assert!(matches!(History::create(Arc::new(disk), ID), Err(Error::NotAStore(_))));
}

#[test]
fn a_failed_write_poisons_until_reopened() {
    let check = |fault: Fault| {
        let disk = SimDisk::new();
        let mut history = create(&disk);
        let ends = write(&mut history, 1..=2);
        disk.fail_at(disk.operations() + 1, fault);
        let result = history.append(header(3), &body(3)).and_then(|_| history.sync());
        assert!(matches!(result, Err(Error::Io { .. })), "{fault:?}: {result:?}");
        assert!(matches!(history.append(header(4), b""), Err(Error::Poisoned(_))), "{fault:?}");
        assert!(matches!(history.sync(), Err(Error::Poisoned(_))), "{fault:?}");
        assert!(matches!(history.truncate(START), Err(Error::Poisoned(_))), "{fault:?}");
        let found = disk.after_crash(3, Loss::Lost);
        assert_eq!(read(&open(&found, ends[1]).expect("open")).expect("sound"), [1, 2], "{fault:?}");
    };
    check(Fault::Crash);
    check(Fault::SyncError);
    check(Fault::DiskFull);
    check(Fault::Error);
}

#[test]
fn limits_and_read_only() {
    let disk = SimDisk::new();
    let mut history = create(&disk);
    let too_long = vec![0; FRAME_BYTES_MAX + 1];
    assert!(matches!(history.append(header(1), &too_long), Err(Error::Limit { .. })));
    write(&mut history, 1..=1);
    let mut reader = History::open(Arc::new(disk.clone()), ID, START, true).expect("open");
    let before = disk.operations();
    assert!(matches!(reader.append(header(2), b""), Err(Error::ReadOnly)));
    assert!(matches!(reader.sync(), Err(Error::ReadOnly)));
    assert!(matches!(reader.truncate(START), Err(Error::ReadOnly)));
    assert_eq!((read(&reader).expect("sound"), disk.operations()), (vec![1], before));
    let beyond = Position { file: 2, offset: 48 };
    assert!(matches!(history.truncate(beyond), Err(Error::Invalid(_))));
}

/// What a script got done before the machine stopped.
#[derive(Default)]
struct Done {
    /// Commits written and not cut off again, in order.
    written: Vec<u64>,
    /// So many of them are synced.
    synced: usize,
    /// What the caller remembers durably, and how many commits stand before it.
    remembered: Option<(Position, usize)>,
}

fn script(disk: &SimDisk, done: &mut Done) -> Result<()> {
    let mut history = History::create(Arc::new(disk.clone()), ID)?;
    history.set_rotation(300);
    done.remembered = Some((history.end(), 0));
    for commit in 1..=14 {
        // Whether a frame whose writing failed is there is for the crash to say.
        done.written.push(commit);
        history.append(header(commit), &body(commit))?;
        if commit % 3 != 0 {
            history.sync()?;
            done.synced = done.written.len();
        }
        if commit == 7 {
            done.remembered = Some((history.end(), 7));
        }
    }
    Ok(())
}

#[test]
fn a_crash_at_any_operation_keeps_all_that_was_synced() {
    let whole = SimDisk::new();
    script(&whole, &mut Done::default()).expect("no fault");
    for operation in 1..=whole.operations() + 1 {
        let disk = SimDisk::new();
        disk.fail_at(operation, Fault::Crash);
        let mut done = Done::default();
        let stopped = script(&disk, &mut done).is_err();
        assert_eq!(stopped, operation <= whole.operations());
        for seed in 0..24 {
            let loss = [Loss::Torn, Loss::Kept, Loss::Lost][if seed > 2 { 0 } else { seed as usize }];
            let disk = disk.after_crash(seed, loss);
            let Some((position, before)) = done.remembered else {
                create(&disk);
                continue;
            };
            let case = format!("operation {operation}, seed {seed}, {loss:?}");
            let history = open(&disk, position).expect(&case);
            let found = read(&history).expect(&case);
            assert!(found.len() >= done.synced.max(before), "{case}: {} of {}", found.len(), done.synced);
            assert_eq!(found[..], done.written[..found.len()], "{case}");
            // What was found counts from now on, whatever happens next.
            let again = open(&disk.after_crash(seed, Loss::Lost), position).expect(&case);
            assert_eq!(read(&again).expect(&case), found, "{case}");
        }
    }
}

#[test]
fn a_crash_while_cutting_leaves_no_gap() {
    let build = |disk: &SimDisk| {
        let mut history = create(disk);
        history.set_rotation(200);
        let ends = write(&mut history, 1..=12);
        (history, ends)
    };
    for operation in 1.. {
        let disk = SimDisk::new();
        let (mut history, ends) = build(&disk);
        disk.fail_at(disk.operations() + operation, Fault::Crash);
        let cut = history.truncate(ends[3]).is_ok();
        for seed in 0..12 {
            let disk = disk.after_crash(seed, Loss::Torn);
            let found = read(&open(&disk, ends[3]).expect("open")).expect("sound");
            assert_eq!(found, (1..=found.len() as u64).collect::<Vec<_>>());
            assert!(found.len() >= 4 && (!cut || found.len() == 4));
        }
        if cut {
            break;
        }
    }
}

#[test]
fn frames_are_read_beside_the_writer_on_a_real_disk() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk: Arc<dyn Disk> = Arc::new(crate::disk::OsDisk::new(folder.path()));
    let mut history = History::create(Arc::clone(&disk), ID).expect("create");
    history.set_rotation(500);
    let ends = write(&mut history, 1..=10);
    let mut frames = history.frames(START, ends[9]);
    let mut seen = Vec::new();
    for commit in 11..=20 {
        seen.push(frames.next().expect("sound").expect("a frame").header.commit);
        write(&mut history, commit..=commit);
    }
    assert_eq!((seen, frames.next().expect("sound")), ((1..=10).collect(), None));
    assert!(history.file_names().len() > 2);
    history.append(header(21), &vec![1; 300_000]).expect("append");
    let torn = history.end();
    drop(history);
    let name = file_name(torn.file);
    disk.open(&name, How::Append).expect("open").truncate(torn.offset - 1).expect("truncate");
    let history = History::open(Arc::clone(&disk), ID, ends[2], false).expect("open");
    assert_eq!(read(&history).expect("sound"), (1..=20).collect::<Vec<_>>());
    assert_eq!(history.verify().expect("sound"), (20, disk.bytes("history").expect("bytes")));
}
