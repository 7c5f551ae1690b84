//! The data directory: who may read it, who may write it.

mod mark;

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use crate::error::StoreError;

/// The database inside a data directory.
pub const DATABASE: &str = "aaa.db";

/// The file whose lock says that a process writes here. It holds a [`mark`], or nothing.
const LOCK: &str = "aaa.lock";

/// How long somebody who asks whether the lock is taken may hold it.
const MOMENT: Duration = Duration::from_millis(2);

/// More than a mark is long.
const MARK_BYTES: u64 = 200;

/// A data directory that only this process writes to, for as long as the value lives.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) database: PathBuf,
    lock: File,
    was_sound: bool,
    doubt: Doubt,
}

/// Says that somebody saw the database fail. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt(Arc<AtomicBool>);

impl Doubt {
    pub(super) fn raise(&self) {
        self.0.store(true, SeqCst);
    }

    fn is_raised(&self) -> bool {
        self.0.load(SeqCst)
    }
}

impl Claim {
    /// Takes a data directory, and makes it and an empty database file where they are missing.
    pub(super) fn new(directory: &Path) -> Result<Self, StoreError> {
        match fs::metadata(directory) {
            Ok(found) if found.is_dir() => {}
            // Before anybody looks at its mode, which is not what is wrong with it.
            Ok(_) => return Err(StoreError::NoDirectory { path: directory.to_owned() }),
            Err(error) if error.kind() == ErrorKind::NotFound => make_directory(directory)?,
            Err(error) => return Err(StoreError::files("look at", directory, &error)),
        }
        refuse_exposed(directory)?;
        let path = directory.join(LOCK);
        let lock = private_file()
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| StoreError::files("open", &path, &error))?;
        take(&lock).map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse { directory: directory.to_owned() },
            TryLockError::Error(error) => StoreError::files("lock", &path, &error),
        })?;
        let database = directory.join(DATABASE);
        // SQLite would make it readable by everybody. The -wal and -shm files take its mode.
        match private_file().create_new(true).open(&database) {
            Ok(_) => sync_directory(directory),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => refuse_exposed(&database)?,
            Err(error) => return Err(StoreError::files("create", &database, &error)),
        }
        let was_sound = take_mark(&lock)
            .map_err(|error| StoreError::files("write", &path, &error))?
            .is_some_and(|mark| mark::holds(&mark, &database));
        Ok(Self { database, lock, was_sound, doubt: Doubt::default() })
    }

    /// Says whether the database was found sound once, and nothing can have damaged it since that
    /// anybody would hear of: see [`mark`].
    pub(super) fn was_sound(&self) -> bool {
        self.was_sound
    }

    /// Returns what whoever sees the database fail raises.
    pub(super) fn doubt(&self) -> &Doubt {
        &self.doubt
    }

    /// Notes that the database is sound and open.
    pub(super) fn mark_open(&self) {
        self.doubt.0.store(false, SeqCst);
        self.mark(mark::open(&self.database));
    }

    /// Notes that the database was closed, unless somebody saw it fail.
    pub(super) fn mark_closed(&self) {
        if self.doubt.is_raised() {
            self.unmark();
        } else {
            self.mark(mark::closed(&self.database));
        }
    }

    /// Takes the mark away when somebody saw the database fail: whoever opens it the next time
    /// looks at all of it, also if this process is killed at once.
    pub(super) fn heed_doubt(&self) {
        if self.doubt.is_raised() && self.lock.metadata().is_ok_and(|lock| lock.len() > 0) {
            self.unmark();
        }
    }

    /// When it cannot be written, the next start looks more closely.
    fn mark(&self, mark: Option<String>) {
        self.unmark();
        let Some(mark) = mark else { return };
        let mut lock = &self.lock;
        let written = lock.write_all(mark.as_bytes()).and_then(|()| lock.sync_all());
        if let Err(error) = written {
            tracing::debug!(%error, "it was not noted that the store is sound");
        }
    }

    fn unmark(&self) {
        if let Err(error) = take_mark(&self.lock) {
            tracing::debug!(%error, "a mark of a sound store was not removed");
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that is being started holds it too, for
        // a moment.
        let _ = self.lock.unlock();
    }
}

/// Says whether a process has claimed a data directory. One that cannot be looked at is not.
///
/// # Examples
///
/// ```
/// use aaa_store::{Settings, SqliteStore, sqlite::is_in_use};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path().join("aaa-data");
/// let store = SqliteStore::open(&directory, Settings::default())?;
/// assert!(is_in_use(&directory));
/// store.close().await?;
/// drop(store);
/// assert!(!is_in_use(&directory));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn is_in_use(directory: impl AsRef<Path>) -> bool {
    let Ok(lock) = File::open(directory.as_ref().join(LOCK)) else { return false };
    let is_taken = matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock));
    let _ = lock.unlock();
    is_taken
}

/// Locks a file. Whoever only asks whether it is locked holds it too, for a moment.
fn take(lock: &File) -> Result<(), TryLockError> {
    for _ in 0..10 {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(MOMENT),
            taken => return taken,
        }
    }
    lock.try_lock()
}

/// Reads the mark of a sound database, and removes it for certain: what is written from now on
/// may not be covered by it.
fn take_mark(mut lock: &File) -> io::Result<Option<String>> {
    let mut mark = String::new();
    // Anything else than a mark is none.
    let read = lock.take(MARK_BYTES).read_to_string(&mut mark);
    if lock.metadata()?.len() > 0 {
        lock.set_len(0)?;
        lock.sync_all()?;
    }
    lock.seek(SeekFrom::Start(0))?;
    Ok(read.ok().map(|_| mark))
}

/// The write-ahead log of a database.
pub(super) fn log_of(database: &Path) -> PathBuf {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Finds the database for a reader, and makes nothing.
pub(super) fn find(directory: &Path) -> Result<PathBuf, StoreError> {
    let database = directory.join(DATABASE);
    for path in [directory, &database] {
        match fs::metadata(path) {
            Ok(found) if path == directory && !found.is_dir() => {
                return Err(StoreError::NoDirectory { path: path.to_owned() });
            }
            Ok(_) => refuse_exposed(path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::Missing { path: path.to_owned() });
            }
            Err(error) => return Err(StoreError::files("look at", path, &error)),
        }
    }
    Ok(database)
}

/// Which file a path leads to. A database that was deleted or moved away can still be written
/// through an open connection, and nobody would ever find what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

impl FileId {
    #[cfg(unix)]
    pub(super) fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path).ok()?;
        Some(Self(metadata.dev(), metadata.ino()))
    }

    #[cfg(not(unix))]
    pub(super) fn of(path: &Path) -> Option<Self> {
        // Where an open file cannot be moved, its being there is enough.
        path.exists().then_some(Self(0, 0))
    }
}

fn make_directory(directory: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|error| StoreError::files("create", directory, &error))?;
    if let Some(parent) = directory.parent() {
        sync_directory(parent);
    }
    Ok(())
}

/// Makes a new entry of a directory survive a power loss, where the system can.
pub(super) fn sync_directory(directory: &Path) {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    if let Err(error) = File::open(directory).and_then(|file| file.sync_all()) {
        tracing::debug!(directory = %directory.display(), %error, "cannot sync a directory");
    }
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata =
        fs::metadata(path).map_err(|error| StoreError::files("look at", path, &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(StoreError::Exposed { path: path.to_owned(), mode })
    }
}

#[cfg(not(unix))]
fn refuse_exposed(_path: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_free_although_somebody_inherited_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("data");
        let claim = Claim::new(&directory).unwrap();
        let inherited = claim.lock.try_clone().unwrap();
        assert!(matches!(Claim::new(&directory), Err(StoreError::InUse { .. })));
        drop(claim);
        Claim::new(&directory).unwrap();
        drop(inherited);
    }
}
