//! Forgetting a user, and giving room back: what a command does beside a running listener.
//!
//! Both take turns with the listener: each step is one short transaction, and a pause follows, in
//! which the listener finds the file free. SQLite's own way of waiting is not fair.

use std::{path::Path, thread, time::Duration};

use aaa_types::UserId;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{
    Settings,
    counters::{self, FORGOTTEN_DELIVERIES, FORGOTTEN_EVENTS},
    files::{self, Claim},
    filing::{self, Wanted},
    ledger, prune, redact, schema,
    schema::Look,
    values::{count, number},
};
use crate::error::StoreError;

/// How many events one step removes or looks at.
const EVENTS: i64 = 200;

/// How long the file is left to others between two steps.
const PAUSE: Duration = Duration::from_millis(20);

/// How long to wait for the listener. It never holds the file for long.
const PATIENCE: Duration = Duration::from_secs(10);

/// What [`forget`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forgotten {
    /// Events, with their bodies.
    pub events: u64,
    /// Deliveries that brought nothing else.
    pub deliveries: u64,
    /// Whether the write-ahead log was emptied too. A reader may keep it; then what was removed
    /// can be found in it until it is emptied, at the latest when the listener ends.
    pub log_emptied: bool,
}

/// Removes everything that came for a user: events, bodies, and what SQLite would leave of them
/// in free pages. Their keys stay, so that a replay does not bring them back.
///
/// Found are events whose `for_user_id` is the user, the end of the user's access, and events of
/// the X Activity API that a subscription to the user brought (`filter.user_id`). Not found is
/// what came for other users and speaks of this one: messages, posts and profiles inside theirs.
///
/// What was removed is overwritten, and free pages are given back.
///
/// It works while a listener runs. Unsubscribe first: what arrives while it works stays. It blocks; an
/// asynchronous program calls it on a thread for that.
///
/// # Examples
///
/// ```
/// use aaa_store::{Settings, SqliteStore, sqlite};
///
/// let directory = tempfile::tempdir()?;
/// let data = directory.path().join("aaa-data");
/// let store = SqliteStore::open(&data, Settings::default())?;
/// let forgotten = sqlite::forget(&data, &"7".parse()?)?;
/// assert_eq!((forgotten.events, forgotten.deliveries), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Fails when there is no store, when it is damaged or of another version, and when it cannot be
/// written. What was removed until then stays removed; run it again.
pub fn forget(directory: impl AsRef<Path>, user: &UserId) -> Result<Forgotten, StoreError> {
    let path = files::find(directory.as_ref())?;
    let told = |error: rusqlite::Error| StoreError::sqlite(&path, &error);
    let mut db = schema::open_beside(&path, PATIENCE)?;
    db.pragma_update(None, "secure_delete", true).map_err(told)?;
    let user = user.to_string();
    let mut forgotten = Forgotten::default();
    // What arrives from here on is not waited for, or beside a busy listener it would never end.
    let until: i64 = db
        .query_row("SELECT ifnull(max(seq), 0) FROM events", [], |row| row.get(0))
        .map_err(told)?;
    for find in [own_events, other_events] {
        let mut after = 0;
        while after < until {
            // Looking keeps nobody from writing.
            let found = find(&db, &user, after, until).map_err(told)?;
            after = found.last;
            if !found.events.is_empty() {
                let step = in_turn(&mut db, |db| remove(db, &found.events)).map_err(told)?;
                forgotten.events += step.events;
                forgotten.deliveries += step.deliveries;
                thread::sleep(PAUSE);
            }
        }
    }
    // The lists name the user, too.
    let mut after = -1;
    while let Some(block) =
        in_turn(&mut db, |db| filing::forget_user_of_block(db, &user, after)).map_err(told)?
    {
        after = block;
    }
    in_turn(&mut db, |db| ledger::forget(db, &user)).map_err(told)?;
    // Retention leaves what it removed in free pages.
    while in_turn(&mut db, |db| prune::release(db, prune::PAGES)).map_err(told)? > 0 {
        thread::sleep(PAUSE);
    }
    forgotten.log_emptied = schema::empty_log(&db, &path).is_ok();
    Ok(forgotten)
}

/// What [`vacuum`] gave back to the file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vacuumed {
    /// The size of the database before.
    pub bytes_before: u64,
    /// And after.
    pub bytes_after: u64,
    /// Whether the whole file was written anew, which only happens while no listener runs.
    pub rebuilt: bool,
}

/// Gives all free pages back to the file system.
///
/// While no listener runs, the whole file is written anew, which also packs half-empty pages; for
/// that there must be room for a second one. Beside a running listener only free pages are given
/// back, a few at a time. It blocks; an asynchronous program calls it on a thread for that.
///
/// # Examples
///
/// ```
/// use aaa_store::{Settings, SqliteStore, sqlite};
///
/// let directory = tempfile::tempdir()?;
/// let data = directory.path().join("aaa-data");
/// let store = SqliteStore::open(&data, Settings::default())?;
/// // Somebody writes there, so it does the little that does not disturb.
/// assert!(!sqlite::vacuum(&data)?.rebuilt);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Fails when there is no store, when it is damaged or of another version, and when it cannot be
/// written; a full disk leaves it as it was.
pub fn vacuum(directory: impl AsRef<Path>) -> Result<Vacuumed, StoreError> {
    let path = files::find(directory.as_ref())?;
    let told = |error: rusqlite::Error| StoreError::sqlite(&path, &error);
    let size = |db: &Connection| -> rusqlite::Result<u64> {
        Ok(count(schema::pragma(db, "page_count")? * schema::pragma(db, "page_size")?))
    };
    match Claim::new(directory.as_ref()) {
        Ok(claim) => {
            let look = if claim.was_sound() { Look::AtEdges } else { Look::Everywhere };
            let db = schema::open_writer(&path, &Settings::default(), look)?;
            let bytes_before = size(&db).map_err(told)?;
            db.execute_batch("VACUUM").map_err(told)?;
            let bytes_after = size(&db).map_err(told)?;
            schema::empty_log(&db, &path)?;
            db.close().map_err(|(_, error)| told(error))?;
            claim.mark_closed();
            Ok(Vacuumed { bytes_before, bytes_after, rebuilt: true })
        }
        Err(StoreError::InUse { .. }) => {
            let mut db = schema::open_beside(&path, PATIENCE)?;
            let bytes_before = size(&db).map_err(told)?;
            while in_turn(&mut db, |db| prune::release(db, prune::PAGES)).map_err(told)? > 0 {
                thread::sleep(PAUSE);
            }
            let bytes_after = size(&db).map_err(told)?;
            Ok(Vacuumed { bytes_before, bytes_after, rebuilt: false })
        }
        Err(error) => Err(error),
    }
}

/// Runs a step in a transaction of its own.
fn in_turn<T>(
    db: &mut Connection,
    step: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = Transaction::new(db, TransactionBehavior::Immediate)?;
    let done = step(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// Some events that are to be removed.
struct Found {
    /// Their numbers, and those of their deliveries.
    events: Vec<(i64, i64)>,
    /// Up to which number all were found.
    last: i64,
}

/// Finds some events of a user.
fn own_events(db: &Connection, user: &str, after: i64, until: i64) -> rusqlite::Result<Found> {
    let (from, to) = Wanted { kind: None, user: Some(user) }.stretch(db, after)?;
    let to = to.min(until);
    let mut page = db.prepare(
        "SELECT e.seq, e.delivery, length(d.body) FROM events e CROSS JOIN deliveries d \
         ON d.id = e.delivery WHERE e.seq >= ? AND e.seq <= ? AND e.for_user_id = ? \
         ORDER BY e.seq LIMIT ?",
    )?;
    let mut rows = page.query(rusqlite::params![from, to, user, EVENTS])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    let mut last = None;
    while let Some(row) = rows.next()? {
        let delivery = row.get(1)?;
        if last.replace(delivery) != Some(delivery) {
            bytes += row.get::<_, i64>(2)?;
        }
        found.push((row.get(0)?, delivery));
        if bytes >= prune::BYTES {
            break;
        }
    }
    drop(rows);
    // One at least was found, or there are no more in this stretch.
    let last = found.last().map_or(to, |(last, _)| *last);
    Ok(Found { events: found, last })
}

/// Finds some events about a user that came without one.
fn other_events(db: &Connection, user: &str, after: i64, until: i64) -> rusqlite::Result<Found> {
    // The rows that are looked at are bounded, not those that are found.
    let mut page = db.prepare(
        "SELECT p.seq, p.delivery, p.for_user_id IS NULL, p.kind, \
         CASE WHEN p.for_user_id IS NULL THEN \
         (SELECT substr(d.body, p.payload_start + 1, p.payload_length) FROM deliveries d \
         WHERE d.id = p.delivery) END \
         FROM (SELECT * FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?) p",
    )?;
    let mut rows = page.query([after, until, EVENTS])?;
    let (mut found, mut last) = (Vec::new(), until);
    while let Some(row) = rows.next()? {
        let seq = row.get(0)?;
        last = seq;
        if row.get::<_, bool>(2)? {
            let payload: Vec<u8> = row.get::<_, Option<_>>(4)?.unwrap_or_default();
            let payload = String::from_utf8_lossy(&payload);
            if redact::is_about(user, &row.get::<_, String>(3)?, &payload) {
                found.push((seq, row.get(1)?));
            }
        }
    }
    drop(rows);
    Ok(Found { events: found, last })
}

/// Removes events, and deliveries of which none is left.
fn remove(db: &Connection, events: &[(i64, i64)]) -> rusqlite::Result<Forgotten> {
    if !events.is_empty() {
        filing::file(db)?;
    }
    let mut remove_event = db.prepare("DELETE FROM events WHERE seq = ?")?;
    let mut remove_delivery = db.prepare(
        "DELETE FROM deliveries WHERE id = ?1 \
         AND NOT EXISTS (SELECT 1 FROM events WHERE delivery = ?1)",
    )?;
    let (mut removed, mut emptied) = (0, 0);
    for (seq, _) in events {
        removed += remove_event.execute([seq])?;
    }
    for (_, delivery) in events {
        emptied += remove_delivery.execute([delivery])?;
    }
    counters::add(db, FORGOTTEN_EVENTS, number(removed))?;
    counters::add(db, FORGOTTEN_DELIVERIES, number(emptied))?;
    Ok(Forgotten { events: removed as u64, deliveries: emptied as u64, log_emptied: false })
}
