use rusqlite::Connection;

use super::*;

const PAGE: usize = 512;

/// A log of some transactions, each of a few pages.
struct Log {
    _directory: tempfile::TempDir,
    db: Connection,
    path: std::path::PathBuf,
}

impl Log {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("aaa.db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch(
            "PRAGMA page_size = 512; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; \
             CREATE TABLE t (b)",
        )
        .unwrap();
        Self { _directory: directory, db, path }
    }

    fn commit(&self, times: usize) {
        for _ in 0..times {
            self.db.execute("INSERT INTO t VALUES (randomblob(900))", []).unwrap();
        }
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(log_of(&self.path)).unwrap()
    }
}

fn damage(bytes: &[u8]) -> Option<Damage> {
    scan(bytes, PAGE).unwrap().1
}

/// The numbers of the frames that end a transaction.
fn commits(bytes: &[u8]) -> Vec<usize> {
    let frames = bytes[HEAD..].chunks_exact(FRAME + PAGE);
    frames.enumerate().filter(|(_, frame)| word(frame, 4) != 0).map(|(n, _)| n + 1).collect()
}

#[test]
fn a_sound_log() {
    let log = Log::new();
    assert_eq!(damage(&log.bytes()), None);
    log.commit(10);
    assert_eq!(commits(&log.bytes()).len(), 11);
    assert_eq!(damage(&log.bytes()), None);
    check(&log.path).unwrap();
    assert_eq!(damage(&[]), None);
    check(Path::new("there is no such database")).unwrap();
}

#[test]
fn a_flipped_byte_anywhere_but_at_the_end() {
    let log = Log::new();
    log.commit(8);
    let sound = log.bytes();
    let commits = commits(&sound);
    let mut found = 0;
    for place in (0..sound.len()).step_by(7).chain(0..HEAD + FRAME) {
        // The number of the log, which SQLite does not use, and the unused version of the head.
        let mut bytes = sound.clone();
        bytes[place] ^= 0x10;
        let frame = (place + FRAME + PAGE).saturating_sub(HEAD) / (FRAME + PAGE);
        // A frame that is broken in its sums breaks the next one too.
        let behind = commits.iter().filter(|commit| **commit > frame + 1).count();
        let damage = damage(&bytes);
        if behind >= 2 {
            let damage = damage.unwrap_or_else(|| panic!("byte {place} of frame {frame}"));
            assert!(damage.frame == frame as u64, "{damage:?}, not {frame}");
            found += 1;
        }
    }
    assert!(found > 500, "{found}");
}

#[test]
fn what_a_power_loss_leaves_is_no_damage() {
    let log = Log::new();
    log.commit(6);
    let sound = log.bytes();
    // Cut anywhere.
    for length in (0..sound.len()).step_by(11) {
        assert_eq!(damage(&sound[..length]), None, "{length}");
    }
    // The pages of the last transaction came in any order, or as zeros.
    let commits = commits(&sound);
    let last = commits[commits.len() - 2]..commits[commits.len() - 1];
    for missing in last {
        for part in [0..FRAME, FRAME..FRAME + PAGE, 0..FRAME + PAGE] {
            let start = HEAD + missing * (FRAME + PAGE);
            let mut bytes = sound.clone();
            bytes[start + part.start..start + part.end].fill(0);
            assert_eq!(damage(&bytes), None);
        }
    }
}

#[test]
fn what_an_older_log_left_is_no_damage() {
    let log = Log::new();
    log.commit(20);
    let old = log.bytes().len();
    log.db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
    log.commit(3);
    let bytes = log.bytes();
    assert_eq!(bytes.len(), old, "the log was not begun anew");
    assert_eq!(damage(&bytes), None);
    // In the new part it is found all the same.
    let mut bytes = bytes;
    bytes[HEAD + FRAME + 3] ^= 1;
    assert_eq!(damage(&bytes).map(|damage| damage.frame), Some(1));
}

#[test]
fn a_damaged_log_is_refused() {
    let log = Log::new();
    log.commit(8);
    let mut bytes = log.bytes();
    bytes[HEAD + FRAME + 100] ^= 1;
    let killed = log.path.with_file_name("killed.db");
    std::fs::copy(&log.path, &killed).unwrap();
    std::fs::write(log_of(&killed), bytes).unwrap();
    let error = check(&killed).unwrap_err();
    let StoreError::Corrupt { path, reason } = error else { panic!("{error}") };
    assert_eq!(path, killed);
    insta::assert_snapshot!(reason, @"its write-ahead log is broken at frame 1, and 9 transactions behind it would be lost");
    // SQLite says nothing and has lost them.
    let db = Connection::open(&killed).unwrap();
    db.query_row("SELECT * FROM t", [], |_| Ok(())).unwrap_err();
}
