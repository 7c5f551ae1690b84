//! Signed deliveries, directories to put them in, and looks at the file from outside.

use std::{
    fs,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use aaa_store::{Settings, SqliteReader, SqliteStore};
use aaa_webhook::{
    app::App,
    delivery::{Received, VerifiedDelivery},
    inbox::{EventLog, EventQuery, StoredEvent},
    signature::{self, Signature},
};
use jiff::Timestamp;
use rusqlite::Connection;

/// When everything here happens.
pub(crate) const NOW: &str = "2025-11-22T04:13:00.123456Z";

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A delivery as X would have signed it.
pub(crate) fn delivery(body: &str) -> VerifiedDelivery {
    delivery_at(body, now())
}

pub(crate) fn delivery_at(body: &str, at: Timestamp) -> VerifiedDelivery {
    delivery_for(&App::new("main", "secret".parse().unwrap()), body, at)
}

pub(crate) fn delivery_for(app: &App, body: &str, at: Timestamp) -> VerifiedDelivery {
    let mut headers = http::HeaderMap::new();
    let signature = Signature::of(app.active(), body.as_bytes()).to_string();
    headers.insert(signature::HEADER, signature.parse().unwrap());
    let body = body.as_bytes().to_vec().into();
    Received::new(body, at).verify(&headers, std::slice::from_ref(app)).unwrap()
}

/// A body with favorites of one user.
pub(crate) fn favorites(user: &str, ids: &[&str]) -> String {
    let items: Vec<_> = ids.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
    format!(r#"{{"for_user_id":"{user}","favorite_events":[{}]}}"#, items.join(","))
}

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

pub(crate) async fn all(log: &impl EventLog) -> Vec<StoredEvent> {
    log.events(EventQuery::after(0, usize::MAX)).await.unwrap()
}

pub(crate) async fn keys(log: &impl EventLog) -> Vec<String> {
    all(log).await.into_iter().map(|event| event.key).collect()
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
