//! A real disk that is full, or read-only. It is in memory, and making it takes root: elsewhere
//! the same is shown with a limit on the pages of the file, beside the writer.

#![cfg(target_os = "linux")]

use std::{path::Path, process::Command};

use aaa_replay::ledger::Ledger;
use aaa_store::{SqliteStore, StoreError, sqlite};
use aaa_webhook::inbox::{Inbox, InboxError};

use crate::{
    helper::{Directory, delivery, favorites, keys, settings},
    ledger::beat,
};

/// A file system of its own in place of a data directory, until it is dropped.
struct Disk(Directory);

impl Disk {
    /// Makes it, where this user may.
    fn new(size: &str) -> Option<Self> {
        let directory = Directory::new();
        directory.make();
        let options = format!("size={size},mode=0700");
        let made = mount(&["-t", "tmpfs", "-o", &options, "aaa-store-test"], &directory.path);
        made.then_some(Self(directory))
    }

    fn change(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], &self.0.path), "{options}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: threads of the store may still close their files.
        let _ = Command::new("umount").arg("-l").arg(&self.0.path).output();
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(at).output();
    output.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn nothing_is_answered_that_the_disk_did_not_take() {
    let Some(disk) = Disk::new("900k") else { return };
    let store = SqliteStore::open(&disk.0.path, settings()).unwrap();
    let filler = "x".repeat(15_000);
    let body = |n: usize| favorites("7", &[&format!("{n}{filler}")]);
    let (mut answered, mut refused) = (Vec::new(), 0);
    for n in 0..100 {
        match store.commit(delivery(&body(n))).await {
            Ok(_) => answered.push(n),
            Err(error) => {
                let InboxError::Unavailable(text) = &error else { panic!("{error}") };
                assert!(text.contains("is full: make room"), "{text}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50 && answered.len() > 5, "{refused} refused, {}", answered.len());
    // A heartbeat says that a delivery could be stored. This one is small and may still fit; a
    // larger one cannot be.
    let _ = store.heartbeat(beat(0)).await;
    // All of those that arrive together hear of it.
    let together: Vec<_> = (200..220).map(|n| store.commit(delivery(&body(n)))).collect();
    for commit in together {
        assert!(matches!(commit.await, Err(InboxError::Unavailable(_))));
    }
    // What was stored can be read and is sound.
    let expected = |answered: &[usize]| -> Vec<String> {
        answered.iter().map(|n| format!("7/favorite_events:{n}{filler}")).collect()
    };
    assert_eq!(keys(&store).await, expected(&answered));

    disk.change("size=8m");
    for n in 300..310 {
        store.commit(delivery(&body(n))).await.unwrap();
        answered.push(n);
    }
    assert_eq!(keys(&store).await, expected(&answered));
    store.heartbeat(beat(5)).await.unwrap();
    store.close().await.unwrap();
    let report = sqlite::check(&disk.0.path, sqlite::Depth::Full).unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
}

#[tokio::test]
async fn a_backup_and_a_rebuild_need_room() {
    let Some(disk) = Disk::new("3m") else { return };
    let store = SqliteStore::open(&disk.0.path, settings()).unwrap();
    for n in 0..25 {
        let id = format!("{n}{}", "x".repeat(10_000));
        store.commit(delivery(&favorites("7", &[&id]))).await.unwrap();
    }
    store.close().await.unwrap();
    disk.change("size=900k");
    let to = disk.0.path.join("copy.db");
    let error = sqlite::backup(&disk.0.path, &to).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(!to.exists());
    let error = sqlite::vacuum(&disk.0.path).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. } | StoreError::Io { .. }), "{error}");
    let store = SqliteStore::open(&disk.0.path, settings()).unwrap();
    assert_eq!(keys(&store).await.len(), 25);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_read_only_disk_is_refused() {
    let Some(disk) = Disk::new("2m") else { return };
    let store = SqliteStore::open(&disk.0.path, settings()).unwrap();
    store.commit(delivery(&favorites("7", &["a"]))).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    // Its reader's thread may need a moment to close the file.
    for _ in 0..1000 {
        if mount(&["-o", "remount,ro"], &disk.0.path) {
            break;
        }
        tokio::task::yield_now().await;
    }
    let error = SqliteStore::open(&disk.0.path, settings()).unwrap_err().to_string();
    assert!(error.to_lowercase().contains("read-only"), "{error}");
    assert!(error.contains("aaa."), "{error}");
    disk.change("rw");
    let store = SqliteStore::open(&disk.0.path, settings()).unwrap();
    assert_eq!(keys(&store).await, ["7/favorite_events:a"]);
    store.close().await.unwrap();
}
