//! Flipped bytes, everywhere: refused with the file left as it is, or harmless.

use std::fs;

use aaa_store::{SqliteStore, StoreError, sqlite};
use aaa_webhook::inbox::{EventLog, EventQuery, Inbox};

use crate::helper::{Directory, all, delivery, favorites, settings};

const PAGE: usize = 8192;
const EVENTS: usize = 120;

async fn filled() -> Directory {
    let directory = Directory::new();
    let store = directory.open();
    for n in 0..EVENTS {
        let id = format!("{n}-{}", "x".repeat(40 * (n % 10)));
        store.commit(delivery(&favorites("7", &[&id]))).await.unwrap();
    }
    // One with pages of its own.
    store.commit(delivery(&favorites("8", &["y".repeat(20_000).as_str()]))).await.unwrap();
    store.close().await.unwrap();
    directory
}

/// Opens a store with these bytes; a refusal has to leave them as they are.
async fn outcome(directory: &Directory, bytes: &[u8]) -> Result<usize, StoreError> {
    fs::write(directory.database(), bytes).unwrap();
    // What an earlier round noted about a clean end is gone.
    let _ = fs::remove_file(directory.path.join("aaa.lock"));
    match SqliteStore::open(&directory.path, settings()) {
        Ok(store) => {
            // What the check cannot see, such as a letter in a text, is read or named.
            let mut after = 0;
            let mut read = 0;
            while let Ok(page) = store.events(EventQuery::after(after, 50)).await {
                let Some(last) = page.last() else { break };
                after = last.seq;
                read += page.len();
            }
            let _ = store.close().await;
            Ok(read)
        }
        Err(error) => {
            assert!(fs::read(directory.database()).unwrap() == bytes, "it was written to");
            let text = error.to_string();
            assert!(text.contains("aaa.db"), "{text}");
            if matches!(error, StoreError::Corrupt { .. }) {
                assert!(text.contains("backup") && text.contains(".recover"), "{text}");
            }
            Err(error)
        }
    }
}

#[tokio::test]
async fn every_page_of_a_table_or_index() {
    let directory = filled().await;
    let sound = fs::read(directory.database()).unwrap();
    let trees: Vec<usize> = {
        let db = directory.sqlite();
        let mut statement =
            db.prepare("SELECT pageno FROM dbstat WHERE pagetype IN ('leaf', 'internal')").unwrap();
        let pages = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
        pages.map(|page| page.unwrap() as usize).collect()
    };
    assert!(trees.len() > 15, "{}", trees.len());
    for page in trees {
        // The first page begins with the head of the file.
        let start = (page - 1) * PAGE + if page == 1 { 100 } else { 0 };
        // What kind of page it is, how many cells it has, and where the first one is.
        for place in [0, 3, 8] {
            let mut bytes = sound.clone();
            bytes[start + place] ^= 0xff;
            let outcome = outcome(&directory, &bytes).await;
            // The page of an empty table has no cell to point to.
            if place == 8 && outcome.is_ok() {
                assert_eq!(bytes[start + 3..start + 5], [0, 0], "page {page}");
                continue;
            }
            let error = outcome.unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { .. }), "page {page}: {error}");
        }
    }
    assert_eq!(outcome(&directory, &sound).await, Ok(EVENTS + 1));
}

#[tokio::test]
async fn any_byte() {
    let directory = filled().await;
    let sound = fs::read(directory.database()).unwrap();
    let mut refused = 0;
    let places = (0..100).chain((100..sound.len()).step_by(1531));
    for place in places {
        let mut bytes = sound.clone();
        bytes[place] ^= 0x41;
        match outcome(&directory, &bytes).await {
            Ok(_) => {}
            Err(
                StoreError::Corrupt { .. }
                | StoreError::Foreign { .. }
                | StoreError::Newer { .. }
                // A version of the format that SQLite only reads.
                | StoreError::ReadOnly { .. }
                | StoreError::NotDurable { .. },
            ) => refused += 1,
            Err(error) => panic!("byte {place}: {error}"),
        }
    }
    assert!(refused > 20, "{refused}");
}

/// SQLite itself takes damage in its log for the end of the log, and drops what follows.
#[tokio::test]
async fn any_byte_of_the_log() {
    let directory = Directory::new();
    let store = directory.open();
    for n in 0..30 {
        store.commit(delivery(&favorites("7", &[&n.to_string()]))).await.unwrap();
    }
    let killed = directory.copy_of_a_killed_process();
    store.close().await.unwrap();
    let log = killed.path.join("aaa.db-wal");
    let (sound, database) = (fs::read(&log).unwrap(), fs::read(killed.database()).unwrap());
    let (mut refused, mut opened) = (0, 0);
    for place in (0..32).chain((32..sound.len()).step_by(4093)) {
        let mut bytes = sound.clone();
        bytes[place] ^= 0x20;
        fs::write(&log, &bytes).unwrap();
        fs::write(killed.database(), &database).unwrap();
        match SqliteStore::open(&killed.path, settings()) {
            Err(error) => {
                assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
                assert!(error.to_string().contains("write-ahead log"), "{error}");
                assert!(fs::read(&log).unwrap() == bytes, "the log was written to");
                assert!(fs::read(killed.database()).unwrap() == database);
                let report = sqlite::check(&killed.path, sqlite::Depth::Quick).unwrap();
                assert_eq!(report.findings[0].fault, sqlite::Fault::Damaged);
                refused += 1;
            }
            Ok(store) => {
                // Only in the end can it be taken for a transaction that was never finished.
                assert!(all(&store).await.len() >= 28, "byte {place}");
                store.close().await.unwrap();
                opened += 1;
            }
        }
    }
    assert!(refused > 10 * opened, "{refused} refused, {opened} opened");
}

/// A clean end is noted, and then the pages in the middle are not looked at.
#[tokio::test]
async fn what_changed_since_a_clean_end_is_looked_at() {
    let directory = filled().await;
    let sound = fs::read(directory.database()).unwrap();
    let modified = fs::metadata(directory.database()).unwrap().modified().unwrap();
    let db = directory.sqlite();
    let leaf: i64 = db
        .query_row(
            "SELECT pageno FROM dbstat WHERE name = 'events_by_delivery' AND pagetype = 'leaf' LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(db);
    let mut bytes = sound.clone();
    bytes[(leaf as usize - 1) * PAGE + 3] ^= 0xff;
    let write = |time| {
        fs::write(directory.database(), &bytes).unwrap();
        let file = fs::File::options().write(true).open(directory.database()).unwrap();
        file.set_modified(time).unwrap();
    };
    // A disk that lost something says nothing, and nobody looks.
    write(modified);
    let store = directory.open();
    store.close().await.unwrap();
    // Whoever checks finds it.
    let report = sqlite::check(&directory.path, sqlite::Depth::Quick).unwrap();
    assert!(!report.is_sound());
    // A changed file is looked at.
    write(modified + std::time::Duration::from_secs(1));
    let error = SqliteStore::open(&directory.path, settings()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    // After a refusal still, whatever its time says.
    write(modified);
    SqliteStore::open(&directory.path, settings()).unwrap_err();
    // And so is one that nobody closed.
    fs::write(directory.database(), &sound).unwrap();
    let store = directory.open();
    store.commit(delivery(&favorites("7", &["more"]))).await.unwrap();
    assert_eq!(fs::metadata(directory.path.join("aaa.lock")).unwrap().len(), 0);
    store.close().await.unwrap();
    assert!(fs::metadata(directory.path.join("aaa.lock")).unwrap().len() > 0);
}
