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
    assert!(!mark(&directory).starts_with("closed"));
    store.close().await.unwrap();
    assert!(mark(&directory).starts_with("closed"));
}

fn mark(directory: &Directory) -> String {
    fs::read_to_string(directory.path.join("aaa.lock")).unwrap()
}

/// Changes a byte in a page that is not at the edge of any table, and says that it was done then.
fn damage_the_middle(directory: &Directory, at: std::time::SystemTime) {
    let db = directory.sqlite();
    let leaves: Vec<i64> = db
        .prepare("SELECT pageno FROM dbstat WHERE name = 'deliveries' AND pagetype = 'leaf'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    // Closed as by a process that is killed: the log stays.
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    drop(db);
    assert!(leaves.len() > 2);
    let mut bytes = fs::read(directory.database()).unwrap();
    bytes[(leaves[leaves.len() / 2] as usize - 1) * PAGE + 3] ^= 0xff;
    fs::write(directory.database(), &bytes).unwrap();
    let file = fs::File::options().write(true).open(directory.database()).unwrap();
    file.set_modified(at).unwrap();
}

/// The child of the next test: stores something and is gone.
async fn killed_child(directory: &std::path::Path) -> ! {
    let store = SqliteStore::open(directory, settings()).unwrap();
    store.commit(delivery(&favorites("7", &["more"]))).await.unwrap();
    std::process::abort();
}

/// A kill damages nothing, so only what else happened since is a reason to look at every page.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_changed_since_a_kill_is_looked_at() {
    const DIRECTORY: &str = "AAA_TEST_DAMAGE_DIRECTORY";
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        killed_child(directory.as_ref()).await;
    }
    let killed = async || {
        let directory = filled().await;
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["damage::what_changed_since_a_kill_is_looked_at", "--exact", "--test-threads=1"])
            .env(DIRECTORY, &directory.path)
            .output()
            .unwrap();
        assert!(!output.status.success());
        assert!(
            mark(&directory).starts_with("open "),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        directory
    };
    let modified = |directory: &Directory| {
        let database = fs::metadata(directory.database()).unwrap().modified().unwrap();
        let log = fs::metadata(directory.path.join("aaa.db-wal")).unwrap().modified().unwrap();
        assert!(database <= log, "its own process wrote to the database at last");
        (database, log)
    };
    let refused = |directory: &Directory| {
        let error = SqliteStore::open(&directory.path, settings()).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    };

    // A disk that lost something says nothing, and nobody looks; whoever checks finds it.
    let directory = killed().await;
    damage_the_middle(&directory, modified(&directory).0);
    let store = directory.open();
    assert!(mark(&directory).starts_with("open "));
    assert!(!sqlite::check(&directory.path, sqlite::Depth::Quick).unwrap().is_sound());
    store.close().await.unwrap();

    // Somebody changed the file.
    let directory = killed().await;
    let (database, log) = modified(&directory);
    damage_the_middle(&directory, log + std::time::Duration::from_millis(1));
    refused(&directory);
    // After a refusal still, whatever its time says.
    fs::File::options()
        .write(true)
        .open(directory.database())
        .unwrap()
        .set_modified(database)
        .unwrap();
    refused(&directory);

    // The machine was started anew: who knows what its disk had promised.
    let directory = killed().await;
    damage_the_middle(&directory, modified(&directory).0);
    let words = mark(&directory);
    let boot = words.split(' ').nth(1).unwrap();
    fs::write(directory.path.join("aaa.lock"), words.replace(boot, "another start")).unwrap();
    refused(&directory);

    // Another file took its place.
    let directory = killed().await;
    let time = modified(&directory).0;
    let copy = directory.path.join("copy.db");
    fs::copy(directory.database(), &copy).unwrap();
    fs::rename(&copy, directory.database()).unwrap();
    damage_the_middle(&directory, time);
    refused(&directory);

    // Somebody took the log away.
    let directory = killed().await;
    damage_the_middle(&directory, modified(&directory).0);
    fs::remove_file(directory.path.join("aaa.db-wal")).unwrap();
    refused(&directory);

    // And what is sound opens with everything in it.
    let directory = killed().await;
    assert_eq!(all(&directory.open()).await.len(), EVENTS + 2);
}

/// What a reader of the process stumbles over is not forgotten at its end, however clean.
#[tokio::test]
async fn what_a_reader_saw_is_looked_at() {
    let directory = filled().await;
    let modified = fs::metadata(directory.database()).unwrap().modified().unwrap();
    damage_the_middle(&directory, modified);
    let store = directory.open();
    let error = store.events(EventQuery::after(0, 1000)).await.unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
    // Also if it is killed now: the next commit sees to that.
    store.commit(delivery(&favorites("7", &["more"]))).await.unwrap();
    assert_eq!(mark(&directory), "");
    store.close().await.unwrap();
    assert_eq!(mark(&directory), "");
    let error = SqliteStore::open(&directory.path, settings()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}
