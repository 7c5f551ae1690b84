//! Group commit, the queue in front of it, and the end of a store.

use aaa_replay::ledger::{LeaseId, Ledger, LedgerError};
use aaa_store::{Settings, SqliteStore};
use aaa_webhook::inbox::{EventLog, EventQuery, Inbox, InboxError, Receipt};

use crate::{
    helper::{Directory, Held, all, delivery, favorites, keys, poison, settings, start},
    ledger::beat,
};

#[tokio::test]
async fn deliveries_that_wait_share_a_commit() {
    let directory = Directory::new();
    let store = directory.open();
    let held = Held::new(&directory);
    let waiting: Vec<_> = (0..50)
        .map(|n| start(store.commit(delivery(&favorites("7", &[&n.to_string()])))))
        .collect();
    held.release();
    for commit in waiting {
        assert_eq!(commit.await.unwrap(), Receipt { stored: 1, duplicates: 0 });
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.events, stats.deliveries), (50, 50));
    // The writer took at least one before it was held up, and the rest together.
    let transactions = store.transactions();
    assert!((1..=2).contains(&transactions.deliveries.count()), "{transactions:?}");
    assert_eq!(transactions.deliveries.sum, 50.0);
    let bytes = favorites("7", &["1"]).len() * 10 + favorites("7", &["10"]).len() * 40;
    assert_eq!(transactions.bytes.sum, bytes as f64);
    assert_eq!(transactions.durations.count(), transactions.deliveries.count());
    // Each of them waited, and none for longer than the transaction before took.
    assert_eq!(transactions.waits.count(), 50);
    assert!(transactions.durations.sum > 0.0 && transactions.waits.sum > 0.0, "{transactions:?}");
    let events = all(&directory.copy_of_a_killed_process().reader()).await;
    assert_eq!(events.len(), 50, "an answered delivery is not in the file");
}

#[tokio::test]
async fn a_batch_has_limits() {
    let directory = Directory::new();
    let settings = Settings { batch_deliveries: 4, ..settings() };
    let store = SqliteStore::open(&directory.path, settings).unwrap();
    let held = Held::new(&directory);
    let waiting: Vec<_> = (0..12)
        .map(|n| start(store.commit(delivery(&favorites("7", &[&n.to_string()])))))
        .collect();
    held.release();
    for commit in waiting {
        commit.await.unwrap();
    }
    let commits = store.transactions().deliveries.count();
    assert!((3..=4).contains(&commits), "{commits} commits");
}

#[tokio::test]
async fn a_copy_in_flight_waits_for_the_same_commit() {
    let directory = Directory::new();
    let store = directory.open();
    let held = Held::new(&directory);
    let body = favorites("7", &["a"]);
    let first = start(store.commit(delivery(&body)));
    let second = start(store.commit(delivery(&body)));
    // Neither was answered, and the file does not have it yet.
    assert_eq!(all(&store).await.len(), 0);
    held.release();
    assert_eq!(first.await.unwrap(), Receipt { stored: 1, duplicates: 0 });
    assert_eq!(second.await.unwrap(), Receipt { stored: 0, duplicates: 1 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn copies_from_many_threads_are_one_record() {
    let directory = Directory::new();
    let store = directory.open();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..64 {
        let store = store.clone();
        let id = (n % 8).to_string();
        tasks.spawn(async move {
            store.commit(delivery(&favorites("7", &[&id, "shared"]))).await.unwrap()
        });
    }
    let receipts = tasks.join_all().await;
    assert_eq!(receipts.iter().map(|receipt| receipt.stored).sum::<usize>(), 9);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.events, stats.duplicates), (9, 128 - 9));
}

#[tokio::test]
async fn a_poison_delivery_refuses_only_itself() {
    let directory = Directory::new();
    let store = directory.open();
    poison(&directory, "bad_events");
    let held = Held::new(&directory);
    let bad = r#"{"favorite_events":[{"id":"with bad"}],"bad_events":[{"id":"b"}]}"#;
    let bodies = [
        favorites("7", &["a"]),
        bad.to_owned(),
        favorites("7", &["b"]),
        bad.to_owned(),
        favorites("7", &["c"]),
    ];
    let waiting: Vec<_> = bodies.iter().map(|body| start(store.commit(delivery(body)))).collect();
    held.release();
    let mut stored = Vec::new();
    for commit in waiting {
        stored.push(commit.await.map(|receipt| receipt.stored));
    }
    let refused = stored[1].clone();
    assert!(matches!(&refused, Err(InboxError::Unavailable(why)) if why.contains("poison")));
    assert_eq!(stored, [Ok(1), refused.clone(), Ok(1), refused, Ok(1)]);
    // Nothing of a refused delivery is left behind.
    assert_eq!(keys(&store).await, ["a", "b", "c"].map(|id| format!("7/favorite_events:{id}")));
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.events, stats.deliveries, stats.duplicates), (3, 3, 0));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let directory = Directory::new();
    let settings = Settings { queue_deliveries: 2, ..settings() };
    let store = SqliteStore::open(&directory.path, settings).unwrap();
    let held = Held::new(&directory);
    let (mut waiting, mut refused) = (Vec::new(), 0);
    for n in 0..10 {
        let mut commit = Box::pin(store.commit(delivery(&favorites("7", &[&n.to_string()]))));
        match crate::helper::poll(&mut commit) {
            Some(answer) => {
                assert_eq!(answer.unwrap_err(), InboxError::Full);
                refused += 1;
            }
            None => waiting.push(commit),
        }
    }
    // Two in the queue, and what the writer may have taken out of it already.
    assert!(refused >= 5 && waiting.len() >= 2, "{refused} of 10 were refused");
    // A heartbeat would say that deliveries can be stored.
    let error = store.heartbeat(beat(0)).await.unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    held.release();
    let accepted = waiting.len();
    for commit in waiting {
        commit.await.unwrap();
    }
    store.heartbeat(beat(5)).await.unwrap();
    assert_eq!(all(&store).await.len(), accepted);
}

#[tokio::test]
async fn bytes_count_as_well() {
    let directory = Directory::new();
    let settings = Settings { queue_bytes: 1000, ..settings() };
    let store = SqliteStore::open(&directory.path, settings).unwrap();
    let held = Held::new(&directory);
    let large = favorites("7", &["x".repeat(5000).as_str()]);
    // Larger than everything that may wait: it passes, but alone.
    let alone = start(store.commit(delivery(&large)));
    let refused = store.commit(delivery(&favorites("7", &["a"]))).await;
    assert_eq!(refused.unwrap_err(), InboxError::Full);
    held.release();
    alone.await.unwrap();
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
}

#[tokio::test]
async fn what_is_queued_stays_in_order() {
    let directory = Directory::new();
    let store = directory.open();
    let held = Held::new(&directory);
    let first = start(store.commit(delivery(&favorites("7", &["first"]))));
    let heartbeat = start(store.heartbeat(beat(0)));
    let second = start(store.commit(delivery(&favorites("7", &["second"]))));
    held.release();
    let (first, heartbeat, second) = tokio::join!(first, heartbeat, second);
    assert!(first.is_ok() && heartbeat.is_ok() && second.is_ok());
    let expected = ["first", "second"].map(|id| format!("7/favorite_events:{id}"));
    assert_eq!(keys(&store).await, expected);
    assert_eq!(store.spans().await.unwrap().len(), 1);
}

#[tokio::test]
async fn closing_stores_what_is_queued() {
    let directory = Directory::new();
    let store = directory.open();
    let held = Held::new(&directory);
    let waiting: Vec<_> =
        (0..5).map(|n| start(store.commit(delivery(&favorites("7", &[&n.to_string()]))))).collect();
    let close = start(store.close());
    held.release();
    close.await.unwrap();
    for commit in waiting {
        assert_eq!(commit.await.unwrap().stored, 1);
    }
    let late = store.commit(delivery(&favorites("7", &["late"]))).await;
    assert_eq!(late.unwrap_err(), InboxError::Closed);
    let intended = store.intend(LeaseId(1), crate::ledger::intent()).await;
    assert!(matches!(intended, Err(LedgerError::Unavailable(_))), "{intended:?}");
    store.close().await.unwrap();

    // One file is left; it has everything.
    let mut files: Vec<_> = std::fs::read_dir(&directory.path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["aaa.db", "aaa.lock"]);
    assert_eq!(all(&directory.open()).await.len(), 5);
}

#[tokio::test]
async fn dropping_stores_what_is_queued() {
    let directory = Directory::new();
    let store = directory.open();
    let held = Held::new(&directory);
    // Nobody waits for the answers any more.
    for n in 0..5 {
        drop(start(store.commit(delivery(&favorites("7", &[&n.to_string()])))));
    }
    drop(store);
    held.release();
    directory.wait_until_free();
    assert_eq!(all(&directory.open()).await.len(), 5);
}

#[tokio::test]
async fn consumers_are_woken_by_commits() {
    let directory = Directory::new();
    let store = directory.open();
    let mut last = store.subscribe();
    assert_eq!(*last.borrow_and_update(), 0);
    store.commit(delivery(&favorites("7", &["a", "b"]))).await.unwrap();
    assert!(last.has_changed().unwrap());
    assert_eq!(*last.borrow_and_update(), 2);
    // A copy and a heartbeat are no news.
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    store.heartbeat(beat(0)).await.unwrap();
    assert!(!last.has_changed().unwrap());
    // Whoever hears of an event can read it.
    let events = store.events(EventQuery::after(1, 9)).await.unwrap();
    assert_eq!(events.len(), 1);
    store.close().await.unwrap();
    assert!(last.has_changed().is_err(), "consumers are not told of the end");

    let again = directory.open();
    assert_eq!(*again.subscribe().borrow(), 2);
}

/// A 200 for a copy promises as much as one for what is new: the event may stand in the log and
/// not be synced, since who wrote it died. Only what is written is synced.
#[tokio::test]
async fn a_batch_of_copies_is_synced_too() {
    let directory = Directory::new();
    let store = directory.open();
    let body = favorites("7", &["a"]);
    store.commit(delivery(&body)).await.unwrap();
    let log = || std::fs::metadata(directory.path.join("aaa.db-wal")).unwrap().len();
    for _ in 0..3 {
        let before = log();
        assert_eq!(store.commit(delivery(&body)).await.unwrap().duplicates, 1);
        assert!(log() > before, "nothing was written, so nothing was synced");
    }
}
