//! The one seam before all disk access: a trait, and the real thing.
//!
//! Nothing else in the workspace's libraries opens a file. Paths are relative to the store's
//! folder and use `/`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::graph_store::{GraphStore, SledStore};

/// How [`Disk::open`] opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// An existing file, to read.
    Read,
    /// A new and empty file, to append to and read; one that is there is emptied.
    Create,
    /// An existing file, to append to and read.
    Append,
}

/// Disk access of one store.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// The store's folder, for messages.
    fn root(&self) -> PathBuf;
    /// Makes a folder with the ones above it, durably.
    fn create_dir(&self, path: &str) -> Result<()>;
    /// Names in a folder, sorted; none where the folder is missing.
    fn list(&self, dir: &str) -> Result<Vec<String>>;
    /// Whether a file or folder is there.
    fn exists(&self, path: &str) -> Result<bool>;
    /// Opens a file.
    fn open(&self, path: &str, how: How) -> Result<Box<dyn DiskFile>>;
    /// Renames a file, replacing the target. Durable after [`Disk::sync_dir`].
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Removes a file; one that is missing is no error.
    fn remove_file(&self, path: &str) -> Result<()>;
    /// Removes a folder with all in it; one that is missing is no error.
    fn remove_dir(&self, path: &str) -> Result<()>;
    /// Makes names in a folder durable.
    fn sync_dir(&self, dir: &str) -> Result<()>;
    /// Bytes of all files below `path`.
    fn bytes(&self, path: &str) -> Result<u64>;
    /// Takes the lock file, writing `owner` into it.
    ///
    /// # Errors
    /// [`Error::Locked`](crate::Error::Locked) with the owner's words where
    /// another handle holds it.
    fn lock(&self, path: &str, owner: &str) -> Result<Box<dyn Lock>>;
    /// Opens (or creates) the graph database in a folder.
    fn open_graph(&self, dir: &str) -> Result<Box<dyn GraphStore>>;
}

/// An open file. Reads may run beside each other and beside appends.
pub trait DiskFile: Send + Sync {
    /// Fills `buffer` from `offset`; answers how many bytes there were, fewer only at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;
    /// Writes at the end.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;
    /// Makes all appended bytes durable.
    fn sync(&mut self) -> Result<()>;
    /// Cuts the file to `len` bytes.
    fn truncate(&mut self, len: u64) -> Result<()>;
    /// The length in bytes, appended bytes included.
    fn len(&self) -> Result<u64>;
    /// Whether it is empty.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A held lock; released when dropped.
pub trait Lock: Send + Sync {}

/// Replaces a file by `bytes`, so that a crash leaves the old or the new content, whole.
/// Durable when it returns. What an earlier crash left at `path.tmp` is overwritten.
///
/// # Errors
/// What the disk reports; the old content is then still there.
pub fn write_atomically(disk: &dyn Disk, path: &str, bytes: &[u8]) -> Result<()> {
    let temporary = format!("{path}.tmp");
    let mut file = disk.open(&temporary, How::Create)?;
    file.append(bytes)?;
    file.sync()?;
    drop(file);
    disk.rename(&temporary, path)?;
    disk.sync_dir(parent(path))
}

/// Reads a small file whole.
///
/// # Errors
/// [`Error::Limit`] where it is longer than `bytes_max`, before anything is allocated.
pub fn read_whole(disk: &dyn Disk, path: &str, bytes_max: u64) -> Result<Vec<u8>> {
    let file = disk.open(path, How::Read)?;
    let len = file.len()?;
    if len > bytes_max {
        return Err(Error::Limit { what: "bytes in a file read whole", value: len, limit: bytes_max });
    }
    let mut bytes = vec![0; len as usize];
    let got = file.read_at(0, &mut bytes)?;
    bytes.truncate(got);
    Ok(bytes)
}

/// The folder a path lies in; the store's own folder is the empty path.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// The operating system's disk, below one folder.
#[derive(Clone, Debug)]
pub struct OsDisk {
    root: PathBuf,
}

impl OsDisk {
    /// A disk whose paths start at `root`, which need not be there yet:
    /// `create_dir("")` makes it.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn full(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { action, path: path.to_path_buf(), source }
}

/// `NotFound` as `None`, for calls where a missing file is an answer.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    // Windows has no way to sync a folder; NTFS journals its names.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn bytes_below(path: &Path) -> io::Result<u64> {
    let Some(metadata) = found(fs::symlink_metadata(path))? else { return Ok(0) };
    if !metadata.is_dir() {
        return Ok(bytes_stored(&metadata));
    }
    let Some(entries) = found(fs::read_dir(path))? else { return Ok(0) };
    let mut sum = 0;
    for entry in entries {
        sum += bytes_below(&entry?.path())?;
    }
    Ok(sum)
}

/// The length, less the holes of a sparse file.
#[cfg(unix)]
fn bytes_stored(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.len().min(metadata.blocks().saturating_mul(512))
}

#[cfg(not(unix))]
fn bytes_stored(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

impl Disk for OsDisk {
    fn root(&self) -> PathBuf {
        self.root.clone()
    }

    fn create_dir(&self, path: &str) -> Result<()> {
        let full = self.full(path);
        let missing: Vec<&Path> =
            full.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.is_dir()).collect();
        for dir in missing.into_iter().rev() {
            match fs::create_dir(dir) {
                Ok(()) => {}
                Err(_) if dir.is_dir() => {}
                Err(error) => return Err(failed("create", dir)(error)),
            }
            let above = match dir.parent() {
                Some(above) if !above.as_os_str().is_empty() => above,
                _ => Path::new("."),
            };
            sync_folder(above).map_err(failed("sync", above))?;
        }
        Ok(())
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let full = self.full(dir);
        let Some(entries) = found(fs::read_dir(&full)).map_err(failed("list", &full))? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed("list", &full))?.file_name();
            names.push(name.to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &str) -> Result<bool> {
        let full = self.full(path);
        full.try_exists().map_err(failed("look for", &full))
    }

    fn open(&self, path: &str, how: How) -> Result<Box<dyn DiskFile>> {
        let full = self.full(path);
        let mut options = OpenOptions::new();
        options.read(true);
        match how {
            How::Read => {}
            How::Create => {
                options.write(true).create(true).truncate(true);
            }
            How::Append => {
                options.write(true);
            }
        }
        let action = if how == How::Create { "create" } else { "open" };
        let file = options.open(&full).map_err(failed(action, &full))?;
        let end = file.metadata().map_err(failed("measure", &full))?.len();
        Ok(Box::new(OsFile {
            file,
            path: full,
            end,
            writes: how != How::Read,
            length_cut: how == How::Create,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let full = self.full(from);
        fs::rename(&full, self.full(to)).map_err(failed("rename", &full))
    }

    fn remove_file(&self, path: &str) -> Result<()> {
        let full = self.full(path);
        found(fs::remove_file(&full)).map(drop).map_err(failed("remove", &full))
    }

    fn remove_dir(&self, path: &str) -> Result<()> {
        let full = self.full(path);
        found(fs::remove_dir_all(&full)).map(drop).map_err(failed("remove", &full))
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        let full = self.full(dir);
        sync_folder(&full).map_err(failed("sync", &full))
    }

    fn bytes(&self, path: &str) -> Result<u64> {
        let full = self.full(path);
        bytes_below(&full).map_err(failed("measure", &full))
    }

    fn lock(&self, path: &str, owner: &str) -> Result<Box<dyn Lock>> {
        let full = self.full(path);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&full)
            .map_err(failed("open", &full))?;
        // A program that this process just started (sled starts the system's `sync`) holds a
        // copy of a lock released meanwhile until it is running, so a lock gets a moment.
        let mut attempt = file.try_lock();
        for _ in 0..LOCK_RETRIES {
            if !matches!(attempt, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(LOCK_RETRY_EVERY);
            attempt = file.try_lock();
        }
        match attempt {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // The words are for a person: where they cannot be read, or the owner is about
                // to write them, the refusal stands all the same.
                let mut words = String::new();
                let read = (&mut file).take(OWNER_BYTES_MAX).read_to_string(&mut words);
                let owner = if read.is_err() || words.trim().is_empty() {
                    "another process".to_owned()
                } else {
                    words.trim().to_owned()
                };
                return Err(Error::Locked { owner });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock", &full)(source)),
        }
        file.set_len(0).and_then(|()| file.write_all(owner.as_bytes())).map_err(failed("write", &full))?;
        Ok(Box::new(OsLock { _file: file }))
    }

    fn open_graph(&self, dir: &str) -> Result<Box<dyn GraphStore>> {
        self.create_dir(dir)?;
        Ok(Box::new(SledStore::open(self.full(dir))?))
    }
}

/// As much of a lock file as is shown.
const OWNER_BYTES_MAX: u64 = 1_024;
/// Further attempts at a lock that is held.
const LOCK_RETRIES: u32 = 20;
const LOCK_RETRY_EVERY: std::time::Duration = std::time::Duration::from_millis(10);

struct OsFile {
    file: File,
    path: PathBuf,
    /// Where the next append goes; meaningless where the file is only read.
    end: u64,
    writes: bool,
    /// Made or cut since the last sync: more than `fdatasync` is sure to write.
    length_cut: bool,
}

impl DiskFile for OsFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match read_some(&self.file, rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read", &self.path)(error)),
            }
        }
        Ok(filled)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match write_some(&self.file, rest, self.end + written as u64) {
                Ok(0) => return Err(failed("write", &self.path)(io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("write", &self.path)(error)),
            }
        }
        self.end += written as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        // fdatasync writes a grown length too, since the data could not be read without it.
        let synced = if self.length_cut { self.file.sync_all() } else { self.file.sync_data() };
        synced.map_err(failed("sync", &self.path))?;
        self.length_cut = false;
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> Result<()> {
        self.file.set_len(len).map_err(failed("truncate", &self.path))?;
        self.end = len;
        self.length_cut = true;
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        if self.writes {
            return Ok(self.end);
        }
        Ok(self.file.metadata().map_err(failed("measure", &self.path))?.len())
    }
}

#[cfg(unix)]
fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(unix)]
fn write_some(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(windows)]
fn write_some(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, offset)
}

/// The system lets go of the lock when the file is closed, also by a kill.
struct OsLock {
    _file: File,
}

impl Lock for OsLock {}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (tempfile::TempDir, OsDisk) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = OsDisk::new(folder.path().join("store"));
        disk.create_dir("").expect("the root");
        (folder, disk)
    }

    #[test]
    fn appends_are_read_back_at_any_offset() {
        let (_folder, disk) = disk();
        disk.create_dir("a/b/c").expect("folders");
        let mut file = disk.open("a/b/c/x", How::Create).expect("create");
        assert!(file.is_empty().expect("len"));
        file.append(b"hello ").expect("append");
        file.append(b"world").expect("append");
        file.sync().expect("sync");
        let reader = disk.open("a/b/c/x", How::Read).expect("open");
        let check = |offset: u64, len: usize, expected: &[u8]| {
            let mut buffer = vec![0; len];
            let got = reader.read_at(offset, &mut buffer).expect("read");
            assert_eq!(&buffer[..got], expected);
        };
        check(0, 11, b"hello world");
        check(6, 100, b"world");
        check(11, 1, b"");
        check(1 << 40, 4, b"");
        file.truncate(5).expect("truncate");
        file.append(b"!").expect("append");
        check(0, 100, b"hello!");
        assert_eq!((file.len().expect("len"), reader.len().expect("len")), (6, 6));
        drop(file);
        let mut again = disk.open("a/b/c/x", How::Append).expect("open");
        again.append(b"?").expect("append");
        check(0, 100, b"hello!?");
        assert!(disk.open("a/b/c/x", How::Create).expect("create").is_empty().expect("len"));
    }

    #[test]
    fn missing_things_are_empty_answers_or_named_errors() {
        let (_folder, disk) = disk();
        assert_eq!(disk.list("none").expect("list"), Vec::<String>::new());
        assert!(!disk.exists("none").expect("exists"));
        disk.remove_file("none").expect("remove");
        disk.remove_dir("none").expect("remove");
        assert_eq!(disk.bytes("none").expect("bytes"), 0);
        let check = |result: Result<Box<dyn DiskFile>>, words: &str| {
            let message = result.err().expect("an error").to_string();
            assert!(message.starts_with(words) && message.contains("none"), "{message}");
        };
        check(disk.open("none", How::Read), "cannot open");
        check(disk.open("none", How::Append), "cannot open");
        check(disk.open("none/x", How::Create), "cannot create");
        write_atomically(&disk, "file", b"").expect("write");
        assert!(matches!(disk.create_dir("file/x"), Err(Error::Io { action: "create", .. })));
    }

    #[test]
    fn replaces_a_file_whole() {
        let (_folder, disk) = disk();
        for bytes in [&b"first"[..], b"second, longer", b""] {
            write_atomically(&disk, "HEAD", bytes).expect("write");
            assert_eq!(read_whole(&disk, "HEAD", 100).expect("read"), bytes);
        }
        assert_eq!(disk.list("").expect("list"), ["HEAD"]);
        write_atomically(&disk, "HEAD", &[7; 101]).expect("write");
        assert!(matches!(read_whole(&disk, "HEAD", 100), Err(Error::Limit { value: 101, .. })));
        assert_eq!(disk.bytes("").expect("bytes"), 101);
    }

    #[test]
    fn a_second_handle_is_locked_out_and_told_by_whom() {
        let (_folder, disk) = disk();
        let held = disk.lock("LOCK", "process 1 (a rather long program name)").expect("lock");
        match OsDisk::new(disk.root()).lock("LOCK", "process 2") {
            Err(Error::Locked { owner }) => assert_eq!(owner, "process 1 (a rather long program name)"),
            other => panic!("locked twice: {:?}", other.err()),
        }
        drop(held);
        assert!(disk.exists("LOCK").expect("exists"));
        let _held = disk.lock("LOCK", "process 3").expect("lock");
        match disk.lock("LOCK", "process 4") {
            Err(Error::Locked { owner }) => assert_eq!(owner, "process 3"),
            other => panic!("locked twice: {:?}", other.err()),
        }
    }
}
