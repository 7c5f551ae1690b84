//! What commands do beside a running listener.

use std::fs;

use aaa_store::{
    Settings, SqliteStore, StoreError,
    sqlite::{self, Depth, Fault},
};
use aaa_webhook::inbox::Inbox;

use crate::helper::{Directory, Held, all, delivery, favorites, keys, settings};

async fn filled(directory: &Directory, deliveries: usize) -> SqliteStore {
    let store = directory.open();
    for n in 0..deliveries {
        let user = ["7", "8"][n % 2];
        store.commit(delivery(&favorites(user, &[&format!("{n} private words")]))).await.unwrap();
    }
    store
}

#[tokio::test]
async fn a_sound_store_is_found_sound() {
    let directory = Directory::new();
    let store = filled(&directory, 10).await;
    store
        .commit(delivery(r#"{"for_user_id":"7\u0000'","x_events":[{"a":1},null]}"#))
        .await
        .unwrap();
    for depth in [Depth::Quick, Depth::Full] {
        let report = sqlite::check(&directory.path, depth).unwrap();
        assert!(report.is_sound(), "{:?}", report.findings);
        assert_eq!((report.events, report.deliveries, report.keys), (12, 11, 12));
        assert!(report.bytes > 0);
    }
    // Also while somebody writes, and when nobody does.
    let held = Held::new(&directory);
    assert!(sqlite::check(&directory.path, Depth::Full).unwrap().is_sound());
    held.release();
    store.close().await.unwrap();
    assert!(sqlite::check(&directory.path, Depth::Full).unwrap().is_sound());
    let nowhere = Directory::new();
    let error = sqlite::check(&nowhere.path, Depth::Quick).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
}

#[tokio::test]
async fn each_fault_is_found_and_has_its_repair() {
    for (sql, fault, found) in [
        ("DELETE FROM event_keys WHERE seq IN (2, 5)", Fault::MissingKey, 2),
        ("UPDATE event_keys SET seq = 99 WHERE seq = 3", Fault::MissingKey, 1),
        ("UPDATE events SET item = 'x' WHERE seq = 3", Fault::MissingKey, 1),
        ("UPDATE events SET occurred_at = 1e15 WHERE seq = 3", Fault::MissingKey, 1),
        ("UPDATE events SET payload_length = 9999 WHERE seq > 6", Fault::PayloadOutside, 4),
        ("UPDATE events SET payload_start = -1 WHERE seq = 1", Fault::PayloadOutside, 1),
        (
            "PRAGMA foreign_keys = OFF; DELETE FROM deliveries WHERE id = 4; \
             UPDATE counters SET value = value - 1 WHERE name = 'deliveries'",
            Fault::DanglingRow,
            1,
        ),
        (
            "INSERT INTO deliveries SELECT 77, app, slot, signature, arrived_at, body \
             FROM deliveries LIMIT 1; \
             UPDATE counters SET value = value + 1 WHERE name = 'deliveries'",
            Fault::EmptyDelivery,
            1,
        ),
        ("UPDATE counters SET value = 8 WHERE name = 'events'", Fault::Miscounted, 1),
    ] {
        let directory = Directory::new();
        filled(&directory, 10).await.close().await.unwrap();
        directory.sqlite().execute_batch(sql).unwrap();
        let report = sqlite::check(&directory.path, Depth::Full).unwrap();
        let findings: Vec<_> = report.findings.iter().map(|f| (f.fault, f.count)).collect();
        assert_eq!(findings, [(fault, found)], "{sql}");
        assert!(!report.is_sound());
        let text = report.findings[0].to_string();
        assert!(text.contains(fault.repair()) && text.contains(&found.to_string()), "{text}");
    }
}

#[tokio::test]
async fn an_index_that_lies_is_found_by_a_full_check() {
    let directory = Directory::new();
    filled(&directory, 10).await.close().await.unwrap();
    // Edits the row behind the back of its index.
    let db = directory.sqlite();
    db.execute_batch(
        "PRAGMA writable_schema = ON; \
         UPDATE sqlite_schema SET sql = 'CREATE INDEX events_by_delivery ON events (stale)' \
         WHERE name = 'events_by_delivery'",
    )
    .unwrap();
    drop(db);
    assert!(sqlite::check(&directory.path, Depth::Quick).unwrap().is_sound());
    let report = sqlite::check(&directory.path, Depth::Full).unwrap();
    assert_eq!(report.findings[0].fault, Fault::Damaged);
    assert!(report.findings[0].example.contains("events_by_delivery"), "{:?}", report.findings);
}

#[tokio::test]
async fn a_backup_is_a_store() {
    let directory = Directory::new();
    let store = filled(&directory, 10).await;
    let copy = Directory::new();
    copy.make();
    // Also while a transaction is open.
    let held = Held::new(&directory);
    let backed_up = sqlite::backup(&directory.path, copy.database()).unwrap();
    held.release();
    assert_eq!((backed_up.events, backed_up.last_seq), (10, Some(10)));
    assert_eq!(backed_up.bytes, fs::metadata(copy.database()).unwrap().len());
    // One file, nothing beside it.
    assert_eq!(fs::read_dir(&copy.path).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(copy.database()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    store.commit(delivery(&favorites("7", &["later"]))).await.unwrap();

    let restored = copy.open();
    assert_eq!(all(&restored).await.len(), 10);
    let again = restored.commit(delivery(&favorites("7", &["0 private words", "x"]))).await;
    assert_eq!(again.unwrap().stored, 1);
    // What is there is not replaced, and nothing is left of the attempt.
    let error = sqlite::backup(&directory.path, copy.database()).unwrap_err();
    assert_eq!(error, StoreError::Exists { path: copy.database() });
    restored.close().await.unwrap();
    assert_eq!(fs::read_dir(&copy.path).unwrap().count(), 2, "the database and the lock");
}

/// Every commit that was answered before a backup began is in it, and it ends although the
/// listener goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_made_under_load() {
    const ENOUGH: u32 = 20_000;
    let directory = Directory::new();
    let store = directory.open();
    let filler = "x".repeat(50_000);
    for n in 0..200 {
        store.commit(delivery(&favorites("7", &[&format!("{n}{filler}")]))).await.unwrap();
    }
    let load = {
        let store = store.clone();
        tokio::spawn(async move {
            let mut n = 0;
            while n < ENOUGH
                && store.commit(delivery(&favorites("8", &[&n.to_string()]))).await.is_ok()
            {
                n += 1;
            }
            n
        })
    };
    let copy = Directory::new();
    copy.make();
    for round in 0..3 {
        let answered = store.stats().await.unwrap().events;
        let (from, to) = (directory.path.clone(), copy.path.join(format!("{round}.db")));
        let made = tokio::task::spawn_blocking(move || sqlite::backup(from, to)).await.unwrap();
        assert!(made.unwrap().events >= answered);
    }
    store.close().await.unwrap();
    let stored = load.await.unwrap();
    assert!(stored > 0 && stored < ENOUGH, "the backups only ended with the load");
}

#[tokio::test]
async fn a_backup_that_fails_leaves_nothing() {
    let directory = Directory::new();
    let target = Directory::new();
    target.make();
    let error = sqlite::backup(&directory.path, target.database()).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    filled(&directory, 200).await.close().await.unwrap();
    let mut bytes = fs::read(directory.database()).unwrap();
    let end = bytes.len();
    bytes[end / 2..].fill(0x55);
    fs::write(directory.database(), bytes).unwrap();
    let error = sqlite::backup(&directory.path, target.database()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(fs::read_dir(&target.path).unwrap().count(), 0);
    let error = sqlite::backup(&directory.path, target.path.join("no/where.db")).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. } | StoreError::Files { .. }), "{error}");
}

#[tokio::test]
async fn vacuuming_gives_room_back() {
    let directory = Directory::new();
    let store = directory.open();
    let filler = "x".repeat(20_000);
    for n in 0..100 {
        store.commit(delivery(&favorites("7", &[&format!("{n}{filler}")]))).await.unwrap();
    }
    directory.sqlite().execute_batch("DELETE FROM events; DELETE FROM deliveries").unwrap();
    store.commit(delivery(&favorites("8", &["a"]))).await.unwrap();
    // Beside a listener, which goes on.
    let vacuumed = sqlite::vacuum(&directory.path).unwrap();
    assert!(!vacuumed.rebuilt);
    assert!(vacuumed.bytes_after < vacuumed.bytes_before / 4, "{vacuumed:?}");
    store.commit(delivery(&favorites("8", &["b"]))).await.unwrap();
    store.close().await.unwrap();

    let vacuumed = sqlite::vacuum(&directory.path).unwrap();
    assert!(vacuumed.rebuilt);
    assert_eq!(vacuumed.bytes_after, fs::metadata(directory.database()).unwrap().len());
    let store = directory.open();
    assert_eq!(keys(&store).await, ["8/favorite_events:a", "8/favorite_events:b"]);
    let auto: i64 =
        directory.sqlite().pragma_query_value(None, "auto_vacuum", |row| row.get(0)).unwrap();
    assert_eq!(auto, 2, "incremental still");
}

#[tokio::test]
async fn forgetting_removes_a_user_and_keeps_the_keys() {
    let directory = Directory::new();
    let store = filled(&directory, 450).await;
    let others = [
        r#"{"data":{"event_uuid":"1","filter":{"user_id":"7"},"event_type":"dm.received","payload":{"text":"private words"}}}"#,
        r#"{"data":{"event_uuid":"2","filter":{"user_id":"8"},"event_type":"dm.received","payload":{}}}"#,
        r#"{"user_event":{"revoke":{"date_time":"2025-11-22T04:13:00+00:00","target":{"app_id":"100"},"source":{"user_id":"7"}}}}"#,
        r#"{"replay_job_status":{"job_id":"7","job_state":"Complete"}}"#,
    ];
    for body in others {
        store.commit(delivery(body)).await.unwrap();
    }
    let user = "7".parse().unwrap();
    let forgotten = sqlite::forget(&directory.path, &user).unwrap();
    assert_eq!((forgotten.events, forgotten.deliveries), (227, 227));
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.events, stats.deliveries, stats.forgotten_events), (227, 227, 227));
    let left = keys(&store).await;
    assert!(left[..225].iter().all(|key| key.starts_with("8/")));
    assert_eq!(left[225..], ["/dm.received:2", "/replay_job_status:7:Complete"]);

    // A replay does not bring anything back.
    for n in 0..450 {
        let body = favorites(["7", "8"][n % 2], &[&format!("{n} private words")]);
        assert_eq!(store.commit(delivery(&body)).await.unwrap().stored, 0);
    }
    for body in others {
        assert_eq!(store.commit(delivery(body)).await.unwrap().stored, 0);
    }
    let again = sqlite::forget(&directory.path, &user).unwrap();
    assert_eq!((again.events, again.deliveries), (0, 0));
    store.close().await.unwrap();
    let report = sqlite::check(&directory.path, Depth::Full).unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
}

#[tokio::test]
async fn nothing_of_a_forgotten_user_is_left_in_the_files() {
    let directory = Directory::new();
    let store = directory.open();
    for n in 0..50 {
        let item = format!("{n} private words {}", "and more ".repeat(n * 30));
        store.commit(delivery(&favorites("7000123456", &[&item]))).await.unwrap();
        store.commit(delivery(&favorites("8", &[&n.to_string()]))).await.unwrap();
    }
    let holds = |words: &str| {
        fs::read_dir(&directory.path).unwrap().any(|entry| {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(words.len()).any(|window| window == words.as_bytes())
        })
    };
    assert!(holds("private words"));
    let forgotten = sqlite::forget(&directory.path, &"7000123456".parse().unwrap()).unwrap();
    assert!(forgotten.log_emptied);
    assert!(!holds("private words") && !holds("and more"));
    assert!(!holds("7000123456"), "it is still known that there was such a user");
    assert!(holds(r#"{"for_user_id":"8""#));
    store.close().await.unwrap();
}

/// Who knew a delivery that is gone must not take the next one for it.
#[tokio::test]
async fn the_number_of_a_forgotten_delivery_is_not_given_again() {
    let directory = Directory::new();
    let store = directory.open();
    store.commit(delivery(&favorites("8", &["a"]))).await.unwrap();
    store.commit(delivery(&favorites("7", &["b"]))).await.unwrap();
    let last = all(&store).await.last().unwrap().origin.delivery;
    sqlite::forget(&directory.path, &"7".parse().unwrap()).unwrap();
    store.commit(delivery(&favorites("8", &["c"]))).await.unwrap();
    let event = all(&store).await.pop().unwrap();
    assert!(event.origin.delivery > last, "{} again", event.origin.delivery);
    store.close().await.unwrap();
}

/// The listener stores all the while, and nothing of it is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgetting_leaves_the_listener_its_turn() {
    let directory = Directory::new();
    let path = directory.path.clone();
    // The patience of a real listener.
    let store = SqliteStore::open(&path, Settings::default()).unwrap();
    let many: Vec<_> = (0..3000).map(|n| n.to_string()).collect();
    for ids in many.chunks(10) {
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        store.commit(delivery(&favorites("7", &ids))).await.unwrap();
    }
    let forgetting =
        tokio::task::spawn_blocking(move || sqlite::forget(path, &"7".parse().unwrap()));
    let mut n = 0;
    while !forgetting.is_finished() {
        store.commit(delivery(&favorites("8", &[&n.to_string()]))).await.unwrap();
        n += 1;
    }
    assert_eq!(forgetting.await.unwrap().unwrap().events, 3000);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.events, stats.forgotten_events), (n, 3000));
    store.close().await.unwrap();
    assert_eq!(all(&SqliteStore::open(&directory.path, settings()).unwrap()).await.len() as u64, n);
}
