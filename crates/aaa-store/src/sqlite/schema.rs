//! The tables, and what a connection must be before it is used.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

use super::{Settings, values::number, wal};
use crate::error::StoreError;

/// `AAA1`: tells the file from other programs' databases, also to `file(1)`.
const APPLICATION_ID: i64 = 0x4141_4131;

/// Each entry brings the schema from the version of its index to the next. Entries are never
/// changed once they were released, only added.
///
/// Version 1, where it is not plain:
///
/// * Event keys have a table of their own, clustered by the key, beside `events` instead of a
///   unique index on it. As a b-tree it is the same size, but a key can outlive its event, so
///   that bodies may go early and copies are still recognised. The time at the front of the key
///   sends new keys to the right edge of the tree: only its last pages are touched, and the
///   write-ahead log stays small.
/// * `seq` is AUTOINCREMENT: a number is never used again, also when the newest rows are deleted.
/// * Times are microseconds since 1970. `key` in `events` is for people who look with a tool; it
///   takes no room.
/// * `body` stands last, since what follows a long value is slow to reach.
///
/// Version 2 finds a post and its deletion by their identifier, and remembers whose events are
/// still to be redacted: those of a user in an app, behind `after` and before `until`. The
/// signature of a delivery that was redacted is empty. `ahead` in `cursors` is what a consumer has
/// finished beyond its cursor, as text: `12-15,17`.
///
/// Version 3 counts how often the process died under a consumer since its cursor last moved, the
/// run that has it open included, and notes what was being tried alone.
///
/// Version 4 counts in heartbeats what the receiver verified and rejected. `newest` in `attempts`
/// is the newest event at the time of the intent; what the job brought is behind it. `lease` has
/// one row at most.
///
/// Version 5 makes a commit smaller, see [`filing`](super::filing): what is stored stands at the
/// ends of two tables, and keys and lists follow later. The lists take the place of indices by
/// kind and user: they say in which blocks of numbers such events are. What finds a post is an
/// index that only a store which redacts has.
///
/// Version 6 remembers when all was last seen to be well with a webhook, and after which attempt a
/// gap was declared: only later ones close it, whatever the clocks said.
///
/// Version 7 remembers who is subscribed to a webhook, or was and should still be, so that a restart
/// knows who has vanished.
const MIGRATIONS: [&str; 7] = [
    "
CREATE TABLE deliveries (
    id         INTEGER PRIMARY KEY,
    app        TEXT    NOT NULL,
    slot       TEXT    NOT NULL CHECK (slot IN ('active', 'previous')),
    signature  TEXT    NOT NULL,
    arrived_at INTEGER NOT NULL,
    body       BLOB    NOT NULL
) STRICT;

CREATE TABLE events (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery       INTEGER NOT NULL REFERENCES deliveries (id),
    kind           TEXT    NOT NULL,
    for_user_id    TEXT,
    item           TEXT    NOT NULL,
    key            TEXT    AS (ifnull(for_user_id, '') || '/' || kind || ':' || item) VIRTUAL,
    occurred_at    INTEGER,
    payload_start  INTEGER NOT NULL,
    payload_length INTEGER NOT NULL,
    stale          INTEGER NOT NULL CHECK (stale IN (0, 1))
) STRICT;
CREATE INDEX events_by_delivery ON events (delivery);
CREATE INDEX events_by_kind ON events (kind);
CREATE INDEX events_by_user ON events (for_user_id) WHERE for_user_id IS NOT NULL;

CREATE TABLE event_keys (
    key BLOB    PRIMARY KEY CHECK (length(key) = 16),
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    run               INTEGER NOT NULL,
    first_wall        INTEGER NOT NULL,
    first_uptime      INTEGER NOT NULL,
    first_offset      INTEGER NOT NULL,
    first_offset_read INTEGER NOT NULL,
    first_refusals    INTEGER NOT NULL,
    last_wall         INTEGER NOT NULL,
    last_uptime       INTEGER NOT NULL,
    last_offset       INTEGER NOT NULL,
    last_offset_read  INTEGER NOT NULL,
    last_refusals     INTEGER NOT NULL
) STRICT;

CREATE TABLE attempts (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook      TEXT    NOT NULL,
    core_from    TEXT    NOT NULL,
    core_to      TEXT    NOT NULL,
    request_from TEXT    NOT NULL,
    request_to   TEXT    NOT NULL,
    intended_at  INTEGER NOT NULL,
    settled_at   INTEGER NOT NULL,
    outcome      TEXT    NOT NULL
) STRICT;
",
    "
CREATE INDEX events_by_post ON events (item)
    WHERE kind IN ('tweet_create_events', 'tweet_delete_events');

CREATE TABLE redactions (
    id      INTEGER PRIMARY KEY,
    app     TEXT    NOT NULL,
    user_id TEXT    NOT NULL,
    after   INTEGER NOT NULL,
    until   INTEGER NOT NULL
) STRICT;

CREATE TABLE cursors (
    consumer   TEXT    PRIMARY KEY,
    generation INTEGER NOT NULL,
    cursor     INTEGER NOT NULL,
    ahead      TEXT    NOT NULL,
    handled    INTEGER NOT NULL,
    stale      INTEGER NOT NULL,
    dead       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters (
    consumer        TEXT    NOT NULL,
    seq             INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    first_failed_at INTEGER NOT NULL,
    last_failed_at  INTEGER NOT NULL,
    redrive         INTEGER NOT NULL CHECK (redrive IN (0, 1)),
    reason          TEXT    NOT NULL,
    PRIMARY KEY (consumer, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_to_redrive ON dead_letters (consumer, seq) WHERE redrive = 1;
",
    "
ALTER TABLE cursors ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cursors ADD COLUMN trial INTEGER;
ALTER TABLE cursors ADD COLUMN trial_deaths INTEGER NOT NULL DEFAULT 0;
",
    "
ALTER TABLE coverage ADD COLUMN first_verified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE coverage ADD COLUMN first_rejected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE coverage ADD COLUMN first_arrived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE coverage ADD COLUMN last_verified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE coverage ADD COLUMN last_rejected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE coverage ADD COLUMN last_arrived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE coverage ADD COLUMN verified_first_at INTEGER;
ALTER TABLE coverage ADD COLUMN verified_first_rejected INTEGER;
ALTER TABLE coverage ADD COLUMN verified_last_at INTEGER;
ALTER TABLE coverage ADD COLUMN verified_last_rejected INTEGER;

CREATE TABLE proofs (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    from_at INTEGER NOT NULL,
    to_at   INTEGER NOT NULL
) STRICT;

ALTER TABLE attempts ADD COLUMN purpose TEXT NOT NULL DEFAULT 'gap';
ALTER TABLE attempts ADD COLUMN found INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN newest INTEGER NOT NULL DEFAULT 0;

CREATE TABLE declared_gaps (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook     TEXT,
    from_at     INTEGER NOT NULL,
    to_at       INTEGER NOT NULL,
    cause       TEXT    NOT NULL,
    declared_at INTEGER NOT NULL
) STRICT;

CREATE TABLE lease (
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    number     INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    run        INTEGER NOT NULL,
    role       TEXT    NOT NULL CHECK (role IN ('listener', 'command')),
    expires_at INTEGER NOT NULL
) STRICT;
",
    "
ALTER TABLE events ADD COLUMN unfiled_key BLOB CHECK (length(unfiled_key) = 16);
DROP INDEX events_by_post;
DROP INDEX events_by_kind;
DROP INDEX events_by_user;

CREATE TABLE kind_blocks (
    block INTEGER NOT NULL,
    kind  TEXT    NOT NULL,
    PRIMARY KEY (block, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO kind_blocks SELECT DISTINCT seq / 8192, kind FROM events ORDER BY 1, 2;

CREATE TABLE user_blocks (
    block       INTEGER NOT NULL,
    for_user_id TEXT    NOT NULL,
    PRIMARY KEY (block, for_user_id)
) STRICT, WITHOUT ROWID;
INSERT INTO user_blocks SELECT DISTINCT seq / 8192, for_user_id FROM events
    WHERE for_user_id IS NOT NULL ORDER BY 1, 2;

INSERT INTO counters SELECT 'filed', max(seq) FROM events HAVING max(seq) IS NOT NULL;
",
    "
CREATE TABLE seen (
    webhook     TEXT PRIMARY KEY,
    valid_at    INTEGER,
    complete_at INTEGER
) STRICT, WITHOUT ROWID;

ALTER TABLE declared_gaps ADD COLUMN after INTEGER NOT NULL DEFAULT 0;
UPDATE declared_gaps SET after =
    (SELECT ifnull(max(number), 0) FROM attempts WHERE intended_at < declared_at);
",
    "
CREATE TABLE subscribers (
    webhook TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (webhook, user_id)
) STRICT, WITHOUT ROWID;
",
];

/// The version that this program writes.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// What SQLite calls `synchronous=FULL`.
const FULL: i64 = 2;

/// How much of an existing file is looked at before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// The edges of each table: as long as the file is what this program left.
    AtEdges,
    /// Every page. It takes seconds for each gigabyte.
    Everywhere,
}

/// Opens an existing file, which may be empty, for writing, and brings it up to date.
///
/// Nothing is written before the file was found to be ours and sound.
pub(super) fn open_writer(
    path: &Path,
    settings: &Settings,
    look: Look,
) -> Result<Connection, StoreError> {
    let told = |error: rusqlite::Error| StoreError::sqlite(path, &error);
    wal::check(path)?;
    let mut db = open_existing(path, settings.busy_timeout)?;
    let version = identify(&db, path)?;
    if pragma(&db, "page_count").map_err(told)? == 0 {
        db.pragma_update(None, "page_size", settings.page_size).map_err(told)?;
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(told)?;
    } else if look == Look::Everywhere || version != VERSION {
        check(&db, path)?;
    } else {
        look_at_edges(&db).map_err(told)?;
    }
    make_durable(&db, path)?;
    // What is removed is overwritten: at least where that costs no writing, so that a user can be
    // forgotten later without a trace.
    let secure_delete = if settings.redact_on_deletion { "ON" } else { "FAST" };
    db.pragma_update(None, "secure_delete", secure_delete).map_err(told)?;
    migrate(&mut db, &MIGRATIONS).map_err(told)?;
    Ok(db)
}

/// Opens a store beside the process that writes there, to change a little at a time.
pub(super) fn open_beside(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    wal::check(path)?;
    let db = open_existing(path, busy_timeout)?;
    up_to_date(identify(&db, path)?, path)?;
    make_durable(&db, path)?;
    Ok(db)
}

/// Opens a file for reading and writing.
fn open_existing(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let told = |error: rusqlite::Error| StoreError::sqlite(path, &error);
    let db = Connection::open_with_flags(path, flags).map_err(told)?;
    db.busy_timeout(busy_timeout).map_err(told)?;
    if db.is_readonly("main").map_err(told)? {
        let reason = "SQLite could open it for reading only".to_owned();
        return Err(StoreError::ReadOnly { path: path.to_owned(), reason });
    }
    Ok(db)
}

/// Opens an existing store for reading, beside whoever writes.
pub(super) fn open_reader(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let told = |error: rusqlite::Error| StoreError::sqlite(path, &error);
    let db = Connection::open_with_flags(path, flags).map_err(told)?;
    db.busy_timeout(busy_timeout).map_err(told)?;
    up_to_date(identify(&db, path)?, path)?;
    Ok(db)
}

/// Refuses a file that has to be brought up to date first.
fn up_to_date(version: i64, path: &Path) -> Result<(), StoreError> {
    match version {
        VERSION => Ok(()),
        0 => Err(StoreError::Missing { path: path.to_owned() }),
        found => Err(StoreError::Older { path: path.to_owned(), found, known: VERSION }),
    }
}

/// Moves everything from the write-ahead log into the database file and syncs it.
///
/// After a failed sync the log may look well and yet not be on the disk: the system forgets that
/// such pages were not written, and a later sync of the same file says nothing. What is written
/// anew into the other file is synced for certain.
pub(super) fn empty_log(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let told = |error: rusqlite::Error| StoreError::sqlite(path, &error);
    let (busy, log, moved) = db
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
        .map_err(told)?;
    // A reader may keep the log from being cut although all of it was moved.
    if busy == 0 || log == moved {
        Ok(())
    } else {
        let reason = "a reader keeps the write-ahead log from being emptied".to_owned();
        Err(StoreError::Busy { path: path.to_owned(), reason })
    }
}

/// Refuses files of others and from the future; returns the version, 0 for an empty file.
pub(super) fn identify(db: &Connection, path: &Path) -> Result<i64, StoreError> {
    // A statement this simple is refused only when the file says something impossible of itself.
    let told = |error: rusqlite::Error| match StoreError::sqlite(path, &error) {
        StoreError::Refused { reason } => StoreError::Corrupt { path: path.to_owned(), reason },
        error => error,
    };
    let application = pragma(db, "application_id").map_err(told)?;
    let version = pragma(db, "user_version").map_err(told)?;
    let objects: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(told)?;
    let empty = application == 0 && version == 0 && objects == 0;
    if application != APPLICATION_ID && !empty {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    if version > VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known: VERSION });
    }
    Ok(version)
}

/// Looks at every page, but does not compare indices with their tables.
pub(super) fn check(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: String = db
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| StoreError::sqlite(path, &error))?;
    if found == "ok" {
        Ok(())
    } else {
        // Several lines with blanks; the first fault is enough.
        let reason = found.split_whitespace().collect::<Vec<_>>().join(" ");
        Err(StoreError::Corrupt { path: path.to_owned(), reason })
    }
}

/// Looks at one row of each table, and at those that the next delivery is written beside.
fn look_at_edges(db: &Connection) -> rusqlite::Result<()> {
    let mut tables = db.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )?;
    let tables = tables.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let first = tables.iter().map(|table| format!("SELECT * FROM \"{table}\" LIMIT 1"));
    let last = [
        "SELECT * FROM deliveries ORDER BY id DESC LIMIT 1",
        "SELECT * FROM events ORDER BY seq DESC LIMIT 1",
        "SELECT * FROM event_keys ORDER BY key DESC LIMIT 1",
    ];
    for sql in first.chain(last.map(str::to_owned)) {
        db.prepare(&sql)?.query_row([], |_| Ok(())).optional()?;
    }
    Ok(())
}

/// Sets what an acknowledgement relies on, and reads it back.
fn make_durable(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let told = |error: rusqlite::Error| StoreError::sqlite(path, &error);
    let mode: String =
        db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(told)?;
    let not_durable = |setting, found, wanted| {
        Err(StoreError::NotDurable { path: path.to_owned(), setting, found, wanted })
    };
    if mode != "wal" {
        return not_durable("journal_mode", mode, "wal");
    }
    db.pragma_update(None, "synchronous", "FULL").map_err(told)?;
    // Some disks keep what they were told to sync; macOS has a way around it, others ignore this.
    db.pragma_update(None, "fullfsync", true).map_err(told)?;
    db.pragma_update(None, "checkpoint_fullfsync", true).map_err(told)?;
    db.pragma_update(None, "foreign_keys", true).map_err(told)?;
    // In KiB: the inner pages of the key table and the right edges of all tables.
    db.pragma_update(None, "cache_size", -16_384).map_err(told)?;
    // A commit needs about ten statements; those of everything else must not push them out.
    db.set_prepared_statement_cache_capacity(64);
    let synchronous = pragma(db, "synchronous").map_err(told)?;
    if synchronous != FULL {
        return not_durable("synchronous", synchronous.to_string(), "2 (FULL)");
    }
    Ok(())
}

/// Brings the schema to the version that all migrations lead to, or leaves it as it is.
fn migrate(db: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let target = number(migrations.len());
    if pragma(db, "user_version")? >= target {
        return Ok(());
    }
    let transaction = Transaction::new(db, TransactionBehavior::Immediate)?;
    let version = pragma(&transaction, "user_version")?;
    let done = usize::try_from(version).unwrap_or(0);
    for migration in migrations.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", target)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()?;
    if version > 0 {
        tracing::info!(from = version, to = target, "the store was brought up to date");
    }
    Ok(())
}

pub(super) fn pragma(db: &Connection, name: &str) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, name, |row| row.get(0))
}

#[cfg(test)]
pub(super) fn in_memory() -> Connection {
    let mut db = Connection::open_in_memory().unwrap();
    migrate(&mut db, &MIGRATIONS).unwrap();
    db
}

#[cfg(test)]
mod tests;
