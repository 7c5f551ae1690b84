//! The data directory: who may read it, who may write it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::error::StoreError;

/// The database inside a data directory.
pub const DATABASE: &str = "aaa.db";

/// The file whose lock says that a process writes here.
const LOCK: &str = "aaa.lock";

/// A data directory that only this process writes to, for as long as the value lives.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) database: PathBuf,
    _lock: File,
}

impl Claim {
    /// Takes a data directory, and makes it and an empty database file where they are missing.
    pub(super) fn new(directory: &Path) -> Result<Self, StoreError> {
        match fs::metadata(directory) {
            Ok(_) => {}
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
        lock.try_lock().map_err(|error| match error {
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
        Ok(Self { database, _lock: lock })
    }
}

/// Finds the database for a reader, and makes nothing.
pub(super) fn find(directory: &Path) -> Result<PathBuf, StoreError> {
    let database = directory.join(DATABASE);
    for path in [directory, &database] {
        match fs::metadata(path) {
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
fn sync_directory(directory: &Path) {
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
