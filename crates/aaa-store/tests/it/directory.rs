//! Opening: what is made, who is let in, and which files are refused.

use std::{fs, time::Duration};

use aaa_store::{Settings, SqliteStore, StoreError};
use aaa_webhook::inbox::Inbox;

use crate::helper::{Directory, all, delivery, favorites};

fn refusal(directory: &Directory) -> StoreError {
    let settings = Settings { busy_timeout: Duration::from_millis(50), ..Settings::default() };
    SqliteStore::open(&directory.path, settings).unwrap_err()
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let directory = Directory::new();
    for (id, seq) in [("a", 1), ("b", 2), ("c", 3)] {
        let store = directory.open();
        let receipt = store.commit(delivery(&favorites("7", &[id, "a"]))).await.unwrap();
        assert_eq!(receipt.stored, 1);
        assert_eq!(all(&store).await.last().unwrap().seq, seq);
        store.close().await.unwrap();
    }
    // A number is not used again, even if somebody deletes the newest event.
    let db = directory.sqlite();
    db.execute_batch("DELETE FROM events WHERE seq = 3; DELETE FROM event_keys WHERE seq = 3")
        .unwrap();
    drop(db);
    let store = directory.open();
    store.commit(delivery(&favorites("7", &["c"]))).await.unwrap();
    assert_eq!(all(&store).await.last().unwrap().seq, 4);
}

#[tokio::test]
async fn a_second_writer_is_refused() {
    let directory = Directory::new();
    let store = directory.open();
    let error = refusal(&directory);
    assert_eq!(error, StoreError::InUse { directory: directory.path.clone() });
    assert!(error.to_string().contains(directory.path.to_str().unwrap()), "{error}");
    // The first one is not disturbed.
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    store.close().await.unwrap();
    directory.open();
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_user_can_read() {
    use std::os::unix::fs::PermissionsExt;

    let directory = Directory::new();
    let store = directory.open();
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.path), 0o700);
    for entry in fs::read_dir(&directory.path).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    store.close().await.unwrap();

    let chmod = |path: &std::path::Path, mode| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    for mode in [0o750, 0o701, 0o720] {
        chmod(&directory.path, mode);
        let exposed = StoreError::Exposed { path: directory.path.clone(), mode };
        assert_eq!(refusal(&directory), exposed);
        assert_eq!(SqliteStore::open_reader(&directory.path).unwrap_err(), exposed);
    }
    chmod(&directory.path, 0o700);
    chmod(&directory.database(), 0o644);
    assert!(matches!(refusal(&directory), StoreError::Exposed { mode: 0o644, .. }));
    chmod(&directory.database(), 0o600);
    assert_eq!(all(&directory.open()).await.len(), 1);
}

#[cfg(unix)]
#[test]
fn a_read_only_file_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let directory = Directory::new();
    drop(directory.open());
    directory.wait_until_free();
    let database = directory.database();
    fs::set_permissions(&database, PermissionsExt::from_mode(0o400)).unwrap();
    if fs::OpenOptions::new().write(true).open(&database).is_ok() {
        eprintln!("skipped: this user may write to read-only files");
        return;
    }
    let error = refusal(&directory);
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

#[test]
fn a_foreign_database_is_refused() {
    let directory = Directory::new();
    directory.make();
    directory.sqlite().execute_batch("CREATE TABLE t (c); PRAGMA user_version = 1").unwrap();
    directory.make_private();
    let before = fs::read(directory.database()).unwrap();
    assert_eq!(refusal(&directory), StoreError::Foreign { path: directory.database() });
    let error = SqliteStore::open_reader(&directory.path).unwrap_err();
    assert_eq!(error, StoreError::Foreign { path: directory.database() });
    assert!(fs::read(directory.database()).unwrap() == before);
}

#[tokio::test]
async fn a_newer_version_is_refused() {
    let directory = Directory::new();
    directory.open().close().await.unwrap();
    directory.sqlite().pragma_update(None, "user_version", 99).unwrap();
    let newer = StoreError::Newer { path: directory.database(), found: 99, known: 7 };
    assert_eq!(refusal(&directory), newer);
    assert_eq!(SqliteStore::open_reader(&directory.path).unwrap_err(), newer);
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_alone() {
    let directory = Directory::new();
    let store = directory.open();
    for n in 0..100 {
        let id = format!("{n}-{}", "x".repeat(300));
        store.commit(delivery(&favorites("7", &[&id]))).await.unwrap();
    }
    store.close().await.unwrap();
    let leaf: u32 = directory
        .sqlite()
        .query_row(
            "SELECT pageno FROM dbstat WHERE name = 'deliveries' AND pagetype = 'leaf' \
             ORDER BY pageno LIMIT 1 OFFSET 2",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let leaf = leaf as usize;
    let sound = fs::read(directory.database()).unwrap();

    let flipped = |range: std::ops::Range<usize>| {
        let mut bytes = sound.clone();
        bytes[range].iter_mut().for_each(|byte| *byte ^= 0xff);
        bytes
    };
    let pages = sound.len() / 8192;
    let mut damaged = vec![
        b"not a database at all".repeat(500),
        flipped(0..16),             // the name of the format
        flipped(100..108),          // the first page of the schema
        sound[..8192 * 3].to_vec(), // cut off
    ];
    // The headers of all pages at once: of which kind they are, how many cells they have.
    let mut headers = sound.clone();
    for page in 2..pages {
        headers[page * 8192..page * 8192 + 8].fill(0xff);
    }
    damaged.push(headers);
    // One page that nothing but the check would look at before it is needed.
    damaged.push(flipped((leaf - 1) * 8192..(leaf - 1) * 8192 + 8));
    for bytes in damaged {
        fs::write(directory.database(), &bytes).unwrap();
        let error = refusal(&directory);
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("aaa.db") && text.contains(".recover"), "{text}");
        assert!(fs::read(directory.database()).unwrap() == bytes, "it was written to");
    }
    fs::write(directory.database(), &sound).unwrap();
    assert_eq!(all(&directory.open()).await.len(), 100);
}

#[test]
fn a_file_where_the_directory_should_be() {
    let directory = Directory::new();
    fs::write(&directory.path, "mine").unwrap();
    // Whatever its mode: closing it to others would help nobody.
    for private in [false, true] {
        if private {
            directory.make_private();
        }
        let error = refusal(&directory);
        assert!(matches!(error, StoreError::NoDirectory { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("is a file") && !text.contains("chmod"), "{text}");
        let error = SqliteStore::open_reader(&directory.path).unwrap_err();
        assert!(matches!(error, StoreError::NoDirectory { .. }), "{error}");
    }
    assert_eq!(fs::read_to_string(&directory.path).unwrap(), "mine");
}
