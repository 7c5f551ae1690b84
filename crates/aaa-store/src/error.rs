//! What can go wrong with a store, and what to do about it.

use std::path::{Path, PathBuf};

use aaa_replay::ledger::LedgerError;
use aaa_webhook::{consumer::CursorError, inbox::InboxError};
use rusqlite::ErrorCode;

/// A store cannot be opened, written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or directory cannot be made or looked at.
    #[error("cannot {action} `{path}`: {reason}")]
    Files {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// There is a file where the data directory should be.
    #[error("`{path}` is a file, and a store is a directory: name another path, or move it away")]
    NoDirectory {
        /// The file.
        path: PathBuf,
    },
    /// Other users of the machine can get at the file or directory.
    #[error(
        "`{path}` is open to other users (mode {mode:03o}), and it holds direct messages: close \
         it with `chmod go-rwx '{path}'`"
    )]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another process writes to the same store.
    #[error(
        "the data directory `{directory}` is in use by another process: stop that one, or choose \
         another directory"
    )]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// There is no store to read.
    #[error(
        "there is no store at `{path}`: check the data directory; the listener makes one when it \
         starts"
    )]
    Missing {
        /// The file or directory that is not there.
        path: PathBuf,
    },
    /// A new file would replace one that is there.
    #[error("`{path}` is there already: choose another name, or move it away")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database, but not one of these.
    #[error("`{path}` is a database of another program: choose another data directory")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error(
        "`{path}` has schema version {found}, and this program knows versions up to {known}: use \
         the newer program, or a backup that was made before it first ran"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that is known.
        known: i64,
    },
    /// The file was written by an older version and cannot be changed by a reader.
    #[error(
        "`{path}` has schema version {found}, and this program reads version {known}: start the \
         listener once, it brings the file up to date"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version that is read.
        known: i64,
    },
    /// SQLite does not give the durability that an acknowledgement promises.
    #[error(
        "`{path}` cannot be written durably: {setting} is `{found}` and must be `{wanted}`; is \
         the data directory on a network file system?"
    )]
    NotDurable {
        /// The file.
        path: PathBuf,
        /// The pragma.
        setting: &'static str,
        /// Its value.
        found: String,
        /// The value it must have.
        wanted: &'static str,
    },
    /// The file is damaged.
    #[error(
        "`{path}` is damaged ({reason}), and nothing was changed in it: move it away together \
         with its -wal and -shm files and restore a backup, or save what is readable with \
         `sqlite3 '{path}' .recover`; then start again"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        reason: String,
    },
    /// A row does not hold what this program writes.
    #[error("`{path}` holds a row that cannot be read ({reason}): was it edited?")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with the row.
        reason: String,
    },
    /// The disk has no room.
    #[error(
        "the disk of `{path}` is full: make room; deliveries are stored again as soon as there is \
         some"
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("`{path}` is read-only ({reason}): make it writable for this user")]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// Another process holds the file for too long.
    #[error("another process keeps `{path}` locked ({reason}): end its transaction")]
    Busy {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The operating system failed to read or write.
    #[error("`{path}` cannot be read or written ({reason}): check the disk")]
    Io {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// SQLite refused one statement; everything else goes on.
    #[error("SQLite refused the statement: {reason}")]
    Refused {
        /// What SQLite said.
        reason: String,
    },
    /// Too much waits to be written.
    #[error("the queue to the store is full")]
    QueueFull,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Tells which kind of trouble SQLite reports about the file at `path`.
    pub(crate) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path, reason }
            }
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path, reason },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy { path, reason }
            }
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OutOfMemory,
            ) => Self::Io { path, reason },
            _ => Self::Refused { reason },
        }
    }

    pub(crate) fn files(action: &'static str, path: &Path, error: &std::io::Error) -> Self {
        Self::Files { action, path: path.to_owned(), reason: error.to_string() }
    }

    /// Says whether the statement is to blame, not the file: then others may still succeed.
    pub(crate) fn is_of_one_statement(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Says whether the connection must not be trusted any more.
    pub(crate) fn breaks_connection(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::ReadOnly { .. } | Self::Corrupt { .. })
    }
}

impl From<StoreError> for InboxError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::QueueFull => Self::Full,
            StoreError::Closed => Self::Closed,
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<StoreError> for CursorError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::Closed,
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn told(code: i32) -> StoreError {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        StoreError::sqlite(Path::new("aaa.db"), &error)
    }

    #[test]
    fn each_trouble_has_its_advice() {
        insta::assert_snapshot!(told(ffi::SQLITE_FULL), @"the disk of `aaa.db` is full: make room; deliveries are stored again as soon as there is some");
        insta::assert_snapshot!(told(ffi::SQLITE_BUSY_SNAPSHOT), @"another process keeps `aaa.db` locked (Error code 517: database is locked): end its transaction");
        insta::assert_snapshot!(told(ffi::SQLITE_NOTADB), @"`aaa.db` is damaged (Error code 26: file is not a database), and nothing was changed in it: move it away together with its -wal and -shm files and restore a backup, or save what is readable with `sqlite3 'aaa.db' .recover`; then start again");
        let exposed = StoreError::Exposed { path: "data".into(), mode: 0o755 };
        insta::assert_snapshot!(exposed, @"`data` is open to other users (mode 755), and it holds direct messages: close it with `chmod go-rwx 'data'`");
    }

    #[test]
    fn only_a_statement_is_tried_again_alone() {
        assert!(told(ffi::SQLITE_CONSTRAINT_TRIGGER).is_of_one_statement());
        for code in
            [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_CORRUPT, ffi::SQLITE_BUSY]
        {
            assert!(!told(code).is_of_one_statement(), "{code}");
        }
        assert!(told(ffi::SQLITE_IOERR_WRITE).breaks_connection());
        // With room again, the same connection goes on.
        assert!(!told(ffi::SQLITE_FULL).breaks_connection());
        assert!(!told(ffi::SQLITE_BUSY).breaks_connection());
    }

    #[test]
    fn the_inbox_tells_full_from_broken() {
        assert_eq!(InboxError::from(StoreError::QueueFull), InboxError::Full);
        assert_eq!(InboxError::from(StoreError::Closed), InboxError::Closed);
        let full = InboxError::from(told(ffi::SQLITE_FULL)).to_string();
        assert!(full.contains("make room"), "{full}");
    }
}
