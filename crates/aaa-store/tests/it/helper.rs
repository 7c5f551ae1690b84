//! Signed deliveries, directories to put them in, and looks at the file from outside.

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use aaa_store::{Settings, SqliteStore};
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
        SqliteStore::open(&self.path, Settings::default()).unwrap()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(aaa_store::sqlite::DATABASE)
    }

    /// A connection of somebody else.
    pub(crate) fn sqlite(&self) -> Connection {
        Connection::open(self.database()).unwrap()
    }
}

pub(crate) async fn all(log: &impl EventLog) -> Vec<StoredEvent> {
    log.events(EventQuery::after(0, usize::MAX)).await.unwrap()
}

pub(crate) async fn keys(log: &impl EventLog) -> Vec<String> {
    all(log).await.into_iter().map(|event| event.key).collect()
}

/// Starts a future without waiting for anything.
pub(crate) fn start<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending), "it did not have to wait");
    future
}

/// Makes SQLite refuse events of one kind, as a bug in a statement would.
pub(crate) fn poison(directory: &Path, kind: &str) {
    let db = Connection::open(directory.join(aaa_store::sqlite::DATABASE)).unwrap();
    db.execute_batch(&format!(
        "CREATE TRIGGER poison BEFORE INSERT ON events WHEN new.kind = '{kind}' \
         BEGIN SELECT raise(ABORT, 'poison'); END"
    ))
    .unwrap();
}
