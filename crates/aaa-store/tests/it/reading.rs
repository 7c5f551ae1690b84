//! Reading from outside, whatever the writing process does.

use std::fs;

use aaa_store::{SqliteStore, StoreError};
use aaa_webhook::inbox::{EventLog, EventQuery, Inbox};
use jiff::SignedDuration;

use crate::helper::{Directory, Held, all, delivery, delivery_at, favorites, keys, now, start};

#[test]
fn nothing_is_made_where_nothing_is() {
    let directory = Directory::new();
    let error = SqliteStore::open_reader(&directory.path).unwrap_err();
    assert_eq!(error, StoreError::Missing { path: directory.path.clone() });
    assert!(!directory.path.exists());

    directory.make();
    let error = SqliteStore::open_reader(&directory.path).unwrap_err();
    assert_eq!(error, StoreError::Missing { path: directory.database() });
    assert_eq!(fs::read_dir(&directory.path).unwrap().count(), 0);
}

#[tokio::test]
async fn beside_a_live_writer() {
    let directory = Directory::new();
    let store = directory.open();
    let reader = directory.reader();
    for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
        store.commit(delivery(&favorites("7", &[id]))).await.unwrap();
        assert_eq!(all(&reader).await.len(), n + 1);
    }
    // Also while a transaction is open, as when the process is stopped in one.
    let held = Held::new(&directory);
    let waiting = start(store.commit(delivery(&favorites("7", &["d"]))));
    assert_eq!(all(&directory.reader()).await.len(), 3);
    held.release();
    waiting.await.unwrap();
    assert_eq!(all(&reader).await.len(), 4);
    // And after its end.
    store.close().await.unwrap();
    assert_eq!(all(&reader).await.len(), 4);
    assert_eq!(all(&directory.reader()).await.len(), 4);
}

#[tokio::test]
async fn after_the_writer_was_killed() {
    let directory = Directory::new();
    let store = directory.open();
    store.commit(delivery(&favorites("7", &["a", "b"]))).await.unwrap();
    let killed = directory.copy_of_a_killed_process();
    assert!(fs::metadata(killed.path.join("aaa.db-wal")).unwrap().len() > 0);
    assert_eq!(all(&killed.reader()).await.len(), 2);
    // And then it starts again.
    let again = killed.open();
    let receipt = again.commit(delivery(&favorites("7", &["b", "c"]))).await.unwrap();
    assert_eq!((receipt.stored, receipt.duplicates), (1, 1));
    assert_eq!(all(&killed.reader()).await.len(), 3);
}

#[tokio::test]
async fn a_reader_does_not_keep_the_log_from_being_emptied() {
    let directory = Directory::new();
    let store = directory.open();
    let reader = directory.reader();
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    all(&reader).await;
    let (busy, log, moved) = directory
        .sqlite()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
        .unwrap();
    assert_eq!((busy, log, moved), (0, 0, 0));
}

#[tokio::test]
async fn counts() {
    let directory = Directory::new();
    let store = directory.open();
    let empty = store.stats().await.unwrap();
    assert_eq!((empty.events, empty.last_seq, empty.last_received_at), (0, None, None));

    let later = now() + SignedDuration::from_secs(60);
    store.commit(delivery(&favorites("7", &["a", "b"]))).await.unwrap();
    store.commit(delivery_at(&favorites("7", &["b", "c"]), later)).await.unwrap();
    store
        .commit(delivery_at(&favorites("7", &["a"]), later + later.duration_since(now())))
        .await
        .unwrap();
    let stats = store.stats().await.unwrap();
    // The last one brought a copy, so all of them are counted.
    assert_eq!((stats.events, stats.deliveries, stats.duplicates, stats.commits), (3, 2, 2, 3));
    assert_eq!((stats.first_seq, stats.last_seq), (Some(1), Some(3)));
    assert_eq!(stats.last_received_at, Some(later));
    assert_eq!(directory.reader().stats().await.unwrap(), stats);

    store.close().await.unwrap();
    assert_eq!(directory.open().stats().await.unwrap(), stats);
}

#[tokio::test]
async fn keys_are_found_by_their_text() {
    let directory = Directory::new();
    let store = directory.open();
    store.commit(delivery(&favorites("7", &["a", "b"]))).await.unwrap();
    store
        .commit(delivery(r#"{"replay_job_status":{"job_id":"1","job_state":"Complete"}}"#))
        .await
        .unwrap();
    let asked = [
        "7/favorite_events:b",
        "8/favorite_events:b",
        "/replay_job_status:1:Complete",
        "7/favorite_events:a",
        "7/favorite_events:a",
        "",
    ]
    .map(str::to_owned);
    let expected = [true, false, true, true, true, false];
    assert_eq!(store.contains_keys(&asked).await.unwrap(), expected);
    store.close().await.unwrap();
    assert_eq!(directory.reader().contains_keys(&asked).await.unwrap(), expected);
    assert!(directory.reader().contains_keys(&[]).await.unwrap().is_empty());
    // Also behind the first page of them.
    let store = directory.open();
    let many: Vec<_> = (0..12_000).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    store.commit(delivery(&favorites("9", &many))).await.unwrap();
    let asked = ["9/favorite_events:11999", "9/favorite_events:12000", "9/favorite_events:1"];
    let found = store.contains_keys(&asked.map(str::to_owned)).await.unwrap();
    assert_eq!(found, [true, false, true]);
    store.close().await.unwrap();
    // People with another tool see the same text.
    let db = directory.sqlite();
    let mut statement = db.prepare("SELECT key FROM events ORDER BY seq").unwrap();
    let seen = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let seen: Vec<_> = seen.map(Result::unwrap).collect();
    assert_eq!(seen, keys(&directory.reader()).await);
}

#[tokio::test]
async fn a_page_of_large_bodies_ends_early() {
    let directory = Directory::new();
    let store = directory.open();
    let filler = "x".repeat(3 * 1024 * 1024);
    for n in 0..8 {
        let body = format!(
            r#"{{"favorite_events":[{{"id":"{n}"}},{{"id":"{n}b"}}],"filler":"{filler}"}}"#
        );
        store.commit(delivery(&body)).await.unwrap();
    }
    let mut pages = Vec::new();
    let mut after = 0;
    loop {
        let page = store.events(EventQuery::after(after, 1000)).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        pages.push(page.len());
    }
    // Five bodies fit into 16 MiB, and each brought two events.
    assert_eq!(pages, [10, 6]);
}

#[tokio::test]
async fn an_edited_row_is_named() {
    let directory = Directory::new();
    let store = directory.open();
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    directory.sqlite().execute("UPDATE events SET payload_length = 9999", []).unwrap();
    let error = store.events(EventQuery::after(0, 9)).await.unwrap_err().to_string();
    assert!(error.contains("aaa.db") && error.contains("edited"), "{error}");
    // The next question is answered.
    assert_eq!(store.stats().await.unwrap().events, 1);
}
