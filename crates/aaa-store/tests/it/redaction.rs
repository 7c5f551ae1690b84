//! What goes when X reports a deletion or a revocation.

use std::fs;

use aaa_store::{Settings, SqliteStore, sqlite};
use aaa_types::event::Body;
use aaa_webhook::{
    app::App,
    inbox::{EventLog, EventQuery, Inbox},
};
use jiff::SignedDuration;

use crate::helper::{Directory, all, delivery, delivery_at, delivery_for, now, poll, settings};

fn open(directory: &Directory) -> SqliteStore {
    let settings = Settings { redact_on_deletion: true, ..settings() };
    SqliteStore::open(&directory.path, settings).unwrap()
}

fn post(user: &str, ids: &[&str]) -> String {
    let items: Vec<_> = ids
        .iter()
        .map(|id| format!(r#"{{"id_str":"{id}", "text":"secret words of {id}"}}"#))
        .collect();
    let items = items.join(" , ");
    format!(
        r#"{{"for_user_id":"{user}","user_has_blocked":"secret",  "tweet_create_events":[{items}]}}"#
    )
}

fn deletion(user: &str, id: &str) -> String {
    format!(
        r#"{{"for_user_id":"{user}","tweet_delete_events":[{{"status":{{"id":"{id}","user_id":"8"}},"timestamp_ms":"1763784780000"}}]}}"#
    )
}

fn revocation(user: &str) -> String {
    format!(
        r#"{{"user_event":{{"revoke":{{"date_time":"2025-11-22T04:13:00+00:00","target":{{"app_id":"100"}},"source":{{"user_id":"{user}"}}}}}}}}"#
    )
}

fn other_app() -> App {
    App::new("other", "other-secret".parse().unwrap())
}

async fn payloads(store: &impl EventLog) -> Vec<String> {
    all(store).await.into_iter().map(|event| event.payload.get().to_owned()).collect()
}

/// Says whether some bytes are anywhere in the files of a store.
fn holds(directory: &Directory, words: &str) -> bool {
    fs::read_dir(&directory.path).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(words.len()).any(|window| window == words.as_bytes())
    })
}

#[tokio::test]
async fn a_deleted_post_keeps_only_its_identity() {
    let directory = Directory::new();
    let store = open(&directory);
    store.commit(delivery(&post("7", &["991", "992"]))).await.unwrap();
    store.commit(delivery(&post("8", &["991"]))).await.unwrap();
    store.commit(delivery_for(&other_app(), &post("7", &["991"]), now())).await.unwrap();
    let before = all(&store).await;
    store.commit(delivery(&deletion("7", "991"))).await.unwrap();

    let events = all(&store).await;
    let gone = r#"{"redacted":"post deleted","id_str":"991"}"#;
    let payloads: Vec<_> = events.iter().map(|event| event.payload.get()).collect();
    assert_eq!(payloads[0], gone);
    assert_eq!(payloads[1], before[1].payload.get(), "another post of the same body");
    assert_eq!(payloads[2], gone, "the same post for another user");
    assert_eq!(payloads[3], before[3].payload.get(), "the same post through another app");
    // Around what is left, the body is as it was; where nothing is left, nothing else is.
    assert_eq!(events[0].context.get(), before[0].context.get());
    assert_eq!(events[2].context.get(), "{}");
    for (event, old) in events.iter().zip(&before) {
        assert_eq!(
            (event.seq, &event.key, event.received_at),
            (old.seq, &old.key, old.received_at)
        );
        // Sent to another receiver, it is the same event.
        let body = Body::parse(&event.body).unwrap();
        let found = body.events().iter().any(|found| found.identity().to_string() == event.key);
        assert!(found, "{}", event.key);
    }
    let signatures: i64 = directory
        .sqlite()
        .query_row("SELECT count(*) FROM deliveries WHERE signature = ''", [], |row| row.get(0))
        .unwrap();
    assert_eq!(signatures, 2);
    // A copy does not bring it back.
    assert_eq!(store.commit(delivery(&post("7", &["991"]))).await.unwrap().stored, 0);
    assert_eq!(store.stats().await.unwrap().redacted_events, 2);
    store.close().await.unwrap();
    assert!(sqlite::check(&directory.path, sqlite::Depth::Full).unwrap().is_sound());
    assert!(holds(&directory, "secret words of 992"));
    // The one of the other app is still there, and only that one.
    let db = directory.sqlite();
    db.execute_batch("DELETE FROM events WHERE seq = 4; DELETE FROM deliveries WHERE id = 3")
        .unwrap();
    drop(db);
    directory.open().close().await.unwrap();
    let db = directory.sqlite();
    db.execute_batch("VACUUM").unwrap();
    drop(db);
    assert!(!holds(&directory, "secret words of 991"));
}

#[tokio::test]
async fn nothing_of_a_deleted_post_is_left_in_the_file() {
    let directory = Directory::new();
    let store = open(&directory);
    let long = "secret words ".repeat(2000);
    let body = format!(
        r#"{{"for_user_id":"7","tweet_create_events":[{{"id_str":"991","text":"{long}"}}]}}"#
    );
    store.commit(delivery(&body)).await.unwrap();
    store.commit(delivery(&deletion("7", "991"))).await.unwrap();
    store.close().await.unwrap();
    assert!(!holds(&directory, "secret words"));
}

#[tokio::test]
async fn a_deletion_that_comes_first_counts_too() {
    let directory = Directory::new();
    let store = open(&directory);
    store.commit(delivery(&deletion("7", "991"))).await.unwrap();
    store.commit(delivery(&post("8", &["991"]))).await.unwrap();
    let both = format!(
        r#"{{"for_user_id":"9","tweet_create_events":[{{"id_str":"993","text":"secret"}}],{}"#,
        deletion("9", "993").split_once(',').unwrap().1
    );
    store.commit(delivery(&both)).await.unwrap();
    let payloads = payloads(&store).await;
    assert_eq!(payloads[1], r#"{"redacted":"post deleted","id_str":"991"}"#);
    assert_eq!(payloads[2], r#"{"redacted":"post deleted","id_str":"993"}"#);
    assert!(payloads[3].contains("timestamp_ms"), "the deletion itself stays");
}

#[tokio::test]
async fn without_the_option_everything_stays() {
    let directory = Directory::new();
    let store = directory.open();
    store.commit(delivery(&post("7", &["991"]))).await.unwrap();
    store.commit(delivery(&deletion("7", "991"))).await.unwrap();
    store.commit(delivery(&revocation("7"))).await.unwrap();
    store.prune(now(), u64::MAX).await.unwrap();
    assert!(payloads(&store).await[0].contains("secret words"));
}

#[tokio::test]
async fn a_revocation_takes_everything_of_its_user_so_far() {
    let directory = Directory::new();
    let mut store = open(&directory);
    for n in 0..250 {
        let body = format!(
            r#"{{"for_user_id":"7","direct_message_events":[{{"id":"{n}","text":"secret {n}"}}],"users":{{"8":{{"name":"secret"}}}}}}"#
        );
        store.commit(delivery(&body)).await.unwrap();
    }
    store.commit(delivery(&post("8", &["1"]))).await.unwrap();
    store.commit(delivery_for(&other_app(), &post("7", &["2"]), now())).await.unwrap();
    store.commit(delivery(r#"{"for_user_id":"7","odd":"secret"}"#)).await.unwrap();
    store.commit(delivery(&revocation("7"))).await.unwrap();
    // A new grant is another matter.
    store.commit(delivery(&post("7", &["3"]))).await.unwrap();

    // Interrupted after the first step, and the process is killed.
    let mut prune = Box::pin(store.prune(now(), u64::MAX));
    assert!(poll(&mut prune).is_none());
    drop(prune);
    // The writer takes one after the other.
    store.commit(delivery(&post("8", &["4"]))).await.unwrap();
    let killed = directory.copy_of_a_killed_process();
    store.close().await.unwrap();
    store = open(&killed);
    let redacted = store.stats().await.unwrap().redacted_events;
    assert_eq!(redacted, 100);
    let pruned = store.prune(now(), u64::MAX).await.unwrap();
    assert_eq!(pruned.redacted, 151);
    assert_eq!(store.prune(now(), u64::MAX).await.unwrap().redacted, 0);

    let events = all(&store).await;
    assert_eq!(events.len(), 256);
    let gone = |event: &aaa_webhook::inbox::StoredEvent| {
        event.payload.get().starts_with(r#"{"redacted":"access revoked""#)
            && !String::from_utf8_lossy(&event.body).contains("secret")
    };
    assert!(events[..250].iter().all(gone));
    assert_eq!(events[3].payload.get(), r#"{"redacted":"access revoked","identity":"3"}"#);
    assert_eq!(events[3].key, "7/direct_message_events:3");
    let left: Vec<_> = events.iter().filter(|event| !gone(event)).map(|e| e.key.clone()).collect();
    assert_eq!(left[0], "8/tweet_create_events:1");
    assert_eq!(left[1], "7/tweet_create_events:2", "through another app");
    assert!(left[2].starts_with("/user_event:"), "{}", left[2]);
    assert_eq!(left[3], "7/tweet_create_events:3", "after the revocation");
    assert_eq!(left.len(), 5);
    let page = store.events(EventQuery { user: Some("7".to_owned()), ..EventQuery::after(0, 999) });
    assert_eq!(page.await.unwrap().len(), 253);
    store.close().await.unwrap();
    assert!(sqlite::check(&killed.path, sqlite::Depth::Full).unwrap().is_sound());
}

/// Whoever keeps a signed delivery long enough can have it stored once more, and nothing else.
#[tokio::test]
async fn an_old_capture_takes_nothing_away() {
    let directory = Directory::new();
    let store = open(&directory);
    let later = now() + SignedDuration::from_hours(9 * 24);
    store.commit(delivery(&post("7", &["991"]))).await.unwrap();
    // He has signed in again since, and is written to.
    store.commit(delivery_at(&post("7", &["992"]), later)).await.unwrap();
    for capture in [revocation("7"), deletion("7", "991")] {
        assert_eq!(store.commit(delivery_at(&capture, later)).await.unwrap().stored, 1);
        assert!(all(&store).await.last().unwrap().stale, "{capture}");
    }
    // Nor does it later, when the post comes for somebody else.
    store.commit(delivery_at(&post("8", &["991"]), later)).await.unwrap();
    assert_eq!(store.prune(later, u64::MAX).await.unwrap().redacted, 0);
    assert_eq!(store.stats().await.unwrap().redacted_events, 0);
    let payloads = payloads(&store).await;
    for (at, id) in [(0, "991"), (1, "992"), (4, "991")] {
        assert!(payloads[at].contains(&format!("secret words of {id}")), "{}", payloads[at]);
    }
}

/// A post that comes so late is no way around its deletion.
#[tokio::test]
async fn an_old_capture_of_a_deleted_post_brings_nothing_back() {
    let directory = Directory::new();
    let store = open(&directory);
    let later = now() + SignedDuration::from_hours(9 * 24);
    let millis = now().as_millisecond();
    let capture = format!(
        r#"{{"for_user_id":"7","tweet_create_events":[{{"id_str":"991","timestamp_ms":"{millis}","text":"secret words"}}]}}"#
    );
    let gone = deletion("7", "991").replace("1763784780000", &later.as_millisecond().to_string());
    store.commit(delivery_at(&gone, later)).await.unwrap();
    store.commit(delivery_at(&capture, later)).await.unwrap();
    let events = all(&store).await;
    assert_eq!((events[0].stale, events[1].stale), (false, true));
    assert_eq!(events[1].payload.get(), r#"{"redacted":"post deleted","id_str":"991"}"#);
}
