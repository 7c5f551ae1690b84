//! Retention: what goes after its time, a little at a time.
//!
//! A step is one piece of work for the writer, like a delivery, and does so little that a
//! delivery in the same transaction hardly waits for it.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    batch::Rules,
    counters::{self, KEYS_SINCE, PRUNED_DELIVERIES, PRUNED_EVENTS, PRUNED_KEYS},
    filing, redact, schema,
    values::{count, number},
};

/// How many keys one step looks at.
const KEYS: i64 = 500;

/// How many deliveries one step looks at.
const DELIVERIES: i64 = 200;

/// A step ends early when it has removed bodies of so many bytes.
pub(super) const BYTES: i64 = 2 * 1024 * 1024;

/// How many pages one step gives back to the file system.
pub(super) const PAGES: i64 = 64;

/// Free pages are used again by what arrives next, so a few may stay: one in so many.
const SLACK: i64 = 8;

/// What [`SqliteStore::prune`](super::SqliteStore::prune) did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Keys that were removed. A copy of such an event would be stored as stale.
    pub keys: u64,
    /// Events that were removed with their bodies.
    pub events: u64,
    /// Deliveries that were removed.
    pub deliveries: u64,
    /// Events whose payload was replaced since their user revoked access.
    pub redacted: u64,
    /// Pages that were given back to the file system.
    pub pages: u64,
    /// The first event that was old enough to go but is still waited for.
    pub held_back: Option<u64>,
}

impl Pruned {
    /// Adds what another step did.
    pub(super) fn add(&mut self, other: Self) {
        self.keys += other.keys;
        self.events += other.events;
        self.deliveries += other.deliveries;
        self.redacted += other.redacted;
        self.pages += other.pages;
        self.held_back = self.held_back.or(other.held_back);
    }
}

/// What has to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Payloads of users who revoked access.
    Redactions,
    /// Keys behind this one.
    Keys([u8; 16]),
    /// Deliveries behind this one.
    Bodies(i64),
    /// Free pages.
    Pages,
    /// Nothing.
    Done,
}

impl Pass {
    pub(super) const FIRST: Self = Self::Redactions;
}

/// Does one step; returns what it did, and what comes next.
pub(super) fn step(
    db: &Connection,
    rules: Rules,
    pass: Pass,
    keep_from: u64,
    now: Timestamp,
) -> rusqlite::Result<(Pruned, Pass)> {
    match pass {
        Pass::Redactions => {
            let redacted = redact::user_step(db)?;
            let next = if redacted.is_some() { pass } else { Pass::Keys([0; 16]) };
            let redacted = redacted.unwrap_or(0);
            Ok((Pruned { redacted, ..Pruned::default() }, next))
        }
        Pass::Keys(after) => keys(db, rules.key_retention, after, now),
        Pass::Bodies(after) => match rules.body_retention {
            Some(retention) => bodies(db, retention, after, number(keep_from), now),
            None => Ok((Pruned::default(), Pass::Pages)),
        },
        Pass::Pages => pages(db),
        Pass::Done => Ok((Pruned::default(), Pass::Done)),
    }
}

/// Removes keys of events whose time is over, and remembers which times these were.
///
/// Only what is behind the newest event counts as past: a clock that runs ahead by a year must
/// not make everything stale that arrives when it is right again.
fn keys(
    db: &Connection,
    retention: SignedDuration,
    after: [u8; 16],
    now: Timestamp,
) -> rusqlite::Result<(Pruned, Pass)> {
    let done = Ok((Pruned::default(), Pass::Bodies(0)));
    let newest: Option<Vec<u8>> = db
        .query_row("SELECT key FROM event_keys ORDER BY key DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    let newest = newest.and_then(|key| Some(seconds(key.first_chunk()?)));
    let past = newest.map(|newest| newest.min(now.as_second()));
    let Some(since) = past.and_then(|past| past.checked_sub(retention.as_secs())) else {
        return done;
    };
    // Without a time of their own, or none that a key can hold, they stay for ever.
    let Some(since_key) = u32::try_from(since).ok().filter(|since| *since > 1) else {
        return done;
    };
    let first = after.max(key_at(1));
    let mut page = db.prepare(
        "SELECT key, seq FROM event_keys WHERE key >= ? AND key < ? ORDER BY key LIMIT ?",
    )?;
    let page = page
        .query_map(params![first, key_at(since_key), KEYS], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<([u8; 16], i64)>>>()?;
    if !page.is_empty() {
        counters::raise(db, KEYS_SINCE, since)?;
    }
    let mut arrival = db.prepare(
        "SELECT d.arrived_at FROM events e JOIN deliveries d ON d.id = e.delivery \
         WHERE e.seq = ? AND e.stale",
    )?;
    let mut remove = db.prepare("DELETE FROM event_keys WHERE key = ?")?;
    let mut removed = 0;
    for (key, seq) in &page {
        // What was old when it came is remembered from then on, or an old capture could be sent
        // again and again and fill the disk.
        let arrived_at: Option<i64> = arrival.query_row([seq], |row| row.get(0)).optional()?;
        if arrived_at.is_none_or(|time| time.div_euclid(1_000_000) < since) {
            removed += remove.execute([key])?;
        }
    }
    counters::add(db, PRUNED_KEYS, number(removed))?;
    let pruned = Pruned { keys: removed as u64, ..Pruned::default() };
    match page.last() {
        Some((last, _)) if number(page.len()) == KEYS => Ok((pruned, Pass::Keys(behind(*last)))),
        _ => Ok((pruned, Pass::Bodies(0))),
    }
}

/// Removes deliveries whose time is over, with their events, in the order of their arrival.
fn bodies(
    db: &Connection,
    retention: SignedDuration,
    after: i64,
    keep_from: i64,
    now: Timestamp,
) -> rusqlite::Result<(Pruned, Pass)> {
    let mut pruned = Pruned::default();
    let Ok(until) = now.checked_sub(retention) else { return Ok((pruned, Pass::Pages)) };
    let (until, now) = (until.as_microsecond(), now.as_microsecond());
    let mut page = db.prepare(
        "SELECT id, arrived_at, length(body), \
         (SELECT min(seq) FROM events WHERE delivery = id AND seq >= ?) \
         FROM deliveries WHERE id > ? ORDER BY id LIMIT ?",
    )?;
    let mut rows = page.query([keep_from, after, DELIVERIES])?;
    let mut old = Vec::new();
    let (mut seen, mut bytes, mut next) = (0, 0, Pass::Pages);
    while let Some(row) = rows.next()? {
        let (id, arrived_at): (i64, i64) = (row.get(0)?, row.get(1)?);
        seen += 1;
        // A time in the future was read from a wrong clock and says nothing of what follows.
        if arrived_at <= now {
            if arrived_at >= until {
                break;
            }
            if let Some(wanted) = row.get::<_, Option<i64>>(3)? {
                pruned.held_back = Some(count(wanted));
                break;
            }
            old.push(id);
            bytes += row.get::<_, i64>(2)?;
        }
        if bytes >= BYTES || seen == DELIVERIES {
            next = Pass::Bodies(id);
            break;
        }
    }
    drop(rows);
    let (events, deliveries) = remove(db, &old)?;
    if next == Pass::Pages {
        filing::forget_blocks(db)?;
    }
    counters::add(db, PRUNED_EVENTS, number(events))?;
    counters::add(db, PRUNED_DELIVERIES, number(deliveries))?;
    pruned.events = events as u64;
    pruned.deliveries = deliveries as u64;
    Ok((pruned, next))
}

/// Removes deliveries, in rising order, with all their events; their keys stay. Returns how many events and
/// deliveries there were.
fn remove(db: &Connection, deliveries: &[i64]) -> rusqlite::Result<(usize, usize)> {
    // What arrived since the beginning can be old at once: times are read from two clocks.
    if let Some(last) = deliveries.last()
        && filing::is_unfiled(db, *last)?
    {
        filing::file(db)?;
    }
    let mut remove_events = db.prepare("DELETE FROM events WHERE delivery = ?")?;
    let mut remove_delivery = db.prepare("DELETE FROM deliveries WHERE id = ?")?;
    let mut removed = (0, 0);
    for id in deliveries {
        removed.0 += remove_events.execute([id])?;
        removed.1 += remove_delivery.execute([id])?;
    }
    Ok(removed)
}

/// Gives free pages back, but leaves some.
fn pages(db: &Connection) -> rusqlite::Result<(Pruned, Pass)> {
    let wanted = free_pages(db)? - schema::pragma(db, "page_count")? / SLACK;
    let released = release(db, wanted.min(PAGES))?;
    let next = if wanted > PAGES && released > 0 { Pass::Pages } else { Pass::Done };
    Ok((Pruned { pages: count(released), ..Pruned::default() }, next))
}

/// Gives up to so many free pages back to the file system; returns by how many the file shrank.
pub(super) fn release(db: &Connection, pages: i64) -> rusqlite::Result<i64> {
    if pages <= 0 {
        return Ok(0);
    }
    let before = schema::pragma(db, "page_count")?;
    // It returns a row for each page, and stops when nobody asks for the next.
    let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    drop(rows);
    Ok(before - schema::pragma(db, "page_count")?)
}

fn free_pages(db: &Connection) -> rusqlite::Result<i64> {
    schema::pragma(db, "freelist_count")
}

/// The time at the front of a key.
pub(super) fn seconds(key: &[u8; 4]) -> i64 {
    i64::from(u32::from_be_bytes(*key))
}

/// The first key of a second.
fn key_at(second: u32) -> [u8; 16] {
    (u128::from(second) << 96).to_be_bytes()
}

/// The key that follows.
fn behind(key: [u8; 16]) -> [u8; 16] {
    u128::from_be_bytes(key).saturating_add(1).to_be_bytes()
}

#[cfg(test)]
mod tests;
