//! A copy of a store, made beside whoever writes there.

use std::{fs::File, path::Path, time::Duration};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use tempfile::NamedTempFile;

use super::{Settings, files, schema, values::count};
use crate::error::StoreError;

/// How many pages are copied at a time.
const PAGES: i32 = 1024;

/// What [`backup`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackedUp {
    /// The size of the copy.
    pub bytes: u64,
    /// How many events it holds.
    pub events: u64,
    /// The sequence number of the last of them.
    pub last_seq: Option<u64>,
}

/// Copies the store of a directory into one new file, while a listener may write there.
///
/// The copy is the store as it was when the copying began. It is checked, synced and only then
/// gets its name; on Unix its mode is 0600. To use it, put it as [`DATABASE`](super::DATABASE)
/// into an empty data directory. What arrived since is a gap like any other, for a replay.
///
/// Meanwhile the write-ahead log of the store grows by what arrives. It blocks; an asynchronous
/// program calls it on a thread for that.
///
/// # Examples
///
/// ```
/// use aaa_store::{Settings, SqliteStore, sqlite};
///
/// let directory = tempfile::tempdir()?;
/// let data = directory.path().join("aaa-data");
/// let store = SqliteStore::open(&data, Settings::default())?;
/// let copy = directory.path().join("copy.db");
/// assert_eq!(sqlite::backup(&data, &copy)?.events, 0);
/// // What is there is never replaced.
/// assert!(sqlite::backup(&data, &copy).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Fails when there is no store, when it is damaged, and when the new file is there already or
/// cannot be written. Then no new file is left.
pub fn backup(directory: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<BackedUp, StoreError> {
    let from = files::find(directory.as_ref())?;
    let to = to.as_ref();
    if to.symlink_metadata().is_ok() {
        return Err(StoreError::Exists { path: to.to_owned() });
    }
    let parent = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Its mode is 0600, and it is gone when anything fails.
    let file = tempfile::Builder::new()
        .prefix(".aaa-backup-")
        .tempfile_in(parent)
        .map_err(|error| StoreError::files("create a file in", parent, &error))?;
    let backed_up = copy(&from, file.path())?;
    finish(file, to, backed_up)
}

fn copy(from: &Path, to: &Path) -> Result<BackedUp, StoreError> {
    let told = |error: rusqlite::Error| StoreError::sqlite(from, &error);
    let busy_timeout = Settings::default().busy_timeout;
    let source = schema::open_reader(from, busy_timeout)?;
    // One read transaction for all of it: otherwise the copy begins anew whenever the listener
    // commits, and never ends.
    source.execute_batch("BEGIN; SELECT count(*) FROM counters").map_err(told)?;
    let mut target = open(to)?;
    {
        let backup = Backup::new(&source, &mut target).map_err(told)?;
        loop {
            match backup.step(PAGES).map_err(|error| StoreError::sqlite(to, &error))? {
                StepResult::Done => break,
                StepResult::More => {}
                // Somebody keeps the file; there is nothing else to do meanwhile.
                _ => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
    drop(source);
    verify(&target, to)
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|error| StoreError::sqlite(path, &error))
}

/// Makes the copy a single file, and looks at all of it.
fn verify(db: &Connection, path: &Path) -> Result<BackedUp, StoreError> {
    let told = |error: rusqlite::Error| StoreError::sqlite(path, &error);
    db.pragma_update(None, "journal_mode", "DELETE").map_err(told)?;
    schema::identify(db, path)?;
    schema::check(db, path)?;
    let (events, last): (i64, Option<i64>) = db
        .query_row("SELECT count(*), max(seq) FROM events", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(told)?;
    Ok(BackedUp { bytes: 0, events: count(events), last_seq: last.map(count) })
}

/// Syncs the copy and gives it its name.
fn finish(file: NamedTempFile, to: &Path, mut backed_up: BackedUp) -> Result<BackedUp, StoreError> {
    let failed = |error: std::io::Error| StoreError::files("write", to, &error);
    let synced = File::open(file.path()).map_err(failed)?;
    synced.sync_all().map_err(failed)?;
    backed_up.bytes = synced.metadata().map_err(failed)?.len();
    file.persist_noclobber(to).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => StoreError::Exists { path: to.to_owned() },
        _ => failed(error.error),
    })?;
    files::sync_directory(to.parent().unwrap_or(Path::new(".")));
    Ok(backed_up)
}
