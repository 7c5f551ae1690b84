//! What only the SQLite store does for consumers.

use std::time::Duration;

use aaa_store::{Settings, SqliteBeside, SqliteStore};
use aaa_webhook::{
    consumer::{Changes, Cursor, CursorError, Cursors, DeadLetters, WhichLetters},
    inbox::Inbox,
};

use crate::helper::{
    Directory, changes, delivery, favorites, letter, letters_of, name, now, settings,
};

#[tokio::test]
async fn the_slowest_cursor_is_the_lowest() {
    let directory = Directory::new();
    let store = directory.open();
    assert_eq!(store.slowest_cursor().await.unwrap(), None);
    for (consumer, cursor) in [("a", 9), ("b", 4), ("c", 5)] {
        store.open(&name(consumer), cursor).await.unwrap();
    }
    assert_eq!(store.slowest_cursor().await.unwrap(), Some(4));
    // A consumer that will never come back holds up nothing.
    let mut beside = SqliteBeside::open(&directory.path).unwrap();
    assert!(beside.forget_consumer(&name("b")).unwrap());
    assert!(!beside.forget_consumer(&name("b")).unwrap());
    assert_eq!(directory.reader().slowest_cursor().await.unwrap(), Some(5));
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_consumer_that_was_forgotten_does_not_save_into_its_successor() {
    let directory = Directory::new();
    let store = directory.open();
    let first = store.open(&name("a"), 0).await.unwrap();
    SqliteBeside::open(&directory.path).unwrap().forget_consumer(&name("a")).unwrap();
    store.open(&name("a"), 0).await.unwrap();
    let late = changes(first.generation);
    assert_eq!(store.save(&name("a"), &late).await, Err(CursorError::Taken));
    store.close().await.unwrap();
}

/// What a consumer has still to handle is not pruned, however old it is.
#[tokio::test]
async fn what_the_slowest_consumer_needs_is_kept() {
    let directory = Directory::new();
    let settings = Settings { body_retention: Some(Duration::ZERO), ..settings() };
    let store = SqliteStore::open(&directory.path, settings).unwrap();
    for id in ["a", "b", "c"] {
        store.commit(delivery(&favorites("7", &[id]))).await.unwrap();
    }
    store.open(&name("slow"), 2).await.unwrap();
    store.open(&name("fast"), 3).await.unwrap();
    let keep_from = store.slowest_cursor().await.unwrap().map_or(u64::MAX, |cursor| cursor + 1);
    let later = now() + jiff::SignedDuration::from_hours(1);
    let pruned = store.prune(later, keep_from).await.unwrap();
    assert_eq!((pruned.events, pruned.held_back), (2, Some(3)));
    store.close().await.unwrap();
}

#[tokio::test]
async fn there_has_to_be_a_store_to_change() {
    let directory = Directory::new();
    let error = SqliteBeside::open(&directory.path).unwrap_err();
    assert!(matches!(error, aaa_store::StoreError::Missing { .. }), "{error}");
}

/// Other processes write while deliveries are stored, and nobody is refused.
#[tokio::test]
async fn others_may_write_beside_the_receiver() {
    let directory = Directory::new();
    let store = directory.open();
    let Cursor { generation, .. } = store.open(&name("test"), 0).await.unwrap();
    let dead = (1..=50).map(letter).collect();
    store.save(&name("test"), &Changes { dead, ..changes(generation) }).await.unwrap();
    let path = directory.path.clone();
    let beside = std::thread::spawn(move || {
        let mut marked = 0;
        for seq in 1..=50 {
            let mut beside = SqliteBeside::open(&path).unwrap();
            marked += beside.redrive(&name("test"), seq..=seq).unwrap();
        }
        marked
    });
    let mut stored = 0;
    while !beside.is_finished() || stored < 50 {
        store.commit(delivery(&favorites("7", &[&stored.to_string()]))).await.unwrap();
        stored += 1;
    }
    assert_eq!(beside.join().unwrap(), 50);
    let redriven = store.dead_letters(letters_of("test", WhichLetters::Redriven)).await.unwrap();
    assert_eq!(redriven.len(), 50);
    store.close().await.unwrap();
}
