use aaa_store::{Settings, SqliteStore};
use aaa_types::UserId;
use aaa_webhook::{
    app::App,
    delivery::Received,
    inbox::Inbox,
    signature::{self, Signature},
};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::listen::revoked;

fn open(directory: &tempfile::TempDir) -> Store {
    let store = SqliteStore::open(directory.path().join("data"), Settings::default());
    Store::Sqlite(store.unwrap())
}

/// A user takes access back from an app, so many days before that arrives.
async fn revokes(store: &Store, app: &str, user: u64, days: i64) {
    let at: Timestamp = "2025-11-22T04:13:00Z".parse().unwrap();
    let time = (at - SignedDuration::from_hours(24 * days)).strftime("%Y-%m-%dT%H:%M:%S+00:00");
    let body = format!(
        r#"{{"user_event":{{"revoke":{{"date_time":"{time}","target":{{"app_id":"1"}},"source":{{"user_id":"{user}"}}}}}}}}"#
    );
    let app = App::new(app, format!("secret-of-{app}").parse().unwrap());
    let signature = Signature::of(app.active(), body.as_bytes()).to_string();
    let headers = HeaderMap::from_iter([(signature::HEADER, signature.parse().unwrap())]);
    let received = Received::new(body.into(), at).verify(&headers, &[app]).unwrap();
    assert_eq!(store.commit(received).await.unwrap().stored, 1);
}

fn user(event: &StoredEvent) -> Option<UserId> {
    revoked::read(event).map(|(user, _)| user)
}

/// Returns who is heard of, in what is stored and as it arrives, in that order.
async fn heard(store: &Store) -> [Vec<u64>; 2] {
    let (read, last) = stored(store, revoked::KIND, user).await;
    assert_eq!(last, *store.subscribe().borrow());
    let (sender, mut news) = mpsc::channel(16);
    let follow = follow(store.clone(), revoked::KIND, 0, user, sender);
    let mut followed = Vec::new();
    let hear = async {
        while followed.len() < read.len() {
            followed.push(news.recv().await.unwrap());
        }
    };
    tokio::select! {
        () = follow => panic!("it ended"),
        () = hear => {}
    }
    [read, followed].map(|users| users.into_iter().map(UserId::as_u64).collect())
}

#[tokio::test]
async fn an_old_capture_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    revokes(&store, DEFAULT_APP, 7, 9).await;
    revokes(&store, DEFAULT_APP, 8, 0).await;
    revokes(&store, DEFAULT_APP, 9, 30).await;
    revokes(&store, DEFAULT_APP, 10, 1).await;
    assert_eq!(heard(&store).await, [[8, 10], [8, 10]]);
    store.close(true).await.unwrap();
}

/// User 7 is in both apps, and takes access back from one.
#[tokio::test]
async fn what_another_app_is_told_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    revokes(&store, "SHOP", 7, 0).await;
    revokes(&store, DEFAULT_APP, 8, 0).await;
    assert_eq!(heard(&store).await, [[8], [8]]);
    store.close(true).await.unwrap();
}
