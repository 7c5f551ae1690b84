//! Signed deliveries, directories to put them in, and looks at the file from outside.

use std::{
    fs,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

pub(crate) use aaa_store::conformance::{
    all,
    consumers::{changes, letter, letters_of, name},
    delivery, delivery_at, delivery_for, favorites, keys, now,
};
use aaa_store::{Settings, SqliteReader, SqliteStore};
use rusqlite::Connection;

/// The defaults, with patience for a busy machine: tests hold the writer up on purpose.
pub(crate) fn settings() -> Settings {
    Settings { busy_timeout: Duration::from_secs(60), ..Settings::default() }
}

/// A directory that is gone at the end of the test, and the data directory inside it.
pub(crate) struct Directory {
    _parent: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Directory {
    pub(crate) fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("aaa-data");
        Self { _parent: parent, path }
    }

    pub(crate) fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.path, settings()).unwrap()
    }

    pub(crate) fn reader(&self) -> SqliteReader {
        SqliteStore::open_reader(&self.path).unwrap()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(aaa_store::sqlite::DATABASE)
    }

    /// A connection of somebody else.
    pub(crate) fn sqlite(&self) -> Connection {
        Connection::open(self.database()).unwrap()
    }

    /// Makes the directory without a store in it.
    pub(crate) fn make(&self) {
        fs::create_dir(&self.path).unwrap();
        self.make_private();
    }

    /// Gives everything the modes that a store asks for.
    pub(crate) fn make_private(&self) {
        #[cfg(unix)]
        for (path, mode) in [(self.path.clone(), 0o700), (self.database(), 0o600)] {
            if path.exists() {
                let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
                fs::set_permissions(path, mode).unwrap();
            }
        }
    }

    /// What a killed process would leave of the store: the database and its log, but no memory
    /// that was shared.
    pub(crate) fn copy_of_a_killed_process(&self) -> Self {
        let copy = Self::new();
        copy.make();
        for name in ["aaa.db", "aaa.db-wal"] {
            fs::copy(self.path.join(name), copy.path.join(name)).unwrap();
        }
        copy
    }

    /// Waits until no process writes to the store.
    pub(crate) fn wait_until_free(&self) {
        fs::File::open(self.path.join("aaa.lock")).unwrap().lock().unwrap();
    }
}

/// Somebody else's transaction, behind which the writer has to wait.
pub(crate) struct Held(Connection);

impl Held {
    pub(crate) fn new(directory: &Directory) -> Self {
        let db = directory.sqlite();
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(db)
    }

    pub(crate) fn release(self) {
        self.0.execute_batch("COMMIT").unwrap();
    }
}

/// Starts a future and does not wait for it.
pub(crate) fn start<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    assert!(poll(&mut future).is_none(), "it did not have to wait");
    future
}

/// Polls a future once.
pub(crate) fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Makes SQLite refuse events of one kind, as a bug in a statement would.
pub(crate) fn poison(directory: &Directory, kind: &str) {
    let trigger = format!(
        "CREATE TRIGGER poison BEFORE INSERT ON events WHEN new.kind = '{kind}' \
         BEGIN SELECT raise(ABORT, 'poison'); END"
    );
    directory.sqlite().execute_batch(&trigger).unwrap();
}
