//! What the files of SQLite tell about the moment of a kill.
//!
//! The index of a write-ahead log (`-shm`) is shared memory: what a process wrote there stays when
//! it is killed, until somebody opens the database. Its format is fixed
//! (<https://sqlite.org/walformat.html>): at byte 96 how many frames of the log are in the database
//! for certain, at byte 128 how many a checkpoint has begun to move. The second is written before a
//! checkpoint moves anything, the first after everything was synced, so between them they differ.
//!
//! The first who opens a database after a crash cuts the index and makes it anew from the log. So
//! an index that is another one while the log is still there belongs to somebody who was killed
//! after it had begun to recover and before the receiver had moved the log into the database.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Index and length of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The head of the index.
    head: Vec<u8>,
    /// The length of the log, in bytes.
    length: u64,
}

/// How long the head of an index is.
const HEAD: usize = 136;

/// Where the frames are counted that are in the database.
const MOVED: usize = 96;

/// Where the frames are counted that a checkpoint has begun to move.
const BEGUN: usize = 128;

impl Log {
    /// Reads what a process has left, or what one that runs has now.
    ///
    /// # Errors
    ///
    /// Fails when a file is there and cannot be read.
    pub fn read(database: &Path) -> io::Result<Self> {
        let beside = |suffix: &str| {
            let mut path = database.as_os_str().to_owned();
            path.push(suffix);
            PathBuf::from(path)
        };
        let mut head = optional(fs::read(beside("-shm")))?.unwrap_or_default();
        head.truncate(HEAD);
        let length = optional(fs::metadata(beside("-wal")))?.map_or(0, |file| file.len());
        Ok(Self { head, length })
    }

    /// Says whether a checkpoint has begun and not ended.
    pub fn is_in_checkpoint(&self) -> bool {
        match (self.number(MOVED), self.number(BEGUN)) {
            (Some(moved), Some(begun)) => begun > moved,
            _ => false,
        }
    }

    /// Says whether somebody has begun to recover the log of `before` and has not come to the end.
    pub fn is_recovery_of(&self, before: &Self) -> bool {
        before.length > 0 && self.length > 0 && self.head != before.head
    }

    fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.head.get(at..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    }
}

fn optional<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// Writes some rows, and leaves the files behind as a killed process would.
    fn written(path: &Path) -> Connection {
        let db = Connection::open(path).unwrap();
        db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0").unwrap();
        db.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(9000))").unwrap();
        db
    }

    fn checkpoint(db: &Connection, how: &str) -> (i64, i64) {
        let pragma = format!("PRAGMA wal_checkpoint({how})");
        db.query_row(&pragma, [], |row| Ok((row.get(1)?, row.get(2)?))).unwrap()
    }

    #[test]
    fn the_index_counts_what_a_checkpoint_has_moved() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        let db = written(&path);
        let log = Log::read(&path).unwrap();
        assert!(!log.is_in_checkpoint());
        assert!(log.length > 9000);

        let (frames, moved) = checkpoint(&db, "PASSIVE");
        assert_eq!(frames, moved);
        let mut log = Log::read(&path).unwrap();
        assert_eq!(log.number(MOVED), Some(u32::try_from(moved).unwrap()));
        assert_eq!(log.number(BEGUN), Some(u32::try_from(moved).unwrap()));
        assert!(!log.is_in_checkpoint());

        // As it stands when everything was announced and half of it was moved.
        log.head[MOVED] -= 1;
        assert!(log.is_in_checkpoint());
    }

    #[test]
    fn a_recovery_leaves_another_index_and_the_same_log() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (directory.path().join("one.db"), directory.path().join("two.db"));
        let db = written(&one);
        // What is copied was left behind by nobody: all three files, without a process.
        for suffix in ["", "-wal", "-shm"] {
            let name = |name: &str| directory.path().join(format!("{name}.db{suffix}"));
            fs::copy(name("one"), name("two")).unwrap();
        }
        drop(db);
        let before = Log::read(&two).unwrap();
        assert!(!before.is_recovery_of(&before));

        let db = Connection::open(&two).unwrap();
        let rows: i64 = db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
        assert!(Log::read(&two).unwrap().is_recovery_of(&before));

        checkpoint(&db, "TRUNCATE");
        assert!(!Log::read(&two).unwrap().is_recovery_of(&before));
    }
}
